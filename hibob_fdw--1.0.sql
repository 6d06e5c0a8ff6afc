/* hibob_fdw--1.0.sql */

-- complain if the script is sourced in psql rather than by CREATE EXTENSION
\echo Use "CREATE EXTENSION hibob_fdw" to load this file. \quit

CREATE FUNCTION hibob_fdw_handler()
RETURNS fdw_handler
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT;

CREATE FUNCTION hibob_fdw_validator(text[], oid)
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT;

CREATE FUNCTION hibob_fdw_version(
    OUT extension text,
    OUT libcurl text,
    OUT json_c text)
RETURNS record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT PARALLEL SAFE;

COMMENT ON FUNCTION hibob_fdw_version()
IS 'versions of the extension and of the libraries that it uses';

CREATE FOREIGN DATA WRAPPER hibob_fdw
  HANDLER hibob_fdw_handler
  VALIDATOR hibob_fdw_validator;

COMMENT ON FOREIGN DATA WRAPPER hibob_fdw
IS 'HiBob, an HR system: people as foreign tables';

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
    checked_at timestamptz)
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10 COST 100000;

COMMENT ON FUNCTION hibob_fdw_status(name)
IS 'asks HiBob how it stands with a server, or with all of them';

REVOKE EXECUTE ON FUNCTION hibob_fdw_status(name) FROM PUBLIC;

CREATE FUNCTION hibob_fdw_comment_columns(schema name)
RETURNS integer
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;

COMMENT ON FUNCTION hibob_fdw_comment_columns(name)
IS 'comments the foreign tables of a schema with what HiBob says of them';

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
IS 'connections to HiBob that this session keeps';

CREATE FUNCTION hibob_fdw_disconnect(server name)
RETURNS boolean
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION hibob_fdw_disconnect(name)
IS 'closes the connections of a server, and forgets what was kept of it';

CREATE FUNCTION hibob_fdw_disconnect_all()
RETURNS boolean
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION hibob_fdw_disconnect_all()
IS 'closes all connections to HiBob, and forgets what was kept';

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

CREATE VIEW hibob_fdw_statistics AS
  SELECT * FROM hibob_fdw_statistics();

COMMENT ON VIEW hibob_fdw_statistics
IS 'what the requests of this session came to, by server and endpoint';

GRANT SELECT ON hibob_fdw_statistics TO PUBLIC;

CREATE FUNCTION hibob_fdw_statistics_reset()
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION hibob_fdw_statistics_reset()
IS 'counts the requests of this session anew';

-- Of all sessions, users and databases: for those who may see such things.
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

CREATE VIEW hibob_fdw_cluster_statistics AS
  SELECT * FROM hibob_fdw_cluster_statistics();

COMMENT ON VIEW hibob_fdw_cluster_statistics
IS 'what the requests of all sessions came to, by database, server and endpoint';

REVOKE EXECUTE ON FUNCTION hibob_fdw_cluster_statistics() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hibob_fdw_cluster_statistics() TO pg_read_all_stats;
GRANT SELECT ON hibob_fdw_cluster_statistics TO pg_read_all_stats;

CREATE FUNCTION hibob_fdw_cluster_statistics_reset()
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION hibob_fdw_cluster_statistics_reset()
IS 'counts the requests of all sessions anew';

REVOKE EXECUTE ON FUNCTION hibob_fdw_cluster_statistics_reset() FROM PUBLIC;
