"""The files that a command reads or creates; `-` is stdin or stdout."""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from monotron.commands.output import printing
from monotron.errors import MonotronError


class CannotOpen(MonotronError):
    """A file that cannot be read or created."""


@contextmanager
def reading(name: str) -> Iterator[BinaryIO]:
    """Open a file, or stdin; raises `CannotOpen`."""
    if name == "-":
        if sys.stdin is None:
            raise CannotOpen("stdin is closed, so there is nothing to read")
        yield sys.stdin.buffer
        return
    try:
        handle = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise CannotOpen(f"{name} cannot be read: {error.strerror}") from error
    with open(handle, "rb") as stream:
        yield stream


@contextmanager
def writing(name: str) -> Iterator[Callable[[str], None]]:
    """Return a function that writes a line to stdout, or to a new file, removed after a failure.

    Only its owner can read the file, because it contains digests of secrets.
    """
    if name == "-":
        yield _show_line
        return
    try:
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotOpen(f"{name} cannot be created: {error.strerror}") from error
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as file:
            yield lambda line: print(line, file=file)
            file.flush()
            os.fsync(handle)
    except BaseException:
        Path(name).unlink()
        raise


def size_of(stream: BinaryIO) -> int | None:
    """Return how many bytes a file has; None if that is not known in advance."""
    status = os.fstat(stream.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _show_line(line: str) -> None:
    """Print a line in UTF-8, whatever the terminal's encoding."""
    with printing():
        sys.stdout.buffer.write(line.encode() + b"\n")
