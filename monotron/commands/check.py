"""`monotron check`."""

import argparse
import tempfile
from functools import partial
from pathlib import Path

from monotron.commands.arguments import add_example, add_store
from monotron.commands.output import require_output, show, show_columns
from monotron.commands.signals import end_as_interrupted
from monotron.commands.stores import with_cluster
from monotron.core import check, tables
from monotron.opening import open_scratch
from monotron.settings import Settings
from monotron.store import backup, copying
from monotron.store.data_file import reading_file, verify_file
from monotron.store.etcd.address import Address


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_check)
    command.add_argument(
        "target",
        metavar="FILE|DIR",
        nargs="?",
        help="a backup or a storage folder; default: the store of the settings",
    )
    add_store(command)
    add_example(command, "monotron check monotron.mdb")


def _check(settings: Settings, arguments: argparse.Namespace) -> int:
    end_as_interrupted()
    require_output()
    if arguments.target is None and settings.store is not None:
        target: object = settings.store
        problems = _problems_of_cluster(settings, settings.store)
    else:
        target = settings.storage_dir if arguments.target is None else Path(arguments.target)
        problems = _problems_of_file(target)
    for problem in problems:
        show(f"problem: {problem}")
    show(f"{target} is damaged" if problems else f"{target} is whole")
    return 1 if problems else 0


def _problems_of_cluster(settings: Settings, store: Address) -> list[str]:
    """Check a copy of one moment: row by row, each would be asked for over the network."""
    with tempfile.TemporaryDirectory(prefix="monotron-") as folder:
        copy = open_scratch(Path(folder))
        try:
            copy_anew = partial(copying.copy_anew, tables.ALL, copy)
            with_cluster(settings, store, lambda cluster: cluster.view(copy_anew))
            return _shown(copy.view(check.walk))
        finally:
            copy.close()


def _problems_of_file(target: Path) -> list[str]:
    with backup.frozen(target) as file:
        if file.copied:
            show("the store is in use: a copy of it is checked")
        problems = verify_file(file.path)
        if problems:
            return problems
        with reading_file(file.path, tables.ALL) as reading:
            return _shown(check.walk(reading))


def _shown(report: check.Report) -> list[str]:
    """Print what was looked at; return the problems."""
    show_columns({table.decode(): count for table, count in report.rows.items()})
    for remark in report.remarks:
        show(f"remark: {remark}")
    return report.problems
