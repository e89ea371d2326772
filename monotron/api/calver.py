"""Calendar versions: `/v1/calver/{name}`."""

from collections.abc import Iterable
from datetime import timezone
from typing import ClassVar

import falcon

from monotron.api.answers import answer, pollable, representations
from monotron.api.conditions import conditions
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
from monotron.api.openapi.schemas import (
    STORED_NAME,
    STORED_TOKEN,
    VALUE,
    members,
    name,
    or_null,
)
from monotron.core import calver, dated, names, series
from monotron.core.call import Call
from monotron.core.calver import DEFAULT_SCHEME, CalendarVersion
from monotron.core.errors import LimitReached, OtherScheme, SeriesExhausted
from monotron.limits import VERSION_NAME_BYTES
from monotron.store.contract import Store, Transaction

TAG = Tag(
    "Calendar versions",
    "A version has the date and a number (https://calver.org). The number is a value of the series "
    "`{name}-micro-v{period}`, such as `app-micro-v2026.11`.",
)

_FIELDS: Fields = {
    "name": Field(
        parameter(
            "path",
            "name",
            name("VersionName", "app", most=VERSION_NAME_BYTES),
            "The name of the versions.",
            within="calver",
        )
    )
}
_SCHEME = schema(
    "Scheme",
    {
        "type": "string",
        "pattern": f"^{calver.SCHEME}$",
        "description": "A year (`YYYY`, `YY`, `0Y`), then a month (`MM`, `0M`), a month and a day "
        "(`DD`, `0D`), a week (`WW`, `0W`) or nothing, then `MICRO`.",
    },
    DEFAULT_SCHEME,
    "YY.WW.MICRO",
)
_TEXT = r"[0-9]{1,4}(?:\.[0-9]{1,2}){0,2}\.[0-9]{1,19}"
_WHOLE = schema(
    "CalendarVersion",
    members(
        {
            "name": STORED_NAME,
            "token": or_null(STORED_TOKEN),
            "version": {"type": "string", "pattern": f"^{_TEXT}$"},
            "scheme": _SCHEME,
            "micro": VALUE,
        }
    ),
    {
        "name": "app",
        "token": "7d4c379588",
        "version": "2026.11.1",
        "scheme": DEFAULT_SCHEME,
        "micro": 1,
    },
)
_PLAIN = schema(
    "PlainCalendarVersion", {"type": "string", "pattern": rf"^{_TEXT}\n$"}, "2026.11.1\n"
)
_VERSION = as_number(_WHOLE, _PLAIN)
_TAKEN = as_number(_WHOLE, _PLAIN, LIMIT_HEADER)


class CurrentCalendarVersion:
    """`/v1/calver/{name}`: the current version."""

    tag: ClassVar[Tag] = TAG
    fields: ClassVar[Fields] = _FIELDS
    calls: ClassVar[Calls] = {
        "GET": Description(
            "getCalendarVersion",
            "The newest version of the latest period",
            _VERSION,
            needs=READ_SERIES,
            missing="there is no version yet",
            polled=POLLED,
        )
    }

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        """Answer with the current version; 404 before the first."""
        name = names.version_name(name, new=False)
        version = self._store.view(
            lambda reading: calver.current(reading, req.context.call.account, name)
        )
        if version is None:
            raise falcon.HTTPNotFound(description=f"{name!r} has no calendar version yet")
        answer(req, resp, _members(version), version)
        pollable(req, resp)

    on_head = on_get


class NextCalendarVersion:
    """`/v1/calver/{name}/{token}`: the version of a token."""

    tag: ClassVar[Tag] = TAG
    fields: ClassVar[Fields] = _FIELDS
    calls: ClassVar[Calls] = {
        "PUT": Description(
            "takeCalendarVersion",
            "The token's version: the same as last time, or the next one of the present period",
            _TAKEN,
            needs=WRITE_SERIES,
            queries=(
                parameter(
                    "query",
                    "scheme",
                    _SCHEME,
                    f"The scheme; that of the name if not given, at first `{DEFAULT_SCHEME}`.",
                ),
                parameter(
                    "query",
                    "tz",
                    schema(
                        "TimeZone",
                        {"type": "string", "pattern": f"^{calver.ZONE}$"},
                        "Europe/Berlin",
                    ),
                    "The time zone in which the period begins and ends; UTC if not given.",
                ),
            ),
            raises=(SeriesExhausted, LimitReached, OtherScheme),
            then=("getCalendarVersion",),
        )
    }

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_put(self, req: falcon.Request, resp: falcon.Response, name: str, token: str) -> None:
        """Answer with the token's version: the same as last time, or the next one."""
        name, token = names.version_name(name), names.token(token)
        query = req.context.query
        scheme = calver.valid_scheme(query["scheme"]) if "scheme" in query else None
        zone = calver.zone_named(query["tz"]) if "tz" in query else timezone.utc
        call: Call = req.context.call
        wanted = conditions(req)

        def take(txn: Transaction) -> CalendarVersion:
            wanted.require(
                lambda: _current(calver.made(txn, call.account, name, token, scheme=scheme))
            )
            version = calver.take(txn, call, name, token, scheme=scheme, zone=zone)
            key = dated.series_key(name, version.period)
            req.context.limit = series.limit_of(txn, call.account, key)
            return version

        version = self._store.update(take)
        req.context.given = int(version.advanced)
        warn(req, resp, version.micro)
        answer(req, resp, _members(version), version)


def _current(version: CalendarVersion | None) -> Iterable[bytes]:
    return () if version is None else representations(_members(version), version)


def _members(version: CalendarVersion) -> dict[str, object]:
    return {
        "name": version.name,
        "token": version.token,
        "version": str(version),
        "scheme": version.scheme,
        "micro": version.micro,
    }
