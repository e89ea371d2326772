"""Clients that prefer text/plain get a bare number or version; all others get JSON."""

from typing import Any

import pytest

from monotron.api.answers import PLAIN
from monotron.settings import Settings
from monotron.store.contract import Store
from tests.conftest import all_rows
from tests.support.furnished import Call, calls, open_api
from tests.support.memory import MemoryStore
from tests.support.web import AS_TEXT, PREFER_JSON, PREFER_TEXT, Api, accepting, problem

BARE = [
    call
    for call in calls("GET", "POST", "PUT")
    if PLAIN in call.description.answer.content and len(call.description.answer.content) == 2
]
every_bare = pytest.mark.parametrize("call", BARE, ids=str)


@pytest.fixture
def twin(settings: Settings) -> Api:
    """Another `furnished`: what takes a number takes the same one there."""
    return open_api(MemoryStore(), settings)


def ask(api: Api, call: Call, accept: str | None) -> Any:
    headers = accepting(accept)
    return api.request(call.target, method=call.method, body=call.body, headers=headers)


def bare(members: dict[str, Any]) -> object:
    """Return the number or the version of an answer in JSON."""
    return next(members[name] for name in ("bn", "value", "version", "limit") if name in members)


def test_every_call_that_answers_a_number_or_a_version_is_meant() -> None:
    assert {(call.method, call.route.path.rpartition("/v1/")[2]) for call in BARE} == {
        ("GET", "/{uuid}"),
        ("POST", "/{uuid}"),
        *(
            (method, f"{account}series/{{key}}{token}")
            for method in ("GET", "POST", "PUT")
            for account in ("", "accounts/{account_id}/")
            for token in ("", "/{token}", "/limit")
        ),
        *(("GET", f"{account}semver/{{name}}") for account in ("", "accounts/{account_id}/")),
        *(("GET", f"{account}calver/{{name}}") for account in ("", "accounts/{account_id}/")),
        *(
            ("PUT", f"{account}calver/{{name}}/{{token}}")
            for account in ("", "accounts/{account_id}/")
        ),
        *(
            ("PUT", f"{account}semver/{{name}}/{{part}}/{{token}}")
            for account in ("", "accounts/{account_id}/")
        ),
    }


@every_bare
def test_plain_text_is_the_number_or_the_version_and_a_newline(
    furnished: Api, twin: Api, call: Call
) -> None:
    for accept in PREFER_TEXT:
        as_json, as_text = ask(furnished, call, None), ask(twin, call, accept)
        assert as_text.status_int == 200
        assert as_text.headers["Content-Type"] == PLAIN
        assert as_text.text == f"{bare(as_json.json)}\n"


@every_bare
def test_everybody_else_gets_json(furnished: Api, twin: Api, call: Call) -> None:
    (expected,) = call.description.answer.content.keys() - {PLAIN}
    for accept in PREFER_JSON:
        by_default, as_json = ask(furnished, call, None), ask(twin, call, accept)
        assert as_json.headers["Content-Type"] == expected
        assert as_json.body == by_default.body


NUMBERS = [
    call
    for call in BARE
    if "width" in call.description.query_names
    # Setting a limit takes no query; taking a value for the token of that name does.
    and not (call.route.path.endswith("/limit") and call.body)
]


def with_width(call: Call, width: object) -> str:
    return f"{call.target}{'&' if call.query else '?'}width={width}"


def test_every_call_that_answers_a_number_takes_a_width() -> None:
    versions = {call.route.path for call in BARE} - {call.route.path for call in NUMBERS}
    assert versions
    assert all("/semver/" in path or "/calver/" in path for path in versions)


@pytest.mark.parametrize("call", NUMBERS, ids=str)
def test_a_width_puts_zeros_before_the_number(furnished: Api, twin: Api, call: Call) -> None:
    number = bare(ask(furnished, call, None).json)
    padded = twin.request(with_width(call, 6), method=call.method, body=call.body, headers=AS_TEXT)
    assert padded.headers["Content-Type"] == PLAIN
    assert padded.text == f"{number:06}\n"


@pytest.mark.parametrize("call", NUMBERS, ids=str)
def test_a_wrong_width_takes_nothing(furnished: Api, store: Store, call: Call) -> None:
    before = all_rows(store)
    for width in ("", "0", "20", "-1", "6.0", "%D9%A6"):
        refused = furnished.request(
            with_width(call, width), method=call.method, body=call.body, headers=AS_TEXT, status=400
        )
        assert "width must be a whole number" in problem(refused, 400, "invalid-number")
    for accept in PREFER_JSON:
        refused = furnished.request(
            with_width(call, 6),
            method=call.method,
            body=call.body,
            headers=accepting(accept),
            status=400,
        )
        assert "Accept: text/plain" in problem(refused, 400, "")
    assert all_rows(store) == before


def test_a_number_with_more_digits_than_the_width_stays_whole(api: Api) -> None:
    api.put("/v1/series/svc", b'{"value":12345}')
    assert api.get("/v1/series/svc?width=3", headers=AS_TEXT).text == "12345\n"
    assert api.get("/v1/series/svc?width=19", headers=AS_TEXT).text == f"{12345:019}\n"


def test_a_padded_answer_can_be_a_condition(api: Api) -> None:
    api.post("/v1/series/svc")
    tag = api.get("/v1/series/svc?width=6", headers=AS_TEXT).headers["ETag"]
    api.post("/v1/series/svc", headers={"If-Match": tag})
    api.post("/v1/series/svc", headers={"If-Match": tag}, status=412)


@pytest.mark.parametrize("call", [call for call in BARE if call.method == "GET"], ids=str)
def test_caches_tell_both_apart(furnished: Api, call: Call) -> None:
    as_json = furnished.get(call.target).headers
    as_text = furnished.get(call.target, headers=AS_TEXT).headers
    assert as_json["ETag"] != as_text["ETag"]
    assert as_json["Vary"] == as_text["Vary"] == "Accept"
