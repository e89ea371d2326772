"""Answers: what the application returns, and its bytes on the wire."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from monotron.http.problems import PROBLEM_JSON, RETRY_SECONDS, problem
from monotron.http.request_id import HEADER
from monotron.server.loop.refusal import Refusal
from monotron.server.service import WsgiApp

SPLIT_BYTES = 65_536
"""From this size on, a body is not copied to join its head."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: str
    """The code and the phrase, such as `200 OK`."""
    headers: Sequence[tuple[str, str]]
    body: bytes


def of_app(app: WsgiApp, environ: dict[str, Any]) -> Answer:
    """Return the application's answer; raises what it raises.

    Raises `ValueError` for a header that would end early, and begin another one.
    """
    started: list[Any] = []

    # Annotations that are not strings would be evaluated at each request.
    def start_response(
        status: str, headers: "list[tuple[str, str]]", exc_info: object = None
    ) -> "Callable[[bytes], None]":
        started[:] = (status, headers)
        return written.append

    written: list[bytes] = []
    result = app(environ, start_response)
    try:
        written.extend(result)
    finally:
        if hasattr(result, "close"):
            result.close()
    status, headers = started
    text = "".join([name + value for name, value in headers])
    if "\n" in text or "\r" in text:
        raise ValueError("a header of the answer has a line break")
    # PEP 3333.
    text.encode("latin-1")
    return Answer(status, headers, written[0] if len(written) == 1 else b"".join(written))


def of_refusal(refusal: Refusal, request_id: str) -> Answer:
    """Return the answer to a request that does not reach the application."""
    return _of_problem(refusal.status, str(refusal), request_id, retry=refusal.retry)


def of_failure(request_id: str) -> Answer:
    """Return the answer if the application failed in a way that it does not handle itself."""
    return _of_problem(500, "monotron failed on this request; its log says why", request_id)


def encoded(answer: Answer, date: str, *, connection: str | None, has_body: bool) -> list[bytes]:
    """Return the bytes of an answer, in one piece or two.

    `connection` is the value of the Connection header, if it has one; `has_body` is off for HEAD.
    """
    status, body = answer.status, answer.body
    lines = [f"HTTP/1.1 {status}", date]
    has_length = False
    for name, value in answer.headers:
        name = _as_usual(name)
        lines.append(f"{name}: {value}")
        if name == "Content-Length":
            has_length = True
    if not has_length and status[:3] not in _WITHOUT_BODY:
        lines.append(f"Content-Length: {len(body)}")
    if connection is not None:
        lines.append(f"Connection: {connection}")
    lines.append("\r\n")
    head = "\r\n".join(lines).encode("latin-1")
    if not has_body or status[:3] in _WITHOUT_BODY:
        return [head]
    return [head, body] if len(body) >= SPLIT_BYTES else [head + body]


def _of_problem(status: int, detail: str, request_id: str, *, retry: bool = False) -> Answer:
    headers = [("Content-Type", PROBLEM_JSON), (HEADER, request_id)]
    if retry:
        headers.append(("Retry-After", str(RETRY_SECONDS)))
    return Answer(f"{status} {HTTPStatus(status).phrase}", headers, problem(status, "", detail))


@functools.cache
def _as_usual(name: str) -> str:
    """Return a header's name as people write it; programs must not care (RFC 9110, section 5.1)."""
    return name.title()


# RFC 9110, section 8.6.
_WITHOUT_BODY = frozenset({"204", "304"})
