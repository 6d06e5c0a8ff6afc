"""Saved reports: the list, and the files as CSV or JSON, asynchronous or not.

Jobs is the state of asynchronous downloads: the names of the files, and how often
a file was requested before it was ready.
"""

import collections
import itertools
import threading

from messages import JSON, ApiError, Response, json_response, json_text, stream
from reportdata import REPORTS, Quoted

CSV = "text/csv; charset=UTF-8"
DOWNLOADS = "https://app.hibob.com/v1/company/reports/download/"
KEPT_JOBS = 1000


class Jobs:
    """The files of asynchronous downloads."""

    def __init__(self):
        self._lock = threading.Lock()
        self.reset()

    def reset(self):
        with self._lock:
            self._jobs = collections.OrderedDict()
            self._polls = {}
            self._count = itertools.count(1)

    def add(self, report, query, today):
        """The name of a new file."""
        with self._lock:
            kind = query.get("format", "csv")
            name = f"{today}T11_22_14.{next(self._count):06}-{report.id}.{kind}"
            self._jobs[name] = report, query
            self._polls[name] = 0
            if len(self._jobs) > KEPT_JOBS:
                self._polls.pop(self._jobs.popitem(last=False)[0])
            return name

    def ask(self, name, polls):
        """((report, query) or None if unknown, whether it is ready)."""
        with self._lock:
            if name not in self._jobs:
                return None, False
            self._polls[name] += 1
            return self._jobs[name], self._polls[name] > polls


# -- handlers ---------------------------------------------------------------------

def read_reports(simulator, request):
    company = simulator.company
    first = company.employee(1)
    return json_response({"views": [report.as_json(first)
                                    for report in REPORTS.values()]},
                         settings=simulator.settings)


def download(simulator, request):
    if simulator.settings.report_async_only:
        return _prepare(simulator, request, 202)
    return _file(simulator, _report(request), _checked(request.query))


def download_later(simulator, request):
    return _prepare(simulator, request, simulator.settings.report_accepted)


def _prepare(simulator, request, status):
    report = _report(request)
    name = simulator.jobs.add(report, _checked(request.query),
                              simulator.settings.today)
    return Response(status, headers={"Location": DOWNLOADS + name})


def download_by_name(simulator, request):
    job, ready = simulator.jobs.ask(request.params["report_name"],
                                    simulator.settings.report_polls)
    if job is None:
        return Response(404)
    return _file(simulator, *job) if ready else Response(204)


def _report(request):
    id = request.params["report_id"]
    report = REPORTS.get(int(id)) if id.isascii() and id.isdigit() else None
    if report is None:
        raise ApiError(404)
    return report


def _checked(query):
    if query.get("format", "csv") not in ("csv", "json"):
        raise ApiError(400, "unsupportedFormat", "The format is csv or json")
    return query


# -- files -------------------------------------------------------------------------

def _file(simulator, report, query):
    settings, company = simulator.settings, simulator.company
    places, columns = _columns(report, settings)
    rows = ([row[place] if place is not None else "" for place in places]
            for row in report.rows(company, settings))
    if query.get("format") == "json":
        human = query.get("humanReadable")
        texts = (json_text(_object(columns, row, human), settings) for row in rows)
        return Response(200, stream(texts, '{"employees":[', "]}"), JSON)
    info = query.get("includeInfo", "true").lower() != "false"
    return Response(200, _csv(report, columns, rows, info, settings), CSV)


def _columns(report, settings):
    """(the place of each column in a row, or None; the columns)."""
    labels = settings.report_columns.get(str(report.id))
    if labels is None:
        return range(len(report.columns)), report.columns
    places = {label: place for place, (label, _) in enumerate(report.columns)}
    return ([places.get(label) for label in labels],
            [(label, report.columns[places[label]][1] if label in places else label)
             for label in labels])


def _csv(report, columns, rows, info, settings):
    newline = "\r\n" if settings.csv_newline == "crlf" else "\n"
    delimiter = settings.csv_delimiter

    def line(cells):
        return delimiter.join([_csv_cell(cell, delimiter) for cell in cells]) + newline
    head = "\ufeff" if settings.csv_bom else ""
    if info:
        day = settings.today
        head += line([report.name]) + line([f"Executed on {day:%d/%m/%Y}"])
    head += line(label for label, _ in columns)
    return stream(map(line, rows), head, "", between="")


def _csv_cell(cell, delimiter):
    text = cell[1] if isinstance(cell, tuple) else cell
    if (delimiter in text or '"' in text or "\n" in text or "\r" in text
            or isinstance(text, Quoted)):
        return '"' + text.replace('"', '""') + '"'
    return text


def _object(columns, row, human):
    """A row as JSON: nested by path, with the human form if it was requested."""
    machine, texts = {}, {}
    for (_, path), cell in zip(columns, row):
        value, text = cell if isinstance(cell, tuple) else (cell, cell)
        _put(machine, path, value)
        if value is not None:
            _put(texts, path, text)
    if human == "REPLACE":
        return texts
    return {**machine, "humanReadable": texts} if human == "APPEND" else machine


def _put(target, path, value):
    *outer, last = path.split(".")
    for key in outer:
        target = target.setdefault(key, {})
    target[last] = value
