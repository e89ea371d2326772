"""`monotron next`, `get` and `list`."""

import argparse

from monotron.commands.arguments import Commands, add_place, add_setting
from monotron.commands.output import fail, require_output, require_reader, show, show_once
from monotron.commands.stores import account_of, call_of, with_store, with_store_to_read
from monotron.core import accounts, names, numbers, series
from monotron.core.records import Series
from monotron.settings import Settings
from monotron.store import paging
from monotron.store.contract import Reading, Store, Transaction
from monotron.store.paging import PAGE_ROWS, Page


def add_to(commands: Commands) -> None:
    """Add them, with their arguments."""
    command = commands.add_parser("next", help="take the next value of a series and print it")
    command.set_defaults(command=_next)
    command.add_argument("key", metavar="KEY")
    command.add_argument("--token", help="the state that the value is for, such as a git hash")
    command.add_argument(
        "--count", type=int, default=1, help="how many values; prints the first and the last"
    )
    add_setting(command, "history")
    add_place(command)

    command = commands.add_parser("get", help="print the current value of a series")
    command.set_defaults(command=_get)
    command.add_argument("key", metavar="KEY")
    add_place(command)

    command = commands.add_parser("list", help="print every series: key, value and token")
    command.set_defaults(command=_list)
    command.add_argument("--prefix", default="", help="only keys that start like this")
    add_place(command)


def _next(settings: Settings, arguments: argparse.Namespace) -> int:
    key = names.series_key(arguments.key)
    token = None if arguments.token is None else names.token(arguments.token)
    count = numbers.count(arguments.count)
    call = call_of(settings, arguments)
    require_reader()

    def take(txn: Transaction) -> Series:
        accounts.require(txn, call.account)
        return series.advance(txn, call, key, token=token, count=count)

    state = with_store(settings, lambda store: store.update(take))
    text = str(state.value) if count == 1 else f"{state.value - count + 1} {state.value}"
    show_once(text, otherwise=f"taken and not printed: {text}")
    return 0


def _get(settings: Settings, arguments: argparse.Namespace) -> int:
    key = names.series_key(arguments.key, new=False)
    require_output()

    def read(reading: Reading) -> Series | None:
        return series.get(reading, account_of(reading, arguments), key)

    state = with_store_to_read(settings, lambda store: store.view(read))
    if state is None:
        return fail(f"the series {key!r} has no value yet", 1)
    show(state.value)
    return 0


def _list(settings: Settings, arguments: argparse.Namespace) -> int:
    prefix = names.prefix(arguments.prefix)
    require_output()

    def print_all(store: Store) -> None:
        account = store.view(lambda reading: account_of(reading, arguments))

        def read(reading: Reading, after: str | None) -> Page[Series, str]:
            return series.page(reading, account, prefix=prefix, after=after, limit=PAGE_ROWS)

        for each in paging.through(store.view, read):
            show(each.key, each.value, each.token or "", sep="\t")

    with_store_to_read(settings, print_all)
    return 0
