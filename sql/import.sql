--
-- IMPORT FOREIGN SCHEMA: tables, columns, names.
--
\getenv here PG_ABS_SRCDIR
\set here :here '/test/lib/regress.sql'
\i :here
\getenv base HIBOB_SIM_BASE
\! "$HIBOB_TELL" reset
SET client_min_messages = warning;
CREATE EXTENSION hibob_fdw;
CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw OPTIONS (base_url :'base');
CREATE USER MAPPING FOR CURRENT_USER SERVER bob
	OPTIONS (service_user_id 'SERVICE-5772', token 's3cret-canary-token');
CREATE SCHEMA hr;
CREATE SCHEMA again;

CREATE VIEW tables AS
SELECT relnamespace::regnamespace AS schema, relname AS name,
	   (SELECT count(*) FROM pg_attribute
		 WHERE attrelid = c.oid AND attnum > 0) AS columns, ftoptions AS options
  FROM pg_class c JOIN pg_foreign_table ON ftrelid = c.oid;
CREATE VIEW columns AS
SELECT relnamespace::regnamespace AS schema, relname AS table, attnum AS no,
	   attname AS name, format_type(atttypid, atttypmod) AS type,
	   attnotnull AS not_null, attfdwoptions AS options
  FROM pg_attribute JOIN pg_class c ON attrelid = c.oid
 WHERE relkind = 'f' AND attnum > 0;

-- The defaults.
IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr;
SELECT name, columns FROM tables ORDER BY name COLLATE "C";
SELECT no, name, type, not_null, options FROM columns
 WHERE "table" = 'people' ORDER BY no;
SELECT count(*), count(equipment_cost_centre) > 0 AS equipment,
	   count(laptop_price) > 0 AS price, count(time_in_role) > 0 AS period
  FROM hr.people;
SELECT full_name, cost_centre, languages, business_unit, laptop_price,
	   laptop_price_currency, time_in_role, name_day, badge_last_seen
  FROM hr.people WHERE employee_number IN (2, 3) ORDER BY id \g (format=unaligned)
DROP SCHEMA hr CASCADE;

-- All options.
CREATE SCHEMA hr;
IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr
	OPTIONS (fields 'all', reports 'true', custom_tables 'true');
SELECT name, columns, options FROM tables
 WHERE options::text ~ '_id=' ORDER BY name COLLATE "C";
SELECT count(*), count(DISTINCT name), max(octet_length(name::text)),
	   bool_and(name ~ '^[^A-Z[:punct:] ]+(_[^A-Z[:punct:] ]+)*$') AS snake_case
  FROM columns WHERE "table" = 'people';
SELECT name, type, options FROM columns
 WHERE "table" = 'people' AND options::text ~ 'work\.(site|manager|report|tenure)'
 ORDER BY no;
SELECT name, type, options FROM columns
 WHERE "table" IN ('same_label_twice', 'úř_čů_report') ORDER BY "table", no;
SELECT count(people) FROM hr.people;

-- The result does not depend on the order of HiBob's metadata.
\! "$HIBOB_TELL" config '{"shuffle_fields": true}'
IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO again
	OPTIONS (fields 'all', reports 'true', custom_tables 'true');
SELECT count(*) FROM (
	(SELECT "table", name, type, options FROM columns WHERE schema = 'hr'::regnamespace
	 EXCEPT SELECT "table", name, type, options FROM columns WHERE schema = 'again'::regnamespace)
	UNION ALL
	(SELECT "table", name, type, options FROM columns WHERE schema = 'again'::regnamespace
	 EXCEPT SELECT "table", name, type, options FROM columns WHERE schema = 'hr'::regnamespace)) d;
\! "$HIBOB_TELL" reset
DROP SCHEMA again CASCADE;
DROP SCHEMA hr CASCADE;

-- All kinds of names: other scripts, SQL keywords, symbols, truncated names.
-- An unknown standard field of HiBob is not a custom field.
CREATE SCHEMA hr;
\! "$HIBOB_TELL" fault '{"endpoint": "/company/people/fields", "times": 2, "status": 200, "json": [{"id": "work.custom.field_12", "name": "Grade", "categoryDisplayName": "Work", "type": "list"}, {"id": "work.custom.field_9", "name": "grade"}, {"id": "custom.category_1.field_13", "name": "GRADE!", "categoryDisplayName": "★"}, {"id": "financial.bankName", "name": "Bank", "type": "text"}, {"id": "work.custom.field_14", "name": null, "type": null}, {"id": "work.custom.field_15", "name": "  ", "type": "brand-new"}, {"id": "work.custom.field_16", "name": "ctid"}, {"id": "work.custom.field_17", "name": "Select", "type": "number"}, {"id": "work.custom.field_18", "name": "1st day", "type": "date"}, {"id": "work.custom.field_19", "name": "Straße ÄÖÜ"}, {"id": "work.custom.field_20", "name": "Σίσυφος"}, {"id": "work.custom.field_21", "name": "العربية"}, {"id": "work.custom.field_22", "name": "हिन्दी"}, {"id": "work.custom.O\"quote\\ 1", "name": "a\"b;--"}, {"id": "work.custom.field_23", "name": "名前", "type": "currency"}, {"id": "work.custom.field_24", "name": "名前 currency"}, {"id": "work.custom.field_25", "name": "An agreement that goes on for more bytes than a name has in SQL", "type": "currency"}, {"id": "work.custom.field_26", "name": "An agreement that goes on for more bytes than a name has in SQL, 2"}]}'
IMPORT FOREIGN SCHEMA hibob LIMIT TO (people) FROM SERVER bob INTO hr;
SELECT name, octet_length(name::text) AS bytes, type, options FROM columns
 WHERE "table" = 'people' AND no > 31 ORDER BY no;
DROP FOREIGN TABLE hr.people;
IMPORT FOREIGN SCHEMA hibob LIMIT TO (people) FROM SERVER bob INTO hr
	OPTIONS (fields 'all', custom_fields 'false');
SELECT name, options FROM columns WHERE "table" = 'people' AND no > 31 ORDER BY no;
DROP FOREIGN TABLE hr.people;

-- Of two equal names, the field with the greater id gets the suffix, in any
-- order of the metadata.
\! "$HIBOB_TELL" fault '{"endpoint": "/people/custom-tables/metadata", "json": {"tables": [{"id": "root__table_100", "name": "Thing"}, {"id": "root__table_20", "name": "People", "columns": [{"id": "column_1", "name": "Data"}, {"id": "column_2", "name": "id", "type": "list"}]}, {"id": "root__table_3", "name": "Thing", "columns": null}, {"id": "root__table_4", "name": "", "columns": []}]}}'
\! "$HIBOB_TELL" fault '{"endpoint": "/company/reports", "json": {"views": [{"id": 1000, "name": "Twice"}, {"id": 999, "name": "Twice"}, {"id": 71001, "name": "Thing"}, {"id": 71002, "name": "★"}]}}'
\! "$HIBOB_TELL" fault '{"endpoint": "/company/reports/{report_id}/download", "times": 4, "status": 200, "content_type": "text/csv", "body": "Id,id,\"a\nb\",,ctid\n"}'
IMPORT FOREIGN SCHEMA hibob LIMIT TO (thing, custom_table_thing,
		custom_table_people, root_table_4, twice, report_twice, report_thing,
		report_71002) FROM SERVER bob INTO hr
	OPTIONS (custom_tables 'true', reports 'true');
SELECT name, options FROM tables ORDER BY options;
SELECT name, options FROM columns
 WHERE "table" IN ('custom_table_people', 'report_thing') ORDER BY "table", no;
\! "$HIBOB_TELL" reset
DROP SCHEMA hr CASCADE;

-- Names by ids: ASCII, whatever the labels are.  Columns of the resource table
-- and of reports keep their names.
CREATE SCHEMA hr;
IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr
	OPTIONS (names 'id', fields 'all', reports 'true', custom_tables 'true');
SELECT name, columns, options FROM tables
 WHERE options::text ~ '_id=' ORDER BY name COLLATE "C";
SELECT name, type, options FROM columns
 WHERE "table" = 'people' AND options::text ~ 'custom' ORDER BY no;
SELECT count(*), count(DISTINCT name), max(octet_length(name::text)),
	   bool_and(name ~ '^[a-z0-9]+(_[a-z0-9]+)*$') AS ascii
  FROM columns WHERE "table" NOT LIKE 'report%';
SELECT name, options FROM columns WHERE "table" = 'root_table_1791380280852' ORDER BY no;
SELECT count(work_custom_field_1700000000006) > 0 AS read FROM hr.people;
DROP SCHEMA hr CASCADE;

-- Ids that are equal as names, too long, without ASCII letters, or empty; a field
-- with the name of another column.
CREATE SCHEMA hr;
\! "$HIBOB_TELL" fault '{"endpoint": "/company/people/fields", "status": 200, "json": [{"id": "custom.CASE", "name": "A"}, {"id": "custom.case", "name": "B"}, {"id": "custom.Case", "name": "C", "type": "currency"}, {"id": "custom.名前", "name": "D", "type": "list"}, {"id": "custom.氏名", "name": "E"}, {"id": "payroll.variable.custom.Bonus v1.5.amount", "name": "F"}, {"id": "custom.an_agreement_that_goes_on_for_more_bytes_than_a_name_has_in_sql_1", "name": "G", "type": "currency"}, {"id": "custom.an_agreement_that_goes_on_for_more_bytes_than_a_name_has_in_sql_2", "name": "H"}, {"id": "", "name": "I"}, {"id": "custom.\u0001", "name": "J"}, {"id": "custom.fullNameInÄnglisch", "name": null}]}'
\! "$HIBOB_TELL" fault '{"endpoint": "/people/custom-tables/metadata", "json": {"tables": [{"id": "people", "name": "A", "columns": [{"id": "employee.id", "name": "Employee"}, {"id": "ctid", "name": "B"}, {"id": "名前", "name": "C"}]}, {"id": "名前", "name": "D", "columns": []}]}}'
IMPORT FOREIGN SCHEMA hibob LIMIT TO (people, people_2, unnamed) FROM SERVER bob INTO hr
	OPTIONS (names 'id', custom_tables 'true');
SELECT "table", name, octet_length(name::text) AS bytes, options FROM columns
 WHERE "table" <> 'people' OR no > 31 ORDER BY "table", no;
\! "$HIBOB_TELL" reset
DROP SCHEMA hr CASCADE;

-- LIMIT TO and EXCEPT, and their requests.
CREATE SCHEMA hr;
\! "$HIBOB_TELL" requests --clear >/dev/null
IMPORT FOREIGN SCHEMA hibob LIMIT TO (people, work_history) FROM SERVER bob INTO hr
	OPTIONS (custom_fields 'false');
\! "$HIBOB_TELL" requests --clear
IMPORT FOREIGN SCHEMA hibob LIMIT TO (profiles, nobody) FROM SERVER bob INTO hr
	OPTIONS (reports 'true');
\! "$HIBOB_TELL" requests --clear
SELECT name, columns FROM tables ORDER BY name;
IMPORT FOREIGN SCHEMA hibob EXCEPT (people, profiles, work_history)
	FROM SERVER bob INTO hr OPTIONS (custom_tables 'true');
\! "$HIBOB_TELL" requests --clear
SELECT count(*) FROM tables;

-- Errors.
IMPORT FOREIGN SCHEMA public FROM SERVER bob INTO hr;
IMPORT FOREIGN SCHEMA hibob LIMIT TO (peoples) FROM SERVER bob INTO hr;
IMPORT FOREIGN SCHEMA hibob LIMIT TO (headcount) FROM SERVER bob INTO hr;
IMPORT FOREIGN SCHEMA hibob LIMIT TO (report) FROM SERVER bob INTO hr;
IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr OPTIONS (field 'all');
IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr OPTIONS (fields 'most');
IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr OPTIONS (names 'ids');
IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr OPTIONS (reports 'maybe');
IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr OPTIONS (token 'x');
DROP SCHEMA hr CASCADE;
CREATE SCHEMA hr;
\! "$HIBOB_TELL" config '{"token": "regenerated"}'
IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr;
\! "$HIBOB_TELL" reset
ALTER USER MAPPING FOR CURRENT_USER SERVER bob OPTIONS (SET token 's3cret-canary-token');
\! "$HIBOB_TELL" fault '[{"json": [{"name": "no id"}]}, {"json": {"people": []}}, {"html": true}, {"reset": 1000}]'
ALTER SERVER bob OPTIONS (ADD max_retries '0');
IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr;
IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr;
IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr;
\set VERBOSITY sqlstate
IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr;
\set VERBOSITY default
SELECT count(*) FROM tables;

-- Inactive modules, and a report that is no longer shared.
\! "$HIBOB_TELL" config '{"modules_off": ["/company/reports"]}'
IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr OPTIONS (reports 'true');
\! "$HIBOB_TELL" reset
\! "$HIBOB_TELL" fault '{"endpoint": "/company/reports/71003/download", "times": 2, "status": 404}'
IMPORT FOREIGN SCHEMA hibob LIMIT TO ("úř_čů_report") FROM SERVER bob INTO hr
	OPTIONS (reports 'true');
IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr OPTIONS (reports 'true');
SELECT name FROM tables WHERE options::text ~ 'report_id' ORDER BY options;
DROP SCHEMA hr CASCADE;
CREATE SCHEMA hr;
IMPORT FOREIGN SCHEMA hibob EXCEPT ("úř_čů_report") FROM SERVER bob INTO hr
	OPTIONS (reports 'true');
SELECT count(*) FROM tables;
\! "$HIBOB_TELL" reset
DROP SCHEMA hr CASCADE;
CREATE SCHEMA hr;

-- More fields than a request may have, and than a table may have columns.
\! "$HIBOB_TELL" config '{"extra_custom_fields": 500}'
IMPORT FOREIGN SCHEMA hibob LIMIT TO (people) FROM SERVER bob INTO hr;
SELECT count(*) FROM columns WHERE "table" = 'people';
SELECT explain($$SELECT * FROM hr.people$$, 'ANALYZE');
SELECT count(extra_1), count(extra_500), count(p) FROM hr.people p;
SELECT full_name, extra_1 IS NOT NULL AS first, extra_500 IS NOT NULL AS last
  FROM (SELECT * FROM hr.people WHERE id = '3332883884017713312' OFFSET 0) p;
SELECT count(*), count(DISTINCT p.id) FROM (SELECT * FROM hr.people
	WHERE id = ANY (ARRAY(SELECT (3332883884017713275 + 37 * (n % 250))::text
						   FROM generate_series(0, 500) n)) OFFSET 0) p;
\! "$HIBOB_TELL" config '{"extra_custom_fields": 1700}'
DROP FOREIGN TABLE hr.people;
IMPORT FOREIGN SCHEMA hibob LIMIT TO (people) FROM SERVER bob INTO hr;
\! "$HIBOB_TELL" reset

DROP VIEW tables, columns;
DROP SCHEMA hr CASCADE;
DROP USER MAPPING FOR CURRENT_USER SERVER bob;
DROP SERVER bob;
DROP EXTENSION hibob_fdw;
