"""Upgrading: what a store of an earlier version lacks."""

from dataclasses import replace

from monotron.core import changes, records, series, tables
from monotron.store import paging
from monotron.store.contract import Reading, Store, Transaction
from monotron.store.paging import PAGE_ROWS, Page


def is_due(reading: Reading) -> bool:
    """Return whether the store may lack something."""
    return reading.get(tables.SYSTEM, records.CHANGES_ROW_KEY) is None


def upgrade(store: Store) -> int:
    """Bring every series into the index of changes; return how many were not in it.

    It can be cut off and started again, and others may write meanwhile.
    """
    listed = sum(paging.through(store.update, _list_some))
    store.update(lambda txn: txn.put(tables.SYSTEM, records.CHANGES_ROW_KEY, b""))
    return listed


def _list_some(txn: Transaction, after: bytes | None) -> Page[int, bytes]:
    page = paging.page(txn, tables.SERIES, after, size=PAGE_ROWS)
    states = [records.unpack_series(*row) for row in page.items]
    unlisted = [state for state in states if not state.listed_at]
    for state in unlisted:
        listed_at = changes.note(txn, state.account, state.key, 0, state.updated_at)
        series.put(txn, replace(state, listed_at=listed_at))
    return Page([len(unlisted)], page.next)
