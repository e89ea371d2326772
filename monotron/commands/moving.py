"""`monotron import` and `monotron export`."""

import argparse
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from monotron.commands.arguments import Commands, add_setting
from monotron.commands.output import printing, report, require_output
from monotron.commands.stores import with_store_to_fill, with_store_to_read
from monotron.core import clock, numbers
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.errors import MonotronError
from monotron.settings import Settings
from monotron.store.contract import Store
from monotron.store.frugal import FrugalStore
from monotron.store.read_only import OpenStore
from monotron.transfer import buildnumber, exporting, importing, jsonl, lines, postgres
from monotron.transfer.items import Item
from monotron.transfer.tally import Tally

if TYPE_CHECKING:
    from tqdm import tqdm


def add_to(commands: Commands) -> None:
    """Add them, with their arguments."""
    imports = commands.add_parser(
        "import", help="bring in the series of another service, or what export wrote"
    )
    _add_sources(imports.add_subparsers(required=True, metavar="SOURCE"))

    command = commands.add_parser("export", help="write everything there is as JSON lines")
    command.set_defaults(command=_export)
    command.add_argument(
        "file", metavar="FILE", nargs="?", default="-", help="a new file; default stdout"
    )
    add_setting(command, "storage_dir")


def _add_sources(commands: Commands) -> None:
    command = commands.add_parser(
        "buildnumber", help="the folder of the older build-number service"
    )
    command.set_defaults(command=_import_folder)
    command.add_argument("folder", metavar="DIR", help="one file for each counter, named by a UUID")
    command.add_argument(
        "--account",
        type=int,
        default=FIRST_ACCOUNT,
        help=f"made if missing; default {FIRST_ACCOUNT}",
    )
    _add_options(command)

    command = commands.add_parser("monotron", help="rows of the older series service's database")
    command.set_defaults(command=_import_file, read=postgres.read)
    command.add_argument(
        "file", metavar="FILE", help="CSV or JSON lines as psql writes; - is stdin"
    )
    _add_options(command)

    command = commands.add_parser("jsonl", help="what monotron export wrote")
    command.set_defaults(
        command=_import_file, read=lambda stream, now, advance: jsonl.read(stream, advance)
    )
    command.add_argument("file", metavar="FILE", help="- is stdin")
    _add_options(command)


def _add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--dry-run", action="store_true", help="tell what would be, write nothing")
    command.add_argument(
        "--strict",
        action="store_true",
        help="stop at the first broken line; fail where anything was skipped",
    )
    add_setting(command, "history")
    add_setting(command, "storage_dir")


def _import_folder(settings: Settings, arguments: argparse.Namespace) -> int:
    account, now = numbers.account(arguments.account), clock.now()
    folder = Path(arguments.folder)
    with _progress(" files") as bar:
        items = buildnumber.read(folder, account, now, bar.update)
        return _import_items(settings, arguments, items, now, bar)


def _import_file(settings: Settings, arguments: argparse.Namespace) -> int:
    now = clock.now()
    with _input(arguments.file) as stream, _progress("B", _size(stream)) as bar:
        items = arguments.read(stream, now, bar.update)
        return _import_items(settings, arguments, items, now, bar)


def _import_items(
    settings: Settings,
    arguments: argparse.Namespace,
    items: Iterator[Item],
    now: int,
    bar: "tqdm[NoReturn]",
) -> int:
    """Import, and print what became of it, also of a part where there was a failure."""
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


def _export(settings: Settings, arguments: argparse.Namespace) -> int:
    if arguments.file == "-":
        require_output()

    def export(store: OpenStore) -> None:
        with _output(arguments.file) as write, _progress(" lines") as bar:
            write(lines.header())
            for line in exporting.lines(FrugalStore(store)):
                write(lines.to_json(line))
                bar.update()

    with_store_to_read(settings, export)
    return 0


@contextmanager
def _input(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        if sys.stdin is None:
            raise CannotOpen("stdin is closed, so there is nothing to read")
        yield sys.stdin.buffer
        return
    try:
        handle = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise CannotOpen(f"{name} cannot be read: {error.strerror}") from error
    with open(handle, "rb") as stream:
        yield stream


@contextmanager
def _output(name: str) -> Iterator[Callable[[str], None]]:
    """Give what writes a line to stdout, or to a new file that a failure does not leave behind.

    The file is for its owner alone: it has digests of secrets.
    """
    if name == "-":
        yield _show_line
        return
    try:
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotOpen(f"{name} cannot be made: {error.strerror}") from error
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as file:
            yield lambda line: print(line, file=file)
            file.flush()
            os.fsync(handle)
    except BaseException:
        Path(name).unlink()
        raise


def _show_line(line: str) -> None:
    """Print it in UTF-8, whatever the terminal's encoding is."""
    with printing():
        sys.stdout.buffer.write(line.encode() + b"\n")


def _size(stream: BinaryIO) -> int | None:
    """Give how many bytes a file has; None where that is not known before its end."""
    status = os.fstat(stream.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _progress(unit: str, total: int | None = None) -> "tqdm[NoReturn]":
    """Give a bar on stderr; where that is no terminal, one that shows nothing."""
    # It takes as long to import as much of the rest, which no other command should wait for.
    from tqdm import tqdm

    # A bar that stalls needs no thread of its own to show that.
    tqdm.monitor_interval = 0
    return tqdm(total=total, unit=unit, unit_scale=True, disable=None, leave=False)


class CannotOpen(MonotronError):
    """A file to read or to make that cannot be."""
