"""Expiry: how long an API key works, such as `90d`."""

import re

from monotron.core.errors import InvalidNumber

PATTERN = "[1-9][0-9]{0,3}[mhdw]"


def after(now: int, text: str) -> int:
    """Return the time that `text` stands for, from `now` on; both in microseconds.

    `text` is a number of minutes, hours, days or weeks, from 1 to 9999: `30m`, `12h`, `90d`, `4w`.
    Raises `InvalidNumber`.
    """
    if not re.fullmatch(PATTERN, text):
        raise InvalidNumber(
            "expires must be a number of minutes, hours, days or weeks from 1 to 9999, such as "
            f"12h or 90d, not {text[:40]!r}"
        )
    return now + int(text[:-1]) * _SECONDS[text[-1]] * 1_000_000


_SECONDS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
