--
-- Foreign tables in all places where PostgreSQL accepts tables: partitions,
-- inheritance, views, row-level security, MERGE, COPY, materialized views; and
-- where it does not accept them.
--
\getenv here PG_ABS_SRCDIR
\set here :here '/test/lib/regress.sql'
\i :here
\getenv base HIBOB_SIM_BASE
\! "$HIBOB_TELL" reset
SET client_min_messages = warning;
CREATE EXTENSION hibob_fdw;
CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw
	OPTIONS (base_url :'base', max_retries '0');
CREATE SERVER bill FOREIGN DATA WRAPPER hibob_fdw OPTIONS (base_url :'base');
CREATE USER MAPPING FOR CURRENT_USER SERVER bob
	OPTIONS (service_user_id 'SERVICE-5772', token 's3cret-canary-token');
CREATE USER MAPPING FOR CURRENT_USER SERVER bill
	OPTIONS (service_user_id 'SERVICE-5772', token 's3cret-canary-token');
CREATE FOREIGN TABLE people (id text NOT NULL, email text, full_name text,
	department text, manager_id text, status text, employee_number int)
	SERVER bob OPTIONS (resource 'people');
-- The first eight people, one of them without an address.
CREATE TABLE licence (app text, person text, email text, price int);
INSERT INTO licence SELECT 'app ' || n, (3332883884017713238 + 37 * n)::text,
	NULL, n * 10 FROM generate_series(1, 8) n;
UPDATE licence l SET email = p.email FROM people p WHERE p.id = l.person;
ANALYZE licence;

-- Partitions with another order of columns, and with a column that HiBob does
-- not have.
CREATE TABLE staff (account text, id text, status text, email text)
	PARTITION BY LIST (account);
CREATE FOREIGN TABLE staff_bob PARTITION OF staff FOR VALUES IN ('bob')
	SERVER bob OPTIONS (resource 'people', on_missing_field 'ignore');
ALTER FOREIGN TABLE staff_bob ALTER account OPTIONS (field 'work.none');
CREATE FOREIGN TABLE staff_bill (email text, account text
		OPTIONS (field 'work.none'), status text, id text)
	SERVER bill OPTIONS (resource 'people', on_missing_field 'ignore');
ALTER TABLE staff ATTACH PARTITION staff_bill FOR VALUES IN ('bill');
CREATE TABLE staff_local PARTITION OF staff DEFAULT;
INSERT INTO staff VALUES ('local', '1', 'Active', 'one@example.com');
\! "$HIBOB_TELL" requests --clear >/dev/null
SELECT tableoid::regclass AS part, count(*), count(email) FROM staff GROUP BY 1 ORDER BY 1;
EXPLAIN (COSTS OFF) SELECT email FROM staff WHERE account = 'bill';
SELECT tableoid::regclass AS part, email FROM staff
 WHERE id IN ('3332883884017713349', '1') ORDER BY 1;
-- A join with a parameterized scan of each partition.
SELECT s.tableoid::regclass AS part, l.app, s.status FROM licence l
  JOIN staff s ON s.id = l.person WHERE l.app = 'app 7' ORDER BY 1;
SELECT l.app, u.email FROM licence l JOIN (SELECT id, email FROM people UNION ALL
	SELECT id, email FROM staff_bill) u ON u.email = l.email WHERE l.app = 'app 3';
\! "$HIBOB_TELL" requests --clear

-- Joins of partitions, UNION ALL branches and children with a dropped column and
-- with a column that has no field and is not read.
CREATE TABLE crew (account text, gone text, id text, odd text, email text)
	PARTITION BY LIST (account);
CREATE FOREIGN TABLE crew_bill (gone text, email text, odd text, id text,
	account text OPTIONS (field 'work.none'))
	SERVER bill OPTIONS (resource 'people', on_missing_field 'ignore');
ALTER TABLE crew ATTACH PARTITION crew_bill FOR VALUES IN ('bill');
ALTER TABLE crew DROP COLUMN gone;
CREATE FOREIGN TABLE member (gone text, odd text, bad text OPTIONS (field 'a..b'),
	id text, email text) SERVER bob OPTIONS (resource 'people');
ALTER FOREIGN TABLE member DROP COLUMN gone;
CREATE TABLE guest (id text, email text);
CREATE FOREIGN TABLE guest_bob (gone text, odd text) INHERITS (guest)
	SERVER bob OPTIONS (resource 'people');
ALTER FOREIGN TABLE guest_bob DROP COLUMN gone;
SELECT l.app, c.email FROM licence l JOIN crew c ON c.id = l.person
 WHERE l.app IN ('app 2', 'app 7') ORDER BY 1;
SELECT l.app, u.email FROM licence l JOIN (SELECT id, email FROM member UNION ALL
	SELECT id, email FROM crew_bill) u ON u.email = l.email WHERE l.app = 'app 3';
SELECT l.app, g.email FROM licence l LEFT JOIN guest g ON g.id = l.person
 WHERE l.app = 'app 2';
SELECT l.app, (SELECT m.email FROM member m WHERE m.id = l.person) FROM licence l
 WHERE l.app = 'app 2';
SELECT odd FROM member;
DROP TABLE crew, guest CASCADE;
DROP FOREIGN TABLE member;
\! "$HIBOB_TELL" requests --clear >/dev/null

-- Inheritance: the whole row, ONLY, a child with an additional column.
CREATE TABLE anybody (email text, id text);
CREATE FOREIGN TABLE employee (full_name text) INHERITS (anybody)
	SERVER bob OPTIONS (resource 'people');
INSERT INTO anybody VALUES ('guest@example.com', '0');
SELECT count(*) FROM anybody;
SELECT count(*) FROM ONLY anybody;
SELECT anybody FROM anybody WHERE id IN ('0', '3332883884017713312') ORDER BY id;
SELECT * FROM anybody a JOIN licence l ON l.person = a.id WHERE l.price < 30 ORDER BY app;
ALTER TABLE anybody ADD status text;
SELECT status, count(*) FROM anybody GROUP BY 1 ORDER BY 1;

-- A view with a security barrier: a leaky function is evaluated after its
-- condition, a leakproof condition is remote.
CREATE VIEW active WITH (security_barrier) AS
	SELECT * FROM people WHERE status = 'Active';
CREATE FUNCTION leaks(text) RETURNS boolean COST 0.0001 LANGUAGE plpgsql AS $$
BEGIN
	IF $1 <> 'Active' THEN RAISE WARNING 'leaked %', $1; END IF;
	RETURN true;
END $$;
SELECT explain($$SELECT id FROM active WHERE leaks(status)
	AND email = 'zoe.mueller3@example.com'$$, 'VERBOSE');
SELECT count(*) FROM active WHERE leaks(status);
SELECT id FROM active WHERE leaks(status) AND email = 'zoe.mueller3@example.com';
SELECT full_name FROM active WHERE id = '3332883884017713497';

-- Row-level security of the joined table, for the owner of the view.
CREATE ROLE hibob_reader;
ALTER TABLE licence ENABLE ROW LEVEL SECURITY;
CREATE POLICY cheap ON licence TO hibob_reader USING (price <= 20);
GRANT SELECT ON licence, active TO hibob_reader;
SET ROLE hibob_reader;
\! "$HIBOB_TELL" requests --clear >/dev/null
SELECT l.app, a.full_name FROM licence l JOIN active a ON a.id = l.person ORDER BY 1;
SELECT a.full_name FROM active a WHERE a.id = ANY (ARRAY(SELECT person FROM licence))
	ORDER BY 1;
\! "$HIBOB_TELL" requests --clear
SELECT * FROM people;
RESET ROLE;
ALTER TABLE licence DISABLE ROW LEVEL SECURITY;
-- PostgreSQL has no policies for foreign tables.
ALTER TABLE people ENABLE ROW LEVEL SECURITY;

-- The source of MERGE, UPDATE, DELETE and INSERT.
\! "$HIBOB_TELL" requests --clear >/dev/null
MERGE INTO licence l USING people p ON p.id = l.person
  WHEN MATCHED AND p.status <> 'Active' THEN DELETE
  WHEN MATCHED THEN UPDATE SET app = l.app || ' of ' || p.department
  WHEN NOT MATCHED AND p.employee_number = 30 THEN INSERT VALUES ('new', p.id, p.email, 0);
SELECT app, email FROM licence ORDER BY price, app;
\! "$HIBOB_TELL" requests --clear
UPDATE licence l SET price = p.employee_number FROM people p
 WHERE p.id = l.person AND p.email LIKE 'john%' RETURNING l.app, l.price;
DELETE FROM licence l USING people p WHERE lower(p.email) = lower(l.email)
   AND p.employee_number = 30 RETURNING p.full_name;
INSERT INTO licence SELECT 'copied', id, email, 1 FROM people
 WHERE id = '3332883884017713312' RETURNING email;
SELECT l.app, p.full_name FROM licence l JOIN people p ON p.id = l.person
 WHERE l.app = 'copied' FOR UPDATE;
SELECT full_name FROM people WHERE id = '3332883884017713312' FOR SHARE;

-- COPY of a query, cursors, CREATE TABLE AS, materialized views.
COPY (SELECT id, full_name FROM people WHERE employee_number < 4 ORDER BY id) TO STDOUT;
COPY people TO STDOUT;
CREATE TABLE copy AS SELECT * FROM people LIMIT 3;
SELECT count(*) FROM copy;
CREATE MATERIALIZED VIEW names AS SELECT id, full_name FROM people WITH NO DATA;
SELECT count(*) FROM names;
REFRESH MATERIALIZED VIEW names;
SELECT count(*) FROM names;
CREATE UNIQUE INDEX ON names (id);
\! "$HIBOB_TELL" config '{"hidden_employees": [1, 2]}'
REFRESH MATERIALIZED VIEW CONCURRENTLY names;
SELECT count(*) FROM names;
-- A refresh that fails keeps the old rows.
\! "$HIBOB_TELL" fault '{"reset": 5000}'
\set VERBOSITY sqlstate
REFRESH MATERIALIZED VIEW names;
\set VERBOSITY default
SELECT count(*) FROM names;
\! "$HIBOB_TELL" reset

-- Commands that do not accept foreign tables: PostgreSQL's errors.
INSERT INTO people (id) VALUES ('1');
UPDATE people SET email = NULL;
DELETE FROM people WHERE id = '1';
TRUNCATE people;
MERGE INTO people p USING licence l ON p.id = l.person WHEN MATCHED THEN DELETE;
COPY people FROM STDIN;
\.
INSERT INTO staff VALUES ('bob', '1', 'Active', 'x');
INSERT INTO anybody VALUES ('x', '1');
UPDATE staff SET email = 'x';
DELETE FROM anybody;
TRUNCATE anybody;
CREATE INDEX ON people (id);
SELECT * FROM people TABLESAMPLE SYSTEM (10);
ALTER TABLE people ADD UNIQUE (id);
CREATE UNIQUE INDEX ON staff (account, id);
VACUUM people;
CREATE STATISTICS s ON id, email FROM people;
\! "$HIBOB_TELL" requests --clear

-- EXPLAIN in all formats; without ANALYZE there is no request.
CREATE FUNCTION explained(options text, query text) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE format('EXPLAIN (COSTS OFF, TIMING OFF, SUMMARY OFF, %s) %s',
			options, query) LOOP
		RETURN QUERY SELECT regexp_replace(rtrim(l, ','), '(Received\D+)\d+', '\1N')
			FROM string_to_table(line, E'\n') l WHERE l ~ 'HiBob|\(people';
	END LOOP;
END $$;
SELECT explained('VERBOSE, FORMAT ' || f, 'SELECT id FROM people
	WHERE status = ''Active'' AND full_name ~ ''<&"'' AND email LIKE ''a%'' LIMIT 1')
  FROM unnest('{TEXT,JSON,XML,YAML}'::text[]) f;
PREPARE by_id (text) AS SELECT full_name FROM people WHERE id = $1
	AND department <> 'x';
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE by_id ('7');
SET plan_cache_mode = force_generic_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE by_id ('7');
RESET plan_cache_mode;
\! "$HIBOB_TELL" requests --clear
SELECT explained('ANALYZE, FORMAT ' || f, 'SELECT id FROM people WHERE id = ''404''')
  FROM unnest('{TEXT,JSON,XML,YAML}'::text[]) f;
-- The output is valid JSON.
CREATE FUNCTION explained_json(query text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	result jsonb;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, FORMAT JSON) ' || query INTO result;
	RETURN result;
END $$;
SELECT explained_json('SELECT id FROM people WHERE full_name ~ ''<&"''')
	#> '{0,Plan,HiBob Requests}' AS requests;

DROP TABLE staff, anybody CASCADE;
DROP EXTENSION hibob_fdw CASCADE;
DROP TABLE licence, copy;
DROP FUNCTION leaks, explained, explained_json;
DROP ROLE hibob_reader;
