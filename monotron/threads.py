"""Starting threads, where the system may refuse one."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

from monotron.errors import MonotronError


class CannotStartThread(MonotronError):
    """The system has no thread left for us; the message names the limits, in one line."""


def start(target: Callable[[], None], name: str) -> Thread:
    """Return a started thread that ends with the process; raises `CannotStartThread`."""
    thread = Thread(target=target, name=name, daemon=True)
    with refusals_named():
        thread.start()
    return thread


@contextmanager
def refusals_named() -> Iterator[None]:
    """Raise `CannotStartThread` where a thread that is started within is refused."""
    try:
        yield
    except RuntimeError as error:
        raise CannotStartThread(f"no thread can be started: {limits()}") from error


def limits() -> str:
    """Say which limit a process or a thread that cannot be made has reached."""
    most, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    ulimit = "unlimited" if most == resource.RLIM_INFINITY else str(most)
    return (
        "the limit on this user's processes and threads is reached "
        f"(ulimit -u, here {ulimit}), or that of the container or systemd unit "
        "(pids limit, TasksMax), or there is no memory left for it"
    )
