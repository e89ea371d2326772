"""The rules of restoring a backup: what would be lost, and how to move past it."""

import pytest

from monotron.core import restoring, search, series, stats
from monotron.core.errors import InvalidNumber
from monotron.core.restoring import Loss
from monotron.core.search import Search
from monotron.limits import LAST_VALUE, RANGE_VALUES
from monotron.store.contract import Store
from tests.support.calls import call_in
from tests.support.memory import MemoryStore


def give(store: Store, key: str, count: int) -> None:
    """Give out `count` values, one by one."""
    for _ in range(count):
        store.update(lambda txn: series.advance(txn, call_in(1, now=0), key))


def value(store: Store, key: str) -> int | None:
    state = store.view(lambda reading: series.get(reading, 1, key))
    return None if state is None else state.value


def lost(present: Store, backup: Store) -> Loss | None:
    return present.view(lambda now: backup.view(lambda then: restoring.loss(now, then)))


def test_nothing_is_lost_where_the_backup_is_as_far_or_further(any_store: Store) -> None:
    backup = MemoryStore()
    give(any_store, "a", 2)
    give(backup, "a", 2)
    give(backup, "b", 1)
    assert lost(any_store, backup) is None
    give(backup, "a", 1)
    assert lost(any_store, backup) is None


def test_series_that_would_go_back_or_be_gone_are_counted_with_an_example(
    any_store: Store,
) -> None:
    backup = MemoryStore()
    for key, now, then in (("a", 2, 2), ("b", 5, 3), ("c", 2, 1), ("d", 1, 0)):
        give(any_store, key, now)
        give(backup, key, then)
    found = lost(any_store, backup)
    assert found is not None
    assert (found.behind, found.missing) == (2, 1)
    assert found.example == "the series 'b' of account 1 is at 5, but the backup has 3"


def test_a_series_that_is_not_in_the_backup_is_an_example_too(any_store: Store) -> None:
    give(any_store, "a", 1)
    found = lost(any_store, MemoryStore())
    assert found is not None
    assert "the backup does not have it" in found.example


def test_every_series_of_every_account_is_moved_up(any_store: Store) -> None:
    for account in (1, 2):
        for number in range(1_001):
            key = f"{number:04d}"
            any_store.update(
                lambda txn, account=account, key=key: series.seed(
                    txn, call_in(account, now=0), key, 7
                )  # type: ignore[misc]
            )
    advanced = restoring.advance_all(any_store, 100, now=0)
    assert (advanced.series, advanced.capped) == (2_002, [])
    for account in (1, 2):
        page = any_store.view(
            lambda reading, account=account: search.by_key(  # type: ignore[misc]
                reading, account, Search(), after="0500", limit=1_000
            )
        )
        assert {each.value for each in page.items} == {107}


def test_a_series_is_moved_to_the_last_value_at_most(any_store: Store) -> None:
    any_store.update(lambda txn: series.seed(txn, call_in(1, now=0), "a", LAST_VALUE - 5))
    any_store.update(lambda txn: series.seed(txn, call_in(1, now=0), "b", LAST_VALUE - 10))
    advanced = restoring.advance_all(any_store, 10, now=0)
    assert [state.key for state in advanced.capped] == ["a"]
    assert (value(any_store, "a"), value(any_store, "b")) == (LAST_VALUE, LAST_VALUE)


@pytest.mark.parametrize("by", [0, -1, RANGE_VALUES + 1])
def test_series_are_moved_up_by_a_number_that_makes_sense(any_store: Store, by: int) -> None:
    give(any_store, "a", 1)
    with pytest.raises(InvalidNumber):
        restoring.advance_all(any_store, by, now=0)
    assert value(any_store, "a") == 1


def test_history_is_counted_by_values(any_store: Store) -> None:
    give(any_store, "a", 30)
    any_store.update(lambda txn: series.advance(txn, call_in(1, now=0), "b", count=5))
    assert stats.history_values(any_store) == 35
    any_store.update(lambda txn: series.delete(txn, 1, "a"))
    assert stats.history_values(any_store) == 5
