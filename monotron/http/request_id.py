"""Request ids: each follows its request through all logs, including the client's and a proxy's."""

import random
import re

from monotron.limits import REQUEST_ID_CHARACTERS

HEADER = "X-Request-ID"

PATTERN = f"[A-Za-z0-9._~:@/+=-]{{1,{REQUEST_ID_CHARACTERS}}}"
"""The pattern of a valid id."""


def chosen(given: str | None) -> str:
    """Return the id sent with a request, or a new one if it is missing or does not match `PATTERN`.

    An invalid id is not a reason to refuse a request.
    """
    if given and _ID.fullmatch(given):
        return given
    # It is not a secret. Asking the system for randomness would release the GIL at each request.
    return f"{random.getrandbits(96):024x}"


_ID = re.compile(PATTERN)
