"""The rules of a series: plain functions over a transaction.

Each one reads first, makes all its refusals, and only then writes, so that a refusal leaves nothing
to undo.
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
    """Take the next `count` values of a series, as one gap-free range that ends at `value`.

    The series' current token gets its value again, and nothing is taken. Only the current token is
    compared; an older one gets a new value.

    The newest `call.keep` values stay in the series' history, each with the API key that took it.

    Raises `SeriesExhausted` if fewer than `count` values are left, and `InvalidNumber` for a token
    with more than one value: a repeat could not tell which values the token got.
    """
    if token is not None and count != 1:
        raise InvalidNumber("a token stands for one value: with a token, count must be 1")
    before = get(txn, call.account, key)
    if before is None:
        value, given, created_at = count, count, call.now
    elif token is not None and token == before.token:
        return before
    elif before.value > LAST_VALUE - count:
        raise SeriesExhausted(_exhausted(before, count))
    else:
        value, given = before.value + count, before.given + count
        created_at = before.created_at
    entry = Entry(value, count, token, call.api_key, call.now)
    newest = history.add(txn, before, call.account, key, entry, keep=call.keep)
    return put(txn, Series(call.account, key, value, token, created_at, call.now, given, newest))


def seed(txn: Transaction, call: Call, key: str, value: int) -> Series:
    """Move a series up to `value`, so that the next one given out is `value + 1`.

    If it is already there, nothing changes. Raises `SeedTooLow` if it is past it.
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
    """Move a series up to `value`, which is not below its own; if they are equal, do nothing."""
    if value == before.value:
        return before
    return put(txn, replace(before, value=value, token=None, updated_at=now))


def delete(txn: Transaction, account: int, key: str) -> bool:
    """Remove a series with its history and attributes; return whether it existed.

    The next value under that key is 1 again, and no version made with it is remembered.
    """
    history.delete(txn, account, key)
    attributes.delete_all(txn, account, key)
    bumps.forget(txn, account, key)
    return txn.delete(tables.SERIES, records.series_row_key(account, key))


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


def put(txn: Transaction, state: Series) -> Series:
    """Store the state of a series unchecked, and return it; for rules that have checked it."""
    row_key = records.series_row_key(state.account, state.key)
    txn.put(tables.SERIES, row_key, records.pack_series(state))
    return state


def _exhausted(before: Series, count: int) -> str:
    if before.value == LAST_VALUE:
        return f"the series {before.key!r} has reached its last value, {LAST_VALUE}"
    return (
        f"the series {before.key!r} is at {before.value}: there are not {count} values left up to "
        f"its last, {LAST_VALUE}"
    )
