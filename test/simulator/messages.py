"""Request, Response, and the forms of errors."""

import json
from dataclasses import dataclass, field
from itertools import islice
from urllib.parse import parse_qs, unquote, urlsplit

JSON = "application/json;charset=utf-8"
HTML = "text/html; charset=UTF-8"
BLOCK = 65536

LOGIN_PAGE = ("<!DOCTYPE html>\n<html lang=\"en\"><head><title>Bob</title></head>"
              "<body><div id=\"login\">Sign in to Bob</div></body></html>\n")


class Request:
    """One request.  `read_body` is called at the first use of the body."""

    def __init__(self, method, target, headers, read_body):
        parts = urlsplit(target)
        self.method = method
        self.target = target
        self.path = unquote(parts.path)
        self.query = {key: values[0] for key, values in
                      parse_qs(parts.query, keep_blank_values=True).items()}
        self.headers = headers
        self.endpoint = self.path
        self.params = {}
        self._read_body = read_body
        self._body = None

    @property
    def body(self):
        if self._body is None:
            self._body = self._read_body()
        return self._body

    @property
    def body_read(self):
        return self._body is not None

    def flag(self, name):
        """A true/false query parameter."""
        return self.query.get(name, "").lower() == "true"


@dataclass
class Response:
    """A response; `body` is bytes, or an iterable of bytes to be streamed."""

    status: int = 200
    body: object = b""
    content_type: str | None = None
    headers: dict = field(default_factory=dict)


class ApiError(Exception):
    """Ends a request: an error body {"key", "error", "args"}, or an empty one."""

    def __init__(self, status, key=None, text="", *args):
        super().__init__(text)
        self.response = Response(status) if key is None else json_response(
            {"key": key, "error": text, "args": list(args)}, status)


def json_text(value, settings=None):
    """JSON as HiBob writes it, compact, or as the settings say."""
    spread = settings is not None and settings.whitespace
    return json.dumps(value, indent=1 if spread else None,
                      ensure_ascii=settings is not None and settings.ascii,
                      separators=None if spread else (",", ":"))


def json_response(value, status=200, settings=None):
    return Response(status, json_text(value, settings).encode(), JSON)


def login_page():
    return Response(200, LOGIN_PAGE.encode(), HTML)


def stream(texts, before, after, between=","):
    """`before`, the texts and `after` in blocks of about 64 kB."""
    first = next(texts, None)
    if first is None:
        yield (before + after).encode()
        return
    block = before + first
    many = max(1, BLOCK // max(1, len(first)))
    while batch := list(islice(texts, many)):
        yield block.encode()
        block = between + between.join(batch)
    yield (block + after).encode()


def stream_json(values, name, settings):
    """{name: [values]} as a response in blocks; a bare array without a name."""
    before, after = ("{" + json.dumps(name) + ":[", "]}") if name else ("[", "]")
    texts = (json_text(value, settings) for value in values)
    return Response(200, stream(texts, before, after), JSON)
