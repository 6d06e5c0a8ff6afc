"""What the clients in Python print.  README.md describes the output."""

import datetime
import json
import sys


def tell(*parts):
    sys.stdout.buffer.write("\t".join(map(str, parts)).encode() + b"\n")


def as_json(value):
    if isinstance(value, (datetime.date, datetime.datetime)):
        value = value.isoformat()
    return json.dumps(value, default=str)
