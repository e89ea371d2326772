"""Request bodies."""

import json

import falcon

from monotron.limits import JSON_BYTES


def read_object(req: falcon.Request, most: int = JSON_BYTES) -> dict[str, object]:
    """Read the body as one JSON object, whatever its Content-Type says.

    Raises 400 for what is not one, also for a member that is there twice (RFC 8259, section 4,
    leaves open which one would count), and 413 where it has more than `most` bytes.
    """
    body = _read_json(req, most, "an object")
    if not isinstance(body, dict):
        raise _invalid("an object", "it is something else")
    return body


def read_list(req: falcon.Request, most: int = JSON_BYTES) -> list[object]:
    """Read the body as one JSON list, in the same way."""
    body = _read_json(req, most, "a list")
    if not isinstance(body, list):
        raise _invalid("a list", "it is something else")
    return body


def read_text(req: falcon.Request, most: int) -> str:
    """Read the body as text in UTF-8; raises 400 for other bytes, 413 for more than `most`."""
    try:
        return _read(req, most).decode("utf-8")
    except UnicodeDecodeError as error:
        raise falcon.HTTPBadRequest(description="the body is not UTF-8") from error


def exact(value: object) -> object:
    """Return a member as an int if it is written as a float and is a whole number.

    JSON knows no integers: 110.0 is the same number as 110 (JSON Schema core, section 6.3). But a
    float beyond 2**53 may stand for several.
    """
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        return int(value)
    return value


def _read(req: falcon.Request, most: int) -> bytes:
    raw: bytes = req.bounded_stream.read(most + 1)
    if len(raw) > most:
        raise falcon.HTTPContentTooLarge(description=f"a body has at most {most} bytes here")
    return raw


def _read_json(req: falcon.Request, most: int, what: str) -> object:
    raw = _read(req, most)
    try:
        return json.loads(
            raw.decode("utf-8"), object_pairs_hook=_members, parse_constant=_no_constant
        )
    except RecursionError as error:
        raise _invalid(what, "it is nested too deeply") from error
    except ValueError as error:
        raise _invalid(what, str(error)) from error


def _invalid(what: str, why: str) -> falcon.HTTPBadRequest:
    return falcon.HTTPBadRequest(description=f"the body has to be {what} in JSON: {why}")


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is there twice")
    return members


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
