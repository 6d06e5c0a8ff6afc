# Retries: as often as max_retries says, as long as no row was used.  And what a
# query does not wait for, with connect_timeout and read_timeout.

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

add_server($node, 'bob', $sim, q{max_retries '0', read_timeout '1s'});

my $ALL = 'SELECT count(*), count(email) FROM bob.people';
my $PEOPLE = '500|496';

# Errors within a session leave it usable: the connection, too.
tell($sim, 'reset');
tell($sim, 'fault', { endpoint => '*', reset => 30000 });
my ($status, $out, $err) = $node->psql('postgres', "$ALL;\n$ALL;\n$ALL;",
	on_error_stop => 0);
is($out, "$PEOPLE\n$PEOPLE", 'one session goes on after an error');

# Trying again, as often as told, as long as no row was used.
query($node, q{ALTER SERVER bob OPTIONS (SET max_retries '3')});
foreach my $fault ({ status => 503, body => '' }, { reset => 'before_headers' },
	{ truncate => { after => 5, framing => 'length' } })
{
	my ($name) = keys %$fault;

	tell($sim, 'reset');
	tell($sim, 'fault', { endpoint => '*', times => 2, %$fault });
	is(query($node, $ALL), $PEOPLE, "tried again after $name");
	is(scalar requests($sim), 3, "... twice");
	tell($sim, 'fault', { endpoint => '*', times => 4, %$fault });
	isnt((query_error($node, $ALL))[0], '', "$name too often is an error");
	is(scalar requests($sim), 4, '... after three further tries');
}
tell($sim, 'reset');
tell($sim, 'fault', { endpoint => '*', reset => 60000,
	split => { sizes => [25000], pause_ms => 100 } });
is((query_error($node, $ALL))[0], '08006', 'not after rows were used');
is(scalar requests($sim), 1, '... one request');

# Three tries for two different failures.
tell($sim, 'reset');
requests($sim);
tell($sim, 'fault', [ { endpoint => '*', status => 503, body => '' },
		{ endpoint => '*', reset => 'before_headers' } ]);
is(query($node, $ALL), $PEOPLE, 'a 503, a reset, then all rows');
my @requests = requests($sim);
is(scalar @requests, 3, '... by three requests');
is($requests[0]{status}, 503, '... the first of which was the 503');

# EXPLAIN counts requests and retries.
tell($sim, 'reset');
like(query($node, "EXPLAIN (ANALYZE) $ALL"), qr/HiBob Requests: 1\n/,
	'EXPLAIN counts');
tell($sim, 'fault', { endpoint => '*', status => 500, body => '' });
like(query($node, "EXPLAIN (ANALYZE) $ALL"), qr/HiBob Retries: 1\b/,
	'EXPLAIN counts retries');

# What is thrown away is not waited for.
query($node, q{ALTER SERVER bob OPTIONS (SET read_timeout '20s')});
tell($sim, 'reset');
tell($sim, 'fault', { endpoint => '*', status => 503, body => 'x' x 9000,
		stall => { seconds => 60, after => 10 } });
my $started = time;
is(query($node, $ALL), $PEOPLE, 'an error whose body does not come');
cmp_ok(time - $started, '<', 6 * $SLOWNESS, '... is not waited for');

# Nor is who never stops to say hello, in bytes that TLS takes for a beginning.
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'tcp',
	Listen => 10) or die "listen: $!";
serve($listener, sub {
	my ($client) = @_;
	my $end = time + 20;

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
	'a dripping TLS handshake');
cmp_ok(time - $started, '<', 5 * $SLOWNESS, '... ends with connect_timeout');

# Who is given up while connecting leaves no trace: there are descriptors for
# less than thirty.
my @sockets;
add_server($node, 'deaf', 'http://127.0.0.1:' . deaf_port(\@sockets),
	q{max_retries '0', connect_timeout '30s'});
my (undef, $errors) = session($node, "SET statement_timeout = '40ms';\n"
	  . "SELECT count(*) FROM deaf.people;\n" x 60);
is_deeply([ uniq states($errors) ], ['57014'], 'sixty cancelled connections');
is(scalar(() = states($errors)), 60, "... each by the timeout");

done_testing();
