"""The probe: a row that is written and read to see whether the store works."""

from monotron.core import records, tables
from monotron.store.contract import Reading, Transaction


def write(txn: Transaction, now: int) -> None:
    """Write the time, in microseconds since 1970-01-01T00:00:00Z."""
    txn.put(tables.SYSTEM, records.PROBE_ROW_KEY, records.pack_probe(now))


def read(reading: Reading) -> int | None:
    """Return the time of the last `write`, or None before the first."""
    value = reading.get(tables.SYSTEM, records.PROBE_ROW_KEY)
    return None if value is None else records.unpack_probe(value)
