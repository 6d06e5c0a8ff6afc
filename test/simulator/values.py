"""The value of each field for an employee, in machine form.

`getter(field)` returns a function from an Employee to the value.  RULES has the
fields that must be consistent (names, dates, managers); any other field has a
plausible value of its type, and is null for some people.
"""

from datetime import date
from operator import attrgetter

from company import DEPARTMENTS
from draws import draw, salt
from lists import COST_CENTRES, SITES
from metadata import EXTRA, LISTS

COMPANY_ID = 636192
CURRENCIES = ("GBP", "USD", "EUR", "ILS", "EUR", "BRL", "JPY", "EUR")
FULL_TIME_HOURS = 40


# -- functions that make getters -------------------------------------------------

def day(facet):
    """A facet that counts days from today, as a date."""
    get = attrgetter(facet)
    return lambda e: e.day(get(e))


def short_day(facet):
    """The same as month and day."""
    get = attrgetter(facet)
    return lambda e: e.day(get(e))[5:]


def by_name(list_name):
    """From an entry's name to its id."""
    return {name: id for id, name in LISTS[list_name].names.items()}


def sometimes(subject, share, make):
    """`make` for a share (in percent) of the people, null for the others."""
    subject = salt(subject)
    return lambda e: make(e) if draw(e.number, subject, 100) < share else None


# -- periods -----------------------------------------------------------------

def years_months_days(start, end):
    """The whole years, months and days between two dates."""
    months = 12 * (end.year - start.year) + end.month - start.month
    days = end.day - start.day
    if days < 0:
        months -= 1
        days += 30
    return months // 12, months % 12, days


def period(days, today):
    """The JSON of a period that ended today and took some days."""
    start = date.fromordinal(today.toordinal() - max(days, 0))
    years, months, rest = years_months_days(start, today)
    counted = [f"{n} {unit}{'s' if n != 1 else ''}" for n, unit in
               ((years, "year"), (months, "month"), (rest, "day")) if n]
    text = " and ".join(filter(None, [", ".join(counted[:-1]),
                                      (counted or ["0 days"])[-1]]))
    iso = "".join(f"{n}{unit}" for n, unit in
                  ((years, "Y"), (months, "M"), (rest, "D")) if n)
    return {"periodISO": "P" + (iso or "0D"),
            "sortFactor": 360 * years + 30 * months + rest, "humanize": text}


def _served(e):
    """The days from the start to today or to the last day."""
    return max(0, min(0, e.termination_day or 0) - e.start_day)


def _years(days):
    return round(days / 365.25, 3)


def _period_served(e):
    return period(_served(e), e.company.today)


def _left_days(e):
    """The days since the termination, or None."""
    end = e.termination_day
    return -end if end is not None and end <= 0 else None


def _period_left(e):
    days = _left_days(e)
    return None if days is None else period(days, e.company.today)


# -- people --------------------------------------------------------------------

def brief(person):
    """The object for a manager in work.reportsTo."""
    if person is None:
        return None
    return {"id": person.id, "firstName": person.first_name,
            "surname": person.surname,
            "email": person.fields.get("root.email", person.email),
            "displayName": person.full_name}


def _second_level(e):
    above = e.manager and e.manager.manager
    return above and above.id


def _of_manager(facet):
    get = attrgetter(facet)
    return lambda e: get(e.manager) if e.manager else None


def _manager_email(e):
    return e.manager and e.manager.fields.get("root.email", e.manager.email)


def _on_leave(days):
    """A date some days from today, for people on leave."""
    return lambda e: e.day(days - e.number % 30) if "leave" in e.lifecycle else None


def _colleague(subject):
    """One of the first employees, for roles in which a few people serve many."""
    subject = salt(subject)
    return lambda e: e.company.employee(
        1 + draw(e.number, subject, min(20, e.company.size))).id


def _creation_time(e):
    return e.day(e.original_start_day - 14) + "T11:13:40.175639"


# -- work and pay ----------------------------------------------------------------

DEPARTMENT_IDS = [by_name("department")[name] for name in DEPARTMENTS]
TITLE_IDS = by_name("title")
SITE_IDS = [by_name("site")[name] for name in SITES]
_COST_IDS = [by_name("field_1667499206086")[name] for name in COST_CENTRES]


def _cost_centre(e):
    return None if e.cost_centre is None else _COST_IDS[e.cost_centre]


_HOURS, _SHIRT = map(salt, ("hours", "shirt"))


def _hours(e):
    return (40, 40, 40, 32, 20, 37.5)[draw(e.number, _HOURS, 6)]


def _currency(e):
    return CURRENCIES[e.site]


def money(amount):
    return lambda e: {"value": amount(e), "currency": _currency(e)}


def week(hours):
    days = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday",
            "saturday")
    return {"workingPatternType": "hourly",
            "days": {name: hours if 0 < n < 6 else 0
                     for n, name in enumerate(days)},
            "hoursPerDay": 8, "workingPatternId": 5100}


def _birth_age(e):
    birth = date.fromordinal(e.company.today_ordinal + e.birth_day)
    return years_months_days(birth, e.company.today)[0]


def _address(e):
    return f"{1 + e.number % 240} Example Street, {SITES[e.site]}"


RULES = {
    "root.id": attrgetter("id"),
    "root.companyId": lambda e: COMPANY_ID,
    "root.email": attrgetter("email"),
    "root.firstName": attrgetter("first_name"),
    "root.surname": attrgetter("surname"),
    "root.secondName": attrgetter("middle_name"),
    "root.fullName": attrgetter("full_name"),
    "root.displayName": attrgetter("full_name"),
    "root.creationDateTime": _creation_time,
    "root.creationDate": lambda e: e.day(e.original_start_day - 14),
    "root.state": lambda e: "Active" if e.active else "Uninvited",
    "root.avatarUrl": lambda e: f"https://images.example.com/{e.id}/avatar?size=150&v=1",
    "root.coverImageUrl": sometimes(
        "cover", 30, lambda e: f"https://images.example.com/{e.id}/cover.jpg"),
    "personal.birthDate": day("birth_day"),
    "personal.shortBirthDate": short_day("birth_day"),
    "personal.age": _birth_age,
    "work.employeeIdInCompany": attrgetter("number"),
    "work.title": lambda e: TITLE_IDS[e.title],
    "work.department": lambda e: DEPARTMENT_IDS[e.department],
    "work.site": lambda e: SITES[e.site],
    "work.siteId": lambda e: SITE_IDS[e.site],
    "work.startDate": day("start_day"),
    "work.activeEffectiveDate": day("start_day"),
    "work.shortStartDate": short_day("start_day"),
    "work.originalStartDate": day("original_start_day"),
    "work.tenureDuration": _period_served,
    "work.durationOfEmployment": _period_served,
    "work.tenureDurationYears": lambda e: _years(_served(e)),
    "work.yearsOfService": lambda e: _years(_served(e)),
    "work.tenureYears": lambda e: int(_served(e) / 365.25),
    "work.daysOfPreviousService": lambda e: e.start_day - e.original_start_day,
    "work.reportsTo": lambda e: brief(e.manager),
    "work.reportsTo.email": _manager_email,
    "work.reportsToIdInCompany": _of_manager("number"),
    "work.manager": _of_manager("id"),
    "work.secondLevelManager": _second_level,
    "work.isManager": lambda e: e.direct_reports > 0,
    "work.directReports": attrgetter("direct_reports"),
    "work.indirectReports": attrgetter("all_reports"),
    "employee.hrbp": _colleague("hrbp"),
    "employee.itAdmin": _colleague("itAdmin"),
    "employee.payrollManager": _colleague("payrollManager"),
    "employee.buddy": sometimes("has buddy", 30, _colleague("buddy")),
    "work.custom.field_1700000000005": sometimes("has mentor", 30,
                                                 _colleague("mentor")),
    "about.avatar": lambda e: f"https://images.example.com/{e.id}/about.png",
    "about.about": sometimes(
        "about", 50, lambda e: f"Hi, I'm {e.first_name}.\nI like \"{e.surname}\"."),
    "address.fullAddress": _address,
    "address.siteCity": lambda e: SITES[e.site],
    "internal.status": lambda e: "Active" if e.active else "Inactive",
    "internal.lifecycleStatus": attrgetter("lifecycle"),
    "internal.terminationDate": day("termination_day"),
    "internal.terminationReason": attrgetter("termination_reason"),
    "internal.terminationType": lambda e: (
        e.termination_reason and
        ("Voluntary" if e.termination_reason == "Resignation" else "Involuntary")),
    "internal.periodSinceTermination": _period_left,
    "internal.yearsSinceTermination": lambda e: (
        _years(_left_days(e)) if _left_days(e) is not None else None),
    "internal.currentActiveStatusStartDate": day("start_day"),
    "internal.probationEndDate": lambda e: e.day(e.start_day + 90),
    "internal.notice": sometimes(
        "notice", 60, lambda e: {"unit": "days", "length": 30 * (1 + e.number % 3)}),
    "employee.recentLeaveStartDate": _on_leave(-10),
    "employee.recentLeaveEndDate": _on_leave(90),
    "home.spouse.birthDate": sometimes("spouse", 40, day("birth_day")),
    "home.spouse.shortBirthDate": sometimes("spouse", 40, short_day("birth_day")),
    "employee.firstDayOfWork": day("start_day"),
    "employee.lastDayOfWork": day("termination_day"),
    "payroll.employment.activeEffectiveDate": day("start_day"),
    "payroll.employment.weeklyHours": _hours,
    "payroll.employment.fte": lambda e: round(100 * _hours(e) / FULL_TIME_HOURS, 2),
    "payroll.employment.contract": lambda e: (
        "Full time" if _hours(e) > 35 else "Part time"),
    "payroll.salary.payment": money(lambda e: e.salary),
    "payroll.salary.yearlyPayment": money(lambda e: e.salary),
    "payroll.salary.monthlyPayment": money(lambda e: round(e.salary / 12, 2)),
    "payroll.salary.payment.currency": _currency,
    "payroll.salary.payPeriod": lambda e: "Annual",
    "payroll.salary.payFrequency": lambda e: "Monthly",
    "payroll.employment.standardWorkingPattern": lambda e: week(8),
    "payroll.employment.standardWorkingPattern.workingPatternId": lambda e: 5100,
    "payroll.employment.workingPattern": lambda e: week(_hours(e) / 5),
    "work.custom.field_1667499206086": _cost_centre,
    "work.custom.field_1700000000001": lambda e: (
        "XS S M L XL XXL".split()[draw(e.number, _SHIRT, 6)]),
    "work.custom.field_1700000000007": lambda e: (
        f"{DEPARTMENTS[e.department]} (cost view)"),
}


# -- everything else: by type ------------------------------------------------------

def _text(field, subject):
    """A value that is plausible for the name of the field."""
    id = field.id.lower()
    if "phone" in id or "mobile" in id:
        return lambda e: f"+44 20 7946 {draw(e.number, subject, 10000):04}"
    if "email" in id:
        return lambda e: f"private.{e.number}@example.org"
    if "postcode" in id or "postalcode" in id:
        return lambda e: f"{draw(e.number, subject, 100000):05}"
    if "city" in id:
        return lambda e: ("Leeds", "København", "Łódź")[draw(e.number, subject, 3)]
    if "socialdata" in id:
        return lambda e: f"https://social.example.com/u{e.number}?a=1&b=2"
    if "serial" in id or field.name == "Laptop serial":
        return lambda e: f"SN-{draw(e.number, subject, 10**8):08X}"
    return lambda e: f"{field.name} {draw(e.number, subject, 1000)}"


def _number(field, subject):
    """A count, or a percentage with a fraction."""
    if "percent" in field.id.lower():
        return lambda e: draw(e.number, subject, 400) / 4
    return lambda e: draw(e.number, subject, 10 if "numberOf" in field.id else 500)


def _date(field, subject):
    return lambda e: e.day(e.start_day + draw(e.number, subject, 900))


def _boolean(field, subject):
    return lambda e: draw(e.number, subject, 2) == 1


def _item(field, subject):
    ids = LISTS[field.list_id].ids
    return lambda e: ids[draw(e.number, subject, len(ids))]


def _items(field, subject):
    ids = LISTS[field.list_id].ids
    def choose(e):
        first = draw(e.number, subject, len(ids))
        return ids[first:first + draw(e.number, subject >> 1, 4)]
    return choose


LEAVERS_ONLY = {"employee.eligibleForRehire", "employee.regrettableTermination",
                "work.custom.field_1700000000009"}

TYPES = {
    "text": _text, "text-area": _text, "ssn": _text, "avatar": _text,
    "number": _number, "date": _date, "boolean": _boolean,
    "short-date": lambda field, subject: lambda e: _date(field, subject)(e)[5:],
    "time": lambda field, subject: _creation_time,
    "list": _item, "list_id": _item, "hierarchy-list": _item,
    "multi-list": _items,
    "currency": lambda field, subject: money(
        lambda e: draw(e.number, subject, 500000) / 100),
    "employee-reference": lambda field, subject: _colleague(field.id),
    "period": lambda field, subject: lambda e: period(
        draw(e.number, subject, 900), e.company.today),
    "working_pattern": lambda field, subject: lambda e: week(8),
}


def _by_type(field):
    """A plausible value for most people, null for the others."""
    make = TYPES[field.type](field, salt(field.id))
    if field.type == "multi-list":
        return make
    if field.id in LEAVERS_ONLY:
        return lambda e: make(e) if e.lifecycle == "terminated" else None
    return sometimes("has " + field.id, 65, make)


def getter(field):
    """The function that returns the value of a field for an employee."""
    if field.id.startswith(EXTRA):
        return _text(field, salt(field.id))
    return RULES.get(field.id) or _by_type(field)
