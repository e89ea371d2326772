"""Ports of loopback that a test names, and that nobody else is given meanwhile."""

import atexit
import socket
from functools import cache


def new_ports(count: int) -> list[int]:
    """Return ports on which connections are refused until somebody who names them listens there.

    They stay those of the test until this process ends: Linux gives them to nobody who asks for any
    port, and lets whoever reuses addresses, as servers do, listen there again and again (ip(7),
    SO_REUSEADDR in socket(7)).
    """
    made = [socket.socket() for _ in range(count)]
    for each in made:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        each.bind(("127.0.0.1", 0))
        atexit.register(each.close)
    return [each.getsockname()[1] for each in made]


def new_port() -> int:
    """Return one such port."""
    (port,) = new_ports(1)
    return port


@cache
def nobody() -> int:
    """Return a port on which nobody ever listens."""
    return new_port()
