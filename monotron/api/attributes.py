"""Attributes of a token: `/v1/tokens/{key}/{token}/attrs`."""

from collections.abc import Iterable
from typing import ClassVar

import falcon

from monotron.api.answers import JSON, PLAIN, pollable, to_json
from monotron.api.body import read_object, read_text
from monotron.api.conditions import conditions
from monotron.api.description import (
    NOTHING,
    READ_SERIES,
    WRITE_SERIES,
    Answer,
    Body,
    Calls,
    Description,
    Field,
    Fields,
    Tag,
    in_json,
)
from monotron.api.openapi.components import Component, Object, parameter, schema
from monotron.api.openapi.parameters import NO_SNIFFING, POLLED
from monotron.api.openapi.schemas import STORED_NAME, name, text
from monotron.core import attributes, names
from monotron.core.errors import InvalidAttribute
from monotron.limits import (
    ATTRIBUTE_BYTES,
    ATTRIBUTES,
    ATTRIBUTES_BYTES,
    LISTED_ATTRIBUTE_BYTES,
)
from monotron.store.contract import Reading, Store, Transaction

TAG = Tag(
    "Token attributes",
    "Strings kept beside a token, even one that was never used on the series.",
)

_NAME = name("AttributeName", "author")
_VALUE = schema(
    "AttributeValue",
    text(ATTRIBUTE_BYTES) | {"description": f"At most {ATTRIBUTE_BYTES} bytes of UTF-8."},
    "jane",
)


def _by_name(of: str, names: Component, most: int, example: Object, **more: int) -> Component:
    body: Object = {
        "type": "object",
        "propertyNames": names,
        "additionalProperties": _VALUE,
        "maxProperties": most,
        "description": f"Values by name. A token can have at most {ATTRIBUTES}.",
    }
    return schema(of, body | more, example)


_SOME: Object = {"author": "jane", "build": "https://ci.example.com/7"}
_ATTRIBUTES = _by_name("Attributes", _NAME, ATTRIBUTES, _SOME)
_STORED = _by_name("StoredAttributes", STORED_NAME, ATTRIBUTES, _SOME)
LISTED = schema(
    "ListedAttributes",
    {
        "type": "object",
        "propertyNames": STORED_NAME,
        "additionalProperties": {"type": "string"},
        "maxProperties": ATTRIBUTES,
        "description": "The attributes of the token, if it has any, without texts of more than "
        f"{LISTED_ATTRIBUTE_BYTES} bytes.",
    },
    _SOME,
)
"""The attributes of a token in a list of tokens."""
_ATTRIBUTE = _by_name("Attribute", _NAME, 1, {"author": "jane"}, minProperties=1)


class Attributes:
    """All attributes of a token."""

    tag: ClassVar[Tag] = TAG
    calls: ClassVar[Calls] = {
        "GET": Description(
            "getAttributes",
            "All attributes of the token; an empty object if it has none",
            in_json(_STORED),
            needs=READ_SERIES,
            polled=POLLED,
        ),
        "PUT": Description(
            "putAttributes",
            "Set some attributes; the others stay",
            in_json(_ATTRIBUTES),
            needs=WRITE_SERIES,
            body=Body({JSON: _ATTRIBUTES}),
            raises=(InvalidAttribute,),
            then=("getAttributes", "deleteAttributes"),
        ),
        "DELETE": Description(
            "deleteAttributes",
            "Remove all attributes of the token",
            NOTHING,
            needs=WRITE_SERIES,
        ),
    }

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, key: str, token: str) -> None:
        """Answer with one object; `{}` if the token has no attributes."""
        key, token = names.series_key(key, new=False), names.token(token, new=False)
        resp.data = self._store.view(
            lambda reading: _all(reading, req.context.call.account, key, token)
        )
        pollable(req, resp)

    on_head = on_get

    def on_put(self, req: falcon.Request, resp: falcon.Response, key: str, token: str) -> None:
        """Store the attributes in the body; others stay. Answer with those that were sent."""
        key, token = names.series_key(key), names.token(token)
        sent = attributes.valid(read_object(req, ATTRIBUTES_BYTES))
        account, wanted = req.context.call.account, conditions(req)

        def put(txn: Transaction) -> None:
            wanted.require(lambda: [_all(txn, account, key, token)])
            attributes.put(txn, account, key, token, sent)

        self._store.update(put)
        resp.data = to_json(sent)

    def on_delete(self, req: falcon.Request, resp: falcon.Response, key: str, token: str) -> None:
        """Remove all attributes. It is not an error if there are none."""
        key, token = names.series_key(key, new=False), names.token(token, new=False)
        account, wanted = req.context.call.account, conditions(req)

        def delete_all(txn: Transaction) -> None:
            wanted.require(lambda: [_all(txn, account, key, token)])
            attributes.delete_all(txn, account, key, token)

        self._store.update(delete_all)


class OneAttribute:
    """One attribute of a token."""

    tag: ClassVar[Tag] = TAG
    fields: ClassVar[Fields] = {"name": Field(parameter("path", "name", _NAME, "The attribute."))}
    calls: ClassVar[Calls] = {
        "GET": Description(
            "getAttribute",
            "The bare value of one attribute",
            Answer({PLAIN: _VALUE}, (NO_SNIFFING,)),
            needs=READ_SERIES,
            missing="the token has no attribute 'author'",
            polled=POLLED,
        ),
        "PUT": Description(
            "putAttribute",
            "Set one attribute to the bare body",
            in_json(_ATTRIBUTE),
            needs=WRITE_SERIES,
            # No body means the empty value.
            body=Body({"text/plain": _VALUE}, required=False),
            raises=(InvalidAttribute,),
            then=("getAttribute", "deleteAttribute"),
        ),
        "DELETE": Description(
            "deleteAttribute",
            "Remove one attribute",
            NOTHING,
            needs=WRITE_SERIES,
            then=("getAttribute",),
        ),
    }

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(
        self, req: falcon.Request, resp: falcon.Response, key: str, token: str, name: str
    ) -> None:
        """Answer with its text, byte for byte; 404 if the token has no attribute of that name."""
        key, token, name = _stored(key, token, name)
        text = self._store.view(
            lambda reading: attributes.get(reading, req.context.call.account, key, token, name)
        )
        if text is None:
            raise falcon.HTTPNotFound(description=f"the token has no attribute {name!r}")
        resp.content_type = PLAIN
        # Anybody may have written the text, so no browser may take it for a page.
        resp.set_header("X-Content-Type-Options", "nosniff")
        resp.data = text.encode()
        pollable(req, resp)

    on_head = on_get

    def on_put(
        self, req: falcon.Request, resp: falcon.Response, key: str, token: str, name: str
    ) -> None:
        """Set its text to the body."""
        key, token, name = names.series_key(key), names.token(token), names.attribute(name)
        sent = attributes.valid({name: read_text(req, ATTRIBUTES_BYTES)})
        account, wanted = req.context.call.account, conditions(req)

        def put(txn: Transaction) -> None:
            wanted.require(lambda: _one(txn, account, key, token, name))
            attributes.put(txn, account, key, token, sent)

        self._store.update(put)
        resp.data = to_json(sent)

    def on_delete(
        self, req: falcon.Request, resp: falcon.Response, key: str, token: str, name: str
    ) -> None:
        """Remove it. It is not an error if it is missing."""
        key, token, name = _stored(key, token, name)
        account, wanted = req.context.call.account, conditions(req)

        def delete(txn: Transaction) -> None:
            wanted.require(lambda: _one(txn, account, key, token, name))
            attributes.delete(txn, account, key, token, name)

        self._store.update(delete)


def _stored(key: str, token: str, name: str) -> tuple[str, str, str]:
    return (
        names.series_key(key, new=False),
        names.token(token, new=False),
        names.attribute(name, new=False),
    )


def _all(reading: Reading, account: int, key: str, token: str) -> bytes:
    return to_json(attributes.get_all(reading, account, key, token))


def _one(reading: Reading, account: int, key: str, token: str, name: str) -> Iterable[bytes]:
    text = attributes.get(reading, account, key, token, name)
    return () if text is None else [text.encode()]
