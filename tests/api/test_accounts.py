"""Accounts and their API keys over HTTP."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import pytest
import webtest

from monotron.core import api_keys
from monotron.core.api_keys import Pair
from monotron.limits import API_KEYS, JSON_BYTES, SCOPES
from monotron.store.contract import Store, Transaction
from tests.conftest import ROOT, all_rows, basic, new_key
from tests.support.calls import call_in
from tests.support.web import LAST_VALUE, UUID, Api, problem

JSON = "application/json"
GRANTS = "/v1/accounts/1/grants"


class Root:
    """A client with the root pair."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def __call__(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> webtest.TestResponse:
        return self.api.request(
            path,
            method=method,
            body=body,
            headers={**basic(ROOT), **headers},
            expect_errors=True,
        )

    def grant(self, *scopes: str, account: int = 1) -> Pair:
        """Make an API key."""
        made = self.granted(list(scopes), account=account)["api_key"]
        return Pair(made["key"], made["secret"])

    def granted(self, body: Any, *, account: int = 1) -> dict[str, Any]:
        response = self.api.post_json(f"/v1/accounts/{account}/grants", body, headers=basic(ROOT))
        assert response.status_int == 200
        members: dict[str, Any] = response.json
        return members

    def keys(self, account: int = 1) -> list[str]:
        listed = self("GET", f"/v1/accounts/{account}/grants").json
        return [grant["api_key"]["key"] for grant in listed]


@pytest.fixture
def root(guarded: Api) -> Root:
    return Root(guarded)


# Accounts


def test_account_1_is_always_there(root: Root) -> None:
    response = root("GET", "/v1/accounts/1")
    assert (response.status_int, response.body) == (200, b'{"id":1}')
    assert response.headers["Content-Type"] == JSON
    response = root("GET", "/v1/accounts")
    assert response.body == b'{"accounts":[{"id":1}],"next":null}'
    assert response.headers["Content-Type"] == JSON


def test_put_makes_an_account_and_again_changes_nothing(root: Root, store: Store) -> None:
    problem(root("GET", "/v1/accounts/7"), 404)
    response = root("PUT", "/v1/accounts/7")
    assert (response.status_int, response.body) == (200, b'{"id":7}')
    assert response.headers["Content-Type"] == JSON
    before = all_rows(store)
    assert root("PUT", "/v1/accounts/7").body == b'{"id":7}'
    assert root("PUT", "/v1/accounts/1").body == b'{"id":1}'
    assert all_rows(store) == before
    assert root("GET", "/v1/accounts/7").body == b'{"id":7}'
    assert root("GET", "/v1/accounts").json["accounts"] == [{"id": 1}, {"id": 7}]


def test_accounts_are_listed_by_id_a_page_at_a_time(root: Root) -> None:
    for account in (300, 2, LAST_VALUE, 256, 7):
        root("PUT", f"/v1/accounts/{account}")
    everyone = [1, 2, 7, 256, 300, LAST_VALUE]
    for limit in range(1, 8):
        found: list[int] = []
        after: int | None = 0
        while after is not None:
            page = root("GET", f"/v1/accounts?after={after}&limit={limit}").json
            assert list(page) == ["accounts", "next"]
            assert len(page["accounts"]) <= limit
            found += [account["id"] for account in page["accounts"]]
            after = page["next"]
            assert after in (None, found[-1])
        assert found == everyone
    assert root("GET", f"/v1/accounts?after={LAST_VALUE}").json == {"accounts": [], "next": None}
    assert root("GET", "/v1/accounts?after=&limit=1").json == {"accounts": [{"id": 1}], "next": 1}


@pytest.mark.parametrize(
    "query",
    [
        "after=x",
        "after=-1",
        f"after={LAST_VALUE + 1}",
        f"after={'9' * 5000}",
        "limit=0",
        "limit=1001",
        "limit=",
        "limit=%D9%A3",
    ],
)
def test_a_page_that_cannot_be_is_400(root: Root, query: str) -> None:
    assert "number" in problem(root("GET", f"/v1/accounts?{query}"), 400)


BAD_IDS = {
    "-1": "-1",
    "2**63": str(2**63),
    "2**64": str(2**64),
    "20 digits": "1" * 20,
    "5000 digits": "1" * 5000,
    "5000 zeros": "0" * 5000 + "1",
    "letters": "abc",
    "hex": "0x1",
    "sign": "+1",
    "exponent": "1e0",
    "point": "1.0",
    "underscore": "1_0",
    "blank before": "%201",
    "blank after": "1%20",
    "newline after": "1%0A",
    "Arabic digit": "%D9%A3",
    "full-width digit": "%EF%BC%91",
    "superscript": "%C2%B9",
    "slash": "1%2F2",
    "null": "1%00",
    "empty": "",
}

IN_ACCOUNTS = [
    ("GET", "", b""),
    ("PUT", "", b""),
    ("GET", "/grants", b""),
    ("POST", "/grants", b"[]"),
    ("DELETE", "/grants/" + "a" * 24, b""),
    ("GET", "/series", b""),
    ("POST", "/series/svc", b""),
    ("PUT", "/series/svc/t1", b""),
    ("GET", "/history/svc", b""),
    ("PUT", "/tokens/svc/t1/attrs", b"{}"),
    ("PUT", "/semver/app/minor/t1", b""),
]


@pytest.mark.parametrize("account", BAD_IDS.values(), ids=BAD_IDS)
def test_what_cannot_be_an_accounts_id_is_400_for_everyone(
    root: Root, api: Api, store: Store, account: str
) -> None:
    pair = new_key(store, "*:series", "*:acl", "*:account")
    before = all_rows(store)
    for method, path, body in IN_ACCOUNTS:
        url = f"/v1/accounts/{account}{path}"
        for headers in (basic(ROOT), basic(pair)):
            response = root.api.request(
                url, method=method, body=body, headers=headers, expect_errors=True
            )
            assert "an account's id" in problem(response, 400)
            assert response.json["type"] == "urn:monotron:problem:invalid-number"
        problem(api.request(url, method=method, body=body, expect_errors=True), 400)
    assert all_rows(store) == before


@pytest.mark.parametrize("account", [1, 2, 255, 256, 2**32, LAST_VALUE])
def test_every_id_up_to_the_last_can_be_used(root: Root, account: int) -> None:
    assert root("PUT", f"/v1/accounts/{account}").json == {"id": account}
    path = f"/v1/accounts/{account}"
    assert root("POST", f"{path}/series/svc").json["creator_id"] == account
    pair = root.grant("read:series", "read:account", account=account)
    response = root.api.get("/v1/series/svc", headers=basic(pair))
    assert response.json["creator_id"] == account
    assert root.api.get(path, headers=basic(pair)).json == {"id": account}


def test_accounts_share_nothing(root: Root) -> None:
    root("PUT", "/v1/accounts/2")
    first, second = "/v1/accounts/1", "/v1/accounts/2"
    for path, times in ((first, 1), (second, 3)):
        for number in range(times):
            root("PUT", f"{path}/series/svc/t{number}")
            root("PUT", f"{path}/semver/app/minor/t{number}")
        root("PUT", f"{path}/tokens/svc/t/attrs", b'{"path":"%s"}' % path.encode())
        url, once = f"{path}/series/retried?count={times}", {"Idempotency-Key": "once"}
        assert root("POST", url, headers=once).json["value"] == times
    before = [
        root("GET", first + path).body
        for path in ("/series", "/series/svc", "/history/svc", "/tokens/svc/t/attrs", "/semver/app")
    ]
    assert root("GET", f"{first}/series/svc").json["value"] == 1
    assert root("GET", f"{second}/series/svc").json["value"] == 3
    assert root("GET", f"{second}/semver/app").json["version"] == "0.3.0"
    assert root("GET", f"{second}/tokens/svc/t/attrs").json == {"path": second}
    for key in ("svc", "retried", "app-minor-v0"):
        assert root("DELETE", f"{second}/series/{key}").status_int == 200
    after = [
        root("GET", first + path).body
        for path in ("/series", "/series/svc", "/history/svc", "/tokens/svc/t/attrs", "/semver/app")
    ]
    assert after == before
    assert root("GET", f"{second}/series").json["series"] == []


def test_without_authentication_accounts_can_be_made_and_used(api: Api) -> None:
    problem(api.post("/v1/accounts/7/series/svc", status=404), 404)
    assert api.put("/v1/accounts/7").json == {"id": 7}
    assert api.post("/v1/accounts/7/series/svc").json["creator_id"] == 7
    assert api.post("/v1/series/svc").json["creator_id"] == 1
    assert api.post(f"/{UUID}").json == {"bn": 1}
    assert [each["key"] for each in api.get("/v1/accounts/7/series").json["series"]] == ["svc"]


# API keys


def test_a_grant_is_answered_as_promised(root: Root) -> None:
    response = root("POST", GRANTS, b'["read,write:series"]')
    assert response.status_int == 200
    assert response.headers["Content-Type"] == JSON
    # The only answer with a secret in it is nothing to keep in a cache.
    assert response.headers["Cache-Control"] == "no-store"
    assert re.fullmatch(
        r'\{"account_id":1,"api_key":\{"id":1,"key":"[A-Za-z0-9]{24}",'
        r'"secret":"[A-Za-z0-9]{128}"\},"scopes":\["read,write:series"\]\}',
        response.text,
    )


def test_a_secret_is_shown_only_once(root: Root) -> None:
    made = root.granted(["read,write:series"])
    secret = made["api_key"].pop("secret")
    one = root("GET", f"{GRANTS}/{made['api_key']['key']}")
    assert one.json == made
    assert list(one.json) == ["account_id", "api_key", "scopes"]
    assert list(one.json["api_key"]) == ["id", "key"]
    many = root("GET", GRANTS)
    assert many.json == [made]
    for response in (one, many):
        assert response.headers["Content-Type"] == JSON
        assert secret not in response.text
        assert "secret" not in response.text


def test_grants_are_listed_oldest_first_and_ids_only_grow(root: Root) -> None:
    root("PUT", "/v1/accounts/2")
    made = [root.granted([], account=1 + number % 2) for number in range(12)]
    ids = [each["api_key"]["id"] for each in made]
    assert ids == sorted(set(ids))
    for each in made:
        del each["api_key"]["secret"]
    assert root("GET", GRANTS).json == made[::2]
    assert root("GET", "/v1/accounts/2/grants").json == made[1::2]

    # The id of a key that is gone is given to no other.
    newest = made[-1]["api_key"]
    root("DELETE", f"/v1/accounts/2/grants/{newest['key']}")
    assert root.granted([], account=2)["api_key"]["id"] > newest["id"]


def test_no_two_keys_and_no_two_secrets_are_alike(root: Root) -> None:
    made = [root.grant() for _ in range(20)]
    assert len({pair.key for pair in made} | {pair.secret for pair in made}) == 40


def test_a_key_works_from_the_answer_on_until_it_is_deleted(root: Root) -> None:
    pair, other = root.grant("*:series"), root.grant("*:series")
    assert root.api.post("/v1/series/svc", headers=basic(pair)).json["value"] == 1
    response = root("DELETE", f"{GRANTS}/{pair.key}")
    assert (response.status_int, response.body) == (200, b"")
    problem(root.api.post("/v1/series/svc", headers=basic(pair), status=401), 401)
    problem(root.api.get("/v1", headers=basic(pair), status=401), 401)
    problem(root("GET", f"{GRANTS}/{pair.key}"), 404)
    problem(root("DELETE", f"{GRANTS}/{pair.key}"), 404)
    assert root.keys() == [other.key]
    assert root.api.post("/v1/series/svc", headers=basic(other)).json["value"] == 2


def test_a_key_may_delete_itself(root: Root) -> None:
    pair = root.grant("delete:acl")
    path = f"{GRANTS}/{pair.key}"
    assert root.api.delete(path, headers=basic(pair)).status_int == 200
    problem(root.api.delete(path, headers=basic(pair), status=401), 401)


def test_a_key_that_a_key_makes_is_of_the_same_account(root: Root) -> None:
    root("PUT", "/v1/accounts/2")
    maker = root.grant("write:acl", account=2)
    path = "/v1/accounts/2/grants"
    made = root.api.post_json(path, ["*:series"], headers=basic(maker)).json
    assert made["account_id"] == 2
    pair = Pair(made["api_key"]["key"], made["api_key"]["secret"])
    assert root.api.post("/v1/series/svc", headers=basic(pair)).json["creator_id"] == 2
    problem(root.api.post_json(GRANTS, [], headers=basic(maker), status=403), 403)
    assert root.keys(1) == []


def test_grants_of_another_account_are_as_unknown_as_those_of_nobody(root: Root) -> None:
    root("PUT", "/v1/accounts/2")
    theirs, nobodys = root.grant("*:series", account=2).key, api_keys.new_pair().key
    ours = root.grant("*:acl")
    for method in ("GET", "DELETE"):
        bodies = {
            root.api.request(f"{GRANTS}/{key}", method=method, headers=basic(pair), status=404).body
            for pair in (ours, ROOT)
            for key in (theirs, nobodys)
        }
        assert len(bodies) == 1
    assert root.keys(2) == [theirs]
    listed = root.api.get(GRANTS, headers=basic(ours)).json
    assert [each["api_key"]["key"] for each in listed] == [ours.key]


NO_KEYS = ["a", "a" * 23, "a" * 25, "é" * 24, "é" * 12, "a" * 600, "\0" * 24, "a b", "/", " " * 24]


@pytest.mark.parametrize("key", NO_KEYS)
def test_what_cannot_be_a_key_is_404(root: Root, key: str) -> None:
    path = f"{GRANTS}/{quote(key, safe='')}"
    problem(root("GET", path), 404)
    problem(root("DELETE", path), 404)
    assert root("HEAD", path).status_int == 404


def test_a_key_is_case_sensitive(root: Root) -> None:
    pair = root.grant()
    problem(root("DELETE", f"{GRANTS}/{pair.key.swapcase()}"), 404)
    assert root.keys() == [pair.key]


# Scopes


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ([], []),
        (["read:series"], ["read:series"]),
        (["READ:Series"], ["read:series"]),
        ([" read , write : series "], ["read,write:series"]),
        (["write,read:series"], ["write,read:series"]),
        (["read,read,write,read:acl"], ["read,write:acl"]),
        (["*:system"], ["*:system"]),
        ([" * : account"], ["*:account"]),
        (["\tread\n:\r\nseries\t"], ["read:series"]),
        (["read:series", "write:acl"], ["read:series", "write:acl"]),
        (["read,write,delete:account"] * SCOPES, ["read,write,delete:account"] * SCOPES),
    ],
)
def test_scopes_are_kept_in_one_spelling(root: Root, sent: list[str], kept: list[str]) -> None:
    made = root.granted(sent)
    assert made["scopes"] == kept
    key = made["api_key"]["key"]
    assert root("GET", f"{GRANTS}/{key}").json["scopes"] == kept
    assert root("GET", GRANTS).json[0]["scopes"] == kept


@pytest.mark.parametrize("scope", ["READ:SERIES", " read :series", "read,read:series", "*:Series"])
def test_however_a_scope_is_spelled_it_counts(root: Root, scope: str) -> None:
    pair = root.grant(scope)
    assert root.api.get("/v1/series", headers=basic(pair)).status_int == 200


BAD_SCOPES = {
    "empty": b'[""]',
    "blank": b'["  "]',
    "no resource": b'["read"]',
    "empty resource": b'["read:"]',
    "no operation": b'[":series"]',
    "only a colon": b'[":"]',
    "unknown operation": b'["grant:series"]',
    "unknown resource": b'["read:everything"]',
    "every resource": b'["read:*"]',
    "everything": b'["*"]',
    "everything of everything": b'["*:*"]',
    "star and more": b'["*,read:series"]',
    "more and star": b'["read,*:series"]',
    "empty operation": b'["read,,write:series"]',
    "comma at the end": b'["read,:series"]',
    "comma at the start": b'[",read:series"]',
    "two resources": b'["read:series,acl"]',
    "two colons": b'["read:series:acl"]',
    "two scopes in one": b'["read:series write:acl"]',
    "the other way round": b'["series:read"]',
    "part of a word": b'["rea:series"]',
    "plural": b'["reads:series"]',
    "semicolon": b'["read;write:series"]',
    "zero byte": b'["read:series\\u0000"]',
    "zero-width blank": b'["read:series\\u200b"]',
    "long s": b'["read:\\u017feries"]',
    "full-width colon": b'["read\\uff1aseries"]',
    "half a surrogate pair": b'["read:\\ud800"]',
    "number": b"[1]",
    "null": b"[null]",
    "true": b"[true]",
    "list": b'[["read:series"]]',
    "object": b'[{"read":"series"}]',
    "one wrong among right ones": b'["read:series","write:acl","nonsense"]',
    "17 scopes": b"[" + b",".join([b'"read:series"'] * (SCOPES + 1)) + b"]",
    "thousands of scopes": b"[" + b",".join([b'"read:acl"'] * 5000) + b"]",
    "long scope": b'["' + b"read," * 10_000 + b'read:nothing"]',
    "long word": b'["' + b"a" * 60_000 + b':series"]',
}


@pytest.mark.parametrize("body", BAD_SCOPES.values(), ids=BAD_SCOPES)
def test_what_is_no_scope_is_400_and_no_key_is_made(root: Root, store: Store, body: bytes) -> None:
    before = all_rows(store)
    response = root("POST", GRANTS, body)
    detail = problem(response, 400)
    assert "scope" in detail
    assert len(detail) < 1000
    assert response.json["type"] == "urn:monotron:problem:invalid-scope"
    assert all_rows(store) == before


BAD_BODIES = {
    "nothing": b"",
    "blank": b"  ",
    "no JSON": b"read:series",
    "string": b'"read:series"',
    "null": b"null",
    "number": b"1",
    "NaN": b"[NaN]",
    "cut off": b'["read:series"',
    "comma at the end": b'["read:series",]',
    "two lists": b"[][]",
    "not UTF-8": b'["\xff"]',
    "UTF-16": '["read:series"]'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf[]",
    "nested deeply": b"[" * 30_000 + b"]" * 30_000,
    "a member twice": b'[{"a":1,"a":2}]',
    "a number of 5000 digits": b"[" + b"9" * 5000 + b"]",
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_body_that_is_no_list_is_400_and_no_key_is_made(
    root: Root, store: Store, body: bytes
) -> None:
    before = all_rows(store)
    assert "array" in problem(root("POST", GRANTS, body), 400)
    assert all_rows(store) == before


def test_a_body_that_is_too_large_is_413_and_no_key_is_made(root: Root, store: Store) -> None:
    before = all_rows(store)
    problem(root("POST", GRANTS, b"[]".ljust(JSON_BYTES + 1)), 413)
    assert all_rows(store) == before
    assert root("POST", GRANTS, b"[]".ljust(JSON_BYTES)).status_int == 200


# Limits


def test_an_account_has_room_for_1000_keys(root: Root, store: Store) -> None:
    def fill(txn: Transaction) -> list[str]:
        pairs = [api_keys.new_pair() for _ in range(API_KEYS)]
        return [api_keys.create(txn, call_in(1, now=1), pair, ()).key for pair in pairs]

    assert API_KEYS == 1000
    keys = store.update(fill)
    before = all_rows(store)
    response = root("POST", GRANTS, b"[]")
    assert "1000" in problem(response, 409)
    assert response.json["type"] == "urn:monotron:problem:too-many-api-keys"
    assert all_rows(store) == before
    assert root.keys() == keys

    # Another account has its own room.
    root("PUT", "/v1/accounts/2")
    assert root.granted([], account=2)["api_key"]["id"] == 1001
    root("DELETE", f"{GRANTS}/{keys[500]}")
    pair = root.grant("read:series")
    assert root.keys() == [*keys[:500], *keys[501:], pair.key]
    assert root.api.get("/v1/series", headers=basic(pair)).status_int == 200
    problem(root("POST", GRANTS, b"[]"), 409)
