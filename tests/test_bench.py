"""The benchmark measures what it says, and reports failures. No time is judged."""

import json
import os
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bench import features, growth, path, replicas
from bench.idle import idle_connections
from bench.load import POST, PUT, TOKEN, Case, Load, Request, generator
from bench.memory import Memory
from bench.processor import memory_mib, processor_seconds
from bench.report import SERVICE, WEBDIS
from bench.throughput import NAMES, loads, read_options
from bench.webdis import webdis
from tests.conftest import need_etcd

pytestmark = pytest.mark.xdist_group("bench")

ROOT = Path(__file__).parents[1]

CLIENTS = [1, 4]

OURS = [name for name in NAMES if name != WEBDIS]

LITTLE = {"MONOTRON_HISTORY": "10"}
"""A history that is full soon."""

needs_wrk = pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
needs_webdis = pytest.mark.skipif(webdis() is None, reason="webdis or redis is not installed")
generators = pytest.mark.parametrize("own", [True, pytest.param(False, marks=needs_wrk)])


def throughput(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench.throughput", *options],
        cwd=ROOT,
        env={**os.environ, **LITTLE},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any, Path, list[Path]]:
    """What one short run prints, writes as JSON and as a chart, and leaves behind."""
    results = tmp_path_factory.mktemp("results")
    storage = tmp_path_factory.mktemp("storage")
    done = throughput(
        *("--own-clients", "--rounds", "2", "--seconds", "0.05", "--clients", *map(str, CLIENTS)),
        *("--storage-dir", str(storage), "--peers", *OURS),
        *("--json", str(results / "json"), "--chart", str(results / "svg")),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((results / "json").read_text(encoding="utf-8"))
    return done.stdout, found, results / "svg", [*storage.iterdir()]


Run = tuple[str, Any, Path, list[Path]]


def test_the_json_has_every_server_under_its_loads_and_no_failure(run: Run) -> None:
    _, results, _, _ = run
    measured = {
        (row["call"], row["series"], row["clients"], row["server"]) for row in results["rows"]
    }
    assert measured == {
        (case.call, case.series, case.clients, name)
        for case, names in loads(CLIENTS)
        for name in names
        if name in OURS
    }
    for row in results["rows"]:
        assert row["failed"] == 0
        assert row["per_second"] > 0
        assert 0 < row["median_ms"] <= row["p99_ms"]
        assert row["mib"] > 0
    assert results["failures"] == []
    assert 0 < results["disk"]["median_ms"] <= results["disk"]["p99_ms"]
    assert [len(one["loads"]) for one in results["rounds"]] == [len(results["rows"])] * 2
    assert results["about"]["load_from"] == "own clients"


def test_every_figure_is_compared_with_the_service(run: Run) -> None:
    _, results, _, _ = run
    assert {row["server"] for row in results["rows"] if row["ratio"] == 1} >= {SERVICE}
    assert all(row["ratio"] > 0 for row in results["rows"])


def test_the_table_has_a_line_for_each_and_the_bars_follow(run: Run) -> None:
    printed, results, _, _ = run
    _, table, bars, *written = printed.strip().split("\n\n")
    head, *lines, disk = (line.split() for line in table.splitlines())
    assert head[:2] == ["call", "series"]
    assert [line[5] for line in lines] == [row["server"] for row in results["rows"]]
    assert disk[:2] == ["the", "disk"]
    assert len(bars.splitlines()) == len(results["bars"])
    assert [line.split()[0] for line in written] == ["written", "written"]


def test_a_bar_is_judged_only_where_its_clients_were_measured(run: Run) -> None:
    _, results, _, _ = run
    bars = {bar["meaning"]: bar for bar in results["bars"]}
    assert bars["256 clients / 64 clients"]["reached"] is None
    assert bars["256 clients / 64 clients"]["figure"] is None
    lone = bars["a lone client: median / (two syncs + the empty app's median)"]
    assert len(lone["figures"]) == 2
    assert lone["reached"] is (lone["figure"] <= lone["at_most"])


def test_the_chart_has_a_bar_for_each_server(run: Run) -> None:
    _, _, chart, _ = run
    texts = [
        text.text for text in ElementTree.parse(chart).iter("{http://www.w3.org/2000/svg}text")
    ]
    assert [text for text in texts if text and text.startswith("monotron")] == [
        *("monotron", "monotron, 2 workers", "monotron on waitress")
    ]


def test_nothing_is_left_behind(run: Run) -> None:
    assert run[3] == []


@needs_webdis
def test_webdis_takes_a_number_for_each_answer_too(tmp_path: Path) -> None:
    done = throughput(
        *("--own-clients", "--rounds", "1", "--seconds", "0.05", "--clients", "1"),
        *("--storage-dir", str(tmp_path), "--peers", WEBDIS, "--json", str(tmp_path / "json")),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / "json").read_text(encoding="utf-8"))["rows"]
    assert {row["call"] for row in rows if row["server"] == WEBDIS} == {"POST", "GET", "count=100"}


def test_a_store_of_more_series_is_compared_with_one_of_few(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = growth.main(
        [
            *("--own-clients", "--series", "10", "100", "--rounds", "1", "--seconds", "1"),
            *("--storage-dir", str(tmp_path)),
        ]
    )
    few, many, ratio = capsys.readouterr().out.splitlines()
    assert (status, few.split()[0], many.split()[0]) == (0, "10", "100")
    assert ratio.startswith("processor time for a number: ")
    assert [*tmp_path.iterdir()] == []


def test_replicas_are_compared_with_one_node_and_with_bare_transactions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need_etcd()
    quick = ["--own-clients", "--rounds", "1", "--seconds", "0.3", "--storage-dir", str(tmp_path)]
    assert replicas.main(quick) == 0
    said = capsys.readouterr()
    bars = [line for line in said.out.splitlines() if line.endswith(" reached")]
    missed = [line for line in said.out.splitlines() if line.endswith("NOT REACHED")]
    assert len(bars) + len(missed) == len(replicas.BARS)
    assert said.out.startswith(f"{replicas.LMDB}: ")
    assert [*tmp_path.iterdir()] == []


def load_of(*, per_second: float) -> Load:
    return Load(int(per_second), 1.0, 1_000 / per_second, 1.0, 0, 0, 0)


@pytest.mark.parametrize(("two", "said"), [(80, "reached"), (79, "NOT REACHED")])
def test_a_bar_is_the_median_ratio_of_all_rounds(two: float, said: str) -> None:
    rounds = [
        {"one": load_of(per_second=100), "two": load_of(per_second=each)} for each in (1, two, 500)
    ]
    line = replicas.Bar("two", "one", least=0.8).report(rounds)
    assert line == f"two : one: {two / 100:.2f} (0.01 to 5.00), at least 0.8 {said}"


def test_each_part_of_the_path_is_compared_with_a_run_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONOTRON_HISTORY", LITTLE["MONOTRON_HISTORY"])
    quick = ["--rounds", "1", "--seconds", "0", "--storage-dir", str(tmp_path)]
    costs = tmp_path / "costs.json"
    assert path.main([*quick, "--json", str(costs)]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    names = json.loads(costs.read_text(encoding="utf-8"))
    assert [line[: path.NAME_WIDTH].strip() for line in lines] == [*names]
    assert "ratio" not in head
    assert path.main([*quick, "--before", str(costs)]) == 0
    assert "ratio" in capsys.readouterr().out.splitlines()[0]


def test_each_feature_is_compared_with_the_same_calls_without_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "FULL", 2)
    quick = ["--rounds", "1", "--seconds", "0", "--storage-dir", str(tmp_path)]
    assert features.main(quick) == 0
    _, *lines = capsys.readouterr().out.splitlines()
    # Two of them are of the service itself.
    assert len(lines) == 10
    for line in lines:
        there, gone, ratio = map(float, line[features.NAME_WIDTH :].split())
        # Each of the three is rounded: the costs to 0.1, the ratio to 0.01.
        rounding = 0.05 * (1 + there / gone) / gone + 0.006
        assert ratio == pytest.approx(there / gone, abs=rounding)
    assert list(tmp_path.iterdir()) == []


def test_rows_in_memory_are_in_the_order_of_their_keys() -> None:
    rows = Memory()
    for key in (b"c", b"a", b"b", b"d"):
        rows.put(b"t", key, key)
    rows.put(b"t", b"b", b"new")
    rows.put(b"u", b"b", b"of another table")
    assert rows.scan(b"t", b"a", b"d", limit=2) == [(b"a", b"a"), (b"b", b"new")]
    assert rows.scan(b"t", b"a", b"d", limit=2, reverse=True) == [(b"c", b"c"), (b"b", b"new")]
    assert (rows.delete(b"t", b"a"), rows.delete(b"t", b"a")) == (True, False)
    assert rows.delete_range(b"t", b"", b"d") == 2
    assert (rows.get(b"t", b"b"), rows.get(b"t", b"d")) == (None, b"d")
    assert rows.get(b"u", b"b") == b"of another table"


BUSY = """
import os, sys, time
if os.fork() == 0:
    while time.process_time() < 0.2:
        pass
    print(time.process_time(), flush=True)
    time.sleep(600)
time.sleep(600)
"""


def test_the_processor_time_and_the_memory_of_descendants_count() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BUSY], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as busy:
        try:
            assert busy.stdout is not None
            used = float(busy.stdout.readline())
            # The kernel counts in ticks of 10 ms.
            assert processor_seconds([busy.pid]) >= used - 0.05
            assert memory_mib([busy.pid]) > 0
        finally:
            os.killpg(busy.pid, signal.SIGKILL)


def test_an_idle_connection_that_the_server_closes_is_an_error() -> None:
    accepted: list[socket.socket] = []

    def answer_three() -> None:
        for _ in range(3):
            accepted.append(listening.accept()[0])
        for connection in accepted:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        answering = threading.Thread(target=answer_three)
        answering.start()
        idle = idle_connections(listening.getsockname()[1], 3)
        idle.__enter__()
        answering.join()
        for connection in accepted:
            connection.close()
        with pytest.raises(RuntimeError, match="3 of 3 idle connections were closed"):
            idle.__exit__(None, None, None)


@generators
def test_answers_that_are_not_2xx_are_counted(own: bool) -> None:
    load = load_on(b"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbusy", own)
    assert load.bad_status == load.answered > 0
    assert load.socket_errors == 0


@generators
@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{"],
    ids=["none", "half a head", "half a body"],
)
def test_requests_without_a_whole_answer_are_failures(own: bool, answer: bytes) -> None:
    load = load_on(answer, own)
    assert load.answered == 0
    # Newer wrks connect again without a word, so that what is missing is all there is to see.
    assert load.failures()
    assert load.socket_errors > 0 or not own


@pytest.mark.parametrize(
    ("taken", "fits"), [(94, False), (95, True), (95 + 2 + 3, True), (95 + 2 + 3 + 1, False)]
)
def test_numbers_have_to_fit_the_answers(taken: int, fits: bool) -> None:
    load = Load(100, 1.0, 1.0, 1.0, bad_status=5, socket_errors=2, cut_off=3)
    assert load.miscounted(taken, 1) == (
        [] if fits else [f"95 numbers were answered, but {taken} were taken from the store"]
    )
    assert (load.miscounted(taken * 100, 100) == []) is fits
    assert load.miscounted(94, 1, strays=1) == []


def test_the_defaults_can_be_used(tmp_path: Path) -> None:
    assert read_options(["--storage-dir", str(tmp_path)]).rounds > 0


def test_options_that_cannot_be_used_are_refused() -> None:
    done = throughput("--workers", "0", "--own-clients")
    assert done.returncode == 2
    assert "--workers" in done.stderr.splitlines()[-1]


@pytest.mark.alone
@generators
def test_each_series_has_its_turn_and_each_token_is_new(own: bool) -> None:
    seen: list[bytes] = []
    with server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", seen) as port:
        request, case = Request("PUT", "/series/", f"/{TOKEN}"), Case(PUT, 7, 1, keep_alive=False)
        generator(own_clients=own).run(port, request, case, 1)
    # wrk connects once without a request.
    paths = [sent.split()[1].decode() for sent in filter(None, seen)]
    assert len(paths) > 7
    assert {path.split("/")[2] for path in paths} == {f"{number:012x}" for number in range(7)}
    assert len({path.split("/")[3] for path in paths}) == len(paths)


def load_on(answer: bytes, own: bool) -> Load:
    """Return a generator's result for a server that sends `answer` to each request, and closes."""
    with server(answer) as port:
        return generator(own_clients=own).run(
            port, Request("POST", "/"), Case(POST, 10, 2, keep_alive=False), 1
        )


@contextmanager
def server(answer: bytes, seen: list[bytes] | None = None) -> Iterator[int]:
    """Send `answer` to each request, and close; the requests are added to `seen`."""
    requests = [] if seen is None else seen

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            requests.append(self.request.recv(65536))
            self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield listening.server_address[1]
        finally:
            listening.shutdown()
            thread.join()


def test_a_process_that_has_ended_has_no_memory() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], start_new_session=True) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        assert memory_mib([ended.pid]) == 0
