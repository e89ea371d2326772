"""`monotron init`."""

import argparse

from monotron.commands.arguments import add_example, add_store
from monotron.commands.output import fail, report
from monotron.opening import initialize
from monotron.settings import Settings


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_init)
    add_store(command)
    add_example(command, "monotron init --store etcd://etcd-1:2379,etcd-2:2379/monotron")


def _init(settings: Settings, arguments: argparse.Namespace) -> int:
    if settings.store is None:
        return fail(
            "init is for a store on etcd (--store or MONOTRON_STORE); a storage folder needs none",
            2,
        )
    initialize(settings, settings.store)
    report(f"made the store {settings.store}")
    return 0
