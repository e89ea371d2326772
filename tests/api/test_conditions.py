"""`If-Match` and `If-None-Match`: a change happens only if the caller knows the current state."""

import threading
from typing import Any

import pytest

from monotron.app import create_app
from monotron.core import api_keys, scopes
from monotron.settings import Settings
from monotron.store.contract import Store, Table, Transaction
from tests.conftest import all_rows
from tests.support.calls import call_in
from tests.support.memory import MemoryStore
from tests.support.web import UUID, Api, problem

GRANT = f"/v1/accounts/7/grants/{'k' * 24}"

CHANGES: list[tuple[str, str, bytes]] = [
    ("POST", f"/{UUID}", b""),
    ("POST", "/v1/series/svc", b""),
    ("POST", "/v1/series/svc?count=3", b""),
    ("PUT", "/v1/series/svc", b'{"value":110}'),
    ("PUT", "/v1/series/svc/token", b""),
    ("POST", "/v1/series/svc/token", b""),
    ("PUT", "/v1/tokens/svc/token/attrs", b'{"more":"text"}'),
    ("DELETE", "/v1/tokens/svc/token/attrs", b""),
    ("PUT", "/v1/tokens/svc/token/attrs/author", b"text"),
    ("DELETE", "/v1/series/svc/token/attrs/author", b""),
    ("PUT", "/v1/accounts/7", b""),
    ("POST", "/v1/accounts/7/grants", b'["read:series"]'),
    ("DELETE", GRANT, b""),
    ("DELETE", "/v1/series/svc", b""),
]
"""Each change whose path has a GET; what deletes the series comes last."""

every_change = pytest.mark.parametrize(("method", "path", "body"), CHANGES)

BROKEN = ["", " ", ",", "0a1b", '"', '"a', 'a"', '"a" "b"', '"a"b', "W/", 'w/"a"', "*, *"]
BROKEN += [", " * 2_000, '"a",' * 2_000 + "x", "a b"]

OLD = '"0a1b2c3d4e5f60718293a4b5"'


@pytest.fixture
def store() -> MemoryStore:
    """What is asked here does not depend on the engine."""
    return MemoryStore()


@pytest.fixture
def api(store: Store, settings: Settings) -> Api:
    """The API on a store with something at each path."""
    api = Api(create_app(store, settings))
    api.put("/v1/accounts/7")
    api.put("/v1/series/svc/token")
    api.put("/v1/series/svc/other")
    api.put("/v1/tokens/svc/token/attrs/author", b"Ada")
    api.put("/v1/semver/svc/minor/token")
    api.post(f"/{UUID}")
    pair = api_keys.Pair("k" * 24, "s" * 128)
    store.update(
        lambda txn: api_keys.create(txn, call_in(7, now=1), pair, scopes.parse(["read:series"]))
    )
    return api


def put_back(txn: Transaction, rows: dict[Table, list[tuple[bytes, bytes]]]) -> None:
    for table, of_table in rows.items():
        txn.delete_range(table, b"", b"\xff" * 600)
        for row in of_table:
            txn.put(table, *row)


def etag(api: Api, path: str, accept: str = "*/*") -> str:
    tag: str = api.get(path.partition("?")[0], headers={"Accept": accept}).headers["ETag"]
    return tag


def change(api: Api, method: str, path: str, body: bytes, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.request(path, method=method, body=body, headers=named, expect_errors=True)


@every_change
@pytest.mark.parametrize("match", [OLD, f"W/{OLD}", f"{OLD}, W/{OLD}", '""', f'{OLD},"*"'])
def test_with_another_etag_nothing_is_changed(
    api: Api, store: Store, method: str, path: str, body: bytes, match: str
) -> None:
    before = all_rows(store)
    detail = problem(change(api, method, path, body, If_Match=match), 412, "")
    assert detail == "If-Match names none of the current ETags of this path; nothing was changed"
    assert all_rows(store) == before


@every_change
def test_with_the_current_etag_it_is_changed(api: Api, method: str, path: str, body: bytes) -> None:
    current = etag(api, path)
    assert change(api, method, path, body, If_Match=f"{OLD}, {current}").status_int == 200


@every_change
def test_a_weak_etag_is_no_proof_of_the_same_bytes(
    api: Api, method: str, path: str, body: bytes
) -> None:
    weak = f"W/{etag(api, path)}"
    problem(change(api, method, path, body, If_Match=weak), 412, "")


@every_change
def test_a_star_stands_for_whatever_there_is(
    api: Api, store: Store, method: str, path: str, body: bytes
) -> None:
    before = all_rows(store)
    problem(change(api, method, path, body, If_None_Match="*"), 412, "")
    assert all_rows(store) == before
    assert change(api, method, path, body, If_Match="*").status_int == 200


@every_change
def test_an_etag_that_must_not_be_current_stops_the_change(
    api: Api, store: Store, method: str, path: str, body: bytes
) -> None:
    current = etag(api, path)
    before = all_rows(store)
    # Here a weak ETag counts too (RFC 9110, section 13.1.2).
    for tags in (current, f"W/{current}", f"{OLD},{current}"):
        problem(change(api, method, path, body, If_None_Match=tags), 412, "")
    assert all_rows(store) == before
    assert change(api, method, path, body, If_None_Match=OLD).status_int == 200


@every_change
@pytest.mark.parametrize("name", ["If-Match", "If-None-Match"])
def test_a_condition_that_cannot_be_read_is_400_and_changes_nothing(
    api: Api, store: Store, method: str, path: str, body: bytes, name: str
) -> None:
    before = all_rows(store)
    for header in BROKEN:
        headers = {name: header}
        response = api.request(path, method=method, body=body, headers=headers, expect_errors=True)
        assert name in problem(response, 400, ""), header
    assert all_rows(store) == before


def test_the_etag_of_plain_text_counts_as_well(api: Api) -> None:
    for path in (f"/{UUID}", "/v1/series/svc"):
        text = etag(api, path, "text/plain")
        assert text != etag(api, path)
        assert change(api, "POST", path, b"", If_Match=text).status_int == 200
        problem(change(api, "POST", path, b"", If_Match=text), 412)


def test_a_missing_series_has_no_etag(api: Api, store: Store) -> None:
    before = all_rows(store)
    for method, path, body in [
        ("POST", "/v1/series/new", b""),
        ("PUT", "/v1/series/new", b'{"value":7}'),
        ("PUT", "/v1/series/new/token", b""),
        ("DELETE", "/v1/series/new", b""),
        ("POST", "/00000000000000000000000000000000", b""),
        ("PUT", "/v1/tokens/new/token/attrs/author", b"Ada"),
        ("PUT", "/v1/accounts/8", b""),
        ("PUT", "/v1/semver/new/minor/token", b""),
    ]:
        problem(change(api, method, path, body, If_Match="*"), 412)
        assert all_rows(store) == before
        assert change(api, method, path, body, If_None_Match="*").status_int == 200
        store.update(lambda txn: put_back(txn, before))


def test_a_token_has_the_etag_of_its_own_value(api: Api, store: Store) -> None:
    before = all_rows(store)
    # The series is at another token by now.
    problem(change(api, "PUT", "/v1/series/svc/token", b"", If_None_Match="*"), 412)
    series = etag(api, "/v1/series/svc")
    problem(change(api, "PUT", "/v1/series/svc/token", b"", If_Match=series), 412)
    assert all_rows(store) == before
    token = etag(api, "/v1/series/svc/token")
    assert change(api, "PUT", "/v1/series/svc/token", b"", If_Match=token).json["value"] == 3


def test_a_bump_that_a_token_has_made_is_there(api: Api) -> None:
    path = "/v1/semver/svc/minor/token"
    problem(change(api, "PUT", path, b"", If_None_Match="*"), 412)
    assert change(api, "PUT", path, b"", If_Match="*").json["version"] == "0.1.0"


def test_both_conditions_have_to_hold(api: Api) -> None:
    current = etag(api, "/v1/series/svc")
    both = {"If_Match": current, "If_None_Match": current}
    assert "If-None-Match" in problem(change(api, "POST", "/v1/series/svc", b"", **both), 412)
    both = {"If_Match": OLD, "If_None_Match": OLD}
    assert "If-Match" in problem(change(api, "POST", "/v1/series/svc", b"", **both), 412)
    both = {"If_Match": current, "If_None_Match": OLD}
    assert change(api, "POST", "/v1/series/svc", b"", **both).status_int == 200


def test_what_is_refused_without_conditions_is_refused_in_the_same_way_with_them(
    api: Api,
) -> None:
    # RFC 9110, section 13.2.1: conditions are looked at only before a 2xx.
    for method, path, body, status in [
        ("POST", "/v1/series/svc?count=0", b"", 400),
        ("PUT", "/v1/series/svc", b"{", 400),
        ("POST", "/v1/accounts/9/series/svc", b"", 404),
        ("DELETE", f"/v1/accounts/7/grants/{'x' * 24}", b"", 404),
        ("PATCH", "/v1/series/svc", b"", 405),
    ]:
        problem(change(api, method, path, body, If_Match=OLD), status)


def test_a_retry_gets_its_answer_although_its_own_change_has_made_the_etag_old(api: Api) -> None:
    current = etag(api, "/v1/series/svc")
    headers = {"If_Match": current, "Idempotency_Key": "k"}
    first = change(api, "POST", "/v1/series/svc", b"", **headers)
    assert first.status_int == 200
    assert change(api, "POST", "/v1/series/svc", b"", **headers).body == first.body
    problem(change(api, "POST", "/v1/series/svc", b"", If_Match=current), 412)


def test_of_many_who_know_the_same_state_one_changes_it(store: Store, settings: Settings) -> None:
    app = create_app(store, settings)
    Api(app).post("/v1/series/svc")
    current = etag(Api(app), "/v1/series/svc")
    statuses: list[int] = []
    start = threading.Barrier(16)

    def take() -> None:
        client = Api(app)
        start.wait()
        statuses.append(change(client, "POST", "/v1/series/svc", b"", If_Match=current).status_int)

    threads = [threading.Thread(target=take) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, *[412] * 15]
    assert Api(app).get("/v1/series/svc").json["value"] == 2
