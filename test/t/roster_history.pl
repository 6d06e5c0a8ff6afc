# The history of hibob_roster.  A company changes at random between 100
# refreshes, and the test saves a snapshot of the roster after each.  At the end,
# as_of() and changes() must agree with the snapshots.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use HibobTest qw(employee_id report);
use RosterTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $REFRESHES = 100;
my $EMPLOYEES = 40;
my $seed = $ENV{HIBOB_TEST_SEED} // 2;
note("seed $seed (HIBOB_TEST_SEED)");
srand $seed;

my ($node, $sim) = roster_cluster('roster_history', employees => $EMPLOYEES);
query($node, q{CREATE SCHEMA hr;
	IMPORT FOREIGN SCHEMA hibob LIMIT TO (people) FROM SERVER bob INTO hr;
	CREATE TABLE snapshot (no int, at timestamptz, columns text[], id text, row jsonb);
	SELECT hibob_roster.create_mirror('hr.people', 'roster',
		columns => ARRAY['email', 'full_name', 'site', 'manager_id', 'employee_number',
			'work_phone', 'languages', 'laptop_price', 'remote_worker'],
		max_removed_percent => NULL, max_emptied_percent => NULL)});

# Saves the current roster, which as_of() must return for any moment until the
# next refresh.
sub save_snapshot
{
	my ($no) = @_;
	query($node, qq{INSERT INTO snapshot
		SELECT $no, clock_timestamp(), (SELECT array_agg(attname) FROM pg_attribute
				WHERE attrelid = 'hr.roster'::regclass AND attnum > 0 AND NOT attisdropped),
			id, to_jsonb(r) FROM hr.roster r;
		INSERT INTO snapshot SELECT $no, clock_timestamp(), (SELECT array_agg(attname)
				FROM pg_attribute WHERE attrelid = 'hr.roster'::regclass
				AND attnum > 0 AND NOT attisdropped), NULL, NULL});
	return;
}

# --- a company that changes --------------------------------------------------

my %COLUMN = ('work.site' => [ 'Mars', 'Venus', undef, '', 'Zürich' ],
	'root.fullName' => [ "O'Brien", 'Null', "\x{5B97}", "a\"b\\c" ],
	'root.email' => [ 'a@example.com', 'b@example.com', undef ],
	'work.manager' => [ employee_id(1), employee_id(2), undef ],
	'work.workPhone' => [ '1', '2', undef ],
	'work.title' => [ undef ],
	'work.custom.field_1700000000003' => [ \1, \0, undef ]);
my (%overrides, %hidden);

sub one_of { return $_[ int rand @_ ] }

sub change_company
{
	foreach (1 .. int rand 8)
	{
		my $number = 1 + int rand $EMPLOYEES;
		my $field = one_of(sort keys %COLUMN);

		if (rand() < 0.2)
		{
			delete $overrides{$number};
		}
		else
		{
			$overrides{$number}{$field} = one_of(@{ $COLUMN{$field} });
		}
	}
	foreach (1 .. int rand 4)
	{
		my $number = 1 + int rand $EMPLOYEES;
		delete $hidden{$number} or $hidden{$number} = 1;
	}
	# Sometimes everybody leaves, or comes back.
	%hidden = map { $_ => 1 } 1 .. $EMPLOYEES if rand() < 0.02;
	%hidden = () if rand() < 0.05;
	tell($sim, 'config', { overrides => \%overrides,
			hidden_employees => [ map { $_ + 0 } keys %hidden ] });
	return;
}

# Columns are added, dropped, and added again.
my %ALTER = (
	15 => 'ADD COLUMN job_title text',
	30 => 'DROP COLUMN site',
	45 => 'ADD COLUMN site text, DROP COLUMN work_phone',
	55 => 'DROP COLUMN job_title',
	60 => 'ADD COLUMN job_title text, ADD COLUMN status text',
	75 => 'ALTER COLUMN employee_number TYPE text',
	80 => 'ADD COLUMN work_phone text, DROP COLUMN remote_worker');
# Manual changes of the mirror; the next refresh undoes them.
my %BY_HAND = (
	20 => q{DELETE FROM hr.roster WHERE id::numeric % 3 = 0},
	40 => q{UPDATE hr.roster SET email = 'x' WHERE id::numeric % 5 = 0},
	70 => q{INSERT INTO hr.roster (id) VALUES ('0')});
my $errors = 0;
my %total = map { $_ => 0 } qw(added changed removed returned);

save_snapshot(0);
foreach my $no (1 .. $REFRESHES)
{
	change_company();
	query($node, "ALTER TABLE hr.roster $ALTER{$no}") if $ALTER{$no};
	query($node, $BY_HAND{$no}) if $BY_HAND{$no};
	$errors++ if (refresh($node, 'hr.roster'))[0];
	save_snapshot($no);
}
is($errors, 0, "$REFRESHES refreshes");
is(query($node, q{SELECT count(*) FROM hr.roster r LEFT JOIN hr.people p USING (id)
	WHERE (r.email, r.full_name, r.manager_id, r.employee_number, r.languages,
		r.laptop_price, r.site, r.job_title, r.status, r.work_phone)
		IS DISTINCT FROM (p.email, p.full_name, p.manager_id, p.employee_number::text,
		p.languages, p.laptop_price, p.site, p.job_title, p.status, p.work_phone)}),
	'0', 'the roster equals the people in HiBob');

# --- as_of -------------------------------------------------------------------

# The number of rows that differ between as_of() and a snapshot.  Columns that
# were added later are null in the snapshot, and dropped columns are left out.
query($node, q{
	CREATE FUNCTION differences(moment int, later boolean) RETURNS bigint
	LANGUAGE plpgsql AS $$
	DECLARE
		at timestamptz := (SELECT max(s.at) FROM snapshot s WHERE no = moment);
		n bigint;
	BEGIN
		IF later THEN
			-- just before the next refresh
			at := coalesce((SELECT min(started_at) - interval '1 microsecond'
				FROM hibob_roster.refresh_log WHERE started_at > at), at);
		END IF;
		WITH past AS (
			SELECT id, jsonb_object_agg(name, CASE WHEN name = ANY (columns) THEN
					CASE name WHEN 'employee_number' THEN to_jsonb(row ->> name)
						ELSE row -> name END ELSE 'null' END) AS row
			  FROM snapshot s, (SELECT attname::text AS name FROM pg_attribute
				WHERE attrelid = 'hr.roster'::regclass AND attnum > 0
				  AND NOT attisdropped) c
			 WHERE no = moment AND id IS NOT NULL GROUP BY id
		), as_of AS (
			SELECT id, to_jsonb(r) AS row FROM hibob_roster.as_of(NULL::hr.roster, at) r
		)
		SELECT count(*) INTO n FROM ((TABLE past EXCEPT ALL TABLE as_of)
			UNION ALL (TABLE as_of EXCEPT ALL TABLE past)) d;
		RETURN n;
	END $$});
is(query($node, "SELECT sum(differences(n, false)) FROM generate_series(0, $REFRESHES) n"),
	'0', 'as_of() of each moment is the snapshot');
is(query($node, "SELECT sum(differences(n, true)) FROM generate_series(0, $REFRESHES) n"),
	'0', '... until the next refresh');
is(query($node, q{SELECT count(*) FROM hibob_roster.as_of(NULL::hr.roster, '2020-01-01')}),
	'0', 'as_of() before the first refresh returns no rows');
cmp_ok(query($node, "SELECT count(DISTINCT md5(row::text)) FROM snapshot"), '>', 300,
	'... of snapshots that differ');

# --- changes -----------------------------------------------------------------

# The changes between two snapshots, in columns that both have.
query($node, q{
	CREATE VIEW expected AS
	SELECT b.no, CASE WHEN p.id IS NULL THEN 'in' WHEN n.id IS NULL THEN 'out'
				 ELSE 'changed' END AS change, i.id AS key, c.name AS column_name,
		   p.row ->> c.name AS old_value, n.row ->> c.name AS new_value
	  FROM (SELECT DISTINCT no, columns FROM snapshot) b
	  JOIN (SELECT DISTINCT no, columns FROM snapshot) a ON a.no = b.no - 1
	 CROSS JOIN LATERAL (SELECT DISTINCT id FROM snapshot s
			WHERE s.no IN (a.no, b.no) AND id IS NOT NULL) i
	  LEFT JOIN snapshot p ON p.no = a.no AND p.id = i.id
	  LEFT JOIN snapshot n ON n.no = b.no AND n.id = i.id
	 CROSS JOIN LATERAL unnest(a.columns || b.columns) c (name)
	 WHERE (c.name = ANY (a.columns) OR p.id IS NULL)
	   AND (c.name = ANY (b.columns))
	   AND p.row ->> c.name IS DISTINCT FROM n.row ->> c.name
	 GROUP BY 1, 2, 3, 4, 5, 6;
	CREATE TABLE got AS
	SELECT (SELECT min(no) FROM snapshot s WHERE s.at > c.changed_at) AS no,
		   CASE change WHEN 'removed' THEN 'out' WHEN 'changed' THEN 'changed'
			 ELSE 'in' END AS change, key, column_name,
		   -- jsonb and text write booleans and arrays in different ways
		   CASE WHEN column_name = 'remote_worker' THEN old_value::boolean::text
				WHEN column_name = 'languages' THEN to_json(old_value::text[])::text
				ELSE old_value END AS old_value,
		   CASE WHEN column_name = 'remote_worker' THEN new_value::boolean::text
				WHEN column_name = 'languages' THEN to_json(new_value::text[])::text
				ELSE new_value END AS new_value
	  FROM hibob_roster.changes('hr.roster', (SELECT max(at) FROM snapshot WHERE no = 0)) c;
	CREATE TABLE wanted AS SELECT no, change, key, column_name,
		   CASE WHEN column_name = 'languages' THEN (old_value::json)::text ELSE old_value END AS old_value,
		   CASE WHEN column_name = 'languages' THEN (new_value::json)::text ELSE new_value END AS new_value
	  FROM expected;
	UPDATE wanted SET old_value = replace(old_value, ', ', ','),
		new_value = replace(new_value, ', ', ',') WHERE column_name = 'languages';
	-- Leave out the refreshes after changes by hand.
	DELETE FROM wanted WHERE no IN (20, 40, 70);
	DELETE FROM got WHERE no IN (20, 40, 70)});
my $missing = query($node, q{SELECT * FROM wanted EXCEPT SELECT * FROM got ORDER BY 1, 3, 4 LIMIT 5});
my $surplus = query($node, q{SELECT * FROM got EXCEPT SELECT * FROM wanted ORDER BY 1, 3, 4 LIMIT 5});
is($missing, '', 'changes() returns every change between two snapshots');
is($surplus, '', '... and no other');
cmp_ok(query($node, 'SELECT count(*) FROM wanted'), '>', 1000, '... of many');
is(query($node, q{SELECT count(*) FROM hibob_roster.changes('hr.roster', now()::timestamptz)}),
	'0', 'nothing has changed since now');

# --- consistency of the history ----------------------------------------------

is(query($node, q{SELECT count(*) FROM hr.roster_history h WHERE valid_to IS NULL
	AND NOT EXISTS (SELECT FROM hr.roster r WHERE r.id = h.id)}), '0',
	'everybody with a current version is in the roster');
is(query($node, q{SELECT count(*) FROM hr.roster r WHERE (SELECT count(*)
	FROM hr.roster_history h WHERE h.id = r.id AND valid_to IS NULL) <> 1}), '0',
	'... and everybody in the roster has one current version');
is(query($node, q{SELECT count(*) FROM (SELECT change, lag(change) OVER w AS before,
		valid_from, lag(valid_to) OVER w AS ended
		FROM hr.roster_history WINDOW w AS (PARTITION BY id ORDER BY valid_from)) v
	WHERE NOT CASE change WHEN 'added' THEN before IS NULL
		WHEN 'returned' THEN before = 'removed'
		ELSE before IN ('added', 'changed', 'returned') AND ended = valid_from END}),
	'0', 'each version continues the one before');
is(query($node, q{SELECT count(*) FROM hr.roster_history
	WHERE (change = 'removed') <> (valid_from IS NOT DISTINCT FROM valid_to)}), '0',
	'only removed versions begin and end at the same time');
foreach my $change (sort keys %total)
{
	$total{$change} = query($node,
		"SELECT count(*) FROM hr.roster_history WHERE change = '$change'");
	cmp_ok($total{$change}, '>', 10, "... $total{$change} versions are $change");
}
is(query($node, q{SELECT sum(removed), sum(returned) FROM hibob_roster.refresh_log})
	, query($node, q{SELECT count(*) FILTER (WHERE change = 'removed')
		+ 1, -- the row that was inserted by hand
		count(*) FILTER (WHERE change = 'returned') FROM hr.roster_history}),
	'the log has the same counts as the history');

# --- history disabled and enabled again --------------------------------------

query($node, q{CREATE TABLE company (id text, site text);
	INSERT INTO company SELECT i, 'here' FROM generate_series(1, 10) i;
	CREATE VIEW company_view AS TABLE company; SELECT hibob_roster.create_mirror('company_view', 'company_mirror');
	UPDATE hibob_roster.mirrors SET history = NULL WHERE mirror = 'company_mirror'::regclass;
	DELETE FROM company WHERE id = '1'; UPDATE company SET site = 'there' WHERE id = '2';
	INSERT INTO company VALUES ('11', 'new')});
is((refresh($node, 'company_mirror'))[0], '', 'a refresh without history');
query($node, q{UPDATE hibob_roster.mirrors SET history = 'company_mirror_history' WHERE mirror = 'company_mirror'::regclass;
	UPDATE company SET site = 'there' WHERE id = '3'});
is((refresh($node, 'company_mirror'))[0], '', '... and one with history again');
is(query($node, q{SELECT id, change, valid_to IS NULL FROM company_mirror_history
	WHERE valid_from = (SELECT max(valid_from) FROM company_mirror_history) ORDER BY id::int}),
	"1|removed|f\n2|changed|t\n3|changed|t\n11|added|t", '... adds the changes of both');
is(query($node, q{SELECT count(*) FROM (TABLE company_mirror EXCEPT ALL
	SELECT * FROM hibob_roster.as_of(NULL::company_mirror, now())) d}), '0', '... and the history has all current rows');
my $written = query($node, 'SELECT count(*) FROM company_mirror_history');
is((refresh($node, 'company_mirror'))[0], '', '... another refresh');
is(query($node, 'SELECT count(*) FROM company_mirror_history'), $written, '... adds nothing');
query($node, q{SELECT hibob_roster.drop_mirror('company_mirror')});

# Numbers that differ only in their last digits.
query($node, q{CREATE TABLE numbers (id text, x float8); INSERT INTO numbers VALUES ('1', 0.1);
	CREATE VIEW numbers_view AS TABLE numbers; SELECT hibob_roster.create_mirror('numbers_view', 'numbers_mirror');
	UPDATE numbers SET x = 0.1000000001});
refresh($node, 'numbers_mirror');
is(query($node, q{SET extra_float_digits = -5; SELECT old_value, new_value
	FROM hibob_roster.changes('numbers_mirror', now() - interval '1 hour') WHERE change = 'changed'}),
	'0.1|0.1000000001', 'changes() shows all digits');
query($node, q{SELECT hibob_roster.drop_mirror('numbers_mirror')});

# --- keep_history and forget -------------------------------------------------

my $id = query($node, q{SELECT id FROM hr.roster_history GROUP BY id
	ORDER BY count(*) DESC LIMIT 1});
my $versions = query($node, "SELECT count(*) FROM hr.roster_history WHERE id = '$id'");
my $all = query($node, 'SELECT count(*) FROM hr.roster_history');
is(query($node, "SELECT hibob_roster.forget('hr.roster', '$id')"), $versions,
	'forget() erases every version of a person');
is(query($node, "SELECT count(*) FROM hr.roster_history WHERE id = '$id'"), 0, '... all of them');
is(query($node, 'SELECT count(*) FROM hr.roster_history'), $all - $versions, '... and no other');
is(query($node, "SELECT hibob_roster.forget(mirror => 'hr.roster', key => 'nobody')"), '0',
	'... accepts named arguments');
is(query($node, "SELECT hibob_roster.forget('hr.roster', 'nobody')"), '0', '... and erases nothing for an unknown key');
is((query_error($node, "SELECT hibob_roster.forget('hr.roster', NULL)"))[0], '22023',
	'... rejects null');
is((query_error($node, "SELECT hibob_roster.forget('hr.roster', '1', '2')"))[0], '22023',
	'... rejects more values than the key has');
tell($sim, 'config', { overrides => {}, hidden_employees => [] });
is((refresh($node, 'hr.roster'))[0], '', 'the next refresh');
is(query($node, "SELECT count(*) <= 1 FROM hr.roster_history WHERE id = '$id'"), 't',
	'... starts a new history of this person');

query($node, q{UPDATE hibob_roster.mirrors SET keep_history = '1 hour'});
my $closed = query($node, 'SELECT count(*) FROM hr.roster_history WHERE valid_to IS NOT NULL');
is((refresh($node, 'hr.roster'))[0], '', 'keep_history: an hour');
is(query($node, 'SELECT count(*) FROM hr.roster_history WHERE valid_to IS NOT NULL'),
	$closed, '... deletes no newer versions');
query($node, q{UPDATE hr.roster_history SET valid_from = valid_from - interval '59 minutes 50 seconds',
	valid_to = valid_to - interval '59 minutes 50 seconds' WHERE valid_to IS NOT NULL});
ok($node->poll_query_until('postgres', q{SELECT now() - interval '1 hour'
	> max(valid_to) FROM hr.roster_history}), 'an hour later');
is((refresh($node, 'hr.roster'))[0], '', '... a refresh');
is(query($node, 'SELECT count(*) FILTER (WHERE valid_to IS NOT NULL) FROM hr.roster_history'),
	0, '... deletes versions that ended before that');
is(query($node, 'SELECT count(*) FROM hr.roster_history'),
	query($node, q{SELECT count(*) FROM hr.roster}) - query($node, qq{SELECT count(*)
		FROM hr.roster WHERE id = '$id' AND NOT EXISTS (SELECT FROM hr.roster_history
		WHERE id = '$id')}), '... and keeps the current ones');
is(query($node, q{SELECT count(*) FROM hibob_roster.as_of(NULL::hr.roster, now())}),
	query($node, 'SELECT count(*) FROM hr.roster_history'), 'as_of() still works for the current time');
my ($state, $message) = query_error($node,
	q{SELECT * FROM hibob_roster.as_of(NULL::hr.roster, now() - interval '2 hours')});
is($state, '22023', 'as_of() of a time whose history was deleted is an error');
like($message, qr/history of hr\.roster before .* has been deleted.*HINT: .*roster_history/s,
	'... with an error message');
is((query_error($node, q{SELECT * FROM hibob_roster.changes('hr.roster',
	now() - interval '2 hours')}))[0], '22023', '... and so is changes()');

# --- errors ------------------------------------------------------------------

query($node, q{SELECT hibob_roster.create_mirror('hr.people', 'plain', columns => '{site}',
	history => false); CREATE TABLE local (id text)});
foreach my $sql (q{SELECT * FROM hibob_roster.as_of(NULL::hr.plain, now())},
	q{SELECT * FROM hibob_roster.as_of(NULL::local, now())},
	q{SELECT * FROM hibob_roster.as_of(1, now())},
	q{SELECT * FROM hibob_roster.changes('hr.plain', now())},
	q{SELECT * FROM hibob_roster.changes('local', now())},
	q{SELECT hibob_roster.forget('local', '1')})
{
	($state, $message) = query_error($node, $sql);
	is($state, '42704', $sql);
	like($message, qr/HINT: /, '... with a hint');
}
is((query_error($node, q{SELECT hibob_roster.forget('hr.plain', '1')}))[0], '55000',
	'forget() of a mirror without history is an error');

report('roster_history', [ 'refreshes', 'as_of', 'changes', sort keys %total ],
	{ refreshes => $REFRESHES, as_of => 'equal', changes =>
			query($node, 'SELECT count(*) FROM wanted'), %total });
$node->stop;
done_testing();
