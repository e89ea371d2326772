"""The rules of retries: an Idempotency-Key stands for one request and its answer."""

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from monotron.core import accounts, retries, series, tables
from monotron.core.errors import IdempotencyKeyReused, InvalidIdempotencyKey, SeriesExhausted
from monotron.core.records import request_digest
from monotron.limits import LAST_VALUE
from monotron.store.contract import Store, Transaction
from monotron.store.lmdb import LmdbStore
from tests.support import invariants
from tests.support.calls import call_in
from tests.support.invariants import faults, rows_of_store

whole_store = invariants.whole_store

DAY = 24 * 3_600 * 1_000_000
"""In microseconds, as times are."""

KEY = "svc"


class Rules:
    """Calls that take the next value of a series, with an Idempotency-Key."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def take(self, key: str, *request: str, account: int = 1, now: int = DAY) -> int:
        """Take a value once; `request` is what tells the request from others."""

        def update(txn: Transaction) -> int:
            accounts.make(txn, account, now=0)
            return retries.once(
                txn,
                call_in(account, now=now),
                key,
                request_digest(*request),
                lambda: series.advance(txn, call_in(1, now=now), KEY).value,
            )

        return self.store.update(update)

    def kept(self) -> int:
        """Count the answers that are kept."""
        rows = rows_of_store(self.store)
        assert len(rows[tables.RETRIES]) == len(rows[tables.RETRY_TIMES])
        return len(rows[tables.RETRIES])


@pytest.fixture
def rules(whole_store: Store) -> Rules:
    return Rules(whole_store)


def test_the_same_key_and_request_get_the_first_answer(rules: Rules) -> None:
    assert rules.take("a", "svc") == 1
    assert rules.take("b", "svc") == 2
    before = rows_of_store(rules.store)
    assert [rules.take("a", "svc"), rules.take("b", "svc"), rules.take("a", "svc")] == [1, 2, 1]
    assert rows_of_store(rules.store) == before


@pytest.mark.parametrize("other", [["svc", "2"], ["svd"], ["svc", ""], [], ["s", "vc"]])
def test_the_same_key_is_refused_for_another_request(rules: Rules, other: list[str]) -> None:
    rules.take("a", "svc")
    before = rows_of_store(rules.store)
    with pytest.raises(IdempotencyKeyReused):
        rules.take("a", *other)
    assert rows_of_store(rules.store) == before
    assert rules.take("a", "svc") == 1


def test_keys_are_told_apart_to_the_last_character(rules: Rules) -> None:
    keys = ["a", "A", "a ", "aa", "k" * 256, "k" * 255]
    assert [rules.take(key, "svc") for key in keys] == [1, 2, 3, 4, 5, 6]


def test_accounts_do_not_share_keys(rules: Rules) -> None:
    assert rules.take("a", "svc") == 1
    assert rules.take("a", "other", account=2) == 2
    assert rules.take("a", "svc") == 1
    assert rules.take("a", "other", account=2) == 2


def test_a_failure_is_not_remembered(rules: Rules) -> None:
    rules.store.update(lambda txn: series.seed(txn, call_in(1, now=1), KEY, LAST_VALUE))
    before = rows_of_store(rules.store)
    for _ in range(2):
        with pytest.raises(SeriesExhausted):
            rules.take("a", "svc")
    assert rows_of_store(rules.store) == before
    rules.store.update(lambda txn: series.delete(txn, 1, KEY))
    assert rules.take("a", "another request") == 1


def test_a_failure_removes_no_old_answer(rules: Rules) -> None:
    rules.take("old", "svc", now=0)
    rules.store.update(lambda txn: series.seed(txn, call_in(1, now=1), KEY, LAST_VALUE))
    with pytest.raises(SeriesExhausted):
        rules.take("new", "svc", now=9 * DAY)
    assert rules.kept() == 1


def test_an_answer_is_kept_for_24_hours(rules: Rules) -> None:
    rules.take("first", "svc", now=5)
    for number in range(10):
        rules.take(f"{number}", "svc", now=5 + DAY)
    assert rules.kept() == 11
    assert rules.take("first", "svc", now=5 + DAY) == 1


def test_after_24_hours_two_go_for_each_new_one(rules: Rules) -> None:
    for number in range(20):
        rules.take(f"old {number}", "svc", now=number)
    sizes = []
    for number in range(15):
        rules.take(f"new {number}", "svc", now=20 + DAY + number)
        sizes.append(rules.kept())
    assert sizes == [*range(19, 9, -1), *range(11, 16)]
    # The oldest went first, and a repeat with its key counts as new.
    assert rules.take("old 19", "another request", now=2 * DAY) == 36


def test_the_oldest_go_first_and_a_retry_pushes_nothing_out(rules: Rules) -> None:
    for number in range(4):
        rules.take(f"old {number}", "svc", now=number)
    for _ in range(3):
        assert rules.take("old 3", "svc", now=2 * DAY) == 4
    assert rules.kept() == 4
    rules.take("new", "svc", now=2 * DAY)
    assert rules.kept() == 3
    assert [rules.take(f"old {number}", "svc", now=2 * DAY) for number in (2, 3)] == [3, 4]
    assert rules.take("old 0", "svc", now=2 * DAY) == 6


def test_those_of_the_same_moment_are_all_kept_and_all_removed(rules: Rules) -> None:
    for number in range(6):
        rules.take(f"{number}", "svc", account=1 + number % 2, now=7)
    assert rules.kept() == 6
    for number in range(6):
        rules.take(f"new {number}", "svc", now=8 + DAY)
    assert rules.kept() == 6


@pytest.mark.parametrize("now", [0, 1, DAY - 1])
def test_a_clock_in_its_first_day_removes_nothing(rules: Rules, now: int) -> None:
    assert [rules.take(f"{number}", "svc", now=now) for number in range(3)] == [1, 2, 3]
    assert rules.kept() == 3


def test_a_clock_that_is_set_back_gives_no_other_answer(rules: Rules) -> None:
    rules.take("a", "svc", now=9 * DAY)
    assert rules.take("a", "svc", now=DAY) == 1
    rules.take("b", "svc", now=DAY)
    assert rules.take("a", "svc", now=9 * DAY) == 1
    assert rules.kept() == 2


ACCOUNTS = itertools.count(2, 2)
"""Each example has its own two accounts, so that all of them can share one store."""

CALLS = st.tuples(
    st.integers(0, 1), st.sampled_from("abcdefgh"), st.sampled_from("xy"), st.integers(0, DAY // 2)
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(CALLS, max_size=30))
def test_within_a_day_any_calls_get_their_first_answer(
    whole_store: Store, calls: list[tuple[int, str, str, int]]
) -> None:
    rules = Rules(whole_store)
    base = next(ACCOUNTS)
    # Whatever the example before has left is too old.
    now = 100 * DAY * base
    first: dict[tuple[int, str], tuple[str, int, int]] = {}
    values: list[int] = []
    for offset, key, request, later in calls:
        account, now = base + offset, now + later
        try:
            answer: object = rules.take(key, request, account=account, now=now)
        except IdempotencyKeyReused:
            answer = "reused"
        first_request, first_value, taken_at = first.get((account, key), (None, None, 0))
        if answer != (first_value if request == first_request else "reused"):
            assert now - taken_at > DAY
            assert isinstance(answer, int)
            values.append(answer)
            first[account, key] = (request, answer, now)
    assert values == sorted(set(values))


# The header


def string_of(text: str) -> str | None:
    """Parse a string with the steps of RFC 8941, section 4.2.5; None if that fails."""
    left = list(text)
    output = ""
    if not left or left.pop(0) != '"':
        return None
    while left:
        character = left.pop(0)
        if character == "\\":
            if not left or left[0] not in ('"', "\\"):
                return None
            output += left.pop(0)
        elif character == '"':
            return None if left else output
        elif not 0x20 <= ord(character) <= 0x7E:
            return None
        else:
            output += character
    return None


def quoted(key: str) -> str:
    """Write a string as RFC 8941, section 4.1.6, tells it."""
    return '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'


PRINTABLE = [chr(code) for code in range(0x20, 0x7F)]
BARE = [character for character in PRINTABLE if character not in ' ",;']
HEADERS = st.one_of(
    st.text(max_size=300),
    st.text(st.characters(max_codepoint=0xFF), max_size=10),
    st.text('a\\" ,;', max_size=8),
    st.text('a\\" ', max_size=8).map(lambda text: f'"{text}"'),
    st.text(PRINTABLE, max_size=8).map(quoted),
)


@given(HEADERS)
@example('"')
@example('"\\"')
@example('"a\n"')
@example('"a"\n')
@example("a\n")
@example('"a" ')
@example('"a";b=1')
@example('"a", "b"')
@example('"é"')
@example("\u0660")
def test_a_header_is_a_string_or_bare_or_refused(text: str) -> None:
    is_bare = set(text) <= set(BARE)
    key = text if is_bare else string_of(text)
    if key is None or not 1 <= len(key) <= 256:
        with pytest.raises(InvalidIdempotencyKey):
            retries.key_of_header(text)
    else:
        assert retries.key_of_header(text) == key


@given(st.text(PRINTABLE, min_size=1, max_size=256))
@example('"')
@example("\\")
@example('\\"\\')
@example("\\" * 256)
def test_a_quoted_key_comes_back(key: str) -> None:
    assert retries.key_of_header(quoted(key)) == key


@given(st.text(BARE, min_size=1, max_size=256))
@example("8e03978e-40d5-43dd-bc93-6894a57f9324")
@example("a\\b")
def test_a_key_is_the_same_bare_and_quoted(key: str) -> None:
    assert retries.key_of_header(key) == retries.key_of_header(quoted(key)) == key


@pytest.mark.parametrize("write", [str, quoted])
@pytest.mark.parametrize("length", [0, 257, 10_000])
def test_a_key_has_1_to_256_characters(write: Callable[[str], str], length: int) -> None:
    assert retries.key_of_header(write("k" * 256)) == "k" * 256
    with pytest.raises(InvalidIdempotencyKey, match=f"1 to 256 characters; this one has {length}"):
        retries.key_of_header(write("k" * length))


# At the same moment


def at_once(call: Callable[[int], int | None], threads: int = 32) -> list[int | None]:
    """Return the answers to calls that many threads make at once; None if one is refused."""
    ready = threading.Barrier(threads)

    def wait_and_call(number: int) -> int | None:
        ready.wait()
        try:
            return call(number)
        except IdempotencyKeyReused:
            return None

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(wait_and_call, range(threads)))


def test_threads_with_the_same_key_get_one_value(store: LmdbStore) -> None:
    rules = Rules(store)
    for expected in range(1, 11):
        assert set(at_once(lambda number: rules.take(f"key {expected}", "svc"))) == {expected}  # noqa: B023
    assert rules.take("another", "svc") == 11
    assert faults(store) == []


def test_threads_with_the_same_key_for_two_requests_get_one_answered(store: LmdbStore) -> None:
    rules = Rules(store)
    answers = at_once(lambda number: rules.take("key", f"{number % 2}"))
    assert sorted([answers[0::2], answers[1::2]], key=str) == [[1] * 16, [None] * 16]
    assert rules.take("another", "svc") == 2


def test_threads_with_keys_of_their_own_get_values_of_their_own(store: LmdbStore) -> None:
    rules = Rules(store)
    answers = at_once(lambda number: rules.take(f"{number}", "svc"))
    assert sorted(answers, key=str) == sorted(range(1, 33), key=str)
    assert at_once(lambda number: rules.take(f"{number}", "svc")) == answers
    assert faults(store) == []
