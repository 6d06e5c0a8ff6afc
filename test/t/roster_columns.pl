# The history of hibob_roster when the owner of a mirror changes its columns,
# when sessions with other settings refresh it, and when keep_history changes.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use HibobTest qw(session);
use RosterTest;
use PostgreSQL::Test::Utils;
use Test::More;

my ($node, $sim) = roster_cluster('roster_columns', employees => 1);

# A mirror "team" of a view that is created with other columns in each test.
query($node, q{CREATE TABLE local (id int, site text, grade int, since date);
	INSERT INTO local SELECT i, 'London', i, '2026-02-01' FROM generate_series(1, 9) i;
	CREATE VIEW source AS TABLE local;
	SELECT hibob_roster.create_mirror('source', 'team')});

sub refreshed
{
	my ($name) = @_;
	is((refresh($node, 'team'))[0], '', $name);
	is(query($node, q{SELECT count(*) FROM ((TABLE team EXCEPT ALL
		SELECT * FROM hibob_roster.as_of(NULL::team, clock_timestamp())) UNION ALL
		(SELECT * FROM hibob_roster.as_of(NULL::team, clock_timestamp()) EXCEPT ALL TABLE team)) d}),
		0, '... the current versions equal the mirror');
	return;
}

# --- columns that already have the values of the source ----------------------

query($node, q{ALTER TABLE local RENAME site TO office; ALTER TABLE team RENAME site TO office;
	DROP VIEW source; CREATE VIEW source AS TABLE local});
refreshed('a column that is renamed in source and mirror');
is(query($node, q{SELECT count(*) FROM team_history}), 9, '... adds no version');
query($node, q{ALTER TABLE local ADD note text DEFAULT 'none'; ALTER TABLE team ADD note text DEFAULT 'none';
	DROP VIEW source; CREATE VIEW source AS TABLE local; UPDATE local SET note = 'first' WHERE id = 1});
refreshed('a new column that has a default');
is(query($node, q{SELECT count(*) FROM team_history}), 9, '... adds no version, either');
query($node, q{ALTER TABLE team DROP note});
refreshed('a column that is dropped');
query($node, q{UPDATE local SET note = 'other' WHERE id = 2; ALTER TABLE team ADD note text;
	UPDATE team SET note = l.note FROM local l WHERE l.id = team.id});
refreshed('... added again, and filled manually');
is(query($node, q{SELECT id, change, note FROM team_history WHERE id IN (1, 2, 3) ORDER BY id, valid_from}),
	"1|added|first\n2|added|none\n2|changed|other\n3|added|none", '... records what changed meanwhile');

# --- keys --------------------------------------------------------------------

query($node, q{UPDATE team SET id = 100 WHERE id = 9; DELETE FROM local WHERE id = 9});
refreshed('a row that got another key in the mirror, and was deleted in the source');
is(query($node, q{SELECT change FROM team_history WHERE id = 9 ORDER BY valid_from, valid_to NULLS LAST}),
	"added\nremoved", '... is removed');
query($node, q{UPDATE team SET grade = 80 WHERE id = 8; UPDATE local SET grade = 80 WHERE id = 8;
	UPDATE hibob_roster.mirrors SET written_history = NULL WHERE mirror = 'team'::regclass});
refreshed('a value that was changed manually to that of the source, and is not in the history');
query($node, q{INSERT INTO local VALUES (9, 'London', 9, '2026-02-01', 'none')});
refreshed('... the row returns');

query($node, q{ALTER TABLE team ADD UNIQUE (grade) DEFERRABLE;
	UPDATE local SET grade = 3 - grade WHERE grade IN (1, 2)});
refreshed('a refresh that swaps two unique values');
query($node, q{ALTER TABLE team DROP CONSTRAINT team_grade_key});

query($node, q{DELETE FROM hibob_roster.mirror_columns WHERE mirror = 'team'::regclass;
	UPDATE local SET grade = 70 WHERE id = 7});
refreshed('a refresh for which all columns are new');
refreshed('... and the next one');
is(last_entry($node, 'team', 'outcome, changed'), 'success|0', '... changes nothing');

# Keys of a type that has operators of its own, in a schema of its own.
query($node, q{CREATE SCHEMA types; CREATE EXTENSION citext SCHEMA types; CREATE DOMAIN address AS types.citext;
	CREATE TABLE accounts (no int, email address, name text, PRIMARY KEY (no, email));
	INSERT INTO accounts VALUES (1, 'a@b', 'A'), (1, 'c@d', 'C'), (1, 'e@f', 'E'), (2, 'a@b', 'A');
	CREATE VIEW account_source AS TABLE accounts;
	SELECT hibob_roster.create_mirror('account_source', 'account_mirror', '{email,no}');
	UPDATE accounts SET email = 'A@b' WHERE email = 'a@b' AND no = 1;
	UPDATE accounts SET email = 'C@D', name = 'D' WHERE email = 'c@d'});
is(outcome($node, 'account_mirror'), 'success 0 added 2 changed 0 removed 0 returned',
	'keys of which only the case changes are changed rows');
is(query($node, q{TABLE account_mirror ORDER BY no, email}), "1|A\@b|A\n1|C\@D|D\n1|e\@f|E\n2|a\@b|A", '... which are written');
is(query($node, q{SELECT key, column_name, old_value, new_value FROM hibob_roster.changes('account_mirror', '-infinity')
	WHERE change = 'changed'}), "A\@b, 1|email|a\@b|A\@b\nC\@D, 1|email|c\@d|C\@D\nC\@D, 1|name|C|D", '... and in the history');
is(outcome($node, 'account_mirror'), 'success 0 added 0 changed 0 removed 0 returned', '... once');
query($node, q{DELETE FROM account_mirror WHERE no = 2; UPDATE hibob_roster.mirrors SET written_history = NULL
	WHERE mirror = 'account_mirror'::regclass; UPDATE account_mirror SET email = 'E@F' WHERE email = 'e@f';
	UPDATE accounts SET email = 'E@F' WHERE email = 'e@f'});
is(outcome($node, 'account_mirror'), 'success 1 added 0 changed 0 removed 0 returned', '... also those that were written manually');
is(query($node, q{SELECT email, change FROM account_mirror_history WHERE lower(email) = 'e@f' ORDER BY valid_from}), "e\@f|added\nE\@F|changed",
	'... which the history gets from the mirror');
is(query($node, q{SELECT hibob_roster.forget('account_mirror', 'a@B', '1')}), 2, '... and forget() erases both forms');
query($node, q{ALTER TABLE accounts DROP CONSTRAINT accounts_pkey; INSERT INTO accounts VALUES (1, 'A@B')});
like((refresh($node, 'account_mirror'))[1], qr/several rows with the same key: \(email, no\) = \(A\@B, 1\)/i,
	'... two keys that differ only in case are a duplicate');

# --- types -------------------------------------------------------------------

query($node, q{UPDATE local SET office = 'Rome'});
refreshed('other values');
query($node, q{ALTER TABLE team ALTER office TYPE varchar(5)});
my ($state, $message) = refresh($node, 'team');
is($state, '22001', 'a type that is too short for older values is an error');
like($message, qr/DETAIL:  In column "office" of public\.team_history\..*HINT: .*character varying\(5\)/s, '... with an error message');
is(last_entry($node, 'team', 'outcome, sqlstate'), 'failed|22001', '... which is logged');
is(query($node, q{SELECT DISTINCT office FROM team_history ORDER BY 1}), "London\nRome", '... and truncates no value');
is(query($node, q{SELECT DISTINCT office FROM hibob_roster.as_of(NULL::team, now())}), 'Rome', '... as_of() of a time whose values fit works');
($state, $message) = query_error($node, q{SELECT * FROM hibob_roster.as_of(NULL::team, (SELECT max(valid_from) - interval '1 microsecond' FROM team_history))});
is($state, '22001', '... as_of() of another time is an error, too');
like($message, qr/DETAIL: .*columns of public\.team .*: office\..*HINT: .*types that the values/s, '... with an error message');
query($node, q{ALTER TABLE team ALTER office TYPE int USING id});
($state, $message) = refresh($node, 'team');
is($state, '22P02', 'a type that older values cannot be converted to is an error');
like($message, qr/DETAIL:  In column "office" of public\.team_history\..*HINT: .*integer/s, '... with an error message');
query($node, q{ALTER TABLE team ALTER office TYPE varchar(10) COLLATE "C" USING NULL});
refreshed('a type that they can be converted to');
is(query($node, q{SELECT DISTINCT office FROM team_history ORDER BY 1}), "London\nRome", '... keeps all values');
is(query($node, q{SELECT attcollation::regcollation FROM pg_attribute WHERE attrelid = 'team_history'::regclass
	AND attname = 'office'}), '"C"', '... and the history gets the collation');

# as_of() converts the values as the next refresh will.
query($node, q{CREATE DOMAIN short AS text CHECK (length(value) < 7);
	CREATE TYPE mood AS ENUM ('good', 'bad');
	CREATE TABLE typed (id int, unused int, n numeric, word text, flag int, list text, mood text, was mood, json json);
	INSERT INTO typed VALUES (1, 1, 1.5, 'London', 1, '{a,b}', 'good', 'bad', '{"a":  1}');
	CREATE VIEW typed_source AS TABLE typed; SELECT hibob_roster.create_mirror('typed_source', 'typed_mirror');
	ALTER TABLE typed_mirror DROP unused;
	ALTER TABLE typed_mirror ALTER n TYPE int, ALTER word TYPE varchar(6), ALTER flag TYPE boolean USING flag::boolean,
		ALTER list TYPE varchar(1)[] USING list::varchar(1)[], ALTER mood TYPE mood USING mood::mood, ALTER was TYPE text,
		ALTER json TYPE jsonb});
my $AS_OF = q{SELECT * FROM hibob_roster.as_of(NULL::typed_mirror, now())};
is(query($node, $AS_OF), '1|2|London|t|{a,b}|good|bad|{"a": 1}', 'as_of() between a change of types and the refresh');
is((refresh($node, 'typed_mirror'))[0], '', '... which succeeds');
is(query($node, $AS_OF), '1|2|London|t|{a,b}|good|bad|{"a": 1}', '... and after it');
query($node, 'ALTER TABLE typed_mirror ALTER word TYPE short');
is(query($node, "$AS_OF") =~ s/.*(London).*/$1/r, 'London', '... with the type of a domain');
query($node, 'ALTER DOMAIN short DROP CONSTRAINT short_check; ALTER DOMAIN short ADD CHECK (length(value) < 6) NOT VALID');
is((query_error($node, $AS_OF))[0], '23514', '... whose check fails');
($state, $message) = refresh($node, 'typed_mirror');
is($state, '23514', '... as the refresh does');
like($message, qr/DETAIL:  In column "word" of public\.typed_mirror_history\..*HINT: .*short/s, '... with an error message');

# --- collations --------------------------------------------------------------

SKIP: {
	skip 'PostgreSQL without ICU', 1 unless check_pg_config('#define USE_ICU 1');
	query($node, q{CREATE COLLATION either_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
		CREATE TABLE words (id text COLLATE either_case, word text COLLATE either_case, other text COLLATE "C");
		INSERT INTO words VALUES ('a', 'b', 'c'), ('x', 'y', 'z');
		CREATE VIEW words_view AS TABLE words;
		SELECT hibob_roster.create_mirror('words_view', 'word_mirror', '{id}');
		UPDATE words SET word = 'B', other = 'C' WHERE id = 'a'});
	is((refresh($node, 'word_mirror'))[0], '', 'a refresh with a collation that ignores case');
	is(query($node, q{SELECT column_name, old_value, new_value
		FROM hibob_roster.changes('word_mirror', '-infinity') WHERE change = 'changed'}),
		"word|b|B\nother|c|C", '... and changes() reports a change of case');
	# Two keys that are equal with the old collation, but not with the new one.
	query($node, q{ALTER TABLE word_mirror ALTER id TYPE text COLLATE "C"; DROP VIEW words_view;
		CREATE VIEW words_view AS SELECT id COLLATE "C" AS id, word, other FROM words
		UNION ALL VALUES ('A', 'b', 'c')});
	is((refresh($node, 'word_mirror'))[0], '', 'a refresh after the key got another collation');
	query($node, q{UPDATE words SET id = 'gone' WHERE id = 'a'});
	is((refresh($node, 'word_mirror'))[0], '', 'a refresh after one of the two keys was removed');
	is(query($node, q{SELECT id, change FROM word_mirror_history WHERE id COLLATE "C" IN ('a', 'A')
		AND (valid_to IS NULL OR change = 'removed') ORDER BY id COLLATE "C"}), "A|added\na|removed",
		'... closes the version of this key only');
}

# --- settings of the session -------------------------------------------------

# The text of a date is the same with every DateStyle.
query($node, q{ALTER TABLE team ALTER since TYPE text});
refreshed('a column of text for a date');
my $versions = query($node, 'SELECT count(*) FROM team_history');
foreach my $settings ("DateStyle = 'German'", "DateStyle = 'SQL, MDY'")
{
	is((query_error($node, "SET $settings; CALL hibob_roster.refresh('team')"))[0], '', "with $settings");
	is(last_entry($node, 'team', 'outcome, changed'), 'success|0', '... changes no row');
}
is(query($node, 'SELECT count(*) FROM team_history'), $versions, '... and adds no version');
# A time zone's abbreviation that PostgreSQL reads as another time zone.
query($node, q{ALTER TABLE team DROP note});
refreshed('a column that is dropped');
query($node, q{UPDATE local SET office = 'Oslo' WHERE id = 3; UPDATE local SET note = 'third' WHERE id = 4});
refreshed('... a change');
query($node, q{ALTER TABLE team ADD note text});
is((query_error($node, q{SET DateStyle = 'SQL, DMY'; SET TimeZone = 'Asia/Shanghai';
	CALL hibob_roster.refresh('team')}))[0], '', '... and the column is added again');
is(query($node, q{SELECT count(*) FILTER (WHERE id = 3), count(*) FILTER (WHERE id = 4)
	FROM team_history WHERE change = 'changed' AND (office = 'Oslo' OR note = 'third')}), '1|1',
	'... with one version of each row that changed meanwhile');
# Backslashes in the functions' own strings.
query($node, q{ALTER TABLE team ALTER grade TYPE text});
SKIP:
{
	skip 'PostgreSQL 19 has standard strings only', 1 if query($node, 'SHOW server_version_num') >= 190000;
	my ($out, $err) = session($node, q{SET standard_conforming_strings = off; CALL hibob_roster.refresh('team')});

	is($err, '', 'a refresh does not depend on standard_conforming_strings');
}

# --- keep_history ------------------------------------------------------------

# Make the history 40 days older.
query($node, q{UPDATE local SET office = 'Bonn'});
refreshed('another change');
query($node, q{UPDATE team_history SET valid_from = valid_from - interval '40 days';
	UPDATE team_history SET valid_to = valid_to - interval '40 days' WHERE valid_to IS NOT NULL;
	UPDATE hibob_roster.mirror_columns SET filled_since = filled_since - interval '40 days',
		filled_until = filled_until - interval '40 days' WHERE mirror = 'team'::regclass;
	CREATE TABLE moment AS SELECT min(valid_to) - interval '1 microsecond' AS at FROM team_history});
my $as_of = q{SELECT count(*) FROM hibob_roster.as_of(NULL::team, (SELECT at FROM moment))};
is(query($node, $as_of), 9, 'as_of() a month ago');
query($node, q{UPDATE hibob_roster.mirrors SET keep_history = '50 days' WHERE mirror = 'team'::regclass});
refreshed('keep_history of 50 days');
is(query($node, $as_of), 9, '... still has the rows');
query($node, q{UPDATE hibob_roster.mirrors SET keep_history = '30 days' WHERE mirror = 'team'::regclass});
refreshed('keep_history of 30 days');
is((query_error($node, $as_of))[0], '22023', '... deletes the versions');
foreach my $keep ("'50 days'", 'NULL')
{
	query($node, qq{UPDATE hibob_roster.mirrors SET keep_history = $keep WHERE mirror = 'team'::regclass});
	is((query_error($node, $as_of))[0], '22023', "... as_of() still fails with keep_history = $keep");
	is((query_error($node, q{SELECT * FROM hibob_roster.changes('team', (SELECT at FROM moment))}))[0],
		'22023', '... and so does changes()');
}
is(query($node, q{SELECT count(*) FROM hibob_roster.changes('team', '-infinity')}), 0, '... but of all times it has the rest');
query($node, q{UPDATE local SET office = 'Kyiv' WHERE id = 3});
refreshed('another change');
is(query($node, q{SELECT change, old_value, new_value FROM hibob_roster.changes('team', '-infinity')}), 'changed|Bonn|Kyiv',
	'... is in changes() of all times');
refreshed('keep_history for ever');
is(query($node, q{SELECT count(*) FROM hibob_roster.as_of(NULL::team, (SELECT history_since
	FROM hibob_roster.mirrors WHERE mirror = 'team'::regclass))}), 9, 'as_of() works from history_since on');

# --- versions that are deleted manually --------------------------------------

my ($out, $err) = session($node, q{TRUNCATE team_history; CALL hibob_roster.refresh('team')});
like($err, qr/WARNING:  \S+ history public\.team_history of mirror public\.team was empty.*HINT: .*as_of\(\)/s, 'TRUNCATE of the history: a warning');
refreshed('... and the next refresh');
is((query_error($node, q{SELECT * FROM hibob_roster.as_of(NULL::team, now() - interval '1 hour')}))[0], '22023',
	'... an earlier time is an error');
is((query_error($node, q{SELECT * FROM hibob_roster.changes('team', now() - interval '1 hour')}))[0], '22023',
	'... for changes(), too');
is(query($node, q{SELECT count(*) FROM hibob_roster.changes('team', '-infinity')}), 0, '... and no row was added');
query($node, q{UPDATE local SET grade = 60 WHERE id = 6; DELETE FROM local WHERE id = 5; TRUNCATE team});
refreshed('TRUNCATE of the mirror');
is(query($node, q{SELECT DISTINCT key, change FROM hibob_roster.changes('team', '-infinity') ORDER BY 1}), "5|removed\n6|changed",
	'... the history has what changed in HiBob');
query($node, q{DELETE FROM local WHERE id = 4; TRUNCATE team; DELETE FROM hibob_roster.refresh_log});
refreshed('... without the log');
is(query($node, q{SELECT DISTINCT key, change FROM hibob_roster.changes('team', '-infinity') ORDER BY 1}),
	"4|removed\n5|removed\n6|changed", '... too');
query($node, q{UPDATE local SET grade = 70 WHERE id = 7; TRUNCATE team, team_history});
refreshed('TRUNCATE of both');
is(query($node, q{SELECT count(*) FROM hibob_roster.changes('team', '-infinity')}), 0, '... changes() begins again');
query($node, q{UPDATE local SET grade = 71 WHERE id = 7});
refreshed('... and continues');
is(query($node, q{SELECT key, old_value, new_value FROM hibob_roster.changes('team', '-infinity')}), '7|70|71', '... with old values');

# --- a clock that was set back -----------------------------------------------

query($node, q{UPDATE team_history SET valid_from = valid_from + interval '1 year' WHERE id = 1;
	UPDATE hibob_roster.mirrors SET keep_history = '30 days' WHERE mirror = 'team'::regclass;
	UPDATE local SET grade = 72 WHERE id = 7});
my $KEPT = q{SELECT count(*) FROM team_history WHERE id = 7};
$versions = query($node, $KEPT);
is((refresh($node, 'team'))[0], '', 'a refresh whose versions begin in the future');
is(query($node, $KEPT), $versions + 1, '... with keep_history, deletes none that just ended');
is(query($node, q{SELECT count(*) FROM hibob_roster.as_of(NULL::team, now()) WHERE id = 7 AND grade = '71'}), 1,
	'... as_of() of the present still works');

$node->stop;
done_testing();
