--
-- Options: which ones each object accepts, and the errors.  No request is made.
--
CREATE EXTENSION hibob_fdw;
\pset tuples_only on
\pset format unaligned

-- Runs a statement and rolls it back; prints whether it was accepted.
CREATE FUNCTION attempt(statement text) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	EXECUTE statement;
	RAISE SQLSTATE 'UNDO0';
EXCEPTION
	WHEN SQLSTATE 'UNDO0' THEN
		RETURN NEXT 'ok';
	WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL,
			hint = PG_EXCEPTION_HINT;
		RETURN NEXT SQLSTATE || ': ' || SQLERRM;
		IF detail <> '' THEN
			RETURN NEXT '    DETAIL: ' || detail;
		END IF;
		IF hint <> '' THEN
			RETURN NEXT '    HINT: ' || hint;
		END IF;
END
$$;

-- The same for one option with several values.
CREATE FUNCTION attempt_values(statement text, option text,
							   VARIADIC option_values text[])
RETURNS SETOF text LANGUAGE sql AS $$
	SELECT CASE line WHEN 1 THEN format('%s %s: ', option,
										quote_literal(left(value, 60)))
		   ELSE '' END || result
	FROM unnest(option_values) WITH ORDINALITY AS v (value, n),
		attempt(format(statement, format('%I %L', option, value)))
			WITH ORDINALITY AS r (result, line)
	ORDER BY n, line
$$;

CREATE FUNCTION server_option(option text, VARIADIC option_values text[])
RETURNS SETOF text LANGUAGE sql AS $$
	SELECT attempt_values(
		'CREATE SERVER s FOREIGN DATA WRAPPER hibob_fdw OPTIONS (%s)',
		option, VARIADIC option_values)
$$;

CREATE FUNCTION table_option(resource text, option text,
							 VARIADIC option_values text[])
RETURNS SETOF text LANGUAGE sql AS $$
	SELECT attempt_values(
		format('CREATE FOREIGN TABLE t (id text) SERVER bob
				OPTIONS (resource %L, %%s)', resource),
		option, VARIADIC option_values)
$$;

CREATE FUNCTION column_option(option text, VARIADIC option_values text[])
RETURNS SETOF text LANGUAGE sql AS $$
	SELECT attempt_values(
		'CREATE FOREIGN TABLE t (c text OPTIONS (%s)) SERVER bob
			OPTIONS (resource ''people'')',
		option, VARIADIC option_values)
$$;

CREATE FUNCTION mapping_options(options text)
RETURNS SETOF text LANGUAGE sql AS $$
	SELECT attempt('CREATE USER MAPPING FOR CURRENT_USER SERVER bob' ||
				   ' OPTIONS (' || options || ')')
$$;

-- The foreign-data wrapper has no options.
SELECT attempt('ALTER FOREIGN DATA WRAPPER hibob_fdw OPTIONS (base_url ''x'')');

--
-- Servers
--
SELECT attempt('CREATE SERVER s FOREIGN DATA WRAPPER hibob_fdw');
SELECT server_option('base_url',
	'https://api.hibob.com/v1', 'https://api.sandbox.hibob.com/v1/',
	'HTTPS://API.hibob.com:443/v1', 'https://api.hibob.com/.../v1.',
	'http://127.0.0.1:8080/v1',
	'http://127.200.3.4', 'http://[::1]:8080/', 'http://localhost:8080');
SELECT server_option('base_url',
	'', '/', 'api.hibob.com', 'https://', 'https:///v1', 'https:v1', 'ftp://api.hibob.com',
	'file:///etc/passwd', 'http://api.hibob.com/v1', 'http://128.0.0.1/',
	'http://localhost.example.com', 'http://[::2]/', 'https://a b.com',
	'https://x.com/v1' || chr(10) || 'Host: y', 'https://x.com:99999/',
	'https://x.com\y.com/', 'https://x.com/..', 'https://x.com/v1/../v2',
	'https://x.com/v1//./',
	'http://%6cocalhost/', 'https://' || repeat('a', 256) || '.com/');
-- The error does not repeat a possible password.
SELECT server_option('base_url',
	'https://user:hush@x.com/', 'https://x.com/?key=hush',
	'https://x.com/#hush', 'https://@x.com/', 'https://x.com/?');
SELECT server_option('connect_timeout', '10s', '1', '500ms', '1h', '1.5min',
	'0', '-1', '61min', '10 parsecs', '', 'NaN', '99999999999999999999');
SELECT server_option('read_timeout', '2min', '60000', '0', '2h', 'never');
SELECT server_option('max_retries', '0', '10', '11', '-1', '2.5s', 'x');
SELECT server_option('max_rate_limit_wait', '0', '90s', '1d', '25h', '-1s');
SELECT server_option('cache_ttl', '0', '10min', '1d', '2d', '-1');
SELECT server_option('on_missing_field', 'warn', 'error', 'ignore', 'WARN',
	'eror', '');
SELECT server_option('fdw_startup_cost', '0', '2000', '1e9', '1e10', '-1',
	'NaN', 'Infinity', 'cheap');
SELECT server_option('fdw_tuple_cost', '0.01', '-0.01', '');
SELECT server_option('proxy', 'http://proxy.example.com:3128', 'SOCKS5H://x:1',
	'x:3128', 'ftp://x:3128', 'socks://x', '://x', '');
SELECT server_option('proxy', 'http://x/hush' || chr(10),
	'http://user:hush@x.com:3128', 'hush@x');
SELECT server_option('ca_file', '/etc/ssl/certs/ca.pem', 'ca.pem', '',
	'/etc/ssl' || chr(10));

-- An option that does not exist: similar to one, similar to none, and an option
-- of another kind of object.
SELECT server_option('read_timeuot', '1s');
SELECT server_option('Base_URL', 'x');
SELECT server_option('zzz', 'x');
SELECT server_option('token', 'hush');

--
-- Tables
--
CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw;
SELECT attempt('CREATE FOREIGN TABLE t (id text) SERVER bob');
SELECT attempt('CREATE FOREIGN TABLE t (id text) SERVER bob
				OPTIONS (resource '''')');
SELECT attempt_values('CREATE FOREIGN TABLE t (id text) SERVER bob OPTIONS (%s)',
	'resource', 'people', 'profiles', 'peple', 'People', 'invoices');
-- A long name is not compared with others.
SELECT length(attempt_values(
	'CREATE FOREIGN TABLE t (id text) SERVER bob OPTIONS (%s)',
	'resource', repeat('people', 10000)));
SELECT table_option('people', 'show_inactive', 'true', 'off', '1', 'maybe', '');
SELECT table_option('people', 'min_rows', '0', '500', '2147483647',
	'2147483648', '-1', 'many');
SELECT table_option('people', 'batch_size', '0', '1', '200', '201', '-1');
SELECT table_option('people', 'cache_ttl', '10min', '2d');
SELECT table_option('people', 'on_missing_field', 'ignore', 'warning');
SELECT table_option('people', 'show_inactiv', 'true');
SELECT table_option('people', 'report_name', 'x');
SELECT table_option('people', 'base_url', 'x');

-- Options for searches only.
SELECT table_option('profiles', 'min_rows', '1');
SELECT table_option('profiles', 'cache_ttl', '1s');
SELECT table_option('profiles', 'show_inactive', 'false');
SELECT table_option('profiles', 'batch_size', '100');
CREATE FOREIGN TABLE p (id text) SERVER bob
	OPTIONS (resource 'people', batch_size '100');
SELECT attempt('ALTER FOREIGN TABLE p OPTIONS (SET resource ''profiles'')');
SELECT attempt('ALTER FOREIGN TABLE p
				OPTIONS (SET resource ''profiles'', DROP batch_size)');
SELECT attempt('ALTER FOREIGN TABLE p OPTIONS (DROP resource)');

-- Options of some resources.
SELECT table_option('work_history', 'include_archived', 'true', 'perhaps');
SELECT table_option('people', 'include_archived', 'true');
SELECT table_option('time_off', 'include_private', 'true');
SELECT table_option('time_off_changes', 'include_private', 'true');
SELECT table_option('time_off_changes', 'include_pending', 'no');
SELECT table_option('report', 'report_id', '71001', '', '.', '..',
	'1' || chr(10) || 'X-Evil: 1');
SELECT table_option('custom_table', 'table_id', 'root__table_1', '..',
	'root' || chr(10));
SELECT table_option('custom_table', 'report_id', '71001');
SELECT table_option('people', 'table_id', 'root__table_1');
SELECT attempt('CREATE FOREIGN TABLE t (id text) SERVER bob
				OPTIONS (resource ''custom_table'')');
SELECT attempt('CREATE FOREIGN TABLE t (id text) SERVER bob
				OPTIONS (resource ''report'', report_async ''true'')');

--
-- Columns
--
SELECT column_option('field', 'work.department', '*', 'root.id',
	'payroll.variable.Executive bonus.amount',
	'identification.custom.Payroll Integration ID_1RNhIIf',
	'', '.', '.id', 'work.', 'work..title', 'work.*', '**',
	'work.' || chr(9) || 'title', 'work.' || chr(10) || 'title');
-- The label of a report may look like this, a path of keys may not.
CREATE FOREIGN TABLE keys (a text OPTIONS (field 'work..title'),
	b text OPTIONS (field '.id'), c text OPTIONS (field 'work.'))
	SERVER bob OPTIONS (resource 'people');
SELECT attempt('EXPLAIN SELECT a FROM keys');
SELECT attempt('EXPLAIN SELECT b FROM keys');
SELECT attempt('EXPLAIN SELECT c FROM keys');
DROP FOREIGN TABLE keys;
SELECT column_option('path', 'currency', 'a.b', '', '*', 'a..b');
SELECT column_option('value', 'machine', 'human', 'humane', 'robot', '');
SELECT column_option('feild', 'work.title');
SELECT attempt('ALTER FOREIGN TABLE p ALTER COLUMN id
				OPTIONS (field ''root.id'', value ''human'', path ''x'')');
SELECT attempt('ALTER FOREIGN TABLE p ALTER COLUMN id OPTIONS (name ''x'')');

--
-- User mappings: both options are required.
--
SELECT mapping_options($$service_user_id 'SERVICE-1', token 'x y:z'$$);
SELECT attempt('CREATE USER MAPPING FOR CURRENT_USER SERVER bob');
SELECT mapping_options($$service_user_id 'SERVICE-1'$$);
SELECT mapping_options($$token 'hush'$$);
SELECT mapping_options($$service_user_id '', token 'hush'$$);
SELECT mapping_options($$service_user_id 'SERVICE-1', token ''$$);
SELECT mapping_options($$service_user_id 'SERVICE-1:hush', token 'hush'$$);
SELECT mapping_options($$service_user_id E'SERVICE-1\n', token 'hush'$$);
SELECT mapping_options($$service_user_id 'SERVICE-1 ', token 'hush'$$);
SELECT mapping_options($$service_user_id 'SERVICE-1', token ' hush'$$);
SELECT mapping_options($$service_user_id 'SERVICE-1', token ' '$$);
SELECT mapping_options($$service_user_id 'SERVICE-1', token E'hush\n'$$);
SELECT mapping_options($$service_user_id 'SERVICE-1', token E'\177hush'$$);
SELECT mapping_options($$service_user 'SERVICE-1', token 'hush'$$);
SELECT mapping_options($$"user" 'SERVICE-1', password 'hush'$$);
CREATE USER MAPPING FOR CURRENT_USER SERVER bob
	OPTIONS (service_user_id 'SERVICE-1', token 'hush');
SELECT attempt('ALTER USER MAPPING FOR CURRENT_USER SERVER bob
				OPTIONS (SET token ''new'')');
SELECT attempt('ALTER USER MAPPING FOR CURRENT_USER SERVER bob
				OPTIONS (DROP token)');
SELECT attempt('ALTER USER MAPPING FOR CURRENT_USER SERVER bob
				OPTIONS (SET service_user_id '''')');

--
-- Options that only superusers can set
--
CREATE ROLE regress_hibob_owner;
GRANT USAGE ON FOREIGN DATA WRAPPER hibob_fdw TO regress_hibob_owner;
CREATE SERVER proxied FOREIGN DATA WRAPPER hibob_fdw
	OPTIONS (proxy 'http://proxy.example.com:3128');
ALTER SERVER proxied OWNER TO regress_hibob_owner;
SET ROLE regress_hibob_owner;
SELECT server_option('base_url', 'https://api.sandbox.hibob.com/v1');
SELECT server_option('proxy', 'http://proxy.example.com:3128');
SELECT server_option('ca_file', '/etc/passwd', 'no such file');
-- Only a superuser can change a server with a proxy.
SELECT attempt('ALTER SERVER proxied OPTIONS (base_url ''https://x.com'')');
SELECT attempt('ALTER SERVER proxied OPTIONS (DROP proxy)');
SELECT attempt('CREATE USER MAPPING FOR CURRENT_USER SERVER proxied
				OPTIONS (service_user_id ''SERVICE-1'', token_file ''/run/x'')');
RESET ROLE;
DROP USER MAPPING FOR CURRENT_USER SERVER bob;
SELECT mapping_options($$service_user_id 'SERVICE-1', token_file 'run/hush'$$);
SELECT mapping_options($$service_user_id 'SERVICE-1', token 'hush',
						 token_file '/run/x'$$);
SELECT mapping_options($$service_user_id '', token_file '/run/x'$$);
CREATE USER MAPPING FOR CURRENT_USER SERVER bob OPTIONS (token_file '/run/x');
SELECT attempt('ALTER USER MAPPING FOR CURRENT_USER SERVER bob
				OPTIONS (DROP token_file)');

--
-- Entries of the setting that no base_url can match
--
SET hibob_fdw.allowed_hosts = 'bob.example.com, gateway, 10.0.0.1, fd00::1';
SET hibob_fdw.allowed_hosts = '';
SET hibob_fdw.allowed_hosts = 'bob.example.com, host:8443';
SET hibob_fdw.allowed_hosts = '*.example.com';
SET hibob_fdw.allowed_hosts = 'https://bob.example.com';
SET hibob_fdw.allowed_hosts = 'bob.example.com/v1';
SET hibob_fdw.allowed_hosts = '[::1]';
SET hibob_fdw.allowed_hosts = '0:0:0:0:0:0:0:1';
SET hibob_fdw.allowed_hosts = '127.1';
SET hibob_fdw.allowed_hosts = '10.0.0.0/8';
SET hibob_fdw.allowed_hosts = 'a b';
SHOW hibob_fdw.allowed_hosts;

-- Clean up.
DROP SERVER proxied;
REVOKE USAGE ON FOREIGN DATA WRAPPER hibob_fdw FROM regress_hibob_owner;
DROP ROLE regress_hibob_owner;
DROP FOREIGN TABLE p;
DROP USER MAPPING FOR CURRENT_USER SERVER bob;
DROP SERVER bob;
DROP FUNCTION mapping_options, column_option, table_option, server_option,
	attempt_values, attempt;
DROP EXTENSION hibob_fdw;
