"""Attendance: time log entries by employee, for at most 33 days.

An entry is of one of two kinds.  Start and end: clockInTime has the date, and
clockInDate is null.  Duration: clockInDate and a number of minutes.
"""

import re
from datetime import date

from draws import draw, salt
from items import ItemSearch, items_response
from messages import ApiError
from paging import cut, position_of
from permissions import sees

MAX_DAYS = 33
_FIELDS = tuple("/attendanceEntry/" + name for name in (
    "id", "employeeId", "clockInDate", "type", "clockInTime", "clockOutDate",
    "clockOutTime", "duration", "reasonCode", "notes", "projectId", "taskId"))
_EMPLOYEE, _DAY = _FIELDS[1], _FIELDS[2]
_WORKS, _HOUR = map(salt, ("attends", "attends at"))
_DAYS_BACK = 90


def search_entries(simulator, request):
    settings, company = simulator.settings, simulator.company
    search = ItemSearch(request.body, _FIELDS, None,
                        {_EMPLOYEE: ("equals",), _DAY: ("from", "to")})
    ids = search.values(_EMPLOYEE)
    if ids is None:
        raise ApiError(400, "missingFilter", "A filter by employeeId is required")
    first, last = _range(search, company.today_ordinal)
    people = {e.number: e for e in map(company.by_id, ids)
              if e is not None and sees(settings, e)}
    begin = position_of(search.cursor)
    entries = (((number, day + _DAYS_BACK), entry)
               for number in sorted(people)
               for day, entry in _entries(people[number], first, last)
               if (number, day + _DAYS_BACK) >= begin)
    page, following = cut(entries, search.limit, search.cursor, settings)
    return items_response([_item(search.show(each), settings) for each in page],
                          following, settings)


def _item(entry, settings):
    """An entry in the form that the settings specify."""
    if settings.items_form == "values":
        return entry
    return {"objectType": "attendanceEntry",
            "fields": {id: {"value": value} for id, value in entry.items()}}


def _range(search, today):
    """(first, last) day from today."""
    days = []
    for operator in ("from", "to"):
        values = search.values(_DAY, operator)
        if values is None or len(values) != 1 or not re.fullmatch(
                r"\d{4}-\d\d-\d\d", values[0]):
            raise ApiError(400, "missingFilter",
                           "clockInDate needs a date for from and to")
        days.append(date.fromisoformat(values[0]).toordinal() - today)
    if not 0 <= days[1] - days[0] < MAX_DAYS:
        raise ApiError(400, "invalidRange", f"The range has more than {MAX_DAYS} days")
    return days


def _entries(e, first, last):
    """(day, entry) of one employee: those who attend do two days in three."""
    if not e.active or draw(e.number, _WORKS, 4) == 0:
        return
    for day in range(max(first, -_DAYS_BACK, e.start_day), min(last, 0) + 1):
        ordinal = e.company.today_ordinal + day
        if draw(e.number, _HOUR + ordinal, 3):
            yield day, _entry(e, day, ordinal)


def _entry(e, day, ordinal):
    text, hour = e.day(day), 7 + draw(e.number, _HOUR + ordinal, 4)
    by_duration = e.number % 3 == 0
    values = (e.number * 1_000_000 + ordinal, e.id, text if by_duration else None,
              "break" if ordinal % 11 == 0 else "work",
              None if by_duration else f"{text}T{hour:02}:13:00",
              None, None if by_duration else f"{text}T{hour + 8:02}:54:00",
              475 if by_duration else 521, None,
              None if ordinal % 5 else "Line one\nline two",
              None if e.number % 4 else 9100 + e.number, None)
    return dict(zip(_FIELDS, values))
