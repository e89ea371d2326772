"""`monotron completion`."""

import argparse

import shtab

from monotron.commands.arguments import add_example
from monotron.commands.output import show
from monotron.settings import Settings


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_completion)
    command.add_argument(
        "shell",
        metavar="SHELL",
        choices=shtab.SUPPORTED_SHELLS,
        help=f"one of {', '.join(shtab.SUPPORTED_SHELLS)}",
    )
    add_example(command, 'eval "$(monotron completion bash)"')


def _completion(settings: Settings, arguments: argparse.Namespace) -> int:
    show(shtab.complete(arguments.whole_parser(), arguments.shell))
    return 0
