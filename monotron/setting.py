"""One setting: how it is written, and how its text is read."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from monotron.digits import whole_number


@dataclass(frozen=True, slots=True)
class Setting:
    """How one is written and read. The flag is the name with hyphens; it wins over its variable.

    A secret has no flag of its own, since `ps` shows flags to everyone: it can be set by its
    variable, or by the name of a file that holds it, which has a variable and a flag.
    """

    name: str
    variable: str
    default: str
    meaning: str
    parse: Callable[[str], Any]
    secret: bool = False
    own_variable: str | None = None
    """One that wins over the other, whose name is so common that it may mean something else."""

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables that it is read from; the first that is set counts."""
        return (self.own_variable, self.variable) if self.own_variable else (self.variable,)

    @property
    def flag(self) -> str:
        """How it is written on the command line; for a secret, its file."""
        return "--" + self.flag_name.replace("_", "-")

    @property
    def flag_name(self) -> str:
        """What `read_settings` finds the flag's value under."""
        return f"{self.name}_file" if self.secret else self.name

    @property
    def file_variable(self) -> str:
        """The variable that names the file of a secret."""
        return f"{self.variable}_FILE"


def described(
    variable: str, default: str, meaning: str, parse: Callable[[str], Any], **more: Any
) -> dict[str, Callable[[str], Setting]]:
    """Return the metadata of a dataclass's field, which gives the setting its name."""
    return {
        _SETTING: partial(
            Setting, variable=variable, default=default, meaning=meaning, parse=parse, **more
        )
    }


def described_by(record: type[Any]) -> tuple[Setting, ...]:
    """Return the settings that the fields of a dataclass describe."""
    return tuple(
        each.metadata[_SETTING](each.name) for each in fields(record) if _SETTING in each.metadata
    )


# What follows reads the text of a setting. Each raises `ValueError`, which says what is allowed.


def some_text(text: str) -> str:
    """Return any text but an empty one."""
    if not text:
        raise ValueError("it may not be empty")
    return text


def folder(text: str) -> Path:
    """Return the path of a folder."""
    if not text or "\0" in text:
        raise ValueError("it has to be the path of a folder")
    return Path(text)


def number(least: int, most: int) -> Callable[[str], int]:
    """Return what reads a whole number within bounds."""

    def parse(text: str) -> int:
        number = whole_number(text)
        if number is None or not least <= number <= most:
            raise ValueError(f"it has to be a whole number from {least} to {most}")
        return number

    return parse


def user(text: str) -> str:
    """Return a name that HTTP Basic can carry (RFC 7617)."""
    if ":" in text:
        raise ValueError("it may not have a colon, which ends it in HTTP Basic (RFC 7617)")
    return password(text)


def password(text: str) -> str:
    """Return printable text."""
    if not text.isprintable() or not text:
        raise ValueError("it has to be of printable characters, and not empty")
    return text


def one_of(*allowed: str) -> Callable[[str], str]:
    """Return what reads one of these words, in upper or lower case."""

    def parse(text: str) -> str:
        if text.lower() not in allowed:
            raise ValueError(f"it has to be {' or '.join(allowed)}")
        return text.lower()

    return parse


def switch(text: str) -> bool:
    """Return whether it is on."""
    if text.lower() not in (*_ON, *_OFF):
        raise ValueError(f"it has to be on or off (or {', '.join((*_ON[1:], *_OFF[1:]))})")
    return text.lower() in _ON


_ON, _OFF = ("on", "yes", "true", "1"), ("off", "no", "false", "0")

_SETTING = "setting"
