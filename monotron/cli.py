"""The `monotron` command. `monotron/commands` has its subcommands but for `serve`."""

import argparse
import io
import logging
import os
import sys
from collections.abc import Sequence

from monotron import __version__, logs
from monotron.app import QUICK_PATHS, create_app
from monotron.commands import copies, inspection, keys, moving, series
from monotron.commands.arguments import Parser, add_setting
from monotron.commands.output import CannotPrint, drop_output, fail, flush, open_closed
from monotron.commands.stores import take_over
from monotron.errors import MonotronError
from monotron.measures import StoreMetrics, WorkerSlot
from monotron.opening import open_store
from monotron.serve import CannotServe, Service, serve
from monotron.settings import SETTINGS, InvalidSetting, Settings, read_settings

log = logging.getLogger("monotron")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; gives the exit status: 0, 1 for a failure, 2 for wrong usage, 130 for ^C."""
    open_closed()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name may hold what the terminal's encoding does not.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return _run(argv)
    except InvalidSetting as error:
        return fail(error, 2)
    except CannotPrint as error:
        drop_output()
        return 1 if error.expected else fail(error, 1)
    except MonotronError as error:
        return fail(error, 1)
    except OSError as error:
        return fail(error.strerror or error, 1)
    except KeyboardInterrupt:
        return fail("interrupted", 130)


def _run(argv: Sequence[str] | None) -> int:
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit:
        # --help and --version.
        flush()
        raise
    logs.configure()
    settings = read_settings(os.environ, vars(arguments))
    status = int(arguments.command(settings, arguments))
    flush()
    return status


def _serve(settings: Settings, arguments: argparse.Namespace) -> int:
    logs.configure(settings.log_format, access_log=settings.access_log)

    def open_service(create: bool, slot: WorkerSlot) -> Service:
        taken_over = take_over(settings) if create else None
        if taken_over is not None:
            log.info("%s", taken_over)
        store = open_store(settings, create=create, observer=StoreMetrics(slot))
        app = create_app(store, settings, slot=slot, figures=store.figures)
        return Service(app, lambda: store.failed is None, store.close, QUICK_PATHS)

    try:
        serve(settings, open_service)
    except CannotServe as error:
        if settings.log_format == "text":
            raise
        # A collector reads JSON alone.
        log.critical("%s", error)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="monotron", description="Gives out the next number of a named series.")
    parser.add_argument("--version", action="version", version=f"monotron {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    # Abbreviated, --root-api-secret would be taken for the name of its file, and shown in an error.
    command = commands.add_parser("serve", help="answer over HTTP", allow_abbrev=False)
    command.set_defaults(command=_serve)
    for setting in SETTINGS:
        add_setting(command, setting.name)
    for each in (series, moving, copies, inspection, keys):
        each.add_to(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
