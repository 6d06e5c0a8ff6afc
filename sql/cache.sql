--
-- Results that are cached for a time (cache_ttl), per user mapping.
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
CREATE FOREIGN TABLE people (id text, email text, job_title text, status text)
	SERVER bob OPTIONS (resource 'people', cache_ttl '10min');
CREATE FOREIGN TABLE fresh (id text) SERVER bob
	OPTIONS (resource 'people', cache_ttl '200ms');

-- One request; other columns and other values have results of their own.
SELECT count(email) FROM people;
SELECT count(email) FROM people;
SELECT count(*) FROM people WHERE email IS NULL;
SELECT count(*) FROM people a JOIN people b USING (email);
\! "$HIBOB_TELL" requests --clear
SELECT count(job_title) FROM people;
SELECT email FROM people WHERE id = '3332883884017713312';
SELECT email FROM people WHERE id = '3332883884017713349';
SELECT email FROM people WHERE id = '3332883884017713312';
SELECT count(*) FROM people WHERE status = 'Active';
SELECT count(*) FROM people WHERE status = 'Active';
\! "$HIBOB_TELL" requests --clear

-- EXPLAIN shows it.
SELECT explain($$SELECT email FROM people$$, 'ANALYZE');

-- A result that was not read to its end, or failed, is not cached.
SELECT id FROM people LIMIT 1;
SELECT 1 / (id = '3332883884017713349')::int FROM people LIMIT 1;
SELECT count(id) FROM people;
SELECT count(id) FROM people;
\! "$HIBOB_TELL" requests --clear

-- Nested scans of a cached result, each at its own position.
SELECT count(*) FROM people a, people b
 WHERE a.id < '3332883884017713386' AND b.id < '3332883884017713386';
BEGIN;
DECLARE a CURSOR FOR SELECT id FROM people;
DECLARE b CURSOR FOR SELECT id FROM people;
FETCH 2 FROM a;
FETCH 1 FROM b;
FETCH 1 FROM a;
ALTER SERVER bob OPTIONS (ADD read_timeout '30s');
FETCH 1 FROM b;
COMMIT;
\! "$HIBOB_TELL" requests --clear

-- ALTER drops a cached result; so does the end of its time.
SELECT count(id) FROM people;
ALTER FOREIGN TABLE people OPTIONS (ADD show_inactive 'false');
SELECT count(id) FROM people;
ALTER FOREIGN TABLE people OPTIONS (DROP show_inactive);
SELECT count(id) FROM people;
ALTER USER MAPPING FOR CURRENT_USER SERVER bob OPTIONS (SET token 'wrong');
SELECT count(id) FROM people;
ALTER USER MAPPING FOR CURRENT_USER SERVER bob
	OPTIONS (SET token 's3cret-canary-token');
SELECT count(id) FROM people;
\! "$HIBOB_TELL" requests --clear
SELECT count(id) FROM fresh;
SELECT count(id) FROM fresh;
SELECT pg_sleep(0.3);
SELECT count(id) FROM fresh;
\! "$HIBOB_TELL" requests --clear | sort | uniq -c | awk '{print ($1 == 2 || $1 == 3)}'

-- ... also an ALTER while the result is read.
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM people WHERE status <> 'x';
FETCH 1 FROM c;
ALTER SERVER bob OPTIONS (SET read_timeout '31s');
MOVE ALL FROM c;
COMMIT;
SELECT count(id) FROM people WHERE status <> 'x';
\! "$HIBOB_TELL" requests --clear

-- Another user mapping has its own results.
CREATE ROLE hibob_other;
GRANT USAGE ON FOREIGN SERVER bob TO hibob_other;
GRANT SELECT ON people TO hibob_other;
CREATE USER MAPPING FOR hibob_other SERVER bob
	OPTIONS (service_user_id 'SERVICE-5772', token 'another');
SELECT count(id) FROM people;
SET ROLE hibob_other;
SELECT count(id) FROM people;
RESET ROLE;

-- Larger than work_mem.
SET work_mem = '64kB';
SELECT count(DISTINCT id), count(email), count(job_title) FROM people;
SELECT count(DISTINCT id), count(email), count(job_title) FROM people;
SELECT count(DISTINCT id), count(email), count(job_title) FROM people;

DROP EXTENSION hibob_fdw CASCADE;
DROP ROLE hibob_other;
