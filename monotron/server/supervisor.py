"""Serving: one process that watches, and the workers, which share its port.

The watching process opens nothing but the socket. Each worker opens the store after the fork (LMDB
must not be carried across one) and tells through a pipe that it is ready, or why it cannot be. A
worker that dies is replaced at once; the others do not notice.

A worker whose watcher is gone, killed even, finds its end of another pipe closed and stops, so that
no orphan holds the port.
"""

import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn, TypeAlias

from monotron import __version__, threads
from monotron.errors import MonotronError
from monotron.measures import REPLACED, START_TIME, Measures, WorkerSlot
from monotron.server.listeners import ip_address, listen, reachable, url
from monotron.server.server import FEWEST_FILES, Server, open_files
from monotron.settings import Settings

STOP_SECONDS = 9.5
"""When workers that still have not stopped are killed, to be gone within 10 seconds."""

RESTART_SECONDS = 1.0
"""Pause before a worker is replaced that died before it was ready: it may do so again."""

log = logging.getLogger("monotron")


class CannotServe(MonotronError):
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


OpenService: TypeAlias = Callable[[bool, WorkerSlot], Service]
"""Opens what one worker serves."""


def serve(
    settings: Settings,
    open_service: OpenService,
    warnings: Callable[[], Iterable[str]] = tuple,
) -> None:
    """Serve until SIGTERM or SIGINT.

    `open_service(create, slot)` is called once in each worker, with where it writes its measures.
    Only the first ones may create what is missing: where the storage folder has gone since, a
    replacement would give out 1 again. `warnings` is called once they are ready, and logged.

    Raises `CannotListen` where the port cannot be had, `CannotServe` where a worker cannot open its
    service.
    """
    if (files := open_files()) < FEWEST_FILES:
        raise CannotServe(
            f"only {files:g} open files are allowed, and the service needs {FEWEST_FILES} or more: "
            "raise the limit (ulimit -n, or LimitNOFILE of a systemd unit)"
        )
    listeners = listen(settings)
    try:
        # One slot more, for the watching process itself.
        _Watch(settings, open_service, warnings, listeners, Measures(settings.workers + 1)).run()
    finally:
        for listener in listeners:
            listener.close()


@dataclass(slots=True)
class _Worker:
    pid: int
    slot: int
    """Where it writes its measures."""
    news: int | None
    """The pipe on which it says that it is ready, or why it cannot be; None once it has."""
    ready: bool = False


@dataclass
class _Watch:
    settings: Settings
    open_service: OpenService
    warnings: Callable[[], Iterable[str]]
    listeners: Sequence[socket.socket]
    measures: Measures
    workers: dict[int, _Worker] = field(default_factory=dict)
    restarts: list[float] = field(default_factory=list)
    """When those are due that are not replaced at once."""
    stopping: bool = False
    asked_by: str | None = None
    """The signal that asked for the end."""
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
            # The number arrives on the pipe; without a handler none would.
            signal.signal(number, lambda *_: None)
        for number in _IGNORED_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        self.selector.register(self._signals, selectors.EVENT_READ)

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
            self.settings.storage_dir.resolve(),
            self.settings.workers,
            "s" if self.settings.workers > 1 else "",
            "on" if self.settings.authentication else "off",
            url(*reachable(*addresses[0])),
        )
        for host, _ in addresses:
            if not self.settings.authentication and not ip_address(host).is_loopback:
                log.warning(
                    "there is no authentication: whoever reaches %s may do everything", host
                )
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
            # What it had to say may still be in the pipe.
            self._take_news(worker)
            if self.stopping:
                continue
            log.error("worker %d ended (%s); another one takes its place", pid, _cause(status))
            self.slot.add(REPLACED, 1)
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
        taken = {worker.slot for worker in self.workers.values()}
        slot = min(set(range(self.settings.workers)) - taken)
        # A signal that came to the child before it has its own handlers would reach our pipe.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            pid = os.fork()
        except OSError:
            os.close(news)
            self._tell_failure(f"no process can be started: {threads.limits()}")
            self.restarts.append(time.monotonic() + RESTART_SECONDS)
        else:
            if pid == 0:
                self._become_worker(news_end, slot)
            worker = self.workers[pid] = _Worker(pid, slot, news)
            self.selector.register(news, selectors.EVENT_READ, worker)
        os.close(news_end)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def _tell_failure(self, why: str) -> None:
        """Say that a worker could not start. One of the first ends the start, and serve says it."""
        if self.announced:
            log.error("a worker could not start: %s", why)
        else:
            self.failure = self.failure or why
            self.stopping = True

    def _become_worker(self, news_end: int, slot: int) -> NoReturn:
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
            code = self._work(news_end, self.measures.slot(slot))
        except BaseException:
            log.exception("a worker failed")
        finally:
            os._exit(code)

    def _work(self, news: int, slot: WorkerSlot) -> int:
        """Be a worker; gives the exit status."""
        try:
            service = self.open_service(not self.announced, slot)
            server = Server(
                service.app,
                self.listeners,
                self.settings.threads,
                slot,
                quick_paths=service.quick_paths,
            )
            watch_lifeline = partial(_stop_with, self.lifeline, server)
            threads.start(watch_lifeline, "monotron-lifeline")
        except MonotronError as error:
            os.write(news, str(error).encode(errors="backslashreplace"))
            return 1
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: server.stop())
        # The watching process says that it was sent.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.write(news, _READY.encode())
        os.close(news)
        server.run(service.healthy)
        healthy = service.healthy()
        service.close()
        return 0 if healthy else 1

    def _stop(self) -> None:
        """Let the workers finish what is in flight; kill those that do not come to an end."""
        for listener in self.listeners:
            listener.close()
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


_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP)
_IGNORED_SIGNALS = (signal.SIGUSR1, signal.SIGUSR2)
"""What asks other services for new log files and the like, and would end this one."""

_READY = "ready"


def _stop_with(lifeline: int, server: Server) -> None:
    """Stop the server once the watching process has ended, which closes the pipe's other end."""
    os.read(lifeline, 1)
    server.stop()


def _cause(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"status {code}"
