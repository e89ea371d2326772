"""Our own clients, if wrk is not installed: one process, one selector, plain sockets.

Its argument is a plan as JSON; it prints the result as JSON. load.py starts it.
"""

import json
import re
import selectors
import socket
import statistics
import sys
import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Plan:
    """The load to make."""

    method: str
    before: str
    after: str
    port: int
    seconds: float
    patience: float
    stride: int
    series: int
    keep_alive: bool
    clients: int


@dataclass(slots=True)
class Counts:
    """The result so far."""

    latencies: list[float] = field(default_factory=list)
    """Seconds from sending a request to the last byte of its answer, for each answer."""
    bad_status: int = 0
    socket_errors: int = 0


def main() -> None:
    """Carry out the plan in the first argument."""
    plan = Plan(**json.loads(sys.argv[1]))
    counts = Counts()
    seconds = drive(plan, counts)
    latencies = counts.latencies or [0.0]
    outcome = {
        "answered": len(counts.latencies),
        "seconds": seconds,
        "median_ms": statistics.median(latencies) * 1000,
        "p99_ms": sorted(latencies)[int(len(latencies) * 0.99)] * 1000,
        "bad_status": counts.bad_status,
        "socket_errors": counts.socket_errors,
    }
    print(json.dumps(outcome))


def drive(plan: Plan, counts: Counts) -> float:
    """Let the clients send until time is up, await the last answers, and return the seconds."""
    selector = selectors.DefaultSelector()
    requests = Requests(plan)
    clients = [Client(plan, requests, counts, selector) for _ in range(plan.clients)]
    started = time.perf_counter()
    for client in clients:
        client.send()
    while time.perf_counter() < started + plan.seconds:
        for key, _ in selector.select(0.1):
            key.data.receive()
            key.data.send()
    last_call = time.perf_counter() + plan.patience
    while any(client.waits for client in clients) and time.perf_counter() < last_call:
        for key, _ in selector.select(0.1):
            key.data.receive()
    counts.socket_errors += sum(client.waits for client in clients)
    return time.perf_counter() - started


class Requests:
    """The requests in turn, one for each series; `requests.lua` sends the same."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        connection = "keep-alive" if plan.keep_alive else "close"
        self._tail = f" HTTP/1.1\r\nHost: 127.0.0.1:{plan.port}\r\nConnection: {connection}\r\n\r\n"
        self._last = 0
        # Another run's tokens may still be the current ones.
        self._token = time.time_ns()

    def take(self) -> bytes:
        """Return the next request."""
        plan = self._plan
        self._last = (self._last + plan.stride) % plan.series
        self._token += 1
        after = plan.after.replace("$", f"{self._token:040x}")
        return f"{plan.method} {plan.before}{self._last:012x}{after}{self._tail}".encode()


class Client:
    """One client: it has at most one connection, and on it at most one request in flight."""

    def __init__(
        self, plan: Plan, requests: Requests, counts: Counts, selector: selectors.BaseSelector
    ) -> None:
        self.waits = False
        self._plan = plan
        self._requests = requests
        self._counts = counts
        self._selector = selector
        self._socket: socket.socket | None = None
        self._answer = b""
        self._sent = 0.0

    def send(self) -> None:
        """Send the next request, unless one is in flight."""
        if self.waits:
            return
        try:
            connection = self._socket or self._connect()
            self._sent = time.perf_counter()
            connection.sendall(self._requests.take())
        except OSError:
            self._fail()
        else:
            self.waits = True

    def receive(self) -> None:
        """Read what has arrived, and count the answer once it is complete."""
        assert self._socket is not None
        try:
            arrived = self._socket.recv(65536)
        except OSError:
            arrived = b""
        if not arrived:
            # The server closed the connection, which is a failure only if an answer was due.
            return self._fail() if self.waits else self._close()
        self._answer += arrived
        if not _complete(self._answer):
            return None
        self._counts.latencies.append(time.perf_counter() - self._sent)
        self._counts.bad_status += not re.match(rb"HTTP/1\.1 2", self._answer)
        self._answer = b""
        self.waits = False
        return None if self._plan.keep_alive else self._close()

    def _connect(self) -> socket.socket:
        address = ("127.0.0.1", self._plan.port)
        self._socket = socket.create_connection(address, self._plan.patience)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(self._socket, selectors.EVENT_READ, self)
        return self._socket

    def _fail(self) -> None:
        self._counts.socket_errors += 1
        self._close()

    def _close(self) -> None:
        self._answer = b""
        self.waits = False
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
            self._socket = None


_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


def _complete(answer: bytes) -> bool:
    head, blank, body = answer.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return bool(blank) and len(body) >= (int(length[1]) if length else 0)


if __name__ == "__main__":
    main()
