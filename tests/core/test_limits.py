"""Limits of series, and tokens that are remembered: one promise at a time."""

import pytest

from monotron.core import records, series, tables
from monotron.core.errors import InvalidNumber, LimitReached, LimitTooLow
from monotron.core.history import ALL_INDEXED, INDEX_ENTRIES
from monotron.core.records import Series
from monotron.core.tokens import BUCKET_TOKENS, TAIL_TOKENS
from monotron.limits import HISTORY_VALUES, LAST_VALUE
from monotron.store.contract import Store, Transaction
from tests.support.calls import call_in
from tests.support.invariants import faults, rows_of_store


def advance(
    store: Store,
    key: str = "key",
    token: str | None = None,
    count: int = 1,
    *,
    keep: int = HISTORY_VALUES,
) -> int:
    call = call_in(1, now=1, keep=keep)
    return store.update(lambda txn: series.advance(txn, call, key, token=token, count=count)).value


def seed(store: Store, value: int, key: str = "key") -> int:
    return store.update(lambda txn: series.seed(txn, call_in(1, now=1), key, value)).value


def set_limit(store: Store, limit: int, key: str = "key") -> None:
    store.update(lambda txn: series.set_limit(txn, 1, key, limit))


def limit_of(store: Store, key: str = "key") -> int:
    return store.view(lambda reading: series.limit_of(reading, 1, key))


def recall(store: Store, token: str, *, keep: int = 1_000_000) -> int | None:
    return store.update(lambda txn: series.recall(txn, call_in(1, now=1, keep=keep), "key", token))


# Limits


@pytest.mark.parametrize("first", [True, False], ids=["before the first value", "after it"])
def test_a_series_ends_at_its_limit(whole_store: Store, first: bool) -> None:
    if not first:
        advance(whole_store)
    set_limit(whole_store, 3)
    assert limit_of(whole_store) == 3
    while (value := advance(whole_store)) < 3:
        pass
    assert value == 3
    before = rows_of_store(whole_store)
    with pytest.raises(LimitReached, match="has reached its limit, 3"):
        advance(whole_store)
    assert rows_of_store(whole_store) == before


def test_the_last_token_still_gets_its_value_at_the_limit(whole_store: Store) -> None:
    set_limit(whole_store, 1)
    assert [advance(whole_store, token="a"), advance(whole_store, token="a")] == [1, 1]


def test_a_range_that_would_pass_the_limit_takes_nothing(whole_store: Store) -> None:
    set_limit(whole_store, 10)
    assert advance(whole_store, count=8) == 8
    with pytest.raises(LimitReached, match="is at 8: there are not 3 values left"):
        advance(whole_store, count=3)
    assert advance(whole_store, count=2) == 10


def test_a_refusal_of_the_first_values_leaves_nothing_to_undo(whole_store: Store) -> None:
    set_limit(whole_store, 5)

    def refused(txn: Transaction) -> int:
        with pytest.raises(LimitReached):
            series.advance(txn, call_in(1, now=1), "key", count=6)
        with pytest.raises(LimitReached):
            series.seed(txn, call_in(1, now=1), "key", 6)
        return series.limit_of(txn, 1, "key")

    assert whole_store.update(refused) == 5
    assert advance(whole_store, count=5) == 5
    with pytest.raises(LimitReached):
        advance(whole_store)


def test_a_series_is_not_moved_up_past_its_limit(whole_store: Store) -> None:
    set_limit(whole_store, 10)
    with pytest.raises(LimitReached, match="cannot be moved up to 11"):
        seed(whole_store, 11)
    assert seed(whole_store, 10) == 10


def test_a_limit_below_the_present_value_is_refused(whole_store: Store) -> None:
    seed(whole_store, 10)
    with pytest.raises(LimitTooLow, match="is at 10 already: 9 is too low"):
        set_limit(whole_store, 9)
    set_limit(whole_store, 10)
    with pytest.raises(LimitReached):
        advance(whole_store)


@pytest.mark.parametrize("first", [True, False], ids=["before the first value", "after it"])
def test_a_limit_can_be_removed(whole_store: Store, first: bool) -> None:
    if not first:
        advance(whole_store)
    before = rows_of_store(whole_store)
    set_limit(whole_store, 1)
    set_limit(whole_store, 0)
    assert rows_of_store(whole_store) == before
    assert limit_of(whole_store) == 0
    assert advance(whole_store, count=5) > 1


def test_a_deleted_series_has_no_limit(whole_store: Store) -> None:
    for key in ("key", "not yet"):
        set_limit(whole_store, 1, key)
    advance(whole_store)
    for key in ("key", "not yet"):
        whole_store.update(lambda txn, key=key: series.delete(txn, 1, key))  # type: ignore[misc]
        assert limit_of(whole_store, key) == 0
    assert advance(whole_store, count=5) == 5


@pytest.mark.parametrize(
    ("value", "limit", "near"),
    [
        *((9, 10, True), (8, 10, False), (10, 10, True), (1, 1, True), (5, 0, False)),
        *((LAST_VALUE, LAST_VALUE, True), (LAST_VALUE // 2, LAST_VALUE, False)),
    ],
)
def test_a_series_is_near_its_limit_from_nine_tenths_on(value: int, limit: int, near: bool) -> None:
    assert series.is_near_limit(value, limit) == near


# Tokens


def test_an_earlier_token_is_recalled(whole_store: Store) -> None:
    for token in ("a", "b", "c", "b"):
        advance(whole_store, token=token)
    assert [recall(whole_store, token) for token in ("a", "b", "c", "d")] == [1, 4, 3, None]
    advance(whole_store, token="d")
    advance(whole_store, token="a")
    assert [recall(whole_store, token) for token in ("a", "b", "c", "d")] == [6, 4, 3, 5]
    assert faults(whole_store) == []


def test_nothing_is_recalled_of_a_series_that_is_missing(whole_store: Store) -> None:
    before = rows_of_store(whole_store)
    assert recall(whole_store, "a") is None
    assert rows_of_store(whole_store) == before


def test_a_service_without_history_says_that_it_remembers_nothing(whole_store: Store) -> None:
    advance(whole_store, token="a")
    with pytest.raises(InvalidNumber, match="keeps no history"):
        recall(whole_store, "a", keep=0)


def test_a_series_that_nobody_asks_has_no_index(whole_store: Store) -> None:
    for number in range(100):
        advance(whole_store, token=f"{number}")
    assert rows_of_store(whole_store)[tables.TOKENS] == []


def test_the_index_has_the_tokens_that_history_holds_and_no_others(whole_store: Store) -> None:
    recall_at = 50
    for number in range(300):
        call = call_in(1, now=1, keep=100)
        whole_store.update(
            lambda txn, number=number, call=call: series.advance(  # type: ignore[misc]
                txn, call, "key", token=f"{number % 200:060}"
            )
        )
        if number == recall_at:
            recall(whole_store, "x", keep=100)
    bucket_rows = rows_of_store(whole_store)[tables.TOKENS]
    marked = [each for _, row in bucket_rows for each in records.unpack_bucket(row)]
    # What is too old is cut off a bucket only now and then.
    buckets = len(bucket_rows) - 1
    assert buckets <= 2
    assert 100 <= len(marked) <= TAIL_TOKENS + buckets * (2 * BUCKET_TOKENS + TAIL_TOKENS)
    assert recall(whole_store, f"{99:060}", keep=100) == 300
    assert recall(whole_store, f"{199:060}", keep=100) is None
    assert faults(whole_store) == []


def test_a_token_is_found_long_after_it_left_the_tail(whole_store: Store) -> None:
    advance(whole_store, token="first")
    assert recall(whole_store, "first") == 1
    count = 3 * TAIL_TOKENS

    def take_many(txn: Transaction) -> None:
        for number in range(count):
            series.advance(txn, call_in(1, now=1), "key", token=f"{number}")

    whole_store.update(take_many)
    for number in (0, 1, TAIL_TOKENS, count // 2, count - 1):
        assert recall(whole_store, f"{number}") == number + 2
    assert recall(whole_store, "first") == 1
    assert faults(whole_store) == []


def test_a_history_that_became_much_longer_gets_another_index(whole_store: Store) -> None:
    advance(whole_store, token="a", keep=50)
    assert recall(whole_store, "a", keep=50) == 1
    few = _state(whole_store).buckets
    advance(whole_store, token="b", keep=50)
    assert _state(whole_store).buckets == few
    advance(whole_store, token="c", keep=100_000)
    # Nobody has asked for a token since.
    assert _state(whole_store).buckets == 0
    assert rows_of_store(whole_store)[tables.TOKENS] == []
    assert [recall(whole_store, token, keep=100_000) for token in "abcd"] == [1, 2, 3, None]
    assert _state(whole_store).buckets > few
    assert faults(whole_store) == []


def test_a_long_history_is_indexed_in_parts(whole_store: Store) -> None:
    count = 2 * INDEX_ENTRIES + 100

    def take_many(txn: Transaction) -> None:
        for number in range(count):
            call = call_in(1, now=1, keep=count)
            series.advance(txn, call, "key", token=f"{number}")

    whole_store.update(take_many)
    begins = []
    while (state := _state(whole_store)).indexed != ALL_INDEXED:
        begins.append(state.indexed)
        for number in (0, count // 2, count - 1):
            assert recall(whole_store, f"{number}") == number + 1
        assert faults(whole_store) == []
    assert begins[0] == 0
    assert begins[1:] == sorted(begins[1:], reverse=True)
    rows = rows_of_store(whole_store)[tables.TOKENS]
    assert sum(len(records.unpack_bucket(row)) for _, row in rows) == count
    for number in (0, 1_000, count - 1):
        assert recall(whole_store, f"{number}") == number + 1


def test_once_indexed_a_token_takes_four_reads_however_long_the_history_is(
    whole_store: Store,
) -> None:
    def take_many(txn: Transaction) -> None:
        for number in range(1_000):
            series.advance(txn, call_in(1, now=1), "key", token=f"{number}")

    whole_store.update(take_many)
    recall(whole_store, "0")

    class Counting:
        """A snapshot that counts what is read from it."""

        def __init__(self, txn: Transaction) -> None:
            self.txn = txn
            self.reads = 0

        def __getattr__(self, name: str) -> object:
            self.reads += 1
            return getattr(self.txn, name)

    def reads(txn: Transaction, token: str) -> int:
        counting = Counting(txn)
        series.recall(counting, call_in(1, now=1), "key", token)  # type: ignore[arg-type]
        return counting.reads

    # That of the series, of the tail, of a bucket and of a row of history.
    for token, count in (("0", 4), ("500", 4), ("never used", 3)):
        assert whole_store.update(lambda txn, token=token: reads(txn, token)) == count  # type: ignore[misc]


def test_two_tokens_with_the_same_mark_are_told_apart(
    whole_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "token_mark", lambda token: b"marked")
    for token in ("a", "b", "c", "a"):
        advance(whole_store, token=token)
        assert recall(whole_store, token) is not None
    assert [recall(whole_store, token) for token in ("a", "b", "c", "d")] == [4, 2, 3, None]
    # With the marks as they really are, its index would be wrong.
    whole_store.update(lambda txn: series.delete(txn, 1, "key"))


def _state(store: Store) -> Series:
    state = store.view(lambda reading: series.get(reading, 1, "key"))
    assert state is not None
    return state
