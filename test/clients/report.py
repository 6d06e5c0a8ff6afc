"""What the clients in Python print.  README.md describes the output."""

import datetime
import json
import os
import sys
import time


def tell(*parts):
    sys.stdout.buffer.write("\t".join(map(str, parts)).encode() + b"\n")


def as_json(value):
    if isinstance(value, (datetime.date, datetime.datetime)):
        value = value.isoformat()
    return json.dumps(value, default=str)


def is_stalled():
    """Whether the response to a query of slow.people stalls."""
    return os.path.exists(os.environ["HIBOB_STALLED"])


def await_stall():
    while not is_stalled():
        time.sleep(0.02)
