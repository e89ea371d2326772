"""Nothing is ignored: input that a call would not read is refused, because it was meant to matter.

A resource declares in `calls` which query parameters and bodies its methods read. HEAD takes what
GET takes.
"""

import json
from collections.abc import Callable, Collection
from typing import Any

import falcon

from monotron.api.query import parameters, width
from monotron.limits import JSON_BYTES

Hint = Callable[[str, object, dict[str, Any]], str]
"""Returns a hint for a path, its resource and the JSON object that the call does not read."""


def reads_body(resource: Any, method: str) -> bool:
    """Return whether a method of a resource reads a body."""
    return method in resource.calls and resource.calls[method].body is not None


def read_queries(resource: Any, method: str) -> Collection[str]:
    """Return the names of the query parameters that a method of a resource reads."""
    return resource.calls[method].query_names if method in resource.calls else ()


class NothingIgnored:
    """Puts the query into `req.context.query`, and refuses input that the call does not read.

    The width of a number is put into `req.context.width`: a wrong one is refused before a number is
    taken.
    """

    def __init__(self, hint: Hint) -> None:
        self._hint = hint

    def process_resource(
        self, req: falcon.Request, resp: falcon.Response, resource: object, params: dict[str, Any]
    ) -> None:
        """Check the query and the body before the call does; raises 400."""
        method = "GET" if req.method == "HEAD" else req.method
        # A method that the path does not have becomes a 405. OPTIONS does nothing.
        if method not in getattr(resource, "calls", ()):
            return
        req.context.query = query = parameters(req) if req.query_string else {}
        req.context.width = 0
        if query:
            known = read_queries(resource, method)
            for name in query:
                if name not in known:
                    raise falcon.HTTPBadRequest(description=_unknown(name, known))
            req.context.width = width(req, query)
        if (
            req.content_length
            and not reads_body(resource, method)
            and (body := _body(req)) is not None
        ):
            hint = self._hint(req.path, resource, body) if isinstance(body, dict) else ""
            raise falcon.HTTPBadRequest(
                description=f"this call takes no body, but one was sent; nothing was done{hint}"
            )


def _unknown(name: str, known: Collection[str]) -> str:
    those = f"it takes: {', '.join(known)}" if known else "it takes none"
    return f"this call has no query parameter {name[:80]!r}; {those}"


def _body(req: falcon.Request) -> object | None:
    """Return the body, as JSON if it is JSON; None if it is empty, null or {}."""
    raw: bytes = req.bounded_stream.read(JSON_BYTES + 1)
    if len(raw) > JSON_BYTES:
        return raw
    if not raw.strip():
        return None
    try:
        body: object = json.loads(raw)
    except (ValueError, RecursionError):
        return raw
    return None if body in (None, {}) else body
