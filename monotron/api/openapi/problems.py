"""Problems: every way in which a call can be refused, and which of them each call can meet."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from monotron.api.access import CHALLENGE
from monotron.api.answers import JSON
from monotron.api.description import Description
from monotron.api.errors import ANSWERS, STORE_DETAILS
from monotron.api.openapi.components import Component, Object, constant, constant_header, headers
from monotron.api.openapi.parameters import ALLOW, REQUEST_ID, RETRY_AFTER
from monotron.api.openapi.schemas import members
from monotron.api.route import Route
from monotron.core import errors
from monotron.core.errors import RuleError
from monotron.http.problems import PROBLEM_JSON, problem
from monotron.limits import (
    API_KEYS,
    ATTRIBUTE_BYTES,
    HEADER_BYTES,
    IDEMPOTENCY_KEY_CHARACTERS,
    JSON_BYTES,
    LAST_VALUE,
    NAME_BYTES,
    RANGE_VALUES,
    URL_BYTES,
)
from monotron.store.contract import StoreError, StoreFull, StoreUncertain

CHANGES = ("POST", "PUT", "DELETE")
"""The methods of calls that change something."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A way in which a call can be refused."""

    name: str
    """The name of its example."""
    status: int
    detail: str
    """The example's detail."""
    kind: str = ""
    """The last part of its type; empty for `about:blank`."""

    @property
    def example(self) -> Object:
        """Return the whole body."""
        body: Object = json.loads(problem(self.status, self.kind, self.detail))
        return body


def refusals(
    route: Route, method: str, call: Description, *, authentication: bool
) -> dict[str, Component | Object]:
    """Return an answer for each status with which a call can be refused."""
    by_status: dict[int, list[Problem]] = {}
    for each in dict.fromkeys(_problems(route, method, call, authentication=authentication)):
        by_status.setdefault(each.status, []).append(each)
    return {
        str(status): _ALIKE.get(status) or _refusal(group)
        for status, group in sorted(by_status.items())
    }


def _problems(
    route: Route, method: str, call: Description, *, authentication: bool
) -> Iterator[Problem]:
    """Iterate over all problems of a call, including those that every call has."""
    yield from _OF_EVERY_CALL
    if "uuid" in route.fields:
        yield _INVALID_UUID
    if call.body is not None:
        yield _INVALID_JSON if JSON in call.body.content else _INVALID_TEXT
    if any(each.body["schema"].body.get("type") == "integer" for each in _values(route, call)):
        yield _OF_TYPE[errors.InvalidNumber]
    for error in (*call.raises, *(_OF_RETRIES if call.retried else ())):
        yield _OF_TYPE[error]
    if not route.quick:
        yield _OVERLOADED
    if method in CHANGES:
        yield from (_INVALID_CONDITION, _CONDITION_FAILED)
        yield from (_OF_TYPE[StoreUncertain], _OF_TYPE[StoreFull])
    if "account_id" in route.fields and call.needs not in (None, "root"):
        yield _OF_TYPE[errors.NoSuchAccount]
    if authentication and not route.open:
        yield _UNAUTHORIZED
        if call.needs is not None:
            yield _FORBIDDEN
    if call.missing:
        yield Problem("not-found", 404, call.missing)


def _values(route: Route, call: Description) -> Iterable[Component]:
    return (*route.parameters, *call.all_queries)


def _refusal(problems: list[Problem]) -> Object:
    """Describe an answer that is one of these problems, which share a status."""
    status = problems[0].status
    examples = {each.name: each.example for each in problems}
    types = list(dict.fromkeys(each["type"] for each in examples.values()))
    schema = members(
        {
            "type": {"type": "string", "enum": types},
            "title": {"type": "string"},
            "status": constant(status),
            "detail": {"type": "string", "description": "What is wrong, and what is allowed."},
        }
    )
    named: Object = {name: {"value": example} for name, example in examples.items()}
    return {
        "description": _STATUSES[status],
        "content": {PROBLEM_JSON: {"schema": schema, "examples": named}},
        "headers": headers((*_HEADERS.get(status, ()), REQUEST_ID)),
    }


# The details of the examples. `errors` has the status and the kind of each error type.

_DETAILS: dict[type[RuleError], str] = {
    errors.InvalidName: f"a series key must have 1 to {NAME_BYTES} bytes of UTF-8; this one has "
    f"{NAME_BYTES + 1}",
    errors.InvalidNumber: f"count must be a whole number from 1 to {RANGE_VALUES}",
    errors.InvalidScope: "a scope must be a string, for example read,write:series",
    errors.InvalidAttribute: f"an attribute can have at most {ATTRIBUTE_BYTES} bytes of UTF-8; "
    f"'log' has {ATTRIBUTE_BYTES + 1}",
    errors.InvalidIdempotencyKey: "an Idempotency-Key must have 1 to "
    f"{IDEMPOTENCY_KEY_CHARACTERS} characters; this one has 0",
    errors.NoSuchAccount: "account 7 does not exist",
    errors.LimitReached: "the series 'app' has reached its limit, 2100000000",
    errors.LimitTooLow: "the series 'app' is at 2100000000 already: 65534 is too low",
    errors.SeedTooLow: "the series 'shop' is at 2 and never moves back: 1 is too low",
    errors.PreReleaseTooLow: "the version of 'shop' is 1.3.0-rc.2 and never goes back: "
    "1.3.0-beta.1 would come before it",
    errors.OtherScheme: "the versions of 'shop' follow YYYY.0M.MICRO, not YY.MM.MICRO: versions of "
    "two schemes cannot be put in order, so use another name",
    errors.SeriesExhausted: f"the series 'shop' has reached its last value, {LAST_VALUE}",
    errors.TooManyApiKeys: f"an account can have at most {API_KEYS} API keys: delete one first",
    errors.IdempotencyKeyReused: "this Idempotency-Key was used for another request: each request "
    "needs its own",
}


def _detail(error: type[RuleError | StoreError]) -> str:
    return STORE_DETAILS[error] if issubclass(error, StoreError) else _DETAILS[error]


_OF_TYPE = {
    error: Problem(kind, status, _detail(error), kind) for error, (status, kind) in ANSWERS.items()
}
_OF_RETRIES = (errors.InvalidIdempotencyKey, errors.IdempotencyKeyReused)

_INVALID_UUID = Problem(
    "invalid-uuid", 400, "a UUID must be 32 hex digits", _OF_TYPE[errors.InvalidName].kind
)
_INVALID_JSON = Problem(
    "invalid-json", 400, "the body must be a JSON object: a member appears twice"
)
_INVALID_TEXT = Problem("invalid-text", 400, "the body is not UTF-8")
_INVALID_CONDITION = Problem(
    "not-read-condition",
    400,
    'If-Match must be a list of ETags in double quotes, such as "0a1b2c", or *',
)
_UNAUTHORIZED = Problem("unauthorized", 401, "unknown API key or wrong secret")
_FORBIDDEN = Problem("forbidden", 403, "this needs the scope write:series")
_CONDITION_FAILED = Problem(
    "condition-failed",
    412,
    "If-Match names none of the current ETags of this path; nothing was changed",
)
_OVERLOADED = Problem("overloaded", 503, "too many requests are already waiting; nothing was taken")

_OF_EVERY_CALL = (
    Problem("not-understood", 400, "a query can have each parameter only once"),
    Problem("unread-body", 400, "this call takes no body, but one was sent; nothing was done"),
    # A query that is not UTF-8 is an invalid name too, and so is a broken escape in a path.
    _OF_TYPE[errors.InvalidName],
    Problem(
        "method-not-allowed",
        405,
        "PATCH is not allowed at this path; these methods are: GET, HEAD, OPTIONS",
    ),
    Problem("body-too-large", 413, f"this body can have at most {JSON_BYTES} bytes"),
    Problem(
        "url-too-long",
        414,
        f"a URL can have at most {URL_BYTES} bytes; this one has {URL_BYTES + 1}",
    ),
    Problem(
        "headers-too-large", 431, f"the headers can have at most {HEADER_BYTES} bytes in total"
    ),
    Problem("failed", 500, "monotron failed on this request; its log says why"),
    Problem("not-implemented", 501, "Transfer-Encoding requested is not supported."),
)

_STATUSES = {
    400: "The request is not valid",
    401: "No credentials, or wrong ones",
    403: "The API key's scopes or account do not allow it",
    404: "Nothing is here (yet)",
    405: "This method is not allowed; `Allow` names those that are",
    409: "The current state does not allow it",
    412: "`If-Match` or `If-None-Match` does not hold; nothing was changed",
    413: "The body is too large",
    414: "The URL is too long",
    422: "The `Idempotency-Key` was used for another request",
    431: "The headers are too large",
    500: "The service failed; its log says why",
    501: "The request uses a transfer coding other than `chunked`",
    503: "Overloaded, or the store cannot be reached; nothing was taken, try again. With replicas, "
    "`outcome-unknown` means that a number may have been taken",
    507: "The disk or the store is full; nothing was taken",
}

_HEADERS: dict[int, tuple[Component, ...]] = {
    401: (constant_header("WWW-Authenticate", CHALLENGE),),
    405: (ALLOW,),
    503: (RETRY_AFTER,),
}

_ALL = (
    *_OF_EVERY_CALL,
    *_OF_TYPE.values(),
    _UNAUTHORIZED,
    _FORBIDDEN,
    _CONDITION_FAILED,
    _OVERLOADED,
)

_ALIKE = {
    status: Component("responses", str(status), _refusal([p for p in _ALL if p.status == status]))
    # For the other statuses, each call has its own answer.
    for status in _STATUSES.keys() - {400, 404, 409}
}
"""Answers that all calls share."""
