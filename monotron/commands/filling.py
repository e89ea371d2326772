"""The store that an import fills, and the scratch store that a dry run fills instead."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from monotron.commands import taking_over
from monotron.commands.output import remark
from monotron.commands.stores import COMMAND_WAIT_SECONDS, take_over_first, used
from monotron.opening import frugal, open_scratch, open_store, open_to_read
from monotron.settings import Settings
from monotron.store import folder as storage_folder
from monotron.store import making
from monotron.store.contract import Store
from monotron.store.folder import LOCK_FILE, NEW_FILE
from monotron.transfer.dry_run import DryRun


def with_store_to_fill(
    settings: Settings, action: Callable[[Store], None], *, dry_run: bool
) -> None:
    """Run `action` on the store of the settings.

    If the storage folder is empty, it creates a store: it cannot be a mistyped one. A dry run
    writes to a scratch store instead, in the folder for temporary files.
    """
    if dry_run:
        _dry_run(settings, action)
        return
    take_over_first(settings)
    create = settings.store is None and _is_empty(storage_folder.absolute(settings.storage_dir))
    store = open_store(settings, create=create, wait_seconds=COMMAND_WAIT_SECONDS)
    used(frugal(store), action)


def _dry_run(settings: Settings, action: Callable[[Store], None]) -> None:
    with tempfile.TemporaryDirectory(prefix="monotron-") as scratch:
        store = _store_as_it_would_be(settings, Path(scratch, "empty"))
        written = open_scratch(Path(scratch, "written"))
        used(DryRun(frugal(store), frugal(written)), action)


def _store_as_it_would_be(settings: Settings, empty: Path) -> Store:
    """Return the store that would be filled; if there is none yet, a new one in `empty`."""
    if settings.store is not None:
        return open_to_read(settings, wait_seconds=COMMAND_WAIT_SECONDS)
    folder = storage_folder.absolute(settings.storage_dir)
    due = taking_over.is_due(folder)
    if not due and not _is_empty(folder):
        return open_to_read(settings, wait_seconds=COMMAND_WAIT_SECONDS)
    store = open_scratch(empty)
    if due:
        taken_over = taking_over.bring_in(settings, frugal(store), folder)
        remark(f"{taken_over.series} series of the older service would be imported first")
    return store


def _is_empty(folder: Path) -> bool:
    return not folder.exists() or all(_may_be_anywhere(entry) for entry in folder.iterdir())


def _may_be_anywhere(entry: Path) -> bool:
    """Return whether an entry may be in a folder that is not in use.

    A start that failed may have left files behind: only the data file is a store.
    """
    return entry.name in _ANYWHERE or entry.suffix == ".lock"


_ANYWHERE = {"lost+found", LOCK_FILE, NEW_FILE, making.WORK_FOLDER}
