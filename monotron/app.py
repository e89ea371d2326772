"""The application: ROUTES, the table that everything else is derived from, and its middleware."""

import functools
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import falcon
from falcon.routing import CompiledRouter

from monotron.api.about import About
from monotron.api.access import Access
from monotron.api.access_log import AccessLog
from monotron.api.accounts import Account, Accounts
from monotron.api.activity import AccountActivity, SeriesActivity
from monotron.api.answers import to_json
from monotron.api.attributes import Attributes, OneAttribute
from monotron.api.badges import BadgeData, BadgeImage, VersionBadgeData, VersionBadgeImage
from monotron.api.build_numbers import BuildNumber
from monotron.api.calver import CurrentCalendarVersion, NextCalendarVersion
from monotron.api.dashboard import Dashboard, DashboardFile
from monotron.api.errors import handle_errors
from monotron.api.grants import Grant, Grants
from monotron.api.health import Liveness, Readiness
from monotron.api.hints import Hints
from monotron.api.history import History
from monotron.api.limit import SeriesLimit
from monotron.api.metrics import Metrics
from monotron.api.openapi.document import document
from monotron.api.openapi.resource import OpenApi
from monotron.api.paths import RawPath
from monotron.api.request_id import RequestId
from monotron.api.request_measures import RequestMeasures
from monotron.api.route import Route, below, in_each_account, matcher
from monotron.api.semver import CurrentVersion, NextVersion, Versions
from monotron.api.series import OneSeries, SeriesAtToken
from monotron.api.series_list import AllSeries
from monotron.api.unread import NothingIgnored
from monotron.api.version_history import VersionHistory
from monotron.core.api_keys import Pair
from monotron.core.pending import CountedStore, PendingActivity
from monotron.measures import Measures, WorkerSlot
from monotron.settings import Settings
from monotron.store.contract import Figure, Store

App = falcon.App[falcon.Request, falcon.Response]

ROUTES: tuple[Route, ...] = (
    Route("/{uuid}", BuildNumber),
    *in_each_account(
        Route("/series", AllSeries, long=True),
        Route("/series/{key}", OneSeries),
        Route("/series/{key}/limit", SeriesLimit),
        Route("/series/{key}/{token}", SeriesAtToken),
        Route("/history/{key}", History, long=True),
        *below(
            ("/tokens/{key}/{token}", ""),
            # The paths of the older series service.
            ("/series/{key}/{token}", "OfSeries"),
            routes=(
                Route("/attrs", Attributes),
                Route("/attrs/{name}", OneAttribute),
            ),
        ),
        Route("/semver", Versions, long=True),
        Route("/semver/{name}", CurrentVersion),
        Route("/semver/{name}/history", VersionHistory, long=True),
        Route("/semver/{name}/badge", VersionBadgeData, badge=True),
        Route("/semver/{name}/badge.svg", VersionBadgeImage, badge=True),
        Route("/semver/{name}/{part}/{token}", NextVersion),
        Route("/calver/{name}", CurrentCalendarVersion),
        Route("/calver/{name}/{token}", NextCalendarVersion),
        Route("/activity", AccountActivity, long=True),
        Route("/activity/{key}", SeriesActivity, long=True),
        Route("/badges/{key}", BadgeData, badge=True),
        Route("/badges/{key}.svg", BadgeImage, badge=True),
    ),
    Route("/v1/accounts", Accounts, long=True),
    Route("/v1/accounts/{account_id}", Account),
    Route("/v1/accounts/{account_id}/grants", Grants),
    Route("/v1/accounts/{account_id}/grants/{key}", Grant),
    Route("/livez", Liveness, open=True, quick=True),
    Route("/healthz", Liveness, open=True, quick=True, suffix="Older"),
    Route("/readyz", Readiness, open=True),
    Route("/metrics", Metrics, long=True),
    Route("/v1", About),
    Route("/openapi.json", OpenApi),
    Route("/", Dashboard, open=True),
    Route("/web/{file}", DashboardFile, open=True),
)
"""Every path. Access, the server's quick lane, the metrics' labels, the OpenAPI document and the
tests' matrices are derived from it."""

QUICK_PATHS = frozenset(route.path for route in ROUTES if route.quick)
"""The paths that a server answers even if all its threads are busy."""

is_long = matcher(route for route in ROUTES if route.long)
"""Returns whether reading a raw path may take long."""


def create_app(
    store: Store,
    settings: Settings,
    *,
    slot: WorkerSlot | None = None,
    figures: Callable[[], Iterable[Figure]] | None = None,
    pending: PendingActivity | None = None,
) -> App:
    """Return the WSGI application that answers from `store`.

    Its measurements go to `slot`. `figures` returns the engine's figures, if it has any. `pending`
    collects the numbers given out that the store has not counted yet; flush it at the end.
    """
    slot = slot or Measures().slot(0)
    pending = pending or PendingActivity()
    store = CountedStore(store, pending)
    root = _root_pair(settings)

    router = CompiledRouter()
    hints = Hints(router)
    app = falcon.App(middleware=RequestId(), router=router)
    app.add_middleware(RequestMeasures(slot, _LABELS, pending))
    if settings.access_log:
        app.add_middleware(AccessLog(_LABELS))
    app.add_middleware(RawPath())
    is_readable = _is_badge if settings.public_badges else _is_nothing
    app.add_middleware(
        Access(store, root, keep=settings.history, is_open=_is_open, is_readable=is_readable)
    )
    app.add_middleware(NothingIgnored(hints.unread_body))
    handle_errors(app, hints)

    described = _described(authentication=root is not None, public_badges=settings.public_badges)
    parts = _Parts(store, slot, figures, pending, described)
    resources = {route.resource: parts.made(route.resource) for route in ROUTES}
    for route in ROUTES:
        router.options.converters.update(route.converters)
        app.add_route(route.template, resources[route.resource])
    return app


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts that a resource can ask for, by the names of its constructor's parameters."""

    store: Store
    slot: WorkerSlot
    figures: Callable[[], Iterable[Figure]] | None
    pending: PendingActivity
    document: bytes

    def made(self, resource: Callable[..., Any]) -> Any:
        names = inspect.signature(resource).parameters
        return resource(**{name: getattr(self, name) for name in names})


@functools.cache
def _described(*, authentication: bool, public_badges: bool) -> bytes:
    """Return the OpenAPI document, built once in each process."""
    return to_json(document(ROUTES, authentication=authentication, public_badges=public_badges))


_LABELS = {route.template: route.path for route in ROUTES}
_is_open = matcher(route for route in ROUTES if route.open)
_is_badge = matcher(route for route in ROUTES if route.badge)
_is_nothing = matcher(())


def _root_pair(settings: Settings) -> Pair | None:
    key, secret = settings.root_api_key, settings.root_api_secret
    return None if key is None or secret is None else Pair(key, secret)
