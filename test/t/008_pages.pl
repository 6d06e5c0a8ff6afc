# What comes in pages, or by many requests: all rows of it whatever the form of
# the answers, each request as small as the query allows, and an error for
# whatever breaks on the way.  What is expected is read from the simulator by
# the test itself.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT session states cancel_after hibob read_pages
  load_pages differences employee_id);
use JSON::PP;
use List::Util qw(max uniq);
use POSIX qw(strftime);
use MIME::Base64;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $PEOPLE = 120;
my $sim = start_simulator(employees => $PEOPLE);
# JIT compilation has memory of its own.
my $node = new_cluster('pages', "jit = off\nrestart_after_crash = on\n");

add_server($node, 'bob', $sim, q{max_retries '0', read_timeout '20s'});
query($node, q{
	CREATE SCHEMA expected;
	CREATE TABLE ids AS SELECT n, (3332883884017713238 + 37 * n)::text AS id
	  FROM generate_series(1, 2500) AS n;
	ANALYZE ids;
});

# Forgets faults, settings and records.
sub begin
{
	my (%settings) = @_;

	tell($sim, 'reset');
	tell($sim, 'config', \%settings) if %settings;
	requests($sim);
	return;
}

sub set_server
{
	my ($option, $value) = @_;
	query($node, "ALTER SERVER bob OPTIONS (SET $option '$value')");
	return;
}

# What a query has, or what went wrong.
sub outcome
{
	my ($sql) = @_;
	my ($out, $err) = session($node, $sql);

	return $err eq '' ? $out : $err;
}

# How often a plan says that HiBob was asked.
sub explained
{
	my ($what, $plan) = @_;
	return $plan =~ /HiBob \Q$what\E: (\d+)/ ? $1 : 0;
}

# ------------------------------------------------------------------------
# Columns.  A line is the name, the type, the path of keys in a row, and:
# "own" if the table has to say so, "human" for the human form, "both" for both.
# What is behind ":" is the option path.
# ------------------------------------------------------------------------

my $ENTRY = q{
	id bigint id
	effective_date date effectiveDate
	end_effective_date date endEffectiveDate
	is_current boolean isCurrent
	change_reason text change.reason
	changed_by text change.changedBy
	changed_by_id text change.changedById
	active_effective_date date activeEffectiveDate
	created_on date creationDate
	modified_on date modificationDate
	can_be_deleted boolean canBeDeleted
	custom_columns jsonb customColumns
};
my $AMOUNT = q{
	amount numeric amount.value
	currency text amount.currency
};

my %BULK = (
	work_history => [ 'work', $ENTRY . q{
		job_title_id text title
		department_id text department
		site text site
		site_id bigint siteId
		manager_id text reportsTo.id
		manager_name text reportsTo.displayName
		manager_email text reportsTo.email
		work_change_type text workChangeType
		team text customColumns.column_1655996461265 own
		manager jsonb reportsTo own
	} ],
	employment_history => [ 'employment', $ENTRY . q{
		contract text contract
		type text type
		fte numeric fte
		weekly_hours numeric weeklyHours
		salary_pay_type text salaryPayType
		flsa_code text flsaCode
		calendar_id bigint calendarId
		calendar_name text calendarName
		hours_in_day_not_worked numeric hoursInDayNotWorked
		personal_working_pattern_type text personalWorkingPatternType
		actual_working_pattern jsonb actualWorkingPattern
		working_pattern jsonb workingPattern
		standard_working_pattern_id bigint standardWorkingPatternId
		site_working_pattern jsonb siteWorkingPattern
		monday numeric standardWorkingPattern:days.monday own
	} ],
	lifecycle_history => [ 'lifecycle', $ENTRY . q{
		status text status
		employee_status text employeeStatus
		reason_type text reasonType
		leave_reason text leaveReason
		work_change_type text workChangeType
	} ],
	salaries => [ 'salaries', $ENTRY . q{
		amount numeric base.value
		currency text base.currency
		pay_period text payPeriod
		pay_frequency text payFrequency
		work_change_type text workChangeType
	} ],
	equity_grants => [ 'equities', $ENTRY . q{
		quantity numeric quantity
		equity_type text equityType
		grant_type text grantType
		grant_status text grantStatus
		grant_number text grantNumber
		grant_date date grantDate
		vesting_commencement_date date vestingCommencementDate
		vesting_term text vestingTerm
		vesting_schedule bigint vestingSchedule
		option_expiration date optionExpiration
		consent_number text consentNumber
		exercise_price numeric exercisePrice.value
		exercise_price_currency text exercisePrice.currency
		reason text reason
	} ],
	variable_payments => [ 'variable', $ENTRY . $AMOUNT . q{
		variable_type text variableType
		payout_type text payoutType
		payment_period text paymentPeriod
		percentage_of_annual_salary numeric percentageOfAnnualSalary
		company_percent numeric companyPercent
		department_percent numeric departmentPercent
		individual_percent numeric individualPercent
		end_date date endDate
	} ],
	deductions => [ 'deduction', $ENTRY . $AMOUNT . q{
		deduction text deduction
	} ],
	entitlements => [ 'entitlement', $ENTRY . $AMOUNT . q{
		entitlement text entitlement
	} ],
	dependents => [ 'dependents', q{
		id bigint id
		first_column text customColumns.column_1690000000001 own
	} ],
	right_to_work => [ 'right-to-work', q{
		id bigint id
		effective_date date effectiveDate own
		permit text customColumns.column_1690000000002 own
	} ],
);

my $CERTIFICATIONS = 'root__table_1791380280851';
my %BY_EMPLOYEE = (
	training => [ '/people/%s/training?includeHumanReadable=true', 'values', q{
		id bigint id
		name text name human
		description text description
		status text status human
		frequency text frequency human
		start_date date startDate
		end_date date endDate
		cost numeric cost.value
		cost_currency text cost.currency
		document_id bigint documentId
		custom_columns jsonb customColumns
		machine_name text name own
	} ],
	bank_accounts =>
	  [ '/people/%s/bank-accounts?includeHumanReadable=true', 'values', q{
		id bigint id
		bank_account_type text bankAccountType human
		account_nickname text accountNickname
		account_number text accountNumber
		routing_number text routingNumber
		iban text iban
		bic_or_swift text bicOrSwift
		bank_name text bankName
		branch_address text branchAddress
		allocation text allocation
		amount numeric amount
		use_for_bonus boolean useForBonus
		changed_by text changedBy
	} ],
	documents => [ '/docs/people/%s', 'documents', q{
		name text documentName
		download_link text downloadLink
	} ],
	custom_table =>
	  [ "/people/custom-tables/%s/$CERTIFICATIONS?includeHumanReadable=true",
		'values', q{
		id bigint id
		changed_by text changedBy
		certificate text column_1791380300001 own
		valid_until date column_1791380300002 own
		score numeric column_1791380300003 own
		fee numeric column_1791380300004:value own
		fee_currency text column_1791380300004:currency own
		level_id text column_1791380300005 own
		level text column_1791380300005 both
		topic_names text column_1791380300006 both
		topics text[] column_1791380300006 own
		renewed boolean column_1791380300007 own
		scan bigint column_1791380300008 own
		notes text column_1791380300009 own
		examiner text column_1791380300010 own
		region jsonb column_1791380300011 own
	} ],
);

sub columns_of
{
	my ($spec) = @_;
	my @columns;

	foreach (split /\n/, $spec)
	{
		my ($name, $type, $place, $flag) = split;
		next unless defined $place;
		my ($field, $path) = split /:/, $place;
		my $keys = join ',', split /[.:]/, $place;
		my $options = '';
		my $value = $type eq 'jsonb' ? "nullif(r #> '{$keys}', 'null')"
		  : $type eq 'text[]' ?
		  "ARRAY(SELECT jsonb_array_elements_text(r #> '{$keys}'))"
		  : "(r #>> '{$keys}')::$type";

		$flag //= '';
		$options = " OPTIONS (field '$field', value '"
		  . ($flag eq 'own' ? 'machine' : 'human') . q{'}
		  . (defined $path ? ", path '$path')" : ')')
		  if $flag eq 'own' || $flag eq 'both';
		$value = "coalesce(r #>> '{humanReadable,$keys}', $value)"
		  if $flag eq 'human' || $flag eq 'both';
		push @columns, { name => $name, value => "$value AS $name",
			definition => "$name $type$options" };
	}
	return @columns;
}

# The foreign table, and how to select the same of the rows r of a query that
# has the employee's id as "employee".  Both have the row as a whole, too.
sub create_table
{
	my ($table, $resource, $spec, $options) = @_;
	my @columns = columns_of($spec);
	my $whole = $resource eq 'documents' || $resource eq 'payments' ? ''
	  : ", whole jsonb OPTIONS (field '*')";

	query($node, "CREATE FOREIGN TABLE bob.$table (employee_id text, "
		  . join(', ', map { $_->{definition} } @columns) . $whole
		  . ") SERVER bob OPTIONS (resource '$resource'" . ($options // '') . ')');
	return 'SELECT employee AS employee_id, '
	  . join(', ', map { $_->{value} } @columns)
	  . ($whole ? ', r AS whole' : '');
}

# ------------------------------------------------------------------------
# Bulk tables
# ------------------------------------------------------------------------

my $GROUPS = q{SELECT g ->> 'employeeId' AS employee, r
	FROM pages.%s, jsonb_array_elements(page -> 'results') AS g,
		jsonb_array_elements(g -> 'values') AS r};
my @tables = sort keys %BULK;

query($node, 'CREATE SCHEMA pages');
begin();
foreach my $table (@tables)
{
	my ($path, $spec) = @{ $BULK{$table} };
	my $select = create_table($table, $table, $spec);

	load_pages($node, "pages.$table",
		read_pages($sim, "/bulk/people/$path?limit=200"));
	query($node, "CREATE TABLE expected.$table AS $select FROM ("
		  . sprintf($GROUPS, $table) . ') AS entries');
}
cmp_ok(query($node, 'SELECT count(*) FROM expected.work_history'), '>', 250,
	'there is something to read');

foreach my $form (
	{ bulk_form => 'plain', cursor_key => 'next_cursor' },
	{ bulk_form => 'wrapped', cursor_key => 'cursor' },
	{ bulk_form => 'plain', cursor_key => 'cursor', page_entries => 7 },
	{ bulk_form => 'wrapped', cursor_key => 'next_cursor', page_entries => 7 },
	{ bulk_form => 'wrapped', cursor_key => 'next_cursor', page_entries => 1,
		whitespace => JSON::PP::true })
{
	my $name = join ', ', map { "$_ $form->{$_}" } sort keys %$form;
	my $most = $form->{page_entries} // 200;

	foreach my $table (@tables)
	{
		my $path = $BULK{$table}[0];

		next if $most == 1 && $table !~ /^(?:deductions|right_to_work)$/;
		begin(%$form);
		is(differences($node, "SELECT * FROM bob.$table",
				"SELECT * FROM expected.$table"), '', "$table: $name");
		my @requests = requests($sim);
		my $entries = query($node, "SELECT count(*) FROM expected.$table");
		is_deeply([ uniq map { "$_->{path} $_->{query}{limit} $_->{status}" }
				@requests ], [ "/v1/bulk/people/$path 200 200" ],
			'... by its endpoint, with the largest pages');
		is(scalar @requests, int(($entries - 1) / $most) + 1,
			'... and no request too many');
	}
}

# Entries in arrays of ten.
begin();
my $OPENING = '/positionOpening/';
my @opening_fields = map { "$OPENING$_" } qw(positionOpeningName positionId status
  recruitmentStatus expectedStartDate actualStartDate filledBy
  updateEffectiveDate);
load_pages($node, 'pages.position_openings',
	read_pages($sim, '/positions/position-openings/search',
		{ fields => \@opening_fields, filters => [],
			includeHumanReadable => JSON::PP::true,
			pagination => { limit => 100 } }));
load_pages($node, 'pages.job_roles', read_pages($sim,
		'/job-catalog/job-roles?limit=100'));
load_pages($node, 'pages.job_families', read_pages($sim,
		'/job-catalog/job-families?limit=100'));
query($node, q{
	CREATE FOREIGN TABLE bob.position_openings (name text, position_id text,
		position text, status text, status_name text
			OPTIONS (field '/positionOpening/status', value 'human'),
		recruitment_status text, expected_start_date date,
		actual_start_date date, filled_by text, filled_by_name text,
		update_effective_date date)
		SERVER bob OPTIONS (resource 'position_openings');
	CREATE FOREIGN TABLE bob.job_roles (id bigint, name text, description text)
		SERVER bob OPTIONS (resource 'job_roles');
	CREATE FOREIGN TABLE bob.job_families (id bigint, name text,
		description text) SERVER bob OPTIONS (resource 'job_families');
});

sub of_object
{
	my ($key, $type, $form) = @_;
	return $form ? "coalesce(r #>> '{$key,humanReadable}', r #>> '{$key,value}')"
	  : "(r #>> '{$key,value}')::$type";
}
my %objects = (
	position_openings => [ 'positionOpeningEntries',
		join ', ', map { of_object("$OPENING$_->[0]", $_->[1], $_->[2]) } (
			[ 'positionOpeningName', 'text' ], [ 'positionId', 'text' ],
			[ 'positionId', 'text', 1 ], [ 'status', 'text' ],
			[ 'status', 'text', 1 ], [ 'recruitmentStatus', 'text' ],
			[ 'expectedStartDate', 'date' ], [ 'actualStartDate', 'date' ],
			[ 'filledBy', 'text' ], [ 'filledBy', 'text', 1 ],
			[ 'updateEffectiveDate', 'date' ]) ],
	job_roles => [ 'JobRoleEntries', join ', ',
		map { of_object("/jobRole/$_->[0]", $_->[1]) }
		  [ 'id', 'bigint' ], [ 'name', 'text' ], [ 'description', 'text' ] ],
	job_families => [ 'JobFamilyEntries', join ', ',
		map { of_object("/jobFamily/$_->[0]", $_->[1]) }
		  [ 'id', 'bigint' ], [ 'name', 'text' ], [ 'description', 'text' ] ]);
foreach my $table (sort keys %objects)
{
	my ($key, $select) = @{ $objects{$table} };

	foreach my $form ('flat', 'nested')
	{
		foreach my $entries (0, 7, 25)
		{
			begin(entries_form => $form, page_entries => $entries);
			is(differences($node, "SELECT * FROM bob.$table",
					"SELECT $select FROM pages.$table,
						jsonb_array_elements(page -> '$key') AS r"), '',
				"$table: $form, pages of $entries");
		}
	}
}

# ------------------------------------------------------------------------
# employee_id
# ------------------------------------------------------------------------

sub named
{
	return map { $_->{query}{employeeIds} // 'everybody' } @_;
}

sub ids
{
	return join ',', sort map { employee_id($_) } @_;
}

# All rows of those employees, and what the requests named.
sub check_named
{
	my ($name, $condition, $numbers, $expected) = @_;
	my $truth = @$numbers ? 'n IN (' . join(',', @$numbers) . ')' : 'false';

	begin();
	my $out = query($node, "SELECT coalesce(string_agg(employee_id || ' ' || id,
			',' ORDER BY employee_id, id), '')
		FROM bob.work_history WHERE $condition");
	my @seen = named(requests($sim));
	is($out, query($node, "SELECT coalesce(string_agg(employee_id || ' ' || e.id,
			',' ORDER BY employee_id, e.id), '')
		FROM expected.work_history e JOIN ids ON ids.id = employee_id
		WHERE $truth"), "$name: the rows");
	is_deeply([ uniq @seen ], $expected, "$name: who was named");
	return;
}

my @three = map { "'" . employee_id($_) . "'" } 3, 5, 40;
my $three = join ',', @three;
check_named('=', "employee_id = $three[0]", [3], [ ids(3) ]);
check_named('= from the right', "$three[0] = employee_id", [3], [ ids(3) ]);
check_named('IN', "employee_id IN ($three)", [ 3, 5, 40 ], [ ids(3, 5, 40) ]);
check_named('= ANY', "employee_id = ANY (ARRAY[$three])", [ 3, 5, 40 ],
	[ ids(3, 5, 40) ]);
check_named('duplicates and nulls',
	"employee_id = ANY (ARRAY[$three[0], NULL, $three[1], $three[0], NULL])",
	[ 3, 5 ], [ ids(3, 5) ]);
check_named('no values', "employee_id = ANY ('{}'::text[])", [], []);
check_named('nothing but null', "employee_id = ANY (ARRAY[NULL]::text[])", [],
	[]);
check_named('= null of a subquery',
	'employee_id = (SELECT id FROM ids WHERE n = 0)', [], []);
check_named('= a subquery', 'employee_id = (SELECT id FROM ids WHERE n = 7)',
	[7], [ ids(7) ]);
check_named('= ANY of a subquery', q{employee_id = ANY
	((SELECT array_agg(id) FROM ids WHERE n IN (8, 9))::text[])}, [ 8, 9 ],
	[ ids(8, 9) ]);
check_named('a condition that is not bytewise',
	"lower(employee_id) = $three[0]", [3], ['everybody']);
check_named('two conditions',
	"employee_id IN ($three) AND employee_id = $three[1]", [5], [ ids(5) ]);

# As a number.
query($node, q{CREATE FOREIGN TABLE bob.numbered (employee_id bigint, id bigint)
	SERVER bob OPTIONS (resource 'work_history')});
begin();
is(query($node, 'SELECT count(*) FROM bob.numbered WHERE employee_id = '
		. employee_id(12)), query($node,
		"SELECT count(*) FROM expected.work_history WHERE employee_id = '"
		  . employee_id(12) . q{'}), 'employee_id as a number');
is_deeply([ named(requests($sim)) ], [ ids(12) ], '... is named, too');

# At most 200 in a request, in pages.
sub named_first
{
	my ($many) = @_;
	return "employee_id = ANY ((SELECT array_agg(id) FROM ids
		WHERE n <= $many)::text[])";
}
sub check_batches
{
	my ($many, $batches, $known) = @_;
	my $quiet = "SET client_min_messages = error;\n";

	requests($sim);
	is(outcome($quiet . 'SELECT count(DISTINCT employee_id)
			FROM bob.work_history WHERE ' . named_first($many)), $known,
		"$many ids: everybody who is one of them");
	my @named = uniq named(requests($sim));
	is(scalar @named, $batches, "... by $batches batches");
	cmp_ok(max(map { scalar split /,/ } @named), '<=', 200,
		'... of at most 200');
	return @named;
}
begin(employees => 450);
my @named = check_batches(450, 3, 450);
is_deeply([ sort map { split /,/ } @named ],
	[ sort map { employee_id($_) } 1 .. 450 ], '... with each id once');
check_batches(200, 1, 200);
check_batches(201, 2, 201);
begin(employees => 450, errors_key => 'word');
is_deeply([ check_batches(2000, 1, 450) ], ['everybody'],
	'... which names nobody, since that takes fewer requests');

# Rows of the outer side.
begin();
is(differences($node, 'SELECT n, (SELECT count(*) FROM bob.work_history
			WHERE employee_id = ids.id) FROM ids WHERE n <= 4',
		'SELECT n, count(*) FROM ids JOIN expected.work_history
			ON employee_id = ids.id WHERE n <= 4 GROUP BY 1'), '',
	'a correlated subquery');
is_deeply([ sort(named(requests($sim))) ],
	[ sort map { employee_id($_) } 1 .. 4 ], '... names each value');
is(differences($node, 'SELECT n, w.id FROM ids, LATERAL (SELECT *
			FROM bob.work_history WHERE employee_id = ids.id OFFSET 0) AS w
			WHERE n <= 4',
		'SELECT n, w.id FROM ids JOIN expected.work_history AS w
			ON employee_id = ids.id WHERE n <= 4'), '', 'LATERAL');
is_deeply([ sort(named(requests($sim))) ],
	[ sort map { employee_id($_) } 1 .. 4 ], '... names each value');
foreach my $set ('', 'SET enable_nestloop = off;', 'SET enable_hashjoin = off;
	SET enable_mergejoin = off;')
{
	is(differences($node, 'SELECT n, w.id FROM ids JOIN bob.work_history AS w
			ON w.employee_id = ids.id WHERE n IN (2, 3)',
		'SELECT n, w.id FROM ids JOIN expected.work_history AS w
			ON employee_id = ids.id WHERE n IN (2, 3)'), '', "a join; $set");
}
query($node, 'CREATE TABLE two AS SELECT * FROM ids WHERE n IN (2, 3);
	ANALYZE two');
requests($sim);
is(query($node, 'SELECT count(*) FROM two JOIN bob.work_history AS w
		ON w.employee_id = two.id'),
	query($node, 'SELECT count(*) FROM two JOIN expected.work_history AS w
		ON w.employee_id = two.id'), 'a join with two rows');
is_deeply([ sort(named(requests($sim))) ], [ sort map { employee_id($_) } 2, 3 ],
	'... names their values');

# LIMIT.
sub check_limit
{
	my ($name, $sql, $rows, $limits) = @_;
	my $out = query($node, $sql);

	is(scalar(split /\n/, $out), $rows, "$name: the rows");
	is_deeply([ map { $_->{query}{limit} } requests($sim) ], $limits,
		"$name: the requests");
	return;
}
begin();
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

# ------------------------------------------------------------------------
# Prefetch
# ------------------------------------------------------------------------

# Row by row, 20 ms each: the next page is asked for before the first row is
# used, and the one after it only when this page is.
query($node, q{CREATE FUNCTION slow(anyelement) RETURNS float VOLATILE
	LANGUAGE plpgsql AS $$ BEGIN
		PERFORM pg_sleep(0.02);
		RETURN extract(epoch FROM clock_timestamp());
	END $$});
begin(page_entries => 40);
my @times = split /\n/,
  query($node, 'SELECT slow(id) FROM bob.work_history LIMIT 100 OFFSET 0');
my @requests = requests($sim);
is(scalar @times, 100, 'a hundred slow rows');
is(scalar @requests, 3, '... of three pages');
is($requests[0]{query}{limit}, 100, '... with the limit');
begin(page_entries => 40);
@times = split /\n/, query($node,
	'SELECT slow(id) FROM (SELECT * FROM bob.work_history WHERE id > 0) AS w
	  LIMIT 100');
@requests = requests($sim);
is(scalar @times, 100, 'a hundred slow rows of all');
is(scalar @requests, 4, '... and a page ahead of the three that have them');
cmp_ok($requests[1]{time}, '<', $times[20],
	'the second page is asked for while the first is used');
cmp_ok($requests[2]{time}, '<', $times[60],
	'the third one while the second is used');
cmp_ok($requests[2]{time}, '>=', $times[38] - 0.01, '... and not before');

begin(page_entries => 7);
my $explained = query($node,
	'EXPLAIN (ANALYZE) SELECT count(*) FROM bob.salaries');
is(explained('Requests', $explained), scalar requests($sim),
	'EXPLAIN counts the requests');
cmp_ok(explained('Requests', $explained), '>', 10, '... which are many');

# ------------------------------------------------------------------------
# Pages that break
# ------------------------------------------------------------------------

my $ALL = 'SELECT count(*), count(DISTINCT (employee_id, id))
	FROM bob.work_history';
my $EVERY = query($node, 'SELECT count(*), count(DISTINCT (employee_id, id))
	FROM expected.work_history');
my $BULK_WORK = '/bulk/people/work';

# The error, the words; the same session goes on.
sub check_broken
{
	my ($name, $state, $words, $most) = @_;
	my ($out, $err) = session($node, $ALL);
	my $requests = () = requests($sim);

	is_deeply([ states($err) ], [$state], "$name: SQLSTATE");
	like($err, $words, "$name: words");
	is($out, '', "$name: no rows");
	cmp_ok($requests, '<=', $most, "$name: at most $most requests");
	return;
}

begin(repeat_cursor => JSON::PP::true, page_entries => 50);
check_broken('the same cursor', 'HV000',
	qr/DETAIL:  After 50 rows: the cursor.*has come before/, 5);

# In the order of the keys' names, which has the employee before the rows.
sub as_body
{
	my ($data) = @_;
	return (status => 200, body => JSON::PP->new->canonical->encode($data));
}
sub page_of
{
	my ($next, @rows) = @_;
	return { endpoint => $BULK_WORK, as_body({
				results => [ map { { employeeId => "$_",
					values => [ { id => $_ } ] } } @rows ],
				response_metadata => { next_cursor => $next } }) };
}
begin();
tell($sim, 'fault', [ map { page_of($_, 1) } ('A', 'B', 'C') x 20 ]);
check_broken('a circle of three', 'HV000', qr/cursor.*has come before/, 12);
begin();
tell($sim, 'fault', [ map { page_of($_, 1) } 'x', 'y', ('A' .. 'J') x 6 ]);
check_broken('a circle of ten, after two', 'HV000',
	qr/cursor.*has come before/, 45);
begin();
tell($sim, 'fault', page_of(undef, 1));
is(query($node, $ALL), '1|1', 'no cursor: one page');
tell($sim, 'fault', page_of('', 1));
is(query($node, $ALL), '1|1', 'an empty cursor: one page');
tell($sim, 'fault', [ page_of('a/b+c=%20&limit=1', 1), page_of(undef, 2) ]);
requests($sim);
is(query($node, $ALL), '2|2', 'a cursor with all kinds of characters');
is((requests($sim))[1]{query}{cursor}, 'a/b+c=%20&limit=1',
	'... comes back as it was');
tell($sim, 'fault', [ page_of(17, 1), page_of(undef, 2) ]);
is(query($node, $ALL), '2|2', 'a cursor that is a number');
begin();
tell($sim, 'fault', page_of({ a => 1 }, 1));
check_broken('a cursor that is an object', 'HV000', qr/cursor.*not a text/, 1);

# An empty page in the middle: the second request gets it, with another cursor
# for the same place.
begin(page_entries => 50);
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
is(query($node, $ALL), $EVERY, 'an empty page is no end');
is(scalar requests($sim), $pages + 1, '... but one request more');
tell($sim, 'fault', page_of($same));
is(query($node, "SELECT count(*) FROM bob.work_history"),
	(split /\|/, $EVERY)[0] - 50, 'an empty page at the beginning, neither');

# Whatever happens to the second page.
foreach my $case (
	[ 'no JSON', { status => 200, body => '{"results":[oops' }, 'HV000',
		qr/not valid JSON/ ],
	[ 'half of it', { status => 200, body => '{"results":[' }, '08006',
		qr/incomplete/ ],
	[ 'another shape', { status => 200, json => [] }, 'HV000',
		qr/expected shape/ ],
	[ 'no results', { status => 200, json => { response_metadata => {} } },
		'HV000', qr/expected shape/ ],
	[ 'a web page', { html => JSON::PP::true }, 'HV000', qr/web page/ ],
	# libcurl itself asks again, once, where it was a kept connection
	[ 'a reset', { reset => 'before_headers', times => 2 }, '08006',
		qr/broke off/ ],
	[ 'a reset amid', { reset => 5000 }, '08006', qr/broke off/ ],
	[ 'too few bytes', { truncate => { after => 5000 } }, '08006',
		qr/broke off/ ],
	[ '500', { status => 500, body => '' }, 'HV000', qr/status 500/ ],
	[ '401', { status => 401, body => '' }, '28000', qr/rejected/ ],
	[ '403', { status => 403, body => '{"error":"not yours"}' }, '42501',
		qr/not yours.*HINT:.*"Work"/s ],
	[ '429', { rate_limited => { reset_in => 3000 } }, '53400',
		qr/rate limit/ ],
	[ 'rows without their employee', { status => 200, json => { results => [
			{ values => [ { id => 1 } ] } ] } }, 'HV000', qr/which employee/ ])
{
	my ($name, $fault, $state, $words) = @$case;

	set_server('max_retries', 0);
	begin(page_entries => 50);
	tell($sim, 'fault', { endpoint => $BULK_WORK, skip => 1, %$fault });
	my ($out, $err) = session($node, "$ALL;\nALTER SERVER bob OPTIONS
		(SET max_retries '0');\n$ALL;");
	is_deeply([ states($err) ], [$state], "second page, $name: SQLSTATE");
	like($err, $words, "second page, $name: words");
	is($out, $EVERY, "second page, $name: then all rows");
}
# An answer that is there as soon as the next page is asked for ahead: every
# request takes so long to send that its answer has come meanwhile.
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
	begin(page_entries => 50);
	is(query($slow, $ALL), $EVERY, 'answers that are there at once');
	foreach my $case ([ 401, '28000' ], [ 403, '42501' ], [ 404, 'HV00R' ],
		[ 400, 'HV000' ], [ 302, 'HV000' ])
	{
		my ($status, $state) = @$case;

		foreach my $body ('', '{"results":[]}')
		{
			begin(page_entries => 50);
			query($slow, q{ALTER SERVER bob OPTIONS (SET max_retries '0')});
			tell($sim, 'fault', { endpoint => $BULK_WORK, skip => 1,
					status => $status, body => $body });
			my ($out, $err) = session($slow, $ALL);
			is(join(' ', $out, states($err)), " $state",
				"... with status $status and the body '$body'");
		}
	}
	$slow->stop;
}

set_server('max_retries', 3);
foreach my $fault ({ status => 500, body => '' }, { reset => 'before_headers' },
	{ truncate => { after => 5 } })
{
	my ($name) = sort keys %$fault;

	begin(page_entries => 50);
	tell($sim, 'fault', { endpoint => $BULK_WORK, skip => 1, times => 2,
			%$fault });
	my $plan = query($node, "EXPLAIN (ANALYZE) $ALL");
	is(scalar requests($sim), $pages + 2, "second page tried again: $name");
	cmp_ok(explained('Retries', $plan), '>', 0, '... as EXPLAIN says');
	tell($sim, 'fault', { endpoint => $BULK_WORK, skip => 1, times => 2,
			%$fault });
	is(query($node, $ALL), $EVERY, '... and all rows came');
}
set_server('max_retries', 0);

# A cursor of SQL that is closed amid a page.
begin(page_entries => 50);
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
is($err, '', 'a cursor: no error');
is($out, join("\n", ('c') x 3, $EVERY, ('c') x 60, $EVERY, $EVERY),
	'... and all rows');
tell($sim, 'fault', { endpoint => $BULK_WORK, skip => 1,
		stall => { seconds => 20 } });
($out, $err) = session($node, qq{
	SET statement_timeout = '5s';
	BEGIN;
	DECLARE c CURSOR FOR SELECT 'c' FROM bob.work_history;
	FETCH 3 FROM c;
	CLOSE c;
	$ALL;
	COMMIT;
});
is($err, '', 'a cursor with a stalled page ahead: no error');
is($out, join("\n", ('c') x 3, $EVERY), '... and no wait');

# ------------------------------------------------------------------------
# What HiBob withholds
# ------------------------------------------------------------------------

sub missing_field
{
	my ($what) = @_;
	query($node, "ALTER FOREIGN TABLE bob.work_history OPTIONS (DROP on_missing_field)")
	  if query($node, q{SELECT ftoptions::text LIKE '%on_missing%' FROM pg_foreign_table
		WHERE ftrelid = 'bob.work_history'::regclass}) eq 't';
	query($node, "ALTER FOREIGN TABLE bob.work_history
		OPTIONS (ADD on_missing_field '$what')");
	return;
}

my $SOME = 'SELECT count(*), count(job_title_id), count(site),
	count(department_id) FROM bob.work_history';
my $all_of = query($node, 'SELECT count(*), 0, 0, count(department_id)
	FROM expected.work_history');
my %WITHHELD = (work => { no_view_permission => ['title'],
		no_view_history_permission => [ 'site', 'nobody_knows' ] });
foreach my $form ('plain', 'wrapped')
{
	begin(bulk_form => $form, restricted_columns => \%WITHHELD,
		page_entries => 50);
	missing_field('warn');
	my ($out, $err) = session($node, $SOME);
	is($out, $all_of, "withheld columns, $form: the rest is there");
	like($err, qr/WARNING:\s+HV005: HiBob withheld columns of foreign table "work_history"/,
		'... with a warning');
	is(scalar(() = $err =~ /WARNING/g), 1, '... one');
	like($err, qr/Not shown: job_title_id \(field title\)\..*without their history: site \(field site\)\.$/m,
		'... that names columns and fields');
	like($err, qr/HINT:.*"Work"/, '... and what to grant');
	unlike($err, qr/nobody_knows|department/, '... and nothing else');
	($out, $err) = session($node,
		'SELECT count(department_id) FROM bob.work_history');
	is($err, '', '... of the columns that the query takes');
	missing_field('error');
	($out, $err) = session($node, "$SOME;
		SELECT count(department_id) > 0 FROM bob.work_history");
	is_deeply([ states($err) ], ['HV005'], 'on_missing_field error');
	like($err, qr/job_title_id.*site/, '... names them, too');
	is($out, 't', '... and the session goes on');
	missing_field('ignore');
	($out, $err) = session($node, $SOME);
	is("$out $err", "$all_of ", 'on_missing_field ignore');
}

# Of one employee and not of another; beside the groups; below them.
my %told = (no_view_permission => ['title'], no_view_history_permission => []);
my %places = (
	'of the second employee' => { results => [
			{ employeeId => '1', values => [ { id => 1, title => 'a' } ] },
			{ employeeId => '2', values => [ { id => 2 } ],
				restricted_columns => \%told },
			{ employeeId => '3', values => [ { id => 3, title => 'b' } ] } ] },
	'of one without rows' => { results => [
			{ employeeId => '1', values => [ { id => 1, title => 'a' } ] },
			{ employeeId => '2', restricted_columns => \%told, values => [] },
			{ employeeId => '3', values => [ { id => 3, title => 'b' } ] } ] },
	'in the inner object' => { results => [
			{ employeeId => '1', values => [ { values => [ { id => 1 } ],
					restricted_columns => \%told } ] } ] },
	'beside the groups' => { results => [
			{ employeeId => '1', values => [ { id => 1, title => 'a' } ] } ],
		restricted_columns => \%told });
missing_field('warn');
foreach my $where (sort keys %places)
{
	begin();
	tell($sim, 'fault', { endpoint => $BULK_WORK, as_body($places{$where}) });
	my ($out, $err) = session($node,
		'SELECT count(id), count(job_title_id) FROM bob.work_history');
	like($err, qr/WARNING:  HV005:.*Not shown: job_title_id/s,
		"withheld $where: a warning");
	is(scalar(() = $err =~ /WARNING/g), 1, '... one');
}

# Employees that may not be seen: not missed unless they were named.
my $hidden = "employee_id IN ($three)";
my $rows_of_rest = query($node, "SELECT count(*) FROM expected.work_history
	WHERE $hidden AND employee_id <> $three[1]");
foreach my $key ('id', 'word')
{
	begin(hidden_employees => [5], errors_key => $key);
	missing_field('warn');
	my ($out, $err) = session($node,
		"SELECT count(*) FROM bob.work_history WHERE $hidden");
	is($out, $rows_of_rest, "a hidden employee, errors by $key: the others");
	like($err, qr/WARNING:\s+42501: HiBob refused to show employees/,
		'... with a warning');
	like($err, qr/HiBob says: You don't have permission.*${\ employee_id(5)}/,
		'... in its words');
	is(scalar(() = $err =~ /WARNING/g), 1, '... one');
	($out, $err) = session($node,
		"SELECT count(*) FROM bob.work_history WHERE employee_id IN ($three[0], $three[2])");
	is($err, '', '... none without that employee');
	($out, $err) = session($node, "SELECT count(*) FILTER (WHERE $hidden)
		FROM bob.work_history");
	is("$out $err", "$rows_of_rest ", '... and none where nobody was named');
	missing_field('error');
	($out, $err) = session($node,
		"SELECT count(*) FROM bob.work_history WHERE $hidden");
	is_deeply([ states($err) ], ['42501'], 'on_missing_field error');
	missing_field('ignore');
	($out, $err) = session($node,
		"SELECT count(*) FROM bob.work_history WHERE $hidden");
	is("$out $err", "$rows_of_rest ", 'on_missing_field ignore');
}
missing_field('warn');

# ------------------------------------------------------------------------
# Employee by employee
# ------------------------------------------------------------------------

begin();
my @everybody = map { employee_id($_) } 1 .. $PEOPLE;
foreach my $table (sort keys %BY_EMPLOYEE)
{
	my ($path, $rows, $spec) = @{ $BY_EMPLOYEE{$table} };
	my $select = create_table($table, $table, $spec,
		$table eq 'custom_table' ? ", table_id '$CERTIFICATIONS'" : '');

	load_pages($node, "pages.$table",
		map { [ $_, hibob($sim, sprintf($path, $_)) ] } @everybody);
	query($node, "CREATE TABLE expected.$table AS $select
		FROM (SELECT tag AS employee, r FROM pages.$table,
			jsonb_array_elements(page -> '$rows') AS r) AS entries");
	requests($sim);
	# An array of nothing and no array at all are different things.
	is(differences($node, "SELECT * FROM bob.$table",
			"SELECT * FROM expected.$table"), '', "$table: all rows");
	my @seen = requests($sim);
	is(scalar @seen, $PEOPLE + 1, '... by a request each, and one for who');
	is($seen[0]{endpoint}, '/people/search', '... which is the first');
	is_deeply([ sort map { (split m{/}, $_->{path})[
			$table eq 'custom_table' ? 4 : $table eq 'documents' ? 4 : 3] }
			@seen[ 1 .. $#seen ] ], [ sort @everybody ], '... each once');
	like(query($node, "EXPLAIN (ANALYZE) SELECT count(*) FROM bob.$table"),
		qr/HiBob Requests: ${\ ($PEOPLE + 1)}\b/, '... as EXPLAIN says');

	# Those that are named, and one whom nobody knows.
	requests($sim);
	my $known = "employee_id IN ($three)";
	is(query($node, "SELECT count(*) FROM bob.$table WHERE $known"),
		query($node, "SELECT count(*) FROM expected.$table WHERE $known"),
		"$table: three employees");
	is_deeply([ sort map { (m{/(\d{19})\b})[0] } map { $_->{path} }
			requests($sim) ], [ map { s/'//gr } @three ],
		'... by three requests');
	is(query($node, "SELECT count(*) FROM bob.$table
			WHERE employee_id IN ($three[0], '17', 'nobody')"),
		query($node, "SELECT count(*) FROM expected.$table
			WHERE employee_id = $three[0]"), '... one that nobody knows');
	is_deeply([ grep { $_->{path} eq '/v1/people/search' } requests($sim) ], [],
		'... and no search for people');
	foreach my $value ('..', '.', '', 'search?x=', "\x{e9}/..")
	{
		my ($prefix) = sprintf("/v1$path", '') =~ m{^(/.*/)};
		my ($out, $err) = session($node,
			"SELECT count(*) FROM bob.$table WHERE employee_id = '$value'");

		unlike($err, qr/HV00N|08006|XX000/, "... '$value' is at most an error");
		is_deeply([ grep { !m{^/v1/(?:docs/people/|people/.*/)} }
				map { $_->{path} } requests($sim) ], [], '... and no other path');
	}
}

# Of a custom table HiBob does not say whether it is the table or the employee
# that it does not know: it is asked, once, if it knew none.
sub check_custom_table
{
	my ($name, $sql, $out, $state, @expected) = @_;

	requests($sim);
	my ($got, $err) = session($node, $sql);
	is($got, $out, "$name: the rows");
	is_deeply([ states($err) ], [ $state || () ], '... and errors');
	like($err, qr/no custom table "root__table_9".*HINT:.*table_id/s, '... in words')
	  if $state;
	is_deeply([ sort map { ($_->{endpoint} =~ m{([^/]*)$})[0] . " $_->{status}" }
			requests($sim) ], \@expected, '... by its requests');
	return;
}
query($node, q{CREATE FOREIGN TABLE bob.no_table (employee_id text, id bigint)
	SERVER bob OPTIONS (resource 'custom_table', table_id 'root__table_9');
	CREATE TABLE gone AS SELECT n::text AS id FROM generate_series(17, 18) AS n;
	ANALYZE gone});
check_custom_table('nobody known', q{SELECT count(*) FROM bob.custom_table
	WHERE employee_id IN ('17', '18')}, '0', '', 'metadata 200',
	('{table_id} 404') x 2);
check_custom_table('a join with nobody known', q{SET enable_hashjoin = off;
	SET enable_mergejoin = off; SELECT g.id, t.id FROM gone AS g
	LEFT JOIN bob.custom_table AS t ON employee_id = g.id ORDER BY 1},
	"17|\n18|", '', 'metadata 200', ('{table_id} 404') x 2);
check_custom_table('no table', q{SELECT count(*) FROM bob.no_table
	WHERE employee_id IN ('17', '18')}, '', 'HV00R', 'metadata 200',
	('{table_id} 404') x 2);
check_custom_table('no table, by somebody known',
	"SELECT count(*) FROM bob.no_table WHERE employee_id = $three[0]", '',
	'HV00R', 'metadata 200', '{table_id} 404');
check_custom_table('a join with no table', q{SET enable_hashjoin = off;
	SET enable_mergejoin = off; SELECT g.id, t.id FROM gone AS g
	LEFT JOIN bob.no_table AS t ON employee_id = g.id}, '', 'HV00R',
	'metadata 200', '{table_id} 404');

# Several at once.
my $forty = 'employee_id = ANY ((SELECT array_agg(id) FROM ids
	WHERE n <= 40)::text[])';
my $TRAINING = '/people/{id}/training';
my $expected_forty =
  query($node, "SELECT count(*) FROM expected.training WHERE $forty");
begin();
tell($sim, 'fault', { endpoint => $TRAINING, times => undef,
		stall => { seconds => 0.3 } });
my $started = time;
is(query($node, "SELECT count(*) FROM bob.training WHERE $forty"),
	$expected_forty, 'forty employees, each of whom takes 0.3 s');
cmp_ok(time - $started, '<', 6, '... in less than half of the time');
@requests = requests($sim);
my @begun = sort { $a <=> $b } map { $_->{time} } @requests;
my $overlap = grep { $begun[$_] - $begun[ $_ - 1 ] < 0.25 } 1 .. $#begun;
cmp_ok($overlap, '>', 20, '... by requests that overlap');
my $at_once = max(map { my $t = $_;
		scalar grep { $_ <= $t && $_ > $t - 0.3 } @begun } @begun);
cmp_ok($at_once, '<=', 4, '... at most four');
is(scalar(uniq map { $_->{connection} } @requests), 4,
	'... over as many connections');

# The rate limit.
begin(rate_limits => { $TRAINING => 10 }, rate_window => 1);
my $plan = query($node,
	"EXPLAIN (ANALYZE) SELECT count(*) FROM bob.training WHERE $forty");
is_deeply([ uniq map { $_->{status} } requests($sim) ], [200],
	'ten requests a second: never one too many');
like($plan, qr/HiBob Rate Limit Wait: \d+ ms/, '... as EXPLAIN shows');
begin(rate_limits => { $TRAINING => 10 }, rate_window => 1);
is(query($node, "SELECT count(*) FROM bob.training WHERE $forty"),
	$expected_forty, '... and all rows');
set_server('max_retries', 0);
query($node, q{ALTER SERVER bob OPTIONS (ADD max_rate_limit_wait '0')});
begin(rate_limits => { $TRAINING => 10 }, rate_window => 60);
my ($out2, $err2) = session($node,
	"SELECT count(*) FROM bob.training WHERE $forty;
	 SELECT count(*) FROM bob.work_history;");
is_deeply([ states($err2) ], ['53400'], 'no patience with the rate limit');
is($out2, (split /\|/, $EVERY)[0], '... and other endpoints go on');
is_deeply([ grep { $_->{status} == 429 } requests($sim) ], [],
	'... which HiBob need not say');
query($node, q{ALTER SERVER bob OPTIONS (DROP max_rate_limit_wait)});

# Errors of one of them.
my @fault_on = map { '/people/' . employee_id($_) . '/training' } 0 .. 20;
my $ten = 'employee_id = ANY ((SELECT array_agg(id) FROM ids
	WHERE n <= 10)::text[])';
my $expected_ten =
  query($node, "SELECT count(*) FROM expected.training WHERE $ten");
foreach my $case (
	[ '403', { endpoint => $fault_on[5], status => 403, body => '' }, '42501' ],
	[ 'reset', { endpoint => $fault_on[7], reset => 'before_headers',
			times => 2 }, '08006' ],
	[ '500', { endpoint => $fault_on[1], status => 500, body => '' }, 'HV000' ],
	[ 'a web page', { endpoint => $fault_on[10], html => JSON::PP::true },
		'HV000' ],
	[ 'a web page with 404', { endpoint => $fault_on[3], status => 404,
			html => JSON::PP::true }, 'HV00R' ],
	[ '401', { endpoint => $fault_on[4], status => 401, body => '' }, '28000' ],
	[ 'no JSON', { endpoint => $fault_on[2], body => 'oops' }, 'HV000' ],
	[ 'too few bytes', { endpoint => $fault_on[1], truncate => { after => 9 } },
		'08006' ])
{
	my ($name, $fault, $state) = @$case;

	begin();
	tell($sim, 'fault', $fault);
	my $sql = "SELECT count(*) FROM bob.training WHERE $ten";
	my ($out, $err) = session($node, "$sql;
		\\! HIBOB_SIM_URL=$sim test/simulator/tell reset >/dev/null
		ALTER SERVER bob OPTIONS (SET max_retries '0'); $sql;");
	is_deeply([ states($err) ], [$state], "one of ten, $name: an error");
	is($out, $expected_ten, '... and the session goes on');
}
begin();
tell($sim, 'fault', { endpoint => $fault_on[9], status => 404, body => '' });
is(outcome('SELECT count(*) FROM bob.training'), query($node,
		'SELECT count(*) FROM expected.training WHERE employee_id <> '
		  . q{'} . employee_id(9) . q{'}),
	'one who was found, and then is not there, is left out');

# Cancelled while four requests are under way.
my @took;
foreach my $try (1 .. 5)
{
	begin();
	# Some answers come, then four lanes wait.
	tell($sim, 'fault', { endpoint => $TRAINING, skip => 15, times => undef,
			stall => { seconds => 30 } });
	my ($took, $out, $err) = cancel_after($node, 0.3 + 0.01 * $try,
		"SELECT count(*) FROM bob.training WHERE $forty", "SELECT 'goes on'");
	push @took, $took;
	is(scalar(grep { !defined $_->{status} } requests($sim)), 4,
		'four requests were under way');
	like($err, qr/canceling statement due to user request/, '... and cancelled');
	is($out, "goes on\n", '... and the session goes on');
}
@took = sort { $a <=> $b } @took;
note "cancelled in @took ms";
cmp_ok($took[2], '<=', 50 * $SLOWNESS, 'cancelled within 50 ms');
cmp_ok($took[4], '<=', 500 * $SLOWNESS, '... never later than 500 ms');
begin();
tell($sim, 'fault', { endpoint => $TRAINING, skip => 1, times => undef,
		stall => { seconds => 30 } });
$started = time;
($out, $err) = session($node, "SET statement_timeout = '400ms';
	SELECT count(*) FROM bob.training WHERE $forty;
	RESET statement_timeout;
	SELECT count(*) FROM bob.work_history");
cmp_ok(time - $started, '<', 5 * $SLOWNESS, 'statement_timeout');
is_deeply([ states($err) ], ['57014'], '... is one');
is($out, (split /\|/, $EVERY)[0], '... and the session goes on');

# Nothing is lost by failing.
SKIP:
{
	skip 'needs /proc', 3 unless -e '/proc/self/status';
	query($node, q{
		CREATE FUNCTION of_status(field text) RETURNS int LANGUAGE sql AS $$
			SELECT (regexp_match(pg_read_file('/proc/self/status'),
								 field || ':\s+(\d+) kB'))[1]::int $$;
		CREATE FUNCTION descriptors() RETURNS bigint LANGUAGE sql AS $$
			SELECT count(*) FROM pg_ls_dir('/proc/self/fd') $$;
		CREATE PROCEDURE fail(times int) LANGUAGE plpgsql AS $$
		DECLARE
			failures int := 0;
			wrong text := ids.id FROM ids WHERE n = 1;
		BEGIN
			FOR i IN 1 .. times LOOP
				BEGIN
					CASE i % 8
					WHEN 0 THEN PERFORM 1 / (w.id - w.id) FROM bob.work_history w;
					WHEN 1 THEN PERFORM count(*) FROM bob.deductions;
					WHEN 2 THEN PERFORM count(*) FROM bob.entitlements;
					WHEN 3 THEN PERFORM count(*) FROM bob.salaries;
					WHEN 4 THEN PERFORM 1 / (t.id - t.id) FROM bob.training t;
					ELSE PERFORM count(*) FROM bob.training
						WHERE employee_id IN (SELECT id FROM ids WHERE n <= 0)
						OR employee_id = ANY ((SELECT array_agg(id) FROM ids
							WHERE n BETWEEN 21 AND 22 + i % 8)::text[]);
						PERFORM count(*) FROM bob.training
						WHERE employee_id = ANY ((SELECT array_agg(id) FROM ids
							WHERE n BETWEEN 21 AND 22 + i % 8)::text[]);
					END CASE;
				EXCEPTION WHEN OTHERS THEN
					failures := failures + 1;
				END;
				COMMIT;
			END LOOP;
			IF failures < times THEN
				RAISE 'only % failures', failures;
			END IF;
		END $$;
	});
	my @id = map { employee_id($_) } 0 .. 40;
	begin(page_entries => 40);
	tell($sim, 'fault', [ map { { times => undef, %$_ } }
			{ endpoint => '/bulk/people/deduction', skip => 1, status => 500,
				body => '' },
			{ endpoint => '/bulk/people/entitlement', body => '{"results":[1]}' },
			{ endpoint => '/bulk/people/salaries', reset => 9000 },
			{ endpoint => "/people/$id[27]/training", reset => 10 },
			{ endpoint => "/people/$id[28]/training", status => 403, body => '' },
			{ endpoint => "/people/$id[29]/training", html => JSON::PP::true } ]);
	my ($before, $descriptors, $after, $descriptors_after) =
	  split /\n/, query($node, q{
		CALL fail(40);
		SELECT of_status('VmRSS');
		SELECT descriptors();
		CALL fail(304);
		SELECT of_status('VmRSS');
		SELECT descriptors();
	});
	note "300 failures: $before kB before, $after kB after; "
	  . "$descriptors and $descriptors_after descriptors";
	cmp_ok($after - $before, '<', 2 * 1024, 'no memory lost by failing');
	# A connection of each lane may or may not have been kept at the end.
	cmp_ok($descriptors_after, '<=', $descriptors + 4,
		'no descriptor lost by failing');
}

# ------------------------------------------------------------------------
# Payments
# ------------------------------------------------------------------------

begin(employees => 450);
my $payment = create_table('payments', 'payments', q{
	id bigint id
	pay_date date payDate
	pay_type text payType
	amount numeric amount.value
	currency text amount.currency
	change_reason text change.reason
	changed_by text change.changedBy
	changed_by_id text change.changedById
	custom_columns jsonb customColumns
});
my @all450 = map { '' . employee_id($_) } 1 .. 450;
load_pages($node, 'pages.payments', map { read_pages($sim,
			'/people/actual-payments/search', {
				filters => [ { fieldPath => 'employeeId', operator => 'equals',
						values => $_ } ],
				pagination => { limit => 200 } }) }
		[ @all450[ 0 .. 199 ] ], [ @all450[ 200 .. 399 ] ],
		[ @all450[ 400 .. 449 ] ]);
query($node, "CREATE TABLE expected.payments AS $payment FROM (
	SELECT r ->> 'employeeId' AS employee, r FROM pages.payments,
		jsonb_array_elements(page -> 'results') AS r) AS entries");
requests($sim);
is(differences($node, 'SELECT * FROM bob.payments',
		'SELECT * FROM expected.payments'), '', 'payments: all rows');
@requests = requests($sim);
is((shift @requests)->{path}, '/v1/people/search', '... of the people found');
my @batches = uniq map { join ',', @{ $_->{body}{filters}[0]{values} } }
  @requests;
is_deeply([ sort { $a <=> $b } map { scalar split /,/ } @batches ],
	[ 50, 200, 200 ], '... in batches');
is_deeply([ sort map { split /,/ } @batches ], [ sort @all450 ],
	'... with each once');
is_deeply([ uniq map { $_->{body}{pagination}{limit} } @requests ], [200],
	'... with the largest pages');

sub check_payments
{
	my ($condition, @bounds) = @_;
	requests($sim);
	is(differences($node, "SELECT * FROM bob.payments WHERE $condition",
			"SELECT * FROM expected.payments WHERE $condition"), '',
		"payments $condition");
	my @seen = grep { $_->{path} !~ /search$/ || $_->{path} =~ /payments/ }
	  requests($sim);
	is_deeply([ uniq map { my $filters = $_->{body}{filters};
				join ' ', map { "$_->{operator} $_->{value}" }
				  grep { $_->{fieldPath} eq 'payDate' } @$filters } @seen ],
		[ join ' ', @bounds ], '... in the request');
	return;
}
check_payments(q{pay_date >= '2026-06-01'}, 'greaterThanOrEquals 2026-06-01');
check_payments(q{pay_date <= '2026-06-01'}, 'lessThanOrEquals 2026-06-01');
check_payments(q{pay_date BETWEEN '2026-03-01' AND '2026-06-30'},
	'greaterThanOrEquals 2026-03-01', 'lessThanOrEquals 2026-06-30');
check_payments(q{pay_date < '2026-06-01'}, 'lessThanOrEquals 2026-05-31');
check_payments("employee_id IN ($three) AND pay_date >= '2025-01-01'",
	'greaterThanOrEquals 2025-01-01');
check_payments("employee_id IN ($three)", '');
is(outcome(q{SELECT count(*) FROM bob.payments
		WHERE pay_date >= '2026-06-01' AND pay_date < '2026-06-01'}), '0',
	'payments within no time');

# ------------------------------------------------------------------------
# Ranges of time
# ------------------------------------------------------------------------

begin();
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

# The same rows as the same condition has of all of them, and the bounds.
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
		'... by its days');
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
	is(outcome("SELECT count(*) FROM bob.time_off WHERE $nothing"), '0',
		"time_off $nothing");
}

# Those that last from before one day until after another.
my $around = query($node, q{SELECT format('start_date <= %L AND end_date >= %L',
		start_date + 1, end_date - 1) FROM expected.time_off
	 WHERE end_date > start_date + 5 ORDER BY request_id LIMIT 1});
is(outcome("SELECT count(*) FROM bob.time_off WHERE $around"),
	query($node, "SELECT count(*) FROM expected.time_off WHERE $around"),
	'time_off around some days');
cmp_ok(query($node, "SELECT count(*) FROM expected.time_off WHERE $around"), '>',
	0, '... which there is');
foreach my $condition ('', q{WHERE start_date >= '2026-10-01'},
	q{WHERE start_date <= '2026-10-01'}, 'WHERE true OR start_date > now()',
	q{WHERE start_date > '-infinity' AND end_date < '2026-10-01'})
{
	my ($state, $message) =
	  query_error($node, "SELECT * FROM bob.time_off $condition");
	is($state, 'HV00L', "time_off without a bound: $condition");
	like($message, qr/without a range of time.*HINT:.*end_date >= current_date/s,
		'... with an example');
}

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

# The rows are those of HTTP with these bounds.
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
		\@ranges, '... by its bounds');
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

# Longer than a request may be: in the past by every clock, and beyond its end.
begin(today => '2024-01-15');
check_changes(q{since >= '2023-08-01 00:00+00' AND until <= '2024-05-01 00:00+00'},
	[ '2023-08-01T00:00:00.000Z', '2024-02-01T00:00:00.000Z' ],
	[ '2024-02-01T00:00:00.000Z', '2024-05-01T00:00:00.000Z' ]);
foreach my $end ('2500-01-01', '9999-12-31', '294276-12-31')
{
	requests($sim);
	is(outcome("SELECT count(*) FROM bob.changes
			WHERE since >= '2023-08-01 00:00+00' AND until <= '$end'"),
		outcome(q{SELECT count(*) FROM bob.changes
			WHERE since >= '2023-08-01 00:00+00'}), "until $end: the same");
	my @sinces = map { $_->{query}{since} } requests($sim);
	cmp_ok(scalar @sinces, '<=', 3 + (time - 1690848000) / (181 * 86400),
		sprintf '... by %d requests', scalar @sinces);
	cmp_ok($sinces[-2], 'lt', strftime('%Y-%m-%dT', gmtime(time + 2 * 86400)),
		'... none of the future');
}
begin();
query($node, q{SET timezone = 'Asia/Tokyo';
	SELECT count(*) FROM bob.changes WHERE since >= date '2026-08-01'});
is((requests($sim))[0]{query}{since}, '2026-07-31T15:00:00.000Z',
	'a day begins by the time zone of the session');
is(query($node, q{SELECT DISTINCT since AT TIME ZONE 'UTC', until
		FROM bob.changes WHERE since >= '2026-08-01 00:00+00'}),
	'2026-08-01 00:00:00|', 'the rows show the condition');
is((query_error($node, 'SELECT * FROM bob.changes'))[0], 'HV00L',
	'changes since the beginning: an error');
is((query_error($node, q{SELECT * FROM bob.changes WHERE until < now()}))[0],
	'HV00L', 'changes until now: an error');
query($node, q{ALTER FOREIGN TABLE bob.changes OPTIONS (ADD include_pending 'true')});
query($node, q{SELECT count(*) FROM bob.changes WHERE since >= '2026-08-01'});
is((requests($sim))[-1]{query}{includePending}, 'true', 'include_pending');

# ------------------------------------------------------------------------
# Named lists
# ------------------------------------------------------------------------

query($node, q{CREATE FOREIGN TABLE bob.named_lists (list text, id text,
	name text, parent_id text, path text, archived boolean)
	SERVER bob OPTIONS (resource 'named_lists')});
load_pages($node, 'pages.lists',
	hibob($sim, '/company/named-lists?includeArchived=true'));
query($node, q{CREATE TABLE expected.named_lists AS
	WITH RECURSIVE items AS (
		SELECT l.key AS list, i ->> 'id' AS id, i ->> 'name' AS name,
			NULL AS parent_id, i ->> 'name' AS path,
			(i ->> 'archived')::boolean AS archived, i -> 'children' AS children
		  FROM pages.lists, jsonb_each(page) AS l,
			jsonb_array_elements(l.value -> 'items') AS i
		UNION ALL
		SELECT list, i ->> 'id', i ->> 'name', items.id,
			items.path || ' \ ' || (i ->> 'name'), (i ->> 'archived')::boolean,
			i -> 'children'
		  FROM items, jsonb_array_elements(children) AS i)
	SELECT list, id, name, parent_id, path, archived FROM items});
foreach my $form ('object', 'array')
{
	foreach my $keys ('both', 'values', 'items')
	{
		begin(lists_form => $form, list_keys => $keys);
		is(differences($node, 'SELECT * FROM bob.named_lists',
				'SELECT * FROM expected.named_lists'), '',
			"named lists: $form, $keys");
		requests($sim);
		my $some = q{list IN ('department', 'employer_workLocation_tree_entity_list')};
		is(differences($node, "SELECT * FROM bob.named_lists WHERE $some",
				"SELECT * FROM expected.named_lists WHERE $some"), '',
			'... two of them');
		is_deeply([ sort map { $_->{path} } requests($sim) ], [
				'/v1/company/named-lists/department',
				'/v1/company/named-lists/employer_workLocation_tree_entity_list' ],
			'... by themselves');
	}
}
begin();
my ($state, $message) = query_error($node,
	q{SELECT * FROM bob.named_lists WHERE list = 'Department'});
is($state, 'HV00R', 'a list in the wrong case');
like($message, qr/no list "Department".*HINT:.*case-sensitive/s, '... has a hint');

# A name of the query has to be right; one that a join or a subquery brings may
# be of no list, whatever the plan.
query($node, q{CREATE TABLE names (list text); ANALYZE names;
	INSERT INTO names VALUES ('department'), ('Department'), ('nobody knows')});
my $lists = q{SELECT n.list, l.id FROM names AS n
	LEFT JOIN %s.named_lists AS l ON l.list = n.list};
foreach my $set ('', 'SET enable_hashjoin = off; SET enable_mergejoin = off;
		SET enable_material = off;', 'SET enable_nestloop = off;')
{
	requests($sim);
	is(query($node, $set . sprintf($lists, 'bob') . ' ORDER BY 1, 2'),
		query($node, sprintf($lists, 'expected') . ' ORDER BY 1, 2'),
		"lists that a join names; $set");
	is(scalar(grep { $_->{status} == 404 } requests($sim)), 0, '... all at once');
}
foreach my $which ('= ANY (ARRAY(SELECT list FROM names))',
	'IN (SELECT list FROM names)', q{= (SELECT list FROM names
		WHERE list LIKE 'Dep%')})
{
	is(outcome("SELECT id FROM bob.named_lists WHERE list $which ORDER BY 1"),
		query($node, "SELECT id FROM expected.named_lists WHERE list $which
			ORDER BY 1"), "lists that a subquery names: $which");
}
($state, $message) = query_error($node, q{PREPARE one(text) AS
	SELECT * FROM bob.named_lists WHERE list = $1; EXECUTE one('Department')});
is($state, 'HV00R', 'a parameter in the wrong case');
foreach my $case ([ 10, 10 ], [ 11, 1 ])
{
	my ($many, $times) = @$case;
	my $names = query($node, "SELECT string_agg(quote_literal(list), ', ')
		FROM (SELECT DISTINCT list FROM expected.named_lists ORDER BY 1
			  LIMIT $many) AS l");
	my $which = "list IN ($names)";

	requests($sim);
	is(query($node, "SELECT count(*) FROM bob.named_lists WHERE $which"),
		query($node, "SELECT count(*) FROM expected.named_lists WHERE $which"),
		"$many lists");
	is(scalar requests($sim), $times, "... by $times requests");
}
requests($sim);
session($node, q{SELECT * FROM bob.named_lists WHERE list = '..'});
is_deeply([ grep { !m{/named-lists} } map { $_->{path} } requests($sim) ], [],
	'a list of dots is no other path');

# ------------------------------------------------------------------------
# Modules that the account does not have
# ------------------------------------------------------------------------

query($node, q{CREATE FOREIGN TABLE bob.tasks (id bigint, title text)
	SERVER bob OPTIONS (resource 'tasks')});
begin(modules_off => [ '/tasks', '/bulk/people/deduction',
		'/people/' . substr(employee_id(1), 0, 6), '/timeoff',
		'/people/actual-payments' ]);
foreach my $table ('tasks', 'deductions', 'training', 'payments',
	q{time_off WHERE date = '2026-10-01'})
{
	($state, $message) = query_error($node, "SELECT count(*) FROM bob.$table");
	is($state, 'HV00R', "no module for $table");
	like($message, qr/HINT:.*module may not be active/, '... with a hint');
}

# ------------------------------------------------------------------------
# Wide tables
# ------------------------------------------------------------------------

begin(extra_custom_fields => 450);
my %extra = map { $_->{name} => $_->{id} }
  grep { $_->{name} =~ /^Extra \d+$/ }
  @{ decode_json(hibob($sim, '/company/people/fields')) };
is(scalar keys %extra, 450, '450 fields of the account');
query($node, 'CREATE TABLE extra AS SELECT * FROM (VALUES '
	  . join(',', map { "($_, '" . $extra{"Extra $_"} . q{')} } 1 .. 450)
	  . q{) AS v (n, field);
	CREATE FUNCTION create_wide(relation text, low int, high int) RETURNS void
	LANGUAGE plpgsql AS $$ BEGIN
		EXECUTE (SELECT format('CREATE FOREIGN TABLE bob.%I (id text, %s)
			SERVER bob OPTIONS (resource ''people'')', relation,
			string_agg(format('e%s text OPTIONS (field %L)', n, field), ', '
				ORDER BY n)) FROM extra WHERE n BETWEEN low AND high);
	END $$;
	SELECT create_wide('wide', 1, 450), create_wide('low', 1, 225),
		create_wide('high', 226, 450)});
my @names = map { "e$_" } 1 .. 450;
my $concat = 'concat_ws($$|$$, ' . join(', ', map {
		"concat_ws('|', " . join(', ', @names[ 90 * $_ .. 90 * $_ + 89 ]) . ')'
	} 0 .. 4) . ')';
query($node, "CREATE TABLE expected.wide AS SELECT id, $concat AS everything
	FROM bob.low JOIN bob.high USING (id)");
cmp_ok(query($node, 'SELECT min(length(everything)) FROM expected.wide'), '>',
	450 * 2, 'all have values');
requests($sim);
is(differences($node, "SELECT id, $concat FROM bob.wide",
		'SELECT * FROM expected.wide'), '', 'a wide table: the same as two');
@requests = requests($sim);
is(scalar @requests, 3, '... by a search for who, and two for the fields');
cmp_ok(max(map { scalar @{ $_->{body}{fields} } } @requests), '<=', 400,
	'... of at most 400');
is(query($node, 'SELECT count(*) FROM bob.wide WHERE e1 IS NULL OR e450 IS NULL'),
	'0', '... with all of their fields');
requests($sim);
is(differences($node, "SELECT id, $concat FROM bob.wide WHERE id IN ($three)",
		"SELECT * FROM expected.wide WHERE id IN ($three)"), '',
	'three of its rows');
@requests = requests($sim);
is(scalar @requests, 2, '... by two requests');
is_deeply([ map { $_->{body}{filters}[0]{values} } @requests ],
	[ ([ map { s/'//gr } @three ]) x 2 ], '... for them');
is(differences($node, "SELECT id, $concat FROM bob.wide WHERE id = $three[1]",
		"SELECT * FROM expected.wide WHERE id = $three[1]"), '', 'one row');

# Somebody who is in one answer only: in the second one, or the first one.
foreach my $answer (0, 1)
{
	begin(extra_custom_fields => 450);
	query($node, "SELECT id, $concat FROM bob.wide WHERE id IN ($three)");
	my ($request) = (requests($sim))[$answer];
	my $body = decode_json(hibob($sim, '/people/search', $request->{body}));
	is(scalar @{ $body->{employees} }, 3, 'three employees');
	splice @{ $body->{employees} }, 1, 1;
	my @left = map { "'" . ($_->{id} // $_->{root}{id}) . "'" }
	  @{ $body->{employees} };
	requests($sim);
	tell($sim, 'fault', { endpoint => '/people/search', skip => $answer,
			status => 200, json => $body });
	is(differences($node, "SELECT id, $concat FROM bob.wide WHERE id IN ($three)",
			'SELECT * FROM expected.wide WHERE id IN (' . join(',', @left) . ')'),
		'', "who is missing from answer $answer is left out");
}
begin(extra_custom_fields => 450);
tell($sim, 'fault', { endpoint => '/people/search', skip => 2, status => 403,
		body => '' });
($out, $err) = session($node, "SELECT count($concat) FROM bob.wide;
	SELECT count($concat) FROM bob.wide");
is_deeply([ states($err) ], ['42501'], 'an error of the second part');
is($out, $PEOPLE, '... and the session goes on');

# ------------------------------------------------------------------------
# Memory
# ------------------------------------------------------------------------

SKIP:
{
	skip 'needs /proc', 3 unless -e '/proc/self/status';
	my %peak;
	foreach my $size (400, 40000)
	{
		my $url = start_simulator(employees => $size);

		add_server($node, "of_$size", $url);
		query($node, "CREATE FOREIGN TABLE of_$size.history (employee_id text,
			id bigint, effective_date date, job_title_id text, whole jsonb
			OPTIONS (field '*')) SERVER of_$size
			OPTIONS (resource 'work_history')");
		my $result = query($node, "SET timezone = 'UTC';
			SELECT count(*), count(job_title_id), count(whole) FROM of_$size.history;
			SELECT of_status('VmHWM')");
		my ($rows, $kilobytes) = $result =~ /^(\d+).*\n(\d+)$/s;

		cmp_ok($rows, '>=', $size > 1000 ? 90000 : 800, "$rows rows");
		$peak{$size} = $kilobytes;
	}
	note "peak of $peak{400} kB and of $peak{40000} kB";
	cmp_ok($peak{40000} - $peak{400}, '<', 4 * 1024, 'in the same memory');
}

done_testing();
