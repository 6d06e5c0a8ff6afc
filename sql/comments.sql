--
-- hibob_fdw_comment_columns(): comments on columns from HiBob's metadata.
--
\getenv base HIBOB_SIM_BASE
\! "$HIBOB_TELL" reset
SET client_min_messages = warning;
CREATE EXTENSION hibob_fdw;
CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw OPTIONS (base_url :'base');
CREATE USER MAPPING FOR CURRENT_USER SERVER bob
	OPTIONS (service_user_id 'SERVICE-5772', token 's3cret-canary-token');
CREATE SCHEMA hr;
CREATE VIEW comments AS
SELECT relname AS table, objsubid AS no, attname AS name, description
  FROM pg_description
  JOIN pg_class c ON c.oid = objoid
  LEFT JOIN pg_attribute ON attrelid = objoid AND attnum = objsubid AND attnum > 0
 WHERE classoid = 'pg_class'::regclass AND relnamespace::regnamespace::text = 'hr';

-- Columns of resources, custom fields, and columns of custom tables.
IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr
	OPTIONS (custom_tables 'true', reports 'true');
\! "$HIBOB_TELL" requests --clear >/dev/null
SELECT hibob_fdw_comment_columns('hr') = count(*) AS all FROM pg_attribute
  JOIN pg_class c ON c.oid = attrelid
 WHERE relkind = 'f' AND relnamespace = 'hr'::regnamespace AND attnum > 0;
\! "$HIBOB_TELL" requests --clear
SELECT name, description FROM comments
 WHERE "table" = 'people' ORDER BY no;
SELECT name, description FROM comments
 WHERE "table" IN ('certifications', '貸与機器') ORDER BY "table" COLLATE "C", no;
SELECT name, description FROM comments
 WHERE "table" = 'work_history' AND name IN ('job_title_id', 'manager_email', 'team')
 ORDER BY no;
SELECT "table", name, description FROM comments
 WHERE "table" IN ('headcount', 'dependents', 'time_off_changes') AND no IN (0, 1, 3)
 ORDER BY "table", no;

-- Again: comments of the function are replaced, other comments stay.
COMMENT ON COLUMN hr.people.email IS 'Where to write to';
COMMENT ON COLUMN hr.people.site IS 'Seat; HiBob field work.site';
COMMENT ON COLUMN hr.people.status IS NULL;
COMMENT ON FOREIGN TABLE hr.people IS 'Everybody';
COMMENT ON FOREIGN TABLE hr.salaries IS 'Money; HiBob resource salaries';
ALTER FOREIGN TABLE hr.people RENAME job_title TO what_they_do;
SELECT hibob_fdw_comment_columns('hr') = count(*) - 1 AS all_but_one FROM pg_attribute
  JOIN pg_class c ON c.oid = attrelid
 WHERE relkind = 'f' AND relnamespace = 'hr'::regnamespace AND attnum > 0;
SELECT "table", name, description FROM comments
 WHERE ("table" = 'people' AND (no = 0 OR name IN ('email', 'site', 'status', 'what_they_do')))
	OR ("table" = 'salaries' AND no = 0)
 ORDER BY "table", no;
DROP SCHEMA hr CASCADE;

-- Tables that a user created: any field, any name, dropped columns, columns
-- without a field.
CREATE SCHEMA hr;
CREATE FOREIGN TABLE hr."It's staff" (
	gone text,
	id text,
	nobody_knows text,
	"Pay per ""year""" numeric OPTIONS (field 'payroll.salary.yearlyPayment', path 'value'),
	old_field text OPTIONS (field 'work.custom.field_1'),
	everything jsonb OPTIONS (field '*')) SERVER bob OPTIONS (resource 'people');
ALTER FOREIGN TABLE hr."It's staff" DROP COLUMN gone;
CREATE FOREIGN TABLE hr.unknown (employee_id text, x text OPTIONS (field 'column_1'))
	SERVER bob OPTIONS (resource 'custom_table', table_id 'no_such_table');
SELECT hibob_fdw_comment_columns('hr');
SELECT "table", name, description FROM comments ORDER BY "table" COLLATE "C", name COLLATE "C" NULLS FIRST;
DROP FOREIGN TABLE hr."It's staff", hr.unknown;

-- No request if no metadata is needed; tables of other wrappers are ignored.
CREATE FOREIGN DATA WRAPPER other;
CREATE SERVER other FOREIGN DATA WRAPPER other;
CREATE FOREIGN TABLE hr.other (id text) SERVER other OPTIONS (resource 'people');
CREATE FOREIGN TABLE hr.profiles (id text, email text) SERVER bob OPTIONS (resource 'profiles');
CREATE TABLE hr.plain (id text);
\! "$HIBOB_TELL" requests --clear >/dev/null
SELECT hibob_fdw_comment_columns('hr');
\! "$HIBOB_TELL" requests --clear
SELECT "table", name, description FROM comments ORDER BY "table", name NULLS FIRST;

-- Twice in one statement.
SELECT hibob_fdw_comment_columns('hr') AS first, hibob_fdw_comment_columns('hr') AS second;
COMMENT ON COLUMN hr.profiles.id IS NULL;
SELECT hibob_fdw_comment_columns('hr') AS first, hibob_fdw_comment_columns('hr') AS second;

-- It works with any search_path and with the extension in another schema.
CREATE SCHEMA elsewhere;
ALTER EXTENSION hibob_fdw SET SCHEMA elsewhere;
CREATE FUNCTION public.obj_description(oid, name) RETURNS text
	LANGUAGE sql AS $$ SELECT 'never called' $$;
SET search_path = public, pg_catalog;
COMMENT ON FOREIGN TABLE hr.profiles IS NULL;
SELECT elsewhere.hibob_fdw_comment_columns('hr');
RESET search_path;
SELECT description FROM comments WHERE "table" = 'profiles' AND no = 0;
DROP FUNCTION public.obj_description(oid, name);
ALTER EXTENSION hibob_fdw SET SCHEMA public;
DROP SCHEMA elsewhere;

-- The functions that it calls.
SELECT * FROM hibob_fdw_columns('hr') ORDER BY column_number \gx
SELECT * FROM hibob_fdw_metadata('bob', 'fields') WHERE field IN ('work.site', 'root.email') ORDER BY field;
SELECT * FROM hibob_fdw_metadata('bob', 'custom_tables') ORDER BY table_id, field NULLS FIRST LIMIT 3;
SELECT hibob_fdw_metadata('bob', 'people');
SELECT hibob_fdw_metadata('other', 'fields');
SELECT hibob_fdw_columns('nowhere');

-- Roles need EXECUTE; then only their own tables get comments.
CREATE ROLE regress_hibob_reader;
GRANT CREATE, USAGE ON SCHEMA hr TO regress_hibob_reader;
GRANT USAGE ON FOREIGN SERVER bob TO regress_hibob_reader;
GRANT SELECT ON hr.profiles TO regress_hibob_reader;
SET ROLE regress_hibob_reader;
SELECT hibob_fdw_comment_columns('hr');
RESET ROLE;
GRANT EXECUTE ON FUNCTION hibob_fdw_comment_columns TO regress_hibob_reader;
SET ROLE regress_hibob_reader;
SELECT hibob_fdw_comment_columns('hr');
CREATE FOREIGN TABLE hr.people (id text) SERVER bob OPTIONS (resource 'people');
\set VERBOSITY sqlstate
SELECT hibob_fdw_comment_columns('hr');
SELECT hibob_fdw_comment_columns('information_schema');
SELECT hibob_fdw_metadata('bob', 'fields');
RESET ROLE;
REVOKE USAGE ON FOREIGN SERVER bob FROM regress_hibob_reader;
CREATE SCHEMA closed;
SET ROLE regress_hibob_reader;
SELECT hibob_fdw_comment_columns('closed');
SELECT hibob_fdw_metadata('bob', 'fields');
RESET ROLE;
\set VERBOSITY default
DROP SCHEMA closed;
DROP FOREIGN TABLE hr.people;

-- Errors.
\set SHOW_CONTEXT never
SELECT hibob_fdw_comment_columns('nowhere');
SELECT hibob_fdw_comment_columns(NULL);
BEGIN READ ONLY;
SELECT hibob_fdw_comment_columns('hr');
ROLLBACK;
CREATE FOREIGN TABLE hr.people (id text) SERVER bob OPTIONS (resource 'people');
\! "$HIBOB_TELL" fault '{"html": true}'
SELECT hibob_fdw_comment_columns('hr');
SELECT count(*) FROM comments WHERE "table" = 'people';
SELECT hibob_fdw_comment_columns('hr');

DROP VIEW comments;
DROP SCHEMA hr CASCADE;
DROP FOREIGN DATA WRAPPER other CASCADE;
DROP USER MAPPING FOR CURRENT_USER SERVER bob;
REVOKE EXECUTE ON FUNCTION hibob_fdw_comment_columns FROM regress_hibob_reader;
DROP ROLE regress_hibob_reader;
DROP SERVER bob;
DROP EXTENSION hibob_fdw;
