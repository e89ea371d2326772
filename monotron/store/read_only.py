"""Stores in a folder that this process cannot write: a snapshot, or another user's.

LMDB can read without its lock file. But then nothing keeps a writer from using pages again that
are being read, so it is only done where nobody can write: the file system is read-only for
everybody, or nobody else has the store open and nobody can open it meanwhile.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, NoReturn, TypeAlias, TypeVar

import lmdb

from monotron.store import file_system
from monotron.store import folder as storage_folder
from monotron.store.contract import Reading, StoreUnavailable, Table, Transaction, Usage
from monotron.store.data_file import FileReading
from monotron.store.lmdb import (
    MAP_SIZE,
    OPEN_SECONDS,
    LmdbStore,
    Tables,
    check_length,
    copy_of,
    failure_of,
    no_address_space,
    usage_of,
)
from monotron.store.lock import OPEN_LOCK, OpenLock

T = TypeVar("T")


def open_to_read(folder: Path, *, wait_seconds: float) -> "OpenStore":
    """Open the store in `folder`, even if it cannot be written.

    Raises `StoreUnavailable` if there is none, and what the two kinds of store raise.
    """
    if (folder / storage_folder.DATA_FILE).exists() and not storage_folder.is_writable(folder):
        return ReadOnlyStore(folder)
    return LmdbStore(folder, create=False, wait_seconds=wait_seconds)


@contextmanager
def nobody_writing(folder: Path) -> Iterator[None]:
    """Keep writers away from the store in a folder that this process cannot write.

    Raises `StoreUnavailable` if it may be open in another process.
    """
    with ExitStack() as held:
        try:
            lock = OpenLock(folder, make=False)
        except FileNotFoundError:
            # Nobody has opened it since it came here.
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
    """A store that nobody writes. Its views are as `LmdbStore` has them; updates are refused."""

    def __init__(self, folder: Path) -> None:
        """Open it. No other process can open it until it is closed, unless none can write at all.

        Raises `StoreUnavailable` if it may be open elsewhere, and `StoreCorrupt` if it is damaged.
        """
        self.folder = Path(os.path.realpath(folder))
        self._path = self.folder / storage_folder.DATA_FILE
        storage_folder.require_local(self.folder)
        with ExitStack() as held:
            held.enter_context(nobody_writing(self.folder))
            self._locked = (self.folder / OPEN_LOCK).exists()
            self._env = _open(self._path)
            held.callback(self._env.close)
            try:
                check_length(self._env, self._path)
                self._tables = _tables_of(self._env)
            except lmdb.Error as error:
                raise failure_of(error, self._path) from error
            self._held = held.pop_all()

    def view(self, fn: Callable[[Reading], T]) -> T:
        """See `contract.Store.view`."""
        self._require_alone()
        try:
            with self._env.begin() as txn:
                return fn(FileReading(txn, self._tables))
        except lmdb.Error as error:
            raise failure_of(error, self._path) from error

    def update(self, fn: Callable[[Transaction], T]) -> NoReturn:
        """Raise `StoreUnavailable`."""
        raise StoreUnavailable(f"the store in {self.folder} cannot be written by this user")

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
            return replace(usage_of(self._env, self._tables, self._path), map_bytes=MAP_SIZE)
        except lmdb.Error as error:
            raise failure_of(error, self._path) from error

    def close(self) -> None:
        """Let go of it. Closing again does nothing."""
        self._held.close()

    def _require_alone(self) -> None:
        """Raise `StoreUnavailable` if somebody has come who may write."""
        if not self._locked and (self.folder / OPEN_LOCK).exists():
            raise _in_use(self.folder, "another process has opened it meanwhile")


OpenStore: TypeAlias = LmdbStore | ReadOnlyStore


def _open(data: Path) -> lmdb.Environment:
    try:
        return lmdb.open(
            os.fsencode(data),
            subdir=False,
            readonly=True,
            lock=False,
            max_dbs=len(Table) + 16,
            lib_version=0,
        )
    except lmdb.Error as error:
        if error.code == errno.ENOMEM:
            raise no_address_space(data.stat().st_size) from error
        raise failure_of(error, data) from error


def _tables_of(env: lmdb.Environment) -> Tables:
    """Return what there is: a store that an older version made may lack a table."""
    tables: Tables = {}
    for table in Table:
        with suppress(lmdb.NotFoundError):
            tables[table] = env.open_db(table.value.encode(), create=False)
    return tables


def _in_use(folder: Path, why: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"the store in {folder} cannot be written by this user, and cannot be read beside one who "
        f"may: {why}. Run this as the user of the service"
    )
