"""The path of a request as the client sent it, with `%2F` still distinct from `/`."""

import re


def raw_path(target: str) -> str:
    """Return the path of a request target as the client sent it, without the query."""
    path = target.partition("?")[0]
    if path.startswith("/"):
        return path
    # The absolute form, which clients send to proxies (RFC 9112, section 3.2.2).
    return _ORIGIN.sub("", path) or "/"


_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/]*")
