# PgBouncer in transaction mode: 20 clients share four server connections, where
# each transaction has another role.  What a server connection keeps for a role
# (results, rejected credentials, connections to HiBob) never reaches another.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT wait_until);
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $PGBOUNCER = '/usr/sbin/pgbouncer';
my $CLIENTS = 20;
my $POOL = 4;		# server connections
my $ROUNDS = 2;		# transactions of a client, of each role

plan skip_all => 'needs pgbouncer' unless -x $PGBOUNCER;

# Accounts of different sizes, so that rows tell where they come from.
my %employees = (uk => 60, us => 40);
my %sim = map { $_ => start_simulator(employees => $employees{$_}) } keys %employees;
my $node = new_cluster('pooler', "shared_preload_libraries = 'hibob_fdw'\n");

add_server($node, $_, $sim{$_}) foreach keys %sim;
query($node, q{CREATE ROLE app LOGIN NOINHERIT});
foreach my $role ('alice', 'carol', 'dave')
{
	query($node, "CREATE ROLE $role; GRANT $role TO app;
		GRANT USAGE ON SCHEMA uk, us TO $role;
		GRANT SELECT ON uk.people, us.people TO $role");
}
# carol's token is rejected; dave may read only one of the accounts.
set_mapping(alice => uk => $TOKEN);
set_mapping(alice => us => $TOKEN);
set_mapping(carol => uk => 'rejected');
set_mapping(dave => us => $TOKEN);

sub set_mapping
{
	my ($role, $server, $token) = @_;
	query($node, "DROP USER MAPPING IF EXISTS FOR $role SERVER $server;
		CREATE USER MAPPING FOR $role SERVER $server
		OPTIONS (service_user_id 'SERVICE-5772', token '$token')");
	return;
}

# --- the pooler -----------------------------------------------------------------

# A socket in a directory, since another process could take a port.
my $dir = PostgreSQL::Test::Utils::tempdir_short;
my $port = 6432;
my ($output, $pooler) = ('');

sub start_pooler
{
	my $host = $node->host;
	my $server = $node->port;

	append_to_file("$dir/users", qq{"app" ""\n});
	append_to_file("$dir/pgbouncer.ini", qq{[databases]
postgres = host=$host port=$server
[pgbouncer]
listen_addr =
listen_port = $port
unix_socket_dir = $dir
auth_type = trust
auth_file = $dir/users
pool_mode = transaction
default_pool_size = $POOL
max_client_conn = 100
});
	$pooler = IPC::Run::start([ $PGBOUNCER, "$dir/pgbouncer.ini" ], '<', \undef,
		'>', \$output, '2>', \$output);
	wait_until('pooler', sub { return through_pooler('SELECT 1') eq '1' });
	return;
}

END
{
	local $?;
	$pooler->kill_kill if defined $pooler;
}

# Starts a client, with files, since IPC::Run would write to a pipe only when it
# waits for this process.  finish() returns what it printed.
my $clients = 0;

sub client
{
	my ($sql) = @_;
	my $file = "$dir/client" . $clients++;

	append_to_file("$file.sql", $sql);
	return [ "$file.out", IPC::Run::start([ 'psql', '-XAtq', '-v',
			'VERBOSITY=verbose', '-d',
			"host=$dir port=$port user=app dbname=postgres" ],
		'<', "$file.sql", '>', "$file.out", '2>&1') ];
}

sub finish
{
	my ($file, $process) = @{ $_[0] };

	$process->finish;
	return slurp_file($file);
}

sub through_pooler
{
	my ($sql) = @_;
	return finish(client($sql)) =~ s/\n\z//r;
}

# A transaction of a role prints "alice uk 60", or an error.
sub transaction
{
	my ($role, $server) = @_;
	return "BEGIN; SET LOCAL ROLE $role;\n"
	  . "SELECT '$role', '$server', count(email) + count(*) FILTER (WHERE email IS NULL)"
	  . " FROM $server.people \\g (fieldsep=' ')\nCOMMIT;\n";
}

# Runs the transactions in all clients at once, each in an order of its own.
# Returns how often they printed each line, where an error is its SQLSTATE.
# "meanwhile" runs while the clients do.
sub run_clients
{
	my ($transactions, $meanwhile) = @_;
	my (@clients, %lines);

	foreach my $n (0 .. $CLIENTS - 1)
	{
		my @own = (@$transactions) x $ROUNDS;
		push @own, splice @own, 0, $n % @own;
		push @clients, client(join('', map { transaction(@$_) } @own));
	}
	$meanwhile->() if defined $meanwhile;
	foreach (map { split /\n/ } map { finish($_) } @clients)
	{
		next if /^(DETAIL|HINT|CONTEXT|LOCATION|LINE|\s|WARNING|$)/;
		$lines{/ERROR:  (\w+):/ ? $1 : $_}++;
	}
	return \%lines;
}

# The numbers of requests to the servers, and of those with wrong credentials.
sub request_numbers
{
	my %requests = map { $_ => [ requests($sim{$_}) ] } keys %sim;
	return {
		wrong => scalar(grep { $_->{credentials} eq 'wrong' } map { @$_ } values %requests),
		map { my $sim = $_; ($sim => scalar grep { $_->{credentials} ne 'wrong' }
			@{ $requests{$sim} }) } keys %requests };
}

start_pooler();
# Long enough that the clients need all server connections.
HibobTest::tell($_, 'fault', { endpoint => '*', times => undef,
	stall => { seconds => 0.02 } }) foreach values %sim;
my @all = ([ 'alice', 'uk' ], [ 'alice', 'us' ], [ 'carol', 'uk' ], [ 'dave', 'us' ],
	[ 'dave', 'uk' ]);
my $times = $CLIENTS * $ROUNDS;
my %rows = ('alice uk 60' => $times, 'alice us 40' => $times, 'dave us 40' => $times);

# All server connections exist.
my @open = map { client("BEGIN; SELECT 1;\n\\! until [ -e $dir/all ]; do sleep 0.05; done\nCOMMIT;\n") }
  1 .. $POOL;
wait_until('pool', sub {
	return query($node, q{SELECT count(DISTINCT pid) FROM pg_stat_activity
		WHERE usename = 'app'}) == $POOL;
});
append_to_file("$dir/all", 'yes');
finish($_) foreach @open;

# --- nothing is kept ----------------------------------------------------------------

request_numbers();
my $lines = run_clients(\@all);
is_deeply($lines, { %rows, 28000 => $times, 42704 => $times },
	'each transaction has the rows or the error of its role');
my $numbers = request_numbers();
is_deeply([ @$numbers{ 'uk', 'us' } ], [ $times, 2 * $times ],
	'... with one request each');
ok($numbers->{wrong} >= 1 && $numbers->{wrong} <= $POOL,
	'... and rejected credentials are sent once by each server connection at most')
  or diag explain $numbers;
is(query($node, q{SELECT count(DISTINCT pid) FROM pg_stat_activity WHERE usename = 'app'}),
	$POOL, '... over the connections of the pool');
note "pgbouncer: $numbers->{uk} + $numbers->{us} requests, $numbers->{wrong} with wrong credentials";

# --- results are kept -----------------------------------------------------------------

# In each server connection for each user mapping.
query($node, "ALTER SERVER $_ OPTIONS (ADD cache_ttl '10min')") foreach keys %sim;
$lines = run_clients(\@all);
is_deeply($lines, { %rows, 28000 => $times, 42704 => $times }, 'the same with cache_ttl');
$numbers = request_numbers();
ok($numbers->{uk} >= 1 && $numbers->{uk} <= $POOL && $numbers->{us} >= 2
	&& $numbers->{us} <= 2 * $POOL && $numbers->{wrong} <= 1,
	'... with at most one request for each server connection and user mapping')
  or diag explain $numbers;
note "pgbouncer with cache_ttl: $numbers->{uk} + $numbers->{us} requests";

# --- a token changes while clients are active ---------------------------------------------

$lines = run_clients(\@all, sub {
	HibobTest::tell($sim{us}, 'config', { token => 'regenerated' });
	set_mapping(alice => us => 'regenerated');
	set_mapping(dave => us => 'regenerated');
	set_mapping(carol => uk => $TOKEN);
});
my %expected = map { $_ => 1 } keys %rows, 'carol uk 60', 28000, 42704;
is_deeply([ grep { !$expected{$_} } sort keys %$lines ], [],
	'while tokens change, there are rows or errors of the role');
request_numbers();
$lines = run_clients(\@all);
is_deeply($lines, { %rows, 'carol uk 60' => $times, 42704 => $times },
	'... and then each transaction has the new credentials');
$numbers = request_numbers();
is($numbers->{wrong}, 0, '... and no request the old ones');

# --- a client that disconnects from HiBob ---------------------------------------------------

is(through_pooler('SELECT hibob_fdw_disconnect_all() IS NOT NULL'), 't',
	'hibob_fdw_disconnect_all() in one of the connections');
$lines = run_clients([ [ 'alice', 'uk' ] ]);
is_deeply($lines, { 'alice uk 60' => $times }, '... where the next transaction reads again');
done_testing();
