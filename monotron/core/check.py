"""The invariants of every store, whatever was done to it, checked by a walk through all tables."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import TypeVar

from monotron.core import api_keys, bumps, calver, names, numbers, records, scopes, tables, tokens
from monotron.core import dated as calendars
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.core.changes import NEARNESS
from monotron.core.errors import RuleError
from monotron.core.records import (
    Attribute,
    Bump,
    Calendar,
    Dated,
    Entry,
    Retry,
    Series,
)
from monotron.limits import API_KEYS, ATTRIBUTE_BYTES, ATTRIBUTES
from monotron.store import paging
from monotron.store.contract import MAX_KEY_BYTES, Reading, StoreCorrupt, Table

T = TypeVar("T")


@dataclass
class Report:
    """What a walk found."""

    rows: dict[Table, int] = field(default_factory=lambda: dict.fromkeys(tables.ALL, 0))
    """How many rows were checked."""
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """Findings worth mentioning that need not be damage."""
    newest_change: int = 0
    """When any series last changed, in microseconds since 1970-01-01T00:00:00Z; 0 for never."""


def walk(reading: Reading) -> Report:
    """Check every row: that it can be read, matches its row key, and agrees with other rows."""
    found = _Found(reading)
    for look in _LOOKS:
        look(found)
    return found.report


@dataclass
class _Found:
    reading: Reading
    report: Report = field(default_factory=Report)
    accounts: set[int] = field(default_factory=lambda: {FIRST_ACCOUNT})

    def problem(self, what: str, problem: object) -> None:
        self.report.problems.append(f"{what}: {problem}")

    def rows(self, table: Table, read: Callable[[bytes, bytes], T]) -> Iterator[tuple[bytes, T]]:
        """Iterate over the readable rows; every other row is reported as a problem."""
        for row_key, value in paging.rows(self.reading, table, *paging.EVERYTHING):
            self.report.rows[table] += 1
            try:
                record = read(row_key, value)
            except StoreCorrupt as error:
                self.problem(f"table {table.decode()}, row {row_key!r}", error)
            else:
                yield row_key, record

    def obeys(self, what: str, rule: Callable[[T], object], subject: T) -> bool:
        """Return whether a rule accepts a stored value; if not, report a problem."""
        try:
            rule(subject)
        except RuleError as error:
            self.problem(what, error)
            return False
        return True

    def belongs(self, what: str, account: int) -> None:
        if account not in self.accounts:
            self.problem(what, f"account {account} does not exist")

    def get(self, table: Table, row_key: bytes) -> bytes | None:
        return self.reading.get(table, row_key) if 1 <= len(row_key) <= MAX_KEY_BYTES else None

    def is_listed(self, state: Series) -> bool:
        row_key = records.change_row_key(state.account, state.listed_at, state.key)
        return self.get(tables.CHANGE_TIMES, row_key) is not None

    def series(self, account: int, key: str) -> Series | None:
        """Return a series; raises `StoreCorrupt` if its row, already reported, is damaged."""
        row_key = records.series_row_key(account, key)
        value = self.reading.get(tables.SERIES, row_key)
        return None if value is None else records.unpack_series(row_key, value)


# Accounts and API keys


def _accounts(found: _Found) -> None:
    for _, account in found.rows(tables.ACCOUNTS, _read_account):
        if account == FIRST_ACCOUNT:
            found.problem(f"account {account}", "it has a row, although it exists without one")
        found.accounts.add(account)


def _api_keys(found: _Found) -> None:
    last = _last_api_key(found)
    ids: set[int] = set()
    for row_key, api_key in found.rows(tables.API_KEYS, records.unpack_api_key):
        what = f"API key {api_key.key!r} of account {api_key.account}"
        if found.get(tables.GRANTS, records.grant_row_key(api_key.account, api_key.id)) != row_key:
            found.problem(what, "it is missing from its account's list")
        if not 1 <= api_key.id <= last or api_key.id in ids:
            found.problem(what, f"its id is {api_key.id}, but the last id given out was {last}")
        ids.add(api_key.id)
        found.belongs(what, api_key.account)
        found.obeys(what, scopes.parse, api_key.scopes)


def _last_api_key(found: _Found) -> int:
    try:
        return api_keys.last_id(found.reading)
    except StoreCorrupt as error:
        found.problem("the count of API keys", error)
        return 0


def _grants(found: _Found) -> None:
    count: Counter[int] = Counter()
    for _, (account, key) in found.rows(tables.GRANTS, _read_grant):
        if found.get(tables.API_KEYS, key) is None:
            found.problem(f"account {account}", f"it lists the API key {key!r}, which is missing")
        count[account] += 1
    for account, number in count.items():
        if number > API_KEYS:
            found.problem(f"account {account}", f"it has {number} API keys, more than {API_KEYS}")


# Series and their history


def _series(found: _Found) -> None:
    for row_key, state in found.rows(tables.SERIES, records.unpack_series):
        what = _name(state.account, state.key)
        found.report.newest_change = max(found.report.newest_change, state.updated_at)
        if row_key != records.series_row_key(state.account, state.key):
            found.problem(what, "its row has another key")
        found.belongs(what, state.account)
        found.obeys(what, _series_key, state.key)
        found.obeys(what, numbers.value, state.value)
        if state.token is not None:
            found.obeys(what, _token, state.token)
        if not 0 <= state.given <= state.value:
            found.problem(what, f"it is at {state.value}, with {state.given} values given out")
        if bool(state.indexed) != bool(state.buckets) or state.buckets & (state.buckets - 1):
            found.problem(what, f"its index of tokens has {state.buckets} buckets")
        if state.limit < 0:
            found.problem(what, f"its limit is {state.limit}")
        if state.listed_at < 0 or (state.listed_at and not found.is_listed(state)):
            found.problem(what, "it is missing from the index of changes")
        # A history with rows in the table is checked in `_history`.
        range_ = records.history_range(state.account, state.key)
        if state.newest_row and not found.reading.scan(tables.HISTORY, *range_, limit=1):
            _whole_history(found, what, state, [])


def _limits(found: _Found) -> None:
    for _, ((account, key), limit) in found.rows(tables.LIMITS, _read_limit):
        what = _name(account, key)
        found.belongs(what, account)
        found.obeys(what, _series_key, key)
        found.obeys(what, numbers.value, limit)
        with suppress(StoreCorrupt):
            if found.series(account, key) is not None:
                found.problem(what, "its limit is not in its own row")


def _changes(found: _Found) -> None:
    for _, (account, listed_at, key) in found.rows(tables.CHANGE_TIMES, _read_change):
        what = _name(account, key)
        with suppress(StoreCorrupt):
            state = found.series(account, key)
            if state is None:
                found.problem(what, "it is missing, but it is in the index of changes")
            elif state.listed_at != listed_at:
                found.problem(what, "it is in the index of changes more than once")
            elif not 0 <= max(state.updated_at, 1) - listed_at < NEARNESS:
                found.problem(what, "its place in the index of changes is not when it changed")


def _tokens(found: _Found) -> None:
    for row_key, (account, key, bucket) in found.rows(tables.TOKENS, _read_bucket):
        what = f"{_name(account, key)}, tokens {row_key[-2:].hex()}"
        values = [value for _, value in bucket]
        if values != sorted(set(values)):
            found.problem(what, "their values are not in order")
        with suppress(StoreCorrupt):
            state = found.series(account, key)
            if state is None or not (state.indexed and state.buckets):
                found.problem(what, "they are in an index that the series does not have")
                continue
            if values and not 1 <= values[0] <= values[-1] <= state.value:
                found.problem(what, f"the index has {values[-1]}")
            for mark, value in bucket:
                if row_key not in tokens.places(state, mark):
                    found.problem(what, f"that of {value} belongs elsewhere")


@dataclass(frozen=True, slots=True)
class _Part:
    """A row of history."""

    row_key: bytes
    account: int
    key: str
    number: int
    """The number of its first value, counted from 1 in the order in which values were given out."""
    entries: list[tuple[int, Entry]]

    @property
    def first(self) -> int:
        """Its first value."""
        _, entry = self.entries[0]
        return entry.value - entry.count + 1


def _history(found: _Found) -> None:
    read = (part for _, part in found.rows(tables.HISTORY, _read_history))
    for (account, key), group in groupby(read, key=lambda part: (part.account, part.key)):
        what, parts = _name(account, key), list(group)
        state = None
        with suppress(StoreCorrupt):
            state = found.series(account, key)
            if state is None:
                found.problem(
                    what, f"the series is missing, but {len(parts)} rows of its history exist"
                )
        if state is None:
            _values(found, what, parts)
        else:
            _whole_history(found, what, state, parts)


def _whole_history(found: _Found, what: str, state: Series, parts: list[_Part]) -> None:
    """Check a series' history: these rows of the table, and the one stored with the series."""
    if state.newest_row:
        row_key = records.history_row_key(state.account, state.key, state.history)
        try:
            parts = [*parts, _read_history(row_key, state.newest_row)]
        except StoreCorrupt as error:
            found.problem(what, error)
            return
        parts.sort(key=lambda part: part.first)
    _values(found, what, parts)
    _newest(found, what, state, parts[-1])
    _holes(found, what, state, parts)
    if state.indexed and state.buckets:
        with suppress(StoreCorrupt):
            _indexed(found, what, state, parts)


def _values(found: _Found, what: str, parts: list[_Part]) -> None:
    """Check the values in a history: each was given out once, and in order."""
    value = number = skipped = 0
    for part in parts:
        if part.row_key != records.history_row_key(part.account, part.key, max(part.first, 0)):
            found.problem(
                what, f"a row of its history that begins with {part.first} has another key"
            )
        if part.number <= number:
            found.problem(what, f"{part.first} in its history has a number that was used before")
        for last, entry in part.entries:
            if entry.count < 1 or entry.value - entry.count < value:
                found.problem(what, f"{entry.value} in its history comes after {value}")
            # Moving a series up skips values, and nothing ever takes that back.
            if entry.value - last < skipped:
                found.problem(what, f"{entry.value} in its history has the wrong number {last}")
            value, number, skipped = entry.value, last, max(entry.value - last, skipped)


def _newest(found: _Found, what: str, state: Series, part: _Part) -> None:
    """Check a series against the newest row of its history."""
    number, entry = part.entries[-1]
    if number > state.given or entry.value - number > state.value - state.given:
        found.problem(
            what,
            f"it is at {state.value} with {state.given} values given out, but the newest of its "
            f"history is {entry.value}, number {number}",
        )
    # A seed is newer than the last value given out, and leaves no token.
    last = entry.value, entry.token
    if state.token and number == state.given and last != (state.value, state.token):
        found.problem(
            what,
            f"it is at {state.value} for the token {state.token!r}, but gave out {entry.value} for "
            f"{entry.token!r} last",
        )
    if state.history < part.first:
        found.problem(
            what,
            f"the newest row of its history begins with {part.first}, not with {state.history}",
        )
    # After history was turned off, it is the last value since then, which has no row.
    elif state.history > part.first and state.token and state.history != state.value:
        found.problem(what, f"the row of its history that begins with {state.history} is missing")


def _holes(found: _Found, what: str, state: Series, parts: list[_Part]) -> None:
    """Remark on values that a series' history should hold but does not."""
    held = sum(entry.count for part in parts for _, entry in part.entries)
    missing = state.given - parts[0].number + 1 - held
    if missing > 0:
        found.report.remarks.append(
            f"{what}: {missing} values are missing from its history, as if it had been turned off"
        )


def _indexed(found: _Found, what: str, state: Series, parts: list[_Part]) -> None:
    """Check that the index has each token of the indexed rows, with its last value."""
    last = {
        entry.token: entry.value
        for part in parts
        if part.first >= state.indexed
        for _, entry in part.entries
        if entry.token is not None
    }
    for token, value in last.items():
        mark = records.token_mark(token)
        buckets = [found.get(tables.TOKENS, place) for place in tokens.places(state, mark)]
        if not any((mark, value) in records.unpack_bucket(row) for row in buckets if row):
            found.problem(what, f"the index of its tokens does not have {token!r} at {value}")


# Attributes, versions and retries


def _attributes(found: _Found) -> None:
    read = found.rows(tables.ATTRIBUTES, _read_attribute)
    for (account, key, token), group in groupby(read, key=_token_of):
        what = f"{_name(account, key)}, token {token!r}"
        found.belongs(what, account)
        found.obeys(what, _series_key, key)
        found.obeys(what, _token, token)
        count = 0
        for row_key, (_, _, attribute) in group:
            count += 1
            size = len(attribute.value.encode())
            if row_key != records.attribute_row_key(account, key, token, attribute.name):
                found.problem(what, f"the attribute {attribute.name!r} is in another's row")
            found.obeys(what, _attribute, attribute.name)
            if size > ATTRIBUTE_BYTES:
                found.problem(what, f"the attribute {attribute.name!r} has {size} bytes")
        if count > ATTRIBUTES:
            found.problem(what, f"it has {count} attributes, more than {ATTRIBUTES}")


def _bumps(found: _Found) -> None:
    given: dict[tuple[int, str, int], str] = {}
    for row_key, (account, name, bump) in found.rows(tables.BUMPS, _read_bump):
        what = f"version {name!r} of account {account}, token {bump.token!r}"
        found.belongs(what, account)
        found.obeys(what, _token, bump.token)
        if bump.part not in bumps.PARTS.values() or not 0 <= bump.raised < bump.part:
            found.problem(what, f"it bumped part {bump.part}, which does not exist")
        elif found.obeys(what, _version_name, name) and found.obeys(what, _pre_release, bump.pre):
            if row_key != records.bump_row_key(account, name, bump.part, bump.token, bump.pre):
                found.problem(what, "it is in another's row")
            with suppress(StoreCorrupt):
                got = _bumped(found, what, account, name, bump)
                if given.setdefault(got, bump.token) != bump.token:
                    found.problem(what, "another token got the same version")


def _bumped(found: _Found, what: str, account: int, name: str, bump: Bump) -> tuple[int, str, int]:
    """Check a bump against its series; return the account, the series key and the value."""
    key, number = bumps.made_with(name, bump)
    _counted(found, what, account, key, number)
    return account, key, number


def _counted(found: _Found, what: str, account: int, key: str, number: int) -> None:
    """Check that a series has given out a number."""
    state = found.series(account, key)
    if state is None:
        found.problem(what, f"it got {number} from the series {key!r}, which is missing")
    elif not 1 <= number <= state.value:
        found.problem(what, f"it got {number} from the series {key!r}, which is at {state.value}")


def _dated(found: _Found) -> None:
    for row_key, calendar in found.rows(tables.CALENDARS, _read_calendar):
        account, name = records.unpack_owner(row_key)
        what = f"calendar {name!r} of account {account}"
        found.belongs(what, account)
        found.obeys(what, _version_name, name)
        found.obeys(what, calver.valid_scheme, calendar.scheme)
    given: dict[tuple[int, str, int], str] = {}
    for row_key, (account, name, dated) in found.rows(tables.DATED, _read_dated):
        what = f"calendar version {name!r} of account {account}, token {dated.token!r}"
        found.obeys(what, _token, dated.token)
        if row_key != records.dated_row_key(account, name, dated.token):
            found.problem(what, "it is in another's row")
        with suppress(StoreCorrupt):
            if calendars.calendar(found.reading, account, name) is None:
                found.problem(what, "its calendar is missing")
        key = calendars.series_key(name, dated.period)
        with suppress(StoreCorrupt):
            _counted(found, what, account, key, dated.micro)
        if given.setdefault((account, key, dated.micro), dated.token) != dated.token:
            found.problem(what, "another token got the same version")


def _retries(found: _Found) -> None:
    times = Counter(row_key for _, row_key in found.rows(tables.RETRY_TIMES, _read_retry_time))
    for row_key, (account, retry) in found.rows(tables.RETRIES, _read_retry):
        what = f"retry {row_key.hex()} of account {account}"
        found.belongs(what, account)
        found.obeys(what, numbers.value, retry.value)
        if times[row_key] != 1:
            found.problem(what, f"it has {times[row_key]} removal times, not one")
        del times[row_key]
    for row_key in times:
        found.problem(f"retry {row_key.hex()}", "it is missing, but its removal time exists")


def _system(found: _Found) -> None:
    for row_key, known in found.rows(tables.SYSTEM, _read_system):
        if not known:
            found.report.remarks.append(
                f"table system, row {row_key!r}: this version of monotron does not know it"
            )


def _api_key_names(found: _Found) -> None:
    for _, (key, name) in found.rows(tables.API_KEY_NAMES, _read_api_key_name):
        found.obeys(f"API key {key!r}", _api_key_name, name)


def _activity(found: _Found) -> None:
    # A service that ran while its store was replaced may count for an account that is gone.
    for _, (account, hour, count) in found.rows(tables.ACTIVITY, _read_activity):
        if count < 1:
            found.problem(f"the activity of account {account}, hour {hour}", f"it is {count}")


_LOOKS = (
    _accounts,
    _series,
    _limits,
    _changes,
    _history,
    _tokens,
    _attributes,
    _bumps,
    _dated,
    _api_keys,
    _api_key_names,
    _grants,
    _retries,
    _activity,
    _system,
)


# How rows are read


def _read_account(row_key: bytes, value: bytes) -> int:
    records.unpack_account(value)
    return records.unpack_account_row_key(row_key)


def _read_grant(row_key: bytes, value: bytes) -> tuple[int, bytes]:
    account, _ = records.unpack_grant_row_key(row_key)
    return account, value


def _read_limit(row_key: bytes, value: bytes) -> tuple[tuple[int, str], int]:
    return records.unpack_owner(row_key), records.unpack_limit(value)


def _read_change(row_key: bytes, value: bytes) -> tuple[int, int, str]:
    return records.unpack_change_row_key(row_key)


def _read_bucket(row_key: bytes, value: bytes) -> tuple[int, str, list[tuple[bytes, int]]]:
    return (*records.unpack_owner(row_key), records.unpack_bucket(value))


def _read_api_key_name(row_key: bytes, value: bytes) -> tuple[str, str]:
    return row_key.decode(errors="replace"), records.unpack_api_key_name(value)


def _read_history(row_key: bytes, value: bytes) -> _Part:
    entries = records.unpack_history(value)
    if not entries:
        raise StoreCorrupt("the row of a history is empty")
    number = records.unpack_history_number(value)
    return _Part(row_key, *records.unpack_owner(row_key), number, entries)


def _read_attribute(row_key: bytes, value: bytes) -> tuple[int, str, Attribute]:
    return (*records.unpack_owner(row_key), records.unpack_attribute(value))


def _token_of(read: tuple[bytes, tuple[int, str, Attribute]]) -> tuple[int, str, str]:
    _, (account, key, attribute) = read
    return account, key, attribute.token


def _read_bump(row_key: bytes, value: bytes) -> tuple[int, str, Bump]:
    return (*records.unpack_owner(row_key), records.unpack_bump(value))


def _read_calendar(row_key: bytes, value: bytes) -> Calendar:
    records.unpack_owner(row_key)
    return records.unpack_calendar(value)


def _read_dated(row_key: bytes, value: bytes) -> tuple[int, str, Dated]:
    return (*records.unpack_owner(row_key), records.unpack_dated(value))


def _read_retry(row_key: bytes, value: bytes) -> tuple[int, Retry]:
    account, _ = records.unpack_retry_row_key(row_key)
    return account, records.unpack_retry(value)


def _read_retry_time(row_key: bytes, value: bytes) -> bytes:
    records.unpack_retry_time_row_key(row_key)
    return records.retry_row_key_of_time(row_key)


def _read_activity(row_key: bytes, value: bytes) -> tuple[int, int, int]:
    return (*records.unpack_activity_row_key(row_key), records.unpack_counter(value))


def _read_system(row_key: bytes, value: bytes) -> bool:
    """Return whether this version knows the row."""
    if row_key == records.PROBE_ROW_KEY:
        records.unpack_probe(value)
    # `_api_keys` reads the second one, and the third one has no value.
    return row_key in (
        records.PROBE_ROW_KEY,
        records.API_KEY_IDS_ROW_KEY,
        records.CHANGES_ROW_KEY,
    )


# The rules for stored names, which an earlier version may have allowed

_series_key = partial(names.series_key, new=False)
_token = partial(names.token, new=False)
_attribute = partial(names.attribute, new=False)
_version_name = partial(names.version_name, new=False)
_api_key_name = partial(names.api_key_name, new=False)


def _pre_release(text: str) -> None:
    if text:
        names.pre_release(text)


def _name(account: int, key: str) -> str:
    return f"series {key!r} of account {account}"
