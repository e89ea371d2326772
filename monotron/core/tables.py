"""The tables of a store, with the names that every engine stores them under.

To an engine they are only names: it gets `ALL` when a store is opened.
"""

from typing import Final

from monotron.store.contract import Table

_all: list[Table] = []


def _table(name: str) -> Table:
    _all.append(name.encode())
    return _all[-1]


SERIES: Final = _table("series")
"""One row for each series: its current state. It comes first: every store has it, however old."""
HISTORY: Final = _table("history")
"""The full rows of each series' history; the newest row is stored with the series."""
TOKENS: Final = _table("tokens")
"""The index of the tokens that a series' history holds: a tail and buckets."""
CHANGE_TIMES: Final = _table("change_times")
"""One row for each series, in the order in which they changed."""
LIMITS: Final = _table("limits")
"""The limits of series that have no value yet."""
ATTRIBUTES: Final = _table("attributes")
"""One row for each attribute of a token."""
BUMPS: Final = _table("bumps")
"""One row for each part and token of a semantic version: the version that the token got."""
CALENDARS: Final = _table("calendars")
"""One row for each name of calendar versions: its scheme and its latest period."""
DATED: Final = _table("dated")
"""One row for each token of a calendar version: the version that the token got."""
ACCOUNTS: Final = _table("accounts")
"""One row for each account except the first, which always exists."""
API_KEYS: Final = _table("api_keys")
"""One row for each API key."""
API_KEY_NAMES: Final = _table("api_key_names")
"""The name of each API key that has one; it stays when the API key is revoked."""
GRANTS: Final = _table("grants")
"""The API keys of each account, oldest first."""
RETRIES: Final = _table("retries")
"""One row for each Idempotency-Key: the request and its answer."""
RETRY_TIMES: Final = _table("retry_times")
"""The rows of `RETRIES`, oldest first."""
ACTIVITY: Final = _table("activity")
"""One row for each account and hour: how many numbers were given out."""
SYSTEM: Final = _table("system")
"""Rows about the store itself, such as the one that a readiness check writes."""

ALL: Final = tuple(_all)
