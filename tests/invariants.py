"""What holds in every store, whatever was done to it: a walk through all tables."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from monotron.core import bumps, history, probe, records, tables
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.core.records import Entry, Series
from monotron.limits import API_KEYS, ATTRIBUTE_BYTES, ATTRIBUTES, LAST_VALUE
from monotron.store.contract import Reading, Store, StoreCorrupt, Table

Rows = list[tuple[bytes, bytes]]
Faults = Iterator[str]

EVERYTHING = (b"", b"\xff" * 600)

TREE_BYTES = (4096 - 16) // 2 - 2 - 8
"""A key with its value that LMDB keeps in the tree; a longer one gets pages of its own
(`me_nodemax` in mdb.c, of a page with 4096 bytes)."""


def rows_of(reading: Reading, table: Table) -> Rows:
    """Give every row of a table."""
    return reading.scan(table, *EVERYTHING, limit=10**9)


def rows_of_store(store: Store) -> dict[Table, Rows]:
    """Give every row of every table."""
    return store.view(lambda reading: {table: rows_of(reading, table) for table in tables.ALL})


def faults(store: Store, *, keep: int | None = None) -> list[str]:
    """Tell what is wrong in a store; with `keep`, where history was always on with that number."""

    def walk(reading: Reading) -> list[str]:
        found = []
        for table in tables.ALL:
            try:
                found += [f"{table.decode()}: {fault}" for fault in _CHECKS[table](reading)]
            except StoreCorrupt as error:
                found.append(f"{table.decode()}: {error}")
        if keep is not None:
            found += [f"history: {fault}" for fault in _unkept(reading, keep)]
        return found

    return store.view(walk)


@pytest.fixture
def whole_store(any_store: Store) -> Iterator[Store]:
    """A store of each engine in turn, which the test has to leave without a fault."""
    yield any_store
    assert faults(any_store) == []


def _series(reading: Reading) -> Faults:
    for row, value in rows_of(reading, tables.SERIES):
        state = records.unpack_series(row, value)
        if row != records.series_row_key(state.account, state.key):
            yield f"{row!r} is not the row of {state}"
        if not 1 <= state.value <= LAST_VALUE:
            yield f"{state} has a value that none has"
        if not 0 <= state.given <= state.value:
            yield f"{state} has given out more values than there are"
        if not _is_account(reading, state.account):
            yield f"{state} belongs to no account"


def _history(reading: Reading) -> Faults:
    by_series: dict[bytes, Rows] = {}
    for row, value in rows_of(reading, tables.HISTORY):
        by_series.setdefault(row[:-8], []).append((row, value))
        if len(row) + len(value) > TREE_BYTES:
            yield f"{row!r} takes pages of its own"
    for series_row, rows in by_series.items():
        state = _state(reading, series_row)
        if state is None:
            yield f"{series_row!r} has {len(rows)} rows of history and no series"
        else:
            yield from _history_of(state, rows)
    for row, value in rows_of(reading, tables.SERIES):
        state = records.unpack_series(row, value)
        if not state.history and row in by_series:
            yield f"{state} knows nothing of its history"


def _history_of(state: Series, rows: Rows) -> Faults:
    # Where history is off there is no newest row to go on with, although old ones may be left.
    newest = records.history_row_key(state.account, state.key, state.history)
    if newest in dict(rows) and newest != rows[-1][0]:
        yield f"{state} has newer history than it knows of"
    number_before, value_before, skipped = 0, 0, 0
    last: Entry | None = None
    for row, value in rows:
        entries = records.unpack_history(value)
        if not entries:
            yield f"{row!r} holds nothing"
            continue
        _, first = entries[0]
        if row != records.history_row_key(state.account, state.key, first.value - first.count + 1):
            yield f"{row!r} does not begin with the value of its key"
        if records.unpack_history_number(value) <= number_before:
            yield f"{row!r} numbers values again"
        for number, entry in entries:
            if entry.count < 1 or entry.value - entry.count < value_before:
                yield f"{state} gave out twice what is in {entry}"
            # Moving a series up skips values, and nothing ever takes that back.
            if entry.value - number < skipped:
                yield f"{state} has a wrong number at {entry}"
            number_before, value_before, skipped = number, entry.value, entry.value - number
            last = entry
    if number_before > state.given or skipped > state.value - state.given:
        yield f"{state} has not given out the last of its history, {value_before}"
    # A seed is newer than what was given out last, and it leaves no token.
    if last is None or state.token is None or number_before != state.given:
        return
    if (last.value, last.token) != (state.value, state.token):
        yield f"{state} is not what it gave out last, {last}"


def _unkept(reading: Reading, keep: int) -> Faults:
    for row, value in rows_of(reading, tables.SERIES):
        state = records.unpack_series(row, value)
        rows = reading.scan(
            tables.HISTORY, *records.history_range(state.account, state.key), limit=10**9
        )
        if len(rows) > keep:
            yield f"{state} has {len(rows)} rows of history for {keep} values"
        if not state.given:
            continue
        page = history.page(reading, state, keep=keep, limit=keep)
        if len(page.items) != min(keep, state.given):
            yield f"{state} has {len(page.items)} values of its history, not {keep}"
        # Only a seed is newer than the newest value given out, and it leaves no token.
        if state.token is not None or state.value == state.given:
            newest = [(taken.value, taken.token) for taken in page.items[:1]]
            if newest != [(state.value, state.token)]:
                yield f"{state} is not the newest of its history, {newest}"


def _attributes(reading: Reading) -> Faults:
    count: Counter[bytes] = Counter()
    for row, value in rows_of(reading, tables.ATTRIBUTES):
        attribute = records.unpack_attribute(value)
        account, key = _split(row[:-32])
        if row != records.attribute_row_key(account, key, attribute.token, attribute.name):
            yield f"{row!r} is not the row of {attribute.name!r} of {attribute.token!r}"
        if len(attribute.value.encode()) > ATTRIBUTE_BYTES:
            yield f"{attribute.name!r} of {attribute.token!r} is too long"
        count[row[:-16]] += 1
    for row, number in count.items():
        if number > ATTRIBUTES:
            yield f"{row!r} has {number} attributes"


def _bumps(reading: Reading) -> Faults:
    made: Counter[tuple[int, str, int]] = Counter()
    for row, value in rows_of(reading, tables.BUMPS):
        bump = records.unpack_bump(value)
        account, name = _split(row[:-17])
        if row != records.bump_row_key(account, name, bump.part, bump.token):
            yield f"{row!r} is not the row of {bump}"
            continue
        key = bumps.series_key(name, bump.part, bump.major, bump.minor)
        state = _state(reading, records.series_row_key(account, key))
        number = (bump.major, bump.minor, bump.patch)[bump.part - 1]
        made[account, key, number] += 1
        if state is None or not 1 <= number <= state.value:
            yield f"{bump} was made with {key!r}, which is {state}"
    for (account, key, number), tokens in made.items():
        if tokens > 1:
            yield f"{tokens} tokens got {number} of {key!r} in account {account}"


def _accounts(reading: Reading) -> Faults:
    for row, value in rows_of(reading, tables.ACCOUNTS):
        account = records.unpack_account_row_key(row)
        if account == FIRST_ACCOUNT:
            yield f"account {account} has a row"
        if value[:1] != b"\x01":
            yield f"account {account} is stored as {value!r}"


def _api_keys(reading: Reading) -> Faults:
    counted = reading.get(tables.SYSTEM, _COUNTER)
    number = 0 if counted is None else records.unpack_counter(counted)
    ids = set()
    for row, value in rows_of(reading, tables.API_KEYS):
        api_key = records.unpack_api_key(row, value)
        if reading.get(tables.GRANTS, records.grant_row_key(api_key.account, api_key.id)) != row:
            yield f"{api_key} is not in the list of its account"
        if not 1 <= api_key.id <= number or api_key.id in ids:
            yield f"{api_key} has a wrong number"
        if not _is_account(reading, api_key.account):
            yield f"{api_key} belongs to no account"
        ids.add(api_key.id)


def _grants(reading: Reading) -> Faults:
    count: Counter[bytes] = Counter()
    for row, key in rows_of(reading, tables.GRANTS):
        count[row[:8]] += 1
        if reading.get(tables.API_KEYS, key) is None:
            yield f"{row!r} lists {key!r}, which is not there"
    for account, number in count.items():
        if number > API_KEYS:
            yield f"account {account!r} has {number} API keys"


def _retries(reading: Reading) -> Faults:
    times = Counter(
        records.retry_row_key_of_time(row) for row, _ in rows_of(reading, tables.RETRY_TIMES)
    )
    for row, value in rows_of(reading, tables.RETRIES):
        records.unpack_retry(value)
        if times[row] != 1:
            yield f"{row!r} is found {times[row]} times once it is too old"


def _retry_times(reading: Reading) -> Faults:
    for row, _ in rows_of(reading, tables.RETRY_TIMES):
        if reading.get(tables.RETRIES, records.retry_row_key_of_time(row)) is None:
            yield f"{row!r} stands for no retry"


def _system(reading: Reading) -> Faults:
    probe.read(reading)
    for row, _ in rows_of(reading, tables.SYSTEM):
        if row not in (_COUNTER, b"probe"):
            yield f"nobody knows {row!r}"


def _state(reading: Reading, row: bytes) -> Series | None:
    value = reading.get(tables.SERIES, row)
    return None if value is None else records.unpack_series(row, value)


def _split(row: bytes) -> tuple[int, str]:
    """Give the account and the name that a row begins with."""
    return int.from_bytes(row[:8], "big"), row[8:-1].decode()


def _is_account(reading: Reading, account: int) -> bool:
    row = reading.get(tables.ACCOUNTS, records.account_row_key(account))
    return account == FIRST_ACCOUNT or row is not None


_COUNTER = b"api_keys"

_CHECKS: dict[Table, Callable[[Reading], Faults]] = {
    tables.SERIES: _series,
    tables.HISTORY: _history,
    tables.ATTRIBUTES: _attributes,
    tables.BUMPS: _bumps,
    tables.ACCOUNTS: _accounts,
    tables.API_KEYS: _api_keys,
    tables.GRANTS: _grants,
    tables.RETRIES: _retries,
    tables.RETRY_TIMES: _retry_times,
    tables.SYSTEM: _system,
}
