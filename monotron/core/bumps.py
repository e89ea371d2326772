"""Bumps: the version that a token got when it bumped a part.

A bump belongs to the series of its part, which is named after the version it is a part of. It is
forgotten with that series, so that a series that starts again does not repeat an old version.
"""

import re
from collections.abc import Iterator

from monotron.core import records, tables
from monotron.core.records import Bump
from monotron.store import paging
from monotron.store.contract import Reading, Transaction

MAJOR, MINOR, PATCH = 1, 2, 3
PARTS = {"major": MAJOR, "minor": MINOR, "patch": PATCH}


def series_key(name: str, part: int, major: int, minor: int) -> str:
    """Return the key of the series that counts a part, following the series API's convention."""
    if part == MAJOR:
        return f"{name}-major"
    if part == MINOR:
        return f"{name}-minor-v{major}"
    return f"{name}-patch-v{major}.{minor}"


def find(reading: Reading, account: int, name: str, part: int, token: str) -> Bump | None:
    """Return the token's bump of a part, or None if it has not bumped it."""
    value = reading.get(tables.BUMPS, records.bump_row_key(account, name, part, token))
    return None if value is None else records.unpack_bump(value)


def remember(txn: Transaction, account: int, name: str, bump: Bump) -> None:
    """Store a bump."""
    row_key = records.bump_row_key(account, name, bump.part, bump.token)
    txn.put(tables.BUMPS, row_key, records.pack_bump(bump))


def all_of(reading: Reading, account: int, name: str, part: int) -> Iterator[Bump]:
    """Iterate over every bump of a part."""
    for _, value in paging.rows(reading, tables.BUMPS, *records.bump_range(account, name, part)):
        yield records.unpack_bump(value)


def forget(txn: Transaction, account: int, key: str) -> None:
    """Forget the bumps that a series was used for, if its key is that of a part."""
    match = _PART.fullmatch(key)
    if match is None:
        return
    name, suffix = match.groups()
    part = PARTS[suffix.partition("-")[0]]
    for row_key, value in paging.rows(txn, tables.BUMPS, *records.bump_range(account, name, part)):
        bump = records.unpack_bump(value)
        if series_key(name, part, bump.major, bump.minor) == key:
            txn.delete(tables.BUMPS, row_key)


_PART = re.compile(r"(.+)-(major|minor-v[0-9]+|patch-v[0-9]+\.[0-9]+)", re.DOTALL)
