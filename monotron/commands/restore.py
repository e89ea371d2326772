"""`monotron restore`."""

import argparse
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from monotron.commands import taking_over
from monotron.commands.advance import show_advanced
from monotron.commands.arguments import add_example, add_store, whole_number
from monotron.commands.output import report
from monotron.commands.signals import end_as_interrupted
from monotron.core import check, clock, restoring, tables
from monotron.opening import replacing_cluster
from monotron.settings import Settings
from monotron.store import backup, copying
from monotron.store.backup import CannotCopy
from monotron.store.contract import Reading, Store, StoreCorrupt
from monotron.store.etcd.address import Address
from monotron.transfer.takeover import TakenOver


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_restore)
    command.add_argument("file", metavar="FILE", help="a backup from `monotron backup`")
    command.add_argument(
        "--replace",
        action="store_true",
        help="even if series move back or are lost; on etcd, even if the store has any rows",
    )
    command.add_argument(
        "--advance",
        type=whole_number,
        metavar="N",
        help="move every series up by N, past the numbers given out since the backup was taken",
    )
    add_store(command)
    add_example(command, "monotron restore monotron.mdb --advance 1000")


def _restore(settings: Settings, arguments: argparse.Namespace) -> int:
    end_as_interrupted()
    file, by = Path(arguments.file), arguments.advance
    if by is not None:
        restoring.distance(by)
    if settings.store is None:
        return _into_folder(settings, file, by, replace=arguments.replace)
    return _into_cluster(settings, settings.store, file, by, replace=arguments.replace)


def _into_folder(settings: Settings, file: Path, by: int | None, *, replace: bool) -> int:
    folder = settings.storage_dir
    counters = taking_over.is_due(folder)

    def accept(
        copy: Store, present: Reading | None
    ) -> tuple[check.Report, restoring.Advanced | None, TakenOver | None]:
        found = _checked(file, copy)
        if present is not None:
            _refuse_loss(copy.view(lambda reading: restoring.loss(present, reading)))
        advanced = _advanced(copy, by)
        if not counters:
            return found, advanced, None
        return found, advanced, taking_over.bring_in(settings, copy, folder)

    found, advanced, taken_over = backup.restore(file, folder, tables.ALL, accept, replace=replace)
    _show_restored(found, advanced, by)
    if taken_over is not None:
        report(taken_over)
    return 0


def _into_cluster(
    settings: Settings, address: Address, file: Path, by: int | None, *, replace: bool
) -> int:
    advanced: restoring.Advanced | None = None
    with backup.unpacked(file, tables.ALL) as copy:
        found = _checked(file, copy)

        def accept(present: Store | None) -> None:
            nonlocal advanced
            if present is not None and not replace:
                copy.view(lambda reading: _refuse_rows(address, present, reading))
            advanced = _advanced(copy, by)

        with replacing_cluster(settings, address, accept) as empty:
            copy.view(partial(copying.put_all, tables.ALL, empty))
    _show_restored(found, advanced, by)
    return 0


def _checked(file: Path, copy: Store) -> check.Report:
    """Return what is in a backup; raises `StoreCorrupt` if it is damaged."""
    found = copy.view(check.walk)
    if found.problems:
        raise StoreCorrupt(f"{file} is damaged: {found.problems[0]}")
    return found


def _advanced(copy: Store, by: int | None) -> restoring.Advanced | None:
    return None if by is None else restoring.advance_all(copy, by, now=clock.now())


def _refuse_rows(address: Address, present: Store, copy: Reading) -> None:
    """Raise `CannotCopy` if the store on etcd has rows; it says which numbers would be lost."""
    is_empty, loss = present.view(
        lambda reading: (restoring.is_empty(reading), restoring.loss(reading, copy))
    )
    _refuse_loss(loss)
    if not is_empty:
        raise CannotCopy(
            f"the store at {address} is not empty; --replace puts the backup in its place"
        )


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
