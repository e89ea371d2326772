"""Load on a server, from wrk or our own clients: commands that print the same JSON."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).parent

PATHS = "/6d6f6e6f-7472-4f6e-8000-"
"""The start of each series' path; its number in 12 hex digits completes the UUID."""

PATIENCE = 20
"""Seconds after which an answer is a failure."""


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of load: a number of clients, each of which sends, waits for the answer, repeats."""

    series: int
    keep_alive: bool
    clients: int

    def __str__(self) -> str:
        connections = "keep-alive" if self.keep_alive else "a connection for each request"
        return f"{self.series} series, {connections}, {self.clients} clients"


@dataclass(frozen=True, slots=True)
class Load:
    """The result of one run. Everything except `cut_off` is in the JSON that the command prints."""

    answered: int
    seconds: float
    median_ms: float
    p99_ms: float
    bad_status: int
    """Answers that were not 2xx; `answered` includes them."""
    socket_errors: int
    """Requests without an answer: refused, reset, cut short, or slower than `PATIENCE`."""
    cut_off: int
    """How many requests may have been processed without anybody waiting for their answers."""

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds

    @property
    def failed(self) -> int:
        """Requests that failed."""
        return self.bad_status + self.socket_errors


@dataclass(frozen=True, slots=True)
class Generator:
    """The program that makes the load."""

    name: str
    command: Callable[[int, Case, float], list[str]]
    cuts_off: bool
    """Whether it ends without waiting for the answers to its last requests."""

    def run(self, port: int, case: Case, seconds: float) -> Load:
        """Put the load of `case` on the server at `port`."""
        command = self.command(port, case, seconds)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
        members = json.loads(done.stdout.splitlines()[-1])
        return Load(**members, cut_off=case.clients if self.cuts_off else 0)


def generator(*, own_clients: bool) -> Generator:
    """Return wrk if it is installed, else our own clients."""
    if own_clients or not shutil.which("wrk"):
        return Generator("own clients", _own_clients, cuts_off=False)
    # It prints its version, then its usage, and exits with 1.
    said = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False).stdout
    return Generator(" ".join(said.split()[:2]), _wrk, cuts_off=True)


def _wrk(port: int, case: Case, seconds: float) -> list[str]:
    return [
        *("wrk", "--threads", "1", "--connections", str(case.clients)),
        *("--duration", f"{seconds:.0f}s", "--timeout", f"{PATIENCE}s"),
        *("--script", str(HERE / "post.lua"), f"http://127.0.0.1:{port}", "--"),
        *(PATHS, str(case.series), "keep-alive" if case.keep_alive else "close"),
    ]


def _own_clients(port: int, case: Case, seconds: float) -> list[str]:
    plan = {"port": port, "seconds": seconds, "paths": PATHS, "patience": PATIENCE, **asdict(case)}
    return [sys.executable, str(HERE / "own_clients.py"), json.dumps(plan)]
