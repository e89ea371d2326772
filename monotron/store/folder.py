"""The storage folder: created if missing, refused if numbers would not be safe in it."""

import os
from itertools import pairwise
from pathlib import Path

from monotron.store import file_system
from monotron.store.contract import StoreUnavailable

DATA_FILE = "data.mdb"
"""If it exists, the folder has a store, and the folder's names are durable."""

LOCK_FILE = "lock.mdb"
"""LMDB's own, beside it."""

NEW_FILE = "new.mdb"
"""The data file while it is made."""


def prepare(folder: Path) -> Path:
    """Create the folder and its parents, and return its absolute path.

    Until it has a store, its name and its parents' names are synced, so that a power cut cannot
    take them away along with the numbers. Raises `StoreUnavailable` if it cannot be created or
    written, or is on a file system where numbers would not be safe.
    """
    folder = absolute(folder)
    require_local(folder)
    try:
        _make(folder)
        folder = folder.resolve(strict=True)
        if not (folder / DATA_FILE).exists():
            _sync_names(folder)
    except OSError as error:
        raise StoreUnavailable(
            f"storage folder {folder} cannot be created: {error.strerror}"
        ) from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        raise StoreUnavailable(f"storage folder {folder} cannot be written by this user")
    return folder


def require_local(folder: Path) -> None:
    """Raise `StoreUnavailable` if the store is on a file system where numbers would not be safe."""
    for place in _places(folder):
        file_system.require_local(place)


def is_writable(folder: Path) -> bool:
    """Return whether this process may write to the folder, and to the data file in it."""
    data = folder / DATA_FILE
    return _may_write(folder) and (not data.exists() or _may_write(data))


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=True)


def absolute(folder: Path) -> Path:
    """Return the absolute path; raises `StoreUnavailable` if the working directory is gone."""
    try:
        return folder.absolute()
    except FileNotFoundError as error:
        raise StoreUnavailable(
            f"storage folder {folder} cannot be found, because the working directory was removed; "
            "give its absolute path"
        ) from error


def sync(folder: Path) -> None:
    """Make the folder's entries durable. LMDB does not do this for the files it creates."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def warnings(folder: Path) -> list[str]:
    """Return warnings about where the folder is stored."""
    found = (file_system.warning(place) for place in _places(folder))
    return [warning for warning in found if warning is not None]


def _places(folder: Path) -> list[Path]:
    """Return where the store is: its folder and, if the data file is a link, its target."""
    data = folder / DATA_FILE
    places = [folder, data] if data.is_symlink() else [folder]
    return [Path(os.path.realpath(place)) for place in places]


def _make(folder: Path) -> None:
    if folder.is_dir():
        return
    _make(folder.parent)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        # Another process was faster, or something other than a folder has the name.
        if not folder.is_dir():
            raise


def _sync_names(folder: Path) -> None:
    """Make the names of a folder and its parents durable, up to the mount point.

    Not only those just created: the process that created the others may have died before a sync.
    """
    for below, above in pairwise((folder, *folder.parents)):
        if below.stat().st_dev != above.stat().st_dev:
            return
        # Syncing needs the right to read. If we may not write either, no name in it is ours.
        if os.access(above, os.R_OK) or os.access(above, os.W_OK):
            sync(above)
