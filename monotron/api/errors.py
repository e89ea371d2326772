"""Every error as `application/problem+json` (RFC 9457)."""

import logging
import time
from http import HTTPStatus
from typing import Any

import falcon

from monotron.api.hints import Hints
from monotron.core.errors import (
    IdempotencyKeyReused,
    InvalidAttribute,
    InvalidIdempotencyKey,
    InvalidName,
    InvalidNumber,
    InvalidScope,
    LimitReached,
    LimitTooLow,
    NoSuchAccount,
    OtherScheme,
    PreReleaseTooLow,
    RuleError,
    SeedTooLow,
    SeriesExhausted,
    TooManyApiKeys,
)
from monotron.http.problems import PROBLEM_JSON, RETRY_SECONDS, problem
from monotron.store.contract import (
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreUnavailable,
    StoreUncertain,
    UpdateTooLarge,
)

log = logging.getLogger("monotron")

LOG_SECONDS = 1.0
"""How often a store failure is logged while it lasts."""


def handle_errors(app: "falcon.App[Any, Any]", hints: Hints) -> None:
    """Turn every error that leaves `app` into a problem; `hints` suggest what was meant."""

    def answer_no_path(
        req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError, params: dict[str, Any]
    ) -> None:
        error.description = hints.missing_path(req.path)
        _answer_http_error(req, resp, error, params)

    def answer_no_method(
        req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError, params: dict[str, Any]
    ) -> None:
        allowed = dict(error.headers or {})["Allow"]
        error.description = hints.missing_method(req.path, req.method, allowed)
        _answer_http_error(req, resp, error, params)

    app.add_error_handler(Exception, _answer_unexpected)
    app.add_error_handler(falcon.HTTPError, _answer_http_error)
    app.add_error_handler(falcon.HTTPRouteNotFound, answer_no_path)
    app.add_error_handler(falcon.HTTPMethodNotAllowed, answer_no_method)
    for error in ANSWERS:
        app.add_error_handler(error, _answer)


ANSWERS: dict[type[RuleError | StoreError], tuple[int, str]] = {
    InvalidName: (400, "invalid-name"),
    InvalidNumber: (400, "invalid-number"),
    InvalidScope: (400, "invalid-scope"),
    InvalidAttribute: (400, "invalid-attribute"),
    InvalidIdempotencyKey: (400, "invalid-idempotency-key"),
    NoSuchAccount: (404, "no-such-account"),
    SeriesExhausted: (409, "series-exhausted"),
    LimitReached: (409, "limit-reached"),
    LimitTooLow: (409, "limit-too-low"),
    SeedTooLow: (409, "seed-too-low"),
    OtherScheme: (409, "other-scheme"),
    PreReleaseTooLow: (409, "pre-release-too-low"),
    TooManyApiKeys: (409, "too-many-api-keys"),
    IdempotencyKeyReused: (422, "idempotency-key-reused"),
    StoreUncertain: (503, "outcome-unknown"),
    StoreUnavailable: (503, "store-unavailable"),
    StoreCorrupt: (503, "store-corrupt"),
    StoreFull: (507, "store-full"),
}

_failures: dict[type[StoreError], tuple[float, int]] = {}
"""When each kind of failure was last logged, and how many there have been since."""

_UNAVAILABLE = "the store cannot be reached at present; nothing was taken, try again"

# The store's own messages name folders and hosts, which callers need not know.
STORE_DETAILS: dict[type[RuleError | StoreError], str] = {
    StoreUncertain: "it is not known whether a number was taken; repeat the call with the same "
    "token or Idempotency-Key to get the same number",
    StoreUnavailable: _UNAVAILABLE,
    StoreCorrupt: _UNAVAILABLE,
    StoreFull: "the disk or the store is full; nothing was taken",
    UpdateTooLarge: "the store does not take that much at once; nothing was taken",
}

_DETAILS = {
    400: "the request could not be understood; its method may be unknown",
    500: "monotron failed on this request; its log says why",
}


def _answer(
    req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, Any]
) -> None:
    status, kind = next(ANSWERS[cls] for cls in type(error).__mro__ if cls in ANSWERS)
    detail = str(error)
    if isinstance(error, StoreError):
        _log_failure(req.method, error)
        detail = next(STORE_DETAILS[cls] for cls in type(error).__mro__ if cls in STORE_DETAILS)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        resp.retry_after = RETRY_SECONDS
    resp.status = status
    resp.content_type = PROBLEM_JSON
    resp.data = problem(status, kind, detail)


def _log_failure(method: str, error: StoreError) -> None:
    """Log a failure, but not for each request: a full disk under load fails thousands a second."""
    kind, now = type(error), time.monotonic()
    logged_at, unlogged = _failures.get(kind, (-LOG_SECONDS, 0))
    if now - logged_at < LOG_SECONDS:
        _failures[kind] = (logged_at, unlogged + 1)
        return
    _failures[kind] = (now, 0)
    more = f" ({unlogged} more since the last such line)" if unlogged else ""
    log.error("%s %s: %s%s", method, kind.__name__, error, more)


def _answer_http_error(
    req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError, params: dict[str, Any]
) -> None:
    detail = error.description or _DETAILS.get(error.status_code) or error.title or ""
    resp.status = error.status_code
    resp.set_headers(error.headers or {})
    resp.content_type = PROBLEM_JSON
    resp.data = problem(error.status_code, "", detail)


def _answer_unexpected(
    req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, Any]
) -> None:
    log.error("%s failed", req.method, exc_info=error)
    resp.status = HTTPStatus.INTERNAL_SERVER_ERROR
    resp.content_type = PROBLEM_JSON
    resp.data = problem(500, "", _DETAILS[500])
