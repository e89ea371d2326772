"""Opening a store: the only place that names an engine.

The service and every subcommand open their stores here. A new engine is one module in
`monotron/store` and its line below.
"""

from pathlib import Path
from typing import TypeAlias

from monotron.core import tables
from monotron.settings import Settings
from monotron.store import read_only
from monotron.store.batch import Observer
from monotron.store.lmdb import WAIT_SECONDS, LmdbStore
from monotron.waiting import Waiting

OpenStore: TypeAlias = LmdbStore
"""A store that can be written."""

ReadableStore: TypeAlias = read_only.OpenStore
"""A store that may be in a folder that cannot be written."""

SCRATCH_MAP_SIZE = 16 * 2**30
"""The most that a dry run can write, in bytes: some 100 million series. It is address space in
addition to the store's own, and there may be little more (39 bits, `ulimit -v`)."""


def open_store(
    settings: Settings,
    *,
    create: bool = True,
    wait_seconds: float = WAIT_SECONDS,
    waiting: Waiting | None = None,
    observer: Observer | None = None,
) -> OpenStore:
    """Open and return the store of the settings, creating it if it is missing and `create` is on.

    `waiting` is how its callers wait: by default, their threads are blocked. `observer` hears of
    each commit. The store belongs to the process that opens it: open it after a fork. Raises a
    `StoreError`.
    """
    return LmdbStore(
        settings.storage_dir,
        tables.ALL,
        create=create,
        wait_seconds=wait_seconds,
        waiting=waiting,
        observer=observer,
    )


def open_to_read(settings: Settings, *, wait_seconds: float) -> ReadableStore:
    """Open and return the store of the settings, even if it cannot be written.

    Raises a `StoreError`.
    """
    return read_only.open_to_read(settings.storage_dir, tables.ALL, wait_seconds=wait_seconds)


def open_scratch(folder: Path) -> OpenStore:
    """Create and return a store for what a dry run writes."""
    return LmdbStore(folder, tables.ALL, map_size=SCRATCH_MAP_SIZE)
