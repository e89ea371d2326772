"""ROUTES: the table of all paths, from which everything else is derived."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from falcon.inspect import inspect_routes

from monotron import app
from monotron.api.description import NOTHING, Calls, Description, Tag
from monotron.api.route import Route, in_each_account, matcher
from monotron.app import QUICK_PATHS, ROUTES, create_app
from monotron.settings import Settings
from tests.support import web
from tests.support.memory import MemoryStore

NOUN = Tag("Noun", "Something to test with.")
LEAVE = Description("leave", "Leave", NOTHING)


class Leaving:
    """A resource of one call."""

    tag: ClassVar[Tag] = NOUN
    calls: ClassVar[Calls] = {"DELETE": LEAVE}

    def on_delete(self) -> None:
        """Leave."""


class Undescribed:
    """A resource without a description."""

    def on_delete(self) -> None:
        """Leave."""


class HalfDescribed(Leaving):
    """A resource with one call that is described, and one that is not."""

    def on_post(self) -> None:
        """Come back."""


class Unanswered:
    """A resource with a description, and nothing to answer with."""

    tag: ClassVar[Tag] = NOUN
    calls: ClassVar[Calls] = {"DELETE": LEAVE}


class Headless:
    """A resource that has GET, but not HEAD."""

    tag: ClassVar[Tag] = NOUN
    calls: ClassVar[Calls] = {"GET": LEAVE}

    def on_get(self) -> None:
        """Answer."""


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (
            # mypy says so, too.
            lambda: Route("/x", Undescribed),  # type: ignore[arg-type]
            "/x handles DELETE, but describes nothing",
        ),
        (lambda: Route("/x", HalfDescribed), "/x handles DELETE, POST, but describes DELETE"),
        (lambda: Route("/x", Unanswered), "/x handles nothing, but describes DELETE"),
        (lambda: Route("/x", Headless), "/x handles only one of GET and HEAD"),
        (lambda: Route("/x/{color}", Leaving), "/x/{color}: nothing describes color"),
        (
            lambda: Route("/x/{key}", Leaving, quick=True),
            "/x/{key}: a quick path cannot have fields",
        ),
    ],
)
def test_a_route_that_is_not_wholly_described_is_an_error(
    make: Callable[[], Route], why: str
) -> None:
    with pytest.raises(ValueError, match="/x") as error:
        make()
    assert str(error.value) == why


def test_what_is_served_is_what_the_table_has(settings: Settings) -> None:
    served = {
        route.path: {method.method for method in route.methods if not method.internal}
        for route in inspect_routes(create_app(MemoryStore(), settings))
    }
    assert served == {route.template: route.methods for route in ROUTES}
    assert {path for path in served if ":" in path} == {"/{uuid:MeantAsUuid}"}
    assert len({route.path for route in ROUTES}) == len(ROUTES)


def test_what_stands_below_an_account_stands_below_the_callers_own_too() -> None:
    own = [route for route in ROUTES if route.path.startswith("/v1/")]
    of_named = [route for route in own if route.suffix.endswith("OfAccount")]
    assert len(of_named) > 10
    for route in of_named:
        path = route.path.replace("/v1/accounts/{account_id}/", "/v1/")
        assert replace(route, path=path, suffix=route.suffix.removesuffix("OfAccount")) in own


def test_only_liveness_is_answered_under_overload() -> None:
    assert {"/livez", "/healthz"} == QUICK_PATHS
    assert {route.path for route in ROUTES if route.quick} == QUICK_PATHS


def test_what_may_read_for_long_is_pages_counts_and_metrics() -> None:
    pages = {
        route.path
        for route in ROUTES
        for call in route.resource.calls.values()
        if "limit" in call.query_names
    }
    assert len(pages) == 9
    counts = {route.path for route in ROUTES if "/activity" in route.path}
    assert {route.path for route in ROUTES if route.long} == {*pages, *counts, "/metrics"}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/v1/things/a", True),
        ("/v1/things/", True),
        ("/v1/things/a%2Fb", True),
        ("/v1/things/a\n", True),
        ("/v1/accounts/7/things/a", True),
        ("/v1/things", False),
        ("/v1/things/a/b", False),
        ("/v1/things/a/", False),
        ("/v1/accounts/7/8/things/a", False),
        ("/x/v1/things/a", False),
        ("//v1/things/a", False),
        ("/v1/thingsXa", False),
    ],
)
def test_a_raw_path_is_told_by_its_segments(path: str, *, found: bool) -> None:
    assert matcher(in_each_account(Route("/things/{key}", Leaving)))(path) is found


def test_without_a_route_no_path_is_one() -> None:
    assert not matcher(())("")
    assert not matcher(())("/")


def test_a_dot_in_a_path_is_a_dot() -> None:
    is_image = matcher([Route("/badges/{key}.svg", Leaving)])
    assert is_image("/badges/a.svg")
    assert not is_image("/badges/aXsvg")


def test_the_document_is_built_once_for_all_applications(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []

    def document(*arguments: Any, **options: Any) -> dict[str, Any]:
        built.append(options)
        return web.described(**options)

    monkeypatch.setattr(app, "document", document)
    app._described.cache_clear()
    for _ in range(3):
        create_app(MemoryStore(), settings)
    assert built == [{"authentication": False, "public_badges": False}]
