"""`monotron backup`."""

import argparse
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial
from typing import IO, TypeVar

from monotron.commands.arguments import add_example, add_store
from monotron.commands.output import fail, printing, report, require_output
from monotron.commands.signals import end_as_interrupted
from monotron.commands.stores import with_cluster, with_folder_to_read
from monotron.core import tables
from monotron.settings import Settings
from monotron.store import backup

T = TypeVar("T")

Write = Callable[[IO[bytes]], None]
"""Writes a backup to a file or pipe."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_backup)
    command.add_argument(
        "target", metavar="FILE|DIR", help="a new file, a folder for a new file, or - for stdout"
    )
    add_store(command)
    add_example(command, "monotron backup /var/backups/monotron")


def _backup(settings: Settings, arguments: argparse.Namespace) -> int:
    if arguments.target == "-":
        return _back_up_to_output(settings)
    end_as_interrupted()
    path = backup.path_of(arguments.target, datetime.now(timezone.utc))
    count = _with_write(settings, lambda write: backup.take(write, path, tables.SERIES))
    report(f"{path}: {path.stat().st_size} bytes, {count} series")
    return 0


def _back_up_to_output(settings: Settings) -> int:
    require_output()
    if sys.stdout.isatty():
        return fail("a backup is not text for a terminal: name a file, or use a pipe", 1)

    def copy(write: Write) -> None:
        with printing():
            write(sys.stdout.buffer)

    _with_write(settings, copy)
    return 0


def _with_write(settings: Settings, action: Callable[[Write], T]) -> T:
    """Return what `action` returns with what writes a backup of the store of the settings."""
    if settings.store is None:
        return with_folder_to_read(settings, lambda store: action(store.copy))
    # There are temporary files to remove.
    end_as_interrupted()
    return with_cluster(
        settings,
        settings.store,
        lambda store: action(partial(backup.write_rows, store, tables.ALL)),
    )
