"""waitress's connection, with what it lacks for a service that runs unattended."""

import time
from functools import partial
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask, WSGITask

from monotron import logs
from monotron.http.access_log import log_request
from monotron.http.environ import COMPLETE_AT
from monotron.http.labels import NO_ROUTE, method_label
from monotron.http.paths import raw_path
from monotron.http.problems import PROBLEM_JSON, RETRY_SECONDS, problem
from monotron.http.request_id import HEADER, chosen
from monotron.limits import BODY_BYTES, HEADER_BYTES, JSON_BYTES
from monotron.measures import REQUESTS
from monotron.server.dispatcher import Overloaded

BIG_BODIES = 32
"""How many requests may hold more than 64 KiB at a time; the largest have 5 MiB. Anybody who can
reach the port can send a body, before any credentials are checked."""

IDLE_SECONDS = 120.0
"""How long an idle connection is kept."""

REQUEST_SECONDS = 60.0
"""How long a client may take to send a request. On a slow line 5 MiB take that long at 1 Mbit/s."""


class BigBodies:
    """Counts the requests with large bodies; used by the main loop's thread and others."""

    def __init__(self) -> None:
        self._held: set[int] = set()

    def take(self, request: object) -> bool:
        """Let a request have a large body; return False if too many already have one."""
        if id(request) in self._held:
            return True
        if len(self._held) >= BIG_BODIES:
            return False
        self._held.add(id(request))
        return True

    def give_back(self, request: object) -> None:
        """Stop counting the request."""
        self._held.discard(id(request))


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection that leaves sending to the thread with the answer, and closes when it should."""

    def __init__(self, server: Any, sock: Any, addr: Any, adj: Any, map: Any = None) -> None:
        self._request_began = 0.0
        self.task_class = _Task
        self.error_task_class = _ProblemTask
        self.parser_class = partial(_Parser, server.big_bodies)
        super().__init__(server, sock, addr, adj, map=map)

    def received(self, data: bytes) -> bool:
        """Accept data from the client."""
        before = self.request
        more = bool(super().received(data))
        if self.request is not None and self.request is not before:
            self._request_began = time.time()
        return more

    def writable(self) -> bool:
        """Return whether the main loop has something to send or to close.

        While a request is being handled, its thread sends the answer. The thread waits for the main
        loop only if the answer has grown past waitress's buffers.
        """
        if self.requests and not self.will_close:
            return bool(self.total_outbufs_len > self.adj.outbuf_high_watermark)
        return bool(super().writable())

    def handle_close(self) -> None:
        """Close, and forget an incomplete request."""
        super().handle_close()
        if self.request is not None:
            self.request.close()

    def is_overdue(self, now: float) -> bool:
        """Return whether the client takes too long to send, to read, or to come back."""
        if self.requests:
            return False
        if now - self.last_activity > IDLE_SECONDS:
            return True
        return self.request is not None and now - self._request_began > REQUEST_SECONDS

    @property
    def is_idle(self) -> bool:
        """Whether nothing would be lost by closing it."""
        return not self.requests and self.request is None and not self.total_outbufs_len

    def finish(self) -> None:
        """Close as soon as the requests in flight are answered."""
        if self.requests:
            for request in self.requests:
                # This makes the answer say `Connection: close`.
                request.headers["CONNECTION"] = "close"
        elif self.is_idle:
            self.handle_close()


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    """A parser that refuses what makes waitress's own fail, such as a length of 5,000 digits."""

    command = request_uri = ""
    """The defaults for a request whose first line cannot be parsed."""
    complete_at = 0.0
    """When the request was complete, by `time.perf_counter`."""

    def __init__(self, big_bodies: BigBodies, adj: Any) -> None:
        super().__init__(adj)
        self._big_bodies = big_bodies

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError as error:
            raise ParsingError("the request line or a header is not valid HTTP") from error
        if self.command == "WEBSOCKET":
            # Falcon gives it another meaning, and would fail before any middleware runs.
            raise ParsingError("WEBSOCKET is not an HTTP method")
        if JSON_BYTES < self.content_length <= BODY_BYTES:
            self._take_more()

    def received(self, data: bytes) -> int:
        taken = int(super().received(data))
        if self.body_bytes_received > JSON_BYTES and not self.completed:
            self._take_more()
        return taken

    def close(self) -> None:
        self._big_bodies.give_back(self)
        super().close()

    def _take_more(self) -> None:
        if not self._big_bodies.take(self):
            self.error = Overloaded("too many large requests at the moment; nothing was taken")
            self.completed = True


class _Task(WSGITask):  # type: ignore[misc]
    """An answer of the application."""

    def get_environment(self) -> dict[str, Any]:
        """Return WSGI's environ, including when the request was complete."""
        environ: dict[str, Any] = super().get_environment()
        environ[COMPLETE_AT] = self.request.complete_at
        return environ

    def set_close_on_finish(self) -> None:
        """Close the connection after the answer, which an answer of unknown length needs.

        waitress counts a 304 among those, so a polling client would reconnect each time.
        """
        asked_to = self.request.headers.get("CONNECTION", "").lower() == "close"
        if self.has_body or asked_to or self.version != "1.1":
            super().set_close_on_finish()


class _ProblemTask(ErrorTask):  # type: ignore[misc]
    """Answers requests that never reach the application with a problem, like all other errors."""

    def execute(self) -> None:
        error = self.request.error
        body = problem(error.code, "", _DETAILS.get(error.code, error.body))
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", PROBLEM_JSON))
        request_id = chosen(self.request.headers.get("X_REQUEST_ID"))
        self.response_headers.append((HEADER, request_id))
        if isinstance(error, Overloaded):
            self.response_headers.append(("Retry-After", str(RETRY_SECONDS)))
        if not isinstance(error, Overloaded) or self.request.body_rcv is not None:
            # The rest of what the client sends cannot be told from a new request.
            self.set_close_on_finish()
        self.content_length = len(body)
        self._note(error.code, request_id)
        # An answer to HEAD has no body (RFC 9110, section 9.3.2): a client would take it for the
        # next answer.
        self.write(b"" if self.request.command == "HEAD" else body)

    def _note(self, status: int, request_id: str) -> None:
        """Count and log the request, as the application does with those that reach it."""
        request = self.request
        method = method_label(request.command)
        self.channel.server.slot.add(REQUESTS, 1, NO_ROUTE, method, str(status))
        logs.request_id.set(request_id)
        log_request(
            client=self.channel.addr[0],
            method=request.command or "-",
            path=raw_path(request.request_uri) if request.request_uri else "-",
            route=NO_ROUTE,
            status=status,
            seconds=time.perf_counter() - request.complete_at,
        )
        logs.request_id.set(None)


_DETAILS = {
    413: f"a body can have at most {BODY_BYTES} bytes",
    431: f"the headers can have at most {HEADER_BYTES} bytes in total",
}
