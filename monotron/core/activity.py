"""Activity: how many numbers were given out in each hour or day of UTC.

That of a series is in its history. That of an account is in a table of its own, with a row for each
hour. To count there in each call would cost a write, so what calls have given out waits in memory
until one of them takes it along, see `monotron.core.pending`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from monotron.core import history, records, tables
from monotron.core.errors import InvalidName
from monotron.core.records import Series
from monotron.limits import ACTIVITY_DAYS
from monotron.store.contract import Reading, Transaction

HOUR = 3_600_000_000
DAY = 24 * HOUR
"""In microseconds."""

UNITS = {"hour": HOUR, "day": DAY}
MOST = {HOUR: ACTIVITY_DAYS * 24, DAY: ACTIVITY_DAYS}
"""How many hours or days there are: as many as are kept."""

Hour = tuple[int, int]
"""An account, and an hour counted from 1970-01-01T00:00:00Z."""


@dataclass(frozen=True, slots=True)
class Spans:
    """The last hours or days, the current one included."""

    unit: int
    """How long each one is, in microseconds."""
    count: int
    now: int
    """Microseconds since 1970-01-01T00:00:00Z."""

    @property
    def since(self) -> int:
        """Return when the first one begins."""
        return (self.now // self.unit - self.count + 1) * self.unit

    @property
    def starts(self) -> list[int]:
        """Return when each one begins, oldest first."""
        return [self.since + place * self.unit for place in range(self.count)]

    def counted(self, given: Iterable[tuple[int, int]]) -> list[int]:
        """Return how many numbers were given out in each one, from times and counts."""
        totals = [0] * self.count
        first = self.since // self.unit
        for at, count in given:
            place = at // self.unit - first
            # A clock that was wrong may have noted a time that is still to come.
            if 0 <= place < self.count:
                totals[place] += count
        return totals


def unit_named(text: str) -> int:
    """Return the unit that `text` names; raises `InvalidName` if it names none."""
    try:
        return UNITS[text]
    except KeyError:
        raise InvalidName(f"by must be {' or '.join(UNITS)}") from None


def of_series(reading: Reading, series: Series, spans: Spans, *, keep: int) -> list[int]:
    """Return the numbers of a series in each span, from its newest `keep` values, oldest first."""
    return spans.counted(history.times(reading, series, since=spans.since, keep=keep))


def complete_since(reading: Reading, series: Series, *, keep: int) -> int | None:
    """Return from when on the history of a series holds every value; None if it holds them all."""
    oldest = history.oldest(reading, series, keep=keep)
    if oldest is None:
        return series.updated_at if series.given else None
    number, created_at = oldest
    return None if number == 1 else created_at


def of_account(
    reading: Reading, account: int, spans: Spans, pending: Mapping[Hour, int]
) -> list[int]:
    """Return the numbers of an account in each span, oldest first; `pending` are counted too."""
    first = spans.since // HOUR
    range_ = records.activity_range(account, first=first, before=spans.now // HOUR + 1)
    rows = reading.scan(tables.ACTIVITY, *range_, limit=MOST[HOUR] + 1)
    kept = (
        (records.unpack_activity_row_key(row_key)[1] * HOUR, records.unpack_counter(value))
        for row_key, value in rows
    )
    waiting = ((hour * HOUR, count) for (owner, hour), count in pending.items() if owner == account)
    return spans.counted((*kept, *waiting))


def add(txn: Transaction, counts: Mapping[Hour, int]) -> None:
    """Add to the counts of accounts. A new hour removes those of its account that are too old."""
    for (account, hour), count in counts.items():
        row_key = records.activity_row_key(account, hour)
        before = txn.get(tables.ACTIVITY, row_key)
        if before is None:
            old = records.activity_range(account, before=hour - MOST[HOUR] + 1)
            txn.delete_range(tables.ACTIVITY, *old)
            total = count
        else:
            total = records.unpack_counter(before) + count
        txn.put(tables.ACTIVITY, row_key, records.pack_counter(total))
