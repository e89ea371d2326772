"""What tests look for in a store, besides the rules of `monotron check` (`test_check.py`)."""

from collections.abc import Callable
from datetime import timezone

import pytest

from monotron.core import (
    accounts,
    api_keys,
    attributes,
    calver,
    probe,
    records,
    retries,
    semver,
    series,
    tables,
)
from monotron.core.bumps import MAJOR, MINOR
from monotron.core.records import Entry
from monotron.store.contract import Store, Table, Transaction
from tests.support.calls import call_in
from tests.support.invariants import faults, rows_of
from tests.support.memory import MemoryStore

Break = Callable[[Transaction], object]

KEEP = 1_000


def fill(txn: Transaction) -> None:
    """Make everything there is."""
    probe.write(txn, 1)
    accounts.make(txn, 2, now=1)
    for account in (1, 2):
        api_keys.create(txn, call_in(account, now=1), api_keys.new_pair(), ("read:series",))
        for number in range(20):
            token = f"{number}".ljust(256)
            series.advance(txn, call_in(account, now=1, keep=KEEP), "svc", token=token)
            attributes.put(txn, account, "svc", token, {"author": "a"})
        semver.bump(txn, call_in(account, now=1, keep=KEEP), "app", MAJOR, "t")
        semver.bump(txn, call_in(account, now=1, keep=KEEP), "app", MINOR, "t")
        calver.take(
            txn,
            call_in(account, now=1, keep=KEEP),
            "app",
            "t",
            scheme=None,
            zone=timezone.utc,
        )
        retries.once(txn, call_in(account, now=1), "key", bytes(16), lambda: 1)


@pytest.fixture
def filled() -> Store:
    store = MemoryStore()
    store.update(fill)
    return store


def test_a_store_that_rules_alone_have_written_has_no_fault(filled: Store) -> None:
    assert faults(filled) == faults(filled, keep=KEEP) == []
    assert faults(MemoryStore()) == []


SVC = records.series_row_key(1, "svc")
ROW = records.history_row_key(1, "svc", 1)


def drop(table: Table, row: bytes) -> Break:
    return lambda txn: txn.delete(table, row)


def drop_last(table: Table) -> Break:
    return lambda txn: txn.delete(table, rows_of(txn, table)[-1][0])


def put(table: Table, row: bytes, value: bytes) -> Break:
    return lambda txn: txn.put(table, row, value)


def history_of(*entries: Entry, number: int = 1) -> bytes:
    return records.pack_history(number) + b"".join(map(records.pack_entry, entries))


def entry(value: int, count: int = 1, token: str | None = None) -> Entry:
    return Entry(value, count, token, None, 1)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(drop(tables.SERIES, SVC), id="whatever monotron check finds"),
        pytest.param(put(tables.SERIES, SVC, b"\x09"), id="unreadable"),
        pytest.param(
            put(tables.HISTORY, ROW, history_of(*(entry(each) for each in range(1, 90)))),
            id="row that is too long",
        ),
        pytest.param(put(tables.SYSTEM, b"?", b""), id="row that nobody knows"),
    ],
)
def test_each_fault_is_found(filled: Store, damage: Break) -> None:
    filled.update(damage)
    assert faults(filled) != []


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(drop_last(tables.HISTORY), id="the newest are missing"),
        pytest.param(drop(tables.HISTORY, ROW), id="the oldest are missing"),
    ],
)
def test_history_has_all_that_was_given_where_it_was_always_on(
    filled: Store, damage: Break
) -> None:
    filled.update(damage)
    assert faults(filled, keep=KEEP) != []
