"""Every key and record layout in the store; no other module knows a byte of them.

A key is the account (8 bytes, big-endian), the series key's UTF-8, a zero byte: so a scan reads in
the order of accounts, then of series keys. A name has no zero byte, so no key is the start of
another's.

A value is a format byte and then a packed struct. A format once released stays readable.
"""

import struct
from dataclasses import dataclass

from monotron.store.contract import StoreCorrupt


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


def series_row(account: int, key: str) -> bytes:
    """Give the key of a series' row."""
    return _ACCOUNT.pack(account) + key.encode() + b"\0"


def series_rows(account: int, prefix: str = "") -> tuple[bytes, bytes]:
    """Give the range, start and stop, of an account's series whose keys start with `prefix`."""
    start = _ACCOUNT.pack(account) + prefix.encode()
    # No byte of UTF-8 is 0xFF, so this is past every key that starts like that.
    return start, start + b"\xff"


def after_row(row: bytes) -> bytes:
    """Give the least key that is greater than `row`."""
    return row + b"\0"


def pack_series(series: Series) -> bytes:
    """Give the value of a series' row."""
    head = _SERIES.pack(_SERIES_FORMAT, series.value, series.created_at, series.updated_at)
    # A token is never empty, so no token needs no mark.
    return head + (series.token or "").encode()


def unpack_series(row: bytes, value: bytes) -> Series:
    """Read a series from its row; raises `StoreCorrupt` for an unknown format or damage."""
    if value and value[0] != _SERIES_FORMAT:
        raise StoreCorrupt(
            f"a series is stored in format {value[0]}, this version of monotron reads "
            f"{_SERIES_FORMAT}: was the store written by a newer one?"
        )
    try:
        _, number, created_at, updated_at = _SERIES.unpack_from(value)
        (account,) = _ACCOUNT.unpack_from(row)
        key = row[_ACCOUNT.size : -1].decode()
        token = value[_SERIES.size :].decode() or None
    except (struct.error, UnicodeDecodeError) as error:
        raise StoreCorrupt(f"the row of a series is damaged: {error}") from error
    return Series(account, key, number, token, created_at, updated_at)


_ACCOUNT = struct.Struct(">Q")
_SERIES_FORMAT = 1
_SERIES = struct.Struct(">Bqqq")
