"""Badges: `/v1/badges/{key}` for shields.io, `/v1/badges/{key}.svg` drawn here."""

from collections.abc import Mapping
from typing import ClassVar

import falcon

from monotron.api.answers import pollable, to_json
from monotron.api.badge_image import draw
from monotron.api.description import (
    READ_SERIES,
    Answer,
    Calls,
    Description,
    Field,
    Fields,
    Tag,
    in_json,
)
from monotron.api.openapi.components import Component, constant, constant_header, parameter, schema
from monotron.api.openapi.parameters import ETAG, NO_SNIFFING
from monotron.api.openapi.schemas import (
    HEX,
    NAME,
    NAME_OR_NOTHING,
    any_case,
    members,
    name,
)
from monotron.api.semver import VERSION_NAME
from monotron.core import badges
from monotron.core.badges import Badge
from monotron.store.contract import Store

SCHEMA_VERSION = 1
"""The version of https://shields.io/badges/endpoint-badge."""

SVG = "image/svg+xml"

MAX_AGE = 60
"""Seconds for which a badge may be cached: short enough for a badge to be current, long enough for
a page with many readers. If credentials came with the request, shared caches do not store the
answer (RFC 9111, section 3.5)."""

CACHE_SECONDS = 300
"""Seconds for which shields.io caches a badge: the least it accepts, according to the same page."""

TAG = Tag("Badges", "A series' value or a version, to be shown on a page.")

FIELDS: Fields = {
    "key": Field(
        parameter(
            "path",
            "key",
            NAME,
            "The series, or with `show=version` the name of the versions.",
            within="badges",
        )
    )
}

VERSION_FIELDS: Fields = {"name": VERSION_NAME}

_HEX_COLOR = f"{HEX}{{3}}|{HEX}{{6}}"
_COLOR = schema(
    "Color",
    {
        "type": "string",
        "description": "3 or 6 hex digits, or a color name of shields.io; in upper or lower case.",
        "pattern": f"^(?:{_HEX_COLOR}|{'|'.join(map(any_case, badges.COLORS))})$",
    },
    "brightgreen",
    "007abf",
)

_LOOK = (
    parameter(
        "query",
        "label",
        NAME_OR_NOTHING,
        "The left text; the name if not given.",
        allowEmptyValue=True,
    ),
    parameter(
        "query",
        "message",
        name("Message", badges.PLACE, f"v{badges.PLACE}", new=False),
        f"The right text; `{badges.PLACE}` in it stands for the value or the version, and is the "
        "default.",
    ),
    parameter("query", "color", _COLOR, f"`{badges.DEFAULT_COLOR}` if not given."),
)
"""What a badge looks like."""

QUERIES = (
    parameter(
        "query",
        "show",
        schema("Show", {"type": "string", "enum": [badges.VALUE, badges.VERSION]}, badges.VALUE),
        f"What the badge shows; `{badges.VALUE}` if not given.",
    ),
    *_LOOK,
)

_CACHED = (
    ETAG,
    constant_header("Cache-Control", f"max-age={MAX_AGE}", value="max-age"),
    constant_header("Vary", "Authorization", value="Authorization"),
)

_MISSING = "the series has no value yet, or there is no version"
_NO_VERSION = "there is no version yet"

_EXAMPLE = Badge("shop", "123", "blue")
_DATA = schema(
    "Badge",
    members(
        {
            "schemaVersion": constant(SCHEMA_VERSION),
            "label": {"type": "string", "description": "The left text; empty for none."},
            "message": {"type": "string", "minLength": 1, "description": "The right text."},
            "color": {"type": "string", "pattern": f"^(?:{_HEX_COLOR}|[a-z]+)$"},
            "cacheSeconds": constant(CACHE_SECONDS)
            | {"description": "How long shields.io caches it: the least that it accepts."},
        }
    ),
    {
        "schemaVersion": SCHEMA_VERSION,
        "label": _EXAMPLE.label,
        "message": _EXAMPLE.message,
        "color": _EXAMPLE.color,
        "cacheSeconds": CACHE_SECONDS,
    },
)
_IMAGE = schema("BadgeImage", {"type": "string"}, draw(_EXAMPLE).decode())


_IN_JSON = in_json(_DATA)
_IN_SVG = Answer(
    {SVG: _IMAGE},
    (NO_SNIFFING, constant_header("Content-Security-Policy", "default-src 'none'", value="image")),
)


def _read_by(
    name: str, summary: str, answer: Answer, queries: tuple[Component, ...], missing: str
) -> Calls:
    """Return the description of a GET that answers with a badge."""
    described = Description(
        name,
        summary,
        answer,
        needs=READ_SERIES,
        queries=queries,
        missing=missing,
        polled=_CACHED,
    )
    return {"GET": described}


class BadgeData:
    """A badge's data, from which shields.io draws it."""

    tag: ClassVar[Tag] = TAG
    fields: ClassVar[Fields] = FIELDS
    calls: ClassVar[Calls] = _read_by(
        "getBadge",
        "The badge's data for shields.io (https://shields.io/badges/endpoint-badge)",
        _IN_JSON,
        QUERIES,
        _MISSING,
    )

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Answer with the badge's data; 404 before the first value."""
        _answer_data(req, resp, _read(self._store, req, key, req.context.query))

    on_head = on_get


class BadgeImage:
    """The same badge as an image."""

    tag: ClassVar[Tag] = TAG
    fields: ClassVar[Fields] = FIELDS
    calls: ClassVar[Calls] = _read_by(
        "getBadgeImage",
        "The same badge as an image",
        _IN_SVG,
        QUERIES,
        _MISSING,
    )

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Answer with the image; 404 before the first value."""
        _answer_image(req, resp, _read(self._store, req, key, req.context.query))

    on_head = on_get


class VersionBadgeData:
    """The data of a badge with the current version of a name."""

    tag: ClassVar[Tag] = TAG
    fields: ClassVar[Fields] = VERSION_FIELDS
    calls: ClassVar[Calls] = _read_by(
        "getVersionBadge",
        "The data of a badge with the current version, for shields.io",
        _IN_JSON,
        _LOOK,
        _NO_VERSION,
    )

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        """Answer with the badge's data; 404 before the first version."""
        _answer_data(req, resp, _read(self._store, req, name, _of_version(req)))

    on_head = on_get


class VersionBadgeImage:
    """The same badge as an image."""

    tag: ClassVar[Tag] = TAG
    fields: ClassVar[Fields] = VERSION_FIELDS
    calls: ClassVar[Calls] = _read_by(
        "getVersionBadgeImage",
        "The badge with the current version as an image",
        _IN_SVG,
        _LOOK,
        _NO_VERSION,
    )

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        """Answer with the image; 404 before the first version."""
        _answer_image(req, resp, _read(self._store, req, name, _of_version(req)))

    on_head = on_get


def _of_version(req: falcon.Request) -> Mapping[str, str]:
    return {**req.context.query, "show": badges.VERSION}


def _read(store: Store, req: falcon.Request, key: str, query: Mapping[str, str]) -> Badge:
    wanted = badges.wanted(query)
    badge = store.view(lambda reading: badges.get(reading, req.context.call.account, key, wanted))
    if badge is None:
        raise falcon.HTTPNotFound(description=f"{key!r} has no {wanted.show} yet")
    return badge


def _answer_data(req: falcon.Request, resp: falcon.Response, badge: Badge) -> None:
    resp.data = to_json(
        {
            "schemaVersion": SCHEMA_VERSION,
            "label": badge.label,
            "message": badge.message,
            "color": badge.color,
            "cacheSeconds": CACHE_SECONDS,
        }
    )
    _cacheable(req, resp)


def _answer_image(req: falcon.Request, resp: falcon.Response, badge: Badge) -> None:
    resp.content_type = SVG
    # An SVG opened by itself is a document, which could run scripts.
    resp.set_header("Content-Security-Policy", "default-src 'none'")
    resp.set_header("X-Content-Type-Options", "nosniff")
    resp.data = draw(badge)
    _cacheable(req, resp)


def _cacheable(req: falcon.Request, resp: falcon.Response) -> None:
    pollable(req, resp)
    resp.set_header("Cache-Control", f"max-age={MAX_AGE}")
    # The credentials decide whose series it is.
    resp.set_header("Vary", "Authorization")
