"""`monotron get`."""

import argparse

from monotron.commands.arguments import add_account
from monotron.commands.output import fail, require_output, show
from monotron.commands.stores import account_of, with_store_to_read
from monotron.core import names, series
from monotron.core.records import Series
from monotron.settings import Settings
from monotron.store.contract import Reading


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_get)
    command.add_argument("key", metavar="KEY")
    add_account(command)


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
