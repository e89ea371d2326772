"""Replicas on etcd: beside LMDB, beside bare transactions of etcd, and two beside one.

Three members and all replicas run on this machine, without a network between them. The loads take
turns, so that each ratio is of loads that ran one after the other. README.md in this folder has the
figures.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.load import POST, VALUES, Case, Generator, Load, generator
from bench.servers import Peer, Server, monotron, settled_total
from monotron.store.etcd import etcd_pb2 as pb
from monotron.store.etcd.address import Address
from monotron.store.etcd.client import Client, Security
from monotron.store.etcd.transaction import get, put, unchanged
from tests.support.etcd import Cluster, cluster

CLIENTS = 64

LMDB, ONE, TWO = "LMDB", "one replica", "two replicas"
LMDB_MANY, ONE_MANY, TWO_MANY = (f"{name}, 1,000 series" for name in (LMDB, ONE, TWO))
LONE, BARE = "one client of one replica", "one client of etcd, bare transactions"

ROW = b"x" * 700
"""A series with the newest row of its history, as a commit writes it."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A ratio of two loads that is to be reached."""

    of: str
    to: str
    least: float | None = None
    most: float | None = None
    by: Callable[[Load], float] = lambda load: load.per_second

    def report(self, rounds: Sequence[dict[str, Load]]) -> str:
        """Return the median of the rounds' ratios, and whether it is reached."""
        ratios = [self.by(each[self.of]) / self.by(each[self.to]) for each in rounds]
        ratio = statistics.median(ratios)
        bound = f"at least {self.least}" if self.least else f"at most {self.most}"
        reached = ratio >= self.least if self.least else ratio <= (self.most or 0)
        return (
            f"{self.of} : {self.to}: {ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f}), "
            f"{bound} {'reached' if reached else 'NOT REACHED'}"
        )


BARS = (
    Bar(ONE, LMDB, least=0.35),
    Bar(ONE_MANY, LMDB_MANY, least=0.35),
    Bar(TWO, ONE, least=0.8),
    Bar(TWO_MANY, ONE_MANY, least=0.8),
    Bar(LONE, BARE, most=1.5, by=lambda load: load.median_ms),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and report; return 1 if a request failed or a number was lost, else 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.replicas", description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=3)
    add("--seconds", type=float, default=5, help="how long each load lasts (%(default)s)")
    add("--storage-dir", type=Path, default=Path.cwd(), help="which disk (the current folder)")
    add("--own-clients", action="store_true", help="do not use wrk, even if it is installed")
    given = parser.parse_args(argv)
    with (
        tempfile.TemporaryDirectory(prefix="monotron-bench-", dir=given.storage_dir) as folder,
        cluster(Path(folder) / "etcd", 3) as etcd,
        ExitStack() as running,
    ):
        bench = Bench(Path(folder), etcd, running, generator(own_clients=given.own_clients))
        rounds = [bench.round(given.seconds) for _ in range(given.rounds)]
    for name in rounds[0]:
        rate = statistics.median(each[name].per_second for each in rounds)
        median = statistics.median(each[name].median_ms for each in rounds)
        slow = statistics.median(each[name].p99_ms for each in rounds)
        print(f"{name}: {rate:,.0f} a second, median {median:.1f} ms, 99 % {slow:.1f} ms")
    print(*(bar.report(rounds) for bar in BARS), sep="\n")
    print(*bench.failures, sep="\n", end="", file=sys.stderr)
    return 1 if bench.failures else 0


class Bench:
    """The services, and the loads on them."""

    def __init__(self, folder: Path, etcd: Cluster, running: ExitStack, made_by: Generator) -> None:
        self.failures: list[str] = []
        self._made_by = made_by
        self._etcd = etcd
        address = str(etcd.new_address())
        self._peer = monotron(ONE, "monotron on etcd", MONOTRON_STORE=address)
        lmdb = monotron(LMDB, "monotron")

        def started(peer: Peer, name: str) -> Server:
            (folder / name).mkdir()
            return running.enter_context(peer.start(folder / name))

        self._lmdb = [started(lmdb, "lmdb")]
        self._replicas = [started(self._peer, "one"), started(self._peer, "two")]

    def round(self, seconds: float) -> dict[str, Load]:
        """Put each load on its services in turn."""
        one = self._replicas[:1]
        return {
            LMDB: self._measure(self._lmdb, 1, CLIENTS, seconds),
            ONE: self._measure(one, 1, CLIENTS, seconds),
            TWO: self._measure(self._replicas, 1, CLIENTS, seconds),
            LMDB_MANY: self._measure(self._lmdb, 1_000, CLIENTS, seconds),
            ONE_MANY: self._measure(one, 1_000, CLIENTS, seconds),
            TWO_MANY: self._measure(self._replicas, 1_000, CLIENTS, seconds),
            LONE: self._measure(one, 1, 1, seconds),
            BARE: bare_transactions(self._etcd.new_address(), seconds),
        }

    def _measure(
        self, servers: Sequence[Server], series: int, clients: int, seconds: float
    ) -> Load:
        """Share the clients among the servers; check that no number is lost or given twice."""
        case = Case(POST, series, clients // len(servers))
        before = settled_total(self._peer, servers[0])
        with ThreadPoolExecutor(len(servers)) as pool:
            running = [
                pool.submit(
                    self._made_by.run, server.port, self._peer.requests[POST], case, seconds
                )
                for server in servers
            ]
            loads = [each.result() for each in running]
        together = Load(
            answered=sum(load.answered for load in loads),
            seconds=max(load.seconds for load in loads),
            median_ms=max(load.median_ms for load in loads),
            p99_ms=max(load.p99_ms for load in loads),
            bad_status=sum(load.bad_status for load in loads),
            socket_errors=sum(load.socket_errors for load in loads),
            cut_off=sum(load.cut_off for load in loads),
        )
        taken = settled_total(self._peer, servers[0]) - before
        wrong = together.failures() + together.miscounted(taken, VALUES[POST])
        self.failures += [f"{case}: {each}" for each in wrong]
        return together


def bare_transactions(address: Address, seconds: float) -> Load:
    """Send transactions as one commit's, one after the other, through the same library."""
    client = Client(address, Security(), wait_seconds=5.0)
    mark = f"/{address.prefix}/mark".encode()
    until = time.monotonic() + 60.0
    first = pb.TxnRequest(success=[put(mark + end, b"0") for end in (b"", b"/row")])
    revision = client.ask(first, until).header.revision
    times = list[float]()
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        keys = (mark, mark + b"/row")
        request = pb.TxnRequest(
            compare=[unchanged(key, revision) for key in keys],
            success=[put(key, value) for key, value in zip(keys, (b"1", ROW), strict=True)],
            failure=[get(key) for key in keys],
        )
        answer = client.send(request, until)
        assert answer.succeeded
        revision = answer.header.revision
        times.append(time.perf_counter() - began)
    client.close()
    ordered = sorted(times)
    return Load(
        answered=len(times),
        seconds=sum(times),
        median_ms=statistics.median(ordered) * 1_000,
        p99_ms=ordered[len(ordered) * 99 // 100] * 1_000,
        bad_status=0,
        socket_errors=0,
        cut_off=0,
    )


if __name__ == "__main__":
    sys.exit(main())
