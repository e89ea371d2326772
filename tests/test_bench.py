"""The benchmark measures what it says, and reports failures. No time is judged."""

import json
import shutil
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.load import Case, Load, generator
from bench.throughput import failed, miscounted, read_options

pytestmark = pytest.mark.xdist_group("bench")

ROOT = Path(__file__).parents[1]

CASES = [
    (series, keep_alive, clients)
    for series in ("one", "many")
    for keep_alive in (True, False)
    for clients in (1, 4)
]
"""The loads that a run with `--clients 1 4` measures, in this order."""

needs_wrk = pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
generators = pytest.mark.parametrize("own", [True, pytest.param(False, marks=needs_wrk)])


def throughput(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench.throughput", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any, list[Path]]:
    """What one short run prints, writes as JSON and leaves behind."""
    results = tmp_path_factory.mktemp("results") / "results.json"
    storage = tmp_path_factory.mktemp("storage")
    done = throughput(
        *("--own-clients", "--rounds", "2", "--seconds", "0.05", "--clients", "1", "4"),
        *("--storage-dir", str(storage), "--threads", "4", "--json", str(results)),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, json.loads(results.read_text(encoding="utf-8")), [*storage.iterdir()]


def test_the_json_has_every_kind_of_load_and_no_failure(run: tuple[str, Any, list[Path]]) -> None:
    _, results, _ = run
    rows = results["rows"]
    assert [(row["series"], row["keep_alive"], row["clients"]) for row in rows] == CASES
    for row in rows:
        assert row["failed"] == 0
        assert all(row[f"{app}_per_second"] > 0 for app in ("empty", "real"))
        assert all(0 < row[f"{app}_median_ms"] <= row[f"{app}_p99_ms"] for app in ("empty", "real"))
    assert results["failures"] == []
    assert 0 < results["disk"]["median_ms"] <= results["disk"]["p99_ms"]
    assert [len(one["loads"]) for one in results["rounds"]] == [len(CASES)] * 2
    assert results["about"]["load_from"] == "own clients"
    assert (results["about"]["workers"], results["about"]["threads"]) == (1, 4)


def test_the_table_has_a_line_for_each(run: tuple[str, Any, list[Path]]) -> None:
    printed, _, _ = run
    _, table, bars, written = printed.strip().split("\n\n")
    head, *lines, disk = (line.split() for line in table.splitlines())
    assert head[:3] == ["series", "keep-alive", "clients"]
    assert [(line[0], line[1] == "yes", int(line[2])) for line in lines] == CASES
    assert {line[-1] for line in lines} == {"0"}
    assert disk[0] == "disk"
    assert len(bars.splitlines()) == 6
    assert written.startswith("written to ")


def test_bars_are_judged_where_their_clients_were_measured(
    run: tuple[str, Any, list[Path]],
) -> None:
    _, results, _ = run
    bars = results["bars"]
    assert [(bar["series"], bar["limit"]) for bar in bars] == [
        *(("one", 0.8), ("one", 0.7), ("one", 1.5)),
        *(("many", 0.8), ("many", 0.7), ("many", 1.5)),
    ]
    for bar in bars:
        if bar["limit"] != 1.5:
            assert (bar["figure"], bar["reached"]) == (None, None)
        else:
            assert len(bar["ratios"]) == 2
            assert bar["reached"] is (bar["figure"] <= 1.5)


def test_nothing_is_left_behind(run: tuple[str, Any, list[Path]]) -> None:
    _, _, left = run
    assert left == []


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
    assert failed(load)
    assert load.socket_errors > 0 or not own


@pytest.mark.parametrize(
    ("taken", "fits"), [(94, False), (95, True), (95 + 2 + 3, True), (95 + 2 + 3 + 1, False)]
)
def test_numbers_have_to_fit_the_answers(taken: int, fits: bool) -> None:
    load = Load(100, 1.0, 1.0, 1.0, bad_status=5, socket_errors=2, cut_off=3)
    assert miscounted(load, taken) == (
        [] if fits else [f"95 numbers were answered, but {taken} were taken from the store"]
    )


def test_the_defaults_can_be_used(tmp_path: Path) -> None:
    assert read_options(["--storage-dir", str(tmp_path)]).rounds > 0


def test_options_that_cannot_be_used_are_refused() -> None:
    done = throughput("--threads", "0", "--own-clients")
    assert done.returncode == 2
    assert "--threads" in done.stderr.splitlines()[-1]


def load_on(answer: bytes, own: bool) -> Load:
    """Return a generator's result for a server that sends `answer` to each request, and closes."""
    with server(answer) as port:
        return generator(own_clients=own).run(port, Case(10, False, 2), 0.1 if own else 1)


@contextmanager
def server(answer: bytes) -> Iterator[int]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield listening.server_address[1]
        finally:
            listening.shutdown()
            thread.join()
