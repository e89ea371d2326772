"""Paging: going through many rows, a few at a time.

`rows` stays within one transaction. `through` uses one transaction for each page, and is for work
that takes long: the pages of a snapshot cannot be reused while it is held, so the store would grow
beside busy writers.
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
"""The first key of a range of rows, and the first key after it."""

EVERYTHING: Final[Range] = (b"", b"\xff" * (MAX_KEY_BYTES + 1))

PAGE_ROWS = 1_000
"""How many rows are read at a time by default."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T, After]):
    """A part of an ordered sequence."""

    items: list[T]
    next: After | None
    """Where the next page continues: the last item's position; None on the last page."""


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
    """Iterate over every row with `start <= key < stop` in order, `size` in memory at a time.

    With `reverse`, the last row comes first. It is valid as long as `reading` is. Rows that it has
    yielded may be deleted meanwhile.
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
    """Return the first `size` rows of a table after the key `after`, or its first rows if None."""
    start, stop = EVERYTHING
    found = reading.scan(table, start if after is None else key_after(after), stop, limit=size)
    return Page(found, found[-1][0] if len(found) == size else None)


def through(
    run: Callable[[Callable[[Txn], Page[T, After]]], Page[T, After]],
    read: Callable[[Txn, After | None], Page[T, After]],
) -> Iterator[T]:
    """Iterate over the items of every page that `read` returns.

    `read` gets the position that its page continues after, None for the first. `run` is a store's
    `view`, or its `update` if `read` writes. It runs once for each page, so writes that others make
    between two pages may show in the later one.
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
