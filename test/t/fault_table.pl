# Complete or an error: whatever happens to an answer, in whatever phase, and
# whatever kind of query reads it, the query has all rows or the error that says
# why; and the session's next query has all of them.
#
# Each column of the table is a session that stays for all faults, so what one
# fault leaves behind is there at the next.  They work at the same time: a fault
# is told for all of them at once, and each has requests of its own that it
# befalls.  HIBOB_TEST_REPORTS names a directory that gets the table.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use FaultList;
use HibobSession;
use HibobTest qw(:DEFAULT states preload_resolver certificate authority report);
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $EMPLOYEES = 60;
# Descriptors of four lanes, all of which may or may not have been opened.
my $MORE = 16;
my $LIMIT = 30;		# seconds after which a query counts as one that hangs
my $started = time;
my $dir = PostgreSQL::Test::Utils::tempdir;
my $sim = start_simulator(employees => $EMPLOYEES);
my $secure = start_simulator(employees => $EMPLOYEES,
	certificate('IP:127.0.0.1'));

# So few descriptors that losing one a fault would soon be noticed.
my $node;
{
	local $ENV{LD_PRELOAD} = preload_resolver($dir);
	$node = new_cluster('complete', "jit = off\nmax_files_per_process = 100\n"
		  . "restart_after_crash = on\n");
}

# ------------------------------------------------------------------------
# The columns
# ------------------------------------------------------------------------

# Requests are cheap, so that joins look up.
add_server($node, 'bob', $sim, qq{max_retries '0', max_rate_limit_wait '0',
	connect_timeout '1200ms', read_timeout '1200ms', ca_file '${\authority()}',
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

# A table of people that asks for a field that no other table asks for, by
# which the faults find its requests.
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

# A column: its name, the phrase that its requests are found by, how many of
# them go unharmed before the fault, and what the session says.
sub column
{
	my ($name, $where, $skip, $sql, %more) = @_;
	push @columns, { name => $name, where => $where, skip => $skip, sql => $sql,
		form => 'json', %more };
	return;
}

sub searching
{
	my ($field) = @_;
	return { endpoint => '/people/search', contains => qq("$field") };
}

sub looking_up
{
	my ($field) = @_;
	return { endpoint => '/people/{identifier}', contains => qq("$field") };
}

add_people('plain', 'root.surname');
column('scan', searching('root.surname'), 0, rows_of('bob.plain'));

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
column('look-up 1', looking_up('work.site'), 0, rows_of(sprintf $join, 'first'));
column('look-up 3', looking_up('work.manager'), 2, rows_of(sprintf $join, 'third'));

# What is refreshed differs each time, and what is left tells which it is.
add_people('refreshed', 'root.firstName');
query($node, q{CREATE MATERIALIZED VIEW roster AS SELECT * FROM bob.refreshed;
	CREATE UNIQUE INDEX ON roster (id)});
my $kept = q{SELECT count(*), count(email), max(own) FILTER (WHERE email LIKE
	'%40@%') FROM roster;};
column('refresh', searching('root.firstName'), 0,
	"REFRESH MATERIALIZED VIEW CONCURRENTLY roster; $kept", keeps => 1);

add_people('fetched', 'root.displayName');
column('cursor', searching('root.displayName'), 0, 'BEGIN; DECLARE c CURSOR FOR
	SELECT md5(f::text) FROM bob.fetched AS f; FETCH 5 FROM c; FETCH 20 FROM c;
	FETCH ALL FROM c; COMMIT;', parts => 1);

query($node, q{CREATE FOREIGN TABLE bob.training (employee_id text, id bigint,
	name text) SERVER bob OPTIONS (resource 'training');
	CREATE FOREIGN TABLE bob.bank_accounts (employee_id text, id text)
	SERVER bob OPTIONS (resource 'bank_accounts')});
my $lanes = '(SELECT t.* FROM bob.%s AS t WHERE employee_id = ANY
	((SELECT array_agg(id) FROM few)::text[]))';
column('lane 1', { endpoint => '/people/{id}/bank-accounts' }, 0,
	rows_of(sprintf $lanes, 'bank_accounts'));
column('lane 4', { endpoint => '/people/{id}/training' }, 5,
	rows_of(sprintf $lanes, 'training'));

foreach my $n (1 .. 3)
{
	add_people("account$n", $n == 2 ? 'root.companyId' : 'work.startDate');
}
column('Append', searching('root.companyId'), 0, rows_of('(SELECT * FROM bob.account1
	UNION ALL SELECT * FROM bob.account2 UNION ALL SELECT * FROM bob.account3)'));

add_people('batches', 'work.title', q{, batch_size '20'});
column('batch 2', searching('work.title'), 1, rows_of('bob.batches'));

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
# It takes its time even where all goes well.
column('prepared', { endpoint => '/company/reports/download/{report_name}' }, 0,
	rows_of('bob.later'), form => 'csv', phases => qr/^(?:status|mid-body)$/);

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
my ($set_url, $set_retries) = ($sim, 0);

# The simulator that the server has, or is going to have.
sub present_url
{
	return $set_url eq $secure ? $secure : $sim;
}

# Forgets all faults, and has something new to refresh.
sub begin
{
	my $url = present_url();

	tell($url, 'reset');
	tell($url, 'config', { page_entries => 30, report_polls => 0,
		overrides => { 40 => { 'root.firstName' => "Turn $turn" } } });
	return;
}

# What all sessions say to their queries, at the same time.
sub ask_all
{
	my (@asked) = @_;

	$_->{session}->send($_->{sql}) foreach @asked;
	foreach my $column (@asked)
	{
		@{$column}{qw(out err trouble)} = $column->{session}->receive($LIMIT);
		last if defined $column->{trouble};
	}
	return;
}

# What came of a query, in a word.
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

# What is expected of each; and how large its answer is, and whether HiBob may
# say that employees are not there: then there are rows of fewer of them.
$turn = 1;
begin();
requests($sim);
foreach my $column (@columns)
{
	ask_all($column);
	is($column->{err}, '', "$column->{name}: no error");
	my @requests = grep {
		my $body = encode_json($_->{body} // {});
		$_->{endpoint} eq $column->{where}{endpoint}
		  && (!defined $column->{where}{contains}
			|| index($body, $column->{where}{contains}) >= 0)
	} requests($sim);
	cmp_ok(scalar @requests, '>', $column->{skip}, "$column->{name}: requests")
	  or BAIL_OUT('the faults would not befall it');
	$column->{size} = $requests[ $column->{skip} ]{bytes};
	$column->{expected} = $column->{kept} = $column->{out};
	my ($all) = $column->{out} =~ /^(\d+)\|/;
	$column->{short} = sub {
		my ($some) = $_[0] =~ /^(\d+)\|/;
		return defined $some && $some < $all;
	};
	note "$column->{name}: $column->{size} bytes, "
	  . scalar(@requests) . ' requests';
}
my %figures = map { $_->{name} => $_->{session}->run('SELECT figures();') }
  @columns;


# Alters the server where it has to be; all sessions notice.
sub set_server
{
	my ($url, $retries, $fresh) = @_;

	return if $url eq $set_url && $retries == $set_retries && !$fresh;
	query($node, "ALTER SERVER bob OPTIONS (SET base_url '$url/v1',
		SET max_retries '$retries')");
	($set_url, $set_retries) = ($url, $retries);
	return;
}

sub tell_fault
{
	my ($fault, @asked) = @_;
	tell(present_url(), 'fault', [ map { { %{ $_->{where} }, skip => $_->{skip},
				times => $fault->{times}, %{ $fault->{tell}->($_->{size}) } } }
		  @asked ]);
	return;
}

my @table;
my (@wrong, @next);

# What has to come of a fault for a column; undefined if it is not for it.
sub wanted
{
	my ($fault, $column) = @_;

	foreach my $key ($column->{name}, $column->{form})
	{
		return $fault->{$key} if exists $fault->{$key};
	}
	return $fault->{outcome};
}

sub concerns
{
	my ($fault, $column) = @_;

	return 0 if defined $fault->{only} && $fault->{only} ne $column->{name};
	return 0 if defined $column->{phases} && $fault->{phase} !~ $column->{phases};
	return defined wanted($fault, $column);
}

sub check_fault
{
	my ($fault) = @_;
	my @asked = grep { concerns($fault, $_) } @columns;
	my %row = (fault => "$fault->{phase}: $fault->{name}");
	my $retries = $fault->{times} ? 2 : 0;

	set_server($fault->{url} // $sim, $retries);
	$turn++;
	begin();
	tell_fault($fault, @asked);
	ask_all(@asked);
	foreach my $column (@asked)
	{
		my $outcome = outcome_of($column);
		my $wanted = wanted($fault, $column);
		my $good = $outcome eq $wanted || $outcome eq ($fault->{either} // '')
		  || $wanted eq 'any' && $outcome =~ /^(?:all|[0-9A-Z]{5})$/;

		$row{ $column->{name} } = $good ? $outcome : "($outcome)";
		push @wrong, "$row{fault}, $column->{name}: $outcome and not $wanted\n"
		  . substr($column->{out} . $column->{err}, 0, 600) unless $good;
		BAIL_OUT("$row{fault}, $column->{name}: $outcome")
		  if defined $column->{trouble};
	}

	# The next query, in the same sessions.
	sleep($fault->{pause}) if defined $fault->{pause};
	begin();
	set_server(present_url(), $retries, $fault->{fresh});
	ask_all(@asked);
	foreach my $column (@asked)
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

# Nothing is left behind.
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
	'nothing worse in the log');
report('faults', [ 'fault', map { $_->{name} } @columns ], @table);
note sprintf '%d faults by %d kinds of queries in %.0f s', scalar @table,
  scalar @columns, time - $started;

done_testing();
