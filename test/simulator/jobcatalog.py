"""The job catalog: roles, families, groups of families, profiles."""

from lists import ORGANISATION
from messages import ApiError, json_response
from metadata import LISTS
from objects import Kind, Search, as_entry
from paging import arranged, body_page, cut, from_list, query_limit

_LEVELS = ("", "Junior ", "Senior ", "Lead ", "Principal ", "Trainee ")


def _objects(kind, list_name, more):
    """The entries of the entity list, then more; ids continue in steps of 13."""
    named = [(item.id, item.name) for item in LISTS[list_name].items]
    next_id = named[-1][0] + 13
    named += [(next_id + 13 * n, name) for n, name in enumerate(more)]
    return [{f"/{kind}/id": id, f"/{kind}/name": name,
             f"/{kind}/description": None if id % 2 else f"About “{name}”,\nin short"}
            for id, name in named]


_CATALOG = {
    "job-roles": ("JobRoleEntries", _objects(
        "jobRole", "jobRole_entity_list",
        (level + title for level in _LEVELS for titles in ORGANISATION.values()
         for title in titles))),
    "job-families": ("JobFamilyEntries", _objects(
        "jobFamily", "jobFamily_entity_list", ORGANISATION)),
    "job-family-groups": ("JobFamilyGroupEntries", _objects(
        "jobFamilyGroup", "jobFamilyGroup_entity_list", ("G&A", "研究"))),
}
KINDS = tuple(_CATALOG)


def reader(kind):
    """The handler of GET /job-catalog/{kind}."""
    key, objects = _CATALOG[kind]

    def read(simulator, request):
        settings = simulator.settings
        limit = query_limit(request, usual=100)
        cursor = request.query.get("cursor")
        page, following = cut(from_list(objects, cursor), limit, cursor, settings)
        human = request.flag("includeHumanReadable")
        entries = [as_entry(each, dict.fromkeys(each, "text") if human else None,
                            simulator.company) for each in page]
        return json_response({key: arranged(entries, settings),
                              "response_metadata": {"next_cursor": following}},
                             settings=settings)
    return read


# -- profiles -----------------------------------------------------------------------

_STATUSES = {"active": "Active", "draft": "Draft", "inactive": "Inactive"}
PROFILE = Kind({
    "/jobProfile/id": "number", "/jobProfile/jobLevelRoleId": "number",
    "/jobProfile/jobRoleId": "number", "/jobProfile/jobFamilyId": "number",
    "/jobProfile/jobFamilyGroupId": "number", "/jobProfile/code": "text",
    "/jobProfile/title": "text", "/jobProfile/status": _STATUSES,
    "/jobProfile/description": "text",
    "/jobProfile/assignedEmployees": "employees",
}, ("/jobProfile/status", "/jobProfile/jobFamilyGroupId", "/jobProfile/jobFamilyId",
    "/jobProfile/jobRoleId", "/jobProfile/id"))


def _profile(n, company):
    roles = _CATALOG["job-roles"][1]
    families, groups = (_CATALOG[kind][1] for kind in ("job-families",
                                                       "job-family-groups"))
    role = roles[n % len(roles)]
    people = (e for e in map(company.employee, range(1, company.size + 1, 40))
              if e.number // 40 % 150 == n)
    return {"/jobProfile/id": 128000 + n,
            "/jobProfile/jobLevelRoleId": None if n % 3 else 500 + n,
            "/jobProfile/jobRoleId": role["/jobRole/id"],
            "/jobProfile/jobFamilyId": families[n % len(families)]["/jobFamily/id"],
            "/jobProfile/jobFamilyGroupId":
                groups[n % len(groups)]["/jobFamilyGroup/id"],
            "/jobProfile/code": f"J-{7760164138 + n}",
            "/jobProfile/title": role["/jobRole/name"],
            "/jobProfile/status": list(_STATUSES)[n % 3],
            "/jobProfile/description": None if n % 2 else "In short,\n“twice”",
            "/jobProfile/assignedEmployees": [e.id for e in people]}


def search_profiles(simulator, request):
    """POST /job-catalog/job-profiles/search: without a filter the call fails."""
    settings, company = simulator.settings, simulator.company
    search = Search(request.body, PROFILE)
    if not search.filters:
        raise ApiError(400, "missingFilter", "A filter is required")
    limit, cursor = body_page(search.body, usual=100, most=100)
    found = [each for each in (_profile(n, company) for n in range(150))
             if search.matches(each)]
    page, following = cut(from_list(found, cursor), limit, cursor, settings)
    entries = [search.show(each, company) for each in page]
    return json_response({"JobProfileEntries": arranged(entries, settings),
                          "response_metadata": {"next_cursor": following}},
                         settings=settings)
