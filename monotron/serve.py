"""Serving: one process that watches, and the workers, which share its port.

The watching process opens nothing but the socket. Each worker opens the store after the fork (LMDB
must not be carried across one) and tells through a pipe that it is ready, or why it cannot be. A
worker that dies is replaced at once; the others do not notice.

A worker whose watcher is gone, killed even, finds its end of another pipe closed and stops, so that
no orphan holds the port.
"""

import ipaddress
import logging
import os
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, NoReturn

from monotron import __version__
from monotron.measures import REPLACED, START_TIME, Measures, Place
from monotron.server.server import Server
from monotron.settings import Settings
from monotron.store.contract import StoreError

BACKLOG = 1024
"""Connections that wait in the kernel to be accepted."""

STOP_SECONDS = 9.5
"""When workers that still have not stopped are killed, to be gone within 10 seconds."""

RESTART_SECONDS = 1.0
"""Pause before a worker is replaced that died before it was ready: it may do so again."""

log = logging.getLogger("monotron")


class CannotServe(Exception):
    """The service cannot start; the message says why, in one line."""


@dataclass(frozen=True, slots=True)
class Service:
    """What one worker serves."""

    app: Callable[..., Any]
    healthy: Callable[[], bool]
    """Whether it can go on; where not, the worker ends and is replaced."""
    close: Callable[[], None]
    quick_paths: Collection[str]
    """What the app answers at once, and what has to work under overload too."""


def serve(settings: Settings, open_service: Callable[[bool, Place], Service]) -> None:
    """Serve until SIGTERM or SIGINT.

    `open_service(create, place)` is called once in each worker, with where it writes its measures.
    Only the first ones may create what is missing: where the storage folder has gone since, a
    replacement would give out 1 again.

    Raises `CannotServe` where the port cannot be had or a worker cannot open its service.
    """
    listener = _listen(settings.host, settings.port)
    with listener:
        # One place more, for the watching process itself.
        _Watch(settings, open_service, listener, Measures(settings.workers + 1)).run()


@dataclass(slots=True)
class _Worker:
    pid: int
    place: int
    """Where it writes its measures."""
    news: int | None
    """The pipe on which it says that it is ready, or why it cannot be; None once it has."""
    ready: bool = False


@dataclass
class _Watch:
    settings: Settings
    open_service: Callable[[bool, Place], Service]
    listener: socket.socket
    measures: Measures
    workers: dict[int, _Worker] = field(default_factory=dict)
    restarts: list[float] = field(default_factory=list)
    """When those are due that are not replaced at once."""
    stopping: bool = False
    announced: bool = False
    failure: str | None = None
    """Why the first workers could not start."""

    def run(self) -> None:
        self.place = self.measures.place(self.settings.workers)
        self.place.add(REPLACED, 0)
        self.place.set(START_TIME, time.time())
        self.selector = selectors.DefaultSelector()
        self.lifeline, self._lifeline_end = os.pipe()
        self._signals, signals_end = os.pipe()
        os.set_blocking(self._signals, False)
        os.set_blocking(signals_end, False)
        signal.set_wakeup_fd(signals_end)
        for number in _SIGNALS:
            # The number arrives on the pipe; without a handler none would.
            signal.signal(number, lambda *_: None)
        self.selector.register(self._signals, selectors.EVENT_READ)

        for _ in range(self.settings.workers):
            self._start_worker()
        while not self.stopping and not all(worker.ready for worker in self.workers.values()):
            self._wait(None)
        if self.failure is None and not self.stopping:
            self._announce()
        while not self.stopping:
            self._wait(self._restart_due())
        self._stop()
        if self.failure is not None:
            raise CannotServe(self.failure)

    def _announce(self) -> None:
        host, port = self.listener.getsockname()[:2]
        log.info(
            "monotron %s listens on %s, stores in %s, %d worker%s",
            __version__,
            _url(host, port),
            self.settings.storage_dir.resolve(),
            self.settings.workers,
            "s" if self.settings.workers > 1 else "",
        )
        loopback = ipaddress.ip_address(host.partition("%")[0]).is_loopback
        if not self.settings.authentication and not loopback:
            log.warning("there is no authentication: whoever reaches %s may do everything", host)
        self.announced = True

    def _wait(self, seconds: float | None) -> None:
        """Wait for signals and workers' news, and act on them."""
        for key, _ in self.selector.select(seconds):
            if key.fd == self._signals:
                self._take_signals()
            else:
                self._take_news(key.data)

    def _take_signals(self) -> None:
        numbers = os.read(self._signals, 4096)
        if signal.SIGTERM in numbers or signal.SIGINT in numbers:
            self.stopping = True
        self._reap()

    def _take_news(self, worker: _Worker) -> None:
        if worker.news is None:
            return
        news = os.read(worker.news, 65536).decode(errors="replace")
        self.selector.unregister(worker.news)
        os.close(worker.news)
        worker.news = None
        if news == _READY:
            worker.ready = True
        elif not self.announced:
            self.failure = self.failure or news or "a worker ended before it was ready"
            self.stopping = True
        else:
            log.error("a worker could not start: %s", news or "it ended before it was ready")

    def _reap(self) -> None:
        """Replace the workers that have ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            worker = self.workers.pop(pid, None)
            if worker is None:
                continue
            # What it had to say may still be in the pipe.
            self._take_news(worker)
            if self.stopping:
                continue
            log.error("worker %d ended (%s); another one takes its place", pid, _cause(status))
            self.place.add(REPLACED, 1)
            if worker.ready:
                self._start_worker()
            else:
                self.restarts.append(time.monotonic() + RESTART_SECONDS)

    def _restart_due(self) -> float | None:
        """Start what is due; give the seconds until the next is, None where there is none."""
        now = time.monotonic()
        for due in [due for due in self.restarts if due <= now]:
            self.restarts.remove(due)
            self._start_worker()
        return min(self.restarts) - now if self.restarts else None

    def _start_worker(self) -> None:
        news, news_end = os.pipe()
        taken = {worker.place for worker in self.workers.values()}
        place = min(set(range(self.settings.workers)) - taken)
        # A signal that came to the child before it has its own handlers would reach our pipe.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if pid == 0:
            self._become_worker(news_end, place)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.close(news_end)
        worker = self.workers[pid] = _Worker(pid, place, news)
        self.selector.register(news, selectors.EVENT_READ, worker)

    def _become_worker(self, news_end: int, place: int) -> NoReturn:
        """Work, then end the process: nothing of the watching one may run in it."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            self.selector.close()
            os.close(self._signals)
            os.close(self._lifeline_end)
            for other in self.workers.values():
                if other.news is not None:
                    os.close(other.news)
            code = self._work(news_end, self.measures.place(place))
        except BaseException:
            log.exception("a worker failed")
        finally:
            os._exit(code)

    def _work(self, news: int, place: Place) -> int:
        """Be a worker; gives the exit status."""
        try:
            service = self.open_service(not self.announced, place)
        except StoreError as error:
            os.write(news, str(error).encode(errors="backslashreplace"))
            return 1
        server = Server(
            service.app,
            self.listener,
            self.settings.threads,
            place,
            quick_paths=service.quick_paths,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: server.stop())
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        threading.Thread(
            target=_stop_with, args=(self.lifeline, server), name="monotron-lifeline", daemon=True
        ).start()
        os.write(news, _READY.encode())
        os.close(news)
        server.run(service.healthy)
        healthy = service.healthy()
        service.close()
        return 0 if healthy else 1

    def _stop(self) -> None:
        """Let the workers finish what is in flight; kill those that do not come to an end."""
        self.listener.close()
        end = time.monotonic() + STOP_SECONDS
        self._signal_workers(signal.SIGTERM)
        while self.workers and (left := end - time.monotonic()) > 0:
            self._wait(left)
        if self.workers:
            log.warning("%d workers did not stop in time and are killed", len(self.workers))
            self._signal_workers(signal.SIGKILL)

    def _signal_workers(self, number: signal.Signals) -> None:
        for pid in self.workers:
            # It is our child and not reaped yet, so the number is still its own.
            os.kill(pid, number)


_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
_READY = "ready"


def _stop_with(lifeline: int, server: Server) -> None:
    """Stop the server once the watching process has ended, which closes the pipe's other end."""
    os.read(lifeline, 1)
    server.stop()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise CannotServe(f"there is no address {host!r}") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotServe(
            f"cannot listen on {_url(host, port)}: {os.strerror(error.errno or 0)}"
        ) from error
    return listener


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _cause(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"status {code}"
