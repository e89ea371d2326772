"""The history of versions: which there were, what made them, and who took them."""

from dataclasses import replace
from typing import Any

import pytest

from monotron.app import create_app
from monotron.core import api_keys
from monotron.settings import Settings
from monotron.store.contract import Store
from tests.conftest import ROOT, basic, new_key
from tests.support.web import Api, problem

BUMPS = [
    "minor/a",
    "patch/b",
    "minor/c?pre=rc",
    "minor/d?pre=rc",
    "patch/e",
    *(f"patch/{number}" for number in range(10)),
    "major/f?pre=beta",
    "major/g?pre=rc.x",
    "major/h",
]
NEWEST_FIRST = [
    *("1.0.0", "1.0.0-rc.x.1", "1.0.0-beta.1"),
    *(f"0.2.{number}" for number in range(10, -1, -1)),
    *("0.2.0-rc.2", "0.2.0-rc.1", "0.1.1", "0.1.0"),
]


def history(api: Api, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(f"/v1/semver/till/history?{query}").json["history"]
    return found


def versions(api: Api, query: str = "") -> list[str]:
    return [each["version"] for each in history(api, query)]


@pytest.fixture
def till(api: Api) -> Api:
    for each in BUMPS:
        api.put(f"/v1/semver/till/{each}")
    return api


def test_versions_come_in_the_order_of_semantic_versions(till: Api) -> None:
    assert versions(till) == NEWEST_FIRST
    assert versions(till)[0] == till.get("/v1/semver/till").json["version"]
    assert till.get("/v1/accounts/1/semver/till/history").json["history"] == history(till)


@pytest.mark.parametrize("limit", [1, 2, 7, 18, 19])
def test_pages_have_each_version_once(till: Api, limit: int) -> None:
    found: list[str] = []
    before: str | None = ""
    while before is not None:
        query = f"limit={limit}&before={before}"
        found += versions(till, query)
        before = till.get(f"/v1/semver/till/history?{query}").json["next"]
    assert found == NEWEST_FIRST


def test_a_page_may_begin_before_a_version_that_there_is_not(till: Api) -> None:
    assert versions(till, "before=0.1.7-alpha") == ["0.1.1", "0.1.0"]
    assert versions(till, "before=0.0.1") == []


def test_each_version_tells_what_made_it(till: Api) -> None:
    by_version = {each["version"]: each for each in history(till)}
    times = {each.pop("version"): each.pop("created_at") for each in history(till)}
    assert list(times.values()) == sorted(times.values(), reverse=True)
    release, pre = by_version["0.2.0"], by_version["1.0.0-rc.x.1"]
    # It was released by the bump of a lower part.
    assert release | {"created_at": None} == {
        "version": "0.2.0",
        "token": "e",
        "part": "minor",
        "key": "till-minor-v0",
        "value": 2,
        "created_at": None,
        "api_key": None,
    }
    assert pre | {"created_at": None} == {
        "version": "1.0.0-rc.x.1",
        "token": "g",
        "part": "major",
        "pre": "rc.x.1",
        "key": "till-pre-v1.0.0.rc.x",
        "value": 1,
        "created_at": None,
        "api_key": None,
    }
    # The series that it names tells the same.
    assert till.get("/v1/history/till-minor-v0?value=2").json["history"][0]["token"] == "e"


def test_a_version_that_two_bumps_of_a_token_lead_to_is_listed_once(till: Api) -> None:
    till.put("/v1/semver/till/minor/x?pre=rc")
    assert till.put("/v1/semver/till/patch/y").json["version"] == "1.1.0"
    assert till.put("/v1/semver/till/minor/y").json["version"] == "1.1.0"
    assert versions(till, "limit=2") == ["1.1.0", "1.1.0-rc.1"]


def test_the_key_that_took_it_is_named(store: Store, settings: Settings) -> None:
    guarded = replace(settings, root_api_key=ROOT.key, root_api_secret=ROOT.secret)
    api = Api(create_app(store, guarded))
    named = new_key(store, "read,write:series")
    store.update(lambda txn: api_keys.set_name(txn, named.key, "jenkins-prod"))
    for pair in (ROOT, named):
        api.put(f"/v1/semver/till/minor/{pair.key}", headers=basic(pair))
    newest, first = api.get("/v1/semver/till/history", headers=basic(named)).json["history"]
    assert (newest["api_key"], newest["api_key_name"]) == (named.key, "jenkins-prod")
    assert first["api_key"] == "root"
    assert "api_key_name" not in first


def test_a_version_stays_listed_when_history_has_forgotten_it(
    store: Store, settings: Settings
) -> None:
    api = Api(create_app(store, replace(settings, history=0)))
    api.put("/v1/semver/till/minor/a")
    [made] = history(api)
    assert (made["version"], made["created_at"], made["api_key"]) == ("0.1.0", None, None)


def test_a_version_is_forgotten_with_the_series_that_counted_it(till: Api) -> None:
    till.delete("/v1/series/till-major")
    assert versions(till, "limit=1") == ["1.0.0-rc.x.1"]


def test_there_is_none_before_the_first_version(api: Api) -> None:
    problem(api.get("/v1/semver/till/history", status=404), 404)
    # Advanced by hand, it has a version that no bump has made.
    api.post("/v1/series/till-major")
    assert history(api) == []


@pytest.mark.parametrize(
    "before", ["1", "1.2", "v1.2.3", "1.2.3-", "1.2.3-rc..1", "01.2.3", "1.2.3-01", "9" * 5_000]
)
def test_what_is_no_version_is_400(till: Api, before: str) -> None:
    response = till.get(f"/v1/semver/till/history?before={before}", status=400)
    assert "a version must be such as 1.3.0" in problem(response, 400, "invalid-name")
