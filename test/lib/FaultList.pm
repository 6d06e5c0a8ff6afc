# The faults of the fault table: how the simulator changes a response, and the
# expected outcome of the query.
package FaultList;

use strict;
use warnings;
use Exporter 'import';
use HibobTest qw(deaf_port silent_port closed_port one_shot_port);
use JSON::PP;

our @EXPORT = qw(faults);

my ($sim, $secure);		# URLs of simulators, without and with TLS
my @sockets;			# open until the test ends

# Each fault has a phase, a name, the simulator's fault, and the expected outcome:
# "all" for all rows, or an SQLSTATE.  The other keys are:
#
#   the name of a column, or "json" or "csv"    another outcome there; undef: the
#             fault does not apply there
#   either    a second outcome that is allowed
#   only      the only column that the fault applies to
#   times     how many requests it affects; then max_retries is 2
#   fresh     the server has to be altered before the next query
#   wait      until the simulator has sent everything, before the next query
#   url       the base_url, if not that of the simulator
my @faults;

sub fault
{
	my ($phase, $name, $tell, $outcome, %more) = @_;
	push @faults, { phase => $phase, name => $name, outcome => $outcome,
		silent => $name =~ /silen|stall|no answer/ && $outcome ne 'all',
		tell => $tell, %more };
	return;
}

my $TRUE = JSON::PP::true;

# Columns with requests for single things: status 404 may mean that one of them
# does not exist.
my @SINGLE = ('lookup 1', 'lookup 3', 'stream 1', 'stream 4', 'closed tasks',
	'policy types', 'policies', 'balances');
my %FEWER = map { $_ => 'gone' } @SINGLE;

# Columns with parallel requests, which a fault for a number of requests meets
# in any order.
my @PARALLEL = ('stream 4', 'batch 2', 'closed tasks', 'policy types', 'policies',
	'balances', 'events', 'attendance');
my $BROKEN = '08006';
my $WRONG = 'HV000';

# Before the headers of the response are complete.
sub header_faults
{
	fault('headers', 'reset, request unread', { reset => 'before_read' }, $BROKEN);
	fault('headers', 'reset', { reset => 'before_headers' }, $BROKEN);
	fault('headers', 'silence', { stall => { seconds => 60 } }, $BROKEN);
	fault('headers', 'not HTTP', { raw => "SSH-2.0-OpenSSH_9.2\r\n" x 9 }, $BROKEN);
	fault('headers', 'nothing', { raw => '' }, $BROKEN);
	fault('headers', 'HTTP/2 preface', { raw => "PRI * HTTP/2.0\r\n\r\n" }, $BROKEN);
	fault('headers', 'endless', { raw => "HTTP/1.1 200 OK\r\n"
			  . ("X-Filler: " . 'x' x 1000 . "\r\n") x 400 }, $BROKEN);
	fault('headers', 'endless 100 Continue',
		{ raw => "HTTP/1.1 100 Continue\r\n\r\n" x 20000 }, $BROKEN);
	foreach my $then ('close', 'reset', 'stall')
	{
		fault('headers', "amid the status, $then",
			{ head => { after => 10, then => $then } }, $BROKEN);
		fault('headers', "amid a header, $then",
			{ head => { after => 40, then => $then } }, $BROKEN);
	}
	fault('headers', 'a negative length', { raw => "HTTP/1.1 200 OK\r\n"
			  . "Content-Length: -5\r\n\r\n" . '{"employees":[]}' }, $BROKEN);
	fault('headers', 'two lengths', { raw => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
			  . "Content-Length: 16\r\n\r\n" . '{"employees":[]}' }, $BROKEN,
		either => $WRONG);
	return;
}

# HTTP statuses.
sub status_faults
{
	foreach my $case ([ 201, $WRONG ], [ 202, $WRONG ], [ 204, $WRONG ],
		[ 206, $WRONG ], [ 301, $WRONG ], [ 304, $WRONG ], [ 400, $WRONG ],
		[ 401, '28000' ], [ 403, '42501' ], [ 404, 'HV00R' ], [ 407, $WRONG ],
		[ 418, $WRONG ], [ 500, $WRONG ], [ 502, $WRONG ], [ 503, $WRONG ],
		[ 504, $WRONG ])
	{
		my ($status, $state) = @$case;
		my %more = (fresh => $status == 401);

		# For a report these mean that it is not ready.
		$more{csv} = undef if $status == 204 || $status == 202;
		%more = (%more, %FEWER) if $status == 404;
		# Then custom tables are read by employee, until the server is altered.
		%more = (%more, custom => 'all', fresh => 1)
		  if $status == 404 || $status == 400;
		fault('status', "$status", { status => $status, body => '' }, $state, %more);
	}
	fault('status', 'redirect', { redirect => "$sim/v1/people/search" }, $WRONG);
	fault('status', '429 with a time', { rate_limited => { reset_in => 3000 } },
		'53400', fresh => 1);
	fault('status', '429 without', { rate_limited => {} }, '53400', fresh => 1);
	fault('status', '206 with empty arrays', { status => 206, json =>
			{ employees => [], results => [], values => [] } }, $WRONG);
	return;
}

# The body.
sub body_faults
{
	fault('first byte', 'reset', { reset => 0 }, $BROKEN);
	fault('first byte', 'end', { truncate => { after => 0, framing => 'length' } },
		$BROKEN);
	fault('first byte', 'no chunk', { truncate => { after => 0, framing => 'chunked' } },
		$BROKEN);
	fault('first byte', 'silence', { stall => { seconds => 60, after => 0 } }, $BROKEN);
	fault('first byte', 'empty', { body => '' }, $BROKEN);
	foreach my $place ([ 'mid-body', 'middle' ], [ 'last byte', -1 ])
	{
		my ($phase, $at) = @$place;

		fault($phase, 'reset', { reset => $at }, $BROKEN);
		fault($phase, 'reset amid used rows', { reset => $at,
				split => { sizes => [3000], pause_ms => 3 } }, $BROKEN);
		fault($phase, 'too few bytes',
			{ truncate => { after => $at, framing => 'length' } }, $BROKEN);
		fault($phase, 'too few chunks',
			{ truncate => { after => $at, framing => 'chunked' } }, $BROKEN);
		fault($phase, 'end without a length', { framing => 'close',
				truncate => { after => $at } }, $BROKEN);
		fault($phase, 'silence', { stall => { seconds => 60, after => $at } },
			$BROKEN);
		fault($phase, 'too small a length', { framing => 'length', claim => $at },
			$BROKEN, csv => undef);
	}
	fault('mid-body', 'corrupt gzip', { gzip => 'corrupt' }, $BROKEN);
	fault('mid-body', 'half of the gzip', { gzip => 'truncated' }, $BROKEN);
	fault('mid-body', 'web page', { html => $TRUE }, $WRONG);
	fault('mid-body', 'not JSON', { body => 'oops' }, $WRONG, csv => 'HV005');
	fault('mid-body', 'another shape', { json => { people => [] } }, $WRONG);
	fault('mid-body', 'a row too large', { body => '{"employees":[{"id":"'
			  . 'x' x (17 << 20) . '"}]}' }, $WRONG, only => 'scan');
	fault('mid-body', 'no UTF-8', { body_base64 => 'gQD/' }, $WRONG);
	fault('last byte', 'end without the last chunk',
		{ truncate => { after => 'end', framing => 'chunked' } }, $BROKEN);
	fault('last byte', 'silence before the last chunk',
		{ framing => 'chunked', stall => { seconds => 60, after => 'end' } }, $BROKEN);
	fault('last byte', 'one byte less than announced',
		{ truncate => { after => 'end', framing => 'length' } }, $BROKEN);
	return;
}

# A response is followed by another one that was not requested.  If the next
# request took it for its own response, rows would be missing.
sub surplus_faults
{
	my $NO_ROWS = "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n" . '{"employees":[]}';
	my $GONE = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
	# In one write with the response, the bytes are there before the next request.
	# In a write of their own they may be late, as any bytes of a faulty server,
	# and nothing distinguishes them from the next response: so the test waits.
	foreach my $framing ('length', 'chunked')
	{
		my %tell = (framing => $framing, joined => $TRUE);

		fault('surplus', "404, $framing", { %tell, surplus => $GONE }, 'all');
		fault('surplus', "no rows, $framing", { %tell, surplus => $NO_ROWS }, 'all');
		fault('surplus', "no rows, $framing, in another write",
			{ framing => $framing, surplus => $NO_ROWS }, 'all', only => 'scan',
			wait => 1);
	}
	fault('surplus', 'after a pause', { surplus => $GONE, surplus_ms => 20 }, 'all',
		only => 'scan', wait => 1);
	fault('surplus', 'after a 404', { status => 404, body => '',
			joined => $TRUE, surplus => $GONE }, 'HV00R', %FEWER, custom => 'all', fresh => 1);
	fault('surplus', 'after a 403', { status => 403, body => '',
			joined => $TRUE, surplus => $NO_ROWS }, '42501');
	fault('surplus', 'after a 503, with retry', { status => 503, body => '',
			joined => $TRUE, surplus => $NO_ROWS }, 'all', times => 1);
	fault('surplus', 'not HTTP', { framing => 'chunked', joined => $TRUE,
			surplus => 'x' x 9 }, 'all');
	fault('surplus', 'an incomplete status line', { framing => 'chunked', joined => $TRUE,
			surplus => 'HTTP/1.1 404 Not Found' }, 'all', times => 1);
	return;
}

# Differences that have no effect.  For CSV some are errors, since CSV does not
# show where it ends.
sub harmless_faults
{
	fault('harmless', 'small pieces', { split => { sizes => [ 1, 2, 3, 500, 8 ] } },
		'all');
	fault('harmless', 'random pieces', { split => { seed => 42, max => 3000 } }, 'all');
	fault('harmless', 'drip', { drip => { bytes => 800, ms => 20 } }, 'all');
	fault('harmless', 'chunked', { framing => 'chunked' }, 'all');
	fault('harmless', 'until the connection closes', { framing => 'close' }, 'all',
		csv => $BROKEN);
	fault('harmless', 'gzip', { gzip => 'good' }, 'all', csv => $BROKEN);
	fault('harmless', 'no content type', { content_type => undef }, 'all');
	# libcurl fails when the sixth reused connection of a handle has died, which
	# then needs a retry of ours.
	fault('harmless', 'closed after the response', { close_idle => 0 }, 'all',
		times => 1);
	fault('harmless', 'a pause', { stall => { seconds => 0.1, after => 'middle' } },
		'all');
	return;
}

# Retries.  libcurl itself retries once if a reused connection turns out to be
# closed.
sub retried_faults
{
	foreach my $case ([ 'reset, unread', { reset => 'before_read' } ],
		[ 'reset', { reset => 'before_headers' } ], [ 'not HTTP', { raw => 'x' } ],
		[ '500', { status => 500, body => '' } ],
		[ '503 with a page', { status => 503, html => $TRUE } ],
		[ '503 that stays silent', { status => 503, body => 'x' x 9000,
				stall => { seconds => 60, after => 10 } } ],
		[ 'nothing but headers', { truncate => { after => 0 } } ],
		[ 'amid a header', { head => { after => 40 } } ])
	{
		fault('retried', $case->[0], $case->[1], 'all', times => 2);
	}
	foreach my $case ([ 'mid-body', { reset => 'middle' } ],
		[ 'mid-body, too few bytes', { truncate => { after => 'middle' } } ],
		[ 'corrupt gzip', { gzip => 'corrupt' } ])
	{
		fault('retried', $case->[0], $case->[1], 'all', times => 2,
			either => $BROKEN);
	}
	fault('retried', '404', { status => 404, body => '' }, 'HV00R', times => 1,
		either => 'all', %FEWER, fresh => 1);
	fault('retried', '500 too often', { status => 500, body => '' }, $WRONG,
		times => 3, map { $_ => 'any' } @PARALLEL);
	return;
}

# The server has another address, where no request can be sent.
sub unreachable
{
	my ($phase, $name, $url) = @_;
	fault($phase, $name, {}, 'HV00N', url => $url);
	return;
}

sub unreachable_servers
{
	unreachable('resolve', 'unknown name', 'https://nowhere.test');
	unreachable('resolve', 'no answer', 'https://slow.test');
	unreachable('connect', 'refused', 'https://127.0.0.1:' . closed_port());
	unreachable('connect', 'no answer', 'https://127.0.0.1:' . deaf_port(\@sockets));
	unreachable('TLS', 'silence', 'https://127.0.0.1:' . silent_port(\@sockets));
	unreachable('TLS', 'plain HTTP', $sim =~ s/http/https/r);
	unreachable('TLS', 'closed', 'https://127.0.0.1:' . one_shot_port(\@sockets, ''));
	unreachable('TLS', 'garbage', 'https://127.0.0.1:' . one_shot_port(\@sockets, 'x' x 99));
	unreachable('TLS', 'another name', $secure =~ s/127\.0\.0\.1/other.test/r);
	return;
}

# Some of the faults again, over TLS.
sub tls_faults
{
	my %over_tls = map { $_ => 1 } 'mid-body: reset', 'mid-body: too few bytes',
	  'mid-body: end without a length', 'mid-body: silence',
	  'last byte: too few chunks', 'harmless: random pieces';

	push @faults, map { { %$_, phase => "$_->{phase}, TLS", url => $secure } }
	  grep { $_->{phase} eq 'surplus' || $over_tls{"$_->{phase}: $_->{name}"} }
	  @faults;
	return;
}

# All faults, for these two simulators; the second one has TLS.
sub faults
{
	($sim, $secure) = @_;

	header_faults();
	status_faults();
	body_faults();
	surplus_faults();
	harmless_faults();
	retried_faults();
	unreachable_servers();
	tls_faults();
	return @faults;
}

1;
