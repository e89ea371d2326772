"""Taking over the older build-number service's counters in the storage folder."""

from pathlib import Path

from monotron.core import clock, tables
from monotron.settings import Settings
from monotron.store import making
from monotron.store.contract import Store
from monotron.store.frugal import FrugalStore
from monotron.transfer import takeover
from monotron.transfer.takeover import TakenOver


def take_over(settings: Settings) -> TakenOver | None:
    """Create the store with the older service's counters in the storage folder.

    Returns None if there is a store already, or nothing of the older service. Everything that may
    be the first to open the store calls this. Raises `StoreError`.
    """
    folder = settings.storage_dir
    if not is_due(folder):
        return None
    return making.make(
        folder, tables.ALL, lambda store: bring_in(settings, FrugalStore(store), folder)
    )


def is_due(folder: Path) -> bool:
    """Return whether the folder has counters of the older service and no store yet.

    An existing store either has them already, or never will.
    """
    return making.is_missing(folder) and takeover.has_counters(folder)


def bring_in(settings: Settings, store: Store, folder: Path) -> TakenOver:
    """Import the counters in `folder` into `store`; raises `StoreError`."""
    now = clock.now()
    return takeover.bring_in(store, folder.resolve(), keep=settings.history, now=now)
