"""One server under one load: what it did, and what it used for that."""

from contextlib import nullcontext
from dataclasses import dataclass

from bench.idle import idle_connections
from bench.load import VALUES, Case, Generator
from bench.processor import memory_mib, processor_seconds
from bench.servers import Peer, Server, settled_total


@dataclass(frozen=True, slots=True)
class Figure:
    """What one server did under one load."""

    per_second: float
    """Values a second; for a load that takes none, answers a second."""
    processor_us: float
    """Microseconds of processor time of all the server's processes for each of these."""
    median_ms: float
    p99_ms: float
    mib: float
    """The memory of all its processes at the end."""
    failed: int


def measure_one(
    made_by: Generator, case: Case, seconds: float, peer: Peer, server: Server
) -> tuple[Figure, list[str]]:
    """Put a load on a server; return what it did, and a line for each kind of failure."""
    idle = idle_connections(server.port, case.idle) if case.idle else nullcontext()
    before = settled_total(peer, server)
    with idle:
        used = processor_seconds(server.processes)
        load = made_by.run(server.port, peer.requests[case.call], case, seconds)
        used = processor_seconds(server.processes) - used
        mib = memory_mib(server.processes)
    wrong = load.failures()
    if peer.total is not None:
        taken = settled_total(peer, server) - before
        wrong += load.miscounted(taken, VALUES[case.call], peer.strays)
    count = load.answered * max(1, VALUES[case.call])
    figure = Figure(
        per_second=count / load.seconds,
        processor_us=used * 1e6 / max(1, count),
        median_ms=load.median_ms,
        p99_ms=load.p99_ms,
        mib=mib,
        failed=load.failed,
    )
    return figure, wrong
