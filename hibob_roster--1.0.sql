/* hibob_roster--1.0.sql */

-- complain if the script is sourced in psql rather than by CREATE EXTENSION
\echo Use "CREATE EXTENSION hibob_roster" to load this file. \quit

-- Local copies ("mirrors") of hibob_fdw's tables, their refresh, guards and
-- history, and the reports on top of them.
--
-- Everything runs with the rights of the caller, except drop_orphans().  A
-- role's rights come from the ownership of the mirror: row-level security
-- protects the configuration and the log.  Each function sets its search_path,
-- so that names resolve in pg_catalog; the procedure refresh() cannot, since a
-- procedure with a SET clause cannot commit, and qualifies all names, those of
-- types too, instead.

-- Without this, the schema of hibob_fdw would be in the search_path of this
-- script, and a role that may create objects there could redefine operators.
SET LOCAL search_path = pg_catalog, pg_temp;

-- The schema belongs to the extension and is dropped with it.  An existing
-- schema is an error: its owner could create functions of the same names in
-- it.
CREATE SCHEMA hibob_roster;
GRANT USAGE ON SCHEMA hibob_roster TO PUBLIC;

-- ---------------------------------------------------------------------------
-- Configuration and log
-- ---------------------------------------------------------------------------

-- Relations are regclass: they follow a rename, and pg_dump writes their
-- names.  Ages are limited, since the health of all mirrors subtracts them from
-- a time.  The name of the source is kept, too, to find a source that was
-- created again. "written_history" is the history that the last refresh wrote;
-- another table, or a history that was switched off meanwhile, lacks later
-- changes.  The history lacks versions from before "history_since": they were
-- deleted by keep_history, even if it was raised later, or by hand.
CREATE TABLE hibob_roster.mirrors (
    mirror regclass PRIMARY KEY,
    source regclass NOT NULL,
    source_name text NOT NULL,
    key_columns text[] NOT NULL CHECK (cardinality(key_columns) > 0
                                       AND array_ndims(key_columns) = 1),
    history regclass,
    max_removed_percent numeric CHECK (max_removed_percent BETWEEN 0 AND 100),
    max_emptied_percent numeric CHECK (max_emptied_percent BETWEEN 0 AND 100),
    max_age interval NOT NULL
        CHECK (max_age > '0' AND max_age <= '1000 years'),
    keep_history interval
        CHECK (keep_history >= '0' AND keep_history <= '1000 years'),
    written_history regclass,
    history_since timestamptz
);

COMMENT ON TABLE hibob_roster.mirrors
IS 'the mirrors of this database; a role sees those that it owns';

-- The times during which a column was filled.  Outside of these times as_of()
-- shows null, and changes() ignores the column.
CREATE TABLE hibob_roster.mirror_columns (
    mirror regclass NOT NULL,
    column_name name NOT NULL,
    filled_since timestamptz NOT NULL,
    filled_until timestamptz,
    PRIMARY KEY (mirror, column_name, filled_since)
);

CREATE TABLE hibob_roster.refresh_log (
    mirror regclass NOT NULL,
    started_at timestamptz NOT NULL CHECK (isfinite(started_at)),
    finished_at timestamptz NOT NULL CHECK (isfinite(finished_at)),
    outcome text NOT NULL CHECK (outcome IN ('success', 'failed', 'refused')),
    rows bigint,
    added bigint,
    changed bigint,
    removed bigint,
    returned bigint,
    sqlstate text,
    message text,
    hint text
);
CREATE INDEX ON hibob_roster.refresh_log (mirror, finished_at);
-- Without a primary key, a publication FOR ALL TABLES would not allow DELETE.
ALTER TABLE hibob_roster.refresh_log REPLICA IDENTITY FULL;

COMMENT ON TABLE hibob_roster.refresh_log
IS 'every refresh of a mirror and its outcome';

-- The OID of a relation that was dropped would be restored as a number, which
-- may be that of another relation.  Rows of mirrors that were dropped are
-- omitted.  For a source or history that was dropped the dump has 0, which
-- regclass writes as "-".  pg_dump appends the condition to SELECT ... FROM
-- ONLY mirrors.
SELECT pg_catalog.pg_extension_config_dump('hibob_roster.mirrors', $$
    WHERE false UNION ALL
    SELECT m.mirror, coalesce(s.oid, 0), m.source_name, m.key_columns,
           CASE WHEN m.history IS NOT NULL THEN coalesce(h.oid, 0) END,
           m.max_removed_percent, m.max_emptied_percent, m.max_age,
           m.keep_history, w.oid, m.history_since
      FROM hibob_roster.mirrors m
      JOIN pg_catalog.pg_class c ON c.oid = m.mirror
      LEFT JOIN pg_catalog.pg_class s ON s.oid = m.source
      LEFT JOIN pg_catalog.pg_class h ON h.oid = m.history
      LEFT JOIN pg_catalog.pg_class w ON w.oid = m.written_history$$);
SELECT pg_catalog.pg_extension_config_dump('hibob_roster.mirror_columns',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = mirror)');
SELECT pg_catalog.pg_extension_config_dump('hibob_roster.refresh_log',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = mirror)');

-- Whether the caller is a member of the owner of a relation.
CREATE FUNCTION hibob_roster.owns(relation regclass)
RETURNS boolean LANGUAGE sql STABLE
RETURN coalesce(pg_catalog.pg_has_role(
    (SELECT c.relowner FROM pg_catalog.pg_class c WHERE c.oid = relation),
    'USAGE'), false);

CREATE FUNCTION hibob_roster.is_monitor()
RETURNS boolean LANGUAGE sql STABLE
RETURN pg_catalog.pg_has_role('pg_monitor', 'USAGE');

ALTER TABLE hibob_roster.mirrors ENABLE ROW LEVEL SECURITY;
ALTER TABLE hibob_roster.mirror_columns ENABLE ROW LEVEL SECURITY;
ALTER TABLE hibob_roster.refresh_log ENABLE ROW LEVEL SECURITY;
CREATE POLICY owner ON hibob_roster.mirrors
    USING (hibob_roster.owns(mirror));
CREATE POLICY owner ON hibob_roster.mirror_columns
    USING (hibob_roster.owns(mirror));
CREATE POLICY owner ON hibob_roster.refresh_log
    USING (hibob_roster.owns(mirror));
CREATE POLICY monitor ON hibob_roster.refresh_log FOR SELECT
    USING (hibob_roster.is_monitor());
GRANT SELECT, INSERT, UPDATE, DELETE
    ON hibob_roster.mirrors, hibob_roster.mirror_columns TO PUBLIC;
GRANT SELECT, INSERT, DELETE ON hibob_roster.refresh_log TO PUBLIC;

-- Whether a relation can be a history.  Its own columns have the types of
-- pg_catalog: a view, or a cast from another type, would run functions of the
-- owner with the rights of the reader.
CREATE FUNCTION hibob_roster.is_history(relation oid)
RETURNS boolean LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.count(*) OPERATOR(pg_catalog.=) 3
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_attribute a
        ON a.attrelid OPERATOR(pg_catalog.=) c.oid
     WHERE c.oid OPERATOR(pg_catalog.=) relation AND c.relkind IN ('r', 'p')
       AND (a.attname, a.atttypid) IN (
           ('valid_from', 'pg_catalog.timestamptz'::regtype),
           ('valid_to', 'pg_catalog.timestamptz'::regtype),
           ('change', 'pg_catalog.text'::regtype));
END;

-- For readers of a history that do not own the mirror.
CREATE VIEW hibob_roster.readable_histories WITH (security_barrier) AS
SELECT m.mirror, m.history, m.key_columns, m.history_since
  FROM hibob_roster.mirrors m JOIN pg_catalog.pg_class c ON c.oid = m.history
 WHERE pg_catalog.has_table_privilege(c.oid, 'SELECT')
   AND hibob_roster.is_history(c.oid);

CREATE VIEW hibob_roster.readable_columns WITH (security_barrier) AS
SELECT f.mirror, f.column_name, f.filled_since, f.filled_until
  FROM hibob_roster.mirror_columns f JOIN hibob_roster.mirrors m USING (mirror)
  JOIN pg_catalog.pg_class c ON c.oid = m.history
 WHERE pg_catalog.has_table_privilege(c.oid, 'SELECT');

-- Entries with a future time, from before the clock was set back, are ignored:
-- they would hide failures until that time.
CREATE VIEW hibob_roster.health WITH (security_barrier) AS
SELECT m.mirror,
       CASE WHEN a.finished_at IS NULL THEN 'never refreshed'
            WHEN a.outcome = 'refused' THEN 'refused'
            WHEN a.outcome = 'failed' THEN 'failing'
            WHEN s.finished_at < now() - m.max_age THEN 'late'
            ELSE 'healthy' END AS status,
       s.finished_at AS last_success,
       a.finished_at AS last_attempt,
       s.rows,
       CASE WHEN a.outcome <> 'success' THEN a.message
            WHEN s.finished_at < now() - m.max_age
            THEN pg_catalog.format('the last refresh is older than %s',
                                   m.max_age) END AS message,
       CASE WHEN a.outcome <> 'success' THEN a.hint
            WHEN a.finished_at IS NULL OR s.finished_at < now() - m.max_age
            THEN 'Check the job that runs "CALL hibob_roster.refresh()", '
                 'by hibob_roster.schedule() or a timer.' END AS hint
  FROM hibob_roster.mirrors m
  JOIN pg_catalog.pg_class c ON c.oid = m.mirror
  LEFT JOIN LATERAL (SELECT l.finished_at, l.outcome, l.message, l.hint
                       FROM hibob_roster.refresh_log l
                      WHERE l.mirror = m.mirror
                        AND l.finished_at <= clock_timestamp()
                      ORDER BY l.finished_at DESC LIMIT 1) a ON true
  LEFT JOIN LATERAL (SELECT l.finished_at, l.rows
                       FROM hibob_roster.refresh_log l
                      WHERE l.mirror = m.mirror AND l.outcome = 'success'
                        AND l.finished_at <= clock_timestamp()
                      ORDER BY l.finished_at DESC LIMIT 1) s ON true
 WHERE hibob_roster.owns(m.mirror) OR hibob_roster.is_monitor()
 ORDER BY c.relnamespace::pg_catalog.regnamespace::text COLLATE "C", c.relname;

COMMENT ON VIEW hibob_roster.health
IS 'the state of each mirror: healthy, late, failing, refused, never refreshed';

GRANT SELECT ON hibob_roster.readable_histories, hibob_roster.readable_columns,
    hibob_roster.health TO PUBLIC;

-- Deletes the rows of mirrors that were dropped by DROP TABLE.  No role owns
-- these rows, so this is the only function that runs with its owner's rights.
-- It takes no argument and reads no user table.
CREATE FUNCTION hibob_roster.drop_orphans()
RETURNS void LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM hibob_roster.mirrors m
     WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = m.mirror);
    DELETE FROM hibob_roster.mirror_columns f
     WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = f.mirror);
    DELETE FROM hibob_roster.refresh_log l
     WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = l.mirror);
$$;

-- ---------------------------------------------------------------------------
-- The configuration of one mirror
-- ---------------------------------------------------------------------------

-- Whether the caller may run the code of that role: triggers and index
-- expressions of its tables, views, checks of its types.  A superuser is a
-- member of every role, but runs the code of superusers only.  The setting
-- is_superuser does not show the rights of a SECURITY DEFINER function.
CREATE FUNCTION hibob_roster.trusts(owner oid)
RETURNS boolean LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT CASE WHEN r.rolsuper
                THEN (SELECT o.rolsuper FROM pg_catalog.pg_roles o
                       WHERE o.oid OPERATOR(pg_catalog.=) owner)
                ELSE pg_catalog.pg_has_role(owner, 'USAGE') END
      FROM pg_catalog.pg_roles r
     WHERE r.rolname OPERATOR(pg_catalog.=) current_user;
END;

-- Raises an error if a superuser would run the code of another role.
CREATE FUNCTION hibob_roster.check_trust(relation regclass)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner regrole := (SELECT c.relowner FROM pg_class c WHERE c.oid = relation);
BEGIN
    IF pg_has_role(owner, 'USAGE') AND NOT hibob_roster.trusts(owner) THEN
        RAISE EXCEPTION 'must be owner of %', relation
            USING ERRCODE = 'insufficient_privilege',
                  HINT = format('A superuser would run triggers, views and '
                      'checks of the owner with its own rights. Use SET ROLE '
                      '%s first.', owner);
    END IF;
END $$;

-- The configuration of a mirror.  Raises an error if the table is not a
-- mirror, or belongs to another role.
CREATE FUNCTION hibob_roster.configuration(mirror regclass)
RETURNS hibob_roster.mirrors LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    m hibob_roster.mirrors;
BEGIN
    IF mirror IS NULL THEN
        RAISE EXCEPTION 'the mirror must not be null'
            USING ERRCODE = 'null_value_not_allowed';
    ELSIF NOT hibob_roster.owns(mirror)
        AND EXISTS (SELECT FROM pg_class c WHERE c.oid = mirror) THEN
        RAISE EXCEPTION 'must be owner of mirror %', mirror
            USING ERRCODE = 'insufficient_privilege',
                  HINT = format('Use the role %s, which owns the table.',
                      (SELECT relowner::regrole FROM pg_class
                        WHERE oid = configuration.mirror));
    END IF;
    SELECT c.* INTO m FROM hibob_roster.mirrors c
     WHERE c.mirror = configuration.mirror;
    IF NOT FOUND THEN
        RAISE EXCEPTION '% is not a mirror', mirror
            USING ERRCODE = 'undefined_object',
                  HINT = 'SELECT mirror FROM hibob_roster.mirrors lists the '
                         'mirrors of your role.';
    END IF;
    RETURN m;
END $$;

-- The same for a mirror whose tables the caller may write and drop.
CREATE FUNCTION hibob_roster.own_mirror(mirror regclass)
RETURNS hibob_roster.mirrors LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    m hibob_roster.mirrors := hibob_roster.configuration(mirror);
BEGIN
    -- A refresh would write, and drop_mirror() drop, the table of another role.
    IF EXISTS (SELECT FROM pg_class c JOIN pg_class h ON h.oid = m.history
                WHERE c.oid = m.mirror AND h.relowner <> c.relowner) THEN
        RAISE EXCEPTION 'mirror % and its history % have different owners',
                        m.mirror, m.history
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'Use ALTER TABLE ... OWNER TO on both.';
    ELSIF EXISTS (SELECT FROM pg_class c
                   WHERE c.oid = m.mirror AND c.relkind NOT IN ('r', 'p')
                      OR c.oid = m.history
                         AND NOT hibob_roster.is_history(c.oid)) THEN
        RAISE EXCEPTION 'mirror % and its history must be tables', m.mirror
            USING ERRCODE = 'wrong_object_type',
                  DETAIL = 'A history has the columns valid_from and valid_to '
                           'of type timestamptz, and change of type text.',
                  HINT = 'Correct the row of the mirror in '
                         'hibob_roster.mirrors.';
    END IF;
    RETURN m;
END $$;

-- The source of a mirror: one that was dropped and created again is found by
-- its name.  Any role that may create objects in the schema could have created
-- it, as a view that runs functions with the rights of the caller.
CREATE FUNCTION hibob_roster.find_source(m hibob_roster.mirrors)
RETURNS regclass LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation regclass := m.source;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = m.source) THEN
        relation := to_regclass(m.source_name);
    END IF;
    IF relation IS NULL THEN
        RAISE EXCEPTION 'source % of mirror % does not exist',
                        m.source_name, m.mirror
            USING ERRCODE = 'undefined_table',
                  HINT = format('Create the foreign table again under this '
                      'name, or drop the mirror: SELECT '
                      'hibob_roster.drop_mirror(%L).', m.mirror);
    END IF;
    IF relation <> m.source AND NOT EXISTS (
        SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.oid = relation
           AND (hibob_roster.trusts(c.relowner)
                OR pg_has_role(c.relowner, n.nspowner, 'USAGE'))) THEN
        RAISE EXCEPTION 'source % of mirror % was created again by role %',
                        relation, m.mirror, (SELECT c.relowner::regrole
                          FROM pg_class c WHERE c.oid = relation)
            USING ERRCODE = 'insufficient_privilege',
                  HINT = format('If you trust this role: UPDATE '
                      'hibob_roster.mirrors SET source = %L WHERE mirror = '
                      '%L::regclass.', relation, m.mirror);
    END IF;
    PERFORM hibob_roster.check_trust(relation);
    IF relation <> m.source OR relation::text <> m.source_name THEN
        PERFORM hibob_roster.check_source(relation);
        UPDATE hibob_roster.mirrors c
           SET source = relation, source_name = relation::text
         WHERE c.mirror = m.mirror;
    END IF;
    RETURN relation;
END $$;

CREATE FUNCTION hibob_roster.is_hibob_table(relation oid)
RETURNS boolean LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM pg_foreign_table t
          JOIN pg_foreign_server s ON s.oid = t.ftserver
         WHERE t.ftrelid = relation AND hibob_roster.is_hibob_server(s.oid))
$$;

-- A foreign data wrapper can be renamed, so its extension decides.
CREATE FUNCTION hibob_roster.is_hibob_server(server oid)
RETURNS boolean LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM pg_foreign_server s
          JOIN pg_depend d ON d.classid = 'pg_foreign_data_wrapper'::regclass
                          AND d.objid = s.srvfdw AND d.deptype = 'e'
          JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass
                             AND e.oid = d.refobjid
         WHERE s.oid = server AND e.extname = 'hibob_fdw')
$$;

-- A mirror reads a foreign table of hibob_fdw, or several accounts at once: a
-- partitioned table of such tables, or a view.
CREATE FUNCTION hibob_roster.check_source(source regclass)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kind "char" := (SELECT relkind FROM pg_class WHERE oid = source);
BEGIN
    IF kind = 'v' OR hibob_roster.is_hibob_table(source) OR kind = 'p'
        AND NOT EXISTS (SELECT FROM pg_partition_tree(source) t
                         WHERE t.isleaf
                           AND NOT hibob_roster.is_hibob_table(t.relid)) THEN
        RETURN;
    END IF;
    RAISE EXCEPTION '% is not a foreign table of hibob_fdw', source
        USING ERRCODE = 'wrong_object_type',
              HINT = 'A mirror copies a foreign table of hibob_fdw, a '
                     'partitioned table of such tables, or a view.';
END $$;

-- The columns of a relation, in their order.  The planner inlines this
-- function.
CREATE FUNCTION hibob_roster.columns_of(relation oid)
RETURNS TABLE (no integer, name name, type oid, typmod integer, type_name text,
    collation_name text, not_null boolean, computed boolean, options text[])
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.row_number() OVER (ORDER BY a.attnum), a.attname,
           a.atttypid, a.atttypmod,
           pg_catalog.format_type(a.atttypid, a.atttypmod),
           CASE WHEN a.attcollation OPERATOR(pg_catalog.<>)
                     (SELECT t.typcollation FROM pg_catalog.pg_type t
                       WHERE t.oid OPERATOR(pg_catalog.=) a.atttypid)
                THEN a.attcollation::pg_catalog.regcollation::text END,
           a.attnotnull, a.attgenerated OPERATOR(pg_catalog.<>) ''
                         OR a.attidentity OPERATOR(pg_catalog.<>) '',
           a.attfdwoptions
      FROM pg_catalog.pg_attribute a
     WHERE a.attrelid OPERATOR(pg_catalog.=) relation
       AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
     ORDER BY 1;
END;

-- Whether a cast to this type would cut a value instead of raising an error: to
-- a string or bit type with a length, in an array or domain, too.
CREATE FUNCTION hibob_roster.cuts(type oid, typmod integer)
RETURNS boolean LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE part AS (
        SELECT type, typmod, false AS in_domain
        UNION ALL
        SELECT CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.typelem END,
               CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE p.typmod END,
               p.in_domain OR t.typtype = 'd'
          FROM part p JOIN pg_type t ON t.oid = p.type
         WHERE t.typtype = 'd' OR t.typcategory = 'A'
    )
    SELECT bool_or(type = ANY ('{bpchar,bit,name}'::regtype[])
                   OR type = '"char"'::regtype
                   OR type = ANY ('{varchar,varbit}'::regtype[])
                      AND in_domain AND typmod <> -1) FROM part
$$;

-- The operator by which an index, such as that of a primary key, compares
-- values.  Under the name = there may be only that of another type, as text's
-- for citext.
CREATE FUNCTION hibob_roster.equality(type oid)
RETURNS text LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE base AS (
        SELECT type
        UNION ALL
        SELECT t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.type
         WHERE t.typtype = 'd'
    )
    SELECT coalesce(min(format('OPERATOR(%I.%s)', n.nspname, o.oprname)), '=')
      FROM base b
      JOIN pg_opclass c ON c.opcintype = b.type AND c.opcdefault
      JOIN pg_am m ON m.oid = c.opcmethod AND m.amname = 'btree'
      JOIN pg_amop a ON a.amopfamily = c.opcfamily AND a.amopstrategy = 3
                    AND a.amoplefttype = b.type AND a.amoprighttype = b.type
      JOIN pg_operator o ON o.oid = a.amopopr
      JOIN pg_namespace n ON n.oid = o.oprnamespace
$$;

-- The columns of a mirror, which a refresh reads and writes.  "expression"
-- reads one of the source s, and is null if the source lacks it.  A cast to a
-- string type has no length, because a cast would truncate: a value that is too
-- long is an error when it is written.  "differs" compares s with the mirror m
-- by =, for types whose equal values are identical; rows of one key need not
-- compare it.  A key column has a position in the key, and the operator
-- "equality".  A new column that the mirror had before, and lost, was known
-- until "known_until".  "history_type" includes the collation; it is empty if
-- the history lacks the column.
CREATE TYPE hibob_roster.refreshed_column AS (no integer, name name,
    type_name text, collation_name text, computed boolean, cut boolean,
    history_type text, key_no integer, equality text, is_new boolean,
    known_until timestamptz, differs text, expression text,
    bare_type_name text);

CREATE FUNCTION hibob_roster.refreshed_columns(m hibob_roster.mirrors)
RETURNS SETOF hibob_roster.refreshed_column LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.no, c.name, c.type_name, c.collation_name, c.computed,
           CASE WHEN (s.type, s.typmod) <> (c.type, c.typmod)
                  OR (h.type, h.typmod) <> (c.type, c.typmod)
                THEN hibob_roster.cuts(c.type, c.typmod) ELSE false END,
           concat_ws(' COLLATE ', h.type_name, h.collation_name),
           k.key_no, CASE WHEN k.key_no > 0
                          THEN hibob_roster.equality(c.type) END,
           f.is_filled IS NOT TRUE, f.known_until,
           CASE WHEN c.collation_name IS NOT NULL THEN NULL
                WHEN c.type = 'numeric'::regtype
                THEN format('s.c%1$s IS DISTINCT FROM m.%2$I OR scale(s.c%1$s) '
                            'IS DISTINCT FROM scale(m.%2$I)', c.no, c.name)
                WHEN c.type = ANY ('{boolean,smallint,integer,bigint,text,'
                    'varchar,name,uuid,date,timestamp,timestamptz,text[]}'
                    ::regtype[])
                THEN CASE WHEN k.key_no > 0 THEN 'false'
                     ELSE format('s.c%s IS DISTINCT FROM m.%I', c.no, c.name)
                     END END,
           CASE WHEN s.name IS NOT NULL THEN concat_ws(' COLLATE ', CASE
               WHEN s.type = c.type AND s.typmod = c.typmod
               THEN format('s.%I', c.name)
               ELSE format('s.%I::%s', c.name, format_type(c.type,
                   CASE WHEN c.type = ANY ('{varchar,varbit,varchar[],varbit[]}'
                                           ::regtype[])
                        THEN -1 ELSE c.typmod END)) END,
               CASE WHEN s.collation_name IS DISTINCT FROM c.collation_name
                    THEN coalesce(c.collation_name, '"default"') END) END,
           format_type(c.type, -1)
      FROM hibob_roster.columns_of(m.mirror) c
     CROSS JOIN LATERAL (
            SELECT array_position(m.key_columns, c.name::text) AS key_no) k
      LEFT JOIN hibob_roster.columns_of(m.source) s ON s.name = c.name
      LEFT JOIN hibob_roster.columns_of(m.history) h ON h.name = c.name
      LEFT JOIN (SELECT f.column_name, max(f.filled_until) AS known_until,
                        bool_or(f.filled_until IS NULL) AS is_filled
                   FROM hibob_roster.mirror_columns f
                  WHERE f.mirror = m.mirror GROUP BY f.column_name) f
        ON f.column_name = c.name
     ORDER BY c.no
$$;

-- Whether a row s of the source and m of the mirror differ; without new_too, in
-- columns that were filled before.
CREATE FUNCTION hibob_roster.differ(columns hibob_roster.refreshed_column[],
    new_too boolean)
RETURNS text LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT concat_ws(' OR ', 'false',
        string_agg(differs, ' OR ' ORDER BY no),
        'ROW(' || string_agg(format('s.c%s', no), ', ' ORDER BY no)
                      FILTER (WHERE differs IS NULL)
        || ')::record *<> ROW(' || string_agg(format('m.%I', name), ', '
                      ORDER BY no) FILTER (WHERE differs IS NULL)
        || ')::record')
      FROM unnest(columns)
     WHERE new_too OR NOT is_new
$$;

CREATE FUNCTION hibob_roster.check_columns(m hibob_roster.mirrors,
    columns hibob_roster.refreshed_column[])
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c hibob_roster.refreshed_column;
    keys integer := 0;
BEGIN
    FOREACH c IN ARRAY columns LOOP
        IF c.computed THEN
            RAISE EXCEPTION 'column "%" of mirror % is a generated or identity '
                            'column', c.name, m.mirror
                USING ERRCODE = 'feature_not_supported',
                      HINT = 'A refresh writes every column of a mirror. Drop '
                             'the column, and compute it in a view.';
        ELSIF c.expression IS NULL THEN
            RAISE EXCEPTION 'source % has no column "%" of mirror %',
                            m.source, c.name, m.mirror
                USING ERRCODE = 'undefined_column',
                      HINT = format('Add it to the source: ALTER FOREIGN TABLE '
                          '%s ADD COLUMN %I %s OPTIONS (field ''...''). Or '
                          'drop it: ALTER TABLE %s DROP COLUMN %2$I.',
                          m.source, c.name, c.type_name, m.mirror);
        ELSIF c.cut THEN
            RAISE EXCEPTION 'column "%" of mirror % has type %, which would '
                            'truncate values', c.name, m.mirror, c.type_name
                USING ERRCODE = 'datatype_mismatch',
                      HINT = 'Use the type text, or that of the source.';
        ELSIF m.history IS NOT NULL
            AND c.name IN ('valid_from', 'valid_to', 'change') THEN
            PERFORM hibob_roster.reserved_column(c.name, m.mirror);
        END IF;
        keys := keys + num_nonnulls(c.key_no);
    END LOOP;
    IF keys < cardinality(m.key_columns) THEN
        RAISE EXCEPTION 'mirror % lacks a column of its key (%)', m.mirror,
                        array_to_string(m.key_columns, ', ')
            USING ERRCODE = 'undefined_column',
                  HINT = 'Restore the name of the column, or drop the mirror '
                         'and create it with another key.';
    END IF;
END $$;

-- A policy would hide rows, which would then be inserted or removed again.
CREATE FUNCTION hibob_roster.check_policies(m hibob_roster.mirrors)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation regclass;
BEGIN
    FOREACH relation IN ARRAY ARRAY[m.source, m.mirror, m.history] LOOP
        IF relation IS NOT NULL AND row_security_active(relation) THEN
            RAISE EXCEPTION 'row-level security of % applies to role %',
                            relation, current_user
                USING ERRCODE = 'insufficient_privilege',
                      HINT = 'A refresh has to see all rows: refresh as the '
                             'owner of the table, without FORCE ROW LEVEL '
                             'SECURITY.';
        END IF;
    END LOOP;
END $$;

-- ---------------------------------------------------------------------------
-- History: its table follows the mirror's columns
-- ---------------------------------------------------------------------------

CREATE FUNCTION hibob_roster.alter_history(m hibob_roster.mirrors,
    columns hibob_roster.refreshed_column[])
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c hibob_roster.refreshed_column;
    type text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_class WHERE oid = m.history) THEN
        RAISE EXCEPTION 'the history table of mirror % does not exist', m.mirror
            USING ERRCODE = 'undefined_table',
                  HINT = format('To continue without history: UPDATE '
                      'hibob_roster.mirrors SET history = NULL WHERE mirror = '
                      '%L::regclass.', m.mirror);
    END IF;
    FOREACH c IN ARRAY columns LOOP
        type := concat_ws(' COLLATE ', c.type_name, c.collation_name);
        IF c.history_type = '' THEN
            EXECUTE format('ALTER TABLE %s ADD COLUMN %I %s', m.history, c.name,
                           type);
        ELSIF c.history_type <> type THEN
            PERFORM hibob_roster.alter_history_type(m.history, c, type);
        END IF;
    END LOOP;
END $$;

-- The cast uses the type without its length: a value that is too long then is
-- an error instead of being truncated.
CREATE FUNCTION hibob_roster.alter_history_type(history regclass,
    c hibob_roster.refreshed_column, type text)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I TYPE %s USING %2$I::%4$s',
        history, c.name, type, c.bare_type_name);
EXCEPTION WHEN data_exception OR cannot_coerce
    OR integrity_constraint_violation THEN
    RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = SQLERRM,
        DETAIL = format('In column "%s" of %s.', c.name, history),
        HINT = format('The history follows the types of the mirror, and has '
            'values that do not fit the type %s. Change the column of the '
            'mirror to a type that they fit.', c.type_name);
END $$;

CREATE FUNCTION hibob_roster.reserved_column(column_name name, mirror regclass)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'column "%" of mirror % has a name that its history uses',
                    column_name, mirror
        USING ERRCODE = 'duplicate_column',
              HINT = 'Rename the column in the foreign table, omit it from '
                     '"columns", or use history => false.';
END $$;

-- Notes the columns that the refresh at this time filled for the first time,
-- and those that the mirror no longer has.
CREATE FUNCTION hibob_roster.note_columns(m hibob_roster.mirrors,
    columns hibob_roster.refreshed_column[], filled_at timestamptz)
RETURNS void LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO hibob_roster.mirror_columns (mirror, column_name, filled_since)
    SELECT m.mirror, c.name, filled_at FROM unnest(columns) c WHERE c.is_new;
    UPDATE hibob_roster.mirror_columns f SET filled_until = filled_at
     WHERE f.mirror = m.mirror AND f.filled_until IS NULL
       AND f.column_name NOT IN (SELECT c.name FROM unnest(columns) c);
$$;

-- ---------------------------------------------------------------------------
-- Refresh
-- ---------------------------------------------------------------------------

-- A cursor reads the source once and compares it with the mirror.  It keeps the
-- rows that differ, under work_mem or in a temporary file, and the statements
-- that check and write read them from it: no temporary table is made, and
-- nothing is planned or written if there are none.  The statements are plain
-- INSERT, UPDATE and DELETE.  Columns of the difference are named c1, c2, c3;
-- its "kind" is added, changed, removed, or filled: only new columns differ.
CREATE FUNCTION hibob_roster.diff_query(m hibob_roster.mirrors,
    columns hibob_roster.refreshed_column[])
RETURNS text LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p record;
BEGIN
    SELECT string_agg(format('%s AS c%s', expression, no), ', ' ORDER BY no)
               AS source_list,
           string_agg(CASE WHEN key_no > 0
               THEN format('coalesce(s.c%s, m.%I)', no, name)
               ELSE format('s.c%s', no) END, ', ' ORDER BY no) AS diff_list,
           string_agg(format('lag(s.c%s) OVER w %s s.c%1$s', no, equality),
               ' AND ') FILTER (WHERE key_no > 0) AS repeated_key,
           string_agg(format('s.c%s %s m.%I', no, equality, name), ' AND ')
               FILTER (WHERE key_no > 0) AS same_key,
           min(format('m.%I', name)) FILTER (WHERE key_no > 0) AS m_key
      INTO p
      FROM unnest(columns);
    RETURN format($query$
SELECT CASE WHEN %5$s IS NULL THEN 'added'
            WHEN s.present IS NULL THEN 'removed'
            WHEN %6$s THEN 'changed'
            ELSE 'filled' END, s.is_repeated, %3$s
  FROM (SELECT s.*, %2$s AS is_repeated
          FROM (SELECT true AS present, %1$s FROM %7$s s) s
        WINDOW w AS (ORDER BY %9$s)) s
  FULL JOIN %4$s m ON %8$s
 WHERE s.present IS NULL OR %5$s IS NULL OR s.is_repeated OR %10$s$query$,
        p.source_list, p.repeated_key, p.diff_list, m.mirror, p.m_key,
        hibob_roster.differ(columns, false),
        m.source, p.same_key, hibob_roster.key_list(columns),
        hibob_roster.differ(columns, true));
END $$;

CREATE FUNCTION hibob_roster.key_list(columns hibob_roster.refreshed_column[])
RETURNS text LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(format('c%s', no), ', ' ORDER BY key_no)
      FROM unnest(columns) WHERE key_no > 0
$$;

-- Returns all rows of a cursor, however often it is called.
CREATE FUNCTION hibob_roster.diff_rows(diff refcursor)
RETURNS SETOF record LANGUAGE plpgsql ROWS 1000000
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    MOVE ABSOLUTE 0 FROM diff;
    RETURN QUERY EXECUTE format('FETCH ALL FROM %I', diff);
END $$;

-- The difference, as an item of FROM.  The planner uses the limit as the
-- number of rows.
CREATE FUNCTION hibob_roster.diff_item(
    columns hibob_roster.refreshed_column[], diff refcursor, rows bigint)
RETURNS text LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('(SELECT * FROM hibob_roster.diff_rows(%L) AS (kind text, '
                  'is_repeated boolean, %s) LIMIT %s) d', diff,
                  string_agg(concat_ws(' ', 'c' || no, bare_type_name,
                      'COLLATE ' || collation_name), ', ' ORDER BY no),
                  coalesce(rows::text, 'ALL'))
      FROM unnest(columns)
$$;

-- The findings of a refresh.  "last_version" is when the newest version of the
-- history began; null if the history is empty.  The versions that the refresh
-- writes begin at "moment"; "removed_versions" are those of removed rows.
-- "refusal" is the message of the guards.
CREATE TYPE hibob_roster.difference AS (added bigint, changed bigint,
    removed bigint, differences bigint, null_keys bigint, repeated bigint,
    mirror_rows bigint, last_version timestamptz, moment timestamptz,
    removed_versions bigint, returned bigint, refusal text);

CREATE FUNCTION hibob_roster.count_difference(m hibob_roster.mirrors,
    columns hibob_roster.refreshed_column[], diff refcursor)
RETURNS hibob_roster.difference LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found hibob_roster.difference;
BEGIN
    EXECUTE format($statement$
SELECT count(*) FILTER (WHERE kind = 'added'),
       count(*) FILTER (WHERE kind = 'changed'),
       count(*) FILTER (WHERE kind = 'removed'),
       count(*),
       count(*) FILTER (WHERE kind = 'added' AND num_nulls(%1$s) > 0),
       count(*) FILTER (WHERE is_repeated),
       (SELECT count(*) FROM %2$s), %3$s, NULL, 0, 0, NULL
  FROM %4$s$statement$,
            hibob_roster.key_list(columns), m.mirror,
            CASE WHEN m.history IS NULL THEN 'NULL'
                 ELSE format('(SELECT max(valid_from) FROM %s)', m.history) END,
            hibob_roster.diff_item(columns, diff, NULL)) INTO found;
    found.moment := greatest(clock_timestamp(),
                             found.last_version + interval '1 microsecond');
    RETURN found;
END $$;

CREATE FUNCTION hibob_roster.check_keys(m hibob_roster.mirrors,
    columns hibob_roster.refreshed_column[], item text,
    found hibob_roster.difference)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key text := array_to_string(m.key_columns, ', ');
BEGIN
    IF found.null_keys > 0 THEN
        RAISE EXCEPTION 'source % returned % rows with a null key (%)',
                        m.source, found.null_keys, key
            USING ERRCODE = 'not_null_violation',
                  HINT = 'The mirror is unchanged. If HiBob omits the key '
                         'of some rows, create the mirror with another key.';
    ELSIF found.repeated > 0 THEN
        RAISE EXCEPTION 'source % returned several rows with the same key: '
                        '(%) = %', m.source, key,
                        hibob_roster.some_keys(columns, item, 'is_repeated')
            USING ERRCODE = 'unique_violation',
                  HINT = 'The mirror is unchanged. If this key is not unique '
                         'in HiBob, create the mirror with another one.';
    END IF;
END $$;

-- The first keys of the rows that meet a condition: "(1), (2), (3)".
CREATE FUNCTION hibob_roster.some_keys(
    columns hibob_roster.refreshed_column[], item text, condition text)
RETURNS text LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    keys text;
BEGIN
    EXECUTE format('SELECT string_agg(format(''(%%s)'', concat_ws('', '', '
        '%1$s)), '', '') FROM (SELECT DISTINCT %1$s FROM %2$s WHERE %3$s '
        'ORDER BY %1$s LIMIT 3) d', hibob_roster.key_list(columns), item,
        condition) INTO keys;
    RETURN keys;
END $$;

-- The rows of a mirror after its last refresh; null without an entry of one.
-- An entry with a future time is from before the clock was set back.
CREATE FUNCTION hibob_roster.last_rows(mirror regclass)
RETURNS bigint LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT l.rows FROM hibob_roster.refresh_log l
     WHERE l.mirror = last_rows.mirror AND l.outcome = 'success'
       AND l.finished_at <= clock_timestamp()
     ORDER BY l.finished_at DESC LIMIT 1
$$;

-- The message of the guards; null if they accept the difference.  Rows that
-- were deleted by hand, for example by TRUNCATE, count as removed if they do
-- not come back.
CREATE FUNCTION hibob_roster.refusal(m hibob_roster.mirrors,
    columns hibob_roster.refreshed_column[], item text,
    found hibob_roster.difference)
RETURNS text LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last_rows bigint := hibob_roster.last_rows(m.mirror);
    rows bigint := greatest(found.mirror_rows, last_rows);
    removed bigint := greatest(found.removed, last_rows - found.mirror_rows
                                              - found.added + found.removed);
    reasons text;
BEGIN
    IF removed > 5 AND removed * 100 > m.max_removed_percent * rows THEN
        reasons := format('%s of %s rows (%s %%) would be removed%s, and the '
            'limit is %s %%', removed, rows,
            hibob_roster.percent(removed, rows), format(', such as (%s) = ',
                array_to_string(m.key_columns, ', ')) ||
            hibob_roster.some_keys(columns, item, 'kind = ''removed'''),
            trim_scale(m.max_removed_percent));
    END IF;
    IF found.differences - found.added - found.removed > 5 THEN
        reasons := nullif(concat_ws('; ', reasons,
            hibob_roster.emptied_columns(m, columns, item)), '');
    END IF;
    RETURN format('refresh of %s refused: ', m.mirror) || reasons;
END $$;

-- The part of that message about columns that would lose too many values.
CREATE FUNCTION hibob_roster.emptied_columns(m hibob_roster.mirrors,
    columns hibob_roster.refreshed_column[], item text)
RETURNS text LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    reasons text;
BEGIN
    EXECUTE (SELECT format($statement$
SELECT string_agg(format('%%s of %%s values (%%s %%%%) of column "%%s" would '
           'become null, and the limit is %%s %%%%', e.emptied, e.filled,
           hibob_roster.percent(e.emptied, e.filled), ($1)[e.no].name,
           trim_scale($2)), '; ' ORDER BY e.emptied DESC, e.no)
  FROM (SELECT l.no, l.emptied, t.filled[l.no] - l.gone AS filled
          FROM (SELECT l.no, count(*) FILTER (WHERE d.kind <> 'removed')
                           AS emptied,
                       count(*) FILTER (WHERE d.kind = 'removed') AS gone
                  FROM %1$s JOIN %2$s m ON %3$s, unnest(ARRAY[%4$s]) l (no)
                 WHERE d.kind <> 'added' AND l.no IS NOT NULL
                 GROUP BY l.no) l,
               (SELECT ARRAY[%5$s] AS filled FROM %2$s m) t
         WHERE l.emptied > 5
           AND l.emptied * 100 > $2 * (t.filled[l.no] - l.gone)
         ORDER BY l.emptied DESC, l.no LIMIT 5) e$statement$,
            item, m.mirror, hibob_roster.same_key(columns, 'm'),
            coalesce(string_agg(format('CASE WHEN m.%I IS NOT NULL AND d.c%s '
                'IS NULL THEN %2$s END', name, no), ', ')
                FILTER (WHERE key_no IS NULL), 'NULL::integer'),
            string_agg(format('count(m.%I)', name), ', ' ORDER BY no))
        FROM unnest(columns))
       INTO reasons USING columns, m.max_emptied_percent;
    RETURN reasons;
END $$;

-- Whether a row of the difference d and of another table have the same key.
CREATE FUNCTION hibob_roster.same_key(
    columns hibob_roster.refreshed_column[], other text)
RETURNS text LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(format('%s.%I %s d.c%s', other, name, equality, no),
                      ' AND ')
      FROM unnest(columns) WHERE key_no > 0
$$;

CREATE FUNCTION hibob_roster.percent(part bigint, whole bigint)
RETURNS numeric LANGUAGE sql IMMUTABLE
RETURN trim_scale(round(100.0 * part / whole, 2));

CREATE FUNCTION hibob_roster.write_mirror(m hibob_roster.mirrors,
    columns hibob_roster.refreshed_column[], item text,
    found hibob_roster.difference)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    same_key text := hibob_roster.same_key(columns, 'm');
    p record;
BEGIN
    SELECT string_agg(quote_ident(name), ', ' ORDER BY no) AS names,
           string_agg(format('d.c%s', no), ', ' ORDER BY no) AS d_row,
           string_agg(format('%I = d.c%s', name, no), ', ') AS assignments
      INTO p FROM unnest(columns);
    IF found.removed > 0 THEN
        EXECUTE format('DELETE FROM %s m USING %s '
            'WHERE d.kind = ''removed'' AND %s', m.mirror, item, same_key);
    END IF;
    IF found.differences > found.removed + found.added THEN
        EXECUTE format('UPDATE %s m SET %s FROM %s '
            'WHERE d.kind IN (''changed'', ''filled'') AND %s', m.mirror,
            p.assignments, item, same_key);
    END IF;
    IF found.added > 0 THEN
        EXECUTE format('INSERT INTO %s (%s) SELECT %s FROM %s '
            'WHERE d.kind = ''added''', m.mirror, p.names, p.d_row, item);
    END IF;
END $$;

-- Whether an open version h and a row of the difference d differ.  The history
-- is compared, not the mirror, since a row of the mirror may have been changed
-- by hand.  A new column counts if the version has a value of it from when the
-- column was known before.
CREATE FUNCTION hibob_roster.version_differs(
    columns hibob_roster.refreshed_column[])
RETURNS text LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT concat_ws(' OR ',
        format('ROW(%s)::record *<> ROW(%s)::record',
            string_agg(format('h.%I', name), ', ' ORDER BY no)
                FILTER (WHERE NOT is_new),
            string_agg(format('d.c%s', no), ', ' ORDER BY no)
                FILTER (WHERE NOT is_new)),
        string_agg(format('h.valid_from < %L AND ROW(h.%I)::record *<> '
                          'ROW(d.c%s)::record', known_until, name, no), ' OR ')
            FILTER (WHERE is_new AND known_until IS NOT NULL))
      FROM unnest(columns)
$$;

-- Writes the values of new columns into the open versions.
CREATE FUNCTION hibob_roster.fill_new_columns(m hibob_roster.mirrors,
    columns hibob_roster.refreshed_column[], item text)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p record;
BEGIN
    SELECT string_agg(format('%I = d.c%s', name, no), ', ') AS assignments,
           string_agg(format('h.%I', name), ', ' ORDER BY no) AS h_row,
           string_agg(format('d.c%s', no), ', ' ORDER BY no) AS d_row
      INTO p FROM unnest(columns) WHERE is_new;
    IF p.assignments IS NOT NULL THEN
        EXECUTE format('UPDATE %s h SET %s FROM %s '
            'WHERE h.valid_to IS NULL AND d.kind <> ''removed'' AND %s '
            'AND ROW(%s)::record *<> ROW(%s)::record', m.history, p.assignments,
            item, hibob_roster.same_key(columns, 'h'), p.h_row, p.d_row);
    END IF;
END $$;

-- Writes the history.  Returns how many rows were removed.
CREATE FUNCTION hibob_roster.write_history(m hibob_roster.mirrors,
    columns hibob_roster.refreshed_column[], item text, moment timestamptz)
RETURNS bigint LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    same_key text := hibob_roster.same_key(columns, 'h');
    p record;
    removed bigint;
BEGIN
    SELECT string_agg(quote_ident(name), ', ' ORDER BY no) AS names,
           string_agg(format('h.%I', name), ', ' ORDER BY no) AS h_row,
           string_agg(format('d.c%s', no), ', ' ORDER BY no) AS d_row,
           min(format('h.%I', name)) FILTER (WHERE key_no > 0) AS h_key
      INTO p FROM unnest(columns);
    EXECUTE format('UPDATE %s h SET valid_to = $1 FROM %s '
        'WHERE h.valid_to IS NULL AND h.valid_from < $1 AND %s '
        'AND (d.kind = ''removed'' OR %s)', m.history, item, same_key,
        hibob_roster.version_differs(columns)) USING moment;
    PERFORM hibob_roster.fill_new_columns(m, columns, item);
    -- A row has one version that is open, or that has just been closed.
    EXECUTE format($statement$
INSERT INTO %1$s (%2$s, valid_from, change)
SELECT %3$s, $1, CASE WHEN %4$s IS NOT NULL THEN 'changed'
                      WHEN EXISTS (SELECT FROM %1$s h WHERE %5$s)
                      THEN 'returned' ELSE 'added' END
  FROM %6$s LEFT JOIN %1$s h ON %5$s AND (h.valid_to IS NULL OR h.valid_to = $1)
 WHERE d.kind <> 'removed'
   AND CASE WHEN %4$s IS NULL THEN d.kind <> 'filled'
            ELSE h.valid_to IS NOT NULL END$statement$,
        m.history, p.names, p.d_row, p.h_key, same_key, item) USING moment;
    EXECUTE format('INSERT INTO %1$s (%2$s, valid_from, valid_to, change) '
        'SELECT %3$s, $1, $1, ''removed'' FROM %4$s JOIN %1$s h ON %5$s '
        'WHERE d.kind = ''removed'' AND h.valid_to = $1 AND h.valid_from < $1',
        m.history, p.names, p.h_row, item, same_key) USING moment;
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $$;

CREATE FUNCTION hibob_roster.count_returned(m hibob_roster.mirrors,
    moment timestamptz)
RETURNS bigint LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    returned bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %s '
        'WHERE valid_from = $1 AND change = ''returned''', m.history)
       INTO returned USING moment;
    RETURN returned;
END $$;

-- Raises an error, without DETAIL or HINT if that is null or empty.
CREATE FUNCTION hibob_roster.raise_error(state text, message text, detail text,
    hint text)
RETURNS boolean LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF coalesce(detail, '') <> '' AND coalesce(hint, '') <> '' THEN
        RAISE EXCEPTION USING ERRCODE = state, MESSAGE = message,
            DETAIL = detail, HINT = hint;
    ELSIF coalesce(detail, '') <> '' THEN
        RAISE EXCEPTION USING ERRCODE = state, MESSAGE = message,
            DETAIL = detail;
    ELSIF coalesce(hint, '') <> '' THEN
        RAISE EXCEPTION USING ERRCODE = state, MESSAGE = message, HINT = hint;
    END IF;
    RAISE EXCEPTION USING ERRCODE = state, MESSAGE = message;
END $$;

-- Reads the source, and writes the difference unless the guards refuse it.
-- The detail of an error names the column and employee of hibob_fdw's context,
-- but does not contain the values of a row.
CREATE FUNCTION hibob_roster.write_difference(m hibob_roster.mirrors,
    columns hibob_roster.refreshed_column[], force boolean)
RETURNS hibob_roster.difference LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    diff refcursor;
    found hibob_roster.difference;
    item text;
    detail text;
    hint text;
    context text;
    raised boolean;
BEGIN
    OPEN diff SCROLL FOR EXECUTE hibob_roster.diff_query(m, columns);
    found := hibob_roster.count_difference(m, columns, diff);
    item := hibob_roster.diff_item(columns, diff, found.differences);
    PERFORM hibob_roster.check_keys(m, columns, item, found);
    IF NOT force THEN
        found.refusal := hibob_roster.refusal(m, columns, item, found);
    END IF;
    IF found.refusal IS NULL AND found.differences > 0 THEN
        PERFORM hibob_roster.write_mirror(m, columns, item, found);
        IF m.history IS NOT NULL THEN
            found.removed_versions := hibob_roster.write_history(m, columns,
                item, found.moment);
            found.returned := hibob_roster.count_returned(m, found.moment);
        END IF;
    END IF;
    CLOSE diff;
    RETURN found;
EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL,
        hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
    IF SQLSTATE IN ('23502', '23514') THEN
        detail := '';           -- it has the whole row
        hint := coalesce(nullif(hint, ''), format('HiBob has values that '
            'a constraint of mirror %s does not allow. Drop the constraint.',
            m.mirror));
    ELSIF detail = '' AND context ~ E'^column "[^\n]* foreign table "' THEN
        detail := 'In ' || split_part(context, E'\n', 1) || '.';
    END IF;
    raised := hibob_roster.raise_error(SQLSTATE, SQLERRM, detail, hint);
END $$;

-- Whether the history and the mirror may differ in other rows than this
-- refresh wrote: the history was switched off before, is another table now, or
-- was empty; or a column is new, and may have had the source's values in the
-- mirror already; or the number of rows is not that of the last refresh, or the
-- number of removed versions is not that of removed rows, because rows that the
-- source lacks, too, were deleted by hand or got another key.
CREATE FUNCTION hibob_roster.history_is_behind(m hibob_roster.mirrors,
    columns hibob_roster.refreshed_column[], found hibob_roster.difference)
RETURNS boolean LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.history IS DISTINCT FROM m.written_history
        OR EXISTS (SELECT FROM unnest(columns) c WHERE c.is_new)
        OR found.removed <> found.removed_versions
        OR CASE WHEN found.last_version IS NULL THEN found.mirror_rows > 0
                ELSE found.mirror_rows IS DISTINCT FROM
                     hibob_roster.last_rows(m.mirror) END
$$;

-- Makes the open versions of the history equal to the mirror, except those
-- that the refresh has just opened.  Returns the number of rows that the
-- mirror lacks.
CREATE FUNCTION hibob_roster.catch_up(m hibob_roster.mirrors,
    columns hibob_roster.refreshed_column[], moment timestamptz)
RETURNS bigint LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    diff refcursor;
    removed bigint;
BEGIN
    OPEN diff SCROLL FOR EXECUTE (SELECT format($query$
SELECT 'changed', false, %1$s FROM %2$s m
 WHERE NOT EXISTS (SELECT FROM %4$s h WHERE %5$s AND h.valid_from = $1)
 UNION ALL
SELECT 'removed', false, %3$s FROM %4$s h
 WHERE h.valid_to IS NULL AND h.valid_from < $1
   AND NOT EXISTS (SELECT FROM %2$s m WHERE %5$s)$query$,
            string_agg(format('m.%I', name), ', ' ORDER BY no), m.mirror,
            string_agg(format('h.%I', name), ', ' ORDER BY no), m.history,
            string_agg(format('m.%I %s h.%1$I', name, equality), ' AND ')
                FILTER (WHERE key_no > 0))
        FROM unnest(columns)) USING moment;
    removed := hibob_roster.write_history(m, columns,
        hibob_roster.diff_item(columns, diff, NULL), moment);
    CLOSE diff;
    RETURN removed;
END $$;

-- The history was empty although the mirror has had rows, for example after a
-- TRUNCATE.  A time before this refresh is an error instead of having no rows.
CREATE FUNCTION hibob_roster.begin_history(m hibob_roster.mirrors,
    found hibob_roster.difference)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF found.mirror_rows > 0 OR hibob_roster.last_rows(m.mirror) > 0 THEN
        RAISE WARNING 'history % of mirror % was empty', m.history, m.mirror
            USING HINT = 'It begins again with this refresh: as_of() and '
                         'changes() of an earlier time are an error.';
        UPDATE hibob_roster.mirrors c SET history_since = found.moment
         WHERE c.mirror = m.mirror;
    END IF;
END $$;

-- Deletes the versions that ended before a time.
CREATE FUNCTION hibob_roster.delete_history(m hibob_roster.mirrors,
    before timestamptz)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    versions bigint;
BEGIN
    EXECUTE format('DELETE FROM %s WHERE valid_to < $1', m.history)
      USING before;
    GET DIAGNOSTICS versions = ROW_COUNT;
    UPDATE hibob_roster.mirrors c SET history_since = before
     WHERE c.mirror = m.mirror AND versions > 0
       AND coalesce(c.history_since < before, true);
END $$;

-- The configuration of a mirror that the caller may write.  Only one session
-- writes a mirror or its history: another one waits here.
CREATE FUNCTION hibob_roster.lock_mirror(mirror regclass)
RETURNS hibob_roster.mirrors LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM hibob_roster.own_mirror(mirror);
    PERFORM hibob_roster.check_trust(mirror);
    EXECUTE format('LOCK TABLE %s IN SHARE UPDATE EXCLUSIVE MODE', mirror);
    RETURN hibob_roster.own_mirror(mirror);
END $$;

-- The columns of a mirror, after checks.  The history gets those that it lacks.
CREATE FUNCTION hibob_roster.prepare_columns(m hibob_roster.mirrors)
RETURNS hibob_roster.refreshed_column[] LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    columns hibob_roster.refreshed_column[] :=
        ARRAY(SELECT c FROM hibob_roster.refreshed_columns(m) c);
BEGIN
    PERFORM hibob_roster.check_columns(m, columns);
    IF m.history IS NOT NULL THEN
        PERFORM hibob_roster.alter_history(m, columns);
    END IF;
    PERFORM hibob_roster.check_policies(m);
    RETURN columns;
END $$;

-- Writes the part of the history that does not follow from the difference.
-- Returns how many more rows were removed.
CREATE FUNCTION hibob_roster.complete_history(m hibob_roster.mirrors,
    columns hibob_roster.refreshed_column[],
    difference hibob_roster.difference)
RETURNS bigint LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    removed bigint := 0;
BEGIN
    IF m.history IS NOT NULL
        AND hibob_roster.history_is_behind(m, columns, difference) THEN
        removed := hibob_roster.catch_up(m, columns, difference.moment);
    END IF;
    UPDATE hibob_roster.mirrors c SET written_history = m.history
     WHERE c.mirror = m.mirror
       AND c.written_history IS DISTINCT FROM m.history;
    IF m.history IS NOT NULL AND difference.last_version IS NULL THEN
        PERFORM hibob_roster.begin_history(m, difference);
    END IF;
    -- The moment is in the future after the clock was set back.
    IF m.history IS NOT NULL AND m.keep_history IS NOT NULL THEN
        PERFORM hibob_roster.delete_history(m,
            least(difference.moment, clock_timestamp()) - m.keep_history);
    END IF;
    RETURN removed;
END $$;

-- A mirror that was dropped or given away meanwhile has no entry.
CREATE FUNCTION hibob_roster.log(entry hibob_roster.refresh_log)
RETURNS void LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO hibob_roster.refresh_log
    SELECT (entry).* WHERE hibob_roster.owns((entry).mirror);
$$;

-- Logs a refresh that succeeded, and notifies of it.
CREATE FUNCTION hibob_roster.report_success(entry hibob_roster.refresh_log)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM hibob_roster.log(entry);
    PERFORM pg_notify('hibob_roster', json_build_object('mirror', entry.mirror,
        'rows', entry.rows, 'added', entry.added, 'changed', entry.changed,
        'removed', entry.removed, 'returned', entry.returned)::text);
END $$;

-- Refreshes a mirror in the caller's transaction, and logs it.  A refresh that
-- the guards refuse has written nothing; its entry is returned, not
-- logged.  The settings make casts to text write the same in every session.
CREATE FUNCTION hibob_roster.refresh_mirror(mirror regclass, force boolean)
RETURNS hibob_roster.refresh_log LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
SET cursor_tuple_fraction = 1
SET DateStyle = 'ISO'
SET IntervalStyle = 'postgres'
SET extra_float_digits = 1
SET bytea_output = 'hex' AS $$
DECLARE
    m hibob_roster.mirrors;
    columns hibob_roster.refreshed_column[];
    entry hibob_roster.refresh_log;
    found hibob_roster.difference;
BEGIN
    entry.mirror := mirror;
    entry.started_at := clock_timestamp();
    m := hibob_roster.lock_mirror(mirror);
    m.source := hibob_roster.find_source(m);
    columns := hibob_roster.prepare_columns(m);
    found := hibob_roster.write_difference(m, columns, force);
    IF found.refusal IS NOT NULL THEN
        entry.outcome := 'refused';
        entry.sqlstate := '55000';
        entry.message := found.refusal;
        entry.hint := format('Check the permissions of the service user in '
            'HiBob. If the change is right, accept it once: CALL '
            'hibob_roster.refresh(%L, force => true).', mirror);
        entry.finished_at := clock_timestamp();
        RETURN entry;
    END IF;
    PERFORM hibob_roster.note_columns(m, columns, found.moment);
    entry.outcome := 'success';
    entry.rows := found.mirror_rows + found.added - found.removed;
    entry.added := found.added - found.returned;
    entry.changed := found.changed;
    entry.removed := found.removed
                     + hibob_roster.complete_history(m, columns, found);
    entry.returned := found.returned;
    entry.finished_at := clock_timestamp();
    PERFORM hibob_roster.report_success(entry);
    RETURN entry;
END $$;

CREATE FUNCTION hibob_roster.mirrors_to_refresh(mirror regclass)
RETURNS regclass[] LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- This is checked before the source is read.
    IF current_setting('transaction_read_only')::boolean THEN
        RAISE EXCEPTION 'cannot refresh mirrors in a read-only transaction'
            USING ERRCODE = 'read_only_sql_transaction',
                  HINT = 'A refresh writes to the mirror and the log: run it '
                         'on the primary server, without '
                         'default_transaction_read_only.';
    END IF;
    IF mirror IS NULL THEN
        RETURN ARRAY(
            SELECT m.mirror
              FROM hibob_roster.mirrors m JOIN pg_class c ON c.oid = m.mirror
             WHERE hibob_roster.trusts(c.relowner)
             ORDER BY m.mirror::text);
    END IF;
    PERFORM hibob_roster.configuration(mirror);
    PERFORM hibob_roster.check_trust(mirror);
    RETURN ARRAY[mirror];
END $$;

-- The message of a COMMIT that fails in a function, in the session's language.
CREATE FUNCTION hibob_roster.commit_error()
RETURNS text LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    COMMIT;
    RETURN NULL;
EXCEPTION WHEN invalid_transaction_termination THEN
    RETURN SQLERRM;
END $$;

-- Whether a caller has a block with an exception handler.  After a write, each
-- open subtransaction has an id and a lock on it.
CREATE FUNCTION hibob_roster.in_subtransaction()
RETURNS boolean LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*) > 1 FROM pg_locks
     WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock'
       AND pid = pg_backend_pid()
$$;

-- One refresh; "detail" is that of its error.
CREATE TYPE hibob_roster.attempt AS (entry hibob_roster.refresh_log,
    detail text);

-- Refreshes a mirror, and returns its error as an entry of the log.
CREATE FUNCTION hibob_roster.attempt_refresh(mirror regclass, force boolean,
    before_commit boolean)
RETURNS hibob_roster.attempt LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    started_at timestamptz := clock_timestamp();
    attempt hibob_roster.attempt;
    hint text;
BEGIN
    attempt.entry := hibob_roster.refresh_mirror(mirror, force);
    -- A failure of a deferred constraint could not be recorded after COMMIT.
    IF before_commit THEN
        SET CONSTRAINTS ALL IMMEDIATE;
    END IF;
    RETURN attempt;
EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
    GET STACKED DIAGNOSTICS attempt.detail = PG_EXCEPTION_DETAIL,
        hint = PG_EXCEPTION_HINT;
    IF hint = '' AND SQLSTATE IN ('40001', '23505')
        AND current_setting('transaction_isolation') <> 'read committed' THEN
        hint := 'If another session has changed the mirror at the same time, '
                'refresh it again.';
    END IF;
    attempt.entry := ROW(mirror, started_at, clock_timestamp(), 'failed', NULL,
                         NULL, NULL, NULL, NULL, SQLSTATE, SQLERRM,
                         nullif(hint, ''))::hibob_roster.refresh_log;
    RETURN attempt;
END $$;

-- Commits after each mirror, where that is possible: at the top level, and in a
-- procedure or DO block that is called there.  In a transaction block, a
-- function, or a block with an exception handler nothing is committed, and the
-- record of a failure is lost with the transaction.
CREATE PROCEDURE hibob_roster.refresh(mirror regclass DEFAULT NULL,
    force boolean DEFAULT false)
LANGUAGE plpgsql AS $$
DECLARE
    may_commit boolean;
    target pg_catalog.regclass;
    attempt hibob_roster.attempt;
    failure hibob_roster.attempt;       -- the first one
    raised boolean;
BEGIN
    -- PostgreSQL reports a transaction block before it reports the
    -- subtransaction of this block; only the messages differ.
    BEGIN
        COMMIT;
    EXCEPTION WHEN invalid_transaction_termination THEN
        may_commit := SQLERRM OPERATOR(pg_catalog.<>)
                      hibob_roster.commit_error();
    END;
    FOREACH target IN ARRAY hibob_roster.mirrors_to_refresh(mirror) LOOP
        attempt := hibob_roster.attempt_refresh(target, coalesce(force, false),
                                                may_commit);
        IF (attempt.entry).outcome OPERATOR(pg_catalog.<>) 'success' THEN
            IF (failure.entry).outcome IS NULL THEN
                failure := attempt;
            ELSE
                failure.detail := pg_catalog.concat_ws(E'\n',
                    nullif(failure.detail, ''),
                    pg_catalog.format('Also failed: %s: %s', target,
                                      (attempt.entry).message));
            END IF;
            IF may_commit THEN
                PERFORM hibob_roster.log(attempt.entry);
            END IF;
        END IF;
        IF may_commit AND NOT hibob_roster.in_subtransaction() THEN
            COMMIT;
        END IF;
        -- A cancel ends all refreshes.
        EXIT WHEN (attempt.entry).sqlstate OPERATOR(pg_catalog.=) '57014';
    END LOOP;
    IF (failure.entry).outcome IS NOT NULL THEN
        -- PERFORM would add the statement to the context of the error.
        raised := hibob_roster.raise_error((failure.entry).sqlstate,
            (failure.entry).message, failure.detail, (failure.entry).hint);
    END IF;
END $$;

COMMENT ON PROCEDURE hibob_roster.refresh(regclass, boolean)
IS 'refreshes a mirror, or all mirrors that the caller owns';

-- ---------------------------------------------------------------------------
-- Create and drop
-- ---------------------------------------------------------------------------

-- Schema and name of a table to be created.
CREATE FUNCTION hibob_roster.split_name(name text, default_schema name)
RETURNS name[] LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    parts text[];
BEGIN
    BEGIN
        parts := parse_ident(name);
    EXCEPTION WHEN invalid_parameter_value THEN
    END;
    IF coalesce(cardinality(parts), 0) NOT BETWEEN 1 AND 2 THEN
        RAISE EXCEPTION '"%" is not the name of a table', name
            USING ERRCODE = 'invalid_name',
                  HINT = 'Write it as in SQL, such as hr.roster or '
                         'hr."My roster".';
    ELSIF cardinality(parts) = 1 THEN
        parts := default_schema || parts;
    END IF;
    IF parts[1] ~ '^pg_temp' THEN
        RAISE EXCEPTION 'a mirror cannot be a temporary table'
            USING ERRCODE = 'feature_not_supported',
                  HINT = 'Name another schema.';
    END IF;
    -- The history's name is the longest of those that follow from it.
    IF octet_length(parts[2] || '_history') > 63 THEN
        RAISE EXCEPTION 'the name "%" is too long for a mirror', parts[2]
            USING ERRCODE = 'name_too_long',
                  HINT = 'Name the mirror with at most 55 bytes, so that '
                         '"_history" can follow.';
    END IF;
    RETURN parts;
END $$;

-- The default key of a source.
CREATE FUNCTION hibob_roster.default_key(source regclass)
RETURNS text[] LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    resource text := (SELECT o.option_value
                        FROM pg_foreign_table t,
                             pg_options_to_table(t.ftoptions) o
                       WHERE t.ftrelid = source AND o.option_name = 'resource');
    names name[] := ARRAY(SELECT name FROM hibob_roster.columns_of(source));
    -- For tables such as candidates, some of whom become employees.
    has_id_alone boolean := (SELECT bool_and(c.not_null = (c.name = 'id'))
                               FROM hibob_roster.columns_of(source) c
                              WHERE c.name IN ('employee_id', 'id'));
BEGIN
    IF resource = 'named_lists' AND names @> '{list,id}' THEN
        RETURN '{list,id}';
    ELSIF resource IS DISTINCT FROM 'people' AND NOT has_id_alone
        AND names @> '{employee_id,id}' THEN
        RETURN '{employee_id,id}';
    ELSIF names @> '{id}' THEN
        RETURN '{id}';
    END IF;
    RAISE EXCEPTION '% has no column "id" that could be the key', source
        USING ERRCODE = 'undefined_column',
              HINT = 'Name the columns that identify a row: key => '
                     'ARRAY[''employee_id'', ''date'']. A source without such '
                     'columns cannot be mirrored.';
END $$;

-- The columns to mirror: the key and those that are named, or all.
CREATE FUNCTION hibob_roster.chosen_columns(source regclass, key text[],
    columns text[])
RETURNS text[] LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wrong text;
BEGIN
    SELECT n INTO wrong FROM unnest(key || columns) n
     WHERE n IS NULL OR n NOT IN (SELECT name
                                    FROM hibob_roster.columns_of(source))
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'source % has no column "%"', source, wrong
            USING ERRCODE = 'undefined_column',
                  HINT = format('Its columns are: %s.',
                      (SELECT string_agg(quote_ident(name), ', ' ORDER BY no)
                         FROM hibob_roster.columns_of(source)));
    ELSIF cardinality(key) = 0 OR cardinality(key) <>
        (SELECT count(DISTINCT k) FROM unnest(key) k) THEN
        RAISE EXCEPTION 'the key of a mirror must be a list of distinct columns'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Name the columns that identify a row of the source.';
    END IF;
    RETURN ARRAY(SELECT name FROM hibob_roster.columns_of(source)
                  WHERE columns IS NULL OR name = ANY (key || columns)
                  ORDER BY no);
END $$;

CREATE FUNCTION hibob_roster.create_table(target text, source regclass,
    key text[], columns text[])
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('CREATE TABLE %s (%s, PRIMARY KEY (%s))', target,
        (SELECT string_agg(concat_ws(' ', quote_ident(name), type_name,
                    'COLLATE ' || collation_name,
                    CASE WHEN not_null THEN 'NOT NULL' END), ', ' ORDER BY no)
           FROM hibob_roster.columns_of(source) WHERE name = ANY (columns)),
        (SELECT string_agg(quote_ident(k), ', ' ORDER BY n)
           FROM unnest(key) WITH ORDINALITY t (k, n)));
    PERFORM hibob_roster.create_indexes(target, key);
    PERFORM hibob_roster.copy_comments(source, target);
EXCEPTION WHEN undefined_object THEN
    RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = SQLERRM,
        HINT = 'Values of this type, such as json, cannot be compared. Name '
               'other columns as the key, or convert the column in a view.';
END $$;

-- Searches and joins of people use these columns.  A type that has no operators
-- for an index, such as json, gets none.
CREATE FUNCTION hibob_roster.create_indexes(target text, key text[])
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c record;
BEGIN
    FOR c IN SELECT t.name, t.type
               FROM hibob_roster.columns_of(target::regclass) t
              WHERE t.name IN ('email', 'employee_id', 'manager_id', 'status')
                AND t.name <> key[1] ORDER BY t.no LOOP
        BEGIN
            EXECUTE format('CREATE INDEX ON %s (%s)', target,
                CASE WHEN c.name = 'email' AND c.type = 'text'::regtype
                     THEN 'lower(email)' ELSE quote_ident(c.name) END);
        EXCEPTION WHEN undefined_object THEN
        END;
    END LOOP;
END $$;

CREATE FUNCTION hibob_roster.copy_comments(source regclass, target text)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c record;
BEGIN
    EXECUTE format('COMMENT ON TABLE %s IS %L', target, coalesce(
        obj_description(source, 'pg_class'), format('mirror of %s', source)));
    FOR c IN SELECT t.name, d.description
               FROM hibob_roster.columns_of(target::regclass) t
               JOIN pg_attribute a ON a.attrelid = source AND a.attname = t.name
               JOIN pg_description d ON d.classoid = 'pg_class'::regclass
                AND d.objoid = a.attrelid AND d.objsubid = a.attnum LOOP
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', target, c.name,
                       c.description);
    END LOOP;
END $$;

CREATE FUNCTION hibob_roster.create_history(target text, mirror regclass,
    key text[])
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key_list text := (SELECT string_agg(quote_ident(k), ', ' ORDER BY n)
                        FROM unnest(key) WITH ORDINALITY t (k, n));
    definition text;
BEGIN
    PERFORM hibob_roster.reserved_column(name, mirror)
       FROM hibob_roster.columns_of(mirror)
      WHERE name IN ('valid_from', 'valid_to', 'change');
    SELECT string_agg(concat_ws(' ', quote_ident(name), type_name,
               'COLLATE ' || collation_name,
               CASE WHEN name = ANY (key) THEN 'NOT NULL' END), ', '
               ORDER BY array_position(key, name::text), no)
      INTO definition FROM hibob_roster.columns_of(mirror);
    EXECUTE format('CREATE TABLE %s (%s, valid_from timestamptz NOT NULL, '
        'valid_to timestamptz, change text NOT NULL CHECK (change IN '
        '(''added'', ''changed'', ''removed'', ''returned'')), '
        'PRIMARY KEY (%s, valid_from))', target, definition, key_list);
    EXECUTE format('CREATE INDEX ON %s (valid_from)', target);
    EXECUTE format('CREATE INDEX ON %s (valid_to) WHERE valid_to IS NOT NULL',
                   target);
    EXECUTE format('COMMENT ON TABLE %s IS %L', target,
                   format('every version of every row of %s', mirror));
END $$;

CREATE FUNCTION hibob_roster.check_unused(target text)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regclass(target) IS NOT NULL THEN
        RAISE EXCEPTION 'relation % already exists', target
            USING ERRCODE = 'duplicate_table',
                  HINT = 'Choose another name for the mirror, or drop the '
                         'relation; use hibob_roster.drop_mirror() if it is a '
                         'mirror.';
    END IF;
END $$;

-- The first refresh.
CREATE FUNCTION hibob_roster.fill_mirror(mirror regclass, source regclass)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    entry hibob_roster.refresh_log := hibob_roster.refresh_mirror(mirror, true);
BEGIN
    IF entry.rows = 0 THEN
        RAISE WARNING 'mirror % is empty, since its source % has no rows',
                      mirror, source
            USING HINT = 'If HiBob has some, check the permissions of the '
                         'service user, and refresh the mirror.';
    END IF;
    EXECUTE format('ANALYZE %s', mirror);
END $$;

CREATE FUNCTION hibob_roster.create_mirror(source regclass,
    name text DEFAULT NULL, key text[] DEFAULT NULL,
    columns text[] DEFAULT NULL, history boolean DEFAULT true,
    max_removed_percent numeric DEFAULT 20,
    max_emptied_percent numeric DEFAULT 20,
    max_age interval DEFAULT '26 hours', keep_history interval DEFAULT NULL)
RETURNS regclass LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    parts name[];
    target text;
    target_history text;
    mirror regclass;
BEGIN
    IF source IS NULL THEN
        RAISE EXCEPTION 'the source of a mirror must not be null'
            USING ERRCODE = 'null_value_not_allowed';
    END IF;
    PERFORM hibob_roster.drop_orphans();
    PERFORM hibob_roster.check_source(source);
    PERFORM hibob_roster.check_trust(source);
    SELECT hibob_roster.split_name(
               coalesce(name, quote_ident(c.relname || '_mirror')), n.nspname)
      INTO parts
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = source;
    target := format('%I.%I', parts[1], parts[2]);
    target_history := format('%I.%I', parts[1], parts[2] || '_history');
    PERFORM hibob_roster.check_unused(target);
    key := coalesce(key, hibob_roster.default_key(source));
    columns := hibob_roster.chosen_columns(source, key, columns);
    PERFORM hibob_roster.create_table(target, source, key, columns);
    mirror := target::regclass;
    IF coalesce(history, true) THEN
        PERFORM hibob_roster.check_unused(target_history);
        PERFORM hibob_roster.create_history(target_history, mirror, key);
    END IF;
    INSERT INTO hibob_roster.mirrors
    SELECT mirror, source, source::text, key, h.history,
           max_removed_percent, max_emptied_percent,
           coalesce(max_age, '26 hours'), keep_history, h.history
      FROM (SELECT CASE WHEN coalesce(history, true)
                        THEN target_history::regclass END AS history) h;
    INSERT INTO hibob_roster.mirror_columns (mirror, column_name, filled_since)
    SELECT mirror, c, '-infinity' FROM unnest(columns) c;
    PERFORM hibob_roster.fill_mirror(mirror, source);
    RETURN mirror;
END $$;

COMMENT ON FUNCTION hibob_roster.create_mirror(regclass, text, text[], text[],
    boolean, numeric, numeric, interval, interval)
IS 'creates a local copy of a foreign table, and fills it';

-- The views that this extension made on a table, and views on those.
CREATE FUNCTION hibob_roster.views_on(relation oid)
RETURNS SETOF oid LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE found AS (
        SELECT relation AS oid
        UNION
        SELECT r.ev_class
          FROM found f
          JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass
                          AND d.refobjid = f.oid
                          AND d.classid = 'pg_rewrite'::regclass
          JOIN pg_rewrite r ON r.oid = d.objid
         WHERE obj_description(r.ev_class, 'pg_class') LIKE 'hibob_roster: %'
    )
    SELECT oid FROM found WHERE oid <> relation
$$;

CREATE FUNCTION hibob_roster.drop_mirror(mirror regclass)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    m hibob_roster.mirrors := hibob_roster.own_mirror(mirror);
    views text;
BEGIN
    SELECT string_agg(DISTINCT v::regclass::text, ', ') INTO views
      FROM unnest(ARRAY[m.mirror, m.history]) t,
           hibob_roster.views_on(t) v;
    IF views IS NOT NULL THEN
        EXECUTE format('DROP VIEW %s', views);
    END IF;
    IF EXISTS (SELECT FROM pg_class c WHERE c.oid = m.history) THEN
        EXECUTE format('DROP TABLE %s', m.history);
    END IF;
    EXECUTE format('DROP TABLE %s', m.mirror);
    PERFORM hibob_roster.drop_orphans();
END $$;

COMMENT ON FUNCTION hibob_roster.drop_mirror(regclass)
IS 'drops a mirror with its history, log and the views made on it';

-- ---------------------------------------------------------------------------
-- Reading the history
-- ---------------------------------------------------------------------------

-- The history that the caller may read.  It is incomplete before "since" if
-- keep_history has deleted versions of that time.
CREATE FUNCTION hibob_roster.history_of(mirror regclass, since timestamptz)
RETURNS hibob_roster.readable_histories LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    h hibob_roster.readable_histories;
BEGIN
    SELECT r.* INTO h FROM hibob_roster.readable_histories r
     WHERE r.mirror = history_of.mirror;
    IF NOT FOUND THEN
        RAISE EXCEPTION '% is not a mirror with a history that role % may read',
                        coalesce(mirror::text, 'null'), current_user
            USING ERRCODE = 'undefined_object',
                  HINT = 'The history is a table, named like the mirror with '
                         '"_history". Its columns valid_from, valid_to and '
                         'change and the privilege SELECT are needed.';
    ELSIF since < h.history_since THEN
        RAISE EXCEPTION 'the history of % before % has been deleted', mirror,
                        h.history_since
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = format('Use this time or a later one. The table %s '
                      'has the remaining versions.', h.history);
    END IF;
    RETURN h;
END $$;

-- The columns of a mirror whose types differ from those of its history, from
-- ALTER TABLE until the next refresh.  Raises an error if the cast of a value
-- could run a function of a role that the caller does not trust.
CREATE FUNCTION hibob_roster.altered_columns(mirror regclass, history regclass)
RETURNS text LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    altered text;
    untrusted name;
BEGIN
    SELECT string_agg(DISTINCT quote_ident(c.name), ', '),
           min(c.name) FILTER (WHERE c.type <> k.type
               AND t.typnamespace <> 'pg_catalog'::regnamespace
               AND NOT hibob_roster.trusts(t.typowner))
      INTO altered, untrusted
      FROM hibob_roster.columns_of(mirror) c
      JOIN hibob_roster.columns_of(history) k USING (name)
      JOIN pg_type t ON t.oid IN (c.type, k.type)
     WHERE (c.type, c.typmod) <> (k.type, k.typmod);
    IF untrusted IS NOT NULL THEN
        RAISE EXCEPTION 'column "%" of mirror % and of its history have '
                        'different types', untrusted, mirror
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'The next refresh of the mirror alters the history.';
    END IF;
    RETURN altered;
END $$;

-- The rows of a mirror at the time $1.  A cast uses a type without its length:
-- it would truncate a value, which is an error when it is assigned.
CREATE FUNCTION hibob_roster.as_of_query(mirror regclass, history regclass,
    at timestamptz)
RETURNS text LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('SELECT %s FROM %s h WHERE valid_from <= $1 '
                  'AND (valid_to > $1 OR valid_to IS NULL)',
        string_agg(CASE WHEN k.name IS NULL OR NOT EXISTS (
                 SELECT FROM hibob_roster.readable_columns f
                  WHERE f.mirror = as_of_query.mirror
                    AND f.column_name = c.name AND f.filled_since <= at
                    AND (f.filled_until IS NULL OR f.filled_until > at))
             THEN format('(NULL::%s).%I', mirror, c.name)
             WHEN k.type = c.type THEN format('h.%I', c.name)
             ELSE format('h.%I::%s', c.name, format_type(c.type, -1)) END, ', '
             ORDER BY c.no), history)
      FROM hibob_roster.columns_of(mirror) c
      LEFT JOIN hibob_roster.columns_of(history) k USING (name)
$$;

CREATE FUNCTION hibob_roster.as_of(mirror anyelement, at timestamptz)
RETURNS SETOF anyelement LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation regclass := (SELECT t.typrelid::regclass FROM pg_type t
                           WHERE t.oid = pg_typeof(mirror) AND t.typrelid <> 0);
    h hibob_roster.readable_histories := hibob_roster.history_of(relation, at);
    altered text := hibob_roster.altered_columns(relation, h.history);
BEGIN
    -- A variable, unlike RETURN QUERY, converts the values of altered columns.
    FOR mirror IN EXECUTE
        hibob_roster.as_of_query(relation, h.history, at) USING at LOOP
        RETURN NEXT mirror;
    END LOOP;
EXCEPTION WHEN data_exception OR cannot_coerce
    OR integrity_constraint_violation THEN
    IF altered IS NULL THEN
        RAISE;
    END IF;
    RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = SQLERRM,
        DETAIL = format('Since the last refresh, these columns of %s have '
            'other types than those of its history: %s.', relation, altered),
        HINT = 'Change the columns to types that the values of the history '
               'fit.';
END $$;

COMMENT ON FUNCTION hibob_roster.as_of(anyelement, timestamptz)
IS 'the rows of a mirror as they were at that time';

-- An expression for a column's value as text, with a collation for which only
-- identical values are equal.  A cast from a user-defined type could run a
-- function of its owner.
CREATE FUNCTION hibob_roster.as_text(value text, type oid)
RETURNS text LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace
                THEN format('%s::text COLLATE "C"', value)
                ELSE format('CASE WHEN num_nonnulls(%1$s) = 1 '
                            'THEN format(''%%s'', %1$s) COLLATE "C" END', value)
           END
      FROM pg_type t WHERE t.oid = type
$$;

-- Without extra_float_digits, different numbers could be the same text.  From
-- history_since on, the version before each change is known.
CREATE FUNCTION hibob_roster.changes(mirror regclass, since timestamptz)
RETURNS TABLE (changed_at timestamptz, change text, key text, column_name text,
    old_value text, new_value text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET extra_float_digits = 1 AS $$
#variable_conflict use_column
DECLARE
    h hibob_roster.readable_histories := hibob_roster.history_of(mirror,
        nullif(since, '-infinity'));
BEGIN
    since := greatest(since, h.history_since);
    RETURN QUERY EXECUTE format($query$
        WITH filled AS MATERIALIZED (
            SELECT f.column_name::text AS name, f.filled_since AS since,
                   coalesce(f.filled_until, 'infinity') AS until
              FROM hibob_roster.readable_columns f WHERE f.mirror = $2
        )
        SELECT c.valid_from, c.change, concat_ws(', ', %1$s), v.name, v.old,
               v.new
          FROM %2$s c
          LEFT JOIN %2$s p ON %3$s AND p.valid_to = c.valid_from
                          AND c.change = 'changed'
         CROSS JOIN LATERAL (VALUES %4$s) v (no, name, old, new)
          JOIN filled f ON f.name = v.name AND f.until > c.valid_from
                       AND (f.since < c.valid_from OR f.since = c.valid_from
                            AND c.change IN ('added', 'returned'))
         WHERE c.valid_from > $1 AND v.old IS DISTINCT FROM v.new
         ORDER BY c.valid_from, %1$s, v.no $query$,
        (SELECT string_agg(format('c.%I', k), ', ' ORDER BY n)
           FROM unnest(h.key_columns) WITH ORDINALITY t (k, n)),
        h.history,
        (SELECT string_agg(format('p.%I %s c.%1$I', k.name,
                                  hibob_roster.equality(k.type)), ' AND ')
           FROM hibob_roster.columns_of(h.history) k
          WHERE k.name = ANY (h.key_columns)),
        (SELECT string_agg(format($values$(%1$s, %2$L, CASE c.change
                WHEN 'removed' THEN %3$s ELSE %4$s END,
                CASE WHEN c.change <> 'removed' THEN %3$s END)$values$,
                no, name, hibob_roster.as_text(format('c.%I', name), type),
                hibob_roster.as_text(format('p.%I', name), type)), ', ')
           FROM hibob_roster.columns_of(h.history)
          WHERE name NOT IN ('valid_from', 'valid_to', 'change')))
        USING since, mirror;
END $$;

COMMENT ON FUNCTION hibob_roster.changes(regclass, timestamptz)
IS 'changes of a mirror since a time: a row for each changed column';

-- The key is the leading column, such as the employee, or several of them.  A
-- refresh that runs at the same time could add a version of the person.
CREATE FUNCTION hibob_roster.forget(mirror regclass, VARIADIC key text[])
RETURNS bigint LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    m hibob_roster.mirrors := hibob_roster.lock_mirror(mirror);
    versions bigint;
BEGIN
    IF m.history IS NULL THEN
        RAISE EXCEPTION 'mirror % has no history', m.mirror
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'There is nothing to erase.';
    ELSIF coalesce(cardinality(key), 0)
            NOT BETWEEN 1 AND cardinality(m.key_columns)
        OR array_position(key, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'the key of mirror % is (%)', m.mirror,
                        array_to_string(m.key_columns, ', ')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Give values that are not null for the first of these '
                         'columns, or for several leading ones.';
    END IF;
    EXECUTE format('DELETE FROM %s WHERE %s', m.history,
        (SELECT string_agg(format('%I %s ($1)[%s]::%s', c.name,
                    hibob_roster.equality(c.type), n, format_type(c.type, -1)),
                    ' AND ')
           FROM unnest(m.key_columns[:cardinality(key)])
                WITH ORDINALITY t (k, n)
           JOIN hibob_roster.columns_of(m.history) c ON c.name = k))
      USING key;
    GET DIAGNOSTICS versions = ROW_COUNT;
    RETURN versions;
END $$;

COMMENT ON FUNCTION hibob_roster.forget(regclass, text[])
IS 'erases a person, or one row, from the history of a mirror';

-- For calls with named arguments, which a VARIADIC function does not accept.
CREATE FUNCTION hibob_roster.forget(mirror regclass, key text)
RETURNS bigint LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
    SELECT hibob_roster.forget(mirror, VARIADIC ARRAY[key])
$$;

COMMENT ON FUNCTION hibob_roster.forget(regclass, text)
IS 'erases a person from the history of a mirror';

-- ---------------------------------------------------------------------------
-- The roster
-- ---------------------------------------------------------------------------

CREATE FUNCTION hibob_roster.check_server(server name)
RETURNS oid LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    id oid := (SELECT s.oid FROM pg_foreign_server s WHERE s.srvname = server);
BEGIN
    IF id IS NULL THEN
        RAISE EXCEPTION 'server "%" does not exist', server
            USING ERRCODE = 'undefined_object',
                  HINT = 'Create it: CREATE SERVER ... FOREIGN DATA WRAPPER '
                         'hibob_fdw, and CREATE USER MAPPING.';
    ELSIF NOT hibob_roster.is_hibob_server(id) THEN
        RAISE EXCEPTION 'server "%" is not a server of hibob_fdw', server
            USING ERRCODE = 'wrong_object_type',
                  HINT = 'Name a server that was created with FOREIGN DATA '
                         'WRAPPER hibob_fdw.';
    END IF;
    RETURN id;
END $$;

-- The foreign table of people on the server.  It must have the columns that
-- the roster's views need.
CREATE FUNCTION hibob_roster.check_people(people regclass, server oid)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    missing text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_foreign_table t
                    WHERE t.ftrelid = people AND t.ftserver = server
                      AND 'resource=people' = ANY (t.ftoptions)) THEN
        RAISE EXCEPTION '% is not the foreign table of people on this server',
                        people
            USING ERRCODE = 'duplicate_table',
                  HINT = 'Choose another schema: '
                         'hibob_roster.create_roster(server, schema).';
    END IF;
    PERFORM hibob_roster.check_trust(people);
    SELECT string_agg(n, ', ') INTO missing
      FROM unnest('{id,full_name,email,department,site,manager_id,'
                  'manager_name,status,start_date,termination_date}'::text[]) n
     WHERE n NOT IN (SELECT name FROM hibob_roster.columns_of(people));
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION '% lacks columns that the roster needs: %', people,
                        missing
            USING ERRCODE = 'undefined_column',
                  HINT = 'Add them to the foreign table, or choose another '
                         'schema to import people into.';
    END IF;
END $$;

CREATE FUNCTION hibob_roster.is_custom_field(options text[])
RETURNS boolean LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM unnest(options) o
                    WHERE o ~ '^field=(.*[.])?custom(Columns)?[.]')
$$;

-- The options of a column, as in ALTER FOREIGN TABLE.
CREATE FUNCTION hibob_roster.options_text(options text[])
RETURNS text LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(format('%I %L', split_part(o, '=', 1),
                             substr(o, strpos(o, '=') + 1)), ', ')
      FROM unnest(options) o
$$;

-- The columns that a mirror had and the user dropped.
CREATE FUNCTION hibob_roster.dropped_columns(mirror regclass)
RETURNS SETOF name LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT f.column_name FROM hibob_roster.mirror_columns f
     WHERE f.mirror = dropped_columns.mirror
    EXCEPT
    SELECT c.name FROM hibob_roster.columns_of(mirror) c
$$;

-- Imports people into the schema of temporary tables, where a table of the
-- user may already have that name.
CREATE FUNCTION hibob_roster.import_people(server name, names text)
RETURNS regclass LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    users_table regclass := to_regclass('pg_temp.people');
    imported regclass;
BEGIN
    IF users_table IS NOT NULL THEN
        EXECUTE format('ALTER TABLE pg_temp.people RENAME TO %I',
                       'people_' || users_table::oid);
    END IF;
    EXECUTE format('IMPORT FOREIGN SCHEMA hibob LIMIT TO (people) FROM SERVER '
                   '%I INTO pg_temp OPTIONS (names %L)', server, names);
    imported := 'pg_temp.people'::regclass;
    EXECUTE format('ALTER TABLE pg_temp.people RENAME TO %I',
                   'people_' || imported::oid);
    IF users_table IS NOT NULL THEN
        EXECUTE format('ALTER TABLE %s RENAME TO people', users_table);
    END IF;
    RETURN imported;
END $$;

-- Adds the column "department_id" to people and, if there is a roster, the
-- account's new custom fields, found by their HiBob field, except those that
-- were dropped from the roster.
CREATE FUNCTION hibob_roster.add_fields(people regclass, server name,
    roster regclass, names text)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    imported regclass := hibob_roster.import_people(server, names);
    c record;
    new_name name;
BEGIN
    FOR c IN
        SELECT i.name, i.type_name, i.options
          FROM hibob_roster.columns_of(imported) i
         WHERE (i.name = 'department_id' OR roster IS NOT NULL
                AND hibob_roster.is_custom_field(i.options))
           AND NOT EXISTS (
                SELECT FROM hibob_roster.columns_of(people) p
                 WHERE CASE WHEN i.name = 'department_id' THEN p.name = i.name
                       ELSE ARRAY(SELECT o FROM unnest(p.options) o
                                   WHERE o ~ '^(field|path)=' ORDER BY o)
                          = ARRAY(SELECT o FROM unnest(i.options) o
                                   WHERE o ~ '^(field|path)=' ORDER BY o) END)
         ORDER BY i.no LOOP
        -- The name may be taken by a column of another field.
        SELECT n INTO new_name
          FROM (SELECT c.name AS n, 1 AS i
                UNION ALL
                SELECT left(c.name, 15) || '_' || i, i
                  FROM generate_series(2, 1600) i) v
         WHERE n NOT IN (SELECT name FROM hibob_roster.columns_of(people))
         ORDER BY i LIMIT 1;
        CONTINUE WHEN new_name IN (
            SELECT d FROM hibob_roster.dropped_columns(roster) d);
        EXECUTE format('ALTER FOREIGN TABLE %s ADD COLUMN %I %s OPTIONS (%s)',
            people, new_name, c.type_name,
            hibob_roster.options_text(c.options));
    END LOOP;
    EXECUTE format('DROP FOREIGN TABLE %s', imported);
END $$;

-- Adds to the roster the new custom fields of people, and the department's id.
CREATE FUNCTION hibob_roster.add_roster_columns(roster regclass,
    people regclass)
RETURNS name[] LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c record;
    added name[] := '{}';
BEGIN
    FOR c IN SELECT p.name, p.type_name
               FROM hibob_roster.columns_of(people) p
              WHERE (hibob_roster.is_custom_field(p.options)
                     OR p.name = 'department_id')
                AND p.name NOT IN (
                    SELECT name FROM hibob_roster.columns_of(roster)
                    UNION ALL
                    SELECT d FROM hibob_roster.dropped_columns(roster) d)
              ORDER BY p.no LOOP
        EXECUTE format('ALTER TABLE %s ADD COLUMN %I %s', roster, c.name,
                       c.type_name);
        added := added || c.name;
    END LOOP;
    RETURN added;
END $$;

-- Adds the account's new custom fields to an existing roster, and refreshes it
-- if there are any.
CREATE FUNCTION hibob_roster.extend_roster(roster regclass, people regclass,
    server name, names text)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    added name[];
    entry hibob_roster.refresh_log;
    raised boolean;
BEGIN
    PERFORM hibob_roster.own_mirror(roster);
    PERFORM hibob_roster.check_trust(roster);
    PERFORM hibob_roster.add_fields(people, server, roster, names);
    added := hibob_roster.add_roster_columns(roster, people);
    IF added <> '{}' THEN
        RAISE NOTICE 'new columns of %: %', roster,
                     array_to_string(added, ', ');
        entry := hibob_roster.refresh_mirror(roster, false);
        IF entry.outcome <> 'success' THEN
            raised := hibob_roster.raise_error(entry.sqlstate, entry.message,
                                               NULL, entry.hint);
        END IF;
    END IF;
END $$;

CREATE FUNCTION hibob_roster.create_roster(server name,
    schema name DEFAULT 'hr', names text DEFAULT 'label')
RETURNS regclass LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    server_id oid := hibob_roster.check_server(server);
    people regclass;
    roster regclass;
BEGIN
    names := coalesce(names, 'label');
    IF to_regnamespace(quote_ident(schema)) IS NULL THEN
        EXECUTE format('CREATE SCHEMA %I', schema);
    END IF;
    people := to_regclass(format('%I.people', schema));
    roster := to_regclass(format('%I.roster', schema));
    IF people IS NULL THEN
        EXECUTE format('IMPORT FOREIGN SCHEMA hibob LIMIT TO (people) '
                       'FROM SERVER %I INTO %I OPTIONS (names %L)', server,
                       schema, names);
        people := to_regclass(format('%I.people', schema));
    END IF;
    PERFORM hibob_roster.check_people(people, server_id);
    IF roster IS NOT NULL THEN
        PERFORM hibob_roster.extend_roster(roster, people, server,
                                           names);
    ELSE
        IF hibob_roster.owns(people) AND NOT EXISTS (
            SELECT FROM hibob_roster.columns_of(people)
             WHERE name = 'department_id') THEN
            PERFORM hibob_roster.add_fields(people, server, NULL, names);
        END IF;
        roster := hibob_roster.create_mirror(people,
            format('%I.roster', schema), '{id}',
            ARRAY(SELECT name FROM hibob_roster.columns_of(people)
                   WHERE name <> 'avatar_url'));
    END IF;
    PERFORM hibob_roster.create_roster_views(schema);
    RETURN roster;
END $$;

COMMENT ON FUNCTION hibob_roster.create_roster(name, name, text)
IS 'creates a mirror of people with an org chart, or adds new custom fields';

-- Creates a view of this extension, or replaces one that it made before.
CREATE FUNCTION hibob_roster.create_view(schema name, name name, comment text,
    query text)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target text := format('%I.%I', schema, name);
BEGIN
    IF to_regclass(target) IS NOT NULL AND coalesce(obj_description(
        to_regclass(target), 'pg_class'), '') NOT LIKE 'hibob_roster: %' THEN
        RAISE EXCEPTION 'relation % already exists', target
            USING ERRCODE = 'duplicate_table',
                  HINT = 'Drop or rename it, or choose another schema.';
    END IF;
    PERFORM hibob_roster.check_trust(to_regclass(target));
    BEGIN
        EXECUTE format('CREATE OR REPLACE VIEW %s AS %s', target, query);
    EXCEPTION WHEN invalid_table_definition THEN
        IF to_regclass(target) IS NULL THEN
            RAISE;
        END IF;
        -- Its columns have changed, so it is created again, without its
        -- privileges.
        EXECUTE format('DROP VIEW %s', concat_ws(', ', target,
            (SELECT string_agg(v::regclass::text, ', ')
               FROM hibob_roster.views_on(target::regclass) v)));
        EXECUTE format('CREATE VIEW %s AS %s', target, query);
    WHEN undefined_function OR datatype_mismatch OR data_exception THEN
        -- The error would have the whole definition.
        RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = SQLERRM,
            DETAIL = format('In the definition of view %s.', target),
            HINT = 'A column that the view reads has an unsuitable type. '
                   'Change the type in the table.';
    END;
    EXECUTE format('COMMENT ON VIEW %s IS %L', target,
                   'hibob_roster: ' || comment);
END $$;

-- Employment lasts until the end of the termination date.  A person who was
-- rehired may keep an old termination date, which is before the start date.
CREATE FUNCTION hibob_roster.roster_status_query(schema name)
RETURNS text LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT format($view$
SELECT id, full_name, email, status, start_date, termination_date,
       has_left,
       NOT has_left AND NOT not_started
           AND coalesce(status <> 'Active', false) AS on_leave,
       not_started AND NOT has_left AS not_started,
       CASE WHEN last_day >= current_date THEN last_day END AS leaves_on
  FROM (SELECT r.id, r.full_name, r.email, r.status, r.start_date,
               r.termination_date, d.last_day,
               CASE WHEN d.last_day IS NOT NULL THEN d.last_day < current_date
                    ELSE %2$s END AS has_left,
               coalesce(r.start_date > current_date, false) AS not_started
          FROM %1$I.roster r
         CROSS JOIN LATERAL (
                SELECT CASE WHEN r.start_date > r.termination_date THEN NULL
                            ELSE r.termination_date END AS last_day) d) s
$view$, schema, CASE WHEN EXISTS (
        SELECT FROM hibob_roster.columns_of(
                        format('%I.roster', schema)::regclass)
         WHERE name = 'lifecycle_status')
        THEN 'coalesce(lower(r.lifecycle_status COLLATE "C") = ''terminated'', '
             'false)' ELSE 'false' END)
$$;

-- Each person has one row.  People that no root reaches are in a cycle or below
-- one: the cycle is cut at its smallest id, which becomes a root.
CREATE FUNCTION hibob_roster.org_chart_query(schema name)
RETURNS text LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT format($view$
WITH RECURSIVE person AS MATERIALIZED (
    SELECT r.id, r.manager_id, m.id AS manager
      FROM %1$I.roster r LEFT JOIN %1$I.roster m ON m.id = r.manager_id
), top_down AS (
    SELECT p.id, ARRAY[p.id] AS path FROM person p WHERE p.manager IS NULL
    UNION ALL
    SELECT p.id, t.path || p.id
      FROM top_down t JOIN person p ON p.manager = t.id
), unreached AS MATERIALIZED (
    SELECT p.id, p.manager FROM person p
     WHERE NOT EXISTS (SELECT FROM top_down t WHERE t.id = p.id)
), upwards AS (
    SELECT u.id, u.manager AS above, ARRAY[u.id] AS path FROM unreached u
    UNION ALL
    SELECT w.id, u.manager, w.path || u.id
      FROM upwards w JOIN unreached u ON u.id = w.above
     WHERE w.above <> ALL (w.path)
), cycle AS MATERIALIZED (
    SELECT w.id, w.id = (SELECT min(x) FROM unnest(w.path) x) AS is_cut
      FROM upwards w WHERE w.above = w.id
), from_cut AS (
    SELECT c.id, ARRAY[c.id] AS path FROM cycle c WHERE c.is_cut
    UNION ALL
    SELECT u.id, f.path || u.id
      FROM from_cut f JOIN unreached u ON u.manager = f.id
     WHERE u.id NOT IN (SELECT c.id FROM cycle c WHERE c.is_cut)
)
SELECT r.id, r.full_name, r.email, r.department, r.manager_id, r.manager_name,
       cardinality(t.path) AS level, t.path,
       CASE WHEN cardinality(t.path) > 1 THEN NULL
            WHEN r.manager_id IS NULL THEN 'no manager'
            WHEN c.id IS NOT NULL THEN 'cycle'
            ELSE 'manager not in the roster' END AS root,
       c.id IS NOT NULL AS in_cycle
  FROM (SELECT id, path FROM top_down UNION ALL SELECT id, path FROM from_cut) t
  JOIN %1$I.roster r ON r.id = t.id
  LEFT JOIN cycle c ON c.id = t.id
$view$, schema)
$$;

CREATE FUNCTION hibob_roster.create_roster_views(schema name)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM hibob_roster.create_view(schema, 'roster_status',
        'employment status: left, on leave, not started, leaving',
        hibob_roster.roster_status_query(schema));
    PERFORM hibob_roster.create_view(schema, 'org_chart',
        'all people with their managers, from the top down',
        hibob_roster.org_chart_query(schema));
END $$;

-- ---------------------------------------------------------------------------
-- Licences
-- ---------------------------------------------------------------------------

-- The columns of the licence table as the views name them: a name that is also
-- a column of the report gets the prefix "licence_", repeated as needed.
CREATE FUNCTION hibob_roster.licence_columns(licences regclass)
RETURNS TABLE (no integer, name name, output name)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.no, c.name,
           CASE WHEN c.name = ANY ('{employee_id,full_name,email,department,'
                'site,cost_centre,manager_id,manager_name,status,start_date,'
                'termination_date,has_left,on_leave,not_started,leaves_on,'
                'left_how,matched_by,match_problem,alias_note}'::name[])
                THEN (SELECT repeat('licence_', min(n)) || c.name
                        FROM generate_series(1, 4) n
                       WHERE repeat('licence_', n) || c.name NOT IN (
                             SELECT o.name
                               FROM hibob_roster.columns_of(licences) o))
                ELSE c.name END
      FROM hibob_roster.columns_of(licences) c
$$;

-- The name in the views of a column of the licence table.
CREATE FUNCTION hibob_roster.licence_column(licences regclass, name text)
RETURNS name LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    column_name name;
BEGIN
    SELECT c.output INTO column_name
      FROM hibob_roster.licence_columns(licences) c
     WHERE c.name = licence_column.name;
    IF column_name IS NULL AND name IS NOT NULL THEN
        RAISE EXCEPTION '% has no column "%"', licences, name
            USING ERRCODE = 'undefined_column',
                  HINT = format('Its columns are: %s.',
                      (SELECT string_agg(quote_ident(c.name), ', ' ORDER BY no)
                         FROM hibob_roster.columns_of(licences) c));
    END IF;
    RETURN column_name;
END $$;

-- An expression whose value is the same for equal accounts.  The first lower()
-- converts "I" to "i", also in a locale such as Turkish in which the lower case
-- of "I" is another letter.
CREATE FUNCTION hibob_roster.account_key(account text)
RETURNS text LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('lower(lower(btrim(%s, %L) COLLATE "C") COLLATE "default")',
                  account, E' \t\r\n')
$$;

CREATE FUNCTION hibob_roster.create_account_alias(schema name)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    existing regclass := to_regclass(format('%I.account_alias', schema));
BEGIN
    IF existing IS NOT NULL THEN
        PERFORM hibob_roster.check_trust(existing);
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I.account_alias (account text PRIMARY KEY, '
                   'employee_id text, note text)', schema);
    EXECUTE format('CREATE UNIQUE INDEX ON %I.account_alias (%s)', schema,
                   hibob_roster.account_key('account'));
    EXECUTE format('COMMENT ON TABLE %I.account_alias IS %L', schema,
        'accounts that HiBob does not have: private addresses of employees, '
        'or, without an employee_id and with a note, known service accounts');
END $$;

-- An expression for the cost centre in the roster and its history: the column
-- of that name, or null if there is none and no name is given.
CREATE FUNCTION hibob_roster.cost_centre(m hibob_roster.mirrors, name text)
RETURNS text LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted text := coalesce(name, 'cost_centre');
BEGIN
    IF wanted NOT IN (SELECT c.name FROM hibob_roster.columns_of(m.mirror) c)
    THEN
        IF name IS NULL THEN
            RETURN 'NULL::text';
        END IF;
        RAISE EXCEPTION 'mirror % has no column "%"', m.mirror, name
            USING ERRCODE = 'undefined_column',
                  HINT = format('Its columns are: %s.',
                      (SELECT string_agg(quote_ident(c.name), ', ' ORDER BY no)
                         FROM hibob_roster.columns_of(m.mirror) c));
    ELSIF wanted NOT IN (SELECT c.name
                           FROM hibob_roster.columns_of(m.history) c) THEN
        RAISE EXCEPTION 'the history of mirror % has no column "%"', m.mirror,
                        wanted
            USING ERRCODE = 'undefined_column',
                  HINT = 'The next refresh of the mirror adds it.';
    END IF;
    RETURN format('%I::text', wanted);
END $$;

-- Every licence with its owner.  An address that several people have matches
-- none of them.  People who disappeared from HiBob have last known values.
CREATE FUNCTION hibob_roster.licence_owner_query(licences regclass,
    account text, schema name, history regclass, cost_centre text)
RETURNS text LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT format($view$
WITH disappeared AS MATERIALIZED (
    SELECT DISTINCT ON (h.id) id, full_name, email, department, site,
           %4$s AS cost_centre, manager_id, manager_name, status, start_date,
           termination_date
      FROM %3$s h
     WHERE h.change = 'removed'
       AND NOT EXISTS (SELECT FROM %2$I.roster r WHERE r.id = h.id)
     ORDER BY h.id, h.valid_from DESC
), person AS MATERIALIZED (
    SELECT id, full_name, email, department, site, cost_centre, manager_id,
           manager_name, s.status, s.start_date, s.termination_date,
           s.has_left, s.on_leave, s.not_started, s.leaves_on,
           CASE WHEN s.has_left THEN 'terminated' END AS left_how
      FROM (SELECT id, full_name, email, department, site,
                   %4$s AS cost_centre, manager_id, manager_name
              FROM %2$I.roster) r
      JOIN (SELECT id, status, start_date, termination_date, has_left,
                   on_leave, not_started, leaves_on
              FROM %2$I.roster_status) s USING (id)
    UNION ALL
    SELECT id, full_name, email, department, site, cost_centre, manager_id,
           manager_name, status, start_date, termination_date,
           true, false, false, NULL, 'disappeared'
      FROM disappeared
), address AS MATERIALIZED (
    SELECT %7$s AS account, min(id) AS id,
           count(*) AS people
      FROM %2$I.roster WHERE btrim(email, E' \t\r\n') <> '' GROUP BY 1
), former_address AS MATERIALIZED (
    SELECT %7$s AS account, min(id) AS id,
           count(DISTINCT id) AS people
      FROM %3$s WHERE btrim(email, E' \t\r\n') <> '' GROUP BY 1
), alias AS MATERIALIZED (
    SELECT %8$s AS account, employee_id, note
      FROM %2$I.account_alias
)
SELECT %5$s, p.id AS employee_id, p.full_name, p.email, p.department, p.site,
       p.cost_centre, p.manager_id, p.manager_name, p.status, p.start_date,
       p.termination_date, p.has_left, p.on_leave, p.not_started, p.leaves_on,
       p.left_how, m.matched_by,
       CASE WHEN m.matched_by = 'alias' AND a.employee_id IS NOT NULL
                 AND p.id IS NULL THEN 'the employee of the alias is unknown'
            WHEN m.matched_by IS NULL AND m.people > 1
            THEN format('%%s people have this address', m.people) END
           AS match_problem,
       a.note AS alias_note
  FROM %1$s l
 CROSS JOIN LATERAL (
        SELECT %6$s AS account) n
  LEFT JOIN alias a ON a.account = n.account
  LEFT JOIN address e ON e.account = n.account
  LEFT JOIN former_address f ON f.account = n.account
 CROSS JOIN LATERAL (
        SELECT CASE WHEN a.account IS NOT NULL THEN 'alias'
                    WHEN e.people = 1 THEN 'email'
                    WHEN e.people IS NULL AND f.people = 1 THEN 'former email'
               END AS matched_by,
               coalesce(e.people, f.people) AS people) m
  LEFT JOIN person p ON p.id = CASE m.matched_by WHEN 'alias' THEN a.employee_id
                                    WHEN 'email' THEN e.id
                                    WHEN 'former email' THEN f.id END
$view$, licences, schema, history, cost_centre,
        (SELECT string_agg(format('l.%I AS %I', c.name, c.output), ', '
                           ORDER BY c.no)
           FROM hibob_roster.licence_columns(licences) c),
        hibob_roster.account_key(format('l.%I::text', account)),
        hibob_roster.account_key('email'),
        hibob_roster.account_key('account'))
$$;

CREATE FUNCTION hibob_roster.licence_cost_query(schema name, cost name)
RETURNS text LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT format($view$
SELECT CASE WHEN grouping(department) = 0 THEN 'department'
            WHEN grouping(site) = 0 THEN 'site'
            WHEN grouping(manager_id) = 0 THEN 'manager'
            WHEN grouping(cost_centre) = 0 THEN 'cost centre'
            ELSE 'total' END AS counted_by,
       CASE WHEN grouping(department, site, manager_id, cost_centre) = 15
            THEN NULL
            WHEN count(employee_id) = 0 THEN '(no employee)'
            ELSE coalesce(CASE WHEN grouping(department) = 0 THEN department
                               WHEN grouping(site) = 0 THEN site
                               WHEN grouping(manager_id) = 0
                               THEN coalesce(max(manager_name), manager_id)
                               ELSE cost_centre END, '(none)') END AS name,
       count(DISTINCT employee_id) AS people, count(*) AS licences,
       sum(%2$s) AS cost
  FROM %1$I.licence_owner o
 CROSS JOIN LATERAL (SELECT o.employee_id IS NULL AS is_unowned) u
 GROUP BY GROUPING SETS ((department, u.is_unowned), (site, u.is_unowned),
                         (manager_id, u.is_unowned),
                         (cost_centre, u.is_unowned), ())
$view$, schema, coalesce(quote_ident(cost), 'NULL::numeric'))
$$;

-- People who start soon, or have just started, without an app that at least
-- half of the other employees have: in the company, or in the department.
CREATE FUNCTION hibob_roster.joiner_without_app_query(schema name, app name)
RETURNS text LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT format($view$
WITH holder AS MATERIALIZED (
    SELECT DISTINCT o.employee_id AS id, o.%2$I AS app
      FROM %1$I.licence_owner o WHERE o.employee_id IS NOT NULL
), colleague AS MATERIALIZED (
    SELECT r.id, r.department
      FROM %1$I.roster r JOIN %1$I.roster_status s ON s.id = r.id
     WHERE NOT s.has_left AND NOT s.not_started
       AND coalesce(s.start_date < current_date - 30, true)
), usual AS MATERIALIZED (
    SELECT h.app, NULL::text AS department, 'company' AS usual_in
      FROM colleague c JOIN holder h ON h.id = c.id
     GROUP BY h.app
    HAVING count(*) * 2 >= (SELECT count(*) FROM colleague)
    UNION ALL
    SELECT h.app, c.department, 'department'
      FROM colleague c JOIN holder h ON h.id = c.id
      JOIN (SELECT department, count(*) AS people
              FROM colleague GROUP BY department) d
        ON d.department = c.department
     WHERE d.people >= 3
     GROUP BY h.app, c.department, d.people
    HAVING count(*) * 2 >= d.people
)
SELECT s.start_date, r.id AS employee_id, r.full_name, r.email, r.department,
       r.manager_name, u.app, min(u.usual_in) AS usual_in
  FROM %1$I.roster r JOIN %1$I.roster_status s ON s.id = r.id
  JOIN usual u ON u.usual_in = 'company' OR u.department = r.department
 WHERE s.start_date BETWEEN current_date - 30 AND current_date + 30
   AND NOT s.has_left
   AND NOT EXISTS (SELECT FROM holder h WHERE h.id = r.id AND h.app = u.app)
 GROUP BY s.start_date, r.id, r.full_name, r.email, r.department,
          r.manager_name, u.app
$view$, schema, app)
$$;

CREATE FUNCTION hibob_roster.check_licences(licences regclass, account text,
    app text)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM hibob_roster.licence_column(licences, account);
    IF account IS NULL OR app IS NULL THEN
        RAISE EXCEPTION 'the columns of account and app must not be null'
            USING ERRCODE = 'null_value_not_allowed';
    ELSIF EXISTS (SELECT FROM pg_class c WHERE c.oid = licences
                     AND c.relpersistence = 't') THEN
        RAISE EXCEPTION 'the table of licences cannot be a temporary table'
            USING ERRCODE = 'feature_not_supported',
                  HINT = 'Copy it to an ordinary table.';
    ELSIF obj_description(licences, 'pg_class') LIKE 'hibob_roster: %' THEN
        RAISE EXCEPTION '% is a view of the report', licences
            USING ERRCODE = 'wrong_object_type',
                  HINT = 'Name a table of licences, or a view of your own.';
    END IF;
END $$;

-- The roster on which the caller may create a licence report.
CREATE FUNCTION hibob_roster.licence_roster(schema name)
RETURNS hibob_roster.mirrors LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    roster regclass := to_regclass(format('%I.roster', schema));
    m hibob_roster.mirrors;
BEGIN
    IF roster IS NULL THEN
        RAISE EXCEPTION 'schema "%" has no roster', schema
            USING ERRCODE = 'undefined_table',
                  HINT = 'Create it: SELECT hibob_roster.create_roster(server'
                         ', schema).';
    END IF;
    m := hibob_roster.own_mirror(roster);
    PERFORM hibob_roster.check_trust(roster);
    IF m.history IS NULL THEN
        RAISE EXCEPTION 'mirror % has no history', roster
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'The report needs the history for former e-mail '
                         'addresses and people who disappeared. Create the '
                         'roster with a history.';
    END IF;
    RETURN m;
END $$;

-- The views that select rows of licence_owner.
CREATE FUNCTION hibob_roster.create_licence_lists(schema name, last_used name)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner text := format('SELECT * FROM %I.licence_owner', schema);
BEGIN
    PERFORM hibob_roster.create_view(schema, 'licence_of_leaver',
        'licences of people who have left or disappeared from HiBob',
        owner || ' WHERE has_left');
    PERFORM hibob_roster.create_view(schema, 'licence_without_employee',
        'licences without an employee, except known service accounts',
        owner || ' WHERE employee_id IS NULL AND NOT (matched_by IS NOT '
        'DISTINCT FROM ''alias'' AND match_problem IS NULL '
        'AND coalesce(btrim(alias_note), '''') <> '''')');
    PERFORM hibob_roster.create_view(schema, 'licence_unused',
        'licences of people at work that were not used for 90 days',
        owner || ' WHERE NOT has_left AND NOT not_started AND '
        || CASE WHEN last_used IS NULL THEN 'false'
           ELSE format('(%1$I IS NULL OR %1$I < current_date - 90)', last_used)
           END);
    IF last_used IS NULL THEN
        RAISE NOTICE 'view %.licence_unused stays empty without "last_used"',
                     quote_ident(schema);
    END IF;
END $$;

CREATE FUNCTION hibob_roster.create_licence_report(licences regclass,
    account text, app text, cost text DEFAULT NULL,
    last_used text DEFAULT NULL, schema name DEFAULT 'hr',
    cost_centre text DEFAULT NULL)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    app_column name := hibob_roster.licence_column(licences, app);
    cost_column name := hibob_roster.licence_column(licences, cost);
    used_column name := hibob_roster.licence_column(licences, last_used);
    m hibob_roster.mirrors;
BEGIN
    PERFORM hibob_roster.check_licences(licences, account, app);
    m := hibob_roster.licence_roster(schema);
    PERFORM hibob_roster.create_account_alias(schema);
    PERFORM hibob_roster.create_view(schema, 'licence_owner',
        'every licence, with the employee who owns it',
        hibob_roster.licence_owner_query(licences, account, schema, m.history,
            hibob_roster.cost_centre(m, cost_centre)));
    PERFORM hibob_roster.create_licence_lists(schema, used_column);
    PERFORM hibob_roster.create_view(schema, 'licence_cost',
        'people, licences and cost, counted in several ways',
        hibob_roster.licence_cost_query(schema, cost_column));
    PERFORM hibob_roster.create_view(schema, 'joiner_without_app',
        'people who start within 30 days or have just started, and the usual '
        'apps that they lack',
        hibob_roster.joiner_without_app_query(schema, app_column));
END $$;

COMMENT ON FUNCTION hibob_roster.create_licence_report(regclass, text, text,
    text, text, name, text)
IS 'creates views that match a table of licences with the roster';

-- ---------------------------------------------------------------------------
-- Schedule
-- ---------------------------------------------------------------------------

CREATE FUNCTION hibob_roster.check_cron(cron text)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- a time on every day can also be written for systemd
    daily text[] := regexp_match(cron,
        '^ *([0-9]+) +([0-9]+) +[*] +[*] +[*] *$');
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
        RETURN;
    END IF;
    RAISE EXCEPTION 'pg_cron is not installed in database "%"',
                    current_database()
        USING ERRCODE = 'feature_not_supported',
              HINT = format('Install pg_cron (CREATE EXTENSION pg_cron in the '
                  'database of cron.database_name), or use a systemd timer: '
                  'systemd-run --user --unit=hibob-roster '
                  '--on-calendar=''*-*-* %s'' psql -X -d %s -c ''CALL '
                  'hibob_roster.refresh()''',
                  coalesce(lpad(daily[2], 2, '0') || ':' ||
                           lpad(daily[1], 2, '0') || ':00', '04:15:00'),
                  quote_ident(current_database()));
END $$;

CREATE FUNCTION hibob_roster.schedule(cron text)
RETURNS bigint LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    job bigint;
BEGIN
    PERFORM hibob_roster.check_cron(cron);
    EXECUTE 'SELECT cron.schedule($1, $2, $3)' INTO job
      USING 'hibob_roster', cron, 'CALL hibob_roster.refresh()';
    RETURN job;
END $$;

COMMENT ON FUNCTION hibob_roster.schedule(text)
IS 'refreshes all mirrors of the caller by pg_cron, at these times';

CREATE FUNCTION hibob_roster.unschedule()
RETURNS boolean LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    job bigint;
BEGIN
    PERFORM hibob_roster.check_cron(NULL);
    EXECUTE 'SELECT jobid FROM cron.job WHERE jobname = $1 '
            'AND username = current_user' INTO job USING 'hibob_roster';
    IF job IS NOT NULL THEN
        EXECUTE 'SELECT cron.unschedule($1)' USING job;
    END IF;
    RETURN job IS NOT NULL;
END $$;

COMMENT ON FUNCTION hibob_roster.unschedule()
IS 'removes the job that schedule() created';
