"""The body of a people search: its syntax, and the people that it finds."""

import json

from messages import ApiError
from metadata import default_fields, find_field
from permissions import field_readable, sees

MAX_FIELDS = 400
FILTER_PATHS = ("root.id", "root.email")


class Query:
    """A checked search body."""

    def __init__(self, body):
        body = json_object(body)
        self.fields = _field_ids(body.get("fields"))
        self.filter = _filter(body["filters"]) if "filters" in body else None
        self.show_inactive = body.get("showInactive") is True
        human = body.get("humanReadable")
        self.human = human if human in ("APPEND", "REPLACE") else ""


def json_object(text):
    """The object in the body of a request."""
    try:
        body = json.loads(text)
    except ValueError:
        raise ApiError(400, "invalidJson", "Invalid JSON in request body")
    if not isinstance(body, dict):
        raise ApiError(400, "invalidJson", "The request body is not an object")
    return body


def _field_ids(ids):
    if ids is None:
        return []
    if not isinstance(ids, list) or not all(isinstance(id, str) for id in ids):
        raise ApiError(400, "invalidFields", "fields is not a list of field ids")
    if len(ids) > MAX_FIELDS:
        raise ApiError(400, "tooManyFields",
                       f"At most {MAX_FIELDS} fields can be requested", len(ids))
    return list(dict.fromkeys(ids))


def _filter(filters):
    """(path, values) of the single filter that a search may have."""
    if not isinstance(filters, list) or len(filters) != 1:
        raise ApiError(400, "invalidFilters", "Exactly one filter is supported")
    only = filters[0]
    if not isinstance(only, dict) or only.get("fieldPath") not in FILTER_PATHS:
        raise ApiError(400, "invalidFilterField",
                       "Only root.id and root.email can be filtered by")
    if only.get("operator") != "equals":
        raise ApiError(400, "invalidFilterOperator",
                       "Only the operator equals is supported")
    values = only.get("values")
    if (not isinstance(values, list) or not values
            or not all(isinstance(value, str) for value in values)):
        raise ApiError(400, "invalidFilterValues",
                       "Missing required field: values")
    return only["fieldPath"], values


def wanted_fields(query, settings):
    """The fields of the response: those that are requested and readable."""
    if query.fields:
        fields = [find_field(id, settings) for id in query.fields]
    else:
        fields = default_fields()
    fields += [find_field(id, settings) for id in settings.extra_fields]
    return [field for field in dict.fromkeys(fields)
            if field is not None and field_readable(settings, field)]


def matching(query, settings, company):
    """The employees that a query finds, in the company's order."""
    people = company.everyone() if query.filter is None else _filtered(
        query.filter, settings, company)
    for employee in people:
        if sees(settings, employee) and (query.show_inactive or employee.active):
            yield employee


def _filtered(condition, settings, company):
    path, values = condition
    if path == "root.id":
        found = map(company.by_id, values)
    else:
        ignore_case = settings.email_filter_ignores_case
        found = (employee for value in values
                 for employee in company.all_by_email(value, ignore_case))
    numbers = {employee.number for employee in found if employee}
    return map(company.employee, sorted(numbers))
