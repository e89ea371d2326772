"""`monotron check`."""

import argparse
from pathlib import Path

from monotron.commands.arguments import add_setting
from monotron.commands.output import require_output, show, show_columns
from monotron.commands.signals import end_as_interrupted
from monotron.core import check, tables
from monotron.settings import Settings
from monotron.store import backup
from monotron.store.data_file import reading_file, verify_file


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_check)
    command.add_argument(
        "target",
        metavar="FILE|DIR",
        nargs="?",
        help="a backup or a storage folder; default: the storage folder of the settings",
    )
    add_setting(command, "storage_dir")


def _check(settings: Settings, arguments: argparse.Namespace) -> int:
    end_as_interrupted()
    require_output()
    target = settings.storage_dir if arguments.target is None else Path(arguments.target)
    with backup.frozen(target) as file:
        if file.copied:
            show("the store is in use: a copy of it is checked")
        problems = verify_file(file.path)
        if not problems:
            with reading_file(file.path, tables.ALL) as reading:
                report = check.walk(reading)
            show_columns({table.decode(): count for table, count in report.rows.items()})
            for remark in report.remarks:
                show(f"remark: {remark}")
            problems = report.problems
    for problem in problems:
        show(f"problem: {problem}")
    show(f"{target} is damaged" if problems else f"{target} is whole")
    return 1 if problems else 0
