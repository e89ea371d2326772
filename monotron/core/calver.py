"""Calendar versions: the date of a version, and its number in that period (https://calver.org).

The number is a value of the series `{name}-micro-v{period}`, so it starts at 1 with each period.
No version comes twice: if the clock goes back to an earlier period, the count there goes on.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from monotron.core import dated, series
from monotron.core.call import Call
from monotron.core.errors import InvalidName, OtherScheme
from monotron.core.records import Dated
from monotron.store.contract import Reading, Transaction

DEFAULT_SCHEME = "YYYY.0M.MICRO"
"""The scheme of a name that was not given one."""

SCHEME = r"(?:YYYY|YY|0Y)(?:\.(?:MM|0M)(?:\.(?:DD|0D))?|\.(?:WW|0W))?\.MICRO"
"""The pattern of a scheme: a year, perhaps with a month, a day or a week, and the number. Without a
year, or with a day but no month, a period would come again."""

ZONE = r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*"
"""The pattern of the name of a time zone."""


@dataclass(frozen=True, slots=True)
class CalendarVersion:
    """A calendar version."""

    name: str
    token: str | None
    """The token that it was made for; None if its series was advanced without one."""
    scheme: str
    period: str
    """The version without its number, such as `2026.11`."""
    micro: int
    """Its number in that period, from 1."""
    advanced: bool = field(default=False, compare=False, kw_only=True)
    """Whether this call advanced a series for it."""

    def __str__(self) -> str:
        return f"{self.period}.{self.micro}"


def current(reading: Reading, account: int, name: str) -> CalendarVersion | None:
    """Return the newest version of the latest period, or None before the first."""
    there = dated.calendar(reading, account, name)
    if there is None:
        return None
    state = series.get(reading, account, dated.series_key(name, there.period))
    if state is None:
        return None
    return CalendarVersion(name, state.token, there.scheme, there.period, state.value)


def take(
    txn: Transaction, call: Call, name: str, token: str, *, scheme: str | None, zone: tzinfo
) -> CalendarVersion:
    """Return the next version of the present period, which begins and ends by `zone`.

    The same token gets the same version again, whatever the period is by then. Without a `scheme`,
    it is the one of the name, or `DEFAULT_SCHEME`.

    Raises `OtherScheme` if the name has another one, and `SeriesExhausted`.
    """
    known = made(txn, call.account, name, token, scheme=scheme)
    if known is not None:
        return known
    there = dated.calendar(txn, call.account, name)
    scheme = scheme or (there.scheme if there else DEFAULT_SCHEME)
    period = period_of(scheme, _day(call.now, zone))
    key = dated.series_key(name, period)
    taken = series.value_for(txn, call, key, token)
    dated.remember(txn, call.account, name, scheme, Dated(token, period, taken.value))
    return CalendarVersion(name, token, scheme, period, taken.value, advanced=taken.count > 0)


def made(
    reading: Reading, account: int, name: str, token: str, *, scheme: str | None
) -> CalendarVersion | None:
    """Return the version that a token got, or None if it has none; raises `OtherScheme`."""
    there = dated.calendar(reading, account, name)
    if there is None:
        return None
    if scheme not in (None, there.scheme):
        raise OtherScheme(
            f"the versions of {name!r} follow {there.scheme}, not {scheme}: versions of "
            "two schemes cannot be put in order, so use another name"
        )
    known = dated.find(reading, account, name, token)
    if known is None:
        return None
    return CalendarVersion(name, token, there.scheme, known.period, known.micro)


def valid_scheme(text: str) -> str:
    """Return `text` if it is a scheme; raises `InvalidName` otherwise."""
    if not _SCHEME.fullmatch(text):
        raise InvalidName(
            "scheme must be a year, then a month, a month and a day, a week or nothing, then "
            f"MICRO, with dots between them, as in {DEFAULT_SCHEME}. A year is YYYY, YY or 0Y, "
            "a month MM or 0M, a day DD or 0D, a week WW or 0W"
        )
    return text


def zone_named(text: str) -> tzinfo:
    """Return the time zone of that name; raises `InvalidName` if there is none."""
    if text == "UTC":
        # It needs no data.
        return timezone.utc
    zone = _zone(text) if _ZONE.fullmatch(text) else None
    if zone is not None:
        return zone
    if _zone("Etc/UTC") is None:
        raise InvalidName(
            "this server knows no time zone but UTC: it needs Debian's package tzdata, or that of "
            "PyPI"
        )
    raise InvalidName(
        f"tz must be the name of a time zone, such as Europe/Berlin, and not {text[:80]!r}"
    )


def period_of(scheme: str, day: date) -> str:
    """Return a version of a day without its number.

    A week is that of ISO 8601, and its year may differ from the day's.
    """
    week = day.isocalendar()
    parts = scheme.removesuffix(".MICRO").split(".")
    year = week.year if _WEEKS.intersection(parts) else day.year
    # calver.org counts short years from 2000: 2026 is 26, and 2126 is 126.
    short = year - 2000 if year >= 2000 else year
    texts: Mapping[str, str] = {
        "YYYY": f"{year}",
        "YY": f"{short}",
        "0Y": f"{short:02}",
        "MM": f"{day.month}",
        "0M": f"{day.month:02}",
        "WW": f"{week.week}",
        "0W": f"{week.week:02}",
        "DD": f"{day.day}",
        "0D": f"{day.day:02}",
    }
    return ".".join(texts[part] for part in parts)


def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    # A folder of zones is an OSError, and a file that has none a ValueError.
    except (ZoneInfoNotFoundError, OSError, ValueError):
        return None


def _day(now: int, zone: tzinfo) -> date:
    """Return the day in a zone, from microseconds since 1970-01-01T00:00:00Z."""
    return (_EPOCH + timedelta(microseconds=now)).astimezone(zone).date()


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_WEEKS = {"WW", "0W"}
_SCHEME = re.compile(SCHEME)
_ZONE = re.compile(ZONE)
