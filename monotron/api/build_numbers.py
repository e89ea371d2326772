"""The build-number API: `/{uuid}`."""

import time

import falcon

from monotron.api.answers import answer_number, pollable
from monotron.core import series, uuids
from monotron.core.series import FIRST_ACCOUNT
from monotron.store.contract import Store

JSON_UTF8 = "application/json; charset=UTF-8"
"""What this API's clients have always been told."""


class BuildNumber:
    """The series named by a UUID, as its clients know it: `{"bn":5}`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_post(self, req: falcon.Request, resp: falcon.Response, uuid: str) -> None:
        """Give the next number."""
        key = uuids.canonical(uuid)
        now = time.time_ns() // 1000
        state = self._store.update(lambda txn: series.advance(txn, FIRST_ACCOUNT, key, now=now))
        answer_number(req, resp, {"bn": state.value}, state.value, content_type=JSON_UTF8)

    def on_get(self, req: falcon.Request, resp: falcon.Response, uuid: str) -> None:
        """Give the current number; 404 before the first."""
        key = uuids.canonical(uuid)
        state = self._store.view(lambda reading: series.get(reading, FIRST_ACCOUNT, key))
        if state is None:
            raise falcon.HTTPNotFound(description=f"no number has been given out for {key} yet")
        answer_number(req, resp, {"bn": state.value}, state.value, content_type=JSON_UTF8)
        pollable(req, resp)

    on_head = on_get
