"""Calendar versions over HTTP."""

from datetime import datetime, timezone

import pytest

from monotron.core import clock
from monotron.store.contract import Store
from tests.conftest import all_rows
from tests.support.rules import microseconds
from tests.support.web import AS_TEXT, JSON, Api, problem, url

CURRENT = "/v1/calver/svc"


def set_clock(monkeypatch: pytest.MonkeyPatch, *time: int) -> None:
    now = microseconds(datetime(*time, tzinfo=timezone.utc))  # type: ignore[arg-type,misc]
    monkeypatch.setattr(clock, "now", lambda: now)


@pytest.fixture(autouse=True)
def _november(monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, 2026, 11, 30, 20)


def test_a_token_gets_the_next_version_of_the_month(api: Api) -> None:
    answer = api.put(f"{CURRENT}/7d4c379588")
    assert answer.headers["Content-Type"] == JSON
    assert answer.body == (
        b'{"name":"svc","token":"7d4c379588","version":"2026.11.1","scheme":"YYYY.0M.MICRO",'
        b'"micro":1}'
    )
    assert api.put(f"{CURRENT}/7d4c379588").body == answer.body
    assert api.get(CURRENT).body == answer.body
    assert api.put(f"{CURRENT}/b", headers=AS_TEXT).text == "2026.11.2\n"
    assert api.get(CURRENT, headers=AS_TEXT).text == "2026.11.2\n"


def test_the_count_starts_again_with_the_next_period(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.put(f"{CURRENT}/a")
    assert api.put(f"{CURRENT}/b?tz=Asia%2FTokyo").json["version"] == "2026.12.1"
    set_clock(monkeypatch, 2026, 12, 1)
    assert api.put(f"{CURRENT}/c").json["version"] == "2026.12.2"
    assert api.put(f"{CURRENT}/a").json["version"] == "2026.11.1"
    assert api.get("/v1/series/svc-micro-v2026.12").json["value"] == 2


def test_get_is_404_before_the_first_version(api: Api) -> None:
    for method in ("GET", "HEAD"):
        api.request(CURRENT, method=method, status=404)


def test_another_scheme_is_refused(api: Api, store: Store) -> None:
    assert api.put(f"{CURRENT}/a?scheme=YY.WW.MICRO").json["version"] == "26.49.1"
    before = all_rows(store)
    refused = api.put(f"{CURRENT}/b?scheme=YYYY.0M.MICRO", status=409)
    assert "follow YY.WW.MICRO" in problem(refused, 409, "other-scheme")
    assert all_rows(store) == before


@pytest.mark.parametrize(
    "query", ["scheme=", "scheme=MICRO", "scheme=YYYY", "tz=", "tz=Europe", "tz=..%2F..%2Fx"]
)
def test_an_invalid_scheme_or_zone_takes_nothing(api: Api, store: Store, query: str) -> None:
    problem(api.put(f"{CURRENT}/a?{query}", status=400), 400, "invalid-name")
    assert not any(all_rows(store).values())


def test_each_account_has_its_own(api: Api) -> None:
    api.put("/v1/accounts/7")
    api.put(f"{CURRENT}/a")
    assert api.put(url("calver", "svc", "b", account=7)).json["version"] == "2026.11.1"
    assert api.get(url("calver", "svc", account=7)).json["token"] == "b"


def test_a_condition_is_about_the_token(api: Api) -> None:
    fresh = {"If-None-Match": "*"}
    api.put(f"{CURRENT}/a", headers=fresh)
    api.put(f"{CURRENT}/a", headers=fresh, status=412)
    assert api.put(f"{CURRENT}/b", headers=fresh).json["micro"] == 2
