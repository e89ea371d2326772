"""The storage folder of the older build-number service: one file for each counter.

A file is named after a UUID, in any of its forms, which all name one series here, and contains the
number and a newline. Any other content counted as 0 there, so the next number was 1.
"""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from monotron.core import uuids
from monotron.core.errors import InvalidName
from monotron.core.records import Series
from monotron.limits import LAST_VALUE
from monotron.transfer import number_file
from monotron.transfer.items import Advance, Broken, CannotRead, Item, Read, Skipped
from monotron.transfer.lines import SeriesLine
from monotron.transfer.number_file import NotAFile

SORTED_FILES = 100_000
"""How many files are sorted by name at a time. Series are ordered by name, so sorting spares the
store many pages in each update; a folder has no order."""

NO_UUID = "the name is not a UUID"
NO_FILE = "it is not a file"
NO_NUMBER = "it does not contain a number that a series could continue from"
NOTHING_TAKEN = "it contains 0: no number has been taken yet"


def read(folder: Path, account: int, now: int, advance: Advance) -> Iterator[Item]:
    """Iterate over a series for each file; raises `CannotRead` if the folder cannot be read."""
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
    # A name may contain anything that the file system allows.
    place = repr(entry.name)
    try:
        key = uuids.canonical(entry.name)
    except InvalidName:
        return Skipped(place, NO_UUID)
    try:
        # A dangling link is broken, not skipped: its counter may be on a disk that is not mounted.
        value, size = number_file.read(entry)
    except NotAFile:
        return Skipped(place, NO_FILE)
    except OSError as error:
        return Broken(place, f"it cannot be read: {error.strerror}")
    if value == 0:
        return Skipped(place, NOTHING_TAKEN)
    if value is None or value > LAST_VALUE:
        return Skipped(place, NO_NUMBER)
    return Read(place, SeriesLine(Series(account, key, value, None, now, now)), size=size)
