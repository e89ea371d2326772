"""Dispatching requests: to the threads, to a thread for quick paths, or to an immediate refusal.

Requests that find all threads busy wait in a queue of limited length. A client that finds it full
hears so at once, and may come back. An unlimited queue would only make every client wait longer.

The quick thread sends these refusals. It also answers whether the process is alive, which must work
especially under overload.
"""

import time
from collections.abc import Collection
from typing import Any

from waitress.task import ThreadedTaskDispatcher
from waitress.utilities import Error

from monotron.threads import refusals_named

QUEUE = 1_024
"""Requests that may wait for a thread. At several thousand a second the last one waits less than
half a second, and 256 clients, each with one request at a time, never fill it."""


class Overloaded(Error):  # type: ignore[misc]
    """The answer of an overloaded server."""

    code = 503
    reason = "Service Unavailable"


class Dispatcher:
    """Hands each connection with a complete request to a thread."""

    def __init__(self, threads: int, quick_paths: Collection[str]) -> None:
        """Start the threads; requests to `quick_paths` do not wait for any of them.

        Raises `CannotStartThread`.
        """
        self._quick_paths = quick_paths
        self._threads: Any = ThreadedTaskDispatcher()
        self._quick: Any = ThreadedTaskDispatcher()
        with refusals_named():
            self._threads.set_thread_count(threads)
            self._quick.set_thread_count(1)

    def add_task(self, channel: Any) -> None:
        """Hand over a connection's first request; called by the main loop and by threads."""
        request = channel.requests[0]
        request.complete_at = time.perf_counter()
        if request.error is not None or request.path in self._quick_paths:
            self._quick.add_task(channel)
        elif len(self._threads.queue) >= QUEUE:
            request.error = Overloaded("too many requests are already waiting; nothing was taken")
            self._quick.add_task(channel)
        else:
            self._threads.add_task(channel)

    @property
    def waiting(self) -> int:
        """How many requests are waiting for a thread."""
        return len(self._threads.queue) + len(self._quick.queue)

    def shutdown(self, *, timeout: float) -> bool:
        """End the threads after their current requests; return whether all have ended."""
        for pool in (self._threads, self._quick):
            pool.shutdown(timeout=timeout)
        return not self._threads.threads and not self._quick.threads
