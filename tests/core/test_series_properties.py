"""The rules of a series, against a model of a few lines."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monotron.core import accounts, history, numbers, series
from monotron.core.errors import InvalidNumber, RuleError, SeedTooLow, SeriesExhausted
from monotron.core.records import Series
from monotron.limits import LAST_VALUE
from monotron.store.contract import Reading, Store, Transaction
from tests.support import invariants
from tests.support.calls import call_in

whole_store = invariants.whole_store

State = tuple[int, str | None]

HistoryValue = tuple[int, str | None, str | None]
"""A value, the token it was taken for, and the API key that took it."""

KEEP = 5
"""How many values history holds here."""

ACCOUNTS = itertools.count(2)
"""Each example has its own account, so that all of them can share one store."""


class Model:
    """A model of a series, without a store."""

    def __init__(self) -> None:
        self.states: dict[str, State] = {}
        self.taken: dict[str, list[HistoryValue]] = {}

    def advance(self, key: str, token: str | None, count: int, api_key: str | None = None) -> State:
        value, current = self.states.get(key, (0, None))
        if token is None or token != current:
            if value + count > LAST_VALUE:
                raise SeriesExhausted
            self.states[key] = (value + count, token)
            newest = range(value + count, value, -1)[:KEEP]
            before = self.taken.get(key, [])
            self.taken[key] = [*((each, token, api_key) for each in newest), *before][:KEEP]
        return self.states[key]

    def seed(self, key: str, goal: int) -> State:
        value, _ = self.states.get(key, (0, None))
        if goal < value:
            raise SeedTooLow
        if goal > value:
            self.states[key] = (goal, None)
        return self.states[key]

    def delete(self, key: str) -> bool:
        self.taken.pop(key, None)
        return self.states.pop(key, None) is not None

    def get(self, key: str) -> State | None:
        return self.states.get(key)

    def history(self, key: str) -> list[HistoryValue]:
        return self.taken.get(key, [])

    def value_of(self, key: str, token: str) -> int | None:
        return next((value for value, each, _ in self.history(key) if each == token), None)

    def page(self, prefix: str, after: str, limit: int) -> tuple[list[str], str | None]:
        keys = sorted(key for key in self.states if key.startswith(prefix) and key > after)
        return keys[:limit], keys[limit - 1] if len(keys) > limit else None


class Rules:
    """The same calls, answered by monotron."""

    def __init__(self, store: Store, account: int) -> None:
        self.store = store
        self.account = account
        store.update(lambda txn: accounts.make(txn, account, now=1))

    def advance(self, key: str, token: str | None, count: int, api_key: str | None = None) -> State:
        return self._update(
            lambda txn: series.advance(
                txn,
                call_in(self.account, now=1, api_key=api_key, keep=KEEP),
                key,
                token=token,
                count=count,
            )
        )

    def seed(self, key: str, goal: int) -> State:
        return self._update(lambda txn: series.seed(txn, call_in(self.account, now=1), key, goal))

    def delete(self, key: str) -> bool:
        return self.store.update(lambda txn: series.delete(txn, self.account, key))

    def get(self, key: str) -> State | None:
        state = self.store.view(lambda reading: series.get(reading, self.account, key))
        return None if state is None else (state.value, state.token)

    def history(self, key: str) -> list[HistoryValue]:
        def read(reading: Reading) -> list[HistoryValue]:
            state = series.get(reading, self.account, key)
            if state is None:
                return []
            page = history.page(reading, state, keep=KEEP, limit=1_000)
            assert page.next is None
            return [(taken.value, taken.token, taken.api_key) for taken in page.items]

        return self.store.view(read)

    def value_of(self, key: str, token: str) -> int | None:
        def read(reading: Reading) -> int | None:
            state = series.get(reading, self.account, key)
            return None if state is None else history.value_of(reading, state, token, keep=KEEP)

        return self.store.view(read)

    def page(self, prefix: str, after: str, limit: int) -> tuple[list[str], str | None]:
        page = self.store.view(
            lambda reading: series.page(
                reading, self.account, prefix=prefix, after=after, limit=limit
            )
        )
        assert {each.account for each in page.items} <= {self.account}
        return [each.key for each in page.items], page.next

    def _update(self, fn: Callable[[Transaction], Series]) -> State:
        state = self.store.update(fn)
        return state.value, state.token


KEYS = st.sampled_from(["a", "a/b", "a0", "ab", "b", "é", "\uffff", "😀"])
TOKENS = st.sampled_from("xyz")
API_KEYS = st.none() | st.sampled_from(["root", "k" * 24])
VALUES = st.integers(1, 50) | st.integers(LAST_VALUE - 5, LAST_VALUE)
CALLS = st.one_of(
    st.tuples(st.just("advance"), KEYS, st.none() | TOKENS, st.just(1), API_KEYS),
    st.tuples(
        st.just("advance"), KEYS, st.none(), st.integers(1, 9) | st.just(1_000_000), API_KEYS
    ),
    st.tuples(st.just("seed"), KEYS, VALUES),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.just("get"), KEYS),
    st.tuples(st.just("history"), KEYS),
    st.tuples(st.just("value_of"), KEYS, TOKENS),
    st.tuples(
        st.just("page"),
        st.sampled_from(["", "a", "a/", "é"]),
        st.just("") | KEYS,
        st.integers(1, 5),
    ),
)


def outcome(answerer: Model | Rules, name: str, *arguments: Any) -> object:
    """Return the answer to a call, or the error that refused it."""
    try:
        return getattr(answerer, name)(*arguments)
    except RuleError as error:
        return type(error)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(CALLS, max_size=30))
def test_any_calls_are_answered_as_the_model_says(
    whole_store: Store, calls: list[tuple[Any, ...]]
) -> None:
    model, rules = Model(), Rules(whole_store, next(ACCOUNTS))
    for call in calls:
        assert outcome(rules, *call) == outcome(model, *call)
    keys, after = rules.page("", "", 1_000)
    assert after is None
    assert {key: rules.get(key) for key in keys} == model.states
    assert {key: rules.history(key) for key in model.taken} == model.taken


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sets(KEYS), st.integers(1, 4))
def test_pages_give_each_series_once(whole_store: Store, keys: set[str], limit: int) -> None:
    rules = Rules(whole_store, next(ACCOUNTS))
    for key in keys:
        rules.advance(key, None, 1)
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        page, after = rules.page("", after, limit)
        seen += page
    assert seen == sorted(keys)


@pytest.fixture
def rules(whole_store: Store) -> Rules:
    return Rules(whole_store, 1)


def test_a_series_starts_at_1(rules: Rules) -> None:
    assert rules.get("key") is None
    assert rules.advance("key", None, 1) == (1, None)
    assert rules.advance("key", None, 1) == (2, None)


def test_the_same_token_gets_the_same_value(rules: Rules) -> None:
    assert rules.advance("key", "a", 1) == (1, "a")
    assert rules.advance("key", "a", 1) == (1, "a")
    assert rules.advance("key", "b", 1) == (2, "b")


def test_a_token_stands_for_one_value(rules: Rules) -> None:
    rules.advance("key", "a", 1)
    for token in ("a", "b"):
        with pytest.raises(InvalidNumber):
            rules.advance("key", token, 2)
    assert rules.get("key") == (1, "a")


def test_an_older_token_gets_a_new_value(rules: Rules) -> None:
    rules.advance("key", "a", 1)
    rules.advance("key", "b", 1)
    assert rules.advance("key", "a", 1) == (3, "a")


@pytest.mark.parametrize("call", [("advance", "key", None, 1), ("seed", "key", 2)])
def test_a_value_without_a_token_clears_it(rules: Rules, call: tuple[Any, ...]) -> None:
    rules.advance("key", "a", 1)
    assert outcome(rules, *call) == (2, None)
    assert rules.advance("key", "a", 1) == (3, "a")


def test_a_seed_to_the_present_value_changes_nothing(rules: Rules) -> None:
    rules.advance("key", "a", 1)
    assert rules.seed("key", 1) == (1, "a")
    assert rules.get("key") == (1, "a")


def test_a_deleted_series_starts_at_1_again(rules: Rules) -> None:
    rules.seed("key", 100)
    rules.advance("key", "a", 1)
    assert rules.delete("key")
    assert not rules.delete("key")
    assert rules.advance("key", "a", 1) == (1, "a")


@pytest.mark.parametrize(
    ("before", "token", "count"),
    [
        (LAST_VALUE, None, 1),
        (LAST_VALUE, "new", 1),
        (LAST_VALUE, None, 1_000_000),
        (LAST_VALUE - 1, None, 2),
        (LAST_VALUE - 999_999, None, 1_000_000),
    ],
)
def test_nothing_is_given_out_beyond_the_last_value(
    rules: Rules, before: int, token: str | None, count: int
) -> None:
    rules.seed("key", before)
    with pytest.raises(SeriesExhausted, match=str(LAST_VALUE)):
        rules.advance("key", token, count)
    assert rules.get("key") == (before, None)
    assert rules.history("key") == []


@pytest.mark.parametrize(("before", "count"), [(LAST_VALUE - 1, 1), (LAST_VALUE - 9, 9)])
def test_the_last_value_is_given_out(rules: Rules, before: int, count: int) -> None:
    rules.seed("key", before)
    assert rules.advance("key", None, count) == (LAST_VALUE, None)


def test_the_token_of_the_last_value_keeps_it(rules: Rules) -> None:
    rules.seed("key", LAST_VALUE - 1)
    assert rules.advance("key", "a", 1) == (LAST_VALUE, "a")
    assert rules.advance("key", "a", 1) == (LAST_VALUE, "a")
    with pytest.raises(SeriesExhausted):
        rules.advance("key", "b", 1)
    assert rules.get("key") == (LAST_VALUE, "a")


def test_accounts_do_not_share_series(whole_store: Store) -> None:
    first, second = Rules(whole_store, 1), Rules(whole_store, 2)
    first.advance("key", "a", 1)
    first.seed("key", 10)
    assert second.get("key") is None
    assert second.advance("key", None, 1) == (1, None)
    assert second.delete("key")
    assert first.get("key") == (10, None)
    assert first.history("key") == [(1, "a", None)]
    assert second.page("", "", 9) == ([], None)


def test_a_series_knows_when_it_began_and_when_it_last_changed(any_store: Store) -> None:
    def times(now: int, change: Callable[[Transaction, int], Series]) -> tuple[int, int]:
        state = any_store.update(lambda txn: change(txn, now))
        return state.created_at, state.updated_at

    def advance(token: str | None) -> Callable[[Transaction, int], Series]:
        return lambda txn, now: series.advance(txn, call_in(1, now=now), "key", token=token)

    def seed(value: int) -> Callable[[Transaction, int], Series]:
        return lambda txn, now: series.seed(txn, call_in(1, now=now), "key", value)

    assert times(10, advance(None)) == (10, 10)
    assert times(20, advance("a")) == (10, 20)
    assert times(30, advance("a")) == (10, 20)
    assert times(40, seed(50)) == (10, 40)
    assert times(50, seed(50)) == (10, 40)
    any_store.update(lambda txn: series.delete(txn, 1, "key"))
    assert times(60, seed(5)) == (60, 60)


@pytest.mark.parametrize(
    ("valid", "least", "most"),
    [
        (numbers.count, 1, 1_000_000),
        (numbers.value, 1, LAST_VALUE),
        (numbers.limit, 1, 1_000),
    ],
)
def test_numbers_have_to_be_within_their_bounds(
    valid: Callable[[int], int], least: int, most: int
) -> None:
    assert (valid(least), valid(most)) == (least, most)
    for number in (least - 1, most + 1, -1):
        with pytest.raises(RuleError, match=f"from {least} to {most}"):
            valid(number)
