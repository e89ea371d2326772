"""The build-number API: `/{uuid}`."""

from collections.abc import Iterable
from typing import ClassVar
from urllib.parse import unquote

import falcon
from falcon.routing import BaseConverter

from monotron.api.access import READ_SERIES, WRITE_SERIES, Needs
from monotron.api.answers import answer, pollable, representations
from monotron.api.retries import take_once
from monotron.core import series, uuids
from monotron.core.call import Call
from monotron.core.records import Series
from monotron.store.contract import Store

MEANT = ":meant_as_uuid"
"""What follows the name in the route: a path that nobody can have meant as a UUID has no route."""

JSON_UTF8 = "application/json; charset=UTF-8"
"""What this API's clients have always been told."""


class MeantAsUuid(BaseConverter):
    """Lets a path segment through as it is, if it can have been meant as a UUID."""

    def convert(self, value: str) -> str | None:
        """Return `value`, still percent-encoded, or None."""
        return value if uuids.resembles(unquote(value)) else None


class BuildNumber:
    """The series named by a UUID, as its clients know it: `{"bn":5}`."""

    needs: ClassVar[Needs] = {"GET": READ_SERIES, "POST": WRITE_SERIES}

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_post(self, req: falcon.Request, resp: falcon.Response, uuid: str) -> None:
        """Take the next number."""
        key = uuids.canonical(uuid)
        call: Call = req.context.call
        value = take_once(
            self._store,
            req,
            ("build number", key),
            lambda txn: (series.advance(txn, call, key).value, 1),
            lambda reading: _current(series.get(reading, call.account, key)),
        )
        answer(req, resp, {"bn": value}, value, content_type=JSON_UTF8)

    def on_get(self, req: falcon.Request, resp: falcon.Response, uuid: str) -> None:
        """Answer with the current number; 404 before the first."""
        key = uuids.canonical(uuid)
        state = self._store.view(lambda reading: series.get(reading, req.context.call.account, key))
        if state is None:
            raise falcon.HTTPNotFound(description=f"no number has been given out for {key} yet")
        answer(req, resp, {"bn": state.value}, state.value, content_type=JSON_UTF8)
        pollable(req, resp)

    on_head = on_get


def _current(state: Series | None) -> Iterable[bytes]:
    return () if state is None else representations({"bn": state.value}, state.value)
