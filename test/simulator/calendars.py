"""Holiday calendars: which one an employee has, and the events in them.

Every site except the last has a calendar.  One employee in five has a different
one from the employment.
"""

import re
from datetime import date, timedelta

from items import ItemSearch, items_response
from lists import SITES
from messages import ApiError
from metadata import LISTS
from paging import cut, position_of
from permissions import sees
from values import SITE_IDS

MAX_IDS, MOST = 5000, 1000
MAX_DAYS = 366
_EMPLOYEE = "/employeeCalendar/employeeId"
_EMPLOYEE_FIELDS = tuple("/employeeCalendar/" + name for name in (
    "employeeId", "calendarId", "calendarName", "source", "siteId"))
_START, _SITE, _CALENDAR = ("/calendarEvent/" + name for name in (
    "startDate", "siteId", "calendarId"))
_EVENT_FIELDS = tuple("/calendarEvent/" + name for name in (
    "id", "name", "startDate", "endDate", "eventType", "siteId"))
_CALENDARS = [(item.id, item.name) for item in LISTS["calendar"].items]
# (month, day, days, name, type) of every year.
_HOLIDAYS = ((1, 1, 1, "New Year", "publicHoliday"),
             (5, 1, 1, "Tag der Arbeit", "publicHoliday"),
             (8, 11, 1, "山の日", "publicHoliday"),
             (12, 25, 2, "Christmas", "publicHoliday"),
             (12, 27, 5, "Company closure", "closure"))


def _of_site(site):
    """(id, name) of a site's calendar; None for the last site."""
    return None if site == len(SITES) - 1 else _CALENDARS[site % len(_CALENDARS)]


def _of_employee(e):
    own = _CALENDARS[e.number % len(_CALENDARS)] if e.number % 5 == 0 else None
    found = own or _of_site(e.site)
    source = "employment" if own else "site" if found else "none"
    id, name = found or (None, None)
    return dict(zip(_EMPLOYEE_FIELDS, (e.id, id, name, source, SITE_IDS[e.site])))


def search_employees(simulator, request):
    """POST /timeoff/calendars/employees/search: unknown ids are left out."""
    settings, company = simulator.settings, simulator.company
    search = ItemSearch(request.body, _EMPLOYEE_FIELDS, _EMPLOYEE_FIELDS,
                        {_EMPLOYEE: ("equals",)}, most=MOST)
    ids = search.values(_EMPLOYEE)
    if ids is None:
        raise ApiError(400, "missingFilter", f"A filter by {_EMPLOYEE} is required")
    if len(ids) > MAX_IDS:
        raise ApiError(400, "tooManyEmployeeIds",
                       f"At most {MAX_IDS} employees can be requested", len(ids))
    found = {e.number: e for e in map(company.by_id, ids)
             if e is not None and sees(settings, e)}
    begin = position_of(search.cursor)
    entries = (((number, 0), _of_employee(found[number]))
               for number in sorted(found) if (number, 0) >= begin)
    page, following = cut(entries, search.limit, search.cursor, settings)
    return items_response([search.show(each) for each in page], following, settings)


def search_events(simulator, request):
    """POST /timeoff/calendars/events/search, for a range of start dates."""
    search = ItemSearch(request.body, _EVENT_FIELDS, _EVENT_FIELDS,
                        {_START: ("from", "to"), _SITE: ("equals",),
                         _CALENDAR: ("equals",)})
    first, last = (_day(search, operator) for operator in ("from", "to"))
    if not 0 <= (last - first).days < MAX_DAYS:
        raise ApiError(400, "exception.calendar.publicApi.dateRangeTooLong",
                       f"The range has more than {MAX_DAYS} days")
    sites, calendars = search.values(_SITE), search.values(_CALENDAR)
    found = [event for event in _events(first, last, calendars)
             if sites is None or str(event[_SITE]) in sites]
    begin = position_of(search.cursor)[0]
    entries = (((n, 0), found[n]) for n in range(begin, len(found)))
    page, following = cut(entries, search.limit, search.cursor, simulator.settings)
    return items_response([search.show(each) for each in page], following,
                          simulator.settings)


def _day(search, operator):
    values = search.values(_START, operator)
    if values is None or len(values) != 1 or not re.fullmatch(
            r"\d{4}-\d\d-\d\d", values[0]):
        raise ApiError(400, "missingFilter",
                       f"{_START} needs a date for from and to")
    return date.fromisoformat(values[0])


def _events(first, last, calendars):
    """The events of all sites that begin in a range, by date."""
    for day, length, name, kind, n in _starts(first, last):
        for site in range(len(SITES)):
            calendar = _of_site(site)
            if calendar is None or calendars and str(calendar[0]) not in calendars:
                continue
            # The closure is for every other site.
            if n < len(_HOLIDAYS) - 1 or site % 2 == 0:
                end = day + timedelta(days=length - 1)
                yield dict(zip(_EVENT_FIELDS, (
                    f"{day.year}-{n}-{site}", name, day.isoformat(),
                    end.isoformat(), kind, SITE_IDS[site])))


def _starts(first, last):
    for year in range(first.year, last.year + 1):
        for n, (month, number, length, name, kind) in enumerate(_HOLIDAYS):
            day = date(year, month, number)
            if first <= day <= last:
                yield day, length, name, kind, n
