/*
 * catalog.c
 *		HiBob's resources, their columns and fields.
 *
 * Nothing here acts.  A new resource is a list of columns and an entry in
 * "resources"; its order is the order in which people see the resources.
 */
#include "postgres.h"

#include "catalog.h"
#include "catalog_fields.h"

/*
 * Columns, a line each.  A value column reads the machine's form, a human one
 * what people see in its place: a list item's name, a manager's name.
 */
#define VALUE(name, type, field) \
	{name, type, field, FORM_MACHINE, NULL, false}
#define HUMAN(name, type, field) \
	{name, type, field, FORM_HUMAN, NULL, false}
#define KEY(name, type, field) \
	{name, type, field, FORM_MACHINE, NULL, true}

#define COLUMNS(list) .columns = list, .ncolumns = lengthof(list)

/* Where rows lie. */
static const char *const rows_in_employees[] = {"employees[]", NULL};

/* One employee: documented in a list of one, measured as a bare object. */
static const char *const row_single_employee[] = {"employees[]", "", NULL};

/*
 * What the fields of these categories need; each further category is granted
 * on its own.
 */
#define DEFAULT_EMPLOYEE_FIELDS \
	"the Default Employee Fields (root, about, employment, work)"

/*
 * people: one row an employee, former and future ones included.
 */
static const CatalogColumn people_columns[] = {
	KEY("id", "text", CATALOG_FIELD_ID),
	VALUE("email", "text", CATALOG_FIELD_EMAIL),
	VALUE("full_name", "text", "root.fullName"),
	VALUE("display_name", "text", "root.displayName"),
	VALUE("first_name", "text", "root.firstName"),
	VALUE("surname", "text", "root.surname"),
	HUMAN("job_title", "text", "work.title"),
	HUMAN("department", "text", "work.department"),
	VALUE("site", "text", "work.site"),
	VALUE("site_id", "bigint", "work.siteId"),
	VALUE("manager_id", "text", "work.manager"),
	HUMAN("manager_name", "text", "work.manager"),
	VALUE("manager_email", "text", "work.reportsTo.email"),
	VALUE("second_level_manager_id", "text", "work.secondLevelManager"),
	VALUE("is_manager", "boolean", "work.isManager"),
	VALUE("direct_reports", "integer", "work.directReports"),
	VALUE("employee_number", "bigint", "work.employeeIdInCompany"),
	VALUE("status", "text", CATALOG_FIELD_STATUS),
	HUMAN("lifecycle_status", "text", "internal.lifecycleStatus"),
	VALUE("start_date", "date", "work.startDate"),
	VALUE("original_start_date", "date", "work.originalStartDate"),
	VALUE("termination_date", "date", "internal.terminationDate"),
	HUMAN("termination_reason", "text", "internal.terminationReason"),
	HUMAN("employment_type", "text", "payroll.employment.type"),
	HUMAN("employment_contract", "text", "payroll.employment.contract"),
	VALUE("weekly_hours", "numeric", "payroll.employment.weeklyHours"),
	VALUE("fte", "numeric", "payroll.employment.fte"),
	VALUE("work_phone", "text", "work.workPhone"),
	VALUE("work_mobile", "text", "work.workMobile"),
	VALUE("avatar_url", "text", "root.avatarUrl"),
	VALUE("created_at", "timestamp", "root.creationDateTime"),
};

/*
 * What a search without "fields" sends, of what the service user may view.
 * Never a custom field, nor one of the categories Lifecycle and Employment.
 */
static const char *const people_default_fields[] = {
	CATALOG_FIELD_ID,
	"root.companyId",
	CATALOG_FIELD_EMAIL,
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
 * profiles: what any colleague may see of an active employee.  The manager is
 * taken from reportsTo, since documentation has the key "manager" hold now an
 * id and now a name.
 */
static const CatalogColumn profiles_columns[] = {
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
	VALUE("pronouns", "text", "personal.pronouns"),
	VALUE("birthday", "text", "personal.shortBirthDate"),
	VALUE("nationality", "text[]", "personal.nationality"),
	VALUE("hobbies", "text[]", "about.hobbies"),
	VALUE("superpowers", "text[]", "about.superpowers"),
	VALUE("about", "text", "about.about"),
	VALUE("linkedin", "text", "about.socialData.linkedin"),
	VALUE("twitter", "text", "about.socialData.twitter"),
	VALUE("facebook", "text", "about.socialData.facebook"),
	VALUE("avatar_url", "text", "about.avatar"),
};

static const CatalogResource resources[] = {
	{
		.name = "people",
		.method = "POST",
		.path = "/people/search",
		.single_path = "/people/{identifier}",
		.rows = rows_in_employees,
		.single_rows = row_single_employee,
		.has_fields = true,
		.default_fields = people_default_fields,
		.identity_field = CATALOG_FIELD_ID,
		.permission = DEFAULT_EMPLOYEE_FIELDS,
		COLUMNS(people_columns),
	},
	{
		.name = "profiles",
		.method = "GET",
		.path = "/profiles",
		.rows = rows_in_employees,
		.identity_field = "id",
		.permission = DEFAULT_EMPLOYEE_FIELDS,
		COLUMNS(profiles_columns),
	},
};

const CatalogResource *
catalog_resource_at(int index)
{
	if (index < 0 || index >= (int) lengthof(resources))
		return NULL;
	return &resources[index];
}

const CatalogResource *
catalog_resource(const char *name)
{
	const CatalogResource *resource;

	for (int i = 0; (resource = catalog_resource_at(i)) != NULL; i++)
	{
		if (strcmp(resource->name, name) == 0)
			return resource;
	}
	return NULL;
}

const CatalogColumn *
catalog_column(const CatalogResource *resource, const char *name)
{
	for (int i = 0; i < resource->ncolumns; i++)
	{
		if (strcmp(resource->columns[i].name, name) == 0)
			return &resource->columns[i];
	}
	return NULL;
}

/* For bsearch(): a field's id against an entry. */
static int
compare_field(const void *key, const void *entry)
{
	return strcmp(key, ((const BuiltinField *) entry)->field);
}

const char *
catalog_category(const CatalogResource *resource, const char *field)
{
	const BuiltinField *found;

	if (!resource->has_fields)
		return NULL;

	found = bsearch(field, builtin_fields, lengthof(builtin_fields),
					sizeof(BuiltinField), compare_field);
	if (found != NULL)
		return found->category;

	for (size_t i = 0; i < lengthof(field_families); i++)
	{
		const char *start = field_families[i].field;

		if (strncmp(field, start, strlen(start)) == 0)
			return field_families[i].category;
	}
	return NULL;
}
