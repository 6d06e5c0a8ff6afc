# The rows that foreign tables are expected to have.  They are read from the
# simulator over HTTP, loaded into local tables, and selected with SQL, so that
# nothing of hibob_fdw takes part.
#
# A test has the foreign tables in the schema "bob", the pages as HiBob returned
# them in "pages", and the expected rows in "expected".
package ExpectedRows;

use strict;
use warnings;
use Exporter 'import';
use HibobTest qw(:DEFAULT hibob read_pages load_pages employee_id);

our @EXPORT = qw(prepare_expected columns_of create_table bulk_tables bulk_path
  expect_bulk_table employee_tables employee_path expect_employee_table
  $CERTIFICATIONS);

# ------------------------------------------------------------------------
# The columns of each table.  A line is the column's name, its type, and the
# path of keys in a row; then "own" if the foreign table needs column options
# for it, "human" if the column has the human-readable form, or "both".  What
# follows ":" is the option "path".
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

our $CERTIFICATIONS = 'root__table_1791380280851';
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

# ------------------------------------------------------------------------
# Tables
# ------------------------------------------------------------------------

# The schemas, and the table "ids" with the ids of employees by number.
sub prepare_expected
{
	my ($node) = @_;

	query($node, q{
		CREATE SCHEMA pages;
		CREATE SCHEMA expected;
		CREATE TABLE ids AS SELECT n, (3332883884017713238 + 37 * n)::text AS id
		  FROM generate_series(1, 2500) AS n;
		ANALYZE ids;
	});
	return;
}

# The columns of a description as above: name, definition, and how to select the
# value from a row r.
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

# Creates a foreign table.  Returns how to select the same columns from rows r
# of a query whose column "employee" is the employee's id.  Both include the
# whole row.
sub create_table
{
	my ($node, $table, $resource, $spec, $options) = @_;
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

# The names of the bulk tables, and the endpoint of one.
sub bulk_tables { return sort keys %BULK }

sub bulk_path { return '/bulk/people/' . $BULK{ $_[0] }[0] }

# Creates a bulk table and the table of its expected rows.
sub expect_bulk_table
{
	my ($node, $url, $table) = @_;
	my $select = create_table($node, $table, $table, $BULK{$table}[1]);

	load_pages($node, "pages.$table",
		read_pages($url, bulk_path($table) . '?limit=200'));
	query($node, "CREATE TABLE expected.$table AS $select FROM (
		SELECT g ->> 'employeeId' AS employee, r
		  FROM pages.$table, jsonb_array_elements(page -> 'results') AS g,
			jsonb_array_elements(g -> 'values') AS r) AS entries");
	return;
}

# The same for tables that take a request for each employee.
sub employee_tables { return sort keys %BY_EMPLOYEE }

sub employee_path
{
	my ($table, $id) = @_;
	return sprintf $BY_EMPLOYEE{$table}[0], $id;
}

sub expect_employee_table
{
	my ($node, $url, $table, @ids) = @_;
	my (undef, $rows, $spec) = @{ $BY_EMPLOYEE{$table} };
	my $select = create_table($node, $table, $table, $spec,
		$table eq 'custom_table' ? ", table_id '$CERTIFICATIONS'" : '');

	load_pages($node, "pages.$table",
		map { [ $_, hibob($url, employee_path($table, $_)) ] } @ids);
	query($node, "CREATE TABLE expected.$table AS $select
		FROM (SELECT tag AS employee, r FROM pages.$table,
			jsonb_array_elements(page -> '$rows') AS r) AS entries");
	return;
}

1;
