"""An API with something at each path, and a call of each kind that finds it: for all of ROUTES."""

import re
from dataclasses import dataclass

from monotron.api.description import Description
from monotron.api.route import Route
from monotron.app import ROUTES, create_app
from monotron.core import api_keys, scopes
from monotron.core.api_keys import Pair
from monotron.settings import Settings
from monotron.store.contract import Store
from tests.support.calls import call_in
from tests.support.web import UUID, Api, url

GRANTED = Pair("k" * 24, "s" * 128)

FIELDS = {
    "account_id": "1",
    "file": "index.html",
    "key": "svc",
    "name": "svc",
    "part": "minor",
    "token": "token",
    "uuid": UUID,
}
"""What stands in the fields of a path."""

BODIES = {
    ("PUT", "/series/{key}"): b'{"value":120}',
    ("PUT", "/limit"): b'{"value":2000000}',
    ("PUT", "/attrs"): b'{"author":"Ada"}',
    ("PUT", "/attrs/{name}"): b"Ada",
    ("POST", "/grants"): b'["read:series"]',
}
"""What a method of a path that ends like this reads; others read no body."""

QUERIES = {
    "by": "by=day",
    "before": "before=1000",
    "changed_since": "changed_since=2026-01-01T00:00:00Z",
    "contains": "contains=V",
    "count": "count=100",
    "find": "find=V",
    "fold": "fold=versions",
    "include": "include=activity,who",
    "last": "last=5",
    "limit": "limit=2",
    "pre": "pre=rc",
    "recent": "recent=5",
    "remember": "remember=true",
    "scheme": "scheme=YYYY.0M.MICRO",
    "show": "show=version",
    "sort": "sort=changed",
    "tz": "tz=UTC",
}
"""A way to ask for less, for more or for something else, where there is such a parameter."""

OWN_QUERIES = {
    ("/history/{key}", "fold"): "fold=ranges",
    ("/history/{key}", "include"): "include=attributes",
    ("/semver/{name}/history", "before"): "before=2.0.0",
}
"""The same for parameters that mean something else at a path that ends like this."""


@dataclass(frozen=True)
class Call:
    """A good request."""

    route: Route
    method: str
    description: Description
    query: str = ""

    @property
    def target(self) -> str:
        return self.with_fields()

    @property
    def body(self) -> bytes:
        return body_of(self.method, self.route.path)

    def with_fields(self, **others: str) -> str:
        """Return the target with something else in these fields, encoded already."""
        fields = FIELDS | ({"key": GRANTED.key} if "/grants/" in self.route.path else {}) | others
        path = re.sub(r"{(\w+)}", lambda field: fields[field[1]], self.route.path)
        return f"{path}?{self.query}" if self.query else path

    def __str__(self) -> str:
        return f"{self.method} {self.route.path}{'?' if self.query else ''}{self.query}"


def body_of(method: str, path: str) -> bytes:
    """Return a good body for a method of a route; empty if it reads none."""
    ends = ((end, body) for (each, end), body in BODIES.items() if each == method)
    return next((body for end, body in ends if path.endswith(end)), b"")


def queries_of(route: Route, description: Description) -> list[str]:
    """Return a good query for each parameter that a call may have."""
    # Setting a limit takes none; it has that of the token with the same path.
    known = () if route.path.endswith("/limit") else description.query_names
    own = {name: query for (end, name), query in OWN_QUERIES.items() if route.path.endswith(end)}
    queries = QUERIES | own
    return [queries[name] for name in known if name in queries]


def calls(*methods: str) -> list[Call]:
    """Return each call with one of these methods, and again with each query that it may have."""
    return [
        Call(route, method, description, query)
        for route in ROUTES
        for method, description in route.resource.calls.items()
        for query in ("", *queries_of(route, description))
        if method in methods
    ]


def advance(api: Api, *, token: str, bump: str, text: bytes) -> None:
    """Take a value of each series, and set the attribute."""
    api.put(url("series", "svc", token))
    api.put(url("semver", "svc", "minor", bump))
    api.put(url("calver", "svc", bump))
    api.put(url("tokens", "svc", "token", "attrs", "svc"), text)
    api.post(f"/{UUID}")
    api.put(url("series", "svc", "limit"), b'{"value":%d}' % (1_000_000 + len(text)))


def furnish(api: Api, store: Store) -> Api:
    """Put something at each path."""
    api.put("/v1/accounts/7")
    api.put(url("series", "svc", "token"))
    advance(api, token="other", bump="token", text=b"Grace")
    scope = scopes.parse(["read:series"])
    store.update(lambda txn: api_keys.create(txn, call_in(1, now=1), GRANTED, scope))
    return api


def changed(api: Api) -> Api:
    """Change whatever a call can change in what `furnish` has made."""
    api.put("/v1/accounts/9")
    api.put(url("series", "svc", "new"))
    advance(api, token="token", bump="new", text=b"Ada")
    api.post("/v1/accounts/1/grants", b'["read:series"]')
    return api


def open_api(store: Store, settings: Settings) -> Api:
    """Return a furnished API without authentication."""
    return furnish(Api(create_app(store, settings)), store)
