"""The head of a request: its first line and its headers.

llhttp, which splits the headers, accepts much that is not HTTP. What two programs on the way of a
request understand differently lets a client smuggle one request inside another (RFC 9112, section
11.2), and a smuggled request takes a number. So the bytes are checked first, by the grammar.

A client sends the same headers again and again. So the last ones are remembered as they were
understood: five headers take 0.1 µs then, instead of 6.4. Credentials are among them, and stay in
the memory of this process.
"""

import functools
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

import httptools

from monotron.limits import BODY_BYTES, HEADER_BYTES, HEADERS, URL_BYTES
from monotron.server.loop.refusal import Refusal

END = b"\r\n\r\n"

REMEMBERED = 1_024
"""How many different first lines and blocks of headers are remembered."""

REMEMBERED_BYTES = 1_024
"""The longest that is remembered."""


class RequestLine(NamedTuple):
    """The first line of a request."""

    method: str
    target: str
    """As the client sent it; other bytes than ASCII as Latin-1 text (PEP 3333)."""
    is_1_1: bool
    """Whether it is HTTP/1.1 and not 1.0."""


@dataclass(frozen=True, slots=True)
class Headers:
    """What the headers of a request say."""

    environ: dict[str, str]
    """As WSGI's environ has them."""
    length: int | None
    """The announced length of the body, in bytes; None if none is announced."""
    chunked: bool
    """Whether the body comes in chunks."""
    close: bool
    """Whether the client asks to close the connection after the answer."""
    keep_alive: bool
    """Whether the client asks to keep the connection."""
    expects_continue: bool
    """Whether the client waits for a 100 before it sends the body."""
    hosts: int
    """How many Host headers there are."""
    is_bare: bool
    """Whether there is one host and no body, as with most requests."""


def request_line(line: bytes) -> RequestLine:
    """Read the first line, without its end; raises `Refusal`."""
    return _read_line(line) if len(line) > REMEMBERED_BYTES else _remembered_line(line)


def _read_line(line: bytes) -> RequestLine:
    match = _LINE.fullmatch(line)
    if match is None:
        raise _refused_line(line)
    method, target, version = match.groups()
    if version not in (b"1.1", b"1.0"):
        raise Refusal(505, "only HTTP/1.1 and HTTP/1.0 are spoken here")
    if method in _NOT_METHODS:
        raise Refusal(400, f"{_text(method)} has no meaning here")
    if len(target) > URL_BYTES:
        raise Refusal(414, f"a URL can have at most {URL_BYTES} bytes; this one has {len(target)}")
    return RequestLine(_text(method), _text(target), version == b"1.1")


def as_sent(data: bytes | bytearray) -> RequestLine:
    """Return the first line of a request that is refused, for the log, as far as it is one."""
    words = _text(bytes(data.partition(b"\r\n")[0])).split(" ")
    method, target = words[:2] if len(words) > 1 else ("", "")
    return RequestLine(method, target, True)


def headers(block: bytes) -> Headers:
    """Read the header lines, each with its end; raises `Refusal`."""
    if len(block) > REMEMBERED_BYTES:
        return _read(block)
    return _remembered(block)


def check_framing(line: RequestLine, found: Headers) -> None:
    """Raise `Refusal` if it is unclear where the body ends, or which host is meant."""
    if found.chunked:
        if found.length is not None:
            raise Refusal(400, "a request cannot have both a length and a transfer coding")
        if not line.is_1_1:
            raise Refusal(400, "HTTP/1.0 has no transfer coding")
    elif found.length is not None and found.length > BODY_BYTES:
        raise Refusal(413, BODY_TOO_LARGE)
    # RFC 9112, section 3.2.
    if found.hosts != 1 and (line.is_1_1 or found.hosts):
        raise Refusal(400, "a request must have one Host header")


def check_incomplete(data: bytes, checked: int) -> None:
    """Raise `Refusal` if these bytes, of which `checked` were good, cannot begin a head."""
    if len(data) > HEADER_BYTES:
        raise Refusal(431, HEADERS_TOO_LARGE)
    end = data.find(b"\r\n")
    if end < 0:
        if not _LINE_BEGUN.fullmatch(data):
            raise _refused_line(data)
    elif checked <= end:
        request_line(data[:end])
    if _NOT_IN_HEAD.search(data, max(0, checked - 1)):
        raise Refusal(400, "a line of the head must end with CR and LF, and cannot have a NUL")


BODY_TOO_LARGE = f"a body can have at most {BODY_BYTES} bytes"
HEADERS_TOO_LARGE = f"the headers can have at most {HEADER_BYTES} bytes in total"

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"

# What percent-encodes nothing sends other bytes than ASCII too. A `#` would begin a fragment,
# which no request has; braces may stand around a UUID.
_HOST_BYTES = rb"(?:[A-Za-z0-9._~!$&'()*+,;=%@:-]+|\[[0-9A-Fa-f:.]+\](?::[0-9]*)?)"
_TARGET = rb"(?:/|[A-Za-z][A-Za-z0-9+.-]*://" + _HOST_BYTES + rb"(?=[/? ]))[!\"$-~\x80-\xff]*"

_LINE = re.compile(rb"(" + _TOKEN + rb") (" + _TARGET + rb") HTTP/([0-9]\.[0-9])")
_LINE_BEGUN = re.compile(rb"(?:" + _TOKEN + rb"(?: (?:[!-~\x80-\xff]*(?: [HTTP/0-9.]*\r?)?)?)?)?")
_NOT_IN_HEAD = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|\0")

FIELD = re.compile(_TOKEN + rb":[\t !-~\x80-\xff]*\r\n")
"""A header line with its end (RFC 9110, section 5.5). Its value may have other bytes than ASCII."""
_HEADERS = re.compile(rb"(?:" + FIELD.pattern + rb")*")
_HOST = re.compile(
    r"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+(?:%25[A-Za-z0-9._~-]+)?\])(?::[0-9]*)?"
)
_LENGTH = re.compile(r"[0-9]{1,19}")


class _Fields:
    """Collects the headers as llhttp splits them."""

    def __init__(self) -> None:
        self.fields: list[tuple[str, str]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.decode("ascii").upper(), value.decode("latin-1").strip(" \t")))


def _read(block: bytes) -> Headers:
    if not _HEADERS.fullmatch(block):
        raise _refused_header(block)
    collected = _Fields()
    parser: Any = httptools.HttpRequestParser(collected)
    try:
        parser.feed_data(b"GET / HTTP/1.1\r\n" + block + b"\r\n")
    except httptools.HttpParserUpgrade:
        # A client may offer another protocol; it is not taken up (RFC 9110, section 7.8).
        pass
    except httptools.HttpParserError as error:
        # What is wrong with a length or a coding has a message of its own.
        _understood(collected.fields)
        raise Refusal(400, f"the headers are not valid HTTP: {error}") from error
    fields = collected.fields
    if len(fields) > HEADERS:
        raise Refusal(431, f"a request can have at most {HEADERS} headers")
    return _understood(fields)


_remembered_line = functools.lru_cache(REMEMBERED)(_read_line)
_remembered = functools.lru_cache(REMEMBERED)(_read)


def _understood(fields: list[tuple[str, str]]) -> Headers:
    environ: dict[str, str] = {}
    for name, value in fields:
        # In environ, a name with an underscore looks like another one with a hyphen.
        if "_" in name:
            continue
        key = name.replace("-", "_")
        if key not in _WITHOUT_PREFIX:
            key = f"HTTP_{key}"
        environ[key] = f"{environ[key]}, {value}" if key in environ else value
    length = _length([value for name, value in fields if name == "CONTENT-LENGTH"])
    chunked = _is_chunked([value for name, value in fields if name == "TRANSFER-ENCODING"])
    hosts = [name for name, _ in fields].count("HOST")
    connection = _options(environ.get("HTTP_CONNECTION", ""))
    if "HTTP_HOST" in environ and not _HOST.fullmatch(environ["HTTP_HOST"]):
        raise Refusal(400, "the Host header is not a host")
    return Headers(
        environ,
        length,
        chunked,
        "close" in connection,
        "keep-alive" in connection,
        "100-continue" in _options(environ.get("HTTP_EXPECT", "")),
        hosts,
        hosts == 1 and not length and not chunked,
    )


def _length(values: list[str]) -> int | None:
    if not values:
        return None
    if len(values) > 1 or not _LENGTH.fullmatch(values[0]):
        raise Refusal(400, "the Content-Length header must be one whole number")
    return int(values[0])


def _is_chunked(values: list[str]) -> bool:
    if not values:
        return False
    if len(values) > 1 or values[0].lower() != "chunked":
        raise Refusal(501, "the only transfer coding here is chunked")
    return True


def _options(value: str) -> set[str]:
    return {option.strip().lower() for option in value.split(",")} if value else set()


def _refused_line(line: bytes) -> Refusal:
    words = line.split(b" ")
    if len(words) == 3 and _VERSION.fullmatch(words[2]) and re.fullmatch(_TOKEN, words[0]):
        return Refusal(400, "the target of a request must be a path, which begins with /")
    return Refusal(400, "the first line is not that of an HTTP request")


def _refused_header(block: bytes) -> Refusal:
    for line in block.split(b"\r\n"):
        if line and not FIELD.fullmatch(line + b"\r\n"):
            shown = line[:40].decode("latin-1")
            return Refusal(400, f"the header line {shown!r} is not valid HTTP")
    return Refusal(400, "the headers are not valid HTTP")


def _text(word: bytes) -> str:
    return word.decode("latin-1")


# A tunnel (RFC 9110, section 9.3.6), after which no request follows; and a word that is no method,
# but for which Falcon has a handler.
_NOT_METHODS = frozenset({b"CONNECT", b"WEBSOCKET"})

_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]")
_WITHOUT_PREFIX = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})
