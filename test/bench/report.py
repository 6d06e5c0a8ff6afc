"""The report of the benchmark in Markdown."""

import contestants


def table(headings, rows):
    """The first column is text, the others are numbers."""
    lines = ["| " + " | ".join(headings) + " |",
             "|---|" + "---:|" * (len(headings) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def number(value, digits=2):
    return "–" if value is None else f"{value:,.{digits}f}"


def seconds(value):
    if value is None:
        return "–"
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"


# --- targets ----------------------------------------------------------------

class Results:
    """Reads values from a result; None if a value was not measured."""

    def __init__(self, result):
        self.latency = result["latency"]
        self.bodies = {body["body"]: body for body in result["bodies"]}

    def get(self, body, contestant, what="median_seconds"):
        found = self.bodies.get(body, {}).get("contestants", {})
        return found.get(contestant, {}).get(what)

    def largest(self, kind, suffix="", contestant=None):
        """The largest body that a contestant read."""
        names = [name for name, body in self.bodies.items()
                 if name.startswith(kind) and name.endswith("-gzip") ==
                 (suffix == "-gzip") and
                 (contestant is None or contestant in body["contestants"])]
        return max(names, default=None,
                   key=lambda name: self.bodies[name]["employees"])


def ratio(a, b):
    return None if a is None or b is None or b == 0 else a / b


def difference(a, b):
    return None if a is None or b is None else a - b


def total(a, b):
    return None if a is None or b is None else a + b


def targets(results):
    """(what, measured, limit, whether more is better).  Without a limit the row is
    only for comparison."""
    get = results.get
    latency = results.latency
    wide = "wide-100000" if "wide-100000" in results.bodies \
        else results.largest("wide")
    narrow = "narrow-100000" if "narrow-100000" in results.bodies \
        else results.largest("narrow")
    jsonb = results.largest("wide", contestant="jsonb_text")
    large, small = results.largest("wide"), "wide-1000"
    per_row = [ratio(get(body, "scan"), results.bodies[body]["employees"])
               for body in (large, wide) if body is not None]
    yield (f"{wide}, 8 columns: times the floor",
           get(wide, "scan", "times_floor"), 2.0, False)
    yield (f"{narrow}, 5 columns: times the floor",
           get(narrow, "scan", "times_floor"), 1.5, False)
    yield (f"{wide}, count(*): times curl and the reader, both alone",
           ratio(get(wide, "count"),
                 total(get(wide, "curl"), get(wide, "reader"))), 1.25, False)
    yield (f"{wide}, count(*): times curl alone",
           ratio(get(wide, "count"), get(wide, "curl")), None, False)
    for name, title, limit in (("jsonb_text", "body::jsonb", 10.0),
                               ("jsonb_stored", "stored as jsonb", None)):
        yield (f"{jsonb}: times faster than jsonb functions, {title}",
               ratio(get(jsonb, name), get(jsonb, "scan")), limit, True)
    if "json_text" in results.bodies.get(wide, {}).get("contestants", {}):
        yield (f"{wide}: times faster than json functions",
               ratio(get(wide, "json_text"), get(wide, "scan")), 10.0, True)
    yield (f"{large}: time for a row, times that of {wide}",
           ratio(*per_row) if len(per_row) == 2 else None, 1.25, False)
    yield (f"{large}: peak memory beyond {small}, MB",
           difference(get(large, "scan", "peak_mb"),
                      get(small, "scan", "peak_mb")), 8.0, False)
    for name, title in (("foreign_text", "as text"),
                        ("foreign_prepared", "prepared")):
        yield (f"lookup {title}: median beyond the bare exchange, ms",
               difference(latency[name]["median"],
                          latency["bare_exchange"]["median"]), 0.3, False)
    for name, value in latency["planning"].items():
        yield f"planning {name}, ms", value, 0.2, False
    yield ("first row after the first employee's bytes, ms",
           latency["first_row"]["median"], 5.0, False)


def verdict(value, limit, more):
    if limit is None:
        return "–"
    if value is None:
        return "not measured"
    return "yes" if (value >= limit if more else value <= limit) else "**no**"


def targets_part(result):
    rows = [[what, number(value),
             "–" if limit is None else
             ("≥ " if more else "≤ ") + f"{limit:g}",
             verdict(value, limit, more)]
            for what, value, limit, more in targets(Results(result))]
    return "## Targets\n\n" + table(["", "measured", "target", "reached"],
                                    rows)


# --- the parts --------------------------------------------------------------

def machine_part(result):
    lines = [f"* {name}: {value}" for name, value in
             result["machine"].items()]
    return "## Machine\n\n" + "\n".join(lines) + "\n"


def body_part(body):
    megabytes = body["bytes"] / 1e6
    rows = []
    for contestant in contestants.CONTESTANTS:
        found = body["contestants"].get(contestant.name)
        if found is None:
            continue
        rows.append([
            contestant.title, str(len(found["seconds"])),
            seconds(found["median_seconds"]),
            seconds(min(found["seconds"])),
            number(found["times_floor"]),
            number(megabytes / found["median_seconds"], 0),
            seconds(found["cpu_seconds"]), number(found["peak_mb"], 0)])
    text = (f"### {body['body']}\n\n{body['employees']:,} employees, "
            f"{megabytes:,.1f} MB unpacked, {len(body['columns'])} columns; "
            f"the floor is {seconds(body['floor_seconds'])} s.\n\n")
    text += table(["", "runs", "median s", "least s", "× floor", "MB/s",
                   "CPU s", "peak MB"], rows)
    titles = {c.name: c.title for c in contestants.CONTESTANTS}
    for name, why in body["left_out"].items():
        text += f"\nLeft out: {titles[name]} ({why}).\n"
    return text


def bodies_part(result):
    text = ("## Bodies\n\n"
            "Seconds on the clock, and of the processor in the process that "
            "reads; where that is a\nserver's backend, its peak memory is of a "
            "session that did nothing else. curl is the\nproof that the server "
            "is not the bottleneck: nobody else receives a body faster. What "
            "is in\nmemory has nothing to receive.\n\n")
    text += "\n".join(body_part(body) for body in result["bodies"])
    for note in result["notes"]:
        text += f"\n{note}.\n"
    return text


def latency_part(result):
    titles = {"bare_exchange": "bare exchange, libcurl, connection kept",
              "foreign_text": "lookup in SQL, as text",
              "foreign_prepared": "lookup in SQL, prepared",
              "local_text": "lookup in a local table, as text",
              "local_prepared": "lookup in a local table, prepared",
              "first_row": "first row after the first employee's bytes"}
    rows = [[title, number(result["latency"][name]["median"], 3),
             number(result["latency"][name]["p90"], 3)]
            for name, title in titles.items()]
    rows += [[f"planning {name}", number(value, 3), "–"]
             for name, value in result["latency"]["planning"].items()]
    return ("## One row\n\nMilliseconds, as the client sees them.\n\n" +
            table(["", "median", "90 %"], rows))


def duration(value):
    return f"{value // 60} min" if value else "at once"


def questions_part(result):
    company = result["questions"]
    answers = company["answers"]
    rows = [[a["question"], str(a["rows"]), str(a["requests"]),
             duration(a["seconds"]), str(a["naive_requests"]),
             duration(a["naive_seconds"])] for a in answers]
    rows.append(["**all ten**" if len(answers) == 10 else "**all**", "",
                 str(sum(a["requests"] for a in answers)),
                 duration(sum(a["seconds"] for a in answers)),
                 str(sum(a["naive_requests"] for a in answers)),
                 duration(sum(a["naive_seconds"] for a in answers))])
    return ("## Against the rate limit\n\n"
            f"A company of {company['employees']}, and "
            f"{company['per_minute']} requests a minute for each endpoint: the "
            "requests that the\nsimulator has recorded, and how long the limit makes them wait. The naive "
            "client\nasks for a list of all employees, and then for each that "
            "the question is about.\n\n" +
            table(["question", "rows", "requests", "waits", "naive requests",
                   "waits"], rows))


def markdown(result):
    return "# Benchmark of hibob_fdw\n\n" + "\n".join((
        machine_part(result), targets_part(result), latency_part(result),
        questions_part(result), bodies_part(result)))
