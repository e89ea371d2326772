"""Search: pages of an account's series, by key, by their last change, or by value."""

import re
from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nlargest
from itertools import islice

from monotron.core import records, series, tables
from monotron.core.changes import NEARNESS
from monotron.core.folding import Folding
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
"""When a series changed, or its value, and its key: a place in an order that begins with the
highest."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched for: the series that meet all of these."""

    prefix: str = ""
    """What the key starts with."""
    contains: str = ""
    """What is anywhere in the key, in upper or lower case."""
    changed_since: int = 0
    """When the series changed, or before that; microseconds since 1970-01-01T00:00:00Z."""
    find: str = ""
    """What is anywhere in the key, or what the token or the version starts with, in any case."""
    folded: bool = False
    """Whether one series stands for all that count the versions of a name."""

    def finds(self, key: str) -> bool:
        """Return whether a key may be one of those that are searched for."""
        if not key.startswith(self.prefix):
            return False
        return not self.contains or self.contains.casefold() in key.casefold()

    def rows_at_a_time(self, limit: int) -> int:
        """Return how many rows to read at a time for a page: few, unless most are not wanted."""
        whole = self.contains or self.find or self.changed_since
        return PAGE_ROWS if whole else max(limit + 1, LEAST_ROWS)


def by_key(
    reading: Reading,
    account: int,
    search: Search,
    *,
    after: str | None,
    limit: int,
    folding: Folding | None = None,
) -> Page[Series, str]:
    """Return up to `limit` of the series, ordered by key, that come after `after`.

    Whoever needs the versions of what is found hands in the folding that has read them.
    """
    start, stop = records.series_range(account, search.prefix)
    if after:
        start = max(start, paging.key_after(records.series_row_key(account, after)))
    wanted = _Wanted(search, folding or Folding(reading, account))
    rows = paging.rows(reading, tables.SERIES, start, stop, size=search.rows_at_a_time(limit))
    found = list(islice((row for row in rows if wanted.has(*row)), limit + 1))
    states = [records.unpack_series(*row) for row in found[:limit]]
    return Page(states, states[-1].key if len(found) > limit else None)


def by_change(
    reading: Reading,
    account: int,
    search: Search,
    *,
    after: Place | None,
    limit: int,
    folding: Folding | None = None,
) -> Page[Series, Place]:
    """Return up to `limit` of the series that come after `after`, the newest change first.

    Those that changed at the same time are in the reverse order of their keys.
    """
    wanted = _Wanted(search, folding or Folding(reading, account))
    if search.find:
        # The index of changes has no tokens: to look up each series takes longer than to sort.
        return _highest(reading, account, wanted, _CHANGE, after, limit)
    found = list(islice(_newest_first(reading, account, wanted, after, limit), limit + 1))
    last = found[limit - 1] if len(found) > limit else None
    return Page(found[:limit], None if last is None else (last.updated_at, last.key))


def by_value(
    reading: Reading,
    account: int,
    search: Search,
    *,
    after: Place | None,
    limit: int,
    folding: Folding | None = None,
) -> Page[Series, Place]:
    """Return up to `limit` of the series that come after `after`, the highest value first.

    Those of the same value are in the reverse order of their keys. Values have no index, which each
    number would have to keep up to date: it looks at every row.
    """
    wanted = _Wanted(search, folding or Folding(reading, account))
    return _highest(reading, account, wanted, _VALUE, after, limit)


class _Wanted:
    """Tells which rows of series are wanted. Most are not, and to unpack one takes 2 µs."""

    def __init__(self, search: Search, folding: Folding) -> None:
        self.search = search
        self._folding = folding
        self._find = search.find.casefold()
        start = _VERSION_START.fullmatch(self._find)
        self._version = start[1] if start else ""

    def has(self, row_key: bytes, value: bytes) -> bool:
        """Return whether a row is that of a series that is searched for."""
        search = self.search
        key = records.unpack_owner(row_key)[1]
        if not search.finds(key) or not self._finds(key, value):
            return False
        since = search.changed_since
        if since and records.unpack_series_order(value)[1] < since:
            return False
        return self.lists(key)

    def lists(self, key: str) -> bool:
        """Return whether a series is listed, and not another one that stands for it."""
        return not self.search.folded or self._folding.is_listed(key)

    def _finds(self, key: str, value: bytes) -> bool:
        if not self._find or self._find in key.casefold():
            return True
        if records.unpack_series_token(value).casefold().startswith(self._find):
            return True
        there = self._folding.version_at(key) if self._version else None
        return there is not None and str(there.version).casefold().startswith(self._version)


def _highest(
    reading: Reading,
    account: int,
    wanted: _Wanted,
    order: int,
    after: Place | None,
    limit: int,
) -> Page[Series, Place]:
    """Return a page of the series with the highest place in an order of `unpack_series_order`."""
    end = None if after is None else (after[0], records.series_row_key(account, after[1]))

    def places() -> Iterator[tuple[int, bytes, bytes]]:
        range_ = records.series_range(account, wanted.search.prefix)
        for row_key, value in paging.rows(reading, tables.SERIES, *range_):
            number = records.unpack_series_order(value)[order]
            if (end is None or (number, row_key) < end) and wanted.has(row_key, value):
                yield number, row_key, value

    found = nlargest(limit + 1, places())
    states = [records.unpack_series(*row) for _, *row in found[:limit]]
    return Page(states, (found[limit - 1][0], states[-1].key) if len(found) > limit else None)


def _newest_first(
    reading: Reading, account: int, wanted: _Wanted, after: Place | None, limit: int
) -> Iterator[Series]:
    search = wanted.search
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
            if (after is None or place < after) and wanted.lists(key):
                insort(near, (*place, state))
    yield from (state for *_, state in reversed(near))


_VALUE, _CHANGE = 0, 1
"""The places of an order in what `unpack_series_order` returns."""

_VERSION_START = re.compile(r"v?([0-9][0-9a-z.-]*)")
