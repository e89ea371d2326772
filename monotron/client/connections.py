"""Connections to the service, kept open from one call to the next."""

import base64
import os
import select
import ssl
import threading
import urllib.request
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import unquote, urlsplit

from monotron.client.address import Address
from monotron.client.errors import NotTrusted, WrongAddress

MOST_IDLE = 16
"""Connections that are kept while nobody uses them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, whole."""

    status: int
    content_type: str
    retry_after: str
    body: bytes


class NoConnection(Exception):
    """There is no connection, so nothing was sent; the message says why."""


class NoAnswer(Exception):
    """The request was sent, or a part of it, and no whole answer came; the message says why."""


class Connections:
    """The connections of one client, which its threads share."""

    def __init__(self, address: Address, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        self._proxy = _proxy_of(address)
        # The standard library's, with what SSL_CERT_FILE and SSL_CERT_DIR name.
        self._tls = ssl.create_default_context() if address.secure else None
        self._lock = threading.Lock()
        self._idle: list[HTTPConnection] = []
        self._process = os.getpid()

    def ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        """Send a request and return its answer.

        Raises `NoConnection`, `NoAnswer` and `NotTrusted`.
        """
        connection = self._connected()
        try:
            return self._answer(connection, method, path, body, headers)
        except (OSError, HTTPException) as error:
            connection.close()
            raise NoAnswer(_reason(error)) from error
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Close those that nobody uses."""
        while (connection := self._pop()) is not None:
            connection.close()

    def _answer(
        self,
        connection: HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
    ) -> Answer:
        target = self._address.path + path
        if self._proxy is not None and self._tls is None:
            target = f"http://{self._address.authority}{target}"
            headers = headers | self._proxy.headers
        connection.request(method, target, body, headers)
        with connection.getresponse() as response:
            answer = Answer(
                response.status,
                response.getheader("Content-Type", ""),
                response.getheader("Retry-After", ""),
                response.read(),
            )
        # The library closes it if the service will.
        if connection.sock is not None:
            self._put(connection)
        return answer

    def _connected(self) -> HTTPConnection:
        while (kept := self._pop()) is not None:
            if _is_quiet(kept):
                return kept
            kept.close()
        connection = self._new()
        try:
            connection.connect()
        except (OSError, HTTPException) as error:
            connection.close()
            if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
                raise NotTrusted(f"{self._address}: {_reason_of_tls(error)}") from error
            raise NoConnection(_reason(error)) from error
        return connection

    def _new(self) -> HTTPConnection:
        to = self._address if self._proxy is None else self._proxy
        if self._tls is None:
            return HTTPConnection(to.host, to.port, timeout=self._timeout)
        connection = HTTPSConnection(to.host, to.port, timeout=self._timeout, context=self._tls)
        if self._proxy is not None:
            connection.set_tunnel(self._address.host, self._address.port, self._proxy.headers)
        return connection

    def _pop(self) -> HTTPConnection | None:
        with self._lock:
            if self._process != os.getpid():
                # The parent's: two processes would read each other's answers.
                self._idle, self._process = [], os.getpid()
            return self._idle.pop() if self._idle else None

    def _put(self, connection: HTTPConnection) -> None:
        with self._lock:
            if self._process == os.getpid() and len(self._idle) < MOST_IDLE:
                self._idle.append(connection)
                return
        connection.close()


@dataclass(frozen=True, slots=True)
class _Proxy:
    host: str
    port: int
    headers: dict[str, str]


def _proxy_of(address: Address) -> _Proxy | None:
    """Return the proxy that the system's settings or variables name; raises `WrongAddress`."""
    url = urllib.request.getproxies().get(address.scheme)
    if not url or urllib.request.proxy_bypass(address.host):
        return None
    variable = f"{address.scheme}_proxy"
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        port = parts.port
    except ValueError as error:
        raise WrongAddress(f"{variable} cannot be used: {error}") from error
    if parts.scheme != "http" or not parts.hostname:
        raise WrongAddress(f"{variable} must be like http://proxy.example.com:3128")
    headers = {}
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        encoded = base64.b64encode(pair.encode()).decode()
        headers["Proxy-Authorization"] = f"Basic {encoded}"
    return _Proxy(parts.hostname, 80 if port is None else port, headers)


def _is_quiet(connection: HTTPConnection) -> bool:
    """Return whether nothing came on an idle connection, not even its end."""
    try:
        return not select.select([connection.sock], [], [], 0)[0]
    except (OSError, ValueError):
        # More files are open than `select` can tell apart.
        return False


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _reason_of_tls(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the certificate is not trusted: {error.verify_message}; SSL_CERT_FILE can name a "
            "file with the certificate of who signed it"
        )
    return f"TLS is not possible: {error.reason or error}"
