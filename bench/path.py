"""What each part of a request costs, in one process and without sockets.

Processor time and time on the clock for each number, the least of several rounds. README.md in this
folder says how to compare two versions.
"""

import argparse
import io
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

from bench.empty_app import create_empty_app
from bench.memory import Memory
from monotron.app import create_app
from monotron.core import clock, series, tables
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.core.call import Call
from monotron.http.environ import REQUEST_TARGET
from monotron.measures import Measures, StoreMetrics
from monotron.settings import Settings, read_settings
from monotron.store.batch import Update
from monotron.store.contract import Reading, Transaction
from monotron.store.draft import Draft
from monotron.store.lmdb import LmdbStore

T = TypeVar("T")
Application = Callable[..., Iterable[bytes]]
Environ = dict[str, Any]

HUB = getcurrent()
"""The greenlet that others switch to when they wait."""

BATCH = 64
"""Updates that share a commit, as with 64 clients."""

MANY = 256
"""The number of series in the parts with many."""

NAME_WIDTH = 42
"""How wide the table's first column is."""

KEYS = [f"6d6f6e6f-7472-4f6e-8000-{number:012x}" for number in range(MANY)]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the way."""

    name: str
    run: Callable[[], object]
    numbers: int
    """How many numbers, or answers, one run gives out."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds for each number."""

    processor: float
    clock: float


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, and return 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.path", description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=5, help="the least of so many counts (%(default)s)")
    add("--seconds", type=float, default=0.3, help="how long each part runs in a round")
    add("--storage-dir", type=Path, default=Path.cwd(), help="which disk (the current folder)")
    add("--json", type=Path, metavar="FILE", help="write the costs to FILE")
    add("--before", type=Path, metavar="FILE", help="compare with a file that --json wrote")
    given = parser.parse_args(argv)
    settings = read_settings(os.environ, {})
    before = json.loads(given.before.read_text(encoding="utf-8")) if given.before else {}
    with (
        tempfile.TemporaryDirectory(prefix="monotron-bench-", dir=given.storage_dir) as folder,
        closing(LmdbStore(folder, tables.ALL, observer=StoreMetrics(Measures().slot(0)))) as store,
    ):
        costs = measure(list(parts(settings, store)), given.rounds, given.seconds)
    print(table(costs, before))
    if given.json:
        processor = {name: cost.processor for name, cost in costs.items()}
        given.json.write_text(json.dumps(processor, indent=1) + "\n", encoding="utf-8")
    return 0


def parts(settings: Settings, store: LmdbStore) -> Iterator[Part]:
    """Return every part, from the bare call of an application to a whole POST on a disk."""
    post, get = environ("POST", f"/{KEYS[0]}"), environ("GET", f"/{KEYS[0]}")
    put = environ("PUT", "/v1/series/svc/7d4c379588")
    ranges = environ("POST", "/v1/series/svc", "count=100")
    empty, instant = create_empty_app(), create_app(Instant(), settings)
    yield from (
        Part("64 new greenlets wait and go on", parking(new=True), BATCH),
        Part("64 used greenlets wait and go on", parking(new=False), BATCH),
        Part("a WSGI app that does nothing", calls(_nothing, post), BATCH),
        Part("an empty Falcon app", calls(empty, post), BATCH),
        Part("the app without a store, POST", calls(instant, post), BATCH),
        Part("the app without a store, PUT with a token", calls(instant, put), BATCH),
        Part("the app without a store, GET", calls(instant, get), BATCH),
        Part("the same with the access log, POST", calls(_logged(settings), post), BATCH),
    )

    memory = Memory()
    whole = Together(store)
    app, lone = create_app(whole, settings), create_app(store, settings)
    for fill in (memory_filler(memory), store.update):
        fill_history(fill, settings.history)
    one, many = itertools.cycle(KEYS[:1]), itertools.cycle(KEYS)
    posts = {key: environ("POST", f"/{key}") for key in KEYS}
    for name, keys in (("one series", one), (f"{MANY} series", many)):
        turns = [posts[key] for key in itertools.islice(keys, MANY)]
        yield from (
            Part(f"the rules in memory, {name}", rules(memory, settings, keys), BATCH),
            Part(f"the rules on LMDB, {name}", commits(store, settings, keys), BATCH),
            Part(f"a whole POST, {name}", together(whole, app, itertools.cycle(turns)), BATCH),
        )
    token = (environ("PUT", f"/v1/series/svc/{number:040x}") for number in itertools.count())
    yield from (
        Part("a whole PUT with a token, one series", together(whole, app, token), BATCH),
        Part("a whole GET", calls(lone, get), BATCH),
        Part("a whole POST, alone in its commit", lambda: call(lone, post), 1),
        Part("a whole POST of 100 values, alone", lambda: call(lone, ranges), 100),
    )


def measure(every: Sequence[Part], rounds: int, seconds: float) -> dict[str, Cost]:
    """Return the least cost of each part; parts take turns, so that a disturbance hits all."""
    costs: dict[str, list[Cost]] = {part.name: [] for part in every}
    for _ in range(rounds):
        for part in every:
            costs[part.name].append(once(part, seconds))
    return {
        name: Cost(min(cost.processor for cost in each), min(cost.clock for cost in each))
        for name, each in costs.items()
    }


def once(part: Part, seconds: float) -> Cost:
    """Run a part for some seconds, and return its cost."""
    part.run()
    runs = 0
    processor, started = time.process_time(), time.perf_counter()
    while runs == 0 or time.perf_counter() < started + seconds:
        part.run()
        runs += 1
    numbers = runs * part.numbers / 1e6
    return Cost(
        (time.process_time() - processor) / numbers, (time.perf_counter() - started) / numbers
    )


def table(costs: dict[str, Cost], before: dict[str, float]) -> str:
    """Return a line for each part, with its ratio to the processor time in `before`."""
    lines = [f"{'µs for each number':{NAME_WIDTH}}  processor   clock"]
    if before:
        lines[0] += "   before  ratio"
    for name, cost in costs.items():
        line = f"{name:{NAME_WIDTH}}  {cost.processor:9.1f}  {cost.clock:6.1f}"
        if name in before:
            line += f"  {before[name]:7.1f}  {cost.processor / before[name]:5.2f}"
        lines.append(line)
    return "\n".join(lines)


def calls(app: Application, request: Environ) -> Callable[[], None]:
    """Return a function that sends a batch of equal requests, one after the other."""

    def run() -> None:
        for _ in range(BATCH):
            call(app, request)

    return run


def call(app: Application, request: Environ) -> None:
    """Send one request as a server would. Raises `RuntimeError` if the answer is not 2xx."""
    statuses = []

    def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
        statuses.append(status)

    body = b"".join(app(dict(request), start))
    if not statuses[0].startswith("2"):
        raise RuntimeError(f"{request[REQUEST_TARGET]}: {statuses[0]} {body!r}")


def together(
    store: "Together", app: Application, requests: Iterator[Environ]
) -> Callable[[], None]:
    """Return a function that sends a batch of requests whose updates share a commit."""
    greenlets = Greenlets()

    def run() -> None:
        for request in itertools.islice(requests, BATCH):
            greenlets.run(partial(call, app, request))
        store.commit()

    return run


def parking(*, new: bool) -> Callable[[], None]:
    """Return a function that parks a batch of greenlets, new or used ones, and resumes them."""
    greenlets = Greenlets()

    def run() -> None:
        parked: list[greenlet] = []

        def park() -> None:
            parked.append(getcurrent())
            HUB.switch()

        for _ in range(BATCH):
            if new:
                greenlet(park).switch()
            else:
                greenlets.run(park)
        for each in parked:
            each.switch()

    return run


def rules(memory: Memory, settings: Settings, keys: Iterator[str]) -> Callable[[], None]:
    """Return a function that advances series in drafts, as a batch does."""

    def run() -> None:
        batch = Draft(memory)
        for key in itertools.islice(keys, BATCH):
            draft = Draft(batch)
            advance(draft, key, settings.history)
            draft.apply(batch)
        batch.apply(memory)

    return run


def commits(store: LmdbStore, settings: Settings, keys: Iterator[str]) -> Callable[[], None]:
    """Return a function that commits a batch of updates without an app."""

    def taking(key: str) -> Update:
        return Update(lambda txn: advance(txn, key, settings.history))

    return lambda: commit(store, [taking(key) for key in itertools.islice(keys, BATCH)])


def commit(store: LmdbStore, batch: list[Update]) -> None:
    """Commit a batch on this thread, without the hand-over that `bench.throughput` measures."""
    store._commit(batch)
    for update in batch:
        if update.error is not None:
            raise update.error


def advance(txn: Transaction, key: str, keep: int) -> int:
    """Take the next value of a series."""
    return series.advance(txn, Call(FIRST_ACCOUNT, None, clock.now(), keep), key).value


class Instant:
    """A store that returns at once: every series is at 5, and stays there."""

    def __init__(self) -> None:
        self._rows = Memory()
        for key in (KEYS[0], "svc"):
            for _ in range(5):
                advance(self._rows, key, 0)
        self._results: dict[str, Any] = {}

    def view(self, fn: Callable[[Reading], T]) -> T:
        """See `contract.Store.view`."""
        return fn(self._rows)

    def update(self, fn: Callable[[Transaction], T]) -> T:
        """Return what a function of the same name returned the first time."""
        name = fn.__qualname__
        if name not in self._results:
            self._results[name] = fn(self._rows)
        result: T = self._results[name]
        return result

    def close(self) -> None:
        """See `contract.Store.close`."""


class Greenlets:
    """Greenlets that are used again: a new one costs CPython a system call for its own stack."""

    def __init__(self) -> None:
        self._free: list[greenlet] = []

    def run(self, job: Callable[[], None]) -> None:
        """Run a function in a greenlet, until it ends or switches to its parent."""
        if self._free:
            self._free.pop().switch(job)
        else:
            greenlet(self._work).switch(job)

    def _work(self, job: Callable[[], None]) -> None:
        while True:
            job()
            self._free.append(getcurrent())
            job = HUB.switch()


class Together:
    """A store whose callers are greenlets, which wait in `update` until the next `commit`."""

    def __init__(self, store: LmdbStore) -> None:
        self._store = store
        self._waiting: list[tuple[greenlet, Update]] = []
        self.view, self.close = store.view, store.close

    def update(self, fn: Callable[[Transaction], T]) -> T:
        """See `contract.Store.update`."""
        update, caller = Update(fn), getcurrent()
        self._waiting.append((caller, update))
        HUB.switch()
        result: T = update.result
        return result

    def commit(self) -> None:
        """Commit the waiting updates, and let their callers go on."""
        waiting, self._waiting = self._waiting, []
        commit(self._store, [update for _, update in waiting])
        for caller, _ in waiting:
            caller.switch()


def memory_filler(memory: Memory) -> Callable[[Callable[[Transaction], None]], None]:
    """Return a function that runs another on rows in memory, as `update` does on a store's."""
    return lambda fn: fn(memory)


def fill_history(update: Callable[[Callable[[Transaction], None]], None], keep: int) -> None:
    """Give out more values of each series than history holds, so that a new one pushes one out."""
    for key in KEYS:

        def take(txn: Transaction, key: str = key) -> None:
            for _ in range(keep + 100):
                advance(txn, key, keep)

        update(take)


def environ(method: str, path: str, query: str = "") -> Environ:
    """Return the WSGI environ of a request as wrk sends it."""
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        REQUEST_TARGET: f"{path}?{query}" if query else path,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8080",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def _nothing(environ: Environ, start: Callable[..., object]) -> Iterable[bytes]:
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", "8")])
    return (b'{"bn":5}',)


def _logged(settings: Settings) -> Application:
    return create_app(Instant(), replace(settings, access_log=True))


if __name__ == "__main__":
    sys.exit(main())
