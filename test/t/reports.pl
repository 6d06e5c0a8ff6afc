# Reports: the rows are those of the CSV file, as the test itself reads it, or the
# query fails.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use CancelTest;
use HibobTest qw(:DEFAULT session states reset_simulator stats hibob
  differences);
use JSON::PP;
use List::Util qw(min);
use Test::More;

my $sim = start_simulator(employees => 60);
my $node = new_cluster('reports', "jit = off\nrestart_after_crash = on\n");

add_server($node, 'bob', $sim, q{max_retries '0', read_timeout '20s'});

sub quote
{
	my ($text, $quote) = @_;
	$quote //= q{'};
	return $quote . $text =~ s/$quote/$quote$quote/gr . $quote;
}

# Reads CSV as in RFC 4180.  Fields that are empty and not quoted are undefined.
sub read_csv
{
	my ($text, $delimiter) = @_;
	my $d = quotemeta $delimiter;
	my (@records, @fields);

	$text =~ s/^\xef\xbb\xbf//;
	pos($text) = 0;
	while (pos($text) < length $text)
	{
		if ($text =~ /\G"((?:[^"]|"")*)"/gc)
		{
			push @fields, $1 =~ s/""/"/gr;
		}
		elsif ($text =~ /\G([^$d"\r\n]*)/gc)
		{
			push @fields, length $1 ? $1 : undef;
		}
		next if $text =~ /\G$d/gc && (pos($text) < length $text
			|| push @fields, undef);
		$text =~ /\G(?:\r\n|\n|\z)/gc or die 'not CSV at ' . pos $text;
		push @records, [@fields];
		@fields = ();
	}
	return @records;
}
is_deeply([ read_csv(qq{a,"b ""c""\r\n",,""\r\n1,2,"",3\r\n}, ',') ],
	[ [ 'a', qq{b "c"\r\n}, undef, '' ], [ '1', '2', '', '3' ] ],
	'the CSV reader of this test');

# Creates a foreign table with all columns of a report.
sub create_report
{
	my ($name, $id, $labels, $options) = @_;
	my (%before, $n);

	query($node, "CREATE FOREIGN TABLE bob.$name (" . join(', ', map {
				my $label = defined $_ ? s/\s+/ /gr : '';
				my $number = ++$before{$label};
				$label .= "#$number" if $number > 1 || $label eq '';
				'c' . ++$n . ' text OPTIONS (field ' . quote($label) . ')'
			} @$labels) . ") SERVER bob OPTIONS (resource 'report',
			report_id '$id'" . ($options // '') . ')');
	return;
}

# Creates a local table with the same rows.
sub create_expected
{
	my ($name, $records) = @_;
	my $n = @{ $records->[0] };
	my $rows = join ",\n", map {
		'(' . join(', ', map { defined $_ ? quote($_) : 'NULL' } @$_) . ')'
	} @$records[ 1 .. $#$records ];

	query($node, 'SET standard_conforming_strings = on;
		DROP TABLE IF EXISTS expected; CREATE TABLE expected ('
		  . join(', ', map { "c$_ text" } 1 .. $n) . ');'
		  . ($rows eq '' ? '' : "INSERT INTO expected VALUES $rows"));
	return;
}

sub download
{
	return hibob($sim,
		"/company/reports/$_[0]/download?format=csv&includeInfo=false");
}

my @REPORTS = (71001 .. 71006);
reset_simulator($sim, csv_bom => JSON::PP::false);
foreach my $id (@REPORTS)
{
	my ($header) = read_csv(download($id), ',');
	create_report("r$id", $id, $header);
	create_report("later$id", $id, $header, q{, report_async 'true'});
}

foreach my $delimiter (',', ';', "\t", '|')
{
	foreach my $bom (JSON::PP::true, JSON::PP::false)
	{
		foreach my $newline ('lf', 'crlf')
		{
			reset_simulator($sim, csv_delimiter => $delimiter, csv_bom => $bom,
				csv_newline => $newline);
			my $name = ($delimiter eq "\t" ? 'tab' : $delimiter)
			  . ($bom ? ', BOM' : '') . ", $newline";

			foreach my $id (@REPORTS)
			{
				my @records = read_csv(download($id), $delimiter);

				# A comma in the header is the delimiter, as HiBob documents: then
				# the rows do not match, which is an error.
				if ($delimiter ne ',' && grep { defined && /,/ } @{ $records[0] })
				{
					my ($state, $message) =
					  query_error($node, "SELECT * FROM bob.r$id");
					is($state, 'HV000', "$id: $name: a comma in the header");
					like($message, qr/different numbers of fields/,
						'... with a detail');
					next;
				}
				create_expected('expected', \@records);
				requests($sim);
				my $difference = differences($node, "SELECT * FROM bob.r$id",
					'SELECT * FROM expected');
				is($difference, @records > 1 ? '' : 'nothing expected|',
					"$id: $name: $#records rows");
				my @requests = requests($sim);
				is_deeply([ map { $_->{path} } @requests ],
					["/v1/company/reports/$id/download"], '... one request');
				is_deeply($requests[0]{query},
					{ format => 'csv', includeInfo => 'false' }, '... for CSV');
			}
		}
	}
}

# Responses that arrive in pieces.
reset_simulator($sim);
my @logins = read_csv(download(71002), ',');
create_expected('expected', \@logins);
foreach my $fault ({ split => { sizes => [1] } },
	{ split => { seed => 5, max => 100 } }, { framing => 'chunked' })
{
	tell($sim, 'fault', { endpoint => '*', %$fault });
	is(differences($node, 'SELECT * FROM bob.r71002', 'SELECT * FROM expected'),
		'', join ' ', 'in pieces:', %$fault);
}

# Empty texts, nulls, and line breaks within quotes.
is(query($node, q{SELECT count(*) FILTER (WHERE c2 IS NULL) > 0,
		count(*) FILTER (WHERE c2 = '') > 0,
		count(*) FILTER (WHERE c2 LIKE E'%\n%') > 0,
		count(*) FILTER (WHERE c2 LIKE E'"quoted"\r\n%"twice"') > 0
	FROM bob.r71002}), 't|t|t|t', 'NULL, an empty text and line breaks');
is(query($node, q{SELECT c2, c3 FROM bob.r71004 LIMIT 1}), 'first 1|second 1',
	'two columns with the same label');
query($node, q{CREATE FOREIGN TABLE bob.second (value text
	OPTIONS (field 'Value#2'), number int OPTIONS (field 'Number'),
	id text OPTIONS (field 'ID')) SERVER bob OPTIONS (resource 'report', report_id '71004')});
is(query($node, 'SELECT value, number, id FROM bob.second
		ORDER BY 2 LIMIT 2'), "second 1|1|3332883884017713275\n"
	  . 'second 2|2|3332883884017713312', 'columns by their labels');
is(query($node, 'SELECT count(*), count(c1) FROM bob.r71005'), '0|0',
	'a report with only a header');
is(query($node, 'SELECT count(*) FROM bob.r71002'), $#logins,
	'count(*) without columns');

# ------------------------------------------------------------------------
# Asynchronous reports
# ------------------------------------------------------------------------

foreach my $polls (0, 2, 5)
{
	reset_simulator($sim, report_polls => $polls);
	is(query($node, 'SELECT count(*), count(c1), count(DISTINCT c1)
			FROM bob.later71001'), '60|60|60', "a report after $polls polls");
	my @requests = requests($sim);
	is($requests[0]{path}, '/v1/company/reports/71001/download-async',
		'... is requested');
	is_deeply([ map { $_->{status} } @requests ],
		[ 202, (204) x $polls, 200 ], '... and polled until it is ready');
	is_deeply([ map { $_->{endpoint} } @requests[ 1 .. $#requests ] ],
		[ ('/company/reports/download/{report_name}') x ($polls + 1) ],
		'... by its name');
	like($requests[1]{path},
		qr{^/v1/company/reports/download/2026-11-24T11_22_14\.000001-71001\.csv$},
		'... which HiBob returned');
	my @times = map { $_->{time} } @requests;
	my @gaps = map { $times[ $_ + 1 ] - $times[$_] } 0 .. $#times - 1;
	# A quarter of a second, twice as long each time, at most five seconds.
	my @early = grep { $gaps[$_] < 0.8 * min(5, 0.25 * 2**$_) } 0 .. $#gaps;
	is("@early", '', '... with pauses that become longer');
}
foreach my $id (@REPORTS)
{
	reset_simulator($sim, report_polls => 0);
	is(query($node, "SELECT count(*) FROM (SELECT * FROM bob.r$id EXCEPT ALL
			SELECT * FROM bob.later$id) AS d") . query($node, "SELECT count(*)
			FROM (SELECT * FROM bob.later$id EXCEPT ALL SELECT * FROM bob.r$id)
			AS d"), '00', "$id: report_async returns the same rows");
}
reset_simulator($sim, report_async_only => JSON::PP::true, report_polls => 1);
is(query($node, 'SELECT count(*) FROM bob.r71001'), '60',
	'a report that HiBob always prepares asynchronously');
is_deeply([ map { $_->{status} } requests($sim) ], [ 202, 204, 200 ],
	'... after polling');
like(query($node, 'EXPLAIN (ANALYZE) SELECT count(*) FROM bob.r71001'),
	qr/HiBob Requests: 3\b/, '... EXPLAIN counts each request');

# The specification lists more than one status for "accepted".
reset_simulator($sim, report_accepted => 200, report_polls => 1);
is(query($node, 'SELECT count(*) FROM bob.later71001'), '60',
	'a report that is accepted with status 200');
is_deeply([ map { $_->{status} } requests($sim) ], [ 200, 204, 200 ],
	'... and polled');

# A rescan does not request the report again.
reset_simulator($sim, report_polls => 1);
is(query($node, 'SET enable_hashjoin = off; SET enable_mergejoin = off;
	SET enable_material = off;
	SELECT count(*) FROM generate_series(1, 3) AS n
	  JOIN bob.later71004 AS r ON r.c1 <> n::text'), '180',
	'three scans of an asynchronous report');
is(scalar(grep { $_->{status} == 202 } requests($sim)), 1,
	'... request it once');

# A cancel while it waits.
check_prompt('cancelled during the wait', tries => 5, median => 50 * $SLOWNESS,
	latest => 500 * $SLOWNESS, reference => sub { return reference_cancel($node) },
	try => sub {
		reset_simulator($sim, report_polls => 100000);
		my ($took, $out, $err) = cancel_when($node,
			sub { return stats($sim)->{requests} >= 3 },
			'SELECT count(*) FROM bob.later71001',
			'SELECT count(*) FROM bob.r71001');

		like($err, qr/canceling statement due to user request/, 'a cancel');
		is($out, "60\n", '... the session continues');
		return $took;
	});

# ------------------------------------------------------------------------
# Errors
# ------------------------------------------------------------------------

my $LATER = 'SELECT count(*) FROM bob.later71001';
my $NOW = 'SELECT count(*) FROM bob.r71001';

# Checks the error, and that the next query of the session works.
sub check_error
{
	my ($name, $sql, $state, $words) = @_;
	my ($out, $err) = session($node, "$sql;\nSELECT count(*) FROM bob.r71004");

	is_deeply([ states($err) ], [$state], "$name: SQLSTATE");
	like($err, $words, "$name: message");
	is($out, '60', "$name: the session continues");
	return;
}

my $ASYNC = '/company/reports/{report_id}/download-async';
reset_simulator($sim);
tell($sim, 'fault', { endpoint => '/company/reports/71001/download',
		status => 202 });
check_error('no Location', $NOW, 'HV000',
	qr/returned no location of the report.*no valid header "Location"/s);
foreach my $location ('', '/', 'https://app.hibob.com/v1/', '..',
	'https://app.hibob.com/v1/company/reports/download/..',
	'https://app.hibob.com/v1/company/reports/download/.',
	'https://app.hibob.com/download/?name=x', 'https://app.hibob.com/a\\..\\b',
	'https://app.hibob.com/%2e%2e', 'https://app.hibob.com/%2E',
	'https://app.hibob.com/%2e%2e%2fpeople', 'https://app.hibob.com/a%5C..',
	'https://app.hibob.com/a%00b', 'https://app.hibob.com/a%0ab',
	'https://app.hibob.com/' . 'y' x 600, 'x' x 600 . '/' . 'y' x 600)
{
	reset_simulator($sim);
	tell($sim, 'fault', { endpoint => $ASYNC, status => 202,
			headers => { Location => $location } });
	check_error('Location ' . substr($location, 0, 60), $LATER, 'HV000',
		qr/no valid header "Location"/);
	is(scalar(grep { $_->{endpoint} !~ m{^/company/reports/\{report_id\}/} }
			requests($sim)), 0, '... no request for it');
}

# Only the last segment of the location is used, as the name of the report.
foreach my $location ('https://evil.example/some/where/name-1.csv?x=y#z',
	'http://127.0.0.1:1/name-1.csv', '//evil.example/name-1.csv',
	'https://evil.example/../../people/name-1.csv', '/name-1.csv',
	'https://evil.example/%2e%2e/name-1.csv')
{
	reset_simulator($sim);
	tell($sim, 'fault', { endpoint => $ASYNC, status => 202,
			headers => { Location => $location } });
	check_error("Location $location", $LATER, 'HV00R', qr/no report/);
	is_deeply([ map { $_->{path} } (requests($sim))[1] ],
		['/v1/company/reports/download/name-1.csv'], '... only the name is used');
}

# The name contains the title of the report, escaped or not.  The simulator
# records the unescaped path.
foreach my $case ([ 'a b', 'a b' ], [ 'a%20b', 'a b' ],
	[ 'R&D (EMEA);+a=\'"100%"', 'R&D (EMEA);+a=\'"100%"' ],
	[ 'a%3Fb%23c', 'a?b#c' ], [ 'a%253Fb', 'a%3Fb' ],
	[ "\xc3\x9a\xc5\x99.csv", "\x{da}\x{159}.csv" ],
	[ 'T11:22', 'T11:22' ])
{
	my ($name, $decoded) = @$case;

	reset_simulator($sim);
	tell($sim, 'fault', { endpoint => $ASYNC, status => 202,
			headers => { Location => "https://app.hibob.com/$name" } });
	check_error("Location with the name $name", $LATER, 'HV00R', qr/no report/);
	is_deeply([ map { $_->{path} } (requests($sim))[1] ],
		["/v1/company/reports/download/$decoded"], '... is requested');
}

# An unknown report, and a report whose columns change.
query($node, q{CREATE FOREIGN TABLE bob.unknown (id text OPTIONS (field 'ID')) SERVER bob
	OPTIONS (resource 'report', report_id '4711');
	CREATE FOREIGN TABLE bob.path (id text OPTIONS (field 'ID')) SERVER bob
	OPTIONS (resource 'report', report_id '71001/../71004');
	CREATE FOREIGN TABLE bob.unknown_later (id text OPTIONS (field 'ID')) SERVER bob
	OPTIONS (resource 'report', report_id '4711', report_async 'true')});
reset_simulator($sim);
check_error('an unknown report', "SELECT * FROM bob.$_", 'HV00R',
	qr/no report "4711" for foreign table "bob.$_".*HINT:.*Share the report/s)
  foreach 'unknown', 'unknown_later';
foreach my $dots ('.', '..')
{
	check_error("a report_id of dots: $dots",
		"CREATE FOREIGN TABLE bob.dots (id text) SERVER bob
			OPTIONS (resource 'report', report_id '$dots')", 'HV024',
		qr/cannot be a segment of a path/);
}
reset_simulator($sim, report_columns => { 71001 => [ 'ID', 'Full name', "E\x{e9} mail" ] });
check_error('a missing column', 'SELECT c1, c3 FROM bob.r71001', 'HV005',
	qr/has no column "Email".*Column "c3".*The columns of the report are: "ID", "Full name", "E. ?mail"|has no column "Email".*Column "c3".*The columns of the report are: "ID", "Full name"/s);
is(query($node, 'SELECT count(c1), count(c2) FROM bob.r71001'), '60|60',
	'... has no effect on queries without it');
check_error('a missing column, asynchronous', 'SELECT c1, c3 FROM bob.later71001',
	'HV005', qr/has no column "Email"/);
reset_simulator($sim, report_columns => { 71005 => ['ID'] });
check_error('a missing column of a report without rows',
	'SELECT c2 FROM bob.r71005', 'HV005', qr/has no column "Full name"/);

# Responses that are no report.
my $DOWNLOAD = '/company/reports/71001/download';
query($node, q{CREATE FOREIGN TABLE bob.small (a text OPTIONS (field 'a'),
	b text OPTIONS (field 'b')) SERVER bob
	OPTIONS (resource 'report', report_id '71001')});
foreach my $case (
	[ 'a web page', { html => JSON::PP::true }, 'HV000', qr/web page/ ],
	[ 'too many fields', { body => "a,b\n1,2\n1,2,3\n",
			content_type => 'text/csv' }, 'HV000', qr/after 1 rows/ ],
	[ 'too few fields', { body => "a,b\n1,2\n1\n", content_type => 'text/csv' },
		'HV000', qr/after 1 rows/ ],
	[ 'text after a quoted field', { body => "a,b\n1,\"2\"3\n",
			content_type => 'text/csv' }, 'HV000', qr/after 0 rows/ ],
	[ 'an unterminated quoted field', { body => "a,b\n1,\"2\n",
			content_type => 'text/csv' }, '08006', qr/incomplete/ ],
	[ 'too few bytes', { truncate => { after => 3000, framing => 'length' } },
		'08006', qr/could not receive/ ],
	# CSV does not show where it ends, so HTTP has to.
	[ 'no length and no chunks', { framing => 'close' }, '08006',
		qr/neither Content-Length nor chunks/ ],
	# libcurl does not report whether compressed data is complete.
	[ 'compressed without request', { gzip => 'good' }, '08006',
		qr/Content-Encoding that was not requested/ ],
	[ 'a JSON document', { json => { error => 'oops' } }, 'HV000', qr/structure|JSON/ ],
	[ 'too few chunks', { truncate => { after => 3000, framing => 'chunked' } },
		'08006', qr/could not receive/ ],
	[ 'a reset', { reset => 3000 }, '08006', qr/could not receive/ ],
	[ 'half a header', { truncate => { after => 5, framing => 'length' } },
		'08006', qr/could not receive/ ],
	[ '403', { status => 403, body => '{"error":"not yours"}' }, '42501',
		qr/not yours.*HINT:.*Reports/s ],
	[ '500', { status => 500, body => '' }, 'HV000', qr/status 500/ ],
	[ '404 with a web page', { status => 404, html => JSON::PP::true }, 'HV00R',
		qr/no report/ ],
	[ 'a row too large', { body => "a,b\n1,2\n" . 'x' x (17 << 20) . ",3\n",
			content_type => 'text/csv' }, 'HV000', qr/too large/ ],
	[ 'invalid UTF-8', { body_base64 => 'YSxiCjEs/yAK',
			content_type => 'text/csv' }, '22021', qr/invalid byte sequence/ ])
{
	my ($name, $fault, $state, $words) = @$case;
	my $table = $fault->{content_type} ? 'small' : 'r71001';
	my $columns = $table eq 'small' ? 'count(a), count(b)' : 'count(c1)';

	reset_simulator($sim);
	tell($sim, 'fault', { endpoint => $DOWNLOAD, %$fault });
	check_error($name, "SELECT $columns FROM bob.$table", $state, $words);
}
reset_simulator($sim);
tell($sim, 'fault', { endpoint => $ASYNC, html => JSON::PP::true });
check_error('a web page, asynchronous', $LATER, 'HV000', qr/web page/);
# The specification gives the file the type JSON.
tell($sim, 'fault', { endpoint => $DOWNLOAD, body => "a,b\n1,2\n",
		content_type => 'application/json' });
is(query($node, 'SELECT a, b FROM bob.small'), '1|2', 'CSV with the type of JSON');
# A web page where the query needs no column.
reset_simulator($sim);
tell($sim, 'fault', { endpoint => $DOWNLOAD, html => JSON::PP::true });
check_error('a web page, count(*)', $NOW, 'HV000', qr/web page/);
tell($sim, 'fault', { endpoint => $DOWNLOAD, body => "a,b\n1,2\"3\"\n",
		content_type => 'text/csv' });
is(query($node, 'SELECT a, b FROM bob.small'), '1|2"3"',
	'quotes within an unquoted field are characters');
reset_simulator($sim);
tell($sim, 'fault', { endpoint => $DOWNLOAD, body => '', content_type => 'text/csv' });
isnt((query_error($node, 'SELECT a FROM bob.small'))[0], '',
	'an empty response: an error');
tell($sim, 'fault', { endpoint => $DOWNLOAD,
		body => "b;a\n\"1\"\"2\";\n;\"\"\n\nx;y", content_type => 'text/csv' });
is(query($node, q{SELECT coalesce(quote_literal(a), '-'),
		coalesce(quote_literal(b), '-') FROM bob.small}),
	qq{-|'1"2'\n''|-\n'y'|'x'},
	'another delimiter, empty lines, no line end at the end');

# ------------------------------------------------------------------------
# Types
# ------------------------------------------------------------------------

query($node, q{CREATE FOREIGN TABLE bob.typed (id bigint OPTIONS (field 'ID'),
	name varchar OPTIONS (field 'Full name'),
	fte numeric OPTIONS (field 'FTE %'), manages boolean
		OPTIONS (field 'Is a manager'), started date OPTIONS (field 'Start date'),
	ended date OPTIONS (field 'Termination date'))
	SERVER bob OPTIONS (resource 'report', report_id '71001');
	CREATE FOREIGN TABLE bob.times (ip inet OPTIONS (field 'IP'),
	at timestamp OPTIONS (field 'Time'))
	SERVER bob OPTIONS (resource 'report', report_id '71002')});
reset_simulator($sim);
my @people = read_csv(download(71001), ',');
shift @people;
is(query($node, 'SELECT sum(id - 3332883884017713238) FROM bob.typed'),
	37 * 30 * 61, 'bigint');
is(query($node, 'SELECT count(*) FILTER (WHERE manages), count(manages)
		FROM bob.typed'), scalar(grep { lc($_->[12] // '') =~ /^(?:true|yes)$/ }
		@people) . '|' . scalar(grep { defined $_->[12] } @people), 'boolean');
my ($started, $least) = ('', '');
foreach (map { $_->[7] } @people)
{
	my $day = defined $_ && m{^(\d\d)/(\d\d)/(\d{4})$} ? "$3-$2-$1" : next;
	$least = $day if $least eq '' || $day lt $least;
}
isnt($least, '', 'the report has dates as dd/mm/yyyy');
is(query($node, q{SET datestyle = 'ISO, DMY'; SELECT min(started) FROM bob.typed}),
	$least, 'date, with a matching datestyle');
my ($state, $message) = query_error($node,
	q{SET datestyle = 'ISO, MDY'; SELECT max(started) FROM bob.typed});
is($state, '22008', 'date, with another datestyle: an error');
like($message, qr/datestyle.*CONTEXT:.*"started".*"bob\.typed".*Start date/si,
	'... with the column');
($state, $message) = query_error($node,
	q{CREATE FOREIGN TABLE bob.wrong (name int OPTIONS (field 'Full name')) SERVER bob
	OPTIONS (resource 'report', report_id '71001');
	SELECT * FROM bob.wrong});
is($state, '22P02', 'a name as int: an error');
like($message, qr/CONTEXT:.*Full name/s, '... with the label of the column');
is(query($node, q{SELECT count(ip), bool_and(ip << '192.0.2.0/24')
		FROM bob.times}), "$#logins|t", 'inet');

done_testing();
