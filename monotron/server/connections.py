"""All connections, and the main loop's wait for them.

waitress's own loop asks every connection, at each wake-up, whether it wants to read or to write:
2,000 idle ones cost 64 busy clients 28 % of their numbers a second, and their slowest hundredth
took 270 ms instead of 40. Here an idle connection stands in the kernel's list (epoll(7)) and is not
looked at. Only busy ones are asked, those with a request in hand or with bytes to send.

A connection becomes busy by an event, which the loop sees, and threads only touch busy ones. So a
thread has nothing to tell the loop but to wake up, and what it wants is looked at then.
"""

import select
from typing import Any

from waitress import wasyncore

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
ENDED = select.EPOLLHUP | select.EPOLLERR


class Connections(dict[int, Any]):
    """Every connection by its file descriptor; waitress puts them in and takes them out.

    The listening socket is among them, and the pipe by which threads wake the loop.
    """

    def __init__(self) -> None:
        super().__init__()
        self._epoll = select.epoll()
        self._watched: dict[int, int] = {}
        """What epoll looks out for; a connection that is not in it, for nothing."""
        self._busy: set[int] = set()

    def __setitem__(self, number: int, connection: Any) -> None:
        super().__setitem__(number, connection)
        self._busy.add(number)

    def __delitem__(self, number: int) -> None:
        super().__delitem__(number)
        self._busy.discard(number)
        self._watch(number, 0)

    def wait(self, seconds: float) -> None:
        """Wait for events, at most so long, and let the connections handle them."""
        for number in tuple(self._busy):
            self._look_at(number)
        # New ones last: one may get the number of one that is closed here, but not its events.
        events = sorted(self._epoll.poll(seconds), key=self._is_accepting)
        for number, happened in events:
            # One event's handling may close another's connection.
            connection = self.get(number)
            if connection is None:
                continue
            self._busy.add(number)
            wanted = _wanted(connection)
            if wanted and happened & (wanted | ENDED):
                wasyncore.readwrite(connection, happened & (wanted | ENDED))
            else:
                # It sent more, or went away, while its request is worked on.
                self._watch(number, wanted)

    def close(self) -> None:
        """Let go of the kernel's list; `wait` cannot be called any more."""
        self._epoll.close()

    def _is_accepting(self, event: tuple[int, int]) -> bool:
        return event[0] in self and bool(self[event[0]].accepting)

    def _look_at(self, number: int) -> None:
        """See what a busy connection wants now, and whether it still is busy.

        What it does not want any more stays watched until it happens: nearly always it is wanted
        again before, and a call to the kernel is saved.
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
