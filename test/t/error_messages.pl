# The text of errors: what HiBob returned, and the hint.  The session continues
# after each of them.  fault_table.pl tests that no fault loses rows.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT states reset_simulator closed_port employee_id);
use JSON::PP;
use MIME::Base64;
use PostgreSQL::Test::Utils;
use Test::More;

my $ALL = 'SELECT count(*), count(email) FROM bob.people';
my $PEOPLE = '500|496';
my $errors = '';

my $sim = start_simulator();
my $node = new_cluster('error_messages');

add_server($node, 'bob', $sim,
	q{max_retries '0', read_timeout '30s', max_rate_limit_wait '0'});

# The output and the errors of psql; all errors are collected.
sub session
{
	my ($sql) = @_;
	my ($status, $out, $err) = $node->psql('postgres',
		"\\set VERBOSITY verbose\n$sql", on_error_stop => 0);

	$errors .= $err;
	return ($out, $err);
}

sub words
{
	my ($key, $text) = @_;
	return qq({"key":"$key","error":"$text","args":[]});
}

# The fault, the SQLSTATE, and what message, detail and hint contain.
my @faults = (
	[ 'reset before the headers', { reset => 'before_headers' }, '08006',
		qr/could not receive.*HINT/s ],
	[ 'reset in the body', { reset => 30000 }, '08006',
		qr/after \d+ bytes and \d+ rows/ ],
	[ 'reset after rows were returned', { reset => 60000,
			split => { sizes => [25000], pause_ms => 100 } }, '08006',
		qr/after [1-9]\d* bytes and [1-9]\d* rows/ ],
	[ 'too few bytes', { truncate => { after => 30000, framing => 'length' } },
		'08006', qr/after [1-9]\d* bytes and \d+ rows/ ],
	[ 'too few chunks',
		{ truncate => { after => 30000, framing => 'chunked' } }, '08006',
		qr/after [1-9]\d* bytes and \d+ rows/ ],
	[ 'silence', { stall => { seconds => 300, after => 30000 } }, '08006',
		qr/HINT:.*read_timeout/ ],
	[ 'corrupt gzip', { gzip => 'corrupt' }, '08006', qr/could not receive/ ],
	[ 'web page', { html => \1 }, 'HV000', qr{text/html.*<!DOCTYPE.*base_url}s ],
	[ 'no JSON', { body => 'oops', content_type => 'text/plain' }, 'HV000',
		qr{not valid JSON.*text/plain and begins: oops}s ],
	(map { [ "shape $_", { body => $_ }, 'HV000', qr/expected structure/ ] }
		  '{"people":[]}', '{"employees":5}', '{"employees":{"id":"1"}}',
		'{"employees":["1"]}', '{}', '5', '"employees"'),
	[ 'status 400', { status => 400, body => words('badField', 'what is it') },
		'HV000', qr/status 400.*HiBob reported: what is it \(key "badField"\)/s ],
	[ 'a message with \u0000', { status => 400, body => words('badField', 'too few\u0000many') },
		'HV000', qr/HiBob reported: too few\?many \(key "badField"\)/ ],
	(map { [ "no JSON $_", { status => 400, body => $_ }, 'HV000',
			qr/^DETAIL:  The response has .* and begins: \{['"]message['"]:\R/m ] }
		  q({'message':'x'}), '{"message":"x",}', '{"message":"x"/**/}',
		'{"message":"x"} y', '{"message":NaN}', '{"message":"x' . "\t" . '"}'),
	(map { [ "no value of a person: $_->[0]",
			{ status => 400, body_base64 => encode_base64($_->[1], '') },
			'HV000', qr/\A(?!.*okafor).*and begins:/s ] }
		  [ 'after white space', qq( \n{"email":"okafor"} x) ],
		[ 'after a byte order mark', qq(\xef\xbb\xbf[{"email":"okafor"}] x) ],
		[ 'a string', '"okafor" x' ], [ 'CSV', qq(email\nokafor\n) ],
		[ 'CSV with carriage returns', qq(email\rokafor\r) ]),
	[ 'status 403', { status => 403, body => words('noWay', 'not yours') },
		'42501', qr/HiBob reported: not yours.*HINT:.*permission group/s ],
	[ 'status 404', { status => 404, body => words('gone', 'no such thing') },
		'HV00R', qr/HiBob reported: no such thing.*HINT:.*base_url/s ],
	[ 'status 500', { status => 500, body => words('boom', 'it broke') },
		'HV000', qr/status 500.*HiBob reported: it broke.*HINT:.*max_retries/s ],
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
	my $timeout = $fault->{stall} ? '1s' : '30s';
	my ($out, $err) = session("ALTER SERVER bob OPTIONS (SET read_timeout '$timeout');
		$ALL; ALTER SERVER bob OPTIONS (SET read_timeout '30s'); $ALL;");
	is_deeply([ states($err) ], [$state], "$name: one error");
	like($err, $words, "$name: the text");
	is($out, $PEOPLE, "$name: the next query returns all rows");
}

# A server that refuses connections; the session continues after ALTER SERVER.
my ($out, $err) = session('ALTER SERVER bob OPTIONS (SET base_url '
	  . "'http://127.0.0.1:" . closed_port() . "/v1');\n$ALL;\n"
	  . "ALTER SERVER bob OPTIONS (SET base_url '$sim/v1');\n$ALL;");
is_deeply([ states($err) ], ['HV00N'], 'connection refused');
like($err, qr/connect to 127\.0\.0\.1(?: port |:)\d.*HINT:.*base_url/s, '... the text');
is($out, $PEOPLE, '... ALTER SERVER takes effect at once');

# Modules that are not active in the account.
query($node, q{
	CREATE FOREIGN TABLE bob.tasks (id bigint, title text)
		SERVER bob OPTIONS (resource 'tasks');
	CREATE FOREIGN TABLE bob.deductions (employee_id text, id bigint)
		SERVER bob OPTIONS (resource 'deductions');
	CREATE FOREIGN TABLE bob.training (employee_id text, id bigint)
		SERVER bob OPTIONS (resource 'training');
	CREATE FOREIGN TABLE bob.payments (employee_id text, id bigint)
		SERVER bob OPTIONS (resource 'payments');
	CREATE FOREIGN TABLE bob.time_off (employee_id text, date date)
		SERVER bob OPTIONS (resource 'time_off')});
reset_simulator($sim, modules_off => [ '/tasks', '/bulk/people/deduction',
		'/people/' . substr(employee_id(1), 0, 6), '/timeoff',
		'/people/actual-payments' ]);
foreach my $table ('tasks', 'deductions', 'training', 'payments',
	q{time_off WHERE date = '2026-10-01'})
{
	my ($state, $message) = query_error($node, "SELECT count(*) FROM bob.$table");
	is($state, 'HV00R', "an inactive module: $table");
	like($message, qr/HINT:.*module may not be active/, '... with a hint');
}

# No log line and no error contains the token, plain or as sent.  No statement
# that sets a token fails here, so none is logged.
sub leaks
{
	return grep { /canary|U0VSVklDRS01NzcyO/ } @_;
}
my @lines = split /\n/, slurp_file($node->logfile);
cmp_ok(scalar(grep { /DEBUG:/ } @lines), '>', 100, 'the log has level debug5');
cmp_ok(scalar(grep { /ERROR:/ } @lines), '>', 20, '... and the errors');
is(scalar leaks("x $TOKEN y", encode_base64("SERVICE-5772:$TOKEN")), 2,
	'the check finds a token');
is_deeply([ leaks(@lines) ], [], 'no token in the log');
is_deeply([ leaks(split /\n/, $errors) ], [], 'no token in any error');

done_testing();
