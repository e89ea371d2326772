"""A storage engine in memory, written from the contract alone."""

import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from monotron.core.tables import ALL
from monotron.store.contract import (
    MAX_KEY_BYTES,
    MAX_VALUE_BYTES,
    Reading,
    StoreUnavailable,
    Table,
    Transaction,
)

T = TypeVar("T")


class MemoryStore:
    """One writer at a time changes a copy of all rows, which then takes their place."""

    def __init__(self, tables: Iterable[Table] = ALL) -> None:
        self.rows = _Rows({table: {} for table in tables})
        """Everything in it. An update changes none of them: it puts others in their place."""
        self._writing = threading.Lock()
        self._gate = threading.Condition()
        self._under_way = 0
        self._closed = False

    def view(self, fn: Callable[[Reading], T]) -> T:
        with self._gate:
            self._refuse_if_closed()
        return fn(self.rows)

    def update(self, fn: Callable[[Transaction], T]) -> T:
        with self._gate:
            self._refuse_if_closed()
            self._under_way += 1
        try:
            with self._writing:
                draft = self.rows.copy()
                result = fn(draft)
                self.rows = draft
                return result
        finally:
            with self._gate:
                self._under_way -= 1
                self._gate.notify_all()

    def close(self) -> None:
        with self._gate:
            self._closed = True
            self._gate.wait_for(lambda: self._under_way == 0)

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")


class _Rows:
    """Both sides of the contract: a view's caller is given it as a `Reading`."""

    def __init__(self, tables: dict[Table, dict[bytes, bytes]]) -> None:
        self._tables = tables

    def copy(self) -> "_Rows":
        return _Rows({table: dict(rows) for table, rows in self._tables.items()})

    def get(self, table: Table, key: bytes) -> bytes | None:
        return self._tables[table].get(_checked(key))

    def scan(
        self, table: Table, start: bytes, stop: bytes, *, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        rows = [row for row in self._tables[table].items() if start <= row[0] < stop]
        return sorted(rows, reverse=reverse)[:limit]

    def put(self, table: Table, key: bytes, value: bytes) -> None:
        if len(value) > MAX_VALUE_BYTES:
            raise ValueError(f"a value has up to {MAX_VALUE_BYTES} bytes, not {len(value)}")
        self._tables[table][_checked(key)] = value

    def delete(self, table: Table, key: bytes) -> bool:
        return self._tables[table].pop(_checked(key), None) is not None

    def delete_range(self, table: Table, start: bytes, stop: bytes) -> int:
        rows = self.scan(table, start, stop, limit=len(self._tables[table]))
        for key, _ in rows:
            del self._tables[table][key]
        return len(rows)


def _checked(key: bytes) -> bytes:
    if not 1 <= len(key) <= MAX_KEY_BYTES:
        raise ValueError(f"a key has 1 to {MAX_KEY_BYTES} bytes, not {len(key)}")
    return key
