"""What the rules refuse. Each message is for the person who made the call."""


class RuleError(Exception):
    """A call that a rule refuses. Nothing was changed."""


class InvalidName(RuleError):
    """A text that cannot be a name."""


class InvalidNumber(RuleError):
    """A number outside of what is allowed."""


class SeriesExhausted(RuleError):
    """The series has no value left for this call."""


class SeedTooLow(RuleError):
    """The seed would move the series back, and numbers would be given twice."""
