"""The plain server: waitress, a thread for each request, set up through its public settings alone.

`docs/server.md` says what it does differently from the server that is the default.
"""

import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Any

from waitress.server import create_server

from monotron import threads
from monotron.limits import BODY_BYTES, HEADER_BYTES
from monotron.measures import OPEN_CONNECTIONS, WorkerSlot
from monotron.server.open_files import connection_limit
from monotron.server.service import DRAIN_SECONDS, IDLE_SECONDS, Service
from monotron.settings import Settings
from monotron.waiting import BlockedThreads, Waiting

IN_MEMORY_BYTES = 64 * 2**20
"""More than any request or answer has."""

ACCEPT_SECONDS = 1.0
"""How long a server that stops accepts clients that have already connected."""

LOOK_SECONDS = 0.01
"""How often a server that stops looks whether a request is in flight."""

QUIET_LOOKS = 20
"""After so many looks in a row that find none, no request is waiting for a thread: one that waits
is begun as soon as a thread is free. Looks are counted, not time, because a look may be late."""

log = logging.getLogger("monotron")


class WaitressServer:
    """Answers requests on listening sockets until it is told to stop."""

    def __init__(
        self, listeners: Sequence[socket.socket], settings: Settings, slot: WorkerSlot
    ) -> None:
        """Set up the server; its measurements go to `slot`. Raises `CannotStartThread`."""
        # It warns about each request that finds no free thread, which says nothing of use.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self.waiting: Waiting = BlockedThreads()
        self._listeners = listeners
        self._slot = slot
        self._stopping = False
        # A signal handler may put into such a queue at any moment; it may not set an Event.
        self._stops: SimpleQueue[None] = SimpleQueue()
        self._in_flight: set[object] = set()
        self._connections: dict[int, Any] = {}
        with threads.refusals_named():
            server = create_server(
                self._answer,
                map=self._connections,
                sockets=list(listeners),
                threads=settings.threads,
                connection_limit=connection_limit(),
                channel_timeout=IDLE_SECONDS,
                # waitress refuses a size equal to its limit.
                max_request_body_size=BODY_BYTES + 1,
                max_request_header_size=HEADER_BYTES + 1,
                # No temporary files: there may be no writable folder.
                inbuf_overflow=IN_MEMORY_BYTES,
                outbuf_overflow=IN_MEMORY_BYTES,
                # A thread never waits for a client that does not read.
                outbuf_high_watermark=IN_MEMORY_BYTES,
                # select(2) fails from the 1,024th connection on.
                asyncore_use_poll=True,
                # No Server header.
                ident="",
                # A client that goes away is not worth a log line.
                log_socket_errors=False,
            )
        self._own_places = len(self._connections)
        self._opened = threading.Event()

        def loop() -> None:
            self._opened.wait()
            server.run()

        # Nothing public ends that loop from outside, so the main thread stays out of it.
        self._loop = threads.start(loop, "monotron-waitress")

    def run(self, service: Service) -> None:
        """Answer until `stop` is called or the service, checked each second, is not healthy."""
        self._service = service
        self._opened.set()
        while service.healthy() and self._loop.is_alive() and not self._stopped_within(1.0):
            self._slot.set(OPEN_CONNECTIONS, len(self._connections) - self._own_places)
        self._drain()

    def stop(self) -> None:
        """Make `run` end. It may be called by a signal handler and from any thread."""
        self._stops.put(None)

    def _stopped_within(self, seconds: float) -> bool:
        try:
            self._stops.get(timeout=seconds)
        except Empty:
            return False
        return True

    def _answer(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Call the app, as WSGI does, and note that a request is in flight."""

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            if self._stopping:
                # waitress closes the connection after an answer whose length it is not told. An app
                # may not ask for that with `Connection: close` (PEP 3333).
                headers = [header for header in headers if header[0].lower() != "content-length"]
            return start_response(status, headers, *error)

        request = object()
        self._in_flight.add(request)
        try:
            answer = self._service.app(environ, start)
        except BaseException:
            self._in_flight.discard(request)
            raise
        return _Answer(answer, lambda: self._in_flight.discard(request))

    def _drain(self) -> None:
        """Accept nobody any more, and wait until all requests in flight are answered.

        A request that is still coming in may be cut off, because waitress does not tell of it.
        """
        self._stopping = True
        now = time.monotonic()
        end, accept_end = now + DRAIN_SECONDS, now + ACCEPT_SECONDS
        # The kernel would reset clients that have already connected.
        while select.select(self._listeners, [], [], 0)[0] and time.monotonic() < accept_end:
            time.sleep(LOOK_SECONDS)
        for listener in self._listeners:
            self._connections.pop(listener.fileno(), None)
            listener.close()
        quiet_looks = 0
        while quiet_looks < QUIET_LOOKS:
            in_flight = len(self._in_flight)
            quiet_looks = 0 if in_flight else quiet_looks + 1
            if in_flight and time.monotonic() > end:
                log.warning("%d requests were cut off", in_flight)
                break
            time.sleep(LOOK_SECONDS)


class _Answer:
    """The app's answer, which tells when it has been handed over to the connection."""

    def __init__(self, answer: Iterable[bytes], done: Callable[[], None]) -> None:
        self._answer = answer
        self._done = done

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._answer)

    def close(self) -> None:
        """Close the answer, as WSGI does after its last byte."""
        try:
            if hasattr(self._answer, "close"):
                self._answer.close()
        finally:
            self._done()
