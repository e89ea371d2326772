"""Semantic versions: `/v1/semver`."""

from collections.abc import Iterable
from typing import ClassVar

import falcon

from monotron.api.answers import answer, pollable, representations, to_json
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
    in_json,
)
from monotron.api.limit_header import LIMIT_HEADER, warn
from monotron.api.openapi.components import Object, parameter, schema
from monotron.api.openapi.parameters import POLLED
from monotron.api.openapi.schemas import (
    A_TIME,
    NAME_OR_NOTHING,
    STORED_NAME,
    STORED_TOKEN,
    TIME,
    integer,
    members,
    name,
    or_null,
    text,
)
from monotron.api.openapi.schemas import page as page_of
from monotron.api.query import LIMIT, page_limit
from monotron.api.timestamps import timestamp
from monotron.core import bumps, names, semver, series
from monotron.core.bumps import PARTS
from monotron.core.call import Call
from monotron.core.errors import LimitReached, PreReleaseTooLow, SeriesExhausted
from monotron.core.semver import Standing, Version
from monotron.limits import LAST_VALUE, PRE_RELEASE_BYTES, VERSION_NAME_BYTES
from monotron.store.contract import Store, Transaction

TAG = Tag(
    "Semantic versions",
    "A version is three series: `{name}-major`, `{name}-minor-v{major}` and "
    "`{name}-patch-v{major}.{minor}`. A part whose series does not exist yet is 0. Pre-releases "
    "are counted by `{name}-pre-v{major}.{minor}.{patch}.{pre}`.",
)

VERSION_NAME = Field(
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
_PRE = schema(
    "PreRelease",
    text(PRE_RELEASE_BYTES, f"^{names.PRE_RELEASE}$")
    | {
        "minLength": 1,
        "description": "Letters, digits and hyphens, in parts with a dot between them; a part of "
        f"digits has no leading zero. At most {PRE_RELEASE_BYTES} bytes.",
    },
    "rc",
    "beta.eu",
)
_RELEASE = r"[0-9]{1,19}\.[0-9]{1,19}\.[0-9]{1,19}"
_TEXT = rf"{_RELEASE}(?:-[0-9A-Za-z.-]+)?"
_VERSION: Object = {
    "name": STORED_NAME,
    "token": or_null(STORED_TOKEN),
    "version": {"type": "string", "pattern": f"^{_TEXT}$"},
    **dict.fromkeys(PARTS, integer(0, LAST_VALUE)),
    "pre": {"type": "string", "description": "What a pre-release has after its hyphen."},
}
_A_VERSION: Object = {
    "name": "app",
    "token": "7d4c379588",
    "version": "1.3.0",
    "major": 1,
    "minor": 3,
    "patch": 0,
}
_A_PRE_RELEASE: Object = {**_A_VERSION, "version": "1.3.0-rc.1", "pre": "rc.1"}
_PLAIN = schema(
    "PlainVersion", {"type": "string", "pattern": rf"^{_TEXT}\n$"}, "1.3.0\n", "1.3.0-rc.1\n"
)
_ONE = as_number(
    schema("Version", members(_VERSION, optional=("pre",)), _A_VERSION, _A_PRE_RELEASE),
    _PLAIN,
    LIMIT_HEADER,
)

_LAST: Object = {
    "release": or_null(schema("Release", {"type": "string", "pattern": f"^{_RELEASE}$"}, "1.2.5"))
    | {"description": "The last release; only where the version is a pre-release."}
}
_TOGETHER: Object = {"dependentRequired": {"pre": ["release"], "release": ["pre"]}}
_OPTIONAL = ("pre", "release")
_CURRENT = as_number(
    schema(
        "CurrentVersion",
        members({**_VERSION, **_LAST}, optional=_OPTIONAL) | _TOGETHER,
        _A_VERSION,
        {**_A_PRE_RELEASE, "release": "1.2.5"},
    ),
    _PLAIN,
)
_LISTED = schema(
    "ListedVersion",
    members({**_VERSION, **_LAST, "changed_at": TIME}, optional=_OPTIONAL) | _TOGETHER,
    {**_A_VERSION, "changed_at": A_TIME},
    {**_A_PRE_RELEASE, "release": "1.2.5", "changed_at": A_TIME},
)
_PAGE = page_of("VersionPage", "versions", _LISTED, STORED_NAME, *_LISTED.body["examples"])


class Versions:
    """`/v1/semver`: the account's versions, a page at a time."""

    tag: ClassVar[Tag] = TAG
    calls: ClassVar[Calls] = {
        "GET": Description(
            "listVersions",
            "The current version of each name, ordered by name, a page at a time",
            in_json(_PAGE),
            needs=READ_SERIES,
            queries=(
                parameter(
                    "query",
                    "prefix",
                    NAME_OR_NOTHING,
                    "The prefix of the names.",
                    within="semver",
                ),
                parameter(
                    "query",
                    "after",
                    NAME_OR_NOTHING,
                    "The name to continue after.",
                    within="semver",
                    allowEmptyValue=True,
                ),
                LIMIT,
            ),
            polled=POLLED,
        )
    }

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with a page, ordered by name. `next` is the next page's `after`, or null."""
        query = req.context.query
        prefix = names.prefix(query.get("prefix", ""))
        after = names.series_key(query["after"], new=False) if query.get("after") else None
        limit = page_limit(query)
        account = req.context.call.account
        page = self._store.view(
            lambda reading: semver.page(reading, account, prefix=prefix, after=after, limit=limit)
        )
        rows = [
            {**_standing(each), "changed_at": timestamp(each.changed_at)} for each in page.items
        ]
        resp.data = to_json({"versions": rows, "next": page.next})
        pollable(req, resp)

    on_head = on_get


class CurrentVersion:
    """`/v1/semver/{name}`: the current version."""

    tag: ClassVar[Tag] = TAG
    fields: ClassVar[Fields] = {"name": VERSION_NAME}
    calls: ClassVar[Calls] = {
        "GET": Description(
            "getVersion",
            "The current version",
            _CURRENT,
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
        found = self._store.view(
            lambda reading: semver.standing(reading, req.context.call.account, name)
        )
        if found is None:
            raise falcon.HTTPNotFound(description=f"{name!r} has no version yet")
        answer(req, resp, _standing(found), found.version)
        pollable(req, resp)

    on_head = on_get


class NextVersion:
    """`/v1/semver/{name}/{part}/{token}`: a bump."""

    tag: ClassVar[Tag] = TAG
    fields: ClassVar[Fields] = {"name": VERSION_NAME, "part": _PART}
    calls: ClassVar[Calls] = {
        "PUT": Description(
            "bumpVersion",
            "Bump a part; a repeat with the same part and token gets the same version",
            _ONE,
            needs=WRITE_SERIES,
            queries=(
                parameter(
                    "query",
                    "pre",
                    _PRE,
                    "Take a pre-release of the version instead: `rc` gives 1.3.0-rc.1.",
                ),
            ),
            raises=(SeriesExhausted, LimitReached, PreReleaseTooLow),
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
        query = req.context.query
        pre = names.pre_release(query["pre"]) if "pre" in query else ""
        call: Call = req.context.call
        wanted = conditions(req)

        def bump(txn: Transaction) -> Version:
            wanted.require(
                lambda: _current(semver.made(txn, call.account, name, number, token, pre=pre))
            )
            bumped = semver.bump(txn, call, name, number, token, pre=pre)
            key = bumps.series_key(name, number, bumped.major, bumped.minor)
            req.context.limit = series.limit_of(txn, call.account, key)
            return bumped

        version = self._store.update(bump)
        req.context.given = int(version.advanced)
        warn(req, resp, (version.major, version.minor, version.patch)[number - 1])
        answer(req, resp, _members(version), version)


def _current(version: Version | None) -> Iterable[bytes]:
    return () if version is None else representations(_members(version), version)


def _standing(found: Standing) -> dict[str, object]:
    members = _members(found.version)
    if found.version.pre:
        members["release"] = None if found.release is None else str(found.release)
    return members


def _members(version: Version) -> dict[str, object]:
    members: dict[str, object] = {
        "name": version.name,
        "token": version.token,
        "version": str(version),
        "major": version.major,
        "minor": version.minor,
        "patch": version.patch,
    }
    if version.pre:
        members["pre"] = version.pre
    return members
