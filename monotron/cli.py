"""The `monotron` command: it finds the subcommand, imports it, and reports errors in one line."""

import argparse
import importlib
import io
import keyword
import os
import sys
from collections.abc import Collection, Sequence
from types import ModuleType

from monotron import __version__, logs
from monotron.commands import SUBCOMMANDS
from monotron.commands.arguments import Misused, Parser
from monotron.commands.output import CannotPrint, drop_output, fail, flush, open_closed, printing
from monotron.errors import MonotronError
from monotron.settings import InvalidSetting, read_settings

EXAMPLES = """examples:
  monotron serve                                  answer on http://127.0.0.1:8080
  monotron next shop                              take a number from the store on this machine
  monotron list --url https://numbers.example.com ask a service
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, 1 for a failure, 2 for wrong usage, or 130 for ^C."""
    open_closed()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name may contain characters that the terminal's encoding does not have.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return _run(sys.argv[1:] if argv is None else argv)
    except (InvalidSetting, Misused) as error:
        return fail(error, 2)
    except CannotPrint as error:
        drop_output()
        return 1 if error.expected else fail(error, 1)
    except MonotronError as error:
        return fail(error, 1)
    except ModuleNotFoundError as error:
        return fail(_incomplete(error), 1)
    except OSError as error:
        return fail(error.strerror or error, 1)
    except KeyboardInterrupt:
        return fail("interrupted", 130)


def subcommand(name: str) -> ModuleType:
    """Return the module of a subcommand, imported now."""
    return importlib.import_module(
        f"monotron.commands.{name}_" if keyword.iskeyword(name) else f"monotron.commands.{name}"
    )


def whole_parser() -> argparse.ArgumentParser:
    """Return the parser with the arguments of all subcommands."""
    return _parser(SUBCOMMANDS)


def _run(argv: Sequence[str]) -> int:
    # No option before the subcommand takes a value.
    named = next((word for word in argv if not word.startswith("-")), None)
    parser = _parser(() if named is None else (named,))
    try:
        if not argv:
            with printing():
                parser.print_help()
            parser.exit()
        arguments = parser.parse_args(argv)
    except SystemExit:
        # --help and --version.
        flush()
        raise
    logs.configure()
    settings = read_settings(os.environ, vars(arguments))
    status = int(arguments.run(settings, arguments))
    flush()
    return status


def _parser(named: Collection[str]) -> argparse.ArgumentParser:
    """Return the parser, which knows only the named subcommands' arguments."""
    parser = Parser(
        prog="monotron",
        description="Gives out the next number of a named series.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-V",
        "--version",
        action="version",
        version=f"monotron {__version__}",
        help="print the version and exit",
    )
    parser.set_defaults(whole_parser=whole_parser)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, meaning in SUBCOMMANDS.items():
        command = commands.add_parser(name, help=meaning, description=_sentence(meaning))
        if name in named:
            subcommand(name).add_arguments(command)
    return parser


def _sentence(meaning: str) -> str:
    return f"{meaning[0].upper()}{meaning[1:]}."


def _incomplete(error: ModuleNotFoundError) -> str:
    """Say what a module that is missing was for; raises the error again if it is one of ours."""
    if error.name is None or error.name.partition(".")[0] == "monotron":
        raise error
    return (
        f"this needs {error.name}, which is not here: a service and its store need Linux, and all "
        "that pip install monotron brings there; to ask a service, name it with --url or "
        "MONOTRON_URL"
    )


if __name__ == "__main__":
    sys.exit(main())
