"""The build-number API: `/{uuid}`."""

from collections.abc import Iterable
from typing import ClassVar
from urllib.parse import unquote

import falcon
from falcon.routing import BaseConverter

from monotron.api.answers import answer, pollable, representations
from monotron.api.description import (
    READ_SERIES,
    WRITE_SERIES,
    Calls,
    Description,
    Field,
    Fields,
    Tag,
    as_number,
)
from monotron.api.limit_header import LIMIT_HEADER, warn
from monotron.api.openapi.components import parameter, schema
from monotron.api.openapi.parameters import POLLED
from monotron.api.openapi.schemas import HEX, PLAIN_NUMBER, VALUE, any_case, members
from monotron.api.retries import take_once
from monotron.core import series, uuids
from monotron.core.call import Call
from monotron.core.errors import LimitReached, SeriesExhausted
from monotron.core.records import Series
from monotron.store.contract import Store, Transaction

JSON_UTF8 = "application/json; charset=UTF-8"
"""The content type that this API's clients have always received."""


_DIGITS = f"{HEX}{{8}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{12}}"
_UUID = schema(
    "Uuid",
    {
        "type": "string",
        "pattern": rf"^(?:(?:{any_case('urn:uuid:')})?{_DIGITS}|\{{{_DIGITS}\}}|{HEX}{{32}})$",
        "description": "32 hex digits: with hyphens (8-4-4-4-12), the same in braces or after "
        "`urn:uuid:`, or without hyphens; in upper or lower case.",
    },
    "4be0643f-1d98-573b-97cd-ca98a65347dd",
    "{4BE0643F-1D98-573B-97CD-CA98A65347DD}",
    "urn:uuid:4be0643f-1d98-573b-97cd-ca98a65347dd",
    "4be0643f1d98573b97cdca98a65347dd",
)
_NUMBER = as_number(
    schema("BuildNumber", members({"bn": VALUE}), {"bn": 5}),
    PLAIN_NUMBER,
    LIMIT_HEADER,
    content_type=JSON_UTF8,
)


class MeantAsUuid(BaseConverter):
    """Accepts a path segment that may be meant as a UUID; other paths have no route."""

    def convert(self, value: str) -> str | None:
        """Return `value`, still percent-encoded, or None."""
        return value if uuids.resembles(unquote(value)) else None


class BuildNumber:
    """The series named by a UUID, as its clients know it: `{"bn":5}`."""

    tag: ClassVar[Tag] = Tag("Build numbers", "Any UUID is a series of build numbers.")
    fields: ClassVar[Fields] = {
        "uuid": Field(
            parameter("path", "uuid", _UUID, "The series; all forms of a UUID name the same one."),
            MeantAsUuid,
        )
    }
    calls: ClassVar[Calls] = {
        "GET": Description(
            "getBuildNumber",
            "The current build number",
            _NUMBER,
            needs=READ_SERIES,
            missing="no number has been given out for this UUID yet",
            polled=POLLED,
        ),
        "POST": Description(
            "takeBuildNumber",
            "Take the next build number",
            _NUMBER,
            needs=WRITE_SERIES,
            raises=(SeriesExhausted, LimitReached),
            missing="this is not the form of a UUID, and nothing else is at this path",
            retried=True,
            then=("getBuildNumber",),
        ),
    }

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_post(self, req: falcon.Request, resp: falcon.Response, uuid: str) -> None:
        """Take the next number."""
        key = uuids.canonical(uuid)
        call: Call = req.context.call

        def take(txn: Transaction) -> tuple[int, int]:
            state = series.advance(txn, call, key)
            req.context.limit = state.limit
            return state.value, 1

        value = take_once(
            self._store,
            req,
            ("build number", key),
            take,
            lambda reading: _current(series.get(reading, call.account, key)),
        )
        warn(req, resp, value)
        answer(req, resp, {"bn": value}, value, content_type=JSON_UTF8)

    def on_get(self, req: falcon.Request, resp: falcon.Response, uuid: str) -> None:
        """Answer with the current number; 404 before the first."""
        key = uuids.canonical(uuid)
        state = self._store.view(lambda reading: series.get(reading, req.context.call.account, key))
        if state is None:
            raise falcon.HTTPNotFound(description=f"no number has been given out for {key} yet")
        req.context.limit = state.limit
        warn(req, resp, state.value)
        answer(req, resp, {"bn": state.value}, state.value, content_type=JSON_UTF8)
        pollable(req, resp)

    on_head = on_get


def _current(state: Series | None) -> Iterable[bytes]:
    return () if state is None else representations({"bn": state.value}, state.value)
