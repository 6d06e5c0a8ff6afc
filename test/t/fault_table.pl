# Complete or an error: for each fault of a response, in each phase, and for each
# kind of query, the query returns all rows or fails with the right error, and
# the next query of the session returns all rows.
#
# Each column of the table is one session that stays for all faults, so that
# anything that a fault leaves behind affects the next one.  The sessions work at
# the same time; each has requests of its own that the fault affects.
# HIBOB_TEST_REPORTS names a directory for the table, HIBOB_TEST_FAULT is a
# regular expression that selects faults.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use FaultList;
use HibobSession;
use HibobTest qw(:DEFAULT states preload_resolver certificate authority report
  stats wait_until);
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $EMPLOYEES = 60;
# Descriptors of four streams, each of which may or may not be open.
my $MORE = 16;
my $LIMIT = 120;		# seconds after which a query counts as hanging
# The timeouts of the server: of faults that are silent, and of everything else,
# which may be slow on a busy machine.
my $SILENT = int(1500 * $SLOWNESS) . 'ms';
my $PATIENT = '25s';
my $started = time;
my $dir = PostgreSQL::Test::Utils::tempdir;
my $sim = start_simulator(employees => $EMPLOYEES);
my $secure = start_simulator(employees => $EMPLOYEES,
	certificate('IP:127.0.0.1'));

# So few descriptors that a leak of one for each fault would soon be noticed.
my $node;
{
	local $ENV{LD_PRELOAD} = preload_resolver($dir);
	$node = new_cluster('complete', "jit = off\nmax_files_per_process = 100\n"
		  . "restart_after_crash = on\n");
}

# ------------------------------------------------------------------------
# The columns
# ------------------------------------------------------------------------

# Requests are cheap, so that joins use parameterized scans.
add_server($node, 'bob', $sim, qq{max_retries '0', max_rate_limit_wait '0',
	connect_timeout '$PATIENT', read_timeout '$PATIENT', ca_file '${\authority()}',
	fdw_startup_cost '1', fdw_tuple_cost '10'});
query($node, q{
	CREATE TABLE few (n int, id text);
	INSERT INTO few SELECT n, (3332883884017713238 + 37 * n)::text
	  FROM generate_series(1, 12) AS n;
	ANALYZE few;
	CREATE FUNCTION figures() RETURNS text LANGUAGE sql AS $$
		SELECT (SELECT count(*) FROM pg_ls_dir('/proc/self/fd')) || '|' ||
			(SELECT count(*) FROM pg_backend_memory_contexts
			  WHERE name LIKE 'hibob%') || '|' ||
			(regexp_match(pg_read_file('/proc/self/status'),
				'VmRSS:\s+(\d+)'))[1] $$;
});

# A table of people with a field that no other table has.  The faults find its
# requests by this field.
sub add_people
{
	my ($name, $field, $options) = @_;

	query($node, "CREATE FOREIGN TABLE bob.$name (id text, email text,
		full_name text, own text OPTIONS (field '$field')) SERVER bob
		OPTIONS (resource 'people'" . ($options // '') . ')');
	return;
}

sub rows_of
{
	my ($from) = @_;
	return "SELECT count(*), md5(string_agg(r::text, ';' ORDER BY r::text)) FROM $from AS r;";
}

my @columns;

# A column of the table: its name, how its requests are found, how many of them
# succeed before the fault, and the query.
sub column
{
	my ($name, $where, $skip, $sql, %more) = @_;
	push @columns, { name => $name, where => $where, skip => $skip, sql => $sql,
		form => 'json', %more };
	return;
}

sub search_of
{
	my ($field) = @_;
	return { endpoint => '/people/search', contains => qq("$field") };
}

sub lookup_of
{
	my ($field) = @_;
	return { endpoint => '/people/{identifier}', contains => qq("$field") };
}

add_people('plain', 'root.surname');
column('scan', search_of('root.surname'), 0, rows_of('bob.plain'));

query($node, q{CREATE FOREIGN TABLE bob.work (employee_id text, id bigint,
	effective_date date) SERVER bob OPTIONS (resource 'work_history');
	CREATE FOREIGN TABLE bob.employment (employee_id text, id bigint,
	effective_date date) SERVER bob OPTIONS (resource 'employment_history')});
column('page 1', { endpoint => '/bulk/people/work' }, 0, rows_of('bob.work'));
column('page 3', { endpoint => '/bulk/people/employment' }, 2,
	rows_of('bob.employment'));

add_people('first_lookup', 'work.site');
add_people('third_lookup', 'work.manager');
my $join = q{(SELECT l.* FROM few JOIN bob.%s_lookup AS l USING (id) WHERE n <= 4)};
column('lookup 1', lookup_of('work.site'), 0, rows_of(sprintf $join, 'first'));
column('lookup 3', lookup_of('work.manager'), 2, rows_of(sprintf $join, 'third'));

# Each refresh has a different first name, which shows whether it took effect.
add_people('refreshed', 'root.firstName');
query($node, q{CREATE MATERIALIZED VIEW roster AS SELECT * FROM bob.refreshed;
	CREATE UNIQUE INDEX ON roster (id)});
my $kept = q{SELECT count(*), count(email), max(own) FILTER (WHERE email LIKE
	'%40@%') FROM roster;};
column('refresh', search_of('root.firstName'), 0,
	"REFRESH MATERIALIZED VIEW CONCURRENTLY roster; $kept", keeps => 1);

add_people('fetched', 'root.displayName');
column('cursor', search_of('root.displayName'), 0, 'BEGIN; DECLARE c CURSOR FOR
	SELECT md5(f::text) FROM bob.fetched AS f; FETCH 5 FROM c; FETCH 20 FROM c;
	FETCH ALL FROM c; COMMIT;', parts => 1);

query($node, q{CREATE FOREIGN TABLE bob.training (employee_id text, id bigint,
	name text) SERVER bob OPTIONS (resource 'training');
	CREATE FOREIGN TABLE bob.bank_accounts (employee_id text, id text)
	SERVER bob OPTIONS (resource 'bank_accounts')});
my $streams = '(SELECT t.* FROM bob.%s AS t WHERE employee_id = ANY
	((SELECT array_agg(id) FROM few)::text[]))';
column('stream 1', { endpoint => '/people/{id}/bank-accounts' }, 0,
	rows_of(sprintf $streams, 'bank_accounts'));
column('stream 4', { endpoint => '/people/{id}/training' }, 5,
	rows_of(sprintf $streams, 'training'));

foreach my $n (1 .. 3)
{
	add_people("account$n", $n == 2 ? 'root.companyId' : 'work.startDate');
}
column('Append', search_of('root.companyId'), 0, rows_of('(SELECT * FROM bob.account1
	UNION ALL SELECT * FROM bob.account2 UNION ALL SELECT * FROM bob.account3)'));

add_people('batches', 'work.title', q{, batch_size '20'});
column('batch 2', search_of('work.title'), 1, rows_of('bob.batches'));

query($node, q{CREATE FOREIGN TABLE bob.lists (list text, id text, name text)
	SERVER bob OPTIONS (resource 'named_lists');
	CREATE FOREIGN TABLE bob.report (id text OPTIONS (field 'ID'),
		number text OPTIONS (field 'Number'), value text OPTIONS (field 'Value#2'))
	SERVER bob OPTIONS (resource 'report', report_id '71004');
	CREATE FOREIGN TABLE bob.later (id text OPTIONS (field 'ID'),
		name text OPTIONS (field 'Full name'))
	SERVER bob OPTIONS (resource 'report', report_id '71001', report_async 'true')});
column('lists', { endpoint => '/company/named-lists' }, 0, rows_of('bob.lists'));
column('report', { endpoint => '/company/reports/{report_id}/download' }, 0,
	rows_of('bob.report'), form => 'csv');
# It is slow even without a fault.
column('prepared', { endpoint => '/company/reports/download/{report_name}' }, 0,
	rows_of('bob.later'), form => 'csv', phases => qr/^(?:status|mid-body)$/);

# The endpoints of 2026.
query($node, q{IMPORT FOREIGN SCHEMA hibob LIMIT TO (address_history,
	closed_tasks, time_off_policy_types, time_off_policies, time_off_balances,
	employee_calendars, calendar_events, attendance, job_family_groups,
	job_profiles, position_budgets, goals, skills, employers, candidates,
	applications) FROM SERVER bob INTO bob;
	CREATE FOREIGN TABLE bob.certifications (employee_id text, id bigint,
		level text OPTIONS (field 'column_1791380300005', value 'human'))
	SERVER bob OPTIONS (resource 'custom_table', table_id 'root__table_1791380280851')});
my $of_few = 'employee_id = ANY ((SELECT array_agg(id) FROM few)::text[])';

sub reading
{
	my ($name, $endpoint, $skip, $from, %more) = @_;
	column($name, { endpoint => $endpoint }, $skip, rows_of("(SELECT * FROM bob.$from)"),
		%more);
	return;
}
reading('custom', '/bulk/people/custom-tables/{table_id}', 0, 'certifications');
reading('address', '/bulk/people/address', 0, 'address_history');
reading('closed tasks', '/tasks/people/{id}', 5, "closed_tasks WHERE $of_few");
reading('policy types', '/timeoff/policy-types/{policy_type}', 2,
	'time_off_policy_types');
reading('policies', '/timeoff/policies', 3, 'time_off_policies');
reading('balances', '/timeoff/employees/{employee_id}/balance', 7,
	qq{time_off_balances WHERE $of_few AND as_of = '2026-11-01'
		AND policy_type IN ('Holiday', 'Sick')});
reading('calendars', '/timeoff/calendars/employees/search', 0, 'employee_calendars');
reading('events', '/timeoff/calendars/events/search', 1,
	q{calendar_events WHERE start_date BETWEEN '2025-02-01' AND '2026-11-01'});
reading('attendance', '/attendance/entries/search', 1,
	q{attendance WHERE day BETWEEN '2026-09-10' AND '2026-11-01'});
reading('groups', '/job-catalog/job-family-groups', 0, 'job_family_groups');
reading('job profiles', '/job-catalog/job-profiles/search', 1, 'job_profiles');
reading('budgets', '/positions/position-budget/search', 1, 'position_budgets');
reading('goals', '/goals/goals/search', 0, 'goals');
reading('skills', '/skills/search', 0, 'skills');
reading('employers', '/employers/search', 0, 'employers');
reading('candidates', '/hiring/candidates/search', 0, 'candidates');
reading('LIMIT', '/hiring/applications/search', 0, 'applications LIMIT 20');

# ------------------------------------------------------------------------
# The test
# ------------------------------------------------------------------------

my @faults = faults($sim, $secure);

foreach my $column (@columns)
{
	$column->{session} = HibobSession->new($node, app => $column->{name},
		set => "SET enable_hashjoin = off; SET enable_mergejoin = off;
			SET enable_material = off; SET client_min_messages = error;
			SET TimeZone = 'UTC';");
}

my $turn = 0;
my ($set_url, $set_retries, $set_timeout) = ($sim, 0, $PATIENT);

# The simulator that the server uses after the fault.
sub present_url
{
	return $set_url eq $secure ? $secure : $sim;
}

# Removes all faults, and changes what a refresh returns.
sub begin
{
	my $url = present_url();

	tell($url, 'reset');
	tell($url, 'config', { page_entries => 30, report_polls => 0,
		overrides => { 40 => { 'root.firstName' => "Turn $turn" } } });
	return;
}

# Runs the queries of all sessions at the same time.
sub query_all
{
	my (@chosen) = @_;

	$_->{session}->send($_->{sql}) foreach @chosen;
	foreach my $column (@chosen)
	{
		@{$column}{qw(out err trouble)} = $column->{session}->receive($LIMIT);
		last if defined $column->{trouble};
	}
	return;
}

# The outcome of a query, in a word.
sub outcome_of
{
	my ($column) = @_;
	my ($out, $err) = @{$column}{qw(out err)};
	my @states = states($err // '');
	my $expected = $column->{expected} =~ s/Turn \d+/Turn $turn/r;

	return $column->{trouble} if defined $column->{trouble};
	if (!@states && $out eq $expected)
	{
		$column->{kept} = $out;
		return 'all';
	}
	return $column->{short}->($out) ? 'gone' : 'WRONG ROWS' unless @states;
	return 'TWO ERRORS' if @states > 1 && !$column->{parts};
	if ($column->{keeps})
	{
		return 'LOST ROWS' if $out ne $column->{kept};
	}
	elsif ($column->{parts})
	{
		return 'WRONG ROWS' if index($expected, $out) != 0;
	}
	elsif ($out ne '')
	{
		return 'ROWS AND AN ERROR';
	}
	return $states[0];
}

# The expected result of each column, and how to see that rows are missing, which
# is right if HiBob reports that employees do not exist.
$turn = 1;
begin();
requests($sim);
foreach my $column (@columns)
{
	query_all($column);
	is($column->{err}, '', "$column->{name}: no error");
	my @requests = grep {
		my $body = encode_json($_->{body} // {});
		$_->{endpoint} eq $column->{where}{endpoint}
		  && (!defined $column->{where}{contains}
			|| index($body, $column->{where}{contains}) >= 0)
	} requests($sim);
	cmp_ok(scalar @requests, '>', $column->{skip}, "$column->{name}: requests")
	  or BAIL_OUT('the faults would not affect it');
	$column->{expected} = $column->{kept} = $column->{out};
	my ($all) = $column->{out} =~ /^(\d+)\|/;
	$column->{short} = sub {
		my ($some) = $_[0] =~ /^(\d+)\|/;
		return defined $some && $some < $all;
	};
	note "$column->{name}: bytes of its responses: ",
	  join(' ', map { $_->{bytes} } @requests);
}
my %figures = map { $_->{name} => $_->{session}->run('SELECT figures();') }
  @columns;


# Alters the server if it has to change; this affects all sessions.
sub set_server
{
	my ($url, $retries, $timeout, $fresh) = @_;

	return if $url eq $set_url && $retries == $set_retries
	  && $timeout eq $set_timeout && !$fresh;
	query($node, "ALTER SERVER bob OPTIONS (SET base_url '$url/v1',
		SET max_retries '$retries', SET connect_timeout '$timeout',
		SET read_timeout '$timeout')");
	($set_url, $set_retries, $set_timeout) = ($url, $retries, $timeout);
	return;
}

sub tell_fault
{
	my ($fault, @chosen) = @_;
	tell(present_url(), 'fault', [ map { { %{ $_->{where} }, skip => $_->{skip},
				times => $fault->{times}, %{ $fault->{tell} } } } @chosen ]);
	return;
}

my @table;
my (@wrong, @next);

# The expected outcome of a fault in a column; undefined if the fault does not
# apply to it.
sub expected_outcome
{
	my ($fault, $column) = @_;

	foreach my $key ($column->{name}, $column->{form})
	{
		return $fault->{$key} if exists $fault->{$key};
	}
	return $fault->{outcome};
}

sub applies
{
	my ($fault, $column) = @_;

	return 0 if defined $fault->{only} && $fault->{only} ne $column->{name};
	return 0 if defined $column->{phases} && $fault->{phase} !~ $column->{phases};
	return defined expected_outcome($fault, $column);
}

sub check_fault
{
	my ($fault) = @_;
	my @chosen = grep { applies($fault, $_) } @columns;
	my %row = (fault => "$fault->{phase}: $fault->{name}");
	my $retries = $fault->{times} ? 2 : 0;

	set_server($fault->{url} // $sim, $retries, $fault->{silent} ? $SILENT : $PATIENT);
	$turn++;
	begin();
	tell_fault($fault, @chosen);
	query_all(@chosen);
	foreach my $column (@chosen)
	{
		my $outcome = outcome_of($column);
		my $wanted = expected_outcome($fault, $column);
		my $good = $outcome eq $wanted || $outcome eq ($fault->{either} // '')
		  || $wanted eq 'any' && $outcome =~ /^(?:all|[0-9A-Z]{5})$/;

		$row{ $column->{name} } = $good ? $outcome : "($outcome)";
		push @wrong, "$row{fault}, $column->{name}: $outcome and not $wanted\n"
		  . substr($column->{out} . $column->{err}, 0, 600) unless $good;
		BAIL_OUT("$row{fault}, $column->{name}: $outcome")
		  if defined $column->{trouble};
	}

	# The next query, in the same sessions.
	wait_until('end of the response', sub { return !stats(present_url())->{under_way} })
	  if $fault->{wait};
	begin();
	set_server(present_url(), $retries, $PATIENT, $fault->{fresh});
	query_all(@chosen);
	foreach my $column (@chosen)
	{
		my $outcome = outcome_of($column);

		push @next, "$row{fault}, $column->{name}: then $outcome\n"
		  . substr($column->{out} . $column->{err}, 0, 600) if $outcome ne 'all';
	}
	push @table, \%row;
	return;
}

my $only = $ENV{HIBOB_TEST_FAULT};
foreach my $fault (@faults)
{
	next if defined $only && "$fault->{phase}: $fault->{name}" !~ /$only/;
	my ($wrong, $next) = (scalar @wrong, scalar @next);
	my $begun = time;

	check_fault($fault);
	my $name = $table[-1]{fault};
	is(join("\n", @wrong[ $wrong .. $#wrong ]), '', "$name: all rows or an error");
	is(join("\n", @next[ $next .. $#next ]), '', '... and then all rows');
	note sprintf '%s: %.2f s', $name, time - $begun if time - $begun > 1.5;
}

# No resources are left.
foreach my $column (@columns)
{
	my @before = split /\|/, $figures{ $column->{name} };
	my @after = split /\|/, ($column->{session}->run('SELECT figures();'))[0];

	note "$column->{name}: descriptors, contexts, kB: @before, then @after";
	cmp_ok($after[0], '<=', $before[0] + $MORE, "$column->{name}: descriptors");
	cmp_ok($after[1], '<=', $before[1] + 1, "$column->{name}: memory contexts");
	cmp_ok($after[2] - $before[2], '<',
		($column->{keeps} ? 24 : 8) * 1024 * $SLOWNESS,
		"$column->{name}: memory");
}
$_->{session}->finish foreach @columns;
unlike(slurp_file($node->logfile),
	qr/\bPANIC\b|terminated by signal|\bTRAP\b|WARNING:.*(?:leak|not closed)/,
	'no crash and no leak in the log');
report('faults', [ 'fault', map { $_->{name} } @columns ], @table);
note sprintf '%d faults by %d kinds of queries in %.0f s', scalar @table,
  scalar @columns, time - $started;

done_testing();
