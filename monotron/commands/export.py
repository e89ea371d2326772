"""`monotron export`."""

import argparse

from monotron.commands.arguments import add_example, add_store
from monotron.commands.files import writing
from monotron.commands.output import require_output
from monotron.commands.progress import progress
from monotron.commands.stores import with_store_to_read
from monotron.opening import frugal
from monotron.settings import Settings
from monotron.store.contract import Store
from monotron.transfer import exporting, lines


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_export)
    command.add_argument(
        "file", metavar="FILE", nargs="?", default="-", help="a new file; default stdout"
    )
    add_store(command)
    add_example(command, "monotron export monotron.jsonl")


def _export(settings: Settings, arguments: argparse.Namespace) -> int:
    if arguments.file == "-":
        require_output()

    def export(store: Store) -> None:
        with writing(arguments.file) as write, progress(" lines") as bar:
            write(lines.header())
            for line in exporting.lines(frugal(store)):
                write(lines.to_json(line))
                bar.update()

    with_store_to_read(settings, export)
    return 0
