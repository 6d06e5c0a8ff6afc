# Columns and employees of bulk tables that the service user may not see, and the
# option on_missing_field.

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
	is($out, $all_of, "withheld columns, $form: the other columns have values");
	like($err, qr/WARNING:\s+HV005: HiBob withheld columns of foreign table "bob.work_history"/,
		'... with a warning');
	is(scalar(() = $err =~ /WARNING/g), 1, '... only one');
	like($err, qr/Not shown: job_title_id \(field title\)\..*without their history: site \(field site\)\.$/m,
		'... that names the columns and fields');
	like($err, qr/HINT:.*"Work"/, '... and the permission to grant');
	unlike($err, qr/nobody_knows|department/, '... and no other columns');
	($out, $err) = session($node,
		'SELECT count(department_id) FROM bob.work_history');
	is($err, '', '... and no warning for a query of other columns');
	missing_field('error');
	($out, $err) = session($node, "$SOME;
		SELECT count(department_id) > 0 FROM bob.work_history");
	is_deeply([ states($err) ], ['HV005'], 'on_missing_field error');
	like($err, qr/job_title_id.*site/, '... names the columns, too');
	is($out, 't', '... the session continues');
	missing_field('ignore');
	($out, $err) = session($node, $SOME);
	is("$out $err", "$all_of ", 'on_missing_field ignore');
}

# The list of withheld columns may be in the group of one employee, inside the
# group, or next to the groups.
my %withheld = (no_view_permission => ['title'], no_view_history_permission => []);
my %places = (
	'for the second employee' => { results => [
			{ employeeId => '1', values => [ { id => 1, title => 'a' } ] },
			{ employeeId => '2', values => [ { id => 2 } ],
				restricted_columns => \%withheld },
			{ employeeId => '3', values => [ { id => 3, title => 'b' } ] } ] },
	'for an employee without rows' => { results => [
			{ employeeId => '1', values => [ { id => 1, title => 'a' } ] },
			{ employeeId => '2', restricted_columns => \%withheld, values => [] },
			{ employeeId => '3', values => [ { id => 3, title => 'b' } ] } ] },
	'in the inner object' => { results => [
			{ employeeId => '1', values => [ { values => [ { id => 1 } ],
					restricted_columns => \%withheld } ] } ] },
	'next to the groups' => { results => [
			{ employeeId => '1', values => [ { id => 1, title => 'a' } ] } ],
		restricted_columns => \%withheld });
missing_field('warn');
foreach my $where (sort keys %places)
{
	reset_simulator($sim);
	tell($sim, 'fault', { endpoint => $BULK_WORK, canonical_body($places{$where}) });
	my ($out, $err) = session($node,
		'SELECT count(id), count(job_title_id) FROM bob.work_history');
	like($err, qr/WARNING:  HV005:.*Not shown: job_title_id/s,
		"withheld $where: a warning");
	is(scalar(() = $err =~ /WARNING/g), 1, '... only one');
}

# Field-level permissions: withheld columns are null, and the response may not
# list them.
foreach my $case ([ 'null', qr/HiBob withheld columns of foreign table "bob.work_history"$/m,
		qr/Not shown: job_title_id \(field title\)\./ ],
	[ 'null announced by the header alone', qr/HiBob withheld unspecified columns of foreign table "bob.work_history"$/m,
		qr/Columns with nulls: job_title_id \(field title\)\./ ])
{
	my ($form, @messages) = @$case;

	foreach my $bulk_form (qw(wrapped plain))
	{
		reset_simulator($sim, bulk_form => $bulk_form, restricted_form => $form,
			restricted_columns => { work => { no_view_permission => ['title'] } });
		my ($out, $err) = session($node, 'SELECT count(*), count(job_title_id),
			count(effective_date) FROM bob.work_history');
		is($out, query($node, 'SELECT count(*), 0, count(effective_date)
			FROM expected.work_history'),
			"restricted, $form, $bulk_form: the other columns have values");
		like($err, $_, '... with a warning') foreach @messages;
		is(scalar(() = $err =~ /WARNING/g), 1, '... only one');
		($out, $err) = session($node, 'SELECT count(effective_date)
			FROM bob.work_history');
		is($err, '', '... and none for a query of other columns');
	}
}

# ------------------------------------------------------------------------
# Employees: a warning if the query names them, or if HiBob lists them
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
	is($out, $rows_of_rest, "a hidden employee, errors by $key: the other rows");
	like($err, qr/WARNING:\s+42501: HiBob denied access to employees/,
		'... with a warning');
	like($err, qr/HiBob reported: You don't have permission.*${\ employee_id(5)}/,
		'... with the message of HiBob');
	is(scalar(() = $err =~ /WARNING/g), 1, '... only one');
	($out, $err) = session($node,
		"SELECT count(*) FROM bob.work_history WHERE employee_id IN ($three[0], $three[2])");
	is($err, '', '... none if the query does not name that employee');
	($out, $err) = session($node, "SELECT count(*) FILTER (WHERE $hidden)
		FROM bob.work_history");
	is("$out $err", "$rows_of_rest ", '... none if the query names no employee');
	missing_field('error');
	($out, $err) = session($node,
		"SELECT count(*) FROM bob.work_history WHERE $hidden");
	is_deeply([ states($err) ], ['42501'], 'on_missing_field error');
	missing_field('ignore');
	($out, $err) = session($node,
		"SELECT count(*) FROM bob.work_history WHERE $hidden");
	is("$out $err", "$rows_of_rest ", 'on_missing_field ignore');
	missing_field('warn');
	tell($sim, 'config', { refuse_unnamed => JSON::PP::true });
	($out, $err) = session($node, "SELECT count(*) FILTER (WHERE $hidden)
		FROM bob.work_history");
	is($out, $rows_of_rest, 'HiBob lists an employee that no query names: the rows');
	like($err, qr/WARNING:\s+42501: HiBob withheld employees of foreign table "bob.work_history" that the query does not name/,
		'... with a warning');
}

done_testing();
