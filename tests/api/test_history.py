"""The history of a series: the values given out, with the API key, time and token of each."""

import json
import re
import time
from datetime import datetime, timezone
from itertools import pairwise
from typing import Any

import pytest

from monotron.app import create_app
from monotron.settings import read_settings
from monotron.store.contract import Store
from tests.conftest import ROOT, all_rows, basic, new_key
from tests.support.web import JSON, LAST_VALUE, NAMES, UUID, Api, problem, url

TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")

AS_ROOT = basic(ROOT)


def entries(api: Api, query: str = "", key: str = "svc") -> list[dict[str, Any]]:
    page = api.get(f"{url('history', key)}?{query}").json
    found: list[dict[str, Any]] = page["history"]
    return found


def values(api: Api, query: str = "limit=1000", key: str = "svc") -> list[int]:
    return [each["value"] for each in entries(api, query, key)]


def microseconds(timestamp: str) -> int:
    assert TIMESTAMP.fullmatch(timestamp)
    moment = datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


def with_history(store: Store, keep: int) -> Api:
    return Api(create_app(store, read_settings({"MONOTRON_HISTORY": str(keep)}, {})))


def test_it_tells_the_values_given_out_newest_first(api: Api) -> None:
    api.put("/v1/series/svc/7d4c379588")
    api.post("/v1/series/svc")
    response = api.get("/v1/history/svc")
    assert response.status_int == 200
    assert response.headers["Content-Type"] == JSON
    assert TIMESTAMP.sub("WHEN", response.body.decode()) == (
        '{"history":['
        '{"value":2,"token":null,"created_at":"WHEN","api_key":null},'
        '{"value":1,"token":"7d4c379588","created_at":"WHEN","api_key":null}'
        '],"next":null}'
    )


def test_created_at_is_when_the_value_was_taken(api: Api) -> None:
    moments = [time.time_ns() // 1000]
    for call in (f"/{UUID}", f"/v1/series/{UUID}", f"/v1/series/{UUID}?count=2"):
        api.post(call)
        moments.append(time.time_ns() // 1000)
    api.put(f"/v1/series/{UUID}/token")
    moments.append(time.time_ns() // 1000)
    taken = [microseconds(each["created_at"]) for each in reversed(entries(api, key=UUID))]
    # The range of two values was taken at one moment.
    assert taken.pop(3) == taken[2]
    for (earliest, latest), moment in zip(pairwise(moments), taken, strict=True):
        assert earliest <= moment <= latest


def test_it_is_404_before_the_first_value(api: Api) -> None:
    detail = problem(api.get("/v1/history/feature%2Flogin", status=404), 404, "")
    assert "feature/login" in detail
    assert api.head("/v1/history/svc", status=404).body == b""


def test_a_token_that_gets_its_value_again_is_not_listed_twice(api: Api) -> None:
    for token in "aabba":
        api.put(f"/v1/series/svc/{token}")
    assert [(each["value"], each["token"]) for each in entries(api)] == [
        (3, "a"),
        (2, "b"),
        (1, "a"),
    ]


def test_a_range_is_listed_value_by_value(api: Api) -> None:
    api.put("/v1/series/svc/before")
    api.post("/v1/series/svc?count=3")
    api.put("/v1/series/svc/after")
    found = entries(api)
    assert [(each["value"], each["token"]) for each in found] == [
        (5, "after"),
        (4, None),
        (3, None),
        (2, None),
        (1, "before"),
    ]
    assert len({each["created_at"] for each in found[1:4]}) == 1


def test_a_seed_gives_out_nothing_and_is_not_listed(api: Api) -> None:
    api.put("/v1/series/svc", b'{"value":10}')
    assert api.get("/v1/history/svc").body == b'{"history":[],"next":null}'
    api.post("/v1/series/svc")
    api.put("/v1/series/svc", b'{"value":20}')
    assert values(api) == [11]
    api.post("/v1/series/svc?count=2")
    assert values(api) == [22, 21, 11]


def test_the_largest_values_are_listed(api: Api) -> None:
    api.put("/v1/series/svc", b'{"value":%d}' % (LAST_VALUE - 2))
    api.post("/v1/series/svc?count=2")
    assert values(api) == [LAST_VALUE, LAST_VALUE - 1]
    assert values(api, f"before={LAST_VALUE}") == [LAST_VALUE - 1]


def test_a_refused_call_is_not_listed(api: Api) -> None:
    api.put("/v1/series/svc", b'{"value":%d}' % LAST_VALUE)
    api.post("/v1/series/svc", status=409)
    api.put("/v1/series/svc/token", status=409)
    assert values(api) == []


def test_build_numbers_and_versions_are_listed_too(api: Api) -> None:
    api.post(f"/{UUID}")
    assert [(each["value"], each["token"]) for each in entries(api, key=UUID)] == [(1, None)]
    api.put("/v1/semver/app/minor/7d4c379588")
    (bump,) = entries(api, key="app-minor-v0")
    assert (bump["value"], bump["token"]) == (1, "7d4c379588")


@pytest.mark.parametrize("name", NAMES)
def test_any_name_can_be_a_key_and_a_token(api: Api, name: str) -> None:
    api.put(url("series", name, name))
    response = api.get(url("history", name))
    (only,) = json.loads(response.body)["history"]
    assert (only["value"], only["token"]) == (1, name)
    if not name.isascii():
        assert name.encode() in response.body


def test_a_series_whose_key_is_the_beginning_of_another_s_has_its_own(api: Api) -> None:
    for key in ("a", "aa", "a/", "a\ue000"):
        api.put(url("series", key, f"of {key}"))
    for key in ("a", "aa", "a/", "a\ue000"):
        assert [each["token"] for each in entries(api, key=key)] == [f"of {key}"]


def test_it_is_always_json(api: Api) -> None:
    api.post("/v1/series/svc")
    for accept in ("text/plain", "text/html", "image/png", "application/json"):
        response = api.get("/v1/history/svc", headers={"Accept": accept})
        assert response.headers["Content-Type"] == JSON
        assert len(response.json["history"]) == 1


# Pages


@pytest.fixture
def long(api: Api) -> Api:
    """An API with a series that has given out 3 to 42, 60 to 79, and 81."""
    api.put("/v1/series/svc", b'{"value":2}')
    for number in range(20):
        api.put(f"/v1/series/svc/{number}")
    api.post("/v1/series/svc?count=20")
    api.put("/v1/series/svc", b'{"value":59}')
    api.post("/v1/series/svc?count=20")
    api.put("/v1/series/svc", b'{"value":80}')
    api.put("/v1/series/svc/last")
    return api


ALL = [81, *range(79, 59, -1), *range(42, 2, -1)]


def test_a_page_has_100_values_where_no_limit_is_named(api: Api) -> None:
    api.post("/v1/series/svc?count=101")
    page = api.get("/v1/history/svc").json
    assert [each["value"] for each in page["history"]] == list(range(101, 1, -1))
    assert page["next"] == 2
    page = api.get("/v1/history/svc?before=2").json
    assert [each["value"] for each in page["history"]] == [1]
    assert page["next"] is None


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 20, 60, 61, 62, 1000])
def test_pages_give_every_value_once(long: Api, limit: int) -> None:
    found: list[int] = []
    query = f"limit={limit}"
    while query:
        page = long.get(f"/v1/history/svc?{query}").json
        assert len(page["history"]) == min(limit, len(ALL) - len(found))
        found += [each["value"] for each in page["history"]]
        assert page["next"] in (None, found[-1])
        query = page["next"] and f"limit={limit}&before={page['next']}"
    assert found == ALL


def test_new_values_do_not_disturb_who_pages(long: Api) -> None:
    found: list[int] = []
    query = "limit=9"
    while query:
        page = long.get(f"/v1/history/svc?{query}").json
        found += [each["value"] for each in page["history"]]
        query = page["next"] and f"limit=9&before={page['next']}"
        long.post("/v1/series/svc?count=2")
    assert found == ALL


@pytest.mark.parametrize("before", [*range(45), 59, 60, 61, 79, 80, 81, 82, 10_000, LAST_VALUE])
def test_a_page_begins_below_any_value(long: Api, before: int) -> None:
    older = [value for value in ALL if value < before]
    page = long.get(f"/v1/history/svc?before={before}&limit=5").json
    assert [each["value"] for each in page["history"]] == older[:5]
    assert page["next"] == (older[4] if len(older) > 5 else None)


def test_an_empty_before_is_none(long: Api) -> None:
    assert values(long, "before=&limit=2") == ALL[:2]


@pytest.mark.parametrize(
    "query",
    [
        "limit=",
        "limit=0",
        "limit=-1",
        "limit=1001",
        "limit=1e2",
        "limit=%D9%A3",
        "limit=1&limit=1",
        "limit=" + "9" * 5_000,
        "before=-1",
        "before=x",
        "before=1.0",
        "before=%FF",
        "before=5&before=5",
        f"before={LAST_VALUE + 1}",
        "before=" + "9" * 20,
        "before=%D9%A3",
    ],
)
def test_any_other_page_is_400(long: Api, query: str) -> None:
    problem(long.get(f"/v1/history/svc?{query}", status=400), 400)


# How much is kept


def test_the_newest_1000_are_kept_where_nobody_has_set_another_number(api: Api) -> None:
    for _ in range(3):
        api.post("/v1/series/svc?count=500")
    api.put("/v1/series/svc/token")
    assert values(api) == list(range(1501, 501, -1))
    page = api.get("/v1/history/svc?limit=1000").json
    assert page["next"] is None
    assert values(api, "before=502") == []


@pytest.mark.parametrize("keep", [1, 2, 3, 50])
def test_as_many_are_kept_as_are_set(store: Store, keep: int) -> None:
    api = with_history(store, keep)
    for value in range(1, 120):
        api.put(f"/v1/series/svc/{value}")
        if value % 17 == 0:
            assert values(api) == list(range(value, max(value - keep, 0), -1))
    api.post("/v1/series/svc?count=100")
    assert values(api) == list(range(219, 219 - keep, -1))
    # Values that are no longer shown do not stay forever.
    assert sum(len(value) for table in all_rows(store).values() for _, value in table) < 10_000


def test_pages_end_where_history_does(store: Store) -> None:
    api = with_history(store, 10)
    api.post("/v1/series/svc?count=25")
    page = api.get("/v1/history/svc?limit=9").json
    assert page["next"] == 17
    page = api.get("/v1/history/svc?limit=9&before=17").json
    assert [each["value"] for each in page["history"]] == [16]
    assert page["next"] is None
    page = api.get("/v1/history/svc?limit=10").json
    assert (len(page["history"]), page["next"]) == (10, None)


def test_without_history_it_is_empty_and_numbers_go_on(store: Store) -> None:
    api = with_history(store, 0)
    problem(api.get("/v1/history/svc", status=404), 404)
    assert api.put("/v1/series/svc/token").json["value"] == 1
    assert api.post("/v1/series/svc?count=5").json["value"] == 6
    assert api.get("/v1/history/svc").body == b'{"history":[],"next":null}'
    assert api.get("/v1/history/svc?before=5").body == b'{"history":[],"next":null}'


def test_another_setting_counts_from_the_next_start_on(store: Store) -> None:
    with_history(store, 1_000).post("/v1/series/svc?count=9")
    assert values(with_history(store, 2)) == [9, 8]
    off = with_history(store, 0)
    assert values(off) == []
    assert off.post("/v1/series/svc").json["value"] == 10
    again = with_history(store, 3)
    assert again.post("/v1/series/svc").json["value"] == 11
    # What was given out while it was off is not known.
    assert values(again)[0] == 11
    assert 10 not in values(again)


def test_a_deleted_series_begins_a_new_history(api: Api, store: Store) -> None:
    api.put("/v1/series/other/token")
    before = all_rows(store)
    for number in range(100):
        api.put(f"/v1/series/svc/{number}")
    api.delete("/v1/series/svc")
    problem(api.get("/v1/history/svc", status=404), 404)
    assert all_rows(store) == before
    for value in range(1, 101):
        api.post("/v1/series/svc")
        if value in (1, 30, 100):
            assert values(api) == list(range(value, 0, -1))
    assert {each["token"] for each in entries(api, "limit=1000")} == {None}
    assert values(api, key="other") == [1]


# Who took them


def test_api_key_tells_who_took_a_value(store: Store, guarded: Api) -> None:
    pair = new_key(store, "write:series")
    for headers in (AS_ROOT, basic(pair)):
        guarded.put("/v1/series/svc/token", headers=headers)
        guarded.post("/v1/series/svc", headers=headers)
        guarded.post("/v1/series/svc?count=2", headers=headers)
        guarded.post(f"/{UUID}", headers=headers)
        guarded.put(f"/v1/semver/app/patch/{headers is AS_ROOT}", headers=headers)
    for series, count in (("svc", 4), (UUID, 1), ("app-patch-v0.0", 1)):
        response = guarded.get(f"/v1/history/{series}", headers=AS_ROOT)
        who = [each["api_key"] for each in response.json["history"]]
        assert who == [pair.key] * count + ["root"] * count


def test_values_taken_without_authentication_have_no_api_key(api: Api, guarded: Api) -> None:
    api.post("/v1/series/svc", headers=AS_ROOT)
    guarded.post("/v1/series/svc", headers=AS_ROOT)
    api.post("/v1/series/svc")
    assert [each["api_key"] for each in entries(api)] == [None, "root", None]


def test_the_api_key_stays_known_after_it_is_deleted(store: Store, guarded: Api) -> None:
    pair = new_key(store, "*:series")
    guarded.post("/v1/series/svc", headers=basic(pair))
    guarded.delete(f"/v1/accounts/1/grants/{pair.key}", headers=AS_ROOT)
    (only,) = guarded.get("/v1/history/svc", headers=AS_ROOT).json["history"]
    assert only["api_key"] == pair.key


# Accounts and polling


def test_account_1_is_the_caller_s_own_without_authentication(api: Api) -> None:
    api.post("/v1/accounts/1/series/svc?count=3")
    assert values(api) == [3, 2, 1]
    assert api.get("/v1/accounts/1/history/svc").body == api.get("/v1/history/svc").body


def test_two_accounts_have_histories_of_the_same_key_without_seeing_each_other(api: Api) -> None:
    api.put("/v1/accounts/7")
    api.put("/v1/series/svc/own")
    problem(api.get("/v1/accounts/7/history/svc", status=404), 404)
    api.post("/v1/accounts/7/series/svc?count=2")
    api.put("/v1/accounts/7/series/svc/other")
    others = api.get("/v1/accounts/7/history/svc").json["history"]
    assert [(each["value"], each["token"]) for each in others] == [
        (3, "other"),
        (2, None),
        (1, None),
    ]
    assert [(each["value"], each["token"]) for each in entries(api)] == [(1, "own")]
    api.delete("/v1/series/svc")
    assert len(api.get("/v1/accounts/7/history/svc").json["history"]) == 3


def test_reading_it_changes_nothing(long: Api, store: Store) -> None:
    before = all_rows(store)
    long.get("/v1/history/svc")
    long.head("/v1/history/svc?before=5")
    assert all_rows(store) == before
