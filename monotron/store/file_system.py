"""File systems: which one a folder is on, and whether numbers are safe there.

A local one is accepted. A network file system, or one behind a program (FUSE), is refused by name:
LMDB's memory map and locks cannot be relied on there. An unknown one is accepted with a warning,
and so is one that does not survive a reboot or a container.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from monotron.store.contract import StoreUnavailable

LOCAL = frozenset(
    {
        "bcachefs",
        "btrfs",
        "exfat",
        "ext2",
        "ext3",
        "ext4",
        "f2fs",
        "hfs",
        "hfsplus",
        "jfs",
        "msdos",
        "nilfs2",
        "ntfs",
        "ntfs3",
        "reiserfs",
        "udf",
        "ufs",
        "vfat",
        "xfs",
        "zfs",
        # These are read-only.
        "cramfs",
        "erofs",
        "iso9660",
        "romfs",
        "squashfs",
    }
)
"""Types, as in /proc/self/mountinfo, that this machine's kernel keeps on a disk."""

NETWORK = frozenset(
    {
        "9p",
        "acfs",
        "afs",
        "auristorfs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "drvfs",
        "fakeowner",
        "fhgfs",
        "gfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "hostfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs3",
        "nfs4",
        "ocfs2",
        "orangefs",
        "osxfs",
        "panfs",
        "prl_fs",
        "pvfs2",
        "smb2",
        "smb3",
        "smbfs",
        "vboxsf",
        "virtiofs",
        "vmhgfs",
        "wekafs",
    }
)
"""Types that another machine can change too: a server, a cluster's nodes, this machine's host.

"Do not use LMDB databases on remote filesystems, even between processes on the same host. This
breaks flock() on some OSes, possibly memory map sync, and certainly sync between programs on
different hosts." (LMDB documentation, Caveats)
"""

MEMORY = frozenset({"devtmpfs", "ramfs", "rootfs", "tmpfs"})
"""Types that do not survive a reboot."""

LAYERS = frozenset({"aufs", "fuse.fuse-overlayfs", "overlay", "overlayfs"})
"""Types of a container's own layer, without a volume. Rootless Podman's is FUSE on a local disk."""

MOUNTINFO = Path("/proc/self/mountinfo")


def require_local(folder: Path, mountinfo: Path = MOUNTINFO) -> None:
    """Raise `StoreUnavailable` if `folder` is on a network or FUSE file system."""
    kind = kind_of(folder, mountinfo)
    if kind in LAYERS:
        return
    if kind in NETWORK or is_fuse(kind):
        what = "FUSE" if is_fuse(kind) else "network"
        raise StoreUnavailable(
            f"storage folder {folder} is on a {what} file system ({kind}), where numbers would "
            "not be safe; use a local disk"
        )


def warning(folder: Path, mountinfo: Path = MOUNTINFO) -> str | None:
    """Return a warning about the file system that `folder` is on, or None."""
    kind = kind_of(folder, mountinfo)
    if kind is None or kind in LOCAL:
        return None
    place = f"storage folder {folder} is on {kind}"
    if kind in MEMORY:
        return f"{place}, which is in memory: a reboot loses every number. Use a folder on a disk"
    if kind in LAYERS:
        return (
            f"{place}, the file system of a container without a volume: `docker rm` loses every "
            "number. Mount a volume there"
        )
    return (
        f"{place}, a file system that Monotron does not know: numbers are not safe if it is on a "
        "network"
    )


def kind_of(path: Path, mountinfo: Path = MOUNTINFO) -> str | None:
    """Return the type of the file system that `path` is on, or None if it is unknown."""
    mount = mount_of(path, mountinfo)
    return None if mount is None else mount.kind


def is_read_only(path: Path, mountinfo: Path = MOUNTINFO) -> bool:
    """Return whether the file system that `path` is on is read-only at every mount.

    If only this mount of it is read-only, others may still write to it.
    """
    mount = mount_of(path, mountinfo)
    return mount is not None and mount.read_only


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system, as the kernel reports it."""

    kind: str
    point: Path
    read_only: bool
    """Whether the file system itself is read-only, not just this mount of it."""


def mount_of(path: Path, mountinfo: Path = MOUNTINFO) -> Mount | None:
    """Return the mount that `path` is on, or None if it is unknown.

    The path must be absolute and free of links; it need not exist. The format is described in
    proc_pid_mountinfo(5). Only Linux has it.
    """
    try:
        text = mountinfo.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None
    nearest: Mount | None = None
    # A name may contain characters that `splitlines` takes for the end of a line.
    for line in text.split("\n"):
        before, _, after = line.partition(" - ")
        if not after:
            continue
        point = Path(_unescape(before.split(" ")[4]))
        kind, _, options = after.split(" ", 2)
        # If two are mounted at one point, the later one hides the earlier.
        if path.is_relative_to(point) and (
            nearest is None or len(point.parts) >= len(nearest.point.parts)
        ):
            nearest = Mount(_unescape(kind), point, "ro" in options.split(","))
    return nearest


def is_fuse(kind: str | None) -> bool:
    """Return whether a program stores the data: `fuse`, `fuse.sshfs`, or `fuseblk` (ntfs-3g).

    The last one is on a local disk, but syncing and locking are up to that program too.
    """
    return kind is not None and (kind in ("fuse", "fuseblk") or kind.startswith("fuse."))


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
