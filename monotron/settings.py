"""Every setting: its flag, its variable, its default and what it means."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from monotron.limits import HISTORY_VALUES, MOST_HISTORY_VALUES


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
    history: int
    root_api_key: str | None = field(repr=False)
    root_api_secret: str | None = field(repr=False)
    public_badges: bool
    access_log: bool
    log_format: str
    sources: Mapping[str, str] = field(default_factory=dict)
    """Where each came from: a flag or a variable. What has its default is not in it."""

    @property
    def authentication(self) -> bool:
        """Whether credentials are asked for."""
        return self.root_api_key is not None


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table. The flag is the name with hyphens; a flag wins over its variable.

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


def read_settings(environ: Mapping[str, str], flags: Mapping[str, str | None]) -> Settings:
    """Give the settings from flags, then variables, then defaults.

    An empty variable counts as not set, and so does what Kubernetes puts into `MONOTRON_PORT` for a
    service called monotron. Raises `InvalidSetting`.
    """
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for setting in SETTINGS:
        read = _read_secret if setting.secret else _read
        values[setting.name], source = read(setting, environ, flags)
        if source:
            sources[setting.name] = source
    if (values["root_api_key"] is None) != (values["root_api_secret"] is None):
        raise InvalidSetting(
            "ROOT_API_KEY and ROOT_API_SECRET belong together, and only one of them is set"
        )
    return Settings(**values, sources=sources)


def read_address(environ: Mapping[str, str], flags: Mapping[str, str | None]) -> tuple[str, int]:
    """Return the host and the port alone; raises `InvalidSetting`."""
    host, port = (setting for setting in SETTINGS if setting.name in ("host", "port"))
    return _read(host, environ, flags)[0], _read(port, environ, flags)[0]


def _read(
    setting: Setting, environ: Mapping[str, str], flags: Mapping[str, str | None]
) -> tuple[Any, str]:
    """Return the value and its source, which is empty for the default."""
    source, text = "", setting.default
    for variable in reversed(setting.variables):
        found = environ.get(variable)
        if found and not (variable == setting.own_variable and _SERVICE_LINK.match(found)):
            source, text = variable, found
    flag = flags.get(setting.flag_name)
    if flag is not None:
        source, text = setting.flag, flag
    try:
        return setting.parse(text), source
    except ValueError as error:
        raise InvalidSetting(f"{source} is {text!r}, but {error}") from error


def _read_secret(
    setting: Setting, environ: Mapping[str, str], flags: Mapping[str, str | None]
) -> tuple[str | None, str]:
    """Give a secret, or None where it is not set, and its source. No message says what it is."""
    source, text = setting.variable, environ.get(setting.variable) or None
    flag, file = flags.get(setting.flag_name), environ.get(setting.file_variable)
    if flag is not None:
        source, text = setting.flag, _text_of_file(setting.flag, flag)
    elif file:
        if text is not None:
            raise InvalidSetting(
                f"{setting.variable} and {setting.file_variable} are both set; only one can count"
            )
        source, text = setting.file_variable, _text_of_file(setting.file_variable, file)
    if text is None:
        return None, ""
    try:
        parsed: str = setting.parse(text)
    except ValueError as error:
        raise InvalidSetting(f"{source} cannot be used: {error}") from error
    return parsed, source


def _text_of_file(source: str, file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        why = error.strerror
    except ValueError:
        why = "it is not UTF-8"
    raise InvalidSetting(f"{source} is {file!r}, which cannot be read: {why}")


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


def _user(text: str) -> str:
    if ":" in text:
        raise ValueError("it may not have a colon, which ends it in HTTP Basic (RFC 7617)")
    return _password(text)


def _password(text: str) -> str:
    if not text.isprintable() or not text:
        raise ValueError("it has to be of printable characters, and not empty")
    return text


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in allowed:
            raise ValueError(f"it has to be {' or '.join(allowed)}")
        return text.lower()

    return parse


def _switch(text: str) -> bool:
    if text.lower() not in (*_ON, *_OFF):
        raise ValueError(f"it has to be on or off (or {', '.join((*_ON[1:], *_OFF[1:]))})")
    return text.lower() in _ON


_ON, _OFF = ("on", "yes", "true", "1"), ("off", "no", "false", "0")

_SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://")
"""How the value of a variable begins that Kubernetes makes for a service ("service links")."""

SETTINGS = (
    Setting(
        "host",
        "HOST",
        "127.0.0.1",
        "Address to listen on.",
        _text,
        own_variable="MONOTRON_HOST",
    ),
    Setting(
        "port",
        "PORT",
        "8080",
        "Port to listen on; 0 takes a free one.",
        _number(0, 65535),
        own_variable="MONOTRON_PORT",
    ),
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
        "history",
        "MONOTRON_HISTORY",
        str(HISTORY_VALUES),
        "Values that the history of each series holds; 0 turns it off.",
        _number(0, MOST_HISTORY_VALUES),
    ),
    Setting(
        "root_api_key",
        "ROOT_API_KEY",
        "",
        "The root API key, which may do everything. With its secret, it turns authentication on.",
        _user,
        secret=True,
    ),
    Setting(
        "root_api_secret",
        "ROOT_API_SECRET",
        "",
        "The secret of the root API key.",
        _password,
        secret=True,
    ),
    Setting(
        "public_badges",
        "MONOTRON_PUBLIC_BADGES",
        "off",
        "Badges need no credentials: on or off. Whoever knows a series key can see its number.",
        _switch,
    ),
    Setting(
        "access_log",
        "MONOTRON_ACCESS_LOG",
        "off",
        "A log line for each request: on or off.",
        _switch,
    ),
    Setting(
        "log_format",
        "MONOTRON_LOG_FORMAT",
        "text",
        "How a log line looks: text, or json for a log collector.",
        _one_of("text", "json"),
    ),
)

assert [*(each.name for each in SETTINGS), "sources"] == [each.name for each in fields(Settings)]  # noqa: S101
