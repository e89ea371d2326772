"""Retries: the same Idempotency-Key with the same request gives the first answer again.

The answer is stored in the transaction that takes the number, so neither ever exists without the
other: a request in progress has not taken its number yet, and a concurrent one with the same key
waits for its turn and then finds the answer.

The header follows draft-ietf-httpapi-idempotency-key-header: its value is an RFC 8941 string.
"""

import re
from collections.abc import Callable

from monotron.core import records, tables
from monotron.core.call import Call
from monotron.core.errors import IdempotencyKeyReused, InvalidIdempotencyKey
from monotron.core.records import Retry
from monotron.limits import IDEMPOTENCY_HOURS, IDEMPOTENCY_KEY_CHARACTERS
from monotron.store.contract import Transaction

KEEP_MICROSECONDS = IDEMPOTENCY_HOURS * 3_600 * 1_000_000
"""How long an answer is kept, at least."""


def once(
    txn: Transaction,
    call: Call,
    idempotency_key: str,
    request: bytes,
    take: Callable[[], int],
) -> int:
    """Return the value that `take` returns, or the one it returned when the key was first used.

    `request` is what the key stands for, see `records.request_digest`. If `take` raises, nothing is
    stored. Raises `IdempotencyKeyReused` if the key stands for another request.

    Each new answer removes up to two expired ones, so no sweep is needed.
    """
    row_key = records.retry_row_key(call.account, idempotency_key)
    kept = txn.get(tables.RETRIES, row_key)
    if kept is not None:
        retry = records.unpack_retry(kept)
        if retry.request != request:
            raise IdempotencyKeyReused(
                "this Idempotency-Key was used for another request: each request needs its own"
            )
        return retry.value
    value = take()
    _remove_old(txn, call.now - KEEP_MICROSECONDS)
    txn.put(tables.RETRIES, row_key, records.pack_retry(Retry(request, value)))
    txn.put(tables.RETRY_TIMES, records.retry_time_row_key(call.now, row_key), b"")
    return value


def key_of_header(text: str) -> str:
    """Return the key that an Idempotency-Key header holds: a quoted string, or bare.

    Raises `InvalidIdempotencyKey` for anything else.
    """
    quoted = _QUOTED.fullmatch(text)
    key = _ESCAPED.sub(r"\1", quoted[1]) if quoted else text
    if not quoted and not _BARE.fullmatch(text):
        raise InvalidIdempotencyKey(
            "an Idempotency-Key must be printable ASCII characters, in double quotes or bare; a "
            "bare one cannot have blanks, quotes, commas or semicolons"
        )
    if not 1 <= len(key) <= IDEMPOTENCY_KEY_CHARACTERS:
        raise InvalidIdempotencyKey(
            f"an Idempotency-Key must have 1 to {IDEMPOTENCY_KEY_CHARACTERS} characters; "
            f"this one has {len(key)}"
        )
    return key


def _remove_old(txn: Transaction, before: int) -> None:
    for row_key, _ in txn.scan(tables.RETRY_TIMES, *records.retry_time_range(before), limit=2):
        txn.delete(tables.RETRIES, records.retry_row_key_of_time(row_key))
        txn.delete(tables.RETRY_TIMES, row_key)


# RFC 8941, section 3.3.3.
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_ESCAPED = re.compile(r'\\(["\\])')
_BARE = re.compile(r"[!#-+\--:<-~]*")
