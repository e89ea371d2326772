"""All connections, and the main loop's wait for them.

waitress's own loop asks every connection, at each wake-up, whether it wants to read or to write:
2,000 idle ones cost 64 busy clients 28 % of their numbers a second, and their slowest hundredth
took 270 ms instead of 40. Here an idle connection stays in the kernel's list (epoll(7)) and costs
nothing. Only busy ones are asked: those with a request being handled or with bytes to send.

A connection becomes busy through an event, which the loop sees, and threads only touch busy ones.
So a thread only needs to wake the loop, which then checks what the connection wants.
"""

import select
from typing import Any

from waitress import wasyncore

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
ENDED = select.EPOLLHUP | select.EPOLLERR


class Connections(dict[int, Any]):
    """Every connection by its file descriptor; waitress adds and removes them.

    They include the listening socket, and the pipe through which threads wake the loop.
    """

    def __init__(self) -> None:
        super().__init__()
        self._epoll = select.epoll()
        self._watched: dict[int, int] = {}
        """The events that epoll watches for; a connection that is not in it is not watched."""
        self._busy: set[int] = set()

    def __setitem__(self, number: int, connection: Any) -> None:
        super().__setitem__(number, connection)
        self._busy.add(number)

    def __delitem__(self, number: int) -> None:
        super().__delitem__(number)
        self._busy.discard(number)
        self._watch(number, 0)

    def wait(self, seconds: float) -> None:
        """Wait up to `seconds` for events, and let the connections handle them."""
        for number in tuple(self._busy):
            self._look_at(number)
        # New connections last: one may reuse the number of one closed here, but not its events.
        events = sorted(self._epoll.poll(seconds), key=self._is_accepting)
        for number, happened in events:
            # Handling one event may close another event's connection.
            connection = self.get(number)
            if connection is None:
                continue
            self._busy.add(number)
            wanted = _wanted(connection)
            if wanted and happened & (wanted | ENDED):
                wasyncore.readwrite(connection, happened & (wanted | ENDED))
            else:
                # It sent more, or went away, while its request is being handled.
                self._watch(number, wanted)

    def close(self) -> None:
        """Release the kernel's list; `wait` cannot be called after that."""
        self._epoll.close()

    def _is_accepting(self, event: tuple[int, int]) -> bool:
        return event[0] in self and bool(self[event[0]].accepting)

    def _look_at(self, number: int) -> None:
        """Check what a busy connection wants now, and whether it is still busy.

        An event that it no longer wants stays watched until it happens: it is nearly always wanted
        again before that, which saves a system call.
        """
        connection = self.get(number)
        if connection is None:
            self._busy.discard(number)
            return
        wanted = _wanted(connection)
        watched = self._watched.get(number, 0)
        if wanted & ~watched:
            self._watch(number, wanted)
            watched = wanted
        if wanted == watched == READ and not connection.accepting:
            self._busy.discard(number)

    def _watch(self, number: int, wanted: int) -> None:
        watched = self._watched.get(number, 0)
        if wanted and watched:
            self._epoll.modify(number, wanted)
        elif wanted:
            self._epoll.register(number, wanted)
        elif watched:
            self._epoll.unregister(number)
        if wanted:
            self._watched[number] = wanted
        else:
            self._watched.pop(number, None)


def _wanted(connection: Any) -> int:
    wanted = READ if connection.readable() else 0
    # A listening socket is never written to.
    if connection.writable() and not connection.accepting:
        wanted |= WRITE
    return wanted
