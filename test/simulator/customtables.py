"""Custom tables of the company: their columns and rows.

The list of a column is `<table>.<column>`, in lists.py.
"""

from draws import draw, salt
from human import humaniser
from messages import ApiError, json_response
from metadata import EQUIPMENT, LISTS
from tables import (
    human_row,
    read_all,
    refusing_content_type,
    restrict,
    restrictions,
    seen_employee,
    with_header,
)
from values import money

CERTIFICATIONS = "root__table_1791380280851"
DEVICES = "root__table_1791380280852"
SYMBOLS = "root__table_1791380280853"
_SUBJECT = salt("custom tables")


class Column:
    """A column: `make(employee, random number, number of the row)` is a value."""

    def __init__(self, table, number, name, type, make, mandatory=False):
        self.id = f"column_{1791380300000 + number}"
        self.name = name
        self.type = type
        self.make = make
        self.mandatory = mandatory
        listed = type in ("list", "multi-list", "hierarchy-list")
        self.list_id = f"{table}.{self.id}" if listed else None

    def as_json(self):
        return {"id": self.id, "name": self.name, "description": None,
                "mandatory": self.mandatory, "type": self.type,
                "typeData": {"listId": self.list_id} if self.list_id else {}}


class Table:
    """A table; `share` percent of the people have up to `most` rows."""

    def __init__(self, id, category, name, description, share, most, columns):
        self.id = id
        self.category = category
        self.name = name
        self.description = description
        self.share = share
        self.most = most
        self.columns = [Column(id, number, *rest) for number, *rest in columns]

    def as_json(self):
        return {"id": self.id, "category": self.category, "name": self.name,
                "description": self.description,
                "columns": [column.as_json() for column in self.columns]}

    def rows(self, e):
        subject = salt(self.id)
        if draw(e.number, subject, 100) >= self.share:
            return []
        return [self._row(e, n) for n in range(1 + draw(e.number, subject + 1,
                                                        self.most))]

    def _row(self, e, n):
        """The first column always has a value, the others in four of five rows."""
        row = {"id": 1021262 + 10 * e.number + n, "changedBy": e.company.known(1).id}
        for number, column in enumerate(self.columns):
            pick = draw(e.number, salt(column.id) + n, 1 << 20)
            empty = number and pick % 5 == 0
            row[column.id] = _empty(column) if empty else column.make(
                e, column, pick // 5, n)
        return row


def _empty(column):
    return [] if column.type == "multi-list" else None


# -- makers of values ----------------------------------------------------------------

def _one_of(*values):
    return lambda e, column, pick, n: values[pick % len(values)]


def _item(e, column, pick, n):
    ids = LISTS[column.list_id].ids
    return ids[pick % len(ids)]


def _items(e, column, pick, n):
    ids = LISTS[column.list_id].ids
    return ids[pick % len(ids):][:1 + pick % 2]


def _date(e, column, pick, n):
    return e.day(e.start_day + pick % 900)


def _amount(e, column, pick, n):
    return money(lambda e: pick % 100000 / 100)(e)


def _colleague(e, column, pick, n):
    return e.company.employee(1 + pick % min(20, e.company.size)).id


_TABLES = (
    Table(CERTIFICATIONS, "work", "Certifications", "What people may do", 60, 4, (
        (1, "Certificate", "text",
         _one_of("ISO 27001", "First aid, level 2", "AWS \"Solutions\"",
                 "Führerschein B"),
         True),
        (2, "Valid until", "date", _date),
        (3, "Score", "number", lambda e, column, pick, n: pick % 401 / 4),
        (4, "Fee", "currency", _amount),
        (5, "Level", "list", _item),
        (6, "Topics", "multi-list", _items),
        (7, "Renewed?", "boolean", lambda e, column, pick, n: pick % 2 == 1),
        (8, "Scan", "document", lambda e, column, pick, n: 17016973 + pick % 1000),
        (9, "Notes", "text-area", _one_of("Line one\nline two", "", "tab\there")),
        (10, "Examiner", "employee-reference", _colleague),
        (11, "Region", "hierarchy-list", _item))),
    Table(DEVICES, EQUIPMENT, "貸与機器", None, 40, 2, (
        (21, "機種", "text", _one_of("ノートPC", "携帯電話", "Monitor"), True),
        (22, "貸与日", "date", _date),
        (23, "価格", "currency", _amount))),
    Table(SYMBOLS, "root", "★ / ★", "A name without a letter", 20, 1, (
        (31, "★", "text", _one_of("*", "**", "***")),
        (32, "%", "number", lambda e, column, pick, n: pick % 101))),
)
TABLES = {table.id: table for table in _TABLES}


# -- handlers --------------------------------------------------------------------------

def read_tables(simulator, request):
    return json_response({"tables": [table.as_json() for table in _TABLES]},
                         settings=simulator.settings)


def read_table(simulator, request):
    return json_response(_table(request).as_json(), settings=simulator.settings)


@refusing_content_type
def read_rows(simulator, request):
    settings, table = simulator.settings, _table(request)
    employee = seen_employee(simulator, request.params["employee_id"])
    human = request.flag("includeHumanReadable")
    rows = _maker(table, human, simulator)(employee)
    rows = [restrict(row, table.id, settings) for row in rows]
    return with_header(json_response({"values": rows,
                                      **restrictions(table.id, settings)},
                                     settings=settings), table.id, settings)


def read_all_rows(simulator, request):
    """GET /bulk/people/custom-tables/{table_id}: as the other bulk tables."""
    settings = simulator.settings
    if settings.bulk_custom_tables == "404":
        raise ApiError(404)
    if settings.bulk_custom_tables == "400":
        raise ApiError(400, "unknownTable", "Unknown table: custom-tables")
    table = _table(request)
    human = settings.bulk_human and request.flag("includeHumanReadable")
    return read_all(simulator, request, table.id, _maker(table, human, simulator))


def _maker(table, human, simulator):
    """A function from an employee to the rows, with their human forms if wanted."""
    makers = {column.id: humaniser(column, simulator.company)
              for column in table.columns}

    def make(employee):
        rows = table.rows(employee)
        for row in rows if human else ():
            row["humanReadable"] = human_row(
                row, lambda name, value: makers.get(name, str)(value))
        return rows
    return make


def _table(request):
    table = TABLES.get(request.params["table_id"])
    if table is None:
        raise ApiError(404)
    return table
