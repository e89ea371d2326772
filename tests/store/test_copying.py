"""Copying the rows of a store into another one, in updates that every engine takes."""

from monotron.core import tables
from monotron.store import copying
from monotron.store.contract import MAX_VALUE_BYTES, Store, Transaction
from tests.conftest import all_rows
from tests.support.memory import MemoryStore

ROWS = tables.SERIES
OTHERS = tables.HISTORY


def test_every_row_is_copied_however_large_or_many(any_store: Store) -> None:
    source = MemoryStore()

    def fill(txn: Transaction) -> None:
        for number in range(2 * copying.BATCH_ROWS):
            txn.put(ROWS, b"%04d" % number, b"x" * (number % 100))
        for number in range(3):
            txn.put(OTHERS, b"%d" % number, b"x" * MAX_VALUE_BYTES)

    source.update(fill)
    source.view(lambda reading: copying.put_all(tables.ALL, any_store, reading))
    assert all_rows(any_store) == all_rows(source)


def test_rows_of_an_older_moment_are_gone_from_a_copy_that_is_made_anew() -> None:
    source, copy = MemoryStore(), MemoryStore()
    source.update(lambda txn: txn.put(ROWS, b"a", b"older"))
    source.update(lambda txn: txn.put(ROWS, b"b", b"older"))
    source.view(lambda reading: copying.copy_anew(tables.ALL, copy, reading))
    source.update(lambda txn: txn.delete(ROWS, b"a"))
    source.view(lambda reading: copying.copy_anew(tables.ALL, copy, reading))
    assert all_rows(copy) == all_rows(source)
