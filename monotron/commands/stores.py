"""The store that a command works on: that in the storage folder, beside a service or without."""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from monotron.commands.output import remark
from monotron.core import accounts, clock, numbers, tables
from monotron.core.call import Call
from monotron.opening import open_store
from monotron.settings import Settings
from monotron.store import folder as storage_folder
from monotron.store import making
from monotron.store.contract import Reading, Store
from monotron.store.folder import LOCK_FILE, NEW_FILE
from monotron.store.frugal import FrugalStore
from monotron.store.lmdb import LmdbStore
from monotron.store.read_only import OpenStore, open_to_read
from monotron.transfer import takeover
from monotron.transfer.dry_run import DryRun
from monotron.transfer.takeover import TakenOver

S = TypeVar("S", bound=Store)
T = TypeVar("T")

COMMAND_WAIT_SECONDS = 30.0
"""How long a command waits for its turn to write beside a busy service."""

SCRATCH_MAP_SIZE = 16 * 2**30
"""The most that a dry run can write, in bytes: some 100 million series. It is address space beside
the store's own, of which there may be little more (39 bits, `ulimit -v`)."""


def with_store(settings: Settings, action: Callable[[LmdbStore], T]) -> T:
    """Give what `action` gives on the store in the storage folder, beside a service or without.

    It never makes an empty store: in a mistyped folder a series would start at 1 again. After ^C it
    is not closed, which would wait for whoever holds the write lock.
    """
    _take_over(settings)
    store = open_store(settings, create=False, wait_seconds=COMMAND_WAIT_SECONDS)
    return _used(store, action)


def with_store_to_read(settings: Settings, action: Callable[[OpenStore], T]) -> T:
    """Do it as above, but only to read: where the folder cannot be written, too."""
    _take_over(settings)
    store = open_to_read(settings.storage_dir, tables.ALL, wait_seconds=COMMAND_WAIT_SECONDS)
    return _used(store, action)


def with_store_to_fill(
    settings: Settings, action: Callable[[Store], None], *, dry_run: bool
) -> None:
    """Do it as above, but make a store where the folder is empty: there is none to be mistaken for.

    A dry run writes to a scratch store instead, in the folder for temporary files.
    """
    if dry_run:
        _dry_run(settings, action)
        return
    folder = storage_folder.absolute(settings.storage_dir)
    _take_over(settings)
    store = open_store(settings, create=_is_empty(folder), wait_seconds=COMMAND_WAIT_SECONDS)
    _used(FrugalStore(store), action)


def _dry_run(settings: Settings, action: Callable[[Store], None]) -> None:
    folder = storage_folder.absolute(settings.storage_dir)
    due = _is_take_over_due(folder)
    with tempfile.TemporaryDirectory(prefix="monotron-") as scratch:
        store: OpenStore
        if due or _is_empty(folder):
            store = _scratch(Path(scratch, "empty"))
        else:
            store = open_to_read(folder, tables.ALL, wait_seconds=COMMAND_WAIT_SECONDS)
        if due:
            brought = _bring_in(settings, FrugalStore(store), folder)
            remark(f"{brought.series} series of the older service would be imported before")
        written = _scratch(Path(scratch, "written"))
        _used(DryRun(FrugalStore(store), FrugalStore(written)), action)


def _scratch(folder: Path) -> LmdbStore:
    return LmdbStore(folder, tables.ALL, map_size=SCRATCH_MAP_SIZE)


def take_over(settings: Settings) -> TakenOver | None:
    """Make the store with what the older service has counted in the storage folder.

    None if there is a store already, or nothing of the older service. Every way to the store that
    may be the first one comes through here. Raises `StoreError`.
    """
    folder = settings.storage_dir
    if not _is_take_over_due(folder):
        return None
    return making.make(
        folder, tables.ALL, lambda store: _bring_in(settings, FrugalStore(store), folder)
    )


def call_of(settings: Settings, arguments: argparse.Namespace) -> Call:
    """Return the call that a command makes, in the account that is named.

    Whether there is such an account is not known yet. Raises `InvalidNumber`.
    """
    return Call(numbers.account(arguments.account), None, clock.now(), settings.history)


def account_of(reading: Reading, arguments: argparse.Namespace) -> int:
    """Give the account that is named; raises `InvalidNumber` and `NoSuchAccount`."""
    account = numbers.account(arguments.account)
    accounts.require(reading, account)
    return account


def _is_take_over_due(folder: Path) -> bool:
    return making.is_missing(folder) and takeover.has_counters(folder)


def _bring_in(settings: Settings, store: Store, folder: Path) -> TakenOver:
    now = clock.now()
    return takeover.bring_in(store, folder.resolve(), keep=settings.history, now=now)


def _take_over(settings: Settings) -> None:
    taken_over = take_over(settings)
    if taken_over is not None:
        remark(taken_over)


def _used(store: S, action: Callable[[S], T]) -> T:
    try:
        result = action(store)
    except Exception:
        store.close()
        raise
    store.close()
    return result


def _is_empty(folder: Path) -> bool:
    return not folder.exists() or all(_may_be_anywhere(entry) for entry in folder.iterdir())


def _may_be_anywhere(entry: Path) -> bool:
    """Tell whether an entry of a folder is no sign that the folder is used for something.

    A start that failed may have left files behind: only the data file is a store.
    """
    return entry.name in _ANYWHERE or entry.suffix == ".lock"


_ANYWHERE = {"lost+found", LOCK_FILE, NEW_FILE, making.WORK_FOLDER}
