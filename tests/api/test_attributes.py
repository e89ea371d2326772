"""Attributes: texts that are kept beside a token and come back byte for byte."""

import json
from typing import Any

import pytest

from monotron.store.contract import Store
from tests.conftest import all_rows
from tests.support.web import JSON, NAMES, PLAIN, Api, problem, url

ATTRS = "/v1/tokens/svc/token/attrs"
SERIES_ATTRS = "/v1/series/svc/token/attrs"
"""The paths of the older series service."""

paths = pytest.mark.parametrize(
    "attrs",
    [ATTRS, SERIES_ATTRS, ATTRS.replace("v1", "v1/accounts/1")],
)

TEXTS = [
    "",
    "text",
    "two\nlines",
    "a final newline\n",
    "\r\n",
    " blanks \t",
    "\0",
    "".join(map(chr, range(32))) + "\x7f\x80",
    '{"json":1}',
    '"quoted"',
    "100%2F",
    "a+b&c=d",
    "<script>alert(1)</script>",
    "\ufeffafter a byte order mark",
    "\ufffe\uffff",
    "Müller 版本 😀",
    "e\u0301 é",
]

texts = pytest.mark.parametrize("text", TEXTS)


def as_json(members: Any) -> bytes:
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()


def test_what_is_sent_is_stored_and_told(api: Api) -> None:
    response = api.put(ATTRS, b' { "author" : "Ada",\n"url" : "http://ci/7" } ')
    assert response.status_int == 200
    assert response.headers["Content-Type"] == JSON
    assert response.body == b'{"author":"Ada","url":"http://ci/7"}'
    response = api.get(ATTRS)
    assert response.headers["Content-Type"] == JSON
    assert response.body == b'{"author":"Ada","url":"http://ci/7"}'


def test_the_others_stay(api: Api) -> None:
    api.put_json(ATTRS, {"author": "Ada", "url": "http://ci/7"})
    response = api.put_json(ATTRS, {"author": "Grace", "branch": "main"})
    assert response.body == b'{"author":"Grace","branch":"main"}'
    everything = {"author": "Grace", "branch": "main", "url": "http://ci/7"}
    assert api.get(ATTRS).json == everything
    assert api.put(ATTRS, b"{}").body == b"{}"
    assert api.get(ATTRS).json == everything


def test_where_there_are_none_the_object_is_empty(api: Api, store: Store) -> None:
    response = api.get(ATTRS)
    assert (response.status_int, response.body) == (200, b"{}")
    assert not any(all_rows(store).values())


def test_one_is_stored_from_the_bare_body(api: Api) -> None:
    response = api.put(f"{ATTRS}/author", b"Ada")
    assert response.status_int == 200
    assert response.headers["Content-Type"] == JSON
    assert response.body == b'{"author":"Ada"}'
    assert api.put(f"{ATTRS}/author", b"Grace").body == b'{"author":"Grace"}'
    assert api.get(ATTRS).body == b'{"author":"Grace"}'


def test_one_is_the_bare_text_that_no_browser_takes_for_a_page(api: Api) -> None:
    api.put(f"{ATTRS}/author", b"<b>Ada</b>")
    for accept in ("*/*", "application/json", "text/html", "text/plain"):
        response = api.get(f"{ATTRS}/author", headers={"Accept": accept})
        assert response.headers["Content-Type"] == PLAIN
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.body == b"<b>Ada</b>"


def test_one_that_is_not_there_is_404(api: Api) -> None:
    assert "author" in problem(api.get(f"{ATTRS}/author", status=404), 404, "")
    api.put(f"{ATTRS}/author", b"Ada")
    problem(api.get(f"{ATTRS}/Author", status=404), 404)
    problem(api.get("/v1/tokens/svc/other/attrs/author", status=404), 404)
    problem(api.get("/v1/tokens/other/token/attrs/author", status=404), 404)
    assert api.head(f"{ATTRS}/url", status=404).body == b""


@texts
@paths
def test_a_text_comes_back_byte_for_byte(api: Api, attrs: str, text: str) -> None:
    expected = as_json({"raw": text})
    assert api.put(f"{attrs}/raw", text.encode()).json == {"raw": text}
    assert api.get(f"{attrs}/raw").body == text.encode()
    assert api.get(attrs).json == json.loads(expected) == {"raw": text}
    api.put(attrs, as_json({"json": text}))
    assert api.get(f"{attrs}/json").body == text.encode()
    api.put(attrs, json.dumps({"escaped": text}).encode())
    assert api.get(f"{attrs}/escaped").body == text.encode()


def test_the_escapes_of_json_are_read(api: Api) -> None:
    api.put(ATTRS, rb'{"\u0061uthor":"\ud83d\ude00\u0000\/\n"}')
    assert api.get(f"{ATTRS}/author").body == "😀\0/\n".encode()


@pytest.mark.parametrize("content_type", [None, JSON, "text/plain", "image/png", "x"])
def test_the_content_type_of_a_body_does_not_matter(api: Api, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    api.put(ATTRS, b'{"author":"Ada"}', headers=headers)
    api.put(f"{ATTRS}/url", b"a=b&c=d", headers=headers)
    assert api.get(ATTRS).json == {"author": "Ada", "url": "a=b&c=d"}


@pytest.mark.parametrize("name", NAMES)
def test_any_name_can_be_a_key_a_token_and_an_attribute(api: Api, name: str) -> None:
    for base in ("tokens", "series"):
        everything = url(base, name, name, "attrs")
        one = url(base, name, name, "attrs", name)
        assert api.put(everything, as_json({name: "text", "other": ""})).json == {
            name: "text",
            "other": "",
        }
        assert api.get(one).body == b"text"
        assert api.put(one, b"changed").json == {name: "changed"}
        assert api.get(everything).json == {name: "changed", "other": ""}
        api.delete(one)
        problem(api.get(one, status=404), 404)
        assert api.get(everything).json == {"other": ""}
        api.delete(everything)
        assert api.get(everything).json == {}


def test_names_that_run_into_each_other_are_told_apart(api: Api) -> None:
    places = [("a/b", "c", "d"), ("a", "b/c", "d"), ("a", "b", "c/d"), ("ab", "c", "d")]
    for place in places:
        key, token, name = place
        api.put(url("tokens", key, token, "attrs", name), "|".join(place).encode())
    for place in places:
        key, token, name = place
        assert api.get(url("tokens", key, token, "attrs")).json == {name: "|".join(place)}


def test_both_paths_name_the_same_attributes(api: Api) -> None:
    api.put(ATTRS, b'{"author":"Ada"}')
    assert api.get(SERIES_ATTRS).body == b'{"author":"Ada"}'
    api.put(f"{SERIES_ATTRS}/url", b"http://ci/7")
    assert api.get(f"{ATTRS}/url").body == b"http://ci/7"
    api.delete(f"{SERIES_ATTRS}/author")
    assert api.get(ATTRS).json == {"url": "http://ci/7"}


def test_the_token_need_not_have_been_used(api: Api) -> None:
    api.put(f"{ATTRS}/author", b"Ada")
    problem(api.get("/v1/series/svc", status=404), 404)
    assert api.get("/v1/series").json["series"] == []
    assert api.put("/v1/series/svc/token").json["value"] == 1
    assert api.get(f"{ATTRS}/author").body == b"Ada"


def test_an_attribute_is_no_token_of_the_series(api: Api) -> None:
    api.put("/v1/series/svc/attrs")
    api.put(f"{SERIES_ATTRS}/author", b"Ada")
    assert api.get("/v1/series/svc/attrs").json["value"] == 1
    assert api.get("/v1/series/svc").json["value"] == 1


# Deleting


@paths
def test_one_is_deleted_alone(api: Api, attrs: str) -> None:
    api.put_json(attrs, {"author": "Ada", "url": "http://ci/7"})
    response = api.delete(f"{attrs}/author")
    assert (response.status_int, response.body) == (200, b"")
    problem(api.get(f"{attrs}/author", status=404), 404)
    assert api.get(attrs).json == {"url": "http://ci/7"}


@paths
def test_all_of_a_token_are_deleted_together(api: Api, attrs: str) -> None:
    api.put("/v1/series/svc/token")
    api.put_json(attrs, {"author": "Ada", "url": "http://ci/7"})
    api.put("/v1/tokens/svc/other/attrs/author", b"Grace")
    response = api.delete(attrs)
    assert (response.status_int, response.body) == (200, b"")
    assert api.get(attrs).json == {}
    assert api.get("/v1/tokens/svc/other/attrs").json == {"author": "Grace"}
    assert api.get("/v1/series/svc/token").json["value"] == 1


@pytest.mark.parametrize("target", [ATTRS, f"{ATTRS}/author", SERIES_ATTRS])
def test_deleting_what_is_not_there_is_no_error(api: Api, store: Store, target: str) -> None:
    for _ in range(2):
        response = api.delete(target)
        assert (response.status_int, response.body) == (200, b"")
    assert not any(all_rows(store).values())


def test_they_go_with_the_series(api: Api) -> None:
    for key in ("svc", "svc2", "sv"):
        for token in ("token", "other"):
            api.put(url("tokens", key, token, "attrs", "author"), b"Ada")
    api.delete("/v1/series/svc")
    for token in ("token", "other"):
        assert api.get(url("tokens", "svc", token, "attrs")).json == {}
        assert api.get(url("tokens", "svc2", token, "attrs")).json == {"author": "Ada"}
        assert api.get(url("tokens", "sv", token, "attrs")).json == {"author": "Ada"}


# Limits


@paths
def test_a_token_has_at_most_64(api: Api, store: Store, attrs: str) -> None:
    for number in range(64):
        api.put(f"{attrs}/{number}", b"text")
    before = all_rows(store)
    detail = problem(api.put(f"{attrs}/more", b"text", status=400), 400, "invalid-attribute")
    assert "64" in detail
    problem(api.put_json(attrs, {"1": "a", "more": "b"}, status=400), 400, "invalid-attribute")
    assert all_rows(store) == before

    assert api.put(f"{attrs}/1", b"changed").json == {"1": "changed"}
    assert api.put_json(attrs, {str(number): "new" for number in range(64)}).status_int == 200
    assert api.get(attrs).json == {str(number): "new" for number in range(64)}
    api.delete(f"{attrs}/1")
    assert api.put(f"{attrs}/more", b"text").status_int == 200
    assert api.put("/v1/tokens/svc/other/attrs/1", b"text").status_int == 200


def test_more_than_64_at_once_are_400(api: Api, store: Store) -> None:
    many = {str(number): "text" for number in range(65)}
    detail = problem(api.put_json(ATTRS, many, status=400), 400, "invalid-attribute")
    assert "64" in detail
    assert "65" in detail
    assert not any(all_rows(store).values())


@pytest.mark.parametrize("letter", ["x", "é", "😀", "\n"])
def test_one_has_at_most_65536_bytes_of_utf_8(api: Api, store: Store, letter: str) -> None:
    text = letter * (65_536 // len(letter.encode()))
    assert api.put(f"{ATTRS}/raw", text.encode()).json == {"raw": text}
    assert api.put(ATTRS, as_json({"json": text})).json == {"json": text}
    assert api.get(f"{ATTRS}/raw").body == api.get(f"{ATTRS}/json").body == text.encode()

    before = all_rows(store)
    more = text + "x"
    for target, body in [
        (f"{ATTRS}/raw", more.encode()),
        (f"{ATTRS}/more", more.encode()),
        (ATTRS, as_json({"json": more})),
        (ATTRS, as_json({"first": "fits", "second": more})),
    ]:
        detail = problem(api.put(target, body, status=400), 400, "invalid-attribute")
        assert "65536" in detail
    assert all_rows(store) == before


def test_64_of_64_kib_are_stored_and_told_at_once(api: Api) -> None:
    many = {f"{number:02}": chr(ord("0") + number) * 65_536 for number in range(64)}
    assert api.put(ATTRS, as_json(many)).body == as_json(many)
    assert api.get(ATTRS).body == as_json(many)
    for name, text in many.items():
        assert api.get(f"{ATTRS}/{name}").body == text.encode()


@pytest.mark.parametrize("target", [ATTRS, f"{ATTRS}/author", SERIES_ATTRS])
def test_a_body_of_more_than_5_mib_is_413(api: Api, store: Store, target: str) -> None:
    body = b'{"author":"Ada"}'
    problem(api.put(target, body.ljust(5 * 2**20 + 1), status=413), 413, "")
    assert not any(all_rows(store).values())
    if target != f"{ATTRS}/author":
        assert api.put(target, body.ljust(5 * 2**20)).json == {"author": "Ada"}


# What is refused


@pytest.mark.parametrize("value", [None, True, False, 7, 7.5, [], ["text"], {}, {"a": "b"}])
@paths
def test_what_is_no_string_is_400(api: Api, store: Store, attrs: str, value: object) -> None:
    detail = problem(
        api.put_json(attrs, {"first": "text", "author": value}, status=400),
        400,
        "invalid-attribute",
    )
    assert "author" in detail
    assert "string" in detail
    assert not any(all_rows(store).values())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"7",
        b'"text"',
        b"[]",
        b'[{"author":"Ada"}]',
        b'[["author","Ada"]]',
        b'{"author"}',
        b'{"author":"Ada",}',
        b"{'author':'Ada'}",
        b'{author:"Ada"}',
        b'{"author":"two\nlines"}',
        b'{"author":"\\x41"}',
        b'{"author":"Ada"',
        b'{"author":"Ada"}{}',
        b'{"author":"Ada","author":"Ada"}',
        b'{"author":"Ada","url":"x","\\u0061uthor":"Grace"}',
        b'{"author":{"a":"b","a":"b"}}',
        b'{"author":NaN}',
        pytest.param(b'{"author":' + b"9" * 5_000 + b"}", id="long number"),
        b"author=Ada",
        b'\xef\xbb\xbf{"author":"Ada"}',
        '{"author":"Ada"}'.encode("utf-16"),
        pytest.param(b"[" * 1_000_000, id="deep lists"),
        pytest.param(b'{"author":' * 500_000, id="deep objects"),
    ],
)
def test_what_is_no_object_of_json_is_400(api: Api, store: Store, body: bytes) -> None:
    problem(api.put(ATTRS, body, status=400), 400)
    assert not any(all_rows(store).values())


INVALID_UTF_8 = [
    b"\xff",
    b"text\xc3",
    b"\xc3\x28",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    "Müller".encode("latin-1"),
]


@pytest.mark.parametrize("text", INVALID_UTF_8)
@paths
def test_a_body_that_is_not_utf_8_is_400(api: Api, store: Store, attrs: str, text: bytes) -> None:
    assert "UTF-8" in problem(api.put(f"{attrs}/author", text, status=400), 400)
    problem(api.put(attrs, b'{"author":"' + text + b'"}', status=400), 400)
    problem(api.put(attrs, b'{"' + text + b'":"Ada"}', status=400), 400)
    assert not any(all_rows(store).values())


@pytest.mark.parametrize("half", [rb"\ud83d", rb"\ude00", rb"\ude00\ud83d", rb"a\ud83dz"])
def test_half_of_a_surrogate_pair_is_400(api: Api, store: Store, half: bytes) -> None:
    for body, kind in [
        (b'{"first":"text","author":"' + half + b'"}', "invalid-attribute"),
        (b'{"first":"text","' + half + b'":"Ada"}', "invalid-name"),
    ]:
        problem(api.put(ATTRS, body, status=400), 400, kind)
    assert not any(all_rows(store).values())


@pytest.mark.parametrize(
    "name", ["", "\0", "a\nb", "\x7f", "\x85", "a" * 257, "é" * 129, "😀" * 64 + "a"]
)
def test_what_cannot_be_a_name_is_400(api: Api, store: Store, name: str) -> None:
    body = as_json({"first": "text", name: "Ada"})
    detail = problem(api.put(ATTRS, body, status=400), 400, "invalid-name")
    assert "attribute name" in detail
    problem(api.put(url("tokens", "svc", "token", "attrs", name), b"Ada", status=400), 400)
    assert not any(all_rows(store).values())


# Accounts and polling


def test_two_accounts_have_attributes_of_the_same_token_without_seeing_each_other(
    api: Api, store: Store
) -> None:
    api.put("/v1/accounts/7")
    others = url("tokens", "svc", "token", "attrs", account=7)
    api.put_json(ATTRS, {"author": "Ada", "url": "http://ci/7"})
    before = all_rows(store)
    assert api.get(others).json == {}
    problem(api.get(f"{others}/author", status=404), 404)
    api.delete(f"{others}/author")
    api.delete(others)
    api.delete("/v1/accounts/7/series/svc")
    assert all_rows(store) == before

    api.put(f"{others}/author", b"Grace")
    assert api.get(f"{others}/author").body == b"Grace"
    assert api.get(ATTRS).json == {"author": "Ada", "url": "http://ci/7"}
    api.delete("/v1/series/svc")
    assert api.get(ATTRS).json == {}
    older = url("series", "svc", "token", "attrs", account=7)
    assert api.get(others).body == api.get(older).body == b'{"author":"Grace"}'
