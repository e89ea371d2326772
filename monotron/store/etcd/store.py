"""The distributed engine: a store on an etcd cluster, shared by any number of replicas.

Every commit is one transaction of etcd (see transaction.py), linearizable and on the disks of a
majority before it is answered. A replica sends one commit at a time; all updates that wait
meanwhile are in the next (see batch.py), and what they read is fetched together (see rounds.py).

A commit whose answer is lost is resolved by the replica's mark (see mark.py). Only if that takes
too long, its callers get `StoreUncertain`.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from monotron.store.batch import GroupCommit, NoObserver, Observer
from monotron.store.contract import (
    Figure,
    Reading,
    StoreError,
    StoreUnavailable,
    Table,
    Transaction,
)
from monotron.store.etcd import etcd_pb2 as pb
from monotron.store.etcd.address import Address
from monotron.store.etcd.client import Client, Security
from monotron.store.etcd.keys import Keys
from monotron.store.etcd.snapshot import run_on_snapshot
from monotron.store.etcd.transaction import get, put, row_of, unchanged
from monotron.store.etcd.writer import Writer
from monotron.store.readers import Readers
from monotron.store.rounds import View
from monotron.waiting import BlockedThreads, Waiting

T = TypeVar("T")

WAIT_SECONDS = 5.0
"""How long a call tries by default before it fails."""

NO_SECURITY = Security()


class StoreNotInitialized(StoreUnavailable):
    """There is no store at this address yet."""


class EtcdStore:
    """A store on a cluster."""

    failed: StoreError | None = None
    """See `LmdbStore.failed`: this engine never has to be reopened."""

    def __init__(
        self,
        address: Address,
        tables: Sequence[Table],
        *,
        security: Security = NO_SECURITY,
        wait_seconds: float = WAIT_SECONDS,
        waiting: Waiting | None = None,
        observer: Observer | None = None,
        restoring: bool = False,
    ) -> None:
        """Open the store at an address, which `initialize` has made.

        It belongs to the process that opened it: a forked child must open its own. `waiting` is how
        its callers wait: by default, their threads are blocked. The `observer` hears of each
        commit. With `restoring`, it is the store that `replacing` fills, and nobody else opens it.

        Raises `StoreUnavailable` if no member answers within `wait_seconds`, and
        `StoreNotInitialized`.
        """
        self._tables = tables
        self._keys = Keys(address.prefix, restoring=restoring)
        self._client = Client(address, security, wait_seconds=wait_seconds)
        self._closed = False
        try:
            self._id = self._read_id(address)
        except StoreError:
            self._client.close()
            raise
        observer, waiting = observer or NoObserver(), waiting or BlockedThreads()
        self._writer = Writer(self._client, self._keys, self._id, tables, observer, waiting)
        self._batches = GroupCommit(
            self._writer.turns,
            self._writer.commit,
            wait_seconds=wait_seconds,
            waiting=waiting,
            observer=observer,
            slow="etcd",
        )
        self._readers = Readers(self._read, waiting)

    @property
    def id(self) -> bytes:
        """The id that `initialize` gave to the store."""
        return self._id

    def view(self, fn: Callable[[Reading], T]) -> T:
        """See `contract.Store.view`."""
        self._guard()
        return self._readers.view(fn)

    def update(self, fn: Callable[[Transaction], T]) -> T:
        """See `contract.Store.update`."""
        self._guard()
        return self._batches.update(fn)

    def figures(self) -> Iterator[Figure]:
        """Return the figures of the database, as the member that is asked has it.

        Raises `StoreUnavailable`.
        """
        self._guard()
        status = self._client.status(self._client.patience())
        yield Figure(
            "database_size_bytes",
            "Size of etcd's database, with the space that a defragmentation would free.",
            status.db_size,
        )
        yield Figure(
            "database_used_bytes",
            "Part of etcd's database that is in use, with revisions that are not compacted yet.",
            status.db_size_in_use,
        )
        if status.db_size_quota:
            yield Figure(
                "database_quota_bytes",
                "Size at which etcd takes no more writes; told by etcd 3.6 and newer.",
                status.db_size_quota,
            )
        yield Figure(
            "member_number",
            "The member that is asked at present, by its place in the address, from 0.",
            self._client.member,
        )
        yield Figure(
            "last_answer_seconds",
            "Time since the last answer of etcd to this process.",
            max(0.0, time.monotonic() - self._client.last_answer),
        )

    def count(self) -> dict[Table, int]:
        """Return how many rows each table has; raises `StoreUnavailable`."""
        self._guard()
        ranges = [self._keys.table(table) for table in self._tables]
        request = pb.TxnRequest(
            success=[
                pb.RequestOp(
                    request_range=pb.RangeRequest(key=start, range_end=stop, count_only=True)
                )
                for start, stop in ranges
            ]
        )
        answer = self._client.ask(request, self._client.patience())
        counts = (each.response_range.count for each in answer.responses)
        return dict(zip(self._tables, counts, strict=True))

    def close(self) -> None:
        """See `contract.Store.close`."""
        if self._closed:
            return
        self._closed = True
        self._batches.close()
        self._readers.close()
        self._writer.close()
        self._client.close()

    # Opening and closing

    def _guard(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")

    def _read_id(self, address: Address) -> bytes:
        places = (self._keys.store_id, self._keys.restoring)
        request = pb.TxnRequest(success=[get(key) for key in places])
        answer = self._client.ask(request, self._client.patience())
        found, restored = (row_of(each.response_range).value for each in answer.responses)
        if found is None:
            raise not_initialized(address) if restored is None else _unfinished(address)
        return found

    # Reading

    def _read(self, views: Sequence[View]) -> None:
        """Run views, all on one snapshot; raises a `StoreError`."""
        run_on_snapshot(views, self._client, self._keys, self._id)


def initialize(
    address: Address, *, security: Security = NO_SECURITY, wait_seconds: float = WAIT_SECONDS
) -> str:
    """Make the store at an address, with no rows; return its id.

    Raises `StoreUnavailable` if there is one already, or if no member answers.
    """
    keys, store_id = Keys(address.prefix), uuid.uuid4().hex
    client = Client(address, security, wait_seconds=wait_seconds)
    try:
        # If it is sent again because its answer was lost, it finds its own id.
        places = (keys.store_id, keys.restoring)
        look = [get(key) for key in places]
        request = pb.TxnRequest(
            compare=[unchanged(key, 0) for key in places],
            success=[put(keys.store_id, store_id.encode()), *look],
            failure=look,
        )
        answer = client.ask(request, client.patience())
    finally:
        client.close()
    found, restored = (row_of(each.response_range).value for each in answer.responses[-2:])
    if restored is not None:
        raise _unfinished(address)
    if found != store_id.encode():
        raise StoreUnavailable(f"the store at {address} has been initialized already")
    return store_id


def not_initialized(address: Address) -> StoreNotInitialized:
    """Return the error for an address that has no store."""
    return StoreNotInitialized(
        f"there is no store at {address}; to begin with an empty one, run "
        f"`monotron init --store {address}` once"
    )


def _unfinished(address: Address) -> StoreUnavailable:
    return StoreUnavailable(
        f"a restore into {address} has begun and not ended; unless it is still running, run "
        "`monotron restore` again"
    )
