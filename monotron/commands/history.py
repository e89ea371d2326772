"""`monotron history`."""

import argparse

from monotron.commands.arguments import (
    add_example,
    add_json,
    add_place,
    add_setting,
    whole_number,
)
from monotron.commands.output import Table, fail, require_output
from monotron.commands.places import Taken, no_value_yet, place_of
from monotron.core import names, numbers
from monotron.limits import LAST_VALUE
from monotron.settings import Settings


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_history)
    command.add_argument("key", metavar="KEY", help="the series")
    command.add_argument(
        "--limit",
        type=whole_number,
        metavar="N",
        help="how many values; default all that are kept",
    )
    add_json(command)
    add_setting(command, "history")
    add_place(command)
    add_example(command, "monotron history shop --limit 10")


def _history(settings: Settings, arguments: argparse.Namespace) -> int:
    key, limit = names.series_key(arguments.key, new=False), arguments.limit
    if limit is not None:
        numbers.whole("limit", limit, 1, LAST_VALUE)
    place = place_of(settings, arguments)
    require_output()
    columns = ("value", "token", "created_at", "api_key", "api_key_name")
    with Table(columns, json=arguments.json) as table:

        def add(taken: Taken) -> None:
            table.add(taken.value, taken.token, taken.created_at, taken.api_key, taken.api_key_name)

        found = place.each_value(key, limit, add)
    return 0 if found else fail(no_value_yet(key), 1)
