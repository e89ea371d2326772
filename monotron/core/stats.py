"""Figures about the stored data that the store itself does not count."""

from monotron.core import records, tables
from monotron.store import paging
from monotron.store.contract import Reading, Store
from monotron.store.paging import PAGE_ROWS, Page


def history_values(store: Store) -> int:
    """Return how many values the histories of all series hold in total.

    It is read in pages: a row that moves from its series to the table meanwhile may count twice.
    """

    def in_series(reading: Reading, after: bytes | None) -> Page[int, bytes]:
        page = paging.page(reading, tables.SERIES, after, size=PAGE_ROWS)
        newest = [records.unpack_series(*row).newest_row for row in page.items]
        return Page([records.count_history(row) for row in newest if row], page.next)

    def in_rows(reading: Reading, after: bytes | None) -> Page[int, bytes]:
        page = paging.page(reading, tables.HISTORY, after, size=PAGE_ROWS)
        return Page([records.count_history(value) for _, value in page.items], page.next)

    return sum(paging.through(store.view, in_series)) + sum(paging.through(store.view, in_rows))
