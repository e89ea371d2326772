"""A call with input that the path does not read takes nothing, and hears why."""

from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from monotron.core import records, tables
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.core.records import Attribute, Series
from monotron.store.contract import Transaction
from tests.conftest import all_rows
from tests.support.furnished import Call, calls
from tests.support.memory import MemoryStore
from tests.support.web import JSON, REFUSED_NAMES, UUID, Api, problem

CALLS = [
    replace(call, method=method)
    for call in calls("GET", "POST", "PUT", "DELETE")
    for method in (("GET", "HEAD") if call.method == "GET" else (call.method,))
    if not call.query
]
every_call = pytest.mark.parametrize("call", CALLS, ids=str)
bodiless = pytest.mark.parametrize(
    "call", [call for call in CALLS if call.description.body is None], ids=str
)

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


def ask(api: Api, call: Call, query: str = "", body: bytes | None = None) -> Any:
    return api.request(
        call.target + query,
        method=call.method,
        body=call.body if body is None else body,
        expect_errors=True,
    )


ALL_PARAMETERS = {name for call in CALLS for name in call.description.query_names}


# Query parameters


@every_call
def test_a_parameter_that_a_call_does_not_know_is_400_and_takes_nothing(
    furnished: Api, memory: MemoryStore, call: Call
) -> None:
    before = all_rows(memory)
    known = set(call.description.query_names)
    strange = {"cuont", "Count", "COUNT", "token", "key", "x", "", "%C3%BC"}
    for name in strange | ALL_PARAMETERS - known:
        response = ask(furnished, call, f"?{name}=1")
        assert response.status_int == 400
        if call.method != "HEAD":
            detail = problem(response, 400)
            assert all(each in detail for each in known)
    assert all_rows(memory) == before


def test_the_refusal_names_the_parameters_that_there_are(furnished: Api) -> None:
    response = furnished.post("/v1/series/svc?cuont=5", status=400)
    detail = "this call has no query parameter 'cuont'; it takes: count, width"
    assert problem(response, 400) == detail
    response = furnished.get("/v1?count=5", status=400)
    assert problem(response, 400) == "this call has no query parameter 'count'; it takes none"


@every_call
def test_an_empty_query_asks_for_nothing(furnished: Api, memory: MemoryStore, call: Call) -> None:
    rows = memory.rows
    for query in ("?", "?&", "?&&"):
        assert ask(furnished, call, query).status_int == 200
        memory.rows = rows


# Bodies


@bodiless
def test_a_body_that_a_call_does_not_read_is_400_and_takes_nothing(
    furnished: Api, memory: MemoryStore, call: Call
) -> None:
    before = all_rows(memory)
    for body in FULL:
        response = ask(furnished, call, body=body)
        assert response.status_int == 400, body
        if call.method != "HEAD":
            assert problem(response, 400).startswith("this call takes no body, but one was sent")
    assert all_rows(memory) == before


@bodiless
def test_a_body_that_says_nothing_is_let_through(
    furnished: Api, memory: MemoryStore, call: Call
) -> None:
    rows = memory.rows
    for body in EMPTY:
        assert ask(furnished, call, body=body).status_int == 200, body
        memory.rows = rows


@pytest.mark.parametrize("body", ["count=5", '{"count":5}', '{"value":500}'])
def test_what_curl_sends_by_d_counts_as_a_body(furnished: Api, body: str) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for target in ("/v1/series/svc", f"/{UUID}"):
        problem(furnished.post(target, body, headers=form, status=400), 400)
    assert furnished.get("/v1/series/svc").json["value"] == 2


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("base", ["/v1", "/v1/accounts/7"])
def test_a_seed_with_a_slash_too_many_is_told_how_a_slash_is_written(
    furnished: Api, memory: MemoryStore, method: str, base: str
) -> None:
    before = all_rows(memory)
    target = f"{base}/series/shop/nightly"
    response = furnished.request(target, method=method, body=b'{"value":500}', status=400)
    assert problem(response, 400) == (
        "this call takes no body, but one was sent; nothing was done. To move up a series whose "
        f"key has a / in it, write the / as %2F: PUT {base}/series/shop%2Fnightly"
    )
    assert all_rows(memory) == before
    assert furnished.put(f"{base}/series/shop%2Fnightly", b'{"value":500}').json["value"] == 500


def test_a_seed_by_post_is_told_of_put(furnished: Api) -> None:
    detail = problem(furnished.post("/v1/series/svc", b'{"value":500}', status=400), 400)
    assert detail.endswith("To move a series up to a value, use PUT")


def test_a_count_in_the_body_is_told_of_the_query(furnished: Api) -> None:
    detail = problem(furnished.post("/v1/series/svc", b'{"count":5}', status=400), 400)
    assert detail.endswith("?count=5")


# Names


@pytest.mark.parametrize("name", REFUSED_NAMES.values(), ids=REFUSED_NAMES)
def test_what_has_such_a_name_from_before_can_be_read_and_deleted(
    furnished: Api, memory: MemoryStore, name: str
) -> None:
    def begin(txn: Transaction) -> None:
        state = Series(FIRST_ACCOUNT, name, 5, name, 1, 1, 5)
        txn.put(
            tables.SERIES, records.series_row_key(FIRST_ACCOUNT, name), records.pack_series(state)
        )
        attribute = Attribute(name, name, "text")
        row = records.attribute_row_key(FIRST_ACCOUNT, name, name, name)
        txn.put(tables.ATTRIBUTES, row, records.pack_attribute(attribute))

    memory.update(begin)
    encoded = quote(name, safe="").replace(".", "%2E")
    series, attributes = f"/v1/series/{encoded}", f"/v1/tokens/{encoded}/{encoded}/attrs"
    assert furnished.get(series).json["key"] == name
    assert furnished.get(f"{series}/{encoded}").json["value"] == 5
    assert furnished.get(f"/v1/history/{encoded}").json["history"] == []
    assert furnished.get(f"/v1/badges/{encoded}").json["message"] == "5"
    assert furnished.get(f"/v1/series?prefix={encoded}").json["series"][0]["key"] == name
    assert furnished.get(f"/v1/series?after={encoded}").status_int == 200
    assert furnished.get(attributes).json == {name: "text"}
    assert furnished.get(f"{attributes}/{encoded}").text == "text"
    assert furnished.delete(f"{attributes}/{encoded}").status_int == 200
    assert furnished.get(attributes).json == {}
    assert furnished.delete(attributes).status_int == 200
    assert furnished.delete(series).status_int == 200
    assert furnished.get(series, expect_errors=True).status_int == 404


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
    furnished: Api, method: str, path: str, meant: str
) -> None:
    detail = problem(furnished.request(path, method=method, status=404), 404)
    assert detail.endswith(f"A / in a name is written %2F, as in {meant}")


def test_a_method_that_the_path_has_with_one_slash_less_is_told_of_its_escape(
    furnished: Api,
) -> None:
    detail = problem(furnished.delete("/v1/series/shop/nightly", status=405), 405)
    assert detail == (
        "DELETE is not allowed at this path; these methods are: GET, HEAD, POST, PUT, OPTIONS. "
        "A / in a name is written %2F, as in /v1/series/shop%2Fnightly"
    )


def test_a_path_with_a_slash_at_its_end_is_told_to_leave_it_out(furnished: Api) -> None:
    detail = problem(furnished.get("/v1/history/shop/", status=404), 404)
    assert detail.endswith("Leave out the / at the end: /v1/history/shop")


def test_a_path_like_no_other_gets_no_wrong_hint(furnished: Api) -> None:
    for path in ("/a/b/c", "/v2/series", "/v1/" + "a/" * 4_000, "/v1/history//"):
        assert problem(furnished.get(path, status=404), 404) == (
            "there is nothing at this path; GET /openapi.json lists every path"
        )


# POST with a token, and account 0


@pytest.mark.parametrize("base", ["/v1", "/v1/accounts/7"])
def test_post_with_a_token_is_the_same_as_put(furnished: Api, base: str) -> None:
    first = furnished.post(f"{base}/series/shop/7d4c")
    assert first.json["value"] == 1
    assert first.headers["Content-Type"] == JSON
    assert furnished.put(f"{base}/series/shop/7d4c").body == first.body
    assert furnished.post(f"{base}/series/shop/7d4c").body == first.body
    assert furnished.put(f"{base}/series/shop/90d8").json["value"] == 2
    text = furnished.post(f"{base}/series/shop/b194", headers={"Accept": "text/plain"})
    assert text.body == b"3\n"


def test_accounts_begin_at_0(furnished: Api, memory: MemoryStore) -> None:
    problem(furnished.post("/v1/accounts/0/series/shop", status=404), 404, "no-such-account")
    assert furnished.put("/v1/accounts/0").json == {"id": 0}
    assert furnished.post("/v1/accounts/0/series/shop").json == {
        "creator_id": 0,
        "key": "shop",
        "token": None,
        "value": 1,
    }
    assert furnished.get("/v1/accounts/0/series").json["series"][0]["creator_id"] == 0
    assert furnished.get("/v1/series").json["series"][0]["creator_id"] == 1
    assert furnished.get("/v1/accounts").json == {
        "accounts": [{"id": 0}, {"id": 1}, {"id": 7}],
        "next": None,
    }
    assert furnished.get("/v1/accounts?limit=1").json == {"accounts": [{"id": 0}], "next": 0}
    assert furnished.get("/v1/accounts?after=0&limit=1").json == {
        "accounts": [{"id": 1}],
        "next": 1,
    }
    assert furnished.get("/v1/accounts?after=1").json == {"accounts": [{"id": 7}], "next": None}
