"""Tests of saved reports: the list, the files, and asynchronous files."""

import csv
import io
import unittest

from harness import SimulatorCase


class Reports(SimulatorCase):
    def get(self, path, status=200):
        answer = self.call("GET", "/v1/company/reports" + path)
        self.assertEqual(answer.status, status, answer.body)
        return answer

    def lines(self, id, query="includeInfo=false", **form):
        text = self.get(f"/{id}/download?{query}").body.decode("utf-8-sig")
        return list(csv.reader(io.StringIO(text, newline=""), **form))

    def test_list(self):
        views = self.get("").json()["views"]
        self.assertEqual([view["id"] for view in views], list(range(71001, 71007)))
        self.assertIn("/work/department", views[0]["configuration"]["fields"])

    def test_headcount(self):
        answer = self.get("/71001/download?includeInfo=false")
        self.assertEqual(answer.headers["Content-Type"], "text/csv; charset=UTF-8")
        self.assertTrue(answer.body.startswith(b"\xef\xbb\xbfID,Full name,Email,"))
        rows = self.lines(71001)
        self.assertEqual(len(rows), 501)
        first = dict(zip(rows[0], rows[1]))
        self.assertEqual(first["Start date"], "19/01/2012")
        self.assertEqual(first["Department"], "Executive")
        self.assertEqual(rows[2][1], 'Ro"bert Back\\slash')

    def test_info_lines(self):
        for query in ("", "includeInfo=true"):
            self.assertEqual(self.lines(71005, query), [
                ["Nobody"], ["Executed on 15/01/2026"], ["ID", "Full name"]])
        self.assertEqual(self.lines(71005), [["ID", "Full name"]])

    def test_log(self):
        text = self.get("/71002/download?includeInfo=false").body.decode("utf-8-sig")
        for piece in ("\nby the user\"", '""wrong password""', '"export, report"',
                      ',"",', ",,"):
            self.assertIn(piece, text)
        rows = self.lines(71002)
        self.assertEqual((len(rows), {len(row) for row in rows}), (1001, {5}))

    def test_labels(self):
        self.assertEqual(self.lines(71004)[0], ["ID", "Value", "Value", "Number"])
        self.assertEqual(self.lines(71003)[0][1:], ["Úřad, oddělení", '"Nástup"', ""])

    def test_forms(self):
        self.config(csv_delimiter=";", csv_bom=False, csv_newline="lf")
        body = self.get("/71003/download?includeInfo=false").body
        self.assertTrue(body.startswith("Jméno ★;Úřad, oddělení;".encode()))
        self.assertNotIn(b"\r", body)
        self.config(report_columns={"71001": ["Full name", "New one", "ID"]})
        rows = self.lines(71001, delimiter=";")
        self.assertEqual(rows[0], ["Full name", "New one", "ID"])
        self.assertEqual(rows[1], ["Grace Okafor", "", "3332883884017713275"])

    def test_json(self):
        first = self.get("/71001/download?format=json&humanReadable=APPEND"
                         ).json()["employees"][0]
        self.assertEqual(first["work"]["startDate"], "2012-01-19")
        self.assertEqual(first["humanReadable"]["work"]["startDate"], "19/01/2012")
        self.get("/71001/download?format=xlsx", 400)

    def test_audience(self):
        self.config(audience="employed", hidden_employees=[1])
        names = [row[1] for row in self.lines(71001)]
        self.assertNotIn("Grace Okafor", names)
        self.assertNotIn("Lena Gone", names)

    def test_later(self):
        self.config(report_polls=3)
        answer = self.get("/71005/download-async?includeInfo=false", 202)
        start = "https://app.hibob.com/v1/company/reports/download/"
        location = answer.headers["Location"]
        self.assertTrue(location.startswith(start))
        self.assertTrue(location.endswith("-71005.csv"))
        name = location.removeprefix(start)
        for _ in range(3):
            self.assertEqual(self.get("/download/" + name, 204).body, b"")
        body = self.get("/download/" + name).body
        self.assertEqual(body, b"\xef\xbb\xbfID,Full name\r\n")
        self.config(report_accepted=200)
        self.assertIn("Location", self.get("/71005/download-async").headers)
        self.config(report_async_only=True, report_polls=0)
        name = self.get("/71005/download", 202).headers["Location"].rpartition("/")[2]
        self.get("/download/" + name)
        self.control("reset")
        self.get("/download/" + name, 404)

    def test_unknown(self):
        for path in ("/1/download", "/x/download", "/1/download-async", "/download/x"):
            self.assertEqual(self.get(path, 404).body, b"")

    def test_rate_limit(self):
        self.assertEqual(self.get("").headers["X-RateLimit-Limit"], "20")
        self.config(rate_limit=7)
        self.assertEqual(self.get("").headers["X-RateLimit-Limit"], "7")
        self.config(rate_limit=50, rate_limits={"/company/reports": 3})
        self.assertEqual(self.get("").headers["X-RateLimit-Limit"], "3")


if __name__ == "__main__":
    unittest.main()
