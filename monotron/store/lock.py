"""Locks between processes: the order of writers, and whether a store is open."""

import ctypes
import errno
import fcntl
import os
import threading
import time
import weakref
from pathlib import Path

from monotron import threads
from monotron.store.contract import StoreUnavailable

OPEN_LOCK = "open.lock"
"""The file in the storage folder that a process locks first when it opens the store."""


class WriteLock:
    """Lets one process at a time write. The kernel releases it when its holder dies, however.

    LMDB has such a lock of its own, a robust mutex in shared memory, but that one loses sleepers:
    if a process is killed just as it is woken, the wake-up dies with it and the others wait forever
    (17 of 250 runs with 4 writing processes of which one was killed; with `flock` in front of it,
    0 of 250). So each writer takes this lock before LMDB's mutex, and finds the mutex free.

    It is two locks, passed one after the other like a turnstile: a process that releases the
    second and wants it again queues behind the one waiting at the first. With a single lock, a busy
    process would take it again before the woken one gets to run.

    It is not for threads: only one thread at a time may use an object.
    """

    def __init__(self, folder: Path) -> None:
        """Open the two lock files in `folder`; raises `OSError` if that is not allowed."""
        self._turn = _open(folder / "turn.lock")
        self._write = _open(folder / "write.lock")

    def acquire(self, *, blocking: bool) -> bool:
        """Take the lock; return False if another process has it and `blocking` is off."""
        if not _flock(self._turn, blocking=blocking):
            return False
        try:
            return _flock(self._write, blocking=blocking)
        finally:
            _unlock(self._turn)

    def release(self) -> None:
        """Let the next process write."""
        _unlock(self._write)

    def acquire_within(self, seconds: float) -> None:
        """Take the lock, in turn with other processes that want it.

        Raises `StoreUnavailable` if that takes more than `seconds`; the lock is then closed.

        flock has no timeout, and a process that polls instead never gets a turn among busy writers.
        So a thread waits, and closes the lock if it gets it too late.
        """
        if self.acquire(blocking=False):
            return
        claim, taken = threading.Lock(), threading.Event()

        def wait_for_turn() -> None:
            self.acquire(blocking=True)
            if claim.acquire(blocking=False):
                taken.set()
            else:
                self.close()

        threads.start(wait_for_turn, "monotron-turn")
        if not taken.wait(seconds) and claim.acquire(blocking=False):
            raise StoreUnavailable(
                f"another process has held the write lock for {seconds:g} seconds"
            )
        taken.wait()

    def close(self) -> None:
        """Close the files, which releases the locks."""
        os.close(self._turn)
        os.close(self._write)


class OpenLock:
    """Marks a store as open.

    Processes that open the store share the lock; one that replaces the store, or needs it to stand
    still, holds it exclusively.

    The kernel releases it when its holder dies. A forked child releases it at once: the store is
    not the child's, and would otherwise count as open for as long as the child lives.
    """

    def __init__(self, folder: Path, *, make: bool = True) -> None:
        """Open the lock file in `folder`; raises `OSError` if that is not allowed.

        If `make` is off, it needs no right to write, and a missing lock file is an error.
        """
        path = folder / OPEN_LOCK
        self._handle: int | None = _open(path) if make else _open_to_read(path)
        _open_locks.add(self)

    def share_within(self, seconds: float) -> None:
        """Share the lock; raises `StoreUnavailable` if another holds it alone for `seconds`."""
        end = time.monotonic() + seconds
        while not self._flock(fcntl.LOCK_SH):
            if time.monotonic() > end:
                raise StoreUnavailable(
                    "the store is being restored, checked or read by another process"
                )
            time.sleep(_ASK_AGAIN_SECONDS)

    def take_alone_within(self, seconds: float) -> bool:
        """Take the lock alone; return False if another has it for `seconds`."""
        end = time.monotonic() + seconds
        while not self.take_alone():
            if time.monotonic() > end:
                return False
            time.sleep(_ASK_AGAIN_SECONDS)
        return True

    def take_alone(self) -> bool:
        """Take the lock alone; return False if another holder, perhaps in this process, has it."""
        return self._flock(fcntl.LOCK_EX)

    def is_shared(self) -> bool:
        """Return whether its holders share it. Call it only if this object does not hold it."""
        if not self._flock(fcntl.LOCK_SH):
            return False
        self._flock(fcntl.LOCK_UN)
        return True

    def close(self) -> None:
        """Close the file, which releases the lock. Closing again does nothing."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def _flock(self, how: int) -> bool:
        assert self._handle is not None  # noqa: S101
        try:
            fcntl.flock(self._handle, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


_ASK_AGAIN_SECONDS = 0.05
_open_locks: "weakref.WeakSet[OpenLock]" = weakref.WeakSet()


def _let_go_in_child() -> None:
    for lock in list(_open_locks):
        lock.close()


os.register_at_fork(after_in_child=_let_go_in_child)


def _open_to_read(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


# fcntl.flock releases the GIL, and on a busy server it takes milliseconds to get it back. If the
# call cannot block, that is for nothing, so it goes to the C library with the GIL held.
_quick_flock = ctypes.PyDLL(None, use_errno=True).flock


def _flock(handle: int, *, blocking: bool) -> bool:
    if _quick_flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB) == 0:
        return True
    code = ctypes.get_errno()
    if code not in (errno.EWOULDBLOCK, errno.EINTR):
        raise StoreUnavailable(f"the lock file cannot be locked: {os.strerror(code)}")
    if not blocking:
        return False
    fcntl.flock(handle, fcntl.LOCK_EX)
    return True


def _unlock(handle: int) -> None:
    _quick_flock(handle, fcntl.LOCK_UN)
