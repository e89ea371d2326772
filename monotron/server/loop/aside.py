"""Threads beside the loop, for requests that read for long."""

import asyncio
import queue
from collections.abc import Callable
from typing import TypeVar

from monotron import threads

T = TypeVar("T")


class Aside:
    """Runs functions on threads, and what follows on the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, size: int) -> None:
        """Start `size` threads; raises `CannotStartThread`."""
        self._loop = loop
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = [threads.start(self._run, "monotron-long") for _ in range(size)]
        self._is_closed = False

    def run(self, fn: Callable[[], T], then: Callable[[T], None]) -> None:
        """Run `fn`, which must not raise, on a thread, and `then` with its result on the loop."""

        def work() -> None:
            result = fn()
            if not self._is_closed:
                self._loop.call_soon_threadsafe(then, result)

        self._work.put(work)

    def close(self) -> None:
        """End the threads after what they are doing now; nobody waits for that any more."""
        self._is_closed = True
        for _ in self._threads:
            self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()
