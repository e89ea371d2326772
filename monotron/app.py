"""The route table: which path is answered by which resource."""

from collections.abc import Callable, Iterable

import falcon
from falcon.routing import CompiledRouter

from monotron.api.access import Access
from monotron.api.access_log import AccessLog
from monotron.api.accounts import Account, Accounts
from monotron.api.attributes import Attributes, OneAttribute
from monotron.api.badges import BadgeData, BadgeImage
from monotron.api.build_numbers import MEANT, BuildNumber, MeantAsUuid
from monotron.api.dashboard import Dashboard
from monotron.api.errors import handle_errors
from monotron.api.grants import Grant, Grants
from monotron.api.health import Liveness, Readiness
from monotron.api.hints import Hints
from monotron.api.history import History
from monotron.api.metrics import Metrics
from monotron.api.openapi import OpenApi
from monotron.api.paths import RawPath
from monotron.api.request_id import RequestId
from monotron.api.request_measures import RequestMeasures
from monotron.api.semver import CurrentVersion, NextVersion
from monotron.api.series import AllSeries, OneSeries, SeriesAtToken
from monotron.api.service import Service
from monotron.api.unread import NothingIgnored
from monotron.core.api_keys import Pair
from monotron.measures import Measures, Place
from monotron.settings import Settings
from monotron.store.contract import Figure, Store

App = falcon.App[falcon.Request, falcon.Response]


def create_app(
    store: Store,
    settings: Settings,
    *,
    place: Place | None = None,
    figures: Callable[[], Iterable[Figure]] | None = None,
) -> App:
    """Give the WSGI application that answers from `store`.

    What it measures goes to `place`. `figures` returns what the store
    says of itself, if it has anything to say.
    """
    place = place or Measures().place(0)
    root = _root_pair(settings)

    router = CompiledRouter()
    router.options.converters[MEANT.removeprefix(":")] = MeantAsUuid
    hints = Hints(router)
    app = falcon.App(middleware=RequestId(), router=router)
    app.add_middleware(RequestMeasures(place))
    if settings.access_log:
        app.add_middleware(AccessLog())
    app.add_middleware(RawPath())
    app.add_middleware(
        Access(store, root, keep=settings.history, public_badges=settings.public_badges)
    )
    app.add_middleware(NothingIgnored(hints.unread_body))
    handle_errors(app, hints)

    dashboard = Dashboard()
    app.add_route("/", dashboard)
    app.add_route("/web/{file}", dashboard)

    app.add_route("/livez", Liveness())
    app.add_route("/healthz", Liveness())
    app.add_route("/readyz", Readiness(store))
    app.add_route("/metrics", Metrics(store, place, figures))
    app.add_route(
        "/openapi.json",
        OpenApi(authentication=root is not None, public_badges=settings.public_badges),
    )
    app.add_route("/v1", Service())

    app.add_route("/v1/accounts", Accounts(store))
    app.add_route("/v1/accounts/{account_id}", Account(store))
    app.add_route("/v1/accounts/{account_id}/grants", Grants(store))
    app.add_route("/v1/accounts/{account_id}/grants/{key}", Grant(store))

    # The caller's own account, and any one by its id.
    for account in ("/v1", "/v1/accounts/{account_id}"):
        app.add_route(account + "/series", AllSeries(store))
        app.add_route(account + "/series/{key}", OneSeries(store))
        app.add_route(account + "/series/{key}/{token}", SeriesAtToken(store))
        app.add_route(account + "/history/{key}", History(store))
        # The older series service has them below the series.
        for token in ("/tokens/{key}/{token}", "/series/{key}/{token}"):
            app.add_route(account + token + "/attrs", Attributes(store))
            app.add_route(account + token + "/attrs/{name}", OneAttribute(store))
        app.add_route(account + "/semver/{name}", CurrentVersion(store))
        app.add_route(account + "/semver/{name}/{part}/{token}", NextVersion(store))
        app.add_route(account + "/badges/{key}", BadgeData(store))
        app.add_route(account + "/badges/{key}.svg", BadgeImage(store))

    app.add_route(f"/{{uuid{MEANT}}}", BuildNumber(store))
    return app


def _root_pair(settings: Settings) -> Pair | None:
    key, secret = settings.root_api_key, settings.root_api_secret
    return None if key is None or secret is None else Pair(key, secret)
