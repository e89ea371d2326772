"""`monotron serve`."""

import argparse
import logging
import mmap
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Thread

from monotron import logs
from monotron.app import QUICK_PATHS, create_app, is_long
from monotron.commands.arguments import add_example, add_settings
from monotron.commands.taking_over import take_over
from monotron.core import upgrading
from monotron.core.pending import PendingActivity
from monotron.errors import MonotronError
from monotron.measures import StoreMetrics, WorkerSlot
from monotron.opening import OpenStore, open_cluster, open_store
from monotron.server.service import Service
from monotron.server.supervisor import serve
from monotron.settings import Settings
from monotron.store import folder as storage_folder
from monotron.store.contract import StoreCorrupt, StoreUnavailable
from monotron.waiting import Waiting

_FLUSH_SECONDS = 0.5
"""How long a worker that ends takes at most to write what is pending."""

_ID_BYTES = 64
"""More than the id of a store has."""

log = logging.getLogger("monotron")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_serve)
    # As an abbreviation, --root-api-secret would name its file, and be shown in an error.
    command.allow_abbrev = False
    add_settings(command)
    add_example(command, "monotron serve --storage-dir /var/lib/monotron --port 8080")


def _serve(settings: Settings, arguments: argparse.Namespace) -> int:
    logs.configure(settings.log_format, access_log=settings.access_log)

    same = _SameStore()

    def open_service(create: bool, slot: WorkerSlot, waiting: Waiting) -> Service:
        observer = StoreMetrics(slot)
        store: OpenStore
        if settings.store is None:
            taken_over = take_over(settings) if create else None
            if taken_over is not None:
                log.info("%s", taken_over)
            _upgrade(lambda: open_store(settings, create=create))
            store = open_store(settings, create=create, waiting=waiting, observer=observer)
        else:
            cluster = settings.store
            _upgrade(lambda: open_cluster(settings, cluster))
            store = open_cluster(settings, cluster, waiting=waiting, observer=observer)
            same.require(store.id)
        pending = PendingActivity()
        app = create_app(store, settings, slot=slot, figures=store.figures, pending=pending)

        def close() -> None:
            # A cluster that is out of reach would hold up the end for seconds.
            if settings.store is None:
                _flush(pending, store)
            store.close()

        return Service(app, lambda: store.failed is None, close, QUICK_PATHS, is_long)

    def warnings() -> Sequence[str]:
        return storage_folder.warnings(settings.storage_dir) if settings.store is None else ()

    try:
        serve(settings, open_service, warnings)
    except MonotronError as error:
        if settings.log_format == "text":
            raise
        # A log collector reads only JSON.
        log.critical("%s", error)
        return 1
    return 0


def _flush(pending: PendingActivity, store: OpenStore) -> None:
    """Write what is pending, unless that takes long: it is not worth being killed for.

    The loop has ended, so its own thread could no longer wait for the store.
    """
    flushing = Thread(target=pending.flush, args=(store,), daemon=True)
    # The system may refuse a thread.
    with suppress(RuntimeError):
        flushing.start()
        flushing.join(_FLUSH_SECONDS)


def _upgrade(open_: Callable[[], OpenStore]) -> None:
    """Bring a store of an earlier version up to date; its callers' threads may be blocked."""
    store = open_()
    try:
        _bring_up_to_date(store)
    finally:
        store.close()


def _bring_up_to_date(store: OpenStore) -> None:
    try:
        listed = upgrading.upgrade(store) if store.view(upgrading.is_due) else 0
    except StoreCorrupt as error:
        # A damaged row is no reason to give out no numbers of all other series.
        log.warning("not every series is in the index of changes: %s", error)
        return
    if listed:
        log.info("%d series of an earlier version are now in the index of changes", listed)


class _SameStore:
    """The id of the store that the first worker opened, in memory that all workers share."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _ID_BYTES)

    def require(self, store_id: bytes) -> None:
        """Raise `StoreUnavailable` if another store has the address now."""
        first = self._memory[:_ID_BYTES].rstrip(b"\0")
        if first and first != store_id:
            raise StoreUnavailable(
                "the store is not the one that this service was started with; restart the service "
                "if that is intended"
            )
        self._memory[: len(store_id)] = store_id
