"""Bytes on a connection, sent in the pieces that a test asks for, and the answers to them."""

import http.client
import io
import itertools
import os
import socket
import struct
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

import pytest

from tests.support.service import PATIENCE, Answer, Service

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
"""The only interim answer that a server of ours sends, whole."""

_numbers = itertools.count()


def fresh_names(data: bytes) -> tuple[bytes, tuple[str, str]]:
    """Return the data with series of its own for `ONE` and `TWO`, and their keys.

    The keys are as long as the words, so that no length in the data changes.
    """
    one, two = (_key(next(_numbers)) for _ in range(2))
    named = data.replace(b"/ONE", b"/" + one.encode()).replace(b"/TWO", b"/" + two.encode())
    return named, (one, two)


def _key(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    base = len(digits)
    return digits[number // base**2] + digits[number // base % base] + digits[number % base]


def exchange(service: Service, pieces: Iterable[bytes], *, half_close: bool = False) -> bytes:
    """Send the pieces one after another; return everything that comes back until the end.

    A piece is sent once the server has read the one before it. With `half_close`, the client says
    after the last one that no more will come.
    """
    with service.socket() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A server that refuses what it has read so far may close before the rest is sent.
        with suppress(BrokenPipeError, ConnectionResetError):
            for number, piece in enumerate(pieces):
                if number:
                    wait_until_read(connection, service.port)
                connection.sendall(piece)
            if half_close:
                wait_until_read(connection, service.port)
                connection.shutdown(socket.SHUT_WR)
        return received(connection)


def received(connection: socket.socket) -> bytes:
    """Return what comes back until the server ends the connection."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        # Bytes that the server has not read make the end a reset.
        pass
    except TimeoutError:
        pytest.fail(f"the connection does not end; until now came {b''.join(parts)!r}")
    return b"".join(parts)


def split_answers(raw: bytes, methods: Sequence[str] = ()) -> list[Answer]:
    """Return the answers in these bytes, to requests with these methods; beyond them, to POST.

    An interim answer counts as one. Raises what `http.client` raises for anything else.
    """
    stream = _Stream(raw)
    answers: list[Answer] = []
    finals = 0
    while stream.tell() < len(raw):
        if raw.startswith(CONTINUE, stream.tell()):
            stream.seek(len(CONTINUE), io.SEEK_CUR)
            answers.append(Answer(100, 11, http.client.HTTPMessage(), b""))
            continue
        method = methods[finals] if finals < len(methods) else "POST"
        finals += 1
        with http.client.HTTPResponse(stream, method=method) as response:  # type: ignore[arg-type]
            response.begin()
            body = response.read()
            answers.append(Answer(response.status, response.version, response.headers, body))
    return answers


class _Stream(io.BytesIO):
    """Bytes that `http.client` takes for a socket, and that stay open from answer to answer."""

    def makefile(self, mode: str) -> "_Stream":
        return self

    def close(self) -> None:
        pass


def wait_until_read(connection: socket.socket, port: int) -> None:
    """Wait until the server on this port has read everything, or has ended the connection."""
    end = time.monotonic() + PATIENCE
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
        while _unread(kernel, port, connection.getsockname()[1]):
            if time.monotonic() > end:
                pytest.fail("the server reads no more, and does not end the connection")
            os.sched_yield()


# sock_diag(7)
_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, _NLMSG_ERROR = 4, 20, 1, 2
_ESTABLISHED = 1


def _unread(kernel: socket.socket, port: int, client_port: int) -> int:
    """Return how many bytes wait in the kernel for the server to read them."""
    request = struct.pack("=BBBxI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0xFFFFFFFF)
    request += struct.pack("!HH", port, client_port)
    request += 2 * socket.inet_aton("127.0.0.1").ljust(16, b"\0")
    request += struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
    header = struct.pack("=IHHII", 16 + len(request), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 0, 0)
    kernel.send(header + request)
    answer = kernel.recv(4096)
    (kind,) = struct.unpack_from("=H", answer, 4)
    if kind == _NLMSG_ERROR:
        return 0
    state, unread = answer[17], struct.unpack_from("=I", answer, 72)[0]
    return int(unread) if state == _ESTABLISHED else 0
