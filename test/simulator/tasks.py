"""Tasks: the open ones of all people, and all of one person."""

from draws import draw, salt
from messages import ApiError, json_response, stream_json
from permissions import sees
from tables import seen_employee
from values import COMPANY_ID, brief

_COUNT, _STATE, _DUE, _TITLE, _FOR = map(salt, (
    "tasks", "task state", "task due", "task title", "task for"))
_TITLES = (("Order laptop", "Onboarding", "Equipment"),
           ("Return badge & keys", "Offboarding", "Office"),
           ("Prüfe Arbeitsvertrag", "Onboarding", "HR"),
           ("Revoke licences: \"all\"", "Offboarding", "IT"),
           ("面談を設定", None, None))


def tasks(e):
    return [_task(e, n) for n in range(draw(e.number, _COUNT, 5))]


def _task(e, n):
    closed = draw(e.number, _STATE + n, 3) == 0
    due = draw(e.number, _DUE + n, 90) - 45
    title, set_name, workflow = _TITLES[draw(e.number, _TITLE + n, len(_TITLES))]
    other = e.company.employee(1 + draw(e.number, _FOR + n, e.company.size))
    number = 60_000_000 + 10 * e.number + n
    return {"id": number, "owner": brief(e), "title": title,
            "requestedFor": brief(other), "due": e.day(due),
            "linkInBob": f"https://app.hibob.com/tasks?taskId={number}&tab=mine",
            "set": set_name, "workflow": workflow, "ordinalInWorkflow": n + 1,
            "description": f"First line\nSecond line of {n}" if n % 2 else None,
            "status": "closed" if closed else "open",
            "completionDate": e.day(min(due, -1)) if closed else None,
            "employeeGroupId": 4711 if n else None, "companyId": COMPANY_ID}


def read_open_tasks(simulator, request):
    settings = simulator.settings
    found = (task for e in simulator.company.everyone() if sees(settings, e)
             for task in tasks(e) if task["status"] == "open")
    return stream_json(found, "tasks", settings)


def read_tasks_of(simulator, request):
    wanted = request.query.get("task_status")
    if wanted not in (None, "open", "closed"):
        raise ApiError(400, "invalidTaskStatus", "task_status is open or closed")
    found = tasks(seen_employee(simulator, request.params["id"]))
    return json_response({"tasks": [task for task in found
                                    if wanted in (None, task["status"])]},
                         settings=simulator.settings)
