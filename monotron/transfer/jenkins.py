"""The home of Jenkins: each job keeps the number of its next build in a file.

Jobs are folders in `jobs`. A job that is a folder of jobs has `jobs` again, and one for many
branches has `branches`. Where Jenkins has mangled the name of a folder, it has put the job's name
into a file there (`ChildNameGenerator` of https://github.com/jenkinsci/cloudbees-folder-plugin).
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from monotron.core import names
from monotron.core.errors import InvalidName
from monotron.core.records import Series
from monotron.limits import LAST_VALUE, NAME_BYTES
from monotron.transfer import number_file
from monotron.transfer.items import Advance, Broken, CannotRead, Item, Read, Skipped
from monotron.transfer.lines import SeriesLine
from monotron.transfer.number_file import NotAFile

NO_FOLDER = "it is not a folder"
NO_JOB = "it has neither a nextBuildNumber nor jobs"
NEVER_BUILT = "it contains 1: there has been no build yet"


def read(home: Path, account: int, now: int, advance: Advance) -> Iterator[Item]:
    """Iterate over a series for each job, at the number of its last build.

    The series is named like the job: by its full name, which a build has in `JOB_NAME`. Raises
    `CannotRead` if there are no jobs.
    """
    try:
        entries = _entries(home / "jobs")
    except OSError as error:
        raise CannotRead(
            f"it is not the home of a Jenkins: its folder jobs cannot be read: {error.strerror}"
        ) from error
    return _Jobs(home, account, now, advance).items(entries, "", frozenset())


_Entries: TypeAlias = "list[os.DirEntry[str]]"
_Folder: TypeAlias = tuple[int, int]
"""The device and the number of a folder, whatever link leads to it."""


@dataclass(frozen=True, slots=True)
class _Jobs:
    home: Path
    account: int
    now: int
    advance: Advance

    def items(self, entries: _Entries, prefix: str, above: frozenset[_Folder]) -> Iterator[Item]:
        """Iterate over the jobs in a folder, and over those in them."""
        for entry in entries:
            try:
                status = entry.stat()
                if not stat.S_ISDIR(status.st_mode):
                    yield Skipped(self._place(entry), NO_FOLDER)
                    continue
                name = prefix + _name(entry)
                below = [each for inner in _INNER for each in _entries_of(entry, inner)]
            except OSError as error:
                # A link that leads nowhere too: its jobs may be on a disk that is not mounted.
                yield Broken(self._place(entry), f"it cannot be read: {error.strerror}")
                continue
            folder = (status.st_dev, status.st_ino)
            if folder in above:
                yield Broken(self._place(entry), "it leads to a folder that it is in itself")
                continue
            yield from self._job(entry, name, is_empty=not below)
            self.advance(1)
            yield from self.items(below, f"{name}/", above | {folder})

    def _job(self, entry: "os.DirEntry[str]", name: str, *, is_empty: bool) -> Iterator[Item]:
        file = Path(entry.path, "nextBuildNumber")
        if not os.path.lexists(file):
            # A folder of jobs has no builds itself.
            if is_empty:
                yield Skipped(self._place(entry), NO_JOB)
            return
        place = self._place(file)
        try:
            coming, size = number_file.read(file)
            key = names.series_key(name)
        except NotAFile:
            yield Broken(place, "it is not a file")
        except OSError as error:
            yield Broken(place, f"it cannot be read: {error.strerror}")
        except InvalidName as error:
            yield Broken(place, str(error))
        else:
            if coming == 1:
                yield Skipped(place, NEVER_BUILT)
            elif not coming or coming > LAST_VALUE:
                yield Broken(place, "it does not contain the number of a build")
            else:
                series = Series(self.account, key, coming - 1, None, self.now, self.now)
                yield Read(place, SeriesLine(series), size=size)

    def _place(self, path: "os.PathLike[str]") -> str:
        # A name may contain anything that the file system allows.
        return repr(os.path.relpath(path, self.home))


def _entries(folder: str | Path) -> _Entries:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _entries_of(job: "os.DirEntry[str]", inner: str) -> _Entries:
    try:
        return _entries(os.path.join(job.path, inner))
    except FileNotFoundError:
        return []


def _name(entry: "os.DirEntry[str]") -> str:
    """Return the name of a job, as its parent knows it."""
    try:
        with open(os.path.join(entry.path, "name-utf8.txt"), "rb") as file:
            told = file.read(_NAME_FILE_BYTES)
    except FileNotFoundError:
        return entry.name
    # What is not UTF-8 is refused as a name.
    return told.decode(errors="surrogateescape").strip() or entry.name


_INNER = ("jobs", "branches")
_NAME_FILE_BYTES = 4 * NAME_BYTES
"""More than a series key may have, so that a longer name is refused and not cut off."""
