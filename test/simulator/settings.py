"""Settings that a test can change at run time with POST /_sim/config.

Settings are immutable: a request uses the same settings until its end.
"""

import dataclasses
from datetime import date


@dataclasses.dataclass(frozen=True)
class Settings:
    # the company
    employees: int = 500
    today: date = dataclasses.field(default_factory=date.today)
    overrides: dict = dataclasses.field(default_factory=dict)
    # credentials, rate limits, compression
    user: str = "SERVICE-5772"
    token: str = "s3cret-canary-token"
    rate_limit: int = 50
    rate_window: float = 60.0
    rate_limits: dict = dataclasses.field(default_factory=dict)
    gzip: bool = False
    # permissions
    categories: list | None = None
    hidden_categories: list = ()
    hidden_fields: list = ()
    audience: str = "everyone"
    ungrouped: bool = False
    ip_blocked: bool = False
    # forms of responses
    forms: str = "both"
    human_slash: bool = False
    extra_fields: list = ()
    ascii: bool = False
    whitespace: bool = False
    envelope_extra: bool = False
    wrapped_single: bool = False
    wrapped_fields: bool = False
    lists_form: str = "object"
    list_keys: str = "both"
    profiles_form: str = "names"
    email_filter_ignores_case: bool = False
    # contents of the account
    modules_off: list = ()
    extra_custom_fields: int = 0
    shuffle_fields: bool = False
    table_columns: bool = False
    # tables and pages
    hidden_employees: list = ()
    refuse_unnamed: bool = False
    restricted_columns: dict = dataclasses.field(default_factory=dict)
    restricted_form: str = "absent"
    bulk_custom_tables: str = "on"
    bulk_human: bool = True
    group_order: str = "id"
    empty_groups: str = "none"
    creation_key: str = "creationDate"
    created_on_zone: str = "Z"
    items_form: str = "fields"
    bulk_form: str = "plain"
    cursor_key: str = "next_cursor"
    errors_key: str = "id"
    repeat_cursor: bool = False
    empty_pages: int = 0
    page_entries: int = 0
    entries_form: str = "flat"
    # reports
    report_polls: int = 2
    report_async_only: bool = False
    report_accepted: int = 202
    report_columns: dict = dataclasses.field(default_factory=dict)
    csv_delimiter: str = ","
    csv_bom: bool = True
    csv_newline: str = "crlf"


CHOICES = {
    "audience": ("everyone", "employed"),
    "forms": ("both", "nested", "slash"),
    "lists_form": ("object", "array"),
    "list_keys": ("both", "values", "items"),
    "profiles_form": ("names", "machine", "spec"),
    "bulk_form": ("plain", "wrapped"),
    "restricted_form": ("absent", "null", "null announced by the header alone"),
    "bulk_custom_tables": ("on", "404", "400"),
    "group_order": ("id", "values"),
    "empty_groups": ("none", "empty", "null"),
    "creation_key": ("creationDate", "CreationDate"),
    "created_on_zone": ("Z", "", "+02:00"),
    "items_form": ("fields", "values"),
    "cursor_key": ("next_cursor", "cursor"),
    "errors_key": ("id", "word"),
    "entries_form": ("flat", "nested"),
    "report_accepted": (200, 202),
    "csv_newline": ("crlf", "lf"),
}
RESTRICTIONS = {"no_view_permission", "no_view_history_permission"}
_NOT_NEGATIVE = {"employees", "page_entries", "empty_pages", "report_polls", "extra_custom_fields"}
_TYPES = {
    "int": int, "float": (int, float), "bool": bool, "str": str, "dict": dict,
    "list": (list, tuple), "list | None": (list, type(None)),
}


def changed(settings, changes):
    """The settings with some of them replaced; ValueError if a value is invalid."""
    types = {field.name: getattr(field.type, "__name__", field.type)
             for field in dataclasses.fields(Settings)}
    types["categories"] = "list | None"
    accepted = {}
    for key, value in changes.items():
        if key not in types:
            raise ValueError(f"unknown setting {key!r}; there are: "
                             + ", ".join(sorted(types)))
        accepted[key] = _checked(key, types[key], value)
    return dataclasses.replace(settings, **accepted)


def _checked(key, type_name, value):
    if key == "today":
        return date.fromisoformat(value)
    if key == "overrides":
        return {int(number): fields for number, fields in value.items()}
    if (not isinstance(value, _TYPES[type_name])
            or isinstance(value, bool) and type_name != "bool"):
        raise ValueError(f"setting {key!r} takes {type_name}, not {value!r}")
    if key in CHOICES and value not in CHOICES[key]:
        raise ValueError(f"setting {key!r} is one of {', '.join(map(str, CHOICES[key]))}")
    if key in _NOT_NEGATIVE and value < 0:
        raise ValueError(f"setting {key!r} is not negative")
    _check_parts(key, value)
    return value


def _check_parts(key, value):
    """Check the contents of a list or a dictionary; ValueError if invalid."""
    if key == "hidden_employees" and not all(type(each) is int for each in value):
        raise ValueError("setting 'hidden_employees' is a list of numbers")
    if key == "modules_off" and not all(
            isinstance(each, str) and each.startswith("/") for each in value):
        raise ValueError("setting 'modules_off' is a list of paths")
    if key == "restricted_columns" and not all(
            isinstance(kinds, dict) and set(kinds) <= RESTRICTIONS
            and all(isinstance(names, list) for names in kinds.values())
            for kinds in value.values()):
        raise ValueError("setting 'restricted_columns' is {table: {restriction: "
                         "[columns]}}")
    if key == "report_columns" and not all(isinstance(labels, list)
                                           for labels in value.values()):
        raise ValueError("setting 'report_columns' is {report: [labels]}")
    if key == "csv_delimiter" and len(value) != 1:
        raise ValueError("setting 'csv_delimiter' is one character")
