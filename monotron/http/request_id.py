"""Request ids: one goes with each request through all logs, the client's and a proxy's too."""

import random
import re

from monotron.limits import REQUEST_ID_CHARACTERS

HEADER = "X-Request-ID"

PATTERN = f"[A-Za-z0-9._~:@/+=-]{{1,{REQUEST_ID_CHARACTERS}}}"
"""What an id looks like."""


def chosen(given: str | None) -> str:
    """Return the id that came with a request, or a new one if none came or it is not valid.

    `PATTERN` says what is valid. A bad id is no reason to refuse a request.
    """
    if given and _ID.fullmatch(given):
        return given
    # It is no secret. To ask the system for randomness would let go of the GIL at each request.
    return f"{random.getrandbits(96):024x}"


_ID = re.compile(PATTERN)
