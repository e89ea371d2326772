"""Badges: `/v1/badges/{key}` for shields.io, `/v1/badges/{key}.svg` drawn here."""

from typing import ClassVar

import falcon

from monotron.api.access import READ_SERIES, Needs
from monotron.api.answers import pollable, to_json
from monotron.api.badge_image import draw
from monotron.api.unread import Queries
from monotron.core import badges
from monotron.core.badges import Badge
from monotron.store.contract import Store

SCHEMA_VERSION = 1
"""Of https://shields.io/badges/endpoint-badge."""

SVG = "image/svg+xml"

MAX_AGE = 60
"""Seconds for which a badge need not be asked for again: short enough for a badge to be true, long
enough for a page that many open. Where credentials came with the request, caches that are shared do
not keep the answer (RFC 9111, section 3.5)."""

CACHE_SECONDS = 300
"""Seconds for which shields.io keeps a badge: the least that it takes, by the same page."""

QUERIES: Queries = {"GET": ("show", "label", "message", "color")}


class BadgeData:
    """What shields.io draws a badge from."""

    needs: ClassVar[Needs] = {"GET": READ_SERIES}
    queries: ClassVar[Queries] = QUERIES

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Give it; 404 before the first value."""
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

    needs: ClassVar[Needs] = {"GET": READ_SERIES}
    queries: ClassVar[Queries] = QUERIES

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Give it; 404 before the first value."""
        badge = _read(self._store, req, key)
        resp.content_type = SVG
        # Opened by itself an SVG is a document, which could run scripts.
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
    # Whose series it is depends on the credentials.
    resp.set_header("Vary", "Authorization")
