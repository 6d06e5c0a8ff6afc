/*
 * resource_objects.c
 *		The resources that are not employees, their tables or their time:
 *		metadata, lists, tasks, positions, jobs, talent, hiring and reports.
 *
 * Source: HiBob's specification, and published measurements where they differ:
 * the metadata of fields is a bare array or an array in an object.  The field
 * ids of skills, employers and hiring are those that a public client requests;
 * their types are not documented, so a column is text unless its values are
 * known to be objects or lists.
 */
#include "postgres.h"

#include "resources/resource_entries.h"

static const char *const rows_in_fields[] = {"[]", "fields[]", NULL};
static const char *const rows_in_array[] = {"[]", NULL};
static const char *const rows_in_tables[] = {"tables[]", NULL};
static const char *const rows_in_tasks[] = {"tasks[]", NULL};
static const char *const rows_in_views[] = {"views[]", NULL};
static const char *const rows_in_csv[] = {NULL};

static const char *const rows_in_items[] = {"items[]", NULL};

/* An array of arrays by the specification; other clients see a plain array. */
static const char *const rows_in_openings[] = {"positionOpeningEntries[]",
	"positionOpeningEntries[][]", NULL};
static const char *const rows_in_roles[] = {"JobRoleEntries[]",
	"JobRoleEntries[][]", NULL};
static const char *const rows_in_families[] = {"JobFamilyEntries[]",
	"JobFamilyEntries[][]", NULL};

static const char *const rows_in_groups_of_families[] = {
	"JobFamilyGroupEntries[]", "JobFamilyGroupEntries[][]", NULL};
static const char *const rows_in_profiles[] = {"JobProfileEntries[]",
	"JobProfileEntries[][]", NULL};
static const char *const rows_in_budgets[] = {"positionBudgetEntries[]",
	"positionBudgetEntries[][]", NULL};

static const ResourceColumn fields_columns[] = {
	KEY("id", "text", "id",
		"Value of the column option field"),
	VALUE("category_id", "text", "categoryId"),
	VALUE("category", "text", "categoryDisplayName",
		  "Permission category"),
	VALUE("name", "text", "name"),
	VALUE("description", "text", "description"),
	VALUE("json_path", "text", "jsonPath",
		  "Nested place of the value in an employee"),
	VALUE("type", "text", "type"),
	PART("list_id", "text", "typeData", "listId",
		 "Named list of the values, as list of named_lists"),
	VALUE("historical", "boolean", "historical",
		  "Whether HiBob keeps the history of the values"),
};

static const ResourceColumn named_lists_columns[] = {
	KEY("list", "text", "list",
		"Name of the list"),
	KEY("id", "text", "id",
		"ID that fields with this list have as their value"),
	VALUE("name", "text", "name"),
	VALUE("parent_id", "text", "parentId",
		  "ID of the parent in a hierarchy; null at the top"),
	VALUE("path", "text", "path"),
	VALUE("archived", "boolean", "archived"),
};

static const ResourceFilter named_lists_filters[] = {
	{"list", FILTER_VALUES, PLACE_PATH, "list", NULL, false, NULL},
};

static const ResourceColumn custom_tables_columns[] = {
	KEY("id", "text", "id",
		"Value of the table option table_id"),
	VALUE("category_id", "text", "category"),
	VALUE("name", "text", "name"),
	VALUE("description", "text", "description"),
	VALUE("columns", "jsonb", "columns",
		  "The columns: id, name, type and list, as an array"),
};

static const ResourceFilter closed_tasks_filters[] = {
	{"employeeId", FILTER_VALUES, PLACE_PATH, "employee_id", NULL, true, NULL},
};

#define TASK_COLUMNS \
	KEY("id", "bigint", "id"), \
	VALUE("title", "text", "title"), \
	VALUE("description", "text", "description"), \
	VALUE("set", "text", "set"), \
	VALUE("workflow", "text", "workflow"), \
	VALUE("ordinal_in_workflow", "integer", "ordinalInWorkflow"), \
	VALUE("status", "text", "status"), \
	VALUE("due", "date", "due"), \
	VALUE("completion_date", "date", "completionDate"), \
	VALUE("link", "text", "linkInBob"), \
	PART("owner_id", "text", "owner", "id"), \
	PART("owner_name", "text", "owner", "displayName"), \
	PART("owner_email", "text", "owner", "email"), \
	PART("requested_for_id", "text", "requestedFor", "id"), \
	PART("requested_for_name", "text", "requestedFor", "displayName"), \
	PART("requested_for_email", "text", "requestedFor", "email"), \
	VALUE("employee_group_id", "bigint", "employeeGroupId"), \
	VALUE("company_id", "bigint", "companyId")

static const ResourceColumn tasks_columns[] = {
	TASK_COLUMNS,
};

static const ResourceColumn closed_tasks_columns[] = {
	KEY("employee_id", "text", "employeeId"),
	TASK_COLUMNS,
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
	VALUE("own_expected_start_date", "date", "/position/expectedStartDate"),
	VALUE("own_actual_start_date", "date", "/position/actualStartDate"),
	VALUE("own_recruitment_status", "text", "/position/recruitmentStatus"),
	VALUE("filled_by", "text", "/position/filledBy"),
	HUMAN("filled_by_name", "text", "/position/filledBy"),
	VALUE("manager_position_id", "bigint", "/position/managerPositionId"),
	VALUE("manager_filled_by", "text", "/position/managerPositionFilledBy"),
	VALUE("has_open_requests", "boolean", "/position/hasOpenRequests"),
	VALUE("budget_id", "bigint", "/position/budget"),
	VALUE("modified_at", "date", "/position/modificationDate"),
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

static const ResourceFilter budgets_filters[] = {
	{"/positionBudget/id", FILTER_VALUES, PLACE_BODY, "/positionBudget/id",
	NULL, true, NULL},
};

/* A value and its currency. */
#define BUDGET_AMOUNT(name, field) \
	PART(name, "numeric", "/positionBudget/" field "CurrencyValue", "value"), \
	PART(name "_currency", "text", "/positionBudget/" field "CurrencyValue", \
		 "currency")

static const ResourceColumn budgets_columns[] = {
	KEY("id", "bigint", "/positionBudget/id"),
	BUDGET_AMOUNT("expected_base_salary", "expectedBaseSalary"),
	VALUE("salary_pay_period", "text", "/positionBudget/salaryPayPeriod"),
	BUDGET_AMOUNT("expected_variable_pay", "expectedVariablePay"),
	VALUE("variable_pay_period", "text", "/positionBudget/variablePayPeriod"),
	BUDGET_AMOUNT("total_position_cost", "totalPositionCost"),
	BUDGET_AMOUNT("converted_total_cost", "convertedTotalCost"),
	BUDGET_AMOUNT("pro_rated_cost", "proRatedCost"),
	VALUE("currency", "text", "/positionBudget/Currency"),
	VALUE("update_effective_date", "date",
		  "/positionBudget/updateEffectiveDate"),
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

static const ResourceColumn family_groups_columns[] = {
	KEY("id", "bigint", "/jobFamilyGroup/id"),
	VALUE("name", "text", "/jobFamilyGroup/name"),
	VALUE("description", "text", "/jobFamilyGroup/description"),
};

/* Without a filter the search fails: these are all statuses. */
static const char *const all_profiles[] = {"/jobProfile/status", "active",
	"draft", "inactive", NULL};

static const ResourceFilter profiles_filters[] = {
	{"/jobProfile/id", FILTER_VALUES, PLACE_BODY, "/jobProfile/id", NULL, true,
	NULL},
	{"/jobProfile/status", FILTER_VALUES, PLACE_BODY, "/jobProfile/status",
	NULL, false, NULL},
};

static const ResourceColumn profiles_columns[] = {
	KEY("id", "bigint", "/jobProfile/id"),
	VALUE("code", "text", "/jobProfile/code"),
	VALUE("title", "text", "/jobProfile/title"),
	VALUE("status", "text", "/jobProfile/status"),
	VALUE("job_role_id", "bigint", "/jobProfile/jobRoleId"),
	VALUE("job_family_id", "bigint", "/jobProfile/jobFamilyId"),
	VALUE("job_family_group_id", "bigint", "/jobProfile/jobFamilyGroupId"),
	VALUE("job_level_role_id", "bigint", "/jobProfile/jobLevelRoleId"),
	VALUE("description", "text", "/jobProfile/description"),
	VALUE("assigned_employees", "text[]", "/jobProfile/assignedEmployees"),
};

/* Nobody has published the field ids of goals. */
static const ResourceColumn goals_columns[] = {
	VALUE("data", "jsonb", RESOURCE_WHOLE_ROW,
		  "The whole row as HiBob sent it"),
};

#define SKILL(name)			"/skill/" name
#define EMPLOYER(name)		"/employer/" name
#define CANDIDATE(name)		"/candidate/" name
#define APPLICATION(name)	"/application/" name

static const ResourceColumn skills_columns[] = {
	KEY("id", "text", SKILL("id")),
	VALUE("name", "text", SKILL("name")),
	VALUE("description", "text", SKILL("description")),
	VALUE("status", "text", SKILL("status")),
	VALUE("category", "text", SKILL("categoryName")),
	VALUE("source", "text", SKILL("source")),
	VALUE("external_id", "text", SKILL("externalId")),
	VALUE("proficiency_levels", "jsonb", SKILL("proficiencyLevels")),
	VALUE("created_at", "text", SKILL("createdAt")),
};

static const ResourceColumn employers_columns[] = {
	KEY("id", "text", EMPLOYER("id")),
	VALUE("legal_name", "text", EMPLOYER("legalName")),
	VALUE("trading_as", "text", EMPLOYER("tradingAs")),
	VALUE("doing_business_as", "text", EMPLOYER("doingBusinessAs")),
	VALUE("status", "text", EMPLOYER("employerStatus")),
	VALUE("contact_name", "text", EMPLOYER("contactName")),
	VALUE("phone", "text", EMPLOYER("employerPhoneNumber")),
	VALUE("email", "text", EMPLOYER("employerEmailAddress")),
	VALUE("address_line1", "text", EMPLOYER("addressLine1")),
	VALUE("address_line2", "text", EMPLOYER("addressLine2")),
	VALUE("postal_code", "text", EMPLOYER("postalCode")),
	VALUE("city", "text", EMPLOYER("city")),
	VALUE("region", "text", EMPLOYER("stateProvinceRegion")),
	VALUE("country", "text", EMPLOYER("country")),
	VALUE("supports_remote_workers", "text", EMPLOYER("supportsRemoteWorkers")),
	VALUE("organization_type", "text", EMPLOYER("organizationType")),
	VALUE("tax_payer_type", "text", EMPLOYER("taxPayerType")),
	VALUE("tax_identifier", "text", EMPLOYER("taxIdentifier")),
	VALUE("fein", "text", EMPLOYER("fein")),
	VALUE("naics", "text", EMPLOYER("naics")),
	VALUE("paye_reference", "text", EMPLOYER("payeReference")),
	VALUE("accounts_office_reference", "text",
		  EMPLOYER("accountsOfficeReference")),
	VALUE("companies_house_registration", "text",
		  EMPLOYER("companiesHouseRegistration")),
	VALUE("payroll_validation_status", "text",
		  EMPLOYER("payrollValidationStatus")),
	VALUE("validation_status_reason", "text",
		  EMPLOYER("validationStatusReason")),
};

static const ResourceColumn candidates_columns[] = {
	KEY("id", "text", CANDIDATE("id")),
	VALUE("first_name", "text", CANDIDATE("firstName")),
	VALUE("last_name", "text", CANDIDATE("lastName")),
	VALUE("email", "text", CANDIDATE("email")),
	VALUE("phone", "text", CANDIDATE("phone")),
	VALUE("title", "text", CANDIDATE("title")),
	VALUE("employee_id", "text", CANDIDATE("employeeId")),
	VALUE("address", "text", CANDIDATE("address")),
	VALUE("city", "text", CANDIDATE("city")),
	VALUE("region", "text", CANDIDATE("region")),
	VALUE("country", "text", CANDIDATE("country")),
	VALUE("languages", "jsonb", CANDIDATE("languages")),
	VALUE("skills", "jsonb", CANDIDATE("skills")),
	VALUE("education", "jsonb", CANDIDATE("education")),
	VALUE("experience", "jsonb", CANDIDATE("experience")),
	VALUE("linkedin", "text", CANDIDATE("socialMediaLinkedIn")),
	VALUE("source_type", "text", CANDIDATE("sourceType")),
	VALUE("source_id", "text", CANDIDATE("sourceId")),
	VALUE("source_effective_date", "text", CANDIDATE("sourceEffectiveDate")),
	VALUE("external_user_id", "text", CANDIDATE("externalUserId")),
	VALUE("import_external_id", "text", CANDIDATE("importExternalId")),
	VALUE("job_openings_to_applications", "jsonb",
		  CANDIDATE("jobOpeningsToApplicationIds")),
	VALUE("anonymized_at", "text", CANDIDATE("anonymizedAt")),
	VALUE("modified_at", "text", CANDIDATE("modificationDate")),
};

static const ResourceColumn applications_columns[] = {
	KEY("id", "text", APPLICATION("id")),
	VALUE("status", "text", APPLICATION("status")),
	VALUE("candidate_id", "text", APPLICATION("candidateId")),
	VALUE("job_opening_id", "text", APPLICATION("jobOpeningId")),
	VALUE("stage_id", "text", APPLICATION("stageId")),
	VALUE("date_applied", "text", APPLICATION("dateApplied")),
	VALUE("created_at", "text", APPLICATION("createdAt")),
	VALUE("last_activity_at", "text", APPLICATION("lastActivityTimestamp")),
	VALUE("time_to_hire", "text", APPLICATION("timeToHire")),
	VALUE("sourced_by", "text", APPLICATION("sourcedBy")),
	VALUE("source_type", "text", APPLICATION("sourceType")),
	VALUE("referred_by", "text", APPLICATION("referredBy")),
	VALUE("job_ad_id", "text", APPLICATION("jobAdId")),
	VALUE("agency_id", "text", APPLICATION("agencyId")),
	VALUE("site_id", "text", APPLICATION("siteId")),
	VALUE("has_offer", "text", APPLICATION("hasOffer")),
	VALUE("evaluation_score", "text", APPLICATION("evaluationScore")),
	VALUE("evaluations", "jsonb", APPLICATION("evaluations")),
	VALUE("desired_salary", "jsonb", APPLICATION("desiredSalary")),
	VALUE("education", "jsonb", APPLICATION("education")),
	VALUE("experience", "jsonb", APPLICATION("experience")),
	VALUE("files", "jsonb", APPLICATION("files")),
	VALUE("modified_at", "text", APPLICATION("modificationDate")),
};

/* A search of 2026 for items by field ids. */
#define ITEM_SEARCH \
	.method = "POST", \
	.rows = rows_in_items, \
	.form = ROW_ITEMS, \
	.needs_filters = true, \
	.filters_by_id = true, \
	.paging = PAGING_TOP, \
	.page_limit = 200

static const ResourceColumn reports_columns[] = {
	KEY("id", "bigint", "id",
		"Value of the table option report_id"),
	VALUE("name", "text", "name"),
	VALUE("description", "text", "description"),
	VALUE("type", "text", "type"),
	VALUE("created_by", "text", "createdBy"),
	VALUE("created_at", "text", "creationDate"),
	VALUE("modified_at", "text", "modificationDate"),
	VALUE("folder_id", "text", "folderId"),
	VALUE("is_scheduled", "boolean", "isScheduled"),
	VALUE("is_comparable", "boolean", "isComparable"),
	PART("fields", "text[]", "configuration", "fields",
		 "IDs of the fields of the columns"),
	VALUE("configuration", "jsonb", "configuration"),
};

static const ResourceOption report_options[] = {
	{"report_async", NULL, NULL},
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
		.about = "The items of named lists: the names behind the ids in list "
		"fields.",
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
		.about = "The custom tables of the account.",
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
		.name = "closed_tasks",
		.about = "The closed tasks of each employee.",
		.method = "GET",
		.path = "/tasks/people/{employee_id}",
		.rows = rows_in_tasks,
		.form = ROW_KEYS,
		.supplied = {{"employeeId", SUPPLIED_VALUE, NULL}},
		.query = "task_status=closed",
		FILTERS(closed_tasks_filters),
		.needs_employees = true,
		.identity_field = "id",
		.permission = "tasks",
		.typical_rows = 1000,
		COLUMNS(closed_tasks_columns),
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
		.name = "position_budgets",
		.about = "Budgets of positions.",
		.method = "POST",
		.path = "/positions/position-budget/search",
		.rows = rows_in_budgets,
		.form = ROW_OBJECTS,
		.max_fields = 50,
		.needs_filters = true,
		.filters_by_id = true,
		.paging = PAGING_BODY,
		.page_limit = 100,
		.human = "includeHumanReadable",
		FILTERS(budgets_filters),
		.identity_field = "/positionBudget/id",
		.permission = POSITION_PERMISSION,
		.rate_limit = 100,
		.typical_rows = 500,
		COLUMNS(budgets_columns),
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
		.name = "job_family_groups",
		.about = "The groups of families of the job catalog.",
		.method = "GET",
		.path = "/job-catalog/job-family-groups",
		.rows = rows_in_groups_of_families,
		.form = ROW_OBJECTS,
		.paging = PAGING_QUERY,
		.page_limit = 100,
		.human = "includeHumanReadable",
		.identity_field = "/jobFamilyGroup/id",
		.permission = "the job catalog",
		.typical_rows = 20,
		COLUMNS(family_groups_columns),
	},
	{
		.name = "job_profiles",
		.about = "The profiles of the job catalog: active, draft and inactive "
		"ones.",
		.method = "POST",
		.path = "/job-catalog/job-profiles/search",
		.rows = rows_in_profiles,
		.form = ROW_OBJECTS,
		.max_fields = 50,
		.needs_filters = true,
		.filters_by_id = true,
		.fixed_filter = all_profiles,
		.paging = PAGING_BODY,
		.page_limit = 100,
		.human = "includeHumanReadable",
		FILTERS(profiles_filters),
		.identity_field = "/jobProfile/id",
		.permission = "the job catalog",
		.typical_rows = 200,
		COLUMNS(profiles_columns),
	},
	{
		.name = "goals",
		.about = "Goals. HiBob documents no field ids: a row is JSON.",
		.path = "/goals/goals/search",
		ITEM_SEARCH,
		.permission = "goals (the feature Goals, and People's data > Goals) of "
		"each goal type",
		.rate_limit = 100,
		.typical_rows = 500,
		COLUMNS(goals_columns),
	},
	{
		.name = "skills",
		.about = "The skills of the account.",
		.path = "/skills/search",
		ITEM_SEARCH,
		.max_fields = 50,
		.identity_field = SKILL("id"),
		.permission = "skills",
		.typical_rows = 200,
		COLUMNS(skills_columns),
	},
	{
		.name = "employers",
		.about = "The legal employers of the account.",
		.path = "/employers/search",
		ITEM_SEARCH,
		.max_fields = 50,
		.identity_field = EMPLOYER("id"),
		.permission = "employers",
		.typical_rows = 10,
		COLUMNS(employers_columns),
	},
	{
		.name = "candidates",
		.about = "Candidates of the module Hiring.",
		.path = "/hiring/candidates/search",
		ITEM_SEARCH,
		.max_fields = 50,
		.identity_field = CANDIDATE("id"),
		.permission = "hiring",
		.typical_rows = 1000,
		COLUMNS(candidates_columns),
	},
	{
		.name = "applications",
		.about = "Applications of the module Hiring.",
		.path = "/hiring/applications/search",
		ITEM_SEARCH,
		.max_fields = 50,
		.identity_field = APPLICATION("id"),
		.permission = "hiring",
		.typical_rows = 1000,
		COLUMNS(applications_columns),
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
		.about = "The rows of a saved report. The option report_id selects "
		"it.",
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
