"""The saved reports: columns and rows.

A row is a list of cells, one for each column.  A cell has a machine value for
JSON and a text for CSV; if they are equal, the cell is the text.
"""

from dataclasses import dataclass

from draws import draw, salt
from human import humaniser
from metadata import FIELDS
from permissions import sees
from special import ABSENT
from values import getter

_ACTION, _WHO, _WHEN = map(salt, ("action", "who", "when"))


class Quoted(str):
    """A text that CSV quotes although it is not necessary."""


@dataclass(frozen=True)
class Report:
    """`columns` are (label, path in JSON); rows(company, settings) yields them."""

    id: int
    name: str
    description: str | None
    columns: tuple
    rows: object
    type: str = "employees"

    def as_json(self, e):
        fields = [f"/{path.replace('.', '/')}" for _, path in self.columns]
        return {"id": self.id, "name": self.name, "description": self.description,
                "type": self.type, "createdBy": e.id,
                "creationDate": e.day(-200) + "T09:30:00.000000",
                "modificationDate": e.day(-20) + "T16:05:00.000000",
                "folderId": None, "isScheduled": self.id % 2 == 0,
                "isComparable": False,
                "configuration": {"fields": fields, "instructions": [],
                                  "sortBy": None}}


# -- people -----------------------------------------------------------------------

def _cell(value, human):
    """(machine value, text)."""
    return (None, "") if value is None or value is ABSENT else (value, human(value))


def people_rows(ids):
    """Rows of fields of all accessible employees."""
    def rows(company, settings):
        fields = [FIELDS[id] for id in ids]
        makers = [(field.id, getter(field), humaniser(field, company))
                  for field in fields]
        for e in company.everyone():
            if sees(settings, e):
                yield [_cell(e.fields[id] if id in e.fields else get(e), human)
                       for id, get, human in makers]
    return rows


def people_report(id, name, description, *columns):
    """A report on employees; columns are (label, field id)."""
    ids = [field for _, field in columns]
    paths = tuple((label, FIELDS[field].json_path) for label, field in columns)
    return Report(id, name, description, paths, people_rows(ids))


# -- logs ---------------------------------------------------------------------------

_ACTIONS = ("login", "login", "logout", "Login failed: \"wrong password\"",
            "export, report", "Password changed\nby the user", Quoted(""), "",
            "view; sensitive | data", "\"quoted\"\r\nand broken, \"twice\"", "=1+1")
_TIMES = 1000


def _logins(company, settings):
    if not company.size:
        return
    for n in range(_TIMES):
        e = company.employee(1 + draw(n, _WHO, company.size))
        if not sees(settings, e):
            continue
        action = _ACTIONS[n % len(_ACTIONS)]
        seconds = draw(n, _WHEN, 86400)
        time = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        yield [e.email or "", action, f"{e.day(-(_TIMES - n) // 10)} {time}",
               f"192.0.2.{draw(n, _ACTION, 256)}", Quoted("") if n % 3 else ""]


def _changes(company, settings):
    """Twenty rows for each employee, so its size follows that of the company."""
    for e in company.everyone():
        if sees(settings, e):
            for n in range(20):
                yield [e.id, f"field {n}", f"old, {draw(e.number, _ACTION + n, 1000)}",
                       f"new \"{n}\"", e.day(-1 - draw(e.number, _WHEN + n, 700))]


def _twice(company, settings):
    for e in company.everyone():
        if sees(settings, e):
            yield [e.id, f"first {e.number}", f"second {e.number}", str(e.number)]


def _nothing(company, settings):
    return iter(())


_ALL = (
    people_report(
        71001, "Headcount", "Everybody, leavers too",
        ("ID", "root.id"), ("Full name", "root.fullName"), ("Email", "root.email"),
        ("Department", "work.department"), ("Job title", "work.title"),
        ("Site", "work.site"), ("Manager", "work.manager"),
        ("Start date", "work.startDate"),
        ("Termination date", "internal.terminationDate"),
        ("Status", "internal.status"),
        ("Cost centre", "work.custom.field_1667499206086"),
        ("FTE %", "payroll.employment.fte"),
        ("Is a manager", "work.isManager"),
        ("About", "about.about")),
    Report(71002, "Audit log – logins", None,
           (("User", "audit.user"), ("Action", "audit.action"),
            ("Time", "audit.time"), ("IP", "audit.ip"), ("Note", "audit.note")),
           _logins, "audit"),
    people_report(
        71003, "Úř čů ★ report", "Jméno, \"úřad\"",
        ("Jméno ★", "root.fullName"), ("Úřad, oddělení", "work.department"),
        ("\"Nástup\"", "work.startDate"), ("", "work.employeeIdInCompany")),
    Report(71004, "Same label twice", None,
           (("ID", "id"), ("Value", "a.value"), ("Value", "b.value"),
            ("Number", "a.number")), _twice),
    Report(71005, "Nobody", "Finds nothing",
           (("ID", "id"), ("Full name", "fullName")), _nothing),
    Report(71006, "Field changes", "Twenty lines for each employee",
           (("ID", "id"), ("Field", "change.field"), ("Old value", "change.old"),
            ("New value", "change.new"), ("Date", "change.date")),
           _changes, "audit"),
)
REPORTS = {report.id: report for report in _ALL}
