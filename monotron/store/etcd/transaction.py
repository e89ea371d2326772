"""One commit as one transaction of etcd: if nothing that was read has changed, write.

    If    the store is the one that was opened, the replica's mark is as it was left,
          and every row and range that was read is as it was read
    Then  move the mark, and write the rows
    Else  read the mark, and all that was read, anew

So a commit that has lost against another replica's costs one round trip, which brings the rows for
the next try.

A range that was read is compared as a whole: no row in it has been written since. A row that was
removed has no revision to compare. So each row that was seen is compared too or, where there are
many, the row that changes with each removal from the table.

etcd takes 128 operations in each part of a transaction; one nested in another may have only as many
as the outer one leaves (`checkTxnRequest` in etcd's v3rpc/key.go). That is enough for a tree.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from monotron.store.contract import Table, UpdateTooLarge
from monotron.store.draft import Draft
from monotron.store.etcd import etcd_pb2 as pb
from monotron.store.etcd.keys import REMOVALS, Keys
from monotron.store.rounds import Known, Place, Range, Reads, Row, Span

MAX_OPERATIONS = 128
"""etcd's --max-txn-ops."""

MAX_READS = 96
"""How many compares the reads of a commit have at most, unless they are one large update's."""

MAX_BYTES = 2**20
"""How many bytes a commit of several updates writes at most. etcd takes 1.5 MiB by default, and
more with --max-request-bytes; one update may have as many as etcd takes."""

ROWS_COMPARED = 8
"""Up to so many rows of a range, each is compared. More are compared by the removals of the table,
which other commits change more often."""

FEW_COMPARES = 48
"""How many ranges stand for everything that a large update has read."""

Written = list[tuple[Table, bytes, bytes | None]]
"""The rows that a commit writes; None removes one."""


@dataclass(frozen=True, slots=True)
class Commit:
    """The parts of a transaction; the store adds its id and the mark to them."""

    compares: list[pb.Compare]
    places: list[Place]
    """The rows that the Else reads."""
    spans: list[tuple[Range, int]]
    """The spans that the Else reads, each with the number of its rows."""
    written: Written


def fits(reads: Reads, draft: Draft) -> bool:
    """Return whether these updates fit into one commit of several."""
    if _compares_needed(reads) > MAX_READS:
        return False
    written = draft.written()
    size = sum(len(key) + len(value or b"") for _, key, value in written)
    return len(written) <= MAX_READS and size <= MAX_BYTES


def is_large(reads: Reads) -> bool:
    """Return whether an update has read too much to compare each row."""
    return _compares_needed(reads) > MAX_READS


def commit_of(reads: Reads, draft: Draft, known: Known, keys: Keys) -> Commit:
    """Return the commit of updates that have read and written this."""
    places = dict.fromkeys(reads.rows)
    compares = list[pb.Compare]()
    for range_, limit in reads.spans.items():
        span = known.spans[range_]
        compares.append(unwritten(*_part_read(range_, span, limit, keys), span.version))
        seen = span.rows[:limit]
        if len(seen) > ROWS_COMPARED:
            places[REMOVALS, range_.table] = None
        else:
            compares += [
                unchanged(keys.row((range_.table, key)), row.version)
                for key, row in seen
                if (range_.table, key) not in places
            ]
    compares += [unchanged(keys.row(place), known.rows[place].version) for place in places]
    return Commit(compares, list(places), list(reads.spans.items()), _written(draft))


def large_commit_of(reads: Reads, draft: Draft, known: Known, keys: Keys, *, since: int) -> Commit:
    """Return the commit of one update that has read many rows, none of them before `since`.

    Ranges of adjacent rows stand for all of them, with what lies between, so it may fail though
    nothing that was read has changed. Its Else reads nothing: the update begins anew.
    """
    parts = dict[Table, list[tuple[bytes, bytes]]]()
    for table, key in reads.rows:
        row = keys.row((table, key))
        parts.setdefault(table, []).append((row, row + b"\0"))
    for range_, limit in reads.spans.items():
        part = _part_read(range_, known.spans[range_], limit, keys)
        parts.setdefault(range_.table, []).append(part)
    each = -(-sum(map(len, parts.values())) // (FEW_COMPARES - len(parts)))
    compares = list[pb.Compare]()
    for table, ranges in parts.items():
        ranges.sort()
        for at in range(0, len(ranges), each):
            some = ranges[at : at + each]
            compares.append(unwritten(some[0][0], max(stop for _, stop in some), since))
        place = (REMOVALS, table)
        compares.append(unchanged(keys.row(place), known.rows[place].version))
    return Commit(compares, [], [], _written(draft))


def request_of(
    commit: Commit,
    keys: Keys,
    store_id: bytes,
    mark: pb.Compare | None,
    move: pb.RequestOp | None,
) -> pb.TxnRequest:
    """Return the transaction, in which the mark is compared and moved if there is one.

    Raises `UpdateTooLarge` if it has more rows than etcd can be asked for.
    """
    compares = [equal(keys.store_id, store_id), *filter(None, [mark]), *commit.compares]
    fresh = [get(keys.store_id)]
    if mark is not None:
        fresh.append(get(mark.key))
    fresh += [get(keys.row(place)) for place in commit.places]
    fresh += [scan(range_, limit, keys) for range_, limit in commit.spans]
    writes = [_write(keys.row((table, key)), value) for table, key, value in commit.written]
    taken = max(len(compares), len(fresh))
    moves = [] if move is None else [move]
    return pb.TxnRequest(compare=compares, success=[*moves, *_tree(writes, taken)], failure=fresh)


def take_fresh(
    commit: Commit, answers: Sequence[pb.ResponseOp], revision: int, keys: Keys, known: Known
) -> None:
    """Put the rows and spans that the Else has read into what is known."""
    rows, spans = answers[: len(commit.places)], answers[len(commit.places) :]
    for place, answer in zip(commit.places, rows, strict=True):
        known.rows[place] = row_of(answer.response_range)
    for (range_, limit), answer in zip(commit.spans, spans, strict=True):
        known.spans[range_] = span_of(answer.response_range, range_, limit, revision, keys)


def equal(key: bytes, value: bytes) -> pb.Compare:
    """Return the condition that a key has this value."""
    return pb.Compare(result=pb.Compare.EQUAL, target=pb.Compare.VALUE, key=key, value=value)


def unchanged(key: bytes, revision: int) -> pb.Compare:
    """Return the condition that a key was last written at this revision; 0 if it is missing."""
    return pb.Compare(
        result=pb.Compare.EQUAL, target=pb.Compare.MOD, key=key, mod_revision=revision
    )


def unwritten(start: bytes, stop: bytes, revision: int) -> pb.Compare:
    """Return the condition that no key of a range has been written since a revision."""
    return pb.Compare(
        result=pb.Compare.LESS,
        target=pb.Compare.MOD,
        key=start,
        range_end=stop,
        mod_revision=revision + 1,
    )


def put(key: bytes, value: bytes, lease: int = 0) -> pb.RequestOp:
    """Return the operation that writes a key."""
    return pb.RequestOp(request_put=pb.PutRequest(key=key, value=value, lease=lease))


def remove(key: bytes) -> pb.RequestOp:
    """Return the operation that removes a key."""
    return pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=key))


def get(key: bytes, *, revision: int = 0, serializable: bool = False) -> pb.RequestOp:
    """Return the operation that reads a key."""
    return pb.RequestOp(
        request_range=pb.RangeRequest(key=key, revision=revision, serializable=serializable)
    )


def scan(
    range_: Range, limit: int, keys: Keys, *, revision: int = 0, serializable: bool = False
) -> pb.RequestOp:
    """Return the operation that reads the first rows of a range."""
    start, stop = keys.range(range_)
    return pb.RequestOp(
        request_range=pb.RangeRequest(
            key=start,
            range_end=stop,
            limit=limit,
            revision=revision,
            serializable=serializable,
            sort_order=pb.RangeRequest.DESCEND if range_.reverse else pb.RangeRequest.NONE,
        )
    )


def row_of(answer: pb.RangeResponse) -> Row:
    """Return the row that `get` has read."""
    for found in answer.kvs:
        return Row(found.value, found.mod_revision)
    return Row(None, 0)


def span_of(answer: pb.RangeResponse, range_: Range, limit: int, revision: int, keys: Keys) -> Span:
    """Return the rows that `scan` has read at a revision."""
    rows = [
        (keys.key_of(range_.table, found.key), Row(found.value, found.mod_revision))
        for found in answer.kvs
    ]
    return Span(rows, len(rows) < limit, revision)


def _compares_needed(reads: Reads) -> int:
    ranges = sum(min(limit, ROWS_COMPARED) + 2 for limit in reads.spans.values())
    return len(reads.rows) + ranges


def _part_read(range_: Range, span: Span, limit: int, keys: Keys) -> tuple[bytes, bytes]:
    """Return the part of a range that decides what a scan with this limit returns."""
    start, stop = keys.range(range_)
    if len(span.rows) < limit:
        return start, stop
    last = keys.row((range_.table, span.rows[limit - 1][0]))
    return (last, stop) if range_.reverse else (start, last + b"\0")


def _written(draft: Draft) -> Written:
    """Return what is written, and with it the removals of each table."""
    written = draft.written()
    tables = dict.fromkeys(table for table, _, value in written if value is None)
    return [*written, *((REMOVALS, table, b"") for table in tables)]


def _write(key: bytes, value: bytes | None) -> pb.RequestOp:
    if value is None:
        return remove(key)
    return put(key, value)


def _tree(writes: list[pb.RequestOp], taken: int) -> list[pb.RequestOp]:
    """Return the writes, nested if there are many; other parts have `taken` operations."""
    width = MAX_OPERATIONS - 1
    if len(writes) <= width:
        return writes
    # The top may be as wide as the other parts of the transaction are anyway.
    width = max(MAX_OPERATIONS // 2, taken) - 1
    return _nested(writes, width, MAX_OPERATIONS - width - 1)


def _nested(writes: list[pb.RequestOp], width: int, left: int) -> list[pb.RequestOp]:
    """Return up to `width` transactions, each with up to `left` operations, or nested again."""
    if width < 1 or left < 1:
        raise UpdateTooLarge("the update has more rows than etcd takes at once; nothing was taken")
    each = -(-len(writes) // width)
    parts = [writes[at : at + each] for at in range(0, len(writes), each)]
    if each > left:
        inner = left // 2
        nested = [_nested(part, inner, left - inner) for part in parts]
    else:
        nested = parts
    return [pb.RequestOp(request_txn=pb.TxnRequest(success=part)) for part in nested]
