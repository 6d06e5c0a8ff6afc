# What HiBob withholds of bulk tables: columns, and employees; and the option
# on_missing_field.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use ExpectedRows;
use HibobTest qw(:DEFAULT reset_simulator canonical_body session states
  employee_id quoted_ids);
use JSON::PP;
use Test::More;

my $BULK_WORK = bulk_path('work_history');
my $sim = start_simulator(employees => 120);
my $node = new_cluster('bulk_permissions', "jit = off\n");

add_server($node, 'bob', $sim, q{max_retries '0', read_timeout '20s'});
prepare_expected($node);
expect_bulk_table($node, $sim, 'work_history');

# ------------------------------------------------------------------------
# Columns
# ------------------------------------------------------------------------

sub missing_field
{
	my ($what) = @_;
	query($node, "ALTER FOREIGN TABLE bob.work_history OPTIONS (DROP on_missing_field)")
	  if query($node, q{SELECT ftoptions::text LIKE '%on_missing%' FROM pg_foreign_table
		WHERE ftrelid = 'bob.work_history'::regclass}) eq 't';
	query($node, "ALTER FOREIGN TABLE bob.work_history
		OPTIONS (ADD on_missing_field '$what')");
	return;
}

my $SOME = 'SELECT count(*), count(job_title_id), count(site),
	count(department_id) FROM bob.work_history';
my $all_of = query($node, 'SELECT count(*), 0, 0, count(department_id)
	FROM expected.work_history');
my %WITHHELD = (work => { no_view_permission => ['title'],
		no_view_history_permission => [ 'site', 'nobody_knows' ] });
foreach my $form ('plain', 'wrapped')
{
	reset_simulator($sim, bulk_form => $form, restricted_columns => \%WITHHELD,
		page_entries => 50);
	missing_field('warn');
	my ($out, $err) = session($node, $SOME);
	is($out, $all_of, "withheld columns, $form: the rest is there");
	like($err, qr/WARNING:\s+HV005: HiBob withheld columns of foreign table "work_history"/,
		'... with a warning');
	is(scalar(() = $err =~ /WARNING/g), 1, '... one');
	like($err, qr/Not shown: job_title_id \(field title\)\..*without their history: site \(field site\)\.$/m,
		'... that names columns and fields');
	like($err, qr/HINT:.*"Work"/, '... and what to grant');
	unlike($err, qr/nobody_knows|department/, '... and nothing else');
	($out, $err) = session($node,
		'SELECT count(department_id) FROM bob.work_history');
	is($err, '', '... of the columns that the query takes');
	missing_field('error');
	($out, $err) = session($node, "$SOME;
		SELECT count(department_id) > 0 FROM bob.work_history");
	is_deeply([ states($err) ], ['HV005'], 'on_missing_field error');
	like($err, qr/job_title_id.*site/, '... names them, too');
	is($out, 't', '... and the session goes on');
	missing_field('ignore');
	($out, $err) = session($node, $SOME);
	is("$out $err", "$all_of ", 'on_missing_field ignore');
}

# Of one employee and not of another; beside the groups; below them.
my %told = (no_view_permission => ['title'], no_view_history_permission => []);
my %places = (
	'of the second employee' => { results => [
			{ employeeId => '1', values => [ { id => 1, title => 'a' } ] },
			{ employeeId => '2', values => [ { id => 2 } ],
				restricted_columns => \%told },
			{ employeeId => '3', values => [ { id => 3, title => 'b' } ] } ] },
	'of one without rows' => { results => [
			{ employeeId => '1', values => [ { id => 1, title => 'a' } ] },
			{ employeeId => '2', restricted_columns => \%told, values => [] },
			{ employeeId => '3', values => [ { id => 3, title => 'b' } ] } ] },
	'in the inner object' => { results => [
			{ employeeId => '1', values => [ { values => [ { id => 1 } ],
					restricted_columns => \%told } ] } ] },
	'beside the groups' => { results => [
			{ employeeId => '1', values => [ { id => 1, title => 'a' } ] } ],
		restricted_columns => \%told });
missing_field('warn');
foreach my $where (sort keys %places)
{
	reset_simulator($sim);
	tell($sim, 'fault', { endpoint => $BULK_WORK, canonical_body($places{$where}) });
	my ($out, $err) = session($node,
		'SELECT count(id), count(job_title_id) FROM bob.work_history');
	like($err, qr/WARNING:  HV005:.*Not shown: job_title_id/s,
		"withheld $where: a warning");
	is(scalar(() = $err =~ /WARNING/g), 1, '... one');
}

# ------------------------------------------------------------------------
# Employees: not missed unless they were named
# ------------------------------------------------------------------------

my @three = quoted_ids(3, 5, 40);
my $hidden = 'employee_id IN (' . join(', ', @three) . ')';
my $rows_of_rest = query($node, "SELECT count(*) FROM expected.work_history
	WHERE $hidden AND employee_id <> $three[1]");
foreach my $key ('id', 'word')
{
	reset_simulator($sim, hidden_employees => [5], errors_key => $key);
	missing_field('warn');
	my ($out, $err) = session($node,
		"SELECT count(*) FROM bob.work_history WHERE $hidden");
	is($out, $rows_of_rest, "a hidden employee, errors by $key: the others");
	like($err, qr/WARNING:\s+42501: HiBob refused to show employees/,
		'... with a warning');
	like($err, qr/HiBob says: You don't have permission.*${\ employee_id(5)}/,
		'... in its words');
	is(scalar(() = $err =~ /WARNING/g), 1, '... one');
	($out, $err) = session($node,
		"SELECT count(*) FROM bob.work_history WHERE employee_id IN ($three[0], $three[2])");
	is($err, '', '... none without that employee');
	($out, $err) = session($node, "SELECT count(*) FILTER (WHERE $hidden)
		FROM bob.work_history");
	is("$out $err", "$rows_of_rest ", '... and none where nobody was named');
	missing_field('error');
	($out, $err) = session($node,
		"SELECT count(*) FROM bob.work_history WHERE $hidden");
	is_deeply([ states($err) ], ['42501'], 'on_missing_field error');
	missing_field('ignore');
	($out, $err) = session($node,
		"SELECT count(*) FROM bob.work_history WHERE $hidden");
	is("$out $err", "$rows_of_rest ", 'on_missing_field ignore');
}
missing_field('warn');

done_testing();
