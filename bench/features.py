"""What finding things again costs: the indexes, the counts and the names of API keys, as ratios.

Processor time for each number, in one process and without sockets, as in `bench.path`. A pair is
measured in turn, and the ratio is that of the least of several rounds.
"""

import argparse
import base64
import itertools
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bench.path import BATCH, KEYS, Environ, Part, Together, environ, measure, together
from monotron.api.key_uses import KeyUses
from monotron.app import create_app
from monotron.core import api_keys, changes, clock, series, tables
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.core.call import Call
from monotron.core.pending import PendingActivity
from monotron.settings import Settings, read_settings
from monotron.store.lmdb import LmdbStore

NAME_WIDTH = 58

FULL = 1_000
"""How many values the histories of the bench hold before it begins: as many as are kept."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The same calls with something and without it."""

    name: str
    with_it: Callable[[], object]
    without: Callable[[], object]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a line for each pair, and return 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.features", description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=9, help="the least of so many counts (%(default)s)")
    add("--seconds", type=float, default=0.3, help="how long each part runs in a round")
    add("--storage-dir", type=Path, default=Path.cwd(), help="which disk (the current folder)")
    given = parser.parse_args(argv)
    settings = read_settings(os.environ, {})
    with (
        tempfile.TemporaryDirectory(prefix="monotron-bench-", dir=given.storage_dir) as folder,
        closing(LmdbStore(folder, tables.ALL)) as store,
    ):
        every = list(pairs(settings, store))
        parts = [
            Part(f"{pair.name}, {what}", run, BATCH)
            for pair in every
            for what, run in (("with", pair.with_it), ("without", pair.without))
        ]
        costs = measure(parts, given.rounds, given.seconds)
    print(f"{'µs of processor time for each number':{NAME_WIDTH}}  with  without  ratio")
    for pair in every:
        there = costs[f"{pair.name}, with"].processor
        gone = costs[f"{pair.name}, without"].processor
        print(f"{pair.name:{NAME_WIDTH}}  {there:4.1f}  {gone:7.1f}  {there / gone:5.2f}")
    return 0


def pairs(settings: Settings, store: LmdbStore) -> Iterator[Pair]:
    """Return every pair."""
    whole = Together(store)
    app = create_app(whole, settings)
    for key in ("plain", "indexed"):
        fill(store, key, settings.history)
    store.update(lambda txn: series.recall(txn, _call(settings.history), "indexed", "0"))

    def send(requests: Iterator[Environ]) -> Callable[[], None]:
        return together(whole, app, requests)

    one = itertools.repeat(environ("POST", f"/{KEYS[0]}"))
    many = itertools.cycle([environ("POST", f"/{key}") for key in KEYS])
    for name, posts in (("POST, one series", one), (f"POST, {len(KEYS)} series", many)):
        run = send(posts)
        yield Pair(f"the index of changes: {name}", run, patched(run, changes, "note", _unlisted))
        yield Pair(
            f"the count of each hour: {name}",
            run,
            patched(run, PendingActivity, "note", lambda *ignored: None),
        )

    yield Pair(
        "the index of tokens: PUT with a token, in the series",
        send(tokens("indexed")),
        send(tokens("plain")),
    )
    yield Pair(
        "remember=true: PUT with a new token",
        send(tokens("indexed", "remember=true")),
        send(tokens("plain")),
    )
    old = itertools.repeat(environ("PUT", f"/v1/series/indexed/{FULL - 1}", "remember=true"))
    yield Pair("remember=true: PUT with an old token", send(old), send(tokens("plain")))
    yield named_key(settings, store, whole)


def named_key(settings: Settings, store: LmdbStore, whole: Together) -> Pair:
    """Return the pair of the names of API keys, and of the note of their use."""
    pair = api_keys.new_pair()
    call_ = _call(settings.history)
    scopes = ("*:series",)
    # It expires long after the measurement.
    ends = call_.now + 10**12
    store.update(
        lambda txn: api_keys.create(txn, call_, pair, scopes, name="bench", expires_at=ends)
    )
    guarded = create_app(whole, replace(settings, root_api_key="root", root_api_secret="secret"))
    credentials = base64.b64encode(f"{pair.key}:{pair.secret}".encode()).decode()
    post = {**environ("POST", f"/{KEYS[0]}"), "HTTP_AUTHORIZATION": f"Basic {credentials}"}
    run = together(whole, guarded, itertools.repeat(post))
    return Pair(
        "credentials with a name and an end: POST",
        run,
        patched(run, KeyUses, "note", lambda *ignored: None),
    )


def fill(store: LmdbStore, key: str, keep: int) -> None:
    """Give a series a whole history."""
    call_ = _call(keep)
    for number in range(FULL):
        store.update(
            lambda txn, number=number: series.advance(txn, call_, key, token=f"{number}")  # type: ignore[misc]
        )


def tokens(key: str, query: str = "") -> Iterator[Environ]:
    """Return calls with a new token each."""
    for number in itertools.count():
        yield environ("PUT", f"/v1/series/{key}/{number:040x}", query)


def patched(run: Callable[[], None], where: Any, name: str, other: object) -> Callable[[], None]:
    """Return a function that runs with something else in place of a function."""

    def run_without() -> None:
        with patch.object(where, name, other):
            run()

    return run_without


def _unlisted(txn: object, account: int, key: str, listed_at: int, changed_at: int) -> int:
    return listed_at


def _call(keep: int) -> Call:
    return Call(FIRST_ACCOUNT, None, clock.now(), keep)


if __name__ == "__main__":
    sys.exit(main())
