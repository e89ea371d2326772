"""Anything sent to any path: never a 5xx; each refusal is a problem and takes nothing.

The paths are those of the router, so that a new one is included by itself.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monotron.app import create_app
from monotron.core import tables
from monotron.settings import read_settings
from monotron.store.contract import Table
from monotron.store.lmdb import LmdbStore
from tests.conftest import ROOT, all_rows, basic, new_key
from tests.support.furnished import body_of
from tests.support.web import LAST_VALUE, UUID, Api, problem, routes

ROUTES = {
    # What deletes comes last.
    path: sorted(methods, key=lambda method: (method == "DELETE", method))
    for path, methods in routes().items()
}
"""The paths, and what each can do."""

EXAMPLES = 20
"""For each path."""

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"]
SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}

every_route = pytest.mark.parametrize("route", ROUTES)

GOOD_FIELDS = {
    "account_id": ["1", "7"],
    "key": ["svc", "full", "a%2Fb", "k" * 24],
    "token": ["token", "t%C3%B6ken"],
    "name": ["svc", "author"],
    "part": ["minor", "major", "patch"],
    "file": ["index.html"],
    "uuid": [UUID, UUID.replace("-", "").upper()],
}
"""Valid values for a path's fields. A new field gets a plain word."""

# Paths, queries and headers are bytes as Latin-1 text, which is how WSGI has them.

BAD_NUMBERS = [
    "",
    "0",
    "-1",
    "+1",
    "007",
    "1.0",
    "1e9",
    "0x10",
    "1_000",
    "%D9%A3",
    "NaN",
    "Infinity",
    "1000001",
    str(LAST_VALUE),
    str(LAST_VALUE + 1),
    "9" * 19,
    "9" * 20,
    "9" * 5_000,
]

BAD_NAMES = [
    *BAD_NUMBERS,
    ".",
    "..",
    "%",
    "%2",
    "%zz",
    "%u0041",
    "%00",
    "%0D%0A",
    "%1B%5B2J",
    "%7F",
    "%C2%85",
    "%FF",
    "%C3",
    "%C0%AF",
    "%ED%A0%80",
    "%F4%90%80%80",
    "%EF%BB%BF",
    "%2F",
    "a/b",
    "a" * 256,
    "a" * 257,
    "%C3%A9" * 129,
    "a" * 9_000,
    "\xff\xfe",
    "{key}",
    "null",
]

BAD_QUERIES = [
    "&",
    "=",
    "count",
    "count=1&count=1",
    "count=1&%63ount=1",
    "limit=1&limit=2",
    "after=%00",
    "after=%FF",
    "prefix=%ED%A0%80",
    "prefix=" + "a" * 257,
    "count=1;count=2",
    "unknown=%",
    "\xff=\xff",
    "&".join(f"p{number}" for number in range(100)),
    "&" * 3_000,
    "x=" + "y" * 9_000,
]
BAD_PAGES = [
    f"{name}={number}" for name in ("limit", "before", "after", "recent") for number in BAD_NUMBERS
]
BAD_BADGES = [
    "show=",
    "show=token",
    "show=version",
    "show=%FF",
    "label=",
    "label=%00",
    "label=%ED%A0%80",
    "label=%EF%BF%BF",
    "label=" + "a" * 257,
    "message=",
    "message=%1B",
    "message=%7Bvalue%7D" * 2,
    "message=%3C/title%3E%26",
    "color=",
    "color=pink",
    "color=%23fff",
    "color=12345",
    "color=url(x)",
    "color=\xff",
]
BAD_COUNTS = [f"count={number}" for number in BAD_NUMBERS]

PARAMETERS = ["count", "limit", "prefix", "after", "before", "recent"]
PARAMETERS += ["show", "label", "message", "color"]

BAD_BODIES = [
    b"",
    b"null",
    b"7",
    b'"text"',
    b"[]",
    b"{}",
    b"[" * 60_000,
    b'{"a":' * 12_000,
    b'{"value":1,"value":1}',
    b'{"value":' + b"9" * 5_000 + b"}",
    b'{"value":9223372036854775808}',
    b'{"value":-1}',
    b'{"value":1e400}',
    b'{"value":NaN}',
    b'{"value":true}',
    b'{"value":"7"}',
    b'{"author":"a","author":"b"}',
    b'{"\\ud800":"text"}',
    b'{"author":"\\udfff"}',
    b'{"author":{"a":"b"}}',
    b'{"":"text"}',
    b'{"a\\u0000":"text"}',
    b'{"author":"' + b"x" * 65_537 + b'"}',
    json.dumps({str(number): "text" for number in range(65)}).encode(),
    b"[NaN]",
    b'["read:series",7]',
    b'["\\ud800:series"]',
    b'["fly:series"]',
    json.dumps(["read:series"] * 17).encode(),
    b" " * 65_537,
    b" " * (5 * 2**20 + 1),
    b"\xff",
    b"text\xc3",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf{}",
    '{"value":7}'.encode("utf-16"),
]

BAD_HEADERS: dict[str, list[str]] = {
    "Accept": [
        "text/plain",
        "text/plain;q=nan",
        "text/plain;q=1e9",
        "text/plain;q=-1",
        "text/",
        "/",
        "text/plain;;;",
        "text/plain;charset=\xff",
        "," * 500,
        ", ".join(["text/plain;q=0.1"] * 200),
        "text/plain; x=" + "y" * 5_000,
        '"text/plain',
        "*",
        "",
    ],
    "If-Match": ["*", '"a"', "a", "", '"', 'W/"a"', '"a" "b"', ", " * 9_000 + "x", "\xff", '"a",'],
    "If-None-Match": ["*", "", '"', '""', "W/", 'W/"', '"a", *', "\xff", '"' + "x" * 5_000, ","],
    "Idempotency-Key": [
        "good",
        '"quoted"',
        "used",
        "",
        '"',
        '""',
        "a b",
        "\xff",
        '"\\x"',
        "k" * 257,
        '"' + "k" * 20_000 + '"',
    ],
    "Content-Type": [
        "",
        "/",
        "application/json; charset=x",
        "multipart/form-data",
        "application/x-www-form-urlencoded",
        "\xff",
        "x" * 5_000,
    ],
    "Content-Length": ["", "-1", "+1", "x", "1.5", "\xb2", "0", "7", "999999999999", "9" * 5_000],
    "Authorization": [
        "",
        "Basic",
        "Basic ",
        "Basic %",
        "Basic \xff",
        "Basic /w==",
        "Basic Og==",
        "Basic bm9jb2xvbg==",
        "Basic " + "A" * 20_000,
        "Bearer x",
        basic(replace(ROOT, secret="wrong"))["Authorization"],
        basic(replace(ROOT, key="k" * 24))["Authorization"],
        basic(replace(ROOT, key="\0" * 24))["Authorization"],
    ],
    "Host": ["", "\xff", "a:b:c", "[::"],
    "Range": ["bytes=9-1", "x"],
    "Expect": ["100-continue", "x"],
    "If-Modified-Since": ["x"],
    "Cookie": ["x", "a=\xff;;="],
    "Forwarded": ['for="'],
    "X-Forwarded-For": ["\xff"],
    "X-HTTP-Method-Override": ["DELETE"],
}


@dataclass(frozen=True)
class Call:
    """A request, valid by default."""

    method: str
    route: str
    fields: dict[str, str]
    """The values of the path's fields."""
    body: bytes
    end: str = ""
    """What follows the path."""
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return re.sub(r"\{(\w+)\}", lambda match: self.fields[match[1]], self.route) + self.end


def good_call(method: str, route: str) -> Call:
    fields = {name: GOOD_FIELDS.get(name, ["word"])[0] for name in re.findall(r"\{(\w+)\}", route)}
    return Call(method, route, fields, body_of(method, route))


def with_one_fault(good: Call) -> Iterator[Call]:
    """Return a call with everything that can be wrong with it, one fault at a time."""
    # But for the account, such a path is the other one, which has all the rest.
    other = good.route.replace("/accounts/{account_id}/", "/")
    of_an_account = other != good.route and other in ROUTES
    for name in ["account_id"] if of_an_account else good.fields:
        for bad in BAD_NAMES:
            yield replace(good, fields={**good.fields, name: bad})
    if of_an_account:
        return
    of_its_own = BAD_BADGES if "/badge" in good.route else BAD_PAGES
    for query in [*BAD_QUERIES, *(of_its_own if good.method in SAFE else BAD_COUNTS)]:
        yield replace(good, query=query)
    for name, values in BAD_HEADERS.items():
        for value in values:
            yield replace(good, headers={name: value})
    if good.method != "OPTIONS":
        for body in BAD_BODIES:
            yield replace(good, body=body)


no_controls = st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f")

any_name = st.one_of(
    st.sampled_from(BAD_NAMES),
    st.text(max_size=100).map(lambda text: quote(text, safe="", errors="surrogatepass")),
    st.binary(max_size=20).map(lambda raw: quote(raw, safe="")),
    st.text(no_controls, max_size=20).map(lambda text: re.sub("[?#]", "", text)),
)

any_query = st.one_of(
    st.sampled_from([*BAD_QUERIES, *BAD_PAGES, *BAD_COUNTS, *BAD_BADGES]),
    st.builds("{}={}".format, st.sampled_from(PARAMETERS), any_name),
    st.text(no_controls, max_size=60),
).map(lambda text: text.replace("#", ""))

any_json = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.text(max_size=20),
        st.sampled_from(["read:series", "* : ACL", "\ud800", "\0", "x" * 70_000]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(st.just("value"), st.text(max_size=5), st.just("\udfff")), inner, max_size=4
        ),
    ),
    max_leaves=8,
)

any_body = st.one_of(
    any_json.map(lambda value: json.dumps(value).encode()),
    st.sampled_from(BAD_BODIES),
    st.binary(max_size=100),
)

any_header = st.sampled_from(sorted(BAD_HEADERS)).flatmap(
    lambda name: st.tuples(
        st.just(name),
        st.one_of(st.sampled_from(BAD_HEADERS[name]), st.text(no_controls, max_size=60)),
    )
)


@st.composite
def calls(draw: st.DrawFn, route: str) -> Call:
    """Return calls of a route with something wrong in one or more parts."""
    good = good_call(draw(st.sampled_from([*ROUTES[route], *METHODS])), route)
    parts = [*good.fields, "end", "query", "headers", "body"]
    wrong = draw(st.lists(st.sampled_from(parts), min_size=1, max_size=3))
    fields = {
        name: draw(any_name if name in wrong else st.sampled_from(GOOD_FIELDS.get(name, [value])))
        for name, value in good.fields.items()
    }
    return replace(
        good,
        fields=fields,
        end=draw(st.sampled_from(["/", "//", "/more", "%2F", ".."])) if "end" in wrong else "",
        query=draw(any_query) if "query" in wrong else "",
        headers=dict(draw(st.lists(any_header, max_size=3))) if "headers" in wrong else {},
        body=draw(any_body) if "body" in wrong else good.body,
    )


# Whom it comes to


@dataclass(frozen=True)
class House:
    store: LmdbStore
    open: Api
    guarded: Api

    def ask(self, call: Call, *, guarded: bool) -> Any:
        """Return the answer to a call, as from a server that lets everything through."""
        environ = {
            "REQUEST_URI": f"{call.path}?{call.query}" if call.query else call.path,
            "PATH_INFO": unquote_to_bytes(call.path.encode("latin-1")).decode("latin-1"),
            "QUERY_STRING": call.query,
        }
        api, headers = self.open, call.headers
        if guarded:
            api, headers = self.guarded, {**basic(ROOT), **headers}
        # WebTest does not send a Content-Length that is not a number; clients may.
        length = headers.get("Content-Length", "")
        api.lint = not length or bool(re.fullmatch("[0-9]{1,18}", length, re.ASCII))
        return api.request(
            "/",
            method=call.method,
            body=call.body,
            headers=headers,
            environ=environ,
            expect_errors=True,
        )


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """The API with and without authentication, on a store that has something of everything."""
    store = LmdbStore(tmp_path / "store", tables.ALL)
    nothing_set = read_settings({}, {})
    with_root = replace(nothing_set, root_api_key=ROOT.key, root_api_secret=ROOT.secret)
    house = House(store, Api(create_app(store, nothing_set)), Api(create_app(store, with_root)))
    new_key(store, "read:series", account=7)
    for account in (1, 7):
        base = f"/v1/accounts/{account}"
        house.open.put(f"{base}/series/svc/token")
        house.open.post(f"{base}/series/svc?count=5", headers={"Idempotency-Key": "used"})
        house.open.put(f"{base}/series/svc/limit", b'{"value":1000000}')
        house.open.put(f"{base}/series/full", b'{"value":%d}' % LAST_VALUE)
        house.open.put(f"{base}/semver/svc/minor/token")
        house.open.put(f"{base}/calver/svc/token")
        house.open.put(f"{base}/tokens/svc/token/attrs", b'{"svc":"", "author":"Ada"}')
    house.open.post(f"/{UUID}")
    yield house
    store.close()


def rows(store: LmdbStore) -> dict[Table, list[tuple[bytes, bytes]]]:
    """Return everything in the store except the row that a readiness check writes."""
    found = all_rows(store)
    found[tables.SYSTEM] = [row for row in found[tables.SYSTEM] if row[0] != b"probe"]
    return found


def assert_refused_or_right(house: House, call: Call, *, guarded: bool) -> int:
    """Check what must be true of every answer; return the status."""
    before = rows(house.store)
    response = house.ask(call, guarded=guarded)
    status: int = response.status_int
    assert 200 <= status < 500, call
    if status >= 400 and call.method != "HEAD":
        problem(response, status)
    if status >= 400 or call.method in SAFE:
        assert rows(house.store) == before, call
    return status


@every_route
def test_a_call_without_a_fault_is_answered(house: House, route: str) -> None:
    for method in ROUTES[route]:
        # There is no API key of that name.
        expected = 404 if route.endswith("/grants/{key}") else 200
        status = assert_refused_or_right(house, good_call(method, route), guarded=True)
        assert status == expected, method


@every_route
def test_no_fault_in_a_call_is_a_5xx_and_what_is_refused_takes_nothing(
    house: House, route: str
) -> None:
    for method in ROUTES[route]:
        # HEAD is GET but for the body of the answer.
        if method != "HEAD":
            for call in with_one_fault(good_call(method, route)):
                assert_refused_or_right(house, call, guarded="Authorization" in call.headers)


@every_route
def test_no_input_is_a_5xx_and_what_is_refused_takes_nothing(house: House, route: str) -> None:
    @given(call=calls(route), guarded=st.booleans())
    @settings(max_examples=EXAMPLES)
    def holds(call: Call, *, guarded: bool) -> None:
        assert_refused_or_right(house, call, guarded=guarded)

    holds()
