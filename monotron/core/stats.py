"""Figures of what is stored that the store itself does not count."""

from monotron.core import records, tables
from monotron.limits import PAGE_ROWS
from monotron.store.contract import Reading, Store


def history_values(store: Store) -> int:
    """Give how many values the histories of all series hold together.

    It takes a snapshot for each page: a long one would make the file grow beside busy writers.
    """
    count, last = 0, b""
    while rows := store.view(lambda reading, last=last: _page(reading, last)):  # type: ignore[misc]
        count += sum(records.count_history(value) for _, value in rows)
        last = rows[-1][0]
    return count


def _page(reading: Reading, last: bytes) -> list[tuple[bytes, bytes]]:
    return reading.scan(tables.HISTORY, *records.rows_after(last), limit=PAGE_ROWS)
