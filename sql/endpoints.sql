--
-- HiBob's endpoints of 2026: custom tables in bulk, time off, calendars,
-- attendance, jobs, and modules that not every account has.
--
\getenv here PG_ABS_SRCDIR
\set here :here '/test/lib/regress.sql'
\i :here
\getenv base HIBOB_SIM_BASE
\! "$HIBOB_TELL" reset
CREATE EXTENSION hibob_fdw;
CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw
	OPTIONS (base_url :'base', max_rate_limit_wait '0');
CREATE USER MAPPING FOR CURRENT_USER SERVER bob
	OPTIONS (service_user_id 'SERVICE-5772', token 's3cret-canary-token');
CREATE SCHEMA hr;

-- Tables whose queries need an argument are imported by name only.
IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr
	OPTIONS (custom_tables 'true', custom_fields 'false');
SELECT relname FROM pg_class WHERE relnamespace = 'hr'::regnamespace
   AND relname IN ('attendance', 'calendar_events', 'time_off_balances');
IMPORT FOREIGN SCHEMA hibob
	LIMIT TO (attendance, calendar_events, time_off_balances)
	FROM SERVER bob INTO hr;
SET search_path = hr, public;
CREATE FOREIGN TABLE names (name text) SERVER bob
	OPTIONS (resource 'time_off_policy_names');

-- Custom tables come in pages for everybody, with the names of list items.
\! "$HIBOB_TELL" requests --clear >/dev/null
SELECT count(*), count(DISTINCT employee_id), count(level), min(level)
  FROM certifications;
SELECT count(*) FROM 貸与機器;
SELECT count(*) FROM certifications WHERE employee_id = ANY
	('{3332883884017713275,3332883884017713312,99}');
\! "$HIBOB_TELL" requests --clear | cut -c1-160 | sed 's/cursor=[^ ]*/cursor=.../'
SELECT explain($$SELECT id FROM certifications LIMIT 3$$);
CREATE TABLE bulk AS SELECT * FROM certifications;

-- An account without the endpoint: a request for each employee, and a notice
-- once in a session.
\! "$HIBOB_TELL" config '{"bulk_custom_tables": "404", "rate_limit": 0}'
SELECT count(*) FROM (TABLE certifications EXCEPT TABLE bulk) t;
SELECT count(*) FROM (TABLE bulk EXCEPT TABLE certifications) t;
SELECT count(*) FROM 貸与機器;
\! "$HIBOB_TELL" requests --clear | sed 's/[0-9]\{19\}/N/' | cut -d' ' -f2 | cut -d'?' -f1 | sort | uniq -c
SELECT count(*) FROM certifications WHERE employee_id = '3332883884017713275';
-- A new connection tries the endpoint again.
ALTER SERVER bob OPTIONS (SET max_rate_limit_wait '1');
\! "$HIBOB_TELL" config '{"bulk_custom_tables": "400"}'
SELECT count(*) FROM certifications;
-- The endpoint exists, but returns no names: only queries that need names fall
-- back.
ALTER SERVER bob OPTIONS (SET max_rate_limit_wait '0');
\! "$HIBOB_TELL" config '{"bulk_custom_tables": "on", "bulk_human": false}'
SELECT count(*) FROM 貸与機器;
SELECT count(*) FROM (TABLE certifications EXCEPT TABLE bulk) t;
\! "$HIBOB_TELL" requests --clear >/dev/null
SELECT count(score) FROM certifications;
\! "$HIBOB_TELL" requests --clear | cut -d' ' -f2 | cut -d'?' -f1 | sort | uniq -c
-- A table that is not there.
CREATE FOREIGN TABLE gone (employee_id text, id bigint) SERVER bob
	OPTIONS (resource 'custom_table', table_id 'root__table_1');
SELECT * FROM gone;
\! "$HIBOB_TELL" reset

-- Absences: each has a first and a last day, whatever its type.
SELECT type, count(*), count(start_date) AS start, count(end_date) AS "end",
	   count(percentage_of_day) AS percent, count(durations) AS durations,
	   count(time_zone) AS zone, count(total_cost) AS cost
  FROM time_off
 WHERE last_day >= '2026-11-01' AND first_day <= '2026-12-25'
 GROUP BY type ORDER BY type COLLATE "C";
SELECT count(*) FILTER (WHERE end_date >= '2026-11-01'
	AND start_date <= '2026-12-25') AS by_range, count(*) AS all_of_them,
	max(last_day) FROM time_off
 WHERE last_day >= '2026-11-01' AND first_day <= '2026-12-25';
SELECT explain($$SELECT type FROM time_off
 WHERE last_day >= '2026-11-24' AND first_day < '2026-11-26'$$);
SELECT count(*) FROM time_off WHERE first_day = '2026-11-24';
-- Home office and travel count as out, unless the table says otherwise.
SELECT policy_type, count(*) FROM time_off
 WHERE last_day >= '2026-11-24' AND first_day <= '2026-11-24'
   AND policy_type IN ('Home office', 'Business travel') GROUP BY 1 ORDER BY 1;
ALTER FOREIGN TABLE time_off OPTIONS (ADD include_working 'false');
SELECT count(*), count(*) FILTER (WHERE policy_type IN
	('Home office', 'Business travel')) AS working FROM time_off
 WHERE last_day >= '2026-11-24' AND first_day <= '2026-11-24';
ALTER FOREIGN TABLE out_today OPTIONS (ADD include_pending 'true');
SELECT explain($$SELECT employee_id FROM out_today WHERE today = '2026-11-20'$$);
SELECT today, count(*) FROM out_today WHERE today = '2026-11-20' GROUP BY 1;
SELECT count(*) FROM out_today WHERE last_day < '2026-11-24';
SELECT day, EXISTS (SELECT FROM out_today o WHERE o.today = day) AS out,
	(SELECT count(*) > 0 FROM out_today o WHERE o.today = day) AS expected
  FROM (SELECT date '2026-11-02' + n % 3 FROM generate_series(1, 300) n) d (day)
 GROUP BY day, out, expected ORDER BY day;
SELECT change_type, first_day, last_day, end_date FROM time_off_changes
 WHERE since >= '2026-10-01' AND last_day = 'infinity' ORDER BY request_id LIMIT 2;

-- Policies, and the requests that come before theirs.
SELECT * FROM time_off_policy_types ORDER BY name;
SELECT policy_type, name, unit, allowance, max_balance,
	   years_of_service_increase->0->>'extraDays' AS extra
  FROM time_off_policies ORDER BY 1, 2;
\! "$HIBOB_TELL" requests --clear >/dev/null
SELECT name FROM time_off_policies WHERE policy_type = 'Holiday' ORDER BY 1;
SELECT activity FROM time_off_policy_types WHERE name IN ('Sick', 'None');
\! "$HIBOB_TELL" requests --clear | sort
EXPLAIN (VERBOSE, COSTS OFF) SELECT name FROM time_off_policies;
EXPLAIN (VERBOSE, COSTS OFF) SELECT name FROM time_off_policy_types;
-- Balances: by employee and policy type, as of a day.
SELECT policy_type, as_of, policy, balance, rounded_balance, point_in_time
  FROM time_off_balances
 WHERE employee_id = '3332883884017713312' AND as_of = '2026-06-30'
 ORDER BY policy_type COLLATE "C";
\! "$HIBOB_TELL" requests --clear | sort
SELECT explain($$SELECT balance FROM time_off_balances
 WHERE employee_id IN ('3332883884017713312', '3332883884017713275')
   AND policy_type = ANY ('{Sick,Holiday}') AND as_of = '2026-06-30'$$);
SELECT count(*) FROM time_off_balances
 WHERE employee_id = '1' AND policy_type = 'Sick';
SELECT count(*) FROM time_off_balances
 WHERE employee_id = '3332883884017713275' AND policy_type = ANY ('{}');
EXPLAIN (VERBOSE, COSTS OFF) SELECT balance FROM time_off_balances;

-- Calendars.
\! "$HIBOB_TELL" requests --clear >/dev/null
SELECT source, count(*), count(calendar_id) AS calendars, count(site_id) AS sites
  FROM employee_calendars GROUP BY 1 ORDER BY 1;
\! "$HIBOB_TELL" requests --clear | cut -c1-110
SELECT calendar_name FROM employee_calendars
 WHERE employee_id = '3332883884017713312';
SELECT count(*) FROM calendar_events;
SELECT name, event_type, count(*), min(end_date) FROM calendar_events
 WHERE start_date BETWEEN '2026-01-01' AND '2026-12-31' GROUP BY 1, 2 ORDER BY 4;
SELECT explain($$SELECT id FROM calendar_events
 WHERE start_date >= '2026-01-01' AND start_date < '2027-01-02'$$);
-- 367 days and more are several requests, which share no day.
SELECT explain($$SELECT id FROM calendar_events
 WHERE start_date >= '2025-12-31' AND start_date <= '2027-01-01'$$);
SELECT count(*), count(DISTINCT id) FROM calendar_events
 WHERE start_date BETWEEN '2020-01-01' AND '2030-12-31';
SELECT count(*), count(DISTINCT site_id) FROM calendar_events
 WHERE site_id IN (2274001, 2274007) AND start_date BETWEEN '2026-01-01' AND '2026-12-31';

-- Attendance: 33 days a request; an entry's day is in one of two fields.
SELECT count(*), count(clock_in_date), count(clock_in_time), count(day),
	   min(day), max(day), sum(duration)
  FROM attendance WHERE day >= '2026-11-01' AND day <= '2026-11-24';
\! "$HIBOB_TELL" requests --clear | cut -d' ' -f1,2 | sort | uniq -c
SELECT count(*), count(DISTINCT id) FROM attendance
 WHERE employee_id IN ('3332883884017713312', '3332883884017713275')
   AND day BETWEEN '2026-09-01' AND '2026-11-24';
\! "$HIBOB_TELL" requests --clear | sed 's/.*\(\[{"fieldId.*\)/\1/' | sort
SELECT id, day, type, clock_in_time, clock_out_time, duration
  FROM attendance WHERE employee_id = '3332883884017713312'
   AND day >= '2026-11-20' AND day <= '2026-11-24' ORDER BY day;
\! "$HIBOB_TELL" config '{"items_form": "values"}'
SELECT count(*), count(day), min(clock_in_time) FROM attendance
 WHERE employee_id = '3332883884017713312'
   AND day >= '2026-11-20' AND day <= '2026-11-24';
\! "$HIBOB_TELL" reset
SELECT count(*) FROM attendance WHERE day >= '2026-11-20';
SELECT count(*) FROM attendance WHERE day >= '2026-11-20' AND day < '9999-12-31';

-- Tasks, jobs, budgets.
SELECT status, count(*), count(DISTINCT employee_id) AS employees, min(id)
  FROM closed_tasks WHERE employee_id = ANY ((SELECT array_agg(
	(3332883884017713238 + 37 * n)::text) FROM generate_series(1, 10) n)::text[])
 GROUP BY 1;
SELECT * FROM job_family_groups ORDER BY id;
SELECT status, count(*), count(description) FROM job_profiles GROUP BY 1 ORDER BY 1;
EXPLAIN (VERBOSE, COSTS OFF) SELECT title FROM job_profiles;
SELECT explain($$SELECT title FROM job_profiles WHERE id IN (128001, 128002)$$);
SELECT explain($$SELECT title FROM job_profiles WHERE status = 'draft'$$);
SELECT assigned_employees FROM job_profiles WHERE id = 128003;
SELECT id, total_position_cost, total_position_cost_currency, currency,
	   update_effective_date FROM position_budgets ORDER BY id LIMIT 2;
SELECT p.name, b.expected_base_salary FROM positions p
  JOIN position_budgets b ON b.id = p.budget_id ORDER BY p.id LIMIT 2;

-- Modules.
SELECT count(*), count(DISTINCT data->>'/goal/id') FROM goals;
EXPLAIN (VERBOSE, COSTS OFF) SELECT data FROM goals;
SELECT id, name, category, proficiency_levels->1 AS level FROM skills
 ORDER BY id LIMIT 2;
EXPLAIN (VERBOSE, COSTS OFF) SELECT name FROM skills;
SELECT id, legal_name, country, supports_remote_workers FROM employers ORDER BY id;
SELECT count(*), count(employee_id), min(languages::text) FROM candidates;
SELECT a.status, a.has_offer, a.desired_salary->>'currency' AS currency, c.email
  FROM applications a JOIN candidates c ON c.id = a.candidate_id
 ORDER BY a.id LIMIT 2;
\! "$HIBOB_TELL" config '{"modules_off": ["/goals", "/timeoff/policy-types", "/bulk/people/address"]}'
SELECT count(*) FROM goals;
SELECT count(*) FROM time_off_policies;
SELECT count(*) FROM address_history;
\! "$HIBOB_TELL" reset

-- Addresses: the endpoint cannot be filtered by employee.
SELECT count(*), count(DISTINCT employee_id), count(usa_state) FROM address_history;
SELECT explain($$SELECT city FROM address_history
 WHERE employee_id = '3332883884017713312'$$);

-- A derived column keeps its meaning under another name.
CREATE FOREIGN TABLE renamed (until date OPTIONS (field 'lastDay'),
	begin date OPTIONS (field 'firstDay')) SERVER bob OPTIONS (resource 'time_off');
SELECT count(*), max(until) FROM renamed
 WHERE until >= '2026-11-24' AND begin <= '2026-11-24';
-- Rows are of one day: it may come from another table, but not be compared
-- otherwise.
CREATE TEMP TABLE days AS SELECT date '2026-11-10' + n AS day
  FROM generate_series(0, 2) AS n;
ANALYZE days;
SELECT day, count(employee_id) FROM days LEFT JOIN out_today ON today = day
 GROUP BY 1 ORDER BY 1;
SELECT day, (SELECT count(*) FROM out_today WHERE today = day) FROM days;
SELECT as_of, balance > 0 AS rest FROM days JOIN time_off_balances ON as_of = day
 WHERE employee_id = '3332883884017713312' AND policy_type = 'Holiday'
 ORDER BY 1;
SELECT count(*) FROM out_today WHERE today > '2026-11-01';
SELECT count(*) FROM out_today JOIN days ON today >= day;
SELECT count(*) FROM time_off_balances WHERE as_of IN ('2026-11-01', '2026-11-02');
-- Groups of rows that say behind the rows whose they are, and some without rows.
CREATE TEMP TABLE before AS SELECT * FROM work_history;
\! "$HIBOB_TELL" config '{"group_order": "values", "empty_groups": "null"}'
\! "$HIBOB_TELL" fault '{"endpoint": "/bulk/people/work", "split": {"sizes": [11, 500]}}'
SELECT count(*) > 0 AS rows FROM before;
SELECT count(*) FROM (SELECT w::text FROM work_history w
	EXCEPT ALL SELECT b::text FROM before b) AS differing;
\! "$HIBOB_TELL" fault '{"endpoint": "/bulk/people/work", "body": "{\"results\":[{\"values\":[{\"id\":1}]}]}"}'
SELECT id FROM work_history;
\! "$HIBOB_TELL" config '{"group_order": "id", "empty_groups": "none"}'
-- The specification spells one key with a capital C.
SELECT count(created_on), count(reason) FROM employment_history;
\! "$HIBOB_TELL" config '{"creation_key": "CreationDate"}'
SELECT count(created_on) > 400 AS many FROM employment_history;
\! "$HIBOB_TELL" config '{"table_columns": true}'
IMPORT FOREIGN SCHEMA hibob LIMIT TO (salaries) FROM SERVER bob INTO public;
SELECT count(*) > 400 AS many, min(bonus_share), pg_typeof(min(bonus_share))
  FROM public.salaries WHERE bonus_share IS NOT NULL;
-- A time without a zone is UTC, whatever the session's zone.
\! "$HIBOB_TELL" config '{"created_on_zone": ""}'
SET TimeZone = 'America/New_York';
SELECT max(created_at AT TIME ZONE 'UTC') FROM time_off_changes WHERE since = '2026-09-01Z';
SET TimeZone = 'Asia/Tokyo';
SELECT max(created_at AT TIME ZONE 'UTC') FROM time_off_changes WHERE since = '2026-09-01Z';
RESET TimeZone;
\! "$HIBOB_TELL" config '{"created_on_zone": "Z"}'
SELECT max(created_at AT TIME ZONE 'UTC') FROM time_off_changes WHERE since = '2026-09-01Z';

\! "$HIBOB_TELL" reset

SET client_min_messages = warning;
DROP SCHEMA hr CASCADE;
DROP FOREIGN TABLE public.salaries;
DROP USER MAPPING FOR CURRENT_USER SERVER bob;
DROP SERVER bob;
DROP EXTENSION hibob_fdw;
