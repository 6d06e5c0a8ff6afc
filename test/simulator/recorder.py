"""Records of the requests, for tests."""

import collections
import json
import threading
import time

KEPT = 20000


class Recorder:
    """Keeps a record (a dict) of each request; the newest KEPT of them."""

    def __init__(self):
        self._lock = threading.Lock()
        self._records = collections.deque(maxlen=KEPT)
        self._sequence = 0
        self._connections = 0
        self._open = 0
        self._bytes = 0

    def connected(self):
        """A new connection; its number."""
        with self._lock:
            self._connections += 1
            self._open += 1
            return self._connections

    def disconnected(self):
        with self._lock:
            self._open -= 1

    def begin(self, request, connection, credentials):
        """A record of a new request."""
        headers = {name: value for name, value in request.headers.items()
                   if name.lower() != "authorization"}
        with self._lock:
            self._sequence += 1
            record = {
                "sequence": self._sequence, "time": round(time.time(), 3),
                "connection": connection, "method": request.method,
                "target": request.target, "path": request.path,
                "endpoint": request.endpoint,
                "query": request.query, "headers": headers,
                "credentials": credentials, "body": None, "status": None,
                "window": None, "ended": None, "bytes": 0, "done": False, "outcome": "under way"}
            self._records.append(record)
        return record

    def end(self, record, outcome):
        """How it ended: complete, reset, cut off, or the client closed the connection."""
        record["ended"] = round(time.time(), 3)
        record["done"] = True
        record["outcome"] = outcome

    def reset(self):
        """Forget everything except the open connections."""
        with self._lock:
            self._records.clear()
            self._sequence = 0

    def records(self, endpoint=None, clear=False):
        with self._lock:
            found = [record for record in self._records
                     if endpoint in (None, record["endpoint"])]
            if clear:
                self._records.clear()
        return found

    def stats(self):
        with self._lock:
            records = list(self._records)
            counts = {"requests": self._sequence,
                      "connections": self._connections,
                      "open_connections": self._open}
        by_endpoint = collections.Counter(
            f"{record['method']} {record['endpoint']}" for record in records)
        by_status = collections.Counter(
            str(record["status"]) for record in records)
        return {**counts, "bytes": sum(record["bytes"] for record in records),
                "under_way": sum(not record["done"] for record in records),
                "by_endpoint": by_endpoint, "by_status": by_status}


def as_line(record):
    """POST /people/search {"fields":["root.id"]} -> 200"""
    path = record["path"].removeprefix("/v1")
    if record["query"]:
        path += "?" + "&".join(f"{key}={value}"
                               for key, value in record["query"].items())
    body = record["body"]
    if body is not None and not isinstance(body, str):
        body = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    outcome = record["status"] or "no answer"
    return " ".join(filter(None, [record["method"], path, body, "->",
                                  str(outcome)]))


def parsed(body):
    """A body for the record: JSON if it is valid, otherwise text; None if empty."""
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")
