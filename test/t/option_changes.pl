# ALTER SERVER and ALTER USER MAPPING take effect with the next statement of every
# session, also if they commit while the first statement of a session runs or is
# planned.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT certificate authority closed_port);
use HibobSession;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $COUNT = 'SELECT count(*) FROM bob.people';
my @sims = map { start_simulator(employees => $_) } 10, 20;
my $node = new_cluster('option_changes');
my $tls = start_simulator(employees => 30, certificate('IP:127.0.0.1'));

add_server($node, 'bob', $sims[0], q{max_retries '0'});
# A wait for a lock that does not process invalidation messages.  The planner
# evaluates the first one.
query($node, q{
	CREATE FUNCTION wait_in_planner(bigint) RETURNS void IMMUTABLE STRICT
		LANGUAGE internal AS 'pg_advisory_lock_shared_int8'});
my %WAIT = (
	planner => 'wait_in_planner(1) IS NOT NULL',
	executor => '(SELECT pg_advisory_lock_shared(1)) IS NOT NULL');

# The change while the first statement waits, the result of the next one, and
# how to undo the change.
my $HTTPS = 'https' . substr($tls, 5);
my @changes = (
	[ 'base_url', "ALTER SERVER bob OPTIONS (SET base_url '$sims[1]/v1')", '20',
		"ALTER SERVER bob OPTIONS (SET base_url '$sims[0]/v1')" ],
	[ 'token', q{ALTER USER MAPPING FOR CURRENT_USER SERVER bob
			OPTIONS (SET token 'wrong')}, '28000',
		qq{ALTER USER MAPPING FOR CURRENT_USER SERVER bob
			OPTIONS (SET token '$TOKEN')} ],
	[ 'proxy', "ALTER SERVER bob OPTIONS (ADD proxy 'http://127.0.0.1:"
		  . closed_port() . q{')}, 'HV00N',
		'ALTER SERVER bob OPTIONS (DROP proxy)' ],
	[ 'ca_file', "ALTER SERVER bob OPTIONS (SET base_url '$HTTPS/v1',
			ADD ca_file '${\authority()}')", '30',
		"ALTER SERVER bob OPTIONS (SET base_url '$sims[0]/v1', DROP ca_file)" ],
	[ 'another server and another token',
		"BEGIN; ALTER SERVER bob OPTIONS (SET base_url '$sims[1]/v1');
			ALTER USER MAPPING FOR CURRENT_USER SERVER bob
			OPTIONS (SET token 'second'); COMMIT", '20',
		"ALTER SERVER bob OPTIONS (SET base_url '$sims[0]/v1');
		 ALTER USER MAPPING FOR CURRENT_USER SERVER bob
			OPTIONS (SET token '$TOKEN')" ],
);

# Waits until the session waits for the lock.
sub wait_for_lock
{
	my ($pid) = @_;

	$node->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM pg_locks
		WHERE pid = $pid AND locktype = 'advisory' AND NOT granted)")
	  or die 'the session does not wait';
	return;
}

# The rows of a statement, or the SQLSTATE of its error.
sub outcome
{
	my ($out, $err) = @_;
	return $err =~ /ERROR:  (\w+):/ ? $1 : $out;
}

my $admin = HibobSession->new($node);
foreach my $where ('planner', 'executor')
{
	foreach my $change (@changes)
	{
		my ($what, $alter, $expected, $back) = @$change;
		my $session = HibobSession->new($node);
		my $first = "$COUNT WHERE $WAIT{$where}";

		tell($sims[1], 'config', { token => $what =~ /another token/ ?
				'second' : $TOKEN });
		requests($_) foreach @sims;
		$admin->run('SELECT pg_advisory_lock(1);');
		$session->send("$first;");
		wait_for_lock($session->backend);
		$admin->run("$alter;");
		$admin->run('SELECT pg_advisory_unlock(1);');
		my $before = outcome($session->receive(60));
		ok($before eq '10' || $before eq $expected,
			"$what, in the $where: the first statement") or diag($before);
		$session->run('SELECT pg_advisory_unlock_all();');
		is(outcome($session->run("$COUNT;")), $expected,
			'... the next statement');
		is(scalar(grep { $_->{credentials} eq 'wrong' && $what =~ /another/ }
				map { requests($_) } @sims), 0,
			'... no server gets credentials of the other');
		$session->run("SELECT hibob_fdw_disconnect('bob');");
		is(outcome($session->run("$COUNT;")), $expected, '... the statement after disconnect');
		$admin->run("$back;");
		is(outcome($session->run("$COUNT;")), '10', '... the change is undone');
		$session->finish;
	}
}

# Changes of roles or other servers do not close the connection.
my $session = HibobSession->new($node);
$session->run("$COUNT;");
requests($sims[0]);
query($node, 'CREATE SERVER other FOREIGN DATA WRAPPER hibob_fdw');
is(outcome($session->run("$COUNT;")), 10, 'another server is created');
$session->run("$COUNT;");
my %connections = map { $_->{connection} => 1 } requests($sims[0]);
is(scalar keys %connections, 1, '... the connection stays open');

# A cached result, in the first statement of a session.
query($node, q{CREATE FOREIGN TABLE bob.few (id text) SERVER bob
	OPTIONS (resource 'people', cache_ttl '1h')});
tell($sims[1], 'config', { token => $TOKEN });
my $fresh = HibobSession->new($node);
$admin->run('SELECT pg_advisory_lock(1);');
$fresh->send("SELECT count(*) FROM bob.few WHERE $WAIT{executor};");
wait_for_lock($fresh->backend);
$admin->run("ALTER SERVER bob OPTIONS (SET base_url '$sims[1]/v1');");
$admin->run('SELECT pg_advisory_unlock(1);');
$fresh->receive(60);
is(outcome($fresh->run('SELECT count(*) FROM bob.few;')), 20,
	'a result of the old server is not cached for the next statement');

$_->finish foreach $session, $fresh, $admin;
done_testing();
