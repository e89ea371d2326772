"""History: `/v1/history/{key}`."""

from typing import ClassVar

import falcon

from monotron.api.access import READ_SERIES, Needs
from monotron.api.answers import pollable, to_json
from monotron.api.query import page_limit, whole_number
from monotron.api.series import no_value_yet
from monotron.api.timestamps import timestamp
from monotron.api.unread import Queries
from monotron.core import history, names, numbers, series
from monotron.core.call import Call
from monotron.core.history import HistoryValue
from monotron.store.contract import Reading, Store
from monotron.store.paging import Page


class History:
    """The values that a series gave out last, a page at a time."""

    needs: ClassVar[Needs] = {"GET": READ_SERIES}
    queries: ClassVar[Queries] = {"GET": ("before", "limit")}

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Answer with a page, newest first. `next` is the `before` of the next one, or null."""
        key = names.series_key(key, new=False)
        query = req.context.query
        before = None
        if query.get("before"):
            before = numbers.bound("before", whole_number("before", query["before"]))
        limit = page_limit(query)

        call: Call = req.context.call

        def read(reading: Reading) -> Page[HistoryValue, int] | None:
            state = series.get(reading, call.account, key)
            if state is None:
                return None
            return history.page(reading, state, keep=call.keep, limit=limit, before=before)

        page = self._store.view(read)
        if page is None:
            raise no_value_yet(key)
        resp.data = to_json({"history": [_members(each) for each in page.items], "next": page.next})
        pollable(req, resp)

    on_head = on_get


def _members(taken: HistoryValue) -> dict[str, object]:
    return {
        "value": taken.value,
        "token": taken.token,
        "created_at": timestamp(taken.created_at),
        "api_key": taken.api_key,
    }
