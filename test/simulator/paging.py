"""Pages: limits, cursors, and splitting of entries into pages.

A cursor contains the start of the next page, (item, entry), so that all pages
cost the same.  It is base64 with '+', '/' and '=' in it, so that it is invalid
if a client sends it back without URL-encoding.
"""

import base64
import binascii
import re
from itertools import islice

from messages import ApiError

_MARK = b"\xfb\xff\xbf"     # "+/+/"
_EMPTY = 900000000      # the item of the first page that is kept empty


def cursor_for(position):
    text = "{}:{}".format(*position).encode()
    padding = b" " if len(text) % 3 == 0 else b""
    return base64.b64encode(_MARK + text + padding).decode()


def position_of(cursor):
    """(item, entry) where a page begins; None is the beginning."""
    item, entry = (0, 0) if cursor is None else _decoded(cursor)
    return (item, entry) if item < _EMPTY else (0, 0)


def _decoded(cursor):
    try:
        data = base64.b64decode(cursor, validate=True)
    except (binascii.Error, ValueError, TypeError):
        data = b""
    found = re.fullmatch(rb"(\d{1,9}):(\d{1,9}) ?", data.removeprefix(_MARK))
    if not data.startswith(_MARK) or not found:
        raise ApiError(400, "invalidCursor", "The cursor is not valid")
    return int(found[1]), int(found[2])


def query_limit(request, usual=50, most=200):
    """The query's `limit`."""
    text = request.query.get("limit", str(usual))
    if not re.fullmatch(r"\d{1,6}", text) or not 1 <= int(text) <= most:
        raise _bad_limit(most)
    return int(text)


def body_page(body, usual, most, needs_limit=False):
    """(limit, cursor) of the body's `pagination`."""
    pagination = body.get("pagination")
    if pagination is None:
        return usual, None
    if not isinstance(pagination, dict):
        raise ApiError(400, "invalidPagination", "pagination is not an object")
    if needs_limit and "limit" not in pagination:
        raise ApiError(400, "missingLimit", "Missing required field: limit")
    limit = pagination.get("limit", usual)
    if type(limit) is not int or not 1 <= limit <= most:
        raise _bad_limit(most)
    return limit, pagination.get("cursor") or None


def top_page(body, usual, most):
    """(limit, cursor) at the top of a body."""
    limit = body.get("limit", usual)
    if type(limit) is not int or not 1 <= limit <= most:
        raise _bad_limit(most)
    return limit, body.get("cursor") or None


def _bad_limit(most):
    return ApiError(400, "invalidLimit", f"limit is a number from 1 to {most}", most)


def cut(entries, limit, cursor, settings):
    """(a page, the next cursor or None).

    `entries` yields (position, entry) from the cursor's position on.
    """
    if settings.page_entries:
        limit = min(limit, settings.page_entries)
    if empty := _empty_page(cursor, settings):
        return [], empty
    found = list(islice(entries, limit + 1))
    following = cursor_for(found[limit][0]) if len(found) > limit else None
    if settings.repeat_cursor:
        following = cursor or following
    return [entry for _, entry in found[:limit]], following


def _empty_page(cursor, settings):
    """The cursor after an empty page, some of which may come first."""
    seen = 0 if cursor is None else _decoded(cursor)[0] - _EMPTY
    if 0 <= seen < settings.empty_pages:
        return cursor_for((_EMPTY + seen + 1, 0))
    return None


def from_list(entries, cursor):
    """A short list in the form for `cut`."""
    first, _ = position_of(cursor)
    return (((n, 0), entries[n]) for n in range(first, len(entries)))


def arranged(entries, settings):
    """Entries as the settings say: flat, or in arrays of ten."""
    if settings.entries_form == "flat":
        return entries
    return [entries[n:n + 10] for n in range(0, len(entries), 10)]
