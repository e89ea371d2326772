"""What the service answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Series:
    """A series with its current value."""

    key: str
    value: int
    token: str | None
    """What the value is for; None if it was taken without a token."""


@dataclass(frozen=True, slots=True)
class HistoryValue:
    """A value that was given out."""

    value: int
    token: str | None
    created_at: datetime
    api_key: str | None
    """The API key that took it; None if authentication was off."""
    api_key_name: str | None
    """The name of that API key, if it has one."""


@dataclass(frozen=True, slots=True)
class Version:
    """A semantic or a calendar version. As text it is the bare version."""

    name: str
    version: str
    token: str | None

    def __str__(self) -> str:
        return self.version


# Each raises `KeyError`, `TypeError` or `ValueError` if it is given something else.


def series(members: Mapping[str, Any]) -> Series:
    """Return the series in an answer."""
    return Series(text(members["key"]), whole(members["value"]), optional_text(members["token"]))


def history_value(members: Mapping[str, Any]) -> HistoryValue:
    """Return the value in a page of history."""
    return HistoryValue(
        whole(members["value"]),
        optional_text(members["token"]),
        # Python 3.10 does not know Z.
        datetime.fromisoformat(text(members["created_at"]).replace("Z", "+00:00")),
        optional_text(members["api_key"]),
        optional_text(members.get("api_key_name")),
    )


def version(members: Mapping[str, Any]) -> Version:
    """Return the version in an answer."""
    return Version(
        text(members["name"]), text(members["version"]), optional_text(members.get("token"))
    )


def whole(value: object) -> int:
    """Return a number of an answer."""
    # In Python, True is an int too.
    if type(value) is not int:
        raise TypeError(f"{value!r:.40} is no whole number")
    return value


def text(value: object) -> str:
    """Return a text of an answer."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is no text")
    return value


def optional_text(value: object) -> str | None:
    """Return a text of an answer, which may be null."""
    return None if value is None else text(value)
