"""The list of series: `/v1/series`."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

import falcon

from monotron.api.answers import pollable, to_json
from monotron.api.attributes import LISTED
from monotron.api.description import READ_SERIES, Calls, Description, Tag, in_json
from monotron.api.openapi.components import Object, parameter, schema
from monotron.api.openapi.parameters import POLLED
from monotron.api.openapi.schemas import (
    A_TIME,
    NAME_OR_NOTHING,
    STORED_NAME,
    TIME,
    VALUE,
    integer,
    list_of,
    members,
)
from monotron.api.openapi.schemas import page as page_of
from monotron.api.query import LIMIT, page_limit, words, words_parameter
from monotron.api.series import A_STATE, LIMITED, SERIES, STATE, of_state
from monotron.api.timestamps import moment, timestamp
from monotron.core import activity, api_keys, attributes, history, names, numbers, search, series
from monotron.core.activity import HOUR, Spans
from monotron.core.call import Call
from monotron.core.folding import Folding
from monotron.core.records import Series
from monotron.core.search import Place, Search
from monotron.limits import (
    ACTIVITY_VALUES,
    INCLUDED_PAGE_ROWS,
    PAGE_ROWS,
    RECENT_PAGE_VALUES,
    RECENT_VALUES,
)
from monotron.store.contract import Reading, Store

_SEARCHED = ("contains", "find", "changed_since", "sort")
"""The query parameters of which one makes it a search, which says how many it has found."""

_BY_KEY = "key"
_BY_PLACE = {"changed": search.by_change, "value": search.by_value}
_SORTS = (_BY_KEY, *_BY_PLACE)

_ACTIVITY, _WHO = _INCLUDED = ("activity", "who")
_VERSIONS = "versions"

_HOURS = 24
"""How many hours of activity a row shows."""

_A_RECENT: Object = {"value": 7, "created_at": A_TIME}
_A_TIME_OF_EACH: Object = {"created_at": A_TIME, "updated_at": A_TIME}
_VERSION = schema(
    "VersionOfSeries",
    members(
        {
            "name": STORED_NAME,
            "version": {"type": "string", "description": "The current version."},
            "release": {
                "type": ["string", "null"],
                "description": "The last release; only where the version is a pre-release.",
            },
        },
        optional=("release",),
    ),
    {"name": "app", "version": "1.3.0"},
    {"name": "app", "version": "1.3.0-rc.1", "release": None},
)
_MORE: Object = {
    "created_at": TIME,
    "updated_at": TIME,
    "recent": list_of(
        schema("RecentValue", members({"value": VALUE, "created_at": TIME}), _A_RECENT),
        RECENT_VALUES,
    )
    | {"description": "Newest first."},
    "activity": list_of(schema("Given", {"type": "integer", "minimum": 0}, 3), _HOURS)
    | {
        "description": "The numbers given out in each of the last 24 hours of UTC, oldest first; "
        f"the last one is the current hour. At most the newest {ACTIVITY_VALUES:,} are counted."
    },
    "api_key": {
        "type": ["string", "null"],
        "description": "The API key that took the value; null if nobody did, or if that is not "
        "known.",
    },
    "api_key_name": {"type": "string", "description": "The name of that key, if it has one."},
    "attributes": LISTED,
    "version": _VERSION,
}
_ROW = schema(
    "ListedSeries",
    members({**STATE, **LIMITED, **_MORE}, optional=(*LIMITED, *_MORE))
    | {
        "dependentRequired": {
            "created_at": ["updated_at"],
            "updated_at": ["created_at"],
            "recent": ["created_at"],
            "activity": ["created_at"],
            "api_key": ["created_at"],
            "api_key_name": ["api_key"],
            "attributes": ["api_key"],
        }
    },
    A_STATE,
    {**A_STATE, **_A_TIME_OF_EACH, "recent": [_A_RECENT]},
    {
        **A_STATE,
        **_A_TIME_OF_EACH,
        "activity": [*[0] * (_HOURS - 1), 7],
        "api_key": "pXq2mV7cLwT9aZr4KdY8sBnE",
        "api_key_name": "jenkins-prod",
        "attributes": {"author": "Ada"},
        "version": _VERSION.body["examples"][0],
    },
)
_PLACE = schema(
    "Place",
    {
        "type": "string",
        "description": "A key, with `sort=changed` a time and a key, or with `sort=value` a value "
        "and a key.",
    },
    "shop",
    "1764192000123456/shop",
    "7/shop",
)
_PAGE = page_of(
    "SeriesPage",
    "series",
    _ROW,
    _PLACE,
    *_ROW.body["examples"],
    more={
        "total": integer(0, PAGE_ROWS)
        | {
            "description": "How many were found, if all of them are on this page; only with "
            "`contains`, `find`, `changed_since` or `sort`."
        }
    },
)


class AllSeries:
    """The account's series, a page at a time."""

    tag: ClassVar[Tag] = SERIES
    calls: ClassVar[Calls] = {
        "GET": Description(
            "listSeries",
            "The series, ordered by key, by their last change or by value, a page at a time",
            in_json(_PAGE),
            needs=READ_SERIES,
            queries=(
                parameter("query", "prefix", NAME_OR_NOTHING, "The prefix of the keys."),
                parameter(
                    "query",
                    "contains",
                    NAME_OR_NOTHING,
                    "A text anywhere in the keys, in upper or lower case.",
                ),
                parameter(
                    "query",
                    "find",
                    NAME_OR_NOTHING,
                    "A text anywhere in the key, or at the beginning of the current token, or of "
                    "the version whose parts the series counts; in upper or lower case.",
                ),
                parameter(
                    "query",
                    "changed_since",
                    schema("Moment", TIME, A_TIME),
                    "When the series changed, or before that (RFC 3339).",
                ),
                parameter(
                    "query",
                    "sort",
                    schema("Sort", {"type": "string", "enum": list(_SORTS)}, "changed"),
                    "By `key`, which is the default, by `changed`, the newest change first, or by "
                    "`value`, the highest first.",
                ),
                parameter(
                    "query",
                    "after",
                    _PLACE,
                    "The `next` of the page to continue after, or with `sort=key` any key.",
                    allowEmptyValue=True,
                ),
                LIMIT,
                parameter(
                    "query",
                    "fold",
                    schema("Fold", {"type": "string", "enum": [_VERSIONS]}, _VERSIONS),
                    "`versions` lists of the series that count one name's versions only the one "
                    "that changed last, with the version.",
                ),
                parameter(
                    "query",
                    "recent",
                    schema("Recent", integer(0, RECENT_VALUES), 20),
                    "How many of each series' newest values to show, with their times. A page has "
                    f"at most {RECENT_PAGE_VALUES} of them, and fewer rows if there would be more.",
                ),
                words_parameter(
                    "include",
                    "Included",
                    _INCLUDED,
                    "What else each row shows: `activity`, how many numbers were given out in each "
                    f"of the last {_HOURS} hours; `who`, which API key took the value, and the "
                    f"attributes of its token. A page then has at most {INCLUDED_PAGE_ROWS} rows.",
                ),
            ),
            polled=POLLED,
        )
    }

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with a page. `next` is the next page's `after`, or null.

        Each series comes with its times if anything is asked for that needs more than its state.
        """
        query = req.context.query
        asked = _asked(query)
        call: Call = req.context.call
        rows, following = self._store.view(lambda reading: _read(reading, call, asked))
        whole: dict[str, object] = {"series": rows, "next": following}
        if following is None and not asked.after and not query.keys().isdisjoint(_SEARCHED):
            whole["total"] = len(rows)
        resp.data = to_json(whole)
        pollable(req, resp)

    on_head = on_get


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a call asks for."""

    search: Search
    sort: str
    after: str | Place
    """Where the page continues; empty for the first page."""
    limit: int
    recent: int | None
    included: Collection[str]

    @property
    def shows_times(self) -> bool:
        """Return whether each row has its times."""
        return self.sort != _BY_KEY or self.recent is not None or bool(self.included)


def _asked(query: Mapping[str, str]) -> _Asked:
    wanted = Search(
        names.prefix(query.get("prefix", "")),
        names.part_of_key(query.get("contains", "")),
        moment("changed_since", query["changed_since"]) if "changed_since" in query else 0,
        names.part_of_key(query.get("find", "")),
        folded=bool(words(query, "fold", (_VERSIONS,))),
    )
    sort = _sort(query.get("sort", _BY_KEY))
    after: str | Place = query.get("after", "")
    if isinstance(after, str) and after:
        after = names.series_key(after, new=False) if sort == _BY_KEY else _place(sort, after)
    limit, recent = page_limit(query), None
    if "recent" in query:
        recent = numbers.recent(numbers.parsed("recent", query["recent"]))
        limit = min(limit, RECENT_PAGE_VALUES // max(recent, 1))
    included = words(query, "include", _INCLUDED)
    if included:
        limit = min(limit, INCLUDED_PAGE_ROWS)
    return _Asked(wanted, sort, after, limit, recent, included)


def _sort(text: str) -> str:
    if text not in _SORTS:
        raise falcon.HTTPBadRequest(description=f"sort must be {' or '.join(_SORTS)}")
    return text


def _place(sort: str, text: str) -> Place:
    """Return the place that `next` names unless it is a key alone; raises 400."""
    number, _, key = text.partition("/")
    if not key:
        raise falcon.HTTPBadRequest(
            description=f"with sort={sort}, after must be the next of the page before"
        )
    place = numbers.parsed("the number in after", number)
    return place, names.series_key(key, new=False)


def _read(
    reading: Reading, call: Call, asked: _Asked
) -> tuple[list[dict[str, object]], str | None]:
    """Return the rows of a page, and where the next one continues."""
    folding = Folding(reading, call.account)
    items, following = _found(reading, call.account, asked, folding)
    rows = [of_state(each) for each in items]
    if asked.shows_times:
        for row, state in zip(rows, items, strict=True):
            row["created_at"] = timestamp(state.created_at)
            row["updated_at"] = timestamp(state.updated_at)
    if asked.recent is not None:
        for row, state in zip(rows, items, strict=True):
            row["recent"] = _recent(reading, state, call.keep, asked.recent)
    if _ACTIVITY in asked.included:
        _include_activity(reading, call, items, rows, folding if asked.search.folded else None)
    if _WHO in asked.included:
        _include_who(reading, call, items, rows)
    if asked.search.folded:
        for row in rows:
            row.update(_version(folding, str(row["key"])))
    return rows, following


def _found(
    reading: Reading, account: int, asked: _Asked, folding: Folding
) -> tuple[list[Series], str | None]:
    if isinstance(asked.after, str) and asked.sort == _BY_KEY:
        page = search.by_key(
            reading,
            account,
            asked.search,
            after=asked.after,
            limit=asked.limit,
            folding=folding,
        )
        return page.items, page.next
    placed = _BY_PLACE[asked.sort](
        reading,
        account,
        asked.search,
        after=asked.after if isinstance(asked.after, tuple) else None,
        limit=asked.limit,
        folding=folding,
    )
    return placed.items, placed.next and "{}/{}".format(*placed.next)


def _recent(reading: Reading, state: Series, keep: int, limit: int) -> list[dict[str, object]]:
    newest = history.newest(reading, state, keep=keep, limit=limit)
    return [{"value": each.value, "created_at": timestamp(each.created_at)} for each in newest]


def _include_activity(
    reading: Reading,
    call: Call,
    items: list[Series],
    rows: list[dict[str, object]],
    folding: Folding | None,
) -> None:
    spans, keep = Spans(HOUR, _HOURS, call.now), min(call.keep, ACTIVITY_VALUES)
    for row, listed in zip(rows, items, strict=True):
        keys = [listed.key] if folding is None else folding.all_for(listed.key)
        states = (series.get(reading, call.account, key) for key in keys)
        counts = [
            activity.of_series(reading, state, spans, keep=keep)
            for state in states
            if state is not None and state.updated_at >= spans.since
        ]
        row["activity"] = [sum(each) for each in zip(*counts, strict=True)] or [0] * _HOURS


def _include_who(
    reading: Reading, call: Call, items: list[Series], rows: list[dict[str, object]]
) -> None:
    entries = [history.newest_entry(reading, each, keep=call.keep) for each in items]
    takers = [None if entry is None else entry.api_key for entry in entries]
    key_names = api_keys.names_of(reading, takers)
    for row, state, taker in zip(rows, items, takers, strict=True):
        row["api_key"] = taker
        if taker in key_names:
            row["api_key_name"] = key_names[taker]
        short = attributes.shortest(reading, state.account, state.key, state.token)
        if short is not None:
            row["attributes"] = short


def _version(folding: Folding, key: str) -> dict[str, object]:
    there = folding.version_at(key)
    if there is None:
        return {}
    shown: dict[str, object] = {"name": there.version.name, "version": str(there.version)}
    if there.version.pre:
        shown["release"] = None if there.release is None else str(there.release)
    return {"version": shown}
