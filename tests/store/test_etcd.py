"""What only the store on etcd promises: several replicas, lost answers, a full database."""

import itertools
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from monotron.core import tables
from monotron.store.contract import (
    MAX_VALUE_BYTES,
    Reading,
    StoreError,
    StoreFull,
    StoreUnavailable,
    StoreUncertain,
    Transaction,
    UpdateTooLarge,
)
from monotron.store.etcd import client as client_module
from monotron.store.etcd import etcd_pb2 as pb
from monotron.store.etcd import writer as writer_module
from monotron.store.etcd.address import Address
from monotron.store.etcd.client import Client, Lost
from monotron.store.etcd.store import EtcdStore, StoreNotInitialized, initialize
from tests.conftest import installed, need_etcd
from tests.support.etcd import Cluster, client_of, cluster
from tests.support.leaping_clock import LeapingClock

ROWS = tables.SERIES
EVERYTHING = (b"", b"\xff" * 600)
PATIENCE = 20.0
"""How long a store on a busy machine may take, in seconds."""


@pytest.fixture
def address(etcd: Cluster) -> Address:
    """Where a new store is."""
    return etcd.new_address()


@pytest.fixture
def replicas(address: Address) -> Iterator[tuple[EtcdStore, EtcdStore]]:
    """Two replicas of a new store."""
    one, other = (EtcdStore(address, tables.ALL, wait_seconds=PATIENCE) for _ in range(2))
    yield one, other
    one.close()
    other.close()


@pytest.fixture
def one(replicas: tuple[EtcdStore, EtcdStore]) -> EtcdStore:
    return replicas[0]


@pytest.fixture
def other(replicas: tuple[EtcdStore, EtcdStore]) -> EtcdStore:
    return replicas[1]


def increment(txn: Transaction) -> int:
    number = int(txn.get(ROWS, b"number") or b"0") + 1
    txn.put(ROWS, b"number", b"%d" % number)
    return number


def number_of(store: EtcdStore) -> int:
    return int(store.view(lambda reading: reading.get(ROWS, b"number")) or b"0")


def putting(*keys: bytes, value: bytes = b"value") -> Callable[[Transaction], None]:
    def put(txn: Transaction) -> None:
        for key in keys:
            txn.put(ROWS, key, value)

    return put


def keys_in(address: Address) -> list[bytes]:
    """Return every key below the prefix of a store."""
    prefix = f"/{address.prefix}/".encode()
    request = pb.RangeRequest(key=prefix, range_end=prefix[:-1] + b"0")
    with client_of(*address.endpoints, wait_seconds=PATIENCE) as client:
        operation = pb.RequestOp(request_range=request)
        answer = client.ask(pb.TxnRequest(success=[operation]), client.patience())
    return [row.key.removeprefix(prefix) for row in answer.responses[0].response_range.kvs]


def remove(address: Address, *keys: bytes) -> None:
    """Remove keys of a store behind its back."""
    prefix = f"/{address.prefix}/".encode()
    requests = [pb.DeleteRangeRequest(key=prefix + key) for key in keys]
    operations = [pb.RequestOp(request_delete_range=request) for request in requests]
    with client_of(*address.endpoints, wait_seconds=PATIENCE) as client:
        client.ask(pb.TxnRequest(success=operations), client.patience())


# Opening


def test_a_store_is_opened_only_where_one_was_made(etcd: Cluster) -> None:
    address = etcd.address("never-made")
    with pytest.raises(StoreNotInitialized, match="monotron init --store etcd://"):
        EtcdStore(address, tables.ALL)


def test_a_store_is_made_once(address: Address) -> None:
    with pytest.raises(StoreUnavailable, match="already"):
        initialize(address)


def test_where_nobody_answers_opening_fails_in_time() -> None:
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="does not answer"):
        EtcdStore(Address(("127.0.0.1:1", "127.0.0.1:2"), "", None), tables.ALL, wait_seconds=0.3)
    assert time.monotonic() - began < PATIENCE


def test_stores_whose_prefixes_begin_alike_share_no_row(etcd: Cluster) -> None:
    outer = etcd.new_address()
    stores = []
    for prefix in (outer.prefix, f"{outer.prefix}/series", f"{outer.prefix}x"):
        address = etcd.address(prefix)
        if address != outer:
            initialize(address, wait_seconds=PATIENCE)
        stores.append(EtcdStore(address, tables.ALL, wait_seconds=PATIENCE))
    for store in stores:
        assert store.update(increment) == 1
        rows = store.view(lambda reading: reading.scan(ROWS, *EVERYTHING, limit=9))
        assert rows == [(b"number", b"1")]
    for store in stores:
        store.close()


def test_nothing_is_taken_in_a_store_that_has_been_replaced(
    address: Address, one: EtcdStore
) -> None:
    assert one.update(increment) == 1
    remove(address, b"@id")
    initialize(address, wait_seconds=PATIENCE)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="replaced"):
            one.update(increment)
        with pytest.raises(StoreUnavailable, match="replaced"):
            number_of(one)
    reopened = EtcdStore(address, tables.ALL, wait_seconds=PATIENCE)
    assert number_of(reopened) == 1
    reopened.close()


def test_a_replica_that_ends_leaves_nothing_behind(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "CLOSE_SECONDS", PATIENCE)
    store = EtcdStore(address, tables.ALL, wait_seconds=PATIENCE)
    store.update(increment)
    assert len(keys_in(address)) == 3
    store.close()
    assert keys_in(address) == [b"@id", b"@rows/series/number"]


# Replicas


def test_no_number_is_given_by_two_replicas(replicas: tuple[EtcdStore, EtcdStore]) -> None:
    with ThreadPoolExecutor(16) as pool:
        numbers = list(pool.map(lambda call: replicas[call % 2].update(increment), range(600)))
    assert sorted(numbers) == list(range(1, 601))


def test_what_a_replica_has_answered_every_other_one_sees(
    replicas: tuple[EtcdStore, EtcdStore],
) -> None:
    for turn in range(20):
        number = replicas[turn % 2].update(increment)
        assert number_of(replicas[1 - turn % 2]) == number


def test_a_replica_that_knows_an_older_state_does_not_answer_from_it(
    one: EtcdStore, other: EtcdStore
) -> None:
    class TooLow(Exception):
        pass

    def refuse_below_2(txn: Transaction) -> int:
        number = int(txn.get(ROWS, b"number") or b"0")
        if number < 2:
            raise TooLow
        return number

    one.update(increment)
    other.update(increment)
    assert one.update(refuse_below_2) == 2
    other.update(increment)
    assert one.update(lambda txn: txn.get(ROWS, b"number")) == b"3"


MANY = [b"many/%03d" % number for number in range(200)]


def read_row(txn: Reading) -> object:
    return txn.get(ROWS, b"some/3")


def read_missing_row(txn: Reading) -> object:
    return txn.get(ROWS, b"some/missing")


def read_short_range(txn: Reading) -> object:
    return txn.scan(ROWS, b"some/", b"some0", limit=8)


def read_last(txn: Reading) -> object:
    return txn.scan(ROWS, b"some/", b"some0", limit=1, reverse=True)


def read_long_range(txn: Reading) -> object:
    return txn.scan(ROWS, b"many/", b"many0", limit=500)


def read_many_rows(txn: Reading) -> object:
    return [txn.get(ROWS, key) for key in MANY]


def read_page_by_page(txn: Reading) -> object:
    pages = [txn.scan(ROWS, b"many/%02d" % n, b"many/%02d:" % n, limit=200) for n in range(20)]
    return [row for page in pages for row in page]


LARGE = (read_many_rows, read_page_by_page)
"""Reads so much that an update runs once to find it out, and then begins anew."""

PHANTOMS: list[tuple[Callable[[Reading], object], str, bytes]] = [
    (read_row, "put", b"some/3"),
    (read_row, "delete", b"some/3"),
    (read_missing_row, "put", b"some/missing"),
    (read_short_range, "put", b"some/3"),
    (read_short_range, "put", b"some/new"),
    (read_short_range, "delete", b"some/3"),
    (read_last, "put", b"some/new"),
    (read_last, "delete", b"some/4"),
    (read_long_range, "put", b"many/007"),
    (read_long_range, "put", b"many/new"),
    (read_long_range, "delete", b"many/007"),
    (read_many_rows, "put", b"many/199"),
    (read_many_rows, "delete", b"many/000"),
    (read_page_by_page, "put", b"many/1999"),
    (read_page_by_page, "delete", b"many/150"),
]


@pytest.mark.parametrize(
    ("read", "change", "key"),
    PHANTOMS,
    ids=[f"{read.__name__}-{change}-{key.decode()}" for read, change, key in PHANTOMS],
)
def test_an_update_runs_again_if_another_replica_changes_what_it_has_read(
    one: EtcdStore,
    other: EtcdStore,
    read: Callable[[Reading], object],
    change: str,
    key: bytes,
) -> None:
    """Once everything is known, the other replica changes it, just before the commit."""
    other.update(putting(*MANY, *(b"some/%d" % number for number in range(5))))
    before = other.view(read)
    seen: list[object] = []

    def change_it(txn: Transaction) -> None:
        if change == "put":
            txn.put(ROWS, key, b"changed")
        else:
            txn.delete(ROWS, key)

    def read_and_write(txn: Transaction) -> object:
        found = read(txn)
        if len(seen) == (read in LARGE):
            other.update(change_it)
        seen.append(found)
        txn.put(ROWS, b"written", repr(found).encode())
        return found

    result = one.update(read_and_write)
    assert seen[0] == before
    assert result == other.view(read) != before
    assert other.view(lambda reading: reading.get(ROWS, b"written")) == repr(result).encode()


def test_an_update_runs_again_if_a_row_is_removed_between_two_of_its_reads(
    one: EtcdStore, other: EtcdStore
) -> None:
    """The second read brings the removals of the table as they are by then."""
    other.update(putting(*MANY, *(b"more/%03d" % number for number in range(50))))
    turns = 0

    def read_twice(txn: Transaction) -> tuple[int, int]:
        nonlocal turns
        first = len(txn.scan(ROWS, b"many/", b"many0", limit=500))
        turns += 1
        if turns == 1:
            other.update(lambda theirs: theirs.delete(ROWS, b"many/007"))
        second = len(txn.scan(ROWS, b"more/", b"more0", limit=500))
        txn.put(ROWS, b"written", b"%d" % first)
        return first, second

    assert one.update(read_twice) == (len(MANY) - 1, 50)


def test_an_update_may_write_and_remove_thousands_of_rows(one: EtcdStore) -> None:
    many = [b"%06d" % number for number in range(9_000)]
    one.update(putting(*many))
    assert one.count()[ROWS] == len(many)
    assert one.update(lambda txn: txn.delete_range(ROWS, *EVERYTHING)) == len(many)
    assert one.count()[ROWS] == 0


def test_an_update_that_is_too_large_is_refused_and_others_are_not(one: EtcdStore) -> None:
    large = bytes(MAX_VALUE_BYTES)
    with ThreadPoolExecutor(8) as pool:
        too_large = pool.submit(
            one.update, putting(*(b"large %d" % number for number in range(9)), value=large)
        )
        numbers = list(pool.map(lambda _: one.update(increment), range(50)))
        with pytest.raises(UpdateTooLarge):
            too_large.result()
    assert sorted(numbers) == list(range(1, 51))
    assert one.view(lambda reading: reading.get(ROWS, b"large 0")) is None


# Lost answers


class Network:
    """What happens to the next transactions of all replicas, instead of their being answered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.faults: list[str] = []
        self.held: list[tuple[Client, pb.TxnRequest]] = []
        self._send = Client.send
        network = self
        monkeypatch.setattr(client_module, "TRY_SECONDS", PATIENCE)

        def send(client: Client, request: pb.TxnRequest, until: float) -> pb.TxnResponse:
            return network.carry(client, request, until)

        monkeypatch.setattr(Client, "send", send)

    def carry(self, client: Client, request: pb.TxnRequest, until: float) -> pb.TxnResponse:
        fault = self.faults.pop(0) if self.faults else "none"
        if fault == "request lost":
            self.held.append((client, request))
            raise Lost(fault)
        answer = self._send(client, request, until)
        if fault == "answer lost":
            raise Lost(fault)
        return answer

    def let_late_ones_arrive(self) -> list[bool]:
        """Carry out the requests that were lost; return which of them were kept."""
        late, self.held = self.held, []
        return [
            self._send(client, request, client.patience()).succeeded for client, request in late
        ]


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network(monkeypatch)


@pytest.fixture
def leaping(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store's patience ends soon if nobody answers, however long it is."""
    leap(monkeypatch)


def leap(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = LeapingClock()
    for module in (client_module, writer_module):
        monkeypatch.setattr(module, "time", clock)


@pytest.mark.parametrize(
    "faults",
    [
        ["answer lost"],
        ["request lost"],
        ["request lost", "request lost", "answer lost"],
        ["request lost", "answer lost"],
        ["answer lost", "answer lost"],
        ["answer lost", "request lost", "answer lost", "request lost"],
    ],
    ids=", ".join,
)
def test_a_lost_answer_is_resolved_and_takes_one_number(
    one: EtcdStore, network: Network, faults: list[str]
) -> None:
    assert one.update(increment) == 1
    network.faults = list(faults)
    assert one.update(increment) == 2
    assert network.faults == []
    assert not any(network.let_late_ones_arrive())
    assert number_of(one) == 2
    assert one.update(increment) == 3


def test_a_commit_that_arrives_after_the_next_one_is_not_kept(
    one: EtcdStore, network: Network
) -> None:
    one.update(increment)
    network.faults = ["request lost"]
    one.update(putting(b"first"))
    one.update(putting(b"second"))
    assert network.let_late_ones_arrive() == [False]
    assert number_of(one) == 1


@pytest.mark.usefixtures("leaping")
def test_where_a_lost_answer_cannot_be_resolved_its_caller_is_told(
    address: Address, network: Network
) -> None:
    store = EtcdStore(address, tables.ALL, wait_seconds=PATIENCE)
    assert store.update(increment) == 1
    network.faults = ["answer lost"] + ["request lost"] * 1_000
    with pytest.raises(StoreUncertain, match="not known"):
        store.update(increment)
    network.faults = []
    assert not any(network.let_late_ones_arrive())
    # It was kept, and is not taken again.
    assert store.update(increment) == 3
    store.close()


@pytest.mark.usefixtures("leaping")
def test_a_commit_of_unknown_outcome_is_not_kept_after_a_later_one(
    address: Address, network: Network
) -> None:
    store = EtcdStore(address, tables.ALL, wait_seconds=PATIENCE)
    store.update(increment)
    network.faults = ["request lost"] * 1_000
    with pytest.raises(StoreUncertain):
        store.update(increment)
    network.faults = []
    assert store.update(increment) == 2
    assert not any(network.let_late_ones_arrive())
    assert number_of(store) == 2
    store.close()


@pytest.mark.usefixtures("leaping")
def test_a_commit_of_unknown_outcome_that_arrives_before_a_later_one_counts_once(
    address: Address, network: Network
) -> None:
    store = EtcdStore(address, tables.ALL, wait_seconds=PATIENCE)
    store.update(increment)
    network.faults = ["request lost"] * 1_000
    with pytest.raises(StoreUncertain):
        store.update(increment)
    network.faults = []
    assert network.let_late_ones_arrive()[0]
    assert number_of(store) == 2
    assert store.update(increment) == 3
    store.close()


def test_a_replica_whose_mark_is_gone_makes_another(address: Address, one: EtcdStore) -> None:
    one.update(increment)
    (mark,) = (key for key in keys_in(address) if key.startswith(b"@mark/"))
    remove(address, mark)
    assert one.update(increment) == 2
    assert one.update(increment) == 3


# Failures


def test_without_etcd_calls_fail_in_time_and_go_on_once_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_etcd()
    with cluster(tmp_path / "etcd", 1) as alone:
        store = EtcdStore(alone.new_address(), tables.ALL, wait_seconds=PATIENCE)
        assert store.update(increment) == 1
        alone.members[0].kill()
        with monkeypatch.context() as while_it_is_away:
            leap(while_it_is_away)
            # The first one may have been sent.
            with pytest.raises(StoreUnavailable):
                store.update(increment)
            with pytest.raises(StoreUnavailable, match="does not answer"):
                number_of(store)
        alone.start()
        assert store.update(increment) == 2
        store.close()


@pytest.fixture
def late_answers_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A member has as long to answer as a store waits: there is no other one to ask."""
    monkeypatch.setattr(client_module, "TRY_SECONDS", PATIENCE)


@pytest.mark.usefixtures("late_answers_count")
def test_a_full_database_takes_nothing_and_goes_on_once_there_is_room(tmp_path: Path) -> None:
    need_etcd()
    etcdctl = installed("etcd-client", "MONOTRON_REQUIRE_ETCD", "etcdctl")
    with cluster(tmp_path / "etcd", 1, "--quota-backend-bytes", str(4 * 2**20)) as small:
        store = EtcdStore(small.new_address(), tables.ALL, wait_seconds=PATIENCE)
        assert store.update(increment) == 1
        filling = putting(b"filling", value=os.urandom(2**18))
        with pytest.raises(StoreFull, match="quota"):
            list(map(store.update, [filling] * 100))
        for _ in range(2):
            with pytest.raises(StoreFull, match="nothing was taken"):
                store.update(increment)
        assert number_of(store) == 1
        # What writes nothing needs no room.
        assert store.update(lambda txn: txn.get(ROWS, b"number")) == b"1"

        def ctl(*arguments: str) -> str:
            command = [etcdctl, f"--endpoints={small.members[0].endpoint}", *arguments]
            environ = {**os.environ, "ETCDCTL_API": "3"}
            return subprocess.run(
                command, env=environ, check=True, capture_output=True, text=True
            ).stdout

        with client_of(small.members[0].endpoint) as client:
            revision = client.ask(pb.TxnRequest(), client.patience()).header.revision
        ctl("compact", "--physical", str(revision))
        ctl("defrag")
        ctl("alarm", "disarm")
        assert store.update(increment) == 2
        store.close()


@pytest.mark.usefixtures("late_answers_count")
def test_an_update_that_is_told_to_have_no_room_was_not_kept(tmp_path: Path) -> None:
    """Etcd itself says that of what it has kept too, if others filled the database meanwhile."""
    need_etcd()
    with cluster(tmp_path / "cluster", 1, "--quota-backend-bytes", str(4 * 2**20)) as full:
        address = full.new_address()
        replicas = [EtcdStore(address, tables.ALL, wait_seconds=PATIENCE) for _ in range(8)]

        def fill(replica: int) -> bytes:
            for number in itertools.count():
                key = b"%d-%d" % (replica, number)
                try:
                    replicas[replica].update(putting(key, value=bytes(4_000)))
                except StoreFull:
                    return key
            raise AssertionError

        with ThreadPoolExecutor(len(replicas)) as pool:
            refused = list(pool.map(fill, range(len(replicas))))
        rows = replicas[0].view(lambda reading: [reading.get(ROWS, key) for key in refused])
        assert rows == [None] * len(refused)
        for replica in replicas:
            replica.close()


def test_a_view_never_waits_for_a_commit(one: EtcdStore) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(txn: Transaction) -> None:
        txn.get(ROWS, b"number")
        begun.set()
        assert go_on.wait(PATIENCE)

    with ThreadPoolExecutor(1) as pool:
        update = pool.submit(one.update, slow)
        assert begun.wait(PATIENCE)
        assert number_of(one) == 0
        go_on.set()
        update.result()


def test_figures_tell_how_large_the_database_is(one: EtcdStore) -> None:
    figures = {figure.name: figure.value for figure in one.figures()}
    assert 0 < figures["database_used_bytes"] <= figures["database_size_bytes"]
    assert 0 <= figures["last_answer_seconds"] < PATIENCE


def test_every_failure_is_one_of_the_contract(address: Address) -> None:
    store = EtcdStore(address, tables.ALL, wait_seconds=PATIENCE)
    store.close()
    for call in (lambda: store.update(increment), lambda: number_of(store), store.count):
        with pytest.raises(StoreError, match="closed"):
            call()
