"""Uses of API keys: one line in the log for each key and day, written by each worker.

So the log tells which keys are still in use, and no call pays for it with a write.
"""

import logging

from monotron.api.timestamps import timestamp
from monotron.core import api_keys
from monotron.core.records import ApiKey
from monotron.store.contract import Store

log = logging.getLogger("monotron")

_DAY = 86_400_000_000


class KeyUses:
    """Remembers the day on which each API key was last used."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._days: dict[str, int] = {}

    def note(self, api_key: ApiKey, now: int) -> None:
        """Log the use of an API key if it is the first one of the day (UTC)."""
        day = now // _DAY
        if self._days.get(api_key.key) == day:
            return
        self._days[api_key.key] = day
        name = self._store.view(lambda reading: api_keys.name_of(reading, api_key.key))
        log.info(
            "the API key %s of account %d is in use today%s",
            f"{api_key.key} ({name})" if name else api_key.key,
            api_key.account,
            f"; it expires at {timestamp(api_key.expires_at)}" if api_key.expires_at else "",
        )
