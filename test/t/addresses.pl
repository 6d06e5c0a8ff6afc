# A host with several addresses: a connection succeeds if one of them works, and
# does not wait for addresses that refuse it or do not respond.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobSession;
use HibobTest qw(:DEFAULT certificate authority preload_resolver deaf_port);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $COUNT = 'SELECT count(*) FROM many.people';
# A timeout that no query may need, and the limit for a query.
my $TIMEOUT = 180;
my $QUICK = 30 * $SLOWNESS;

my $dir = PostgreSQL::Test::Utils::tempdir;
my $sim = start_simulator(certificate('DNS:many.test,IP:127.0.0.1'));
my ($port) = $sim =~ /:(\d+)$/;
my $node;
{
	local $ENV{LD_PRELOAD} = preload_resolver($dir);
	$node = new_cluster('addresses');
}
add_server($node, 'many', "https://many.test:$port",
	"connect_timeout '${TIMEOUT}s', max_retries '0', ca_file '" . authority() . "'");
add_server($node, 'few', $sim, "ca_file '" . authority() . "'");

# 127.0.0.10 to 127.0.0.29 do not answer; 127.0.0.30 to 127.0.0.99 refuse.
my @sockets;
deaf_port(\@sockets, "127.0.0.$_", $port) foreach 10 .. 29;

sub set_addresses
{
	open my $file, '>', "$dir/addresses" or die "addresses: $!";
	print $file "$_\n" foreach @_;
	close $file;
	return;
}

# ------------------------------------------------------------------------
# One of them works
# ------------------------------------------------------------------------

my $good = '127.0.0.1';
my @deaf = map { "127.0.0.$_" } 10 .. 29;
my @closed = map { "127.0.0.$_" } 30 .. 99;
my @hosts = (
	[ 'the first', $good, $deaf[0], $closed[0] ],
	[ 'the second, after one that does not answer', $deaf[0], $good ],
	[ 'the second, after one that refuses', $closed[0], $good ],
	[ 'the fourth, after three that refuse', @closed[ 0 .. 2 ], $good ],
	[ 'the fourth, after three that do not answer', @deaf[ 0 .. 2 ], $good ],
	[ 'the tenth, after nine that do not answer', @deaf[ 0 .. 8 ], $good ],
	[ 'among both kinds', @deaf[ 0 .. 1 ], @closed[ 0 .. 3 ], $good, $deaf[2] ],
	[ 'of two families', '::1', $deaf[0], $good ],
	[ 'of two families, the other way round', $deaf[0], $good, '::1' ],
);

foreach my $host (@hosts)
{
	my ($name, @addresses) = @$host;

	set_addresses(@addresses);
	my $started = time;
	is(query($node, $COUNT), '500', "$name works");
	my $took = time - $started;
	note(sprintf '%.2f s', $took);
	cmp_ok($took, '<', $QUICK, '... in time');
}

set_addresses(@deaf[ 0 .. 2 ], $good);
query($node, "ALTER SERVER many OPTIONS (SET connect_timeout '3s')");
my @short;
for (1 .. 5)		# on a busy machine, three seconds may not be enough
{
	push @short, (query_error($node, $COUNT))[0];
	last if $short[-1] eq '';
}
is($short[-1], '', 'all addresses are tried within a short timeout');

# ------------------------------------------------------------------------
# None works
# ------------------------------------------------------------------------

sub fails
{
	my ($name, $addresses, $detail) = @_;

	set_addresses(@$addresses);
	my ($state, $message) = query_error($node, $COUNT);
	is($state, 'HV00N', $name);
	like($message, $detail, '... with a detail');
	return;
}

fails('one address, which refuses', [ $closed[0] ],
	qr/Could not connect to 127\.0\.0\.30 port $port: Connection refused\./);
fails('three addresses, which refuse', [ @closed[ 0 .. 2 ] ],
	qr/port $port, the last of 3 addresses: Connection refused\./);
fails('1,000 addresses, which refuse',
	[ map { my $net = $_; map { "127.1.$net.$_" } 1 .. 100 } 1 .. 10 ],
	qr/the last of 16 addresses: Connection refused\./);
query($node, "ALTER SERVER many OPTIONS (SET connect_timeout '700ms')");
fails('addresses that do not answer', [ @deaf[ 0 .. 2 ] ],
	qr/Could not connect within 700 ms\./);
fails('addresses of both kinds', [ $deaf[0], $closed[0] ],
	qr/Could not connect within 700 ms\./);
query($node, "ALTER SERVER many OPTIONS (SET connect_timeout '${TIMEOUT}s')");

# A port without TLS: the connection succeeds, and the handshake fails.
my $plain = start_simulator();
my ($plain_port) = $plain =~ /:(\d+)$/;
deaf_port(\@sockets, $deaf[0], $plain_port);
set_addresses($deaf[0], $good);
query($node, "ALTER SERVER many OPTIONS (SET base_url 'https://many.test:$plain_port/v1')");
is((query_error($node, $COUNT))[0], 'HV00N', 'an address without TLS');
query($node, "ALTER SERVER many OPTIONS (SET base_url 'https://many.test:$port/v1')");

# ------------------------------------------------------------------------
# In a session: nothing stays open, and a cancel takes effect
# ------------------------------------------------------------------------

my $session = HibobSession->new($node);

sub descriptors
{
	my @files = glob '/proc/' . $session->backend . '/fd/*';
	return scalar grep { (readlink // '') !~ m{^/} } @files;
}

set_addresses(@deaf[ 0 .. 2 ], $good);
is(($session->run("$COUNT;"))[0], '500', 'a query in a session');
$session->run('SELECT hibob_fdw_disconnect_all();');
my $before = descriptors();

is(($session->run("$COUNT;"))[0], '500', '... and again');
is(($session->run("$COUNT;"))[0], '500', '... over the same connection');
is(($session->run('SELECT hibob_fdw_disconnect_all();'))[0], 't', '... which is closed');
is(descriptors(), $before, '... and leaves no descriptor');
set_addresses(@deaf[ 0 .. 5 ]);
foreach my $times (1 .. 3)
{
	my ($out, $err) = $session->run("BEGIN; SET LOCAL statement_timeout = '400ms'; $COUNT; ROLLBACK;");
	like($err, qr/57014/, "a timeout while nothing answers, $times");
}
$session->run('SELECT hibob_fdw_disconnect_all();');
is(descriptors(), $before, '... leaves no descriptor');

set_addresses(@closed[ 0 .. 2 ], $deaf[0], $good);
is(($session->run("$COUNT;"))[0], '500', 'the session continues');

# ------------------------------------------------------------------------
# Several at once
# ------------------------------------------------------------------------

set_addresses(@deaf[ 0 .. 1 ], $good);
my $APPEND = 'SELECT count(*) FROM (SELECT id FROM few.people
	UNION ALL SELECT id FROM many.people) AS all_people';
query($node, "ALTER SERVER $_ OPTIONS (ADD async_capable 'true')")
  foreach 'few', 'many';
like(query($node, "EXPLAIN (COSTS off) $APPEND"), qr/Async Foreign Scan/,
	'an asynchronous Append');
is(query($node, $APPEND), '1000', '... has all rows');
set_addresses(@closed[ 0 .. 1 ]);
like((query_error($node, $APPEND))[1], qr/the last of 2 addresses/, '... or the error');

$node->stop;
done_testing();
