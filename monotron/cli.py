"""The `monotron` command: one small function for each subcommand."""

import argparse
import io
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import TypeVar

from monotron import __version__
from monotron.app import create_app
from monotron.core import accounts, api_keys, names, numbers, scopes, series
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.core.errors import RuleError
from monotron.core.records import ApiKey, Series
from monotron.limits import PAGE_ROWS
from monotron.serve import CannotServe, Service, serve
from monotron.settings import SETTINGS, InvalidSetting, Settings, read_settings
from monotron.store.contract import Reading, Store, StoreError, Transaction
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
    count = numbers.count(arguments.count)
    now = time.time_ns() // 1000

    def take(txn: Transaction) -> Series:
        account = _account(txn, arguments)
        return series.advance(
            txn, account, key, token=token, count=count, now=now, keep=settings.history
        )

    state = _with_store(settings, lambda store: store.update(take))
    first = state.value - count + 1
    _print(state.value if count == 1 else f"{first} {state.value}")
    return 0


def _get(settings: Settings, arguments: argparse.Namespace) -> int:
    key = names.series_key(arguments.key)

    def read(reading: Reading) -> Series | None:
        return series.get(reading, _account(reading, arguments), key)

    state = _with_store(settings, lambda store: store.view(read))
    if state is None:
        return _fail(f"the series {key!r} has no value yet", 1)
    _print(state.value)
    return 0


def _list(settings: Settings, arguments: argparse.Namespace) -> int:
    prefix = names.prefix(arguments.prefix)

    def print_all(store: Store) -> None:
        account = store.view(lambda reading: _account(reading, arguments))
        after: str | None = ""
        while after is not None:
            page = store.view(
                lambda reading, after=after: series.page(  # type: ignore[misc]
                    reading, account, prefix=prefix, after=after, limit=PAGE_ROWS
                )
            )
            for each in page.series:
                _print(each.key, each.value, each.token or "", sep="\t")
            after = page.next

    _with_store(settings, print_all)
    return 0


def _create_key(settings: Settings, arguments: argparse.Namespace) -> int:
    wanted = scopes.parse(arguments.scopes)
    pair = api_keys.new_pair()
    now = time.time_ns() // 1000

    def create(txn: Transaction) -> ApiKey:
        return api_keys.create(txn, _account(txn, arguments), pair, wanted, now=now)

    _with_store(settings, lambda store: store.update(create))
    _print(f"{pair.key}:{pair.secret}")
    return 0


def _list_keys(settings: Settings, arguments: argparse.Namespace) -> int:
    def read(reading: Reading) -> list[ApiKey]:
        return api_keys.get_all(reading, _account(reading, arguments))

    for api_key in _with_store(settings, lambda store: store.view(read)):
        made = datetime.fromtimestamp(api_key.created_at / 1e6, timezone.utc)
        _print(api_key.id, api_key.key, f"{made:%Y-%m-%d}", " ".join(api_key.scopes), sep="\t")
    return 0


def _delete_key(settings: Settings, arguments: argparse.Namespace) -> int:
    def delete(txn: Transaction) -> bool:
        return api_keys.delete(txn, _account(txn, arguments), arguments.key)

    if not _with_store(settings, lambda store: store.update(delete)):
        return _fail(f"account {arguments.account} has no API key {arguments.key!r}", 1)
    return 0


def _account(reading: Reading, arguments: argparse.Namespace) -> int:
    account = numbers.account(arguments.account)
    accounts.require(reading, account)
    return account


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
    _add_setting(command, "history")
    _add_place(command)

    command = commands.add_parser("get", help="print the current value of a series")
    command.set_defaults(command=_get)
    command.add_argument("key", metavar="KEY")
    _add_place(command)

    command = commands.add_parser("list", help="print every series: key, value and token")
    command.set_defaults(command=_list)
    command.add_argument("--prefix", default="", help="only keys that start like this")
    _add_place(command)

    keys = commands.add_parser("keys", help="API keys")
    _add_key_commands(keys.add_subparsers(required=True, metavar="COMMAND"))
    return parser


def _add_key_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser("create", help="make an API key and print it as KEY:SECRET")
    command.set_defaults(command=_create_key)
    command.add_argument("scopes", metavar="SCOPE", nargs="+", help="such as read,write:series")
    _add_place(command)

    command = commands.add_parser("list", help="print every API key: id, key, day made, scopes")
    command.set_defaults(command=_list_keys)
    _add_place(command)

    command = commands.add_parser("delete", help="make an API key good for nothing")
    command.set_defaults(command=_delete_key)
    command.add_argument("key", metavar="KEY")
    _add_place(command)


def _add_place(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--account", type=int, default=FIRST_ACCOUNT, help=f"default {FIRST_ACCOUNT}"
    )
    _add_setting(command, "storage_dir")


def _add_setting(command: argparse.ArgumentParser, name: str) -> None:
    setting = next(setting for setting in SETTINGS if setting.name == name)
    told = f"Variable {setting.variable}, default {setting.default}."
    if setting.secret:
        told = f"A file that holds it. Variable {setting.variable} or {setting.file_variable}."
    command.add_argument(
        setting.flag,
        dest=setting.flag_name,
        metavar=setting.flag_name.upper(),
        help=f"{setting.meaning} {told}",
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
