# Credentials that HiBob refuses: one request, whatever the session does with
# them, until the user mapping is altered.  Once with sessions that are on their
# own, and once with the library preloaded, where they share what they know.

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

my $SESSIONS = 50;
my $COUNT = 'SELECT count(*) FROM bob.people;';

my $sim = start_simulator(employees => $EMPLOYEES);

# Refused credentials are sent once, until they are replaced.
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
	is_deeply([ states($err) ], [ ('28000') x 3 ], 'refused three times');
	like($err, qr/Token does not match.*HINT:.*ALTER USER MAPPING/s,
		'... with the words and the way out');
	is($out, "replaced\n$EMPLOYEES", '... and not after the new token');
	is_deeply([ map { $_->{status} } requests($sim) ], [ 401, 200 ],
		'HiBob has seen the old token once');
	is_deeply([ grep { /regenerated-canary/ } split /\n/, slurp_file($node->logfile) ],
		[], 'the new token is not in the log');
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

		start_load($node, 0);
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
	start_load($node, 0);
	tell($sim, 'config', { token => 'regenerated' });
	my @results = ask_all("$COUNT\n$COUNT\n$COUNT", @sessions);
	my ($served, $refused) =
	  check_outcomes("$name: all at once", 3, '28000', @results);
	my @requests = requests($sim);
	load_row($name, '50 sessions, 3 queries each; the token is revoked', $served,
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
	my $node = new_load_cluster($sim, $name, $conf);

	tell($sim, 'reset');
	query($node, 'CREATE MATERIALIZED VIEW roster AS SELECT * FROM bob.people');
	check_replaced($node) unless $shared;
	check_refused($name, $node, $shared);
	$node->stop;
}
report('refused_credentials', [ qw(sessions load served refused requests 429), 'longest (s)' ],
	@LOADS);

done_testing();
