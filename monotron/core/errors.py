"""What the rules refuse. Each message is written for the person who made the call."""

from monotron.errors import MonotronError


class RuleError(MonotronError):
    """A call that a rule refused. Nothing was changed."""


class InvalidName(RuleError):
    """A text that cannot be a name."""


class InvalidNumber(RuleError):
    """A number outside its allowed range."""


class SeriesExhausted(RuleError):
    """The series does not have enough values left for this call."""


class LimitReached(RuleError):
    """The series has reached the limit that somebody set for it."""


class LimitTooLow(RuleError):
    """The series has already passed the limit."""


class SeedTooLow(RuleError):
    """The seed would move the series back, and numbers would be given out twice."""


class PreReleaseTooLow(RuleError):
    """The pre-release would come before the current version."""


class OtherScheme(RuleError):
    """The calendar versions of this name follow another scheme."""


class InvalidScope(RuleError):
    """A text that does not name operations on a resource."""


class InvalidAttribute(RuleError):
    """An attribute that cannot be stored."""


class InvalidIdempotencyKey(RuleError):
    """A header that is not a valid Idempotency-Key."""


class IdempotencyKeyReused(RuleError):
    """The Idempotency-Key already stands for another request."""


class TooManyApiKeys(RuleError):
    """The account has no room for another API key."""


class NoSuchAccount(RuleError):
    """No account has this id."""
