"""The mark of a replica: a key that each of its commits compares and moves.

When the answer to a commit is lost, nobody knows whether it was kept, or is about to be. The mark
tells: its value names the commit that moved it last. And since a commit compares the revision at
which the mark was last written, which etcd never uses twice, moving the mark shuts out every commit
that was sent before.

The mark has a lease, so that nothing is left of a replica that has gone.
"""

import time
import uuid
from dataclasses import dataclass

from monotron.store.etcd import etcd_pb2 as pb
from monotron.store.etcd.client import Client
from monotron.store.etcd.keys import Keys
from monotron.store.etcd.transaction import get, put, row_of, unchanged

LEASE_SECONDS = 600
"""How long a mark outlives its replica. The lease is renewed long before, by a commit."""

RENEW_SECONDS = 120.0
"""How old the lease is when a commit renews it."""


@dataclass(slots=True)
class Mark:
    """The mark of one replica, used by one thread at a time."""

    key: bytes
    lease: int
    revision: int
    """The revision at which it was written, as far as is known."""
    renewed: float
    """When its lease was renewed, by the monotonic clock."""
    commits: int = 0

    def next_commit(self) -> bytes:
        """Return a name for a commit that no other has."""
        self.commits += 1
        return b"%d" % self.commits

    def as_it_was_left(self) -> pb.Compare:
        """Return the condition that nothing has moved it."""
        return unchanged(self.key, self.revision)

    def move(self, name: bytes) -> pb.RequestOp:
        """Return the operation by which a commit moves it."""
        return put(self.key, name, self.lease)

    def renew_if_due(self, client: Client, until: float) -> bool:
        """Renew the lease now and then; return False if it has expired."""
        now = time.monotonic()
        if now - self.renewed < RENEW_SECONDS:
            return True
        if not client.renew(self.lease, until):
            return False
        self.renewed = now
        return True


def new_mark(client: Client, keys: Keys, until: float) -> Mark:
    """Return a mark that was just written; raises `StoreUnavailable`."""
    renewed = time.monotonic()
    lease = client.new_lease(LEASE_SECONDS, until)
    key = keys.mark(uuid.uuid4().hex)
    # A copy that arrives late finds it written, and must not write it again.
    written = pb.TxnRequest(
        compare=[unchanged(key, 0)], success=[put(key, b"0", lease), get(key)], failure=[get(key)]
    )
    answer = client.ask(written, until)
    revision = row_of(answer.responses[-1].response_range).version
    return Mark(key, lease, revision, renewed)


def fence(mark: Mark, name: bytes) -> pb.TxnRequest:
    """Return the transaction that moves the mark, so that no earlier commit can be kept any more.

    If the mark has been moved already, its answer has the mark.
    """
    return pb.TxnRequest(
        compare=[mark.as_it_was_left()], success=[mark.move(name)], failure=[get(mark.key)]
    )
