"""`monotron serve` without its counters and timers: what they cost is the difference."""

import sys
from unittest.mock import patch

from monotron.cli import main
from monotron.store.batch import NoObserver


class NoMeasures:
    """A middleware that does nothing; Falcon demands one method."""

    def __init__(self, *ignored: object) -> None:
        pass

    def process_request(self, *ignored: object) -> None:
        """Do nothing."""


if __name__ == "__main__":
    # What the workers inherit when they are forked.
    with (
        patch("monotron.app.RequestMeasures", NoMeasures),
        patch("monotron.commands.serve.StoreMetrics", lambda slot: NoObserver()),
    ):
        sys.exit(main())
