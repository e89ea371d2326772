"""Hints: what was probably meant by a path that does not exist, or by a body that a call ignores.

The most common mistake is a `/` in a name that was not written `%2F`, or that a proxy decoded. The
route table shows whether that is likely.
"""

from collections.abc import Iterator
from typing import Any

from falcon.routing import CompiledRouter

from monotron.api.unread import read_queries, reads_body

MOST_SEGMENTS = 16
"""The most segments of a path that gets a hint; the longest route has 8."""


class Hints:
    """Suggests what to write instead."""

    def __init__(self, router: CompiledRouter) -> None:
        self._router = router

    def missing_path(self, path: str) -> str:
        """Return the detail of a 404 for a path without a route."""
        detail = f"there is nothing at this path; {_WHERE}"
        if path.endswith("/") and self._router.find(path.rstrip("/")):
            return f"{detail}. Leave out the / at the end: {path.rstrip('/')}"
        for joined, _ in self._joined(path):
            return f"{detail}. A / in a name is written %2F, as in {joined}"
        if path.count("/") == 1:
            return f"{detail}. A series whose name is not a UUID is at /v1/series/{{key}}"
        return detail

    def missing_method(self, path: str, method: str, allowed: str) -> str:
        """Return the detail of a 405."""
        detail = f"{method} is not allowed at this path; these methods are: {allowed}"
        for joined, other in self._joined(path):
            if hasattr(other, f"on_{method.lower()}"):
                return f"{detail}. A / in a name is written %2F, as in {joined}"
        return detail

    def unread_body(self, path: str, resource: object, body: dict[str, Any]) -> str:
        """Return a hint for a JSON object sent to a call that takes no body, or an empty text."""
        if "count" in body and "count" in read_queries(resource, "POST"):
            return ". The number of values goes in the query: ?count=5"
        if "value" in body and reads_body(resource, "PUT"):
            return ". To move a series up to a value, use PUT"
        if "value" in body:
            for joined, other in self._joined(path):
                if reads_body(other, "PUT"):
                    return (
                        ". To move up a series whose key has a / in it, write the / as %2F: "
                        f"PUT {joined}"
                    )
        return ""

    def _joined(self, path: str) -> Iterator[tuple[str, object]]:
        """Iterate over the existing paths with one `/` fewer, and their resources."""
        segments = path.split("/")
        if len(segments) > MOST_SEGMENTS or "" in segments[1:]:
            return
        for place in range(len(segments) - 1, 1, -1):
            pair = "%2F".join(segments[place - 1 : place + 1])
            joined = "/".join([*segments[: place - 1], pair, *segments[place + 1 :]])
            found = self._router.find(joined)
            if found is not None:
                yield joined, found[0]


_WHERE = "GET /openapi.json lists every path"
