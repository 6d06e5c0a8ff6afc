# Size limits: a response within the limits is read, a larger one is an error, and
# memory stays bounded.  Each line of the manual's table of limits is tested.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use Test::More;

my $MB = 1024 * 1024;
my $sim = start_simulator();
my $node = new_cluster('size_limits');

add_server($node, 'bob', $sim, q{max_retries '0'});
query($node, q{
	CREATE FOREIGN TABLE bob.work_history (employee_id text, id text)
		SERVER bob OPTIONS (resource 'work_history');
	CREATE FOREIGN TABLE bob.named_lists (list text, name text, path text)
		SERVER bob OPTIONS (resource 'named_lists');
	CREATE FOREIGN TABLE bob.training (employee_id text, id text)
		SERVER bob OPTIONS (resource 'training');
	CREATE FOREIGN TABLE bob.report ("Email" text OPTIONS (field 'a'))
		SERVER bob OPTIONS (resource 'report', report_id '71001');
	CREATE FUNCTION peak() RETURNS int LANGUAGE sql AS $$
		SELECT (regexp_match(pg_read_file('/proc/self/status', 0, 10000, true),
							 'VmHWM:\s+(\d+) kB'))[1]::int / 1024 $$;
});

my $PEOPLE = '/people/search';
my $WORK = '/bulk/people/work';
my $LISTS = '/company/named-lists';
my $COUNT = 'SELECT count(*), sum(length(id)) FROM bob.people';

# A body of people: parts before the rows, the rows, and parts after them.
sub people
{
	my ($before, $rows, $after) = @_;
	return (parts => [ @{ $before // [] }, [ '{"employees":[', 1 ], @$rows,
		[ ']', 1 ], @{ $after // [] }, [ '}', 1 ] ]);
}

my $ONE = '{"id":"1"}';
my $ROW_ROOM = 16 * $MB - length '{"id":""}';

# The endpoint and its fault, the query, and its result, or the SQLSTATE and the
# message of its error.
my @cases = (
	[ 'a row of 16 MB', $PEOPLE,
		{ people([], [ [ '{"id":"', 1 ], [ 'x', $ROW_ROOM ], [ '"}', 1 ] ]) },
		$COUNT, "1|$ROW_ROOM" ],
	[ '... and one more byte', $PEOPLE,
		{ people([], [ [ '{"id":"', 1 ], [ 'x', $ROW_ROOM + 1 ], [ '"}', 1 ] ]) },
		$COUNT, 'HV000', qr/a row that is too large/ ],
	[ 'a row of 100 MB in 100 kB of gzip', $PEOPLE,
		{ people([], [ [ '{"id":"', 1 ], [ 'x', 100 * $MB ], [ '"}', 1 ] ]),
			gzip => 'good' },
		$COUNT, 'HV000', qr/unpacks to more than 64 MB/ ],
	[ 'a row of 30 MB in 30 kB of gzip', $PEOPLE,
		{ people([], [ [ '{"id":"', 1 ], [ 'x', 30 * $MB ], [ '"}', 1 ] ]),
			gzip => 'good' },
		$COUNT, 'HV000', qr/a row that is too large/ ],
	[ 'gzip in gzip', $PEOPLE, { gzip => 'twice' }, $COUNT, '08006',
		qr/Content-Encoding that was not requested/ ],
	(map { [ "Content-Encoding $_", $PEOPLE,
			{ headers => { 'Content-Encoding' => $_ } }, $COUNT, '08006',
			qr/Content-Encoding that was not requested/ ] }
		'br', 'deflate', 'zstd', 'gzip,gzip', 'x' ),
	[ 'Content-Encoding identity', $PEOPLE,
		{ people([], [ [ $ONE, 1 ] ]),
			headers => { 'Content-Encoding' => ' identity ' } },
		$COUNT, '1|1' ],
	[ '256 levels', $PEOPLE,
		{ people([], [ [ '{"id":', 1 ], [ '[', 253 ], [ ']', 253 ], [ '}', 1 ] ]) },
		'SELECT count(*) FROM bob.people', '1' ],
	[ '... and one more', $PEOPLE,
		{ people([], [ [ '{"id":', 1 ], [ '[', 254 ], [ ']', 254 ], [ '}', 1 ] ]) },
		$COUNT, 'HV000', qr/nested too deeply/ ],
	[ '63 MB without a row', $PEOPLE,
		{ people([ [ ' ', 63 * $MB ] ], [ [ $ONE, 1 ] ]) },
		$COUNT, '1|1' ],
	[ '65 MB before the first row', $PEOPLE,
		{ people([ [ ' ', 65 * $MB ] ], [ [ $ONE, 1 ] ]) },
		$COUNT, 'HV000', qr/more than 64 MB without a row/ ],
	[ '40 MB before the first row, compressed', $PEOPLE,
		{ people([ [ ' ', 40 * $MB ] ], [ [ $ONE, 1 ] ]), gzip => 'good' },
		$COUNT, '1|1' ],
	[ '65 MB between two rows', $PEOPLE,
		{ people([], [ [ "$ONE,", 1 ], [ ' ', 65 * $MB ], [ $ONE, 1 ] ]) },
		$COUNT, 'HV000', qr/more than 64 MB without a row/ ],
	[ '65 MB of another key', $PEOPLE,
		{ people([], [ [ $ONE, 1 ] ],
				[ [ ',"more":[', 1 ], [ '1,', 33 * $MB ], [ '1]', 1 ] ]) },
		$COUNT, 'HV000', qr/more than 64 MB without a row/ ],
	[ '200 MB of rows', $PEOPLE,
		{ people([], [ [ '{"id":"1","more":"' . 'x' x 20000 . '"},', 10000 ],
					[ $ONE, 1 ] ]) },
		$COUNT, '10001|10001' ],
	[ 'a header of 95 kB', $PEOPLE,
		{ people([], [ [ $ONE, 1 ] ]), headers => { 'X-Long' => 'x' x 95000 } },
		$COUNT, '1|1' ],
	[ 'a header of 110 kB', $PEOPLE,
		{ headers => { 'X-Long' => 'x' x 110000 } },
		$COUNT, '08006', qr/header/i ],
	[ 'headers of 240 kB', $PEOPLE,
		{ people([], [ [ $ONE, 1 ] ]),
			headers => { map { ("X-Long-$_" => 'x' x 60000) } 1 .. 4 } },
		$COUNT, '1|1' ],
	[ 'headers of 300 kB', $PEOPLE,
		{ headers => { map { ("X-Long-$_" => 'x' x 60000) } 1 .. 5 } },
		$COUNT, '08006', qr/headers of the response are too large/ ],
	[ 'an error of 50 MB', $PEOPLE,
		{ status => 500, parts => [ [ '{"error":"', 1 ], [ 'x', 50 * $MB ], [ '"}', 1 ] ] },
		$COUNT, 'HV000', qr/status 500/ ],
	[ 'an error of 1,000 words', $PEOPLE,
		{ status => 500, parts => [ [ '{"error":"', 1 ], [ 'word ', 1000 ], [ '"}', 1 ] ] },
		$COUNT, 'HV000', qr/reported: (?:word ){80} ?\.\.\.$/m ],
	[ 'a cursor of 8,192 bytes', $WORK,
		{ json => { results => [],
				response_metadata => { next_cursor => 'x' x 8192 } } },
		'SELECT count(*) FROM bob.work_history', 'HV000', qr/cursor is not valid/ ],
	[ '... and one more byte', $WORK,
		{ json => { results => [],
				response_metadata => { next_cursor => 'x' x 8193 } } },
		'SELECT count(*) FROM bob.work_history', 'HV000',
		qr/cursor of the next page is longer than 8192 bytes/ ],
	[ 'named lists of 17 MB', $LISTS,
		{ parts => [ [ '{"a":{"values":[{"id":"', 1 ], [ 'x', 17 * $MB ],
				[ '","value":"b"}]}}', 1 ] ] },
		'SELECT count(*) FROM bob.named_lists', 'HV000',
		qr/named lists are larger than allowed/ ],
	[ 'named lists that grow to 31 MB', $LISTS,
		{ parts => [ [ '{"a":{"values":[{"id":"1","value":"', 1 ], [ 'x', $MB ],
				[ '","children":[{"id":"2","value":"b"}', 1 ],
				[ ',{"id":"2","value":"b"}', 27 ], [ ']}]}}', 1 ] ] },
		'SELECT count(*), max(length(path)) FROM bob.named_lists',
		'29|' . ($MB + 4) ],
	[ 'named lists that grow to 1 GB', $LISTS,
		{ parts => [ [ '{"a":{"values":[{"id":"1","value":"', 1 ], [ 'x', $MB ],
				[ '","children":[{"id":"2","value":"b"}', 1 ],
				[ ',{"id":"2","value":"b"}', 1000 ], [ ']}]}}', 1 ] ] },
		'SELECT count(*) FROM bob.named_lists', 'HV000',
		qr/rows of the named lists are larger than allowed/ ],
	[ 'named lists of 70 levels', $LISTS,
		{ parts => [ [ '{"a":{"values":[', 1 ], [ '{"id":"1","children":[', 35 ],
				[ ']}', 35 ], [ ']}}', 1 ] ] },
		'SELECT count(*) FROM bob.named_lists', 'HV000',
		qr/nested too deeply/ ],
	[ 'metadata of 17 MB', '/company/people/fields',
		{ parts => [ [ '[', 1 ], [ '{"id":"a","name":"b","description":"' . 'x' x 1000
					  . '"},', 17000 ], [ '{"id":"c"}]', 1 ] ] },
		'IMPORT FOREIGN SCHEMA hibob LIMIT TO (people) FROM SERVER bob INTO public',
		'HV000', qr/metadata of HiBob is larger than allowed/ ],
	[ 'metadata of 300 levels', '/company/people/fields',
		{ parts => [ [ '[{"id":', 1 ], [ '[', 300 ], [ ']', 300 ], [ '}]', 1 ] ] },
		'IMPORT FOREIGN SCHEMA hibob LIMIT TO (people) FROM SERVER bob INTO public',
		'HV000', qr/nested too deeply/ ],
	[ 'the ids of 900,000 employees', $PEOPLE,
		{ people([], [ [ '{"id":"3332883884017713238"},', 900000 ], [ $ONE, 1 ] ]) },
		'SELECT count(*) FROM bob.training', 'HV000',
		qr/too many employees to read foreign table "bob.training"/ ],
	[ 'a report of 1,600 columns', '/company/reports/71001/download',
		{ parts => [ [ 'a,', 1599 ], [ "a\n", 1 ], [ '1,', 1599 ], [ "1\n", 1 ] ],
			content_type => 'text/csv' },
		'SELECT count(*) FROM bob.report', '1' ],
	[ '... and one more', '/company/reports/71001/download',
		{ parts => [ [ 'a,', 1600 ], [ "a\n", 1 ] ], content_type => 'text/csv' },
		'SELECT count(*) FROM bob.report', 'HV000', qr/columns/ ],
);

my $highest = 0;
foreach my $case (@cases)
{
	my ($name, $endpoint, $fault, $sql, $expected, $words) = @$case;

	tell($sim, 'reset');
	tell($sim, 'fault', { endpoint => $endpoint, %$fault });
	my ($status, $out, $err) = $node->psql('postgres',
		"\\set VERBOSITY verbose\n$sql;\nSELECT peak();", on_error_stop => 0);
	my ($state) = $err =~ /ERROR:  ([0-9A-Z]{5}):/;
	my ($peak) = $out =~ /(\d+)\z/;
	is($state // $out =~ s/\n.*//r, $expected, $name);
	like($err, $words, '... with a message') if defined $words;
	cmp_ok($peak, '<', 200 * $SLOWNESS, "... with at most $peak MB of memory")
	  if -e '/proc/self/status';
	$highest = $peak if $peak > $highest;
}
note "highest peak of a session: $highest MB";

# Empty pages without end.
tell($sim, 'reset');
my $rows = query($node, 'SELECT count(*) FROM bob.work_history');
tell($sim, 'config', { empty_pages => 100 });
is(query($node, 'SELECT count(*) FROM bob.work_history'), $rows,
	'100 pages without a row, then all rows');
tell($sim, 'config', { empty_pages => 1000000 });
requests($sim);
my ($state, $message) = query_error($node, 'SELECT count(*) FROM bob.work_history');
is($state, 'HV000', 'endless pages without a row: an error');
like($message, qr/more than 5000 consecutive pages without a row/,
	'... with a message');
tell($sim, 'config', { empty_pages => 0 });

# Values of a query.
($state, $message) = query_error($node,
	q{SELECT * FROM bob.named_lists WHERE list = repeat('x', 65537)});
is($state, '54000', 'a value too long for a URL');
like($message, qr/value of 65537 bytes .*HINT: .*65536/s,
	'... the hint shows the limit');
is((query_error($node,
		q{SELECT * FROM bob.named_lists WHERE list = repeat('x', 900000000)}))[0],
	'54000', 'a value of 900 MB');
is(query($node, q{SELECT count(*) FROM bob.people WHERE email = repeat('x', 10000000)}),
	'0', 'a value of 10 MB in a body');

done_testing();
