"""Log lines: one for each event, as text for people or as JSON for a log collector.

Every line has the time in UTC (RFC 3339), the level and the message. A line written while a request
is being handled also has the request's id, and the ids of its trace if it belongs to one.
"""

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from contextvars import ContextVar
from datetime import datetime, timezone
from select import PIPE_BUF
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    _StreamHandler = logging.StreamHandler[TextIO]
else:
    # On Python 3.10, it takes no type when it runs.
    _StreamHandler = logging.StreamHandler

ACCESS = "monotron.access"
"""The logger of `http.access_log`."""

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that this thread is handling."""

trace: ContextVar[tuple[str, str] | None] = ContextVar("trace", default=None)
"""The trace of that request and the span of its caller, if the caller sent them."""


def configure(log_format: str = "text", *, access_log: bool = False) -> None:
    """Write all log lines to standard error, in the format `text` or `json`.

    With `access_log`, each request is logged too.
    """
    handler = _Lines(sys.stderr)
    handler.setFormatter(_json_lines() if log_format == "json" else _Text())
    handler.addFilter(_add_request)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger(ACCESS).setLevel(logging.INFO if access_log else logging.WARNING)
    # No line shows them, and looking them up takes time for each record.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def hold_access_lines() -> None:
    """Keep the access log's lines back until `write_held`, which writes all of them together.

    Any other line writes them first, so lines keep their order.
    """
    for handler in _handlers():
        handler.holds = True


def write_held() -> None:
    """Write the lines that are held back."""
    for handler in _handlers():
        handler.write_held()


def _handlers() -> list["_Lines"]:
    return [each for each in logging.getLogger().handlers if isinstance(each, _Lines)]


class _Lines(_StreamHandler):
    """Writes lines at once, except those that are held."""

    holds = False

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._held: list[logging.LogRecord] = []
        """Guarded by the handler's lock, which is held during `emit`."""

    def emit(self, record: logging.LogRecord) -> None:
        if self.holds and record.name == ACCESS:
            self._held.append(record)
            return
        self.write_held()
        super().emit(record)

    def flush(self) -> None:
        self.write_held()
        super().flush()

    def write_held(self) -> None:
        if not self._held:
            return
        with self.lock or nullcontext():
            held, self._held = self._held, []
            try:
                for piece in _pieces(self.format(record) + self.terminator for record in held):
                    self.stream.write(piece)
                    self.stream.flush()
            # As for any line that cannot be written (logging.Handler.handleError).
            except (OSError, ValueError):
                self.handleError(held[-1])


def _pieces(lines: Iterable[str]) -> Iterator[str]:
    """Join lines into pieces that a pipe takes whole, so that no other process writes into a line.

    A line that is longer than that stays alone.
    """
    piece, size = "", 0
    for line in lines:
        length = len(line.encode(errors="backslashreplace"))
        if piece and size + length > PIPE_BUF:
            yield piece
            piece, size = "", 0
        piece += line
        size += length
    yield piece


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
