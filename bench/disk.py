"""How long the disk itself needs to make 4 KiB durable."""

import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

PAGE = b"\xa5" * 4096


@dataclass(frozen=True, slots=True)
class Syncs:
    """One run of consecutive syncs."""

    per_second: float
    median_ms: float
    p99_ms: float


def sync_for(seconds: float, folder: Path) -> Syncs:
    """Overwrite one page and sync it, repeatedly.

    The page is allocated first, so that no sync has to record a new block in the file system's
    journal.
    """
    latencies: list[float] = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        file.write(PAGE)
        os.fsync(file.fileno())
        end = time.perf_counter() + seconds
        while not latencies or time.perf_counter() < end:
            started = time.perf_counter()
            os.pwrite(file.fileno(), PAGE, 0)
            os.fdatasync(file.fileno())
            latencies.append(time.perf_counter() - started)
    latencies.sort()
    return Syncs(
        per_second=len(latencies) / sum(latencies),
        median_ms=statistics.median(latencies) * 1000,
        p99_ms=latencies[int(len(latencies) * 0.99)] * 1000,
    )
