"""Objects by slash ids: the body of a search for them, and their JSON.

A Kind is a set of fields {slash id: type}; an object is {slash id: value}.
"""

from human import plain_human
from messages import ApiError
from metadata import LISTS
from search import json_object

MAX_FIELDS = 50
_OPERATORS = ("equals", "notEqual")


class Kind:
    """Fields with types, and the fields that filters may use.

    A type is a name, a dictionary of human forms, or a function to human forms.
    """

    def __init__(self, fields, filterable):
        self.fields = fields
        self.filterable = filterable


class Search:
    """A checked search body."""

    def __init__(self, text, kind):
        self.kind = kind
        self.body = json_object(text)
        self.fields = self._fields(self.body.get("fields"))
        if "filters" not in self.body:
            raise ApiError(400, "missingFilters", "Missing required field: filters")
        self.filters = self._filters(self.body["filters"])
        self.human = self.body.get("includeHumanReadable") is True

    def _fields(self, ids):
        if (not isinstance(ids, list) or not 1 <= len(ids) <= MAX_FIELDS
                or not all(isinstance(id, str) for id in ids)):
            raise ApiError(400, "invalidFields",
                           f"fields is a list of 1 to {MAX_FIELDS} field ids")
        for id in ids:
            if id not in self.kind.fields:
                raise ApiError(400, "unknownField", f"Unknown field ID: {id}", id)
        return list(dict.fromkeys(ids))

    def _filters(self, filters):
        if not isinstance(filters, list):
            raise ApiError(400, "invalidFilters", "filters is not a list")
        return [self._filter(each) for each in filters]

    def _filter(self, each):
        """(field, whether it must have one of the values, values as texts)."""
        known = self.kind.filterable
        if not isinstance(each, dict) or each.get("fieldId") not in known:
            raise ApiError(400, "invalidFilterField", "The field cannot be filtered by")
        if each.get("operator") not in _OPERATORS:
            raise ApiError(400, "invalidFilterOperator",
                           "The operators are equals and notEqual")
        values = each.get("values")
        if not isinstance(values, list) or not values:
            raise ApiError(400, "invalidFilterValues",
                           "Missing required field: values")
        return (each["fieldId"], each["operator"] == "equals",
                {_as_text(value) for value in values})

    def matches(self, found):
        """Whether an object passes the filters."""
        return all((_as_text(found[field]) in values) == wanted
                   for field, wanted, values in self.filters)

    def show(self, found, company):
        """The requested fields of an object."""
        shown = {id: found[id] for id in self.fields if id in found}
        return as_entry(shown, self.kind.fields if self.human else None, company)


def _as_text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def as_entry(found, types, company):
    """{slash id: {"value", "humanReadable"}}; no human form without types."""
    return {id: {"value": value} if types is None or value is None
            else {"value": value,
                  "humanReadable": _human(types[id], value, company)}
            for id, value in found.items()}


def _human(type, value, company):
    if isinstance(type, dict):
        return type.get(value, str(value))
    if callable(type):
        return type(value)
    if type == "employee":
        person = company.by_id(value)
        return person.full_name if person else value
    if type == "employees":
        return [_human("employee", id, company) for id in value]
    if type in LISTS:
        return LISTS[type].names.get(value, str(value))
    return plain_human(value)
