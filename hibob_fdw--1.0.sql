/* hibob_fdw--1.0.sql */

-- complain if the script is sourced in psql rather than by CREATE EXTENSION
\echo Use "CREATE EXTENSION hibob_fdw" to load this file. \quit

CREATE FUNCTION hibob_fdw_version(
    OUT extension text,
    OUT libcurl text)
RETURNS record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT PARALLEL SAFE;

COMMENT ON FUNCTION hibob_fdw_version()
IS 'versions of the extension and of the libraries that it uses';

-- When a newer library is installed, the server keeps a library that it has
-- loaded by shared_preload_libraries or in this session.  The older library lacks
-- functions of this script.  The names of pg_catalog are qualified because others
-- may have created functions and operators in the schema of the extension.
DO $$
DECLARE
    needed CONSTANT text := '1.0';
    loaded text;
BEGIN
    SELECT extension INTO loaded FROM hibob_fdw_version();
    IF pg_catalog.string_to_array(loaded, '.')::int[] OPERATOR(pg_catalog.<)
       pg_catalog.string_to_array(needed, '.')::int[] THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = pg_catalog.format('the server has loaded version %s of the library of hibob_fdw, but version %s is needed',
                                        loaded, needed),
            HINT = 'Restart the server if hibob_fdw is in shared_preload_libraries; otherwise start a new session.';
    END IF;
END
$$;

CREATE FUNCTION hibob_fdw_libraries()
RETURNS TABLE (
    library text,
    version text,
    built_with text)
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT PARALLEL SAFE;

COMMENT ON FUNCTION hibob_fdw_libraries()
IS 'libraries that the extension is linked with, and their versions';

CREATE FUNCTION hibob_fdw_handler()
RETURNS fdw_handler
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT;

CREATE FUNCTION hibob_fdw_validator(text[], oid)
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT;

COMMENT ON FUNCTION hibob_fdw_handler()
IS 'callbacks of the foreign data wrapper';

COMMENT ON FUNCTION hibob_fdw_validator(text[], oid)
IS 'checks the options of the foreign data wrapper';

CREATE FOREIGN DATA WRAPPER hibob_fdw
  HANDLER hibob_fdw_handler
  VALIDATOR hibob_fdw_validator;

COMMENT ON FOREIGN DATA WRAPPER hibob_fdw
IS 'foreign tables for HiBob, an HR system';

CREATE FUNCTION hibob_fdw_status(server name DEFAULT NULL)
RETURNS TABLE (
    server name,
    status text,
    http_status integer,
    detail text,
    hint text,
    people bigint,
    active_people bigint,
    former_people bigint,
    unreadable_categories text[],
    rate_limit integer,
    rate_limit_remaining integer,
    rate_limit_reset timestamptz,
    latency interval,
    checked_at timestamptz,
    credentials text)
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10 COST 100000;

COMMENT ON FUNCTION hibob_fdw_status(name)
IS 'tests the connection to HiBob of a server, or of all servers';

REVOKE EXECUTE ON FUNCTION hibob_fdw_status(name) FROM PUBLIC;

CREATE FUNCTION hibob_fdw_columns(
    schema name,
    OUT server text,
    OUT "table" regclass,
    OUT column_number smallint,
    OUT resource text,
    OUT resource_id text,
    OUT field text,
    OUT path text,
    OUT value text,
    OUT category text,
    OUT about text,
    OUT described_in text,
    OUT described_as text)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION hibob_fdw_columns(name)
IS 'HiBob fields of the columns of the foreign tables in a schema';

CREATE FUNCTION hibob_fdw_metadata(
    server name,
    resource text,
    OUT table_id text,
    OUT field text,
    OUT name text,
    OUT category text,
    OUT type text,
    OUT list text)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 100000;

COMMENT ON FUNCTION hibob_fdw_metadata(name, text)
IS 'descriptions of fields or of custom tables in HiBob';

-- The extension can be moved to another schema, so the functions above are
-- called by the schema in which it is.
CREATE FUNCTION hibob_fdw_comment_columns(schema name)
RETURNS integer
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    own_schema CONSTANT text := (SELECT quote_ident(nspname)
        FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace
       WHERE extname = 'hibob_fdw');
    described record;
    target text;
    present text;
    marker text;
    commented integer := 0;
BEGIN
    IF current_setting('transaction_read_only')::boolean THEN
        RAISE read_only_sql_transaction USING MESSAGE =
            'cannot execute hibob_fdw_comment_columns() in a read-only transaction';
    END IF;

    -- The metadata is read before the first table is locked.  A comment has
    -- the form "FTE; HiBob field fte, numeric. Percent of full time".
    FOR described IN EXECUTE format($query$
        WITH own AS MATERIALIZED (
            SELECT c.*
              FROM %1$s.hibob_fdw_columns($1) WITH ORDINALITY c
              JOIN pg_class r ON r.oid = c."table"
             WHERE pg_has_role(r.relowner, 'USAGE')),
        metadata AS MATERIALIZED (
            SELECT s.server, s.described_in, m.*
              FROM (SELECT DISTINCT server, described_in FROM own
                     WHERE described_in IS NOT NULL) s,
                   %1$s.hibob_fdw_metadata(s.server::name, s.described_in) m)
        SELECT DISTINCT ON (o.ordinality)
               o."table", o.column_number, o.resource, o.resource_id, o.field,
               o.path, o.value, coalesce(m.category, o.category) AS category,
               o.about, m.name, m.type, m.list
          FROM own o LEFT JOIN metadata m
            ON m.server = o.server AND m.described_in = o.described_in
               AND coalesce(m.field, '') = coalesce(o.described_as, '')
               AND (o.described_in = 'fields' OR m.table_id = o.resource_id)
         ORDER BY o.ordinality$query$, own_schema) USING schema
    LOOP
        marker := CASE WHEN described.column_number = 0
                       THEN '; HiBob resource ' ELSE '; HiBob field ' END;
        IF described.column_number = 0 THEN
            SELECT 'FOREIGN TABLE ' || described."table",
                   obj_description(r.oid, 'pg_class'),
                   concat_ws(' ', coalesce(described.name,
                                           rtrim(described.about, '.'))
                                  || marker || described.resource,
                             described.resource_id)
              INTO target, present, described.name
              FROM pg_class r
             WHERE oid = described."table" AND pg_has_role(relowner, 'USAGE');
        ELSE
            SELECT format('COLUMN %s.%I', described."table", attname),
                   col_description(r.oid, attnum),
                   coalesce(described.name, upper(left(spaced, 1) COLLATE "C")
                                            || substr(spaced, 2))
                   || marker || described.field
                   || coalesce(' (category ' || described.category || ')', '')
                   || ', ' || coalesce(described.type,
                                       format_type(atttypid, NULL))
                   || coalesce(' ' || described.list, '')
                   || coalesce(', its ' || described.path,
                               CASE WHEN described.value = 'human'
                                    THEN ', human-readable'
                                    WHEN described.type IN
                                         ('list_id', 'employee-reference')
                                    THEN ', its id' END, '')
                   || coalesce('. ' || described.about, '')
              INTO target, present, described.name
              FROM pg_class r
              JOIN pg_attribute ON attrelid = r.oid,
                   replace(attname, '_', ' ') spaced
             WHERE r.oid = described."table" AND NOT attisdropped
               AND attnum = described.column_number
               AND pg_has_role(relowner, 'USAGE');
        END IF;

        -- It was dropped meanwhile, or has a comment of another origin.
        CONTINUE WHEN target IS NULL OR strpos(present, marker) = 0;
        IF present IS DISTINCT FROM described.name THEN
            EXECUTE format('COMMENT ON %s IS %L', target, described.name);
        END IF;
        IF described.column_number > 0 THEN
            commented := commented + 1;
        END IF;
    END LOOP;
    RETURN commented;
END
$$;

COMMENT ON FUNCTION hibob_fdw_comment_columns(name)
IS 'comments the foreign tables of a schema with their descriptions in HiBob';

REVOKE EXECUTE ON FUNCTION hibob_fdw_comment_columns(name) FROM PUBLIC;

CREATE FUNCTION hibob_fdw_get_connections(
    OUT server_name name,
    OUT user_name name,
    OUT valid boolean,
    OUT channels integer,
    OUT in_use integer,
    OUT refused_until timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION hibob_fdw_get_connections()
IS 'connections to HiBob of this session';

CREATE FUNCTION hibob_fdw_disconnect(server name)
RETURNS boolean
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION hibob_fdw_disconnect(name)
IS 'closes the connections of a server and discards its cached results';

CREATE FUNCTION hibob_fdw_disconnect_all()
RETURNS boolean
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION hibob_fdw_disconnect_all()
IS 'closes all connections to HiBob and discards cached results';

CREATE FUNCTION hibob_fdw_statistics(
    OUT server name,
    OUT endpoint text,
    OUT requests bigint,
    OUT rows bigint,
    OUT bytes bigint,
    OUT retries bigint,
    OUT waits bigint,
    OUT wait_time interval,
    OUT errors bigint,
    OUT last_error text,
    OUT last_error_at timestamptz,
    OUT last_success timestamptz,
    OUT since timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION hibob_fdw_statistics()
IS 'requests of this session, by server and endpoint';

-- The servers are text, because schema generators and drivers do not know the
-- type name.
CREATE VIEW hibob_fdw_statistics AS
  SELECT server::text, endpoint, requests, rows, bytes, retries, waits,
         wait_time, errors, last_error, last_error_at, last_success, since
    FROM hibob_fdw_statistics();

COMMENT ON VIEW hibob_fdw_statistics
IS 'requests of this session, by server and endpoint';

GRANT SELECT ON hibob_fdw_statistics TO PUBLIC;

CREATE FUNCTION hibob_fdw_statistics_reset()
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION hibob_fdw_statistics_reset()
IS 'resets the statistics of this session';

-- The following functions show the activity of all sessions, users and
-- databases, so they need the privileges of pg_read_all_stats.
CREATE FUNCTION hibob_fdw_cluster_statistics(
    OUT database name,
    OUT server name,
    OUT endpoint text,
    OUT requests bigint,
    OUT rows bigint,
    OUT bytes bigint,
    OUT retries bigint,
    OUT waits bigint,
    OUT wait_time interval,
    OUT errors bigint,
    OUT last_error text,
    OUT last_error_at timestamptz,
    OUT last_success timestamptz,
    OUT since timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION hibob_fdw_cluster_statistics()
IS 'requests of all sessions, by database, server and endpoint';

CREATE VIEW hibob_fdw_cluster_statistics AS
  SELECT database::text, server::text, endpoint, requests, rows, bytes,
         retries, waits, wait_time, errors, last_error, last_error_at,
         last_success, since
    FROM hibob_fdw_cluster_statistics();

COMMENT ON VIEW hibob_fdw_cluster_statistics
IS 'requests of all sessions, by database, server and endpoint';

REVOKE EXECUTE ON FUNCTION hibob_fdw_cluster_statistics() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hibob_fdw_cluster_statistics() TO pg_read_all_stats;
GRANT SELECT ON hibob_fdw_cluster_statistics TO pg_read_all_stats;

CREATE FUNCTION hibob_fdw_cluster_statistics_reset()
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION hibob_fdw_cluster_statistics_reset()
IS 'resets the statistics of all sessions';

REVOKE EXECUTE ON FUNCTION hibob_fdw_cluster_statistics_reset() FROM PUBLIC;
