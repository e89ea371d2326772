"""`monotron backup` and `restore`: a copy taken beside a busy service, and put back."""

import os
import pty
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

import lmdb as py_lmdb
import pytest

from monotron.core import attributes, check, records, series, tables
from monotron.limits import LAST_VALUE
from monotron.store import backup as backups
from monotron.store import lmdb
from monotron.store.contract import Reading, StoreCorrupt, StoreUnavailable, Table, Transaction
from monotron.store.data_file import reading_file, verify_file
from monotron.store.lmdb import LmdbStore
from monotron.store.lock import OpenLock
from tests.conftest import held
from tests.support import service
from tests.support.calls import call_in
from tests.support.descriptors import open_below
from tests.support.service import Load, Serve, Service, run, wait_until

# Most of them start processes.
pytestmark = pytest.mark.long

NOW = 10**15
EVERYTHING = (b"", b"\xff" * 512)
A_SMALL_DISK = (
    "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))"
)
Rows = dict[Table, list[tuple[bytes, bytes]]]


class Command:
    """Runs subcommands on a storage folder."""

    def __init__(self, folder: Path) -> None:
        self.variables = {"STORAGE_DIR": str(folder)}

    def __call__(self, *arguments: str | Path) -> list[str]:
        """Return the lines that it prints; it must succeed."""
        ended = run(*map(str, arguments), variables=self.variables)
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout.splitlines()

    def failure(self, *arguments: str | Path, before: str = "") -> str:
        """Return the one line on stderr; it must fail with status 1."""
        ended = run(*map(str, arguments), variables=self.variables, before=before)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr.startswith("monotron: ")
        assert ended.stderr.count("\n") == 1, ended.stderr
        return ended.stderr


@pytest.fixture
def command(folder: Path) -> Command:
    return Command(folder)


def rows(reading: Reading) -> Rows:
    return {table: reading.scan(table, *EVERYTHING, limit=10**6) for table in tables.ALL}


def rows_of_file(path: Path) -> Rows:
    assert verify_file(path) == []
    with reading_file(path, tables.ALL) as reading:
        return rows(reading)


def change(folder: Path, *changes: Callable[[Transaction], object]) -> None:
    """Change the store in a folder, which is created if it is missing."""
    store = LmdbStore(folder, tables.ALL)
    for each in changes:
        store.update(each)
    store.close()


def advance(key: str, count: int = 1, account: int = 1) -> Callable[[Transaction], object]:
    return lambda txn: series.advance(txn, call_in(account, now=NOW), key, count=count)


def values(folder: Path) -> dict[str, int]:
    """Return the series of the store in a folder."""
    return {
        state.key: state.value
        for state in (
            records.unpack_series(*row) for row in rows_of_file(folder / "data.mdb")[tables.SERIES]
        )
    }


@pytest.fixture
def stored(folder: Path) -> Path:
    """The storage folder, with two series in it."""
    change(
        folder,
        advance("shop", 12),
        advance("feature/login"),
        lambda txn: attributes.put(txn, 1, "shop", "token", {"log": "x" * 60_000}),
    )
    return folder


@pytest.fixture
def backup(stored: Path, command: Command, tmp_path: Path) -> Path:
    """A backup of it."""
    path = tmp_path / "backup.mdb"
    command("backup", path)
    return path


# Taking a backup


def test_a_backup_under_load_holds_every_number_answered_before_it_and_is_whole(
    serve: Serve, command: Command, tmp_path: Path
) -> None:
    running = serve("--workers", "2")
    files = [tmp_path / f"{turn}.mdb" for turn in range(3)]
    with Load(running, clients=8) as load:
        answered = []
        for file in files:
            load.wait_for_more(50)
            answered.append(len(load.answered))
            command("backup", file)
        load.wait_for_more(50)
    assert (load.unanswered, load.cut, load.broken) == (0, 0, [])
    # Which are the numbers up to there: a client has the next in hand only after the answer.
    for file, count in zip(files, answered, strict=True):
        with reading_file(file, tables.ALL) as reading:
            state = series.get(reading, 1, "load")
            assert check.walk(reading).problems == []
        assert verify_file(file) == []
        assert state is not None
        assert max(load.answered[:count]) <= state.value < max(load.answered)


def test_a_restored_store_gives_exactly_what_the_backup_has(
    serve: Serve, command: Command, tmp_path: Path, folder: Path
) -> None:
    running = serve()
    running.put("/v1/series/shop/7d4c379588")
    running.put("/v1/tokens/shop/7d4c379588/attrs", b'{"author": "me"}')
    with Load(running, clients=8) as load:
        load.wait_for_more(50)
        command("backup", tmp_path / "backup.mdb")
    assert running.stop() == 0
    elsewhere = tmp_path / "elsewhere"
    Command(elsewhere)("restore", tmp_path / "backup.mdb")
    assert rows_of_file(elsewhere / "data.mdb") == rows_of_file(tmp_path / "backup.mdb")
    again = serve("--storage-dir", str(elsewhere))
    value = again.get("/v1/series/load").value
    assert again.get("/v1/history/load?limit=1000").json["history"][0]["value"] == value
    assert set(range(1, value + 1)) <= set(load.answered)
    assert again.put("/v1/series/shop/7d4c379588").value == 1
    assert again.get("/v1/tokens/shop/7d4c379588/attrs").json == {"author": "me"}
    assert again.take("/v1/series/load") == value + 1


def test_a_backup_says_its_name_its_size_and_how_many_series_it_has(
    stored: Path, command: Command, tmp_path: Path
) -> None:
    path = tmp_path / "backup.mdb"
    (line,) = command("backup", path)
    assert line == f"{path}: {path.stat().st_size} bytes, 2 series"
    assert rows_of_file(path) == rows_of_file(stored / "data.mdb")


def test_a_backup_has_no_free_pages(stored: Path, command: Command, tmp_path: Path) -> None:
    change(stored, lambda txn: attributes.delete_all(txn, 1, "shop"))
    path = tmp_path / "backup.mdb"
    command("backup", path)
    assert path.stat().st_size < (stored / "data.mdb").stat().st_size - 60_000
    command("restore", path)
    store = LmdbStore(stored, tables.ALL)
    usage = store.usage()
    store.close()
    assert usage.free_pages == 0
    assert usage.used_pages * usage.page_bytes == usage.file_bytes == path.stat().st_size


@pytest.mark.parametrize("slash", ["", "/"])
def test_in_a_folder_a_backup_is_named_after_the_time(
    stored: Path, command: Command, tmp_path: Path, slash: str
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    before = datetime.now(timezone.utc).replace(microsecond=0)
    (line,) = command("backup", f"{folder}{slash}")
    after = datetime.now(timezone.utc)
    (path,) = folder.iterdir()
    assert line.startswith(f"{path}: ")
    taken = datetime.strptime(path.name, "monotron-%Y%m%dT%H%M%SZ.mdb").replace(tzinfo=timezone.utc)
    assert before <= taken <= after


def test_a_backup_is_for_its_owner_only(backup: Path) -> None:
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


@pytest.mark.parametrize("kind", ["file", "folder's file", "dangling link"])
def test_a_backup_never_takes_the_place_of_a_file(
    stored: Path, command: Command, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "there"
    if kind == "dangling link":
        path.symlink_to(tmp_path / "nowhere")
    else:
        path.write_text("kept")
    before = set(tmp_path.iterdir())
    target = stored / "data.mdb" if kind == "folder's file" else path
    assert "already" in command.failure("backup", target)
    assert set(tmp_path.iterdir()) == before
    if kind == "file":
        assert path.read_text() == "kept"


def test_a_file_that_comes_meanwhile_is_not_replaced_either(tmp_path: Path) -> None:
    partial, path = tmp_path / "partial", tmp_path / "path"
    partial.write_text("new")
    path.write_text("kept")
    with pytest.raises(FileExistsError):
        backups._name(partial, path)
    assert path.read_text() == "kept"


def test_a_backup_that_fails_leaves_nothing(stored: Path, command: Command, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    line = command.failure("backup", tmp_path / "backup.mdb", before=A_SMALL_DISK)
    assert str(tmp_path / "backup.mdb") in line
    assert "too large" in line
    line = command.failure("backup", f"{tmp_path}/nowhere/")
    assert f"{tmp_path}/nowhere/" in line
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_backup_that_is_ended_leaves_nothing(
    stored: Path, command: Command, tmp_path: Path, number: signal.Signals
) -> None:
    before = set(tmp_path.iterdir())
    with held(stored):
        waiting = subprocess.Popen(
            [*service.COMMAND, "backup", str(tmp_path / "backup.mdb")],
            env=service.environment(command.variables),
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_until(lambda: has_open(waiting.pid, stored / "write.lock"), "the command waits")
        waiting.send_signal(number)
        _, err = waiting.communicate(timeout=service.PATIENCE)
    assert (waiting.returncode, err) == (130, "monotron: interrupted\n")
    assert set(tmp_path.iterdir()) == before


def has_open(pid: int, file: Path) -> bool:
    with suppress(FileNotFoundError):
        return any(
            os.path.realpath(each) == str(file) for each in Path(f"/proc/{pid}/fd").iterdir()
        )
    return False


def test_a_backup_can_be_piped(stored: Path, command: Command, tmp_path: Path) -> None:
    path = tmp_path / "piped.mdb"
    with path.open("w") as file:
        ended = run("backup", "-", variables=command.variables, stdout=file)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert rows_of_file(path) == rows_of_file(stored / "data.mdb")


def test_a_reader_of_a_backup_that_goes_makes_it_fail_quietly(
    stored: Path, command: Command
) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as gone:
        ended = run("backup", "-", variables=command.variables, stdout=gone)
    assert (ended.returncode, ended.stderr) == (1, "")


def test_a_piped_backup_that_has_no_room_fails_with_one_line(
    stored: Path, command: Command
) -> None:
    with Path("/dev/full").open("w") as full:
        ended = run("backup", "-", variables=command.variables, stdout=full)
    assert ended.returncode == 1
    assert ended.stderr == "monotron: the output cannot be written: No space left on device\n"


def test_a_backup_is_not_written_to_a_terminal(stored: Path, command: Command) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb"), os.fdopen(theirs, "w") as terminal:
        ended = run("backup", "-", variables=command.variables, stdout=terminal)
    assert ended.returncode == 1
    assert "terminal" in ended.stderr


def test_where_there_is_no_store_a_backup_fails_and_makes_nothing(
    folder: Path, command: Command, tmp_path: Path
) -> None:
    assert str(folder) in command.failure("backup", tmp_path / "backup.mdb")
    assert list(tmp_path.iterdir()) == []


# Restoring


def test_a_backup_is_restored_into_a_folder_that_is_made(
    backup: Path, stored: Path, tmp_path: Path
) -> None:
    new = tmp_path / "a" / "b"
    assert Command(new)("restore", backup) == [
        "restored 2 series, last changed at 2001-09-09T01:46:40.000000Z",
        "numbers given out after the backup was taken will be given out again",
    ]
    assert (
        rows_of_file(new / "data.mdb") == rows_of_file(backup) == rows_of_file(stored / "data.mdb")
    )
    assert {file.name for file in new.iterdir()} == {"data.mdb", "open.lock"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in new.iterdir()} == {0o600}
    assert stat.S_IMODE(new.stat().st_mode) == 0o700


def test_a_backup_is_restored_over_a_store_that_is_not_beyond_it(
    backup: Path, stored: Path, command: Command
) -> None:
    change(stored, lambda txn: series.delete(txn, 1, "shop"))
    assert values(stored) == {"feature/login": 1}
    assert len(command("restore", backup)) == 2
    assert rows_of_file(stored / "data.mdb") == rows_of_file(backup)
    assert not (stored / "lock.mdb").exists()
    assert command("next", "shop") == ["13"]


def test_a_store_that_a_service_has_open_is_not_restored_even_with_replace(
    serve: Serve, backup: Path, folder: Path, command: Command
) -> None:
    running = serve("--workers", "2")
    before = rows_of_file(folder / "data.mdb")
    for flags in ([], ["--replace"], ["--replace", "--advance", "5"]):
        assert "in use" in command.failure("restore", backup, *flags)
    assert rows_of_file(folder / "data.mdb") == before
    assert running.take("/v1/series/shop") == 13
    running.kill()
    # The kernel has freed what the killed one held.
    command("restore", backup, "--replace")
    assert values(folder)["shop"] == 12


def test_a_store_that_a_command_has_open_is_not_restored(
    backup: Path, stored: Path, command: Command
) -> None:
    store = LmdbStore(stored, tables.ALL)
    assert "in use" in command.failure("restore", backup, "--replace")
    store.close()
    command("restore", backup)


def test_series_that_would_go_back_are_told_and_stay(
    backup: Path, stored: Path, command: Command
) -> None:
    change(stored, advance("shop"), advance("feature/login"), advance("new"))
    before = (stored / "data.mdb").read_bytes()
    line = command.failure("restore", backup)
    assert "2 series would move back" in line
    assert "1 would be lost" in line
    assert "'feature/login' of account 1 is at 2, but the backup has 1" in line
    assert (stored / "data.mdb").read_bytes() == before
    assert sorted(file.name for file in stored.iterdir()) == [
        *("data.mdb", "lock.mdb", "open.lock", "turn.lock", "write.lock")
    ]
    command("restore", backup, "--replace")
    assert values(stored) == {"feature/login": 1, "shop": 12}


def test_a_series_that_the_backup_has_not_stays(
    backup: Path, stored: Path, command: Command
) -> None:
    change(stored, advance("new", 3))
    assert "'new' of account 1 is at 3, but the backup does not have it" in command.failure(
        "restore", backup
    )
    assert values(stored)["new"] == 3


def test_a_series_of_another_account_counts_too(
    backup: Path, stored: Path, command: Command
) -> None:
    change(stored, advance("shop", 3, account=7))
    assert "'shop' of account 7" in command.failure("restore", backup)


def test_series_are_moved_up_before_the_restored_store_is_used(
    backup: Path, stored: Path, command: Command, serve: Serve
) -> None:
    change(stored, advance("shop", 5))
    lines = command("restore", backup, "--replace", "--advance", "1000")
    assert lines[1:] == ["moved 2 series up by 1000"]
    assert values(stored) == {"feature/login": 1001, "shop": 1012}
    assert command("check")[-1].endswith("is whole")
    running = serve()
    assert running.take("/v1/series/shop") == 1013
    assert running.get("/v1/history/shop").json["history"][1]["value"] == 12


def test_a_series_near_its_end_is_moved_to_its_last_value_and_named(
    folder: Path, command: Command, tmp_path: Path
) -> None:
    keys = {"at the end": LAST_VALUE, "near": LAST_VALUE - 999, "just": LAST_VALUE - 1_000}
    change(
        folder,
        lambda txn: [
            series.seed(txn, call_in(1, now=NOW), key, value) for key, value in keys.items()
        ],
    )
    command("backup", tmp_path / "backup.mdb")
    lines = command("restore", tmp_path / "backup.mdb", "--advance", "1000")
    assert lines[1] == "moved 3 series up by 1000"
    assert [line.split("'")[1] for line in lines[2:]] == ["at the end", "near"]
    assert f"was at {LAST_VALUE - 999}" in lines[3]
    assert set(values(folder).values()) == {LAST_VALUE}


def test_more_series_than_a_page_are_all_moved_up_and_once(
    folder: Path, command: Command, tmp_path: Path
) -> None:
    change(
        folder,
        lambda txn: [
            series.advance(txn, call_in(1, now=NOW), f"s{n}", count=n) for n in range(1, 2_502)
        ],
    )
    command("backup", tmp_path / "backup.mdb")
    assert "moved 2501 series up by 7" in command(
        "restore", tmp_path / "backup.mdb", "--advance", "7"
    )
    assert values(folder) == {f"s{n}": n + 7 for n in range(1, 2_502)}


@pytest.mark.parametrize("by", ["0", "-1", "1000001", "9" * 30])
def test_a_wrong_distance_is_refused_and_changes_nothing(
    backup: Path, tmp_path: Path, by: str
) -> None:
    line = Command(tmp_path / "new").failure("restore", backup, f"--advance={by}")
    assert "from 1 to 1000000" in line
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("content", [b"", b"x", b"SQLite format 3\0" * 1000])
def test_what_is_no_backup_is_refused_and_the_store_stays(
    stored: Path, command: Command, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "file").write_bytes(content)
    before = (stored / "data.mdb").read_bytes()
    assert str(tmp_path / "file") in command.failure("restore", tmp_path / "file", "--replace")
    assert (stored / "data.mdb").read_bytes() == before
    assert not (stored / ".restore").exists()


def test_an_lmdb_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.mdb"
    with py_lmdb.open(str(path), subdir=False, lock=False) as env, env.begin(write=True) as txn:
        txn.put(b"key", b"value")
    assert "no table series" in Command(tmp_path / "new").failure("restore", path)
    assert not (tmp_path / "new" / "data.mdb").exists()


@pytest.mark.parametrize("cut", [1, 4096, 40_000])
def test_a_backup_that_was_cut_short_is_refused(backup: Path, tmp_path: Path, cut: int) -> None:
    os.truncate(backup, backup.stat().st_size - cut)
    assert "damaged" in Command(tmp_path / "new").failure("restore", backup)
    assert not (tmp_path / "new" / "data.mdb").exists()


def test_a_backup_with_damaged_rows_is_refused(
    stored: Path, command: Command, tmp_path: Path
) -> None:
    change(stored, lambda txn: txn.delete(tables.SERIES, records.series_row_key(1, "shop")))
    command("backup", tmp_path / "backup.mdb")
    line = Command(tmp_path / "new").failure("restore", tmp_path / "backup.mdb")
    assert "'shop'" in line
    assert not (tmp_path / "new" / "data.mdb").exists()


def test_a_damaged_store_is_replaced_only_where_that_is_wished(
    backup: Path, stored: Path, command: Command
) -> None:
    os.truncate(stored / "data.mdb", 3 * 4096)
    assert "--replace" in command.failure("restore", backup)
    command("restore", backup, "--replace")
    assert rows_of_file(stored / "data.mdb") == rows_of_file(backup)


@pytest.mark.parametrize("name", ["nothing", ""])
def test_a_backup_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    assert str(tmp_path) in Command(tmp_path / "new").failure("restore", tmp_path / name)
    assert not (tmp_path / "new").exists()


def test_a_backup_from_before_there_was_a_history_is_whole_and_can_be_restored(
    tmp_path: Path, folder: Path, command: Command
) -> None:
    path = tmp_path / "old.mdb"
    # As version 1 of the row had it: value, made, changed.
    old = b"\1" + b"".join(number.to_bytes(8, "big") for number in (41, NOW, NOW)) + b"token"
    with (
        py_lmdb.open(str(path), subdir=False, lock=False, max_dbs=4, map_size=2**20) as env,
        env.begin(write=True) as txn,
    ):
        txn.put(records.series_row_key(1, "shop"), old, db=env.open_db(b"series", txn))
        env.open_db(b"system", txn)
    assert command("check", path)[-1] == f"{path} is whole"
    command("restore", path, "--advance", "1")
    assert command("next", "shop") == ["43"]
    assert command("check")[-1].endswith("is whole")


def test_a_restore_without_room_leaves_the_store_as_it_was(
    backup: Path, stored: Path, command: Command
) -> None:
    before = (stored / "data.mdb").read_bytes()
    assert "too large" in command.failure("restore", backup, "--replace", before=A_SMALL_DISK)
    assert (stored / "data.mdb").read_bytes() == before
    assert not (stored / ".restore").exists()


def test_a_restore_killed_at_any_moment_leaves_the_old_store_or_the_new_one(
    folder: Path, command: Command, tmp_path: Path
) -> None:
    change(
        folder,
        lambda txn: [series.advance(txn, call_in(1, now=NOW), f"s{n}") for n in range(5_000)],
    )
    command("backup", tmp_path / "backup.mdb")
    change(folder, advance("s0"))
    old, new = {2}, {1_001}
    for delay in (0.0, 0.02, 0.05, 0.1, 0.2):
        restoring = subprocess.Popen(
            [*service.COMMAND, "restore", tmp_path / "backup.mdb", "--replace", "--advance=1000"],
            env=service.environment(command.variables),
            stdout=subprocess.DEVNULL,
        )
        wait_until(
            lambda running=restoring: (
                running.poll() is not None  # type: ignore[misc]
                or (folder / ".restore" / "data.mdb").exists()
            ),
            "the restore has begun",
        )
        # Another moment each time; whichever it is, what is asserted holds.
        time.sleep(delay)
        restoring.kill()
        restoring.wait(service.PATIENCE)
        assert {values(folder)["s0"]} in (old, new)
        assert command("check")[-1].endswith("is whole")
    command("restore", tmp_path / "backup.mdb", "--replace", "--advance=1000")
    assert values(folder)["s0"] == 1_001
    assert not (folder / ".restore").exists()


# An open store


@pytest.fixture
def open_lock(tmp_path: Path) -> Iterator[OpenLock]:
    lock = OpenLock(tmp_path)
    yield lock
    lock.close()


def test_a_store_is_not_opened_while_it_is_restored(
    open_lock: OpenLock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lmdb, "OPEN_SECONDS", 0.1)
    assert open_lock.take_alone()
    before = open_below(tmp_path)
    with pytest.raises(StoreUnavailable, match="being restored"):
        LmdbStore(tmp_path, tables.ALL)
    assert open_below(tmp_path) == before
    open_lock.close()
    LmdbStore(tmp_path, tables.ALL).close()


def test_who_opens_a_store_waits_for_a_restore_to_end(stored: Path, command: Command) -> None:
    lock = OpenLock(stored)
    assert lock.take_alone()
    opening = subprocess.Popen(
        [*service.COMMAND, "next", "shop"],
        env=service.environment(command.variables),
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: has_open(opening.pid, stored / "open.lock"), "it has the lock's file open")
    lock.close()
    out, _ = opening.communicate(timeout=service.PATIENCE)
    assert (opening.returncode, out) == (0, "13\n")


def test_a_store_counts_as_open_until_the_last_has_closed_it(
    open_lock: OpenLock, tmp_path: Path
) -> None:
    store = LmdbStore(tmp_path, tables.ALL)
    assert not open_lock.take_alone()
    store.close()
    assert open_lock.take_alone()


def test_a_store_that_cannot_be_opened_does_not_count_as_open(
    open_lock: OpenLock, tmp_path: Path
) -> None:
    (tmp_path / "data.mdb").write_bytes(b"not a store\n" * 1_000)
    with pytest.raises(StoreCorrupt):
        LmdbStore(tmp_path, tables.ALL)
    assert open_lock.take_alone()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_does_not_keep_its_parents_store_open(
    open_lock: OpenLock, tmp_path: Path
) -> None:
    store = LmdbStore(tmp_path, tables.ALL)
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(write_end)
        os.read(read_end, 1)
        os._exit(0)
    os.close(read_end)
    try:
        # The child has the parent's files only until it has let go of them.
        assert not open_lock.take_alone()
        store.close()
        wait_until(open_lock.take_alone, "the store is nobody's")
        assert os.waitpid(pid, os.WNOHANG) == (0, 0)
    finally:
        os.close(write_end)
        os.waitpid(pid, 0)


def test_workers_have_the_store_open_and_the_watching_process_has_not(
    serve: Serve, folder: Path
) -> None:
    running: Service = serve("--workers", "2")
    assert not has_open(running.process.pid, folder / "open.lock")
    assert all(has_open(pid, folder / "open.lock") for pid in running.workers())
