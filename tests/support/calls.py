"""Calls, as the rules get them from the API and from the command line."""

from monotron.core.call import Call
from monotron.limits import HISTORY_VALUES


def call_in(
    account: int, *, now: int, api_key: str | None = None, keep: int = HISTORY_VALUES
) -> Call:
    """Return a call in an account, with authentication off and the default of `--history`."""
    return Call(account, api_key, now, keep)
