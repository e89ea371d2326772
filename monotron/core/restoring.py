"""Restoring a backup: what it takes back, and how no number is given out twice after it."""

from dataclasses import dataclass

from monotron.core import records, series, tables
from monotron.core.errors import InvalidNumber
from monotron.core.records import Series
from monotron.limits import LAST_VALUE, RANGE_VALUES
from monotron.store import paging
from monotron.store.contract import Reading, Store, Transaction
from monotron.store.paging import PAGE_ROWS, Page


@dataclass(frozen=True, slots=True)
class Loss:
    """The values that a store has given out and its backup does not have."""

    behind: int
    """How many series are ahead of the backup."""
    missing: int
    """How many series the backup does not have."""
    example: str


@dataclass(frozen=True, slots=True)
class Advanced:
    """The result of moving all series up."""

    series: int
    capped: list[Series]
    """Series that had fewer values left, as they were before."""


def loss(present: Reading, backup: Reading) -> Loss | None:
    """Return what the present store would lose, or None if no number would be given out again."""
    behind, missing, example = 0, 0, ""
    for row_key, value in paging.rows(present, tables.SERIES, *paging.EVERYTHING):
        state = records.unpack_series(row_key, value)
        before = backup.get(tables.SERIES, row_key)
        if before is None:
            missing += 1
            told = "the backup does not have it"
        elif (old := records.unpack_series(row_key, before).value) < state.value:
            behind += 1
            told = f"the backup has {old}"
        else:
            continue
        example = example or (
            f"the series {state.key!r} of account {state.account} is at {state.value}, but {told}"
        )
    return Loss(behind, missing, example) if example else None


def is_empty(reading: Reading) -> bool:
    """Return whether a store has nothing that anybody would miss."""
    # A readiness check writes to SYSTEM.
    return not any(
        reading.scan(table, *paging.EVERYTHING, limit=1)
        for table in tables.ALL
        if table != tables.SYSTEM
    )


def advance_all(store: Store, by: int, *, now: int) -> Advanced:
    """Move every series of all accounts up by `by`, like a seed, but not past the last value.

    Raises `InvalidNumber`.
    """
    distance(by)

    def advance_some(txn: Transaction, after: bytes | None) -> Page[Series, bytes]:
        page = paging.page(txn, tables.SERIES, after, size=PAGE_ROWS)
        states = [records.unpack_series(*row) for row in page.items]
        for state in states:
            value = min(state.value, LAST_VALUE - by) + by
            series.move_up(txn, state, value, now=now)
        return Page(states, page.next)

    count, capped = 0, list[Series]()
    for before in paging.through(store.update, advance_some):
        count += 1
        if before.value > LAST_VALUE - by:
            capped.append(before)
    return Advanced(count, capped)


def distance(by: int) -> int:
    """Return `by` if all series may be moved up by it; raises `InvalidNumber` otherwise."""
    if not 1 <= by <= RANGE_VALUES:
        raise InvalidNumber(f"series can be moved up by a whole number from 1 to {RANGE_VALUES}")
    return by
