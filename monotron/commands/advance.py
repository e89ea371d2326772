"""`monotron advance`."""

import argparse

from monotron.commands.arguments import add_example, add_store, whole_number
from monotron.commands.output import report
from monotron.commands.stores import with_store
from monotron.core import clock, restoring
from monotron.settings import Settings
from monotron.store.contract import Store


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_advance)
    command.add_argument(
        "--all",
        type=whole_number,
        metavar="N",
        required=True,
        help="move every series up by N, past the numbers given out since a snapshot was taken",
    )
    add_store(command)
    add_example(command, "monotron advance --all 1000")


def show_advanced(advanced: restoring.Advanced, by: int) -> None:
    """Say how many series were moved up, and which ones had fewer numbers left."""
    report(f"moved {advanced.series} series up by {by}")
    for state in advanced.capped:
        report(
            f"the series {state.key!r} of account {state.account} was at {state.value} and has now "
            "reached its last value"
        )


def _advance(settings: Settings, arguments: argparse.Namespace) -> int:
    by, now = restoring.distance(arguments.all), clock.now()

    def advance(store: Store) -> restoring.Advanced:
        return restoring.advance_all(store, by, now=now)

    show_advanced(with_store(settings, advance), by)
    return 0
