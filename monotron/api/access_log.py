"""The access log: a line for each request.

It has the path alone: a query may hold what somebody took for a way to send a secret.
"""

import logging
import time

import falcon

from monotron.api.request_measures import route_of

log = logging.getLogger("monotron.access")
"""Silent unless `logs.configure` turns it on."""


class AccessLog:
    """Logs what reaches the application."""

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, succeeded: bool
    ) -> None:
        """Log the line."""
        caller = getattr(req.context, "caller", None)
        log_request(
            client=req.remote_addr,
            method=req.method,
            path=req.path,
            route=route_of(req),
            status=resp.status_code,
            seconds=time.perf_counter() - req.context.started,
            api_key=caller and caller.api_key,
        )


def log_request(
    *,
    client: str,
    method: str,
    path: str,
    route: str,
    status: int,
    seconds: float,
    api_key: str | None = None,
) -> None:
    """Log client, method, path, status and milliseconds; as JSON the route and the API key too."""
    # Whatever byte a path holds, it is ASCII in the log.
    path = path.encode("unicode_escape").decode("ascii")
    event = {
        "client": client,
        "method": method,
        "path": path,
        "route": route,
        "status": status,
        "seconds": round(seconds, 6),
        "api_key": api_key,
    }
    log.info("%s %s %s %d %.1fms", client, method, path, status, seconds * 1000, extra=event)
