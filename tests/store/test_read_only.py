"""A folder that cannot be written, such as a snapshot, can be read if that is safe."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from monotron.core import series, tables
from monotron.store import file_system, lmdb, read_only
from monotron.store.contract import Reading, StoreUnavailable
from monotron.store.data_file import verify_file
from monotron.store.lmdb import LmdbStore
from monotron.store.read_only import ReadOnlyStore
from tests.server.test_start import AS_ANYBODY, refused_start
from tests.store.test_file_system import mounted
from tests.support.calls import call_in
from tests.support.service import run

# Most of them start processes.
pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Place:
    """A storage folder that nobody, or at least not this user, can write to."""

    folder: Path
    before: str = ""
    """Python that makes a process this user."""

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return run(*words, "--storage-dir", str(self.folder), before=self.before)


def fill(folder: Path) -> None:
    store = LmdbStore(folder, tables.ALL)
    store.update(
        lambda txn: [
            series.advance(txn, call_in(1, now=7, keep=9), key, token="a", count=1)
            for key in ("lib", "shop")
        ]
    )
    store.close()


def is_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("NOT SHOWN: to make a folder read-only for root takes root")


@contextmanager
def by_modes(folder: Path) -> Iterator[Place]:
    fill(folder)
    for each in folder.iterdir():
        each.chmod(0o444)
    folder.chmod(0o555)
    yield Place(folder, AS_ANYBODY)
    folder.chmod(0o755)


@contextmanager
def file_by_mode(folder: Path) -> Iterator[Place]:
    fill(folder)
    (folder / "data.mdb").chmod(0o444)
    yield Place(folder, AS_ANYBODY)


@contextmanager
def by_mount(folder: Path) -> Iterator[Place]:
    """The file system is mounted a second time; at its first mount it can be written."""
    is_root()
    fill(folder.parent / "below")
    folder.mkdir()
    subprocess.run(["mount", "--bind", folder.parent / "below", folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield Place(folder)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextmanager
def by_file_system(folder: Path) -> Iterator[Place]:
    with mounted("tmpfs", folder) as place:
        fill(place / "data")
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        yield Place(place / "data")


@contextmanager
def immutable(folder: Path) -> Iterator[Place]:
    is_root()
    fill(folder)
    files = [*folder.iterdir(), folder]
    done = subprocess.run(["chattr", "+i", *files], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"NOT SHOWN: nothing can be made immutable here: {done.stderr.strip()}")
    try:
        yield Place(folder)
    finally:
        subprocess.run(["chattr", "-i", *files], check=True)


Make = Callable[[Path], "Iterator[Place]"]
KINDS = [by_modes, file_by_mode, by_mount, by_file_system, immutable]


@pytest.fixture(params=KINDS, ids=lambda make: make.__name__)
def place(request: pytest.FixtureRequest, folder: Path) -> Iterator[Place]:
    with request.param(folder) as place:
        yield place


def test_what_only_reads_works(place: Place, tmp_path: Path) -> None:
    before = sorted(place.folder.iterdir())
    assert place.run("get", "shop").stdout == "1\n"
    assert place.run("list").stdout == "lib\t1\ta\nshop\t1\ta\n"
    figures = json.loads(place.run("stats", "--json").stdout)
    assert (figures["series"], figures["history_values"]) == (2, 2)
    assert figures["map_bytes"] == lmdb.MAP_SIZE
    assert place.run("export").stdout.count('"kind":"series"') == 2
    assert "2 series" in place.run("backup", str(tmp_path / "backup.mdb")).stdout
    assert verify_file(tmp_path / "backup.mdb") == []
    assert place.run("check").stdout.endswith(f"{place.folder} is whole\n")
    assert place.run("keys", "list").returncode == 0
    words = ("import", "buildnumber", str(tmp_path), "--dry-run")
    assert "0 new" in place.run(*words).stdout
    if place.before == "" or not os.access(place.folder, os.W_OK):
        assert sorted(place.folder.iterdir()) == before


@pytest.mark.parametrize("words", [["next", "shop"], ["keys", "delete", "x"]])
def test_what_writes_is_refused(place: Place, words: list[str]) -> None:
    ended = place.run(*words)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert str(place.folder) in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_no_service_starts_there(place: Place) -> None:
    assert str(place.folder) in refused_start(place.folder, before=place.before)


# Where others may write


def test_a_store_that_is_in_use_is_not_read_without_its_locks(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_only, "OPEN_SECONDS", 0.1)
    with by_mount(folder) as place:
        writing = LmdbStore(folder.parent / "below", tables.ALL)
        for read in (lambda: ReadOnlyStore(place.folder, tables.ALL), lambda: check(place.folder)):
            with pytest.raises(StoreUnavailable, match="another process has it open"):
                read()
        writing.close()
        ReadOnlyStore(place.folder, tables.ALL).close()


def check(folder: Path) -> None:
    with read_only.nobody_writing(folder):
        pass


def test_nobody_opens_a_store_that_is_read_without_its_locks(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lmdb, "OPEN_SECONDS", 0.1)
    with by_mount(folder) as place:
        reading = ReadOnlyStore(place.folder, tables.ALL)
        with pytest.raises(StoreUnavailable, match="checked or read by another process"):
            LmdbStore(folder.parent / "below", tables.ALL)
        reading.close()
        LmdbStore(folder.parent / "below", tables.ALL).close()


def test_many_read_a_snapshot_at_once(folder: Path) -> None:
    with by_file_system(folder) as place:
        assert file_system.is_read_only(place.folder)
        store = ReadOnlyStore(place.folder, tables.ALL)
        assert place.run("get", "shop").stdout == "1\n"
        assert store.view(read_shop) == 1
        store.close()


def test_those_that_keep_writers_out_wait_for_each_other(folder: Path) -> None:
    with by_mount(folder) as place, ThreadPoolExecutor(4) as pool:
        assert not file_system.is_read_only(place.folder)
        ended = list(pool.map(lambda _: place.run("get", "shop").stdout, range(4)))
    assert ended == ["1\n"] * 4


def test_a_data_file_alone_is_read_until_somebody_opens_it(folder: Path) -> None:
    fill(folder.parent / "there")
    folder.mkdir()
    shutil.copy(folder.parent / "there" / "data.mdb", folder)
    store = ReadOnlyStore(folder, tables.ALL)
    assert store.view(read_shop) == 1
    assert run("next", "shop", "--storage-dir", str(folder)).stdout == "2\n"
    with pytest.raises(StoreUnavailable, match="opened it meanwhile"):
        store.view(read_shop)
    store.close()


def read_shop(reading: Reading) -> int | None:
    found = series.get(reading, 1, "shop")
    return None if found is None else found.value


@pytest.mark.parametrize(
    ("of_mount", "of_file_system", "nobody_writes"),
    [("rw", "rw", False), ("ro", "rw", False), ("ro", "ro", True), ("rw", "ro,seclabel", True)],
)
def test_a_mount_that_is_read_only_does_not_keep_others_from_writing(
    tmp_path: Path, of_mount: str, of_file_system: str, nobody_writes: bool
) -> None:
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(f"28 1 254:0 / / {of_mount},relatime - ext4 /dev/vda {of_file_system}\n")
    assert file_system.is_read_only(tmp_path, mountinfo) == nobody_writes


def test_a_store_that_cannot_be_written_refuses_updates(folder: Path) -> None:
    fill(folder)
    store = ReadOnlyStore(folder, tables.ALL)
    with pytest.raises(StoreUnavailable, match="cannot write"):
        store.update(lambda txn: txn.put(tables.SERIES, b"a", b"b"))
    store.close()
    store.close()
