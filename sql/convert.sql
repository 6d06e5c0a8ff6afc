--
-- The fast conversions to some types give the results of the input functions.
--
-- A domain always uses the input function of its type.  So each value is read
-- twice, as the type and as a domain over it: the results or errors have to be
-- the same.
--
\getenv base HIBOB_SIM_BASE
\! "$HIBOB_TELL" reset
CREATE EXTENSION hibob_fdw;
CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw OPTIONS (base_url :'base', max_retries '0');
CREATE USER MAPPING FOR PUBLIC SERVER bob
	OPTIONS (service_user_id 'SERVICE-5772', token 's3cret-canary-token');

-- Values in JSON: fields v1, v2 and so on.
CREATE TABLE written (n int GENERATED ALWAYS AS IDENTITY, value json);
-- Dates, and texts that are almost dates.
INSERT INTO written (value) SELECT to_json(v) FROM unnest('{
	0001-01-01, 0001-12-31, 0000-01-01, 9999-12-31, 10000-01-01, 1999-12-31,
	2000-01-01, 2000-02-29, 2024-02-29, 2023-02-29, 1900-02-29, 2100-02-28,
	2026-04-30, 2026-04-31, 2026-00-10, 2026-13-10, 2026-10-00, 2026-10-32,
	2026-1-2, 26-01-02, 2026/01/02, 2026-01/02, 2026.01.02, 20260102,
	" 2026-01-02", "2026-01-02 ", "2026-01-02 BC", 2026-01-0x, x026-01-02,
	+026-01-02, -026-01-02, 2026-+1-02, 02/03/2026, "2 Mar 2026", 4714-11-24,
	infinity, -infinity, epoch, today, "", "２０２６-01-02"}'::text[]) AS v;
-- Times, likewise.
INSERT INTO written (value) SELECT to_json(v) FROM unnest('{
	2023-05-19T11:13:40.175639, 2023-05-19T11:13:40, 2023-05-19T11:13:40.1,
	2023-05-19T11:13:40., 2023-05-19T11:13:40.000001,
	2023-05-19T11:13:40.1756395, 2023-05-19T11:13:40.1756385,
	2023-05-19T00:00:00, 2023-05-19T23:59:59.999999, 2023-05-19T24:00:00,
	2023-05-19T24:00:01, 2023-05-19T23:59:60, 2023-05-19T23:60:00,
	2023-05-19T11:13, 2023-05-19T11:13:4, 2023-05-19T11:13:40Z,
	2023-05-19T11:13:40+02, 2023-05-19T11:13:40.5Z, "2023-05-19 11:13:40",
	2023-05-19t11:13:40, 2023-05-19T11-13-40, 2023-02-29T11:13:40,
	0001-01-01T00:00:00, 9999-12-31T23:59:59, "2023-05-19T11:13:40 BC",
	2023-05-19T1x:13:40, 2023-05-19T11:13:40.12x, 2023-05-19T11:13:40.+12}'::text[]) AS v;
-- Numbers, as texts and as JSON numbers.
INSERT INTO written (value) SELECT to_json(v) FROM unnest('{
	0, -0, +5, 007, -1, " 5", "5 ", 5.0, 5e0, 0x1F, 1_000, --5, -, 5-, NaN,
	32767, 32768, -32768, -32769, 2147483647, 2147483648, -2147483648,
	-2147483649, 999999999999999999, 1000000000000000000, 9223372036854775807,
	9223372036854775808, -9223372036854775808, -9223372036854775809,
	00000000000000000000000000001}'::text[]) AS v;
INSERT INTO written (value) VALUES
	('0'), ('-0'), ('5'), ('-32768'), ('32768'), ('2147483648'), ('5.0'),
	('5.5'), ('1e2'), ('9223372036854775807'), ('-9223372036854775808'),
	('9223372036854775808'), ('-1'), ('12345678901234567890');
-- Booleans.
INSERT INTO written (value) VALUES ('true'), ('false');
INSERT INTO written (value) SELECT to_json(v) FROM unnest('{
	true, false, TRUE, t, f, yes, no, on, off, 1, tru, truee, " true"}'::text[])
	AS v;
-- Texts of all lengths around the size of a vector, with non-ASCII characters at
-- each position, escapes, trailing blanks, and values that are no scalars.
INSERT INTO written (value)
SELECT to_json(left('abcdefghijklmnopqrstuvwxyz', n)) FROM generate_series(1, 18) n;
INSERT INTO written (value)
SELECT to_json(overlay('abcdefghijklmnopq' PLACING 'é' FROM n)) FROM generate_series(1, 17) n;
INSERT INTO written (value) VALUES
	('"caf\u00e9"'), ('"a\nb"'), ('"a\u0000b"'), ('"\ud800"'), ('"abc     "'),
	('"abcde     "'), ('"abcdef   "'), ('"ééééé"'), ('"éééééé"'), ('"abcdé"'),
	('{"a": 1}'), ('[1, 2]'), ('[]'), ('null');

-- One employee has all values, in all requests from here on.
SELECT json_build_object('endpoint', '*', 'times', null,
	'content_type', 'application/json', 'body',
	json_build_object('employees', json_build_array(
		json_object_agg(key, value)))::text) AS fault
  FROM (SELECT 'id', to_json('1'::text)
		UNION ALL SELECT 'v' || n, value FROM written) AS fields (key, value) \gset
\setenv FAULT :fault
\! "$HIBOB_TELL" fault "$FAULT"

CREATE DOMAIN checked_date AS date;
CREATE DOMAIN checked_timestamp AS timestamp;
CREATE DOMAIN checked_int2 AS int2;
CREATE DOMAIN checked_int4 AS int4;
CREATE DOMAIN checked_int8 AS int8;
CREATE DOMAIN checked_bool AS bool;
CREATE DOMAIN checked_text AS text;
CREATE DOMAIN checked_varchar AS varchar;
CREATE DOMAIN checked_varchar5 AS varchar(5);

-- A table with the types and one with the domains, with a column for each value.
CREATE FUNCTION make_table(name text, type text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE (SELECT format('CREATE FOREIGN TABLE %I (%s) SERVER bob OPTIONS (resource ''people'')',
			name, string_agg(format('v%s %s OPTIONS (field ''root.v%1$s'')', n, type), ', '))
		FROM written);
END $$;
CREATE FUNCTION outcome(source text, n int) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SELECT coalesce(v%s::text, ''null'') FROM %I', n, source)
		INTO STRICT result;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
CREATE FUNCTION compare(of_type text)
RETURNS TABLE (type text, some_fit bool, differ int, example text)
LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY WITH outcomes AS MATERIALIZED (
		SELECT value, outcome('fast_' || of_type, n) AS fast,
			   outcome('slow_' || of_type, n) AS slow FROM written)
	SELECT of_type, count(*) FILTER (WHERE fast !~ '^[0-9A-Z]{5} ') > 10,
		   count(*) FILTER (WHERE fast <> slow)::int,
		   min(format('%s: %s, not %s', value, fast, slow))
			   FILTER (WHERE fast <> slow)
	  FROM outcomes;
END $$;

SELECT count(*) FROM written;
SELECT make_table('fast_' || type, CASE type WHEN 'varchar5' THEN 'varchar(5)'
				  ELSE type END),
	   make_table('slow_' || type, 'checked_' || type)
  FROM unnest('{date, timestamp, int2, int4, int8, bool, text, varchar, varchar5}'::text[])
	   AS type \g /dev/null
SET client_min_messages = error;
SELECT c.* FROM unnest('{date, timestamp, int2, int4, int8, bool, text, varchar, varchar5}'::text[])
	AS t, compare(t) AS c;
SET DateStyle = 'SQL, DMY';
SELECT c.* FROM unnest('{date, timestamp}'::text[]) AS t, compare(t) AS c;
RESET DateStyle;

\! "$HIBOB_TELL" reset
DROP SERVER bob CASCADE;
DROP EXTENSION hibob_fdw;
