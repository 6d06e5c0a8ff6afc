--
-- Errors and their messages.  Timeouts and TLS are tested elsewhere.
--
\getenv base HIBOB_SIM_BASE
\! "$HIBOB_TELL" reset
CREATE EXTENSION hibob_fdw;
CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw
	OPTIONS (base_url :'base', max_retries '0', max_rate_limit_wait '0');
CREATE USER MAPPING FOR PUBLIC SERVER bob
	OPTIONS (service_user_id 'SERVICE-5772', token 's3cret-canary-token');
CREATE FOREIGN TABLE people (id text NOT NULL, email text, job_title text,
	status text, start_date date) SERVER bob OPTIONS (resource 'people');
CREATE FOREIGN TABLE profiles (id text) SERVER bob
	OPTIONS (resource 'profiles');

-- Prints an error, without parts that differ between runs or versions of libcurl.
CREATE FUNCTION failure(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
	context text;
BEGIN
	EXECUTE query;
	RETURN NEXT 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL,
		hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
	RETURN NEXT SQLSTATE || ': ' || SQLERRM;
	IF detail <> '' THEN
		detail := regexp_replace(detail, 'resets at .*\.', 'resets at TIME.');
		detail := regexp_replace(detail, '127.0.0.1[ :]+(port )?\d+',
								 'ADDRESS', 'g');
		RETURN NEXT 'DETAIL: ' || detail;
	END IF;
	IF hint <> '' THEN
		RETURN NEXT 'HINT: ' || hint;
	END IF;
	IF context LIKE 'column%' THEN
		RETURN NEXT 'CONTEXT: ' || split_part(context, E'\n', 1);
	END IF;
END $$;
CREATE FUNCTION people_fail() RETURNS SETOF text LANGUAGE sql
	AS $$ SELECT failure('SELECT count(email) FROM people') $$;
\pset tuples_only on
\pset format unaligned

-- HTTP statuses, with each documented form of the body of an error.
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "status": 400, "json": {"key": "some.key", "error": "Unknown field ID: /work/site", "args": []}}'
SELECT people_fail();
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "status": 400, "json": {"error": "BAD_REQUEST", "message": "no such thing", "statusCode": 400}}'
SELECT people_fail();
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "status": 401, "json": {"errorMessage": "No permissions to position budget"}}'
SELECT people_fail();
-- ... there is no request for a minute.
\! "$HIBOB_TELL" requests --clear | cut -c 1-20
SELECT people_fail();
\! "$HIBOB_TELL" requests --clear
ALTER USER MAPPING FOR PUBLIC SERVER bob OPTIONS (SET token 'wrong');
SELECT people_fail();
ALTER USER MAPPING FOR PUBLIC SERVER bob
	OPTIONS (SET token 's3cret-canary-token');
SELECT people_fail();
\! "$HIBOB_TELL" config '{"ungrouped": true}'
SELECT people_fail();
SELECT failure('SELECT id FROM profiles');
\! "$HIBOB_TELL" config '{"ungrouped": false, "ip_blocked": true}'
SELECT people_fail();
\! "$HIBOB_TELL" reset
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "status": 404, "body": ""}'
SELECT people_fail();
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "status": 500, "json": {"errors": {"work.site": {"error": "MISSING", "message": "x"}}}}'
SELECT people_fail();
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "status": 503, "body": "<html>down</html>", "content_type": "text/html"}'
SELECT people_fail();
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "redirect": "http://127.0.0.1:1/"}'
SELECT people_fail();
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "rate_limited": {"reset_in": 3000}}'
SELECT people_fail();
-- ... the session remembers the limit.
\! "$HIBOB_TELL" requests --clear | cut -c 1-20
SELECT people_fail();
\! "$HIBOB_TELL" requests --clear
ALTER SERVER bob OPTIONS (SET max_retries '1');

-- Bodies with a wrong shape.
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "html": true}'
SELECT people_fail();
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "body": "not JSON at all", "content_type": "text/plain"}'
SELECT people_fail();
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "json": {"people": [{"id": "1", "email": "secret@example.com"}]}}'
SELECT people_fail();
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "json": {"employees": {"id": "1"}}}'
SELECT people_fail();
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "body": "{\"employees\":[{\"id\":\"1\",\"email\":secret}]}"}'
SELECT people_fail();
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "body": "{\"employees\":[{\"id\":\"1\"},{\"id\":\"2\"}"}'
SELECT people_fail();
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "body": "{\"employees\":[{\"id\":\"1\"}]} garbage"}'
SELECT people_fail();
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "body": ""}'
SELECT people_fail();
\! "$HIBOB_TELL" fault '{"endpoint": "/people/{identifier}", "html": true, "status": 404}'
SELECT failure($$SELECT email FROM people WHERE id = '1'$$);

-- Lists are small documents that are read as a whole.
CREATE FOREIGN TABLE lists (list text, name text)
	SERVER bob OPTIONS (resource 'named_lists');
\! "$HIBOB_TELL" fault '{"endpoint": "/company/named-lists", "body": " {\"x\": {\"name\": \"x\", \"values\": [{\"id\": 1, \"name\": \"Zoë 🦄\"}]}} \n"}'
SELECT * FROM lists;
\! "$HIBOB_TELL" fault '{"endpoint": "/company/named-lists", "body": "[] []"}'
SELECT failure('SELECT * FROM lists');
\! "$HIBOB_TELL" fault '{"endpoint": "/company/named-lists", "body": "[{\"name\": \"x\""}'
SELECT failure('SELECT * FROM lists');
\! "$HIBOB_TELL" fault '{"endpoint": "/company/named-lists", "body": "null\n"}'
SELECT failure('SELECT * FROM lists');
\! "$HIBOB_TELL" fault "{\"endpoint\": \"/company/named-lists\", \"body\": \"{\\\"x\\\": $(printf '%070d' 0 | tr 0 '[')$(printf '%070d' 0 | tr 0 ']')}\"}"
SELECT failure('SELECT * FROM lists');
DROP FOREIGN TABLE lists;

-- Values that are invalid for the types of their columns.
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "json": {"employees": [{"id": "77", "email": "x", "work": {"startDate": "never"}}]}}'
SELECT failure('SELECT min(start_date) FROM people');
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "body": "{\"employees\":[{\"id\":\"78\",\"email\":\"a\\u0000b\"}]}"}'
SELECT people_fail();
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "body": "{\"employees\":[{\"id\":\"79\",\"email\":\"a\\ud83d\"}]}"}'
SELECT people_fail();
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "body_base64": "eyJlbXBsb3llZXMiOlt7ImlkIjoiODAiLCJlbWFpbCI6Iv8ifV19"}'
SELECT people_fail();
-- ... has no effect if the query does not need the column.
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "body": "{\"employees\":[{\"id\":\"78\",\"x\":\"a\\u0000b\"}]}"}'
SELECT id FROM people;

-- Both documented forms of one employee.
\! "$HIBOB_TELL" config '{"wrapped_single": true}'
SELECT email FROM people WHERE id = '3332883884017713312';
\! "$HIBOB_TELL" reset
SELECT email FROM people WHERE id = '3332883884017713312';

-- Fields that are missing in all rows.
\pset format aligned
\! "$HIBOB_TELL" config '{"hidden_categories": ["work", "lifecycle"]}'
SELECT count(email), count(job_title), count(status) FROM people;
-- ... of two tables with one name.
CREATE SCHEMA other;
CREATE FOREIGN TABLE other.people (status text) SERVER bob
	OPTIONS (resource 'people');
SELECT (SELECT count(status) FROM people),
	(SELECT count(status) FROM other.people);
DROP SCHEMA other CASCADE;
ALTER FOREIGN TABLE people OPTIONS (ADD on_missing_field 'error');
SELECT count(email), count(job_title), count(status) FROM people;
SELECT count(email) FROM people;
-- ... a query that stops early does not know.
SELECT job_title FROM people LIMIT 1;
ALTER FOREIGN TABLE people OPTIONS (SET on_missing_field 'ignore');
SELECT count(email), count(job_title), count(status) FROM people;
ALTER SERVER bob OPTIONS (ADD on_missing_field 'error');
ALTER FOREIGN TABLE people OPTIONS (DROP on_missing_field);
SELECT count(job_title) FROM people;
ALTER SERVER bob OPTIONS (DROP on_missing_field);
\! "$HIBOB_TELL" reset
CREATE FOREIGN TABLE wrong_field (id text,
	cost_centre text OPTIONS (field 'work.costCenter')) SERVER bob
	OPTIONS (resource 'people');
SELECT count(cost_centre) FROM wrong_field;
-- ... null in all rows is not missing.
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "json": {"employees": [{"id": "1", "email": null}, {"id": "2", "email": null}]}}'
SELECT count(email) FROM people;

-- Fewer rows than min_rows.
ALTER FOREIGN TABLE people OPTIONS (ADD min_rows '450');
CREATE MATERIALIZED VIEW roster AS SELECT id, email FROM people;
\! "$HIBOB_TELL" config '{"audience": "employed"}'
REFRESH MATERIALIZED VIEW roster;
SELECT count(*) FROM roster;
SELECT count(*) FROM people WHERE status = 'Active';
SELECT id FROM people LIMIT 1;
SELECT email FROM people WHERE id = '3332883884017713312';
\! "$HIBOB_TELL" reset
REFRESH MATERIALIZED VIEW roster;

-- More fields than a request may have, with a whole row, which cannot be split.
DO $$
BEGIN
	EXECUTE (SELECT format('CREATE FOREIGN TABLE wide (%s,
		everything jsonb OPTIONS (field ''*'')) SERVER bob
		OPTIONS (resource ''people'')', string_agg(format(
		'c%s text OPTIONS (field ''work.f%s'')', n, n), ', '))
		FROM generate_series(1, 401) n);
END $$;
SELECT wide FROM wide;
SELECT c1 FROM wide LIMIT 1;

-- No user mapping; a server that refuses connections.
DROP USER MAPPING FOR PUBLIC SERVER bob;
\set VERBOSITY sqlstate
SELECT id FROM people;
\set VERBOSITY default
CREATE USER MAPPING FOR CURRENT_USER SERVER bob
	OPTIONS (service_user_id 'SERVICE-5772', token 's3cret-canary-token');
ALTER SERVER bob OPTIONS (SET base_url 'http://127.0.0.1:1/v1', SET max_retries '0');
\pset tuples_only on
\pset format unaligned
SELECT people_fail();

DROP EXTENSION hibob_fdw CASCADE;
