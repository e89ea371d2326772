"""HTTP/1.1 byte by byte: what is served, what is refused, and that nothing hides behind a refusal.

Every server of ours goes through the same cases.
"""

import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monotron.limits import BODY_BYTES
from tests.support.service import Answer, Service, services
from tests.support.wire import (
    CONTINUE,
    exchange,
    fresh_names,
    received,
    split_answers,
)
from tests.support.wire_cases import (
    BODY,
    CHUNKS,
    CODED,
    ENDING,
    LENGTH,
    REFUSED,
    SERVED,
    UNCHANGED,
    Case,
    chunks,
    put,
    request,
)

SERVERS = ("loop", "waitress")
"""Every server of ours, as `--server` has it."""


@dataclass(frozen=True)
class Different:
    """What waitress does instead."""

    line: str
    """Where docs/server.md says so: the first cell of a row."""
    statuses: tuple[int, ...]
    """Its answers, including that to the request behind the case."""
    waits: bool = False
    """Whether it then waits for more."""


def _different(
    line: str, statuses: tuple[int, ...], *names: str, waits: bool = False
) -> dict[str, Different]:
    return {name: Different(line, statuses, waits) for name in names}


BOTH = (200, 200)

DIFFERENT_ON_WAITRESS = {
    **_different(
        "a length beside a coding",
        BOTH,
        "a length, then a coding",
        "a coding, then a length",
        "a length of 0 beside a coding",
    ),
    **_different(
        "`chunked` twice",
        BOTH,
        "chunked twice",
        "chunked in two lines",
        "chunked with a comma",
    ),
    **_different("an empty coding", (400, 400), "an empty coding"),
    **_different(
        "a coding in HTTP/1.0", (400, 400), "a coding in HTTP/1.0 on a connection to keep"
    ),
    **_different("a length of 5,000 digits", (), "a length of 5,000 digits"),
    **_different(
        "chunk sizes, extensions and trailers",
        BOTH,
        "a chunk's size of 17 digits",
        "an endless extension",
        "a trailer without a colon",
        "a trailer with a blank before the colon",
        "a trailer with a NUL",
        "a trailer that is folded",
        "an endless trailer",
        "too many trailers",
    ),
    **_different(
        "chunk sizes, extensions and trailers",
        (200,),
        "a last chunk that ends with a line feed",
        "a trailer that ends with a line feed",
        waits=True,
    ),
    **_different(
        "a chunk's size over the limit",
        (),
        "a chunk's size of 2^64 and what the chunk has",
        "a chunk over the limit",
        waits=True,
    ),
    **_different(
        "folded headers", BOTH, "a value that is folded", "a value that is folded with a tab"
    ),
    **_different("folded headers", (400, 400), "a length that is folded"),
    **_different(
        "the Host",
        BOTH,
        "no Host",
        "two Hosts",
        "two Hosts that are equal",
        "two Hosts in one line",
        "a Host with a blank",
        "a Host with a slash",
        "a Host with a user",
        "a Host with a query",
        "a Host in angle brackets",
        "a Host with a port that is no number",
        "a Host with two ports",
        "a Host with half a bracket",
        "a Host beyond ASCII",
    ),
    **_different("the Host", (200,), "two Hosts in HTTP/1.0"),
    **_different(
        "unknown versions",
        (200,),
        "no version",
        "the version 0.9",
        "the version 1.2",
        "the version 2.0",
        "the version 9.9",
    ),
    **_different(
        "targets",
        (400, 200),
        "a target without a slash",
        "an asterisk for a target",
        "a NUL in a target",
        "the control character 0x01 in a target",
        "the control character 0x7f in a target",
        "a tab in a target",
        "OPTIONS for an asterisk",
        "CONNECT",
    ),
    **_different("targets", (405, 200), "a target that is only a query", "CONNECT to a path"),
    **_different("targets", (414, 200), "a target over the limit"),
    **_different(
        "a method that Falcon keeps for itself",
        (500, 200),
        "a method that Falcon keeps for itself",
    ),
    **_different(
        "blanks around the first line",
        BOTH,
        "a first line with a blank at its end",
        "a blank before the method",
        "a tab before the method",
    ),
    **_different("the number of headers", BOTH, "too many headers"),
    **_different(
        "`Expect: 100-continue`",
        (),
        "a length over the limit that asks for 100",
        waits=True,
    ),
    **_different("`Expect: 100-continue`", (200,), "a request that asks for 100 and has no body"),
    **_different("a TLS handshake", (), "a TLS handshake", waits=True),
    **_different("304", (200, 304), "what is unchanged"),
    **_different(
        "`Connection` with several words",
        BOTH,
        "Connection: TE, close",
        "Connection: close, TE",
        "Connection: keep-alive, close",
        "Connection: close in a second line",
    ),
}
"""A difference that has gone makes its test fail, so that it is taken out here and in the docs."""


@dataclass(frozen=True)
class Wire:
    """A running service, and which server it has."""

    server: str
    service: Service

    def difference(self, case: Case) -> Different | None:
        return DIFFERENT_ON_WAITRESS.get(case.name) if self.server == "waitress" else None

    def try_out(self, case: Case, pieces: Sequence[slice] = (slice(None),)) -> list[Answer]:
        """Check what comes back for a case in these pieces; return it without interim answers."""
        data, (one, two) = fresh_names(case.sent)
        different = self.difference(case)
        half_close = different is not None and different.waits
        raw = exchange(self.service, [data[piece] for piece in pieces], half_close=half_close)
        answers = split_answers(raw, case.methods)
        if different is not None:
            answers = [answer for answer in answers if answer.status != 100]
            assert tuple(answer.status for answer in answers) == different.statuses
        elif case in REFUSED:
            assert len(answers) == 1, answers
            self.assert_refused(answers[0], case)
            assert not self.exists(one)
            assert not self.exists(two)
        else:
            answers = [answer for answer in answers if answer.status != 100]
            behind = () if case in ENDING else (200,)
            assert tuple(answer.status for answer in answers) == case.statuses + behind
            assert self.exists(two) == (case not in ENDING)
        return answers

    def assert_refused(self, refusal: Answer, case: Case) -> None:
        """Check that an answer refuses the case, and says that the connection ends."""
        assert refusal.status in case.statuses
        assert refusal.headers["Connection"] == "close"
        # waitress has its own words for what it refuses before the app.
        if self.server != "waitress":
            refusal.assert_problem(refusal.status)
            assert refusal.headers["X-Request-ID"]

    def exists(self, key: str) -> bool:
        """Return whether the series has been advanced."""
        return self.service.get(f"/v1/series/{key}").status == 200


@pytest.fixture(scope="module", params=SERVERS)
def wire(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Wire]:
    """A service with each server in turn, one for the whole module."""
    with services(tmp_path_factory.mktemp(request.param)) as start:
        yield Wire(request.param, start("--server", request.param))


def each(cases: Sequence[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name.replace(" ", "_"))


SMALL = [case for case in (*REFUSED, *SERVED, *ENDING) if len(case.sent) < 500]
"""The cases that are sent byte by byte."""


@each(REFUSED)
def test_what_is_not_clear_is_refused_and_nothing_of_it_or_behind_it_is_done(
    wire: Wire, case: Case
) -> None:
    wire.try_out(case)


@each(SERVED)
def test_what_is_clear_is_served_and_so_is_the_request_behind_it(wire: Wire, case: Case) -> None:
    wire.try_out(case)


@each(ENDING)
def test_a_connection_that_ends_says_so_and_nothing_behind_that_is_done(
    wire: Wire, case: Case
) -> None:
    *_, last = wire.try_out(case)
    assert last.headers["Connection"] == "close"


@each(SMALL)
def test_bytes_that_come_one_by_one_mean_the_same(wire: Wire, case: Case) -> None:
    if wire.difference(case) is None:
        wire.try_out(case, [slice(at, at + 1) for at in range(len(case.sent))])


@pytest.mark.long
@each(SMALL)
def test_bytes_that_are_cut_anywhere_mean_the_same(wire: Wire, case: Case) -> None:
    for at in range(1, len(case.data) + 1) if wire.difference(case) is None else ():
        wire.try_out(case, [slice(at), slice(at, None)])


@each(REFUSED)
def test_a_refusal_does_not_overtake_the_answers_before_it(wire: Wire, case: Case) -> None:
    if wire.difference(case) is not None:
        return
    before, (key, _) = fresh_names(request() * 3)
    data, _ = fresh_names(case.sent)
    answers = split_answers(exchange(wire.service, [before + data]))
    assert len(answers) == 4, answers
    *answers, refusal = answers
    assert [answer.value for answer in answers] == [1, 2, 3]
    wire.assert_refused(refusal, case)
    assert wire.service.get(f"/v1/series/{key}").value == 3


def test_a_refusal_is_a_problem_with_a_request_id_though_no_app_has_seen_it(wire: Wire) -> None:
    (answer,) = split_answers(exchange(wire.service, [request(b"X : y")]))
    if wire.server == "waitress":
        assert answer.headers.get_content_type() == "text/plain"
        assert "X-Request-ID" not in answer.headers
    else:
        answer.assert_problem(400)
        assert answer.headers["X-Request-ID"]


def test_every_difference_is_one_of_a_case() -> None:
    assert set(DIFFERENT_ON_WAITRESS) <= {case.name for case in (*REFUSED, *SERVED, *ENDING)}


def test_no_two_cases_have_the_same_name_or_the_same_bytes() -> None:
    cases = (*REFUSED, *SERVED, *ENDING)
    assert len({case.name for case in cases}) == len({case.sent for case in cases}) == len(cases)


# Requests sent ahead

PIPELINE = (
    request()
    + put(LENGTH)
    + chunks(b"5;a\r\n" + BODY[:5] + b"\r\n7\r\n" + BODY[5:] + b"\r\n0\r\nX: y\r\n\r\n")
    + request(method=b"HEAD")
    + request(UNCHANGED, method=b"GET", target=b"/v1/series/TWO")
    + request(CODED, body=b"0\r\n\r\n")
    + request(target=b"http://x/v1/series/ONE?count=3")
    + request(method=b"GET", target=b"/nothing")
    + request(method=b"GET")
    + request(b"Connection: close")
)


@settings(max_examples=60)
@given(cuts=st.sets(st.integers(1, len(PIPELINE) - 1), max_size=12))
def test_requests_sent_ahead_get_their_answers_in_order_however_they_are_cut(
    wire: Wire, cuts: set[int]
) -> None:
    data, _ = fresh_names(PIPELINE)
    pieces = [data[start:end] for start, end in pairwise([0, *sorted(cuts), len(data)])]
    methods = ("POST", "PUT", "PUT", "HEAD", "GET", "POST", "POST", "GET", "GET", "POST")
    answers = split_answers(exchange(wire.service, pieces), methods)
    assert [answer.status for answer in answers] == [200] * 4 + [404] + [200] * 2 + [404] + [
        200
    ] * 2
    numbers = [answer.value for answer in answers if answer.status == 200 and answer.body]
    assert numbers == [1, 41, 41, 42, 45, 45, 46]


# 100 Continue

EXPECT = b"Expect: 100-continue"


def receive(connection: socket.socket, size: int) -> bytes:
    """Return that many bytes, or fewer if the connection ends."""
    parts = b""
    while len(parts) < size and (part := connection.recv(size - len(parts))):
        parts += part
    return parts


@pytest.mark.parametrize(
    ("line", "body"), [(LENGTH, BODY), (CODED, CHUNKS)], ids=["length", "chunks"]
)
def test_who_waits_for_100_before_the_body_gets_it(wire: Wire, line: bytes, body: bytes) -> None:
    head, _ = fresh_names(put(line, EXPECT, b"Connection: close", body=b""))
    with wire.service.socket() as connection:
        connection.sendall(head)
        assert receive(connection, len(CONTINUE)) == CONTINUE
        connection.sendall(body)
        (answer,) = split_answers(received(connection))
    assert answer.value == 41


def test_100_comes_after_the_answers_before_it(wire: Wire) -> None:
    ahead, _ = fresh_names(request() * 2 + put(LENGTH, EXPECT, b"Connection: close", body=b""))
    with wire.service.socket() as connection:
        connection.sendall(ahead)
        raw = b""
        while not raw.endswith(CONTINUE):
            raw += receive(connection, 1) or pytest.fail(f"the connection ended: {raw!r}")
        assert [answer.status for answer in split_answers(raw)] == [200, 200, 100]
        connection.sendall(BODY)
        (answer,) = split_answers(received(connection))
    assert answer.value == 41


def test_http_1_0_knows_no_100(wire: Wire) -> None:
    head, _ = fresh_names(put(LENGTH, EXPECT, version=b"HTTP/1.0", body=b""))
    (answer,) = split_answers(exchange(wire.service, [head, BODY]))
    assert answer.value == 41


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(wire: Wire) -> None:
    if wire.server == "waitress":
        return
    head = put(b"Content-Length: %d" % (BODY_BYTES + 1), EXPECT, body=b"")
    (answer,) = split_answers(exchange(wire.service, [head]))
    answer.assert_problem(413)


# Clients that send no more

HALF_CLOSED = {
    "one": request(),
    "three": request() * 3,
    "body": put(LENGTH),
    "chunks": chunks(CHUNKS),
    "http_1_0": request(version=b"HTTP/1.0"),
}


@pytest.mark.parametrize("data", HALF_CLOSED.values(), ids=HALF_CLOSED)
def test_who_sends_no_more_gets_every_answer(wire: Wire, data: bytes) -> None:
    named, (key, _) = fresh_names(data)
    with wire.service.socket() as connection:
        connection.sendall(named)
        connection.shutdown(socket.SHUT_WR)
        answers = split_answers(received(connection))
    assert [answer.status for answer in answers] == [200] * data.count(b"HTTP/1.")
    assert answers[-1].value == wire.service.get(f"/v1/series/{key}").value


@pytest.mark.parametrize(
    "data",
    [request()[:9], request()[:-2], put(LENGTH)[:-1], chunks(CHUNKS)[:-2], chunks(CHUNKS)[:-12]],
    ids=["first_line", "headers", "body", "trailers", "chunk"],
)
def test_half_a_request_is_not_done(wire: Wire, data: bytes) -> None:
    named, (key, _) = fresh_names(data)
    answers = split_answers(exchange(wire.service, [named], half_close=True))
    assert {answer.status for answer in answers} <= {400}
    assert not wire.exists(key)


# What a request means


def test_http_1_0_is_told_that_its_connection_is_kept(wire: Wire) -> None:
    kept, _ = fresh_names(request(b"Connection: keep-alive", version=b"HTTP/1.0"))
    first, last = split_answers(exchange(wire.service, [kept + request(version=b"HTTP/1.0")]))
    assert first.headers["Connection"].lower() == "keep-alive"
    assert last.headers["Connection"] == "close"


def test_head_is_answered_like_get_without_the_body(wire: Wire) -> None:
    get, _ = fresh_names(request() + request(method=b"GET"))
    head = get.replace(b"GET", b"HEAD") + request(b"Connection: close")
    _, got, _ = split_answers(exchange(wire.service, [get + request(b"Connection: close")]))
    _, headed, _ = split_answers(exchange(wire.service, [head]), ["POST", "HEAD"])
    assert headed.body == b""
    assert headed.headers["Content-Length"] == str(len(got.body))
    assert headed.headers["Content-Type"] == got.headers["Content-Type"]


def test_the_refusal_of_a_head_has_no_body(wire: Wire) -> None:
    raw = exchange(wire.service, [request(b"X : y", method=b"HEAD")])
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head.split()[1] == b"400"
    assert bool(body) == (wire.server == "waitress")


def test_an_absolute_target_names_the_same_series(wire: Wire) -> None:
    data, _ = fresh_names(
        request() + request(b"Connection: close", target=b"HTTP://a.b/v1/series/ONE")
    )
    assert [answer.value for answer in split_answers(exchange(wire.service, [data]))] == [1, 2]


def test_an_encoded_slash_is_part_of_a_name(wire: Wire) -> None:
    data, (key, _) = fresh_names(request(b"Connection: close", target=b"/v1/series/ONE%2Fx"))
    (answer,) = split_answers(exchange(wire.service, [data]))
    assert answer.json["key"] == f"{key}/x"


def test_a_trailer_is_no_header(wire: Wire) -> None:
    trailers = (
        b"X-Request-ID: from-a-trailer\r\n"
        b"Accept: text/plain\r\n"
        b"Connection: close\r\n"
        b"Content-Length: 5\r\n"
        b"Transfer-Encoding: gzip\r\n"
        b"If-Match: no\r\n"
    )
    ahead = chunks(b"c\r\n" + BODY + b"\r\n0\r\n" + trailers + b"\r\n", b"X-Request-ID: first")
    data, _ = fresh_names(ahead + request(b"Connection: close"))
    first, second = split_answers(exchange(wire.service, [data]))
    assert (first.value, first.headers["X-Request-ID"]) == (41, "first")
    assert (second.value, second.headers["X-Request-ID"] == "from-a-trailer") == (42, False)


def test_a_body_in_pieces_arrives_whole(wire: Wire) -> None:
    text = bytes(range(32, 127)) * 600
    in_chunks = b"".join(
        b"%x;n=%d\r\n%s\r\n" % (len(part), at, part)
        for at in range(0, len(text), 1_000)
        for part in [text[at : at + 1_000]]
    )
    target = b"/v1/tokens/ONE/t/attrs/a"
    data, _ = fresh_names(
        request(CODED, method=b"PUT", target=target, body=in_chunks + b"0\r\n\r\n")
        + request(method=b"GET", target=target)
        + request(b"Connection: close")
    )
    answers = split_answers(exchange(wire.service, [data[:500], data[500:30_000], data[30_000:]]))
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert answers[1].body == text
