"""`If-Match` and `If-None-Match`: a change happens only if the caller knows the current state."""

import threading
from typing import Any

import pytest

from tests.conftest import all_rows
from tests.support.furnished import GRANTED
from tests.support.memory import MemoryStore
from tests.support.web import UUID, Api, problem

GRANT = f"/v1/accounts/1/grants/{GRANTED.key}"

CHANGES: list[tuple[str, str, bytes]] = [
    ("POST", f"/{UUID}", b""),
    ("POST", "/v1/series/svc", b""),
    ("POST", "/v1/series/svc?count=3", b""),
    ("PUT", "/v1/series/svc", b'{"value":110}'),
    ("PUT", "/v1/series/svc/token", b""),
    ("POST", "/v1/series/svc/token", b""),
    ("PUT", "/v1/tokens/svc/token/attrs", b'{"more":"text"}'),
    ("DELETE", "/v1/tokens/svc/token/attrs", b""),
    ("PUT", "/v1/tokens/svc/token/attrs/svc", b"text"),
    ("DELETE", "/v1/series/svc/token/attrs/svc", b""),
    ("PUT", "/v1/accounts/7", b""),
    ("POST", "/v1/accounts/1/grants", b'["read:series"]'),
    ("DELETE", GRANT, b""),
    ("DELETE", "/v1/series/svc", b""),
]
"""Each change whose path has a GET; what deletes the series comes last."""

every_change = pytest.mark.parametrize(("method", "path", "body"), CHANGES)

BROKEN = ["", " ", ",", "0a1b", '"', '"a', 'a"', '"a" "b"', '"a"b', "W/", 'w/"a"', "*, *"]
BROKEN += [", " * 2_000, '"a",' * 2_000 + "x", "a b"]

OLD = '"0a1b2c3d4e5f60718293a4b5"'


def etag(api: Api, path: str, accept: str = "*/*") -> str:
    tag: str = api.get(path.partition("?")[0], headers={"Accept": accept}).headers["ETag"]
    return tag


def change(api: Api, method: str, path: str, body: bytes, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.request(path, method=method, body=body, headers=named, expect_errors=True)


@every_change
@pytest.mark.parametrize("match", [OLD, f"W/{OLD}", f"{OLD}, W/{OLD}", '""', f'{OLD},"*"'])
def test_with_another_etag_nothing_is_changed(
    furnished: Api, memory: MemoryStore, method: str, path: str, body: bytes, match: str
) -> None:
    before = all_rows(memory)
    detail = problem(change(furnished, method, path, body, If_Match=match), 412, "")
    assert detail == "If-Match names none of the current ETags of this path; nothing was changed"
    assert all_rows(memory) == before


@every_change
def test_with_the_current_etag_it_is_changed(
    furnished: Api, method: str, path: str, body: bytes
) -> None:
    current = etag(furnished, path)
    assert change(furnished, method, path, body, If_Match=f"{OLD}, {current}").status_int == 200


@every_change
def test_a_weak_etag_is_no_proof_of_the_same_bytes(
    furnished: Api, method: str, path: str, body: bytes
) -> None:
    weak = f"W/{etag(furnished, path)}"
    problem(change(furnished, method, path, body, If_Match=weak), 412, "")


@every_change
def test_a_star_stands_for_whatever_there_is(
    furnished: Api, memory: MemoryStore, method: str, path: str, body: bytes
) -> None:
    before = all_rows(memory)
    problem(change(furnished, method, path, body, If_None_Match="*"), 412, "")
    assert all_rows(memory) == before
    assert change(furnished, method, path, body, If_Match="*").status_int == 200


@every_change
def test_an_etag_that_must_not_be_current_stops_the_change(
    furnished: Api, memory: MemoryStore, method: str, path: str, body: bytes
) -> None:
    current = etag(furnished, path)
    before = all_rows(memory)
    # Here a weak ETag counts too (RFC 9110, section 13.1.2).
    for tags in (current, f"W/{current}", f"{OLD},{current}"):
        problem(change(furnished, method, path, body, If_None_Match=tags), 412, "")
    assert all_rows(memory) == before
    assert change(furnished, method, path, body, If_None_Match=OLD).status_int == 200


@every_change
@pytest.mark.parametrize("name", ["If-Match", "If-None-Match"])
def test_a_condition_that_cannot_be_read_is_400_and_changes_nothing(
    furnished: Api, memory: MemoryStore, method: str, path: str, body: bytes, name: str
) -> None:
    before = all_rows(memory)
    for header in BROKEN:
        headers = {name: header}
        response = furnished.request(
            path, method=method, body=body, headers=headers, expect_errors=True
        )
        assert name in problem(response, 400, ""), header
    assert all_rows(memory) == before


def test_the_etag_of_plain_text_counts_as_well(furnished: Api) -> None:
    for path in (f"/{UUID}", "/v1/series/svc"):
        text = etag(furnished, path, "text/plain")
        assert text != etag(furnished, path)
        assert change(furnished, "POST", path, b"", If_Match=text).status_int == 200
        problem(change(furnished, "POST", path, b"", If_Match=text), 412)


def test_a_missing_series_has_no_etag(furnished: Api, memory: MemoryStore) -> None:
    before, rows = all_rows(memory), memory.rows
    for method, path, body in [
        ("POST", "/v1/series/new", b""),
        ("PUT", "/v1/series/new", b'{"value":7}'),
        ("PUT", "/v1/series/new/token", b""),
        ("DELETE", "/v1/series/new", b""),
        ("POST", "/00000000000000000000000000000000", b""),
        ("PUT", "/v1/tokens/new/token/attrs/author", b"Ada"),
        ("PUT", "/v1/accounts/8", b""),
        ("PUT", "/v1/semver/new/minor/token", b""),
    ]:
        problem(change(furnished, method, path, body, If_Match="*"), 412)
        assert all_rows(memory) == before
        assert change(furnished, method, path, body, If_None_Match="*").status_int == 200
        memory.rows = rows


def test_a_token_has_the_etag_of_its_own_value(furnished: Api, memory: MemoryStore) -> None:
    before = all_rows(memory)
    # The series is at another token by now.
    problem(change(furnished, "PUT", "/v1/series/svc/token", b"", If_None_Match="*"), 412)
    series = etag(furnished, "/v1/series/svc")
    problem(change(furnished, "PUT", "/v1/series/svc/token", b"", If_Match=series), 412)
    assert all_rows(memory) == before
    token = etag(furnished, "/v1/series/svc/token")
    assert change(furnished, "PUT", "/v1/series/svc/token", b"", If_Match=token).json["value"] == 3


def test_a_bump_that_a_token_has_made_is_there(furnished: Api) -> None:
    path = "/v1/semver/svc/minor/token"
    problem(change(furnished, "PUT", path, b"", If_None_Match="*"), 412)
    assert change(furnished, "PUT", path, b"", If_Match="*").json["version"] == "0.1.0"


def test_both_conditions_have_to_hold(furnished: Api) -> None:
    current = etag(furnished, "/v1/series/svc")
    both = {"If_Match": current, "If_None_Match": current}
    assert "If-None-Match" in problem(change(furnished, "POST", "/v1/series/svc", b"", **both), 412)
    both = {"If_Match": OLD, "If_None_Match": OLD}
    assert "If-Match" in problem(change(furnished, "POST", "/v1/series/svc", b"", **both), 412)
    both = {"If_Match": current, "If_None_Match": OLD}
    assert change(furnished, "POST", "/v1/series/svc", b"", **both).status_int == 200


def test_what_is_refused_without_conditions_is_refused_in_the_same_way_with_them(
    furnished: Api,
) -> None:
    # RFC 9110, section 13.2.1: conditions are looked at only before a 2xx.
    for method, path, body, status in [
        ("POST", "/v1/series/svc?count=0", b"", 400),
        ("PUT", "/v1/series/svc", b"{", 400),
        ("POST", "/v1/accounts/9/series/svc", b"", 404),
        ("DELETE", f"/v1/accounts/1/grants/{'x' * 24}", b"", 404),
        ("PATCH", "/v1/series/svc", b"", 405),
    ]:
        problem(change(furnished, method, path, body, If_Match=OLD), status)


def test_a_retry_gets_its_answer_although_its_own_change_has_made_the_etag_old(
    furnished: Api,
) -> None:
    current = etag(furnished, "/v1/series/svc")
    headers = {"If_Match": current, "Idempotency_Key": "k"}
    first = change(furnished, "POST", "/v1/series/svc", b"", **headers)
    assert first.status_int == 200
    assert change(furnished, "POST", "/v1/series/svc", b"", **headers).body == first.body
    problem(change(furnished, "POST", "/v1/series/svc", b"", If_Match=current), 412)


def test_of_many_who_know_the_same_state_one_changes_it(furnished: Api) -> None:
    current = etag(furnished, "/v1/series/svc")
    statuses: list[int] = []
    start = threading.Barrier(16)

    def take() -> None:
        client = Api(furnished.app)
        start.wait()
        statuses.append(change(client, "POST", "/v1/series/svc", b"", If_Match=current).status_int)

    threads = [threading.Thread(target=take) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, *[412] * 15]
    assert furnished.get("/v1/series/svc").json["value"] == 3
