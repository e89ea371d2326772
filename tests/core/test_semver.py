"""The rules of semantic versions, against a model that keeps the three kinds of series by hand."""

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monotron.core import accounts, history, names, semver, series, tables
from monotron.core.bumps import MAJOR, MINOR, PARTS, PATCH
from monotron.core.errors import InvalidName, RuleError, SeedTooLow, SeriesExhausted
from monotron.core.semver import Version
from monotron.limits import LAST_VALUE
from monotron.store.contract import Reading, Store, Transaction
from monotron.store.lmdb import LmdbStore
from tests.support import invariants
from tests.support.calls import call_in
from tests.support.invariants import faults, rows_of_store

whole_store = invariants.whole_store

State = tuple[int, str | None]

ACCOUNTS = itertools.count(2)
"""Each example has its own account, so that all of them can share one store."""


class Model:
    """A model of versions, without a store: the series, and what each token got."""

    def __init__(self) -> None:
        self.states: dict[str, State] = {}
        self.made: dict[tuple[str, str, str], tuple[str, Version]] = {}

    def bump(self, name: str, part: str, token: str) -> Version:
        if (name, part, token) not in self.made:
            place = list(PARTS).index(part)
            key = self._keys(name)[place]
            _, current = self.states.get(key, (0, None))
            self.advance(key, token)
            made = self._read(name)
            if token == current:
                numbers = (made.major, made.minor, made.patch)[: place + 1] + (0, 0, 0)[place + 1 :]
                made = Version(name, token, *numbers)
            self.made[name, part, token] = (
                key,
                Version(name, token, made.major, made.minor, made.patch),
            )
        return self.made[name, part, token][1]

    def current(self, name: str) -> Version | None:
        version = self._read(name)
        return None if f"{version}" == "0.0.0" else version

    def advance(self, key: str, token: str | None) -> State:
        value, current = self.states.get(key, (0, None))
        if token is None or token != current:
            if value == LAST_VALUE:
                raise SeriesExhausted
            self.states[key] = (value + 1, token)
        return self.states[key]

    def seed(self, key: str, goal: int) -> State:
        value, _ = self.states.get(key, (0, None))
        if goal < value:
            raise SeedTooLow
        if goal > value:
            self.states[key] = (goal, None)
        return self.states[key]

    def delete(self, key: str) -> bool:
        for place, (made_with, _) in list(self.made.items()):
            if made_with == key:
                del self.made[place]
        return self.states.pop(key, None) is not None

    def _keys(self, name: str) -> tuple[str, str, str]:
        major = self._value(f"{name}-major")
        minor = self._value(f"{name}-minor-v{major}")
        return f"{name}-major", f"{name}-minor-v{major}", f"{name}-patch-v{major}.{minor}"

    def _value(self, key: str) -> int:
        return self.states.get(key, (0, None))[0]

    def _read(self, name: str) -> Version:
        keys = self._keys(name)
        there = [self.states[key] for key in keys if key in self.states]
        token = there[-1][1] if there else None
        return Version(name, token, *(self._value(key) for key in keys))


class Rules:
    """The same calls, answered by monotron."""

    def __init__(self, store: Store, account: int = 1) -> None:
        self.store = store
        self.account = account
        store.update(lambda txn: accounts.make(txn, account, now=0))

    def bump(self, name: str, part: str, token: str) -> Version:
        number = semver.part_named(part)
        return self.store.update(
            lambda txn: semver.bump(txn, call_in(self.account, now=1), name, number, token)
        )

    def current(self, name: str) -> Version | None:
        return self.store.view(lambda reading: semver.current(reading, self.account, name))

    def advance(self, key: str, token: str | None) -> State:
        state = self.store.update(
            lambda txn: series.advance(txn, call_in(self.account, now=1), key, token=token)
        )
        return state.value, state.token

    def seed(self, key: str, goal: int) -> State:
        state = self.store.update(
            lambda txn: series.seed(txn, call_in(self.account, now=1), key, goal)
        )
        return state.value, state.token

    def delete(self, key: str) -> bool:
        return self.store.update(lambda txn: series.delete(txn, self.account, key))

    def get(self, key: str) -> State | None:
        state = self.store.view(lambda reading: series.get(reading, self.account, key))
        return None if state is None else (state.value, state.token)

    def bumps(self, *calls: tuple[str, str], name: str = "x") -> list[str]:
        """Bump parts for tokens, one after the other, and give the versions."""
        return [str(self.bump(name, part, token)) for part, token in calls]

    def now(self, name: str = "x") -> str | None:
        version = self.current(name)
        return None if version is None else str(version)


NAMES = ["x", "x-minor-v1", "x-major"]
"""The later ones are keys of parts of the first."""

KEYS = st.sampled_from(
    [
        *NAMES,
        *(f"{name}-major" for name in NAMES),
        *(f"{name}-minor-v{major}" for name in NAMES for major in range(3)),
        *(f"x-patch-v{major}.{minor}" for major in range(3) for minor in range(3)),
        "x-minor-v01",
        "x-minor-v",
        "x-patch-v1",
    ]
)
TOKENS = st.sampled_from("abc")
BUMPS = st.tuples(
    st.just("bump"), st.sampled_from(["x", *NAMES]), st.sampled_from([*PARTS]), TOKENS
)
CALLS = st.one_of(
    BUMPS,
    BUMPS,
    BUMPS,
    st.tuples(st.just("current"), st.sampled_from(NAMES)),
    st.tuples(st.just("advance"), KEYS, st.none() | TOKENS),
    st.tuples(st.just("seed"), KEYS, st.integers(1, 3) | st.just(LAST_VALUE)),
    st.tuples(st.just("delete"), KEYS),
)


def outcome(answerer: Model | Rules, name: str, *arguments: Any) -> object:
    """Return the answer to a call, or the error that refused it."""
    try:
        return getattr(answerer, name)(*arguments)
    except RuleError as error:
        return type(error)


@settings(
    max_examples=70, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(CALLS, min_size=5, max_size=25))
def test_any_calls_are_answered_as_the_model_says(
    whole_store: Store, calls: list[tuple[Any, ...]]
) -> None:
    model, rules = Model(), Rules(whole_store, next(ACCOUNTS))
    for call in calls:
        assert outcome(rules, *call) == outcome(model, *call)
        assert rules.current("x") == model.current("x")
    for part, token in itertools.product(PARTS, "ab"):
        call = ("bump", "x", part, token)
        assert outcome(rules, *call) == outcome(model, *call)
    assert {key: rules.get(key) for key in model.states} == model.states


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
    assert rules.now() == first


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
    assert rules.now() == "2.0.0"


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
    assert rules.now() == "7.0.0"
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
    assert rules.now() == "1.1.1"


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
        for number in range(1_500):
            semver.bump(txn, call_in(1, now=1), "x", MINOR, f"first {number}")
        semver.bump(txn, call_in(1, now=1), "x", MAJOR, "second")
        for number in range(1_500):
            semver.bump(txn, call_in(1, now=1), "x", MINOR, f"second {number}")

    rules.store.update(make_many)
    before = rows_of_store(rules.store)
    rules.delete("x-minor-v1")
    after = rows_of_store(rules.store)
    lost = {table: len(before[table]) - len(after[table]) for table in tables.ALL}
    assert lost.pop(tables.BUMPS) == 1_500
    assert lost.pop(tables.SERIES) == 1
    assert lost.pop(tables.HISTORY) > 1
    assert set(lost.values()) == {0}
    assert rules.bumps(("minor", "second 0"), ("minor", "second 1499")) == ["2.1.0", "2.1500.0"]
    assert rules.bumps(("minor", "first 0")) == ["2.1501.0"]


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
    assert rules.now(name) == f"{greatest}.{greatest}.0"


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
    assert set(made) == {rules.now()}
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
    assert rules.now() == newest
    assert faults(store) == []
