"""The control plane for tests, under /_sim/.

It needs no credentials, and is never recorded, limited or subject to faults.
"""

import json

from faults import Fault
from messages import Response, json_response
from recorder import as_line

PREFIX = "/_sim/"
TEXT = "text/plain; charset=utf-8"


def answer(simulator, request):
    """The response to a control request."""
    handler = _HANDLERS.get((request.method, request.path.removeprefix(PREFIX)))
    if handler is None:
        return Response(404, b"no such control request\n", TEXT)
    try:
        return handler(simulator, request) or Response(204)
    except (ValueError, TypeError, AttributeError) as error:
        return Response(400, f"{error}\n".encode(), TEXT)


def _reset(simulator, request):
    simulator.reset()


def _resume(simulator, request):
    simulator.faults.end_stalls()


def _fault(simulator, request):
    value = json.loads(request.body)
    faults = [Fault(keys) for keys in (value if isinstance(value, list) else [value])]
    for fault in faults:
        simulator.faults.add(fault)


def _config(simulator, request):
    simulator.configure(json.loads(request.body))


def _settings(simulator, request):
    return json_response({name: value if name != "today" else str(value)
                          for name, value in vars(simulator.settings).items()
                          if name != "token"})


def _requests(simulator, request):
    return _listed(simulator.recorder.records(request.query.get("endpoint")), request)


def _forget(simulator, request):
    return _listed(simulator.recorder.records(request.query.get("endpoint"),
                                              clear=True), request)


def _listed(records, request):
    if request.query.get("format") == "text":
        text = "".join(as_line(record) + "\n" for record in records)
        return Response(200, text.encode(), TEXT)
    return json_response(records)


def _stats(simulator, request):
    return json_response(simulator.recorder.stats())


_HANDLERS = {
    ("POST", "reset"): _reset,
    ("POST", "resume"): _resume,
    ("POST", "fault"): _fault,
    ("POST", "config"): _config,
    ("GET", "config"): _settings,
    ("GET", "requests"): _requests,
    ("DELETE", "requests"): _forget,
    ("GET", "stats"): _stats,
}
