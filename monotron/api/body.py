"""Request bodies."""

import json

import falcon

from monotron.limits import BODY_BYTES


def read_object(req: falcon.Request) -> dict[str, object]:
    """Read the body as one JSON object, whatever its Content-Type says.

    Raises 400 for what is not one, also for a member that is there twice (RFC 8259, section 4,
    leaves open which one would count), and 413 where it is too large.
    """
    raw = req.bounded_stream.read(BODY_BYTES + 1)
    if len(raw) > BODY_BYTES:
        raise falcon.HTTPContentTooLarge(description=f"a body has at most {BODY_BYTES} bytes")
    try:
        body = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_members, parse_constant=_no_constant
        )
    except RecursionError as error:
        raise _invalid("it is nested too deeply") from error
    except ValueError as error:
        raise _invalid(str(error)) from error
    if not isinstance(body, dict):
        raise _invalid("it is not an object")
    return body


def _invalid(why: str) -> falcon.HTTPBadRequest:
    return falcon.HTTPBadRequest(description=f"the body has to be a JSON object: {why}")


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is there twice")
    return members


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
