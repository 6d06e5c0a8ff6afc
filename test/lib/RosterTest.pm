# Functions that the tests of hibob_roster share: they start a cluster with the
# extension and a server "bob", change its simulator, and check refreshes.
package RosterTest;

use strict;
use warnings;
use Exporter 'import';
use HibobTest qw(:DEFAULT bare_cluster);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(roster_cluster add_bob refresh outcome last_entry hide);

# A cluster with hibob_roster and the server bob.  The rest are options of the
# simulator.
sub roster_cluster
{
	my ($name, %options) = @_;
	my $sim = start_simulator(employees => 60, %options);
	my $node = bare_cluster($name);

	$node->safe_psql('postgres', 'CREATE EXTENSION hibob_roster CASCADE');
	add_bob($node, $sim);
	return ($node, $sim);
}

sub add_bob
{
	my ($node, $sim, $name) = @_;

	$name //= 'bob';
	$node->safe_psql('postgres', qq{
		CREATE SERVER $name FOREIGN DATA WRAPPER hibob_fdw
			OPTIONS (base_url '$sim/v1');
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name
			OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
	});
	return;
}

# The SQLSTATE and the message of a refresh; '' if it succeeds.
sub refresh
{
	my ($node, $mirror, $force) = @_;

	return query_error($node, 'CALL hibob_roster.refresh('
		  . (defined $mirror ? "'$mirror'" : 'NULL')
		  . ($force ? ', force => true)' : ')'));
}

# Columns of the newest entry in the log of a mirror.
sub last_entry
{
	my ($node, $mirror, $columns) = @_;

	return query($node, "SELECT $columns FROM hibob_roster.refresh_log
		WHERE mirror = '$mirror'::regclass ORDER BY finished_at DESC LIMIT 1");
}

# A refresh in a few words: "success 1 added 2 changed 3 removed 0 returned".
sub outcome
{
	my ($node, $mirror, $force) = @_;

	refresh($node, $mirror, $force);
	return last_entry($node, $mirror, q{concat_ws(' ', outcome,
		added || ' added', changed || ' changed', removed || ' removed',
		returned || ' returned')});
}

# Makes these employees, by number, inaccessible, and all others accessible.
sub hide
{
	my ($sim, @numbers) = @_;

	tell($sim, 'config', { hidden_employees => [ map { $_ + 0 } @numbers ] });
	return;
}

1;
