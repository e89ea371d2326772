"""Connections that are open and do nothing."""

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_OWN_FILES = 200
"""Descriptors for everything else in this process."""

_REQUEST = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@contextmanager
def idle_connections(port: int, count: int) -> Iterator[None]:
    """Hold `count` connections, each of which had one answer before.

    Raises `RuntimeError` if the server closed one of them before the end.
    """
    _allow_files(count + _OWN_FILES)
    with ExitStack() as opened:
        every = [
            opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            for _ in range(count)
        ]
        for connection in every:
            connection.sendall(_REQUEST)
            if not connection.recv(65536):
                raise RuntimeError("an idle connection was closed at its first request")
        yield
        for connection in every:
            connection.setblocking(False)
        if closed := sum(_is_closed(connection) for connection in every):
            raise RuntimeError(f"{closed} of {count} idle connections were closed")


def _is_closed(connection: socket.socket) -> bool:
    try:
        return not connection.recv(1)
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def _allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))
