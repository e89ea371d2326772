"""The store that a command works on: that in the storage folder, beside a service or without."""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from monotron.commands.output import remark
from monotron.core import accounts, numbers
from monotron.settings import Settings
from monotron.store import making
from monotron.store.contract import Reading, Store
from monotron.store.frugal import FrugalStore
from monotron.store.lmdb import LmdbStore
from monotron.transfer import takeover
from monotron.transfer.dry_run import DryRun
from monotron.transfer.takeover import TakenOver

S = TypeVar("S", bound=Store)
T = TypeVar("T")

COMMAND_WAIT_SECONDS = 30.0
"""How long a command waits for its turn to write beside a busy service."""


def with_store(settings: Settings, action: Callable[[LmdbStore], T]) -> T:
    """Give what `action` gives on the store in the storage folder, beside a service or without.

    It never makes an empty store: in a mistyped folder a series would start at 1 again. After ^C it
    is not closed, which would wait for whoever holds the write lock.
    """
    _take_over(settings)
    store = LmdbStore(settings.storage_dir, create=False, wait_seconds=COMMAND_WAIT_SECONDS)
    return _used(store, action)


def with_store_to_fill(
    settings: Settings, action: Callable[[Store], None], *, dry_run: bool
) -> None:
    """Do it as above, but make a store where the folder is empty: there is none to be mistaken for.

    A dry run writes to a scratch store instead, in the folder for temporary files.
    """
    folder = settings.storage_dir
    if not dry_run:
        _take_over(settings)
    due = _is_take_over_due(folder)
    create = due or not folder.exists() or all(_may_be_anywhere(each) for each in folder.iterdir())
    if not dry_run:
        store = LmdbStore(folder, create=create, wait_seconds=COMMAND_WAIT_SECONDS)
        _used(FrugalStore(store), action)
        return
    with tempfile.TemporaryDirectory(prefix="monotron-") as scratch:
        read = Path(scratch, "empty") if create else folder
        store = LmdbStore(read, create=create, wait_seconds=COMMAND_WAIT_SECONDS)
        if due:
            brought = _bring_in(settings, FrugalStore(store), folder)
            remark(f"{brought.series} series of the older service would be imported before")
        written = LmdbStore(Path(scratch, "written"))
        _used(DryRun(FrugalStore(store), FrugalStore(written)), action)


def take_over(settings: Settings) -> TakenOver | None:
    """Make the store with what the older service has counted in the storage folder.

    None if there is a store already, or nothing of the older service. Every way to the store that
    may be the first one comes through here. Raises `StoreError`.
    """
    folder = settings.storage_dir
    if not _is_take_over_due(folder):
        return None
    return making.make(folder, lambda store: _bring_in(settings, FrugalStore(store), folder))


def account_of(reading: Reading, arguments: argparse.Namespace) -> int:
    """Give the account that is named; raises `InvalidNumber` and `NoSuchAccount`."""
    account = numbers.account(arguments.account)
    accounts.require(reading, account)
    return account


def _is_take_over_due(folder: Path) -> bool:
    return making.is_missing(folder) and takeover.has_counters(folder)


def _bring_in(settings: Settings, store: Store, folder: Path) -> TakenOver:
    now = time.time_ns() // 1000
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


def _may_be_anywhere(entry: Path) -> bool:
    """Tell whether an entry of a folder is no sign that the folder is used for something."""
    return entry.name == "lost+found" or entry.suffix == ".lock"
