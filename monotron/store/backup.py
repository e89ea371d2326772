"""Copies of a store: taken while a service runs, inspected, and put in a store's place."""

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, TypeVar

from monotron.errors import MonotronError
from monotron.store import copying
from monotron.store import folder as storage_folder
from monotron.store.contract import Store, StoreCorrupt, StoreFull, StoreUnavailable, Table
from monotron.store.data_file import FileReading, reading_file, verify_file
from monotron.store.folder import DATA_FILE, LOCK_FILE
from monotron.store.lmdb import LmdbStore
from monotron.store.lock import OpenLock
from monotron.store.read_only import nobody_writing

T = TypeVar("T")


class CannotCopy(MonotronError):
    """A store that cannot be copied, or cannot replace another; the message says why."""


# Taking a backup


def path_of(target: str, now: datetime) -> Path:
    """Return the file that a backup goes to; in a folder it is named after the time."""
    if target.endswith("/") or Path(target).is_dir():
        return Path(target) / f"monotron-{now:%Y%m%dT%H%M%SZ}.mdb"
    return Path(target)


def take(write: Callable[[IO[bytes]], None], path: Path, counted: Table) -> int:
    """Write a backup to a new file, durably; return how many rows the table `counted` has in it.

    `write` is the `copy` of a store in a folder, or `write_rows`. Others can go on writing to the
    store meanwhile. Raises `CannotCopy` if the file exists or cannot be written; nothing of it is
    left behind.
    """
    try:
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "the file already exists")
        # Only its owner can read it.
        handle, name = tempfile.mkstemp(prefix=".monotron-", suffix=".partial", dir=path.parent)
        partial = Path(name)
        try:
            with open(handle, "wb") as file:
                write(file)
                os.fsync(file.fileno())
            with reading_file(partial, [counted]) as reading:
                count = reading.count(counted)
            _name(partial, path)
        finally:
            partial.unlink(missing_ok=True)
        storage_folder.sync(path.parent)
    except OSError as error:
        raise CannotCopy(f"{path} cannot be written: {error.strerror}") from error
    return count


def write_rows(store: Store, tables: Sequence[Table], file: IO[bytes]) -> None:
    """Write one moment of a store of any engine to a file or pipe, as LMDB's data file.

    The folder for temporary files needs as much room. Raises `OSError` if the file cannot be
    written, and what a view raises.
    """
    try:
        with _scratch() as folder, closing(LmdbStore(folder, tables)) as copy:
            store.view(partial(copying.copy_anew, tables, copy))
            copy.copy(file)
    except StoreFull as error:
        raise CannotCopy(
            f"the disk of {tempfile.gettempdir()}, for temporary files, is full"
        ) from error


def _name(partial: Path, path: Path) -> None:
    """Name the file, unless another file has the name, even one that was created just now."""
    try:
        os.link(partial, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        partial.rename(path)


# Looking at a store from outside


@dataclass(frozen=True, slots=True)
class FrozenFile:
    """A data file that nobody writes to."""

    path: Path
    copied: bool
    """Whether it is a copy, because the store is in use."""


@contextmanager
def frozen(target: Path) -> Iterator[FrozenFile]:
    """Return a data file to inspect: `target`, or that of the store in the folder `target`.

    A store in use is copied, page by page, to a file without a name, which vanishes by itself. A
    store not in use cannot be opened by anybody meanwhile. Raises `CannotCopy`.
    """
    target = storage_folder.absolute(target)
    if target.name == DATA_FILE and (target.parent / LOCK_FILE).exists():
        target = target.parent
    if not target.is_dir():
        yield FrozenFile(target, copied=False)
        return
    if not (target / DATA_FILE).exists():
        raise StoreUnavailable(f"there is no store in {target}")
    if not storage_folder.is_writable(target):
        with nobody_writing(target):
            yield FrozenFile(target / DATA_FILE, copied=False)
        return
    with _lock(target) as lock:
        if lock.take_alone():
            yield FrozenFile(target / DATA_FILE, copied=False)
            return
    with tempfile.TemporaryFile(dir=target) as file:
        _copy_pages(target, file)
        yield FrozenFile(Path(f"/dev/fd/{file.fileno()}"), copied=True)


def _copy_pages(folder: Path, file: IO[bytes]) -> None:
    size, free = (folder / DATA_FILE).stat().st_size, shutil.disk_usage(folder).free
    if free < 2 * size:
        raise CannotCopy(
            f"the store is in use, and a copy of its {size} bytes would leave it too little room "
            f"on the disk, which has {free} bytes free; check a backup instead"
        )
    store = LmdbStore(folder, (), create=False)
    try:
        store.copy_pages(file)
        file.flush()
    finally:
        store.close()


# Putting a backup in a store's place


def restore(
    file: Path,
    folder: Path,
    tables: Sequence[Table],
    accept: Callable[[LmdbStore, FileReading | None], T],
    *,
    replace: bool,
) -> T:
    """Put a copy of a backup in the place of the store in `folder`; return what `accept` returns.

    `accept` gets the copy, which it may inspect and change, and raises to reject it. It also gets a
    reading of the store in `folder`, or None with `replace` or if there is no store.

    Until the last moment the store is unchanged, and nobody can open it meanwhile. Raises
    `CannotCopy` if it is open, and `StoreCorrupt` if the backup is damaged.
    """
    _require_file(file)
    folder = storage_folder.prepare(folder)
    with _lock(folder) as lock:
        if not lock.take_alone():
            raise CannotCopy(f"the store in {folder} is in use: first stop what has it open")
        work = folder / ".restore"
        _remove(work)
        try:
            work.mkdir(mode=0o700)
            _copy_durably(file, work / DATA_FILE)
            result = _accepted(file, work, None if replace else folder / DATA_FILE, tables, accept)
            # It lists readers of the old file, and will be recreated.
            (folder / LOCK_FILE).unlink(missing_ok=True)
            (work / DATA_FILE).rename(folder / DATA_FILE)
            storage_folder.sync(folder)
        except OSError as error:
            raise CannotCopy(f"{file} cannot be restored: {error.strerror}") from error
        finally:
            _remove(work)
    return result


@contextmanager
def unpacked(file: Path, tables: Sequence[Table]) -> Iterator[LmdbStore]:
    """Return a copy of a backup, in the folder for temporary files.

    Raises `CannotCopy`, and `StoreCorrupt` if the backup is damaged.
    """
    _require_file(file)
    with _scratch() as folder:
        try:
            _copy_durably(file, folder / DATA_FILE)
        except OSError as error:
            raise CannotCopy(f"{file} cannot be copied to {folder}: {error.strerror}") from error
        with closing(_opened(file, folder, tables)) as copy:
            yield copy


def _opened(file: Path, work: Path, tables: Sequence[Table]) -> LmdbStore:
    """Open a copy of a backup; raises `StoreCorrupt` if it is damaged."""
    if problems := verify_file(work / DATA_FILE):
        raise StoreCorrupt(f"{file} is damaged, or not a backup: {problems[0]}")
    with reading_file(work / DATA_FILE, tables):
        pass
    return LmdbStore(work, tables, create=False)


def _accepted(
    file: Path,
    work: Path,
    present: Path | None,
    tables: Sequence[Table],
    accept: Callable[[LmdbStore, FileReading | None], T],
) -> T:
    copy = _opened(file, work, tables)
    try:
        if present is None or not present.exists():
            return accept(copy, None)
        if problems := verify_file(present):
            raise StoreCorrupt(
                f"{present} is damaged, so it cannot be compared with the backup; --replace puts "
                f"the backup in its place anyway: {problems[0]}"
            )
        with reading_file(present, tables) as reading:
            return accept(copy, reading)
    finally:
        copy.close()


def _require_file(file: Path) -> None:
    if not file.is_file():
        raise CannotCopy(f"the file {file} does not exist")


@contextmanager
def _scratch() -> Iterator[Path]:
    """Return a new folder for temporary files, which is removed after the block."""
    with tempfile.TemporaryDirectory(prefix="monotron-") as folder:
        yield Path(folder)


def _copy_durably(source: Path, target: Path) -> None:
    with source.open("rb") as old, target.open("xb") as new:
        target.chmod(0o600)
        shutil.copyfileobj(old, new, 2**20)
        new.flush()
        os.fsync(new.fileno())


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


@contextmanager
def _lock(folder: Path) -> Iterator[OpenLock]:
    try:
        lock = OpenLock(folder)
    except OSError as error:
        raise CannotCopy(f"folder {folder} cannot be used: {error.strerror}") from error
    try:
        yield lock
    finally:
        lock.close()


_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
"""The errors of a file system without hard links."""
