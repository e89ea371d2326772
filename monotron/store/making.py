"""Making a store that has contents from its first moment: either all of them, or no store."""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from monotron.store import folder as storage_folder
from monotron.store.contract import StoreError, StoreFull, StoreUnavailable, Table
from monotron.store.folder import DATA_FILE, LOCK_FILE
from monotron.store.lmdb import NO_ROOM, OPEN_SECONDS, LmdbStore
from monotron.store.lock import OpenLock

T = TypeVar("T")

WORK_FOLDER = ".first"
"""The subfolder in which a store is made; one left behind by a kill is replaced."""

_ASK_AGAIN_SECONDS = 0.05


def is_missing(folder: Path) -> bool:
    """Return whether there is no store in `folder`, not even one on a disk that is not mounted.

    Raises `StoreUnavailable` if that cannot be determined.
    """
    try:
        os.lstat(folder / DATA_FILE)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError as error:
        raise StoreUnavailable(
            f"storage folder {folder} cannot be used: {error.strerror}"
        ) from error
    return False


def make(folder: Path, tables: Sequence[Table], fill: Callable[[LmdbStore], T]) -> T | None:
    """Make the store in `folder` with what `fill` writes, and return what `fill` returns.

    It returns None if another process has made the store meanwhile, and waits for one that is about
    to. Until `fill` has returned there is no store, whatever happens, and nobody can open one.
    Raises what `fill` raises, and what `LmdbStore` raises.
    """
    folder = storage_folder.prepare(folder)
    try:
        lock = OpenLock(folder)
    except OSError as error:
        raise StoreUnavailable(
            f"storage folder {folder} cannot be used: {error.strerror}"
        ) from error
    try:
        _wait_for(lock, folder)
        return _make(folder, tables, fill) if is_missing(folder) else None
    except OSError as error:
        raise _failure(folder, error) from error
    finally:
        lock.close()


def _wait_for(lock: OpenLock, folder: Path) -> None:
    """Take the lock, or return once another process has made the store.

    A process that makes a store may take long. A process that shares the lock has the store open,
    or is about to open it, and then there is a data file.
    """
    end = time.monotonic() + OPEN_SECONDS
    while not lock.take_alone() and is_missing(folder):
        if lock.is_shared() and time.monotonic() > end:
            raise StoreUnavailable(
                f"the data file of the store in {folder} was removed while a process has it open; "
                "stop that process"
            )
        time.sleep(_ASK_AGAIN_SECONDS)


def _make(folder: Path, tables: Sequence[Table], fill: Callable[[LmdbStore], T]) -> T:
    work = folder / WORK_FOLDER
    _remove(work)
    try:
        work.mkdir(mode=0o700)
        store = LmdbStore(work, tables)
        try:
            result = fill(store)
        finally:
            store.close()
        # It would list readers of another file, and will be recreated.
        (folder / LOCK_FILE).unlink(missing_ok=True)
        (work / DATA_FILE).rename(folder / DATA_FILE)
        storage_folder.sync(folder)
    finally:
        _remove(work)
    return result


def _failure(folder: Path, error: OSError) -> StoreError:
    if error.errno in NO_ROOM:
        return StoreFull("the disk is full; nothing was taken")
    return StoreUnavailable(f"the store in {folder} cannot be made: {error.strerror}")


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
