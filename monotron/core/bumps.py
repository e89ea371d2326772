"""Bumps: the version that a token got when it bumped a part.

A bump belongs to the series that counted it, which is named after the version. It is forgotten with
that series, so that a series that starts again does not repeat an old version.
"""

import re
from collections.abc import Iterator

from monotron.core import dated, records, tables
from monotron.core.records import Bump
from monotron.store import paging
from monotron.store.contract import Reading, Transaction

MAJOR, MINOR, PATCH = 1, 2, 3
PARTS = {"major": MAJOR, "minor": MINOR, "patch": PATCH}

Numbers = tuple[int, int, int]
"""Major, minor and patch."""


def series_key(name: str, part: int, major: int, minor: int) -> str:
    """Return the key of the series that counts a part, following the series API's convention."""
    if part == MAJOR:
        return f"{name}-major"
    if part == MINOR:
        return f"{name}-minor-v{major}"
    return f"{name}-patch-v{major}.{minor}"


def pre_release_key(name: str, numbers: Numbers, pre: str) -> str:
    """Return the key of the series that counts the pre-releases of a version.

    Their identifier has `_` for `-`. With another hyphen the key could be that of another name.
    """
    return pre_release_prefix(name, numbers) + pre.replace("-", "_")


def pre_release_prefix(name: str, numbers: Numbers) -> str:
    """Return what the keys of all pre-releases of a version start with."""
    major, minor, patch = numbers
    return f"{any_pre_release_prefix(name)}{major}.{minor}.{patch}."


def any_pre_release_prefix(name: str) -> str:
    """Return what the keys of all pre-releases of a name start with."""
    return f"{name}-pre-v"


def prefixes(name: str) -> tuple[str, ...]:
    """Return what the keys of all series that count the versions of a name start with.

    Keys of other names may start with it too: `name_in` tells.
    """
    parts = (f"{name}-major", f"{name}-minor-v", f"{name}-patch-v")
    return (*parts, any_pre_release_prefix(name))


def name_in(key: str) -> str | None:
    """Return the name whose versions a series with this key would count, or None."""
    match = _COUNTS.fullmatch(key)
    return None if match is None else match[1]


def made_with(name: str, bump: Bump) -> tuple[str, int]:
    """Return the key of the series that counted a bump, and the value that it got there."""
    numbers = bump.major, bump.minor, bump.patch
    if bump.pre:
        return pre_release_key(name, numbers, bump.pre), bump.number
    part = bump.raised or bump.part
    return series_key(name, part, bump.major, bump.minor), numbers[part - 1]


def find(
    reading: Reading, account: int, name: str, part: int, token: str, pre: str = ""
) -> Bump | None:
    """Return the token's bump of a part, or None if it has not bumped it."""
    row_key = records.bump_row_key(account, name, part, token, pre)
    value = reading.get(tables.BUMPS, row_key)
    return None if value is None else records.unpack_bump(value)


def remember(txn: Transaction, account: int, name: str, bump: Bump) -> None:
    """Store a bump."""
    row_key = records.bump_row_key(account, name, bump.part, bump.token, bump.pre)
    txn.put(tables.BUMPS, row_key, records.pack_bump(bump))


def all_of(reading: Reading, account: int, name: str) -> Iterator[Bump]:
    """Iterate over every bump of a name."""
    for _, value in paging.rows(reading, tables.BUMPS, *records.bump_range(account, name)):
        yield records.unpack_bump(value)


def has_any(reading: Reading, account: int, name: str) -> bool:
    """Return whether a name has bumps."""
    range_ = records.bump_range(account, name)
    return bool(reading.scan(tables.BUMPS, *range_, limit=1))


def names(reading: Reading, account: int, *, prefix: str, after: str | None) -> Iterator[str]:
    """Iterate over the names that have bumps, start with `prefix` and come after `after`.

    It reads one row of each name, however many bumps the name has.
    """
    while True:
        start, stop = records.bumped_range(account, prefix, after)
        found = reading.scan(tables.BUMPS, start, stop, limit=1)
        if not found:
            return
        _, after = records.unpack_owner(found[0][0])
        yield after


def forget(txn: Transaction, account: int, key: str) -> None:
    """Forget the bumps that a series has counted, if its key is one of a version.

    The same goes for calendar versions.
    """
    dated.forget(txn, account, key)
    name = name_in(key)
    if name is None:
        return
    for row_key, value in paging.rows(txn, tables.BUMPS, *records.bump_range(account, name)):
        if made_with(name, records.unpack_bump(value))[0] == key:
            txn.delete(tables.BUMPS, row_key)


# No bump writes a number with a zero before it.
_NUMBER = "(?:0|[1-9][0-9]*)"
_COUNTS = re.compile(
    rf"(.+)-(?:major|minor-v{_NUMBER}|patch-v{_NUMBER}\.{_NUMBER}"
    rf"|pre-v{_NUMBER}\.{_NUMBER}\.{_NUMBER}\.[0-9A-Za-z._]+)",
    re.DOTALL,
)
