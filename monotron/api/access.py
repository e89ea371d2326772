"""Access: who calls, in which account, and whether that is allowed.

Every call but the health checks and the dashboard's files needs credentials, also one to a path
that is not there. Each resource says in `calls` what its methods need. Who has no right to an
account is told the same whether there is such an account or not.
"""

import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import falcon

from monotron.api.description import ROOT, Need
from monotron.core import accounts, api_keys, clock, numbers, scopes
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.core.api_keys import Pair
from monotron.core.call import Call
from monotron.store.contract import Store

CHALLENGE = 'Basic realm="monotron"'
ROOT_NAME = "root"
"""What history calls the root pair; the name of an API key is longer."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls."""

    account: int = FIRST_ACCOUNT
    """Where it acts unless the path names another account."""
    api_key: str | None = None
    """What history calls it; None where there is no authentication."""
    scopes: tuple[str, ...] | None = None
    """What it may do, in its own account alone; None for everything everywhere."""
    unknown: bool = False
    """Whether it came without credentials to what is open while others need them."""


class Access:
    """Lets a request through to its resource, in `req.context.call`, or refuses it."""

    def __init__(
        self,
        store: Store,
        root: Pair | None,
        *,
        keep: int,
        is_open: Callable[[str], bool],
        is_readable: Callable[[str], bool],
    ) -> None:
        """Without a `root` pair there is no authentication, and everybody may do everything.

        With one, `is_open` says which raw paths need no credentials, and `is_readable` which ones
        can be read without any. `keep` is how many values the history of a series holds.
        """
        self._store = store
        self._root = root
        self._keep = keep
        self._is_open_path = is_open
        self._is_readable_path = is_readable

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Find out who calls; raises 401."""
        req.context.caller = _ANYBODY
        if self._root is not None:
            req.context.caller = _STRANGER
            if not self._is_open(req):
                req.context.caller = self._authenticated(req, self._root)

    def process_resource(
        self, req: falcon.Request, resp: falcon.Response, resource: Any, params: dict[str, Any]
    ) -> None:
        """Decide whether the caller may do this in this account; raises 403, and 404."""
        caller: Caller = req.context.caller
        named = params.pop("account_id", None)
        account = caller.account if named is None else _account(named)
        method = "GET" if req.method == "HEAD" else req.method
        if caller.scopes is not None:
            if account != caller.account:
                raise _forbidden("an API key acts in its own account alone")
            _check_scopes(caller.scopes, _need(resource, method))
        elif (
            named is not None and not caller.unknown and _need(resource, method) not in (None, ROOT)
        ):
            # A stranger is not told which accounts there are: none of them has what is not there.
            self._store.view(lambda reading: accounts.require(reading, account))
        req.context.call = Call(account, caller.api_key, clock.now(), self._keep)

    def _is_open(self, req: falcon.Request) -> bool:
        if self._is_open_path(req.path):
            return True
        if req.method not in ("GET", "HEAD") or req.get_header("Authorization"):
            return False
        return self._is_readable_path(req.path)

    def _authenticated(self, req: falcon.Request, root: Pair) -> Caller:
        pair = _credentials(req)
        # Digests have one length, so the comparison takes the same time for all.
        is_root = hmac.compare_digest(
            api_keys.digest(pair.key) + api_keys.digest(pair.secret),
            api_keys.digest(root.key) + api_keys.digest(root.secret),
        )
        if is_root:
            return _ROOT
        api_key = self._store.view(lambda reading: api_keys.verified(reading, pair))
        if api_key is None:
            raise _unauthorized("there is no such API key, or its secret is another one")
        return Caller(api_key.account, api_key.key, api_key.scopes)


def _credentials(req: falcon.Request) -> Pair:
    """Give the key and secret of HTTP Basic (RFC 7617); raises 401."""
    header = req.get_header("Authorization")
    if not header:
        raise _unauthorized("this needs an API key and its secret, as HTTP Basic credentials")
    scheme, _, encoded = header.strip().partition(" ")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        text = ""
    key, colon, secret = text.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise _unauthorized("the Authorization header holds no HTTP Basic credentials")
    return Pair(key, secret)


def _account(text: str) -> int:
    return numbers.account(numbers.parsed("an account's id", text))


def _need(resource: Any, method: str) -> Need:
    """Return what a method needs; nothing if the resource has no such method."""
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
