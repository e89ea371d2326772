"""What a backup takes back when it is restored, and how to be safe from numbers given twice."""

from dataclasses import dataclass

from monotron.core import records, rows, series, tables
from monotron.core.errors import InvalidNumber
from monotron.core.records import Series
from monotron.limits import LAST_VALUE, PAGE_ROWS, RANGE_VALUES
from monotron.store.contract import Reading, Store, Transaction


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
    """Tell what the present store would lose; None where it would give no number again."""
    behind, missing, example = 0, 0, ""
    for row, value in rows.every(present, tables.SERIES):
        state = records.unpack_series(row, value)
        before = backup.get(tables.SERIES, row)
        if before is None:
            missing += 1
            told = "is not in the backup"
        elif (old := records.unpack_series(row, before).value) < state.value:
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
    count, capped, last = 0, list[Series](), b""
    while True:
        states, last = store.update(lambda txn, last=last: _advance_some(txn, last, by, now))  # type: ignore[misc]
        if not states:
            return Advanced(count, capped)
        count += len(states)
        capped += [state for state in states if state.value > LAST_VALUE - by]


def distance(by: int) -> int:
    """Give `by` back if all series may be moved up by it; raises `InvalidNumber` otherwise."""
    if not 1 <= by <= RANGE_VALUES:
        raise InvalidNumber(f"series are moved up by a whole number from 1 to {RANGE_VALUES}")
    return by


def _advance_some(txn: Transaction, last: bytes, by: int, now: int) -> tuple[list[Series], bytes]:
    """Move up those after the row `last`; gives them as they were, and the row of the last one."""
    found = txn.scan(tables.SERIES, *records.rows_after(last), limit=PAGE_ROWS)
    states = [records.unpack_series(row, value) for row, value in found]
    for state in states:
        value = min(state.value, LAST_VALUE - by) + by
        series.seed(txn, state.account, state.key, value, now=now)
    return states, found[-1][0] if found else last
