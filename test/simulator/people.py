"""People and their metadata: search, single person, profiles, fields.

Handlers: functions of (simulator, request) that return a Response or raise
ApiError.
"""

import random

from messages import JSON, Response, json_response, json_text, login_page, stream
from metadata import LISTS, account_fields
from permissions import sees
from profiles import profile_maker
from render import Renderer
from search import Query, matching, wanted_fields
from special import ABSENT


def search_people(simulator, request):
    settings, company = simulator.settings, simulator.company
    query = Query(request.body)
    render = Renderer(wanted_fields(query, settings), query.human, settings, company)
    texts = map(render, matching(query, settings, company))
    return Response(200, _employees(texts, settings), JSON)


def read_person(simulator, request):
    settings, company = simulator.settings, simulator.company
    query = Query(request.body)
    identifier = request.params["identifier"]
    find = company.by_email if "@" in identifier else company.by_id
    employee = find(identifier)
    if employee is None or not sees(settings, employee):
        return Response(404)
    render = Renderer(wanted_fields(query, settings), query.human, settings, company)
    text = render(employee)
    if settings.wrapped_single:
        text = '{"employees":[' + text + "]}"
    return Response(200, text.encode(), JSON)


def read_profiles(simulator, request):
    settings, company = simulator.settings, simulator.company
    make = profile_maker(settings.profiles_form, company)
    texts = (json_text(_without_absent(make(employee)), settings)
             for employee in company.everyone()
             if employee.active and sees(settings, employee))
    return Response(200, _employees(texts, settings), JSON)


def read_fields(simulator, request):
    settings = simulator.settings
    fields = [field.as_json() for field in account_fields(settings)]
    if settings.shuffle_fields:
        count = simulator.recorder.stats()["requests"]
        random.Random(count).shuffle(fields)
    return json_response({"fields": fields} if settings.wrapped_fields else fields,
                         settings=settings)


def read_lists(simulator, request):
    settings = simulator.settings
    lists = {name: _list_json(each, request, settings)
             for name, each in LISTS.items()}
    as_array = settings.lists_form == "array"
    return json_response(list(lists.values()) if as_array else lists,
                         settings=settings)


def read_list(simulator, request):
    found = LISTS.get(request.params["name"])
    if found is None:
        return Response(404)
    return json_response(_list_json(found, request, simulator.settings),
                         settings=simulator.settings)


def removed(simulator, request):
    """GET /people, shut down in 2025."""
    return login_page()


def read_wizards(simulator, request):
    names = ("Standard onboarding", "Führungskräfte", "Remote – EU")
    return json_response({"wizards": [{"id": 81001 + n, "name": name}
                                      for n, name in enumerate(names)]},
                         settings=simulator.settings)


def _list_json(named_list, request, settings):
    keys = {"both": ("values", "items")}.get(settings.list_keys,
                                             (settings.list_keys,))
    return named_list.as_json(request.flag("includeArchived"), keys)


def _employees(texts, settings):
    """{"employees":[…]}, with keys around it if the settings say so."""
    if settings.envelope_extra:
        return stream(texts,
                      '{"metadata":{"employees":[{"id":"decoy"}]},"employees":[',
                      '],"response_metadata":{"next_cursor":null}}')
    return stream(texts, '{"employees":[', "]}")


def _without_absent(value):
    if isinstance(value, dict):
        return {key: _without_absent(part) for key, part in value.items()
                if part is not ABSENT}
    return value
