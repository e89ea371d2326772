"""Log lines: one for each event, as text for people or as JSON for a log collector.

Every line has the time in UTC (RFC 3339), the level and the message. One that is written while a
request is worked on has its id, too.
"""

import logging
import sys
from contextvars import ContextVar
from datetime import datetime, timezone

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that this thread works on."""


def configure(log_format: str = "text", *, access_log: bool = False) -> None:
    """Have all that is logged written to standard error, in the format `text` or `json`.

    With `access_log` each request is logged, too.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_json_lines() if log_format == "json" else _Text())
    handler.addFilter(_add_request)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    access = logging.getLogger("monotron.access")
    access.setLevel(logging.INFO if access_log else logging.WARNING)


def _json_lines() -> logging.Formatter:
    # It takes long to import, and no command but `serve` has need of it.
    from monotron.json_lines import JsonLines

    return JsonLines(_time)


class _Text(logging.Formatter):
    """`2026-11-23T04:05:06.789Z INFO message request_id=...`, whatever a message holds."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_time(record)} {record.levelname} {super().format(record)}"
        if hasattr(record, "request_id"):
            line += f" request_id={record.request_id}"
        # A line has one end, and no byte that a client sent acts on the terminal that shows it.
        return line if line.isprintable() else "".join(map(_printable, line))


def _add_request(record: logging.LogRecord) -> bool:
    current = request_id.get()
    if current is not None:
        record.request_id = current
    return True


def _time(record: logging.LogRecord) -> str:
    time = datetime.fromtimestamp(record.created, timezone.utc)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _printable(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]
