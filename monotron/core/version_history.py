"""The history of versions: each version of a name, with the bump that made it and who took it.

A version that was made by advancing its series one by one has no bump, and is not in it.
"""

import re
from dataclasses import dataclass
from heapq import nlargest
from itertools import islice

from monotron.core import bumps, history, names, semver, series
from monotron.core.bumps import PARTS, Numbers
from monotron.core.call import Call
from monotron.core.errors import InvalidName
from monotron.core.history import HistoryRange
from monotron.core.records import Bump
from monotron.store.contract import Reading
from monotron.store.paging import Page

Order = tuple[Numbers, bool, list[tuple[int, int, str]]]
"""What puts the versions of a name in order: a release comes after its pre-releases."""

_NUMBER = r"(0|[1-9][0-9]{0,18})"
PATTERN = rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({names.PRE_RELEASE}))?"
"""The pattern of a version's text."""

MOST_CHARACTERS = 128
"""Its longest text: three numbers, and what identifies a pre-release with its own number."""


@dataclass(frozen=True, slots=True)
class MadeVersion:
    """A version that was made by a bump."""

    text: str
    pre: str
    """The identifiers of a pre-release, such as `rc.1`; empty for a release."""
    token: str
    part: int
    """The part that was raised."""
    key: str
    """The series that counted it."""
    value: int
    """What it got there."""
    taken: HistoryRange | None
    """When, and by whom; None if the series' history does not hold it."""


def page(
    reading: Reading, call: Call, name: str, *, before: Order | None, limit: int
) -> Page[MadeVersion, str]:
    """Return up to `limit` versions of a name, the newest first, or of those below `before`."""
    every = (
        (_order(_numbers(bump), _pre(bump)), bump)
        for bump in bumps.all_of(reading, call.account, name)
    )
    below = (each for each in every if before is None or each[0] < before)
    # A token that released a version by a lower part gets the same one for each higher part, whose
    # row comes first. Whatever is not among the newest is not kept in memory.
    newest = nlargest(len(PARTS) * (limit + 1), below, key=lambda each: each[0])
    made: dict[str, Bump] = {}
    for _, bump in newest:
        made.setdefault(semver.text(_numbers(bump), _pre(bump)), bump)
    found = [_made(reading, call, name, bump) for bump in islice(made.values(), limit)]
    return Page(found, found[-1].text if len(made) > limit else None)


def order_of(text: str) -> Order:
    """Return the place of the version that a text names; raises `InvalidName`."""
    found = _VERSION.fullmatch(text) if len(text) <= MOST_CHARACTERS else None
    if found is None:
        raise InvalidName(f"a version must be such as 1.3.0 or 1.3.0-rc.1, not {text[:40]!r}")
    major, minor, patch, pre = found.groups()
    return _order((int(major), int(minor), int(patch)), pre or "")


def _order(numbers: Numbers, pre: str) -> Order:
    return numbers, not pre, semver.order_of_identifiers(pre)


def _made(reading: Reading, call: Call, name: str, bump: Bump) -> MadeVersion:
    key, value = bumps.made_with(name, bump)
    state = series.get(reading, call.account, key)
    taken = None
    if state is not None:
        taken = history.range_with(reading, state, value, keep=call.keep)
    part = bump.raised or bump.part
    text = semver.text(_numbers(bump), _pre(bump))
    return MadeVersion(text, _pre(bump), bump.token, part, key, value, taken)


def _numbers(bump: Bump) -> Numbers:
    return bump.major, bump.minor, bump.patch


def _pre(bump: Bump) -> str:
    return f"{bump.pre}.{bump.number}" if bump.pre else ""


_VERSION = re.compile(PATTERN)
