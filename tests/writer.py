"""What the processes do that `test_kill.py` kills. It imports little, so that they start fast."""

import os
import threading
from multiprocessing.connection import Connection
from pathlib import Path

from monotron.core import series
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.store.lmdb import LmdbStore

KEY = "killed"
THREADS = 2
"""One finds nobody writing, the other waits for the next batch: both ways are there at a kill."""


def write_until_killed(folder: Path, pipe: Connection) -> None:
    """Take numbers from one series, and tell each one that was answered."""
    store = LmdbStore(folder, wait_seconds=3600)
    for _ in range(THREADS - 1):
        threading.Thread(target=_take_numbers, args=(store, pipe), daemon=True).start()
    _take_numbers(store, pipe)


def _take_numbers(store: LmdbStore, pipe: Connection) -> None:
    while True:
        state = store.update(lambda txn: series.advance(txn, FIRST_ACCOUNT, KEY, now=0))
        # A pipe takes so short a line whole or not at all.
        os.write(pipe.fileno(), b"%d\n" % state.value)
