"""What a number costs in a store of a thousand series, and in one of a million.

Each store is made by `monotron import`; then 64 clients ask for the numbers of new tokens, of one
series after the other, far from each other in the store. README.md in this folder has the figures.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bench.figure import Figure, measure_one
from bench.imports import timed, write_export
from bench.load import PUT, UUIDS, Case, generator
from bench.report import SERVICE, SOME
from bench.servers import Peer, Server, monotron

BAR = 1.3
"""The most that a number may cost with the most series, compared with the fewest."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the costs and the ratio, and return 1 if anything failed, else 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    add = parser.add_argument
    add("--series", type=int, nargs="+", default=[1_000, 1_000_000], metavar="N")
    add("--rounds", type=int, default=5)
    add("--seconds", type=int, default=5, help="how long each load lasts (%(default)s)")
    add("--storage-dir", type=Path, default=Path.cwd(), help="which disk (the current folder)")
    add("--own-clients", action="store_true", help="do not use wrk, even if it is installed")
    given = parser.parse_args(argv)
    made_by = generator(own_clients=given.own_clients)
    failures: list[str] = []
    rounds: list[list[Figure]] = []
    with (
        tempfile.TemporaryDirectory(prefix="monotron-bench-", dir=given.storage_dir) as folder,
        ExitStack() as running,
    ):
        # Adding up the values of a million series would take longer than the load.
        peer = replace(monotron(SERVICE, "monotron"), total=None)
        stores = [(count, start(peer, count, Path(folder), running)) for count in given.series]
        for _ in range(given.rounds):
            rounds.append([])
            for count, server in stores:
                case = Case(PUT, count, SOME)
                figure, wrong = measure_one(made_by, case, given.seconds, peer, server)
                rounds[-1].append(figure)
                failures += wrong
    print(report(given.series, rounds))
    print(*failures, sep="\n", end="", file=sys.stderr)
    return 1 if failures else 0


def start(peer: Peer, count: int, folder: Path, running: ExitStack) -> Server:
    """Import so many series into a new store, and start the service on it."""
    own = folder / str(count)
    own.mkdir()
    write_export(own / "export", (f"{UUIDS}{number:012x}" for number in range(count)))
    run = timed(own / "store", "import", "jsonl", str(own / "export"))
    if run.status:
        raise RuntimeError(f"the import failed:\n{run.output}")
    return running.enter_context(peer.start(own))


def report(series: Sequence[int], rounds: Sequence[Sequence[Figure]]) -> str:
    """Return a line for each store, and one for the bar."""
    lines = []
    for count, figures in zip(series, zip(*rounds, strict=True), strict=True):
        rate = statistics.median(figure.per_second for figure in figures)
        cost = statistics.median(figure.processor_us for figure in figures)
        lines.append(f"{count:,} series: {rate:,.0f} numbers a second, {cost:.1f} µs each")
    ratios = [each[-1].processor_us / each[0].processor_us for each in rounds]
    clock = statistics.median(each[0].per_second / each[-1].per_second for each in rounds)
    ratio = statistics.median(ratios)
    lines.append(
        f"processor time for a number: {ratio:.2f} times ({min(ratios):.2f} to {max(ratios):.2f}), "
        f"at most {BAR} {'reached' if ratio <= BAR else 'NOT REACHED'}; "
        f"time on the clock: {clock:.2f} times"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
