"""The route table: which path is answered by which resource."""

import falcon

from monotron.api.access_log import AccessLog
from monotron.api.build_numbers import BuildNumber
from monotron.api.errors import handle_errors
from monotron.api.health import Liveness, Readiness
from monotron.api.paths import RawPath
from monotron.api.series import AllSeries, OneSeries, SeriesAtToken
from monotron.api.service import Service
from monotron.settings import Settings
from monotron.store.contract import Store

App = falcon.App[falcon.Request, falcon.Response]


def create_app(store: Store, settings: Settings) -> App:
    """Give the WSGI application that answers from `store`."""
    app = falcon.App(middleware=[AccessLog()] if settings.access_log else [])
    app.add_middleware(RawPath())
    handle_errors(app)

    app.add_route("/livez", Liveness())
    app.add_route("/healthz", Liveness())
    app.add_route("/readyz", Readiness(store))
    app.add_route("/v1", Service())

    app.add_route("/v1/series", AllSeries(store))
    app.add_route("/v1/series/{key}", OneSeries(store))
    app.add_route("/v1/series/{key}/{token}", SeriesAtToken(store))

    app.add_route("/{uuid}", BuildNumber(store))
    return app
