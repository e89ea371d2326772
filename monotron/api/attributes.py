"""Attributes of a token: `/v1/tokens/{key}/{token}/attrs`."""

import falcon

from monotron.api.access import READ_SERIES, WRITE_SERIES, Needs
from monotron.api.answers import PLAIN, pollable, to_json
from monotron.api.body import read_object, read_text
from monotron.core import attributes, names
from monotron.limits import ATTRIBUTES_BYTES
from monotron.store.contract import Store

NEEDS: Needs = {"GET": READ_SERIES, "PUT": WRITE_SERIES, "DELETE": WRITE_SERIES}


class Attributes:
    """All attributes of a token."""

    needs = NEEDS

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, key: str, token: str) -> None:
        """Give them as one object, `{}` where there are none."""
        key, token = names.series_key(key), names.token(token)
        found = self._store.view(
            lambda reading: attributes.get_all(reading, req.context.account, key, token)
        )
        resp.data = to_json(found)
        pollable(req, resp)

    on_head = on_get

    def on_put(self, req: falcon.Request, resp: falcon.Response, key: str, token: str) -> None:
        """Store those in the body; the others stay. Give back those that were sent."""
        key, token = names.series_key(key), names.token(token)
        sent = attributes.valid(read_object(req, ATTRIBUTES_BYTES))
        self._store.update(lambda txn: attributes.put(txn, req.context.account, key, token, sent))
        resp.data = to_json(sent)

    def on_delete(self, req: falcon.Request, resp: falcon.Response, key: str, token: str) -> None:
        """Remove them all. None at all is no error."""
        key, token = names.series_key(key), names.token(token)
        self._store.update(lambda txn: attributes.delete_all(txn, req.context.account, key, token))


class OneAttribute:
    """One attribute of a token."""

    needs = NEEDS

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(
        self, req: falcon.Request, resp: falcon.Response, key: str, token: str, name: str
    ) -> None:
        """Give its text, byte for byte; 404 where there is none."""
        key, token, name = names.series_key(key), names.token(token), names.attribute(name)
        text = self._store.view(
            lambda reading: attributes.get(reading, req.context.account, key, token, name)
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
        self._store.update(lambda txn: attributes.put(txn, req.context.account, key, token, sent))
        resp.data = to_json(sent)

    def on_delete(
        self, req: falcon.Request, resp: falcon.Response, key: str, token: str, name: str
    ) -> None:
        """Remove it. One that is not there is no error."""
        key, token, name = names.series_key(key), names.token(token), names.attribute(name)
        self._store.update(
            lambda txn: attributes.delete(txn, req.context.account, key, token, name)
        )
