"""Going through a whole store without holding it in memory.

LMDB reads through its memory map, and every page touched counts as the process's memory until
something else needs it. For a service that is right. But a command that touches every page of a
large store would look as large as the store, and be killed for it if memory is limited.
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
    """A store that releases the pages it has read after each view and update.

    The next reader finds them in the cache. Releasing costs less than a millisecond, so this is for
    long views and updates.
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
    """Release the pages of a mapped file. They stay valid: a reader maps them again.

    Only Linux reports where a file is mapped; elsewhere this does nothing.
    """
    try:
        lines = Path("/proc/self/maps").read_text(errors="surrogateescape").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        # The format is described in proc_pid_maps(5).
        addresses, *_, name = line.split(maxsplit=5)
        if name == str(file):
            start, end = (int(address, 16) for address in addresses.split("-"))
            _madvise(start, end - start, _MADV_DONTNEED)


_madvise = ctypes.CDLL(None).madvise
_madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_MADV_DONTNEED = 4
