"""The rules of a series, one promise at a time; `test_rules.py` has them in any order."""

from collections.abc import Callable
from typing import Any

import pytest

from monotron.core import numbers, series
from monotron.core.errors import InvalidNumber, RuleError, SeriesExhausted
from monotron.core.records import Series
from monotron.limits import LAST_VALUE
from monotron.store.contract import Store, Transaction
from tests.support.calls import call_in
from tests.support.rules import Rules


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
    name, *arguments = call
    assert getattr(rules, name)(*arguments) == (2, None)
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
