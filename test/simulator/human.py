"""The human-readable form of a value: names for ids, the user's date format.

`humaniser(field, company)` gives a function from the machine value (never
null) to text.
"""

import re

from metadata import LISTS

_DATE = re.compile(r"\d{4}-\d\d-\d\d")

SYMBOLS = {"USD": "$", "GBP": "£", "EUR": "€", "ILS": "₪", "JPY": "¥"}


def _date(value):
    return f"{value[8:10]}/{value[5:7]}/{value[:4]}"


def _short_date(value):
    return f"{value[3:5]}/{value[:2]}"


def _currency(value):
    symbol = SYMBOLS.get(value["currency"], value["currency"] + " ")
    return f"{symbol}{value['value']:,.2f}"


def _duration(value):
    return f"{value['length']} {value['unit']}"


def _pattern(value):
    hours = sum(value["days"].values())
    return f"{hours:g} hours a week"


def _item(field, company):
    names = LISTS[field.list_id].names
    return lambda value: names.get(value, str(value))


def _items(field, company):
    names = LISTS[field.list_id].names
    return lambda value: ",".join(names.get(id, id) for id in value)


def _reference(field, company):
    if field.id == "root.id":
        return str

    def name(id):
        person = company.by_id(id)
        return person.full_name if person else id
    return name


_SIMPLE = {
    "date": _date,
    "short-date": _short_date,
    "boolean": lambda value: "Yes" if value else "No",
    "currency": _currency,
    "period": lambda value: value["humanize"],
    "employee": lambda value: value["displayName"],
    "duration_with_unit": _duration,
    "working_pattern": _pattern,
}
_BY_FIELD = {"list": _item, "list_id": _item, "hierarchy-list": _item,
             "multi-list": _items, "employee-reference": _reference}


def plain_human(value):
    """The human form of a value without a known type."""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, dict):
        return _human_object(value)
    if isinstance(value, str) and _DATE.fullmatch(value):
        return _date(value)
    return str(value)


def _human_object(value):
    if "currency" in value:
        return _currency(value)
    if "displayName" in value:
        return value["displayName"]
    return _pattern(value) if "days" in value else str(value["workingPatternType"])


def humaniser(field, company):
    """The function that gives the human form of a field's machine value."""
    if field.type in _BY_FIELD:
        convert = _BY_FIELD[field.type](field, company)
    else:
        convert = _SIMPLE.get(field.type, str)

    def human(value):
        try:
            return convert(value)
        except (TypeError, KeyError, AttributeError, ValueError):
            return str(value)       # a test replaced the value by another type
    return human
