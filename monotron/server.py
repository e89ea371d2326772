"""waitress, set up for many small requests. No other module knows which WSGI server this is.

Its main loop does all reading, and looks at every open connection each time it wakes. Left alone
it collapses under load: while a thread sends an answer, the loop finds the connection writable,
cannot help because the thread holds its lock, and asks again at once, at 100 % of a core and mostly
with the GIL in hand. 256 clients got 60 to 100 answers a second from 16 or 32 threads; with
`_Channel` below they get 3,300 (two cores, CPython 3.11, waitress 3.0.2). `bench/README.md` has the
figures behind the numbers here.
"""

import logging
import resource
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import create_server
from waitress.task import ErrorTask

from monotron.api.errors import PROBLEM_JSON, problem
from monotron.limits import BODY_BYTES, HEADER_BYTES

CONNECTIONS = 4096
"""Connections that one worker keeps open. Idle ones count: at waitress's own limit of 100 a farm's
keep-alive connections would lock everyone else out."""

SPARE_FILES = 64
"""File descriptors that are left for everything else."""

IN_MEMORY_BYTES = 64 * 2**20
"""More than any request or answer has."""

DRAIN_SECONDS = 8.0
"""How long what is in flight may take once the server stops."""

log = logging.getLogger("monotron")


class Server:
    """Answers requests on a listening socket until it is told to stop."""

    def __init__(self, app: Callable[..., Any], listener: socket.socket, threads: int) -> None:
        # It warns at each request that finds no free thread: that is what the queue is for.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._stopping = False
        self._connections: dict[int, Any] = {}
        self._server: Any = create_server(
            app,
            map=self._connections,
            sockets=[listener],
            threads=threads,
            connection_limit=_connection_limit(),
            # select() cannot look at more than 1,024 descriptors.
            asyncore_use_poll=True,
            # A limit is reached at the size itself.
            max_request_body_size=BODY_BYTES + 1,
            # Nothing is put aside in temporary files: there may be no folder to write to.
            inbuf_overflow=IN_MEMORY_BYTES,
            outbuf_overflow=IN_MEMORY_BYTES,
            max_request_header_size=HEADER_BYTES + 1,
            # No name goes out as a header.
            ident="",
            # A client that goes away is no news.
            log_socket_errors=False,
        )
        self._server.channel_class = _Channel

    def run(self, healthy: Callable[[], bool]) -> None:
        """Answer until `stop` is called or `healthy`, asked each second, says no; then drain."""
        while not self._stopping and healthy():
            self._poll(1.0)
        self._drain()

    def stop(self) -> None:
        """Make `run` come to its end. May be called by a signal handler and by any thread."""
        self._stopping = True
        self._server.pull_trigger()

    def _poll(self, seconds: float) -> None:
        wasyncore.loop(timeout=seconds, use_poll=True, map=self._connections, count=1)

    def _drain(self) -> None:
        """Take no new connection, answer what has come in, close what is idle."""
        end = time.monotonic() + DRAIN_SECONDS
        self._accept_waiting()
        wasyncore.dispatcher.close(self._server)
        # Whatever the clients have sent by now is in flight.
        self._poll(0.0)
        while channels := list(self._server.active_channels.values()):
            if time.monotonic() > end:
                log.warning("%d connections were cut off in the middle of a request", len(channels))
                break
            for channel in channels:
                channel.finish()
            self._poll(0.05)
        self._server.task_dispatcher.shutdown(timeout=1)

    def _accept_waiting(self) -> None:
        """Accept who has connected already: the kernel would reset them."""
        before = -1
        while before != len(self._connections) < CONNECTIONS:
            before = len(self._connections)
            self._server.handle_accept()


class _ProblemTask(ErrorTask):  # type: ignore[misc]
    """Answers what waitress itself refuses as a problem, like all other errors."""

    def execute(self) -> None:
        error = self.request.error
        body = problem(error.code, "", _DETAILS.get(error.code, error.body))
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", PROBLEM_JSON))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    """Refuses what waitress's own parser stumbles over, such as a length of 5,000 digits."""

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError as error:
            raise ParsingError("the request line or a header is not valid HTTP") from error


class _Channel(HTTPChannel):  # type: ignore[misc]
    """A connection that leaves an answer to the thread that sends it, and can be told to finish."""

    error_task_class = _ProblemTask
    parser_class = _Parser

    def writable(self) -> bool:
        """Tell whether the main loop has something to send or to close.

        While a request is worked on, its thread sends what it has. Only where that has grown past
        what waitress buffers does the thread wait for the main loop.
        """
        if self.requests and not self.will_close:
            return bool(self.total_outbufs_len > self.adj.outbuf_high_watermark)
        return bool(super().writable())

    def finish(self) -> None:
        """Close as soon as what is in flight is answered."""
        if self.requests:
            for request in self.requests:
                # So the answer says `Connection: close`.
                request.headers["CONNECTION"] = "close"
        elif self.request is None and not self.total_outbufs_len:
            self.handle_close()


_DETAILS = {
    413: f"a body has at most {BODY_BYTES} bytes",
    431: f"the headers have at most {HEADER_BYTES} bytes together",
}


def _connection_limit() -> int:
    """Give how many connections fit, after asking the system for as many as it grants."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        goal = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (goal, hard))
            soft = goal
    if soft == resource.RLIM_INFINITY:
        return CONNECTIONS
    return max(SPARE_FILES, min(CONNECTIONS, soft - SPARE_FILES))
