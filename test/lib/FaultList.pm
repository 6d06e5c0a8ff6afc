# The faults of the fault table: what the simulator does to a response, and what
# the outcome of the query has to be.
package FaultList;

use strict;
use warnings;
use Exporter 'import';
use HibobTest qw(deaf_port silent_port closed_port one_shot_port);
use JSON::PP;

our @EXPORT = qw(faults);

my ($sim, $secure);		# URLs of simulators, without and with TLS
my @sockets;			# open until the test ends

# Of each: the phase, its name, what is told to the simulator for a body of n
# bytes, and what comes of it; then what else comes of it in some columns or
# forms.  "all" is all rows, else it is an SQLSTATE.  With "retried" the fault
# befalls so many requests and the server option max_retries is 2.
my @faults;

sub fault
{
	my ($phase, $name, $tell, $outcome, %more) = @_;
	push @faults, { phase => $phase, name => $name, outcome => $outcome,
		tell => ref $tell eq 'HASH' ? sub { $tell } : $tell, %more };
	return;
}

my $TRUE = JSON::PP::true;
my $BROKEN = '08006';
my $WRONG = 'HV000';

# Before anything of the answer is there.
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

# Statuses.
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

		# Of a report these say that it is not ready.
		$more{csv} = undef if $status == 204 || $status == 202;
		%more = (%more, 'look-up 1' => 'gone', 'look-up 3' => 'gone',
			'lane 1' => 'gone', 'lane 4' => 'gone')
		  if $status == 404;
		fault('status', "$status", { status => $status, body => '' }, $state, %more);
	}
	fault('status', 'redirect', { redirect => "$sim/v1/people/search" }, $WRONG);
	fault('status', '429 with a time', { rate_limited => { reset_in => 3000 } },
		'53400', fresh => 1);
	fault('status', '429 without', { rate_limited => {} }, '53400', fresh => 1);
	fault('status', '200 amid all rows, but 206', { status => 206, json =>
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
	foreach my $place ([ 'mid-body', sub { int $_[0] / 2 } ],
		[ 'last byte', sub { $_[0] - 1 } ])
	{
		my ($phase, $at) = @$place;

		fault($phase, 'reset', sub { { reset => $at->($_[0]) } }, $BROKEN);
		fault($phase, 'reset amid used rows', sub { { reset => $at->($_[0]),
				split => { sizes => [3000], pause_ms => 3 } } }, $BROKEN);
		fault($phase, 'too few bytes',
			sub { { truncate => { after => $at->($_[0]), framing => 'length' } } },
			$BROKEN);
		fault($phase, 'too few chunks',
			sub { { truncate => { after => $at->($_[0]), framing => 'chunked' } } },
			$BROKEN);
		fault($phase, 'end without a length', sub { { framing => 'close',
				truncate => { after => $at->($_[0]), framing => 'length' } } },
			$BROKEN);
		fault($phase, 'silence', sub { { stall => { seconds => 60,
				after => $at->($_[0]) } } }, $BROKEN);
		fault($phase, 'too small a length', sub { { framing => 'length',
				claim => $at->($_[0]) } }, $BROKEN, csv => undef);
	}
	fault('mid-body', 'corrupt gzip', { gzip => 'corrupt' }, $BROKEN);
	fault('mid-body', 'half of the gzip', { gzip => 'truncated' }, $BROKEN);
	fault('mid-body', 'web page', { html => $TRUE }, $WRONG);
	fault('mid-body', 'not JSON', { body => 'oops' }, $WRONG, csv => 'HV005');
	fault('mid-body', 'another shape', { json => { people => [] } }, $WRONG);
	fault('mid-body', 'a row too large', { body => '{"employees":[{"id":"'
			  . 'x' x (17 << 20) . '"}]}' }, $WRONG, only => 'scan');
	fault('mid-body', 'no UTF-8', { body_base64 => 'gQD/' }, $WRONG);
	fault('last byte', 'end without the last chunk', sub {
			{ truncate => { after => $_[0], framing => 'chunked' } } }, $BROKEN);
	fault('last byte', 'silence before the last chunk', sub {
			{ framing => 'chunked', stall => { seconds => 60, after => $_[0] } } },
		$BROKEN);
	fault('last byte', 'one byte less than announced', sub { { claim => $_[0] + 1,
				truncate => { after => $_[0], framing => 'length' } } }, $BROKEN);
	return;
}

# Behind an answer come the bytes of another one, which nobody has asked for:
# to the next request they would be its answer, and by them nobody was there.
sub surplus_faults
{
	my $NOBODY = "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n" . '{"employees":[]}';
	my $GONE = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
	foreach my $framing ('length', 'chunked')
	{
		foreach my $joined (undef, $TRUE)
		{
			my $name = $framing . ($joined ? ', of a piece' : '');
			my %tell = (framing => $framing, joined => $joined);

			fault('surplus', "404, $name", { %tell, surplus => $GONE }, 'all');
			fault('surplus', "nobody, $name", { %tell, surplus => $NOBODY }, 'all');
		}
	}
	fault('surplus', 'a while later', { surplus => $GONE, surplus_ms => 20 }, 'all',
		only => 'scan', pause => 0.2);
	fault('surplus', 'behind a 404', { status => 404, body => '',
			surplus => $GONE }, 'HV00R', map { $_ => 'gone' } 'look-up 1', 'look-up 3',
		'lane 1', 'lane 4');
	fault('surplus', 'behind a 403', { status => 403, body => '',
			surplus => $NOBODY }, '42501');
	fault('surplus', 'behind a 503, tried again', { status => 503, body => '',
			surplus => $NOBODY }, 'all', times => 1);
	fault('surplus', 'no answer', { framing => 'chunked', surplus => 'x' x 9 }, 'all');
	fault('surplus', 'a status line without an end', { framing => 'chunked',
			surplus => 'HTTP/1.1 404 Not Found' }, 'all', times => 1);
	return;
}

# What nobody may notice, but that CSV does not say where it ends.
sub harmless_faults
{
	fault('nuisance', 'small pieces', { split => { sizes => [ 1, 2, 3, 500, 8 ] } },
		'all');
	fault('nuisance', 'random pieces', { split => { seed => 42, max => 3000 } }, 'all');
	fault('nuisance', 'drip', sub { { drip => { bytes => int($_[0] / 9) + 100,
				ms => 20 } } }, 'all');
	fault('nuisance', 'chunked', { framing => 'chunked' }, 'all');
	fault('nuisance', 'until the end', { framing => 'close' }, 'all',
		csv => $BROKEN);
	fault('nuisance', 'gzip', { gzip => 'good' }, 'all', csv => $BROKEN);
	fault('nuisance', 'no content type', { content_type => undef }, 'all');
	fault('nuisance', 'closed behind the answer', { close_idle => 0 }, 'all');
	fault('nuisance', 'a pause', sub { { stall => { seconds => 0.1,
				after => int($_[0] / 2) } } }, 'all');
	return;
}

# Tried again; libcurl does so once by itself where a kept connection turns out
# to be closed.
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
	foreach my $case ([ 'mid-body', sub { { reset => int $_[0] / 2 } } ],
		[ 'mid-body, too few bytes', sub { { truncate => { after => int $_[0] / 2 } } } ],
		[ 'corrupt gzip', { gzip => 'corrupt' } ])
	{
		fault('retried', $case->[0], $case->[1], 'all', times => 2,
			either => $BROKEN);
	}
	fault('retried', '404', { status => 404, body => '' }, 'HV00R', times => 1,
		either => 'all', map { $_ => 'gone' } 'look-up 1', 'look-up 3', 'lane 1',
		'lane 4');
	fault('retried', '500 too often', { status => 500, body => '' }, $WRONG,
		times => 3, 'lane 4' => 'any', 'batch 2' => 'any');
	return;
}

# Before a request can be sent, the address of the server is another one.
sub unreachable
{
	my ($phase, $name, $url) = @_;
	fault($phase, $name, {}, 'HV00N', url => $url);
	return;
}

sub unreachable_servers
{
	unreachable('resolve', 'no such name', 'https://nowhere.test');
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

# And some journeys once more, over TLS.
sub tls_faults
{
	my %over_tls = map { $_ => 1 } 'mid-body: reset', 'mid-body: too few bytes',
	  'mid-body: end without a length', 'mid-body: silence',
	  'last byte: too few chunks', 'nuisance: random pieces';

	push @faults, map { { %$_, phase => "$_->{phase}, TLS", url => $secure } }
	  grep { $_->{phase} eq 'surplus' || $over_tls{"$_->{phase}: $_->{name}"} }
	  @faults;
	return;
}

# All faults, for these two simulators, of which the second has TLS.
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
