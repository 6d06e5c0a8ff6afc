--
-- Reading values: lengths, slash keys, human-readable forms, arrays.
--
\getenv here PG_ABS_SRCDIR
\set here :here '/test/lib/regress.sql'
\i :here
\getenv base HIBOB_SIM_BASE
\! "$HIBOB_TELL" reset
CREATE EXTENSION hibob_fdw;
CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw OPTIONS (base_url :'base', max_retries '0');
CREATE USER MAPPING FOR CURRENT_USER SERVER bob
	OPTIONS (service_user_id 'SERVICE-5772', token 's3cret-canary-token');

-- A length removes trailing blanks, so such a condition is local.
CREATE DOMAIN short AS varchar(3);
CREATE DOMAIN shorter AS short;
CREATE FOREIGN TABLE lengths (id text,
	cut varchar(3) OPTIONS (field 'root.email'),
	cut_d short OPTIONS (field 'root.email'),
	cut_dd shorter OPTIONS (field 'root.email'),
	uncut varchar OPTIONS (field 'root.email'))
	SERVER bob OPTIONS (resource 'people');
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "contains": "filters", "times": null, "json": {"employees": []}}'
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "times": null, "json": {"employees": [{"id": "1", "email": "abc  "}]}}'
SELECT id FROM lengths WHERE cut = 'abc';
SELECT id FROM lengths WHERE cut IN ('abc', 'x');
SELECT id FROM lengths WHERE cut_d = 'abc';
SELECT id FROM lengths WHERE cut_dd = 'abc';
SELECT l.id FROM (VALUES ('abc')) v (email) JOIN lengths l ON l.cut = v.email;
SELECT id FROM lengths WHERE uncut = 'abc  ';
\! "$HIBOB_TELL" reset
SELECT line FROM explain('SELECT id FROM lengths WHERE cut = ''abc''', 'VERBOSE') line
 WHERE line ~ 'HiBob|Filter';
SELECT line FROM explain('SELECT id FROM lengths WHERE uncut = ''abc''', 'VERBOSE') line
 WHERE line ~ 'HiBob|Filter';

-- Employees with slash keys only.
CREATE FOREIGN TABLE people (id text, email text, department text,
	department_id text OPTIONS (field 'work.department'))
	SERVER bob OPTIONS (resource 'people');
CREATE FOREIGN TABLE batches (id text, email text)
	SERVER bob OPTIONS (resource 'people', batch_size '100');
\! "$HIBOB_TELL" config '{"forms": "slash"}'
SELECT count(id), count(email), count(department) FROM people;
SELECT email FROM people WHERE id = '3332883884017713312';
SELECT id FROM people WHERE email = 'zoe.mueller3@example.com';
SELECT count(email) FROM people WHERE id = ANY (ARRAY(
	SELECT (3332883884017713238 + 37 * n)::text FROM generate_series(1, 250) n));
SELECT count(id), count(email) FROM batches;
DO $$
BEGIN
	EXECUTE (SELECT format('CREATE FOREIGN TABLE wide (id text, email text, %s)
		SERVER bob OPTIONS (resource ''people'', on_missing_field ''ignore'')',
		string_agg(format('c%s text OPTIONS (field ''work.f%s'')', n, n), ', '))
		FROM generate_series(1, 401) n);
END $$;
SELECT count(id), count(email) FROM (SELECT * FROM wide) w;
-- ... with slash keys in the human-readable forms, too.
\! "$HIBOB_TELL" config '{"forms": "both", "human_slash": true}'
SELECT count(department), count(*) FILTER (WHERE department ~ '^[A-Z]') AS names FROM people;
\! "$HIBOB_TELL" reset
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "json": {"employees": [{"id": "1", "work": {"department": "17"}, "humanReadable": {"/work/department": {"value": "Eng"}}}, {"id": "2", "work": {"department": "18"}, "humanReadable": {"/work/department": "R&D"}}, {"id": "3", "work": {"department": "19"}, "humanReadable": {"/work/department": {"value": null}}}, {"id": "4", "work": {"department": "20"}, "humanReadable": {"/work/department": {}}}, {"id": "5", "work": {"department": "21"}, "humanReadable": {"work": {"department": "Sales"}, "/work/department": "no"}}]}}'
SELECT id, department, department_id FROM people;

-- Arrays: each element is read like a single value.
CREATE DOMAIN three AS varchar(3)[];
CREATE DOMAIN filled AS text NOT NULL;
CREATE DOMAIN small AS int CHECK (VALUE < 10);
CREATE DOMAIN few AS text[] CHECK (cardinality(VALUE) < 3);
CREATE DOMAIN pair AS int[] CHECK (cardinality(VALUE) = 2);
CREATE FOREIGN TABLE arrays (id text,
	one text OPTIONS (field 'about.v'),
	texts text[] OPTIONS (field 'about.v'),
	lengths varchar(3)[] OPTIONS (field 'about.v'),
	three three OPTIONS (field 'about.v'),
	filled filled[] OPTIONS (field 'about.v'),
	small small[] OPTIONS (field 'about.v'),
	few few OPTIONS (field 'about.v'),
	pairs pair[] OPTIONS (field 'about.v'),
	numbers numeric[] OPTIONS (field 'about.v'),
	json json[] OPTIONS (field 'about.v'),
	jsonb jsonb[] OPTIONS (field 'about.v'),
	days date[] OPTIONS (field 'about.v'))
	SERVER bob OPTIONS (resource 'people');
CREATE FUNCTION outcome(col text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SELECT %I::text FROM arrays', col) INTO STRICT result;
	RETURN coalesce(result, 'null');
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ': ' || SQLERRM;
END $$;
\pset format unaligned
\pset tuples_only on
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "times": null, "json": {"employees": [{"id": "1", "about": {"v": ["abcdef", null, "a\"b"]}}]}}'
SELECT col || ' ' || outcome(col) FROM unnest('{one,texts,lengths,three,filled,few,json}'::text[]) col;
\! "$HIBOB_TELL" reset
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "times": null, "content_type": "application/json", "body": "{\"employees\": [{\"id\": \"1\", \"about\": {\"v\": [ 1e5 ,1.50,\n-0, \"x\" ]}}]}"}'
SELECT col || ' ' || outcome(col) FROM unnest('{one,texts,lengths,three,filled,small,numbers,json,jsonb}'::text[]) col;
\! "$HIBOB_TELL" reset
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "times": null, "content_type": "application/json", "body": "{\"employees\": [{\"id\": \"1\", \"about\": {\"v\": [{\"b\": \"]}\\\"[\", \"a\":[1, [2]]}, [ [\"]\"], {}], [], true, \"caf\\u00e9 \\ud83d\\ude00\"]}}]}"}'
SELECT col || ' ' || outcome(col) FROM unnest('{one,texts,three,small,json,jsonb}'::text[]) col;
\! "$HIBOB_TELL" reset
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "times": null, "json": {"employees": [{"id": "1", "about": {"v": [[1, 2], [3, 4]]}}]}}'
SELECT col || ' ' || outcome(col) FROM unnest('{texts,small,pairs}'::text[]) col;
\! "$HIBOB_TELL" reset
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "times": null, "json": {"employees": [{"id": "1", "about": {"v": [[1, 2], [3]]}}]}}'
SELECT col || ' ' || outcome(col) FROM unnest('{pairs}'::text[]) col;
\! "$HIBOB_TELL" reset
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "times": null, "json": {"employees": [{"id": "1", "about": {"v": ["2026-01-02", "2026-01-02 ", "infinity"]}}]}}'
SELECT col || ' ' || outcome(col) FROM unnest('{texts,few,days}'::text[]) col;
\! "$HIBOB_TELL" reset
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "times": null, "content_type": "application/json", "body": "{\"employees\": [{\"id\": \"1\", \"about\": {\"v\": [\"a\\u0000b\"]}}]}"}'
SELECT col || ' ' || outcome(col) FROM unnest('{texts,few,json,jsonb}'::text[]) col;
\! "$HIBOB_TELL" reset
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "times": null, "json": {"employees": [{"id": "1", "about": {"v": 7}}]}}'
SELECT col || ' ' || outcome(col) FROM unnest('{texts,filled,small,numbers,json,pairs}'::text[]) col;
\! "$HIBOB_TELL" reset
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "times": null, "json": {"employees": [{"id": "1", "about": {"v": []}}]}}'
SELECT col || ' ' || outcome(col) FROM unnest('{texts,filled,few,days}'::text[]) col;
\! "$HIBOB_TELL" reset

-- Names of the items of a multi-list: in one text, or by their ids.
CREATE FOREIGN TABLE named_lists (list text, id text, name text)
	SERVER bob OPTIONS (resource 'named_lists');
CREATE FOREIGN TABLE fields (id text, name text, type text, list_id text)
	SERVER bob OPTIONS (resource 'fields');
SELECT id, list_id FROM fields WHERE type = 'multi-list';
CREATE FOREIGN TABLE languages (id text,
	ids text[] OPTIONS (field 'work.custom.field_1700000000002'),
	names text OPTIONS (field 'work.custom.field_1700000000002', value 'human'))
	SERVER bob OPTIONS (resource 'people');
CREATE FOREIGN TABLE human_array (id text,
	names text[] OPTIONS (field 'work.custom.field_1700000000002', value 'human'))
	SERVER bob OPTIONS (resource 'people');
SELECT names FROM human_array;
SELECT id FROM human_array LIMIT 1;
SELECT l.id, count(*) > 0 AS same
  FROM (SELECT id, names, ARRAY(SELECT n.name FROM named_lists n
		 WHERE n.list = 'field_1700000000002' AND n.id = ANY (ids)) AS looked_up
		  FROM languages WHERE cardinality(ids) = 2 LIMIT 1) l
 WHERE string_to_array(names, ',') @> looked_up AND cardinality(looked_up) = 2
 GROUP BY l.id;
DROP EXTENSION hibob_fdw CASCADE;
