"""Special people that tests can rely on in companies of any size.

The key is the employee's number (work.employeeIdInCompany).  The values are
attributes of the Employee: names, days relative to today, and `fields`, which
replaces single field values (ABSENT leaves the keys out).  README.md lists them.
"""


class _Absent:
    """The value of a field that is missing in a response, not even null."""

    def __repr__(self):
        return "ABSENT"


ABSENT = _Absent()

AWKWARD_TEXT = ("tab\there, line\nbreak, return\r, bell\x07, one\x01, unit\x1f, "
                "delete\x7f, quote\", backslash\\, slash/, line\u2028separator, "
                "e\u0301, \U0001F469\u200D\U0001F4BB, \\u0041, end")

LONG_TEXT = "".join(f"Paragraph {n}: the quick brown fox – “naïve” – jumps. "
                    for n in range(200))

COST_CENTRE = "work.custom.field_1667499206086"
T_SHIRT = "work.custom.field_1700000000001"
DESK = "work.custom.field_1700000000004"


def _person(first, last, email=None, **facets):
    """By default, a special person has been employed for some years."""
    facets.setdefault("lifecycle", "employed")
    facets.update(first_name=first, surname=last)
    if email is not None:
        facets["email"] = email
    return facets


def _sparse_fields():
    """Number 13: most values are null, and two keys are absent."""
    nulls = ("root.secondName", "root.avatarUrl", "root.coverImageUrl",
             "work.department", "work.workPhone", "work.workMobile",
             "about.about", "about.avatar", "payroll.employment.contract",
             COST_CENTRE, T_SHIRT, DESK)
    return {**dict.fromkeys(nulls), "work.title": ABSENT,
            "payroll.employment.fte": ABSENT}


SPECIAL = {
    1: _person("Grace", "Okafor", "grace.okafor1@example.com", start_day=-5110,
               termination_day=None),
    2: _person('Ro"bert', "Back\\slash", "robert.backslash2@example.com"),
    3: _person("Zoë 🦄", "Müller-Lüdenscheidt 👩‍👩‍👧‍👦", "zoe.mueller3@example.com"),
    4: _person("Connie", "Troll", "connie.troll4@example.com",
               fields={"about.about": AWKWARD_TEXT}),
    5: _person("Noah", "Mailer", fields={"root.email": None}),
    6: _person("Siobhán", "O'Brien", "Siobhan.O'Brien6@Example.COM"),
    7: _person("Lena", "Gone", "lena.gone7@example.com", lifecycle="terminated",
               start_day=-1500, termination_day=-10,
               termination_reason="Redundancy"),
    8: _person("Dwayne", "Leaving", "dwayne.leaving8@example.com",
               start_day=-900, termination_day=14,
               termination_reason="Resignation"),
    9: _person("Newton", "Comer", "newton.comer9@example.com", lifecycle="hired",
               start_day=14),
    10: _person("Holly", "Day", "holly.day10@example.com", lifecycle="leave"),
    11: _person("Baby", "Steps", "baby.steps11@example.com",
                lifecycle="parental leave"),
    12: _person("Rose", "Gardener", "rose.gardener12@example.com",
                lifecycle="garden leave", termination_day=20,
                termination_reason="Resignation"),
    13: _person("Sparse", "Person", "sparse.person13@example.com",
                fields=_sparse_fields()),
    14: _person("محمد", "الحسن", "mohammed.alhassan14@example.com"),
    15: _person("נועה", "כהן", "noa.cohen15@example.com"),
    16: _person("秀英", "𠮷野", "xiuying.yoshino16@example.com"),
    17: _person("서연", "김", "seoyeon.kim17@example.com"),
    18: _person("क्षितिज", "शर्मा", "kshitij.sharma18@example.com"),
    19: _person("Дмитрий", "Петренко", "dmitry.petrenko19@example.com"),
    20: _person("Ελένη", "Οικονόμου", "eleni.oikonomou20@example.com"),
    21: _person("Wordy", "Writer" * 40, "wordy.writer21@example.com",
                fields={"about.about": LONG_TEXT}),
    22: _person("", "", "empty.strings22@example.com",
                fields={"about.about": "", "root.secondName": "", T_SHIRT: ""}),
    23: _person("  Spacey ", "\tTabbed\n", "spacey.tabbed23@example.com"),
    24: _person("Norma", "Number", "norma.number24@example.com",
                fields={DESK: 1.5e-07, "payroll.employment.weeklyHours": 37.5,
                        "payroll.employment.fte": 66.67}),
    25: _person("Olden", "Days", "olden.days25@example.com",
                lifecycle="terminated", start_day=-3000, termination_day=-400,
                termination_reason="Retirement"),
    26: _person("Rita", "Return", "rita.return26@example.com", start_day=-200,
                original_start_day=-2500),
    27: _person("NULL", "None", "null.none27@example.com",
                fields={"about.about": "null"}),
    30: _person("John", "Smith", "john.smith30@example.com"),
    31: _person("John", "Smith", "john.smith31@example.com"),
    32: _person("Tag", "Plus", "tag.plus+hr32@example.com",
                fields={"address.postCode": "01234", DESK: -7}),
    33: _person("Robert'); DROP TABLE people;--", "Tables",
                "robert.tables33@example.com"),
}
