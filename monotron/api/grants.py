"""Grants: the API keys of an account and what each may do, `/v1/accounts/{account_id}/grants`."""

from collections.abc import Mapping
from typing import ClassVar

import falcon

from monotron.api.access import Needs
from monotron.api.answers import pollable, to_json
from monotron.api.body import read_list
from monotron.api.conditions import conditions
from monotron.api.unread import Bodies
from monotron.core import api_keys, scopes
from monotron.core.call import Call
from monotron.core.records import ApiKey
from monotron.core.scopes import Operation, Resource
from monotron.store.contract import Reading, Store, Transaction

READ_ACL = (Operation.READ, Resource.ACL)


class Grants:
    """All of an account."""

    needs: ClassVar[Needs] = {"GET": READ_ACL, "POST": (Operation.WRITE, Resource.ACL)}
    bodies: ClassVar[Bodies] = {"POST"}

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with a list of them, oldest first."""
        resp.data = self._store.view(lambda reading: _list(reading, req.context.call.account))
        pollable(req, resp)

    on_head = on_get

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Make an API key with the scopes in the body. Only now is its secret told."""
        wanted = scopes.parse(read_list(req))
        pair = api_keys.new_pair()
        call: Call = req.context.call
        conditional = conditions(req)

        def create(txn: Transaction) -> ApiKey:
            conditional.require(lambda: [_list(txn, call.account)])
            return api_keys.create(txn, call, pair, wanted)

        api_key = self._store.update(create)
        resp.data = to_json(_members(api_key, pair.secret))
        resp.set_header("Cache-Control", "no-store")


class Grant:
    """One of an account, named by its key."""

    needs: ClassVar[Needs] = {"GET": READ_ACL, "DELETE": (Operation.DELETE, Resource.ACL)}

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Answer with it."""
        api_key = self._store.view(
            lambda reading: api_keys.get(reading, req.context.call.account, key)
        )
        if api_key is None:
            raise _no_such_key()
        resp.data = to_json(_members(api_key))
        pollable(req, resp)

    on_head = on_get

    def on_delete(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Revoke it: its key and secret are refused from now on."""
        account, wanted = req.context.call.account, conditions(req)

        def delete(txn: Transaction) -> bool:
            found = api_keys.get(txn, account, key)
            # A missing key is a 404, and no condition is looked at (RFC 9110, section 13.2.1).
            if found is None:
                return False
            wanted.require(lambda: [to_json(_members(found))])
            return api_keys.delete(txn, account, key)

        if not self._store.update(delete):
            raise _no_such_key()


def _list(reading: Reading, account: int) -> bytes:
    return to_json([_members(api_key) for api_key in api_keys.get_all(reading, account)])


def _no_such_key() -> falcon.HTTPNotFound:
    return falcon.HTTPNotFound(description="the account has no such API key")


def _members(api_key: ApiKey, secret: str | None = None) -> Mapping[str, object]:
    members: dict[str, object] = {"id": api_key.id, "key": api_key.key}
    if secret is not None:
        members["secret"] = secret
    return {
        "account_id": api_key.account,
        "api_key": members,
        "scopes": list(api_key.scopes),
    }
