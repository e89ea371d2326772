"""Badges: `/v1/badges/{key}` for shields.io, `/v1/badges/{key}.svg` drawn here."""

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
from monotron.api.openapi.components import constant, constant_header, parameter, schema
from monotron.api.openapi.parameters import ETAG, NO_SNIFFING
from monotron.api.openapi.schemas import (
    HEX,
    NAME,
    NAME_OR_NOTHING,
    any_case,
    members,
    name,
)
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

QUERIES = (
    parameter(
        "query",
        "show",
        schema("Show", {"type": "string", "enum": [badges.VALUE, badges.VERSION]}, badges.VALUE),
        f"What the badge shows; `{badges.VALUE}` if not given.",
    ),
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

_CACHED = (
    ETAG,
    constant_header("Cache-Control", f"max-age={MAX_AGE}", value="max-age"),
    constant_header("Vary", "Authorization", value="Authorization"),
)

_MISSING = "the series has no value yet, or there is no version"

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


def _read_by(name: str, summary: str, answer: Answer) -> Calls:
    """Return the description of a GET that answers with a badge."""
    described = Description(
        name,
        summary,
        answer,
        needs=READ_SERIES,
        queries=QUERIES,
        missing=_MISSING,
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
        in_json(_DATA),
    )

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Answer with the badge's data; 404 before the first value."""
        badge = _read(self._store, req, key)
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

    on_head = on_get


class BadgeImage:
    """The same badge as an image."""

    tag: ClassVar[Tag] = TAG
    fields: ClassVar[Fields] = FIELDS
    calls: ClassVar[Calls] = _read_by(
        "getBadgeImage",
        "The same badge as an image",
        Answer(
            {SVG: _IMAGE},
            (
                NO_SNIFFING,
                constant_header("Content-Security-Policy", "default-src 'none'", value="image"),
            ),
        ),
    )

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Answer with the image; 404 before the first value."""
        badge = _read(self._store, req, key)
        resp.content_type = SVG
        # An SVG opened by itself is a document, which could run scripts.
        resp.set_header("Content-Security-Policy", "default-src 'none'")
        resp.set_header("X-Content-Type-Options", "nosniff")
        resp.data = draw(badge)
        _cacheable(req, resp)

    on_head = on_get


def _read(store: Store, req: falcon.Request, key: str) -> Badge:
    wanted = badges.wanted(req.context.query)
    badge = store.view(lambda reading: badges.get(reading, req.context.call.account, key, wanted))
    if badge is None:
        raise falcon.HTTPNotFound(description=f"{key!r} has no {wanted.show} yet")
    return badge


def _cacheable(req: falcon.Request, resp: falcon.Response) -> None:
    pollable(req, resp)
    resp.set_header("Cache-Control", f"max-age={MAX_AGE}")
    # The credentials decide whose series it is.
    resp.set_header("Vary", "Authorization")
