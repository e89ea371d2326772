"""A store whose series are as old as a busy farm's: each new value pushes one out of history."""

from pathlib import Path

from bench.load import UUIDS
from monotron.core import clock, series, tables
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.core.call import Call
from monotron.store.contract import Transaction
from monotron.store.lmdb import LmdbStore


def filled(folder: Path, count: int, keep: int) -> None:
    """Create a store with `count` series, each of which gave out more values than history keeps."""
    store = LmdbStore(folder, tables.ALL)
    for number in range(count):
        key = f"{UUIDS}{number:012x}"

        def take(txn: Transaction, key: str = key) -> None:
            for _ in range(keep + 100):
                series.advance(txn, Call(FIRST_ACCOUNT, None, clock.now(), keep), key)

        store.update(take)
    store.close()
