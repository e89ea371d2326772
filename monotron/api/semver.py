"""Semantic versions: `/v1/semver/{name}`."""

from collections.abc import Iterable
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
from monotron.api.openapi.components import parameter, schema
from monotron.api.openapi.parameters import POLLED
from monotron.api.openapi.schemas import (
    STORED_NAME,
    STORED_TOKEN,
    integer,
    members,
    name,
    or_null,
)
from monotron.core import names, semver
from monotron.core.bumps import PARTS
from monotron.core.call import Call
from monotron.core.errors import SeriesExhausted
from monotron.core.semver import Version
from monotron.limits import LAST_VALUE, VERSION_NAME_BYTES
from monotron.store.contract import Store, Transaction

TAG = Tag(
    "Semantic versions",
    "A version is three series: `{name}-major`, `{name}-minor-v{major}` and "
    "`{name}-patch-v{major}.{minor}`. A part whose series does not exist yet is 0.",
)

_NAME = Field(
    parameter(
        "path",
        "name",
        name("VersionName", "app", most=VERSION_NAME_BYTES),
        "The name of the versions.",
        within="semver",
    )
)
_PART = Field(
    parameter(
        "path",
        "part",
        schema("Part", {"type": "string", "enum": list(PARTS)}, "minor"),
        "The part to bump.",
    )
)
_TEXT = r"[0-9]{1,19}\.[0-9]{1,19}\.[0-9]{1,19}"
_VERSION = as_number(
    schema(
        "Version",
        members(
            {
                "name": STORED_NAME,
                "token": or_null(STORED_TOKEN),
                "version": {"type": "string", "pattern": f"^{_TEXT}$"},
                **dict.fromkeys(PARTS, integer(0, LAST_VALUE)),
            }
        ),
        {
            "name": "app",
            "token": "7d4c379588",
            "version": "1.3.0",
            "major": 1,
            "minor": 3,
            "patch": 0,
        },
    ),
    schema("PlainVersion", {"type": "string", "pattern": rf"^{_TEXT}\n$"}, "1.3.0\n"),
)


class CurrentVersion:
    """`/v1/semver/{name}`: the current version."""

    tag: ClassVar[Tag] = TAG
    fields: ClassVar[Fields] = {"name": _NAME}
    calls: ClassVar[Calls] = {
        "GET": Description(
            "getVersion",
            "The current version",
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
            lambda reading: semver.current(reading, req.context.call.account, name)
        )
        if version is None:
            raise falcon.HTTPNotFound(description=f"{name!r} has no version yet")
        answer(req, resp, _members(version), version)
        pollable(req, resp)

    on_head = on_get


class NextVersion:
    """`/v1/semver/{name}/{part}/{token}`: a bump."""

    tag: ClassVar[Tag] = TAG
    fields: ClassVar[Fields] = {"name": _NAME, "part": _PART}
    calls: ClassVar[Calls] = {
        "PUT": Description(
            "bumpVersion",
            "Bump a part; a repeat with the same part and token gets the same version",
            _VERSION,
            needs=WRITE_SERIES,
            raises=(SeriesExhausted,),
            then=("getVersion",),
        )
    }

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_put(
        self, req: falcon.Request, resp: falcon.Response, name: str, part: str, token: str
    ) -> None:
        """Bump the part; a repeat with the same part and token gets the same version."""
        name, token = names.version_name(name), names.token(token)
        number = semver.part_named(part)
        call: Call = req.context.call
        wanted = conditions(req)

        def bump(txn: Transaction) -> Version:
            wanted.require(lambda: _current(semver.made(txn, call.account, name, number, token)))
            return semver.bump(txn, call, name, number, token)

        version = self._store.update(bump)
        req.context.given = int(version.advanced)
        answer(req, resp, _members(version), version)


def _current(version: Version | None) -> Iterable[bytes]:
    return () if version is None else representations(_members(version), version)


def _members(version: Version) -> dict[str, object]:
    return {
        "name": version.name,
        "token": version.token,
        "version": str(version),
        "major": version.major,
        "minor": version.minor,
        "patch": version.patch,
    }
