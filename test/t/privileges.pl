# Privileges: the user mapping that a query uses, the roles that can read options
# and tokens, and the roles that can call each function.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT reload_settings);
use Test::More;

my $sim = start_simulator();
my $node = new_cluster('privileges');

add_server($node, 'bob', $sim, q{max_retries '0'});

# ------------------------------------------------------------------------
# The user mapping of a query
# ------------------------------------------------------------------------

# A view uses the user mapping of its owner.
query($node, q{
	CREATE ROLE reader LOGIN;
	CREATE ROLE stranger LOGIN;
	GRANT USAGE ON SCHEMA bob TO reader, stranger;
	CREATE VIEW roster AS SELECT id, email FROM bob.people;
	GRANT SELECT ON roster, bob.people TO reader;
	CREATE USER MAPPING FOR reader SERVER bob
		OPTIONS (service_user_id 'SERVICE-1', token 'of the reader');
});
is(query($node, 'SET ROLE reader; SELECT count(*) FROM roster'), '500',
	'a view uses the user mapping of its owner');
my ($state, $message) =
  query_error($node, 'SET ROLE reader; SELECT count(*) FROM bob.people');
is($state, '28000', 'a query of the table uses that of the role');
like($message, qr/user "reader"/, '... the message names the role');
is((query_error($node, 'SET ROLE stranger; SELECT count(*) FROM roster'))[0],
	'42501', 'a role without SELECT gets an error');
is(query($node, q{SET ROLE reader;
	SELECT count(*) FROM pg_user_mappings
	 WHERE umoptions::text LIKE '%canary%'}), '0',
	'a role with SELECT does not see the token');

query($node, q{
	DROP OWNED BY reader, stranger;
	DROP USER MAPPING FOR CURRENT_USER SERVER bob;
	DROP ROLE reader, stranger});

# ------------------------------------------------------------------------
# Tokens and functions
# ------------------------------------------------------------------------

query($node, qq{
	CREATE ROLE owner LOGIN;
	CREATE ROLE mapped LOGIN;
	CREATE ROLE analyst LOGIN;
	CREATE ROLE user_of_server LOGIN;
	CREATE ROLE stranger LOGIN;
	ALTER SERVER bob OWNER TO owner;
	GRANT USAGE ON FOREIGN SERVER bob TO mapped, user_of_server;
	CREATE USER MAPPING FOR mapped SERVER bob
		OPTIONS (service_user_id 'SERVICE-5772', token 'token-of-mapped');
	CREATE USER MAPPING FOR analyst SERVER bob
		OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
	CREATE USER MAPPING FOR PUBLIC SERVER bob
		OPTIONS (service_user_id 'SERVICE-5772', token 'token-of-all');
	GRANT USAGE ON SCHEMA bob TO PUBLIC;
	GRANT SELECT ON bob.people TO analyst;
	SET hibob_fdw.allowed_hosts = '127.0.0.1';
	ALTER SYSTEM SET hibob_fdw.allowed_hosts = '127.0.0.1'});
reload_settings($node);
my %may_see = (
	owner => 'token-of-all', mapped => 'token-of-mapped', analyst => '',
	user_of_server => '', stranger => '',
);
foreach my $role (sort keys %may_see)
{
	is(query($node, "SET ROLE $role;
		SELECT coalesce(string_agg(t, ',' ORDER BY t), '') FROM (
			SELECT split_part(unnest(umoptions), 'token=', 2) AS t
			  FROM pg_user_mappings) AS options WHERE t <> ''"),
		$may_see{$role}, "the tokens that $role sees in pg_user_mappings");
	is((query_error($node, "SET ROLE $role; SELECT * FROM pg_user_mapping"))[0],
		'42501', "... $role cannot read pg_user_mapping");
	is(query($node, "SET ROLE $role;
		SELECT count(*) FROM information_schema.user_mapping_options
		 WHERE option_name = 'token' AND option_value <> ''
		   AND option_value <> '$may_see{$role}'"), '0',
		'... and sees no other token in the information schema');
}
is(query($node, 'SELECT count(*) FROM pg_user_mappings
	 WHERE umoptions::text LIKE $$%token=%$$'), '3', 'a superuser sees all tokens');
is(query($node, 'SET ROLE stranger; SELECT count(*) FROM pg_foreign_server
	 WHERE srvoptions IS NOT NULL'), '1',
	'all roles can read the options of a server');

# A role for analysts can use its mapping and cannot read it.
is(query($node, 'SET ROLE analyst; SELECT count(*) FROM bob.people'), '500',
	'a user mapping works without USAGE on the server');
requests($sim);
my %refused = (
	stranger => [
		'SELECT * FROM bob.people',
		'SELECT * FROM hibob_fdw_status()',
		q{SELECT * FROM hibob_fdw_status('bob')},
		q{SELECT hibob_fdw_comment_columns('bob')},
		'SELECT * FROM hibob_fdw_cluster_statistics',
		'SELECT hibob_fdw_cluster_statistics_reset()',
		q{CREATE FOREIGN TABLE pg_temp.t (id text) SERVER bob
			OPTIONS (resource 'people')},
		q{CREATE USER MAPPING FOR stranger SERVER bob
			OPTIONS (service_user_id 'x', token 'y')},
		'CREATE SERVER mine FOREIGN DATA WRAPPER hibob_fdw',
		q{ALTER SERVER bob OPTIONS (SET base_url 'https://api.hibob.com')},
		q{ALTER USER MAPPING FOR mapped SERVER bob OPTIONS (SET token 'x')},
		'IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO pg_temp',
		'DROP EXTENSION hibob_fdw',
	],
	analyst => [
		q{ALTER USER MAPPING FOR analyst SERVER bob OPTIONS (SET token 'x')},
		'IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO pg_temp',
		'SELECT * FROM hibob_fdw_status()',
	],
);
foreach my $role (sort keys %refused)
{
	foreach my $sql (@{ $refused{$role} })
	{
		is((query_error($node, "SET ROLE $role; $sql"))[0], '42501',
			"$role is not allowed: " . $sql =~ s/\s+/ /gr);
	}
}
is((query_error($node, 'GRANT EXECUTE ON FUNCTION hibob_fdw_status TO stranger;
	SET ROLE stranger; SELECT * FROM hibob_fdw_status($$bob$$)'))[0], '42501',
	'hibob_fdw_status() also needs USAGE on the server');
is(query($node, q{SET ROLE stranger; SELECT DISTINCT status, people, rate_limit
	FROM hibob_fdw_status()}), 'not permitted||',
	'... or makes no request for the server');
is((query_error($node,
	q{SET ROLE stranger; SELECT hibob_fdw_metadata('bob', 'fields')}))[0], '42501',
	'... so does hibob_fdw_metadata()');
is(query($node, 'SET ROLE stranger;
	SELECT count(*) FROM hibob_fdw_get_connections(), hibob_fdw_version();
	SELECT hibob_fdw_disconnect_all()'), "0\nf",
	'all roles can call functions of their own session');
is(scalar requests($sim), 0, 'none of these calls makes a request');
query($node, 'REVOKE EXECUTE ON FUNCTION hibob_fdw_status FROM stranger');

# Each function and view: the grantees except the owner, and why.
my %for_whom = (
	'hibob_fdw_handler()' => 'PUBLIC: only the server can call it',
	'hibob_fdw_validator(text[],oid)' => 'PUBLIC: checks its arguments only',
	'hibob_fdw_version()' => 'PUBLIC: versions',
	'hibob_fdw_libraries()' => 'PUBLIC: versions',
	'hibob_fdw_get_connections()' => 'PUBLIC: own session',
	'hibob_fdw_disconnect(name)' => 'PUBLIC: own session',
	'hibob_fdw_disconnect_all()' => 'PUBLIC: own session',
	'hibob_fdw_status(name)' => 'nobody: makes requests',
	'hibob_fdw_columns(name)' => 'PUBLIC: reads the system catalogs',
	'hibob_fdw_metadata(name,text)' => 'PUBLIC: needs USAGE on the server',
	'hibob_fdw_comment_columns(name)' => 'nobody: makes requests, sets comments',
	'hibob_fdw_statistics()' => 'PUBLIC: own session',
	'hibob_fdw_statistics' => 'PUBLIC: own session',
	'hibob_fdw_statistics_reset()' => 'PUBLIC: own session',
	'hibob_fdw_cluster_statistics()' => 'pg_read_all_stats: all sessions',
	'hibob_fdw_cluster_statistics' => 'pg_read_all_stats: all sessions',
	'hibob_fdw_cluster_statistics_reset()' => 'nobody: all sessions',
);
is(query($node, q{
	WITH own AS (
		SELECT classid, objid FROM pg_depend JOIN pg_extension AS e
			ON refobjid = e.oid AND e.extname = 'hibob_fdw' AND deptype = 'e'),
	objects AS (
		SELECT p.oid::regprocedure::text AS object, proowner AS owner,
			coalesce(proacl, acldefault('f', proowner)) AS acl
		  FROM pg_proc AS p JOIN own ON objid = p.oid
			   AND classid = 'pg_proc'::regclass
		 UNION ALL
		SELECT c.oid::regclass::text, relowner,
			coalesce(relacl, acldefault('r', relowner))
		  FROM pg_class AS c JOIN own ON objid = c.oid
			   AND classid = 'pg_class'::regclass AND relkind <> 'c')
	SELECT string_agg(object || ' ' || coalesce((
			SELECT string_agg(CASE grantee WHEN 0 THEN 'PUBLIC'
					ELSE grantee::regrole::text END, ', ')
			  FROM aclexplode(acl) WHERE grantee <> owner), 'nobody'), E'\n'
		ORDER BY object COLLATE "C")
	  FROM objects}),
	join("\n", map { "$_ " . $for_whom{$_} =~ s/:.*//r } sort keys %for_whom),
	'the privileges of all functions and views');
is(query($node, q{SELECT count(*) FROM pg_foreign_data_wrapper
	 WHERE fdwname = 'hibob_fdw' AND fdwacl IS NULL}), '1',
	'only superusers can create servers by default');

done_testing();
