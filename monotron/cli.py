"""The `monotron` command: it finds the subcommand, imports it, and reports errors in one line."""

import argparse
import importlib
import io
import keyword
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from monotron import __version__, logs
from monotron.commands import SUBCOMMANDS
from monotron.commands.arguments import Parser
from monotron.commands.output import CannotPrint, drop_output, fail, flush, open_closed
from monotron.errors import MonotronError
from monotron.settings import InvalidSetting, read_settings


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, 1 for a failure, 2 for wrong usage, or 130 for ^C."""
    open_closed()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name may contain characters that the terminal's encoding does not have.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return _run(sys.argv[1:] if argv is None else argv)
    except InvalidSetting as error:
        return fail(error, 2)
    except CannotPrint as error:
        drop_output()
        return 1 if error.expected else fail(error, 1)
    except MonotronError as error:
        return fail(error, 1)
    except OSError as error:
        return fail(error.strerror or error, 1)
    except KeyboardInterrupt:
        return fail("interrupted", 130)


def subcommand(name: str) -> ModuleType:
    """Return the module of a subcommand, imported now."""
    return importlib.import_module(
        f"monotron.commands.{name}_" if keyword.iskeyword(name) else f"monotron.commands.{name}"
    )


def _run(argv: Sequence[str]) -> int:
    try:
        arguments = _parser(argv).parse_args(argv)
    except SystemExit:
        # --help and --version.
        flush()
        raise
    logs.configure()
    settings = read_settings(os.environ, vars(arguments))
    status = int(arguments.run(settings, arguments))
    flush()
    return status


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser, which knows only the named subcommand's arguments."""
    parser = Parser(prog="monotron", description="Gives out the next number of a named series.")
    parser.add_argument("--version", action="version", version=f"monotron {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    # No option before the subcommand takes a value.
    named = next((word for word in argv if not word.startswith("-")), None)
    for name, meaning in SUBCOMMANDS.items():
        command = commands.add_parser(name, help=meaning)
        if name == named:
            subcommand(name).add_arguments(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
