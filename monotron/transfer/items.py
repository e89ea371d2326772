"""Items: what an import reads from its source."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from monotron.errors import MonotronError
from monotron.transfer.lines import Line


class Read(NamedTuple):
    """Something to import."""

    place: str
    """Where it is, such as `line 7`."""
    line: Line
    lines: int = 1
    """How many lines it takes."""
    size: int = 0
    """How many bytes it takes."""


@dataclass(frozen=True, slots=True)
class Broken:
    """Something that cannot be imported, which makes the import incomplete."""

    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that contains nothing to import."""

    place: str
    reason: str


Item = Read | Broken | Skipped

Advance = Callable[[int], object]
"""Called with progress, in bytes or files."""


class CannotRead(MonotronError):
    """A source that cannot be imported at all."""


class TextLine(NamedTuple):
    """A line of a file."""

    number: int
    text: str
    """With its newline. Bytes that are not UTF-8 have become halves of surrogate pairs, which
    nothing that is imported may have."""
    size: int
    whole: bool
    """Whether `text` is the whole line, not just the beginning of one that is too long."""


def text_lines(stream: BinaryIO, advance: Advance, limit: int) -> Iterator[TextLine]:
    """Iterate over the lines of a file; only the first `limit` bytes of a longer line are kept."""
    number = 0
    while line := stream.readline(limit):
        number += 1
        size, rest = len(line), line
        while len(rest) == limit and not rest.endswith(b"\n"):
            rest = stream.readline(limit)
            size += len(rest)
        advance(size)
        text = line.decode(errors="surrogateescape")
        # Some programs begin a UTF-8 file with a byte order mark.
        text = text.removeprefix("\ufeff") if number == 1 else text
        yield TextLine(number, text, size, size == len(line))
