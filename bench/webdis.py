"""webdis in front of Redis that syncs every write: what others would use for numbers over HTTP."""

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.load import GET, POST, RANGE, UUIDS, Request
from bench.servers import Peer, Server, running

MOST_SERIES = 1_000
"""The number of series whose values are added up."""

STRAYS = 300
"""webdis may give the answer of a client that has gone to the next one that connects. Those are the
requests in flight when a load ends, at most one for each of its clients."""

CONFIG = "webdis.json"

KEYS = [f"{UUIDS}{number:012x}" for number in range(MOST_SERIES)]


def webdis() -> Peer | None:
    """Return the peer; None unless Debian's packages webdis and redis-server are installed."""
    if not (shutil.which("webdis") and shutil.which("redis-server")):
        return None
    return Peer(
        "webdis",
        "webdis with Redis, appendfsync always",
        _start,
        {
            POST: Request("GET", f"/INCR/{UUIDS}"),
            GET: Request("GET", f"/GET/{UUIDS}"),
            RANGE: Request("GET", f"/INCRBY/{UUIDS}", "/100"),
        },
        _total,
        strays=STRAYS,
    )


@contextmanager
def _start(folder: Path) -> Iterator[Server]:
    redis_port, http_port = _free_ports()
    redis = ["redis-server", "--port", str(redis_port), "--bind", "127.0.0.1", "--dir", str(folder)]
    redis += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    log, config = folder / "log", folder / CONFIG
    # As Debian sets it up, except for the ports.
    members = {
        "redis_host": "127.0.0.1",
        "redis_port": redis_port,
        "http_host": "127.0.0.1",
        "http_port": http_port,
        "threads": 2,
        "daemonize": False,
        "database": 0,
        "verbosity": 3,
        "logfile": str(log),
    }
    config.write_text(json.dumps(members), encoding="utf-8")
    with (
        running(redis, folder / "redis.log", "Ready to accept connections") as (redis_pid, _),
        running(["webdis", str(config)], log, "up and running") as (webdis_pid, _),
    ):
        yield Server(http_port, (redis_pid, webdis_pid), folder)


def _free_ports() -> tuple[int, int]:
    anywhere = ("127.0.0.1", 0)
    with socket.create_server(anywhere) as one, socket.create_server(anywhere) as two:
        return one.getsockname()[1], two.getsockname()[1]


def _total(server: Server) -> int:
    # Not through webdis, which might answer with a stray.
    config = json.loads((server.folder / CONFIG).read_text(encoding="utf-8"))
    command = ["redis-cli", "-p", str(config["redis_port"]), "MGET", *KEYS]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return sum(int(value) for value in said.split())
