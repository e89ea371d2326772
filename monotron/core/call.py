"""A call: what every rule knows about the request it serves."""

from dataclasses import dataclass


# Not frozen, like the records that each call needs.
@dataclass(slots=True)
class Call:
    """The account, the API key, the time, and how much history to keep.

    It is made once, when a call arrives. Rules that record who did something, or when, take it; the
    others take only the account.
    """

    account: int
    api_key: str | None
    """The API key that history records for a value; None if authentication is off."""
    now: int
    """Microseconds since 1970-01-01T00:00:00Z."""
    keep: int
    """How many values a series' history holds."""
