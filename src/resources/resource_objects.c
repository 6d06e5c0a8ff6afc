/*
 * resource_objects.c
 *		The resources that are not employees or their tables: metadata, lists,
 *		time off, tasks, positions, jobs and reports.
 *
 * Source: HiBob's specification, and what others measured where that differs:
 * the metadata of fields is a bare array or an array in an object.
 */
#include "postgres.h"

#include "resources/resource_entries.h"

static const char *const rows_in_fields[] = {"[]", "fields[]", NULL};
static const char *const rows_in_array[] = {"[]", NULL};
static const char *const rows_in_tables[] = {"tables[]", NULL};
static const char *const rows_in_outs[] = {"outs[]", NULL};
static const char *const rows_in_changes[] = {"changes[]", NULL};
static const char *const rows_in_tasks[] = {"tasks[]", NULL};
static const char *const rows_in_views[] = {"views[]", NULL};
static const char *const rows_in_csv[] = {NULL};

/* The specification has an array of arrays here, running clients have not. */
static const char *const rows_in_openings[] = {"positionOpeningEntries[]",
	"positionOpeningEntries[][]", NULL};
static const char *const rows_in_roles[] = {"JobRoleEntries[]",
	"JobRoleEntries[][]", NULL};
static const char *const rows_in_families[] = {"JobFamilyEntries[]",
	"JobFamilyEntries[][]", NULL};

static const ResourceColumn fields_columns[] = {
	KEY("id", "text", "id"),
	VALUE("category_id", "text", "categoryId"),
	VALUE("category", "text", "categoryDisplayName"),
	VALUE("name", "text", "name"),
	VALUE("description", "text", "description"),
	VALUE("json_path", "text", "jsonPath"),
	VALUE("type", "text", "type"),
	PART("list_id", "text", "typeData", "listId"),
	VALUE("historical", "boolean", "historical"),
};

static const ResourceColumn named_lists_columns[] = {
	KEY("list", "text", "list"),
	KEY("id", "text", "id"),
	VALUE("name", "text", "name"),
	VALUE("parent_id", "text", "parentId"),
	VALUE("path", "text", "path"),
	VALUE("archived", "boolean", "archived"),
};

static const ResourceFilter named_lists_filters[] = {
	{"list", FILTER_VALUES, PLACE_PATH, "list", NULL, false},
};

static const ResourceColumn custom_tables_columns[] = {
	KEY("id", "text", "id"),
	VALUE("category_id", "text", "category"),
	VALUE("name", "text", "name"),
	VALUE("description", "text", "description"),
	VALUE("columns", "jsonb", "columns"),
};

/*
 * What is asked for has to overlap the range of the request, so either end of
 * an absence gives a bound.
 */
static const ResourceFilter time_off_filters[] = {
	{"startDate", FILTER_BOUNDS, PLACE_QUERY, "from", "to", false},
	{"endDate", FILTER_BOUNDS, PLACE_QUERY, "from", "to", false},
	{"date", FILTER_BOUNDS, PLACE_QUERY, "from", "to", false},
};

static const ResourceOption time_off_options[] = {
	{"include_private", "includePrivate=true"},
	{"include_pending", "includePending=true"},
};

static const ResourceColumn time_off_columns[] = {
	KEY("request_id", "bigint", "requestId"),
	VALUE("employee_id", "text", "employeeId"),
	VALUE("employee_name", "text", "employeeDisplayName"),
	VALUE("policy_type", "text", "policyType"),
	VALUE("policy_type_name", "text", "policyTypeDisplayName"),
	VALUE("type", "text", "type"),
	VALUE("start_date", "date", "startDate"),
	VALUE("start_portion", "text", "startPortion"),
	VALUE("end_date", "date", "endDate"),
	VALUE("end_portion", "text", "endPortion"),
	VALUE("day_portion", "text", "dayPortion"),
	VALUE("date", "date", "date"),
	VALUE("hours_on_date", "numeric", "hoursOnDate"),
	VALUE("minutes", "integer", "minutes"),
	VALUE("daily_hours", "numeric", "dailyHours"),
	VALUE("status", "text", "status"),
	VALUE("visibility", "text", "visibility"),
};

/*
 * Rows do not tell when the change was made, which is what the range of a
 * request is about: so that is a column of its own, and shows the condition.
 */
static const ResourceFilter time_off_changes_filters[] = {
	{"since", FILTER_LOWER, PLACE_QUERY, "since", NULL, false},
	{"until", FILTER_UPPER, PLACE_QUERY, "to", NULL, false},
};

static const ResourceOption time_off_changes_options[] = {
	{"include_pending", "includePending=true"},
};

static const ResourceColumn time_off_changes_columns[] = {
	VALUE("since", "timestamptz", "since"),
	VALUE("until", "timestamptz", "until"),
	VALUE("change_type", "text", "changeType"),
	KEY("request_id", "bigint", "requestId"),
	VALUE("original_request_id", "bigint", "originalRequestId"),
	VALUE("previous_request_id", "bigint", "previousRequestId"),
	VALUE("employee_id", "text", "employeeId"),
	VALUE("employee_name", "text", "employeeDisplayName"),
	VALUE("employee_email", "text", "employeeEmail"),
	VALUE("policy_type_name", "text", "policyTypeDisplayName"),
	VALUE("type", "text", "type"),
	VALUE("created_at", "timestamptz", "createdOn"),
	VALUE("start_date", "date", "startDate"),
	VALUE("start_portion", "text", "startPortion"),
	VALUE("end_date", "date", "endDate"),
	VALUE("end_portion", "text", "endPortion"),
	VALUE("day_portion", "text", "dayPortion"),
	VALUE("date", "date", "date"),
	VALUE("hours_on_date", "numeric", "hoursOnDate"),
	VALUE("daily_hours", "numeric", "dailyHours"),
	VALUE("duration_unit", "text", "durationUnit"),
	VALUE("total_duration", "numeric", "totalDuration"),
	VALUE("total_cost", "numeric", "totalCost"),
	VALUE("change_reason", "text", "changeReason"),
	VALUE("visibility", "text", "visibility"),
	VALUE("time_zone", "text", "timeZone"),
};

static const ResourceOption out_today_options[] = {
	{"include_private", "includePrivate=true"},
};

static const ResourceColumn out_today_columns[] = {
	KEY("employee_id", "text", "employeeId"),
	VALUE("employee_name", "text", "employeeDisplayName"),
	VALUE("employee_email", "text", "employeeEmail"),
	VALUE("policy_type_name", "text", "policyTypeDisplayName"),
	VALUE("type", "text", "requestRangeType"),
	VALUE("start_date", "date", "startDate"),
	VALUE("start_portion", "text", "startDatePortion"),
	VALUE("end_date", "date", "endDate"),
	VALUE("end_portion", "text", "endDatePortion"),
	VALUE("day_portion", "text", "dayPortion"),
	VALUE("daily_hours", "numeric", "dailyHours"),
	VALUE("date", "date", "date"),
	VALUE("hours", "numeric", "hours"),
	VALUE("minutes", "integer", "minutes"),
	VALUE("visibility", "text", "visibility"),
};

static const ResourceColumn tasks_columns[] = {
	KEY("id", "bigint", "id"),
	VALUE("title", "text", "title"),
	VALUE("description", "text", "description"),
	VALUE("set", "text", "set"),
	VALUE("workflow", "text", "workflow"),
	VALUE("ordinal_in_workflow", "integer", "ordinalInWorkflow"),
	VALUE("status", "text", "status"),
	VALUE("due", "date", "due"),
	VALUE("completion_date", "date", "completionDate"),
	VALUE("link", "text", "linkInBob"),
	PART("owner_id", "text", "owner", "id"),
	PART("owner_name", "text", "owner", "displayName"),
	PART("owner_email", "text", "owner", "email"),
	PART("requested_for_id", "text", "requestedFor", "id"),
	PART("requested_for_name", "text", "requestedFor", "displayName"),
	PART("requested_for_email", "text", "requestedFor", "email"),
	VALUE("employee_group_id", "bigint", "employeeGroupId"),
	VALUE("company_id", "bigint", "companyId"),
};

static const ResourceColumn positions_columns[] = {
	KEY("id", "bigint", "/position/id"),
	VALUE("name", "text", "/position/name"),
	VALUE("status", "text", "/position/status"),
	HUMAN("job", "text", "/position/job"),
	HUMAN("job_profile", "text", "/position/jobProfile"),
	HUMAN("department", "text", "/position/department"),
	HUMAN("site", "text", "/position/site"),
	VALUE("site_id", "bigint", "/position/site"),
	VALUE("fte", "numeric", "/position/fte"),
	HUMAN("employment_type", "text", "/position/employmentType"),
	HUMAN("position_type", "text", "/position/positionType"),
	HUMAN("reason", "text", "/position/reason"),
	VALUE("effective_date", "date", "/position/effectiveDate"),
	VALUE("end_effective_date", "date", "/position/endEffectiveDate"),
	VALUE("expected_start_date", "date",
		  "/position/calculatedExpectedStartDate"),
	VALUE("actual_start_date", "date", "/position/calculatedActualStartDate"),
	VALUE("recruitment_status", "text",
		  "/position/calculatedRecruitmentStatus"),
	VALUE("filled_by", "text", "/position/filledBy"),
	HUMAN("filled_by_name", "text", "/position/filledBy"),
	VALUE("manager_position_id", "bigint", "/position/managerPositionId"),
	VALUE("manager_filled_by", "text", "/position/managerPositionFilledBy"),
	VALUE("has_open_requests", "boolean", "/position/hasOpenRequests"),
	VALUE("budget_id", "bigint", "/position/budget"),
	VALUE("modified_at", "text", "/position/modificationDate"),
};

static const ResourceColumn openings_columns[] = {
	KEY("name", "text", "/positionOpening/positionOpeningName"),
	VALUE("position_id", "text", "/positionOpening/positionId"),
	HUMAN("position", "text", "/positionOpening/positionId"),
	VALUE("status", "text", "/positionOpening/status"),
	VALUE("recruitment_status", "text", "/positionOpening/recruitmentStatus"),
	VALUE("expected_start_date", "date", "/positionOpening/expectedStartDate"),
	VALUE("actual_start_date", "date", "/positionOpening/actualStartDate"),
	VALUE("filled_by", "text", "/positionOpening/filledBy"),
	HUMAN("filled_by_name", "text", "/positionOpening/filledBy"),
	VALUE("update_effective_date", "date",
		  "/positionOpening/updateEffectiveDate"),
};

static const ResourceColumn roles_columns[] = {
	KEY("id", "bigint", "/jobRole/id"),
	VALUE("name", "text", "/jobRole/name"),
	VALUE("description", "text", "/jobRole/description"),
};

static const ResourceColumn families_columns[] = {
	KEY("id", "bigint", "/jobFamily/id"),
	VALUE("name", "text", "/jobFamily/name"),
	VALUE("description", "text", "/jobFamily/description"),
};

static const ResourceColumn reports_columns[] = {
	KEY("id", "bigint", "id"),
	VALUE("name", "text", "name"),
	VALUE("description", "text", "description"),
	VALUE("type", "text", "type"),
	VALUE("created_by", "text", "createdBy"),
	VALUE("created_at", "text", "creationDate"),
	VALUE("modified_at", "text", "modificationDate"),
	VALUE("folder_id", "text", "folderId"),
	VALUE("is_scheduled", "boolean", "isScheduled"),
	VALUE("is_comparable", "boolean", "isComparable"),
	PART("fields", "text[]", "configuration", "fields"),
	VALUE("configuration", "jsonb", "configuration"),
};

static const ResourceOption report_options[] = {
	{"report_async", NULL},
};

#define POSITION_PERMISSION \
	"the feature Workforce planning > Position management"

static const Resource resources[] = {
	{
		.name = "fields",
		.about = "The fields of the account, built-in and custom.",
		.method = "GET",
		.path = "/company/people/fields",
		.rows = rows_in_fields,
		.form = ROW_KEYS,
		.rate_limit = 50,
		.typical_rows = 300,
		COLUMNS(fields_columns),
	},
	{
		.name = "named_lists",
		.about = "What the ids of list-typed fields stand for, a row an item.",
		.method = "GET",
		.path = "/company/named-lists",
		.single_path = "/company/named-lists/{list}",
		.rows = rows_in_array,
		.single_rows = rows_in_array,
		.form = ROW_KEYS,
		.query = "includeArchived=true",
		FILTERS(named_lists_filters),
		.is_lists = true,
		.rate_limit = 50,
		.typical_rows = 1000,
		COLUMNS(named_lists_columns),
	},
	{
		.name = RESOURCE_CUSTOM_TABLES,
		.about = "The tables that the account has made itself.",
		.method = "GET",
		.path = "/people/custom-tables/metadata",
		.rows = rows_in_tables,
		.form = ROW_KEYS,
		.identity_field = "id",
		.rate_limit = 50,
		.typical_rows = 10,
		COLUMNS(custom_tables_columns),
	},
	{
		.name = "time_off",
		.about = "Who is out in a range of days, active employees only.",
		.method = "GET",
		.path = "/timeoff/whosout",
		.rows = rows_in_outs,
		.form = ROW_KEYS,
		.query = "includeHourly=true",
		FILTERS(time_off_filters),
		.needs_lower = true,
		.needs_upper = true,
		OPTIONS(time_off_options),
		.permission = "time off requests",
		.typical_rows = 200,
		.example = "end_date >= current_date AND start_date <= current_date + "
		"30",
		COLUMNS(time_off_columns),
	},
	{
		.name = "time_off_changes",
		.about = "Requests for time off that were created, canceled or deleted "
		"in a range of time; HiBob keeps six months.",
		.method = "GET",
		.path = "/timeoff/requests/changes",
		.rows = rows_in_changes,
		.form = ROW_KEYS,
		.given = {
			{"since", GIVEN_LOWER, NULL},
			{"until", GIVEN_UPPER, NULL},
		},
		FILTERS(time_off_changes_filters),
		.needs_lower = true,
		.max_months = 6,
		OPTIONS(time_off_changes_options),
		.permission = "time off requests",
		.typical_rows = 500,
		.example = "since >= current_date - 30",
		COLUMNS(time_off_changes_columns),
	},
	{
		.name = "out_today",
		.about = "Who is out today (by UTC).",
		.method = "GET",
		.path = "/timeoff/outtoday",
		.rows = rows_in_outs,
		.form = ROW_KEYS,
		.query = "includeHourly=true",
		OPTIONS(out_today_options),
		.permission = "time off requests",
		.typical_rows = 50,
		COLUMNS(out_today_columns),
	},
	{
		.name = "tasks",
		.about = "The open tasks.",
		.method = "GET",
		.path = "/tasks",
		.rows = rows_in_tasks,
		.form = ROW_KEYS,
		.identity_field = "id",
		.permission = "tasks",
		.typical_rows = 200,
		COLUMNS(tasks_columns),
	},
	{
		.name = "positions",
		.about = "Positions, filled or vacant.",
		.method = "POST",
		.path = "/objects/position/search",
		.rows = rows_in_array,
		.form = ROW_OBJECTS,
		.max_fields = 50,
		.needs_filters = true,
		.human = "includeHumanReadable",
		.identity_field = "/position/id",
		.permission = POSITION_PERMISSION,
		.rate_limit = 100,
		.typical_rows = 500,
		COLUMNS(positions_columns),
	},
	{
		.name = "position_openings",
		.about = "Openings of positions.",
		.method = "POST",
		.path = "/positions/position-openings/search",
		.rows = rows_in_openings,
		.form = ROW_OBJECTS,
		.max_fields = 50,
		.needs_filters = true,
		.paging = PAGING_BODY,
		.page_limit = 100,
		.human = "includeHumanReadable",
		.identity_field = "/positionOpening/positionOpeningName",
		.permission = POSITION_PERMISSION,
		.rate_limit = 100,
		.typical_rows = 500,
		COLUMNS(openings_columns),
	},
	{
		.name = "job_roles",
		.about = "The roles of the job catalog.",
		.method = "GET",
		.path = "/job-catalog/job-roles",
		.rows = rows_in_roles,
		.form = ROW_OBJECTS,
		.paging = PAGING_QUERY,
		.page_limit = 100,
		.human = "includeHumanReadable",
		.identity_field = "/jobRole/id",
		.permission = "the job catalog",
		.typical_rows = 100,
		COLUMNS(roles_columns),
	},
	{
		.name = "job_families",
		.about = "The families of the job catalog.",
		.method = "GET",
		.path = "/job-catalog/job-families",
		.rows = rows_in_families,
		.form = ROW_OBJECTS,
		.paging = PAGING_QUERY,
		.page_limit = 100,
		.human = "includeHumanReadable",
		.identity_field = "/jobFamily/id",
		.permission = "the job catalog",
		.typical_rows = 50,
		COLUMNS(families_columns),
	},
	{
		.name = "reports",
		.about = "The saved reports that are shared with the service user.",
		.method = "GET",
		.path = "/company/reports",
		.rows = rows_in_views,
		.form = ROW_KEYS,
		.identity_field = "id",
		.permission = "the feature Reports",
		.rate_limit = 20,
		.typical_rows = 50,
		COLUMNS(reports_columns),
	},
	{
		.name = "report",
		.about = "The rows of one saved report; which one says the option "
		"report_id.",
		.method = "GET",
		.path = "/company/reports/{report_id}/download",
		.rows = rows_in_csv,
		.form = ROW_CSV,
		.query = "format=csv&includeInfo=false",
		OPTIONS(report_options),
		.id_option = "report_id",
		.permission = "the feature Reports, and share the report with it",
		.rate_limit = 20,
		.typical_rows = 1000,
	},
};

const ResourceGroup resource_group_objects = {resources, lengthof(resources)};
