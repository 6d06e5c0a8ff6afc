/*
 * resource_time.c
 *		The resources about time: time off and its policies and balances,
 *		holiday calendars, attendance.
 *
 * Source: HiBob's specification and reference pages; the keys of a few types of
 * requests as a published client library has them.
 */
#include "postgres.h"

#include "resources/resource_entries.h"

static const char *const rows_in_outs[] = {"outs[]", NULL};
static const char *const rows_in_changes[] = {"changes[]", NULL};
static const char *const rows_in_items[] = {"items[]", NULL};
static const char *const row_document[] = {"", NULL};

/* ------------------------------------------------------------------------
 * Time off
 * ------------------------------------------------------------------------
 */

/*
 * A request of type "hours" has a date and no range; one of type "openEnded"
 * has no end yet.  These two have a value for every request, so that conditions
 * on them lose no row.
 */
static const ResourceDerived time_off_derived[] = {
	{"firstDay", {"startDate", "date"}, "-infinity"},
	{"lastDay", {"endDate", "date"}, "infinity"},
};

/*
 * HiBob returns the requests that overlap the range, so a condition on the
 * first or the last day of a request can give either bound.
 */
static const ResourceFilter time_off_filters[] = {
	{"firstDay", FILTER_BOUNDS, PLACE_QUERY, "from", "to", false, NULL},
	{"lastDay", FILTER_BOUNDS, PLACE_QUERY, "from", "to", false, NULL},
	{"startDate", FILTER_BOUNDS, PLACE_QUERY, "from", "to", false, NULL},
	{"endDate", FILTER_BOUNDS, PLACE_QUERY, "from", "to", false, NULL},
	{"date", FILTER_BOUNDS, PLACE_QUERY, "from", "to", false, NULL},
};

static const ResourceOption time_off_options[] = {
	{"include_private", "includePrivate=true", NULL},
	{"include_pending", "includePending=true", NULL},
	{"include_working", NULL, "includeWorkingRequests=false"},
};

#define FIRST_AND_LAST_DAY \
	VALUE("first_day", "date", "firstDay", \
		  "First day of a request of any type"), \
	VALUE("last_day", "date", "lastDay", \
		  "Last day of a request of any type; infinity if it is open-ended")

/* The keys of the types that describe single days. */
#define DAILY_COLUMNS \
	VALUE("percentage_of_day", "numeric", "percentageOfDay", \
		  "Percent of each day; of type percentageOnRange"), \
	VALUE("durations", "jsonb", "durations", \
		  "Duration of each day, as an array"), \
	VALUE("time_zone", "text", "timeZone"), \
	VALUE("time_zone_offset", "text", "timeZoneOffset", \
		  "Offset from GMT, such as GMT -5:00"), \
	VALUE("total_cost", "numeric", "totalCost", \
		  "Deduction from the balance")

/* The days of a request for time off, and of a change of one. */
#define DAYS_OF_REQUEST \
	FIRST_AND_LAST_DAY, \
	VALUE("start_date", "date", "startDate", \
		  "Null for type hours, which has date"), \
	VALUE("start_portion", "text", "startPortion", \
		  "Of the first day: all_day, morning or afternoon"), \
	VALUE("end_date", "date", "endDate", \
		  "Null for types hours and openEnded"), \
	VALUE("end_portion", "text", "endPortion", \
		  "Of the last day: all_day, morning or afternoon"), \
	VALUE("day_portion", "text", "dayPortion", \
		  "Of each day: morning or afternoon; of type portionOnRange"), \
	VALUE("date", "date", "date", \
		  "Day of a request of type hours"), \
	VALUE("hours_on_date", "numeric", "hoursOnDate", \
		  "Hours on that day; of type hours")

static const ResourceColumn time_off_columns[] = {
	KEY("request_id", "bigint", "requestId"),
	VALUE("employee_id", "text", "employeeId"),
	VALUE("employee_name", "text", "employeeDisplayName"),
	VALUE("policy_type", "text", "policyType"),
	VALUE("policy_type_name", "text", "policyTypeDisplayName",
		  "The custom name of the policy, if its real name is private"),
	VALUE("type", "text", "type",
		  "days, hours, portionOnRange, hoursOnRange, openEnded or "
		  "another type"),
	DAYS_OF_REQUEST,
	VALUE("minutes", "integer", "minutes",
		  "Of type hours"),
	VALUE("daily_hours", "numeric", "dailyHours",
		  "Hours a day; of type hoursOnRange"),
	DAILY_COLUMNS,
	VALUE("status", "text", "status",
		  "Such as approved or pending"),
	VALUE("visibility", "text", "visibility",
		  "Public, Private or Custom name"),
};

/*
 * The range of a request is about the time of the change, which is not in the
 * rows: "since" and "until" show the conditions.
 */
static const ResourceFilter time_off_changes_filters[] = {
	{"since", FILTER_LOWER, PLACE_QUERY, "since", NULL, false, NULL},
	{"until", FILTER_UPPER, PLACE_QUERY, "to", NULL, false, NULL},
};

static const ResourceOption time_off_changes_options[] = {
	{"include_pending", "includePending=true", NULL},
};

static const ResourceColumn time_off_changes_columns[] = {
	VALUE("since", "timestamptz", "since",
		  "Lower bound of the query's condition"),
	VALUE("until", "timestamptz", "until",
		  "Upper bound of the query's condition; null without one"),
	VALUE("change_type", "text", "changeType",
		  "Created, Canceled, Deleted or Pending"),
	KEY("request_id", "bigint", "requestId"),
	VALUE("original_request_id", "bigint", "originalRequestId",
		  "ID of the first version of the request"),
	VALUE("previous_request_id", "bigint", "previousRequestId",
		  "ID of the version that this one replaced"),
	VALUE("employee_id", "text", "employeeId"),
	VALUE("employee_name", "text", "employeeDisplayName"),
	VALUE("employee_email", "text", "employeeEmail"),
	VALUE("policy_type_name", "text", "policyTypeDisplayName",
		  "The custom name of the policy, if its real name is private"),
	VALUE("type", "text", "type",
		  "days, hours, portionOnRange, hoursOnRange, openEnded or "
		  "another type"),
	VALUE("created_at", "timestamptz", "createdOn",
		  "Time when the request was created, not of the change"),
	DAYS_OF_REQUEST,
	VALUE("daily_hours", "numeric", "dailyHours",
		  "Hours a day; of type hoursOnRange"),
	VALUE("duration_unit", "text", "durationUnit",
		  "Unit of total_duration and total_cost: days or hours"),
	VALUE("total_duration", "numeric", "totalDuration",
		  "Includes days off, such as weekends"),
	VALUE("total_cost", "numeric", "totalCost",
		  "Deduction from the balance"),
	VALUE("change_reason", "text", "changeReason"),
	VALUE("visibility", "text", "visibility",
		  "Public, Private or Custom name"),
	VALUE("time_zone", "text", "timeZone"),
};

static const ResourceFilter out_today_filters[] = {
	{"today", FILTER_DAY, PLACE_QUERY, "today", NULL, false, NULL},
};

static const ResourceOption out_today_options[] = {
	{"include_private", "includePrivate=true", NULL},
	{"include_pending", "includePending=true", NULL},
};

static const ResourceColumn out_today_columns[] = {
	KEY("employee_id", "text", "employeeId"),
	VALUE("employee_name", "text", "employeeDisplayName"),
	VALUE("employee_email", "text", "employeeEmail"),
	VALUE("policy_type_name", "text", "policyTypeDisplayName",
		  "The custom name of the policy, if its real name is private"),
	VALUE("type", "text", "requestRangeType",
		  "days, hours, portionOnRange, hoursOnRange, openEnded or "
		  "another type"),
	VALUE("today", "date", "today",
		  "Day of the query's condition, or today by UTC"),
	FIRST_AND_LAST_DAY,
	VALUE("start_date", "date", "startDate",
		  "Null for type hours, which has date"),
	VALUE("start_portion", "text", "startDatePortion",
		  "Of the first day: all_day, morning or afternoon"),
	VALUE("end_date", "date", "endDate",
		  "Null for types hours and openEnded"),
	VALUE("end_portion", "text", "endDatePortion",
		  "Of the last day: all_day, morning or afternoon"),
	VALUE("day_portion", "text", "dayPortion",
		  "Of each day: morning or afternoon; of type portionOnRange"),
	VALUE("daily_hours", "numeric", "dailyHours",
		  "Hours a day; of type hoursOnRange"),
	VALUE("date", "date", "date",
		  "Day of a request of type hours"),
	VALUE("hours", "numeric", "hours",
		  "Hours on that day; of type hours"),
	VALUE("minutes", "integer", "minutes",
		  "Of type hours"),
	DAILY_COLUMNS,
	VALUE("visibility", "text", "visibility",
		  "Public, Private or Custom name"),
};

/* ------------------------------------------------------------------------
 * Policies and balances
 * ------------------------------------------------------------------------
 */

#define POLICY_TYPE_NAMES	"time_off_policy_type_names"
#define POLICY_NAMES		"time_off_policy_names"

static const ResourceFilter policy_types_filters[] = {
	{"name", FILTER_VALUES, PLACE_PATH, "policy_type", NULL, false,
	POLICY_TYPE_NAMES},
};

static const ResourceColumn policy_types_columns[] = {
	KEY("name", "text", "name"),
	VALUE("activity", "text", "activity",
		  "Such as workTime, paidTimeoff or unpaidTimeoff"),
	VALUE("unit", "text", "unit",
		  "days or hours"),
};

static const ResourceFilter policy_names_filters[] = {
	{"policyType", FILTER_VALUES, PLACE_QUERY, "policyTypeName", NULL, false,
	NULL},
};

/* The details of a policy do not name its type. */
static const ResourceFilter policies_filters[] = {
	{"policyType", FILTER_VALUES, PLACE_QUERY, "policyName", NULL, false,
	POLICY_TYPE_NAMES},
};

static const ResourceColumn policies_columns[] = {
	KEY("policy_type", "text", "policyType"),
	KEY("name", "text", "name"),
	VALUE("description", "text", "description"),
	VALUE("unit", "text", "unit"),
	VALUE("allowance", "numeric", "allowance",
		  "Base allowance a year"),
	VALUE("max_balance", "numeric", "maxBalance",
		  "Largest balance at the end of the cycle"),
	VALUE("min_balance", "numeric", "minBalance",
		  "Smallest balance"),
	VALUE("years_of_service_increase", "jsonb", "yosIncrease",
		  "Increases of the allowance by years of service"),
	VALUE("min_request_duration", "text", "minTimeOffRequestDuration",
		  "Shortest absence that can be requested"),
	VALUE("work_days_only", "boolean", "bookingWorkDaysOnly",
		  "Whether only working days are deducted from the balance"),
	VALUE("approval_required", "boolean", "approvalRequired"),
};

static const ResourceFilter balances_filters[] = {
	{"employeeId", FILTER_VALUES, PLACE_PATH, "employee_id", NULL, true, NULL},
	{"policyType", FILTER_ARGUMENT, PLACE_QUERY, "policyType", NULL, false,
	POLICY_TYPE_NAMES},
	{"date", FILTER_DAY, PLACE_QUERY, "date", NULL, false, NULL},
};

static const ResourceColumn balances_columns[] = {
	KEY("employee_id", "text", "employeeId"),
	KEY("policy_type", "text", "policyType"),
	KEY("as_of", "date", "date",
		"Day of the query's condition, or today by UTC"),
	VALUE("policy", "text", "policy"),
	VALUE("balance", "numeric", "totalBalanceAsOfDate",
		  "On that day, in the unit of the policy: days or hours"),
	VALUE("rounded_balance", "numeric", "totalRoundedBalanceAsOfDate",
		  "The same, rounded"),
	VALUE("point_in_time", "date", "pointInTime"),
	VALUE("starting_balance", "numeric", "startingBalance",
		  "On the first day of the cycle"),
	VALUE("starting_balance_as_of", "date", "startingBalanceAsOf",
		  "First day of the cycle"),
	VALUE("taken", "numeric", "totalTaken",
		  "Days or hours taken"),
	VALUE("admin_adjustments", "numeric", "totalAdminAdjustments",
		  "Days or hours adjusted manually"),
	VALUE("system_adjustments", "numeric", "totalSystemAdjustments",
		  "Days or hours adjusted by HiBob"),
	VALUE("annual_allowance", "numeric", "annualAllowance",
		  "Days or hours a year"),
};

/* ------------------------------------------------------------------------
 * Calendars and attendance
 * ------------------------------------------------------------------------
 */

#define CALENDAR(name)		"/employeeCalendar/" name
#define EVENT(name)			"/calendarEvent/" name
#define ENTRY(name)			"/attendanceEntry/" name

static const ResourceFilter employee_calendars_filters[] = {
	{CALENDAR("employeeId"), FILTER_VALUES, PLACE_BODY, CALENDAR("employeeId"),
	NULL, true, NULL},
};

static const ResourceColumn employee_calendars_columns[] = {
	KEY("employee_id", "text", CALENDAR("employeeId")),
	VALUE("calendar_id", "bigint", CALENDAR("calendarId"),
		  "Null without a calendar"),
	VALUE("calendar_name", "text", CALENDAR("calendarName")),
	VALUE("source", "text", CALENDAR("source"),
		  "Where the calendar comes from: the employment, the site, or none"),
	VALUE("site_id", "bigint", CALENDAR("siteId")),
};

static const ResourceFilter calendar_events_filters[] = {
	{EVENT("siteId"), FILTER_VALUES, PLACE_BODY, EVENT("siteId"), NULL, true,
	NULL},
	{EVENT("startDate"), FILTER_BOUNDS, PLACE_BODY, EVENT("startDate"),
	EVENT("startDate"), false, NULL},
};

static const ResourceColumn calendar_events_columns[] = {
	KEY("id", "text", EVENT("id")),
	VALUE("name", "text", EVENT("name")),
	VALUE("start_date", "date", EVENT("startDate")),
	VALUE("end_date", "date", EVENT("endDate")),
	VALUE("event_type", "text", EVENT("eventType")),
	VALUE("site_id", "bigint", EVENT("siteId")),
};

/* The day by which HiBob selects an entry: start-end entries have no date. */
static const ResourceDerived attendance_derived[] = {
	{"day", {ENTRY("clockInDate"), ENTRY("clockInTime")}, NULL},
};

static const ResourceFilter attendance_filters[] = {
	{ENTRY("employeeId"), FILTER_VALUES, PLACE_BODY, ENTRY("employeeId"), NULL,
	true, NULL},
	{"day", FILTER_BOUNDS, PLACE_BODY, ENTRY("clockInDate"),
	ENTRY("clockInDate"), false, NULL},
};

static const ResourceOption attendance_options[] = {
	{"batch_size", NULL, NULL},
};

static const ResourceColumn attendance_columns[] = {
	KEY("id", "text", ENTRY("id")),
	VALUE("employee_id", "text", ENTRY("employeeId")),
	VALUE("day", "date", "day",
		  "clock_in_date, or the day of clock_in_time"),
	VALUE("type", "text", ENTRY("type")),
	VALUE("clock_in_date", "date", ENTRY("clockInDate")),
	VALUE("clock_in_time", "timestamp", ENTRY("clockInTime")),
	VALUE("clock_out_date", "date", ENTRY("clockOutDate")),
	VALUE("clock_out_time", "timestamp", ENTRY("clockOutTime")),
	VALUE("duration", "numeric", ENTRY("duration")),
	VALUE("reason_code", "text", ENTRY("reasonCode")),
	VALUE("notes", "text", ENTRY("notes")),
	VALUE("project_id", "text", ENTRY("projectId")),
	VALUE("task_id", "text", ENTRY("taskId")),
};

/* ------------------------------------------------------------------------
 * Resources
 * ------------------------------------------------------------------------
 */

#define TIME_OFF_PERMISSION \
	"time off requests (See who's out)"
#define POLICY_PERMISSION \
	"the feature Time off > Settings > Manage company's time off settings"

static const Resource resources[] = {
	{
		.name = "time_off",
		.about = "Time off requests that overlap a range of days, of active "
		"employees only.",
		.method = "GET",
		.path = "/timeoff/whosout",
		.rows = rows_in_outs,
		.form = ROW_KEYS,
		.query = "includeHourly=true",
		DERIVED(time_off_derived),
		FILTERS(time_off_filters),
		.needs_lower = true,
		.needs_upper = true,
		OPTIONS(time_off_options),
		.permission = TIME_OFF_PERMISSION,
		.typical_rows = 200,
		.example = "last_day >= current_date AND first_day <= current_date + 30",
		COLUMNS(time_off_columns),
	},
	{
		.name = "time_off_changes",
		.about = "Time off requests that were created, canceled or deleted in a "
		"range of time. HiBob keeps six months.",
		.method = "GET",
		.path = "/timeoff/requests/changes",
		.rows = rows_in_changes,
		.form = ROW_KEYS,
		.supplied = {
			{"since", SUPPLIED_LOWER, NULL},
			{"until", SUPPLIED_UPPER, NULL},
		},
		DERIVED(time_off_derived),
		FILTERS(time_off_changes_filters),
		.needs_lower = true,
		.max_months = 6,
		OPTIONS(time_off_changes_options),
		.permission = TIME_OFF_PERMISSION,
		.typical_rows = 500,
		.example = "since >= current_date - 30",
		COLUMNS(time_off_changes_columns),
	},
	{
		.name = "out_today",
		.about = "Absences of today (by UTC), or of the day in a condition on today.",
		.method = "GET",
		.path = "/timeoff/outtoday",
		.rows = rows_in_outs,
		.form = ROW_KEYS,
		.supplied = {{"today", SUPPLIED_DAY, NULL}},
		.query = "includeHourly=true",
		DERIVED(time_off_derived),
		FILTERS(out_today_filters),
		OPTIONS(out_today_options),
		.permission = TIME_OFF_PERMISSION,
		.typical_rows = 50,
		.example = "today = current_date",
		COLUMNS(out_today_columns),
	},
	{
		.name = "time_off_policy_types",
		.about = "The types of time off policies.",
		.method = "GET",
		.path = "/timeoff/policy-types/{policy_type}",
		.rows = row_document,
		.form = ROW_KEYS,
		.identity_field = "name",
		FILTERS(policy_types_filters),
		.permission = POLICY_PERMISSION,
		.rate_limit = 50,
		.typical_rows = 10,
		COLUMNS(policy_types_columns),
	},
	{
		.name = "time_off_policies",
		.about = "The time off policies of each type.",
		.method = "GET",
		.path = "/timeoff/policies",
		.rows = row_document,
		.form = ROW_KEYS,
		.identity_field = "name",
		.supplied = {{"policyType", SUPPLIED_ORIGIN, NULL}},
		FILTERS(policies_filters),
		.max_values = 1,
		.expand = POLICY_NAMES,
		.permission = POLICY_PERMISSION,
		.rate_limit = 50,
		.typical_rows = 20,
		COLUMNS(policies_columns),
	},
	{
		.name = "time_off_balances",
		.about = "The balance of each employee under each policy type on a day; "
		"today (by UTC) without a condition on as_of.",
		.method = "GET",
		.path = "/timeoff/employees/{employee_id}/balance",
		.rows = row_document,
		.form = ROW_KEYS,
		.supplied = {
			{"employeeId", SUPPLIED_VALUE, NULL},
			{"policyType", SUPPLIED_ARGUMENT, NULL},
			{"date", SUPPLIED_DAY, NULL},
		},
		.identity_field = "totalBalanceAsOfDate",
		FILTERS(balances_filters),
		.needs_employees = true,
		.needs_day = true,
		.example = "as_of = current_date",
		.is_on_request = true,
		.permission = "the balances of time off (See selected people's time off "
		"and sick leave balances)",
		.rate_limit = 50,
		.typical_rows = 1000,
		COLUMNS(balances_columns),
	},
	{
		.name = POLICY_TYPE_NAMES,
		.is_internal = true,
		.about = "The names of the policy types.",
		.method = "GET",
		.path = "/timeoff/policy-types",
		.rows = row_document,
		.form = ROW_KEYS,
		.identity_field = "policyTypes",
		.permission = POLICY_PERMISSION,
		.rate_limit = 50,
	},
	{
		.name = POLICY_NAMES,
		.is_internal = true,
		.about = "The names of the policies of a type.",
		.method = "GET",
		.path = "/timeoff/policies/names",
		.rows = row_document,
		.form = ROW_KEYS,
		FILTERS(policy_names_filters),
		.identity_field = "policyNames",
		.permission = POLICY_PERMISSION,
		.rate_limit = 50,
	},
	{
		.name = "employee_calendars",
		.about = "The holiday calendar of each employee.",
		.method = "POST",
		.path = "/timeoff/calendars/employees/search",
		.rows = rows_in_items,
		.form = ROW_ITEMS,
		.max_fields = 50,
		.paging = PAGING_TOP,
		.page_limit = 1000,
		FILTERS(employee_calendars_filters),
		.filters_by_id = true,
		.max_values = 5000,
		.needs_employees = true,
		.identity_field = CALENDAR("employeeId"),
		.permission = "holiday calendars (Settings > Calendars > Manage)",
		.typical_rows = 1000,
		COLUMNS(employee_calendars_columns),
	},
	{
		.name = "calendar_events",
		.about = "Public holidays and closures of each site that begin in a "
		"range of days.",
		.method = "POST",
		.path = "/timeoff/calendars/events/search",
		.rows = rows_in_items,
		.form = ROW_ITEMS,
		.max_fields = 50,
		.paging = PAGING_TOP,
		.page_limit = 200,
		FILTERS(calendar_events_filters),
		.filters_by_id = true,
		.needs_lower = true,
		.needs_upper = true,
		.max_days = 366,
		.is_on_request = true,
		.identity_field = EVENT("id"),
		.permission = "holiday calendars (Settings > Calendars > Manage)",
		.typical_rows = 100,
		.example = "start_date BETWEEN '2026-01-01' AND '2026-12-31'",
		COLUMNS(calendar_events_columns),
	},
	{
		.name = "attendance",
		.about = "Time log entries of each employee in a range of days.",
		.method = "POST",
		.path = "/attendance/entries/search",
		.rows = rows_in_items,
		.form = ROW_ITEMS,
		.max_fields = 50,
		.paging = PAGING_TOP,
		.page_limit = 200,
		DERIVED(attendance_derived),
		FILTERS(attendance_filters),
		.filters_by_id = true,
		.needs_employees = true,
		.needs_lower = true,
		.needs_upper = true,
		.max_days = 33,
		.is_on_request = true,
		OPTIONS(attendance_options),
		.identity_field = ENTRY("id"),
		.permission = "attendance sheets (People's data > Time attendance > "
		"Manage time attendance sheets)",
		.rate_limit = 200,
		.typical_rows = 10000,
		.example = "day >= current_date - 7 AND day <= current_date",
		COLUMNS(attendance_columns),
	},
};

const ResourceGroup resource_group_time = {resources, lengthof(resources)};
