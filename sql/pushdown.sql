--
-- The remote part of a query: fields and filters, and EXPLAIN.
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
CREATE FOREIGN TABLE people (id text NOT NULL, email text, full_name text,
	department text, manager_id text, status text, employee_number bigint)
	SERVER bob OPTIONS (resource 'people');
CREATE FOREIGN TABLE people_by_number (id bigint, email varchar(200),
	email_c text OPTIONS (field 'root.email') COLLATE "C")
	SERVER bob OPTIONS (resource 'people');
CREATE FOREIGN TABLE active_people (id text, email text, status text)
	SERVER bob OPTIONS (resource 'people', show_inactive 'false');
CREATE FOREIGN TABLE profiles (id text, email text)
	SERVER bob OPTIONS (resource 'profiles');

CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || query;
END $$;

-- EXPLAIN makes no request.
EXPLAIN (COSTS OFF) SELECT email FROM people;
EXPLAIN (VERBOSE, COSTS OFF) SELECT email FROM people;
EXPLAIN (VERBOSE, COSTS OFF) SELECT count(*) FROM people;
EXPLAIN (VERBOSE, COSTS OFF) SELECT email, department FROM people
 WHERE employee_number > 5;
EXPLAIN (VERBOSE, COSTS OFF) SELECT people FROM people;
EXPLAIN (VERBOSE, COSTS OFF) SELECT email FROM profiles WHERE id = '1';
\! "$HIBOB_TELL" requests --clear

-- One value: the endpoint for one employee, if the value has the right form.
EXPLAIN (VERBOSE, COSTS OFF) SELECT email FROM people
 WHERE id = '3332883884017713312';
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM people
 WHERE email = 'zoe.mueller3@example.com';
EXPLAIN (VERBOSE, COSTS OFF) SELECT email FROM people WHERE id = 'search';
EXPLAIN (VERBOSE, COSTS OFF) SELECT email FROM people WHERE id = '../1';
EXPLAIN (VERBOSE, COSTS OFF) SELECT email FROM people
 WHERE email = '3332883884017713312';
EXPLAIN (VERBOSE, COSTS OFF) SELECT email FROM people_by_number
 WHERE id = 3332883884017713312;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM people_by_number WHERE id = 5;
EXPLAIN (VERBOSE, COSTS OFF) SELECT email FROM people
 WHERE id = '3332883884017713312' AND status = 'Active';
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM active_people
 WHERE email = 'zoe.mueller3@example.com';
SELECT email FROM people WHERE id = '3332883884017713312';
SELECT id FROM people WHERE email = 'zoe.mueller3@example.com';
SELECT id FROM people WHERE 'tag.plus+hr32@example.com' = email;
SELECT full_name FROM people WHERE id = '404';
SELECT full_name FROM people WHERE email = '3332883884017713312';
SELECT email FROM people_by_number WHERE id = 3332883884017713312;
SELECT full_name FROM people WHERE id = 'search';
\! "$HIBOB_TELL" requests --clear

-- HiBob may return more rows: here it ignores the case of addresses.
\! "$HIBOB_TELL" config '{"email_filter_ignores_case": true}'
SELECT id FROM people WHERE email = 'ZOE.mueller3@example.com';
SELECT email FROM people
 WHERE email IN ('ZOE.mueller3@example.com', 'zoe.mueller3@example.com');
-- ... an employee is not returned by two batches.
SELECT count(*), count(DISTINCT id) FROM people WHERE email = ANY (
	ARRAY(SELECT CASE WHEN n = 1 THEN 'zoe.mueller3@example.com'
				 WHEN n = 250 THEN 'ZOE.mueller3@example.com'
				 ELSE 'b' || n END FROM generate_series(1, 250) n));
\! "$HIBOB_TELL" reset

-- Many values: batches of 200, without duplicates and nulls.
SELECT email FROM people WHERE id IN ('3332883884017713312',
	'3332883884017713312', '3332883884017713349', NULL) ORDER BY id;
SELECT email FROM people WHERE id = ANY ('{}');
SELECT email FROM people WHERE id = NULL;
SELECT email FROM people WHERE id = ANY (NULL::text[]);
\! "$HIBOB_TELL" requests --clear
SELECT count(*) FROM people WHERE id = ANY (ARRAY(
	SELECT (3332883884017713275 + 37 * n)::text
	  FROM generate_series(0, 449) n));
\! "$HIBOB_TELL" requests --clear | cut -c 1-60
-- More values than one request takes: everybody.
SELECT count(*) FROM people WHERE id = ANY (ARRAY(
	SELECT (3332883884017713275 + 37 * n)::text
	  FROM generate_series(0, 2000) n));
\! "$HIBOB_TELL" requests --clear

-- Active people only.
SELECT count(*) FROM people WHERE status = 'Active';
SELECT count(*) FROM people WHERE status = 'Inactive';
SELECT count(*) FROM people WHERE status = NULL;
SELECT count(*) FROM active_people;
SELECT count(*) FROM active_people WHERE status = 'Inactive';
\! "$HIBOB_TELL" requests --clear

-- Local conditions: other operators, collations, casts, disjunctions.
CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2',
						deterministic = false);
SELECT line FROM unnest(ARRAY[
	'email = ''x'' COLLATE loose', 'email LIKE ''x''', 'lower(email) = ''x''',
	'email <> ''x''', 'email = full_name', 'email = ANY (ARRAY[full_name])',
	'email = ''x'' OR id = ''1''', 'email = ALL (''{x}'')',
	'email = random()::text', 'email::name = ''x''', 'full_name = ''x'''
	]) AS condition,
	plan_of('SELECT id FROM people WHERE ' || condition) AS line
 WHERE line LIKE '%HiBob Request%' OR line LIKE '%Filter:%';

-- Parameters, also in generic plans.
PREPARE by_id (text) AS SELECT email FROM people WHERE id = $1;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE by_id ('3332883884017713312');
EXECUTE by_id ('3332883884017713312');
EXECUTE by_id (NULL);
PREPARE by_ids (text[]) AS SELECT email FROM people WHERE id = ANY ($1);
EXECUTE by_ids ('{3332883884017713312,3332883884017713349}');
RESET plan_cache_mode;
EXECUTE by_id ('1'); EXECUTE by_id ('2'); EXECUTE by_id ('3');
EXECUTE by_id ('4'); EXECUTE by_id ('5'); EXECUTE by_id ('6');
EXECUTE by_id ('3332883884017713349');
\! "$HIBOB_TELL" requests --clear

-- Values of subqueries.
SELECT email FROM people
 WHERE id = (SELECT manager_id FROM people WHERE id = '3332883884017713312');
\! "$HIBOB_TELL" requests --clear

-- PL/pgSQL, cursors, subtransactions.
DO $$
DECLARE
	n int := 0;
	address text;
BEGIN
	FOR i IN 0..7 LOOP
		SELECT email INTO address FROM people
		 WHERE id = (3332883884017713275 + 37 * i)::text;
		n := n + (address IS NOT NULL)::int;
		BEGIN
			PERFORM 1 / (i % 2) FROM people;
		EXCEPTION WHEN division_by_zero THEN
			NULL;
		END;
	END LOOP;
	RAISE NOTICE '% addresses', n;
END $$;
\! "$HIBOB_TELL" requests --clear | cut -c 1-40 | sort | uniq -c | sed 's/^ *//'
BEGIN;
DECLARE c CURSOR FOR SELECT full_name FROM people;
FETCH 2 FROM c \g (format=unaligned)
SAVEPOINT s;
SELECT count(*) FROM people;
FETCH 1 FROM c \g (format=unaligned)
ROLLBACK TO s;
FETCH 1 FROM c \g (format=unaligned)
CLOSE c;
DECLARE c SCROLL CURSOR FOR SELECT full_name FROM people WHERE email LIKE '%3@%';
FETCH 2 FROM c \g (format=unaligned)
FETCH BACKWARD 1 FROM c \g (format=unaligned)
COMMIT;
\! "$HIBOB_TELL" requests --clear

-- A rescan makes no request, unless the values change.
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SELECT count(*) FROM people a JOIN people b ON a.manager_id = b.id;
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;
SELECT n, (SELECT count(*) FROM people WHERE employee_number <= n) AS people
  FROM generate_series(1, 3) n \g (format=unaligned)
SELECT n, (SELECT full_name FROM people
			WHERE id = (3332883884017713275 + 37 * n)::text) AS name
  FROM generate_series(1, 3) n \g (format=unaligned)
\! "$HIBOB_TELL" requests --clear

-- Ids first, then batches.
CREATE FOREIGN TABLE people_in_batches (id text, full_name text, status text)
	SERVER bob OPTIONS (resource 'people', batch_size '200');
SELECT count(*), count(DISTINCT id), count(full_name) FROM people_in_batches;
SELECT count(*) FROM people_in_batches WHERE status = 'Active';
\! "$HIBOB_TELL" requests --clear | cut -c 1-60

-- EXPLAIN ANALYZE, in text and as JSON.
CREATE FUNCTION analyzed(query text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT regexp_replace(explain(query, 'ANALYZE'), 'Received: \d+', 'Received: N')
$$;
SELECT analyzed('SELECT id FROM people');
SELECT analyzed('SELECT id FROM people WHERE id = NULL::text');
SELECT analyzed('SELECT id FROM people WHERE id = ANY (ARRAY(SELECT ''1'' WHERE false))');
CREATE FUNCTION analyzed_json(query text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	result jsonb;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, VERBOSE, FORMAT JSON) ' || query INTO result;
	RETURN result #> '{0,Plan}';
END $$;
SELECT key, CASE key WHEN 'HiBob Bytes Received' THEN 'N' ELSE value END
  FROM jsonb_each_text(analyzed_json('SELECT id FROM people WHERE id = ''1'''))
 WHERE key LIKE 'HiBob%' ORDER BY key;

DROP EXTENSION hibob_fdw CASCADE;
