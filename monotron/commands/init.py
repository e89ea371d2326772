"""`monotron init`."""

import argparse

from monotron.commands.arguments import add_store
from monotron.commands.output import fail, report
from monotron.opening import initialize
from monotron.settings import Settings


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_init)
    add_store(command)


def _init(settings: Settings, arguments: argparse.Namespace) -> int:
    if settings.store is None:
        return fail(
            "monotron init is for a store on etcd (--store or MONOTRON_STORE); a storage folder "
            "needs none",
            2,
        )
    report(f"{settings.store} has the store {initialize(settings, settings.store)}")
    return 0
