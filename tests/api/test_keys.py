"""The rules of API keys and scopes."""

import hashlib
import itertools
import string
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monotron.core import accounts, api_keys, records, scopes, tables
from monotron.core.api_keys import Pair
from monotron.core.errors import InvalidScope, NoSuchAccount, TooManyApiKeys
from monotron.core.records import ApiKey
from monotron.core.scopes import Operation, ScopeResource
from monotron.limits import API_KEYS, SCOPES
from monotron.store.contract import Store, StoreCorrupt, Transaction
from tests.conftest import all_rows
from tests.support.calls import call_in
from tests.support.examples import sharing_fixtures

OPERATIONS = ["read", "write", "delete"]
RESOURCES = ["series", "acl", "account", "system"]

ACCOUNTS = itertools.count(2, 1000)
"""Each example has its own accounts, so that all of them can share one store."""


def create(store: Store, account: int = 1, *texts: str, pair: Pair | None = None) -> Pair:
    pair = pair or api_keys.new_pair()
    wanted = scopes.parse(texts)
    store.update(lambda txn: api_keys.create(txn, call_in(account, now=7), pair, wanted))
    return pair


def verified(store: Store, pair: Pair) -> ApiKey | None:
    return store.view(lambda reading: api_keys.verified(reading, pair))


def listed(store: Store, account: int = 1) -> list[ApiKey]:
    return store.view(lambda reading: api_keys.get_all(reading, account))


def make_account(store: Store, account: int) -> None:
    store.update(lambda txn: accounts.make(txn, account, now=7))


# Keys and secrets


def test_keys_and_secrets_are_random_letters_and_digits() -> None:
    pairs = [api_keys.new_pair() for _ in range(200)]
    assert {len(pair.key) for pair in pairs} == {24}
    assert {len(pair.secret) for pair in pairs} == {128}
    alphabet = set(string.ascii_letters + string.digits)
    # Every character comes up at every place: nothing about them is fixed.
    assert set().union(*(pair.key for pair in pairs)) == alphabet
    assert set().union(*(pair.secret for pair in pairs)) == alphabet
    assert all(len(set(column)) > 30 for column in zip(*(pair.key for pair in pairs), strict=True))
    assert len({text for pair in pairs for text in (pair.key, pair.secret)}) == 400


def test_a_key_is_found_by_its_pair(any_store: Store) -> None:
    pair = create(any_store, 1, "READ : series", "*:acl")
    digest = hashlib.sha256(pair.secret.encode()).digest()
    expected = ApiKey(1, 1, pair.key, digest, ("read:series", "*:acl"), 7)
    assert verified(any_store, pair) == expected
    assert any_store.view(lambda reading: api_keys.get(reading, 1, pair.key)) == expected
    assert listed(any_store) == [expected]


def test_a_store_has_only_the_digest_of_a_secret(any_store: Store) -> None:
    pair = create(any_store)
    rows = [text for rows in all_rows(any_store).values() for row in rows for text in row]
    assert not [text for text in rows if pair.secret.encode() in text]
    assert not [text for text in rows if pair.secret.encode()[:16] in text]
    assert [text for text in rows if hashlib.sha256(pair.secret.encode()).digest() in text]


@pytest.fixture
def known(any_store: Store) -> Pair:
    return create(any_store, 1, pair=Pair("k" * 24, "s" * 128))


@sharing_fixtures
@given(
    st.one_of(st.text(), st.text("kKsS\0é", min_size=23, max_size=25), st.just("k" * 24)),
    st.one_of(st.text(), st.text("sS", min_size=127, max_size=129), st.just("s" * 128)),
)
def test_no_pair_but_the_right_one_is_verified(
    any_store: Store, known: Pair, key: str, secret: str
) -> None:
    found = verified(any_store, Pair(key, secret))
    assert (found is not None) == (Pair(key, secret) == known)


@sharing_fixtures
@given(st.text() | st.text(string.ascii_letters, min_size=24, max_size=24))
def test_no_text_is_a_key_by_chance(any_store: Store, known: Pair, key: str) -> None:
    assert any_store.view(lambda reading: api_keys.get(reading, 1, key)) is None
    assert not any_store.update(lambda txn: api_keys.delete(txn, 1, key))
    assert [each.key for each in listed(any_store)] == [known.key]


def test_a_key_is_found_in_its_own_account_alone(any_store: Store) -> None:
    make_account(any_store, 2)
    ours, theirs = create(any_store, 1), create(any_store, 2)
    before = all_rows(any_store)
    assert any_store.view(lambda reading: api_keys.get(reading, 1, theirs.key)) is None
    assert not any_store.update(lambda txn: api_keys.delete(txn, 1, theirs.key))
    assert not any_store.update(lambda txn: api_keys.delete(txn, 3, ours.key))
    assert all_rows(any_store) == before
    found = verified(any_store, theirs)
    assert found is not None
    assert found.account == 2


def test_a_deleted_key_leaves_nothing_but_its_number(any_store: Store) -> None:
    pair = create(any_store, 1, "*:series")
    assert any_store.update(lambda txn: api_keys.delete(txn, 1, pair.key))
    assert verified(any_store, pair) is None
    left = all_rows(any_store)
    assert (left[tables.API_KEYS], left[tables.GRANTS]) == ([], [])
    create(any_store)
    assert [each.id for each in listed(any_store)] == [2]


@pytest.mark.parametrize("value", [b"", b"\1", b"\1" + b"\xff" * 90, b"\3" * 90])
def test_a_damaged_row_verifies_nobody(any_store: Store, value: bytes) -> None:
    pair = create(any_store)
    any_store.update(lambda txn: txn.put(tables.API_KEYS, pair.key.encode(), value))
    with pytest.raises(StoreCorrupt):
        verified(any_store, pair)


def test_an_account_that_does_not_exist_gets_no_key(any_store: Store) -> None:
    before = all_rows(any_store)
    with pytest.raises(NoSuchAccount, match="7"):
        create(any_store, 7)
    assert all_rows(any_store) == before


def test_an_account_has_room_for_1000_keys(any_store: Store) -> None:
    def fill(txn: Transaction) -> None:
        for _ in range(API_KEYS - 1):
            api_keys.create(txn, call_in(1, now=1), api_keys.new_pair(), ())

    any_store.update(fill)
    last = create(any_store)
    before = all_rows(any_store)
    with pytest.raises(TooManyApiKeys, match="1000"):
        create(any_store)
    assert all_rows(any_store) == before
    make_account(any_store, 2)
    create(any_store, 2)
    any_store.update(lambda txn: api_keys.delete(txn, 1, last.key))
    create(any_store)
    assert len(listed(any_store)) == 1000
    with pytest.raises(TooManyApiKeys):
        create(any_store)


@dataclass
class Made:
    account: int
    number: int
    pair: Pair


CALLS = st.lists(
    st.tuples(st.just("create"), st.integers(0, 2))
    | st.tuples(st.just("delete"), st.integers(0, 30)),
    max_size=30,
)


@sharing_fixtures
@given(CALLS)
def test_keys_follow_the_model_whatever_is_made_and_deleted(
    any_store: Store, calls: list[tuple[str, int]]
) -> None:
    first = next(ACCOUNTS)
    there: list[Made] = []
    gone: list[Made] = []
    newest = 0
    for account in range(first, first + 3):
        make_account(any_store, account)
    for name, number in calls:
        if name == "create":
            pair = create(any_store, first + number)
            found = verified(any_store, pair)
            assert found is not None
            assert found.id > newest
            newest = found.id
            there.append(Made(first + number, found.id, pair))
        elif number < len(there):
            made = there.pop(number)
            key = made.pair.key
            assert any_store.update(
                lambda txn, made=made, key=key: api_keys.delete(  # type: ignore[misc]
                    txn, made.account, key
                )
            )
            gone.append(made)
    for account in range(first, first + 3):
        expected = [made for made in there if made.account == account]
        found_all = listed(any_store, account)
        assert [(each.id, each.key) for each in found_all] == [
            (made.number, made.pair.key) for made in expected
        ]
    for made in there:
        found = verified(any_store, made.pair)
        assert found is not None
        assert (found.account, found.id) == (made.account, made.number)
    assert [made for made in gone if verified(any_store, made.pair)] == []


# Scopes


def test_operations_and_resources_are_those_of_the_contract() -> None:
    assert [operation.value for operation in Operation] == OPERATIONS
    assert [resource.value for resource in ScopeResource] == RESOURCES


def allowed(texts: tuple[str, ...] | list[str]) -> set[tuple[str, str]]:
    """Return every operation and resource that the scopes allow."""
    return {
        (operation.value, resource.value)
        for operation in Operation
        for resource in ScopeResource
        if scopes.allow(texts, operation, resource)
    }


BLANKS = st.text(" \t\r\n", max_size=2)


@st.composite
def spellings(draw: st.DrawFn, word: str) -> str:
    """Return a word in any case, with blanks around it."""
    cases = draw(st.lists(st.booleans(), min_size=len(word), max_size=len(word)))
    spelled = "".join(
        each.upper() if upper else each for each, upper in zip(word, cases, strict=True)
    )
    return draw(BLANKS) + spelled + draw(BLANKS)


@st.composite
def right_scopes(draw: st.DrawFn) -> tuple[str, set[tuple[str, str]]]:
    """Return a scope in some spelling, and what it means."""
    words = draw(st.just(["*"]) | st.lists(st.sampled_from(OPERATIONS), min_size=1, max_size=5))
    resource = draw(st.sampled_from(RESOURCES))
    spelled = ",".join(draw(spellings(word)) for word in words)
    text = f"{spelled}:{draw(spellings(resource))}"
    operations = OPERATIONS if words == ["*"] else words
    return text, {(operation, resource) for operation in operations}


@given(st.lists(right_scopes(), max_size=SCOPES))
def test_scopes_mean_what_their_words_say(wanted: list[tuple[str, set[tuple[str, str]]]]) -> None:
    parsed = scopes.parse(text for text, _ in wanted)
    assert allowed(parsed) == set[tuple[str, str]]().union(*(meaning for _, meaning in wanted))
    assert len(parsed) == len(wanted)
    # There is one spelling of each, and it is a scope again.
    assert scopes.parse(parsed) == parsed
    for text in parsed:
        operations, resource = text.split(":")
        words = operations.split(",")
        assert words == ["*"] or len(set(words) & set(OPERATIONS)) == len(words)
        assert resource in RESOURCES


@given(right_scopes())
def test_scopes_come_back_from_the_store_as_they_were(
    wanted: tuple[str, set[tuple[str, str]]],
) -> None:
    api_key = ApiKey(1, 1, "k" * 24, bytes(32), scopes.parse([wanted[0]] * 3), 7)
    row = records.api_key_row_key(api_key.key)
    assert records.unpack_api_key(row, records.pack_api_key(api_key)) == api_key


WORDS = st.sampled_from(
    [*OPERATIONS, *RESOURCES, "*", ",", ":", " ", "", "rea", "\u017feries", "\0"]
)


def meaning(text: str) -> set[tuple[str, str]] | None:
    """Return what a text allows, or None if it is not a scope: the contract, word for word."""
    parts = [part.strip().lower() for part in text.split(":")]
    if len(parts) != 2 or parts[1] not in RESOURCES:
        return None
    words = [word.strip() for word in parts[0].split(",")]
    if words == ["*"]:
        words = OPERATIONS
    if any(word not in OPERATIONS for word in words):
        return None
    return {(word, parts[1]) for word in words}


@settings(max_examples=500)
@given(st.lists(WORDS, max_size=7).map("".join) | st.text(max_size=30))
def test_whatever_is_not_a_scope_is_refused(text: str) -> None:
    expected = meaning(text)
    try:
        parsed = scopes.parse([text])
    except InvalidScope:
        assert expected is None
    else:
        assert allowed(parsed) == expected


@pytest.mark.parametrize("value", [None, 1, True, 1.5, b"read:series", ["read:series"], {}])
def test_only_texts_are_scopes(value: object) -> None:
    with pytest.raises(InvalidScope, match="string"):
        scopes.parse(["read:series", value])


def test_a_key_has_at_most_16_scopes() -> None:
    assert SCOPES == 16
    assert len(scopes.parse(["read:series"] * 16)) == 16
    with pytest.raises(InvalidScope, match="at most 16 scopes, not 17"):
        scopes.parse(["read:series"] * 17)


def test_no_scope_allows_nothing() -> None:
    assert allowed([]) == set()
