"""The account's fields: built-in and custom fields.

`fields.tsv` is the list of built-in fields; CUSTOM are those of this company.  A
field has an id, a position in the JSON, a type and a list.
"""

import csv
import functools
import pathlib

from lists import named_lists

EQUIPMENT = "custom.category_1726078147147"

# id, category, name, type, list
CUSTOM = (
    ("work.custom.field_1667499206086", "work", "Cost centre", "list",
     "field_1667499206086"),
    ("work.custom.field_1700000000001", "work", "T-Shirt size", "text", ""),
    ("work.custom.field_1700000000002", "work", "Languages", "multi-list",
     "field_1700000000002"),
    ("work.custom.field_1700000000003", "work", "Remote worker", "boolean", ""),
    ("work.custom.field_1700000000004", "work", "Desk number", "number", ""),
    ("work.custom.field_1700000000005", "work", "Mentor", "employee-reference",
     ""),
    ("work.custom.field_1700000000006", "work", "社員区分", "text", ""),
    ("work.custom.field_1700000000007", "work", "Department", "text", ""),
    ("work.custom.field_1700000000008", "work", "Business unit",
     "hierarchy-list", "field_1700000000008"),
    # A field that is moved keeps its id: this one is in Lifecycle now.
    ("work.custom.field_1700000000009", "lifecycle", "Exit interview",
     "text-area", ""),
    ("work.customColumns.column_1655996461265", "work", "Team", "text", ""),
    ("identification.custom.Payroll Integration ID_1RNhIIf", "identification",
     "Payroll Integration ID", "text", ""),
    (EQUIPMENT + ".field_1730210998067", EQUIPMENT, "Laptop serial", "text", ""),
    (EQUIPMENT + ".field_1730210998068", EQUIPMENT, "Laptop price", "currency",
     ""),
    (EQUIPMENT + ".field_1730210998069", EQUIPMENT, "Laptop handed out", "date",
     ""),
    # Names that are unsuitable as column names, and rare types.
    ("work.custom.field_1700000000010", "work", "★★★", "text", ""),
    ("work.custom.field_1700000000011", "work", "Email", "text", ""),
    (EQUIPMENT + ".field_1700000000012", EQUIPMENT, "Cost centre", "text", ""),
    ("work.custom.field_1700000000013", "work",
     "従業員の緊急連絡先として登録された親族の氏名と続柄に関する補足説明", "text", ""),
    ("work.custom.field_1700000000014", "work", "Time in role", "period", ""),
    ("work.custom.field_1700000000015", "work", "Deputy", "employee-reference",
     ""),
    ("work.custom.field_1700000000016", "work", "Name day", "short-date", ""),
    ("work.custom.field_1700000000017", "work", "Badge last seen", "time", ""),
    ("work.custom.field_1700000000018", "work", "Salary (gross) / month",
     "currency", ""),
    ("work.custom.field_1700000000019", "work", "T-Shirt  size ", "text", ""),
    ("work.custom.field_1700000000020", "work", " t-shirt / size", "text", ""),
)

# With the setting extra_custom_fields; a number follows.
EXTRA = "work.custom.field_18000000"

DEFAULT_CATEGORIES = {"root", "about", "work"}


class Field:
    """One field of the account."""

    def __init__(self, id, category_id, category_name, name, type, list_id,
                 historical, json_path, custom=False):
        self.id = id
        self.category_id = category_id
        self.category_name = category_name
        self.name = name
        self.type = type
        self.list_id = list_id
        self.historical = historical
        self.json_path = json_path
        self.slash_key = "/" + id.replace(".", "/")
        self.default = (not custom and category_id in DEFAULT_CATEGORIES
                        and id != "employee.orgLevel")

    def as_json(self):
        return {"id": self.id, "categoryId": self.category_id,
                "categoryDisplayName": self.category_name,
                "category": self.category_id, "name": self.name,
                "description": None, "jsonPath": self.json_path,
                "type": self.type,
                "typeData": {"listId": self.list_id} if self.list_id else {},
                "historical": self.historical}


def _built_in():
    path = pathlib.Path(__file__).with_name("fields.tsv")
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield Field(row["id"], row["categoryId"],
                        row["categoryDisplayName"], row["name"], row["type"],
                        row["listId"], row["historical"] == "true",
                        row["jsonPath"])


def _load():
    fields = {field.id: field for field in _built_in()}
    names = {field.category_id: field.category_name
             for field in fields.values()}
    names[EQUIPMENT] = "Equipment"
    for id, category, name, type, list_id in CUSTOM:
        fields[id] = Field(id, category, names[category], name, type, list_id,
                           False, id, custom=True)
    return fields


FIELDS = _load()
LISTS = named_lists(field.list_id for field in FIELDS.values()
                    if field.list_id)


@functools.lru_cache(maxsize=2000)
def extra_field(number):
    """One of the fields that the setting extra_custom_fields adds."""
    id = f"{EXTRA}{number:05}"
    return Field(id, "work", "Work", f"Extra {number}", "text", "", False, id,
                 custom=True)


# Custom columns that the setting table_columns adds to tables: (table, field id,
# category, name, type).
TABLE_COLUMNS = (
    ("employment", "payroll.employment.customColumns.column_1700000000201",
     "employment", "Shift", "text"),
    ("lifecycle", "internal.customColumns.column_1700000000202", "lifecycle",
     "Exit interview", "date"),
    ("salaries", "payroll.salary.customColumns.column_1700000000203", "payroll",
     "Bonus share", "number"))


def _table_fields():
    names = {field.category_id: field.category_name for field in FIELDS.values()}
    return [Field(id, category, names[category], name, type, "", True, id, custom=True)
            for _, id, category, name, type in TABLE_COLUMNS]


def account_fields(settings):
    """Every field of the account, in the order of the metadata."""
    return [*FIELDS.values(), *(_table_fields() if settings.table_columns else ()),
            *map(extra_field, range(1, settings.extra_custom_fields + 1))]


def find_field(id, settings):
    """The field with an id in dot form or in slash form, which clients may send."""
    if id.startswith("/"):
        id = id[1:].replace("/", ".")
    if settings.extra_custom_fields and id.startswith(EXTRA):
        number = id.removeprefix(EXTRA)
        if (number.isdigit() and len(number) == 5
                and 1 <= int(number) <= settings.extra_custom_fields):
            return extra_field(int(number))
    return FIELDS.get(id)


def default_fields():
    """The fields that a search returns if it names no fields."""
    return [field for field in FIELDS.values() if field.default]
