"""What the rules refuse. Each message is for the person who made the call."""

from monotron.errors import MonotronError


class RuleError(MonotronError):
    """A call that a rule refuses. Nothing was changed."""


class InvalidName(RuleError):
    """A text that cannot be a name."""


class InvalidNumber(RuleError):
    """A number outside of what is allowed."""


class SeriesExhausted(RuleError):
    """The series has no value left for this call."""


class SeedTooLow(RuleError):
    """The seed would move the series back, and numbers would be given twice."""


class InvalidScope(RuleError):
    """A text that names no operations on a resource."""


class InvalidAttribute(RuleError):
    """An attribute that cannot be kept."""


class InvalidIdempotencyKey(RuleError):
    """A header that is no Idempotency-Key."""


class IdempotencyKeyReused(RuleError):
    """The Idempotency-Key stands for another request already."""


class TooManyApiKeys(RuleError):
    """The account has no room for another API key."""


class NoSuchAccount(RuleError):
    """There is no account with that id."""
