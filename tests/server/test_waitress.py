"""What `--server waitress` does differently, besides the bytes that test_wire.py is about."""

import importlib
import re
import select
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from monotron.server.waitress import LOOK_SECONDS, QUIET_LOOKS
from tests.conftest import held
from tests.server.test_wire import DIFFERENT_ON_WAITRESS
from tests.support import shown
from tests.support.service import JOB, Serve, Service, ask, read_answer, wait_until
from tests.support.wire import CONTINUE, received, wait_until_read
from tests.support.wire_cases import BODY, LENGTH, put, request

LIVEZ = request(method=b"GET", target=b"/livez")

ROW = re.compile(r"^\| (.+?) \| .+ \| `(tests/[a-z_/]+\.py)(?:::(\w+))?` \|$", re.MULTILINE)
"""A row of the table in docs/server.md: its name, and the test."""

FEW_FILES = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (160, 160))"
"""So that there is room for some hundred connections."""


def serve_with_waitress(serve: Serve, *flags: str, before: str = "") -> Service:
    return serve("--server", "waitress", *flags, before=before)


def metrics(running: Service) -> str:
    return running.get("/metrics").body.decode()


def test_the_page_names_each_difference_and_a_test_for_it() -> None:
    rows = ROW.findall(shown.page("docs/server.md"))
    on_the_wire = {name for name, _, test in rows if not test}
    assert on_the_wire == {different.line for different in DIFFERENT_ON_WAITRESS.values()}
    for _, file, test in rows:
        module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
        assert not test or hasattr(module, test), test


def test_what_is_refused_before_the_app_is_neither_logged_nor_counted(serve: Serve) -> None:
    running = serve_with_waitress(serve, "--access-log", "on")
    assert running.send(request(b"X : y")).status == 400
    assert running.get("/livez?x").status == 400
    counts = re.findall(
        r'^monotron_http_requests_total{.*status="400".* (.+)$', metrics(running), re.M
    )
    assert [float(count) for count in counts] == [1]
    assert [line.split()[4:6] for line in running.lines if " 400 " in line] == [["/livez", "400"]]


def test_idle_connections_keep_others_out(serve: Serve) -> None:
    running = serve_with_waitress(serve, before=FEW_FILES)
    first = running.connect()
    assert ask(first, "GET", "/livez").status == 200
    with running.socket() as late:
        with ExitStack() as stack:
            for _ in range(150):
                stack.enter_context(running.socket())
            with running.socket() as waiting:
                waiting.sendall(LIVEZ)
                assert ask(first, "GET", "/livez").status == 200
                assert select.select([waiting], [], [], 0.5)[0] == []
        late.sendall(LIVEZ)
        assert read_answer(late, "GET").status == 200
    first.close()


def test_hundreds_of_idle_connections_do_not_stop_others(serve: Serve) -> None:
    running = serve_with_waitress(serve)
    with ExitStack() as stack:
        for _ in range(600):
            stack.enter_context(running.socket())
        assert running.take() == 1


def test_livez_waits_for_a_free_thread_like_every_other_request(serve: Serve, folder: Path) -> None:
    running = serve_with_waitress(serve, "--threads", "1")
    with running.socket() as busy, running.socket() as livez:
        with held(folder):
            busy.sendall(request(target=JOB.encode()))
            wait_until_read(busy, running.port)
            livez.sendall(LIVEZ)
            assert select.select([livez], [], [], 0.5)[0] == []
        assert read_answer(busy).value == 1
        assert read_answer(livez, "GET").status == 200


def test_any_number_of_large_bodies_are_taken_in(serve: Serve) -> None:
    running = serve_with_waitress(serve)
    head = put(b"Content-Length: 5000000", b"Expect: 100-continue", body=b"")
    with ExitStack() as stack:
        for _ in range(80):
            connection = stack.enter_context(running.socket())
            connection.sendall(head)
            assert connection.recv(len(CONTINUE), socket.MSG_WAITALL) == CONTINUE
            connection.sendall(b" " * 100_000)


def test_a_request_that_is_still_coming_in_at_sigterm_is_cut_off(serve: Serve) -> None:
    running = serve_with_waitress(serve)
    with running.socket() as connection:
        connection.sendall(put(LENGTH)[: -len(BODY)])
        wait_until_read(connection, running.port)
        running.begin_stop()
        assert received(connection) == b""
        assert running.end() == 0
    assert serve_with_waitress(serve).get("/v1/series/ONE").status == 404


@pytest.mark.parametrize("stands_still", [False, True])
def test_requests_in_flight_at_sigterm_are_answered_and_their_connections_end(
    serve: Serve, folder: Path, stands_still: bool
) -> None:
    running = serve_with_waitress(serve, "--threads", "2")
    with ExitStack() as stack:
        clients = [stack.enter_context(running.socket()) for _ in range(6)]
        with held(folder):
            for client in clients:
                client.sendall(request(target=JOB.encode()))
                wait_until_read(client, running.port)
            running.begin_stop()
            wait_until(running.refuses, "nobody listens any more")
            if stands_still:
                # Longer than it looks for requests in flight; it must not leave without looking.
                with running.halted(*running.workers()):
                    time.sleep(2 * QUIET_LOOKS * LOOK_SECONDS)
                time.sleep(QUIET_LOOKS * LOOK_SECONDS)
        answers = [read_answer(client) for client in clients]
        assert sorted(answer.value for answer in answers) == [1, 2, 3, 4, 5, 6]
        assert {answer.headers["Connection"] for answer in answers} == {"close"}
        assert [client.recv(1) for client in clients] == [b""] * 6
    assert running.end() == 0
