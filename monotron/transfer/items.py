"""Items: what a source to import from gives, one after the other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from monotron.errors import MonotronError
from monotron.transfer.lines import Line


class Read(NamedTuple):
    """Something to import."""

    place: str
    """Where it stands, such as `line 7`."""
    line: Line
    lines: int = 1
    """How many lines it was on."""
    size: int = 0
    """How many bytes it was on."""


@dataclass(frozen=True, slots=True)
class Broken:
    """Something that cannot be imported, and so the import is not complete."""

    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that there is nothing to import of."""

    place: str
    reason: str


Item = Read | Broken | Skipped

Advance = Callable[[int], object]
"""Told of progress, in bytes or files."""


class CannotRead(MonotronError):
    """A source that nothing can be imported from."""


class TextLine(NamedTuple):
    """A line of a file."""

    number: int
    text: str
    """With its end. Bytes that are no UTF-8 have become halves of surrogate pairs, which nothing
    that is imported may have."""
    size: int
    whole: bool
    """Whether `text` is all of it, and not just the beginning of a line that is too long."""


def text_lines(stream: BinaryIO, advance: Advance, limit: int) -> Iterator[TextLine]:
    """Give the lines of a file, and of one that has more than `limit` bytes the beginning."""
    number = 0
    while line := stream.readline(limit):
        number += 1
        size, rest = len(line), line
        while len(rest) == limit and not rest.endswith(b"\n"):
            rest = stream.readline(limit)
            size += len(rest)
        advance(size)
        text = line.decode(errors="surrogateescape")
        # Some programs begin a file in UTF-8 with a mark.
        text = text.removeprefix("\ufeff") if number == 1 else text
        yield TextLine(number, text, size, size == len(line))
