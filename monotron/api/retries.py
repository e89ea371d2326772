"""Retries: `Idempotency-Key` on every call that takes numbers with POST."""

import time
from collections.abc import Callable

import falcon

from monotron.core import retries
from monotron.core.records import request_digest
from monotron.store.contract import Store, Transaction


def take_once(
    store: Store,
    req: falcon.Request,
    request: tuple[str, ...],
    take: Callable[[Transaction, int], int],
) -> int:
    """Give the value that `take(txn, now)` takes, or the one that this key got before.

    `request` is what the call asks for, however it is spelled. Raises 400 for a key that is none,
    and 422 for one that stands for another request.
    """
    now = time.time_ns() // 1000
    header = req.get_header("Idempotency-Key")
    if header is None:
        return store.update(lambda txn: take(txn, now))
    key = retries.key_of_header(header)
    return store.update(
        lambda txn: retries.once(
            txn,
            req.context.account,
            key,
            request_digest(*request),
            lambda: take(txn, now),
            now=now,
        )
    )
