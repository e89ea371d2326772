"""Semantic versions: three kinds of series that are bumped in one transaction."""

from dataclasses import replace
from typing import Any

import pytest

from monotron.app import create_app
from monotron.settings import Settings
from monotron.store.contract import Store
from tests.conftest import all_rows
from tests.support.web import AS_TEXT, JSON, LAST_VALUE, NAMES, Api, problem, url

CURRENT = "/v1/semver/svc"


def bump(api: Api, part: str, token: str, name: str = "svc", account: int | None = None) -> str:
    version: str = api.put(url("semver", name, part, token, account=account)).json["version"]
    return version


def current(api: Api, name: str = "svc", account: int | None = None) -> str:
    version: str = api.get(url("semver", name, account=account)).json["version"]
    return version


def version(
    token: str | None, major: int, minor: int, patch: int, name: str = "svc"
) -> dict[str, Any]:
    return {
        "name": name,
        "token": token,
        "version": f"{major}.{minor}.{patch}",
        "major": major,
        "minor": minor,
        "patch": patch,
    }


def values(api: Api) -> dict[str, int]:
    return {each["key"]: each["value"] for each in api.get("/v1/series").json["series"]}


def test_a_bump_gives_the_next_version(api: Api) -> None:
    response = api.put(f"{CURRENT}/major/7d4c379588")
    assert response.status_int == 200
    assert response.headers["Content-Type"] == JSON
    assert response.body == (
        b'{"name":"svc","token":"7d4c379588","version":"1.0.0","major":1,"minor":0,"patch":0}'
    )
    assert api.put(f"{CURRENT}/minor/b").body == (
        b'{"name":"svc","token":"b","version":"1.1.0","major":1,"minor":1,"patch":0}'
    )
    assert api.put(f"{CURRENT}/patch/c").body == (
        b'{"name":"svc","token":"c","version":"1.1.1","major":1,"minor":1,"patch":1}'
    )


def test_get_tells_the_current_version(api: Api) -> None:
    for part in ("patch", "minor", "major", "minor", "patch"):
        bumped = api.put(f"{CURRENT}/{part}/{part}-{len(values(api))}")
        for _ in range(2):
            response = api.get(CURRENT)
            assert response.status_int == 200
            assert response.headers["Content-Type"] == JSON
            assert response.body == bumped.body


def test_get_is_404_before_the_first_version(api: Api, store: Store) -> None:
    for method in ("GET", "HEAD"):
        response = api.request("/v1/semver/feature%2Flogin", method=method, status=404)
        assert response.headers["Content-Type"] == "application/problem+json"
    detail = problem(api.get("/v1/semver/feature%2Flogin", status=404), 404, "")
    assert "feature/login" in detail
    assert not any(all_rows(store).values())


def test_a_bump_sets_the_lower_parts_to_0(api: Api) -> None:
    bumps = [
        ("patch", "0.0.1"),
        ("patch", "0.0.2"),
        ("minor", "0.1.0"),
        ("patch", "0.1.1"),
        ("minor", "0.2.0"),
        ("major", "1.0.0"),
        ("patch", "1.0.1"),
        ("minor", "1.1.0"),
        ("patch", "1.1.1"),
        ("major", "2.0.0"),
        ("patch", "2.0.1"),
    ]
    for number, (part, expected) in enumerate(bumps):
        assert bump(api, part, f"token {number}") == expected


def test_the_same_part_and_token_get_the_same_version(api: Api) -> None:
    api.put(f"{CURRENT}/minor/first")
    first = api.put(f"{CURRENT}/minor/token")
    again = api.put(f"{CURRENT}/minor/token")
    assert again.body == first.body
    assert again.headers == first.headers
    assert values(api) == {"svc-minor-v0": 2}


def test_the_same_part_and_token_get_the_same_version_however_long_ago(api: Api) -> None:
    given = {
        (part, token): api.put(f"{CURRENT}/{part}/{token}").body
        for token in "abc"
        for part in ("patch", "minor", "major", "minor")
    }
    before = values(api)
    newest = current(api)
    for (part, token), body in given.items():
        assert api.put(f"{CURRENT}/{part}/{token}").body == body
    assert values(api) == before
    assert current(api) == newest


def test_the_same_version_again_does_not_depend_on_history(
    store: Store, settings: Settings
) -> None:
    api = Api(create_app(store, replace(settings, history=0)))
    assert [bump(api, "patch", token) for token in "abab"] == ["0.0.1", "0.0.2", "0.0.1", "0.0.2"]


def test_the_same_token_bumps_each_part(api: Api) -> None:
    got = [bump(api, part, "token") for part in ("major", "minor", "patch", "minor", "major")]
    assert got == ["1.0.0", "1.1.0", "1.1.1", "1.1.0", "1.0.0"]
    assert api.get(CURRENT).json == version("token", 1, 1, 1)


def test_names_are_versions_of_their_own(api: Api) -> None:
    names = ["a", "b", "a-minor", "a-minor-v1", "a-major", "a/b", "a-patch-v0.0"]
    for name in names:
        assert [bump(api, part, "token", name) for part in ("major", "minor", "patch")] == [
            "1.0.0",
            "1.1.0",
            "1.1.1",
        ]
    assert {current(api, name) for name in names} == {"1.1.1"}


@pytest.mark.parametrize("name", [name[: 209 // len(name[0].encode())] for name in NAMES])
def test_any_name_can_have_versions(api: Api, name: str) -> None:
    assert api.put(url("semver", name, "major", name)).json == version(name, 1, 0, 0, name)
    assert api.put(url("semver", name, "patch", name)).json == version(name, 1, 0, 1, name)
    assert api.get(url("semver", name)).json == version(name, 1, 0, 1, name)
    assert values(api) == {f"{name}-major": 1, f"{name}-patch-v1.0": 1}


def test_any_name_can_be_a_token(api: Api) -> None:
    for number, token in enumerate(NAMES, 1):
        assert api.put(url("semver", "svc", "major", token)).json == version(token, number, 0, 0)
    for number, token in enumerate(NAMES, 1):
        assert api.put(url("semver", "svc", "major", token)).json == version(token, number, 0, 0)


# The three series


def test_the_series_are_those_of_the_convention(api: Api) -> None:
    for part, token in [("major", "a"), ("minor", "a"), ("patch", "a"), ("minor", "another")]:
        bump(api, part, token)
    assert values(api) == {"svc-major": 1, "svc-minor-v1": 2, "svc-patch-v1.1": 1}
    bump(api, "patch", "last")
    assert values(api) == {
        "svc-major": 1,
        "svc-minor-v1": 2,
        "svc-patch-v1.1": 1,
        "svc-patch-v1.2": 1,
    }
    assert api.get("/v1/series/svc-minor-v1").json["token"] == "another"
    assert api.get("/v1/series/svc-patch-v1.2/last").json["value"] == 1


def test_a_part_can_be_advanced_by_hand(api: Api) -> None:
    api.post("/v1/series/svc-major")
    assert api.get(CURRENT).json == version(None, 1, 0, 0)
    api.put("/v1/series/svc-minor-v1", b'{"value":7}')
    assert api.get(CURRENT).json == version(None, 1, 7, 0)
    api.put("/v1/series/svc-patch-v1.7/by%20hand")
    assert api.get(CURRENT).json == version("by hand", 1, 7, 1)
    assert bump(api, "patch", "token") == "1.7.2"
    api.post("/v1/series/svc-patch-v1.7")
    assert api.get(CURRENT).json == version(None, 1, 7, 3)
    assert bump(api, "patch", "token") == "1.7.2"
    api.put("/v1/series/svc-major", b'{"value":3}')
    assert api.get(CURRENT, headers=AS_TEXT).body == b"3.0.0\n"
    assert bump(api, "minor", "token") == "3.1.0"


def test_a_part_that_was_advanced_without_a_token_has_none(api: Api) -> None:
    bump(api, "major", "token")
    api.post("/v1/series/svc-minor-v1")
    assert api.get(CURRENT).json == version(None, 1, 1, 0)


def test_a_series_that_is_no_part_is_no_version(api: Api) -> None:
    for key in (
        "svc",
        "svc-minor-v1",
        "svc-patch-v1.0",
        "svc-patch-v0.1",
        "svc-Major",
        "svc-minor",
    ):
        api.put(url("series", key, "token"))
    problem(api.get(CURRENT, status=404), 404)


@pytest.mark.parametrize("part", ["major", "minor", "patch"])
def test_a_part_that_was_deleted_starts_again_and_gives_no_old_version(api: Api, part: str) -> None:
    keys = {"major": "svc-major", "minor": "svc-minor-v0", "patch": "svc-patch-v0.0"}
    first = [bump(api, part, token) for token in "abc"]
    api.delete(f"/v1/series/{keys[part]}")
    problem(api.get(CURRENT, status=404), 404)
    # Each token is new to the series that starts again.
    assert [bump(api, part, token) for token in "cab"] == first
    assert [bump(api, part, token) for token in "cab"] == first


def test_deleting_one_series_forgets_nothing_of_the_others(api: Api) -> None:
    given = {(part, "a"): bump(api, part, "a") for part in ("patch", "minor", "major")}
    given["minor", "b"] = bump(api, "minor", "b")
    api.delete("/v1/series/svc-minor-v0")
    api.delete("/v1/series/svc")
    assert given.pop(("minor", "a")) == "0.1.0"
    for (part, token), text in given.items():
        assert bump(api, part, token) == text
    assert bump(api, "minor", "a") == "1.2.0"


def test_each_bump_stands_in_the_history_of_its_part(api: Api) -> None:
    for token in "aab":
        api.put(f"{CURRENT}/patch/{token}")
    history = api.get("/v1/history/svc-patch-v0.0").json["history"]
    assert [(each["value"], each["token"]) for each in history] == [(2, "b"), (1, "a")]


# Limits and refusals


def test_a_name_of_209_bytes_has_room_for_every_number(api: Api) -> None:
    name = "é" * 104 + "a"
    last = str(LAST_VALUE).encode()
    api.put(url("series", f"{name}-major"), b'{"value":%s}' % last)
    api.put(url("series", f"{name}-minor-v{LAST_VALUE}"), b'{"value":%s}' % last)
    got = api.put(url("semver", name, "patch", "token")).json
    assert got == version("token", LAST_VALUE, LAST_VALUE, 1, name)
    assert api.put(url("semver", name, "patch", "token")).json == got
    assert api.get(url("semver", name)).json == got
    key = f"{name}-patch-v{LAST_VALUE}.{LAST_VALUE}"
    assert len(key.encode()) == 256
    assert api.get(url("series", key)).json["value"] == 1
    api.delete(url("series", key))
    assert bump(api, "patch", "another", name) == f"{LAST_VALUE}.{LAST_VALUE}.1"


@pytest.mark.parametrize("name", ["a" * 210, "é" * 105, ""])
def test_a_longer_name_is_400(api: Api, store: Store, name: str) -> None:
    for target, method in [
        (url("semver", name), "GET"),
        (url("semver", name, "major", "token"), "PUT"),
    ]:
        response = api.request(target, method=method, status=400)
        assert "1 to 209 bytes" in problem(response, 400, "invalid-name")
    assert not any(all_rows(store).values())


@pytest.mark.parametrize("part", ["", "Major", "MAJOR", "build", "1", "major%20", "v1", "%00"])
def test_any_other_part_is_400(api: Api, store: Store, part: str) -> None:
    detail = problem(api.put(f"{CURRENT}/{part}/token", status=400), 400, "invalid-name")
    for allowed in ("major", "minor", "patch"):
        assert allowed in detail
    assert not any(all_rows(store).values())


@pytest.mark.parametrize("part", ["major", "minor", "patch"])
def test_after_the_last_value_of_a_part_comes_409(api: Api, store: Store, part: str) -> None:
    keys = {"major": "svc-major", "minor": "svc-minor-v0", "patch": "svc-patch-v0.0"}
    api.put(f"/v1/series/{keys[part]}", b'{"value":%d}' % (LAST_VALUE - 1))
    last = api.put(f"{CURRENT}/{part}/last").json
    assert last[part] == LAST_VALUE
    before = all_rows(store)
    problem(api.put(f"{CURRENT}/{part}/token", status=409), 409, "series-exhausted")
    assert all_rows(store) == before
    assert api.put(f"{CURRENT}/{part}/last").json == last


# Accounts and polling


def test_account_1_is_the_caller_s_own_without_authentication(api: Api) -> None:
    assert bump(api, "major", "token", account=1) == "1.0.0"
    assert bump(api, "major", "token") == "1.0.0"
    assert api.get("/v1/accounts/1/semver/svc").body == api.get(CURRENT).body


def test_two_accounts_have_versions_of_the_same_name_without_seeing_each_other(
    api: Api, store: Store
) -> None:
    api.put("/v1/accounts/7")
    for token in "ab":
        bump(api, "minor", token)
    before = all_rows(store)
    problem(api.get("/v1/accounts/7/semver/svc", status=404), 404)
    api.delete("/v1/accounts/7/series/svc-minor-v0")
    assert all_rows(store) == before
    assert bump(api, "minor", "b", account=7) == "0.1.0"
    assert current(api, account=7) == "0.1.0"
    assert current(api) == "0.2.0"
    assert api.get("/v1/accounts/7/series/svc-minor-v0").json["creator_id"] == 7
    api.delete("/v1/series/svc-minor-v0")
    assert bump(api, "minor", "b") == "0.1.0"
    assert bump(api, "minor", "a", account=7) == "0.2.0"
    assert bump(api, "minor", "b", account=7) == "0.1.0"


# Pre-releases


def test_a_pre_release_comes_before_its_release(api: Api) -> None:
    bump(api, "minor", "first")
    assert api.put(f"{CURRENT}/minor/a?pre=rc").body == (
        b'{"name":"svc","token":"a","version":"0.2.0-rc.1","major":0,"minor":2,"patch":0,'
        b'"pre":"rc.1"}'
    )
    assert api.put(f"{CURRENT}/minor/b?pre=rc", headers=AS_TEXT).text == "0.2.0-rc.2\n"
    assert api.get(CURRENT).json == {
        **version("b", 0, 2, 0),
        "version": "0.2.0-rc.2",
        "pre": "rc.2",
        "release": "0.1.0",
    }
    assert api.get(CURRENT, headers=AS_TEXT).text == "0.2.0-rc.2\n"
    assert api.get("/v1/badges/svc?show=version").json["message"] == "0.2.0-rc.2"
    assert api.put(f"{CURRENT}/minor/b").json == version("b", 0, 2, 0)
    assert api.get(CURRENT).json == version("b", 0, 2, 0)


def test_a_pre_release_before_the_current_one_is_refused(api: Api, store: Store) -> None:
    api.put(f"{CURRENT}/minor/a?pre=rc")
    before = all_rows(store)
    refused = api.put(f"{CURRENT}/minor/b?pre=beta", status=409)
    assert "0.1.0-beta.1 would come before it" in problem(refused, 409, "pre-release-too-low")
    assert all_rows(store) == before


@pytest.mark.parametrize("pre", ["", "01", "rc..1", "rc%2B1", "%C3%A9", "r" * 33])
def test_what_cannot_be_a_pre_release_is_refused(api: Api, store: Store, pre: str) -> None:
    problem(api.put(f"{CURRENT}/minor/a?pre={pre}", status=400), 400, "invalid-name")
    assert not any(all_rows(store).values())


def test_a_condition_is_about_the_same_pre_release(api: Api) -> None:
    fresh = {"If-None-Match": "*"}
    assert api.put(f"{CURRENT}/minor/a?pre=rc", headers=fresh).json["version"] == "0.1.0-rc.1"
    api.put(f"{CURRENT}/minor/a?pre=rc", headers=fresh, status=412)
    assert api.put(f"{CURRENT}/minor/a", headers=fresh).json["version"] == "0.1.0"


# The list


def test_the_list_has_each_name_with_its_version(api: Api) -> None:
    bump(api, "minor", "a", name="till")
    bump(api, "major", "b", name="a/b")
    api.put("/v1/semver/till/patch/c?pre=rc")
    listed = api.get("/v1/semver").json
    times = [each.pop("changed_at") for each in listed["versions"]]
    assert times == sorted(times)
    pre = {"version": "0.1.1-rc.1", "pre": "rc.1", "release": "0.1.0"}
    assert listed == {
        "versions": [version("b", 1, 0, 0, "a/b"), version("c", 0, 1, 1, "till") | pre],
        "next": None,
    }


def test_the_list_comes_a_page_at_a_time(api: Api) -> None:
    for name in ("a", "b", "b/1", "c"):
        bump(api, "minor", "t", name=name)
    found, after = [], ""
    while after is not None:
        page = api.get(f"/v1/semver?limit=3&after={after}").json
        found.append([each["name"] for each in page["versions"]])
        after = page["next"]
    assert found == [["a", "b", "b/1"], ["c"]]
    prefixed = api.get("/v1/semver?prefix=b").json
    assert [each["name"] for each in prefixed["versions"]] == ["b", "b/1"]
    assert api.get(url("semver", account=1)).json == api.get("/v1/semver").json
    api.put("/v1/accounts/7")
    assert api.get(url("semver", account=7)).json == {"versions": [], "next": None}


def test_the_list_can_be_polled(api: Api) -> None:
    bump(api, "minor", "a")
    known = {"If-None-Match": api.get("/v1/semver").headers["ETag"]}
    assert api.get("/v1/semver", headers=known).status_int == 304
    bump(api, "minor", "b")
    assert api.get("/v1/semver", headers=known).status_int == 200
