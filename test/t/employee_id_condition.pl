# Conditions on employee_id of bulk tables: the rows, and the requests, with at
# most 200 ids each.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use ExpectedRows;
use HibobTest qw(:DEFAULT reset_simulator outcome differences employee_id
  quoted_ids);
use List::Util qw(max uniq);
use Test::More;

my $sim = start_simulator(employees => 120);
my $node = new_cluster('employee_id_condition', "jit = off\n");

add_server($node, 'bob', $sim, q{max_retries '0', read_timeout '20s'});
prepare_expected($node);
expect_bulk_table($node, $sim, 'work_history');

sub named
{
	return map { $_->{query}{employeeIds} // 'all employees' } @_;
}

sub ids
{
	return join ',', sort map { employee_id($_) } @_;
}

# Checks the rows of these employees, and the ids in the requests.
sub check_named
{
	my ($name, $condition, $numbers, $expected) = @_;
	my $truth = @$numbers ? 'n IN (' . join(',', @$numbers) . ')' : 'false';

	reset_simulator($sim);
	my $out = query($node, "SELECT coalesce(string_agg(employee_id || ' ' || id,
			',' ORDER BY employee_id, id), '')
		FROM bob.work_history WHERE $condition");
	my @seen = named(requests($sim));
	is($out, query($node, "SELECT coalesce(string_agg(employee_id || ' ' || e.id,
			',' ORDER BY employee_id, e.id), '')
		FROM expected.work_history e JOIN ids ON ids.id = employee_id
		WHERE $truth"), "$name: the rows");
	is_deeply([ uniq @seen ], $expected, "$name: the ids in the requests");
	return;
}

my @three = quoted_ids(3, 5, 40);
my $three = join ',', @three;
check_named('=', "employee_id = $three[0]", [3], [ ids(3) ]);
check_named('= from the right', "$three[0] = employee_id", [3], [ ids(3) ]);
check_named('IN', "employee_id IN ($three)", [ 3, 5, 40 ], [ ids(3, 5, 40) ]);
check_named('= ANY', "employee_id = ANY (ARRAY[$three])", [ 3, 5, 40 ],
	[ ids(3, 5, 40) ]);
check_named('duplicates and nulls',
	"employee_id = ANY (ARRAY[$three[0], NULL, $three[1], $three[0], NULL])",
	[ 3, 5 ], [ ids(3, 5) ]);
check_named('no values', "employee_id = ANY ('{}'::text[])", [], []);
check_named('only nulls', "employee_id = ANY (ARRAY[NULL]::text[])", [],
	[]);
check_named('= null of a subquery',
	'employee_id = (SELECT id FROM ids WHERE n = 0)', [], []);
check_named('= a subquery', 'employee_id = (SELECT id FROM ids WHERE n = 7)',
	[7], [ ids(7) ]);
check_named('= ANY of a subquery', q{employee_id = ANY
	((SELECT array_agg(id) FROM ids WHERE n IN (8, 9))::text[])}, [ 8, 9 ],
	[ ids(8, 9) ]);
check_named('a condition that is not bytewise',
	"lower(employee_id) = $three[0]", [3], ['all employees']);
check_named('two conditions',
	"employee_id IN ($three) AND employee_id = $three[1]", [5], [ ids(5) ]);

# A column employee_id of type bigint.
query($node, q{CREATE FOREIGN TABLE bob.numbered (employee_id bigint, id bigint)
	SERVER bob OPTIONS (resource 'work_history')});
reset_simulator($sim);
is(query($node, 'SELECT count(*) FROM bob.numbered WHERE employee_id = '
		. employee_id(12)), query($node,
		"SELECT count(*) FROM expected.work_history WHERE employee_id = '"
		  . employee_id(12) . q{'}), 'employee_id as bigint');
is_deeply([ named(requests($sim)) ], [ ids(12) ], '... is in the request');

# At most 200 ids in a request, which has pages.
sub named_first
{
	my ($many) = @_;
	return "employee_id = ANY ((SELECT array_agg(id) FROM ids
		WHERE n <= $many)::text[])";
}
sub check_batches
{
	my ($many, $batches, $known) = @_;
	my $quiet = "SET client_min_messages = error;\n";

	requests($sim);
	is(outcome($node, $quiet . 'SELECT count(DISTINCT employee_id)
			FROM bob.work_history WHERE ' . named_first($many)), $known,
		"$many ids: all employees with these ids");
	my @named = uniq named(requests($sim));
	is(scalar @named, $batches, "... in $batches batches");
	cmp_ok(max(map { scalar split /,/ } @named), '<=', 200,
		'... of at most 200');
	return @named;
}
reset_simulator($sim, employees => 450);
my @named = check_batches(450, 3, 450);
is_deeply([ sort map { split /,/ } @named ],
	[ sort map { employee_id($_) } 1 .. 450 ], '... with each id once');
check_batches(200, 1, 200);
check_batches(201, 2, 201);
reset_simulator($sim, employees => 450, errors_key => 'word');
is_deeply([ check_batches(2000, 1, 450) ], ['all employees'],
	'... without ids in the request, which takes fewer requests');

# Values from other tables.
reset_simulator($sim);
is(differences($node, 'SELECT n, (SELECT count(*) FROM bob.work_history
			WHERE employee_id = ids.id) FROM ids WHERE n <= 4',
		'SELECT n, count(*) FROM ids JOIN expected.work_history
			ON employee_id = ids.id WHERE n <= 4 GROUP BY 1'), '',
	'a correlated subquery');
is_deeply([ sort(named(requests($sim))) ],
	[ sort map { employee_id($_) } 1 .. 4 ], '... requests each value');
is(differences($node, 'SELECT n, w.id FROM ids, LATERAL (SELECT *
			FROM bob.work_history WHERE employee_id = ids.id OFFSET 0) AS w
			WHERE n <= 4',
		'SELECT n, w.id FROM ids JOIN expected.work_history AS w
			ON employee_id = ids.id WHERE n <= 4'), '', 'LATERAL');
is_deeply([ sort(named(requests($sim))) ],
	[ sort map { employee_id($_) } 1 .. 4 ], '... requests each value');
foreach my $set ('', 'SET enable_nestloop = off;', 'SET enable_hashjoin = off;
	SET enable_mergejoin = off;')
{
	is(differences($node, 'SELECT n, w.id FROM ids JOIN bob.work_history AS w
			ON w.employee_id = ids.id WHERE n IN (2, 3)',
		'SELECT n, w.id FROM ids JOIN expected.work_history AS w
			ON employee_id = ids.id WHERE n IN (2, 3)'), '', "a join; $set");
}
query($node, 'CREATE TABLE two AS SELECT * FROM ids WHERE n IN (2, 3);
	ANALYZE two');
requests($sim);
is(query($node, 'SELECT count(*) FROM two JOIN bob.work_history AS w
		ON w.employee_id = two.id'),
	query($node, 'SELECT count(*) FROM two JOIN expected.work_history AS w
		ON w.employee_id = two.id'), 'a join with two rows');
is_deeply([ sort(named(requests($sim))) ], [ sort map { employee_id($_) } 2, 3 ],
	'... requests their values');

done_testing();
