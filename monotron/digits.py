"""Whole numbers in text."""

import re

DIGITS = 19
"""As many as the last value of a series has."""


def whole_number(text: str, digits: int = DIGITS) -> int | None:
    """Return the number that at most so many ASCII digits are, or None for any other text.

    `int` takes more: signs, blanks, underscores and the digits of other scripts.
    """
    return int(text) if len(text) <= digits and _DIGITS.fullmatch(text) else None


_DIGITS = re.compile("[0-9]+")
