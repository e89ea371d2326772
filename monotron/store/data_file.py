"""A data file that nobody writes to, such as a backup: verified, then read."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import lmdb
from lmdb.verify import VerifyError, verify

from monotron.store.contract import StoreCorrupt, StoreUnavailable, Table
from monotron.store.lmdb import SPARE_TABLES, Handles, LmdbReading, no_address_space


class FileReading(LmdbReading):
    """A reading of a data file. A table that is newer than the file is empty."""

    def get(self, table: Table, key: bytes) -> bytes | None:
        """See `contract.Reading.get`."""
        return super().get(table, key) if table in self._handles else None

    def scan(
        self, table: Table, start: bytes, stop: bytes, *, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """See `contract.Reading.scan`."""
        if table not in self._handles:
            return []
        return super().scan(table, start, stop, limit=limit, reverse=reverse)

    def count(self, table: Table) -> int:
        """Return how many rows a table has."""
        return self._txn.stat(self._handles[table])["entries"] if table in self._handles else 0


@contextmanager
def reading_file(data: Path, tables: Sequence[Table]) -> Iterator[FileReading]:
    """Read a data file that nobody writes to and that `verify_file` has found intact.

    It must contain the first of the `tables`. Raises `StoreCorrupt` if it does not, or if the file
    cannot be opened, and `StoreUnavailable` if this process may not map so large a file.
    """
    handles: Handles = {}
    try:
        with (
            lmdb.open(
                os.fsencode(data),
                subdir=False,
                readonly=True,
                lock=False,
                max_dbs=len(tables) + SPARE_TABLES,
                lib_version=0,
            ) as env,
            env.begin() as txn,
        ):
            for table in tables:
                with suppress(lmdb.NotFoundError):
                    handles[table] = env.open_db(table, txn, create=False)
            if tables[0] not in handles:
                raise StoreCorrupt(f"{data} is an LMDB file, but has no table {tables[0].decode()}")
            yield FileReading(txn, handles)
    except lmdb.Error as error:
        if error.code == errno.ENOMEM:
            raise no_address_space(data.stat().st_size) from error
        raise StoreCorrupt(f"{data} cannot be read: {error.reason or error}") from error


def verify_file(data: Path) -> list[str]:
    """Return the problems in the pages of a data file that nobody writes to; none if it is intact.

    It never hands the file to LMDB, which may crash on a damaged one. Raises `StoreUnavailable` if
    it cannot be read at all.
    """
    try:
        problems: list[str] = verify(data)  # type: ignore[no-untyped-call]
    except VerifyError as error:
        return [str(error)]
    except OSError as error:
        raise StoreUnavailable(f"{data} cannot be read: {error.strerror}") from error
    return problems
