# Retries: max_retries, and only before a row was returned.  Timeouts: what a query
# does not wait for, connect_timeout and read_timeout.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT serve session states deaf_port);
use IO::Socket::INET;
use List::Util qw(uniq);
use Test::More;
use Time::HiRes qw(sleep time);

my $sim = start_simulator();
my $node = new_cluster('retries', "max_files_per_process = 100\n");

add_server($node, 'bob', $sim, q{max_retries '0', read_timeout '1min'});

my $ALL = 'SELECT count(*), count(email) FROM bob.people';
my $PEOPLE = '500|496';

# The session continues after an error, and so does its connection.
tell($sim, 'reset');
tell($sim, 'fault', { endpoint => '*', reset => 30000 });
my ($status, $out, $err) = $node->psql('postgres', "$ALL;\n$ALL;\n$ALL;",
	on_error_stop => 0);
is($out, "$PEOPLE\n$PEOPLE", 'a session continues after an error');

# Retries, as often as max_retries says, as long as no row was returned.
query($node, q{ALTER SERVER bob OPTIONS (SET max_retries '3')});
foreach my $fault ({ status => 503, body => '' }, { reset => 'before_headers' },
	{ truncate => { after => 5, framing => 'length' } })
{
	my ($name) = keys %$fault;

	tell($sim, 'reset');
	tell($sim, 'fault', { endpoint => '*', times => 2, %$fault });
	is(query($node, $ALL), $PEOPLE, "$name: all rows");
	is(scalar requests($sim), 3, "... after two retries");
	tell($sim, 'fault', { endpoint => '*', times => 4, %$fault });
	isnt((query_error($node, $ALL))[0], '', "$name too often: an error");
	is(scalar requests($sim), 4, '... after three retries');
}
tell($sim, 'reset');
tell($sim, 'fault', { endpoint => '*', reset => 60000,
	split => { sizes => [25000], pause_ms => 100 } });
is((query_error($node, $ALL))[0], '08006', 'an error after rows were returned');
is(scalar requests($sim), 1, '... without a retry');

# Three requests because of two different faults.
tell($sim, 'reset');
requests($sim);
tell($sim, 'fault', [ { endpoint => '*', status => 503, body => '' },
		{ endpoint => '*', reset => 'before_headers' } ]);
is(query($node, $ALL), $PEOPLE, 'status 503, then a reset: all rows');
my @requests = requests($sim);
is(scalar @requests, 3, '... after three requests');
is($requests[0]{status}, 503, '... the first one got status 503');

# EXPLAIN shows requests and retries.
tell($sim, 'reset');
like(query($node, "EXPLAIN (ANALYZE) $ALL"), qr/HiBob Requests: 1\n/,
	'EXPLAIN shows the requests');
tell($sim, 'fault', { endpoint => '*', status => 500, body => '' });
like(query($node, "EXPLAIN (ANALYZE) $ALL"), qr/HiBob Retries: 1\b/,
	'EXPLAIN shows the retries');

# A body that is not needed is not waited for.
tell($sim, 'reset');
tell($sim, 'fault', { endpoint => '*', status => 503, body => 'x' x 9000,
		stall => { seconds => 300, after => 10 } });
my $started = time;
is(query($node, $ALL), $PEOPLE, 'status 503 with a body that stalls: all rows');
cmp_ok(time - $started, '<', 45 * $SLOWNESS, '... without waiting for the body');

# A TLS handshake that never ends, with a byte from time to time.
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'tcp',
	Listen => 10) or die "listen: $!";
serve($listener, sub {
	my ($client) = @_;
	my $end = time + 120;

	$client->autoflush(1);
	print { $client } "\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb";
	while (time < $end)
	{
		print { $client } "\x03" or last;
		sleep 0.0005;
	}
});
add_server($node, 'drip', 'https://127.0.0.1:' . $listener->sockport,
	q{max_retries '0', connect_timeout '500ms'});
$started = time;
is((query_error($node, 'SELECT count(*) FROM drip.people'))[0], 'HV00N',
	'an endless TLS handshake: an error');
cmp_ok(time - $started, '<', 60 * $SLOWNESS, '... after connect_timeout');

# A cancel while connecting leaves no descriptor: there are fewer than thirty.
my @sockets;
add_server($node, 'deaf', 'http://127.0.0.1:' . deaf_port(\@sockets),
	q{max_retries '0', connect_timeout '30s'});
my (undef, $errors) = session($node, "SET statement_timeout = '40ms';\n"
	  . "SELECT count(*) FROM deaf.people;\n" x 60);
is_deeply([ uniq states($errors) ], ['57014'], 'sixty cancelled connections');
is(scalar(() = states($errors)), 60, "... all of them by the timeout");

done_testing();
