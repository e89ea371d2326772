"""The rules of a series: plain functions over a transaction.

Each one reads first, makes all its refusals, and only then writes, so that a refusal leaves nothing
to undo.
"""

from dataclasses import dataclass, replace
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
    before = get(txn, call.account, key)
    if before is not None and token is not None and token == before.token:
        return before
    return _next(txn, call, key, before, token, count)


@dataclass(slots=True)
class Taken:
    """What a token got."""

    value: int
    count: int
    """How many values this call took: 1, or 0 if the token had its value before."""
    limit: int
    """The limit of the series if the value is its current one, else 0."""


def value_for(
    txn: Transaction, call: Call, key: str, token: str, *, remember: bool = False
) -> Taken:
    """Return the value of a token, which is the next one if the token has none yet.

    Only the current token has one, as for `advance`; if `remember` is set, every token has one that
    history holds, as for `recall`. Raises what these two raise.
    """
    if remember:
        _require_history(call)
    before = get(txn, call.account, key)
    if before is not None:
        if remember:
            value, before = _recall(txn, call, before, token)
        else:
            value = before.value if token == before.token else None
        if value is not None:
            return Taken(value, 0, before.limit if value == before.value else 0)
    state = _next(txn, call, key, before, token, 1)
    return Taken(state.value, 1, state.limit)


def recall(txn: Transaction, call: Call, key: str, token: str) -> int | None:
    """Return the last value that `token` got, or None if history does not hold it.

    From the first call on, the series has an index of its tokens, so that it takes two or three
    reads. A long history of before is brought into the index by the first calls, a part by each.

    Raises `InvalidNumber` if the service keeps no history.
    """
    _require_history(call)
    state = get(txn, call.account, key)
    return None if state is None else _recall(txn, call, state, token)[0]


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
    forget_waiting_limit(txn, before)
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


def count(reading: Reading, account: int, *, most: int) -> int:
    """Return how many series an account has; no more than `most` are counted."""
    range_ = records.series_range(account)
    return sum(1 for _ in islice(paging.rows(reading, tables.SERIES, *range_), most))


def begin(reading: Reading, account: int, key: str, *, now: int) -> Series:
    """Return the state of a series before its first value, with the limit that was set for it.

    Whoever stores a later state calls `forget_waiting_limit`.
    """
    return Series(account, key, 0, None, now, now, limit=_limit_of_new(reading, account, key))


def forget_waiting_limit(txn: Transaction, before: Series) -> None:
    """Remove the row of a limit that was set before the first value, which is to be stored now."""
    if before.value == 0 and before.limit:
        txn.delete(tables.LIMITS, records.series_row_key(before.account, before.key))


def put(txn: Transaction, state: Series) -> Series:
    """Store the state of a series unchecked, and return it; for rules that have checked it."""
    row_key = records.series_row_key(state.account, state.key)
    txn.put(tables.SERIES, row_key, records.pack_series(state))
    return state


def _next(
    txn: Transaction, call: Call, key: str, before: Series | None, token: str | None, count: int
) -> Series:
    """Take the next values of a series whose state is `before`, None before its first value."""
    account = call.account
    if before is None:
        before = begin(txn, account, key, now=call.now)
    elif before.value > LAST_VALUE - count:
        raise SeriesExhausted(_exhausted(before, count))
    value, limit = before.value + count, before.limit
    if limit and value > limit:
        raise LimitReached(_limited(before, count))
    forget_waiting_limit(txn, before)
    before = _with_fitting_index(txn, before, call.keep)
    entry = Entry(value, count, token, call.api_key, call.now)
    begins, newest = history.add(txn, before, entry, keep=call.keep)
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
            begins,
            limit,
            before.indexed,
            before.buckets,
            listed_at,
            newest,
        ),
    )


def _require_history(call: Call) -> None:
    if call.keep == 0:
        raise InvalidNumber("no token is remembered, because this service keeps no history")


def _recall(txn: Transaction, call: Call, state: Series, token: str) -> tuple[int | None, Series]:
    """Return the last value of a token, and the state, which may have a larger index now."""
    state = _with_fitting_index(txn, state, call.keep)
    value = history.value_of(txn, state, token, keep=call.keep)
    if state.indexed != history.ALL_INDEXED:
        state = state if state.buckets else tokens.begin(state, call.keep)
        state = put(txn, replace(state, indexed=history.index(txn, state)))
    return value, state


def _with_fitting_index(txn: Transaction, state: Series, keep: int) -> Series:
    """Return the state without its index of tokens if that has become too small."""
    if not tokens.is_outgrown(state, keep):
        return state
    tokens.delete(txn, state.account, state.key)
    return replace(state, indexed=0, buckets=0)


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
