"""Processes are killed while they write: the others go on, and no number is lost.

LMDB's own write lock alone does not pass this; design.md has the figures.
"""

import multiprocessing
import os
import random
import selectors
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monotron.core import bumps, history, records, search, series, tables
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.core.records import Series
from monotron.core.search import Search
from monotron.limits import HISTORY_VALUES
from monotron.store.contract import Reading
from monotron.store.lmdb import LmdbStore
from tests.support.invariants import faults, rows_of
from tests.support.writer import (
    CALLS,
    KEY,
    MORTAL,
    MORTAL_ATTRIBUTES,
    MORTAL_VALUES,
    MORTAL_VERSIONS,
    RETRIED,
    THREADS,
    TRIMMED,
    TRIMMED_KEEP,
    VERSIONED,
    change_until_killed,
    token_of,
    write_until_killed,
)

pytestmark = pytest.mark.long

KILLS = int(os.environ.get("MONOTRON_KILLS", "200"))
CHANGER_KILLS = max(KILLS // 4, 25)
WRITERS = 4
FOR_GOOD = 20.0
"""Seconds without an answer after which a process is considered stuck."""

# Its children are forks of one process that has imported everything and opened nothing.
forkserver = multiprocessing.get_context("forkserver")
forkserver.set_forkserver_preload(["tests.support.writer"])


class Writer:
    """A process that writes, and what it has answered."""

    def __init__(self, write: Callable[..., None], *arguments: object) -> None:
        self.pipe, end = forkserver.Pipe(duplex=False)
        self.process = forkserver.Process(target=write, args=(*arguments, end))
        self.process.start()
        end.close()
        self.output = bytearray()
        self.heard_at = time.monotonic()

    def read(self) -> bool:
        """Take in what it has answered since; False once it has ended."""
        output = os.read(self.pipe.fileno(), 65536)
        self.output += output
        self.heard_at = time.monotonic()
        return bool(output)

    def kill(self) -> list[str]:
        """Kill it; return a line for each call that it has ever answered, in order."""
        self.process.kill()
        while self.read():
            pass
        self.process.join()
        self.pipe.close()
        return self.output.decode().splitlines()


def listen(writers: list[Writer], seconds: float) -> None:
    """Read the writers' answers; each one must answer."""
    with selectors.DefaultSelector() as selector:
        for writer in writers:
            selector.register(writer.pipe, selectors.EVENT_READ, writer)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                assert key.data.read(), "a writer has ended by itself"
            silent = time.monotonic() - min(writer.heard_at for writer in writers)
            assert silent < FOR_GOOD, "a writer waits for good"


def listen_to_each(writers: list[Writer]) -> None:
    """Hear from every one of them, from now on."""
    start = time.monotonic()
    while min(writer.heard_at for writer in writers) < start:
        listen(writers, 0.01)


@contextmanager
def writing(
    start: Callable[[int], Writer], heard: Callable[[list[str]], object]
) -> Iterator[Callable[[], None]]:
    """Keep writers running until the block ends, which is given a call that kills one of them.

    That may be at any moment, also while it starts. The others have to go on, and another takes
    its place. `heard` is given what each one has answered.
    """
    chance = random.Random(20_000)
    writers = [start(place) for place in range(WRITERS)]

    def kill_one() -> None:
        listen(writers, chance.uniform(0, 0.1))
        place = chance.randrange(WRITERS)
        heard(writers.pop(place).kill())
        listen_to_each(writers)
        writers.insert(place, start(place))

    try:
        listen_to_each(writers)
        yield kill_one
        listen_to_each(writers)
    finally:
        answers = [writer.kill() for writer in writers]
    for each in answers:
        heard(each)


def test_a_killed_writer_leaves_nobody_waiting_and_loses_no_number(tmp_path: Path) -> None:
    numbers: list[int] = []
    with writing(
        lambda _: Writer(write_until_killed, tmp_path),
        lambda answers: numbers.extend(map(int, answers)),
    ) as kill_one:
        for _ in range(KILLS):
            kill_one()

    store = LmdbStore(tmp_path, tables.ALL)
    state = store.view(lambda reading: series.get(reading, FIRST_ACCOUNT, KEY))
    assert faults(store, keep=HISTORY_VALUES) == []
    store.close()
    assert state is not None
    assert len(set(numbers)) == len(numbers), "a number was given twice"
    assert max(numbers) <= state.value, "a number that was answered is lost"
    # What a kill can cost: the numbers that were about to be answered.
    assert state.value - len(numbers) <= (KILLS + WRITERS) * THREADS


class Clients:
    """Those who make calls, `THREADS` of them by each writer, and what they were answered.

    Whoever gets no answer makes the same call again, by the writer that comes next.
    """

    def __init__(self) -> None:
        self.answers: dict[str, list[str]] = {
            f"{place}.{thread}": [] for place in range(WRITERS) for thread in range(THREADS)
        }

    def of(self, place: int) -> dict[str, int]:
        """Return a writer's clients, each with the number of its next call."""
        return {
            client: len(answers)
            for client, answers in self.answers.items()
            if client.startswith(f"{place}.")
        }

    def hear(self, answers: list[str]) -> None:
        for line in answers:
            client, number, answer = line.split(" ")
            assert int(number) == len(self.answers[client])
            self.answers[client].append(answer)

    def of_kind(self, kind: int) -> dict[str, str]:
        """Return the answers to calls of one kind, by their tokens."""
        return {
            token_of(client, number): answer
            for client, answers in self.answers.items()
            for number, answer in enumerate(answers)
            if number % len(CALLS) == kind
        }


def test_a_kill_leaves_no_call_half_done_and_no_answer_is_lost(tmp_path: Path) -> None:
    clients = Clients()

    def start(place: int) -> Writer:
        return Writer(change_until_killed, tmp_path, clients.of(place))

    store = LmdbStore(tmp_path, tables.ALL)
    with writing(start, clients.hear) as kill_one:
        for _ in range(CHANGER_KILLS):
            kill_one()
            store.view(check_mortal_series)
    retried, bumped, trimmed, mortal = map(clients.of_kind, range(len(CALLS)))
    assert set(mortal.values()) == {"made", "deleted"}
    assert faults(store) == []
    store.view(check_mortal_series)
    store.view(lambda reading: check_retries(reading, retried))
    store.view(lambda reading: check_versions(reading, bumped))
    store.view(lambda reading: check_trimmed(reading, trimmed))
    store.close()


def check_mortal_series(reading: Reading) -> None:
    """A series exists with everything that belongs to it, or not at all."""
    for name, part, key in MORTAL:
        state = series.get(reading, FIRST_ACCOUNT, key)
        rows = [
            len(reading.scan(table, *range_of, limit=10_000))
            for table, range_of in (
                (tables.HISTORY, records.history_range(FIRST_ACCOUNT, key)),
                (tables.ATTRIBUTES, records.attribute_range(FIRST_ACCOUNT, key)),
            )
        ]
        made = bumps.all_of(reading, FIRST_ACCOUNT, name)
        rows.append(sum(bump.part == part for bump in made))
        if state is None:
            assert rows == [0, 0, 0]
        else:
            assert state.value == MORTAL_VALUES
            assert rows[1:] == [MORTAL_ATTRIBUTES, MORTAL_VERSIONS]
            page = history.page(reading, state, keep=HISTORY_VALUES, limit=HISTORY_VALUES)
            assert [taken.value for taken in page.items] == [*range(MORTAL_VALUES, 0, -1)]


def check_retries(reading: Reading, answered: dict[str, str]) -> None:
    """Each key has one value, and each value has a key: repeats skip none."""
    kept = {
        row: records.unpack_retry(value).value for row, value in rows_of(reading, tables.RETRIES)
    }
    for token, answer in answered.items():
        assert kept[records.retry_row_key(FIRST_ACCOUNT, token)] == int(answer)
    assert sorted(kept.values()) == list(range(1, of(reading, RETRIED).value + 1))
    assert len(kept) - len(answered) <= WRITERS * THREADS


def check_versions(reading: Reading, answered: dict[str, str]) -> None:
    """Each token has one version, and each value of the three series belongs to a token."""
    kept = {bump.token: bump for bump in bumps.all_of(reading, FIRST_ACCOUNT, VERSIONED)}
    versions = {token: f"{bump.major}.{bump.minor}.{bump.patch}" for token, bump in kept.items()}
    assert len(set(versions.values())) == len(versions)
    assert {token: versions[token] for token in answered} == answered
    assert len(kept) - len(answered) <= WRITERS * THREADS
    page = search.by_key(reading, FIRST_ACCOUNT, Search(f"{VERSIONED}-"), after="", limit=10**6)
    assert sum(state.value for state in page.items) == len(kept)


def check_trimmed(reading: Reading, answered: dict[str, str]) -> None:
    """The newest values are left and little else; none was given twice."""
    state = of(reading, TRIMMED)
    values = [int(answer) for answer in answered.values()]
    assert len(set(values)) == len(values)
    assert max(values) <= state.value
    page = history.page(reading, state, keep=TRIMMED_KEEP, limit=TRIMMED_KEEP)
    newest = [taken.value for taken in page.items]
    assert newest == [state.value, state.value - 1, state.value - 2]
    assert page.items[0].token == state.token
    rows = records.history_range(FIRST_ACCOUNT, TRIMMED)
    assert len(reading.scan(tables.HISTORY, *rows, limit=99)) <= TRIMMED_KEEP


def of(reading: Reading, key: str) -> Series:
    state = series.get(reading, FIRST_ACCOUNT, key)
    assert state is not None
    return state
