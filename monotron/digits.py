"""Whole numbers in text."""

import re

DIGITS = 19
"""The digits of a series' last value."""


def whole_number(text: str, digits: int = DIGITS) -> int | None:
    """Return the number in a text of at most `digits` ASCII digits, or None for any other text.

    `int` accepts more: signs, blanks, underscores and the digits of other scripts.
    """
    return int(text) if len(text) <= digits and _DIGITS.fullmatch(text) else None


_DIGITS = re.compile("[0-9]+")
