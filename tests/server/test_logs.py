"""The log: one line for each event, as text or as JSON, with the request's id and no secret."""

import json
import logging
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from select import PIPE_BUF
from typing import Any

import pytest

from monotron import logs
from monotron.core.api_keys import Pair
from monotron.http import trace_context
from monotron.http.access_log import log_request
from monotron.limits import URL_BYTES
from tests.conftest import ROOT, basic, held
from tests.support import service, shown
from tests.support.service import JOB, Serve, Service, run, wait_until
from tests.support.web import Api

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
NEW_ID = "[0-9a-f]{24}"

IDS = ["a", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "Root=1-67891233:a/b+c~d=e@f_g.h", "x" * 128]
NO_IDS = ["", "x" * 129, "a b", 'a"b', "a,b", "a\tb", "\xe9", "a;b", "{}", "<script>", "%0A"]


def events(running: Service) -> list[dict[str, Any]]:
    """Return a service's JSON log lines, including those of its start."""
    return [json.loads(line) for line in running.log.read_text().splitlines()]


def accesses(running: Service) -> list[dict[str, Any]]:
    return [event for event in events(running) if "route" in event]


@pytest.fixture
def lines(capfd: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """What was written to standard error since the last look."""
    return lambda: capfd.readouterr().err.splitlines()


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Leave logging as pytest has set it up."""
    root, access = logging.getLogger(), logging.getLogger("monotron.access")
    handlers, level, access_level = root.handlers[:], root.level, access.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    access.setLevel(access_level)


@pytest.fixture
def running(serve: Serve) -> Service:
    """A service that logs each request, as JSON."""
    return serve("--access-log", "on", "--log-format", "json")


# Lines


def test_text_has_the_time_in_utc_the_level_and_the_message(
    lines: Callable[[], list[str]],
) -> None:
    logs.configure("text")
    logging.getLogger("monotron").warning("the disk is %s", "full")
    (line,) = lines()
    assert re.fullmatch(rf"{TIME} WARNING the disk is full", line)


def test_json_has_the_time_in_utc_the_level_and_the_message(
    lines: Callable[[], list[str]],
) -> None:
    logs.configure("json")
    logging.getLogger("monotron").warning('the disk is %s, "ü"', "full", extra={"free": 0})
    (line,) = lines()
    event = json.loads(line)
    assert re.fullmatch(TIME, event.pop("time"))
    assert event == {"level": "WARNING", "message": 'the disk is full, "ü"', "free": 0}
    assert line.isascii()


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_an_event_is_one_line_whatever_is_in_it(
    log_format: str, lines: Callable[[], list[str]]
) -> None:
    logs.configure(log_format)
    logs.request_id.set("abc")
    try:
        raise RuntimeError("first\nsecond\x1b[2J")
    except RuntimeError:
        logging.getLogger("monotron").exception("a\r\nb\u2028c\x85")
    logs.request_id.set(None)
    (line,) = lines()
    assert line.isprintable()
    assert "RuntimeError" in line
    assert "second" in line
    assert "test_logs.py" in line
    if log_format == "json":
        event = json.loads(line)
        assert event["traceback"].splitlines()[0] == "Traceback (most recent call last):"
        assert event["request_id"] == "abc"
    else:
        assert line.endswith(" request_id=abc")


def test_every_line_of_a_service_is_json(running: Service) -> None:
    running.take()
    (worker,) = running.workers()
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: running.workers() not in ({worker}, set()), "the worker is replaced")
    running.take()
    running.send(b"garbage\r\n\r\n")
    assert running.stop() == 0
    found = events(running)
    assert [event["level"] for event in found] == [
        *("INFO", "INFO", "ERROR", "INFO", "INFO", "INFO")
    ]
    assert found[-1]["message"] == "monotron stopped: SIGTERM"
    assert all(re.fullmatch(TIME, event["time"]) for event in found)
    assert "another one replaces it" in found[2]["message"]


def test_a_service_that_cannot_start_says_why_in_json(running: Service) -> None:
    ended = run(
        "serve",
        variables={
            "MONOTRON_LOG_FORMAT": "json",
            "PORT": str(running.port),
            "STORAGE_DIR": str(running.storage_dir),
        },
    )
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    event = json.loads(line)
    assert event["level"] == "CRITICAL"
    assert "cannot listen" in event["message"]


def test_another_format_is_refused() -> None:
    ended = run("serve", variables={"MONOTRON_LOG_FORMAT": "xml"})
    assert ended.returncode == 2
    assert ended.stderr == ("monotron: MONOTRON_LOG_FORMAT is 'xml', but it must be text or json\n")


def test_a_line_in_text_has_the_ids_of_the_trace_at_its_end(
    lines: Callable[[], list[str]],
) -> None:
    logs.configure("text")
    logs.request_id.set("abc")
    logs.trace.set(("1" * 32, "2" * 16))
    logging.getLogger("monotron").warning("full")
    logs.request_id.set(None)
    logs.trace.set(None)
    (line,) = lines()
    assert line.endswith(f" full request_id=abc trace_id={'1' * 32} parent_id={'2' * 16}")


# The access log's lines, which a server holds back until it sends their answers


def access_line(path: str) -> None:
    log_request(client="-", method="GET", path=path, route="-", status=200, seconds=0.0)


def test_lines_that_are_held_are_written_together(lines: Callable[[], list[str]]) -> None:
    logs.configure(access_log=True)
    logs.hold_access_lines()
    for path in ("/1", "/2"):
        access_line(path)
    assert lines() == []
    logs.write_held()
    assert [line.split()[4] for line in lines()] == ["/1", "/2"]
    logs.write_held()
    assert lines() == []


def test_another_line_takes_those_before_it_along(lines: Callable[[], list[str]]) -> None:
    logs.configure(access_log=True)
    logs.hold_access_lines()
    access_line("/1")
    logging.getLogger("monotron").warning("full")
    first, second = lines()
    assert "/1" in first
    assert "full" in second


def test_a_line_that_is_held_keeps_the_id_of_its_request(lines: Callable[[], list[str]]) -> None:
    logs.configure(access_log=True)
    logs.hold_access_lines()
    logs.request_id.set("abc")
    access_line("/1")
    logs.request_id.set(None)
    logs.write_held()
    (line,) = lines()
    assert line.endswith(" request_id=abc")


def test_no_write_of_lines_that_are_held_can_be_torn_in_a_pipe() -> None:
    """A pipe takes up to PIPE_BUF bytes whole (pipe(7)), whatever else writes into it."""
    read_end, write_end = os.pipe2(os.O_DIRECT)
    with open(write_end, "w") as pipe, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stderr", pipe)
        logs.configure(access_log=True)
        logs.hold_access_lines()
        for number in range(40):
            access_line(f"/{number}/" + "\xe9" * 50)
        logs.write_held()
    # With O_DIRECT each read returns one write.
    writes = []
    while piece := os.read(read_end, 2**16):
        writes.append(piece)
    os.close(read_end)
    assert len(b"".join(writes).splitlines()) == 40
    assert 1 < len(writes) < 10
    for piece in writes:
        assert len(piece) <= PIPE_BUF
        assert piece.endswith(b"\n")


def test_a_stream_that_is_closed_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with open(os.devnull, "w") as gone, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stderr", gone)
        logs.configure(access_log=True)
        logs.hold_access_lines()
        access_line("/1")
    logs.write_held()
    assert "closed file" in capsys.readouterr().err


def test_the_line_of_a_request_that_was_answered_survives_a_kill(running: Service) -> None:
    assert running.take() == 1
    (worker,) = running.workers()
    os.kill(worker, signal.SIGKILL)
    assert [event["status"] for event in accesses(running)] == [200]


# Requests


def test_a_request_is_an_event_with_members(running: Service) -> None:
    answer = running.put("/v1/series/feature%2Flogin/abc")
    running.ask("GET", "/no/such/path?count=1")
    first, second = accesses(running)
    for event in (first, second):
        assert re.fullmatch(TIME, event.pop("time"))
        assert 0 < event.pop("seconds") < service.PATIENCE
        assert event.pop("message").startswith(f"127.0.0.1 {event['method']} {event['path']} ")
    assert first == {
        "level": "INFO",
        "client": "127.0.0.1",
        "method": "PUT",
        "path": "/v1/series/feature%2Flogin/abc",
        "route": "/v1/series/{key}/{token}",
        "status": 200,
        "api_key": None,
        "request_id": answer.headers["X-Request-ID"],
    }
    assert (second["path"], second["route"], second["status"]) == ("/no/such/path", "none", 404)


def test_operations_shows_a_request_as_it_is_logged(serve: Serve) -> None:
    page = shown.page("docs/operations.md").partition("## The log")[2]
    text, in_json = shown.blocks(page, "text")[1], shown.blocks(page, "json")[0]
    for log_format, there in (("text", text.strip()), ("json", in_json.strip())):
        running = serve("--access-log", "on", "--log-format", log_format)
        answer = running.post("/v1/series/shop")
        # The time, how long it took, and the id are others each time.
        now = running.lines[-1].replace(answer.headers["X-Request-ID"], "ID")
        varying = rf"{TIME}|\b[0-9.e-]+(?=ms)|(?<=\"seconds\": )[0-9.e-]+"
        there = there.replace("5f0c1b7e9a3d2c4b6e8f0a12", "ID")
        assert re.sub(varying, "X", now) == re.sub(varying, "X", there)


def test_operations_shows_the_start_and_the_end_as_they_are_logged(
    serve: Serve, folder: Path
) -> None:
    page = shown.page("docs/operations.md").partition("## The log")[2]
    running = serve(variables={"ROOT_API_KEY": ROOT.key, "ROOT_API_SECRET": ROOT.secret})
    running.stop()
    now = running.log.read_text().replace(str(folder), "/srv/monotron/data")
    now = now.replace(f":{running.port}", ":8080")
    assert re.sub(TIME, "X", now) == re.sub(TIME, "X", shown.blocks(page, "text")[0])


def test_a_request_that_is_no_http_is_an_event_too(running: Service) -> None:
    answer = running.send(b"garbage\r\n\r\n")
    running.send(b"POST /v1/series/x HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n")
    first, second = accesses(running)
    assert (first["status"], first["method"], first["path"]) == (400, "-", "-")
    assert first["request_id"] == answer.headers["X-Request-ID"]
    assert (second["status"], second["method"], second["path"]) == (413, "POST", "/v1/series/x")


def test_a_refused_path_is_logged_as_it_was_sent(running: Service) -> None:
    forged = "/v1/series/a%20200%201.0ms%2F"
    running.send(f"PUT {forged} HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n".encode())
    running.get(forged + "x" * URL_BYTES)
    first, second = accesses(running)
    assert (first["status"], first["path"]) == (413, forged)
    assert (second["status"], second["path"]) == (414, forged + "x" * URL_BYTES)


@pytest.mark.parametrize("given", IDS)
def test_the_id_that_a_request_brings_is_the_answer_s(api: Api, given: str) -> None:
    for path, status in [("/v1/series/none", 404), ("/livez", 200), ("/no/such/path", 404)]:
        answer = api.get(path, headers={"X-Request-ID": given}, status=status)
        assert answer.headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", NO_IDS)
def test_what_is_no_id_is_replaced_by_a_new_one(api: Api, given: str) -> None:
    answer = api.get("/livez", headers={"X-Request-ID": given})
    assert re.fullmatch(NEW_ID, answer.headers["X-Request-ID"])


def test_each_request_without_an_id_gets_one_of_its_own(running: Service) -> None:
    answers = [running.post(JOB) for _ in range(3)]
    answers += [running.get("/no/such/path"), running.send(b"garbage\r\n\r\n")]
    ids = [answer.headers["X-Request-ID"] for answer in answers]
    assert len(set(ids)) == 5
    assert all(re.fullmatch(NEW_ID, each) for each in ids)
    assert [event["request_id"] for event in accesses(running)] == ids


def test_the_id_is_in_the_line_that_says_what_went_wrong(serve: Serve) -> None:
    running = serve("--log-format", "json")
    with held(running.storage_dir):
        answer = running.ask("POST", JOB, headers={"X-Request-ID": "build-17"})
    assert answer.status == 503
    (event,) = (event for event in events(running) if event["level"] == "ERROR")
    assert event["request_id"] == "build-17"
    assert "write lock" in event["message"]


def test_a_thread_forgets_the_id_with_the_request(api: Api) -> None:
    for path, status in [("/livez", 200), ("/v1/series/a%00", 400), ("/no/such/path", 404)]:
        api.get(path, headers={"X-Request-ID": "build-17"}, status=status)
        assert logs.request_id.get() is None


def test_what_belongs_to_no_request_has_no_id(running: Service) -> None:
    running.ask("POST", JOB, headers={"X-Request-ID": "before"})
    (worker,) = running.workers()
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: len(events(running)) > 2, "the end of the worker is logged")
    assert "request_id" not in events(running)[0]
    assert "request_id" not in events(running)[2]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_secret_is_logged_wherever_it_was_sent(serve: Serve, log_format: str) -> None:
    variables = {"ROOT_API_KEY": ROOT.key, "ROOT_API_SECRET": ROOT.secret}
    running = serve("--access-log", "on", "--log-format", log_format, variables=variables)
    secret = "hunter2-hunter2"
    wrong = basic(Pair("somebody", secret))
    assert running.ask("POST", f"{JOB}?secret={secret}", headers=wrong).status == 401
    assert running.ask("POST", JOB, headers={"Authorization": f"Bearer {secret}"}).status == 401
    assert running.ask("POST", JOB, headers=basic(ROOT)).status == 200
    target = f"http://somebody:{secret}@127.0.0.1:{running.port}{JOB}"
    running.send(f"POST {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    long = "/v1/series/x?" + "y" * URL_BYTES
    assert running.ask("GET", f"{long}{secret}", headers=wrong).status == 414
    log = running.log.read_text()
    # As JSON it is a member, too.
    assert log.count(f" {JOB} ") == 4
    assert secret not in log
    assert ROOT.secret not in log
    assert wrong["Authorization"].removeprefix("Basic ") not in log


def test_json_says_which_api_key_asked(serve: Serve) -> None:
    variables = {"ROOT_API_KEY": ROOT.key, "ROOT_API_SECRET": ROOT.secret}
    running = serve("--access-log", "on", "--log-format", "json", variables=variables)
    running.ask("POST", JOB, headers=basic(ROOT))
    running.post(JOB)
    assert [(event["status"], event["api_key"]) for event in accesses(running)] == [
        (200, "root"),
        (401, None),
    ]


# Traces


TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE_ID}-{PARENT_ID}-01"
TRACEPARENTS = [
    TRACEPARENT,
    f"00-{TRACE_ID}-{PARENT_ID}-00",
    f"cc-{TRACE_ID}-{PARENT_ID}-01",
    f"cc-{TRACE_ID}-{PARENT_ID}-01-what the future brings",
]
NO_TRACEPARENTS = [
    "",
    TRACE_ID,
    f"00-{TRACE_ID}-{PARENT_ID}",
    f"00-{TRACE_ID}-{PARENT_ID}-01-",
    f"00-{TRACE_ID}-{PARENT_ID}-01-more",
    f"cc-{TRACE_ID}-{PARENT_ID}-01.more",
    f"ff-{TRACE_ID}-{PARENT_ID}-01",
    f"00-{TRACE_ID.upper()}-{PARENT_ID}-01",
    f"00-{'0' * 32}-{PARENT_ID}-01",
    f"00-{TRACE_ID}-{'0' * 16}-01",
    f"00-{TRACE_ID[1:]}-{PARENT_ID}-01",
    f"00-{TRACE_ID}-{PARENT_ID}-1",
    f"{TRACEPARENT},{TRACEPARENT}",
    f"cc-{TRACE_ID}-{PARENT_ID}-01-a,{TRACEPARENT}",
    f"00-{TRACE_ID[2:]}\x1b[-{PARENT_ID}-01",
]


@pytest.mark.parametrize("given", TRACEPARENTS)
def test_a_traceparent_has_the_ids_of_a_trace(given: str) -> None:
    assert trace_context.read(given) == (TRACE_ID, PARENT_ID)


@pytest.mark.parametrize("given", NO_TRACEPARENTS)
def test_what_is_no_traceparent_is_ignored(given: str) -> None:
    assert trace_context.read(given) is None


@pytest.mark.parametrize("server", ["loop", "waitress"])
def test_a_request_is_logged_with_its_trace(serve: Serve, server: str) -> None:
    running = serve("--access-log", "on", "--log-format", "json", "--server", server)
    for given in (TRACEPARENT, None, f"00-{TRACE_ID}-{PARENT_ID}-nn"):
        running.ask("POST", JOB, headers={} if given is None else {"traceparent": given})
    found = accesses(running)
    ids = [(each.get("trace_id"), each.get("parent_id")) for each in found]
    assert ids == [(TRACE_ID, PARENT_ID), (None, None), (None, None)]
    assert "-nn" not in running.log.read_text()


def test_a_request_that_is_refused_before_the_app_is_logged_with_its_trace(
    running: Service,
) -> None:
    running.send(
        b"POST /v1/series/x HTTP/1.1\r\nHost: x\r\nTraceparent: %b\r\n"
        b"Content-Length: 99999999\r\n\r\n" % TRACEPARENT.encode()
    )
    running.send(b"POST /v1/series/x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
    first, second = accesses(running)
    assert (first["status"], first["trace_id"]) == (413, TRACE_ID)
    assert "trace_id" not in second
