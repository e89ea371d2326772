"""Parking: a request waits for its update in a greenlet, and the loop goes on."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from greenlet import getcurrent, greenlet

from monotron.waiting import BlockedThread, Wait

CHECK_SECONDS = 0.1
"""How often it is checked whether a parked request has waited for too long."""


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

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._hub = getcurrent()
        self._parked: set[Parked] = set()
        self._free: list[greenlet] = []
        """Greenlets without work. Python maps memory for a new one's frames, and unmaps it at its
        end: two system calls for each request."""
        self._ended: deque[Parked] = deque()
        self._is_checking = False

    def run(self, fn: Callable[..., object], *arguments: Any) -> None:
        """Run `fn`, which must not raise, in a greenlet; return once it is parked or done."""
        worker = self._free.pop() if self._free else greenlet(self._work, self._hub)
        worker.switch(fn, arguments)

    def may_block(self) -> bool:
        """See `waiting.Waiting`: a greenlet would block the loop with it."""
        return getcurrent().parent is None

    def begin(self) -> Wait:
        """See `waiting.Waiting`."""
        current = getcurrent()
        return BlockedThread() if current.parent is None else Parked(self, current)

    def end(self, waits: Sequence[Wait]) -> None:
        """See `waiting.Waiting`. The loop wakes once for all of them."""
        parked = []
        for wait in waits:
            if isinstance(wait, Parked):
                parked.append(wait)
            elif isinstance(wait, BlockedThread):
                wait.end()
        if parked:
            self._ended.extend(parked)
            self._loop.call_soon_threadsafe(self._go_on)

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
            fn(*arguments)
            self._free.append(current)
            fn, arguments = self._hub.switch()

    def _go_on(self) -> None:
        while self._ended:
            wait = self._ended.popleft()
            wait.over = True
            if wait in self._parked:
                self._parked.discard(wait)
                wait.go_on()

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
