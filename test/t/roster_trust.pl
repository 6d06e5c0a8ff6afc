# hibob_roster does not trust its caller's rights and search_path, a source that
# another role created again, a mirror that is dropped meanwhile, keys that are
# equal but not identical, and names.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use RosterTest;
use PostgreSQL::Test::Utils;
use Test::More;

my ($node, $sim) = roster_cluster('roster_trust', employees => 20);

# Runs statements as a role.
sub as { my ($role, $sql) = @_; return query($node, "SET ROLE $role; $sql"); }
sub error_as { my ($role, $sql) = @_; return query_error($node, "SET ROLE $role; $sql"); }

query($node, q{CREATE ROLE owner; CREATE ROLE intruder;
	CREATE SCHEMA own AUTHORIZATION owner; CREATE SCHEMA evil AUTHORIZATION intruder;
	CREATE SCHEMA shared AUTHORIZATION owner; GRANT USAGE, CREATE ON SCHEMA shared TO intruder;
	GRANT USAGE ON SCHEMA evil TO PUBLIC});

# --- a function with the rights of a superuser -------------------------------

as('intruder', q{CREATE TABLE evil.local (id text, value text);
	CREATE VIEW evil.source AS SELECT * FROM evil.local;
	SELECT hibob_roster.create_mirror('evil.source', 'mirror');
	CREATE TABLE evil.trapped (who name);
	CREATE FUNCTION evil.trap() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN INSERT INTO evil.trapped VALUES (current_user); RETURN NULL; END $$;
	CREATE TRIGGER trap AFTER INSERT ON evil.mirror FOR EACH STATEMENT EXECUTE FUNCTION evil.trap();
	INSERT INTO evil.local VALUES ('1', 'a')});
query($node, q{CREATE FUNCTION refresh_all() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS 'BEGIN CALL hibob_roster.refresh(); END'});
is((error_as('intruder', 'SELECT refresh_all()'))[0], '', 'a superuser\'s SECURITY DEFINER function');
is(query($node, 'SELECT count(*) FROM evil.trapped'), 0, '... runs no triggers of other roles');
is((error_as('intruder', 'CALL hibob_roster.refresh()'))[0], '', 'a refresh by their owner');
is(query($node, 'SELECT DISTINCT who FROM evil.trapped'), 'intruder', '... runs them');

as('intruder', q{UPDATE evil.local SET value = 'b'});
query($node, 'TRUNCATE evil.trapped');
as('intruder', q{CREATE TRIGGER trap AFTER DELETE ON evil.mirror_history FOR EACH STATEMENT EXECUTE FUNCTION evil.trap()});
my ($state, $message) = query_error($node, q{SELECT hibob_roster.forget('evil.mirror', '1')});
is($state, '42501', 'forget() by a superuser is an error');
like($message, qr/must be owner of evil\.mirror.*HINT: .*SET ROLE intruder/s, '... with an error message');
is(query($node, 'SELECT count(*) FROM evil.trapped'), 0, '... runs no triggers, either');
is(as('intruder', q{SELECT hibob_roster.forget('evil.mirror', '1')}), '1', '... the owner may call forget()');
($state, $message) = query_error($node, q{SELECT hibob_roster.create_mirror('evil.source', 'public.theirs')});
is($state, '42501', 'a superuser cannot mirror the view of another role');
like($message, qr/must be owner of evil\.source.*HINT: .*SET ROLE intruder/s, '... with an error message');
query($node, q{CREATE VIEW given AS SELECT * FROM evil.local;
	SELECT hibob_roster.create_mirror('given', 'public.theirs'); ALTER VIEW given OWNER TO intruder});
is((refresh($node, 'theirs'))[0], '42501', '... also if its owner changes later');
query($node, q{SELECT hibob_roster.drop_mirror('theirs'); DROP VIEW given;
	CREATE ROLE other_admin SUPERUSER; CREATE TABLE plain (id text); CREATE VIEW plain_view AS TABLE plain;
	SELECT hibob_roster.create_mirror('plain_view', 'plain_mirror')});
is((error_as('other_admin', q{CALL hibob_roster.refresh('plain_mirror')}))[0], '',
	'superusers trust each other');
query($node, q{SELECT hibob_roster.drop_mirror('plain_mirror')});

# A view as history, and casts of a type, would run with the rights of the reader.
as('intruder', q{CREATE TYPE evil.mood AS ENUM ('good', 'bad');
	CREATE TABLE evil.moods (id text, mood evil.mood, was text);
	INSERT INTO evil.moods VALUES ('1', 'good', 'bad');
	CREATE VIEW evil.mood_source AS TABLE evil.moods;
	SELECT hibob_roster.create_mirror('evil.mood_source', 'mood_mirror');
	CREATE FUNCTION evil.as_text(evil.mood) RETURNS text LANGUAGE plpgsql AS $$
		BEGIN INSERT INTO evil.trapped VALUES (current_user); RETURN 'x'; END $$;
	CREATE CAST (evil.mood AS text) WITH FUNCTION evil.as_text(evil.mood) AS ASSIGNMENT;
	CREATE FUNCTION evil.as_mood(text) RETURNS evil.mood LANGUAGE plpgsql AS $$
		BEGIN INSERT INTO evil.trapped VALUES (current_user); RETURN 'good'; END $$;
	CREATE CAST (text AS evil.mood) WITH FUNCTION evil.as_mood(text) AS ASSIGNMENT});
query($node, 'TRUNCATE evil.trapped');
is(query($node, q{SELECT new_value FROM hibob_roster.changes('evil.mood_mirror', '-infinity')
	WHERE column_name = 'mood'}), 'good', 'changes() does not use casts of other roles');
as('intruder', 'ALTER TABLE evil.mood_mirror ALTER was TYPE evil.mood USING NULL');
is((query_error($node, 'SELECT * FROM hibob_roster.as_of(NULL::evil.mood_mirror, now())'))[0], '55000',
	'... nor does as_of()');
is(query($node, 'SELECT count(*) FROM evil.trapped'), 0, '... the function of the cast did not run');
as('intruder', q{CREATE VIEW evil.versions AS TABLE evil.mood_mirror_history;
	UPDATE hibob_roster.mirrors SET history = 'evil.versions' WHERE mirror = 'evil.mood_mirror'::regclass});
is((query_error($node, q{SELECT * FROM hibob_roster.changes('evil.mood_mirror', '-infinity')}))[0], '42704',
	'a history that is a view is not read');
is((error_as('intruder', q{CALL hibob_roster.refresh('evil.mood_mirror')}))[0], '42809', '... nor written');

# A history whose own columns have a type with a cast.
as('intruder', q{CREATE TYPE evil.moment AS ENUM ('then');
	CREATE FUNCTION evil.at(evil.moment) RETURNS timestamptz LANGUAGE plpgsql AS $$
		BEGIN RAISE EXCEPTION 'runs as %', current_user; END $$;
	CREATE CAST (evil.moment AS timestamptz) WITH FUNCTION evil.at(evil.moment) AS IMPLICIT;
	CREATE TABLE evil.versions_at (LIKE evil.mood_mirror, valid_from evil.moment, valid_to evil.moment, change text);
	INSERT INTO evil.versions_at (id, valid_from) VALUES ('1', 'then');
	UPDATE hibob_roster.mirrors SET history = 'evil.versions_at' WHERE mirror = 'evil.mood_mirror'::regclass});
foreach my $sql (q{SELECT * FROM hibob_roster.as_of(NULL::evil.mood_mirror, now())},
	q{SELECT * FROM hibob_roster.changes('evil.mood_mirror', now())})
{
	is((query_error($node, $sql))[0], '42704', "no cast of valid_from: $sql");
}


# A history that is another table, even the mirror itself.
as('owner', q{CREATE TABLE own.pets (id text, change text); INSERT INTO own.pets VALUES ('1', 'none');
	CREATE TABLE own.animals (id text); INSERT INTO own.animals VALUES ('1'); CREATE VIEW own.zoo AS TABLE own.animals;
	SELECT hibob_roster.create_mirror('own.zoo', 'own.zoo_mirror')});
foreach my $table ('own.pets', 'own.zoo_mirror')
{
	as('owner', qq{UPDATE hibob_roster.mirrors SET history = '$table' WHERE mirror = 'own.zoo_mirror'::regclass});
	foreach my $sql (q{CALL hibob_roster.refresh('own.zoo_mirror')}, q{SELECT hibob_roster.forget('own.zoo_mirror', '1')},
		q{SELECT hibob_roster.drop_mirror('own.zoo_mirror')})
	{
		($state, $message) = error_as('owner', $sql);
		is($state, '42809', "history $table: $sql");
		like($message, qr/DETAIL: .*valid_from.*HINT: .*mirrors/s, '... with an error message');
	}
	is(query($node, "SELECT count(*) FROM $table"), 1, '... and it keeps its rows');
}
foreach my $key ('{}', '{{id}}', '{{id},{id}}')
{
	is((error_as('owner', qq{UPDATE hibob_roster.mirrors SET key_columns = '$key'}))[0], '23514', "a key $key");
}
as('owner', q{UPDATE hibob_roster.mirrors SET history = 'own.zoo_mirror_history' WHERE mirror = 'own.zoo_mirror'::regclass;
	SELECT hibob_roster.drop_mirror('own.zoo_mirror')});

# --- types in the caller's search_path ---------------------------------------

as('intruder', q{CREATE FUNCTION evil.fail() RETURNS boolean LANGUAGE plpgsql AS
		$$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
	CREATE DOMAIN evil.text AS pg_catalog.text CHECK (evil.fail());
	CREATE DOMAIN evil.regclass AS pg_catalog.regclass CHECK (evil.fail());
	CREATE DOMAIN evil.timestamptz AS pg_catalog.timestamptz CHECK (evil.fail())});
is((error_as('owner', 'SET search_path = evil, pg_catalog; CALL hibob_roster.refresh()'))[1], '',
	'refresh() does not use types of the search_path');

# --- a source that is dropped, and created again by another role -------------

as('owner', q{CREATE TABLE own.local (id numeric, value text, tags text[]);
	INSERT INTO own.local VALUES (1.0, 'a', '{x}');
	CREATE VIEW shared.source AS SELECT * FROM own.local;
	SELECT hibob_roster.create_mirror('shared.source', 'own.mirror');
	DROP VIEW shared.source});
as('intruder', q{CREATE VIEW shared.source AS SELECT 2.0 AS id, 'theirs' AS value, NULL::text[] AS tags;
	GRANT SELECT ON shared.source TO owner});
($state, $message) = error_as('owner', 'CALL hibob_roster.refresh()');
is($state, '42501', 'another role created the source again');
like($message, qr/shared\.source.*role intruder.*HINT: .*SET source = /s, '... with an error message');
is(query($node, 'SELECT value FROM own.mirror'), 'a', '... which is not read');
is((error_as('owner', q{UPDATE hibob_roster.mirrors SET source = 'shared.source';
	CALL hibob_roster.refresh()}))[0], '', '... until the owner of the mirror accepts it');
query($node, 'DROP VIEW shared.source');
as('owner', 'CREATE VIEW shared.source AS SELECT * FROM own.local');
is((error_as('owner', 'CALL hibob_roster.refresh()'))[0], '', 'a source of the same owner is read');
query($node, 'DROP VIEW shared.source; GRANT SELECT ON own.local TO PUBLIC;
	CREATE VIEW shared.source AS SELECT * FROM own.local; GRANT SELECT ON shared.source TO owner');
is((error_as('owner', 'CALL hibob_roster.refresh()'))[0], '', '... and so is one of a superuser');

# --- keys that are equal, but not identical ----------------------------------

as('owner', 'UPDATE own.local SET id = 1.00');
is((error_as('owner', 'CALL hibob_roster.refresh()'))[0], '', 'a key with another scale');
is(query($node, 'SELECT id FROM own.mirror'), '1.00', '... is written');
is((error_as('owner', 'CALL hibob_roster.refresh()'))[0], '', '... a second refresh');
is(last_entry($node, 'own.mirror', 'changed'), 0, '... does not write it again');

# --- values that would be truncated ------------------------------------------

as('owner', q{ALTER TABLE own.mirror ALTER tags TYPE varchar(3)[]; UPDATE own.local SET tags = '{abcd}'});
is((error_as('owner', 'CALL hibob_roster.refresh()'))[0], '22001', 'a string in an array that is too long is an error');
as('owner', q{ALTER TABLE own.mirror ALTER tags TYPE text[]; CREATE DOMAIN own.code AS varchar(3);
	ALTER TABLE own.mirror ALTER value TYPE own.code});
is((error_as('owner', 'CALL hibob_roster.refresh()'))[0], '42804', '... or in a domain');
as('owner', 'ALTER TABLE own.mirror ALTER value TYPE name');
is((error_as('owner', 'CALL hibob_roster.refresh()'))[0], '42804', '... or a name');
as('owner', 'ALTER TABLE own.mirror ALTER value TYPE text');

# --- a mirror that is dropped while the others are refreshed -----------------

as('owner', q{SELECT hibob_roster.create_mirror('shared.source', 'own.next');
	SELECT hibob_roster.create_mirror('shared.source', 'own.other');
	CREATE FUNCTION own.drop_next() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN DROP TABLE own.next; RETURN NULL; END $$;
	CREATE TRIGGER drop_next AFTER INSERT ON own.mirror_history FOR EACH ROW EXECUTE FUNCTION own.drop_next();
	UPDATE own.local SET value = 'b'});
($state, $message) = error_as('owner', 'CALL hibob_roster.refresh()');
is($state, '42704', 'a mirror that is dropped during a refresh of all');
is(query($node, 'SELECT value FROM own.mirror; SELECT value FROM own.other'), "b\nb",
	'... does not stop the others');

# --- temporary sources, and names of licence columns -------------------------

is((query_error($node, q{CREATE TEMP VIEW v AS SELECT '1' AS id;
	SELECT hibob_roster.create_mirror('v')}))[0], '0A000', 'no mirror in the schema of a temporary view');
query($node, q{SELECT hibob_roster.create_roster('bob');
	CREATE TABLE licence (account text, app text, status text, licence_status text, is_unowned text);
	INSERT INTO licence VALUES ('x', 'y', 'a', 'b', 'c')});
is((query_error($node, q{SELECT hibob_roster.create_licence_report('licence', 'account', 'app')}))[1], '',
	'a licence table with columns named like those of the report');
is(query($node, 'SELECT licence_licence_status, licence_status, is_unowned FROM hr.licence_owner'),
	'a|b|c', '... are all in the view');

# --- a roster of another role ------------------------------------------------

query($node, q{ALTER TABLE hr.account_alias OWNER TO intruder});
is((query_error($node, q{SELECT hibob_roster.create_licence_report('licence', 'account', 'app')}))[0], '42501',
	'a superuser cannot create a report with the aliases of another role');
query($node, q{ALTER TABLE hr.account_alias OWNER TO CURRENT_USER; ALTER TABLE hr.roster OWNER TO intruder;
	ALTER TABLE hr.roster_history OWNER TO intruder});
is((query_error($node, q{SELECT hibob_roster.create_licence_report('licence', 'account', 'app')}))[0], '42501',
	'... nor on its roster');
is((query_error($node, q{SELECT hibob_roster.create_roster('bob')}))[0], '42501', '... nor add columns to it');
query($node, q{ALTER TABLE hr.roster OWNER TO CURRENT_USER; ALTER TABLE hr.roster_history OWNER TO CURRENT_USER;
	ALTER VIEW hr.roster_status OWNER TO intruder});
is((query_error($node, q{SELECT hibob_roster.create_roster('bob')}))[0], '42501',
	'... nor replace a view of another role');
query($node, q{DROP TABLE hr.roster CASCADE; ALTER FOREIGN TABLE hr.people OWNER TO intruder});
is((query_error($node, q{SELECT hibob_roster.create_roster('bob')}))[0], '42501',
	'... nor create one from the people of another role');

$node->stop;
done_testing();
