"""Tokens: an index of the tokens that a series' history holds.

Without it, finding an earlier token means looking through the whole history. A series has an index
only once somebody has asked for an earlier token, so that nobody else pays for it.

A token has no row of its own: that would cost two operations of the engine for each value, one to
add it and one to remove it, and half as much processor time again as the value itself. Instead the
tokens are spread over buckets by their digests. A bucket is one row, which has a mark of each token
and the value that it got, oldest first. A mark may stand for another token by chance, so that
whoever finds one has to look into the history, in one more read.

Even buckets touch many pages of the engine for each batch of values. So the newest marks wait in
one more row, the tail, and go to their buckets together once it is full. What is too old is cut off
a bucket when it has grown. An earlier token is found by reading the tail and one bucket.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from monotron.core import records, tables
from monotron.core.records import Entry, Series
from monotron.store.contract import Reading, Transaction

BUCKET_TOKENS = 64
"""How many tokens of a full history there are in a bucket, on average."""

TAIL_TOKENS = 64
"""How many tokens wait in the tail: as many buckets are written together at most, which etcd takes
in one transaction."""

OUTGROWN = 16
"""How many times as long as at first a history may become before its index begins anew."""

MOST_BUCKETS = 4_096
"""Even the longest history does not need more."""


def begin(series: Series, keep: int) -> Series:
    """Return the state of a series that gets an index, with its number of buckets."""
    buckets = 1
    while buckets < MOST_BUCKETS and buckets * BUCKET_TOKENS < keep:
        buckets *= 2
    return replace(series, buckets=buckets)


def is_outgrown(series: Series, keep: int) -> bool:
    """Return whether an index has far too few buckets, because the history was made much longer.

    Its rows would become larger and larger, until a store refuses them.
    """
    return 0 < series.buckets < MOST_BUCKETS and series.buckets * BUCKET_TOKENS * OUTGROWN < keep


def values_of(reading: Reading, series: Series, token: str) -> list[int]:
    """Return the values that a token may have got, newest first."""
    mark = records.token_mark(token)
    values: list[int] = []
    for row_key in places(series, mark):
        row = reading.get(tables.TOKENS, row_key)
        # Most tokens are new, and this search takes half the time of the other.
        if row is not None and mark in row:
            values += records.unpack_marked(row, mark)
    return values


def places(series: Series, mark: bytes) -> tuple[bytes, bytes]:
    """Return the row keys of the tail and of a mark's bucket, in one of which the mark is."""
    return _tail_key(series), _bucket_key(series, mark)


def note(txn: Transaction, series: Series, entry: Entry) -> None:
    """Note the value that an entry's token, if it has one, has just got."""
    if entry.token is None:
        return
    tail_key = _tail_key(series)
    row = txn.get(tables.TOKENS, tail_key) or records.EMPTY_BUCKET
    if len(row) > TAIL_TOKENS * records.MARKED_BYTES:
        _spread(txn, series, row)
        row = records.EMPTY_BUCKET
    mark = records.token_mark(entry.token)
    txn.put(tables.TOKENS, tail_key, row + records.pack_marked(mark, entry.value))


def note_older(txn: Transaction, series: Series, entries: Iterable[Entry]) -> None:
    """Note entries that are older than all in the index, oldest first."""
    parts: dict[bytes, bytes] = defaultdict(bytes)
    for entry in entries:
        if entry.token is not None:
            mark = records.token_mark(entry.token)
            parts[_bucket_key(series, mark)] += records.pack_marked(mark, entry.value)
    for row_key, part in parts.items():
        row = txn.get(tables.TOKENS, row_key) or records.EMPTY_BUCKET
        txn.put(tables.TOKENS, row_key, records.with_marked_first(row, part))


def delete(txn: Transaction, account: int, key: str) -> None:
    """Remove the index of a series."""
    txn.delete_range(tables.TOKENS, *records.token_range(account, key))


def _spread(txn: Transaction, series: Series, tail: bytes) -> None:
    """Append the marks of the tail to their buckets, and cut off what is too old."""
    parts: dict[bytes, bytes] = defaultdict(bytes)
    for mark, value in records.unpack_bucket(tail):
        parts[_bucket_key(series, mark)] += records.pack_marked(mark, value)
    oldest = _oldest(txn, series)
    for row_key, part in parts.items():
        row = txn.get(tables.TOKENS, row_key) or records.EMPTY_BUCKET
        if len(row) > 2 * BUCKET_TOKENS * records.MARKED_BYTES:
            row = records.without_marked_before(row, oldest)
        txn.put(tables.TOKENS, row_key, row + part)


def _tail_key(series: Series) -> bytes:
    return records.tail_row_key(series.account, series.key)


def _bucket_key(series: Series, mark: bytes) -> bytes:
    return records.token_row_key(series.account, series.key, mark, series.buckets)


def _oldest(reading: Reading, series: Series) -> int:
    """Return the first value that the history of a series still has."""
    range_ = records.history_range(series.account, series.key)
    rows = reading.scan(tables.HISTORY, *range_, limit=1)
    if rows:
        return records.unpack_history_first(rows[0][0])
    return series.history if series.newest_row else series.value + 1
