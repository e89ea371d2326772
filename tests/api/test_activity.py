"""Activity over HTTP: how many numbers were given out, of an account and of a series."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from monotron.app import create_app
from monotron.core import clock
from monotron.core.activity import DAY, HOUR
from monotron.core.pending import PendingActivity
from monotron.settings import Settings
from monotron.store.contract import Store
from tests.support.web import UUID, Api, problem

NOON = 20_000 * DAY + 12 * HOUR


@pytest.fixture
def api(store: Store, settings: Settings) -> Api:
    """An API of its own: that of all tests has counted what they took."""
    return Api(create_app(store, settings))


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let it be noon."""
    monkeypatch.setattr(clock, "now", lambda: NOON)
    return monkeypatch


def counts(answer: Any) -> list[int]:
    return [each["count"] for each in answer.json["activity"]]


def today(api: Api, account: str = "") -> int:
    [span] = counts(api.get(f"/v1{account}/activity?by=day&last=1"))
    return span


TAKES = [
    ("POST", f"/{UUID}", 1),
    ("POST", "/v1/series/svc", 1),
    ("POST", "/v1/series/svc?count=40", 40),
    ("PUT", "/v1/series/svc/a", 1),
    ("PUT", "/v1/series/svc/a", 0),
    ("PUT", "/v1/series/svc/a?remember=true", 0),
    ("PUT", "/v1/series/svc/b?remember=true", 1),
    ("PUT", "/v1/semver/app/minor/a", 1),
    ("PUT", "/v1/semver/app/minor/a", 0),
    ("PUT", "/v1/semver/app/minor/b?pre=rc", 1),
    ("PUT", "/v1/calver/app/a", 1),
    ("GET", "/v1/series/svc", 0),
    ("DELETE", "/v1/series/svc", 0),
]


def test_every_number_counts_once_whichever_call_takes_it(api: Api, at: object) -> None:
    expected = 0
    for method, path, given in TAKES:
        api.request(path, method=method)
        expected += given
        assert today(api) == expected, path


def test_what_takes_no_number_does_not_count(api: Api, at: object) -> None:
    api.put("/v1/series/svc", b'{"value":110}')
    api.put("/v1/series/svc/limit", b'{"value":110}')
    api.post("/v1/series/svc", status=409)
    first = api.post("/v1/series/other", headers={"Idempotency-Key": "a"})
    again = api.post("/v1/series/other", headers={"Idempotency-Key": "a"})
    assert first.body == again.body
    assert today(api) == 1


def test_the_last_hours_or_days_are_listed_oldest_first(api: Api, at: pytest.MonkeyPatch) -> None:
    api.post("/v1/series/svc?count=3")
    at.setattr(clock, "now", lambda: NOON + 26 * HOUR + 1)
    api.post("/v1/series/svc")
    by_hour = api.get("/v1/activity?by=hour&last=27")
    assert counts(by_hour) == [3, *[0] * 25, 1]
    assert by_hour.json["by"] == "hour"
    starts = [
        datetime.fromisoformat(each["start"].replace("Z", "+00:00"))
        for each in by_hour.json["activity"]
    ]
    assert all(later - start == timedelta(hours=1) for start, later in pairwise(starts))
    assert by_hour.json["activity"][-1]["start"].endswith("T14:00:00.000000Z")
    assert counts(api.get("/v1/activity?by=day&last=3")) == [0, 3, 1]
    assert len(counts(api.get("/v1/activity"))) == 24
    assert len(counts(api.get("/v1/activity?by=day"))) == 7
    assert len(counts(api.get("/v1/activity?last=840"))) == 840


def test_each_account_has_its_own_activity(api: Api, at: object) -> None:
    api.put("/v1/accounts/7")
    api.post("/v1/accounts/7/series/svc?count=5")
    assert (today(api), today(api, "/accounts/1"), today(api, "/accounts/7")) == (0, 0, 5)


def test_it_tells_how_many_series_there_are(
    api: Api, at: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        api.post(f"/v1/series/{number}")
    found = api.get("/v1/activity").json
    assert (found["series"], found["more"]) == (3, False)
    monkeypatch.setattr("monotron.api.activity.COUNTED_SERIES", 2)
    found = api.get("/v1/activity").json
    assert (found["series"], found["more"]) == (2, True)


def test_nothing_has_changed_until_a_number_is_given_out(api: Api, at: object) -> None:
    api.post("/v1/series/svc")
    for path in ("/v1/activity", "/v1/activity/svc"):
        known = {"If-None-Match": api.get(path).headers["ETag"]}
        assert api.get(path, headers=known).status_int == 304
        api.post("/v1/series/svc")
        assert api.get(path, headers=known).status_int == 200


def test_counts_outlive_the_worker_that_drains(
    store: Store, settings: Settings, at: object
) -> None:
    pending = PendingActivity()
    ending = Api(create_app(store, settings, pending=pending))
    ending.post("/v1/series/svc?count=5")
    pending.flush(store)
    assert today(ending) == 5
    assert today(Api(create_app(store, settings))) == 5


# Of a series


def test_activity_of_a_series_comes_from_its_history(api: Api, at: pytest.MonkeyPatch) -> None:
    api.post("/v1/series/svc?count=3")
    at.setattr(clock, "now", lambda: NOON + 2 * HOUR)
    api.put("/v1/series/svc/a")
    api.post("/v1/series/other")
    found = api.get("/v1/activity/svc?last=3").json
    assert [each["count"] for each in found["activity"]] == [3, 0, 1]
    assert (found["key"], found["by"], found["since"]) == ("svc", "hour", None)
    assert api.get("/v1/accounts/1/activity/svc?last=3").json == found
    assert counts(api.get("/v1/activity/svc?by=day&last=2")) == [0, 4]


def test_it_tells_since_when_it_is_complete(
    store: Store, settings: Settings, at: pytest.MonkeyPatch
) -> None:
    api = Api(create_app(store, replace(settings, history=2)))
    for hour in range(3):
        at.setattr(clock, "now", lambda hour=hour: NOON + hour * HOUR)
        api.post("/v1/series/svc")
    found = api.get("/v1/activity/svc?last=3").json
    assert [each["count"] for each in found["activity"]] == [0, 1, 1]
    assert re.fullmatch(r".*T13:00:00\.000000Z", found["since"])


def test_a_series_without_a_value_has_no_activity(api: Api) -> None:
    assert "no value yet" in problem(api.get("/v1/activity/svc", status=404), 404)
    assert set(counts(api.get("/v1/activity"))) == {0}


@pytest.mark.parametrize("path", ["/v1/activity", "/v1/activity/svc"])
@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("by=", "invalid-name"),
        ("by=week", "invalid-name"),
        ("last=", "invalid-number"),
        ("last=0", "invalid-number"),
        ("last=841", "invalid-number"),
        ("by=day&last=36", "invalid-number"),
        ("since=1", ""),
    ],
)
def test_what_cannot_be_understood_is_400(api: Api, path: str, query: str, kind: str) -> None:
    api.post("/v1/series/svc")
    problem(api.get(f"{path}?{query}", status=400), 400, kind)
