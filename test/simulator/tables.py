"""The employee tables: in bulk for all employees, and for one employee.

BULK and BY_EMPLOYEE list the tables with each call; a maker returns the rows of
an employee.
"""

import re

import benefits
import history
from human import plain_human
from messages import HTML, JSON, ApiError, Response, json_response, json_text
from metadata import LISTS
from paging import cut, position_of, query_limit
from permissions import sees

BULK = {
    "work": history.work, "employment": history.employment,
    "lifecycle": history.lifecycle, "salaries": history.salaries,
    "deduction": benefits.deduction, "entitlement": benefits.entitlement,
    "variable": benefits.variable, "dependents": benefits.dependents,
    "right-to-work": benefits.right_to_work, "equities": benefits.equities,
}
BY_EMPLOYEE = {
    "work": history.work, "employment": history.employment,
    "lifecycle": history.lifecycle, "salaries": history.salaries,
    "equities": benefits.equities, "variable": benefits.variable,
    "training": benefits.training, "bank-accounts": benefits.bank_accounts,
}
AS_TEXT = {"work": history.work_texts}      # makers of JSON, much faster
MAX_IDS = 200
BAD_REQUEST = b"<html><body><h1>Bad Request</h1></body></html>\n"

# The list of a column's ids.
_LISTED = {"title": "title", "department": "department",
           "status": "lifecycleStatus"}


# -- in bulk ---------------------------------------------------------------------

def reader_of_all(table):
    """The handler of GET /bulk/people/{table}."""
    make = BULK[table]

    def read(simulator, request):
        settings, company = simulator.settings, simulator.company
        limit = query_limit(request)
        cursor = request.query.get("cursor")
        named = _named(request)
        begin = position_of(cursor)
        if named is None:
            numbers, errors = range(max(1, begin[0]), company.size + 1), []
        else:
            numbers, errors = _known(named, settings, company)
        plain = _is_plain(table, settings)
        entries = _entries(AS_TEXT[table] if plain else make, numbers, begin,
                           settings, company)
        page, following = cut(entries, limit, cursor, settings)
        told = {"response_metadata": {settings.cursor_key: following},
                "errors": errors}
        if plain:
            text = f'{{"results":[{_groups_text(page)}],{json_text(told)[1:]}'
            return Response(200, text.encode(), JSON)
        return json_response({"results": _groups(page, table, settings), **told},
                             settings=settings)
    return read


def _is_plain(table, settings):
    """Whether rows can be sent as the text that the maker returned."""
    return (table in AS_TEXT and table not in settings.restricted_columns
            and settings.bulk_form == "plain"
            and not settings.ascii and not settings.whitespace)


def _named(request):
    """The query's employeeIds, or None."""
    text = request.query.get("employeeIds")
    if text is None:
        return None
    ids = text.split(",")
    if len(ids) > MAX_IDS:
        raise ApiError(400, "tooManyEmployeeIds",
                       f"At most {MAX_IDS} employees can be requested", len(ids))
    if not all(re.fullmatch(r"\d{1,20}", id) for id in ids):
        raise ApiError(400, "invalidEmployeeIds",
                       "employeeIds is a comma separated list of ids")
    return ids


def _known(ids, settings, company):
    """(the numbers of accessible employees, an error for each of the others)."""
    numbers, errors = set(), []
    for id in dict.fromkeys(ids):
        employee = company.by_id(id)
        if employee is not None and sees(settings, employee):
            numbers.add(employee.number)
        else:
            errors.append({id if settings.errors_key == "id" else "employeeId": {
                "error": "MISSING_PERMISSION",
                "message": "You don't have permission to access data for "
                           f"employees with ids: {id}"}})
    return sorted(numbers), errors


def _entries(make, numbers, begin, settings, company):
    """((number, index of the row), (employee, row)) from a position on."""
    for number in numbers:
        if number < begin[0]:
            continue
        employee = company.employee(number)
        if not sees(settings, employee):
            continue
        skip = begin[1] if number == begin[0] else 0
        for index, row in enumerate(make(employee)):
            if index >= skip:
                yield (number, index), (employee, row)


def _groups_text(page):
    groups = {}
    for employee, text in page:
        groups.setdefault(employee.id, []).append(text)
    return ",".join([f'{{"employeeId":"{id}","values":[{",".join(texts)}]}}'
                     for id, texts in groups.items()])


def _groups(page, table, settings):
    groups = {}
    without, told = _restrictions(table, settings)
    for employee, row in page:
        for name in without:
            row.pop(name, None)
        groups.setdefault(employee.id, []).append(row)
    if settings.bulk_form == "wrapped":
        return [{"employeeId": id, "values": [{"values": rows, **told}]}
                for id, rows in groups.items()]
    return [{"employeeId": id, "values": rows, **told}
            for id, rows in groups.items()]


def _restrictions(table, settings):
    """(the columns left out, the keys that list them)."""
    kinds = settings.restricted_columns.get(table)
    if not kinds:
        return (), {}
    told = {"no_view_permission": [], "no_view_history_permission": [], **kinds}
    return ({name for names in told.values() for name in names},
            {"restricted_columns": told})


# -- one by one --------------------------------------------------------------------

def reader_of_one(table):
    """The handler of GET /people/{id}/{table}."""
    make = BY_EMPLOYEE[table]

    def read(simulator, request):
        settings = simulator.settings
        employee = seen_employee(simulator, request.params["id"])
        without, told = _restrictions(table, settings)
        rows = make(employee)
        for row in rows:
            for name in without:
                row.pop(name, None)
            if request.flag("includeHumanReadable"):
                row["humanReadable"] = human_row(row, _human)
        return json_response({"values": rows, **told}, settings=settings)
    return refusing_content_type(read) if table == "bank-accounts" else read


def seen_employee(simulator, id):
    """The employee with an id; 404 if unknown or not accessible."""
    employee = simulator.company.by_id(id)
    if employee is None or not sees(simulator.settings, employee):
        raise ApiError(404)
    return employee


def refusing_content_type(handler):
    """These endpoints reject a GET with a Content-Type."""
    def read(simulator, request):
        if request.headers.get("Content-Type"):
            return Response(400, BAD_REQUEST, HTML)
        return handler(simulator, request)
    return read


def human_row(row, human):
    """The human form of the values of a row, without nulls and the id."""
    return {name: human(name, value) for name, value in row.items()
            if value is not None and name not in ("id", "change", "customColumns")}


def _human(name, value):
    if name in _LISTED:
        return LISTS[_LISTED[name]].names.get(value, str(value))
    if name == "changedBy":
        return str(value)
    return plain_human(value)
