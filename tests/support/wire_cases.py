"""Requests as bytes: what every server of ours refuses, and what it serves.

`ONE` stands for a series of the case's own, `TWO` for that of the request behind it.
"""

from dataclasses import dataclass

from monotron.limits import BODY_BYTES, HEADER_BYTES, HEADERS, URL_BYTES

TARGET = b"/v1/series/ONE"
BODY = b'{"value":41}'
CODED = b"Transfer-Encoding: chunked"
CHUNKS = b"c\r\n" + BODY + b"\r\n0\r\n\r\n"
LENGTH = b"Content-Length: 12"

BEHIND = b"POST /v1/series/TWO HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
"""The request behind each case. It ends the connection too, so that the end always comes."""

LONG = 4 * HEADER_BYTES
"""A length that no line needs; what has no end ends here."""


@dataclass(frozen=True)
class Case:
    name: str
    data: bytes
    statuses: tuple[int, ...]
    """Of a refusal, each that is right. Of what is served, those of its answers, in order."""
    methods: tuple[str, ...] = ()
    """Those of its requests, where one is HEAD."""
    behind: bytes = BEHIND
    """What follows in the same bytes."""

    @property
    def sent(self) -> bytes:
        return self.data + self.behind


def request(
    *lines: bytes,
    method: bytes = b"POST",
    target: bytes = TARGET,
    version: bytes = b"HTTP/1.1",
    host: bytes = b"Host: x\r\n",
    body: bytes = b"",
) -> bytes:
    """Return a request with these header lines."""
    first = method + b" " + target + b" " + version + b"\r\n"
    return first + host + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def put(*lines: bytes, body: bytes = BODY, version: bytes = b"HTTP/1.1") -> bytes:
    """Return a request that needs its body."""
    return request(*lines, method=b"PUT", body=body, version=version)


def chunks(body: bytes, *lines: bytes) -> bytes:
    """Return a request with this body in chunks."""
    return put(CODED, *lines, body=body)


def first_line(line: bytes) -> bytes:
    """Return a request with this first line."""
    return line + b"\r\nHost: x\r\n\r\n"


def refused(name: str, data: bytes, *statuses: int, behind: bytes = BEHIND) -> Case:
    """Return a case that is answered with one of these statuses, or with 400."""
    return Case(name, data, statuses or (400,), behind=behind)


def served(name: str, data: bytes, *statuses: int, methods: tuple[str, ...] = ()) -> Case:
    """Return a case that is answered with these statuses in turn, or with 200."""
    return Case(name, data, statuses or (200,), methods)


def _length(name: str, value: bytes, *statuses: int) -> Case:
    return refused(name, put(b"Content-Length: " + value), *statuses)


LENGTHS = (
    refused("a length, then a coding", put(LENGTH, CODED, body=CHUNKS)),
    refused("a coding, then a length", put(CODED, LENGTH, body=CHUNKS)),
    refused("a length of 0 beside a coding", put(b"Content-Length: 0", CODED, body=CHUNKS)),
    refused("two lengths", put(LENGTH, b"Content-Length: 0")),
    refused("two lengths that are equal", put(LENGTH, LENGTH)),
    _length("two lengths in one line", b"12, 0"),
    _length("two equal lengths in one line", b"12, 12"),
    _length("a length with a plus", b"+12"),
    _length("a length with a minus", b"-12"),
    _length("a length of minus 0", b"-0"),
    _length("a length with a blank inside", b"1 2"),
    _length("a length with a tab inside", b"1\t2"),
    _length("a length with an underscore", b"1_2"),
    _length("a length with a point", b"12.0"),
    _length("a length with a semicolon", b"12;"),
    _length("a length with a form feed", b"12\x0c"),
    _length("a length in digits of another script", "١٢".encode()),
    _length("a length in hex", b"0xc"),
    _length("a length in hex digits alone", b"c"),
    _length("an empty length", b""),
    _length("a length of 5,000 digits", b"9" * 5_000, 400, 413),
    _length("a length of 2^64", b"%d" % 2**64, 400, 413),
    _length("a length of 2^64 and what the body has", b"%d" % (2**64 + 12), 400, 413),
    refused("a length with a blank before the colon", put(b"Content-Length : 12")),
)


def _coding(name: str, value: bytes, *statuses: int) -> Case:
    coding = b"Transfer-Encoding: " + value
    return refused(name, put(coding, body=CHUNKS), *(statuses or (400, 501)))


CODINGS = (
    _coding("an unknown coding", b"gzip"),
    _coding("an unknown coding before chunked", b"gzip, chunked"),
    _coding("an unknown coding after chunked", b"chunked, gzip"),
    _coding("chunked twice", b"chunked, chunked"),
    refused("chunked in two lines", put(CODED, CODED, body=CHUNKS), 400, 501),
    _coding("xchunked", b"xchunked"),
    _coding("chunkedx", b"chunkedx"),
    _coding("chunked with a parameter", b"chunked;x"),
    _coding("chunked in quotes", b'"chunked"'),
    _coding("chunked with a vertical tab", b"\x0bchunked"),
    _coding("chunked with a comma", b"chunked,"),
    _coding("identity", b"identity"),
    _coding("an empty coding", b""),
    refused(
        "a coding with a blank before the colon", put(b"Transfer-Encoding : chunked", body=CHUNKS)
    ),
    refused("a coding in HTTP/1.0", put(CODED, body=CHUNKS, version=b"HTTP/1.0")),
    refused(
        "a coding in HTTP/1.0 on a connection to keep",
        put(CODED, b"Connection: keep-alive", body=CHUNKS, version=b"HTTP/1.0"),
    ),
)


def _size(name: str, line: bytes, *statuses: int) -> Case:
    return refused(name, chunks(line + BODY + b"\r\n0\r\n\r\n"), *statuses)


def _trailer(name: str, trailer: bytes, *statuses: int) -> Case:
    return refused(name, chunks(b"c\r\n" + BODY + b"\r\n0\r\n" + trailer + b"\r\n"), *statuses)


CHUNK_SIZES = (
    _size("a chunk's size that ends with a line feed", b"c\n"),
    _size("a chunk's size that ends with a carriage return", b"c\r"),
    _size("a chunk's size with a blank before it", b" c\r\n"),
    _size("a chunk's size with a blank behind it", b"c \r\n"),
    _size("a chunk's size with a tab before it", b"\tc\r\n"),
    _size("a chunk's size with a minus", b"-c\r\n"),
    _size("a chunk's size with a plus", b"+c\r\n"),
    _size("a chunk's size with an underscore", b"0_c\r\n"),
    _size("a chunk's size with 0x", b"0xc\r\n"),
    _size("a chunk's size of 17 digits", b"0000000000000000c\r\n", 400, 413),
    _size("a chunk's size of 2^64 and what the chunk has", b"1000000000000000c\r\n", 400, 413),
    _size("a chunk's size that is no number", b"g\r\n"),
    _size("an empty chunk's size", b"\r\n"),
    _size("an extension without a size", b";c\r\n"),
    _size("an extension with a line feed", b"c;a\nb\r\n"),
    _size("an extension with a carriage return", b"c;a\rb\r\n"),
    _size("an extension with a NUL", b"c;a\0b\r\n"),
    _size("an endless extension", b"c;a=" + b"b" * LONG + b"\r\n", 400, 413, 431),
    refused("a chunk's size without an end", chunks(b"0" * LONG), 400, 413, 431),
    refused("a chunk that ends with nothing", chunks(b"c\r\n" + BODY + b"0\r\n\r\n")),
    refused("a chunk that ends with a line feed", chunks(b"c\r\n" + BODY + b"\n0\r\n\r\n")),
    refused("a chunk that is longer than its size", chunks(b"b\r\n" + BODY + b"\r\n0\r\n\r\n")),
    refused("a chunk that is shorter than its size", chunks(b"d\r\n" + BODY + b"\r\n0\r\n\r\n")),
    refused("a last chunk that ends with a line feed", chunks(b"c\r\n" + BODY + b"\r\n0\n\r\n")),
    _trailer("a trailer without a colon", b"trailer\r\n"),
    _trailer("a trailer with a blank before the colon", b"X : y\r\n"),
    _trailer("a trailer with a NUL", b"X: \0\r\n"),
    _trailer("a trailer that ends with a line feed", b"X: y\n"),
    _trailer("a trailer that is folded", b"X: y\r\n z\r\n"),
    _trailer("an endless trailer", b"X: " + b"y" * LONG + b"\r\n", 400, 413, 431),
    _trailer("too many trailers", b"X: y\r\n" * 4_000, 400, 413, 431),
)


def _line(name: str, line: bytes) -> Case:
    return refused(name, request(line))


LINES = (
    refused("line feeds alone", b"POST /v1/series/ONE HTTP/1.1\nHost: x\n\n"),
    refused(
        "a first line that ends with a line feed", b"POST /v1/series/ONE HTTP/1.1\nHost: x\r\n\r\n"
    ),
    refused("a header that ends with a line feed", request(b"X: y\nZ: z")),
    refused("headers that end with a line feed", b"POST /v1/series/ONE HTTP/1.1\r\nHost: x\r\n\n"),
    refused("a header that ends with a carriage return", request(b"X: y\rZ: z")),
    refused(
        "a first line that ends with a carriage return",
        b"POST /v1/series/ONE HTTP/1.1\rHost: x\r\n\r\n",
    ),
    refused("carriage returns alone", b"POST /v1/series/ONE HTTP/1.1\rHost: x\r\r"),
    _line("a NUL in a value", b"X: a\0b"),
    _line("a NUL in a name", b"X\0: y"),
    _line("a blank before the colon", b"X : y"),
    _line("a tab before the colon", b"X\t: y"),
    _line("a blank in a name", b"X Y: z"),
    _line("a header without a colon", b"X"),
    _line("a header without a name", b": x"),
    _line("a name in brackets", b"X(y): z"),
    _line("a name with a letter beyond ASCII", b"X\xe9: y"),
    _line("a name with a control character", b"X\x01: y"),
    _line("a value that is folded", b"X: y\r\n z"),
    _line("a value that is folded with a tab", b"X: y\r\n\tz"),
    _line("a length that is folded", b"Content-Length:\r\n 12"),
    refused("a first header that begins with a blank", request(b"X: y", host=b" Host: x\r\n")),
    refused("a line of blanks before the headers", request(host=b" \r\nHost: x\r\n")),
    *(
        _line(f"the control character {character:#04x} in a value", b"X: a%cb" % character)
        for character in (0x01, 0x08, 0x0B, 0x0C, 0x1B, 0x7F)
    ),
)


def _host(name: str, value: bytes) -> Case:
    return refused(name, request(host=b"Host: " + value + b"\r\n"))


HOSTS = (
    refused("no Host", request(host=b"")),
    refused("two Hosts", request(b"Host: y")),
    refused("two Hosts that are equal", request(b"Host: x")),
    refused("two Hosts in HTTP/1.0", request(b"Host: y", version=b"HTTP/1.0")),
    _host("two Hosts in one line", b"x, y"),
    _host("a Host with a blank", b"x y"),
    _host("a Host with a slash", b"x/y"),
    _host("a Host with a user", b"u@x"),
    _host("a Host with a query", b"x?y"),
    _host("a Host in angle brackets", b"<x>"),
    _host("a Host with a port that is no number", b"x:8a"),
    _host("a Host with two ports", b"x:80:80"),
    _host("a Host with half a bracket", b"[::1"),
    _host("a Host beyond ASCII", b"\xe9"),
)


def _version(name: str, version: bytes) -> Case:
    return refused(name, request(version=version), 400, 505)


VERSIONS = (
    refused("no version", first_line(b"POST /v1/series/ONE"), 400, 505),
    _version("the version 0.9", b"HTTP/0.9"),
    _version("the version 1.2", b"HTTP/1.2"),
    _version("the version 2.0", b"HTTP/2.0"),
    _version("the version 9.9", b"HTTP/9.9"),
    _version("the version 1.10", b"HTTP/1.10"),
    _version("the version 01.1", b"HTTP/01.1"),
    _version("the version 1.", b"HTTP/1."),
    _version("the version 2", b"HTTP/2"),
    _version("the version 1.1x", b"HTTP/1.1x"),
    _version("the version -1.1", b"HTTP/-1.1"),
    _version("a version in lower case", b"http/1.1"),
    _version("a version with a blank inside", b"HTTP/ 1.1"),
    _version("a version of another protocol", b"ICY/1.1"),
    refused("the beginning of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, 505),
)


def _target(name: str, target: bytes, *statuses: int) -> Case:
    return refused(name, request(target=target), *statuses)


TARGETS = (
    _target("a target without a slash", b"v1/series/ONE"),
    _target("an asterisk for a target", b"*"),
    _target("a target that is only a query", b"?x"),
    _target("a NUL in a target", b"/v1/series/ONE\0"),
    _target("the control character 0x01 in a target", b"/v1/series/ONE\x01"),
    _target("the control character 0x7f in a target", b"/v1/series/ONE\x7f"),
    _target("a tab in a target", b"/v1/series/ONE\tx"),
    _target("a blank in a target", b"/v1/series/ONE x"),
    _target("a carriage return in a target", b"/v1/series/ONE\rx"),
    refused("OPTIONS for an asterisk", request(method=b"OPTIONS", target=b"*")),
    refused("CONNECT", request(method=b"CONNECT", target=b"x:443"), 400, 405, 501),
    refused("CONNECT to a path", request(method=b"CONNECT"), 400, 405, 501),
    refused("a method that Falcon keeps for itself", request(method=b"WEBSOCKET"), 400, 405, 501),
    refused("a method with a bracket", request(method=b"PO(ST")),
    refused("a first line without a target", first_line(b"POST HTTP/1.1")),
    refused("a first line without anything else", first_line(b"POST")),
    refused("a first line with two blanks", first_line(b"POST  /v1/series/ONE HTTP/1.1")),
    refused("a version behind two blanks", first_line(b"POST /v1/series/ONE  HTTP/1.1")),
    refused("a first line with a tab", first_line(b"POST\t/v1/series/ONE HTTP/1.1")),
    refused("a version behind a tab", first_line(b"POST /v1/series/ONE\tHTTP/1.1")),
    refused("a first line with a blank at its end", first_line(b"POST /v1/series/ONE HTTP/1.1 ")),
    refused("a blank before the method", b" " + request()),
    refused("a tab before the method", b"\t" + request()),
    refused("a NUL before the method", b"\0" + request()),
    refused("a byte order mark before the method", b"\xef\xbb\xbf" + request()),
    refused("a word before the method", b"x " + request()),
)

CLIENT_HELLO = b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + b"Z" * 194
"""The beginning of a TLS handshake: the client waits for an answer before it sends any more."""

LIMITS = (
    refused("headers over the limit", request(b"X: " + b"y" * HEADER_BYTES), 431),
    refused("many headers over the limit", request(*[b"X: " + b"y" * 400] * 90), 431),
    refused("a header without an end", request()[:-2] + b"X: " + b"y" * LONG, 431, behind=b""),
    refused("too many headers", request(*[b"X: y"] * HEADERS), 431),
    _target("a target over the limit", b"/v1/series/ONE?" + b"x" * URL_BYTES, 414),
    _target("a target over the limit of headers", b"/" + b"x" * HEADER_BYTES, 414, 431),
    refused("a first line without an end", b"POST /" + b"x" * LONG, 414, 431, behind=b""),
    refused("a method without an end", b"P" * LONG, 400, 414, 431, behind=b""),
    refused("a length over the limit", put(b"Content-Length: %d" % (BODY_BYTES + 1)), 413),
    refused("a chunk over the limit", chunks(b"%x\r\n" % (BODY_BYTES + 1)), 413),
    refused(
        "chunks over the limit",
        chunks(b"%x\r\n" % BODY_BYTES + b" " * BODY_BYTES + b"\r\n1\r\n \r\n0\r\n\r\n"),
        413,
    ),
    refused(
        "a length over the limit that asks for 100",
        put(b"Content-Length: %d" % (BODY_BYTES + 1), b"Expect: 100-continue", body=b""),
        413,
    ),
    refused("a TLS handshake", CLIENT_HELLO, behind=b""),
    refused("bytes that are no request", b"\x00\x01\x02\x03\r\n\r\n"),
    refused("an answer", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
)

REFUSED = (
    *LENGTHS,
    *CODINGS,
    *CHUNK_SIZES,
    *LINES,
    *HOSTS,
    *VERSIONS,
    *TARGETS,
    *LIMITS,
)
"""Each is answered with a problem, ends the connection, and changes nothing."""

UNCHANGED = b"If-None-Match: *"

SERVED = (
    served("a call without a body", request()),
    served("a length of 0", request(b"Content-Length: 0")),
    served("a body with a length", put(LENGTH)),
    served("a length with zeros before it", put(b"Content-Length: 0012")),
    served("a length with blanks around it", put(b"Content-Length: \t 12 \t")),
    served("a length without a blank before it", put(b"Content-Length:12")),
    served("a length in lower case", put(b"content-length: 12")),
    served("a body in one chunk", chunks(CHUNKS)),
    served(
        "a body in many chunks",
        chunks(b"".join(b"1\r\n%c\r\n" % each for each in BODY) + b"0\r\n\r\n"),
    ),
    served("a chunk's size in upper case", chunks(CHUNKS.upper().replace(BODY.upper(), BODY))),
    served("a chunk's size with zeros before it", chunks(b"00" + CHUNKS)),
    served("a last chunk of many zeros", chunks(b"c\r\n" + BODY + b"\r\n000\r\n\r\n")),
    served("a chunk with an extension", chunks(b"c;a\r\n" + BODY + b"\r\n0;b=c\r\n\r\n")),
    served(
        "a chunk with an extension in quotes",
        chunks(b'c;a="b\\";"\r\n' + BODY + b"\r\n0\r\n\r\n"),
    ),
    served("a trailer", chunks(b"c\r\n" + BODY + b"\r\n0\r\nX: y\r\n\r\n", b"Trailer: X")),
    served("an empty body in chunks", request(CODED, body=b"0\r\n\r\n")),
    served("a coding in other letters", put(b"transfer-encoding: CHUNKED", body=CHUNKS)),
    served("a name with an underscore that looks like a length", request(b"Content_Length: 9")),
    served(
        "a name with an underscore that looks like a coding",
        request(b"Transfer_Encoding: chunked"),
    ),
    served("a request that asks for 100 and has no body", request(b"Expect: 100-continue")),
    served("a request that asks for 100 and sends its body", put(LENGTH, b"Expect: 100-continue")),
    served("two requests", request() * 2, 200, 200),
    served("a body, then a request", put(LENGTH) + request(), 200, 200),
    served("chunks, then a request", chunks(CHUNKS) + request(), 200, 200),
    served("an empty line before the request", b"\r\n" + request()),
    served("an empty line between requests", request() + b"\r\n" + request(), 200, 200),
    served("HEAD", request(method=b"HEAD", target=b"/livez"), methods=("HEAD",)),
    served("HEAD of nothing", request(method=b"HEAD"), 404, methods=("HEAD",)),
    served(
        "HEAD between others",
        request() + request(method=b"HEAD") + request(method=b"GET"),
        200,
        200,
        200,
        methods=("POST", "HEAD", "GET"),
    ),
    served(
        "a body that nobody reads",
        request(LENGTH, method=b"PUT", target=b"/nothing", body=BODY),
        404,
    ),
    served(
        "chunks that nobody reads",
        request(CODED, method=b"PUT", target=b"/nothing", body=CHUNKS),
        404,
    ),
    served("what is unchanged", request() + request(UNCHANGED, method=b"GET"), 200, 304),
    served("what is not found", request(method=b"GET"), 404),
    served("an absolute target", request(target=b"http://x/v1/series/ONE")),
    served("an absolute target with a port", request(target=b"http://x:80/v1/series/ONE")),
    served("an absolute target in upper case", request(target=b"HTTP://X/v1/series/ONE")),
    served("an absolute target of another host", request(target=b"http://y.z/v1/series/ONE")),
    served("a target with an encoded slash", request(target=b"/v1/series/ONE%2Fx")),
    served("a Host with a port", request(host=b"Host: x:8080\r\n")),
    served("a Host that is an IPv6 address", request(host=b"Host: [::1]:80\r\n")),
    served("an empty Host", request(host=b"Host:\r\n")),
    served("a value beyond ASCII", request(b"X: \xc3\xa9\xff")),
    served("a value with a tab", request(b"X: y\tz")),
    served("an empty value", request(b"X:")),
    served("a name of signs", request(b"!#$%&'*+-.^`|~9: y")),
    served("as many headers as may be", request(*[b"X: y"] * (HEADERS - 1))),
    served("headers close to the limit", request(b"X: " + b"y" * (HEADER_BYTES - 128))),
    served("a connection to keep", request(b"Connection: keep-alive")),
    served("a connection that is disclosed", request(b"Connection: disclose")),
    served(
        "an offer of HTTP/2",
        request(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMA"),
    ),
    served(
        "an offer of WebSocket",
        request(b"Connection: Upgrade", b"Upgrade: websocket", method=b"GET", target=b"/livez"),
    ),
    served(
        "HTTP/1.0 on a connection to keep",
        request(b"Connection: Keep-Alive", version=b"HTTP/1.0"),
    ),
    served(
        "a body by HTTP/1.0 on a connection to keep",
        put(LENGTH, b"Connection: keep-alive", version=b"HTTP/1.0"),
    ),
)
"""Each is answered, and so is the request behind it."""

ENDING = (
    served("Connection: close", request(b"Connection: close")),
    served("Connection: Close", request(b"Connection: Close")),
    served("Connection: TE, close", request(b"Connection: TE, close")),
    served("Connection: close, TE", request(b"Connection: close, TE")),
    served("Connection: keep-alive, close", request(b"Connection: keep-alive, close")),
    served(
        "Connection: close in a second line",
        request(b"Connection: keep-alive", b"Connection: close"),
    ),
    served("close after a body", put(LENGTH, b"Connection: close")),
    served("close after chunks", chunks(CHUNKS, b"Connection: close")),
    served("HTTP/1.0", request(version=b"HTTP/1.0")),
    served("HTTP/1.0 without a Host", request(version=b"HTTP/1.0", host=b"")),
    served("HTTP/1.0 with a body", put(LENGTH, version=b"HTTP/1.0")),
    served(
        "HTTP/1.0 with keep-alive, close",
        request(b"Connection: keep-alive, close", version=b"HTTP/1.0"),
    ),
)
"""Each is answered and ends the connection; the request behind it is not looked at."""
