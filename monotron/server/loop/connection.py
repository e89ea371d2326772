"""One client's connection: takes in requests, one after the other, and sends their answers.

The next request of a connection begins only once the answer to the one before it has left. So
answers keep their order, a refusal overtakes none of them, and a client that sends more than it
reads holds itself up.
"""

import asyncio
from typing import TYPE_CHECKING, cast

from monotron.limits import HEADER_BYTES, JSON_BYTES
from monotron.server.loop import answer, environ, head
from monotron.server.loop.answer import Answer
from monotron.server.loop.chunked import Chunks
from monotron.server.loop.head import Headers, RequestLine
from monotron.server.loop.refusal import Refusal

if TYPE_CHECKING:
    from monotron.server.loop.server import LoopServer

TURN_REQUESTS = 32
"""How many requests of one connection are taken in before others get their turn. A client can send
thousands at once."""

TURN_BYTES = 4 * 2**20
"""How many bytes of answers are made in one turn of the loop; the last answer may exceed it. They
are sent at its end, and only then does it show which clients do not read."""

READ_AHEAD_BYTES = 2 * HEADER_BYTES
"""How much of later requests is read while one is being answered."""


_NOWHERE = ("-", 0)


class Incoming:
    """A request whose head is complete."""

    __slots__ = ("body", "chunks", "headers", "left", "line")

    def __init__(self, line: RequestLine, headers: Headers) -> None:
        """`line` and `headers` are those of the head."""
        self.line = line
        self.headers = headers
        self.body: bytes | bytearray = b""
        self.left = headers.length or 0
        """How many bytes of a body with a length have not arrived yet."""
        self.chunks = Chunks() if headers.chunked else None

    @property
    def keeps(self) -> bool:
        """Whether the client wants to keep the connection (RFC 9112, section 9.3)."""
        if self.line.is_1_1:
            return not self.headers.close
        return self.headers.keep_alive and not self.headers.close


class Connection(asyncio.Protocol):
    """A connection."""

    def __init__(self, server: "LoopServer") -> None:
        self._server = server
        self._input = bytearray()
        self._checked = 0
        """How many bytes of an incomplete head have been checked."""
        self._line: RequestLine | None = None
        """The first line of the request whose bytes are arriving, once it has arrived."""
        self._incoming: Incoming | None = None
        self._is_answering = False
        self._is_closing = False
        """Whether no further request is taken in: the last answer is made, or the client gone."""
        self._has_ended = False
        """Whether the client has sent its last byte."""
        self._is_full = False
        """Whether the client has to read before more can be sent."""
        self._answer_bytes = 0
        """The size of the last answer, of which a part may wait to be sent. The memory of all of it
        is held until its last byte has been sent."""
        self._is_paused = False
        self._keeps = True
        self._must_linger = False
        self.active_at = server.now
        """When it last sent or received anything."""
        self.began_at = 0.0
        """When the request began whose bytes are arriving; 0 if none is."""
        self.closing_since = 0.0
        """Since when it waits for its client to close; 0 if it does not."""

    # What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        # A client that is gone already has no address.
        client = transport.get_extra_info("peername") or _NOWHERE
        server = transport.get_extra_info("sockname") or _NOWHERE
        self.client = client[0]
        self._environ = environ.of_connection(server, client)
        self._server.remember(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._is_closing = True
        self._input.clear()
        self._incoming = None
        self._server.forget(self)

    def data_received(self, data: bytes) -> None:
        """Take in what the client sent."""
        self.active_at = self._server.now
        if self._is_closing:
            # The client has not read the last answer yet; see `_close`.
            return
        self._input += data
        if not self._is_answering:
            # What other clients have sent is read first: more requests share a commit then.
            self._server.postpone(self)
        if len(self._input) > READ_AHEAD_BYTES:
            self._pause()

    def eof_received(self) -> bool:
        """Note that nothing more will come; return whether anything is still to be sent."""
        self._has_ended = True
        if self.closing_since:
            return False
        self.advance()
        return True

    def pause_writing(self) -> None:
        """Take in no further request until the client reads."""
        self._is_full = True
        self._server.note_unread(self, self._unsent())

    def resume_writing(self) -> None:
        """Go on."""
        self._is_full = False
        self.active_at = self._server.now
        self._server.note_unread(self, 0)
        self.advance()

    # What the server calls

    @property
    def is_idle(self) -> bool:
        """Whether nothing would be lost by closing it."""
        return not (self._is_answering or self._input or self._incoming or self._is_full)

    @property
    def is_answering(self) -> bool:
        """Whether a request is being answered."""
        return self._is_answering

    @property
    def has_unsent(self) -> bool:
        """Whether the client has to read more before everything is sent."""
        return self._transport.get_write_buffer_size() > 0

    def abort(self) -> None:
        """Close it at once."""
        self._transport.abort()

    def finish(self) -> None:
        """Close it as soon as the request in progress is answered."""
        self._keeps = False
        if self.closing_since or self._is_answering or self._input or self._incoming:
            return
        # What has been written is sent first.
        self._transport.close()

    def advance(self) -> None:
        """Take in requests until one has to wait, or its bytes have not arrived."""
        try:
            taken = 0
            while not (self._is_answering or self._is_full or self._is_closing):
                if taken == TURN_REQUESTS or self._server.sent_in_turn >= TURN_BYTES:
                    self._server.postpone(self)
                    return
                if not self._take_in():
                    break
                self._begin()
                taken += 1
        except Refusal as refusal:
            self._refuse(refusal)
        if len(self._input) <= READ_AHEAD_BYTES:
            self._resume()
        if self._has_ended and not (self._is_answering or self._is_full or self._is_closing):
            # What is left is no whole request.
            self._is_closing = True
            self._server.send_later(self, [], closes=True)

    def transmit(self, pieces: list[bytes], *, closes: bool) -> None:
        """Send what `send_later` was asked to send, unless the client is gone."""
        if self._transport.is_closing():
            return
        for piece in pieces:
            self._transport.write(piece)
        self.active_at = self._server.now
        if self._is_full:
            # What was written since then waits too.
            self._server.note_unread(self, self._unsent())
        if closes:
            self._close()

    def send(self, incoming: Incoming, found: Answer) -> None:
        """Send the answer to a request; it may come from a thread, through the loop."""
        self._is_answering = False
        self._server.answered(self)
        if self._is_closing:
            return
        self._write(incoming.line, found, keeps=incoming.keeps and self._keeps)
        if not self._is_closing and (self._input or self._has_ended or self._is_paused):
            # Not from here: a long pipeline would nest as deep.
            self._server.loop.call_soon(self.advance)

    def _unsent(self) -> int:
        return max(self._transport.get_write_buffer_size(), self._answer_bytes)

    # Requests

    def _take_in(self) -> bool:
        """Return whether a request has arrived whole; raises `Refusal`."""
        if self._incoming is None:
            if self._input[:2] == b"\r\n":
                # Some clients send one more after a body (RFC 9112, section 2.2).
                del self._input[:2]
            if not self._input:
                return False
            if not self.began_at:
                self.began_at = self._server.now
            if not self._take_head():
                return False
        return self._take_body()

    def _take_head(self) -> bool:
        data = self._input
        end = data.find(head.END, max(0, self._checked - 3))
        if end < 0 or end > HEADER_BYTES:
            if data and data != b"\r":
                head.check_incomplete(bytes(data), self._checked)
                self._checked = len(data)
            return False
        self._checked = 0
        text = bytes(data[: end + 2])
        first = text.find(b"\r\n")
        self._line = line = head.request_line(text[:first])
        headers = head.headers(text[first + 2 :])
        del data[: end + 4]
        self._incoming = incoming = Incoming(line, headers)
        if headers.is_bare:
            return True
        head.check_framing(line, headers)
        if incoming.left > JSON_BYTES:
            self._server.take_big_body(self)
        expects_body = bool(incoming.left or incoming.chunks) and not data
        if headers.expects_continue and expects_body and line.is_1_1:
            self._server.send_later(self, [b"HTTP/1.1 100 Continue\r\n\r\n"], closes=False)
        return True

    def _take_body(self) -> bool:
        incoming, data = self._incoming, self._input
        assert incoming is not None  # noqa: S101
        if incoming.chunks is not None:
            is_whole = incoming.chunks.take(data)
            incoming.body = incoming.chunks.body
            if len(incoming.body) > JSON_BYTES:
                self._server.take_big_body(self)
            return is_whole
        if incoming.left:
            part = data[: incoming.left]
            del data[: len(part)]
            if incoming.body:
                incoming.body += part
            else:
                incoming.body = part
            incoming.left -= len(part)
        return not incoming.left

    def _begin(self) -> None:
        incoming = self._incoming
        assert incoming is not None  # noqa: S101
        self._line = self._incoming = None
        self.began_at = 0.0
        self._is_answering = True
        found = environ.of_request(
            self._environ, incoming.line, incoming.headers, bytes(incoming.body)
        )
        self._server.answer(self, incoming, found)

    # Answers

    def _write(self, line: RequestLine, found: Answer, *, keeps: bool) -> None:
        option = None if line.is_1_1 else "keep-alive"
        pieces = answer.encoded(
            found,
            self._server.date,
            connection=option if keeps else "close",
            has_body=line.method != "HEAD",
        )
        self._answer_bytes = sum(map(len, pieces))
        self._server.sent_in_turn += self._answer_bytes
        self._is_closing = not keeps
        self._server.send_later(self, pieces, closes=not keeps)

    def _refuse(self, refusal: Refusal) -> None:
        """Answer what is not passed on, and close: where the next request begins is unknown."""
        line = self._line or head.as_sent(self._input)
        headers = self._incoming.headers.environ if self._incoming else {}
        self._line = self._incoming = None
        self.began_at = 0.0
        # What arrives after it is never read.
        self._must_linger = True
        self._write(line, self._server.refused(refusal, self.client, line, headers), keeps=False)

    def _close(self) -> None:
        """Close once the last answer has been sent.

        If bytes that were never read are left, the kernel resets the connection, and the client may
        lose the answer (RFC 9112, section 9.6). So the sending half is closed first then, and the
        rest when the client has closed its own.
        """
        if self._has_ended or not (self._must_linger or self._input):
            self._transport.close()
            return
        self._input.clear()
        self._resume()
        self._transport.write_eof()
        self.closing_since = self._server.now

    def _pause(self) -> None:
        if not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
