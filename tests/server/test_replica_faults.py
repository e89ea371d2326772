"""Two replicas on three members of etcd, under load, while one after another breaks.

No number is given twice, none that was answered is lost, no read goes back, and neither a token nor
an Idempotency-Key gets two numbers. Between faults everything is whole again.
"""

import http.client
import itertools
import os
import random
import shutil
import signal
import statistics
import subprocess
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from monotron.core import history, records, search, tables
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.core.search import Search
from monotron.limits import MOST_HISTORY_VALUES
from monotron.store.contract import Reading, StoreFull
from monotron.store.etcd import etcd_pb2 as pb
from monotron.store.etcd.address import Address
from monotron.store.etcd.store import EtcdStore, initialize
from monotron.store.etcd.transaction import put
from monotron.store.paging import EVERYTHING
from tests.conftest import installed, need_etcd
from tests.server.test_retry_crash import with_key
from tests.support.etcd import START_SECONDS, Cluster, Member, client_of
from tests.support.history import Answer, contradictions, longest_pause
from tests.support.invariants import faults
from tests.support.ports import new_port, new_ports
from tests.support.relay import Relay, opener
from tests.support.service import CODE, Serve, Service, ask, wait_until

pytestmark = [pytest.mark.long, pytest.mark.same_on_each_python]

FAULTS = int(os.environ.get("MONOTRON_FAULTS", "10"))
"""How many faults there are; the kinds take turns."""

SEED = int(os.environ.get("MONOTRON_FAULTS_SEED", "1"))

REPLICAS = 2
CLIENTS = 12
"""A third of them take numbers with Idempotency-Keys, another third with tokens; the rest read."""

SETTLED = 6
"""So many of them ask the other replica only if their own does not answer. The rest also ask it now
and then for what they know, so all of them may wait for one that hangs."""

HOT = "hot"

CLIENT_SECONDS = 15.0
"""How long a client waits for an answer."""

RETRY_SECONDS = 0.02
BREATH_SECONDS = 0.005
"""How long a client waits between its requests: the members need the processors too."""

QUOTA_BYTES = 48 * 2**20
JUNK = b"/junk/"


# The place


class Network:
    """The members, and relays before each, so that any two can be cut from each other."""

    def __init__(self, folder: Path) -> None:
        client_ports, peer_ports = new_ports(3), new_ports(3)
        names = [f"m{number}" for number in range(3)]
        self._peers = {
            name: Relay(port, self._member_at) for name, port in zip(names, peer_ports, strict=True)
        }
        self.cluster = Cluster(
            [
                Member(
                    name,
                    folder / name,
                    client_port,
                    # What it tells the others; the flags say where it listens.
                    self._peers[name].port,
                    (
                        *("--listen-peer-urls", f"http://127.0.0.1:{peer_port}"),
                        *("--quota-backend-bytes", str(QUOTA_BYTES)),
                    ),
                )
                for name, client_port, peer_port in zip(
                    names, client_ports, peer_ports, strict=True
                )
            ]
        )
        self._ways = [
            {member.name: Relay(member.client_port) for member in self.cluster.members}
            for _ in range(REPLICAS)
        ]

    def address(self, replica: int, prefix: str) -> Address:
        """Return the address of a store as one of the replicas reaches it."""
        relays = self._ways[replica].values()
        return Address(tuple(f"127.0.0.1:{relay.port}" for relay in relays), prefix, None)

    @contextmanager
    def cut_off(self, replica: int, *members: Member) -> Iterator[None]:
        """Keep a replica from reaching these members."""
        with ExitStack() as stack:
            for member in members:
                stack.enter_context(_cut(self._ways[replica][member.name]))
            yield

    @contextmanager
    def alone(self, member: Member) -> Iterator[None]:
        """Keep a member and its peers from reaching each other."""
        with ExitStack() as stack:
            for name, relay in self._peers.items():
                if name != member.name:
                    stack.enter_context(_cut(relay, member.name))
                    stack.enter_context(_cut(self._peers[member.name], name))
            yield

    def close(self) -> None:
        self.cluster.stop()
        for relay in [*self._peers.values(), *(r for way in self._ways for r in way.values())]:
            relay.close()

    def _member_at(self, port: int, relay: int) -> str | None:
        running = [member for member in self.cluster.members if member.process is not None]
        pids = {each.name: each.process.pid for each in running if each.process is not None}
        return opener(port, relay, pids)


@contextmanager
def _cut(relay: Relay, *source: str) -> Iterator[None]:
    relay.cut(*source)
    try:
        yield
    finally:
        relay.mend(*source)


class Replicas:
    """The replicas, each on a port that it keeps."""

    def __init__(self, serve: Serve, network: Network, clock: Path, prefix: str) -> None:
        self._serve = serve
        self._network = network
        self._variables = _moved_clock(clock)
        self._prefix = prefix
        self.services: list[Service] = []
        for number in range(REPLICAS):
            self.services.append(self._start(number, "--port", str(new_port())))
        self.ports = [service.port for service in self.services]

    def kill(self, number: int) -> None:
        self.services[number].kill()

    def restart(self, number: int) -> None:
        """Start one again, which has ended."""
        self.services[number] = self._start(number, "--port", str(self.ports[number]))

    def signal(self, number: int, which: signal.Signals) -> None:
        os.killpg(self.services[number].process.pid, which)

    def resolved(self, number: int) -> int:
        """Return how many lost answers this one has resolved since its start."""
        text = self.services[number].get("/metrics").body.decode()
        lines = [line for line in text.splitlines() if 'outcome="resolved"' in line]
        return sum(int(float(line.rpartition(" ")[2])) for line in lines)

    def _start(self, number: int, *flags: str) -> Service:
        store = str(self._network.address(number, self._prefix))
        words = ("--store", store, "--history", str(MOST_HISTORY_VALUES))
        # The folder may be none.
        return self._serve(*words, *flags, variables={**self._variables, "STORAGE_DIR": ""})


MOVED_CLOCK = """
import time
_real = time.time_ns

def _moved() -> int:
    with open({file!r}) as file:
        return _real() + int(file.read() or 0) * 1_000_000_000

time.time_ns = _moved
"""
"""Python that a process runs at its start: it moves the only clock that goes by the time of day.

libfaketime moves all of them, but with it Python's sleep fails.
"""


def _moved_clock(file: Path) -> dict[str, str]:
    """Return the variables with which a process has the clock that a file moves, by its seconds."""
    file.write_text("0")
    code = file.with_suffix(".python")
    code.mkdir()
    (code / "sitecustomize.py").write_text(MOVED_CLOCK.format(file=str(file)))
    return {"PYTHONPATH": os.pathsep.join([str(code), str(CODE)])}


# The load


@dataclass
class Clients:
    """Clients of the replicas; whoever gets no number asks again, at the other one."""

    ports: list[int]
    answers: list[Answer] = field(default_factory=list)
    by_replica: Counter[int] = field(default_factory=Counter)
    """How many numbers each replica has answered."""
    problems: Counter[str] = field(default_factory=Counter)
    """The refusals, by their types, and what else came in place of an answer."""
    broken: list[str] = field(default_factory=list)
    """What a client should never get."""

    def __enter__(self) -> "Clients":
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number,)) for number in range(CLIENTS)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def wait_for_more(self, count: int, replica: int) -> None:
        """Wait until a replica has answered with so many numbers more."""
        goal = self.by_replica[replica] + count
        wait_until(
            lambda: self.by_replica[replica] >= goal or self.broken, f"replica {replica} answers"
        )

    def wait_for_problem(self, kind: str) -> None:
        """Wait until one more client has got this."""
        before = self.problems[kind]
        wait_until(lambda: self.problems[kind] > before or self.broken, f"a client gets {kind}")

    def _run(self, number: int) -> None:
        client = _Client(number, self)
        chance = random.Random(number)
        tokens = f"tokens-{number}"
        for turn in itertools.count():
            if self._over.is_set() or self.broken:
                break
            name = f"{number}-{turn}"
            if number % 3 == 0:
                key = with_key(name)
                asked = partial(client.ask, HOT, name, "POST", f"/v1/series/{HOT}", key)
            elif number % 3 == 1:
                asked = partial(client.ask, tokens, name, "PUT", f"/v1/series/{tokens}/{name}")
            else:
                asked = partial(client.ask, HOT, None, "GET", f"/v1/series/{HOT}")
            asked()
            if number >= SETTLED and chance.random() < 0.3:
                client.move()
                asked()
            client.go_home()
            self._over.wait(BREATH_SECONDS)
        client.close()

    def is_over(self, seconds: float = 0) -> bool:
        return self._over.wait(seconds)


class _Client:
    def __init__(self, number: int, clients: Clients) -> None:
        self._all = clients
        self._home = self._replica = number % REPLICAS
        self._connect()

    def ask(
        self,
        of: str,
        name: str | None,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Ask until there is an answer; a read is asked for once."""
        begin = time.monotonic()
        while not self._all.is_over():
            value = self._ask_once(method, path, headers)
            if value is not None:
                self._all.answers.append(Answer(of, value, begin, time.monotonic(), name))
                if name is not None:
                    self._all.by_replica[self._replica] += 1
                return
            self.move()
            if name is None or self._all.broken:
                return
            self._all.is_over(RETRY_SECONDS)

    def move(self) -> None:
        """Go on with the other replica."""
        self.close()
        self._replica = (self._replica + 1) % REPLICAS
        self._connect()

    def go_home(self) -> None:
        """Go on with its own replica."""
        while self._replica != self._home:
            self.move()

    def close(self) -> None:
        self._connection.close()

    def _connect(self) -> None:
        port = self._all.ports[self._replica]
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=CLIENT_SECONDS)

    def _ask_once(self, method: str, path: str, headers: dict[str, str] | None) -> int | None:
        try:
            answer = ask(self._connection, method, path, headers=headers)
        except (OSError, http.client.HTTPException) as error:
            self._all.problems[type(error).__name__] += 1
            return None
        if answer.status == 200:
            return answer.value
        if answer.status in (503, 507):
            self._all.problems[str(answer.json["type"]).rpartition(":")[2]] += 1
        else:
            self._all.broken.append(f"{method} {path}: {answer.status} {answer.body!r}")
        return None


# Faults


@dataclass
class Place:
    """Everything that can break."""

    network: Network
    replicas: Replicas
    clients: Clients
    clock: Path
    chance: random.Random

    @property
    def cluster(self) -> Cluster:
        return self.network.cluster

    def a_follower(self) -> Member:
        return self.chance.choice(self.cluster.followers())

    def a_replica(self) -> int:
        return self.chance.randrange(REPLICAS)

    def last(self, low: float, high: float) -> None:
        """Let a fault last for a while."""
        time.sleep(self.chance.uniform(low, high))


def _killed(place: Place, member: Member) -> None:
    member.kill()
    place.last(2, 4)
    member.start(place.cluster.peers)


def _stopped(place: Place, member: Member) -> None:
    member.signal(signal.SIGSTOP)
    place.last(2, 5)
    member.signal(signal.SIGCONT)


def leader_killed(place: Place) -> None:
    _killed(place, place.cluster.leader())


def leader_stopped(place: Place) -> None:
    _stopped(place, place.cluster.leader())


def leader_cut_from_its_peers(place: Place) -> None:
    with place.network.alone(place.cluster.leader()):
        place.last(3, 6)


def replica_cut_from_the_leader(place: Place) -> None:
    with place.network.cut_off(place.a_replica(), place.cluster.leader()):
        place.last(2, 4)


def replica_cut_from_all_members(place: Place) -> None:
    with place.network.cut_off(place.a_replica(), *place.cluster.members):
        place.last(3, 7)


def replica_killed(place: Place) -> None:
    number = place.a_replica()
    place.replicas.kill(number)
    place.last(0, 1)
    place.replicas.restart(number)


def replica_stopped(place: Place) -> None:
    number = place.a_replica()
    place.replicas.signal(number, signal.SIGSTOP)
    place.last(1, 4)
    place.replicas.signal(number, signal.SIGCONT)


def all_members_killed(place: Place) -> None:
    for member in place.cluster.members:
        member.kill()
    place.last(0, 1)
    for member in place.cluster.members:
        member.start(place.cluster.peers)


def replicas_upgraded(place: Place) -> None:
    """End each in turn as an upgrade does, and start another in its place."""
    for number, service in enumerate(place.replicas.services):
        assert service.stop() == 0
        place.replicas.restart(number)
        place.clients.wait_for_more(5, number)


def database_full(place: Place) -> None:
    """Fill the database, and make room as docs/cluster.md says."""
    cluster = place.cluster
    with client_of(*(each.endpoint for each in cluster.members)) as client:
        for number in itertools.count():
            row = put(JUNK + b"%d" % number, bytes(2**20))
            try:
                client.ask(pb.TxnRequest(success=[row]), time.monotonic() + START_SECONDS)
            except StoreFull:
                break
    place.clients.wait_for_problem("store-full")
    etcdctl(cluster, "del", "--prefix", JUNK.decode())
    compact(cluster, "--physical")
    etcdctl(cluster, "defrag")
    etcdctl(cluster, "alarm", "disarm")


def follower_killed(place: Place) -> None:
    _killed(place, place.a_follower())


def follower_stopped(place: Place) -> None:
    _stopped(place, place.a_follower())


def follower_cut_from_its_peers(place: Place) -> None:
    with place.network.alone(place.a_follower()):
        place.last(3, 6)


def clocks_jump(place: Place) -> None:
    """Move the clocks of the replicas, and back; answers are kept for a day."""
    place.clock.write_text(str(place.chance.choice([-7_200, -50, 50, 7_200])))
    place.last(1, 2)
    place.clock.write_text("0")


def slow_disk(place: Place) -> None:
    """Delay each sync of a member's disk."""
    program = installed("strace", "MONOTRON_REQUIRE_ETCD", "strace")
    process = place.chance.choice(place.cluster.members).process
    assert process is not None
    words = ["-f", "-qq", "-o", "/dev/null", "-e", "inject=fdatasync:delay_enter=200000"]
    tracer = subprocess.Popen([program, *words, "-p", str(process.pid)])
    place.last(3, 5)
    tracer.terminate()
    tracer.wait()


KINDS: tuple[Callable[[Place], None], ...] = (
    leader_killed,
    replica_killed,
    leader_cut_from_its_peers,
    replica_cut_from_all_members,
    leader_stopped,
    replica_stopped,
    all_members_killed,
    replicas_upgraded,
    replica_cut_from_the_leader,
    database_full,
    follower_killed,
    slow_disk,
    clocks_jump,
    follower_stopped,
    follower_cut_from_its_peers,
)
"""The first ones break most."""


def etcdctl(cluster: Cluster, *words: str) -> str:
    program = installed("etcd-client", "MONOTRON_REQUIRE_ETCD", "etcdctl")
    endpoints = ",".join(member.endpoint for member in cluster.members)
    return subprocess.run(
        [program, "--endpoints", endpoints, "--command-timeout", "60s", *words],
        env={**os.environ, "ETCDCTL_API": "3"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def compact(cluster: Cluster, *flags: str) -> None:
    """Remove all revisions but the present one."""
    with client_of(cluster.members[0].endpoint) as client:
        revision = client.status(time.monotonic() + START_SECONDS).header.revision
    etcdctl(cluster, "compact", *flags, str(revision))


@dataclass(frozen=True)
class Fault:
    kind: str
    begin: float
    end: float
    """When all was whole again."""


def run_faults(place: Place) -> list[Fault]:
    done = list[Fault]()
    resolved = dict[int, int]()
    for number in range(FAULTS):
        cause = KINDS[number % len(KINDS)]
        begin = time.monotonic()
        cause(place)
        ended = time.monotonic()
        place.cluster.wait_until_whole()
        for replica, service in enumerate(place.replicas.services):
            wait_until(lambda service=service: service.get("/readyz").status == 200, "it is ready")  # type: ignore[misc]
            place.clients.wait_for_more(10, replica)
            resolved[service.process.pid] = place.replicas.resolved(replica)
        compact(place.cluster)
        done.append(Fault(cause.__name__, begin, time.monotonic()))
        print(
            f"{number + 1:>3} {cause.__name__:<30} lasted {ended - begin:4.1f} s, "
            f"whole after {done[-1].end - ended:4.1f} s; {len(place.clients.answers)} answers, "
            f"{sum(resolved.values())} resolved, {dict(place.clients.problems)}",
            flush=True,
        )
        assert place.clients.broken == []
    return done


def table(done: list[Fault], answers: list[Answer]) -> str:
    """Return the longest time without a number, for each kind of fault."""
    pauses = defaultdict[str, list[float]](list)
    for fault in done:
        pauses[fault.kind].append(longest_pause(answers, fault.begin, fault.end))
    lines = [f"{'seconds without a number':<30} times median worst"]
    lines += [
        f"{kind:<30} {len(its):>5} {statistics.median(its):>6.1f} {max(its):>5.1f}"
        for kind, its in pauses.items()
    ]
    return "\n".join(lines)


def numbers_kept(reading: Reading, names: Iterable[str]) -> dict[str, dict[str, int]]:
    """Return the number of each token and Idempotency-Key, in each series.

    The store has a digest of a key. One that is not among these names stands for itself.
    """
    kept = defaultdict[str, dict[str, int]](dict)
    name_of = {records.retry_row_key(FIRST_ACCOUNT, name): name for name in names}
    start, stop = EVERYTHING
    while rows := reading.scan(tables.RETRIES, start, stop, limit=1_000):
        for row_key, row in rows:
            kept[HOT][name_of.get(row_key, row_key.hex())] = records.unpack_retry(row).value
        start = rows[-1][0] + b"\0"
    for each in search.by_key(
        reading, FIRST_ACCOUNT, Search("tokens-"), after=None, limit=100
    ).items:
        its = history.page(reading, each, keep=MOST_HISTORY_VALUES, limit=MOST_HISTORY_VALUES)
        for taken in its.items:
            # Of two numbers of a token one is missing then.
            kept[each.key].setdefault(str(taken.token), taken.value)
    return kept


# The checker


def answers(*seen: tuple[str | None, int, float, float]) -> list[Answer]:
    return [Answer(HOT, value, begin, end, name) for name, value, begin, end in seen]


def test_what_can_be_true_is_no_contradiction() -> None:
    seen = answers(
        ("a", 1, 0, 1),
        # Side by side, the later number may be answered first, and a read may see either.
        ("b", 3, 1.5, 3),
        ("c", 2, 1.5, 4),
        (None, 1, 1.5, 2),
        (None, 3, 1.5, 4),
        # A repeat gets what it had.
        ("a", 1, 5, 6),
    )
    # The answer of one never came.
    assert contradictions(seen, {HOT: {"a": 1, "b": 3, "c": 2, "d": 4}}) == []


@pytest.mark.parametrize(
    ("seen", "kept", "told"),
    [
        (answers(("a", 1, 0, 1), ("b", 1, 0, 1)), {"a": 1, "b": 1}, "1 was given twice"),
        (answers(("a", 1, 0, 1), ("a", 2, 2, 3)), {"a": 1, "b": 2}, "a got [1, 2]"),
        (answers(("a", 1, 0, 1)), {}, "a was answered 1, but it has None"),
        (answers(("a", 1, 0, 1)), {"a": 2, "b": 1}, "a was answered 1, but it has 2"),
        (answers(("a", 1, 0, 1), ("b", 2, 0, 1)), {"a": 1, "b": 1}, "not each kept once"),
        (answers(("a", 1, 0, 1), ("b", 2, 0, 1), (None, 1, 2, 3)), None, "read began after 2"),
        (answers((None, 2, 0, 1), (None, 1, 2, 3)), None, "read began after 2"),
        (answers(("b", 2, 0, 1), ("a", 1, 2, 3)), {"a": 1, "b": 2}, "a began after 2 was seen: 1"),
    ],
)
def test_what_cannot_be_true_is_found(
    seen: list[Answer], kept: dict[str, int] | None, told: str
) -> None:
    names = {each.name: each.value for each in seen if each.name is not None}
    found = contradictions(seen, {HOT: names if kept is None else kept})
    assert any(told in each for each in found), found


def test_a_pause_is_between_two_new_numbers() -> None:
    seen = answers(("a", 1, 0, 1), ("b", 2, 1, 2), ("a", 1, 3, 4), (None, 2, 4, 5), ("c", 3, 5, 9))
    assert longest_pause(seen, 1.5, 10) == 7
    # What comes later belongs to the next fault.
    assert longest_pause(seen, 1.5, 4) == 2


# The faults


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    need_etcd()
    network = Network(tmp_path / "members")
    try:
        (tmp_path / "members").mkdir()
        network.cluster.start()
        yield network
    finally:
        network.close()
        shutil.rmtree(tmp_path / "members", ignore_errors=True)


@pytest.mark.alone
def test_every_answer_holds_whatever_breaks(network: Network, serve: Serve, tmp_path: Path) -> None:
    straight = network.cluster.address("builds")
    initialize(straight, wait_seconds=START_SECONDS)
    clock = tmp_path / "clock"
    replicas = Replicas(serve, network, clock, "builds")
    first = replicas.services[0].ask("POST", f"/v1/series/{HOT}", headers=with_key("first"))
    assert first.value == 1
    clients = Clients(replicas.ports)
    with clients:
        place = Place(network, replicas, clients, clock, random.Random(SEED))
        for replica in range(REPLICAS):
            clients.wait_for_more(10, replica)
        done = run_faults(place)
    store = EtcdStore(straight, tables.ALL, wait_seconds=START_SECONDS)
    names = {answer.name for answer in clients.answers if answer.name is not None}
    kept = store.view(lambda reading: numbers_kept(reading, names))
    found = faults(store)
    store.close()
    numbers = [answer for answer in clients.answers if answer.name is not None]
    print(f"{len(numbers)} answers with numbers, {len(clients.answers) - len(numbers)} reads")
    print(table(done, clients.answers), flush=True)
    assert contradictions(clients.answers, kept) == []
    assert found == []
