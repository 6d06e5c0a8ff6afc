"""Modules that not every account has: goals, skills, employers, hiring.

The field ids of candidates, applications, employers and skills are known.  Those
of goals are not published, so a goal here has two invented ones.
"""

from draws import draw, salt
from items import reader_of

_SEED = salt("talent")


def _ids(kind, text):
    return tuple(f"/{kind}/{name}" for name in text.split())


SKILL = _ids("skill", "id name description status categoryName source externalId "
             "proficiencyLevels createdAt")
EMPLOYER = _ids("employer", "id legalName contactName employerPhoneNumber "
                "employerEmailAddress doingBusinessAs tradingAs "
                "companiesHouseRegistration supportsRemoteWorkers addressLine1 "
                "addressLine2 postalCode city stateProvinceRegion country fein "
                "payeReference taxIdentifier naics accountsOfficeReference "
                "organizationType taxPayerType employerStatus "
                "payrollValidationStatus validationStatusReason")
CANDIDATE = _ids("candidate", "id firstName lastName email phone title address photo "
                 "languages skills socialMedia socialMediaLinkedIn country city "
                 "region education experience employeeId externalUserId "
                 "importExternalId sourceId sourceEffectiveDate sourceType "
                 "anonymizedAt jobOpeningsToApplicationIds modificationDate")
APPLICATION = _ids("application", "id status candidateId jobOpeningId stageId "
                   "sourcedBy sourceType dateApplied createdAt "
                   "lastActivityTimestamp timeToHire referredBy evaluationScore "
                   "evaluations jobAdId agencyId desiredSalary education experience "
                   "hasOffer siteId files modificationDate")
GOAL = ("/goal/id", "/goal/simulated")
_NAMES = ("SQL", "Négociation", "安全", "Say \"yes\"", "First aid")


def _skills(company, settings):
    return [dict(zip(SKILL, (
        7000 + n, f"{_NAMES[n % len(_NAMES)]} {n}", None if n % 2 else "In short",
        "active" if n % 4 else "archived", ("Technical", "Languages")[n % 2], "custom",
        None, [{"level": 1, "name": "Beginner"}, {"level": 2, "name": "Expert"}],
        company.known(1).day(-n) + "T08:00:00.000Z"))) for n in range(120)]


def _employers(company, settings):
    found = []
    for n in range(3):
        values = dict.fromkeys(EMPLOYER)
        values.update(zip(EMPLOYER, (
            5000 + n, f"Example {('Ltd', 'GmbH', 'KK')[n]}", "Grace Okafor",
            "+44 20 7946 0000", "hr@example.com")))
        values["/employer/supportsRemoteWorkers"] = n == 0
        values["/employer/country"] = ("United Kingdom", "Germany", "Japan")[n]
        values["/employer/city"] = ("London", "Berlin", "東京")[n]
        found.append(values)
    return found


def _candidates(company, settings):
    return [_candidate(company, n) for n in range(1, company.size // 2 + 1)]


def _candidate(company, n):
    values = dict.fromkeys(CANDIDATE)
    e = company.employee(n)
    values.update(zip(CANDIDATE, (
        80000 + n, e.first_name, e.surname, f"candidate{n}@example.net",
        None if n % 3 else "+1 212 555 0100", None if n % 4 else e.title)))
    values["/candidate/languages"] = ["English", "日本語"][:n % 3]
    values["/candidate/skills"] = []
    values["/candidate/employeeId"] = e.id if n % 10 == 0 else None
    values["/candidate/modificationDate"] = e.day(-n) + "T10:30:00.000Z"
    return values


def _applications(company, settings):
    return [_application(company, n) for n in range(1, company.size // 2 + 1)]


def _application(company, n):
    values = dict.fromkeys(APPLICATION)
    pick = draw(n, _SEED, 3)
    values.update(zip(APPLICATION, (
        90000 + n, ("active", "rejected", "hired")[pick], 80000 + n, 300 + n % 7)))
    day = company.known(1).day(-n % 400)
    values["/application/dateApplied"] = day
    values["/application/createdAt"] = day + "T07:00:00.000Z"
    values["/application/hasOffer"] = pick == 2
    values["/application/evaluations"] = [{"score": 4}] if n % 5 == 0 else []
    values["/application/desiredSalary"] = {"value": 50000 + n, "currency": "EUR"}
    values["/application/modificationDate"] = day + "T10:30:00.000Z"
    return values


def _goals(company, settings):
    return [dict(zip(GOAL, (f"goal-{n}", f"Ship release {n}"))) for n in range(1, 61)]


search_skills = reader_of(_skills, SKILL, SKILL[:7])
search_employers = reader_of(_employers, EMPLOYER)
search_candidates = reader_of(_candidates, CANDIDATE)
search_applications = reader_of(_applications, APPLICATION)
search_goals = reader_of(_goals, GOAL, GOAL)
