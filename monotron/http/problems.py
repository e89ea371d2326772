"""Problems: the body of every error (RFC 9457)."""

import json
from http import HTTPStatus

PROBLEM_JSON = "application/problem+json"

RETRY_SECONDS = 1
"""The value of Retry-After: a store that another process holds is free again in much less."""


def problem(status: int, kind: str, detail: str) -> bytes:
    """Return the body of a problem. `kind` is its type's last part, or empty for no type."""
    return json.dumps(
        {
            "type": f"urn:monotron:problem:{kind}" if kind else "about:blank",
            "title": _TITLES.get(status) or HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
        },
        ensure_ascii=False,
    ).encode("utf-8", errors="backslashreplace")


# The names of RFC 9110; Python had older ones until 3.13.
_TITLES = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}
