"""Serving: a supervising process, and the workers that share its port.

The supervisor opens only the socket. Each worker opens the store after the fork (LMDB must not be
carried across one) and reports through a pipe that it is ready, or why it cannot be. A worker that
dies is replaced at once; the others are not affected.

If the supervisor is gone, even killed, a worker finds another pipe closed and stops, so that no
orphan holds the port.
"""

import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NoReturn, TypeAlias

from monotron import __version__, threads
from monotron.errors import MonotronError
from monotron.measures import OPEN_CONNECTIONS, REPLACED, START_TIME, Measures, WorkerSlot
from monotron.server.listeners import ip_address, listen, reachable, url
from monotron.server.notify import READY, STOPPING, notify
from monotron.server.open_files import FEWEST_FILES, open_files
from monotron.server.service import Server, Service
from monotron.settings import Settings
from monotron.waiting import Waiting

STOP_SECONDS = 9.5
"""After this time, workers that have not stopped are killed, so that all end within 10 seconds."""

RESTART_SECONDS = 1.0
"""The pause before replacing a worker that died before it was ready, because it may do so again."""

log = logging.getLogger("monotron")


class CannotServe(MonotronError):
    """The service cannot start; the message says why, in one line."""


OpenService: TypeAlias = Callable[[bool, WorkerSlot, Waiting], Service]
"""Opens the service of one worker."""


def serve(
    settings: Settings,
    open_service: OpenService,
    warnings: Callable[[], Iterable[str]] = tuple,
) -> None:
    """Serve until SIGTERM or SIGINT.

    `open_service(create, slot, waiting)` is called once in each worker, with the slot for its
    measures and how its requests wait. Only the first workers may create a missing store: if the
    storage folder has gone since, a replacement would give out 1 again. `warnings` is called once
    they are ready, and logged.

    Raises `CannotListen` if the port is not available, and `CannotServe` if a worker cannot open
    its service.
    """
    if (files := open_files()) < FEWEST_FILES:
        raise CannotServe(
            f"only {files:g} open files are allowed, but the service needs {FEWEST_FILES} or more: "
            "raise the limit (ulimit -n, or LimitNOFILE in a systemd unit)"
        )
    listeners = listen(settings)
    try:
        # One more slot, for the supervisor itself.
        measures = Measures(settings.workers + 1)
        new_server = _server_of(settings)
        _Watch(settings, open_service, warnings, listeners, measures, new_server).run()
    finally:
        for listener in listeners:
            listener.close()


@dataclass(slots=True)
class _Worker:
    pid: int
    slot: int
    """The slot that it writes its measures to."""
    news: int | None
    """The pipe on which it reports that it is ready, or why it cannot be; None once it has."""
    ready: bool = False


@dataclass
class _Watch:
    settings: Settings
    open_service: OpenService
    warnings: Callable[[], Iterable[str]]
    listeners: Sequence[socket.socket]
    measures: Measures
    new_server: "NewServer"
    workers: dict[int, _Worker] = field(default_factory=dict)
    restarts: list[float] = field(default_factory=list)
    """When to replace the workers that are not replaced at once."""
    stopping: bool = False
    asked_by: str | None = None
    """The signal that asked it to stop."""
    announced: bool = False
    failure: str | None = None
    """Why the first workers could not start."""

    def run(self) -> None:
        self.slot = self.measures.slot(self.settings.workers)
        self.slot.add(REPLACED, 0)
        self.slot.set(START_TIME, time.time())
        self.selector = selectors.DefaultSelector()
        self.lifeline, self._lifeline_end = os.pipe()
        self._signals, signals_end = os.pipe()
        os.set_blocking(self._signals, False)
        os.set_blocking(signals_end, False)
        signal.set_wakeup_fd(signals_end)
        for number in _SIGNALS:
            # The number arrives on the pipe, but only if there is a handler.
            signal.signal(number, lambda *_: None)
        for number in _IGNORED_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        self.selector.register(self._signals, selectors.EVENT_READ)

        for worker in range(self.settings.workers):
            # Each worker looks at how many connections all have, from the start.
            self.measures.slot(worker).set(OPEN_CONNECTIONS, 0)
        for _ in range(self.settings.workers):
            self._start_worker()
        while not self.stopping and not all(worker.ready for worker in self.workers.values()):
            self._wait(None)
        if self.failure is None and not self.stopping:
            for warning in self.warnings():
                log.warning("%s", warning)
            self._announce()
        while not self.stopping:
            self._wait(self._restart_due())
        self._stop()
        if self.failure is not None:
            raise CannotServe(self.failure)
        log.info("monotron stopped: %s", self.asked_by)

    def _announce(self) -> None:
        addresses = [listener.getsockname()[:2] for listener in self.listeners]
        log.info(
            "monotron %s listens on %s, stores in %s, %d worker%s, authentication %s, "
            "dashboard at %s/",
            __version__,
            " and ".join(url(host, port) for host, port in addresses),
            self.settings.place,
            self.settings.workers,
            "s" if self.settings.workers > 1 else "",
            "on" if self.settings.authentication else "off",
            url(*reachable(*addresses[0])),
        )
        for host, _ in addresses:
            if not self.settings.authentication and not ip_address(host).is_loopback:
                log.warning(
                    "authentication is off: anybody who can reach %s may do everything", host
                )
        self.announced = True
        notify(READY)

    def _wait(self, seconds: float | None) -> None:
        """Wait for signals and workers' reports, and act on them."""
        for key, _ in self.selector.select(seconds):
            if key.fd == self._signals:
                self._take_signals()
            else:
                self._take_news(key.data)

    def _take_signals(self) -> None:
        numbers = os.read(self._signals, 4096)
        for number in numbers:
            if number == signal.SIGHUP:
                log.info("SIGHUP does nothing: settings are read at the start")
            elif number in (signal.SIGTERM, signal.SIGINT) and not self.stopping:
                self.stopping = True
                self.asked_by = signal.Signals(number).name
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
        else:
            self._tell_failure(news or "a worker ended before it was ready")

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
            # Its report may still be in the pipe.
            self._take_news(worker)
            if self.stopping:
                continue
            log.error("worker %d ended (%s); another one replaces it", pid, _cause(status))
            self.slot.add(REPLACED, 1)
            if worker.ready:
                self._start_worker()
            else:
                self.restarts.append(time.monotonic() + RESTART_SECONDS)

    def _restart_due(self) -> float | None:
        """Start due replacements; return the seconds until the next one, or None."""
        now = time.monotonic()
        for due in [due for due in self.restarts if due <= now]:
            self.restarts.remove(due)
            self._start_worker()
        return min(self.restarts) - now if self.restarts else None

    def _start_worker(self) -> None:
        news, news_end = os.pipe()
        taken = {worker.slot for worker in self.workers.values()}
        slot = min(set(range(self.settings.workers)) - taken)
        # A signal that reached the child before it has its own handlers would arrive on our pipe.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            pid = os.fork()
        except OSError:
            os.close(news)
            self._tell_failure(f"cannot start a process: {threads.limits()}")
            self.restarts.append(time.monotonic() + RESTART_SECONDS)
        else:
            if pid == 0:
                self._become_worker(news_end, slot)
            worker = self.workers[pid] = _Worker(pid, slot, news)
            self.selector.register(news, selectors.EVENT_READ, worker)
        os.close(news_end)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def _tell_failure(self, why: str) -> None:
        """Report that a worker could not start. If it is one of the first, `serve` ends with it."""
        if self.announced:
            log.error("a worker could not start: %s", why)
        else:
            self.failure = self.failure or why
            self.stopping = True

    def _become_worker(self, news_end: int, slot: int) -> NoReturn:
        """Work, then end the process: none of the supervisor's code may run in it."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            self.selector.close()
            os.close(self._signals)
            os.close(self._lifeline_end)
            for other in self.workers.values():
                if other.news is not None:
                    os.close(other.news)
            code = self._work(news_end, self.measures.slot(slot))
        except BaseException:
            log.exception("a worker failed")
        finally:
            os._exit(code)

    def _work(self, news: int, slot: WorkerSlot) -> int:
        """Run as a worker; return the exit status."""
        try:
            server = self.new_server(self.listeners, self.settings, slot)
            service = self.open_service(not self.announced, slot, server.waiting)
            watch_lifeline = partial(_stop_with, self.lifeline, server)
            threads.start(watch_lifeline, "monotron-lifeline")
        except MonotronError as error:
            os.write(news, str(error).encode(errors="backslashreplace"))
            return 1
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: server.stop())
        # The supervisor reports it.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.write(news, _READY.encode())
        os.close(news)
        server.run(service)
        healthy = service.healthy()
        service.close()
        return 0 if healthy else 1

    def _stop(self) -> None:
        """Let the workers finish requests in flight; kill those that do not stop."""
        notify(STOPPING)
        for listener in self.listeners:
            listener.close()
        end = time.monotonic() + STOP_SECONDS
        self._signal_workers(signal.SIGTERM)
        while self.workers and (left := end - time.monotonic()) > 0:
            self._wait(left)
        if self.workers:
            log.warning("%d workers did not stop in time and will be killed", len(self.workers))
            self._signal_workers(signal.SIGKILL)

    def _signal_workers(self, number: signal.Signals) -> None:
        for pid in self.workers:
            # It is our child and has not been reaped yet, so the process id is still its own.
            os.kill(pid, number)


_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP)
_IGNORED_SIGNALS = (signal.SIGUSR1, signal.SIGUSR2)
"""Signals that other services use for reopening logs and the like, and that would end this one."""

_READY = "ready"


NewServer: TypeAlias = Callable[[Sequence[socket.socket], Settings, WorkerSlot], Server]


def _server_of(settings: Settings) -> NewServer:
    """Return the server that the settings ask for. Only that one is imported, and before a fork."""
    if settings.server == "waitress":
        from monotron.server.waitress import WaitressServer

        return WaitressServer
    from monotron.server.loop.server import LoopServer

    return LoopServer


def _stop_with(lifeline: int, server: Server) -> None:
    """Stop the server once the supervisor has ended, which closes the other end of the pipe."""
    os.read(lifeline, 1)
    server.stop()


def _cause(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"status {code}"
