"""The store that an import fills, and the scratch store that a dry run fills instead."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from monotron.commands import taking_over
from monotron.commands.output import remark
from monotron.commands.stores import COMMAND_WAIT_SECONDS, take_over_first, used
from monotron.opening import ReadableStore, open_scratch, open_store, open_to_read
from monotron.settings import Settings
from monotron.store import folder as storage_folder
from monotron.store import making
from monotron.store.contract import Store
from monotron.store.folder import LOCK_FILE, NEW_FILE
from monotron.store.frugal import FrugalStore
from monotron.transfer.dry_run import DryRun


def with_store_to_fill(
    settings: Settings, action: Callable[[Store], None], *, dry_run: bool
) -> None:
    """Run `action` on the store in the storage folder.

    If the folder is empty, it creates a store: it cannot be a mistyped one. A dry run writes to a
    scratch store instead, in the folder for temporary files.
    """
    if dry_run:
        _dry_run(settings, action)
        return
    folder = storage_folder.absolute(settings.storage_dir)
    take_over_first(settings)
    store = open_store(settings, create=_is_empty(folder), wait_seconds=COMMAND_WAIT_SECONDS)
    used(FrugalStore(store), action)


def _dry_run(settings: Settings, action: Callable[[Store], None]) -> None:
    folder = storage_folder.absolute(settings.storage_dir)
    due = taking_over.is_due(folder)
    with tempfile.TemporaryDirectory(prefix="monotron-") as scratch:
        store: ReadableStore
        if due or _is_empty(folder):
            store = open_scratch(Path(scratch, "empty"))
        else:
            store = open_to_read(settings, wait_seconds=COMMAND_WAIT_SECONDS)
        if due:
            taken_over = taking_over.bring_in(settings, FrugalStore(store), folder)
            remark(f"{taken_over.series} series of the older service would be imported first")
        written = open_scratch(Path(scratch, "written"))
        used(DryRun(FrugalStore(store), FrugalStore(written)), action)


def _is_empty(folder: Path) -> bool:
    return not folder.exists() or all(_may_be_anywhere(entry) for entry in folder.iterdir())


def _may_be_anywhere(entry: Path) -> bool:
    """Return whether an entry may be in a folder that is not in use.

    A start that failed may have left files behind: only the data file is a store.
    """
    return entry.name in _ANYWHERE or entry.suffix == ".lock"


_ANYWHERE = {"lost+found", LOCK_FILE, NEW_FILE, making.WORK_FOLDER}
