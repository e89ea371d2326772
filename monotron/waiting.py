"""How callers wait for their updates: by blocking their threads, or as a server decides.

The store is handed one of these. So it knows no server, and a server with an event loop can park
its requests instead of holding a thread for each.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Protocol


class Wait(Protocol):
    """One caller's wait, which ends once."""

    def wait(self, seconds: float | None) -> bool:
        """Return True once the wait is over, or False after `seconds`; None waits to the end.

        Only its caller may call it, but again after False.
        """
        ...


class Waiting(Protocol):
    """A way to wait."""

    def may_block(self) -> bool:
        """Return whether the caller's thread may be blocked, by a disk or a lock."""
        ...

    def begin(self) -> Wait:
        """Return the caller's wait."""
        ...

    def start(self, write: Callable[[], None]) -> None:
        """Call `write`, which lets the writer's thread start on a batch, now or soon.

        It is not called again before the batch has begun.
        """
        ...

    def let_go(self) -> None:
        """Note that the writer's thread is about to wait, for the disk or a lock."""
        ...

    def end(self, waits: Sequence[Wait]) -> None:
        """End these waits, all at once; called by the writer's thread after each batch."""
        ...

    def end_reads(self, waits: Sequence[Wait]) -> None:
        """End these waits, all at once; called by a thread that reads."""
        ...


class BlockedThread:
    """The wait of a caller whose thread is blocked meanwhile."""

    __slots__ = ("_over",)

    def __init__(self) -> None:
        self._over = threading.Lock()
        self._over.acquire()

    def wait(self, seconds: float | None) -> bool:
        """See `Wait`."""
        return self._over.acquire(timeout=-1 if seconds is None else seconds)

    def end(self) -> None:
        """End the wait."""
        self._over.release()


class BlockedThreads:
    """Blocks the threads of all callers."""

    def may_block(self) -> bool:
        """See `Waiting`."""
        return True

    def begin(self) -> BlockedThread:
        """See `Waiting`."""
        return BlockedThread()

    def start(self, write: Callable[[], None]) -> None:
        """See `Waiting`."""
        write()

    def let_go(self) -> None:
        """See `Waiting`."""

    def end(self, waits: Sequence[Wait]) -> None:
        """See `Waiting`."""
        for wait in waits:
            assert isinstance(wait, BlockedThread)  # noqa: S101
            wait.end()

    def end_reads(self, waits: Sequence[Wait]) -> None:
        """See `Waiting`."""
        self.end(waits)
