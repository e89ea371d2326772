"""`monotron check`."""

import argparse
import tempfile
from functools import partial
from pathlib import Path

from monotron.commands.arguments import add_example, add_json, add_store
from monotron.commands.output import require_output, show, show_columns, show_json
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
    add_json(command)
    add_store(command)
    add_example(command, "monotron check monotron.mdb")


def _check(settings: Settings, arguments: argparse.Namespace) -> int:
    end_as_interrupted()
    require_output()
    if arguments.target is None and settings.store is not None:
        target: object = settings.store
        found = _in_cluster(settings, settings.store)
    else:
        target = settings.storage_dir if arguments.target is None else Path(arguments.target)
        found = _in_file(target, quietly=arguments.json)
    rows = {table.decode(): count for table, count in found.rows.items()}
    if arguments.json:
        members = {"rows": rows, "remarks": found.remarks, "problems": found.problems}
        show_json({"target": str(target), "whole": not found.problems} | members)
    else:
        _show(target, rows, found)
    return 1 if found.problems else 0


def _show(target: object, rows: dict[str, int], found: check.Report) -> None:
    if rows:
        show_columns(rows)
    for remark in found.remarks:
        show(f"remark: {remark}")
    for problem in found.problems:
        show(f"problem: {problem}")
    show(f"{target} is damaged" if found.problems else f"{target} is whole")


def _in_cluster(settings: Settings, store: Address) -> check.Report:
    """Check a copy of one moment: row by row, each would be asked for over the network."""
    with tempfile.TemporaryDirectory(prefix="monotron-") as folder:
        copy = open_scratch(Path(folder))
        try:
            copy_anew = partial(copying.copy_anew, tables.ALL, copy)
            with_cluster(settings, store, lambda cluster: cluster.view(copy_anew))
            return copy.view(check.walk)
        finally:
            copy.close()


def _in_file(target: Path, *, quietly: bool) -> check.Report:
    """Check a file; the rows of one that is damaged are not looked at."""
    with backup.frozen(target) as file:
        if file.copied and not quietly:
            show("the store is in use: a copy of it is checked")
        problems = verify_file(file.path)
        if problems:
            return check.Report(rows={}, problems=problems)
        with reading_file(file.path, tables.ALL) as reading:
            return check.walk(reading)
