"""Request ids and traces: the id is in the answer, and all of them are on each log line."""

import falcon

from monotron import logs
from monotron.http import trace_context
from monotron.http.request_id import HEADER, chosen


class RequestId:
    """Uses the id in `X-Request-ID`, or a new one, for the answer and each log line.

    The ids of a `traceparent` are on each log line too.
    """

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Choose the id."""
        request_id = chosen(req.env.get("HTTP_X_REQUEST_ID"))
        logs.request_id.set(request_id)
        resp.set_header(HEADER, request_id)
        if trace_context.ENVIRON in req.env:
            logs.trace.set(trace_context.read(req.env[trace_context.ENVIRON]))

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, succeeded: bool
    ) -> None:
        """Forget them: later log lines of this thread belong to another request, or to none."""
        logs.request_id.set(None)
        if trace_context.ENVIRON in req.env:
            logs.trace.set(None)
