"""The power fails at any moment: no answered number is lost, and no update is left half done.

A program that takes numbers runs under strace. From its system calls follows what the disk may hold
if the power goes at any of them; `power_cut.py` has the rules. Each such folder is opened as after
the machine has started again.
"""

import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from lmdb.verify import VerifyError, verify

from monotron.core import series, tables
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.store.contract import Store, StoreError
from monotron.store.lmdb import LmdbStore
from tests.support import power_cut, service
from tests.support.invariants import faults, rows_of_store
from tests.support.memory import MemoryStore
from tests.support.power_cut import Call, Disk, Image, Step, Survivors
from tests.support.service import Load, Service

pytestmark = [pytest.mark.long, pytest.mark.same_on_each_python]

MORE = int(os.environ.get("MONOTRON_POWER_CUTS", "2"))
"""How many random folders are tried for each moment, besides those that lack one thing each."""

ENOUGH = 50
"""How many losses are examined before it fails."""

DATA = Path("new", "tree", "data")
"""The storage folder; none of the three exists at first."""

LOCK = "lock.mdb"
"""Processes share it in memory, and it means nothing once they are gone. So no call shows what is
in it, and nobody may rely on that."""

NOT_SHOWN = "so it is not shown that a power cut loses no answered number"


@pytest.fixture(scope="module", autouse=True)
def _can_trace() -> None:
    if (reason := power_cut.why_not()) is not None:
        pytest.skip(f"{reason}, {NOT_SHOWN}")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The disk's folder, empty and durable."""
    root = tmp_path.resolve() / "disk"
    root.mkdir()
    return root


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Where folders are opened that a cut has left.

    In memory if possible: they are opened by the thousand, and need not be durable.
    """
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


def run(record: Path, program: Sequence[str], *options: str) -> tuple[int, list[Call]]:
    """Run a Python program and give its exit status and its calls."""
    command = power_cut.strace(record, [sys.executable, *program], *options)
    done = subprocess.run(
        command,
        env=service.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * service.PATIENCE,
    )
    print(done.stderr)
    return done.returncode, power_cut.calls(record)


def take_numbers(root: Path, threads: int, takes: int, *before: str) -> list[str]:
    return ["-m", "tests.support.power_cut", str(root / DATA), str(threads), str(takes), *before]


# What must be left


@dataclass
class Steps:
    """What a program does, step by step, and what the store holds after each."""

    steps: list[Step]
    answers: list[object] = field(default_factory=list)
    after: dict[bytes, list[int]] = field(default_factory=dict)
    """After how many steps it holds the rows with this digest."""

    def __post_init__(self) -> None:
        store = MemoryStore()
        self.after[rows_digest(store)] = [0]
        for number, step in enumerate(self.steps, 1):
            self.answers.append(store.update(step))
            self.after.setdefault(rows_digest(store), []).append(number)
            assert faults(store) == []


def rows_digest(store: Store) -> bytes:
    return hashlib.blake2b(repr(rows_of_store(store)).encode()).digest()


@dataclass
class Told:
    """What the program had reported by some moment."""

    begun: int = 0
    answered: int = 0
    """How many steps must be left, because the last of them was answered."""
    numbers: int = 0
    """How many numbers were answered."""

    def hear(self, call: Call, steps: Steps) -> bool:
        """Take in what it tells with this call, if it does."""
        if call.name != "write" or not call.arguments[0].startswith("1<"):
            return False
        word, _, rest = call.data().decode().strip().partition(" ")
        if word == "begin":
            self.begun += 1
        else:
            number, _, answer = rest.partition(" ")
            assert answer == repr(steps.answers[int(number)])
            self.answered = max(self.answered, int(number) + 1)
            self.numbers += answer.isdecimal()
        return True


@dataclass
class Cuts:
    """The power goes, and goes, and goes."""

    steps: Steps
    place: Path
    locks: list[bytes | None]
    """What is left of `LOCK`, in turn."""
    moments: int = 0
    ways: int = 0
    numbers: int = 0
    """How many times an answered number was looked up."""
    lost: list[str] = field(default_factory=list)
    seen: dict[bytes, list[int] | str] = field(default_factory=dict)
    """Of each image: after how many steps it may be, or what is wrong with it."""

    def follow(self, disk: Disk, calls: Sequence[Call], told: Told) -> None:
        """Cut the power at each moment."""
        version = None
        left: dict[bytes, Survivors] = {}
        for moment in disk.follow(calls):
            heard = moment.begins and told.hear(moment.call, self.steps)
            if disk.version == version and not heard:
                continue
            if len(self.lost) > ENOUGH:
                self.assert_nothing_lost()
            self.moments += 1
            if disk.version != version:
                version = disk.version
                left = self._cut(disk)
            for digest, survivors in left.items():
                self.numbers += told.numbers
                found = self.seen[digest]
                if isinstance(found, str):
                    self._report(f"{found}: {moment}", disk, survivors)
                elif not any(told.answered <= number <= told.begun for number in found):
                    self._report(
                        f"{told.answered} of {told.begun} steps were answered, {found} are there: "
                        f"{moment}",
                        disk,
                        survivors,
                    )

    def _cut(self, disk: Disk) -> dict[bytes, Survivors]:
        left: dict[bytes, Survivors] = {}
        for survivors in power_cut.ways(disk.pending(), random.Random(disk.version), MORE):
            self.ways += 1
            image = disk.left(survivors)
            digest = power_cut.digest(image)
            left.setdefault(digest, survivors)
            if digest not in self.seen:
                self.seen[digest] = self._open(image)
        return left

    def _open(self, image: Image) -> list[int] | str:
        """Open what is left; return how many steps it has, or what is wrong."""
        root = self.place / str(len(self.seen))
        root.mkdir()
        power_cut.put(image, root, self.locks[len(self.seen) % len(self.locks)])
        try:
            # A damaged file could crash LMDB, and us with it.
            if (fault := damage(root / DATA / "data.mdb")) is not None:
                return fault
            try:
                store = LmdbStore(root / DATA, tables.ALL)
            except StoreError as error:
                return f"it does not open: {error}"
            done = self.steps.after.get(rows_digest(store))
            fault = "it holds what it never held" if done is None else self._go_on(store, done[-1])
            store.close()
            return fault or done or []
        finally:
            shutil.rmtree(root)

    def _go_on(self, store: LmdbStore, done: int) -> str | None:
        """Take the next steps; tells what is wrong."""
        then = range(done, min(done + 2, len(self.steps.steps)))
        for number in then:
            answer = store.update(self.steps.steps[number])
            if answer != self.steps.answers[number]:
                return f"it goes on with {answer!r}, not {self.steps.answers[number]!r}"
        if then.stop not in self.steps.after.get(rows_digest(store), ()):
            return "it holds something else once it has gone on"
        return None

    def _report(self, what: str, disk: Disk, survivors: Survivors) -> None:
        gone = [str(change) for change in disk.pending() if not survivors.has(change)]
        parts = [f"{change}: only sectors {sorted(s)}" for change, s in survivors.parts.items()]
        self.lost.append("\n  ".join([what, "without " + ", ".join(gone or ["nothing"]), *parts]))

    def assert_nothing_lost(self) -> None:
        print(self)
        if self.lost:
            # Those with the smallest loss are reported first.
            shown = "\n".join(sorted(self.lost, key=len)[:5])
            pytest.fail(f"{len(self.lost)} times something is lost; {self}\n{shown}")

    def __str__(self) -> str:
        return (
            f"{self.moments} moments, {self.ways} ways to lose what is not durable, "
            f"{len(self.seen)} different folders opened, {self.numbers} times an answered number "
            f"looked for, lost: {len(self.lost)}"
        )


def damage(data: Path) -> str | None:
    """Return what is wrong with LMDB's file. To LMDB, an empty or missing one is new."""
    if not data.exists() or not data.stat().st_size:
        return None
    try:
        problems = verify(data)  # type: ignore[no-untyped-call]
    except VerifyError as error:
        problems = [error]
    return f"data.mdb is damaged, {problems[0]}" if problems else None


def locks(root: Path) -> list[bytes | None]:
    """Return what may be left of the lock file: nothing, what was in it, or anything."""
    content = (root / DATA / LOCK).read_bytes()
    return [None, content, b"", bytes(len(content)), random.Random(1).randbytes(len(content))]


# The rules of a disk


A, B, NO = b"a" * 512, b"b" * 512, bytes(512)

RULES: dict[str, tuple[str, list[Image]]] = {
    "a write": (
        "write(A + B)",
        # Without the name there is nothing, without the length an empty file.
        [{}, {"new": b""}, {"new": A + B}, {"new": A + NO}, {"new": NO + B}, {"new": NO + NO}],
    ),
    "a write whose file is synced": (
        "write(A + B); os.fdatasync(file)",
        [{}, {"new": A + B}],
    ),
    "a write whose name is synced": (
        "write(A); sync(root)",
        [{"new": b""}, {"new": A}, {"new": NO}],
    ),
    "writes whose file and name are synced": (
        "write(A); write(B); os.fsync(file); sync(root)",
        [{"new": A + B}],
    ),
    "a write after the sync": (
        "os.fsync(file); sync(root); write(A)",
        [{"new": b""}, {"new": A}, {"new": NO}],
    ),
    "a write by which a file grows": (
        "write(A); os.fsync(file); sync(root); write(B)",
        [{"new": A}, {"new": A + NO}, {"new": A + B}],
    ),
    "writes in place": (
        "write(A + A); os.sync(); os.pwrite(file, b'bb', 511); os.pwrite(file, b'c', 512)",
        [{"new": A[1:] + both + A[1:]} for both in (b"aa", b"ab", b"ac", b"ba", b"bb", b"bc")],
    ),
    "a write that is synced by itself": (
        "sync(root); write(A); os.pwrite(os.open(new, os.O_WRONLY | os.O_DSYNC), B, 512)",
        [{"new": A + B}, {"new": NO + B}],
    ),
    "a write of which everything is synced": (
        "write(A); os.sync()",
        [{"new": A}],
    ),
    "a write of another process": (
        "sync(root)\nif os.fork():\n  os.wait()\n  write(B)\nelse:\n  write(A)\n  os.fsync(file)",
        [{"new": A}, {"new": A + NO}, {"new": A + B}],
    ),
    "a length": (
        "sync(root); os.truncate(file, 512); os.posix_fallocate(file, 512, 512)",
        [{"new": b""}, {"new": NO}, {"new": NO + NO}],
    ),
    "folders": (
        "sync(root); os.makedirs(root + '/a/b'); sync(root); sync(root + '/a')",
        [{"new": b"", "a/": b"", "a/b/": b""}],
    ),
    "folders of which one name is not synced": (
        "sync(root); os.makedirs(root + '/a/b'); sync(root + '/a'); sync(root + '/a/b')",
        [{"new": b""}, {"new": b"", "a/": b"", "a/b/": b""}],
    ),
    "a renaming": (
        "write(A); os.fsync(file); sync(root); os.rename(new, root + '/newer')",
        [{"new": A}, {"newer": A}],
    ),
    "a removal": (
        "sync(root); os.unlink(new)",
        [{"new": b""}, {}],
    ),
}
"""What a program does with a new file, and what may be left afterwards."""

PROLOGUE = """
import os, sys
A, B = b"a" * 512, b"b" * 512
root = sys.argv[1]
new = root + "/new"
file = os.open(new, os.O_WRONLY | os.O_CREAT)
def write(data):
    os.write(file, data)
def sync(folder):
    os.fsync(os.open(folder, os.O_RDONLY))
"""


@pytest.mark.parametrize("rule", RULES)
def test_a_disk_keeps_what_is_synced_and_nothing_else(root: Path, rule: str) -> None:
    program, left = RULES[rule]
    # The real call would sync what every program of the machine writes, however long that takes.
    unheard = "--inject=sync:retval=0"
    status, calls = run(root.parent / "record", ["-c", PROLOGUE + program, str(root)], unheard)
    assert status == 0
    disk = Disk(root)
    for _ in disk.follow(calls):
        pass
    assert disk.now() == power_cut.read(root)
    images = [disk.left(way) for way in power_cut.ways(disk.pending(), random.Random(0), 200)]
    assert {power_cut.digest(image) for image in images} == set(map(power_cut.digest, left))


# The promises


def test_a_power_cut_loses_no_answered_number(root: Path, place: Path) -> None:
    alone = power_cut.alone()
    takes = power_cut.THREADS * power_cut.TAKES
    steps = Steps([*alone, *[power_cut.together] * takes])
    program = take_numbers(root, power_cut.THREADS, power_cut.TAKES, "alone")
    status, calls = run(root.parent / "record", program)
    assert status == 0

    disk, told = Disk(root, {LOCK}), Told()
    cuts = Cuts(steps, place, locks(root))
    cuts.follow(disk, calls, told)
    # Nothing that the program did has gone unseen.
    assert disk.now() == power_cut.read(root, {LOCK})
    assert (told.begun, told.answered) == (len(steps.steps), len(steps.steps))
    cuts.assert_nothing_lost()
    assert len(cuts.seen) > 1_000


def test_a_start_that_was_killed_leaves_no_gap(root: Path, place: Path) -> None:
    steps = Steps([power_cut.together] * 6)
    for kill in range(1, 100):
        disk, told = Disk(root, {LOCK}), Told()
        killed = f"inject=fsync,fdatasync:signal=KILL:when={kill}"
        program = take_numbers(root, threads=0, takes=2)
        status, calls = run(root.parent / f"killed-{kill}", program, "-e", killed)
        for moment in disk.follow(calls):
            if moment.begins:
                told.hear(moment.call, steps)
        assert disk.now() == power_cut.read(root, {LOCK})
        if status == 0:
            break
        assert status == -signal.SIGKILL

        # Only now the power goes.
        status, calls = run(root.parent / f"next-{kill}", program)
        assert status == 0
        cuts = Cuts(steps, place, locks(root))
        cuts.follow(disk, calls, told)
        assert disk.now() == power_cut.read(root, {LOCK})
        assert told.answered >= 2
        cuts.assert_nothing_lost()
        shutil.rmtree(root)
        root.mkdir()
    else:
        pytest.fail("it syncs without end")
    assert kill > 5


# The service


@contextmanager
def traced_service(folder: Path, record: Path) -> Iterator[Service]:
    """Serve under strace; the record is whole once the block has ended."""
    # Each ends with the one above it: strace with us, the service with strace.
    become = [*service.BECOMING, f"{service.END_WITH_US}\n{service.BECOME}"]
    # What goes through a ring is in no record. libuv does without one if the kernel has none.
    ringless = ("-e", "inject=io_uring_setup:error=ENOSYS")
    program = [*become, *service.COMMAND, "serve", "--port", "0"]
    command = power_cut.strace(record, program, *ringless)
    log = record.with_suffix(".log")
    with log.open("wb") as stderr:
        strace = subprocess.Popen(
            [*become, *command],
            env=service.environment({"STORAGE_DIR": str(folder)}),
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
            start_new_session=True,
        )
    try:
        service.wait_until(
            lambda: service.START_LINE.search(log.read_text()) or strace.poll() is not None,
            "the service has started",
        )
        started = service.START_LINE.search(log.read_text())
        assert started is not None, log.read_text()
        yield Service(strace, log, started)
        (served,) = [
            pid for pid, (_, parent) in service.processes().items() if parent == strace.pid
        ]
        os.kill(served, signal.SIGTERM)
        assert strace.wait(service.PATIENCE) == 0, log.read_text()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(strace.pid, signal.SIGKILL)
        strace.wait(service.PATIENCE)
        print(log.read_text())


def answered(call: Call) -> int | None:
    """Return the number in the answer that this call sends, if it sends one."""
    if not call.writes_to_socket():
        return None
    match = re.search(rb'"(?:bn|value)":(\d+)', call.data())
    return None if match is None else int(match[1])


def test_each_answer_leaves_after_the_syncs_of_its_commit(root: Path) -> None:
    record = root.parent / "record"
    with traced_service(root / DATA, record) as served:
        numbers = [served.take() for _ in range(5)]
    assert numbers == [1, 2, 3, 4, 5]

    disk = Disk(root, {LOCK})
    seen: list[str] = []
    order: list[list[str]] = []
    for moment in disk.follow(power_cut.calls(record)):
        if moment.begins and answered(moment.call) is not None:
            order.append(seen[-6:])
            seen = []
        elif (done := disk.does(moment.call)) is not None and done[1] == "data.mdb":
            seen.append(f"{done[0]} {'begins' if moment.begins else 'is done'}")
    steps = ("write", "sync", "synced write")
    assert order == [[f"{step} {when}" for step in steps for when in ("begins", "is done")]] * 5
    # At the end, a commit of its own writes how many numbers were given out.
    writes, rest = order[0][:2], order[0][2:]
    assert seen[-4:] in ([], rest)
    assert set(seen[:-4]) <= set(writes)


def test_what_is_durable_when_an_answer_leaves_holds_its_number(root: Path, place: Path) -> None:
    record = root.parent / "record"
    with traced_service(root / DATA, record) as served, Load(served, clients=8) as load:
        load.wait_for_more(100)

    disk = Disk(root, {LOCK})
    seen: dict[bytes, int] = {}
    left: list[int] = []
    for moment in disk.follow(power_cut.calls(record)):
        number = answered(moment.call) if moment.begins else None
        if number is not None:
            image = disk.left(Survivors(frozenset()))
            digest = power_cut.digest(image)
            if digest not in seen:
                seen[digest] = durable_number(image, place)
            assert number <= seen[digest], str(moment)
            left.append(number)
    assert disk.now() == power_cut.read(root, {LOCK})
    assert sorted(left) == sorted(load.answered)
    assert len(left) >= 100


def durable_number(image: Image, place: Path) -> int:
    """Return the number that the load's series is at in what is left; 0 if it is missing."""
    with tempfile.TemporaryDirectory(dir=place) as root:
        power_cut.put(image, Path(root), None)
        assert damage(Path(root) / DATA / "data.mdb") is None
        store = LmdbStore(Path(root) / DATA, tables.ALL)
        state = store.view(lambda reading: series.get(reading, FIRST_ACCOUNT, "load"))
        store.close()
    return 0 if state is None else state.value
