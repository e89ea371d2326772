"""History: `/v1/history/{key}`."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlencode

import falcon

from monotron.api.answers import CSV, JSON, pollable, preferred, to_json
from monotron.api.description import READ_SERIES, Answer, Calls, Description, Tag
from monotron.api.openapi.components import header, parameter, schema
from monotron.api.openapi.parameters import POLLED
from monotron.api.openapi.schemas import (
    A_TIME,
    BOUND,
    STORED_TOKEN,
    TIME,
    VALUE,
    members,
    or_null,
    page,
)
from monotron.api.query import LIMIT, page_limit
from monotron.api.series import SERIES, no_value_yet
from monotron.api.timestamps import timestamp
from monotron.core import api_keys, history, names, numbers, series
from monotron.core.call import Call
from monotron.core.history import HistoryValue
from monotron.core.records import Series
from monotron.limits import MOST_HISTORY_VALUES
from monotron.store.contract import Reading, Store
from monotron.store.paging import Page

_ENTRY = schema(
    "HistoryEntry",
    members(
        {
            "value": VALUE,
            "token": or_null(STORED_TOKEN),
            "created_at": TIME,
            "api_key": {"type": ["string", "null"], "description": "The key that took it."},
            "api_key_name": {
                "type": "string",
                "description": "The name of that key, if it has one.",
            },
        },
        optional=("api_key_name",),
    ),
    {
        "value": 7,
        "token": "7d4c379588",
        "created_at": A_TIME,
        "api_key": "pXq2mV7cLwT9aZr4KdY8sBnE",
        "api_key_name": "jenkins-prod",
    },
)
_COLUMNS = tuple(_ENTRY.body["properties"])
_AS_CSV = schema(
    "HistoryAsCsv",
    {"type": "string", "description": "With a header (RFC 4180); a column is empty for null."},
    f"{','.join(_COLUMNS)}\r\n7,7d4c379588,{A_TIME},pXq2mV7cLwT9aZr4KdY8sBnE,jenkins-prod\r\n",
)
_LINK = header(
    "Link",
    {"type": "string", "description": "The next page of a CSV, if there is one (RFC 8288)."},
    '</v1/history/shop?before=7&limit=100>; rel="next"',
    always=False,
)


class History:
    """The newest values of a series, a page at a time."""

    tag: ClassVar[Tag] = SERIES
    calls: ClassVar[Calls] = {
        "GET": Description(
            "getHistory",
            "The values given out, newest first, a page at a time; as CSV by default all of them",
            Answer(
                {
                    JSON: page("HistoryPage", "history", _ENTRY, VALUE, *_ENTRY.body["examples"]),
                    CSV: _AS_CSV,
                },
                (_LINK,),
            ),
            needs=READ_SERIES,
            queries=(
                parameter("query", "value", VALUE, "The only value to show."),
                parameter(
                    "query",
                    "before",
                    BOUND,
                    "The value to continue before.",
                    allowEmptyValue=True,
                ),
                LIMIT,
            ),
            missing="the series has no value yet",
            polled=POLLED,
        )
    }

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Answer with a page, newest first. `next` is the next page's `before`, or null.

        With `value`, the page has that value alone; 404 if history does not hold it.
        """
        key = names.series_key(key, new=False)
        in_csv = preferred(req, JSON, CSV) == CSV
        asked = _asked(req, in_csv=in_csv)
        call: Call = req.context.call

        def read(reading: Reading) -> _Found | None:
            state = series.get(reading, call.account, key)
            return None if state is None else _find(reading, state, call.keep, asked)

        found = self._store.view(read)
        if found is None:
            raise no_value_yet(key)
        if asked.value is not None and not found.rows:
            raise falcon.HTTPNotFound(
                description=f"the history of the series {key!r} does not hold the value "
                f"{asked.value}, or no longer"
            )
        if in_csv:
            resp.content_type = f"{CSV}; charset=utf-8"
            resp.data = _to_csv(found.rows)
            if found.next is not None:
                query = urlencode({"before": found.next, "limit": asked.limit})
                resp.set_header("Link", f'<{req.path}?{query}>; rel="next"')
        else:
            resp.data = to_json({"history": found.rows, "next": found.next})
        pollable(req, resp)

    on_head = on_get


@dataclass(frozen=True, slots=True)
class _Asked:
    """What part of the history a call asks for."""

    before: int | None
    limit: int
    value: int | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    rows: list[dict[str, object]]
    next: int | None


def _asked(req: falcon.Request, *, in_csv: bool) -> _Asked:
    query = req.context.query
    before = None
    if query.get("before"):
        before = numbers.bound("before", numbers.parsed("before", query["before"]))
    everything = in_csv and "limit" not in query
    limit = MOST_HISTORY_VALUES if everything else page_limit(query)
    if "value" not in query:
        return _Asked(before, limit)
    value = numbers.value(numbers.parsed("value", query["value"]))
    return _Asked(value + 1 if before is None else min(before, value + 1), 1, value)


def _find(reading: Reading, state: Series, keep: int, asked: _Asked) -> _Found:
    page: Page[HistoryValue, int] = history.page(
        reading, state, keep=keep, limit=asked.limit, before=asked.before
    )
    items, following = page.items, page.next
    if asked.value is not None:
        items, following = [each for each in items if each.value == asked.value], None
    keys = dict.fromkeys(each.api_key for each in items if each.api_key is not None)
    key_names = {key: api_keys.name_of(reading, key) for key in keys}
    return _Found([_members(each, key_names) for each in items], following)


def _members(taken: HistoryValue, key_names: dict[str, str | None]) -> dict[str, object]:
    whole: dict[str, object] = {
        "value": taken.value,
        "token": taken.token,
        "created_at": timestamp(taken.created_at),
        "api_key": taken.api_key,
    }
    name = None if taken.api_key is None else key_names[taken.api_key]
    if name is not None:
        whole["api_key_name"] = name
    return whole


def _to_csv(rows: Sequence[dict[str, object]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, _COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
