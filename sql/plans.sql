--
-- Plans: parameterized scans, statistics, shared results, local conditions.
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
IMPORT FOREIGN SCHEMA hibob LIMIT TO (people, work_history, training, named_lists,
	time_off, tasks) FROM SERVER bob INTO hr;
SET search_path = hr, public;

-- One outer row: a parameterized scan.  More: one search.
CREATE TABLE licence (app text, person text, email text);
INSERT INTO licence SELECT 'app ' || n, (3332883884017713238 + 37 * n)::text, NULL
  FROM generate_series(1, 400) n;
UPDATE licence l SET email = p.email FROM people p WHERE p.id = l.person;
ANALYZE licence;
SELECT explain($$
SELECT p.full_name FROM licence l JOIN people p ON p.id = l.person WHERE app = 'app 2'$$,
	'VERBOSE');
SELECT explain($$
SELECT p.full_name FROM licence l JOIN people p ON p.id = l.person$$, 'VERBOSE false');
EXPLAIN (COSTS OFF)
SELECT p.full_name FROM licence l JOIN people p ON lower(p.email) = lower(l.email);
\! "$HIBOB_TELL" requests --clear >/dev/null
SELECT p.full_name FROM licence l JOIN people p ON p.id = l.person WHERE app = 'app 2';
SELECT p.full_name FROM licence l JOIN people p ON p.email = l.email WHERE app = 'app 6';
SELECT app, p.full_name FROM licence l LEFT JOIN people p ON p.email = l.email
 WHERE app IN ('app 5', 'app 7') ORDER BY app;
SELECT count(*) FROM licence l JOIN people p ON lower(p.email) = lower(l.email);
SELECT m.full_name FROM people p JOIN people m ON m.id = p.manager_id
 WHERE p.id = '3332883884017713312';
SELECT count(*), count(DISTINCT w.job_title_id) FROM licence l
  JOIN work_history w ON w.employee_id = l.person WHERE app IN ('app 1', 'app 2');
SELECT count(*) FROM licence l JOIN training t ON t.employee_id = l.person
 WHERE app IN ('app 1', 'app 2');
\! "$HIBOB_TELL" requests --clear

-- More outer rows than the planner expects: lookups end after as many requests as
-- a scan of all rows takes.
CREATE FUNCTION persons(count int) RETURNS SETOF text ROWS 1 LANGUAGE sql VOLATILE
	AS 'SELECT person FROM licence LIMIT count';
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SET enable_memoize = off;
\! "$HIBOB_TELL" requests --clear >/dev/null
SELECT count(*), count(name) FROM persons(100) person
  LEFT JOIN LATERAL (SELECT full_name AS name FROM people p
					  WHERE p.id = person OFFSET 0) p ON true;
\! "$HIBOB_TELL" requests --clear

-- ... also after a null, which makes no request: a null and 30 people twice.
CREATE FUNCTION numbers() RETURNS SETOF int ROWS 1 LANGUAGE sql VOLATILE
	AS 'SELECT generate_series(1, 62)';
SELECT n, count(name) FROM (SELECT n, CASE WHEN n % 31 <> 20 THEN
		(3332883884017713238 + 37 * (n % 31 + 1))::text END AS person
		FROM numbers() n OFFSET 0) l
  LEFT JOIN LATERAL (SELECT full_name AS name FROM people p
					  WHERE p.id = l.person OFFSET 0) p ON true
 GROUP BY n HAVING count(name) = 0 ORDER BY n;
SELECT count(*), count(name) FROM (SELECT CASE WHEN n = 1 THEN
		(3332883884017713275)::text END AS person FROM numbers() n OFFSET 0) l
  LEFT JOIN LATERAL (SELECT full_name AS name FROM people p
					  WHERE p.id = l.person OFFSET 0) p ON true;
\! "$HIBOB_TELL" requests --clear
-- ... with LIMIT for each value, the pages are complete ones then.
SELECT count(*), count(job_title_id) FROM persons(60) person
  LEFT JOIN LATERAL (SELECT job_title_id FROM work_history w
					  WHERE w.employee_id = person LIMIT 1) w ON true;
\! "$HIBOB_TELL" requests --clear | grep -v cursor | sed 's/employeeIds=[0-9]*/employeeIds=N/' | sort | uniq -c | sed 's/^ *//'
-- If the planner expects many rows, there are no lookups.
SELECT count(*), count(name) FROM (SELECT person FROM licence LIMIT 100) l
  LEFT JOIN LATERAL (SELECT full_name AS name FROM people p
					  WHERE p.id = l.person OFFSET 0) p ON true;
\! "$HIBOB_TELL" requests --clear

-- Memoize, if lookups are cheap.
SET enable_memoize = on;
ALTER SERVER bob OPTIONS (ADD fdw_startup_cost '1', ADD fdw_tuple_cost '10');
CREATE TABLE again AS
SELECT (3332883884017713275 + 37 * (n % 2))::text AS id FROM generate_series(1, 8) n;
ANALYZE again;
SELECT explain($$SELECT count(*) FROM again a JOIN people p ON p.id = a.id$$, 'ANALYZE');
DROP TABLE again;
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;
ALTER SERVER bob OPTIONS (DROP fdw_startup_cost, DROP fdw_tuple_cost);

-- The values of a subquery, once.
SELECT explain($$
SELECT full_name FROM people
 WHERE id = ANY (ARRAY(SELECT person FROM licence WHERE app < 'app 2'))$$, 'ANALYZE');

-- Statistics.
EXPLAIN SELECT id FROM tasks;
SELECT count(*) FROM tasks;
EXPLAIN SELECT id FROM tasks;
ALTER FOREIGN TABLE tasks OPTIONS (ADD min_rows '1');
EXPLAIN SELECT id FROM tasks;
ALTER FOREIGN TABLE people DROP COLUMN work_phone;
ANALYZE people, work_history;
RESET client_min_messages;
ANALYZE time_off;
SET client_min_messages = warning;
SELECT relname, reltuples FROM pg_class WHERE relkind = 'f' AND reltuples > 0
 ORDER BY 1;
SELECT attname, n_distinct, null_frac > 0 AS nulls FROM pg_stats
 WHERE tablename = 'people' AND attname IN ('id', 'email', 'status', 'department')
 ORDER BY 1;
EXPLAIN SELECT id FROM people WHERE department = 'Legal';
\! "$HIBOB_TELL" fault '{"reset": 5000}'
ALTER SERVER bob OPTIONS (ADD max_retries '0');
\set VERBOSITY terse
ANALYZE people;
\set VERBOSITY default
SELECT reltuples FROM pg_class WHERE relname = 'people';

-- Several scans share one result: one request has the columns of all of them.
SET enable_nestloop = off;
\! "$HIBOB_TELL" requests --clear >/dev/null
SELECT count(*), count(m.full_name) FROM people p JOIN people m ON m.id = p.manager_id;
SELECT (SELECT count(*) FROM work_history) AS rows,
	   (SELECT count(DISTINCT employee_id) FROM work_history) AS people,
	   (SELECT max(effective_date) FROM work_history) AS last;
WITH RECURSIVE tree AS (
	SELECT id, 1 AS level FROM people WHERE manager_id IS NULL
	UNION ALL
	SELECT p.id, level + 1 FROM people p JOIN tree t ON p.manager_id = t.id)
SELECT level, count(*) FROM tree GROUP BY 1 ORDER BY 1;
\! "$HIBOB_TELL" requests --clear
SELECT explain($$SELECT count(*), count(m.full_name) FROM people p JOIN people m ON m.id = p.manager_id$$);
-- Each scan returns all rows, in any order of execution.
SELECT count(*), sum((a.n = b.n)::int) FROM
	(SELECT id, row_number() OVER () AS n FROM people) a
	FULL JOIN (SELECT id, row_number() OVER () AS n FROM people) b USING (id);
SELECT count(*) FROM (SELECT id FROM people LIMIT 3) a, (SELECT id FROM people) b;
BEGIN;
DECLARE c CURSOR FOR SELECT count(*) FROM people p JOIN people m USING (id)
	UNION ALL SELECT count(*) FROM people;
FETCH 1 FROM c;
SELECT count(*) FROM people a JOIN people b USING (email);
CLOSE c;
COMMIT;
-- Scans with different conditions share a result with all rows.
\! "$HIBOB_TELL" requests --clear >/dev/null
SELECT (SELECT count(*) FROM people WHERE status = 'Active') AS active,
	   (SELECT count(*) FROM people) AS all,
	   (SELECT count(*) FROM people WHERE status = 'Inactive') AS inactive;
\! "$HIBOB_TELL" requests --clear
-- An interrupted response is an error for all of them.
\! "$HIBOB_TELL" fault '{"reset": 50000}'
\set VERBOSITY sqlstate
SELECT count(*) FROM people p JOIN people m ON m.id = p.manager_id;
\set VERBOSITY default
SELECT count(*) FROM people p JOIN people m ON m.id = p.manager_id;
RESET enable_nestloop;

-- Conditions that HiBob cannot evaluate.
EXPLAIN (VERBOSE, COSTS OFF)
SELECT id FROM people WHERE status = 'Active' AND email LIKE 'a%' AND id > '3';
SELECT explain($$SELECT id FROM tasks WHERE due > '2026-11-24' AND title = 'x'$$, 'VERBOSE, FORMAT JSON');

DROP SCHEMA hr CASCADE;
DROP USER MAPPING FOR CURRENT_USER SERVER bob;
DROP SERVER bob;
DROP EXTENSION hibob_fdw;
