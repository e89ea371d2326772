"""The series API: `/v1/series`."""

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

import falcon

from monotron.api.answers import JSON, answer, pollable, representations, to_json
from monotron.api.body import exact, read_object
from monotron.api.conditions import conditions
from monotron.api.description import (
    DELETE_SERIES,
    NOTHING,
    READ_SERIES,
    WRITE_SERIES,
    Body,
    Calls,
    Description,
    Tag,
    as_number,
    in_json,
)
from monotron.api.limit_header import LIMIT_HEADER, warn
from monotron.api.openapi.components import Object, parameter, schema
from monotron.api.openapi.parameters import POLLED
from monotron.api.openapi.schemas import (
    A_TIME,
    ACCOUNT_ID,
    NAME_OR_NOTHING,
    PLAIN_NUMBER,
    STORED_NAME,
    STORED_TOKEN,
    TIME,
    VALUE,
    integer,
    list_of,
    members,
    or_null,
)
from monotron.api.openapi.schemas import page as page_of
from monotron.api.query import LIMIT, page_limit
from monotron.api.retries import take_once
from monotron.api.timestamps import moment, timestamp
from monotron.core import history, names, numbers, search, series
from monotron.core.call import Call
from monotron.core.errors import InvalidNumber, LimitReached, SeedTooLow, SeriesExhausted
from monotron.core.history import HistoryValue
from monotron.core.records import Series
from monotron.core.search import Place, Search
from monotron.limits import PAGE_ROWS, RANGE_VALUES, RECENT_PAGE_VALUES, RECENT_VALUES
from monotron.store.contract import Reading, Store, Transaction

SERIES = Tag(
    "Series", "A series can have any name. A token says what its current number stands for."
)

_STATE: Object = {
    "creator_id": ACCOUNT_ID,
    "key": STORED_NAME,
    "token": or_null(STORED_TOKEN),
    "value": VALUE,
}
_A_STATE: Object = {"creator_id": 1, "key": "shop", "token": "7d4c379588", "value": 7}
# A series has a limit only if somebody has set one.
_LIMITED: Object = {"limit": VALUE}
_ONE = as_number(
    schema("Series", members({**_STATE, **_LIMITED}, optional=_LIMITED), _A_STATE),
    PLAIN_NUMBER,
    LIMIT_HEADER,
)

_COUNT = schema("Count", integer(1, RANGE_VALUES), 100)
_RANGE = as_number(
    schema(
        "Range",
        members({**_STATE, "first": VALUE, "count": _COUNT}, optional=("first", "count"))
        | {"dependentRequired": {"first": ["count"], "count": ["first"]}},
        {**_A_STATE, "token": None, "value": 107, "first": 8, "count": 100},
        {**_A_STATE, "token": None},
    ),
    PLAIN_NUMBER,
    LIMIT_HEADER,
)

_SEARCHED = ("contains", "changed_since", "sort")
"""The query parameters of which one makes it a search, which says how many it has found."""

_BY_KEY, _BY_CHANGE = _SORTS = ("key", "changed")

# With `sort=changed` a series in a list has two more members, and with `recent` three.
_A_RECENT: Object = {"value": 7, "created_at": A_TIME}
_TIMES: Object = {"created_at": A_TIME, "updated_at": A_TIME, "recent": [_A_RECENT]}
_MORE: Object = {
    "created_at": TIME,
    "updated_at": TIME,
    "recent": list_of(
        schema("RecentValue", members({"value": VALUE, "created_at": TIME}), _A_RECENT),
        RECENT_VALUES,
    )
    | {"description": "Newest first."},
}
_LISTED = schema(
    "ListedSeries",
    members({**_STATE, **_LIMITED, **_MORE}, optional=(*_LIMITED, *_MORE))
    | {
        "dependentRequired": {
            "created_at": ["updated_at"],
            "updated_at": ["created_at"],
            "recent": ["created_at"],
        }
    },
    _A_STATE,
    {**_A_STATE, **_TIMES},
)
_PLACE = schema(
    "Place",
    {"type": "string", "description": "A key, or with `sort=changed` a time and a key."},
    "shop",
    "1764192000123456/shop",
)
_PAGE = page_of(
    "SeriesPage",
    "series",
    _LISTED,
    _PLACE,
    *_LISTED.body["examples"],
    more={
        "total": integer(0, PAGE_ROWS)
        | {
            "description": "How many were found, if all of them are on this page; only with "
            "`contains`, `changed_since` or `sort`."
        }
    },
)

REMEMBER = parameter(
    "query",
    "remember",
    schema("Remember", {"type": "string", "enum": ["true", "false"]}, "true"),
    "Whether an earlier token gets its value again too, as long as history holds it.",
)

# The only body that refuses unknown members.
_SEED = schema("Seed", members({"value": VALUE}) | {"additionalProperties": False}, {"value": 110})


class AllSeries:
    """`/v1/series`: the account's series, a page at a time."""

    tag: ClassVar[Tag] = SERIES
    calls: ClassVar[Calls] = {
        "GET": Description(
            "listSeries",
            "The series, ordered by key or by their last change, a page at a time",
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
                    "changed_since",
                    schema("Moment", TIME, A_TIME),
                    "When the series changed, or before that (RFC 3339).",
                ),
                parameter(
                    "query",
                    "sort",
                    schema("Sort", {"type": "string", "enum": list(_SORTS)}, _BY_CHANGE),
                    "By `key`, which is the default, or by `changed`: the newest change first.",
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
                    "recent",
                    schema("Recent", integer(0, RECENT_VALUES), 20),
                    "How many of each series' newest values to show, with their times. A page has "
                    f"at most {RECENT_PAGE_VALUES} of them, and fewer rows if there would be more.",
                ),
            ),
            polled=POLLED,
        )
    }

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with a page. `next` is the next page's `after`, or null.

        With `recent` or `sort=changed` each series comes with its times, and with `recent` also
        with its newest values.
        """
        query = req.context.query
        wanted = Search(
            names.prefix(query.get("prefix", "")),
            names.part_of_key(query.get("contains", "")),
            moment("changed_since", query["changed_since"]) if "changed_since" in query else 0,
        )
        by_change = _sort(query.get("sort", _BY_KEY)) == _BY_CHANGE
        after = query.get("after", "")
        place = _place(after) if by_change and after else None
        key = names.series_key(after, new=False) if after and not by_change else ""
        limit = page_limit(query)
        recent = None
        if "recent" in query:
            recent = numbers.recent(numbers.parsed("recent", query["recent"]))
            limit = min(limit, RECENT_PAGE_VALUES // max(recent, 1))

        call: Call = req.context.call

        def read(reading: Reading) -> tuple[list[Series], str | None, list[list[HistoryValue]]]:
            if by_change:
                changed = search.by_change(reading, call.account, wanted, after=place, limit=limit)
                items, following = changed.items, changed.next and "{}/{}".format(*changed.next)
            else:
                page = search.by_key(reading, call.account, wanted, after=key, limit=limit)
                items, following = page.items, page.next
            most = recent or 0
            newest = [history.newest(reading, each, keep=call.keep, limit=most) for each in items]
            return items, following, newest

        items, following, newest = self._store.view(read)
        rows = [_of_state(each) for each in items]
        if recent is not None or by_change:
            for row, state in zip(rows, items, strict=True):
                row.update(_times(state))
        if recent is not None:
            for row, taken in zip(rows, newest, strict=True):
                row["recent"] = _recent(taken)
        whole: dict[str, object] = {"series": rows, "next": following}
        if following is None and not after and not query.keys().isdisjoint(_SEARCHED):
            whole["total"] = len(rows)
        resp.data = to_json(whole)
        pollable(req, resp)

    on_head = on_get


class OneSeries:
    """`/v1/series/{key}`: the current state, the next value without a token, seed, deletion."""

    tag: ClassVar[Tag] = SERIES
    calls: ClassVar[Calls] = {
        "GET": Description(
            "getSeries",
            "The current state",
            _ONE,
            needs=READ_SERIES,
            missing="the series has no value yet",
            polled=POLLED,
        ),
        "POST": Description(
            "takeValues",
            "Take the next value, or with `count` that many values as one gap-free range",
            _RANGE,
            needs=WRITE_SERIES,
            queries=(parameter("query", "count", _COUNT, "How many values; 1 if not given."),),
            raises=(SeriesExhausted, LimitReached),
            retried=True,
            then=("getSeries", "getHistory", "takeValueForToken", "deleteSeries"),
        ),
        "PUT": Description(
            "seedSeries",
            "Move the series up to a value, so that the next one is that value plus 1",
            _ONE,
            needs=WRITE_SERIES,
            body=Body({JSON: _SEED}),
            raises=(InvalidNumber, SeedTooLow, LimitReached),
            then=("getSeries", "deleteSeries"),
        ),
        "DELETE": Description(
            "deleteSeries",
            "Remove the series with its history and attributes; it starts at 1 again",
            NOTHING,
            needs=DELETE_SERIES,
            then=("getSeries",),
        ),
    }

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Answer with the current state; 404 before the first value."""
        key = names.series_key(key, new=False)
        state = self._store.view(lambda reading: series.get(reading, req.context.call.account, key))
        if state is None:
            raise no_value_yet(key)
        req.context.limit = state.limit
        warn(req, resp, state.value)
        answer(req, resp, _of_state(state), state.value)
        pollable(req, resp)

    on_head = on_get

    def on_post(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Take the next value, or with `count` that many values as one gap-free range."""
        key = names.series_key(key)
        query = req.context.query
        count = 1
        if "count" in query:
            count = numbers.count(numbers.parsed("count", query["count"]))
        call: Call = req.context.call

        def take(txn: Transaction) -> tuple[int, int]:
            state = series.advance(txn, call, key, count=count)
            req.context.limit = state.limit
            return state.value, count

        value = take_once(
            self._store,
            req,
            ("series", key, str(count) if "count" in query else ""),
            take,
            lambda reading: _current(reading, call.account, key),
        )
        warn(req, resp, value)
        members = _members(call.account, key, None, value)
        if "count" in query:
            members.update(first=value - count + 1, count=count)
        answer(req, resp, members, value)

    def on_put(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Move the series up to the `value` in the body; 409 if that would move it back."""
        key = names.series_key(key)
        body = read_object(req)
        if body.keys() != {"value"}:
            raise InvalidNumber('the body must be {"value":N}, with a whole number N')
        goal = numbers.value(exact(body["value"]))
        call: Call = req.context.call
        wanted = conditions(req)

        def seed(txn: Transaction) -> Series:
            wanted.require(lambda: _current(txn, call.account, key))
            return series.seed(txn, call, key, goal)

        state = self._store.update(seed)
        answer(req, resp, _of_state(state), state.value)

    def on_delete(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Remove the series; it starts at 1 again. It is not an error if it is missing."""
        key = names.series_key(key, new=False)
        account, wanted = req.context.call.account, conditions(req)

        def delete(txn: Transaction) -> None:
            wanted.require(lambda: _current(txn, account, key))
            series.delete(txn, account, key)

        self._store.update(delete)


_TAKE = Description(
    "takeValueForToken",
    "The token's value: the same as last time, or the next value if it is another token",
    _ONE,
    needs=WRITE_SERIES,
    queries=(REMEMBER,),
    raises=(SeriesExhausted, LimitReached),
    then=("getValueOfToken", "getHistory", "putAttributes", "deleteSeries"),
)


class SeriesAtToken:
    """`/v1/series/{key}/{token}`: the value of a token."""

    tag: ClassVar[Tag] = SERIES
    calls: ClassVar[Calls] = {
        "GET": Description(
            "getValueOfToken",
            "The token's last value, as long as history holds it",
            _ONE,
            needs=READ_SERIES,
            missing="the series 'shop' has no value for '7d4c379588', or no longer",
            polled=POLLED,
        ),
        "PUT": _TAKE,
        "POST": replace(
            _TAKE,
            name="postValueForToken",
            summary="The same as PUT, for clients without PUT",
            retried=True,
        ),
    }

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, key: str, token: str) -> None:
        """Answer with the token's last value; 404 if history does not hold it."""
        key, token = names.series_key(key, new=False), names.token(token, new=False)
        call: Call = req.context.call
        value = self._store.view(lambda reading: _find(reading, call, key, token))
        if value is None:
            raise falcon.HTTPNotFound(
                description=f"the series {key!r} has no value for {token!r}, or no longer"
            )
        answer(req, resp, _members(call.account, key, token, value), value)
        pollable(req, resp)

    on_head = on_get

    def on_put(self, req: falcon.Request, resp: falcon.Response, key: str, token: str) -> None:
        """Answer with the token's value: the same as last time, or the next for another token."""
        key, token = names.series_key(key), names.token(token)
        remember = _remember(req)
        call: Call = req.context.call

        def take(txn: Transaction) -> tuple[int, int]:
            taken = series.value_for(txn, call, key, token, remember=remember)
            req.context.limit = taken.limit
            return taken.value, taken.count

        def current(reading: Reading) -> Iterable[bytes]:
            value = _find(reading, call, key, token)
            return () if value is None else _representations(call.account, key, token, value)

        asked = ("series", key, "token", token, *(("remember",) if remember else ()))
        value = take_once(self._store, req, asked, take, current)
        warn(req, resp, value)
        answer(req, resp, _members(call.account, key, token, value), value)

    # Clients such as busybox wget and HTML forms have no PUT.
    on_post = on_put


def no_value_yet(key: str) -> falcon.HTTPNotFound:
    """Return the 404 of a missing series."""
    return falcon.HTTPNotFound(description=f"the series {key!r} has no value yet")


def _remember(req: falcon.Request) -> bool:
    text = req.context.query.get("remember", "false")
    if text not in ("true", "false"):
        raise falcon.HTTPBadRequest(description="remember must be true or false")
    return bool(text == "true")


def _find(reading: Reading, call: Call, key: str, token: str) -> int | None:
    state = series.get(reading, call.account, key)
    return None if state is None else history.value_of(reading, state, token, keep=call.keep)


def _current(reading: Reading, account: int, key: str) -> Iterable[bytes]:
    state = series.get(reading, account, key)
    return () if state is None else representations(_of_state(state), state.value)


def _representations(account: int, key: str, token: str | None, value: int) -> Iterable[bytes]:
    return representations(_members(account, key, token, value), value)


def _of_state(state: Series) -> dict[str, object]:
    whole = _members(state.account, state.key, state.token, state.value)
    if state.limit:
        whole["limit"] = state.limit
    return whole


def _sort(text: str) -> str:
    if text not in _SORTS:
        raise falcon.HTTPBadRequest(description=f"sort must be {' or '.join(_SORTS)}")
    return text


def _place(text: str) -> Place:
    """Return the place that `next` names with `sort=changed`; raises 400."""
    changed_at, _, key = text.partition("/")
    if not key:
        raise falcon.HTTPBadRequest(
            description="with sort=changed, after must be the next of the page before"
        )
    time = numbers.parsed("the time in after", changed_at)
    return time, names.series_key(key, new=False)


def _times(state: Series) -> dict[str, object]:
    return {
        "created_at": timestamp(state.created_at),
        "updated_at": timestamp(state.updated_at),
    }


def _recent(newest: list[HistoryValue]) -> list[dict[str, object]]:
    return [{"value": each.value, "created_at": timestamp(each.created_at)} for each in newest]


def _members(account: int, key: str, token: str | None, value: int) -> dict[str, object]:
    return {"creator_id": account, "key": key, "token": token, "value": value}
