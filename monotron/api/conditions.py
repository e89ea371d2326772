"""Conditions: `If-Match` and `If-None-Match` on calls that change something.

They are checked in the transaction that makes the change, so nothing comes between the two. The
representation that counts is the one that a GET of the same path would return (RFC 9110, 13.1).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import falcon

from monotron.api.answers import entity_tag

ANY = "*"


@dataclass(frozen=True, slots=True)
class Conditions:
    """A request's conditions; a header that was not sent sets none."""

    match: frozenset[str] | None = None
    """Entity tags, one of which must be current, or `ANY`."""
    none_match: frozenset[str] | None = None
    """Entity tags, none of which may be current, or `ANY`."""

    def require(self, representations: Callable[[], Iterable[bytes]]) -> None:
        """Raise 412 if they do not hold for the current state.

        `representations` returns the bodies that a GET could return, in JSON and as plain text, or
        nothing if it would be a 404. It is called only if there are conditions.
        """
        if self.match is None and self.none_match is None:
            return
        current = {entity_tag(each) for each in representations()}
        if self.match is not None and not _names_one(self.match, current):
            raise _failed("If-Match", "names none of the current ETags of this path")
        if self.none_match is not None and _names_one(self.none_match, current):
            raise _failed("If-None-Match", "names a current ETag of this path")


def conditions(req: falcon.Request) -> Conditions:
    """Read the conditions of a request.

    Raises 400 for a header that cannot be read: ignoring it would let the change happen.
    """
    match, none_match = req.env.get("HTTP_IF_MATCH"), req.env.get("HTTP_IF_NONE_MATCH")
    if match is None and none_match is None:
        return _NO_CONDITIONS
    return Conditions(
        # Only a strong tag can stand for the very same bytes (RFC 9110, section 13.1.1).
        None if match is None else _tags("If-Match", match, weak_too=False),
        None if none_match is None else _tags("If-None-Match", none_match, weak_too=True),
    )


def _tags(header: str, text: str, *, weak_too: bool) -> frozenset[str]:
    if text.strip() == ANY:
        return frozenset({ANY})
    if not _LIST.fullmatch(text):
        raise falcon.HTTPBadRequest(
            description=f'{header} must be a list of ETags in double quotes, such as "0a1b2c", or *'
        )
    return frozenset(tag for weak, tag in _TAG.findall(text) if weak_too or not weak)


def _names_one(wanted: frozenset[str], current: set[str]) -> bool:
    return bool(current) if ANY in wanted else not wanted.isdisjoint(current)


def _failed(header: str, why: str) -> falcon.HTTPPreconditionFailed:
    return falcon.HTTPPreconditionFailed(description=f"{header} {why}; nothing was changed")


_NO_CONDITIONS = Conditions()
# RFC 9110, section 8.8.3; empty elements of a list are ignored (5.6.1.2).
_TAG = re.compile('(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_LIST = re.compile(rf"[ \t,]*{_TAG.pattern}(?:[ \t]*,[ \t,]*{_TAG.pattern})*[ \t,]*")
