"""A call: what every rule knows of the one it works for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """In which account, by whom, when, and how much history is kept.

    It is made once, where a call comes in. Rules that write down who did something, or when, take
    it; those that do not take the account alone.
    """

    account: int
    api_key: str | None
    """What history says took a value; None if authentication is off."""
    now: int
    """Microseconds since 1970-01-01T00:00:00Z."""
    keep: int
    """How many values the history of a series holds."""
