"""The real command as a child process, and clients for it."""

import http.client
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol

import pytest

import monotron
from monotron.client.address import KEY_VARIABLE, OLDER_KEY_VARIABLES, URL_VARIABLE
from monotron.settings import SETTINGS

COMMAND = (sys.executable, "-m", "monotron")
BECOME = "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"
"""Python that becomes the command in its arguments."""
BECOMING = (sys.executable, "-S", "-c")
"""Runs it, without what is installed: reading that takes longer than all the rest."""
END_WITH_US = "import ctypes; ctypes.CDLL(None).prctl(1, 9)"
"""If pytest itself is killed, so is the service (PR_SET_PDEATHSIG, prctl(2))."""

CODE = Path(monotron.__file__).parents[1]

PATIENCE = 120.0
"""Seconds after which something that must happen counts as hanging. Not a measure of speed."""

STOP_SECONDS = 10.0
"""The seconds after SIGTERM or SIGINT within which the service promises to be gone."""

JOB = "/6ba7b810-9dad-11d1-80b4-00c04fd430c8"
"""A build-number series."""

START_LINE = re.compile(
    r"^(?:\S+ INFO |{.*\"message\": \")"
    r"monotron (?P<version>\S+) listens on http://(?P<host>\S+):(?P<port>\d+)"
    r"(?: and (?P<also>\S+))?, "
    r"stores in (?P<folder>.+), (?P<workers>\d+) workers?, authentication (?P<access>on|off), "
    r"dashboard at (?P<dashboard>[^\s\"]+)(?:\"})?$",
    re.MULTILINE,
)
"""As text, or as JSON."""


def environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without any settings except `variables`."""
    ours = {variable for setting in SETTINGS for variable in setting.variables}
    ours |= {setting.file_variable for setting in SETTINGS}
    ours |= {URL_VARIABLE, KEY_VARIABLE, *OLDER_KEY_VARIABLES}
    # Output as a user's Python writes it.
    ours |= {"PYTHONUNBUFFERED", "PYTHONIOENCODING", "PYTHONUTF8", "PYTHONWARNINGS"}
    clean = {name: value for name, value in os.environ.items() if name not in ours}
    # The child runs the code that is tested, wherever it is started.
    path = os.pathsep.join(filter(None, (str(CODE), clean.get("PYTHONPATH"))))
    return clean | {"PYTHONPATH": path} | dict(variables or {})


OWN_HOSTS = """
import ctypes
libc = ctypes.CDLL(None)
# Its own mounts (CLONE_NEWNS, unshare(2); MS_REC | MS_PRIVATE, MS_BIND, mount(2)).
assert libc.unshare(0x20000) == 0
assert libc.mount(None, b"/", None, 0x44000, None) == 0
assert libc.mount({hosts!r}, b"/etc/hosts", None, 0x1000, None) == 0
"""


def localhost_on_both(place: Path) -> str:
    """Return Python code after which `localhost` has an IPv4 and an IPv6 address, for `before`.

    Not every machine's has both. Needs the rights of root.
    """
    hosts = place / "hosts"
    hosts.write_text("127.0.0.1 localhost\n::1 localhost\n")
    return OWN_HOSTS.format(hosts=os.fsencode(hosts))


def run(
    *arguments: str,
    variables: Mapping[str, str] | None = None,
    stdout: int | IO[str] = subprocess.PIPE,
    before: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself. `before` is Python that its process runs before it."""
    command = (*BECOMING, f"{before}\n{BECOME}", *COMMAND) if before else COMMAND
    with subprocess.Popen(
        [*command, *arguments],
        env=environment(variables),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            if process.returncode is None:
                # Including everything it has started, which would hold the pipes open.
                os.killpg(process.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait until `condition` holds, checking it repeatedly."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited {PATIENCE:g} seconds in vain until {what}")
        time.sleep(0.01)


@dataclass(frozen=True)
class Answer:
    status: int
    version: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def value(self) -> int:
        """The number, whichever API gave it."""
        members = self.json
        return int(members["bn"] if "bn" in members else members["value"])

    def assert_problem(self, status: int) -> dict[str, Any]:
        assert (self.status, self.headers["Content-Type"]) == (status, "application/problem+json")
        problem: dict[str, Any] = self.json
        assert problem["status"] == status
        assert problem["type"]
        assert problem["title"]
        assert problem["detail"]
        return problem


def read_answer(connection: socket.socket, method: str = "POST") -> Answer:
    """Read one answer from a connection; raises what `http.client` raises if it is cut off."""
    with http.client.HTTPResponse(connection, method=method) as response:
        response.begin()
        return Answer(response.status, response.version, response.headers, response.read())


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    connection.request(method, path, body, dict(headers or {}))
    with connection.getresponse() as response:
        return Answer(response.status, response.version, response.headers, response.read())


def processes() -> dict[int, tuple[str, int]]:
    """Return the state and the parent of each process. A zombie counts as gone."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):
                # The name, in parentheses, may hold anything (proc_pid_stat(5)).
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                if state not in "ZX":
                    found[int(folder.name)] = (state, int(parent))
    return found


@dataclass
class Service:
    """A running `monotron serve`, in its own process group."""

    process: "subprocess.Popen[bytes]"
    log: Path
    """What it wrote to stderr."""
    started: "re.Match[str]"
    """The start line."""

    @property
    def port(self) -> int:
        return int(self.started["port"])

    @property
    def storage_dir(self) -> Path:
        return Path(self.started["folder"])

    @property
    def lines(self) -> list[str]:
        """What it has logged after the start line."""
        return self.log.read_text()[self.started.end() :].splitlines()[1:]

    def workers(self) -> set[int]:
        parents = processes()
        return {pid for pid, (_, parent) in parents.items() if parent == self.process.pid}

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def socket(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        connection = self.connect()
        try:
            return ask(connection, method, path, body, headers)
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def post(self, path: str) -> Answer:
        return self.ask("POST", path)

    def put(self, path: str, body: bytes = b"") -> Answer:
        return self.ask("PUT", path, body)

    def take(self, path: str = JOB) -> int:
        """Take the next number."""
        answer = self.post(path)
        assert answer.status == 200, answer
        return answer.value

    def send(self, data: bytes) -> Answer:
        """Send these bytes on a connection of their own."""
        with self.socket() as connection:
            connection.sendall(data)
            return read_answer(connection, data.partition(b" ")[0].decode("latin-1"))

    @contextmanager
    def halted(self, *pids: int) -> Iterator[None]:
        """Keep these workers from running meanwhile; all connections go to the others."""
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            wait_until(
                lambda: all(processes()[pid][0] == "T" for pid in pids), "the workers have halted"
            )
            yield
        finally:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def connect_to(self, worker: int) -> http.client.HTTPConnection:
        """Return a keep-alive connection that this worker, and no other, serves."""
        connection = self.connect()
        with self.halted(*self.workers() - {worker}):
            assert ask(connection, "GET", "/livez").status == 200
        return connection

    def refuses(self) -> bool:
        """Return whether nobody is listening any more."""
        try:
            self.socket().close()
        except ConnectionRefusedError:
            return True
        # Closing the listening socket resets the connections that wait there.
        except ConnectionResetError:
            pass
        return False

    def begin_stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send the signal, from which on it has `STOP_SECONDS`."""
        self._end = time.monotonic() + STOP_SECONDS
        self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal and give the exit status, once it has ended as promised."""
        self.begin_stop(number)
        return self.end()

    def end(self) -> int:
        """Return the exit status, once it has ended within the promised time since `begin_stop`."""
        return self.process.wait(self._end - time.monotonic())

    def kill(self) -> None:
        """Kill all of its processes, as `kill -9` does."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)


class Serve(Protocol):
    """Starts a service; without other wishes on a free port, on the same folder each time.

    `before` is Python that its process runs before it.
    """

    def __call__(
        self, *flags: str, variables: Mapping[str, str] | None = None, before: str = ""
    ) -> Service: ...


@contextmanager
def services(place: Path, command: tuple[str, ...] = COMMAND) -> Iterator[Serve]:
    """Start services with their folders and logs in `place`; none is left at the end.

    `command` is that of another Monotron, where one is installed elsewhere.
    """
    running: list[tuple[subprocess.Popen[bytes], Path]] = []

    def start(*flags: str, variables: Mapping[str, str] | None = None, before: str = "") -> Service:
        variables = dict(variables or {})
        if "--port" not in flags:
            variables.setdefault("PORT", "0")
        if "--storage-dir" not in flags:
            variables.setdefault("STORAGE_DIR", str(place / "data"))
        log = place / f"stderr-{len(running)}"
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                [
                    *BECOMING,
                    f"{END_WITH_US}\n{before}\n{BECOME}",
                    *command,
                    "serve",
                    *flags,
                ],
                env=environment(variables),
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,
            )
        running.append((process, log))

        started: re.Match[str] | None = None

        def has_started() -> bool:
            nonlocal started
            assert process.poll() is None, f"the service has ended: {log.read_text()}"
            started = START_LINE.search(log.read_text())
            return started is not None

        wait_until(has_started, "the service has started")
        assert started is not None
        return Service(process, log, started)

    try:
        yield start
    finally:
        for number, (process, log) in enumerate(running):
            # The number of a group stays taken as long as one of its processes exists.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(PATIENCE)
            # pytest shows it if the test has failed.
            print(f"--- stderr of service {number} (exit status {process.returncode}):")
            print(log.read_text(errors="backslashreplace"))


class Connecting(Protocol):
    """What clients can connect to: a service, or a proxy before several."""

    def connect(self) -> http.client.HTTPConnection: ...


@dataclass
class Load:
    """Clients that take numbers, each on a keep-alive connection, until the block ends.

    One whose connection ends makes another; where nobody listens it tries again.
    """

    service: Connecting
    clients: int = 16
    path: str = "/v1/series/load"
    answered: list[int] = field(default_factory=list)
    unanswered: int = 0
    """Requests whose connection was closed before an answer came; each may have taken a number."""
    cut: int = 0
    """Answers of which only a part came."""
    broken: list[str] = field(default_factory=list)
    """Other answers than a number, and requests that got neither an answer nor an end."""

    def __enter__(self) -> "Load":
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._client) for _ in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def wait_for_more(self, count: int) -> None:
        """Wait until that many more numbers are answered."""
        goal = len(self.answered) + count
        wait_until(lambda: len(self.answered) >= goal, f"{goal} numbers are answered")

    def _client(self) -> None:
        connection = self.service.connect()
        while not self._over.is_set():
            try:
                self._take(connection)
            except ConnectionRefusedError:
                connection.close()
                self._over.wait(0.01)
        connection.close()

    def _take(self, connection: http.client.HTTPConnection) -> None:
        begun = False
        try:
            connection.request("POST", self.path)
            with connection.getresponse() as response:
                begun = True
                body = response.read()
        except ConnectionRefusedError:
            raise
        except TimeoutError as error:
            connection.close()
            with self._lock:
                self.broken.append(repr(error))
        except (ConnectionError, http.client.HTTPException) as error:
            connection.close()
            # What comes instead of a status line is a part of one, but for nothing at all.
            begun = begun or not isinstance(error, ConnectionError)
            with self._lock:
                self.cut += begun
                self.unanswered += not begun
        else:
            with self._lock:
                if response.status == 200:
                    self.answered.append(int(json.loads(body)["value"]))
                else:
                    self.broken.append(f"{response.status} {body!r}")


def assert_none_twice(values: Iterable[int]) -> None:
    twice = {value for value, after in itertools.pairwise(sorted(values)) if value == after}
    assert not twice, f"given twice: {sorted(twice)}"
