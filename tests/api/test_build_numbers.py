"""The build-number API, as its clients know it."""

from urllib.parse import quote

import pytest

from tests.support.web import (
    LAST_VALUE,
    UUID,
    Api,
    problem,
)

JSON_UTF8 = "application/json; charset=UTF-8"

FORMS = [
    UUID,
    UUID.upper(),
    UUID.replace("-", ""),
    UUID.replace("-", "").upper(),
    f"{{{UUID}}}",
    f"urn:uuid:{UUID}",
    f"URN:UUID:{UUID.upper()}",
    quote(f"{{{UUID}}}"),
    quote(f"urn:uuid:{UUID}"),
    "%36" + UUID[1:],
]


def test_numbers_are_given_out_from_1(api: Api) -> None:
    for number in (1, 2, 3):
        response = api.post(f"/{UUID}")
        assert response.status_int == 200
        assert response.headers["Content-Type"] == JSON_UTF8
        assert response.body == b'{"bn":%d}' % number


def test_get_tells_the_current_number(api: Api) -> None:
    api.post(f"/{UUID}")
    api.post(f"/{UUID}")
    for _ in range(2):
        response = api.get(f"/{UUID}")
        assert response.headers["Content-Type"] == JSON_UTF8
        assert response.body == b'{"bn":2}'


def test_get_is_404_before_the_first_number(api: Api) -> None:
    detail = problem(api.get(f"/{UUID.upper()}", status=404), 404)
    assert UUID in detail
    assert api.post(f"/{UUID}").body == b'{"bn":1}'


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_uuid_names_one_series(api: Api, form: str) -> None:
    api.post(f"/{UUID}")
    assert api.post(f"/{form}").body == b'{"bn":2}'
    assert api.get(f"/{form}").body == b'{"bn":2}'
    assert api.get(f"/v1/series/{UUID}").json["value"] == 2
    assert [series["key"] for series in api.get("/v1/series").json["series"]] == [UUID]


def test_two_uuids_are_two_series(api: Api) -> None:
    api.post(f"/{UUID}")
    assert api.post("/00000000000000000000000000000000").body == b'{"bn":1}'
    assert api.get(f"/{UUID}").body == b'{"bn":1}'


def test_both_apis_advance_one_series(api: Api) -> None:
    api.put(f"/v1/series/{UUID}/token")
    assert api.post(f"/{UUID}").body == b'{"bn":2}'
    assert api.get(f"/v1/series/{UUID}").json == {
        "creator_id": 1,
        "key": UUID,
        "token": None,
        "value": 2,
    }
    assert api.put(f"/v1/series/{UUID}/token").json["value"] == 3


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(
    "name",
    [
        UUID[:-1],
        UUID + "0",
        UUID.replace("b", "g"),
        f"{{{UUID}",
        f"({UUID})",
        f"urn:uuid:{UUID.replace('-', '')}",
        f"{UUID}%0A",
        f"{UUID}%20",
        f"%EF%BC%96{UUID[1:]}",
        "urn:uuid:",
        "URN%3AUUID%3Ashop",
        "f" * 33,
    ],
)
def test_what_is_meant_as_a_uuid_and_is_none_is_400(api: Api, method: str, name: str) -> None:
    response = api.request(f"/{name}", method=method, status=400)
    assert response.headers["Content-Type"] == "application/problem+json"
    if method != "HEAD":
        problem(response, 400)
    assert api.get("/v1/series").json["series"] == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    "name",
    ["1", "nope", "docs", "version", "favicon.ico", "robots.txt", "%00", "%FF", "%2F", "f" * 31],
)
def test_what_nobody_can_mean_as_a_uuid_is_no_path(api: Api, method: str, name: str) -> None:
    response = api.request(f"/{name}", method=method, status=404)
    if method != "HEAD":
        detail = problem(response, 404)
        assert "/openapi.json lists every path" in detail
        assert "/v1/series/{key}" in detail
    assert api.get("/v1/series").json["series"] == []


def test_after_the_last_number_comes_409(api: Api) -> None:
    api.put_json(f"/v1/series/{UUID}", {"value": LAST_VALUE - 1})
    assert api.post(f"/{UUID}").body == b'{"bn":%d}' % LAST_VALUE
    for _ in range(2):
        assert str(LAST_VALUE) in problem(api.post(f"/{UUID}", status=409), 409)
    assert api.get(f"/{UUID}").body == b'{"bn":%d}' % LAST_VALUE
