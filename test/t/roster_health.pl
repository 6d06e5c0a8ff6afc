# hibob_roster.health and hibob_roster.refresh_log, and schedules of refreshes.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use RosterTest;
use PostgreSQL::Test::Utils;
use Test::More;

my ($node, $sim) = roster_cluster('roster_health', employees => 40);
my $has_cron = -e `pg_config --pkglibdir` =~ s/\n//r . '/pg_cron.so';

# --- health ------------------------------------------------------------------

sub health
{
	my ($columns) = @_;
	return query($node, "SELECT $columns FROM hibob_roster.health WHERE mirror = 'hr.roster'::regclass");
}

query($node, q{SELECT hibob_roster.create_roster('bob')});
is(health('mirror, status, last_success = last_attempt, rows, message, hint'), 'hr.roster|healthy|t|40||', 'a new roster is healthy');
is(query($node, q{SELECT string_agg(attname || ' ' || atttypid::regtype, ', ' ORDER BY attnum) FROM pg_attribute
	WHERE attrelid = 'hibob_roster.health'::regclass AND attnum > 0}),
	'mirror regclass, status text, last_success timestamp with time zone, last_attempt timestamp with time zone, '
	  . 'rows bigint, message text, hint text', '... health has these columns');
is(query($node, q{SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute
	WHERE attrelid = 'hibob_roster.refresh_log'::regclass AND attnum > 0}), 'mirror, started_at, finished_at, outcome, '
	  . 'rows, added, changed, removed, returned, sqlstate, message, hint', '... and the log these');
is(last_entry($node, 'hr.roster', 'outcome, rows, added, changed, removed, returned, sqlstate, message, hint'),
	'success|40|40|0|0|0|||', 'the log has an entry of the first refresh');

tell($sim, 'config', { token => 'regenerated' });
my ($state, $message) = refresh($node, 'hr.roster');
is($state, '28000', 'a refresh that fails');
is(health('status, last_success < last_attempt, rows'), 'failing|t|40', '... health is failing');
my ($text) = $message =~ /ERROR:  28000: (.*)/;
my ($hint) = $message =~ /HINT:  (.*)/;
is(health('message'), $text, '... with its message');
is(health('hint'), $hint, '... and its hint');
is(last_entry($node, 'hr.roster', 'outcome, rows, sqlstate, message, started_at < finished_at'),
	"failed||28000|$text|t", '... the log has the same');
unlike($text . $hint, qr/\Q$TOKEN\E/, '... without the token');

tell($sim, 'reset');
hide($sim, 1 .. 20);
refresh($node, 'hr.roster');
is(health(q{status, rows, message ~ '20 of 40 rows', hint ~ 'force'}), 'refused|40|t|t', 'a refused refresh: health is refused');
refresh($node, 'hr.roster', 1);
is(health('status, rows, message, hint'), 'healthy|20||', '... and healthy after an accepted one');
query($node, q{UPDATE hibob_roster.refresh_log SET started_at = started_at - interval '27 hours',
	finished_at = finished_at - interval '27 hours'});
is(health(q{status, message, hint ~ 'schedule'}), 'late|the last refresh is older than 26:00:00|t', 'an old refresh: health is late');
query($node, q{UPDATE hibob_roster.mirrors SET max_age = '2 days'});
is(health('status'), 'healthy', '... unless max_age allows it');
query($node, q{CREATE TEMP TABLE entry AS TABLE hibob_roster.refresh_log;
	INSERT INTO hibob_roster.refresh_log SELECT mirror, started_at + '1 year', finished_at + '1 year', outcome, rows
	  FROM entry WHERE outcome = 'success' LIMIT 1});
is(health(q{status, last_attempt < now()}), 'healthy|t', '... and an entry in the future does not count');
tell($sim, 'config', { token => 'regenerated' });
refresh($node, 'hr.roster');
is(health('status'), 'failing', '... else it would hide a failure');
tell($sim, 'reset');
query($node, q{DELETE FROM hibob_roster.refresh_log WHERE finished_at > now()});
refresh($node, 'hr.roster', 1);
query($node, q{UPDATE hibob_roster.mirrors SET max_age = '1 hour'; UPDATE hibob_roster.refresh_log
	SET finished_at = finished_at - interval '2 hours'});
is(health('status'), 'late', 'max_age is exceeded: health is late');
refresh($node, 'hr.roster');
is(health('status'), 'healthy', '... until the next refresh');
query($node, q{UPDATE hibob_roster.mirrors SET max_age = '26 hours'; DELETE FROM hibob_roster.refresh_log});
is(health(q{status, last_success IS NULL, rows IS NULL, hint ~ 'refresh'}), 'never refreshed|t|t|t', 'without a log: health is never refreshed');
tell($sim, 'config', { token => 'regenerated' });
refresh($node, 'hr.roster');
is(health('status, last_success IS NULL'), 'failing|t', '... and failing after a failure');
tell($sim, 'reset');

# A row that was removed manually, and from HiBob, although the log has a future entry with as many rows.
query($node, q{INSERT INTO hibob_roster.refresh_log SELECT mirror, now() + '1 year', now() + '1 year', 'success', 39
	FROM hibob_roster.mirrors});
refresh($node, 'hr.roster', 1);
query($node, q{DELETE FROM hr.roster WHERE employee_number = 30});
hide($sim, 30);
refresh($node, 'hr.roster');
is(query($node, q{SELECT count(*) FROM hr.roster_history WHERE employee_number = 30 AND change = 'removed'}), 1,
	'a future entry in the log does not hide a row that was removed manually');
query($node, q{DELETE FROM hibob_roster.refresh_log WHERE finished_at > now()});
tell($sim, 'reset');
refresh($node, 'hr.roster');

# The view would fail for all mirrors if an age could not be subtracted from a time.
foreach my $age ('max_age', 'keep_history')
{
	is((query_error($node, "UPDATE hibob_roster.mirrors SET $age = '100000 years'"))[0], '23514',
		"a $age of 100,000 years is an error");
}

# A monitor subtracts the time of the last success from now.
is((query_error($node, q{INSERT INTO hibob_roster.refresh_log (mirror, started_at, finished_at, outcome)
	VALUES ('hr.roster', '-infinity', '-infinity', 'success')}))[0], '23514',
	'an infinite time in the log is an error');

# --- the schedule ------------------------------------------------------------

($state, $message) = query_error($node, q{SELECT hibob_roster.schedule('15 4 * * *')});
is($state, '0A000', 'schedule() without pg_cron is an error');
like($message, qr/HINT: .*CREATE EXTENSION pg_cron.*systemd-run .*--on-calendar='\*-\*-\* 04:15:00' psql -X -d postgres -c 'CALL hibob_roster\.refresh\(\)'/,
	'... the hint has a systemd timer');
like((query_error($node, q{SELECT hibob_roster.schedule('@daily')}))[1], qr/--on-calendar='\*-\*-\* 04:15:00'/,
	'... for any schedule');
is((query_error($node, 'SELECT hibob_roster.unschedule()'))[0], '0A000', 'unschedule() without pg_cron is an error');

# The timer runs psql, and systemd checks its exit status.
my @psql = ('psql', '-X', '-d', $node->connstr('postgres'), '-c', 'CALL hibob_roster.refresh()');
$node->command_ok(\@psql, 'the timer\'s command succeeds');
is(health('status'), 'healthy', '... refreshes');
tell($sim, 'config', { token => 'regenerated' });
$node->command_fails_like(\@psql, qr/ERROR:.*credentials.*HINT: /s, '... and fails when the refresh fails');
tell($sim, 'reset');

SKIP:
{
	skip 'no pg_cron', 1 unless $has_cron;
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_cron'
		cron.database_name = 'postgres'
		cron.use_background_workers = on");
	$node->restart;
	query($node, q{CREATE EXTENSION pg_cron; CREATE ROLE hr_admin; GRANT USAGE ON SCHEMA cron TO hr_admin});
	# At a time that does not come.
	like(query($node, q{SELECT hibob_roster.schedule('15 4 31 2 *')}), qr/^\d+$/, 'schedule() with pg_cron');
	is(query($node, q{SELECT jobname, schedule, command, username FROM cron.job}),
		'hibob_roster|15 4 31 2 *|CALL hibob_roster.refresh()|' . query($node, 'SELECT current_user'), '... creates a job');
	query($node, q{SELECT hibob_roster.schedule('30 5 31 2 *')});
	is(query($node, q{SELECT count(*), min(schedule) FROM cron.job}), '1|30 5 31 2 *', '... a second call replaces it');
	is(query($node, q{SET ROLE hr_admin; SELECT hibob_roster.schedule('0 1 31 2 *') > 0; SELECT hibob_roster.unschedule();
		SELECT hibob_roster.unschedule()}), "t\nt\nf", '... and another role has its own job');
	isnt((query_error($node, q{SELECT hibob_roster.schedule('whenever')}))[0], '', 'an invalid schedule is an error');

	# pg_cron runs a job of this schedule once, as soon as the server has started.
	query($node, q{DELETE FROM hibob_roster.refresh_log});
	query($node, q{SELECT hibob_roster.schedule('@reboot')});
	$node->restart;
	ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM cron.job_run_details
		WHERE end_time IS NOT NULL}), 'pg_cron runs it');
	is(query($node, q{SELECT status FROM cron.job_run_details}), 'succeeded', '... which succeeds');
	is(health('status, rows'), 'healthy|40', '... health shows it');
	tell($sim, 'config', { token => 'regenerated' });
	$node->restart;
	ok($node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM cron.job_run_details
		WHERE end_time IS NOT NULL}), 'it runs again');
	is(query($node, q{SELECT status FROM cron.job_run_details ORDER BY runid DESC LIMIT 1}), 'failed', '... and fails');
	is(health('status'), 'failing', '... health shows it, too');
	is(query($node, q{SELECT hibob_roster.unschedule(); SELECT count(*) FROM cron.job}), "t\n0", 'unschedule()');
}

$node->stop;
done_testing();
