"""JSON lines as `monotron export` writes them."""

from collections.abc import Iterator
from typing import BinaryIO

from monotron.limits import EXPORT_LINE_BYTES
from monotron.transfer import lines
from monotron.transfer.items import Advance, Broken, CannotRead, Item, Read, TextLine, text_lines
from monotron.transfer.lines import BrokenLine, EndLine


def read(stream: BinaryIO, advance: Advance) -> Iterator[Item]:
    """Iterate over the items of an export; raises `CannotRead` if the file is not an export."""
    rest = text_lines(stream, advance, EXPORT_LINE_BYTES)
    _check_header(next(rest, None))
    return _items(rest)


def _check_header(first: TextLine | None) -> None:
    try:
        members = lines.members_of(first.text if first else "")
    except BrokenLine:
        members = {}
    if members.get("monotron") != lines.HEADER["monotron"]:
        raise CannotRead("it is not an export: its first line must be " + lines.header())
    if members.get("version") != lines.HEADER["version"]:
        raise CannotRead(
            f"it is an export of version {members.get('version')!r:.80}, but this version of "
            f"monotron reads version {lines.HEADER['version']}"
        )


def _items(rest: Iterator[TextLine]) -> Iterator[Item]:
    number, ended = 1, False
    for number, text, size, whole in rest:
        place = f"line {number}"
        if not whole:
            yield Broken(place, f"it has more than {EXPORT_LINE_BYTES} bytes")
        elif ended:
            yield Broken(place, "it comes after the end")
        elif not text.isspace():
            try:
                line = lines.from_json(text)
            except BrokenLine as error:
                yield Broken(place, str(error))
                continue
            ended = isinstance(line, EndLine)
            if not ended:
                yield Read(place, line, size=size)
    if not ended:
        yield Broken(f"line {number + 1}", 'there is no {"kind":"end"}: the file was cut off')
