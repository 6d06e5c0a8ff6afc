"""Positions, their openings and their budgets.

Position n is that of employee n; another one in ten is vacant.  A position that
is to be filled has one or two openings, and most positions have a budget.
"""

from draws import draw, salt
from lists import SITES
from messages import json_response, stream_json
from objects import Kind, Search
from paging import arranged, body_page, cut, position_of
from permissions import sees
from values import CURRENCIES, DEPARTMENT_IDS, SITE_IDS

_STATUS, _DAY, _COST, _TYPE = map(salt, (
    "position status", "position day", "position cost", "position type"))
ID_BASE, BUDGET_BASE = 250000, 880000
LISTED = ("department", "site")

_STATUSES = {"vacant": "Vacant", "starting": "Filled soon", "filled": "Filled",
             "departing": "Vacant soon", "cancelled": "Cancelled"}
_RECRUITMENT = {"open": "Open", "onHold": "On hold", "closed": "Closed"}
_TYPES = {"256179722": "R&D", "256179723": "Backfill"}
_PROFILES = {128822: "Sales person  Level 1", 128823: "Engineer  Level 2"}



def _position_name(id):
    return f"Level 1 P-{int(id) - ID_BASE:05}B · London (Demo)"


POSITION = Kind({
    "/position/id": "number", "/position/name": "text",
    "/position/status": _STATUSES, "/position/fte": "number",
    "/position/effectiveDate": "date", "/position/endEffectiveDate": "date",
    "/position/employmentType": "text", "/position/actualStartDate": "date",
    "/position/reason": "text", "/position/positionType": _TYPES,
    "/position/filledBy": "employee", "/position/job": _PROFILES,
    "/position/jobProfile": _PROFILES, "/position/recruitmentStatus": _RECRUITMENT,
    "/position/department": "department", "/position/site": "site",
    "/position/expectedStartDate": "date",
    "/position/managerPositionId": _position_name,
    "/position/managerPositionFilledBy": _position_name,
    "/position/hasOpenRequests": "boolean", "/position/modificationDate": "date",
    "/position/calculatedRecruitmentStatus": _RECRUITMENT,
    "/position/calculatedExpectedStartDate": "date",
    "/position/calculatedActualStartDate": "date", "/position/budget": "number",
}, ("/position/status", "/position/name", "/position/hasOpenRequests",
    "/position/id", "position/id"))

OPENING = Kind({
    "/positionOpening/positionOpeningName": "text",
    "/positionOpening/positionId": _position_name,
    "/positionOpening/status": _STATUSES,
    "/positionOpening/recruitmentStatus": _RECRUITMENT,
    "/positionOpening/expectedStartDate": "date",
    "/positionOpening/actualStartDate": "date",
    "/positionOpening/filledBy": "employee",
    "/positionOpening/updateEffectiveDate": "date",
}, ("/positionOpening/status", "/positionOpening/positionOpeningName"))

_MONEY = ("expectedBaseSalary", "expectedVariablePay", "totalPositionCost",
          "convertedTotalCost", "proRatedCost")
BUDGET = Kind({
    "/positionBudget/id": "number",
    **{f"/positionBudget/{name}CurrencyValue": "currency" for name in _MONEY},
    "/positionBudget/salaryPayPeriod": "text",
    "/positionBudget/variablePayPeriod": "text",
    "/positionBudget/Currency": "text",
    "/positionBudget/updateEffectiveDate": "date",
}, ("/positionBudget/id",))


# -- the positions ------------------------------------------------------------------

def _count(company):
    return company.size + company.size // 10


def _holder(number, company, settings):
    """(the employee with the number or None, whether they are accessible)."""
    if number > company.size:
        return None, False
    e = company.employee(number)
    return e, sees(settings, e)


def position(number, company, settings):
    e, seen = _holder(number, company, settings)
    status = "vacant"
    if e is not None:
        status = {"terminated": "vacant", "hired": "starting"}.get(
            e.lifecycle, "departing" if e.termination_day is not None else "filled")
    elif draw(number, _STATUS, 6) == 0:
        status = "cancelled"
    person = e if status not in ("vacant", "cancelled") and seen else None
    manager = (number - 2) // company.span + 1 if number > 1 else None
    recruiting = ("open", "onHold", "closed")[draw(number, _STATUS, 3)]
    start = e.start_day if e else 10 + draw(number, _DAY, 200)
    any_one = e or company.known(1)
    day = any_one.day
    profile = 128822 + draw(number, _TYPE, 2)
    found = {
        "id": ID_BASE + number, "name": f"P-{number:05}B", "status": status,
        "fte": 100 if draw(number, _COST, 4) else 62.5,
        "effectiveDate": day(start - 60), "endEffectiveDate": None,
        "employmentType": ("Permanent", "Temporary")[draw(number, _TYPE, 8) == 0],
        "actualStartDate": day(start) if person else None,
        "reason": None if number % 3 else "Growth, planned",
        "positionType": list(_TYPES)[draw(number, _TYPE, 2)],
        "filledBy": person and person.id, "job": profile, "jobProfile": profile,
        "recruitmentStatus": recruiting,
        "department": DEPARTMENT_IDS[e.department if e
                                     else number % len(DEPARTMENT_IDS)],
        "site": SITE_IDS[e.site if e else number % len(SITES)],
        "expectedStartDate": day(start), "managerPositionId":
            manager and ID_BASE + manager,
        "managerPositionFilledBy": manager and ID_BASE + manager,
        "hasOpenRequests": draw(number, _STATUS, 9) == 0,
        "modificationDate": day(-1 - draw(number, _DAY, 300)),
        "calculatedRecruitmentStatus": recruiting,
        "calculatedExpectedStartDate": day(start),
        "calculatedActualStartDate": day(start) if person else None}
    if _has_budget(number):
        found["budget"] = BUDGET_BASE + number
    return {"/position/" + name: value for name, value in found.items()}


def _has_budget(number):
    return draw(number, _COST, 3) > 0


def openings(number, company, settings):
    whole = position(number, company, settings)
    if whole["/position/status"] == "filled" and number % 7:
        return
    for n in range(1 + (number % 5 == 0)):
        status = whole["/position/status"]
        yield {"/positionOpening/" + name: value for name, value in {
            "positionOpeningName": f"O-{number:05}{'BC'[n]}",
            "positionId": str(ID_BASE + number),
            "status": "vacant" if status == "cancelled" or n else status,
            "recruitmentStatus": whole["/position/recruitmentStatus"],
            "expectedStartDate": whole["/position/expectedStartDate"],
            "actualStartDate": None if n else whole["/position/actualStartDate"],
            "filledBy": None if n else whole["/position/filledBy"],
            "updateEffectiveDate": whole["/position/modificationDate"]}.items()}


def budgets(number, company, settings):
    if not _has_budget(number):
        return
    base = 30000 + 500 * draw(number, _COST, 200)
    currency = CURRENCIES[number % len(CURRENCIES)]
    amounts = (base, base // 10, round(base * 1.1, 2), round(base * 1.234, 2), base / 2)
    yield {"/positionBudget/" + name: value for name, value in {
        "id": BUDGET_BASE + number,
        **{f"{name}CurrencyValue": {"value": amount, "currency": currency}
           for name, amount in zip(_MONEY, amounts)},
        "salaryPayPeriod": "Annual", "variablePayPeriod": "Quarterly",
        "Currency": currency, "updateEffectiveDate": company.known(1).day(
            -draw(number, _DAY, 400))}.items()}


# -- handlers -----------------------------------------------------------------------

def search_positions(simulator, request):
    settings, company = simulator.settings, simulator.company
    search = Search(request.body, POSITION)
    found = (position(number, company, settings)
             for number in range(1, _count(company) + 1))
    return stream_json((search.show(each, company) for each in found
                        if search.matches(_with_misprint(each))), None, settings)


def _with_misprint(found):
    """The specification also allows the id without the slash in a filter."""
    return {**found, "position/id": found["/position/id"]}


def search_openings(simulator, request):
    return _entries(simulator, request, OPENING, openings, "positionOpeningEntries")


def search_budgets(simulator, request):
    return _entries(simulator, request, BUDGET, budgets, "positionBudgetEntries")


def _entries(simulator, request, kind, make, key):
    settings, company = simulator.settings, simulator.company
    search = Search(request.body, kind)
    limit, cursor = body_page(search.body, usual=100, most=100)
    begin = position_of(cursor)
    found = (((number, n), each)
             for number in range(max(1, begin[0]), _count(company) + 1)
             for n, each in enumerate(make(number, company, settings))
             if (number, n) >= begin and search.matches(each))
    page, following = cut(found, limit, cursor, settings)
    entries = [search.show(each, company) for each in page]
    return json_response({key: arranged(entries, settings),
                          "response_metadata": {"next_cursor": following}},
                         settings=settings)


def read_fields(simulator, request):
    """The metadata of positions."""
    return json_response([_field(id, type) for id, type in POSITION.fields.items()],
                         settings=simulator.settings)


def _type_name(type):
    if callable(type):
        return "number"
    return "list" if isinstance(type, dict) or type in LISTED else type


def _field(id, type):
    name = id.removeprefix("/position/")
    listed = type in LISTED
    return {"id": id, "name": name, "description": None,
            "fieldType": {"type": _type_name(type),
                          "typeData": {"listId": type} if listed else {}},
            "jsonPath": {"root": id, "rawData": f"{id}/value"}}
