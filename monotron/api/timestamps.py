"""Times, as answers have them."""

from datetime import datetime, timedelta, timezone


def timestamp(microseconds: int) -> str:
    """Give a time as RFC 3339 has it, in UTC and with all its microseconds.

    It is told in microseconds since 1970-01-01T00:00:00Z.
    """
    time = _EPOCH + timedelta(microseconds=microseconds)
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
