"""`monotron backup` and `monotron restore`."""

import argparse
import signal
import sys
from datetime import datetime, timezone
from pathlib import Path

from monotron.commands.arguments import Commands, add_setting
from monotron.commands.output import CannotPrint, fail, show
from monotron.commands.stores import with_store
from monotron.core import check, clock, restoring, tables
from monotron.settings import Settings
from monotron.store import backup
from monotron.store.backup import CannotCopy
from monotron.store.contract import Reading, Store, StoreCorrupt
from monotron.store.lmdb import LmdbStore


def add_to(commands: Commands) -> None:
    """Add them, with their arguments."""
    command = commands.add_parser("backup", help="copy the store, beside a service or without")
    command.set_defaults(command=_backup)
    command.add_argument(
        "target", metavar="FILE|DIR", help="a new file, a folder to make one in, or - for stdout"
    )
    add_setting(command, "storage_dir")

    command = commands.add_parser("restore", help="put a backup in the place of the store")
    command.set_defaults(command=_restore)
    command.add_argument("file", metavar="FILE", help="what `monotron backup` wrote")
    command.add_argument(
        "--replace", action="store_true", help="even where series go back by that or are gone"
    )
    command.add_argument(
        "--advance",
        type=int,
        metavar="N",
        help="move every series up by N, past what was given out since the backup was taken",
    )
    add_setting(command, "storage_dir")


def _backup(settings: Settings, arguments: argparse.Namespace) -> int:
    if arguments.target == "-":
        return _back_up_to_output(settings)
    end_as_interrupted()
    path = backup.path_of(arguments.target, datetime.now(timezone.utc))
    count = with_store(settings, lambda store: backup.take(store, path, tables.SERIES))
    show(f"{path}: {path.stat().st_size} bytes, {count} series")
    return 0


def _back_up_to_output(settings: Settings) -> int:
    if sys.stdout.isatty():
        return fail("a backup is no text for a terminal: name a file, or add a pipe", 1)

    def copy(store: LmdbStore) -> None:
        try:
            store.copy(sys.stdout.buffer)
        except OSError as error:
            raise CannotPrint(error.strerror) from error

    with_store(settings, copy)
    return 0


def _restore(settings: Settings, arguments: argparse.Namespace) -> int:
    end_as_interrupted()
    file, by = Path(arguments.file), arguments.advance
    if by is not None:
        restoring.distance(by)

    def accept(
        copy: Store, present: Reading | None
    ) -> tuple[check.Report, restoring.Advanced | None]:
        report = copy.view(check.walk)
        if report.problems:
            raise StoreCorrupt(f"{file} is damaged: {report.problems[0]}")
        if present is not None:
            _refuse_loss(copy.view(lambda reading: restoring.loss(present, reading)))
        now = clock.now()
        return report, None if by is None else restoring.advance_all(copy, by, now=now)

    report, advanced = backup.restore(
        file, settings.storage_dir, tables.ALL, accept, replace=arguments.replace
    )
    _show_restored(report, advanced, by)
    return 0


def _refuse_loss(loss: restoring.Loss | None) -> None:
    if loss is not None:
        raise CannotCopy(
            f"the store is further than the backup: {loss.behind} series would go back and "
            f"{loss.missing} would be gone, for example {loss.example}. --replace restores it all "
            "the same, and --advance moves it past what was given out since"
        )


def _show_restored(
    report: check.Report, advanced: restoring.Advanced | None, by: int | None
) -> None:
    newest = datetime.fromtimestamp(report.newest_change / 1e6, timezone.utc)
    show(
        f"restored {report.rows[tables.SERIES]} series, last changed at "
        f"{newest:%Y-%m-%dT%H:%M:%S.%fZ}"
    )
    if advanced is None:
        show("numbers given out after the backup was taken will be given out again")
        return
    show(f"moved {advanced.series} series up by {by}")
    for state in advanced.capped:
        show(
            f"the series {state.key!r} of account {state.account} was at {state.value} and is at "
            "the last value there is now"
        )


def end_as_interrupted() -> None:
    """Let SIGTERM do what ^C does: what is half done is taken away."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
