"""Activity: what is counted in each hour, and that no count is lost or written twice."""

from collections.abc import Callable
from typing import TypeVar

import pytest

from monotron.core import activity, pending, records, series, tables
from monotron.core.activity import DAY, HOUR, Hour, Spans
from monotron.core.errors import LimitReached
from monotron.core.pending import CountedStore, PendingActivity
from monotron.limits import ACTIVITY_DAYS
from monotron.store.contract import (
    Reading,
    Store,
    StoreError,
    StoreFull,
    StoreUnavailable,
    StoreUncertain,
    Transaction,
)
from tests.support.calls import call_in
from tests.support.memory import MemoryStore

T = TypeVar("T")

NOW = 490_000 * HOUR + 17
"""Some minutes of an hour have passed."""


def hours(store: Store, count: int = 3, *, account: int = 1, now: int = NOW) -> list[int]:
    spans = Spans(HOUR, count, now)
    return store.view(lambda reading: activity.of_account(reading, account, spans, {}))


def stored(store: Store) -> dict[Hour, int]:
    rows = store.view(lambda reading: reading.scan(tables.ACTIVITY, b"", b"\xff" * 17, limit=9_999))
    return {
        records.unpack_activity_row_key(row_key): records.unpack_counter(value)
        for row_key, value in rows
    }


def add(store: Store, counts: dict[Hour, int]) -> None:
    store.update(lambda txn: activity.add(txn, counts))


# Spans


def test_spans_end_with_the_current_hour_or_day() -> None:
    assert Spans(HOUR, 2, NOW).starts == [NOW - 17 - HOUR, NOW - 17]
    days = Spans(DAY, 3, NOW)
    assert days.starts[-1] <= NOW < days.starts[-1] + DAY
    assert all(start % DAY == 0 for start in days.starts)


def test_a_count_belongs_to_the_span_of_its_time() -> None:
    spans = Spans(HOUR, 3, NOW)
    begins = spans.since
    times = [begins - 1, begins, begins + HOUR - 1, NOW, NOW + HOUR, NOW + 10 * HOUR]
    assert spans.counted((at, 1) for at in times) == [2, 0, 1]


# Of a series


def test_activity_of_a_series_comes_from_its_history(whole_store: Store) -> None:
    for ago, count in ((30 * HOUR, 5), (HOUR, 3), (0, 40), (0, 1)):
        call = call_in(1, now=NOW - ago)
        whole_store.update(
            lambda txn, call=call, count=count: series.advance(txn, call, "svc", count=count)  # type: ignore[misc]
        )

    def counts(unit: int, count: int, keep: int) -> list[int]:
        def read(reading: Reading) -> list[int]:
            state = series.get(reading, 1, "svc")
            assert state is not None
            spans = Spans(unit, count, NOW)
            return activity.of_series(reading, state, spans, keep=keep)

        return whole_store.view(read)

    assert counts(HOUR, 3, 1_000) == [0, 3, 41]
    assert sum(counts(DAY, 3, 1_000)) == 49
    # What is too old to be shown is not counted either.
    assert counts(HOUR, 3, 42) == [0, 1, 41]
    assert counts(HOUR, 3, 10) == [0, 0, 10]
    assert counts(HOUR, 3, 0) == [0, 0, 0]


def test_it_tells_since_when_history_holds_every_value(whole_store: Store) -> None:
    def since(keep: int) -> int | None:
        def read(reading: Reading) -> int | None:
            state = series.get(reading, 1, "svc")
            assert state is not None
            return activity.complete_since(reading, state, keep=keep)

        return whole_store.view(read)

    for at in range(4):
        call = call_in(1, now=NOW + at)
        whole_store.update(lambda txn, call=call: series.advance(txn, call, "svc", count=2))  # type: ignore[misc]
    assert [since(keep) for keep in (1_000, 8, 7, 6, 1)] == [None, None, NOW, NOW + 1, NOW + 3]
    assert since(0) == NOW + 3


def test_a_series_that_was_only_moved_up_has_lost_nothing(whole_store: Store) -> None:
    state = whole_store.update(lambda txn: series.seed(txn, call_in(1, now=NOW), "svc", 110))
    found = whole_store.view(lambda reading: activity.complete_since(reading, state, keep=1_000))
    assert found is None


# Of an account


def test_counts_of_an_hour_add_up(whole_store: Store) -> None:
    hour = NOW // HOUR
    add(whole_store, {(1, hour): 3, (1, hour - 1): 2, (7, hour): 100})
    add(whole_store, {(1, hour): 4})
    assert hours(whole_store) == [0, 2, 7]
    assert hours(whole_store, account=7) == [0, 0, 100]
    assert hours(whole_store, now=NOW + HOUR) == [2, 7, 0]


def test_what_is_pending_is_counted_too(whole_store: Store) -> None:
    hour = NOW // HOUR
    add(whole_store, {(1, hour): 3})
    waiting = {(1, hour): 1, (1, hour - 2): 5, (7, hour): 9}
    spans = Spans(HOUR, 3, NOW)
    found = whole_store.view(lambda reading: activity.of_account(reading, 1, spans, waiting))
    assert found == [5, 0, 4]


def test_a_day_is_the_sum_of_its_hours(whole_store: Store) -> None:
    hour = NOW // HOUR
    for ago in range(50):
        add(whole_store, {(1, hour - ago): 1})
    spans = Spans(DAY, 4, NOW)
    days = whole_store.view(lambda reading: activity.of_account(reading, 1, spans, {}))
    assert sum(days) == 50
    assert sorted(days)[-1] == 24


def test_hours_are_kept_for_35_days(whole_store: Store) -> None:
    first = NOW // HOUR
    last = first + ACTIVITY_DAYS * 24 + 5
    add(whole_store, {(7, first): 1})
    for hour in range(first, last + 1):
        add(whole_store, {(1, hour): 1})
    kept = stored(whole_store)
    assert len([1 for account, _ in kept if account == 1]) == ACTIVITY_DAYS * 24
    # Another account's hours stay until it has newer ones.
    assert (7, first) in kept
    whole = hours(whole_store, ACTIVITY_DAYS * 24, now=last * HOUR)
    assert whole == [1] * (ACTIVITY_DAYS * 24)


def test_a_damaged_count_stops_no_number_and_begins_anew(whole_store: Store) -> None:
    row_key = records.activity_row_key(1, NOW // HOUR)
    whole_store.update(lambda txn: txn.put(tables.ACTIVITY, row_key, b"damaged"))
    assert sum(hours(whole_store, 1)) == 0
    whole_store.update(lambda txn: activity.add(txn, {(1, NOW // HOUR): 3}))
    assert sum(hours(whole_store, 1)) == 3


# Pending


class Clock:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.time = 100.0

    def monotonic(self) -> float:
        return self.time


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pending, "time", clock)
    return clock


class Failing(MemoryStore):
    """A store that fails if it is told how."""

    error: BaseException | None = None
    kept = False
    """Whether it keeps the writes of an update that fails."""

    def update(self, fn: Callable[[Transaction], T]) -> T:
        if self.error is None or self.kept:
            result = super().update(fn)
            if self.error is None:
                return result
        raise self.error


def test_an_update_takes_along_what_is_pending_now_and_then(clock: Clock) -> None:
    waiting = PendingActivity()
    store = CountedStore(MemoryStore(), waiting)
    waiting.note(call_in(1, now=NOW), 3)
    assert store.update(lambda txn: "result") == "result"
    # The first ones need not wait.
    assert stored(store) == {(1, NOW // HOUR): 3}
    assert waiting.counts() == {}
    clock.time += pending.PENDING_SECONDS / 2
    waiting.note(call_in(1, now=NOW), 1)
    waiting.note(call_in(7, now=NOW), 1)
    store.update(lambda txn: None)
    assert stored(store) == {(1, NOW // HOUR): 3}
    assert waiting.counts() == {(1, NOW // HOUR): 1, (7, NOW // HOUR): 1}
    clock.time += pending.PENDING_SECONDS / 2
    store.update(lambda txn: None)
    assert stored(store) == {(1, NOW // HOUR): 4, (7, NOW // HOUR): 1}
    assert waiting.counts() == {}


@pytest.mark.parametrize("error", [StoreUnavailable("gone"), ValueError()])
def test_counts_of_an_update_that_failed_come_along_with_the_next(
    clock: Clock, error: Exception
) -> None:
    waiting, below = PendingActivity(), Failing()
    store = CountedStore(below, waiting)
    waiting.note(call_in(1, now=NOW), 3)
    clock.time += pending.PENDING_SECONDS
    below.error = error
    with pytest.raises(type(error)):
        store.update(lambda txn: None)
    assert waiting.counts() == {(1, NOW // HOUR): 3}
    assert stored(store) == {}
    below.error = None
    clock.time += pending.PENDING_SECONDS
    store.update(lambda txn: None)
    assert stored(store) == {(1, NOW // HOUR): 3}
    assert waiting.counts() == {}


def test_a_store_without_room_for_counts_takes_all_else(clock: Clock) -> None:
    class Full(MemoryStore):
        """A store that has room for an update only if it counts nothing."""

        def update(self, fn: Callable[[Transaction], T]) -> T:
            seen.append(dict(waiting.counts()))
            rows = self.rows
            result = super().update(fn)
            if stored(self):
                self.rows = rows
                raise StoreFull("full")
            return result

    seen: list[dict[Hour, int]] = []
    waiting = PendingActivity()
    store = CountedStore(Full(), waiting)
    waiting.note(call_in(1, now=NOW), 3)
    for _ in range(3):
        assert store.update(lambda txn: "deleted") == "deleted"
        clock.time += pending.PENDING_SECONDS
    assert waiting.counts() == {(1, NOW // HOUR): 3}
    # Not even meanwhile are they counted twice.
    assert seen == [{(1, NOW // HOUR): 3}] * 6


def test_an_update_takes_along_only_some_of_many_hours(clock: Clock) -> None:
    waiting = PendingActivity()
    store = CountedStore(MemoryStore(), waiting)
    accounts = range(1, 2 * pending.MOST_TAKEN + 2)
    for account in accounts:
        waiting.note(call_in(account, now=NOW), account)
    for done in (pending.MOST_TAKEN, 2 * pending.MOST_TAKEN, len(accounts)):
        # Those that are left do not wait for some seconds again.
        store.update(lambda txn: None)
        assert len(stored(store)) == done
        assert len(waiting.counts()) == len(accounts) - done
    assert stored(store) == {(account, NOW // HOUR): account for account in accounts}


def test_a_refused_update_leaves_its_counts_to_the_next(clock: Clock) -> None:
    waiting, below = PendingActivity(), Failing()
    store = CountedStore(below, waiting)
    waiting.note(call_in(1, now=NOW), 3)
    below.error = LimitReached("at its limit")
    with pytest.raises(LimitReached):
        store.update(lambda txn: None)
    below.error = None
    store.update(lambda txn: None)
    assert stored(store) == {(1, NOW // HOUR): 3}


@pytest.mark.parametrize("kept", [True, False])
def test_counts_that_may_have_been_written_are_never_written_again(
    clock: Clock, kept: bool
) -> None:
    waiting, below = PendingActivity(), Failing()
    store = CountedStore(below, waiting)
    waiting.note(call_in(1, now=NOW), 3)
    clock.time += pending.PENDING_SECONDS
    below.error, below.kept = StoreUncertain("lost"), kept
    with pytest.raises(StoreUncertain):
        store.update(lambda txn: None)
    assert waiting.counts() == {}
    below.error = None
    store.update(lambda txn: None)
    assert stored(store) == ({(1, NOW // HOUR): 3} if kept else {})


def test_what_is_noted_during_an_update_stays_pending(clock: Clock) -> None:
    waiting = PendingActivity()
    store = CountedStore(MemoryStore(), waiting)
    waiting.note(call_in(1, now=NOW), 3)
    clock.time += pending.PENDING_SECONDS
    seen = []

    def update(txn: Transaction) -> None:
        waiting.note(call_in(1, now=NOW), 1)
        seen.append(waiting.counts()[1, NOW // HOUR])

    store.update(update)
    assert seen == [4]
    assert stored(store) == {(1, NOW // HOUR): 3}
    assert waiting.counts() == {(1, NOW // HOUR): 1}


def test_what_is_pending_is_flushed_at_once_and_quietly() -> None:
    waiting, store = PendingActivity(), Failing()
    waiting.note(call_in(1, now=NOW), 3)
    waiting.flush(store)
    assert stored(store) == {(1, NOW // HOUR): 3}
    waiting.note(call_in(1, now=NOW), 3)
    store.error = StoreError("gone")
    waiting.flush(store)
    assert waiting.counts() == {(1, NOW // HOUR): 3}


def test_an_update_that_runs_twice_counts_once(clock: Clock) -> None:
    waiting = PendingActivity()
    waiting.note(call_in(1, now=NOW), 3)
    clock.time += pending.PENDING_SECONDS
    runs = []

    class Twice(MemoryStore):
        def update(self, fn: Callable[[Transaction], T]) -> T:
            def run(txn: Transaction) -> T:
                runs.append(1)
                return fn(txn)

            rows = self.rows
            super().update(run)
            self.rows = rows
            return super().update(run)

    store = CountedStore(Twice(), waiting)
    store.update(lambda txn: None)
    assert len(runs) == 2
    assert stored(store) == {(1, NOW // HOUR): 3}
