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
    pem_file,
    some_text,
    switch,
    user,
)
from monotron.store.etcd import address
from monotron.store.etcd.address import Address

NETWORK, STORAGE, PROCESSES = "Network", "Storage", "Processes"
CREDENTIALS, LOGS = "Credentials", "Logs"


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
            group=NETWORK,
        )
    )
    port: int = field(
        metadata=described(
            "PORT",
            "8080",
            "Port to listen on; 0 takes a free one.",
            number(0, 65535),
            own_variable="MONOTRON_PORT",
            group=NETWORK,
        )
    )
    storage_dir: Path = field(
        metadata=described(
            "STORAGE_DIR",
            "data",
            "Folder of the store; made if missing.",
            folder,
            group=STORAGE,
        )
    )
    store: Address | None = field(
        metadata=described(
            "MONOTRON_STORE",
            "",
            "A store on a cluster of etcd instead: etcd://HOST:PORT,HOST:PORT/PREFIX.",
            address.parse,
            shown=address.without_password,
            group=STORAGE,
        )
    )
    store_ca: Path | None = field(
        metadata=described(
            "MONOTRON_STORE_CA",
            "",
            "A PEM file with the CA of etcd's certificates; it turns TLS on.",
            pem_file,
            group=STORAGE,
        )
    )
    store_certificate: Path | None = field(
        metadata=described(
            "MONOTRON_STORE_CERTIFICATE",
            "",
            "A PEM file with the certificate that is shown to etcd.",
            pem_file,
            group=STORAGE,
        )
    )
    store_key: Path | None = field(
        metadata=described(
            "MONOTRON_STORE_KEY",
            "",
            "A PEM file with the private half of that certificate.",
            pem_file,
            group=STORAGE,
        )
    )
    store_password: str | None = field(
        repr=False,
        metadata=described(
            "MONOTRON_STORE_PASSWORD",
            "",
            "The password of the user that the store's address names.",
            password,
            secret=True,
            group=STORAGE,
        ),
    )
    history: int = field(
        metadata=described(
            "MONOTRON_HISTORY",
            str(HISTORY_VALUES),
            "Values that the history of each series holds; 0 turns it off.",
            number(0, MOST_HISTORY_VALUES),
            group=STORAGE,
        )
    )
    workers: int = field(
        metadata=described(
            "MONOTRON_WORKERS",
            "1",
            "Processes that share the port. One is right up to thousands of numbers a second.",
            number(1, 64),
            group=PROCESSES,
        )
    )
    server: str = field(
        metadata=described(
            "MONOTRON_SERVER",
            "loop",
            "The HTTP server: loop, or waitress, which is plain and slower.",
            one_of("loop", "waitress"),
            group=PROCESSES,
        )
    )
    threads: int = field(
        metadata=described(
            "MONOTRON_THREADS",
            "32",
            "How many requests that read for long one worker handles at a time.",
            number(1, 256),
            group=PROCESSES,
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
            group=CREDENTIALS,
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
            group=CREDENTIALS,
        ),
    )
    public_badges: bool = field(
        metadata=described(
            "MONOTRON_PUBLIC_BADGES",
            "off",
            "Badges need no credentials: on or off. Whoever knows a series key can see its number.",
            switch,
            group=CREDENTIALS,
        )
    )
    access_log: bool = field(
        metadata=described(
            "MONOTRON_ACCESS_LOG",
            "off",
            "A log line for each request: on or off.",
            switch,
            group=LOGS,
        )
    )
    log_format: str = field(
        metadata=described(
            "MONOTRON_LOG_FORMAT",
            "text",
            "How a log line looks: text, or json for a log collector.",
            one_of("text", "json"),
            group=LOGS,
        )
    )
    sources: Mapping[str, str] = field(default_factory=dict)
    """The source of each: a flag or a variable. Settings with their defaults are not in it."""

    @property
    def place(self) -> str:
        """Where the store is, for people."""
        return str(self.storage_dir.resolve() if self.store is None else self.store)

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
    settings = Settings(**values, sources=sources)
    _require_together(settings, "root_api_key", "root_api_secret")
    _require_together(settings, "store_certificate", "store_key")
    if settings.store is None:
        _refuse_without_store(settings)
    else:
        _require_one_store(settings)
        _require_usable(settings, settings.store)
    return settings


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
    if not source and not text:
        return None, ""
    try:
        return setting.parse(text), source
    except ValueError as error:
        raise InvalidSetting(f"{source} is {setting.shown(text)!r}, but {error}") from error


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


def _require_together(settings: Settings, one: str, other: str) -> None:
    if (getattr(settings, one) is None) != (getattr(settings, other) is None):
        raise InvalidSetting(
            f"{_variable(one)} and {_variable(other)} belong together, but only one of them is set"
        )


def _refuse_without_store(settings: Settings) -> None:
    """Refuse what is only for etcd: to give out numbers of a new folder would be worse."""
    for name in ("store_ca", "store_certificate", "store_password"):
        if getattr(settings, name) is not None:
            raise InvalidSetting(
                f"{settings.sources[name]} is set, but {_variable('store')}, which needs it, is not"
            )


def _require_one_store(settings: Settings) -> None:
    """Refuse a folder beside it. Images set the variable of the folder, which does not count."""
    storage_dir = settings.sources.get("storage_dir", "")
    if storage_dir.startswith("-"):
        raise InvalidSetting(
            f"{storage_dir} and {settings.sources['store']} are both set; only one can count"
        )


def _require_usable(settings: Settings, store: Address) -> None:
    if settings.store_certificate is not None and settings.store_ca is None:
        raise InvalidSetting(
            f"{settings.sources['store_certificate']} is set, but {_variable('store_ca')}, "
            "which turns TLS on, is not"
        )
    if store.user is None and settings.store_password is not None:
        raise InvalidSetting(
            f"{settings.sources['store_password']} is set, but {settings.sources['store']} names "
            "no user: it must be etcd://USER@HOST:PORT"
        )
    if store.user is not None and settings.store_password is None:
        raise InvalidSetting(
            f"{settings.sources['store']} names the user {store.user!r}, but "
            f"{_variable('store_password')} is not set"
        )
    if settings.store_ca is not None:
        _require_certificates(settings)


def _require_certificates(settings: Settings) -> None:
    """Refuse files that TLS cannot use."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    name = "store_ca"
    try:
        context.load_verify_locations(settings.store_ca)
        name = "store_certificate"
        if settings.store_certificate is not None:
            # Without a password, an encrypted key would ask for it on the terminal.
            context.load_cert_chain(settings.store_certificate, settings.store_key, password="")
    except OSError as error:
        why = getattr(error, "reason", None) or error.strerror or "it cannot be decrypted"
        raise InvalidSetting(
            f"{settings.sources[name]} is {str(getattr(settings, name))!r}, but TLS cannot use it: "
            f"{why}"
        ) from error


def _variable(name: str) -> str:
    return next(setting.variable for setting in SETTINGS if setting.name == name)


_SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://")
"""The start of the value of a variable that Kubernetes sets for a service ("service links")."""
