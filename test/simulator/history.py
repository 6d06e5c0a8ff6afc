"""The tables with a history: work, employment, lifecycle, salaries.

A maker is a function from an Employee to the rows, oldest first.  The current
row has the values that a people search returns for the same employee; earlier
rows are derived backwards from it, and a few employees have a future row.
"""

import json
from json.encoder import encode_basestring

from draws import draw, salt
from lists import ORGANISATION, SITES
from metadata import FIELDS, LISTS
from special import ABSENT
from values import DEPARTMENT_IDS, SITE_IDS, TITLE_IDS, brief, getter, week

TEAM = "work.customColumns.column_1655996461265"

_ROWS, _KIND, _PLACE, _FUTURE = map(salt, ("rows", "kind", "place", "future"))
_AUTHOR, _PATTERN, _RAISE = map(salt, ("author", "pattern", "raise"))
_AWAY = salt("away")


def facts(*ids):
    """A function from an employee to the current values of some fields."""
    getters = [getter(FIELDS[id]) for id in ids]

    def values(e):
        found = [get(e) for get in getters]
        if not e.fields:
            return found
        found = [e.fields.get(id, value) for id, value in zip(ids, found)]
        return [None if value is ABSENT else value for value in found]
    return values


def entry(e, day, end=None, current=True, reason=None, sequence=0):
    """The first columns of every row.  The id follows from the date."""
    date = e.day(day)
    author = _author(e)
    return {"id": int(f"{10000 + sequence}{date[:4]}{date[5:7]}{date[8:]}"),
            "effectiveDate": date, "endEffectiveDate": e.day(end),
            "activeEffectiveDate": date, "isCurrent": current,
            "canBeDeleted": not current, "creationDate": None,
            "modificationDate": date,
            "change": {"reason": reason, "changedBy": author.full_name,
                       "changedById": author.id},
            "customColumns": {}}


def _author(e):
    """The author of an employee's records: one of the first employees."""
    return e.company.known(1 + draw(e.number, _AUTHOR, min(8, e.company.size)))


def spans(days):
    """(first day, day after the last or None) of periods that begin on these days."""
    return zip(days, [*days[1:], None])


def past_days(e, subject, most):
    """Up to `most` days between the start and today (or the end), in order."""
    start = e.start_day
    served = min(0, e.termination_day or 0) - start
    if served < 60:
        return []
    count = draw(e.number, subject, most + 1)
    if e.number == 1:
        count = most
    return [start + (n + 1) * served // (count + 1) for n in range(count)]


# -- work ----------------------------------------------------------------------

_at_work = facts("work.title", "work.department", "work.site", "work.siteId",
                 "work.reportsTo", TEAM)
_PLACES = tuple(zip(SITES, SITE_IDS))
_JOBS = tuple((DEPARTMENT_IDS[n], [TITLE_IDS[title] for title in titles])
              for n, titles in enumerate(ORGANISATION.values()))
_PLACE_OF = {department: place for place, (department, _) in enumerate(_JOBS)}


def work(e):
    return [json.loads(text) for text in work_texts(e)]


def work_texts(e):
    """The rows as JSON text, which is fast enough for large companies."""
    days = [e.start_day, *past_days(e, _ROWS, 3)]
    current = len(days) - 1
    states = [_at_work(e)]
    states[0][4] = _json(states[0][4])      # the manager, the same in many rows
    for n in range(current, 0, -1):
        states.insert(0, _before(e, states[0], n))
    reasons = ["New Employee", *(_change_type(e, n) for n in range(1, len(days)))]
    if e.active and not e.termination_day and draw(e.number, _FUTURE, 12) == 0:
        days.append(1 + draw(e.number, _FUTURE, 90))
        states.append([*_before(e, states[-1], 9)[:-1], states[-1][-1]])
        reasons.append("Promotion")
    dates = [e.day(day) for day in days]
    author = _author(e)
    change = _json({"reason": None, "changedBy": author.full_name,
                    "changedById": author.id})
    return [_work_row(e, dates[n], end, n == current, change, states[n], reasons[n])
            for n, end in enumerate([*dates[1:], None])]


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _json(value):
    if value.__class__ is str:
        return encode_basestring(value)
    if value is None:
        return "null"
    if value.__class__ is int:
        return str(value)
    if value.__class__ is dict:     # flat ones do not need the encoder
        return "{" + ",".join([f'"{key}":{_json(part)}'
                               for key, part in value.items()]) + "}"
    return _encode(value)


def _work_row(e, date, end, current, change, state, reason):
    """The columns of `entry`, then the table's own columns."""
    title, department, site, site_id, manager, team = state
    modified = f'"{date}"'
    end = "null" if end is None else f'"{end}"'
    reason = f'"{reason}"'
    if e.number == 13:
        end = modified = reason = "null"
    now, then = ("true", "false") if current else ("false", "true")
    return (f'{{"id":10000{date[:4]}{date[5:7]}{date[8:]},"effectiveDate":"{date}",'
            f'"endEffectiveDate":{end},"activeEffectiveDate":"{date}",'
            f'"isCurrent":{now},"canBeDeleted":{then},"creationDate":null,'
            f'"modificationDate":{modified},"change":{change},'
            f'"customColumns":{{"column_1655996461265":{_json(team)}}},'
            f'"title":{_json(title)},"department":{_json(department)},'
            f'"site":{_json(site)},"siteId":{_json(site_id)},'
            f'"reportsTo":{manager},"workChangeType":{reason}}}')


def _change_type(e, n):
    return ("Promotion", "Transfer", "Other", "Transfer")[draw(e.number, _KIND + n, 4)]


def _before(e, state, n):
    """A different state: another title, department, manager or site."""
    title, department, site, site_id, manager, team = state
    kind = draw(e.number, _KIND + n, 4)
    pick = draw(e.number, _PLACE + n, 1 << 20)
    if kind < 2:
        place = _PLACE_OF.get(str(department), pick)
        if kind == 1:
            place += 1 + pick % (len(_JOBS) - 1)
        department, titles = _JOBS[place % len(_JOBS)]
        title = titles[1] if titles[0] == title else titles[0]
    elif kind == 2:
        other = e.company.known(1 + pick % min(8, e.company.size))
        manager = "null" if other.number == e.number else _json(brief(other))
    else:
        site, site_id = _PLACES[pick % len(_PLACES)]
    return [title, department, site, site_id, manager, team and "Team of old"]


# -- employment ------------------------------------------------------------------

_employed = facts(*("payroll.employment." + name for name in (
    "contract", "type", "salaryPayType", "flsaCode", "calendarId", "fte",
    "weeklyHours", "hoursInDayNotWorked")))
_CALENDARS = LISTS["calendar"].names


def employment(e):
    days = [e.start_day, *past_days(e, _ROWS + 1, 2)]
    return [_employment_row(e, n, day, end, n == len(days) - 1)
            for n, (day, end) in enumerate(spans(days))]


def _employment_row(e, n, day, end, current):
    contract, type, pay_type, flsa, calendar, fte, hours, missing = _employed(e)
    if not current and hours is not None:
        contract, fte, hours = "Full time", 100, 40
    personal = (None, "custom", "flexible", "library",
                None)[draw(e.number, _PATTERN + n, 5)]
    own = _pattern(personal, hours or 40)
    row = entry(e, day, end, current)
    row.update(contract=contract, type=type, salaryPayType=pay_type, flsaCode=flsa,
               calendarId=calendar, calendarName=_CALENDARS.get(calendar),
               personalWorkingPatternType=personal, workingPattern=own,
               standardWorkingPattern=_STANDARD, standardWorkingPatternId=5100,
               siteWorkingPattern=_STANDARD, actualWorkingPattern=own or _STANDARD,
               hoursInDayNotWorked=missing, fte=fte, weeklyHours=hours)
    if e.number == 13:
        nulls = ("type", "salaryPayType", "flsaCode", "calendarId", "calendarName",
                 "standardWorkingPattern", "standardWorkingPatternId",
                 "siteWorkingPattern", "hoursInDayNotWorked", "modificationDate")
        row.update(dict.fromkeys(nulls))
    return row


_STANDARD = week(8)


def _pattern(personal, hours):
    """The personal working pattern, in the form for its type."""
    if personal == "custom":
        first, second = week(hours / 5), week(hours / 5)
        second["days"]["friday"] = 0
        return {"workingPatternType": "fortnightly", "firstWeek": first["days"],
                "secondWeek": second["days"], "hoursPerDay": 8,
                "workingPatternId": 0}
    if personal == "flexible":
        return {"workingPatternType": "flexible", "weeklyWorkPercentage": 80}
    return week(hours / 5) if personal == "library" else None


# -- life cycle --------------------------------------------------------------------

_present = facts("internal.lifecycleStatus", "internal.terminationReason")


def lifecycle(e):
    status, reason = _present(e)
    stages = _past_stages(e)
    if e.lifecycle == "terminated":
        stages += [(e.start_day, "employed"), (e.termination_day, status)]
    elif e.lifecycle == "hired":
        stages.append((min(-1, e.original_start_day - 14), status))
    elif e.lifecycle == "employed":
        stages.append((e.start_day, status))
    else:
        leave = max(e.start_day, -10 - e.number % 30)
        if e.start_day < leave:
            stages.append((e.start_day, "employed"))
        stages.append((leave, status))
    current = len(stages) - 1
    if e.lifecycle == "hired":
        stages.append((e.start_day, "employed"))
    elif e.termination_day is not None and e.termination_day > 0:
        stages.append((e.termination_day, "terminated"))
    days = [day for day, _ in stages]
    return [_lifecycle_row(e, day, end, n == current, stages[n][1], reason)
            for n, (day, end) in enumerate(spans(days))]


def _past_stages(e):
    """The earlier employment of a rehired employee."""
    first, again = e.original_start_day, e.start_day
    if again - first < 100 or e.lifecycle == "hired":
        return []
    return [(first, "employed"),
            (again - 30 - draw(e.number, _AWAY, 60), "terminated")]


def _lifecycle_row(e, day, end, current, status, reason):
    leaving = status == "terminated"
    row = entry(e, day, end, current, reason if leaving else None)
    kind = "Voluntary" if reason == "Resignation" else "Involuntary"
    row.update(status=status,
               employeeStatus="Active" if status == "employed" else "Inactive",
               reasonType=kind if leaving and reason else None,
               leaveReason="Family" if status and "leave" in status else None,
               workChangeType="New Employee" if status == "employed" else "Other")
    if e.number == 13:
        row.update(workChangeType=None, modificationDate=None)
    return row


# -- salaries ------------------------------------------------------------------------

_paid = facts("payroll.salary.payment", "payroll.salary.payPeriod",
              "payroll.salary.payFrequency")


def salaries(e):
    days = [e.start_day, *past_days(e, _ROWS + 2, 3)]
    last = len(days) - 1
    base, period, frequency = _paid(e)
    rows = []
    for n, (day, end) in enumerate(spans(days)):
        row = entry(e, day, end, n == last)
        paid = base
        if isinstance(base, dict) and n < last:
            share = 100 - (last - n) * (2 + draw(e.number, _RAISE, 4))
            paid = {**base, "value": round(base["value"] * share / 100, 2)}
        row.update(base=paid, payPeriod=period, payFrequency=frequency,
                   workChangeType="Other" if n else "New Employee")
        if e.number == 13:
            row.update(payFrequency=None, workChangeType=None, modificationDate=None)
        rows.append(row)
    return rows


# -- addresses ------------------------------------------------------------------------

_STREETS = ("1 Example Street", "Beispielweg 2", "例町 3", "Rue de l’Exemple 4")
_TOWNS = (("London", "United Kingdom", None), ("Berlin", "Germany", None),
          ("東京", "Japan", None), ("Albany", "United States", "New York"))


def addresses(e):
    """The addresses of an employee by date; two in five employees have a row."""
    if draw(e.number, _HOME, 5) > 1:
        return []
    days = [e.start_day, *past_days(e, _HOME + 1, 1)]
    rows = []
    for n, (day, end) in enumerate(spans(days)):
        place = draw(e.number, _HOME + 2 + n, len(_TOWNS))
        town, country, state = _TOWNS[place]
        row = entry(e, day, end, end is None)
        row.update(line1=_STREETS[place], line2=None if n else "Flat 2",
                   city=town, postCode=f"{1000 + e.number}", country=country,
                   usaState=state)
        rows.append(row)
    return rows


_HOME = salt("home")
