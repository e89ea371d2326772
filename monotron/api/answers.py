"""Answers: a number or a version as JSON or as plain text, and reads that can be polled."""

import hashlib
import json
from collections.abc import Mapping

import falcon

JSON = "application/json"
PLAIN = "text/plain; charset=utf-8"


def answer(
    req: falcon.Request,
    resp: falcon.Response,
    members: Mapping[str, object],
    bare: object,
    *,
    content_type: str = JSON,
) -> None:
    """Answer with the members as JSON, or with the bare number or version as plain text.

    Plain text gets who prefers it in `Accept`.
    """
    if _wants_plain(req):
        resp.content_type = PLAIN
        resp.data = f"{bare}\n".encode()
    else:
        resp.content_type = content_type
        resp.data = to_json(members)


def to_json(members: Mapping[str, object] | list[Mapping[str, object]]) -> bytes:
    """Give compact JSON in UTF-8."""
    return _encode(members).encode()


def pollable(req: falcon.Request, resp: falcon.Response) -> None:
    """Mark the answer of a read so that a repeat costs little: 304 where nothing has changed.

    The ETag is strong (RFC 9110, section 8.8.1): a digest of the body, the same for the same
    bytes whichever process answers.
    """
    etag = hashlib.blake2b(resp.data or b"", digest_size=12).hexdigest()
    resp.set_header("ETag", f'"{etag}"')
    resp.set_header("Cache-Control", "no-cache")
    resp.set_header("Vary", "Accept")
    for known in req.if_none_match or ():
        if known in ("*", etag):
            resp.status = falcon.HTTP_304
            resp.data = None
            resp.delete_header("Content-Type")
            return


# Made once: `json.dumps` with other settings than its own makes an encoder for each call.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _wants_plain(req: falcon.Request) -> bool:
    # Nearly every client sends none, */* or JSON; the full negotiation costs more than all else.
    accept = req.accept.lower()
    if "text/" not in accept:
        return False
    try:
        return falcon.mediatypes.best_match((JSON, "text/plain"), accept) == "text/plain"
    except ValueError:
        # What cannot be understood is taken as if it were not there (RFC 9110, section 12.4.1).
        return False
