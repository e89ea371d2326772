"""Signals that a command acts on."""

import signal


def end_as_interrupted() -> None:
    """Let SIGTERM do what ^C does: what is half done is taken away."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
