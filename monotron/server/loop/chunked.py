"""Bodies in chunks (RFC 9112, section 7.1)."""

import re

from monotron.limits import BODY_BYTES
from monotron.server.loop.head import BODY_TOO_LARGE, FIELD
from monotron.server.loop.refusal import Refusal

LINE_BYTES = 1_024
"""The longest line before a chunk, and the most bytes of all trailers. Nobody here reads what can
make them long: a chunk's extensions, and trailers."""


class Chunks:
    """Takes in the bytes of one body as they arrive."""

    def __init__(self) -> None:
        self.body = bytearray()
        """What has arrived, without the lines between."""
        self._left = 0
        """How many bytes of the current chunk have not arrived yet."""
        self._read_line = self._read_size
        self._trailer_bytes = 0
        self._over = False

    def take(self, data: bytearray) -> bool:
        """Remove what belongs to the body from the front of `data`; return whether it is whole.

        Raises `Refusal`.
        """
        while not self._over:
            if self._left:
                part = data[: self._left]
                self.body += part
                self._left -= len(part)
                del data[: len(part)]
                if self._left:
                    return False
            line = _line(data)
            if line is None:
                return False
            self._read_line(line)
        return True

    def _read_size(self, line: bytes) -> None:
        match = _SIZE.fullmatch(line)
        if match is None:
            raise Refusal(400, "a chunk must begin with its size in hex digits")
        self._left = int(match[1], 16)
        if len(self.body) + self._left > BODY_BYTES:
            raise Refusal(413, BODY_TOO_LARGE)
        self._read_line = self._read_end if self._left else self._read_trailer

    def _read_end(self, line: bytes) -> None:
        if line:
            raise Refusal(400, "a chunk is longer than its size")
        self._read_line = self._read_size

    def _read_trailer(self, line: bytes) -> None:
        self._over = not line
        self._trailer_bytes += len(line)
        if self._trailer_bytes > LINE_BYTES:
            raise Refusal(431, f"trailers can have at most {LINE_BYTES} bytes in total")
        if line and not FIELD.fullmatch(line + b"\r\n"):
            raise Refusal(400, "a trailer is not valid HTTP")


def _line(data: bytearray) -> bytes | None:
    """Remove and return the next line without its end; None if it is incomplete."""
    end = data.find(b"\r\n", 0, LINE_BYTES + 2)
    begun = bytes(data[: LINE_BYTES + 2] if end < 0 else data[:end])
    if end < 0 and len(begun) > LINE_BYTES:
        raise Refusal(400, f"a line of a body in chunks can have at most {LINE_BYTES} bytes")
    if _BARE.search(begun):
        raise Refusal(400, "a line of a body in chunks must end with CR and LF")
    if end < 0:
        return None
    del data[: end + 2]
    return begun


# More digits than any size that is allowed would need, but zeros may come first. An extension may
# have a quoted string, in which no control characters are allowed either.
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t !-~\x80-\xff]*)?")
_BARE = re.compile(rb"\n|\r(?!\Z)|\0")
