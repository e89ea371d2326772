"""`monotron delete`."""

import argparse
import sys

from monotron.commands.arguments import Misused, add_example, add_place
from monotron.commands.output import fail, report
from monotron.commands.places import Place, no_value_yet, place_of
from monotron.core import names
from monotron.settings import Settings


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_delete)
    command.add_argument("key", metavar="KEY", help="the series")
    command.add_argument("--yes", action="store_true", help="do not ask")
    add_place(command)
    add_example(command, "monotron delete shop-test --yes")


def _delete(settings: Settings, arguments: argparse.Namespace) -> int:
    key = names.series_key(arguments.key, new=False)
    place = place_of(settings, arguments)
    if not arguments.yes:
        if sys.stdin is None or not sys.stdin.isatty():
            raise Misused(
                "nothing was deleted: without a terminal nobody can be asked, so it takes --yes"
            )
        refused = _ask(place, key)
        if refused:
            return fail(refused, 1)
    place.delete(key)
    report(f"deleted {key!r}; its next value is 1")
    return 0


def _ask(place: Place, key: str) -> str | None:
    """Ask on the terminal; return why nothing may be deleted, or None."""
    state = place.get(key)
    if state is None:
        return no_value_yet(key)
    # On stderr, as stdout may be a pipe.
    sys.stderr.write(
        f"Delete {key!r}, which is at {state.value}, with its history? "
        "Its numbers will be given out again. [y/N] "
    )
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer:
        # After ^D the cursor stands behind the question.
        sys.stderr.write("\n")
    return None if answer.strip().lower() in ("y", "yes") else "nothing was deleted"
