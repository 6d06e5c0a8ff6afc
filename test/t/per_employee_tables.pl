# Tables that need a request for each employee: training, bank_accounts,
# documents, custom_table.  Rows, parallel requests, the rate limit, an error of
# one request, cancel.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use CancelTest;
use ExpectedRows;
use HibobSession;
use HibobTest qw(:DEFAULT reset_simulator session states outcome stats
  wait_for_stalled differences employee_id quoted_ids);
use JSON::PP;
use List::Util qw(uniq);
use Test::More;
use Time::HiRes qw(time);

my $PEOPLE = 120;
my $sim = start_simulator(employees => $PEOPLE);
my $node = new_cluster('per_employee_tables', "jit = off\n");

add_server($node, 'bob', $sim, q{max_retries '0', read_timeout '5min'});
prepare_expected($node);
expect_bulk_table($node, $sim, 'work_history');

my $HISTORY = query($node, 'SELECT count(*) FROM expected.work_history');
my @three = quoted_ids(3, 5, 40);
my $three = join ',', @three;

my $CUSTOM = '/bulk/people/custom-tables/{table_id}';

# The requests by employee, without those that find out that the account has no
# bulk endpoint for custom tables.
sub requests_by_employee
{
	return grep { $_->{endpoint} ne $CUSTOM
		  && $_->{endpoint} !~ m{/metadata$} } requests($sim);
}

my @everybody = map { employee_id($_) } 1 .. $PEOPLE;
foreach my $table (employee_tables())
{
	my $more = $table eq 'custom_table' ? 2 : 0;

	reset_simulator($sim,
		bulk_custom_tables => $table eq 'custom_table' ? '404' : 'on');
	expect_employee_table($node, $sim, $table, @everybody);
	requests($sim);
	# An empty array and no array are different values.
	is(differences($node, "SELECT * FROM bob.$table",
			"SELECT * FROM expected.$table"), '', "$table: all rows");
	my @seen = requests_by_employee();
	is(scalar @seen, $PEOPLE + 1,
		'... one request per employee, and one for the ids');
	is($seen[0]{endpoint}, '/people/search', '... which is the first');
	is_deeply([ sort map { (split m{/}, $_->{path})[
			$table eq 'custom_table' ? 4 : $table eq 'documents' ? 4 : 3] }
			@seen[ 1 .. $#seen ] ], [ sort @everybody ],
		'... each employee once');
	like(query($node, "EXPLAIN (ANALYZE) SELECT count(*) FROM bob.$table"),
		qr/HiBob Requests: ${\ ($PEOPLE + 1 + $more)}\b/,
		'... EXPLAIN shows the number of requests');

	# Conditions on employee_id, also with an unknown employee.
	requests($sim);
	my $known = "employee_id IN ($three)";
	is(query($node, "SELECT count(*) FROM bob.$table WHERE $known"),
		query($node, "SELECT count(*) FROM expected.$table WHERE $known"),
		"$table: three employees");
	is_deeply([ sort map { (m{/(\d{19})\b})[0] } map { $_->{path} }
			requests_by_employee() ], [ map { s/'//gr } @three ],
		'... three requests');
	is(query($node, "SELECT count(*) FROM bob.$table
			WHERE employee_id IN ($three[0], '17', 'nobody')"),
		query($node, "SELECT count(*) FROM expected.$table
			WHERE employee_id = $three[0]"), '... unknown employees have no rows');
	is_deeply([ grep { $_->{path} eq '/v1/people/search' } requests($sim) ], [],
		'... no search for people');
	foreach my $value ('..', '.', '', 'search?x=', "\x{e9}/..")
	{
		my ($prefix) = ('/v1' . employee_path($table, '')) =~ m{^(/.*/)};
		my ($out, $err) = session($node,
			"SELECT count(*) FROM bob.$table WHERE employee_id = '$value'");

		unlike($err, qr/HV00N|08006|XX000/, "... '$value': no unexpected error");
		is_deeply([ grep { !m{^/v1/(?:docs/people/|people/.*/)} }
				map { $_->{path} } requests_by_employee() ], [],
			'... and no other path');
	}
}

# Custom tables are read in bulk if the account has the endpoint and it returns
# the names of list items.
foreach my $case ([ {}, 1 ], [ { page_entries => 20 }, 9 ],
	[ { bulk_custom_tables => '400' }, $PEOPLE + 3, 'no bulk endpoint' ],
	[ { bulk_human => JSON::PP::false }, $PEOPLE + 2, 'returns no names' ])
{
	my ($config, $requests, $notice) = @$case;
	my $name = join ' ', 'custom tables', %$config;

	reset_simulator($sim, %$config);
	my ($out, $err) = session($node, 'CREATE TEMP TABLE copy AS
		SELECT * FROM bob.custom_table; SELECT count(*) FROM (
			(SELECT c::text FROM copy AS c EXCEPT ALL
				SELECT e::text FROM expected.custom_table AS e) UNION ALL
			(SELECT e::text FROM expected.custom_table AS e EXCEPT ALL
				SELECT c::text FROM copy AS c)) AS d');
	is($out, '0', "$name: all rows");
	is(scalar requests($sim), $requests, '... the number of requests');
	like($err, $notice ? qr/^[^\n]*NOTICE:.*$notice.*HINT/s : qr/^$/,
		'... a notice if they are read by employee');
	is(scalar(() = $err =~ /NOTICE/g), $notice ? 1 : 0, '... only one');
	($out, $err) = session($node, "SELECT count(id) FROM bob.custom_table
			WHERE employee_id IN ($three);
		SELECT count(id) FROM bob.custom_table WHERE employee_id = $three[0]");
	is($out, query($node, "SELECT count(*) FROM expected.custom_table
			WHERE employee_id IN ($three) UNION ALL SELECT count(*)
			FROM expected.custom_table WHERE employee_id = $three[0]"),
		'... three employees and one');
	is(scalar requests($sim), $notice && $notice !~ /names/ ? 6 : 2,
		'... their requests');
}

# For a custom table by employee, status 404 means that either the table or the
# employee is unknown.
sub check_custom_table
{
	my ($name, $sql, $out, $state, @expected) = @_;

	reset_simulator($sim, bulk_custom_tables => '404');
	my ($got, $err) = session($node, "SET client_min_messages = warning; $sql");
	is($got, $out, "$name: the rows");
	is_deeply([ states($err) ], [ $state || () ], '... and errors');
	like($err, qr/no custom table "root__table_9".*HINT:.*table_id/s,
		'... the message')
	  if $state;
	is_deeply([ sort map { ($_->{endpoint} =~ m{([^/]*)$})[0] . " $_->{status}" }
			requests($sim) ], \@expected, '... the requests');
	return;
}
query($node, q{CREATE FOREIGN TABLE bob.no_table (employee_id text, id bigint)
	SERVER bob OPTIONS (resource 'custom_table', table_id 'root__table_9');
	CREATE TABLE gone AS SELECT n::text AS id FROM generate_series(17, 18) AS n;
	ANALYZE gone});
check_custom_table('unknown employees', q{SELECT count(*) FROM bob.custom_table
	WHERE employee_id IN ('17', '18')}, '0', '', 'metadata 200',
	('{table_id} 404') x 3);
check_custom_table('a join with unknown employees', q{SET enable_hashjoin = off;
	SET enable_mergejoin = off; SELECT g.id, t.id FROM gone AS g
	LEFT JOIN bob.custom_table AS t ON employee_id = g.id ORDER BY 1},
	"17|\n18|", '', 'metadata 200', ('{table_id} 404') x 3);
check_custom_table('an unknown table', q{SELECT count(*) FROM bob.no_table
	WHERE employee_id IN ('17', '18')}, '', 'HV00R', 'metadata 200',
	'{table_id} 404');
check_custom_table('an unknown table, known employees',
	"SELECT count(*) FROM bob.no_table WHERE employee_id = $three[0]", '',
	'HV00R', 'metadata 200', '{table_id} 404');
check_custom_table('a join with an unknown table', q{SET enable_hashjoin = off;
	SET enable_mergejoin = off; SELECT g.id, t.id FROM gone AS g
	LEFT JOIN bob.no_table AS t ON employee_id = g.id}, '', 'HV00R',
	'metadata 200', '{table_id} 404');
reset_simulator($sim);
foreach my $case ([ 'bob.custom_table', '0', 'WARNING', '42501' ],
	[ 'bob.no_table', '', 'ERROR', 'HV00R' ])
{
	my ($table, $rows, $level, $state) = @$case;
	my ($got, $err) = session($node,
		"SELECT count(*) FROM $table WHERE employee_id IN ('17', '18')");

	is($got, $rows, "$table in bulk, unknown employees: the rows");
	like($err, qr/$level:\s+$state:/, '... and the message');
}

# Parallel requests.
my $forty = 'employee_id = ANY ((SELECT array_agg(id) FROM ids
	WHERE n <= 40)::text[])';
my $TRAINING = '/people/{id}/training';
my $expected_forty =
  query($node, "SELECT count(*) FROM expected.training WHERE $forty");
reset_simulator($sim);
tell($sim, 'fault', { endpoint => $TRAINING, skip => 1, times => 4,
		stall => { seconds => 300 } });
my $parallel = HibobSession->new($node);
$parallel->send("SELECT count(*) FROM bob.training WHERE $forty;");
wait_for_stalled($sim, 4);
is(stats($sim)->{under_way}, 4, 'four requests at the same time');
tell($sim, 'resume');
is(($parallel->receive)[0], $expected_forty, '... the rows of forty employees');
$parallel->finish;
my @requests = requests($sim);
is(scalar @requests, 40, '... with forty requests');
is(scalar(uniq map { $_->{connection} } @requests), 4,
	'... over four connections');

# The rate limit.
reset_simulator($sim, rate_limits => { $TRAINING => 10 }, rate_window => 1);
my $plan = query($node,
	"EXPLAIN (ANALYZE) SELECT count(*) FROM bob.training WHERE $forty");
is_deeply([ uniq map { $_->{status} } requests($sim) ], [200],
	'a rate limit of ten requests a second: no request is refused');
like($plan, qr/HiBob Rate Limit Wait: \d+ ms/, '... EXPLAIN shows the wait');
reset_simulator($sim, rate_limits => { $TRAINING => 10 }, rate_window => 1);
is(query($node, "SELECT count(*) FROM bob.training WHERE $forty"),
	$expected_forty, '... all rows');
query($node, q{ALTER SERVER bob OPTIONS (ADD max_rate_limit_wait '0')});
reset_simulator($sim, rate_limits => { $TRAINING => 10 }, rate_window => 60);
my ($out2, $err2) = session($node,
	"SELECT count(*) FROM bob.training WHERE $forty;
	 SELECT count(*) FROM bob.work_history;");
is_deeply([ states($err2) ], ['53400'], 'max_rate_limit_wait 0: an error');
is($out2, $HISTORY, '... other endpoints are not affected');
is_deeply([ grep { $_->{status} == 429 } requests($sim) ], [],
	'... no request is refused');
query($node, q{ALTER SERVER bob OPTIONS (DROP max_rate_limit_wait)});

# An error of one of the requests.
my @fault_on = map { '/people/' . employee_id($_) . '/training' } 0 .. 20;
my $ten = 'employee_id = ANY ((SELECT array_agg(id) FROM ids
	WHERE n <= 10)::text[])';
my $expected_ten =
  query($node, "SELECT count(*) FROM expected.training WHERE $ten");
foreach my $case (
	[ '403', { endpoint => $fault_on[5], status => 403, body => '' }, '42501' ],
	[ 'reset', { endpoint => $fault_on[7], reset => 'before_headers',
			times => 2 }, '08006' ],
	[ '500', { endpoint => $fault_on[1], status => 500, body => '' }, 'HV000' ],
	[ 'a web page', { endpoint => $fault_on[10], html => JSON::PP::true },
		'HV000' ],
	[ 'a web page with 404', { endpoint => $fault_on[3], status => 404,
			html => JSON::PP::true }, 'HV00R' ],
	[ '401', { endpoint => $fault_on[4], status => 401, body => '' }, '28000' ],
	[ 'no JSON', { endpoint => $fault_on[2], body => 'oops' }, 'HV000' ],
	[ 'too few bytes', { endpoint => $fault_on[1], truncate => { after => 9 } },
		'08006' ])
{
	my ($name, $fault, $state) = @$case;

	reset_simulator($sim);
	tell($sim, 'fault', $fault);
	my $sql = "SELECT count(*) FROM bob.training WHERE $ten";
	my ($out, $err) = session($node, "$sql;
		\\! HIBOB_SIM_URL=$sim test/simulator/tell reset >/dev/null
		ALTER SERVER bob OPTIONS (SET max_retries '0'); $sql;");
	is_deeply([ states($err) ], [$state], "one request of ten, $name: an error");
	is($out, $expected_ten, '... the session continues');
}
reset_simulator($sim);
tell($sim, 'fault', { endpoint => $fault_on[9], status => 404, body => '' });
is(outcome($node, 'SELECT count(*) FROM bob.training'), query($node,
		'SELECT count(*) FROM expected.training WHERE employee_id <> '
		  . q{'} . employee_id(9) . q{'}),
	'an employee who disappears after the search is left out');
# A cancel while four requests are active.
check_prompt('cancelled', tries => 5, median => 50 * $SLOWNESS, latest => 500 * $SLOWNESS,
	reference => sub { return reference_cancel($node) },
	try => sub {
		reset_simulator($sim);
		# Some responses come, then four requests stall.
		tell($sim, 'fault', { endpoint => $TRAINING, skip => 15, times => undef,
				stall => { seconds => 300 } });
		my ($took, $out, $err) = cancel_when($node,
			sub { return stats($sim)->{under_way} == 4 },
			"SELECT count(*) FROM bob.training WHERE $forty", "SELECT 'continues'");
		is(scalar(grep { !defined $_->{status} } requests($sim)), 4,
			'four requests are active');
		like($err, qr/canceling statement due to user request/, '... and cancelled');
		is($out, "continues\n", '... the session continues');
		return $took;
	});
reset_simulator($sim);
tell($sim, 'fault', { endpoint => $TRAINING, skip => 1, times => undef,
		stall => { seconds => 300 } });
my $started = time;
my ($out, $err) = session($node, "BEGIN; SET LOCAL statement_timeout = '400ms';
	SELECT count(*) FROM bob.training WHERE $forty;
	ROLLBACK;
	SELECT count(*) FROM bob.work_history");
cmp_ok(time - $started, '<', 60 * $SLOWNESS, 'statement_timeout takes effect');
is_deeply([ states($err) ], ['57014'], '... with its SQLSTATE');
is($out, $HISTORY, '... the session continues');

done_testing();
