"""Exporting: everything in a store as lines, one after the other.

It reads a page at a time, in many short views: a snapshot that is held makes the store grow. So
each line is consistent in itself, and the lines are in an order that makes up for what happens
between two pages. The answers of retries come before the series, so none is beyond its series.
Versions come after them, and an import moves a series up to them where it has to.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from monotron.core import accounts, api_keys, history, records, series, tables
from monotron.limits import PAGE_ROWS
from monotron.store.contract import Reading, Store, Table
from monotron.transfer.lines import (
    AccountLine,
    ApiKeyIdsLine,
    ApiKeyLine,
    AttributeLine,
    BumpLine,
    EndLine,
    Line,
    RetryLine,
    SeriesLine,
)

T = TypeVar("T")

PAGE_ENTRIES = 10_000
"""Entries of history after which a page of series ends; one series may have more by itself."""

ATTRIBUTE_ROWS = 100
"""Rows in a page of attributes: each may have 64 KiB."""


def lines(store: Store) -> Iterator[Line]:
    """Give everything there is, in the order in which an import needs it."""
    yield from _of_rows(store, tables.ACCOUNTS, _account)
    yield from _api_keys(store)
    yield from _of_rows(store, tables.RETRY_TIMES, _retry)
    for account in _accounts(store):
        yield from _series(store, account)
    yield from _of_rows(store, tables.ATTRIBUTES, _attribute, limit=ATTRIBUTE_ROWS)
    yield from _of_rows(store, tables.BUMPS, _bump)
    yield EndLine()


def _of_rows(
    store: Store,
    table: Table,
    make: Callable[[Reading, bytes, bytes], T | None],
    limit: int = PAGE_ROWS,
) -> Iterator[T]:
    """Give what `make` makes of each row of a table, where it makes something."""
    after = b""

    def read(reading: Reading) -> tuple[bytes, list[T | None]]:
        rows = reading.scan(table, *records.rows_after(after), limit=limit)
        return rows[-1][0] if rows else b"", [make(reading, *row) for row in rows]

    while True:
        after, made = store.view(read)
        yield from (each for each in made if each is not None)
        if not after:
            return


def _account(reading: Reading, row: bytes, value: bytes) -> Line:
    return AccountLine(records.unpack_account(row), records.unpack_account_time(value))


def _api_keys(store: Store) -> Iterator[Line]:
    """Give the API keys in the order of their ids, and then how many ids there were.

    An import gives an id only if it is beyond those that were used. The store has no such order,
    and so this is the one list that is held as a whole, if only as ids and keys.
    """
    keys = list(
        _of_rows(store, tables.GRANTS, lambda _, row, key: (*records.unpack_grant(row), key))
    )
    for _, _, key in sorted(keys, key=lambda each: each[1]):
        api_key = store.view(lambda reading, key=key: api_keys.find(reading, key.decode()))  # type: ignore[misc]
        if api_key is not None:
            yield ApiKeyLine(api_key)
    if last := store.view(api_keys.last_id):
        yield ApiKeyIdsLine(last)


def _retry(reading: Reading, row: bytes, _: bytes) -> Line | None:
    retry_row = records.retry_of_time_row(row)
    value = reading.get(tables.RETRIES, retry_row)
    if value is None:
        return None
    account, digest = records.unpack_retry_row(retry_row)
    return RetryLine(account, digest, records.unpack_retry(value), records.unpack_retry_time(row))


def _accounts(store: Store) -> Iterator[int]:
    after: int | None = None
    while True:
        page = store.view(
            lambda reading, after=after: accounts.page(reading, after=after, limit=PAGE_ROWS)  # type: ignore[misc]
        )
        yield from page.accounts
        after = page.next
        if after is None:
            return


def _series(store: Store, account: int) -> Iterator[Line]:
    after: str | None = ""

    def read(reading: Reading) -> tuple[str | None, list[SeriesLine]]:
        page = series.page(reading, account, prefix="", after=after or "", limit=PAGE_ROWS)
        found: list[SeriesLine] = []
        entries = 0
        for each in page.series:
            given_out = history.stored(reading, each)
            # Which row is the newest is for the next store to decide.
            found.append(SeriesLine(replace(each, history=0), given_out))
            entries += len(found[-1].history)
            if entries >= PAGE_ENTRIES:
                return each.key, found
        return page.next, found

    while after is not None:
        after, found = store.view(read)
        yield from found


def _attribute(reading: Reading, row: bytes, value: bytes) -> Line:
    return AttributeLine(*records.unpack_owner(row), records.unpack_attribute(value))


def _bump(reading: Reading, row: bytes, value: bytes) -> Line:
    return BumpLine(*records.unpack_owner(row), records.unpack_bump(value))
