"""Group commit: updates that wait at the same moment share one durable commit.

Updates that arrive during a commit gather in a queue, and the writer's thread takes all of them
into the next one. So all waiting callers share a commit's two syncs, and there is no timer
anywhere.

If the caller's thread may be blocked and nobody is writing, the update commits on that thread. That
saves two hand-overs between threads: a lone client of waitress waits 0.48 ms for a number, and one
of the event loop, whose thread must never be blocked, 0.60 ms.
"""

import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from monotron import threads
from monotron.store.contract import StoreUnavailable, Transaction
from monotron.waiting import Wait, Waiting

T = TypeVar("T")


GRACE_SECONDS = 0.1
"""How long an update waits even if it is too late, in seconds: the lock may just have been
released, and the writer's thread may be about to wake."""


class Update:
    """One caller's function, and later its result or error."""

    __slots__ = ("error", "fn", "result", "wait")

    def __init__(self, fn: Callable[[Transaction], Any]) -> None:
        self.fn = fn
        self.result: Any = None
        self.error: BaseException | None = None
        self.wait: Wait | None = None
        """Its caller's wait, if it is not committed on the caller's thread."""


class Lock(Protocol):
    """A lock that keeps out the writers of other processes."""

    def acquire(self, *, blocking: bool) -> bool:
        """Take the lock; return False if it is taken and `blocking` is off."""
        ...

    def release(self) -> None:
        """Release the lock."""
        ...


class Observer(Protocol):
    """Gets notified of events, on the thread that causes them; it must be quick."""

    def waiting(self, updates: int) -> None:
        """Note how many updates are waiting for a commit."""
        ...

    def committed(self, updates: int, seconds: float) -> None:
        """Note a commit: how many updates shared it, and how long it took."""
        ...

    def conflicted(self) -> None:
        """Note that a commit runs again, because another replica has changed what it had read."""
        ...

    def resolved(self) -> None:
        """Note that the answer to a commit was lost, and that its outcome was found out."""
        ...

    def unknown(self) -> None:
        """Note that the outcome of a commit could not be found out in time."""
        ...


class NoObserver:
    """An observer that does nothing."""

    def waiting(self, updates: int) -> None:
        """See `Observer`."""

    def committed(self, updates: int, seconds: float) -> None:
        """See `Observer`."""

    def conflicted(self) -> None:
        """See `Observer`."""

    def resolved(self) -> None:
        """See `Observer`."""

    def unknown(self) -> None:
        """See `Observer`."""


class GroupCommit:
    """Runs updates, one batch at a time across all processes.

    `commit(batch)` must run every update of the batch durably, and set each one's `result` or
    `error`. It is called by one thread at a time, with the lock held.
    """

    def __init__(
        self,
        lock: Lock,
        commit: Callable[[list[Update]], None],
        *,
        wait_seconds: float,
        waiting: Waiting,
        observer: Observer,
        slow: str = "the disk",
    ) -> None:
        """`slow` is what updates wait for while another batch is being committed."""
        self._slow = slow
        self._lock = lock
        self._commit = commit
        self._wait_seconds = wait_seconds
        self._waiting = waiting
        self._observer = observer
        self._gate = threading.Lock()
        self._queue: dict[Update, None] = {}
        """The updates that wait, in their order. Guarded by the gate: whoever takes an update out,
        the writer's thread or a caller that gives up, decides what becomes of it."""
        self._is_started = False
        """Whether the next batch has been asked for, and has not begun."""
        self._starts: queue.SimpleQueue[None] = queue.SimpleQueue()
        """Has an item when the writer's thread may begin the next batch, or has to end."""
        self._writing = threading.Lock()
        self._closed = False
        self._locked = False
        self._locking_since: float | None = None
        """When the writer's thread began to wait for other processes; None while it does not."""
        self._thread = threads.start(self._run, "monotron-writer")

    def update(self, fn: Callable[[Transaction], T]) -> T:
        """Return what `fn` returns, once it is durable; raise what it raised.

        Raises `StoreUnavailable` if the writer could not start in time, for instance because
        another process holds the lock and is stuck.
        """
        update = Update(fn)
        if not (self._waiting.may_block() and self._commit_alone(update)):
            wait = self._enqueue(update)
            if not wait.wait(self._patience()):
                if self._gives_up(update):
                    raise StoreUnavailable(self._why_it_took_so_long())
                # The writer has started on it: only the end shows whether it was kept.
                wait.wait(None)
        if update.error is not None:
            raise update.error
        result: T = update.result
        return result

    def close(self) -> bool:
        """Run the waiting updates, then end the thread.

        It waits for a commit that has begun, but not for another process: it returns False if the
        thread is still waiting for the lock, with no caller left. The lock must then stay open.
        """
        with self._gate:
            self._closed = True
        self._starts.put(None)
        self._thread.join(self._wait_seconds)
        if self._thread.is_alive() and not self._locked:
            return False
        self._thread.join()
        # A lone commit that is running now began before.
        with self._writing:
            return True

    def _enqueue(self, update: Update) -> Wait:
        wait = update.wait = self._waiting.begin()
        with self._gate:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            self._queue[update] = None
            starts, self._is_started = not self._is_started, True
            if self._locking_since is not None:
                self._observer.waiting(len(self._queue))
        if starts:
            self._waiting.start(self._write)
        return wait

    def _write(self) -> None:
        """Let the writer's thread begin a batch."""
        self._starts.put(None)

    def _gives_up(self, update: Update) -> bool:
        """Take an update back; return False if the writer has already started on it."""
        with self._gate:
            if update not in self._queue:
                return False
            del self._queue[update]
            return True

    def _why_it_took_so_long(self) -> str:
        seconds = f"for {self._wait_seconds:g} seconds; nothing was taken"
        if self._locking_since is None:
            return f"{self._slow} has not taken the updates before this one {seconds}"
        return f"another process held the write lock {seconds}"

    def _patience(self) -> float:
        """Return how long an update that arrives now may wait, in seconds.

        All updates that wait for another process give up at the same moment, and later ones almost
        at once: a process that was stopped with the lock in hand may hold it forever.
        """
        since = self._locking_since
        if since is None:
            return self._wait_seconds
        return max(GRACE_SECONDS, since + self._wait_seconds - time.monotonic())

    def _commit_alone(self, update: Update) -> bool:
        """Commit on this thread; return False if another one is writing or waiting to."""
        if self._queue or not self._writing.acquire(blocking=False):
            return False
        try:
            if self._closed or not self._lock.acquire(blocking=False):
                return False
            try:
                self._commit([update])
            finally:
                self._lock.release()
        finally:
            self._writing.release()
        return True

    def _run(self) -> None:
        while self._queue or not self._closed:
            self._starts.get()
            if self._is_needed():
                self._run_batch()
            else:
                self._waiting.end([])

    def _is_needed(self) -> bool:
        """Return whether an update is still waiting: all may have given up."""
        with self._gate:
            if not self._queue:
                self._is_started = False
            return bool(self._queue)

    def _run_batch(self) -> None:
        batch: list[Update] = []
        with self._writing:
            try:
                self._lock_out_others()
                try:
                    batch = self._gather()
                    if batch:
                        self._commit(batch)
                finally:
                    self._locked = False
                    self._lock.release()
            # The thread must survive any failure, and each caller must hear of it.
            except BaseException as error:  # noqa: BLE001
                batch = batch or self._gather()
                for update in batch:
                    update.error = error
        self._waiting.let_go()
        self._waiting.end([update.wait for update in batch if update.wait is not None])

    def _lock_out_others(self) -> None:
        if not self._lock.acquire(blocking=False):
            self._locking_since = time.monotonic()
            self._waiting.let_go()
            try:
                self._lock.acquire(blocking=True)
            finally:
                self._locking_since = None
        self._locked = True

    def _gather(self) -> list[Update]:
        """Take all waiting updates; called with the lock held, because more gather until then."""
        with self._gate:
            batch, self._queue = self._queue, {}
            self._is_started = False
        self._observer.waiting(0)
        return list(batch)
