"""Changes: an index of the series in the order in which they last changed.

Each series has one row in it. To move the row at each change would cost three operations of the
engine. So a row stays where it is for changes up to `NEARNESS` after the one that it was put there
for, and whoever reads the index sorts such neighbours. A series that changes without a pause moves
its row 4 times a second, however busy it is.
"""

from monotron.core import records, tables
from monotron.store.contract import Transaction

NEARNESS = 250_000
"""How much later than its row's time a series may have changed, in microseconds; not included."""


def note(txn: Transaction, account: int, key: str, listed_at: int, changed_at: int) -> int:
    """Note that a series changed; return the time of its row, which belongs in its state.

    `listed_at` is the time of the row that it has, 0 if it has none.
    """
    if listed_at:
        if 0 <= changed_at - listed_at < NEARNESS:
            return listed_at
        forget(txn, account, key, listed_at)
    # 0 stands for no row.
    listed_at = max(changed_at, 1)
    txn.put(tables.CHANGE_TIMES, records.change_row_key(account, listed_at, key), b"")
    return listed_at


def forget(txn: Transaction, account: int, key: str, listed_at: int) -> None:
    """Remove a series from the index."""
    txn.delete(tables.CHANGE_TIMES, records.change_row_key(account, listed_at, key))
