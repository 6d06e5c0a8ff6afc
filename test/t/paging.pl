# Pages of bulk tables: LIMIT, the prefetch of the next page, and errors of pages.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use ExpectedRows;
use HibobSession;
use HibobTest qw(:DEFAULT reset_simulator canonical_body session states hibob
  employee_id stats wait_until);
use JSON::PP;
use MIME::Base64;
use PostgreSQL::Test::Utils;
use Test::More;

my $sim = start_simulator(employees => 120);
my $node = new_cluster('paging', "jit = off\n");

add_server($node, 'bob', $sim, q{max_retries '0', read_timeout '20s'});
prepare_expected($node);
expect_bulk_table($node, $sim, $_) foreach 'work_history', 'salaries';

sub set_server
{
	my ($option, $value) = @_;
	query($node, "ALTER SERVER bob OPTIONS (SET $option '$value')");
	return;
}

# A number in the output of EXPLAIN.
sub explained
{
	my ($what, $plan) = @_;
	return $plan =~ /HiBob \Q$what\E: (\d+)/ ? $1 : 0;
}

# ------------------------------------------------------------------------
# LIMIT
# ------------------------------------------------------------------------

sub check_limit
{
	my ($name, $sql, $rows, $limits) = @_;
	my $out = query($node, $sql);

	is(scalar(split /\n/, $out), $rows, "$name: the rows");
	is_deeply([ map { $_->{query}{limit} } requests($sim) ], $limits,
		"$name: the requests");
	return;
}
reset_simulator($sim);
my $one = q{employee_id = '} . employee_id(1) . q{'};
check_limit('LIMIT', 'SELECT id FROM bob.work_history LIMIT 3', 3, [3]);
check_limit('LIMIT OFFSET', 'SELECT id FROM bob.work_history LIMIT 3 OFFSET 2',
	3, [5]);
check_limit('LIMIT with employees',
	"SELECT id FROM bob.work_history WHERE $one LIMIT 2", 2, [2]);
check_limit('LIMIT with a local condition',
	'SELECT id FROM bob.work_history WHERE is_current LIMIT 3', 3, [ 200, 200 ]);
check_limit('LIMIT with an order',
	'SELECT id FROM bob.work_history ORDER BY id LIMIT 3', 3, [ 200, 200 ]);
check_limit('LIMIT of an aggregate',
	'SELECT count(*) FROM bob.work_history LIMIT 3', 1, [ 200, 200 ]);
check_limit('LIMIT of distinct rows',
	'SELECT DISTINCT is_current FROM bob.work_history LIMIT 3', 2, [ 200, 200 ]);
check_limit('LIMIT 0', 'SELECT id FROM bob.work_history LIMIT 0', 0, []);

# LIMIT ends the transfer of a response, which would not end otherwise.
reset_simulator($sim);
tell($sim, 'fault', { stall => { seconds => 300, after => 4000 } });
is(query($node, 'SELECT count(*) FROM (SELECT full_name FROM bob.people LIMIT 5) x'),
	'5', 'LIMIT of people');
my ($request) = requests($sim);
is("$request->{outcome}, $request->{bytes}", 'client gone, 4000', '... ends the transfer');

# ------------------------------------------------------------------------
# Prefetch
# ------------------------------------------------------------------------

reset_simulator($sim, page_entries => 40);
is(scalar(split /\n/, query($node, 'SELECT id FROM bob.work_history LIMIT 100 OFFSET 0')),
	100, 'a hundred rows with LIMIT in the request');
my @requests = requests($sim);
is(scalar @requests, 3, '... need three pages');
is($requests[0]{query}{limit}, 100, '... the request has the limit');

# The second page is requested before the second row is used, and the third page
# only when the second page is used.
reset_simulator($sim, page_entries => 40);
my $reader = HibobSession->new($node);
$reader->run('BEGIN; DECLARE c CURSOR FOR SELECT id FROM bob.work_history WHERE id > 0;');
foreach my $case ([ 1, 2 ], [ 39, 2 ], [ 1, 3 ], [ 39, 3 ], [ 1, 4 ], [ 19, 4 ])
{
	my ($rows, $pages) = @$case;

	$reader->run("MOVE $rows IN c;");
	wait_until("page $pages", sub { return stats($sim)->{requests} >= $pages });
	is(stats($sim)->{requests}, $pages, "$rows more rows: $pages pages are requested");
}
$reader->run('COMMIT;');
$reader->finish;
is(scalar(split /\n/, query($node, 'SELECT id FROM (SELECT * FROM bob.work_history WHERE id > 0) AS w
	  LIMIT 100')), 100, 'a hundred rows with a local condition');

reset_simulator($sim, page_entries => 7);
my $explained = query($node,
	'EXPLAIN (ANALYZE) SELECT count(*) FROM bob.salaries');
is(explained('Requests', $explained), scalar requests($sim),
	'EXPLAIN counts the requests');
cmp_ok(explained('Requests', $explained), '>', 10, '... of which there are many');

# ------------------------------------------------------------------------
# Errors of pages
# ------------------------------------------------------------------------

my $ALL = 'SELECT count(*), count(DISTINCT (employee_id, id))
	FROM bob.work_history';
my $EVERY = query($node, 'SELECT count(*), count(DISTINCT (employee_id, id))
	FROM expected.work_history');
my $BULK_WORK = '/bulk/people/work';

# Checks the error of a scan, and that it makes few requests.
sub check_broken
{
	my ($name, $state, $words, $most) = @_;
	my ($out, $err) = session($node, $ALL);
	my $requests = () = requests($sim);

	is_deeply([ states($err) ], [$state], "$name: SQLSTATE");
	like($err, $words, "$name: message");
	is($out, '', "$name: no rows");
	cmp_ok($requests, '<=', $most, "$name: at most $most requests");
	return;
}

reset_simulator($sim, repeat_cursor => JSON::PP::true, page_entries => 50);
check_broken('the same cursor', 'HV000',
	qr/DETAIL:  After 50 rows: the cursor.*that of an earlier page/, 5);

# Sorted keys have the employee before the rows.
sub page_of
{
	my ($next, @rows) = @_;
	return { endpoint => $BULK_WORK, canonical_body({
				results => [ map { { employeeId => "$_",
					values => [ { id => $_ } ] } } @rows ],
				response_metadata => { next_cursor => $next } }) };
}
reset_simulator($sim);
tell($sim, 'fault', [ map { page_of($_, 1) } ('A', 'B', 'C') x 20 ]);
check_broken('a cycle of three cursors', 'HV000', qr/cursor.*that of an earlier page/, 12);
reset_simulator($sim);
tell($sim, 'fault', [ map { page_of($_, 1) } 'x', 'y', ('A' .. 'J') x 6 ]);
check_broken('a cycle of ten cursors, after two', 'HV000',
	qr/cursor.*that of an earlier page/, 45);
reset_simulator($sim);
tell($sim, 'fault', page_of(undef, 1));
is(query($node, $ALL), '1|1', 'no cursor: one page');
tell($sim, 'fault', page_of('', 1));
is(query($node, $ALL), '1|1', 'an empty cursor: one page');
tell($sim, 'fault', [ page_of('a/b+c=%20&limit=1', 1), page_of(undef, 2) ]);
requests($sim);
is(query($node, $ALL), '2|2', 'a cursor with special characters');
is((requests($sim))[1]{query}{cursor}, 'a/b+c=%20&limit=1',
	'... is sent back unchanged');
tell($sim, 'fault', [ page_of(17, 1), page_of(undef, 2) ]);
is(query($node, $ALL), '2|2', 'a cursor that is a number');
reset_simulator($sim);
tell($sim, 'fault', page_of({ a => 1 }, 1));
check_broken('a cursor that is an object', 'HV000', qr/cursor.*not a string/, 1);

# An empty page in the middle: the second response is empty and has another
# cursor for the same position.
reset_simulator($sim, page_entries => 50);
my $first = hibob($sim, "$BULK_WORK?limit=200");
my ($cursor) = $first =~ /"next_cursor":"([^"]+)"/;
my $place = decode_base64($cursor);
$place =~ s/(\d+:)/00$1/;
$place =~ s/ ?$/ / if length($place) % 3 == 0;
my $same = encode_base64($place, '');
requests($sim);
is(query($node, $ALL), $EVERY, 'pages');
my $pages = requests($sim);
tell($sim, 'fault', { skip => 1, %{ page_of($same) } });
is(query($node, $ALL), $EVERY, 'an empty page does not end the scan');
is(scalar requests($sim), $pages + 1, '... which makes one more request');
tell($sim, 'fault', page_of($same));
is(query($node, "SELECT count(*) FROM bob.work_history"),
	(split /\|/, $EVERY)[0] - 50,
	'an empty first page does not end the scan');

# Errors of the second page.
foreach my $case (
	[ 'no JSON', { status => 200, body => '{"results":[oops' }, 'HV000',
		qr/not valid JSON/ ],
	[ 'half of it', { status => 200, body => '{"results":[' }, '08006',
		qr/incomplete/ ],
	[ 'another shape', { status => 200, json => [] }, 'HV000',
		qr/expected structure/ ],
	[ 'no results', { status => 200, json => { response_metadata => {} } },
		'HV000', qr/expected structure/ ],
	[ 'a web page', { html => JSON::PP::true }, 'HV000', qr/web page/ ],
	# libcurl itself retries once on a reused connection
	[ 'a reset', { reset => 'before_headers', times => 2 }, '08006',
		qr/could not receive/ ],
	[ 'a reset in the body', { reset => 5000 }, '08006', qr/could not receive/ ],
	[ 'too few bytes', { truncate => { after => 5000 } }, '08006',
		qr/could not receive/ ],
	[ '500', { status => 500, body => '' }, 'HV000', qr/status 500/ ],
	[ '401', { status => 401, body => '' }, '28000', qr/rejected/ ],
	[ '403', { status => 403, body => '{"error":"not yours"}' }, '42501',
		qr/not yours.*HINT:.*"Work"/s ],
	[ '429', { rate_limited => { reset_in => 3000 } }, '53400',
		qr/rate limit/ ],
	[ 'rows without their employee', { status => 200, json => { results => [
			{ values => [ { id => 1 } ] } ] } }, 'HV000', qr/id of its employee/ ])
{
	my ($name, $fault, $state, $words) = @$case;

	set_server('max_retries', 0);
	reset_simulator($sim, page_entries => 50);
	tell($sim, 'fault', { endpoint => $BULK_WORK, skip => 1, %$fault });
	my ($out, $err) = session($node, "$ALL;\nALTER SERVER bob OPTIONS
		(SET max_retries '0');\n$ALL;");
	is_deeply([ states($err) ], [$state], "second page, $name: SQLSTATE");
	like($err, $words, "second page, $name: message");
	is($out, $EVERY, "second page, $name: the next query returns all rows");
}
# A prefetched response that has arrived before the scan waits for it: sending
# takes so long that the response has come meanwhile.
sub build_slow_sender
{
	my $dir = PostgreSQL::Test::Utils::tempdir;

	append_to_file("$dir/slow.c", <<'C');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/socket.h>
#include <time.h>
ssize_t
send(int fd, const void *buffer, size_t length, int flags)
{
	ssize_t (*real) (int, const void *, size_t, int) = dlsym(RTLD_NEXT, "send");
	ssize_t sent = real(fd, buffer, length, flags);
	struct timespec pause = {0, 50 * 1000 * 1000};

	nanosleep(&pause, NULL);
	return sent;
}
C
	system_or_bail('gcc', '-shared', '-fPIC', '-o', "$dir/slow.so",
		"$dir/slow.c", '-ldl');
	return "$dir/slow.so";
}
{
	my $slow;
	{
		local $ENV{LD_PRELOAD} = build_slow_sender();
		$slow = new_cluster('slow_sender', "jit = off\n");
	}
	add_server($slow, 'bob', $sim, q{max_retries '0'});
	query($slow, q{CREATE FOREIGN TABLE bob.work_history (employee_id text,
		id bigint) SERVER bob OPTIONS (resource 'work_history')});
	reset_simulator($sim, page_entries => 50);
	is(query($slow, $ALL), $EVERY, 'responses that arrive at once');
	foreach my $case ([ 401, '28000' ], [ 403, '42501' ], [ 404, 'HV00R' ],
		[ 400, 'HV000' ], [ 302, 'HV000' ])
	{
		my ($status, $state) = @$case;

		foreach my $body ('', '{"results":[]}')
		{
			reset_simulator($sim, page_entries => 50);
			query($slow, q{ALTER SERVER bob OPTIONS (SET max_retries '0')});
			tell($sim, 'fault', { endpoint => $BULK_WORK, skip => 1,
					status => $status, body => $body });
			my ($out, $err) = session($slow, $ALL);
			is(join(' ', $out, states($err)), " $state",
				"... an error with status $status and the body '$body'");
		}
	}
	$slow->stop;
}

set_server('max_retries', 3);
foreach my $fault ({ status => 500, body => '' }, { reset => 'before_headers' },
	{ truncate => { after => 5 } })
{
	my ($name) = sort keys %$fault;

	reset_simulator($sim, page_entries => 50);
	tell($sim, 'fault', { endpoint => $BULK_WORK, skip => 1, times => 2,
			%$fault });
	my $plan = query($node, "EXPLAIN (ANALYZE) $ALL");
	is(scalar requests($sim), $pages + 2, "second page, two retries: $name");
	cmp_ok(explained('Retries', $plan), '>', 0, '... EXPLAIN shows retries');
	tell($sim, 'fault', { endpoint => $BULK_WORK, skip => 1, times => 2,
			%$fault });
	is(query($node, $ALL), $EVERY, '... the scan returns all rows');
}
set_server('max_retries', 0);

# An SQL cursor that is closed in the middle of a page.
reset_simulator($sim, page_entries => 50);
my ($out, $err) = session($node, qq{
	BEGIN;
	DECLARE c CURSOR FOR SELECT 'c' FROM bob.work_history;
	FETCH 3 FROM c;
	$ALL;
	FETCH 60 FROM c;
	CLOSE c;
	$ALL;
	COMMIT;
	$ALL;
});
is($err, '', 'an SQL cursor: no error');
is($out, join("\n", ('c') x 3, $EVERY, ('c') x 60, $EVERY, $EVERY),
	'... all rows');
tell($sim, 'fault', { endpoint => $BULK_WORK, skip => 1,
		stall => { seconds => 60 } });
($out, $err) = session($node, qq{
	SET statement_timeout = '15s';
	BEGIN;
	DECLARE c CURSOR FOR SELECT 'c' FROM bob.work_history;
	FETCH 3 FROM c;
	CLOSE c;
	$ALL;
	COMMIT;
});
is($err, '', 'closing an SQL cursor while the next page stalls: no error');
is($out, join("\n", ('c') x 3, $EVERY), '... and no wait');

done_testing();
