"""Semantic versions: three kinds of series, bumped in one transaction.

The keys follow the series API's convention: `{name}-major`, `{name}-minor-v{major}` and
`{name}-patch-v{major}.{minor}`; a part whose series does not exist yet is 0. So bumping a part
leaves the lower ones at 0 without touching them (https://semver.org, 7 and 8), and each series can
still be read and advanced by itself.
"""

from dataclasses import dataclass, field, replace

from monotron.core import bumps, series
from monotron.core.bumps import MAJOR, MINOR, PARTS, PATCH
from monotron.core.call import Call
from monotron.core.errors import InvalidName
from monotron.core.records import Bump
from monotron.store.contract import Reading, Transaction


@dataclass(frozen=True, slots=True)
class Version:
    """A semantic version."""

    name: str
    token: str | None
    """The token that it was made for; None if its last part was advanced without one."""
    major: int
    minor: int
    patch: int
    advanced: bool = field(default=False, compare=False, kw_only=True)
    """Whether this call advanced a series for it."""

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


def current(reading: Reading, account: int, name: str) -> Version | None:
    """Return the current version, or None before the first."""
    version = _read(reading, account, name)
    return version if version.major or version.minor or version.patch else None


def bump(txn: Transaction, call: Call, name: str, part: int, token: str) -> Version:
    """Return the next version, with `part` raised by one.

    The same part and token get the same version again, however long ago that was. If the part's
    series was advanced for the token by hand, the version is the one of that moment: lower parts
    are 0.

    Raises `SeriesExhausted`.
    """
    account = call.account
    done = made(txn, account, name, part, token)
    if done is not None:
        return done
    before = _read(txn, account, name)
    key = bumps.series_key(name, part, before.major, before.minor)
    state = series.get(txn, account, key)
    if state is not None and state.token == token:
        # It was advanced for this token by hand; the lower parts may have moved on since.
        numbers = (before.major, before.minor, before.patch)[:part] + (0, 0, 0)[part:]
        after = Version(name, token, *numbers)
    else:
        series.advance(txn, call, key, token=token)
        after = replace(_read(txn, account, name), token=token, advanced=True)
    bumps.remember(txn, account, name, Bump(part, token, after.major, after.minor, after.patch))
    return after


def made(reading: Reading, account: int, name: str, part: int, token: str) -> Version | None:
    """Return the version that a token got when it bumped a part, or None if it has not."""
    done = bumps.find(reading, account, name, part, token)
    return None if done is None else Version(name, token, done.major, done.minor, done.patch)


def part_named(text: str) -> int:
    """Return the part that `text` names; raises `InvalidName` if it names none."""
    try:
        return PARTS[text]
    except KeyError:
        raise InvalidName("a version's part must be major, minor or patch") from None


def _read(reading: Reading, account: int, name: str) -> Version:
    """Read the three series; three zeros mean that there is no version yet."""
    numbers, token = [0, 0, 0], None
    for part in (MAJOR, MINOR, PATCH):
        key = bumps.series_key(name, part, numbers[0], numbers[1])
        state = series.get(reading, account, key)
        if state is not None:
            numbers[part - 1], token = state.value, state.token
    return Version(name, token, *numbers)
