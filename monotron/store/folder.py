"""The storage folder: made where it is missing, refused where numbers would not be safe."""

import os
from itertools import pairwise
from pathlib import Path

from monotron.store.contract import StoreUnavailable

DATA_FILE = "data.mdb"
"""Where it is, there is a store, whose names are durable."""

NETWORK_FILE_SYSTEMS = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "fuse.glusterfs",
        "fuse.s3fs",
        "fuse.sshfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "orangefs",
        "smb3",
        "smbfs",
    }
)
"""Types, as in /proc/self/mountinfo, on which LMDB's memory map and locks cannot be relied on.

"Do not use LMDB databases on remote filesystems, even between processes on the same host. This
breaks flock() on some OSes, possibly memory map sync, and certainly sync between programs on
different hosts." (LMDB documentation, Caveats)
"""


def prepare(folder: Path) -> Path:
    """Make the folder, with those above it, and give its full path.

    Until a store is in it, its name and those above are synced, so that a power cut cannot take
    them away with the numbers. Raises `StoreUnavailable` where it cannot be made or written, or
    lies on a network file system.
    """
    folder = absolute(folder)
    try:
        _make(folder)
        folder = folder.resolve(strict=True)
        if not (folder / DATA_FILE).exists():
            _sync_names(folder)
    except OSError as error:
        raise StoreUnavailable(
            f"storage folder {folder} cannot be made: {error.strerror}"
        ) from error
    kind = file_system(folder)
    if kind in NETWORK_FILE_SYSTEMS:
        raise StoreUnavailable(
            f"storage folder {folder} is on a network file system ({kind}), where numbers would "
            "not be safe; use a local disk"
        )
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        raise StoreUnavailable(f"storage folder {folder} cannot be written by this user")
    return folder


def absolute(folder: Path) -> Path:
    """Return the full path; raises `StoreUnavailable` where it starts from nowhere."""
    try:
        return folder.absolute()
    except FileNotFoundError as error:
        raise StoreUnavailable(
            f"storage folder {folder} cannot be found, because the working directory was removed; "
            "name it by its full path"
        ) from error


def sync(folder: Path) -> None:
    """Make the folder's entries durable. LMDB does not do that for the files it creates."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_system(folder: Path, mountinfo: Path = Path("/proc/self/mountinfo")) -> str | None:
    """Give the type of the file system that `folder` is on, or None where that is not known.

    The format is that of proc_pid_mountinfo(5). Only Linux has it.
    """
    try:
        lines = mountinfo.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except FileNotFoundError:
        return None
    kind, depth = None, -1
    for line in lines:
        before, _, after = line.partition(" - ")
        mount_point = Path(_unescape(before.split(" ")[4]))
        # Where two are mounted on one point, the later one hides the earlier.
        if folder.is_relative_to(mount_point) and len(mount_point.parts) >= depth:
            kind, depth = after.split(" ", 1)[0], len(mount_point.parts)
    return kind


def _make(folder: Path) -> None:
    if folder.is_dir():
        return
    _make(folder.parent)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        # Another process was faster, or something else has the name: mkdir's error tells which.
        if not folder.is_dir():
            raise


def _sync_names(folder: Path) -> None:
    """Make the names of a folder and of those above it durable, up to the mount point.

    Not only of those just made: whoever made the others may have died before a sync.
    """
    for below, above in pairwise((folder, *folder.parents)):
        if below.stat().st_dev != above.stat().st_dev:
            return
        # To sync it takes the right to read. Where we may not write either, no name is ours.
        if os.access(above, os.R_OK) or os.access(above, os.W_OK):
            sync(above)


def _unescape(path: str) -> str:
    for octal, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(octal, character)
    return path
