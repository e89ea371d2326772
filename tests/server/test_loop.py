"""The event loop: greenlets that wait for their updates, and loops of other makers."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from greenlet import getcurrent

from monotron.core import tables
from monotron.server.loop import answer
from monotron.server.loop import parking as parking_module
from monotron.server.loop.parking import Parking
from monotron.store.contract import StoreUnavailable, Transaction
from monotron.store.lmdb import LmdbStore
from tests.conftest import held
from tests.support.leaping_clock import LeapingClock
from tests.support.service import PATIENCE, Load, Serve, assert_none_twice


class CountingLoop:
    """An event loop that counts how often other threads wake it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.wakes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loop, name)

    def call_soon_threadsafe(self, fn: Callable[..., object], *arguments: Any) -> None:
        self.wakes += 1
        self.loop.call_soon_threadsafe(fn, *arguments)


@pytest.fixture
def loop() -> Iterator[CountingLoop]:
    counting = CountingLoop()
    yield counting
    counting.loop.close()


@pytest.fixture
def parking(loop: CountingLoop) -> Parking:
    return Parking(loop, lambda: None)  # type: ignore[arg-type]


@pytest.fixture
def parked_store(tmp_path: Path, parking: Parking) -> Iterator[LmdbStore]:
    """A store whose callers are parked."""
    store = LmdbStore(tmp_path / "store", tables.ALL, wait_seconds=PATIENCE, waiting=parking)
    yield store
    parking.close()
    store.close()


def increment(txn: Transaction) -> int:
    value = int(txn.get(tables.SYSTEM, b"n") or b"0") + 1
    txn.put(tables.SYSTEM, b"n", str(value).encode())
    return value


def test_greenlets_that_wait_share_commits_and_few_wakes(
    loop: CountingLoop, parking: Parking, parked_store: LmdbStore
) -> None:
    values: list[int] = []

    def take() -> None:
        values.append(parked_store.update(increment))
        if len(values) == 100:
            loop.stop()

    for _ in range(100):
        parking.run(take)
    # All of them are parked: nothing is committed before the loop runs.
    assert values == []
    loop.run_forever()
    assert values == list(range(1, 101))
    assert loop.wakes == 1


def test_what_an_update_raises_reaches_its_own_greenlet(
    loop: CountingLoop, parking: Parking, parked_store: LmdbStore
) -> None:
    heard: list[object] = []

    def fail(txn: Transaction) -> int:
        increment(txn)
        raise ValueError("no")

    def take(fn: Callable[[Transaction], int]) -> None:
        try:
            heard.append(parked_store.update(fn))
        except ValueError as error:
            heard.append(str(error))
        if len(heard) == 3:
            loop.stop()

    for fn in (increment, fail, increment):
        parking.run(take, fn)
    loop.run_forever()
    assert heard == [1, "no", 2]


def test_a_greenlet_gives_up_while_another_process_holds_the_lock_and_the_loop_goes_on(
    loop: CountingLoop,
    parking: Parking,
    parked_store: LmdbStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = LeapingClock()
    monkeypatch.setattr(parking_module, "time", clock)
    waits_for_lock = threading.Event()
    let_go = parking.let_go

    def let_go_while_it_waits() -> None:
        waits_for_lock.set()
        let_go()

    monkeypatch.setattr(parking, "let_go", let_go_while_it_waits)
    heard: list[object] = []
    ticks: list[None] = []

    def take() -> None:
        try:
            parked_store.update(increment)
        except StoreUnavailable as error:
            heard.append(str(error))
        loop.stop()

    def tick() -> None:
        ticks.append(None)
        if len(ticks) > 5 and waits_for_lock.is_set():
            clock.sleep(PATIENCE)
        loop.call_later(0.01, tick)

    with held(parked_store.folder):
        parking.run(take)
        tick()
        loop.run_forever()
    assert heard == ["another process held the write lock for 120 seconds; nothing was taken"]
    assert len(ticks) > 5
    assert parked_store.view(lambda reading: reading.get(tables.SYSTEM, b"n")) is None


def test_a_thread_beside_the_loop_is_blocked_and_not_parked(
    loop: CountingLoop, parking: Parking, parked_store: LmdbStore
) -> None:
    values: list[int] = []

    def take() -> None:
        values.append(parked_store.update(increment))
        parking.wake(loop.stop)

    thread = threading.Thread(target=take)
    thread.start()
    loop.run_forever()
    thread.join()
    assert values == [1]
    assert getcurrent().parent is None


def test_without_uvloop_the_standard_loop_serves(serve: Serve, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    missing.mkdir()
    (missing / "uvloop.py").write_text("raise ImportError('not installed')\n")
    running = serve(variables={"PYTHONPATH": str(missing)})
    with Load(running) as load:
        load.wait_for_more(500)
    assert load.broken == []
    assert_none_twice(load.answered)
    assert running.take(load.path) == len(load.answered) + 1


def test_an_answer_never_has_a_header_that_the_application_did_not_mean() -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        start_response("200 OK", [("X", "1\r\nSet-Cookie: a=b")])
        return []

    with pytest.raises(ValueError, match="line break"):
        answer.of_app(app, {})
