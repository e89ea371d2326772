"""What a command prints: its result, or what it has done.

Where the output cannot go anywhere, a command that prints a result fails, and one that takes
something takes nothing where that is known before.
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
        """Whether no message is needed: who closed the pipe has seen enough of the output."""


def require_output() -> None:
    """Raise `CannotPrint` where it is known that nothing can be printed.

    A command whose result is what it prints calls this before it does anything.
    """
    if sys.stdout is None:
        raise CannotPrint("stdout is closed; nothing was done")
    with suppress(OSError):
        if fcntl.fcntl(sys.stdout.fileno(), fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise CannotPrint("stdout is open for reading only; nothing was done")


def require_reader() -> None:
    """Raise `CannotPrint` where it is known that nobody would read what is printed.

    A command that takes what it can tell only once calls this before it takes it.
    """
    require_output()
    poll = select.poll()
    poll.register(sys.stdout, 0)
    if poll.poll(0):
        raise CannotPrint("nobody reads it; nothing was taken")


def show(*values: object, sep: str = " ", end: str = "\n") -> None:
    """Print a part of the result; raises `CannotPrint` where that is not possible."""
    with printing():
        print(*values, sep=sep, end=end)


def show_once(text: str, otherwise: str) -> None:
    """Print, at once, what cannot be printed again; `require_reader` was called before.

    Where that fails all the same, `CannotPrint` also says `otherwise`.
    """
    try:
        print(text, flush=True)
    except OSError as error:
        raise CannotPrint(f"{error.strerror}; {otherwise}") from error


@contextmanager
def printing() -> Iterator[None]:
    """Raise `CannotPrint` where what is written to stdout within cannot be."""
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
    """Say on stderr what a person should know, and what is no failure."""
    with suppress(OSError):
        print(f"monotron: {what}", file=sys.stderr)


def report(*values: object, sep: str = " ") -> None:
    """Print what was done. Where stdout is closed nobody wants to know; it is done all the same."""
    if sys.stdout is not None:
        show(*values, sep=sep)


def flush() -> None:
    """Hand on what was printed; raises `CannotPrint` where that is not possible."""
    if sys.stdout is not None:
        with printing():
            sys.stdout.flush()


def drop_output() -> None:
    """Forget what could not be written: Python would fail once more when it closes stdout."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(reason: object, status: int) -> int:
    """Say on stderr why the command fails; returns the exit status."""
    # Where that cannot be said either, the status says it.
    with suppress(OSError):
        print(f"monotron: {reason}", file=sys.stderr)
    return status


def open_closed() -> None:
    """Open /dev/null in the place of stdin, stdout and stderr where they are closed.

    Otherwise the next file to be opened gets the number, such as the store's data file, and
    whatever the C library says on stderr goes into it. `sys.stdin` and `sys.stdout` stay None.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is taken, which is this one.
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
