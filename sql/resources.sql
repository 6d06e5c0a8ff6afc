--
-- All other resources: tables of employees, lists, time off, positions, reports.
-- The TAP tests compare all rows with HiBob's responses; this test shows some.
--
\getenv here PG_ABS_SRCDIR
\set here :here '/test/lib/regress.sql'
\i :here
\getenv base HIBOB_SIM_BASE
\! "$HIBOB_TELL" reset
CREATE EXTENSION hibob_fdw;
CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw OPTIONS (base_url :'base');
CREATE USER MAPPING FOR CURRENT_USER SERVER bob
	OPTIONS (service_user_id 'SERVICE-5772', token 's3cret-canary-token');
CREATE SCHEMA hr;
IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr
	OPTIONS (custom_tables 'true', reports 'true');
SET search_path = hr, public;

-- All of them as JSON: the number of rows and of values.
CREATE FUNCTION public.census() RETURNS TABLE (tab text, num bigint, filled bigint)
LANGUAGE plpgsql AS $$
DECLARE
	bound text;
BEGIN
	FOR tab IN SELECT relname FROM pg_class
				WHERE relnamespace = 'hr'::regnamespace ORDER BY relname COLLATE "C"
	LOOP
		bound := CASE tab
			WHEN 'time_off' THEN
				'WHERE last_day >= ''2026-11-24'' AND first_day < ''2026-12-25'''
			WHEN 'time_off_changes' THEN 'WHERE since >= ''2026-09-01'''
			ELSE '' END;
		RETURN QUERY EXECUTE format('SELECT %1$L::text, count(*),
			coalesce(sum((SELECT count(*) FROM json_each_text(row_to_json(t)) j
				WHERE j.value IS NOT NULL)), 0)::bigint FROM %1$I t %2$s', tab, bound);
	END LOOP;
END $$;
SELECT * FROM census();

-- Tables of employees.
SELECT id, effective_date, end_effective_date, is_current, job_title_id,
	   site, manager_email, work_change_type, team
  FROM work_history WHERE employee_id = '3332883884017713275' ORDER BY id;
SELECT status, employee_status, count(*), count(DISTINCT employee_id)
  FROM lifecycle_history WHERE is_current GROUP BY 1, 2 ORDER BY 1, 2;
SELECT currency, pay_period, count(*), round(avg(amount)) AS amount
  FROM salaries WHERE is_current GROUP BY 1, 2 ORDER BY 1, 2;
SELECT actual_working_pattern->>'workingPatternType' AS pattern, count(*)
  FROM employment_history GROUP BY 1 ORDER BY 1;
SELECT count(*), count(data->'customColumns'), min(id) FROM dependents;

-- Pages, and the requests.
SELECT explain($$SELECT id FROM salaries$$);
SELECT explain($$SELECT id FROM salaries LIMIT 7$$);
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM salaries WHERE is_current LIMIT 7;
SELECT explain($$
SELECT id FROM salaries
 WHERE employee_id IN ('3332883884017713312', '3332883884017713275', NULL)$$);
SELECT explain($$SELECT id FROM salaries WHERE employee_id = ANY (ARRAY[]::text[])$$);
SELECT explain($$
SELECT id FROM payments
 WHERE employee_id = '3332883884017713275' AND pay_date >= '2026-01-01'
   AND pay_date < '2026-07-01'$$);
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM payments;
SELECT explain($$
SELECT name FROM training
 WHERE employee_id = ANY ('{3332883884017713312,3332883884017713275,99}')$$);
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM training;

-- A custom table, with human-readable values.
\d certifications
SELECT * FROM certifications WHERE employee_id = '3332883884017713275';

-- Lists.
SELECT * FROM named_lists WHERE list = 'field_1700000000008';
SELECT id, name FROM named_lists WHERE list = 'department' AND archived;
SELECT * FROM named_lists WHERE list = 'Department';
SELECT list, count(*) FROM named_lists
 WHERE list IN ('title', 'site', 'department') GROUP BY 1 ORDER BY 1;
SELECT explain($$SELECT id FROM named_lists WHERE list IN ('site', 'department')$$);

-- Absences: a range of dates is required.
SELECT count(*) FROM time_off;
SELECT count(*) FROM time_off WHERE end_date >= '2026-11-24';
SELECT explain($$
SELECT employee_id FROM time_off
 WHERE end_date >= '2026-11-24' AND start_date < timestamp '2026-12-25 12:00'$$);
SELECT explain($$SELECT employee_id FROM time_off WHERE date = '2026-11-24'$$);
SELECT count(*) FROM time_off WHERE date = NULL;
SELECT type, count(*), count(start_date), count(date) FROM time_off
 WHERE date BETWEEN '2026-11-01' AND '2026-12-25'
	OR start_date > '2026-01-01'
 GROUP BY 1;
SELECT DISTINCT status FROM time_off
 WHERE start_date BETWEEN '2026-11-01' AND '2026-12-25';
ALTER FOREIGN TABLE time_off OPTIONS (ADD include_pending 'true');
SELECT DISTINCT status FROM time_off
 WHERE start_date BETWEEN '2026-11-01' AND '2026-12-25' ORDER BY 1;

-- Changes of absences: a lower bound is required, and is a column.
SELECT count(*) FROM time_off_changes WHERE created_at >= '2026-11-01';
SELECT DISTINCT since, until FROM time_off_changes
 WHERE since > '2026-11-01 12:00+02' AND until <= '2026-11-20';
SELECT count(*) FROM time_off_changes WHERE since >= '2025-11-01';
SELECT count(*) FROM time_off_changes WHERE since >= 'infinity';
SELECT explain($$
SELECT request_id FROM time_off_changes
 WHERE since = '2026-09-01' AND until < '2026-11-24'$$);

-- Positions: the request names the fields, and human-readable values if needed.
EXPLAIN (VERBOSE, COSTS OFF) SELECT name, fte FROM positions;
EXPLAIN (VERBOSE, COSTS OFF) SELECT name, department FROM positions;
SELECT id, name, department, site, fte, filled_by_name FROM positions
 ORDER BY id LIMIT 3 \g (format=unaligned)
SELECT status, count(*) FROM position_openings GROUP BY 1 ORDER BY 1;
SELECT id, name FROM job_families ORDER BY id LIMIT 2;

-- Reports.
\d headcount
SELECT id, name, fields[1:3] FROM reports ORDER BY id;
SELECT full_name, department, start_date FROM headcount LIMIT 2;
SELECT * FROM same_label_twice LIMIT 1;
SELECT count(*) FROM nobody;
ALTER FOREIGN TABLE headcount ALTER COLUMN department OPTIONS (SET field 'Team');
SELECT department FROM headcount LIMIT 1;
ALTER FOREIGN TABLE headcount ALTER COLUMN department OPTIONS (DROP field);
SELECT department FROM headcount LIMIT 1;
ALTER FOREIGN TABLE headcount OPTIONS (SET report_id '999');
SELECT full_name FROM headcount;
ALTER FOREIGN TABLE certifications OPTIONS (SET table_id 'root__table_9');
SELECT id FROM certifications;

-- A module that is not active.
\! "$HIBOB_TELL" config '{"modules_off": ["/tasks", "/bulk/people/equities"]}'
SELECT count(*) FROM tasks;
SELECT count(*) FROM equity_grants;
\! "$HIBOB_TELL" reset

-- Values that the service user may not see.
\! "$HIBOB_TELL" config '{"hidden_employees": [2], "restricted_columns": {"work": {"no_view_permission": ["title"], "no_view_history_permission": ["site"]}}}'
SELECT count(*) FROM work_history WHERE employee_id = '3332883884017713312';
SELECT count(job_title_id), count(site) > 0 AS site FROM work_history;
SELECT count(department_id) > 0 AS department FROM work_history;
ALTER FOREIGN TABLE work_history OPTIONS (ADD on_missing_field 'error');
SELECT job_title_id FROM work_history;
SELECT count(*) FROM work_history WHERE employee_id = '3332883884017713312';
ALTER FOREIGN TABLE work_history OPTIONS (SET on_missing_field 'ignore');
SELECT count(job_title_id) FROM work_history;
\! "$HIBOB_TELL" reset

-- Field-level permissions: restricted columns are null, and may not be named;
-- employees that nobody named.
\! "$HIBOB_TELL" config '{"restricted_form": "null", "restricted_columns": {"work": {"no_view_permission": ["title"]}}}'
ALTER FOREIGN TABLE work_history OPTIONS (SET on_missing_field 'warn');
SELECT count(job_title_id), count(effective_date) > 0 AS rest FROM work_history;
\! "$HIBOB_TELL" config '{"restricted_form": "null announced by the header alone"}'
SELECT count(job_title_id), count(effective_date) > 0 AS rest FROM work_history;
SELECT count(effective_date) > 0 AS rest FROM work_history;
ALTER FOREIGN TABLE work_history OPTIONS (SET on_missing_field 'error');
SELECT count(job_title_id) FROM work_history;
\! "$HIBOB_TELL" reset
\! "$HIBOB_TELL" config '{"hidden_employees": [2], "refuse_unnamed": true}'
SELECT count(job_title_id) FROM work_history;
ALTER FOREIGN TABLE work_history OPTIONS (SET on_missing_field 'warn');
SELECT count(job_title_id) > 0 AS rest FROM work_history;
\! "$HIBOB_TELL" reset

-- Columns with a path of keys.
\! "$HIBOB_TELL" config '{"restricted_columns": {"salaries": {"no_view_permission": ["base", "change.reason", "bas"], "no_view_history_permission": ["column_1"]}}}'
SELECT count(amount), count(changed_by) > 0 AS changed FROM salaries;
ALTER FOREIGN TABLE salaries ADD COLUMN change jsonb OPTIONS (field 'change'),
	ADD COLUMN one text OPTIONS (field 'customColumns.column_1');
SELECT count(change) > 0 AS changed, count(one), count(effective_date) > 0 AS rest
  FROM salaries;
\! "$HIBOB_TELL" reset

-- A field that is missing in a row.
ALTER FOREIGN TABLE tasks ALTER COLUMN title OPTIONS (SET field 'titel');
SELECT count(title) FROM tasks;
ALTER FOREIGN TABLE tasks ADD COLUMN owners text;
SELECT count(owners) FROM tasks;
ALTER FOREIGN TABLE positions ADD COLUMN grade text,
	ADD COLUMN level text OPTIONS (field '/position/level');
SELECT count(grade) FROM positions;
SELECT count(level) FROM positions;

-- Employees are read by their ids: a response without ids is an error.
\! "$HIBOB_TELL" config '{"hidden_fields": ["root.id"]}'
SELECT count(*) FROM training;
ALTER FOREIGN TABLE people OPTIONS (ADD batch_size '100');
SELECT count(*) FROM people;
\! "$HIBOB_TELL" reset

-- An error of the prefetched page is raised when the scan needs the page.
\! "$HIBOB_TELL" config '{"page_entries": 5, "rate_limits": {"/bulk/people/salaries": 1}, "rate_window": 300}'
SELECT count(*) FROM (SELECT id FROM salaries WHERE id > 0 LIMIT 2) s;
\! "$HIBOB_TELL" reset

-- Bounds that HiBob cannot represent, and columns that cannot show their bound.
SELECT count(*) > 100 AS many FROM time_off
 WHERE end_date >= '0044-03-15 BC' AND start_date <= '20260-12-31';
SELECT count(*) FROM time_off
 WHERE start_date >= '2026-02-01' AND start_date <= '2026-01-01';
SELECT count(*) > 0 AS some FROM time_off
 WHERE start_date <= '2026-11-24' AND end_date >= '2026-11-26';
ALTER FOREIGN TABLE time_off_changes ALTER COLUMN since TYPE date;
SELECT count(*) FROM time_off_changes WHERE since > '2026-11-01';

SET client_min_messages = warning;
DROP SCHEMA hr CASCADE;
DROP FUNCTION census;
DROP USER MAPPING FOR CURRENT_USER SERVER bob;
DROP SERVER bob;
DROP EXTENSION hibob_fdw;
