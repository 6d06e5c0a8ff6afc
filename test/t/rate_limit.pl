# HiBob's rate limit: one session waits for it or gets an error; many sessions at
# once are all answered or get the error in time, and send no request while HiBob
# refuses them.  With many sessions, once where each is on its own, and once with
# the library preloaded, where they share what they know.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobSession;
use HibobTest qw(:DEFAULT session states report);
use List::Util qw(max);
use ManySessions;
use Test::More;
use Time::HiRes qw(sleep time);

my $SESSIONS = 50;
my $COUNT = 'SELECT count(*) FROM bob.people;';
my $SLACK = 2.5 * $SLOWNESS;	# seconds that a busy machine may add

my $sim = start_simulator(employees => $EMPLOYEES);

# ------------------------------------------------------------------------
# One session
# ------------------------------------------------------------------------

sub check_one_session
{
	my ($node) = @_;

	# No patience with the rate limit.  HiBob is not asked before the window ends.
	start_load($node, 0);
	tell($sim, 'fault', { endpoint => '*', rate_limited => { reset_in => 2 } });
	my $started = time;
	my ($out, $err) = session($node, "$COUNT\n$COUNT");
	cmp_ok(time - $started, '<', 1.5 * $SLOWNESS, 'no patience: no wait');
	is_deeply([ states($err) ], [ '53400', '53400' ], '... but errors');
	like($err, qr/HINT:.*max_rate_limit_wait/, '... with the way out');
	is(scalar requests($sim), 1, '... for one request');
	tell($sim, 'fault', { endpoint => '*', rate_limited => { reset_in => 1 } });
	($out, $err) = session($node, "$COUNT\nSELECT pg_sleep(2.3);\n$COUNT");
	is_deeply([ states($err) ], ['53400'], 'after the window');
	is($out, "\n$EMPLOYEES", '... it works');

	# Patience: the time HiBob names is waited for.
	query($node, q{ALTER SERVER bob OPTIONS (SET max_rate_limit_wait '10s')});
	tell($sim, 'fault', { endpoint => '*', rate_limited => { retry_after => 1 } });
	requests($sim);
	$started = time;
	is(query($node, $COUNT), $EMPLOYEES, 'with patience');
	cmp_ok(time - $started, '>=', 1, '... of a second');
	is(scalar requests($sim), 2, '... and one further request');

	# Either header names the time.
	foreach my $header ('reset_in', 'retry_after')
	{
		forget_faults();
		requests($sim);
		tell($sim, 'fault',
			{ endpoint => '*', rate_limited => { $header => 1 } });
		is(query($node, $COUNT), $EMPLOYEES, "waited for $header");
		is(scalar requests($sim), 2, '... with one further request');
	}
	tell($sim, 'fault', { endpoint => '*', rate_limited => { reset_in => 1 } });
	like(query($node, "EXPLAIN (ANALYZE) $COUNT"),
		qr/HiBob Rate Limit Wait: \d+ ms/, 'EXPLAIN counts waits');
	return;
}

# ------------------------------------------------------------------------
# Many sessions
# ------------------------------------------------------------------------

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

sub check_load
{
	my ($name, $node, $shared) = @_;
	my @sessions = map { HibobSession->new($node) } 1 .. $SESSIONS;

	# Fifty a minute, and two queries of each session, which nobody waits for.
	start_load($node, 0, rate_limit => 50, rate_window => 60);
	my @results = ask_all("$COUNT\n$COUNT", @sessions);
	my ($served, $refused) =
	  check_outcomes("$name: fifty a minute", 2, '53400', @results);
	my @requests = requests($sim);
	my $told = load_row($name, '50 sessions, 2 queries each; 50 requests a minute; no wait',
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
	start_load($node, "${wait}s", rate_limit => 20, rate_window => 2);
	@results = ask_all($COUNT, @sessions);
	($served, $refused) = check_outcomes("$name: waiting", 1, '53400', @results);
	@requests = requests($sim);
	$told = load_row($name, "50 sessions, a query each; 20 requests in 2 s; wait at most $wait s",
		$served, $refused, max(map { $_->{took} } @results), @requests);
	cmp_ok($served, '>=', 35, '... most are served');
	cmp_ok(max(map { $_->{took} } @results), '<', $wait + $SLACK,
		"... none waits longer than $wait s");
	is(told_twice(2, @requests), 0, '... and none asks again before the time');
	is($told, 0, '... and HiBob never has to refuse') if $shared;
	$_->finish foreach @sessions;
	return;
}

foreach my $case ([ 'alone', '', 0 ],
	[ 'together', "shared_preload_libraries = 'hibob_fdw'\n", 1 ])
{
	my ($name, $conf, $shared) = @$case;
	my $node = new_load_cluster($sim, $name, $conf);

	check_one_session($node) unless $shared;
	check_load($name, $node, $shared);
	$node->stop;
}
report('load', [ qw(sessions load served refused requests 429), 'longest (s)' ],
	@LOADS);

done_testing();
