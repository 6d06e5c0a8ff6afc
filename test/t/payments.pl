# The table payments: employees in batches of 200, and conditions on pay_date.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use ExpectedRows;
use HibobTest qw(:DEFAULT outcome read_pages load_pages differences employee_id
  quoted_ids);
use List::Util qw(uniq);
use Test::More;

my $sim = start_simulator(employees => 450);
my $node = new_cluster('payments', "jit = off\n");

add_server($node, 'bob', $sim, q{max_retries '0', read_timeout '20s'});
prepare_expected($node);

my $three = join ',', quoted_ids(3, 5, 40);
my $payment = create_table($node, 'payments', 'payments', q{
	id bigint id
	pay_date date payDate
	pay_type text payType
	amount numeric amount.value
	currency text amount.currency
	change_reason text change.reason
	changed_by text change.changedBy
	changed_by_id text change.changedById
	custom_columns jsonb customColumns
});
my @all450 = map { '' . employee_id($_) } 1 .. 450;
load_pages($node, 'pages.payments', map { read_pages($sim,
			'/people/actual-payments/search', {
				filters => [ { fieldPath => 'employeeId', operator => 'equals',
						values => $_ } ],
				pagination => { limit => 200 } }) }
		[ @all450[ 0 .. 199 ] ], [ @all450[ 200 .. 399 ] ],
		[ @all450[ 400 .. 449 ] ]);
query($node, "CREATE TABLE expected.payments AS $payment FROM (
	SELECT r ->> 'employeeId' AS employee, r FROM pages.payments,
		jsonb_array_elements(page -> 'results') AS r) AS entries");
requests($sim);
is(differences($node, 'SELECT * FROM bob.payments',
		'SELECT * FROM expected.payments'), '', 'payments: all rows');
my @requests = requests($sim);
is((shift @requests)->{path}, '/v1/people/search',
	'... the first request finds the employees');
my @batches = uniq map { join ',', @{ $_->{body}{filters}[0]{values} } }
  @requests;
is_deeply([ sort { $a <=> $b } map { scalar split /,/ } @batches ],
	[ 50, 200, 200 ], '... the others name them in batches');
is_deeply([ sort map { split /,/ } @batches ], [ sort @all450 ],
	'... each of them once');
is_deeply([ uniq map { $_->{body}{pagination}{limit} } @requests ], [200],
	'... with the largest pages');

sub check_payments
{
	my ($condition, @bounds) = @_;
	requests($sim);
	is(differences($node, "SELECT * FROM bob.payments WHERE $condition",
			"SELECT * FROM expected.payments WHERE $condition"), '',
		"payments $condition");
	my @seen = grep { $_->{path} !~ /search$/ || $_->{path} =~ /payments/ }
	  requests($sim);
	is_deeply([ uniq map { my $filters = $_->{body}{filters};
				join ' ', map { "$_->{operator} $_->{value}" }
				  grep { $_->{fieldPath} eq 'payDate' } @$filters } @seen ],
		[ join ' ', @bounds ], '... in the request');
	return;
}
check_payments(q{pay_date >= '2026-06-01'}, 'greaterThanOrEquals 2026-06-01');
check_payments(q{pay_date <= '2026-06-01'}, 'lessThanOrEquals 2026-06-01');
check_payments(q{pay_date BETWEEN '2026-03-01' AND '2026-06-30'},
	'greaterThanOrEquals 2026-03-01', 'lessThanOrEquals 2026-06-30');
check_payments(q{pay_date < '2026-06-01'}, 'lessThanOrEquals 2026-05-31');
check_payments("employee_id IN ($three) AND pay_date >= '2025-01-01'",
	'greaterThanOrEquals 2025-01-01');
check_payments("employee_id IN ($three)", '');
is(outcome($node, q{SELECT count(*) FROM bob.payments
		WHERE pay_date >= '2026-06-01' AND pay_date < '2026-06-01'}), '0',
	'payments in an empty range');

done_testing();
