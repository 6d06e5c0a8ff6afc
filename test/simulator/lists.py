"""The company's named lists, whose ids are the values of list-typed fields.

Built-in lists use the name as id ("Full time"); lists of the company have opaque
ids ("209192163" is Engineering); entity lists and the list of sites have integer
ids.
"""

import zlib


class Item:
    """One entry of a list, which may have children."""

    def __init__(self, id, name, archived=False, children=(), path=None):
        self.id = id
        self.name = name
        self.archived = archived
        self.children = list(children)
        self.path = path or name

    def as_json(self, include_archived):
        return {"id": self.id, "value": self.name, "name": self.name,
                "archived": self.archived,
                "children": [child.as_json(include_archived)
                             for child in self.children
                             if include_archived or not child.archived]}


class NamedList:
    """A list: `items` are nested, `live` are the active ones of all levels."""

    def __init__(self, name, items):
        self.name = name
        self.items = items
        every = list(_walk(items))
        self.live = [item for item in every
                     if not item.archived and not item.children]
        self.ids = [item.id for item in self.live]
        self.names = {item.id: item.path for item in every}

    def as_json(self, include_archived, keys=("values", "items")):
        items = [item.as_json(include_archived) for item in self.items
                 if include_archived or not item.archived]
        return {"name": self.name, **{key: items for key in keys}}


def _walk(items):
    for item in items:
        yield item
        yield from _walk(item.children)


def _same(*names):
    """Built-in entries: the id is the name."""
    return [Item(name, name) for name in names]


def _lower(*names):
    """Built-in entries whose id is the name in lower case."""
    return [Item(name.lower(), name) for name in names]


def _opaque(first, *names, archived=()):
    """The company's own entries: the ids are numeric strings without meaning."""
    return ([Item(str(first + 7 * n), name) for n, name in enumerate(names)]
            + [Item(str(first + 5000 + n), name, True)
               for n, name in enumerate(archived)])


def _integers(first, *names, archived=()):
    """Entities: integer ids."""
    return ([Item(first + 13 * n, name) for n, name in enumerate(names)]
            + [Item(first + 5000 + n, name, True)
               for n, name in enumerate(archived)])


def _tree(first, **branches):
    """Two levels with integer ids; a path is "parent \\ child"."""
    items = []
    for number, (parent, children) in enumerate(branches.items()):
        parent = parent.replace("_", " ")
        parent_id = first + 100 * number
        items.append(Item(parent_id, parent, children=[
            Item(parent_id + 1 + n, child, path=f"{parent} \\ {child}")
            for n, child in enumerate(children)]))
    return items


SITES = ("London (Demo)", "New York (Demo)", "Berlin", "Tel Aviv", "Zürich",
         "São Paulo", "東京", "Remote – EU")

# department → its job titles
ORGANISATION = {
    "Engineering": ("Software Engineer", "Senior Software Engineer",
                    "Engineering Manager", "Site Reliability Engineer"),
    "Product": ("Product Manager", "Product Designer", "UX Researcher"),
    "Sales": ("Account Executive", "Account Manager", "Sales Engineer",
              "Sales Development Representative"),
    "Marketing": ("Content Writer", "Growth Manager", "Événements & PR"),
    "Client Services": ("Customer Success Manager", "Support Engineer"),
    "Finance": ("Accountant", "Controller", "Payroll Specialist"),
    "People & Culture": ("HR Business Partner", "Recruiter",
                         "Learning & Development \"Lead\""),
    "Legal": ("Counsel", "Compliance Officer"),
    "IT": ("System Administrator", "IT Support", "Security Engineer"),
    "Forschung & Entwicklung": ("Data Scientist", "Research Engineer"),
    "Operations": ("Office Manager", "Procurement Manager"),
    "Executive": ("Chief of Staff", "Vice President"),
}

COST_CENTRES = ("CC-100 Engineering", "CC-110 Platform", "CC-200 Go-to-market",
                "CC-210 Customer", "CC-300 G&A", "CC-310 Workplace, IT",
                "CC-900 Übergreifend")

_RISK = _same("lowRisk", "someRisk", "atRisk")

_ITEMS = {
    "site": _integers(2274001, *SITES, archived=("Manchester",)),
    "department": _opaque(209192163, *ORGANISATION, archived=("Typing pool",)),
    "title": _opaque(209200011, *(title for titles in ORGANISATION.values()
                                  for title in titles), "Chief Executive Officer",
                     archived=("Webmaster",)),
    "field_1667499206086": _opaque(231500400, *COST_CENTRES,
                                   archived=("CC-000 Closed",)),
    "field_1700000000002": _opaque(245000100, "Deutsch", "English", "Français",
                                   "עברית", "日本語", "Português"),
    "field_1700000000008": _tree(371200, EMEA=("North", "South"),
                                 Americas=("East", "West"), APAC=("Tokyo",)),
    "status": _same("Active", "Inactive"),
    "lifecycleStatus": _lower("Hired", "Employed", "Terminated", "Garden leave",
                              "Leave", "Parental leave"),
    "state": _same("Active", "Invited", "Uninvited"),
    "terminationreason": _same("Resignation", "Redundancy", "Retirement",
                               "Performance", "End of contract"),
    "lifecycleReasonType": _same("Voluntary", "Involuntary", "Other"),
    "workChangeType": _same("New Employee", "Promotion", "Transfer", "Other"),
    "employmentstatus": _same("Full time", "Part time", "Casual"),
    "payrollEmploymentType": _same("Permanent", "Fixed term", "Contractor",
                                   "Intern"),
    "salaryPayType": _same("Salaried", "Hourly"),
    "flsaCode": _same("Exempt", "Non-exempt"),
    "personalWorkingPatternTypes": _same("custom", "library", "flexible"),
    "payPeriod": _same("Annual", "Hourly", "Daily", "Weekly", "Monthly"),
    "payFrequency": _same("Monthly", "Semi Monthly", "Weekly", "Bi-Weekly"),
    "payType": _same("Salary", "Bonus", "Expenses"),
    "payrollVariablePayoutType": _same("Cash", "Percentage"),
    "variablePayPeriod": _same("Annual", "Half-Yearly", "Quarterly", "Monthly"),
    "honorific": _same("Mr", "Mrs", "Ms", "Mx", "Dr"),
    "pronouns": _same("He / Him", "She / Her", "They / Them"),
    "nationalities": _same("British", "German", "Israeli", "Brazilian",
                           "Japanese", "American", "Ukrainian"),
    "countries": _same("United Kingdom", "Germany", "Israel", "Brazil", "Japan",
                       "United States", "Switzerland", "Côte d'Ivoire"),
    "disabilityStatus": _same("Yes", "No", "Prefer not to say"),
    "veteranStatus": _same("Veteran", "Not a veteran"),
    "familystatus": _same("Single", "Married", "Divorced", "Widowed"),
    "legalGender": _same("Female", "Male"),
    "legalGenderEnhanced": _same("Female", "Male", "Non-binary"),
    "relation": _same("Spouse", "Parent", "Sibling", "Friend"),
    "hobbies": _opaque(251000010, "Chess", "Climbing", "Cooking", "Sailing",
                       "Video games", "Rock, paper, scissors"),
    "superpowers": _opaque(252000010, "Pitching", "Copywriting", "Patience",
                           "Regular expressions"),
    "foodPreferences": _opaque(253000010, "Vegan", "Vegetarian", "Kosher",
                               "Halal", "No nuts"),
    "orgLevels": _opaque(254000010, "C-level", "Director", "Manager",
                         "Individual contributor"),
    "flightRiskStatus": _RISK,
    "ethnicity": _opaque(255000010, "A", "B", "Not stated"),
    "ethnicities": _opaque(256000010, "A", "B", "Not stated"),
    "jobCategory": _opaque(257000010, "Professionals", "Technicians",
                           "Administrative"),
    "calendar": _integers(70011, "UK holidays", "German holidays",
                          "Israeli holidays"),
    "workingPattern_entity_list": _integers(5100, "40 hours", "35 hours"),
    "workLocation_entity_list": _integers(5200, "Headquarters", "Home", "Hub"),
    "employer_entity_list": _integers(5300, "Example Ltd", "Example GmbH",
                                      "Example Inc."),
    "employer_workLocation_tree_entity_list": _tree(
        5400, Example_Ltd=("London", "Leeds"), Example_GmbH=("Berlin", "München")),
    "jobLevelRole_entity_list": _tree(5600, Engineer=("Junior", "Senior"),
                                      Manager=("Lead", "Head")),
    "jobLevelType_entity_list": _integers(5900, "Management", "Professional"),
    "jobRole_entity_list": _integers(6000, "Engineer", "Designer", "Seller"),
    "jobFamily_entity_list": _integers(6100, "Software", "Commercial"),
    "jobFamilyGroup_entity_list": _integers(6200, "Technology", "Business"),
    # Columns of custom tables, by table and column.
    "root__table_1791380280851.column_1791380300005": _opaque(
        261000010, "Basic", "Advanced", "Trainer"),
    "root__table_1791380280851.column_1791380300006": _opaque(
        262000010, "Safety", "Data, privacy", "Cloud", "Traffic"),
    "root__table_1791380280851.column_1791380300011": _tree(
        371300, EMEA=("North", "South"), APAC=("Tokyo",)),
    "jobProfile_entity_list": _tree(6300, Software=("SE-1", "SE-2"),
                                    Commercial=("AE-1",)),
}


def _fallback(name):
    """A list without a definition: three entries with the name of the list."""
    first = 300000000 + zlib.crc32(name.encode()) % 90000000
    return _opaque(first, *(f"{name} {letter}" for letter in "ABC"))


def named_lists(names):
    """All lists, by name: those above, and all others that fields refer to."""
    names = list(_ITEMS) + sorted(set(names) - set(_ITEMS))
    return {name: NamedList(name, _ITEMS.get(name) or _fallback(name))
            for name in names}
