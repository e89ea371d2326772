"""A data file that nobody writes, such as a backup: verified, then read."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import lmdb
from lmdb.verify import VerifyError, verify

from monotron.store.contract import StoreCorrupt, StoreUnavailable, Table
from monotron.store.lmdb import LmdbReading, Tables


class FileReading(LmdbReading):
    """What a data file holds. A table that is younger than the file is empty."""

    def get(self, table: Table, key: bytes) -> bytes | None:
        """See `contract.Reading.get`."""
        return super().get(table, key) if table in self._tables else None

    def scan(
        self, table: Table, start: bytes, stop: bytes, *, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """See `contract.Reading.scan`."""
        if table not in self._tables:
            return []
        return super().scan(table, start, stop, limit=limit, reverse=reverse)

    def count(self, table: Table) -> int:
        """Give how many rows a table has."""
        return self._txn.stat(self._tables[table])["entries"] if table in self._tables else 0


@contextmanager
def reading_file(data: Path) -> Iterator[FileReading]:
    """Read a data file that nobody writes and that `verify_file` has found whole.

    Raises `StoreCorrupt` where it cannot be opened.
    """
    tables: Tables = {}
    try:
        with (
            lmdb.open(
                os.fsencode(data),
                subdir=False,
                readonly=True,
                lock=False,
                max_dbs=len(Table) + 16,
                lib_version=0,
            ) as env,
            env.begin() as txn,
        ):
            for table in Table:
                with suppress(lmdb.NotFoundError):
                    tables[table] = env.open_db(table.value.encode(), txn, create=False)
            if Table.SERIES not in tables:
                raise StoreCorrupt(f"{data} is an LMDB file, but holds no series")
            yield FileReading(txn, tables)
    except lmdb.Error as error:
        raise StoreCorrupt(f"{data} cannot be read: {error.reason or error}") from error


def verify_file(data: Path) -> list[str]:
    """Give what is wrong with the pages of a data file that nobody writes; nothing if it is whole.

    It never hands the file to LMDB, which may crash on a damaged one. Raises `StoreUnavailable`
    where it cannot be read at all.
    """
    try:
        problems: list[str] = verify(data)  # type: ignore[no-untyped-call]
    except VerifyError as error:
        return [str(error)]
    except OSError as error:
        raise StoreUnavailable(f"{data} cannot be read: {error.strerror}") from error
    return problems
