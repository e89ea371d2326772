"""Counts and times requests, and the values that they give out."""

import time
from collections.abc import Mapping

import falcon

from monotron.core.pending import PendingActivity
from monotron.http.environ import COMPLETE_AT
from monotron.http.labels import METHODS, NO_ROUTE, method_label
from monotron.measures import INCREMENTS, NEAR_LIMIT, VALUES, RequestRows, WorkerSlot

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
        self._rows: dict[tuple[str | None, str, object], RequestRows] = {}
        """The rows of each template, method and status so far: labels are looked up once."""
        # So that they show as 0 before the first request.
        slot.add(INCREMENTS, 0)
        slot.add(VALUES, 0)
        slot.add(NEAR_LIMIT, 0)

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Note when the request was complete."""
        context = req.context
        context.given = context.limit = 0
        context.near_limit = False
        context.started = req.env.get(COMPLETE_AT) or time.perf_counter()

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, succeeded: bool
    ) -> None:
        """Count and time the request."""
        context = req.context
        seconds = time.perf_counter() - context.started
        given: int = context.given
        rows = self._rows.get((req.uri_template, req.method, resp.status))
        (rows or self._find_rows(req, resp)).add(seconds, given)
        if given:
            self._pending.note(context.call, given)
            if context.near_limit:
                self._slot.add(NEAR_LIMIT, given)

    def _find_rows(self, req: falcon.Request, resp: falcon.Response) -> RequestRows:
        route, method = route_of(req, self._labels), method_label(req.method)
        rows = self._slot.requests(route, method, str(resp.status_code))
        if req.method in METHODS:
            # Clients can make up methods without end.
            self._rows[req.uri_template, req.method, resp.status] = rows
        return rows


def route_of(req: falcon.Request, labels: Labels) -> str:
    """Return the route that answers as people write it, such as `/v1/series/{key}`."""
    return labels.get(req.uri_template or "", NO_ROUTE)
