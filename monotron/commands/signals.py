"""Signals that a command acts on."""

import signal


def end_as_interrupted() -> None:
    """Make SIGTERM do the same as ^C, which removes unfinished work."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
