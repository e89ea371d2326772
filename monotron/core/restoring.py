"""What a backup takes back when it is restored, and how to be safe from numbers given twice."""

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
    """What a store has given out that its backup knows nothing of."""

    behind: int
    """How many series are further than in the backup."""
    missing: int
    """How many the backup has not."""
    example: str


@dataclass(frozen=True, slots=True)
class Advanced:
    """How all series were moved up."""

    series: int
    capped: list[Series]
    """Those that had fewer values left, as they were before."""


def loss(present: Reading, backup: Reading) -> Loss | None:
    """Return what the present store would lose, or None if it would give no number again."""
    behind, missing, example = 0, 0, ""
    for row_key, value in paging.rows(present, tables.SERIES, *paging.EVERYTHING):
        state = records.unpack_series(row_key, value)
        before = backup.get(tables.SERIES, row_key)
        if before is None:
            missing += 1
            told = "is not in the backup"
        elif (old := records.unpack_series(row_key, before).value) < state.value:
            behind += 1
            told = f"is at {old} in the backup"
        else:
            continue
        example = example or (
            f"the series {state.key!r} of account {state.account} is at {state.value} and {told}"
        )
    return Loss(behind, missing, example) if example else None


def advance_all(store: Store, by: int, *, now: int) -> Advanced:
    """Move every series of all accounts up by as much, as a seed does; none beyond the last value.

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
    """Return `by` back if all series may be moved up by it; raises `InvalidNumber` otherwise."""
    if not 1 <= by <= RANGE_VALUES:
        raise InvalidNumber(f"series are moved up by a whole number from 1 to {RANGE_VALUES}")
    return by
