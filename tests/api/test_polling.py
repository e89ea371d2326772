"""What has not changed is a 304, at each path that says so."""

import pytest

from tests.support.furnished import Call, calls, changed
from tests.support.web import Api, problem

POLLED = [call for call in calls("GET") if call.description.polled]
every_polled = pytest.mark.parametrize("call", POLLED, ids=str)

CONSTANT = {
    "/",
    "/openapi.json",
    "/v1/accounts/{account_id}",
    "/v1/accounts/{account_id}/grants/{key}",
    "/web/{file}",
}
"""What no call changes."""


def test_whatever_can_change_and_is_read_again_and_again_can_be_polled() -> None:
    assert {call.route.path for call in calls("GET")} - {call.route.path for call in POLLED} == {
        "/livez",
        "/healthz",
        "/readyz",
        "/metrics",
        "/v1",
    }


@pytest.mark.parametrize("accept", ["*/*", "text/plain"])
@every_polled
def test_a_read_can_be_polled(furnished: Api, call: Call, accept: str) -> None:
    headers = {"Accept": accept}
    first = furnished.get(call.target, headers=headers)
    etag = first.headers["ETag"]
    assert furnished.get(call.target, headers=headers).headers["ETag"] == etag
    for known in (etag, f"W/{etag}", "*", f'"other", {etag}', f'W/"other",{etag} , "more"'):
        for method in ("GET", "HEAD"):
            same = furnished.request(
                call.target, method=method, headers={**headers, "If-None-Match": known}
            )
            assert (same.status_int, same.body) == (304, b"")
            assert "Content-Type" not in same.headers
            assert "Content-Length" not in same.headers
            for name in ("ETag", "Cache-Control", "Vary"):
                assert same.headers[name] == first.headers[name]
    for other in ('"other"', 'W/"other"', '""', "", "?", '"other", "more"'):
        fresh = furnished.get(call.target, headers={**headers, "If-None-Match": other})
        assert (fresh.status_int, fresh.body) == (200, first.body)


@every_polled
def test_a_cache_asks_again_each_time_but_for_badges(furnished: Api, call: Call) -> None:
    headers = furnished.get(call.target).headers
    kept = ("max-age=60", "Authorization") if call.route.badge else ("no-cache", "Accept")
    assert (headers["Cache-Control"], headers["Vary"]) == kept


@pytest.mark.parametrize("accept", ["*/*", "text/plain"])
@every_polled
def test_what_has_changed_is_sent_again(furnished: Api, call: Call, accept: str) -> None:
    headers = {"Accept": accept}
    before = furnished.get(call.target, headers=headers)
    known = before.headers["ETag"]
    after = changed(furnished).get(call.target, headers={**headers, "If-None-Match": known})
    if call.route.path in CONSTANT:
        assert after.status_int == 304
    else:
        assert after.status_int == 200
        assert after.body != before.body
        assert after.headers["ETag"] != known


@every_polled
def test_a_404_is_no_304(api: Api, call: Call) -> None:
    target = call.with_fields(file="nothing")
    status = api.get(target, expect_errors=True).status_int
    if status == 404:
        problem(api.get(target, headers={"If-None-Match": "*"}, status=404), 404)


@every_polled
def test_a_poll_without_credentials_is_401_whatever_it_knows(guarded: Api, call: Call) -> None:
    if not call.route.open:
        response = guarded.get(call.target, headers={"If-None-Match": "*"}, status=401)
        problem(response, 401)
        assert "ETag" not in response.headers
