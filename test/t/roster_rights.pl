# The rights of hibob_roster: an ordinary role with its own mirrors, one that
# only reads, another with mirrors of its own, a monitor, and an attacker.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use HibobTest qw(bare_cluster);
use RosterTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $sim = start_simulator(employees => 60);
my $node = bare_cluster('roster_rights');

# Runs statements as a role.
sub as { my ($role, $sql) = @_; return query($node, "SET ROLE $role; $sql"); }
sub error_as { my ($role, $sql) = @_; return query_error($node, "SET ROLE $role; $sql"); }

# --- installed by an ordinary role -------------------------------------------

$node->safe_psql('postgres', q{CREATE ROLE owner_of_db; CREATE DATABASE theirs OWNER owner_of_db});
$node->safe_psql('theirs', 'CREATE EXTENSION hibob_fdw');
is($node->safe_psql('theirs', q{SET ROLE owner_of_db; CREATE EXTENSION hibob_roster CASCADE;
	SELECT extowner::regrole FROM pg_extension WHERE extname = 'hibob_roster'}),
	'owner_of_db', 'the owner of a database installs hibob_roster if hibob_fdw is installed');
my ($status, $out, $err) = $node->psql('postgres',
	'SET ROLE owner_of_db; CREATE EXTENSION hibob_roster CASCADE');
like($err, qr/permission denied/, '... but not hibob_fdw');
is($node->safe_psql('theirs', q{SELECT extname FROM pg_extension WHERE extname ~ 'hibob' ORDER BY 1}),
	"hibob_fdw\nhibob_roster", '... the database has both extensions');

# --- roles -------------------------------------------------------------------

query($node, qq{
	CREATE EXTENSION hibob_roster CASCADE;
	CREATE ROLE hr_admin; CREATE ROLE clerk; CREATE ROLE stranger;
	CREATE ROLE hr_member IN ROLE hr_admin; CREATE ROLE monitor IN ROLE pg_monitor;
	CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw OPTIONS (base_url '$sim/v1');
	GRANT USAGE ON FOREIGN SERVER bob TO hr_admin, stranger;
	CREATE USER MAPPING FOR hr_admin SERVER bob
		OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
	CREATE USER MAPPING FOR hr_member SERVER bob
		OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
	CREATE USER MAPPING FOR stranger SERVER bob
		OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
	GRANT CREATE ON DATABASE postgres TO hr_admin, stranger;
	CREATE TABLE licence (app text, account text, monthly_cost numeric);
	GRANT SELECT ON licence TO hr_admin});
is(as('hr_admin', q{SELECT hibob_roster.create_roster('bob')}), 'hr.roster',
	'an ordinary role creates a roster');
is((error_as('hr_admin', 'CALL hibob_roster.refresh()'))[0], '', '... refreshes it');
is(as('hr_admin', 'SELECT mirror, status, rows FROM hibob_roster.health'),
	'hr.roster|healthy|60', '... and sees its health');
is(as('hr_admin', q{SELECT count(*) FROM hibob_roster.as_of(NULL::hr.roster, now());
	SELECT count(*) > 100 FROM hibob_roster.changes('hr.roster', '-infinity');
	SELECT hibob_roster.create_licence_report('licence', 'account', 'app', 'monthly_cost')}),
	"60\nt\n", '... and its history');
is(as('hr_member', 'SELECT mirror, status FROM hibob_roster.health'), 'hr.roster|healthy',
	'a member of the owner role sees the health, too');
is((error_as('hr_member', q{CALL hibob_roster.refresh()}))[0], '', '... and refreshes the roster');
is(as('hr_admin', 'SELECT count(*) FROM hibob_roster.refresh_log'), 3, '... which is logged');

# --- other roles -------------------------------------------------------------

foreach my $role ('clerk', 'stranger')
{
	foreach my $sql (q{CALL hibob_roster.refresh('hr.roster')},
		q{SELECT hibob_roster.drop_mirror('hr.roster')},
		q{SELECT hibob_roster.forget('hr.roster', '1')})
	{
		my ($state, $message) = error_as($role, $sql);
		like($state, qr/^42501$/, "$role: $sql");
	}
	is(as($role, 'TABLE hibob_roster.mirrors; TABLE hibob_roster.mirror_columns;
		TABLE hibob_roster.refresh_log; TABLE hibob_roster.health;
		TABLE hibob_roster.readable_histories; TABLE hibob_roster.readable_columns'), '',
		"$role sees no configuration, log or health");
	is((error_as($role, 'CALL hibob_roster.refresh()'))[0], '', '... and has nothing to refresh');
	is((error_as($role, q{UPDATE hibob_roster.mirrors SET max_age = '1 year'}))[0], '',
		'... or to change');
	is((error_as($role, q{DELETE FROM hibob_roster.mirrors; DELETE FROM hibob_roster.refresh_log}))[0],
		'', '... or to delete');
	is((error_as($role, q{INSERT INTO hibob_roster.refresh_log VALUES
		(16000, now(), now(), 'failed')}))[0], '42501', '... and logs nothing');
	is((error_as($role, q{INSERT INTO hibob_roster.mirrors SELECT c.oid, c.oid, 'x', '{id}', NULL,
		1, 1, '1 day' FROM pg_class c WHERE relname = 'roster' AND relkind = 'r'}))[0], '42501',
		'... and configures no mirror of others');
	is((error_as($role, 'SELECT hibob_roster.drop_orphans()'))[0], '', '... and may call drop_orphans()');
	is((error_as($role, q{SELECT * FROM hibob_roster.as_of(NULL::hr.roster, now())}))[0], '42501',
		'... but does not read the history');
}
is(as('hr_admin', q{SELECT max_age FROM hibob_roster.mirrors}), '26:00:00', 'these calls have changed nothing');
is((error_as('stranger', q{SELECT hibob_roster.create_mirror('hr.people', 'public.mine')}))[0],
	'42501', 'another role cannot mirror what it cannot read');
is((error_as('stranger', q{SELECT hibob_roster.create_roster('bob')}))[0], '42501',
	'... nor use the schema of another');
is(as('stranger', q{SELECT hibob_roster.create_roster('bob', 'mine')}), 'mine.roster',
	'it creates a roster of its own');
is(as('stranger', 'SELECT mirror FROM hibob_roster.health'), 'mine.roster', '... and sees the health of that');
is((error_as('clerk', q{SELECT hibob_roster.create_roster('bob', 'clerks')}))[0], '42501',
	'a role without USAGE on the server cannot create a roster');
is((error_as('hr_admin', q{SELECT hibob_roster.create_licence_report('licence', 'account', 'app',
	schema => 'mine')}))[0], '42501', 'no role can create a licence report on the roster of another');

# --- reading -----------------------------------------------------------------

query($node, q{GRANT USAGE ON SCHEMA hr TO clerk});
foreach my $view (qw(org_chart roster_status licence_owner licence_of_leaver
	licence_without_employee licence_unused licence_cost joiner_without_app))
{
	is((error_as('clerk', "SELECT * FROM hr.$view"))[0], '42501', "clerk may not read $view");
	query($node, "GRANT SELECT ON hr.$view TO clerk");
	is((error_as('clerk', "SELECT * FROM hr.$view"))[0], '', '... until it is granted');
}
is((error_as('clerk', 'SELECT id FROM hr.people'))[0], '42501', '... but not people');
is((error_as('clerk', 'SELECT id FROM hr.roster'))[0], '42501', '... nor the roster');
query($node, q{GRANT SELECT ON hr.roster_history TO clerk});
is(as('clerk', q{SELECT count(*) FROM hibob_roster.as_of(NULL::hr.roster, now());
	SELECT count(DISTINCT key) FROM hibob_roster.changes('hr.roster', '-infinity')}),
	"60\n60", 'a role that may read the history may use as_of() and changes()');
is(as('clerk', 'TABLE hibob_roster.mirrors'), '', '... and sees no configuration');

# --- the monitor -------------------------------------------------------------

is(as('monitor', 'SELECT mirror, status, rows FROM hibob_roster.health ORDER BY mirror::text'),
	"hr.roster|healthy|60\nmine.roster|healthy|60", 'a monitor sees the health of all');
is(as('monitor', 'SELECT count(*) FROM hibob_roster.refresh_log'), 4, '... and the log');
is(as('monitor', 'TABLE hibob_roster.mirrors'), '', '... but no configuration');
foreach my $sql (q{CALL hibob_roster.refresh('hr.roster')}, q{SELECT id FROM hr.roster},
	q{SELECT hibob_roster.drop_mirror('hr.roster')})
{
	is((error_as('monitor', $sql))[0], '42501', "... and may not: $sql");
}
is((error_as('monitor', q{DELETE FROM hibob_roster.refresh_log}))[0], '', '... and deletes');
is(query($node, 'SELECT count(*) FROM hibob_roster.refresh_log'), 4, '... no entries of the log');

# --- attacks -----------------------------------------------------------------

# A superuser's refresh() does not refresh the mirrors of others, whose triggers
# would run with the superuser's rights.
as('stranger', q{CREATE FUNCTION mine.trap() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		CREATE TABLE IF NOT EXISTS mine.trapped AS SELECT current_user AS who;
		RETURN NULL;
	END $$;
	CREATE TRIGGER trap AFTER INSERT ON mine.roster_history FOR EACH STATEMENT
		EXECUTE FUNCTION mine.trap()});
tell($sim, 'config', { hidden_employees => [3] });
is((refresh($node))[0], '', 'a superuser refreshes its own mirrors');
is(query($node, q{SELECT count(*) FROM hibob_roster.refresh_log}), 4, '... and not those of others');
is(query($node, q{SELECT to_regclass('mine.trapped') IS NULL}), 't', '... whose triggers do not run');
my ($refused, $why) = refresh($node, 'mine.roster');
is($refused, '42501', 'a superuser cannot refresh the mirror of another role by name, either');
like($why, qr/HINT: .*SET ROLE stranger/, '... with an error message');
is((error_as('stranger', 'CALL hibob_roster.refresh()'))[0], '', 'the owner refreshes it');
is(query($node, 'SELECT who FROM mine.trapped'), 'stranger', '... with its own rights');

# Objects in the caller's search_path that look like the server's.
query($node, q{CREATE SCHEMA evil AUTHORIZATION stranger});
as('stranger', q{
	SET search_path = evil, pg_catalog;
	CREATE FUNCTION evil.trap() RETURNS pg_catalog.bool LANGUAGE plpgsql AS $$
		BEGIN RAISE EXCEPTION 'trapped'; END $$;
	CREATE FUNCTION evil.compare(pg_catalog.text, pg_catalog.text)
		RETURNS pg_catalog.bool LANGUAGE sql AS 'SELECT evil.trap()';
	CREATE OPERATOR evil.= (LEFTARG = pg_catalog.text, RIGHTARG = pg_catalog.text,
		FUNCTION = evil.compare);
	CREATE OPERATOR evil.<> (LEFTARG = pg_catalog.text, RIGHTARG = pg_catalog.text,
		FUNCTION = evil.compare);
	CREATE FUNCTION evil.lower(pg_catalog.text) RETURNS pg_catalog.text
		LANGUAGE sql AS 'SELECT evil.trap()::pg_catalog.text';
	CREATE FUNCTION evil.clock_timestamp() RETURNS pg_catalog.timestamptz
		LANGUAGE sql AS 'SELECT evil.trap()::pg_catalog.text::pg_catalog.timestamptz';
	CREATE FUNCTION evil.format(pg_catalog.text, VARIADIC pg_catalog.text[]) RETURNS pg_catalog.text
		LANGUAGE sql AS 'SELECT evil.trap()::pg_catalog.text';
	CREATE FUNCTION evil.array_append(hibob_roster.refresh_log[], hibob_roster.refresh_log)
		RETURNS hibob_roster.refresh_log[] LANGUAGE sql AS
		'SELECT NULL::hibob_roster.refresh_log[] WHERE evil.trap()';
	CREATE FUNCTION evil.count(pg_catalog.text) RETURNS pg_catalog.int8
		LANGUAGE sql AS 'SELECT 1 WHERE evil.trap()';
	CREATE TABLE evil.mirrors (mirror pg_catalog.int4); CREATE TABLE evil.pg_class (oid pg_catalog.int4)});
query($node, q{GRANT USAGE ON SCHEMA evil TO PUBLIC; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA evil TO PUBLIC});
foreach my $sql (q{CALL hibob_roster.refresh()}, q{CALL hibob_roster.refresh('hr.roster')},
	q{SELECT pg_catalog.count(*) FROM hibob_roster.health},
	q{SELECT pg_catalog.count(*) FROM hibob_roster.as_of(NULL::hr.roster, pg_catalog.now())},
	q{SELECT pg_catalog.count(*) FROM hibob_roster.changes('hr.roster', '-infinity')},
	q{SELECT hibob_roster.create_roster('bob')},
	q{SELECT hibob_roster.create_licence_report('public.licence', 'account', 'app')},
	q{SELECT pg_catalog.count(*) FROM hr.licence_owner},
	q{SELECT hibob_roster.create_mirror('hr.people', 'again')},
	q{SELECT hibob_roster.forget('hr.again', '1')},
	q{SELECT hibob_roster.drop_mirror('hr.again')})
{
	is((error_as('hr_admin', "SET search_path = evil, pg_catalog; $sql"))[1], '',
		"ignores the objects of the search_path: $sql");
}
tell($sim, 'config', { token => 'regenerated' });
my ($state, $message) = error_as('hr_admin', 'SET search_path = evil, pg_catalog; CALL hibob_roster.refresh()');
is($state, '28000', '... also when it fails');
tell($sim, 'reset');

# The new owner of a mirror owns its configuration, too.
query($node, q{ALTER TABLE hr.roster OWNER TO stranger; ALTER TABLE hr.roster_history OWNER TO stranger;
	GRANT USAGE ON SCHEMA hr TO stranger; GRANT SELECT ON hr.people TO stranger});
is((error_as('hr_admin', q{CALL hibob_roster.refresh('hr.roster')}))[0], '42501',
	'the former owner of a mirror cannot refresh it');
is((error_as('stranger', q{CALL hibob_roster.refresh('hr.roster')}))[0], '', '... but the new owner can');

# A configuration that points to the table of another role.
query($node, q{CREATE TABLE treasure (LIKE hr.roster_history)});
is((error_as('stranger', q{UPDATE hibob_roster.mirrors SET history = 'public.treasure'
	WHERE mirror = 'mine.roster'::regclass}))[0], '', 'a history that belongs to another role');
is((query_error($node, q{SELECT hibob_roster.drop_mirror('mine.roster')}))[0], '42501', '... is not dropped');
is((error_as('stranger', q{CALL hibob_roster.refresh('mine.roster')}))[0], '42501', '... nor written');

# Row-level security on the mirror must not hide rows from a refresh.
as('stranger', q{ALTER TABLE hr.roster ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
	CREATE POLICY few ON hr.roster USING (employee_number < 10)});
is((error_as('stranger', q{CALL hibob_roster.refresh('hr.roster')}))[0], '42501',
	'a policy that would hide rows from the refresh is an error');
as('stranger', q{ALTER TABLE hr.roster NO FORCE ROW LEVEL SECURITY});
is((error_as('stranger', q{CALL hibob_roster.refresh('hr.roster')}))[0], '',
	'... unless it does not apply to the owner');

# --- privileges of owners only ------------------------------------------------

my $configuration = 'hibob_roster.mirrors, hibob_roster.mirror_columns, hibob_roster.refresh_log';
query($node, "REVOKE INSERT, UPDATE, DELETE ON $configuration FROM PUBLIC;
	GRANT INSERT, UPDATE, DELETE ON hibob_roster.mirrors, hibob_roster.mirror_columns TO stranger;
	GRANT INSERT, DELETE ON hibob_roster.refresh_log TO stranger");
is((error_as('clerk', "BEGIN; LOCK TABLE $configuration IN ACCESS EXCLUSIVE MODE"))[0], '42501',
	'a role without privileges cannot lock the configuration');
is((error_as('stranger', q{CALL hibob_roster.refresh('hr.roster')}))[0], '', '... and owners with privileges can refresh');
is(as('monitor', 'SELECT count(*) > 0 FROM hibob_roster.health'), 't', '... a monitor reads health');

# --- properties of the functions ---------------------------------------------

is(query($node, q{SELECT proname FROM pg_proc WHERE pronamespace = 'hibob_roster'::regnamespace
	AND prosecdef}), 'drop_orphans', 'only one function has the rights of its owner');
is(query($node, q{SELECT proname FROM pg_proc p JOIN pg_language l ON l.oid = prolang
	WHERE pronamespace = 'hibob_roster'::regnamespace AND prosqlbody IS NULL
	  AND NOT coalesce(proconfig @> '{"search_path=pg_catalog, pg_temp"}', false)}), 'refresh',
	'only one procedure does not set search_path');

$node->stop;
done_testing();
