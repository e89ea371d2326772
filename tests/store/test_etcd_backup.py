"""`monotron backup` and `restore` on a store on etcd, which are the way between the engines too."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from monotron.app import create_app
from monotron.core import check, probe, series, stats, tables
from monotron.settings import Settings
from monotron.store import backup as backups
from monotron.store.contract import Reading, Store, StoreUnavailable, Table, Transaction
from monotron.store.data_file import verify_file
from monotron.store.etcd import etcd_pb2 as pb
from monotron.store.etcd import replacing as replacing_module
from monotron.store.etcd.address import Address
from monotron.store.etcd.client import Client
from monotron.store.etcd.replacing import replacing
from monotron.store.etcd.store import EtcdStore, initialize
from monotron.store.etcd.transaction import get
from monotron.store.lmdb import LmdbStore
from tests.commands.test_store_setting import Command
from tests.conftest import installed
from tests.store.test_backup import A_SMALL_DISK, rows_of_file
from tests.support.calls import call_in
from tests.support.etcd import Cluster, client_of
from tests.support.invariants import rows_of_store
from tests.support.moving import fill
from tests.support.service import PATIENCE, environment, run, wait_until
from tests.support.web import Api
from tests.transfer.test_export import answers, changes

# Most of them start processes.
pytestmark = pytest.mark.long

T = TypeVar("T")

NOW = 10**15
KEEP = 10_000
MANY = 1_500
"""So many rows that a table has several pages."""


@pytest.fixture
def address(etcd: Cluster) -> Address:
    """Where a new store is."""
    return etcd.new_address()


@pytest.fixture
def command(address: Address) -> Command:
    return Command(str(address))


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """A backup of a folder with two series: shop is at 12, and feature/login at 1."""
    store = LmdbStore(tmp_path / "backed up", tables.ALL)
    store.update(advance("shop", count=12))
    store.update(advance("feature/login"))
    path = tmp_path / "backup.mdb"
    backups.take(store.copy, path, tables.SERIES)
    store.close()
    return path


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@contextmanager
def opened(address: Address) -> Iterator[EtcdStore]:
    store = EtcdStore(address, tables.ALL, wait_seconds=PATIENCE)
    try:
        yield store
    finally:
        store.close()


def advance(*keys: str, count: int = 1) -> Callable[[Transaction], None]:
    """Return an update that advances series."""

    def run(txn: Transaction) -> None:
        for key in keys:
            series.advance(txn, call_in(1, now=NOW, keep=KEEP), key, count=count)

    return run


def value(store: Store, key: str) -> int | None:
    state = store.view(lambda reading: series.get(reading, 1, key))
    return None if state is None else state.value


def compact(etcdctl: str, endpoint: str) -> None:
    """Remove all revisions before the present one."""
    with client_of(endpoint) as client:
        revision = client.ask(pb.TxnRequest(), client.patience()).header.revision
    command = [etcdctl, f"--endpoints={endpoint}", "compact", "--physical", str(revision)]
    subprocess.run(command, env={**os.environ, "ETCDCTL_API": "3"}, check=True, capture_output=True)


class Watched:
    """A store whose views call a function before each scan."""

    def __init__(self, store: Store, before: Callable[[Table], object]) -> None:
        self._store = store
        self._before = before
        self.update = store.update
        self.close = store.close

    def view(self, fn: Callable[[Reading], T]) -> T:
        return self._store.view(lambda reading: fn(_WatchedReading(reading, self._before)))


class _WatchedReading:
    def __init__(self, reading: Reading, before: Callable[[Table], object]) -> None:
        self._reading = reading
        self._before = before
        self.get = reading.get

    def scan(
        self, table: Table, start: bytes, stop: bytes, *, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        self._before(table)
        return self._reading.scan(table, start, stop, limit=limit, reverse=reverse)


# Taking a backup


def test_a_backup_under_load_is_one_moment(address: Address, tmp_path: Path) -> None:
    with opened(address) as store, opened(address) as busy:
        store.update(advance(*(f"s{number:04d}" for number in range(MANY))))
        over, moved = threading.Event(), [0]

        def load() -> None:
            while not over.is_set():
                # One at each end of the tables.
                busy.update(advance("a", "z"))
                moved[0] += 1

        def wait_for_more(table: Table = tables.SERIES) -> None:
            before = moved[0]
            wait_until(lambda: moved[0] > before, "the load has gone on")

        loading = threading.Thread(target=load)
        loading.start()
        try:
            wait_for_more()
            answered = moved[0]
            path = tmp_path / "backup.mdb"
            write = partial(backups.write_rows, Watched(store, wait_for_more), tables.ALL)
            assert backups.take(write, path, tables.SERIES) == MANY + 2
        finally:
            over.set()
            loading.join()
    assert verify_file(path) == []
    copy = LmdbStore(tmp_path / "copy", tables.ALL)
    copy.close()
    path.rename(tmp_path / "copy" / "data.mdb")
    copy = LmdbStore(tmp_path / "copy", tables.ALL)
    first, last = value(copy, "a"), value(copy, "z")
    assert first is not None
    assert answered <= first < moved[0]
    assert last == first
    assert stats.history_values(copy) == MANY + first + last
    assert copy.view(check.walk).problems == []
    copy.close()


def test_a_backup_whose_revision_is_compacted_says_so_and_leaves_nothing(
    address: Address, tmp_path: Path, temporary: Path
) -> None:
    etcdctl = installed("etcd-client", "MONOTRON_REQUIRE_ETCD", "etcdctl")
    (tmp_path / "target").mkdir()
    compacted: list[Table] = []
    with opened(address) as store, opened(address) as busy:
        store.update(advance(*(f"s{number:04d}" for number in range(MANY))))

        def compact_once(table: Table) -> None:
            if table == tables.ALL[-1] and not compacted:
                busy.update(advance("a"))
                compact(etcdctl, address.endpoints[0])
                compacted.append(table)

        write = partial(backups.write_rows, Watched(store, compact_once), tables.ALL)
        with pytest.raises(StoreUnavailable, match="--auto-compaction-retention"):
            backups.take(write, tmp_path / "target" / "backup.mdb", tables.SERIES)
    assert list((tmp_path / "target").iterdir()) == list(temporary.iterdir()) == []


def test_a_backup_is_told_and_named_as_that_of_a_folder(command: Command, tmp_path: Path) -> None:
    command("next", "shop")
    folder = tmp_path / "backups"
    folder.mkdir()
    line = command("backup", str(folder))
    (path,) = folder.iterdir()
    assert line == f"{path}: {path.stat().st_size} bytes, 1 series"
    assert command("check", str(path)).endswith(f"{path} is whole")
    assert "already exists" in command.failure("backup", str(path))


def test_a_backup_can_be_piped(command: Command, address: Address, tmp_path: Path) -> None:
    command("next", "shop")
    path = tmp_path / "piped.mdb"
    with path.open("w") as file:
        ended = run("backup", "-", variables=command.variables, stdout=file)
    assert (ended.returncode, ended.stderr) == (0, "")
    with opened(address) as store:
        assert rows_of_file(path) == rows_of_store(store)


def test_without_room_for_temporary_files_a_backup_says_so_and_leaves_nothing(
    command: Command, tmp_path: Path, temporary: Path
) -> None:
    (tmp_path / "target").mkdir()
    variables = {**command.variables, "TMPDIR": str(temporary)}
    ended = run(
        *("backup", str(tmp_path / "target")),
        variables=variables,
        before=A_SMALL_DISK,
    )
    assert ended.returncode == 1
    assert ended.stderr == (f"monotron: the disk of {temporary}, for temporary files, is full\n")
    assert list((tmp_path / "target").iterdir()) == list(temporary.iterdir()) == []


# Between the engines


def test_backups_move_a_store_between_the_engines_and_every_call_is_answered_the_same(
    etcd: Cluster, command: Command, address: Address, tmp_path: Path, settings: Settings
) -> None:
    with opened(address) as store:
        fill(store, random.Random(1), 1_000)
        expected = answers(Api(create_app(store, settings)))
        kept = rows_of_store(store)
    to_folder, to_etcd = str(tmp_path / "to-folder.mdb"), str(tmp_path / "to-etcd.mdb")
    command("backup", to_folder)
    home = Command("", STORAGE_DIR=str(tmp_path / "home"))
    told = home("restore", to_folder)
    assert told.startswith(f"restored {len(kept[tables.SERIES])} series, last changed at ")
    folder = LmdbStore(tmp_path / "home", tables.ALL)
    assert rows_of_store(folder) == kept
    folder_api = Api(create_app(folder, settings))
    assert answers(folder_api) == expected
    home("backup", to_etcd)
    again = etcd.new_address()
    assert Command(str(again))("restore", to_etcd) == told
    with opened(again) as store:
        assert rows_of_store(store) == kept
        api = Api(create_app(store, settings))
        assert answers(api) == expected
        assert changes(api) == changes(folder_api)
    folder.close()


# What is refused


def test_a_damaged_backup_is_refused_and_the_store_stays(
    command: Command, backup: Path, tmp_path: Path
) -> None:
    command("next", "shop")
    short, odd = tmp_path / "short.mdb", tmp_path / "odd.mdb"
    short.write_bytes(backup.read_bytes()[:-4096])
    store = LmdbStore(tmp_path / "odd", tables.ALL)
    store.update(lambda txn: txn.put(tables.SERIES, b"odd", b"\xff"))
    backups.take(store.copy, odd, tables.SERIES)
    store.close()
    for path in (short, odd):
        assert f"{path} is damaged" in command.failure("restore", str(path), "--replace")
    missing = str(tmp_path / "missing.mdb")
    assert f"{missing} does not exist" in command.failure("restore", missing, "--replace")
    assert command("next", "shop") == "2"


def test_numbers_that_would_be_lost_are_told_and_stay(command: Command, backup: Path) -> None:
    command("next", "shop", "--count", "13")
    command("next", "new")
    line = command.failure("restore", str(backup), "--advance", "1000")
    assert "1 series would move back and 1 would be lost" in line
    assert "--replace restores it anyway" in line
    assert command("list") == "new\t1\t\nshop\t13\t"


def test_a_store_with_rows_is_replaced_only_if_that_is_wished(
    command: Command, backup: Path, address: Address
) -> None:
    command("keys", "create", "read:series")
    assert "is not empty; --replace" in command.failure("restore", str(backup))
    assert command("keys", "list") != ""
    command("restore", str(backup), "--replace")
    with opened(address) as store:
        assert rows_of_store(store) == rows_of_file(backup)
    assert command("next", "shop") == "13"


def test_a_store_that_only_a_readiness_check_has_written_to_is_empty(
    command: Command, backup: Path, address: Address
) -> None:
    with opened(address) as store:
        store.update(lambda txn: probe.write(txn, now=NOW))
        assert any(rows_of_store(store).values())
    assert command("restore", str(backup)) == (
        "restored 2 series, last changed at 2001-09-09T01:46:40.000000Z\n"
        "numbers given out after the backup was taken will be given out again"
    )
    assert command("list") == "feature/login\t1\t\nshop\t12\t"


def test_series_are_moved_up_before_the_restored_store_is_used(
    command: Command, backup: Path
) -> None:
    told = command("restore", str(backup), "--advance", "1000")
    assert told.endswith("\nmoved 2 series up by 1000")
    assert command("next", "shop") == "1013"
    assert command("check").endswith("is whole")
    assert "from 1 to 1000000" in command.failure("restore", str(backup), "--advance", "0")


def test_where_there_is_no_store_nothing_is_restored(
    etcd: Cluster, address: Address, backup: Path
) -> None:
    nowhere = Command(str(etcd.address(f"{address.prefix}-nowhere")))
    assert "monotron init" in nowhere.failure("restore", str(backup))
    nowhere("init")


def test_without_the_extra_a_restore_names_it(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "grpc.py").write_text('raise ModuleNotFoundError("no grpc", name="grpc")\n')
    nowhere = Command("etcd://a/builds", PYTHONPATH=str(tmp_path))
    line = nowhere.failure("restore", str(backup))
    assert line == (
        "monotron: the store etcd://a:2379/builds needs the extra: pip install monotron[etcd]"
    )


def test_a_store_that_is_written_to_while_it_is_accepted_stays(address: Address) -> None:
    with opened(address) as store:
        before = store.id

        def accept(present: EtcdStore | None) -> None:
            store.update(advance("shop"))

        with (
            pytest.raises(StoreUnavailable, match="in use"),
            replacing(address, tables.ALL, accept, wait_seconds=PATIENCE),
        ):
            pytest.fail("it was replaced")
        store.update(advance("shop"))
    with opened(address) as store:
        assert store.id == before
        assert len(rows_of_store(store)[tables.SERIES]) == 1


# A restore on its way


def accept_all(present: EtcdStore | None) -> None:
    """Accept what is there."""


def assert_shut_out(replica: EtcdStore) -> None:
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="replaced or removed"):
            replica.update(advance("shop"))
        with pytest.raises(StoreUnavailable, match="replaced or removed"):
            value(replica, "shop")


def test_a_replica_that_runs_answers_nothing_during_a_restore_and_after_it(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replacing_module, "REMOVED_ROWS", 2)
    with opened(address) as replica:
        replica.update(advance("shop", "app", "web"))
        with replacing(address, tables.ALL, accept_all, wait_seconds=PATIENCE) as empty:
            assert not any(rows_of_store(empty).values())
            assert_shut_out(replica)
            for opening in (lambda: EtcdStore(address, tables.ALL), lambda: initialize(address)):
                with pytest.raises(StoreUnavailable, match="has begun and not ended"):
                    opening()
            empty.update(advance("shop", count=5))
        assert_shut_out(replica)
    with opened(address) as store:
        assert len(rows_of_store(store)[tables.SERIES]) == 1
        store.update(advance("shop"))


def test_of_two_restores_the_later_one_counts(address: Address) -> None:
    with opened(address):
        pass
    with pytest.raises(StoreUnavailable, match=r"has not ended.*replaced or removed"):
        restore_twice(address)
    with opened(address) as store:
        assert (value(store, "shop"), value(store, "app")) == (2, None)


def restore_twice(address: Address) -> None:
    restoring = partial(replacing, address, tables.ALL, accept_all, wait_seconds=PATIENCE)
    with restoring() as first:
        first.update(advance("app"))
        with restoring() as second:
            assert not any(rows_of_store(second).values())
            second.update(advance("shop", count=2))
        first.update(advance("shop"))


def test_a_request_that_is_carried_out_twice_does_no_harm(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = Client.ask

    def ask_twice(client: Client, request: pb.TxnRequest, until: float) -> pb.TxnResponse:
        ask(client, request, until)
        return ask(client, request, until)

    monkeypatch.setattr(Client, "ask", ask_twice)
    with replacing(address, tables.ALL, accept_all, wait_seconds=PATIENCE) as empty:
        empty.update(advance("shop", count=5))
    with opened(address) as store:
        assert len(rows_of_store(store)[tables.SERIES]) == 1


KILLED = """
import os, signal, sys
from monotron.cli import main
from monotron.store.etcd import replacing, store

def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

if {moment!r} == "before the rows":
    store.EtcdStore.update = die
elif {moment!r} == "after the first rows":
    update = store.EtcdStore.update
    def update_once(self, fn):
        update(self, fn)
        die()
    store.EtcdStore.update = update_once
else:
    replacing._Replacement.end = die
main(sys.argv[1:])
"""
"""A command that ends as if it were killed."""


@pytest.mark.parametrize("moment", ["before the rows", "after the first rows", "before the end"])
@pytest.mark.parametrize("replaced", [False, True])
def test_a_restore_that_is_killed_is_never_taken_for_a_store(
    command: Command, address: Address, backup: Path, moment: str, replaced: bool
) -> None:
    with opened(address) as replica:
        if replaced:
            replica.update(advance("old", count=100))
        flags = ["--replace"] if replaced else []
        killed = subprocess.run(
            [sys.executable, "-c", KILLED.format(moment=moment), "restore", str(backup), *flags],
            env=environment(command.variables),
            timeout=PATIENCE,
        )
        assert killed.returncode == -signal.SIGKILL
        assert_shut_out(replica)
        for words in (["serve", "--port", "0"], ["next", "shop"], ["init"], ["backup", "-"]):
            assert "has begun and not ended" in command.failure(*words)
        command("restore", str(backup))
        assert_shut_out(replica)
    with opened(address) as store:
        assert rows_of_store(store) == rows_of_file(backup)
    assert command("next", "shop") == "13"
    with client_of(*address.endpoints) as client:
        key = f"/{address.prefix}/@restoring".encode()
        left = client.ask(pb.TxnRequest(success=[get(key)]), client.patience())
    assert not left.responses[0].response_range.kvs
