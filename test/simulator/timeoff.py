"""Time off: absences, and changes of the requests for them.

The requests of an employee are between about a year before and half a year after
today.  A request has a history: it is created (possibly pending at first), and
possibly canceled, deleted, or replaced by one with other dates.  The active employees
with the numbers 34 to 61 have one more request each, of one of the types of 2026
or under a policy whose activity is work (LATER has both).
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

from draws import draw, salt
from lists import SITES
from messages import ApiError, stream_json
from permissions import sees
from policies import POLICY_TYPES, WORKING
from values import SITE_IDS

_PUBLIC, _PRIVATE, _CUSTOM = "Public", "Private", "Custom name"
_COUNT, _START, _LENGTH, _KIND, _TYPE, _STATE = map(salt, (
    "requests", "request start", "request length", "request kind",
    "request type", "request state"))
_KINDS = ("days", "days", "days", "days", "days", "hours", "portionOnRange",
          "hoursOnRange")
# (type, policy) of the additional requests.
LATER = (("differentDayDurations", "Holiday"),
         ("specificHoursDayDurations", "Sick"),
         ("differentSpecificHoursDayDurations", "Holiday"),
         ("percentageOnRange", "Parental leave"), ("openEnded", "Sick"),
         ("days", "Home office"), ("days", "Business travel"))
_FIRST_LATER, _LAST_LATER = 34, 61
_NEVER = 1_000_000      # the last day of a request without one


@dataclass(frozen=True)
class Absence:
    """A request for time off; days count from today."""

    employee: object
    id: int
    previous: int | None
    first: int
    last: int
    kind: str
    policy: str
    visibility: str
    status: str             # Approved, Pending, Canceled, Deleted
    made: datetime
    changed: datetime

    def display(self, include_private):
        """The policy's name as others see it."""
        hidden = self.visibility == _CUSTOM and not include_private
        return "Out of office" if hidden else self.policy

    def when(self, names):
        """The keys with the time, which depend on the kind of request."""
        day = self.employee.day
        if self.kind == "hours":
            return {"date": day(self.first), names["hours"]: 3, "minutes": 30}
        if self.kind == "openEnded":
            return {"startDate": day(self.first), names["start"]: "all_day",
                    "endDate": None, names["end"]: None}
        found = {"startDate": day(self.first), "endDate": day(self.last)}
        if self.kind == "percentageOnRange":
            found["percentageOfDay"] = 12.5 * (1 + self.id % 7)
        elif self.kind in _DAILY:
            found["durations"] = self._durations()
            if self.kind == "specificHoursDayDurations":
                zone = _ZONES[self.employee.site]
                found |= {"timeZone": zone, "timeZoneOffset": _OFFSETS[zone]}
        elif self.kind == "days":
            found[names["start"]] = "all_day" if self.id % 4 else "afternoon"
            found[names["end"]] = "all_day"
        elif self.kind == "portionOnRange":
            found["dayPortion"] = "morning" if self.id % 2 else "afternoon"
        else:
            found["dailyHours"] = 2.5
        return found

    def _durations(self):
        """A list by day, without the cost of a day."""
        return [{"date": self.employee.day(day), "hours": 2 + (day - self.first) % 6}
                for day in range(self.first, self.last + 1)]

    @property
    def cost(self):
        """What the request takes from the balance, in the policy's unit."""
        if self.kind == "openEnded":
            return 0
        days = self.last - self.first + 1
        return 2.5 * days if self.hourly else min(days, 5 + days // 2)

    @property
    def hourly(self):
        return self.kind in ("hours", "hoursOnRange")


_DAILY = ("differentDayDurations", "specificHoursDayDurations",
          "differentSpecificHoursDayDurations")
_NAMES = {"start": "startPortion", "end": "endPortion", "hours": "hoursOnDate"}
_NAMES_TODAY = {"start": "startDatePortion", "end": "endDatePortion",
                "hours": "hours"}


def absences(e):
    """All requests of an employee, including canceled and deleted ones."""
    found = _later(e)
    for n in range(draw(e.number, _COUNT, 7)):
        first = draw(e.number, _START + n, 540) - 360
        kind = _KINDS[draw(e.number, _KIND + n, len(_KINDS))]
        length = 0 if kind == "hours" else draw(e.number, _LENGTH + n, 15)
        number = 30_000_000 + 100 * e.number + 2 * n
        state = draw(e.number, _STATE + n, 20)
        status = {0: "Pending", 1: "Pending", 2: "Canceled", 3: "Deleted"}.get(
            state, "Approved")
        before = first - 7 - draw(e.number, _LENGTH + n, 60)
        if before >= 0:
            before = -1 - draw(e.number, _STATE + n, 150)
        made = _moment(e, before, n)
        facts = (kind, POLICY_TYPES[draw(e.number, _TYPE + n, len(POLICY_TYPES))],
                 (_PRIVATE, _CUSTOM, _PUBLIC, _PUBLIC, _PUBLIC)[number // 2 % 5])
        later = made if status in ("Approved", "Pending") else min(
            made + timedelta(days=3, hours=1), _moment(e, -1, 23 * 60))
        if state == 4:      # replaced by one that begins two days later
            found.append(Absence(e, number, None, first, first + length, *facts,
                                 "Deleted", made, later))
            found.append(Absence(e, number + 1, number, first + 2,
                                 first + 2 + length, *facts, status, later, later))
        else:
            found.append(Absence(e, number, None, first, first + length, *facts,
                                 status, made, later))
    return found


def _later(e):
    """The additional request that some employees have; it covers today."""
    if not (_FIRST_LATER <= e.number <= _LAST_LATER and e.active):
        return []
    kind, policy = LATER[(e.number - _FIRST_LATER) % len(LATER)]
    first = -(e.number % 3)
    last = _NEVER if kind == "openEnded" else first + 3
    made = _moment(e, -20, e.number)
    return [Absence(e, 30_000_050 + 100 * e.number, None, first, last, kind, policy,
                    _PUBLIC, "Approved", made, made)]


def _moment(e, day, minutes):
    midnight = datetime.combine(date.fromordinal(e.company.today_ordinal + day),
                                datetime.min.time(), timezone.utc)
    return midnight + timedelta(minutes=545 + 37 * minutes % 600)


# -- absences ---------------------------------------------------------------------

def read_whos_out(simulator, request):
    first, last = (_day(request, name, simulator) for name in ("from", "to"))
    if first > last:
        raise ApiError(400, "invalidRange", "from is later than to")
    private = request.flag("includePrivate")
    outs = ({"requestId": a.id, "employeeId": a.employee.id,
             "employeeDisplayName": a.employee.full_name,
             "policyType": a.policy,
             "policyTypeDisplayName": a.display(private), "type": a.kind,
             **a.when(_NAMES), "status": a.status, "visibility": a.visibility,
             "totalCost": a.cost}
            for a in _out(simulator, request, first, last))
    return stream_json(outs, "outs", simulator.settings)


def read_out_today(simulator, request):
    today = _day(request, "today", simulator) if "today" in request.query else 0
    site = request.query.get("siteId")
    if site is not None and not re.fullmatch(r"\d{1,18}", site):
        raise ApiError(400, "invalidSite", "siteId is not a number")
    private = request.flag("includePrivate")
    outs = ({"employeeId": a.employee.id, "employeeDisplayName": a.employee.full_name,
             "employeeEmail": a.employee.fields.get("root.email", a.employee.email),
             "policyTypeDisplayName": a.display(private),
             "requestRangeType": a.kind, **a.when(_NAMES_TODAY),
             "visibility": a.visibility, "totalCost": a.cost}
            for a in _out(simulator, request, today, today)
            if (site is None or SITE_IDS[a.employee.site] == int(site)))
    return stream_json(outs, "outs", simulator.settings)


def _out(simulator, request, first, last):
    """The requests that overlap the days and match the flags."""
    hourly, private, pending = map(request.flag, ("includeHourly", "includePrivate",
                                                  "includePending"))
    working = request.query.get("includeWorkingRequests", "true").lower() == "true"
    statuses = {"Approved", "Pending"} if pending else {"Approved"}
    for e in simulator.company.everyone():
        if e.active and sees(simulator.settings, e):
            for a in absences(e):
                if (a.first <= last and a.last >= first and a.status in statuses
                        and (hourly or not a.hourly)
                        and (working or a.policy not in WORKING)
                        and (private or a.visibility != _PRIVATE)):
                    yield a


def _day(request, name, simulator):
    """A date of the query, as days from today."""
    text = request.query.get(name, "")
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            raise ValueError
        day = date.fromisoformat(text)
    except ValueError:
        raise ApiError(400, "invalidDate",
                       f"{name} is not a date like 2050-04-05") from None
    return day.toordinal() - simulator.company.today_ordinal


# -- changes of requests --------------------------------------------------------

def read_changes(simulator, request):
    settings = simulator.settings
    since, to = _range(request, simulator.company.today)
    pending = request.flag("includePending")
    changes = (_change(a, kind, settings.created_on_zone)
               for e in simulator.company.everyone() if sees(settings, e)
               for a in absences(e)
               for kind, moment in _history(a)
               if since <= moment <= to and (pending or kind != "Pending"))
    return stream_json(changes, "changes", settings)


def _range(request, today):
    since = _time(request, "since")
    midnight = datetime.combine(today, datetime.min.time(), timezone.utc)
    if since < _months_later(midnight, -6):
        raise ApiError(400, "sinceTooOld", "since is older than 6 months")
    if "to" not in request.query:
        return since, midnight + timedelta(days=1)
    to = _time(request, "to")
    if not since < to <= _months_later(since, 6):
        raise ApiError(400, "invalidRange",
                       "to must be after since, and not more than 6 months after")
    return since, to


def _time(request, name):
    """A date and time of the query; a zone is required."""
    text = request.query.get(name, "")
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?"
                            r"(Z|[+-]\d\d:?\d\d)", text):
            raise ValueError
        return datetime.fromisoformat(text)
    except ValueError:
        raise ApiError(400, "invalidDateTime", f"{name} is not a date and time "
                       "like 2050-04-05T14:30:24.345Z") from None


def _months_later(moment, months):
    year, month = divmod(12 * moment.year + moment.month - 1 + months, 12)
    for day in range(moment.day, moment.day - 4, -1):
        try:
            return moment.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue


def _history(a):
    """(change, when it happened), in order."""
    if a.status == "Pending":
        return [("Pending", a.made)]
    created = [("Created", a.made)]
    if a.id % 3 == 0:
        created.insert(0, ("Pending", a.made - timedelta(hours=5)))
    if a.status in ("Canceled", "Deleted"):
        created.append((a.status, a.changed))
    return created


def _change(a, kind, zone):
    e = a.employee
    hours = a.hourly
    days = None if a.kind == "openEnded" else a.last - a.first + 1
    replaced = kind == "Deleted" and a.previous is None and a.status == "Deleted"
    when = a.when(_NAMES)
    when.pop("minutes", None)
    return {"changeType": kind, "employeeId": e.id,
            "employeeDisplayName": e.full_name,
            "employeeEmail": e.fields.get("root.email", e.email),
            "requestId": a.id, "originalRequestId": a.previous or a.id,
            "previousRequestId": a.previous,
            "policyTypeDisplayName": a.display(False), "type": a.kind,
            "createdOn": a.made.strftime("%Y-%m-%dT%H:%M:%S.000") + zone, **when,
            "durationUnit": "hours" if hours else "days",
            "totalDuration": 2.5 * days if hours else days,
            "totalCost": a.cost,
            "changeReason": "Other dates" if replaced else None,
            "visibility": a.visibility, "timeZone": _ZONES[e.site]}


_ZONES = dict(enumerate(
    ("Europe/London", "America/New_York", "Europe/Berlin", "Asia/Jerusalem",
     "Europe/Zurich", "America/Sao_Paulo", "Asia/Tokyo", "Etc/UTC")))
assert len(_ZONES) == len(SITES)
# In winter, as HiBob writes them.
_OFFSETS = dict(zip(_ZONES.values(), (
    "GMT +0:00", "GMT -5:00", "GMT +1:00", "GMT +2:00", "GMT +1:00", "GMT -3:00",
    "GMT +9:00", "GMT +0:00")))
