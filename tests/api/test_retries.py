"""Idempotency-Key: a repeat with the same key gets the first answer again."""

from typing import Any
from urllib.parse import quote

import pytest

from monotron.app import create_app
from monotron.core import tables
from monotron.settings import Settings
from monotron.store.contract import Store
from monotron.store.lmdb import LmdbStore
from tests.conftest import all_rows, held
from tests.support.web import (
    AS_TEXT,
    LAST_VALUE,
    NAMES,
    PLAIN,
    UUID,
    Api,
    problem,
    url,
    wait_until_ready,
)

TAKES = [
    f"/{UUID}",
    "/v1/series/svc",
    "/v1/series/svc?count=1",
    "/v1/series/svc?count=100",
    "/v1/accounts/1/series/svc",
    "/v1/accounts/7/series/svc?count=3",
]

every_take = pytest.mark.parametrize("target", TAKES)


def with_key(key: str, **headers: str) -> dict[str, str]:
    return {"Idempotency-Key": key, **headers}


def take(api: Api, target: str, key: str) -> int:
    members = api.post(target, headers=with_key(key)).json
    value: int = members["bn"] if "bn" in members else members["value"]
    return value


@pytest.fixture
def api(store: Store, settings: Settings) -> Api:
    """The API on a store with an account 7."""
    api = Api(create_app(store, settings))
    api.put("/v1/accounts/7")
    return api


@every_take
def test_the_same_key_gets_the_first_answer_again(api: Api, store: Store, target: str) -> None:
    first = api.post(target, headers=with_key('"a key"'))
    assert first.status_int == 200
    before = all_rows(store)
    for _ in range(3):
        again = api.post(target, headers=with_key('"a key"'))
        assert (again.status_int, again.body) == (200, first.body)
        assert again.headers == first.headers
    assert all_rows(store) == before


@every_take
def test_the_first_answer_stays_while_others_take_numbers(api: Api, target: str) -> None:
    api.post(target)
    first = api.post(target, headers=with_key("first"))
    other = api.post(target, headers=with_key("other"))
    later = api.post(target)
    assert len({first.body, other.body, later.body}) == 3
    assert api.post(target, headers=with_key("first")).body == first.body
    assert api.post(target, headers=with_key("other")).body == other.body


@every_take
def test_a_retry_is_plain_text_where_that_is_preferred(api: Api, target: str) -> None:
    api.post(target)
    first = api.post(target, headers=with_key("text", **AS_TEXT))
    assert first.headers["Content-Type"] == PLAIN
    api.post(target)
    again = api.post(target, headers=with_key("text", **AS_TEXT))
    assert (again.status_int, again.body) == (200, first.body)
    assert again.headers == first.headers
    # The form of an answer is not part of the request.
    as_json = api.post(target, headers=with_key("text")).json
    assert first.body == b"%d\n" % (as_json["bn"] if "bn" in as_json else as_json["value"])


def test_a_retry_stands_in_history_once(api: Api) -> None:
    for _ in range(3):
        api.post("/v1/series/svc?count=2", headers=with_key("k"))
    history = api.get("/v1/history/svc").json["history"]
    assert [each["value"] for each in history] == [2, 1]


# What is another request


@pytest.mark.parametrize(
    "target",
    [
        "/v1/series/other",
        "/v1/series/svc?count=2",
        "/v1/series/svc?count=1",
        "/v1/series/SVC",
        "/v1/series/svc/token",
        f"/{UUID}",
    ],
)
def test_with_another_request_it_is_422(api: Api, store: Store, target: str) -> None:
    first = api.post("/v1/series/svc", headers=with_key("k"))
    before = all_rows(store)
    detail = problem(
        api.post(target, headers=with_key("k"), status=422), 422, "idempotency-key-reused"
    )
    assert "Idempotency-Key" in detail
    assert all_rows(store) == before
    assert api.post("/v1/series/svc", headers=with_key("k")).body == first.body
    assert api.post(target, headers=with_key("another")).status_int == 200


@every_take
def test_each_request_is_another_one(api: Api, target: str) -> None:
    api.post(target, headers=with_key("k"))
    same = {
        target,
        # Without authentication the caller's account is 1.
        target.replace("/v1/series", "/v1/accounts/1/series"),
        target.replace("/v1/accounts/1/series", "/v1/series"),
    }
    account = "/accounts/7/" in target
    for other in TAKES:
        status = api.post(other, headers=with_key("k"), expect_errors=True).status_int
        if ("/accounts/7/" in other) == account:
            assert status == (200 if other in same else 422)


def test_a_build_number_is_another_request_than_a_value_of_its_series(api: Api) -> None:
    api.post(f"/{UUID}", headers=with_key("k"))
    problem(api.post(f"/v1/series/{UUID}", headers=with_key("k"), status=422), 422)
    assert api.get(f"/{UUID}").json == {"bn": 1}


@pytest.mark.parametrize(
    ("target", "same"),
    [
        (f"/{UUID}", f"/{UUID.upper()}"),
        (f"/{UUID}", f"/{UUID.replace('-', '')}"),
        (f"/{UUID}", f"/%7B{UUID}%7D"),
        (f"/{UUID}", f"/{UUID}?"),
        ("/v1/series/svc", "/v1/series/%73vc"),
        ("/v1/series/svc", "/v1/accounts/1/series/svc"),
        ("/v1/series/svc/a", "/v1/series/svc/%61"),
        ("/v1/series/svc?count=12", "/v1/series/svc?count=012"),
        ("/v1/series/svc?count=12", "/v1/series/svc?&count=12"),
        ("/v1/series/svc?count=12", "/v1/series/svc?%63ount=1%32"),
        ("/v1/series/a%2Fb", "http://localhost/v1/series/a%2fb"),
    ],
)
def test_the_same_request_may_be_spelled_in_another_way(api: Api, target: str, same: str) -> None:
    first = api.post(target, headers=with_key("k"))
    assert api.post(same, headers=with_key("k")).body == first.body
    assert len(api.get("/v1/series").json["series"]) == 1


def test_the_body_is_not_part_of_the_request(api: Api) -> None:
    first = api.post(f"/{UUID}", b" {} ", headers=with_key("k"))
    assert api.post(f"/{UUID}", b"null", headers=with_key("k")).body == first.body


@pytest.mark.parametrize("name", NAMES)
def test_any_series_can_be_retried(api: Api, name: str) -> None:
    target = url("series", name)
    first = api.post(target, headers=with_key("k"))
    assert api.post(target, headers=with_key("k")).body == first.body
    assert api.post(target).json["value"] == 2


def test_requests_that_run_into_each_other_are_told_apart(api: Api) -> None:
    for number, key in enumerate(["svc", "svc1", "1", "11", "3:svc", "svc3:"]):
        target = url("series", key)
        assert take(api, target, f"k{number}") == 1
        problem(api.post(f"{target}?count=1", headers=with_key(f"k{number}"), status=422), 422)
    assert take(api, "/v1/series/svc1", "digit") == 2
    problem(api.post("/v1/series/svc?count=1", headers=with_key("digit"), status=422), 422)


# The header


@pytest.mark.parametrize(
    ("key", "same"),
    [
        ("8e03978e-40d5-43dd-bc93-6894a57f9324", '"8e03978e-40d5-43dd-bc93-6894a57f9324"'),
        ("a", '"a"'),
        ("!#$%&'()*+-./:<=>?@[\\]^_`{|}~", '"!#$%&\'()*+-./:<=>?@[\\\\]^_`{|}~"'),
        ("k" * 256, '"' + "k" * 256 + '"'),
        ("back\\slash", '"back\\\\slash"'),
    ],
)
def test_a_key_is_the_same_quoted_or_bare(api: Api, key: str, same: str) -> None:
    assert take(api, "/v1/series/svc", key) == 1
    assert take(api, "/v1/series/svc", same) == 1
    assert take(api, "/v1/series/svc", key[:-1] + ("b" if key[-1] != "b" else "c")) == 2


def test_every_printable_character_can_be_in_a_quoted_key(api: Api) -> None:
    keys = [chr(code) for code in range(0x20, 0x7F)]
    quoted = ['"' + ("\\" if key in '"\\' else "") + key + '"' for key in keys]
    assert [take(api, "/v1/series/svc", key) for key in quoted] == list(range(1, len(keys) + 1))
    assert [take(api, "/v1/series/svc", key) for key in quoted] == list(range(1, len(keys) + 1))


def test_blanks_belong_to_a_quoted_key(api: Api) -> None:
    keys = ['"a"', '" a"', '"a "', '"a  a"', '"a a"', '"A"', '"\\"a\\""']
    assert [take(api, "/v1/series/svc", key) for key in keys] == list(range(1, len(keys) + 1))


BROKEN = [
    "",
    " ",
    '""',
    '"',
    '"a',
    'a"',
    '"a"b',
    '"a""b"',
    "a b",
    "a,b",
    '"a", "b"',
    '"a";b',
    "a;b",
    "a\tb",
    '"a\tb"',
    '"a\\b"',
    '"a\\"',
    "k" * 257,
    '"' + "k" * 257 + '"',
    "Müller",
    '"Müller"',
    "\x80",
    '"\x7f"',
    "\x7f",
    "'a b'",
]


@every_take
def test_what_is_no_key_is_400_and_takes_nothing(api: Api, store: Store, target: str) -> None:
    before = all_rows(store)
    for key in BROKEN:
        response = api.post(target, headers=with_key(key), status=400)
        detail = problem(response, 400, "invalid-idempotency-key")
        assert "Idempotency-Key" in detail
    assert all_rows(store) == before


@pytest.mark.parametrize("size", [0, 257])
def test_the_400_says_how_long_a_key_may_be(api: Api, size: int) -> None:
    response = api.post("/v1/series/svc", headers=with_key(f'"{"k" * size}"'), status=400)
    detail = problem(response, 400)
    assert "1 to 256 characters" in detail
    assert str(size) in detail


@pytest.mark.parametrize("key", ["k", '"k"', *BROKEN])
def test_a_put_ignores_it(api: Api, key: str) -> None:
    headers = with_key(key)
    assert api.put("/v1/series/svc/a", headers=headers).json["value"] == 1
    assert api.put("/v1/series/svc/b", headers=headers).json["value"] == 2
    assert api.put("/v1/series/svc", b'{"value":9}', headers=headers).json["value"] == 9
    assert api.put("/v1/semver/svc/major/a", headers=headers).json["version"] == "1.0.0"
    assert api.put("/v1/semver/svc/minor/a", headers=headers).json["version"] == "1.1.0"
    attrs = "/v1/tokens/svc/a/attrs"
    assert api.put(f"{attrs}/author", b"Ada", headers=headers).json == {"author": "Ada"}
    assert api.put(attrs, b'{"a":"b"}', headers=headers).json == {"a": "b"}
    assert api.put("/v1/accounts/8", headers=headers).json == {"id": 8}
    assert api.get("/v1/series/svc", headers=headers).json["value"] == 9
    assert api.delete("/v1/series/svc", headers=headers).status_int == 200


def test_a_put_leaves_a_key_to_others(api: Api) -> None:
    api.put("/v1/series/svc/a", headers=with_key("k"))
    assert take(api, "/v1/series/other", "k") == 1


# Accounts


def test_two_accounts_use_the_same_key_without_seeing_each_other(api: Api) -> None:
    assert take(api, "/v1/series/svc?count=41", "k") == 41
    assert take(api, "/v1/accounts/7/series/svc", "k") == 1
    assert take(api, "/v1/accounts/7/series/svc", "other") == 2
    assert take(api, "/v1/series/svc?count=41", "k") == 41
    assert take(api, "/v1/accounts/7/series/svc", "k") == 1
    problem(api.post("/v1/accounts/7/series/svc?count=41", headers=with_key("k"), status=422), 422)
    assert api.get("/v1/series/svc").json["value"] == 41
    assert api.get("/v1/accounts/7/series/svc").json["value"] == 2


# Errors


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/v1/series/svc?count=0", 400),
        ("/v1/series/svc?count=1&count=1", 400),
        ("/v1/series/%00", 400),
        (f"/{UUID}0", 400),
        ("/no-uuid", 404),
        ("/v1/accounts/8/series/svc", 404),
        ("/v1/series/full", 409),
        ("/v1/series/full?count=2", 409),
        ("/v1/accounts/7/series/full", 409),
    ],
)
def test_after_an_error_the_key_can_be_used_again(
    api: Api, store: Store, target: str, status: int
) -> None:
    for account in (1, 7):
        api.put(url("series", "full", account=account), b'{"value":%d}' % LAST_VALUE)
    before = all_rows(store)
    for _ in range(2):
        problem(api.post(target, headers=with_key("k"), status=status), status)
    assert all_rows(store) == before
    for account in (1, 7):
        assert take(api, url("series", "svc", account=account), "k") == 1


def test_after_a_409_the_same_request_is_tried_anew(api: Api) -> None:
    api.put("/v1/series/svc", b'{"value":%d}' % LAST_VALUE)
    for _ in range(2):
        problem(api.post("/v1/series/svc", headers=with_key("k"), status=409), 409)
    api.delete("/v1/series/svc")
    assert take(api, "/v1/series/svc", "k") == 1
    assert take(api, "/v1/series/svc", "k") == 1


def test_the_last_value_is_given_again_and_no_409(api: Api) -> None:
    api.put("/v1/series/svc", b'{"value":%d}' % (LAST_VALUE - 1))
    assert take(api, "/v1/series/svc", "k") == LAST_VALUE
    problem(api.post("/v1/series/svc", status=409), 409)
    assert take(api, "/v1/series/svc", "k") == LAST_VALUE


def test_after_a_503_the_key_can_be_used_again(
    impatient_store: LmdbStore, settings: Settings
) -> None:
    api = Api(create_app(impatient_store, settings))
    first = take(api, "/v1/series/svc", "first")
    before = all_rows(impatient_store)
    with held(impatient_store.folder):
        for key in ("first", "k"):
            response: Any = api.post("/v1/series/svc", headers=with_key(key), expect_errors=True)
            problem(response, 503, "store-unavailable")
        assert all_rows(impatient_store) == before
    wait_until_ready(api)
    assert take(api, "/v1/series/svc", "first") == first
    assert take(api, "/v1/series/svc", "k") == first + 1


def test_after_a_507_the_key_can_be_used_again(tiny_store: LmdbStore, settings: Settings) -> None:
    api = Api(create_app(tiny_store, settings))
    ballast = "/v1/tokens/ballast/token/attrs"
    api.put(ballast, b'{"a":"%s"}' % (b"x" * 8_000))
    for number in range(10_000):
        key = f"key {number}"
        response = api.post("/v1/series/svc", headers=with_key(f'"{key}"'), expect_errors=True)
        if response.status_int == 507:
            break
        assert response.json["value"] == number + 1
    problem(response, 507, "store-full")
    assert api.get("/v1/series/svc").json["value"] == number
    api.delete(ballast)
    assert take(api, "/v1/series/svc", f'"{key}"') == number + 1
    assert take(api, "/v1/series/svc", f'"{key}"') == number + 1
    assert take(api, "/v1/series/svc", '"key 0"') == 1


@every_take
def test_after_the_series_is_deleted_a_retry_gets_the_first_answer(api: Api, target: str) -> None:
    api.post(target)
    first = api.post(target, headers=with_key("k"))
    series = quote(target.partition("?")[0])
    api.delete(f"/v1/series/{UUID}" if series == f"/{UUID}" else series)
    assert api.post(target, headers=with_key("k")).body == first.body
    # And takes nothing from the one that starts again.
    problem(api.get(series, status=404), 404)
    assert api.post(target, headers=with_key("new")).body != first.body
    assert api.post(target, headers=with_key("k")).body == first.body


def test_another_start_remembers(own_store: LmdbStore, settings: Settings) -> None:
    first = Api(create_app(own_store, settings)).post("/v1/series/svc", headers=with_key("k"))
    folder = own_store.folder
    own_store.close()
    second = LmdbStore(folder, tables.ALL)
    try:
        api = Api(create_app(second, settings))
        assert api.post("/v1/series/svc", headers=with_key("k")).body == first.body
        assert take(api, "/v1/series/svc", "other") == 2
    finally:
        second.close()
