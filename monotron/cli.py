"""The `monotron` command: one small function for each subcommand."""

import argparse
import io
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from monotron import __version__
from monotron.app import create_app
from monotron.core import names, series
from monotron.core.errors import RuleError
from monotron.core.series import FIRST_ACCOUNT
from monotron.limits import PAGE_ROWS
from monotron.serve import CannotServe, Service, serve
from monotron.settings import SETTINGS, InvalidSetting, Settings, read_settings
from monotron.store.contract import Store, StoreError
from monotron.store.lmdb import LmdbStore

T = TypeVar("T")

COMMAND_WAIT_SECONDS = 30.0
"""How long a command waits for its turn to write beside a busy service."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; gives the exit status: 0, 1 for a failure, 2 for wrong usage, 130 for ^C."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name may hold what the terminal's encoding does not.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        settings = read_settings(os.environ, vars(arguments))
        status = int(arguments.command(settings, arguments))
        _print(end="", flush=True)
    except InvalidSetting as error:
        return _fail(error, 2)
    except (CannotServe, RuleError, StoreError) as error:
        return _fail(error, 1)
    except _CannotPrint as error:
        # Python would fail once more when it closes what could not be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # Whoever closed the pipe has seen enough of the output, and needs no message.
        if isinstance(error.__cause__, BrokenPipeError):
            return 1
        return _fail(f"the output cannot be written: {error}", 1)
    except OSError as error:
        return _fail(error.strerror or error, 1)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    return status


def _serve(settings: Settings, arguments: argparse.Namespace) -> int:
    def open_service(create: bool) -> Service:
        store = LmdbStore(settings.storage_dir, create=create)
        return Service(create_app(store, settings), lambda: store.failed is None, store.close)

    serve(settings, open_service)
    return 0


def _next(settings: Settings, arguments: argparse.Namespace) -> int:
    key = names.series_key(arguments.key)
    token = None if arguments.token is None else names.token(arguments.token)
    count = series.valid_count(arguments.count)
    now = time.time_ns() // 1000
    state = _with_store(
        settings,
        lambda store: store.update(
            lambda txn: series.advance(txn, FIRST_ACCOUNT, key, token=token, count=count, now=now)
        ),
    )
    first = state.value - count + 1
    _print(state.value if count == 1 else f"{first} {state.value}")
    return 0


def _get(settings: Settings, arguments: argparse.Namespace) -> int:
    key = names.series_key(arguments.key)
    state = _with_store(
        settings, lambda store: store.view(lambda reading: series.get(reading, FIRST_ACCOUNT, key))
    )
    if state is None:
        return _fail(f"the series {key!r} has no value yet", 1)
    _print(state.value)
    return 0


def _list(settings: Settings, arguments: argparse.Namespace) -> int:
    prefix = names.prefix(arguments.prefix)

    def print_all(store: Store) -> None:
        after: str | None = ""
        while after is not None:
            page = store.view(
                lambda reading, after=after: series.page(  # type: ignore[misc]
                    reading, FIRST_ACCOUNT, prefix=prefix, after=after, limit=PAGE_ROWS
                )
            )
            for each in page.series:
                _print(each.key, each.value, each.token or "", sep="\t")
            after = page.next

    _with_store(settings, print_all)
    return 0


def _with_store(settings: Settings, action: Callable[[Store], T]) -> T:
    """Give what `action` gives on the store in the storage folder, beside a service or without.

    It never makes a store: in a mistyped folder a series would start at 1 again. After ^C it is
    not closed, which would wait for whoever holds the write lock.
    """
    store = LmdbStore(settings.storage_dir, create=False, wait_seconds=COMMAND_WAIT_SECONDS)
    try:
        result = action(store)
    except Exception:
        store.close()
        raise
    store.close()
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="monotron", description="Gives out the next number of a named series."
    )
    parser.add_argument("--version", action="version", version=f"monotron {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("serve", help="answer over HTTP")
    command.set_defaults(command=_serve)
    for setting in SETTINGS:
        _add_setting(command, setting.name)

    command = commands.add_parser("next", help="take the next value of a series and print it")
    command.set_defaults(command=_next)
    command.add_argument("key", metavar="KEY")
    command.add_argument("--token", help="the state that the value is for, such as a git hash")
    command.add_argument(
        "--count", type=int, default=1, help="how many values; prints the first and the last"
    )
    _add_setting(command, "storage_dir")

    command = commands.add_parser("get", help="print the current value of a series")
    command.set_defaults(command=_get)
    command.add_argument("key", metavar="KEY")
    _add_setting(command, "storage_dir")

    command = commands.add_parser("list", help="print every series: key, value and token")
    command.set_defaults(command=_list)
    command.add_argument("--prefix", default="", help="only keys that start like this")
    _add_setting(command, "storage_dir")
    return parser


def _add_setting(command: argparse.ArgumentParser, name: str) -> None:
    setting = next(setting for setting in SETTINGS if setting.name == name)
    command.add_argument(
        setting.flag,
        dest=setting.name,
        metavar=setting.name.upper(),
        help=f"{setting.meaning} Variable {setting.variable}, default {setting.default}.",
    )


class _CannotPrint(Exception):
    """The output has nowhere to go."""


def _print(*values: object, sep: str = " ", end: str = "\n", flush: bool = False) -> None:
    try:
        print(*values, sep=sep, end=end, flush=flush)
    except OSError as error:
        raise _CannotPrint(error.strerror) from error


def _fail(reason: object, status: int) -> int:
    print(f"monotron: {reason}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
