"""Log lines: one for each event, as text for people or as JSON for a log collector.

Every line has the time in UTC (RFC 3339), the level and the message. A line written while a request
is being handled also has the request's id, and the ids of its trace if it belongs to one.
"""

import logging
import sys
from contextvars import ContextVar
from datetime import datetime, timezone

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that this thread is handling."""

trace: ContextVar[tuple[str, str] | None] = ContextVar("trace", default=None)
"""The trace that it belongs to and the span of its caller, if it said so."""


def configure(log_format: str = "text", *, access_log: bool = False) -> None:
    """Write all log lines to standard error, in the format `text` or `json`.

    With `access_log`, each request is logged too.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_json_lines() if log_format == "json" else _Text())
    handler.addFilter(_add_request)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    access = logging.getLogger("monotron.access")
    access.setLevel(logging.INFO if access_log else logging.WARNING)


def _json_lines() -> logging.Formatter:
    # It takes long to import, and only `serve` needs it.
    from monotron.json_lines import JsonLines

    return JsonLines(_time)


class _Text(logging.Formatter):
    """`2026-11-23T04:05:06.789Z INFO message request_id=...`, on one line whatever the message."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_time(record)} {record.levelname} {super().format(record)}"
        for name in _OF_REQUESTS:
            if hasattr(record, name):
                line += f" {name}={getattr(record, name)}"
        # An event is one line, and no byte from a client may control the terminal that shows it.
        return line if line.isprintable() else "".join(map(_printable, line))


def _add_request(record: logging.LogRecord) -> bool:
    current = request_id.get()
    if current is not None:
        record.request_id = current
    traced = trace.get()
    if traced is not None:
        record.trace_id, record.parent_id = traced
    return True


def _time(record: logging.LogRecord) -> str:
    time = datetime.fromtimestamp(record.created, timezone.utc)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


_OF_REQUESTS = ("request_id", "trace_id", "parent_id")


def _printable(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]
