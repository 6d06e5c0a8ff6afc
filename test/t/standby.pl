# A standby: which queries work there, and that everything that writes is an error.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RosterTest;
use Test::More;

my $sim = start_simulator(employees => 60);
my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "log_min_messages = debug5\n");
$node->start;
query($node, 'CREATE EXTENSION hibob_roster CASCADE');
add_bob($node, $sim);
query($node, q{
	SELECT hibob_roster.create_roster('bob');
	CREATE TABLE hr.licence (app, account) AS
		VALUES ('Mail', 'lena.gone7@example.com');
	SELECT hibob_roster.create_licence_report('hr.licence',
		account => 'account', app => 'app')});
$node->backup('copy');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);

requests($sim);
is(query($standby, 'SELECT count(*) FROM hr.people'), 60, 'a foreign table');
is(scalar requests($sim), 1, '... makes a request');
is(query($standby, q{SELECT status FROM hibob_fdw_status('bob')}), 'healthy',
	'hibob_fdw_status()');
is(query($standby, 'SELECT count(*) FROM hr.roster'), 60, 'a mirror');
is(query($standby, 'SELECT status FROM hibob_roster.health'), 'healthy',
	'its health');
is(query($standby, 'SELECT full_name FROM hr.licence_of_leaver'), 'Lena Gone',
	'the licence report');
is(query($standby, 'SELECT count(*) FROM hibob_roster.as_of(NULL::hr.roster, now())'),
	60, 'as_of()');
is(query($standby, q{SELECT count(*) > 0
	FROM hibob_roster.changes('hr.roster', '-infinity')}), 't', 'changes()');
is(query($standby, 'SELECT hibob_fdw_disconnect_all()'), 'f',
	'hibob_fdw_disconnect_all()');

my %writes = (
	refresh => 'CALL hibob_roster.refresh()',
	create_roster => q{SELECT hibob_roster.create_roster('bob', 'hr2')},
	create_mirror => q{SELECT hibob_roster.create_mirror('hr.people', 'hr.other')},
	'IMPORT FOREIGN SCHEMA' =>
	  'IMPORT FOREIGN SCHEMA hibob LIMIT TO (tasks) FROM SERVER bob INTO hr',
	ANALYZE => 'ANALYZE hr.people');
foreach my $what (sort keys %writes)
{
	is((query_error($standby, $writes{$what}))[0], '25006', "$what is an error");
}

# Changes in HiBob and in the mapping arrive.
hide($sim, 7);
query($node, 'CALL hibob_roster.refresh()');
$node->wait_for_catchup($standby);
is(query($standby, 'SELECT left_how FROM hr.licence_of_leaver'), 'disappeared',
	'a refresh on the primary');
$standby->promote;
is(refresh($standby), '', 'after a failover it refreshes');
is(query($standby, 'SELECT status, rows FROM hibob_roster.health'), 'healthy|59',
	'... and is healthy');

done_testing();
