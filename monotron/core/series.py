"""The rules of a series: plain functions over a transaction.

Each reads first, refuses what it has to refuse, and only then writes, so that a refusal leaves
nothing to undo.
"""

from dataclasses import dataclass

from monotron.core import records
from monotron.core.errors import InvalidNumber, SeedTooLow, SeriesExhausted
from monotron.core.records import Series
from monotron.limits import LAST_VALUE, PAGE_ROWS, RANGE_VALUES
from monotron.store.contract import Reading, Table, Transaction

FIRST_ACCOUNT = 1
"""The account that is always there; the caller's where there is no authentication."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of an account's series, ordered by key."""

    series: list[Series]
    next: str | None
    """The key to go on after; None on the last page."""


def get(reading: Reading, account: int, key: str) -> Series | None:
    """Give the current state of a series, or None before its first value."""
    row = records.series_row(account, key)
    value = reading.get(Table.SERIES, row)
    return None if value is None else records.unpack_series(row, value)


def advance(
    txn: Transaction, account: int, key: str, *, now: int, token: str | None = None, count: int = 1
) -> Series:
    """Give out the next `count` values of a series as one gap-free range that ends at `value`.

    With a token that is the series' current one nothing is given out: it gets its value again.
    Only the current token is compared; an older one gets a new value.

    Raises `SeriesExhausted` where fewer than `count` values are left, and `InvalidNumber` for a
    token with more than one value: a repeat could not tell which values the token had got.
    """
    if token is not None and count != 1:
        raise InvalidNumber("a token stands for one value: with a token, count is 1")
    before = get(txn, account, key)
    if before is None:
        return _put(txn, Series(account, key, count, token, now, now))
    if token is not None and token == before.token:
        return before
    if before.value > LAST_VALUE - count:
        raise SeriesExhausted(
            f"the series {key!r} is at {before.value}; the last value there is, is {LAST_VALUE}"
        )
    return _put(txn, Series(account, key, before.value + count, token, before.created_at, now))


def seed(txn: Transaction, account: int, key: str, value: int, *, now: int) -> Series:
    """Move a series up to `value`, so that the next one given out is `value + 1`.

    Where it is there already, nothing changes. Raises `SeedTooLow` where it is beyond it.
    """
    before = get(txn, account, key)
    if before is None:
        return _put(txn, Series(account, key, value, None, now, now))
    if value < before.value:
        raise SeedTooLow(
            f"the series {key!r} is at {before.value} and never moves back: {value} is too low"
        )
    if value == before.value:
        return before
    return _put(txn, Series(account, key, value, None, before.created_at, now))


def delete(txn: Transaction, account: int, key: str) -> bool:
    """Remove a series with all that belongs to it; tells whether there was one.

    The next value of that key is 1 again.
    """
    return txn.delete(Table.SERIES, records.series_row(account, key))


def page(reading: Reading, account: int, *, prefix: str, after: str, limit: int) -> Page:
    """Give at most `limit` series whose keys start with `prefix` and come after `after`.

    Keys are ordered by their UTF-8 bytes, which is the order of their code points.
    """
    start, stop = records.series_rows(account, prefix)
    if after:
        start = max(start, records.after_row(records.series_row(account, after)))
    rows = reading.scan(Table.SERIES, start, stop, limit=limit + 1)
    series = [records.unpack_series(row, value) for row, value in rows[:limit]]
    return Page(series, series[-1].key if len(rows) > limit else None)


def valid_count(count: int) -> int:
    """Give `count` back if one call may take so many values; raises `InvalidNumber` otherwise."""
    return _within("count", count, 1, RANGE_VALUES)


def valid_value(value: int) -> int:
    """Give `value` back if a series can have it; raises `InvalidNumber` otherwise."""
    return _within("value", value, 1, LAST_VALUE)


def valid_limit(limit: int) -> int:
    """Give `limit` back if a page may have so many rows; raises `InvalidNumber` otherwise."""
    return _within("limit", limit, 1, PAGE_ROWS)


def _within(what: str, number: int, least: int, most: int) -> int:
    if not least <= number <= most:
        raise InvalidNumber(f"{what} is a whole number from {least} to {most}")
    return number


def _put(txn: Transaction, series: Series) -> Series:
    txn.put(
        Table.SERIES,
        records.series_row(series.account, series.key),
        records.pack_series(series),
    )
    return series
