"""Times in answers and queries."""

import re
from datetime import datetime, timedelta, timezone

import falcon


def timestamp(microseconds: int) -> str:
    """Return a time in RFC 3339's format, in UTC and with all its microseconds.

    It is given in microseconds since 1970-01-01T00:00:00Z.
    """
    time = _EPOCH + timedelta(microseconds=microseconds)
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def moment(what: str, text: str) -> int:
    """Return the microseconds since 1970-01-01T00:00:00Z of a time in RFC 3339's format.

    Digits below a microsecond are cut off. Raises 400 for anything else; a time without an offset
    could be anywhere's.
    """
    found = _RFC_3339.fullmatch(text)
    try:
        # Python 3.10 knows neither Z nor every length of a fraction.
        time = (
            datetime.fromisoformat(f"{found[1]}T{found[2]}{_offset(found[4])}") if found else None
        )
    except ValueError:
        time = None
    if found is None or time is None:
        raise falcon.HTTPBadRequest(
            description=f"{what} must be a time such as 2026-11-22T23:38:51Z, not {text[:40]!r}"
        )
    return (time - _EPOCH) // _MICROSECOND + int((found[3] or "")[:6].ljust(6, "0"))


def _offset(text: str) -> str:
    return "+00:00" if text in "Zz" else text


_RFC_3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
