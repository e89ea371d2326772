"""WSGI's environ of a request (PEP 3333)."""

import sys
import time
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from monotron.http.environ import COMPLETE_AT, REQUEST_TARGET
from monotron.http.paths import raw_path
from monotron.server.loop.head import Headers, RequestLine


def of_connection(server: tuple[Any, ...], client: tuple[Any, ...]) -> dict[str, Any]:
    """Return what the environ of every request on a connection has, from both ends' addresses."""
    return {
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SCRIPT_NAME": "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        # A greenlet gives way only when it waits, but other requests run on threads.
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }


def of_request(
    connection: dict[str, Any], line: RequestLine, headers: Headers, body: bytes
) -> dict[str, Any]:
    """Return the environ of one request."""
    environ = {**connection, **headers.environ}
    path, _, query = line.target.partition("?")
    if not path.startswith("/"):
        path = raw_path(line.target)
    environ["REQUEST_METHOD"] = line.method
    environ["SERVER_PROTOCOL"] = "HTTP/1.1" if line.is_1_1 else "HTTP/1.0"
    environ[REQUEST_TARGET] = line.target
    environ["PATH_INFO"] = _decoded(path) if "%" in path else path
    environ["QUERY_STRING"] = query
    environ["wsgi.input"] = BytesIO(body)
    if headers.chunked:
        # The chunks are put together, so the app sees a body with a length.
        environ["CONTENT_LENGTH"] = str(len(body))
    environ[COMPLETE_AT] = time.perf_counter()
    return environ


def _decoded(path: str) -> str:
    return unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
