"""Paging: going through many rows, few at a time.

`rows` stays within one transaction. `through` has one of its own for each page, and is for whatever
takes long: what a snapshot shows cannot be written over while it is held, so the store grows beside
busy writers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from monotron.store.contract import MAX_KEY_BYTES, Reading, Table

T = TypeVar("T")
After = TypeVar("After")
Txn = TypeVar("Txn", bound=Reading)

Row = tuple[bytes, bytes]
"""A key and its value."""

Range = tuple[bytes, bytes]
"""The first key of a range of rows, and the first one behind it."""

EVERYTHING: Final[Range] = (b"", b"\xff" * (MAX_KEY_BYTES + 1))

PAGE_ROWS = 1_000
"""How many rows are read at a time, if nothing else is said."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T, After]):
    """A part of something that has an order."""

    items: list[T]
    next: After | None
    """What the next page comes after; None on the last one."""


def key_after(key: bytes) -> bytes:
    """Return the least key that is greater than `key`."""
    return key + b"\0"


def rows(
    reading: Reading,
    table: Table,
    start: bytes,
    stop: bytes,
    *,
    size: int = PAGE_ROWS,
    reverse: bool = False,
) -> Iterator[Row]:
    """Return every row with `start <= key < stop` in order, `size` of them in memory at a time.

    With `reverse`, the last one first. It is valid as long as `reading` is. The rows that it has
    returned may be deleted meanwhile.
    """
    while found := reading.scan(table, start, stop, limit=size, reverse=reverse):
        yield from found
        if len(found) < size:
            return
        if reverse:
            stop = found[-1][0]
        else:
            start = key_after(found[-1][0])


def page(reading: Reading, table: Table, after: bytes | None, *, size: int) -> Page[Row, bytes]:
    """Return the first `size` rows of a table with keys greater than `after`; None for all keys."""
    start, stop = EVERYTHING
    found = reading.scan(table, start if after is None else key_after(after), stop, limit=size)
    return Page(found, found[-1][0] if len(found) == size else None)


def through(
    run: Callable[[Callable[[Txn], Page[T, After]]], Page[T, After]],
    read: Callable[[Txn, After | None], Page[T, After]],
) -> Iterator[T]:
    """Return the items of every page that `read` returns, which is told what it comes after.

    `run` is a store's `view`, or its `update` if `read` writes. It runs once for each page, so what
    others write between two pages may be in the later one.
    """
    after: After | None = None

    def read_next(txn: Txn) -> Page[T, After]:
        return read(txn, after)

    while True:
        part = run(read_next)
        yield from part.items
        after = part.next
        if after is None:
            return
