"""What systemd is told: when the service answers, and that it stops."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monotron.server.notify import READY, STOPPING, notify
from tests.support.service import PATIENCE, Serve, run, wait_until


@contextmanager
def listening(address: str | bytes) -> Iterator[socket.socket]:
    """Listen as systemd does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.settimeout(PATIENCE)
        listener.bind(address)
        yield listener


def told(listener: socket.socket) -> str:
    return listener.recv(4096).decode()


def is_silent(listener: socket.socket) -> bool:
    listener.setblocking(False)
    try:
        listener.recv(4096)
    except BlockingIOError:
        return True
    finally:
        listener.settimeout(PATIENCE)
    return False


def test_systemd_is_told_that_the_service_answers_and_that_it_stops(
    serve: Serve, tmp_path: Path
) -> None:
    with listening(str(tmp_path / "notify")) as listener:
        running = serve("--workers", "2", variables={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert told(listener) == READY
        assert running.get("/readyz").status == 200
        assert is_silent(listener)
        running.process.send_signal(signal.SIGTERM)
        assert told(listener) == STOPPING
        assert running.process.wait(PATIENCE) == 0
        assert is_silent(listener)


def test_a_service_that_cannot_start_is_never_ready(folder: Path, tmp_path: Path) -> None:
    with listening(str(tmp_path / "notify")) as listener:
        folder.mkdir()
        (folder / "data.mdb").write_bytes(b"no store")
        variables = {
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
            "STORAGE_DIR": str(folder),
            "PORT": "0",
        }
        assert run("serve", variables=variables).returncode == 1
        assert told(listener) == STOPPING
        assert is_silent(listener)


def test_a_socket_that_is_in_no_file_system_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening("") as listener:
        name: bytes = listener.getsockname()
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name[1:].decode())
        notify(READY)
        assert told(listener) == READY


def test_a_service_that_nobody_asks_tells_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify(READY)
    assert caplog.messages == []


def test_a_socket_that_is_away_stops_no_service(serve: Serve, tmp_path: Path) -> None:
    running = serve(variables={"NOTIFY_SOCKET": str(tmp_path / "away")})
    assert running.take() == 1
    wait_until(lambda: running.lines, "it has warned")
    assert "NOTIFY_SOCKET could not be told READY=1: No such file" in running.lines[0]
