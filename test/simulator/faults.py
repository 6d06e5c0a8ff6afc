"""Faults: what happens, where, and how often.

A Fault is made from the JSON of POST /_sim/fault.  Some of its keys change the
response (`change`), the others its delivery (delivery.py reads those).  KEYS
lists all of them.
"""

import base64
import gzip
import math
import threading
import time

from messages import BLOCK, HTML, JSON, LOGIN_PAGE, Response, json_text
from settings import Settings, changed

KEYS = {
    # where and how often
    "endpoint", "method", "contains", "skip", "times",
    # a different response
    "status", "body", "json", "body_base64", "parts", "content_type", "headers",
    "html", "redirect", "rate_limited", "gzip",
    # a different delivery
    "raw", "head", "stall", "drip", "split", "reset", "truncate", "framing",
    "claim", "surplus", "joined", "surplus_ms", "close_idle",
    # a change of settings just before the response
    "config",
}
FRAMINGS = ("length", "chunked", "close")
RESETS = ("before_read", "before_headers")    # or a position in the body
HEAD_ENDS = ("stall", "reset", "close")
# The keys with a position in the body, which may depend on its length.
POSITIONS = (("reset", None), ("stall", "after"), ("truncate", "after"),
             ("claim", None))
_RATE_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining",
                 "X-RateLimit-Reset")


class Fault:
    """One fault, with the number of times that it still happens."""

    def __init__(self, keys):
        _check(keys)
        self.keys = keys
        self.skip = keys.get("skip", 0)
        self.left = keys.get("times", 1)        # null: until the reset

    def get(self, key):
        return self.keys.get(key)

    def matches(self, request):
        """Whether this fault applies to a request."""
        endpoint = self.keys.get("endpoint", "*")
        if endpoint not in ("*", request.endpoint, _below_base(request.path)):
            return False
        if self.keys.get("method", request.method) != request.method:
            return False
        contains = self.keys.get("contains")
        return contains is None or contains.encode() in request.body

    def change(self, response):
        """The response as changed by this fault."""
        for key, make in _ANSWERS.items():
            if key in self.keys:
                response = make(self.keys[key], response)
        for name, value in self.keys.get("headers", {}).items():
            response.headers[name] = str(value)
        return response


class Faults:
    """The active faults, in the order in which they were added."""

    def __init__(self):
        self._lock = threading.Lock()
        self._faults = []
        self.generation = 0     # a stall ends when this changes

    def add(self, fault):
        with self._lock:
            self._faults.append(fault)

    def reset(self):
        with self._lock:
            self._faults.clear()
            self.generation += 1

    def end_stalls(self):
        with self._lock:
            self.generation += 1

    def take(self, request, configure):
        """The fault that applies to a request, or None.

        Its change of settings precedes the response to any later request.
        """
        with self._lock:
            for fault in self._faults:
                if fault.left == 0 or not fault.matches(request):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                if fault.left is not None:
                    fault.left -= 1
                if fault.get("config"):
                    configure(fault.get("config"))
                return fault
        return None


def _below_base(path):
    return path.removeprefix("/v1")


# -- positions in the body ----------------------------------------------------------

def needs_length(keys):
    """Whether a position of this fault depends on the length of the body."""
    return any(isinstance(value, str) or value < 0
               for *_, value in _positions(keys))


def with_positions(keys, length):
    """The keys of a fault, with all positions as bytes of a body of this length."""
    keys = dict(keys)
    for key, part, value in _positions(keys):
        place = _place(value, length)
        keys[key] = {**keys[key], part: place} if part else place
    return keys


def _positions(keys):
    """(key, key within its object or None, value) of each position."""
    for key, part in POSITIONS:
        value = keys.get(key, {}).get(part) if part else keys.get(key)
        if value is not None and (part or value not in RESETS):
            yield key, part, value


def _place(value, length):
    if isinstance(value, str):
        return {"middle": length // 2, "end": length}[value]
    return value if value >= 0 else max(0, length + value)


# -- responses ----------------------------------------------------------------------

def _with_body(body, content_type):
    def make(value, response):
        return Response(response.status, body(value), content_type, response.headers)
    return make


def _parts(parts, response):
    """Texts, each repeated, for bodies that are too long for the control plane."""
    return Response(response.status, _repeated(parts), JSON, response.headers)


def _repeated(parts):
    for text, times in parts:
        block = text.encode()
        many = max(1, BLOCK // max(1, len(block)))
        for _ in range(times // many):
            yield block * many
        yield block * (times % many)


def _status(value, response):
    """A status: the body is empty unless another key gives one."""
    return Response(value, b"", None, response.headers)


def _redirect(value, response):
    status = response.status if 300 <= response.status < 400 else 302
    return Response(status, b"", None, {**response.headers, "Location": value})


def _rate_limited(value, response):
    headers = {name: text for name, text in response.headers.items()
               if name not in _RATE_HEADERS}
    if "reset_in" in value:
        reset = math.ceil(time.time() + value["reset_in"])
        headers.update(zip(_RATE_HEADERS, ("50", "0", str(reset))))
    if "retry_after" in value:
        headers["Retry-After"] = str(value["retry_after"])
    body = {"key": "rateLimitExceeded", "error": "Too many requests", "args": []}
    return Response(429, json_text(body).encode(), JSON, headers)


def _content_type(value, response):
    response.content_type = value
    return response


def _gzip(value, response):
    """A body in gzip: good, damaged in the middle, truncated, or nested twice."""
    body = response.body
    packed = bytearray(gzip.compress(
        body if isinstance(body, bytes) else b"".join(body), 4, mtime=0))
    if value == "twice":
        packed = gzip.compress(packed, 6, mtime=0)
    middle = len(packed) // 2
    if value == "corrupt":
        packed[middle:middle + 8] = b"\xff\x00\xff\x00\xff\x00\xff\x00"
    elif value == "truncated":
        del packed[middle:]
    headers = {**response.headers, "Content-Encoding":
               "gzip, gzip" if value == "twice" else "gzip"}
    return Response(response.status, bytes(packed), response.content_type, headers)


# Applied in this order.
_ANSWERS = {
    "status": _status,
    "body": _with_body(str.encode, JSON),
    "json": _with_body(lambda value: json_text(value).encode(), JSON),
    "body_base64": _with_body(base64.b64decode, JSON),
    "parts": _parts,
    "html": lambda value, response: Response(
        response.status, LOGIN_PAGE.encode(), HTML, response.headers),
    "redirect": _redirect,
    "rate_limited": _rate_limited,
    "content_type": _content_type,
    "gzip": _gzip,
}


# -- checks -----------------------------------------------------------------------

def _check(keys):
    unknown = set(keys) - KEYS
    if unknown:
        raise ValueError(f"unknown fault key {sorted(unknown)[0]!r}; there are: "
                         + ", ".join(sorted(KEYS)))
    _check_count(keys, "skip", 0)
    _check_count(keys, "times", 1)
    if keys.get("framing", "length") not in FRAMINGS:
        raise ValueError("framing is one of " + ", ".join(FRAMINGS))
    if keys.get("gzip", "good") not in ("good", "corrupt", "truncated", "twice"):
        raise ValueError("gzip is good, corrupt, truncated or twice")
    if not all(isinstance(text, str) and _is_count(times)
               for text, times in keys.get("parts", [])):
        raise ValueError("parts is a list of [text, times]")
    _check_objects(keys)
    for key, _, value in _positions(keys):
        if not (_is_integer(value) or value in ("middle", "end")):
            raise ValueError(f"{key} needs a number of bytes, middle or end")
    if keys.get("head", {}).get("then", "close") not in HEAD_ENDS:
        raise ValueError("then is one of " + ", ".join(HEAD_ENDS))
    changed(Settings(), keys.get("config", {}))
    if "body_base64" in keys:
        base64.b64decode(keys["body_base64"], validate=True)


_OBJECTS = {
    "stall": {"seconds", "after"}, "drip": {"bytes", "ms"},
    "split": {"sizes", "seed", "max", "pause_ms"},
    "truncate": {"after", "framing"}, "rate_limited": {"reset_in", "retry_after"},
    "head": {"after", "then"},
}


def _check_objects(keys):
    for key, allowed in _OBJECTS.items():
        value = keys.get(key, {})
        if not isinstance(value, dict) or set(value) - allowed:
            raise ValueError(f"{key} is an object of {', '.join(sorted(allowed))}")
    for key, needed in (("stall", "seconds"), ("drip", "bytes"),
                        ("truncate", "after"), ("head", "after")):
        if key in keys and needed not in keys[key]:
            raise ValueError(f"{key} needs {needed!r}")


def _check_count(keys, key, default):
    value = keys.get(key, default)
    if not (_is_count(value) or key == "times" and value is None):
        raise ValueError(f"{key} is a number, 0 or more")


def _is_count(value):
    return _is_integer(value) and value >= 0


def _is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool)
