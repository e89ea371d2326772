"""The storage folder of the older build-number service: one file for each counter.

A file is named after a UUID, in any of the forms that name one series here, and holds the number
and a newline. One that holds anything else counted as 0 there, so the next number was 1.
"""

import itertools
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from monotron.core import uuids
from monotron.core.errors import InvalidName
from monotron.core.records import Series
from monotron.digits import whole_number
from monotron.limits import LAST_VALUE
from monotron.transfer.items import Advance, Broken, CannotRead, Item, Read, Skipped
from monotron.transfer.lines import SeriesLine

SORTED_FILES = 100_000
"""Files that are brought in the order of their names at a time. It spares the store many pages in
each update, as series are ordered by name; a folder is in no order at all."""

CONTENT_BYTES = 64
"""More than any number has; of a file that is something else no more is read."""


NO_UUID = "the name is no UUID"
NO_FILE = "it is not a file"
NO_NUMBER = "it holds no number from which a series could go on"
NOTHING_TAKEN = "it holds 0: no number was taken yet"


def read(folder: Path, account: int, now: int, advance: Advance) -> Iterator[Item]:
    """Give a series for each file; raises `CannotRead` where there is no folder."""
    try:
        entries = os.scandir(folder)
    except OSError as error:
        raise CannotRead(f"the folder cannot be read: {error.strerror}") from error
    return _items(entries, account, now, advance)


def _items(
    entries: "os._ScandirIterator[str]", account: int, now: int, advance: Advance
) -> Iterator[Item]:
    with entries:
        while part := list(itertools.islice(entries, SORTED_FILES)):
            for entry in sorted(part, key=lambda entry: entry.name):
                yield _item(entry, account, now)
                advance(1)


def _item(entry: "os.DirEntry[str]", account: int, now: int) -> Item:
    # A name may hold whatever the file system lets it.
    place = repr(entry.name)
    try:
        key = uuids.canonical(entry.name)
    except InvalidName:
        return Skipped(place, NO_UUID)
    try:
        # A link that leads nowhere cannot be read: its counter may be on a disk that is away.
        if not stat.S_ISREG(entry.stat().st_mode):
            return Skipped(place, NO_FILE)
        with open(entry.path, "rb", buffering=0) as file:
            content = file.read(CONTENT_BYTES) or b""
    except OSError as error:
        return Broken(place, f"it cannot be read: {error.strerror}")
    value = whole_number(content.decode(errors="replace").strip(_BLANKS), CONTENT_BYTES)
    if value == 0:
        return Skipped(place, NOTHING_TAKEN)
    if value is None or value > LAST_VALUE:
        return Skipped(place, NO_NUMBER)
    return Read(place, SeriesLine(Series(account, key, value, None, now, now)), size=len(content))


_BLANKS = " \t\n\v\f\r"
