"""The embedded engine: LMDB, opened so that what was answered is on the disk.

`sync` and `metasync` stay on: a commit writes its pages, syncs them, and then writes the meta page
that makes them valid through a descriptor that syncs each write. `writemap` stays off: with it a
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
"""Read transactions kept for the next reader: one that is kept takes no lock to begin again."""

READER_CHECK_SECONDS = 60.0
"""How often the slots of dead readers are freed. A dead reader's slot makes the file grow."""

WAIT_SECONDS = 5.0
"""How long an update waits for other processes before it begins, if nothing else is said."""

OPEN_SECONDS = 10.0
"""How long opening waits for a process that holds a lock."""

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""How the kernel says that a file cannot grow."""

SPARE_TABLES = 16
"""Room for tables that a newer version may have put into the file."""

Handles = dict[Table, "lmdb._Database"]
"""LMDB's handle of each table. They are opened once, with the store: to open one later would need
a write transaction of its own that no other thread has under way."""


class LmdbStore:
    """A store in a folder, shared by any number of processes of one machine."""

    def __init__(
        self,
        folder: Path | str,
        tables: Sequence[Table],
        *,
        create: bool = True,
        map_size: int = MAP_SIZE,
        wait_seconds: float = WAIT_SECONDS,
        observer: Observer | None = None,
    ) -> None:
        """Open the store in `folder`, making both where they are missing unless `create` is off.

        It gets those of the `tables` that it lacks, as one does that an older version made.

        It belongs to the process that opened it: a forked child opens its own. An update waits
        at most `wait_seconds` for other processes before it begins. The `observer` is told of each
        commit.

        Raises `StoreUnavailable` where the folder cannot be used, `StoreCorrupt` where its data
        file is not LMDB's, `StoreFull` where the disk has no room for a new one.
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
        """Set once the engine can go on only in a process that opens it anew."""
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
        self._writer = GroupCommit(
            self._lock, self._commit, wait_seconds=wait_seconds, observer=self._observer
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
        """Write a snapshot to a file or pipe, beside writers and without waiting for them.

        It has no free pages. Raises `OSError` where it cannot be written.
        """
        self._guard()
        try:
            copy_of(self._env, file)
        except lmdb.Error as error:
            raise self._translated(error) from error

    def copy_pages(self, file: IO[bytes]) -> None:
        """Write the data file as it is at one moment, page by page and damaged ones too.

        Writers wait only at its beginning: as long as the snapshot is held, none of the pages that
        belong to it is written again. Raises `OSError` where it cannot be written.
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
        """Give what the store takes up."""
        self._guard()
        try:
            return usage_of(self._env, self._handles, self._path)
        except lmdb.Error as error:
            raise self._translated(error) from error

    def figures(self) -> Iterator[Figure]:
        """Return what `usage` does, for people who watch the store."""
        return self.usage().figures()

    def close(self) -> None:
        """See `contract.Store.close`. In a forked child it does nothing: the store is not its."""
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
        # Not only when the files are new: whoever made them may have died before its sync.
        storage_folder.sync(self.folder)
        return env, handles

    def _allocate_reader_table(self) -> None:
        """Have the disk space of LMDB's lock file, so that no reader finds the disk full.

        LMDB makes it as a hole in its whole length and writes it through memory: where the disk has
        no room then for the page of a further slot, the kernel kills the process (SIGBUS).
        """
        path = self.folder / LOCK_FILE
        # Opened only where it has to be: to close it would let go of locks that an LMDB of this
        # process has on it (fcntl_locking(2)).
        if path.exists() and path.stat().st_blocks * 512 >= _READER_TABLE_BYTES:
            return
        try:
            with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b") as file:
                os.posix_fallocate(file.fileno(), 0, _READER_TABLE_BYTES)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise StoreFull("the disk is full; nothing was taken") from error
            # A file system that cannot do that; where the file cannot be opened, LMDB says so.

    def _make_data_file(self, map_size: int) -> None:
        """Make LMDB's data file where there is none: it has its name only once it is whole.

        LMDB does not sync the two pages that it begins with. A power cut may leave a part of them,
        which it would take for a damaged store.
        """
        data, new = self._path, self.folder / NEW_FILE
        # A link to a disk that is not there is no place for a new one.
        if os.path.lexists(data):
            return
        try:
            new.unlink(missing_ok=True)
            # As the store is opened, but for the lock: nobody else knows of it.
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
            raise StoreUnavailable(f"{data} cannot be made: {error.strerror}") from error

    def _commit(self, batch: list[Update]) -> None:
        """Run every update of the batch, durably. The write lock is held.

        Where the batch as a whole has no room, each tries on its own: a small one may have.
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
        """Run the batch in one transaction. Raises `StoreFull` where it has no room."""
        try:
            self._check_place()
            self._free_dead_readers()
            began = time.perf_counter()
            with self._env.begin(write=True) as txn:
                together = Draft(LmdbReading(txn, self._handles))
                for update in batch:
                    _run(update, together)
                together.apply(_LmdbTransaction(txn, self._handles))
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
        """Raise `StoreUnavailable` where the data file is not at its place any more.

        LMDB would go on in a file that nobody finds again once this process has ended.
        """
        try:
            there = os.stat(self._path)
        except OSError:
            there = None
        if there is None or (there.st_dev, there.st_ino) != self._identity:
            raise StoreUnavailable(
                f"{self._path} was removed or replaced while it is in use; nothing was taken"
            )

    def _free_dead_readers(self) -> None:
        now = time.monotonic()
        if now >= self._next_reader_check:
            self._next_reader_check = now + READER_CHECK_SECONDS
            self._env.reader_check()

    def _guard(self) -> None:
        if os.getpid() != self._pid:
            raise StoreUnavailable("this store was opened before a fork; open it after")
        if self._closed:
            raise StoreUnavailable("the store is closed")

    def _translated(self, error: lmdb.Error) -> StoreError:
        """Give the contract's failure for LMDB's, with a message for a person."""
        if error.code == errno.EIO and self._disk_is_full():
            return StoreFull("the disk is full; nothing was taken")
        failure = failure_of(error, self._path)
        if isinstance(error, lmdb.PanicError):
            self.failed = failure
        return failure

    def _disk_is_full(self) -> bool:
        """Tell whether the data file cannot grow; the write lock is held.

        LMDB reports a write that a full disk cut short as EIO, as if the disk were broken
        (mdb_page_flush in mdb.c), so the disk has to be asked. What the question allocates at the
        file's end LMDB uses when it comes there.
        """
        try:
            with self._path.open("r+b", buffering=0) as data:
                length = os.fstat(data.fileno()).st_size
                os.posix_fallocate(data.fileno(), length, _PROBE_BYTES)
        except OSError as error:
            return error.errno in NO_ROOM
        return False


# What an environment of any kind has


def usage_of(env: lmdb.Environment, handles: Handles, data: Path) -> Usage:
    """Return what a store takes up; raises `lmdb.Error`, and `StoreUnavailable` for its files."""
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
        # A commit may have come between the two.
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
    """Raise `StoreCorrupt` where the data file was cut short: to read past its end is SIGBUS.

    A whole one may lack pages at its end too, namely free ones that were never written. So a
    short one is looked at page by page.
    """
    length = (env.info()["last_pgno"] + 1) * env.stat()["psize"]
    if data.stat().st_size < length and (problems := verify(data)):  # type: ignore[no-untyped-call]
        raise StoreCorrupt(f"{data} is damaged, parts of it are missing: {problems[0]}")


def failure_of(error: lmdb.Error, data: Path) -> StoreError:
    """Return the contract's failure for LMDB's, with a message for a person."""
    reason = error.reason or str(error)
    if isinstance(error, lmdb.MapFullError):
        return StoreFull("the store has reached its greatest size; nothing was taken")
    if error.code in NO_ROOM:
        return StoreFull("the disk is full; nothing was taken")
    if isinstance(error, _NOT_A_STORE):
        return StoreCorrupt(f"{data} is damaged or not an LMDB file: {reason}")
    if error.code == errno.EAGAIN:
        # mdb_reader_pid in mdb.c: each process locks the byte of its own number.
        return StoreUnavailable(
            f"another container has the store in {data.parent} open: a process there has the "
            f"number {os.getpid()} too, by which LMDB tells processes apart. Stop it, or run this "
            "inside of that container"
        )
    return StoreUnavailable(f"the store in {data.parent} failed: {reason}")


def no_address_space(size: int) -> StoreUnavailable:
    """Return the failure of a process that may not map so many bytes."""
    return StoreUnavailable(
        f"the store needs {max(1, size // 2**30)} GiB of address space, and this process may not "
        "have so much (see `ulimit -v`, or LimitAS= of systemd). It is no memory, so the limit can "
        "be taken off"
    )


def _run(update: Update, together: Draft) -> None:
    """Run one update of a batch; what it wrote joins the batch unless it raised."""
    draft = Draft(together)
    update.error = None
    try:
        update.result = update.fn(draft)
    except lmdb.Error:
        raise
    # Whatever else a caller's function raises is its caller's to see.
    except BaseException as error:  # noqa: BLE001
        update.error = error
    else:
        draft.apply(together)


class LmdbReading:
    """A view's side of the contract; py-lmdb's errors pass through to the store."""

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
    """What a batch is written into."""

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
    """Give the transactions that are being read, from LMDB's list of reader slots.

    A line has the process, the thread, and the transaction: a hyphen where it reads none.
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
"""The slots, and more than what stands before them."""
