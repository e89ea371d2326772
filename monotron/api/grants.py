"""Grants: the API keys of an account and what each may do, `/v1/accounts/{account_id}/grants`."""

import time
from collections.abc import Mapping
from typing import ClassVar

import falcon

from monotron.api.access import Needs
from monotron.api.answers import pollable, to_json
from monotron.api.body import read_list
from monotron.core import api_keys, scopes
from monotron.core.records import ApiKey
from monotron.core.scopes import Operation, Resource
from monotron.store.contract import Store

READ_ACL = (Operation.READ, Resource.ACL)


class Grants:
    """All of an account."""

    needs: ClassVar[Needs] = {"GET": READ_ACL, "POST": (Operation.WRITE, Resource.ACL)}

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Give a list of them, oldest first."""
        found = self._store.view(lambda reading: api_keys.get_all(reading, req.context.account))
        resp.data = to_json([_members(api_key) for api_key in found])
        pollable(req, resp)

    on_head = on_get

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Make an API key with the scopes in the body. Only now is its secret told."""
        wanted = scopes.parse(read_list(req))
        pair = api_keys.new_pair()
        now = time.time_ns() // 1000
        api_key = self._store.update(
            lambda txn: api_keys.create(txn, req.context.account, pair, wanted, now=now)
        )
        resp.data = to_json(_members(api_key, pair.secret))
        resp.set_header("Cache-Control", "no-store")


class Grant:
    """One of an account, named by its key."""

    needs: ClassVar[Needs] = {"GET": READ_ACL, "DELETE": (Operation.DELETE, Resource.ACL)}

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Give it."""
        api_key = self._store.view(lambda reading: api_keys.get(reading, req.context.account, key))
        if api_key is None:
            raise _no_such_key()
        resp.data = to_json(_members(api_key))
        pollable(req, resp)

    on_head = on_get

    def on_delete(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Remove it; its key and secret are good for nothing from now on."""
        if not self._store.update(lambda txn: api_keys.delete(txn, req.context.account, key)):
            raise _no_such_key()


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
