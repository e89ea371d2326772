"""Health checks, the service's own name, and the access log."""

import logging
from dataclasses import replace

import pytest

from monotron import __version__
from monotron.app import create_app
from monotron.settings import Settings
from monotron.store.contract import Store
from monotron.store.lmdb import LmdbStore
from tests.conftest import held
from tests.support.web import UUID, Api, problem, wait_until_ready

CHECKS = ["/livez", "/healthz", "/readyz"]


@pytest.mark.parametrize("path", ["/livez", "/healthz"])
def test_a_process_that_answers_is_alive(api: Api, path: str) -> None:
    response = api.get(path)
    assert response.headers["Content-Type"] == "application/json"
    assert response.body == b'{"status":"alive"}'


def test_a_store_that_can_be_written_is_ready(api: Api) -> None:
    for _ in range(2):
        response = api.get("/readyz")
        assert response.headers["Content-Type"] == "application/json"
        assert response.body == b'{"status":"ready"}'
    assert api.get("/v1/series").json["series"] == []


@pytest.mark.parametrize("path", CHECKS)
def test_no_cache_keeps_a_check(api: Api, path: str) -> None:
    assert api.get(path).headers["Cache-Control"] == "no-store"


def test_v1_gives_name_and_version(api: Api) -> None:
    response = api.get("/v1")
    assert response.headers["Content-Type"] == "application/json"
    assert response.json == {"name": "monotron", "version": __version__}


def test_a_store_that_cannot_be_written_is_not_ready(
    impatient_store: LmdbStore, settings: Settings
) -> None:
    api = Api(create_app(impatient_store, settings))
    with held(impatient_store.folder):
        response = api.get("/readyz", expect_errors=True)
        detail = problem(response, 503)
        assert str(impatient_store.folder) not in detail
        assert int(response.headers["Retry-After"]) > 0
        assert api.get("/livez").status_int == 200
        assert api.get("/healthz").status_int == 200
    wait_until_ready(api)


def test_a_closed_store_is_not_ready(own_store: LmdbStore, settings: Settings) -> None:
    api = Api(create_app(own_store, settings))
    own_store.close()
    problem(api.get("/readyz", expect_errors=True), 503)
    assert api.get("/livez").status_int == 200


def test_the_access_log_has_a_line_for_each_request(
    store: Store, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    api = Api(create_app(store, replace(settings, access_log=True)))
    caplog.set_level(logging.INFO, "monotron.access")
    api.post(f"/{UUID}", extra_environ={"REMOTE_ADDR": "192.0.2.7"})
    api.get("/v1/history/a%2Fb?limit=1", status=404)
    api.get("/v1/series/a/b/c", status=404)
    api.get("/" + "x" * 9_000, status=414)
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0].startswith(f"192.0.2.7 POST /{UUID} 200 ")
    assert " GET /v1/history/a%2Fb 404 " in lines[1]
    assert " GET /v1/series/a/b/c 404 " in lines[2]
    assert " 414 " in lines[3]
    assert len(lines) == 4


def test_no_request_writes_control_characters_into_the_access_log(
    store: Store, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    api = Api(create_app(store, replace(settings, access_log=True)))
    caplog.set_level(logging.INFO, "monotron.access")
    api.get("/v1/series/x", extra_environ={"REQUEST_URI": "/v1/\x1b[2J\x9b\r\n"}, status=404)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.isascii()
    assert line.isprintable()


def test_the_access_log_is_off_unless_it_is_asked_for(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    api.get("/livez")
    assert caplog.records == []
