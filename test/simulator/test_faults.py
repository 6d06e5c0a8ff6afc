"""Tests of delivery: connections, records, faults, large companies."""

import gzip
import http.client
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import unittest

from harness import HERE, ID_1, SimulatorCase, drain


class Transport(SimulatorCase):
    options = ("--gzip",)

    def test_start(self):
        self.assertEqual(self.greeting.strip(),
                         f"listening on http://127.0.0.1:{self.port}")

    def test_gzip(self):
        answer = self.call("POST", "/v1/people/search", {}, **{
            "Accept-Encoding": "gzip"})
        self.assertEqual(answer.headers["Content-Encoding"], "gzip")
        self.assertGreater(len(json.loads(gzip.decompress(answer.body))["employees"]),
                           300)
        plain = self.call("POST", "/v1/people/search", {})
        self.assertNotIn("Content-Encoding", plain.headers)

    def test_framing(self):
        small = self.call("POST", "/v1/people/search", {"fields": ["root.id"]})
        self.assertIn("Content-Length", small.headers)
        whole = self.call("GET", "/v1/company/named-lists")
        self.assertIn("Content-Length", whole.headers)
        large = self.call("POST", "/v1/people/search", {})
        self.assertEqual(large.headers["Transfer-Encoding"], "chunked")

    def test_connections_are_kept_and_numbered(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, 5)
        self.addCleanup(connection.close)
        for _ in range(2):
            self.call("GET", "/v1/profiles", connection=connection)
        self.call("GET", "/v1/profiles")
        numbers = [record["connection"] for record in self.requests()]
        self.assertEqual(numbers[0], numbers[1])
        self.assertNotEqual(numbers[0], numbers[2])
        self.assertEqual(self.control("stats", method="GET").json()["requests"], 3)

    def test_records(self):
        self.search("root.id")
        self.call("GET", "/v1/company/named-lists/site?includeArchived=true",
                  auth=None)
        text = self.control("requests?format=text", method="GET").body.decode()
        self.assertEqual(text, (
            'POST /people/search {"fields":["root.id"]} -> 200\n'
            'GET /company/named-lists/site?includeArchived=true -> 401\n'))
        first, second = self.requests()
        self.assertEqual((first["credentials"], second["credentials"]),
                         ("right", "absent"))
        self.assertNotIn("Authorization", first["headers"])
        self.assertEqual(first["outcome"], "complete")
        only = self.control("requests?endpoint=/people/search", method="GET").json()
        self.assertEqual(len(only), 1)

    def test_tell(self):
        def tell(*arguments):
            return subprocess.run(
                [sys.executable, str(HERE / "tell"), *arguments], text=True,
                env={**os.environ, "HIBOB_SIM_URL": f"http://127.0.0.1:{self.port}"},
                capture_output=True)
        self.assertEqual(tell("fault", '{"status": 503}').stdout, "")
        self.assertEqual(self.call("GET", "/v1/profiles").status, 503)
        self.assertEqual(tell("requests", "--clear").stdout, "GET /profiles -> 503\n")
        self.assertEqual(tell("requests").stdout, "")
        for _ in range(2):
            self.call("POST", "/v1/people/search", {"fields": ["x" * 50000]})
        line = f'POST /people/search {{"fields":["{"x" * 50000}"]}} -> 200\n'
        self.assertEqual(tell("requests").stdout, 2 * line)
        bad = tell("config", '{"bogus": 1}')
        self.assertEqual((bad.returncode, bad.stdout), (1, ""))
        self.assertIn("unknown setting 'bogus'", bad.stderr)

    def test_many_connections(self):
        self.fault(stall={"seconds": 5}, times=None, endpoint="/profiles")
        stalled = [self.raw("/v1/profiles") for _ in range(60)]
        self.search("root.id")
        self.control("reset")
        for sock in stalled:
            sock.close()


class Faults(SimulatorCase):
    def test_where_and_how_often(self):
        self.fault(endpoint="/people/{identifier}", status=500, skip=1, times=2)
        self.fault(contains="root.email", status=502, times=None)
        codes = [self.call("POST", "/v1/people/" + ID_1, {}).status for _ in range(4)]
        self.assertEqual(codes, [200, 500, 500, 200])
        self.assertEqual(self.call("POST", "/v1/people/search", {}).status, 200)
        self.assertEqual(self.call("POST", "/v1/people/search",
                                   {"fields": ["root.email"]}).status, 502)

    def test_a_change_before_the_answer(self):
        self.fault(endpoint="/people/search", skip=1,
                   config={"hidden_employees": [1]})
        found = [ID_1 in self.call("POST", "/v1/people/search",
                                   {"fields": ["root.id"]}).body.decode()
                 for _ in range(3)]
        self.assertEqual(found, [True, False, False])
        self.assertEqual(self.call("POST", "/_sim/fault", {"config": {"nonsense": 1}},
                                   auth=None).status, 400)

    def test_answers(self):
        for keys, status, kind, body in (
                (dict(status=500), 500, None, b""),
                (dict(status=400, body="no"), 400, "application/json", b"no"),
                (dict(json={"a": "é"}), 200, "application/json",
                 '{"a":"é"}'.encode()),
                (dict(body_base64="/w==", content_type="x/y"), 200, "x/y", b"\xff"),
                (dict(body="", content_type=None), 200, None, b"")):
            self.fault(**keys)
            answer = self.call("GET", "/v1/profiles")
            found = answer.headers.get("Content-Type")
            self.assertEqual((answer.status, found and found.split(";")[0],
                              answer.body), (status, kind, body))

    def test_html_redirect_headers(self):
        self.fault(html=True, headers={"X-A": "1"})
        answer = self.call("GET", "/v1/profiles")
        self.assertIn(b"<html", answer.body)
        self.assertEqual(answer.headers["X-A"], "1")
        self.fault(redirect="https://example.com/")
        answer = self.call("GET", "/v1/profiles")
        self.assertEqual((answer.status, answer.headers["Location"]),
                         (302, "https://example.com/"))

    def test_rate_limited(self):
        self.fault(rate_limited={"reset_in": 7})
        headers = self.call("GET", "/v1/profiles").headers
        self.assertAlmostEqual(int(headers["X-RateLimit-Reset"]), time.time() + 7,
                               delta=2)
        self.assertNotIn("Retry-After", headers)
        self.fault(rate_limited={"retry_after": 3})
        headers = self.call("GET", "/v1/profiles").headers
        self.assertEqual(headers["Retry-After"], "3")
        self.assertNotIn("X-RateLimit-Reset", headers)
        self.fault(rate_limited={})
        answer = self.call("GET", "/v1/profiles")
        self.assertEqual((answer.status, answer.headers.get("Retry-After")),
                         (429, None))

    def test_resets(self):
        for where, received in (("before_read", b""), ("before_headers", b"")):
            self.fault(reset=where)
            self.assertEqual(drain(self.raw()), (received, True))
        self.assertEqual([record["outcome"] for record in self.requests()],
                         ["reset"] * 2)
        self.fault(reset=0)
        self.assertEqual(self.raw().recv(9), b"HTTP/1.1 ")
        self.fault(reset=70000, stall={"seconds": 0.2, "after": 70000})
        received, reset = drain(self.raw())
        self.assertTrue(reset)
        self.assertEqual(self.requests()[-1]["bytes"], 70000)

    def test_truncation(self):
        self.fault(truncate={"after": 100, "framing": "length"})
        received, reset = drain(self.raw())
        head, _, body = received.partition(b"\r\n\r\n")
        self.assertIn(b"Content-Length: ", head)
        self.assertEqual((len(body), reset), (100, False))
        self.fault(truncate={"after": 100, "framing": "chunked"})
        received, reset = drain(self.raw())
        self.assertIn(b"\r\n64\r\n{\"employees\"", b"\r\n" + received.partition(
            b"\r\n\r\n")[2])
        self.assertFalse(received.endswith(b"0\r\n\r\n") or reset)

    def test_truncation_beyond_the_end(self):
        self.fault(truncate={"after": 9**9, "framing": "length"})
        with self.assertRaises(http.client.IncompleteRead):
            self.call("POST", "/v1/people/search", {})

    def test_positions_that_depend_on_the_length(self):
        whole = len(self.call("POST", "/v1/people/search", {}).body)
        for place, sent in ((-1, whole - 1), ("middle", whole // 2),
                            ("end", whole), (-9**9, 0)):
            for keys in ({"reset": place}, {"truncate": {"after": place}},
                         {"truncate": {"after": place, "framing": "length"}}):
                self.fault(**keys)
                drain(self.raw())
                self.assertEqual(self.requests()[-1]["bytes"], sent, keys)
            self.fault(claim=place, framing="length")
            self.assertIn(b"Content-Length: %d\r\n" % sent, self.raw().recv(65536))

    def test_other_than_http(self):
        self.fault(raw="SSH-2.0-x\r\n")
        self.assertEqual(drain(self.raw()), (b"SSH-2.0-x\r\n", False))
        self.assertIsNone(self.requests()[-1]["status"])

    def test_part_of_the_head(self):
        for then, reset in (("close", False), ("reset", True)):
            self.fault(head={"after": 12, "then": then})
            received, broken = drain(self.raw())
            self.assertEqual(broken, reset)
            if not reset:
                self.assertEqual(received, b"HTTP/1.1 200")
        self.fault(head={"after": 12, "then": "stall"})
        sock = self.raw()
        self.requests()
        self.assertEqual(sock.recv(65536), b"HTTP/1.1 200")
        self.control("reset")
        self.assertEqual(sock.recv(1), b"")

    def test_claims_and_surplus(self):
        self.fault(claim=100)
        head, _, body = self.raw("/v1/people/" + ID_1).recv(65536).partition(
            b"\r\n\r\n")
        self.assertIn(b"Content-Length: 100\r\n", head + b"\r\n")
        self.assertGreater(len(body), 100)
        self.fault(surplus="HTTP/1.1 200 OK")
        sock = self.raw("/v1/people/" + ID_1)
        self.requests()
        self.assertTrue(sock.recv(65536).endswith(b"}HTTP/1.1 200 OK"))
        self.fault(surplus="HTTP/1.1 200 OK", joined=True, framing="chunked")
        sock = self.raw("/v1/people/" + ID_1)
        self.requests()
        self.assertTrue(sock.recv(65536).endswith(b"\r\n0\r\n\r\nHTTP/1.1 200 OK"))

    def test_drip_and_split(self):
        body = {"fields": ["root.id"], "filters": [{
            "fieldPath": "root.id", "operator": "equals", "values": [ID_1]}]}
        plain = self.call("POST", "/v1/people/search", body).body
        for keys in (dict(drip={"bytes": 7, "ms": 5}),
                     dict(split={"sizes": [1, 2, 3]}, framing="chunked"),
                     dict(split={"seed": 3, "max": 5, "pause_ms": 1}),
                     dict(framing="close")):
            self.fault(**keys)
            self.assertEqual(self.call("POST", "/v1/people/search", body).body, plain)

    def test_stalls(self):
        self.fault(stall={"seconds": 0.3})
        start = time.monotonic()
        self.search("root.id")
        self.assertGreater(time.monotonic() - start, 0.3)
        self.fault(stall={"seconds": 60, "after": 50})
        sock = self.raw("/v1/people/" + ID_1)
        self.requests()
        self.assertEqual(len(sock.recv(65536).partition(b"\r\n\r\n")[2]), 50)

    def test_stall_ends_with_reset_or_when_the_peer_goes(self):
        self.fault(stall={"seconds": 60}, times=2)
        waiting = self.raw()
        gone = self.raw()
        self.assertEqual([r["outcome"] for r in self.requests()], ["under way"] * 2)
        gone.close()
        self.assertEqual({r["outcome"] for r in self.requests()},
                         {"under way", "client gone"})
        start = time.monotonic()
        threading.Timer(0.05, lambda: self.control("reset")).start()
        self.assertTrue(waiting.recv(100))
        self.assertLess(time.monotonic() - start, 40)

    def test_resume(self):
        self.fault(stall={"seconds": 60}, status=503)
        self.fault(stall={"seconds": 60, "after": 9}, status=504, body="x" * 20)
        stalled = [self.raw(), self.raw()]
        self.config(hidden_employees=[1])
        self.control("resume")
        self.assertEqual(len(self.requests()), 2)
        self.assertEqual({record["outcome"] for record in self.requests()},
                         {"complete"})
        self.assertEqual({sock.recv(65536)[9:12] for sock in stalled},
                         {b"503", b"504"})
        self.assertNotIn({"id": ID_1}, self.search("root.id"))

    def test_gzip(self):
        self.fault(gzip="good")
        gzip.decompress(self.call("GET", "/v1/profiles").body)
        for kind in ("corrupt", "truncated"):
            self.fault(gzip=kind)
            with self.assertRaises(Exception):
                gzip.decompress(self.call("GET", "/v1/profiles").body)
        self.fault(gzip="twice")
        answer = self.call("GET", "/v1/profiles")
        self.assertEqual(answer.headers["Content-Encoding"], "gzip, gzip")
        json.loads(gzip.decompress(gzip.decompress(answer.body)))

    def test_parts(self):
        self.fault(parts=[["[", 1], ["12, ", 40000], ["3]", 1]])
        self.assertEqual(self.call("GET", "/v1/profiles").json(),
                         [12] * 40000 + [3])

    def test_close_idle(self):
        self.fault(close_idle=50)
        sock = self.raw("/v1/people/1")
        self.assertTrue(sock.recv(65536))
        self.assertEqual(sock.recv(1), b"")

    def test_unknown_keys(self):
        for keys in ({"bogus": 1}, {"stall": 3}, {"times": "x"}, {"reset": "never"},
                     {"drip": {"ms": 1}}, {"gzip": True}, {"parts": [[1, 1]]},
                     {"claim": "x"}, {"reset": True}, {"stall": {"seconds": 1,
                     "after": "before_read"}}, {"head": {"after": 1, "then": "x"}},
                     {"head": {}}):
            answer = self.call("POST", "/_sim/fault", keys, auth=None)
            self.assertEqual(answer.status, 400, keys)


class Size(SimulatorCase):
    options = ("--employees", "200000", "--rate-limit", "0")

    def test_streams_in_constant_memory(self):
        sock = self.raw(body=b'{"fields":["root.id","root.email"],'
                             b'"showInactive":true}')
        end = time.monotonic() + 30
        while time.monotonic() < end and not sock.recv(1 << 20).endswith(b"0\r\n\r\n"):
            pass
        status = pathlib.Path(f"/proc/{self.process.pid}/status")
        if status.exists():
            peak = next(int(line.split()[1]) for line in
                        status.read_text().splitlines() if line.startswith("VmHWM"))
            self.assertLess(peak, 80000)

    def test_anyone_is_found_at_once(self):
        self.assertEqual(self.number(199999, "work.employeeIdInCompany")["work"],
                         {"employeeIdInCompany": 199999})


if __name__ == "__main__":
    unittest.main()
