"""Runs the benchmark; see README.md.  run.sh prepares what this needs.

The contestants take turns in several rounds, so that other load of the machine
affects all of them equally; medians are compared, not single runs.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

import bodies
import contestants
import machine
import questions
import report

SIZES = (1_000, 10_000, 100_000, 1_000_000)
LONG_RUN = 8        # seconds, after which once more is enough
PLANS = 200
MOST_SHARE = 1_000_000_000  # bytes; more of them get no more time


def say(text):
    print(text, file=sys.stderr, flush=True)


class Deadline:
    def __init__(self, minutes):
        self.end = time.monotonic() + 60 * minutes

    def left(self):
        return self.end - time.monotonic()


class Server:
    """bench_server, while the benchmark runs."""

    def __init__(self, directory):
        ready = os.path.join(directory, "server.port")
        self.process = subprocess.Popen(
            ["./bench_server", directory, ready], stdin=subprocess.PIPE)
        while not os.path.exists(ready):
            if self.process.poll() is not None:
                raise RuntimeError("bench_server did not start")
            time.sleep(0.01)
        with open(ready, encoding="ascii") as port:
            self.url = f"http://127.0.0.1:{port.read().strip()}"

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def why_not(kind, count, directory):
    """Why a size does not fit this machine, or None."""
    size = bodies.bytes_per_employee(kind) * count
    free = shutil.disk_usage(directory).free
    memory = machine.available_memory()
    if free < 1.5 * size + (1 << 30):
        return f"needs {1.5 * size / 1e9:.1f} GB of free disk"
    if memory < 1.5 * size + (1 << 30):
        return (f"needs {1.5 * size / 1e9:.1f} GB of free memory, or the disk "
                "would be measured")
    return None


class Measurement:
    """A case, and the results of the contestants."""

    def __init__(self, case):
        self.case = case
        self.runs = {}      # by name of the contestant
        self.left_out = {}  # why not

    def median(self, name, of="seconds"):
        values = [getattr(run, of) for run in self.runs.get(name, ())]
        values = [value for value in values if value is not None]
        return statistics.median(values) if values else None

    def floor(self):
        if "curl" not in self.runs or "csv" not in self.runs:
            return None
        return self.median("curl") + self.median("csv")

    def as_record(self):
        floor = self.floor()
        return {
            "body": self.case.name, "employees": self.case.count,
            "bytes": self.case.size, "columns": list(self.case.columns),
            "floor_seconds": floor, "left_out": self.left_out,
            "contestants": {
                name: {
                    "seconds": [round(run.seconds, 6) for run in runs],
                    "median_seconds": self.median(name),
                    "times_floor": self.median(name) / floor if floor else None,
                    "cpu_seconds": self.median(name, "cpu"),
                    "peak_mb": self.median(name, "peak_mb")}
                for name, runs in self.runs.items()}}


class Pace:
    """The speed of each contestant, to estimate the time of the next size."""

    def __init__(self):
        self.seconds_per_byte = {}

    def note(self, name, case, run):
        self.seconds_per_byte[name, case.zipped] = run.seconds / case.size

    def expected(self, name, case):
        return self.seconds_per_byte.get((name, case.zipped), 0) * case.size


def entrants(measurement, has_plpython):
    """The contestants that take part in this case."""
    case = measurement.case
    chosen = []
    for contestant in contestants.CONTESTANTS:
        if contestant.plain_only and case.zipped:
            continue
        if case.size > contestant.most:
            measurement.left_out[contestant.name] = contestant.why
        elif contestant.name == "plpython" and not has_plpython:
            measurement.left_out[contestant.name] = "not installed"
        else:
            chosen.append(contestant)
    return chosen


def measure(case, rounds, seconds, pace, has_plpython):
    """Runs all contestants in turns, until there are enough rounds or time is up.

    A contestant whose first turn would take more than half of the time is left
    out; a slow one has only one turn.
    """
    measurement = Measurement(case)
    end = time.monotonic() + seconds
    chosen = entrants(measurement, has_plpython)
    for number in range(rounds):
        turn = number % max(len(chosen), 1)
        for contestant in chosen[turn:] + chosen[:turn]:
            runs = measurement.runs.get(contestant.name, [])
            expected = (runs[-1].seconds if runs
                        else pace.expected(contestant.name, case))
            if runs and (expected > LONG_RUN or
                         time.monotonic() + expected > end):
                continue
            if not runs and expected > seconds / 2:
                measurement.left_out[contestant.name] = \
                    f"would take about {expected:.0f} s"
                continue
            run = contestant.run(case)
            if run.rows != case.count:
                raise RuntimeError(f"{case.name}: {contestant.name} found "
                                   f"{run.rows} rows")
            pace.note(contestant.name, case, run)
            measurement.runs.setdefault(contestant.name, []).append(run)
    return measurement


def measure_all(options, directory, server, has_plpython):
    """All sizes, the small ones first; each has a share of the remaining time."""
    deadline = Deadline(options.minutes)
    pace = Pace()
    measurements = []
    notes = []
    plan = [(count, kind) for count in options.sizes
            for kind in ("narrow", "wide")]
    shares = [min(count * bodies.bytes_per_employee(kind), MOST_SHARE)
              + 100_000_000 for count, kind in plan]
    for number, (count, kind) in enumerate(plan):
        problem = why_not(kind, count, directory)
        share = deadline.left() * shares[number] / sum(shares[number:])
        if problem is None and share < 1:
            problem = "no time left"
        if problem is not None:
            notes.append(f"{kind}-{count} was left out: {problem}")
            say(notes[-1])
            continue
        end = time.monotonic() + share
        path = bodies.make(directory, kind, count, zipped=True)
        for zipped in (False, True):
            case = contestants.Case(kind, count, zipped, path,
                                    os.path.getsize(path), server.url)
            contestants.prepare_case(case)
            if count <= 100_000:
                contestants.check_case(case)
            say(f"{case.name}: {case.size / 1e6:.1f} MB, "
                f"{end - time.monotonic():.0f} s")
            measurements.append(measure(
                case, options.runs,
                max(end - time.monotonic(), 1) * (1 if zipped else 0.7),
                pace, has_plpython))
        bodies.remove(directory, kind, count)
    return measurements, notes


def planning_times(cursor):
    """Medians of the times in EXPLAIN, in milliseconds."""
    queries = {
        "all rows": "SELECT * FROM people",
        "one row": "SELECT * FROM one WHERE id = '1'",
        "a join": "SELECT * FROM people p JOIN one o ON o.id = p.id "
                  "WHERE p.status = 'Active'"}
    medians = {}
    for name, query in queries.items():
        times = []
        for _ in range(PLANS):
            cursor.execute(f"EXPLAIN (SUMMARY, FORMAT JSON) {query}")
            times.append(cursor.fetchone()[0][0]["Planning Time"])
        medians[name] = statistics.median(times)
    return medians


def measure_latency(options, directory, server):
    """Lookups, first rows and plans."""
    path = bodies.make(directory, "wide", 1000, zipped=False)
    bodies.make_one(directory)
    case = contestants.Case("wide", 1000, False, path, os.path.getsize(path),
                            server.url)
    contestants.prepare_case(case)
    session = contestants.connect()
    cursor = session.cursor()
    narrow = contestants.definitions(bodies.NARROW)
    wide = contestants.definitions(bodies.WIDE)
    for name, columns in (("one", narrow), ("trickle", wide)):
        base = "one" if name == "one" else "trickle-wide-1000"
        cursor.execute(f"""
            DROP SERVER IF EXISTS {name} CASCADE;
            CREATE SERVER {name} FOREIGN DATA WRAPPER hibob_fdw
                OPTIONS (base_url '{server.url}/{base}/v1');
            CREATE USER MAPPING FOR CURRENT_USER SERVER {name}
                OPTIONS (service_user_id 'SERVICE-5772', token 'token');
            CREATE FOREIGN TABLE {name} ({columns}) SERVER {name}
                OPTIONS (resource 'people')""")
    cursor.execute("""
        DROP TABLE IF EXISTS local_one;
        CREATE TABLE local_one AS SELECT * FROM one WHERE id = %s;
        CREATE INDEX ON local_one (id);
        ANALYZE local_one""", (str(bodies.FIRST_ID),))
    output = subprocess.run(
        ["./bench_lookup", server.url, str(options.lookups)], check=True,
        stdout=subprocess.PIPE).stdout
    latency = json.loads(output)
    latency["planning"] = planning_times(cursor)
    session.close()
    bodies.remove(directory, case.kind, case.count)
    return latency


def ask_questions(simulator):
    session = contestants.connect()
    answers = questions.ask(session.cursor(), simulator)
    session.close()
    return answers


def parse_arguments():
    parser = argparse.ArgumentParser(prog="run.sh")
    add = parser.add_argument
    add("--sizes", default=",".join(map(str, SIZES)),
        help="employees, separated by commas (default %(default)s)")
    add("--runs", type=int, default=5, help="rounds (default %(default)s)")
    add("--minutes", type=float, default=12,
        help="when to start no more runs of bodies (default %(default)s)")
    add("--lookups", type=int, default=1000,
        help="lookups of one employee (default %(default)s)")
    options = parser.parse_args()
    options.sizes = sorted(int(size) for size in options.sizes.split(","))
    if min(options.sizes) < 1 or options.runs < 1 or options.lookups < 10:
        parser.error("sizes and runs are at least 1, lookups at least 10")
    return options


def write(directory, result):
    """The result as report.json and report.md."""
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "report.json"), "w",
              encoding="utf-8") as out:
        json.dump(result, out, indent=1)
    with open(os.path.join(directory, "report.md"), "w",
              encoding="utf-8") as out:
        out.write(report.markdown(result))


def main():
    options = parse_arguments()
    directory = os.environ["BENCH_DIRECTORY"]
    server = Server(directory)
    try:
        has_plpython = contestants.set_up()
        result = {"machine": machine.describe(contestants.connect())}
        result["latency"] = measure_latency(options, directory, server)
        result["questions"] = ask_questions(os.environ["HIBOB_SIM_URL"])
        measurements, result["notes"] = measure_all(options, directory, server,
                                                    has_plpython)
    finally:
        server.stop()
    result["bodies"] = [m.as_record() for m in measurements]
    write(os.environ["BENCH_OUTPUT"], result)


main()
