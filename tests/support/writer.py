"""The program that `test_kill.py` kills. It imports little, so that it starts fast."""

import os
import threading
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from monotron.core import attributes, retries, semver, series, tables
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.core.bumps import MAJOR, MINOR, PATCH
from monotron.core.records import request_digest
from monotron.store.contract import Transaction
from monotron.store.lmdb import LmdbStore
from tests.support.calls import call_in

KEY = "killed"
THREADS = 2
"""One finds nobody writing, the other waits for the next batch: a kill can hit either."""

RETRIED = "retried"
VERSIONED = "versioned"
TRIMMED = "trimmed"
TRIMMED_KEEP = 3
MORTAL = (("dying", MAJOR, "dying-major"), ("fading", MINOR, "fading-minor-v0"))
"""Series that are constantly created and deleted: a name of versions, a part, and its series."""
MORTAL_VALUES = 60
"""Its last ones are versions."""
MORTAL_VERSIONS = 5
MORTAL_ATTRIBUTES = 10

REQUEST = request_digest(RETRIED)
NOW = 1


def write_until_killed(folder: Path, pipe: Connection) -> None:
    """Take numbers from one series, and tell each one that was answered."""
    store = LmdbStore(folder, tables.ALL, wait_seconds=3600)
    _in_threads([partial(_take_numbers, store, pipe)] * THREADS)


def change_until_killed(folder: Path, clients: dict[str, int], pipe: Connection) -> None:
    """Make calls of all kinds for these clients, each from that one of its calls on.

    Tell each one that was answered. Who goes on for a client makes its first call once more.
    """
    store = LmdbStore(folder, tables.ALL, wait_seconds=3600)
    _in_threads([partial(_make_calls, store, pipe, *client) for client in clients.items()])


def call_of(client: str, number: int) -> Callable[[Transaction], str]:
    """Return a client's `number`-th call, the same each time."""
    kind, token = CALLS[number % len(CALLS)], token_of(client, number)
    return lambda txn: kind(txn, number, token)


def token_of(client: str, number: int) -> str:
    """Return 256 bytes that distinguish a call from all others."""
    return f"{client}-{number}".ljust(256, "-")


def _in_threads(tasks: list[Callable[[], None]]) -> None:
    for task in tasks[1:]:
        threading.Thread(target=task, daemon=True).start()
    tasks[0]()


def _take_numbers(store: LmdbStore, pipe: Connection) -> None:
    while True:
        state = store.update(lambda txn: series.advance(txn, call_in(FIRST_ACCOUNT, now=0), KEY))
        # A pipe takes so short a line whole or not at all.
        os.write(pipe.fileno(), b"%d\n" % state.value)


def _make_calls(store: LmdbStore, pipe: Connection, client: str, number: int) -> None:
    while True:
        answer = store.update(call_of(client, number))
        os.write(pipe.fileno(), f"{client} {number} {answer}\n".encode())
        number += 1


def _retry(txn: Transaction, number: int, token: str) -> str:
    def take() -> int:
        return series.advance(txn, call_in(FIRST_ACCOUNT, now=NOW), RETRIED).value

    return f"{retries.once(txn, call_in(FIRST_ACCOUNT, now=NOW), token, REQUEST, take)}"


def _bump(txn: Transaction, number: int, token: str) -> str:
    part = MAJOR if number % 45 == 1 else MINOR if number % 9 == 1 else PATCH
    return str(semver.bump(txn, call_in(FIRST_ACCOUNT, now=NOW), VERSIONED, part, token))


def _trim(txn: Transaction, number: int, token: str) -> str:
    state = series.advance(
        txn, call_in(FIRST_ACCOUNT, now=NOW, keep=TRIMMED_KEEP), TRIMMED, token=token
    )
    return f"{state.value}"


def _make_or_delete(txn: Transaction, number: int, token: str) -> str:
    name, part, key = MORTAL[number // len(CALLS) % len(MORTAL)]
    if series.delete(txn, FIRST_ACCOUNT, key):
        return "deleted"
    for each in range(MORTAL_ATTRIBUTES):
        attributes.put(txn, FIRST_ACCOUNT, key, token, {f"{each}": token * 4})
    for each in range(MORTAL_VALUES):
        own = f"{each}{token}"[:256]
        if each < MORTAL_VALUES - MORTAL_VERSIONS:
            series.advance(txn, call_in(FIRST_ACCOUNT, now=NOW), key, token=own)
        else:
            semver.bump(txn, call_in(FIRST_ACCOUNT, now=NOW), name, part, own)
    return "made"


CALLS: list[Callable[[Transaction, int, str], str]] = [_retry, _bump, _trim, _make_or_delete]
