"""The API as a client sees it, without a socket."""

import json
import warnings
from http import HTTPStatus
from typing import Any

with warnings.catch_warnings():
    # WebOb imports cgi, and Python 3.11 and 3.12 warn of its end.
    warnings.simplefilter("ignore", DeprecationWarning)
    import webtest

UUID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
LAST_VALUE = 9223372036854775807


class RawRequest(webtest.TestRequest):  # type: ignore[misc]
    """A request whose target arrives as the test wrote it, which is how waitress gives it."""

    @classmethod
    def blank(cls, path: str, environ: dict[str, Any] | None = None, **others: Any) -> Any:
        request = super().blank(path, environ, **others)
        query = request.environ["QUERY_STRING"]
        # WebTest has cut the query off before it comes here; its `request` has not.
        target = path if "?" in path or not query else f"{path}?{query}"
        request.environ.setdefault("REQUEST_URI", target)
        return request


class Api(webtest.TestApp):  # type: ignore[misc]
    """A client; it checks on the way that the application keeps to WSGI."""

    RequestClass = RawRequest


def problem(response: Any, status: int) -> str:
    """Give the detail of an error, once it is clear that it is a problem as RFC 9457 has them."""
    assert response.status_int == status
    assert response.headers["Content-Type"] == "application/problem+json"
    body = json.loads(response.body)
    assert list(body) == ["type", "title", "status", "detail"]
    assert body["type"] == "about:blank" or body["type"].startswith("urn:monotron:problem:")
    assert body["title"] == HTTPStatus(status).phrase
    assert body["status"] == status
    detail: str = body["detail"]
    assert detail
    for inside in ("Traceback", ".py", ".mdb", "/tmp", "/work"):
        assert inside not in detail
    return detail
