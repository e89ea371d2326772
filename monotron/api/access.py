"""Access: the caller, the account it acts in, and whether that is allowed.

Every call needs credentials, even one to a path that does not exist, except the health checks, the
dashboard's files and, if they are public, badges. Each resource declares in `calls` what its
methods need. A caller without the right to an account gets the same answer whether or not that
account exists.
"""

import base64
import binascii
import functools
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import falcon

from monotron.api.description import ROOT, Need
from monotron.api.key_uses import KeyUses
from monotron.api.timestamps import timestamp
from monotron.core import accounts, api_keys, clock, numbers, scopes
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.core.api_keys import Pair
from monotron.core.call import Call
from monotron.store.contract import Store

CHALLENGE = 'Basic realm="monotron"'
ROOT_NAME = "root"
"""The root pair's name in history; an API key's is longer."""


REMEMBERED = 1_024
"""How many different Authorization headers are remembered, with the digests of their key and
secret: a client sends the same one again and again, and reading it takes 5 µs."""

REMEMBERED_CHARACTERS = 1_024
"""The longest that is remembered."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a request."""

    account: int = FIRST_ACCOUNT
    """The account that it acts in unless the path names another one."""
    api_key: str | None = None
    """Its name in history; None if authentication is off."""
    scopes: tuple[str, ...] | None = None
    """What it may do, and only in its own account; None for everything in every account."""
    unknown: bool = False
    """Whether it was not identified, on an open path, although authentication is on."""


class Access:
    """Lets a request through, with its call in `req.context.call`, or refuses it."""

    def __init__(
        self,
        store: Store,
        root: Pair | None,
        *,
        keep: int,
        is_open: Callable[[str], bool],
        is_readable: Callable[[str], bool],
    ) -> None:
        """Without a `root` pair authentication is off, and everybody may do everything.

        With one, `is_open` says which raw paths need no credentials, and `is_readable` which ones
        can be read without any. `keep` is how many values a series' history holds.
        """
        self._store = store
        self._uses = KeyUses(store)
        self._root = root
        self._keep = keep
        self._is_open_path = is_open
        self._is_readable_path = is_readable

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Identify the caller; raises 401."""
        req.context.caller = _ANYBODY
        if self._root is not None:
            req.context.caller = _STRANGER
            if not self._is_open(req):
                req.context.caller = self._authenticated(req, self._root)

    def process_resource(
        self, req: falcon.Request, resp: falcon.Response, resource: Any, params: dict[str, Any]
    ) -> None:
        """Decide whether the caller may do this in this account; raises 400, 403 and 404."""
        caller: Caller = req.context.caller
        named = params.pop("account_id", None)
        account = caller.account if named is None else _account(named)
        method = "GET" if req.method == "HEAD" else req.method
        if caller.scopes is not None:
            if account != caller.account:
                raise _forbidden("an API key can act only in its own account")
            _check_scopes(caller.scopes, _need(resource, method))
        elif (
            named is not None and not caller.unknown and _need(resource, method) not in (None, ROOT)
        ):
            # A stranger must not learn which accounts exist: a missing one answers like an empty
            # one.
            self._store.view(lambda reading: accounts.require(reading, account))
        req.context.call = Call(account, caller.api_key, clock.now(), self._keep)

    def _is_open(self, req: falcon.Request) -> bool:
        if self._is_open_path(req.path):
            return True
        if req.method not in ("GET", "HEAD") or req.auth:
            return False
        return self._is_readable_path(req.path)

    def _authenticated(self, req: falcon.Request, root: Pair) -> Caller:
        pair = _credentials(req)
        if hmac.compare_digest(pair.both_digests, root.both_digests):
            return _ROOT
        api_key = self._store.view(lambda reading: api_keys.verified(reading, pair))
        if api_key is None:
            raise _unauthorized("unknown API key or wrong secret")
        now = clock.now()
        if api_keys.has_expired(api_key, now):
            raise _unauthorized(f"this API key expired at {timestamp(api_key.expires_at)}")
        self._uses.note(api_key, now)
        return Caller(api_key.account, api_key.key, api_key.scopes)


def _credentials(req: falcon.Request) -> Pair:
    """Return the key and secret of HTTP Basic credentials (RFC 7617); raises 401."""
    header = req.auth
    if not header:
        raise _unauthorized("this needs an API key and its secret, as HTTP Basic credentials")
    return _pair(header) if len(header) > REMEMBERED_CHARACTERS else _remembered_pair(header)


def _pair(header: str) -> Pair:
    scheme, _, encoded = header.strip().partition(" ")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        text = ""
    key, colon, secret = text.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise _unauthorized("the Authorization header has no HTTP Basic credentials")
    return Pair(key, secret)


_remembered_pair = functools.lru_cache(REMEMBERED)(_pair)


def _account(text: str) -> int:
    return numbers.account(numbers.parsed("an account's id", text))


def _need(resource: Any, method: str) -> Need:
    """Return what a method needs; None if the resource does not have the method."""
    call = resource.calls.get(method)
    need: Need = call and call.needs
    return need


def _check_scopes(held: tuple[str, ...], need: Need) -> None:
    if need is None:
        return
    if need == ROOT:
        raise _forbidden("this needs the root pair")
    operation, resource = need
    if not scopes.allow(held, operation, resource):
        raise _forbidden(f"this needs the scope {operation.value}:{resource.value}")


def _unauthorized(detail: str) -> falcon.HTTPUnauthorized:
    return falcon.HTTPUnauthorized(description=detail, challenges=[CHALLENGE])


def _forbidden(detail: str) -> falcon.HTTPForbidden:
    return falcon.HTTPForbidden(description=detail)


_ANYBODY = Caller()
_STRANGER = Caller(unknown=True)
_ROOT = Caller(api_key=ROOT_NAME)
