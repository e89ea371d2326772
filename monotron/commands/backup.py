"""`monotron backup`."""

import argparse
import sys
from datetime import datetime, timezone

from monotron.commands.arguments import add_store
from monotron.commands.output import fail, printing, report, require_output
from monotron.commands.signals import end_as_interrupted
from monotron.commands.stores import require_folder, with_folder_to_read
from monotron.core import tables
from monotron.opening import FolderToRead
from monotron.settings import Settings
from monotron.store import backup


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_backup)
    command.add_argument(
        "target", metavar="FILE|DIR", help="a new file, a folder for a new file, or - for stdout"
    )
    add_store(command)


def _backup(settings: Settings, arguments: argparse.Namespace) -> int:
    require_folder(settings, "backup")
    if arguments.target == "-":
        return _back_up_to_output(settings)
    end_as_interrupted()
    path = backup.path_of(arguments.target, datetime.now(timezone.utc))
    count = with_folder_to_read(settings, lambda store: backup.take(store, path, tables.SERIES))
    report(f"{path}: {path.stat().st_size} bytes, {count} series")
    return 0


def _back_up_to_output(settings: Settings) -> int:
    require_output()
    if sys.stdout.isatty():
        return fail("a backup is not text for a terminal: name a file, or use a pipe", 1)

    def copy(store: FolderToRead) -> None:
        with printing():
            store.copy(sys.stdout.buffer)

    with_folder_to_read(settings, copy)
    return 0
