"""Every setting, once: its name, type, variable, default and meaning, and how it is read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monotron.errors import MonotronError
from monotron.limits import HISTORY_VALUES, MOST_HISTORY_VALUES
from monotron.setting import (
    Setting,
    described,
    described_by,
    folder,
    number,
    one_of,
    password,
    some_text,
    switch,
    user,
)


class InvalidSetting(MonotronError):
    """A setting that cannot be used; the message names it, its value and what is allowed."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one run. Each field says how it is set."""

    host: str = field(
        metadata=described(
            "HOST",
            "127.0.0.1",
            "Address to listen on.",
            some_text,
            own_variable="MONOTRON_HOST",
        )
    )
    port: int = field(
        metadata=described(
            "PORT",
            "8080",
            "Port to listen on; 0 takes a free one.",
            number(0, 65535),
            own_variable="MONOTRON_PORT",
        )
    )
    storage_dir: Path = field(
        metadata=described(
            "STORAGE_DIR",
            "data",
            "Folder of the store; made if missing.",
            folder,
        )
    )
    workers: int = field(
        metadata=described(
            "MONOTRON_WORKERS",
            "1",
            "Processes that share the port. One is right up to thousands of numbers a second.",
            number(1, 64),
        )
    )
    server: str = field(
        metadata=described(
            "MONOTRON_SERVER",
            "loop",
            "The HTTP server: loop, or waitress, which is plain and slower.",
            one_of("loop", "waitress"),
        )
    )
    threads: int = field(
        metadata=described(
            "MONOTRON_THREADS",
            "32",
            "Requests that read for long, in one worker at a time.",
            number(1, 256),
        )
    )
    history: int = field(
        metadata=described(
            "MONOTRON_HISTORY",
            str(HISTORY_VALUES),
            "Values that the history of each series holds; 0 turns it off.",
            number(0, MOST_HISTORY_VALUES),
        )
    )
    root_api_key: str | None = field(
        repr=False,
        metadata=described(
            "ROOT_API_KEY",
            "",
            "The root API key, which may do everything. "
            "With its secret, it turns authentication on.",
            user,
            secret=True,
        ),
    )
    root_api_secret: str | None = field(
        repr=False,
        metadata=described(
            "ROOT_API_SECRET",
            "",
            "The secret of the root API key.",
            password,
            secret=True,
        ),
    )
    public_badges: bool = field(
        metadata=described(
            "MONOTRON_PUBLIC_BADGES",
            "off",
            "Badges need no credentials: on or off. Whoever knows a series key can see its number.",
            switch,
        )
    )
    access_log: bool = field(
        metadata=described(
            "MONOTRON_ACCESS_LOG",
            "off",
            "A log line for each request: on or off.",
            switch,
        )
    )
    log_format: str = field(
        metadata=described(
            "MONOTRON_LOG_FORMAT",
            "text",
            "How a log line looks: text, or json for a log collector.",
            one_of("text", "json"),
        )
    )
    sources: Mapping[str, str] = field(default_factory=dict)
    """The source of each: a flag or a variable. Settings with their defaults are not in it."""

    @property
    def authentication(self) -> bool:
        """Whether callers need credentials."""
        return self.root_api_key is not None


SETTINGS = described_by(Settings)


def read_settings(environ: Mapping[str, str], flags: Mapping[str, str | None]) -> Settings:
    """Return the settings from flags, then variables, then defaults.

    An empty variable counts as not set, and so does the one that Kubernetes sets as `MONOTRON_PORT`
    for a service named monotron. Raises `InvalidSetting`.
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
            "ROOT_API_KEY and ROOT_API_SECRET belong together, but only one of them is set"
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
    """Return a secret, or None if it is not set, and its source. Messages never contain it."""
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


_SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://")
"""The start of the value of a variable that Kubernetes sets for a service ("service links")."""
