"""Durable numbers a second, latency and processor time, compared with other servers and the disk.

README.md in this folder says how to run it and how to read the result.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.chart import chart
from bench.disk import sync_for
from bench.figure import measure_one
from bench.filling import filled
from bench.load import GET, POST, PUT, RANGE, Case, Generator, generator
from bench.report import (
    ACCESS_LOG,
    CROWD,
    EMPTY,
    IDLE,
    LONE,
    MANY,
    NO_HISTORY,
    NO_MEASURES,
    SERVICE,
    SOME,
    VARIANTS,
    WAITRESS,
    WEBDIS,
    WORKERS,
    Round,
    as_json,
    bars,
    rows,
    table,
)
from bench.servers import Peer, Server, empty_app, monotron
from bench.webdis import webdis
from monotron import __version__
from monotron.settings import InvalidSetting, read_settings
from monotron.store import file_system

RESULTS = Path(__file__).with_name("results.json")

DISK_SECONDS = 0.5
"""How long the disk is measured in each round."""

NAMES = (SERVICE, WORKERS, EMPTY, WEBDIS, WAITRESS, *VARIANTS)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a run."""

    rounds: int
    seconds: float
    clients: list[int]
    peers: list[str]
    workers: int
    history: int
    parent: Path
    """The folder for the temporary folder."""
    json: Path
    chart: Path | None
    generator: Generator


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and report; return 1 if a request failed or a number was lost, else 0."""
    # SIGTERM must end the servers and remove the folder too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options = read_options(argv)
    peers = [peer for peer in available(options.workers) if peer.name in options.peers]
    about = describe(options, peers)
    print(*(f"{name.replace('_', ' ')} {value}" for name, value in about.items()), sep=", ")
    rounds, failures = measure(options, peers)
    print("", table(rounds), "", sep="\n")
    print(*bars(rounds), sep="\n")
    write(
        options.json,
        json.dumps({"about": about, **as_json(rounds), "failures": failures}, indent=1),
    )
    if options.chart:
        meanings = {peer.name: peer.meaning for peer in peers}
        write(options.chart, chart(rows(rounds), meanings))
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


def available(workers: int) -> list[Peer]:
    """Return every server that can be started here."""
    one = {"MONOTRON_WORKERS": "1", "MONOTRON_SERVER": "loop", "MONOTRON_ACCESS_LOG": "off"}
    peers = [
        monotron(SERVICE, "monotron", **one),
        monotron(
            WORKERS, f"monotron, {workers} workers", **one | {"MONOTRON_WORKERS": str(workers)}
        ),
        empty_app(EMPTY, "an empty app, no store", **one),
        webdis(),
        monotron(WAITRESS, "monotron on waitress", **one | {"MONOTRON_SERVER": "waitress"}),
        monotron(NO_HISTORY, "without history", **one | {"MONOTRON_HISTORY": "0"}),
        monotron(NO_MEASURES, "without measures", "bench.unmeasured", **one),
        monotron(ACCESS_LOG, "with the access log", **one | {"MONOTRON_ACCESS_LOG": "on"}),
    ]
    return [peer for peer in peers if peer is not None]


def loads(clients: Sequence[int]) -> list[tuple[Case, tuple[str, ...]]]:
    """Return each kind of load, and the servers that get it."""
    some = SOME if SOME in clients else clients[-1]

    def posts(series: int, *names: str) -> list[tuple[Case, tuple[str, ...]]]:
        return [
            (Case(POST, series, count), (*names, *VARIANTS) if count == some else names)
            for count in clients
        ]

    return [
        *posts(1, SERVICE, WORKERS, EMPTY, WEBDIS, WAITRESS),
        *posts(MANY, SERVICE, WORKERS, WEBDIS),
        # webdis gives some answers of closed connections to the next one.
        (Case(POST, 1, some, keep_alive=False), (SERVICE, WORKERS, EMPTY, WAITRESS)),
        (Case(POST, 1, some, idle=IDLE), (SERVICE,)),
        (Case(PUT, 1, some), (SERVICE, WORKERS)),
        (Case(PUT, MANY, some), (SERVICE, WORKERS)),
        (Case(GET, 1, some), (SERVICE, WORKERS, EMPTY, WEBDIS)),
        (Case(RANGE, 1, some), (SERVICE, WORKERS, WEBDIS)),
    ]


def measure(options: Options, peers: Sequence[Peer]) -> tuple[list[Round], list[str]]:
    """Return the rounds, and a line for each failure."""
    rounds: list[Round] = []
    failures: list[str] = []
    failed: set[str] = set()
    with (
        tempfile.TemporaryDirectory(prefix="monotron-bench-", dir=options.parent) as folder,
        ExitStack() as running,
    ):
        servers = start(options, peers, Path(folder), running)
        for number in range(1, options.rounds + 1):
            print(f"round {number} of {options.rounds}", file=sys.stderr, flush=True)
            figures = {}
            disk = sync_for(DISK_SECONDS, Path(folder))
            for case, names in loads(options.clients):
                # Whoever comes first, and finds the machine cooler, is another one in each round.
                turn = [name for name in names if name in servers]
                turn = turn[number % len(turn) :] + turn[: number % len(turn)]
                for name in turn:
                    figures[case, name], wrong = measure_one(
                        options.generator, case, options.seconds, *servers[name]
                    )
                    failures += [f"round {number}, {name}, {case}: {what}" for what in wrong]
                    failed |= {name} if wrong else set()
            rounds.append(Round(disk, figures))
        failures += [
            f"the log of {name} ends with\n{server.log_tail()}"
            for name, (_, server) in servers.items()
            if name in failed
        ]
    return rounds, failures


def start(
    options: Options, peers: Sequence[Peer], folder: Path, running: ExitStack
) -> dict[str, tuple[Peer, Server]]:
    """Start each server on a store as a year of use would leave it; return them by name."""
    store = folder / "filled"
    filled(store, MANY, options.history)
    servers = {}
    for peer in peers:
        own = folder / peer.name
        own.mkdir()
        if peer.total is not None and peer.name != WEBDIS:
            shutil.copytree(store, own / "store")
        servers[peer.name] = peer, running.enter_context(peer.start(own))
    return servers


def describe(options: Options, peers: Sequence[Peer]) -> dict[str, Any]:
    """Return the conditions that the figures depend on."""
    return {
        "monotron": __version__,
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "file_system": file_system.kind_of(options.parent.resolve()),
        "load_from": options.generator.name,
        "workers": options.workers,
        "history": options.history,
        "servers": " ".join(peer.name for peer in peers),
        "rounds": options.rounds,
        "seconds": options.seconds,
    }


def write(path: Path, text: str) -> None:
    """Write a result and say where."""
    path.write_text(text.rstrip() + "\n", encoding="utf-8")
    print(f"\nwritten to {path}")


def read_options(argv: Sequence[str] | None) -> Options:
    """Read the command line; exits if it is not valid."""
    parser = _parser()
    given = parser.parse_args(argv)
    try:
        settings = read_settings(os.environ, {"workers": given.workers})
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
        rounds=given.rounds,
        seconds=given.seconds,
        clients=given.clients,
        # Every figure is compared with the service's.
        peers=[SERVICE, *given.peers],
        workers=settings.workers,
        history=settings.history,
        parent=parent,
        json=given.json,
        chart=given.chart,
        generator=made_by,
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
    add(
        "--peers",
        nargs="*",
        default=NAMES,
        choices=NAMES,
        metavar="NAME",
        help=f"the servers beside {SERVICE}: {', '.join(NAMES[1:])} (all that can be started)",
    )
    add("--workers", default="2", metavar="N", help="workers of the second service (%(default)s)")
    add(
        "--storage-dir",
        type=Path,
        metavar="DIR",
        help="folder on the disk to measure, for a temporary folder (default: the current folder)",
    )
    add("--own-clients", action="store_true", help="do not use wrk, even if it is installed")
    add("--json", type=Path, default=RESULTS, metavar="FILE", help="results file (%(default)s)")
    add("--chart", type=Path, metavar="FILE", help="write a chart (SVG) to FILE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
