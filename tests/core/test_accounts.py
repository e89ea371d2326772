"""The rules of accounts, one promise at a time."""

from collections.abc import Callable

import pytest

from monotron.core import accounts, attributes, records, retries, semver, series
from monotron.core.bumps import MAJOR, MINOR, PATCH
from monotron.core.errors import NoSuchAccount
from monotron.limits import LAST_VALUE
from monotron.store.contract import Store, Table, Transaction
from monotron.store.paging import Page
from tests.support.calls import call_in
from tests.support.invariants import Rows, rows_of_store


def make(store: Store, *ids: int, now: int = 1) -> None:
    def make_all(txn: Transaction) -> None:
        for account in ids:
            accounts.make(txn, account, now=now)

    store.update(make_all)


def page(store: Store, after: int | None = None, limit: int = 1_000) -> Page[int, int]:
    return store.view(lambda reading: accounts.page(reading, after=after, limit=limit))


def is_there(store: Store, account: int) -> bool:
    try:
        store.view(lambda reading: accounts.require(reading, account))
    except NoSuchAccount:
        return False
    return True


def test_the_first_account_is_always_there(whole_store: Store) -> None:
    assert is_there(whole_store, 1)
    assert page(whole_store) == Page([1], None)
    before = rows_of_store(whole_store)
    make(whole_store, 1)
    assert page(whole_store) == Page([1], None)
    assert rows_of_store(whole_store) == before


def test_an_account_is_there_once_it_is_made(whole_store: Store) -> None:
    assert not is_there(whole_store, 7)
    make(whole_store, 7)
    assert is_there(whole_store, 7)
    assert [is_there(whole_store, other) for other in (2, 6, 8, 7 * 256, LAST_VALUE)] == [False] * 5
    assert page(whole_store) == Page([1, 7], None)


def test_an_account_that_is_not_there_is_named(whole_store: Store) -> None:
    with pytest.raises(NoSuchAccount, match="account 77 does not exist"):
        whole_store.view(lambda reading: accounts.require(reading, 77))


def test_to_make_an_account_again_changes_nothing(whole_store: Store) -> None:
    make(whole_store, 7, now=10)
    before = rows_of_store(whole_store)
    make(whole_store, 7, now=20)
    assert rows_of_store(whole_store) == before


def fill(store: Store, account: int) -> None:
    """Make one of everything in an account."""

    def write(txn: Transaction) -> None:
        accounts.make(txn, account, now=1)
        for key in ("a", "b"):
            for token in ("s", "t"):
                series.advance(txn, call_in(account, now=1), key, token=token)
                attributes.put(txn, account, key, token, {"author": f"of {account}"})
        for part in (MAJOR, MINOR, PATCH):
            semver.bump(txn, call_in(account, now=1), "app", part, "t")
        request = records.request_digest("a", "b")
        retries.once(
            txn,
            call_in(account, now=1),
            "key",
            request,
            lambda: series.advance(txn, call_in(account, now=1), "a").value,
        )

    store.update(write)


ACTS: list[Callable[[Transaction, int], object]] = [
    lambda txn, account: series.advance(txn, call_in(account, now=2), "a", token="new"),
    lambda txn, account: series.seed(txn, call_in(account, now=2), "a", 100),
    lambda txn, account: series.delete(txn, account, "a"),
    lambda txn, account: series.delete(txn, account, "app-minor-v1"),
    lambda txn, account: attributes.put(txn, account, "a", "s", {"author": "b"}),
    lambda txn, account: attributes.delete(txn, account, "a", "s", "author"),
    lambda txn, account: attributes.delete_all(txn, account, "a", "s"),
    lambda txn, account: attributes.delete_all(txn, account, "a"),
    lambda txn, account: semver.bump(txn, call_in(account, now=2), "app", MINOR, "new"),
]


@pytest.mark.parametrize("number", range(len(ACTS)))
@pytest.mark.parametrize("account", [1, 2, 256])
def test_what_is_done_in_an_account_is_done_there_alone(
    whole_store: Store, account: int, number: int
) -> None:
    def rows_beside() -> dict[Table, Rows]:
        own = records.account_row_key(account)
        return {
            table: [(row, value) for row, value in rows if not row.startswith(own)]
            for table, rows in rows_of_store(whole_store).items()
        }

    for each in (1, 2, 3, 255, 256, 257, LAST_VALUE):
        fill(whole_store, each)
    everything, beside = rows_of_store(whole_store), rows_beside()
    whole_store.update(lambda txn: ACTS[number](txn, account))
    assert rows_of_store(whole_store) != everything
    assert rows_beside() == beside
