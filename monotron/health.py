"""The container's health check: `python -I -m monotron.health` exits with 0 while /livez answers.

It asks the address on which the service in this container listens, not the one in its own
environment: a flag, or a script that starts the service, may have set another. It imports little,
because it runs every few seconds.
"""

import argparse
import os
import sys
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from itertools import pairwise
from pathlib import Path

from monotron.errors import MonotronError
from monotron.settings import read_address

SECONDS = 4.0
"""How long an answer may take."""


class NoService(MonotronError):
    """No service was found; the message says why."""


def main() -> None:
    """Check the service; exits with 1 if that fails."""
    try:
        status = _status(*address())
    except (MonotronError, OSError, HTTPException) as error:
        sys.exit(f"monotron is not healthy: {error}")
    if status != HTTPStatus.OK:
        sys.exit(f"monotron is not healthy: /livez answers {status}")


def address(processes: Path = Path("/proc")) -> tuple[str, int]:
    """Return the host and the port of the service among these processes (proc(5)).

    Raises `NoService`, and `OSError` if its process may not be inspected.
    """
    for process in sorted(processes.glob("[0-9]*"), key=lambda each: int(each.name)):
        try:
            words = _words(process / "cmdline")
        except (FileNotFoundError, ProcessLookupError):
            # The process has ended meanwhile.
            continue
        flags = _flags(words)
        if flags is not None:
            host, port = read_address(_environ(process), flags)
            if port == 0:
                raise NoService("it listens on a free port, which only its log shows")
            return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104
    raise NoService("no `monotron serve` process is running")


def _status(host: str, port: int) -> int:
    # Directly: a container may inherit http_proxy, and this call must not leave the container.
    connection = HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status
    finally:
        connection.close()


def _environ(process: Path) -> dict[str, str]:
    parts = (word.partition("=") for word in _words(process / "environ"))
    return {name: value for name, _, value in parts}


def _words(file: Path) -> list[str]:
    return os.fsdecode(file.read_bytes()).split("\0")[:-1]


def _flags(words: list[str]) -> dict[str, str | None] | None:
    """Return the flags of `monotron serve`, or None if the process is something else.

    The words before it may be an interpreter, or an init process that runs it.
    """
    for position, (command, subcommand) in enumerate(pairwise(words)):
        if Path(command).name == "monotron" and subcommand == "serve":
            parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
            parser.add_argument("--host")
            parser.add_argument("--port")
            return vars(parser.parse_known_args(words[position + 2 :])[0])
    return None


if __name__ == "__main__":
    main()
