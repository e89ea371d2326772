"""What is refused, and that a failure takes nothing."""

from dataclasses import replace

import pytest
import webtest

from monotron.app import create_app
from monotron.settings import Settings
from monotron.store.contract import Store, Table
from monotron.store.lmdb import LmdbStore
from tests.conftest import held
from tests.web import UUID, Api, problem

METHODS = {
    f"/{UUID}": {"GET", "HEAD", "POST"},
    "/v1/series": {"GET", "HEAD"},
    "/v1/series/svc": {"GET", "HEAD", "POST", "PUT", "DELETE"},
    "/v1/series/svc/token": {"PUT"},
    "/livez": {"GET", "HEAD"},
    "/healthz": {"GET", "HEAD"},
    "/readyz": {"GET", "HEAD"},
    "/v1": {"GET", "HEAD"},
}

every_path = pytest.mark.parametrize("path", METHODS)


def allowed(response: webtest.TestResponse) -> set[str]:
    return set(response.headers["Allow"].split(", ")) - {"OPTIONS"}


@every_path
def test_options_names_what_is_allowed(api: Api, path: str) -> None:
    response = api.options(path)
    assert (response.status_int, response.body) == (200, b"")
    assert allowed(response) == METHODS[path]


@every_path
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"])
def test_any_other_method_is_405(api: Api, path: str, method: str) -> None:
    if method in METHODS[path]:
        return
    response = api.request(path, method=method, status=405)
    assert allowed(response) == METHODS[path]
    assert response.headers["Content-Type"] == "application/problem+json"
    if method != "HEAD":
        assert "Allow" in problem(response, 405)
    assert api.get("/v1/series").json["series"] == []


@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")
def test_an_unknown_method_is_a_problem_too(api: Api) -> None:
    response = api.request("/v1/series/svc", method="BREW", expect_errors=True)
    problem(response, response.status_int)
    assert 400 <= response.status_int < 502


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    "path",
    [
        f"/{UUID}/",
        f"/{UUID}/more",
        "/v1/",
        "/v2/series",
        "/v1/serie",
        "/V1/series",
        "/v1/series/svc/token/more",
        "/v1/series/svc/token/",
        "/livez/",
        "/a/b/c",
    ],
)
def test_an_unknown_path_is_404(api: Api, path: str, method: str) -> None:
    problem(api.request(path, method=method, status=404), 404)


@pytest.mark.parametrize(
    "name",
    [
        "%00",
        "a%0Ab",
        "%1F",
        "%7F",
        "%C2%80",
        "%C2%9F",
        "%FF",
        "%C3",
        "%C3%28",
        "%C0%AF",
        "%ED%A0%80",
        "%F4%90%80%80",
        "%",
        "%2",
        "%zz",
        "%u0041",
        "100%",
        "a%2",
        "a" * 257,
        "%C3%A9" * 129,
        "",
    ],
)
def test_what_cannot_be_a_name_is_400(api: Api, name: str) -> None:
    if name:
        problem(api.get(f"/v1/series/{name}", status=400), 400)
        problem(api.post(f"/v1/series/{name}", status=400), 400)
        problem(api.delete(f"/v1/series/{name}", status=400), 400)
        problem(api.put(f"/v1/series/{name}", b'{"value":7}', status=400), 400)
    problem(api.put(f"/v1/series/{name}/token", status=400), 400)
    problem(api.put(f"/v1/series/svc/{name}", status=400), 400)
    assert api.get("/v1/series").json["series"] == []


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/v1/series/" + "a" * 257, "1 to 256 bytes of UTF-8, this one has 257"),
        ("/v1/series/a%0Ab", "U+000A"),
        ("/v1/series/%FF", "UTF-8"),
        ("/v1/series/100%", "%25"),
        ("/v1/series?limit=1001", "from 1 to 1000"),
        ("/nothing", "UUID"),
    ],
)
def test_the_detail_says_what_was_wrong_and_what_is_allowed(api: Api, path: str, says: str) -> None:
    assert says in problem(api.get(path, status=400), 400)


@pytest.mark.parametrize("query", ["x=%FF", "count=1&x=%C3", "\xff"])
def test_a_query_that_is_not_utf_8_is_400(api: Api, query: str) -> None:
    assert "UTF-8" in problem(api.post(f"/v1/series/svc?{query}", status=400), 400)
    assert api.get("/v1/series").json["series"] == []


def test_a_query_with_many_parameters_is_400(api: Api) -> None:
    query = "&".join(f"p{number}=1" for number in range(1_000))
    detail = problem(api.post(f"/v1/series/svc?{query}", status=400), 400)
    assert "parameters" in detail


def test_a_parameter_that_nobody_asked_for_is_no_error(api: Api) -> None:
    assert api.post("/v1/series/svc?job=main%2Fcore").json["value"] == 1
    assert api.post("/v1/series/svc?job=M%C3%BCller&count=2").json["value"] == 3
    assert api.post("/v1/series/svc?job=Müller".encode().decode("latin-1")).json["value"] == 4


@pytest.mark.parametrize("path", ["/v1/series/", "/", "/v1/series?after="])
def test_a_url_that_is_too_long_is_414(api: Api, path: str) -> None:
    url = path + "a" * (8_193 - len(path))
    assert "8192" in problem(api.get(url, status=414), 414)
    problem(api.get(url[:-1], status=400), 400)


def test_the_longest_names_fit_into_a_url(api: Api) -> None:
    name = "%C3%A9" * 128
    assert api.put(f"/v1/series/{name}/{name}").json["value"] == 1


@pytest.mark.parametrize("access_log", [False, True])
def test_a_server_that_does_not_give_the_raw_path_is_refused(
    store: Store, settings: Settings, access_log: bool
) -> None:
    app = create_app(store, replace(settings, access_log=access_log))
    bare = webtest.TestApp(app)
    for path in ("/v1/series/a%2Fb/c", "/livez", "/nowhere/at/all"):
        problem(bare.put(path, expect_errors=True), 500)
    assert Api(app).get("/v1/series").json["series"] == []


CALLS = [
    ("POST", f"/{UUID}", b""),
    ("PUT", "/v1/series/svc/token", b""),
    ("POST", "/v1/series/svc", b""),
    ("POST", "/v1/series/svc?count=9", b""),
    ("PUT", "/v1/series/svc", b'{"value":99}'),
    ("DELETE", "/v1/series/kept", b""),
]


def test_a_store_that_cannot_be_written_is_503_and_takes_nothing(
    impatient_store: LmdbStore, settings: Settings
) -> None:
    api = Api(create_app(impatient_store, settings))
    api.post("/v1/series/kept")
    before = api.get("/v1/series").body
    with held(impatient_store.folder):
        for method, path, body in CALLS:
            response = api.request(path, method=method, body=body, expect_errors=True)
            detail = problem(response, 503)
            assert "nothing was taken" in detail
            assert str(impatient_store.folder) not in detail
            assert int(response.headers["Retry-After"]) > 0
        assert api.get("/v1/series/kept").json["value"] == 1
    assert api.get("/v1/series").body == before
    for method, path, body in CALLS:
        assert api.request(path, method=method, body=body).status_int == 200


def test_a_closed_store_is_503(store: LmdbStore, settings: Settings) -> None:
    api = Api(create_app(store, settings))
    store.close()
    calls = [*CALLS, ("GET", "/v1/series", b""), ("GET", "/v1/series/svc", b"")]
    for method, path, body in calls:
        response = api.request(path, method=method, body=body, expect_errors=True)
        problem(response, 503)
        assert int(response.headers["Retry-After"]) > 0


def test_a_failing_store_does_not_say_where_it_is(store: LmdbStore, settings: Settings) -> None:
    api = Api(create_app(store, settings))
    # Now LMDB fails at each call, and the store's own message has the folder in it.
    store._env.close()
    for method, path, body in [*CALLS, ("GET", "/v1/series", b""), ("GET", "/readyz", b"")]:
        response = api.request(path, method=method, body=body, expect_errors=True)
        assert str(store.folder) not in problem(response, 503)


def test_a_full_store_is_507_and_goes_on_once_there_is_room(
    tiny_store: LmdbStore, settings: Settings
) -> None:
    api = Api(create_app(tiny_store, settings))
    taken: list[str] = []
    for number in range(10_000):
        path = f"/v1/series/{number:06}"
        response = api.post(path, expect_errors=True)
        if response.status_int == 507:
            break
        assert response.body == b'{"creator_id":1,"key":"%06d","token":null,"value":1}' % number
        taken.append(path)
    detail = problem(response, 507)
    assert "nothing was taken" in detail
    assert str(tiny_store.folder) not in detail

    assert len(taken) > 500
    problem(api.get(path, status=404), 404)
    assert {api.get(each).json["value"] for each in taken} == {1}
    assert len(api.get("/v1/series?limit=500").json["series"]) == 500

    # Deleting needs a little room of its own, so a few of these can be refused too.
    deleted = [each for each in taken if api.delete(each, expect_errors=True).status_int == 200]
    assert len(deleted) > len(taken) // 2
    assert api.post(path).json["value"] == 1
    assert api.get("/readyz").status_int == 200


def test_a_record_of_a_newer_version_is_503(store: LmdbStore, settings: Settings) -> None:
    api = Api(create_app(store, settings))
    api.post("/v1/series/svc")
    row = b"\0\0\0\0\0\0\0\x01svc\0"
    store.update(lambda txn: txn.put(Table.SERIES, row, b"\xff" * 40))
    for method, path in [("GET", "/v1/series/svc"), ("POST", "/v1/series/svc")]:
        problem(api.request(path, method=method, expect_errors=True), 503)
    assert store.view(lambda reading: reading.get(Table.SERIES, row)) == b"\xff" * 40
