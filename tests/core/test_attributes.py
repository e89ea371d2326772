"""The rules of attributes, against a model that is a dictionary."""

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monotron.core import accounts, attributes, series
from monotron.core.errors import InvalidAttribute, InvalidName, RuleError
from monotron.limits import ATTRIBUTE_BYTES, ATTRIBUTES, LAST_VALUE
from monotron.store.contract import Store, Transaction
from tests.support import invariants
from tests.support.calls import call_in
from tests.support.invariants import rows_of_store

whole_store = invariants.whole_store

Place = tuple[int, str, str]
"""An account, a series' key and a token."""

FIRST_ACCOUNTS = itertools.count(2, 2)
"""Each example has its own two accounts, so that all of them can share one store."""


class Model:
    """A model of attributes, without a store."""

    def __init__(self) -> None:
        self.texts: dict[Place, dict[str, str]] = {}

    def put(self, place: Place, sent: dict[str, str]) -> None:
        there = self.texts.get(place, {}) | sent
        if len(there) > ATTRIBUTES:
            raise InvalidAttribute
        self.texts[place] = there

    def get(self, place: Place, name: str) -> str | None:
        return self.texts.get(place, {}).get(name)

    def get_all(self, place: Place) -> dict[str, str]:
        return self.texts.get(place, {})

    def delete(self, place: Place, name: str) -> bool:
        return self.texts.get(place, {}).pop(name, None) is not None

    def delete_all(self, place: Place) -> int:
        return len(self.texts.pop(place, {}))

    def delete_series(self, account: int, key: str) -> None:
        self.texts = {
            place: self.texts[place] for place in self.texts if place[:2] != (account, key)
        }


class Rules:
    """The same calls, answered by monotron."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def put(self, place: Place, sent: dict[str, str]) -> None:
        valid = attributes.valid(sent)
        assert valid == sent

        def put(txn: Transaction) -> None:
            accounts.make(txn, place[0], now=0)
            attributes.put(txn, *place, valid)

        self.store.update(put)

    def get(self, place: Place, name: str) -> str | None:
        return self.store.view(lambda reading: attributes.get(reading, *place, name))

    def get_all(self, place: Place) -> dict[str, str]:
        return self.store.view(lambda reading: attributes.get_all(reading, *place))

    def delete(self, place: Place, name: str) -> bool:
        return self.store.update(lambda txn: attributes.delete(txn, *place, name))

    def delete_all(self, place: Place) -> int:
        return self.store.update(lambda txn: attributes.delete_all(txn, *place))

    def delete_series(self, account: int, key: str) -> None:
        self.store.update(lambda txn: series.delete(txn, account, key))


KEYS, TOKENS = ("a", "ab"), ("t", "tt", "é")
PLACES = st.tuples(st.integers(0, 1), st.sampled_from(KEYS), st.sampled_from(TOKENS))
NAMES = st.sampled_from(["author", "url", "a", "ab", "a b", "é", "n" * 256])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    ["", "\n", "line\n", "\0", "\r\n", "\ufeff", "\u2028", "€" * 9_000]
)
MANY = st.integers(1, ATTRIBUTES + 1).map(lambda count: {f"{n}": "" for n in range(count)})
CALLS = st.one_of(
    st.tuples(st.just("put"), PLACES, st.dictionaries(NAMES, TEXTS, max_size=7)),
    st.tuples(st.just("put"), PLACES, MANY),
    st.tuples(st.just("get"), PLACES, NAMES),
    st.tuples(st.just("get_all"), PLACES),
    st.tuples(st.just("delete"), PLACES, NAMES),
    st.tuples(st.just("delete_all"), PLACES),
)


def outcome(answerer: Model | Rules, name: str, *arguments: Any) -> object:
    """Return the answer to a call, or the error that refused it."""
    try:
        return getattr(answerer, name)(*arguments)
    except RuleError as error:
        return type(error)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(CALLS, max_size=20), PLACES)
def test_any_calls_are_answered_as_the_model_says(
    whole_store: Store, calls: list[tuple[Any, ...]], last: Place
) -> None:
    model, rules = Model(), Rules(whole_store)
    account = next(FIRST_ACCOUNTS)

    def of_example(place: Place) -> Place:
        return (account + place[0], *place[1:])

    for name, place, *arguments in calls:
        call = (name, of_example(place), *arguments)
        assert outcome(rules, *call) == outcome(model, *call)
    for answerer in (rules, model):
        answerer.delete_series(*of_example(last)[:2])
    for offset, key, token in itertools.product((0, 1), KEYS, TOKENS):
        place = of_example((offset, key, token))
        assert rules.get_all(place) == model.get_all(place)


@pytest.fixture
def rules(whole_store: Store) -> Rules:
    return Rules(whole_store)


PLACE = (1, "svc", "7d4c")


def beginning(text: str) -> str:
    """Name the case of a long text."""
    return f"{text[:8]!a} of {len(text)}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "a final newline\n",
        "no final newline",
        "\r\n",
        "\0",
        "a\0b\0",
        " \t ",
        "\ufeff",
        "\u0085\u2028\u2029",
        "e\u0301 is not é",
        "\uffff\U0010ffff",
        "x" * ATTRIBUTE_BYTES,
        "é" * (ATTRIBUTE_BYTES // 2),
        "\n" * ATTRIBUTE_BYTES,
    ],
    ids=beginning,
)
def test_a_text_comes_back_byte_for_byte(rules: Rules, text: str) -> None:
    rules.put(PLACE, {"text": text})
    assert rules.get(PLACE, "text") == text
    assert rules.get_all(PLACE) == {"text": text}


def test_names_are_told_apart_to_the_last_byte(rules: Rules) -> None:
    texts = {
        "n" * 256: "a",
        "n" * 255: "b",
        "é": "c",
        "e\u0301": "d",
        "N": "e",
        "n": "f",
        "n ": "g",
    }
    rules.put(PLACE, texts)
    assert rules.get_all(PLACE) == texts
    assert {name: rules.get(PLACE, name) for name in texts} == texts


def test_all_attributes_are_ordered_by_name(rules: Rules) -> None:
    names = ["b", "a", "é", "B", "ab", "\U00010000", "\uffff"]
    rules.put(PLACE, dict.fromkeys(names, ""))
    assert list(rules.get_all(PLACE)) == ["B", "a", "ab", "b", "é", "\uffff", "\U00010000"]


def test_those_not_sent_stay(rules: Rules) -> None:
    rules.put(PLACE, {"author": "a", "url": "b"})
    rules.put(PLACE, {"url": "c", "when": "d"})
    assert rules.get_all(PLACE) == {"author": "a", "url": "c", "when": "d"}
    rules.put(PLACE, {})
    assert rules.get_all(PLACE) == {"author": "a", "url": "c", "when": "d"}


OTHERS = [
    pytest.param((2, "svc", "7d4c"), id="account"),
    pytest.param((LAST_VALUE, "svc", "7d4c"), id="last account"),
    pytest.param((1, "sv", "7d4c"), id="shorter key"),
    pytest.param((1, "svc7d4c", "7d4c"), id="longer key"),
    pytest.param((1, "svc", "7d4c "), id="token"),
    pytest.param((1, "7d4c", "svc"), id="key and token the other way round"),
]


@pytest.mark.parametrize("other", OTHERS)
def test_other_tokens_keys_and_accounts_see_nothing(rules: Rules, other: Place) -> None:
    rules.put(PLACE, {"author": "a"})
    assert rules.get_all(other) == {}
    assert rules.get(other, "author") is None
    assert not rules.delete(other, "author")
    assert rules.delete_all(other) == 0
    assert rules.get_all(PLACE) == {"author": "a"}


@pytest.mark.parametrize("other", OTHERS)
def test_others_stay_when_all_are_deleted(rules: Rules, other: Place) -> None:
    rules.put(PLACE, {"author": "a", "url": "b"})
    rules.put(other, {"author": "c"})
    assert rules.delete_all(PLACE) == 2
    assert rules.get_all(PLACE) == {}
    assert rules.get_all(other) == {"author": "c"}


def test_what_is_deleted_is_gone(rules: Rules) -> None:
    rules.put(PLACE, {"author": "a", "url": "b"})
    assert rules.delete(PLACE, "author")
    assert not rules.delete(PLACE, "author")
    assert rules.get(PLACE, "author") is None
    assert rules.get_all(PLACE) == {"url": "b"}


def test_attributes_need_no_series_and_go_with_it(rules: Rules) -> None:
    rules.put(PLACE, {"author": "a"})
    assert rules.get_all(PLACE) == {"author": "a"}
    rules.store.update(lambda txn: series.advance(txn, call_in(1, now=1), "svc", token="other"))
    assert rules.get_all(PLACE) == {"author": "a"}
    rules.delete_series(1, "svc")
    assert rules.get_all(PLACE) == {}


def test_attributes_go_with_a_series_that_never_was(rules: Rules) -> None:
    rules.put(PLACE, {"author": "a"})
    rules.delete_series(1, "svc")
    assert rules.get_all(PLACE) == {}


def test_a_token_has_at_most_64_attributes(rules: Rules) -> None:
    full = {f"{number}": "x" for number in range(64)}
    rules.put(PLACE, full)
    before = rows_of_store(rules.store)
    for sent in ({"one more": "y"}, {"0": "y", "one more": "y"}):
        with pytest.raises(InvalidAttribute, match="would make it 65"):
            rules.put(PLACE, sent)
    assert rows_of_store(rules.store) == before
    rules.put(PLACE, dict.fromkeys(full, "y"))
    assert rules.get_all(PLACE) == dict.fromkeys(full, "y")
    rules.delete(PLACE, "0")
    rules.put(PLACE, {"one more": "y"})
    assert len(rules.get_all(PLACE)) == 64


def test_more_than_64_at_once_are_refused(rules: Rules) -> None:
    with pytest.raises(InvalidAttribute, match="would make it 65"):
        rules.put(PLACE, {f"{number}": "" for number in range(65)})
    assert rules.get_all(PLACE) == {}


def test_64_of_the_longest_are_kept(rules: Rules) -> None:
    place = (LAST_VALUE, "k" * 256, "t" * 256)
    texts = {f"{number:02}".ljust(256, "n"): f"{number:02}" * 32_768 for number in range(64)}
    rules.put(place, texts)
    assert rules.get_all(place) == texts


@pytest.mark.parametrize(
    "text",
    ["x" * 65_537, "é" * 32_768 + "x", "\U00010000" * 16_384 + "x", "\ud800", "a\udfffb"],
    ids=beginning,
)
def test_a_text_that_cannot_be_kept_is_refused(text: str) -> None:
    with pytest.raises(InvalidAttribute, match="'author'"):
        attributes.valid({"url": "fine", "author": text})


@pytest.mark.parametrize("value", [None, 1, 1.5, True, b"bytes", ["list"], {"an": "object"}])
def test_an_attribute_is_a_string(value: object) -> None:
    with pytest.raises(InvalidAttribute, match="'author' must be a string"):
        attributes.valid({"author": value})


@pytest.mark.parametrize("name", ["", "n" * 257, "a\nb", "\0", "\ud800"])
def test_a_name_is_a_name(name: str) -> None:
    with pytest.raises(InvalidName):
        attributes.valid({"url": "fine", name: "text"})


def test_an_attribute_has_up_to_65536_bytes() -> None:
    sent = {"author": "x" * 65_536, "url": "é" * 32_768, "empty": ""}
    assert attributes.valid(sent) == sent
