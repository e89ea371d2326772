"""What the Python client does when the service does not answer as it should."""

import http.server
import json
import socketserver
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from monotron.client import (
    Client,
    NotFound,
    NotMonotron,
    NotTrusted,
    OutcomeUnknown,
    Problem,
    Unreachable,
    retrying,
)
from tests.support import certificates
from tests.support.ports import nobody
from tests.support.scripted import ENDS, OK, Scripted, answer, scripted
from tests.support.service import PATIENCE, environment

NO_ANSWER = b""
HALF = answer(200, OK)[:-5] + ENDS


class Heard:
    """What a client said about its tries."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.waits: list[float] = []

    def __call__(self, reason: str, wait: float) -> None:
        self.reasons.append(reason)
        self.waits.append(wait)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tests from waiting between two tries."""
    monkeypatch.setattr(retrying, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(retrying, "LONGEST_PAUSE", 0.004)


def asking(script: Scripted, heard: Heard | None = None, patience: float = 60) -> Client:
    return Client(script.url, patience=patience, on_retry=heard)


def problem(status: int, type_: str = "about:blank", **headers: str) -> bytes:
    body = {"type": type_, "title": "T", "status": status, "detail": "the detail"}
    headers = {"Content_Type": "application/problem+json", **headers}
    return answer(status, json.dumps(body).encode(), **headers)


@pytest.mark.parametrize(
    ("lost", "reason"),
    [
        (NO_ANSWER, "Remote end closed connection without response"),
        (HALF, "IncompleteRead"),
        (answer(502), "status 502"),
        (problem(503), "status 503"),
        (answer(504), "status 504"),
        (answer(429), "status 429"),
    ],
)
def test_a_repeat_has_the_key_of_the_first_try(lost: bytes, reason: str) -> None:
    heard = Heard()
    answers = [lost, lost, answer(200, OK), answer(200, OK)]
    with scripted(answers) as script, asking(script, heard) as client:
        assert client.next("shop") == 7
        assert client.next("shop") == 7
    keys = [request.headers["Idempotency-Key"] for request in script.requests]
    assert len(keys) == 4
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert len(heard.reasons) == 2
    assert reason in heard.reasons[0]


def test_with_a_token_too_a_repeat_cannot_take_another_value() -> None:
    # With PUT alone it could: the token is compared with the current one, which may have changed.
    with scripted([NO_ANSWER, answer(200, OK)]) as script, asking(script) as client:
        client.next("shop", "7d4c379588")
    assert {request.line for request in script.requests} == {
        "POST /v1/series/shop/7d4c379588 HTTP/1.1"
    }
    assert len({request.headers["Idempotency-Key"] for request in script.requests}) == 1


def test_one_connection_serves_call_after_call() -> None:
    with scripted([answer(200, OK)] * 3) as script, asking(script) as client:
        for _ in range(3):
            client.next("shop")
    assert [request.connection for request in script.requests] == [0, 0, 0]


FORKING = """
import os, sys
from monotron.client import Client
client = Client(sys.argv[1])
client.next("shop")
child = os.fork()
client.next("shop")
if child:
    os.waitpid(child, 0)
client.close()
"""


def test_a_forked_process_has_connections_of_its_own() -> None:
    # On its parent's it could read its parent's answer, and both would have the same number.
    with scripted([answer(200, OK)] * 3) as script:
        command = [sys.executable, "-c", FORKING, script.url]
        subprocess.run(command, env=environment(), check=True, timeout=PATIENCE)
    assert sorted(request.connection for request in script.requests) == [0, 0, 1]


def test_a_connection_that_the_service_has_closed_costs_no_try() -> None:
    heard = Heard()
    closing = answer(200, OK) + ENDS
    with scripted([closing, answer(200, OK)]) as script, asking(script, heard) as client:
        client.next("shop")
        script.has_ended.wait(PATIENCE)
        client.next("shop")
    assert (heard.reasons, script.connections) == ([], 2)


def test_retry_after_is_the_least_that_is_waited() -> None:
    heard = Heard()
    with (
        scripted([problem(503, Retry_After="1"), answer(200, OK)]) as script,
        asking(script, heard) as client,
    ):
        client.next("shop")
    assert heard.waits == [1.0]


def test_it_gives_up_rather_than_wait_beyond_its_patience() -> None:
    with (
        scripted([problem(503, Retry_After="3600")]) as script,
        asking(script) as client,
        pytest.raises(Problem, match="the detail") as given_up,
    ):
        client.next("shop")
    assert given_up.value.status == 503
    assert len(script.requests) == 1


def test_nobody_there_is_said_in_one_line() -> None:
    url = f"http://127.0.0.1:{nobody()}"
    with Client(url, patience=0.02) as client, pytest.raises(Unreachable) as error:
        client.next("shop")
    assert str(error.value) == f"{url}: Connection refused; tried for 0.02 s"


def test_what_the_service_refuses_is_not_tried_again() -> None:
    for status in (400, 401, 403, 404, 409, 412, 422, 500, 507):
        with (
            scripted([problem(status)]) as script,
            asking(script) as client,
            pytest.raises(Problem, match="the detail") as refused,
        ):
            client.next("shop")
        assert refused.value.status == status


def test_a_replica_that_does_not_know_is_asked_again_and_then_believed() -> None:
    unknown = problem(503, "urn:monotron:problem:outcome-unknown")
    with scripted([unknown, answer(200, OK)]) as script, asking(script) as client:
        assert client.next("shop") == 7
    with (
        scripted([unknown]) as script,
        asking(script, patience=0) as client,
        pytest.raises(OutcomeUnknown, match="the detail"),
    ):
        client.next("shop")


@pytest.mark.parametrize(
    "lost", [NO_ANSWER, answer(502), problem(503, "urn:monotron:problem:outcome-unknown")]
)
def test_a_deletion_is_not_repeated_if_it_may_have_happened(lost: bytes) -> None:
    # By then another client may have begun the series anew.
    with (
        scripted([lost]) as script,
        asking(script) as client,
        pytest.raises((OutcomeUnknown, Unreachable)),
    ):
        client.delete("shop")
    assert len(script.requests) == 1


def test_a_deletion_that_was_refused_is_repeated() -> None:
    with scripted([problem(503), answer(200)]) as script, asking(script) as client:
        client.delete("shop")
    assert len(script.requests) == 2


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (answer(200, b"<html>"), "is this Monotron"),
        (answer(200, b'{"value":true}'), "is this Monotron"),
        (answer(200, b'{"value":"7"}'), "is this Monotron"),
        (answer(200, b"[]"), "is this Monotron"),
        (answer(200), "is this Monotron"),
        (answer(302, Location="http://elsewhere"), "a redirect"),
        (answer(404, b"<html>"), "is this its address"),
    ],
)
def test_what_is_not_monotron_gives_no_number(said: bytes, why: str) -> None:
    with (
        scripted([said]) as script,
        asking(script) as client,
        pytest.raises(NotMonotron, match=why),
    ):
        client.next("shop")


def test_what_is_not_monotron_is_no_series_without_a_value() -> None:
    with (
        scripted([answer(404, b"<html>"), problem(404), problem(404, "urn:x")]) as script,
        asking(script) as client,
    ):
        with pytest.raises(NotMonotron):
            client.current("shop")
        assert client.current("shop") is None
        with pytest.raises(NotFound):
            client.current("shop")


def test_a_proxy_is_asked_in_place_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted([answer(200, OK)]) as script:
        monkeypatch.setenv("http_proxy", f"http://ada:p%40ss@127.0.0.1:{script.port}")
        monkeypatch.setenv("no_proxy", "")
        with Client("http://numbers.example.com/ci") as client:
            assert client.next("shop") == 7
    (request,) = script.requests
    assert request.line == "POST http://numbers.example.com/ci/v1/series/shop HTTP/1.1"
    assert request.headers["Proxy-Authorization"] == "Basic YWRhOnBAc3M="


class Answering(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(OK)))
        self.end_headers()
        self.wfile.write(OK)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> certificates.Certificate:
    return certificates.authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def over_tls(ca: certificates.Certificate) -> Iterator[str]:
    """A service with a certificate of a CA that this machine does not know."""
    signed = certificates.signed(ca, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(signed.file, signed.key)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"https://localhost:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_certificate_of_nobody_that_is_trusted_ends_the_call(over_tls: str) -> None:
    with Client(over_tls) as client, pytest.raises(NotTrusted, match="SSL_CERT_FILE"):
        client.next("shop")


def test_the_file_of_the_variable_makes_a_ca_trusted(
    over_tls: str, ca: certificates.Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca.file))
    with Client(over_tls) as client:
        assert client.next("shop") == 7


class Plain(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(1)
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_a_service_without_tls_is_not_asked_by_tls() -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), Plain) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        url = f"https://127.0.0.1:{server.server_address[1]}"
        with Client(url) as client, pytest.raises(NotTrusted, match="TLS is not possible"):
            client.next("shop")
        thread.join()
