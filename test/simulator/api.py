"""HiBob's endpoints: what each answers.

ENDPOINTS is the whole interface.  One more endpoint is one more line there and
a handler: a function of (simulator, request) that returns a Response or raises
ApiError.  `{name}` in a path matches one segment and becomes
request.params["name"].
"""

import base64
import binascii
import re
from dataclasses import dataclass
from itertools import islice

from messages import (JSON, ApiError, Response, json_response, json_text,
                      login_page)
from metadata import FIELDS, LISTS
from permissions import sees
from profiles import profile_maker
from render import Renderer
from search import Query, matching, wanted_fields
from special import ABSENT

BASE_PATH = "/v1"
BLOCK = 65536


# -- handlers ------------------------------------------------------------------

def search_people(simulator, request):
    settings, company = simulator.settings, simulator.company
    query = Query(request.body)
    render = Renderer(wanted_fields(query, settings), query.human, settings, company)
    texts = map(render, matching(query, settings, company))
    return Response(200, _blocks(texts, settings), JSON)


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
    return Response(200, _blocks(texts, settings), JSON)


def read_fields(simulator, request):
    fields = [field.as_json() for field in FIELDS.values()]
    wrapped = simulator.settings.wrapped_fields
    return json_response({"fields": fields} if wrapped else fields,
                         settings=simulator.settings)


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


def _list_json(named_list, request, settings):
    keys = {"both": ("values", "items")}.get(settings.list_keys,
                                             (settings.list_keys,))
    return named_list.as_json(request.flag("includeArchived"), keys)


def _blocks(texts, settings):
    """{"employees":[…]} in blocks of about 64 kB."""
    before, after = '{"employees":[', "]}"
    if settings.envelope_extra:
        before = '{"metadata":{"employees":[{"id":"decoy"}]},"employees":['
        after = '],"response_metadata":{"next_cursor":null}}'
    first = next(texts, None)
    if first is None:
        yield (before + after).encode()
        return
    block = before + first
    many = max(1, BLOCK // len(first))
    while batch := list(islice(texts, many)):
        yield block.encode()
        block = "," + ",".join(batch)
    yield (block + after).encode()


def _without_absent(value):
    if isinstance(value, dict):
        return {key: _without_absent(part) for key, part in value.items()
                if part is not ABSENT}
    return value


# -- the table -----------------------------------------------------------------

@dataclass(frozen=True)
class Endpoint:
    method: str
    path: str
    handler: object
    people: bool = False        # needs a permission group

    def match(self, method, path):
        """The path's parameters if this endpoint is meant, else None."""
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path)
        found = re.fullmatch(pattern, path) if method == self.method else None
        return found and found.groupdict()


ENDPOINTS = (
    Endpoint("POST", "/people/search", search_people, people=True),
    Endpoint("POST", "/people/{identifier}", read_person, people=True),
    Endpoint("GET", "/people", removed),
    Endpoint("GET", "/profiles", read_profiles, people=True),
    Endpoint("GET", "/company/people/fields", read_fields),
    Endpoint("GET", "/company/named-lists", read_lists),
    Endpoint("GET", "/company/named-lists/{name}", read_list),
)
# Below these, an unknown path is the login page rather than a 404.
KNOWN_PREFIXES = ("/people/", "/company/", "/profiles/")


def find_endpoint(request):
    """The endpoint that a request is for, or None; names it in the request."""
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


# -- what every request goes through ----------------------------------------------

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
    headers, exceeded = simulator.limiter.take(settings, request.endpoint, user)
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


def _handle(simulator, request, endpoint):
    if endpoint is not None:
        return endpoint.handler(simulator, request)
    if request.endpoint.startswith(KNOWN_PREFIXES):
        return login_page()
    return Response(404)
