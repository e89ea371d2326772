"""History: the newest values of each series, with the API key, time and token of each.

A row holds several entries, oldest first, and each new entry is added to the newest row. That one
is stored with the state of its series (`Series.newest_row`), which changes with each value anyway,
and moves to the table once it is full. So most values rewrite one row of the store. A second one,
in the table, would be far from those of other series. Whole rows are removed at the old end; a
value that is too old is not shown even while its row is still there.

Values are numbered in the order in which they were given out, from 1. Unlike the values of a series
that was moved up, these numbers have no gaps, so they say how many values are newer.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

from monotron.core import records, tables, tokens
from monotron.core.records import Entry, Series
from monotron.store import paging
from monotron.store.contract import Reading, Transaction
from monotron.store.paging import Page

ROW_BYTES = 600
"""The most bytes in a row of more than one entry: 24 entries without tokens, or 6 with a git hash
and an API key. A list of series reads the newest row of each."""

TRIM_ROWS = 4
"""Rows that one new row may push out; more than one, so that a lowered setting takes effect."""

ALL_INDEXED = 1
"""What `Series.indexed` is once every token that history holds is in the index of tokens."""

INDEX_ENTRIES = 2_000
"""How many entries one call brings into the index; no other number is given out meanwhile."""


@dataclass(frozen=True, slots=True)
class HistoryValue:
    """A value that was given out."""

    value: int
    token: str | None
    api_key: str | None
    created_at: int


@dataclass(frozen=True, slots=True)
class HistoryRange:
    """The values that one call was given: one, or a range without gaps."""

    value: int
    """The last one."""
    first: int
    token: str | None
    api_key: str | None
    created_at: int
    moved_from: int | None = None
    """Where the series stood before it was moved up to just below `first`; 0 if it had no value.
    None if it was not moved up, or if that is no longer known."""


def page(
    reading: Reading, series: Series, *, keep: int, limit: int, before: int | None = None
) -> Page[HistoryValue, int]:
    """Return up to `limit` of the newest `keep` values, newest first.

    If `before` is set, only values below it. `next` is the `before` of the next page.
    """
    taken: list[HistoryValue] = []
    top = series.value if before is None else min(before - 1, series.value)
    too_old = series.given - keep
    for number, entry in _entries(reading, series, top + 1):
        first = entry.value - min(entry.count, number - too_old) + 1
        for value in range(min(entry.value, top), first - 1, -1):
            if len(taken) == limit:
                return Page(taken, taken[-1].value)
            taken.append(HistoryValue(value, entry.token, entry.api_key, entry.created_at))
        if number - entry.count <= too_old:
            break
    return Page(taken, None)


def ranges(
    reading: Reading, series: Series, *, keep: int, limit: int, before: int | None = None
) -> Page[HistoryRange, int]:
    """Return up to `limit` of the newest ranges, newest first; together they have `page`'s values.

    If `before` is set, only values below it. `next` is the `before` of the next page.
    """
    top = series.value if before is None else min(before - 1, series.value)
    taken: list[HistoryRange] = []
    for each in _ranges(reading, series, keep, top + 1):
        if each.first <= top:
            if len(taken) == limit:
                return Page(taken, taken[-1].first)
            taken.append(replace(each, value=min(each.value, top)))
    return Page(taken, None)


def range_with(reading: Reading, series: Series, value: int, *, keep: int) -> HistoryRange | None:
    """Return the range that has a value, or None if history does not hold it."""
    for each in _ranges(reading, series, keep, value + 1):
        if each.first <= value:
            return each if value <= each.value else None
    return None


def newest_entry(reading: Reading, series: Series, *, keep: int) -> Entry | None:
    """Return the entry of a series' last value, or None if history does not hold it.

    Nobody took the value that a series was moved up to.
    """
    found = last(reading, series) if keep else None
    return found[1] if found is not None and found[1].value == series.value else None


def newest(reading: Reading, series: Series, *, keep: int, limit: int) -> list[HistoryValue]:
    """Return the newest `limit` values, newest first; fewer if history holds fewer."""
    if not limit or not series.history:
        return []
    return page(reading, series, keep=keep, limit=limit).items


def times(reading: Reading, series: Series, *, since: int, keep: int) -> Iterator[tuple[int, int]]:
    """Iterate over the newest `keep` values, newest first: when they were given out, and how many.

    It ends with the first row whose values are all older than `since`.
    """
    too_old = series.given - keep
    if not series.history or keep == 0:
        return
    for _, row in _rows(reading, series):
        entries = records.unpack_history_times(row)
        for number, count, created_at in reversed(entries):
            if number <= too_old:
                return
            yield created_at, min(count, number - too_old)
        if all(created_at < since for *_, created_at in entries):
            return


def oldest(reading: Reading, series: Series, *, keep: int) -> tuple[int, int] | None:
    """Return the number of the oldest of the newest `keep` values, and when it was given out.

    None if history holds none.
    """
    too_old = series.given - keep
    range_ = records.history_range(series.account, series.key)
    in_table = (row for _, row in paging.rows(reading, tables.HISTORY, *range_, size=_PAGE_ROWS))
    for row in chain(in_table, [series.newest_row] if series.newest_row else []):
        for number, count, created_at in records.unpack_history_times(row):
            if number > too_old:
                return max(number - count, too_old) + 1, created_at
    return None


def value_of(reading: Reading, series: Series, token: str, *, keep: int) -> int | None:
    """Return the last value that `token` got, or None if history no longer holds it."""
    if token == series.token:
        return series.value
    if series.indexed:
        for value in tokens.values_of(reading, series, token):
            number = _number_of(reading, series, value, token)
            if number is not None:
                return value if number > series.given - keep else None
        if series.indexed == ALL_INDEXED:
            return None
    for number, entry in _entries(reading, series, series.indexed or None, token.encode()):
        if number <= series.given - keep:
            break
        if entry.token == token:
            return entry.value
    return None


def index(txn: Transaction, series: Series) -> int:
    """Bring the tokens of some more of a series' history into the index of tokens.

    Returns where the indexed part now begins, which belongs in the state of the series.
    """
    entries: list[Entry] = []
    begins = ALL_INDEXED
    for first, row in _rows(txn, series, series.indexed or None):
        entries += [entry for _, entry in reversed(records.unpack_history(row))]
        if len(entries) >= INDEX_ENTRIES:
            begins = first
            break
    tokens.note_older(txn, series, reversed(entries))
    return begins


def add(txn: Transaction, before: Series, entry: Entry, *, keep: int) -> tuple[int, bytes]:
    """Add an entry that was just given out, and remove values older than the newest `keep`.

    `before` is the state of the series before that. Returns what belongs in the new state as
    `history` and `newest`: the first value of the newest row, and that row.
    """
    if keep == 0:
        end_row(txn, before)
        return (_forget(txn, before, entry.value) if before.history else 0), b""
    if before.indexed:
        tokens.note(txn, before, entry)
    packed = records.pack_entry(entry)
    if before.newest_row and len(before.newest_row) + len(packed) <= ROW_BYTES:
        return before.history, before.newest_row + packed
    end_row(txn, before)
    _trim(txn, before, before.given + entry.count - keep, before.given + 1)
    return entry.value - entry.count + 1, records.pack_history(before.given + 1) + packed


def end_row(txn: Transaction, series: Series) -> None:
    """Put the newest row in its place in the table, because no entry will be added to it."""
    if series.newest_row:
        row_key = records.history_row_key(series.account, series.key, series.history)
        txn.put(tables.HISTORY, row_key, series.newest_row)


def stored(reading: Reading, series: Series) -> list[tuple[int, Entry]]:
    """Return every stored entry, each with its last number, oldest first."""
    return list(_entries(reading, series, None))[::-1] if series.history else []


def last(reading: Reading, series: Series) -> tuple[int, Entry] | None:
    """Return the newest stored entry with its last number, or None."""
    return next(_entries(reading, series, None), None) if series.history else None


def extend(
    txn: Transaction, before: Series, entries: Iterable[tuple[int, Entry]], *, keep: int | None
) -> tuple[int, bytes]:
    """Add entries with their last numbers, oldest first, as `stored` returns them.

    `before` is the state of the series before that. Returns what `add` returns. Unless `keep` is
    None, values that are too old are removed as `add` removes them.
    """
    state = before
    there = records.unpack_history(before.newest_row) if before.newest_row else ()
    number_before = there[-1][0] if there else 0
    for number, entry in entries:
        if before.indexed:
            tokens.note(txn, before, entry)
        packed = records.pack_entry(entry)
        # The numbers within a row have no gaps.
        follows = number - entry.count == number_before
        if state.newest_row and follows and len(state.newest_row) + len(packed) <= ROW_BYTES:
            state = replace(state, newest_row=state.newest_row + packed)
        else:
            end_row(txn, state)
            if keep is not None:
                _trim(txn, state, number - keep, number - entry.count + 1)
            row = records.pack_history(number - entry.count + 1) + packed
            state = replace(state, history=entry.value - entry.count + 1, newest_row=row)
        number_before = number
    return state.history, state.newest_row


def delete(txn: Transaction, account: int, key: str) -> None:
    """Remove the history of a series, with the index of its tokens."""
    txn.delete_range(tables.HISTORY, *records.history_range(account, key))
    tokens.delete(txn, account, key)


def _ranges(reading: Reading, series: Series, keep: int, before: int) -> Iterator[HistoryRange]:
    """Iterate over the ranges of the newest `keep` values, newest first.

    It begins with the row that holds the value below `before`.
    """
    too_old = series.given - keep
    entries = _entries(reading, series, before)
    following = next(entries, None)
    while following is not None and following[0] > too_old:
        (number, entry), following = following, next(entries, None)
        count = min(entry.count, number - too_old)
        yield HistoryRange(
            entry.value,
            entry.value - count + 1,
            entry.token,
            entry.api_key,
            entry.created_at,
            _moved_from(number, entry, following) if count == entry.count else None,
        )


def _moved_from(number: int, entry: Entry, older: tuple[int, Entry] | None) -> int | None:
    """Return where the series stood before it was moved up to just below an entry, or None."""
    given_before = number - entry.count
    if given_before == 0:
        stood = 0
    elif older is not None and older[0] == given_before:
        stood = older[1].value
    else:
        # What was given out in between is not kept.
        return None
    return stood if stood < entry.value - entry.count else None


def _entries(
    reading: Reading, series: Series, before: int | None, containing: bytes = b""
) -> Iterator[tuple[int, Entry]]:
    """Iterate over the entries of the rows that begin before a value, newest first.

    Each comes with its last number. Rows without the bytes `containing` are skipped without being
    unpacked.
    """
    for _, row in _rows(reading, series, before):
        if containing in row:
            yield from reversed(records.unpack_history(row))


def _rows(
    reading: Reading, series: Series, before: int | None = None
) -> Iterator[tuple[int, bytes]]:
    """Iterate over the rows that begin before a value, newest first, each with its first value."""
    if series.newest_row and (before is None or series.history < before):
        yield series.history, series.newest_row
    range_ = records.history_range(series.account, series.key, before)
    for row_key, row in paging.rows(
        reading, tables.HISTORY, *range_, size=_PAGE_ROWS, reverse=True
    ):
        yield records.unpack_history_first(row_key), row


def _number_of(reading: Reading, series: Series, value: int, token: str) -> int | None:
    """Return the number of the value if history holds it for this token."""
    row = series.newest_row if series.newest_row and series.history <= value else None
    if row is None:
        range_ = records.history_range(series.account, series.key, value + 1)
        found = reading.scan(tables.HISTORY, *range_, limit=1, reverse=True)
        row = found[0][1] if found else None
    for number, entry in records.unpack_history(row) if row else ():
        if (entry.value, entry.token) == (value, token):
            return number
    return None


def _trim(txn: Transaction, series: Series, gone: int, coming: int) -> None:
    """Remove rows at the old end whose values are all numbered up to `gone`.

    `coming` is the number of the first value after all rows in the table.
    """
    if gone <= 0:
        return
    range_ = records.history_range(series.account, series.key)
    rows = txn.scan(tables.HISTORY, *range_, limit=TRIM_ROWS + 1)
    following = [records.unpack_history_number(row) for _, row in rows[1:]]
    if len(rows) <= TRIM_ROWS:
        following.append(coming)
    for (row_key, _), number in zip(rows, following, strict=False):
        if number > gone + 1:
            return
        txn.delete(tables.HISTORY, row_key)


def _forget(txn: Transaction, series: Series, value: int) -> int:
    """Remove some of the rows left from when history was on; return what `add` returns.

    While rows are left, that is `value`, which has no row: once history is on again, the next entry
    begins a new row, because the numbers within a row have no gaps.
    """
    range_ = records.history_range(series.account, series.key)
    rows = txn.scan(tables.HISTORY, *range_, limit=TRIM_ROWS)
    for row_key, _ in rows:
        txn.delete(tables.HISTORY, row_key)
    return value if len(rows) == TRIM_ROWS else 0


_PAGE_ROWS = 16
