"""Opening a store from the settings: the one place that names an engine.

The service and every subcommand open their stores here. A new engine is one module in
`monotron/store` and its line below.
"""

from monotron.core import tables
from monotron.settings import Settings
from monotron.store.batch import Observer
from monotron.store.lmdb import WAIT_SECONDS, LmdbStore


def open_store(
    settings: Settings,
    *,
    create: bool = True,
    wait_seconds: float = WAIT_SECONDS,
    observer: Observer | None = None,
) -> LmdbStore:
    """Open and return the store of the settings, creating it if it is missing and `create` is on.

    `observer` hears of each commit. The store belongs to the process that opens it: open it after a
    fork. Raises a `StoreError`.
    """
    return LmdbStore(
        settings.storage_dir,
        tables.ALL,
        create=create,
        wait_seconds=wait_seconds,
        observer=observer,
    )
