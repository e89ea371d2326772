"""Folding: the series that count the versions of one name, told from all others.

A version is several series, some of which may be years old. In a list, the one that changed last
can stand for all of them. A series belongs to a name if its key follows the convention, and the
name has been bumped: a series that is only named like that is listed as itself.
"""

from collections.abc import Iterator

from monotron.core import bumps, records, semver, tables
from monotron.core.semver import Standing
from monotron.store import paging
from monotron.store.contract import Reading


class Folding:
    """Where the versions of an account's names are, each of them read once in a transaction."""

    def __init__(self, reading: Reading, account: int) -> None:
        self._reading = reading
        self._account = account
        self._standings: dict[str, Standing | None] = {}
        self._newest: dict[str, str] = {}

    def version_at(self, key: str) -> Standing | None:
        """Return where the versions are that a series counts; None if it counts no versions."""
        name = bumps.name_in(key)
        if name is None:
            return None
        if name not in self._standings:
            has_any = bumps.has_any(self._reading, self._account, name)
            there = semver.standing(self._reading, self._account, name) if has_any else None
            self._standings[name] = there
        return self._standings[name]

    def is_listed(self, key: str) -> bool:
        """Return whether a series is listed: it counts no versions, or stands for all that do."""
        there = self.version_at(key)
        return there is None or self._newest_of(there.version.name) == key

    def all_for(self, key: str) -> list[str]:
        """Return the keys of the series that a listed one stands for, its own among them."""
        there = self.version_at(key)
        return [key] if there is None else [key for _, key in self._parts(there.version.name)]

    def _newest_of(self, name: str) -> str:
        if name not in self._newest:
            self._newest[name] = max(self._parts(name))[1]
        return self._newest[name]

    def _parts(self, name: str) -> Iterator[tuple[int, str]]:
        """Iterate over the series of a name: when each one changed, and its key."""
        for prefix in bumps.prefixes(name):
            range_ = records.series_range(self._account, prefix)
            for row_key, value in paging.rows(self._reading, tables.SERIES, *range_):
                key = records.unpack_owner(row_key)[1]
                if bumps.name_in(key) == name:
                    yield records.unpack_series_order(value)[1], key
