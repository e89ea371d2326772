"""`monotron serve`."""

import argparse
import logging
from collections.abc import Sequence

from monotron import logs
from monotron.app import QUICK_PATHS, create_app, is_long
from monotron.commands.arguments import add_setting
from monotron.commands.taking_over import take_over
from monotron.errors import MonotronError
from monotron.measures import StoreMetrics, WorkerSlot
from monotron.opening import open_store
from monotron.server.service import Service
from monotron.server.supervisor import serve
from monotron.settings import SETTINGS, Settings
from monotron.store import folder as storage_folder
from monotron.waiting import Waiting

log = logging.getLogger("monotron")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_serve)
    # As an abbreviation, --root-api-secret would name its file, and be shown in an error.
    command.allow_abbrev = False
    for setting in SETTINGS:
        add_setting(command, setting.name)


def _serve(settings: Settings, arguments: argparse.Namespace) -> int:
    logs.configure(settings.log_format, access_log=settings.access_log)

    in_folder = settings.store is None

    def open_service(create: bool, slot: WorkerSlot, waiting: Waiting) -> Service:
        taken_over = take_over(settings) if create and in_folder else None
        if taken_over is not None:
            log.info("%s", taken_over)
        store = open_store(settings, create=create, waiting=waiting, observer=StoreMetrics(slot))
        app = create_app(store, settings, slot=slot, figures=store.figures)
        return Service(app, lambda: store.failed is None, store.close, QUICK_PATHS, is_long)

    def warnings() -> Sequence[str]:
        return storage_folder.warnings(settings.storage_dir) if in_folder else ()

    try:
        serve(settings, open_service, warnings)
    except MonotronError as error:
        if settings.log_format == "text":
            raise
        # A log collector reads only JSON.
        log.critical("%s", error)
        return 1
    return 0
