"""What a server serves."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from monotron.waiting import Waiting

WsgiApp: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
"""An application (PEP 3333)."""


IDLE_SECONDS = 120
"""How long an idle connection is kept."""

DRAIN_SECONDS = 8.0
"""How long requests in progress may take once the server stops."""


@dataclass(frozen=True, slots=True)
class Service:
    """The service of one worker."""

    app: WsgiApp
    healthy: Callable[[], bool]
    """Returns whether it can go on; if not, the worker ends and is replaced."""
    close: Callable[[], None]
    quick_paths: Collection[str]
    """The paths that the app answers at once, and that must work under overload too."""
    is_long: Callable[[str], bool]
    """Returns whether reading a raw path may take long, so that others must not wait for it."""


class Server(Protocol):
    """Answers requests on the listening sockets that its constructor receives."""

    waiting: Waiting
    """How the callers of the store wait."""

    def run(self, service: Service) -> None:
        """Answer until `stop` is called or the service is no longer healthy; then drain."""
        ...

    def stop(self) -> None:
        """Make `run` end. It may be called by a signal handler and from any thread."""
        ...
