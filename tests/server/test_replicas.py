"""The service on etcd, as real commands: two replicas, and members that go away."""

import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import need_etcd
from tests.support.etcd import Cluster, cluster
from tests.support.service import (
    JOB,
    Answer,
    Serve,
    Service,
    assert_none_twice,
    services,
    wait_until,
)

IN_TIME = 15.0
"""More than the 5 s that a call tries, on a busy machine."""


def on(etcd: Cluster) -> dict[str, str]:
    """Return the setting of a new store."""
    return {"MONOTRON_STORE": str(etcd.new_address())}


@pytest.fixture(scope="module")
def replicas(
    etcd: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, Service]]:
    """Two replicas of a store, for tests that leave them whole."""
    store = on(etcd)
    with services(tmp_path_factory.mktemp("replicas")) as start:
        yield start(variables=store), start(variables=store)


def metric(service: Service, name: str) -> float:
    """Return a metric; 0 if it was never counted."""
    text = service.get("/metrics").body.decode()
    found = re.findall(rf"^{re.escape(name)} ([0-9.e+-]+)$", text, re.MULTILINE)
    return float(found[0]) if found else 0.0


def test_two_replicas_give_no_number_twice(replicas: tuple[Service, Service]) -> None:
    with ThreadPoolExecutor(8) as pool:
        values = list(pool.map(lambda call: replicas[call % 2].take(), range(200)))
    assert sorted(values) == list(range(1, 201))
    assert [replica.get(JOB).json["bn"] for replica in replicas] == [200, 200]


def test_the_same_token_gets_the_same_value_at_every_replica(
    replicas: tuple[Service, Service],
) -> None:
    answers = [replica.put("/v1/series/shop/7d4c379588").json for replica in replicas]
    assert answers[0] == answers[1]
    other = [replica.put("/v1/series/shop/other").json["value"] for replica in replicas]
    assert other == [answers[0]["value"] + 1] * 2


def test_the_same_idempotency_key_gets_the_same_number_at_every_replica(
    replicas: tuple[Service, Service],
) -> None:
    headers = {"Idempotency-Key": "jenkins-shop-17"}
    first, again = (replica.ask("POST", JOB, headers=headers).json for replica in replicas)
    assert first == again


def test_many_callers_that_wait_for_an_answer_are_read_for_at_once(
    replicas: tuple[Service, Service],
) -> None:
    replicas[0].put("/v1/series/read/once")
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: replicas[1].get("/v1/series/read"), range(300)))
    assert {answer.status for answer in answers} == {200}


def test_replicas_that_meet_count_it(replicas: tuple[Service, Service]) -> None:
    def conflicts() -> float:
        return sum(metric(each, "monotron_store_conflicts_total") for each in replicas)

    before = conflicts()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda call: replicas[call % 2].take(), range(400)))
    assert conflicts() > before


def test_a_replica_tells_how_large_the_database_is(replicas: tuple[Service, Service]) -> None:
    assert metric(replicas[0], "monotron_store_database_size_bytes") > 0
    assert metric(replicas[0], "monotron_store_last_answer_seconds") >= 0
    assert metric(replicas[0], "monotron_store_member_number") == 0


def test_no_request_is_logged(replicas: tuple[Service, Service]) -> None:
    before = [len(replica.lines) for replica in replicas]
    for replica in replicas:
        replica.take()
        replica.get(JOB)
    assert [len(replica.lines) for replica in replicas] == before


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Cluster]:
    """A member of its own, which the test may stop."""
    need_etcd()
    with cluster(tmp_path / "etcd", 1) as one:
        yield one


def timed(service: Service, method: str, path: str) -> tuple[Answer, float]:
    began = time.monotonic()
    return service.ask(method, path), time.monotonic() - began


def test_without_etcd_calls_are_refused_in_time_and_go_on_once_it_is_back(
    serve: Serve, alone: Cluster
) -> None:
    service = serve(variables=on(alone))
    assert service.take() == 1
    alone.members[0].kill()
    for method, path in (("GET", "/readyz"), ("POST", JOB), ("GET", JOB)):
        answer, seconds = timed(service, method, path)
        assert answer.assert_problem(503)["type"].startswith("urn:monotron:problem:")
        assert answer.headers["Retry-After"]
        assert seconds < IN_TIME
    assert service.get("/livez").status == 200
    alone.start()
    wait_until(lambda: service.get("/readyz").status == 200, "the store is back")
    # The one that was refused may have been on its way: then its number is skipped.
    assert service.take() in (2, 3)


def test_while_etcd_hangs_the_loop_does_not(serve: Serve, alone: Cluster) -> None:
    service = serve(variables=on(alone))
    assert service.take() == 1
    alone.members[0].signal(signal.SIGSTOP)
    with ThreadPoolExecutor(20) as pool:
        calls = [pool.submit(service.ask, method, JOB) for method in ("GET", "POST") * 10]
        live, seconds = timed(service, "GET", "/livez")
        waiting = sum(not call.done() for call in calls)
        alone.members[0].signal(signal.SIGCONT)
        answers = [call.result() for call in calls]
    assert live.status == 200
    assert waiting == len(calls), f"/livez took {seconds} s"
    values = [
        answer.json["bn"]
        for call, answer in zip(("GET", "POST") * 10, answers, strict=True)
        if call == "POST" and answer.status == 200
    ]
    assert_none_twice(values)


def test_a_member_that_is_lost_is_said_once(serve: Serve, tmp_path: Path) -> None:
    need_etcd()
    with cluster(tmp_path / "etcd", 3) as three:
        service = serve(variables=on(three))
        service.take()
        asked = three.members[int(metric(service, "monotron_store_member_number"))]
        asked.kill()
        wait_until(lambda: service.post(JOB).status == 200, "numbers go on")

        def moves() -> list[str]:
            return [line for line in service.lines if f"no longer at {asked.endpoint}" in line]

        # The line may be written while the answer is already on its way.
        wait_until(lambda: bool(moves()), "the line is there")
        assert service.post(JOB).status == 200
        assert len(moves()) == 1
