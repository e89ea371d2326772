"""Names in paths: they arrive percent-encoded, and `%2F` in a name is part of the name."""

import re
from typing import Any
from urllib.parse import unquote_to_bytes

import falcon

from monotron.core.errors import InvalidName
from monotron.http.environ import REQUEST_TARGET
from monotron.http.paths import raw_path
from monotron.limits import URL_BYTES


class RawPath:
    """Routes by the path as the client sent it, and decodes each name by itself.

    WSGI's PATH_INFO is decoded before anyone can tell a `/` from a `%2F`. The raw path is in
    REQUEST_URI, which waitress provides (and Falcon's "raw URL path" recipe uses). A server that
    does not provide it is refused: it would take one name for two and give out a wrong number.
    """

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Replace the decoded path with the raw one; raises 414 and 400."""
        try:
            target: str = req.env[REQUEST_TARGET]
        except KeyError:
            raise RuntimeError(
                "the WSGI server does not provide the raw path (REQUEST_URI)"
            ) from None
        req.path = raw_path(target)
        if len(target) > URL_BYTES:
            raise falcon.HTTPUriTooLong(
                description=f"a URL can have at most {URL_BYTES} bytes; this one has {len(target)}"
            )
        if not req.path.startswith("/"):
            # The router would look it up even without a slash.
            raise falcon.HTTPBadRequest(
                description="the target of a request must be a path, which begins with /"
            )

    def process_resource(
        self, req: falcon.Request, resp: falcon.Response, resource: object, params: dict[str, Any]
    ) -> None:
        """Decode the names in the path; raises `InvalidName` if one cannot be decoded."""
        for name, raw in params.items():
            params[name] = _decode(raw)


_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def _decode(raw: str) -> str:
    if "%" not in raw and raw.isascii():
        return raw
    if _BROKEN_ESCAPE.search(raw):
        raise InvalidName("in a path, % must be followed by two hex digits (%25 for a % itself)")
    try:
        # WSGI passes bytes as Latin-1 text (PEP 3333).
        return unquote_to_bytes(raw.encode("latin-1")).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidName("a name in the path is not UTF-8") from error
