"""History: `/v1/history/{key}`."""

from typing import ClassVar

import falcon

from monotron.api.answers import pollable, to_json
from monotron.api.description import READ_SERIES, Calls, Description, Tag, in_json
from monotron.api.openapi.components import parameter, schema
from monotron.api.openapi.parameters import POLLED
from monotron.api.openapi.schemas import (
    A_TIME,
    BOUND,
    STORED_TOKEN,
    TIME,
    VALUE,
    members,
    or_null,
    page,
)
from monotron.api.query import LIMIT, page_limit
from monotron.api.series import SERIES, no_value_yet
from monotron.api.timestamps import timestamp
from monotron.core import history, names, numbers, series
from monotron.core.call import Call
from monotron.core.history import HistoryValue
from monotron.store.contract import Reading, Store
from monotron.store.paging import Page

_ENTRY = schema(
    "HistoryEntry",
    members(
        {
            "value": VALUE,
            "token": or_null(STORED_TOKEN),
            "created_at": TIME,
            "api_key": {"type": ["string", "null"], "description": "The key that took it."},
        }
    ),
    {"value": 7, "token": "7d4c379588", "created_at": A_TIME, "api_key": None},
)


class History:
    """The newest values of a series, a page at a time."""

    tag: ClassVar[Tag] = SERIES
    calls: ClassVar[Calls] = {
        "GET": Description(
            "getHistory",
            "The values given out, newest first, a page at a time",
            in_json(page("HistoryPage", "history", _ENTRY, VALUE, *_ENTRY.body["examples"])),
            needs=READ_SERIES,
            queries=(
                parameter(
                    "query",
                    "before",
                    BOUND,
                    "The value to continue before.",
                    allowEmptyValue=True,
                ),
                LIMIT,
            ),
            missing="the series has no value yet",
            polled=POLLED,
        )
    }

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Answer with a page, newest first. `next` is the next page's `before`, or null."""
        key = names.series_key(key, new=False)
        query = req.context.query
        before = None
        if query.get("before"):
            before = numbers.bound("before", numbers.parsed("before", query["before"]))
        limit = page_limit(query)

        call: Call = req.context.call

        def read(reading: Reading) -> Page[HistoryValue, int] | None:
            state = series.get(reading, call.account, key)
            if state is None:
                return None
            return history.page(reading, state, keep=call.keep, limit=limit, before=before)

        found = self._store.view(read)
        if found is None:
            raise no_value_yet(key)
        resp.data = to_json(
            {"history": [_members(each) for each in found.items], "next": found.next}
        )
        pollable(req, resp)

    on_head = on_get


def _members(taken: HistoryValue) -> dict[str, object]:
    return {
        "value": taken.value,
        "token": taken.token,
        "created_at": timestamp(taken.created_at),
        "api_key": taken.api_key,
    }
