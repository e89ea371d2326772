"""The rules, for somebody who has no store: what each call answers, in dictionaries.

A call that is refused raises what the rule raises, and changes nothing.
"""

import re
from dataclasses import dataclass, field

from monotron.core.accounts import FIRST_ACCOUNT
from monotron.core.bumps import PARTS
from monotron.core.call import Call
from monotron.core.calver import CalendarVersion
from monotron.core.errors import (
    IdempotencyKeyReused,
    InvalidAttribute,
    InvalidNumber,
    LimitReached,
    LimitTooLow,
    OtherScheme,
    PreReleaseTooLow,
    SeedTooLow,
    SeriesExhausted,
)
from monotron.core.history import HistoryValue
from monotron.core.semver import Version
from monotron.limits import ATTRIBUTES, LAST_VALUE
from monotron.store.paging import Page

REMEMBERED = 2_000
"""How many values of a series the model knows; more than any test keeps."""

DAY = 24 * 3_600 * 1_000_000
"""In microseconds, as times are."""

State = tuple[int, str | None, int, int]
"""A series' value, its token, when it began and when it last changed."""


@dataclass
class Series:
    """A series, and what it has given out."""

    created_at: int
    updated_at: int = 0
    value: int = 0
    token: str | None = None
    given: int = 0
    taken: list[HistoryValue | None] = field(default_factory=list)
    """The newest values, oldest first; None for what was given out while history was off."""
    gone: int = 0
    """How many of the oldest some call was allowed to remove."""

    @property
    def state(self) -> State:
        return self.value, self.token, self.created_at, self.updated_at

    def newest(self, keep: int, *, gone: int = 0) -> list[HistoryValue]:
        """Return what is known of the newest `keep` without the oldest `gone`, newest first."""
        oldest = max(self.given - keep, gone) - (self.given - len(self.taken))
        return [taken for taken in reversed(self.taken[max(oldest, 0) :]) if taken is not None]


@dataclass(frozen=True)
class Retry:
    """What an Idempotency-Key stands for."""

    request: bytes
    value: int
    taken_at: int


class Model:
    """Everything that the rules keep."""

    def __init__(self) -> None:
        self.accounts = {FIRST_ACCOUNT}
        self.series: dict[tuple[int, str], Series] = {}
        self.limits: dict[tuple[int, str], int] = {}
        self.attributes: dict[tuple[int, str, str], dict[str, str]] = {}
        self.made: dict[tuple[int, str, int, str, str], tuple[str, Version]] = {}
        """The version that a token got when it bumped a part, and the series it was made with."""
        self.calendars: dict[tuple[int, str], str] = {}
        self.dated: dict[tuple[int, str, str], tuple[str, int]] = {}
        """The period and the number that a token got."""
        self.retries: dict[tuple[int, str], Retry] = {}

    # Series

    def advance(self, call: Call, key: str, token: str | None = None, count: int = 1) -> State:
        if token is not None and count != 1:
            raise InvalidNumber
        series = self.series.get((call.account, key), Series(call.now))
        if token is not None and token == series.token:
            return series.state
        if series.value + count > LAST_VALUE:
            raise SeriesExhausted
        if series.value + count > self.limit(call.account, key):
            raise LimitReached
        for value in range(series.value + 1, series.value + count + 1)[-REMEMBERED:]:
            taken = HistoryValue(value, token, call.api_key, call.now)
            series.taken.append(taken if call.keep else None)
        del series.taken[:-REMEMBERED]
        series.given += count
        series.gone = max(series.gone, series.given - call.keep)
        series.value, series.token, series.updated_at = series.value + count, token, call.now
        self.series[call.account, key] = series
        return series.state

    def seed(self, call: Call, key: str, value: int) -> State:
        series = self.series.get((call.account, key), Series(call.now))
        if value < series.value:
            raise SeedTooLow
        if value > self.limit(call.account, key):
            raise LimitReached
        if value > series.value:
            series.value, series.token, series.updated_at = value, None, call.now
            self.series[call.account, key] = series
        return series.state

    def set_limit(self, account: int, key: str, limit: int) -> None:
        series = self.series.get((account, key))
        if limit and series is not None and limit < series.value:
            raise LimitTooLow
        self.limits[account, key] = limit

    def limit(self, account: int, key: str) -> int:
        """Return the last value that a series may give out."""
        return self.limits.get((account, key), 0) or LAST_VALUE

    def delete(self, account: int, key: str) -> bool:
        self.limits.pop((account, key), None)
        self.attributes = {
            place: texts for place, texts in self.attributes.items() if place[:2] != (account, key)
        }
        self.made = {
            place: (made_with, version)
            for place, (made_with, version) in self.made.items()
            if (place[0], made_with) != (account, key)
        }
        self.dated = {
            place: (period, value)
            for place, (period, value) in self.dated.items()
            if (place[0], f"{place[1]}-micro-v{period}") != (account, key)
        }
        left = {place[:2] for place in self.dated}
        self.calendars = {place: text for place, text in self.calendars.items() if place in left}
        return self.series.pop((account, key), None) is not None

    def get(self, account: int, key: str) -> State | None:
        series = self.series.get((account, key))
        return None if series is None else series.state

    def keys(self, account: int) -> list[str]:
        return sorted(key for owner, key in self.series if owner == account)

    def by_change(self, account: int, since: int) -> list[str]:
        """Return the keys of the series that changed since then, the newest change first."""
        changes = sorted(
            (
                (series.updated_at, key)
                for (owner, key), series in self.series.items()
                if owner == account and series.updated_at >= since
            ),
            reverse=True,
        )
        return [key for _, key in changes]

    def page(self, account: int, prefix: str, after: str | None, limit: int) -> Page[str, str]:
        keys = self.keys(account)
        return _page([key for key in keys if key.startswith(prefix) and key > (after or "")], limit)

    # Versions

    def bump(self, call: Call, name: str, part: int, token: str, pre: str = "") -> Version:
        place = (call.account, name, part, token, pre)
        if place not in self.made:
            newest = self._pre_release(call.account, name)
            raised = part if newest is None else min(part, newest[0])
            if pre:
                self.made[place] = self._take_pre_release(call, name, raised, token, pre, newest)
                return self.made[place][1]
            key = self.part_keys(call.account, name)[raised - 1]
            current = self.get(call.account, key)
            self.advance(call, key, token)
            version = self._version(call.account, name)
            numbers = (version.major, version.minor, version.patch)
            if current is not None and token == current[1]:
                # Advanced by hand: its version is that of then.
                numbers = (*numbers[:raised], 0, 0, 0)[:3]  # type: ignore[assignment]
            self.made[place] = key, Version(name, token, *numbers)
        return self.made[place][1]

    def version(self, account: int, name: str) -> Version | None:
        newest = self._pre_release(account, name)
        if newest is not None:
            return newest[1]
        version = self._version(account, name)
        return None if str(version) == "0.0.0" else version

    def versions(self, account: int) -> list[str]:
        """Return the names in the list."""
        bumped = sorted({name for owner, name, *_ in self.made if owner == account})
        return [name for name in bumped if self.version(account, name) is not None]

    def _take_pre_release(
        self,
        call: Call,
        name: str,
        raised: int,
        token: str,
        pre: str,
        newest: tuple[int, Version] | None,
    ) -> tuple[str, Version]:
        numbers = self._next(call.account, name, raised)
        if numbers is None:
            raise SeriesExhausted
        key = f"{name}-pre-v{numbers[0]}.{numbers[1]}.{numbers[2]}.{pre.replace('-', '_')}"
        value, current, *_ = self.get(call.account, key) or (0, None)
        if token != current:
            value += 1
            wanted = Version(name, token, *numbers, f"{pre}.{value}")
            if newest is not None and _order(wanted) < _order(newest[1]):
                raise PreReleaseTooLow
            self.advance(call, key, token)
        return key, Version(name, token, *numbers, f"{pre}.{value}")

    def _pre_release(self, account: int, name: str) -> tuple[int, Version] | None:
        """Return the highest pre-release that one bump leads to, and the part of that bump."""
        found = []
        for part in PARTS.values():
            for key in self.keys(account):
                match = _PRE_RELEASE.fullmatch(key)
                if match is None or match[1] != name:
                    continue
                value, token, *_ = self.series[account, key].state
                numbers = int(match[2]), int(match[3]), int(match[4])
                if any(part.isdigit() and part[0] == "0" != part for part in match[5].split(".")):
                    continue
                if numbers == self._next(account, name, part):
                    pre = match[5].replace("_", "-")
                    found.append((part, Version(name, token, *numbers, f"{pre}.{value}")))
        return max(found, key=lambda each: _order(each[1]), default=None)

    def _next(self, account: int, name: str, part: int) -> tuple[int, int, int] | None:
        """Return what a release that raises a part would be."""
        key = self.part_keys(account, name)[part - 1]
        value = self._value(account, key)
        if value == LAST_VALUE:
            return None
        others = self.series.get((account, key))
        self.series[account, key] = Series(0, value=value + 1)
        version = self._version(account, name)
        if others is None:
            del self.series[account, key]
        else:
            self.series[account, key] = others
        return version.major, version.minor, version.patch

    def part_keys(self, account: int, name: str) -> list[str]:
        """Return the keys of the series that count the parts of the next version."""
        major = self._value(account, f"{name}-major")
        minor = self._value(account, f"{name}-minor-v{major}")
        return [f"{name}-major", f"{name}-minor-v{major}", f"{name}-patch-v{major}.{minor}"]

    def _value(self, account: int, key: str) -> int:
        return (self.get(account, key) or (0,))[0]

    def _version(self, account: int, name: str) -> Version:
        keys = self.part_keys(account, name)
        assert len(keys) == len(PARTS)
        states = [state for key in keys if (state := self.get(account, key)) is not None]
        token = states[-1][1] if states else None
        major, minor, patch = (self._value(account, key) for key in keys)
        return Version(name, token, major, minor, patch)

    # Calendar versions

    def take_dated(
        self, call: Call, name: str, token: str, scheme: str | None, period: str
    ) -> CalendarVersion:
        """Return the version for a token in a period, which the model is told."""
        place = (call.account, name)
        known = self.calendars.get(place)
        if known is not None and scheme not in (None, known):
            raise OtherScheme
        taken = (call.account, name, token)
        if taken not in self.dated:
            value, *_ = self.advance(call, f"{name}-micro-v{period}", token)
            self.calendars[place] = known or scheme or "YYYY.0M.MICRO"
            self.dated[taken] = period, value
        period, value = self.dated[taken]
        return CalendarVersion(name, token, self.calendars[place], period, value)

    def dated_version(self, account: int, name: str) -> CalendarVersion | None:
        periods = [
            period
            for (owner, each, _), (period, _) in self.dated.items()
            if (owner, each) == (account, name)
        ]
        if not periods:
            return None
        period = max(periods, key=lambda each: [int(part) for part in each.split(".")])
        value, token, *_ = self.get(account, f"{name}-micro-v{period}") or (0, None)
        return CalendarVersion(name, token, self.calendars[account, name], period, value)

    # Attributes

    def put_attributes(self, account: int, key: str, token: str, sent: dict[str, str]) -> None:
        texts = self.attributes.get((account, key, token), {}) | sent
        if len(texts) > ATTRIBUTES:
            raise InvalidAttribute
        self.attributes[account, key, token] = texts

    def attributes_of(self, account: int, key: str, token: str) -> dict[str, str]:
        return self.attributes.get((account, key, token), {})

    def delete_attribute(self, account: int, key: str, token: str, name: str) -> bool:
        return self.attributes_of(account, key, token).pop(name, None) is not None

    def delete_attributes(self, account: int, key: str, token: str) -> int:
        return len(self.attributes.pop((account, key, token), {}))

    # Retries

    def once(self, call: Call, idempotency_key: str, request: bytes, key: str) -> int:
        """Take the next value of a series once."""
        place = (call.account, idempotency_key)
        if place not in self.retries:
            value = self.advance(call, key)[0]
            # Each new answer pushes out two that are too old.
            ages = {retry.taken_at: place for place, retry in self.retries.items()}
            for taken_at in sorted(each for each in ages if each < call.now - DAY)[:2]:
                del self.retries[ages[taken_at]]
            self.retries[place] = Retry(request, value, call.now)
        if self.retries[place].request != request:
            raise IdempotencyKeyReused
        return self.retries[place].value

    # Accounts

    def make_account(self, account: int) -> None:
        self.accounts.add(account)

    def accounts_page(self, after: int | None, limit: int) -> Page[int, int]:
        ids = sorted(self.accounts)
        return _page([each for each in ids if after is None or each > after], limit)


def _order(version: Version) -> list[object]:
    """Return what puts versions in the order of SemVer; a release comes last."""
    numbers = [version.major, version.minor, version.patch]
    if not version.pre:
        return [numbers, 1]
    parts = [(0, int(each)) if each.isdigit() else (1, each) for each in version.pre.split(".")]
    return [numbers, 0, parts]


_PRE_RELEASE = re.compile(r"(.+)-pre-v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)\.([\w.]+)")


def _page(rest: list, limit: int) -> Page:  # type: ignore[type-arg]
    return Page(rest[:limit], rest[limit - 1] if len(rest) > limit else None)
