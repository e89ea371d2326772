"""The output of a command: its result, or what it has done.

If the output has nowhere to go, a command that prints a result fails, and one that takes something
takes nothing if this is known in advance.
"""

import fcntl
import os
import select
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from monotron.errors import MonotronError


class CannotPrint(MonotronError):
    """The output has nowhere to go; the message says why."""

    def __init__(self, reason: object, *, expected: bool = False) -> None:
        super().__init__(f"the output cannot be written: {reason}")
        self.expected = expected
        """Whether no message is needed, because the reader closed the pipe."""


def require_output() -> None:
    """Raise `CannotPrint` if it is certain that nothing can be printed.

    A command whose result is what it prints calls this before it does anything.
    """
    if sys.stdout is None:
        raise CannotPrint("stdout is closed; nothing was done")
    with suppress(OSError):
        if fcntl.fcntl(sys.stdout.fileno(), fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise CannotPrint("stdout is open for reading only; nothing was done")


def require_reader() -> None:
    """Raise `CannotPrint` if it is certain that nobody would read the output.

    A command whose result can be printed only once calls this before it takes anything.
    """
    require_output()
    poll = select.poll()
    poll.register(sys.stdout, 0)
    if poll.poll(0):
        raise CannotPrint("nobody is reading it; nothing was taken")


def show(*values: object, sep: str = " ", end: str = "\n") -> None:
    """Print a part of the result; raises `CannotPrint` if that is not possible."""
    with printing():
        print(*values, sep=sep, end=end)


def show_once(text: str, otherwise: str) -> None:
    """Print, at once, a result that cannot be printed again, after `require_reader`.

    If that still fails, `CannotPrint` also says `otherwise`.
    """
    try:
        print(text, flush=True)
    except OSError as error:
        raise CannotPrint(f"{error.strerror}; {otherwise}") from error


@contextmanager
def printing() -> Iterator[None]:
    """Raise `CannotPrint` if writing to stdout inside the block fails."""
    try:
        yield
    except OSError as error:
        expected = isinstance(error, BrokenPipeError)
        raise CannotPrint(error.strerror, expected=expected) from error


def show_columns(figures: Mapping[str, int]) -> None:
    """Print a line for each figure."""
    figures = {name.replace("_", " "): number for name, number in figures.items()}
    wide = max(len(name) for name in figures)
    digits = max(len(str(number)) for number in figures.values())
    for name, number in figures.items():
        show(f"{name:<{wide}}  {number:>{digits}}")


def remark(what: object) -> None:
    """Say something on stderr that a person should know and that is not a failure."""
    with suppress(OSError):
        print(f"monotron: {what}", file=sys.stderr)


def report(*values: object, sep: str = " ") -> None:
    """Print what was done, unless stdout is closed: it was done anyway."""
    if sys.stdout is not None:
        show(*values, sep=sep)


def flush() -> None:
    """Flush stdout; raises `CannotPrint` if that is not possible."""
    if sys.stdout is not None:
        with printing():
            sys.stdout.flush()


def drop_output() -> None:
    """Drop output that could not be written: Python would fail again when it closes stdout."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(reason: object, status: int) -> int:
    """Say on stderr why the command fails; return the exit status."""
    # If stderr cannot be written either, the status says it.
    with suppress(OSError):
        print(f"monotron: {reason}", file=sys.stderr)
    return status


def open_closed() -> None:
    """Open /dev/null in place of stdin, stdout and stderr if they are closed.

    Otherwise the next file that is opened, such as the store's data file, gets the number, and the
    C library's messages on stderr end up in it. `sys.stdin` and `sys.stdout` stay None.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # It gets the lowest free number, which is this one.
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
