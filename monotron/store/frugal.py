"""Going through a whole store without holding it in memory.

What LMDB reads it reads through its memory map, and each page of the map that was touched counts as
memory of the process until something else needs it. For a service that is right. A command that
touches every page of a large store would look as large as the store, and be killed for it where
memory is limited.
"""

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from monotron.store.contract import Reading, Transaction
from monotron.store.folder import DATA_FILE
from monotron.store.read_only import OpenStore

T = TypeVar("T")


class FrugalStore:
    """A store that lets go of the pages it has read after each view and update.

    The next reader finds them in the cache. It costs less than a millisecond, so it is for long
    views and updates.
    """

    def __init__(self, store: OpenStore) -> None:
        self._store = store
        self._file = store.folder / DATA_FILE

    def view(self, fn: Callable[[Reading], T]) -> T:
        """See `contract.Store.view`."""
        result = self._store.view(fn)
        drop_pages(self._file)
        return result

    def update(self, fn: Callable[[Transaction], T]) -> T:
        """See `contract.Store.update`."""
        result = self._store.update(fn)
        drop_pages(self._file)
        return result

    def close(self) -> None:
        """See `contract.Store.close`."""
        self._store.close()


def drop_pages(file: Path) -> None:
    """Let go of the pages of a mapped file. They stay valid: a reader maps them again.

    Only Linux tells where a file is mapped; elsewhere nothing happens.
    """
    try:
        lines = Path("/proc/self/maps").read_text(errors="surrogateescape").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        # The format is that of proc_pid_maps(5).
        addresses, *_, name = line.split(maxsplit=5)
        if name == str(file):
            start, end = (int(address, 16) for address in addresses.split("-"))
            _madvise(start, end - start, _MADV_DONTNEED)


_madvise = ctypes.CDLL(None).madvise
_madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_MADV_DONTNEED = 4
