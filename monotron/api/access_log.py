"""The access log's lines for requests that reach the application."""

import time

import falcon

from monotron.api.request_measures import Labels, route_of
from monotron.http.access_log import log_request


class AccessLog:
    """Logs each request after its answer."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, succeeded: bool
    ) -> None:
        """Log the request."""
        caller = getattr(req.context, "caller", None)
        log_request(
            client=req.remote_addr,
            method=req.method,
            path=req.path,
            route=route_of(req, self._labels),
            status=resp.status_code,
            seconds=time.perf_counter() - req.context.started,
            api_key=caller and caller.api_key,
        )
