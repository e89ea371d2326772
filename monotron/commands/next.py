"""`monotron next`."""

import argparse

from monotron.commands.arguments import (
    Misused,
    add_example,
    add_json,
    add_place,
    add_setting,
    whole_number,
)
from monotron.commands.output import require_reader, show_once, to_json
from monotron.commands.places import place_of
from monotron.core import names, numbers
from monotron.settings import Settings


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_next)
    command.add_argument("key", metavar="KEY", help="the series")
    command.add_argument("--token", help="what the value stands for, such as a git hash")
    command.add_argument(
        "--remember",
        action="store_true",
        help="an earlier token gets its value again too, as long as history holds it",
    )
    command.add_argument(
        "--count",
        type=whole_number,
        default=1,
        help="how many values to take; prints the first and the last",
    )
    add_json(command)
    add_setting(command, "history")
    add_place(command)
    add_example(command, 'monotron next shop --token "$(git rev-parse HEAD)"')


def _next(settings: Settings, arguments: argparse.Namespace) -> int:
    key = names.series_key(arguments.key)
    token = None if arguments.token is None else names.token(arguments.token)
    count = numbers.count(arguments.count)
    if arguments.remember and token is None:
        raise Misused("--remember is about a token, so it takes --token")
    place = place_of(settings, arguments)
    require_reader()
    last = place.take(key, token, count, remember=arguments.remember)
    first = last - count + 1
    text = str(last) if count == 1 else f"{first} {last}"
    if arguments.json:
        members: dict[str, object] = {"key": key, "value": last, "token": token}
        # As over HTTP.
        text = to_json(members if count == 1 else members | {"first": first, "count": count})
    show_once(text, otherwise=f"taken but not printed: {text}")
    return 0
