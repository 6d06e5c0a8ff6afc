# What the TAP tests share: simulators of HiBob, a cluster with the extension,
# and queries whose error is looked at.  Everything ends with the test.
package HibobTest;

use strict;
use warnings;
use Exporter 'import';
use HTTP::Tiny;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(start_simulator new_cluster tell requests add_server
  query query_error $TOKEN);

our $TOKEN = 's3cret-canary-token';
my @simulators;

# Starts a simulator and returns its URL.
sub start_simulator
{
	my (%options) = @_;
	my $ready = PostgreSQL::Test::Utils::tempdir . '/ready';
	my @command = ('python3', 'test/simulator', '--port', 0,
		'--ready-file', $ready, '--parent-pid', $$,
		'--today', '2026-11-24');
	my $scheme = exists $options{'tls-cert'} ? 'https' : 'http';

	$options{'rate-limit'} //= 100000;
	push @command, map { ("--$_", $options{$_}) } sort keys %options;
	push @simulators,
	  IPC::Run::start(\@command, '<', \undef, '>', \my $out, '2>', \my $err);
	for (1 .. 200)
	{
		last if -s $ready;
		sleep 0.05;
	}
	my $port = slurp_file($ready);
	chomp $port;
	return "$scheme://127.0.0.1:$port";
}

# The simulator's control plane: "reset", "fault", "config".
sub tell
{
	my ($url, $command, $what) = @_;
	my $response = HTTP::Tiny->new(verify_SSL => 0)->post("$url/_sim/$command",
		{ content => defined $what ? encode_json($what) : '' });

	die "$command: $response->{status} $response->{content}"
	  unless $response->{success};
	return;
}

# The requests since the last time, as a list of hashes.
sub requests
{
	my ($url) = @_;
	my $response =
	  HTTP::Tiny->new(verify_SSL => 0)->request('DELETE', "$url/_sim/requests");

	die "requests: $response->{status}" unless $response->{success};
	return @{ decode_json($response->{content}) };
}

# A running cluster with the extension.
sub new_cluster
{
	my ($name, $conf) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init;
	$node->append_conf('postgresql.conf', $conf) if defined $conf;
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION hibob_fdw');
	return $node;
}

# A server, a mapping for the superuser, and the schema of its tables.
sub add_server
{
	my ($node, $name, $url, $options) = @_;

	$options = defined $options ? ", $options" : '';
	$node->safe_psql('postgres', qq{
		CREATE SERVER $name FOREIGN DATA WRAPPER hibob_fdw
			OPTIONS (base_url '$url/v1'$options);
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name
			OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
		CREATE SCHEMA $name;
		CREATE FOREIGN TABLE $name.people (id text, email text,
			full_name text, department text, status text, start_date date)
			SERVER $name OPTIONS (resource 'people');
	});
	return;
}

sub query
{
	my ($node, $sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

# The SQLSTATE and the message of a query that has to fail; '' if it does not.
sub query_error
{
	my ($node, $sql) = @_;
	my ($status, $out, $err) = $node->psql('postgres',
		"\\set VERBOSITY verbose\n$sql", on_error_stop => 1);

	return ('', '') if $status == 0;
	my ($state) = $err =~ /ERROR:  ([0-9A-Z]{5}):/;
	return ($state // '', $err);
}

END
{
	local $?;
	$_->kill_kill foreach @simulators;
}

1;
