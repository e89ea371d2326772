"""History with one entry for each call, and with the attributes of each token."""

import csv
import io
import json
from typing import Any

import pytest

from monotron.limits import LISTED_ATTRIBUTES_BYTES
from tests.support.web import Api, problem

CSV = {"Accept": "text/csv"}


def entries(api: Api, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(f"/v1/history/svc?{query}").json["history"]
    return found


def shapes(api: Api, query: str) -> list[tuple[Any, ...]]:
    """Return of each entry its value, `first`, `count` and `moved_from`."""
    names = ("value", "first", "count", "moved_from")
    return [tuple(each.get(name) for name in names) for each in entries(api, query)]


@pytest.fixture
def taken(api: Api) -> Api:
    """Three values, the series moved up to 10, forty values by one call, and one more."""
    api.put("/v1/series/svc/a")
    api.post("/v1/series/svc?count=2")
    api.put("/v1/series/svc", b'{"value":10}')
    api.post("/v1/series/svc?count=40")
    api.put("/v1/series/svc/b")
    return api


WHOLE = [
    (51, None, None, None),
    (50, 11, 40, 3),
    (3, 2, 2, None),
    (1, None, None, None),
]


def test_a_range_is_one_entry_which_says_where_the_series_was_moved_up(taken: Api) -> None:
    assert shapes(taken, "fold=ranges") == WHOLE
    assert [each["token"] for each in entries(taken, "fold=ranges")] == ["b", None, None, "a"]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
def test_pages_of_ranges_have_each_range_once(taken: Api, limit: int) -> None:
    found: list[tuple[Any, ...]] = []
    before: int | None = 10_000
    while before is not None:
        query = f"fold=ranges&limit={limit}&before={before}"
        found += shapes(taken, query)
        before = taken.get(f"/v1/history/svc?{query}").json["next"]
    assert found == WHOLE


def test_a_page_that_begins_within_a_range_has_the_rest_of_it(taken: Api) -> None:
    assert shapes(taken, "fold=ranges&before=21") == [(20, 11, 10, 3), *WHOLE[2:]]
    assert shapes(taken, "fold=ranges&before=11") == WHOLE[2:]


@pytest.mark.parametrize("value", [11, 20, 50])
def test_a_value_is_found_in_its_range(taken: Api, value: int) -> None:
    assert shapes(taken, f"value={value}&fold=ranges") == [(50, 11, 40, 3)]
    assert taken.get(f"/v1/history/svc?value={value}&fold=ranges").json["next"] is None


@pytest.mark.parametrize("query", ["value=4", "value=10", "value=52", "value=20&before=20"])
def test_a_value_that_no_range_holds_is_404(taken: Api, query: str) -> None:
    response = taken.get(f"/v1/history/svc?{query}&fold=ranges", status=404)
    assert "does not hold" in problem(response, 404)


def test_a_series_that_begins_above_1_was_moved_from_nowhere(api: Api) -> None:
    api.put("/v1/series/svc", b'{"value":110}')
    assert entries(api, "fold=ranges") == []
    api.post("/v1/series/svc")
    assert shapes(api, "fold=ranges") == [(111, None, None, 0)]


def test_each_entry_shows_the_attributes_of_its_token(taken: Api) -> None:
    taken.put("/v1/tokens/svc/a/attrs", b'{"build_url":"https://ci.example.com/1"}')
    for query in ("include=attributes", "include=attributes&fold=ranges"):
        *others, first = entries(taken, query)
        assert first["attributes"] == {"build_url": "https://ci.example.com/1"}
        assert not [each for each in others if "attributes" in each]
    taken.put("/v1/tokens/svc/b/attrs/log", b"x" * 2_049)
    # It has some, but none that is short enough for a list.
    assert entries(taken, "include=attributes")[0]["attributes"] == {}


def test_a_page_of_large_attributes_is_cut_and_continued(api: Api) -> None:
    text = b"x" * 2_048
    body = b"{%s}" % b",".join(b'"%d":"%s"' % (number, text) for number in range(64))
    tokens = LISTED_ATTRIBUTES_BYTES // (64 * len(text)) + 3
    for number in range(tokens):
        api.put(f"/v1/series/svc/{number}")
        api.put(f"/v1/tokens/svc/{number}/attrs", body)
    found, before, pages = [], "", 0
    while before is not None:
        page = api.get(f"/v1/history/svc?include=attributes&before={before}").json
        found += [each["value"] for each in page["history"]]
        before, pages = page["next"], pages + 1
    assert found == list(range(tokens, 0, -1))
    assert pages == 2


def test_a_csv_that_attributes_make_too_long_leads_on(api: Api) -> None:
    text = "x" * 60_000
    attrs = {f"name{number}": text for number in range(20)}
    for token in ("a", "b"):
        api.put(f"/v1/series/shop/{token}")
        api.put(f"/v1/tokens/shop/{token}/attrs", json.dumps(attrs).encode())
    path, seen = "/v1/history/shop?include=attributes", []
    while path:
        answer = api.get(path, headers=CSV)
        seen += [each["token"] for each in csv.DictReader(io.StringIO(answer.text, newline=""))]
        link = answer.headers.get("Link", "")
        path = link[1 : link.index(">")] if link else ""
    assert seen == ["b", "a"]


def test_ranges_and_attributes_are_columns_of_a_csv(taken: Api) -> None:
    taken.put("/v1/tokens/svc/b/attrs", b'{"author":"Ada"}')
    path = "/v1/history/svc?fold=ranges&include=attributes"
    last, range_, *_ = csv.DictReader(io.StringIO(taken.get(path, headers=CSV).text, newline=""))
    assert (last["value"], last["first"], last["attributes"]) == ("51", "", '{"author":"Ada"}')
    assert (range_["first"], range_["count"], range_["moved_from"]) == ("11", "40", "3")
    link = taken.get(f"{path}&limit=1", headers=CSV).headers["Link"]
    following = taken.get(link[1 : link.index(">")], headers=CSV).text
    assert following.splitlines()[1].startswith("50,")
    assert following.splitlines()[0].endswith("first,count,moved_from,attributes")


@pytest.mark.parametrize("query", ["fold=", "fold=versions", "include=who", "include="])
def test_an_unknown_word_is_400(taken: Api, query: str) -> None:
    assert "must be" in problem(taken.get(f"/v1/history/svc?{query}", status=400), 400)
