"""The store that a command works on, even while a service runs."""

import argparse
from collections.abc import Callable
from typing import TypeVar

from monotron.commands.output import remark
from monotron.core import accounts, clock, numbers
from monotron.core.call import Call
from monotron.opening import (
    Cluster,
    FolderToRead,
    open_cluster,
    open_folder_to_read,
    open_store,
    open_to_read,
)
from monotron.settings import Settings
from monotron.store import making
from monotron.store.contract import Reading, Store
from monotron.store.etcd.address import Address

S = TypeVar("S", bound=Store)
T = TypeVar("T")

COMMAND_WAIT_SECONDS = 30.0
"""How long a command waits for its turn to write beside a busy service."""


def with_store(settings: Settings, action: Callable[[Store], T]) -> T:
    """Return what `action` returns on the store of the settings.

    It never creates an empty store: in a mistyped folder a series would start at 1 again. After ^C
    the store is not closed, because closing would wait for the holder of the write lock.
    """
    take_over_first(settings)
    store = open_store(settings, create=False, wait_seconds=COMMAND_WAIT_SECONDS)
    return used(store, action)


def with_store_to_read(settings: Settings, action: Callable[[Store], T]) -> T:
    """Do the same, but only to read, which works even if the folder cannot be written."""
    take_over_first(settings)
    store = open_to_read(settings, wait_seconds=COMMAND_WAIT_SECONDS)
    return used(store, action)


def with_folder_to_read(settings: Settings, action: Callable[[FolderToRead], T]) -> T:
    """Do the same with what only a store in a folder has."""
    take_over_first(settings)
    store = open_folder_to_read(settings.storage_dir, wait_seconds=COMMAND_WAIT_SECONDS)
    return used(store, action)


def with_cluster(settings: Settings, address: Address, action: Callable[[Cluster], T]) -> T:
    """Do the same with what only a store on etcd has."""
    return used(open_cluster(settings, address), action)


def call_of(settings: Settings, arguments: argparse.Namespace) -> Call:
    """Return the call that a command makes, in the named account.

    The account may not exist. Raises `InvalidNumber`.
    """
    return Call(numbers.account(arguments.account), None, clock.now(), settings.history)


def account_of(reading: Reading, arguments: argparse.Namespace) -> int:
    """Return the named account; raises `InvalidNumber` and `NoSuchAccount`."""
    account = numbers.account(arguments.account)
    accounts.require(reading, account)
    return account


def take_over_first(settings: Settings) -> None:
    """Take over the older service's counters, and say so; raises `StoreError`."""
    if settings.store is not None or not making.is_missing(settings.storage_dir):
        return
    # It takes as long to import as everything else, and few commands need it.
    from monotron.commands.taking_over import take_over

    taken_over = take_over(settings)
    if taken_over is not None:
        remark(taken_over)


def used(store: S, action: Callable[[S], T]) -> T:
    """Return what `action` returns on the store; close the store, except after ^C."""
    try:
        result = action(store)
    except Exception:
        store.close()
        raise
    store.close()
    return result
