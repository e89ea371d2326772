"""All rows of a table, in pages: however many there are, few are in memory."""

from collections.abc import Iterator

from monotron.core import records
from monotron.limits import PAGE_ROWS
from monotron.store.contract import Reading, Table


def every(reading: Reading, table: Table) -> Iterator[tuple[bytes, bytes]]:
    """Give every row of a table, in order. It is for one snapshot, as long as that is valid."""
    last = b""
    while rows := reading.scan(table, *records.rows_after(last), limit=PAGE_ROWS):
        yield from rows
        last = rows[-1][0]
