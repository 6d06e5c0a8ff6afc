#!/usr/bin/env python3
"""Makes seeds for the fuzz targets from responses of the simulator.

    corpus.py FOLDER        writes FOLDER/TARGET/..., a few dozen small files

The bytes before each document are the head that the harness of its target
expects; see test/fuzz/*_fuzz.c.
"""

import base64
import http.client
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

SIMULATOR = pathlib.Path(__file__).resolve().parent.parent / "simulator"
AUTH = "Basic " + base64.b64encode(b"SERVICE-5772:s3cret-canary-token").decode()
EMPLOYEE = "3332883884017713275"
LARGEST = 6000

# The position of a shape in json_reader_fuzz.c.
EMPLOYEES, PERSON, GROUPS, TOP, ENTRIES, OBJECT, VALUES = range(7)

FIELDS = ["root.id", "root.email", "work.title", "work.startDate"]
PEOPLE = {"fields": FIELDS, "showInactive": True}
HUMAN = {"fields": FIELDS, "humanReadable": "APPEND"}

# (shape, method, path, body)
JSON = [
    (EMPLOYEES, "POST", "/people/search", PEOPLE),
    (EMPLOYEES, "POST", "/people/search", HUMAN),
    (PERSON, "POST", f"/people/{EMPLOYEE}", HUMAN),
    (EMPLOYEES, "GET", "/profiles", None),
    (GROUPS, "GET", f"/bulk/people/work?employeeIds={EMPLOYEE}", None),
    (GROUPS, "GET", f"/bulk/people/salaries?employeeIds={EMPLOYEE}", None),
    (GROUPS, "GET", "/bulk/people/lifecycle?limit=1", None),
    (VALUES, "GET", f"/people/{EMPLOYEE}/training", None),
    (VALUES, "GET", f"/people/{EMPLOYEE}/bank-accounts", None),
    (TOP, "GET", "/company/people/fields", None),
    (OBJECT, "GET", "/people/custom-tables/metadata", None),
    (OBJECT, "GET", "/timeoff/outtoday", None),
    (OBJECT, "GET", "/tasks", None),
    (OBJECT, "GET", "/company/reports", None),
]
LISTS = ["/company/named-lists", "/company/named-lists/site",
         "/company/named-lists/department"]
REFUSALS = ["/company/named-lists/none-such", "/nowhere"]


class Simulator:
    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        ready = pathlib.Path(self.folder.name, "ready")
        self.process = subprocess.Popen(
            [sys.executable, str(SIMULATOR), "--today", "2026-01-15",
             "--employees", "3", "--rate-limit", "100000", "--ready-file",
             str(ready), "--parent-pid", str(os.getpid())],
            stdout=subprocess.DEVNULL)
        for _ in range(200):
            if ready.exists() and ready.read_text().strip():
                break
            time.sleep(0.05)
        self.port = int(ready.read_text())
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, "/v1" + path, body and json.dumps(body),
                           {"Authorization": AUTH})
        answer = connection.getresponse().read()
        connection.close()
        return answer


def shortened(body):
    """A document small enough for a seed: the first elements of each list."""
    value = json.loads(body)

    def cut(part, most):
        if isinstance(part, list):
            return [cut(element, most) for element in part[:most]]
        if isinstance(part, dict):
            return {key: cut(element, most) for key, element in part.items()}
        return part

    for most in (100, 10, 3, 1):
        text = json.dumps(cut(value, most), ensure_ascii=False,
                          separators=(",", ":")).encode()
        if len(text) <= LARGEST:
            break
    return text[:LARGEST]


def reports(simulator):
    views = json.loads(simulator.ask("GET", "/company/reports"))["views"]
    for view in views:
        path = f"/company/reports/{view['id']}/download?format="
        text = simulator.ask("GET", path + "csv")
        yield b"\n".join(text.split(b"\n")[:12])[:LARGEST]


def deep_rows(keys):
    """Rows in which paths of many keys are wanted."""
    row = '{"id":%d,"a":' + '{"a":' * (keys - 1) + '"v"' + \
        ',"b":1}' * (keys - 1) + ',"k0":true}'
    rows = ",".join(row % number for number in range(6))
    return f'{{"employees":[{rows}]}}'.encode()


def long_rows(size):
    """Rows with many unwanted bytes, none of them text, between values."""
    row = '{"a":1,"x":[' + "null," * (size // 5) + 'null],"b":2}'
    return f'{{"employees":[{",".join([row] * 3)}]}}'.encode()


def seeds(simulator):
    """(target, head, document)"""
    for keys in (12, 14, 16, 17, 32, 60):
        yield "json_reader", bytes([EMPLOYEES, 1, 129, 1, 1, 63, 1, 0]), \
            deep_rows(keys)
    for size in (1000, 17000):
        yield "json_reader", bytes([EMPLOYEES, 1, 129, 1, 1, 63, 1, 0]), \
            long_rows(size)
    for shape, method, path, body in JSON:
        document = shortened(simulator.ask(method, path, body))
        # no limit on rows, depth 64, pieces of up to 33 bytes
        yield "json_reader", bytes([shape, 1, 1, 7, 9, 32, 1, 3]), document
        yield "json_walk", b"\2", document
    for path in LISTS:
        document = shortened(simulator.ask("GET", path))
        yield "json_reader", bytes([TOP, 1, 1, 1, 2, 5, 0, 9]), document
        yield "json_walk", b"\1", document
    for path in REFUSALS:
        yield "json_walk", b"\2", simulator.ask("GET", path)[:LARGEST]
    for text in reports(simulator):
        yield "csv_reader", bytes([1, 3, 5, 20, 0, 40]), text


def main(folder):
    with Simulator() as simulator:
        for number, (target, head, document) in enumerate(seeds(simulator)):
            path = pathlib.Path(folder, target, f"simulator-{number:02}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(head + document)


if len(sys.argv) != 2:
    sys.exit(__doc__.strip())
main(sys.argv[1])
