"""The rules of a series: plain functions over a transaction.

Each one reads first, makes all its refusals, and only then writes, so that a refusal leaves nothing
to undo.
"""

from dataclasses import replace
from itertools import islice

from monotron.core import attributes, bumps, changes, history, records, tables, tokens
from monotron.core.call import Call
from monotron.core.errors import (
    InvalidNumber,
    LimitReached,
    LimitTooLow,
    SeedTooLow,
    SeriesExhausted,
)
from monotron.core.records import Entry, Series
from monotron.limits import LAST_VALUE
from monotron.store import paging
from monotron.store.contract import Reading, Transaction
from monotron.store.paging import Page

NEAR_PERCENT = 90
"""From which part of its limit on a series is near it."""


def get(reading: Reading, account: int, key: str) -> Series | None:
    """Return the current state of a series, or None before its first value."""
    row_key = records.series_row_key(account, key)
    value = reading.get(tables.SERIES, row_key)
    return None if value is None else records.unpack_series(row_key, value)


def advance(
    txn: Transaction, call: Call, key: str, *, token: str | None = None, count: int = 1
) -> Series:
    """Take the next `count` values of a series, as one gap-free range that ends at `value`.

    The series' current token gets its value again, and nothing is taken. Only the current token is
    compared; an older one gets a new value.

    The newest `call.keep` values stay in the series' history, each with the API key that took it.

    Raises `SeriesExhausted` if fewer than `count` values are left, `LimitReached` if fewer are left
    up to the series' limit, and `InvalidNumber` for a token with more than one value: a repeat
    could not tell which values the token got.
    """
    if token is not None and count != 1:
        raise InvalidNumber("a token stands for one value: with a token, count must be 1")
    account = call.account
    before = get(txn, account, key)
    if before is None:
        before = begin(txn, account, key, now=call.now)
    elif token is not None and token == before.token:
        return before
    elif before.value > LAST_VALUE - count:
        raise SeriesExhausted(_exhausted(before, count))
    value, limit = before.value + count, before.limit
    if limit and value > limit:
        raise LimitReached(_limited(before, count))
    entry = Entry(value, count, token, call.api_key, call.now)
    newest = history.add(txn, before, entry, keep=call.keep)
    listed_at = changes.note(txn, account, key, before.listed_at, call.now)
    return put(
        txn,
        Series(
            account,
            key,
            value,
            token,
            before.created_at,
            call.now,
            before.given + count,
            newest,
            limit,
            before.indexed,
            before.buckets,
            listed_at,
        ),
    )


def recall(txn: Transaction, call: Call, key: str, token: str) -> int | None:
    """Return the last value that `token` got, or None if history does not hold it.

    From the first call on, the series has an index of its tokens, so that it takes one or two
    reads. A long history of before is brought into the index by the first calls, a part by each.

    Raises `InvalidNumber` if the service keeps no history.
    """
    if call.keep == 0:
        raise InvalidNumber("no token is remembered, because this service keeps no history")
    state = get(txn, call.account, key)
    if state is None:
        return None
    value = history.value_of(txn, state, token, keep=call.keep)
    if state.indexed != history.ALL_INDEXED:
        state = state if state.buckets else tokens.begin(state, call.keep)
        put(txn, replace(state, indexed=history.index(txn, state)))
    return value


def seed(txn: Transaction, call: Call, key: str, value: int) -> Series:
    """Move a series up to `value`, so that the next one given out is `value + 1`.

    If it is already there, nothing changes. Raises `SeedTooLow` if it is past it, and
    `LimitReached` if `value` is past its limit.
    """
    before = get(txn, call.account, key) or begin(txn, call.account, key, now=call.now)
    if value < before.value:
        raise SeedTooLow(
            f"the series {key!r} is at {before.value} and never moves back: {value} is too low"
        )
    if 0 < before.limit < value:
        raise LimitReached(
            f"the series {key!r} has the limit {before.limit}, so it cannot be moved up to {value}"
        )
    return move_up(txn, before, value, now=call.now)


def move_up(txn: Transaction, before: Series, value: int, *, now: int) -> Series:
    """Move a series up to `value`, which is not below its own; if they are equal, do nothing."""
    if value == before.value:
        return before
    listed_at = changes.note(txn, before.account, before.key, before.listed_at, now)
    return put(txn, replace(before, value=value, token=None, updated_at=now, listed_at=listed_at))


def limit_of(reading: Reading, account: int, key: str) -> int:
    """Return the limit of a series, which need not have a value yet; 0 if it has no limit."""
    state = get(reading, account, key)
    return _limit_of_new(reading, account, key) if state is None else state.limit


def set_limit(txn: Transaction, account: int, key: str, limit: int) -> None:
    """Set the limit of a series, which need not have a value yet; 0 removes it.

    Beyond it the series gives out nothing. Raises `LimitTooLow` if it has passed it already.
    """
    before = get(txn, account, key)
    if before is None:
        row_key = records.series_row_key(account, key)
        if limit:
            txn.put(tables.LIMITS, row_key, records.pack_limit(limit))
        else:
            txn.delete(tables.LIMITS, row_key)
    elif 0 < limit < before.value:
        raise LimitTooLow(f"the series {key!r} is at {before.value} already: {limit} is too low")
    else:
        put(txn, replace(before, limit=limit))


def is_near_limit(value: int, limit: int) -> bool:
    """Return whether a series at `value` has used up most of what its limit allows."""
    return limit > 0 and value * 100 >= limit * NEAR_PERCENT


def delete(txn: Transaction, account: int, key: str) -> bool:
    """Remove a series with its history, attributes and limit; return whether it existed.

    The next value under that key is 1 again, and no version made with it is remembered.
    """
    history.delete(txn, account, key)
    attributes.delete_all(txn, account, key)
    bumps.forget(txn, account, key)
    row_key = records.series_row_key(account, key)
    txn.delete(tables.LIMITS, row_key)
    before = get(txn, account, key)
    if before is not None:
        changes.forget(txn, account, key, before.listed_at)
    return txn.delete(tables.SERIES, row_key)


def page(
    reading: Reading, account: int, *, prefix: str, after: str | None, limit: int
) -> Page[Series, str]:
    """Return up to `limit` series whose keys start with `prefix` and come after `after`.

    Keys are ordered by their UTF-8 bytes, which is the order of their code points.
    """
    start, stop = records.series_range(account, prefix)
    if after:
        start = max(start, paging.key_after(records.series_row_key(account, after)))
    rows = reading.scan(tables.SERIES, start, stop, limit=limit + 1)
    series = [records.unpack_series(*row) for row in rows[:limit]]
    return Page(series, series[-1].key if len(rows) > limit else None)


def count(reading: Reading, account: int, *, most: int) -> int:
    """Return how many series an account has; no more than `most` are counted."""
    range_ = records.series_range(account)
    return sum(1 for _ in islice(paging.rows(reading, tables.SERIES, *range_), most))


def begin(txn: Transaction, account: int, key: str, *, now: int) -> Series:
    """Return the state of a series before its first value, with the limit that was set for it.

    The caller stores the state.
    """
    limit = _limit_of_new(txn, account, key)
    if limit:
        txn.delete(tables.LIMITS, records.series_row_key(account, key))
    return Series(account, key, 0, None, now, now, limit=limit)


def put(txn: Transaction, state: Series) -> Series:
    """Store the state of a series unchecked, and return it; for rules that have checked it."""
    row_key = records.series_row_key(state.account, state.key)
    txn.put(tables.SERIES, row_key, records.pack_series(state))
    return state


def _limit_of_new(reading: Reading, account: int, key: str) -> int:
    value = reading.get(tables.LIMITS, records.series_row_key(account, key))
    return 0 if value is None else records.unpack_limit(value)


def _limited(before: Series, count: int) -> str:
    if before.value == before.limit:
        return f"the series {before.key!r} has reached its limit, {before.limit}"
    return (
        f"the series {before.key!r} is at {before.value}: there are not {count} values left up to "
        f"its limit, {before.limit}"
    )


def _exhausted(before: Series, count: int) -> str:
    if before.value == LAST_VALUE:
        return f"the series {before.key!r} has reached its last value, {LAST_VALUE}"
    return (
        f"the series {before.key!r} is at {before.value}: there are not {count} values left up to "
        f"its last, {LAST_VALUE}"
    )
