"""Functions that the simulator's tests share: a running simulator, a client."""

import base64
import contextlib
import http.client
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import unittest
from urllib.parse import quote

HERE = pathlib.Path(__file__).parent
AUTH = "Basic " + base64.b64encode(b"SERVICE-5772:s3cret-canary-token").decode()
ID_1 = "3332883884017713275"
TIMEOUT = 60        # seconds; a busy machine is slow


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)


class SimulatorCase(unittest.TestCase):
    """Starts one simulator for a class of tests; resets it before each."""

    options = ()

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        ready = pathlib.Path(folder.name, "ready")
        process = subprocess.Popen(
            [sys.executable, str(HERE), "--today", "2026-01-15", "--ready-file",
             str(ready), "--parent-pid", str(os.getpid()), *cls.options],
            stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(process.stdout.close)
        cls.addClassCleanup(process.wait)
        cls.addClassCleanup(process.kill)
        cls.greeting = process.stdout.readline()
        cls.process = process
        cls.port = int(ready.read_text())

    def setUp(self):
        self.control("reset")

    def call(self, method, path, body=None, auth=AUTH, connection=None, **headers):
        if auth:
            headers["Authorization"] = auth
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body)
        with contextlib.ExitStack() as stack:
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, TIMEOUT)
                stack.callback(connection.close)
            connection.request(method, path, body, headers)
            return Answer(connection.getresponse())

    def control(self, name, value=None, method="POST"):
        answer = self.call(method, "/_sim/" + name, value, auth=None)
        self.assertLess(answer.status, 300, answer.body)
        return answer

    def fault(self, **keys):
        self.control("fault", keys)

    def config(self, **keys):
        self.control("config", keys)

    def requests(self):
        return self.control("requests", method="GET").json()

    def search(self, *fields, **body):
        if fields:
            body["fields"] = list(fields)
        answer = self.call("POST", "/v1/people/search", body)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()["employees"]

    def person(self, identifier, *fields, **body):
        answer = self.call("POST", "/v1/people/" + quote(identifier),
                           {"fields": list(fields), **body})
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    def number(self, number, *fields, **body):
        """The employee with a number, requested by id."""
        return self.person(str(int(ID_1) + 37 * (number - 1)), *fields, **body)

    def raw(self, path="/v1/people/search", body=b"{}"):
        """A socket that has sent a POST."""
        sock = socket.create_connection(("127.0.0.1", self.port), TIMEOUT)
        self.addCleanup(sock.close)
        sock.sendall(b"POST %b HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\n"
                     b"Content-Length: %d\r\n\r\n%b"
                     % (path.encode(), AUTH.encode(), len(body), body))
        return sock


def drain(sock):
    """(all received data, whether the connection was reset)."""
    received = b""
    try:
        while data := sock.recv(65536):
            received += data
    except ConnectionResetError:
        return received, True
    return received, False
