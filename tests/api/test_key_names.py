"""API keys with a name and an end: who took it, and until when."""

import logging
from typing import Any

import pytest

from monotron.core import api_keys, clock
from monotron.core.api_keys import Pair
from monotron.store.contract import Store
from tests.conftest import ROOT as ROOT_PAIR
from tests.conftest import basic as basic_of
from tests.support.calls import call_in
from tests.support.web import Api, problem

ROOT = basic_of(ROOT_PAIR)
GRANTS = "/v1/accounts/1/grants"
DAY = 86_400_000_000


def basic(grant: dict[str, Any]) -> dict[str, str]:
    return basic_of(Pair(grant["api_key"]["key"], grant["api_key"]["secret"]))


def make(api: Api, body: bytes) -> dict[str, Any]:
    grant: dict[str, Any] = api.post(GRANTS, body, headers=ROOT).json
    return grant


def test_a_name_is_in_lists_and_in_history_and_outlives_its_key(guarded: Api) -> None:
    grant = make(guarded, b'{"scopes":["*:series"],"name":"jenkins-prod"}')
    key = grant["api_key"]["key"]
    assert grant["api_key"]["name"] == "jenkins-prod"
    listed = guarded.get(GRANTS, headers=ROOT).json
    assert [each["api_key"] for each in listed] == [{"id": 1, "key": key, "name": "jenkins-prod"}]
    assert guarded.get(f"{GRANTS}/{key}", headers=ROOT).json == listed[0]
    guarded.post("/v1/series/svc", headers=basic(grant))
    guarded.post("/v1/series/svc", headers=ROOT)
    guarded.delete(f"{GRANTS}/{key}", headers=ROOT)
    by_root, by_key = guarded.get("/v1/history/svc", headers=ROOT).json["history"]
    assert (by_root["api_key"], by_root.get("api_key_name")) == ("root", None)
    assert (by_key["api_key"], by_key["api_key_name"]) == (key, "jenkins-prod")
    as_csv = guarded.get("/v1/history/svc", headers={**ROOT, "Accept": "text/csv"}).text
    assert as_csv.splitlines()[2].endswith(f",{key},jenkins-prod")


def test_an_expired_key_is_refused(guarded: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    grant = make(guarded, b'{"scopes":["*:series"],"expires":"90d"}')
    guarded.post("/v1/series/svc", headers=basic(grant))
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + 89 * DAY)
    guarded.post("/v1/series/svc", headers=basic(grant))
    monkeypatch.setattr(clock, "now", lambda: now + 90 * DAY)
    response = guarded.post("/v1/series/svc", headers=basic(grant), status=401)
    assert grant["api_key"]["expires_at"] in problem(response, 401)
    wrong = {"api_key": {**grant["api_key"], "secret": "s" * 128}}
    response = guarded.post("/v1/series/svc", headers=basic(wrong), status=401)
    assert "expired" not in problem(response, 401)
    assert guarded.get("/v1/series/svc", headers=ROOT).json["value"] == 2


@pytest.mark.parametrize(
    "body",
    [
        *(b"{}", b'{"name":"a"}', b'{"scopes":"read:series"}', b'{"scopes":[],"nmae":"a"}'),
        *(b'{"scopes":[],"name":""}', b'{"scopes":[],"name":7}', b'{"scopes":[],"name":"a\\tb"}'),
        b'{"scopes":[],"name":"' + b"a" * 65 + b'"}',
        *(b'{"scopes":[],"expires":90}', b'{"scopes":[],"expires":"90"}'),
        *(b'{"scopes":[],"expires":"0d"}', b'{"scopes":[],"expires":"10000d"}'),
        *(b'{"scopes":[],"expires":"-1d"}', b'{"scopes":[],"expires":"1y"}'),
    ],
)
def test_a_key_that_is_described_wrongly_is_not_made(guarded: Api, body: bytes) -> None:
    problem(guarded.post(GRANTS, body, headers=ROOT, status=400), 400)
    assert guarded.get(GRANTS, headers=ROOT).json == []


def test_the_log_tells_once_a_day_which_keys_are_in_use(
    guarded: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "monotron")
    named = make(guarded, b'{"scopes":["*:series"],"name":"jenkins-prod","expires":"12h"}')
    nameless = make(guarded, b'["*:series"]')
    now = clock.now() // DAY * DAY
    for hours in (0, 6, 11, 25):
        at = now + hours * DAY // 24
        monkeypatch.setattr(clock, "now", lambda at=at: at)
        guarded.get("/v1/series", headers=basic(nameless))
        if hours < 12:
            guarded.get("/v1/series", headers=basic(named))
    lines = [each.getMessage() for each in caplog.records if "in use today" in each.getMessage()]
    key, name = nameless["api_key"]["key"], named["api_key"]
    ends = f"; it expires at {name['expires_at']}"
    assert lines == [
        f"the API key {key} of account 1 is in use today",
        f"the API key {name['key']} (jenkins-prod) of account 1 is in use today{ends}",
        f"the API key {key} of account 1 is in use today",
    ]
    assert name["secret"] not in caplog.text


def test_a_key_that_nobody_could_see_leaves_no_name(any_store: Store) -> None:
    pair = api_keys.new_pair()
    api_key = any_store.update(
        lambda txn: api_keys.create(txn, call_in(1, now=1), pair, (), name="a")
    )
    any_store.update(lambda txn: api_keys.take_back(txn, api_key))
    assert any_store.view(lambda reading: api_keys.name_of(reading, pair.key)) is None
