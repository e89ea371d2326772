"""More clients than can be served, and clients that misbehave: others are not affected."""

import itertools
import queue
import resource
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from monotron.limits import ATTRIBUTES_BYTES
from monotron.measures import Measures
from monotron.server import open_files
from monotron.server.loop import server
from monotron.server.loop.server import BIG_BODIES, QUEUE, LoopServer
from monotron.server.service import Service as Served
from monotron.settings import read_settings
from tests.conftest import held
from tests.support import service
from tests.support.service import (
    JOB,
    PATIENCE,
    Load,
    Serve,
    Service,
    assert_none_twice,
    read_answer,
    wait_until,
)

POST = f"POST {JOB} HTTP/1.1\r\nHost: monotron\r\n\r\n".encode()


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """Allow this process as many connections as the tests open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def memory(service: Service) -> int:
    """Return how many bytes of memory its worker uses."""
    (worker,) = service.workers()
    lines = Path(f"/proc/{worker}/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024


def assert_alive(service: Service) -> None:
    """Show that the service answers whether it is alive, now."""
    assert service.get("/healthz").json == {"status": "alive"}


def test_who_finds_the_queue_full_is_refused_at_once_and_all_others_are_answered(
    serve: Serve,
) -> None:
    too_many = 50
    running = serve()
    running.take()
    with ExitStack() as stack:
        clients = [stack.enter_context(running.socket()) for _ in range(QUEUE + too_many)]
        with held(running.storage_dir):
            for client in clients:
                client.sendall(POST)
            # Nobody else can be answered while the store cannot be written.
            refused = set(_answered(clients, too_many))
            assert_alive(running)
            for client in refused:
                answer = read_answer(client)
                problem = answer.assert_problem(503)
                assert answer.headers["Retry-After"] == "1"
                assert "nothing was taken" in problem["detail"]
        values = []
        for client in clients:
            if client not in refused:
                answer = read_answer(client)
                if answer.status == 200:
                    values.append(answer.value)
                else:
                    # Those that the wait for the store was too long for.
                    answer.assert_problem(503)
        # A client that was refused may try again on the same connection.
        for client in refused:
            client.sendall(POST)
            values.append(read_answer(client).value)
    assert_none_twice(values)
    assert running.take() == len(values) + 2


def test_memory_stays_bounded_however_many_are_refused(serve: Serve) -> None:
    running = serve("--threads", "1")
    rounds = []
    with held(running.storage_dir), ExitStack() as stack:
        for _ in range(QUEUE):
            client = stack.enter_context(running.socket())
            client.sendall(POST)
        connection = stack.enter_context(closing(running.connect()))
        wait_until(lambda: service.ask(connection, "POST", JOB).status == 503, "the queue is full")
        for _ in range(2):
            for _ in range(500):
                service.ask(connection, "POST", JOB)
            rounds.append(memory(running))
    assert rounds[1] < rounds[0] * 1.1


def test_large_bodies_are_taken_in_a_few_at_a_time(serve: Serve) -> None:
    running = serve()
    path = "/v1/tokens/svc/t/attrs/big"
    head = (
        f"PUT {path} HTTP/1.1\r\nHost: monotron\r\nContent-Length: {ATTRIBUTES_BYTES}\r\n"
        "Expect: 100-continue\r\n\r\n"
    )

    def finds_a_place(client: socket.socket) -> bool:
        client.sendall(head.encode())
        line = b"HTTP/1.1 100"
        return client.recv(len(line), socket.MSG_PEEK | socket.MSG_WAITALL) == line

    def another_finds_a_place() -> bool:
        with running.socket() as client:
            return finds_a_place(client)

    with ExitStack() as stack:
        slow = [stack.enter_context(running.socket()) for _ in range(BIG_BODIES)]
        assert all(finds_a_place(client) for client in slow)
        one_more = stack.enter_context(running.socket())
        assert not finds_a_place(one_more)
        answer = read_answer(one_more, "PUT")
        assert answer.assert_problem(503)["detail"]
        assert answer.headers["Retry-After"] == "1"
        # Small ones do not notice.
        assert running.take() == 1
        slow.pop().close()
        wait_until(another_finds_a_place, "a place is free again")


def test_idle_connections_do_not_stop_others(serve: Serve) -> None:
    running = serve()
    with ExitStack() as stack:
        for _ in range(2_000):
            client = stack.enter_context(running.socket())
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: monotron\r\n\r\n")
            assert read_answer(client, "GET").status == 200
        with Load(running) as load:
            load.wait_for_more(500)
        assert load.broken == []
        assert_alive(running)


def test_clients_that_send_a_byte_at_a_time_do_not_stop_others(serve: Serve) -> None:
    running = serve("--threads", "2")
    over = threading.Event()
    with ExitStack() as stack:
        slow = [stack.enter_context(running.socket()) for _ in range(200)]

        def drip() -> None:
            for place in range(len(POST) - 1):
                for client in slow:
                    client.sendall(POST[place : place + 1])
                if over.wait(0.1):
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        with Load(running) as load:
            load.wait_for_more(500)
        over.set()
        dripping.join()
        assert load.broken == []
        assert_alive(running)


def test_half_open_connections_do_not_stop_others(serve: Serve) -> None:
    running = serve("--threads", "2")
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(running.socket())
            half_closed = stack.enter_context(running.socket())
            half_closed.sendall(POST[:10])
            half_closed.shutdown(socket.SHUT_WR)
        with Load(running) as load:
            load.wait_for_more(500)
        assert load.broken == []


def test_clients_that_never_read_do_not_stop_others(serve: Serve) -> None:
    running = serve("--threads", "2")
    for number in range(64):
        body = b"x" * 65_536
        answer = running.put(f"/v1/tokens/svc/t/attrs/{number}", body)
        assert answer.status == 200
    with ExitStack() as stack:
        for _ in range(20):
            client = stack.enter_context(running.socket())
            # Four megabytes, which no socket's buffer holds.
            client.sendall(b"GET /v1/tokens/svc/t/attrs HTTP/1.1\r\nHost: monotron\r\n\r\n")
        with Load(running) as load:
            load.wait_for_more(500)
        assert load.broken == []
        assert_alive(running)


def test_clients_that_pipeline_and_never_read_do_not_fill_the_memory(serve: Serve) -> None:
    running = serve()
    for number in range(64):
        assert running.put(f"/v1/tokens/svc/t/attrs/{number}", b"x" * 65_536).status == 200
    running.get("/v1/tokens/svc/t/attrs")
    before = memory(running)
    request = b"GET /v1/tokens/svc/t/attrs HTTP/1.1\r\nHost: monotron\r\n\r\n" * 100
    with ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(running.socket()).sendall(request)
        with Load(running) as load:
            load.wait_for_more(500)
        assert load.broken == []
        assert memory(running) - before < 100 * 2**20
    wait_until(lambda: open_connections(running) <= 1, "the clients are forgotten")
    assert running.take() > 0


def test_a_client_that_sends_thousands_of_requests_at_once_lets_others_take_turns(
    serve: Serve,
) -> None:
    running = serve("--access-log", "on")
    count = 2_000
    with running.socket() as greedy, running.socket() as other:
        # The service finds all of them at once.
        with running.halted(*running.workers()):
            greedy.sendall(b"GET /v1/none HTTP/1.1\r\nHost: x\r\n\r\n" * count)
            other.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_answer(other, "GET").status == 200
        wait_until(lambda: "/healthz" in running.log.read_text(), "the answer is logged")
    before = itertools.takewhile(lambda line: "/healthz" not in line, running.lines)
    assert len(list(before)) < count / 2


def test_a_client_that_keeps_a_refused_connection_does_not_hold_up_the_end(serve: Serve) -> None:
    running = serve()
    with running.socket() as client:
        client.sendall(b"POST / HTTP/1.1\r\n\r\n")
        read_answer(client).assert_problem(400)
        assert running.stop() == 0
    assert [line for line in running.lines if "stopped: SIGTERM" not in line] == []


def test_clients_that_vanish_leave_nothing_behind(serve: Serve) -> None:
    running = serve()
    running.take()
    (worker,) = running.workers()
    files = Path(f"/proc/{worker}/fd")
    before = len(list(files.iterdir()))
    for _ in range(500):
        client = running.socket()
        client.sendall(POST)
        # It is reset: nobody reads the answer, or hears that there will be none.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    wait_until(lambda: len(list(files.iterdir())) <= before, "their connections are closed")
    assert running.take() >= 2


@pytest.mark.parametrize("workers", ["1", "2"])
def test_three_hundred_clients_at_once_are_all_answered(serve: Serve, workers: str) -> None:
    running = serve("--workers", workers)
    with ExitStack() as stack:
        clients = [stack.enter_context(running.socket()) for _ in range(300)]
        for client in clients:
            client.sendall(POST)
        values = [read_answer(client).value for client in clients]
    assert sorted(values) == list(range(1, 301))


def open_connections(service: Service) -> float:
    """Return how many connections its workers have, as they measure it each second."""
    (line,) = (
        line
        for line in service.get("/metrics").body.decode().splitlines()
        if line.startswith("monotron_http_connections ")
    )
    return float(line.split()[1])


@contextmanager
def hello_server() -> Iterator[Callable[[], socket.socket]]:
    """Serve an application in this process that says hello; return how to connect."""

    def hello(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "5")])
        return [b"hello"]

    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        made: queue.SimpleQueue[LoopServer] = queue.SimpleQueue()

        def run() -> None:
            loop = LoopServer([listener], read_settings({}, {}), Measures().slot(0))
            made.put(loop)
            loop.run(Served(hello, lambda: True, lambda: None, (), lambda path: False))

        thread = threading.Thread(target=run)
        thread.start()
        loop = made.get()
        try:
            yield lambda: socket.create_connection(address, PATIENCE)
        finally:
            loop.stop()
            thread.join()


def say_hello(client: socket.socket) -> None:
    client.sendall(b"GET / HTTP/1.1\r\nHost: monotron\r\n\r\n")
    assert read_answer(client, "GET").body == b"hello"


def test_idle_connections_make_room_for_new_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_files, "CONNECTIONS", 50)
    monkeypatch.setattr(server, "SPARE_CONNECTIONS", 10)
    with hello_server() as connect, ExitStack() as stack:
        for _ in range(150):
            say_hello(stack.enter_context(connect()))


def test_a_request_that_is_never_complete_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "REQUEST_SECONDS", 0.5)
    with hello_server() as connect, connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: monotron\r\nX: ")
        end = time.monotonic() + PATIENCE
        client.settimeout(0.01)
        # It is not idle: it keeps sending bytes.
        with suppress(ConnectionError):
            while time.monotonic() < end and not _is_closed(client):
                client.sendall(b"x")
        assert time.monotonic() < end


def test_an_idle_connection_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with hello_server() as connect, connect() as client:
        say_hello(client)
        monkeypatch.setattr(server, "IDLE_SECONDS", 0.1)
        assert client.recv(1) == b""


def _answered(clients: list[socket.socket], count: int) -> list[socket.socket]:
    """Wait until `count` have an answer, or the beginning of one, and return them."""
    found: list[socket.socket] = []

    def enough() -> bool:
        found[:] = [client for client in clients if _has_answer(client)]
        return len(found) >= count

    wait_until(enough, f"{count} clients have an answer")
    return found


def _is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except TimeoutError:
        return False


def _has_answer(client: socket.socket) -> bool:
    # Not select(), which cannot look at more than 1,024 descriptors.
    poll = select.poll()
    poll.register(client, select.POLLIN)
    return bool(poll.poll(0))
