# The tables time_off and time_off_changes: a query needs a condition with a range
# of time, which determines its requests.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use ExpectedRows;
use HibobTest qw(:DEFAULT reset_simulator outcome hibob load_pages differences);
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(time);

my $sim = start_simulator(employees => 120);
my $node = new_cluster('time_off', "jit = off\n");

add_server($node, 'bob', $sim, q{max_retries '0', read_timeout '20s'});
prepare_expected($node);

# ------------------------------------------------------------------------
# time_off
# ------------------------------------------------------------------------

my $out_columns = q{
	request_id bigint requestId
	policy_type text policyType
	type text type
	start_date date startDate
	end_date date endDate
	date date date
	hours_on_date numeric hoursOnDate
	minutes integer minutes
	start_portion text startPortion
	status text status
};
sub select_of
{
	return join ', ', "r ->> 'employeeId' AS employee_id",
	  map { $_->{value} } columns_of($_[0]);
}
sub definition_of
{
	return join ', ', 'employee_id text',
	  map { $_->{definition} } columns_of($_[0]);
}
query($node, "CREATE FOREIGN TABLE bob.time_off (" . definition_of($out_columns)
	  . ") SERVER bob OPTIONS (resource 'time_off')");
load_pages($node, 'pages.time_off', hibob($sim,
		'/timeoff/whosout?from=2020-01-01&to=2030-01-01&includeHourly=true'));
query($node, 'CREATE TABLE expected.time_off AS SELECT '
	  . select_of($out_columns)
	  . q{ FROM pages.time_off, jsonb_array_elements(page -> 'outs') AS r});

# Checks the rows, and the range of the request.
sub check_range
{
	my ($condition, $from, $to, $zone) = @_;
	my $set = "SET timezone = '" . ($zone // 'UTC') . "';\n";

	requests($sim);
	is(query($node, $set . 'SELECT count(*), count(*) > 0
			FROM (SELECT * FROM bob.time_off WHERE ' . $condition . '
				EXCEPT ALL SELECT * FROM expected.time_off WHERE ' . $condition
			  . ') AS more;') . query($node, $set . "SELECT count(*), count(*) > 0
			FROM (SELECT * FROM expected.time_off WHERE $condition
				EXCEPT ALL SELECT * FROM bob.time_off WHERE $condition) AS less"),
		'0|f0|f', "time_off $condition");
	my ($request) = requests($sim);
	like("$request->{query}{from} $request->{query}{to}", qr/^$from $to$/,
		'... the range of the request');
	return;
}
check_range(q{start_date >= '2026-10-01' AND start_date <= '2026-10-31'},
	'2026-10-01', '2026-10-31');
check_range(q{end_date >= '2026-10-01' AND start_date < '2026-11-01'},
	'2026-10-01', '2026-10-31');
check_range(q{end_date > '2026-10-01' AND '2026-11-01' > start_date},
	'2026-10-0[12]', '2026-10-31');
check_range(q{date BETWEEN '2026-09-01' AND '2026-12-31'}, '2026-09-01',
	'2026-12-31');
check_range(q{start_date = '2026-10-05'}, '2026-10-05', '2026-10-05');
check_range(q{start_date <= '2026-10-05' AND end_date >= '2026-10-08'},
	'2026-10-05', '2026-10-05');
check_range(q{start_date >= '2026-09-01' AND end_date <= '2026-10-15'
	AND start_date >= '2026-09-15'}, '2026-09-15', '2026-10-15');
check_range(q{start_date >= timestamp '2026-10-01 10:00'
	AND start_date <= timestamp '2026-10-31 10:00'}, '2026-10-0[12]',
	'2026-10-31');
check_range(q{start_date >= timestamptz '2026-10-01 20:00+00'
	AND start_date < timestamptz '2026-10-31 20:00+00'}, '2026-10-0[23]',
	'2026-1(?:0-31|1-01)', 'Pacific/Auckland');
check_range(q{start_date >= timestamptz '2026-10-01 03:00+00'
	AND start_date < timestamptz '2026-10-31 03:00+00'}, '(?:2026-09-30|2026-10-01)',
	'2026-10-30', 'America/Los_Angeles');
foreach my $nothing (
	q{start_date >= '2026-10-31' AND start_date <= '2026-10-01'},
	q{start_date >= 'infinity' AND start_date <= '2026-10-01'},
	q{start_date >= NULL::date AND start_date <= '2026-10-01'})
{
	is(outcome($node, "SELECT count(*) FROM bob.time_off WHERE $nothing"), '0',
		"time_off $nothing");
}

# A range within a longer absence.
my $around = query($node, q{SELECT format('start_date <= %L AND end_date >= %L',
		start_date + 1, end_date - 1) FROM expected.time_off
	 WHERE end_date > start_date + 5 ORDER BY request_id LIMIT 1});
is(outcome($node, "SELECT count(*) FROM bob.time_off WHERE $around"),
	query($node, "SELECT count(*) FROM expected.time_off WHERE $around"),
	'time_off that begins before a range and ends after it');
cmp_ok(query($node, "SELECT count(*) FROM expected.time_off WHERE $around"), '>',
	0, '... of which there is some');
foreach my $condition ('', q{WHERE start_date >= '2026-10-01'},
	q{WHERE start_date <= '2026-10-01'}, 'WHERE true OR start_date > now()',
	q{WHERE start_date > '-infinity' AND end_date < '2026-10-01'})
{
	my ($state, $message) =
	  query_error($node, "SELECT * FROM bob.time_off $condition");
	is($state, 'HV00L', "time_off without a bound: $condition");
	like($message, qr/without a range of time.*HINT:.*last_day >= current_date/s,
		'... the hint has an example');
}

# ------------------------------------------------------------------------
# time_off_changes
# ------------------------------------------------------------------------

my $change_columns = q{
	change_type text changeType
	request_id bigint requestId
	original_request_id bigint originalRequestId
	created_at timestamptz createdOn
	start_date date startDate
	end_date date endDate
	date date date
	total_duration numeric totalDuration
	total_cost numeric totalCost
	change_reason text changeReason
	time_zone text timeZone
};
query($node, 'CREATE FOREIGN TABLE bob.changes (since timestamptz,
	until timestamptz, ' . definition_of($change_columns)
	  . ") SERVER bob OPTIONS (resource 'time_off_changes')");
my $change_names = join ', ', 'employee_id',
  map { $_->{name} } columns_of($change_columns);
my $nth = 0;

# Checks the rows, and the ranges of the requests.
sub check_changes
{
	my ($condition, @ranges) = @_;
	my $table = 'pages.changes' . $nth++;

	load_pages($node, $table, map { hibob($sim, '/timeoff/requests/changes?since='
				. $_->[0] . (defined $_->[1] ? "&to=$_->[1]" : '')) } @ranges);
	requests($sim);
	is(differences($node, "SELECT $change_names FROM bob.changes
			WHERE $condition", 'SELECT ' . select_of($change_columns)
			  . " FROM $table, jsonb_array_elements(page -> 'changes') AS r"), '',
		"changes $condition");
	is_deeply([ map { [ $_->{query}{since}, $_->{query}{to} ] } requests($sim) ],
		\@ranges, '... the ranges of the requests');
	return;
}
my $AUGUST = '2026-08-01T00:00:00.000Z';
check_changes(q{since >= '2026-08-01 00:00+00'}, [ $AUGUST, undef ]);
check_changes(q{since = timestamptz '2026-08-01 02:00+02'}, [ $AUGUST, undef ]);
check_changes(q{since > '2026-08-01 00:00+00'}, [ $AUGUST, undef ]);
check_changes(q{'2026-08-01 00:00+00' <= since AND until <= '2026-09-01 12:30:05.25+00'},
	[ $AUGUST, '2026-09-01T12:30:05.250Z' ]);
check_changes(q{since >= '2026-08-01 00:00+00' AND until < '2026-09-01 00:00+00'},
	[ $AUGUST, '2026-09-01T00:00:00.000Z' ]);

# Ranges longer than a request may have: in the past, and beyond the present.
reset_simulator($sim, today => '2024-01-15');
check_changes(q{since >= '2023-08-01 00:00+00' AND until <= '2024-05-01 00:00+00'},
	[ '2023-08-01T00:00:00.000Z', '2024-02-01T00:00:00.000Z' ],
	[ '2024-02-01T00:00:00.000Z', '2024-05-01T00:00:00.000Z' ]);
foreach my $end ('2500-01-01', '9999-12-31', '294276-12-31')
{
	requests($sim);
	is(outcome($node, "SELECT count(*) FROM bob.changes
			WHERE since >= '2023-08-01 00:00+00' AND until <= '$end'"),
		outcome($node, q{SELECT count(*) FROM bob.changes
			WHERE since >= '2023-08-01 00:00+00'}), "until $end: the same");
	my @sinces = map { $_->{query}{since} } requests($sim);
	cmp_ok(scalar @sinces, '<=', 3 + (time - 1690848000) / (181 * 86400),
		sprintf '... with %d requests', scalar @sinces);
	cmp_ok($sinces[-2], 'lt', strftime('%Y-%m-%dT', gmtime(time + 2 * 86400)),
		'... none for the future');
}
reset_simulator($sim);
query($node, q{SET timezone = 'Asia/Tokyo';
	SELECT count(*) FROM bob.changes WHERE since >= date '2026-08-01'});
is((requests($sim))[0]{query}{since}, '2026-07-31T15:00:00.000Z',
	'a date is a time in the time zone of the session');
is(query($node, q{SELECT DISTINCT since AT TIME ZONE 'UTC', until
		FROM bob.changes WHERE since >= '2026-08-01 00:00+00'}),
	'2026-08-01 00:00:00|', 'the columns since and until have the bounds');
is((query_error($node, 'SELECT * FROM bob.changes'))[0], 'HV00L',
	'changes without a range: an error');
is((query_error($node, q{SELECT * FROM bob.changes WHERE until < now()}))[0],
	'HV00L', 'changes without a lower bound: an error');
query($node, q{ALTER FOREIGN TABLE bob.changes OPTIONS (ADD include_pending 'true')});
query($node, q{SELECT count(*) FROM bob.changes WHERE since >= '2026-08-01'});
is((requests($sim))[-1]{query}{includePending}, 'true', 'include_pending');

done_testing();
