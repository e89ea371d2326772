"""Numbers: what a count, a value, a page's limit and an account's id may be."""

from monotron.core.errors import InvalidNumber
from monotron.limits import LAST_VALUE, PAGE_ROWS, RANGE_VALUES, RECENT_VALUES


def count(number: int) -> int:
    """Give `number` back if one call may take so many values; raises `InvalidNumber` otherwise."""
    return _within("count", number, 1, RANGE_VALUES)


def value(number: int) -> int:
    """Give `number` back if a series can have it; raises `InvalidNumber` otherwise."""
    return _within("value", number, 1, LAST_VALUE)


def bound(what: str, number: int) -> int:
    """Give `number` back if a page may begin there; raises `InvalidNumber` otherwise."""
    return _within(what, number, 0, LAST_VALUE)


def limit(number: int) -> int:
    """Give `number` back if a page may have so many rows; raises `InvalidNumber` otherwise."""
    return _within("limit", number, 1, PAGE_ROWS)


def recent(number: int) -> int:
    """Give `number` back if a list may show so many values of each series.

    Raises `InvalidNumber` otherwise.
    """
    return _within("recent", number, 0, RECENT_VALUES)


def account(number: int) -> int:
    """Return `number` if an account can have it; raises `InvalidNumber` otherwise."""
    return _within("an account's id", number, 0, LAST_VALUE)


def _within(what: str, number: int, least: int, most: int) -> int:
    if not least <= number <= most:
        raise InvalidNumber(f"{what} is a whole number from {least} to {most}")
    return number
