"""Durable numbers a second and their latency, compared with an empty app and the disk alone.

README.md in this folder says how to run it and how to read the result.
"""

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.disk import sync_for
from bench.load import Case, Generator, Load, generator
from bench.report import CROWD, LONE, MANY, SOME, Pair, Round, as_json, bars, table
from bench.servers import Server, given_out, start_empty, start_real
from monotron import __version__
from monotron.settings import InvalidSetting, Settings, read_settings
from monotron.store import file_system

RESULTS = Path(__file__).with_name("results.json")

DISK_SECONDS = 0.5
"""How long the disk is measured in each round."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a run."""

    rounds: int
    seconds: float
    clients: list[int]
    settings: Settings
    parent: Path
    """The folder for the temporary folder."""
    json: Path
    generator: Generator


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and report; return 1 if a request failed or a number was lost, else 0."""
    # SIGTERM must end the servers and remove the folder too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options = read_options(argv)
    about = describe(options)
    print(*(f"{name.replace('_', ' ')} {value}" for name, value in about.items()), sep=", ")
    rounds, failures = measure(options)
    print("", table(rounds), "", sep="\n")
    print(*bars(rounds), sep="\n")
    write_json(options.json, {"about": about, **as_json(rounds), "failures": failures})
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


def measure(options: Options) -> tuple[list[Round], list[str]]:
    """Return the rounds, and a line for each failure."""
    rounds: list[Round] = []
    failures: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="monotron-bench-", dir=options.parent) as folder,
        start_empty(options.settings, Path(folder)) as empty,
        start_real(options.settings, Path(folder)) as real,
    ):
        for number in range(1, options.rounds + 1):
            print(f"round {number} of {options.rounds}", file=sys.stderr, flush=True)
            disk = sync_for(DISK_SECONDS, Path(folder))
            pairs = {}
            for case in cases(options.clients):
                pairs[case], wrong = measure_pair(options, case, empty, real)
                failures += [f"round {number}, {case}: {what}" for what in wrong]
            rounds.append(Round(disk, pairs))
        if failures:
            failures.append(f"the log of monotron ends with\n{real.log_tail()}")
    return rounds, failures


def cases(clients: Sequence[int]) -> list[Case]:
    """Return the kinds of load; numbers of clients that are compared follow each other."""
    return [
        Case(series, keep_alive, count)
        for series in (1, MANY)
        for keep_alive in (True, False)
        for count in clients
    ]


def measure_pair(
    options: Options, case: Case, empty: Server, real: Server
) -> tuple[Pair, list[str]]:
    """Put the load on the empty app, then on monotron; return the results and the failures."""
    empty_load = options.generator.run(empty.port, case, options.seconds)
    before = given_out(real)
    real_load = options.generator.run(real.port, case, options.seconds)
    taken = given_out(real) - before
    wrong = [f"the empty app: {what}" for what in failed(empty_load)]
    wrong += [f"monotron: {what}" for what in failed(real_load) + miscounted(real_load, taken)]
    return Pair(empty_load, real_load), wrong


def failed(load: Load) -> list[str]:
    """Return a line for each kind of failed request."""
    wrong = []
    if load.bad_status:
        wrong.append(f"{load.bad_status} answers that are not 2xx")
    if load.socket_errors:
        wrong.append(f"{load.socket_errors} requests without an answer")
    if not load.answered:
        wrong.append("no answer at all")
    return wrong


def miscounted(load: Load, taken: int) -> list[str]:
    """Return a line if the numbers taken from the store do not match the answers.

    Each good answer is one number. A request whose answer nobody saw may or may not have taken one.
    """
    good = load.answered - load.bad_status
    if good <= taken <= good + load.socket_errors + load.cut_off:
        return []
    return [f"{good} numbers were answered, but {taken} were taken from the store"]


def describe(options: Options) -> dict[str, Any]:
    """Return the conditions that the figures depend on."""
    return {
        "monotron": __version__,
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "file_system": file_system.kind_of(options.parent.resolve()),
        "load_from": options.generator.name,
        "workers": options.settings.workers,
        "threads": options.settings.threads,
        "rounds": options.rounds,
        "seconds": options.seconds,
    }


def write_json(path: Path, results: dict[str, Any]) -> None:
    """Write the results and say where."""
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"\nwritten to {path}")


def read_options(argv: Sequence[str] | None) -> Options:
    """Read the command line; exits if it is not valid."""
    parser = _parser()
    given = parser.parse_args(argv)
    try:
        settings = read_settings(os.environ, {"workers": given.workers, "threads": given.threads})
    except InvalidSetting as error:
        parser.error(str(error))
    made_by = generator(own_clients=given.own_clients)
    if made_by.cuts_off and not given.seconds.is_integer():
        parser.error("wrk takes whole seconds only (or use --own-clients)")
    if min(given.rounds, given.seconds, *given.clients) <= 0:
        parser.error("--rounds, --seconds and --clients have to be greater than 0")
    if given.storage_dir is None and file_system.kind_of(Path.cwd()) in file_system.MEMORY:
        parser.error("the current folder is in memory, not on a disk: name one with --storage-dir")
    parent = given.storage_dir or Path.cwd()
    if not parent.is_dir():
        parser.error(f"--storage-dir {parent} is not a folder")
    return Options(
        given.rounds, given.seconds, given.clients, settings, parent, given.json, made_by
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.throughput", description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=5, help="how many times to measure everything (%(default)s)")
    add("--seconds", type=float, default=2.0, help="how long each load lasts (%(default)s)")
    add(
        "--clients",
        type=int,
        nargs="+",
        default=[LONE, 16, SOME, CROWD],
        metavar="N",
        help=f"how many clients at a time (1 16 64 256); the bars need {LONE}, {SOME} and {CROWD}",
    )
    add("--workers", metavar="N", help="as for `monotron serve`, with its default")
    add("--threads", metavar="N", help="as for `monotron serve`, with its default")
    add(
        "--storage-dir",
        type=Path,
        metavar="DIR",
        help="folder on the disk to measure, for a temporary folder (default: the current folder)",
    )
    add("--own-clients", action="store_true", help="do not use wrk, even if it is installed")
    add("--json", type=Path, default=RESULTS, metavar="FILE", help="results file (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
