"""The access log: a line for each request.

It has the path alone: a query may hold what somebody took for a way to send a secret.
"""

import logging

log = logging.getLogger("monotron.access")
"""Silent unless `logs.configure` turns it on."""


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
