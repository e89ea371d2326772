"""`/metrics` reports what happened, whichever worker answers, and names no series."""

import http.client
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from monotron import __version__
from monotron.app import create_app
from monotron.core import tables
from monotron.core.api_keys import Pair
from monotron.measures import MEASURES, Measures, StoreMetrics
from monotron.settings import Settings
from monotron.store.lmdb import LmdbStore
from tests.conftest import ROOT, basic, held, new_key
from tests.support.service import Load, Serve, Service, ask, wait_until
from tests.support.web import NAMES, UUID, Api, filled, problem, routes, url

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]

MEASURED = {measure.name for measure in MEASURES}


def samples(text: str) -> Samples:
    """Return each sample by its name and its labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def labelled(name: str, **labels: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    return name, tuple(sorted(labels.items()))


def requests(method: str, route: str, status: int) -> tuple[str, tuple[tuple[str, str], ...]]:
    return labelled("monotron_http_requests_total", method=method, route=route, status=str(status))


INCREMENTS, VALUES = labelled("monotron_increments_total"), labelled("monotron_values_total")
COMMITS = labelled("monotron_store_commits_total")
READY = labelled("monotron_ready")
REPLACED = labelled("monotron_workers_replaced_total")


@pytest.fixture
def measured(settings: Settings, store: LmdbStore) -> Api:
    """The API on an empty store, with all that is measured."""
    return Api(create_app(store, settings, slot=Measures().slot(0), figures=store.figures))


@pytest.fixture
def watched(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The same, on a store that tells of its commits."""
    slot = Measures().slot(0)
    store = LmdbStore(tmp_path_factory.mktemp("watched"), tables.ALL, observer=StoreMetrics(slot))
    yield Api(create_app(store, settings, slot=slot, figures=store.figures))
    store.close()


def scrape(api: Api) -> Samples:
    return samples(api.get("/metrics").text)


def test_requests_are_counted_by_route_method_and_status(measured: Api) -> None:
    measured.post("/v1/series/one")
    measured.post("/v1/series/two")
    measured.post("/v1/accounts/1/series/two")
    measured.get("/v1/series/none", status=404)
    measured.get("/no/such/path", status=404)
    measured.put("/v1/series/one", b"{}", status=400)
    found = scrape(measured)
    assert found[requests("POST", "/v1/series/{key}", 200)] == 2
    assert found[requests("POST", "/v1/accounts/{account_id}/series/{key}", 200)] == 1
    assert found[requests("GET", "/v1/series/{key}", 404)] == 1
    assert found[requests("GET", "none", 404)] == 1
    assert found[requests("PUT", "/v1/series/{key}", 400)] == 1
    count = "monotron_http_request_duration_seconds_count"
    assert found[labelled(count, route="/v1/series/{key}", method="POST")] == 2


def test_each_route_is_a_label_as_people_write_it(measured: Api) -> None:
    for path in routes():
        measured.options(filled(path))
    found = scrape(measured)
    labels = {dict(labels).get("route") for name, labels in found if "requests_total" in name}
    assert labels == routes().keys()


def test_a_method_that_nobody_knows_is_no_label(measured: Api) -> None:
    # WebTest would rather not send these.
    measured.lint = False
    for method in ("BREW", "PROPFIND", "X" * 50):
        measured.request("/livez", method=method, status="*")
    found = scrape(measured)
    assert {dict(labels)["method"] for name, labels in found if "requests_total" in name} == {
        "other"
    }


def test_each_value_counts_once_and_a_repeat_not_at_all(measured: Api) -> None:
    assert scrape(measured)[INCREMENTS] == scrape(measured)[VALUES] == 0
    for _ in range(2):
        measured.put("/v1/series/other/token")
        measured.put("/v1/semver/app/minor/token")
        measured.post(f"/{UUID}", headers={"Idempotency-Key": "a"})
        measured.post("/v1/series/svc?count=100", headers={"Idempotency-Key": "b"})
        measured.put("/v1/series/seeded", b'{"value":7}')
        measured.get("/v1/series/svc")
    assert scrape(measured)[INCREMENTS] == 4
    assert scrape(measured)[VALUES] == 103


def test_a_refused_call_gives_out_nothing(measured: Api) -> None:
    measured.put("/v1/series/svc", b'{"value":9223372036854775807}')
    measured.post("/v1/series/svc", status=409)
    measured.post("/v1/series/svc?count=0", status=400)
    assert scrape(measured)[INCREMENTS] == 0


def test_commits_are_counted_with_their_batches_and_their_time(watched: Api) -> None:
    for _ in range(5):
        watched.post("/v1/series/svc")
    watched.get("/v1/series/svc")
    found = scrape(watched)
    # Each request for /metrics writes once, to report whether the store is ready.
    assert found[COMMITS] == 5
    assert scrape(watched)[COMMITS] == 6
    assert found[labelled("monotron_store_batch_updates_sum")] == 5
    assert found[labelled("monotron_store_commit_duration_seconds_count")] == 5
    assert found[labelled("monotron_store_commit_duration_seconds_sum")] > 0


def test_the_store_tells_what_it_takes_up(measured: Api, store: LmdbStore) -> None:
    measured.post("/v1/series/a")
    measured.post("/v1/series/b")
    found = scrape(measured)
    usage = store.usage()
    assert found[labelled("monotron_store_rows", table="series")] == 2
    assert {labels[0][1] for name, labels in found if name == "monotron_store_rows"} == {
        table.decode() for table in tables.ALL
    }
    for name, value in {
        "size_bytes": usage.file_bytes,
        "map_size_bytes": usage.map_bytes,
        "map_used_bytes": usage.map_used_bytes,
        "disk_size_bytes": usage.disk_bytes,
        "readers": 0,
        "oldest_reader_commits": 0,
    }.items():
        assert found[labelled(f"monotron_store_{name}")] == value
    disk = shutil.disk_usage(store.folder)
    assert usage.disk_bytes == disk.total
    assert 0 < found[labelled("monotron_store_disk_free_bytes")] <= disk.total


def test_a_snapshot_that_is_read_is_a_reader(measured: Api, store: LmdbStore) -> None:
    def look(_: object) -> Samples:
        measured.post("/v1/series/svc")
        return scrape(measured)

    found = store.view(look)
    assert found[labelled("monotron_store_readers")] == 1
    assert found[labelled("monotron_store_oldest_reader_commits")] >= 1


def test_it_says_which_version_runs(measured: Api) -> None:
    (labels,) = (dict(labels) for name, labels in scrape(measured) if name == "monotron_build_info")
    assert labels["version"] == __version__


def test_a_store_that_cannot_be_written_is_not_ready_and_all_else_is_told(
    impatient_store: LmdbStore, settings: Settings
) -> None:
    api = Api(create_app(impatient_store, settings, figures=impatient_store.figures))
    assert scrape(api)[READY] == 1
    with held(impatient_store.folder):
        found = scrape(api)
    assert found[READY] == 0
    assert found[requests("GET", "/metrics", 200)] == 1
    assert labelled("monotron_store_size_bytes") in found


def test_a_store_that_is_closed_is_not_ready_and_requests_are_told(
    own_store: LmdbStore, settings: Settings
) -> None:
    api = Api(create_app(own_store, settings, figures=own_store.figures))
    own_store.close()
    problem(api.post("/v1/series/svc", expect_errors=True), 503)
    found = scrape(api)
    assert found[READY] == 0
    assert found[requests("POST", "/v1/series/{key}", 503)] == 1
    assert labelled("monotron_store_size_bytes") not in found


def test_a_data_file_that_is_gone_is_told_with_all_else(
    own_store: LmdbStore, settings: Settings
) -> None:
    measured = Api(create_app(own_store, settings, figures=own_store.figures))
    measured.post("/v1/series/svc")
    (own_store.folder / "data.mdb").unlink()
    problem(measured.post("/v1/series/svc", expect_errors=True), 503)
    problem(measured.get("/readyz", expect_errors=True), 503)
    found = scrape(measured)
    assert found[READY] == 0
    assert found[VALUES] == 1
    assert labelled("monotron_store_size_bytes") not in found


@pytest.mark.parametrize("name", NAMES)
def test_no_key_and_no_token_is_ever_named(measured: Api, name: str) -> None:
    key = f"unheard-of {name[:40]}"
    measured.post(url("series", key))
    measured.put(url("series", key, f"token {key}"))
    measured.put(url("semver", f"version {key}", "minor", "t"))
    measured.get(url("history", key))
    measured.get(f"/{url('series', key)}/a/b/c/d", expect_errors=True)
    text = measured.get("/metrics").text
    assert "unheard" not in text
    known = {"route", "method", "status", "le", "table", "version", "python_version"}
    assert {name for _, labels in samples(text) for name, _ in labels} == known
    assert all("unheard" not in value for _, labels in samples(text) for _, value in labels)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/plain;version=abc", "text/plain; version=0.0.4; charset=utf-8"),
        ("not a media type", "text/plain; version=0.0.4; charset=utf-8"),
        (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;q=0.3",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        (
            "application/openmetrics-text; version=abc",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
    ],
)
def test_the_format_is_what_the_caller_understands(
    measured: Api, accept: str | None, content_type: str
) -> None:
    measured.post("/v1/series/svc")
    answer = measured.get("/metrics", headers={"Accept": accept} if accept else {})
    assert answer.headers["Content-Type"] == content_type
    assert answer.headers["Cache-Control"] == "no-store"
    if "openmetrics" in content_type:
        found = openmetrics.text_string_to_metric_families(answer.text)  # type: ignore[no-untyped-call]
        assert "monotron_increments" in {family.name for family in found}
    else:
        assert samples(answer.text)[INCREMENTS] == 1


def test_every_measure_is_told_from_the_start_with_type_and_meaning(measured: Api) -> None:
    text = measured.get("/metrics").text
    for measure in MEASURES:
        assert f"# HELP {measure.name} {measure.meaning}\n" in text
        assert f"# TYPE {measure.name} {measure.kind}\n" in text


def test_prometheus_has_nothing_to_say_against_the_names(watched: Api, promtool: str) -> None:
    watched.post("/v1/series/svc")
    done = subprocess.run(
        [promtool, "check", "metrics", "--extended"],
        input=watched.get("/metrics").body,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.fixture
def guarded_store(store: LmdbStore, settings: Settings) -> tuple[LmdbStore, Api]:
    settings = replace(settings, root_api_key=ROOT.key, root_api_secret=ROOT.secret)
    return store, Api(create_app(store, settings))


def test_with_authentication_it_needs_read_system(guarded_store: tuple[LmdbStore, Api]) -> None:
    store, api = guarded_store
    problem(api.get("/metrics", status=401), 401)
    problem(api.get("/metrics", headers=basic(Pair("a" * 24, "b" * 128)), status=401), 401)
    reader = new_key(store, "read:series", "read:account", "*:acl")
    detail = problem(api.get("/metrics", headers=basic(reader), status=403), 403)
    assert "read:system" in detail
    for pair in (ROOT, new_key(store, "read:system"), new_key(store, "*:system", account=7)):
        assert api.get("/metrics", headers=basic(pair)).status_int == 200
    found = samples(api.get("/metrics", headers=basic(ROOT)).text)
    assert found[requests("GET", "none", 401)] == 2


# Several workers, with the real command


def scraped(connection: http.client.HTTPConnection) -> Samples:
    answer = ask(connection, "GET", "/metrics")
    assert answer.status == 200
    return samples(answer.body.decode())


@pytest.mark.long
def test_every_worker_tells_what_all_of_them_did(serve: Serve) -> None:
    running = serve("--workers", "3")
    connections = {worker: running.connect_to(worker) for worker in sorted(running.workers())}
    for many, connection in enumerate(connections.values(), 1):
        for _ in range(many):
            assert ask(connection, "POST", "/v1/series/svc").status == 200
    for connection in connections.values():
        found = scraped(connection)
        assert found[requests("POST", "/v1/series/{key}", 200)] == 6
        assert found[INCREMENTS] == 6
        # The opening of the store aside, /metrics itself has written as often as it was asked.
        assert found[COMMITS] >= 6
    (one, *_) = connections.values()
    wait_until(
        lambda: scraped(one)[labelled("monotron_http_connections")] == len(connections),
        "each worker tells of its connection",
    )
    for connection in connections.values():
        connection.close()


@pytest.mark.long
def test_no_counter_goes_back_when_workers_are_killed(serve: Serve) -> None:
    running = serve("--workers", "2")
    before: Samples = {}
    with Load(running, clients=8) as load:
        for replaced in range(1, 5):
            load.wait_for_more(200)
            found = samples(running.get("/metrics").body.decode())
            for key in (INCREMENTS, COMMITS, requests("POST", "/v1/series/{key}", 200)):
                assert found[key] >= before.get(key, 0)
            before = found
            kill_one(running)
            wait_until(
                lambda replaced=replaced: (  # type: ignore[misc]
                    len(running.workers()) == 2
                    and samples(running.get("/metrics").body.decode())[REPLACED] == replaced
                ),
                "the worker is replaced",
            )
    found = samples(running.get("/metrics").body.decode())
    # A worker killed between its commit and its count has not counted.
    taken = running.take("/v1/series/load") - 1
    assert len(load.answered) - 4 * 32 <= found[INCREMENTS] <= taken


def kill_one(running: Service) -> None:
    os.kill(min(running.workers()), signal.SIGKILL)


@pytest.mark.long
def test_what_never_reaches_a_resource_is_counted_too(serve: Serve) -> None:
    running = serve()
    running.send(b"garbage\r\n\r\n")
    running.send(b"POST /v1/series/x HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n")
    found = samples(running.get("/metrics").body.decode())
    assert found[requests("other", "none", 400)] == 1
    assert found[requests("POST", "none", 413)] == 1


@pytest.mark.long
def test_connections_are_told(serve: Serve) -> None:
    running = serve()
    name = labelled("monotron_http_connections")
    with running.socket(), running.socket(), running.socket():
        wait_until(
            lambda: samples(running.get("/metrics").body.decode())[name] == 4,
            "three connections and our own are told",
        )
    wait_until(
        lambda: samples(running.get("/metrics").body.decode())[name] == 1,
        "the closed ones are gone",
    )
