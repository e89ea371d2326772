"""`monotron list`."""

import argparse

from monotron.commands.arguments import add_account
from monotron.commands.output import require_output, show
from monotron.commands.stores import account_of, with_store_to_read
from monotron.core import names, series
from monotron.core.records import Series
from monotron.settings import Settings
from monotron.store import paging
from monotron.store.contract import Reading, Store
from monotron.store.paging import PAGE_ROWS, Page


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_list)
    command.add_argument("--prefix", default="", help="only keys that start with this")
    add_account(command)


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
