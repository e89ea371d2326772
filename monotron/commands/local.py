"""A store on this machine, or on etcd, as a place that commands work on."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from monotron.commands.places import State, Taken, Version, moment, rfc_3339
from monotron.commands.stores import with_store, with_store_to_read
from monotron.core import (
    accounts,
    activity,
    api_keys,
    clock,
    history,
    numbers,
    search,
    semver,
    series,
)
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.core.call import Call
from monotron.core.history import HistoryValue
from monotron.core.records import Series
from monotron.core.search import Search
from monotron.settings import Settings
from monotron.store import paging
from monotron.store.contract import Reading, Store, Transaction
from monotron.store.paging import PAGE_ROWS, Page

T = TypeVar("T")


class LocalPlace:
    """The store of the settings. Its rules are those of the service, which may run meanwhile."""

    def __init__(self, settings: Settings, account: int | None) -> None:
        self._settings = settings
        self._account = numbers.account(FIRST_ACCOUNT if account is None else account)

    def take(self, key: str, token: str | None, count: int, *, remember: bool) -> int:
        """See `Place`."""

        def take(txn: Transaction, call: Call) -> int:
            if remember and token is not None:
                held = series.recall(txn, call, key, token)
                if held is not None:
                    return held
            before = series.get(txn, call.account, key)
            state = series.advance(txn, call, key, token=token, count=count)
            activity.note(txn, call, state.given - (before.given if before else 0))
            return state.value

        return self._update(take)

    def get(self, key: str) -> State | None:
        """See `Place`."""
        state = self._view(lambda reading: series.get(reading, self._account, key))
        return None if state is None else _state(state)

    def each_series(self, prefix: str, contains: str, see: Callable[[State], None]) -> None:
        """See `Place`."""
        wanted = Search(prefix, contains)

        def page(reading: Reading, after: str | None) -> Page[Series, str]:
            return search.by_key(reading, self._account, wanted, after=after, limit=PAGE_ROWS)

        def see_all(store: Store) -> None:
            store.view(self._require_account)
            for each in paging.through(store.view, page):
                see(_state(each))

        with_store_to_read(self._settings, see_all)

    def each_value(self, key: str, limit: int | None, see: Callable[[Taken], None]) -> bool:
        """See `Place`."""

        def page(reading: Reading, before: int | None, most: int) -> Page[Taken, int] | None:
            self._require_account(reading)
            state = series.get(reading, self._account, key)
            if state is None:
                return None
            keep = self._settings.history
            found = history.page(reading, state, keep=keep, limit=most, before=before)
            return Page([_taken(reading, each) for each in found.items], found.next)

        def see_all(store: Store) -> bool:
            before: int | None = None
            left = limit
            while True:
                most = PAGE_ROWS if left is None else min(left, PAGE_ROWS)
                found = store.view(partial(page, before=before, most=most))
                if found is None:
                    # Or it was deleted meanwhile.
                    return before is not None
                for each in found.items:
                    see(each)
                before, left = found.next, left if left is None else left - len(found.items)
                if before is None or left == 0:
                    return True

        return with_store_to_read(self._settings, see_all)

    def seed(self, key: str, value: int) -> State:
        """See `Place`."""
        return _state(self._update(lambda txn, call: series.seed(txn, call, key, value)))

    def delete(self, key: str) -> None:
        """See `Place`."""
        self._update(lambda txn, call: series.delete(txn, call.account, key))

    def version(self, name: str) -> Version | None:
        """See `Place`."""
        version = self._view(lambda reading: semver.current(reading, self._account, name))
        return None if version is None else Version(name, str(version), version.token)

    def bump(self, name: str, part: str, token: str, pre: str) -> Version:
        """See `Place`."""
        number = semver.part_named(part)

        def bump(txn: Transaction, call: Call) -> semver.Version:
            version = semver.bump(txn, call, name, number, token, pre=pre)
            activity.note(txn, call, int(version.advanced))
            return version

        version = self._update(bump)
        return Version(name, str(version), version.token)

    def _view(self, read: Callable[[Reading], T]) -> T:
        def read_in_account(reading: Reading) -> T:
            self._require_account(reading)
            return read(reading)

        return with_store_to_read(self._settings, lambda store: store.view(read_in_account))

    def _update(self, change: Callable[[Transaction, Call], T]) -> T:
        call = Call(self._account, None, clock.now(), self._settings.history)

        def change_in_account(txn: Transaction) -> T:
            self._require_account(txn)
            return change(txn, call)

        return with_store(self._settings, lambda store: store.update(change_in_account))

    def _require_account(self, reading: Reading) -> None:
        accounts.require(reading, self._account)


def _state(state: Series) -> State:
    return State(state.key, state.value, state.token)


def _taken(reading: Reading, taken: HistoryValue) -> Taken:
    key = taken.api_key
    name = None if key is None else api_keys.name_of(reading, key)
    return Taken(taken.value, taken.token, rfc_3339(moment(taken.created_at)), key, name)
