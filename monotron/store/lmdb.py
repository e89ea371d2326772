"""The embedded engine: LMDB, opened so that every answered value is on the disk.

`sync` and `metasync` stay on: a commit writes its pages, syncs them, and then writes the meta page
that makes them valid through a descriptor that syncs each write. `writemap` stays off: with it, a
full disk would be a SIGBUS and a stray pointer a corrupt file.
"""

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TypeVar

import lmdb
from lmdb.verify import verify

from monotron.store import folder as storage_folder
from monotron.store.batch import GroupCommit, NoObserver, Observer, Update
from monotron.store.contract import (
    Figure,
    Reading,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreUnavailable,
    Table,
    Transaction,
)
from monotron.store.draft import Draft, check_key
from monotron.store.folder import DATA_FILE, LOCK_FILE, NEW_FILE
from monotron.store.lock import OpenLock, WriteLock
from monotron.store.usage import Usage
from monotron.waiting import BlockedThreads, Waiting

T = TypeVar("T")

MAP_SIZE = 256 * 2**30
"""The most a store can hold, in bytes. It is address space, not disk: the file grows as it fills.

256 GiB is more than a company's numbers will ever take and fits the smallest 64-bit address space
in use (39 bits, some ARM boards). One size for all: resizing a map that several processes have
open has been a source of corruption (py-lmdb #269, #475).
"""

MAX_READERS = 4096
"""Slots in LMDB's reader table, 64 bytes each; more than processes times threads."""

SPARE_READERS = 256
"""Read transactions kept for the next reader: beginning a kept one again takes no lock."""

READER_CHECK_SECONDS = 60.0
"""How often dead readers' slots are freed. A dead reader's slot makes the file grow."""

WAIT_SECONDS = 5.0
"""How long an update waits by default for other processes before it begins."""

OPEN_SECONDS = 10.0
"""How long opening waits for a process that holds a lock."""

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""The kernel's errors when a file cannot grow."""

SPARE_TABLES = 16
"""Room for tables that a newer version may have put into the file."""

Handles = dict[Table, "lmdb._Database"]
"""LMDB's handle of each table. They are opened once, with the store: opening one later would need
a write transaction while no other thread has one."""


class LmdbStore:
    """A store in a folder, shared by any number of processes on one machine."""

    def __init__(
        self,
        folder: Path | str,
        tables: Sequence[Table],
        *,
        create: bool = True,
        map_size: int = MAP_SIZE,
        wait_seconds: float = WAIT_SECONDS,
        waiting: Waiting | None = None,
        observer: Observer | None = None,
    ) -> None:
        """Open the store in `folder`, creating both if they are missing, unless `create` is off.

        Any of the `tables` that it lacks are added: a store made by an older version may lack some.

        It belongs to the process that opened it: a forked child must open its own. An update waits
        at most `wait_seconds` for other processes before it begins. `waiting` is how its callers
        wait: by default, their threads are blocked. The `observer` hears of each commit.

        Raises `StoreUnavailable` if the folder cannot be used, `StoreCorrupt` if its data file is
        not LMDB's, and `StoreFull` if the disk has no room for a new one.
        """
        self._pid = os.getpid()
        self._closed = False
        self._next_reader_check = 0.0
        folder = storage_folder.absolute(Path(folder))
        if not create and not (folder / DATA_FILE).exists():
            raise StoreUnavailable(f"there is no store in {folder}")
        self.folder = storage_folder.prepare(folder)
        self._path = self.folder / DATA_FILE
        self.failed: StoreError | None = None
        """Set once the engine can only continue in a process that reopens it."""
        with ExitStack() as undo:
            try:
                self._opened = OpenLock(self.folder)
                undo.callback(self._opened.close)
                self._opened.share_within(OPEN_SECONDS)
                self._lock = WriteLock(self.folder)
            except OSError as error:
                raise StoreUnavailable(
                    f"storage folder {self.folder} cannot be used: {error.strerror}"
                ) from error
            self._lock.acquire_within(OPEN_SECONDS)
            undo.callback(self._lock.close)
            self._env, self._handles = self._open(map_size, tables)
            there = self._path.stat()
            self._identity = (there.st_dev, there.st_ino)
            undo.pop_all()
        self._lock.release()
        self._observer = observer or NoObserver()
        self._waiting = waiting or BlockedThreads()
        self._writer = GroupCommit(
            self._lock,
            self._commit,
            wait_seconds=wait_seconds,
            waiting=self._waiting,
            observer=self._observer,
        )

    def view(self, fn: Callable[[Reading], T]) -> T:
        """Run `fn` on a snapshot, on the caller's thread. See `contract.Store.view`."""
        self._guard()
        try:
            with self._env.begin() as txn:
                return fn(LmdbReading(txn, self._handles))
        except lmdb.Error as error:
            raise self._translated(error) from error

    def update(self, fn: Callable[[Transaction], T]) -> T:
        """Run `fn` in a write transaction. See `contract.Store.update`."""
        self._guard()
        return self._writer.update(fn)

    def copy(self, file: IO[bytes]) -> None:
        """Write a snapshot to a file or pipe, without waiting for writers or holding them up.

        It has no free pages. Raises `OSError` if it cannot be written.
        """
        self._guard()
        try:
            copy_of(self._env, file)
        except lmdb.Error as error:
            raise self._translated(error) from error

    def copy_pages(self, file: IO[bytes]) -> None:
        """Write the data file as it is at one moment, page by page, including damaged pages.

        Writers wait only at its beginning: while the snapshot is held, none of its pages are
        overwritten. Raises `OSError` if it cannot be written.
        """
        self._guard()
        lock = WriteLock(self.folder)
        lock.acquire_within(OPEN_SECONDS)
        with self._path.open("rb") as data, ExitStack() as snapshot:
            try:
                snapshot.enter_context(self._env.begin())
                head = data.read(2 * self._env.stat()["psize"])
            except lmdb.Error as error:
                raise self._translated(error) from error
            finally:
                lock.close()
            file.write(head)
            shutil.copyfileobj(data, file, 2**20)

    def usage(self) -> Usage:
        """Return the space that the store uses."""
        self._guard()
        try:
            return usage_of(self._env, self._handles, self._path)
        except lmdb.Error as error:
            raise self._translated(error) from error

    def figures(self) -> Iterator[Figure]:
        """Return the figures of `usage`, for monitoring."""
        return self.usage().figures()

    def close(self) -> None:
        """See `contract.Store.close`. It does nothing in a forked child, which has no store."""
        if self._closed or os.getpid() != self._pid:
            return
        self._closed = True
        if self._writer.close():
            self._env.close()
            self._lock.close()
            self._opened.close()

    def _open(self, map_size: int, tables: Sequence[Table]) -> tuple[lmdb.Environment, Handles]:
        self._allocate_reader_table()
        try:
            self._make_data_file(map_size)
            env = lmdb.open(
                os.fsencode(self.folder),
                map_size=map_size,
                max_dbs=len(tables) + SPARE_TABLES,
                max_readers=MAX_READERS,
                max_spare_txns=SPARE_READERS,
                mode=0o600,
                # The 0.9 file format, which a library that also knows 1.0 must not change.
                lib_version=0,
            )
        except lmdb.Error as error:
            if error.code == errno.ENOMEM:
                raise no_address_space(map_size) from error
            raise self._translated(error) from error
        try:
            check_length(env, self._path)
            with env.begin(write=True) as txn:
                handles = {table: env.open_db(table, txn) for table in tables}
            env.reader_check()
        except lmdb.Error as error:
            env.close()
            raise self._translated(error) from error
        except StoreCorrupt:
            env.close()
            raise
        # Not only when the files are new: the process that created them may have died before this.
        storage_folder.sync(self.folder)
        return env, handles

    def _allocate_reader_table(self) -> None:
        """Allocate the disk space of LMDB's lock file, so that no reader finds the disk full.

        LMDB creates it as one hole and writes it through memory: if the disk then has no room for
        the page of another slot, the kernel kills the process (SIGBUS).
        """
        path = self.folder / LOCK_FILE
        # Opened only if necessary: closing it would release locks that an LMDB environment of this
        # process holds on it (fcntl_locking(2)).
        if path.exists() and path.stat().st_blocks * 512 >= _READER_TABLE_BYTES:
            return
        try:
            with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b") as file:
                os.posix_fallocate(file.fileno(), 0, _READER_TABLE_BYTES)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise StoreFull("the disk is full; nothing was taken") from error
            # The file system cannot allocate; if the file cannot be opened, LMDB will say so.

    def _make_data_file(self, map_size: int) -> None:
        """Create LMDB's data file if it is missing; it gets its name only once it is complete.

        LMDB does not sync its first two pages. A power cut may leave a part of them, which LMDB
        would take for a damaged store.
        """
        data, new = self._path, self.folder / NEW_FILE
        # If it is a link to a disk that is not mounted, a new file must not take its place.
        if os.path.lexists(data):
            return
        try:
            new.unlink(missing_ok=True)
            # Opened like the store, but without the lock: no other process knows of it.
            lmdb.open(
                os.fsencode(new),
                subdir=False,
                lock=False,
                map_size=map_size,
                mode=0o600,
                lib_version=0,
            ).close()
            with new.open("rb") as file:
                os.fsync(file.fileno())
            new.rename(data)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise StoreFull("the disk is full; nothing was taken") from error
            raise StoreUnavailable(f"{data} cannot be created: {error.strerror}") from error

    def _commit(self, batch: list[Update]) -> None:
        """Run every update of the batch, durably. The write lock is held.

        If the batch as a whole does not fit, each update is tried on its own: a small one may fit.
        """
        try:
            self._commit_as_one(batch)
        except StoreFull:
            for update in batch:
                try:
                    self._commit_as_one([update])
                except StoreFull as error:
                    update.error = error

    def _commit_as_one(self, batch: list[Update]) -> None:
        """Run the batch in one transaction. Raises `StoreFull` if it does not fit."""
        try:
            self._check_place()
            self._free_dead_readers()
            began = time.perf_counter()
            with self._env.begin(write=True) as txn:
                draft = Draft(LmdbReading(txn, self._handles))
                for update in batch:
                    _run(update, draft)
                draft.apply(_LmdbTransaction(txn, self._handles))
                self._waiting.let_go()
            self._observer.committed(len(batch), time.perf_counter() - began)
        except lmdb.Error as error:
            failure = self._translated(error)
            if isinstance(failure, StoreFull):
                raise failure from error
            for update in batch:
                update.error = failure
        except StoreUnavailable as failure:
            for update in batch:
                update.error = failure

    def _check_place(self) -> None:
        """Raise `StoreUnavailable` if the data file is no longer in its place.

        LMDB would go on in a file that nobody can find once this process has ended.
        """
        try:
            there = os.stat(self._path)
        except OSError:
            there = None
        if there is None or (there.st_dev, there.st_ino) != self._identity:
            raise StoreUnavailable(
                f"{self._path} was removed or replaced while in use; nothing was taken"
            )

    def _free_dead_readers(self) -> None:
        now = time.monotonic()
        if now >= self._next_reader_check:
            self._next_reader_check = now + READER_CHECK_SECONDS
            self._env.reader_check()

    def _guard(self) -> None:
        if os.getpid() != self._pid:
            raise StoreUnavailable("this store was opened before a fork; open it after the fork")
        if self._closed:
            raise StoreUnavailable("the store is closed")

    def _translated(self, error: lmdb.Error) -> StoreError:
        """Return the contract's error for LMDB's, with a message for a person."""
        if error.code == errno.EIO and self._disk_is_full():
            return StoreFull("the disk is full; nothing was taken")
        failure = failure_of(error, self._path)
        if isinstance(error, lmdb.PanicError):
            self.failed = failure
        return failure

    def _disk_is_full(self) -> bool:
        """Return whether the data file cannot grow; the write lock is held.

        LMDB reports a write that a full disk cut short as EIO, as if the disk were broken
        (mdb_page_flush in mdb.c), so this asks the disk, by allocating space at the end of the
        file. LMDB uses that space once it gets there.
        """
        try:
            with self._path.open("r+b", buffering=0) as data:
                length = os.fstat(data.fileno()).st_size
                os.posix_fallocate(data.fileno(), length, _PROBE_BYTES)
        except OSError as error:
            return error.errno in NO_ROOM
        return False


# Functions for any environment


def usage_of(env: lmdb.Environment, handles: Handles, data: Path) -> Usage:
    """Return the space that a store uses.

    Raises `lmdb.Error`, and `StoreUnavailable` if its files cannot be accessed.
    """
    try:
        with env.begin() as txn:
            info, main = env.info(), env.stat()
            found = {table: txn.stat(handle) for table, handle in handles.items()}
        readers = _snapshots(env.readers())
        disk, file = os.statvfs(data.parent), data.stat()
    except OSError as error:
        raise StoreUnavailable(f"{data}: {error.strerror}") from error
    last, pages = info["last_txnid"], info["last_pgno"] + 1
    used = _META_PAGES + sum(_pages(each) for each in (main, *found.values()))
    return Usage(
        rows={table: each["entries"] for table, each in found.items()},
        file_bytes=file.st_size,
        page_bytes=main["psize"],
        used_pages=used,
        # A commit may have happened between the two reads.
        free_pages=max(0, pages - used),
        map_bytes=info["map_size"],
        map_used_bytes=pages * main["psize"],
        commits=last,
        readers=len(readers),
        oldest_reader_behind=max(0, last - min(readers, default=last)),
        disk_bytes=disk.f_blocks * disk.f_frsize,
        disk_free_bytes=disk.f_bavail * disk.f_frsize,
    )


def copy_of(env: lmdb.Environment, file: IO[bytes]) -> None:
    """Write a snapshot without free pages; raises `OSError` if it cannot be written."""
    try:
        env.copyfd(file.fileno(), compact=True)
    except lmdb.Error as error:
        if error.code > 0:
            raise OSError(error.code, os.strerror(error.code)) from error
        raise


def check_length(env: lmdb.Environment, data: Path) -> None:
    """Raise `StoreCorrupt` if the data file was cut short: reading past its end is a SIGBUS.

    An intact file may lack pages at its end too: free ones that were never written. So a short file
    is checked page by page.
    """
    length = (env.info()["last_pgno"] + 1) * env.stat()["psize"]
    if data.stat().st_size < length and (problems := verify(data)):  # type: ignore[no-untyped-call]
        raise StoreCorrupt(f"{data} is damaged, parts of it are missing: {problems[0]}")


def failure_of(error: lmdb.Error, data: Path) -> StoreError:
    """Return the contract's error for LMDB's, with a message for a person."""
    reason = error.reason or str(error)
    if isinstance(error, lmdb.MapFullError):
        return StoreFull("the store has reached its maximum size; nothing was taken")
    if error.code in NO_ROOM:
        return StoreFull("the disk is full; nothing was taken")
    if isinstance(error, _NOT_A_STORE):
        return StoreCorrupt(f"{data} is damaged or not an LMDB file: {reason}")
    if error.code == errno.EAGAIN:
        # mdb_reader_pid in mdb.c: each process locks the byte at its own process id.
        return StoreUnavailable(
            f"another container has the store in {data.parent} open: a process there has the same "
            f"process id, {os.getpid()}, by which LMDB tells processes apart. Stop it, or run this "
            "command inside that container"
        )
    return StoreUnavailable(f"the store in {data.parent} failed: {reason}")


def no_address_space(size: int) -> StoreUnavailable:
    """Return the error for a process that may not map `size` bytes."""
    return StoreUnavailable(
        f"the store needs {max(1, size // 2**30)} GiB of address space, but this process is not "
        "allowed that much (see `ulimit -v`, or systemd's LimitAS=). Address space is not memory, "
        "so the limit can be removed"
    )


def _run(update: Update, draft: Draft) -> None:
    """Run one update of a batch; its writes join the batch unless it raised."""
    draft.begin()
    update.error = None
    try:
        update.result = update.fn(draft)
    except lmdb.Error:
        raise
    # Anything else that a caller's function raises is for its caller to see.
    except BaseException as error:  # noqa: BLE001
        draft.undo()
        update.error = error


class LmdbReading:
    """The contract's `Reading`; py-lmdb's errors pass through to the store."""

    def __init__(self, txn: "lmdb.Transaction[bytes]", handles: Handles) -> None:
        self._txn = txn
        self._handles = handles

    def get(self, table: Table, key: bytes) -> bytes | None:
        """See `contract.Reading.get`."""
        check_key(key)
        return self._txn.get(key, db=self._handles[table])

    def scan(
        self, table: Table, start: bytes, stop: bytes, *, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """See `contract.Reading.scan`."""
        rows: list[tuple[bytes, bytes]] = []
        with self._txn.cursor(self._handles[table]) as cursor:
            found = _seek_before(cursor, stop) if reverse else _seek(cursor, start)
            while found and len(rows) < limit:
                key, value = cursor.item()
                if key < start if reverse else key >= stop:
                    break
                rows.append((key, value))
                found = cursor.prev() if reverse else cursor.next()
        return rows


class _LmdbTransaction(LmdbReading):
    """The transaction that a batch is written to."""

    def put(self, table: Table, key: bytes, value: bytes) -> None:
        self._txn.put(key, value, db=self._handles[table])

    def delete(self, table: Table, key: bytes) -> bool:
        return self._txn.delete(key, db=self._handles[table])


def _seek(cursor: "lmdb.Cursor[bytes]", start: bytes) -> bool:
    return cursor.set_range(start) if start else cursor.first()


def _seek_before(cursor: "lmdb.Cursor[bytes]", stop: bytes) -> bool:
    return cursor.prev() if _seek(cursor, stop) else cursor.last()


def _pages(stat: "lmdb._StatDict") -> int:
    return stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]


def _snapshots(readers: str) -> list[int]:
    """Return the transactions being read, from LMDB's list of reader slots.

    A line has the process, the thread and the transaction, or a hyphen if it is not reading.
    """
    slots = [line.split() for line in readers.splitlines()]
    return [int(slot[2]) for slot in slots if len(slot) == 3 and slot[2].isdecimal()]


_META_PAGES = 2
_NOT_A_STORE = (
    lmdb.InvalidError,
    lmdb.VersionMismatchError,
    lmdb.CorruptedError,
    lmdb.PageNotFoundError,
    lmdb.IncompatibleError,
)
_PROBE_BYTES = 2**20
_READER_TABLE_BYTES = 64 * (MAX_READERS + 64)
"""The slots, and more than enough for the header before them."""
