/*
 * resource_tables.c
 *		The resources with any number of rows for each employee: the tables of
 *		an employee's profile.
 *
 * Source: HiBob's specification, and published captures of live accounts for
 * the columns.  The columns of dependents and right to work are not documented,
 * so their rows are JSON.
 */
#include "postgres.h"

#include "resources/resource_entries.h"

/*
 * Bulk tables: groups of rows by employee, in pages.  The specification has one
 * more object between a group and its rows; other clients do not see it.
 */
static const char *const rows_in_groups[] = {"results[].values[]",
	"results[].values[].values[]", NULL};
static const char *const rows_in_results[] = {"results[]", NULL};
static const char *const rows_in_values[] = {"values[]", NULL};
static const char *const rows_in_documents[] = {"documents[]", NULL};

static const ResourceFilter bulk_filters[] = {
	{"employeeId", FILTER_VALUES, PLACE_QUERY, "employeeIds", NULL, true, NULL},
};

static const ResourceFilter path_filters[] = {
	{"employeeId", FILTER_VALUES, PLACE_PATH, "employee_id", NULL, true, NULL},
};

static const ResourceFilter payments_filters[] = {
	{"employeeId", FILTER_VALUES, PLACE_BODY, "employeeId", NULL, true, NULL},
	{"payDate", FILTER_BOUNDS, PLACE_BODY, "payDate", "payDate", false, NULL},
};

/* Without the option, rows do not have the columns that are archived. */
static const ResourceOption bulk_options[] = {
	{"include_archived", "includeArchived=true", NULL},
};

/* The specification spells the key of employment entries with a capital C. */
static const ResourceDerived employment_derived[] = {
	{"creationDate", {"creationDate", "CreationDate"}, NULL},
};

#define EMPLOYEE_ID \
	KEY("employee_id", "text", "employeeId")

/* Who changed a row last, and why. */
#define CHANGE_COLUMNS \
	VALUE("change_reason", "text", "change.reason"), \
	VALUE("changed_by", "text", "change.changedBy"), \
	VALUE("changed_by_id", "text", "change.changedById")

/* The first and the last columns of all tables with effective dates. */
#define ENTRY_COLUMNS \
	EMPLOYEE_ID, \
	KEY("id", "bigint", "id"), \
	VALUE("effective_date", "date", "effectiveDate", \
		  "First day of the entry"), \
	VALUE("end_effective_date", "date", "endEffectiveDate", \
		  "Day when the entry ceased to be effective; null while it is"), \
	VALUE("is_current", "boolean", "isCurrent", \
		  "Whether HiBob uses the entry now; it may have a future " \
		  "effective_date")
#define ENTRY_END_COLUMNS \
	CHANGE_COLUMNS, \
	VALUE("active_effective_date", "date", "activeEffectiveDate"), \
	VALUE("created_on", "date", "creationDate"), \
	VALUE("modified_on", "date", "modificationDate"), \
	VALUE("can_be_deleted", "boolean", "canBeDeleted", \
		  "Internal flag of HiBob"), \
	VALUE("custom_columns", "jsonb", "customColumns", \
		  "Columns that the account added, by their ids, as an object")

#define AMOUNT(field) \
	PART("amount", "numeric", field, "value", \
		 "In the currency of the row"), \
	PART("currency", "text", field, "currency", \
		 "Three-letter code")

static const ResourceColumn work_columns[] = {
	ENTRY_COLUMNS,
	VALUE("job_title_id", "text", "title",
		  "ID of an item of the list title"),
	VALUE("department_id", "text", "department",
		  "ID of an item of the list department"),
	VALUE("site", "text", "site"),
	VALUE("site_id", "bigint", "siteId"),
	PART("manager_id", "text", "reportsTo", "id"),
	PART("manager_name", "text", "reportsTo", "displayName"),
	PART("manager_email", "text", "reportsTo", "email"),
	VALUE("work_change_type", "text", "workChangeType",
		  "ID of an item of the list of change types"),
	ENTRY_END_COLUMNS,
};

static const ResourceColumn employment_columns[] = {
	ENTRY_COLUMNS,
	VALUE("contract", "text", "contract"),
	VALUE("type", "text", "type"),
	VALUE("fte", "numeric", "fte",
		  "Percent of full time, by the working pattern"),
	VALUE("weekly_hours", "numeric", "weeklyHours",
		  "Hours a week, by the actual working pattern"),
	VALUE("salary_pay_type", "text", "salaryPayType",
		  "Salaried or hourly"),
	VALUE("flsa_code", "text", "flsaCode",
		  "Exempt or Non-Exempt"),
	VALUE("calendar_id", "bigint", "calendarId"),
	VALUE("calendar_name", "text", "calendarName"),
	VALUE("hours_in_day_not_worked", "numeric", "hoursInDayNotWorked",
		  "By the actual working pattern"),
	VALUE("personal_working_pattern_type", "text",
		  "personalWorkingPatternType",
		  "custom, library or flexible; null without a personal pattern"),
	VALUE("actual_working_pattern", "jsonb", "actualWorkingPattern",
		  "The pattern that applies, of whatever type"),
	VALUE("working_pattern", "jsonb", "workingPattern",
		  "The personal pattern"),
	VALUE("standard_working_pattern", "jsonb", "standardWorkingPattern",
		  "The pattern from the library; null if that of the site applies"),
	VALUE("standard_working_pattern_id", "bigint", "standardWorkingPatternId"),
	VALUE("site_working_pattern", "jsonb", "siteWorkingPattern",
		  "The default of the site, a weekly pattern"),
	VALUE("reason", "text", "reason"),
	ENTRY_END_COLUMNS,
};

static const ResourceColumn lifecycle_columns[] = {
	ENTRY_COLUMNS,
	VALUE("status", "text", "status",
		  "Such as Hired, Employed, Garden leave or Terminated"),
	VALUE("employee_status", "text", "employeeStatus",
		  "Active or Inactive; HiBob derives it from status"),
	VALUE("reason_type", "text", "reasonType",
		  "ID of an item of the list lifecycleReasonType"),
	VALUE("leave_reason", "text", "leaveReason"),
	VALUE("work_change_type", "text", "workChangeType"),
	ENTRY_END_COLUMNS,
};

static const ResourceColumn salaries_columns[] = {
	ENTRY_COLUMNS,
	AMOUNT("base"),
	VALUE("pay_period", "text", "payPeriod",
		  "Period of the amount: Annual, Hourly, Daily, Weekly or Monthly"),
	VALUE("pay_frequency", "text", "payFrequency",
		  "Of the payments: Monthly, Semi Monthly, Weekly or Bi-Weekly"),
	VALUE("work_change_type", "text", "workChangeType"),
	ENTRY_END_COLUMNS,
};

static const ResourceColumn equity_columns[] = {
	ENTRY_COLUMNS,
	VALUE("quantity", "numeric", "quantity",
		  "Number of shares or options granted"),
	VALUE("equity_type", "text", "equityType"),
	VALUE("grant_type", "text", "grantType"),
	VALUE("grant_status", "text", "grantStatus"),
	VALUE("grant_number", "text", "grantNumber"),
	VALUE("grant_date", "date", "grantDate"),
	VALUE("vesting_commencement_date", "date", "vestingCommencementDate"),
	VALUE("vesting_term", "text", "vestingTerm",
		  "Terms for exercising the grant"),
	VALUE("vesting_schedule", "bigint", "vestingSchedule",
		  "ID of the vesting schedule"),
	VALUE("option_expiration", "date", "optionExpiration",
		  "Day when the options expire"),
	VALUE("consent_number", "text", "consentNumber"),
	PART("exercise_price", "numeric", "exercisePrice", "value"),
	PART("exercise_price_currency", "text", "exercisePrice", "currency",
		 "Three-letter code"),
	VALUE("reason", "text", "reason"),
	ENTRY_END_COLUMNS,
};

static const ResourceColumn variable_columns[] = {
	ENTRY_COLUMNS,
	VALUE("variable_type", "text", "variableType"),
	VALUE("payout_type", "text", "payoutType"),
	VALUE("payment_period", "text", "paymentPeriod",
		  "Annual, Half-Yearly, Quarterly or Monthly"),
	AMOUNT("amount"),
	VALUE("percentage_of_annual_salary", "numeric",
		  "percentageOfAnnualSalary",
		  "Computed by HiBob"),
	VALUE("company_percent", "numeric", "companyPercent",
		  "On-target weight of the company, in percent"),
	VALUE("department_percent", "numeric", "departmentPercent",
		  "On-target weight of the department, in percent"),
	VALUE("individual_percent", "numeric", "individualPercent",
		  "On-target weight of the individual, in percent"),
	VALUE("end_date", "date", "endDate"),
	ENTRY_END_COLUMNS,
};

static const ResourceColumn deduction_columns[] = {
	ENTRY_COLUMNS,
	VALUE("deduction", "text", "deduction"),
	AMOUNT("amount"),
	ENTRY_END_COLUMNS,
};

static const ResourceColumn entitlement_columns[] = {
	ENTRY_COLUMNS,
	VALUE("entitlement", "text", "entitlement"),
	AMOUNT("amount"),
	ENTRY_END_COLUMNS,
};

static const ResourceColumn address_columns[] = {
	ENTRY_COLUMNS,
	VALUE("line1", "text", "line1"),
	VALUE("line2", "text", "line2"),
	VALUE("city", "text", "city"),
	VALUE("post_code", "text", "postCode"),
	VALUE("country", "text", "country"),
	VALUE("usa_state", "text", "usaState"),
	ENTRY_END_COLUMNS,
};

static const ResourceColumn whole_row_columns[] = {
	EMPLOYEE_ID,
	KEY("id", "bigint", "id"),
	VALUE("data", "jsonb", RESOURCE_WHOLE_ROW,
		  "The whole row as HiBob sent it"),
};

static const ResourceColumn training_columns[] = {
	EMPLOYEE_ID,
	KEY("id", "bigint", "id"),
	HUMAN("name", "text", "name"),
	VALUE("description", "text", "description"),
	HUMAN("status", "text", "status"),
	HUMAN("frequency", "text", "frequency",
		  "Once, Weekly, Monthly or Yearly"),
	VALUE("start_date", "date", "startDate"),
	VALUE("end_date", "date", "endDate"),
	PART("cost", "numeric", "cost", "value"),
	PART("cost_currency", "text", "cost", "currency",
		 "Three-letter code"),
	VALUE("document_id", "bigint", "documentId",
		  "ID of the attached document"),
	VALUE("custom_columns", "jsonb", "customColumns",
		  "Columns that the account added, by their ids, as an object"),
};

static const ResourceColumn bank_account_columns[] = {
	EMPLOYEE_ID,
	KEY("id", "bigint", "id"),
	HUMAN("bank_account_type", "text", "bankAccountType"),
	VALUE("account_nickname", "text", "accountNickname"),
	VALUE("account_number", "text", "accountNumber"),
	VALUE("routing_number", "text", "routingNumber"),
	VALUE("iban", "text", "iban"),
	VALUE("bic_or_swift", "text", "bicOrSwift"),
	VALUE("bank_name", "text", "bankName"),
	VALUE("branch_address", "text", "branchAddress"),
	VALUE("allocation", "text", "allocation",
		  "Share of the pay: a percentage, an amount, or what remains"),
	VALUE("amount", "numeric", "amount"),
	VALUE("use_for_bonus", "boolean", "useForBonus",
		  "Whether bonuses are paid to this account"),
	VALUE("changed_by", "text", "changedBy"),
};

static const ResourceColumn payment_columns[] = {
	EMPLOYEE_ID,
	KEY("id", "bigint", "id"),
	VALUE("pay_date", "date", "payDate"),
	VALUE("pay_type", "text", "payType"),
	AMOUNT("amount"),
	CHANGE_COLUMNS,
	VALUE("custom_columns", "jsonb", "customColumns",
		  "Columns that the account added, by their ids, as an object"),
};

static const ResourceColumn document_columns[] = {
	EMPLOYEE_ID,
	VALUE("name", "text", "documentName"),
	VALUE("download_link", "text", "downloadLink"),
};

static const ResourceColumn custom_table_columns[] = {
	EMPLOYEE_ID,
	KEY("id", "bigint", "id"),
	VALUE("changed_by", "text", "changedBy"),
	VALUE("data", "jsonb", RESOURCE_WHOLE_ROW,
		  "The whole row as HiBob sent it"),
};

/* A bulk table, except for its name, its endpoint and its columns. */
#define BULK_TABLE \
	.method = "GET", \
	.rows = rows_in_groups, \
	.form = ROW_KEYS, \
	.supplied = {{"employeeId", SUPPLIED_GROUP, "results[].employeeId"}}, \
	.paging = PAGING_QUERY, \
	.page_limit = 200, \
	FILTERS(bulk_filters), \
	OPTIONS(bulk_options), \
	.identity_field = "id", \
	.typical_rows = 3000

/* A table with a request for each employee. */
#define TABLE_BY_EMPLOYEE \
	.method = "GET", \
	.form = ROW_KEYS, \
	.supplied = {{"employeeId", SUPPLIED_VALUE, NULL}}, \
	FILTERS(path_filters), \
	.needs_employees = true, \
	.typical_rows = 1000

static const Resource resources[] = {
	{
		.name = "work_history",
		.about = "Job titles, departments, sites and managers over time.",
		.path = "/bulk/people/work",
		BULK_TABLE,
		.custom_columns = "work.customColumns.",
		.permission = "the category \"Work\" and its history",
		COLUMNS(work_columns),
	},
	{
		.name = "employment_history",
		.about = "Contracts and working patterns over time.",
		.path = "/bulk/people/employment",
		BULK_TABLE,
		DERIVED(employment_derived),
		.custom_columns = "payroll.employment.customColumns.",
		.permission = "the category \"Employment\" and its history",
		COLUMNS(employment_columns),
	},
	{
		.name = "lifecycle_history",
		.about = "Lifecycle statuses over time: hired, employed, on leave, "
		"terminated.",
		.path = "/bulk/people/lifecycle",
		BULK_TABLE,
		.custom_columns = "internal.customColumns.",
		.permission = "the category \"Lifecycle\" and its history",
		COLUMNS(lifecycle_columns),
	},
	{
		.name = "salaries",
		.about = "Base salaries over time.",
		.path = "/bulk/people/salaries",
		BULK_TABLE,
		.custom_columns = "payroll.salary.customColumns.",
		.permission = "the category \"Payroll\" and its history",
		COLUMNS(salaries_columns),
	},
	{
		.name = "equity_grants",
		.about = "Grants of shares and options.",
		.path = "/bulk/people/equities",
		BULK_TABLE,
		.permission = "the category \"Equity\" and its history",
		COLUMNS(equity_columns),
	},
	{
		.name = "variable_payments",
		.about = "Agreed bonuses and commissions over time.",
		.path = "/bulk/people/variable",
		BULK_TABLE,
		.permission = "the category \"Payroll\" and its history",
		COLUMNS(variable_columns),
	},
	{
		.name = "deductions",
		.about = "Deductions from the pay over time.",
		.path = "/bulk/people/deduction",
		BULK_TABLE,
		.permission = "the category \"Payroll\" and its history",
		COLUMNS(deduction_columns),
	},
	{
		.name = "entitlements",
		.about = "Entitlements in addition to the pay over time.",
		.path = "/bulk/people/entitlement",
		BULK_TABLE,
		.permission = "the category \"Payroll\" and its history",
		COLUMNS(entitlement_columns),
	},
	{
		.name = "address_history",
		.about = "Home addresses over time.",
		.path = "/bulk/people/address",
		.method = "GET",
		.rows = rows_in_groups,
		.form = ROW_KEYS,
		.supplied = {{"employeeId", SUPPLIED_GROUP, "results[].employeeId"}},
		.paging = PAGING_QUERY,
		.page_limit = 200,
		OPTIONS(bulk_options),
		.identity_field = "id",
		.permission = "the category \"Address\" and its history",
		.typical_rows = 1000,
		COLUMNS(address_columns),
	},
	{
		.name = "dependents",
		.about = "Dependents. HiBob documents no columns: a row is JSON.",
		.path = "/bulk/people/dependents",
		BULK_TABLE,
		.permission = "the category of the table of dependents",
		COLUMNS(whole_row_columns),
	},
	{
		.name = "right_to_work",
		.about = "Permits to work. HiBob documents no columns: a row is JSON.",
		.path = "/bulk/people/right-to-work",
		BULK_TABLE,
		.permission = "the category of the table \"Right to work\"",
		COLUMNS(whole_row_columns),
	},
	{
		.name = "training",
		.about = "Training records.",
		.path = "/people/{employee_id}/training",
		.rows = rows_in_values,
		TABLE_BY_EMPLOYEE,
		.human = "includeHumanReadable",
		.identity_field = "id",
		.permission = "the category of the table \"Training\"",
		COLUMNS(training_columns),
	},
	{
		.name = "bank_accounts",
		.about = "Bank accounts.",
		.path = "/people/{employee_id}/bank-accounts",
		.rows = rows_in_values,
		TABLE_BY_EMPLOYEE,
		.human = "includeHumanReadable",
		.identity_field = "id",
		.permission = "the category \"Financial\"",
		COLUMNS(bank_account_columns),
	},
	{
		.name = "payments",
		.about = "Actual payments.",
		.method = "POST",
		.path = "/people/actual-payments/search",
		.rows = rows_in_results,
		.form = ROW_KEYS,
		.paging = PAGING_BODY,
		.page_limit = 200,
		FILTERS(payments_filters),
		.needs_employees = true,
		.identity_field = "id",
		.permission = "the category \"Payroll\"",
		.typical_rows = 3000,
		COLUMNS(payment_columns),
	},
	{
		.name = "documents",
		.about = "The documents of each employee: names and links.",
		.path = "/docs/people/{employee_id}",
		.rows = rows_in_documents,
		TABLE_BY_EMPLOYEE,
		.permission = "the documents of employees",
		COLUMNS(document_columns),
	},
	{
		.name = "custom_table",
		.about = "A table that the account created. The option table_id selects "
		"it.",
		.path = "/bulk/people/custom-tables/{table_id}",
		.method = "GET",
		.rows = rows_in_groups,
		.form = ROW_KEYS,
		.supplied = {{"employeeId", SUPPLIED_GROUP, "results[].employeeId"}},
		.paging = PAGING_QUERY,
		.page_limit = 200,
		FILTERS(bulk_filters),
		.human = "includeHumanReadable",
		.id_option = "table_id",
		.fallback = RESOURCE_CUSTOM_TABLE_BY_EMPLOYEE,
		.identity_field = "id",
		.permission = "the category of the custom table",
		.typical_rows = 1000,
		COLUMNS(custom_table_columns),
	},
	{
		.name = RESOURCE_CUSTOM_TABLE_BY_EMPLOYEE,
		.is_internal = true,
		.about = "A custom table of an account without the bulk endpoint.",
		.path = "/people/custom-tables/{employee_id}/{table_id}",
		.rows = rows_in_values,
		TABLE_BY_EMPLOYEE,
		.human = "includeHumanReadable",
		.id_option = "table_id",
		.identity_field = "id",
		.permission = "the category of the custom table",
		.rate_limit = 50,
		COLUMNS(custom_table_columns),
	},
};

const ResourceGroup resource_group_tables = {resources, lengthof(resources)};
