"""Exporting: everything in a store, as lines.

It reads a page at a time, in many short views, because holding a snapshot makes the store grow. So
each line is consistent in itself, and the order of the lines makes up for changes between two
pages. Answers to retries come before the series, so none is ahead of its series. Versions come
after the series, and an import moves a series up to them if necessary.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from monotron.core import accounts, api_keys, dated, history, records, search, tables
from monotron.core.search import Search
from monotron.store import paging
from monotron.store.contract import Reading, Store, Table
from monotron.store.paging import PAGE_ROWS, Page
from monotron.transfer.lines import (
    AccountLine,
    ActivityLine,
    ApiKeyIdsLine,
    ApiKeyLine,
    ApiKeyNameLine,
    AttributeLine,
    BumpLine,
    DatedLine,
    EndLine,
    LimitLine,
    Line,
    RetryLine,
    SeriesLine,
)

T = TypeVar("T")

PAGE_ENTRIES = 10_000
"""Entries of history after which a page of series ends; a single series may have more."""

ATTRIBUTE_ROWS = 100
"""Rows in a page of attributes, each of which may have 64 KiB."""


def lines(store: Store) -> Iterator[Line]:
    """Iterate over everything in the store, in the order in which an import needs it."""
    yield from _of_rows(store, tables.ACCOUNTS, _account)
    yield from _api_keys(store)
    yield from _of_rows(store, tables.RETRY_TIMES, _retry)
    yield from _of_rows(store, tables.LIMITS, _limit)
    for account in _accounts(store):
        yield from _series(store, account)
    yield from _of_rows(store, tables.ATTRIBUTES, _attribute, size=ATTRIBUTE_ROWS)
    yield from _of_rows(store, tables.BUMPS, _bump)
    yield from _of_rows(store, tables.DATED, _dated)
    yield from _of_rows(store, tables.ACTIVITY, _activity)
    yield EndLine()


def _of_rows(
    store: Store,
    table: Table,
    make: Callable[[Reading, bytes, bytes], T | None],
    size: int = PAGE_ROWS,
) -> Iterator[T]:
    """Iterate over what `make` returns for each row of a table, without the Nones."""

    def read(reading: Reading, after: bytes | None) -> Page[T | None, bytes]:
        page = paging.page(reading, table, after, size=size)
        return Page([make(reading, *row) for row in page.items], page.next)

    return (each for each in paging.through(store.view, read) if each is not None)


def _account(reading: Reading, row_key: bytes, value: bytes) -> Line:
    return AccountLine(records.unpack_account_row_key(row_key), records.unpack_account(value))


def _api_keys(store: Store) -> Iterator[Line]:
    """Iterate over the API keys in the order of their ids, then the last id used.

    An import keeps an id only if it is above every id used so far. The store does not have this
    order, so this is the only list that is held in memory, if only as ids and keys.
    """
    for _, key in sorted(_of_rows(store, tables.GRANTS, _grant)):
        api_key = store.view(lambda reading, key=key: api_keys.find(reading, key.decode()))  # type: ignore[misc]
        if api_key is not None:
            yield ApiKeyLine(api_key)
    yield from _of_rows(store, tables.API_KEY_NAMES, _api_key_name)
    if last := store.view(api_keys.last_id):
        yield ApiKeyIdsLine(last)


def _grant(reading: Reading, row_key: bytes, key: bytes) -> tuple[int, bytes]:
    _, number = records.unpack_grant_row_key(row_key)
    return number, key


def _retry(reading: Reading, row_key: bytes, _: bytes) -> Line | None:
    retry_row_key = records.retry_row_key_of_time(row_key)
    value = reading.get(tables.RETRIES, retry_row_key)
    if value is None:
        return None
    account, digest = records.unpack_retry_row_key(retry_row_key)
    made_at = records.unpack_retry_time_row_key(row_key)
    return RetryLine(account, digest, records.unpack_retry(value), made_at)


def _accounts(store: Store) -> Iterator[int]:
    def read(reading: Reading, after: int | None) -> Page[int, int]:
        return accounts.page(reading, after=after, limit=PAGE_ROWS)

    return paging.through(store.view, read)


def _series(store: Store, account: int) -> Iterator[Line]:
    def read(reading: Reading, after: str | None) -> Page[SeriesLine, str]:
        page = search.by_key(reading, account, Search(), after=after, limit=PAGE_ROWS)
        found: list[SeriesLine] = []
        entries = 0
        for each in page.items:
            given_out = history.stored(reading, each)
            # The store that imports it has rows and indexes of its own.
            state = replace(each, history=0, indexed=0, buckets=0, listed_at=0, newest_row=b"")
            found.append(SeriesLine(state, given_out))
            entries += len(found[-1].history)
            if entries >= PAGE_ENTRIES:
                return Page(found, each.key)
        return Page(found, page.next)

    return paging.through(store.view, read)


def _limit(reading: Reading, row_key: bytes, value: bytes) -> Line:
    return LimitLine(*records.unpack_owner(row_key), records.unpack_limit(value))


def _api_key_name(reading: Reading, row_key: bytes, value: bytes) -> Line:
    return ApiKeyNameLine(row_key.decode(), records.unpack_api_key_name(value))


def _activity(reading: Reading, row_key: bytes, value: bytes) -> Line:
    return ActivityLine(*records.unpack_activity_row_key(row_key), records.unpack_counter(value))


def _attribute(reading: Reading, row_key: bytes, value: bytes) -> Line:
    return AttributeLine(*records.unpack_owner(row_key), records.unpack_attribute(value))


def _bump(reading: Reading, row_key: bytes, value: bytes) -> Line:
    return BumpLine(*records.unpack_owner(row_key), records.unpack_bump(value))


def _dated(reading: Reading, row_key: bytes, value: bytes) -> Line | None:
    account, name = records.unpack_owner(row_key)
    calendar = dated.calendar(reading, account, name)
    # Without it, the version was forgotten between two pages.
    if calendar is None:
        return None
    return DatedLine(account, name, calendar.scheme, records.unpack_dated(value))
