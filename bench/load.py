"""Load on a server, from wrk or our own clients: commands that print the same JSON."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).parent

UUIDS = "6d6f6e6f-7472-4f6e-8000-"
"""The start of each series' UUID; its number in 12 hex digits completes it."""

TOKEN = "$"
"""Stands for a new token in each request."""

STRIDE = 611_953
"""From one request's series to the next one's: prime, so that each has its turn, and far, because
neighbours would be on the same page of the store."""

PATIENCE = 20
"""Seconds after which an answer is a failure."""

POST, PUT, GET, RANGE = "POST", "PUT", "GET", "count=100"
"""The calls: the next number, the number of a new token, the current number, the next 100."""

VALUES = {POST: 1, PUT: 1, GET: 0, RANGE: 100}
"""How many values each call takes from its series."""


@dataclass(frozen=True, slots=True)
class Request:
    """How a server is asked: a method, and a path before and after the number of a series."""

    method: str
    before: str
    after: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of load: a number of clients, each of which sends, waits for the answer, repeats."""

    call: str
    series: int
    clients: int
    keep_alive: bool = True
    idle: int = 0
    """How many more connections are open meanwhile, and do nothing."""

    def __str__(self) -> str:
        connections = "keep-alive" if self.keep_alive else "a connection for each request"
        beside = f", {self.idle} idle ones" if self.idle else ""
        return f"{self.call}, {self.series} series, {connections}, {self.clients} clients{beside}"


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

    def failures(self) -> list[str]:
        """Return a line for each kind of failed request."""
        wrong = []
        if self.bad_status:
            wrong.append(f"{self.bad_status} answers that are not 2xx")
        if self.socket_errors:
            wrong.append(f"{self.socket_errors} requests without an answer")
        if not self.answered:
            wrong.append("no answer at all")
        return wrong

    def miscounted(self, taken: int, values: int, strays: int = 0) -> list[str]:
        """Return a line if what was taken from the store does not match the answers.

        Each good answer stands for `values` of its series. A request whose answer nobody saw may or
        may not have taken them; `strays` answers may belong to requests before.
        """
        good = (self.answered - self.bad_status) * values
        unseen = (self.socket_errors + self.cut_off) * values
        if good - strays * values <= taken <= good + unseen:
            return []
        return [f"{good} numbers were answered, but {taken} were taken from the store"]


@dataclass(frozen=True, slots=True)
class Generator:
    """The program that makes the load."""

    name: str
    command: Callable[[int, Request, Case, float], list[str]]
    cuts_off: bool
    """Whether it ends without waiting for the answers to its last requests."""

    def run(self, port: int, request: Request, case: Case, seconds: float) -> Load:
        """Put the load of `case` on the server at `port`."""
        command = self.command(port, request, case, seconds)
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


def _wrk(port: int, request: Request, case: Case, seconds: float) -> list[str]:
    return [
        *("wrk", "--threads", "1", "--connections", str(case.clients)),
        *("--duration", f"{seconds:.0f}s", "--timeout", f"{PATIENCE}s"),
        *("--script", str(HERE / "requests.lua"), f"http://127.0.0.1:{port}", "--"),
        *(request.method, request.before, request.after, str(case.series)),
        "keep-alive" if case.keep_alive else "close",
    ]


def _own_clients(port: int, request: Request, case: Case, seconds: float) -> list[str]:
    plan = {
        **asdict(request),
        "port": port,
        "seconds": seconds,
        "patience": PATIENCE,
        "stride": STRIDE,
        "series": case.series,
        "clients": case.clients,
        "keep_alive": case.keep_alive,
    }
    return [sys.executable, str(HERE / "own_clients.py"), json.dumps(plan)]
