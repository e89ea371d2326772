"""The limit of a series: `/v1/series/{key}/limit`.

A token may be called `limit` too, and its calls have the same path. They go on working: PUT without
a body and POST are calls of the token, and so is GET while the series has no limit.
"""

from collections.abc import Iterable
from typing import ClassVar

import falcon

from monotron.api.answers import JSON, answer, pollable, representations
from monotron.api.body import exact, read_object_if_any
from monotron.api.conditions import conditions
from monotron.api.description import (
    NOTHING,
    READ_SERIES,
    WRITE_SERIES,
    Body,
    Calls,
    Description,
    Tag,
    as_number,
)
from monotron.api.openapi.components import schema
from monotron.api.openapi.parameters import POLLED
from monotron.api.openapi.schemas import (
    ACCOUNT_ID,
    STORED_NAME,
    STORED_TOKEN,
    VALUE,
    members,
    or_null,
)
from monotron.api.series import REMEMBER, SERIES, SeriesAtToken
from monotron.core import names, numbers, series
from monotron.core.errors import InvalidNumber, LimitReached, LimitTooLow, SeriesExhausted
from monotron.store.contract import Reading, Store, Transaction

NAMESAKE = "limit"
"""The token whose calls have this path."""

_LIMIT = schema(
    "NewLimit", members({"value": VALUE}) | {"additionalProperties": False}, {"value": 9}
)
_A_LIMIT = {"creator_id": 1, "key": "app", "limit": 2_100_000_000}
_ANSWER = as_number(
    schema(
        "LimitOrValue",
        members(
            {
                "creator_id": ACCOUNT_ID,
                "key": STORED_NAME,
                "limit": VALUE,
                "token": or_null(STORED_TOKEN),
                "value": VALUE,
            },
            optional=("limit", "token", "value"),
        ),
        _A_LIMIT,
    )
)


class SeriesLimit:
    """The last value that a series may give out."""

    tag: ClassVar[Tag] = SERIES
    calls: ClassVar[Calls] = {
        "GET": Description(
            "getLimit",
            "The limit of the series; without one, the value of the token `limit`",
            _ANSWER,
            needs=READ_SERIES,
            missing="the series 'app' has no limit",
            polled=POLLED,
        ),
        "PUT": Description(
            "setLimit",
            "Set the limit of the series; without a body, take the value of the token `limit`",
            _ANSWER,
            needs=WRITE_SERIES,
            queries=(REMEMBER,),
            body=Body({JSON: _LIMIT}, required=False),
            raises=(InvalidNumber, LimitTooLow, SeriesExhausted, LimitReached),
            then=("getLimit", "deleteLimit"),
        ),
        "POST": Description(
            "postValueForTokenLimit",
            "Take the value of the token `limit`, for clients without PUT",
            _ANSWER,
            needs=WRITE_SERIES,
            queries=(REMEMBER,),
            raises=(SeriesExhausted, LimitReached),
            retried=True,
        ),
        "DELETE": Description(
            "deleteLimit",
            "Remove the limit of the series",
            NOTHING,
            needs=WRITE_SERIES,
        ),
    }

    def __init__(self, store: Store) -> None:
        self._store = store
        self._at_token = SeriesAtToken(store)

    def on_get(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Answer with the limit; without one, with the token's value; 404 without either."""
        named = names.series_key(key, new=False)
        account = req.context.call.account
        limit = self._store.view(lambda reading: series.limit_of(reading, account, named))
        if limit:
            answer(req, resp, _members(account, named, limit), limit)
            pollable(req, resp)
            return
        try:
            self._at_token.on_get(req, resp, key, NAMESAKE)
        except falcon.HTTPNotFound as error:
            raise falcon.HTTPNotFound(description=f"the series {named!r} has no limit") from error

    on_head = on_get

    def on_put(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Set the limit to the `value` in the body; 409 if the series has passed it."""
        body = read_object_if_any(req)
        if body is None:
            self._at_token.on_put(req, resp, key, NAMESAKE)
            return
        if req.context.query:
            raise falcon.HTTPBadRequest(description="a limit is set without query parameters")
        named = names.series_key(key)
        if body.keys() != {"value"}:
            raise InvalidNumber('the body must be {"value":N}, with a whole number N')
        limit = numbers.value(exact(body["value"]))
        account, wanted = req.context.call.account, conditions(req)

        def set_limit(txn: Transaction) -> None:
            wanted.require(lambda: _current(txn, account, named))
            series.set_limit(txn, account, named, limit)

        self._store.update(set_limit)
        answer(req, resp, _members(account, named, limit), limit)

    def on_post(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Take the value of the token."""
        self._at_token.on_post(req, resp, key, NAMESAKE)

    def on_delete(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Remove the limit. It is not an error if there is none."""
        named = names.series_key(key, new=False)
        account, wanted = req.context.call.account, conditions(req)

        def remove(txn: Transaction) -> None:
            wanted.require(lambda: _current(txn, account, named))
            series.set_limit(txn, account, named, 0)

        self._store.update(remove)


def _current(reading: Reading, account: int, key: str) -> Iterable[bytes]:
    limit = series.limit_of(reading, account, key)
    return representations(_members(account, key, limit), limit) if limit else ()


def _members(account: int, key: str, limit: int) -> dict[str, object]:
    return {"creator_id": account, "key": key, "limit": limit}
