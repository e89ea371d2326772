"""Search: pages of series by key and by their last change."""

from collections.abc import Callable

import pytest

from monotron.core import (
    accounts,
    bumps,
    changes,
    records,
    search,
    semver,
    series,
    tables,
    upgrading,
)
from monotron.core.changes import NEARNESS
from monotron.core.records import Series
from monotron.core.search import LOOK_AHEAD, Place, Search
from monotron.store.contract import Reading, Store, Transaction
from monotron.store.paging import PAGE_ROWS
from tests.support.calls import call_in

START = 10**15


def change(store: Store, *keys: str, at: int, account: int = 1) -> None:
    def advance(txn: Transaction) -> None:
        for key in keys:
            series.advance(txn, call_in(account, now=at), key)

    store.update(advance)


def by_change(store: Store, search_: Search = Search(), *, limit: int = 100) -> list[str]:  # noqa: B008
    """Return the keys on all pages."""
    keys: list[str] = []
    after: Place | None = None
    while True:
        page = store.view(
            lambda reading, after=after: search.by_change(  # type: ignore[misc]
                reading, 1, search_, after=after, limit=limit
            )
        )
        assert len(page.items) <= limit
        keys += [each.key for each in page.items]
        after = page.next
        if after is None:
            return keys


def by_key(store: Store, search_: Search, *, limit: int = 100) -> list[str]:
    keys: list[str] = []
    after: str | None = ""
    while after is not None:
        page = store.view(
            lambda reading, after=after: search.by_key(  # type: ignore[misc]
                reading, 1, search_, after=after, limit=limit
            )
        )
        keys += [each.key for each in page.items]
        after = page.next
    return keys


def by_value(store: Store, search_: Search, *, limit: int = 100) -> list[str]:
    keys: list[str] = []
    after: Place | None = None
    while True:
        page = store.view(
            lambda reading, after=after: search.by_value(  # type: ignore[misc]
                reading, 1, search_, after=after, limit=limit
            )
        )
        keys += [each.key for each in page.items]
        after = page.next
        if after is None:
            return keys


def bump(store: Store, name: str, *parts: int, at: int, pre: str = "") -> None:
    def bump_each(txn: Transaction) -> None:
        for part in parts:
            semver.bump(txn, call_in(1, now=at), name, part, f"{name}{part}{at}", pre=pre)

    store.update(bump_each)


def row_times(store: Store) -> dict[str, int]:
    def read(reading: Reading) -> dict[str, int]:
        rows = reading.scan(tables.CHANGE_TIMES, b"", b"\xff" * 512, limit=10_000)
        found = (records.unpack_change_row_key(row_key) for row_key, _ in rows)
        return {key: listed_at for _, listed_at, key in found}

    return store.view(read)


@pytest.mark.parametrize("step", [1, NEARNESS - 1, NEARNESS, 10 * NEARNESS])
@pytest.mark.parametrize("limit", [1, 2, 100])
def test_the_newest_change_comes_first(whole_store: Store, step: int, limit: int) -> None:
    at = START
    for key in ("a", "b", "c", "a", "b", "a"):
        change(whole_store, key, at=at)
        at += step
    assert by_change(whole_store, limit=limit) == ["a", "b", "c"]


def test_a_clock_that_jumps_back_is_believed(whole_store: Store) -> None:
    change(whole_store, "a", at=START)
    change(whole_store, "b", at=START + 1)
    change(whole_store, "b", at=START - NEARNESS)
    assert by_change(whole_store) == ["a", "b"]


def test_a_series_that_changes_all_the_time_moves_its_row_now_and_then(whole_store: Store) -> None:
    moves = set()
    for number in range(100):
        change(whole_store, "busy", at=START + number * NEARNESS // 10)
        moves.add(row_times(whole_store)["busy"])
    assert len(moves) == 10
    assert len(row_times(whole_store)) == 1


def test_a_deleted_series_is_not_listed(whole_store: Store) -> None:
    change(whole_store, "a", "b", at=START)
    whole_store.update(lambda txn: series.delete(txn, 1, "a"))
    assert by_change(whole_store) == ["b"]
    assert row_times(whole_store).keys() == {"b"}


def test_a_series_that_is_moved_up_has_changed(whole_store: Store) -> None:
    change(whole_store, "a", at=START)
    change(whole_store, "b", at=START + 1)
    call = call_in(1, now=START + 2)
    whole_store.update(lambda txn: series.seed(txn, call, "a", 7))
    assert by_change(whole_store) == ["a", "b"]


def test_each_account_has_its_own_changes(whole_store: Store) -> None:
    whole_store.update(lambda txn: accounts.make(txn, 7, now=START))
    change(whole_store, "a", at=START)
    change(whole_store, "b", at=START + 1, account=7)
    assert by_change(whole_store) == ["a"]


def test_what_changed_before_is_left_out(whole_store: Store) -> None:
    for number, key in enumerate("abcde"):
        change(whole_store, key, at=START + number * (NEARNESS // 2))
    change(whole_store, "a", at=START + 5 * (NEARNESS // 2))
    since = Search(changed_since=START + 3 * (NEARNESS // 2))
    assert by_change(whole_store, since) == ["a", "e", "d"]
    assert by_key(whole_store, since) == ["a", "d", "e"]


def test_what_it_contains_is_found_anywhere_and_in_any_case(whole_store: Store) -> None:
    change(whole_store, "shop/nightly", "NIGHTLY", "shop", "straße", "Ä", at=START)
    assert by_key(whole_store, Search(contains="Nightly")) == ["NIGHTLY", "shop/nightly"]
    assert by_key(whole_store, Search(contains="STRASSE")) == ["straße"]
    assert by_key(whole_store, Search(contains="ä")) == ["Ä"]
    assert by_key(whole_store, Search(prefix="shop", contains="N")) == ["shop/nightly"]
    assert set(by_change(whole_store, Search(contains="nightly"))) == {"NIGHTLY", "shop/nightly"}
    assert by_key(whole_store, Search(contains="missing")) == []


def test_pages_of_a_search_by_key_have_each_series_once(whole_store: Store) -> None:
    keys = [f"{number:03}{'x' * (number % 3 == 0)}" for number in range(60)]
    change(whole_store, *keys, at=START)
    expected = [key for key in keys if "x" in key]
    for limit in (1, 7, len(expected) - 1, len(expected), len(expected) + 1):
        assert by_key(whole_store, Search(contains="X"), limit=limit) == expected


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_the_highest_value_comes_first(whole_store: Store, limit: int) -> None:
    change(whole_store, "a", "b", "b", "c", "d", "d", at=START)
    assert by_value(whole_store, Search(), limit=limit) == ["d", "b", "c", "a"]
    assert by_value(whole_store, Search(prefix="b"), limit=limit) == ["b"]
    since = Search(changed_since=START + 1)
    change(whole_store, "a", at=START + 1)
    assert by_value(whole_store, since, limit=limit) == ["a"]


def test_a_text_is_found_in_keys_and_at_the_beginning_of_tokens(whole_store: Store) -> None:
    for key, token in (("shop", "7D4C"), ("till", "straße-1"), ("C3", None), ("x7d4", "f")):
        call = call_in(1, now=START)
        whole_store.update(
            lambda txn, key=key, token=token, call=call: series.advance(  # type: ignore[misc]
                txn, call, key, token=token
            )
        )
    for find in (by_key, by_change, by_value):
        assert set(find(whole_store, Search(find="7d4"))) == {"shop", "x7d4"}
        assert set(find(whole_store, Search(find="STRASSE"))) == {"till"}
        assert find(whole_store, Search(find="4C")) == []
        assert set(find(whole_store, Search(find="c3"))) == {"C3"}
        assert find(whole_store, Search(find="7d4", contains="x")) == ["x7d4"]


def test_a_version_is_found_by_its_beginning_in_all_its_parts(whole_store: Store) -> None:
    bump(whole_store, "till", bumps.MINOR, bumps.MAJOR, bumps.PATCH, at=START)
    change(whole_store, "till-minor-v1-x", "other-major", at=START)
    parts = ["till-major", "till-minor-v0", "till-patch-v1.0"]
    for text in ("1.0.1", "V1", "1"):
        found = by_key(whole_store, Search(find=text))
        assert [key for key in found if key in parts] == parts
    assert by_key(whole_store, Search(find="1.0.1")) == parts
    assert by_key(whole_store, Search(find="0.1")) == []
    # A name with a hyphen is one of its own.
    bump(whole_store, "till-minor-v1", bumps.MAJOR, at=START)
    assert by_key(whole_store, Search(find="1.0.0")) == ["till-minor-v1-major"]


@pytest.mark.parametrize("step", [0, 1, NEARNESS])
@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_of_the_parts_of_a_version_the_newest_is_listed(
    whole_store: Store, step: int, limit: int
) -> None:
    bump(whole_store, "till", bumps.MAJOR, at=START)
    bump(whole_store, "till", bumps.MINOR, at=START + step)
    change(whole_store, "shop", "till-minor", at=START + step)
    bump(whole_store, "app", bumps.PATCH, at=START + step)
    bump(whole_store, "till", bumps.MAJOR, at=START + 2 * step)
    expected = {"app-patch-v0.0", "shop", "till-minor"}
    expected |= {"till-major"} if step else {"till-minor-v1"}
    folded = Search(folded=True)
    for find in (by_key, by_change, by_value):
        found = find(whole_store, folded, limit=limit)
        assert len(found) == len(expected)
        assert set(found) == expected
        assert set(find(whole_store, Search(folded=True, find="till"), limit=limit)) == {
            key for key in expected if "till" in key
        }


def test_a_version_whose_series_was_deleted_is_not_folded(whole_store: Store) -> None:
    bump(whole_store, "till", bumps.MAJOR, bumps.MINOR, at=START)
    whole_store.update(lambda txn: series.delete(txn, 1, "till-major"))
    assert by_key(whole_store, Search(folded=True)) == ["till-minor-v1"]


def test_more_series_of_one_moment_than_are_looked_ahead_come_each_once(whole_store: Store) -> None:
    keys = [f"{number:05}" for number in range(LOOK_AHEAD + 300)]
    change(whole_store, *keys, at=START)
    change(whole_store, "newer", at=START + NEARNESS)
    assert by_change(whole_store, limit=500) == ["newer", *reversed(keys)]


def test_a_page_reads_no_more_rows_than_it_needs(
    whole_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(300):
        change(whole_store, f"{number}", at=START + number * NEARNESS)
    read: list[str] = []
    real = series.get

    def get(reading: Reading, account: int, key: str) -> Series | None:
        read.append(key)
        return real(reading, account, key)

    def first_page(reading: Reading) -> None:
        # An engine may run it more than once.
        read.clear()
        search.by_change(reading, 1, Search(), after=None, limit=10)

    monkeypatch.setattr(series, "get", get)
    whole_store.view(first_page)
    assert len(read) <= 13


@pytest.mark.parametrize("find", [search.by_key, search.by_change])
def test_a_small_page_reads_few_rows(whole_store: Store, find: Callable[..., object]) -> None:
    change(whole_store, *(f"{number:04}" for number in range(500)), at=START)
    limits: list[int] = []

    class Watched:
        """A snapshot that notes how many rows are asked for."""

        def __init__(self, reading: Reading) -> None:
            self.get = reading.get
            self.reading = reading

        def scan(self, *place: object, limit: int, **more: bool) -> list[tuple[bytes, bytes]]:
            limits.append(limit)
            return self.reading.scan(*place, limit=limit, **more)  # type: ignore[arg-type]

    whole_store.view(lambda reading: find(Watched(reading), 1, Search(), after=None, limit=2))
    assert max(limits) <= 16
    # Hardly any row may contain the text, so many are read at once.
    sought = Search(contains="0499")
    whole_store.view(lambda reading: find(Watched(reading), 1, sought, after=None, limit=2))
    assert limits[-1] == PAGE_ROWS


def test_a_store_of_an_earlier_version_is_brought_into_the_index(whole_store: Store) -> None:
    def forget(txn: Transaction) -> None:
        for key in ("b", "c"):
            state = series.get(txn, 1, key)
            assert state is not None
            changes.forget(txn, 1, key, state.listed_at)
            state.listed_at = 0
            series.put(txn, state)

    for number, key in enumerate(("a", "b", "c")):
        change(whole_store, key, at=START + number)
    whole_store.update(forget)
    assert by_change(whole_store) == ["a"]
    assert whole_store.view(upgrading.is_due)
    assert upgrading.upgrade(whole_store) == 2
    assert by_change(whole_store) == ["c", "b", "a"]
    assert not whole_store.view(upgrading.is_due)
    change(whole_store, "b", at=START + 10)
    assert by_change(whole_store) == ["b", "c", "a"]
    assert len(row_times(whole_store)) == 3
