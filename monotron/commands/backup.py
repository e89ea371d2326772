"""`monotron backup`."""

import argparse
import sys
from datetime import datetime, timezone

from monotron.commands.arguments import add_setting
from monotron.commands.output import fail, printing, report, require_output
from monotron.commands.signals import end_as_interrupted
from monotron.commands.stores import with_store_to_read
from monotron.core import tables
from monotron.opening import ReadableStore
from monotron.settings import Settings
from monotron.store import backup


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_backup)
    command.add_argument(
        "target", metavar="FILE|DIR", help="a new file, a folder for a new file, or - for stdout"
    )
    add_setting(command, "storage_dir")


def _backup(settings: Settings, arguments: argparse.Namespace) -> int:
    if arguments.target == "-":
        return _back_up_to_output(settings)
    end_as_interrupted()
    path = backup.path_of(arguments.target, datetime.now(timezone.utc))
    count = with_store_to_read(settings, lambda store: backup.take(store, path, tables.SERIES))
    report(f"{path}: {path.stat().st_size} bytes, {count} series")
    return 0


def _back_up_to_output(settings: Settings) -> int:
    require_output()
    if sys.stdout.isatty():
        return fail("a backup is not text for a terminal: name a file, or use a pipe", 1)

    def copy(store: ReadableStore) -> None:
        with printing():
            store.copy(sys.stdout.buffer)

    with_store_to_read(settings, copy)
    return 0
