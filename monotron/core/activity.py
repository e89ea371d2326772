"""Activity: how many numbers were given out in each hour or day of UTC."""

from collections.abc import Iterator
from dataclasses import dataclass

from monotron.core import history
from monotron.core.records import Series
from monotron.store.contract import Reading

HOUR = 3_600_000_000
DAY = 24 * HOUR
"""In microseconds."""


@dataclass(frozen=True, slots=True)
class Spans:
    """The last hours or days, the current one included."""

    unit: int
    """How long each one is, in microseconds."""
    count: int
    now: int
    """Microseconds since 1970-01-01T00:00:00Z."""

    @property
    def starts(self) -> list[int]:
        """Return when each one begins, oldest first."""
        first = (self.now // self.unit - self.count + 1) * self.unit
        return [first + place * self.unit for place in range(self.count)]

    def counted(self, given: Iterator[tuple[int, int]]) -> list[int]:
        """Return how many numbers were given out in each one, from times and counts."""
        totals = [0] * self.count
        first = self.now // self.unit - self.count + 1
        for at, count in given:
            place = at // self.unit - first
            # A clock that was wrong may have given a time that is still to come.
            if 0 <= place < self.count:
                totals[place] += count
        return totals


def of_series(reading: Reading, series: Series, spans: Spans, *, keep: int, most: int) -> list[int]:
    """Return the numbers of a series in each span, from its newest `most` values, oldest first."""
    since = spans.starts[0]
    return spans.counted(history.times(reading, series, since=since, keep=min(keep, most)))
