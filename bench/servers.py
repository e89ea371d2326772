"""Servers under load: how monotron and the empty app are started, asked and checked."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

from bench.load import GET, POST, PUT, RANGE, TOKEN, UUIDS, Request

ROOT = Path(__file__).parents[1]

START_SECONDS = 20
STOP_SECONDS = 15
SETTLE_SECONDS = 10

BUILD_NUMBER = f"/{UUIDS}"
SERIES = f"/v1/series/{UUIDS}"


@dataclass(frozen=True, slots=True)
class Server:
    """A listening server."""

    port: int
    processes: tuple[int, ...]
    """The processes that were started for it; their descendants are its own too."""
    folder: Path
    """Its own, with what it writes to its output as `log`."""

    def log_tail(self) -> str:
        """Return the last lines that it wrote."""
        said = (self.folder / "log").read_text(errors="replace")
        return "\n".join(said.splitlines()[-10:])


@dataclass(frozen=True, slots=True)
class Peer:
    """One kind of server in the comparison."""

    name: str
    meaning: str
    start: Callable[[Path], AbstractContextManager[Server]]
    """Starts it in a folder of its own, which may hold a store as `store`."""
    requests: Mapping[str, Request]
    """How it is asked for each call that it has."""
    total: Callable[[Server], int] | None = None
    """Returns the sum of the values of all its series; None if it keeps none."""
    strays: int = 0
    """How many of its answers may belong to requests of clients that have gone."""


def monotron(name: str, meaning: str, module: str = "monotron", **variables: str) -> Peer:
    """Return the service, with these settings in addition to those of the environment."""
    requests = {
        POST: Request("POST", BUILD_NUMBER),
        GET: Request("GET", BUILD_NUMBER),
        PUT: Request("PUT", SERIES, f"/{TOKEN}"),
        RANGE: Request("POST", SERIES, "?count=100"),
    }
    command = [sys.executable, "-m", module, "serve"]
    return Peer(name, meaning, lambda folder: _ours(command, folder, variables), requests, _total)


def empty_app(name: str, meaning: str, **variables: str) -> Peer:
    """Return the empty app on the service's own server."""
    requests = {POST: Request("POST", BUILD_NUMBER), GET: Request("GET", BUILD_NUMBER)}
    command = [sys.executable, "-m", "bench.empty_app"]
    return Peer(name, meaning, lambda folder: _ours(command, folder, variables), requests)


@contextmanager
def running(
    command: list[str], log: Path, ready: str, variables: Mapping[str, str] | None = None
) -> Iterator[tuple[int, "re.Match[str]"]]:
    """Run a command; yield its process and what matched `ready` in its output.

    Raises `RuntimeError` if it does not start, or if it fails when it is told to end.
    """
    # A child must import the same monotron and bench as this process, wherever it starts.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **(variables or {})}
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        yield process.pid, _await(process, log, ready)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        finally:
            process.kill()
    if process.returncode:
        said = log.read_text(errors="replace")
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{said}")


def settled_total(peer: Peer, server: Server) -> int:
    """Return the sum of all values, after requests in flight settle.

    A load generator that stops without waiting leaves requests behind, which are still processed.
    """
    if peer.total is None:
        return 0
    end = time.monotonic() + SETTLE_SECONDS
    total, before = peer.total(server), -1
    while total != before and time.monotonic() < end:
        time.sleep(0.05)
        total, before = peer.total(server), total
    return total


@contextmanager
def _ours(command: list[str], folder: Path, variables: Mapping[str, str]) -> Iterator[Server]:
    command = [*command, "--host", "127.0.0.1", "--port", "0"]
    # As a variable it counts only if the variables name no other store.
    variables = {"STORAGE_DIR": str(folder / "store"), **variables}
    listens = r"http://127\.0\.0\.1:([0-9]+)"
    with running(command, folder / "log", listens, variables) as (pid, ready):
        yield Server(int(ready[1]), (pid,), folder)


def _await(process: "subprocess.Popen[bytes]", log: Path, ready: str) -> "re.Match[str]":
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        said = log.read_text(errors="replace")
        if found := re.search(ready, said):
            return found
        if process.poll() is not None:
            raise RuntimeError(f"a server could not start:\n{said}")
        time.sleep(0.02)
    raise RuntimeError(f"a server was not ready after {START_SECONDS} seconds:\n{said}")


def _total(server: Server) -> int:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=SETTLE_SECONDS)
    total, after = 0, ""
    while after is not None:
        connection.request("GET", f"/v1/series?limit=1000&after={quote(after)}")
        page = json.load(connection.getresponse())
        total += sum(series["value"] for series in page["series"])
        after = page["next"]
    connection.close()
    return total
