# Credentials that HiBob rejects: one request, for any statements, until the user
# mapping is altered.  Tested without the library preloaded, where sessions do not
# share what they know, and with it.
#
# A second request follows if there is no response within half a second, which may
# happen on a busy machine.  Then a check is repeated.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobSession;
use HibobTest qw(:DEFAULT session states report);
use List::Util qw(max);
use ManySessions;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $SESSIONS = 50;
my $COUNT = 'SELECT count(*) FROM bob.people;';

my $sim = start_simulator(employees => $EMPLOYEES);

# Rejected credentials are sent once, until they are replaced.
sub check_replaced
{
	my ($node) = @_;

	start_load($node, 0);
	tell($sim, 'config', { token => 'regenerated-canary' });
	requests($sim);
	my ($out, $err) = session($node, "$COUNT\n$COUNT\n$COUNT\n"
		  . "SELECT 'replaced';\n"
		  . 'ALTER USER MAPPING FOR CURRENT_USER SERVER bob '
		  . "OPTIONS (SET token 'regenerated-canary');\n$COUNT");
	is_deeply([ states($err) ], [ ('28000') x 3 ], 'three errors');
	like($err, qr/Token does not match.*HINT:.*ALTER USER MAPPING/s,
		'... with a message and a hint');
	is($out, "replaced\n$EMPLOYEES", '... no error with the new token');
	is_deeply([ map { $_->{status} } requests($sim) ], [ 401, 200 ],
		'... the old token was sent once');
	is_deeply([ grep { /regenerated-canary/ } split /\n/, slurp_file($node->logfile) ],
		[], '... the new token is not in the log');
	return;
}

# The numbers of requests of several runs; they end with the first run that makes
# one request.  No run makes more than one in half a second.
sub fewest_requests
{
	my ($node, $run) = @_;
	my $fewest;

	for (1 .. 5)
	{
		start_load($node, 0);
		tell($sim, 'config', { token => 'regenerated' });
		my $started = time;
		$run->();
		my $count = requests($sim);
		my $most = 1 + int(2 * (time - $started));
		cmp_ok($count, '<=', $most, '... at most one request in half a second');
		$fewest = $count if !defined $fewest || $count < $fewest;
		last if $fewest == 1;
	}
	return $fewest;
}

# There is one request, until the user mapping is altered.
sub check_refused
{
	my ($name, $node, $shared) = @_;
	my $append = join(' UNION ALL ', ('(SELECT id FROM bob.people)') x 2,
		'(SELECT employee_id FROM bob.work)') . ';';
	my $parallel = 'SELECT count(*) FROM bob.training WHERE employee_id = ANY
		((SELECT array_agg(id) FROM few)::text[]);';

	foreach my $case ([ 'several statements', "$COUNT\n" x 3 . $parallel, 4 ],
		[ 'Append', "$append\n" x 2, 2 ], [ 'parallel requests', "$parallel\n" x 2, 2 ],
		[ 'refresh', "REFRESH MATERIALIZED VIEW roster;\n" x 2, 2 ],
		[ 'status', "SELECT status FROM hibob_fdw_status('bob');\n$COUNT", 1 ])
	{
		my ($what, $sql, $n) = @$case;
		my $session = HibobSession->new($node);

		my ($out, $err);
		is(fewest_requests($node, sub {
			($out, $err) = $session->run($sql);
			is_deeply([ states($err) ], [ ('28000') x $n ], "$name: $what: refused");
		}), 1, '... one request');
		($out, $err) = $session->run($sql);
		is_deeply([ states($err) ], [ ('28000') x $n ], '... again');
		is(scalar requests($sim), 0, '... no request');
		my ($later) = run_all($COUNT, HibobSession->new($node));
		is_deeply($later->{states}, ['28000'], '... in another session');
		is(scalar requests($sim), $shared ? 0 : 1,
			$shared ? '... no request' : '... one request');

		# ALTER USER MAPPING, even with the same values.
		alter_mapping($node);
		$session->run($COUNT);
		is(scalar requests($sim), 1, '... ALTER USER MAPPING: one more request');
		forget_faults();
		alter_mapping($node);
		($out, $err) = $session->run($COUNT);
		is("$out$err", $EMPLOYEES, '... the right token works');
	}

	my @sessions = map { HibobSession->new($node) } 1 .. $SESSIONS;
	my (@results, @requests);
	my $run = sub {
		@results = run_all("$COUNT\n$COUNT\n$COUNT", @sessions);
		check_outcomes("$name: many sessions", 3, '28000', @results);
	};
	if ($shared)
	{
		is(fewest_requests($node, $run), 1, '... one request');
	}
	else
	{
		start_load($node, 0);
		tell($sim, 'config', { token => 'regenerated' });
		$run->();
		@requests = requests($sim);
		is(scalar @requests, $SESSIONS, '... one request per session');
	}
	load_row($name, '50 sessions, 3 queries each; the token is revoked', 0,
		3 * $SESSIONS, max(map { $_->{took} } @results), @requests);
	$_->finish foreach @sessions;
	return;
}

foreach my $case ([ 'alone', '', 0 ],
	[ 'together', "shared_preload_libraries = 'hibob_fdw'\n", 1 ])
{
	my ($name, $conf, $shared) = @$case;
	my $node = new_load_cluster($sim, $name, $conf);

	tell($sim, 'reset');
	query($node, 'CREATE MATERIALIZED VIEW roster AS SELECT * FROM bob.people');
	check_replaced($node) unless $shared;
	check_refused($name, $node, $shared);
	$node->stop;
}
report('rejected_credentials', [ qw(sessions load served refused requests 429), 'longest (s)' ],
	@LOADS);

done_testing();
