"""The base of every error that is shown to a person as one line."""


class MonotronError(Exception):
    """A request that cannot be carried out; the message says why, in one line."""
