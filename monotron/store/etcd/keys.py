"""Where the rows of a store are in etcd: every key that is written, and the ranges that are read.

Everything of a store lies below its prefix:

    /PREFIX/@id                      the store's id, written once
    /PREFIX/@restoring               the id that it will get, in place of @id (see replacing.py)
    /PREFIX/@mark/NAME               one for each replica that is running (see mark.py)
    /PREFIX/@rows/TABLE/KEY          the rows
    /PREFIX/@rows/@removals/TABLE    changes whenever rows of the table are removed

No part of a prefix contains an @, so the store at /builds and one at /builds/web never share a key.
"""

from typing import Final

from monotron.store.contract import Table
from monotron.store.rounds import Place, Range

REMOVALS: Final[Table] = b"@removals"
"""The table whose rows are named after the other tables."""


class Keys:
    """The keys of one store."""

    def __init__(self, prefix: str, *, restoring: bool = False) -> None:
        """With `restoring`, they are those of a store whose rows are being replaced."""
        root = f"/{prefix}/" if prefix else "/"
        self._root = root.encode()
        self.restoring = self._root + b"@restoring"
        self.store_id = self.restoring if restoring else self._root + b"@id"
        self._tables: dict[Table, bytes] = {}

    @property
    def rows(self) -> tuple[bytes, bytes]:
        """The first key of all rows, and the first key after them."""
        return self._root + b"@rows/", self._root + b"@rows0"

    def mark(self, name: str) -> bytes:
        """Return the key of a replica's mark."""
        return self._root + b"@mark/" + name.encode()

    def row(self, place: Place) -> bytes:
        """Return the key of a row."""
        table, key = place
        return self._table(table) + key

    def range(self, range_: Range) -> tuple[bytes, bytes]:
        """Return the first key of a range of rows, and the first key after it."""
        table = self._table(range_.table)
        return table + range_.start, table + range_.stop

    def table(self, table: Table) -> tuple[bytes, bytes]:
        """Return the first key of a table, and the first key after it."""
        start = self._table(table)
        return start, start[:-1] + b"0"

    def key_of(self, table: Table, key: bytes) -> bytes:
        """Return the store's key of a row that etcd has at `key`."""
        return key[len(self._table(table)) :]

    def _table(self, table: Table) -> bytes:
        try:
            return self._tables[table]
        except KeyError:
            start = self._tables[table] = self._root + b"@rows/" + table + b"/"
            return start
