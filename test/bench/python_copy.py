"""What a user would write: urllib, json, and COPY through psycopg2.

python_copy.py URL COLUMN=PATH...

Prints the seconds from the request to the commit, and the rows.
"""

import io
import json
import sys
import time
import urllib.request

import psycopg2


def value_at(employee, path):
    for key in path:
        employee = employee.get(key) if employee is not None else None
    return employee


def as_field(value):
    if value is None:
        return r"\N"
    if isinstance(value, str):
        return (value.replace("\\", r"\\").replace("\t", r"\t")
                .replace("\n", r"\n").replace("\r", r"\r"))
    return str(value)


def main():
    url = sys.argv[1]
    columns = [argument.split("=") for argument in sys.argv[2:]]
    paths = [path.split(".") for _, path in columns]
    session = psycopg2.connect("")
    cursor = session.cursor()
    cursor.execute("CREATE TEMP TABLE loaded (LIKE people)")
    session.commit()

    start = time.monotonic()
    request = urllib.request.Request(
        url, data=b"{}", headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as response:
        text = response.read()
        if response.headers.get("Content-Encoding") == "gzip":
            import gzip
            text = gzip.decompress(text)
    employees = json.loads(text)["employees"]
    lines = io.StringIO()
    for employee in employees:
        lines.write("\t".join(as_field(value_at(employee, path))
                              for path in paths) + "\n")
    lines.seek(0)
    cursor.copy_expert("COPY loaded FROM STDIN", lines)
    session.commit()
    print(time.monotonic() - start, len(employees))


main()
