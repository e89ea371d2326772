"""Clients that prefer text/plain get a bare number or version; all others get JSON."""

from typing import Any

import pytest

from monotron.api.answers import PLAIN
from monotron.settings import Settings
from tests.support.furnished import Call, calls, open_api
from tests.support.memory import MemoryStore
from tests.support.web import AS_TEXT, PREFER_JSON, PREFER_TEXT, Api, accepting

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


@pytest.mark.parametrize("call", [call for call in BARE if call.method == "GET"], ids=str)
def test_caches_tell_both_apart(furnished: Api, call: Call) -> None:
    as_json = furnished.get(call.target).headers
    as_text = furnished.get(call.target, headers=AS_TEXT).headers
    assert as_json["ETag"] != as_text["ETag"]
    assert as_json["Vary"] == as_text["Vary"] == "Accept"
