"""`monotron seed`."""

import argparse
from dataclasses import asdict

from monotron.commands.arguments import add_example, add_json, add_place, whole_number
from monotron.commands.output import report, show_json
from monotron.commands.places import place_of
from monotron.core import names, numbers
from monotron.settings import Settings


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_seed)
    command.add_argument("key", metavar="KEY", help="the series; made if it is missing")
    command.add_argument(
        "value", metavar="VALUE", type=whole_number, help="the last number that was used"
    )
    add_json(command)
    add_place(command)
    add_example(command, "monotron seed shop 110")


def _seed(settings: Settings, arguments: argparse.Namespace) -> int:
    key, value = names.series_key(arguments.key), numbers.value(arguments.value)
    state = place_of(settings, arguments).seed(key, value)
    if arguments.json:
        show_json(asdict(state))
    else:
        report(f"the next value of {key!r} is {state.value + 1}")
    return 0
