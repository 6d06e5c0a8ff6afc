# After an error the same session goes on, and the error says what HiBob said
# and what to do.  That nothing is lost by any fault is told by 020; here it is
# the words that count.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use IO::Socket::INET;
use MIME::Base64;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $ALL = 'SELECT count(*), count(email) FROM bob.people';
my $PEOPLE = '500|496';
my $errors = '';

my $sim = start_simulator();
my $node = new_cluster('same_session', q{
log_min_messages = debug5
log_statement = none
});

add_server($node, 'bob', $sim,
	q{max_retries '0', read_timeout '1s', max_rate_limit_wait '0'});

# What psql prints, and what it complains of; all errors are remembered.
sub session
{
	my ($sql) = @_;
	my ($status, $out, $err) = $node->psql('postgres',
		"\\set VERBOSITY verbose\n$sql", on_error_stop => 0);

	$errors .= $err;
	return ($out, $err);
}

sub states
{
	return $_[0] =~ /ERROR:  ([0-9A-Z]{5}):/g;
}

sub set_server
{
	my ($option, $value) = @_;
	query($node, "ALTER SERVER bob OPTIONS (SET $option '$value')");
	return;
}

# A port of which the kernel says that nobody is there.
sub closed_port
{
	my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
	  or die "listen: $!";
	return $socket->sockport;
}

sub words
{
	my ($key, $text) = @_;
	return qq({"key":"$key","error":"$text","args":[]});
}

# The fault, the SQLSTATE, and what message, detail and hint have to say.
my @faults = (
	[ 'reset before the headers', { reset => 'before_headers' }, '08006',
		qr/broke off.*HINT/s ],
	[ 'reset in the body', { reset => 30000 }, '08006',
		qr/after \d+ bytes and \d+ rows/ ],
	[ 'reset amid used rows', { reset => 60000,
			split => { sizes => [25000], pause_ms => 100 } }, '08006',
		qr/after [1-9]\d* bytes and [1-9]\d* rows/ ],
	[ 'too few bytes', { truncate => { after => 30000, framing => 'length' } },
		'08006', qr/after [1-9]\d* bytes and \d+ rows/ ],
	[ 'too few chunks',
		{ truncate => { after => 30000, framing => 'chunked' } }, '08006',
		qr/after [1-9]\d* bytes and \d+ rows/ ],
	[ 'silence', { stall => { seconds => 20, after => 30000 } }, '08006',
		qr/HINT:.*read_timeout/ ],
	[ 'corrupt gzip', { gzip => 'corrupt' }, '08006', qr/broke off/ ],
	[ 'web page', { html => \1 }, 'HV000', qr{text/html.*<!DOCTYPE.*base_url}s ],
	[ 'no JSON', { body => 'oops', content_type => 'text/plain' }, 'HV000',
		qr{not valid JSON.*text/plain and begins: oops}s ],
	(map { [ "shape $_", { body => $_ }, 'HV000', qr/expected shape/ ] }
		  '{"people":[]}', '{"employees":5}', '{"employees":{"id":"1"}}',
		'{"employees":["1"]}', '{}', '5', '"employees"'),
	[ 'status 400', { status => 400, body => words('badField', 'what is it') },
		'HV000', qr/status 400.*HiBob says: what is it \(key "badField"\)/s ],
	[ 'status 403', { status => 403, body => words('noWay', 'not yours') },
		'42501', qr/HiBob says: not yours.*HINT:.*permission group/s ],
	[ 'status 404', { status => 404, body => words('gone', 'no such thing') },
		'HV00R', qr/HiBob says: no such thing.*HINT:.*base_url/s ],
	[ 'status 500', { status => 500, body => words('boom', 'it broke') },
		'HV000', qr/status 500.*HiBob says: it broke.*HINT:.*max_retries/s ],
	[ 'status 503', { status => 503, html => \1 }, 'HV000',
		qr{status 503.*text/html}s ],
	[ 'redirect', { redirect => 'http://127.0.0.1:1/' }, 'HV000',
		qr/status 302.*HINT:.*not followed/s ],
	[ 'a row too large', {
			body => '{"employees":[{"id":"' . ('x' x (17 << 20)) . '"}]}' },
		'HV000', qr/too large/ ],
);

foreach my $case (@faults)
{
	my ($name, $fault, $state, $words) = @$case;

	tell($sim, 'reset');
	tell($sim, 'fault', { endpoint => '/people/search', %$fault });
	my ($out, $err) = session("$ALL;\n$ALL;");
	is_deeply([ states($err) ], [$state], "$name: one error");
	like($err, $words, "$name: its words");
	is($out, $PEOPLE, "$name: nothing but the rows of the next query");
}

# Nobody there: the session goes on once somebody is.
my ($out, $err) = session('ALTER SERVER bob OPTIONS (SET base_url '
	  . "'http://127.0.0.1:" . closed_port() . "/v1');\n$ALL;\n"
	  . "ALTER SERVER bob OPTIONS (SET base_url '$sim/v1');\n$ALL;");
is_deeply([ states($err) ], ['HV00N'], 'connection refused');
like($err, qr/connect to 127\.0\.0\.1(?: port |:)\d.*HINT:.*base_url/s, '... in words');
is($out, $PEOPLE, '... and an altered server is obeyed at once');

# Three tries for two different failures.
set_server('max_retries', 3);
tell($sim, 'reset');
tell($sim, 'fault', [ { endpoint => '*', status => 503, body => '' },
		{ endpoint => '*', reset => 'before_headers' } ]);
is(query($node, $ALL), $PEOPLE, 'a 503, a reset, then all rows');
my @requests = requests($sim);
is(scalar @requests, 3, '... by three requests');
is($requests[0]{status}, 503, '... the first of which was the 503');
set_server('max_retries', 0);

# No patience with the rate limit.  HiBob is not asked before the window ends.
tell($sim, 'reset');
tell($sim, 'fault', { endpoint => '*', rate_limited => { reset_in => 2 } });
my $started = time;
($out, $err) = session("$ALL;\n$ALL;");
cmp_ok(time - $started, '<', 1.5 * $SLOWNESS, 'no patience: no wait');
is_deeply([ states($err) ], [ '53400', '53400' ], '... but errors');
like($err, qr/HINT:.*max_rate_limit_wait/, '... with the way out');
is(scalar requests($sim), 1, '... for one request');
tell($sim, 'fault', { endpoint => '*', rate_limited => { reset_in => 1 } });
($out, $err) = session("$ALL;\nSELECT pg_sleep(2.3);\n$ALL;");
is_deeply([ states($err) ], ['53400'], 'after the window');
is($out, "\n$PEOPLE", '... it works');

# Patience: the time HiBob names is waited for.
set_server('max_rate_limit_wait', '10s');
tell($sim, 'fault', { endpoint => '*', rate_limited => { retry_after => 1 } });
requests($sim);
$started = time;
is(query($node, $ALL), $PEOPLE, 'with patience');
cmp_ok(time - $started, '>=', 1, '... of a second');
is(scalar requests($sim), 2, '... and one further request');

# Refused credentials are shown once, until they are replaced.
tell($sim, 'config', { token => 'regenerated-canary' });
requests($sim);
($out, $err) = session("$ALL;\n$ALL;\n$ALL;\n"
	  . "SELECT 'replaced';\n"
	  . 'ALTER USER MAPPING FOR CURRENT_USER SERVER bob '
	  . "OPTIONS (SET token 'regenerated-canary');\n$ALL;");
is_deeply([ states($err) ], [ ('28000') x 3 ], 'refused three times');
like($err, qr/Token does not match.*HINT:.*ALTER USER MAPPING/s,
	'... with the words and the way out');
is($out, "replaced\n$PEOPLE", '... and not after the new token');
is_deeply([ map { $_->{status} } requests($sim) ], [ 401, 200 ],
	'HiBob has seen the old token once');

# The tokens are nowhere, as text or as sent.  No statement that sets one fails
# here, so none is logged: not one line may have it.
sub leaks
{
	return grep { /canary|U0VSVklDRS01NzcyO/ } @_;
}
my @lines = split /\n/, slurp_file($node->logfile);
cmp_ok(scalar(grep { /DEBUG:/ } @lines), '>', 100, 'the log is one at debug5');
cmp_ok(scalar(grep { /ERROR:/ } @lines), '>', 20, '... with the errors');
is(scalar leaks("x $TOKEN y", encode_base64("SERVICE-5772:$TOKEN")), 2,
	'a token would be found');
is_deeply([ leaks(@lines) ], [], 'no token in the log');
is_deeply([ leaks(split /\n/, $errors) ], [], 'nor in any error');

done_testing();
