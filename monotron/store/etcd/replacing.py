"""Putting other rows in the place of those that a store has, such as a backup's.

That takes many commits, and what is there meanwhile must never be taken for a store. So the store
is without its id for so long, and another key has the id that it will get:

1. If nothing has been written since the store was accepted, its id is removed and `@restoring` is
   written. From now on no replica writes or reads, because each compares the id, and none starts.
2. The rows are removed, then the new ones written. Each of these commits compares `@restoring`.
3. `@restoring` gives way to `@id`, with the new id. Replicas that ran before go on refusing: what
   they have answered may be gone.

If the process dies between 1 and 3, there is no store until it is replaced again. That begins with
another `@restoring`, which shuts out whatever the first one may still send. Writing one table last
would be simpler, but nothing would stop the replicas that are running.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from monotron.store.contract import StoreError, StoreUnavailable, Table
from monotron.store.etcd import etcd_pb2 as pb
from monotron.store.etcd.address import Address
from monotron.store.etcd.client import Client, Security
from monotron.store.etcd.keys import Keys
from monotron.store.etcd.store import NO_SECURITY, WAIT_SECONDS, EtcdStore, not_initialized
from monotron.store.etcd.transaction import equal, get, put, remove, row_of, unwritten

REMOVED_ROWS = 4_096
"""How many rows a commit removes: members do nothing else until they have carried it out."""


@contextmanager
def replacing(
    address: Address,
    tables: Sequence[Table],
    accept: Callable[[EtcdStore | None], None],
    *,
    security: Security = NO_SECURITY,
    wait_seconds: float = WAIT_SECONDS,
) -> Iterator[EtcdStore]:
    """Empty the store at an address, and return it for the block to fill; then it has a new id.

    `accept` gets the store as it is, or None if the last replacement did not end; it raises to
    leave it as it is. If the block raises, there is no store until it is replaced again.

    Raises `StoreNotInitialized`, and `StoreUnavailable` if somebody writes to it meanwhile.
    """
    client = Client(address, security, wait_seconds=wait_seconds)
    try:
        replacement = _Replacement(client, Keys(address.prefix), address)
        present = replacement.look()
        if present.is_whole:
            store = EtcdStore(address, tables, security=security, wait_seconds=wait_seconds)
            try:
                accept(store)
            finally:
                store.close()
        else:
            accept(None)
        replacement.begin(present)
        try:
            replacement.remove_rows()
            store = EtcdStore(
                address, tables, security=security, wait_seconds=wait_seconds, restoring=True
            )
            try:
                yield store
            finally:
                store.close()
            replacement.end()
        except StoreError as error:
            raise StoreUnavailable(
                f"the restore into {address} has not ended, and there is no store until "
                f"`monotron restore` has run again: {error}"
            ) from error
    finally:
        client.close()


@dataclass(frozen=True, slots=True)
class _Present:
    """What is at the address."""

    key: bytes
    """The one that has the id."""
    store_id: bytes
    is_whole: bool
    revision: int
    """When that was so."""


class _Replacement:
    """The steps. Each of its requests may be carried out several times, or late."""

    def __init__(self, client: Client, keys: Keys, address: Address) -> None:
        self._client = client
        self._keys = keys
        self._address = address
        self._id = uuid.uuid4().hex.encode()
        self._is_ours = equal(keys.restoring, self._id)

    def look(self) -> _Present:
        """Return what is there; raises `StoreNotInitialized`."""
        places = (self._keys.store_id, self._keys.restoring)
        answer = self._ask([], [get(key) for key in places])
        for key, response in zip(places, answer.responses, strict=True):
            found = row_of(response.response_range).value
            if found is not None:
                is_whole = key == self._keys.store_id
                return _Present(key, found, is_whole, answer.header.revision)
        raise not_initialized(self._address)

    def begin(self, present: _Present) -> None:
        """Take the id away, if the store is as it was."""
        compares = [equal(present.key, present.store_id)]
        if present.is_whole:
            compares.append(unwritten(*self._keys.rows, present.revision))
        answer = self._ask(
            compares,
            [remove(self._keys.store_id), put(self._keys.restoring, self._id)],
            [get(self._keys.restoring)],
        )
        if not self._is_done(answer):
            raise StoreUnavailable(
                f"the store at {self._address} is in use: first stop what has it open"
            )

    def remove_rows(self) -> None:
        """Remove all rows, a few at a time: other stores in the cluster go on meanwhile."""
        start, stop = self._keys.rows
        page = pb.RangeRequest(key=start, range_end=stop, limit=REMOVED_ROWS, keys_only=True)
        while True:
            answer = self._ask_ours([pb.RequestOp(request_range=page)])
            rows = answer.responses[0].response_range.kvs
            if not rows:
                return
            part = pb.DeleteRangeRequest(key=start, range_end=rows[-1].key + b"\0")
            self._ask_ours([pb.RequestOp(request_delete_range=part)])

    def end(self) -> None:
        """Give the store its id."""
        answer = self._ask(
            [self._is_ours],
            [remove(self._keys.restoring), put(self._keys.store_id, self._id)],
            [get(self._keys.store_id)],
        )
        if not self._is_done(answer):
            raise _others()

    def _ask_ours(self, operations: Sequence[pb.RequestOp]) -> pb.TxnResponse:
        answer = self._ask([self._is_ours], operations)
        if not answer.succeeded:
            raise _others()
        return answer

    def _ask(
        self,
        compares: Sequence[pb.Compare],
        success: Sequence[pb.RequestOp],
        failure: Sequence[pb.RequestOp] = (),
    ) -> pb.TxnResponse:
        request = pb.TxnRequest(compare=compares, success=success, failure=failure)
        return self._client.ask(request, self._client.patience())

    def _is_done(self, answer: pb.TxnResponse) -> bool:
        """Return whether a step was carried out, by this request or by an earlier copy of it."""
        if answer.succeeded:
            return True
        return row_of(answer.responses[0].response_range).value == self._id


def _others() -> StoreUnavailable:
    return StoreUnavailable("another restore into the same store has begun meanwhile")
