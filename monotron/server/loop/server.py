"""The event-loop server."""

import asyncio
import errno
import gc
import logging
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from typing import Any

from monotron import logs
from monotron.http import trace_context
from monotron.http.access_log import log_request
from monotron.http.labels import NO_ROUTE, method_label
from monotron.http.paths import raw_path
from monotron.http.request_id import chosen
from monotron.measures import HTTP_QUEUE, OPEN_CONNECTIONS, REQUESTS, WorkerSlot
from monotron.server.loop import answer
from monotron.server.loop.answer import Answer
from monotron.server.loop.aside import Aside
from monotron.server.loop.connection import Connection, Incoming
from monotron.server.loop.event_loop import new_event_loop
from monotron.server.loop.head import RequestLine
from monotron.server.loop.parking import Parking
from monotron.server.loop.refusal import Refusal
from monotron.server.open_files import connection_limit
from monotron.server.service import DRAIN_SECONDS, IDLE_SECONDS, Service
from monotron.settings import Settings
from monotron.waiting import Waiting

QUEUE = 1_024
"""Requests that may be in progress, most of them waiting for a commit. A client that finds so many
is told so at once, and may come back; a queue without an end would only make every client wait
longer. At several thousand a second the last one waits less than half a second, and 256 clients,
each with one request at a time, never fill it."""

BIG_BODIES = 32
"""How many requests may hold more than 64 KiB at a time; the largest have 5 MiB. Anybody who can
reach the port can send a body, before any credentials are checked."""

UNREAD_BYTES = 32 * 2**20
"""How many bytes of answers may wait for clients that do not read. Beyond that, those that have not
read for the longest time are cut off."""

GARBAGE = 50_000
"""How many new objects make Python look for cyclic garbage. Requests leave hardly any."""

SWITCH_SECONDS = 0.001
"""How long the writer's thread waits at most for the loop's, once the disk is done. With Python's
own 5 ms, a batch of 128 took 4.2 ms instead of 2.2. With 0.3 ms the threads switch so often
that 64 clients' numbers cost 6 % more."""

TURN_ACCEPTS = 64
"""How many connections are accepted in one turn of the loop. With one in each turn, 64 clients that
open one for each request got 10,000 answers to GET a second instead of 14,500."""

LEFT_SECONDS = 0.002
"""How long a worker leaves a new connection to another one that has fewer. If each accepted what it
could, the first to wake would get up to 62 of 64 connections that are made at once."""

SPARE_CONNECTIONS = 256
"""Places kept free for new connections, by closing those that have been idle the longest."""

SWEEP_SECONDS = 1.0
"""How often overdue connections are closed. A connection's times are no more exact than that."""

REQUEST_SECONDS = 60.0
"""How long a client may take to send a request. At 1 Mbit/s the largest body, 5 MiB, takes 42 s."""

LINGER_SECONDS = 5.0
"""How long a client whose request was refused may take to read that."""

log = logging.getLogger("monotron")


class LoopServer:
    """Answers requests on listening sockets until it is told to stop."""

    def __init__(
        self, listeners: Sequence[socket.socket], settings: Settings, slot: WorkerSlot
    ) -> None:
        """Set up the server; its measurements go to `slot`. Raises `CannotStartThread`.

        The thread that creates it must be the one that runs it.
        """
        self.loop = new_event_loop()
        self._parking = Parking(self.loop, self._flush)
        self.waiting: Waiting = self._parking
        self._outbox: list[tuple[Connection, list[bytes], bool]] = []
        """What is sent at the end of this turn of the loop; see `send_later`."""
        self.connections: set[Connection] = set()
        self.now = self.loop.time()
        self.date = _date()
        self._listeners = listeners
        self._slot = slot
        self._aside = Aside(settings.threads, self._parking.wake)
        self._limit = connection_limit()
        # If few files may be open, at most a quarter of the places are kept free.
        self._spare = min(SPARE_CONNECTIONS, self._limit // 4)
        self._opening: set[asyncio.Task[Any]] = set()
        slot.set(OPEN_CONNECTIONS, 0)
        self._shares = slot.all.shares(OPEN_CONNECTIONS)
        """How many connections each worker has."""
        self._is_accepting = False
        self._left_since = 0.0
        """Since when a connection is left to another worker; 0 if none is."""
        self._is_stopping = False
        self._is_draining = False
        self._lacked_files = False
        self._in_progress = 0
        self._big_bodies: set[Connection] = set()
        self._unread: dict[Connection, int] = {}
        """The bytes that wait for each client that does not read, the oldest first."""
        self.sent_in_turn = 0
        """How many bytes of answers were made since `_next_turn` last ran."""
        self._postponed: dict[Connection, None] = {}
        """The connections that go on in the next turn."""
        self._all_closed: asyncio.Event | None = None

    def run(self, service: Service) -> None:
        """Answer until `stop` is called or the service is no longer healthy; then drain."""
        self._app = service.app
        self._quick_paths = service.quick_paths
        self._is_long = service.is_long
        self._healthy = service.healthy
        for listener in self._listeners:
            listener.setblocking(False)
        self._sweep()
        # What exists by now stays. Looking through it again and again cost a tenth of the time.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GARBAGE)
        sys.setswitchinterval(SWITCH_SECONDS)
        # The lines of one turn are written together, just before its answers.
        logs.hold_access_lines()
        self.loop.run_forever()
        self.loop.run_until_complete(self._drain())
        self._aside.close()
        self._parking.close()
        self.loop.close()
        logs.write_held()

    def stop(self) -> None:
        """Make `run` end. It may be called by a signal handler and from any thread."""
        self._is_stopping = True
        self._parking.wake(self._end)

    # What a connection calls

    def answer(
        self, connection: Connection, incoming: Incoming, of_request: dict[str, Any]
    ) -> None:
        """Have a request answered, now or later."""
        self._in_progress += 1
        line = incoming.line
        if self._in_progress > QUEUE and not self._is_quick(line):
            refusal = Refusal(
                503, "too many requests are already waiting; nothing was taken", retry=True
            )
            headers = incoming.headers.environ
            connection.send(incoming, self.refused(refusal, connection.client, line, headers))
        elif line.method in _READS and self._goes_aside(line):
            self._aside.run(
                lambda: self._of_app(of_request), lambda found: connection.send(incoming, found)
            )
        else:
            self._parking.run(self._answer, connection, incoming, of_request)

    def refused(
        self, refusal: Refusal, client: str, line: RequestLine, headers: Mapping[str, str]
    ) -> Answer:
        """Return the answer to a request that is not passed on, after counting and logging it."""
        request_id = chosen(headers.get("HTTP_X_REQUEST_ID"))
        self._slot.add(REQUESTS, 1, NO_ROUTE, method_label(line.method), str(refusal.status))
        logs.request_id.set(request_id)
        logs.trace.set(trace_context.read(headers.get(trace_context.ENVIRON, "")))
        log_request(
            client=client,
            method=line.method or "-",
            path=raw_path(line.target) if line.target else "-",
            route=NO_ROUTE,
            status=refusal.status,
            seconds=0.0,
        )
        logs.request_id.set(None)
        logs.trace.set(None)
        return answer.of_refusal(refusal, request_id)

    def answered(self, connection: Connection) -> None:
        """Note that a request is no longer in progress."""
        self._in_progress -= 1
        if self._big_bodies:
            self._big_bodies.discard(connection)

    def take_big_body(self, connection: Connection) -> None:
        """Let a connection receive a large body; raises `Refusal` if too many already do."""
        if connection not in self._big_bodies and len(self._big_bodies) >= BIG_BODIES:
            raise Refusal(
                503, "too many large requests at the moment; nothing was taken", retry=True
            )
        self._big_bodies.add(connection)

    def send_later(self, connection: Connection, pieces: list[bytes], *, closes: bool) -> None:
        """Send bytes on a connection at the end of this turn of the loop, and perhaps close it.

        Each write wakes a client that sleeps, which costs up to 20 µs. If the answers of a turn
        leave together, a client with many connections is awake after the first: 64 of wrk's got
        27,000 answers to GET a second instead of 17,000, and a single one gets as many as before.
        """
        if not self._outbox:
            self.loop.call_soon(self._flush)
        self._outbox.append((connection, pieces, closes))

    def postpone(self, connection: Connection) -> None:
        """Let a connection go on in the next turn of the loop."""
        if not self._postponed:
            self.loop.call_soon(self._next_turn)
        self._postponed[connection] = None

    def note_unread(self, connection: Connection, size: int) -> None:
        """Note how many bytes wait for a client that does not read, or 0 if it does."""
        if not size:
            self._unread.pop(connection, None)
            return
        self._unread[connection] = size
        while sum(self._unread.values()) > UNREAD_BYTES and len(self._unread) > 1:
            oldest = next(iter(self._unread))
            del self._unread[oldest]
            oldest.abort()

    def remember(self, connection: Connection) -> None:
        """Note a connection that is open."""
        self.connections.add(connection)
        self._note_connections()

    def forget(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        self.connections.discard(connection)
        self._note_connections()
        self._unread.pop(connection, None)
        if not connection.is_answering:
            self._big_bodies.discard(connection)
        if self._all_closed is not None and not self.connections:
            self._all_closed.set()

    # Requests

    def _end(self) -> None:
        if not self._is_draining:
            self._is_draining = True
            self.loop.stop()

    def _is_quick(self, line: RequestLine) -> bool:
        return raw_path(line.target) in self._quick_paths

    def _goes_aside(self, line: RequestLine) -> bool:
        """Return whether the loop must not read this itself: it would take long, or might hang.

        A reader notes in the store's lock file which snapshot it reads, which may have to wait
        while the disk hangs. Requests that write stay on the loop: on these threads they would only
        wait, and reads behind them.
        """
        if self._is_long(raw_path(line.target)):
            return True
        return self._parking.is_stuck and not self._is_quick(line)

    def _answer(
        self, connection: Connection, incoming: Incoming, of_request: dict[str, Any]
    ) -> None:
        found = self._of_app(of_request)
        if found.status.startswith("5"):
            self._check_health()
        connection.send(incoming, found)

    def _of_app(self, of_request: dict[str, Any]) -> Answer:
        try:
            return answer.of_app(self._app, of_request)
        # Whatever the application raises, the others go on, and this client hears of it.
        except Exception:
            log.exception("%s failed", of_request["REQUEST_METHOD"])
            return answer.of_failure(chosen(of_request.get("HTTP_X_REQUEST_ID")))

    def _check_health(self) -> None:
        if not self._healthy():
            self.stop()

    # Connections

    def _flush(self) -> None:
        logs.write_held()
        outbox, self._outbox = self._outbox, []
        for connection, pieces, closes in outbox:
            connection.transmit(pieces, closes=closes)

    def _next_turn(self) -> None:
        self.sent_in_turn = 0
        postponed, self._postponed = self._postponed, {}
        for connection in postponed:
            connection.advance()

    def _accept_from(self, listener: socket.socket) -> None:
        """Accept the connections that wait, but leave them to another worker that has fewer.

        It is called again in the next turn of the loop. The other one may be busy, or stopped, so
        after a moment one is accepted nevertheless.
        """
        for _ in range(TURN_ACCEPTS):
            own = len(self.connections) + len(self._opening)
            if own >= self._limit:
                # Until the next sweep.
                self._pause_accepting()
                return
            if any(own > share[0] for share in self._shares):
                self._left_since = self._left_since or time.monotonic()
                if time.monotonic() - self._left_since < LEFT_SECONDS:
                    return
            self._left_since = 0.0
            if not self._accept(listener):
                return

    def _note_connections(self) -> None:
        self._slot.set(OPEN_CONNECTIONS, len(self.connections) + len(self._opening))

    def _accept(self, listener: socket.socket) -> bool:
        """Accept a connection; return whether there was one."""
        try:
            client, _ = listener.accept()
        except BlockingIOError:
            # Another worker was quicker.
            return False
        except OSError as error:
            # Other errors are those of one client, which is gone already (accept(2)).
            if error.errno in _NO_FILES:
                log.warning("cannot accept connections: %s", error.strerror)
                self._lacked_files = True
                self._pause_accepting()
            return False
        opening = self.loop.create_task(
            self.loop.connect_accepted_socket(lambda: Connection(self), client)
        )
        self._opening.add(opening)
        self._note_connections()
        opening.add_done_callback(self._has_opened)
        return True

    def _has_opened(self, opening: asyncio.Task[Any]) -> None:
        self._opening.discard(opening)
        self._note_connections()

    def _resume_accepting(self) -> None:
        if not self._is_accepting:
            self._is_accepting = True
            for listener in self._listeners:
                self.loop.add_reader(listener, self._accept_from, listener)

    def _pause_accepting(self) -> None:
        if self._is_accepting:
            self._is_accepting = False
            for listener in self._listeners:
                self.loop.remove_reader(listener)

    def _sweep(self) -> None:
        """Close overdue connections, and idle ones if others need their places."""
        self.loop.call_later(SWEEP_SECONDS, self._sweep)
        self._check_health()
        self._flush()
        self.now = self.loop.time()
        self.date = _date()
        # Nothing shows whether the other worker has accepted what was left to it.
        self._left_since = 0.0
        self._slot.set(HTTP_QUEUE, self._in_progress)
        self._note_connections()
        for connection in [each for each in self.connections if self._is_overdue(each)]:
            connection.abort()
        if not self._is_stopping:
            self._make_room()
            if len(self.connections) < self._limit:
                self._resume_accepting()
            else:
                self._pause_accepting()

    def _is_overdue(self, connection: Connection) -> bool:
        """Return whether a client takes too long to send, to read, or to come back."""
        if connection.closing_since and not connection.has_unsent:
            return self.now - connection.closing_since > LINGER_SECONDS
        if connection.is_answering:
            return False
        if self.now - connection.active_at > IDLE_SECONDS:
            return True
        return bool(connection.began_at) and self.now - connection.began_at > REQUEST_SECONDS

    def _make_room(self) -> None:
        too_many = len(self.connections) - (self._limit - self._spare)
        if self._lacked_files:
            self._lacked_files = False
            too_many = self._spare
        if too_many > 0:
            idle = sorted(
                (each for each in self.connections if each.is_idle), key=lambda one: one.active_at
            )
            for connection in idle[:too_many]:
                # Not at once: its last answer may be on its way.
                connection.finish()

    # The end

    async def _drain(self) -> None:
        """Refuse new connections, answer what has been received, and close idle connections."""
        self._pause_accepting()
        for listener in self._listeners:
            # Clients that have already connected: the kernel would reset them.
            while self._accept(listener):
                pass
            listener.close()
        if self._opening:
            await asyncio.wait(self._opening)
        # Everything that clients have sent by now is read and begun in these turns of the loop.
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        self._flush()
        self._all_closed = asyncio.Event()
        for connection in tuple(self.connections):
            connection.finish()
        if self.connections:
            try:
                await asyncio.wait_for(self._all_closed.wait(), DRAIN_SECONDS)
            except asyncio.TimeoutError:
                log.warning(
                    "%d connections were cut off in the middle of a request", len(self.connections)
                )


def _date() -> str:
    return f"Date: {formatdate(usegmt=True)}"


_READS = frozenset({"GET", "HEAD"})
_NO_FILES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_TURNS = 4
"""One to read and one to begin, with some to spare: the current one may be half over."""
