"""`monotron next`."""

import argparse

from monotron.commands.arguments import add_account, add_setting, whole_number
from monotron.commands.output import require_reader, show_once
from monotron.commands.stores import call_of, with_store
from monotron.core import accounts, names, numbers, series
from monotron.core.records import Series
from monotron.settings import Settings
from monotron.store.contract import Transaction


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_next)
    command.add_argument("key", metavar="KEY")
    command.add_argument("--token", help="what the value stands for, such as a git hash")
    command.add_argument(
        "--count",
        type=whole_number,
        default=1,
        help="how many values to take; prints the first and the last",
    )
    add_setting(command, "history")
    add_account(command)


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
    show_once(text, otherwise=f"taken but not printed: {text}")
    return 0
