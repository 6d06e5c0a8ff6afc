"""Searches of 2026: the body has fields, filters, limit and cursor.

{"fields": [ids], "filters": [{"fieldId", "operator", "values"}], "limit": n,
"cursor": "…"}, all at the top of the body; the response is {"items": […],
"response_metadata": {"next_cursor"}}, and an item has its values by field id:
{"/skill/id": 7, "/skill/name": "SQL"}.
"""

from messages import ApiError, json_response
from paging import cut, from_list, top_page
from search import json_object

MAX_FIELDS = 50


class ItemSearch:
    """A checked body of a search for items.

    `fields` are all field ids, `usual` those of a response if the body names none
    (None: it must name some), `filterable` is {field id: operators}.
    """

    def __init__(self, text, fields, usual=None, filterable=None, usual_limit=50,
                 most=200):
        self.body = json_object(text)
        self.fields = self._fields(self.body.get("fields"), fields, usual)
        self.filters = [self._filter(each, filterable or {})
                        for each in self._list("filters")]
        self.limit, self.cursor = top_page(self.body, usual_limit, most)

    def _list(self, key):
        found = self.body.get(key, [])
        if not isinstance(found, list):
            raise ApiError(400, "invalidFilters", f"{key} is not a list")
        return found

    def _fields(self, ids, known, usual):
        if ids is None and usual is not None:
            return list(usual)
        if (not isinstance(ids, list) or not 1 <= len(ids) <= MAX_FIELDS
                or not all(isinstance(id, str) for id in ids)):
            raise ApiError(400, "invalidFields",
                           f"fields is a list of 1 to {MAX_FIELDS} field ids")
        for id in ids:
            if id not in known:
                raise ApiError(400, "unknownField", f"Unknown field ID: {id}", id)
        return list(dict.fromkeys(ids))

    def _filter(self, each, filterable):
        field = each.get("fieldId") if isinstance(each, dict) else None
        if field not in filterable:
            raise ApiError(400, "exception.calendar.publicApi.unsupportedFilterField",
                           "The field cannot be filtered by", field)
        if each.get("operator") not in filterable[field]:
            raise ApiError(400, "invalidFilterOperator", "The operators are "
                           + ", ".join(filterable[field]))
        values = each.get("values")
        if (not isinstance(values, list) or not values
                or not all(isinstance(value, str) for value in values)):
            raise ApiError(400, "invalidFilterValues",
                           "Missing required field: values")
        return field, each["operator"], values

    def values(self, field, operator="equals"):
        """The values of a filter, or None."""
        for named, used, values in self.filters:
            if (named, used) == (field, operator):
                return values
        return None

    def show(self, found):
        return {id: found[id] for id in self.fields if id in found}


def items_response(page, following, settings):
    return json_response({"items": page,
                          "response_metadata": {"next_cursor": following}},
                         settings=settings)


def reader_of(make, fields, usual=None):
    """The handler of a search among the items of `make(company, settings)`."""
    def read(simulator, request):
        settings = simulator.settings
        search = ItemSearch(request.body, fields, usual)
        found = make(simulator.company, settings)
        page, following = cut(from_list(found, search.cursor), search.limit,
                              search.cursor, settings)
        return items_response([search.show(each) for each in page], following,
                              settings)
    return read
