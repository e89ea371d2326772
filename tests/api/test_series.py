"""The series API."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote

import pytest

from monotron.app import create_app
from monotron.core import series
from monotron.settings import Settings
from monotron.store.contract import Reading, Store
from tests.conftest import all_rows
from tests.support.calls import call_in
from tests.support.web import JSON, LAST_VALUE, NAMES, Api, problem, url

T = TypeVar("T")

names = pytest.mark.parametrize("name", NAMES)


def path(*parts: str) -> str:
    return url("series", *parts)


def state(key: str, token: str | None, value: int) -> dict[str, Any]:
    return {"creator_id": 1, "key": key, "token": token, "value": value}


def values(api: Api) -> dict[str, int]:
    return {each["key"]: each["value"] for each in api.get("/v1/series").json["series"]}


def test_a_token_gets_the_next_value(api: Api) -> None:
    response = api.put("/v1/series/svc/7d4c379588")
    assert response.status_int == 200
    assert response.headers["Content-Type"] == JSON
    assert response.body == b'{"creator_id":1,"key":"svc","token":"7d4c379588","value":1}'
    assert api.put("/v1/series/svc/other").json == state("svc", "other", 2)


def test_the_same_token_gets_the_same_value(api: Api) -> None:
    first = api.put("/v1/series/svc/7d4c379588")
    again = api.put("/v1/series/svc/7d4c379588")
    assert again.body == first.body
    assert again.headers == first.headers


def test_an_older_token_gets_a_new_value(api: Api) -> None:
    got = [api.put(f"/v1/series/svc/{token}").json["value"] for token in "abaab"]
    assert got == [1, 2, 3, 3, 4]


def test_get_tells_the_current_state(api: Api) -> None:
    api.put("/v1/series/svc/token")
    for _ in range(2):
        response = api.get("/v1/series/svc")
        assert response.headers["Content-Type"] == JSON
        assert response.body == b'{"creator_id":1,"key":"svc","token":"token","value":1}'


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_get_is_404_before_the_first_value(api: Api, method: str) -> None:
    response = api.request("/v1/series/svc", method=method, status=404)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert values(api) == {}


def test_the_404_names_the_series(api: Api) -> None:
    assert "feature/login" in problem(api.get("/v1/series/feature%2Flogin", status=404), 404)


def test_get_with_a_token_tells_the_value_that_it_got(api: Api) -> None:
    for token in ("a", "b", "c"):
        api.put(f"/v1/series/svc/{token}")
    for token, value in (("a", 1), ("b", 2), ("c", 3)):
        response = api.get(f"/v1/series/svc/{token}")
        assert response.status_int == 200
        assert response.headers["Content-Type"] == JSON
        assert response.body == (
            b'{"creator_id":1,"key":"svc","token":"%s","value":%d}' % (token.encode(), value)
        )
    assert values(api) == {"svc": 3}


def test_get_with_a_token_tells_the_last_of_its_values(api: Api) -> None:
    for token in "abab":
        api.put(f"/v1/series/svc/{token}")
    assert api.get("/v1/series/svc/a").json == state("svc", "a", 3)
    assert api.get("/v1/series/svc/b").json == state("svc", "b", 4)


def test_get_with_a_token_finds_it_behind_values_without_one(api: Api) -> None:
    api.put("/v1/series/svc/a")
    api.post("/v1/series/svc?count=500")
    api.put("/v1/series/svc", b'{"value":9000}')
    api.post("/v1/series/svc")
    assert api.get("/v1/series/svc/a").json == state("svc", "a", 1)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_get_with_a_token_that_got_no_value_is_404(api: Api, method: str) -> None:
    for target in ("/v1/series/svc/a", "/v1/series/other/token", "/v1/series/svc/TOKEN"):
        api.put("/v1/series/svc/token")
        response = api.request(target, method=method, status=404)
        assert response.headers["Content-Type"] == "application/problem+json"
    assert values(api) == {"svc": 1}


def test_the_404_of_a_token_names_it(api: Api) -> None:
    detail = problem(api.get("/v1/series/svc/feature%2Flogin", status=404), 404, "")
    assert "svc" in detail
    assert "feature/login" in detail


def test_a_token_is_found_as_long_as_history_holds_its_value(
    store: Store, settings: Settings
) -> None:
    api = Api(create_app(store, replace(settings, history=3)))
    for token in "abcd":
        api.put(f"/v1/series/svc/{token}")
    problem(api.get("/v1/series/svc/a", status=404), 404)
    assert [api.get(f"/v1/series/svc/{token}").json["value"] for token in "bcd"] == [2, 3, 4]
    api.post("/v1/series/svc?count=2")
    problem(api.get("/v1/series/svc/c", status=404), 404)
    assert api.get("/v1/series/svc/d").json["value"] == 4
    api.post("/v1/series/svc")
    problem(api.get("/v1/series/svc/d", status=404), 404)


def test_without_history_the_current_token_is_found_and_no_other(
    store: Store, settings: Settings
) -> None:
    api = Api(create_app(store, replace(settings, history=0)))
    api.put("/v1/series/svc/a")
    api.put("/v1/series/svc/b")
    problem(api.get("/v1/series/svc/a", status=404), 404)
    assert api.get("/v1/series/svc/b").json == state("svc", "b", 2)


def test_a_deleted_series_has_no_value_for_its_tokens_any_more(api: Api) -> None:
    api.put("/v1/series/svc/a")
    api.put("/v1/series/svc/b")
    api.delete("/v1/series/svc")
    for token in "ab":
        problem(api.get(f"/v1/series/svc/{token}", status=404), 404)
    api.post("/v1/series/svc")
    problem(api.get("/v1/series/svc/a", status=404), 404)


def test_post_gives_the_next_value_without_a_token(api: Api) -> None:
    api.put("/v1/series/svc/token")
    response = api.post("/v1/series/svc")
    assert response.headers["Content-Type"] == JSON
    assert response.body == b'{"creator_id":1,"key":"svc","token":null,"value":2}'
    assert api.put("/v1/series/svc/token").json["value"] == 3


@names
def test_any_name_can_be_a_key_and_a_token(api: Api, name: str) -> None:
    assert api.put(path(name, name)).json == state(name, name, 1)
    assert api.put(path(name, name)).json == state(name, name, 1)
    assert api.get(path(name)).json == state(name, name, 1)
    assert api.get(path(name, name)).json == state(name, name, 1)
    assert api.post(path(name)).json == state(name, None, 2)
    assert api.put_json(path(name), {"value": 9}).json == state(name, None, 9)
    assert values(api) == {name: 9}
    assert api.delete(path(name)).status_int == 200
    assert values(api) == {}


def test_an_encoded_slash_is_part_of_its_name(api: Api) -> None:
    api.put("/v1/series/a%2Fb/c")
    api.put("/v1/series/a/b%2fc")
    assert api.get("/v1/series/a%2Fb").json == state("a/b", "c", 1)
    assert api.get("/v1/series/a").json == state("a", "b/c", 1)
    assert api.get("/v1/series/a%2Fb/c").json == state("a/b", "c", 1)
    assert api.get("/v1/series/a/b%2Fc").json == state("a", "b/c", 1)
    problem(api.put("/v1/series/a/b/c", status=404), 404)


def test_non_ascii_names_are_written_as_they_are(api: Api) -> None:
    response = api.put("/v1/series/M%C3%BCller/%F0%9F%98%80")
    assert response.body.decode() == '{"creator_id":1,"key":"Müller","token":"😀","value":1}'


def test_a_name_may_come_as_plain_utf_8(api: Api) -> None:
    target = "/v1/series/Müller".encode().decode("latin-1")
    response = api.post("/v1/series/x", extra_environ={"REQUEST_URI": target})
    assert response.json["key"] == "Müller"


def test_a_name_may_be_encoded_more_than_it_needs(api: Api) -> None:
    api.post("/v1/series/svc")
    assert api.post("/v1/series/%73%76%63").json == state("svc", None, 2)


def test_the_absolute_form_of_a_target_is_the_same_call(api: Api) -> None:
    api.post("/v1/series/a%2Fb")
    assert api.post("http://localhost/v1/series/a%2Fb?count=2").json["value"] == 3


def test_a_count_takes_a_range_without_a_gap(api: Api) -> None:
    api.put("/v1/series/svc/token")
    response = api.post("/v1/series/svc?count=100")
    assert response.headers["Content-Type"] == JSON
    assert response.body == (
        b'{"creator_id":1,"key":"svc","token":null,"value":101,"first":2,"count":100}'
    )
    assert api.post("/v1/series/svc?count=1").json == {
        **state("svc", None, 102),
        "first": 102,
        "count": 1,
    }
    assert api.post("/v1/series/svc").json["value"] == 103


def test_the_first_range_starts_at_1(api: Api) -> None:
    got = api.post("/v1/series/svc?count=1000000").json
    assert (got["first"], got["count"], got["value"]) == (1, 1_000_000, 1_000_000)


@pytest.mark.parametrize(
    "count",
    [
        "",
        "0",
        "-1",
        "abc",
        "1e3",
        "1.0",
        "0x10",
        "1_000",
        "+5",
        "%205",
        "5%20",
        "5%0A",
        "%D9%A3",
        "%FF",
        "1000001",
        str(LAST_VALUE),
        str(2**64 + 1),
        "9" * 5_000,
        "5&count=5",
        "5&count=6",
        "5;",
    ],
)
def test_any_other_count_is_400(api: Api, count: str) -> None:
    api.post("/v1/series/svc")
    problem(api.post(f"/v1/series/svc?count={count}", status=400), 400)
    assert values(api) == {"svc": 1}


def test_the_400_says_which_counts_are_allowed(api: Api) -> None:
    detail = problem(api.post("/v1/series/svc?count=0", status=400), 400)
    assert "count" in detail
    assert "from 1 to 1000000" in detail


def test_a_seed_moves_the_series_up(api: Api) -> None:
    response = api.put("/v1/series/svc", b'{"value":110}')
    assert response.status_int == 200
    assert response.headers["Content-Type"] == JSON
    assert response.body == b'{"creator_id":1,"key":"svc","token":null,"value":110}'
    assert api.post("/v1/series/svc").json["value"] == 111
    assert api.put("/v1/series/svc", b'{"value":200}').json["value"] == 200
    assert api.put("/v1/series/svc/token").json["value"] == 201


def test_a_seed_to_the_present_value_changes_nothing(api: Api) -> None:
    api.put("/v1/series/svc/token")
    assert api.put("/v1/series/svc", b'{"value":1}').json == state("svc", "token", 1)
    assert api.put("/v1/series/svc/token").json["value"] == 1


def test_a_seed_never_moves_back(api: Api) -> None:
    api.put("/v1/series/svc", b'{"value":110}')
    api.put("/v1/series/svc/token")
    detail = problem(api.put("/v1/series/svc", b'{"value":110}', status=409), 409)
    assert "111" in detail
    assert api.get("/v1/series/svc").json == state("svc", "token", 111)


@pytest.mark.parametrize(
    "body",
    [
        b' { "value" : 7 } ',
        b'{"\\u0076alue":7}',
        b'{"value":7}\r\n',
    ],
)
def test_a_seed_is_json_in_any_writing(api: Api, body: bytes) -> None:
    assert api.put("/v1/series/svc", body).json["value"] == 7


@pytest.mark.parametrize("number", ["110.0", "11e1", "1.1E+2"])
def test_a_seed_is_the_same_number_however_json_writes_it(api: Api, number: str) -> None:
    assert api.put("/v1/series/svc", f'{{"value":{number}}}').json["value"] == 110


@pytest.mark.parametrize("content_type", [None, "application/json", "text/plain", "x"])
def test_a_seed_may_come_as_any_content_type(api: Api, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    assert api.put("/v1/series/svc", b'{"value":7}', headers=headers).json["value"] == 7


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"7",
        b"null",
        b"[]",
        b"[7]",
        b'"value"',
        b"{}",
        b'{"value"}',
        b'{"value":}',
        b'{"value":7',
        b"{'value':7}",
        b'{"value":7}{"value":8}',
        b'{"value":7,}',
        b'{"value":null}',
        b'{"value":true}',
        b'{"value":false}',
        b'{"value":"7"}',
        b'{"value":[7]}',
        b'{"value":7.5}',
        b'{"value":9007199254740994.0}',
        b'{"value":07}',
        b'{"value":+7}',
        b'{"value":0x7}',
        b'{"value":NaN}',
        b'{"value":Infinity}',
        b'{"value":-Infinity}',
        b'{"value":0}',
        b'{"value":-0}',
        b'{"value":-7}',
        b'{"value":9223372036854775808}',
        b'{"value":' + b"9" * 5_000 + b"}",
        b'{"value":7,"value":7}',
        b'{"value":7,"value":8}',
        b'{"value":7,"more":8}',
        b'{"Value":7}',
        b'{"value\\u0000":7}',
        b'{"other":7}',
        b'{"value":{"value":7,"value":7}}',
        b'\xef\xbb\xbf{"value":7}',
        b'{"value":7}\xff',
        b'{"value":"\xc3"}',
        '{"value":7}'.encode("utf-16"),
        b"value=7",
        b"[" * 60_000,
        b'{"value":' * 6_000,
        b'{"value":7}' + b" " * 65_000 + b"x",
    ],
)
def test_any_other_body_is_400(api: Api, body: bytes) -> None:
    api.post("/v1/series/svc")
    problem(api.put("/v1/series/svc", body, status=400), 400)
    assert values(api) == {"svc": 1}


def test_a_body_of_64_kib_is_read(api: Api) -> None:
    body = b'{"value":7}'
    assert api.put("/v1/series/svc", body + b" " * (65_536 - len(body))).json["value"] == 7


@pytest.mark.parametrize("size", [65_537, 1_000_000])
def test_a_larger_body_is_413(api: Api, size: int) -> None:
    body = b'{"value":7}'
    detail = problem(api.put("/v1/series/svc", body.ljust(size), status=413), 413)
    assert "65536" in detail
    assert values(api) == {}


def test_a_deleted_series_is_gone_and_starts_at_1_again(api: Api) -> None:
    api.put("/v1/series/svc", b'{"value":110}')
    api.put("/v1/series/other/token")
    response = api.delete("/v1/series/svc")
    assert (response.status_int, response.body) == (200, b"")
    problem(api.get("/v1/series/svc", status=404), 404)
    assert values(api) == {"other": 1}
    assert api.put("/v1/series/svc/token").json == state("svc", "token", 1)


def test_a_deleted_series_leaves_nothing_behind(api: Api, store: Store) -> None:
    api.put("/v1/series/svc-major/other")
    before = all_rows(store)
    for key in ("svc", "svc-patch-v0.0"):
        api.put(f"/v1/series/{key}", b'{"value":110}')
        api.put(f"/v1/tokens/{key}/token/attrs", b'{"author":"Ada"}')
        for number in range(30):
            api.put(f"/v1/series/{key}/{number}")
    api.put("/v1/semver/svc/minor/token")
    for key in ("svc", "svc-minor-v1", "svc-patch-v0.0"):
        api.delete(f"/v1/series/{key}")
    assert all_rows(store) == before


def test_deleting_a_series_that_is_not_there_is_no_error(api: Api) -> None:
    response = api.delete("/v1/series/svc")
    assert (response.status_int, response.body) == (200, b"")


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("PUT", "/v1/series/svc/token"),
        ("POST", "/v1/series/svc"),
        ("POST", "/v1/series/svc?count=2"),
    ],
)
def test_after_the_last_value_comes_409(api: Api, method: str, target: str) -> None:
    api.put("/v1/series/svc", b'{"value":%d}' % LAST_VALUE)
    detail = problem(api.request(target, method=method, status=409), 409)
    assert str(LAST_VALUE) in detail
    assert api.get("/v1/series/svc").json == state("svc", None, LAST_VALUE)


def test_a_range_beyond_the_last_value_takes_nothing(api: Api) -> None:
    api.put("/v1/series/svc", b'{"value":%d}' % (LAST_VALUE - 10))
    problem(api.post("/v1/series/svc?count=11", status=409), 409)
    assert api.get("/v1/series/svc").json["value"] == LAST_VALUE - 10
    got = api.post("/v1/series/svc?count=10").json
    assert (got["first"], got["value"]) == (LAST_VALUE - 9, LAST_VALUE)


def test_the_list_of_nothing_is_empty(api: Api) -> None:
    response = api.get("/v1/series")
    assert response.headers["Content-Type"] == JSON
    assert response.body == b'{"series":[],"next":null}'


def test_the_list_is_ordered_by_key(api: Api) -> None:
    keys = ["", "A", "B", "a", "a/b", "a0", "ab", "z", "é", "版本", "\uffff", "😀"][1:]
    for key in reversed(keys):
        api.put(path(key, "token"))
    page = api.get("/v1/series").json
    assert page == {"series": [state(key, "token", 1) for key in keys], "next": None}


@pytest.fixture
def some(api: Api) -> Api:
    """An API with a few series."""
    for key in ("a", "a/1", "a/2", "ab", "b", "é/1", "é/2"):
        api.post(path(key))
    return api


@pytest.mark.parametrize(
    ("query", "keys", "after"),
    [
        ("", ["a", "a/1", "a/2", "ab", "b", "é/1", "é/2"], None),
        ("prefix=a", ["a", "a/1", "a/2", "ab"], None),
        ("prefix=a/", ["a/1", "a/2"], None),
        ("prefix=a%2F", ["a/1", "a/2"], None),
        ("prefix=%C3%A9", ["é/1", "é/2"], None),
        ("prefix=é".encode().decode("latin-1"), ["é/1", "é/2"], None),
        ("prefix=A", [], None),
        ("prefix=", ["a", "a/1", "a/2", "ab", "b", "é/1", "é/2"], None),
        ("limit=2", ["a", "a/1"], "a/1"),
        ("limit=2&after=a/1", ["a/2", "ab"], "ab"),
        ("limit=2&after=b", ["é/1", "é/2"], None),
        ("limit=1&after=%C3%A9/1", ["é/2"], None),
        ("limit=6", ["a", "a/1", "a/2", "ab", "b", "é/1"], "é/1"),
        ("limit=7", ["a", "a/1", "a/2", "ab", "b", "é/1", "é/2"], None),
        ("limit=1000", ["a", "a/1", "a/2", "ab", "b", "é/1", "é/2"], None),
        ("after=a/0", ["a/1", "a/2", "ab", "b", "é/1", "é/2"], None),
        ("after=é/2".encode().decode("latin-1"), [], None),
        ("after=", ["a", "a/1", "a/2", "ab", "b", "é/1", "é/2"], None),
        ("prefix=a&after=a/1&limit=1", ["a/2"], "a/2"),
        ("prefix=a&after=a/2&limit=1", ["ab"], None),
        ("prefix=a&after=0", ["a", "a/1", "a/2", "ab"], None),
        ("prefix=a&after=b", [], None),
    ],
)
def test_a_page_is_what_the_query_asks_for(
    some: Api, query: str, keys: list[str], after: str | None
) -> None:
    page = some.get(f"/v1/series?{query}").json
    assert [series["key"] for series in page["series"]] == keys
    assert page["next"] == after


def test_pages_give_every_series_once(some: Api) -> None:
    keys: list[str] = []
    query = "limit=2"
    while query:
        page = some.get(f"/v1/series?{query}").json
        keys += [series["key"] for series in page["series"]]
        query = page["next"] and f"limit=2&after={quote(page['next'])}"
    assert keys == ["a", "a/1", "a/2", "ab", "b", "é/1", "é/2"]


def test_a_page_has_100_series_where_no_limit_is_named(api: Api) -> None:
    for number in range(101):
        api.post(f"/v1/series/{number:03}")
    page = api.get("/v1/series").json
    assert len(page["series"]) == 100
    assert page["next"] == "099"
    assert len(api.get("/v1/series?limit=1000").json["series"]) == 101


@pytest.mark.parametrize("limit", ["", "0", "-1", "1001", "abc", "1e2", "%D9%A3", "1&limit=1"])
def test_any_other_limit_is_400(api: Api, limit: str) -> None:
    problem(api.get(f"/v1/series?limit={limit}", status=400), 400)


@pytest.mark.parametrize(
    "query",
    [
        "prefix=%00",
        "prefix=a%7F",
        "prefix=%FF",
        "prefix=" + "a" * 257,
        "prefix=a&prefix=a",
        "after=%1F",
        "after=%FF",
        "after=" + "a" * 257,
        "after=a&after=b",
    ],
)
def test_a_page_after_what_cannot_be_a_name_is_400(api: Api, query: str) -> None:
    problem(api.get(f"/v1/series?{query}", status=400), 400)


# With the newest values

TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")

every_base = pytest.mark.parametrize("base", ["/v1", "/v1/accounts/1", "/v1/accounts/7"])


def recent(api: Api, query: str = "recent=50", base: str = "/v1") -> dict[str, list[int]]:
    """Return the newest values of each series, as the list shows them."""
    page = api.get(f"{base}/series?{query}").json
    return {each["key"]: [taken["value"] for taken in each["recent"]] for each in page["series"]}


@every_base
def test_a_list_shows_times_and_the_newest_values_of_each_series(api: Api, base: str) -> None:
    api.put("/v1/accounts/7")
    for token in ("a", "b", "c"):
        api.put(f"{base}/series/shop/{token}")
    api.post(f"{base}/series/till")
    response = api.get(f"{base}/series?recent=2")
    assert response.headers["Content-Type"] == JSON
    account = base.removeprefix("/v1/accounts/") if base != "/v1" else "1"
    assert TIME.sub("WHEN", response.body.decode()) == (
        f'{{"series":[{{"creator_id":{account},"key":"shop","token":"c","value":3,'
        '"created_at":"WHEN","updated_at":"WHEN","recent":['
        '{"value":3,"created_at":"WHEN"},{"value":2,"created_at":"WHEN"}]},'
        f'{{"creator_id":{account},"key":"till","token":null,"value":1,'
        '"created_at":"WHEN","updated_at":"WHEN","recent":['
        '{"value":1,"created_at":"WHEN"}]}],"next":null}'
    )


def test_the_times_are_those_of_the_history(api: Api) -> None:
    for token in ("a", "b", "b"):
        api.put(f"/v1/series/shop/{token}")
    (shop,) = api.get("/v1/series?recent=50").json["series"]
    taken = api.get("/v1/history/shop").json["history"]
    assert shop["recent"] == [
        {"value": each["value"], "created_at": each["created_at"]} for each in taken
    ]
    assert shop["created_at"] == taken[-1]["created_at"]
    assert shop["updated_at"] == taken[0]["created_at"]


def test_without_recent_a_list_has_none_of_it(api: Api) -> None:
    api.put("/v1/series/shop/a")
    assert api.get("/v1/series").body == (
        b'{"series":[{"creator_id":1,"key":"shop","token":"a","value":1}],"next":null}'
    )


def test_a_list_may_show_the_times_alone(api: Api) -> None:
    api.post("/v1/series/shop")
    (shop,) = api.get("/v1/series?recent=0").json["series"]
    assert shop["recent"] == []
    assert TIME.fullmatch(shop["created_at"])
    assert shop["updated_at"] == shop["created_at"]


def test_the_newest_of_a_range_are_shown_value_by_value(api: Api) -> None:
    api.post("/v1/series/shop")
    api.post("/v1/series/shop?count=1000000")
    assert recent(api, "recent=3") == {"shop": [1_000_001, 1_000_000, 999_999]}
    api.post("/v1/series/till?count=2")
    assert recent(api, "recent=3&prefix=till") == {"till": [2, 1]}


def test_a_seed_is_not_among_the_newest_values_and_moves_updated_at(api: Api) -> None:
    api.post("/v1/series/shop")
    (before,) = api.get("/v1/series?recent=1").json["series"]
    api.put("/v1/series/shop", b'{"value":110}')
    (seeded,) = api.get("/v1/series?recent=1").json["series"]
    assert seeded["value"] == 110
    assert seeded["recent"] == before["recent"]
    assert seeded["created_at"] == before["created_at"]
    assert seeded["updated_at"] > before["updated_at"]
    api.post("/v1/series/shop")
    assert recent(api) == {"shop": [111, 1]}
    api.put("/v1/series/only-moved", b'{"value":7}')
    assert recent(api, "recent=9&prefix=only") == {"only-moved": []}


def test_the_newest_values_reach_over_many_rows_of_history(api: Api) -> None:
    for number in range(60):
        api.put(f"/v1/series/shop/{number}-{'x' * 250}")
    assert recent(api) == {"shop": list(range(60, 10, -1))}
    assert recent(api, "recent=49") == {"shop": list(range(60, 11, -1))}


@pytest.mark.parametrize(("keep", "values"), [(0, []), (1, [3]), (2, [3, 2])])
def test_no_more_values_are_shown_than_history_holds(
    store: Store, settings: Settings, keep: int, values: list[int]
) -> None:
    written = Api(create_app(store, settings))
    written.post("/v1/series/shop")
    written.post("/v1/series/shop")
    api = Api(create_app(store, replace(settings, history=keep)))
    api.post("/v1/series/shop")
    assert recent(api) == {"shop": values}


def test_a_series_that_never_had_a_history_shows_no_values(
    store: Store, settings: Settings
) -> None:
    api = Api(create_app(store, replace(settings, history=0)))
    api.post("/v1/series/shop?count=9")
    assert recent(api) == {"shop": []}


@pytest.mark.parametrize("most", ["", "-1", "51", "1e1", "x", "%D9%A3", str(2**64), "1&recent=1"])
@every_base
def test_any_other_number_of_newest_values_is_400(api: Api, base: str, most: str) -> None:
    api.put("/v1/accounts/7")
    kind = "" if "&" in most else "invalid-number"
    detail = problem(api.get(f"{base}/series?recent={most}", status=400), 400, kind)
    if most in ("-1", "51"):
        assert "recent" in detail
    if most == "51":
        assert "from 0 to 50" in detail


def test_a_page_with_many_values_has_fewer_series_and_its_next_goes_on(api: Api) -> None:
    keys = [f"{number:03}" for number in range(103)]
    for key in keys:
        api.post(f"/v1/series/{key}")
    page = api.get("/v1/series?limit=1000&recent=50").json
    assert [each["key"] for each in page["series"]] == keys[:100]
    assert page["next"] == keys[99]
    rest = api.get(f"/v1/series?limit=1000&recent=50&after={page['next']}").json
    assert [each["key"] for each in rest["series"]] == keys[100:]
    assert rest["next"] is None
    for few in (0, 5, 48):
        assert len(api.get(f"/v1/series?limit=1000&recent={few}").json["series"]) == 103
    assert len(api.get("/v1/series?limit=2&recent=50").json["series"]) == 2


def test_the_list_of_newest_values_has_changed_where_only_history_has(api: Api) -> None:
    targets = ["/v1/series", "/v1/series?recent=0", "/v1/series?recent=5"]
    api.put("/v1/series/shop/a")
    before = [api.get(target).headers["ETag"] for target in targets]
    api.delete("/v1/series/shop")
    api.put("/v1/series/shop/a")
    after = [api.get(target).headers["ETag"] for target in targets]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, False]


class Busy:
    """A store in which another value is taken right after each snapshot."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.update, self.close = store.update, store.close

    def view(self, fn: Callable[[Reading], T]) -> T:
        seen = self._store.view(fn)
        self._store.update(
            lambda txn: series.advance(txn, call_in(1, now=time.time_ns() // 1000), "shop")
        )
        return seen


def test_a_page_and_its_newest_values_are_of_one_moment(store: Store, settings: Settings) -> None:
    Api(create_app(store, settings)).post("/v1/series/shop")
    busy = Api(create_app(Busy(store), settings))
    for value in range(1, 4):
        (shop,) = busy.get("/v1/series?recent=1").json["series"]
        assert shop["value"] == value
        assert shop["recent"] == [{"value": value, "created_at": shop["updated_at"]}]


def test_a_write_is_not_stopped_by_a_condition_for_reads(api: Api) -> None:
    assert api.put("/v1/series/svc/a", headers={"If-None-Match": "*"}).json["value"] == 1


def test_account_1_is_the_caller_s_own_without_authentication(api: Api) -> None:
    api.put("/v1/series/svc/token")
    assert api.put("/v1/accounts/1/series/svc/token").json == state("svc", "token", 1)
    assert api.post("/v1/accounts/1/series/svc").json == state("svc", None, 2)
    assert api.get("/v1/accounts/1/series/svc").body == api.get("/v1/series/svc").body
    assert api.get("/v1/accounts/1/series").body == api.get("/v1/series").body


@names
def test_two_accounts_have_series_of_the_same_key_without_seeing_each_other(
    api: Api, store: Store, name: str
) -> None:
    api.put("/v1/accounts/7")
    own, other = url("series", name), url("series", name, account=7)
    api.post(f"{own}?count=41")
    api.put(url("series", name, "token"))
    before = all_rows(store)

    problem(api.get(other, status=404), 404)
    problem(api.get(url("series", name, "token", account=7), status=404), 404)
    assert api.get(url("series", account=7)).json == {"series": [], "next": None}
    api.delete(other)
    assert all_rows(store) == before

    assert api.put(url("series", name, "token", account=7)).json == {
        "creator_id": 7,
        "key": name,
        "token": "token",
        "value": 1,
    }
    assert api.post(f"{other}?count=2").json == {
        "creator_id": 7,
        "key": name,
        "token": None,
        "value": 3,
        "first": 2,
        "count": 2,
    }
    assert api.get(url("series", name, "token", account=7)).json["value"] == 1
    assert api.put(other, b'{"value":9}').json["creator_id"] == 7
    assert [each["value"] for each in api.get(url("series", account=7)).json["series"]] == [9]
    assert api.get(url("series", name, "token")).json == state(name, "token", 42)
    assert values(api) == {name: 42}

    api.delete(own)
    assert api.get(other).json["value"] == 9
    assert values(api) == {}
