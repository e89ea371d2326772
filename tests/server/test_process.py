"""What only a running service shows: restarts, signals, kills, a full disk, bytes on the wire."""

import http.client
import json
import os
import re
import resource
import signal
import socket
import statistics
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from monotron import __version__
from monotron.core.api_keys import Pair
from monotron.limits import BODY_BYTES, HEADER_BYTES, JSON_BYTES, URL_BYTES
from tests.conftest import ROOT, basic
from tests.support import service
from tests.support.ports import new_port
from tests.support.service import (
    JOB,
    PATIENCE,
    STOP_SECONDS,
    Load,
    Serve,
    Service,
    ask,
    assert_none_twice,
    processes,
    read_answer,
    wait_until,
)

SERIES = "/v1/series"
GRANTS = "/v1/accounts/1/grants"


def take_at_once(
    connections: list[http.client.HTTPConnection], path: str, each: int = 1
) -> list[int]:
    """Take numbers on all connections, which begin at the same moment."""
    values: list[int] = []
    begin = threading.Barrier(len(connections))

    def client(connection: http.client.HTTPConnection) -> None:
        begin.wait(PATIENCE)
        for _ in range(each):
            answer = ask(connection, "POST", path)
            values.append(answer.value)
        connection.close()

    threads = [threading.Thread(target=client, args=(each,)) for each in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return values


# Restarts and many clients


def test_a_restart_keeps_every_number(serve: Serve) -> None:
    first = serve()
    assert [first.take(JOB) for _ in range(3)] == [1, 2, 3]
    before = first.put(f"{SERIES}/svc/7d4c379588")
    assert first.stop() == 0

    second = serve()
    assert second.get(JOB).json == {"bn": 3}
    assert second.get(f"{SERIES}/svc").json == before.json
    assert second.put(f"{SERIES}/svc/7d4c379588").json == before.json
    assert second.take(JOB) == 4
    assert second.take(f"{SERIES}/svc") == before.value + 1


@pytest.mark.parametrize("workers", ["1", "2"])
def test_32_clients_at_once_on_one_series_get_exactly_1_to_n(serve: Serve, workers: str) -> None:
    running = serve("--workers", workers)
    connections = [running.connect() for _ in range(32)]
    values = take_at_once(connections, JOB, each=10)
    assert sorted(values) == list(range(1, 321))
    assert running.get(JOB).value == 320


def test_two_workers_never_give_a_number_twice(serve: Serve) -> None:
    running = serve("--workers", "2")
    first, second = running.workers()
    connections = [running.connect_to(worker) for worker in [first, second] * 8]
    values = take_at_once(connections, JOB, each=20)
    assert sorted(values) == list(range(1, 321))


def test_a_worker_sees_at_once_what_the_other_has_given(serve: Serve) -> None:
    running = serve("--workers", "2")
    ours, others = [running.connect_to(worker) for worker in running.workers()]
    for value in range(1, 21):
        assert ask(ours, "POST", JOB).value == value
        assert ask(others, "GET", JOB).value == value
        ours, others = others, ours
    ours.close()
    others.close()


def test_a_key_that_is_deleted_through_one_worker_works_at_none_any_more(serve: Serve) -> None:
    variables = {"ROOT_API_KEY": ROOT.key, "ROOT_API_SECRET": ROOT.secret}
    running = serve("--workers", "3", variables=variables)
    connections = [running.connect_to(worker) for worker in running.workers()]
    assert len(connections) == 3
    for deleting in connections:
        made = ask(deleting, "POST", GRANTS, b'["write:series"]', basic(ROOT)).json["api_key"]
        pair = Pair(made["key"], made["secret"])
        for connection in connections:
            assert ask(connection, "POST", JOB, headers=basic(pair)).status == 200
        assert ask(deleting, "DELETE", f"{GRANTS}/{pair.key}", headers=basic(ROOT)).status == 200
        for connection in connections:
            ask(connection, "POST", JOB, headers=basic(pair)).assert_problem(401)
        for _ in range(10):
            running.ask("POST", JOB, headers=basic(pair)).assert_problem(401)
    assert running.ask("GET", JOB, headers=basic(ROOT)).value == 9
    for connection in connections:
        connection.close()


# Stopping


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_under_load_loses_nothing_and_ends_in_time(
    serve: Serve, workers: str, number: signal.Signals
) -> None:
    first = serve("--workers", workers)
    with Load(first) as load:
        load.wait_for_more(200)
        assert first.stop(number) == 0
    # A request either was answered or has taken nothing.
    assert (load.cut, load.broken) == (0, [])
    assert sorted(load.answered) == list(range(1, len(load.answered) + 1))
    assert not first.workers()

    assert serve().take(load.path) == len(load.answered) + 1


def test_ctrl_c_in_a_terminal_which_reaches_every_process_loses_nothing(serve: Serve) -> None:
    first = serve("--workers", "2")
    with Load(first) as load:
        load.wait_for_more(200)
        os.killpg(first.process.pid, signal.SIGINT)
        # People press it twice.
        os.killpg(first.process.pid, signal.SIGINT)
        assert first.process.wait(STOP_SECONDS) == 0
    assert (load.cut, load.broken) == (0, [])
    assert sorted(load.answered) == list(range(1, len(load.answered) + 1))
    assert [line.split(" ", 1)[1] for line in first.lines] == ["INFO monotron stopped: SIGINT"]

    assert serve().take(load.path) == len(load.answered) + 1


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (signal.SIGHUP, ["INFO SIGHUP does nothing: settings are read at the start"]),
        (signal.SIGUSR1, []),
        (signal.SIGUSR2, []),
    ],
)
def test_a_signal_that_asks_for_something_else_ends_nothing(
    serve: Serve, number: signal.Signals, told: list[str]
) -> None:
    running = serve("--workers", "2")
    workers = running.workers()
    with Load(running) as load:
        load.wait_for_more(50)
        # A terminal that is closed tells every process.
        os.killpg(running.process.pid, number)
        load.wait_for_more(50)
    assert (load.unanswered, load.cut, load.broken) == (0, 0, [])
    assert running.workers() == workers
    if told:
        wait_until(lambda: running.lines, "it is told")
    # Another signal is handled later than the one before.
    assert running.stop(signal.SIGINT) == 0
    stopped = "INFO monotron stopped: SIGINT"
    assert [line.split(" ", 1)[1] for line in running.lines] == [*told, stopped]


def test_a_worker_that_was_replaced_ignores_the_signals_too(serve: Serve) -> None:
    running = serve()
    (victim,) = running.workers()
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: running.workers() - {victim}, "it is replaced")
    assert running.take() == 1
    (worker,) = running.workers()
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        os.kill(worker, number)
    assert running.take() == 2
    assert running.workers() == {worker}


def begin_seed(connection: socket.socket, path: str, body: bytes) -> None:
    """Send a request but for its body, and wait until the server has understood it."""
    connection.sendall(
        b"PUT %s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
        % (path.encode(), len(body))
    )
    expected = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert connection.recv(len(expected), socket.MSG_WAITALL) == expected


def test_a_request_that_is_coming_in_at_sigterm_is_answered(serve: Serve) -> None:
    first = serve()
    body = b'{"value": 110}'
    idle = first.connect()
    assert ask(idle, "POST", JOB).status == 200
    with first.socket() as slow:
        begin_seed(slow, f"{SERIES}/slow", body)
        slow.sendall(body[:5])
        first.begin_stop()
        wait_until(first.refuses, "nobody listens any more")
        slow.sendall(body[5:])
        answer = read_answer(slow)
        assert (answer.status, answer.value) == (200, 110)
        assert answer.headers["Connection"] == "close"
        assert slow.recv(1) == b""
    assert first.end() == 0
    assert [line.split(" ", 1)[1] for line in first.lines] == ["INFO monotron stopped: SIGTERM"]
    with pytest.raises(ConnectionError):
        ask(idle, "GET", JOB)
    idle.close()

    second = serve()
    assert second.get(f"{SERIES}/slow").value == 110
    assert second.get(JOB).value == 1


@pytest.mark.alone
def test_what_never_ends_does_not_keep_sigterm_from_ending_in_time(
    serve: Serve, tmp_path: Path
) -> None:
    # Two services, so that they take their time together.
    with_requests = serve("--workers", "2")
    with_stuck_worker = serve("--workers", "2", "--storage-dir", str(tmp_path / "other"))
    stuck = min(with_stuck_worker.workers())
    body = b'{"value": 110}'
    with with_requests.socket() as in_headers, with_requests.socket() as in_body:
        in_headers.sendall(b"POST %s HTTP/1.1\r\nHost:" % JOB.encode())
        begin_seed(in_body, f"{SERIES}/slow", body)
        in_body.sendall(body[:-1])
        os.kill(stuck, signal.SIGSTOP)
        with_requests.begin_stop()
        with_stuck_worker.begin_stop()
        assert with_requests.end() == 0
        assert with_stuck_worker.end() == 0
        for connection in (in_headers, in_body):
            assert received_until_the_end(connection) == b""
    assert not with_requests.workers()
    wait_until(lambda: stuck not in processes(), "the stuck worker is gone")

    second = serve()
    assert second.get(JOB).status == 404
    assert second.get(f"{SERIES}/slow").status == 404


# Kills


def test_kill_9_of_the_whole_service_under_load_loses_nothing_that_was_answered(
    serve: Serve,
) -> None:
    answered: list[int] = []
    unanswered = 0
    for workers in ["1", "2", "2", "1", "2"]:
        running = serve("--workers", workers)
        with Load(running) as load:
            load.wait_for_more(100)
            running.kill()
        answered += load.answered
        assert load.broken == []
        unanswered += load.unanswered + load.cut

    following = serve().take(load.path)
    assert_none_twice(answered)
    assert following > max(answered)
    # A number is skipped only if a caller never got the answer.
    assert following - 1 - len(answered) <= unanswered


def test_kill_9_of_one_worker_under_load_loses_nothing_and_it_is_replaced(serve: Serve) -> None:
    running = serve("--workers", "2")
    with Load(running) as load:
        load.wait_for_more(100)
        for _ in range(5):
            # The older one stays. The new one may still wait for the lock, and while it is asked,
            # the victim is halted, perhaps with the lock in hand.
            other, victim = sorted(running.workers())
            # A connection on which the other one answers, before and after.
            connection = running.connect_to(other)
            held = connection.sock
            os.kill(victim, signal.SIGKILL)
            for _ in range(10):
                assert ask(connection, "POST", "/v1/series/other").status == 200
                assert connection.sock is held
            connection.close()
            wait_until_two(running, other)
            load.wait_for_more(50)
    assert load.broken == []

    following = running.take(load.path)
    assert_none_twice(load.answered)
    assert following > max(load.answered)
    assert following - 1 - len(load.answered) <= load.unanswered + load.cut
    assert running.get("/v1/series/other").value == 50
    ended = [line for line in running.lines if "another one replaces it" in line]
    assert len(ended) == 5
    assert running.stop() == 0


def wait_until_two(running: Service, other: int) -> None:
    """Wait until there are two workers again, of which this one is one."""

    def are_two() -> bool:
        workers = running.workers()
        return len(workers) == 2 and other in workers

    wait_until(are_two, "another worker is in its place")


def test_a_killed_worker_is_replaced_by_one_that_answers(serve: Serve) -> None:
    running = serve()
    assert running.take() == 1
    (victim,) = running.workers()
    os.kill(victim, signal.SIGKILL)
    # A client that connects meanwhile waits for the new one.
    wait_until(lambda: running.workers() - {victim}, "another worker is in its place")
    assert running.take() == 2


def test_a_worker_that_cannot_be_replaced_yet_is_once_that_is_possible(
    serve: Serve, folder: Path
) -> None:
    running = serve("--workers", "2")
    assert running.take() == 1
    victim, other = running.workers()
    lock, aside = folder / "turn.lock", folder / "aside"
    lock.rename(aside)
    lock.mkdir()
    os.kill(victim, signal.SIGKILL)
    wait_until(
        lambda: "a worker could not start" in running.log.read_text(),
        "the replacement has failed",
    )
    assert running.take() == 2
    lock.rmdir()
    aside.rename(lock)
    wait_until_two(running, other)
    connections = [running.connect_to(worker) for worker in running.workers()]
    assert sorted(take_at_once(connections, JOB)) == [3, 4]
    assert running.stop() == 0


def test_a_replacement_never_begins_a_new_store_where_the_old_one_is_gone(
    serve: Serve, folder: Path, tmp_path: Path
) -> None:
    running = serve()
    assert [running.take() for _ in range(3)] == [1, 2, 3]
    (victim,) = running.workers()
    # As an unmounted volume does.
    folder.rename(tmp_path / "aside")
    os.kill(victim, signal.SIGKILL)
    wait_until(
        lambda: folder.exists() or "a worker could not start" in running.log.read_text(),
        "the replacement has begun",
    )
    assert not folder.exists()
    (tmp_path / "aside").rename(folder)
    assert running.take() == 4


def test_without_the_watching_process_the_workers_end_and_free_the_port(serve: Serve) -> None:
    first = serve("--workers", "2", "--port", str(new_port()))
    workers = first.workers()
    with Load(first) as load:
        load.wait_for_more(100)
        first.process.kill()
        first.process.wait(PATIENCE)
        wait_until(lambda: workers.isdisjoint(processes()), "its workers have ended")
    assert (load.cut, load.broken) == (0, [])
    assert sorted(load.answered) == list(range(1, len(load.answered) + 1))

    second = serve("--port", str(first.port))
    assert second.port == first.port
    assert second.take(load.path) == len(load.answered) + 1


# A full disk


@contextmanager
def no_room_to_grow(running: Service, data: Path) -> Iterator[None]:
    """Keep any file from growing beyond the data file's size."""
    limits = {
        pid: resource.prlimit(pid, resource.RLIMIT_FSIZE)
        for pid in {running.process.pid, *running.workers()}
    }
    size = data.stat().st_size
    for pid, (_, hard) in limits.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
    yield
    for pid, limit in limits.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)


def test_a_full_disk_is_507_takes_nothing_and_ends_by_itself(serve: Serve, folder: Path) -> None:
    running = serve("--workers", "2")
    workers = running.workers()
    assert running.take() == 1
    assert running.put(f"{SERIES}/old/before").value == 1
    # Long names, so that the file is soon full.
    paths = [f"{SERIES}/{number:0256}" for number in range(5000)]
    with no_room_to_grow(running, folder / "data.mdb"):
        taken = 0
        while (answer := running.put(f"{paths[taken]}/{'t' * 256}")).status == 200:
            taken += 1
        problem = answer.assert_problem(507)
        assert str(folder) not in problem["detail"]

        for path in paths[:taken]:
            assert running.get(path).value == 1
        assert running.get(paths[taken]).status == 404
        running.put(f"{SERIES}/old/{'t' * 256}").assert_problem(507)
        assert running.get(f"{SERIES}/old").json["token"] == "before"
        assert running.get(f"{SERIES}/old").value == 1
        assert running.get(JOB).value == 1
        assert running.get("/livez").status == 200
        running.get("/readyz").assert_problem(503)

    assert running.get("/readyz").status == 200
    assert running.put(f"{SERIES}/old/{'t' * 256}").value == 2
    assert running.put(f"{paths[taken]}/{'t' * 256}").value == 1
    assert running.take() == 2
    assert running.workers() == workers


def test_under_load_a_full_disk_costs_no_number(serve: Serve, folder: Path) -> None:
    running = serve()
    for number in range(20):
        running.put(f"{SERIES}/{number:0256}/{'t' * 256}")
    with Load(running) as load:
        load.wait_for_more(100)
        (worker,) = running.workers()
        soft, hard = resource.prlimit(worker, resource.RLIMIT_FSIZE)
        # Behind LMDB's two meta pages nothing can be written.
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (2 * resource.getpagesize(), hard))
        wait_until(lambda: len(load.broken) >= 50, "requests are refused")
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (soft, hard))
        load.wait_for_more(100)
    assert (load.unanswered, load.cut) == (0, 0)
    assert {each.partition(" ")[0] for each in load.broken} == {"507"}
    assert sorted(load.answered) == list(range(1, len(load.answered) + 1))
    assert running.take(load.path) == len(load.answered) + 1
    assert running.workers() == {worker}


# On the wire


def received_until_the_end(connection: socket.socket) -> bytes:
    """Return what arrives until the other side closes; a reset is an end too."""
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
    except ConnectionResetError:
        pass
    return received


def test_http_1_0_clients_are_served(serve: Serve) -> None:
    running = serve()
    with running.socket() as connection:
        connection.sendall(b"POST %s HTTP/1.0\r\n\r\n" % JOB.encode())
        answer = read_answer(connection)
        assert connection.recv(1) == b""
    # A server answers with its own version of HTTP/1 (RFC 9110, section 6.2).
    assert (answer.status, answer.version) == (200, 11)
    assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert answer.body == b'{"bn":1}'


def test_http_1_0_clients_can_keep_the_connection(serve: Serve) -> None:
    with serve().socket() as connection:
        for value in (1, 2):
            connection.sendall(b"POST %s HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" % JOB.encode())
            assert read_answer(connection).value == value


def test_http_1_0_clients_that_send_no_more_are_answered(serve: Serve) -> None:
    with serve().socket() as connection:
        connection.sendall(b"POST %s HTTP/1.0\r\n\r\n" % JOB.encode())
        connection.shutdown(socket.SHUT_WR)
        assert read_answer(connection).value == 1


def test_requests_sent_ahead_are_answered_in_order(serve: Serve) -> None:
    running = serve()
    ahead = b"POST %s HTTP/1.1\r\nHost: x\r\n\r\n" % JOB.encode() * 5
    with running.socket() as connection:
        connection.sendall(ahead + b"POST %s HTTP/1.0\r\n\r\n" % JOB.encode())
        received = received_until_the_end(connection)
    assert re.findall(rb'\{"bn":(\d+)\}', received) == [b"1", b"2", b"3", b"4", b"5", b"6"]


def test_an_encoded_slash_is_part_of_the_name(serve: Serve) -> None:
    running = serve()
    answer = running.send(b"POST /v1/series/feature%2Flogin HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.json["key"] == "feature/login"
    answer = running.send(b"PUT /v1/series/feature%2flogin/a%2Fb HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (answer.json["key"], answer.json["token"]) == ("feature/login", "a/b")
    assert answer.value == 2
    assert running.put(f"{SERIES}/feature/login").json["key"] == "feature"


@pytest.mark.parametrize("origin", ["http://example.com", "http://127.0.0.1:1", "https://[::1]:2"])
def test_a_request_target_in_absolute_form_is_understood(serve: Serve, origin: str) -> None:
    running = serve()
    answer = running.send(
        f"POST {origin}/v1/series/a%2Fb?count=3 HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    )
    assert (answer.json["key"], answer.value) == ("a/b", 3)
    assert running.get(f"{SERIES}/a%2Fb").value == 3
    bare = running.send(f"GET {origin} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert bare.status == running.get("/").status


SEED = b"PUT /v1/series/big HTTP/1.1\r\nHost: x\r\n"

REFUSED = {
    "body too large": (SEED + b"Content-Length: %d\r\n\r\n" % (BODY_BYTES + 1), 413),
    "chunked body too large": (
        SEED
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + b"%x\r\n%s\r\n0\r\n\r\n" % (BODY_BYTES + 1, b" " * (BODY_BYTES + 1)),
        413,
    ),
    "URL too long": (
        b"GET /v1/series/%s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"a" * URL_BYTES),
        414,
    ),
    "headers too large": (
        b"GET / HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n" % (b"a" * HEADER_BYTES),
        431,
    ),
    "no HTTP": (b"\x16\x03\x01 hello\r\n\r\n", 400),
    "lower case method": (b"get / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "header without a name": (b"GET / HTTP/1.1\r\n: x\r\n\r\n", 400),
    "length that is no number": (SEED + b"Content-Length: 1x\r\n\r\n", 400),
    "broken chunk": (SEED + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    "unknown coding": (SEED + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    "unknown method": (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "method of Falcon's own": (b"WEBSOCKET /livez HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "length with 5,000 digits": (SEED + b"Content-Length: %s\r\n\r\n" % (b"9" * 5000), 400),
    "target without a slash": (b"POST %s HTTP/1.1\r\nHost: x\r\n\r\n" % JOB[1:].encode(), 400),
    "target that is no path": (b"GET foo HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "target that is no URL": (b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
}


@pytest.mark.parametrize(("data", "status"), REFUSED.values(), ids=REFUSED)
def test_what_no_resource_sees_is_refused_as_a_problem_too(
    shared: Service, data: bytes, status: int
) -> None:
    lines = shared.lines
    answer = shared.send(data)
    answer.assert_problem(status)
    assert answer.headers["X-Request-ID"]
    assert "Server" not in answer.headers
    assert b"waitress" not in (answer.body + str(answer.headers).encode()).lower()
    assert shared.get(f"{SERIES}/big").status == 404
    assert shared.lines == lines


def test_the_refusal_of_a_head_has_no_body(shared: Service) -> None:
    data = b"HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (BODY_BYTES + 1)
    with shared.socket() as client:
        client.sendall(data)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    head, end, body = answer.partition(b"\r\n\r\n")
    assert b" 413 " in head.splitlines()[0]
    assert (end, body) == (b"\r\n\r\n", b"")


def test_what_is_too_large_is_told_the_limit(shared: Service) -> None:
    for refused, limit in [
        ("body too large", BODY_BYTES),
        ("chunked body too large", BODY_BYTES),
        ("URL too long", URL_BYTES),
        ("headers too large", HEADER_BYTES),
    ]:
        data, status = REFUSED[refused]
        problem = shared.send(data).assert_problem(status)
        assert re.search(rf"\b{limit}\b", problem["detail"]), problem


def test_bodies_and_headers_up_to_the_limit_are_taken(serve: Serve) -> None:
    running = serve()
    body = b'{"value": 110}'.ljust(JSON_BYTES)
    assert running.put(f"{SERIES}/big", body).value == 110
    head = b"GET /v1/series/big HTTP/1.1\r\nHost: monotron\r\nX: "
    head += b"a" * (HEADER_BYTES - len(head) - len(b"\r\n\r\n")) + b"\r\n\r\n"
    assert running.send(head).value == 110


def test_no_answer_names_the_server(serve: Serve) -> None:
    running = serve()
    for method, path in [
        ("POST", JOB),
        ("GET", JOB),
        ("HEAD", JOB),
        ("OPTIONS", JOB),
        ("DELETE", JOB),
        ("GET", "/nothing/there"),
        ("PUT", f"{SERIES}/a"),
    ]:
        answer = running.ask(method, path)
        assert "Server" not in answer.headers
        assert "Via" not in answer.headers
        assert b"waitress" not in (answer.body + str(answer.headers).encode()).lower()


# The log and the settings


def test_one_line_at_the_start_says_version_address_folder_and_workers(
    serve: Serve, folder: Path
) -> None:
    running = serve("--workers", "2")
    assert running.started.groupdict() == {
        "version": __version__,
        "host": "127.0.0.1",
        "port": str(running.port),
        "folder": str(folder),
        "workers": "2",
        "also": None,
        "access": "off",
        "dashboard": f"http://127.0.0.1:{running.port}/",
    }
    assert running.take() == 1
    assert running.get("/").headers["Content-Type"].startswith("text/html")
    assert running.stop() == 0
    start, stop = running.log.read_text().splitlines()
    assert start == running.started[0]
    assert stop.endswith(" INFO monotron stopped: SIGTERM")


@pytest.mark.parametrize(
    ("host", "dashboard"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"), ("127.0.0.2", "127.0.0.2")],
)
def test_the_start_line_has_the_dashboard_where_this_machine_reaches_it(
    serve: Serve, host: str, dashboard: str
) -> None:
    running = serve("--host", host)
    assert running.started["dashboard"] == f"http://{dashboard}:{running.port}/"
    with urllib.request.urlopen(running.started["dashboard"], timeout=PATIENCE) as page:
        assert b"<html" in page.read()


def test_the_start_line_says_whether_authentication_is_on(serve: Serve) -> None:
    variables = {"ROOT_API_KEY": ROOT.key, "ROOT_API_SECRET": ROOT.secret}
    for flags in ([], ["--log-format", "json"]):
        running = serve(*flags, variables=variables)
        assert running.started["access"] == "on"
        assert ROOT.secret not in running.log.read_text()


root_only = pytest.mark.skipif(
    os.getuid() != 0, reason="NOT SHOWN: only root can have an /etc/hosts of its own"
)


@root_only
@pytest.mark.parametrize(
    ("flags", "variables"),
    [([], {"HOST": "localhost"}), (["--host", "localhost", "--workers", "2"], {})],
)
def test_localhost_is_served_on_every_address_that_it_has(
    serve: Serve, tmp_path: Path, flags: list[str], variables: dict[str, str]
) -> None:
    running = serve(*flags, variables=variables, before=service.localhost_on_both(tmp_path))
    assert running.started["host"] == "127.0.0.1"
    assert running.started["also"] == f"http://[::1]:{running.port}"
    for value, address in enumerate(["127.0.0.1", "::1"] * 10, 1):
        connection = http.client.HTTPConnection(address, running.port, timeout=PATIENCE)
        assert ask(connection, "POST", JOB).value == value
        connection.close()
    # It is loopback, so nothing is warned of.
    assert running.lines == []


@root_only
def test_a_signal_on_two_addresses_under_load_loses_nothing(serve: Serve, tmp_path: Path) -> None:
    first = serve("--host", "localhost", before=service.localhost_on_both(tmp_path))
    with Load(first) as load:
        idle = http.client.HTTPConnection("::1", first.port, timeout=PATIENCE)
        assert ask(idle, "GET", "/livez").status == 200
        load.wait_for_more(100)
        assert first.stop() == 0
        idle.close()
    assert (load.cut, load.broken) == (0, [])
    assert sorted(load.answered) == list(range(1, len(load.answered) + 1))


def test_listening_for_everybody_is_warned_of(serve: Serve) -> None:
    running = serve("--host", "0.0.0.0")
    assert running.take() == 1
    wait_until(lambda: running.lines, "it has warned")
    (warning,) = running.lines
    assert " WARNING " in warning
    assert "authentication is off" in warning


REQUESTS = [
    ("POST", JOB, 200),
    ("POST", "/v1/series/feature%2Flogin?count=1", 200),
    ("GET", "/v1/series/none", 404),
    ("GET", "/no/such/path", 404),
    ("DELETE", JOB, 405),
    ("POST", f"/{'a' * URL_BYTES}", 414),
]


def access_lines(running: Service) -> list[str]:
    pattern = r"^\S+ INFO (127\.0\.0\.1 \S+ \S+ \d+) \d+\.\dms request_id=[0-9a-f]{24}$"
    return [match[1] if (match := re.match(pattern, line)) else line for line in running.lines]


def test_the_access_log_is_off_by_default(serve: Serve) -> None:
    running = serve()
    for method, path, status in REQUESTS:
        assert running.ask(method, path).status == status
    assert running.lines == []


def test_the_access_log_has_one_line_for_each_request(serve: Serve) -> None:
    running = serve(variables={"MONOTRON_ACCESS_LOG": "on"})
    for method, path, status in REQUESTS:
        assert running.ask(method, path).status == status
    assert access_lines(running) == [
        f"127.0.0.1 {method} {path.partition('?')[0]} {s}" for method, path, s in REQUESTS
    ]


def test_no_byte_of_a_url_acts_on_the_terminal_that_shows_the_access_log(serve: Serve) -> None:
    running = serve("--access-log", "on")
    path = b"/v1/series/a\x1b[31m\x07\t\x08\x0b\x0c%0A%1B\\x1b"
    running.send(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path).assert_problem(400)
    escaped = r"/v1/series/a\x1b[31m\x07\t\x08\x0b\x0c%0A%1B\\x1b"
    assert access_lines(running) == [f"127.0.0.1 GET {escaped} 400"]
    assert running.log.read_bytes().isascii()


def test_variables_are_settings_and_flags_win_over_them(
    serve: Serve, folder: Path, tmp_path: Path
) -> None:
    variables = {"STORAGE_DIR": str(tmp_path / "other"), "MONOTRON_WORKERS": "2", "PORT": "0"}
    first = serve(variables=variables)
    assert first.started["folder"] == str(tmp_path / "other")
    assert first.started["workers"] == "2"
    assert not folder.exists()

    second = serve(
        *("--host", "127.0.0.1", "--port", "0", "--storage-dir", str(folder)),
        *("--workers", "1", "--threads", "3", "--access-log", "off"),
        variables={
            "HOST": "192.0.2.1",
            "PORT": str(first.port),
            "STORAGE_DIR": "/proc/nowhere",
            "MONOTRON_WORKERS": "none",
            "MONOTRON_THREADS": "none",
            "MONOTRON_ACCESS_LOG": "on",
        },
    )
    assert second.started["folder"] == str(folder)
    assert second.started["workers"] == "1"
    (worker,) = second.workers()
    names = [path.read_text() for path in Path(f"/proc/{worker}/task").glob("*/comm")]
    assert second.take() == 1
    assert second.lines == []
    assert len(names) < len(list(Path(f"/proc/{min(first.workers())}/task").iterdir()))


def test_more_connections_than_threads_are_all_answered(serve: Serve) -> None:
    running = serve("--threads", "2")
    connections = [running.connect() for _ in range(150)]
    for connection in connections:
        connection.connect()
    # Idle connections lock nobody out.
    for connection in reversed(connections):
        assert ask(connection, "POST", JOB).status == 200
    assert json.loads(running.get(JOB).body) == {"bn": 150}
    for connection in connections:
        connection.close()


def test_who_polls_keeps_the_connection(shared: Service) -> None:
    shared.take(f"{SERIES}/polled")
    with shared.socket() as connection:
        ask = f"GET {SERIES}/polled HTTP/1.1\r\nHost: monotron\r\n"
        connection.sendall(f"{ask}\r\n".encode())
        etag = read_answer(connection, "GET").headers["ETag"]
        for _ in range(2):
            connection.sendall(f"{ask}If-None-Match: {etag}\r\n\r\n".encode())
            answer = read_answer(connection, "GET")
            assert (answer.status, answer.headers["Connection"]) == (304, None)
        connection.sendall(f"{ask}If-None-Match: {etag}\r\nConnection: close\r\n\r\n".encode())
        assert read_answer(connection, "GET").headers["Connection"] == "close"
        assert connection.recv(1) == b""


def sockets(process: int) -> int:
    """Return how many sockets a process has open."""
    count = 0
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        # It may be closed meanwhile.
        with suppress(FileNotFoundError):
            count += os.readlink(descriptor).startswith("socket:")
    return count


@pytest.mark.alone
def test_a_second_worker_does_not_slow_down_clients_that_connect_for_each_request(
    serve: Serve,
) -> None:
    """Each worker leaves new connections to the other one; both must not do so at once."""
    one, two = (serve("--workers", count) for count in ("1", "2"))
    ratios = sorted(seconds_to_answer(two) / seconds_to_answer(one) for _ in range(5))
    # When both waited for a moment, it was 4 and more.
    assert ratios[2] < 2.5


def seconds_to_answer(running: Service) -> float:
    """Return how long eight clients need for requests with a connection for each."""
    request = b"GET /livez HTTP/1.1\r\nHost: monotron\r\nConnection: close\r\n\r\n"

    def ask() -> None:
        for _ in range(40):
            with running.socket() as client:
                client.sendall(request)
                assert read_answer(client, "GET").status == 200

    clients = [threading.Thread(target=ask) for _ in range(8)]
    began = time.perf_counter()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return time.perf_counter() - began


@pytest.mark.alone
def test_connections_made_at_once_are_spread_over_the_workers(serve: Serve) -> None:
    running = serve("--workers", "2")
    request = b"GET /livez HTTP/1.1\r\nHost: monotron\r\n\r\n"
    most = list[int]()
    for _ in range(9):
        before = {worker: sockets(worker) for worker in running.workers()}
        with ExitStack() as stack:
            clients = [stack.enter_context(running.socket()) for _ in range(64)]
            for client in clients:
                client.sendall(request)
            for client in clients:
                assert read_answer(client, "GET").status == 200
            most.append(max(sockets(worker) - count for worker, count in before.items()))
        wait_until(
            lambda: sum(map(sockets, running.workers())) < 64, "the connections are closed again"
        )
    # Half of them each, or a few more. If every worker accepted what it can: 54 and more.
    assert statistics.median(most) <= 44
