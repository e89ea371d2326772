"""`monotron get`."""

import argparse
from dataclasses import asdict

from monotron.commands.arguments import add_example, add_json, add_place
from monotron.commands.output import fail, require_output, show, show_json
from monotron.commands.places import no_value_yet, place_of
from monotron.core import names
from monotron.settings import Settings


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_get)
    command.add_argument("key", metavar="KEY", help="the series")
    add_json(command)
    add_place(command)
    add_example(command, "monotron get shop")


def _get(settings: Settings, arguments: argparse.Namespace) -> int:
    key = names.series_key(arguments.key, new=False)
    place = place_of(settings, arguments)
    require_output()
    state = place.get(key)
    if state is None:
        return fail(no_value_yet(key), 1)
    if arguments.json:
        show_json(asdict(state))
    else:
        show(state.value)
    return 0
