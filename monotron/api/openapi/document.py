"""The document: every route with its methods, for programs (OpenAPI 3.1)."""

from collections.abc import Iterable

from monotron import __version__
from monotron.api.description import ROOT, Description, content_of
from monotron.api.openapi.components import Component, Components, Object, headers
from monotron.api.openapi.parameters import CONDITIONS, IDEMPOTENCY_KEY, KNOWN_ETAGS, REQUEST_ID
from monotron.api.openapi.problems import CHANGES, refusals
from monotron.api.route import FIELD, Route
from monotron.limits import NAME_BYTES, REQUEST_ID_CHARACTERS

OPENAPI = "3.1.1"


def document(routes: Iterable[Route], *, authentication: bool, public_badges: bool) -> Object:
    """Describe every call; credentials and their refusals only if `authentication` is on.

    With `public_badges`, badges can be read with or without credentials.
    """
    routes = tuple(routes)
    paths = _Paths(routes, authentication=authentication, public_badges=public_badges)
    components = Components()
    whole: Object = {
        "openapi": OPENAPI,
        "info": {
            "title": "Monotron",
            "version": __version__,
            "summary": "The next number of a named series over HTTP",
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": _SERVERS,
        # Tools assume that a document without `security` forgot it.
        "security": [{"basic": []}] if authentication else [],
        "tags": [
            {"name": tag.name, "description": tag.meaning}
            for tag in dict.fromkeys(route.resource.tag for route in routes)
        ],
        "paths": {route.path: components.referenced(paths.item(route)) for route in routes},
        "components": components.by_kind(),
    }
    if authentication:
        basic = {"type": "http", "scheme": "basic", "description": "An API key and its secret."}
        whole["components"]["securitySchemes"] = {"basic": basic}
    return whole


_ABOUT = f"""\
Gives out the next number of a named series: 1, 2, 3, ... No number is given out twice.

- A name has 1 to {NAME_BYTES} bytes of UTF-8, without control characters and without invisible ones
  that slip in when copying, and is neither `.` nor `..`. In a path it is percent-encoded, a `/` in
  it as `%2F`.
- Nothing is ignored: an unknown query parameter is a 400, and so is a body on a call that takes
  none.
- `Accept: text/plain` returns one number or one version as plain text and a newline.
- HEAD works wherever GET does, with the same headers and no body; it is not listed separately.
  OPTIONS lists the allowed methods, and so does a 405.
- An error is a problem (RFC 9457). After a 4xx or a 5xx, nothing was taken.
- Later versions may add members to objects in answers.
- Each answer has an `X-Request-ID`, which is also in the log: the one sent with the request if it
  has 1 to {REQUEST_ID_CHARACTERS} letters, digits and `._~:@/+=-`, else a new one.
"""

_SERVERS = [
    {"url": "/", "description": "The server that this document comes from"},
    {
        "url": "{scheme}://{host}{prefix}",
        "description": "Any other server, or one behind a proxy that adds a prefix to each path",
        "variables": {
            "scheme": {"default": "http", "enum": ["http", "https"]},
            "host": {"default": "127.0.0.1:8080", "description": "Name and port"},
            "prefix": {
                "default": "",
                "description": "Such as `/monotron`; without a `/` at the end",
            },
        },
    },
]


class _Paths:
    """Describes the routes."""

    def __init__(
        self, routes: tuple[Route, ...], *, authentication: bool, public_badges: bool
    ) -> None:
        self._authentication = authentication
        self._public_badges = public_badges
        self._path_of = {
            call.name + route.suffix: route.path
            for route in routes
            for call in route.resource.calls.values()
        }

    def item(self, route: Route) -> Object:
        """Describe a path with all its methods."""
        shared: Object = {"parameters": route.parameters} if route.fields else {}
        return shared | {
            method.lower(): self._operation(route, method, call)
            for method, call in route.resource.calls.items()
        }

    def _operation(self, route: Route, method: str, call: Description) -> Object:
        parameters = _parameters(method, call)
        operation: Object = {
            "operationId": call.name + route.suffix,
            "tags": [route.resource.tag.name],
            "summary": call.summary,
            **(self._security(route, call) if self._authentication else {}),
            **({"parameters": parameters} if parameters else {}),
        }
        if call.body is not None:
            required = {"required": True} if call.body.required else {}
            operation["requestBody"] = required | {"content": content_of(call.body.content)}
        problems = refusals(route, method, call, authentication=self._authentication)
        return operation | {"responses": self._answers(route, call) | problems}

    def _security(self, route: Route, call: Description) -> Object:
        if route.open:
            return {"security": []}
        if call.needs is None:
            return {}
        if call.needs == ROOT:
            role, needs = "root", "the root pair"
        else:
            role = ":".join(each.value for each in call.needs)
            needs = f"`{role}`"
        # Since OpenAPI 3.1 roles may be listed here, under any names.
        security: list[Object] = [{"basic": [role]}]
        if route.badge and self._public_badges:
            needs, security = f"{needs} if credentials are sent", [*security, {}]
        return {"description": f"Needs {needs}.", "security": security}

    def _answers(self, route: Route, call: Description) -> Object:
        answer: Object = {"description": call.summary}
        if call.answer.content:
            answer["content"] = content_of(call.answer.content)
        if call.then:
            answer["links"] = {
                following: self._link(route, call, following)
                for following in (name + route.suffix for name in call.then)
            }
        every = headers((*call.polled, REQUEST_ID))
        answer["headers"] = every | headers(call.answer.headers)
        answers: Object = {"200": answer}
        if call.polled:
            answers["304"] = {"description": "Nothing has changed", "headers": every}
        return answers

    def _link(self, route: Route, call: Description, following: str) -> Object:
        """Describe a call that can follow this one, and the path fields that it takes from it."""
        fields = FIELD.findall(self._path_of[following])
        shared = {each: f"$request.path.{each}" for each in fields if each in route.fields}
        given = {each: call.gives[each] for each in fields if each in call.gives}
        return {"operationId": following, "parameters": given | shared}


def _parameters(method: str, call: Description) -> list[Component]:
    """Return the parameters of a call that are not in its path."""
    return [
        *call.all_queries,
        *([IDEMPOTENCY_KEY] if call.retried else []),
        *([KNOWN_ETAGS] if call.polled else []),
        *(CONDITIONS if method in CHANGES else []),
    ]
