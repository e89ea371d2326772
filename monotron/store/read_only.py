"""Stores in a folder that this process cannot write: a snapshot, or another user's.

LMDB can read without its lock file. But then nothing keeps a writer from reusing pages that are
being read, so this is done only if nobody can write: the file system is read-only for everybody, or
nobody else has the store open and nobody can open it meanwhile.
"""

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, NoReturn, TypeAlias, TypeVar

import lmdb

from monotron.store import file_system
from monotron.store import folder as storage_folder
from monotron.store.contract import Reading, StoreUnavailable, Table, Transaction
from monotron.store.data_file import FileReading
from monotron.store.folder import DATA_FILE
from monotron.store.lmdb import (
    MAP_SIZE,
    OPEN_SECONDS,
    SPARE_TABLES,
    Handles,
    LmdbStore,
    check_length,
    copy_of,
    failure_of,
    no_address_space,
    usage_of,
)
from monotron.store.lock import OPEN_LOCK, OpenLock
from monotron.store.usage import Usage

T = TypeVar("T")


def open_to_read(folder: Path, tables: Sequence[Table], *, wait_seconds: float) -> "OpenStore":
    """Open the store in `folder`, even if this process cannot write to it.

    Raises `StoreUnavailable` if it does not exist, and what the two kinds of store raise.
    """
    if (folder / DATA_FILE).exists() and not storage_folder.is_writable(folder):
        return ReadOnlyStore(folder, tables)
    return LmdbStore(folder, tables, create=False, wait_seconds=wait_seconds)


@contextmanager
def nobody_writing(folder: Path) -> Iterator[None]:
    """Keep writers away from the store in a folder that this process cannot write to.

    Raises `StoreUnavailable` if it may be open in another process.
    """
    with ExitStack() as held:
        try:
            lock = OpenLock(folder, make=False)
        except FileNotFoundError:
            # Nobody has opened it since it was put here.
            yield
            return
        except OSError as error:
            if not file_system.is_read_only(folder):
                raise _in_use(folder, f"{OPEN_LOCK} cannot be read: {error.strerror}") from error
            yield
            return
        held.callback(lock.close)
        if not file_system.is_read_only(folder) and not lock.take_alone_within(OPEN_SECONDS):
            raise _in_use(folder, "another process has it open")
        yield


class ReadOnlyStore:
    """A store that nobody writes to. Views work as in `LmdbStore`; updates are refused."""

    def __init__(self, folder: Path, tables: Sequence[Table]) -> None:
        """Open it. Until it is closed, no other process can open it, unless none could write.

        Raises `StoreUnavailable` if it may be open elsewhere, and `StoreCorrupt` if it is damaged.
        """
        self.folder = Path(os.path.realpath(folder))
        self._tables = tables
        self._path = self.folder / DATA_FILE
        storage_folder.require_local(self.folder)
        with ExitStack() as held:
            held.enter_context(nobody_writing(self.folder))
            self._locked = (self.folder / OPEN_LOCK).exists()
            self._env = _open(self._path, len(tables) + SPARE_TABLES)
            held.callback(self._env.close)
            try:
                check_length(self._env, self._path)
                self._handles = _handles_of(self._env, tables)
            except lmdb.Error as error:
                raise failure_of(error, self._path) from error
            self._held = held.pop_all()

    def view(self, fn: Callable[[Reading], T]) -> T:
        """See `contract.Store.view`."""
        self._require_alone()
        try:
            with self._env.begin() as txn:
                return fn(FileReading(txn, self._handles))
        except lmdb.Error as error:
            raise failure_of(error, self._path) from error

    def update(self, fn: Callable[[Transaction], T]) -> NoReturn:
        """Raise `StoreUnavailable`."""
        raise StoreUnavailable(f"this user cannot write to the store in {self.folder}")

    def copy(self, file: IO[bytes]) -> None:
        """See `LmdbStore.copy`."""
        self._require_alone()
        try:
            copy_of(self._env, file)
        except lmdb.Error as error:
            raise failure_of(error, self._path) from error

    def usage(self) -> Usage:
        """See `LmdbStore.usage`."""
        self._require_alone()
        try:
            usage = usage_of(self._env, self._handles, self._path)
        except lmdb.Error as error:
            raise failure_of(error, self._path) from error
        return replace(usage, rows=dict.fromkeys(self._tables, 0) | usage.rows, map_bytes=MAP_SIZE)

    def close(self) -> None:
        """Release it. Closing again does nothing."""
        self._held.close()

    def _require_alone(self) -> None:
        """Raise `StoreUnavailable` if a possible writer has opened the store meanwhile."""
        if not self._locked and (self.folder / OPEN_LOCK).exists():
            raise _in_use(self.folder, "another process has opened it meanwhile")


OpenStore: TypeAlias = LmdbStore | ReadOnlyStore


def _open(data: Path, max_dbs: int) -> lmdb.Environment:
    try:
        return lmdb.open(
            os.fsencode(data),
            subdir=False,
            readonly=True,
            lock=False,
            max_dbs=max_dbs,
            lib_version=0,
        )
    except lmdb.Error as error:
        if error.code == errno.ENOMEM:
            raise no_address_space(data.stat().st_size) from error
        raise failure_of(error, data) from error


def _handles_of(env: lmdb.Environment, tables: Sequence[Table]) -> Handles:
    """Return the handles of existing tables: a store made by an older version may lack some."""
    handles: Handles = {}
    for table in tables:
        with suppress(lmdb.NotFoundError):
            handles[table] = env.open_db(table, create=False)
    return handles


def _in_use(folder: Path, why: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"this user cannot write to the store in {folder}, and so can read it only while nobody "
        f"can write to it: {why}. Run this as the service's user"
    )
