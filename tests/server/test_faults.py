"""Real faults: nothing answered is lost, nothing is given twice, and the service recovers.

Some need root: a file system of a few megabytes is mounted, filled, broken and repaired. Where that
is not allowed the test is skipped and says so; a limit on files stands for a full disk then, in
`test_process.py` and `test_lmdb.py`.
"""

import fcntl
import itertools
import os
import random
import re
import resource
import select
import shutil
import signal
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monotron.app import create_app
from monotron.core import attributes, history, retries, search, semver, series, tables, upgrading
from monotron.core.bumps import MAJOR, MINOR, PATCH
from monotron.core.errors import RuleError
from monotron.core.search import Search
from monotron.settings import Settings
from monotron.store import lmdb
from monotron.store.contract import Reading, Transaction
from monotron.store.lmdb import LmdbStore
from tests.server.test_retry_crash import Retriers, with_key
from tests.server.test_start import refused_start
from tests.store.test_lmdb import spawning, view_until_killed
from tests.support import service
from tests.support.calls import call_in
from tests.support.memory import MemoryStore
from tests.support.ports import new_port
from tests.support.service import (
    CODE,
    JOB,
    Load,
    Serve,
    Service,
    ask,
    assert_none_twice,
    processes,
    read_answer,
    wait_until,
)
from tests.support.web import Api, problem

SERIES = "/v1/series"
POST = f"POST {JOB} HTTP/1.1\r\nHost: monotron\r\n\r\n".encode()

KILL_ROUNDS = int(os.environ.get("MONOTRON_KILL_ROUNDS", "6"))


def assert_alive(running: Service) -> None:
    """Show that the service answers whether it is alive, now."""
    assert running.get("/healthz").json == {"status": "alive"}


def assert_refused(broken: list[str], *statuses: int) -> None:
    """Show that clients got nothing but these refusals."""
    assert {each.partition(" ")[0] for each in broken} <= {str(status) for status in statuses}


def assert_gave_each_once(running: Service, load: Load) -> None:
    """Check that no number was given twice, lost or skipped."""
    assert (load.unanswered, load.cut) == (0, 0)
    assert sorted(load.answered) == list(range(1, len(load.answered) + 1))
    assert running.take(load.path) == len(load.answered) + 1


def assert_lost_nothing(running: Service, load: Load) -> None:
    """Show that no number was given twice or lost; one without an answer may be skipped."""
    assert_none_twice(load.answered)
    following = running.take(load.path)
    assert following > max(load.answered)
    no_answer = load.unanswered + load.cut + len(load.broken)
    assert following - 1 - len(load.answered) <= no_answer


# Disks


def command(*words: str | Path) -> None:
    subprocess.run(words, check=True, capture_output=True)


class Disk:
    """A small, separate file system."""

    def __init__(self, place: Path, kind: str) -> None:
        self.folder = place / "mounted"
        self.folder.mkdir()
        self.kind = kind
        self._image = place / "image"
        if kind == "ext4":
            with self._image.open("wb") as image:
                image.truncate(16 * 2**20)
            # No blocks are kept for root, so that it is full for root too.
            command("mkfs.ext4", "-q", "-m", "0", self._image)

    def mount(self) -> None:
        if self.kind == "tmpfs":
            command("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", self.folder)
        else:
            command("mount", "-o", "loop,errors=remount-ro", self._image, self.folder)

    def unmount(self) -> None:
        """Wait until the last process that was killed has let go of it, and take it away."""

        def is_done() -> bool:
            return subprocess.run(["umount", "-q", self.folder], check=False).returncode == 0

        wait_until(is_done, "no process uses the file system")

    def repair(self) -> None:
        """Check it, which brings it back after an error, and mount it again."""
        subprocess.run(["fsck.ext4", "-p", self._image], check=False, capture_output=True)
        self.mount()

    @contextmanager
    def full(self) -> Iterator[None]:
        """Fill the disk with another file."""
        other = self.folder / "other"
        with other.open("wb", buffering=0) as file:
            for size in (65_536, 4_096, 512, 1):
                with suppress(OSError):
                    while True:
                        file.write(b"x" * size)
        yield
        other.unlink()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Make all that is written wait, and all syncs with it (block throttling of cgroups)."""
        limits = Path("/sys/fs/cgroup/blkio/blkio.throttle.write_bps_device")
        if not limits.exists():
            pytest.skip(f"NOT SHOWN: no disk can be made to hang here, there is no {limits}")
        device = os.stat(self.folder).st_dev
        name = f"{os.major(device)}:{os.minor(device)}"
        limits.write_text(f"{name} 1")
        try:
            yield
        finally:
            limits.write_text(f"{name} 0")

    def shut_down(self) -> None:
        """Make every access fail from now on, and lose unsynced data: ext4's own test."""
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            # EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH, of linux/fs/ext4/ext4.h
            fcntl.ioctl(handle, 0x8004587D, struct.pack("I", 2))
        finally:
            os.close(handle)

    def meet_an_error(self) -> None:
        """Make the kernel find an error in the file system, so that it becomes read-only."""
        device = os.stat(self.folder).st_dev
        name = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve().name
        Path(f"/sys/fs/ext4/{name}/trigger_fs_error").write_text("1")


@contextmanager
def mounted(place: Path, kind: str) -> Iterator[Disk]:
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("NOT SHOWN: to mount a file system takes root and mkfs.ext4")
    disk = Disk(place, kind)
    try:
        disk.mount()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"NOT SHOWN: no {kind} can be mounted here: {error.stderr.decode().strip()}")
    try:
        yield disk
    finally:
        # Lazily: a test that failed may have left a process there, which `serve` kills later.
        subprocess.run(["umount", "-l", disk.folder], check=False, capture_output=True)


@pytest.fixture(params=["tmpfs", "ext4"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path, request.param) as disk:
        yield disk


@pytest.fixture
def ext4(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path, "ext4") as disk:
        yield disk


def use_free_pages_up(running: Service) -> int:
    """Begin series until one is refused; return how many began."""
    for number in itertools.count():
        answer = running.put(f"{SERIES}/{number:0256}/{'t' * 256}")
        if answer.status != 200:
            assert "nothing was taken" in answer.assert_problem(507)["detail"]
            assert running.get(f"{SERIES}/{number:0256}").status == 404
            return number
    raise AssertionError


def test_on_a_full_disk_nothing_is_taken_and_with_room_again_all_goes_on(
    small_disk: Disk, serve: Serve
) -> None:
    running = serve("--workers", "2", "--storage-dir", str(small_disk.folder / "data"))
    workers = running.workers()
    with Load(running) as load:
        load.wait_for_more(100)
        with small_disk.full():
            began = use_free_pages_up(running)
            wait_until(lambda: len(load.broken) >= 50, "requests are refused")
            assert_alive(running)
            assert running.get(load.path).value >= max(load.answered[:100])
            for number in range(began):
                assert running.get(f"{SERIES}/{number:0256}").value == 1
            assert_refused(list(load.broken), 507)
        load.wait_for_more(100)
    # A write that is cut short just before there is room again is 503: LMDB calls it an I/O error,
    # and by the time the disk is asked, it is no longer full.
    assert_refused(load.broken, 507, 503)
    assert_gave_each_once(running, load)
    assert running.get("/readyz").status == 200
    assert running.put(f"{SERIES}/{began:0256}/{'t' * 256}").value == 1
    assert running.workers() == workers


def test_a_service_that_starts_on_a_full_disk_gives_what_is_stored(
    ext4: Disk, serve: Serve
) -> None:
    place = str(ext4.folder / "data")
    first = serve("--storage-dir", place)
    assert [first.take() for _ in range(3)] == [1, 2, 3]
    assert first.stop() == 0
    with ext4.full():
        second = serve("--storage-dir", place)
        assert second.get(JOB).value == 3
        assert_alive(second)
        began = use_free_pages_up(second)
    assert second.take() == 4
    assert second.put(f"{SERIES}/{began:0256}/t").value == 1


def test_a_service_without_room_for_its_lock_file_says_so_at_the_start(
    ext4: Disk, serve: Serve
) -> None:
    place = ext4.folder / "data"
    first = serve("--storage-dir", str(place))
    assert first.take() == 1
    assert first.stop() == 0
    # As in a storage folder that was restored.
    (place / "lock.mdb").unlink()
    with ext4.full():
        assert "the disk is full" in refused_start(place)
    assert serve("--storage-dir", str(place)).take() == 2


def read_a_hundredfold_in_child(path: Path, ready: Path) -> None:
    store = LmdbStore(path, tables.ALL)
    ready.touch()
    wait_until(lambda: not ready.exists(), "the disk is full")

    def read(depth: int) -> int:
        return depth if depth == 100 else store.view(lambda reading: read(depth + 1))

    assert read(0) == 100
    store.close()


def test_on_a_full_disk_more_readers_than_ever_before_find_their_places(
    ext4: Disk, tmp_path: Path
) -> None:
    # LMDB writes the readers' table through memory: without room for it that would be a SIGBUS.
    ready = tmp_path / "ready"
    child = spawning.Process(target=read_a_hundredfold_in_child, args=(ext4.folder / "data", ready))
    child.start()
    wait_until(lambda: ready.exists() or not child.is_alive(), "the store is open")
    with ext4.full():
        ready.unlink()
        child.join(service.PATIENCE)
    assert child.exitcode == 0


@pytest.mark.parametrize("fails", [Disk.shut_down, Disk.meet_an_error])
def test_a_disk_that_fails_under_load_loses_nothing_that_was_answered(
    ext4: Disk, serve: Serve, fails: Callable[[Disk], None]
) -> None:
    place = str(ext4.folder / "data")
    running = serve("--workers", "2", "--storage-dir", place)
    with Load(running) as load:
        load.wait_for_more(200)
        fails(ext4)
        wait_until(lambda: len(load.broken) >= 50, "requests are refused")
        # Only one worker has the right to write, and may have found what it cannot go on after.
        assert_alive(running)
        answer = running.post(load.path)
        answer.assert_problem(503)
        assert answer.headers["Retry-After"] == "1"
        running.get("/readyz").assert_problem(503)
    assert_refused(load.broken, 503)
    running.kill()
    ext4.unmount()
    ext4.repair()
    assert_lost_nothing(serve("--workers", "2", "--storage-dir", place), load)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_while_the_disk_hangs_reads_go_on_and_numbers_are_refused_in_time(
    ext4: Disk, serve: Serve, workers: str
) -> None:
    running = serve("--workers", workers, "--storage-dir", str(ext4.folder / "data"))
    running.take()
    with ExitStack() as stack:
        with ext4.hanging():
            waiting = [stack.enter_context(running.socket()) for _ in range(16)]
            for client in waiting:
                client.sendall(f"POST {JOB} HTTP/1.1\r\nHost: monotron\r\n\r\n".encode())
            for _ in range(100):
                assert_alive(running)
                assert running.get(JOB).value == 1
                assert running.get(f"{SERIES}?limit=5").status == 200
            refused = running.post(JOB).assert_problem(503)
            assert "nothing was taken" in refused["detail"]
            assert_alive(running)
        answers = [read_answer(client) for client in waiting]
    values = [answer.value for answer in answers if answer.status == 200]
    assert {answer.status for answer in answers} <= {200, 503}
    assert_none_twice(values)
    # Whoever was refused took nothing.
    assert running.take() == len(values) + 2


# Files that turn read-only


@contextmanager
def immutable(path: Path) -> Iterator[None]:
    """Make the file read-only, even for root and through handles that are already open."""
    if shutil.which("chattr") is None:
        pytest.skip("NOT SHOWN: there is no chattr to make a file read-only with")
    made = subprocess.run(["chattr", "+i", path], check=False, capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip(f"NOT SHOWN: no file can be made read-only here: {made.stderr.strip()}")
    try:
        yield
    finally:
        command("chattr", "-i", path)


def test_a_data_file_that_turns_read_only_costs_no_number_and_is_used_again_afterwards(
    serve: Serve, folder: Path
) -> None:
    running = serve("--workers", "2")
    with Load(running) as load:
        load.wait_for_more(200)
        with immutable(folder / "data.mdb"):
            wait_until(lambda: len(load.broken) >= 50, "requests are refused")
            assert_alive(running)
            answer = running.post(load.path)
            assert "nothing was taken" in answer.assert_problem(503)["detail"]
            assert answer.headers["Retry-After"] == "1"
            running.get("/readyz").assert_problem(503)
            wait_until(lambda: running.get(load.path).status == 200, "what is stored is given")
        load.wait_for_more(100)
    assert_refused(load.broken, 503)
    assert_none_twice(load.answered)
    # A worker that had just begun to write ends, and with it the connections to it.
    assert_lost_nothing(running, load)
    wait_until(lambda: len(running.workers()) == 2, "there are two workers again")
    assert running.get("/readyz").status == 200


def test_the_only_worker_comes_back_once_its_data_file_can_be_written(
    serve: Serve, folder: Path
) -> None:
    running = serve()
    with Load(running) as load:
        load.wait_for_more(200)
        with immutable(folder / "data.mdb"):
            wait_until(
                lambda: len(load.broken) >= 20 or "could not start" in running.log.read_text(),
                "nothing can be written",
            )
            before = len(load.answered)
        load.wait_for_more(100)
    assert len(load.answered) > before
    assert_refused(load.broken, 503)
    assert_lost_nothing(running, load)


def test_a_storage_folder_that_turns_read_only_does_not_stop_a_service(
    serve: Serve, folder: Path
) -> None:
    running = serve("--workers", "2")
    with Load(running) as load, immutable(folder):
        load.wait_for_more(200)
        (victim, *_) = running.workers()
        os.kill(victim, signal.SIGKILL)
        # Everything that a replacement needs exists already.
        wait_until(lambda: len(running.workers() - {victim}) == 2, "another worker takes its place")
        load.wait_for_more(100)
    assert load.broken == []
    assert_lost_nothing(running, load)


# A full map


def test_a_full_map_is_507_takes_nothing_and_goes_on_once_something_is_deleted(
    tiny_store: LmdbStore, settings: Settings
) -> None:
    api = Api(create_app(tiny_store, settings))
    values = [api.post(f"{SERIES}/old").json["value"] for _ in range(5)]
    filled = 0
    while True:
        answer = api.put(f"/v1/tokens/old/{filled}/attrs/text", "x" * 2_000, expect_errors=True)
        if answer.status_int != 200:
            break
        filled += 1
    assert filled > 5
    assert "nothing was taken" in problem(answer, 507, "store-full")
    refused = 0
    for number in range(50):
        answer = api.post(f"{SERIES}/{number:0256}", expect_errors=True)
        if answer.status_int == 507:
            refused += 1
            api.get(f"{SERIES}/{number:0256}", status=404)
    assert refused > 10
    assert api.get("/healthz").json == {"status": "alive"}
    for _ in range(20):
        answer = api.post(f"{SERIES}/old", expect_errors=True)
        if answer.status_int == 200:
            values.append(answer.json["value"])
        else:
            problem(answer, 507, "store-full")
    assert values == list(range(1, len(values) + 1))
    assert api.get(f"{SERIES}/old").json["value"] == len(values)

    # Each frees its pages for the next.
    for number in range(filled):
        api.delete(f"/v1/tokens/old/{number}/attrs")
    assert api.post(f"{SERIES}/old").json["value"] == len(values) + 1
    assert api.get("/readyz").json == {"status": "ready"}


# Kills at random moments


def kill_all(running: Service, chance: random.Random) -> None:
    running.kill()


def kill_a_worker(running: Service, chance: random.Random) -> None:
    with suppress(ProcessLookupError, IndexError):
        os.kill(chance.choice(sorted(running.workers())), signal.SIGKILL)


def kill_the_workers(running: Service, chance: random.Random) -> None:
    for worker in running.workers():
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)


def kill_the_watching_process(running: Service, chance: random.Random) -> None:
    running.process.kill()
    running.process.wait(service.PATIENCE)


KILLS = [kill_all, kill_a_worker, kill_a_worker, kill_the_workers, kill_the_watching_process]


def test_kills_at_random_moments_lose_nothing_and_give_nothing_twice(serve: Serve) -> None:
    chance = random.Random(20_002)
    port = str(new_port())
    running = serve("--workers", "2", "--port", port)
    path = f"{SERIES}/retried"
    wait = threading.Event().wait
    counts = dict.fromkeys(KILLS, 0)
    with Load(running, clients=8) as load, Retriers(running.port, path, clients=8) as retriers:
        for number in range(KILL_ROUNDS):
            # All of them in the first rounds.
            kill = KILLS[number] if number < len(KILLS) else chance.choice(KILLS)
            wait(chance.uniform(0, 0.3))
            kill(running, chance)
            counts[kill] += 1
            if running.process.poll() is not None:
                wait_until(running.refuses, "its workers have ended")
                running = serve("--workers", "2", "--port", port)
            load.wait_for_more(1)
            retriers.wait_for_more(1)
    assert (load.broken, retriers.broken) == ([], [])
    assert_lost_nothing(running, load)

    # A repeat with the same key never skips a number either.
    answered = retriers.answered
    assert sorted(answered.values()) == list(range(1, len(answered) + 1))
    connection = running.connect()
    for key in chance.sample(sorted(answered), k=min(200, len(answered))):
        retry = ask(connection, "POST", path, headers=with_key(key))
        assert (retry.status, retry.value) == (200, answered[key])
    connection.close()
    assert running.take(path) == len(answered) + 1
    kills = ", ".join(f"{kill.__name__}: {count}" for kill, count in counts.items())
    print(
        f"rounds: {KILL_ROUNDS} ({kills}); numbers answered: {len(load.answered)} and "
        f"{len(answered)} with keys; without an answer: {load.unanswered + load.cut} and "
        f"{retriers.retried} with keys; lost: 0; given twice: 0"
    )


# A process that does not move


def holders(lock: Path) -> set[int]:
    """Return the processes that hold a lock file (proc_locks(5)); waiting ones have `->`."""
    number = lock.stat().st_ino
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return {
        int(line[4])
        for line in lines
        if line[1] == "FLOCK" and int(line[5].rpartition(":")[2]) == number
    }


def stop_with_the_write_lock(running: Service, chance: random.Random) -> int:
    """Stop one of two workers under load while it holds the lock; return which."""
    stopped = 0

    def has_it() -> bool:
        nonlocal stopped
        stopped = chance.choice(sorted(running.workers()))
        os.kill(stopped, signal.SIGSTOP)
        wait_until(lambda: processes()[stopped][0] == "T", "the worker has stopped")
        if stopped in holders(running.storage_dir / "write.lock"):
            return True
        os.kill(stopped, signal.SIGCONT)
        threading.Event().wait(chance.uniform(0, 0.02))
        return False

    wait_until(has_it, "a worker stops with the lock in hand")
    return stopped


WAIT_SECONDS = 5.0
"""How long an update waits for another process: the default of `LmdbStore`."""


@pytest.mark.alone
def test_a_worker_that_stops_with_the_write_lock_makes_others_refuse_in_time_until_it_goes_on(
    serve: Serve,
) -> None:
    running = serve("--workers", "2")
    workers = running.workers()
    with Load(running) as load:
        load.wait_for_more(100)
        stopped = stop_with_the_write_lock(running, random.Random(20_003))
        # From now on, new connections only reach the other one.
        given = running.get(load.path).value
        assert given >= max(load.answered)
        answer = running.post(JOB)
        assert "nothing was taken" in answer.assert_problem(503)["detail"]
        assert answer.headers["Retry-After"] == "1"
        # A later caller does not wait that long again.
        began = time.monotonic()
        for _ in range(20):
            running.post(JOB).assert_problem(503)
        assert time.monotonic() - began < WAIT_SECONDS
        assert_alive(running)
        running.get("/readyz").assert_problem(503)
        assert running.get(load.path).value == given
        assert running.get(JOB).status == 404

        os.kill(stopped, signal.SIGCONT)
        load.wait_for_more(100)
    assert_refused(load.broken, 503)
    assert_gave_each_once(running, load)
    assert running.take() == 1
    assert running.workers() == workers


def test_a_worker_that_is_killed_while_it_is_stopped_with_the_write_lock_lets_others_write(
    serve: Serve,
) -> None:
    running = serve("--workers", "2")
    with Load(running) as load:
        load.wait_for_more(100)
        stopped = stop_with_the_write_lock(running, random.Random(20_004))
        with running.socket() as waiting:
            waiting.sendall(POST)
            os.kill(stopped, signal.SIGKILL)
            assert read_answer(waiting).value == 1
        load.wait_for_more(100)
        wait_until(lambda: len(running.workers() - {stopped}) == 2, "it is replaced")
    assert_refused(load.broken, 503)
    assert_lost_nothing(running, load)


# Readers that died


def test_the_file_stops_growing_once_a_dead_reader_is_noticed(
    store: LmdbStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def size_after(commits: int) -> int:
        for _ in range(commits):
            store.update(lambda txn: series.advance(txn, call_in(1, now=1, keep=100), "svc"))
        return (store.folder / "data.mdb").stat().st_size

    store.update(lambda txn: series.advance(txn, call_in(1, now=1), "svc"))
    ours, theirs = spawning.Pipe()
    reader = spawning.Process(target=view_until_killed, args=(store.folder, theirs))
    reader.start()
    assert ours.poll(service.PATIENCE)
    before = size_after(10)
    # As long as somebody reads an old snapshot, none of its pages can be reused.
    while_it_reads = size_after(100)
    assert while_it_reads > before + 100 * 4096

    reader.kill()
    reader.join(service.PATIENCE)
    monkeypatch.setattr(lmdb, "READER_CHECK_SECONDS", 0.0)
    store._next_reader_check = 0.0
    assert size_after(400) < while_it_reads + 20 * 4096


# Damaged data files


@pytest.fixture
def whole(folder: Path) -> bytes:
    """A data file with a thousand series, each at its number, and room that was freed."""
    store = LmdbStore(folder, tables.ALL)
    for _ in range(3):
        store.update(
            lambda txn: [
                series.advance(txn, call_in(1, now=1), f"series-{number:04}")
                for number in range(1_000)
            ]
        )
    # Else the start would read every row to see whether it is in each index.
    upgrading.upgrade(store)
    store.close()
    return (folder / "data.mdb").read_bytes()


def with_page(data: bytes, number: int, page: bytes) -> bytes:
    return data[: number * 4096] + page + data[(number + 1) * 4096 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "all zeros": lambda data: bytes(len(data)),
    "the first page zeros": lambda data: with_page(data, 0, bytes(4096)),
    "the second page zeros": lambda data: with_page(data, 1, bytes(4096)),
    "every other page zeros": lambda data: data[: 2 * 4096] + bytes(len(data) - 2 * 4096),
    "the last half lost": lambda data: data[: len(data) // 2],
    "cut in the middle of a page": lambda data: data[: len(data) // 2 + 1_000],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_data_file_that_is_damaged_from_the_start_is_named_and_kept(
    folder: Path, whole: bytes, damage: Callable[[bytes], bytes]
) -> None:
    damaged = damage(whole)
    data = folder / "data.mdb"
    data.write_bytes(damaged)
    line = refused_start(folder)
    assert str(data) in line
    assert "damaged" in line
    assert data.read_bytes() == damaged


def test_a_damaged_page_is_503_for_its_series_alone_and_gives_no_wrong_number(
    serve: Serve, folder: Path, whole: bytes
) -> None:
    pages = [whole[place : place + 4096] for place in range(0, len(whole), 4096)]
    damaged = whole
    for number, page in enumerate(pages):
        # A leaf of the tree has this flag (mp_flags of MDB_page in mdb.c).
        is_leaf = struct.unpack_from("<H", page, 10)[0] == 2
        if is_leaf and b"series-0500\0" in page:
            damaged = with_page(damaged, number, bytes(16) + page[16:])
    assert damaged != whole
    (folder / "data.mdb").write_bytes(damaged)
    running = serve()
    workers = running.workers()
    for method in ("GET", "POST"):
        answer = running.ask(method, f"{SERIES}/series-0500")
        answer.assert_problem(503)
        assert answer.headers["Retry-After"] == "1"
        assert "data.mdb" in running.lines[-1]
    assert_alive(running)
    for number in (0, 999):
        assert running.get(f"{SERIES}/series-{number:04}").value == 3
        assert running.take(f"{SERIES}/series-{number:04}") == 4
    assert running.workers() == workers


# Clocks

KEYS = st.sampled_from(["a", "a/b", "b"])
TOKENS = st.sampled_from("xyz")
NOW = st.integers(0, 2**63 - 1) | st.integers(0, 100) | st.just(0)
"""The times that a clock can show: the kernel's is never before 1970."""
CALLS = st.one_of(
    st.tuples(st.just("advance"), KEYS, st.none() | TOKENS),
    st.tuples(st.just("range"), KEYS, st.integers(1, 9)),
    st.tuples(st.just("seed"), KEYS, st.integers(1, 50)),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.just("bump"), KEYS, st.sampled_from([MAJOR, MINOR, PATCH]), TOKENS),
    st.tuples(st.just("note"), KEYS, TOKENS, st.sampled_from(["author", "url"])),
)
KEEP = 5


def do(txn: Transaction, now: int, name: str, key: str, *more: Any) -> object:
    """Make one call; return what its caller is told."""
    if name == "advance":
        state = series.advance(txn, call_in(1, now=now, keep=KEEP), key, token=more[0])
        return state.value, state.token
    if name == "range":
        state = series.advance(txn, call_in(1, now=now, keep=KEEP), key, count=more[0])
        return state.value, state.token
    if name == "seed":
        state = series.seed(txn, call_in(1, now=now), key, more[0])
        return state.value, state.token
    if name == "delete":
        return series.delete(txn, 1, key)
    if name == "bump":
        return str(semver.bump(txn, call_in(1, now=now, keep=KEEP), key, *more))
    attributes.put(txn, 1, key, more[0], {more[1]: "text"})
    return attributes.get_all(txn, 1, key, more[0])


def everything(reading: Reading) -> object:
    """Return everything that clients can read, except times."""
    found = {}
    for state in search.by_key(reading, 1, Search(), after="", limit=1_000).items:
        page = history.page(reading, state, keep=KEEP, limit=100)
        taken = [(each.value, each.token) for each in page.items]
        found[state.key] = (state.value, state.token, taken)
    return found, [semver.current(reading, 1, name) for name in ("a", "a/b", "b")]


@settings(max_examples=100)
@given(st.lists(st.tuples(NOW, CALLS), max_size=30))
def test_whatever_the_clock_shows_the_same_calls_get_the_same_answers(
    calls: list[tuple[int, tuple[Any, ...]]],
) -> None:
    jumping, even = MemoryStore(), MemoryStore()
    for number, (now, call) in enumerate(calls):
        answers: list[object] = []
        for store, time_ in ((jumping, now), (even, 1_000 + number)):
            try:
                answers.append(store.update(lambda txn, t=time_, c=call: do(txn, t, *c)))  # type: ignore[misc]
            except RuleError as error:
                answers.append(type(error))
        assert answers[0] == answers[1]
    assert jumping.view(everything) == even.view(everything)


@settings(max_examples=100)
@given(st.lists(st.tuples(NOW, NOW, st.integers(0, 5)), max_size=20))
def test_whatever_the_clock_shows_a_retry_at_once_takes_nothing(
    calls: list[tuple[int, int, int]],
) -> None:
    store = MemoryStore()
    taken: list[int] = []

    def take(txn: Transaction) -> int:
        taken.append(len(taken) + 1)
        return taken[-1]

    for first, again, key in calls:
        before = len(taken)
        answers = [
            store.update(
                lambda txn, key=key, now=now: retries.once(  # type: ignore[misc]
                    txn, call_in(1, now=now), f"key-{key}", b"of 16 characters", lambda: take(txn)
                )
            )
            for now in (first, again, first)
        ]
        assert len(set(answers)) == 1
        assert len(taken) <= before + 1


JUMPING_CLOCK = """
import random
import time

real = time.time_ns
YEARS = 10 * 365 * 24 * 3600 * 10**9
time.time_ns = lambda: random.choice([0, 1, real() - YEARS, real(), real() + YEARS])
time.time = lambda: time.time_ns() / 1e9
"""
"""Put in place before anything of the service is imported. Python asks the kernel for the time of
day in these two functions; whatever else measures time here uses the monotonic clock, which the
kernel never sets (clock_gettime(2)). To set the machine's clock would be felt by all others."""


def test_a_service_whose_clock_jumps_at_each_look_gives_each_number_once(
    serve: Serve, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(JUMPING_CLOCK)
    variables = {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(CODE)])}
    running = serve("--workers", "2", variables=variables)
    with Load(running) as load:
        load.wait_for_more(1_000)
        # The sweep looks at the clock once a second.
        load.wait_for_more(1_000)
    assert (load.broken, load.cut) == ([], 0)
    # Idle connections are closed if the clock says that they are old, which loses nothing.
    assert sorted(load.answered) == list(range(1, len(load.answered) + 1))
    page = running.get(f"/v1/history/{load.path.rpartition('/')[2]}?limit=1000").json["history"]
    top = len(load.answered)
    assert [each["value"] for each in page] == list(range(top, top - len(page), -1))
    assert len({each["created_at"][:4] for each in page}) > 2
    assert running.take(load.path) == top + 1
    assert running.get("/readyz").status == 200


# File descriptors


@contextmanager
def no_file_above(pid: int, number: int) -> Iterator[None]:
    """Keep the process from opening files with this number or a greater one."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (number, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def complaints(running: Service) -> int:
    return sum("cannot accept connections" in line for line in running.lines)


@pytest.mark.alone
def test_without_file_descriptors_connections_wait_and_are_answered_once_there_are_some(
    serve: Serve,
) -> None:
    running = serve()
    (worker,) = running.workers()
    assert running.take() == 1
    with ExitStack() as stack:
        with no_file_above(worker, 0):
            clients = [stack.enter_context(running.socket()) for _ in range(20)]
            for client in clients:
                client.sendall(POST)
            wait_until(lambda: complaints(running) >= 1, "it is noticed")
            began, before = time.monotonic(), cpu_seconds(worker)
            wait_until(lambda: complaints(running) >= 3, "it is tried again")
            lasted = time.monotonic() - began
            # A loop that keeps trying would use all the time that it gets.
            assert cpu_seconds(worker) - before < lasted / 4
            assert complaints(running) <= lasted + 3
            assert select.select(clients, [], [], 0)[0] == []
        values = [read_answer(client).value for client in clients]
    assert sorted(values) == list(range(2, 22))
    assert "Too many open files" in next(line for line in running.lines if "cannot accept" in line)
    assert running.workers() == {worker}
    assert running.take() == 22


def test_without_file_descriptors_idle_connections_make_room_for_new_ones(serve: Serve) -> None:
    running = serve()
    (worker,) = running.workers()
    with ExitStack() as stack:
        idle = [stack.enter_context(running.socket()) for _ in range(20)]
        for client in idle:
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: monotron\r\n\r\n")
            assert read_answer(client, "GET").status == 200
        numbers = [int(name) for name in os.listdir(f"/proc/{worker}/fd")]
        with no_file_above(worker, max(numbers) + 1):
            assert_alive(running)
            assert running.take() == 1
            for client in idle:
                assert client.recv(1) == b""
    assert running.workers() == {worker}


# What docs/reliability.md says

PAGE = (Path(__file__).parents[2] / "docs" / "reliability.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)


def test_every_test_that_the_page_names_exists() -> None:
    assert len(NAMED) > 30
    for file, name in NAMED:
        text = (CODE / file).read_text(encoding="utf-8")
        assert not name or re.search(rf"^def {name}\(", text, re.MULTILINE), f"{file}::{name}"


def test_every_test_of_a_fault_is_on_the_page() -> None:
    ours = re.findall(r"^def (test_\w+)", Path(__file__).read_text(encoding="utf-8"), re.MULTILINE)
    named = {name for file, name in NAMED if file == "tests/server/test_faults.py"}
    assert set(ours) - named == {
        "test_every_test_that_the_page_names_exists",
        "test_every_test_of_a_fault_is_on_the_page",
    }
