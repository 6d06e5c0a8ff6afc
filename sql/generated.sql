--
-- Generated columns: computed from the columns that HiBob returns.
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
CREATE FOREIGN TABLE people (
	gone text,
	id text,
	address text GENERATED ALWAYS AS (lower(email)) STORED,
	email text,
	surname text,
	-- the name of a column of the resource, and an option
	status text GENERATED ALWAYS AS (surname || '!') STORED,
	year integer GENERATED ALWAYS AS (extract(year FROM start_date)) STORED,
	start_date date,
	place text OPTIONS (field 'work.site')
		GENERATED ALWAYS AS (id || (tableoid > 0::oid)::text) STORED) SERVER bob OPTIONS (resource 'people');
ALTER FOREIGN TABLE people DROP COLUMN gone;
SELECT count(*), count(people), bool_and(address = lower(email)) AS address,
	   bool_and(status = surname || '!') AS status,
	   bool_and(year = extract(year FROM start_date)) AS year,
	   bool_and(place = id || 'true') AS place FROM people;
SELECT * FROM people WHERE id = '3332883884017713312';

-- Only the columns that an expression uses are requested, and a condition on a
-- generated column is not sent.
SELECT explain($$SELECT address FROM people WHERE year > 2020$$, 'VERBOSE');
SELECT explain($$SELECT id FROM people WHERE status = 'Active'$$, 'VERBOSE');
SELECT count(*) FROM people WHERE status = 'Active';

-- An expression that fails is not evaluated for nothing.
CREATE FOREIGN TABLE risky (id text, fails integer
	GENERATED ALWAYS AS (id::numeric / 0) STORED) SERVER bob OPTIONS (resource 'people');
SELECT count(id) FROM risky;
SELECT * FROM risky;

-- Rescans, joins, cached results and ANALYZE.
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT count(*), bool_and(a.address = lower(b.email)) FROM people a JOIN people b ON a.address = lower(b.email);
RESET enable_hashjoin;
RESET enable_mergejoin;
ALTER FOREIGN TABLE people OPTIONS (ADD cache_ttl '1min');
SELECT count(address), count(year) FROM people;
\! "$HIBOB_TELL" requests --clear >/dev/null
SELECT count(DISTINCT address), count(year) FROM people;
SELECT count(year) FROM people;
\! "$HIBOB_TELL" requests --clear
ANALYZE people;
SELECT attname, n_distinct, null_frac FROM pg_stats
 WHERE tablename = 'people' AND attname IN ('address', 'id', 'place') ORDER BY 1;

-- They name no field for the functions either.
SELECT field FROM hibob_fdw_columns('public') WHERE "table" = 'people'::regclass
 ORDER BY column_number;

DROP FOREIGN TABLE people, risky;
DROP USER MAPPING FOR CURRENT_USER SERVER bob;
DROP SERVER bob;
DROP EXTENSION hibob_fdw;
