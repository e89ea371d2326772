"""The row by which a store is tried out."""

import struct

from monotron.core import tables
from monotron.store.contract import Reading, StoreCorrupt, Transaction


def write(txn: Transaction, now: int) -> None:
    """Write the time, in microseconds since 1970-01-01T00:00:00Z."""
    txn.put(tables.SYSTEM, _KEY, _TIME.pack(_FORMAT, now))


def read(reading: Reading) -> int | None:
    """Give the time of the last `write`, or None before the first."""
    value = reading.get(tables.SYSTEM, _KEY)
    if value is None:
        return None
    try:
        _, written_at = _TIME.unpack(value)
    except struct.error as error:
        raise StoreCorrupt(f"the row by which the store is tried is damaged: {error}") from error
    return int(written_at)


_KEY = b"probe"
_FORMAT = 1
_TIME = struct.Struct(">Bq")
