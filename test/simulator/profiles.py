"""The fixed shape of GET /profiles."""

from metadata import FIELDS
from human import humaniser
from values import getter

# Nested as in the response; a leaf is a field id.
SHAPE = {
    "id": "root.id", "firstName": "root.firstName", "surname": "root.surname",
    "email": "root.email", "displayName": "root.displayName",
    "personal": {name: "personal." + name for name in (
        "honorific", "shortBirthDate", "nationality", "pronouns")},
    "about": {
        "avatar": "about.avatar", "hobbies": "about.hobbies",
        "foodPreferences": "about.foodPreferences",
        "socialData": {name: "about.socialData." + name for name in (
            "linkedin", "twitter", "facebook")},
        "superpowers": "about.superpowers"},
    "work": {name: "work." + name for name in (
        "shortStartDate", "startDate", "manager", "tenureDuration",
        "durationOfEmployment", "reportsToIdInCompany", "employeeIdInCompany",
        "reportsTo", "workMobile", "workPhone", "indirectReports", "siteId",
        "tenureDurationYears", "department", "tenureYears", "isManager", "title",
        "site", "originalStartDate", "activeEffectiveDate", "directReports",
        "secondLevelManager", "daysOfPreviousService", "yearsOfService")},
}

LISTED = {"work.department", "work.title", "personal.nationality",
          "personal.honorific", "personal.pronouns", "about.hobbies",
          "about.foodPreferences", "about.superpowers"}
AS_TEXT_IN_SPEC = {"work.isManager", "work.manager", "about.superpowers"}


def profile_maker(form, company):
    """A function from an employee to the profile, in one of three forms.

    "machine": list ids; "names": list names; "spec": names, and text where the
    specification has text.
    """
    return _maker(SHAPE, form, company)


def _maker(shape, form, company):
    if isinstance(shape, dict):
        makers = {key: _maker(part, form, company) for key, part in shape.items()}
        return lambda employee: {key: make(employee)
                                 for key, make in makers.items()}
    field = FIELDS[shape]
    get = _with_override(field, getter(field))
    human = humaniser(field, company)
    if form == "machine" or field.id not in LISTED | AS_TEXT_IN_SPEC:
        return get
    if form == "spec" and field.id in AS_TEXT_IN_SPEC or field.type == "list":
        return lambda employee: _unless_null(get(employee), human)
    if field.type == "multi-list":
        return lambda employee: [human([id]) for id in get(employee) or ()]
    return get


def _with_override(field, get):
    def value(employee):
        return employee.fields[field.id] if field.id in employee.fields else get(employee)
    return value


def _unless_null(value, human):
    return None if value is None else human(value)
