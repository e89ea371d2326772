"""The series API: `/v1/series`."""

import time

import falcon

from monotron.api.answers import answer_number, pollable, to_json
from monotron.api.body import read_object
from monotron.api.query import parameters, whole_number
from monotron.core import names, series
from monotron.core.errors import InvalidNumber
from monotron.core.records import Series
from monotron.core.series import FIRST_ACCOUNT
from monotron.limits import DEFAULT_PAGE_ROWS
from monotron.store.contract import Store


class AllSeries:
    """`/v1/series`: the account's series, a page at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Give a page, ordered by key. `next` is the key to go on after, null on the last page."""
        query = parameters(req)
        prefix = names.prefix(query.get("prefix", ""))
        after = names.series_key(query["after"]) if query.get("after") else ""
        limit = DEFAULT_PAGE_ROWS
        if "limit" in query:
            limit = series.valid_limit(whole_number("limit", query["limit"]))
        page = self._store.view(
            lambda reading: series.page(
                reading, FIRST_ACCOUNT, prefix=prefix, after=after, limit=limit
            )
        )
        resp.data = to_json({"series": [_members(each) for each in page.series], "next": page.next})
        pollable(req, resp)

    on_head = on_get


class OneSeries:
    """`/v1/series/{key}`: the current state, the next value without a token, seed, deletion."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Give the current state; 404 before the first value."""
        key = names.series_key(key)
        state = self._store.view(lambda reading: series.get(reading, FIRST_ACCOUNT, key))
        if state is None:
            raise falcon.HTTPNotFound(description=f"the series {key!r} has no value yet")
        answer_number(req, resp, _members(state), state.value)
        pollable(req, resp)

    on_head = on_get

    def on_post(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Give the next value, or with `count` the next so many as one gap-free range."""
        key = names.series_key(key)
        query = parameters(req)
        count = 1
        if "count" in query:
            count = series.valid_count(whole_number("count", query["count"]))
        now = time.time_ns() // 1000
        state = self._store.update(
            lambda txn: series.advance(txn, FIRST_ACCOUNT, key, count=count, now=now)
        )
        members = _members(state)
        if "count" in query:
            members.update(first=state.value - count + 1, count=count)
        answer_number(req, resp, members, state.value)

    def on_put(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Move the series up to the `value` of the body; 409 where that would go back."""
        key = names.series_key(key)
        body = read_object(req)
        value = body.get("value")
        # bool is a subclass of int, and true is not a number.
        if type(value) is not int or len(body) != 1:
            raise InvalidNumber('the body is {"value":N} with a whole number N')
        goal = series.valid_value(value)
        now = time.time_ns() // 1000
        state = self._store.update(lambda txn: series.seed(txn, FIRST_ACCOUNT, key, goal, now=now))
        answer_number(req, resp, _members(state), state.value)

    def on_delete(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Remove the series; it starts at 1 again. One that is not there is no error."""
        key = names.series_key(key)
        self._store.update(lambda txn: series.delete(txn, FIRST_ACCOUNT, key))


class SeriesAtToken:
    """`/v1/series/{key}/{token}`: the value of a state."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_put(self, req: falcon.Request, resp: falcon.Response, key: str, token: str) -> None:
        """Give the token's value: the same as last time, or the next for another token."""
        key, token = names.series_key(key), names.token(token)
        now = time.time_ns() // 1000
        state = self._store.update(
            lambda txn: series.advance(txn, FIRST_ACCOUNT, key, token=token, now=now)
        )
        answer_number(req, resp, _members(state), state.value)


def _members(state: Series) -> dict[str, object]:
    return {
        "creator_id": state.account,
        "key": state.key,
        "token": state.token,
        "value": state.value,
    }
