"""waitress, set up for many small requests. Only this package knows which WSGI server it is.

Its main loop does all reading. Unchanged, it collapses under load: while a thread sends an answer,
the loop finds the connection writable, cannot help because the thread holds its lock, and asks
again at once, using 100 % of a core and mostly holding the GIL. 256 clients got 60 to 100 answers a
second from 16 or 32 threads; with `Channel.writable` they get 3,300 (two cores, CPython 3.11,
waitress 3.0.2). `bench/README.md` has the figures behind the numbers here.
"""

import errno
import logging
import socket
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer

from monotron.limits import BODY_BYTES, HEADER_BYTES
from monotron.measures import HTTP_QUEUE, OPEN_CONNECTIONS, WorkerSlot
from monotron.server.channel import BigBodies, Channel
from monotron.server.connections import Connections
from monotron.server.dispatcher import Dispatcher
from monotron.server.open_files import CONNECTIONS, connection_limit

IN_MEMORY_BYTES = 64 * 2**20
"""More than any request or answer has."""

SPARE_CONNECTIONS = 256
"""Places kept free for new connections, by closing those that have been idle the longest."""

SWEEP_SECONDS = 1.0
"""How often overdue connections are closed."""

DRAIN_SECONDS = 8.0
"""How long requests in flight may take once the server stops."""

log = logging.getLogger("monotron")


class Server:
    """Answers requests on listening sockets until it is told to stop."""

    def __init__(
        self,
        app: Callable[..., Any],
        listeners: Sequence[socket.socket],
        threads: int,
        slot: WorkerSlot,
        *,
        quick_paths: Collection[str],
    ) -> None:
        """Set up the server; its measurements go to `slot`.

        The app answers `quick_paths` at once, so they get a thread of their own.
        """
        # It warns about each request that finds no free thread, but that is what the queue is for.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._stopping = False
        self._next_sweep = 0.0
        self._connections = Connections()
        self._limit = connection_limit()
        # If few files may be open, at most a quarter of the places are kept free.
        self._spare = min(SPARE_CONNECTIONS, self._limit // 4)
        self._slot = slot
        self._dispatcher = Dispatcher(threads, quick_paths)
        big_bodies = BigBodies()
        settings: dict[str, Any] = {
            "connection_limit": self._limit,
            # `_sweep` does this instead.
            "cleanup_interval": 2**31,
            # waitress refuses a size equal to its limit.
            "max_request_body_size": BODY_BYTES + 1,
            # No temporary files: there may be no writable folder.
            "inbuf_overflow": IN_MEMORY_BYTES,
            "outbuf_overflow": IN_MEMORY_BYTES,
            # A thread never waits for a client that does not read.
            "outbuf_high_watermark": IN_MEMORY_BYTES,
            "max_request_header_size": HEADER_BYTES + 1,
            # No Server header.
            "ident": "",
            # A client that goes away is not worth a log line.
            "log_socket_errors": False,
        }
        self._listeners: list[Any] = [
            _Listener(app, self._connections, each, self._dispatcher, slot, big_bodies, settings)
            for each in listeners
        ]

    def run(self, healthy: Callable[[], bool]) -> None:
        """Answer until `stop` is called or `healthy`, checked each second, is false; then drain."""
        while not self._stopping and healthy():
            self._poll(1.0)
        self._drain()

    def stop(self) -> None:
        """Make `run` end. It may be called by a signal handler and from any thread."""
        if not self._stopping:
            self._stopping = True
            self._listeners[0].pull_trigger()

    def _channels(self) -> list[Any]:
        return [each for one in self._listeners for each in one.active_channels.values()]

    def _poll(self, seconds: float) -> None:
        self._connections.wait(seconds)
        now = time.monotonic()
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP_SECONDS
            self._sweep()

    def _sweep(self) -> None:
        """Close overdue connections, and idle ones if others need their places.

        It also samples the gauges.
        """
        self._slot.set(HTTP_QUEUE, self._dispatcher.waiting)
        channels = self._channels()
        self._slot.set(OPEN_CONNECTIONS, len(channels))
        # waitress records activity by this clock. If it jumps, some are closed early or late.
        now = time.time()
        for channel in channels:
            if channel.is_overdue(now):
                channel.handle_close()
        too_many = len(self._connections) - (self._limit - self._spare)
        for listener in self._listeners:
            if listener.lacked_files:
                listener.lacked_files = False
                too_many = self._spare
        if too_many > 0:
            idle = [channel for channel in channels if channel.connected and channel.is_idle]
            idle.sort(key=lambda channel: channel.last_activity)
            for channel in idle[:too_many]:
                channel.handle_close()

    def _drain(self) -> None:
        """Refuse new connections, answer received requests, and close idle connections."""
        end = time.monotonic() + DRAIN_SECONDS
        self._stopping = True
        for listener in self._listeners:
            self._accept_waiting(listener)
            wasyncore.dispatcher.close(listener)
        # Everything that clients have sent by now is in flight.
        self._poll(0.0)
        while channels := self._channels():
            if time.monotonic() > end:
                log.warning("%d connections were cut off in the middle of a request", len(channels))
                break
            for channel in channels:
                channel.finish()
            self._poll(0.05)
        if self._dispatcher.shutdown(timeout=1):
            # A thread that still runs would write to whatever has reused the trigger's number.
            for listener in self._listeners:
                listener.trigger.close()
            self._connections.close()

    def _accept_waiting(self, listener: Any) -> None:
        """Accept clients that have already connected: the kernel would reset them."""
        before = -1
        while before != len(self._connections) < CONNECTIONS:
            before = len(self._connections)
            listener.handle_accept()


class _Listener(TcpWSGIServer):  # type: ignore[misc]
    """The listening socket. If no file descriptor is left, it waits until the next sweep."""

    channel_class = Channel

    def __init__(
        self,
        app: Callable[..., Any],
        connections: Connections,
        listener: socket.socket,
        dispatcher: Dispatcher,
        slot: WorkerSlot,
        big_bodies: BigBodies,
        adjustments: Mapping[str, Any],
    ) -> None:
        self.big_bodies = big_bodies
        self.slot = slot
        self._no_files_until = 0.0
        self.lacked_files = False
        """Whether a connection could not be accepted because no file descriptor was left."""
        super().__init__(
            app,
            connections,
            _sock=listener,
            dispatcher=dispatcher,
            adj=Adjustments(**adjustments),
            bind_socket=False,
            sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
        )

    def readable(self) -> bool:
        """Return whether to accept; without file descriptors, each attempt would only fail."""
        return bool(super().readable()) and time.monotonic() >= self._no_files_until

    def accept(self) -> Any:
        """Accept a connection; return None if it is already gone."""
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in _NO_FILES:
                raise
            log.warning("cannot accept connections: %s", error.strerror)
            self._no_files_until = time.monotonic() + SWEEP_SECONDS
            self.lacked_files = True
            return None


_NO_FILES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
