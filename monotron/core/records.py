"""Every key and record layout in the store; no other module knows a byte of them.

The key of whatever belongs to a series begins with the account (8 bytes, big-endian), the series
key's UTF-8 and a zero byte: so a scan reads in the order of accounts, then of series keys, and a
range is all that a series has. A name has no zero byte, so no key is the start of another's.

A second name in a key is a digest of 16 bytes, since two long names would pass the 511 bytes that a
key may have; its text is in the value.

A value is a format byte and then a packed struct. A format once released stays readable.
"""

import functools
import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from monotron.store.contract import MAX_KEY_BYTES, StoreCorrupt

Rows = tuple[bytes, bytes]
"""A range of rows: its first key, and the first after it."""

T = TypeVar("T")


def _reads(what: str) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Make a function raise `StoreCorrupt` for a row that it cannot take apart."""

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


@dataclass(frozen=True, slots=True)
class Series:
    """The current state of a series."""

    account: int
    key: str
    value: int
    """The last value given out, from 1."""
    token: str | None
    """What the value stands for, or None where it was taken without a token."""
    created_at: int
    """Microseconds since 1970-01-01T00:00:00Z; for people, no rule looks at it."""
    updated_at: int
    """The same, of the last change."""
    given: int = 0
    """How many values were given out; fewer than `value` where the series was moved up."""
    history: int = 0
    """The first value of the newest row of its history; 0 where there is none. A value that has no
    row is as good as none: what is given out next begins a row."""


def series_row(account: int, key: str) -> bytes:
    """Give the key of a series' row."""
    return _NUMBER.pack(account) + key.encode() + b"\0"


def series_rows(account: int, prefix: str = "") -> Rows:
    """Give the range of an account's series whose keys start with `prefix`."""
    start = _NUMBER.pack(account) + prefix.encode()
    # No byte of UTF-8 is 0xFF, so this is past every key that starts like that.
    return start, start + b"\xff"


def after_row(row: bytes) -> bytes:
    """Give the least key that is greater than `row`."""
    return row + b"\0"


def rows_after(row: bytes) -> Rows:
    """Give the range of all rows of a table that come after `row`; with no row, of all."""
    return after_row(row) if row else row, b"\xff" * (MAX_KEY_BYTES + 1)


@_reads("something that belongs to a series")
def unpack_owner(row: bytes) -> tuple[int, str]:
    """Read the account and the name that the key of a row begins with."""
    (account,) = _NUMBER.unpack_from(row)
    return account, row[_NUMBER.size :].partition(b"\0")[0].decode()


def pack_series(series: Series) -> bytes:
    """Give the value of a series' row."""
    head = _SERIES.pack(
        _SERIES_FORMAT,
        series.value,
        series.created_at,
        series.updated_at,
        series.given,
        series.history,
    )
    # A token is never empty, so no token needs no mark.
    return head + (series.token or "").encode()


@_reads("a series")
def unpack_series(row: bytes, value: bytes) -> Series:
    """Read a series from its row; raises `StoreCorrupt` for an unknown format or damage."""
    if value and value[0] == 1:
        # Until history was kept: as if every value had been given out.
        _, number, created_at, updated_at = _SERIES_1.unpack_from(value)
        given, history, token = number, 0, value[_SERIES_1.size :].decode()
    else:
        _check_format("a series", value, _SERIES_FORMAT)
        _, number, created_at, updated_at, given, history = _SERIES.unpack_from(value)
        token = value[_SERIES.size :].decode()
    (account,) = _NUMBER.unpack_from(row)
    key = row[_NUMBER.size : -1].decode()
    return Series(account, key, number, token or None, created_at, updated_at, given, history)


# History: entries, oldest first, several in a row


@dataclass(frozen=True, slots=True)
class Entry:
    """A value that was given out, or a range of them."""

    value: int
    """The last value of the range."""
    count: int
    """How many values it has, from 1."""
    token: str | None
    api_key: str | None
    """Which API key took it; None where there was no authentication."""
    created_at: int
    """Microseconds since 1970-01-01T00:00:00Z."""


def history_row(account: int, key: str, first: int) -> bytes:
    """Give the key of the row of history whose first value is `first`."""
    return series_row(account, key) + _NUMBER.pack(first)


def history_rows(account: int, key: str, before: int | None = None) -> Rows:
    """Give the range of a series' rows of history, or of those that begin before a value."""
    row = series_row(account, key)
    return row, row + (b"\xff" * 9 if before is None else _NUMBER.pack(before))


def pack_history(number: int) -> bytes:
    """Give the value of an empty row of history.

    The first value in it is to be the series' `number`-th that was given out, from 1.
    """
    return _HISTORY.pack(_HISTORY_FORMAT, number)


def pack_entry(entry: Entry) -> bytes:
    """Give an entry's bytes, which follow those of the one before."""
    token, api_key = (entry.token or "").encode(), (entry.api_key or "").encode()
    head = _ENTRY.pack(entry.value, entry.count, entry.created_at, len(token), len(api_key))
    return head + token + api_key


@_reads("a history")
def unpack_history_number(value: bytes) -> int:
    """Give the number of the first value in a row of history."""
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
    """Give how many values a row of history holds; it takes no entry apart."""
    _check_format("a history", value, _HISTORY_FORMAT)
    count, place = 0, _HISTORY.size
    while place < len(value):
        _, entry_count, _, token_size, api_key_size = _ENTRY.unpack_from(value, place)
        count += entry_count
        place += _ENTRY.size + token_size + api_key_size
    return count


# Attributes of tokens


@dataclass(frozen=True, slots=True)
class Attribute:
    """A text kept beside a token."""

    token: str
    name: str
    value: str


def attribute_row(account: int, key: str, token: str, name: str) -> bytes:
    """Give the key of an attribute's row."""
    return series_row(account, key) + _digest(token) + _digest(name)


def attribute_rows(account: int, key: str, token: str | None = None) -> Rows:
    """Give the range of a token's attributes, or of all those of a series."""
    row = series_row(account, key) + (b"" if token is None else _digest(token))
    return row, row + b"\xff" * 33


def pack_attribute(attribute: Attribute) -> bytes:
    """Give the value of an attribute's row."""
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


# Semantic versions: which token got which


@dataclass(frozen=True, slots=True)
class Bump:
    """The version that a token got when it bumped a part."""

    part: int
    """1 for major, 2 for minor, 3 for patch."""
    token: str
    major: int
    minor: int
    patch: int


def bump_row(account: int, name: str, part: int, token: str) -> bytes:
    """Give the key of a bump's row."""
    return bump_rows(account, name, part)[0] + _digest(token)


def bump_rows(account: int, name: str, part: int) -> Rows:
    """Give the range of the bumps of a part."""
    row = series_row(account, name)
    return row + bytes([part]), row + bytes([part + 1])


def pack_bump(bump: Bump) -> bytes:
    """Give the value of a bump's row."""
    head = _BUMP.pack(_BUMP_FORMAT, bump.part, bump.major, bump.minor, bump.patch)
    return head + bump.token.encode()


@_reads("a version")
def unpack_bump(value: bytes) -> Bump:
    """Read a bump from its row."""
    _check_format("a version", value, _BUMP_FORMAT)
    _, part, major, minor, patch = _BUMP.unpack_from(value)
    return Bump(part, value[_BUMP.size :].decode(), major, minor, patch)


# Accounts and API keys


def account_row(account: int) -> bytes:
    """Give the key of an account's row."""
    return _NUMBER.pack(account)


def pack_account(created_at: int) -> bytes:
    """Give the value of an account's row."""
    return _ACCOUNT.pack(_ACCOUNT_FORMAT, created_at)


@_reads("an account")
def unpack_account(row: bytes) -> int:
    """Read an account's id from the key of its row."""
    return int(_NUMBER.unpack(row)[0])


@_reads("an account")
def unpack_account_time(value: bytes) -> int:
    """Read when an account was made: microseconds since 1970-01-01T00:00:00Z."""
    _check_format("an account", value, _ACCOUNT_FORMAT)
    return int(_ACCOUNT.unpack(value)[1])


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key, what it may do and where. Of its secret only the digest is known."""

    account: int
    id: int
    """From 1, in the order in which the keys of all accounts were made."""
    key: str
    digest: bytes
    """The SHA-256 digest of the secret."""
    scopes: tuple[str, ...]
    created_at: int
    """Microseconds since 1970-01-01T00:00:00Z."""


def api_key_row(key: str) -> bytes:
    """Give the key of an API key's row; `key` is ASCII."""
    return key.encode()


def pack_api_key(api_key: ApiKey) -> bytes:
    """Give the value of an API key's row."""
    head = _API_KEY.pack(
        _API_KEY_FORMAT, api_key.account, api_key.id, api_key.created_at, api_key.digest
    )
    return head + "\n".join(api_key.scopes).encode()


@_reads("an API key")
def unpack_api_key(row: bytes, value: bytes) -> ApiKey:
    """Read an API key from its row."""
    _check_format("an API key", value, _API_KEY_FORMAT)
    _, account, number, created_at, digest = _API_KEY.unpack_from(value)
    scopes = tuple(value[_API_KEY.size :].decode().splitlines())
    return ApiKey(account, number, row.decode(), digest, scopes, created_at)


def grant_row(account: int, number: int) -> bytes:
    """Give the key of the row by which an account's API keys are listed, oldest first."""
    return _NUMBER.pack(account) + _NUMBER.pack(number)


def grant_rows(account: int) -> Rows:
    """Give the range of an account's grants."""
    row = _NUMBER.pack(account)
    return row, row + b"\xff" * 9


@_reads("an API key")
def unpack_grant(row: bytes) -> tuple[int, int]:
    """Read the account and the API key's id from the key of such a row."""
    return _NUMBER.unpack_from(row)[0], _NUMBER.unpack_from(row, _NUMBER.size)[0]


def pack_counter(number: int) -> bytes:
    """Give the value of a row that counts something in the store."""
    return _COUNTER.pack(_COUNTER_FORMAT, number)


@_reads("a counter")
def unpack_counter(value: bytes) -> int:
    """Read such a row."""
    _check_format("a counter", value, _COUNTER_FORMAT)
    return int(_COUNTER.unpack(value)[1])


# Retries: the answers that an Idempotency-Key stands for


@dataclass(frozen=True, slots=True)
class Retry:
    """What was asked for under an Idempotency-Key, and the value that was given."""

    request: bytes
    """A digest of the request."""
    value: int


def retry_row(account: int, idempotency_key: str) -> bytes:
    """Give the key of a retry's row."""
    return retry_row_of(account, _digest(idempotency_key))


def retry_row_of(account: int, digest: bytes) -> bytes:
    """Give the key of a retry's row; of the Idempotency-Key there is only the digest."""
    return _NUMBER.pack(account) + digest


@_reads("a retry")
def unpack_retry_row(row: bytes) -> tuple[int, bytes]:
    """Read the account and the Idempotency-Key's digest from the key of a retry's row."""
    return _NUMBER.unpack_from(row)[0], row[_NUMBER.size :]


def pack_retry(retry: Retry) -> bytes:
    """Give the value of a retry's row."""
    return _RETRY.pack(_RETRY_FORMAT, retry.value, retry.request)


@_reads("a retry")
def unpack_retry(value: bytes) -> Retry:
    """Read a retry from its row."""
    _check_format("a retry", value, _RETRY_FORMAT)
    _, number, request = _RETRY.unpack(value)
    return Retry(request, number)


def request_digest(*parts: str) -> bytes:
    """Give what tells one request from another: 16 bytes, whatever the parts hold."""
    return _digest("".join(f"{len(part)}:{part}" for part in parts))


def retry_time_row(created_at: int, row: bytes) -> bytes:
    """Give the key of the row by which the retry at `row` is found once it is too old."""
    return _NUMBER.pack(created_at) + row


def retry_time_rows(before: int) -> Rows:
    """Give the range of the retries made before a time, oldest first."""
    return b"", _NUMBER.pack(max(before, 0))


def retry_of_time_row(row: bytes) -> bytes:
    """Give the key of the retry's row."""
    return row[_NUMBER.size :]


@_reads("a retry")
def unpack_retry_time(row: bytes) -> int:
    """Read when the retry was made: microseconds since 1970-01-01T00:00:00Z."""
    return int(_NUMBER.unpack_from(row)[0])


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _check_format(what: str, value: bytes, expected: int) -> None:
    if value and value[0] != expected:
        raise StoreCorrupt(
            f"{what} is stored in format {value[0]}, this version of monotron reads {expected}: "
            "was the store written by another version?"
        )


_NUMBER = struct.Struct(">Q")

_SERIES_FORMAT = 2
_SERIES_1 = struct.Struct(">Bqqq")
_SERIES = struct.Struct(">Bqqqqq")
_HISTORY_FORMAT = 1
_HISTORY = struct.Struct(">Bq")
_ENTRY = struct.Struct(">qIqHH")
_ATTRIBUTE_FORMAT = 1
_ATTRIBUTE = struct.Struct(">BHH")
_BUMP_FORMAT = 1
_BUMP = struct.Struct(">BBqqq")
_ACCOUNT_FORMAT = 1
_ACCOUNT = struct.Struct(">Bq")
_API_KEY_FORMAT = 1
_API_KEY = struct.Struct(">BQQq32s")
_COUNTER_FORMAT = 1
_COUNTER = struct.Struct(">BQ")
_RETRY_FORMAT = 1
_RETRY = struct.Struct(">Bq16s")
