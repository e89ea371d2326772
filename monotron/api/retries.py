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
    *,
    count: int = 1,
) -> int:
    """Give the value that `take(txn, now)` takes, or the one that this key got before.

    `request` is what the call asks for, however it is spelled; `count` is how many values it takes.
    Raises 400 for a key that is none,
    and 422 for one that stands for another request.
    """
    now = time.time_ns() // 1000
    header = req.get_header("Idempotency-Key")
    if header is None:
        value = store.update(lambda txn: take(txn, now))
        req.context.given = count
        return value
    key, digest = retries.key_of_header(header), request_digest(*request)

    def take_first(txn: Transaction) -> tuple[int, bool]:
        first = False

        def note_and_take() -> int:
            nonlocal first
            first = True
            return take(txn, now)

        value = retries.once(txn, req.context.account, key, digest, note_and_take, now=now)
        return value, first

    value, first = store.update(take_first)
    if first:
        req.context.given = count
    return value
