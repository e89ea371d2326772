"""Dry runs: an import that sees its own writes and keeps none of them.

What it would write goes to a second store, the scratch store, which is thrown away afterwards. So
an import of any size can report what it would do, with no more memory than the import itself.
"""

from collections.abc import Callable
from typing import TypeVar

from monotron.store import paging
from monotron.store.contract import Reading, Store, StoreFull, Table, Transaction

T = TypeVar("T")


class DryRun:
    """A store as it would be: what the scratch store has is read there, the rest from the store.

    Only one thread may use it.
    """

    def __init__(self, store: Store, scratch: Store) -> None:
        self._store = store
        self._scratch = scratch

    def view(self, fn: Callable[[Reading], T]) -> T:
        """See `contract.Store.view`."""
        return self._store.view(
            lambda below: self._scratch.view(lambda above: fn(_Reading(above, below)))
        )

    def update(self, fn: Callable[[Transaction], T]) -> T:
        """See `contract.Store.update`; the store is only read."""
        try:
            return self._store.view(
                lambda below: self._scratch.update(lambda above: fn(_Overlay(above, below)))
            )
        except StoreFull as error:
            raise StoreFull(
                "the dry run has no room for what the import would write; it needs room in the "
                f"folder for temporary files (TMPDIR): {error}"
            ) from error

    def close(self) -> None:
        """Close both stores."""
        self._scratch.close()
        self._store.close()


class _Reading:
    """A reading in which the scratch store's rows hide the store's; an empty one is a removal."""

    def __init__(self, above: Reading, below: Reading) -> None:
        self._above = above
        self._below = below

    def get(self, table: Table, key: bytes) -> bytes | None:
        """See `contract.Reading.get`."""
        ours = self._above.get(table, key)
        if ours is None:
            return self._below.get(table, key)
        return ours[1:] if ours else None

    def scan(
        self, table: Table, start: bytes, stop: bytes, *, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """See `contract.Reading.scan`."""
        found: list[tuple[bytes, bytes]] = []
        while len(found) < limit:
            ours = self._above.scan(table, start, stop, limit=limit, reverse=reverse)
            theirs = self._below.scan(table, start, stop, limit=limit, reverse=reverse)
            rows = {key: _MARK + value for key, value in theirs} | dict(ours)
            # A side that has more rows is unknown past the last one read.
            ends = [side[-1][0] for side in (ours, theirs) if len(side) == limit]
            if ends and reverse:
                stop = max(ends)
                rows = {key: value for key, value in rows.items() if key >= stop}
            elif ends:
                start = min(ends) + b"\0"
                rows = {key: value for key, value in rows.items() if key < start}
            found += [(key, rows[key][1:]) for key in sorted(rows, reverse=reverse) if rows[key]]
            if not ends:
                break
        return found[:limit]


class _Overlay(_Reading):
    """A transaction that writes to the scratch store."""

    def __init__(self, above: Transaction, below: Reading) -> None:
        super().__init__(above, below)
        self._scratch = above

    def put(self, table: Table, key: bytes, value: bytes) -> None:
        """See `contract.Transaction.put`."""
        self._scratch.put(table, key, _MARK + value)

    def delete(self, table: Table, key: bytes) -> bool:
        """See `contract.Transaction.delete`."""
        there = self.get(table, key) is not None
        if there:
            self._scratch.put(table, key, b"")
        return there

    def delete_range(self, table: Table, start: bytes, stop: bytes) -> int:
        """See `contract.Transaction.delete_range`."""
        return sum(self.delete(table, key) for key, _ in paging.rows(self, table, start, stop))


_MARK = b"+"
