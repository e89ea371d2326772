"""HEAD is GET without a body, wherever there is a GET."""

import pytest

from tests.support.furnished import Call, calls
from tests.support.web import Api

every_get = pytest.mark.parametrize("call", calls("GET"), ids=str)


@pytest.mark.parametrize("accept", ["*/*", "text/plain"])
@every_get
def test_head_is_get_without_a_body(furnished: Api, call: Call, accept: str) -> None:
    get, head = (
        furnished.request(call.target, method=method, headers={"Accept": accept})
        for method in ("GET", "HEAD")
    )
    assert (get.status_int, head.status_int) == (200, 200)
    assert head.body == b""
    if call.route.path == "/metrics":
        # What it says has grown by the request before.
        assert set(head.headers.keys()) == set(get.headers.keys())
    else:
        assert sorted(head.headers.items()) == sorted(get.headers.items())
        assert head.headers["Content-Length"] == str(len(get.body))


@pytest.mark.parametrize("text", ["", "Ada", "Müller\n" * 1_000])
@pytest.mark.parametrize("end", ["", "/author"])
def test_head_tells_how_long_a_text_is(furnished: Api, end: str, text: str) -> None:
    target = "/v1/tokens/svc/token/attrs"
    furnished.put(f"{target}/author", text.encode())
    get, head = furnished.get(target + end), furnished.head(target + end)
    assert (head.status_int, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(get.body))


@every_get
def test_what_is_missing_is_the_same_404(api: Api, call: Call) -> None:
    target = call.with_fields(file="nothing")
    get, head = (
        api.request(target, method=method, expect_errors=True) for method in ("GET", "HEAD")
    )
    # An account has what is below it from the beginning, and account 1 is always there.
    there = not call.description.missing or call.route.path == "/v1/accounts/{account_id}"
    assert get.status_int == head.status_int == (200 if there else 404)
    assert head.body == b""
    if not there:
        assert get.headers["Content-Type"] == "application/problem+json"
        assert sorted(head.headers.items()) == sorted(get.headers.items())
