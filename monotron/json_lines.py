"""Log lines in JSON, for a log collector."""

import logging
from collections.abc import Callable
from typing import Any

from pythonjsonlogger.json import JsonFormatter


class JsonLines(JsonFormatter):
    """One JSON object on each line, with the event's own members in addition to its message."""

    def __init__(self, time: Callable[[logging.LogRecord], str]) -> None:
        super().__init__(
            ["asctime", "levelname", "message"],
            rename_fields={"asctime": "time", "levelname": "level", "exc_info": "traceback"},
        )
        self._time_of = time

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Escape text that is not valid UTF-8, as in a file name: JSON readers would refuse it."""
        return {name: _utf_8(value) for name, value in log_data.items()}

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Return the time in UTC (RFC 3339)."""
        return self._time_of(record)


def _utf_8(value: Any) -> Any:
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value
