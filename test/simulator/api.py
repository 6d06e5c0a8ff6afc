"""HiBob's endpoints, and the steps that are common to all requests.

ENDPOINTS is the whole interface.  A new endpoint is one more line there and a
handler in the module of its subject: a function of (simulator, request) that
returns a Response or raises ApiError.  `{name}` in a path matches one segment
and becomes request.params["name"].
"""

import base64
import binascii
import re
from dataclasses import dataclass
from functools import cache

import attendance
import calendars
import customtables
import documents
import jobcatalog
import payments
import people
import policies
import positions
import reports
import tables
import talent
import tasks
import timeoff
from messages import ApiError, Response, login_page

BASE_PATH = "/v1"


# -- the table -----------------------------------------------------------------

@dataclass(frozen=True)
class Endpoint:
    method: str
    path: str
    handler: object
    people: bool = False        # needs a permission group
    limited: bool = True        # has a rate limit
    per_minute: int = 0         # its own usual limit

    def match(self, method, path):
        """The parameters of the path if it matches this endpoint, else None."""
        found = _pattern(self.path).fullmatch(path) if method == self.method else None
        return found and found.groupdict()


@cache
def _pattern(path):
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))


ENDPOINTS = (
    Endpoint("POST", "/people/search", people.search_people, people=True),
    Endpoint("POST", "/people/{identifier}", people.read_person, people=True),
    Endpoint("GET", "/people", people.removed),
    Endpoint("GET", "/profiles", people.read_profiles, people=True),
    Endpoint("GET", "/company/people/fields", people.read_fields),
    Endpoint("GET", "/company/named-lists", people.read_lists),
    Endpoint("GET", "/company/named-lists/{name}", people.read_list),
    Endpoint("GET", "/onboarding/wizards", people.read_wizards),
    *(Endpoint("GET", "/bulk/people/" + name, tables.reader_of_all(name),
               people=True) for name in tables.BULK),
    *(Endpoint("GET", "/people/{id}/" + name, tables.reader_of_one(name),
               people=True) for name in tables.BY_EMPLOYEE),
    Endpoint("GET", "/people/custom-tables/metadata", customtables.read_tables),
    Endpoint("GET", "/people/custom-tables/metadata/{table_id}",
             customtables.read_table),
    Endpoint("GET", "/people/custom-tables/{employee_id}/{table_id}",
             customtables.read_rows, people=True),
    Endpoint("GET", "/bulk/people/custom-tables/{table_id}",
             customtables.read_all_rows, people=True),
    Endpoint("GET", "/company/reports", reports.read_reports, per_minute=20),
    Endpoint("GET", "/company/reports/{report_id}/download", reports.download,
             per_minute=20),
    Endpoint("GET", "/company/reports/{report_id}/download-async",
             reports.download_later, per_minute=20),
    Endpoint("GET", "/company/reports/download/{report_name}",
             reports.download_by_name, per_minute=20),
    Endpoint("GET", "/timeoff/whosout", timeoff.read_whos_out, people=True),
    Endpoint("GET", "/timeoff/outtoday", timeoff.read_out_today, people=True),
    Endpoint("GET", "/timeoff/requests/changes", timeoff.read_changes, people=True),
    Endpoint("GET", "/timeoff/policy-types", policies.read_policy_types),
    Endpoint("GET", "/timeoff/policy-types/{policy_type}",
             policies.read_policy_type),
    Endpoint("GET", "/timeoff/policies/names", policies.read_policy_names),
    Endpoint("GET", "/timeoff/policies", policies.read_policy),
    Endpoint("GET", "/timeoff/employees/{employee_id}/balance",
             policies.read_balance, people=True),
    Endpoint("POST", "/timeoff/calendars/employees/search",
             calendars.search_employees, people=True),
    Endpoint("POST", "/timeoff/calendars/events/search", calendars.search_events),
    Endpoint("POST", "/attendance/entries/search", attendance.search_entries,
             people=True, per_minute=200),
    Endpoint("GET", "/tasks", tasks.read_open_tasks, people=True),
    Endpoint("GET", "/tasks/people/{id}", tasks.read_tasks_of, people=True),
    Endpoint("POST", "/objects/position/search", positions.search_positions,
             people=True),
    Endpoint("GET", "/metadata/objects/position", positions.read_fields),
    Endpoint("POST", "/positions/position-openings/search",
             positions.search_openings, people=True),
    Endpoint("POST", "/positions/position-budget/search", positions.search_budgets,
             people=True),
    *(Endpoint("GET", "/job-catalog/" + kind, jobcatalog.reader(kind))
      for kind in jobcatalog.KINDS),
    Endpoint("POST", "/job-catalog/job-profiles/search",
             jobcatalog.search_profiles),
    Endpoint("POST", "/goals/goals/search", talent.search_goals, people=True,
             per_minute=100),
    Endpoint("POST", "/skills/search", talent.search_skills),
    Endpoint("POST", "/employers/search", talent.search_employers),
    Endpoint("POST", "/hiring/candidates/search", talent.search_candidates,
             people=True),
    Endpoint("POST", "/hiring/applications/search", talent.search_applications,
             people=True),
    Endpoint("GET", "/docs/people/{id}", documents.read_documents, people=True,
             limited=False),
    Endpoint("GET", "/docs/folders/metadata", documents.read_folders,
             limited=False),
    Endpoint("POST", "/people/actual-payments/search", payments.search_payments,
             people=True),
)
# Below these, an unknown path returns the login page instead of status 404.
KNOWN_PREFIXES = ("/people/", "/company/", "/profiles/")


def find_endpoint(request):
    """The endpoint of a request, or None; sets it in the request."""
    if not request.path.startswith(BASE_PATH + "/"):
        return None
    path = request.path[len(BASE_PATH):]
    request.endpoint = path
    for endpoint in ENDPOINTS:
        params = endpoint.match(request.method, path)
        if params is not None:
            request.endpoint = endpoint.path
            request.params = params
            return endpoint
    return None


# -- the steps of every request ----------------------------------------------

def credentials(request):
    """(user, token) of a Basic Authorization header; Nones without one."""
    scheme, _, coded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None, None
    try:
        user, _, token = base64.b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, token


def authorized(settings, request):
    """"right", "wrong" or "absent"."""
    given = credentials(request)
    if given == (None, None):
        return "absent"
    return "right" if given == (settings.user, settings.token) else "wrong"


def answer(simulator, request, endpoint):
    """The response to a request, rate-limit headers included."""
    settings = simulator.settings
    user = credentials(request)[0]
    headers, exceeded = {}, False
    if endpoint is None or endpoint.limited:
        headers, exceeded = simulator.limiter.take(
            settings, request.endpoint, user, endpoint.per_minute if endpoint else 0)
    try:
        _check(settings, request, endpoint, exceeded)
        response = _handle(simulator, request, endpoint)
    except ApiError as error:
        response = error.response
    response.headers.update(headers)
    return response


def _check(settings, request, endpoint, exceeded):
    if settings.ip_blocked:
        raise ApiError(403, "ipNotAllowed", "Access from this IP is not allowed")
    access = authorized(settings, request)
    if access == "wrong":
        raise ApiError(401, "tokenNotMatch", "Token does not match")
    if access == "absent":
        raise ApiError(401)
    if exceeded:
        raise ApiError(429, "rateLimitExceeded", "Too many requests")
    if settings.ungrouped and endpoint and endpoint.people:
        raise ApiError(403, "missingPermission",
                       "The service user belongs to no permission group")
    if _module_off(settings, request):
        raise ApiError(404, "moduleNotActive",
                       "The module is not active in this account")


def _module_off(settings, request):
    path = request.path.removeprefix(BASE_PATH)
    return path.startswith(tuple(settings.modules_off))


def _handle(simulator, request, endpoint):
    if endpoint is not None:
        return endpoint.handler(simulator, request)
    if request.endpoint.startswith(KNOWN_PREFIXES):
        return login_page()
    return Response(404)
