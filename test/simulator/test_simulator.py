"""Tests that the simulator behaves like HiBob.

    python3 -m unittest discover -s test/simulator
"""

import time
import unittest

from harness import AUTH, ID_1, SimulatorCase

COST_CENTRE = "work.custom.field_1667499206086"


class People(SimulatorCase):
    def test_machine_form(self):
        first = self.search("root.id", "work.reportsTo", "work.title")[0]
        self.assertEqual(first["/root/id"], {"value": ID_1})
        self.assertEqual(first["id"], ID_1)
        self.assertNotIn("/work/reportsTo", first)
        self.assertIsNone(first["work"]["reportsTo"])
        self.assertEqual(set(first), {"/root/id", "/work/title", "id", "work"})

    def test_append_omits_nulls(self):
        first = self.search("root.id", "work.startDate", "work.reportsTo",
                            "work.isManager", "work.department",
                            humanReadable="APPEND")[0]
        self.assertEqual(first["humanReadable"], {"id": ID_1, "work": {
            "startDate": "19/01/2012", "isManager": "Yes",
            "department": "Executive"}})

    def test_replace_is_nested_strings_only(self):
        person = self.number(2, "root.id", "work.manager", "work.isManager",
                             humanReadable="REPLACE")
        self.assertEqual(person["work"], {"manager": "Grace Okafor",
                                          "isManager": "Yes"})
        self.assertNotIn("/root/id", person)

    def test_human_readable_needs_upper_case(self):
        self.assertNotIn("humanReadable", self.search(humanReadable="append")[0])

    def test_default_fields(self):
        first = self.search()[0]
        self.assertIn("about", first)
        self.assertNotIn("internal", first)
        self.assertNotIn("custom", first["work"])

    def test_every_field_of_everyone(self):
        ids = [field["id"] for field in
               self.call("GET", "/v1/company/people/fields").json()]
        self.assertGreater(len(ids), 250)
        people = self.search(*ids, showInactive=True, humanReadable="APPEND")
        self.assertEqual(len(people), 500)
        for field in ("/payroll/variable/Executive bonus/amount",
                      "/payroll/entitlement/Company Car/amount"):
            self.assertTrue(any(field in person for person in people))

    def test_machine_and_human_values(self):
        person = next(p for p in self.search(
            COST_CENTRE, "work.siteId", "payroll.salary.payment",
            "work.tenureDuration", "about.hobbies", humanReadable="APPEND")
            if len(p["about"]["hobbies"]) > 1)
        human = person["humanReadable"]
        self.assertIsInstance(person["work"]["siteId"], int)
        self.assertTrue(person["work"]["custom"]["field_1667499206086"].isdigit())
        self.assertIn("CC-", human["work"]["custom"]["field_1667499206086"])
        self.assertRegex(human["payroll"]["salary"]["payment"], r"\d\.\d\d$")
        self.assertIn(",", human["about"]["hobbies"])
        self.assertEqual(person["work"]["tenureDuration"]["humanize"],
                         human["work"]["tenureDuration"])

    def test_unknown_fields_are_dropped_and_slash_form_is_understood(self):
        first = self.search("/root/email", "work.costCenter")[0]
        self.assertEqual(set(first), {"/root/email", "email"})

    def test_inactive(self):
        active = self.search("internal.status")
        everyone = self.search("internal.lifecycleStatus", showInactive=True)
        self.assertEqual({p["internal"]["status"] for p in active}, {"Active"})
        self.assertEqual(len(everyone), 500)
        states = [p["internal"]["lifecycleStatus"] for p in everyone]
        self.assertEqual(set(states), {"employed", "terminated", "hired", "leave",
                                       "parental leave", "garden leave"})
        self.assertIn(states.count("terminated"), range(45, 80))

    def test_reporting_lines_are_consistent(self):
        people = self.search("root.id", "work.manager", "work.directReports",
                             "work.indirectReports", showInactive=True)
        below = {}
        for person in people:
            below.setdefault(person["work"]["manager"], []).append(person["id"])
        for person in people:
            self.assertEqual(person["work"]["directReports"],
                             len(below.get(person["id"], ())))
        self.assertEqual(people[0]["work"]["indirectReports"], 499)

    def test_filters(self):
        found = self.search("root.id", filters=[{
            "fieldPath": "root.id", "operator": "equals",
            "values": [ID_1, "1", "x", ID_1, ID_1[:-1] + "6"]}])
        self.assertEqual([p["id"] for p in found], [ID_1])
        by_mail = {"fieldPath": "root.email", "operator": "equals",
                   "values": ["GRACE.okafor1@example.com"]}
        self.assertEqual(self.search(filters=[by_mail]), [])
        self.config(email_filter_ignores_case=True)
        self.assertEqual(len(self.search(filters=[by_mail])), 1)

    def test_bad_requests(self):
        good = {"fieldPath": "root.id", "operator": "equals", "values": ["1"]}
        for body in ({"filters": []}, {"filters": {}}, {"filters": [good, good]},
                     {"filters": [{**good, "values": []}]},
                     {"filters": [{**good, "operator": "in"}]},
                     {"filters": [{**good, "fieldPath": "work.title"}]},
                     {"fields": ["root.id"] * 401}, {"fields": "root.id"},
                     b"{not json", b"", b"[]"):
            answer = self.call("POST", "/v1/people/search", body)
            self.assertEqual(answer.status, 400, body)
            self.assertLessEqual({"key", "error"}, set(answer.json()))

    def test_single_person(self):
        leaver = self.number(7, "internal.status", "internal.terminationDate")
        self.assertEqual(leaver["internal"], {"status": "Inactive",
                                              "terminationDate": "2026-01-05"})
        by_mail = self.person("siobhan.O'brien6@example.com", "root.email")
        self.assertEqual(by_mail["email"], "Siobhan.O'Brien6@Example.COM")
        unknown = self.call("POST", "/v1/people/12345", {})
        self.assertEqual((unknown.status, unknown.body), (404, b""))

    def test_special_people(self):
        self.assertEqual(self.number(2, "root.fullName")["fullName"],
                         'Ro"bert Back\\slash')
        self.assertIn("\x01", self.number(4, "about.about")["about"]["about"])
        self.assertIsNone(self.number(5, "root.email")["email"])
        sparse = self.number(13, "work.title", "work.department")
        self.assertEqual(sparse, {"work": {"department": None}})

    def test_same_company_at_every_start(self):
        self.assertEqual(self.number(100, "root.fullName", "work.startDate"),
                         self.number(100, "root.fullName", "work.startDate"))
        self.config(today="2026-01-16")
        self.assertEqual(self.number(9, "work.startDate")["work"]["startDate"],
                         "2026-01-30")

    def test_profiles(self):
        profiles = self.call("GET", "/v1/profiles").json()["employees"]
        active = self.search("root.id")
        self.assertEqual([p["id"] for p in profiles], [p["id"] for p in active])
        self.assertEqual(set(profiles[0]), {
            "id", "firstName", "surname", "email", "displayName", "personal",
            "about", "work"})
        self.assertEqual(profiles[0]["work"]["department"], "Executive")


class Forms(SimulatorCase):
    def test_forms(self):
        self.config(forms="nested")
        self.assertEqual(self.number(1, "root.id"), {"id": ID_1})
        self.config(forms="slash")
        self.assertEqual(self.number(1, "root.id"), {"/root/id": {"value": ID_1}})
        self.config(human_slash=True)
        human = self.number(1, "root.id", humanReadable="APPEND")["humanReadable"]
        self.assertEqual(human, {"/root/id": ID_1})

    def test_wrapped(self):
        self.config(wrapped_single=True, wrapped_fields=True)
        self.assertIn("employees", self.number(1, "root.id"))
        self.assertIn("fields", self.call("GET", "/v1/company/people/fields").json())

    def test_extra_fields_overrides_and_text_forms(self):
        self.config(extra_fields=["work.siteId"], ascii=True, whitespace=True,
                    envelope_extra=True, overrides={"3": {"work.title": [1, "\0"]}})
        answer = self.call("POST", "/v1/people/search", {"fields": ["work.title"]})
        self.assertTrue(answer.body.isascii())
        self.assertIn(b"\t", answer.body)
        third = answer.json()["employees"][2]
        self.assertEqual(third["work"]["title"], [1, "\0"])
        self.assertIn("siteId", third["work"])

    def test_lists(self):
        lists = self.call("GET", "/v1/company/named-lists").json()
        self.assertEqual(lists["department"]["values"][0], {
            "id": "209192163", "value": "Engineering", "name": "Engineering",
            "archived": False, "children": []})
        self.assertEqual(lists["site"]["values"], lists["site"]["items"])
        self.assertIsInstance(lists["site"]["items"][0]["id"], int)
        self.config(lists_form="array", list_keys="items")
        lists = self.call("GET", "/v1/company/named-lists").json()
        self.assertEqual(set(lists[0]), {"name", "items"})

    def test_one_list(self):
        path = "/v1/company/named-lists/"
        plain = self.call("GET", path + "department").json()["items"]
        every = self.call("GET", path + "department?includeArchived=true").json()
        self.assertEqual(len(every["items"]), len(plain) + 1)
        tree = self.call("GET", path + "field_1700000000008").json()["items"]
        self.assertEqual(tree[0]["children"][0]["name"], "North")
        wrong = self.call("GET", path + "terminationReason")
        self.assertEqual((wrong.status, wrong.body), (404, b""))

    def test_unknown_paths(self):
        for path, status, kind in (("/v1/people/1/variables", 200, "text/html"),
                                   ("/v1/people", 200, "text/html"),
                                   ("/v1/nothing", 404, None), ("/x", 404, None)):
            answer = self.call("GET", path)
            self.assertEqual(answer.status, status, path)
            content_type = answer.headers.get("Content-Type")
            self.assertEqual(content_type and content_type.split(";")[0], kind)


class Access(SimulatorCase):
    def test_credentials(self):
        missing = self.call("GET", "/v1/profiles", auth=None)
        self.assertEqual((missing.status, missing.body), (401, b""))
        self.assertIn("X-RateLimit-Limit", missing.headers)
        wrong = self.call("GET", "/v1/profiles", auth=AUTH[:-8] + "AAAAAAA=")
        self.assertEqual((wrong.status, wrong.json()["key"]), (401, "tokenNotMatch"))
        self.config(token="new")
        self.assertEqual(self.call("GET", "/v1/profiles").status, 401)

    def test_categories(self):
        self.config(categories=["root", "work"])
        self.assertEqual(set(self.number(1, "root.id", "internal.status",
                                         "home.mobilePhone")), {"/root/id", "id"})
        self.config(categories=None, hidden_categories=["root"],
                    hidden_fields=["work.title"])
        self.assertEqual(self.search("root.id", "work.title")[0], {})

    def test_audience(self):
        self.config(audience="employed")
        states = {p["internal"]["lifecycleStatus"] for p in
                  self.search("internal.lifecycleStatus", showInactive=True)}
        self.assertEqual(states, {"employed", "leave", "parental leave",
                                  "garden leave"})

    def test_refusals(self):
        self.config(ungrouped=True)
        self.assertEqual(self.call("POST", "/v1/people/search", {}).status, 403)
        self.assertEqual(self.call("GET", "/v1/company/people/fields").status, 200)
        self.config(ip_blocked=True)
        answer = self.call("GET", "/v1/company/people/fields")
        self.assertEqual((answer.status, "error" in answer.json()), (403, True))

    def test_rate_limit(self):
        self.config(rate_limit=2, rate_window=1)
        answers = [self.call("GET", "/v1/company/people/fields") for _ in range(3)]
        self.assertEqual([a.status for a in answers], [200, 200, 429])
        self.assertEqual([a.headers["X-RateLimit-Remaining"] for a in answers],
                         ["1", "0", "0"])
        self.assertLess(abs(int(answers[0].headers["X-RateLimit-Reset"])
                            - time.time()), 3)
        self.assertEqual(self.call("GET", "/v1/company/named-lists").status, 200)
        time.sleep(1.05)
        self.assertEqual(self.call("GET", "/v1/company/people/fields").status, 200)


if __name__ == "__main__":
    unittest.main()
