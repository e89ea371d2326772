"""`/openapi.json`: the API described for programs (OpenAPI 3.1).

`document` gives the whole. Below it stand the calls, a table for each noun; then what the calls
share: parameters, schemas, headers, problems; then how a call becomes OpenAPI.
"""

import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import falcon
from prometheus_client.exposition import choose_encoder

from monotron import __version__
from monotron.api.access import CHALLENGE, LIVENESS_PATHS, Needs
from monotron.api.answers import JSON, PLAIN, pollable, to_json
from monotron.api.badge_image import draw
from monotron.api.badges import MAX_AGE, SCHEMA_VERSION, SVG
from monotron.api.build_numbers import JSON_UTF8
from monotron.api.conditions import ANY
from monotron.api.dashboard import CONTENT_TYPES, HEADERS
from monotron.api.metrics import OPENMETRICS
from monotron.core import badges, names
from monotron.core.api_keys import KEY_CHARACTERS, SECRET_CHARACTERS
from monotron.core.badges import Badge
from monotron.core.scopes import Operation, Resource
from monotron.http.problems import PROBLEM_JSON, RETRY_SECONDS, problem
from monotron.http.request_id import PATTERN
from monotron.limits import (
    API_KEYS,
    ATTRIBUTE_BYTES,
    ATTRIBUTES,
    DEFAULT_PAGE_ROWS,
    HEADER_BYTES,
    IDEMPOTENCY_HOURS,
    IDEMPOTENCY_KEY_CHARACTERS,
    JSON_BYTES,
    LAST_VALUE,
    NAME_BYTES,
    PAGE_ROWS,
    RANGE_VALUES,
    RECENT_PAGE_VALUES,
    RECENT_VALUES,
    REQUEST_ID_CHARACTERS,
    SCOPES,
    URL_BYTES,
    VERSION_NAME_BYTES,
)

Object = dict[str, Any]
"""A JSON object."""


class OpenApi:
    """The document, made once."""

    needs: ClassVar[Needs] = {}

    def __init__(self, *, authentication: bool, public_badges: bool = False) -> None:
        self._document = to_json(
            document(authentication=authentication, public_badges=public_badges)
        )

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Give it."""
        resp.data = self._document
        pollable(req, resp)

    on_head = on_get


def document(*, authentication: bool, public_badges: bool = False) -> Object:
    """Describe every call; credentials and their refusals only where they are asked for.

    With `public_badges` badges can be had with and without credentials.
    """
    calls = _all_calls()
    if public_badges:
        calls = {path: _published(of_path) for path, of_path in calls.items()}
    whole: Object = {
        "openapi": _OPENAPI,
        "info": {
            "title": "Monotron",
            "version": __version__,
            "summary": "The next number of a named series over HTTP",
            "description": _ABOUT,
        },
        # Beside this document, wherever a proxy has put it.
        "servers": [{"url": "."}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": {
            path: _path(path, calls, authentication=authentication) for path, calls in calls.items()
        },
        "components": _components(authentication=authentication),
    }
    return whole | ({"security": [{"basic": []}]} if authentication else {})


_OPENAPI = "3.1.1"
_ABOUT = f"""\
Gives out the next number of a named series: 1, 2, 3, ... No number is given twice.

- A name has 1 to {NAME_BYTES} bytes of UTF-8, without control characters, without invisible ones
  that only copying brings in, and is neither `.` nor `..`. In a path it is percent-encoded, a `/`
  in it as `%2F`.
- Nothing is ignored: a query parameter that a call does not know is 400, and so is a body on a call
  that reads none.
- `Accept: text/plain` gives one number or one version as bare text and a newline.
- HEAD works where GET does. OPTIONS names what is allowed, and so does a 405.
- An error is a problem (RFC 9457). After a 4xx or a 5xx nothing was taken.
- Each answer has an `X-Request-ID`, which the log names too: the one that came with the request
  where that is of 1 to {REQUEST_ID_CHARACTERS} letters, digits and `._~:@/+=-`, else a new one.
"""

_BUILD_NUMBERS = "Build numbers"
_SERIES = "Series"
_ATTRIBUTES = "Token attributes"
_SEMVER = "Semantic versions"
_BADGES = "Badges"
_ACCOUNTS = "Accounts and API keys"
_SERVICE = "Service"

_TAGS = {
    _BUILD_NUMBERS: "Any UUID is a series of build numbers.",
    _SERIES: "A series can have any name. With a token it knows what a number stands for.",
    _ATTRIBUTES: "Strings kept beside a token, which need not have been used on the series.",
    _SEMVER: "A version is three series: `{name}-major`, `{name}-minor-v{major}` and "
    "`{name}-patch-v{major}.{minor}`. A part whose series does not exist yet is 0.",
    _BADGES: "The number of a series, or a version, for a page that shows it.",
    _ACCOUNTS: "Who may do what. Account 1 is always there.",
    _SERVICE: "Health checks, measurements, the dashboard, and what answers here.",
}


# The calls


@dataclass(frozen=True)
class _Call:
    """One method of one path."""

    name: str
    """Its operationId."""
    tag: str
    summary: str
    answer: Object
    """The 200."""
    needs: str = ""
    """The scope, `root`, or nothing but credentials."""
    takes: tuple[str, ...] = ()
    """Parameters outside of the path, named as `_parameters` names them."""
    body: Object | None = None
    refuses: tuple[str, ...] = ()
    """Problems of its own, named as `_PROBLEMS` names them."""
    missing: str = ""
    """What a 404 says."""
    polled: bool = False
    """It answers 304 while nothing has changed."""
    caching: tuple[str, ...] = ("ETag", "Cache-Control", "Vary")
    """What tells caches so, named as `_response_headers` names it."""
    then: tuple[str, ...] = ()
    """What can be called next, by operationId."""
    open: bool = False
    """It asks for no credentials."""
    public: bool = False
    """Credentials may be left out, those that are sent are checked."""


_Calls = dict[str, dict[str, _Call]]
"""Path, method, call."""


@functools.cache
def _all_calls() -> _Calls:
    of_an_account = _series_calls() | _attribute_calls() | _semver_calls() | _badge_calls()
    return (
        _build_number_calls()
        | {f"/v1{path}": calls for path, calls in of_an_account.items()}
        | {
            f"/v1/accounts/{{account_id}}{path}": _renamed(calls, "OfAccount")
            for path, calls in of_an_account.items()
        }
        | _account_calls()
        | _service_calls()
    )


def _renamed(calls: Mapping[str, _Call], suffix: str) -> dict[str, _Call]:
    return {
        method: replace(
            call, name=call.name + suffix, then=tuple(name + suffix for name in call.then)
        )
        for method, call in calls.items()
    }


def _published(calls: Mapping[str, _Call]) -> dict[str, _Call]:
    return {method: replace(call, public=call.tag == _BADGES) for method, call in calls.items()}


def _build_number_calls() -> _Calls:
    get = _Call(
        "getBuildNumber",
        _BUILD_NUMBERS,
        "The current build number",
        _number("BuildNumber", content_type=JSON_UTF8),
        needs="read:series",
        refuses=("invalid-uuid",),
        missing="no number has been given out for this UUID yet",
        polled=True,
    )
    post = _Call(
        "takeBuildNumber",
        _BUILD_NUMBERS,
        "Take the next build number",
        _number("BuildNumber", content_type=JSON_UTF8),
        needs="write:series",
        takes=("Idempotency-Key",),
        refuses=("invalid-uuid", *_OF_IDEMPOTENCY, "series-exhausted"),
        missing="this is not the form of a UUID, and nothing else is at this path",
        then=("getBuildNumber",),
    )
    return {"/{uuid}": {"get": get, "post": post}}


def _series_calls() -> _Calls:
    pages = _Call(
        "listSeries",
        _SERIES,
        "The series, ordered by key, a page at a time",
        _json("SeriesPage"),
        needs="read:series",
        takes=("prefix", "after", "limit", "recent"),
        refuses=("invalid-name", "invalid-number"),
        polled=True,
    )
    history = _Call(
        "getHistory",
        _SERIES,
        "The values given out, newest first, a page at a time",
        _json("HistoryPage"),
        needs="read:series",
        takes=("before", "limit"),
        refuses=("invalid-name", "invalid-number"),
        missing="the series has no value yet",
        polled=True,
    )
    return {
        "/series": {"get": pages},
        "/series/{key}": _one_series_calls(),
        "/series/{key}/{token}": _token_calls(),
        "/history/{key}": {"get": history},
    }


def _one_series_calls() -> dict[str, _Call]:
    return {
        "get": _Call(
            "getSeries",
            _SERIES,
            "The current state",
            _number("Series"),
            needs="read:series",
            refuses=("invalid-name",),
            missing="the series has no value yet",
            polled=True,
        ),
        "post": _Call(
            "takeValues",
            _SERIES,
            "Take the next value, or with `count` the next so many as one gap-free range",
            _number("Range"),
            needs="write:series",
            takes=("count", "Idempotency-Key"),
            refuses=("invalid-name", "invalid-number", *_OF_IDEMPOTENCY, "series-exhausted"),
            then=("getSeries", "getHistory", "takeValueForToken", "deleteSeries"),
        ),
        "put": _Call(
            "seedSeries",
            _SERIES,
            "Move the series up to a value, so that the next one is greater by 1",
            _number("Series"),
            needs="write:series",
            body=_json_body("Seed"),
            refuses=("invalid-name", "invalid-number", "seed-too-low"),
            then=("getSeries", "deleteSeries"),
        ),
        "delete": _Call(
            "deleteSeries",
            _SERIES,
            "Remove the series with its history and attributes; it starts at 1 again",
            _NOTHING,
            needs="delete:series",
            refuses=("invalid-name",),
            then=("getSeries",),
        ),
    }


def _token_calls() -> dict[str, _Call]:
    calls = {
        "get": _Call(
            "getValueOfToken",
            _SERIES,
            "The value that the token got last, while history still holds it",
            _number("Series"),
            needs="read:series",
            refuses=("invalid-name",),
            missing="history holds no value of this token",
            polled=True,
        ),
        "put": _Call(
            "takeValueForToken",
            _SERIES,
            "The token's value: the same as last time, or the next for another token",
            _number("Series"),
            needs="write:series",
            refuses=("invalid-name", "series-exhausted"),
            then=("getValueOfToken", "getHistory", "putAttributes", "deleteSeries"),
        ),
    }
    post = replace(
        calls["put"],
        name="postValueForToken",
        summary="The same as PUT, for clients that have no PUT",
        takes=("Idempotency-Key",),
        refuses=("invalid-name", *_OF_IDEMPOTENCY, "series-exhausted"),
    )
    return calls | {"post": post}


def _attribute_calls() -> _Calls:
    now, before = "/tokens/{key}/{token}/attrs", "/series/{key}/{token}/attrs"
    return {
        now: _all_attributes_calls(),
        f"{now}/{{name}}": _one_attribute_calls(),
        # Where an older service had them.
        before: _renamed(_all_attributes_calls(), "OfSeries"),
        f"{before}/{{name}}": _renamed(_one_attribute_calls(), "OfSeries"),
    }


def _all_attributes_calls() -> dict[str, _Call]:
    return {
        "get": _Call(
            "getAttributes",
            _ATTRIBUTES,
            "All attributes of the token; an empty object if it has none",
            _json("StoredAttributes"),
            needs="read:series",
            refuses=("invalid-name",),
            polled=True,
        ),
        "put": _Call(
            "putAttributes",
            _ATTRIBUTES,
            "Set some attributes; the others stay",
            _json("Attributes"),
            needs="write:series",
            body=_json_body("Attributes"),
            refuses=("invalid-name", "invalid-attribute"),
            then=("getAttributes", "deleteAttributes"),
        ),
        "delete": _Call(
            "deleteAttributes",
            _ATTRIBUTES,
            "Remove all attributes of the token",
            _NOTHING,
            needs="write:series",
            refuses=("invalid-name",),
        ),
    }


def _one_attribute_calls() -> dict[str, _Call]:
    return {
        "get": _Call(
            "getAttribute",
            _ATTRIBUTES,
            "The bare value of one attribute",
            _bare("AttributeValue") | _headers("X-Content-Type-Options"),
            needs="read:series",
            refuses=("invalid-name",),
            missing="the token has no such attribute",
            polled=True,
        ),
        "put": _Call(
            "putAttribute",
            _ATTRIBUTES,
            "Set one attribute to the bare body",
            _json("Attribute"),
            needs="write:series",
            # No body at all is the empty value.
            body={"content": {"text/plain": _typed("AttributeValue")}},
            refuses=("invalid-name", "invalid-attribute"),
            then=("getAttribute", "deleteAttribute"),
        ),
        "delete": _Call(
            "deleteAttribute",
            _ATTRIBUTES,
            "Remove one attribute",
            _NOTHING,
            needs="write:series",
            refuses=("invalid-name",),
            then=("getAttribute",),
        ),
    }


def _semver_calls() -> _Calls:
    get = _Call(
        "getVersion",
        _SEMVER,
        "The current version",
        _number("Version", "PlainVersion"),
        needs="read:series",
        refuses=("invalid-name",),
        missing="there is no version yet",
        polled=True,
    )
    put = _Call(
        "bumpVersion",
        _SEMVER,
        "Bump a part; the same part and token again give the same version",
        _number("Version", "PlainVersion"),
        needs="write:series",
        refuses=("invalid-name", "series-exhausted"),
        then=("getVersion",),
    )
    return {"/semver/{name}": {"get": get}, "/semver/{name}/{part}/{token}": {"put": put}}


def _badge_calls() -> _Calls:
    data = _Call(
        "getBadge",
        _BADGES,
        "What shields.io draws a badge from (https://shields.io/badges/endpoint-badge)",
        _json("Badge"),
        needs="read:series",
        takes=("show", "label", "message", "color"),
        refuses=("invalid-name",),
        missing="the series has no value yet, or there is no version",
        polled=True,
        caching=("ETag", "Cache-Control.max-age", "Vary.Authorization"),
    )
    image = replace(
        data,
        name="getBadgeImage",
        summary="The same badge as an image",
        answer={"content": {SVG: _typed("BadgeImage")}}
        | _headers("X-Content-Type-Options", "Content-Security-Policy.image"),
    )
    return {"/badges/{key}": {"get": data}, "/badges/{key}.svg": {"get": image}}


def _account_calls() -> _Calls:
    pages = _Call(
        "listAccounts",
        _ACCOUNTS,
        "The accounts, ordered by id, a page at a time",
        _json("AccountPage"),
        needs="root",
        takes=("accounts.after", "limit"),
        refuses=("invalid-number",),
        polled=True,
    )
    put = _Call(
        "putAccount",
        _ACCOUNTS,
        "Make the account; where it is there already, nothing changes",
        _json("Account"),
        needs="root",
        refuses=("invalid-number",),
        then=("getAccount", "makeGrant"),
    )
    get = _Call(
        "getAccount",
        _ACCOUNTS,
        "The account",
        _json("Account"),
        needs="read:account",
        refuses=("invalid-number",),
        polled=True,
    )
    return {
        "/v1/accounts": {"get": pages},
        "/v1/accounts/{account_id}": {"get": get, "put": put},
    } | _grant_calls()


def _grant_calls() -> _Calls:
    grants = "/v1/accounts/{account_id}/grants"
    pages = _Call(
        "listGrants",
        _ACCOUNTS,
        "The API keys of the account, oldest first, without their secrets",
        _json("Grants"),
        needs="read:acl",
        refuses=("invalid-number",),
        polled=True,
    )
    post = _Call(
        "makeGrant",
        _ACCOUNTS,
        "Make an API key that may do what the scopes name; its secret is shown this once",
        _json("NewGrant") | _headers("Cache-Control.no-store"),
        needs="write:acl",
        body=_json_body("WantedScopes"),
        refuses=("invalid-number", "invalid-scope", "too-many-api-keys"),
        then=("getGrant", "deleteGrant"),
    )
    get = _Call(
        "getGrant",
        _ACCOUNTS,
        "One API key, without its secret",
        _json("Grant"),
        needs="read:acl",
        refuses=("invalid-number",),
        missing="the account has no such API key",
        polled=True,
    )
    delete = _Call(
        "deleteGrant",
        _ACCOUNTS,
        "Remove an API key",
        _NOTHING,
        needs="delete:acl",
        refuses=("invalid-number",),
        missing="the account has no such API key",
        then=("getGrant",),
    )
    return {
        grants: {"get": pages, "post": post},
        f"{grants}/{{key}}": {"get": get, "delete": delete},
    }


def _service_calls() -> _Calls:
    alive = _Call(
        "getLiveness",
        _SERVICE,
        "The process answers; looks at nothing else",
        _json("Alive") | _headers("Cache-Control.no-store"),
        open=True,
    )
    ready = _Call(
        "getReadiness",
        _SERVICE,
        "The store can be read and written",
        _json("Ready") | _headers("Cache-Control.no-store"),
        refuses=("store-unavailable",),
        open=True,
    )
    measures = _Call(
        "getMetrics",
        _SERVICE,
        "What is measured, for Prometheus; as OpenMetrics for whoever accepts that",
        {"content": {each: _typed(schema) for each, schema in _METRICS.items()}}
        | _headers("Cache-Control.no-store"),
        needs="read:system",
    )
    name = _Call("getService", _SERVICE, "Name and version", _json("Service"))
    this = _Call("getOpenApi", _SERVICE, "This document", _json("OpenApi"), polled=True)
    return {
        "/livez": {"get": alive},
        "/healthz": _renamed({"get": alive}, "Older"),
        "/readyz": {"get": ready},
        "/metrics": {"get": measures},
        "/v1": {"get": name},
        "/openapi.json": {"get": this},
    } | _dashboard_calls()


_METRICS = {choose_encoder("")[1]: "Metrics", choose_encoder(OPENMETRICS)[1]: "OpenMetrics"}
"""The schema of each content type."""


def _dashboard_calls() -> _Calls:
    headers = _headers(*HEADERS)
    page = _Call(
        "getDashboard",
        _SERVICE,
        "The dashboard, for a browser",
        {"content": {CONTENT_TYPES[".html"]: _typed("Page")}} | headers,
        polled=True,
        open=True,
    )
    file = replace(
        page,
        name="getDashboardFile",
        summary="A file of the dashboard",
        answer={"content": {each: _typed("File") for each in CONTENT_TYPES.values()}} | headers,
        refuses=("invalid-name",),
        missing="the dashboard has no such file",
    )
    return {"/": {"get": page}, "/web/{file}": {"get": file}}


# Parameters


@functools.cache
def _parameters() -> dict[str, Object]:
    """Give each by its name; one whose name means another thing somewhere, as `what.name`."""
    return {
        "account_id": _parameter("path", "account_id", "AccountId", "The account."),
        "uuid": _parameter("path", "uuid", "Uuid", "The series; all forms of a UUID name one."),
        "key": _parameter("path", "key", "Name", "The series."),
        "token": _parameter("path", "token", "Token", "What a number stands for."),
        "name": _parameter("path", "name", "AttributeName", "The attribute."),
        "semver.name": _parameter("path", "name", "VersionName", "What has the versions."),
        "part": _parameter("path", "part", "Part", "What is bumped."),
        "grants.key": _parameter("path", "key", "ApiKey", "The API key."),
        "badges.key": _parameter(
            "path", "key", "Name", "The series, or with `show=version` what has the versions."
        ),
        "file": _parameter("path", "file", "FileName", "The file."),
        "show": _parameter("query", "show", "Show", "What it tells; `value` if not given."),
        "label": _parameter(
            "query", "label", "NameOrNothing", "The left text; the name if not given."
        )
        | _EMPTY_IS_NONE,
        "message": _parameter(
            "query",
            "message",
            "Message",
            f"The right text; `{badges.PLACE}` in it stands for the number or the version. Just "
            "that if not given.",
        ),
        "color": _parameter("query", "color", "Color", f"`{badges.DEFAULT_COLOR}` if not given."),
        "count": _parameter("query", "count", "Count", "How many values; 1 if not given."),
        "prefix": _parameter("query", "prefix", "NameOrNothing", "What the keys start with."),
        "after": _parameter("query", "after", "NameOrNothing", "The key to go on after.")
        | _EMPTY_IS_NONE,
        "accounts.after": _parameter("query", "after", "Bound", "The id to go on after.")
        | _EMPTY_IS_NONE,
        "before": _parameter("query", "before", "Bound", "The value to go on before.")
        | _EMPTY_IS_NONE,
        "limit": _parameter(
            "query", "limit", "Limit", f"Rows in a page; {DEFAULT_PAGE_ROWS} if not given."
        ),
        "recent": _parameter(
            "query",
            "recent",
            "Recent",
            "How many of its newest values to show with each series, and when they were given out. "
            f"A page has at most {RECENT_PAGE_VALUES} of them, and fewer rows where there would be "
            "more.",
        ),
        "Idempotency-Key": _parameter(
            "header",
            "Idempotency-Key",
            "IdempotencyKey",
            "The same key with the same request gives the first answer again for at least "
            f"{IDEMPOTENCY_HOURS} hours.",
        ),
        "If-None-Match": _parameter(
            "header", "If-None-Match", "KnownETags", "The ETag of an earlier answer."
        ),
        "If-Match.change": _parameter(
            "header",
            "If-Match",
            "Condition",
            "Go on only if one of these is the ETag that a GET of this path has now; `*` for any.",
        ),
        "If-None-Match.change": _parameter(
            "header",
            "If-None-Match",
            "Condition",
            "Go on only if none of these is the ETag that a GET of this path has now; `*` if there "
            "is nothing yet.",
        ),
    }


_EMPTY_IS_NONE: Object = {"allowEmptyValue": True}


def _parameter(place: str, name: str, schema: str, description: str) -> Object:
    parameter: Object = {"name": name, "in": place, "description": description}
    return parameter | ({"required": True} if place == "path" else {}) | _typed(schema)


# Schemas


@functools.cache
def _schemas() -> dict[str, Object]:
    """Give each by its name, with examples."""
    return (
        _name_schemas()
        | _number_schemas()
        | _series_schemas()
        | _attribute_schemas()
        | _version_schemas()
        | _badge_schemas()
        | _account_schemas()
        | _service_schemas()
    )


def _name_schemas() -> dict[str, Object]:
    return {
        "Name": _name("shop", "feature/login"),
        "NameOrNothing": _text("shop/", pattern=f"^{_NO_CONTROL}*$", most=NAME_BYTES)
        | {"description": f"At most {NAME_BYTES} bytes of UTF-8, without control characters."},
        "Token": _name("7d4c379588"),
        "StoredName": _name("shop", new=False),
        "StoredToken": _name("7d4c379588", new=False),
        "AttributeName": _name("author"),
        "VersionName": _name("app", most=VERSION_NAME_BYTES),
        "Part": {"type": "string", "enum": ["major", "minor", "patch"], "examples": ["minor"]},
        "Uuid": {
            "type": "string",
            "pattern": rf"^(?:(?:{_any_case('urn:uuid:')})?{_UUID}|\{{{_UUID}\}}|{_HEX}{{32}})$",
            "description": "32 hex digits: with hyphens (8-4-4-4-12), the same in braces or after "
            "`urn:uuid:`, or without hyphens; in upper or lower case.",
            "examples": [
                "4be0643f-1d98-573b-97cd-ca98a65347dd",
                "{4BE0643F-1D98-573B-97CD-CA98A65347DD}",
                "urn:uuid:4be0643f-1d98-573b-97cd-ca98a65347dd",
                "4be0643f1d98573b97cdca98a65347dd",
            ],
        },
        "IdempotencyKey": {
            "type": "string",
            "pattern": f"^(?:{_QUOTED}|{_BARE})$",
            "description": f"1 to {IDEMPOTENCY_KEY_CHARACTERS} characters in double quotes "
            "(RFC 8941), or bare, then without blanks, quotes, commas and semicolons. The same key "
            "quoted or bare is one key.",
            "examples": ['"8e03978e-40d5-43e8-bc93-6894a57f9324"', "build-1234"],
        },
        "KnownETags": {"type": "string", "examples": [_ETAG]},
        "Condition": {
            "type": "string",
            "anyOf": [{"const": ANY}, {"pattern": f"^{_TAG}(?:, {_TAG})*$"}],
            "examples": [_ETAG, ANY],
        },
    }


_NO_CONTROL = r"[^\u0000-\u001f\u007f-\u009f]"
_HIDDEN = "".join(f"\\u{ord(character):04x}" for character in sorted(names.INVISIBLE))
_FOLDED = "|".join(map(re.escape, names.FOLDED_AWAY))
_NEW_NAME = rf"^(?!(?:{_FOLDED})$)[^\u0000-\u001f\u007f-\u009f{_HIDDEN}]+$"
_HEX = "[0-9a-fA-F]"
_UUID = f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"
_QUOTED = rf'"(?:[ !#-\[\]-~]|\\["\\]){{1,{IDEMPOTENCY_KEY_CHARACTERS}}}"'
_BARE = rf"[!#-+\--:<-~]{{1,{IDEMPOTENCY_KEY_CHARACTERS}}}"
_TAG = '(?:W/)?"[!#-~]*"'
_ETAG = '"0a1b2c3d4e5f60718293a4b5"'


def _name(*examples: str, most: int = NAME_BYTES, new: bool = True) -> Object:
    """Describe a name; with `new` off, one that only an earlier version may have let in."""
    without = "control characters"
    if new:
        without += ", without invisible ones that only copying brings in, and neither `.` nor `..`"
    pattern = _NEW_NAME if new else f"^{_NO_CONTROL}+$"
    return _text(*examples, pattern=pattern, most=most) | {
        "minLength": 1,
        "description": f"1 to {most} bytes of UTF-8, without {without}.",
    }


def _text(*examples: str, most: int, pattern: str = "") -> Object:
    """Describe a text of at most so many bytes.

    JSON Schema counts characters, and a character has a byte at least. The format says the rest.
    """
    text: Object = {"type": "string", "maxLength": most, "format": f"utf8-{most}-bytes"}
    return text | ({"pattern": pattern} if pattern else {}) | {"examples": list(examples)}


def _any_case(word: str) -> str:
    """Give the pattern of a word in upper or lower case; JSON Schema has no flag for it."""
    return "".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in word)


def _number_schemas() -> dict[str, Object]:
    return {
        "Value": _integer(1, LAST_VALUE, 7),
        "AccountId": _integer(0, LAST_VALUE, 1),
        "Bound": _integer(0, LAST_VALUE, 7),
        "Count": _integer(1, RANGE_VALUES, 100),
        "Limit": _integer(1, PAGE_ROWS, 50),
        "Recent": _integer(0, RECENT_VALUES, 20),
        "PlainNumber": {"type": "string", "pattern": r"^[1-9][0-9]{0,18}\n$", "examples": ["7\n"]},
    }


def _integer(least: int, most: int, example: int) -> Object:
    integer: Object = {"type": "integer", "format": "int64"}
    return integer | {"minimum": least, "maximum": most, "examples": [example]}


def _series_schemas() -> dict[str, Object]:
    number: Object = {"bn": 5}
    series: Object = {"creator_id": 1, "key": "shop", "token": "7d4c379588", "value": 7}
    range_: Object = {**series, "token": None, "value": 107, "first": 8, "count": 100}
    taken: Object = {
        "value": 7,
        "token": "7d4c379588",
        "created_at": _NOW,
        "api_key": None,
    }
    newest: Object = {"value": 7, "created_at": _NOW}
    times: Object = {"created_at": _NOW, "updated_at": _NOW}
    of_series: Object = {
        "creator_id": _schema("AccountId"),
        "key": _schema("StoredName"),
        "token": _or_null("StoredToken"),
        "value": _schema("Value"),
    }
    return {
        "BuildNumber": _object({"bn": _schema("Value")}, number),
        "Series": _object(of_series, series),
        "Range": _object(
            {**of_series, "first": _schema("Value"), "count": _schema("Count")},
            range_,
            {**series, "token": None},
            optional=("first", "count"),
        )
        | {"dependentRequired": {"first": ["count"], "count": ["first"]}},
        "Seed": _object({"value": _schema("Value")}, {"value": 110}),
        "SeriesPage": _page(
            "series", "ListedSeries", "StoredName", series, {**series, **times, "recent": [newest]}
        ),
        "ListedSeries": _with_recent(of_series, series, {**series, **times, "recent": [newest]}),
        "RecentValue": _object({"value": _schema("Value"), "created_at": _TIME}, newest),
        "HistoryPage": _page("history", "HistoryEntry", "Value", taken),
        "HistoryEntry": _object(
            {
                "value": _schema("Value"),
                "token": _or_null("StoredToken"),
                "created_at": _TIME,
                "api_key": {"type": ["string", "null"], "description": "Which key took it."},
            },
            taken,
        ),
    }


_TIME: Object = {"type": "string", "format": "date-time"}
_NOW = "2026-11-22T23:38:51.123456Z"


def _with_recent(of_series: Object, *examples: Object) -> Object:
    """Describe a series in a list: with three more members where `recent` is asked for."""
    newest: Object = {
        "type": "array",
        "items": _schema("RecentValue"),
        "maxItems": RECENT_VALUES,
        "description": "Newest first.",
    }
    more: Object = {"created_at": _TIME, "updated_at": _TIME, "recent": newest}
    together: Object = {name: [other for other in more if other != name] for name in more}
    described = _object({**of_series, **more}, *examples, optional=more)
    return described | {"dependentRequired": together}


def _attribute_schemas() -> dict[str, Object]:
    some: Object = {
        "type": "object",
        "propertyNames": _schema("AttributeName"),
        "additionalProperties": _schema("AttributeValue"),
    }
    all_: Object = {
        "maxProperties": ATTRIBUTES,
        "description": f"Values by name. A token has at most {ATTRIBUTES}.",
        "examples": [{"author": "jane", "build": "https://ci.example.com/7"}],
    }
    return {
        "AttributeValue": _text("jane", most=ATTRIBUTE_BYTES)
        | {"description": f"At most {ATTRIBUTE_BYTES} bytes of UTF-8."},
        "Attributes": some | all_,
        "StoredAttributes": some | all_ | {"propertyNames": _schema("StoredName")},
        "Attribute": some
        | {"minProperties": 1, "maxProperties": 1, "examples": [{"author": "jane"}]},
    }


def _version_schemas() -> dict[str, Object]:
    version: Object = {
        "name": "app",
        "token": "7d4c379588",
        "version": "1.3.0",
        "major": 1,
        "minor": 3,
        "patch": 0,
    }
    part = _integer(0, LAST_VALUE, 3)
    members: Object = {
        "name": _schema("StoredName"),
        "token": _or_null("StoredToken"),
        "version": {"type": "string", "pattern": f"^{_VERSION}$"},
    }
    return {
        "Version": _object(members | {"major": part, "minor": part, "patch": part}, version),
        "PlainVersion": {"type": "string", "pattern": rf"^{_VERSION}\n$", "examples": ["1.3.0\n"]},
    }


_VERSION = r"[0-9]{1,19}\.[0-9]{1,19}\.[0-9]{1,19}"


def _badge_schemas() -> dict[str, Object]:
    badge: Object = {
        "schemaVersion": SCHEMA_VERSION,
        "label": "shop",
        "message": "123",
        "color": "blue",
    }
    color: Object = {
        "type": "string",
        "description": "3 or 6 hex digits, or a name that shields.io has; in upper or lower case.",
    }
    names = "|".join(map(_any_case, badges.COLORS))
    image = draw(Badge(badge["label"], badge["message"], badge["color"]))
    return {
        "Badge": _object(
            {
                "schemaVersion": {"const": SCHEMA_VERSION},
                "label": {"type": "string", "description": "The left text; empty for none."},
                "message": {"type": "string", "minLength": 1, "description": "The right text."},
                "color": {"type": "string", "pattern": f"^(?:{_HEX_COLOR}|[a-z]+)$"},
            },
            badge,
        ),
        "BadgeImage": {"type": "string", "examples": [image.decode()]},
        "Show": {"type": "string", "enum": [badges.VALUE, badges.VERSION], "examples": ["value"]},
        "Message": _name(badges.PLACE, f"v{badges.PLACE}", new=False),
        "Color": color
        | {"pattern": f"^(?:{_HEX_COLOR}|{names})$", "examples": ["brightgreen", "007abf"]},
    }


_HEX_COLOR = f"{_HEX}{{3}}|{_HEX}{{6}}"


def _account_schemas() -> dict[str, Object]:
    key: Object = {"id": 1, "key": _KEY}
    grant: Object = {"account_id": 1, "api_key": key, "scopes": ["read,write:series"]}
    return {
        "Account": _object({"id": _schema("AccountId")}, {"id": 1}),
        "AccountPage": _page("accounts", "Account", "AccountId", {"id": 1}),
        "ApiKey": {"type": "string", "pattern": _random(KEY_CHARACTERS), "examples": [_KEY]},
        "Secret": {"type": "string", "pattern": _random(SECRET_CHARACTERS), "examples": [_SECRET]},
        "WantedScopes": _list("WantedScope", SCOPES, ["read,write:series", "* : acl"]),
        "WantedScope": {
            "type": "string",
            "pattern": _scope_pattern(_any_case, r"\s*"),
            "description": "`OPERATIONS:RESOURCE`, in upper or lower case; blanks do not count.",
            "examples": ["read,write:series"],
        },
        "Scopes": _list("Scope", SCOPES, ["read,write:series"]),
        "Scope": {
            "type": "string",
            "pattern": _scope_pattern(str),
            "examples": ["read,write:series"],
        },
        "Grant": _grant({"id": _schema("Value"), "key": _schema("ApiKey")}, grant),
        "NewGrant": _grant(
            {"id": _schema("Value"), "key": _schema("ApiKey"), "secret": _schema("Secret")},
            grant | {"api_key": key | {"secret": _SECRET}},
        ),
        "Grants": _list("Grant", API_KEYS, [grant]),
    }


_KEY = "pXq2mV7cLwT9aZr4KdY8sBnE"
_SECRET = "S3" * (SECRET_CHARACTERS // 2)


def _random(characters: int) -> str:
    return f"^[0-9A-Za-z]{{{characters}}}$"


def _scope_pattern(spelled: Callable[[str], str], blanks: str = "") -> str:
    operation = f"(?:{'|'.join(spelled(each.value) for each in Operation)})"
    resource = f"(?:{'|'.join(spelled(each.value) for each in Resource)})"
    operations = rf"(?:\*|{operation}(?:{blanks},{blanks}{operation})*)"
    return f"^{blanks}{operations}{blanks}:{blanks}{resource}{blanks}$"


def _grant(api_key: Object, example: Object) -> Object:
    members: Object = {"account_id": _schema("AccountId"), "api_key": _object(api_key)}
    return _object(members | {"scopes": _schema("Scopes")}, example)


def _service_schemas() -> dict[str, Object]:
    name: Object = {"name": "monotron", "version": __version__}
    return {
        "Alive": _object({"status": {"const": "alive"}}, {"status": "alive"}),
        "Ready": _object({"status": {"const": "ready"}}, {"status": "ready"}),
        "Service": _object({"name": {"const": "monotron"}, "version": {"type": "string"}}, name),
        "Metrics": {"type": "string", "examples": [_READY]},
        "OpenMetrics": {"type": "string", "examples": [f"{_READY}# EOF\n"]},
        "Page": {"type": "string", "examples": ["<!doctype html>\n"]},
        "FileName": {"type": "string", "minLength": 1, "examples": ["index.html"]},
        "File": {"type": "string", "examples": ["<!doctype html>\n"]},
        "OpenApi": {
            "type": "object",
            "required": ["openapi", "info", "paths"],
            "examples": [{"openapi": _OPENAPI, "info": {"title": "Monotron"}, "paths": {}}],
        },
        "Problem": _object(
            {
                "type": {"type": "string", "format": "uri-reference"},
                "title": {"type": "string"},
                "status": {"type": "integer", "minimum": 400, "maximum": 599},
                "detail": {"type": "string", "description": "What was wrong and what is allowed."},
            },
            _example_of(_PROBLEMS["invalid-name"]),
        ),
    }


_READY = "# TYPE monotron_ready gauge\nmonotron_ready 1.0\n"


def _object(members: Object, *examples: Object, optional: Iterable[str] = ()) -> Object:
    """Describe an object that has these members and no others."""
    described: Object = {
        "type": "object",
        "properties": members,
        "required": [name for name in members if name not in optional],
        "additionalProperties": False,
    }
    return described | ({"examples": list(examples)} if examples else {})


def _list(items: str, most: int, example: list[Object] | list[str]) -> Object:
    described: Object = {"type": "array", "items": _schema(items), "maxItems": most}
    return described | {"examples": [example]}


def _page(name: str, items: str, following: str, *examples: Object) -> Object:
    rows: Object = {"type": "array", "items": _schema(items), "maxItems": PAGE_ROWS}
    following_: Object = _or_null(following) | {"description": "Null on the last page."}
    pages: list[Object] = [{name: [example], "next": None} for example in examples]
    return _object({name: rows, "next": following_}, *pages)


def _or_null(name: str) -> Object:
    return {"anyOf": [_schema(name), {"type": "null"}]}


# Headers


def _response_headers() -> dict[str, Object]:
    """Give each by its name; where one name has two values, as `name.value`."""
    return {
        "ETag": _header({"type": "string", "pattern": '^"[0-9a-f]{24}"$'}, _ETAG),
        "Cache-Control": _constant("no-cache"),
        "Cache-Control.no-store": _constant("no-store"),
        "Cache-Control.max-age": _constant(f"max-age={MAX_AGE}"),
        "Vary": _constant("Accept"),
        "Vary.Authorization": _constant("Authorization"),
        "X-Request-ID": _header({"type": "string", "pattern": f"^{PATTERN}$"}, _REQUEST_ID),
        "Content-Security-Policy.image": _constant("default-src 'none'"),
        **{name: _constant(value) for name, value in HEADERS.items()},
        "Allow": _header({"type": "string"}, "GET, HEAD, OPTIONS"),
        "WWW-Authenticate": _constant(CHALLENGE),
        "Retry-After": _header({"type": "integer", "minimum": 1}, RETRY_SECONDS),
    }


_REQUEST_ID = "7f3c1a90b2d84e5f6a7b8c9d"


def _constant(value: str) -> Object:
    return _header({"const": value}, value)


_OF_EVERY_ANSWER = ("X-Request-ID",)


def _header(schema: Object, example: object) -> Object:
    return {"required": True, "schema": schema, "example": example}


def _headers(*names: str) -> Object:
    """Give an answer's headers, named as `_response_headers` names them."""
    return {"headers": {name.partition(".")[0]: _ref("headers", name) for name in names}}


# Problems


@dataclass(frozen=True)
class _Problem:
    """A way to be refused."""

    status: int
    kind: str
    """The last part of its type; empty for `about:blank`."""
    detail: str
    """What an example says."""


_PROBLEMS = {
    "not-understood": _Problem(400, "", "a query names each parameter once"),
    "unread-body": _Problem(400, "", "this call reads no body, and one came; nothing was done"),
    "not-read-condition": _Problem(
        400, "", 'If-Match is a list of ETags in double quotes, such as "0a1b2c", or *'
    ),
    "invalid-json": _Problem(400, "", "the body has to be in JSON: a member is there twice"),
    "invalid-text": _Problem(400, "", "the body is not UTF-8"),
    "invalid-name": _Problem(
        400,
        "invalid-name",
        f"a series key has 1 to {NAME_BYTES} bytes of UTF-8, this one has {NAME_BYTES + 1}",
    ),
    "invalid-uuid": _Problem(400, "invalid-name", "a UUID is 32 hex digits"),
    "invalid-number": _Problem(
        400, "invalid-number", f"count is a whole number from 1 to {RANGE_VALUES}"
    ),
    "invalid-scope": _Problem(
        400, "invalid-scope", "a scope is a string, such as read,write:series"
    ),
    "invalid-attribute": _Problem(
        400, "invalid-attribute", f"an attribute has at most {ATTRIBUTE_BYTES} bytes of UTF-8"
    ),
    "invalid-idempotency-key": _Problem(
        400,
        "invalid-idempotency-key",
        f"an Idempotency-Key has 1 to {IDEMPOTENCY_KEY_CHARACTERS} characters, this one has 0",
    ),
    "unauthorized": _Problem(401, "", "there is no such API key, or its secret is another one"),
    "forbidden": _Problem(403, "", "this needs the scope write:series"),
    "no-such-account": _Problem(404, "no-such-account", "there is no account 7"),
    "method-not-allowed": _Problem(
        405, "", "PATCH does not work at this path; these methods do: GET, HEAD, OPTIONS"
    ),
    "seed-too-low": _Problem(
        409, "seed-too-low", "the series 'shop' is at 2 and never moves back: 1 is too low"
    ),
    "series-exhausted": _Problem(
        409,
        "series-exhausted",
        f"the series 'shop' is at {LAST_VALUE}; the last value there is, is {LAST_VALUE}",
    ),
    "too-many-api-keys": _Problem(
        409, "too-many-api-keys", f"an account has at most {API_KEYS} API keys: delete one first"
    ),
    "condition-failed": _Problem(
        412, "", "If-Match names none of the current ETags of this path; nothing was changed"
    ),
    "body-too-large": _Problem(413, "", f"a body has at most {JSON_BYTES} bytes here"),
    "url-too-long": _Problem(
        414, "", f"a URL has at most {URL_BYTES} bytes, this one has {URL_BYTES + 1}"
    ),
    "idempotency-key-reused": _Problem(
        422, "idempotency-key-reused", "this Idempotency-Key was used for another request"
    ),
    "headers-too-large": _Problem(
        431, "", f"the headers have at most {HEADER_BYTES} bytes together"
    ),
    "failed": _Problem(500, "", "monotron failed on this request; its log says why"),
    "not-implemented": _Problem(501, "", "Transfer-Encoding requested is not supported."),
    "overloaded": _Problem(503, "", "too many requests wait already; nothing was taken"),
    "store-unavailable": _Problem(
        503, "store-unavailable", "the store cannot be reached now; nothing was taken, try again"
    ),
    "store-corrupt": _Problem(
        503, "store-corrupt", "the store cannot be reached now; nothing was taken, try again"
    ),
    "store-full": _Problem(507, "store-full", "the disk or the store is full; nothing was taken"),
}

_STATUSES = {
    400: "The request is not valid",
    401: "No credentials, or wrong ones",
    403: "The scopes of the API key, or its account, do not fit",
    404: "There is nothing (yet)",
    405: "Not with this method; `Allow` names those that work",
    409: "The state does not allow it",
    412: "`If-Match` or `If-None-Match` does not hold; nothing was changed",
    413: "The body is too large",
    414: "The URL is too long",
    422: "The `Idempotency-Key` was used for another request",
    431: "The headers are too large",
    500: "A fault of the service; its log says more",
    501: "The request comes in a transfer coding other than `chunked`",
    503: "Overloaded, or the store cannot be reached; nothing was taken, try again",
    507: "The disk or the store is full; nothing was taken",
}

_ALIKE = (401, 403, 405, 412, 413, 414, 422, 431, 500, 501, 503, 507)
"""Where all calls answer the same."""

_PROBLEM_HEADERS = {401: ("WWW-Authenticate",), 405: ("Allow",), 503: ("Retry-After",)}

_OF_IDEMPOTENCY = ("invalid-idempotency-key", "idempotency-key-reused")


def _refusal(problems: Mapping[str, _Problem]) -> Object:
    """Describe an answer that is one of these problems; they have one status."""
    status = next(iter(problems.values())).status
    examples = {name: _example_of(each) for name, each in problems.items()}
    members: Object = {
        "type": {"enum": list(dict.fromkeys(each["type"] for each in examples.values()))},
        "status": {"const": status},
    }
    schema: Object = {"allOf": [_schema("Problem"), {"properties": members}]}
    named: Object = {name: {"value": example} for name, example in examples.items()}
    content: Object = {PROBLEM_JSON: {"schema": schema, "examples": named}}
    headers = _headers(*_PROBLEM_HEADERS.get(status, ()), *_OF_EVERY_ANSWER)
    return {"description": _STATUSES[status], "content": content} | headers


def _example_of(each: _Problem) -> Object:
    example: Object = json.loads(problem(each.status, each.kind, each.detail))
    return example


# Bodies


def _typed(schema: str) -> Object:
    """Give a schema with its examples, as parameters and bodies have them."""
    examples = _schemas()[schema]["examples"]
    if len(examples) == 1:
        return {"schema": _schema(schema), "example": examples[0]}
    named = {str(number): {"value": value} for number, value in enumerate(examples, 1)}
    return {"schema": _schema(schema), "examples": named}


def _schema(name: str) -> Object:
    return _ref("schemas", name)


def _ref(kind: str, name: str) -> Object:
    return {"$ref": f"#/components/{kind}/{name}"}


def _json(schema: str) -> Object:
    return {"content": {JSON: _typed(schema)}}


def _bare(schema: str) -> Object:
    return {"content": {PLAIN: _typed(schema)}}


def _json_body(schema: str) -> Object:
    return {"required": True, **_json(schema)}


def _number(schema: str, plain: str = "PlainNumber", *, content_type: str = JSON) -> Object:
    """Describe an answer in JSON, or as plain text for whoever accepts that."""
    return {"content": {content_type: _typed(schema), PLAIN: _typed(plain)}}


_NOTHING: Object = {}


# How a call becomes OpenAPI


def _path(path: str, calls: Mapping[str, _Call], *, authentication: bool) -> Object:
    """Describe a path with all its methods; HEAD is where GET is."""
    item: Object = {}
    if names := _names_in(path):
        item["parameters"] = [_ref("parameters", name) for name in names]
    for method, call in calls.items():
        item[method] = _operation(path, method, call, authentication=authentication)
        if method == "get":
            head = replace(call, name=f"{call.name}Head", summary="As GET, without the body")
            item["head"] = _operation(path, "head", head, authentication=authentication)
    return item


def _names_in(path: str) -> list[str]:
    """Give the path's parameters, named as `_parameters` names them."""
    found = re.findall(r"(\w+)/{(\w+)}|{(\w+)}", path)
    return [
        special if (special := f"{before}.{name}") in _parameters() else name or alone
        for before, name, alone in found
    ]


def _operation(path: str, method: str, call: _Call, *, authentication: bool) -> Object:
    takes = (*call.takes, "If-None-Match") if call.polled else call.takes
    if method in _CHANGES:
        takes = (*takes, "If-Match.change", "If-None-Match.change")
    problems = _refusals(path, method, call, authentication=authentication)
    operation: Object = {
        "operationId": call.name,
        "tags": [call.tag],
        "summary": call.summary,
        **(_security(call) if authentication else {}),
        **({"parameters": [_ref("parameters", name) for name in takes]} if takes else {}),
        **({"requestBody": call.body} if call.body else {}),
    }
    return operation | {"responses": _answers(path, call) | _grouped(problems)}


def _security(call: _Call) -> Object:
    if call.open:
        return {"security": []}
    if not call.needs:
        return {}
    needs = "the root pair" if call.needs == "root" else f"`{call.needs}`"
    # Since OpenAPI 3.1 a role may stand here, named as one likes.
    security: list[Object] = [{"basic": [call.needs]}]
    if call.public:
        needs, security = f"{needs} where credentials are sent", [*security, {}]
    return {"description": f"Needs {needs}.", "security": security}


def _answers(path: str, call: _Call) -> Object:
    answer: Object = {"description": call.summary, **call.answer}
    if call.then:
        answer["links"] = {name: _link(path, name) for name in call.then}
    caching = call.caching if call.polled else ()
    headers = _headers(*caching, *_OF_EVERY_ANSWER)["headers"]
    answers: Object = {"200": answer | {"headers": {**headers, **answer.get("headers", {})}}}
    if call.polled:
        answers["304"] = {"description": "Nothing has changed", "headers": headers}
    return answers


def _link(path: str, name: str) -> Object:
    """Describe which names a following call shares with this one."""
    following = next(
        path for path, calls in _all_calls().items() for call in calls.values() if call.name == name
    )
    shared = [each for each in _NAMES.findall(following) if f"{{{each}}}" in path]
    parameters = {each: f"$request.path.{each}" for each in shared}
    if name in ("getGrant", "deleteGrant") and "key" not in parameters:
        parameters["key"] = "$response.body#/api_key/key"
    return {"operationId": name, "parameters": parameters}


_NAMES = re.compile(r"{(\w+)}")


def _refusals(
    path: str, method: str, call: _Call, *, authentication: bool
) -> Iterator[tuple[str, _Problem]]:
    """Give all problems of a call, those that it shares with others too."""
    names = [*call.refuses, *_OF_EVERY_CALL]
    if call.body:
        names += ["invalid-json" if JSON in call.body["content"] else "invalid-text"]
    if path not in LIVENESS_PATHS:
        names += ["overloaded"]
    if method in _CHANGES:
        names += ["not-read-condition", "condition-failed", "store-full"]
    if "{account_id}" in path:
        names += ["invalid-number"]
        if call.needs != "root":
            names += ["no-such-account"]
    if authentication and not call.open:
        names += ["unauthorized", *(["forbidden"] if call.needs else [])]
    for name in dict.fromkeys(names):
        yield name, _PROBLEMS[name]
    if call.missing:
        yield "not-found", _Problem(404, "", call.missing)


_CHANGES = ("post", "put", "delete")

_OF_EVERY_CALL = (
    "not-understood",
    "unread-body",
    "method-not-allowed",
    "body-too-large",
    "url-too-long",
    "headers-too-large",
    "failed",
    "not-implemented",
)


def _grouped(problems: Iterable[tuple[str, _Problem]]) -> Object:
    """Describe one answer for each status, and those with a single known problem only once."""
    by_status: dict[int, dict[str, _Problem]] = {}
    for name, each in problems:
        by_status.setdefault(each.status, {})[name] = each
    return {
        str(status): _ref("responses", str(status)) if status in _ALIKE else _refusal(group)
        for status, group in sorted(by_status.items())
    }


def _components(*, authentication: bool) -> Object:
    headers, statuses = _response_headers(), [*_ALIKE]
    if not authentication:
        del headers["WWW-Authenticate"]
        statuses = [status for status in statuses if status not in (401, 403)]
    components: Object = {
        "schemas": _schemas(),
        "parameters": _parameters(),
        "headers": headers,
        "responses": {
            str(status): _refusal(
                {name: each for name, each in _PROBLEMS.items() if each.status == status}
            )
            for status in statuses
        },
    }
    basic = {"type": "http", "scheme": "basic", "description": "An API key and its secret."}
    return components | ({"securitySchemes": {"basic": basic}} if authentication else {})
