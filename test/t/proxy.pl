# The server option proxy: requests through a proxy, and errors that name it if it
# fails.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT certificate authority silent_port serve
  preload_resolver deaf_port);
use IO::Select;
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use Test::More;

my $COUNT = 'SELECT count(*) FROM bob.people';
my $dir = PostgreSQL::Test::Utils::tempdir;
my $sim = start_simulator(certificate('IP:127.0.0.1'));
my $stranger = start_simulator(certificate('DNS:elsewhere.example'));
my ($port) = $sim =~ /:(\d+)$/;
my @sockets;
my $node;
{
	local $ENV{LD_PRELOAD} = preload_resolver($dir);
	$node = new_cluster('proxy');
}
add_server($node, 'bob', $sim, "max_retries '0', connect_timeout '1min', ca_file '"
	  . authority() . "', proxy 'http://127.0.0.1:1'");

sub listen_somewhere
{
	return IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'tcp',
		Listen => 100) || die "listen: $!";
}

sub read_head
{
	my ($client) = @_;
	my $head = '';

	while ($head !~ /\r\n\r\n/)
	{
		sysread($client, $head, 4096, length $head) || last;
	}
	return $head;
}

# A proxy that responds to every request with this text.
sub proxy_that_says
{
	my ($text) = @_;
	my $listener = listen_somewhere();

	serve($listener, sub { read_head($_[0]); print { $_[0] } $text; });
	return $listener->sockport;
}

# Forwards data between two sockets until one of them closes.
sub relay
{
	my @both = @_;
	my $select = IO::Select->new(@both);

	for (;;)
	{
		foreach my $from ($select->can_read)
		{
			my ($to) = grep { $_ != $from } @both;
			my $bytes;

			sysread($from, $bytes, 65536) || return;
			while (length $bytes)
			{
				my $sent = syswrite($to, $bytes) || return;
				substr($bytes, 0, $sent) = '';
			}
		}
	}
}

# A proxy that connects, and adds some headers to its response.
sub proxy_that_works
{
	my (@headers) = @_;
	my $listener = listen_somewhere();

	serve($listener, sub {
		my ($client) = @_;
		my ($to) = read_head($client) =~ /^CONNECT 127\.0\.0\.1:(\d+) /;
		my $host = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
			PeerPort => $to) || return;

		print $client join("\r\n", 'HTTP/1.1 200 Connected', @headers, '', '');
		relay($client, $host);
	});
	return $listener->sockport;
}

sub set_proxy
{
	my ($url) = @_;
	query($node, "ALTER SERVER bob OPTIONS (SET proxy '$url')");
	return;
}

# ------------------------------------------------------------------------
# Failures of the proxy
# ------------------------------------------------------------------------

my ($plain_port) = start_simulator() =~ /:(\d+)$/;
my @failures = (
	[ 'nobody listens', 'http://127.0.0.1:1',
		qr/Connection refused/ ],
	[ 'a name that does not exist', 'http://nowhere.test:3128',
		qr/resolve proxy/i ],
	[ 'TLS to a plain proxy', 'https://127.0.0.1:' . proxy_that_works(), qr/./ ],
	[ 'no TLS to a proxy with TLS', "http://127.0.0.1:$port", qr/./ ],
	[ 'a proxy with a certificate for another name', $stranger,
		qr/certificate|SSL/ ],
	[ 'SOCKS to an HTTP proxy', 'socks5://127.0.0.1:' . proxy_that_works(),
		qr/./ ],
	(map { [ "status $_", 'http://127.0.0.1:'
				. proxy_that_says("HTTP/1.1 $_ No\r\nContent-Length: 0\r\n\r\n"),
			qr/$_/ ] } 403, 407, 500, 502, 503),
	[ 'a megabyte of headers', 'http://127.0.0.1:'
		  . proxy_that_says("HTTP/1.1 200 OK\r\n" . "X-Thing: 12345678\r\n" x 50000),
		qr/./ ],
	[ 'interim responses without end', 'http://127.0.0.1:'
		  . proxy_that_says("HTTP/1.1 100 Continue\r\n\r\n" x 50000), qr/./ ],
	[ 'the connection is closed', 'http://127.0.0.1:' . proxy_that_says(''),
		qr/./ ],
	[ 'no HTTP', 'http://127.0.0.1:' . proxy_that_says("220 hello\r\n\r\n"),
		qr/./ ]);

foreach my $failure (@failures)
{
	my ($name, $url, $detail) = @$failure;

	set_proxy($url);
	my ($state, $message) = query_error($node, $COUNT);
	is($state, 'HV00N', $name);
	like($message, qr/through the proxy of server "bob"/,
		'... the message names the proxy');
	like($message, qr/DETAIL:  [^\n]*$detail.*HINT:  Check the server option proxy/s,
		'... the hint names it, too');
	unlike($message, qr/Check base_url/, '... and not base_url');
}

set_proxy('http://127.0.0.1:' . silent_port(\@sockets));
query($node, "ALTER SERVER bob OPTIONS (SET connect_timeout '1s')");
my ($state, $message) = query_error($node, $COUNT);
is($state, 'HV00N', 'a proxy that sends nothing');
like($message, qr/through the proxy of server "bob"/,
	'... the message names the proxy');
query($node, "ALTER SERVER bob OPTIONS (SET connect_timeout '1min')");

# ------------------------------------------------------------------------
# A proxy that works
# ------------------------------------------------------------------------

my $good = proxy_that_works();
set_proxy("http://127.0.0.1:$good");
is(query($node, "$COUNT; $COUNT"), "500\n500", 'a proxy that works');
foreach my $header ('Content-Encoding: br', 'Content-Encoding: gzip',
	'Transfer-Encoding: gzip', 'Transfer-Encoding: chunked', 'X-Thing: 1')
{
	set_proxy('http://127.0.0.1:' . proxy_that_works($header));
	is(query($node, $COUNT), '500', "... with $header, which is the proxy's");
}

# The address of the proxy can be one of several.
deaf_port(\@sockets, '127.0.0.10', $good);
append_to_file("$dir/addresses", "127.0.0.10\n127.0.0.11\n127.0.0.1\n");
set_proxy("http://many.test:$good");
is(query($node, $COUNT), '500', '... at the third address');

# Errors of the host behind the proxy.
set_proxy("http://127.0.0.1:$good");
query($node, "ALTER SERVER bob OPTIONS (SET base_url '$stranger/v1')");
($state, $message) = query_error($node, $COUNT);
is($state, 'HV00N', 'a host with a certificate for another name');
like($message, qr/HINT:  The certificate has to match/, '... the hint');
unlike($message, qr/proxy/, '... does not mention the proxy');
query($node, "ALTER SERVER bob OPTIONS (SET base_url 'https://127.0.0.1:$plain_port/v1')");
($state, $message) = query_error($node, $COUNT);
is($state, 'HV00N', 'a host without TLS');
unlike($message, qr/proxy/, '... does not mention the proxy');

$node->stop;
done_testing();
