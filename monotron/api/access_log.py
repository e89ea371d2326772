"""The access log: a line for each request that a resource answered."""

import logging
import time

import falcon

log = logging.getLogger("monotron.access")


class AccessLog:
    """Logs client, method, URL, status and milliseconds."""

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Note the time."""
        req.context.started = time.perf_counter()

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, succeeded: bool
    ) -> None:
        """Log the line."""
        milliseconds = (time.perf_counter() - req.context.started) * 1000
        log.info(
            "%s %s %s %s %.1fms",
            req.remote_addr,
            req.method,
            # A URL may hold any byte: none of them may act on the terminal that shows the log.
            req.env["REQUEST_URI"].encode("unicode_escape").decode("ascii"),
            resp.status_code,
            milliseconds,
        )
