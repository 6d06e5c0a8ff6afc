# Encodings of a response: an encoding that was not requested is an error, so that
# a truncated response is never taken for a complete one.  Encodings without an
# effect, and those of interim responses, are accepted.

use strict;
use warnings;
use Compress::Raw::Zlib;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT serve);
use IO::Socket::INET;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

# A server that responds to every request with the same bytes.
my $file = PostgreSQL::Test::Utils::tempdir . '/response';
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'tcp',
	Listen => 100) || die "listen: $!";
serve($listener, sub {
	my ($client) = @_;
	my $request = '';

	while ($request !~ /\r\n\r\n/
		|| $request =~ /Content-Length: (\d+).*?\r\n\r\n(.*)/s
		&& length $2 < $1)
	{
		sysread($client, $request, 65536, length $request) || return;
	}
	print $client slurp_file($file);
	shutdown $client, 1;
	1 while sysread($client, $request, 65536);
});
my $node = new_cluster('transfer_encoding');

add_server($node, 'bob', 'http://127.0.0.1:' . $listener->sockport, "max_retries '0', read_timeout '20s'");
query($node, q{CREATE FOREIGN TABLE bob.report (a text OPTIONS (field 'a'),
	b text OPTIONS (field 'b')) SERVER bob
	OPTIONS (resource 'report', report_id '71001')});

my $csv = join '', "a,b\n", map { "$_,x$_\n" } 1 .. 1000;
my $json = encode_json({ employees => [ map { { id => "$_" } } 1 .. 1000 ] });
my %RESPONSE = (
	report => [ 'text/csv', $csv ],
	people => [ 'application/json', $json ]);

# The body in gzip, up to a flush after a number of bytes, or up to its end.
sub flushed
{
	my ($text, $bytes) = @_;
	my $stream = Compress::Raw::Zlib::Deflate->new(-WindowBits => WANT_GZIP,
		-AppendOutput => 1);
	my $out = '';

	$stream->deflate(substr($text, 0, $bytes // length $text), $out);
	$stream->flush($out, defined $bytes ? Z_SYNC_FLUSH : Z_FINISH);
	return $out;
}

sub chunked
{
	my ($body) = @_;
	return sprintf("%x\r\n", length $body) . "$body\r\n0\r\n\r\n";
}

# Sets the headers and the body of responses for a table.
sub respond_with
{
	my ($table, $headers, $body, $before) = @_;
	my ($type, $default) = @{ $RESPONSE{$table} };

	open my $out, '>:raw', $file or die "$file: $!";
	print $out $before // '', join("\r\n", 'HTTP/1.1 200 OK',
		"Content-Type: $type", @$headers, 'Connection: close', '', ''),
	  $body // $default;
	close $out;
	return;
}

sub count_rows
{
	my ($table) = @_;
	return "SELECT count(*) FROM bob.$table";
}

my %length = map { $_ => 'Content-Length: ' . length $RESPONSE{$_}[1] }
  keys %RESPONSE;

# ------------------------------------------------------------------------
# Accepted
# ------------------------------------------------------------------------

foreach my $table ('report', 'people')
{
	foreach my $headers (
		[],
		['Content-Encoding:'],
		['Content-Encoding: identity'],
		['Content-Encoding: none'],
		[ 'Content-Encoding: identity', 'Content-Encoding: none' ],
		['Transfer-Encoding: identity'],
		['Transfer-Encoding:'])
	{
		respond_with($table, [ @$headers, $length{$table} ]);
		is(query($node, count_rows($table)), '1000',
			join ', ', "$table with", @$headers, 'a length');
	}
	foreach my $coding ('chunked', 'Chunked', ' chunked ', 'identity, chunked')
	{
		respond_with($table, ["Transfer-Encoding: $coding"],
			chunked($RESPONSE{$table}[1]));
		is(query($node, count_rows($table)), '1000', "$table with '$coding'");
	}
	foreach my $header ('X-Thing: 1', 'Content-Encoding: identity',
		'Link: </style.css>; rel=preload')
	{
		respond_with($table, [ $length{$table} ], undef,
			"HTTP/1.1 103 Early Hints\r\n$header\r\n\r\n");
		is(query($node, count_rows($table)), '1000',
			"$table after 103 with $header");
	}
}

# Some versions of libcurl apply the encodings of an interim response to the final
# one, which is not in gzip: an error, or all rows.
foreach my $header ('Content-Encoding: br', 'Content-Encoding: gzip',
	'Transfer-Encoding: gzip')
{
	respond_with('report', [ $length{report} ], undef,
		"HTTP/1.1 103 Early Hints\r\n$header\r\n\r\n");
	my ($status, $out, $err) = $node->psql('postgres', count_rows('report'));
	like($status == 0 ? $out : $err, qr/^1000$|encoding/,
		"report after 103 with $header");
}

# A trailer says nothing about the body before it.
foreach my $header ('X-Thing: 1', 'Content-Encoding: br', 'Transfer-Encoding: gzip')
{
	respond_with('report', ['Transfer-Encoding: chunked'],
		chunked($csv) =~ s/\r\n\z/$header\r\n\r\n/r);
	is(query($node, count_rows('report')), '1000', "report with the trailer $header");
}

# gzip was requested for JSON.
foreach my $coding ('gzip', 'x-gzip', 'GZIP', 'identity, gzip')
{
	respond_with('people', ["Content-Encoding: $coding"], flushed($json));
	is(query($node, count_rows('people')), '1000', "people in $coding");
}

# ------------------------------------------------------------------------
# Rejected
# ------------------------------------------------------------------------

sub refused
{
	my ($name, $table, $detail) = @_;
	my ($state, $message) = query_error($node, count_rows($table));

	is($state, '08006', $name);
	like($message, $detail, '... the detail');
	return;
}

# Newer versions of libcurl refuse it themselves.
my $TRANSFER = qr/Transfer-Encoding that was not requested|Unsolicited Transfer-Encoding/;
my $CONTENT = qr/a Content-Encoding that was not requested/;
foreach my $table ('report', 'people')
{
	my $body = $RESPONSE{$table}[1];

	respond_with($table, ['Transfer-Encoding: gzip'], flushed($body, 3000));
	refused("$table, cut at a flush", $table, $TRANSFER);
	foreach my $coding ('gzip, chunked', 'gzip,chunked', 'deflate, chunked',
		'x-gzip, chunked', 'br, chunked')
	{
		respond_with($table, ["Transfer-Encoding: $coding"],
			chunked(flushed($body, 3000)));
		refused("$table, '$coding'", $table, $TRANSFER);
	}
	respond_with($table, [ 'Transfer-Encoding: gzip', 'Transfer-Encoding: chunked' ],
		chunked(flushed($body, 3000)));
	refused("$table, gzip and chunked in two headers", $table, $TRANSFER);
	respond_with($table, ['Transfer-Encoding: chunked, chunked'],
		chunked(chunked($body)));
	refused("$table, chunked twice", $table, $TRANSFER);
	respond_with($table, [ 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked' ],
		chunked(chunked($body)));
	refused("$table, chunked in two headers", $table, $TRANSFER);
	foreach my $coding ('br', 'deflate', 'zstd', 'gzip, gzip')
	{
		respond_with($table, [ "Content-Encoding: $coding", $length{$table} ]);
		refused("$table in $coding", $table, $CONTENT);
	}
}
respond_with('report', ['Content-Encoding: gzip'], flushed($csv));
refused('a report in gzip', 'report', $CONTENT);

# Interim responses without end are bounded, and a switch to another protocol
# ends the exchange.
foreach my $table ('report', 'people')
{
	respond_with($table, [ $length{$table} ], undef,
		"HTTP/1.1 100 Continue\r\n\r\n" x 20000);
	refused("$table after 20,000 interim responses", $table,
		qr/headers of the response are too large/);
	respond_with($table, [ $length{$table} ], undef,
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n");
	my ($state, $message) = query_error($node, count_rows($table));
	isnt($state, '', "$table after 101 is an error");
	note($message);
}

# Without a length or chunks, only JSON shows where it ends.
foreach my $headers ([], ['Transfer-Encoding: identity'], ['Transfer-Encoding:'])
{
	respond_with('report', $headers, substr $csv, 0, rindex($csv, "\n", 3000) + 1);
	refused(join(' ', 'a report cut at a row, with', @$headers), 'report',
		qr/neither Content-Length nor chunks/);
}
respond_with('people', [], substr $json, 0, 3000);
refused('people, cut', 'people', qr/incomplete/);

$node->stop;
done_testing();
