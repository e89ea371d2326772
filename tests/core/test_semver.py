"""The rules of semantic versions, one promise at a time."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from monotron.core import history, names, semver, series, tables
from monotron.core.bumps import MAJOR, MINOR, PARTS, PATCH
from monotron.core.errors import InvalidName, SeriesExhausted
from monotron.core.semver import Version
from monotron.limits import LAST_VALUE
from monotron.store.contract import Reading, Store, Transaction
from monotron.store.lmdb import LmdbStore
from tests.support.calls import call_in
from tests.support.invariants import faults, rows_of_store
from tests.support.rules import Rules


@pytest.fixture
def rules(whole_store: Store) -> Rules:
    return Rules(whole_store)


def test_there_is_no_version_before_the_first(rules: Rules) -> None:
    assert rules.current("x") is None
    rules.advance("x", None)
    rules.advance("x-minor-v1", None)
    assert rules.current("x") is None


@pytest.mark.parametrize(
    ("part", "first"), [("major", "1.0.0"), ("minor", "0.1.0"), ("patch", "0.0.1")]
)
def test_the_first_version_has_one_of_its_part(rules: Rules, part: str, first: str) -> None:
    assert rules.bumps((part, "a")) == [first]
    assert rules.version() == first


def test_a_bump_leaves_the_lower_parts_at_0(rules: Rules) -> None:
    parts = [
        "patch",
        "minor",
        "patch",
        "patch",
        "major",
        "patch",
        "minor",
        "minor",
        "patch",
        "major",
    ]
    made = rules.bumps(*((part, f"{number}") for number, part in enumerate(parts)))
    assert made == [
        "0.0.1",
        "0.1.0",
        "0.1.1",
        "0.1.2",
        "1.0.0",
        "1.0.1",
        "1.1.0",
        "1.2.0",
        "1.2.1",
        "2.0.0",
    ]
    assert rules.version() == "2.0.0"


def test_the_same_part_and_token_get_the_same_version_however_long_ago(rules: Rules) -> None:
    first = [rules.bump("x", part, "a") for part in ("major", "minor", "patch")]
    assert [str(version) for version in first] == ["1.0.0", "1.1.0", "1.1.1"]

    def make_many(txn: Transaction) -> None:
        for number in range(1_200):
            part = (PATCH, PATCH, MINOR, MAJOR)[number % 4]
            semver.bump(txn, call_in(1, now=1), "x", part, f"{number}")

    rules.store.update(make_many)
    before = rows_of_store(rules.store)
    assert [rules.bump("x", part, "a") for part in ("major", "minor", "patch")] == first
    assert rows_of_store(rules.store) == before


def test_a_version_is_known_by_its_token_and_a_bump_with_its_own(rules: Rules) -> None:
    assert rules.bump("x", "minor", "a") == Version("x", "a", 0, 1, 0)
    assert rules.bump("x", "patch", "b") == Version("x", "b", 0, 1, 1)
    assert rules.current("x") == Version("x", "b", 0, 1, 1)
    assert rules.bump("x", "minor", "a") == Version("x", "a", 0, 1, 0)
    rules.advance("x-patch-v0.1", None)
    assert rules.current("x") == Version("x", None, 0, 1, 2)


def test_the_series_of_the_parts_can_be_read_and_advanced(rules: Rules) -> None:
    rules.bumps(("major", "a"), ("minor", "b"), ("patch", "c"))
    assert rules.get("x-major") == (1, "a")
    assert rules.get("x-minor-v1") == (1, "b")
    assert rules.get("x-patch-v1.1") == (1, "c")
    assert rules.advance("x-minor-v1", "d") == (2, "d")
    assert rules.current("x") == Version("x", "d", 1, 2, 0)
    rules.seed("x-major", 7)
    assert rules.version() == "7.0.0"
    assert rules.bumps(("minor", "e")) == ["7.1.0"]


def test_a_version_takes_a_value_of_its_series_with_history(rules: Rules) -> None:
    rules.store.update(
        lambda txn: semver.bump(txn, call_in(1, now=7, api_key="root", keep=9), "x", MINOR, "a")
    )

    def read(reading: Reading) -> list[history.HistoryValue]:
        state = series.get(reading, 1, "x-minor-v0")
        assert state is not None
        return history.page(reading, state, keep=9, limit=9).items

    assert rules.store.view(read) == [history.HistoryValue(1, "a", "root", 7)]


def test_accounts_and_names_do_not_share_versions(rules: Rules) -> None:
    other = Rules(rules.store, 2)
    assert rules.bumps(("major", "a"), ("minor", "b")) == ["1.0.0", "1.1.0"]
    assert other.current("x") is None
    assert rules.current("y") is None
    assert other.bumps(("minor", "b")) == ["0.1.0"]
    assert rules.bumps(("minor", "b"), name="y") == ["0.1.0"]
    other.delete("x-minor-v0")
    assert rules.bumps(("minor", "b")) == ["1.1.0"]


@pytest.mark.parametrize("name", ["x-major", "x-minor-v1", "x-patch-v1.1", "x-minor-v1-major"])
def test_a_name_may_look_like_the_key_of_a_part(rules: Rules, name: str) -> None:
    calls = [("major", "a"), ("minor", "b"), ("patch", "c")]
    assert rules.bumps(*calls) == ["1.0.0", "1.1.0", "1.1.1"]
    assert rules.current(name) is None
    assert rules.bumps(*calls, name=name) == ["1.0.0", "1.1.0", "1.1.1"]
    for key in ("x-major", "x-minor-v1", "x-patch-v1.1"):
        rules.delete(key)
    assert rules.bumps(*calls, name=name) == ["1.0.0", "1.1.0", "1.1.1"]
    assert rules.bumps(*calls) == ["1.0.0", "1.1.0", "1.1.1"]
    for key in (f"{name}-major", f"{name}-minor-v1", f"{name}-patch-v1.1"):
        rules.delete(key)
    assert rules.current(name) is None
    assert rules.version() == "1.1.1"


@pytest.mark.parametrize(
    ("key", "part", "left"),
    [
        ("x-major", "major", ["minor", "patch"]),
        ("x-minor-v1", "minor", ["major", "patch"]),
        ("x-patch-v1.1", "patch", ["major", "minor"]),
    ],
)
def test_versions_are_forgotten_with_the_series_they_were_made_with(
    rules: Rules, key: str, part: str, left: list[str]
) -> None:
    first = {each: rules.bump("x", each, "a") for each in ("major", "minor", "patch")}
    # Of another series of the same part.
    rules.bumps(("major", "b"), ("minor", "b"), ("patch", "b"))
    others = {each: rules.bump("x", each, "b") for each in PARTS if each != part}
    rules.delete(key)
    for each in left:
        assert rules.bump("x", each, "a") == first[each]
    assert {each: rules.bump("x", each, "b") for each in others} == others
    if part != "major":
        assert str(rules.bump("x", part, "b")) == {"minor": "2.1.0", "patch": "2.1.1"}[part]


def test_a_series_that_begins_again_gives_versions_anew(rules: Rules) -> None:
    assert rules.bumps(("minor", "a"), ("minor", "b")) == ["0.1.0", "0.2.0"]
    rules.delete("x-minor-v0")
    assert rules.bumps(("minor", "b"), ("minor", "a")) == ["0.1.0", "0.2.0"]


def test_many_versions_are_forgotten_and_no_others(rules: Rules) -> None:
    def make_many(txn: Transaction) -> None:
        semver.bump(txn, call_in(1, now=1), "x", MAJOR, "first")
        for number in range(1_050):
            semver.bump(txn, call_in(1, now=1), "x", MINOR, f"first {number}")
        semver.bump(txn, call_in(1, now=1), "x", MAJOR, "second")
        for number in range(1_050):
            semver.bump(txn, call_in(1, now=1), "x", MINOR, f"second {number}")

    rules.store.update(make_many)
    before = rows_of_store(rules.store)
    rules.delete("x-minor-v1")
    after = rows_of_store(rules.store)
    lost = {table: len(before[table]) - len(after[table]) for table in tables.ALL}
    assert lost.pop(tables.BUMPS) == 1_050
    assert lost.pop(tables.SERIES) == lost.pop(tables.CHANGE_TIMES) == 1
    assert lost.pop(tables.HISTORY) > 1
    assert set(lost.values()) == {0}
    assert rules.bumps(("minor", "second 0"), ("minor", "second 1049")) == ["2.1.0", "2.1050.0"]
    assert rules.bumps(("minor", "first 0")) == ["2.1051.0"]


@pytest.mark.parametrize(
    ("key", "part"), [("x-major", "major"), ("x-minor-v0", "minor"), ("x-patch-v0.0", "patch")]
)
def test_beyond_the_last_number_nothing_changes(rules: Rules, key: str, part: str) -> None:
    rules.seed(key, LAST_VALUE - 1)
    last = rules.bump("x", part, "last")
    assert str(LAST_VALUE) in str(last)
    before = rows_of_store(rules.store)
    with pytest.raises(SeriesExhausted, match=key):
        rules.bump("x", part, "more")
    assert rules.bump("x", part, "last") == last
    assert rows_of_store(rules.store) == before


@pytest.mark.parametrize("name", ["n" * 209, "é" * 104 + "n"])
def test_the_longest_name_has_room_for_the_greatest_numbers(rules: Rules, name: str) -> None:
    assert names.version_name(name) == name
    with pytest.raises(InvalidName, match="209"):
        names.version_name(name + "n")
    greatest = f"{LAST_VALUE}"
    rules.seed(f"{name}-major", LAST_VALUE)
    rules.seed(f"{name}-minor-v{greatest}", LAST_VALUE)
    patch = f"{name}-patch-v{greatest}.{greatest}"
    assert len(patch.encode()) == 256
    assert names.series_key(patch) == patch
    rules.seed(patch, LAST_VALUE - 1)
    token = "t" * 256
    expected = Version(name, token, LAST_VALUE, LAST_VALUE, LAST_VALUE)
    assert rules.bump(name, "patch", token) == expected
    assert rules.current(name) == expected
    assert rules.delete(patch)
    assert rules.version(name) == f"{greatest}.{greatest}.0"


@pytest.mark.parametrize("text", ["", "Major", "majors", "major ", "1", "build"])
def test_a_part_is_one_of_three_words(text: str) -> None:
    with pytest.raises(InvalidName, match="major, minor or patch"):
        semver.part_named(text)


def at_once(call: Callable[[int], str], threads: int = 32) -> list[str]:
    """Return the answers to calls that many threads make at the same moment."""
    ready = threading.Barrier(threads)

    def wait_and_call(number: int) -> str:
        ready.wait()
        return call(number)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(wait_and_call, range(threads)))


@pytest.mark.parametrize("part", PARTS)
def test_threads_with_the_same_token_get_one_version(store: LmdbStore, part: str) -> None:
    rules = Rules(store)
    made = at_once(lambda number: str(rules.bump("x", part, "a")))
    assert set(made) == {rules.version()}
    assert sum(map(int, made[0].split("."))) == 1
    assert faults(store) == []


@pytest.mark.parametrize("part", PARTS)
def test_threads_with_tokens_of_their_own_get_versions_without_a_gap(
    store: LmdbStore, part: str
) -> None:
    rules = Rules(store)
    made = at_once(lambda number: str(rules.bump("x", part, f"{number}")))
    numbers = [int(version.split(".")[list(PARTS).index(part)]) for version in made]
    assert sorted(numbers) == list(range(1, 33))
    assert at_once(lambda number: str(rules.bump("x", part, f"{number}"))) == made
    assert faults(store) == []


def test_threads_that_bump_any_part_get_versions_of_their_own(store: LmdbStore) -> None:
    rules = Rules(store)
    made = at_once(lambda number: str(rules.bump("x", [*PARTS][number % 3], f"{number}")))
    assert len(set(made)) == 32
    newest = max(made, key=lambda version: [int(each) for each in version.split(".")])
    assert rules.version() == newest
    assert faults(store) == []
