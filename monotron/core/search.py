"""Search: pages of an account's series, by key or by their last change."""

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from monotron.core import records, series, tables
from monotron.core.changes import NEARNESS
from monotron.core.records import Series
from monotron.limits import LAST_VALUE
from monotron.store import paging
from monotron.store.contract import Reading
from monotron.store.paging import PAGE_ROWS, Page

LOOK_AHEAD = 5_000
"""How many rows are read before the first of them is certain to be the newest. More series than
that cannot change twice within `NEARNESS`: the service makes some 15,000 changes a second. But an
import brings any number of the same time, each with a row of exactly that time."""

LEAST_ROWS = 16
"""How many rows are read at a time even for the smallest page: neighbours may have to be sorted."""

Place = tuple[int, str]
"""When a series changed, and its key: a place in the order of changes."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched for: the series that meet all of these."""

    prefix: str = ""
    """What the key starts with."""
    contains: str = ""
    """What is anywhere in the key, in upper or lower case."""
    changed_since: int = 0
    """When the series changed, or before that; microseconds since 1970-01-01T00:00:00Z."""

    def finds(self, key: str) -> bool:
        """Return whether a key is one of those that are searched for."""
        if not key.startswith(self.prefix):
            return False
        return not self.contains or self.contains.casefold() in key.casefold()

    def rows_at_a_time(self, limit: int) -> int:
        """Return how many rows to read at a time for a page: few, unless most are not wanted."""
        return PAGE_ROWS if self.contains or self.changed_since else max(limit + 1, LEAST_ROWS)


def by_key(
    reading: Reading, account: int, search: Search, *, after: str | None, limit: int
) -> Page[Series, str]:
    """Return up to `limit` of the series, ordered by key, that come after `after`."""
    found = list(islice(_in_order(reading, account, search, after, limit), limit + 1))
    return Page(found[:limit], found[limit - 1].key if len(found) > limit else None)


def by_change(
    reading: Reading, account: int, search: Search, *, after: Place | None, limit: int
) -> Page[Series, Place]:
    """Return up to `limit` of the series that come after `after`, the newest change first.

    Those that changed at the same time are in the reverse order of their keys.
    """
    found = list(islice(_newest_first(reading, account, search, after, limit), limit + 1))
    last = found[limit - 1] if len(found) > limit else None
    return Page(found[:limit], None if last is None else (last.updated_at, last.key))


def _in_order(
    reading: Reading, account: int, search: Search, after: str | None, limit: int
) -> Iterator[Series]:
    start, stop = records.series_range(account, search.prefix)
    if after:
        start = max(start, paging.key_after(records.series_row_key(account, after)))
    for row_key, value in paging.rows(
        reading, tables.SERIES, start, stop, size=search.rows_at_a_time(limit)
    ):
        # Most rows are not wanted, and to unpack one takes 2 µs.
        if search.finds(records.unpack_owner(row_key)[1]):
            state = records.unpack_series(row_key, value)
            if state.updated_at >= search.changed_since:
                yield state


def _newest_first(
    reading: Reading, account: int, search: Search, after: Place | None, limit: int
) -> Iterator[Series]:
    until = LAST_VALUE - 1 if after is None else max(after[0], 1)
    range_ = records.change_range(account, since=search.changed_since - NEARNESS, until=until)
    near: list[tuple[int, str, Series]] = []
    for row_key, _ in paging.rows(
        reading, tables.CHANGE_TIMES, *range_, size=search.rows_at_a_time(limit), reverse=True
    ):
        _, listed_at, key = records.unpack_change_row_key(row_key)
        while near and (near[-1][0] >= listed_at + NEARNESS or len(near) == LOOK_AHEAD):
            yield near.pop()[2]
        state = series.get(reading, account, key) if search.finds(key) else None
        if state is not None and state.updated_at >= search.changed_since:
            place = (state.updated_at, key)
            if after is None or place < after:
                insort(near, (*place, state))
    yield from (state for *_, state in reversed(near))
