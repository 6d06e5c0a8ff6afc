"""The documents of an employee, and their folders."""

import uuid

from draws import draw, salt
from messages import json_response
from tables import seen_employee

_COUNT = salt("documents")
_NAMES = ("Contract.pdf", "Zeugnis 2024 – Übersetzung.pdf", "שכר.pdf",
          "Offer \"final\" (2).docx")
_FOLDERS = (("Confidential", "confidential"), ("Shared", "shared"),
            ("Signed & sealed", "custom"), ("契約書", "custom"))


def read_documents(simulator, request):
    e = seen_employee(simulator, request.params["id"])
    link = f"https://files.example.com/{e.id}/"
    return json_response({"documents": [
        {"documentName": name, "downloadLink": f"{link}{n}?sig=a%2Fb&exp=600"}
        for n, name in enumerate(_NAMES[:draw(e.number, _COUNT, 5)])]},
        settings=simulator.settings)


def read_folders(simulator, request):
    return json_response([
        {"id": {"value": str(uuid.uuid5(uuid.NAMESPACE_URL, name))},
         "name": {"value": name}, "folderType": {"value": kind}}
        for name, kind in _FOLDERS], settings=simulator.settings)
