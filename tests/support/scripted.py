"""A service that answers from a script, to see what a client makes of it."""

import socket
import socketserver
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.client import parse_headers

OK = b'{"creator_id":1,"key":"shop","token":null,"value":7}'


ENDS = b"\0end"
"""At the end of an answer: the connection ends after it."""


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Return an answer as it is sent."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class Request:
    """What a client sent."""

    line: str
    headers: Message
    connection: int
    """Which of the connections it came on, from 0."""


@dataclass
class Scripted:
    """Gives each request the next answer; an empty one, or `ENDS` in it, ends the connection."""

    answers: list[bytes]
    requests: list[Request] = field(default_factory=list)
    port: int = 0
    connections: int = 0
    has_ended: threading.Event = field(default_factory=threading.Event)
    """Whether it has ended a connection."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def scripted(answers: Sequence[bytes]) -> Iterator[Scripted]:
    """Serve the answers."""
    script = Scripted(list(answers))

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            number, script.connections = script.connections, script.connections + 1
            while line := self.rfile.readline():
                headers = parse_headers(self.rfile)
                self.rfile.read(int(headers.get("Content-Length", "0")))
                script.requests.append(Request(line.decode("latin-1").strip(), headers, number))
                said = script.answers.pop(0)
                self.wfile.write(said.removesuffix(ENDS))
                if not said or said.endswith(ENDS):
                    return

        def finish(self) -> None:
            super().finish()
            self.request.shutdown(socket.SHUT_RDWR)
            script.has_ended.set()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        script.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()
