/*
 * resource_people.c
 *		The resources that have a row for each employee.
 *
 * Source: HiBob's contract for reading people, and its specification of
 * profiles.
 */
#include "postgres.h"

#include "resources/resource_entries.h"

static const char *const rows_in_employees[] = {"employees[]", NULL};

/* One employee: a list of one by the documentation, a bare object as measured. */
static const char *const row_single_employee[] = {"employees[]", "", NULL};

/* A search takes at most one of the first two. */
static const ResourceFilter people_filters[] = {
	{RESOURCE_FIELD_ID, FILTER_VALUES, PLACE_BODY, RESOURCE_FIELD_ID, NULL,
	 false, NULL},
	{RESOURCE_FIELD_EMAIL, FILTER_VALUES, PLACE_BODY, RESOURCE_FIELD_EMAIL,
	 NULL, false, NULL},
	{RESOURCE_FIELD_STATUS, FILTER_STATUS, PLACE_STATUS, "showInactive", NULL,
	 false, NULL},
};

static const ResourceOption people_options[] = {
	{"show_inactive", NULL, NULL},
	{"batch_size", NULL, NULL},
};

/* people: one row for each employee, including former and future ones. */
static const ResourceColumn people_columns[] = {
	KEY("id", "text", RESOURCE_FIELD_ID,
		"ID in HiBob, which other tables have as employee_id"),
	VALUE("email", "text", RESOURCE_FIELD_EMAIL,
		  "Not unique in HiBob"),
	VALUE("full_name", "text", "root.fullName"),
	VALUE("display_name", "text", "root.displayName"),
	VALUE("first_name", "text", "root.firstName"),
	VALUE("surname", "text", "root.surname"),
	HUMAN("job_title", "text", "work.title"),
	HUMAN("department", "text", "work.department"),
	VALUE("department_id", "text", "work.department",
		  "ID of an item of the list department"),
	VALUE("site", "text", "work.site"),
	VALUE("site_id", "bigint", "work.siteId"),
	VALUE("manager_id", "text", "work.manager"),
	HUMAN("manager_name", "text", "work.manager"),
	VALUE("manager_email", "text", "work.reportsTo.email"),
	VALUE("second_level_manager_id", "text", "work.secondLevelManager"),
	VALUE("is_manager", "boolean", "work.isManager"),
	VALUE("direct_reports", "integer", "work.directReports"),
	VALUE("employee_number", "bigint", "work.employeeIdInCompany",
		  "Number that the company assigns, unlike id"),
	VALUE("status", "text", RESOURCE_FIELD_STATUS,
		  "Active or Inactive; Inactive includes people on leave and future "
		  "employees"),
	HUMAN("lifecycle_status", "text", "internal.lifecycleStatus",
		  "Such as Hired, Employed, Garden leave or Terminated"),
	VALUE("start_date", "date", "work.startDate",
		  "First day of the current employment; a rehire overwrites it"),
	VALUE("original_start_date", "date", "work.originalStartDate"),
	VALUE("termination_date", "date", "internal.terminationDate",
		  "Last day, past or future; null if none is known"),
	HUMAN("termination_reason", "text", "internal.terminationReason"),
	HUMAN("employment_type", "text", "payroll.employment.type"),
	HUMAN("employment_contract", "text", "payroll.employment.contract"),
	VALUE("weekly_hours", "numeric", "payroll.employment.weeklyHours",
		  "Hours a week, by the working pattern"),
	VALUE("fte", "numeric", "payroll.employment.fte",
		  "Percent of full time, by the working pattern"),
	VALUE("work_phone", "text", "work.workPhone"),
	VALUE("work_mobile", "text", "work.workMobile"),
	VALUE("avatar_url", "text", "root.avatarUrl"),
	VALUE("created_at", "timestamp", "root.creationDateTime"),
};

/*
 * The fields of a search without "fields", as far as the service user may view
 * them.  They include no custom field, and no field of the categories Lifecycle
 * and Employment.
 */
static const char *const people_default_fields[] = {
	RESOURCE_FIELD_ID,
	"root.companyId",
	RESOURCE_FIELD_EMAIL,
	"root.firstName",
	"root.surname",
	"root.fullName",
	"root.displayName",
	"root.secondName",
	"root.creationDateTime",
	"root.avatarUrl",
	"root.coverImageUrl",
	"about.avatar",
	"about.about",
	"about.socialData.facebook",
	"about.socialData.twitter",
	"about.socialData.linkedin",
	"about.hobbies",
	"about.superpowers",
	"about.foodPreferences",
	"employee.payrollManager",
	"employee.hrbp",
	"employee.itAdmin",
	"employee.buddy",
	"work.activeEffectiveDate",
	"work.employeeIdInCompany",
	"work.title",
	"work.startDate",
	"work.shortStartDate",
	"work.originalStartDate",
	"work.durationOfEmployment",
	"work.yearsOfService",
	"work.tenureDuration",
	"work.tenureDurationYears",
	"work.tenureYears",
	"work.site",
	"work.siteId",
	"work.department",
	"work.workChangeType",
	"work.reportsTo",
	"work.reportsTo.email",
	"work.reportsToIdInCompany",
	"work.manager",
	"work.secondLevelManager",
	"work.isManager",
	"work.directReports",
	"work.indirectReports",
	"work.daysOfPreviousService",
	"work.workMobile",
	"work.workPhone",
	NULL
};

/*
 * profiles: the part of an active employee's profile that all colleagues can
 * view.  The manager comes from reportsTo, since the key "manager" is an id in
 * some documents and a name in others.
 */
static const ResourceColumn profiles_columns[] = {
	KEY("id", "text", "id"),
	VALUE("first_name", "text", "firstName"),
	VALUE("surname", "text", "surname"),
	VALUE("display_name", "text", "displayName"),
	VALUE("email", "text", "email"),
	VALUE("job_title", "text", "work.title"),
	VALUE("department", "text", "work.department"),
	VALUE("site", "text", "work.site"),
	VALUE("start_date", "date", "work.startDate"),
	VALUE("manager_id", "text", "work.reportsTo.id"),
	VALUE("manager_email", "text", "work.reportsTo.email"),
	VALUE("is_manager", "boolean", "work.isManager"),
	VALUE("employee_number", "bigint", "work.employeeIdInCompany",
		  "Number that the company assigns, unlike id"),
	VALUE("work_phone", "text", "work.workPhone"),
	VALUE("work_mobile", "text", "work.workMobile"),
	VALUE("honorific", "text", "personal.honorific"),
	VALUE("pronouns", "text", "personal.pronouns"),
	VALUE("birthday", "text", "personal.shortBirthDate",
		  "Day and month, without the year"),
	VALUE("nationality", "text[]", "personal.nationality"),
	VALUE("hobbies", "text[]", "about.hobbies"),
	VALUE("food_preferences", "text[]", "about.foodPreferences"),
	VALUE("superpowers", "text[]", "about.superpowers"),
	VALUE("about", "text", "about.about"),
	VALUE("linkedin", "text", "about.socialData.linkedin"),
	VALUE("twitter", "text", "about.socialData.twitter"),
	VALUE("facebook", "text", "about.socialData.facebook"),
	VALUE("avatar_url", "text", "about.avatar"),
};

static const Resource resources[] = {
	{
		.name = RESOURCE_PEOPLE,
		.about = "One row for each employee, including former and future ones.",
		.method = "POST",
		.path = "/people/search",
		.single_path = "/people/{identifier}",
		.rows = rows_in_employees,
		.single_rows = row_single_employee,
		.form = ROW_EMPLOYEE,
		.max_fields = RESOURCE_MAX_FIELDS,
		.default_fields = people_default_fields,
		.human = "humanReadable",
		FILTERS(people_filters),
		OPTIONS(people_options),
		.identity_field = RESOURCE_FIELD_ID,
		.permission = DEFAULT_EMPLOYEE_FIELDS,
		.rate_limit = 50,
		.typical_rows = 1000,
		COLUMNS(people_columns),
	},
	{
		.name = "profiles",
		.about = "The part of an active employee's profile that all colleagues can "
		"view.",
		.method = "GET",
		.path = "/profiles",
		.rows = rows_in_employees,
		.form = ROW_KEYS,
		.identity_field = "id",
		.permission = DEFAULT_EMPLOYEE_FIELDS,
		.rate_limit = 40,
		.typical_rows = 1000,
		COLUMNS(profiles_columns),
	},
};

const ResourceGroup resource_group_people = {resources, lengthof(resources)};
