--
-- People and profiles: columns, types, forms of values.
--
\getenv base HIBOB_SIM_BASE
\! "$HIBOB_TELL" reset
CREATE EXTENSION hibob_fdw;
CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw OPTIONS (base_url :'base');
CREATE USER MAPPING FOR CURRENT_USER SERVER bob
	OPTIONS (service_user_id 'SERVICE-5772', token 's3cret-canary-token');

-- All columns of the resource, without options.
CREATE FOREIGN TABLE people (
	id text NOT NULL, email text, full_name text, display_name text,
	first_name text, surname text, job_title text, department text, site text,
	site_id bigint, manager_id text, manager_name text, manager_email text,
	second_level_manager_id text, is_manager boolean, direct_reports integer,
	employee_number bigint, status text, lifecycle_status text,
	start_date date, original_start_date date, termination_date date,
	termination_reason text, employment_type text, employment_contract text,
	weekly_hours numeric, fte numeric, work_phone text, work_mobile text,
	avatar_url text, created_at timestamp
) SERVER bob OPTIONS (resource 'people');

SELECT count(*), count(DISTINCT id), count(email) FROM people;
SELECT status, lifecycle_status, count(*) FROM people
 GROUP BY 1, 2 ORDER BY 1, 2;
\x
SELECT * FROM people WHERE employee_number = 7;
\x

-- Names in several scripts, quotes, escapes, empty and null values.
SELECT employee_number, to_json(first_name) AS first_name,
	   to_json(left(surname, 40)) AS surname, email
  FROM people
 WHERE employee_number BETWEEN 2 AND 33 ORDER BY employee_number
\g (format=unaligned)

-- Machine and human-readable values of a field, paths into a value, whole rows.
CREATE FOREIGN TABLE shapes (
	number bigint OPTIONS (field 'work.employeeIdInCompany'),
	title_id text OPTIONS (field 'work.title'),
	title text OPTIONS (field 'work.title', value 'human'),
	title_v varchar OPTIONS (field 'work.title', value 'human'),
	boss jsonb OPTIONS (field 'work.reportsTo'),
	boss_text text OPTIONS (field 'work.reportsTo'),
	boss_mail text OPTIONS (field 'work.reportsTo', path 'email'),
	tenure interval OPTIONS (field 'work.tenureDuration', path 'periodISO'),
	tenure_text text OPTIONS (field 'work.tenureDuration', value 'human'),
	hobbies text[] OPTIONS (field 'about.hobbies'),
	about text OPTIONS (field 'about.about'),
	start_text text OPTIONS (field 'work.startDate'),
	start_human text OPTIONS (field 'work.startDate', value 'human'),
	start_date date OPTIONS (field 'work.startDate', value 'human'),
	cost_centre text
		OPTIONS (field 'work.custom.field_1667499206086', value 'human'),
	cost_centre_id text OPTIONS (field 'work.custom.field_1667499206086'),
	laptop text OPTIONS
		(field 'custom.category_1726078147147.field_1730210998067'),
	id_number numeric OPTIONS (field 'root.id'),
	id_json json OPTIONS (field 'root.id'),
	everything jsonb OPTIONS (field '*')
) SERVER bob OPTIONS (resource 'people');
\x
SELECT number, title_id, title, title_v, boss, boss_text, boss_mail, tenure,
	   tenure_text, hobbies, start_text, start_human, start_date,
	   cost_centre, cost_centre_id, laptop, id_number, id_json
  FROM shapes WHERE number = 2;
\x
SELECT to_json(about) AS about FROM shapes WHERE number IN (4, 22, 27) ORDER BY number \g (format=unaligned)
SELECT everything->>'fullName' AS name, everything#>>'{work,title}' AS title,
	   everything ? '/work/title' AS slash, everything ? 'internal' AS internal
  FROM shapes WHERE number = 2;
SELECT everything#>>'{work,custom}' IS NOT NULL AS custom, cost_centre
  FROM shapes WHERE number = 2;

-- The same rows from each documented form of the response.
CREATE TEMP TABLE expected AS SELECT * FROM people;
CREATE TEMP VIEW difference AS
	(SELECT * FROM people EXCEPT ALL SELECT * FROM expected)
	UNION ALL (SELECT * FROM expected EXCEPT ALL SELECT * FROM people);
\! "$HIBOB_TELL" config '{"forms": "nested"}'
SELECT count(*) FROM difference;
\! "$HIBOB_TELL" config '{"forms": "slash"}'
SELECT count(*) FROM difference;
\! "$HIBOB_TELL" config '{"forms": "both", "human_slash": true}'
SELECT count(*) FROM difference;
\! "$HIBOB_TELL" config '{"human_slash": false, "ascii": true}'
SELECT count(*) FROM difference;
\! "$HIBOB_TELL" config '{"ascii": false, "whitespace": true}'
SELECT count(*) FROM difference;
\! "$HIBOB_TELL" config '{"whitespace": false, "envelope_extra": true}'
SELECT count(*) FROM difference;
\! "$HIBOB_TELL" config '{"envelope_extra": false, "extra_fields": ["home.privateEmail", "about.about"]}'
SELECT count(*) FROM difference;
\! "$HIBOB_TELL" config '{"extra_fields": [], "gzip": true}'
SELECT count(*) FROM difference;
\! "$HIBOB_TELL" reset
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "split": {"seed": 7}, "times": 2}'
SELECT count(*) FROM difference;
-- Two people with one e-mail address: equality has both.
\! "$HIBOB_TELL" config '{"overrides": {"40": {"root.email": "zoe.mueller3@example.com"}}}'
SELECT id FROM people WHERE email = 'zoe.mueller3@example.com' ORDER BY id;
SELECT count(*) FROM people a JOIN people b USING (email)
 WHERE email = 'zoe.mueller3@example.com';
\! "$HIBOB_TELL" reset

-- Integers in other forms of JSON, and in none.
CREATE FOREIGN TABLE numbers (id text, small int2 OPTIONS (field 'a'),
	middle int4 OPTIONS (field 'b'), large int8 OPTIONS (field 'c'))
	SERVER bob OPTIONS (resource 'people', on_missing_field 'ignore');
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "body": "{\"employees\":[{\"id\":\"1\",\"a\":1.0,\"b\":1e5,\"c\":-12.50E2},{\"id\":\"2\",\"a\":0.0,\"b\":-0e9,\"c\":9223372036854775807.000}]}"}'
SELECT * FROM numbers;
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "body": "{\"employees\":[{\"id\":\"1\",\"a\":1.5}]}"}'
SELECT * FROM numbers;
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "body": "{\"employees\":[{\"id\":\"1\",\"a\":1e9}]}"}'
SELECT * FROM numbers;
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "body": "{\"employees\":[{\"id\":\"1\",\"c\":1e9999999999}]}"}'
SELECT * FROM numbers;

\! "$HIBOB_TELL" reset
DROP VIEW difference;

-- Types.
CREATE FOREIGN TABLE types (
	number int2 OPTIONS (field 'work.employeeIdInCompany'),
	number4 int4 OPTIONS (field 'work.employeeIdInCompany'),
	hours float8 OPTIONS (field 'payroll.employment.weeklyHours'),
	hours4 float4 OPTIONS (field 'payroll.employment.weeklyHours'),
	hours_numeric numeric(6, 1) OPTIONS (field 'payroll.employment.weeklyHours'),
	desk numeric OPTIONS (field 'work.custom.field_1700000000004'),
	manager bool OPTIONS (field 'work.isManager'),
	manager_text text OPTIONS (field 'work.isManager'),
	created timestamptz OPTIONS (field 'root.creationDateTime'),
	short char(3) OPTIONS (field 'internal.status')
) SERVER bob OPTIONS (resource 'people', on_missing_field 'ignore');
SET timezone = 'UTC';
SELECT number, number4, hours, hours4, hours_numeric, manager, manager_text,
	   created FROM types WHERE number = 24;
SELECT short FROM types WHERE number = 24;

-- Arrays: of several types, nested, nulls, a scalar as an array of one.
CREATE FOREIGN TABLE arrays (t text[] OPTIONS (field 'about.hobbies'),
	n numeric[] OPTIONS (field 'about.numbers'),
	j jsonb[] OPTIONS (field 'about.numbers'))
	SERVER bob OPTIONS (resource 'people', on_missing_field 'ignore');
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "json": {"employees": [{"about": {"hobbies": ["a,b", "\"", null, "", 1, true, {"k": [1]}], "numbers": [1, 12345678901234567890.10, null]}}, {"about": {"hobbies": "chess", "numbers": 7}}, {"about": {"hobbies": [], "numbers": null}}]}}'
SELECT * FROM arrays;
\! "$HIBOB_TELL" fault '{"endpoint": "/people/search", "json": {"employees": [{"id": "5", "about": {"numbers": ["x"]}}]}}'
SELECT n FROM arrays;

-- A column without a field.
CREATE FOREIGN TABLE unknown_column (id text, departmnt text)
	SERVER bob OPTIONS (resource 'people');
SELECT departmnt FROM unknown_column;
SELECT count(id) FROM unknown_column;

-- Profiles.
CREATE FOREIGN TABLE profiles (
	id text, first_name text, surname text, display_name text, email text,
	job_title text, department text, site text, start_date date,
	manager_id text, manager_email text, is_manager boolean, pronouns text,
	birthday text, nationality text[], hobbies text[], superpowers text[],
	about text, linkedin text, twitter text, facebook text, avatar_url text
) SERVER bob OPTIONS (resource 'profiles');
SELECT count(*), count(nationality), min(start_date) FROM profiles;
\x
SELECT * FROM profiles ORDER BY id LIMIT 1;
\x

-- Whole rows, no columns, columns that were dropped.
SELECT (p).email FROM (SELECT p FROM people p WHERE employee_number = 3) AS s;
ALTER FOREIGN TABLE people DROP COLUMN avatar_url;
SELECT count(p) FROM people p;

-- Foreign tables are read-only.
INSERT INTO people (id) VALUES ('1');
UPDATE people SET email = NULL;
DELETE FROM people;

DROP EXTENSION hibob_fdw CASCADE;
