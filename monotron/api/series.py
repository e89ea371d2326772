"""The series API: `/v1/series`."""

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

import falcon

from monotron.api.answers import JSON, answer, pollable, representations
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
)
from monotron.api.limit_header import LIMIT_HEADER, warn
from monotron.api.openapi.components import Object, parameter, schema
from monotron.api.openapi.parameters import POLLED
from monotron.api.openapi.schemas import (
    ACCOUNT_ID,
    PLAIN_NUMBER,
    STORED_NAME,
    STORED_TOKEN,
    VALUE,
    integer,
    members,
    or_null,
)
from monotron.api.retries import take_once
from monotron.core import history, names, numbers, series
from monotron.core.call import Call
from monotron.core.errors import InvalidNumber, LimitReached, SeedTooLow, SeriesExhausted
from monotron.core.records import Series
from monotron.limits import RANGE_VALUES
from monotron.store.contract import Reading, Store, Transaction

SERIES = Tag(
    "Series", "A series can have any name. A token says what its current number stands for."
)

STATE: Object = {
    "creator_id": ACCOUNT_ID,
    "key": STORED_NAME,
    "token": or_null(STORED_TOKEN),
    "value": VALUE,
}
A_STATE: Object = {"creator_id": 1, "key": "shop", "token": "7d4c379588", "value": 7}
# A series has a limit only if somebody has set one.
LIMITED: Object = {"limit": VALUE}
_ONE = as_number(
    schema("Series", members({**STATE, **LIMITED}, optional=LIMITED), A_STATE),
    PLAIN_NUMBER,
    LIMIT_HEADER,
)

_COUNT = schema("Count", integer(1, RANGE_VALUES), 100)
_RANGE = as_number(
    schema(
        "Range",
        members({**STATE, "first": VALUE, "count": _COUNT}, optional=("first", "count"))
        | {"dependentRequired": {"first": ["count"], "count": ["first"]}},
        {**A_STATE, "token": None, "value": 107, "first": 8, "count": 100},
        {**A_STATE, "token": None},
    ),
    PLAIN_NUMBER,
    LIMIT_HEADER,
)

REMEMBER = parameter(
    "query",
    "remember",
    schema("Remember", {"type": "string", "enum": ["true", "false"]}, "true"),
    "Whether an earlier token gets its value again too, as long as history holds it.",
)

# The only body that refuses unknown members.
_SEED = schema("Seed", members({"value": VALUE}) | {"additionalProperties": False}, {"value": 110})


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
        answer(req, resp, of_state(state), state.value)
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
        answer(req, resp, of_state(state), state.value)

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
            held = series.recall(txn, call, key, token) if remember else None
            if held is not None:
                return held, 0
            before = series.get(txn, call.account, key)
            state = series.advance(txn, call, key, token=token)
            req.context.limit = state.limit
            return state.value, int(state != before)

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
    return () if state is None else representations(of_state(state), state.value)


def _representations(account: int, key: str, token: str | None, value: int) -> Iterable[bytes]:
    return representations(_members(account, key, token, value), value)


def of_state(state: Series) -> dict[str, object]:
    """Return the members of a series' state."""
    whole = _members(state.account, state.key, state.token, state.value)
    if state.limit:
        whole["limit"] = state.limit
    return whole


def _members(account: int, key: str, token: str | None, value: int) -> dict[str, object]:
    return {"creator_id": account, "key": key, "token": token, "value": value}
