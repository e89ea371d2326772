"""Paging: many rows, a few at a time, with none left out or repeated."""

from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monotron.core import tables
from monotron.store import paging
from monotron.store.contract import Reading, Store, Transaction
from monotron.store.paging import Page, Row
from tests.support.examples import sharing_fixtures

T = TypeVar("T")

ROWS = tables.SYSTEM


def fill(store: Store, *keys: bytes) -> list[Row]:
    def put(txn: Transaction) -> None:
        for key, _ in paging.rows(txn, ROWS, *paging.EVERYTHING):
            txn.delete(ROWS, key)
        for key in keys:
            txn.put(ROWS, key, b"v" + key)

    store.update(put)
    return sorted((key, b"v" + key) for key in set(keys))


@sharing_fixtures
@given(
    keys=st.lists(st.binary(min_size=1, max_size=2), max_size=12),
    start=st.binary(max_size=2),
    stop=st.binary(max_size=2),
    size=st.integers(1, 13),
    reverse=st.booleans(),
)
def test_rows_are_those_of_the_range_in_order(
    any_store: Store, keys: list[bytes], start: bytes, stop: bytes, size: int, reverse: bool
) -> None:
    every = fill(any_store, *keys)
    found = any_store.view(
        lambda reading: list(paging.rows(reading, ROWS, start, stop, size=size, reverse=reverse))
    )
    expected = [row for row in every if start <= row[0] < stop]
    assert found == (expected[::-1] if reverse else expected)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6])
def test_rows_may_be_deleted_on_the_way(any_store: Store, size: int) -> None:
    every = fill(any_store, *(bytes([number]) for number in range(5)))

    def delete_all(txn: Transaction) -> list[Row]:
        found = []
        for row in paging.rows(txn, ROWS, *paging.EVERYTHING, size=size):
            found.append(row)
            txn.delete(ROWS, row[0])
        return found

    assert any_store.update(delete_all) == every
    assert any_store.view(lambda reading: reading.scan(ROWS, *paging.EVERYTHING, limit=9)) == []


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6])
def test_each_page_has_a_snapshot_of_its_own(any_store: Store, size: int) -> None:
    every = fill(any_store, b"a", b"c", b"e", b"g", b"i")
    views = 0

    def view(fn: Callable[[Reading], T]) -> T:
        nonlocal views
        views += 1
        return any_store.view(fn)

    def read(reading: Reading, after: bytes | None) -> Page[Row, bytes]:
        return paging.page(reading, ROWS, after, size=size)

    assert list(paging.through(view, read)) == every
    # A full page cannot tell whether it is the last one.
    assert views == 5 // size + 1


def test_what_is_written_between_two_pages_is_in_the_later_one(any_store: Store) -> None:
    fill(any_store, b"a", b"c")

    def read(reading: Reading, after: bytes | None) -> Page[Row, bytes]:
        return paging.page(reading, ROWS, after, size=1)

    found = paging.through(any_store.view, read)
    assert next(found) == (b"a", b"va")
    # Were a snapshot held between two pages, this would be waited for or not seen.
    any_store.update(lambda txn: txn.put(ROWS, b"A", b""))
    any_store.update(lambda txn: txn.put(ROWS, b"b", b"vb"))
    assert list(found) == [(b"b", b"vb"), (b"c", b"vc")]


def test_each_page_can_be_an_update_of_its_own(any_store: Store) -> None:
    fill(any_store, b"a", b"b", b"c")

    def raise_some(txn: Transaction, after: bytes | None) -> Page[Row, bytes]:
        page = paging.page(txn, ROWS, after, size=2)
        for key, value in page.items:
            txn.put(ROWS, key, value + b"!")
        return page

    assert len(list(paging.through(any_store.update, raise_some))) == 3
    rows = any_store.view(lambda reading: reading.scan(ROWS, *paging.EVERYTHING, limit=9))
    assert rows == [(b"a", b"va!"), (b"b", b"vb!"), (b"c", b"vc!")]
