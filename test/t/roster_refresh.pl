# CALL hibob_roster.refresh(): its requests, what it writes, failures, and
# transactions.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use HibobTest qw(session states employee_id hibob stats wait_for_stalled wait_until);
use CancelTest;
use HibobSession;
use RosterTest;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my ($node, $sim) = roster_cluster('roster_refresh');

query($node, q{CREATE SCHEMA hr;
	IMPORT FOREIGN SCHEMA hibob LIMIT TO (people, named_lists) FROM SERVER bob INTO hr});
requests($sim);
query($node, q{SELECT hibob_roster.create_mirror('hr.people', 'roster',
		columns => ARRAY['id', 'full_name', 'email', 'site', 'employee_number',
			'languages', 'laptop_price', 'time_in_role'])});

# --- requests ----------------------------------------------------------------

sub requested_fields
{
	my @seen = requests($sim);

	is(join(' ', map { $_->{endpoint} } @seen), '/people/search', '... one search');
	return join ' ', sort @{ $seen[0]{body}{fields} };
}

my $fields = join ' ', sort qw(root.id root.fullName root.email work.site
	work.employeeIdInCompany work.custom.field_1700000000002
	custom.category_1726078147147.field_1730210998068
	work.custom.field_1700000000014);
is(requested_fields(), $fields, 'create_mirror() requests the columns of the mirror');
is((refresh($node, 'hr.roster'))[0], '', 'a refresh');
is(requested_fields(), $fields, '... requests the same columns');
query($node, q{ALTER TABLE hr.roster ADD COLUMN job_title text,
	DROP COLUMN laptop_price});
is((refresh($node, 'hr.roster'))[0], '', 'a refresh with one column added and one dropped');
is(requested_fields(), join(' ', sort grep({ !/8068$/ } split / /, $fields), 'work.title'),
	'... requests the current columns');
is(query($node, q{SELECT count(job_title) > 50 FROM hr.roster}), 't', '... and fills the new one');

# --- the rows that are written -----------------------------------------------

my $ROWS = 'SELECT employee_number, xmin, ctid FROM hr.roster ORDER BY 1';
my ($id1, $id2, $id5) = map { employee_id($_) } 1, 2, 5;

sub rows_by_number
{
	return map { my ($n, @rest) = split /\|/; ($n => "@rest") }
	  split /\n/, query($node, $ROWS);
}

# The numbers of the employees whose rows have been written since.
sub written
{
	my ($before) = @_;
	my %now = rows_by_number();
	my %numbers = map { $_ => 1 } keys %now, keys %$before;

	return join ' ', sort { $a <=> $b }
	  grep { ($now{$_} // '') ne ($before->{$_} // '') } keys %numbers;
}

my %before = rows_by_number();
my $wal = query($node, 'SELECT pg_current_wal_insert_lsn()');
# One session, since the counts of another one arrive when it ends.
my $CATALOG = q{SELECT pg_stat_force_next_flush(); SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)
	FROM pg_stat_sys_tables WHERE schemaname = 'pg_catalog';};
my $counting = HibobSession->new($node);
wait_until('end of other sessions', sub { return query($node, q{SELECT count(*) FROM pg_stat_activity
	WHERE backend_type = 'client backend'}) == 2 });
my ($catalog) = $counting->run($CATALOG);
$counting->run(q{CALL hibob_roster.refresh('hr.roster');});
my ($catalog_then) = $counting->run($CATALOG);
$counting->finish;
is(last_entry($node, 'hr.roster', q{concat_ws(' ', outcome, added, changed, removed, returned)}),
	'success 0 0 0 0', 'a refresh without changes');
is(written(\%before), '', '... writes nothing');
is($catalog_then, $catalog, '... nor a catalog');

tell($sim, 'config', { overrides => { 7 => { 'work.site' => 'Mars' },
			8 => { 'work.site' => undef },
			9 => { 'work.custom.field_1700000000002' => undef } },
		hidden_employees => [ 20, 21 ] });
is(outcome($node, 'hr.roster'), 'success 0 added 3 changed 2 removed 0 returned',
	'three people change, two leave');
is(written(\%before), '7 8 9 20 21', '... and only they are written');
is(query($node, 'SELECT site FROM hr.roster WHERE employee_number = 7'), 'Mars',
	'... with the values from HiBob');
%before = rows_by_number();
tell($sim, 'config', { overrides => {}, hidden_employees => [] });
is(outcome($node, 'hr.roster'), 'success 0 added 3 changed 0 removed 2 returned',
	'they change back, and the two return');
is(written(\%before), '7 8 9 20 21', '... and only they are written');
is(query($node, q{SELECT change FROM hr.roster_history JOIN hr.people USING (id)
	WHERE people.employee_number = 20 ORDER BY valid_from}),
	"added\nremoved\nreturned", '... the history has every version');
is(query($node, q{SELECT count(*) FROM hr.roster_history WHERE valid_to IS NULL}),
	60, '... and one current version of each person');
tell($sim, 'config', { employees => 62 });
like(outcome($node, 'hr.roster'), qr/^success 2 added \d+ changed 0 removed 0 returned$/,
	'two people join');
tell($sim, 'reset');
hide($sim, 61, 62);
outcome($node, 'hr.roster');

# A mirror without history whose only column is the key.
query($node, q{SELECT hibob_roster.create_mirror('hr.people', 'ids', ARRAY['id'],
	ARRAY['id'], history => false)});
hide($sim, 3);
is(outcome($node, 'hr.ids'), 'success 0 added 0 changed 1 removed 0 returned',
	'a mirror with only a key and without history');
hide($sim);
is(outcome($node, 'hr.ids'), 'success 1 added 0 changed 0 removed 0 returned',
	'... a returning row counts as added');
is(query($node, q{SELECT to_regclass('hr.ids_history') IS NULL}), 't', '... and there is no history table');
query($node, q{SELECT hibob_roster.drop_mirror('hr.ids')});
outcome($node, 'hr.roster');

# Manual changes of the mirror.
query($node, q{UPDATE hr.roster SET site = 'Nowhere' WHERE employee_number = 30;
	INSERT INTO hr.roster (id, full_name) VALUES ('0', 'Nobody')});
is(outcome($node, 'hr.roster'), 'success 0 added 1 changed 1 removed 0 returned',
	'a refresh undoes manual changes');
is(query($node, q{SELECT count(*) FROM hr.roster_history
	WHERE id = '0' OR site = 'Nowhere'}), 0, '... and leave no trace in the history');

# Triggers of the owner.
query($node, q{
	CREATE TABLE off_boarding (id text, email text);
	CREATE FUNCTION off_board() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO public.off_boarding VALUES (NEW.id, NEW.email);
		RETURN NULL;
	END $$;
	CREATE TRIGGER off_board AFTER INSERT ON hr.roster_history FOR EACH ROW
		WHEN (NEW.change = 'removed') EXECUTE FUNCTION off_board();
});
hide($sim, 25);
outcome($node, 'hr.roster');
is(query($node, 'SELECT email FROM off_boarding'), 'olden.days25@example.com',
	'a trigger on the history gets the row of a removed person');
hide($sim);
outcome($node, 'hr.roster');

# --- notifications -----------------------------------------------------------

tell($sim, 'config', { overrides => { 7 => { 'work.site' => 'Mars' } } });
my ($out, $err) = session($node, q{LISTEN hibob_roster;
	CALL hibob_roster.refresh('hr.roster'); SELECT 1});
my @payloads = $out =~ /Asynchronous notification "hibob_roster" with payload "(.*?)" received/g;
is(scalar @payloads, 1, 'a refresh sends one notification');
is_deeply(decode_json($payloads[0]), { mirror => 'hr.roster', rows => 60, added => 0,
		changed => 1, removed => 0, returned => 0 }, '... with the counts');
tell($sim, 'reset');

# --- duplicate and null keys -------------------------------------------------

my $response = decode_json(hibob($sim, '/people/search',
	{ fields => [ split / /, $fields ], showInactive => JSON::PP::true }));
my @employees = @{ $response->{employees} };

sub respond_with
{
	my (@list) = @_;
	tell($sim, 'fault', { endpoint => '/people/search', json => { employees => \@list } });
	return;
}

# A refresh fails with this SQLSTATE and message, and writes only the log.
sub bad_response
{
	my ($name, $expected, $pattern) = @_;
	my $content = query($node, "$ROWS; SELECT count(*) FROM hr.roster_history");
	my ($state, $message) = refresh($node, 'hr.roster');

	is($state, $expected, "$name: $expected");
	like($message, $pattern, '... with an error message');
	like($message, qr/HINT: /, '... and a hint');
	is(query($node, "$ROWS; SELECT count(*) FROM hr.roster_history"), $content,
		'... writes nothing');
	is(last_entry($node, 'hr.roster', 'outcome, sqlstate'), "failed|$expected",
		'... except an entry of the log');
	return;
}

outcome($node, 'hr.roster');
respond_with(@employees, $employees[4]);
bad_response('a response with an employee twice', '23505',
	qr/several rows with the same key: \(id\) = \($id5\)/);
my $other = { %{ $employees[4] }, '/root/fullName' => { value => 'Another' },
	fullName => 'Another' };
respond_with(@employees, $other);
bad_response('an employee twice, with other values', '23505', qr/\($id5\)/);
respond_with(@employees, ({ '/root/id' => { value => '1' }, id => '1' }) x 2);
bad_response('a new employee twice', '23505', qr/\(id\) = \(1\)/);
respond_with(@employees[ 0 .. 55 ], @employees[ 0 .. 1 ]);
bad_response('two employees twice, and others missing', '23505',
	qr/\($id1\), \($id2\)|\($id2\), \($id1\)/);
my %nameless = %{ $employees[0] };
delete @nameless{ 'id', '/root/id' };
respond_with(@employees[ 1 .. $#employees ], { %nameless, '/root/id' => { value => undef } });
bad_response('an employee without an id', '23502', qr/1 rows with a null key \(id\)/);
respond_with(@employees, ({ '/root/id' => { value => undef } }) x 2);
bad_response('two employees with no values at all', '23502', qr/2 rows with a null key/);

# --- failures ----------------------------------------------------------------

my $people = query($node, 'SELECT * FROM hr.roster ORDER BY id');
tell($sim, 'fault', { endpoint => '/people/search', times => undef,
		truncate => { after => 3000, framing => 'length' } });
bad_response('an interrupted response', '08006', qr/incomplete|could not receive|closed|ended/i);
tell($sim, 'reset');
tell($sim, 'fault', { endpoint => '/people/search', times => undef, reset => 5000 });
bad_response('a lost connection', '08006', qr/./);
tell($sim, 'reset');
tell($sim, 'config', { token => 'regenerated' });
bad_response('an invalid token', '28000', qr/HINT: .*token/);
tell($sim, 'reset');
query($node, q{ALTER SERVER bob OPTIONS (ADD max_rate_limit_wait '0')});
tell($sim, 'fault', { endpoint => '/people/search', times => undef,
		rate_limited => { reset_in => 30 } });
bad_response('an exhausted rate limit', '53400', qr/HINT: /);
query($node, q{ALTER SERVER bob OPTIONS (DROP max_rate_limit_wait)});
tell($sim, 'reset');
query($node, q{ALTER TABLE hr.roster ALTER site TYPE date USING NULL::date});
my ($state, $message) = refresh($node, 'hr.roster');
is($state, '22007', 'a value that does not fit its column');
is(last_entry($node, 'hr.roster', 'outcome, sqlstate'), 'failed|22007', '... is logged');
query($node, q{ALTER TABLE hr.roster ALTER site TYPE text USING NULL});
unlike($message, qr/WITH source/, '... and the error does not have the statement');
query($node, q{CREATE FOREIGN TABLE hr.misfit (id text NOT NULL, email text)
	SERVER bob OPTIONS (resource 'people');
	SELECT hibob_roster.create_mirror('hr.misfit', 'fit');
	ALTER FOREIGN TABLE hr.misfit ALTER email TYPE integer});
($state, $message) = refresh($node, 'hr.fit');
is($state, '22P02', 'a value that does not fit the source');
like($message, qr/DETAIL:  In column "email" of foreign table "hr.misfit", field "root.email", employee $id1\./,
	'... names the column and the employee');
query($node, q{SELECT hibob_roster.drop_mirror('hr.fit')});
outcome($node, 'hr.roster', 1);

# HiBob's values violate a constraint: the error does not contain the row.
query($node, q{ALTER TABLE hr.roster ADD CHECK (site <> 'Mars') NOT VALID, ALTER site SET NOT NULL});
tell($sim, 'config', { overrides => { 7 => { 'work.site' => 'Mars' } } });
($state, $message) = refresh($node, 'hr.roster');
is($state, '23514', 'a constraint that is violated');
tell($sim, 'config', { overrides => { 7 => { 'work.site' => undef } } });
my ($null_state, $null_message) = refresh($node, 'hr.roster');
is($null_state, '23502', '... NOT NULL');
unlike($message . $null_message, qr/Failing row|lena\.gone/i, '... the errors do not contain the row');
like($message, qr/HINT: .*constraint of mirror hr\.roster/, '... with a hint');
query($node, q{ALTER TABLE hr.roster DROP CONSTRAINT roster_site_check, ALTER site DROP NOT NULL});
tell($sim, 'reset');
outcome($node, 'hr.roster');

# WHEN OTHERS does not catch a failed assertion, for example in a trigger.
query($node, q{CREATE FUNCTION assert_failure() RETURNS trigger LANGUAGE plpgsql AS
	$$ BEGIN ASSERT false, 'never'; END $$;
	UPDATE hr.roster SET site = 'x';
	CREATE TRIGGER never BEFORE UPDATE ON hr.roster FOR EACH ROW EXECUTE FUNCTION assert_failure()});
is((refresh($node, 'hr.roster'))[0], 'P0004', 'a failed assertion');
is(last_entry($node, 'hr.roster', 'outcome, sqlstate, message'), 'failed|P0004|never', '... is logged');
query($node, 'DROP FUNCTION assert_failure CASCADE');
outcome($node, 'hr.roster');

# A constraint that is checked at the end of the transaction.
query($node, q{CREATE TABLE laptop (owner text REFERENCES hr.roster DEFERRABLE INITIALLY DEFERRED);
	INSERT INTO laptop SELECT id FROM hr.roster WHERE employee_number = 7});
hide($sim, 7);
is((refresh($node, 'hr.roster'))[0], '23503', 'a deferred constraint');
is(last_entry($node, 'hr.roster', 'outcome, sqlstate'), 'failed|23503', '... is logged');
is((query_error($node, q{BEGIN; CALL hibob_roster.refresh('hr.roster'); TRUNCATE laptop; COMMIT}))[0], '',
	'... and stays deferred in a transaction block');
query($node, 'DROP TABLE laptop');
tell($sim, 'reset');
outcome($node, 'hr.roster');

# A mirror that its owner cannot refresh.
query($node, q{CREATE ROLE another; ALTER TABLE hr.roster_history OWNER TO another});
is((refresh($node, 'hr.roster'))[0], '42501', 'a history of another owner');
is(last_entry($node, 'hr.roster', 'outcome, sqlstate'), 'failed|42501', '... is logged');
query($node, q{ALTER TABLE hr.roster_history OWNER TO CURRENT_USER; DROP ROLE another});
outcome($node, 'hr.roster');

# Cancelled statements.
tell($sim, 'fault', { endpoint => '/people/search', stall => { seconds => 300, after => 2000 } });
my ($took);
($took, $out, $err) = cancel_when($node, sub { return stats($sim)->{under_way} },
	q{CALL hibob_roster.refresh()});
like($err, qr/canceling statement due to user request/, 'a refresh that is cancelled');
cmp_ok($took, '<', 20_000 * $SLOWNESS, '... ends at once');
is(last_entry($node, 'hr.roster', 'outcome, sqlstate'), 'failed|57014', '... is logged');
tell($sim, 'reset');
tell($sim, 'fault', { endpoint => '/people/search', stall => { seconds => 300, after => 2000 } });
is((query_error($node, q{SET statement_timeout = '1s'; CALL hibob_roster.refresh()}))[0],
	'57014', 'statement_timeout');
tell($sim, 'reset');

# Transactions that cannot write.
requests($sim);
is((query_error($node, 'SET default_transaction_read_only = on; CALL hibob_roster.refresh()'))[0], '25006',
	'a read-only transaction');
is(scalar(requests($sim)), 0, '... reads nothing');

# A terminated session can no longer write to the log.
tell($sim, 'fault', { endpoint => '/people/search', stall => { seconds => 300, after => 2000 } });
my $lines = query($node, 'SELECT count(*) FROM hibob_roster.refresh_log');
my $victim = IPC::Run::start([ 'psql', '-XAtq', '-d',
		$node->connstr('postgres') . ' application_name=victim',
		'-c', 'CALL hibob_roster.refresh()' ], '<', \undef, '>', \$out, '2>', \$err);
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity
	WHERE application_name = 'victim' AND wait_event_type = 'Extension'}), 'a session waits for HiBob');
query($node, q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity
	WHERE application_name = 'victim'});
$victim->finish;
is(query($node, 'SELECT count(*) FROM hibob_roster.refresh_log'), $lines, '... which is terminated, without an entry in the log');
tell($sim, 'reset');
is((refresh($node, 'hr.roster'))[0], '', '... the next refresh succeeds');
is(query($node, 'SELECT * FROM hr.roster ORDER BY id'), $people,
	'these failures have not changed the mirror');

# --- concurrent refreshes ----------------------------------------------------

tell($sim, 'fault', { endpoint => '/people/search', stall => { seconds => 300 } });
requests($sim);
my $first = IPC::Run::start([ 'psql', '-XAtq', '-d',
		$node->connstr('postgres') . ' application_name=first',
		'-c', q{CALL hibob_roster.refresh('hr.roster')} ], '<', \undef, '>', \$out, '2>', \$err);
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity
	WHERE application_name = 'first' AND wait_event_type = 'Extension'}), 'a session refreshes a mirror');
is((query_error($node, q{SET lock_timeout = '100ms';
	CALL hibob_roster.refresh('hr.roster')}))[0], '55P03', '... another refresh waits');
is(query($node, q{SELECT count(*) FROM hr.roster}), 60, '... readers do not');
tell($sim, 'config', { overrides => { 7 => { 'work.site' => 'Mars' } } });
my $second = HibobSession->new($node);
$second->send(q{CALL hibob_roster.refresh('hr.roster');});
wait_until('lock', sub { return query($node, q{SELECT count(*) FROM pg_stat_activity
	WHERE wait_event_type = 'Lock' AND pid = } . $second->backend) });
tell($sim, 'resume');
is(join(' ', ($second->receive)[ 0, 1 ]), ' ', '... until the first ends');
$first->finish;
is($err, '', '... which succeeds, too');
is(query($node, q{SELECT site FROM hr.roster WHERE employee_number = 7}), 'Mars',
	'... and the second writes newer values');
is(query($node, q{SELECT count(*) FROM hr.roster_history WHERE valid_to IS NULL}), 60,
	'... with one current version of each person');
tell($sim, 'reset');
outcome($node, 'hr.roster');

# A refresh that waited, and whose snapshot is older than the other one's changes.
my $one = HibobSession->new($node);
my $two = HibobSession->new($node, set => q{SET default_transaction_isolation = 'repeatable read';});

sub concurrently
{
	my ($name, $expected) = @_;

	$one->run(q{BEGIN; CALL hibob_roster.refresh('hr.roster');});
	$two->send(q{CALL hibob_roster.refresh('hr.roster');});
	ok($node->poll_query_until('postgres', q{SELECT wait_event_type = 'Lock' FROM pg_stat_activity
		WHERE pid = } . $two->backend), "$name: a refresh waits with its snapshot");
	$one->run('COMMIT;');
	my (undef, $message) = $two->receive;
	is(join(' ', states($message)), $expected, "... and fails with $expected");
	like($message, qr/HINT:  If another session has changed the mirror at the same time, refresh it again\./, '... with a hint');
	is(last_entry($node, 'hr.roster', q{sqlstate, hint ~ 'refresh it again'}), "$expected|t", '... and is logged');
	is(($two->run(q{CALL hibob_roster.refresh('hr.roster');}))[1], '', '... but not when it is tried again');
	return;
}

tell($sim, 'config', { overrides => { 7 => { 'work.site' => 'Mars' } } });
concurrently('a changed row', '40001');
hide($sim, 20);
refresh($node, 'hr.roster');
hide($sim);
concurrently('an added row', '23505');
tell($sim, 'reset');
outcome($node, 'hr.roster');

# forget() erases also the version that a refresh is writing.
hide($sim, 20);
$one->run(q{BEGIN; CALL hibob_roster.refresh('hr.roster');});
my $id20 = employee_id(20);
$two->run('RESET default_transaction_isolation;');
$two->send(qq{SELECT hibob_roster.forget('hr.roster', '$id20') > 0;});
ok($node->poll_query_until('postgres', q{SELECT wait_event_type = 'Lock' FROM pg_stat_activity
	WHERE pid = } . $two->backend), 'forget() waits for a refresh');
$one->run('COMMIT;');
is(join('', grep { defined } $two->receive), 't', '... and then erases');
is(query($node, qq{SELECT count(*) FROM hr.roster_history WHERE id = '$id20'}), 0, '... all versions of the person');
tell($sim, 'reset');
outcome($node, 'hr.roster');

# --- transactions ------------------------------------------------------------

query($node, q{SELECT hibob_roster.create_mirror('hr.named_lists', 'list')});
query($node, q{CREATE FUNCTION refresh_in_function() RETURNS void LANGUAGE plpgsql AS
	$$ BEGIN CALL hibob_roster.refresh('hr.roster'); END $$;
	CREATE PROCEDURE refresh_in_procedure() LANGUAGE plpgsql AS
	$$ BEGIN CALL hibob_roster.refresh('hr.roster'); END $$});
my $CALL = q{CALL hibob_roster.refresh('hr.roster')};

# A refresh that succeeds is logged.  One that fails has $recorded entries.
sub in_transaction
{
	my ($name, $statements, $recorded) = @_;
	my $count = q{SELECT count(*) FROM hibob_roster.refresh_log};
	my $before = query($node, $count);

	is((query_error($node, $statements))[0], '', "$name: a refresh succeeds");
	is(query($node, $count), $before + 1, '... and is logged');
	tell($sim, 'config', { token => 'regenerated' });
	my ($failed, $why) = query_error($node, $statements);
	is($failed, '28000', '... one that fails has its own error');
	like($why, qr/HINT: .*token/, '... and hint');
	is(query($node, $count), $before + 1 + $recorded,
		$recorded ? '... and is logged' : '... and is not logged');
	tell($sim, 'reset');
	return;
}

in_transaction('at the top', $CALL, 1);
in_transaction('in a DO block', "DO \$\$ BEGIN $CALL; END \$\$", 1);
in_transaction('in a procedure', 'CALL refresh_in_procedure()', 1);
in_transaction('in a function', 'SELECT refresh_in_function()', 0);
in_transaction('in a transaction block', "BEGIN; $CALL; COMMIT", 0);
in_transaction('after a savepoint', "BEGIN; SAVEPOINT a; $CALL; COMMIT", 0);
in_transaction('in a DO block in a transaction', "BEGIN; DO \$\$ BEGIN $CALL; END \$\$; COMMIT", 0);
in_transaction('in a serializable transaction',
	"BEGIN ISOLATION LEVEL SERIALIZABLE; $CALL; COMMIT", 0);
in_transaction('serializable at the top',
	"SET default_transaction_isolation = serializable; $CALL", 1);
in_transaction('with another search_path', "SET search_path = pg_temp, public; $CALL", 1);
query($node, q{CREATE PROCEDURE refresh_and_handle() LANGUAGE plpgsql AS
	$$ BEGIN CALL hibob_roster.refresh('hr.roster'); EXCEPTION WHEN division_by_zero THEN NULL; END $$});
in_transaction('in a block with an exception handler',
	"DO \$\$ BEGIN $CALL; EXCEPTION WHEN division_by_zero THEN NULL; END \$\$", 0);
in_transaction('in a procedure with an exception handler', 'CALL refresh_and_handle()', 0);
in_transaction('in a procedure that committed before',
	"DO \$\$ BEGIN PERFORM 1; COMMIT; $CALL; COMMIT; END \$\$", 1);
tell($sim, 'config', { token => 'regenerated' });
is((query_error($node, "DO \$\$ BEGIN $CALL; EXCEPTION WHEN OTHERS THEN
	IF SQLSTATE <> '28000' THEN RAISE; END IF; END \$\$"))[0], '', 'an exception handler gets the error of the refresh');
tell($sim, 'reset');
# Several statements in one message are one transaction.
in_transaction('among several statements', "SELECT 1\\; $CALL\\; SELECT 2", 0);

# A refresh does not commit the transaction block that it runs in.
is(query($node, q{BEGIN; CREATE TABLE kept (a int); CALL hibob_roster.refresh();
	ROLLBACK; SELECT to_regclass('kept') IS NULL}), 't',
	'a transaction block can be rolled back');
my $row = query($node, $ROWS);
tell($sim, 'config', { overrides => { 7 => { 'work.site' => 'Mars' } } });
query($node, "BEGIN; $CALL; ROLLBACK");
is(query($node, $ROWS), $row, '... and the refresh with it');
tell($sim, 'reset');

# --- refresh() of all mirrors ------------------------------------------------

# The first fails, the second is refused, and the last one is refreshed.
query($node, q{SELECT hibob_roster.create_mirror('hr.people', 'all_a', columns => ARRAY['site']);
	ALTER TABLE hr.all_a ADD COLUMN nonsense text;
	SELECT hibob_roster.create_mirror('hr.people', 'all_b', columns => ARRAY['site']);
	UPDATE hibob_roster.mirrors SET max_removed_percent = 0 WHERE mirror = 'hr.all_b'::regclass;
	UPDATE hibob_roster.mirrors SET max_removed_percent = 50 WHERE mirror <> 'hr.all_b'::regclass});
hide($sim, 1 .. 10);
($state, $message) = refresh($node);
is($state, '42703', 'a refresh of all mirrors has the error of the first that fails');
like($message, qr/has no column "nonsense".*DETAIL:  Also failed: hr\.all_b: refresh of hr\.all_b refused/s,
	'... names the second, which is refused');
is(query($node, q{SELECT mirror, status FROM hibob_roster.health ORDER BY mirror::text}),
	"hr.all_a|failing\nhr.all_b|refused\nhr.list|healthy\nhr.roster|healthy",
	'... and refreshes the others');
is(query($node, 'SELECT count(*) FROM hr.roster'), 50, '... with a commit');
is((query_error($node, 'BEGIN; CALL hibob_roster.refresh(); COMMIT'))[0], '42703',
	'... the same error in a transaction block');
is((refresh($node, undef, 1))[0], '42703', 'with force, the first still fails');
is(query($node, 'SELECT count(*) FROM hr.all_b'), 50, '... and the second is refreshed');
query($node, q{ALTER TABLE hr.all_a DROP COLUMN nonsense});
is((refresh($node))[0], '', 'all mirrors are refreshed');
tell($sim, 'fault', { endpoint => '/people/search', stall => { seconds => 300, after => 200 } });
($took, $out, $err) = cancel_when($node, sub { return stats($sim)->{under_way} },
	q{CALL hibob_roster.refresh()});
like($err, qr/canceling statement due to user request/, 'a cancelled refresh of all mirrors ends');
is(query($node, q{SELECT mirror, status FROM hibob_roster.health ORDER BY mirror::text LIMIT 2}),
	"hr.all_a|failing\nhr.all_b|healthy", '... at the first mirror');

# --- errors ------------------------------------------------------------------

tell($sim, 'reset');
my @errors = (
	[ q{CALL hibob_roster.refresh('hr.people')}, '42704', qr/hr\.people is not a mirror/ ],
	[ q{CALL hibob_roster.refresh('hr.nothing')}, '42P01', qr/does not exist/ ],
	[ q{ALTER TABLE hr.all_a ADD COLUMN n int GENERATED ALWAYS AS (1) STORED;
		CALL hibob_roster.refresh('hr.all_a')}, '0A000', qr/"n".*generated.*HINT: .*Drop/s ],
	[ q{ALTER TABLE hr.all_a DROP COLUMN n, ADD COLUMN n int GENERATED BY DEFAULT AS IDENTITY;
		CALL hibob_roster.refresh('hr.all_a')}, '0A000', qr/"n".*identity.*HINT: /s ],
	[ q{ALTER TABLE hr.all_a DROP COLUMN n, ADD COLUMN full_name char(3);
		CALL hibob_roster.refresh('hr.all_a')}, '42804', qr/"full_name".*HINT: .*text/s ],
	[ q{ALTER TABLE hr.all_a ALTER full_name TYPE varchar(3);
		CALL hibob_roster.refresh('hr.all_a')}, '22001', qr/too long/ ],
	[ q{ALTER TABLE hr.all_a DROP COLUMN full_name, DROP COLUMN id;
		CALL hibob_roster.refresh('hr.all_a')}, '42703', qr/lacks a column of its key \(id\).*HINT: /s ],
	[ q{DROP TABLE hr.roster_history; CALL hibob_roster.refresh('hr.roster')}, '42P01',
		qr/history table of mirror hr\.roster does not exist.*HINT: .*SET history = NULL/s ],
	[ q{ALTER FOREIGN TABLE hr.people RENAME TO persons; DROP FOREIGN TABLE hr.persons;
		CALL hibob_roster.refresh('hr.all_b')}, '42P01',
		qr/source hr\.people of mirror hr\.all_b does not exist.*HINT: .*drop_mirror/s ],
);
foreach my $case (@errors)
{
	my ($sql, $expected, $pattern) = @$case;

	($state, $message) = query_error($node, $sql);
	is($state, $expected, $sql =~ s/\s+/ /gr);
	like($message, $pattern, '... with an error message');
}
query($node, q{IMPORT FOREIGN SCHEMA hibob LIMIT TO (people) FROM SERVER bob INTO hr});
is((refresh($node, 'hr.all_b'))[0], '', 'a source that is created again is found');
query($node, q{ALTER FOREIGN TABLE hr.people RENAME TO persons;
	ALTER TABLE hr.all_b RENAME TO "All b"; CREATE SCHEMA "New";
	ALTER TABLE hr."All b" SET SCHEMA "New"});
is((refresh($node, '"New"."All b"'))[0], '', 'source and mirror can be renamed and moved');
is(query($node, q{SELECT source_name FROM hibob_roster.mirrors
	WHERE mirror = '"New"."All b"'::regclass}), 'hr.persons', '... and the configuration has the new name');

$node->stop;
done_testing();
