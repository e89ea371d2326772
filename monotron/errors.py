"""The base of every error that a person is told in one line."""


class MonotronError(Exception):
    """What was asked for cannot be done; the message says why, in one line."""
