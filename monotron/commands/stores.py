"""The store that a command works on: that in the storage folder, beside a service or without."""

import argparse
from collections.abc import Callable
from typing import TypeVar

from monotron.commands.output import remark
from monotron.core import accounts, clock, numbers, tables
from monotron.core.call import Call
from monotron.opening import open_store
from monotron.settings import Settings
from monotron.store import making
from monotron.store.contract import Reading, Store
from monotron.store.lmdb import LmdbStore
from monotron.store.read_only import OpenStore, open_to_read

S = TypeVar("S", bound=Store)
T = TypeVar("T")

COMMAND_WAIT_SECONDS = 30.0
"""How long a command waits for its turn to write beside a busy service."""


def with_store(settings: Settings, action: Callable[[LmdbStore], T]) -> T:
    """Give what `action` gives on the store in the storage folder, beside a service or without.

    It never makes an empty store: in a mistyped folder a series would start at 1 again. After ^C it
    is not closed, which would wait for whoever holds the write lock.
    """
    take_over_first(settings)
    store = open_store(settings, create=False, wait_seconds=COMMAND_WAIT_SECONDS)
    return used(store, action)


def with_store_to_read(settings: Settings, action: Callable[[OpenStore], T]) -> T:
    """Do it as above, but only to read: where the folder cannot be written, too."""
    take_over_first(settings)
    store = open_to_read(settings.storage_dir, tables.ALL, wait_seconds=COMMAND_WAIT_SECONDS)
    return used(store, action)


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


def take_over_first(settings: Settings) -> None:
    """Take over what the older service has counted, and say so; raises `StoreError`."""
    if not making.is_missing(settings.storage_dir):
        return
    # It takes as long to import as all the rest, which a command on a store should not wait for.
    from monotron.commands.taking_over import take_over

    taken_over = take_over(settings)
    if taken_over is not None:
        remark(taken_over)


def used(store: S, action: Callable[[S], T]) -> T:
    """Return what `action` returns on the store, closed but after ^C."""
    try:
        result = action(store)
    except Exception:
        store.close()
        raise
    store.close()
    return result
