"""Relays of TCP on loopback that can be cut, as a network is: nothing is lost, nothing arrives.

What was sent while a connection was cut arrives once it is whole again, unless an end has closed
it meanwhile.
"""

import os
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from tests.support.service import PATIENCE

CHUNK = 2**16
ANYBODY = ""


class Relay:
    """Passes each connection on to a port.

    `source_of` names who has opened a connection, by the port that it comes from. A connection from
    nobody is refused.
    """

    def __init__(
        self, target: int, source_of: Callable[[int, int], str | None] = lambda *_: ANYBODY
    ) -> None:
        self._target = target
        self._source_of = source_of
        self._gate = threading.Condition()
        self._cut = set[str]()
        self._is_closed = False
        self._connections = set[socket.socket]()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, source: str = ANYBODY) -> None:
        """Let nothing pass between this source and the target, in either direction."""
        with self._gate:
            self._cut.add(source)

    def mend(self, source: str = ANYBODY) -> None:
        with self._gate:
            self._cut.discard(source)
            self._gate.notify_all()

    def close(self) -> None:
        with self._gate:
            self._is_closed = True
            self._gate.notify_all()
            connections = list(self._connections)
        # Wakes the thread that accepts, which closing alone does not.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in connections:
            _end(connection)

    def _accept(self) -> None:
        while True:
            try:
                near, (_, port) = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(near, port), daemon=True).start()

    def _relay(self, near: socket.socket, port: int) -> None:
        source = self._source_of(port, self.port)
        with near:
            if source is None or not self._wait_until_whole(source):
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._target), PATIENCE)
            except OSError:
                return
            with far:
                far.settimeout(None)
                with self._gate:
                    self._connections |= {near, far}
                back = threading.Thread(target=self._pump, args=(far, near, source), daemon=True)
                back.start()
                self._pump(near, far, source)
                back.join()
                with self._gate:
                    self._connections -= {near, far}

    def _pump(self, start: socket.socket, end: socket.socket, source: str) -> None:
        try:
            while chunk := start.recv(CHUNK):
                if not self._wait_until_whole(source):
                    break
                end.sendall(chunk)
        except OSError:
            pass
        finally:
            # An end that has closed takes the other one with it.
            _end(start)
            _end(end)

    def _wait_until_whole(self, source: str) -> bool:
        """Return False if the relay is closed meanwhile."""
        if source in self._cut:
            with self._gate:
                self._gate.wait_for(lambda: source not in self._cut or self._is_closed)
        return not self._is_closed


def opener(port: int, relay: int, processes: Mapping[str, int]) -> str | None:
    """Return the name of the process that has opened the connection between two ports."""
    inode = _inode(port, relay)
    for name, pid in processes.items():
        with suppress(OSError):
            for file in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(FileNotFoundError):
                    # It may have been closed just now.
                    if os.readlink(file) == f"socket:[{inode}]":
                        return name
    return None


def _inode(port: int, relay: int) -> str | None:
    """Return the number of the socket at one end of a connection (proc_net(5))."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        near, far = (int(words[at].rpartition(":")[2], 16) for at in (1, 2))
        if (near, far) == (port, relay):
            return words[9]
    return None


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
