"""Time off policies: their types, the policies of a type, and balances.

A policy type has a name, an activity and a unit.  Each has one or two policies,
and an employee has a balance under each type that counts one.
"""

import re
from datetime import date

from draws import draw, salt
from messages import ApiError, json_response
from tables import seen_employee

PAID, UNPAID, WORK = "paidTimeoff", "unpaidTimeoff", "workTime"
_TYPES = {      # name: (activity, unit)
    "Holiday": (PAID, "days"), "Sick": (PAID, "days"),
    "Parental leave": (UNPAID, "days"), "Urlaub – Sonder": (PAID, "hours"),
    "有給休暇": (PAID, "days"), "Home office": (WORK, "days"),
    "Business travel": (WORK, "days")}
POLICY_TYPES = tuple(_TYPES)
WORKING = {name for name, (activity, _) in _TYPES.items() if activity == WORK}
_TAKEN, _ADJUSTED = map(salt, ("balance taken", "balance adjusted"))


def _names(type):
    """The policies of a type; the first types have two."""
    names = [f"{type} policy", f"{type} / part time"]
    return names if type in POLICY_TYPES[:2] else names[:1]


_TYPE_OF = {name: type for type in POLICY_TYPES for name in _names(type)}


def _policy(name):
    type = _TYPE_OF[name]
    number = list(_TYPE_OF).index(name)
    unit = _TYPES[type][1]
    return {"name": name, "allowance": 25 if unit == "days" else 187.5,
            "maxBalance": None if number % 2 else 40, "minBalance": -5,
            "yosIncrease": [{"yearsOfService": 2, "extraDays": 1},
                            {"yearsOfService": 5, "extraDays": 2.5}]
            if number % 2 == 0 else [],
            "minTimeOffRequestDuration": "halfDay" if unit == "days" else "fullHour",
            "bookingWorkDaysOnly": True, "approvalRequired": type != "Sick",
            "description": None if number % 3 else f"About “{name}”,\nin short",
            "unit": unit}


def read_policy_types(simulator, request):
    return json_response({"policyTypes": list(POLICY_TYPES)},
                         settings=simulator.settings)


def read_policy_type(simulator, request):
    name = request.params["policy_type"]
    if name not in _TYPES:
        raise ApiError(404)
    activity, unit = _TYPES[name]
    return json_response({"name": name, "activity": activity, "unit": unit},
                         settings=simulator.settings)


def read_policy_names(simulator, request):
    type = _required(request, "policyTypeName")
    return json_response({"policyNames": _names(type) if type in _TYPES else []},
                         settings=simulator.settings)


def read_policy(simulator, request):
    name = _required(request, "policyName")
    if name not in _TYPE_OF:
        raise ApiError(404)
    return json_response(_policy(name), settings=simulator.settings)


def _required(request, name):
    value = request.query.get(name)
    if not value:
        raise ApiError(400, "missingParameter", f"Missing parameter: {name}")
    return value


# -- balances ---------------------------------------------------------------------

def read_balance(simulator, request):
    employee = seen_employee(simulator, request.params["employee_id"])
    type = _required(request, "policyType")
    text = _required(request, "date")
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            raise ValueError
        day = date.fromisoformat(text)
    except ValueError:
        raise ApiError(400, "invalidDate",
                       "date is not a date like 2050-04-05") from None
    if type not in _TYPES:
        raise ApiError(400, "invalidPolicyType", f"Unknown policy type: {type}")
    return json_response(balance(employee, type, day), settings=simulator.settings)


def balance(e, type, day):
    """What an employee has left under a policy type on a day."""
    unit = 7.5 if _TYPES[type][1] == "hours" else 1
    taken = draw(e.number, _TAKEN + len(type), 20) * unit
    adjusted = draw(e.number, _ADJUSTED + len(type), 3)
    accrued = 25 * unit * day.timetuple().tm_yday / 365
    total = accrued + adjusted - taken
    return {"employeeId": e.id, "totalBalanceAsOfDate": round(total, 6),
            "totalRoundedBalanceAsOfDate": round(total * 2) / 2,
            "pointInTime": day.isoformat(),
            "startingBalance": 0, "startingBalanceAsOf": f"{day.year:04}-01-01",
            "totalTaken": taken, "totalAdminAdjustments": adjusted,
            "totalSystemAdjustments": 0, "annualAllowance": 25 * unit,
            "policy": _names(type)[e.number % len(_names(type))]}
