--
-- EXPLAIN: a value that depends on the running query is shown as the server
-- shows it, wherever the scan is in the plan.
--
\getenv here PG_ABS_SRCDIR
\set here :here '/test/lib/regress.sql'
\i :here
\getenv base HIBOB_SIM_BASE
\! "$HIBOB_TELL" reset
SET client_min_messages = warning;
CREATE EXTENSION hibob_fdw;
-- So that lookups by key are cheap.
CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw
	OPTIONS (base_url :'base', fdw_startup_cost '1', fdw_tuple_cost '10');
CREATE USER MAPPING FOR CURRENT_USER SERVER bob
	OPTIONS (service_user_id 'SERVICE-5772', token 's3cret-canary-token');
CREATE FOREIGN TABLE people (id text, email text, full_name text, manager_id text,
	status text) SERVER bob OPTIONS (resource 'people');
CREATE FOREIGN TABLE work_history (employee_id text, id bigint, job_title_id text)
	SERVER bob OPTIONS (resource 'work_history');
CREATE TABLE licence (app text PRIMARY KEY, person text, email text);
INSERT INTO licence VALUES ('a', '3332883884017713275', 'x@example.com');
ANALYZE licence;

-- The lines about requests and parameters.  Hashed subplans are shown in other ways
-- by other versions.
CREATE FUNCTION requests(query text, options text DEFAULT 'VERBOSE')
RETURNS SETOF text LANGUAGE sql
AS $$
	SELECT regexp_replace(trim(line), '"(\$\d+|\(InitPlan \d+\)\.col1)"', '"InitPlan"')
	  FROM explain(query, options) AS line
	 WHERE line ~ 'HiBob (Request|Local)|Filter:' AND line !~ 'hashed SubPlan'
$$;

\pset tuples_only on
\pset format unaligned
-- A nested loop, also over more than one level.
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT requests($$SELECT p.full_name FROM licence l JOIN people p
	ON p.id = l.person WHERE l.app = 'a'$$);
SELECT requests($$SELECT p.full_name FROM licence l JOIN people p
	ON p.email = lower(l.email) WHERE l.app = 'a'$$);
SELECT requests($$SELECT w.job_title_id FROM licence l JOIN licence k ON k.app > l.app
	LEFT JOIN (people p JOIN work_history w ON w.employee_id = p.id) ON p.id = l.person
	WHERE l.app = 'a'$$);
-- A correlated subquery; in another one, in a condition, in a function.
SELECT requests($$SELECT (SELECT p.full_name FROM people p WHERE p.id = l.person)
	FROM licence l$$);
SELECT requests($$SELECT (SELECT (SELECT count(*) FROM work_history w
	WHERE w.employee_id = l.person) FROM people p WHERE p.id = '7') FROM licence l$$);
SELECT requests($$SELECT app FROM licence l WHERE 1 < (SELECT count(*)
	FROM work_history w WHERE w.employee_id = l.person)$$);
SELECT requests($$SELECT app FROM licence l LEFT JOIN LATERAL (SELECT count(*) AS n
	FROM work_history w WHERE w.employee_id = l.person) w ON true WHERE w.n > 1$$);
SELECT requests($$SELECT g FROM licence l, generate_series(1,
	(SELECT count(*) FROM work_history w WHERE w.employee_id = '5')) g$$);
-- LATERAL.
SELECT requests($$SELECT p.full_name FROM licence l, LATERAL (SELECT full_name
	FROM people p WHERE p.id = l.person OFFSET 0) p$$);
-- UNION ALL under a nested loop.
SELECT requests($$SELECT u.full_name FROM licence l JOIN (SELECT id, full_name
	FROM people UNION ALL SELECT id, email FROM people) u ON u.id = l.person$$);
-- Results of subqueries that are run once.
SELECT requests($$SELECT full_name FROM people
	WHERE id = ANY (ARRAY(SELECT person FROM licence))$$);
SELECT count(*) FROM explain($$SELECT full_name FROM people
	WHERE id = (SELECT max(person) FROM licence) AND full_name > (SELECT max(app)
	FROM licence)$$, 'VERBOSE') AS line WHERE line LIKE '%HiBob%';
-- A condition that is not sent and has parameters.
SELECT requests($$SELECT (SELECT count(*) FROM people p WHERE p.id = l.person
	AND p.full_name > l.app AND p.manager_id = l.email) FROM licence l$$);
-- In a CTE, a recursive query, below a sort and an aggregate.
SELECT requests($$WITH c AS MATERIALIZED (SELECT l.app, (SELECT p.email FROM people p
	WHERE p.id = l.person) FROM licence l) SELECT * FROM c a JOIN c b USING (app)$$);
SELECT requests($$WITH RECURSIVE up AS (SELECT person AS id FROM licence UNION
	SELECT p.manager_id FROM up, LATERAL (SELECT manager_id FROM people p
	WHERE p.id = up.id OFFSET 0) p) SELECT count(*) FROM up$$);
SELECT requests($$SELECT app, max(p.full_name) FROM licence l JOIN people p
	ON p.id = l.person GROUP BY app ORDER BY app$$);
-- In statements that change tables, in EXECUTE, in a cursor.
SELECT requests($$UPDATE licence l SET email = (SELECT p.email FROM people p
	WHERE p.id = l.person)$$);
SELECT requests($$INSERT INTO licence SELECT 'b', 'c', p.email FROM licence l
	JOIN people p ON p.id = l.person ON CONFLICT (app) DO UPDATE
	SET email = (SELECT p.email FROM people p WHERE p.id = licence.person)$$);
SELECT requests($$MERGE INTO licence l USING (SELECT 'a' AS app) n ON n.app = l.app
	WHEN MATCHED THEN UPDATE SET email = (SELECT p.email FROM people p
	WHERE p.id = l.person)$$);
SELECT requests($$SELECT (SELECT p.email FROM people p WHERE p.id = l.person) FROM licence l
	WHERE app = (SELECT max(p.email) FROM people p WHERE p.id = '1' OR p.id = l.person)$$);
-- After the query ran, too, values of other tables are not shown: HiBob may have
-- sent them, and the server may log the plan.
CREATE FOREIGN TABLE absence (employee_id text, policy_type text, as_of date, balance numeric)
	SERVER bob OPTIONS (resource 'time_off_balances');
SELECT requests($$SELECT b.full_name FROM people a, LATERAL (SELECT * FROM people b
	WHERE b.email = a.email OFFSET 0) b WHERE a.id = '3332883884017713312'$$,
	'ANALYZE, VERBOSE');
SELECT requests($$SELECT b.full_name FROM people a, LATERAL (SELECT * FROM people b
	WHERE b.id = a.manager_id OFFSET 0) b WHERE a.email = 'robert.backslash2@example.com'$$,
	'ANALYZE, VERBOSE');
SELECT requests($$SELECT FROM people a, LATERAL (SELECT FROM work_history w
	WHERE w.employee_id = a.manager_id OFFSET 0) w WHERE a.id = '3332883884017713312'$$,
	'ANALYZE, VERBOSE');
SELECT requests($$SELECT b.balance FROM people a, LATERAL (SELECT * FROM absence b
	WHERE b.employee_id = a.id AND b.policy_type = 'Holiday' AND b.as_of = '2026-11-01'
	OFFSET 0) b WHERE a.id = '3332883884017713312'$$, 'ANALYZE, VERBOSE');
SELECT requests($$SELECT b.balance FROM people a, LATERAL (SELECT * FROM absence b
	WHERE b.employee_id = '3332883884017713312' AND b.policy_type = left(a.status, 0) || 'Holiday'
	AND b.as_of = date '2026-11-01' + length(a.status) OFFSET 0) b
	WHERE a.id = '3332883884017713312'$$, 'ANALYZE, VERBOSE');
DROP FOREIGN TABLE absence;
-- In WITH CHECK OPTION, in a policy.
CREATE VIEW employees AS SELECT app, person FROM licence l
	WHERE EXISTS (SELECT FROM people p WHERE p.id = l.person) WITH CHECK OPTION;
SELECT requests($$INSERT INTO employees VALUES ('b', '7')$$);
DROP VIEW employees;
CREATE ROLE regress_hibob_clerk;
CREATE TABLE seat (person text);
CREATE POLICY employees ON seat WITH CHECK ((SELECT p.status FROM people p
	WHERE p.id = person) = 'Active');
ALTER TABLE seat ENABLE ROW LEVEL SECURITY;
GRANT INSERT ON seat TO regress_hibob_clerk;
GRANT SELECT ON people TO regress_hibob_clerk;
CREATE USER MAPPING FOR regress_hibob_clerk SERVER bob
	OPTIONS (service_user_id 'SERVICE-5772', token 's3cret-canary-token');
SET ROLE regress_hibob_clerk;
SELECT requests($$INSERT INTO seat VALUES ('7')$$);
RESET ROLE;
DROP TABLE seat;
DROP OWNED BY regress_hibob_clerk;
DROP ROLE regress_hibob_clerk;
-- In TABLESAMPLE, below BitmapOr.
SELECT requests($$SELECT FROM licence l, LATERAL (SELECT FROM licence TABLESAMPLE
	bernoulli ((SELECT length(p.full_name) FROM people p WHERE p.id = l.person))) s$$);
CREATE INDEX ON licence (person);
CREATE INDEX ON licence (email);
SET enable_seqscan = off;
SET enable_indexscan = off;
SELECT requests($$SELECT FROM licence l JOIN licence k
	ON k.person = (SELECT p.manager_id FROM people p WHERE p.id = l.person)
	OR k.email = (SELECT p.email FROM people p WHERE p.email = l.email)$$);
RESET enable_indexscan;
RESET enable_seqscan;
-- In RETURNING, in the condition of ON CONFLICT, in VALUES, LIMIT and a window frame.
SELECT requests($$UPDATE licence l SET email = 'x' RETURNING (SELECT p.email FROM people p
	WHERE p.id = l.person)$$);
SELECT requests($$INSERT INTO licence VALUES ('a') ON CONFLICT (app) DO UPDATE SET email = 'x'
	WHERE (SELECT p.status FROM people p WHERE p.id = licence.person) = 'Active'$$);
SELECT requests($$SELECT FROM licence l, LATERAL (VALUES ((SELECT p.email FROM people p
	WHERE p.id = l.person)), ('x')) v$$);
SELECT requests($$SELECT (SELECT app FROM licence LIMIT ('x' IN (SELECT p.email FROM people p
	WHERE p.id = l.person))::int) FROM licence l$$);
SELECT requests($$SELECT (SELECT max(n) FROM (SELECT count(*) OVER (ORDER BY app ROWS
	('x' IN (SELECT p.email FROM people p WHERE p.id = l.person))::int PRECEDING) AS n
	FROM licence) w) FROM licence l$$);
-- In a function, in the condition of a nested loop.
SELECT requests($$SELECT (SELECT max(n) FROM generate_series(1, ('x' IN (SELECT p.email
	FROM people p WHERE p.id = l.person))::int) n) FROM licence l$$);
SELECT requests($$SELECT k.app FROM licence l JOIN licence k
	ON k.email > (SELECT p.email FROM people p WHERE p.id = l.person)$$);
-- In the conditions of a Result, and of scans by key, index and ctid.
SELECT requests($$SELECT (SELECT 1 WHERE 'x' IN (SELECT p.email FROM people p
	WHERE p.id = l.person)) FROM licence l$$);
SELECT requests($$SELECT (SELECT job_title_id FROM work_history WHERE employee_id = 'y' || ('x'
	IN (SELECT p.email FROM people p WHERE p.id = l.person))) FROM licence l$$);
SET enable_seqscan = off;
SELECT requests($$SELECT (SELECT app FROM licence WHERE app = 'y' || ('x'
	IN (SELECT p.email FROM people p WHERE p.id = l.person))) FROM licence l$$);
SELECT requests($$SELECT (SELECT email FROM licence WHERE app = 'y' || ('x'
	IN (SELECT p.email FROM people p WHERE p.id = l.person))) FROM licence l$$);
SELECT requests($$SELECT (SELECT app FROM licence WHERE ctid = format('(0,%s)', ('x'
	IN (SELECT p.email FROM people p WHERE p.id = l.person))::int)::tid) FROM licence l$$);
SELECT requests($$SELECT (SELECT app FROM licence WHERE ctid < format('(0,%s)', ('x'
	IN (SELECT p.email FROM people p WHERE p.id = l.person))::int)::tid) FROM licence l$$);
RESET enable_seqscan;
-- In the condition of a hash join and of a merge join.
SET enable_nestloop = off;
SET enable_hashjoin = on;
SELECT requests($$SELECT k.email FROM licence l LEFT JOIN licence k ON k.app = l.app
	AND (SELECT p.status FROM people p WHERE p.id = l.person AND p.email = k.email) = 'x'$$);
SELECT requests($$SELECT k.email FROM licence l JOIN licence k
	ON k.app = (SELECT p.email FROM people p WHERE p.id = l.person)$$);
SET enable_hashjoin = off;
SET enable_mergejoin = on;
SELECT requests($$SELECT k.email FROM licence l LEFT JOIN licence k ON k.app = l.app
	AND (SELECT p.status FROM people p WHERE p.id = l.person AND p.email = k.email) = 'x'$$);
SELECT requests($$SELECT k.email FROM licence l JOIN licence k
	ON k.app = (SELECT p.email FROM people p WHERE p.id = l.person)$$);
SET enable_mergejoin = off;
RESET enable_nestloop;
PREPARE one (text) AS SELECT full_name FROM people WHERE id = $1;
SET plan_cache_mode = force_generic_plan;
SELECT requests('EXECUTE one (''7'')');
DEALLOCATE one;

DROP FUNCTION requests;
DROP TABLE licence;
DROP FOREIGN TABLE people, work_history;
DROP USER MAPPING FOR CURRENT_USER SERVER bob;
DROP SERVER bob;
DROP EXTENSION hibob_fdw;
