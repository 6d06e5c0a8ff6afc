"""Sends a response over a connection, with faults.

The body is a stream of blocks.  `recut` splits it at other positions, where a
stall, a reset or the end of the connection may happen.
"""

import heapq
import itertools
import random
import zlib
from http.client import responses as REASONS

from faults import needs_length, with_positions

BUFFERED = 65536
FOREVER = 3600      # seconds, or until the reset
NO_BODY = (204, 304)


class Broken(Exception):
    """The connection is no longer usable; `reset` says how to close it."""

    def __init__(self, reset=False):
        super().__init__()
        self.reset = reset


class Delivery:
    """The delivery of one response."""

    def __init__(self, link, response, fault, record, gzip=False, head_only=False):
        self.link = link
        self.response = response
        self.fault = fault.keys if fault else {}
        self.record = record
        self.gzip = gzip and "Content-Encoding" not in response.headers
        self.head_only = head_only
        self.close = "close_idle" in self.fault and self.fault["close_idle"] == 0

    def run(self):
        """Send everything; True if the connection can be reused."""
        surplus = self.fault.get("surplus", "").encode("latin-1")
        if not surplus or "surplus_ms" in self.fault:
            kept = self._send_answer()
            self.link.wait(self.fault.get("surplus_ms", 0) / 1000)
            self.link.send(surplus)
            return kept
        with self.link.together(self.fault.get("joined")):
            kept = self._send_answer()
            self.link.send(surplus)
        return kept

    def _send_answer(self):
        if "stall" in self.fault and "after" not in self.fault["stall"]:
            self.link.wait(self.fault["stall"]["seconds"])
        if self.fault.get("reset") == "before_headers":
            raise Broken(reset=True)
        if "raw" in self.fault:
            self.link.send(self.fault["raw"].encode("latin-1"))
            raise Broken()
        blocks, length = self._blocks()
        if length is not None:
            self.fault = with_positions(self.fault, length)
        framing = self._framing(length)
        self.record["status"] = self.response.status
        head = self._head(framing, length)
        if "head" in self.fault:
            self._send_part(head, **self.fault["head"])
        if self.head_only or self.response.status in NO_BODY:
            self.link.send(head)
        else:
            self._send_body(head, blocks, framing)
        return framing != "close"

    # -- the body before it is sent -----------------------------------------

    def _blocks(self):
        """(blocks, length): the length is None if it is not known yet."""
        body = self.response.body
        whole = isinstance(body, bytes)
        blocks = iter([body] if whole else body)
        if self.gzip and self.response.status not in NO_BODY:
            blocks = _compressed(blocks)
            self.response.headers["Content-Encoding"] = "gzip"
        whole = (whole or self._framing(None) == "length"
                 or needs_length(self.fault))
        limit = float("inf") if whole else BUFFERED
        held, size = [], 0
        for block in blocks:
            held.append(block)
            size += len(block)
            if size > limit:
                return itertools.chain(held, blocks), None
        return iter([b"".join(held)]), size

    def _framing(self, length):
        truncate = self.fault.get("truncate", {})
        wanted = self.fault.get("framing") or truncate.get("framing")
        return wanted or ("chunked" if length is None else "length")

    def _head(self, framing, length):
        response = self.response
        headers = {}
        if response.content_type:
            headers["Content-Type"] = response.content_type
        headers.update(response.headers)
        if response.status not in NO_BODY:
            if framing == "length":
                headers["Content-Length"] = str(self._claimed(length))
            elif framing == "chunked":
                headers["Transfer-Encoding"] = "chunked"
            else:
                headers["Connection"] = "close"
        lines = [f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'Other')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join(lines + ["", ""]).encode("latin-1")

    def _send_part(self, head, after, then="close"):
        """Only the first bytes of the head."""
        self.link.send(head[:after])
        if then == "stall":
            self.link.wait(FOREVER)
        raise Broken(reset=then == "reset")

    def _claimed(self, length):
        """The Content-Length, which may be wrong because of a fault."""
        if "claim" in self.fault:
            return self.fault["claim"]
        if "truncate" in self.fault:
            return max(length, self.fault["truncate"]["after"] + 1)
        return length

    # -- the body as it is sent -----------------------------------------------

    def _send_body(self, head, blocks, framing):
        marks = self._marks()
        if 0 in marks or self._pause():
            self.link.send(head)
            head = b""
        self._at(marks, 0)
        position = 0
        for piece in recut(blocks, self._edges(marks)):
            position += len(piece)
            self._send_piece(head, piece, framing)
            head = b""
            self._at(marks, position)
        for position in sorted(marks):      # beyond the end of the body
            self._at(marks, position)
        self.link.send(head + (b"0\r\n\r\n" if framing == "chunked" else b""))

    def _send_piece(self, head, piece, framing):
        if not piece:
            self.link.send(head)
            return
        framed = (b"%x\r\n%b\r\n" % (len(piece), piece)
                  if framing == "chunked" else piece)
        self.link.send(head + framed)
        self.record["bytes"] += len(piece)
        if self._pause():
            self.link.wait(self._pause())

    def _pause(self):
        """Seconds between pieces."""
        ms = (self.fault.get("drip", {}).get("ms", 0)
              or self.fault.get("split", {}).get("pause_ms", 0))
        return ms / 1000

    def _marks(self):
        """Events by the number of bytes of the body before them."""
        marks = {}
        if "stall" in self.fault and "after" in self.fault["stall"]:
            stall = self.fault["stall"]
            marks[stall["after"]] = lambda: self.link.wait(stall["seconds"])
        if isinstance(self.fault.get("reset"), int):
            marks[self.fault["reset"]] = lambda: _break(reset=True)
        if "truncate" in self.fault:
            marks[self.fault["truncate"]["after"]] = _break
        return marks

    def _at(self, marks, position):
        act = marks.pop(position, None)
        if act:
            act()

    def _edges(self, marks):
        """The positions where the body is split, in order."""
        edges = [sorted(marks)]
        if "drip" in self.fault:
            size = self.fault["drip"]["bytes"]
            edges.append(itertools.count(size, size))
        if "split" in self.fault:
            edges.append(itertools.accumulate(_sizes(self.fault["split"])))
        return heapq.merge(*edges)


def _break(reset=False):
    raise Broken(reset)


def _sizes(split):
    """The sizes of the pieces: as given, repeatedly, or random."""
    if "sizes" in split:
        return itertools.cycle(max(1, size) for size in split["sizes"])
    chance = random.Random(split.get("seed", 0))
    most = split.get("max", 64)
    return (chance.randint(1, most) for _ in itertools.count())


def recut(blocks, edges):
    """The bytes of some blocks, split at increasing positions."""
    position = 0
    edge = next(edges, None)
    for block in blocks:
        while edge is not None and edge <= position + len(block):
            if edge > position:
                cut = edge - position
                yield block[:cut]
                block = block[cut:]
                position = edge
            edge = next(edges, None)
        if block:
            yield block
            position += len(block)


def _compressed(blocks):
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    for block in blocks:
        if packed := packer.compress(block):
            yield packed
    yield packer.flush()
