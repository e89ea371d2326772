"""Every setting: its flag, its variable, its default and what it means."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any


class InvalidSetting(Exception):
    """A setting that cannot be used; the message names it, its value and what is allowed."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one run. The table below says what each means."""

    host: str
    port: int
    storage_dir: Path
    workers: int
    threads: int
    access_log: bool


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table. The flag is the name with hyphens; a flag wins over its variable."""

    name: str
    variable: str
    default: str
    meaning: str
    parse: Callable[[str], Any]

    @property
    def flag(self) -> str:
        """How it is written on the command line."""
        return "--" + self.name.replace("_", "-")


def read_settings(environ: Mapping[str, str], flags: Mapping[str, str | None]) -> Settings:
    """Give the settings from flags, then variables, then defaults.

    An empty variable counts as not set. Raises `InvalidSetting`.
    """
    values = {}
    for setting in SETTINGS:
        source, text = setting.variable, environ.get(setting.variable) or setting.default
        flag = flags.get(setting.name)
        if flag is not None:
            source, text = setting.flag, flag
        try:
            values[setting.name] = setting.parse(text)
        except ValueError as error:
            raise InvalidSetting(f"{source} is {text!r}, but {error}") from error
    return Settings(**values)


def _text(text: str) -> str:
    if not text:
        raise ValueError("it may not be empty")
    return text


def _folder(text: str) -> Path:
    if not text or "\0" in text:
        raise ValueError("it has to be the path of a folder")
    return Path(text)


def _number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or not least <= int(text) <= most:
            raise ValueError(f"it has to be a whole number from {least} to {most}")
        return int(text)

    return parse


def _switch(text: str) -> bool:
    try:
        return {"on": True, "1": True, "true": True, "off": False, "0": False, "false": False}[
            text.lower()
        ]
    except KeyError:
        raise ValueError("it has to be on or off") from None


SETTINGS = (
    Setting("host", "HOST", "127.0.0.1", "Address to listen on.", _text),
    Setting("port", "PORT", "8080", "Port to listen on; 0 takes a free one.", _number(0, 65535)),
    Setting("storage_dir", "STORAGE_DIR", "data", "Folder of the store; made if missing.", _folder),
    Setting(
        "workers",
        "MONOTRON_WORKERS",
        "1",
        "Processes that share the port. One is right up to thousands of numbers a second.",
        _number(1, 64),
    ),
    Setting(
        "threads",
        "MONOTRON_THREADS",
        "32",
        "Requests that one worker works on at a time.",
        _number(1, 256),
    ),
    Setting(
        "access_log",
        "MONOTRON_ACCESS_LOG",
        "off",
        "A log line for each request: on or off.",
        _switch,
    ),
)

assert [setting.name for setting in SETTINGS] == [field.name for field in fields(Settings)]  # noqa: S101
