--
-- Withheld fields and employees: one warning per statement, errors, and
-- min_rows.
--
\getenv base HIBOB_SIM_BASE
\! "$HIBOB_TELL" reset
CREATE EXTENSION hibob_fdw;
CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw OPTIONS (base_url :'base');
CREATE USER MAPPING FOR CURRENT_USER SERVER bob
	OPTIONS (service_user_id 'SERVICE-5772', token 's3cret-canary-token');
CREATE FOREIGN TABLE people (id text, email text, status text, job_title text,
	cost_centre text OPTIONS (field 'work.costCentre'))
	SERVER bob OPTIONS (resource 'people');
CREATE FOREIGN TABLE work_history (id text, employee_id text, site text,
	job_title_id text) SERVER bob OPTIONS (resource 'work_history');
\set VERBOSITY terse

-- Nine lookups, one warning; the next statement warns again.
CREATE TABLE ids AS SELECT (3332883884017713238 + 37 * n)::text AS id
  FROM generate_series(2, 10) n;
ANALYZE ids;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT count(p.email), count(p.cost_centre) FROM ids JOIN people p USING (id);
RESET enable_hashjoin;
RESET enable_mergejoin;
SELECT (SELECT count(p.cost_centre) FROM people p WHERE p.id = i.id) FROM ids i LIMIT 3;
-- Several scans, and a function with several statements.
SELECT (SELECT count(cost_centre) FROM people WHERE id = '3332883884017713312'),
	(SELECT count(cost_centre) FROM people WHERE email LIKE 'a%') = 0;
DO $$ BEGIN FOR i IN 1 .. 3 LOOP
	PERFORM cost_centre FROM people WHERE id = (3332883884017713238 + 37 * i)::text;
END LOOP; END $$;
-- Another missing column, or another table, is another warning.
ALTER FOREIGN TABLE people ADD COLUMN floor text OPTIONS (field 'work.floor');
DO $$ BEGIN
	PERFORM cost_centre FROM people WHERE id = '3332883884017713312';
	PERFORM floor FROM people WHERE id = '3332883884017713349';
END $$;
-- What HiBob names as withheld.
\! "$HIBOB_TELL" config '{"restricted_columns": {"work": {"no_view_permission": ["title"]}}}'
SELECT count(job_title_id) FROM work_history;
SELECT (SELECT count(job_title_id) FROM work_history w WHERE w.employee_id = i.id)
  FROM ids i LIMIT 2;
\! "$HIBOB_TELL" reset
-- An error is raised every time.
ALTER FOREIGN TABLE people OPTIONS (ADD on_missing_field 'error');
DO $$ BEGIN FOR i IN 1 .. 2 LOOP
	BEGIN
		PERFORM cost_centre FROM people;
		RAISE 'no error';
	EXCEPTION WHEN fdw_column_name_not_found THEN
		RAISE NOTICE '%', SQLSTATE;
	END;
END LOOP; END $$;
ALTER FOREIGN TABLE people OPTIONS (DROP on_missing_field);

-- The list is found at any depth of the response.
ALTER FOREIGN TABLE work_history OPTIONS (ADD on_missing_field 'error');
SELECT json_build_object('endpoint', '/bulk/people/work', 'json', json_build_object(
	'results', json_build_array(json_build_object('employeeId', '1',
		'values', json_build_array(json_build_object('id', 1)),
		'restricted_columns', json_build_object('no_view_permission',
			json_build_array('title'), 'why',
			(repeat('[', 100) || repeat(']', 100))::json)))))::text AS fault \gset
\setenv FAULT :fault
\! "$HIBOB_TELL" fault "$FAULT"
SELECT id, job_title_id FROM work_history;
SELECT json_build_object('endpoint', '/bulk/people/work', 'json', json_build_object(
	'results', json_build_array(),
	'errors', (repeat('[', 100) || repeat(']', 100))::json))::text AS fault \gset
\setenv FAULT :fault
\! "$HIBOB_TELL" fault "$FAULT"
SELECT count(*) FROM work_history WHERE employee_id = '1';
\! "$HIBOB_TELL" reset

-- min_rows: all employees, or all active ones; no other condition.
ALTER FOREIGN TABLE people OPTIONS (ADD min_rows '450');
SELECT count(*) FROM people;
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "json": {"employees": []}}'
SELECT count(*) FROM people;
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "json": {"employees": []}}'
SELECT count(*) FROM people WHERE status = 'Active';
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "json": {"employees": []}}'
SELECT count(*) FROM people WHERE status = 'Active' AND id IN ('1', '2');
SELECT count(*) FROM (SELECT id FROM people WHERE status = 'Active' LIMIT 1) x;
ALTER FOREIGN TABLE people OPTIONS (SET min_rows '400');
SELECT count(*) > 400 FROM people WHERE status = 'Active';
DROP EXTENSION hibob_fdw CASCADE;
