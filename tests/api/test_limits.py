"""Limits of series over HTTP, and tokens that are remembered."""

from typing import Any

import pytest

from monotron.app import create_app
from monotron.settings import Settings, read_settings
from monotron.store.contract import Store
from tests.conftest import all_rows
from tests.support.web import UUID, Api, problem

LIMIT = "/v1/series/app/limit"


def set_limit(api: Api, value: int, path: str = LIMIT) -> Any:
    return api.put(path, b'{"value":%d}' % value)


def counted(api: Api, metric: str) -> float:
    lines = api.get("/metrics").text.splitlines()
    (line,) = (line for line in lines if line.startswith(f"{metric} "))
    return float(line.split()[1])


def test_a_limit_can_be_set_read_and_removed(api: Api) -> None:
    expected = {"creator_id": 1, "key": "app", "limit": 3}
    problem(api.get(LIMIT, status=404), 404)
    assert set_limit(api, 3).json == expected
    assert api.get(LIMIT).json == expected
    assert api.get(LIMIT, headers={"Accept": "text/plain"}).text == "3\n"
    assert api.delete(LIMIT).body == b""
    assert "no limit" in problem(api.get(LIMIT, status=404), 404)
    api.delete(LIMIT)


@pytest.mark.parametrize(
    ("take", "key"),
    [
        (("POST", "/v1/series/app"), "app"),
        (("PUT", "/v1/series/app/token"), "app"),
        (("POST", f"/{UUID}"), UUID),
        (("PUT", "/v1/semver/app/patch/token"), "app-patch-v0.0"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else "",
)
def test_beyond_the_limit_nothing_is_taken(
    api: Api, store: Store, take: tuple[str, str], key: str
) -> None:
    api.put(f"/v1/series/{key}", b'{"value":5}')
    set_limit(api, 5, f"/v1/series/{key}/limit")
    before = all_rows(store)
    method, path = take
    response = api.request(path, method=method, expect_errors=True)
    assert "has reached its limit, 5" in problem(response, 409, "limit-reached")
    assert all_rows(store) == before


def test_a_range_beyond_the_limit_is_refused_and_a_seed_too(api: Api) -> None:
    set_limit(api, 10)
    assert api.post("/v1/series/app?count=8").json["value"] == 8
    problem(api.post("/v1/series/app?count=3", status=409), 409, "limit-reached")
    problem(api.put("/v1/series/app", b'{"value":11}', status=409), 409, "limit-reached")
    assert api.get("/v1/series/app").json["value"] == 8


def test_answers_warn_from_nine_tenths_of_the_limit_on(api: Api) -> None:
    before = counted(api, "monotron_values_near_limit_total")
    set_limit(api, 20)
    warned = [api.post("/v1/series/app").headers.get("Series-Limit") for _ in range(20)]
    assert warned == [None] * 17 + [f"20;remaining={left}" for left in (2, 1, 0)]
    assert api.get("/v1/series/app").headers["Series-Limit"] == "20;remaining=0"
    assert counted(api, "monotron_values_near_limit_total") == before + 3


def test_a_calendar_version_warns_of_the_limit_of_its_series(api: Api) -> None:
    call = "/v1/calver/app/{}?scheme=YYYY.MICRO"
    first = api.put(call.format("a"))
    assert "Series-Limit" not in first.headers
    year = first.json["version"].partition(".")[0]
    api.put(f"/v1/series/app-micro-v{year}/limit", b'{"value":2}')
    assert api.put(call.format("b")).headers["Series-Limit"] == "2;remaining=0"
    problem(api.put(call.format("c"), status=409), 409, "limit-reached")


def test_an_answer_of_a_series_with_a_limit_tells_it(api: Api) -> None:
    set_limit(api, 20)
    api.post("/v1/series/app")
    expected = {"creator_id": 1, "key": "app", "token": None, "value": 1, "limit": 20}
    assert api.get("/v1/series/app").json == expected
    assert api.get("/v1/series").json["series"] == [expected]


def test_a_limit_below_the_present_value_is_409(api: Api, store: Store) -> None:
    api.post("/v1/series/app?count=9")
    before = all_rows(store)
    response = api.put(LIMIT, b'{"value":8}', status=409)
    assert "is at 9 already" in problem(response, 409, "limit-too-low")
    assert all_rows(store) == before


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"null",
        b'{"value":0}',
        b'{"value":"5"}',
        b'{"value":5,"more":1}',
        b'{"limit":5}',
        b"5",
        b"[5]",
        b"x",
    ],
)
def test_a_body_that_is_no_limit_takes_nothing(api: Api, store: Store, body: bytes) -> None:
    before = all_rows(store)
    problem(api.put(LIMIT, body, status=400), 400)
    assert all_rows(store) == before


def test_a_limit_is_set_without_a_query(api: Api, store: Store) -> None:
    before = all_rows(store)
    problem(api.put(f"{LIMIT}?remember=true", b'{"value":5}', status=400), 400)
    assert all_rows(store) == before


@pytest.mark.parametrize("body", [b"", b" \n"])
def test_a_token_may_still_be_called_limit(api: Api, body: bytes) -> None:
    expected = {"creator_id": 1, "key": "app", "token": "limit", "value": 1}
    assert api.put(LIMIT, body).json == expected
    assert api.post(LIMIT).json == expected
    assert api.get(LIMIT).json == expected
    assert api.put("/v1/series/app/limit/attrs", b'{"author":"Ada"}').status_int == 200


def test_a_condition_on_a_limit_is_kept(api: Api) -> None:
    api.put(LIMIT, b'{"value":5}', headers={"If-None-Match": "*"})
    problem(api.put(LIMIT, b'{"value":6}', headers={"If-None-Match": "*"}, status=412), 412)
    tag = api.get(LIMIT).headers["ETag"]
    api.put(LIMIT, b'{"value":7}', headers={"If-Match": tag})
    problem(api.delete(LIMIT, headers={"If-Match": tag}, status=412), 412)
    assert api.get(LIMIT).json["limit"] == 7


# Tokens


def test_a_remembered_token_gets_its_value_again_and_nothing_is_taken(api: Api) -> None:
    before = counted(api, "monotron_values_total")
    taken = [api.put(f"/v1/series/svc/{token}").json["value"] for token in "abc"]
    assert taken == [1, 2, 3]
    again = [api.put(f"/v1/series/svc/{token}?remember=true").json for token in "abc"]
    assert [(each["token"], each["value"]) for each in again] == [("a", 1), ("b", 2), ("c", 3)]
    assert api.get("/v1/series/svc").json["token"] == "c"
    assert api.post("/v1/series/svc/a?remember=true").json["value"] == 1
    assert api.put("/v1/series/svc/d?remember=true").json["value"] == 4
    assert api.put("/v1/series/svc/a?remember=false").json["value"] == 5
    assert api.put("/v1/series/svc/a").json["value"] == 5
    assert api.put("/v1/series/new/a?remember=true").json["value"] == 1
    assert counted(api, "monotron_values_total") == before + 6


def test_a_token_is_remembered_as_long_as_history_holds_it(store: Store) -> None:
    api = Api(create_app(store, read_settings({"MONOTRON_HISTORY": "3"}, {})))
    for token in "abcd":
        api.put(f"/v1/series/svc/{token}")
    assert api.put("/v1/series/svc/b?remember=true").json["value"] == 2
    assert api.put("/v1/series/svc/a?remember=true").json["value"] == 5


def test_without_history_nothing_is_remembered_and_nothing_taken(store: Store) -> None:
    api = Api(create_app(store, read_settings({"MONOTRON_HISTORY": "0"}, {})))
    before = all_rows(store)
    response = api.put("/v1/series/svc/a?remember=true", status=400)
    assert "keeps no history" in problem(response, 400, "invalid-number")
    assert all_rows(store) == before


@pytest.mark.parametrize("text", ["", "1", "yes", "True"])
def test_remember_is_true_or_false(api: Api, store: Store, text: str) -> None:
    before = all_rows(store)
    problem(api.put(f"/v1/series/svc/a?remember={text}", status=400), 400)
    assert all_rows(store) == before


def test_an_idempotency_key_stands_for_the_call_with_or_without_remember(
    store: Store, settings: Settings
) -> None:
    api = Api(create_app(store, settings))
    for token in "ab":
        api.put(f"/v1/series/svc/{token}")
    once = {"Idempotency-Key": "one"}
    assert api.post("/v1/series/svc/a?remember=true", headers=once).json["value"] == 1
    assert api.post("/v1/series/svc/a?remember=true", headers=once).json["value"] == 1
    problem(api.post("/v1/series/svc/a", headers=once, status=422), 422)
