# Many sessions at once, against a simulator whose rate limit and token a test
# changes: each query succeeds, or fails as the test expects.
package ManySessions;

use strict;
use warnings;
use Exporter 'import';
use HibobSession;
use HibobTest qw(:DEFAULT states);
use List::Util qw(sum0);
use Test::More;
use Time::HiRes qw(time);

our @EXPORT = qw(new_load_cluster alter_mapping forget_faults start_load run_all
  check_outcomes load_row @LOADS $EMPLOYEES);

our $EMPLOYEES = 20;
# The rows of the report on all loads.
our @LOADS;

my $sim;

# A cluster with a server that neither retries nor waits.
sub new_load_cluster
{
	my ($url, $name, $conf) = @_;
	my $node = new_cluster($name, "max_connections = 80\n$conf");

	$sim = $url;
	add_server($node, 'bob', $sim, q{max_retries '0', max_rate_limit_wait '0'});
	query($node, q{
		CREATE FOREIGN TABLE bob.work (employee_id text, id bigint)
			SERVER bob OPTIONS (resource 'work_history');
		CREATE FOREIGN TABLE bob.training (employee_id text, id bigint)
			SERVER bob OPTIONS (resource 'training');
		CREATE TABLE few AS SELECT (3332883884017713238 + 37 * n)::text AS id
		  FROM generate_series(1, 12) AS n;
	});
	return $node;
}

# Each load has new credentials: what sessions share about a rate limit outlasts
# every ALTER, since HiBob continues to count.
my $token = $TOKEN;
my $turn = 0;

sub forget_faults
{
	my (%settings) = @_;
	HibobTest::tell($sim, 'reset');
	HibobTest::tell($sim, 'config', { token => $token, %settings });
	return;
}

sub alter_mapping
{
	my ($node) = @_;
	query($node, "ALTER USER MAPPING FOR CURRENT_USER SERVER bob
		OPTIONS (SET token '$token')");
	return;
}

sub start_load
{
	my ($node, $wait, %settings) = @_;

	$token = 'token-' . $turn++;
	alter_mapping($node);
	query($node, "ALTER SERVER bob OPTIONS (SET max_rate_limit_wait '$wait')");
	forget_faults(%settings);
	requests($sim);
	return;
}

# Runs the same statements in all sessions at the same time.  Returns the output,
# the SQLSTATEs and the time of each session.
sub run_all
{
	my ($sql, @sessions) = @_;
	my $started = time;
	my @results;

	$_->send($sql) foreach @sessions;
	foreach my $session (@sessions)
	{
		my ($out, $err, $trouble) = $session->receive;
		push @results, { out => $out, states => [ states($err) ],
			trouble => $trouble, took => time - $started };
	}
	return @results;
}

# Checks that each query of each session returns all rows or fails with this
# SQLSTATE.  Returns how many succeeded and how many failed.
sub check_outcomes
{
	my ($name, $queries, $state, @results) = @_;
	my @wrong = grep {
		my $rows = () = $_->{out} =~ /^$EMPLOYEES$/mg;
		defined $_->{trouble} || $rows + @{ $_->{states} } != $queries
		  || grep { $_ ne $state } @{ $_->{states} }
	} @results;
	my $refused = sum0 map { scalar @{ $_->{states} } } @results;

	is(scalar @wrong, 0, "$name: all rows, or $state");
	return ($queries * @results - $refused, $refused);
}

# Adds a row to the report; returns how many requests got status 429.
sub load_row
{
	my ($name, $what, $served, $refused, $took, @requests) = @_;
	my $many = grep { $_->{status} == 429 } @requests;

	push @LOADS, { sessions => $name, load => $what, served => $served,
		refused => $refused, requests => scalar @requests, 429 => $many,
		'longest (s)' => sprintf '%.1f', $took };
	return $many;
}

1;
