"""Access: credentials, scopes and accounts, over every route."""

import base64
import hashlib
import hmac
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timezone
from typing import Any

import pytest
import webtest
from hypothesis import given
from hypothesis import strategies as st

from monotron.app import create_app
from monotron.core import api_keys, attributes, bumps, calver, semver, series, tables
from monotron.core.api_keys import Pair
from monotron.limits import HEADER_BYTES
from monotron.settings import Settings, read_settings
from monotron.store.contract import Store, Transaction
from monotron.store.lmdb import LmdbStore
from tests.conftest import ROOT, all_rows, basic, held, new_key, remove_all
from tests.support import service
from tests.support.calls import call_in
from tests.support.examples import sharing_fixtures
from tests.support.furnished import body_of
from tests.support.service import Service
from tests.support.web import LAST_VALUE, UUID, Api, problem, routes

OPEN = "open"
"""Needs nothing at all."""
KNOWN = "known"
"""Needs credentials, with any scopes."""
ROOT_ONLY = "root"

IN_AN_ACCOUNT = {
    "/series": {"GET": "read:series"},
    "/series/{key}": {
        "GET": "read:series",
        "POST": "write:series",
        "PUT": "write:series",
        "DELETE": "delete:series",
    },
    "/series/{key}/limit": {
        "GET": "read:series",
        "POST": "write:series",
        "PUT": "write:series",
        "DELETE": "write:series",
    },
    "/series/{key}/{token}": {
        "GET": "read:series",
        "POST": "write:series",
        "PUT": "write:series",
    },
    "/history/{key}": {"GET": "read:series"},
    "/tokens/{key}/{token}/attrs": {
        "GET": "read:series",
        "PUT": "write:series",
        "DELETE": "write:series",
    },
    "/tokens/{key}/{token}/attrs/{name}": {
        "GET": "read:series",
        "PUT": "write:series",
        "DELETE": "write:series",
    },
    "/series/{key}/{token}/attrs": {
        "GET": "read:series",
        "PUT": "write:series",
        "DELETE": "write:series",
    },
    "/series/{key}/{token}/attrs/{name}": {
        "GET": "read:series",
        "PUT": "write:series",
        "DELETE": "write:series",
    },
    "/calver/{name}": {"GET": "read:series"},
    "/calver/{name}/{token}": {"PUT": "write:series"},
    "/semver": {"GET": "read:series"},
    "/semver/{name}": {"GET": "read:series"},
    "/semver/{name}/{part}/{token}": {"PUT": "write:series"},
    "/semver/{name}/history": {"GET": "read:series"},
    "/semver/{name}/badge": {"GET": "read:series"},
    "/semver/{name}/badge.svg": {"GET": "read:series"},
    "/activity": {"GET": "read:series"},
    "/activity/{key}": {"GET": "read:series"},
    "/badges/{key}": {"GET": "read:series"},
    "/badges/{key}.svg": {"GET": "read:series"},
}

NEEDS = {
    "/livez": {"GET": OPEN},
    "/healthz": {"GET": OPEN},
    "/readyz": {"GET": OPEN},
    "/": {"GET": OPEN},
    "/web/{file}": {"GET": OPEN},
    "/metrics": {"GET": "read:system"},
    "/openapi.json": {"GET": KNOWN},
    "/v1": {"GET": KNOWN},
    "/v1/accounts": {"GET": ROOT_ONLY},
    "/v1/accounts/{account_id}": {"GET": "read:account", "PUT": ROOT_ONLY},
    "/v1/accounts/{account_id}/grants": {"GET": "read:acl", "POST": "write:acl"},
    "/v1/accounts/{account_id}/grants/{key}": {"GET": "read:acl", "DELETE": "delete:acl"},
    "/{uuid}": {"GET": "read:series", "POST": "write:series"},
    **{
        account + path: methods
        for account in ("/v1", "/v1/accounts/{account_id}")
        for path, methods in IN_AN_ACCOUNT.items()
    },
}
"""The right that each method of each route needs; HEAD needs the same as GET."""

ALL_SCOPES = [
    f"{operation}:{resource}"
    for operation in ("read", "write", "delete")
    for resource in ("series", "acl", "account", "system")
]

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]


@dataclass(frozen=True)
class Call:
    """A method of a route, and what it needs."""

    method: str
    route: str
    needs: str

    def __str__(self) -> str:
        return f"{self.method} {self.route}"

    @property
    def operation(self) -> str:
        return self.needs.partition(":")[0]

    @property
    def resource(self) -> str:
        return self.needs.partition(":")[2]


CALLS = [
    Call(method, route, needs)
    for route, methods in NEEDS.items()
    for method, needs in [*methods.items(), *[("HEAD", methods[m]) for m in methods if m == "GET"]]
]


def those(*needs: str) -> pytest.MarkDecorator:
    """Run the test for each call that needs one of these, or any scope if none is named."""
    calls = [each for each in CALLS if (each.needs in needs if needs else ":" in each.needs)]
    return pytest.mark.parametrize("call", calls, ids=str)


every_call = pytest.mark.parametrize("call", CALLS, ids=str)


@dataclass
class House:
    """An API with everything in it that a call can ask for, in the accounts 1 and 2."""

    store: LmdbStore
    api: Api
    """With authentication on."""
    open: Api
    """The same store without."""
    grants: dict[int, str]
    """An API key to look at in each account."""

    def furnish(self) -> None:
        """Put everything in its place, and remove all else."""

        def fill(txn: Transaction) -> None:
            remove_all(txn)
            for account in (1, 2):
                for key in ("svc", UUID):
                    series.advance(txn, call_in(account, now=1), key, token="t1")
                series.set_limit(txn, account, "svc", 1_000_000)
                attributes.put(txn, account, "svc", "t1", {"app": "x"})
                semver.bump(txn, call_in(account, now=1), "app", bumps.MINOR, "t1")
                calver.take(
                    txn, call_in(account, now=1), "app", "t1", scheme=None, zone=timezone.utc
                )

        self.store.update(fill)
        for account in (1, 2):
            self.grants[account] = new_key(self.store, "read:series", account=account).key

    def ask(
        self, call: Call, pair: Pair | None = None, *, account: int = 1, **others: Any
    ) -> webtest.TestResponse:
        headers = {} if pair is None else basic(pair)
        return self._ask(self.api, call, account, headers=headers, **others)

    def ask_openly(self, call: Call, *, account: int = 1) -> webtest.TestResponse:
        return self._ask(self.open, call, account)

    def _ask(self, api: Api, call: Call, account: int, **others: Any) -> webtest.TestResponse:
        key = self.grants.get(account, "a" * 24)
        path = call.route.replace("/grants/{key}", f"/grants/{key}").format(
            account_id=account,
            key="svc",
            token="t1",
            name="app",
            part="minor",
            uuid=UUID,
            file="index.html",
        )
        body = body_of(call.method, call.route)
        return api.request(path, method=call.method, body=body, expect_errors=True, **others)


@pytest.fixture(scope="module")
def house_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    store = LmdbStore(tmp_path_factory.mktemp("house"), tables.ALL)
    yield built(store, read_settings({}, {}))
    store.close()


@pytest.fixture
def house(house_of_module: House) -> House:
    """A house as new: to build one takes longer than what most of the tests do in it."""
    house_of_module.furnish()
    return house_of_module


def built(store: LmdbStore, settings: Settings) -> House:
    guarded, unguarded = create_app(store, guarding(settings)), create_app(store, settings)
    return House(store, Api(guarded), Api(unguarded), {})


def guarding(settings: Settings) -> Settings:
    return replace(settings, root_api_key=ROOT.key, root_api_secret=ROOT.secret)


def assert_401(response: webtest.TestResponse) -> bytes:
    """Return the body, after checking that the client is asked for credentials as promised."""
    assert response.status_int == 401
    assert response.headers.getall("WWW-Authenticate") == ['Basic realm="monotron"']
    assert response.headers["Content-Type"] == "application/problem+json"
    body: bytes = response.body
    if body:
        problem(response, 401)
    return body


def outcome(response: webtest.TestResponse) -> tuple[int, bytes, list[tuple[str, str]]]:
    """Return everything that a client can see."""
    return response.status_int, response.body, sorted(response.headers.items())


# Every route


def test_every_route_and_method_has_a_place_in_the_matrix() -> None:
    expected = {
        path: set(methods) | ({"HEAD"} if "GET" in methods else set())
        for path, methods in NEEDS.items()
    }
    assert routes() == expected


@every_call
def test_without_a_root_pair_every_call_is_open(house: House, call: Call) -> None:
    assert house.ask_openly(call).status_int == 200


@those(OPEN)
def test_health_checks_and_the_dashboard_stay_open(house: House, call: Call) -> None:
    assert house.ask(call).status_int == 200
    assert house.ask(call, Pair("nobody", "wrong")).status_int == 200
    assert house.ask(call, environ={"HTTP_AUTHORIZATION": "rubbish"}).status_int == 200


@pytest.mark.parametrize("call", [each for each in CALLS if each.needs != OPEN], ids=str)
def test_without_credentials_a_call_is_401_and_changes_nothing(house: House, call: Call) -> None:
    before = all_rows(house.store)
    bodies = {
        assert_401(house.ask(call)),
        assert_401(house.ask(call, account=3)),
        b"" if call.method == "HEAD" else house.api.get("/v1", status=401).body,
    }
    assert len(bodies) == 1
    assert_401(house.ask(call, replace(ROOT, secret="wrong")))
    assert all_rows(house.store) == before


@those()
def test_a_key_without_the_scope_is_403_and_changes_nothing(house: House, call: Call) -> None:
    others = [scope for scope in ALL_SCOPES if scope != call.needs]
    other = "series" if call.resource == "system" else "system"
    for held_scopes in ([], others, [f"*:{other}"]):
        pair = new_key(house.store, *held_scopes)
        before = all_rows(house.store)
        response = house.ask(call, pair)
        assert response.status_int == 403
        assert "WWW-Authenticate" not in response.headers
        if call.method != "HEAD":
            assert call.needs in problem(response, 403)
        assert all_rows(house.store) == before


@those()
def test_the_one_scope_that_a_call_needs_is_enough(house: House, call: Call) -> None:
    assert house.ask(call, new_key(house.store, call.needs)).status_int == 200


@those()
def test_a_scope_of_several_operations_is_enough(house: House, call: Call) -> None:
    for operations in ("*", "read,write,delete", f"write,{call.operation}"):
        pair = new_key(house.store, "read:system", f"{operations}:{call.resource}")
        # What is gone by now is found missing after the scope was looked at.
        assert house.ask(call, pair).status_int in (200, 404)


@those(ROOT_ONLY)
def test_what_only_root_may_do_no_scope_allows(house: House, call: Call) -> None:
    before_making = new_key(house.store, *ALL_SCOPES)
    stars = new_key(house.store, *[f"*:{name}" for name in ("series", "acl", "account", "system")])
    before = all_rows(house.store)
    for pair in (before_making, stars):
        response = house.ask(call, pair)
        assert response.status_int == 403
        if call.method != "HEAD":
            assert "root" in problem(response, 403)
    assert all_rows(house.store) == before


@those(KNOWN)
def test_any_key_may_see_what_is_nobodys(house: House, call: Call) -> None:
    assert house.ask(call, new_key(house.store)).status_int == 200


@every_call
def test_root_may_do_everything(house: House, call: Call) -> None:
    assert house.ask(call, ROOT).status_int == 200
    if "{account_id}" in call.route:
        assert house.ask(call, ROOT, account=2).status_int == 200


@pytest.mark.parametrize("call", [each for each in CALLS if "{account_id}" in each.route], ids=str)
def test_a_key_is_told_the_same_of_every_other_account_whether_it_exists_or_not(
    house: House, call: Call
) -> None:
    everything = new_key(house.store, *ALL_SCOPES)
    nothing = new_key(house.store)
    before = all_rows(house.store)
    answers = [
        outcome(house.ask(call, pair, account=account))
        for pair in (everything, nothing)
        for account in (2, 3, LAST_VALUE)
    ]
    assert answers[0][0] == 403
    assert all(answer == answers[0] for answer in answers)
    assert all_rows(house.store) == before


@pytest.mark.parametrize("call", [each for each in CALLS if "{account_id}" in each.route], ids=str)
def test_a_key_of_another_account_has_no_right_to_the_first(house: House, call: Call) -> None:
    pair = new_key(house.store, *ALL_SCOPES, account=2)
    assert house.ask(call, pair, account=1).status_int == 403
    own = 403 if call.needs == ROOT_ONLY else 200
    assert house.ask(call, pair, account=2).status_int == own


@pytest.mark.parametrize(
    "call",
    [each for each in CALLS if "{account_id}" in each.route and each.needs != ROOT_ONLY],
    ids=str,
)
def test_an_account_that_does_not_exist_is_404_for_root_and_where_all_is_open(
    house: House, call: Call
) -> None:
    before = all_rows(house.store)
    for response in (house.ask(call, ROOT, account=3), house.ask_openly(call, account=3)):
        assert response.status_int == 404
        if call.method != "HEAD":
            assert response.json["type"] == "urn:monotron:problem:no-such-account"
    assert all_rows(house.store) == before


# What is not in the matrix


@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")
@pytest.mark.parametrize("route", NEEDS)
def test_a_method_that_does_not_work_needs_credentials_too(house: House, route: str) -> None:
    there = {*NEEDS[route], *(["HEAD"] if "GET" in NEEDS[route] else [])}
    nobody = new_key(house.store)
    before = all_rows(house.store)
    for method in {*METHODS, "BREW"} - there:
        call = Call(method, route, KNOWN)
        if OPEN not in NEEDS[route].values():
            assert_401(house.ask(call))
            status = house.ask(call, nobody).status_int
            assert status == {"OPTIONS": 200, "BREW": 400}.get(method, 405)
            assert house.ask(call, ROOT).status_int == status
        if "{account_id}" in route and method != "BREW":
            answers = [outcome(house.ask(call, nobody, account=other)) for other in (2, 3)]
            assert answers[0][0] == 403
            assert answers[0] == answers[1]
    assert all_rows(house.store) == before


ELSEWHERE = [
    "/nothing/at/all",
    "/v2/series",
    "/v1/",
    "/v1/accounts/",
    "/v1/accounts/3/nothing",
    "/livez/",
    "//livez",
    "/LIVEZ",
    "/livez;x",
    "/%6Civez",
    "/livez%00",
    "/livez/../v1",
    "/readyz/../v1/series",
    "//",
    "/.",
    "/;x",
    "/web",
    "/web/../v1/series",
    "/web//index.html",
    "/WEB/index.html",
    "/v1/web/index.html",
    "/metrics/",
    "/v1/badges",
    "/v1/badges/svc/more",
]


@pytest.mark.parametrize("path", ELSEWHERE)
def test_a_path_that_is_not_there_needs_credentials_too(guarded: Api, path: str) -> None:
    target = {"REQUEST_URI": path}
    for method in METHODS:
        assert_401(guarded.request("/", method=method, environ=target, expect_errors=True))
        response = guarded.request(
            "/", method=method, environ=target, headers=basic(ROOT), expect_errors=True
        )
        assert response.status_int in (200, 400, 404, 405)


@pytest.mark.parametrize("target", ["/livez?x=/v1", "http://x/livez", "HTTPS://u@x:1/healthz?"])
def test_health_checks_are_open_however_they_are_asked_for(guarded: Api, target: str) -> None:
    assert guarded.get("/", extra_environ={"REQUEST_URI": target}).json == {"status": "alive"}


@pytest.mark.parametrize("target", ["/", "/?x=/v1", "http://x", "http://x/", "https://u@x:1?y"])
def test_the_dashboard_is_open_however_it_is_asked_for(guarded: Api, target: str) -> None:
    page = guarded.get("/web/index.html").body
    assert guarded.get("/", extra_environ={"REQUEST_URI": target}).body == page


@pytest.mark.parametrize("file", ["..", "%2E%2E", "..%2Fv1", "nothing.html", "__init__.py", "%2F"])
def test_among_the_files_of_the_dashboard_nothing_else_is_open(guarded: Api, file: str) -> None:
    for method in ("GET", "HEAD"):
        target = {"REQUEST_URI": f"/web/{file}"}
        response = guarded.request("/", method=method, environ=target, expect_errors=True)
        assert response.status_int == 404


@pytest.mark.parametrize(
    "path",
    ["/v1/series/%FF", "/v1/series/%", "/v1/series/a%00", "/v1/accounts/x", "/v1/series?limit=x"],
)
def test_who_has_no_credentials_is_not_told_what_else_is_wrong(guarded: Api, path: str) -> None:
    body = assert_401(guarded.get(path, expect_errors=True))
    assert body == guarded.get("/v1", status=401).body
    problem(guarded.get(path, headers=basic(ROOT), status=400), 400)


@sharing_fixtures
@given(st.text("/%.;?#l iv1\xe9\xff", max_size=12), st.sampled_from(METHODS))
def test_no_path_but_the_open_ones_does_without_credentials(
    guarded: Api, end: str, method: str
) -> None:
    for start in ("/livez/", "/%2Flivez", "/livez%", "/v1/", "/v1/badges/", "/web", "/"):
        target = {"REQUEST_URI": start + end}
        if re.fullmatch(r"/|/web/[^/]*", target["REQUEST_URI"].partition("?")[0]):
            continue
        response = guarded.request("/", method=method, environ=target, expect_errors=True)
        assert_401(response)


# Credentials


def encoded(text: str | bytes) -> str:
    data = text if isinstance(text, bytes) else text.encode()
    return base64.b64encode(data).decode()


RIGHT = encoded(f"{ROOT.key}:{ROOT.secret}")

BROKEN = {
    "blanks": "   ",
    "only a scheme": "Basic",
    "nothing after the scheme": "Basic ",
    "other scheme": f"Bearer {RIGHT}",
    "part of the scheme": f"Basi {RIGHT}",
    "scheme and more": f"Basics {RIGHT}",
    "digest": 'Digest username="root", realm="monotron"',
    "no scheme": RIGHT,
    "no blank": f"Basic{RIGHT}",
    "tab": f"Basic\t{RIGHT}",
    "not encoded": f"Basic {ROOT.key}:secret",
    "no base64": "Basic !!!!",
    "cut base64": "Basic cm9vd",
    "base64 and more": f"Basic {RIGHT}!",
    "base64 with a blank": f"Basic {RIGHT[:8]} {RIGHT[8:]}",
    "base64 for URLs": "Basic _-86_w==",
    "no ASCII": "Basic \xe9\xff",
    "no colon": f"Basic {encoded('root')}",
    "nothing": f"Basic {encoded('')}",
    "not UTF-8": f"Basic {encoded(bytes([0xFF, 0x3A, 0xFE]))}",
    "in Latin-1": f"Basic {encoded(f'{ROOT.key}:{ROOT.secret}'.encode('latin-1'))}",
    "half a surrogate pair": f"Basic {encoded(bytes([0xED, 0xA0, 0x80, 0x3A]))}",
    "the header twice": f"Basic {RIGHT}, Basic {RIGHT}",
    "huge": "Basic " + "A" * 2_000_000,
    "huge scheme": "A" * 2_000_000,
}


@pytest.mark.parametrize("header", BROKEN.values(), ids=BROKEN)
def test_a_header_that_holds_no_basic_credentials_is_401(house: House, header: str) -> None:
    before = all_rows(house.store)
    for path in ("/v1", "/v1/series", "/v1/accounts/2", "/nowhere/at/all"):
        response = house.api.get(
            path, extra_environ={"HTTP_AUTHORIZATION": header}, expect_errors=True
        )
        reference = house.api.get(path, headers={"Authorization": "Basic"}, status=401)
        assert assert_401(response) == reference.body
    response = house.api.post(
        f"/{UUID}", extra_environ={"HTTP_AUTHORIZATION": header}, expect_errors=True
    )
    assert_401(response)
    assert all_rows(house.store) == before


def test_an_empty_header_is_none(guarded: Api) -> None:
    response = guarded.get("/v1", extra_environ={"HTTP_AUTHORIZATION": ""}, expect_errors=True)
    assert assert_401(response) == guarded.get("/v1", status=401).body


@pytest.mark.parametrize("scheme", ["Basic ", "basic ", "BASIC ", "Basic   ", " Basic "])
def test_the_scheme_is_read_as_rfc_9110_has_it(guarded: Api, scheme: str) -> None:
    environ = {"HTTP_AUTHORIZATION": f"{scheme}{RIGHT} "}
    assert guarded.get("/v1", extra_environ=environ).status_int == 200


def wrong_pairs(known: Pair, other: Pair, deleted: Pair) -> Iterator[Pair]:
    """Return pairs that resemble a known one."""
    yield deleted
    yield Pair("a" * 24, "b" * 128)
    for pair in (known, ROOT):
        yield Pair(pair.key, "")
        yield Pair(pair.key, "wrong")
        yield Pair(pair.key, pair.secret[:-1])
        yield Pair(pair.key, pair.secret[1:])
        yield Pair(pair.key, pair.secret + "\n")
        yield Pair(pair.key, pair.secret + "\0")
        yield Pair(pair.key, " " + pair.secret)
        yield Pair(pair.key, pair.secret.swapcase())
        yield Pair(pair.key, pair.secret * 1000)
        yield Pair(pair.key, other.secret)
        yield Pair(pair.key, hashlib.sha256(pair.secret.encode()).hexdigest())
        yield Pair("", pair.secret)
        yield Pair(pair.key.swapcase(), pair.secret)
        yield Pair(pair.key + " ", pair.secret)
        yield Pair(pair.key + "\0", pair.secret)
        yield Pair(pair.key[:-1], pair.secret)
        yield Pair(pair.secret, pair.key)
    yield Pair(ROOT.key, ROOT.secret.partition(":")[0])
    yield Pair(ROOT.key, known.secret)
    yield Pair(known.key, ROOT.secret)
    yield Pair("", "")
    yield Pair("é" * 24, known.secret)
    yield Pair("é" * 12, known.secret)
    yield Pair("\0" * 24, known.secret)
    yield Pair("k" * 512, known.secret)
    yield Pair("k" * 1_000_000, known.secret)


def test_an_unknown_key_and_a_wrong_secret_are_401_with_one_and_the_same_body(
    house: House,
) -> None:
    known, other, deleted = (new_key(house.store, *ALL_SCOPES) for _ in range(3))
    house.api.delete(f"/v1/accounts/1/grants/{deleted.key}", headers=basic(ROOT))
    before = all_rows(house.store)
    bodies = {
        assert_401(house.api.request(path, method=method, headers=basic(pair), expect_errors=True))
        for pair in wrong_pairs(known, other, deleted)
        for method, path in [("GET", "/v1/series"), ("POST", f"/{UUID}"), ("GET", "/not/there")]
    }
    assert len(bodies) == 1
    assert all_rows(house.store) == before
    assert house.api.get("/v1/series", headers=basic(known)).status_int == 200


HEADERS = st.one_of(
    st.binary(max_size=60).map(lambda raw: raw.decode("latin-1")),
    st.binary(max_size=60).map(lambda raw: f"Basic {encoded(raw)}"),
    st.tuples(st.text(max_size=30), st.text(max_size=150))
    .filter(lambda pair: not any(0xD800 <= ord(each) <= 0xDFFF for each in pair[0] + pair[1]))
    .map(lambda pair: f"Basic {encoded(pair[0] + ':' + pair[1])}"),
    st.text("0123456789abcdefABCDEF", min_size=24, max_size=24).map(
        lambda key: f"Basic {encoded(key + ':' + 'a' * 128)}"
    ),
)


@sharing_fixtures
@given(HEADERS)
def test_any_text_as_credentials_is_401(guarded: Api, header: str) -> None:
    response = guarded.get(
        "/v1/series", extra_environ={"HTTP_AUTHORIZATION": header}, expect_errors=True
    )
    assert_401(response)


@sharing_fixtures
@given(
    st.text(min_size=1, max_size=40).filter(lambda text: text.isprintable() and ":" not in text),
    st.text(min_size=1, max_size=200).filter(str.isprintable),
)
def test_every_root_pair_that_can_be_set_can_be_used(store: Store, key: str, secret: str) -> None:
    settings = read_settings({"ROOT_API_KEY": key, "ROOT_API_SECRET": secret}, {})
    api = Api(create_app(store, settings))
    assert api.get("/v1/accounts", headers=basic(Pair(key, secret))).status_int == 200
    assert_401(api.get("/v1", headers=basic(Pair(key, secret + "x")), expect_errors=True))


def test_credentials_mean_nothing_where_all_is_open(api: Api) -> None:
    for header in (*BROKEN.values(), basic(ROOT)["Authorization"]):
        assert api.get("/v1/accounts", extra_environ={"HTTP_AUTHORIZATION": header}).json


def test_what_is_compared_is_digests_of_one_length_in_constant_time_as_often_for_all(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, other, deleted = (new_key(house.store, *ALL_SCOPES) for _ in range(3))
    house.api.delete(f"/v1/accounts/1/grants/{deleted.key}", headers=basic(ROOT))
    compare = hmac.compare_digest
    lengths: list[tuple[int, int]] = []

    def watched(ours: bytes, theirs: bytes) -> bool:
        lengths.append((len(ours), len(theirs)))
        return compare(ours, theirs)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    seen = set()
    for pair in wrong_pairs(known, other, deleted):
        lengths.clear()
        assert_401(house.api.get("/v1", headers=basic(pair), expect_errors=True))
        seen.add(tuple(lengths))
    lengths.clear()
    assert house.api.get("/v1", headers=basic(known)).status_int == 200
    seen.add(tuple(lengths))
    assert seen == {((64, 64), (32, 32))}


# No write


def test_credentials_are_checked_while_another_process_writes(
    impatient_store: LmdbStore, settings: Settings
) -> None:
    house = built(impatient_store, settings)
    house.furnish()
    pair = new_key(impatient_store, "*:series")
    with held(impatient_store.folder):
        for headers in (basic(pair), basic(ROOT)):
            assert house.api.get("/v1/series/svc", headers=headers).json["value"] == 1
        assert_401(house.api.get("/v1/series/svc", expect_errors=True))
        wrong = basic(replace(pair, secret="wrong"))
        assert_401(house.api.get("/v1/series/svc", headers=wrong, expect_errors=True))
        problem(house.api.post("/v1/accounts/1/series/svc", headers=wrong, status=401), 401)
        # The lock is really held.
        response = house.api.post("/v1/series/svc", headers=basic(pair), expect_errors=True)
        assert response.status_int == 503


def test_checking_credentials_takes_no_write_transaction(house: House) -> None:
    pair = new_key(house.store, "read:series")
    before = house.store._env.info()["last_txnid"]
    for _ in range(20):
        house.api.get("/v1/series/svc", headers=basic(pair))
        house.api.get("/v1/series/svc", headers=basic(ROOT))
        house.api.post("/v1/series/svc", headers=basic(pair), status=403)
        house.api.post("/v1/series/svc", headers=basic(Pair(pair.key, "wrong")), status=401)
    assert house.store._env.info()["last_txnid"] == before


# Secrets


def traces(secret: str) -> set[bytes]:
    """Return the forms in which a secret could be found."""
    raw = secret.encode()
    return {raw, raw.hex().encode(), base64.b64encode(raw)[:-4], raw[:20], raw[-20:]}


def test_a_store_has_only_the_digest_of_a_secret(house: House) -> None:
    response = house.api.post_json(
        "/v1/accounts/2/grants", ["read,write:series"], headers=basic(ROOT)
    )
    made = Pair(response.json["api_key"]["key"], response.json["api_key"]["secret"])
    house.api.post("/v1/accounts/2/series/svc", headers=basic(made))
    stored = {row: value for rows in all_rows(house.store).values() for row, value in rows}
    texts = [*stored, *stored.values()]
    texts += [file.read_bytes() for file in house.store.folder.iterdir()]
    for secret in (made.secret, ROOT.secret):
        for trace in traces(secret):
            assert not [text for text in texts if trace in text]
    # They would have been found.
    assert [text for text in texts if made.key.encode() in text]
    digest = hashlib.sha256(made.secret.encode()).digest()
    assert digest in stored[made.key.encode()]
    assert [text for text in texts[len(stored) * 2 :] if digest in text]


def test_no_log_and_no_error_shows_a_secret(
    own_store: LmdbStore, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api = Api(create_app(own_store, replace(guarding(settings), access_log=True)))
    known, stranger = new_key(own_store, *ALL_SCOPES), api_keys.new_pair()
    damaged = new_key(own_store, *ALL_SCOPES)
    own_store.update(lambda txn: txn.put(tables.API_KEYS, damaged.key.encode(), b"\1short"))
    pairs = [ROOT, known, stranger, damaged, replace(known, secret=stranger.secret)]
    answers = []
    for closed in (False, True):
        if closed:
            own_store.close()
        for pair in pairs:
            for method, path in [
                ("GET", "/v1/series"),
                ("GET", "/v1/accounts/7"),
                ("POST", f"/{UUID}"),
                ("PUT", "/v1/series/a%00/b"),
                ("GET", "/nothing/at/all"),
                ("DELETE", f"/{UUID}"),
            ]:
                answers.append(
                    api.request(path, method=method, headers=basic(pair), expect_errors=True)
                )
            # Only an unforeseen error leaves a stack trace in the log.
            bare = webtest.TestApp(api.app)
            answers.append(bare.get("/v1", headers=basic(pair), expect_errors=True))
    assert {answer.status_int for answer in answers} >= {200, 400, 401, 403, 404, 405, 500, 503}
    assert "Traceback" in caplog.text
    for pair in pairs:
        header = basic(pair)["Authorization"]
        for trace in (pair.secret, header.split()[1], header[:40]):
            assert trace not in caplog.text
            for answer in answers:
                assert trace not in str(answer)


def test_a_damaged_api_key_is_503_and_opens_nothing(house: House) -> None:
    damaged = new_key(house.store, *ALL_SCOPES)
    for value in (b"", b"\1", b"\3" * 80, b"\1" + b"\xff" * 80):
        house.store.update(
            lambda txn, value=value: txn.put(  # type: ignore[misc]
                tables.API_KEYS, damaged.key.encode(), value
            )
        )
        response = house.api.get("/v1", headers=basic(damaged), expect_errors=True)
        problem(response, 503)
        assert house.api.get("/v1", headers=basic(ROOT)).status_int == 200


def test_no_repr_shows_a_secret(settings: Settings) -> None:
    pair = api_keys.new_pair()
    guarded = replace(settings, root_api_key=pair.key, root_api_secret=pair.secret)
    for shown in (repr(pair), str(pair), f"{[pair]}", repr(guarded), str(guarded)):
        assert pair.secret not in shown


# Whose numbers


def test_a_call_without_authentication_belongs_to_account_1(api: Api, store: Store) -> None:
    assert api.post("/v1/series/svc").json["creator_id"] == 1
    assert api.get("/v1/accounts/1/series/svc").json["value"] == 1
    assert api.get("/v1/history/svc").json["history"][0]["api_key"] is None


def test_a_key_acts_in_its_own_account(house: House) -> None:
    first, second = new_key(house.store, "*:series"), new_key(house.store, "*:series", account=2)
    for _ in range(3):
        house.api.post("/v1/series/own", headers=basic(second))
    assert house.api.post("/v1/series/own", headers=basic(first)).json == {
        "creator_id": 1,
        "key": "own",
        "token": None,
        "value": 1,
    }
    response = house.api.get("/v1/series/own", headers=basic(second))
    assert response.json["creator_id"] == 2
    assert response.json["value"] == 3
    own = house.api.get("/v1/accounts/2/series/own", headers=basic(second))
    assert own.body == response.body
    # And so do build numbers.
    assert house.api.post(f"/{UUID}", headers=basic(second)).json == {"bn": 2}
    assert house.api.post(f"/{UUID}", headers=basic(second)).json == {"bn": 3}
    assert house.api.get(f"/{UUID}", headers=basic(first)).json == {"bn": 1}


def test_root_acts_in_account_1_where_the_path_names_none(house: House) -> None:
    assert house.api.post("/v1/series/own", headers=basic(ROOT)).json["creator_id"] == 1
    response = house.api.post("/v1/accounts/2/series/own", headers=basic(ROOT))
    assert response.json["creator_id"] == 2


def test_history_says_which_key_took_a_value(house: House) -> None:
    pair = new_key(house.store, "*:series")
    house.api.post("/v1/series/own", headers=basic(pair))
    house.api.post("/v1/series/own", headers=basic(ROOT))
    history = house.api.get("/v1/history/own", headers=basic(ROOT)).json["history"]
    assert [(each["value"], each["api_key"]) for each in history] == [(2, "root"), (1, pair.key)]


# On the wire


@pytest.fixture(scope="module")
def guarded_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service.services(tmp_path_factory.mktemp("guarded")) as start:
        variables = {"ROOT_API_KEY": ROOT.key, "ROOT_API_SECRET": ROOT.secret}
        yield start("--access-log", "on", variables=variables)


@pytest.mark.long
def test_a_browser_is_asked_for_credentials(guarded_service: Service) -> None:
    answer = guarded_service.get("/v1/series")
    answer.assert_problem(401)
    assert answer.headers.get_all("WWW-Authenticate") == ['Basic realm="monotron"']
    assert guarded_service.ask("GET", "/v1/series", headers=basic(ROOT)).status == 200
    for path in ("/livez", "/healthz", "/readyz"):
        assert guarded_service.get(path).status == 200


@pytest.mark.parametrize(
    "lines",
    [
        [f"Authorization: Basic {RIGHT}", f"Authorization: Basic {RIGHT}"],
        ["Authorization: Basic", f"Authorization: Basic {RIGHT}"],
        [f"Authorization: Basic {RIGHT}", "Authorization:"],
        ["Authorization: Basic \xe9\xff"],
        [f"Authorization: Basic {RIGHT} more"],
        [f"Proxy-Authorization: Basic {RIGHT}"],
        [f"Authorization_: Basic {RIGHT}"],
        ["Authorization: Basic " + "A" * 30_000],
    ],
)
def test_headers_that_are_no_clear_credentials_are_401(
    guarded_service: Service, lines: list[str]
) -> None:
    request = "\r\n".join(["POST /v1/series/svc HTTP/1.1", "Host: x", *lines, "", ""])
    answer = guarded_service.send(request.encode("latin-1"))
    answer.assert_problem(401)
    assert answer.headers.get_all("WWW-Authenticate") == ['Basic realm="monotron"']
    answer = guarded_service.ask("GET", "/v1/series/svc", headers=basic(ROOT))
    assert answer.status == 404


@pytest.mark.long
def test_credentials_beyond_every_limit_are_431(guarded_service: Service) -> None:
    head = b"GET /v1 HTTP/1.1\r\nHost: x\r\nAuthorization: Basic "
    answer = guarded_service.send(head + b"A" * HEADER_BYTES + b"\r\n\r\n")
    answer.assert_problem(431)


@pytest.mark.long
def test_a_service_that_cannot_write_still_knows_its_keys(guarded_service: Service) -> None:
    grants = "/v1/accounts/1/grants"
    made = guarded_service.ask("POST", grants, b'["read:series"]', basic(ROOT)).json["api_key"]
    pair = Pair(made["key"], made["secret"])
    with held(guarded_service.storage_dir):
        for _ in range(5):
            assert guarded_service.ask("GET", "/v1/series", headers=basic(pair)).status == 200
            guarded_service.ask("POST", f"/{UUID}", headers=basic(pair)).assert_problem(403)
        wrong = basic(replace(pair, secret="wrong"))
        guarded_service.ask("POST", f"/{UUID}", headers=wrong).assert_problem(401)


@pytest.mark.long
def test_no_log_of_the_service_shows_a_secret(guarded_service: Service) -> None:
    pair = api_keys.new_pair()
    for each in (ROOT, pair, replace(ROOT, secret=pair.secret)):
        guarded_service.ask("GET", "/v1", headers=basic(each))
    log = guarded_service.log.read_text()
    assert "GET /v1 401" in log
    for secret in (ROOT.secret, RIGHT, pair.secret, encoded(f"{pair.key}:{pair.secret}")):
        assert secret not in log
