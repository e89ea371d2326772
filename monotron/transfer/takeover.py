"""Taking over: a new store in the storage folder of the older build-number service.

Both services take their folder from STORAGE_DIR, `data` by default, so people start Monotron where
the older service counted. A new store that began there at 1 would give out every number twice.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from monotron.core import uuids
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.core.errors import InvalidName
from monotron.core.imports import Outcome
from monotron.store.contract import Store, StoreUnavailable
from monotron.transfer import buildnumber, importing
from monotron.transfer.importing import Options, Stopped
from monotron.transfer.items import Broken, CannotRead, Item, Skipped
from monotron.transfer.tally import SERIES, Tally


@dataclass(frozen=True, slots=True)
class TakenOver:
    """The result of taking over the older service's files."""

    series: int
    folder: Path

    def __str__(self) -> str:
        """Return a line for a person."""
        return (
            f"imported {self.series} series from the files of the older build-number service in "
            f"{self.folder}; they are not read again"
        )


def has_counters(folder: Path) -> bool:
    """Return whether the older service may have used `folder`: it has a file named after a UUID.

    Raises `StoreUnavailable` if the folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            return any(_is_counter(entry) for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise StoreUnavailable(
            f"storage folder {folder} cannot be read: {error.strerror}"
        ) from error


def bring_in(store: Store, folder: Path, *, keep: int, now: int) -> TakenOver:
    """Import every counter in `folder` into `store`, as `monotron import buildnumber` does.

    Raises `StoreUnavailable` at the first counter that cannot be read or does not contain a number:
    a series that was left out would begin at 1.
    """
    tally, complaints = Tally(), list[str]()
    try:
        items = _counters(buildnumber.read(folder, FIRST_ACCOUNT, now, lambda files: None))
        options = Options(keep, now, strict=True)
        importing.run(store, items, options, tally, complaints.append)
    except CannotRead as error:
        raise StoreUnavailable(f"storage folder {folder}: {error}") from error
    except Stopped as error:
        raise StoreUnavailable(
            f"a counter of the older build-number service in {folder} cannot be taken over: "
            f"{complaints[-1]}; nothing was stored. Repair the file, or move it away if its series "
            "may begin at 1"
        ) from error
    return TakenOver(tally.done[SERIES, Outcome.NEW], folder)


def _is_counter(entry: "os.DirEntry[str]") -> bool:
    try:
        uuids.canonical(entry.name)
    except InvalidName:
        return False
    try:
        return not entry.is_dir()
    except OSError:
        # Whatever it is, it is reported when it cannot be read.
        return True


def _counters(items: Iterator[Item]) -> Iterator[Item]:
    """Iterate over files named after a UUID; one without a number is broken, not skipped."""
    for item in items:
        if not isinstance(item, Skipped):
            yield item
        elif item.reason == buildnumber.NO_NUMBER:
            yield Broken(item.place, item.reason)
