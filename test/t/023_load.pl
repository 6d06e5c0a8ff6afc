# Many sessions at once against HiBob's rate limit, and against credentials that
# it refuses: everyone is served or gets the error in time, and HiBob is not
# asked while it has said no.  Once with sessions that are on their own, and
# once with the library preloaded, where they share what they know.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT states report);
use HibobSession;
use List::Util qw(max min sum0);
use Test::More;
use Time::HiRes qw(sleep time);

my $SESSIONS = 50;
my $EMPLOYEES = 20;
my $COUNT = 'SELECT count(*) FROM bob.people;';
my $SLACK = 2.5 * $SLOWNESS;	# seconds that a busy machine may add

my $sim = start_simulator(employees => $EMPLOYEES);
my @table;

sub prepare
{
	my ($name, $conf) = @_;
	my $node = new_cluster($name, "max_connections = 80\n$conf");

	add_server($node, 'bob', $sim, q{max_retries '0', max_rate_limit_wait '0'});
	query($node, q{
		CREATE FOREIGN TABLE bob.work (employee_id text, id bigint)
			SERVER bob OPTIONS (resource 'work_history');
		CREATE FOREIGN TABLE bob.training (employee_id text, id bigint)
			SERVER bob OPTIONS (resource 'training');
		CREATE TABLE few AS SELECT (3332883884017713238 + 37 * n)::text AS id
		  FROM generate_series(1, 12) AS n;
	});
	return $node;
}

# Each turn has credentials of its own: what sessions share of a limit outlasts
# whatever is altered, since HiBob counts on.
my $token = $TOKEN;
my $turn = 0;

sub forget_faults
{
	my (%settings) = @_;
	tell($sim, 'reset');
	tell($sim, 'config', { token => $token, %settings });
	return;
}

sub alter_mapping
{
	my ($node) = @_;
	query($node, "ALTER USER MAPPING FOR CURRENT_USER SERVER bob
		OPTIONS (SET token '$token')");
	return;
}

sub begin
{
	my ($node, $wait, %settings) = @_;

	$token = 'token-' . $turn++;
	alter_mapping($node);
	query($node, "ALTER SERVER bob OPTIONS (SET max_rate_limit_wait '$wait')");
	forget_faults(%settings);
	requests($sim);
	return;
}

# All sessions say the same at once; of each what came, and after how long.
sub ask_all
{
	my ($sql, @sessions) = @_;
	my $started = time;
	my @results;

	$_->send($sql) foreach @sessions;
	foreach my $session (@sessions)
	{
		my ($out, $err, $trouble) = $session->receive(60);
		push @results, { out => $out, states => [ states($err) ],
			trouble => $trouble, took => time - $started };
	}
	return @results;
}

# Each query of each session is served or refused; returns how many were which.
sub check_outcomes
{
	my ($name, $queries, $state, @results) = @_;
	my @wrong = grep {
		my $rows = () = $_->{out} =~ /^$EMPLOYEES$/mg;
		defined $_->{trouble} || $rows + @{ $_->{states} } != $queries
		  || grep { $_ ne $state } @{ $_->{states} }
	} @results;
	my $refused = sum0 map { scalar @{ $_->{states} } } @results;

	is(scalar @wrong, 0, "$name: all rows, or $state");
	return ($queries * @results - $refused, $refused);
}

# The windows of the limit, as the simulator counts them: each begins with the
# first request after the one before.  Of each connection that was told to wait,
# the windows in which it was told so.
sub told_twice
{
	my ($window, @requests) = @_;
	my ($end, $n) = (0, 0);
	my (%told, $twice);

	foreach my $request (sort { $a->{time} <=> $b->{time} } @requests)
	{
		if ($request->{time} >= $end)
		{
			$end = $request->{time} + $window;
			$n++;
		}
		$twice++ if $told{"$request->{connection} $n"};
		$told{"$request->{connection} $n"} = 1 if $request->{status} == 429;
	}
	return $twice // 0;
}

sub row
{
	my ($name, $what, $served, $refused, $took, @requests) = @_;
	my $many = grep { $_->{status} == 429 } @requests;

	push @table, { sessions => $name, load => $what, served => $served,
		refused => $refused, requests => scalar @requests, 429 => $many,
		'longest (s)' => sprintf '%.1f', $took };
	return $many;
}

sub check_load
{
	my ($name, $node, $shared) = @_;
	my @sessions = map { HibobSession->new($node) } 1 .. $SESSIONS;

	# Fifty a minute, and two queries of each session, which nobody waits for.
	begin($node, 0, rate_limit => 50, rate_window => 60);
	my @results = ask_all("$COUNT\n$COUNT", @sessions);
	my ($served, $refused) =
	  check_outcomes("$name: fifty a minute", 2, '53400', @results);
	my @requests = requests($sim);
	my $told = row($name, '50 sessions, 2 queries each; 50 requests a minute; no wait',
		$served, $refused, max(map { $_->{took} } @results), @requests);
	is($served, 50, '... of which fifty are served');
	is(told_twice(60, @requests), 0, '... and none asks again before the time');
	cmp_ok(max(map { $_->{took} } @results), '<', 10 * $SLOWNESS, '... in time');
	is($told, 0, '... and HiBob never has to refuse') if $shared;
	cmp_ok($told, '<=', $SESSIONS, '... and HiBob refuses each session once');

	# The same again: HiBob is not asked at all, but by who does not know yet.
	@results = ask_all($COUNT, @sessions);
	($served, $refused) = check_outcomes("$name: again", 1, '53400', @results);
	is($served, 0, '... none of which is served');
	is(scalar(grep { $_->{status} != 429 } requests($sim)), 0,
		'... nor asks for more than to learn it');
	my ($late) = ask_all($COUNT, HibobSession->new($node));
	is_deeply($late->{states}, ['53400'], '... nor is one that comes later');
	is(scalar requests($sim), $shared ? 0 : 1, '... who learns it from the others')
	  if $shared;

	# Windows of two seconds: all are served that can be within their patience.
	my $wait = 4;
	begin($node, "${wait}s", rate_limit => 20, rate_window => 2);
	@results = ask_all($COUNT, @sessions);
	($served, $refused) = check_outcomes("$name: waiting", 1, '53400', @results);
	@requests = requests($sim);
	$told = row($name, "50 sessions, a query each; 20 requests in 2 s; wait at most $wait s",
		$served, $refused, max(map { $_->{took} } @results), @requests);
	cmp_ok($served, '>=', 35, '... most are served');
	cmp_ok(max(map { $_->{took} } @results), '<', $wait + $SLACK,
		"... none waits longer than $wait s");
	is(told_twice(2, @requests), 0, '... and none asks again before the time');
	is($told, 0, '... and HiBob never has to refuse') if $shared;
	$_->finish foreach @sessions;
	return;
}

# One 401 is one request, until the mapping is altered.
sub check_refused
{
	my ($name, $node, $shared) = @_;
	my $append = join(' UNION ALL ', ('(SELECT id FROM bob.people)') x 2,
		'(SELECT employee_id FROM bob.work)') . ';';
	my $lanes = 'SELECT count(*) FROM bob.training WHERE employee_id = ANY
		((SELECT array_agg(id) FROM few)::text[]);';

	foreach my $case ([ 'several statements', "$COUNT\n" x 3 . $lanes, 4 ],
		[ 'Append', "$append\n" x 2, 2 ], [ 'lanes', "$lanes\n" x 2, 2 ],
		[ 'refresh', "REFRESH MATERIALIZED VIEW roster;\n" x 2, 2 ],
		[ 'status', "SELECT status FROM hibob_fdw_status('bob');\n$COUNT", 1 ])
	{
		my ($what, $sql, $n) = @$case;
		my $session = HibobSession->new($node);

		begin($node, 0);
		tell($sim, 'config', { token => 'regenerated' });
		my ($out, $err) = $session->run($sql);
		is_deeply([ states($err) ], [ ('28000') x $n ], "$name: $what: refused");
		is(scalar requests($sim), 1, '... by one answer');
		($out, $err) = $session->run($sql);
		is_deeply([ states($err) ], [ ('28000') x $n ], '... and again');
		is(scalar requests($sim), 0, '... by none');
		my ($later) = ask_all($COUNT, HibobSession->new($node));
		is_deeply($later->{states}, ['28000'], '... another session, too');
		is(scalar requests($sim), $shared ? 0 : 1,
			$shared ? '... by none' : '... by its own');

		# Altered, be it to the same.
		alter_mapping($node);
		$session->run($COUNT);
		is(scalar requests($sim), 1, '... and once more for an altered mapping');
		forget_faults();
		alter_mapping($node);
		($out, $err) = $session->run($COUNT);
		is("$out$err", $EMPLOYEES, '... and then it is good');
	}

	my @sessions = map { HibobSession->new($node) } 1 .. $SESSIONS;
	begin($node, 0);
	tell($sim, 'config', { token => 'regenerated' });
	my @results = ask_all("$COUNT\n$COUNT\n$COUNT", @sessions);
	my ($served, $refused) =
	  check_outcomes("$name: all at once", 3, '28000', @results);
	my @requests = requests($sim);
	row($name, '50 sessions, 3 queries each; the token is revoked', $served,
		$refused, max(map { $_->{took} } @results), @requests);
	is(scalar @requests, $shared ? 1 : $SESSIONS,
		$shared ? '... one request for all' : '... one request each');
	$_->finish foreach @sessions;
	return;
}

foreach my $case ([ 'alone', '', 0 ],
	[ 'together', "shared_preload_libraries = 'hibob_fdw'\n", 1 ])
{
	my ($name, $conf, $shared) = @$case;
	my $node = prepare($name, $conf);

	tell($sim, 'reset');
	query($node, 'CREATE MATERIALIZED VIEW roster AS SELECT * FROM bob.people');
	check_load($name, $node, $shared);
	check_refused($name, $node, $shared);
	$node->stop;
}
report('load', [ qw(sessions load served refused requests 429), 'longest (s)' ],
	@table);

done_testing();
