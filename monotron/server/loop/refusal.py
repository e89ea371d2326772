"""Refusals: the answers to requests that never reach the application."""

from monotron.errors import MonotronError


class Refusal(MonotronError):
    """A request that is not passed to the application; the message says why."""

    def __init__(self, status: int, detail: str, *, retry: bool = False) -> None:
        """`retry` says that the same request may succeed later."""
        super().__init__(detail)
        self.status = status
        self.retry = retry
