"""`monotron list`."""

import argparse

from monotron.commands.arguments import add_example, add_json, add_place
from monotron.commands.output import Table, require_output
from monotron.commands.places import place_of
from monotron.core import names
from monotron.settings import Settings


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_list)
    command.add_argument("--prefix", default="", help="only keys that start with this")
    command.add_argument(
        "--contains",
        default="",
        help="only keys with this anywhere, in upper or lower case",
    )
    add_json(command)
    add_place(command)
    add_example(command, "monotron list --prefix release/")


def _list(settings: Settings, arguments: argparse.Namespace) -> int:
    prefix, contains = names.prefix(arguments.prefix), names.part_of_key(arguments.contains)
    place = place_of(settings, arguments)
    require_output()
    with Table(("key", "value", "token"), json=arguments.json) as table:
        place.each_series(
            prefix, contains, lambda state: table.add(state.key, state.value, state.token)
        )
    return 0
