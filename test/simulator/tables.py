"""The employee tables: in bulk for all employees, and for one employee.

BULK and BY_EMPLOYEE list the tables with each call; a maker returns the rows of
an employee.
"""

import re

import benefits
import history
from human import plain_human
from messages import HTML, JSON, ApiError, Response, json_response, json_text
from metadata import LISTS, TABLE_COLUMNS
from paging import cut, position_of, query_limit
from permissions import sees

BULK = {
    "work": history.work, "employment": history.employment,
    "lifecycle": history.lifecycle, "salaries": history.salaries,
    "deduction": benefits.deduction, "entitlement": benefits.entitlement,
    "variable": benefits.variable, "dependents": benefits.dependents,
    "right-to-work": benefits.right_to_work, "equities": benefits.equities,
    "address": history.addresses,
}
IGNORES_IDS = {"address"}
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
        plain = _is_plain(table, simulator.settings)
        return read_all(simulator, request, table, AS_TEXT[table] if plain
                        else _varied(make, table, simulator.settings), plain)
    return read


def _varied(make, table, settings):
    """`make`, with the creation date's key and custom columns as the settings say."""
    columns = [(id.rpartition(".")[2], type) for of, id, _, _, type in TABLE_COLUMNS
               if of == table and settings.table_columns]
    renamed = table == "employment" and settings.creation_key != "creationDate"
    if not columns and not renamed:
        return make

    def made(e):
        rows = make(e)
        for row in rows:
            row["customColumns"] |= {column: _VALUES[type](row)
                                     for column, type in columns}
            if renamed:
                del row["creationDate"]
                row[settings.creation_key] = row["effectiveDate"]
        return rows
    return made


_VALUES = {"text": lambda row: f"Shift {row['id'] % 3}",
           "date": lambda row: row["effectiveDate"],
           "number": lambda row: row["id"] % 100 / 4}


def read_all(simulator, request, table, make, plain=False):
    """A page of the rows that `make` gives for employees, in groups by employee."""
    settings, company = simulator.settings, simulator.company
    limit = query_limit(request)
    cursor = request.query.get("cursor")
    named = None if table in IGNORES_IDS else _named(request)
    begin = position_of(cursor)
    if named is None:
        numbers = range(max(1, begin[0]), company.size + 1)
        errors = _unnamed(settings, company)
    else:
        numbers, errors = _known(named, settings, company)
    entries = _entries(make, numbers, begin, settings, company)
    page, following = cut(entries, limit, cursor, settings)
    extra = {"response_metadata": {settings.cursor_key: following},
            "errors": errors}
    if plain:
        text = f'{{"results":[{_groups_text(page)}],{json_text(extra)[1:]}'
        return Response(200, text.encode(), JSON)
    groups = _groups(page, table, settings)
    if not cursor:
        groups = _empty_groups(make, numbers, settings, company) + groups
    return with_header(json_response({"results": groups, **extra}, settings=settings),
                       table, settings)


def with_header(response, table, settings):
    """The response, with the header for restricted columns if there are any."""
    if (settings.restricted_columns.get(table)
            and settings.restricted_form != "absent"):
        response.headers["X-Has-Restricted-Columns"] = "true"
    return response


def _is_plain(table, settings):
    """Whether rows can be sent as the text that the maker returned."""
    return (table in AS_TEXT and table not in settings.restricted_columns
            and settings.bulk_form == "plain" and settings.group_order == "id"
            and settings.empty_groups == "none"
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


def _unnamed(settings, company):
    """Errors for inaccessible employees that the request does not name."""
    if not settings.refuse_unnamed:
        return []
    return _known([company.employee(number).id
                   for number in settings.hidden_employees], settings, company)[1]


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
    extra = restrictions(table, settings)
    for employee, row in page:
        groups.setdefault(employee.id, []).append(restrict(row, table, settings))
    if settings.bulk_form == "wrapped":
        made = [{"employeeId": id, "values": [{"values": rows, **extra}]}
                for id, rows in groups.items()]
    else:
        made = [{"employeeId": id, "values": rows, **extra}
                for id, rows in groups.items()]
    if settings.group_order == "values":
        made = [dict(reversed(group.items())) for group in made]
    return made


def _empty_groups(make, numbers, settings, company):
    """Groups of some employees who have no row."""
    if settings.empty_groups == "none":
        return []
    values = [] if settings.empty_groups == "empty" else None
    found = (company.employee(number) for number in numbers)
    return [{"employeeId": e.id, "values": values} for e in found
            if sees(settings, e) and not make(e)][:20]


def restrictions(table, settings):
    """The metadata beside rows about columns that are not visible."""
    kinds = settings.restricted_columns.get(table)
    if not kinds or settings.restricted_form == "null announced by the header alone":
        return {}
    return {"restricted_columns": {"no_view_permission": [],
                                   "no_view_history_permission": [], **kinds}}


def restrict(row, table, settings):
    """A row without those columns, or with null in their place."""
    for names in settings.restricted_columns.get(table, {}).values():
        for name in names:
            if settings.restricted_form == "absent":
                row.pop(name, None)
            elif name in row:
                row[name] = None
    return row


# -- one by one --------------------------------------------------------------------

def reader_of_one(table):
    """The handler of GET /people/{id}/{table}."""
    make = BY_EMPLOYEE[table]

    def read(simulator, request):
        settings = simulator.settings
        employee = seen_employee(simulator, request.params["id"])
        rows = [restrict(row, table, settings) for row in make(employee)]
        for row in rows:
            if request.flag("includeHumanReadable"):
                row["humanReadable"] = human_row(row, _human)
        return with_header(json_response({"values": rows,
                                          **restrictions(table, settings)},
                                         settings=settings), table, settings)
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
