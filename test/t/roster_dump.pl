# pg_dump and pg_upgrade keep the configuration, the history and the log of
# hibob_roster.  Refreshes continue in the restored database.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use RosterTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($node, $sim) = roster_cluster('roster_dump', employees => 40);
my $dump = PostgreSQL::Test::Utils::tempdir . '/dump';

query($node, q{
	CREATE ROLE hr_admin;
	SELECT hibob_roster.create_roster('bob');
	CREATE SCHEMA "A schema";
	IMPORT FOREIGN SCHEMA hibob LIMIT TO (work_history) FROM SERVER bob INTO "A schema";
	SELECT hibob_roster.create_mirror('"A schema".work_history', '"A schema"."The mirror"',
		max_removed_percent => 35, max_emptied_percent => NULL, max_age => '3 days',
		keep_history => '2 years');
	SELECT hibob_roster.create_mirror('hr.people', 'hr.dropped', columns => '{site}');
	DROP TABLE hr.dropped;
	CREATE TABLE licence (app text, account text);
	INSERT INTO licence SELECT 'Mail', email FROM hr.roster WHERE email <> '';
	SELECT hibob_roster.create_licence_report('licence', 'account', 'app');
	INSERT INTO hr.account_alias VALUES ('x@private.example', '3332883884017713275', 'me'),
		('bot', NULL, 'a service')});
hide($sim, 7);
refresh($node);
tell($sim, 'config', { overrides => { 3 => { 'work.site' => 'Mars' } } });
query($node, 'ALTER TABLE hr.roster DROP COLUMN work_phone');
refresh($node);
tell($sim, 'config', { token => 'regenerated' });
refresh($node, 'hr.roster');
tell($sim, 'reset');
# Renamed after the last refresh: the dump must have the new name.
query($node, 'ALTER TABLE hr.roster_history RENAME TO roster_versions');

my $FACTS = q{
	SELECT * FROM hibob_roster.mirrors WHERE mirror::text !~ '^\d' ORDER BY mirror::text;
	SELECT * FROM hibob_roster.mirror_columns WHERE mirror::text !~ '^\d' ORDER BY mirror::text, 2, 3;
	SELECT * FROM hibob_roster.refresh_log WHERE mirror::text !~ '^\d' ORDER BY started_at;
	SELECT * FROM hibob_roster.health ORDER BY mirror::text;
	SELECT * FROM hr.roster ORDER BY id;
	SELECT * FROM hr.roster_versions ORDER BY id, valid_from;
	SELECT * FROM "A schema"."The mirror_history" ORDER BY employee_id, id, valid_from;
	SELECT * FROM hibob_roster.changes('hr.roster', (SELECT history_since
		FROM hibob_roster.mirrors WHERE mirror = 'hr.roster'::regclass)) ORDER BY 1, 3, 4;
	SELECT * FROM hr.licence_owner ORDER BY account;
	SELECT * FROM hr.org_chart ORDER BY id;
	SELECT c.relname, c.relacl, c.reloptions FROM pg_class c
	 WHERE relnamespace = 'hibob_roster'::regnamespace ORDER BY 1;
	SELECT polname, polrelid::regclass, pg_get_expr(polqual, polrelid) FROM pg_policy ORDER BY 2, 1};

sub facts
{
	my ($server, $database) = @_;
	return [ split /\n/, $server->safe_psql($database, $FACTS) ];
}

# A refresh changes only what has changed in HiBob since the dump.
sub continues
{
	my ($server, $database, $name) = @_;

	hide($sim, 7);
	tell($sim, 'config', { overrides => { 3 => { 'work.site' => 'Mars' }, 4 => { 'work.site' => 'Venus' } } });
	is($server->safe_psql($database, q{CALL hibob_roster.refresh();
		SELECT outcome, added, changed, removed, returned FROM hibob_roster.refresh_log
		 WHERE mirror = 'hr.roster'::regclass ORDER BY finished_at DESC LIMIT 1;
		SELECT change, column_name, new_value FROM hibob_roster.changes('hr.roster',
			'-infinity') WHERE new_value = 'Venus';
		SELECT DISTINCT status FROM hibob_roster.health}),
		"success|0|1|0|0\nchanged|site|Venus\nhealthy", "$name: a refresh writes only what has changed");
	is($server->safe_psql($database, q{SELECT hibob_roster.drop_mirror('hr.roster');
		SELECT hibob_roster.create_roster('bob')}), "\nhr.roster", '... mirrors can be dropped and created');
	tell($sim, 'reset');
	return;
}

my $before = facts($node, 'postgres');
cmp_ok(scalar @$before, '>', 200, 'facts to compare');
like(join("\n", @$before), qr/hr\.roster\|failing/, '... including a failure');

foreach my $format ('plain', 'custom', 'directory')
{
	my $database = "restored_$format";

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->command_ok([ 'pg_dump', '-F', $format, '-f', "$dump.$format",
			($format eq 'directory' ? ('-j', 3) : ()),
			'-d', $node->connstr('postgres') ], "$format: dumped");
	$node->command_ok($format eq 'plain'
		? [ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-o', "$dump.out",
			'-d', $node->connstr($database), '-f', "$dump.$format" ]
		: [ 'pg_restore', '-e', ($format eq 'directory' ? ('-j', 3) : ()),
			'-d', $node->connstr($database), "$dump.$format" ], "$format: restored");
	is_deeply(facts($node, $database), $before, '... with the same contents');
	continues($node, $database, $format);
}
my @configuration = slurp_file("$dump.plain") =~ /^COPY hibob_roster\..*? FROM stdin;\n(.*?)^\\\.$/gms;
is(scalar @configuration, 3, 'three tables of configuration are dumped');
unlike("@configuration", qr/^\s*\d+\t/m, '... without a row of a table that was dropped');

# A source that was renamed, and one that was dropped.
query($node, q{ALTER FOREIGN TABLE "A schema".work_history RENAME TO jobs;
	DROP FOREIGN TABLE hr.people CASCADE});
$node->safe_psql('postgres', 'CREATE DATABASE renamed');
$node->command_ok([ 'pg_dump', '-f', "$dump.renamed", '-d', $node->connstr('postgres') ],
	'a source is missing: dumped');
$node->command_ok([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-o', "$dump.out",
		'-d', $node->connstr('renamed'), '-f', "$dump.renamed" ], '... and restored');
is($node->safe_psql('renamed', q{SELECT source, source_name FROM hibob_roster.mirrors ORDER BY mirror::text}),
	qq{"A schema".jobs|"A schema".work_history\n-|hr.people}, '... without the OID of the dropped source');
is(($node->psql('renamed', q{CALL hibob_roster.refresh()}))[0], 3, '... whose mirror cannot be refreshed');
is($node->safe_psql('renamed', q{SELECT status FROM hibob_roster.health ORDER BY mirror::text}),
	"healthy\nfailing", '... while the other mirror is');
$node->safe_psql('renamed', q{IMPORT FOREIGN SCHEMA hibob LIMIT TO (people) FROM SERVER bob INTO hr;
	CALL hibob_roster.refresh()});
is($node->safe_psql('renamed', q{SELECT DISTINCT status FROM hibob_roster.health}), 'healthy',
	'... a new source of that name is used');
hide($sim, 7);
tell($sim, 'config', { overrides => { 3 => { 'work.site' => 'Mars' } } });
query($node, q{IMPORT FOREIGN SCHEMA hibob LIMIT TO (people) FROM SERVER bob INTO hr;
	CALL hibob_roster.refresh()});

# --- pg_upgrade --------------------------------------------------------------

# From this version to itself: what matters is that OIDs are kept.
SKIP:
{
	my $bindir = `pg_config --bindir`;
	chomp $bindir;
	skip 'no pg_upgrade', 4 if !-x "$bindir/pg_upgrade";
	my $upgraded = PostgreSQL::Test::Cluster->new('roster_upgraded');

	$upgraded->init;
	$before = facts($node, 'postgres');
	$node->stop;
	my $directory = PostgreSQL::Test::Utils::tempdir;
	chdir $directory or die $!;
	command_ok([ "$bindir/pg_upgrade", '--no-sync', '-d', $node->data_dir, '-D', $upgraded->data_dir,
			'-b', $bindir, '-B', $bindir, '-s', $node->host, '-p', $node->port,
			'-P', $upgraded->port ], 'pg_upgrade');
	chdir $ENV{TESTDIR} or die $!;
	$upgraded->start;
	is_deeply(facts($upgraded, 'postgres'), $before, '... keeps all contents');
	continues($upgraded, 'postgres', 'upgraded');
	$upgraded->stop;
}

done_testing();
