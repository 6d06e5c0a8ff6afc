"""The job catalog: roles, families, groups of families."""

from lists import ORGANISATION
from messages import json_response
from metadata import LISTS
from objects import as_entry
from paging import arranged, cut, from_list, query_limit

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
