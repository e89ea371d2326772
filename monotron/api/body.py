"""Request bodies."""

import json

import falcon

from monotron.limits import JSON_BYTES


def read_object(req: falcon.Request, most: int = JSON_BYTES) -> dict[str, object]:
    """Read the body as one JSON object, whatever its Content-Type says.

    Raises 400 if it is not one, or has a member twice (RFC 8259, section 4, leaves open which one
    would count), and 413 if it has more than `most` bytes.
    """
    body = _read_json(req, most, "object")
    if not isinstance(body, dict):
        raise _invalid("object", "it is something else")
    return body


def read_list_or_object(
    req: falcon.Request, most: int = JSON_BYTES
) -> list[object] | dict[str, object]:
    """Read the body as one JSON array or object, in the same way."""
    body = _read_json(req, most, "array or object")
    if not isinstance(body, list | dict):
        raise _invalid("array or object", "it is something else")
    return body


def read_text(req: falcon.Request, most: int) -> str:
    """Read the body as UTF-8 text; raises 400 if it is not, and 413 if it exceeds `most` bytes."""
    try:
        return _read(req, most).decode("utf-8")
    except UnicodeDecodeError as error:
        raise falcon.HTTPBadRequest(description="the body is not UTF-8") from error


def read_object_if_any(req: falcon.Request, most: int = JSON_BYTES) -> dict[str, object] | None:
    """Read the body as one JSON object, in the same way; None if it is blank."""
    raw = _read(req, most)
    if not raw.strip():
        return None
    body = _parsed(raw, "object")
    if not isinstance(body, dict):
        raise _invalid("object", "it is something else")
    return body


def exact(value: object) -> object:
    """Return a member as an int if it is a float that is a whole number, else unchanged.

    JSON has no integer type: 110.0 is the same number as 110 (JSON Schema core, section 6.3). But a
    float beyond 2**53 may stand for several integers.
    """
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        return int(value)
    return value


def _read(req: falcon.Request, most: int) -> bytes:
    raw: bytes = req.bounded_stream.read(most + 1)
    if len(raw) > most:
        raise falcon.HTTPContentTooLarge(description=f"this body can have at most {most} bytes")
    return raw


def _read_json(req: falcon.Request, most: int, what: str) -> object:
    return _parsed(_read(req, most), what)


def _parsed(raw: bytes, what: str) -> object:
    try:
        return json.loads(
            raw.decode("utf-8"), object_pairs_hook=_members, parse_constant=_no_constant
        )
    except RecursionError as error:
        raise _invalid(what, "it is nested too deeply") from error
    except ValueError as error:
        raise _invalid(what, str(error)) from error


def _invalid(what: str, why: str) -> falcon.HTTPBadRequest:
    return falcon.HTTPBadRequest(description=f"the body must be a JSON {what}: {why}")


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member appears twice")
    return members


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
