"""Copies of a store: taken beside a running service, looked at, and put in a store's place."""

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, TypeVar

from monotron.errors import MonotronError
from monotron.store import folder as storage_folder
from monotron.store.contract import StoreCorrupt, StoreUnavailable, Table
from monotron.store.data_file import FileReading, reading_file, verify_file
from monotron.store.folder import DATA_FILE, LOCK_FILE
from monotron.store.lmdb import LmdbStore
from monotron.store.lock import OpenLock
from monotron.store.read_only import OpenStore, nobody_writing

T = TypeVar("T")


class CannotCopy(MonotronError):
    """A store that cannot be copied, or not be put in another's place; the message says why."""


# Taking a backup


def path_of(target: str, now: datetime) -> Path:
    """Give the file that a backup goes to; in a folder it is named after the time."""
    if target.endswith("/") or Path(target).is_dir():
        return Path(target) / f"monotron-{now:%Y%m%dT%H%M%SZ}.mdb"
    return Path(target)


def take(store: OpenStore, path: Path, counted: Table) -> int:
    """Write a backup into a new file, durably; returns how many rows of a table it has.

    Others go on writing to the store meanwhile. Raises `CannotCopy` where there is such a file
    already or it cannot be written; nothing of it is left then.
    """
    try:
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "there is such a file already")
        # It can be read by its owner only.
        handle, name = tempfile.mkstemp(prefix=".monotron-", suffix=".partial", dir=path.parent)
        partial = Path(name)
        try:
            with open(handle, "wb") as file:
                store.copy(file)
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


def _name(partial: Path, path: Path) -> None:
    """Give the file its name, but not that of another, however late that one came."""
    try:
        os.link(partial, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        partial.rename(path)


# Looking at a store from outside


@dataclass(frozen=True, slots=True)
class FrozenFile:
    """A data file that nobody writes."""

    path: Path
    copied: bool
    """Whether it is a copy, because the store is in use."""


@contextmanager
def frozen(target: Path) -> Iterator[FrozenFile]:
    """Give a data file to look at: `target`, or that of the store in the folder `target`.

    A store in use is copied, page by page, into a file that has no name and that goes by itself.
    One that is not cannot be opened by anybody meanwhile. Raises `CannotCopy`.
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
            f"the store is in use, and a copy of its {size} bytes would leave too little room for "
            f"it on the disk, where {free} are free; check a backup instead"
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
    """Make a copy of a backup the store in `folder`; gives what `accept` gives.

    `accept` gets that copy, to look at it and to change it, and raises where it has to stay out.
    It also gets what the store in `folder` holds; None with `replace`, or where there is none.

    Up to the last moment the store is as it was, and nobody can open it meanwhile. Raises
    `CannotCopy` where it is open, and `StoreCorrupt` for a damaged backup.
    """
    if not file.is_file():
        raise CannotCopy(f"there is no file {file}")
    folder = storage_folder.prepare(folder)
    with _lock(folder) as lock:
        if not lock.take_alone():
            raise CannotCopy(f"the store in {folder} is in use; stop whatever has it open first")
        work = folder / ".restore"
        _remove(work)
        try:
            work.mkdir(mode=0o700)
            _copy_durably(file, work / DATA_FILE)
            result = _accepted(file, work, None if replace else folder / DATA_FILE, tables, accept)
            # It names readers of the old file, and is made anew.
            (folder / LOCK_FILE).unlink(missing_ok=True)
            (work / DATA_FILE).rename(folder / DATA_FILE)
            storage_folder.sync(folder)
        except OSError as error:
            raise CannotCopy(f"{file} cannot be restored: {error.strerror}") from error
        finally:
            _remove(work)
    return result


def _accepted(
    file: Path,
    work: Path,
    present: Path | None,
    tables: Sequence[Table],
    accept: Callable[[LmdbStore, FileReading | None], T],
) -> T:
    if problems := verify_file(work / DATA_FILE):
        raise StoreCorrupt(f"{file} is damaged or no backup: {problems[0]}")
    with reading_file(work / DATA_FILE, tables):
        pass
    copy = LmdbStore(work, tables, create=False)
    try:
        if present is None or not present.exists():
            return accept(copy, None)
        if problems := verify_file(present):
            raise StoreCorrupt(
                f"{present} is damaged, so it cannot be compared with the backup; --replace puts "
                f"the backup in its place: {problems[0]}"
            )
        with reading_file(present, tables) as reading:
            return accept(copy, reading)
    finally:
        copy.close()


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
"""How a file system says that a file has one name there."""
