"""The cost of history: numbers a second with it on, as by default, and with it off.

Both services run at the same time, and each load goes to one and then immediately to the other.
Their series have given out more values than history holds, so that each new value pushes out an old
one. README.md in this folder has the figures.
"""

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.load import PATHS, Case, Generator, generator
from bench.servers import Server, start_real
from bench.throughput import failed
from monotron.core import series, tables
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.core.call import Call
from monotron.settings import Settings, read_settings
from monotron.store.contract import Transaction
from monotron.store.lmdb import LmdbStore

CLIENTS = 64
MANY = 1_000
"""The number of series in the case of many."""

BAR = 0.8
"""The share of the rate without history that must be reached."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a line for each kind of load, and return 1 if a request failed, else 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.history", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--own-clients", action="store_true", help="do not use wrk")
    given = parser.parse_args(argv)
    settings = read_settings(os.environ, {})
    failures: list[str] = []
    with tempfile.TemporaryDirectory(prefix="monotron-bench-", dir=Path.cwd()) as folder:
        folders = {keep: Path(folder, str(keep)) for keep in (0, settings.history)}
        for keep, each in folders.items():
            fill(each, keep)
        with (
            start_real(replace(settings, history=0), folders[0]) as off,
            start_real(settings, folders[settings.history]) as on,
        ):
            made_by = generator(own_clients=given.own_clients)
            for count in (1, MANY):
                case = Case(count, True, CLIENTS)
                pairs = [
                    measure(made_by, case, given.seconds, off, on, failures)
                    for _ in range(given.rounds)
                ]
                report(case, settings, pairs)
    print(*failures, sep="\n", end="", file=sys.stderr)
    return 1 if failures else 0


def fill(folder: Path, keep: int) -> None:
    """Create the series, each with more values than its history holds."""
    folder.mkdir()
    store = LmdbStore(folder / "store", tables.ALL)
    for number in range(MANY):
        key = f"{PATHS.removeprefix('/')}{number:012x}"

        def take(txn: Transaction, key: str = key) -> None:
            for _ in range(keep + 100):
                series.advance(txn, Call(FIRST_ACCOUNT, None, 0, keep), key)

        store.update(take)
    store.close()


def measure(
    made_by: Generator, case: Case, seconds: int, off: Server, on: Server, failures: list[str]
) -> tuple[float, float]:
    """Return the rates without and with history."""
    rates = []
    for server in (off, on):
        load = made_by.run(server.port, case, seconds)
        failures += [f"{case}: {what}" for what in failed(load)]
        rates.append(load.per_second)
    return rates[0], rates[1]


def report(case: Case, settings: Settings, pairs: Sequence[tuple[float, float]]) -> None:
    """Print the median rates, and the median of the rounds' own ratios."""
    off, on = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratios = sorted(on / off for off, on in pairs)
    ratio = statistics.median(ratios)
    print(
        f"{case}: off {off:,.0f}/s, {settings.history:,} values {on:,.0f}/s, "
        f"ratio {ratio:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}), "
        f"at least {BAR} {'reached' if ratio >= BAR else 'NOT REACHED'}"
    )


if __name__ == "__main__":
    sys.exit(main())
