"""Attributes of a token: `/v1/tokens/{key}/{token}/attrs`."""

from collections.abc import Iterable
from typing import ClassVar

import falcon

from monotron.api.access import READ_SERIES, WRITE_SERIES, Needs
from monotron.api.answers import PLAIN, pollable, to_json
from monotron.api.body import read_object, read_text
from monotron.api.conditions import conditions
from monotron.api.unread import Bodies
from monotron.core import attributes, names
from monotron.limits import ATTRIBUTES_BYTES
from monotron.store.contract import Reading, Store, Transaction

NEEDS: Needs = {"GET": READ_SERIES, "PUT": WRITE_SERIES, "DELETE": WRITE_SERIES}


class Attributes:
    """All attributes of a token."""

    needs = NEEDS
    bodies: ClassVar[Bodies] = {"PUT"}

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, key: str, token: str) -> None:
        """Answer with one object, `{}` if the token has none."""
        key, token = names.series_key(key, new=False), names.token(token, new=False)
        resp.data = self._store.view(
            lambda reading: _all(reading, req.context.call.account, key, token)
        )
        pollable(req, resp)

    on_head = on_get

    def on_put(self, req: falcon.Request, resp: falcon.Response, key: str, token: str) -> None:
        """Store those in the body; the others stay. Answer with those that were sent."""
        key, token = names.series_key(key), names.token(token)
        sent = attributes.valid(read_object(req, ATTRIBUTES_BYTES))
        account, wanted = req.context.call.account, conditions(req)

        def put(txn: Transaction) -> None:
            wanted.require(lambda: [_all(txn, account, key, token)])
            attributes.put(txn, account, key, token, sent)

        self._store.update(put)
        resp.data = to_json(sent)

    def on_delete(self, req: falcon.Request, resp: falcon.Response, key: str, token: str) -> None:
        """Remove them all. A token without any is no error."""
        key, token = names.series_key(key, new=False), names.token(token, new=False)
        account, wanted = req.context.call.account, conditions(req)

        def delete_all(txn: Transaction) -> None:
            wanted.require(lambda: [_all(txn, account, key, token)])
            attributes.delete_all(txn, account, key, token)

        self._store.update(delete_all)


class OneAttribute:
    """One attribute of a token."""

    needs = NEEDS
    bodies: ClassVar[Bodies] = {"PUT"}

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(
        self, req: falcon.Request, resp: falcon.Response, key: str, token: str, name: str
    ) -> None:
        """Answer with its text, byte for byte; 404 if the token has none of that name."""
        key, token, name = _stored(key, token, name)
        text = self._store.view(
            lambda reading: attributes.get(reading, req.context.call.account, key, token, name)
        )
        if text is None:
            raise falcon.HTTPNotFound(description=f"the token has no attribute {name!r}")
        resp.content_type = PLAIN
        # It is anybody's text: no browser may take it for a page.
        resp.set_header("X-Content-Type-Options", "nosniff")
        resp.data = text.encode()
        pollable(req, resp)

    on_head = on_get

    def on_put(
        self, req: falcon.Request, resp: falcon.Response, key: str, token: str, name: str
    ) -> None:
        """Store the body as its text."""
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
        """Remove it. A missing one is no error."""
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
