"""`monotron backup` and `monotron restore`."""

import argparse
import signal
import sys
from datetime import datetime, timezone
from pathlib import Path

from monotron.commands.arguments import Commands, add_setting
from monotron.commands.output import fail, printing, report, require_output
from monotron.commands.stores import with_store_to_read
from monotron.core import check, clock, restoring, tables
from monotron.settings import Settings
from monotron.store import backup, making
from monotron.store.backup import CannotCopy
from monotron.store.contract import Reading, Store, StoreCorrupt
from monotron.store.read_only import OpenStore
from monotron.transfer import takeover
from monotron.transfer.takeover import TakenOver


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
    count = with_store_to_read(settings, lambda store: backup.take(store, path, tables.SERIES))
    report(f"{path}: {path.stat().st_size} bytes, {count} series")
    return 0


def _back_up_to_output(settings: Settings) -> int:
    require_output()
    if sys.stdout.isatty():
        return fail("a backup is no text for a terminal: name a file, or add a pipe", 1)

    def copy(store: OpenStore) -> None:
        with printing():
            store.copy(sys.stdout.buffer)

    with_store_to_read(settings, copy)
    return 0


def _restore(settings: Settings, arguments: argparse.Namespace) -> int:
    end_as_interrupted()
    file, by, folder = Path(arguments.file), arguments.advance, settings.storage_dir
    # A store that is there has them already, or never will.
    counters = making.is_missing(folder) and takeover.has_counters(folder)
    if by is not None:
        restoring.distance(by)

    def accept(
        copy: Store, present: Reading | None
    ) -> tuple[check.Report, restoring.Advanced | None, TakenOver | None]:
        found = copy.view(check.walk)
        if found.problems:
            raise StoreCorrupt(f"{file} is damaged: {found.problems[0]}")
        if present is not None:
            _refuse_loss(copy.view(lambda reading: restoring.loss(present, reading)))
        now = clock.now()
        advanced = None if by is None else restoring.advance_all(copy, by, now=now)
        if not counters:
            return found, advanced, None
        return found, advanced, takeover.bring_in(copy, folder, keep=settings.history, now=now)

    found, advanced, taken_over = backup.restore(
        file, folder, tables.ALL, accept, replace=arguments.replace
    )
    _show_restored(found, advanced, by)
    if taken_over is not None:
        report(taken_over)
    return 0


def _refuse_loss(loss: restoring.Loss | None) -> None:
    if loss is not None:
        raise CannotCopy(
            f"the store is further than the backup: {loss.behind} series would go back and "
            f"{loss.missing} would be gone, for example {loss.example}. --replace restores it all "
            "the same, and --advance moves it past what was given out since"
        )


def _show_restored(
    found: check.Report, advanced: restoring.Advanced | None, by: int | None
) -> None:
    newest = datetime.fromtimestamp(found.newest_change / 1e6, timezone.utc)
    report(
        f"restored {found.rows[tables.SERIES]} series, last changed at "
        f"{newest:%Y-%m-%dT%H:%M:%S.%fZ}"
    )
    if advanced is None:
        report("numbers given out after the backup was taken will be given out again")
        return
    report(f"moved {advanced.series} series up by {by}")
    for state in advanced.capped:
        report(
            f"the series {state.key!r} of account {state.account} was at {state.value} and is at "
            "the last value there is now"
        )


def end_as_interrupted() -> None:
    """Let SIGTERM do what ^C does: what is half done is taken away."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
