"""The rules of a series: plain functions over a transaction.

Each reads first, refuses what it has to refuse, and only then writes, so that a refusal leaves
nothing to undo.
"""

from dataclasses import replace

from monotron.core import attributes, bumps, history, records, tables
from monotron.core.call import Call
from monotron.core.errors import InvalidNumber, SeedTooLow, SeriesExhausted
from monotron.core.records import Entry, Series
from monotron.limits import LAST_VALUE
from monotron.store import paging
from monotron.store.contract import Reading, Transaction
from monotron.store.paging import Page


def get(reading: Reading, account: int, key: str) -> Series | None:
    """Return the current state of a series, or None before its first value."""
    row_key = records.series_row_key(account, key)
    value = reading.get(tables.SERIES, row_key)
    return None if value is None else records.unpack_series(row_key, value)


def advance(
    txn: Transaction, call: Call, key: str, *, token: str | None = None, count: int = 1
) -> Series:
    """Give out the next `count` values of a series as one gap-free range that ends at `value`.

    With a token that is the series' current one nothing is given out: it gets its value again.
    Only the current token is compared; an older one gets a new value.

    The newest `call.keep` values stay in the series' history, with the API key that took each.

    Raises `SeriesExhausted` if fewer than `count` values are left, and `InvalidNumber` for a
    token with more than one value: a repeat could not tell which values the token had got.
    """
    if token is not None and count != 1:
        raise InvalidNumber("a token stands for one value: with a token, count is 1")
    before = get(txn, call.account, key)
    if before is None:
        value, given, created_at = count, count, call.now
    elif token is not None and token == before.token:
        return before
    elif before.value > LAST_VALUE - count:
        raise SeriesExhausted(
            f"the series {key!r} is at {before.value}; the last value there is, is {LAST_VALUE}"
        )
    else:
        value, given = before.value + count, before.given + count
        created_at = before.created_at
    entry = Entry(value, count, token, call.api_key, call.now)
    newest = history.add(txn, before, call.account, key, entry, keep=call.keep)
    return put(txn, Series(call.account, key, value, token, created_at, call.now, given, newest))


def seed(txn: Transaction, call: Call, key: str, value: int) -> Series:
    """Move a series up to `value`, so that the next one given out is `value + 1`.

    Where it is there already, nothing changes. Raises `SeedTooLow` where it is beyond it.
    """
    before = get(txn, call.account, key)
    if before is None:
        return put(txn, Series(call.account, key, value, None, call.now, call.now))
    if value < before.value:
        raise SeedTooLow(
            f"the series {key!r} is at {before.value} and never moves back: {value} is too low"
        )
    return move_up(txn, before, value, now=call.now)


def move_up(txn: Transaction, before: Series, value: int, *, now: int) -> Series:
    """Move a series up to a value that is not lower than its own; if it is the same, do nothing."""
    if value == before.value:
        return before
    return put(txn, replace(before, value=value, token=None, updated_at=now))


def delete(txn: Transaction, account: int, key: str) -> bool:
    """Remove a series with its history and attributes; returns whether there was one.

    The next value of that key is 1 again, and no version that was made with it is remembered.
    """
    history.delete(txn, account, key)
    attributes.delete_all(txn, account, key)
    bumps.forget(txn, account, key)
    return txn.delete(tables.SERIES, records.series_row_key(account, key))


def page(
    reading: Reading, account: int, *, prefix: str, after: str | None, limit: int
) -> Page[Series, str]:
    """Return at most `limit` series whose keys start with `prefix` and come after `after`.

    Keys are ordered by their UTF-8 bytes, which is the order of their code points.
    """
    start, stop = records.series_range(account, prefix)
    if after:
        start = max(start, paging.key_after(records.series_row_key(account, after)))
    rows = reading.scan(tables.SERIES, start, stop, limit=limit + 1)
    series = [records.unpack_series(*row) for row in rows[:limit]]
    return Page(series, series[-1].key if len(rows) > limit else None)


def put(txn: Transaction, state: Series) -> Series:
    """Store the state of a series as it is, and return it: for rules that have made sure of it."""
    row_key = records.series_row_key(state.account, state.key)
    txn.put(tables.SERIES, row_key, records.pack_series(state))
    return state
