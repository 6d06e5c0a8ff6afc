# Failure injection: every call out of the library fails once, libcurl runs out
# of memory, and the session is cancelled or terminated in any call.  A query then returns all rows or an error; the session and the cluster
# continue, and no descriptor is left open.
#
# Environment: HIBOB_INJECT_SECONDS is the duration (100); HIBOB_INJECT_SEED
# repeats a run; HIBOB_INJECT_ONLY is a part of the names of the workloads to run;
# HIBOB_INJECT_AT, "KIND:CALL", is the only injection to make.

use strict;
use warnings;
use Config;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobSession;
use HibobTest;
use POSIX qw(floor);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'the wrappers are for x86-64'
  unless $Config{archname} =~ /^x86_64/;
plan skip_all => 'a sanitizer or valgrind has its own allocator'
  if $SLOWNESS > 1;

my $seconds = $ENV{HIBOB_INJECT_SECONDS} // 100;
my $seed = $ENV{HIBOB_INJECT_SEED} // floor(time) % 1_000_000;
my $only = $ENV{HIBOB_INJECT_ONLY} // '';
my @at = split /:/, $ENV{HIBOB_INJECT_AT} // '';
diag("HIBOB_INJECT_SEED=$seed");
srand $seed;

my $directory = PostgreSQL::Test::Utils::tempdir;
system_or_bail('test/inject/build.sh', $directory);

my $sim = start_simulator(employees => 60);
my $node = PostgreSQL::Test::Cluster->new('inject');
$node->init;
$node->append_conf('postgresql.conf', q{
log_statement = none
jit = off
autovacuum = off
restart_after_crash = on
});
{
	local $ENV{LD_PRELOAD} = "$directory/malloc.so";
	$node->start;
}
query($node, 'CREATE EXTENSION hibob_fdw');
add_server($node, 'bob', $sim, q{max_retries '1'});
set_up();

# [name, statements]; their output must be the same each time.
my @workloads = workloads();
my %baseline;
my %outcomes;
my $log_start = -s $node->logfile;
my @bad;
my $session = connect_session();
my $tries = 0;

foreach my $workload (@workloads)
{
	my ($name, $sql) = @$workload;
	my ($out, $err, $trouble);

	# After the second time, the session learns nothing more.
	($out, $err, $trouble) = $session->run($sql) for 1 .. 2;
	is($trouble, undef, "$name works") or BAIL_OUT($err);
	unlike($err, qr/ERROR|FATAL/, '... without an error')
	  unless $name =~ /^error: /;
	$baseline{$name}{out} = $out;
	foreach my $kind ('fail', 'malloc', 'cancel')
	{
		my ($result) = run_injected($sql, $kind, 0);

		($baseline{$name}{$kind}) = $result =~ /^(\d+) /;
	}
	$baseline{$name}{terminate} = $baseline{$name}{cancel};
}
my $descriptors = open_descriptors();

my $end = time + $seconds;
while (@at ? $tries == 0 : time < $end)
{
	foreach my $workload (@workloads)
	{
		my ($name, $sql) = @$workload;
		my $draw = rand;
		my $kind = $at[0] // ($draw < 0.7 ? 'fail' : $draw < 0.85 ? 'malloc' :
			  $draw < 0.96 ? 'cancel' : 'terminate');
		my $most = $baseline{$name}{$kind} or next;

		try($name, $sql, $kind, $at[1] // 1 + int rand $most);
		last if !@at && time > $end;
	}
	last if @bad > 10;
}

is(join("\n", @bad), '', "no injection did harm, of $tries");
my ($log) = slurp_file($node->logfile, $log_start);
unlike($log, qr/PANIC|TRAP:|terminated by signal|AbortTransaction while|
	unexpected\ state|not\ closed|leak/x, 'the log has none either');
is(join(' ', grep { !/^pgsql_tmp$/ } glob($node->data_dir . '/base/pgsql_tmp/*')),
	'', 'no temporary file is left');
foreach my $name (sort keys %outcomes)
{
	note(sprintf '%-30s %s', $name, join ', ',
		map { "$_: $outcomes{$name}{$_}" } sort keys %{ $outcomes{$name} });
}

# An address space that is too small for the rest of the query.
foreach my $megabytes (0, 1, 2, 4, 8, 16)
{
	my $bytes = $megabytes * 1024 * 1024;
	my ($out, $err, $trouble) = $session->run(
		"SELECT inject_limit_memory($bytes);
		SELECT count(f) FROM (SELECT everything::text || repeat('x', 1000) AS f
			FROM bob.whole ORDER BY 1) s;
		SELECT inject_limit_memory(-1);");

	$session = connect_session() if defined $trouble;
	ok(!defined $trouble && $out =~ /^\s*60\s*$|^\s*$/,
		"$megabytes MB more of memory: " . ($err =~ /ERROR/ ? 'an error' : 'all rows'))
	  or diag("$trouble: $out $err");
}
is(count_people(), '60', 'and then there is enough');

done_testing();

# --- injections -------------------------------------------------------------

sub connect_session
{
	return HibobSession->new($node,
		set => q{SET client_min_messages = warning; SET work_mem = '64kB';});
}

# The session has ended, perhaps with the cluster, which starts again.
sub reconnect
{
	for (1 .. 600)
	{
		last if $node->psql('postgres', 'SELECT 1') == 0;
		sleep 0.1;
	}
	$session = connect_session();
	return;
}

# Returns the result of inject_disarm(), the output, the errors, and the trouble.
sub run_injected
{
	my ($sql, $kind, $n) = @_;
	my ($out, $err, $trouble) = $session->run(
		"SELECT inject_arm('$kind', $n);\n$sql\nROLLBACK;\n" .
		  "SELECT '=' || inject_disarm();");
	my $result = $out =~ s/^=(.*)\n?\z//m ? $1 : '';

	$out =~ s/^\n//;
	chomp $out;
	return ($result, $out, $err, $trouble);
}

# An injection, and the checks after it.
sub try
{
	my ($name, $sql, $kind, $n) = @_;
	my ($result, $out, $err, $trouble) = run_injected($sql, $kind, $n);
	my ($function) = $result =~ /^\d+ (\S+)/;
	my @states = $err =~ /^(?:psql:\S+ )?(?:ERROR|FATAL):  (\w{5}):/mg;
	my $what = "$name, $kind:$n ($result)";
	my $outcome = $states[0] // 'rows';

	$tries++;
	$outcomes{$name}{$outcome}++;
	if ($kind eq 'terminate' || defined $trouble)
	{
		push @bad, "$what: session ended: $err"
		  if defined $trouble && ($kind ne 'terminate' || $err !~ /57P01/);
		reconnect();
		push @bad, "$what: then " . count_people() if count_people() ne '60';
		return;
	}
	# The status function reports an error as a row.
	push @bad, "$what: printed $out"
	  if !@states && $out ne $baseline{$name}{out} &&
	  !($name eq 'status' && $out =~ /^[a-z ]+\|\d*$/);
	# Failures of OpenSSL have no SQLSTATE of their own.
	push @bad, "$what: @states: $err"
	  if (grep { /^XX/ } @states) && $function !~ /^pg_cryptohash/;
	push @bad, "$what: $err" if $err =~ /leak|WARNING:.*AbortTransaction|not closed/;
	check_after($what, $name, $sql) if $tries % 3 == 0 || @at;
	return;
}

# The session works as before, and has no more descriptors.
sub check_after
{
	my ($what, $name, $sql) = @_;
	my ($out, $err, $trouble) = $session->run($sql);
	my $open;

	push @bad, "$what: and then $out $err" if $out ne $baseline{$name}{out};
	if (defined $trouble)
	{
		reconnect();
		return;
	}
	$open = open_descriptors();
	push @bad, "$what: $open descriptors, $descriptors before"
	  if $open > $descriptors;
	return;
}

# Open descriptors once the connections are closed.
sub open_descriptors
{
	my ($out) = $session->run(
		"SELECT hibob_fdw_disconnect_all();\n" .
		  "SELECT count(*) FROM bob.people;\n" .
		  "SELECT hibob_fdw_disconnect_all();\nSELECT inject_descriptors();");

	return (split /\n/, $out)[-1];
}

sub count_people
{
	my ($out, $err) = $session->run('SELECT count(*) FROM bob.people;');

	return $out ne '' ? $out : $err;
}

# --- workloads --------------------------------------------------------------

sub set_up
{
	my $library = "$directory/hibob_fdw";

	query($node, qq{
		UPDATE pg_proc SET probin = '$library' WHERE probin = '\$libdir/hibob_fdw';
		CREATE FUNCTION inject_arm(text, bigint) RETURNS void
			AS '$library', 'inject_arm' LANGUAGE c;
		CREATE FUNCTION inject_disarm() RETURNS text
			AS '$library', 'inject_disarm' LANGUAGE c;
		CREATE FUNCTION inject_limit_memory(bigint) RETURNS void
			AS '$library', 'inject_limit_memory' LANGUAGE c;
		CREATE FUNCTION inject_descriptors() RETURNS integer
			AS '$library', 'inject_descriptors' LANGUAGE c;});
	query($node, q{
		CREATE SCHEMA hr;
		IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr
			OPTIONS (reports 'true', custom_tables 'true');
		CREATE TABLE licence AS
			SELECT id AS account, email, 'app ' || right(id, 1) AS app
			  FROM bob.people LIMIT 8;
		ANALYZE licence;
		CREATE FOREIGN TABLE bob.whole (id text, everything jsonb
			OPTIONS (field '*')) SERVER bob OPTIONS (resource 'people');
		CREATE FOREIGN TABLE bob.cached (id text, everything jsonb
			OPTIONS (field '*')) SERVER bob
			OPTIONS (resource 'people', cache_ttl '1h');
		CREATE FOREIGN TABLE bob.strict (id text, lost text
			OPTIONS (field 'work.nothing')) SERVER bob
			OPTIONS (resource 'people', on_missing_field 'error');
		CREATE FOREIGN TABLE bob.batched (id text, email text) SERVER bob
			OPTIONS (resource 'people', batch_size '5');
		CREATE FOREIGN TABLE bob.employee_history (employee_id text, id text,
			job_title text) SERVER bob OPTIONS (resource 'work_history');
		DO $$ BEGIN
			EXECUTE (SELECT format('CREATE FOREIGN TABLE bob.wide (id text, %s)
				SERVER bob OPTIONS (resource ''people'',
				on_missing_field ''ignore'')', string_agg(format(
				'c%s text OPTIONS (field ''work.f%s'')', n, n), ', '))
				FROM generate_series(1, 401) n);
		END $$;
		CREATE TABLE part (id text, email text) PARTITION BY LIST (id);
		CREATE TABLE copy (id text, email text);
		CREATE MATERIALIZED VIEW roster AS SELECT id, email FROM bob.people;
		CREATE USER MAPPING FOR PUBLIC SERVER bob
			OPTIONS (service_user_id 'SERVICE-1', token 'other');});
	return;
}

sub workloads
{
	my @history = (q{employment_history}, q{lifecycle_history});
	my @all = (
		[ 'all people', 'SELECT count(email), count(id) FROM bob.people;' ],
		[ 'rows in order', q{SELECT md5(string_agg(p::text, ',' ORDER BY id))
			FROM bob.people p;} ],
		[ 'whole rows', 'SELECT sum(length(everything::text)) FROM bob.whole;' ],
		[ 'columns of hr.people', q{SELECT md5(string_agg(p::text, ','
			ORDER BY id)) FROM hr.people p;} ],
		[ 'first rows', 'SELECT count(*) FROM (SELECT id FROM bob.people LIMIT 3) s;' ],
		[ 'by id', q{SELECT p.email FROM bob.people p
			WHERE id = '3332883884017713275';} ],
		[ 'by a list of ids', q{SELECT count(*) FROM bob.people
			WHERE id = ANY (ARRAY(SELECT account FROM licence));} ],
		[ 'by status', q{SELECT count(*) FROM bob.people WHERE status = 'Active';} ],
		[ 'a join by key', q{SET enable_hashjoin = off; SET enable_mergejoin = off;
			SELECT count(p.email) FROM licence l JOIN bob.people p
				ON p.id = l.account;
			RESET enable_hashjoin; RESET enable_mergejoin;} ],
		[ 'a join by hash', q{SELECT count(p.email) FROM licence l
			LEFT JOIN bob.people p ON lower(p.email) = lower(l.email);} ],
		[ 'in batches', q{SELECT count(email) FROM bob.batched
			WHERE id = ANY (ARRAY(SELECT account FROM licence));} ],
		[ 'a correlated subquery', q{SELECT sum((SELECT count(*) FROM bob.people p
			WHERE p.email < l.email AND p.department IS NOT NULL)) FROM licence l;} ],
		[ 'two scans', q{SELECT count(*) FROM bob.people a JOIN bob.people b
			USING (id);} ],
		[ 'asynchronous scans', q{SELECT count(*) FROM (
			SELECT id FROM bob.people UNION ALL SELECT id FROM bob.whole UNION ALL
			SELECT id FROM hr.profiles) s;} ],
		[ 'a cached result', q{SELECT count(everything) FROM bob.cached;
			SELECT count(everything) FROM bob.cached;
			SELECT hibob_fdw_disconnect_all() IS NULL;} ],
		[ 'more fields than a request has', 'SELECT count(id), count(w) FROM bob.wide w;' ],
		[ 'pages', 'SELECT count(*), count(job_title_id) FROM hr.work_history;' ],
		[ 'history of some', q{SELECT count(*) FROM bob.employee_history
			WHERE employee_id IN (SELECT account FROM licence);} ],
		[ 'employee by employee', 'SELECT count(*) FROM hr.training;' ],
		[ 'some pages', q{SELECT count(*) FROM
			(SELECT * FROM hr.salaries LIMIT 5) s;} ],
		[ 'named lists', 'SELECT count(*) FROM hr.named_lists;' ],
		[ 'a named list', q{SELECT count(*) FROM hr.named_lists
			WHERE list = 'department';} ],
		[ 'fields', 'SELECT count(*) FROM hr.fields;' ],
		[ 'absences', q{SELECT count(*) FROM hr.time_off
			WHERE start_date >= '2026-01-01' AND start_date <= '2026-12-31';} ],
		[ 'a report', 'SELECT count(*) FROM hr.headcount;' ],
		[ 'reports', 'SELECT count(*) FROM hr.reports;' ],
		[ 'a cursor', q{BEGIN;
			DECLARE c SCROLL CURSOR FOR SELECT id FROM bob.people ORDER BY id;
			MOVE 20 IN c; FETCH 1 FROM c; MOVE ABSOLUTE 2 IN c; FETCH 1 FROM c;
			COMMIT;} ],
		[ 'a cursor that outlives', q{BEGIN;
			DECLARE c CURSOR WITH HOLD FOR SELECT id, everything FROM bob.whole;
			COMMIT; MOVE 50 IN c; CLOSE c;} ],
		[ 'an error in a subtransaction', q{DO $$
			BEGIN
				PERFORM (SELECT count(*) FROM bob.people a
					WHERE a.id > (SELECT min(id) FROM bob.whole)) / 0;
			EXCEPTION WHEN division_by_zero THEN NULL;
			END $$;} ],
		[ 'a savepoint', q{BEGIN; SAVEPOINT s; SELECT count(*) FROM bob.people;
			ROLLBACK TO s; SELECT count(*) FROM bob.people; COMMIT;} ],
		[ 'a refresh', 'REFRESH MATERIALIZED VIEW roster; SELECT count(*) FROM roster;' ],
		[ 'an insert', q{BEGIN; INSERT INTO copy SELECT id, email FROM bob.people;
			SELECT count(*) FROM copy; ROLLBACK;} ],
		[ 'a prepared statement', q{PREPARE q (text) AS
			SELECT count(email) FROM bob.people WHERE id = $1;
			SET plan_cache_mode = force_generic_plan;
			EXECUTE q ('3332883884017713275'); DEALLOCATE q;
			RESET plan_cache_mode;} ],
		[ 'a plan', q{EXPLAIN (VERBOSE, COSTS OFF) SELECT p.email
			FROM licence l, LATERAL (SELECT * FROM bob.people p
			WHERE p.id = l.account) p;} ],
		[ 'statistics', q{ANALYZE bob.people;
			SELECT reltuples FROM pg_class WHERE oid = 'bob.people'::regclass;} ],
		[ 'an import', q{BEGIN; CREATE SCHEMA again;
			IMPORT FOREIGN SCHEMA hibob LIMIT TO (people, fields, work_history)
				FROM SERVER bob INTO again;
			SELECT count(*) FROM pg_class WHERE relnamespace = 'again'::regnamespace;
			ROLLBACK;} ],
		[ 'status', 'SELECT status, people FROM hibob_fdw_status();' ],
		[ 'connections', q{SELECT count(*) FROM bob.people;
			SELECT server_name, valid FROM hibob_fdw_get_connections();
			SELECT hibob_fdw_disconnect('bob');} ],
		[ 'what was requested', 'SELECT count(*) > 0 FROM hibob_fdw_statistics;' ],
		[ 'comments', q{BEGIN; SELECT hibob_fdw_comment_columns('bob') >= 0;
			ROLLBACK;} ],
		[ 'options', q{BEGIN; CREATE SERVER other FOREIGN DATA WRAPPER hibob_fdw
			OPTIONS (base_url 'https://api.hibob.com/v1', max_retries '3');
			CREATE FOREIGN TABLE o (id text) SERVER other
				OPTIONS (resource 'people');
			ROLLBACK;} ],
		[ 'other credentials', q{BEGIN;
			ALTER USER MAPPING FOR CURRENT_USER SERVER bob OPTIONS (SET token 'x');
			ALTER USER MAPPING FOR CURRENT_USER SERVER bob
				OPTIONS (SET token 's3cret-canary-token');
			SELECT count(*) FROM bob.people; ROLLBACK;} ],
		[ 'error: a missing field', 'SELECT count(lost) FROM bob.strict;' ],
		[ 'error: a wrong option', q{CREATE SERVER wrong FOREIGN DATA WRAPPER
			hibob_fdw OPTIONS (bas_url 'x');} ]);

	return grep { index($_->[0], $only) >= 0 } @all;
}
