"""A setting: its names, and how its text is read."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from monotron.digits import whole_number


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting. Its flag is its name with hyphens, and takes precedence over its variable.

    A secret has no flag, because `ps` shows flags to everybody: it is set with its variable, or in
    a file, which is named by another variable or by a flag.
    """

    name: str
    variable: str
    default: str
    meaning: str
    parse: Callable[[str], Any]
    group: str
    """What it is about, as a heading."""
    secret: bool = False
    own_variable: str | None = None
    """A variable that takes precedence, because the other's common name may mean something else."""
    shown: Callable[[str], str] = str
    """What of its text an error may show."""

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables that it is read from; the first one set counts."""
        return (self.own_variable, self.variable) if self.own_variable else (self.variable,)

    @property
    def flag(self) -> str:
        """Its flag on the command line; for a secret, that of its file."""
        return "--" + self.flag_name.replace("_", "-")

    @property
    def flag_name(self) -> str:
        """The name under which `read_settings` finds the flag's value."""
        return f"{self.name}_file" if self.secret else self.name

    @property
    def file_variable(self) -> str:
        """The variable that names the file of a secret."""
        return f"{self.variable}_FILE"


def described(
    variable: str, default: str, meaning: str, parse: Callable[[str], Any], **more: Any
) -> dict[str, Callable[[str], Setting]]:
    """Return the metadata of a dataclass field, which names the setting."""
    return {
        _SETTING: partial(
            Setting, variable=variable, default=default, meaning=meaning, parse=parse, **more
        )
    }


def described_by(record: type[Any]) -> tuple[Setting, ...]:
    """Return the settings described by the fields of a dataclass."""
    return tuple(
        each.metadata[_SETTING](each.name) for each in fields(record) if _SETTING in each.metadata
    )


# Functions that read the text of a setting. Each raises `ValueError`, which says what is allowed.


def some_text(text: str) -> str:
    """Return any text that is not empty."""
    if not text:
        raise ValueError("it must not be empty")
    return text


def folder(text: str) -> Path:
    """Return the path of a folder."""
    if not text or "\0" in text:
        raise ValueError("it must be the path of a folder")
    return Path(text)


def pem_file(text: str) -> Path:
    """Return the path of a PEM file that can be read now."""
    if not text or "\0" in text:
        raise ValueError("it must be the path of a PEM file")
    try:
        content = Path(text).read_bytes()
    except OSError as error:
        raise ValueError(f"it cannot be read: {error.strerror}") from error
    if b"-----BEGIN " not in content:
        raise ValueError("it is not a PEM file")
    return Path(text)


def number(least: int, most: int) -> Callable[[str], int]:
    """Return a function that reads a whole number within bounds."""

    def parse(text: str) -> int:
        number = whole_number(text)
        if number is None or not least <= number <= most:
            raise ValueError(f"it must be a whole number from {least} to {most}")
        return number

    return parse


def user(text: str) -> str:
    """Return a name that HTTP Basic can carry (RFC 7617)."""
    if ":" in text:
        raise ValueError("it must not have a colon, which ends it in HTTP Basic (RFC 7617)")
    return password(text)


def password(text: str) -> str:
    """Return printable text."""
    if not text.isprintable() or not text:
        raise ValueError("it must consist of printable characters, and not be empty")
    return text


def one_of(*allowed: str) -> Callable[[str], str]:
    """Return a function that reads one of these words, in upper or lower case."""

    def parse(text: str) -> str:
        if text.lower() not in allowed:
            raise ValueError(f"it must be {' or '.join(allowed)}")
        return text.lower()

    return parse


def switch(text: str) -> bool:
    """Return whether it is on."""
    if text.lower() not in (*_ON, *_OFF):
        raise ValueError(f"it must be on or off (or {', '.join((*_ON[1:], *_OFF[1:]))})")
    return text.lower() in _ON


_ON, _OFF = ("on", "yes", "true", "1"), ("off", "no", "false", "0")

_SETTING = "setting"
