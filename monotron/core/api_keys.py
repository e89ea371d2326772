"""API keys: credentials for an account, and what each of them allows.

A secret is 128 random letters and digits, over 760 bits. Nobody can guess it from its digest, so a
fast digest is as good as a slow one; slow ones are for passwords that people choose.
"""

import functools
import hashlib
import hmac
import secrets
import string
from collections.abc import Iterable
from dataclasses import dataclass, field

from monotron.core import accounts, records, tables
from monotron.core.call import Call
from monotron.core.errors import TooManyApiKeys
from monotron.core.records import ApiKey
from monotron.limits import API_KEYS
from monotron.store.contract import Reading, Transaction

KEY_CHARACTERS = 24
SECRET_CHARACTERS = 128


REMEMBERED = 1_024
"""How many rows of API keys are remembered as they were unpacked. They are read at each call."""


@dataclass(frozen=True)
class Pair:
    """A key with its secret."""

    key: str
    secret: str = field(repr=False)

    @functools.cached_property
    def digest(self) -> bytes:
        """The digest of the secret."""
        return digest(self.secret)

    @functools.cached_property
    def both_digests(self) -> bytes:
        """The digests of the key and of the secret, which have the same length for all pairs."""
        return digest(self.key) + self.digest


def new_pair() -> Pair:
    """Return a new random key and secret."""
    return Pair(_random(KEY_CHARACTERS), _random(SECRET_CHARACTERS))


def create(
    txn: Transaction,
    call: Call,
    pair: Pair,
    scopes: tuple[str, ...],
    *,
    name: str | None = None,
    expires_at: int = 0,
) -> ApiKey:
    """Create an API key in the caller's account; `scopes` are as `scopes.parse` returns them.

    It stops working at `expires_at`, in microseconds since 1970-01-01T00:00:00Z; 0 for never.
    Raises `NoSuchAccount`, and `TooManyApiKeys` if the account has no room for another.
    """
    accounts.require(txn, call.account)
    number = last_id(txn) + 1
    api_key = ApiKey(call.account, number, pair.key, pair.digest, scopes, call.now, expires_at)
    add(txn, api_key)
    if name is not None:
        set_name(txn, pair.key, name)
    return api_key


def name_of(reading: Reading, key: str) -> str | None:
    """Return the name of an API key, which may have been revoked since; None if it has none."""
    value = reading.get(tables.API_KEY_NAMES, records.api_key_row_key(key))
    return None if value is None else records.unpack_api_key_name(value)


def names_of(reading: Reading, keys: Iterable[str | None]) -> dict[str | None, str]:
    """Return the names of those API keys that have one."""
    found = {key: name_of(reading, key) for key in set(keys) if key is not None}
    return {key: name for key, name in found.items() if name is not None}


def set_name(txn: Transaction, key: str, name: str) -> None:
    """Store the name of an API key. It stays, so that history can tell who took a value."""
    row_key = records.api_key_row_key(key)
    txn.put(tables.API_KEY_NAMES, row_key, records.pack_api_key_name(name))


def has_expired(api_key: ApiKey, now: int) -> bool:
    """Return whether an API key has stopped working."""
    return 0 < api_key.expires_at <= now


def add(txn: Transaction, api_key: ApiKey) -> None:
    """Store an API key whose id is greater than every id so far.

    Raises `TooManyApiKeys` if the account has no room for another.
    """
    range_ = records.grant_range(api_key.account)
    if len(txn.scan(tables.GRANTS, *range_, limit=API_KEYS)) == API_KEYS:
        raise TooManyApiKeys(f"an account can have at most {API_KEYS} API keys: delete one first")
    row_key = records.api_key_row_key(api_key.key)
    use_ids(txn, api_key.id)
    txn.put(tables.API_KEYS, row_key, records.pack_api_key(api_key))
    txn.put(tables.GRANTS, records.grant_row_key(api_key.account, api_key.id), row_key)


def last_id(reading: Reading) -> int:
    """Return the last id used; 0 before the first API key."""
    counted = reading.get(tables.SYSTEM, records.API_KEY_IDS_ROW_KEY)
    return 0 if counted is None else records.unpack_counter(counted)


def use_ids(txn: Transaction, last: int) -> None:
    """Reserve every id up to `last`: no new API key gets one of them."""
    if last > last_id(txn):
        txn.put(tables.SYSTEM, records.API_KEY_IDS_ROW_KEY, records.pack_counter(last))


def get(reading: Reading, account: int, key: str) -> ApiKey | None:
    """Return an account's API key, or None if it has no such key."""
    api_key = find(reading, key)
    return api_key if api_key is not None and api_key.account == account else None


def find(reading: Reading, key: str) -> ApiKey | None:
    """Return the API key with this key, whichever account it belongs to, or None."""
    # Any other text is not one of our keys, and may be too long to be a row key.
    if len(key) != KEY_CHARACTERS or not key.isascii():
        return None
    row_key = records.api_key_row_key(key)
    value = reading.get(tables.API_KEYS, row_key)
    return None if value is None else _unpacked(row_key, value)


def get_all(reading: Reading, account: int) -> list[ApiKey]:
    """Return an account's API keys, oldest first."""
    rows = reading.scan(tables.GRANTS, *records.grant_range(account), limit=API_KEYS)
    found = [find(reading, key.decode(errors="replace")) for _, key in rows]
    return [api_key for api_key in found if api_key is not None]


def delete(txn: Transaction, account: int, key: str) -> bool:
    """Revoke an account's API key; return whether there was one."""
    api_key = get(txn, account, key)
    if api_key is None:
        return False
    txn.delete(tables.API_KEYS, records.api_key_row_key(key))
    return txn.delete(tables.GRANTS, records.grant_row_key(account, api_key.id))


def take_back(txn: Transaction, api_key: ApiKey) -> None:
    """Remove an API key that nobody has used, with its name."""
    delete(txn, api_key.account, api_key.key)
    txn.delete(tables.API_KEY_NAMES, records.api_key_row_key(api_key.key))


def verified(reading: Reading, pair: Pair) -> ApiKey | None:
    """Return the API key if the pair's secret is the right one, else None.

    An unknown key takes as long to reject as a wrong secret.
    """
    api_key = find(reading, pair.key)
    same = hmac.compare_digest(api_key.digest if api_key else _NOBODY, pair.digest)
    return api_key if same else None


def digest(text: str) -> bytes:
    """Return the digest that is stored in place of a secret."""
    return hashlib.sha256(text.encode()).digest()


def _random(length: int) -> str:
    return "".join(secrets.choice(_CHARACTERS) for _ in range(length))


_unpacked = functools.lru_cache(REMEMBERED)(records.unpack_api_key)

_CHARACTERS = string.ascii_letters + string.digits
_NOBODY = bytes(32)
