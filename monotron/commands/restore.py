"""`monotron restore`."""

import argparse
from datetime import datetime, timezone
from pathlib import Path

from monotron.commands import taking_over
from monotron.commands.advance import show_advanced
from monotron.commands.arguments import add_store, whole_number
from monotron.commands.output import report
from monotron.commands.signals import end_as_interrupted
from monotron.commands.stores import require_folder
from monotron.core import check, clock, restoring, tables
from monotron.settings import Settings
from monotron.store import backup
from monotron.store.backup import CannotCopy
from monotron.store.contract import Reading, Store, StoreCorrupt
from monotron.transfer.takeover import TakenOver


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_restore)
    command.add_argument("file", metavar="FILE", help="a backup from `monotron backup`")
    command.add_argument(
        "--replace", action="store_true", help="even if series move back or are lost"
    )
    command.add_argument(
        "--advance",
        type=whole_number,
        metavar="N",
        help="move every series up by N, past the numbers given out since the backup was taken",
    )
    add_store(command)


def _restore(settings: Settings, arguments: argparse.Namespace) -> int:
    require_folder(settings, "restore")
    end_as_interrupted()
    file, by, folder = Path(arguments.file), arguments.advance, settings.storage_dir
    counters = taking_over.is_due(folder)
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
        return found, advanced, taking_over.bring_in(settings, copy, folder)

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
            f"the store is ahead of the backup: {loss.behind} series would move back and "
            f"{loss.missing} would be lost, for example {loss.example}. --replace restores it "
            "anyway, and --advance moves it past the numbers given out since"
        )


def _show_restored(
    found: check.Report, advanced: restoring.Advanced | None, by: int | None
) -> None:
    newest = datetime.fromtimestamp(found.newest_change / 1e6, timezone.utc)
    report(
        f"restored {found.rows[tables.SERIES]} series, last changed at "
        f"{newest:%Y-%m-%dT%H:%M:%S.%fZ}"
    )
    if advanced is None or by is None:
        report("numbers given out after the backup was taken will be given out again")
    else:
        show_advanced(advanced, by)
