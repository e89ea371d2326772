"""Bumps: which version a token got when it bumped a part.

A bump belongs to the series of its part, which is named after the version that it was a part of. It
is forgotten with that series, so that a series that starts again gives no old version again.
"""

import re
from collections.abc import Iterator

from monotron.core import records, tables
from monotron.core.records import Bump
from monotron.store.contract import Reading, Transaction

MAJOR, MINOR, PATCH = 1, 2, 3
PARTS = {"major": MAJOR, "minor": MINOR, "patch": PATCH}


def series_key(name: str, part: int, major: int, minor: int) -> str:
    """Give the key of the series that counts a part, by the series API's convention."""
    if part == MAJOR:
        return f"{name}-major"
    if part == MINOR:
        return f"{name}-minor-v{major}"
    return f"{name}-patch-v{major}.{minor}"


def find(reading: Reading, account: int, name: str, part: int, token: str) -> Bump | None:
    """Give what the token got when it bumped the part, or None if it has not."""
    value = reading.get(tables.BUMPS, records.bump_row(account, name, part, token))
    return None if value is None else records.unpack_bump(value)


def remember(txn: Transaction, account: int, name: str, bump: Bump) -> None:
    """Keep what a token got."""
    row = records.bump_row(account, name, bump.part, bump.token)
    txn.put(tables.BUMPS, row, records.pack_bump(bump))


def all_of(reading: Reading, account: int, name: str, part: int) -> Iterator[Bump]:
    """Give every bump of a part."""
    start, stop = records.bump_rows(account, name, part)
    while rows := reading.scan(tables.BUMPS, start, stop, limit=_SCAN_ROWS):
        for _, value in rows:
            yield records.unpack_bump(value)
        start = records.after_row(rows[-1][0])


def forget(txn: Transaction, account: int, key: str) -> None:
    """Forget what was made with a series, where its key is that of a part."""
    match = _PART.fullmatch(key)
    if match is None:
        return
    name, suffix = match.groups()
    part = PARTS[suffix.partition("-")[0]]
    start, stop = records.bump_rows(account, name, part)
    while rows := txn.scan(tables.BUMPS, start, stop, limit=_SCAN_ROWS):
        for row, value in rows:
            bump = records.unpack_bump(value)
            if series_key(name, part, bump.major, bump.minor) == key:
                txn.delete(tables.BUMPS, row)
        start = records.after_row(rows[-1][0])


_SCAN_ROWS = 1_000
_PART = re.compile(r"(.+)-(major|minor-v[0-9]+|patch-v[0-9]+\.[0-9]+)", re.DOTALL)
