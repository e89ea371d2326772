"""What a server serves."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Service:
    """The service of one worker."""

    app: Callable[..., Any]
    healthy: Callable[[], bool]
    """Returns whether it can go on; if not, the worker ends and is replaced."""
    close: Callable[[], None]
    quick_paths: Collection[str]
    """The paths that the app answers at once, and that must work under overload too."""
