# HiBob's rate limit.  One session waits for it or gets an error.  Of many
# sessions, each gets its rows or the error in time, and sends no request while
# the limit is used up.  Many sessions are tested without the library preloaded,
# where they do not share what they know, and with it.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobSession;
use HibobTest qw(:DEFAULT session states report stats wait_until);
use List::Util qw(max);
use ManySessions;
use Test::More;
use Time::HiRes qw(time);

my $SESSIONS = 50;
my $COUNT = 'SELECT count(*) FROM bob.people;';
my $SLACK = 2.5 * $SLOWNESS;	# seconds

my $sim = start_simulator(employees => $EMPLOYEES);

# ------------------------------------------------------------------------
# One session
# ------------------------------------------------------------------------

sub check_one_session
{
	my ($node) = @_;

	# Without a wait.  No request is sent before the window ends.
	start_load($node, 0);
	tell($sim, 'fault', { endpoint => '*', rate_limited => { reset_in => 600 } });
	my $started = time;
	my ($out, $err) = session($node, "$COUNT\n$COUNT");
	cmp_ok(time - $started, '<', 100 * $SLOWNESS, 'max_rate_limit_wait 0: no wait');
	is_deeply([ states($err) ], [ '53400', '53400' ], '... but errors');
	like($err, qr/HINT:.*max_rate_limit_wait/, '... with a hint');
	is(scalar requests($sim), 1, '... after one request');
	start_load($node, 0);
	tell($sim, 'fault', { endpoint => '*', rate_limited => { reset_in => 1 } });
	($out, $err) = session($node, "$COUNT\nSELECT pg_sleep(3.5);\n$COUNT");
	is_deeply([ states($err) ], ['53400'], 'one error');
	is($out, "\n$EMPLOYEES", '... and all rows after the window');

	# With a wait until the time that HiBob returned.
	query($node, q{ALTER SERVER bob OPTIONS (SET max_rate_limit_wait '10s')});
	tell($sim, 'fault', { endpoint => '*', rate_limited => { retry_after => 1 } });
	requests($sim);
	$started = time;
	is(query($node, $COUNT), $EMPLOYEES, 'max_rate_limit_wait 10s: all rows');
	cmp_ok(time - $started, '>=', 1, '... after a wait');
	is(scalar requests($sim), 2, '... and a second request');

	# Both headers are understood.
	foreach my $header ('reset_in', 'retry_after')
	{
		forget_faults();
		requests($sim);
		tell($sim, 'fault',
			{ endpoint => '*', rate_limited => { $header => 1 } });
		is(query($node, $COUNT), $EMPLOYEES, "a wait because of $header");
		is(scalar requests($sim), 2, '... and a second request');
	}
	tell($sim, 'fault', { endpoint => '*', rate_limited => { retry_after => 1 } });
	like(query($node, "EXPLAIN (ANALYZE) $COUNT"),
		qr/HiBob Rate Limit Wait: \d+ ms/, 'EXPLAIN shows the wait');
	return;
}

# A cancelled request of any kind does not count as in progress, which would
# reduce the number of requests that are left.
sub check_cancelled
{
	my ($node) = @_;
	my $session = HibobSession->new($node);

	query($node, q{DO $$ BEGIN
		EXECUTE (SELECT format('CREATE FOREIGN TABLE bob.wide (id text, %s)
			SERVER bob OPTIONS (resource ''people'')', string_agg(format(
				'f%s text OPTIONS (field %L)', n, 'work.custom.field_' || n), ', '))
			FROM generate_series(1, 450) AS n);
	END $$});
	start_load($node, 0, rate_limit => 50, rate_window => 600);
	$session->run($COUNT);
	foreach my $sql ("SELECT FROM hibob_fdw_status('bob')", 'TABLE bob.training',
		'TABLE bob.wide', q{SELECT * FROM bob.wide WHERE id IN ('1', '2')}, $COUNT)
	{
		tell($sim, 'fault', { endpoint => '*', stall => { seconds => 300 } });
		$session->send("$sql;");
		wait_until('request', sub { return stats($sim)->{under_way} });
		query($node, 'SELECT pg_cancel_backend(' . $session->backend . ')');
		my ($out, $err) = $session->receive;
		is_deeply([ states($err) ], ['57014'], "cancelled: $sql");
	}

	# Fewer are left than the session has counted.
	tell($sim, 'config', { rate_limit => 20 });
	is(($session->run("SELECT rate_limit_remaining FROM hibob_fdw_status('bob');"))[0],
		19, '... cancelled requests are no longer in progress');
	$session->finish;
	return;
}

# ------------------------------------------------------------------------
# Many sessions
# ------------------------------------------------------------------------

# How often a connection got status 429 twice within one window of the limit.
sub refused_twice
{
	my %refused;

	$refused{"$_->{connection} $_->{window}"}++ foreach grep { $_->{status} == 429 } @_;
	return scalar grep { $_ > 1 } values %refused;
}

sub check_load
{
	my ($name, $node, $shared) = @_;
	my @sessions = map { HibobSession->new($node) } 1 .. $SESSIONS;

	# Fifty requests, two queries in each session, without waits.
	start_load($node, 0, rate_limit => 50, rate_window => 600);
	my @results = run_all("$COUNT\n$COUNT", @sessions);
	my ($served, $refused) =
	  check_outcomes("$name: fifty requests", 2, '53400', @results);
	my @requests = requests($sim);
	my $refusals = load_row($name, '50 sessions, 2 queries each; 50 requests in 10 minutes; no wait',
		$served, $refused, max(map { $_->{took} } @results), @requests);
	is($served, 50, '... fifty of them succeed');
	is(refused_twice(@requests), 0, '... no session sends a request too early');
	cmp_ok(max(map { $_->{took} } @results), '<', 100 * $SLOWNESS,
		'... all of them in time');
	is($refusals, 0, '... and no request is refused') if $shared;
	cmp_ok($refusals, '<=', $SESSIONS, '... and one is refused per session at most');

	# Again: only sessions that do not know the limit yet send a request.
	@results = run_all($COUNT, @sessions);
	($served, $refused) = check_outcomes("$name: again", 1, '53400', @results);
	is($served, 0, '... none of them succeeds');
	is(scalar(grep { $_->{status} != 429 } requests($sim)), 0,
		'... no request succeeds');
	my ($late) = run_all($COUNT, HibobSession->new($node));
	is_deeply($late->{states}, ['53400'], '... nor does that of a new session');
	is(scalar requests($sim), $shared ? 0 : 1, '... which knows it from the others')
	  if $shared;

	# How long the queries take without a limit.
	start_load($node, 0);
	my $usual = max(map { $_->{took} } run_all($COUNT, @sessions));

	# Windows of two seconds: all queries succeed for which the wait is long enough.
	# If a busy machine delays requests beyond the end of a window, some are refused:
	# then they are tried again.
	my $wait = 4;
	for (1 .. 4)
	{
		start_load($node, "${wait}s", rate_limit => 20, rate_window => 2);
		@results = run_all($COUNT, @sessions);
		($served, $refused) = check_outcomes("$name: waiting", 1, '53400', @results);
		@requests = requests($sim);
		$refusals = load_row($name, "50 sessions, a query each; 20 requests in 2 s; wait at most $wait s",
			$served, $refused, max(map { $_->{took} } @results), @requests);
		cmp_ok($served, '>=', 35, '... most of them succeed');
		cmp_ok(max(map { $_->{took} } @results), '<', $wait + $SLACK + 3 * $usual,
			"... no query waits longer than $wait s");
		is(refused_twice(@requests), 0, '... no session sends a request too early');
		last if !$shared || !$refusals;
	}
	is($refusals, 0, '... and no request is refused') if $shared;
	$_->finish foreach @sessions;
	return;
}

foreach my $case ([ 'alone', '', 0 ],
	[ 'together', "shared_preload_libraries = 'hibob_fdw'\n", 1 ])
{
	my ($name, $conf, $shared) = @$case;
	my $node = new_load_cluster($sim, $name, $conf);

	check_one_session($node) unless $shared;
	check_cancelled($node);
	check_load($name, $node, $shared);
	$node->stop;
}
report('load', [ qw(sessions load served refused requests 429), 'longest (s)' ],
	@LOADS);

done_testing();
