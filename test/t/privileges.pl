# Which role may do what: whose user mapping a query uses, who may read options
# and tokens, and who may call which function.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use Test::More;

my $sim = start_simulator();
my $node = new_cluster('privileges');

add_server($node, 'bob', $sim, q{max_retries '0'});

# ------------------------------------------------------------------------
# Whose user mapping a query uses
# ------------------------------------------------------------------------

# A view uses the mapping of its owner, a function that of its caller.
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
	'a view is read with the mapping of its owner');
my ($state, $message) =
  query_error($node, 'SET ROLE reader; SELECT count(*) FROM bob.people');
is($state, '28000', 'the table itself with that of the reader');
like($message, qr/user "reader"/, '... whose name the message has');
is((query_error($node, 'SET ROLE stranger; SELECT count(*) FROM roster'))[0],
	'42501', 'a stranger may not read');
is(query($node, q{SET ROLE reader;
	SELECT count(*) FROM pg_user_mappings
	 WHERE umoptions::text LIKE '%canary%'}), '0',
	'and a reader does not see the token');

query($node, q{
	DROP OWNED BY reader, stranger;
	DROP USER MAPPING FOR CURRENT_USER SERVER bob;
	DROP ROLE reader, stranger});

# ------------------------------------------------------------------------
# Who may read what
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
	ALTER SYSTEM SET hibob_fdw.allowed_hosts = '127.0.0.1';
	SELECT pg_reload_conf()});
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
		$may_see{$role}, "tokens that $role sees in pg_user_mappings");
	is((query_error($node, "SET ROLE $role; SELECT * FROM pg_user_mapping"))[0],
		'42501', "... and $role does not see the catalog");
	is(query($node, "SET ROLE $role;
		SELECT count(*) FROM information_schema.user_mapping_options
		 WHERE option_name = 'token' AND option_value <> ''
		   AND option_value <> '$may_see{$role}'"), '0',
		'... nor more in the information schema');
}
is(query($node, 'SELECT count(*) FROM pg_user_mappings
	 WHERE umoptions::text LIKE $$%token=%$$'), '3', 'a superuser sees all');
is(query($node, 'SET ROLE stranger; SELECT count(*) FROM pg_foreign_server
	 WHERE srvoptions IS NOT NULL'), '1', 'options of a server are for everybody');

# The role for analysts: its mapping works, and it cannot read it.
is(query($node, 'SET ROLE analyst; SELECT count(*) FROM bob.people'), '500',
	'a mapping works without USAGE on the server');
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
			"$role may not: " . $sql =~ s/\s+/ /gr);
	}
}
is((query_error($node, 'GRANT EXECUTE ON FUNCTION hibob_fdw_status TO stranger;
	SET ROLE stranger; SELECT * FROM hibob_fdw_status($$bob$$)'))[0], '42501',
	'the function of a server takes USAGE on it, too');
is(query($node, 'SET ROLE stranger; SELECT count(*) FROM hibob_fdw_status()'),
	'0', '... or leaves it out');
is(query($node, 'SET ROLE stranger;
	SELECT count(*) FROM hibob_fdw_get_connections(), hibob_fdw_version();
	SELECT hibob_fdw_disconnect_all()'), "0\nf", 'the harmless ones are for all');
is(scalar requests($sim), 0, 'nothing of all that has reached HiBob');
query($node, 'REVOKE EXECUTE ON FUNCTION hibob_fdw_status FROM stranger');

# Every function and view, and why it is for whom, but for its owner.
my %for_whom = (
	'hibob_fdw_handler()' => 'PUBLIC: only the server can call it',
	'hibob_fdw_validator(text[],oid)' => 'PUBLIC: looks at its arguments, no more',
	'hibob_fdw_version()' => 'PUBLIC: what runs here',
	'hibob_fdw_get_connections()' => 'PUBLIC: of the own session',
	'hibob_fdw_disconnect(name)' => 'PUBLIC: of the own session',
	'hibob_fdw_disconnect_all()' => 'PUBLIC: of the own session',
	'hibob_fdw_status(name)' => 'nobody: asks HiBob',
	'hibob_fdw_comment_columns(name)' => 'nobody: asks HiBob, changes comments',
	'hibob_fdw_statistics()' => 'PUBLIC: of the own session',
	'hibob_fdw_statistics' => 'PUBLIC: of the own session',
	'hibob_fdw_statistics_reset()' => 'PUBLIC: of the own session',
	'hibob_fdw_cluster_statistics()' => 'pg_read_all_stats: of all sessions',
	'hibob_fdw_cluster_statistics' => 'pg_read_all_stats: of all sessions',
	'hibob_fdw_cluster_statistics_reset()' => 'nobody: of all sessions',
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
	'who may use which function and view, and there is none but these');
is(query($node, q{SELECT count(*) FROM pg_foreign_data_wrapper
	 WHERE fdwname = 'hibob_fdw' AND fdwacl IS NULL}), '1',
	'nobody may make servers until told');

done_testing();
