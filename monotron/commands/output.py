"""The output of a command: its result, or what it has done.

If the output has nowhere to go, a command that prints a result fails, and one that takes something
takes nothing if this is known in advance.
"""

import json
import os
import select
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType

from monotron.errors import MonotronError

try:
    import fcntl
except ModuleNotFoundError:
    # Windows has none, and the commands that ask a service run there too.
    POSIX = False
else:
    POSIX = True

TABLE_ROWS = 1_000
"""Rows of a table that are laid out together."""


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
    if not POSIX:
        return
    with suppress(OSError):
        if fcntl.fcntl(sys.stdout.fileno(), fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise CannotPrint("stdout is open for reading only; nothing was done")


def require_reader() -> None:
    """Raise `CannotPrint` if it is certain that nobody would read the output.

    A command whose result can be printed only once calls this before it takes anything.
    """
    require_output()
    if not POSIX:
        return
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


def show_json(members: Mapping[str, object]) -> None:
    """Print an object on one line; raises `CannotPrint`."""
    show(to_json(members))


def to_json(members: Mapping[str, object]) -> str:
    """Return an object on one line, as the API writes it."""
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))


class Table:
    """Prints rows: as objects of JSON, in columns on a terminal, or with tabs between the cells.

    Only columns have a header. They are as wide as in the rows so far: a list may be too long to be
    held whole.
    """

    def __init__(self, header: Sequence[str], *, json: bool = False) -> None:
        self._header = header
        self._json = json
        self._in_columns = not json and sys.stdout.isatty()
        self._lines: list[Sequence[str]] = []
        self._widths = [0] * len(header)
        self._is_begun = False

    def __enter__(self) -> "Table":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._lay_out()

    def add(self, *cells: object) -> None:
        """Print a row; None is an empty cell. Raises `CannotPrint`."""
        if self._json:
            show_json(dict(zip(self._header, cells, strict=True)))
            return
        line = ["" if cell is None else str(cell) for cell in cells]
        if not self._in_columns:
            show(*line, sep="\t")
            return
        self._lines.append(line)
        if len(self._lines) == TABLE_ROWS:
            self._lay_out()

    def _lay_out(self) -> None:
        if not self._lines:
            return
        if not self._is_begun:
            self._lines.insert(0, [title.upper() for title in self._header])
            self._is_begun = True
        longest = [max(map(len, column)) for column in zip(*self._lines, strict=True)]
        self._widths = list(map(max, self._widths, longest))
        for line in self._lines:
            show("  ".join(map(str.ljust, line, self._widths)).rstrip())
        self._lines = []


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
