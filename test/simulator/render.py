"""An employee as JSON text, in HiBob's forms.

A Renderer computes once what depends only on the request (fields, nesting, text
of the keys); each employee then costs little more than the values.
"""

import json
from json.encoder import encode_basestring, encode_basestring_ascii

from human import humaniser
from special import ABSENT
from values import getter


class Tree:
    """The nesting of some JSON paths; the leaves are numbered."""

    def __init__(self, paths):
        self.entries = []
        groups = {}
        whole = {path for path, _ in paths}
        for path, leaf in paths:
            parts = path.split(".")
            if any(".".join(parts[:n]) in whole for n in range(1, len(parts))):
                continue        # part of an object that is present as a whole
            if len(parts) == 1:
                self.entries.append((json.dumps(path) + ":", leaf))
            else:
                groups.setdefault(parts[0], []).append((".".join(parts[1:]), leaf))
        for name, members in groups.items():
            self.entries.append((json.dumps(name) + ":", Tree(members)))

    def members(self, texts):
        """The contents of the object; a leaf whose text is None is left out."""
        parts = []
        for key, child in self.entries:
            text = texts[child] if child.__class__ is int else child.object(texts)
            if text is not None:
                parts.append(key + text)
        return ",".join(parts)

    def object(self, texts):
        inner = self.members(texts)
        return "{" + inner + "}" if inner else None


class Renderer:
    """Returns the JSON text of an employee with certain fields."""

    def __init__(self, fields, human, settings, company):
        self.ids = [field.id for field in fields]
        self.getters = [getter(field) for field in fields]
        self.slash_keys = [f'"{field.slash_key}":' for field in fields]
        self.tree = Tree([(field.json_path, n) for n, field in enumerate(fields)])
        self.humanisers = [humaniser(field, company) for field in fields]
        self.human = human
        self.slash = settings.forms != "nested"
        self.nested = settings.forms != "slash"
        self.human_slash = settings.human_slash
        self.whitespace = settings.whitespace
        self.quote = encode_basestring_ascii if settings.ascii else encode_basestring
        self.dumps = json.JSONEncoder(ensure_ascii=settings.ascii,
                                      separators=(",", ":")).encode

    def __call__(self, employee):
        values = [get(employee) for get in self.getters]
        if employee.fields:
            replaced = employee.fields
            values = [replaced.get(id, value)
                      for id, value in zip(self.ids, values)]
        if self.human == "REPLACE":
            parts = [self.tree.members(self._human_texts(values))]
        else:
            parts = self._machine_parts(values)
            if self.human == "APPEND":
                parts.append(self._human_part(values))
        text = "{" + ",".join(filter(None, parts)) + "}"
        return _spread(text, self.quote) if self.whitespace else text

    def _machine_parts(self, values):
        texts = [self._text(value) for value in values]
        parts = []
        if self.slash:
            parts = [f'{key}{{"value":{text}}}'
                     for key, text in zip(self.slash_keys, texts)
                     if text is not None and text != "null"]
        if self.nested:
            parts.append(self.tree.members(texts))
        return parts

    def _text(self, value):
        if value.__class__ is str:
            return self.quote(value)
        if value is None:
            return "null"
        if value is ABSENT:
            return None
        return self.dumps(value)

    def _human_texts(self, values):
        return [None if value is None or value is ABSENT
                else self.quote(human(value))
                for human, value in zip(self.humanisers, values)]

    def _human_part(self, values):
        texts = self._human_texts(values)
        if self.human_slash:
            inner = ",".join(key + text for key, text
                             in zip(self.slash_keys, texts) if text is not None)
        else:
            inner = self.tree.members(texts)
        return '"humanReadable":{' + inner + "}"


def _spread(text, quote):
    """The same JSON with all the white space that JSON allows."""
    return json.dumps(json.loads(text), indent="\t", separators=(" ,", " : "),
                      ensure_ascii=quote is encode_basestring_ascii) + "\r\n"
