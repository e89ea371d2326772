"""The API as a client sees it, without a socket."""

import json
import re
import warnings
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from monotron.api.openapi.document import document
from monotron.app import ROUTES
from tests.support.service import wait_until

with warnings.catch_warnings():
    # WebOb imports cgi, and Python 3.11 and 3.12 warn of its end.
    warnings.simplefilter("ignore", DeprecationWarning)
    import webtest

TITLES = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}
"""RFC 9110 names these differently from Python before 3.13."""

UUID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
LAST_VALUE = 9223372036854775807

REQUEST_ID = "of-a-test"
"""The `X-Request-ID` that `Api` sends unless the test sends another one."""

JSON = "application/json"
PLAIN = "text/plain; charset=utf-8"
AS_TEXT = {"Accept": "text/plain"}

PREFER_TEXT = [
    "text/plain",
    "Text/Plain",
    "text/plain; charset=utf-8",
    "text/*",
    "text/plain, application/json;q=0.9",
    "application/json;q=0.1, text/plain;q=0.2",
    "text/html, text/plain",
    "text/plain, */*;q=0.1",
]
"""The `Accept` headers of clients that get a bare number or version."""

PREFER_JSON = [
    None,
    "*/*",
    "application/json",
    "application/*",
    "text/plain;q=0",
    "text/plain;q=0.5, application/json",
    "text/plain;q=abc",
    "text/plain;q=0.2, */*",
    "text/html,application/xhtml+xml,*/*;q=0.8",
    "image/png",
    "not a media type",
    "text/",
]
"""What everybody else sends."""

NAMES = [
    "svc",
    "feature/login",
    "/",
    "//",
    "...",
    "..a",
    "a b",
    "a+b",
    "100%",
    "%2F",
    "a?b#c",
    "a;b=c&d",
    '"quoted"',
    "back\\slash",
    "Müller",
    "版本",
    "😀",
    "a" * 256,
    "é" * 128,
]
"""Names that get damaged if somebody decodes once too often, or not often enough."""


REFUSED_NAMES = {
    "folded away": "..",
    "folded away, too": ".",
    "byte order mark": "\ufeffshop",
    "zero width space": "shop\u200b",
    "word joiner": "sh\u2060op",
    **{
        f"U+{code:04X}": f"a{chr(code)}b"
        for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
    },
}
"""Names that are no longer allowed, but that an older store may have."""


def routes() -> dict[str, set[str]]:
    """Return each path that is answered, as people write it, and its methods."""
    return {route.path: set(route.methods) for route in ROUTES}


def filled(path: str) -> str:
    """Return a path of the table with something in each of its fields."""
    fields = {"account_id": "1", "uuid": UUID, "part": "major", "file": "index.html"}
    return re.sub(r"{(\w+)}", lambda field: fields.get(field[1], "svc"), path)


def described(*, authentication: bool, public_badges: bool = False) -> dict[str, Any]:
    """Return the OpenAPI document."""
    return document(ROUTES, authentication=authentication, public_badges=public_badges)


def url(*parts: object, account: int | None = None) -> str:
    """Return a path of the API, for the caller's own account or a named one."""
    base = "/v1" if account is None else f"/v1/accounts/{account}"
    return "/".join([base, *(quote(str(part), safe="") for part in parts)])


def accepting(accept: str | None) -> dict[str, str]:
    """Return the headers of a client that accepts this, or does not say."""
    return {} if accept is None else {"Accept": accept}


class RawRequest(webtest.TestRequest):  # type: ignore[misc]
    """A request whose target arrives as the test wrote it, as waitress provides it."""

    @classmethod
    def blank(cls, path: str, environ: dict[str, Any] | None = None, **others: Any) -> Any:
        request = super().blank(path, environ, **others)
        query = request.environ["QUERY_STRING"]
        # WebTest has cut the query off before it comes here; its `request` has not.
        target = path if "?" in path or not query else f"{path}?{query}"
        request.environ.setdefault("REQUEST_URI", target)
        # With its own id, no answer would be the same as another.
        request.environ.setdefault("HTTP_X_REQUEST_ID", REQUEST_ID)
        return request


class Api(webtest.TestApp):  # type: ignore[misc]
    """A client; it checks on the way that the application keeps to WSGI."""

    RequestClass = RawRequest


def problem(response: Any, status: int, kind: str | None = None) -> str:
    """Return the detail of an error, after checking that it is an RFC 9457 problem.

    `kind` is the last part of its type, or empty if the status says it all.
    """
    assert response.status_int == status
    assert response.headers["Content-Type"] == "application/problem+json"
    body = json.loads(response.body)
    assert list(body) == ["type", "title", "status", "detail"]
    assert body["type"] == "about:blank" or body["type"].startswith("urn:monotron:problem:")
    if kind is not None:
        assert body["type"] == (f"urn:monotron:problem:{kind}" if kind else "about:blank")
    assert body["title"] == TITLES.get(status, HTTPStatus(status).phrase)
    assert body["status"] == status
    detail: str = body["detail"]
    assert detail
    for inside in ("Traceback", ".py", ".mdb", "/tmp", "/work"):
        assert inside not in detail
    return detail


def wait_until_ready(api: Api) -> None:
    """Wait until the store can be written again: its writer need not have noticed at once."""
    wait_until(
        lambda: api.get("/readyz", expect_errors=True).status_int == 200,
        "the store can be written again",
    )
