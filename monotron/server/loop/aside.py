"""Threads beside the loop, for requests that read for long."""

import queue
from collections.abc import Callable
from typing import TypeVar

from monotron import threads

T = TypeVar("T")


class Aside:
    """Runs functions on threads, and what follows on the loop."""

    def __init__(self, size: int, wake: Callable[..., None]) -> None:
        """Start `size` threads; raises `CannotStartThread`.

        `wake(fn, argument)` has the loop call a function.
        """
        self._wake = wake
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = [threads.start(self._run, "monotron-long") for _ in range(size)]

    def run(self, fn: Callable[[], T], then: Callable[[T], None]) -> None:
        """Run `fn`, which must not raise, on a thread, and `then` with its result on the loop."""

        def work() -> None:
            self._wake(then, fn())

        self._work.put(work)

    def close(self) -> None:
        """End the threads after what they are doing now; nobody waits for that any more."""
        for _ in self._threads:
            self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()
