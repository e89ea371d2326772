"""A call with input that the path does not read takes nothing, and hears why."""

from typing import Any
from urllib.parse import quote

import pytest

from monotron.app import create_app
from monotron.core import records, tables
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.core.records import Attribute, Series
from monotron.settings import Settings
from monotron.store.contract import Store, Transaction
from tests.api.test_bad_input import ROUTES, Call, good_call
from tests.conftest import all_rows
from tests.support.memory import MemoryStore
from tests.support.web import JSON, REFUSED_NAMES, UUID, Api, described, problem, url

CALLS = [(method, route) for route, methods in ROUTES.items() for method in methods]

every_call = pytest.mark.parametrize(("method", "route"), CALLS)

DOCUMENT = described(authentication=False)

EMPTY = [b"", b" ", b"\r\n", b"{}", b"{ }", b"null", b" null\n"]
"""Empty bodies, which some clients send with every call."""

FULL = [
    b'{"value":500}',
    b'{"count":5}',
    b"value=500",
    b"[]",
    b"0",
    b'""',
    b"false",
    b"{",
    b"\xff",
    b"\0",
    b" " * 65_537 + b"x",
]


@pytest.fixture
def store() -> MemoryStore:
    """What is asked here does not depend on the engine."""
    return MemoryStore()


@pytest.fixture
def api(store: Store, settings: Settings) -> Api:
    """The API on a store with something at each path."""
    api = Api(create_app(store, settings))
    api.put("/v1/accounts/7")
    for account in (1, 7):
        api.put(url("series", "svc", "token", account=account))
        api.put(url("semver", "svc", "minor", "token", account=account))
        api.put(f"{url('tokens', 'svc', 'token', account=account)}/attrs/svc", b"text")
    api.post(f"/{UUID}")
    return api


def known(method: str, route: str) -> list[str]:
    """Return the query parameters that the document names for a call."""
    references = operation(method, route).get("parameters", [])
    names = [each["$ref"].rpartition("/")[2] for each in references]
    parameters = [DOCUMENT["components"]["parameters"][name] for name in names]
    return [each["name"] for each in parameters if each["in"] == "query"]


def has_body(method: str, route: str) -> bool:
    return "requestBody" in operation(method, route)


def operation(method: str, route: str) -> dict[str, Any]:
    """Return what the document says of a call; HEAD takes what GET takes."""
    item: dict[str, dict[str, Any]] = DOCUMENT["paths"][route]
    return item["get" if method == "HEAD" else method.lower()]


def ask(api: Api, call: Call, query: str = "", body: bytes | None = None, **headers: str) -> Any:
    return api.request(
        call.path + query,
        method=call.method,
        body=call.body if body is None else body,
        headers=headers,
        expect_errors=True,
    )


ALL_PARAMETERS = {name for each in CALLS for name in known(*each)}


# Query parameters


@every_call
def test_a_parameter_that_a_call_does_not_know_is_400_and_takes_nothing(
    api: Api, store: Store, method: str, route: str
) -> None:
    before = all_rows(store)
    there_are = known(method, route)
    for name in ["cuont", "Count", "COUNT", "token", "key", "x", "", "%C3%BC"]:
        response = ask(api, good_call(method, route), f"?{name}=5")
        assert response.status_int == 400
        if method != "HEAD":
            detail = problem(response, 400)
            assert all(each in detail for each in there_are)
    assert all_rows(store) == before


@every_call
def test_a_parameter_of_another_call_is_400_and_takes_nothing(
    api: Api, store: Store, method: str, route: str
) -> None:
    others = ALL_PARAMETERS - set(known(method, route))
    before = all_rows(store)
    for name in others:
        assert ask(api, good_call(method, route), f"?{name}=1").status_int == 400
    assert all_rows(store) == before


def test_the_refusal_names_the_parameters_that_there_are(api: Api) -> None:
    response = api.post("/v1/series/svc?cuont=5", status=400)
    assert problem(response, 400) == ("this call has no query parameter 'cuont'; it takes: count")
    response = api.post(f"/{UUID}?count=5", status=400)
    assert problem(response, 400) == "this call has no query parameter 'count'; it takes none"


@every_call
def test_an_empty_query_asks_for_nothing(api: Api, method: str, route: str) -> None:
    for query in ("?", "?&", "?&&"):
        assert ask(api, good_call(method, route), query).status_int != 400


# Bodies


@every_call
def test_a_body_that_a_call_does_not_read_is_400_and_takes_nothing(
    api: Api, store: Store, method: str, route: str
) -> None:
    if has_body(method, route):
        return
    before = all_rows(store)
    for body in FULL:
        response = ask(api, good_call(method, route), body=body)
        assert response.status_int == 400, body
        if method != "HEAD":
            assert problem(response, 400).startswith("this call takes no body, but one was sent")
    assert all_rows(store) == before


@every_call
def test_a_body_that_says_nothing_is_let_through(api: Api, method: str, route: str) -> None:
    expected = 404 if route.endswith("/grants/{key}") else 200
    for body in [] if has_body(method, route) else EMPTY:
        assert ask(api, good_call(method, route), body=body).status_int == expected, body


@pytest.mark.parametrize("body", ["count=5", '{"count":5}', '{"value":500}'])
def test_what_curl_sends_by_d_counts_as_a_body(api: Api, body: str) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for target in ("/v1/series/svc", f"/{UUID}"):
        problem(api.post(target, body, headers=form, status=400), 400)
    assert api.get("/v1/series/svc").json["value"] == 1


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("base", ["/v1", "/v1/accounts/7"])
def test_a_seed_with_a_slash_too_many_is_told_how_a_slash_is_written(
    api: Api, store: Store, method: str, base: str
) -> None:
    before = all_rows(store)
    target = f"{base}/series/shop/nightly"
    response = api.request(target, method=method, body=b'{"value":500}', status=400)
    assert problem(response, 400) == (
        "this call takes no body, but one was sent; nothing was done. To move up a series whose "
        f"key has a / in it, write the / as %2F: PUT {base}/series/shop%2Fnightly"
    )
    assert all_rows(store) == before
    assert api.put(f"{base}/series/shop%2Fnightly", b'{"value":500}').json["value"] == 500


def test_a_seed_by_post_is_told_of_put(api: Api) -> None:
    detail = problem(api.post("/v1/series/svc", b'{"value":500}', status=400), 400)
    assert detail.endswith("To move a series up to a value, use PUT")


def test_a_count_in_the_body_is_told_of_the_query(api: Api) -> None:
    detail = problem(api.post("/v1/series/svc", b'{"count":5}', status=400), 400)
    assert detail.endswith("?count=5")


# Names


@pytest.mark.parametrize("name", REFUSED_NAMES.values(), ids=REFUSED_NAMES)
def test_what_has_such_a_name_from_before_can_be_read_and_deleted(
    api: Api, store: Store, name: str
) -> None:
    def begin(txn: Transaction) -> None:
        state = Series(FIRST_ACCOUNT, name, 5, name, 1, 1, 5)
        txn.put(
            tables.SERIES, records.series_row_key(FIRST_ACCOUNT, name), records.pack_series(state)
        )
        attribute = Attribute(name, name, "text")
        row = records.attribute_row_key(FIRST_ACCOUNT, name, name, name)
        txn.put(tables.ATTRIBUTES, row, records.pack_attribute(attribute))

    store.update(begin)
    encoded = quote(name, safe="").replace(".", "%2E")
    series, attributes = f"/v1/series/{encoded}", f"/v1/tokens/{encoded}/{encoded}/attrs"
    assert api.get(series).json["key"] == name
    assert api.get(f"{series}/{encoded}").json["value"] == 5
    assert api.get(f"/v1/history/{encoded}").json["history"] == []
    assert api.get(f"/v1/badges/{encoded}").json["message"] == "5"
    assert api.get(f"/v1/series?prefix={encoded}").json["series"][0]["key"] == name
    assert api.get(f"/v1/series?after={encoded}").status_int == 200
    assert api.get(attributes).json == {name: "text"}
    assert api.get(f"{attributes}/{encoded}").text == "text"
    assert api.delete(f"{attributes}/{encoded}").status_int == 200
    assert api.get(attributes).json == {}
    assert api.delete(attributes).status_int == 200
    assert api.delete(series).status_int == 200
    assert api.get(series, expect_errors=True).status_int == 404


# Paths


@pytest.mark.parametrize(
    ("method", "path", "meant"),
    [
        ("GET", "/v1/history/shop/nightly", "/v1/history/shop%2Fnightly"),
        ("GET", "/v1/accounts/7/history/shop/nightly", "/v1/accounts/7/history/shop%2Fnightly"),
        ("GET", "/v1/semver/shop/app", "/v1/semver/shop%2Fapp"),
        ("PUT", "/v1/series/shop/nightly/7d4c", "/v1/series/shop/nightly%2F7d4c"),
        ("PUT", "/v1/semver/shop/app/minor/7d4c", "/v1/semver/shop/app/minor%2F7d4c"),
        ("GET", "/v1/badges/shop/nightly.svg", "/v1/badges/shop%2Fnightly.svg"),
        ("GET", "/v1/tokens/shop/nightly/7d4c/attrs", "/v1/tokens/shop/nightly%2F7d4c/attrs"),
    ],
)
def test_a_path_with_one_slash_too_many_is_told_of_its_escape(
    api: Api, method: str, path: str, meant: str
) -> None:
    detail = problem(api.request(path, method=method, status=404), 404)
    assert detail.endswith(f"A / in a name is written %2F, as in {meant}")


def test_a_method_that_the_path_has_with_one_slash_less_is_told_of_its_escape(api: Api) -> None:
    detail = problem(api.delete("/v1/series/shop/nightly", status=405), 405)
    assert detail == (
        "DELETE is not allowed at this path; these methods are: GET, HEAD, POST, PUT, OPTIONS. "
        "A / in a name is written %2F, as in /v1/series/shop%2Fnightly"
    )


def test_a_path_with_a_slash_at_its_end_is_told_to_leave_it_out(api: Api) -> None:
    detail = problem(api.get("/v1/history/shop/", status=404), 404)
    assert detail.endswith("Leave out the / at the end: /v1/history/shop")


def test_a_path_like_no_other_gets_no_wrong_hint(api: Api) -> None:
    for path in ("/a/b/c", "/v2/series", "/v1/" + "a/" * 4_000, "/v1/history//"):
        assert problem(api.get(path, status=404), 404) == (
            "there is nothing at this path; GET /openapi.json lists every path"
        )


# POST with a token, and account 0


@pytest.mark.parametrize("base", ["/v1", "/v1/accounts/7"])
def test_post_with_a_token_is_the_same_as_put(api: Api, base: str) -> None:
    first = api.post(f"{base}/series/shop/7d4c")
    assert first.json["value"] == 1
    assert first.headers["Content-Type"] == JSON
    assert api.put(f"{base}/series/shop/7d4c").body == first.body
    assert api.post(f"{base}/series/shop/7d4c").body == first.body
    assert api.put(f"{base}/series/shop/90d8").json["value"] == 2
    text = api.post(f"{base}/series/shop/b194", headers={"Accept": "text/plain"})
    assert text.body == b"3\n"


def test_accounts_begin_at_0(api: Api, store: Store) -> None:
    problem(api.post("/v1/accounts/0/series/shop", status=404), 404, "no-such-account")
    assert api.put("/v1/accounts/0").json == {"id": 0}
    assert api.post("/v1/accounts/0/series/shop").json == {
        "creator_id": 0,
        "key": "shop",
        "token": None,
        "value": 1,
    }
    assert api.get("/v1/accounts/0/series").json["series"][0]["creator_id"] == 0
    assert api.get("/v1/series").json["series"][0]["creator_id"] == 1
    assert api.get("/v1/accounts").json == {
        "accounts": [{"id": 0}, {"id": 1}, {"id": 7}],
        "next": None,
    }
    assert api.get("/v1/accounts?limit=1").json == {"accounts": [{"id": 0}], "next": 0}
    assert api.get("/v1/accounts?after=0&limit=1").json == {"accounts": [{"id": 1}], "next": 1}
    assert api.get("/v1/accounts?after=1").json == {"accounts": [{"id": 7}], "next": None}
