"""The two servers under load, monotron and the empty app, each in its own child process."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

from monotron.settings import Settings

ROOT = Path(__file__).parents[1]

START_SECONDS = 20
STOP_SECONDS = 15
SETTLE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Server:
    """A listening server."""

    port: int
    log: Path

    def log_tail(self) -> str:
        """Return the last lines that it wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-10:])


@contextmanager
def start_real(settings: Settings, folder: Path) -> Iterator[Server]:
    """Run monotron on a new store in `folder`."""
    command = [sys.executable, "-m", "monotron", "serve"]
    with _run(command, settings, folder / "store", folder / "real.log") as server:
        yield server


@contextmanager
def start_empty(settings: Settings, folder: Path) -> Iterator[Server]:
    """Run the empty app on the same server with the same settings."""
    command = [sys.executable, "-m", "bench.empty_app"]
    with _run(command, settings, folder / "unused", folder / "empty.log") as server:
        yield server


def given_out(server: Server) -> int:
    """Return how many numbers monotron has given out in total, after requests in flight settle.

    A load generator that stops without waiting leaves requests behind, which are still processed.
    """
    end = time.monotonic() + SETTLE_SECONDS
    total, before = _sum_of_values(server), -1
    while total != before and time.monotonic() < end:
        time.sleep(0.05)
        total, before = _sum_of_values(server), total
    return total


@contextmanager
def _run(command: list[str], settings: Settings, storage: Path, log: Path) -> Iterator[Server]:
    flags = {
        "workers": settings.workers,
        "threads": settings.threads,
        "history": settings.history,
        "storage-dir": storage,
    }
    command = [*command, "--host", "127.0.0.1", "--port", "0"]
    command += [part for flag, value in flags.items() for part in (f"--{flag}", str(value))]
    # A child must import the same monotron and bench as this process, wherever it starts.
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        server = _await_ready(process, log)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        finally:
            process.kill()
    if process.returncode:
        raise RuntimeError(
            f"{' '.join(command)} ended with {process.returncode}:\n{server.log_tail()}"
        )


def _await_ready(process: subprocess.Popen[bytes], log: Path) -> Server:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        said = log.read_text(errors="replace")
        if ready := re.search(r"http://127\.0\.0\.1:([0-9]+)", said):
            return Server(int(ready[1]), log)
        if process.poll() is not None:
            raise RuntimeError(f"a server could not start:\n{said}")
        time.sleep(0.02)
    raise RuntimeError(f"a server was not ready after {START_SECONDS} seconds:\n{said}")


def _sum_of_values(server: Server) -> int:
    """Return the sum of all series' values: each value counts the numbers that its series gave."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=SETTLE_SECONDS)
    total, after = 0, ""
    while after is not None:
        connection.request("GET", f"/v1/series?limit=1000&after={quote(after)}")
        page = json.load(connection.getresponse())
        total += sum(series["value"] for series in page["series"])
        after = page["next"]
    connection.close()
    return total
