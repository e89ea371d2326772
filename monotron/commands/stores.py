"""The store that a command works on: that in the storage folder, beside a service or without."""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from monotron.core import accounts, clock, numbers
from monotron.core.call import Call
from monotron.opening import open_store
from monotron.settings import Settings
from monotron.store.contract import Reading, Store
from monotron.store.frugal import FrugalStore
from monotron.store.lmdb import LmdbStore
from monotron.transfer.dry_run import DryRun

S = TypeVar("S", bound=Store)
T = TypeVar("T")

COMMAND_WAIT_SECONDS = 30.0
"""How long a command waits for its turn to write beside a busy service."""


def with_store(settings: Settings, action: Callable[[LmdbStore], T]) -> T:
    """Give what `action` gives on the store in the storage folder, beside a service or without.

    It never makes a store: in a mistyped folder a series would start at 1 again. After ^C it is
    not closed, which would wait for whoever holds the write lock.
    """
    store = open_store(settings, create=False, wait_seconds=COMMAND_WAIT_SECONDS)
    return _used(store, action)


def with_store_to_fill(
    settings: Settings, action: Callable[[Store], None], *, dry_run: bool
) -> None:
    """Do it as above, but make a store where the folder is empty: there is none to be mistaken for.

    A dry run writes to a scratch store instead, in the folder for temporary files.
    """
    folder = settings.storage_dir
    create = not folder.exists() or all(_may_be_anywhere(each) for each in folder.iterdir())
    if not dry_run:
        store = open_store(settings, create=create, wait_seconds=COMMAND_WAIT_SECONDS)
        _used(FrugalStore(store), action)
        return
    with tempfile.TemporaryDirectory(prefix="monotron-") as scratch:
        read = replace(settings, storage_dir=Path(scratch, "empty")) if create else settings
        store = open_store(read, create=create, wait_seconds=COMMAND_WAIT_SECONDS)
        written = open_store(replace(settings, storage_dir=Path(scratch, "written")))
        _used(DryRun(FrugalStore(store), FrugalStore(written)), action)


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
