"""Counts are in memory that processes share, and none of them get lost."""

import os
import threading
from collections.abc import Callable

import pytest

from monotron import measures
from monotron.measures import (
    COMMITS,
    HTTP_QUEUE,
    MEASURES,
    REQUEST_SECONDS,
    REQUESTS,
    SLOT_BYTES,
    VALUES,
    Measure,
    Measures,
    StoreMetrics,
)

# Python 3.12 warns of every fork beside a thread, and a test that runs beside others has one.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

ROUTE = ("/v1/series/{key}", "GET")


def in_a_child(do: Callable[[], object]) -> None:
    """Do it in a forked process, which ends as one that is killed does: without any farewell."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            do()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_what_each_process_counts_is_added_up() -> None:
    shared = Measures(3)
    for number in range(3):
        in_a_child(lambda number=number: shared.slot(number).add(VALUES, number + 1))  # type: ignore[misc]
    assert shared.read() == {(VALUES, ()): [6.0]}


def test_a_child_sees_what_another_one_counts() -> None:
    shared = Measures(2)
    in_a_child(lambda: shared.slot(0).add(REQUESTS, 1, *ROUTE, "200"))

    def look() -> None:
        assert shared.slot(1).all.read() == {(REQUESTS, (*ROUTE, "200")): [1.0]}

    in_a_child(look)


def test_who_takes_a_slot_over_goes_on_with_its_counters() -> None:
    shared = Measures()
    for expected in (1, 2, 3):
        in_a_child(lambda: shared.slot(0).add(REQUESTS, 1, *ROUTE, "200"))
        assert shared.read() == {(REQUESTS, (*ROUTE, "200")): [expected]}


def test_a_gauge_of_a_process_that_is_gone_shows_nothing() -> None:
    shared = Measures(2)
    shared.slot(1).set(HTTP_QUEUE, 2)
    in_a_child(lambda: shared.slot(0).set(HTTP_QUEUE, 5))
    assert shared.read() == {(HTTP_QUEUE, ()): [7.0]}
    shared.slot(0)
    assert shared.read() == {(HTTP_QUEUE, ()): [2.0]}


def test_threads_that_count_at_once_lose_nothing() -> None:
    shared = Measures()
    slot = shared.slot(0)

    def count() -> None:
        for _ in range(5_000):
            slot.add(VALUES, 1)
            slot.observe(REQUEST_SECONDS, 1, *ROUTE)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = shared.read()
    assert found[VALUES, ()] == [20_000]
    assert sum(found[REQUEST_SECONDS, ROUTE][:-1]) == found[REQUEST_SECONDS, ROUTE][-1] == 20_000


@pytest.mark.parametrize(
    ("value", "bucket"), [(0, 0), (0.0005, 0), (0.0006, 1), (1, 10), (10, 13), (10.1, 14)]
)
def test_a_value_falls_into_the_lowest_bucket_that_holds_it(value: float, bucket: int) -> None:
    shared = Measures()
    shared.slot(0).observe(REQUEST_SECONDS, value, *ROUTE)
    (numbers,) = shared.read().values()
    assert numbers == [float(n == bucket) for n in range(15)] + [value]


def test_a_slot_has_room_for_every_combination_that_can_be() -> None:
    shared = Measures()
    slot = shared.slot(0)
    # Far more routes than there are, with every method, and every status that is in use anywhere.
    routes = [f"/v1/accounts/{{account_id}}/tokens/{{key}}/{n:04}" for n in range(60)]
    methods = [f"METHOD{n}" for n in range(8)]
    for route in routes:
        for method in methods:
            slot.observe(REQUEST_SECONDS, 1, route, method)
            for status in range(30):
                slot.add(REQUESTS, 1, route, method, str(status))
    assert len(shared.read()) == len(routes) * len(methods) * 31


def test_where_no_room_is_left_what_is_there_stays_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "SLOT_BYTES", 1_024)
    shared = Measures(2)
    slot = shared.slot(0)
    other = shared.slot(1)
    other.add(COMMITS, 1)
    for number in range(100):
        slot.add(REQUESTS, 1, *ROUTE, str(number))
        slot.add(REQUESTS, 1, *ROUTE, "0")
    found = shared.read()
    assert found[REQUESTS, (*ROUTE, "0")] == [101]
    assert found[COMMITS, ()] == [1]
    assert 1 < len(found) < 20
    assert SLOT_BYTES > 1_024


def test_what_a_killed_process_has_begun_is_not_counted() -> None:
    shared = Measures()
    slot = shared.slot(0)
    slot.add(COMMITS, 1)
    before = bytes(slot._memory)
    # A row with a long name, whose numbers are where the name of the next one would be.
    slot.add(REQUESTS, 1, *ROUTE, "200")
    slot._memory[:8] = before[:8]
    assert shared.read() == {(COMMITS, ()): [1.0]}
    shared.slot(0).add(VALUES, 2)
    assert shared.read() == {(COMMITS, ()): [1.0], (VALUES, ()): [2.0]}


def test_no_reader_finds_a_slot_empty_while_rows_are_added() -> None:
    shared = Measures()
    slot = shared.slot(0)
    slot.add(COMMITS, 1)
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(ready, 1)
        for number in range(20_000):
            slot.add(REQUESTS, 1, *ROUTE, str(number))
        os._exit(0)
    looks = empty = 0
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        for _ in range(10_000):
            looks += 1
            empty += bytes(slot._memory[:8]) == bytes(8)
        os.write(tell, b".")
    os.close(ready)
    os.close(tell)
    assert looks > 0
    assert empty == 0


def test_a_commit_tells_its_size_and_its_time() -> None:
    shared = Measures()
    of_store = StoreMetrics(shared.slot(0))
    of_store.committed(3, 0.25)
    of_store.waiting(7)
    numbers = {measure.name: numbers for (measure, _), numbers in shared.read().items()}
    assert numbers["monotron_store_commits_total"] == [1]
    assert numbers["monotron_store_batch_updates"][-1] == 3
    assert numbers["monotron_store_commit_duration_seconds"][-1] == 0.25
    assert numbers["monotron_store_queue_length"] == [7]


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)
def test_names_are_as_prometheus_asks(measure: Measure) -> None:
    """https://prometheus.io/docs/practices/naming/."""
    assert measure.name.startswith("monotron_")
    assert measure.name.endswith("_total") is (measure.kind == "counter")
    assert "milli" not in measure.name
    assert bool(measure.buckets) is (measure.kind == "histogram")
    assert list(measure.buckets) == sorted(set(measure.buckets))
    assert set(measure.labels) <= {"route", "method", "status", "outcome"}
    assert measure.meaning.endswith(".")
