"""What systemd is told about the service, by the protocol of sd_notify(3).

It is one datagram to a socket. The library for it has had no release since 2017.
"""

import logging
import os
import socket

READY = "READY=1"
"""The service answers, so units that wait for it can start."""

STOPPING = "STOPPING=1"
"""The service takes no more requests."""

log = logging.getLogger("monotron")


def notify(state: str) -> None:
    """Tell `state` to whoever started the service and asked for it with `NOTIFY_SOCKET`."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        # The name of a socket that is in no file system begins with a zero byte.
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.sendto(state.encode(), address)
    except OSError as error:
        log.warning("NOTIFY_SOCKET could not be told %s: %s", state, error.strerror)
