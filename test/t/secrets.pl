# Secrets: where the token appears and where it does not, and how to set it in a
# user mapping without writing it to a log.  HibobTest checks after each test that
# no server log contains the token.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT contains_token reload_settings);
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir;
my $sim = start_simulator();
my $node = new_cluster('secrets', q{
shared_preload_libraries = 'pg_stat_statements, auto_explain'
});

query($node, 'CREATE EXTENSION pg_stat_statements');
add_server($node, 'bob', $sim, q{max_retries '0', read_timeout '1min'});
query($node, 'CREATE TABLE expected AS SELECT * FROM bob.people');

# The output and the errors of psql.
sub psql
{
	my ($sql, $role, %more) = @_;
	my ($status, $out, $err) = $node->psql('postgres',
		"\\set VERBOSITY verbose\n$sql", on_error_stop => 0,
		(defined $role ? (extra_params => [ '-U', $role ]) : ()), %more);

	return "$out\n$err";
}

# ------------------------------------------------------------------------
# Output of a session
# ------------------------------------------------------------------------

my $ALL = 'SELECT * FROM bob.people';
my %output;
$output{"EXPLAIN $_"} = psql(
	"EXPLAIN (VERBOSE, FORMAT $_) $ALL; EXPLAIN (ANALYZE, VERBOSE, FORMAT $_) $ALL")
  foreach 'text', 'json', 'xml', 'yaml';

my $HEADER = 'U0VSVklDRS01NzcyOnMzY3JldC1jYW5hcnktdG9rZW4=';
my @faults = (
	{ status => 400, body => '' }, { status => 401, body => '' },
	{ status => 403, body => '' }, { status => 404, body => '' },
	{ status => 500, body => '' }, { html => \1 }, { body => 'oops' },
	{ redirect => 'http://127.0.0.1:1/' }, { rate_limited => { reset_in => 3000 } },
	{ reset => 'before_headers' }, { reset => 30000 }, { gzip => 'corrupt' },
	{ stall => { seconds => 300 } },
	# HiBob or a gateway repeats the token, or the header that it is in.
	map { my $echo = $_;
		{ status => 400, json => { error => "no permission for $echo" } },
		  { status => 502, body => "$echo is unknown" }, { body => "$echo: oops" },
		  { body => 'oops', content_type => "text/$echo" } } $TOKEN, $HEADER);
# ... with escapes.
push @faults, map { { status => 400, body => qq({"error": "no permission for $_"}) } }
  $TOKEN =~ s/-/\\u002d/gr, $HEADER =~ s/=/\\u003D/gr;
foreach my $fault (@faults)
{
	my $name = join ' ', map { ref $fault->{$_} ? $_ : "$_ $fault->{$_}" }
	  sort keys %$fault;

	my $timeout = $fault->{stall} ? '300ms' : '1min';

	tell($sim, 'reset');
	tell($sim, 'fault', { endpoint => '*', times => undef, %$fault });
	query($node, "ALTER SERVER bob OPTIONS (SET read_timeout '$timeout')");
	$output{"fault $name"} = psql("$ALL; SELECT * FROM hibob_fdw_status();
		SELECT * FROM hibob_fdw_get_connections();
		SELECT * FROM hibob_fdw_statistics;
		SELECT hibob_fdw_comment_columns('bob'); ANALYZE bob.people;
		IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO public");
	like($output{"fault $name"}, qr/ERROR: /, "an error: $name");
}
tell($sim, 'reset');
query($node, q{ALTER SERVER bob OPTIONS (SET read_timeout '1min')});
$output{functions} = psql(q{SELECT * FROM hibob_fdw_version();
	SELECT * FROM hibob_fdw_status(); SELECT count(*) FROM bob.people;
	SELECT * FROM hibob_fdw_get_connections();
	SELECT hibob_fdw_comment_columns('bob');
	SELECT * FROM pg_description;
	SELECT hibob_fdw_disconnect('bob'); SELECT hibob_fdw_disconnect_all();
	SELECT * FROM pg_settings; SELECT * FROM pg_cursors;
	SELECT * FROM hibob_fdw_statistics; SELECT * FROM hibob_fdw_cluster_statistics;
	SELECT * FROM pg_prepared_statements; SELECT * FROM pg_foreign_server});
$output{'errors in a mapping'} = psql(qq{
	ALTER USER MAPPING FOR CURRENT_USER SERVER bob OPTIONS (SET token E'x\\n');
	ALTER USER MAPPING FOR CURRENT_USER SERVER bob OPTIONS (DROP token);
	DROP SERVER bob; DROP EXTENSION hibob_fdw;});
like($output{'errors in a mapping'}, qr/HV024.*HV00J.*2BP01.*2BP01/s,
	'errors of ALTER USER MAPPING and DROP');

tell($sim, 'fault', { endpoint => '*', stall => { seconds => 300 } });
my $waiting = $node->background_psql('postgres', on_error_stop => 0);
query($node, q{ALTER SERVER bob OPTIONS (SET read_timeout '5min')});
$waiting->query_until(qr/begun/, "\\echo begun\n$ALL;\n");
$node->poll_query_until('postgres', q{SELECT EXISTS (SELECT FROM pg_stat_activity
	WHERE query LIKE '%bob.people%' AND wait_event_type = 'Extension'
	  AND pid <> pg_backend_pid())}) or die 'the query does not wait';
$output{pg_stat_activity} = psql('SELECT * FROM pg_stat_activity;
	SELECT pg_log_backend_memory_contexts(pid) FROM pg_stat_activity
	 WHERE query LIKE $$%bob.people%$$ AND pid <> pg_backend_pid()');
like($output{pg_stat_activity}, qr/SELECT \* FROM bob\.people/,
	'pg_stat_activity shows the waiting query');
tell($sim, 'reset');
$waiting->quit;
query($node, q{ALTER SERVER bob OPTIONS (SET read_timeout '1min')});

# A plan in the log shows no value of one scan that another one sent to HiBob.
psql(q{ALTER SERVER bob OPTIONS (ADD fdw_startup_cost '1', ADD fdw_tuple_cost '10');
	SET auto_explain.log_min_duration = 0; SET auto_explain.log_analyze = on;
	SET auto_explain.log_verbose = on; SET auto_explain.log_level = 'log';
	SET enable_hashjoin = off; SET enable_mergejoin = off;
	SELECT count(b.id) FROM (SELECT email FROM bob.people WHERE email LIKE 'robert.%') a,
		LATERAL (SELECT id FROM bob.people b WHERE b.email = a.email OFFSET 0) b;
	SELECT count(id) FROM bob.people b WHERE email = ANY (ARRAY(SELECT min(email)
		FROM bob.people WHERE email LIKE 'robert.%'));
	SELECT count(id) FROM bob.people b WHERE id = (SELECT id
		FROM bob.people WHERE email LIKE 'robert.%' LIMIT 1);
	ALTER SERVER bob OPTIONS (DROP fdw_startup_cost, DROP fdw_tuple_cost)});

is(join(', ', grep { contains_token($output{$_}) } sort keys %output), '',
	'no output of a session contains the token');
ok(contains_token("x $TOKEN y") && contains_token('Basic U0VSVklDRS01NzcyOnMzY3JldC1jYW5hcnktdG9rZW4='),
	'... the check finds it, also as in a header');
# The log at debug5 contains no value of an employee and no token.  These values
# were read before.
my $log = slurp_file($node->logfile);
cmp_ok(length $log, '>', 30000, 'the log has level debug5');
like($log, qr/could not receive/, '... and the errors of these tests');
like($log, qr/HiBob Request: .*"values":\[/, '... and plans with requests');
foreach my $value ('robert.backslash2@', 'Okafor', '3332883884017713312')
{
	is(index(query($node, 'SELECT string_agg(expected::text, $$ $$)
		FROM expected'), $value) >= 0, 1, "$value is a value of an employee");
	is(index($log, $value), -1, '... the log does not contain it');
}

ok(!contains_token($log), 'the log does not contain the token');
psql("DO \$\$ BEGIN RAISE LOG 'U0VSVklDRS01NzcyOnMzY3JldC1jYW5hcnktdG9rZW4='; END \$\$");
ok(contains_token(slurp_file($node->logfile)), '... the check finds it there');
truncate $node->logfile, 0;

# ------------------------------------------------------------------------
# Setting the token of a user mapping
# ------------------------------------------------------------------------

# Where the token of a statement appears: the output, the log,
# pg_stat_statements, and pg_stat_activity right after the statement.
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
	push @seen, 'session' if contains_token($shown, $token);
	push @seen, 'log' if contains_token(slurp_file($node->logfile), $token);
	push @seen, 'statements' if contains_token(query($node,
		'SELECT string_agg(query, $$ $$) FROM pg_stat_statements'), $token);
	push @seen, 'activity' if contains_token(slurp_file("$dir/activity"), $token);
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
	ALTER SYSTEM SET log_min_duration_sample = 0;
	ALTER SYSTEM SET log_transaction_sample_rate = 1;
	ALTER SYSTEM SET log_min_messages = 'debug5';
	ALTER SYSTEM SET debug_print_parse = on;
	ALTER SYSTEM SET debug_print_rewritten = on;
	ALTER SYSTEM SET debug_print_plan = on;
	ALTER SYSTEM SET auto_explain.log_min_duration = 0;
	ALTER SYSTEM SET auto_explain.log_analyze = on;
	ALTER SYSTEM SET auto_explain.log_verbose = on;
	ALTER SYSTEM SET auto_explain.log_nested_statements = on});
reload_settings($node);
my $mapping = sub {
	my ($token) = @_;
	return "CREATE USER MAPPING FOR CURRENT_USER SERVER bob
		OPTIONS (service_user_id 'SERVICE-5772', token $token);";
};

is(where_seen('seen-token-0', $mapping->(q{'seen-token-0'})),
	'log statements activity', 'a plain CREATE USER MAPPING');
is(where_seen('seen-token-1', "\\getenv token HIBOB_TOKEN\n" . $mapping->(q{:'token'}),
		undef, HIBOB_TOKEN => 'seen-token-1'),
	'log statements activity', '... with the token in a variable of psql');

# The blocks of "The token" in the reference.
my $reference = slurp_file('doc/reference.md');
sub recipe
{
	my ($name) = @_;
	my ($text) = $reference =~ /<!-- recipe: \Q$name\E -->\n\n((?:    .*\n|\n)+)/
	  or die "the reference has no recipe $name";

	return $text =~ s/^    //gmr;
}

# A block after the line that reads the token from the environment.
sub with_token
{
	return recipe('token from the environment') . recipe($_[0]);
}
is(where_seen('seen-token-2', with_token('superuser'), undef,
		HIBOB_TOKEN => 'seen-token-2'),
	'nowhere', 'recipe: by a superuser, with settings');
is(where_seen('seen-token-3', with_token('superuser'), 'hr_admin',
		HIBOB_TOKEN => 'seen-token-3'),
	'nowhere no mapping', '... by a role that may not set them: no mapping');
psql(recipe('grant'));
is(where_seen('seen-token-4', with_token('superuser'), 'hr_admin',
		HIBOB_TOKEN => 'seen-token-4'),
	'nowhere', '... by a role that was granted them');
my @parameters = recipe('superuser') =~ /^SET ([\w.]+) =/mg;
is(scalar @parameters, 8, 'the block sets 8 parameters');
foreach my $parameter (@parameters)
{
	next if $parameter eq 'pgaudit.log';   # not loaded
	query($node, "REVOKE SET ON PARAMETER $parameter FROM hr_admin");
	is(where_seen("without-$parameter", with_token('superuser'), 'hr_admin',
			HIBOB_TOKEN => "without-$parameter"),
		'nowhere no mapping', "... without $parameter: no mapping");
	query($node, "GRANT SET ON PARAMETER $parameter TO hr_admin");
}
psql(recipe('grant') =~ s/GRANT/REVOKE/r =~ s/ TO / FROM /r);

# The output of a pseudo-terminal is what a user sees.
SKIP:
{
	my ($in, $out) = ('', '');
	my $time = IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default);

	skip 'no IO::Pty', 3 if !eval { require IO::Pty; 1 };
	query($node, 'DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER bob');
	append_to_file("$dir/typed.sql",
		recipe('token from the terminal') . recipe('superuser'));
	my $run = IPC::Run::start(
		[ 'psql', '-X', '-P', 'pager=off', '-f', "$dir/typed.sql",
			$node->connstr('postgres') ],
		'<pty<', \$in, '>pty>', \$out, $time);
	$run->pump until $out =~ /Token: /;
	$in .= "seen-token-10\n";
	$run->pump until $out =~ /CREATE USER MAPPING|No user mapping|ERROR/;
	$run->finish;
	like($out, qr/CREATE USER MAPPING/, 'recipe: typed into the terminal');
	ok(!contains_token($out . slurp_file($node->logfile), 'seen-token-10'),
		'... neither echoed nor in the log');
	is(query($node, q{SELECT 'token=seen-token-10' = ANY (umoptions)
			FROM pg_user_mapping}), 't', '... the mapping has the token');
}

is(where_seen('seen-token-5', with_token('any role'), 'hr_admin',
		HIBOB_TOKEN => 'seen-token-5'),
	'nowhere', 'recipe: by any role, without settings');
query($node, q{
	CREATE FUNCTION nothing() RETURNS event_trigger LANGUAGE plpgsql
	AS 'BEGIN END';
	CREATE EVENT TRIGGER nothing ON ddl_command_end
		EXECUTE FUNCTION nothing()});
is(where_seen('seen-token-5a', with_token('any role'), 'hr_admin',
		HIBOB_TOKEN => 'seen-token-5a'),
	'nowhere no mapping', '... not with event triggers at debug1');
is(where_seen('seen-token-5b', with_token('superuser'), undef,
		HIBOB_TOKEN => 'seen-token-5b'),
	'nowhere', '... with which the block of a superuser works');
query($node, 'DROP EVENT TRIGGER nothing');
query($node, q{
	ALTER SYSTEM SET pg_stat_statements.track = 'all'});
reload_settings($node);
is(where_seen('seen-token-6', with_token('any role'), 'hr_admin',
		HIBOB_TOKEN => 'seen-token-6'),
	'nowhere no mapping', '... not if pg_stat_statements tracks nested statements');
query($node, q{
	ALTER SYSTEM RESET pg_stat_statements.track});
reload_settings($node);

# The same recipe fails, because the mapping exists.
{
	psql($mapping->(q{'another'}), 'hr_admin');
	local $ENV{HIBOB_TOKEN} = 'seen-token-7';
	my $shown = psql(with_token('any role'), 'hr_admin');

	like($shown, qr/ERROR:  42710: user mapping .* already exists/,
		'a mapping that exists: an error');
	ok(!contains_token($shown . slurp_file($node->logfile), 'seen-token-7'),
		'... without the token');
}

# Statements that a driver prepares are logged at debug2, despite log_statement.
query($node, q{
	ALTER SYSTEM SET log_statement = 'none';
	ALTER SYSTEM RESET log_min_duration_statement;
	ALTER SYSTEM RESET log_min_duration_sample;
	ALTER SYSTEM RESET log_transaction_sample_rate;
	ALTER SYSTEM RESET debug_print_parse;
	ALTER SYSTEM RESET debug_print_rewritten;
	ALTER SYSTEM RESET debug_print_plan});
reload_settings($node);
foreach my $case ([ 'seen-token-8', 'warning', 0 ], [ 'seen-token-9', 'debug2', 1 ])
{
	my ($token, $level, $seen) = @$case;

	query($node, "DROP USER MAPPING IF EXISTS FOR hr_admin SERVER bob;
		ALTER SYSTEM SET log_min_messages = '$level'");
	reload_settings($node);
	append_to_file("$dir/$token.sql", $mapping->("'$token'") =~ s/\n/ /gr);
	$node->command_ok([ 'pgbench', '-n', '-t', 1, '-M', 'extended', '-U',
			'hr_admin', '-f', "$dir/$token.sql", 'postgres' ],
		"a prepared CREATE USER MAPPING at log level $level");
	is(contains_token(slurp_file($node->logfile), $token) ? 1 : 0, $seen,
		$seen ? '... the log contains the token'
		: '... the log does not contain the token');
}
query($node, q{
	ALTER SYSTEM SET log_min_messages = 'debug5';
	DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER bob;
	DROP USER MAPPING IF EXISTS FOR hr_admin SERVER bob;
	SELECT pg_reload_conf()});

done_testing();
