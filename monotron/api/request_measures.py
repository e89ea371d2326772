"""Counts and times requests, and the values that they give out."""

import time
from collections.abc import Mapping

import falcon

from monotron.core.pending import PendingActivity
from monotron.http.environ import COMPLETE_AT
from monotron.http.labels import NO_ROUTE, method_label
from monotron.measures import INCREMENTS, NEAR_LIMIT, VALUES, WorkerSlot

Labels = Mapping[str, str]
"""Each route's path as people write it, by the router's template."""


class RequestMeasures:
    """Measures each request that reaches the application.

    A resource sets `req.context.given` to the number of values that it has given out, and
    `req.context.limit` to the limit of their series.
    """

    def __init__(self, slot: WorkerSlot, labels: Labels, pending: PendingActivity) -> None:
        self._slot = slot
        self._pending = pending
        self._labels = labels
        # So that they show as 0 before the first request.
        slot.add(INCREMENTS, 0)
        slot.add(VALUES, 0)
        slot.add(NEAR_LIMIT, 0)

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Note when the request was complete."""
        req.context.given = req.context.limit = 0
        req.context.near_limit = False
        req.context.started = req.env.get(COMPLETE_AT) or time.perf_counter()

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, succeeded: bool
    ) -> None:
        """Count and time the request."""
        seconds = time.perf_counter() - req.context.started
        route, method = route_of(req, self._labels), method_label(req.method)
        self._slot.add_request(route, method, str(resp.status_code), seconds, req.context.given)
        if req.context.given:
            self._pending.note(req.context.call, req.context.given)
        if req.context.near_limit and req.context.given:
            self._slot.add(NEAR_LIMIT, req.context.given)


def route_of(req: falcon.Request, labels: Labels) -> str:
    """Return the route that answers as people write it, such as `/v1/series/{key}`."""
    return labels.get(req.uri_template or "", NO_ROUTE)
