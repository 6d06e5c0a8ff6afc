# Secrets: what shows the token and what does not, how it gets into a mapping
# without being seen, and which role may do what.  That no server's log has it,
# HibobTest looks at after each test.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT told);
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir;
my $sim = start_simulator();
my $node = new_cluster('secrets', q{
shared_preload_libraries = 'pg_stat_statements'
});

query($node, 'CREATE EXTENSION pg_stat_statements');
add_server($node, 'bob', $sim, q{max_retries '0', read_timeout '300ms'});

# A session as the server saw it, and what psql showed of it.
sub psql
{
	my ($sql, $role, %more) = @_;
	my ($status, $out, $err) = $node->psql('postgres',
		"\\set VERBOSITY verbose\n$sql", on_error_stop => 0,
		(defined $role ? (extra_params => [ '-U', $role ]) : ()), %more);

	return "$out\n$err";
}

# ------------------------------------------------------------------------
# What a session says
# ------------------------------------------------------------------------

my $ALL = 'SELECT * FROM bob.people';
my %said;
$said{"EXPLAIN $_"} = psql(
	"EXPLAIN (VERBOSE, FORMAT $_) $ALL; EXPLAIN (ANALYZE, VERBOSE, FORMAT $_) $ALL")
  foreach 'text', 'json', 'xml', 'yaml';

my @faults = (
	{ status => 400, body => '' }, { status => 401, body => '' },
	{ status => 403, body => '' }, { status => 404, body => '' },
	{ status => 500, body => '' }, { html => \1 }, { body => 'oops' },
	{ redirect => 'http://127.0.0.1:1/' }, { rate_limited => { reset_in => 3000 } },
	{ reset => 'before_headers' }, { reset => 30000 }, { gzip => 'corrupt' },
	{ stall => { seconds => 5 } });
foreach my $fault (@faults)
{
	my $name = join ' ', map { ref $fault->{$_} ? $_ : "$_ $fault->{$_}" }
	  sort keys %$fault;

	tell($sim, 'reset');
	tell($sim, 'fault', { endpoint => '*', times => undef, %$fault });
	$said{"fault $name"} = psql("$ALL; SELECT * FROM hibob_fdw_status();
		SELECT * FROM hibob_fdw_get_connections();
		SELECT * FROM hibob_fdw_statistics;
		SELECT hibob_fdw_comment_columns('bob'); ANALYZE bob.people;
		IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO public");
	like($said{"fault $name"}, qr/ERROR: /, "an error of $name");
}
tell($sim, 'reset');
$said{functions} = psql(q{SELECT * FROM hibob_fdw_version();
	SELECT * FROM hibob_fdw_status(); SELECT count(*) FROM bob.people;
	SELECT * FROM hibob_fdw_get_connections();
	SELECT hibob_fdw_comment_columns('bob');
	SELECT * FROM pg_description;
	SELECT hibob_fdw_disconnect('bob'); SELECT hibob_fdw_disconnect_all();
	SELECT * FROM pg_settings; SELECT * FROM pg_cursors;
	SELECT * FROM hibob_fdw_statistics; SELECT * FROM hibob_fdw_cluster_statistics;
	SELECT * FROM pg_prepared_statements; SELECT * FROM pg_foreign_server});
$said{'mistakes in a mapping'} = psql(qq{
	ALTER USER MAPPING FOR CURRENT_USER SERVER bob OPTIONS (SET token E'x\\n');
	ALTER USER MAPPING FOR CURRENT_USER SERVER bob OPTIONS (DROP token);
	DROP SERVER bob; DROP EXTENSION hibob_fdw;});
like($said{'mistakes in a mapping'}, qr/HV024.*HV00J.*2BP01.*2BP01/s,
	'mistakes in a mapping are errors');

tell($sim, 'fault', { endpoint => '*', stall => { seconds => 5 } });
my $waiting = $node->background_psql('postgres', on_error_stop => 0);
query($node, q{ALTER SERVER bob OPTIONS (SET read_timeout '60s')});
$waiting->query_until(qr/begun/, "\\echo begun\n$ALL;\n");
$node->poll_query_until('postgres', q{SELECT EXISTS (SELECT FROM pg_stat_activity
	WHERE query LIKE '%bob.people%' AND wait_event_type = 'Extension'
	  AND pid <> pg_backend_pid())}) or die 'the query does not wait';
$said{pg_stat_activity} = psql('SELECT * FROM pg_stat_activity;
	SELECT pg_log_backend_memory_contexts(pid) FROM pg_stat_activity
	 WHERE query LIKE $$%bob.people%$$ AND pid <> pg_backend_pid()');
like($said{pg_stat_activity}, qr/SELECT \* FROM bob\.people/,
	'pg_stat_activity shows the waiting query');
tell($sim, 'reset');
$waiting->quit;
query($node, q{ALTER SERVER bob OPTIONS (SET read_timeout '300ms')});

is(join(', ', grep { told($said{$_}) } sort keys %said), '',
	'nothing that a session shows has the token');
ok(told("x $TOKEN y") && told('Basic U0VSVklDRS01NzcyOnMzY3JldC1jYW5hcnktdG9rZW4='),
	'... which would have been found, also as a header has it');
ok(!told(slurp_file($node->logfile)), 'nor has the log');
psql("DO \$\$ BEGIN RAISE LOG 'U0VSVklDRS01NzcyOnMzY3JldC1jYW5hcnktdG9rZW4='; END \$\$");
ok(told(slurp_file($node->logfile)), '... which would have been found there');
truncate $node->logfile, 0;

# ------------------------------------------------------------------------
# Ways of a token into a mapping
# ------------------------------------------------------------------------

# What shows a token of its own afterwards: the log, pg_stat_statements, and
# pg_stat_activity while the session still has nothing else to do.
sub where_seen
{
	my ($token, $sql, $role, %environment) = @_;
	my $look = qq{\\! psql -XAtc "SELECT query FROM pg_stat_activity WHERE pid <> pg_backend_pid()" > $dir/activity\n};
	my @seen;

	query($node, 'DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER bob;
		DROP USER MAPPING IF EXISTS FOR hr_admin SERVER bob;
		SELECT pg_stat_statements_reset()');
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port,
		PGDATABASE => 'postgres', %environment);
	my $shown = psql("$sql\n$look", $role);
	push @seen, 'session' if told($shown, $token);
	push @seen, 'log' if told(slurp_file($node->logfile), $token);
	push @seen, 'statements' if told(query($node,
		'SELECT string_agg(query, $$ $$) FROM pg_stat_statements'), $token);
	push @seen, 'activity' if told(slurp_file("$dir/activity"), $token);
	push @seen, 'nowhere' if !@seen;
	push @seen, 'no mapping' if query($node, "SELECT count(*) FROM pg_user_mapping
		 WHERE '$token' = ANY (SELECT split_part(o, '=', 2)
			FROM unnest(umoptions) AS o)") ne '1';
	return join ' ', @seen;
}

query($node, q{
	CREATE ROLE hr_admin LOGIN;
	GRANT USAGE ON FOREIGN SERVER bob TO hr_admin;
	ALTER SYSTEM SET log_statement = 'all';
	ALTER SYSTEM SET log_min_duration_statement = 0;
	ALTER SYSTEM SET log_min_messages = 'debug5';
	SELECT pg_reload_conf()});
my $mapping = sub {
	my ($token) = @_;
	return "CREATE USER MAPPING FOR CURRENT_USER SERVER bob
		OPTIONS (service_user_id 'SERVICE-5772', token $token);";
};

is(where_seen('seen-token-0', $mapping->(q{'seen-token-0'})),
	'log statements activity', 'a plain CREATE USER MAPPING is seen');
is(where_seen('seen-token-1', "\\getenv token HIBOB_TOKEN\n" . $mapping->(q{:'token'}),
		undef, HIBOB_TOKEN => 'seen-token-1'),
	'log statements activity', '... wherever psql had the token from');

# The manual's recipes are taken from the manual.
my $manual = slurp_file('doc/reference.md');
sub recipe
{
	my ($name) = @_;
	my ($text) = $manual =~ /<!-- recipe: \Q$name\E -->\n\n((?:    .*\n|\n)+)/
	  or die "the manual has no recipe $name";

	return $text =~ s/^    //gmr;
}
is(where_seen('seen-token-2', recipe('superuser'), undef,
		HIBOB_TOKEN => 'seen-token-2'),
	'nowhere', 'recipe: by a superuser, with settings');
psql(recipe('role'));
is(where_seen('seen-token-3', recipe('by the role'), 'hr_admin',
		HIBOB_TOKEN => 'seen-token-3'),
	'nowhere', 'recipe: by a role, with settings of the role');
psql(q{ALTER ROLE hr_admin RESET ALL});
is(where_seen('seen-token-4', recipe('by the role'), 'hr_admin',
		HIBOB_TOKEN => 'seen-token-4'),
	'log statements activity', '... which is seen without these settings');
is(where_seen('seen-token-5', recipe('any role'), 'hr_admin',
		HIBOB_TOKEN => 'seen-token-5'),
	'nowhere', 'recipe: by any role, without any setting');
query($node, q{
	ALTER SYSTEM SET pg_stat_statements.track = 'all';
	SELECT pg_reload_conf()});
is(where_seen('seen-token-6', recipe('any role'), 'hr_admin',
		HIBOB_TOKEN => 'seen-token-6'),
	'statements', '... unless pg_stat_statements tracks nested statements');
query($node, q{
	ALTER SYSTEM RESET pg_stat_statements.track;
	SELECT pg_reload_conf()});

# The same recipe when it fails, for a mapping that is there already.
{
	local $ENV{HIBOB_TOKEN} = 'seen-token-7';
	my $shown = psql(recipe('any role'), 'hr_admin');

	like($shown, qr/ERROR:  42710: user mapping .* already exists/,
		'a mapping that exists');
	ok(!told($shown . slurp_file($node->logfile), 'seen-token-7'),
		'... is told without the token');
}

# Drivers that prepare a statement are seen at debug2, whatever log_statement.
query($node, q{
	ALTER SYSTEM SET log_statement = 'none';
	ALTER SYSTEM RESET log_min_duration_statement;
	SELECT pg_reload_conf()});
foreach my $case ([ 'seen-token-8', 'warning', 0 ], [ 'seen-token-9', 'debug2', 1 ])
{
	my ($token, $level, $seen) = @$case;

	query($node, "DROP USER MAPPING IF EXISTS FOR hr_admin SERVER bob;
		ALTER SYSTEM SET log_min_messages = '$level'; SELECT pg_reload_conf()");
	append_to_file("$dir/$token.sql", $mapping->("'$token'") =~ s/\n/ /gr);
	$node->command_ok([ 'pgbench', '-n', '-t', 1, '-M', 'extended', '-U',
			'hr_admin', '-f', "$dir/$token.sql", 'postgres' ],
		"a prepared CREATE USER MAPPING at $level");
	is(told(slurp_file($node->logfile), $token) ? 1 : 0, $seen,
		$seen ? '... is in the log' : '... is not in the log');
}
query($node, q{
	ALTER SYSTEM SET log_min_messages = 'debug5';
	DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER bob;
	DROP USER MAPPING IF EXISTS FOR hr_admin SERVER bob;
	SELECT pg_reload_conf()});

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
is(query($node, q{SET ROLE stranger; SELECT DISTINCT status, people, rate_limit
	FROM hibob_fdw_status()}), 'not permitted||', '... and makes no request without');
is((query_error($node,
	q{SET ROLE stranger; SELECT hibob_fdw_metadata('bob', 'fields')}))[0], '42501',
	'... as does the metadata');
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
	'hibob_fdw_comment_columns(name)' => 'nobody: makes requests, changes comments',
	'hibob_fdw_columns(name)' => 'PUBLIC: reads the system catalogs',
	'hibob_fdw_metadata(name,text)' => 'PUBLIC: needs USAGE on the server',
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
