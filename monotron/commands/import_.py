"""`monotron import`. Its file has an underscore because `import` is a keyword."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from monotron.commands.arguments import add_example, add_setting, add_store, whole_number
from monotron.commands.files import reading, size_of
from monotron.commands.filling import with_store_to_fill
from monotron.commands.output import report
from monotron.commands.progress import progress
from monotron.core import clock, numbers
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.settings import Settings
from monotron.store.contract import Store
from monotron.transfer import buildnumber, importing, jenkins, jsonl, key_values, postgres
from monotron.transfer.items import Item
from monotron.transfer.tally import Tally

if TYPE_CHECKING:
    from tqdm import tqdm


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its sources, with their arguments and functions."""
    commands = command.add_subparsers(required=True, metavar="SOURCE")

    command = commands.add_parser(
        "buildnumber", help="the folder of the older build-number service"
    )
    command.set_defaults(run=_import_folder, read=buildnumber.read, unit=" files")
    command.add_argument("folder", metavar="DIR", help="a file for each counter, named by a UUID")
    _add_account(command)
    _add_options(command)
    add_example(command, "monotron import buildnumber /var/lib/buildnumber --dry-run")

    command = commands.add_parser("monotron", help="rows of the older series service's database")
    command.set_defaults(run=_import_file, read=postgres.read)
    command.add_argument(
        "file", metavar="FILE", help="CSV or JSON lines as psql writes them; - is stdin"
    )
    _add_options(command)
    add_example(command, "monotron import monotron rows.csv")

    command = commands.add_parser("jenkins", help="the build numbers of every job of a Jenkins")
    command.set_defaults(run=_import_folder, read=jenkins.read, unit=" jobs")
    command.add_argument("folder", metavar="JENKINS_HOME", help="the folder that contains jobs")
    _add_account(command)
    _add_options(command)
    add_example(command, "monotron import jenkins /var/lib/jenkins --dry-run")

    command = commands.add_parser("csv", help="lines with a series key and the last value of each")
    command.set_defaults(run=_import_key_values)
    command.add_argument("file", metavar="FILE", help="key,value on each line; - is stdin")
    _add_account(command)
    _add_options(command)
    add_example(command, "monotron import csv numbers.csv --dry-run")

    command = commands.add_parser("jsonl", help="a file from monotron export")
    command.set_defaults(
        run=_import_file, read=lambda stream, now, advance: jsonl.read(stream, advance)
    )
    command.add_argument("file", metavar="FILE", help="- is stdin")
    _add_options(command)
    add_example(command, "monotron import jsonl monotron.jsonl")


def _add_account(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--account",
        type=whole_number,
        default=FIRST_ACCOUNT,
        help=f"created if missing; default {FIRST_ACCOUNT}",
    )


def _add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--dry-run", action="store_true", help="show what would happen, and write nothing"
    )
    command.add_argument(
        "--strict",
        action="store_true",
        help="stop at the first broken line; fail if anything was skipped",
    )
    add_setting(command, "history")
    add_store(command)


def _import_folder(settings: Settings, arguments: argparse.Namespace) -> int:
    account, now = numbers.account(arguments.account), clock.now()
    folder = Path(arguments.folder)
    with progress(arguments.unit) as bar:
        items = arguments.read(folder, account, now, bar.update)
        return _import_items(settings, arguments, items, now, bar)


def _import_file(settings: Settings, arguments: argparse.Namespace) -> int:
    now = clock.now()
    with reading(arguments.file) as stream, progress("B", size_of(stream)) as bar:
        items = arguments.read(stream, now, bar.update)
        return _import_items(settings, arguments, items, now, bar)


def _import_key_values(settings: Settings, arguments: argparse.Namespace) -> int:
    account = numbers.account(arguments.account)
    arguments.read = lambda stream, now, advance: key_values.read(stream, account, now, advance)
    return _import_file(settings, arguments)


def _import_items(
    settings: Settings,
    arguments: argparse.Namespace,
    items: Iterator[Item],
    now: int,
    bar: "tqdm[NoReturn]",
) -> int:
    """Import, and print the result, even of a part if the import fails."""
    options = importing.Options(settings.history, now, arguments.strict)
    tally = Tally()

    def complain(line: str) -> None:
        bar.write(f"monotron: {line}", file=sys.stderr)

    def run(store: Store) -> None:
        try:
            importing.run(store, items, options, tally, complain)
        finally:
            bar.close()
            report(*tally.summary(), sep="\n")

    with_store_to_fill(settings, run, dry_run=arguments.dry_run)
    return 1 if tally.broken or (arguments.strict and tally.skipped) else 0
