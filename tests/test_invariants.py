"""The walk through all tables finds what contradicts itself."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from monotron.core import (
    accounts,
    api_keys,
    attributes,
    probe,
    records,
    retries,
    semver,
    series,
    tables,
)
from monotron.core.bumps import MAJOR, MINOR
from monotron.core.records import Attribute, Bump, Entry
from monotron.limits import ATTRIBUTES
from monotron.store.contract import Store, Table, Transaction
from tests.calls import call_in
from tests.invariants import faults, rows_of
from tests.memory import MemoryStore

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
TOKEN = "0".ljust(256)


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


def many_attributes(txn: Transaction) -> None:
    for number in range(ATTRIBUTES + 1):
        attribute = Attribute("t", f"{number}", "")
        row = records.attribute_row_key(1, "svc", "t", attribute.name)
        txn.put(tables.ATTRIBUTES, row, records.pack_attribute(attribute))


def series_with(**changes: Any) -> Break:
    def change(txn: Transaction) -> None:
        state = series.get(txn, 1, "svc")
        assert state is not None
        txn.put(tables.SERIES, SVC, records.pack_series(replace(state, **changes)))

    return change


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(drop(tables.SERIES, SVC), id="history without a series"),
        pytest.param(
            drop(tables.SERIES, records.series_row_key(1, "app-major")), id="bump without one"
        ),
        pytest.param(put(tables.SERIES, SVC, b"\x09"), id="unreadable"),
        pytest.param(series_with(value=0), id="value too small"),
        pytest.param(series_with(given=21), id="more given than there are"),
        pytest.param(series_with(value=19, given=19), id="fewer given than history has"),
        pytest.param(series_with(token="other"), id="another token than history has"),
        pytest.param(series_with(history=0), id="history it does not know of"),
        pytest.param(series_with(history=1), id="newer history than it knows of"),
        pytest.param(drop(tables.ACCOUNTS, records.account_row_key(2)), id="without an account"),
        pytest.param(put(tables.HISTORY, ROW, history_of()), id="empty row"),
        pytest.param(put(tables.HISTORY, ROW, history_of(entry(2))), id="not the value of its key"),
        pytest.param(put(tables.HISTORY, ROW, history_of(entry(2, 2), entry(2))), id="value twice"),
        pytest.param(
            put(tables.HISTORY, ROW, history_of(entry(1), number=2)), id="number that is no rank"
        ),
        pytest.param(
            put(tables.HISTORY, ROW, history_of(*(entry(each) for each in range(1, 90)))),
            id="row that is too long",
        ),
        pytest.param(
            put(
                tables.HISTORY,
                records.history_row_key(1, "svc", 21),
                history_of(entry(21), number=21),
            ),
            id="history that is newer than its series",
        ),
        pytest.param(
            put(
                tables.ATTRIBUTES,
                records.attribute_row_key(1, "svc", TOKEN, "author"),
                b"\x01\0\0\0\0",
            ),
            id="attribute of another row",
        ),
        pytest.param(many_attributes, id="too many attributes"),
        pytest.param(
            put(
                tables.BUMPS,
                records.bump_row_key(1, "app", MAJOR, "u"),
                records.pack_bump(Bump(MAJOR, "u", 1, 0, 0)),
            ),
            id="version given twice",
        ),
        pytest.param(
            put(
                tables.BUMPS,
                records.bump_row_key(1, "app", MAJOR, "u"),
                records.pack_bump(Bump(MAJOR, "u", 2, 0, 0)),
            ),
            id="version that was never given",
        ),
        pytest.param(
            put(
                tables.BUMPS,
                records.bump_row_key(1, "app", MAJOR, "u"),
                records.pack_bump(Bump(MINOR, "u", 1, 1, 0)),
            ),
            id="bump of another row",
        ),
        pytest.param(put(tables.ACCOUNTS, records.account_row_key(1), b"\x01"), id="first account"),
        pytest.param(drop_last(tables.GRANTS), id="API key that is not listed"),
        pytest.param(drop_last(tables.API_KEYS), id="listed API key that is not there"),
        pytest.param(drop(tables.SYSTEM, b"api_keys"), id="API key that was not counted"),
        pytest.param(drop_last(tables.RETRIES), id="time without a retry"),
        pytest.param(drop_last(tables.RETRY_TIMES), id="retry without a time"),
        pytest.param(
            lambda txn: txn.put(
                tables.RETRY_TIMES,
                records.retry_time_row_key(9, rows_of(txn, tables.RETRIES)[0][0]),
                b"",
            ),
            id="retry with two times",
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
