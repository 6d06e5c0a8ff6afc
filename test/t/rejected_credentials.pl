# Rejected credentials, and waits that a response causes: few requests are sent
# unnecessarily, no wait is longer than some minutes or because the clock is set
# back, and an administrator can end a wait.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT states stats wait_until wait_for_stalled);
use HibobSession;
use List::Util qw(max);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $COUNT = 'SELECT count(*) FROM bob.people';
my $SESSIONS = 30;
my $dir = PostgreSQL::Test::Utils::tempdir;
my $sim = start_simulator(employees => 20);
my $node = new_cluster('rejected',
	"max_connections = 60\nshared_preload_libraries = 'hibob_fdw'");

add_server($node, 'bob', $sim, q{max_retries '0', max_rate_limit_wait '0'});

my $token = 0;

# A new token, of which no session knows anything.
sub begin
{
	my ($is_wrong, %settings) = @_;

	$token++;
	tell($sim, 'reset');
	tell($sim, 'config', { token => $is_wrong ? 'another' : "token-$token",
			%settings });
	query($node, "ALTER USER MAPPING FOR CURRENT_USER SERVER bob
		OPTIONS (SET token 'token-$token')");
	requests($sim);
	return;
}

# --- many sessions, and a slow 401 -----------------------------------------------

my @sessions = map { HibobSession->new($node) } 1 .. $SESSIONS;

# Runs the same query in all sessions.  Returns the SQLSTATEs and the time.
sub all_at_once
{
	my ($sql) = @_;
	my $started = time;
	my %states;

	$_->send("$sql;") foreach @sessions;
	foreach my $session (@sessions)
	{
		my ($out, $err) = $session->receive;
		$states{ join(',', states($err)) || $out }++;
	}
	return (\%states, time - $started);
}

begin(1);
tell($sim, 'fault', { endpoint => '*', times => undef, stall => { seconds => 2 } });
my ($states, $took) = all_at_once($COUNT);
is_deeply($states, { 28000 => $SESSIONS }, 'a 401 after two seconds: an error in all sessions');
my $sent = requests($sim);
# One at the beginning, and one more every half a second until it arrives.
cmp_ok($sent, '<=', 2 + 2 * $took, "... after $sent requests, one after another");
($states) = all_at_once($COUNT);
is_deeply($states, { 28000 => $SESSIONS }, '... again');
is(scalar requests($sim), 0, '... without a request');

# The same with a good response: no session waits for long.
begin(0);
tell($sim, 'fault', { endpoint => '*', stall => { seconds => 1 } });
($states, my $usual) = all_at_once($COUNT);
is_deeply($states, { 20 => $SESSIONS }, 'a first response after a second');
is(scalar requests($sim), $SESSIONS, '... all sessions get their rows');

# And if the first request fails without a response, the next one goes at once.
begin(0);
tell($sim, 'fault', { endpoint => '*', times => $SESSIONS,
		reset => 'before_headers' });
($states, $took) = all_at_once($COUNT);
is_deeply($states, { '08006' => $SESSIONS }, 'no response at all');
cmp_ok($took, '<', 7 * $SLOWNESS + 2 * $usual, '... causes no wait');
$_->finish foreach @sessions;

# --- wrong tokens in a loop ---------------------------------------------------

# HiBob blocks an address after fifty responses 401 within ten seconds, for all
# users of the database, however they write the URL of its host.
begin(0);
query($node, $COUNT);
add_server($node, 'loop', $sim, q{max_retries '0'});
requests($sim);
my $loop = HibobSession->new($node);
$loop->send(q{DO $$
	BEGIN
		FOR i IN 1 .. 41 LOOP
			EXECUTE format('ALTER USER MAPPING FOR CURRENT_USER SERVER loop
				OPTIONS (SET token %L)', 'wrong-' || i);
			EXECUTE format('ALTER SERVER loop OPTIONS (SET base_url %L)',
				CASE i % 3 WHEN 0 THEN 'SIM/v1'
					WHEN 1 THEN regexp_replace('SIM/v1/', 'http', 'HTTP')
					ELSE regexp_replace('SIM/v1', '127.0.0.1', '127.1') END);
			BEGIN
				PERFORM FROM loop.people;
			EXCEPTION WHEN invalid_authorization_specification THEN NULL;
			END;
		END LOOP;
	END $$;} =~ s/SIM/$sim/gr);
# The loop waits after its twentieth request.
my $accepted = HibobSession->new($node);
wait_until('wait', sub { return (stats($sim)->{by_status}{401} // 0) >= 20 });
is(($accepted->run("$COUNT;"))[0], 20, 'credentials that HiBob has accepted');
$accepted->finish;
cmp_ok(stats($sim)->{by_status}{401}, '<', 41, '... are not delayed by wrong ones');
is_deeply([ states(($loop->receive)[1]) ], [], 'wrong tokens in a loop');
$loop->finish;
my @rejected = sort { $a <=> $b } map { $_->{time} }
  grep { defined $_->{status} && $_->{status} == 401 } requests($sim);
is(scalar @rejected, 41, '... are all sent');
cmp_ok($rejected[40] - $rejected[0], '>', 9,
	'... at most forty of them within ten seconds');

# --- a server that demands an hour of waiting ------------------------------------------------

foreach my $header ([ 'Retry-After', { retry_after => 3599 } ],
	[ 'X-RateLimit-Reset', { reset_in => 3540 } ],
	[ 'X-RateLimit-Reset in ten years', { reset_in => 10 * 365 * 86400 } ])
{
	my ($name, $limited) = @$header;

	begin(0);
	tell($sim, 'fault', { endpoint => '*', rate_limited => $limited });
	my ($state, $message) = query_error($node, $COUNT);
	is($state, '53400', "$name: an error");
	my ($reset) = $message =~ /resets at (.+?)\.\n/;
	is(query($node, "SELECT '$reset' BETWEEN now() + '150s' AND now() + '182s'"),
		't', '... for three minutes');
	requests($sim);
	is((query_error($node, $COUNT))[0], '53400', '... and again');
	is(scalar requests($sim), 0, '... without a request');
	is(query($node, "SELECT status FROM hibob_fdw_status('bob')"), 'healthy',
		'... hibob_fdw_status() is not affected');
	is(scalar requests($sim), 1, '... and sends a request');
	is(query($node, $COUNT), 20, '... after which queries are served again');

	begin(0);
	tell($sim, 'fault', { endpoint => '*', rate_limited => $limited });
	query_error($node, $COUNT);
	requests($sim);
	query($node, "ALTER USER MAPPING FOR CURRENT_USER SERVER bob
		OPTIONS (SET token 'token-$token')");
	is(query($node, $COUNT), 20,
		'... and ALTER USER MAPPING lets a request through');
}

# ALTER lets only one request through if that is rejected again.
begin(0);
tell($sim, 'fault', { endpoint => '*', times => undef,
		rate_limited => { reset_in => 100 } });
query_error($node, $COUNT);
query($node, "ALTER USER MAPPING FOR CURRENT_USER SERVER bob
	OPTIONS (SET token 'token-$token')");
requests($sim);
query_error($node, $COUNT) for 1 .. 3;
is(scalar requests($sim), 1, 'only one request after ALTER');
query($node, "SELECT FROM hibob_fdw_status('bob')");
is(scalar requests($sim), 1, '... and one by hibob_fdw_status()');

# --- the default of max_rate_limit_wait ------------------------------------------

# The limit is used up at the beginning of a window of a minute: the wait for
# the next one is within the default.
begin(0, rate_limit => 1, rate_window => 60);
query($node, 'ALTER SERVER bob OPTIONS (DROP max_rate_limit_wait)');
is(query($node, $COUNT), 20, 'the only request of a window');
my $waiting = HibobSession->new($node, app => 'waiting');
$waiting->send("$COUNT;");
requests($sim);
ok($node->poll_query_until('postgres', q{SELECT state = 'active' AND wait_event_type = 'Extension'
	FROM pg_stat_activity WHERE application_name = 'waiting'}),
	'... and the next query waits for the next window');
is(scalar requests($sim), 0, '... without a request');
query($node, "SELECT pg_cancel_backend(pid) FROM pg_stat_activity
	WHERE application_name = 'waiting'");
is_deeply([ states(($waiting->receive)[1]) ], ['57014'], '... until a cancel');
$waiting->finish;

# Windows of three seconds: no wait is longer than the window, a second for
# rounding and a quarter for the spread.  A busy machine may add a second and a
# half, which is less than another window.  If it was so slow that the window has
# ended before the second query, there was no wait.
my $longest = 0;
foreach my $phase (1 .. 4)
{
	my $wait;

	for (1 .. 5)
	{
		begin(0, rate_limit => 1, rate_window => 3);
		sleep 0.27 * $phase;
		($wait) = query($node, "$COUNT; EXPLAIN (ANALYZE) $COUNT")
		  =~ /HiBob Rate Limit Wait: (\d+) ms/;
		last if defined $wait;
	}
	$longest = max($longest, $wait // 'inf');
}
cmp_ok($longest, '<=', 3000 + 1250 + 1500 * $SLOWNESS,
	"a wait is hardly longer than a window: $longest ms");
query($node, q{ALTER SERVER bob OPTIONS (ADD max_rate_limit_wait '0')});

# --- a clock that is set back ------------------------------------------------------

# Shifts the clocks of the server by the seconds in two files: the time of day, and
# the monotonic clock.
append_to_file("$dir/clock.c", <<'C');
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
/* A sanitizer's malloc() calls this, so nothing here may allocate memory. */
static long
shift(const char *name)
{
	const char *dir = getenv("HIBOB_TEST_CLOCK");
	char path[1024];
	char text[32] = "";
	int file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = open(path, O_RDONLY);
	if (file >= 0)
	{
		if (read(file, text, sizeof(text) - 1) < 0)
			text[0] = 0;
		close(file);
	}
	return atol(text);
}
int
clock_gettime(clockid_t clock, struct timespec *result)
{
	if (syscall(SYS_clock_gettime, clock, result) != 0)
		return -1;
	if (clock == CLOCK_MONOTONIC)
		result->tv_sec += shift("passed");
	else if (clock == CLOCK_REALTIME)
		result->tv_sec += shift("set");
	return 0;
}
int
gettimeofday(struct timeval *restrict result, void *restrict zone)
{
	struct timespec now;

	(void) zone;
	clock_gettime(CLOCK_REALTIME, &now);
	result->tv_sec = now.tv_sec;
	result->tv_usec = now.tv_nsec / 1000;
	return 0;
}
time_t
time(time_t *result)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (result != NULL)
		*result = now.tv_sec;
	return now.tv_sec;
}
C
system_or_bail('gcc', '-shared', '-fPIC', '-o', "$dir/clock.so", "$dir/clock.c");

# Seconds by which the clock is set, and that pass.
sub set_clock
{
	my %clock = @_;

	foreach my $name ('set', 'passed')
	{
		open my $out, '>', "$dir/$name.new" or die "$dir: $!";
		print $out $clock{$name} // 0;
		close $out;
		rename "$dir/$name.new", "$dir/$name" or die "$dir: $!";
	}
	return;
}

set_clock();
{
	local $ENV{LD_PRELOAD} = join ':', grep { length } $ENV{LD_PRELOAD},
	  "$dir/clock.so";
	local $ENV{HIBOB_TEST_CLOCK} = $dir;
	$node->restart;
}
begin(1);
is((query_error($node, $COUNT))[0], '28000', 'rejected credentials');
set_clock(set => -3600);
is((query_error($node, $COUNT))[0], '28000', 'the clock is set back by an hour');
is(scalar requests($sim), 1, '... no request is sent');
set_clock(set => -3600, passed => 61);
is((query_error($node, $COUNT))[0], '28000', 'a minute later');
is(scalar requests($sim), 1, '... a request is sent again');

begin(0);
tell($sim, 'fault', { endpoint => '*', rate_limited => { retry_after => 100 } });
set_clock(passed => 61);
is((query_error($node, $COUNT))[0], '53400', 'the limit is used up');
requests($sim);
set_clock(set => -3600, passed => 61);
my ($state, $message) = query_error($node, $COUNT);
is($state, '53400', 'the clock is set back by an hour');
is(scalar requests($sim), 0, '... no request is sent');
my ($reset) = $message =~ /resets at (.+?)\.\n/;
is(query($node, "SELECT '$reset' BETWEEN now() AND now() + '101s'"), 't',
	'... the message has the time of that clock');
set_clock(set => -3600, passed => 61 + 101);
is(query($node, $COUNT), 20, '... the wait ends in time');
set_clock(set => 3600, passed => 61 + 101);
is(query($node, $COUNT), 20, 'a clock that is set forward');

# A cached result expires by the time that passes.
query($node, q{CREATE FOREIGN TABLE bob.cached (id text) SERVER bob
	OPTIONS (resource 'people', cache_ttl '1min')});
my $cached = HibobSession->new($node);
set_clock(passed => 300);
requests($sim);
$cached->run('SELECT count(*) FROM bob.cached;') for 1 .. 2;
is(scalar requests($sim), 1, 'a cached result');
set_clock(set => -3600, passed => 361);
$cached->run('SELECT count(*) FROM bob.cached;');
is(scalar requests($sim), 1, '... expires although the clock is set back');
$cached->finish;

# Sessions that wait for a first response, when the clock is set back.
begin(0);
set_clock(set => 0, passed => 400);
tell($sim, 'fault', { endpoint => '*', stall => { seconds => 5 } });
@sessions = map { HibobSession->new($node) } 1, 2;
$sessions[0]->send("$COUNT;");
wait_for_stalled($sim);
set_clock(set => -3600, passed => 400);
my $started = time;
is(($sessions[1]->run("$COUNT;"))[0], 20, 'waiting for the first response');
cmp_ok(time - $started, '<', 60 * $SLOWNESS, '... ends in time');
is(($sessions[0]->receive)[0], 20, '... as does the first request');
$_->finish foreach @sessions;

done_testing();
