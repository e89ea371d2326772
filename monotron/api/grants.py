"""Grants: the API keys of an account with their scopes, `/v1/accounts/{account_id}/grants`."""

from collections.abc import Callable, Mapping
from typing import ClassVar

import falcon

from monotron.api.accounts import ACCOUNTS
from monotron.api.answers import JSON, pollable, to_json
from monotron.api.body import read_list
from monotron.api.conditions import conditions
from monotron.api.description import (
    NOTHING,
    Body,
    Calls,
    Description,
    Field,
    Fields,
    Need,
    Tag,
    in_json,
)
from monotron.api.openapi.components import Component, Object, parameter, schema
from monotron.api.openapi.parameters import NO_STORE, POLLED
from monotron.api.openapi.schemas import ACCOUNT_ID, VALUE, any_case, list_of, members
from monotron.core import api_keys, scopes
from monotron.core.api_keys import KEY_CHARACTERS, SECRET_CHARACTERS
from monotron.core.call import Call
from monotron.core.errors import InvalidScope, TooManyApiKeys
from monotron.core.records import ApiKey
from monotron.core.scopes import Operation, ScopeResource
from monotron.limits import API_KEYS, SCOPES
from monotron.store.contract import Reading, Store, Transaction

READ_ACL: Need = (Operation.READ, ScopeResource.ACL)


def _random(characters: int) -> Object:
    return {"type": "string", "pattern": f"^[0-9A-Za-z]{{{characters}}}$"}


def _scope(name: str, spelled: Callable[[str], str], blanks: str = "", **more: str) -> Component:
    operation = f"(?:{'|'.join(spelled(each.value) for each in Operation)})"
    resource = f"(?:{'|'.join(spelled(each.value) for each in ScopeResource)})"
    operations = rf"(?:\*|{operation}(?:{blanks},{blanks}{operation})*)"
    pattern = f"^{blanks}{operations}{blanks}:{blanks}{resource}{blanks}$"
    return schema(name, {"type": "string", "pattern": pattern, **more}, "read,write:series")


_KEY = "pXq2mV7cLwT9aZr4KdY8sBnE"
_SECRET = "S3" * (SECRET_CHARACTERS // 2)

_API_KEY: Object = {
    "id": VALUE,
    "key": schema("ApiKey", _random(KEY_CHARACTERS), _KEY),
}
_WITH_SECRET = _API_KEY | {"secret": schema("Secret", _random(SECRET_CHARACTERS), _SECRET)}

_SCOPES = schema("Scopes", list_of(_scope("Scope", str), SCOPES), ["read,write:series"])
_WANTED_SCOPES = schema(
    "WantedScopes",
    list_of(
        _scope(
            "WantedScope",
            any_case,
            r"\s*",
            description="`OPERATIONS:RESOURCE`, in upper or lower case; blanks are ignored.",
        ),
        SCOPES,
    ),
    ["read,write:series", "* : acl"],
)


def _grant(name: str, api_key: Object, example: Object) -> Component:
    of: Object = {"account_id": ACCOUNT_ID, "api_key": members(api_key), "scopes": _SCOPES}
    whole: Object = {"account_id": 1, "api_key": example, "scopes": ["read,write:series"]}
    return schema(name, members(of), whole)


_GRANT = _grant("Grant", _API_KEY, {"id": 1, "key": _KEY})
_GRANTS = schema("Grants", list_of(_GRANT, API_KEYS), _GRANT.body["examples"])
_NEW_GRANT = _grant("NewGrant", _WITH_SECRET, {"id": 1, "key": _KEY, "secret": _SECRET})


class Grants:
    """All API keys of an account."""

    tag: ClassVar[Tag] = ACCOUNTS
    calls: ClassVar[Calls] = {
        "GET": Description(
            "listGrants",
            "The API keys of the account, oldest first, without their secrets",
            in_json(_GRANTS),
            needs=READ_ACL,
            polled=POLLED,
        ),
        "POST": Description(
            "makeGrant",
            "Create an API key with these scopes; its secret is shown only once",
            in_json(_NEW_GRANT, NO_STORE),
            needs=(Operation.WRITE, ScopeResource.ACL),
            body=Body({JSON: _WANTED_SCOPES}),
            raises=(InvalidScope, TooManyApiKeys),
            then=("getGrant", "deleteGrant"),
            gives={"key": "$response.body#/api_key/key"},
        ),
    }

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with a list, oldest first."""
        resp.data = self._store.view(lambda reading: _list(reading, req.context.call.account))
        pollable(req, resp)

    on_head = on_get

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Create an API key with the scopes in the body. Only this answer has its secret."""
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
    """One API key of an account, named by its key."""

    tag: ClassVar[Tag] = ACCOUNTS
    fields: ClassVar[Fields] = {
        "key": Field(parameter("path", "key", _API_KEY["key"], "The API key.", within="grants"))
    }
    calls: ClassVar[Calls] = {
        "GET": Description(
            "getGrant",
            "One API key, without its secret",
            in_json(_GRANT),
            needs=READ_ACL,
            missing="the account has no such API key",
            polled=POLLED,
        ),
        "DELETE": Description(
            "deleteGrant",
            "Revoke an API key",
            NOTHING,
            needs=(Operation.DELETE, ScopeResource.ACL),
            missing="the account has no such API key",
            then=("getGrant",),
        ),
    }

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Answer with the API key, without its secret."""
        api_key = self._store.view(
            lambda reading: api_keys.get(reading, req.context.call.account, key)
        )
        if api_key is None:
            raise _no_such_key()
        resp.data = to_json(_members(api_key))
        pollable(req, resp)

    on_head = on_get

    def on_delete(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Revoke the API key: it is refused from now on."""
        account, wanted = req.context.call.account, conditions(req)

        def delete(txn: Transaction) -> bool:
            found = api_keys.get(txn, account, key)
            # A missing key is a 404, and conditions are ignored (RFC 9110, section 13.2.1).
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
    key: dict[str, object] = {"id": api_key.id, "key": api_key.key}
    if secret is not None:
        key["secret"] = secret
    return {
        "account_id": api_key.account,
        "api_key": key,
        "scopes": list(api_key.scopes),
    }
