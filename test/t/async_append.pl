# Asynchronous Append over foreign tables of three servers: all of them are requested
# at the same time, and the query fails if one of them fails.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobSession;
use HibobTest qw(:DEFAULT stats wait_for_stalled wait_until);
use Test::More;
use Time::HiRes qw(time);

my $node = new_cluster('async');
my @sims = map { start_simulator(employees => 100 * $_) } 1 .. 3;

foreach my $n (1 .. 3)
{
	add_server($node, "bob$n", $sims[ $n - 1 ], q{max_retries '0'});
	query($node, qq{
		CREATE FOREIGN TABLE bob$n.staff (company bigint
			OPTIONS (field 'root.companyId'), id text, email text)
			SERVER bob$n OPTIONS (resource 'people');
		CREATE FOREIGN TABLE bob$n.history (employee_id text, id bigint)
			SERVER bob$n OPTIONS (resource 'work_history');
	});
}
query($node, q{
	CREATE TABLE staff (company bigint, id text, email text)
		PARTITION BY LIST (company);
	ALTER TABLE staff ATTACH PARTITION bob1.staff FOR VALUES IN (1);
	ALTER TABLE staff ATTACH PARTITION bob2.staff FOR VALUES IN (2);
	ALTER TABLE staff ATTACH PARTITION bob3.staff FOR VALUES IN (3);
	CREATE VIEW history AS SELECT 1 AS company, * FROM bob1.history
		UNION ALL SELECT 2, * FROM bob2.history
		UNION ALL SELECT 3, * FROM bob3.history;
});

# An account whose group of rows lacks its employee for long does not hold up the
# rows of the others.
tell($sims[0], 'fault', { endpoint => '/bulk/people/work', status => 200,
		content_type => 'application/json',
		stall => { seconds => 30, after => 30 },
		body => '{"results":[{"values":[{"id":7}],"employeeId":"1"}]}' });
is(query($node, 'SELECT company > 1 FROM history LIMIT 1'), 't',
	'a row of another account before the employee of the first row');
tell($sims[0], 'fault', { endpoint => '/bulk/people/work', status => 200,
		content_type => 'application/json', split => { sizes => [35], pause_ms => 300 },
		body => '{"results":[{"values":[{"id":7},{"id":8}],"employeeId":"1"},'
		  . '{"values":[{"id":9}],"employeeId":"2"}]}' });
is(query($node, 'SELECT employee_id, id FROM history WHERE id < 10 ORDER BY 2'),
	"1|7\n1|8\n2|9", '... and no row is lost or doubled');
tell($_, 'reset') foreach @sims;

sub stall
{
	tell($_, 'fault', { endpoint => '*', times => undef, stall => { seconds => 300 } })
	  foreach @sims;
	return;
}

# The numbers of active requests of the accounts.
sub active
{
	return join ' ', map { stats($_)->{under_way} } @sims;
}

my $plan = query($node, 'EXPLAIN (COSTS OFF) SELECT count(*) FROM staff');
is(scalar(() = $plan =~ /Async Foreign Scan/g), 3, 'three asynchronous scans');
$plan = query($node,
	'EXPLAIN (COSTS OFF) SELECT count(*) FROM staff WHERE company = 2');
unlike($plan, qr/staff_1|staff_3/, 'partitions are pruned');
is(query($node, 'SELECT count(*), count(DISTINCT id) FROM staff'), '600|300',
	'all rows');

# All accounts are requested before one of them has responded, or one by one.
my $session = HibobSession->new($node);
stall();
$session->send('SELECT count(*) FROM staff;');
wait_for_stalled($_) foreach @sims;
is(active(), '1 1 1', 'asynchronous: each account has a request');
tell($_, 'reset') foreach @sims;
is(($session->receive)[0], '600', '... all rows');
$session->run('SET enable_async_append = off;');
stall();
$session->send('SELECT count(*) FROM staff;');
foreach my $expected ('1 0 0', '0 1 0', '0 0 1')
{
	wait_until('request', sub { return active() ne '0 0 0' });
	my $active = active();

	is($active, $expected, 'enable_async_append off: one account after the other');
	tell($sims[ index($active, '1') / 2 ], 'reset');
}
is(($session->receive)[0], '600', '... all rows');
$session->run('RESET enable_async_append;');

# Pages: one page of each account is prefetched.
tell($_, 'reset') foreach @sims;
my $expected = query($node, q{SET enable_async_append = off;
	SELECT count(*), count(DISTINCT (company, employee_id, id)) FROM history});
is(query($node,
		'SELECT count(*), count(DISTINCT (company, employee_id, id)) FROM history'),
	$expected, 'pages of three accounts');

# The option async_capable of a server and of a table.
query($node, q{ALTER SERVER bob1 OPTIONS (ADD async_capable 'false');
	ALTER FOREIGN TABLE bob2.staff OPTIONS (ADD async_capable 'false')});
$plan = query($node, 'EXPLAIN (COSTS OFF) SELECT count(*) FROM staff');
is(scalar(() = $plan =~ /Async Foreign Scan/g), 1, 'async_capable false');
is(query($node, 'SELECT count(*) FROM staff'), '600', '... all rows');
query($node, q{ALTER SERVER bob1 OPTIONS (DROP async_capable);
	ALTER FOREIGN TABLE bob2.staff OPTIONS (DROP async_capable)});

# Two scans that need the same result share it: under one Append, and under two.
sub requests_made
{
	return join ' ', map { scalar requests($_) } @sims;
}
requests_made();
foreach my $method ('enable_nestloop', 'enable_hashjoin, enable_nestloop',
	'enable_hashjoin, enable_mergejoin')
{
	my $off = join '; ', map { "SET $_ = off" } split /, /, $method;
	is(query($node, "$off; " . q{SELECT count(*), count(DISTINCT s.id)
		FROM staff s JOIN staff m ON m.id = s.id}), '1400|300',
		"a self-join with $method off");
	is(requests_made(), '1 1 1', '... makes one request per account');
}
is(query($node, q{SELECT count(*), count(email) FROM (
	SELECT id, email FROM bob1.staff WHERE email LIKE '%1@%'
	UNION ALL SELECT id, NULL FROM bob1.staff
	UNION ALL SELECT id, NULL FROM bob2.staff
	UNION ALL SELECT id, email FROM bob1.staff WHERE email LIKE '%2@%') x}),
	'320|20', 'a table three times under an Append');
is(requests_made(), '1 1 0', '... is requested once');
is(query($node, q{SELECT count(*), count(DISTINCT id) FROM (
	(SELECT id FROM bob3.staff LIMIT 3) UNION ALL SELECT id FROM bob3.staff
	UNION ALL (SELECT id FROM bob1.staff LIMIT 2)) x}),
	'305|300', 'a scan that stops early does not affect the others');
requests_made();
stall();
$session->send('SELECT count(*) FROM staff s JOIN staff m ON m.id = s.id;');
wait_for_stalled($_) foreach @sims;
is(requests_made(), '1 1 1', 'a self-join of slow accounts requests all of them at once');
tell($_, 'reset') foreach @sims;
is(($session->receive)[0], '1400', '... all rows');
is(requests_made(), '0 0 0', '... with one request each');
is(query($node, q{SELECT count(*) FROM (SELECT id FROM bob1.staff UNION ALL
	SELECT id FROM bob1.staff UNION ALL SELECT id FROM bob2.staff) x}), '400',
	'... twice under one Append');
tell($_, 'reset') foreach @sims;

# LIMIT abandons the other scans; the session continues.
is(query($node, q{SELECT count(*) FROM (SELECT 1 FROM staff LIMIT 5) s;
	SELECT count(*) FROM staff}), "5\n600", 'LIMIT, then all');

# Rescans, for each row of another table.
is(query($node, q{SET enable_material = off; SELECT n, c FROM generate_series(1, 3) n,
	LATERAL (SELECT count(*) AS c FROM staff WHERE length(id) > n) x}),
	"1|600\n2|600\n3|600", 'rescans');
is(query($node, q{SELECT n, (SELECT count(*) FROM (SELECT id FROM staff
	LIMIT n * 250) s) FROM generate_series(1, 3) n}),
	"1|250\n2|500\n3|600", 'rescans that stopped early');

# The query fails if one account fails.
foreach my $fault ([ '08006', { reset => 3000 } ], [ 'HV000', { status => 500 } ],
	[ '42501', { status => 403 } ])
{
	tell($_, 'reset') foreach @sims;
	tell($sims[1], 'fault', { endpoint => '*', %{ $fault->[1] } });
	is((query_error($node, 'SELECT count(*) FROM staff'))[0], $fault->[0],
		"an error of one account: $fault->[0]");
	is(query($node, 'SELECT count(*) FROM staff'), '600',
		'... the next query returns all rows');
}

# The query waits for the rate limit of one account, and reads the others.
tell($_, 'reset') foreach @sims;
tell($sims[2], 'fault', { endpoint => '*', rate_limited => { retry_after => 1 } });
is(query($node, 'SELECT count(*) FROM staff'), '600',
	'the rate limit of one account: all rows');

# While it waits, the backend sleeps.
my $TICKS = q{SELECT (string_to_array(regexp_replace(
	pg_read_file('/proc/self/stat'), '^.*\) ', ''), ' '))[12]::int};
SKIP:
{
	skip 'needs /proc', 1 unless -e '/proc/self/stat';
	tell($sims[2], 'fault',
		{ endpoint => '*', rate_limited => { retry_after => 2 } });
	my ($before, $all, $after) = split /\n/,
	  query($node, "$TICKS; SELECT count(*) FROM staff; $TICKS");
	cmp_ok($after - $before, '<', 60, 'the backend sleeps while it waits');
}

# A timeout while no account responds.
stall();
my $start = time;
my ($state) = query_error($node,
	q{SET statement_timeout = '500ms'; SELECT count(*) FROM staff});
is($state, '57014', 'statement_timeout');
cmp_ok(time - $start, '<', 60 * $SLOWNESS, '... in time');
tell($_, 'reset') foreach @sims;

done_testing();
