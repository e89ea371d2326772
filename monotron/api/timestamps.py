"""Times in answers."""

from datetime import datetime, timedelta, timezone


def timestamp(microseconds: int) -> str:
    """Return a time in RFC 3339's format, in UTC and with all its microseconds.

    It is given in microseconds since 1970-01-01T00:00:00Z.
    """
    time = _EPOCH + timedelta(microseconds=microseconds)
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
