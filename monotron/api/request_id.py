"""Request ids, in the answer and on each line of the log."""

import falcon

from monotron import logs
from monotron.http.request_id import HEADER, chosen


class RequestId:
    """Takes the id in `X-Request-ID`, or makes one; the answer and each line of the log has it."""

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
