"""Activity: `/v1/activity`, how many numbers were given out in each hour or day."""

from typing import ClassVar

import falcon

from monotron.api.answers import pollable, to_json
from monotron.api.description import READ_SERIES, Calls, Description, Tag, in_json
from monotron.api.openapi.components import Object, parameter, schema
from monotron.api.openapi.parameters import POLLED
from monotron.api.openapi.schemas import (
    A_TIME,
    STORED_NAME,
    TIME,
    integer,
    list_of,
    members,
    or_null,
)
from monotron.api.series import no_value_yet
from monotron.api.timestamps import timestamp
from monotron.core import activity, names, numbers, series
from monotron.core.activity import HOUR, MOST, UNITS, Spans
from monotron.core.call import Call
from monotron.core.pending import PendingActivity
from monotron.limits import ACTIVITY_DAYS, COUNTED_SERIES, LAST_VALUE
from monotron.store.contract import Reading, Store

TAG = Tag(
    "Activity", "How many numbers were given out in each hour or day of UTC, the current included."
)

_DEFAULTS = {"hour": 24, "day": 7}

_BY = schema("By", {"type": "string", "enum": list(UNITS)}, "day")
_SPAN = schema(
    "ActivityOfSpan",
    members({"start": TIME, "count": integer(0, LAST_VALUE)}),
    {"start": "2026-11-22T00:00:00.000000Z", "count": 12},
)
_SHARED: Object = {
    "by": _BY,
    "activity": list_of(_SPAN, MOST[HOUR]) | {"description": "Oldest first."},
}
_A_SHARED: Object = {"by": "day", "activity": _SPAN.body["examples"]}
_OF_ACCOUNT = schema(
    "Activity",
    members(
        {
            **_SHARED,
            "series": integer(0, COUNTED_SERIES)
            | {"description": "How many series the account has."},
            "more": {"type": "boolean", "description": "Whether it has more than that."},
        }
    ),
    {**_A_SHARED, "series": 61, "more": False},
)
_OF_SERIES = schema(
    "ActivityOfSeries",
    members(
        {
            "key": STORED_NAME,
            **_SHARED,
            "since": or_null(schema("Since", TIME, A_TIME))
            | {
                "description": "From when on the series' history holds every value; what was given "
                "out before is not counted. Null if it holds all of them."
            },
        }
    ),
    {"key": "shop", **_A_SHARED, "since": None},
)

_QUERIES = (
    parameter("query", "by", _BY, "Whether to count by hours, which is the default, or by days."),
    parameter(
        "query",
        "last",
        schema("Last", integer(1, MOST[HOUR]), 7),
        f"How many hours or days; {_DEFAULTS['hour']} hours or {_DEFAULTS['day']} days if not "
        f"given, at most {ACTIVITY_DAYS} days.",
    ),
)


class AccountActivity:
    """`/v1/activity`: the numbers of all series of the account."""

    tag: ClassVar[Tag] = TAG
    calls: ClassVar[Calls] = {
        "GET": Description(
            "getActivity",
            "How many numbers the account gave out in each hour or day",
            in_json(_OF_ACCOUNT),
            needs=READ_SERIES,
            queries=_QUERIES,
            polled=POLLED,
        )
    }

    def __init__(self, store: Store, pending: PendingActivity) -> None:
        self._store = store
        self._pending = pending

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with the counts, and with how many series there are."""
        by, spans = _asked(req)
        account = req.context.call.account

        def read(reading: Reading) -> tuple[list[int], int]:
            counts = activity.of_account(reading, account, spans, self._pending.counts())
            return counts, series.count(reading, account, most=COUNTED_SERIES + 1)

        counts, there = self._store.view(read)
        resp.data = to_json(
            {
                **_members(by, spans, counts),
                "series": min(there, COUNTED_SERIES),
                "more": there > COUNTED_SERIES,
            }
        )
        pollable(req, resp)

    on_head = on_get


class SeriesActivity:
    """`/v1/activity/{key}`: the numbers of one series, from its history."""

    tag: ClassVar[Tag] = TAG
    calls: ClassVar[Calls] = {
        "GET": Description(
            "getActivityOfSeries",
            "How many numbers the series gave out in each hour or day, from its history",
            in_json(_OF_SERIES),
            needs=READ_SERIES,
            queries=_QUERIES,
            missing="the series has no value yet",
            polled=POLLED,
        )
    }

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Answer with the counts; 404 before the first value."""
        key = names.series_key(key, new=False)
        by, spans = _asked(req)
        call: Call = req.context.call

        def read(reading: Reading) -> tuple[list[int], int | None] | None:
            state = series.get(reading, call.account, key)
            if state is None:
                return None
            counts = activity.of_series(reading, state, spans, keep=call.keep)
            return counts, activity.complete_since(reading, state, keep=call.keep)

        found = self._store.view(read)
        if found is None:
            raise no_value_yet(key)
        counts, since = found
        resp.data = to_json(
            {
                "key": key,
                **_members(by, spans, counts),
                "since": None if since is None else timestamp(since),
            }
        )
        pollable(req, resp)

    on_head = on_get


def _asked(req: falcon.Request) -> tuple[str, Spans]:
    query = req.context.query
    by = query.get("by", "hour")
    unit = activity.unit_named(by)
    last = _DEFAULTS[by]
    if "last" in query:
        last = numbers.whole("last", numbers.parsed("last", query["last"]), 1, MOST[unit])
    return by, Spans(unit, last, req.context.call.now)


def _members(by: str, spans: Spans, counts: list[int]) -> dict[str, object]:
    return {
        "by": by,
        "activity": [
            {"start": timestamp(start), "count": count}
            for start, count in zip(spans.starts, counts, strict=True)
        ],
    }
