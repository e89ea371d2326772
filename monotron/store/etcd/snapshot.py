"""A snapshot: everything is read at the revision of the first read, which is linearizable."""

from collections.abc import Sequence

from monotron.store.contract import StoreUnavailable, Table
from monotron.store.draft import check_key
from monotron.store.etcd import etcd_pb2 as pb
from monotron.store.etcd.client import Client, Compacted
from monotron.store.etcd.keys import Keys
from monotron.store.etcd.transaction import MAX_OPERATIONS, equal, get, row_of, scan, span_of
from monotron.store.rounds import Known, Place, Range, View, run_views


def run_on_snapshot(views: Sequence[View], client: Client, keys: Keys, store_id: bytes) -> None:
    """Run views, and set their results or errors; raises a `StoreError` if they cannot be read."""
    while True:
        known = Known()
        snapshot = Snapshot(known, client, keys, store_id)
        try:
            run_views(views, known, snapshot.fetch, snapshot)
        except Compacted:
            # They run again, on a newer one.
            continue
        return


class Snapshot:
    """The contract's `Reading`, and what fetches several rows for it at once."""

    def __init__(self, known: Known, client: Client, keys: Keys, store_id: bytes) -> None:
        self._known = known
        self._client = client
        self._keys = keys
        self._is_ours = equal(keys.store_id, store_id)
        self._revision = 0
        """What is read; 0 before the first read."""

    def fetch(self, rows: Sequence[Place], spans: dict[Range, int]) -> None:
        """See `rounds.Fetch`; raises `Compacted` if the snapshot is gone."""
        rows, ranges = list(rows), list(spans.items())
        for at in range(0, len(rows), MAX_OPERATIONS):
            some = rows[at : at + MAX_OPERATIONS]
            found = self._ask([self._get(place) for place in some])
            self._known.rows.update(zip(some, map(row_of, found), strict=True))
        for at in range(0, len(ranges), MAX_OPERATIONS):
            parts = ranges[at : at + MAX_OPERATIONS]
            found = self._ask([self._scan(*part) for part in parts])
            for (range_, limit), answer in zip(parts, found, strict=True):
                span = span_of(answer, range_, limit, self._revision, self._keys)
                self._known.spans[range_] = span

    def get(self, table: Table, key: bytes) -> bytes | None:
        """See `contract.Reading.get`."""
        check_key(key)
        return row_of(self._ask_now(self._get((table, key)))).value

    def scan(
        self, table: Table, start: bytes, stop: bytes, *, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """See `contract.Reading.scan`."""
        if start >= stop or limit <= 0:
            return []
        range_ = Range(table, start, stop, reverse)
        found = self._ask_now(self._scan(range_, limit))
        return [(self._keys.key_of(table, row.key), row.value) for row in found.kvs]

    def _get(self, place: Place) -> pb.RequestOp:
        return get(self._keys.row(place), revision=self._revision)

    def _scan(self, range_: Range, limit: int) -> pb.RequestOp:
        return scan(range_, limit, self._keys, revision=self._revision)

    def _ask_now(self, operation: pb.RequestOp) -> pb.RangeResponse:
        try:
            (answer,) = self._ask([operation])
        except Compacted as error:
            raise StoreUnavailable(
                "reading took so long that etcd has removed the revision that was being read; its "
                "flag --auto-compaction-retention says how long it keeps one"
            ) from error
        return answer

    def _ask(self, operations: list[pb.RequestOp]) -> list[pb.RangeResponse]:
        request = pb.TxnRequest(compare=[self._is_ours], success=operations)
        answer = self._client.ask(request, self._client.patience())
        if not answer.succeeded:
            raise StoreUnavailable("the store has been replaced or removed; nothing was taken")
        self._revision = self._revision or answer.header.revision
        return [each.response_range for each in answer.responses]
