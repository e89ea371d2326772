"""nginx from Debian with the configuration of deploy/cluster, and servers to stand before."""

import os
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from tests.conftest import installed
from tests.support.service import (
    BECOME,
    BECOMING,
    END_WITH_US,
    PATIENCE,
    Answer,
    ask,
    wait_until,
)
from tests.support.shown import ROOT

CONFIGURATION = ROOT / "deploy" / "cluster" / "nginx.conf"
PORT = 8080
"""The port of nginx and of each Monotron behind it, in their containers."""
REPLICAS = ("monotron-1", "monotron-2")


@dataclass(frozen=True, slots=True)
class Front:
    """A running nginx."""

    port: int

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        connection = self.connect()
        try:
            return ask(connection, method, path, body, headers)
        finally:
            connection.close()


def program() -> str:
    return installed("nginx-light", "MONOTRON_REQUIRE_NGINX", "nginx", "/usr/sbin/nginx")


def configured(place: Path, port: int, replicas: Sequence[int]) -> Path:
    """Write the configuration with other addresses and another folder, and nothing else changed."""
    text = CONFIGURATION.read_text(encoding="utf-8")
    # Debian's nginx is older than `resolve`, which an address does not need.
    names = [f"server {name}:{PORT} resolve " for name in REPLICAS]
    addresses = [f"server 127.0.0.1:{replica} " for replica in replicas]
    changed = dict(zip(names, addresses, strict=True))
    changed[f"listen {PORT};"] = f"listen 127.0.0.1:{port};"
    for there, here in changed.items():
        assert text.count(there) == 1, there
        text = text.replace(there, here)
    file = place / "nginx.conf"
    file.write_text(text.replace(" /tmp/", f" {place}/"), encoding="utf-8")
    return file


@contextmanager
def in_front_of(place: Path, *replicas: int) -> Iterator[Front]:
    """Run nginx before servers on these ports of this machine, with its files in `place`."""
    nginx, log = program(), place / "nginx.log"
    place.mkdir(exist_ok=True)
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener, log.open("wb") as stderr:
        port = listener.getsockname()[1]
        file = configured(place, port, replicas)
        process = subprocess.Popen(
            # As the user of the tests, who alone may enter the folder.
            [*BECOMING, f"{END_WITH_US}\n{BECOME}", nginx, "-c", file, "-g", "user root;"],
            # nginx takes a socket over that listens already, so no other process can take the port.
            env=os.environ | {"NGINX": f"{listener.fileno()};"},
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
        )
        try:

            def started() -> bool:
                assert process.poll() is None, log.read_text()
                return (place / "nginx.pid").exists()

            wait_until(started, "nginx has started")
            yield Front(port)
        finally:
            process.terminate()
            process.wait(PATIENCE)
            print("--- stderr of nginx:", log.read_text(errors="backslashreplace"), sep="\n")


@dataclass
class Stub:
    """A server in place of Monotron: it gives one answer to all, or hangs up on all."""

    status: int | None
    """None hangs up once it has read the request."""
    port: int = 0
    asked: list[str] = field(default_factory=list)

    @contextmanager
    def serving(self) -> Iterator["Stub"]:
        with ThreadingHTTPServer(("127.0.0.1", 0), self._handler()) as server:
            self.port = server.server_address[1]
            thread = Thread(target=server.serve_forever)
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline()
                if not self.raw_requestline or not self.parse_request():
                    return
                self.rfile.read(int(self.headers.get("Content-Length", "0")))
                stub.asked.append(f"{self.command} {self.path}")
                self.close_connection = True
                if stub.status is not None:
                    self.send_response(stub.status)
                    self.send_header("Content-Length", "0")
                    self.send_header("X-Stub", str(stub.port))
                    self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@contextmanager
def stubs(*statuses: int | None) -> Iterator[list[Stub]]:
    """Serve stubs with these answers."""
    if not statuses:
        yield []
        return
    with Stub(statuses[0]).serving() as first, stubs(*statuses[1:]) as others:
        yield [first, *others]
