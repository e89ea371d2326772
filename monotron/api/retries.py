"""Retries: `Idempotency-Key` on every call that takes numbers with POST."""

from collections.abc import Callable, Iterable

import falcon

from monotron.api.conditions import conditions
from monotron.core import retries
from monotron.core.records import request_digest
from monotron.store.contract import Reading, Store, Transaction


def take_once(
    store: Store,
    req: falcon.Request,
    request: tuple[str, ...],
    take: Callable[[Transaction], tuple[int, int]],
    current: Callable[[Reading], Iterable[bytes]],
) -> int:
    """Return the value that `take(txn)` takes, or the one that this key got before.

    `take` returns the value and how many values it took; `current` returns the bodies that a GET of
    the path could return. `request` identifies what the call asks for, however it is spelled.

    Raises 400 for an invalid key, 412 if the request's conditions do not hold, and 422 for a key
    that stands for another request. A retry is answered whatever has changed since: its own first
    attempt may be the reason that its conditions no longer hold.
    """
    wanted = conditions(req)
    # The token of a PUT already shows whether it is a repeat.
    header = req.env.get("HTTP_IDEMPOTENCY_KEY") if req.method == "POST" else None

    def take_if_wanted(txn: Transaction) -> tuple[int, int]:
        wanted.require(lambda: current(txn))
        return take(txn)

    if header is None:
        value, req.context.given = store.update(take_if_wanted)
        return value
    key, digest = retries.key_of_header(header), request_digest(*request)

    def take_first(txn: Transaction) -> tuple[int, int]:
        given = 0

        def note_and_take() -> int:
            nonlocal given
            value, given = take_if_wanted(txn)
            return value

        value = retries.once(txn, req.context.call, key, digest, note_and_take)
        return value, given

    value, req.context.given = store.update(take_first)
    return value
