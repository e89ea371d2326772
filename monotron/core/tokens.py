"""Tokens: an index of the tokens that a series' history holds.

Without it, finding an earlier token means looking through the whole history. A series has an index
only once somebody has asked for an earlier token, so that nobody else pays for it.

A token has no row of its own: that would cost two operations of the engine for each value, one to
add it and one to remove it, and half as much processor time again as the value itself. Instead the
tokens are spread over buckets by their digests. A bucket is one row, which has a mark of each token
and the value that it got, oldest first. A batch of values writes each bucket once, and what is too
old is cut off a bucket when it has grown. A mark may stand for another token by chance, so that
whoever finds one has to look into the history, in one more read.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from monotron.core import records, tables
from monotron.core.records import Entry, Series
from monotron.store.contract import Reading, Transaction

BUCKET_TOKENS = 32
"""How many tokens of a full history there are in a bucket, on average."""

MOST_BUCKETS = 4_096
"""Even the longest history does not need more."""


def begin(series: Series, keep: int) -> Series:
    """Return the state of a series that gets an index, with its number of buckets."""
    buckets = 1
    while buckets < MOST_BUCKETS and buckets * BUCKET_TOKENS < keep:
        buckets *= 2
    return replace(series, buckets=buckets)


def values_of(reading: Reading, series: Series, token: str) -> list[int]:
    """Return the values that a token may have got, newest first."""
    mark, row_key = _place(series.account, series.key, token, series.buckets)
    row = reading.get(tables.TOKENS, row_key)
    # Most tokens are new, and this search takes half the time of the other.
    return [] if row is None or mark not in row else records.unpack_marked(row, mark)


def note(txn: Transaction, series: Series, entry: Entry) -> None:
    """Note the value that an entry's token, if it has one, has just got."""
    if entry.token is None:
        return
    mark, row_key = _place(series.account, series.key, entry.token, series.buckets)
    row = txn.get(tables.TOKENS, row_key) or records.EMPTY_BUCKET
    if len(row) > 2 * BUCKET_TOKENS * records.MARKED_BYTES:
        row = records.without_marked_before(row, _oldest(txn, series))
    txn.put(tables.TOKENS, row_key, row + records.pack_marked(mark, entry.value))


def note_older(txn: Transaction, series: Series, entries: Iterable[Entry]) -> None:
    """Note entries that are older than all in the index, oldest first."""
    parts: dict[bytes, bytes] = defaultdict(bytes)
    for entry in entries:
        if entry.token is not None:
            mark, row_key = _place(series.account, series.key, entry.token, series.buckets)
            parts[row_key] += records.pack_marked(mark, entry.value)
    for row_key, part in parts.items():
        row = txn.get(tables.TOKENS, row_key) or records.EMPTY_BUCKET
        txn.put(tables.TOKENS, row_key, records.with_marked_first(row, part))


def delete(txn: Transaction, account: int, key: str) -> None:
    """Remove the index of a series."""
    txn.delete_range(tables.TOKENS, *records.token_range(account, key))


# A call that remembers its token asks twice for its place.
@lru_cache(maxsize=1_024)
def _place(account: int, key: str, token: str, buckets: int) -> tuple[bytes, bytes]:
    """Return the mark of a token, and the row key of its bucket."""
    mark = records.token_mark(token)
    return mark, records.token_row_key(account, key, mark, buckets)


def _oldest(reading: Reading, series: Series) -> int:
    """Return the first value that the history of a series still has."""
    range_ = records.history_range(series.account, series.key)
    rows = reading.scan(tables.HISTORY, *range_, limit=1)
    return records.unpack_history_first(rows[0][0]) if rows else series.value + 1
