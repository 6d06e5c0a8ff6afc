"""Actual payments: a search by employee and by date, in pages."""

import re
from datetime import date

from draws import draw, salt
from history import entry
from messages import ApiError, json_response
from paging import body_page, cut, position_of
from permissions import sees
from search import json_object
from values import money

MAX_IDS = 200
_KINDS = ("Bonus", "Executive bonus", "Commission")
_OPERATORS = {"greaterThanOrEquals": "__ge__", "lessThanOrEquals": "__le__"}
_COUNT, _KIND, _AMOUNT = map(salt, ("paid", "paid kind", "paid amount"))


def search_payments(simulator, request):
    settings, company = simulator.settings, simulator.company
    body = json_object(request.body)
    ids, bounds = _conditions(body.get("filters"))
    limit, cursor = body_page(body, usual=50, most=200, needs_limit=True)
    found = filter(None, map(company.by_id, dict.fromkeys(ids)))
    people = sorted((e for e in found if sees(settings, e)), key=lambda e: e.number)
    entries = _entries(people, bounds, position_of(cursor))
    page, following = cut(entries, limit, cursor, settings)
    return json_response({"results": page,
                          "response_metadata": {"next_cursor": following}},
                         settings=settings)


def _conditions(filters):
    """(employee ids, [(comparison, date)])."""
    if not isinstance(filters, list) or not filters:
        raise ApiError(400, "invalidFilters", "Missing required field: filters")
    ids, bounds = None, []
    for each in filters:
        path = each.get("fieldPath") if isinstance(each, dict) else None
        if path == "employeeId" and ids is None:
            ids = _ids(each)
        elif path == "payDate":
            bounds.append(_bound(each))
        else:
            raise ApiError(400, "invalidFilterField", "Only employeeId, once, and "
                           "payDate can be filtered by")
    if ids is None:
        raise ApiError(400, "missingFilter", "A filter by employeeId is required")
    return ids, bounds


def _ids(condition):
    values = condition.get("values")
    if condition.get("operator") != "equals":
        raise ApiError(400, "invalidFilterOperator", "employeeId takes equals")
    if (not isinstance(values, list) or not values
            or not all(isinstance(value, str) for value in values)):
        raise ApiError(400, "invalidFilterValues", "Missing required field: values")
    if len(values) > MAX_IDS:
        raise ApiError(400, "tooManyValues",
                       f"At most {MAX_IDS} employees can be requested", len(values))
    return values


def _bound(condition):
    operator, value = condition.get("operator"), condition.get("value")
    if operator not in _OPERATORS:
        raise ApiError(400, "invalidFilterOperator", "payDate takes "
                       "greaterThanOrEquals or lessThanOrEquals")
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            raise ValueError
        date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ApiError(400, "invalidFilterValue", "value is not a date") from None
    return _OPERATORS[operator], value


def _entries(people, bounds, begin):
    for employee in people:
        if employee.number < begin[0]:
            continue
        skip = begin[1] if employee.number == begin[0] else 0
        for index, row in enumerate(payments(employee)):
            if index >= skip and all(getattr(row["payDate"], compare)(day)
                                     for compare, day in bounds):
                yield (employee.number, index), row


def payments(e):
    """Up to eight payments, one per quarter, the newest last."""
    end = min(0, e.termination_day or 0)
    days = [end - 20 - 91 * n for n in range(draw(e.number, _COUNT, 9))]
    return [_payment(e, n, day) for n, day in enumerate(reversed(days))
            if day > e.start_day]


def _payment(e, n, day):
    kind = _KINDS[draw(e.number, _KIND + n, 3)]
    amount = money(lambda e: draw(e.number, _AMOUNT + n, 1000000) / 100)(e)
    return {"employeeId": e.id, "id": 5000000 + 10 * e.number + n,
            "payDate": e.day(day), "payType": kind, "amount": amount,
            "change": entry(e, day)["change"], "customColumns": {}}
