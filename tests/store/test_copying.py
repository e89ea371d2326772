"""Copying the rows of a store into another one, in updates that every engine takes."""

from monotron.core import tables
from monotron.store import copying
from monotron.store.contract import MAX_VALUE_BYTES, Reading, Store, Table, Transaction
from tests.conftest import all_rows
from tests.support.memory import MemoryStore

ROWS = tables.SERIES
OTHERS = tables.HISTORY


def test_every_row_is_copied_however_large_or_many(any_store: Store) -> None:
    source = MemoryStore()

    def fill(txn: Transaction) -> None:
        for number in range(2 * copying.BATCH_ROWS):
            txn.put(ROWS, b"%04d" % number, b"x" * (number % 100))
        for number in range(10):
            txn.put(OTHERS, b"%d" % number, b"x" * MAX_VALUE_BYTES)

    source.update(fill)
    source.view(lambda reading: copying.put_all(tables.ALL, any_store, reading))
    assert all_rows(any_store) == all_rows(source)


def test_no_more_is_read_at_once_than_a_few_mebibytes() -> None:
    source, pages = MemoryStore(), list[int]()

    class Counted:
        def __init__(self, reading: Reading) -> None:
            self.get, self._scan = reading.get, reading.scan

        def scan(
            self, table: Table, start: bytes, stop: bytes, *, limit: int, reverse: bool = False
        ) -> list[tuple[bytes, bytes]]:
            found = self._scan(table, start, stop, limit=limit, reverse=reverse)
            pages.append(sum(len(value) for _, value in found))
            return found

    def fill(txn: Transaction) -> None:
        for number in range(1_000):
            txn.put(ROWS, b"%04d" % number, b"x" * 2**16)

    source.update(fill)
    source.view(lambda reading: copying.put_all([ROWS], MemoryStore(), Counted(reading)))
    assert sum(pages) == 1_000 * 2**16
    assert max(pages) <= 2**22


def test_rows_of_an_older_moment_are_gone_from_a_copy_that_is_made_anew() -> None:
    source, copy = MemoryStore(), MemoryStore()
    source.update(lambda txn: txn.put(ROWS, b"a", b"older"))
    source.update(lambda txn: txn.put(ROWS, b"b", b"older"))
    source.view(lambda reading: copying.copy_anew(tables.ALL, copy, reading))
    source.update(lambda txn: txn.delete(ROWS, b"a"))
    source.view(lambda reading: copying.copy_anew(tables.ALL, copy, reading))
    assert all_rows(copy) == all_rows(source)
