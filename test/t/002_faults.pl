# Complete or an error: whatever happens to an answer, a query gets all rows or
# the error that says why, and the session's next query is as good as new.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $sim = start_simulator();
my $node = new_cluster('faults');

add_server($node, 'bob', $sim, q{max_retries '0', read_timeout '1s'});
query($node, 'CREATE TABLE expected AS SELECT * FROM bob.people');
my $server_log = $node->logfile;

my $ALL = 'SELECT count(*), count(email) FROM bob.people';
my $PEOPLE = '500|496';

# What is told to the simulator, the SQLSTATE, and words of the message.
my @faults = (
	[ 'reset before reading', { reset => 'before_read' }, '08006', 'broke off' ],
	[ 'reset before the headers', { reset => 'before_headers' }, '08006',
		'broke off' ],
	[ 'reset in the body', { reset => 30000 }, '08006',
		'after \d+ bytes and \d+ rows' ],
	[ 'too few bytes', { truncate => { after => 30000, framing => 'length' } },
		'08006', 'broke off' ],
	[ 'too few chunks', { truncate => { after => 30000, framing => 'chunked' } },
		'08006', 'broke off' ],
	[ 'end without length', { framing => 'close',
			truncate => { after => 30000, framing => 'length' } },
		'08006', 'broke off|incomplete' ],
	[ 'nothing but headers', { truncate => { after => 0, framing => 'length' } },
		'08006', 'broke off' ],
	[ 'silence before the headers', { stall => { seconds => 20 } }, '08006',
		'read_timeout' ],
	[ 'silence in the body', { stall => { seconds => 20, after => 30000 } },
		'08006', 'read_timeout' ],
	[ 'corrupt gzip', { gzip => 'corrupt' }, '08006', 'broke off' ],
	[ 'truncated gzip', { gzip => 'truncated' }, '08006',
		'broke off|incomplete' ],
	[ 'web page', { html => \1 }, 'HV000', 'web page' ],
	[ 'no JSON', { body => 'oops' }, 'HV000', 'not valid JSON' ],
	[ 'a row too large', {
			body => '{"employees":[{"id":"' . ('x' x (17 * 1024 * 1024)) . '"}]}' },
		'HV000', 'too large' ],
	[ 'nested too deeply', {
			body => '{"employees":[{"id":' . ('[' x 1000) . (']' x 1000) . '}]}' },
		'HV000', 'too deep' ],
	(map { [ "status $_->[0]", { status => $_->[0], body => '' }, $_->[1],
				$_->[2] ] }
		  [ 204, '08006', 'incomplete' ], [ 301, 'HV000', 'status 301' ],
		[ 400, 'HV000', 'status 400' ], [ 403, '42501', 'refused' ],
		[ 404, 'HV00R', 'no resource' ], [ 418, 'HV000', 'status 418' ],
		[ 500, 'HV000', 'status 500' ], [ 503, 'HV000', 'status 503' ]),
	[ 'redirect', { redirect => 'http://127.0.0.1:1/' }, 'HV000',
		'not followed' ],
	[ 'rate limit', { rate_limited => { reset_in => 3000 } }, '53400',
		'rate limit' ],
);

# Faults that no query may notice.
my @nuisances = (
	[ 'bytes one by one', { split => { sizes => [ 1, 2, 3, 5, 8 ] } } ],
	[ 'random pieces', { split => { seed => 42, max => 3000 } } ],
	[ 'chunked', { framing => 'chunked' } ],
	[ 'until the end', { framing => 'close' } ],
	[ 'gzip', { gzip => 'good' } ],
	[ 'gzip in pieces', { gzip => 'good', split => { seed => 7, max => 500 } } ],
);

sub forget_rate_limit
{
	query($node, q{ALTER SERVER bob OPTIONS (SET max_retries '0')});
	return;
}

foreach my $case (@faults)
{
	my ($name, $fault, $state, $words) = @$case;

	tell($sim, 'reset');
	forget_rate_limit();
	tell($sim, 'fault', { endpoint => '/people/search', %$fault });
	my ($got, $message) = query_error($node, $ALL);
	is($got, $state, "$name: SQLSTATE");
	like($message, qr/$words/, "$name: message");
	forget_rate_limit();
	is(query($node, $ALL), $PEOPLE, "$name: the next query");
}

foreach my $case (@nuisances)
{
	my ($name, $fault) = @$case;

	tell($sim, 'reset');
	tell($sim, 'fault', { endpoint => '/people/search', %$fault });
	is(query($node, 'SELECT count(*) FROM (SELECT * FROM bob.people
		EXCEPT ALL SELECT * FROM expected) AS difference'), '0',
		"$name: the same people");
}

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

# The rate limit is waited for, by either header.
foreach my $header ('reset_in', 'retry_after')
{
	tell($sim, 'reset');
	tell($sim, 'fault',
		{ endpoint => '*', rate_limited => { $header => 1 } });
	is(query($node, $ALL), $PEOPLE, "waited for $header");
	is(scalar requests($sim), 2, '... with one further request');
}
tell($sim, 'reset');
like(query($node, "EXPLAIN (ANALYZE) $ALL"), qr/HiBob Requests: 1\n/,
	'EXPLAIN counts');
tell($sim, 'fault', { endpoint => '*', status => 500, body => '' });
like(query($node, "EXPLAIN (ANALYZE) $ALL"), qr/HiBob Retries: 1\b/,
	'EXPLAIN counts retries');
tell($sim, 'fault', { endpoint => '*', rate_limited => { reset_in => 1 } });
like(query($node, "EXPLAIN (ANALYZE) $ALL"),
	qr/HiBob Rate Limit Wait: \d+ ms/, 'EXPLAIN counts waits');

# Refused credentials are shown once.
tell($sim, 'reset');
tell($sim, 'config', { token => 'regenerated' });
($status, $out, $err) =
  $node->psql('postgres', "$ALL;\n$ALL;\n$ALL;", on_error_stop => 0);
is(scalar(() = $err =~ /rejected the credentials/g), 3, 'three refusals');
is(scalar requests($sim), 1, '... of which HiBob saw one');
tell($sim, 'reset');

# One connection is kept, also if the server closed it meanwhile.
$node->safe_psql('postgres', "$ALL;\n" x 20);
my %connections = map { $_->{connection} => 1 } requests($sim);
is(scalar keys %connections, 1, 'twenty queries over one connection');
tell($sim, 'fault', { endpoint => '*', close_idle => 20 });
is($node->safe_psql('postgres', "$ALL;\nSELECT pg_sleep(0.3);\n$ALL;"),
	"$PEOPLE\n\n$PEOPLE", 'a connection that was closed while idle');

# A refresh that fails keeps the old rows.
query($node, 'CREATE MATERIALIZED VIEW roster AS SELECT * FROM bob.people');
query($node, 'CREATE UNIQUE INDEX ON roster (id)');
foreach my $how ('', 'CONCURRENTLY')
{
	tell($sim, 'fault', { endpoint => '*', times => undef, reset => 50000 });
	is((query_error($node, "REFRESH MATERIALIZED VIEW $how roster"))[0],
		'08006', "a refresh $how fails");
	is(query($node, 'SELECT count(*) FROM roster'), '500',
		'... and keeps its rows');
	tell($sim, 'reset');
}

# No employee's value is anywhere in the log at debug5, as no token is in any
# test's.  The whole log is looked at, and the values are ones that were read.
my $log = slurp_file($server_log);
cmp_ok(length $log, '>', 100000, 'the log at debug5 is there');
like($log, qr/broke off/, '... with the errors of these tests');
foreach my $value ('robert.backslash2@', 'Okafor', '3332883884017713312')
{
	is(index(query($node, 'SELECT string_agg(expected::text, $$ $$)
		FROM expected'), $value) >= 0, 1, "$value is a value of an employee");
	is(index($log, $value), -1, '... which is not in the log');
}

done_testing();
