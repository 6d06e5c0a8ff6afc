"""The other tables: pay besides the salary, equity, training, accounts.

A maker is a function from an Employee to the rows, oldest first; many people
have no rows.  The columns of dependents and right to work are undocumented, so
their rows have the columns of all tables, and a custom column.
"""

from draws import draw, salt
from history import entry, spans
from values import money

_HAS, _KIND, _DAY, _AMOUNT = map(salt, ("has row", "row kind", "row day", "row amount"))


def _count(e, subject, share, most):
    """The number of rows of an employee: 0 except for a share in percent."""
    if draw(e.number, _HAS + subject, 100) >= share:
        return 0
    return 1 + draw(e.number, _KIND + subject, most)


def _days(e, subject, count):
    """Days from the start until today, in order."""
    served = max(1, -e.start_day)
    step = served // (count + 1) or 1
    return [e.start_day + n * step + draw(e.number, _DAY + subject + n, step)
            for n in range(count)]


def _rows(e, subject, share, most, columns):
    """Rows with a history, the last one current; `columns(e, n)` are the others."""
    days = _days(e, subject, _count(e, subject, share, most))
    rows = []
    for n, (day, end) in enumerate(spans(days)):
        row = entry(e, day, end, end is None, sequence=n)
        row.update(columns(e, n))
        if e.number == 13:
            keep = {"id", "effectiveDate", "isCurrent", "canBeDeleted",
                    "activeEffectiveDate", "change", "customColumns"}
            row = {key: value if key in keep else None for key, value in row.items()}
        rows.append(row)
    return rows


def _amount(e, subject, most):
    return money(lambda e: draw(e.number, _AMOUNT + subject, most * 100) / 100)(e)


_SCHEMES = ("Childcare vouchers", "Company Car", "Cycle to work",
            "Lunch vouchers", "Season ticket loans")


def deduction(e):
    return _rows(e, 10, 40, 3, lambda e, n: {
        "deduction": _SCHEMES[draw(e.number, _KIND + n, 5)],
        "amount": _amount(e, n, 300)})


def entitlement(e):
    return _rows(e, 20, 45, 3, lambda e, n: {
        "entitlement": _SCHEMES[draw(e.number, _KIND + 7 + n, 5)],
        "amount": _amount(e, 7 + n, 400)})


def variable(e):
    return _rows(e, 30, 50, 3, _variable)


def _variable(e, n):
    kind = ("Bonus", "Executive bonus", "Commission")[draw(e.number, _KIND + n, 3)]
    own = 10 * draw(e.number, _KIND + 40 + n, 6)
    return {"variableType": kind, "payoutType": "Cash",
            "paymentPeriod": ("Annual", "Half-Yearly", "Quarterly",
                              "Monthly")[draw(e.number, _KIND + 31, 4)],
            "amount": _amount(e, 30 + n, 20000),
            "percentageOfAnnualSalary": draw(e.number, _AMOUNT + 33, 60) / 2,
            "companyPercent": 100 - own, "departmentPercent": 0,
            "individualPercent": own, "endDate": None}


def equities(e):
    return _rows(e, 50, 25, 3, _equity)


def _equity(e, n):
    day = e.start_day + 365 * n
    pending = draw(e.number, _KIND + 51 + n, 5) == 0
    return {"quantity": 100 + 50 * draw(e.number, _AMOUNT + 50 + n, 400),
            "equityType": ("Options", "RSU", "ESPP")[draw(e.number, _KIND + 52, 3)],
            "grantType": "Merit Grant" if n else "Initial Grant",
            "grantStatus": "Pending Approval" if pending else "Granted",
            "grantNumber": 10 * e.number + n + 0.5 if e.number == 24
            else 10 * e.number + n,
            "grantDate": e.day(day), "vestingCommencementDate": e.day(day + 30),
            "vestingTerm": "4 years", "vestingSchedule": 880001 + n,
            "optionExpiration": e.day(day + 3652),
            "consentNumber": f"C-{e.number:05}/{n}",
            "exercisePrice": {"value": 1.25 + n, "currency": "USD"},
            "reason": None}


def dependents(e):
    return _rows(e, 60, 35, 3, lambda e, n: {
        "customColumns": {"column_1690000000001": f"Dependent {n + 1}"}})


def right_to_work(e):
    return _rows(e, 70, 30, 2, lambda e, n: {
        "customColumns": {"column_1690000000002": f"Permit {e.number}-{n}"}})


# -- with a request for each employee only ---------------------------------------------

_COURSES = ("Training", "First aid", "264100015", "Conférence, externe",
            "Say \"yes\"", "安全教育")


def training(e):
    days = _days(e, 80, _count(e, 80, 60, 4))
    return [{"id": 7000000 + 10 * e.number + n,
             "name": _COURSES[draw(e.number, _KIND + 81 + n, len(_COURSES))],
             "description": None if n else "Line one\nline two",
             "cost": _amount(e, 80 + n, 900) if n % 2 == 0 else None,
             "status": ("Planned", "In progress",
                        "Completed")[draw(e.number, _KIND + 85 + n, 3)],
             "frequency": ("Once", "Weekly", "Monthly", "Yearly")[n],
             "startDate": e.day(day), "endDate": e.day(day + 2) if n else None,
             "documentId": 17016973 + e.number if n == 1 else None,
             "customColumns": {}} for n, day in enumerate(days)]


def bank_accounts(e):
    count = _count(e, 90, 70, 2)
    return [{"bankAccountType": ("Checking", "Savings")[n],
             "routingNumber": f"{draw(e.number, _AMOUNT + 90, 10**9):09}",
             "accountNickname": "Küche & Co" if n else None,
             "accountNumber": f"{draw(e.number, _AMOUNT + 91 + n, 10**8):08}",
             "bankName": "Example Bank", "branchAddress": "1 Example Street",
             "bicOrSwift": "EXAMGB2L",
             "iban": f"GB00EXAM{draw(e.number, _AMOUNT + 93 + n, 10**14):014}",
             "allocation": "remaining" if n == count - 1 else "percent",
             "amount": None if n == count - 1 else 12.5, "useForBonus": n == 0,
             "id": 9000000 + 10 * e.number + n, "changedBy": e.id}
            for n in range(count)]
