"""Views over a network: those of parked callers share a snapshot, and no loop waits for them.

A caller whose thread may be blocked reads on it. The views of others gather in a queue, and a
thread takes all of them together.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from monotron import threads
from monotron.store.contract import Reading, StoreUnavailable
from monotron.store.rounds import View
from monotron.waiting import Wait, Waiting

T = TypeVar("T")

THREADS = 2
"""How many snapshots are read at the same time for parked callers: a view that reads for long holds
up those that came with it, but not the next ones."""


class Readers:
    """Runs views. `read` runs several on one snapshot, and sets each one's result or error."""

    def __init__(self, read: Callable[[Sequence[View]], None], waiting: Waiting) -> None:
        self._read = read
        self._waiting = waiting
        self._gate = threading.Condition()
        self._is_closed = False
        self._running = 0
        """How many views have begun."""
        self._queue: list[tuple[View, Wait]] = []
        self._starts: queue.SimpleQueue[bool] = queue.SimpleQueue()
        """Has an item for each time that a thread has to look at the queue; False ends it."""
        self._threads = 0

    def view(self, fn: Callable[[Reading], T]) -> T:
        """Return what `fn` returns; raise what it raises, or a `StoreError`."""
        view = View(fn)
        with self._gate:
            if self._is_closed:
                raise StoreUnavailable("the store is closed")
            self._running += 1
        try:
            if self._waiting.may_block():
                self._run([view])
            else:
                self._enqueue(view).wait(None)
        finally:
            with self._gate:
                self._running -= 1
                self._gate.notify_all()
        if view.error is not None:
            raise view.error
        result: T = view.result
        return result

    def close(self) -> None:
        """Wait for the views that have begun, then end the threads."""
        with self._gate:
            self._is_closed = True
            self._gate.wait_for(lambda: self._running == 0)
            for _ in range(self._threads):
                self._starts.put(False)

    def _enqueue(self, view: View) -> Wait:
        wait = self._waiting.begin()
        with self._gate:
            if self._threads < THREADS:
                threads.start(self._serve, f"monotron-reader-{self._threads}")
                self._threads += 1
            self._queue.append((view, wait))
        self._starts.put(True)
        return wait

    def _serve(self) -> None:
        while self._starts.get():
            with self._gate:
                together, self._queue = self._queue, []
            if together:
                self._run([view for view, _ in together])
                self._waiting.end_reads([wait for _, wait in together])

    def _run(self, views: Sequence[View]) -> None:
        try:
            self._read(views)
        # A thread must survive any failure, and each caller must hear of it.
        except BaseException as error:  # noqa: BLE001
            for view in views:
                view.error = error
