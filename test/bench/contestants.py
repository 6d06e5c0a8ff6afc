"""The contestants: each way to read a body is a function of a case.

Each returns a Run: seconds, rows, and other costs as far as they are known.
All read the same columns from the same bytes, one after another.
"""

import dataclasses
import os
import resource
import subprocess
import sys
import time

import psycopg2

import bodies

PATHS = {"id": "id", "email": "email", "full_name": "fullName",
         "site": "work.site", "status": "internal.status",
         "start_date": "work.startDate",
         "termination_date": "internal.terminationDate",
         "is_manager": "work.isManager"}
TYPES = {"start_date": "date", "termination_date": "date",
         "is_manager": "boolean"}
MEGABYTE = 1_000_000


@dataclasses.dataclass
class Case:
    """A body and its location."""
    kind: str
    count: int
    zipped: bool
    path: str
    size: int           # of the body, unpacked
    server: str

    @property
    def name(self):
        return f"{self.kind}-{self.count}" + ("-gzip" if self.zipped else "")

    @property
    def base_url(self):
        return f"{self.server}/{self.name}/v1"

    @property
    def url(self):
        return f"{self.base_url}/people/search"

    @property
    def columns(self):
        return bodies.columns_of(self.kind)


@dataclasses.dataclass
class Run:
    seconds: float
    rows: int
    cpu: float | None = None        # seconds of the process that reads
    peak_mb: float | None = None    # of that process


# --- SQL --------------------------------------------------------------------

def definitions(columns):
    return ", ".join(f"{c} {TYPES.get(c, 'text')}" for c in columns)


def connect():
    session = psycopg2.connect("")
    session.autocommit = True
    return session


def backend_cpu(pid):
    """The CPU seconds of a process, from the scheduler."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as stat:
        return int(stat.read().split()[0]) / 1e9


def backend_peak(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1000
    return None


def run_sql(query, rows=None, prepare=()):
    """Times a query in a new session.  The query returns the number of rows."""
    session = connect()
    try:
        cursor = session.cursor()
        for statement in prepare:
            cursor.execute(statement)
        pid = session.info.backend_pid
        cpu = backend_cpu(pid)
        start = time.monotonic()
        cursor.execute(query)
        found = cursor.fetchall()
        seconds = time.monotonic() - start
        return Run(seconds, rows or found[0][0], backend_cpu(pid) - cpu,
                   backend_peak(pid))
    finally:
        session.close()


def all_rows(source, case):
    """A query that produces all rows and returns only the last one.

    Nothing else is done with the rows, so the query measures their source.  The
    last row shows that all rows were there.
    """
    return (f"SELECT {', '.join(case.columns)} FROM {source} "
            f"OFFSET {case.count - 1}")


def run_rows(source, case, prepare=()):
    run = run_sql(all_rows(source, case), None, prepare)
    return dataclasses.replace(run, rows=case.count if run.rows else 0)


def last_id(case):
    return str(bodies.FIRST_ID + case.count - 1)


# --- programs ---------------------------------------------------------------

def finish_program(command):
    """Runs a program: the words that it prints, its CPU seconds, its peak in MB.

    The kernel includes the memory of this process at the start of the program,
    so a peak that is not higher than that is unknown.
    """
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    words = process.stdout.read().split()
    process.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status != 0:
        raise RuntimeError(f"{' '.join(command)} failed")
    return (words, usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss / 1000 if usage.ru_maxrss > own else None)


# --- floors -----------------------------------------------------------------

def floor_http(case):
    """curl discards the body; the time as curl measures it, without its start."""
    words, cpu, _ = finish_program((
        "curl", "-sS", "--fail", "--compressed", "-o", "/dev/null",
        "-d", "{}", "-w", "%{time_total}", case.url))
    return Run(float(words[0]), case.count, cpu)


def floor_csv(case):
    """The same rows and columns from a file, by file_fdw."""
    return run_rows("csv", case)


# --- hibob_fdw --------------------------------------------------------------

def scan(case):
    return run_rows("people", case)


def count(case):
    return run_sql("SELECT count(*) FROM people")


# --- rivals -----------------------------------------------------------------

def run_program(*command):
    """A program that prints its own seconds and rows."""
    words, cpu, peak = finish_program(command)
    return Run(float(words[0]), int(words[1]), cpu, peak)


def python(case):
    return run_program(sys.executable,
                       os.path.join(os.path.dirname(__file__), "python_copy.py"),
                       case.url, *(f"{c}={PATHS[c]}" for c in case.columns))


def plpython(case):
    return run_rows(f"read_by_python('{case.url}') AS people"
                    f"({definitions(case.columns)})", case)


def json_columns(case):
    parts = []
    for column in case.columns:
        *parents, last = PATHS[column].split(".")
        path = "e" + "".join(f"->'{p}'" for p in parents) + f"->>'{last}'"
        kind = TYPES.get(column)
        parts.append((f"({path})::{kind}" if kind else path) + f" AS {column}")
    return ", ".join(parts)


def jsonb_text(case):
    """With a generic HTTP function: the body as text."""
    return run_rows(
        f"(SELECT {json_columns(case)} FROM body_text, "
        "jsonb_array_elements(body::jsonb -> 'employees') AS e) AS people",
        case)


def jsonb_stored(case):
    """The body was converted to jsonb before, which is not counted."""
    return run_rows(
        f"(SELECT {json_columns(case)} FROM body_jsonb, "
        "jsonb_array_elements(body -> 'employees') AS e) AS people", case)


def json_text(case):
    return run_rows(
        f"(SELECT {json_columns(case)} FROM body_text, "
        "json_array_elements(body::json -> 'employees') AS e) AS people",
        case)


def parser(way):
    def run(case):
        return run_program("./bench_parsers", way, case.path,
                           *(PATHS[c] for c in case.columns))
    return run


def adding_up(case):
    """Has a number of bytes, but no rows."""
    return dataclasses.replace(parser("sum")(case), rows=case.count)


@dataclasses.dataclass(frozen=True)
class Contestant:
    name: str
    title: str
    run: object
    most: float = float("inf")      # bytes of a body that make sense
    why: str = ""                   # not more
    plain_only: bool = False        # what it does has nothing to do with gzip


CONTESTANTS = (
    Contestant("curl", "floor: curl into nothing", floor_http),
    Contestant("csv", "floor: file_fdw, the rows as CSV", floor_csv),
    Contestant("scan", "**hibob_fdw**, all columns", scan),
    Contestant("count", "**hibob_fdw**, count(*)", count),
    Contestant("python", "Python: urllib, json, COPY", python,
               500 * MEGABYTE, "its objects take ten times the body"),
    Contestant("plpython", "PL/Python: urllib, json", plpython,
               500 * MEGABYTE, "its objects take ten times the body"),
    Contestant("jsonb_text", "jsonb functions, body::jsonb", jsonb_text,
               250 * MEGABYTE, "an array of jsonb has 256 MB at most", True),
    Contestant("jsonb_stored", "jsonb functions, body stored as jsonb",
               jsonb_stored, 250 * MEGABYTE,
               "an array of jsonb has 256 MB at most", True),
    Contestant("json_text", "json functions, body::json", json_text,
               500 * MEGABYTE, "a text has 1 GB at most", True),
    Contestant("tree", "json-c, whole document, in memory", parser("tree"),
               60 * MEGABYTE, "its tree takes ten times the body", True),
    Contestant("elements", "json-c, element-wise, in memory",
               parser("elements"), 500 * MEGABYTE, "too slow to wait for",
               True),
    Contestant("reader", "the reader alone, in memory", parser("reader"),
               plain_only=True),
    Contestant("sum", "adding up the bytes, in memory", adding_up,
               plain_only=True),
)


# --- tables -----------------------------------------------------------------

def set_up(server_name="bench"):
    """Objects for all cases."""
    session = connect()
    cursor = session.cursor()
    cursor.execute("CREATE EXTENSION IF NOT EXISTS hibob_fdw")
    cursor.execute("CREATE EXTENSION IF NOT EXISTS file_fdw")
    cursor.execute(f"DROP SERVER IF EXISTS {server_name} CASCADE")
    cursor.execute("DROP SERVER IF EXISTS files CASCADE")
    cursor.execute(f"""
        CREATE SERVER {server_name} FOREIGN DATA WRAPPER hibob_fdw
            OPTIONS (base_url 'http://127.0.0.1:1/v1');
        CREATE USER MAPPING FOR CURRENT_USER SERVER {server_name}
            OPTIONS (service_user_id 'SERVICE-5772', token 'token');
        CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
        DROP TABLE IF EXISTS body_text, body_jsonb;
        CREATE TABLE body_text (body text);
        CREATE TABLE body_jsonb (body jsonb)""")
    has_plpython = True
    try:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS plpython3u")
    except psycopg2.Error:
        has_plpython = False
    if has_plpython:
        with open(os.path.join(os.path.dirname(__file__), "plpython.sql"),
                  encoding="utf-8") as text:
            cursor.execute(text.read())
    session.close()
    return has_plpython


def prepare_case(case):
    """The tables of a case, and the bodies in tables."""
    session = connect()
    cursor = session.cursor()
    columns = definitions(case.columns)
    cursor.execute("DROP FOREIGN TABLE IF EXISTS people, csv")
    cursor.execute(f"ALTER SERVER bench OPTIONS (SET base_url "
                   f"'{case.base_url}')")
    cursor.execute(f"CREATE FOREIGN TABLE people ({columns}) SERVER bench "
                   "OPTIONS (resource 'people')")
    cursor.execute(
        f"CREATE FOREIGN TABLE csv ({columns}) SERVER files OPTIONS "
        f"(filename '{case.path.replace('.json', '.csv')}', format 'csv')")
    cursor.execute("TRUNCATE body_text, body_jsonb")
    if not case.zipped and case.size <= 500 * MEGABYTE:
        cursor.execute("INSERT INTO body_text SELECT pg_read_file(%s)",
                       (case.path,))
    if not case.zipped and case.size <= 250 * MEGABYTE:
        cursor.execute("INSERT INTO body_jsonb SELECT body::jsonb "
                       "FROM body_text")
    session.close()


def check_case(case):
    """Checks that both tables have the same rows, before the measurement."""
    session = connect()
    cursor = session.cursor()
    cursor.execute("""
        SELECT (SELECT (count(*), sum(hashtextextended(p::text, 0)))::text
                  FROM people p),
               (SELECT (count(*), sum(hashtextextended(c::text, 0)))::text
                  FROM csv c)""")
    scanned, expected = cursor.fetchone()
    session.close()
    if scanned != expected or not scanned.startswith(f"({case.count},"):
        raise RuntimeError(f"{case.name}: hibob_fdw found {scanned}, "
                           f"the CSV has {expected}")
