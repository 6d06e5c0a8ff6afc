"""What a test may change at run time through POST /_sim/config.

Settings are immutable: a request works with those it found, however they
change meanwhile.
"""

import dataclasses
from datetime import date


@dataclasses.dataclass(frozen=True)
class Settings:
    # the company
    employees: int = 500
    today: date = dataclasses.field(default_factory=date.today)
    overrides: dict = dataclasses.field(default_factory=dict)
    # who may ask, how often, how it travels
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
    # forms of answers
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


CHOICES = {
    "audience": ("everyone", "employed"),
    "forms": ("both", "nested", "slash"),
    "lists_form": ("object", "array"),
    "list_keys": ("both", "values", "items"),
    "profiles_form": ("names", "machine", "spec"),
}
_TYPES = {
    "int": int, "float": (int, float), "bool": bool, "str": str, "dict": dict,
    "list": (list, tuple), "list | None": (list, type(None)),
}


def changed(settings, changes):
    """The settings with some replaced; ValueError if a change is not valid."""
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
        raise ValueError(f"setting {key!r} is one of {', '.join(CHOICES[key])}")
    if key == "employees" and value < 0:
        raise ValueError("setting 'employees' is not negative")
    return value
