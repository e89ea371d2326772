"""Refusals and failures take nothing."""

from dataclasses import replace
from typing import Any

import pytest
import webtest

from monotron.app import create_app
from monotron.core import tables
from monotron.settings import Settings
from monotron.store.contract import Store
from monotron.store.lmdb import LmdbStore
from tests.conftest import all_rows, held
from tests.support.web import LAST_VALUE, UUID, Api, filled, problem, routes, wait_until_ready

METHODS = {filled(path): methods for path, methods in routes().items()}
OF_AN_ACCOUNT = {
    path.removeprefix("/v1/accounts/1"): methods
    for path, methods in METHODS.items()
    if path.startswith("/v1/accounts/1/") and "/grants" not in path
}

every_path = pytest.mark.parametrize("path", METHODS)


def allowed(response: webtest.TestResponse) -> set[str]:
    return set(response.headers["Allow"].split(", ")) - {"OPTIONS"}


@every_path
def test_options_names_what_is_allowed(api: Api, path: str) -> None:
    response = api.options(path)
    assert (response.status_int, response.body) == (200, b"")
    assert allowed(response) == METHODS[path]


@every_path
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"])
def test_any_other_method_is_405(api: Api, store: Store, path: str, method: str) -> None:
    if method in METHODS[path]:
        return
    response = api.request(path, method=method, status=405)
    assert allowed(response) == METHODS[path]
    assert response.headers["Content-Type"] == "application/problem+json"
    if method != "HEAD":
        detail = problem(response, 405)
        assert detail.startswith(f"{method} is not allowed at this path; these methods are: ")
        assert all(each in detail for each in METHODS[path])
    assert not any(all_rows(store).values())


@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")
def test_an_unknown_method_is_a_problem_too(api: Api) -> None:
    response = api.request("/v1/series/svc", method="BREW", expect_errors=True)
    problem(response, response.status_int)
    assert 400 <= response.status_int < 502


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    "path",
    [
        f"/{UUID}/",
        f"/{UUID}/more",
        "/v1/",
        "/v2/series",
        "/v1/serie",
        "/V1/series",
        "/v1/series/svc/token/more",
        "/v1/series/svc/token/",
        "/v1/series/svc/token/attrs/author/more",
        "/v1/tokens",
        "/v1/tokens/svc",
        "/v1/tokens/svc/token",
        "/v1/history",
        "/v1/history/svc/token",
        "/v1/semver/svc/major",
        "/v1/semver/svc/major/token/more",
        "/v1/accounts/1/",
        "/v1/accounts/1/more",
        "/v1/accounts/1/series/svc/token/more",
        "/v1/badges",
        "/v1/badges/svc/token",
        "/v1/badges/svc.svg/",
        "/livez/",
        "/metrics/",
        "/web/a/b",
        "/a/b/c",
    ],
)
def test_an_unknown_path_is_404(api: Api, path: str, method: str) -> None:
    problem(api.request(path, method=method, status=404), 404)


@pytest.mark.parametrize(
    "number",
    [
        "",
        "-1",
        "+1",
        "1.0",
        "1e3",
        "0x1",
        "abc",
        "%D9%A3",
        "%201",
        "1%0A",
        str(LAST_VALUE + 1),
        str(2**64 + 1),
        "9" * 5_000,
    ],
)
def test_what_cannot_be_an_account_is_400(api: Api, store: Store, number: str) -> None:
    # Without a number, "accounts" would be the one that the path means to name.
    targets = [f"/v1/accounts/{number}"] if number else []
    targets += [f"/v1/accounts/{number}{path}" for path in OF_AN_ACCOUNT]
    for target in targets:
        for method in ("GET", "PUT", "POST", "DELETE"):
            response = api.request(target, method=method, expect_errors=True)
            # Each account is asked for before the method is.
            detail = problem(response, 400, "invalid-number")
            assert "account" in detail
    assert not any(all_rows(store).values())


@pytest.mark.parametrize("account", [2, 7, LAST_VALUE])
def test_an_account_that_is_not_there_is_404(api: Api, store: Store, account: int) -> None:
    for path, methods in OF_AN_ACCOUNT.items():
        for method in methods:
            target = f"/v1/accounts/{account}{path}"
            response = api.request(target, method=method, status=404)
            assert response.headers["Content-Type"] == "application/problem+json"
            if method != "HEAD":
                assert str(account) in problem(response, 404)
    assert not any(all_rows(store).values())


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/v1/series/" + "a" * 257, "1 to 256 bytes of UTF-8; this one has 257"),
        ("/v1/series/a%0Ab", "U+000A"),
        ("/v1/series/%FF", "UTF-8"),
        ("/v1/series/100%", "%25"),
        ("/v1/series?limit=1001", "from 1 to 1000"),
        ("/v1/history/svc?limit=1001", "from 1 to 1000"),
        ("/v1/history/svc?before=x", "before"),
        ("/v1/semver/" + "a" * 210, "1 to 209 bytes of UTF-8; this one has 210"),
        ("/v1/tokens/svc/token/attrs/" + "a" * 257, "1 to 256 bytes of UTF-8; this one has 257"),
        ("/v1/series?recent=51", "from 0 to 50"),
        ("/v1/badges/" + "a" * 257, "1 to 256 bytes of UTF-8; this one has 257"),
        ("/v1/badges/svc?color=pink", "3 or 6 hex digits, or one of brightgreen, green,"),
        ("/v1/badges/svc.svg?show=token", "value or version"),
        (f"/v1/accounts/{LAST_VALUE + 1}/series", f"from 0 to {LAST_VALUE}"),
        (f"/{UUID}0", "UUID"),
    ],
)
def test_the_detail_says_what_was_wrong_and_what_is_allowed(api: Api, path: str, says: str) -> None:
    assert says in problem(api.get(path, status=400), 400)


@pytest.mark.parametrize("query", ["x=%FF", "count=1&x=%C3", "\xff"])
def test_a_query_that_is_not_utf_8_is_400(api: Api, query: str) -> None:
    assert "UTF-8" in problem(api.post(f"/v1/series/svc?{query}", status=400), 400)
    assert api.get("/v1/series").json["series"] == []


def test_a_query_with_many_parameters_is_400(api: Api) -> None:
    query = "&".join(f"p{number}=1" for number in range(1_000))
    detail = problem(api.post(f"/v1/series/svc?{query}", status=400), 400)
    assert "parameters" in detail


@pytest.mark.parametrize("path", ["/v1/series/", "/", "/v1/series?after="])
def test_a_url_that_is_too_long_is_414(api: Api, path: str) -> None:
    url = path + "x" * (8_193 - len(path))
    assert "8192" in problem(api.get(url, status=414), 414)
    problem(api.get(url[:-1], status="4*"), 404 if path == "/" else 400)


def test_the_longest_names_fit_into_a_url(api: Api) -> None:
    name = "%C3%A9" * 128
    assert api.put(f"/v1/series/{name}/{name}").json["value"] == 1


@pytest.mark.parametrize("access_log", [False, True])
def test_a_server_that_does_not_give_the_raw_path_is_refused(
    store: Store, settings: Settings, access_log: bool
) -> None:
    app = create_app(store, replace(settings, access_log=access_log))
    bare = webtest.TestApp(app)
    for path in ("/v1/series/a%2Fb/c", "/livez", "/nowhere/at/all"):
        problem(bare.put(path, expect_errors=True), 500)
    assert Api(app).get("/v1/series").json["series"] == []


KINDS: list[tuple[int, str, str, str, bytes, dict[str, str]]] = [
    (400, "invalid-name", "GET", "/v1/series/%00", b"", {}),
    (400, "invalid-name", "POST", f"/{UUID}0", b"", {}),
    (400, "invalid-name", "PUT", "/v1/series/svc/%2E%2E", b"", {}),
    (400, "invalid-name", "PUT", "/v1/semver/svc/build/token", b"", {}),
    (400, "invalid-name", "GET", "/v1/series?prefix=%FF", b"", {}),
    (400, "invalid-name", "PUT", "/v1/tokens/svc/token/attrs", b'{"":"text"}', {}),
    (400, "invalid-name", "GET", "/v1/badges/svc?show=token", b"", {}),
    (400, "invalid-name", "GET", "/v1/badges/svc.svg?color=pink", b"", {}),
    (400, "invalid-name", "GET", "/v1/badges/svc?label=%00", b"", {}),
    (400, "invalid-name", "GET", "/v1/badges/svc?message=", b"", {}),
    (400, "invalid-number", "GET", "/v1/series?recent=51", b"", {}),
    (400, "invalid-number", "POST", "/v1/series/svc?count=0", b"", {}),
    (400, "invalid-number", "GET", "/v1/history/svc?limit=0", b"", {}),
    (400, "invalid-number", "PUT", "/v1/series/svc", b'{"value":"7"}', {}),
    (400, "invalid-number", "GET", "/v1/accounts/-1", b"", {}),
    (400, "invalid-scope", "POST", "/v1/accounts/1/grants", b'["fly:series"]', {}),
    (400, "invalid-attribute", "PUT", "/v1/tokens/svc/token/attrs", b'{"a":7}', {}),
    (400, "invalid-idempotency-key", "POST", "/v1/series/svc", b"", {"Idempotency-Key": "a b"}),
    (400, "", "PUT", "/v1/series/svc", b"{", {}),
    (400, "", "PUT", "/v1/tokens/svc/token/attrs/author", b"\xff", {}),
    (400, "", "GET", "/v1/series?limit=1&limit=1", b"", {}),
    (404, "", "GET", "/v1/series/other", b"", {}),
    (400, "", "POST", "/v1/series/svc?cuont=5", b"", {}),
    (400, "", "POST", "/v1/series/svc", b"count=5", {}),
    (400, "", "DELETE", "/v1/series/svc", b"", {"If-Match": "0a1b2c"}),
    (404, "", "GET", "/nothing/here", b"", {}),
    (404, "", "POST", "/no-uuid", b"", {}),
    (412, "", "DELETE", "/v1/series/svc", b"", {"If-Match": '"0a1b2c"'}),
    (404, "", "GET", "/web/nothing.html", b"", {}),
    (404, "", "GET", "/v1/badges/other.svg", b"", {}),
    (405, "", "PATCH", "/v1/series/svc", b"", {}),
    (409, "series-exhausted", "POST", "/v1/series/full", b"", {}),
    (409, "seed-too-low", "PUT", "/v1/series/full", b'{"value":1}', {}),
    (413, "", "PUT", "/v1/series/svc", b" " * 65_537, {}),
    (414, "", "GET", "/v1/series/" + "a" * 9_000, b"", {}),
    (422, "idempotency-key-reused", "POST", "/v1/series/other", b"", {"Idempotency-Key": "used"}),
]


@pytest.mark.parametrize(("status", "kind", "method", "target", "body", "headers"), KINDS)
def test_the_type_tells_programs_what_was_wrong(
    api: Api,
    store: Store,
    status: int,
    kind: str,
    method: str,
    target: str,
    body: bytes,
    headers: dict[str, str],
) -> None:
    api.put("/v1/series/full", b'{"value":%d}' % LAST_VALUE)
    api.post("/v1/series/svc", headers={"Idempotency-Key": "used"})
    before = all_rows(store)
    response = api.request(target, method=method, body=body, headers=headers, expect_errors=True)
    problem(response, status, kind)
    assert all_rows(store) == before


def test_text_in_an_error_is_json_again(api: Api) -> None:
    detail = problem(api.get("/v1/series/%22%5C%E7%89%88%22", status=404), 404)
    assert repr('"\\版"') in detail


RETRIED = {"Idempotency-Key": '"a retry"'}

CALLS: list[tuple[str, str, bytes, dict[str, str]]] = [
    ("POST", f"/{UUID}", b"", {}),
    ("POST", f"/{UUID}", b"", RETRIED),
    ("PUT", "/v1/series/svc/token", b"", {}),
    ("POST", "/v1/series/svc", b"", {}),
    ("POST", "/v1/series/svc?count=9", b"", {}),
    ("PUT", "/v1/series/svc", b'{"value":99}', {}),
    ("DELETE", "/v1/series/kept", b"", {}),
    ("PUT", "/v1/semver/svc/minor/token", b"", {}),
    ("PUT", "/v1/tokens/svc/token/attrs", b'{"author":"Ada"}', {}),
    ("PUT", "/v1/tokens/svc/token/attrs/url", b"text", {}),
    ("DELETE", "/v1/tokens/kept/token/attrs", b"", {}),
    ("DELETE", "/v1/tokens/kept/token/attrs/author", b"", {}),
    ("PUT", "/v1/accounts/7", b"", {}),
    ("POST", "/v1/accounts/1/grants", b'["read:series"]', {}),
]
"""One of each kind that writes."""

READS: list[tuple[str, str, bytes, dict[str, str]]] = [
    ("GET", path, b"", {})
    for path in (
        f"/{UUID}",
        "/v1/series",
        "/v1/series?recent=5",
        "/v1/series/svc",
        "/v1/series/svc/token",
        "/v1/badges/svc",
        "/v1/badges/svc.svg?show=version",
        "/v1/history/svc",
        "/v1/tokens/svc/token/attrs",
        "/v1/tokens/svc/token/attrs/author",
        "/v1/semver/svc",
        "/v1/accounts",
        "/v1/accounts/7",
        "/v1/accounts/1/grants",
        f"/v1/accounts/1/grants/{'k' * 24}",
    )
]


def call(api: Api, method: str, path: str, body: bytes, headers: dict[str, str]) -> Any:
    return api.request(path, method=method, body=body, headers=headers, expect_errors=True)


def test_a_store_that_cannot_be_written_is_503_and_takes_nothing(
    impatient_store: LmdbStore, settings: Settings
) -> None:
    api = Api(create_app(impatient_store, settings))
    api.post("/v1/series/kept")
    api.put("/v1/tokens/kept/token/attrs/author", b"Ada")
    before = all_rows(impatient_store)
    with held(impatient_store.folder):
        for method, path, body, headers in CALLS:
            response = call(api, method, path, body, headers)
            detail = problem(response, 503, "store-unavailable")
            assert "nothing was taken" in detail
            assert str(impatient_store.folder) not in detail
            assert int(response.headers["Retry-After"]) > 0
        assert api.get("/v1/series/kept").json["value"] == 1
        assert len(api.get("/v1/history/kept").json["history"]) == 1
        assert api.get("/v1/tokens/kept/token/attrs").json == {"author": "Ada"}
        assert all_rows(impatient_store) == before
    wait_until_ready(api)
    for method, path, body, headers in CALLS:
        assert call(api, method, path, body, headers).status_int == 200
    assert api.get(f"/{UUID}").json == {"bn": 2}


def test_a_closed_store_is_503(own_store: LmdbStore, settings: Settings) -> None:
    api = Api(create_app(own_store, settings))
    own_store.close()
    for method, path, body, headers in [*CALLS, *READS]:
        response = call(api, method, path, body, headers)
        problem(response, 503, "store-unavailable")
        assert int(response.headers["Retry-After"]) > 0


def test_a_failing_store_does_not_say_where_it_is(own_store: LmdbStore, settings: Settings) -> None:
    api = Api(create_app(own_store, settings))
    # Now LMDB fails at each call, and the store's own message has the folder in it.
    own_store._env.close()
    for method, path, body, headers in [*CALLS, *READS, ("GET", "/readyz", b"", {})]:
        response = call(api, method, path, body, headers)
        assert str(own_store.folder) not in problem(response, 503)


def test_a_full_store_is_507_and_goes_on_once_there_is_room(
    tiny_store: LmdbStore, settings: Settings
) -> None:
    api = Api(create_app(tiny_store, settings))
    taken: list[str] = []
    for number in range(10_000):
        path = f"/v1/series/{number:06}"
        response = api.post(path, expect_errors=True)
        if response.status_int == 507:
            break
        assert response.body == b'{"creator_id":1,"key":"%06d","token":null,"value":1}' % number
        taken.append(path)
    detail = problem(response, 507, "store-full")
    assert "nothing was taken" in detail
    assert str(tiny_store.folder) not in detail

    assert len(taken) > 120
    problem(api.get(path, status=404), 404)
    assert {api.get(each).json["value"] for each in taken} == {1}
    assert len(api.get("/v1/series?limit=1000").json["series"]) == len(taken)

    # Deleting needs a little room too, so a few of these can also be refused.
    deleted = [each for each in taken if api.delete(each, expect_errors=True).status_int == 200]
    assert len(deleted) > len(taken) // 2
    assert api.post(path).json["value"] == 1
    assert api.get("/readyz").status_int == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "headers"),
    [
        ("POST", "/{:032x}", b"", {}),
        ("POST", "/{:032x}", b"", {"Idempotency-Key": "{}"}),
        ("POST", "/v1/series/svc?count=1", b"", {"Idempotency-Key": "{}"}),
        ("PUT", "/v1/series/{}", b'{"value":7}', {}),
        ("PUT", "/v1/series/svc/{:0200}", b"", {}),
        ("PUT", "/v1/semver/svc/patch/{}", b"", {}),
        ("PUT", "/v1/tokens/svc/{}/attrs", b'{"author":"Ada","url":"text"}', {}),
        ("PUT", "/v1/tokens/svc/{}/attrs/author", b"Ada", {}),
        ("PUT", "/v1/accounts/{}", b"", {}),
        ("POST", "/v1/accounts/1/grants", b'["read:series"]', {}),
    ],
)
def test_a_full_store_takes_nothing_whatever_is_asked(
    tiny_store: LmdbStore,
    settings: Settings,
    method: str,
    path: str,
    body: bytes,
    headers: dict[str, str],
) -> None:
    api = Api(create_app(tiny_store, settings))
    for size in (4_000, 1_000):
        for number in range(64):
            target = f"/v1/tokens/filling-{size}/token/attrs/{number}"
            if api.put(target, b"x" * size, expect_errors=True).status_int == 507:
                break
    # A value that still fits onto an existing page is accepted.
    for number in range(1, 1_000):
        before = all_rows(tiny_store)
        named = {name: value.format(number) for name, value in headers.items()}
        response = call(api, method, path.format(number), body, named)
        if response.status_int == 507:
            break
        assert response.status_int == 200
    assert "nothing was taken" in problem(response, 507, "store-full")
    assert all_rows(tiny_store) == before


def test_a_record_of_a_newer_version_is_503(store: LmdbStore, settings: Settings) -> None:
    api = Api(create_app(store, settings))
    api.post("/v1/series/svc")
    row = b"\0\0\0\0\0\0\0\x01svc\0"
    store.update(lambda txn: txn.put(tables.SERIES, row, b"\xff" * 40))
    for method, path in [
        ("GET", "/v1/series/svc"),
        ("POST", "/v1/series/svc"),
        ("PUT", "/v1/series/svc/token"),
        ("GET", "/v1/series/svc/token"),
        ("GET", "/v1/history/svc"),
        ("GET", "/v1/series"),
        ("GET", "/v1/series?recent=5"),
        ("GET", "/v1/badges/svc"),
        ("GET", "/v1/badges/svc.svg"),
    ]:
        problem(api.request(path, method=method, expect_errors=True), 503, "store-corrupt")
    assert store.view(lambda reading: reading.get(tables.SERIES, row)) == b"\xff" * 40
