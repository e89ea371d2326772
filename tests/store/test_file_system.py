"""Numbers are stored only where they are safe: which file systems are accepted, and which not."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monotron.core import tables
from monotron.store import file_system, folder
from monotron.store.contract import StoreUnavailable
from monotron.store.lmdb import LmdbStore
from tests.server.test_start import refused_start
from tests.support import fuse
from tests.support.service import Serve, run

MOUNTS = r"""
22 28 0:21 / /proc rw,nosuid,nodev,noexec,relatime shared:12 - proc proc rw
28 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
31 28 0:27 / /srv rw,relatime - nfs4 10.0.0.7:/export rw,vers=4.2,rsize=1048576,proto=tcp
32 31 254:16 / /srv/local rw,relatime shared:3 master:1 - xfs /dev/vdb rw,attr2
33 28 0:28 / /mnt/build\040farm rw,relatime - cifs //nas/build\040farm rw,vers=3.1.1
34 28 0:29 / /home rw,relatime - ext4 /dev/vdc rw
35 28 0:30 / /home rw,relatime - fuse.sshfs ci@host:/ rw,user_id=0,group_id=0
36 28 0:31 / /back\134slash rw,relatime - tmpfs tmpfs rw
37 28 0:32 / /tab\011number\043 rw,relatime - btrfs /dev/vdd rw
38 28 0:33 / /literal\134040 rw,relatime - zfs pool rw
39 28 0:34 / /next{}line rw,relatime - fuse.with\040blank any rw
""".lstrip().replace("{}", "\x85")


@pytest.fixture
def mountinfo(tmp_path: Path) -> Path:
    """What the kernel of a machine with many file systems says."""
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(MOUNTS, encoding="utf-8")
    return mountinfo


def of_kind(kind: str, place: Path) -> Path:
    """Return what the kernel of a machine says that has one file system."""
    place.write_text(f"28 1 254:0 / / rw,relatime shared:1 - {kind} any rw\n")
    return place


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/data", "ext4"),
        ("/srv", "nfs4"),
        ("/srv/monotron/data", "nfs4"),
        ("/srvother", "ext4"),
        ("/srv/local/data", "xfs"),
        ("/mnt/build farm/data", "cifs"),
        ("/mnt", "ext4"),
        ("/home/ci", "fuse.sshfs"),
        ("/back\\slash/data", "tmpfs"),
        ("/tab\tnumber#/data", "btrfs"),
        ("/literal\\040/data", "zfs"),
        ("/next\x85line/data", "fuse.with blank"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(
    mountinfo: Path, path: str, kind: str
) -> None:
    assert file_system.kind_of(Path(path), mountinfo) == kind


def test_the_file_system_is_unknown_where_the_kernel_does_not_say(tmp_path: Path) -> None:
    nowhere = tmp_path / "no such file"
    assert file_system.kind_of(tmp_path, nowhere) is None
    file_system.require_local(tmp_path, nowhere)
    assert file_system.warning(tmp_path, nowhere) is None


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "f2fs", "ext3", "bcachefs"])
def test_a_local_file_system_is_taken(tmp_path: Path, kind: str) -> None:
    mountinfo = of_kind(kind, tmp_path / "mountinfo")
    file_system.require_local(tmp_path, mountinfo)
    assert file_system.warning(tmp_path, mountinfo) is None


NETWORK = ["9p", "afs", "beegfs", "ceph", "cifs", "gfs2", "glusterfs", "gpfs", "lustre", "nfs"]
NETWORK += ["nfs4", "ocfs2", "smb3", "vboxsf", "virtiofs"]


@pytest.mark.parametrize("kind", NETWORK)
def test_a_network_file_system_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    mountinfo = of_kind(kind, tmp_path / "mountinfo")
    with pytest.raises(StoreUnavailable, match=rf"network file system \({kind}\)"):
        file_system.require_local(tmp_path, mountinfo)


FUSE = ["sshfs", "ceph-fuse", "juicefs", "rclone", "gcsfuse", "s3fs", "mergerfs", "shfs"]
FUSE += ["glusterfs", "vmhgfs-fuse", "grpcfuse", "of-tomorrow"]


@pytest.mark.parametrize("kind", ["fuse", "fuseblk", *(f"fuse.{name}" for name in FUSE)])
def test_a_fuse_file_system_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    mountinfo = of_kind(kind, tmp_path / "mountinfo")
    with pytest.raises(StoreUnavailable, match=rf"FUSE file system \({kind}\)"):
        file_system.require_local(tmp_path, mountinfo)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("tmpfs", "a reboot loses every number"),
        ("ramfs", "a reboot loses every number"),
        ("overlay", "`docker rm` loses every number"),
        ("fuse.fuse-overlayfs", "`docker rm` loses every number"),
        ("aufs", "`docker rm` loses every number"),
        ("of-tomorrow", "does not know"),
    ],
)
def test_a_file_system_that_may_lose_numbers_is_taken_with_a_warning(
    tmp_path: Path, kind: str, told: str
) -> None:
    mountinfo = of_kind(kind, tmp_path / "mountinfo")
    file_system.require_local(tmp_path, mountinfo)
    warning = file_system.warning(tmp_path, mountinfo)
    assert warning is not None
    assert told in warning
    assert kind in warning
    assert str(tmp_path) in warning


def test_no_file_system_is_of_two_kinds() -> None:
    tables = [
        file_system.LOCAL,
        file_system.NETWORK,
        file_system.MEMORY,
        file_system.LAYERS,
    ]
    assert len(frozenset[str]().union(*tables)) == sum(map(len, tables))
    assert not any(map(file_system.is_fuse, file_system.LOCAL | file_system.NETWORK))


# Really mounted


@contextmanager
def mounted(kind: str, place: Path, *options: str) -> Iterator[Path]:
    """Mount a file system for as long as the block takes."""
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("NOT SHOWN: to mount a file system takes root")
    words = ["mount", "-t", kind, *options, kind, str(place)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"NOT SHOWN: no {kind} can be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        # Lazily: the service is killed later.
        subprocess.run(["umount", "-l", str(place)], check=True)


@contextmanager
def fuse_mounted(kind: str, place: Path) -> Iterator[Path]:
    place.mkdir()
    try:
        with fuse.mounted(kind, place):
            yield place
    except OSError as error:
        pytest.skip(f"NOT SHOWN: no {kind} can be mounted here: {error.strerror}")


def layers(place: Path) -> list[str]:
    """Return the options of an overlay, whose folders are made in `place`."""
    for name in ("lower", "upper", "work"):
        (place / name).mkdir()
    folders = f"lowerdir={place}/lower,upperdir={place}/upper,workdir={place}/work"
    return ["-o", folders]


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("tmpfs", "a reboot loses every number"),
        ("ramfs", "a reboot loses every number"),
        ("overlay", "`docker rm` loses every number"),
    ],
)
def test_the_log_warns_at_the_start_and_numbers_are_given(
    tmp_path: Path, serve: Serve, kind: str, told: str
) -> None:
    options = layers(tmp_path) if kind == "overlay" else []
    with mounted(kind, tmp_path / "mounted", *options) as place:
        running = serve("--workers", "2", "--storage-dir", str(place / "data"))
        assert running.take() == 1
        (line,) = [line for line in running.log.read_text().splitlines() if "WARNING" in line]
        assert told in line
        assert f"{place / 'data'} is on {kind}" in line
        # The user who starts it has seen it. A script that takes a number sees the number.
        ended = run("next", "a", "--storage-dir", str(place / "data"))
        assert (ended.stdout, ended.stderr) == ("1\n", "")
        running.kill()


@pytest.mark.long
def test_a_disk_is_nothing_to_warn_of(tmp_path: Path, serve: Serve) -> None:
    kind = file_system.kind_of(tmp_path)
    if kind not in file_system.LOCAL:
        pytest.skip(f"NOT SHOWN: {tmp_path} is on {kind}")
    assert "WARNING" not in serve().log.read_text()


@pytest.mark.long
@pytest.mark.parametrize("kind", ["fuse", "fuse.rclone", "fuse.of-tomorrow"])
def test_nothing_is_stored_on_a_mounted_fuse_file_system(tmp_path: Path, kind: str) -> None:
    with fuse_mounted(kind, tmp_path / "mounted") as place:
        for below in (place, place / "data"):
            line = refused_start(below)
            assert f"{below} is on a FUSE file system ({kind})" in line
        ended = run("import", "buildnumber", str(tmp_path), "--storage-dir", str(place / "data"))
        assert ended.returncode == 1
        assert f"({kind})" in ended.stderr


def test_a_data_file_that_leads_to_a_fuse_file_system_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with fuse_mounted("fuse.sshfs", tmp_path / "mounted") as place:
        (tmp_path / "data" / "data.mdb").symlink_to(place / "data.mdb")
        with pytest.raises(StoreUnavailable, match=r"data\.mdb is on a FUSE file system"):
            LmdbStore(tmp_path / "data", tables.ALL)


def test_a_link_to_a_folder_on_tmpfs_is_warned_of(tmp_path: Path) -> None:
    with mounted("tmpfs", tmp_path / "mounted") as place:
        (tmp_path / "data").symlink_to(place)
        (warning,) = folder.warnings(tmp_path / "data")
        assert "a reboot loses every number" in warning
