"""Grants: the API keys of an account with their scopes, `/v1/accounts/{account_id}/grants`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import falcon

from monotron.api.accounts import ACCOUNTS
from monotron.api.answers import JSON, pollable, to_json
from monotron.api.body import read_list_or_object
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
from monotron.api.openapi.schemas import (
    A_TIME,
    ACCOUNT_ID,
    TIME,
    VALUE,
    any_case,
    list_of,
    members,
    name,
    or_null,
)
from monotron.api.timestamps import timestamp
from monotron.core import api_keys, expiry, names, scopes
from monotron.core.api_keys import KEY_CHARACTERS, SECRET_CHARACTERS
from monotron.core.call import Call
from monotron.core.errors import InvalidName, InvalidNumber, InvalidScope, TooManyApiKeys
from monotron.core.records import ApiKey
from monotron.core.scopes import Operation, ScopeResource
from monotron.limits import API_KEY_NAME_BYTES, API_KEYS, SCOPES
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

_NAME = name("ApiKeyName", "jenkins-prod", most=API_KEY_NAME_BYTES)
_EXPIRES = schema(
    "Expires",
    {
        "type": "string",
        "pattern": f"^{expiry.PATTERN}$",
        "description": "How long the key works: a number of minutes, hours, days or weeks.",
    },
    "90d",
)
_API_KEY: Object = {
    "id": VALUE,
    "key": schema("ApiKey", _random(KEY_CHARACTERS), _KEY),
    "name": _NAME,
    "expires_at": TIME,
}
_MORE = ("name", "expires_at")
"""The members that only some API keys have."""

_AN_API_KEY: Object = {"id": 1, "key": _KEY, "name": "jenkins-prod", "expires_at": A_TIME}
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
_WANTED = schema(
    "WantedGrant",
    {
        "anyOf": [
            _WANTED_SCOPES,
            members(
                {"scopes": _WANTED_SCOPES, "name": or_null(_NAME), "expires": or_null(_EXPIRES)},
                optional=("name", "expires"),
            )
            | {"additionalProperties": False},
        ]
    },
    ["read,write:series"],
    {"scopes": ["read,write:series"], "name": "jenkins-prod", "expires": "90d"},
)


def _grant(name: str, api_key: Object, example: Object) -> Component:
    of: Object = {
        "account_id": ACCOUNT_ID,
        "api_key": members(api_key, optional=_MORE),
        "scopes": _SCOPES,
    }
    whole: Object = {"account_id": 1, "api_key": example, "scopes": ["read,write:series"]}
    return schema(name, members(of), whole)


_GRANT = _grant("Grant", _API_KEY, _AN_API_KEY)
_GRANTS = schema("Grants", list_of(_GRANT, API_KEYS), _GRANT.body["examples"])
_NEW_GRANT = _grant("NewGrant", _WITH_SECRET, {**_AN_API_KEY, "secret": _SECRET})


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
            "Create an API key with these scopes, which may have a name and expire; its secret is "
            "shown only once",
            in_json(_NEW_GRANT, NO_STORE),
            needs=(Operation.WRITE, ScopeResource.ACL),
            body=Body({JSON: _WANTED}),
            raises=(InvalidScope, InvalidName, InvalidNumber, TooManyApiKeys),
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
        call: Call = req.context.call
        wanted = _wanted(read_list_or_object(req), call.now)
        pair = api_keys.new_pair()
        conditional = conditions(req)

        def create(txn: Transaction) -> ApiKey:
            conditional.require(lambda: [_list(txn, call.account)])
            return api_keys.create(
                txn, call, pair, wanted.scopes, name=wanted.name, expires_at=wanted.expires_at
            )

        api_key = self._store.update(create)
        resp.data = to_json(_members(api_key, wanted.name, pair.secret))
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
        body = self._store.view(lambda reading: _one(reading, req.context.call.account, key))
        if body is None:
            raise _no_such_key()
        resp.data = body
        pollable(req, resp)

    on_head = on_get

    def on_delete(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Revoke the API key: it is refused from now on."""
        account, wanted = req.context.call.account, conditions(req)

        def delete(txn: Transaction) -> bool:
            found = _one(txn, account, key)
            # A missing key is a 404, and conditions are ignored (RFC 9110, section 13.2.1).
            if found is None:
                return False
            wanted.require(lambda: [found])
            return api_keys.delete(txn, account, key)

        if not self._store.update(delete):
            raise _no_such_key()


@dataclass(frozen=True, slots=True)
class _Wanted:
    scopes: tuple[str, ...]
    name: str | None
    expires_at: int


def _wanted(body: list[object] | dict[str, object], now: int) -> _Wanted:
    """Read what an API key should be: a list of scopes, or an object with them and more."""
    if isinstance(body, list):
        return _Wanted(scopes.parse(body), None, 0)
    if unknown := body.keys() - {"scopes", "name", "expires"}:
        raise falcon.HTTPBadRequest(
            description=f"the body has the member {min(unknown)[:80]!r}; it takes: scopes, name, "
            "expires"
        )
    held = body.get("scopes")
    if not isinstance(held, list):
        raise InvalidScope('scopes must be a list, for example ["read,write:series"]')
    text, expires = _text(body, "name"), _text(body, "expires")
    return _Wanted(
        scopes.parse(held),
        None if text is None else names.api_key_name(text),
        0 if expires is None else expiry.after(now, expires),
    )


def _text(body: dict[str, object], member: str) -> str | None:
    value = body.get(member)
    if value is not None and not isinstance(value, str):
        raise falcon.HTTPBadRequest(description=f"{member} must be a string or null")
    return value


def _list(reading: Reading, account: int) -> bytes:
    return to_json(
        [
            _members(api_key, api_keys.name_of(reading, api_key.key))
            for api_key in api_keys.get_all(reading, account)
        ]
    )


def _one(reading: Reading, account: int, key: str) -> bytes | None:
    api_key = api_keys.get(reading, account, key)
    if api_key is None:
        return None
    return to_json(_members(api_key, api_keys.name_of(reading, key)))


def _no_such_key() -> falcon.HTTPNotFound:
    return falcon.HTTPNotFound(description="the account has no such API key")


def _members(api_key: ApiKey, name: str | None, secret: str | None = None) -> Mapping[str, object]:
    key: dict[str, object] = {"id": api_key.id, "key": api_key.key}
    if secret is not None:
        key["secret"] = secret
    if name is not None:
        key["name"] = name
    if api_key.expires_at:
        key["expires_at"] = timestamp(api_key.expires_at)
    return {
        "account_id": api_key.account,
        "api_key": key,
        "scopes": list(api_key.scopes),
    }
