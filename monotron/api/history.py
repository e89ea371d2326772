"""History: `/v1/history/{key}`."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlencode

import falcon

from monotron.api.answers import CSV, JSON, pollable, preferred, to_json
from monotron.api.attributes import LISTED
from monotron.api.description import READ_SERIES, Answer, Calls, Description, Tag
from monotron.api.openapi.components import Object, header, parameter, schema
from monotron.api.openapi.parameters import POLLED
from monotron.api.openapi.schemas import (
    A_TIME,
    BOUND,
    STORED_TOKEN,
    TIME,
    VALUE,
    integer,
    members,
    or_null,
    page,
)
from monotron.api.query import LIMIT, page_limit, words, words_parameter
from monotron.api.series import SERIES, no_value_yet
from monotron.api.timestamps import timestamp
from monotron.core import api_keys, attributes, history, names, numbers, series
from monotron.core.call import Call
from monotron.core.history import HistoryRange, HistoryValue
from monotron.core.records import Series
from monotron.limits import (
    LISTED_ATTRIBUTES_BYTES,
    MOST_HISTORY_VALUES,
    PAGE_ROWS,
    RANGE_VALUES,
)
from monotron.store.contract import Reading, Store

_RANGES, _ATTRIBUTES = "ranges", "attributes"

_OF_RANGE: Object = {
    "first": VALUE,
    "count": integer(2, RANGE_VALUES),
    "moved_from": BOUND,
}
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
            **_OF_RANGE,
            "attributes": LISTED,
        },
        optional=("api_key_name", *_OF_RANGE, "attributes"),
    )
    | {"dependentRequired": {"first": ["count"], "count": ["first"]}},
    {
        "value": 7,
        "token": "7d4c379588",
        "created_at": A_TIME,
        "api_key": "pXq2mV7cLwT9aZr4KdY8sBnE",
        "api_key_name": "jenkins-prod",
    },
    {
        "value": 1242,
        "first": 1203,
        "count": 40,
        "moved_from": 7,
        "token": None,
        "created_at": A_TIME,
        "api_key": None,
    },
    {
        "value": 7,
        "token": "7d4c379588",
        "created_at": A_TIME,
        "api_key": None,
        "attributes": {"author": "Ada"},
    },
)
_COLUMNS = ("value", "token", "created_at", "api_key", "api_key_name")
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
            "The values given out, newest first, a page at a time; as CSV without `limit` all of "
            "them, or with attributes a page of up to 1,000",
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
                parameter(
                    "query",
                    "fold",
                    schema("FoldHistory", {"type": "string", "enum": [_RANGES]}, _RANGES),
                    "`ranges` makes one entry of the values that one call took, with `first` and "
                    "`count` if there are several. `moved_from` is where the series stood before "
                    "it was moved up to just below them.",
                    within="history",
                ),
                words_parameter(
                    "include",
                    "IncludedInHistory",
                    (_ATTRIBUTES,),
                    "What else each entry shows: the attributes of its token.",
                    within="history",
                ),
            ),
            missing="the series has no value yet",
            polled=POLLED,
        )
    }

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Answer with a page, newest first. `next` is the next page's `before`, or null.

        With `value`, the page has that value alone, or its range; 404 if history does not hold it.
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
            resp.data = _to_csv(found.rows, asked.columns)
            if found.next is not None:
                more = {name: req.context.query.get(name) for name in ("limit", "fold", "include")}
                query = urlencode(
                    {"before": found.next} | {name: text for name, text in more.items() if text}
                )
                resp.set_header("Link", f'<{req.path}?{query}>; rel="next"')
        else:
            resp.data = to_json({"history": found.rows, "next": found.next})
        pollable(req, resp)

    on_head = on_get


@dataclass(frozen=True, slots=True)
class _Asked:
    """What part of the history a call asks for, and how."""

    before: int | None
    limit: int
    value: int | None
    in_ranges: bool
    with_attributes: bool

    @property
    def columns(self) -> Sequence[str]:
        """Return the columns of a CSV."""
        more = _OF_RANGE if self.in_ranges else ()
        return (*_COLUMNS, *more, *((_ATTRIBUTES,) if self.with_attributes else ()))


@dataclass(frozen=True, slots=True)
class _Found:
    rows: list[dict[str, object]]
    next: int | None


def _asked(req: falcon.Request, *, in_csv: bool) -> _Asked:
    query = req.context.query
    before = value = None
    if query.get("before"):
        before = numbers.bound("before", numbers.parsed("before", query["before"]))
    in_ranges = bool(words(query, "fold", (_RANGES,)))
    with_attributes = bool(words(query, "include", (_ATTRIBUTES,)))
    everything = in_csv and "limit" not in query
    limit = page_limit(query)
    if everything:
        # Each token's attributes are several more rows of the store.
        limit = PAGE_ROWS if with_attributes else MOST_HISTORY_VALUES
    if "value" in query:
        value, limit = numbers.value(numbers.parsed("value", query["value"])), 1
    return _Asked(before, limit, value, in_ranges, with_attributes)


def _find(reading: Reading, state: Series, keep: int, asked: _Asked) -> _Found:
    items, following = _items(reading, state, keep, asked)
    key_names = api_keys.names_of(reading, (each.api_key for each in items))
    rows = [_members(each, key_names) for each in items]
    if asked.with_attributes:
        shown = _include_attributes(reading, state, rows)
        if shown < len(rows):
            last = items[shown - 1]
            following = last.first if isinstance(last, HistoryRange) else last.value
            rows = rows[:shown]
    return _Found(rows, following)


def _items(
    reading: Reading, state: Series, keep: int, asked: _Asked
) -> tuple[Sequence[HistoryValue | HistoryRange], int | None]:
    if asked.in_ranges:
        if asked.value is not None:
            found = history.range_with(reading, state, asked.value, keep=keep)
            within = asked.before is None or asked.value < asked.before
            return [found] if found is not None and within else [], None
        ranges = history.ranges(reading, state, keep=keep, limit=asked.limit, before=asked.before)
        return ranges.items, ranges.next
    before = asked.before
    if asked.value is not None:
        before = min(asked.value + 1, before or asked.value + 1)
    page = history.page(reading, state, keep=keep, limit=asked.limit, before=before)
    if asked.value is None:
        return page.items, page.next
    return [each for each in page.items if each.value == asked.value], None


def _members(
    taken: HistoryValue | HistoryRange, key_names: Mapping[str | None, str]
) -> dict[str, object]:
    whole: dict[str, object] = {
        "value": taken.value,
        "token": taken.token,
        "created_at": timestamp(taken.created_at),
        "api_key": taken.api_key,
    }
    if taken.api_key in key_names:
        whole["api_key_name"] = key_names[taken.api_key]
    if isinstance(taken, HistoryRange):
        if taken.first < taken.value:
            whole.update(first=taken.first, count=taken.value - taken.first + 1)
        if taken.moved_from is not None:
            whole["moved_from"] = taken.moved_from
    return whole


def _include_attributes(reading: Reading, state: Series, rows: Sequence[dict[str, object]]) -> int:
    """Add the attributes of each row's token; return how many rows an answer has room for."""
    size, known = 0, dict[str, dict[str, str] | None]()
    for place, row in enumerate(rows):
        token = row["token"]
        if not isinstance(token, str):
            continue
        if token not in known:
            every = attributes.get_all(reading, state.account, state.key, token)
            known[token] = attributes.short(every)
            # Reading attributes that are too long to be shown takes as long.
            size += sum(len(text) for text in every.values())
        else:
            size += sum(len(text) for text in (known[token] or {}).values())
        if known[token] is not None:
            row[_ATTRIBUTES] = known[token]
        if size > LISTED_ATTRIBUTES_BYTES:
            return place + 1
    return len(rows)


def _to_csv(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    for row in rows:
        found = row.get(_ATTRIBUTES)
        in_text = {_ATTRIBUTES: to_json(found).decode()} if isinstance(found, dict) else {}
        writer.writerow({**row, **in_text})
    return text.getvalue().encode()
