"""The invariants of every store, whatever was done to it.

The rules are those of `monotron check`. Beside them stands what damages no store, but would be
a mistake of the code that wrote it.
"""

from collections.abc import Iterator

import pytest

from monotron.core import check, history, records, tables
from monotron.store.contract import Reading, Store, Table
from monotron.store.paging import EVERYTHING

Rows = list[tuple[bytes, bytes]]
Faults = Iterator[str]

TREE_BYTES = (4096 - 16) // 2 - 2 - 8
"""A key with its value that LMDB keeps in the tree; a longer one gets pages of its own
(`me_nodemax` in mdb.c, of a page with 4096 bytes)."""


def rows_of(reading: Reading, table: Table) -> Rows:
    """Return every row of a table."""
    return reading.scan(table, *EVERYTHING, limit=10**9)


def rows_of_store(store: Store) -> dict[Table, Rows]:
    """Return every row of every table."""
    return store.view(lambda reading: {table: rows_of(reading, table) for table in tables.ALL})


def faults(store: Store, *, keep: int | None = None) -> list[str]:
    """Return what is wrong in a store; with `keep`, if history was always on with that number."""

    def walk(reading: Reading) -> list[str]:
        report = check.walk(reading)
        found = report.problems + [each for each in report.remarks if "does not know" in each]
        found += _outside_the_tree(reading)
        # What cannot be read is a problem already.
        if keep is not None and not found:
            found += _unkept(reading, keep)
        return found

    return store.view(walk)


@pytest.fixture
def whole_store(any_store: Store) -> Iterator[Store]:
    """A store of each engine in turn, which the test must leave without a fault."""
    yield any_store
    assert faults(any_store) == []


def _outside_the_tree(reading: Reading) -> Faults:
    for row_key, value in rows_of(reading, tables.HISTORY):
        if len(row_key) + len(value) > TREE_BYTES:
            yield f"{row_key!r} takes pages of its own"


def _unkept(reading: Reading, keep: int) -> Faults:
    for row_key, value in rows_of(reading, tables.SERIES):
        state = records.unpack_series(row_key, value)
        range_ = records.history_range(state.account, state.key)
        rows = reading.scan(tables.HISTORY, *range_, limit=10**9)
        if len(rows) > keep:
            yield f"{state} has {len(rows)} rows of history for {keep} values"
        if not state.given:
            continue
        page = history.page(reading, state, keep=keep, limit=keep)
        if len(page.items) != min(keep, state.given):
            yield f"{state} has {len(page.items)} values of its history, not {keep}"
        # Only a seed is newer than the newest value given out, and it leaves no token.
        if state.token is not None or state.value == state.given:
            newest = [(taken.value, taken.token) for taken in page.items[:1]]
            if newest != [(state.value, state.token)]:
                yield f"{state} is not the newest of its history, {newest}"
