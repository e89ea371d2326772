"""What the list of series shows and how it is searched, for pages that people look at."""

import re
from urllib.parse import quote

import pytest

from tests.support.web import Api, problem


def rows(api: Api, query: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = api.get(f"/v1/series?{query}").json["series"]
    return found


def keys(api: Api, query: str) -> list[object]:
    return [each["key"] for each in rows(api, query)]


def keys_on_all_pages(api: Api, query: str, limit: int) -> list[object]:
    found: list[object] = []
    after = ""
    while after is not None:
        page = api.get(f"/v1/series?{query}&limit={limit}&after={quote(after)}").json
        found += [each["key"] for each in page["series"]]
        assert len(found) < 100, "its pages never end"
        after = page["next"]
    return found


@pytest.fixture
def farm(api: Api) -> Api:
    """Three series, and the versions of one name, which count four."""
    calls = [
        ("PUT", "/v1/series/shop%2Fnightly/7D4C3795"),
        ("PUT", "/v1/semver/till/minor/a"),
        ("PUT", "/v1/semver/till/major/b"),
        ("PUT", "/v1/semver/till/patch/c"),
        ("POST", "/v1/series/main?count=40"),
        ("PUT", "/v1/semver/till/minor/d?pre=rc"),
        ("PUT", "/v1/series/zoo/1.1-beta"),
    ]
    for method, path in calls:
        api.request(path, method=method)
    return api


TILL = ["till-major", "till-minor-v0", "till-patch-v1.0", "till-pre-v1.1.0.rc"]


@pytest.mark.parametrize("sort", ["key", "changed", "value"])
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("NIGHT", ["shop/nightly"]),
        ("7d4c", ["shop/nightly"]),
        ("D4C3", []),
        ("main", ["main"]),
        ("1.1.0-RC", TILL),
        ("v1.1.0", TILL),
        ("1.1", [*TILL, "zoo"]),
        ("v1.0", ["till-patch-v1.0"]),
        ("0.1", []),
    ],
)
def test_find_looks_at_key_token_and_version(
    farm: Api, text: str, found: list[str], sort: str
) -> None:
    assert sorted(map(str, keys(farm, f"find={text}&sort={sort}"))) == sorted(found)


def test_find_narrows_what_else_is_asked_for(farm: Api) -> None:
    assert keys(farm, "find=1.1&prefix=z") == ["zoo"]
    assert keys(farm, "find=1.1&contains=MINOR") == ["till-minor-v0"]
    assert keys(farm, "find=1.1&changed_since=2100-01-01T00:00:00Z") == []
    assert keys(farm, "find=") == keys(farm, "")
    assert farm.get("/v1/series?find=1.1").json["total"] == 5


def test_the_highest_value_is_listed_first(farm: Api) -> None:
    found = rows(farm, "sort=value")
    assert [each["value"] for each in found] == [40, 1, 1, 1, 1, 1, 1]
    assert all(each["created_at"] and each["updated_at"] for each in found)
    assert farm.get("/v1/series?sort=value").json["total"] == 7


@pytest.mark.parametrize("sort", ["key", "changed", "value"])
@pytest.mark.parametrize("more", ["", "&fold=versions", "&find=t", "&find=t&fold=versions"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_have_each_row_once(farm: Api, sort: str, more: str, limit: int) -> None:
    query = f"sort={sort}{more}"
    assert keys_on_all_pages(farm, query, limit) == keys(farm, query)


@pytest.mark.parametrize("sort", ["key", "changed", "value"])
def test_a_name_is_listed_once_with_its_version(farm: Api, sort: str) -> None:
    found = rows(farm, f"fold=versions&sort={sort}")
    assert {each["key"] for each in found} == {"shop/nightly", "main", "zoo", TILL[3]}
    with_version = [each for each in found if "version" in each]
    assert [each["key"] for each in with_version] == [TILL[3]]
    expected = {"name": "till", "version": "1.1.0-rc.1", "release": "1.0.1"}
    assert with_version[0]["version"] == expected
    farm.put("/v1/semver/till/minor/e")
    assert [each["version"] for each in rows(farm, "find=till&fold=versions")] == [
        {"name": "till", "version": "1.1.0"}
    ]


@pytest.mark.parametrize("text", ["till", "1.1.0", "v1.1"])
def test_a_folded_name_is_found_by_name_and_version(farm: Api, text: str) -> None:
    assert TILL[3] in keys(farm, f"fold=versions&find={text}")


def test_a_series_that_is_only_named_like_a_part_of_a_version_is_listed_as_itself(api: Api) -> None:
    api.post("/v1/series/app-major")
    api.post("/v1/series/app-minor-v1")
    found = rows(api, "fold=versions")
    assert [each["key"] for each in found] == ["app-major", "app-minor-v1"]
    assert not [each for each in found if "version" in each]
    assert keys(api, "find=1.1") == []


def test_activity_counts_the_numbers_of_each_hour(farm: Api) -> None:
    [row] = rows(farm, "find=main&include=activity")
    assert row["created_at"]
    activity = row["activity"]
    assert isinstance(activity, list)
    # The hour may have turned since.
    assert len(activity) == 24
    assert sum(activity[-2:]) == sum(activity) == 40


def test_who_tells_the_key_and_the_attributes_of_the_last_value(farm: Api) -> None:
    token = "/v1/tokens/zoo/1.1-beta/attrs"
    farm.put(token, b'{"build_url":"https://ci.example.com/7"}')
    farm.put(f"{token}/log", b"x" * 2_049)
    [row] = rows(farm, "find=zoo&include=who")
    assert row["api_key"] is None
    assert "api_key_name" not in row
    assert row["attributes"] == {"build_url": "https://ci.example.com/7"}
    assert "attributes" not in rows(farm, "find=main&include=who")[0]
    assert "activity" not in row


def test_a_page_with_more_in_its_rows_has_at_most_a_hundred(api: Api) -> None:
    for number in range(101):
        api.post(f"/v1/series/{number}")
    page = api.get("/v1/series?include=who,activity&limit=1000").json
    assert len(page["series"]) == 100
    assert page["next"] == "98"
    assert len(rows(api, "include=activity&after=98")) == 1


def test_a_list_without_the_new_words_is_what_it_was(farm: Api) -> None:
    assert [list(each) for each in rows(farm, "prefix=zoo")] == [
        ["creator_id", "key", "token", "value"]
    ]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("include=", "include must be activity or who, or several with commas between them"),
        ("include=activity,", "not ''"),
        ("include=who,size", "not 'size'"),
        ("fold=", "fold must be versions, not ''"),
        ("fold=ranges", "fold must be versions, not 'ranges'"),
        ("find=%00", "control characters"),
        ("sort=size", "sort must be key or changed or value"),
        ("sort=value&after=shop", "with sort=value, after must be the next of the page before"),
        ("sort=value&after=x%2Fshop", "the number in after must be a whole number"),
    ],
)
def test_what_cannot_be_understood_is_400(farm: Api, query: str, detail: str) -> None:
    assert detail in problem(farm.get(f"/v1/series?{query}", status=400), 400)


def test_the_list_of_a_named_account_is_searched_in_the_same_way(farm: Api) -> None:
    query = "find=till&fold=versions&include=who,activity&sort=value"
    whole = farm.get(f"/v1/accounts/1/series?{query}").json
    assert whole == farm.get(f"/v1/series?{query}").json
    assert re.fullmatch(r"till-pre-.*", whole["series"][0]["key"])


def test_a_folded_name_counts_the_numbers_of_all_its_series(api: Api) -> None:
    for bump in ("minor/a", "minor/b", "patch/c", "major/d"):
        api.put(f"/v1/semver/app/{bump}")
    assert given(api, "fold=versions") == [4]
    assert given(api, "sort=key") == [1, 2, 1]


def test_a_series_whose_number_has_a_zero_before_it_counts_no_version(api: Api) -> None:
    api.put("/v1/semver/app/minor/a")
    api.post("/v1/series/app-minor-v00")
    assert keys(api, "fold=versions") == ["app-minor-v0", "app-minor-v00"]


def given(api: Api, query: str) -> list[int]:
    """Return how many numbers each row counts."""
    found: list[dict[str, list[int]]] = api.get(f"/v1/series?{query}&include=activity").json[
        "series"
    ]
    return [sum(each["activity"]) for each in found]
