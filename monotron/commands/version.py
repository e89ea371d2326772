"""`monotron version`."""

import argparse
from dataclasses import asdict

from monotron.commands.arguments import (
    Misused,
    add_example,
    add_json,
    add_place,
    add_setting,
)
from monotron.commands.output import (
    fail,
    require_output,
    require_reader,
    show,
    show_json,
    show_once,
    to_json,
)
from monotron.commands.places import place_of
from monotron.core import names
from monotron.core.bumps import PARTS
from monotron.settings import Settings


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_version)
    command.add_argument("name", metavar="NAME", help="the name of the versions")
    command.add_argument(
        "part",
        metavar="PART",
        nargs="?",
        choices=list(PARTS),
        help=f"take the next version: {', '.join(PARTS)}",
    )
    command.add_argument(
        "token",
        metavar="TOKEN",
        nargs="?",
        help="what the next version stands for, such as a git hash",
    )
    command.add_argument(
        "--pre",
        metavar="NAME",
        help="take a pre-release of it: rc gives 1.3.0-rc.1, and the same without --pre then 1.3.0",
    )
    add_json(command)
    add_setting(command, "history")
    add_place(command)
    add_example(
        command, "monotron version shop", 'monotron version shop minor "$(git rev-parse HEAD)"'
    )


def _version(settings: Settings, arguments: argparse.Namespace) -> int:
    if arguments.part is None:
        if arguments.pre is not None:
            raise Misused("--pre is about the next version, so it takes PART and TOKEN")
        return _show_current(settings, arguments)
    if arguments.token is None:
        raise Misused("PART takes a TOKEN after it: what the next version stands for")
    name, token = names.version_name(arguments.name), names.token(arguments.token)
    pre = "" if arguments.pre is None else names.pre_release(arguments.pre)
    place = place_of(settings, arguments)
    require_reader()
    version = place.bump(name, arguments.part, token, pre)
    text = to_json(asdict(version)) if arguments.json else version.version
    show_once(text, otherwise=f"taken but not printed: {text}")
    return 0


def _show_current(settings: Settings, arguments: argparse.Namespace) -> int:
    name = names.version_name(arguments.name, new=False)
    place = place_of(settings, arguments)
    require_output()
    version = place.version(name)
    if version is None:
        return fail(f"{name!r} has no version yet", 1)
    if arguments.json:
        show_json(asdict(version))
    else:
        show(version.version)
    return 0
