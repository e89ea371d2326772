"""Badges: the text and color that show a series' value or a version.

A badge has the fields of a shields.io endpoint badge: a label, a message and a color
(https://shields.io/badges/endpoint-badge).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from monotron.core import names, semver, series
from monotron.core.errors import InvalidName
from monotron.store.contract import Reading

VALUE, VERSION = "value", "version"
"""What a badge can show."""

PLACE = "{value}"
"""The placeholder in a message for the value or version shown."""

DEFAULT_COLOR = "blue"

COLORS: Mapping[str, str] = {
    "brightgreen": "44cc11",
    "green": "97ca00",
    "yellowgreen": "a4a61d",
    "yellow": "dfb317",
    "orange": "fe7d37",
    "red": "e05d44",
    # Slightly darker than on shields.io, so that white text is readable on it.
    "blue": "007abf",
    "blueviolet": "8a2be2",
    "grey": "555555",
    "gray": "555555",
    "lightgrey": "9f9f9f",
    "lightgray": "9f9f9f",
    "success": "44cc11",
    "important": "fe7d37",
    "critical": "e05d44",
    "informational": "007abf",
    "inactive": "9f9f9f",
}
"""The color names of shields.io, each with its six hex digits."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The badge a caller asked for."""

    show: str
    """`VALUE` or `VERSION`."""
    label: str | None
    """The left text; empty for none, None for the name of the series or version."""
    message: str
    color: str


@dataclass(frozen=True, slots=True)
class Badge:
    """The text and color of a badge."""

    label: str
    """The left text; empty if it has none."""
    message: str
    """The right text; never empty."""
    color: str
    """A name from `COLORS`, or 3 or 6 hex digits, in lower case."""


def wanted(query: Mapping[str, str]) -> Wanted:
    """Read `show`, `label`, `message` and `color`; raises `InvalidName` if one is not valid."""
    show = query.get("show", VALUE)
    if show not in (VALUE, VERSION):
        raise InvalidName(f"a badge shows {VALUE} or {VERSION}")
    label = query.get("label")
    return Wanted(
        show,
        None if label is None else names.label(label),
        names.message(query.get("message", PLACE)),
        _color(query.get("color", DEFAULT_COLOR)),
    )


def get(reading: Reading, account: int, name: str, wanted: Wanted) -> Badge | None:
    """Return a badge, or None if there is no value or version yet; raises `InvalidName`."""
    found = _shown(reading, account, name, wanted.show)
    if found is None:
        return None
    label = name if wanted.label is None else wanted.label
    return Badge(label, wanted.message.replace(PLACE, found), wanted.color)


def hex_color(color: str) -> str:
    """Return the six hex digits of a badge's color."""
    digits = COLORS.get(color, color)
    return digits if len(digits) == 6 else "".join(digit * 2 for digit in digits)


def _shown(reading: Reading, account: int, name: str, show: str) -> str | None:
    if show == VERSION:
        version = semver.current(reading, account, names.version_name(name, new=False))
        return None if version is None else str(version)
    state = series.get(reading, account, names.series_key(name, new=False))
    return None if state is None else str(state.value)


def _color(text: str) -> str:
    color = text.lower()
    if color not in COLORS and not re.fullmatch(r"[0-9a-f]{3}|[0-9a-f]{6}", color):
        raise InvalidName(f"a color must be 3 or 6 hex digits, or one of {', '.join(COLORS)}")
    return color
