"""Every row key and record layout in the store; no other module knows a byte of them.

A row is a key and a value, both bytes. A row's key is called its *row key* here, because a
series key is the name of a series and an API key is a credential:

- `*_row_key(...)` returns a row key, `unpack_*_row_key(row_key)` reads one;
- `*_range(...)` returns a range of row keys;
- `pack_*(...)` returns a row's value, `unpack_*(...)` reads one.

The row key of everything that belongs to a series begins with the account (8 bytes, big-endian),
the series key in UTF-8 and a zero byte. So a scan reads in the order of accounts, then of series
keys, and one range holds everything of a series. A name has no zero byte, so no row key is a prefix
of another series' row keys.

A second name in a row key is a 16-byte digest, because two long names would exceed the 511 bytes
that a key may have; its text is in the value.

A value is a format byte followed by a packed struct. Every released format stays readable.
"""

import bisect
import functools
import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from monotron.store.contract import StoreCorrupt
from monotron.store.paging import Range

T = TypeVar("T")


def _reads(what: str) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Make a function raise `StoreCorrupt` for a row that it cannot unpack."""

    def decorate(unpack: Callable[..., T]) -> Callable[..., T]:
        @functools.wraps(unpack)
        def read(*parts: bytes) -> T:
            try:
                return unpack(*parts)
            except (struct.error, ValueError, IndexError) as error:
                raise StoreCorrupt(f"the row of {what} is damaged: {error}") from error

        return read

    return decorate


# Series


# Nobody changes a record. But those that each call needs are not frozen: a frozen one takes 0.9 µs
# to create, instead of 0.2, and a call creates four.
@dataclass(slots=True)
class Series:
    """The current state of a series."""

    account: int
    key: str
    value: int
    """The last value given out, from 1."""
    token: str | None
    """The token that the value stands for, or None if it was taken without one."""
    created_at: int
    """Microseconds since 1970-01-01T00:00:00Z; for people, no rule looks at it."""
    updated_at: int
    """The time of the last change, in the same unit."""
    given: int = 0
    """How many values were given out; fewer than `value` if the series was moved up."""
    history: int = 0
    """The first value of the newest row of its history; 0 if it has no row. It may also be a
    value without a row: then the next value begins a new row."""
    limit: int = 0
    """The last value that it may give out; 0 if nobody has set a limit."""
    indexed: int = 0
    """The tokens of the rows of its history that begin here or later are in the index of tokens; 0
    if none are."""
    buckets: int = 0
    """How many buckets the index of tokens has; a power of 2, 0 if there is no index."""
    listed_at: int = 0
    """The time of its row in the index of changes; 0 if it has no row."""
    newest_row: bytes = b""
    """The newest row of its history, which is stored here until it is full; empty if there is none,
    or if that row is in the table already, as in a store of an earlier version."""


def series_row_key(account: int, key: str) -> bytes:
    """Return the row key of a series."""
    return _NUMBER.pack(account) + key.encode() + b"\0"


def series_range(account: int, prefix: str = "") -> Range:
    """Return the range of an account's series whose series keys start with `prefix`."""
    start = _NUMBER.pack(account) + prefix.encode()
    # No byte of UTF-8 is 0xFF, so this is past every key that starts with the prefix.
    return start, start + b"\xff"


@_reads("something that belongs to a series")
def unpack_owner(row_key: bytes) -> tuple[int, str]:
    """Return the account and the name that a row key begins with."""
    (account,) = _NUMBER.unpack_from(row_key)
    return account, row_key[_NUMBER.size :].partition(b"\0")[0].decode()


def pack_series(series: Series) -> bytes:
    """Return the value of a series' row."""
    # A token is never empty, so the absence of a token needs no marker.
    token = (series.token or "").encode()
    head = _SERIES.pack(
        _SERIES_FORMAT,
        series.value,
        series.created_at,
        series.updated_at,
        series.given,
        series.history,
        series.limit,
        series.indexed,
        series.buckets,
        series.listed_at,
        len(token),
    )
    return head + token + series.newest_row


@_reads("a series")
def unpack_series(row_key: bytes, value: bytes) -> Series:
    """Read a series from its row; raises `StoreCorrupt` for an unknown format or damage."""
    (account,) = _NUMBER.unpack_from(row_key)
    key = row_key[_NUMBER.size : -1].decode()
    if value and value[0] == 1:
        # Written before history existed: as if every value had been given out.
        _, number, created_at, updated_at = _SERIES_1.unpack_from(value)
        token = value[_SERIES_1.size :].decode()
        return Series(account, key, number, token or None, created_at, updated_at, number)
    if value and value[0] == 2:
        # Written before limits and the two indexes existed.
        _, number, created_at, updated_at, given, history = _SERIES_2.unpack_from(value)
        token = value[_SERIES_2.size :].decode()
        return Series(account, key, number, token or None, created_at, updated_at, given, history)
    if value and value[0] == 3:
        # Written before the newest row of history was stored here.
        _, number, created_at, updated_at, *rest = _SERIES_3.unpack_from(value)
        token = value[_SERIES_3.size :].decode()
        return Series(account, key, number, token or None, created_at, updated_at, *rest)
    _check_format("a series", value, _SERIES_FORMAT)
    fields = _SERIES.unpack_from(value)
    _, number, created_at, updated_at, given, history, limit, indexed, buckets, listed_at, size = (
        fields
    )
    end = _SERIES.size + size
    if end > len(value):
        raise IndexError("its token is cut short")
    if end < len(value) and history < 1:
        raise ValueError("the newest row of its history begins nowhere")
    token = value[_SERIES.size : end].decode()
    return Series(
        account,
        key,
        number,
        token or None,
        created_at,
        updated_at,
        given,
        history,
        limit,
        indexed,
        buckets,
        listed_at,
        value[end:],
    )


@_reads("a series")
def unpack_series_order(value: bytes) -> tuple[int, int]:
    """Return what lists of series are sorted by: the last value, and the time of the last change.

    It reads the part of a row that all formats share, for searches that look at every row.
    """
    _series_layout(value)
    _, number, _, updated_at = _SERIES_1.unpack_from(value)
    return number, updated_at


@_reads("a series")
def unpack_series_token(value: bytes) -> str:
    """Return the current token of a series alone; empty if there is none."""
    layout = _series_layout(value)
    end = layout.size + layout.unpack_from(value)[-1] if layout is _SERIES else len(value)
    if end > len(value):
        raise IndexError("its token is cut short")
    return value[layout.size : end].decode()


def _series_layout(value: bytes) -> struct.Struct:
    """Return the layout of what comes before the token in a series' row; raises `StoreCorrupt`."""
    layout = _SERIES_LAYOUTS.get(value[0])
    if layout is None:
        raise _other_format("a series", value, _SERIES_FORMAT)
    return layout


# Limits of series that have no value yet; later, a limit is in the series' own row


def pack_limit(limit: int) -> bytes:
    """Return the value of a limit's row; its row key is that of the series."""
    return _LIMIT.pack(_LIMIT_FORMAT, limit)


@_reads("a limit")
def unpack_limit(value: bytes) -> int:
    """Read a limit from its row."""
    _check_format("a limit", value, _LIMIT_FORMAT)
    return int(_LIMIT.unpack(value)[1])


# Changes: the series, in the order in which they changed


def change_row_key(account: int, listed_at: int, key: str) -> bytes:
    """Return the row key of a series in the index of changes."""
    return _CHANGE.pack(account, listed_at) + key.encode()


def change_range(account: int, *, since: int = 0, until: int) -> Range:
    """Return the range of the series listed at `since` or later, and at `until` or earlier."""
    return _CHANGE.pack(account, max(since, 0)), _CHANGE.pack(account, until + 1)


@_reads("a change")
def unpack_change_row_key(row_key: bytes) -> tuple[int, int, str]:
    """Return the account, the time and the series key from the row key of a change."""
    account, listed_at = _CHANGE.unpack_from(row_key)
    return account, listed_at, row_key[_CHANGE.size :].decode()


# History: entries, oldest first, several in a row


@dataclass(slots=True)
class Entry:
    """A value that was given out, or a range of them."""

    value: int
    """The last value of the range."""
    count: int
    """How many values it has, at least 1."""
    token: str | None
    api_key: str | None
    """The API key that took it; None if authentication was off."""
    created_at: int
    """Microseconds since 1970-01-01T00:00:00Z."""


def history_row_key(account: int, key: str, first: int) -> bytes:
    """Return the row key of the row of history whose first value is `first`."""
    return series_row_key(account, key) + _NUMBER.pack(first)


def history_range(account: int, key: str, before: int | None = None) -> Range:
    """Return the range of a series' rows of history, or of those that begin before a value."""
    start = series_row_key(account, key)
    return start, start + (b"\xff" * 9 if before is None else _NUMBER.pack(before))


@_reads("a history")
def unpack_history_first(row_key: bytes) -> int:
    """Return the first value of a row of history from its row key."""
    return int(_NUMBER.unpack(row_key[-_NUMBER.size :])[0])


def pack_history(number: int) -> bytes:
    """Return the value of a row of history without entries.

    The first value added to it will be the series' `number`-th value given out, from 1.
    """
    return _HISTORY.pack(_HISTORY_FORMAT, number)


def pack_entry(entry: Entry) -> bytes:
    """Return an entry's bytes, to be appended to a row of history."""
    token, api_key = (entry.token or "").encode(), (entry.api_key or "").encode()
    head = _ENTRY.pack(entry.value, entry.count, entry.created_at, len(token), len(api_key))
    return head + token + api_key


@_reads("a history")
def unpack_history_number(value: bytes) -> int:
    """Return the number of the first value in a row of history."""
    _check_format("a history", value, _HISTORY_FORMAT)
    return int(_HISTORY.unpack_from(value)[1])


@_reads("a history")
def unpack_history(value: bytes) -> list[tuple[int, Entry]]:
    """Read a row of history: each entry with the number of its last value, oldest first."""
    number = unpack_history_number(value) - 1
    entries = []
    place = _HISTORY.size
    while place < len(value):
        last, count, created_at, token_size, api_key_size = _ENTRY.unpack_from(value, place)
        place += _ENTRY.size
        end = place + token_size + api_key_size
        token = value[place : place + token_size].decode() or None
        api_key = value[place + token_size : end].decode() or None
        place = end
        number += count
        entries.append((number, Entry(last, count, token, api_key, created_at)))
    if place > len(value):
        raise IndexError("its last entry is cut short")
    return entries


@_reads("a history")
def count_history(value: bytes) -> int:
    """Return how many values a row of history holds, without unpacking its entries."""
    _check_format("a history", value, _HISTORY_FORMAT)
    count, place = 0, _HISTORY.size
    while place < len(value):
        _, entry_count, _, token_size, api_key_size = _ENTRY.unpack_from(value, place)
        count += entry_count
        place += _ENTRY.size + token_size + api_key_size
    return count


@_reads("a history")
def unpack_history_times(value: bytes) -> list[tuple[int, int, int]]:
    """Read the number of each entry's last value, its count and its time, oldest first."""
    number = unpack_history_number(value) - 1
    times, place = [], _HISTORY.size
    while place < len(value):
        _, count, created_at, token_size, api_key_size = _ENTRY.unpack_from(value, place)
        number += count
        times.append((number, count, created_at))
        place += _ENTRY.size + token_size + api_key_size
    return times


# Tokens: a mark of each token with a value that it got, oldest first, several in a row

MARK_BYTES = 6
MARKED_BYTES = MARK_BYTES + 8


def token_mark(token: str) -> bytes:
    """Return the mark of a token: a part of its digest. Two tokens rarely have the same."""
    return _digest(token)[:MARK_BYTES]


def token_row_key(account: int, key: str, mark: bytes, buckets: int) -> bytes:
    """Return the row key of the bucket that has a mark; `buckets` is a power of 2 up to 4096."""
    number = (mark[0] << 8 | mark[1]) % buckets
    return series_row_key(account, key) + number.to_bytes(2, "big")


def tail_row_key(account: int, key: str) -> bytes:
    """Return the row key of the newest marks of a series, which are in no bucket yet."""
    return series_row_key(account, key) + b"\xff\xff"


def token_range(account: int, key: str) -> Range:
    """Return the range of all buckets of a series."""
    start = series_row_key(account, key)
    return start, start + b"\xff" * 3


def pack_marked(mark: bytes, value: int) -> bytes:
    """Return the bytes of a mark with its value, to be appended to a bucket."""
    return mark + _NUMBER.pack(value)


@_reads("a bucket of tokens")
def unpack_bucket(row: bytes) -> list[tuple[bytes, int]]:
    """Read a bucket: each mark with its value, oldest first."""
    _check_format("a bucket of tokens", row, _BUCKET_FORMAT)
    if not row or (len(row) - 1) % MARKED_BYTES:
        raise IndexError("its last mark is cut short")
    return [_marked(row, place) for place in range(1, len(row), MARKED_BYTES)]


@_reads("a bucket of tokens")
def unpack_marked(row: bytes, mark: bytes) -> list[int]:
    """Return the values that a mark has in a bucket, newest first."""
    values = []
    place = len(row)
    while (place := row.rfind(mark, 0, place)) > 0:
        if (place - 1) % MARKED_BYTES == 0:
            values.append(_marked(row, place)[1])
        place += MARK_BYTES - 1
    return values


def without_marked_before(row: bytes, value: int) -> bytes:
    """Return a bucket without the marks at its start whose values are below `value`."""
    places = range(1, len(row), MARKED_BYTES)
    gone = bisect.bisect_left(places, value, key=lambda place: _marked(row, place)[1])
    return row[:1] + row[1 + gone * MARKED_BYTES :]


def with_marked_first(row: bytes, part: bytes) -> bytes:
    """Return a bucket with more marks before those that it has."""
    return row[:1] + part + row[1:]


def _marked(row: bytes, place: int) -> tuple[bytes, int]:
    end = place + MARK_BYTES
    return row[place:end], int(_NUMBER.unpack_from(row, end)[0])


# Attributes of tokens


@dataclass(frozen=True, slots=True)
class Attribute:
    """A text kept beside a token."""

    token: str
    name: str
    value: str


def attribute_row_key(account: int, key: str, token: str, name: str) -> bytes:
    """Return the row key of an attribute."""
    return series_row_key(account, key) + _digest(token) + _digest(name)


def attribute_range(account: int, key: str, token: str | None = None) -> Range:
    """Return the range of a token's attributes, or of all those of a series."""
    start = series_row_key(account, key) + (b"" if token is None else _digest(token))
    return start, start + b"\xff" * 33


def pack_attribute(attribute: Attribute) -> bytes:
    """Return the value of an attribute's row."""
    token, name = attribute.token.encode(), attribute.name.encode()
    head = _ATTRIBUTE.pack(_ATTRIBUTE_FORMAT, len(token), len(name))
    return head + token + name + attribute.value.encode()


@_reads("an attribute")
def unpack_attribute(value: bytes) -> Attribute:
    """Read an attribute from its row."""
    _check_format("an attribute", value, _ATTRIBUTE_FORMAT)
    _, token_size, name_size = _ATTRIBUTE.unpack_from(value)
    name_at = _ATTRIBUTE.size + token_size
    value_at = name_at + name_size
    if value_at > len(value):
        raise IndexError("its names are cut short")
    return Attribute(
        value[_ATTRIBUTE.size : name_at].decode(),
        value[name_at:value_at].decode(),
        value[value_at:].decode(),
    )


# Semantic versions: the version that each token got


@dataclass(frozen=True, slots=True)
class Bump:
    """The version that a token got when it bumped a part."""

    part: int
    """The part it asked for: 1 for major, 2 for minor, 3 for patch."""
    token: str
    major: int
    minor: int
    patch: int
    raised: int = 0
    """The part that was raised for it, if it was a higher one than `part`; otherwise 0."""
    pre: str = ""
    """The identifier of a pre-release, such as `rc`; empty for a release."""
    number: int = 0
    """The number of the pre-release, from 1; 0 for a release."""


def bump_row_key(account: int, name: str, part: int, token: str, pre: str = "") -> bytes:
    """Return the row key of a bump."""
    start = series_row_key(account, name)
    if pre:
        # A name has no zero byte.
        return start + bytes([_PRE_RELEASES + part]) + _digest(f"{pre}\0{token}")
    return start + bytes([part]) + _digest(token)


def bump_range(account: int, name: str) -> Range:
    """Return the range of the bumps of a name."""
    start = series_row_key(account, name)
    return start, start + b"\xff"


def bumped_range(account: int, prefix: str, after: str | None) -> Range:
    """Return the range of the bumps of the names that start with `prefix` and follow `after`."""
    start, stop = series_range(account, prefix)
    return max(start, bump_range(account, after)[1]) if after else start, stop


def pack_bump(bump: Bump) -> bytes:
    """Return the value of a bump's row."""
    version = bump.part, bump.major, bump.minor, bump.patch
    if not bump.raised and not bump.pre:
        return _BUMP.pack(_BUMP_FORMAT, *version) + bump.token.encode()
    pre = bump.pre.encode()
    more = _BUMP_MORE.pack(bump.raised, bump.number, len(pre))
    return _BUMP.pack(_BUMP_FORMAT_2, *version) + more + pre + bump.token.encode()


@_reads("a version")
def unpack_bump(value: bytes) -> Bump:
    """Read a bump from its row."""
    if value and value[0] == _BUMP_FORMAT:
        _, part, major, minor, patch = _BUMP.unpack_from(value)
        return Bump(part, value[_BUMP.size :].decode(), major, minor, patch)
    _check_format("a version", value, _BUMP_FORMAT_2)
    _, part, major, minor, patch = _BUMP.unpack_from(value)
    raised, number, size = _BUMP_MORE.unpack_from(value, _BUMP.size)
    place = _BUMP.size + _BUMP_MORE.size
    if place + size > len(value):
        raise IndexError("its pre-release is cut short")
    pre, token = value[place : place + size].decode(), value[place + size :].decode()
    return Bump(part, token, major, minor, patch, raised, pre, number)


# Calendar versions: the scheme of each name, and the version that each token got


@dataclass(frozen=True, slots=True)
class Calendar:
    """The scheme of a name, such as `YYYY.0M.MICRO`, and its latest period."""

    scheme: str
    period: str


@dataclass(frozen=True, slots=True)
class Dated:
    """The calendar version that a token got."""

    token: str
    period: str
    """The version without its number, such as `2026.11`."""
    micro: int
    """The number, from 1."""


def pack_calendar(calendar: Calendar) -> bytes:
    """Return the value of a calendar's row; its row key is that of a series of its name."""
    scheme = calendar.scheme.encode()
    return _CALENDAR.pack(_CALENDAR_FORMAT, len(scheme)) + scheme + calendar.period.encode()


@_reads("a calendar")
def unpack_calendar(value: bytes) -> Calendar:
    """Read a calendar from its row."""
    _check_format("a calendar", value, _CALENDAR_FORMAT)
    _, size = _CALENDAR.unpack_from(value)
    place = _CALENDAR.size + size
    if place > len(value):
        raise IndexError("its scheme is cut short")
    return Calendar(value[_CALENDAR.size : place].decode(), value[place:].decode())


def dated_row_key(account: int, name: str, token: str) -> bytes:
    """Return the row key of a token's calendar version."""
    return series_row_key(account, name) + _digest(token)


def dated_range(account: int, name: str) -> Range:
    """Return the range of the calendar versions of a name."""
    start = series_row_key(account, name)
    return start, start + b"\xff" * 17


def pack_dated(dated: Dated) -> bytes:
    """Return the value of the row of a calendar version."""
    period = dated.period.encode()
    head = _DATED.pack(_DATED_FORMAT, dated.micro, len(period))
    return head + period + dated.token.encode()


@_reads("a calendar version")
def unpack_dated(value: bytes) -> Dated:
    """Read a calendar version from its row."""
    _check_format("a calendar version", value, _DATED_FORMAT)
    _, micro, size = _DATED.unpack_from(value)
    place = _DATED.size + size
    if place > len(value):
        raise IndexError("its period is cut short")
    return Dated(value[place:].decode(), value[_DATED.size : place].decode(), micro)


# Accounts and API keys


def account_row_key(account: int) -> bytes:
    """Return the row key of an account."""
    return _NUMBER.pack(account)


def pack_account(created_at: int) -> bytes:
    """Return the value of an account's row."""
    return _ACCOUNT.pack(_ACCOUNT_FORMAT, created_at)


@_reads("an account")
def unpack_account_row_key(row_key: bytes) -> int:
    """Read an account's id from its row key."""
    return int(_NUMBER.unpack(row_key)[0])


@_reads("an account")
def unpack_account(value: bytes) -> int:
    """Return when an account was created, in microseconds since 1970-01-01T00:00:00Z."""
    _check_format("an account", value, _ACCOUNT_FORMAT)
    return int(_ACCOUNT.unpack(value)[1])


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key with its account and scopes. Only the digest of its secret is stored."""

    account: int
    id: int
    """From 1, in the order in which the keys of all accounts were created."""
    key: str
    digest: bytes
    """The SHA-256 digest of the secret."""
    scopes: tuple[str, ...]
    created_at: int
    """Microseconds since 1970-01-01T00:00:00Z."""
    expires_at: int = 0
    """When it stops working, in the same unit; 0 for never."""


def api_key_row_key(key: str) -> bytes:
    """Return the row key of an API key; `key` is ASCII."""
    return key.encode()


def pack_api_key(api_key: ApiKey) -> bytes:
    """Return the value of an API key's row."""
    head = _API_KEY.pack(
        _API_KEY_FORMAT,
        api_key.account,
        api_key.id,
        api_key.created_at,
        api_key.expires_at,
        api_key.digest,
    )
    return head + "\n".join(api_key.scopes).encode()


@_reads("an API key")
def unpack_api_key(row_key: bytes, value: bytes) -> ApiKey:
    """Read an API key from its row."""
    if value and value[0] == 1:
        # Written before a key could expire.
        _, account, number, created_at, digest = _API_KEY_1.unpack_from(value)
        expires_at, scopes = 0, value[_API_KEY_1.size :]
    else:
        _check_format("an API key", value, _API_KEY_FORMAT)
        _, account, number, created_at, expires_at, digest = _API_KEY.unpack_from(value)
        scopes = value[_API_KEY.size :]
    held = tuple(scopes.decode().splitlines())
    return ApiKey(account, number, row_key.decode(), digest, held, created_at, expires_at)


def pack_api_key_name(name: str) -> bytes:
    """Return the value of the row of an API key's name; its row key is that of the API key."""
    return bytes([_API_KEY_NAME_FORMAT]) + name.encode()


@_reads("an API key's name")
def unpack_api_key_name(value: bytes) -> str:
    """Read the name of an API key from its row."""
    _check_format("an API key's name", value, _API_KEY_NAME_FORMAT)
    return value[1:].decode()


def grant_row_key(account: int, number: int) -> bytes:
    """Return the row key of an API key in the list of its account, oldest first."""
    return _NUMBER.pack(account) + _NUMBER.pack(number)


def grant_range(account: int) -> Range:
    """Return the range of an account's grants."""
    start = _NUMBER.pack(account)
    return start, start + b"\xff" * 9


@_reads("an API key")
def unpack_grant_row_key(row_key: bytes) -> tuple[int, int]:
    """Return the account and the API key's id from the row key of a grant."""
    return _NUMBER.unpack_from(row_key)[0], _NUMBER.unpack_from(row_key, _NUMBER.size)[0]


# Retries: the answers that an Idempotency-Key stands for


@dataclass(frozen=True, slots=True)
class Retry:
    """The request made under an Idempotency-Key, and the value that was its answer."""

    request: bytes
    """A digest of the request."""
    value: int


def retry_row_key(account: int, idempotency_key: str) -> bytes:
    """Return the row key of a retry."""
    return retry_row_key_of_digest(account, _digest(idempotency_key))


def retry_row_key_of_digest(account: int, digest: bytes) -> bytes:
    """Return the row key of a retry from the digest of its Idempotency-Key."""
    return _NUMBER.pack(account) + digest


@_reads("a retry")
def unpack_retry_row_key(row_key: bytes) -> tuple[int, bytes]:
    """Return the account and the Idempotency-Key's digest from the row key of a retry."""
    return _NUMBER.unpack_from(row_key)[0], row_key[_NUMBER.size :]


def pack_retry(retry: Retry) -> bytes:
    """Return the value of a retry's row."""
    return _RETRY.pack(_RETRY_FORMAT, retry.value, retry.request)


@_reads("a retry")
def unpack_retry(value: bytes) -> Retry:
    """Read a retry from its row."""
    _check_format("a retry", value, _RETRY_FORMAT)
    _, number, request = _RETRY.unpack(value)
    return Retry(request, number)


def request_digest(*parts: str) -> bytes:
    """Return a 16-byte digest that identifies a request, whatever the parts contain."""
    return _digest("".join(f"{len(part)}:{part}" for part in parts))


def retry_time_row_key(created_at: int, row_key: bytes) -> bytes:
    """Return the row key that finds the retry at `row_key` once it is too old."""
    return _NUMBER.pack(created_at) + row_key


def retry_time_range(before: int) -> Range:
    """Return the range of the retries made before a time, oldest first."""
    return b"", _NUMBER.pack(max(before, 0))


def retry_row_key_of_time(row_key: bytes) -> bytes:
    """Return the row key of the retry from that of its time."""
    return row_key[_NUMBER.size :]


@_reads("a retry")
def unpack_retry_time_row_key(row_key: bytes) -> int:
    """Return when the retry was made, in microseconds since 1970-01-01T00:00:00Z."""
    return int(_NUMBER.unpack_from(row_key)[0])


# Activity: how many numbers an account gave out in an hour, counted from 1970-01-01T00:00:00Z


def activity_row_key(account: int, hour: int) -> bytes:
    """Return the row key of an account's hour; `unpack_counter` reads its value."""
    return _NUMBER.pack(account) + _NUMBER.pack(max(hour, 0))


def activity_range(account: int, *, first: int = 0, before: int) -> Range:
    """Return the range of an account's hours from `first` on, up to but without `before`."""
    return activity_row_key(account, first), activity_row_key(account, before)


@_reads("an account's activity")
def unpack_activity_row_key(row_key: bytes) -> tuple[int, int]:
    """Return the account and the hour."""
    account, hour = _CHANGE.unpack(row_key)
    return account, hour


# Rows about the store itself

API_KEY_IDS_ROW_KEY = b"api_keys"
"""The row key of the last id given to an API key; `unpack_counter` reads its value."""
CHANGES_ROW_KEY = b"changes"
"""The row key of the row that says that every series is in the index of changes."""
PROBE_ROW_KEY = b"probe"
"""The row key of the probe; `unpack_probe` reads its value."""


def pack_counter(number: int) -> bytes:
    """Return the value of a counter's row."""
    return _COUNTER.pack(_COUNTER_FORMAT, number)


@_reads("a counter")
def unpack_counter(value: bytes) -> int:
    """Return the number in a counter's row."""
    _check_format("a counter", value, _COUNTER_FORMAT)
    return int(_COUNTER.unpack(value)[1])


def pack_probe(now: int) -> bytes:
    """Return the value of the probe's row."""
    return _PROBE.pack(_PROBE_FORMAT, now)


@_reads("the readiness check")
def unpack_probe(value: bytes) -> int:
    """Return when the probe was written, in microseconds since 1970-01-01T00:00:00Z."""
    _check_format("the readiness check", value, _PROBE_FORMAT)
    return int(_PROBE.unpack(value)[1])


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _check_format(what: str, value: bytes, expected: int) -> None:
    if value and value[0] != expected:
        raise _other_format(what, value, expected)


def _other_format(what: str, value: bytes, expected: int) -> StoreCorrupt:
    return StoreCorrupt(
        f"{what} is stored in format {value[0]}, but this version of monotron reads formats up to "
        f"{expected}: was the store written by another version?"
    )


_NUMBER = struct.Struct(">Q")

_SERIES_FORMAT = 4
_SERIES_1 = struct.Struct(">Bqqq")
_SERIES_2 = struct.Struct(">Bqqqqq")
_SERIES_3 = struct.Struct(">BqqqqqqqHq")
_SERIES = struct.Struct(">BqqqqqqqHqH")
_SERIES_LAYOUTS = {1: _SERIES_1, 2: _SERIES_2, 3: _SERIES_3, _SERIES_FORMAT: _SERIES}
_LIMIT_FORMAT = 1
_LIMIT = struct.Struct(">Bq")
_CHANGE = struct.Struct(">QQ")
_HISTORY_FORMAT = 1
_HISTORY = struct.Struct(">Bq")
_ENTRY = struct.Struct(">qIqHH")
_BUCKET_FORMAT = 1
EMPTY_BUCKET = bytes([_BUCKET_FORMAT])
_ATTRIBUTE_FORMAT = 1
_ATTRIBUTE = struct.Struct(">BHH")
_BUMP_FORMAT = 1
_BUMP_FORMAT_2 = 2
_BUMP = struct.Struct(">BBqqq")
_BUMP_MORE = struct.Struct(">BqH")
_PRE_RELEASES = 16
"""What the rows of pre-releases add to their part, so that they come after all releases."""
_CALENDAR_FORMAT = 1
_CALENDAR = struct.Struct(">BB")
_DATED_FORMAT = 1
_DATED = struct.Struct(">BqB")
_ACCOUNT_FORMAT = 1
_ACCOUNT = struct.Struct(">Bq")
_API_KEY_FORMAT = 2
_API_KEY_1 = struct.Struct(">BQQq32s")
_API_KEY = struct.Struct(">BQQqq32s")
_API_KEY_NAME_FORMAT = 1
_COUNTER_FORMAT = 1
_COUNTER = struct.Struct(">BQ")
_RETRY_FORMAT = 1
_RETRY = struct.Struct(">Bq16s")
_PROBE_FORMAT = 1
_PROBE = struct.Struct(">Bq")
