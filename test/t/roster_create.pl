# hibob_roster.create_roster(): it creates a roster and its views in an empty
# database.  A second call adds the columns that are new in HiBob.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use HibobTest qw(session employee_id far_from_midnight);
use RosterTest;
use PostgreSQL::Test::Utils;
use Test::More;

far_from_midnight();
my ($node, $sim) = roster_cluster('roster_create', employees => 100);
my $today = query($node, 'SELECT current_date');
tell($sim, 'config', { today => $today });

sub day { my ($days) = @_; return query($node, "SELECT DATE '$today' + $days"); }

# --- in an empty database ----------------------------------------------------

requests($sim);
is(query($node, q{SELECT hibob_roster.create_roster('bob')}), 'hr.roster', 'create_roster() creates the schema and the roster');
is(join(' ', map { $_->{endpoint} } requests($sim)), '/company/people/fields /people/search',
	'... with one request for the fields and one for the people');
is(query($node, q{SELECT string_agg(p.attname, ',') FROM pg_attribute p
	WHERE p.attrelid = 'hr.people'::regclass AND p.attnum > 0 AND NOT EXISTS (SELECT FROM pg_attribute r
		WHERE r.attrelid = 'hr.roster'::regclass AND r.attname = p.attname)}), 'avatar_url',
	'... with all columns except the avatar');
is(query($node, q{SELECT count(*) FROM pg_attribute WHERE attrelid = 'hr.roster'::regclass
	AND attname IN ('cost_centre', 'languages', 'team', 'laptop_price', 'laptop_price_currency')}), 5,
	'... including custom fields');
is(query($node, q{SELECT string_agg(substring(pg_get_indexdef(indexrelid) FROM 'btree (.*)'), ' ' ORDER BY 1)
	FROM pg_index WHERE indrelid = 'hr.roster'::regclass}), '(id) (lower(email)) (manager_id) (status)'
	=~ s/(.*)/join ' ', sort split m{ (?=\()}, $1/er, '... and indexes')
  or diag(query($node, q{SELECT pg_get_indexdef(indexrelid) FROM pg_index
	WHERE indrelid = 'hr.roster'::regclass}));
is(query($node, 'SELECT count(*) FROM hr.roster; SELECT status, rows FROM hibob_roster.health'),
	"100\nhealthy|100", '... and the rows');

# --- org_chart ---------------------------------------------------------------

sub refreshed
{
	my (%config) = @_;
	tell($sim, 'config', { overrides => {}, hidden_employees => [], %config });
	refresh($node, 'hr.roster', 1);
	return;
}

sub manager
{
	my (%managers) = @_;
	return overrides => { map { $_ => { 'work.manager' => defined $managers{$_} ? employee_id($managers{$_}) : undef } }
		  keys %managers };
}

# Checks the whole chart: everybody is in it once, and each path follows the managers.
sub chart
{
	my ($name, $expected) = @_;

	is(query($node, q{SELECT count(*) = count(DISTINCT id), count(*) - (SELECT count(*) FROM hr.roster)
		FROM hr.org_chart}), 't|0', "$name: everybody is in the chart once");
	is(query($node, q{SELECT count(*) FROM hr.org_chart c, generate_series(2, level) n
		WHERE NOT EXISTS (SELECT FROM hr.roster r WHERE r.id = path[n] AND r.manager_id = path[n - 1])
		   OR path[level] <> c.id}), 0, '... each below their manager');
	is(query($node, q{SELECT root, count(*), count(*) FILTER (WHERE in_cycle) FROM hr.org_chart
		WHERE root IS NOT NULL GROUP BY 1 ORDER BY 1}), $expected, '... with these roots');
	return;
}

chart('unchanged data', 'no manager|1|0');
my $levels = query($node, 'SELECT max(level) FROM hr.org_chart');
cmp_ok($levels, '>=', 4, '... with several levels');
refreshed(hidden_employees => [2]);
my $reports = query($node, 'SELECT count(*) FROM hr.roster WHERE manager_id = \'' . employee_id(2) . "'");
cmp_ok($reports, '>', 0, 'a hidden manager has reports');
chart('with a hidden manager', "manager not in the roster|$reports|0\nno manager|1|0");
refreshed(manager(1 => 2));
chart('the CEO and a report manage each other', 'cycle|1|1');
is(query($node, 'SELECT id, cardinality(path) FROM hr.org_chart WHERE in_cycle ORDER BY level'),
	employee_id(1) . "|1\n" . employee_id(2) . '|2', '... one of them is the root, and both are marked');
refreshed(manager(50 => 50, 60 => 61, 61 => 62, 62 => 60));
chart('one employee is their own manager, and three form a cycle', "cycle|2|2\nno manager|1|0");
is(query($node, 'SELECT count(*) FROM hr.org_chart WHERE in_cycle'), 4, '... all four are marked');
refreshed(manager(1 => 2, 2 => 3, 3 => 1, 70 => 71, 71 => 70, 99 => undef));
chart('everybody except one is below a cycle', "cycle|2|2\nno manager|1|0");
refreshed(hidden_employees => [ 1 .. 100 ]);
chart('an empty roster', '');
refreshed();

# --- roster_status -----------------------------------------------------------

# Status and dates (in days from today) of an employee, and the columns that are set.
my @cases = (
	[ 'left yesterday', 'Inactive', -500, -1, 'has_left' ],
	[ 'the last day is today', 'Active', -500, 0, 'leaves_on' ],
	[ 'the last day is today, and HiBob\'s status is inactive', 'Inactive', -500, 0, 'on_leave,leaves_on' ],
	[ 'leaves tomorrow', 'Active', -500, 1, 'leaves_on' ],
	[ 'on leave', 'Inactive', -500, undef, 'on_leave' ],
	[ 'on garden leave', 'Inactive', -500, 20, 'on_leave,leaves_on' ],
	[ 'starts today', 'Active', 0, undef, '' ],
	[ 'starts tomorrow', 'Inactive', 1, undef, 'not_started' ],
	[ 'starts tomorrow, for a month', 'Inactive', 1, 31, 'not_started,leaves_on' ],
	[ 'came back, with the old termination date', 'Active', -30, -200, '' ],
	[ 'will come back, with the old termination date', 'Inactive', 30, -200, 'not_started' ],
	[ 'came back and left again', 'Inactive', -30, -2, 'has_left' ],
	[ 'came on the day of the old termination date, and left', 'Inactive', -30, -30, 'has_left' ],
	[ 'works', 'Active', -500, undef, '' ],
	[ 'works, without a start date', 'Active', undef, undef, '' ],
	[ 'has left, without a start date', 'Inactive', undef, -5, 'has_left' ],
);
my $number = 39;
my %overrides = map {
	my ($name, $status, $start, $end) = @$_;
	++$number => { 'internal.status' => $status, 'work.startDate' => defined $start ? day($start) : undef,
		'internal.terminationDate' => defined $end ? day($end) : undef,
		'internal.lifecycleStatus' => $status eq 'Active' ? 'employed' : 'garden leave' }
} @cases;
refreshed(overrides => \%overrides);
$number = 39;
foreach my $case (@cases)
{
	is(query($node, q{SELECT concat_ws(',', CASE WHEN has_left THEN 'has_left' END,
		CASE WHEN on_leave THEN 'on_leave' END, CASE WHEN not_started THEN 'not_started' END,
		CASE WHEN leaves_on IS NOT NULL THEN 'leaves_on' END) FROM hr.roster_status WHERE id = '}
		. employee_id(++$number) . "'"), $case->[4], $case->[0]);
}
is(query($node, q{SELECT count(*) FROM hr.roster_status WHERE has_left IS NULL OR on_leave IS NULL
	OR not_started IS NULL OR has_left AND on_leave OR has_left AND not_started
	OR on_leave AND not_started OR has_left AND leaves_on IS NOT NULL}), 0,
	'the columns exclude each other and are never null');
refreshed();
# The lifecycle status is HiBob's own.
is(query($node, q{SELECT count(*) FROM hr.roster_status s JOIN hr.roster r USING (id)
	WHERE has_left <> (lifecycle_status = 'Terminated') OR not_started <> (lifecycle_status = 'Hired')
	   OR on_leave <> (lifecycle_status ~* 'leave')}), 0, 'the columns agree with the lifecycle status of everybody');

# --- a second call -----------------------------------------------------------

requests($sim);
my ($out, $err) = session($node, q{SELECT hibob_roster.create_roster('bob')});
is($out, 'hr.roster', 'a second call succeeds');
unlike($err, qr/NOTICE/, '... reports nothing');
is(join(' ', map { $_->{endpoint} } requests($sim)), '/company/people/fields', '... and reads no people');
query($node, q{CREATE ROLE reader; GRANT USAGE ON SCHEMA hr TO reader; GRANT SELECT ON hr.org_chart TO reader});
tell($sim, 'config', { extra_custom_fields => 3 });
my $versions = query($node, 'SELECT count(*) FROM hr.roster_history');
($out, $err) = session($node, q{SELECT hibob_roster.create_roster('bob')});
like($err, qr/NOTICE:  00000: new columns of hr\.roster: extra_1, extra_2, extra_3/, 'a notice names new custom fields');
is(query($node, q{SELECT count(*), count(extra_1), count(extra_3) FROM hr.roster}), '100|100|100', '... which are columns with values');
is(query($node, 'SELECT count(extra_2) FROM hr.people'), 100, '... in people, too');
is(query($node, 'SELECT count(*) FROM hr.roster_history'), $versions, '... which does not add versions to the history');
is(query($node, q{SELECT count(*) FROM hibob_roster.changes('hr.roster', now() - interval '1 hour')
	WHERE column_name ~ 'extra'}), 0, '... nor rows to changes()');
is(query($node, 'SET ROLE reader; SELECT count(*) FROM hr.org_chart'), 100, '... and keeps privileges');
($out, $err) = session($node, q{SELECT hibob_roster.create_roster('bob')});
unlike($err, qr/NOTICE/, '... and the next call reports nothing');
# A new field whose name another column already has.
query($node, q{ALTER FOREIGN TABLE hr.people ADD COLUMN extra_4 text OPTIONS (field 'work.title')});
tell($sim, 'config', { extra_custom_fields => 4 });
($out, $err) = session($node, q{SELECT hibob_roster.create_roster('bob')});
like($err, qr/new columns of hr\.roster: extra_4_2\b/, 'a name that is taken gets a number');
# Names from field ids, in a new schema and with an imported table of people.
query($node, q{SELECT hibob_roster.create_roster('bob', 'by_id', 'id'); CREATE SCHEMA by_hand;
	IMPORT FOREIGN SCHEMA hibob LIMIT TO (people) FROM SERVER bob INTO by_hand OPTIONS (names 'id');
	SELECT hibob_roster.create_roster('bob', 'by_hand')});
foreach my $schema ('by_id', 'by_hand')
{
	is(query($node, qq{SELECT count(*) > 20, bool_and(attname ~ '^[a-z0-9_]+\$'), bool_or(attname = 'work_custom_field_1700000000006')
		FROM pg_attribute WHERE attrelid = '$schema.roster'::regclass AND attnum > 31}), 't|t|t', "ASCII names of $schema.roster");
}
is(query($node, q{SELECT count(*) > 0 FROM by_id.roster WHERE work_custom_field_1700000000006 <> ''}), 't', '... with values');
tell($sim, 'config', { extra_custom_fields => 5 });
($out, $err) = session($node, q{SELECT hibob_roster.create_roster('bob', 'by_id', 'id')});
like($err, qr/NOTICE:  00000: new columns of by_id\.roster: work_custom_field_1800000000005\n/, '... also for a new field');
is((query_error($node, q{SELECT hibob_roster.create_roster('bob', 'other', names => 'number')}))[0], 'HV024', '... other values of "names" are rejected');
tell($sim, 'config', { extra_custom_fields => 4 });
# Columns that the user has dropped, from the roster or from people as well.
query($node, q{ALTER TABLE hr.roster DROP COLUMN extra_1, DROP COLUMN extra_2, DROP COLUMN department_id;
	ALTER FOREIGN TABLE hr.people DROP COLUMN extra_2});
($out, $err) = session($node, q{SELECT hibob_roster.create_roster('bob')});
unlike($err, qr/NOTICE/, 'dropped columns are not added again');
is(query($node, q{SELECT attrelid::regclass, attname FROM pg_attribute WHERE attname ~ '^(extra_[12]|department_id)$'
	AND attrelid IN ('hr.people'::regclass, 'hr.roster'::regclass) ORDER BY 1, 2}),
	"hr.people|department_id\nhr.people|extra_1", '... from both tables');
refresh($node, 'hr.roster');
($out, $err) = session($node, q{SELECT hibob_roster.create_roster('bob')});
unlike($err, qr/NOTICE/, '... also after the next refresh');
query($node, q{ALTER FOREIGN TABLE hr.people DROP COLUMN extra_3});
is((query_error($node, q{SELECT hibob_roster.create_roster('bob')}))[0], '', 'a column that only people lacks');
is(query($node, q{SELECT count(extra_3) FROM hr.people}), 100, '... is added again to people');
# A temporary table of the same name.
is(query($node, q{CREATE TEMP TABLE people (a int); INSERT INTO people VALUES (7);
	SELECT hibob_roster.create_roster('bob'); SELECT * FROM people;
	SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind <> 't'}), "hr.roster\n7\n1",
	'a temporary table people is left alone');
# The guards also apply to the refresh of create_roster().
tell($sim, 'config', { extra_custom_fields => 5, hidden_employees => [ 1 .. 50 ] });
is((query_error($node, q{SELECT hibob_roster.create_roster('bob')}))[0], '55000', 'a second call whose refresh is refused');
is(query($node, q{SELECT count(*) FROM pg_attribute WHERE attrelid = 'hr.roster'::regclass
	AND attname = 'extra_5'}), 0, '... adds nothing');
tell($sim, 'reset');

# --- other schemas, and errors -----------------------------------------------

is(query($node, q{SELECT hibob_roster.create_roster('bob', 'Other "hr"', NULL)}), '"Other ""hr"""."roster"' =~ s/"roster"/roster/r,
	'a roster in another schema');
is(query($node, q{SELECT count(*) FROM "Other ""hr""".org_chart}), 100, '... with its chart');
query($node, q{CREATE SCHEMA older; IMPORT FOREIGN SCHEMA hibob LIMIT TO (people) FROM SERVER bob INTO older;
	ALTER FOREIGN TABLE older.people DROP COLUMN department_id, DROP COLUMN team;
	SELECT hibob_roster.create_roster('bob', 'older')});
is(query($node, q{SELECT count(DISTINCT department_id) > 1 FROM older.roster}), 't',
	'department_id is added to people without it');
is(query($node, q{SELECT count(*) FROM pg_attribute WHERE attname = 'team' AND attrelid = 'older.roster'::regclass}), 0,
	'... but not a custom field that they lack');
query($node, q{CREATE SCHEMA s1; CREATE TABLE s1.people (id text);
	CREATE SCHEMA s2; CREATE FOREIGN TABLE s2.people (id text) SERVER bob OPTIONS (resource 'people');
	CREATE SCHEMA s3; CREATE TABLE s3.roster (id text);
	CREATE SCHEMA s4; CREATE VIEW s4.org_chart AS SELECT 1 AS a;
	CREATE SCHEMA s5; IMPORT FOREIGN SCHEMA hibob LIMIT TO (people) FROM SERVER bob INTO s5;
	ALTER FOREIGN TABLE s5.people ALTER manager_id TYPE json;
	CREATE SCHEMA s6; IMPORT FOREIGN SCHEMA hibob LIMIT TO (people) FROM SERVER bob INTO s6;
	ALTER FOREIGN TABLE s6.people ALTER status TYPE jsonb;
	CREATE EXTENSION postgres_fdw; CREATE SERVER pg FOREIGN DATA WRAPPER postgres_fdw});
my @errors = (
	[ q{'nobody'}, '42704', qr/server "nobody" does not exist.*HINT: /s ],
	[ q{'pg'}, '42809', qr/not a server of hibob_fdw.*HINT: /s ],
	[ q{'bob', 's1'}, '42P07', qr/s1\.people is not the foreign table.*HINT: .*another schema/s ],
	[ q{'bob', 's2'}, '42703', qr/s2\.people lacks columns.*email.*HINT: /s ],
	[ q{'bob', 's3'}, '42704', qr/s3\.roster is not a mirror/s ],
	[ q{'bob', 's4'}, '42P07', qr/s4\.org_chart already exists.*HINT: /s ],
	[ q{'bob', 's5'}, '42883', qr/text = json\nDETAIL:  In the definition of view s5\.org_chart\.\nHINT: /s ],
	[ q{'bob', 's6'}, '22P02', qr/json\nDETAIL:  In the definition of view s6\.roster_status\.\nHINT: /s ],
);
foreach my $case (@errors)
{
	my ($sql, $expected, $pattern) = @$case;
	my ($state, $message) = query_error($node, "SELECT hibob_roster.create_roster($sql)");

	is($state, $expected, "create_roster($sql)");
	like($message, $pattern, '... with an error message');
}
tell($sim, 'config', { token => 'regenerated' });
is((query_error($node, q{SELECT hibob_roster.create_roster('bob', 'fresh')}))[0], '28000', 'an invalid token');
is(query($node, q{SELECT to_regnamespace('fresh') IS NULL}), 't', '... creates nothing');
tell($sim, 'reset');
is(query($node, q{SELECT hibob_roster.drop_mirror('hr.roster'); SELECT to_regclass('hr.org_chart') IS NULL;
	SELECT hibob_roster.create_roster('bob')}), "\nt\nhr.roster", 'drop_mirror() drops the views, and create_roster() creates them again');

$node->stop;
done_testing();
