"""The search for series over HTTP, and what history tells about one value."""

import csv
import io
import time
from urllib.parse import quote

import pytest

from tests.support.web import Api, problem


def keys(api: Api, query: str) -> list[str]:
    return [each["key"] for each in api.get(f"/v1/series?{query}").json["series"]]


@pytest.fixture
def farm(api: Api) -> Api:
    """Five series, the last of which changed last."""
    for key in ("shop%2Fnightly", "till", "Nightly", "shop%2Fmain", "till"):
        api.post(f"/v1/series/{key}")
        # Two changes in the same microsecond have no order.
        time.sleep(0.001)
    return api


def test_the_newest_change_is_listed_first(farm: Api) -> None:
    expected = ["till", "shop/main", "Nightly", "shop/nightly"]
    assert keys(farm, "sort=changed") == expected
    farm.post("/v1/series/shop%2Fnightly")
    assert keys(farm, "sort=changed") == ["shop/nightly", *expected[:3]]
    assert keys(farm, "sort=key") == keys(farm, "") == sorted(expected)


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_pages_of_changes_have_each_series_once(farm: Api, limit: int) -> None:
    found: list[str] = []
    after = ""
    while after is not None:
        page = farm.get(f"/v1/series?sort=changed&limit={limit}&after={quote(after)}").json
        found += [each["key"] for each in page["series"]]
        after = page["next"]
    assert found == ["till", "shop/main", "Nightly", "shop/nightly"]


def test_each_row_of_changes_tells_its_times(farm: Api) -> None:
    rows = farm.get("/v1/series?sort=changed").json["series"]
    times = [each["updated_at"] for each in rows]
    assert times == sorted(times, reverse=True)
    assert all(each["created_at"] <= each["updated_at"] for each in rows)
    assert all("recent" not in each for each in rows)
    recent = farm.get("/v1/series?sort=changed&recent=2").json["series"]
    assert [len(each["recent"]) for each in recent] == [2, 1, 1, 1]


def test_a_text_is_found_anywhere_in_a_key_without_case(farm: Api) -> None:
    assert keys(farm, "contains=nightly") == ["Nightly", "shop/nightly"]
    assert keys(farm, "contains=NIGHT&sort=changed") == ["Nightly", "shop/nightly"]
    assert keys(farm, "contains=night&prefix=shop") == ["shop/nightly"]
    assert keys(farm, "contains=missing") == []
    assert keys(farm, "contains=") == keys(farm, "")


@pytest.mark.parametrize("sort", ["key", "changed"])
def test_what_changed_since_a_time_is_listed(farm: Api, sort: str) -> None:
    rows = farm.get("/v1/series?sort=changed").json["series"]
    since = rows[1]["updated_at"]
    assert sorted(keys(farm, f"changed_since={since}&sort={sort}")) == ["shop/main", "till"]
    with_offset = quote(since.replace("Z", "+00:00"))
    assert sorted(keys(farm, f"changed_since={with_offset}&sort={sort}")) == ["shop/main", "till"]
    assert keys(farm, f"changed_since=2100-01-01T00:00:00Z&sort={sort}") == []


def test_a_search_tells_how_many_it_has_found_if_they_are_on_one_page(farm: Api) -> None:
    assert farm.get("/v1/series?contains=nightly").json["total"] == 2
    assert farm.get("/v1/series?sort=changed").json["total"] == 4
    assert "total" not in farm.get("/v1/series?sort=changed&limit=3").json
    assert "total" not in farm.get("/v1/series").json


@pytest.mark.parametrize(
    "query",
    [
        *("sort=", "sort=size", "sort=Changed", "contains=%00", "contains=" + "a" * 257),
        *("changed_since=", "changed_since=now", "changed_since=2026-11-22"),
        *("changed_since=2026-11-22T23:38:51", "changed_since=2026-13-22T23:38:51Z"),
        *("changed_since=2026-11-22T23:38:51%2B25:00", "changed_since=2026-11-22T23:38:51+01:00"),
        *("sort=changed&after=shop", "sort=changed&after=1%2F", "sort=changed&after=x%2Fshop"),
    ],
)
def test_a_search_that_cannot_be_understood_is_400(farm: Api, query: str) -> None:
    problem(farm.get(f"/v1/series?{query}", status=400), 400)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-11-22T23:38:51.5Z", True),
        ("2026-11-22t23:38:51.123456789z", True),
        ("2099-12-31T23:59:59-12:00", False),
        ("1969-12-31T23:59:59Z", True),
        ("0001-01-01T00:00:00%2B10:00", True),
    ],
)
def test_a_time_may_have_each_form_of_rfc_3339(farm: Api, text: str, found: bool) -> None:
    assert bool(keys(farm, f"changed_since={text}")) == found


# One value of a history


@pytest.fixture
def taken(api: Api) -> Api:
    for token in ("a", "b", 'with "quotes", and a comma'):
        api.put(f"/v1/series/svc/{quote(token, safe='')}")
    api.post("/v1/series/svc?count=3")
    return api


@pytest.mark.parametrize(("value", "token"), [(1, "a"), (2, "b"), (4, None), (6, None)])
def test_history_tells_which_token_got_a_value(taken: Api, value: int, token: str | None) -> None:
    page = taken.get(f"/v1/history/svc?value={value}").json
    assert [(each["value"], each["token"]) for each in page["history"]] == [(value, token)]
    assert page["next"] is None


@pytest.mark.parametrize("query", ["value=7", "value=2&before=2", "value=9223372036854775807"])
def test_a_value_that_history_does_not_hold_is_404(taken: Api, query: str) -> None:
    assert "does not hold" in problem(taken.get(f"/v1/history/svc?{query}", status=404), 404)


@pytest.mark.parametrize("query", ["value=0", "value=x", "value=-1", "value=9223372036854775808"])
def test_what_cannot_be_a_value_is_400(taken: Api, query: str) -> None:
    problem(taken.get(f"/v1/history/svc?{query}", status=400), 400, "invalid-number")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_history_comes_as_csv(taken: Api) -> None:
    response = taken.get("/v1/history/svc", headers={"Accept": "text/csv"})
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "Link" not in response.headers
    in_json = taken.get("/v1/history/svc").json["history"]
    expected = [
        {
            "value": str(each["value"]),
            "token": each["token"] or "",
            "api_key": "",
            "api_key_name": "",
            "created_at": each["created_at"],
        }
        for each in in_json
    ]
    assert rows(response.text) == expected
    assert rows(response.text)[3]["token"] == 'with "quotes", and a comma'


def test_csv_has_all_that_history_holds_and_pages_have_links(taken: Api) -> None:
    taken.post("/v1/series/svc?count=900")
    as_csv = {"Accept": "text/csv"}
    assert len(rows(taken.get("/v1/history/svc", headers=as_csv).text)) == 906
    response = taken.get("/v1/history/svc?limit=5", headers=as_csv)
    assert [each["value"] for each in rows(response.text)] == ["906", "905", "904", "903", "902"]
    link = response.headers["Link"]
    assert link == '</v1/history/svc?before=902&limit=5>; rel="next"'
    following = taken.get(link[1 : link.index(">")], headers=as_csv)
    assert rows(following.text)[0]["value"] == "901"


def test_csv_of_a_series_without_history_is_a_header_alone(api: Api) -> None:
    api.put("/v1/series/svc", b'{"value":7}')
    response = api.get("/v1/history/svc", headers={"Accept": "text/csv"})
    assert response.text == "value,token,created_at,api_key,api_key_name\r\n"
