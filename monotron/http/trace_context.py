"""Trace contexts: which trace a request belongs to (https://www.w3.org/TR/trace-context/)."""

import re
from typing import NamedTuple

ENVIRON = "HTTP_TRACEPARENT"
"""Where WSGI has the header `traceparent`."""


class Trace(NamedTuple):
    """The ids in a valid `traceparent`, in lower-case hex digits."""

    trace_id: str
    parent_id: str
    """The span of the caller."""


def read(header: str) -> Trace | None:
    """Return the ids of a `traceparent`, or None if it is not valid.

    A later version of the format may have more after the flags (4.1). An invalid header is ignored,
    as section 3.2 says: it is not a reason to refuse a request.
    """
    match = _TRACEPARENT.fullmatch(header)
    return None if match is None else Trace(match["trace_id"], match["parent_id"])


# Zeros alone are no id, ff is no version, and nothing follows the flags of version 00. Two headers
# arrive with a comma between them, and are not valid.
_TRACEPARENT = re.compile(
    r"(?!ff)(?:00(?!.{54})|(?!00)[0-9a-f]{2})"
    r"-(?!0{32})(?P<trace_id>[0-9a-f]{32})"
    r"-(?!0{16})(?P<parent_id>[0-9a-f]{16})"
    r"-[0-9a-f]{2}(?:-[^,]*)?"
)
