"""The series API: `/v1/series`."""

from collections.abc import Iterable
from typing import ClassVar

import falcon

from monotron.api.access import DELETE_SERIES, READ_SERIES, WRITE_SERIES, Needs
from monotron.api.answers import answer, pollable, representations, to_json
from monotron.api.body import read_object, whole
from monotron.api.conditions import conditions
from monotron.api.query import page_limit, whole_number
from monotron.api.retries import take_once
from monotron.api.timestamps import timestamp
from monotron.api.unread import Bodies, Queries
from monotron.core import history, names, numbers, series
from monotron.core.call import Call
from monotron.core.errors import InvalidNumber
from monotron.core.history import HistoryValue
from monotron.core.records import Series
from monotron.limits import RECENT_PAGE_VALUES
from monotron.store.contract import Reading, Store, Transaction
from monotron.store.paging import Page


class AllSeries:
    """`/v1/series`: the account's series, a page at a time."""

    needs: ClassVar[Needs] = {"GET": READ_SERIES}
    queries: ClassVar[Queries] = {"GET": ("prefix", "after", "limit", "recent")}

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with a page, ordered by key. `next` is the `after` of the next one, or null.

        With `recent` each series comes with its newest values and with times.
        """
        query = req.context.query
        prefix = names.prefix(query.get("prefix", ""))
        after = names.series_key(query["after"], new=False) if query.get("after") else ""
        limit = page_limit(query)
        recent = None
        if "recent" in query:
            recent = numbers.recent(whole_number("recent", query["recent"]))
            limit = min(limit, RECENT_PAGE_VALUES // max(recent, 1))

        call: Call = req.context.call

        def read(reading: Reading) -> tuple[Page[Series, str], list[list[HistoryValue]]]:
            page = series.page(reading, call.account, prefix=prefix, after=after, limit=limit)
            most = recent or 0
            return page, [
                history.newest(reading, each, keep=call.keep, limit=most) for each in page.items
            ]

        page, newest = self._store.view(read)
        rows = [_of_state(each) for each in page.items]
        if recent is not None:
            for row, state, taken in zip(rows, page.items, newest, strict=True):
                row.update(_recent(state, taken))
        resp.data = to_json({"series": rows, "next": page.next})
        pollable(req, resp)

    on_head = on_get


class OneSeries:
    """`/v1/series/{key}`: the current state, the next value without a token, seed, deletion."""

    needs: ClassVar[Needs] = {
        "GET": READ_SERIES,
        "POST": WRITE_SERIES,
        "PUT": WRITE_SERIES,
        "DELETE": DELETE_SERIES,
    }
    queries: ClassVar[Queries] = {"POST": ("count",)}
    bodies: ClassVar[Bodies] = {"PUT"}

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Answer with the current state; 404 before the first value."""
        key = names.series_key(key, new=False)
        state = self._store.view(lambda reading: series.get(reading, req.context.call.account, key))
        if state is None:
            raise no_value_yet(key)
        answer(req, resp, _of_state(state), state.value)
        pollable(req, resp)

    on_head = on_get

    def on_post(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Take the next value, or with `count` the next so many as one gap-free range."""
        key = names.series_key(key)
        query = req.context.query
        count = 1
        if "count" in query:
            count = numbers.count(whole_number("count", query["count"]))
        call: Call = req.context.call
        value = take_once(
            self._store,
            req,
            ("series", key, str(count) if "count" in query else ""),
            lambda txn: (series.advance(txn, call, key, count=count).value, count),
            lambda reading: _current(reading, call.account, key),
        )
        members = _members(call.account, key, None, value)
        if "count" in query:
            members.update(first=value - count + 1, count=count)
        answer(req, resp, members, value)

    def on_put(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Move the series up to the `value` of the body; 409 where that would go back."""
        key = names.series_key(key)
        body = read_object(req)
        value = whole(body.get("value"))
        if value is None or len(body) != 1:
            raise InvalidNumber('the body is {"value":N} with a whole number N')
        goal = numbers.value(value)
        call: Call = req.context.call
        wanted = conditions(req)

        def seed(txn: Transaction) -> Series:
            wanted.require(lambda: _current(txn, call.account, key))
            return series.seed(txn, call, key, goal)

        state = self._store.update(seed)
        answer(req, resp, _of_state(state), state.value)

    def on_delete(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Remove the series; it starts at 1 again. A missing one is no error."""
        key = names.series_key(key, new=False)
        account, wanted = req.context.call.account, conditions(req)

        def delete(txn: Transaction) -> None:
            wanted.require(lambda: _current(txn, account, key))
            series.delete(txn, account, key)

        self._store.update(delete)


class SeriesAtToken:
    """`/v1/series/{key}/{token}`: the value of a state."""

    needs: ClassVar[Needs] = {"GET": READ_SERIES, "POST": WRITE_SERIES, "PUT": WRITE_SERIES}

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, key: str, token: str) -> None:
        """Answer with the value that the token got last; 404 if history does not hold it."""
        key, token = names.series_key(key, new=False), names.token(token, new=False)
        call: Call = req.context.call
        value = self._store.view(lambda reading: _find(reading, call, key, token))
        if value is None:
            raise falcon.HTTPNotFound(
                description=f"the series {key!r} has no value for {token!r}, or not any more"
            )
        answer(req, resp, _members(call.account, key, token, value), value)
        pollable(req, resp)

    on_head = on_get

    def on_put(self, req: falcon.Request, resp: falcon.Response, key: str, token: str) -> None:
        """Answer with the token's value: the same as last time, or the next for another token."""
        key, token = names.series_key(key), names.token(token)
        call: Call = req.context.call

        def take(txn: Transaction) -> tuple[int, int]:
            before = series.get(txn, call.account, key)
            state = series.advance(txn, call, key, token=token)
            return state.value, int(state != before)

        def current(reading: Reading) -> Iterable[bytes]:
            value = _find(reading, call, key, token)
            return () if value is None else _representations(call.account, key, token, value)

        value = take_once(self._store, req, ("series", key, "token", token), take, current)
        answer(req, resp, _members(call.account, key, token, value), value)

    # Clients such as busybox' wget and HTML forms have no PUT.
    on_post = on_put


def no_value_yet(key: str) -> falcon.HTTPNotFound:
    """Return the 404 of a missing series."""
    return falcon.HTTPNotFound(description=f"the series {key!r} has no value yet")


def _find(reading: Reading, call: Call, key: str, token: str) -> int | None:
    state = series.get(reading, call.account, key)
    return None if state is None else history.value_of(reading, state, token, keep=call.keep)


def _current(reading: Reading, account: int, key: str) -> Iterable[bytes]:
    state = series.get(reading, account, key)
    return () if state is None else _representations(account, key, state.token, state.value)


def _representations(account: int, key: str, token: str | None, value: int) -> Iterable[bytes]:
    return representations(_members(account, key, token, value), value)


def _of_state(state: Series) -> dict[str, object]:
    return _members(state.account, state.key, state.token, state.value)


def _recent(state: Series, newest: list[HistoryValue]) -> dict[str, object]:
    return {
        "created_at": timestamp(state.created_at),
        "updated_at": timestamp(state.updated_at),
        "recent": [
            {"value": each.value, "created_at": timestamp(each.created_at)} for each in newest
        ],
    }


def _members(account: int, key: str, token: str | None, value: int) -> dict[str, object]:
    return {"creator_id": account, "key": key, "token": token, "value": value}
