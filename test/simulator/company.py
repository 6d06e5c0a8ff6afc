"""The company: its employees, their managers, joiners and leavers.

An Employee is computed from the number alone; the same number, company size and
date give the same person.  Managers form a tree over the numbers, five levels
deep: number 1 is the CEO.
"""

from datetime import date

from draws import draw, lazy, salt
from lists import COST_CENTRES, ORGANISATION, SITES
from names import MIDDLE_NAMES, SCRIPTS
from special import SPECIAL

ID_BASE = 3332883884017713238
ID_LENGTH = 19
ID_STEP = 37        # ids this close are one and the same as a double
LEVELS = 5
CACHED_COMPANY = 20000
OFTEN = 100

DEPARTMENTS = tuple(ORGANISATION)
TITLES = tuple(ORGANISATION.values())

_SCRIPT, _FIRST, _LAST, _MIDDLE = map(salt, ("script", "first", "last", "middle"))
_LIFE, _START, _END = map(salt, ("phase", "start", "end"))
_ORIGINAL, _EMAIL, _DEPARTMENT = map(salt, ("original", "email", "department"))
_TITLE, _SITE, _BIRTH, _PAY = map(salt, ("title", "site", "birth", "pay"))
_REASON, _COST, _LEAVING = map(salt, ("reason", "cost", "leaving"))

# Upper bounds out of 1000 for people without and with reports.
_LIFE_STAFF = ((140, "terminated"), (160, "leave"), (180, "parental leave"),
               (188, "garden leave"), (220, "hired"), (1000, "employed"))
_LIFE_MANAGER = ((50, "terminated"), (65, "parental leave"), (1000, "employed"))

_REASONS = ("Resignation", "Redundancy", "Retirement", "Performance",
            "End of contract")


class Employee:
    """One person.  Days count from today: -1 is yesterday."""

    fields = {}     # single field values replaced, by field id

    def __init__(self, company, number):
        self.company = company
        self.number = number
        if number in SPECIAL:
            self.__dict__.update(SPECIAL[number])
        if number in company.overrides:
            self.fields = {**self.fields, **company.overrides[number]}

    @lazy
    def id(self):
        return str(ID_BASE + ID_STEP * self.number)

    # -- names --------------------------------------------------------------

    @lazy
    def _name(self):
        """((first, latin), (last, latin)) in one script."""
        number = self.number
        firsts, lasts = SCRIPTS[draw(number, _SCRIPT, len(SCRIPTS))]
        return (firsts[draw(number, _FIRST, len(firsts))],
                lasts[draw(number, _LAST, len(lasts))])

    @lazy
    def first_name(self):
        return self._name[0][0]

    @lazy
    def surname(self):
        return self._name[1][0]

    @lazy
    def middle_name(self):
        pick = draw(self.number, _MIDDLE, 40)
        return MIDDLE_NAMES[pick] if pick < len(MIDDLE_NAMES) else None

    @lazy
    def full_name(self):
        return f"{self.first_name} {self.surname}"

    @lazy
    def email(self):
        """Ends in the number, so that the company can find people by e-mail."""
        pick = draw(self.number, _EMAIL, 200)
        if pick < 3:
            return None
        (_, first), (_, last) = self._name
        if pick < 8:
            return f"{first.title()}.{last.title()}{self.number}@Example.com"
        return f"{first}.{last}{self.number}@example.com"

    # -- life cycle ---------------------------------------------------------

    @lazy
    def lifecycle(self):
        bounds = _LIFE_MANAGER if self.direct_reports else _LIFE_STAFF
        pick = draw(self.number, _LIFE, 1000)
        return next(status for bound, status in bounds if pick < bound)

    @lazy
    def active(self):
        return self.lifecycle == "employed"

    @lazy
    def termination_day(self):
        """Leavers have one, and a few employees who will leave."""
        number = self.number
        if self.lifecycle == "terminated":
            recent = draw(number, _LEAVING, 100) < 45
            return -1 - draw(number, _END, 365 if recent else 1800)
        if self.lifecycle == "garden leave" or draw(number, _LEAVING, 100) == 99:
            return 1 + draw(number, _END, 60)
        return None

    @lazy
    def start_day(self):
        number = self.number
        if self.lifecycle == "hired":
            return 1 + draw(number, _START, 60)
        end = self.termination_day
        latest = min(-1, end - 30) if end is not None else -1
        return latest - draw(number, _START, 3600)

    @lazy
    def original_start_day(self):
        """Earlier than the start for one in thirty, who were rehired."""
        if draw(self.number, _ORIGINAL, 30):
            return self.start_day
        return self.start_day - 200 - draw(self.number, _ORIGINAL, 1500)

    @lazy
    def termination_reason(self):
        if self.termination_day is None:
            return None
        return _REASONS[draw(self.number, _REASON, len(_REASONS))]

    @lazy
    def birth_day(self):
        return self.original_start_day - 6700 - draw(self.number, _BIRTH, 13000)

    def day(self, days):
        """The date this number of days from today, as in JSON; None for None."""
        if days is None:
            return None
        return date.fromordinal(self.company.today_ordinal + days).isoformat()

    # -- place in the company -----------------------------------------------

    @lazy
    def manager(self):
        if self.number == 1:
            return None
        return self.company.manager((self.number - 2) // self.company.span + 1)

    @lazy
    def direct_reports(self):
        """How many people, including leavers, have this manager."""
        span, size = self.company.span, self.company.size
        first = span * (self.number - 1) + 2
        return max(0, min(size, first + span - 1) - first + 1)

    @lazy
    def all_reports(self):
        """All people below, level by level; each level is a range of numbers."""
        span, size = self.company.span, self.company.size
        total, first, last = 0, self.number, self.number
        while (first := span * (first - 1) + 2) <= size:
            last = span * last + 1
            total += min(size, last) - first + 1
        return total

    @lazy
    def department(self):
        """An index into DEPARTMENTS; most of a manager's people share one."""
        if self.number == 1:
            return len(DEPARTMENTS) - 1
        if draw(self.number, _DEPARTMENT, 5):
            return (self.number - 2) // self.company.span % len(DEPARTMENTS)
        return draw(self.number, _DEPARTMENT, len(DEPARTMENTS))

    @lazy
    def title(self):
        if self.number == 1:
            return "Chief Executive Officer"
        titles = TITLES[self.department]
        return titles[draw(self.number, _TITLE, len(titles))]

    @lazy
    def site(self):
        """An index into SITES."""
        return draw(self.number, _SITE, len(SITES))

    @lazy
    def cost_centre(self):
        """An index into COST_CENTRES, or None for one in fifty."""
        if not draw(self.number, _COST, 50):
            return None
        return (self.department + draw(self.number, _COST, 2)) % len(COST_CENTRES)

    @lazy
    def salary(self):
        return 28000 + 250 * draw(self.number, _PAY, 500)


class Company:
    """All employees of a company of a given size, as of a date."""

    def __init__(self, size, today, overrides=None):
        self.size = size
        self.today = today
        self.today_ordinal = today.toordinal()
        self.overrides = overrides or {}
        self._overridden = {}
        for number, fields in self.overrides.items():
            if isinstance(fields.get("root.email"), str):
                self._overridden.setdefault(fields["root.email"], []).append(number)
        self.span = _span(size)
        self._known = {}
        self._often = {}
        self._last_manager = None

    def employee(self, number):
        """The employee with a number from 1 to size."""
        employee = self._known.get(number)
        if employee is None:
            employee = Employee(self, number)
            if self.size <= CACHED_COMPANY:
                self._known[number] = employee
        return employee

    def known(self, number):
        """The same, cached for all companies: for a few numbers that are used often."""
        employee = self._often.get(number)
        if employee is None:
            employee = self.employee(number)
            if len(self._often) < OFTEN:
                self._often[number] = employee
        return employee

    def manager(self, number):
        """The same, for a number that is used many times in a row."""
        last = self._last_manager
        if last is None or last.number != number:
            last = self._last_manager = self.employee(number)
        return last

    def everyone(self):
        return map(self.employee, range(1, self.size + 1))

    def by_id(self, id):
        """The employee with an id, or None."""
        if not (id.isascii() and id.isdigit() and len(id) == ID_LENGTH):
            return None
        number, rest = divmod(int(id) - ID_BASE, ID_STEP)
        known = not rest and 1 <= number <= self.size
        employee = self.employee(number) if known else None
        return employee if employee and employee.id == id else None

    def by_email(self, email, ignore_case=True):
        """The first employee with an e-mail address, or None."""
        found = self.all_by_email(email, ignore_case)
        return found[0] if found else None

    def all_by_email(self, email, ignore_case=True):
        """The employees with an e-mail address, which several may share."""
        numbers = {*self._overridden.get(email, ()), _number_in(email)}
        found = (self._with_email(number, email, ignore_case)
                 for number in sorted(numbers))
        return [employee for employee in found if employee]

    def _with_email(self, number, email, ignore_case):
        if not 1 <= number <= self.size:
            return None
        employee = self.employee(number)
        theirs = employee.fields.get("root.email", employee.email)
        if not isinstance(theirs, str):
            return None
        same = (theirs.lower() == email.lower() if ignore_case
                else theirs == email)
        return employee if same else None


def _span(size):
    """The smallest number of reports per manager for LEVELS levels."""
    span = 1
    while sum(span ** level for level in range(LEVELS + 1)) < size:
        span += 1
    return span


def _number_in(email):
    """The number at the end of an address's local part, or 0."""
    local = email.partition("@")[0]
    digits = local[len(local.rstrip("0123456789")):]
    return int(digits[:12] or 0)
