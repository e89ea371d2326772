"""SECURITY.md's promises that no other file tests: paths, versions, secrets in the service's log.

Who may do what is in `test_api_access.py`, what a container may do in `test_deploy.py`.
"""

import base64
import os
import platform
import re
import secrets
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

import pytest

import monotron
from monotron import limits
from monotron.core.api_keys import Pair
from monotron.limits import BODY_BYTES, HEADER_BYTES, JSON_BYTES, URL_BYTES
from monotron.server import open_files
from monotron.server.loop import server
from monotron.server.loop.server import BIG_BODIES
from monotron.server.service import IDLE_SECONDS
from tests.conftest import ROOT, basic, held
from tests.server.test_retry_crash import waiting_writers
from tests.support import shown
from tests.support.service import (
    CODE,
    JOB,
    PATIENCE,
    Answer,
    Serve,
    Service,
    read_answer,
    run,
    wait_until,
)

GUARDED = {"ROOT_API_KEY": ROOT.key, "ROOT_API_SECRET": ROOT.secret}
GRANTS = "/v1/accounts/1/grants"


def with_hook(place: Path, code: str) -> dict[str, str]:
    """Return the variables of a service that runs this code before its own."""
    place.mkdir()
    (place / "sitecustomize.py").write_text(code)
    return {"PYTHONPATH": os.pathsep.join([str(place), str(CODE)])}


# Files

REPORT_FILES = """
import os
import sys

report = os.open({log!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def hook(event, arguments):
    if event == "open":
        os.write(report, os.fsencode(str(arguments[0])) + b"\\n")

sys.addaudithook(hook)
"""
"""Python reports each file that it opens before it does so (PEP 578), in each process of the
service: they are forks of the one that has the hook."""


def targets(file: str) -> Iterator[str]:
    """Return request targets that would reach a file if they were used as paths."""
    up = "../" * 12
    encoded, all_encoded = quote(file, safe=""), "".join(f"%{byte:02x}" for byte in file.encode())
    yield file
    yield f"/{file}"
    yield f"/{up}{file}"
    yield f"/{quote(up, safe='')}{encoded}"
    yield f"/{quote(up, safe='/').replace('.', '%2e')}{file}"
    yield f"/{up}{file}".replace("..", "%252e%252e")
    yield f"/{up}{file}".replace("/", "%5c").replace("%5c", "/", 1)
    yield f"/....//....//....//....{file}"
    yield f"/{encoded}"
    yield f"/{all_encoded}"
    yield f"/static/{up}{file}"
    yield f"/openapi.json/../{up}{file}"
    yield f"{JOB}/{up}{file}"
    yield f"{JOB}?file={file}"
    yield f"http://127.0.0.1{file}"
    yield f"file://{file}"
    for base in ("/v1/series", "/v1/history", "/v1/semver", "/v1/badges", "/v1/accounts", "/web"):
        yield f"{base}/{up}{file}"
        yield f"{base}/{encoded}"
        yield f"{base}/{quote(up + file, safe='')}"
    yield f"/v1/series/{encoded}/{encoded}"
    yield f"/v1/tokens/{encoded}/{encoded}/attrs/{encoded}"
    yield f"/v1/series?prefix={encoded}"
    yield f"/v1/series/{encoded}%00.html"
    yield f"/v1/badges/{encoded}.svg?label={encoded}"
    yield f"/web/{encoded}%00.html"
    yield f"/web/index.html%2F{up}{file}"


def test_no_request_reaches_a_file_by_its_path(serve: Serve, folder: Path, tmp_path: Path) -> None:
    marker = secrets.token_hex()
    (tmp_path / "secret").write_text(marker)
    log = tmp_path / "opened"
    variables = with_hook(tmp_path / "hook", REPORT_FILES.format(log=str(log)))
    running = serve("--access-log", "on", variables=variables)
    files = [
        str(tmp_path / "secret"),
        "/etc/passwd",
        "/proc/self/environ",
        str(folder / "data.mdb"),
    ]
    before = sorted(tmp_path.rglob("*"))

    def ask_for_all() -> list[str]:
        start = len(log.read_text())
        for file in files:
            for target in targets(file):
                for method in ("GET", "PUT", "DELETE"):
                    head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
                    answer = running.send(head.encode())
                    assert answer.status < 500
                    for inside in (marker, "root:x:0", "PYTHONPATH=", "\xde\xc0\xef\xbe"):
                        assert inside.encode("latin-1") not in answer.body
        return log.read_text()[start:].splitlines()

    places = {sys.prefix, sys.base_prefix, str(CODE)}
    for file in ask_for_all():
        # Python's own modules, some of which are imported only when needed.
        assert any(file.startswith(place) for place in places), file
    assert ask_for_all() == []
    assert sorted(tmp_path.rglob("*")) == before
    # The hook sees every file that is opened.
    assert str(CODE / "monotron" / "app.py") in log.read_text() or "app.cpython" in log.read_text()


def test_a_name_that_looks_like_a_path_or_a_command_is_just_a_name(
    serve: Serve, folder: Path
) -> None:
    running = serve()
    files = sorted(folder.iterdir())
    names = [
        "../../etc/passwd",
        "/etc/passwd",
        "../..",
        "./.",
        "..\\x",
        "~root",
        "$HOME",
        "a;b|c`d`",
    ]
    for name in names:
        encoded = quote(name, safe="").replace(".", "%2E")
        given = running.put(f"/v1/series/{encoded}/{encoded}").json
        assert given == {"creator_id": 1, "key": name, "token": name, "value": 1}
        attribute = f"/v1/tokens/{encoded}/{encoded}/attrs/{encoded}"
        assert running.put(attribute, b"text").status == 200
        assert running.get(attribute).body == b"text"
    listed = running.get("/v1/series").json["series"]
    assert sorted(each["key"] for each in listed) == sorted(names)
    assert sorted(folder.iterdir()) == files


# What answers say of the server

SEED = b"PUT /v1/series/big HTTP/1.1\r\nHost: x\r\n"
AUTHORIZED = f"Authorization: {basic(ROOT)['Authorization']}\r\n".encode()


def of_errors(running: Service) -> Iterator[Answer]:
    """Return an answer of each status from 400 up that can be produced at once."""
    for method, path, body in [
        ("POST", "/v1/series/svc?count=5", b""),
        ("POST", "/v1/series/a%00", b""),
        ("POST", "/v1/series/svc?count=x", b""),
        ("PUT", "/v1/series/svc", b"no JSON"),
        ("PUT", "/v1/series/svc", b'{"value":1}'),
        ("GET", "/v1/series/none", b""),
        ("GET", "/nothing/there", b""),
        ("PATCH", "/v1/series/svc", b""),
        ("POST", GRANTS, b'["fly:series"]'),
        ("PUT", "/v1/series/svc", b" " * (JSON_BYTES + 1)),
        ("GET", f"/{'a' * URL_BYTES}", b""),
    ]:
        yield running.ask(method, path, body, basic(ROOT))
    yield running.ask("GET", "/v1/series")
    made = running.ask("POST", GRANTS, b"[]", basic(ROOT)).json["api_key"]
    yield running.ask("GET", "/v1/series", headers=basic(Pair(made["key"], made["secret"])))
    for path in ("/v1/series/one", "/v1/series/two"):
        key = {"Idempotency-Key": "one"}
        yield running.ask("POST", path, headers=basic(ROOT) | key)
    for data in [
        b"\x16\x03\x01 hello\r\n\r\n",
        b"GET / HTTP/1.1\r\n: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n" % (b"a" * HEADER_BYTES),
        SEED + b"Content-Length: 1x\r\n\r\n",
        SEED + b"Content-Length: %d\r\n\r\n" % (BODY_BYTES + 1),
        SEED + b"Transfer-Encoding: gzip\r\n\r\n",
        SEED + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ]:
        yield running.send(data)
    with ExitStack() as stack:
        big = SEED + AUTHORIZED + b"Content-Length: %d\r\n\r\n" % BODY_BYTES
        clients = [stack.enter_context(running.socket()) for _ in range(BIG_BODIES + 1)]
        for client in clients:
            client.sendall(big)
        # The one whose request comes in last is refused, whichever that is.
        refused, _, _ = select.select(clients, [], [], PATIENCE)
        for client in refused:
            yield read_answer(client, "PUT")


def test_no_error_says_which_server_answers_in_which_version(serve: Serve) -> None:
    running = serve(variables=GUARDED)
    own = [version(name) for name in ("falcon", "waitress", "lmdb")]
    versions = [*own, monotron.__version__, platform.python_version(), platform.release()]
    names = ["waitress", "falcon", "python", "lmdb", "linux"]
    statuses = set()
    for answer in of_errors(running):
        statuses.add(answer.status)
        assert not {"Server", "Via", "X-Powered-By"} & set(answer.headers)
        text = f"{answer.headers}{answer.body.decode()}".lower()
        for inside in (*versions, *names, "traceback", ".py", str(running.storage_dir).lower()):
            assert inside not in text
    assert statuses >= {400, 401, 403, 404, 405, 409, 413, 414, 422, 431, 501, 503}


# Secrets

BREAK_A_RULE = """
import monotron.core.search as search

def broken(*arguments, **more):
    raise RuntimeError("broken on purpose")

search.by_key = broken
"""


def forms(pair: Pair) -> list[str]:
    """Return the forms that a secret could have in a log."""
    encoded = base64.b64encode(f"{pair.key}:{pair.secret}".encode()).decode()
    return [pair.secret, pair.secret[:16], quote(pair.secret)[:16], encoded, encoded[-24:-4]]


def test_no_log_shows_a_secret_also_not_after_a_crash_or_a_fault_in_the_code(
    serve: Serve, folder: Path, tmp_path: Path
) -> None:
    hook = with_hook(tmp_path / "hook", BREAK_A_RULE)
    running = serve("--access-log", "on", variables=GUARDED | hook)
    scopes = b'["*:series","*:acl"]'
    made = running.ask("POST", GRANTS, scopes, basic(ROOT)).json["api_key"]
    over_http = Pair(made["key"], made["secret"])
    line = run(
        "keys", "create", "*:series", variables=GUARDED | {"STORAGE_DIR": str(folder)}
    ).stdout.strip()
    by_command = Pair(*line.split(":"))
    deleted = running.ask("POST", GRANTS, scopes, basic(ROOT)).json["api_key"]
    gone = Pair(deleted["key"], deleted["secret"])
    running.ask("DELETE", f"{GRANTS}/{gone.key}", headers=basic(ROOT))
    wrong = Pair(over_http.key, by_command.secret)
    pairs = [ROOT, over_http, by_command, gone, wrong]

    statuses = set()
    for pair in pairs:
        for method, path in [
            ("POST", JOB),
            ("GET", "/v1/series/none"),
            ("GET", "/v1/series/a%00"),
            ("GET", "/v1/accounts"),
            ("GET", "/nothing/there"),
            # Its rule is broken.
            ("GET", "/v1/series"),
        ]:
            answer = running.ask(method, path, headers=basic(pair))
            statuses.add(answer.status)
            if answer.status >= 400:
                for form in forms(pair):
                    assert form not in f"{answer.headers}{answer.body.decode()}"
            if answer.status == 500:
                detail = answer.assert_problem(500)["detail"]
                assert "broken" not in detail
                assert "RuntimeError" not in detail
    (worker,) = running.workers()
    with held(folder), running.socket() as client:
        head = f"Authorization: {basic(over_http)['Authorization']}\r\nIdempotency-Key: once"
        client.sendall(f"POST {JOB} HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode())
        wait_until(lambda: waiting_writers(folder) == 1, "the request is worked on")
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: "signal 9" in running.log.read_text(), "the worker has ended")
    assert statuses >= {200, 400, 401, 403, 404, 500}
    log = running.log.read_text()
    for there in ("Traceback", "broken on purpose", "GET /v1/series 500", "signal 9"):
        assert there in log
    for pair in pairs:
        for form in forms(pair):
            assert form not in log


# What SECURITY.md says

PAGE = shown.page("SECURITY.md")


def test_every_test_that_the_page_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)
    assert len(named) > 15
    for file, name in named:
        text = (CODE / file).read_text(encoding="utf-8")
        assert not name or re.search(rf"^def {name}\(", text, re.MULTILINE), f"{file}::{name}"


@pytest.mark.parametrize(
    ("what", "limit"),
    [
        ("the request target", limits.URL_BYTES),
        ("all headers of a request", limits.HEADER_BYTES),
        ("a body in JSON", limits.JSON_BYTES),
        ("any other body", limits.BODY_BYTES),
        ("a name", limits.NAME_BYTES),
        ("one attribute", limits.ATTRIBUTE_BYTES),
        ("attributes of a token", limits.ATTRIBUTES),
        ("values that one call takes", limits.RANGE_VALUES),
        ("rows of one page", limits.PAGE_ROWS),
        ("newest values of a series in a page", limits.RECENT_VALUES),
        ("such values in one page", limits.RECENT_PAGE_VALUES),
        ("API keys of an account", limits.API_KEYS),
        ("connections of one worker", open_files.CONNECTIONS),
        ("requests in progress in one worker", server.QUEUE),
        ("large bodies on their way at a time", server.BIG_BODIES),
        ("seconds to send a request", int(server.REQUEST_SECONDS)),
        ("seconds on which nothing happens on a connection", IDLE_SECONDS),
    ],
)
def test_every_limit_is_the_one_in_force(what: str, limit: int) -> None:
    assert f"| {what} | {limit:,} |" in PAGE
