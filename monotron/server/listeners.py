"""The sockets that the service listens on, which its workers share."""

import errno
import ipaddress
import os
import socket
from typing import Any

from monotron.errors import MonotronError
from monotron.settings import Settings

BACKLOG = 1024
"""Connections that may wait in the kernel to be accepted."""


class CannotListen(MonotronError):
    """The port or the address is not available; the message says why."""


def listen(settings: Settings) -> list[socket.socket]:
    """Listen on each address of the host, on the same port.

    Raises `CannotListen`.
    """
    try:
        found = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        raise CannotListen(_no_address(settings)) from error
    # IPv4 comes first, so that the start line names it first.
    addresses = dict.fromkeys((family, address) for family, *_, address in found)
    port = settings.port
    listeners: list[socket.socket] = []
    for family, (name, _, *rest) in sorted(addresses, key=lambda each: each[0]):
        try:
            listener = _listener(family, (name, port, *rest), only=len(addresses) == 1)
        except OSError as error:
            if error.errno in _NOT_HERE:
                continue
            for each in listeners:
                each.close()
            raise CannotListen(
                f"cannot listen on {url(str(name), port)}: {os.strerror(error.errno or 0)}; "
                "--port or MONOTRON_PORT chooses another port"
            ) from error
        listeners.append(listener)
        # If the first listener chose a free port, the others use it too.
        port = listener.getsockname()[1]
    if not listeners:
        raise CannotListen(_no_address(settings))
    return listeners


def reachable(host: str, port: int) -> tuple[str, int]:
    """Return the address at which this machine reaches a listener, even one on every address."""
    if ip_address(host).is_unspecified:
        return ("::1" if ":" in host else "127.0.0.1"), port
    return host, port


def ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the address of a listener, without its zone (RFC 4007, section 11)."""
    return ipaddress.ip_address(host.partition("%")[0])


def url(host: str, port: int) -> str:
    """Return the URL of a listener."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listener(family: int, address: tuple[Any, ...], *, only: bool) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and not only:
            # The IPv4 addresses have their own listeners.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _no_address(settings: Settings) -> str:
    source = settings.sources.get("host", "--host")
    return (
        f"{source} is {settings.host!r}, but this machine has no such address; --host or "
        "MONOTRON_HOST chooses another one"
    )


_NOT_HERE = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""A name may have more addresses than the machine, such as ::1 on a machine without IPv6."""
