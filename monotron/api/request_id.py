"""Request ids: one goes with each request through all logs, the client's and a proxy's too."""

import random
import re

import falcon

from monotron import logs
from monotron.limits import REQUEST_ID_CHARACTERS

HEADER = "X-Request-ID"

PATTERN = f"[A-Za-z0-9._~:@/+=-]{{1,{REQUEST_ID_CHARACTERS}}}"
"""What an id looks like."""


class RequestId:
    """Takes the id in `X-Request-ID`, or gives one; the answer and each line of the log has it."""

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Find it."""
        request_id = chosen(req.env.get("HTTP_X_REQUEST_ID"))
        logs.request_id.set(request_id)
        resp.set_header(HEADER, request_id)

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, succeeded: bool
    ) -> None:
        """Forget it: what this thread logs from now on belongs to another request, or to none."""
        logs.request_id.set(None)


def chosen(given: str | None) -> str:
    """Give the id that came with a request, or a new one where none came or one that is none.

    `PATTERN` says what is one. It is nothing to refuse a request for.
    """
    if given and _ID.fullmatch(given):
        return given
    # It is no secret. To ask the system for randomness would let go of the GIL at each request.
    return f"{random.getrandbits(96):024x}"


_ID = re.compile(PATTERN)
