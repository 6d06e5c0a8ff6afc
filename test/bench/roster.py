"""Makes the bodies of the roster's benchmark: a company, and the same company
with another site for one employee in a hundred.

    roster.py DIRECTORY SIZE...

There are three kinds: "narrow" with five fields an employee, "roster" with
twenty-four, and "wide" with eighty, of which the table reads eight.
"""

import pathlib
import sys

import bodies

ROSTER = bodies.NARROW_FIELDS + (
    "root.displayName", "root.firstName", "root.surname", "work.site",
    "work.siteId", "work.manager", "work.isManager", "work.directReports",
    "work.employeeIdInCompany", "work.workMobile", "root.creationDateTime",
    "work.originalStartDate", "internal.terminationDate",
    "payroll.employment.fte", "payroll.employment.weeklyHours",
    "work.custom.field_1667499206086", "work.custom.field_1667499206101",
    "work.custom.field_1667499206102", "work.custom.field_1667499206103")


def employee(kind, number, changed):
    fields = bodies.employee(number)
    if changed and number % 100 == 0:
        fields["work.site"] = "Moved"
        fields["root.fullName"] += " (moved)"
    if kind != "wide":
        wanted = bodies.NARROW_FIELDS if kind == "narrow" else ROSTER
        fields = {field: fields[field] for field in wanted}
    return bodies.as_json(fields)


def main():
    directory = pathlib.Path(sys.argv[1])
    for kind in ("narrow", "roster", "wide"):
        for changed in (False, True):
            block = bodies.Block([employee(kind, number, changed)
                                  for number in range(bodies.BLOCK)])
            for size in map(int, sys.argv[2:]):
                name = f"{kind}-{size}" + ("-changed" if changed else "")
                bodies.write_block_wise(
                    directory / f"{name}.json", block, size,
                    b'{"employees":[', b",", b"]}")


main()
