# hibob_roster.create_mirror() and drop_mirror(): tables of every kind, names
# that need quotes, several servers, and errors.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use HibobTest qw(differences session);
use RosterTest;
use PostgreSQL::Test::Utils;
use Test::More;

my ($node, $sim) = roster_cluster('roster_mirror', employees => 40);

query($node, q{CREATE SCHEMA hr;
	IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr
		OPTIONS (custom_tables 'true', reports 'true')});

# --- every resource with a key -----------------------------------------------

# Keys that do not follow from the columns "id" and "employee_id".
my %key = (named_lists => 'list,id');
my @tables = split /\n/, query($node, q{SELECT relname FROM pg_class
	WHERE relkind = 'f' AND relnamespace = 'hr'::regnamespace
	  AND relname !~ 'report|same_label|headcount|audit|nobody|changes' ORDER BY 1});
cmp_ok(scalar @tables, '>', 20, 'tables to mirror');
foreach my $table (@tables)
{
	my ($default) = query($node, qq{SELECT CASE WHEN NOT coalesce(bool_or(attname = 'id'), false) THEN ''
		WHEN count(*) = 2 THEN 'employee_id,id' ELSE 'id' END FROM pg_attribute WHERE attrelid = 'hr."$table"'::regclass
		AND attname IN ('employee_id', 'id') AND (attnotnull OR attname = 'id')});
	my $key = $key{$table} // $default // '';

	if ($key eq '')
	{
		is((query_error($node, qq{SELECT hibob_roster.create_mirror('hr."$table"', 'm')}))[0],
			'42703', "$table has no key");
		next;
	}
	is(query($node, qq{SELECT hibob_roster.create_mirror('hr."$table"', 'hr.m')}), 'hr.m',
		"$table is mirrored");
	is(differences($node, 'TABLE hr.m', qq{TABLE hr."$table"}), '', '... every row')
	  if $table !~ /^(?:employment_history|.*_table.*|fields|custom_tables|reports)$/;
	is(query($node, q{SELECT array_to_string(key_columns, ',') FROM hibob_roster.mirrors
		WHERE mirror = 'hr.m'::regclass}), $key, "... by $key");
	is(query($node, qq{SELECT attname, atttypid::regtype FROM pg_attribute
		WHERE attrelid = 'hr.m'::regclass AND attnum > 0 ORDER BY attnum}),
		query($node, qq{SELECT attname, atttypid::regtype FROM pg_attribute
		WHERE attrelid = 'hr."$table"'::regclass AND attnum > 0 ORDER BY attnum}),
		'... with its columns');
	is((refresh($node, 'hr.m'))[0], '', '... a refresh succeeds');
	is(last_entry($node, 'hr.m', 'added + changed + removed'), 0, '... and changes nothing');
	query($node, q{SELECT hibob_roster.drop_mirror('hr.m')});
}
is(query($node, q{SELECT to_regclass('hr.m') IS NULL AND to_regclass('hr.m_history') IS NULL
	AND NOT EXISTS (TABLE hibob_roster.mirrors) AND NOT EXISTS (TABLE hibob_roster.mirror_columns)
	AND NOT EXISTS (TABLE hibob_roster.refresh_log)}), 't', 'drop_mirror() leaves nothing');

# Reports and time off with a key that the user specifies.
is(query($node, q{SELECT hibob_roster.create_mirror('hr.headcount', 'r', ARRAY['id'])}),
	'hr.r', 'a report is mirrored') or diag(query($node, q{SELECT string_agg(attname, ',')
	FROM pg_attribute WHERE attrelid = 'hr.headcount'::regclass AND attnum > 0}));
is(differences($node, 'TABLE hr.r', 'TABLE hr.headcount'), '', '... every row');
query($node, q{CREATE VIEW hr.absence AS SELECT * FROM hr.time_off
	WHERE end_date >= '2026-11-01' AND start_date <= '2026-12-31' AND "date" IS NULL;
	SELECT hibob_roster.create_mirror('hr.absence', 'a', ARRAY['request_id'])});
is(differences($node, 'TABLE hr.a', 'TABLE hr.absence'), '', 'a view with the required range is mirrored');
is((query_error($node, q{SELECT hibob_roster.create_mirror('hr.time_off', 't',
	ARRAY['request_id'])}))[0], 'HV00L', 'without a range, the error of hibob_fdw is raised');

# --- the tables that create_mirror() creates ---------------------------------

query($node, q{SELECT hibob_fdw_comment_columns('hr');
	COMMENT ON COLUMN hr.people.site IS 'where it''s "at"';
	ALTER FOREIGN TABLE hr.people ALTER email SET NOT NULL;
	ALTER FOREIGN TABLE hr.people ALTER email DROP NOT NULL,
		ALTER status SET NOT NULL});
is(query($node, q{SELECT hibob_roster.create_mirror('hr.people',
	columns => ARRAY['status', 'email', 'site', 'manager_id'])}), 'hr.people_mirror',
	'the default name of a mirror');
is(query($node, q{SELECT attname, atttypid::regtype, attnotnull,
		col_description(attrelid, attnum) FROM pg_attribute
	WHERE attrelid = 'hr.people_mirror'::regclass AND attnum > 0 ORDER BY attnum}),
	query($node, q{SELECT attname, atttypid::regtype, attnotnull,
		col_description(attrelid, attnum) FROM pg_attribute
	WHERE attrelid = 'hr.people'::regclass AND attname IN
		('id', 'status', 'email', 'site', 'manager_id') ORDER BY attnum}),
	'a mirror has types, NOT NULL and comments of the source, and its key');
is(query($node, q{SELECT pg_get_indexdef(indexrelid) FROM pg_index
	WHERE indrelid = 'hr.people_mirror'::regclass ORDER BY 1}),
	'CREATE INDEX people_mirror_lower_idx ON hr.people_mirror USING btree (lower(email))
CREATE INDEX people_mirror_manager_id_idx ON hr.people_mirror USING btree (manager_id)
CREATE INDEX people_mirror_status_idx ON hr.people_mirror USING btree (status)
CREATE UNIQUE INDEX people_mirror_pkey ON hr.people_mirror USING btree (id)', '... and indexes');
is(query($node, q{SELECT attname, format_type(atttypid, atttypmod), attnotnull
	FROM pg_attribute WHERE attrelid = 'hr.people_mirror_history'::regclass AND attnum > 0
	ORDER BY attnum}), 'id|text|t
email|text|f
site|text|f
manager_id|text|f
status|text|f
valid_from|timestamp with time zone|t
valid_to|timestamp with time zone|f
change|text|t', 'the columns of the history');
is(query($node, q{SELECT max_removed_percent, max_emptied_percent, max_age, keep_history
	FROM hibob_roster.mirrors WHERE mirror = 'hr.people_mirror'::regclass}),
	'20|20|26:00:00|', 'the default settings');
my $arguments = query($node, q{SELECT proname, pg_get_function_arguments(oid),
	pg_get_function_result(oid) FROM pg_proc WHERE pronamespace = 'hibob_roster'::regnamespace
	AND proname IN ('create_mirror', 'drop_mirror', 'refresh', 'create_roster',
		'create_licence_report', 'schedule', 'unschedule') ORDER BY 1});
is($arguments, q{create_licence_report|licences regclass, account text, app text, cost text DEFAULT NULL::text, last_used text DEFAULT NULL::text, schema name DEFAULT 'hr'::name, cost_centre text DEFAULT NULL::text|void
create_mirror|source regclass, name text DEFAULT NULL::text, key text[] DEFAULT NULL::text[], columns text[] DEFAULT NULL::text[], history boolean DEFAULT true, max_removed_percent numeric DEFAULT 20, max_emptied_percent numeric DEFAULT 20, max_age interval DEFAULT '26:00:00'::interval, keep_history interval DEFAULT NULL::interval|regclass
create_roster|server name, schema name DEFAULT 'hr'::name, names text DEFAULT 'label'::text|regclass
drop_mirror|mirror regclass|void
refresh|IN mirror regclass DEFAULT NULL::regclass, IN force boolean DEFAULT false|
schedule|cron text|bigint
unschedule||boolean}, 'the functions\' arguments, defaults and results');

# --- names -------------------------------------------------------------------

my $long = 'n' x 55;
query($node, q{CREATE SCHEMA "We""ird ö"; CREATE SCHEMA other;
	CREATE FOREIGN TABLE "We""ird ö"."Sel""ect" ("i""d" text OPTIONS (field 'root.id') NOT NULL,
		"e mail" text OPTIONS (field 'root.email'), "sélect%s" text OPTIONS (field 'work.site'))
		SERVER bob OPTIONS (resource 'people')});
foreach my $name ('other.plain', 'UnQuoted', '"We""ird ö"."A ""mirror"" %s"', "other.$long")
{
	my $source = q{'"We""ird ö"."Sel""ect"'};
	my $mirror = query($node, qq{SELECT hibob_roster.create_mirror($source, '$name',
		ARRAY['i"d'])});

	my $expected = $name eq 'UnQuoted' ? '"We""ird ö".unquoted' : $name;
	is($mirror, $expected, "a mirror $name");
	is((refresh($node, $mirror))[0], '', '... a refresh succeeds');
	hide($sim, 3);
	is((refresh($node, $mirror))[0], '', '... also with a change');
	is(query($node, qq{SELECT count(*), count(DISTINCT column_name), min(change)
		FROM hibob_roster.changes('$mirror', now() - interval '1 hour') WHERE change = 'removed'}),
		'3|3|removed', '... changes() shows it');
	is(query($node, qq{SELECT count(*) FROM hibob_roster.as_of(NULL::$mirror, now())}), 39,
		'... and so does as_of()');
	hide($sim);
	query($node, qq{SELECT hibob_roster.drop_mirror('$mirror')});
}

# Columns named like an alias in the statement of a refresh.
my @inner = qw(no kind mirror key name present is_repeated c1 m s d h v moment go filled emptied count columns change
	valid_from valid_to old new since until at value closed opened);
query($node, 'CREATE TABLE inner_names (id text, ' . join(', ', map { qq{"$_" text} } @inner) . ');'
	. q{INSERT INTO inner_names (id, kind, no) SELECT i, 'k', 'n' FROM generate_series(1, 20) i;
	CREATE VIEW inner_view AS TABLE inner_names;
	SELECT hibob_roster.create_mirror('inner_view', 'inner_bare', history => false);
	CREATE VIEW inner_less AS SELECT } . join(', ', 'id', map { qq{"$_"} } grep { !/^(?:valid|change)/ } @inner)
	. q{ FROM inner_names; SELECT hibob_roster.create_mirror('inner_less', 'inner_mirror')});
query($node, q{UPDATE inner_names SET kind = 'l', "key" = 'k' WHERE id = '1'; DELETE FROM inner_names WHERE id = '2';
	UPDATE inner_names SET no = NULL WHERE id::int > 17});
foreach my $mirror ('inner_bare', 'inner_mirror')
{
	is(outcome($node, $mirror), 'success 0 added 4 changed 1 removed 0 returned', "$mirror is refreshed");
}
is(query($node, q{SELECT string_agg(column_name || ' ' || new_value, ', ' ORDER BY column_name)
	FROM hibob_roster.changes('inner_mirror', now() - interval '1 hour') WHERE change = 'changed'}),
	'key k, kind l', '... with its changes');
query($node, q{UPDATE inner_names SET no = NULL});
my ($refused, $why) = refresh($node, 'inner_mirror');
is($refused, '55000', '... the guards work');
like($why, qr/16 of 16 values \(100 %\) of column "no"/, '... with an error message');

# Types whose values cannot be compared, in columns that would have an index.
query($node, q{CREATE TABLE uncomparable (id int, email json, status json, manager_id xml, employee_id point);
	INSERT INTO uncomparable SELECT i, '"a@b"', '{"a":  1}', '<a/>', '(1,2)' FROM generate_series(1, 8) i;
	CREATE VIEW uncomparable_view AS TABLE uncomparable});
is(query($node, q{SELECT hibob_roster.create_mirror('uncomparable_view', 'json_mirror', '{id}')}), 'json_mirror',
	'columns of types such as json');
query($node, q{UPDATE uncomparable SET status = '{"a": 1}' WHERE id = 1; DELETE FROM uncomparable WHERE id = 2});
is(outcome($node, 'json_mirror'), 'success 0 added 1 changed 1 removed 0 returned', '... are refreshed');
my ($keyless, $reason) = query_error($node, q{SELECT hibob_roster.create_mirror('uncomparable_view', 'm', '{id,status}')});
is($keyless, '42704', '... and cannot be part of the key');
like($reason, qr/type json .*HINT:  .*other columns as the key/s, '... with an error message');

# As many columns as a mirror with history may have.
query($node, q{SELECT format('CREATE TABLE wide (id text, %s)', string_agg('c' || i || ' text', ', '))
	FROM generate_series(1, 1596) i \gexec
	INSERT INTO wide (id) SELECT i FROM generate_series(1, 8) i; CREATE VIEW wide_view AS TABLE wide;
	SELECT hibob_roster.create_mirror('wide_view', 'wide_mirror');
	UPDATE wide SET c1596 = 'x' WHERE id = '1'});
is(outcome($node, 'wide_mirror'), 'success 0 added 1 changed 0 removed 0 returned', 'a mirror may have 1597 columns');

# --- several servers, and several accounts in one table ----------------------

my $other = start_simulator(employees => 7);
add_bob($node, $other, 'other_bob');
query($node, q{IMPORT FOREIGN SCHEMA hibob LIMIT TO (people) FROM SERVER other_bob INTO other;
	SELECT hibob_roster.create_mirror('other.people', 'roster');
	CREATE TABLE hr.all_people (company text NOT NULL, id text NOT NULL, email text)
		PARTITION BY LIST (company);
	CREATE FOREIGN TABLE hr.all_a PARTITION OF hr.all_people FOR VALUES IN ('a')
		SERVER bob OPTIONS (resource 'people');
	CREATE FOREIGN TABLE hr.all_b PARTITION OF hr.all_people FOR VALUES IN ('b')
		SERVER other_bob OPTIONS (resource 'people');
	ALTER FOREIGN TABLE hr.all_a ALTER company OPTIONS (field 'root.companyId');
	ALTER FOREIGN TABLE hr.all_b ALTER company OPTIONS (field 'root.companyId')});
is(query($node, 'SELECT count(*) FROM other.roster'), 7, 'a mirror of another server');
tell($sim, 'config', { overrides => { map { $_ => { 'root.companyId' => 'a' } } 1 .. 40 } });
tell($other, 'config', { overrides => { map { $_ => { 'root.companyId' => 'b' } } 1 .. 7 } });
query($node, q{SELECT hibob_roster.create_mirror('hr.all_people', 'everybody',
	ARRAY['company', 'id'])});
is(query($node, 'SELECT company, count(*) FROM hr.everybody GROUP BY 1 ORDER BY 1'),
	"a|40\nb|7", 'a mirror of several accounts');

# --- publications, and settings that change names ----------------------------

query($node, q{CREATE PUBLICATION everything FOR ALL TABLES});
foreach my $settings ('', 'SET quote_all_identifiers = on;')
{
	query($node, "$settings SELECT hibob_roster.create_mirror('hr.people', 'published', columns => '{site}')");
	hide($sim, 3);
	is((query_error($node, "$settings CALL hibob_roster.refresh('hr.published')"))[0], '',
		"a refresh while all tables are published $settings");
	is(last_entry($node, 'hr.published', 'outcome, removed'), 'success|1', '... removes a row');
	is((query_error($node, "$settings DELETE FROM hibob_roster.refresh_log; SELECT hibob_roster.drop_mirror('hr.published')"))[0], '',
		'... the log can be deleted, and the mirror dropped');
	hide($sim);
}
query($node, 'DROP PUBLICATION everything');

# --- errors ------------------------------------------------------------------

query($node, q{CREATE TABLE local (id text); CREATE FOREIGN TABLE hr.history_names
	(id text NOT NULL, valid_from text OPTIONS (field 'work.site'))
	SERVER bob OPTIONS (resource 'people')});
my @errors = (
	[ q{NULL}, '22004', qr/must not be null/ ],
	[ q{'local'}, '42809', qr/is not a foreign table of hibob_fdw.*HINT: /s ],
	[ q{'hr.people', 'a.b.c'}, '42602', qr/"a\.b\.c" is not the name.*HINT: /s ],
	[ q{'hr.people', 'a b'}, '42602', qr/"a b" is not the name.*HINT: /s ],
	[ q{'hr.people', 'pg_temp.m'}, '0A000', qr/temporary.*HINT: /s ],
	[ q{'hr.people', ''}, '42602', qr/is not the name/ ],
	[ qq{'hr.people', 'n$long'}, '42622', qr/too long.*HINT: .*55 bytes/s ],
	[ q{'hr.people', 'nowhere.m'}, '3F000', qr/nowhere/ ],
	[ q{'hr.people', 'people'}, '42P07', qr/hr\.people already exists.*HINT: /s ],
	[ q{'hr.people', 'people_mirror'}, '42P07', qr/already exists.*HINT: /s ],
	[ q{'hr.people', 'work'}, '42P07', qr/hr\.work_history already exists.*HINT: /s ],
	[ q{'hr.people', 'm', ARRAY['nobody']}, '42703', qr/no column "nobody".*HINT:  Its columns are: id, email/s ],
	[ q{'hr.people', 'm', ARRAY[]::text[]}, '22023', qr/key.*HINT: /s ],
	[ q{'hr.people', 'm', ARRAY['id', 'id']}, '22023', qr/key.*HINT: /s ],
	[ q{'hr.people', 'm', ARRAY[NULL]}, '42703', qr/./ ],
	[ q{'hr.people', 'm', columns => ARRAY['emial']}, '42703', qr/no column "emial"/ ],
	[ q{'hr.people', 'm', key => ARRAY['site']}, '23505', qr/several rows with the same key: \(site\)/ ],
	[ q{'hr.people', 'm', key => ARRAY['termination_date']}, '23502', qr/with a null key \(termination_date\)/ ],
	[ q{'hr.history_names', 'm'}, '42701', qr/"valid_from".*HINT: /s ],
	[ q{'hr.people', 'm', max_removed_percent => -1}, '23514', qr/max_removed_percent/ ],
	[ q{'hr.people', 'm', max_age => '0'}, '23514', qr/max_age/ ],
	[ q{'hr.people', 'm', keep_history => '-1 day'}, '23514', qr/keep_history/ ],
);
foreach my $case (@errors)
{
	my ($sql, $expected, $pattern) = @$case;
	my ($state, $message) = query_error($node, "SELECT hibob_roster.create_mirror($sql)");

	is($state, $expected, "create_mirror($sql)");
	like($message, $pattern, '... with an error message');
}
is((query_error($node, q{SET plpgsql.extra_errors = 'all';
	SELECT hibob_roster.create_mirror('hr.people', 'm', columns => '{emial,naem}')}))[0], '42703',
	'several columns that do not exist');
is(query($node, q{SELECT to_regclass('hr.m') IS NULL AND to_regclass('hr.m_history') IS NULL}),
	't', '... errors leave no tables');
is(query($node, q{SELECT hibob_roster.create_mirror('hr.history_names', 'm', history => false)}),
	'hr.m', 'without history every column name is allowed');
is((query_error($node, q{ALTER TABLE hr.people_mirror ADD COLUMN change text;
	ALTER FOREIGN TABLE hr.people ADD COLUMN change text OPTIONS (field 'work.site');
	CALL hibob_roster.refresh('hr.people_mirror')}))[0], '42701',
	'a column with a name that the history needs is added later');
is((query_error($node, q{SELECT hibob_roster.drop_mirror('local')}))[0], '42704', 'drop_mirror() of a table that is not a mirror');
query($node, q{CREATE VIEW reader AS SELECT * FROM hr.m});
my ($state, $message) = query_error($node, q{SELECT hibob_roster.drop_mirror('hr.m')});
is($state, '2BP01', 'drop_mirror() of a mirror on which a view depends');
is(query($node, q{SELECT count(*) FROM hibob_roster.mirrors WHERE mirror = 'hr.m'::regclass}),
	1, '... keeps the mirror');
is((refresh($node, 'hr.m'))[0], '', '... which can be refreshed');

# drop_mirror() of a mirror without history keeps a table "…_history".
query($node, q{CREATE TABLE other.plain_history (a int);
	SELECT hibob_roster.create_mirror('other.people', 'plain', history => false);
	SELECT hibob_roster.drop_mirror('other.plain')});
is(query($node, q{SELECT to_regclass('other.plain_history')}), 'other.plain_history',
	'drop_mirror() keeps a table that is not the mirror\'s history');

# A source without rows.
query($node, q{CREATE VIEW hr.no_people AS SELECT id FROM hr.people WHERE false});
my ($out, $err) = session($node, q{SELECT hibob_roster.create_mirror('hr.no_people', 'empty')});
like($err, qr/WARNING:  \S+ mirror hr\.empty is empty, since its source hr\.no_people has no rows.*HINT: .*permissions/s,
	'an empty mirror is named in a warning');
query($node, q{SELECT hibob_roster.drop_mirror('hr.empty')});

# A table that is dropped without drop_mirror().
query($node, q{DROP TABLE hr.m CASCADE});
is(query($node, q{SELECT count(*) FROM hibob_roster.health WHERE mirror::text ~ '^\d'}), 0,
	'health does not have a table that was dropped');
is(query($node, q{SELECT hibob_roster.create_mirror('hr.history_names', 'm', history => false)}),
	'hr.m', '... a mirror of that name can be created again');
is(query($node, q{SELECT count(*) FROM hibob_roster.mirrors m WHERE NOT EXISTS
	(SELECT FROM pg_class WHERE oid = m.mirror)}), 0, '... which removes the configuration of the dropped table');

$node->stop;
done_testing();
