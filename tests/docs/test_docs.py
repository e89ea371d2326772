"""The examples in docs/api.md are what really happens, and they show every call."""

import json
import re
import unicodedata
from pathlib import Path
from urllib.parse import quote

import pytest

from monotron import limits
from monotron.api import badges
from monotron.core.pending import PENDING_SECONDS
from tests.support import shown
from tests.support.service import Serve
from tests.support.web import Api, described, routes

PAGE = shown.page("docs/api.md")
OPEN, CLOSED = re.split(r"^(?=## Authentication$)", PAGE, flags=re.MULTILINE)
"""The page up to where authentication is turned on, and from there."""

OF_ACCOUNT = "/v1/accounts/{account_id}"
OLDER_ATTRIBUTES, ATTRIBUTES = "/v1/series/{key}/{token}/attrs", "/v1/tokens/{key}/{token}/attrs"


def calls() -> set[tuple[str, str]]:
    """Return the method and path of every call that is served, under one of its paths."""
    found = set()
    for path, methods in routes().items():
        if not path.startswith(f"{OF_ACCOUNT}/grants"):
            path = re.sub(rf"^{re.escape(OF_ACCOUNT)}/", "/v1/", path)
        path = path.replace(OLDER_ATTRIBUTES, ATTRIBUTES)
        found |= {(method, path) for method in methods - {"HEAD"}}
    return found


def sent(command: str) -> tuple[str, str] | None:
    """Return the method and path that a command sends; None if it sends nothing."""
    url = re.search(rf"{shown.SHOWN_URL}(/[^?\s\"')]*)", command)
    method = re.search(r"-X (\w+)", command)
    return (method[1] if method else "GET", url[1]) if url else None


def test_each_command_prints_what_is_shown(serve: Serve, tmp_path: Path) -> None:
    assert len(shown.commands(OPEN)) > 50
    shown.assert_prints_what_is_shown(OPEN, serve(), tmp_path)


def test_each_command_prints_what_is_shown_with_authentication(
    serve: Serve, tmp_path: Path
) -> None:
    assert len(shown.commands(CLOSED)) > 20
    pair = shown.exported(CLOSED)
    shown.assert_prints_what_is_shown(CLOSED, serve(variables=pair), tmp_path, **pair)


def test_every_call_is_described() -> None:
    described = set(re.findall(r"^\| `([A-Z]+) ([^`?]+)", PAGE, re.MULTILINE))
    assert described == calls()
    for path in (OF_ACCOUNT, OLDER_ATTRIBUTES):
        assert f"`{path}`" in PAGE


def test_every_call_is_shown() -> None:
    made = {sent(command.text) for command in shown.commands(PAGE)}
    for method, path in calls():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))
        assert any(
            call and call[0] == method and re.fullmatch(pattern, call[1]) for call in made
        ), f"{method} {path}"


def test_every_kind_of_problem_is_described() -> None:
    document = json.dumps(described(authentication=True))
    kinds = set(re.findall("urn:monotron:problem:([a-z-]+)", document))
    assert len(kinds) > 10
    table = PAGE.partition("| status |")[2].partition("\n\n")[0]
    assert set(re.findall("`([a-z]+-[a-z-]+)`", table)) == kinds


@pytest.mark.parametrize(
    ("sentence", "limit"),
    [
        ("have 1 to {} bytes of UTF-8", limits.NAME_BYTES),
        ("A name has at most {} bytes", limits.VERSION_NAME_BYTES),
        ("`count` takes up to {} values", limits.RANGE_VALUES),
        ("`limit`, which is {} at most", limits.PAGE_ROWS),
        ("A page has {} values", limits.DEFAULT_PAGE_ROWS),
        ("A page has {} series", limits.DEFAULT_PAGE_ROWS),
        ("The newest {} values of each series", limits.HISTORY_VALUES),
        ("up to {} of its newest values", limits.RECENT_VALUES),
        ("a page shows at most {} such values", limits.RECENT_PAGE_VALUES),
        ("token, without texts of more than {} bytes", limits.LISTED_ATTRIBUTE_BYTES),
        ("that has any, without texts of more than {} bytes", limits.LISTED_ATTRIBUTE_BYTES),
        ("a page then has at most {} series", limits.INCLUDED_PAGE_ROWS),
        ("At most the newest {} values of a series are counted", limits.ACTIVITY_VALUES),
        ("hours or {} days at most", limits.ACTIVITY_DAYS),
        ("The counts of an account are kept for {} days", limits.ACTIVITY_DAYS),
        ("They are written at most every {} seconds", round(PENDING_SECONDS)),
        ("`series` counts up to {}", limits.COUNTED_SERIES),
        ("`label` and `message` have at most {} bytes", limits.NAME_BYTES),
        ("may keep a badge for {} seconds", badges.MAX_AGE),
        ("shields.io keeps one for at least {} seconds", badges.CACHE_SECONDS),
        ("A token has at most {} attributes", limits.ATTRIBUTES),
        ("each of at most {} bytes", limits.ATTRIBUTE_BYTES),
        ("has 1 to {} printable ASCII characters", limits.IDEMPOTENCY_KEY_CHARACTERS),
        ("for at least {} hours", limits.IDEMPOTENCY_HOURS),
        ("An API key has at most {} of them", limits.SCOPES),
        ("the account has {} API keys", limits.API_KEYS),
        ("of 1 to {} letters, digits and `._~:@/+=-`", limits.REQUEST_ID_CHARACTERS),
        ("A URL has at most {} bytes", limits.URL_BYTES),
        ("the headers of a request {}", limits.HEADER_BYTES),
        ("a body {}", limits.JSON_BYTES),
        ("one with attributes {}", limits.ATTRIBUTES_BYTES),
    ],
)
def test_every_limit_is_the_one_in_force(sentence: str, limit: int) -> None:
    assert sentence.format(f"{limit:,}") in " ".join(PAGE.split())


def test_forms_of_a_letter_are_two_names_as_the_page_says(api: Api) -> None:
    for form in ("NFC", "NFD"):
        letter = quote(unicodedata.normalize(form, "ü"))
        assert f"({form}, `{letter}`)" in PAGE
        response = api.post(f"/v1/series/{letter}")
        assert response.json["value"] == 1
        assert quote(response.json["key"]) == letter


def test_the_last_value_is_the_one_in_force() -> None:
    assert re.findall("[0-9]{19}", PAGE) == [str(limits.LAST_VALUE)] * 2


# How a page's output is compared

TIME = "2026-11-22T23:38:51.123456Z"
KEY = "kQ3vX8Zp2LrT6mNwB9cY4hJd"


def test_an_output_has_to_be_the_same_to_the_byte() -> None:
    seen = shown.Seen()
    assert seen.same('{"value":1}\n', '{"value":1}')
    assert seen.same("1\n", "1\n")
    assert seen.same("", "")
    assert not seen.same('{"value":1}\n', '{"value":2}')
    assert not seen.same('{"value":1}\n', '{"value": 1}')
    assert not seen.same("", "1\n")
    assert not seen.same("1\n", "")
    assert not seen.same("a.c\n", "abc\n")


@pytest.mark.parametrize(
    ("there", "now", "other"),
    [
        (TIME, "2027-01-02T03:04:05.000006Z", "2027-01-02T03:04:05Z"),
        ("2026-11-22", "2027-01-02", "2027-1-2"),
        ("Sun, 22 Nov 2026 23:38:51 GMT", "Sat, 02 Jan 2027 03:04:05 GMT", "2 Jan 2027"),
    ],
)
def test_a_time_stands_for_any_that_is_written_alike(there: str, now: str, other: str) -> None:
    seen = shown.Seen()
    assert seen.same(f"at {there}\n", f"at {now}\n")
    assert not seen.same(f"at {there}\n", f"at {other}\n")
    assert not seen.same(f"at {there}\n", f"on {now}\n")


def test_a_word_stands_for_the_same_text_throughout() -> None:
    seen = shown.Seen()
    other = KEY[::-1]
    assert not seen.same("KEY1:SECRET1\n", f"{KEY}:{'s' * 127}\n")
    assert seen.same("KEY1:SECRET1\n", f"{KEY}:{'s' * 128}\n")
    assert seen.same("1 KEY1\n2 KEY2\n", f"1 {KEY}\n2 {other}\n")
    assert not seen.same("KEY1\n", f"{other}\n")
    assert not seen.same("KEY3 KEY3\n", f"{KEY} {other}\n")
    assert seen.same("KEY3 KEY3\n", f"{other} {other}\n")


def test_what_varies_is_told_on_the_page() -> None:
    told = PAGE.partition("What differs")[2].partition("\n\n")[0]
    examples = re.findall("`([^`]+)`", told)
    patterns = [*shown.TIMES, *(f"{word}[0-9]" for word in shown.WORDS)]
    for pattern in patterns:
        assert any(re.fullmatch(pattern, example) for example in examples), pattern
    assert all(any(re.fullmatch(pattern, each) for pattern in patterns) for each in examples)
