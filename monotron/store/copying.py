"""Copying every row of one moment of a store into another store, of any engine."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from monotron.store import paging
from monotron.store.contract import Reading, Store, Table, Transaction
from monotron.store.paging import Row

FIRST_ROWS = 64
PAGE_BYTES = 2**20
"""How much is read at a time, going by the rows before. Small pages take long: for each, etcd goes
through the keys of all the rows after it."""

BATCH_ROWS = 1_000
BATCH_BYTES = 2**18
"""How much an update writes at most, but for a larger row; etcd takes several times as much."""


def put_all(tables: Sequence[Table], target: Store, reading: Reading) -> None:
    """Put every row of the tables into a store that has none.

    It takes many updates: if it is interrupted, the store has a part of the rows.
    """
    for table in tables:
        for batch in _batches(_rows(reading, table)):
            target.update(partial(_put, table, batch))


def copy_anew(tables: Sequence[Table], target: Store, reading: Reading) -> None:
    """Do the same once more: a view may run again, and then rows of an older moment are there."""
    for table in tables:
        target.update(partial(_remove_all, table))
    put_all(tables, target, reading)


def _rows(reading: Reading, table: Table) -> Iterator[Row]:
    (start, stop), limit = paging.EVERYTHING, FIRST_ROWS
    while found := reading.scan(table, start, stop, limit=limit):
        yield from found
        if len(found) < limit:
            return
        start = paging.key_after(found[-1][0])
        limit = min(paging.PAGE_ROWS, 1 + PAGE_BYTES * len(found) // sum(map(_size, found)))


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    batch, size = list[Row](), 0
    for row in rows:
        more = _size(row)
        if batch and (len(batch) == BATCH_ROWS or size + more > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += more
    if batch:
        yield batch


def _size(row: Row) -> int:
    key, value = row
    return len(key) + len(value)


def _put(table: Table, rows: Sequence[Row], txn: Transaction) -> None:
    for row in rows:
        txn.put(table, *row)


def _remove_all(table: Table, txn: Transaction) -> None:
    txn.delete_range(table, *paging.EVERYTHING)
