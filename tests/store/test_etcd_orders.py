"""Whatever becomes of single requests to etcd, in any order, every answer of its store holds.

Two replicas make a few calls, each through a proxy of its own to the same member. Hypothesis
chooses the calls, and the fate of each transaction: it is overtaken by calls of the other replica,
it lands late or twice or never, its answer is lost or takes too long. Nothing runs side by side,
and the clock stands still unless a fate moves it, so each order happens on purpose, and happens
again.

Then there must be an order of the calls, one after another, that explains every answer. It explains
that no number was given twice, that each is there at the end, that a call which failed took
nothing, and that no read went back.
"""

import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monotron.core import records, retries, series, tables
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.core.call import Call
from monotron.store.contract import (
    Reading,
    Store,
    StoreError,
    StoreUncertain,
    Table,
    Transaction,
)
from monotron.store.etcd import client, mark, turns, writer
from monotron.store.etcd import etcd_pb2 as pb
from monotron.store.etcd.store import EtcdStore
from monotron.store.paging import EVERYTHING
from monotron.waiting import BlockedThread, BlockedThreads
from tests.support.calls import call_in
from tests.support.etcd import Cluster
from tests.support.etcd_proxy import Broken, CarryOut, Full, Proxy, Silent, proxies, untouched
from tests.support.invariants import faults
from tests.support.leaping_clock import LeapingClock
from tests.support.linearizable import Called, explains
from tests.support.service import PATIENCE

ORDERS = int(os.environ.get("MONOTRON_ORDERS", "120"))
"""How many orders are tried; more find more."""

WAIT_SECONDS = 30.0
"""How long a call tries, by the clock of the test."""

SHOP = "shop"
NOTE: Table = b"note"
SLIPS: Table = b"slips"
TABLES = (*tables.ALL, NOTE, SLIPS)

FEW_SLIPS, MANY_SLIPS = 2, 10
"""A store compares each of a few rows that were seen in a range, but not of many."""

_calls = itertools.count(1)


def new_call() -> Call:
    return call_in(FIRST_ACCOUNT, now=next(_calls))


class State(NamedTuple):
    """What the calls change."""

    value: int = 0
    token: str | None = None
    retries: frozenset[tuple[str, int]] = frozenset()
    note: int = 0
    slips: tuple[int, ...] = ()


Result: TypeAlias = int | State | str | None


class Refused(Exception):
    """A rule refuses the call."""


# Calls: what each does to a store, and what the rules say


@dataclass(frozen=True)
class Take:
    """Take a number, or with the current token the same again."""

    token: str | None = None

    def run(self, txn: Transaction) -> Result:
        return series.advance(txn, new_call(), SHOP, token=self.token).value

    def apply(self, state: State) -> tuple[State, Result]:
        if self.token is not None and self.token == state.token:
            return state, state.value
        after = state._replace(value=state.value + 1, token=self.token)
        return after, after.value


@dataclass(frozen=True)
class Retry:
    """Take a number once for an Idempotency-Key."""

    key: str

    def run(self, txn: Transaction) -> Result:
        call = new_call()
        request = records.request_digest(SHOP)
        return retries.once(
            txn, call, self.key, request, lambda: series.advance(txn, call, SHOP).value
        )

    def apply(self, state: State) -> tuple[State, Result]:
        known = dict(state.retries).get(self.key)
        if known is not None:
            return state, known
        after, value = Take().apply(state)
        assert isinstance(value, int)
        return after._replace(retries=state.retries | {(self.key, value)}), value


@dataclass(frozen=True)
class Note:
    """Write a row without a look at it."""

    number: int

    def run(self, txn: Transaction) -> Result:
        txn.put(NOTE, b"note", b"%d" % self.number)
        return None

    def apply(self, state: State) -> tuple[State, Result]:
        return state._replace(note=self.number), None


@dataclass(frozen=True)
class Append:
    """Put a slip behind the last one."""

    def run(self, txn: Transaction) -> Result:
        last = txn.scan(SLIPS, *EVERYTHING, limit=1, reverse=True)
        number = number_of(last[0][0]) + 1 if last else 1
        txn.put(SLIPS, key_of(number), b"")
        return number

    def apply(self, state: State) -> tuple[State, Result]:
        number = state.slips[-1] + 1 if state.slips else 1
        return state._replace(slips=(*state.slips, number)), number


@dataclass(frozen=True)
class Drop:
    """Look at all slips and drop the first, if enough are left."""

    left: int

    def run(self, txn: Transaction) -> Result:
        slips = txn.scan(SLIPS, *EVERYTHING, limit=100)
        if len(slips) <= self.left:
            raise Refused
        txn.delete(SLIPS, slips[0][0])
        return number_of(slips[0][0])

    def apply(self, state: State) -> tuple[State, Result]:
        if len(state.slips) <= self.left:
            return state, "refused"
        return state._replace(slips=state.slips[1:]), state.slips[0]


@dataclass(frozen=True)
class Clear:
    """Drop all slips."""

    def run(self, txn: Transaction) -> Result:
        return txn.delete_range(SLIPS, *EVERYTHING)

    def apply(self, state: State) -> tuple[State, Result]:
        return state._replace(slips=()), len(state.slips)


@dataclass(frozen=True)
class Look:
    """Read everything."""

    def run(self, reading: Reading) -> Result:
        found = series.get(reading, FIRST_ACCOUNT, SHOP)
        kept = [
            (key, reading.get(tables.RETRIES, records.retry_row_key(FIRST_ACCOUNT, key)))
            for key in RETRY_KEYS
        ]
        return State(
            value=found.value if found else 0,
            token=found.token if found else None,
            retries=frozenset((key, records.unpack_retry(row).value) for key, row in kept if row),
            note=int(reading.get(NOTE, b"note") or b"0"),
            slips=tuple(number_of(key) for key, _ in reading.scan(SLIPS, *EVERYTHING, limit=100)),
        )

    def apply(self, state: State) -> tuple[State, Result]:
        return state, state


Update: TypeAlias = Take | Retry | Note | Append | Drop | Clear


def key_of(slip: int) -> bytes:
    return b"%06d" % slip


def number_of(key: bytes) -> int:
    return int(key)


# Fates


@dataclass(frozen=True)
class Fate:
    """What becomes of a transaction."""

    before: int = 0
    """How many steps of the other replica come before it is carried out."""
    times: int = 1
    """How often it is carried out at once."""
    late: int | None = None
    """If not None, it is carried out after so many more transactions that write."""
    after: int = 0
    """How many steps of the other replica come before it is answered."""
    is_slow: bool = False
    """Whether its answer comes when its replica has waited for so long as it may."""
    is_lost: bool = False
    """Whether no answer comes at all."""
    is_full: bool = False
    """Whether the answer is that the database is full. Etcd says that of what it has carried out as
    well, where it had room for it when it came."""


PLAIN = Fate()


@dataclass(frozen=True)
class Step:
    """What one replica is asked for at a moment: updates that share a batch, or a look."""

    replica: int
    updates: tuple[Update, ...] = ()
    writes: tuple[Fate, ...] = ()
    """What becomes of its transactions that write; of any more, nothing."""
    reads: tuple[Fate, ...] = ()


class Clock:
    """The time, as the engine sees it."""

    def __init__(self) -> None:
        self._now = 1_000.0

    def monotonic(self) -> float:
        return self._now

    perf_counter = monotonic

    def sleep(self, seconds: float) -> None:
        self._now += seconds


class Together(BlockedThreads):
    """Lets a batch begin once all of its updates are waiting."""

    def __init__(self) -> None:
        self._arrived = threading.Semaphore(0)
        self._write: Callable[[], None] | None = None

    def may_block(self) -> bool:
        return False

    def begin(self) -> "Arriving":
        return Arriving(self._arrived)

    def start(self, write: Callable[[], None]) -> None:
        self._write = write

    def wait_for_one(self) -> None:
        """Wait until one more update is waiting."""
        assert self._arrived.acquire(timeout=PATIENCE)

    def begin_batch(self) -> None:
        assert self._write is not None
        self._write()


class Arriving(BlockedThread):
    """A wait whose begin is noticed if it is an update's: that of a read has no limit."""

    def __init__(self, arrived: threading.Semaphore) -> None:
        super().__init__()
        self._arrived = arrived

    def wait(self, seconds: float | None) -> bool:
        if seconds is not None:
            self._arrived.release()
        return super().wait(seconds)


class Replica:
    """A replica, and the fates of the next transactions of its step."""

    def __init__(self, number: int, store: EtcdStore, waiting: Together, proxy: Proxy) -> None:
        self.number = number
        self.store = store
        self.waiting = waiting
        self.proxy = proxy
        self.writes = deque[Fate]()
        self.reads = deque[Fate]()


class Order:
    """Runs the steps, and notes each call."""

    def __init__(self, replicas: Sequence[Replica], steps: Sequence[Step], clock: Clock) -> None:
        self.calls: list[Called[State]] = []
        self._replicas = replicas
        self._steps = list(steps)
        self._clock = clock
        self._now = itertools.count()
        self._held: list[tuple[int, CarryOut]] = []
        self._is_overtaking = False
        for replica in replicas:
            replica.proxy.between = self._between(replica)

    def run(self) -> None:
        while self._steps:
            self._run_step(self._steps.pop(0))
        for replica in self._replicas:
            replica.proxy.wait_until_idle()
            replica.proxy.between = untouched
        for _, carry_out in self._held:
            _carry_out_unheard(carry_out)

    def look(self, store: Store) -> None:
        """Note the state at the end."""
        called = Called[State](Look(), "at the end", next(self._now))
        called.answer = store.view(Look().run)
        called.end = next(self._now)
        self.calls.append(called)

    # Steps

    def _run_step(self, step: Step) -> None:
        replica = self._replicas[step.replica]
        replica.writes, replica.reads = deque(step.writes), deque(step.reads)
        if not step.updates:
            self._call(replica, Look(), lambda: replica.store.view(Look().run))
            return
        called = self._run_batch(replica, step.updates)
        # Whoever does not know whether it has a number asks again, and gets the same.
        repeated = tuple(
            each.action
            for each in called
            if each.is_unknown and isinstance(each.action, Take | Retry)
        )
        if repeated:
            again = replica.number if self._is_overtaking else 1 - replica.number
            self._run_batch(self._replicas[again], repeated)

    def _run_batch(self, replica: Replica, updates: Sequence[Update]) -> list[Called[State]]:
        began = len(self.calls)
        threads = list[threading.Thread]()
        for update in updates:
            thread = threading.Thread(target=self._update, args=(replica, update))
            thread.start()
            replica.waiting.wait_for_one()
            threads.append(thread)
        replica.waiting.begin_batch()
        for thread in threads:
            thread.join()
        return self.calls[began:]

    def _update(self, replica: Replica, update: Update) -> None:
        self._call(replica, update, lambda: replica.store.update(update.run))

    def _call(self, replica: Replica, action: Update | Look, ask: Callable[[], Result]) -> None:
        called = Called[State](action, f"replica {replica.number}", next(self._now))
        try:
            called.answer = ask()
        except Refused:
            called.answer = "refused"
        except StoreUncertain:
            called.is_unknown = True
        except StoreError:
            # Nothing was taken: no answer may need it.
            return
        if not called.is_unknown:
            called.end = next(self._now)
        self.calls.append(called)

    # Transactions

    def _between(self, replica: Replica) -> Callable[[pb.TxnRequest, CarryOut], pb.TxnResponse]:
        def decide(request: pb.TxnRequest, carry_out: CarryOut) -> pb.TxnResponse:
            is_write = writes(request)
            fates = replica.writes if is_write else replica.reads
            fate = fates.popleft() if fates else PLAIN
            self._let_overtake(replica, fate.before)
            if is_write:
                self._land()
            answer: pb.TxnResponse | None = None
            for _ in range(fate.times):
                answer = carry_out()
            if is_write and fate.late is not None:
                self._held.append((fate.late, carry_out))
            self._let_overtake(replica, fate.after)
            if fate.is_slow:
                self._clock.sleep(2 * WAIT_SECONDS)
            if fate.is_full:
                raise Full
            if fate.is_lost or answer is None:
                raise Broken
            return answer

        return decide

    def _land(self) -> None:
        """Carry out what was held until now."""
        due = [carry_out for left, carry_out in self._held if left == 0]
        self._held = [(left - 1, carry_out) for left, carry_out in self._held if left > 0]
        for carry_out in due:
            _carry_out_unheard(carry_out)

    def _let_overtake(self, replica: Replica, count: int) -> None:
        """Run the next steps of the other replica, unless it is itself in the middle of one."""
        if self._is_overtaking:
            return
        self._is_overtaking = True
        for _ in range(count):
            theirs = (at for at, step in enumerate(self._steps) if step.replica != replica.number)
            at = next(theirs, None)
            if at is not None:
                self._run_step(self._steps.pop(at))
        self._is_overtaking = False


def writes(request: pb.TxnRequest) -> bool:
    return any(each.HasField("request_put") for each in request.success)


def _carry_out_unheard(carry_out: CarryOut) -> None:
    """Carry out what nobody hears the answer of; it may be refused."""
    try:
        carry_out()
    except grpc.RpcError:
        return


RETRY_KEYS = ("first", "second")

KINDS: tuple[st.SearchStrategy[Update], ...] = (
    st.builds(Take),
    st.builds(Take, st.sampled_from(["x", "y"])),
    st.builds(Retry, st.sampled_from(RETRY_KEYS)),
    st.builds(Note, st.integers(1, 9)),
    st.builds(Append),
    st.builds(Drop, st.sampled_from([0, MANY_SLIPS - 2])),
    st.builds(Clear),
)

OVERTAKING = st.sampled_from([0, 0, 1, 1, 2])
LATER = (0, 1, 2, 3)

BECOMES = (
    *(
        PLAIN,
        PLAIN,
        PLAIN,
        Fate(is_lost=True),
        Fate(is_slow=True),
        Fate(is_slow=True, is_lost=True),
    ),
    *(Fate(is_full=True), Fate(times=0, is_full=True)),
    *(Fate(times=0), Fate(times=0, is_slow=True), Fate(times=2), Fate(times=2, is_lost=True)),
    *(Fate(times=0, late=late) for late in LATER),
    *(Fate(times=0, late=late, is_slow=True) for late in LATER),
    *(Fate(late=late, is_lost=is_lost) for late in LATER for is_lost in (False, True)),
)

WRITES = st.builds(
    lambda becomes, before, after: replace(becomes, before=before, after=after),
    st.sampled_from(BECOMES),
    OVERTAKING,
    OVERTAKING,
)

READS = st.builds(
    Fate, before=OVERTAKING, after=OVERTAKING, is_slow=st.booleans(), is_lost=st.booleans()
)


@st.composite
def steps(draw: st.DrawFn) -> list[Step]:
    """Return steps with updates of one or two kinds, so that they meet."""
    update = draw(st.sampled_from(KINDS)) | draw(st.sampled_from(KINDS))
    updates = st.one_of(
        *(st.tuples(update), st.tuples(update), st.tuples(update)),
        *(st.tuples(update, update), st.just(())),
    )
    step = st.builds(
        Step,
        st.integers(0, 1),
        updates,
        writes=st.lists(WRITES, min_size=1, max_size=4).map(tuple),
        reads=st.just(()) | st.just(()) | st.lists(READS, max_size=3).map(tuple),
    )
    return draw(st.lists(step, min_size=3, max_size=6))


@pytest.fixture(scope="module")
def two_proxies(etcd: Cluster) -> Iterator[list[Proxy]]:
    with proxies(etcd.members[0].endpoint, 2) as both:
        yield both


SLOW = Fate(is_slow=True)

KNOWN: dict[str, tuple[int, list[Step]]] = {
    "a row is put behind the last one that was seen": (
        FEW_SLIPS,
        [Step(0, (Append(),), writes=(Fate(before=1),)), Step(1, (Append(),))],
    ),
    "a row of few that were seen is removed": (
        FEW_SLIPS,
        [Step(0, (Drop(0),), writes=(Fate(before=1),)), Step(1, (Drop(0),))],
    ),
    "a row of many that were seen is removed": (
        MANY_SLIPS,
        [Step(0, (Drop(0),), writes=(Fate(before=1),)), Step(1, (Drop(0),))],
    ),
    "what a replica remembers is no longer true": (
        0,
        [Step(0, (Take("x"),)), Step(1, (Take(),)), Step(0, (Take("x"),))],
    ),
    "a commit arrives twice": (0, [Step(0, (Take(),), writes=(Fate(times=2),))]),
    "a commit arrives, its answer does not": (
        0,
        [Step(0, (Take(), Append()), writes=(Fate(is_lost=True),))],
    ),
    "a commit that was kept is told to have had no room": (
        0,
        [Step(0, (Take(), Append()), writes=(Fate(is_full=True),))],
    ),
    "there is no room for a commit": (
        0,
        [Step(0, (Take(), Append()), writes=(Fate(times=0, is_full=True),))],
    ),
    "a commit does not arrive": (0, [Step(0, (Take(), Append()), writes=(Fate(times=0),))]),
    "a commit lands before the question what became of it": (
        0,
        [Step(0, (Take(), Append()), writes=(Fate(times=0, late=0),))],
    ),
    "a commit lands after later ones": (
        0,
        [Step(0, (Note(1),), writes=(Fate(times=0, late=9),)), Step(1, (Note(2),))],
    ),
    "a commit lands after its callers were told that nothing was taken": (
        0,
        [
            Step(
                0,
                (Take(),),
                writes=(Fate(times=0, late=9), SLOW),
                # Whether what became of it is found out by a write or by a read, it is late.
                reads=(PLAIN, SLOW),
            )
        ],
    ),
    "a commit of unknown outcome lands before the next one": (
        0,
        [
            Step(0, (Take(),), writes=(Fate(times=0, late=0, is_slow=True),)),
            Step(0, (Append(),)),
        ],
    ),
    "a commit of unknown outcome lands after the next one": (
        0,
        [
            Step(0, (Note(1),), writes=(Fate(times=0, late=9, is_slow=True),)),
            Step(0, (Note(2),)),
        ],
    ),
    "a commit of unknown outcome is repeated at the other replica before it lands": (
        0,
        [Step(0, (Retry("first"), Take("x")), writes=(Fate(times=0, late=1, is_slow=True),))],
    ),
    "the first commit of a replica lands late, and so does the write of its mark": (
        0,
        [Step(0, (Note(1),), writes=(Fate(times=0, late=1), PLAIN, Fate(times=0, late=2)))],
    ),
}
"""Orders in which an engine with a mistake answers wrongly, and how many slips there are before."""


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("is_warm", [True, False], ids=["warm", "cold"])
def test_every_answer_holds_when(
    name: str, is_warm: bool, etcd: Cluster, two_proxies: list[Proxy]
) -> None:
    slips, steps = KNOWN[name]
    check(etcd, two_proxies, steps, slips=slips, is_warm=is_warm)


@settings(
    max_examples=ORDERS,
    suppress_health_check=list(HealthCheck),
)
@given(
    steps=steps(),
    slips=st.sampled_from([0, FEW_SLIPS, MANY_SLIPS]),
    is_warm=st.booleans(),
)
def test_every_answer_holds_whatever_becomes_of_requests(
    etcd: Cluster,
    two_proxies: list[Proxy],
    steps: list[Step],
    slips: int,
    is_warm: bool,
) -> None:
    check(etcd, two_proxies, steps, slips=slips, is_warm=is_warm)


def test_a_commit_may_land_after_its_replica_has_stopped_waiting_for_it(
    etcd: Cluster, two_proxies: list[Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same by the real clock: nothing breaks, but no answer comes."""
    clock = LeapingClock()
    for module in (client, writer):
        monkeypatch.setattr(module, "time", clock)
    address = etcd.new_address()
    near, far = (
        EtcdStore(replace(address, endpoints=(proxy.endpoint,)), TABLES, wait_seconds=PATIENCE)
        for proxy in two_proxies
    )
    near.update(Note(1).run)
    held = list[CarryOut]()

    def hold(request: pb.TxnRequest, carry_out: CarryOut) -> pb.TxnResponse:
        if not writes(request):
            return carry_out()
        held.append(carry_out)
        if len(held) == 2:
            # It has asked what became of the first one, and waits no longer.
            clock.sleep(PATIENCE)
        raise Silent

    two_proxies[0].between = hold
    with pytest.raises(StoreUncertain):
        near.update(Take("x").run)
    two_proxies[0].between = untouched
    for carry_out in held:
        carry_out()
    assert [far.update(Take("x").run), far.update(Take("x").run)] == [1, 1]
    near.close()
    far.close()


def called(action: Update | Look, begin: int, end: int | None, answer: Result) -> Called[State]:
    """Return a call; without an end its outcome is not known."""
    made = Called[State](action, "a replica", begin, answer=answer, is_unknown=end is None)
    if end is not None:
        made.end = end
    return made


ONE, TWO = State(value=1), State(value=2)


@pytest.mark.parametrize(
    ("calls", "is_possible"),
    [
        ([called(Take(), 0, 1, 1), called(Take(), 2, 3, 2)], True),
        # The other way round, but side by side.
        ([called(Take(), 0, 3, 2), called(Take(), 1, 2, 1)], True),
        ([called(Take(), 0, 1, 2), called(Take(), 2, 3, 1)], False),
        # Twice, lost, and skipped though nothing was taken.
        ([called(Take(), 0, 3, 1), called(Take(), 1, 2, 1)], False),
        ([called(Take(), 0, 1, 1), called(Look(), 2, 3, State())], False),
        ([called(Take(), 0, 1, 2)], False),
        # A read that goes back.
        (
            [called(Take(), 0, 9, 1), called(Look(), 1, 2, ONE), called(Look(), 3, 4, State())],
            False,
        ),
        # What is not known may have been taken at any time since, once, or never.
        ([called(Take(), 0, None, None), called(Look(), 1, 2, State())], True),
        ([called(Take(), 0, None, None), called(Look(), 1, 2, ONE)], True),
        ([called(Take(), 0, None, None), called(Look(), 1, 2, TWO)], False),
        ([called(Look(), 0, 1, ONE), called(Take(), 2, None, None)], False),
    ],
)
def test_the_checker_knows_what_can_be_true(calls: list[Called[State]], is_possible: bool) -> None:
    assert explains(State(), calls) == is_possible


def check(
    etcd: Cluster,
    two_proxies: Sequence[Proxy],
    steps: Sequence[Step],
    *,
    slips: int = 0,
    is_warm: bool = True,
) -> None:
    """Run an order, and show that its answers hold.

    Replicas that are warm have written before: each has its mark.
    """
    warming = [Step(number, (Note(0),)) for number in (0, 1)] if is_warm else []
    address = etcd.new_address()
    clock = Clock()
    straight = EtcdStore(address, TABLES, wait_seconds=PATIENCE)
    for _ in range(slips):
        straight.update(Append().run)
    with pytest.MonkeyPatch.context() as patch:
        for module in (client, mark, turns, writer):
            patch.setattr(module, "time", clock)
        patch.setattr(client, "TRY_SECONDS", PATIENCE)
        patch.setattr(client, "LEAST_SECONDS", PATIENCE)
        replicas = list[Replica]()
        for number, proxy in enumerate(two_proxies):
            waiting = Together()
            store = EtcdStore(
                replace(address, endpoints=(proxy.endpoint,)),
                TABLES,
                wait_seconds=WAIT_SECONDS,
                waiting=waiting,
            )
            replicas.append(Replica(number, store, waiting, proxy))
        order = Order(replicas, [*warming, *steps], clock)
        order.run()
    order.look(straight)
    found = faults(straight)
    for store in (straight, *(replica.store for replica in replicas)):
        store.close()
    start = State(slips=tuple(range(1, slips + 1)))
    told = "\n".join(map(str, sorted(order.calls, key=lambda call: call.begin)))
    assert explains(start, order.calls), f"no order of the calls explains their answers:\n{told}"
    assert found == [], told
