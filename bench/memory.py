"""Rows in memory, in the order of their keys: what the rules cost without an engine."""

from bisect import bisect_left, insort

from monotron.store.contract import Table


class Memory:
    """A transaction on rows in memory, whose writes are kept at once."""

    def __init__(self) -> None:
        self._rows: dict[tuple[Table, bytes], bytes] = {}
        self._keys: list[tuple[Table, bytes]] = []

    def get(self, table: Table, key: bytes) -> bytes | None:
        """See `contract.Reading.get`."""
        return self._rows.get((table, key))

    def scan(
        self, table: Table, start: bytes, stop: bytes, *, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """See `contract.Reading.scan`."""
        first, last = (bisect_left(self._keys, (table, bound)) for bound in (start, stop))
        if reverse:
            found = self._keys[max(first, last - limit) : last][::-1]
        else:
            found = self._keys[first : min(last, first + limit)]
        return [(at[1], self._rows[at]) for at in found]

    def put(self, table: Table, key: bytes, value: bytes) -> None:
        """See `contract.Transaction.put`."""
        if (table, key) not in self._rows:
            insort(self._keys, (table, key))
        self._rows[table, key] = value

    def delete(self, table: Table, key: bytes) -> bool:
        """See `contract.Transaction.delete`."""
        if (table, key) not in self._rows:
            return False
        del self._rows[table, key]
        del self._keys[bisect_left(self._keys, (table, key))]
        return True

    def delete_range(self, table: Table, start: bytes, stop: bytes) -> int:
        """See `contract.Transaction.delete_range`."""
        rows = self.scan(table, start, stop, limit=len(self._keys))
        return sum(self.delete(table, key) for key, _ in rows)
