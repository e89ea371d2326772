"""Processes are killed while they write: the others go on, and no number is lost.

LMDB's own write lock alone does not pass this; design.md has the figures.
"""

import multiprocessing
import os
import random
import selectors
import time
from pathlib import Path

from monotron.core import series
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.store.lmdb import LmdbStore
from tests.writer import KEY, THREADS, write_until_killed

KILLS = int(os.environ.get("MONOTRON_KILLS", "200"))
WRITERS = 4
FOR_GOOD = 20.0
"""Seconds without an answer after which a process is taken to wait for good."""

# Its children are forks of one process that has imported everything and opened nothing.
forkserver = multiprocessing.get_context("forkserver")
forkserver.set_forkserver_preload(["tests.writer"])


class Writer:
    """A process that writes, and what it has answered."""

    def __init__(self, folder: Path) -> None:
        self.pipe, end = forkserver.Pipe(duplex=False)
        self.process = forkserver.Process(target=write_until_killed, args=(folder, end))
        self.process.start()
        end.close()
        self.lines = bytearray()
        self.heard_at = time.monotonic()

    def read(self) -> bool:
        """Take in what it has answered since; False once it has ended."""
        lines = os.read(self.pipe.fileno(), 65536)
        self.lines += lines
        self.heard_at = time.monotonic()
        return bool(lines)

    def kill(self) -> list[int]:
        """Kill it; gives all that it has ever answered, in order."""
        self.process.kill()
        while self.read():
            pass
        self.process.join()
        self.pipe.close()
        return [int(line) for line in self.lines.split()]


def listen(writers: list[Writer], seconds: float) -> None:
    """Hear what the writers answer; each one has to."""
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


def test_a_killed_writer_leaves_nobody_waiting_and_loses_no_number(tmp_path: Path) -> None:
    chance = random.Random(20_000)
    writers = [Writer(tmp_path) for _ in range(WRITERS)]
    answered: list[list[int]] = []
    try:
        listen_to_each(writers)
        for _ in range(KILLS):
            listen(writers, chance.uniform(0, 0.1))
            victim = writers.pop(chance.randrange(len(writers)))
            answered.append(victim.kill())
            listen_to_each(writers)
            writers.append(Writer(tmp_path))
        listen_to_each(writers)
    finally:
        answered.extend(writer.kill() for writer in writers)

    numbers = [number for each in answered for number in each]
    store = LmdbStore(tmp_path)
    state = store.view(lambda reading: series.get(reading, FIRST_ACCOUNT, KEY))
    store.close()
    assert state is not None
    assert len(set(numbers)) == len(numbers), "a number was given twice"
    assert max(numbers) <= state.value, "a number that was answered is lost"
    # What a kill can cost: the numbers that were about to be answered.
    assert state.value - len(numbers) <= (KILLS + WRITERS) * THREADS
