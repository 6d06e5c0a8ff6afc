"""Makes the input: bodies as HiBob sends them, and the same rows as CSV.

A body is one block of different employees that is repeated with new ids until
there are enough.  The repetitions are too far apart for caches, and a million
employees are written as fast as the disk allows.  There is no randomness, so
each run reads the same bytes.

An employee has each field twice, as in HiBob: by slash key if it is not null,
and nested.  Narrow employees have the five requested fields; wide ones have all
default fields of a search and fifty more, many of which are empty, as in most
accounts.
"""

import csv
import gzip
import io
import itertools
import json
import os
import shutil

BLOCK = 1000                    # different employees
FIRST_ID = 3332883884017713238  # HiBob's ids have 19 digits
EXAMPLE_ID = b"9999999999999999999"  # where an employee's own goes

NARROW = ("id", "email", "full_name", "status", "start_date")
WIDE = ("id", "email", "full_name", "site", "status", "start_date",
        "termination_date", "is_manager")

FIRST_NAMES = (
    "Grace", "Ada", "José", "Mei", "Olu", "Zoë", "Björn", "Priya", "Ivan",
    "Fatima", "Noa", "Łukasz", "Ann-Marie", "Chloé", "Hana", "Dmitri", "Sean",
    "Aroha", "Ingrid", "Kwame")
SURNAMES = (
    "Okafor", "Lovelace", "García Márquez", "Chen", "O'Neill", "Müller",
    "van der Berg", "Kowalska", "Smith", "Al-Sayed", "Cohen", "Nguyen",
    "Papadopoulos", "Tanaka", "Åström", "D\"Arcy", "Iyer", "Johansen", "Rossi")
SITES = ("London (Demo)", "New York", "Tel Aviv", "Zürich", "Remote")
LEAVING = ("Resigned", "Redundancy", "End of contract")
MOSTLY_EMPTY = (
    "address.line2", "address.postCode", "address.usaState",
    "address.activeEffectiveDate", "personal.honorific", "personal.age",
    "personal.nationality", "personal.shortBirthDate", "home.mobilePhone",
    "home.legalGender", "home.familyStatus", "home.numberOfKids",
    "home.spouse.firstName", "home.spouse.surname", "home.spouse.gender",
    "identification.ssn", "identification.passportNumber",
    "identification.ssnSerialNumber", "emergency.firstName",
    "emergency.surname", "emergency.relation", "emergency.mobilePhone",
    "emergency.email", "emergency.city", "employee.firstDayOfWork",
    "employee.lastDayOfWork", "internal.probationEndDate")
TITLES = 60
DEPARTMENTS = 17


def employee(number):
    """The fields of an employee, in HiBob's order, by id: value or None."""
    first = FIRST_NAMES[number * 7 % len(FIRST_NAMES)]
    surname = SURNAMES[number * 11 % len(SURNAMES)]
    example = EXAMPLE_ID.decode()
    started = "20%02d-%02d-%02d" % (
        2 + number % 24, 1 + number % 12, 1 + number * 5 % 28)
    left = number % 9 == 0
    years = 1 + number % 13
    tenure = {"periodISO": f"P{years}Y3M8D", "sortFactor": 360 * years + 98,
              "humanize": f"{years} years, 3 months and 8 days"}
    manager = str(FIRST_ID + number // 8)
    manages = number % 8 == 0
    return {
        "root.id": example,
        "root.companyId": 636192,
        "root.email": f"person.{example}@example.com",
        "root.firstName": first,
        "root.surname": surname,
        "root.fullName": f"{first} {surname}",
        "root.displayName": f"{first} {surname}",
        "root.secondName": None,
        "root.creationDateTime": f"{started}T11:13:40.175639",
        "root.coverImageUrl": None,
        "root.avatarUrl": f"https://images.example.com/{example}/avatar",
        "work.activeEffectiveDate": started,
        "work.employeeIdInCompany": number + 1,
        "work.title": str(209192000 + number % TITLES),
        "work.startDate": started,
        "work.shortStartDate": started[5:],
        "work.originalStartDate": started,
        "work.durationOfEmployment": None,
        "work.yearsOfService": years + 0.25,
        "work.tenureDuration": tenure if number % 2 else None,
        "work.tenureDurationYears": None,
        "work.tenureYears": years,
        "work.site": SITES[number % len(SITES)],
        "work.siteId": 2274000 + number % len(SITES),
        "work.department": str(209193000 + number % DEPARTMENTS),
        "work.workChangeType": None,
        "work.reportsTo": None if manages else {
            "id": manager, "firstName": "Ada", "surname": "Lovelace",
            "email": f"person.{manager}@example.com",
            "displayName": "Ada Lovelace"},
        "work.reportsToIdInCompany": number // 8,
        "work.manager": manager,
        "work.secondLevelManager": None,
        "work.isManager": manages,
        "work.directReports": 8 if manages else 0,
        "work.indirectReports": 0,
        "work.daysOfPreviousService": 0,
        "work.workPhone": None,
        "work.workMobile": f"+44 20 7946 {number:04d}",
        "employee.payrollManager": None,
        "employee.hrbp": manager,
        "employee.itAdmin": None,
        "employee.buddy": None,
        "about.avatar": None,
        "about.about": None if number % 3 else
        "I like \"long\" walks,\nclimbing & coffee.",
        "about.socialData.facebook": None,
        "about.socialData.twitter": None,
        "about.socialData.linkedin": None,
        "about.hobbies": [],
        "about.superpowers": [],
        "about.foodPreferences": ["253000031"] if number % 4 == 0 else [],
        # Fifty more.
        "internal.status": "Inactive" if left else "Active",
        "internal.lifecycleStatus": "terminated" if left else "employed",
        "internal.terminationDate": "2026-%02d-28" % (1 + number % 11)
        if left else None,
        "internal.terminationReason": LEAVING[number % 3] if left else None,
        "payroll.employment.type": "Full time",
        "payroll.employment.contract": "Permanent",
        "payroll.employment.fte": 100,
        "payroll.employment.weeklyHours": 40,
        "address.country": "United Kingdom",
        "address.city": None,
        "address.line1": None,
        "personal.pronouns": None,
        "personal.birthDate": None,
        "home.privateEmail": None,
        "work.custom.field_1667499206086": f"CC-{100 + number % 40}",
        **{f"work.custom.field_{1667499206100 + i}":
           str(253000000 + (number + i) % 90) if (number + i) % 5 == 0
           else None for i in range(8)},
        **dict.fromkeys(MOSTLY_EMPTY),
    }


NARROW_FIELDS = ("root.id", "root.email", "root.fullName", "internal.status",
                 "work.startDate")


def as_json(fields):
    """An employee as HiBob sends one: by slash key, and nested."""
    entry = {"/" + field.replace(".", "/"): {"value": value}
             for field, value in fields.items() if value is not None}
    for field, value in fields.items():
        at = entry
        *parents, last = field.removeprefix("root.").split(".")
        for key in parents:
            at = at.setdefault(key, {})
        at[last] = value
    return json.dumps(entry, ensure_ascii=False,
                      separators=(",", ":")).encode()


def as_csv(fields, columns):
    """The line of CSV with the values of the columns of a table."""
    by_column = {
        "id": fields["root.id"], "email": fields["root.email"],
        "full_name": fields["root.fullName"], "site": fields["work.site"],
        "status": fields["internal.status"],
        "start_date": fields["work.startDate"],
        "termination_date": fields["internal.terminationDate"],
        "is_manager": "true" if fields["work.isManager"] else "false"}
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(
        [by_column[column] for column in columns])
    return out.getvalue().encode()


def columns_of(kind):
    return NARROW if kind == "narrow" else WIDE


class Block:
    """One text per employee, split where the employee's id is inserted."""

    def __init__(self, texts):
        self.cut = [text.split(EXAMPLE_ID) for text in texts]

    def texts(self, first):
        """The texts with ids that start at a number."""
        for number, parts in enumerate(self.cut, first):
            yield str(FIRST_ID + number).encode().join(parts)


def write_block_wise(path, block, count, before, between, after):
    with open(path, "wb") as out:
        out.write(before)
        for first in range(0, count, BLOCK):
            texts = block.texts(first)
            if first > 0:
                out.write(between)
            out.write(between.join(itertools.islice(texts, count - first)))
        out.write(after)


def compress(path):
    with open(path, "rb") as plain, \
            gzip.GzipFile(path + ".gz", "wb", compresslevel=1, mtime=0) as out:
        shutil.copyfileobj(plain, out, 1 << 20)


def blocks(kind):
    """An employee's JSON and CSV, as blocks."""
    fields = [employee(number) for number in range(BLOCK)]
    lines = [as_csv(f, columns_of(kind)) for f in fields]
    if kind == "narrow":
        fields = [{name: f[name] for name in NARROW_FIELDS} for f in fields]
    return Block([as_json(f) for f in fields]), Block(lines)


def bytes_per_employee(kind):
    """The approximate size, before the body is made."""
    texts, _ = blocks(kind)
    return sum(map(len, texts.texts(0))) // BLOCK + 1


def make(directory, kind, count, zipped):
    """Makes KIND-COUNT.json, .csv and optionally .json.gz."""
    path = os.path.join(directory, f"{kind}-{count}.json")
    employees, lines = blocks(kind)
    write_block_wise(path, employees, count, b'{"employees":[', b",", b"]}")
    write_block_wise(path.replace(".json", ".csv"), lines, count,
                     b"", b"", b"")
    if zipped:
        compress(path)
    return path


def remove(directory, kind, count):
    """Removes the files of make()."""
    for name in os.listdir(directory):
        if name.startswith(f"{kind}-{count}."):
            os.unlink(os.path.join(directory, name))


def make_one(directory):
    """one.json: the response to a lookup of one employee, the object alone."""
    employees, _ = blocks("narrow")
    with open(os.path.join(directory, "one.json"), "wb") as out:
        out.write(next(employees.texts(0)))
