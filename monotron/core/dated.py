"""Calendar versions that tokens got, and the scheme of each name.

A version belongs to the series that counted it, `{name}-micro-v{period}`, and is forgotten with it.
"""

import re
from collections.abc import Iterator

from monotron.core import records, tables
from monotron.core.records import Calendar, Dated
from monotron.store import paging
from monotron.store.contract import Reading, Transaction


def series_key(name: str, period: str) -> str:
    """Return the key of the series that counts a period."""
    return f"{name}-micro-v{period}"


def calendar(reading: Reading, account: int, name: str) -> Calendar | None:
    """Return the scheme and the latest period of a name, or None before its first version."""
    value = reading.get(tables.CALENDARS, records.series_row_key(account, name))
    return None if value is None else records.unpack_calendar(value)


def find(reading: Reading, account: int, name: str, token: str) -> Dated | None:
    """Return the version that a token got, or None if it has none."""
    value = reading.get(tables.DATED, records.dated_row_key(account, name, token))
    return None if value is None else records.unpack_dated(value)


def remember(txn: Transaction, account: int, name: str, scheme: str, dated: Dated) -> None:
    """Store the version that a token got, and its period if it is the latest of the name."""
    txn.put(
        tables.DATED, records.dated_row_key(account, name, dated.token), records.pack_dated(dated)
    )
    there = calendar(txn, account, name)
    if there is None or _order(there.period) < _order(dated.period):
        row_key = records.series_row_key(account, name)
        txn.put(tables.CALENDARS, row_key, records.pack_calendar(Calendar(scheme, dated.period)))


def all_of(reading: Reading, account: int, name: str) -> Iterator[Dated]:
    """Iterate over the versions of a name."""
    for _, value in paging.rows(reading, tables.DATED, *records.dated_range(account, name)):
        yield records.unpack_dated(value)


def forget(txn: Transaction, account: int, key: str) -> None:
    """Forget the versions that a series has counted, if its key is that of a period.

    With its last version, a name forgets its scheme.
    """
    match = _COUNTS.fullmatch(key)
    if match is None:
        return
    name, period = match.groups()
    left = ""
    for dated in all_of(txn, account, name):
        if dated.period == period:
            txn.delete(tables.DATED, records.dated_row_key(account, name, dated.token))
        else:
            left = max(left, dated.period, key=_order)
    there = calendar(txn, account, name)
    row_key = records.series_row_key(account, name)
    if there is not None and not left:
        txn.delete(tables.CALENDARS, row_key)
    elif there is not None and left != there.period:
        txn.put(tables.CALENDARS, row_key, records.pack_calendar(Calendar(there.scheme, left)))


def _order(period: str) -> list[int]:
    """Return what puts the periods of one scheme in order."""
    return [int(part) for part in period.split(".") if part]


_COUNTS = re.compile(r"(.+)-micro-v([0-9]+(?:\.[0-9]+){0,2})", re.DOTALL)
