"""Tests of the employee tables, payments, custom tables and documents."""

import base64
import unittest
from urllib.parse import quote

from harness import ID_1, SimulatorCase

TABLES = ("work", "employment", "lifecycle", "salaries", "deduction",
          "entitlement", "variable", "dependents", "right-to-work", "equities")
HEADER = {"id", "effectiveDate", "endEffectiveDate", "activeEffectiveDate",
          "isCurrent", "canBeDeleted", "creationDate", "modificationDate",
          "change", "customColumns"}
CERTIFICATIONS = "root__table_1791380280851"


def number(n):
    return str(int(ID_1) + 37 * (n - 1))


class TableCase(SimulatorCase):
    def get(self, path, status=200, **headers):
        answer = self.call("GET", "/v1" + path, **headers)
        self.assertEqual(answer.status, status, answer.body)
        return answer.json() if answer.body[:1] in (b"{", b"[") else answer.body

    def pages(self, table, query="limit=200", key="next_cursor"):
        cursor = ""
        while cursor is not None:
            page = self.get(f"/bulk/people/{table}?{query}"
                            + (f"&cursor={quote(cursor, safe='')}" if cursor else ""))
            yield page
            cursor = page["response_metadata"][key]

    def rows(self, table, query="limit=200"):
        """{employee id: rows}, from all pages."""
        found = {}
        for page in self.pages(table, query):
            for group in page["results"]:
                found.setdefault(group["employeeId"], []).extend(group["values"])
        return found


class Bulk(TableCase):
    def test_history_of_everybody(self):
        self.config(rate_limit=0)
        for table in TABLES:
            found = self.rows(table)
            self.assertGreater(len(found), 90, table)
            if table in ("work", "employment", "lifecycle", "salaries"):
                self.assertEqual(len(found), 500, table)
            for id, rows in found.items():
                self.assertEqual(len({row["id"] for row in rows}), len(rows))
                dates = [row["effectiveDate"] for row in rows if id != number(13)]
                self.assertEqual(dates, sorted(dates))
                self.assertEqual(sum(row["isCurrent"] for row in rows), 1)
                self.assertTrue(all(HEADER <= set(row) for row in rows))
                self.assertTrue(all(len(str(row["id"])) == 13 for row in rows))

    def test_work_agrees_with_people(self):
        found = self.rows("work")
        team = "work.customColumns.column_1655996461265"
        people = self.search("root.id", "work.title", "work.department", "work.site",
                             "work.siteId", "work.reportsTo", team, showInactive=True)
        for person in people:
            row = next(r for r in found[person["id"]] if r["isCurrent"])
            work = person["work"]
            for name in ("title", "department", "site", "siteId", "reportsTo"):
                self.assertEqual(row[name], work.get(name), person["id"])
            self.assertEqual(row["customColumns"], work["customColumns"])
        rows = [row for rows in found.values() for row in rows]
        self.assertIn(len(rows), range(1100, 1400))
        self.assertGreaterEqual(len(found[ID_1]), 3)
        self.assertTrue(any(row["effectiveDate"] > "2026-01-15"
                            and not row["isCurrent"] for row in rows))

    def test_lifecycle_agrees_with_people(self):
        found = self.rows("lifecycle")
        people = self.search("root.id", "internal.lifecycleStatus", "work.startDate",
                             "internal.terminationDate", showInactive=True)
        for person in people:
            rows, internal = found[person["id"]], person["internal"]
            current = next(row for row in rows if row["isCurrent"])
            self.assertEqual(current["status"], internal["lifecycleStatus"])
            begun = {row["effectiveDate"]: row["status"] for row in rows}
            self.assertIn(person["work"]["startDate"], begun)
            end = internal["terminationDate"]
            if end:
                self.assertEqual(begun[end], "terminated")

    def test_working_patterns(self):
        kinds = {row["actualWorkingPattern"]["workingPatternType"]
                 for rows in self.rows("employment").values() for row in rows}
        self.assertEqual(kinds, {"hourly", "fortnightly", "flexible"})

    def test_pages_split_employees(self):
        whole = self.rows("work")
        self.config(rate_limit=0, page_entries=7)
        ids = ",".join(number(n) for n in range(1, 31))
        pages = list(self.pages("work", "limit=200&employeeIds=" + ids))
        self.assertTrue(all(sum(len(group["values"]) for group in page["results"]) <= 7
                            for page in pages))
        cut = [(page["results"][-1]["employeeId"], following["results"][0]["employeeId"])
               for page, following in zip(pages, pages[1:])]
        self.assertTrue(any(last == first for last, first in cut))
        split = self.rows("work", "employeeIds=" + ids)
        self.assertEqual(split, {id: whole[id] for id in ids.split(",")})
        self.assertEqual(list(pages[0]["results"][0]), ["employeeId", "values"])

    def test_empty_pages(self):
        whole = self.rows("work")
        self.config(rate_limit=0, empty_pages=3)
        pages = list(self.pages("work", "limit=200"))
        self.assertEqual([len(page["results"]) for page in pages[:4]][:3], [0] * 3)
        self.assertGreater(len(pages[3]["results"]), 0)
        self.assertEqual(self.rows("work"), whole)

    def test_limits_and_cursors(self):
        for query in ("limit=0", "limit=201", "limit=x", "limit=", "cursor=abc",
                      "cursor=", "employeeIds=" + ",".join(["1"] * 201),
                      "employeeIds=a"):
            error = self.get("/bulk/people/work?" + query, 400)
            self.assertEqual(set(error), {"key", "error", "args"})
        page = self.get("/bulk/people/work")
        self.assertEqual(sum(len(g["values"]) for g in page["results"]), 50)
        cursor = page["response_metadata"]["next_cursor"]
        self.assertIn("+", cursor)
        self.assertIn("/", cursor)
        base64.b64decode(cursor, validate=True)
        self.get("/bulk/people/work?cursor=" + cursor, 400)
        self.get("/bulk/people/work?cursor=" + quote(cursor, safe=""))
        self.assertEqual(self.get("/bulk/people/works", 404), b"")

    def test_out_of_sight(self):
        self.config(audience="employed", hidden_employees=[2])
        found = self.rows("work")
        self.assertNotIn(number(2), found)
        self.assertNotIn(number(7), found)
        query = f"employeeIds={ID_1},{number(2)},{number(7)}"
        page = self.get("/bulk/people/work?" + query)
        self.assertEqual([g["employeeId"] for g in page["results"]], [ID_1])
        self.assertEqual([list(each) for each in page["errors"]],
                         [[number(2)], [number(7)]])
        self.assertEqual(page["errors"][0][number(2)]["error"], "MISSING_PERMISSION")
        self.config(errors_key="word")
        page = self.get("/bulk/people/work?" + query)
        self.assertEqual(list(page["errors"][0]), ["employeeId"])
        self.assertEqual(self.call("POST", "/v1/people/" + number(2), {}).status, 404)

    def test_forms(self):
        self.config(bulk_form="wrapped", cursor_key="cursor", restricted_columns={
            "work": {"no_view_permission": ["title"],
                     "no_view_history_permission": ["site"]}})
        page = self.get("/bulk/people/work")
        self.assertEqual(list(page["response_metadata"]), ["cursor"])
        inner = page["results"][0]["values"]
        self.assertEqual(inner[0]["restricted_columns"], {
            "no_view_permission": ["title"], "no_view_history_permission": ["site"]})
        self.assertFalse({"title", "site"} & set(inner[0]["values"][0]))
        self.config(bulk_form="plain")
        group = self.get("/bulk/people/work")["results"][0]
        self.assertEqual(list(group), ["employeeId", "values", "restricted_columns"])
        one = self.get(f"/people/{ID_1}/work")
        self.assertEqual(list(one), ["values", "restricted_columns"])
        self.assertNotIn("title", one["values"][0])
        self.assertIn("status", self.get("/bulk/people/lifecycle")
                      ["results"][0]["values"][0])

    def test_restricted_columns_can_be_null(self):
        restricted = {"work": {"no_view_permission": ["title"]},
                      CERTIFICATIONS: {"no_view_permission": ["column_1791380300001"]}}
        paths = (("/bulk/people/work", "title"), (f"/people/{ID_1}/work", "title"),
                 ("/bulk/people/custom-tables/" + CERTIFICATIONS,
                  "column_1791380300001"))
        for form in ("null", "null announced by the header alone"):
            self.config(restricted_columns=restricted, restricted_form=form)
            for path, column in paths:
                answer = self.call("GET", "/v1" + path)
                self.assertEqual(answer.headers["X-Has-Restricted-Columns"], "true")
                group = answer.json()
                group = group.get("results", [group])[0]
                self.assertIsNone(group["values"][0][column])
                self.assertEqual("restricted_columns" in group, form == "null")
        self.config(restricted_columns={})
        self.assertNotIn("X-Has-Restricted-Columns",
                         self.call("GET", "/v1/bulk/people/work").headers)

    def test_groups(self):
        whole = self.rows("variable")
        self.config(group_order="values")
        page = self.get("/bulk/people/variable")
        self.assertEqual(list(page["results"][0]), ["values", "employeeId"])
        for form, values in (("empty", []), ("null", None)):
            self.config(group_order="id", empty_groups=form)
            page = self.get("/bulk/people/variable?limit=200")
            self.assertEqual(page["results"][0]["values"], values)
            found = {group["employeeId"] for group in page["results"][:20]}
            self.assertFalse(found & set(whole))
        self.config(empty_groups="none")
        self.assertEqual(self.rows("variable"), whole)

    def test_unnamed_refusals(self):
        self.config(hidden_employees=[2], refuse_unnamed=True)
        page = self.get("/bulk/people/work")
        self.assertEqual([list(each) for each in page["errors"]], [[number(2)]])

    def test_spelling_and_custom_columns(self):
        self.config(creation_key="CreationDate", table_columns=True)
        row = self.get("/bulk/people/employment")["results"][0]["values"][0]
        self.assertNotIn("creationDate", row)
        self.assertEqual(row["CreationDate"], row["effectiveDate"])
        self.assertEqual(list(row["customColumns"]), ["column_1700000000201"])
        ids = {field["id"] for field in self.get("/company/people/fields")}
        self.assertIn("payroll.employment.customColumns.column_1700000000201", ids)

    def test_custom_tables(self):
        path = "/bulk/people/custom-tables/" + CERTIFICATIONS
        found = self.rows("custom-tables/" + CERTIFICATIONS)
        one = next(iter(found))
        self.assertEqual(found[one], self.get(
            f"/people/custom-tables/{one}/{CERTIFICATIONS}")["values"])
        human = self.get(path + "?includeHumanReadable=true")
        self.assertIn("humanReadable", human["results"][0]["values"][0])
        self.config(bulk_human=False)
        plain = self.get(path + "?includeHumanReadable=true")
        self.assertNotIn("humanReadable", plain["results"][0]["values"][0])
        self.get("/bulk/people/custom-tables/nope", 404)
        for status in (404, 400):
            self.config(bulk_custom_tables=str(status))
            self.get(path, status)

    def test_addresses(self):
        found = self.rows("address")
        self.assertTrue(0 < len(found) < 400)
        self.assertEqual(self.rows("address", f"limit=200&employeeIds={ID_1}"), found)

    def test_repeated_cursor(self):
        self.config(repeat_cursor=True)
        first = self.get("/bulk/people/work")["response_metadata"]["next_cursor"]
        again = self.get("/bulk/people/work?cursor=" + quote(first, safe=""))
        self.assertEqual(again["response_metadata"]["next_cursor"], first)

    def test_refused(self):
        self.config(ungrouped=True)
        self.get("/bulk/people/work", 403)
        self.config(ungrouped=False, modules_off=["/bulk/people/equities"])
        self.assertIn("key", self.get("/bulk/people/equities", 404))
        self.get("/bulk/people/work")


class ByEmployee(TableCase):
    def test_tables(self):
        for table in ("work", "employment", "lifecycle", "salaries"):
            rows = self.get(f"/people/{ID_1}/{table}")["values"]
            self.assertEqual(rows, self.rows(table, f"employeeIds={ID_1}")[ID_1])
        for table in ("equities", "variable", "training", "bank-accounts"):
            self.config(rate_limit=0)
            self.assertTrue(any(self.get(f"/people/{number(n)}/{table}")["values"]
                                for n in range(1, 12)), table)
        self.get("/people/1/work", 404)
        self.assertIn(b"<html", self.get(f"/people/{ID_1}/deduction"))

    def test_human_readable(self):
        row = self.get(f"/people/{number(2)}/work?includeHumanReadable=true")["values"][-1]
        human = row["humanReadable"]
        self.assertEqual(human["reportsTo"], "Grace Okafor")
        self.assertRegex(human["effectiveDate"], r"^\d\d/\d\d/\d{4}$")
        self.assertFalse(human["title"].isdigit())
        self.assertNotIn("endEffectiveDate", human)

    def test_content_type_is_refused(self):
        for path in (f"/people/{ID_1}/bank-accounts",
                     f"/people/custom-tables/{ID_1}/{CERTIFICATIONS}"):
            body = self.get(path, 400, **{"Content-Type": "application/json"})
            self.assertIn(b"<html>", body)
            self.get(path)

    def test_custom_tables(self):
        tables = self.get("/people/custom-tables/metadata")["tables"]
        self.assertEqual([len(table["columns"]) for table in tables], [11, 3, 2])
        one = self.get("/people/custom-tables/metadata/" + CERTIFICATIONS)
        self.assertEqual(one, tables[0])
        level = next(c for c in one["columns"] if c["type"] == "list")
        list_id = level["typeData"]["listId"]
        self.assertEqual(list_id, f"{CERTIFICATIONS}.{level['id']}")
        items = self.get("/company/named-lists/" + list_id)["items"]
        names = {item["id"]: item["name"] for item in items}
        path = f"/people/custom-tables/{ID_1}/{CERTIFICATIONS}?includeHumanReadable=true"
        for row in self.get(path)["values"]:
            if row[level["id"]] is not None:
                self.assertEqual(row["humanReadable"][level["id"]],
                                 names[row[level["id"]]])
        for path in ("metadata/nope", f"{ID_1}/nope", f"1/{CERTIFICATIONS}"):
            self.get("/people/custom-tables/" + path, 404)

    def test_documents(self):
        answer = self.call("GET", f"/v1/docs/people/{number(2)}")
        self.assertEqual(set(answer.json()["documents"][0]),
                         {"documentName", "downloadLink"})
        self.assertNotIn("X-RateLimit-Limit", answer.headers)
        self.assertEqual(self.get("/docs/folders/metadata")[0]["name"],
                         {"value": "Confidential"})
        self.get("/docs/people/1", 404)


class Payments(TableCase):
    def find(self, status=200, **body):
        answer = self.call("POST", "/v1/people/actual-payments/search", body)
        self.assertEqual(answer.status, status, answer.body)
        return answer.json()

    def test_search(self):
        ids = {"fieldPath": "employeeId", "operator": "equals",
               "values": [number(n) for n in range(1, 30)]}
        since = {"fieldPath": "payDate", "operator": "greaterThanOrEquals",
                 "value": "2025-06-01"}
        until = {**since, "operator": "lessThanOrEquals", "value": "2025-12-31"}
        found, cursor = [], None
        while True:
            page = self.find(filters=[ids, since, until], pagination={
                "limit": 10, **({"cursor": cursor} if cursor else {})})
            found += page["results"]
            cursor = page["response_metadata"]["next_cursor"]
            if cursor is None:
                break
        whole = self.find(filters=[ids, since, until],
                          pagination={"limit": 200})["results"]
        self.assertEqual(found, whole)
        self.assertGreater(len(found), 10)
        self.assertTrue(all("2025-06-01" <= row["payDate"] <= "2025-12-31"
                            for row in found))
        self.assertEqual(set(found[0]), {"employeeId", "id", "payDate", "payType",
                                         "amount", "change", "customColumns"})

    def test_bad_searches(self):
        ids = {"fieldPath": "employeeId", "operator": "equals", "values": [ID_1]}
        day = {"fieldPath": "payDate", "operator": "equals", "value": "2025-06-01"}
        for body in ({}, {"filters": []}, {"filters": [day]},
                     {"filters": [ids, day]}, {"filters": [{**ids, "values": []}]},
                     {"filters": [{**ids, "values": ["1"] * 201}]},
                     {"filters": [ids], "pagination": {}},
                     {"filters": [ids], "pagination": {"limit": 201}},
                     {"filters": [ids], "pagination": {"limit": 5, "cursor": "x"}}):
            self.assertEqual(set(self.find(400, **body)), {"key", "error", "args"})


class Large(TableCase):
    options = ("--employees", "200000", "--rate-limit", "0")

    def test_a_late_page_costs_as_little_as_the_first(self):
        from paging import cursor_for
        cursor = quote(cursor_for((199900, 1)), safe="")
        page = self.get(f"/bulk/people/work?limit=200&cursor={cursor}")
        self.assertGreater(len(page["results"]), 50)
        last = list(self.pages("work", f"limit=200&employeeIds={number(200000)}"))
        self.assertIsNone(last[-1]["response_metadata"]["next_cursor"])


if __name__ == "__main__":
    unittest.main()
