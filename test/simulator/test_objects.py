"""Tests of time off, tasks, positions, jobs, and forms of metadata."""

import unittest
from urllib.parse import quote

from harness import ID_1, SimulatorCase


class ObjectCase(SimulatorCase):
    def get(self, path, status=200):
        answer = self.call("GET", "/v1" + path)
        self.assertEqual(answer.status, status, answer.body)
        return answer.json() if answer.body else None

    def post(self, path, status=200, **body):
        answer = self.call("POST", "/v1" + path, body)
        self.assertEqual(answer.status, status, answer.body)
        return answer.json()


class TimeOff(ObjectCase):
    def outs(self, query=""):
        return self.get("/timeoff/whosout?from=2026-01-01&to=2026-01-31" + query)["outs"]

    def test_whos_out(self):
        plain = self.outs()
        self.assertGreater(len(plain), 10)
        for out in plain:
            self.assertLessEqual(out["startDate"], "2026-01-31")
            self.assertGreaterEqual(out["endDate"] or "9999", "2026-01-01")
            self.assertEqual(out["status"], "Approved")
        active = {person["id"] for person in self.search("root.id")}
        self.assertLessEqual({out["employeeId"] for out in plain}, active)
        self.assertNotIn("Private", {out["visibility"] for out in plain})
        self.assertIn("Private", {out["visibility"] for out in
                                  self.outs("&includePrivate=true")})
        self.assertIn("Pending", {out["status"] for out in
                                  self.outs("&includePending=true")})
        hours = [out for out in self.outs("&includeHourly=true")
                 if out["type"] == "hours"]
        self.assertIn("hoursOnDate", hours[0])
        self.assertNotIn("startDate", hours[0])

    def test_names_of_policies(self):
        custom = {out["requestId"]: out for out in self.outs()
                  if out["visibility"] == "Custom name"}
        self.assertEqual({out["policyTypeDisplayName"] for out in custom.values()},
                         {"Out of office"})
        types = self.get("/timeoff/policy-types")["policyTypes"]
        for out in self.outs("&includePrivate=true"):
            self.assertIn(out["policyTypeDisplayName"], types)

    def test_types_of_2026(self):
        found = {}
        for out in self.outs("&includeHourly=true"):
            self.assertIn("totalCost", out)
            found.setdefault(out["type"], out)
        self.assertEqual(set(found), {
            "days", "hours", "portionOnRange", "hoursOnRange", "percentageOnRange",
            "differentDayDurations", "specificHoursDayDurations",
            "differentSpecificHoursDayDurations", "openEnded"})
        self.assertEqual((found["openEnded"]["endDate"],
                          found["openEnded"]["endPortion"]), (None, None))
        self.assertIn("percentageOfDay", found["percentageOnRange"])
        self.assertEqual(len(found["differentDayDurations"]["durations"]), 4)
        self.assertIn("timeZoneOffset", found["specificHoursDayDurations"])

    def test_working_policies(self):
        working = {"Home office", "Business travel"}
        self.assertLessEqual(working, {out["policyType"] for out in self.outs()})
        without = self.outs("&includeWorkingRequests=false")
        self.assertFalse(working & {out["policyType"] for out in without})
        activities = {name: self.get("/timeoff/policy-types/" + quote(name))["activity"]
                      for name in self.get("/timeoff/policy-types")["policyTypes"]}
        self.assertEqual({name for name, activity in activities.items()
                          if activity == "workTime"}, working)
        self.get("/timeoff/policy-types/None", 404)

    def test_policies_and_balances(self):
        names = self.get("/timeoff/policies/names?policyTypeName=Holiday")["policyNames"]
        self.assertEqual(len(names), 2)
        policy = self.get("/timeoff/policies?policyName=" + quote(names[1]))
        self.assertEqual(policy["name"], names[1])
        self.get("/timeoff/policies?policyName=None", 404)
        self.get("/timeoff/policies", 400)
        path = f"/timeoff/employees/{ID_1}/balance"
        balance = self.get(path + "?policyType=Holiday&date=2026-01-15")
        self.assertEqual((balance["employeeId"], balance["pointInTime"]),
                         (ID_1, "2026-01-15"))
        for query in ("", "?policyType=Holiday", "?date=2026-01-15",
                      "?policyType=None&date=2026-01-15", "?policyType=Sick&date=x"):
            self.get(path + query, 400)
        self.get("/timeoff/employees/1/balance?policyType=Sick&date=2026-01-15", 404)

    def test_bad_ranges(self):
        for query in ("", "from=2026-01-01", "from=2026-01-01&to=x",
                      "from=2026-02-01&to=2026-01-01", "from=2026-02-30&to=2026-03-01"):
            self.get("/timeoff/whosout?" + query, 400)

    def test_out_today(self):
        now = self.get("/timeoff/outtoday?includeHourly=true")["outs"]
        same = self.get("/timeoff/outtoday?includeHourly=true&today=2026-01-15")["outs"]
        self.assertEqual(now, same)
        self.assertIn("requestRangeType", now[0])
        self.assertLess(len(self.get("/timeoff/outtoday?siteId=2274001")["outs"]),
                        len(now))
        path = "/timeoff/outtoday?today=2026-01-%02d"
        more = [len(self.get(path % day + "&includePending=true")["outs"])
                - len(self.get(path % day)["outs"]) for day in range(1, 20)]
        self.assertTrue(min(more) >= 0 < max(more))

    def test_changes(self):
        path = "/timeoff/requests/changes?since="
        found = self.get(path + "2025-12-01T00:00:00Z")["changes"]
        self.assertEqual({change["changeType"] for change in found},
                         {"Created", "Canceled", "Deleted"})
        pending = self.get(path + "2025-12-01T00:00:00Z&includePending=true")["changes"]
        self.assertIn("Pending", {change["changeType"] for change in pending})
        self.assertTrue(any(change["previousRequestId"] for change in found))
        day = self.get(path + "2025-12-01T00:00:00Z&to=2025-12-02T00:00:00%2B00:00")
        self.assertTrue(all(change["createdOn"].startswith("2025-12-01") for change
                            in day["changes"] if change["changeType"] == "Created"))
        for query in ("", "2025-12-01", "2025-12-01T00:00:00",
                      "2025-07-14T23:00:00Z", "2025-12-01T00:00:00+00:00",
                      "2025-12-01T00:00:00Z&to=2025-11-01T00:00:00Z",
                      "2025-08-01T00:00:00Z&to=2026-02-02T00:00:00Z"):
            self.assertIn("key", self.get(path + query, 400), query)


class Tasks(ObjectCase):
    def test_tasks(self):
        found = self.get("/tasks")["tasks"]
        self.assertEqual({task["status"] for task in found}, {"open"})
        every = self.get(f"/tasks/people/{ID_1}")["tasks"]
        parts = [self.get(f"/tasks/people/{ID_1}?task_status={status}")["tasks"]
                 for status in ("open", "closed")]
        self.assertEqual(len(every), sum(map(len, parts)))
        self.assertEqual([task for task in found if task["owner"]["id"] == ID_1],
                         parts[0])
        self.get(f"/tasks/people/{ID_1}?task_status=done", 400)
        self.get("/tasks/people/1", 404)

    def test_module_off(self):
        self.config(modules_off=["/tasks", "/objects/position"])
        self.assertEqual(set(self.get("/tasks", 404)), {"key", "error", "args"})
        self.post("/objects/position/search", 404, fields=["/position/id"], filters=[])
        self.get("/metadata/objects/position")

    def test_wizards(self):
        self.assertEqual(set(self.get("/onboarding/wizards")["wizards"][0]),
                         {"id", "name"})


class Positions(ObjectCase):
    def test_search(self):
        ids = [field["id"] for field in self.get("/metadata/objects/position")]
        found = self.post("/objects/position/search", fields=ids, filters=[])
        self.assertEqual(len(found), 550)
        self.assertEqual(found[0]["/position/filledBy"], {"value": ID_1})
        human = self.post("/objects/position/search", fields=["/position/filledBy"],
                          filters=[{"fieldId": "/position/status",
                                    "operator": "equals", "values": ["filled"]}],
                          includeHumanReadable=True)
        self.assertEqual(human[0]["/position/filledBy"]["humanReadable"], "Grace Okafor")
        self.assertTrue(any("/position/budget" not in each for each in found))

    def test_bad_searches(self):
        good = {"fieldId": "/position/status", "operator": "equals",
                "values": ["vacant"]}
        for body in ({"fields": ["/position/id"]}, {"filters": []},
                     {"fields": [], "filters": []},
                     {"fields": ["/position/id"] * 51, "filters": []},
                     {"fields": ["/position/nope"], "filters": []},
                     {"filters": [{**good, "values": []}]},
                     {"filters": [{**good, "operator": "in"}]},
                     {"filters": [{**good, "fieldId": "/position/fte"}]}):
            if "filters" in body and body["filters"]:
                body["fields"] = ["/position/id"]
            self.post("/objects/position/search", 400, **body)

    def test_entries_come_in_pages(self):
        for path, key, name in (
                ("position-openings", "positionOpeningEntries",
                 "/positionOpening/positionOpeningName"),
                ("position-budget", "positionBudgetEntries", "/positionBudget/id")):
            names, cursor = [], None
            while True:
                page = self.post(f"/positions/{path}/search", fields=[name], filters=[],
                                 pagination={"limit": 100, "cursor": cursor})
                names += [entry[name]["value"] for entry in page[key]]
                cursor = page["response_metadata"]["next_cursor"]
                if cursor is None:
                    break
            self.assertGreater(len(names), 100)
            self.assertEqual(len(set(names)), len(names))
            self.post(f"/positions/{path}/search", 400, fields=[name], filters=[],
                      pagination={"limit": 101})

    def test_jobs(self):
        first = self.get("/job-catalog/job-roles?includeHumanReadable=true")
        self.assertEqual(len(first["JobRoleEntries"]), 100)
        self.assertEqual(first["JobRoleEntries"][0]["/jobRole/id"],
                         {"value": 6000, "humanReadable": "6000"})
        cursor = quote(first["response_metadata"]["next_cursor"], safe="")
        second = self.get("/job-catalog/job-roles?cursor=" + cursor)
        self.assertNotIn("humanReadable", second["JobRoleEntries"][0]["/jobRole/id"])
        self.assertIn("JobFamilyEntries", self.get("/job-catalog/job-families"))
        self.assertIn("JobFamilyGroupEntries",
                      self.get("/job-catalog/job-family-groups"))
        self.get("/job-catalog/job-roles?limit=201", 400)
        self.config(entries_form="nested", page_entries=12)
        nested = self.get("/job-catalog/job-roles")["JobRoleEntries"]
        self.assertEqual([len(inner) for inner in nested], [10, 2])


class Items(ObjectCase):
    def items(self, path, status=200, **body):
        """All items, page by page."""
        found = []
        while True:
            page = self.post(path, status, **body)
            if status != 200:
                return None
            found += page["items"]
            body["cursor"] = page["response_metadata"]["next_cursor"]
            if body["cursor"] is None:
                return found

    def filter(self, field, operator, *values):
        return {"fieldId": field, "operator": operator, "values": list(values)}

    def test_employee_calendars(self):
        path, field = "/timeoff/calendars/employees/search", "/employeeCalendar/employeeId"
        ids = [person["id"] for person in self.search("root.id", showInactive=True)]
        found = self.items(path, filters=[self.filter(field, "equals", *ids, "1")],
                           limit=200)
        self.assertEqual([item[field] for item in found], ids)
        self.assertEqual({item["/employeeCalendar/source"] for item in found},
                         {"employment", "site", "none"})
        for item in found:
            self.assertEqual(item["/employeeCalendar/calendarId"] is None,
                             item["/employeeCalendar/source"] == "none")
        self.items(path, 400, filters=[])
        self.items(path, 400, filters=[self.filter(field, "equals", *["1"] * 5001)])
        self.items(path, 400, filters=[self.filter(field, "equals", "1")], limit=1001)

    def test_calendar_events(self):
        path, field = "/timeoff/calendars/events/search", "/calendarEvent/startDate"

        def bounds(first, last):
            return [self.filter(field, "from", first), self.filter(field, "to", last)]
        year = self.items(path, filters=bounds("2026-01-01", "2026-12-31"))
        self.assertEqual({item["/calendarEvent/eventType"] for item in year},
                         {"publicHoliday", "closure"})
        site = self.items(path, filters=[
            *bounds("2026-01-01", "2026-12-31"),
            self.filter("/calendarEvent/siteId", "equals", "2274001")])
        self.assertTrue(0 < len(site) < len(year))
        self.items(path, filters=bounds("2026-01-01", "2027-01-01"))
        for filters in ([], bounds("2026-01-01", "2027-01-02"),
                        bounds("2026-01-02", "2026-01-01"),
                        [*bounds("2026-01-01", "2026-01-01"),
                         self.filter("/calendarEvent/visibility", "equals", "x")]):
            self.items(path, 400, filters=filters)

    def test_attendance(self):
        path = "/attendance/entries/search"
        field, day = "/attendanceEntry/employeeId", "/attendanceEntry/clockInDate"
        fields = ["/attendanceEntry/" + name for name in
                  ("id", "employeeId", "clockInDate", "clockInTime")]
        ids = [person["id"] for person in self.search("root.id")][:40]

        def body(first, last, *named):
            return {"fields": fields, "filters": [
                self.filter(field, "equals", *named), self.filter(day, "from", first),
                self.filter(day, "to", last)]}
        found = self.items(path, **body("2026-01-01", "2026-01-15", *ids))
        self.assertGreater(len(found), 100)
        for item in found:
            self.assertEqual(item["objectType"], "attendanceEntry")
            date, time = (item["fields"][name]["value"] for name in fields[2:])
            self.assertEqual((date is None), (time is not None))
            self.assertTrue("2026-01-01" <= (date or time) < "2026-01-16")
        self.config(items_form="values")
        self.assertEqual(set(self.items(path, **body("2026-01-01", "2026-01-15",
                                                     *ids))[0]), set(fields))
        self.items(path, **body("2025-12-14", "2026-01-15", *ids))
        self.items(path, 400, **body("2025-12-13", "2026-01-15", *ids))
        self.items(path, 400, **{**body("2026-01-01", "2026-01-15", *ids),
                                 "fields": None})
        self.items(path, 400, fields=fields, filters=[])

    def test_modules(self):
        for path, id in (("/skills/search", "/skill/id"),
                         ("/employers/search", "/employer/id"),
                         ("/hiring/candidates/search", "/candidate/id"),
                         ("/hiring/applications/search", "/application/id"),
                         ("/goals/goals/search", "/goal/id")):
            found = self.items(path, fields=[id], filters=[], limit=50)
            self.assertEqual(len({item[id] for item in found}), len(found))
            self.post(path, 400, fields=[id], filters=[], limit=201)
            self.post(path, 400, fields=["/none"], filters=[])
            self.config(modules_off=[path])
            self.assertEqual(self.post(path, 404, fields=[id], filters=[])["key"],
                             "moduleNotActive")
        self.config(modules_off=[])
        self.assertNotIn("/skill/proficiencyLevels", self.items("/skills/search")[0])

    def test_job_profiles(self):
        path, status = "/job-catalog/job-profiles/search", "/jobProfile/status"
        body = {"fields": ["/jobProfile/id", status]}
        self.post(path, 400, **body, filters=[])
        page = self.post(path, **body, filters=[self.filter(status, "equals", "active")])
        self.assertEqual({entry[status]["value"] for entry in page["JobProfileEntries"]},
                         {"active"})
        page = self.post(path, **body, filters=[
            self.filter(status, "equals", "active", "draft", "inactive")])
        self.assertEqual(len(page["JobProfileEntries"]), 100)
        self.assertIsNotNone(page["response_metadata"]["next_cursor"])


class Metadata(ObjectCase):
    def test_shuffle(self):
        plain = self.get("/company/people/fields")
        self.config(shuffle_fields=True)
        one, two = (self.get("/company/people/fields") for _ in range(2))
        self.assertNotEqual(one, two)
        for shuffled in (one, two):
            self.assertEqual(sorted(map(str, shuffled)), sorted(map(str, plain)))

    def test_extra_fields(self):
        plain = len(self.get("/company/people/fields"))
        self.config(extra_custom_fields=150)
        fields = self.get("/company/people/fields")
        self.assertEqual(len(fields), plain + 150)
        self.assertEqual(fields[-1]["name"], "Extra 150")
        id = fields[-1]["id"]
        people = self.search("root.id", id, showInactive=True)
        key = "/" + id.replace(".", "/")
        self.assertTrue(all(person[key]["value"].startswith("Extra 150")
                            for person in people))
        self.config(extra_custom_fields=0)
        self.assertNotIn(key, self.search("root.id", id)[0])

    def test_awkward_names(self):
        names = [field["name"] for field in self.get("/company/people/fields")]
        for name in ("★★★", "Salary (gross) / month", "T-Shirt  size "):
            self.assertIn(name, names)
        self.assertEqual(names.count("Email"), 2)
        self.assertTrue(any(len(name.encode()) > 63 for name in names))

    def test_settings_are_checked(self):
        for setting in ({"bulk_form": "x"}, {"page_entries": -1},
                        {"modules_off": ["tasks"]}, {"hidden_employees": ["1"]},
                        {"restricted_columns": {"work": ["title"]}},
                        {"report_columns": {"71001": "ID"}}, {"csv_delimiter": ""},
                        {"report_polls": "2"}, {"csv_newline": "cr"}):
            answer = self.call("POST", "/_sim/config", setting, auth=None)
            self.assertEqual(answer.status, 400, setting)


if __name__ == "__main__":
    unittest.main()
