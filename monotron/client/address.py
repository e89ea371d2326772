"""The address of a service, and the credentials for it."""

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from monotron.client.errors import WrongAddress

URL_VARIABLE = "MONOTRON_URL"
KEY_VARIABLE = "MONOTRON_KEY"
OLDER_KEY_VARIABLES = ("MONOTRON_API_KEY", "MONOTRON_API_SECRET")
"""The same in two parts."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the service is."""

    secure: bool
    """Whether it is reached by TLS."""
    host: str
    port: int
    path: str
    """What stands before every path of the API, without a slash at its end."""

    @property
    def authority(self) -> str:
        """The host and the port, as in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def scheme(self) -> str:
        """`https` or `http`."""
        return "https" if self.secure else "http"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def parse(url: str) -> Address:
    """Return the address in a URL; raises `WrongAddress`."""
    what = "the address of the service must be like https://numbers.example.com"
    if not (url.isascii() and url.isprintable()) or " " in url:
        raise WrongAddress(f"{what}, not {url!r:.200}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise WrongAddress(f"{what}: {error}") from error
    if "@" in parts.netloc:
        # It is not shown: there is a secret in it.
        raise WrongAddress(f"{what}, without an @: credentials belong in {KEY_VARIABLE}")
    if parts.scheme not in _PORTS or not parts.hostname or parts.query or parts.fragment:
        raise WrongAddress(f"{what}, not {url!r:.200}")
    return Address(
        parts.scheme == "https",
        parts.hostname,
        _PORTS[parts.scheme] if port is None else port,
        parts.path.rstrip("/"),
    )


def from_environment() -> str | None:
    """Return the URL of the service in the variables, or None. An empty one counts as not set."""
    return os.environ.get(URL_VARIABLE) or None


def key_of(environ: Mapping[str, str]) -> str | None:
    """Return the credentials in the variables as KEY:SECRET, or None.

    Raises `WrongAddress` if only one of the older two is set.
    """
    key = environ.get(KEY_VARIABLE)
    if key:
        return key
    parts = [environ.get(variable, "") for variable in OLDER_KEY_VARIABLES]
    if not any(parts):
        return None
    if not all(parts):
        raise WrongAddress(
            f"{' and '.join(OLDER_KEY_VARIABLES)} belong together, but only one of them is set"
        )
    return ":".join(parts)


def authorization(key: str) -> str:
    """Return the header for credentials as KEY:SECRET (RFC 7617); raises `WrongAddress`."""
    name, colon, secret = key.partition(":")
    if not (name and colon and secret) or not key.isprintable():
        # It is not shown: it may be the secret alone.
        raise WrongAddress(f"{KEY_VARIABLE} must be KEY:SECRET, an API key and its secret")
    return "Basic " + base64.b64encode(key.encode()).decode()


_PORTS = {"http": 80, "https": 443}
