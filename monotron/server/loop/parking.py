"""Parking: a request waits for its update in a greenlet, and the loop goes on.

Of the loop's thread and the writer's, only one at a time can run Python (the GIL). If both want to,
they wake each other, mostly in vain, at each call that lets go of the GIL: several times for each
request. So the loop hands over: it lets a batch begin once it has taken in every request that has
arrived, and then waits until the writer's thread has come to the disk.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from greenlet import getcurrent, greenlet

from monotron.waiting import BlockedThread, Wait

HAND_OVER_SECONDS = 0.005
"""The longest the loop waits for the writer's thread to reach the disk: Python's default switch
interval."""

STUCK_SECONDS = 0.25
"""A batch that takes longer is held up by a hanging disk, or by another process with the lock."""

CHECK_SECONDS = 0.1
"""How often it is checked whether a parked request has waited for too long."""


log = logging.getLogger("monotron")


class Parked:
    """The wait of a greenlet."""

    __slots__ = ("_greenlet", "_parking", "give_up_at", "over")

    def __init__(self, parking: "Parking", current: greenlet) -> None:
        self._parking = parking
        self._greenlet = current
        self.over = False
        self.give_up_at: float | None = None

    def wait(self, seconds: float | None) -> bool:
        """See `waiting.Wait`."""
        if not self.over:
            if seconds is not None:
                self.give_up_at = time.monotonic() + seconds
            self._parking.park(self)
        return self.over

    def go_on(self) -> None:
        """Let the greenlet go on; called by the loop."""
        self._greenlet.switch()


class Parking:
    """Parks the loop's greenlets; blocks threads beside the loop.

    It belongs to the thread that creates it, which must be the one that runs the loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, after: Callable[[], None]) -> None:
        """`after` is called on the loop when greenlets have gone on, after a batch or reads."""
        self._loop = loop
        self._after = after
        self._thread = threading.get_ident()
        self._hub = getcurrent()
        self._free: list[greenlet] = []
        """Greenlets without work. Python maps memory for a new one's frames, and unmaps it at its
        end: two system calls for each request."""
        self._parked: set[Parked] = set()
        self._ended: deque[Parked] = deque()
        self._is_checking = False
        self._write: Callable[[], None] | None = None
        """Lets the writer's thread begin the next batch; None if there is none."""
        self._is_writing = False
        """Whether a batch has begun, and has not ended yet."""
        self._writing_since = 0.0
        self._has_let_go = threading.Event()
        self._gate = threading.Lock()
        self._is_closed = False

    def run(self, fn: Callable[..., object], *arguments: Any) -> None:
        """Run `fn`, which must not raise, in a greenlet; return once it is parked or done."""
        worker = self._free.pop() if self._free else greenlet(self._work, self._hub)
        worker.switch(fn, arguments)

    @property
    def is_stuck(self) -> bool:
        """Whether the current batch takes so long that the disk may be hanging."""
        return self._is_writing and time.monotonic() - self._writing_since > STUCK_SECONDS

    def may_block(self) -> bool:
        """See `waiting.Waiting`: a greenlet would block the loop with it."""
        return getcurrent().parent is None

    def begin(self) -> Wait:
        """See `waiting.Waiting`."""
        current = getcurrent()
        return BlockedThread() if current.parent is None else Parked(self, current)

    def start(self, write: Callable[[], None]) -> None:
        """See `waiting.Waiting`."""
        if threading.get_ident() == self._thread:
            self._note_start(write)
        else:
            self.wake(self._note_start, write)

    def let_go(self) -> None:
        """See `waiting.Waiting`."""
        self._has_let_go.set()

    def end(self, waits: Sequence[Wait]) -> None:
        """See `waiting.Waiting`. The loop wakes once for all of them."""
        self._note_end(waits)
        self.wake(self._end_batch)

    def end_reads(self, waits: Sequence[Wait]) -> None:
        """See `waiting.Waiting`. The loop wakes once for all of them."""
        self._note_end(waits)
        self.wake(self._go_on)

    def wake(self, fn: Callable[..., object], *arguments: Any) -> None:
        """Have the loop call `fn`; called by other threads. After `close`, do nothing."""
        with self._gate:
            if not self._is_closed:
                self._loop.call_soon_threadsafe(fn, *arguments)

    def close(self) -> None:
        """Wake the loop no more: it is about to be closed."""
        with self._gate:
            self._is_closed = True

    def park(self, wait: Parked) -> None:
        """Wait until `wait` is over, or until it is time to give up."""
        self._parked.add(wait)
        if not self._is_checking and wait.give_up_at is not None:
            self._is_checking = True
            self._loop.call_later(CHECK_SECONDS, self._check)
        self._hub.switch()

    def _work(self, fn: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        current = getcurrent()
        while True:
            try:
                fn(*arguments)
            # The others that go on after it must not end with it.
            except Exception:
                log.exception("a request failed in the server")
            self._free.append(current)
            fn, arguments = self._hub.switch()

    def _note_end(self, waits: Sequence[Wait]) -> None:
        for wait in waits:
            if isinstance(wait, Parked):
                self._ended.append(wait)
            elif isinstance(wait, BlockedThread):
                wait.end()

    # Batches

    def _note_start(self, write: Callable[[], None]) -> None:
        self._write = write
        # In the next turn of the loop, so that every request that has arrived is in the batch.
        self._loop.call_soon(self._hand_over)

    def _hand_over(self) -> None:
        if self._write is None or self._is_writing:
            return
        write, self._write = self._write, None
        self._is_writing = True
        self._writing_since = time.monotonic()
        self._has_let_go.clear()
        write()
        self._has_let_go.wait(HAND_OVER_SECONDS)

    def _end_batch(self) -> None:
        self._is_writing = False
        self._hand_over()
        self._go_on()

    def _go_on(self) -> None:
        while self._ended:
            wait = self._ended.popleft()
            wait.over = True
            if wait in self._parked:
                self._parked.discard(wait)
                wait.go_on()
        self._after()

    def _check(self) -> None:
        now = time.monotonic()
        overdue = [each for each in self._parked if each.give_up_at and each.give_up_at <= now]
        for wait in overdue:
            self._parked.discard(wait)
            wait.give_up_at = None
            wait.go_on()
        self._is_checking = bool(self._parked)
        if self._is_checking:
            self._loop.call_later(CHECK_SECONDS, self._check)
