"""The access log: one line for each request.

It has the path without the query, because somebody may have put a secret into the query by mistake.
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
    if not log.isEnabledFor(logging.INFO):
        return
    # Any byte in a path becomes ASCII in the log.
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
    message = f"{client} {method} {path} {status} {seconds * 1000:.1f}ms"
    # `info` would find out its caller's file and line: 2.6 µs in place of 1.6.
    log.handle(log.makeRecord(log.name, logging.INFO, "", 0, message, (), None, extra=event))
