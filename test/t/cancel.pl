# A cancel, a timeout or a shutdown takes effect within 50 ms, whatever the query
# is waiting for or reading.  The time is measured in the server, from
# pg_cancel_backend() until the session is no longer active.  The median has to
# be within the limit; a single try may be late.  CancelTest says what applies to
# a busy machine.
#
# HIBOB_TEST_TRIES is the number of tries for each phase; a larger number gives
# meaningful percentiles.  HIBOB_TEST_REPORTS names a directory for the report,
# HIBOB_TEST_PHASE is a regular expression that selects phases.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use CancelTest;
use HibobTest qw(:DEFAULT states preload_resolver deaf_port silent_port serve
  report);
use HibobSession;
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $TRIES = $ENV{HIBOB_TEST_TRIES} // 3;
my $PROMISE = 50 * $SLOWNESS;
my $LATEST = 500 * $SLOWNESS;
my $PEOPLE = 500;

# ------------------------------------------------------------------------
# A server that sends faster than any reader reads, without end
# ------------------------------------------------------------------------

sub read_request
{
	my ($client) = @_;
	my ($path, $length, $body);

	while (defined(my $line = <$client>))
	{
		$path = $1 if $line =~ m{^\w+ (\S+) HTTP};
		$length = $1 if $line =~ /^Content-Length: (\d+)/i;
		last if $line =~ /^\r?\n$/;
	}
	read $client, $body, $length if $length;
	return $path;
}

# Sends the same block of bytes until the reader disconnects.
sub pour
{
	my ($client, $type, $begin, $block) = @_;
	my $many = $block x (1 + int((1 << 18) / length $block));

	print { $client } "HTTP/1.1 200 OK\r\nContent-Type: $type\r\n"
	  . "Transfer-Encoding: chunked\r\n\r\n"
	  . sprintf("%x\r\n%s\r\n", length $begin, $begin) or return;
	my $chunk = sprintf("%x\r\n%s\r\n", length $many, $many);
	1 while print { $client } $chunk;
	return;
}

# Sends page after page, each with a different cursor.
sub pour_pages
{
	my ($client) = @_;
	my $rows = join ',', map { qq({"employeeId":"$_","values":[{"id":$_}]}) } 1 .. 200;

	for (my $n = 1;; $n++)
	{
		my $body = qq({"results":[$rows],"response_metadata":{"next_cursor":"c$n"}});

		print { $client } "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
		  . 'Content-Length: ' . length($body) . "\r\n\r\n$body" or return;
		defined read_request($client) or return;
	}
}

sub answer_fast
{
	my ($client) = @_;
	my $path = read_request($client) // return;
	my $value = qq({"id":"1","root":{"id":"1","email":"a\@b"},"work":{"title":"x"}},);

	$client->autoflush(1);
	return pour_pages($client) if $path =~ /bulk/;
	return pour($client, 'text/csv', "ID,Name\r\n", "1,somebody\r\n")
	  if $path =~ /reports/;
	return pour($client, 'application/json', '{"employees":[', $value);
}

# A separate process serves each reader.
sub fast_server
{
	my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
		Proto => 'tcp', Listen => 100) or die "listen: $!";

	serve($listener, \&answer_fast) for 1 .. 8;
	return 'http://127.0.0.1:' . $listener->sockport;
}

# ------------------------------------------------------------------------
# Servers
# ------------------------------------------------------------------------

my @sockets;
my $dir = PostgreSQL::Test::Utils::tempdir;
my $sim = start_simulator(employees => $PEOPLE);
my $library = preload_resolver($dir);
my %url = (small => $sim, fast => fast_server(), resolve => 'https://slow.test',
	deaf => 'http://127.0.0.1:' . deaf_port(\@sockets),
	silent => 'https://127.0.0.1:' . silent_port(\@sockets));

sub create_cluster
{
	my ($name) = @_;
	my $node;
	{
		local $ENV{LD_PRELOAD} = $library;
		$node = new_cluster($name, "jit = off\n");
	}
	foreach my $server (sort keys %url)
	{
		add_server($node, $server, $url{$server}, q{connect_timeout '5min',
			read_timeout '5min', max_rate_limit_wait '10min', max_retries '10',
			fdw_startup_cost '1', fdw_tuple_cost '10'});
		query($node, qq{
			CREATE FOREIGN TABLE $server.work (employee_id text, id bigint)
				SERVER $server OPTIONS (resource 'work_history');
			CREATE FOREIGN TABLE $server.training (employee_id text, id bigint)
				SERVER $server OPTIONS (resource 'training');
			CREATE FOREIGN TABLE $server.report (id text OPTIONS (field 'ID'))
				SERVER $server OPTIONS (resource 'report', report_id '71001');
			CREATE FOREIGN TABLE $server.later (id text OPTIONS (field 'ID'))
				SERVER $server OPTIONS (resource 'report', report_id '71001',
					report_async 'true');
		});
	}
	query($node, q{
		IMPORT FOREIGN SCHEMA hibob LIMIT TO (time_off_policies, attendance,
			candidates) FROM SERVER small INTO small;
		CREATE FOREIGN TABLE small.certifications (employee_id text, id bigint)
			SERVER small OPTIONS (resource 'custom_table',
				table_id 'root__table_1791380280851');
	});
	query($node, q{
		CREATE TABLE few AS SELECT (3332883884017713238 + 37 * n)::text AS id
		  FROM generate_series(1, 12) AS n;
		ANALYZE few;
		CREATE MATERIALIZED VIEW roster AS SELECT id, email FROM small.people;
		CREATE UNIQUE INDEX ON roster (id);
		CREATE FUNCTION await(victim int, waits bool) RETURNS bool LANGUAGE plpgsql AS $$
		DECLARE
			started timestamptz := clock_timestamp();
		BEGIN
			WHILE clock_timestamp() < started + interval '1 minute' LOOP
				PERFORM pg_stat_clear_snapshot();
				IF EXISTS (SELECT FROM pg_stat_activity WHERE pid = victim
						AND state = 'active' AND (NOT waits
							OR wait_event_type = 'Extension' OR wait_event = 'AppendReady')) THEN
					RETURN true;
				END IF;
				PERFORM pg_sleep(0.002);
			END LOOP;
			RETURN false;
		END $$;
	});
	create_cancel_functions($node);
	return $node;
}

my $node = create_cluster('cancel');

# ------------------------------------------------------------------------
# The phases
# ------------------------------------------------------------------------

# Each phase has a name, a query, and a fault or settings of the simulator.  In a
# "fast" phase the session never waits.
my @phases;

sub phase
{
	my ($name, $sql, %more) = @_;
	push @phases, { name => $name, sql => $sql, %more };
	return;
}

my $COUNT = 'SELECT count(email) FROM %s.people;';
my %STALL = (stall => { seconds => 300 });
my %AMID = (stall => { seconds => 300, after => 20000 });

phase('resolving', sprintf($COUNT, 'resolve'));
phase('connecting', sprintf($COUNT, 'deaf'));
phase('TLS handshake', sprintf($COUNT, 'silent'));
phase('before the headers', sprintf($COUNT, 'small'), fault => {%STALL});
phase('in the headers', sprintf($COUNT, 'small'),
	fault => { head => { after => 30, then => 'stall' } });
phase('in the body', sprintf($COUNT, 'small'), fault => {%AMID});
phase('dripping body', sprintf($COUNT, 'small'),
	fault => { drip => { bytes => 10, ms => 5 } });
phase('before the last chunk', sprintf($COUNT, 'small'), fault =>
	  { framing => 'chunked', stall => { seconds => 60, after => 1 << 30 } });
phase('between pages', 'SELECT count(*) FROM small.work;', fault => { skip => 1, %STALL });
phase('parameterized scan', 'SET enable_hashjoin = off; SET enable_mergejoin = off;
	SELECT count(email) FROM few JOIN small.people USING (id);',
	fault => { skip => 1, %STALL });
phase('parallel requests', 'SELECT count(*) FROM small.training WHERE employee_id = ANY
	((SELECT array_agg(id) FROM few)::text[]);', fault => { skip => 5, %STALL });
phase('custom table in bulk', 'SELECT count(*) FROM small.certifications;',
	fault => { skip => 1, %STALL });
phase('custom table by employee', 'SELECT count(*) FROM small.certifications;',
	config => { bulk_custom_tables => '404' }, fault => { skip => 6, %STALL });
phase('values that HiBob lists', 'SELECT count(*) FROM small.time_off_policies;',
	fault => { skip => 9, %STALL });
phase('ranges of days', q{SELECT count(*) FROM small.attendance
	WHERE day BETWEEN '2026-08-01' AND '2026-11-01';}, fault => { skip => 3, %STALL });
phase('search for items', 'SELECT count(*) FROM small.candidates;',
	fault => { skip => 1, %STALL });
phase('Append', join(' UNION ALL ', ('(SELECT id, email FROM small.people)') x 3) . ';',
	fault => {%AMID});
phase('asynchronous report', 'SELECT count(*) FROM small.later;',
	config => { report_polls => 100000 });
phase('back-off', sprintf($COUNT, 'small'), fault => { status => 503, body => '' });
phase('an error whose body stalls', sprintf($COUNT, 'small'),
	fault => { status => 503, body => 'x' x 9000, stall => { seconds => 60, after => 10 } });
phase('rate limit', sprintf($COUNT, 'small'), fault => { rate_limited => { reset_in => 60 } });
phase('refresh', 'REFRESH MATERIALIZED VIEW CONCURRENTLY roster;', fault => {%AMID});
phase('a cursor', 'BEGIN; DECLARE c CURSOR FOR SELECT id FROM small.people;
	FETCH ALL FROM c; ROLLBACK;', fault => {%AMID});
phase('ANALYZE', 'ANALYZE small.people;', fault => {%AMID});
phase('IMPORT', 'BEGIN; CREATE SCHEMA other;
	IMPORT FOREIGN SCHEMA hibob FROM SERVER small INTO other; ROLLBACK;', fault => {%STALL});
phase('status', q{SELECT status FROM hibob_fdw_status('small');}, fault => {%STALL});
phase('reading fast rows', sprintf($COUNT, 'fast'), fast => 1);
phase('reading fast pages', 'SELECT count(*) FROM fast.work;', fast => 1);
phase('reading a fast report', 'SELECT count(id) FROM fast.report;', fast => 1);
phase('sorting fast rows', 'SELECT id FROM fast.people ORDER BY random() LIMIT 3;',
	fast => 1);

my %WORDS = (cancel => qr/canceling statement due to user request/,
	terminate => qr/terminating connection due to administrator command/);
my $observer = HibobSession->new($node);
my $victim = HibobSession->new($node);

# Starts the query of a phase.  Returns whether the session reached the phase.
sub begin
{
	my ($phase, $session) = @_;

	# The session forgets what it knows of the rate limit.
	query($node, q{ALTER SERVER small OPTIONS (SET max_retries '10')})
	  if $phase->{fault}{rate_limited};
	tell($sim, 'reset');
	tell($sim, 'config', $phase->{config}) if $phase->{config};
	tell($sim, 'fault', { endpoint => '*', times => undef, %{ $phase->{fault} } })
	  if $phase->{fault};
	$session->send($phase->{sql});
	my $pid = $session->backend;
	my $waits = $phase->{fast} ? 'false' : 'true';
	my ($there) = $observer->run("SELECT await($pid, $waits);");
	sleep $phase->{fast} ? 0.05 + rand 0.1 : rand 0.06;
	return $there eq 't';
}

# One try: how long it took, and what went wrong.
sub end_query
{
	my ($phase, $session, $how) = @_;
	my $pid = $session->backend;
	my $there = begin($phase, $session);
	my ($took) = $observer->run("SELECT milliseconds_to_end($pid, '$how');");
	my ($out, $err, $trouble) = $session->receive;

	return ($took, 'it did not begin') unless $there;
	return ($took, "session $trouble")
	  if defined $trouble && !($trouble eq 'gone' && $how eq 'terminate');
	return ($took, $err =~ $WORDS{$how} ? undef : "unexpected: $out $err");
}

my @table;

sub check_phase
{
	my ($phase, $how) = @_;
	my $name = "$phase->{name}, $how";
	my @wrong;
	my @times = check_prompt($name,
		tries => $how eq 'cancel' ? $TRIES : 1,
		median => $how eq 'cancel' ? $PROMISE : $LATEST,
		latest => $LATEST,
		reference => sub { return reference_cancel($node, $phase->{fast}) },
		try => sub {
			my $session = $how eq 'cancel' ? $victim : HibobSession->new($node);
			my ($took, $wrong) = end_query($phase, $session, $how);

			push @wrong, $wrong if defined $wrong;
			return $took;
		});

	is_deeply(\@wrong, [], "$name: the right error");
	push @table, { phase => $name, tries => scalar @times, map {
			$_->[0] => sprintf '%.1f', percentile($_->[1], @times)
	} [ median => 50 ], [ 'p99' => 99 ], [ latest => 100 ] };
	return;
}

# Runs a query with a statement_timeout.  Returns for how many milliseconds it
# continued after that, and the output and errors.
sub time_out
{
	my ($sql) = @_;
	my $started = time;

	$victim->send("SET statement_timeout = '150ms';\n$sql\nROLLBACK;");
	my ($out, $err) = $victim->receive;
	my $took = 1000 * (time - $started) - 150;
	$victim->run('SET statement_timeout = 0;') for 1 .. 2;
	return ($took, $out, $err);
}

my $only = $ENV{HIBOB_TEST_PHASE} // '.';
foreach my $phase (grep { $_->{name} =~ /$only/ } @phases)
{
	check_phase($phase, 'cancel');
	tell($sim, 'reset');
	query($node, q{ALTER SERVER small OPTIONS (SET max_retries '10')});
	my ($out, $err, $trouble) = $victim->run(sprintf($COUNT, 'small'));
	is($out . $err, '496', "$phase->{name}: the session continues");

	# The same with statement_timeout.
	my $sql = $phase->{sql};
	tell($sim, 'config', $phase->{config}) if $phase->{config};
	tell($sim, 'fault', { endpoint => '*', times => undef, %{ $phase->{fault} } })
	  if $phase->{fault};
	my @states;
	check_prompt("$phase->{name}, statement_timeout", tries => 1,
		median => $LATEST, latest => $LATEST,
		reference => sub { return (time_out('SELECT pg_sleep(60);'))[0] },
		try => sub {
			my ($took, @output) = time_out($sql);

			push @states, (states($output[1]))[0] // "@output";
			return $took;
		});
	is_deeply([ grep { $_ ne '57014' } @states ], [],
		"$phase->{name}: statement_timeout");
}
tell($sim, 'reset');
check_phase($_, 'terminate')
  foreach grep { $_->{name} =~ /$only/ && $_->{name} !~ /^(?:ANALYZE|IMPORT|refresh)/ }
  @phases;
report('cancel', [qw(phase tries median p99 latest)], @table);

# ------------------------------------------------------------------------
# Shutdown: no backend waits for HiBob, and none survives the postmaster
# ------------------------------------------------------------------------

# Sessions of a cluster, each in a different phase.
my @OF_SHUTDOWN = grep { $_->{name} =~ /^(?:resolving|connecting|TLS|reading)/ }
  @phases;
push @OF_SHUTDOWN, { name => 'in the body', sql => sprintf($COUNT, 'small') },
  { name => 'Append', sql => join(' UNION ALL ', ('(SELECT id FROM small.people)') x 2) . ';' };

sub busy_sessions
{
	my ($of) = @_;
	my @sessions;

	tell($sim, 'reset');
	tell($sim, 'fault', { endpoint => '*', times => undef, %AMID });
	foreach my $phase (@OF_SHUTDOWN)
	{
		my $session = HibobSession->new($of);

		$session->send($phase->{sql});
		push @sessions, [ $phase->{name}, $session ];
	}
	sleep 0.5;
	return @sessions;
}

# The sessions whose backends still exist after some seconds.
sub left_of
{
	my ($seconds, @sessions) = @_;
	my $end = time + $seconds;
	my @left = @sessions;

	while (@left && time < $end)
	{
		@left = grep { kill 0, $_->[1]->backend } @left;
		sleep 0.02;
	}
	return map { $_->[0] } @left;
}

$_->finish foreach $observer, $victim;
my @sessions = busy_sessions($node);
is(scalar(left_of(0.1, @sessions)), scalar @OF_SHUTDOWN, 'active sessions');
my $started = time;
$node->stop('fast');
my $took = time - $started;
note sprintf 'pg_ctl stop -m fast: %.2f s', $took;
cmp_ok($took, '<', 45 * $SLOWNESS, 'fast shutdown');
$_->[1]->finish foreach @sessions;

$node->start;
@sessions = busy_sessions($node);
is(scalar(left_of(0.1, @sessions)), scalar @OF_SHUTDOWN,
	'active sessions after a restart');
$started = time;
$node->kill9;
is_deeply([ left_of(30, @sessions) ], [], 'no backend survives the postmaster');
$took = time - $started;
note sprintf 'all backends ended %.2f s after kill -9 of the postmaster', $took;
$_->[1]->finish foreach @sessions;

done_testing();
