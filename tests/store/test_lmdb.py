"""What is specific to the LMDB engine: files, processes, limits, and shared commits."""

import multiprocessing
import os
import resource
import signal
import stat
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from monotron.core import tables
from monotron.store import lmdb
from monotron.store.contract import (
    Reading,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreUnavailable,
    Transaction,
)
from monotron.store.data_file import reading_file
from monotron.store.lmdb import LmdbStore
from tests.conftest import held
from tests.support.descriptors import open_below

ROWS = tables.SERIES
SECONDS = 20.0
"""How long a test waits for something that must happen."""

spawning = multiprocessing.get_context("spawn")


def increment(txn: Transaction) -> int:
    number = int(txn.get(ROWS, b"number") or b"0") + 1
    txn.put(ROWS, b"number", b"%d" % number)
    return number


def number(reading: Reading) -> int:
    return int(reading.get(ROWS, b"number") or b"0")


def count_rows(reading: Reading) -> int:
    return len(reading.scan(ROWS, b"", b"\xff", limit=100_000))


def fill(store: LmdbStore, prefix: bytes = b"") -> int:
    """Put rows of a thousand bytes until the store is full; return how many were answered."""
    answered = 0
    with suppress(StoreFull):
        while answered < 10_000:
            key = prefix + b"%06d" % answered
            store.update(lambda txn, key=key: txn.put(ROWS, key, b"x" * 1_000))  # type: ignore[misc]
            answered += 1
    return answered


def last_transaction(store: LmdbStore) -> int:
    """Return the number of the last commit that wrote something; LMDB counts them."""
    count: int = store._env.info()["last_txnid"]
    return count


def wait_until(happens: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.001)


def wait_until_writable(store: LmdbStore) -> None:
    """Wait until the store's writer has the lock again: it need not have woken at once."""

    def is_writable() -> bool:
        try:
            store.update(lambda txn: None)
        except StoreUnavailable:
            return False
        return True

    wait_until(is_writable)


@contextmanager
def queued(
    store: LmdbStore, updates: list[Callable[[Transaction], Any]]
) -> Iterator[list["Future[Any]"]]:
    """Make the updates wait for the write lock, all at the same moment; it is free afterwards."""
    with ThreadPoolExecutor(len(updates)) as pool, held(store.folder):
        calls = [pool.submit(store.update, update) for update in updates]
        wait_until(lambda: len(store._writer._queue) == len(updates))
        yield calls


def in_child(target: Callable[..., None], *args: object) -> None:
    """Run a function in its own process, and check that it succeeds."""
    child = spawning.Process(target=target, args=args)
    child.start()
    child.join(SECONDS)
    assert child.exitcode == 0


def test_rows_are_there_after_reopening(tmp_path: Path) -> None:
    for turn in range(3):
        store = LmdbStore(tmp_path, tables.ALL)
        assert store.update(increment) == turn + 1
        store.close()


def increment_in_child(path: Path, times: int) -> None:
    store = LmdbStore(path, tables.ALL)
    for _ in range(times):
        store.update(increment)
    store.close()


@pytest.mark.long
def test_a_view_sees_what_another_process_wrote(store: LmdbStore) -> None:
    store.update(increment)
    in_child(increment_in_child, store.folder, 3)
    assert store.view(number) == 4
    assert store.update(increment) == 5


@pytest.mark.long
def test_processes_take_turns(store: LmdbStore) -> None:
    children = [
        spawning.Process(target=increment_in_child, args=(store.folder, 100)) for _ in range(2)
    ]
    for child in children:
        child.start()
    for _ in range(100):
        store.update(increment)
    for child in children:
        child.join(SECONDS)
    assert [child.exitcode for child in children] == [0, 0]
    assert store.view(number) == 300


def test_an_update_that_comes_alone_is_one_commit(store: LmdbStore) -> None:
    before = last_transaction(store)
    for done in range(1, 6):
        store.update(increment)
        assert last_transaction(store) == before + done


def test_updates_that_wait_at_one_moment_share_one_commit(store: LmdbStore) -> None:
    before = last_transaction(store)
    with queued(store, [increment] * 32) as calls:
        assert last_transaction(store) == before
    assert sorted(call.result() for call in calls) == list(range(1, 33))
    assert last_transaction(store) == before + 1


def test_an_update_that_raises_leaves_its_batch_alone(store: LmdbStore) -> None:
    def fail(txn: Transaction) -> None:
        increment(txn)
        raise KeyboardInterrupt

    before = last_transaction(store)
    with queued(store, [increment, fail, fail, increment] * 8) as calls:
        pass
    failed = [call for call in calls if call.exception()]
    assert len(failed) == 16
    assert {type(call.exception()) for call in failed} == {KeyboardInterrupt}
    assert sorted(call.result() for call in calls if call not in failed) == list(range(1, 17))
    assert store.view(number) == 16
    assert last_transaction(store) == before + 1


def test_a_batch_without_room_keeps_what_fits_alone(tiny_store: LmdbStore) -> None:
    def put_too_much(txn: Transaction) -> None:
        txn.put(ROWS, b"large", b"x" * 2**20)

    with queued(tiny_store, [increment, put_too_much] * 4) as calls:
        pass
    failed = [call for call in calls if call.exception()]
    assert {type(call.exception()) for call in failed} == {StoreFull}
    assert sorted(call.result() for call in calls if call not in failed) == [1, 2, 3, 4]
    assert tiny_store.view(count_rows) == 1


def test_close_finishes_what_waits(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path, tables.ALL)
    with ThreadPoolExecutor(1) as pool:
        with queued(store, [increment] * 8) as calls:
            close = pool.submit(store.close)
            wait_until(lambda: store._closed)
            assert not close.done()
        close.result(SECONDS)
    assert sorted(call.result() for call in calls) == list(range(1, 9))
    reopened = LmdbStore(tmp_path, tables.ALL)
    assert reopened.view(number) == 8
    reopened.close()


def test_close_waits_for_no_other_process(impatient_store: LmdbStore) -> None:
    with ThreadPoolExecutor(1) as pool, held(impatient_store.folder):
        with pytest.raises(StoreUnavailable):
            impatient_store.update(increment)
        pool.submit(impatient_store.close).result(5)


def test_an_update_gives_up_on_a_lock_that_is_not_freed(impatient_store: LmdbStore) -> None:
    impatient_store.update(increment)
    before = last_transaction(impatient_store)
    with held(impatient_store.folder):
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                impatient_store.update(increment)
        assert impatient_store.view(number) == 1
    wait_until_writable(impatient_store)
    assert impatient_store.update(increment) == 2
    assert last_transaction(impatient_store) == before + 1


def test_many_updates_give_up_together(impatient_store: LmdbStore) -> None:
    with ThreadPoolExecutor(16) as pool, held(impatient_store.folder):
        calls = [pool.submit(impatient_store.update, increment) for _ in range(16)]
        assert {type(call.exception(SECONDS)) for call in calls} == {StoreUnavailable}
    wait_until_writable(impatient_store)
    assert impatient_store.update(increment) == 1


def test_a_view_does_not_need_the_write_lock(store: LmdbStore) -> None:
    store.update(increment)
    with held(store.folder):
        assert store.view(number) == 1


def test_opening_gives_up_on_a_lock_that_is_not_freed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lmdb, "OPEN_SECONDS", 0.1)
    with held(tmp_path), pytest.raises(StoreUnavailable):
        LmdbStore(tmp_path, tables.ALL)
    LmdbStore(tmp_path, tables.ALL).close()


def increment_until_killed(path: Path, pipe: Connection) -> None:
    store = LmdbStore(path, tables.ALL)
    pipe.send(store.update(increment))
    while True:
        store.update(increment)


@pytest.mark.long
def test_opening_gets_its_turn_among_busy_writers(tmp_path: Path) -> None:
    pipes = [spawning.Pipe() for _ in range(2)]
    writers = [
        spawning.Process(target=increment_until_killed, args=(tmp_path, theirs))
        for _, theirs in pipes
    ]
    try:
        for writer in writers:
            writer.start()
        assert all(ours.poll(SECONDS) for ours, _ in pipes)
        for _ in range(10):
            # It gives up after OPEN_SECONDS, during which the writers commit many thousand times.
            LmdbStore(tmp_path, tables.ALL).close()
    finally:
        for writer in writers:
            writer.kill()
            writer.join()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_cannot_use_its_parents_store(store: LmdbStore) -> None:
    store.update(increment)
    pid = os.fork()
    if pid == 0:
        signal.alarm(int(SECONDS))
        refused = 0
        calls: list[Callable[[], int]] = [
            lambda: store.view(number),
            lambda: store.update(increment),
        ]
        for call in calls:
            try:
                call()
            except StoreUnavailable:
                refused += 1
        store.close()
        os._exit(refused)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 2
    assert store.update(increment) == 2


def test_a_full_store_takes_nothing_and_goes_on_once_there_is_room(tiny_store: LmdbStore) -> None:
    answered = fill(tiny_store)
    assert answered > 20
    assert tiny_store.view(count_rows) == answered
    with pytest.raises(StoreFull):
        tiny_store.update(lambda txn: txn.put(ROWS, b"large", b"x" * 100_000))
    assert tiny_store.view(count_rows) == answered
    assert tiny_store.update(lambda txn: txn.delete_range(ROWS, b"", b"\xff")) == answered
    assert fill(tiny_store) > answered // 2


def test_a_full_store_goes_on_with_a_larger_map(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path, tables.ALL, map_size=2**17)
    answered = fill(store)
    store.close()
    store = LmdbStore(tmp_path, tables.ALL, map_size=2**20)
    assert fill(store, b"more") > answered
    store.close()


def fill_the_disk_in_child(path: Path) -> None:
    """A limit on the size of files stands for a full disk: writes are cut short, then refused."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    store = LmdbStore(path, tables.ALL)
    for more in (200_000, 100_123, 300_000):
        size = (path / "data.mdb").stat().st_size + more
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        before = store.view(count_rows)
        answered = fill(store, b"%d " % more)
        assert answered > 10
        for _ in range(20):
            with suppress(StoreFull):
                store.update(lambda txn: txn.put(ROWS, b"once more", b"x" * 1_000))
        kept = store.view(lambda reading: reading.get(ROWS, b"once more"))
        assert store.view(count_rows) == before + answered + (kept is not None)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        store.update(lambda txn: txn.put(ROWS, b"room", b"x" * 100_000))
        store.update(lambda txn: txn.delete_range(ROWS, b"o", b"s"))
    assert store.failed is None
    store.close()


@pytest.mark.long
def test_a_full_disk_takes_nothing_and_the_store_goes_on_once_there_is_room(
    tmp_path: Path,
) -> None:
    in_child(fill_the_disk_in_child, tmp_path)


def open_on_a_full_disk_in_child(path: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    with pytest.raises(StoreFull):
        LmdbStore(path, tables.ALL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    LmdbStore(path, tables.ALL).close()


@pytest.mark.long
def test_a_store_cannot_be_made_on_a_full_disk(tmp_path: Path) -> None:
    in_child(open_on_a_full_disk_in_child, tmp_path)


def test_commits_are_durable(store: LmdbStore) -> None:
    flags = store._env.flags()
    assert flags["sync"]
    assert flags["metasync"]
    assert flags["lock"]
    assert not flags["writemap"]
    assert not flags["map_async"]


def view_until_killed(path: Path, pipe: Connection) -> None:
    def read(reading: Reading) -> None:
        pipe.send(reading.get(ROWS, b"key"))
        pipe.recv()

    LmdbStore(path, tables.ALL).view(read)


@pytest.mark.long
def test_the_slot_of_a_dead_reader_is_freed(store: LmdbStore) -> None:
    ours, theirs = spawning.Pipe()
    child = spawning.Process(target=view_until_killed, args=(store.folder, theirs))
    child.start()
    assert ours.poll(SECONDS)
    child.kill()
    child.join(SECONDS)
    assert str(child.pid) in store._env.readers().split()
    store.update(increment)
    assert str(child.pid) not in store._env.readers().split()


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = LmdbStore(tmp_path / "made" / "here", tables.ALL)
        store.update(increment)
        files = sorted(store.folder.iterdir())
        store.close()
    finally:
        os.umask(before)
    assert {"data.mdb", "lock.mdb"} < {file.name for file in files}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "made" / "here").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "content", [b"x", b"not a store\n" * 1_000, b"\0" * 8_192, bytes(range(256)) * 64]
)
def test_a_data_file_that_is_not_lmdb_is_corrupt(tmp_path: Path, content: bytes) -> None:
    data = tmp_path / "data.mdb"
    data.write_bytes(content)
    with pytest.raises(StoreCorrupt, match=r"data\.mdb"):
        LmdbStore(tmp_path, tables.ALL)
    assert data.read_bytes() == content


def test_a_data_file_that_was_cut_short_is_corrupt(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path, tables.ALL)
    for row in range(100):
        store.update(lambda txn, row=row: txn.put(ROWS, b"%d" % row, b"x" * 1_000))  # type: ignore[misc]
    store.close()
    data = tmp_path / "data.mdb"
    whole = data.read_bytes()
    for pages in (2, 5, len(whole) // 8_192):
        os.truncate(data, pages * 4_096)
        with pytest.raises(StoreCorrupt, match=r"data\.mdb"):
            LmdbStore(tmp_path, tables.ALL)
        data.write_bytes(whole)
    store = LmdbStore(tmp_path, tables.ALL)
    assert store.view(count_rows) == 100
    store.close()


def test_a_store_is_not_made_where_it_has_to_be_there(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "below"):
        with pytest.raises(StoreUnavailable, match="no store"):
            LmdbStore(path, tables.ALL, create=False)
    assert list(tmp_path.iterdir()) == []
    LmdbStore(tmp_path, tables.ALL).close()
    LmdbStore(tmp_path, tables.ALL, create=False).close()


def test_a_store_of_an_older_version_gets_the_tables_that_it_lacks(tmp_path: Path) -> None:
    older = LmdbStore(tmp_path, [ROWS])
    older.update(lambda txn: txn.put(ROWS, b"a", b"1"))
    older.close()
    store = LmdbStore(tmp_path, [ROWS, b"younger"])
    store.update(lambda txn: txn.put(b"younger", b"b", b"2"))
    assert store.view(lambda reading: (reading.get(ROWS, b"a"), reading.get(b"younger", b"b"))) == (
        b"1",
        b"2",
    )
    store.close()


def test_a_store_keeps_the_tables_of_a_newer_version(tmp_path: Path) -> None:
    newer = LmdbStore(tmp_path, [ROWS, b"younger"])
    newer.update(lambda txn: txn.put(b"younger", b"b", b"2"))
    newer.close()
    store = LmdbStore(tmp_path, [ROWS])
    store.update(lambda txn: txn.put(ROWS, b"a", b"1"))
    store.close()
    again = LmdbStore(tmp_path, [ROWS, b"younger"])
    assert again.view(lambda reading: reading.get(b"younger", b"b")) == b"2"
    again.close()


def test_a_table_that_is_younger_than_a_file_is_empty(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path, [ROWS])
    store.update(lambda txn: txn.put(ROWS, b"a", b"1"))
    store.close()
    with reading_file(tmp_path / "data.mdb", [ROWS, b"younger"]) as reading:
        assert reading.get(b"younger", b"a") is None
        assert reading.scan(b"younger", b"", b"\xff", limit=9) == []
        assert (reading.count(ROWS), reading.count(b"younger")) == (1, 0)


def test_a_file_without_the_first_table_is_not_a_store(tmp_path: Path) -> None:
    LmdbStore(tmp_path, [b"other"]).close()
    with (
        pytest.raises(StoreCorrupt, match="has no table rows"),
        reading_file(tmp_path / "data.mdb", [b"rows", b"other"]),
    ):
        pass


def test_a_refused_folder_is_let_go(tmp_path: Path) -> None:
    data = tmp_path / "data.mdb"
    data.write_bytes(b"not a store\n" * 1_000)
    with pytest.raises(StoreCorrupt):
        LmdbStore(tmp_path, tables.ALL)
    assert open_below(tmp_path) == []
    data.unlink()
    LmdbStore(tmp_path, tables.ALL).close()


def test_a_closed_store_leaves_no_file_open(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path, tables.ALL)
    store.update(increment)
    store.view(number)
    assert open_below(tmp_path) != []
    store.close()
    assert open_below(tmp_path) == []


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/monotron", "/dev/null"])
def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="storage folder"):
        LmdbStore(tmp_path / place, tables.ALL)


def test_a_folder_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(StoreUnavailable, match="storage folder"):
        LmdbStore("/proc/self/task", tables.ALL)


@pytest.mark.parametrize("name", ["data.mdb", "lock.mdb", "write.lock"])
def test_a_folder_in_a_files_place_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(StoreError):
        LmdbStore(tmp_path, tables.ALL)


def test_nothing_is_taken_while_the_data_file_is_not_at_its_place(
    impatient_store: LmdbStore, tmp_path: Path
) -> None:
    store = impatient_store
    store.update(lambda txn: txn.put(tables.SERIES, b"a", b"1"))
    data, aside = store.folder / "data.mdb", tmp_path / "aside.mdb"
    data.rename(aside)
    for put_there in (lambda: None, lambda: data.write_bytes(aside.read_bytes())):
        put_there()
        with pytest.raises(StoreUnavailable, match="removed or replaced while in use"):
            store.update(lambda txn: txn.put(tables.SERIES, b"a", b"2"))
        assert store.view(lambda reading: reading.get(tables.SERIES, b"a")) == b"1"
    aside.rename(data)
    store.update(lambda txn: txn.put(tables.SERIES, b"a", b"2"))
    assert store.view(lambda reading: reading.get(tables.SERIES, b"a")) == b"2"
