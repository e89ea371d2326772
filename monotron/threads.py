"""Starting threads, which the system may refuse."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

from monotron.errors import MonotronError


class CannotStartThread(MonotronError):
    """The system refused a thread; the message names the limits, in one line."""


def start(target: Callable[[], None], name: str) -> Thread:
    """Return a started thread that ends with the process; raises `CannotStartThread`."""
    thread = Thread(target=target, name=name, daemon=True)
    with refusals_named():
        thread.start()
    return thread


@contextmanager
def refusals_named() -> Iterator[None]:
    """Raise `CannotStartThread` if a thread started inside the block is refused."""
    try:
        yield
    except RuntimeError as error:
        raise CannotStartThread(f"cannot start a thread: {limits()}") from error


def limits() -> str:
    """Return the limits that can keep a process or a thread from starting."""
    most, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    ulimit = "unlimited" if most == resource.RLIM_INFINITY else str(most)
    return (
        "the limit on this user's processes and threads has been reached "
        f"(ulimit -u, here {ulimit}), or that of the container or systemd unit "
        "(pids limit, TasksMax), or there is not enough memory"
    )
