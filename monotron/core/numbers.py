"""Numbers: the bounds of a count, a value, a page's limit and an account's id."""

from monotron.core.errors import InvalidNumber
from monotron.digits import DIGITS, whole_number
from monotron.limits import LAST_VALUE, PAGE_ROWS, RANGE_VALUES, RECENT_VALUES, WIDTH


def parsed(what: str, text: str) -> int:
    """Return the number in plain ASCII digits; raises `InvalidNumber` for any other text."""
    number = whole_number(text)
    if number is None:
        raise InvalidNumber(
            f"{what} must be a whole number of at most {DIGITS} digits, not {text[:40]!r}"
        )
    return number


def whole(what: str, value: object, least: int, most: int) -> int:
    """Return `value` if it is a whole number within bounds; raises `InvalidNumber` otherwise."""
    # In Python, True is an int too.
    if type(value) is not int or not least <= value <= most:
        raise InvalidNumber(f"{what} must be a whole number from {least} to {most}")
    return value


def count(number: int) -> int:
    """Return `number` if one call may take that many values; raises `InvalidNumber` otherwise."""
    return whole("count", number, 1, RANGE_VALUES)


def value(number: object) -> int:
    """Return `number` if a series can have it; raises `InvalidNumber` otherwise."""
    return whole("value", number, 1, LAST_VALUE)


def bound(what: str, number: int) -> int:
    """Return `number` if a page may begin there; raises `InvalidNumber` otherwise."""
    return whole(what, number, 0, LAST_VALUE)


def limit(number: int) -> int:
    """Return `number` if a page may have that many rows; raises `InvalidNumber` otherwise."""
    return whole("limit", number, 1, PAGE_ROWS)


def recent(number: int) -> int:
    """Return `number` if a list may show that many values of each series.

    Raises `InvalidNumber` otherwise.
    """
    return whole("recent", number, 0, RECENT_VALUES)


def width(number: int) -> int:
    """Return `number` if a number may have that many digits; raises `InvalidNumber` otherwise."""
    return whole("width", number, 1, WIDTH)


def account(number: int) -> int:
    """Return `number` if it can be an account's id; raises `InvalidNumber` otherwise."""
    return whole("an account's id", number, 0, LAST_VALUE)
