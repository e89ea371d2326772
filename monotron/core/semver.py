"""Semantic versions: three kinds of series, bumped in one transaction.

The keys follow the series API's convention: `{name}-major`, `{name}-minor-v{major}` and
`{name}-patch-v{major}.{minor}`; a part whose series does not exist yet is 0. So bumping a part
leaves the lower ones at 0 without touching them (https://semver.org, 7 and 8), and each series can
still be read and advanced by itself.

Pre-releases are counted by one more kind, `{name}-pre-v{major}.{minor}.{patch}.{pre}`. Which one is
current is not kept anywhere: it is the highest of a version that one bump leads to. Once that
version is released, its pre-releases are in the past.

A bump leads to the least version above the current one that has raised the part, or a higher one.
So while 1.3.0-rc.1 is current, both `minor` and `patch` release 1.3.0, and versions never go back.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from monotron.core import bumps, names, records, series, tables
from monotron.core.bumps import MAJOR, MINOR, PARTS, PATCH, Numbers
from monotron.core.call import Call
from monotron.core.errors import InvalidName, PreReleaseTooLow, SeriesExhausted
from monotron.core.records import Bump, Series
from monotron.limits import LAST_VALUE, NAME_BYTES
from monotron.store import paging
from monotron.store.contract import Reading, Transaction
from monotron.store.paging import Page


@dataclass(frozen=True, slots=True)
class Version:
    """A semantic version."""

    name: str
    token: str | None
    """The token that it was made for; None if its last part was advanced without one."""
    major: int
    minor: int
    patch: int
    pre: str = ""
    """The identifiers of a pre-release, such as `rc.1`; empty for a release."""
    advanced: bool = field(default=False, compare=False, kw_only=True)
    """Whether this call advanced a series for it."""

    def __str__(self) -> str:
        return text((self.major, self.minor, self.patch), self.pre)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the versions of a name are."""

    version: Version
    """The current version: the last release, or a pre-release above it."""
    release: Version | None
    """The last release; None before the first."""
    changed_at: int
    """Microseconds since 1970-01-01T00:00:00Z."""


def standing(reading: Reading, account: int, name: str) -> Standing | None:
    """Return where the versions of a name are, or None before the first."""
    parts = _read(reading, account, name)
    release = Version(name, parts.token, *parts.numbers) if any(parts.numbers) else None
    ahead = _ahead(reading, account, name, parts.numbers)
    if ahead is None:
        return None if release is None else Standing(release, release, parts.changed_at)
    pre = f"{ahead.pre}.{ahead.state.value}"
    version = Version(name, ahead.state.token, *ahead.numbers, pre)
    return Standing(version, release, max(parts.changed_at, ahead.state.updated_at))


def current(reading: Reading, account: int, name: str) -> Version | None:
    """Return the current version, or None before the first."""
    found = standing(reading, account, name)
    return None if found is None else found.version


def page(
    reading: Reading, account: int, *, prefix: str, after: str | None, limit: int
) -> Page[Standing, str]:
    """Return up to `limit` names that start with `prefix` and come after `after`, in order.

    A name is listed from its first bump on.
    """
    found: list[Standing] = []
    for name in bumps.names(reading, account, prefix=prefix, after=after):
        there = standing(reading, account, name)
        if there is None:
            # The series of a higher part was deleted.
            continue
        if len(found) == limit:
            return Page(found, found[-1].version.name)
        found.append(there)
    return Page(found, None)


def bump(
    txn: Transaction, call: Call, name: str, part: int, token: str, *, pre: str = ""
) -> Version:
    """Return the next version, with `part` raised by one; with `pre`, a pre-release of it.

    The same part, token and `pre` get the same version again, however long ago that was. If the
    series was advanced for the token by hand, the version is the one of that moment: lower parts
    are 0.

    Raises `SeriesExhausted`, and `PreReleaseTooLow` for a `pre` that comes before the current one.
    """
    done = made(txn, call.account, name, part, token, pre=pre)
    if done is not None:
        return done
    before = _read(txn, call.account, name).numbers
    ahead = _ahead(txn, call.account, name, before)
    raised = min(part, ahead.part) if ahead else part
    if pre:
        number, after, advanced = _pre_release(txn, call, name, before, raised, token, pre, ahead)
    else:
        number = 0
        after, advanced = _release(txn, call, name, before, raised, token)
    # Which part was raised for a pre-release is in its series key.
    higher = raised if raised != part and not pre else 0
    bumped = Bump(part, token, *after, higher, pre, number)
    bumps.remember(txn, call.account, name, bumped)
    return _version(name, bumped, advanced=advanced)


def made(
    reading: Reading, account: int, name: str, part: int, token: str, *, pre: str = ""
) -> Version | None:
    """Return the version that a token got when it bumped a part, or None if it has not."""
    done = bumps.find(reading, account, name, part, token, pre)
    return None if done is None else _version(name, done)


def part_named(text: str) -> int:
    """Return the part that `text` names; raises `InvalidName` if it names none."""
    try:
        return PARTS[text]
    except KeyError:
        raise InvalidName("a version's part must be major, minor or patch") from None


def text(numbers: Numbers, pre: str = "") -> str:
    """Return a version as people write it; `pre` has the identifiers of a pre-release."""
    release = ".".join(map(str, numbers))
    return f"{release}-{pre}" if pre else release


def order_of_identifiers(pre: str) -> list[tuple[int, int, str]]:
    """Return what puts the pre-releases of one version in order (https://semver.org, 11)."""
    return [(0, int(each), "") if each.isdigit() else (1, 0, each) for each in pre.split(".")]


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the three series say; three zeros mean that there is no release yet."""

    numbers: Numbers
    token: str | None
    changed_at: int


@dataclass(frozen=True, slots=True)
class _Ahead:
    """The pre-release that is current."""

    part: int
    """The part that its release will raise."""
    numbers: Numbers
    pre: str
    state: Series
    """The series that counts it."""


def _release(
    txn: Transaction, call: Call, name: str, before: Numbers, part: int, token: str
) -> tuple[Numbers, bool]:
    """Return the next release, and whether it was taken by this call."""
    key = bumps.series_key(name, part, before[0], before[1])
    state = series.get(txn, call.account, key)
    if state is not None and state.token == token:
        # It was advanced for this token by hand; the lower parts may have moved on since.
        return _cut(before, part), False
    series.advance(txn, call, key, token=token)
    return _read(txn, call.account, name).numbers, True


def _pre_release(
    txn: Transaction,
    call: Call,
    name: str,
    before: Numbers,
    part: int,
    token: str,
    pre: str,
    ahead: _Ahead | None,
) -> tuple[int, Numbers, bool]:
    """Return the number of the next pre-release, its version, and whether this call took it."""
    after = _raised(txn, call.account, name, before, part)
    if after is None:
        key = bumps.series_key(name, part, before[0], before[1])
        raise SeriesExhausted(f"the series {key!r} has reached its last value, {LAST_VALUE}")
    key = bumps.pre_release_key(name, after, pre)
    if len(key.encode()) > NAME_BYTES:
        raise InvalidName(
            f"the name and the pre-release are too long together: the series key {key!r} would "
            f"have more than {NAME_BYTES} bytes"
        )
    state = series.get(txn, call.account, key)
    if state is not None and state.token == token:
        return state.value, after, False
    number = state.value + 1 if state else 1
    if ahead and ahead.numbers == after and _order(pre, number) < _order_of(ahead):
        raise PreReleaseTooLow(
            f"the version of {name!r} is {text(ahead.numbers)}-{ahead.pre}.{ahead.state.value} "
            f"and never goes back: {text(after)}-{pre}.{number} would come before it"
        )
    return series.advance(txn, call, key, token=token).value, after, True


def _ahead(reading: Reading, account: int, name: str, release: Numbers) -> _Ahead | None:
    """Return the highest pre-release of a version that one bump leads to, or None."""
    every = records.series_range(account, bumps.any_pre_release_prefix(name))
    # Most names have none.
    if not reading.scan(tables.SERIES, *every, limit=1):
        return None
    for part in (MAJOR, MINOR, PATCH):
        numbers = _raised(reading, account, name, release, part)
        if numbers is not None:
            found = _pre_releases(reading, account, name, part, numbers)
            highest = max(found, key=_order_of, default=None)
            if highest is not None:
                return highest
    return None


def _pre_releases(
    reading: Reading, account: int, name: str, part: int, numbers: Numbers
) -> Iterator[_Ahead]:
    """Iterate over the series that count the pre-releases of a version."""
    prefix = bumps.pre_release_prefix(name, numbers)
    for row in paging.rows(reading, tables.SERIES, *records.series_range(account, prefix)):
        state = records.unpack_series(*row)
        pre = state.key.removeprefix(prefix)
        # A hyphen belongs to a longer name.
        if "-" not in pre and names.is_pre_release(pre.replace("_", "-")):
            yield _Ahead(part, numbers, pre.replace("_", "-"), state)


def _raised(
    reading: Reading, account: int, name: str, numbers: Numbers, part: int
) -> Numbers | None:
    """Return the version that raising a part leads to; None beyond the last number.

    Its lower parts are 0, unless their series were moved up in advance.
    """
    if numbers[part - 1] == LAST_VALUE:
        return None
    major, minor, patch = _cut(numbers, part)
    if part == MAJOR:
        major += 1
        minor = _value(reading, account, bumps.series_key(name, MINOR, major, 0))
    elif part == MINOR:
        minor += 1
    else:
        return major, minor, patch + 1
    return major, minor, _value(reading, account, bumps.series_key(name, PATCH, major, minor))


def _value(reading: Reading, account: int, key: str) -> int:
    state = series.get(reading, account, key)
    return state.value if state else 0


def _cut(numbers: Numbers, part: int) -> Numbers:
    """Return a version with zeros below a part."""
    major, minor, patch = numbers
    return major, minor if part >= MINOR else 0, patch if part >= PATCH else 0


def _order_of(ahead: _Ahead) -> list[tuple[int, int, str]]:
    return _order(ahead.pre, ahead.state.value)


def _order(pre: str, number: int) -> list[tuple[int, int, str]]:
    return order_of_identifiers(f"{pre}.{number}")


def _version(name: str, bump: Bump, *, advanced: bool = False) -> Version:
    pre = f"{bump.pre}.{bump.number}" if bump.pre else ""
    return Version(name, bump.token, bump.major, bump.minor, bump.patch, pre, advanced=advanced)


def _read(reading: Reading, account: int, name: str) -> _Parts:
    """Read the three series."""
    numbers, token, changed_at = [0, 0, 0], None, 0
    for part in (MAJOR, MINOR, PATCH):
        key = bumps.series_key(name, part, numbers[0], numbers[1])
        state = series.get(reading, account, key)
        if state is not None:
            numbers[part - 1], token = state.value, state.token
            changed_at = max(changed_at, state.updated_at)
    major, minor, patch = numbers
    return _Parts((major, minor, patch), token, changed_at)
