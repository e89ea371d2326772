"""The rules as calls on a store."""

from collections.abc import Callable
from datetime import datetime

from monotron.core import accounts, calver, history, search, semver, series
from monotron.core.records import Series
from monotron.core.search import Search
from monotron.core.semver import Standing, Version
from monotron.store.contract import Reading, Store, Transaction
from monotron.store.paging import Page
from tests.support.calls import call_in

State = tuple[int, str | None]
"""The value of a series, and the token that it stands for."""

HistoryValue = tuple[int, str | None, str | None]
"""A value, the token it was taken for, and the API key that took it."""

KEEP = 5
"""How many values history holds here."""


def microseconds(time: datetime) -> int:
    """Return a time as a call has it."""
    return round(time.timestamp()) * 1_000_000


class Rules:
    """The calls of a series and of versions, in one account."""

    def __init__(self, store: Store, account: int = 1) -> None:
        self.store = store
        self.account = account
        store.update(lambda txn: accounts.make(txn, account, now=1))

    def advance(
        self, key: str, token: str | None, count: int = 1, api_key: str | None = None
    ) -> State:
        return self._update(
            lambda txn: series.advance(
                txn,
                call_in(self.account, now=1, api_key=api_key, keep=KEEP),
                key,
                token=token,
                count=count,
            )
        )

    def seed(self, key: str, goal: int) -> State:
        return self._update(lambda txn: series.seed(txn, call_in(self.account, now=1), key, goal))

    def delete(self, key: str) -> bool:
        return self.store.update(lambda txn: series.delete(txn, self.account, key))

    def get(self, key: str) -> State | None:
        state = self.store.view(lambda reading: series.get(reading, self.account, key))
        return None if state is None else (state.value, state.token)

    def history(self, key: str) -> list[HistoryValue]:
        def read(reading: Reading) -> list[HistoryValue]:
            state = series.get(reading, self.account, key)
            if state is None:
                return []
            page = history.page(reading, state, keep=KEEP, limit=1_000)
            assert page.next is None
            return [(taken.value, taken.token, taken.api_key) for taken in page.items]

        return self.store.view(read)

    def value_of(self, key: str, token: str) -> int | None:
        def read(reading: Reading) -> int | None:
            state = series.get(reading, self.account, key)
            return None if state is None else history.value_of(reading, state, token, keep=KEEP)

        return self.store.view(read)

    def page(self, prefix: str, after: str, limit: int) -> tuple[list[str], str | None]:
        page = self.store.view(
            lambda reading: search.by_key(
                reading, self.account, Search(prefix), after=after, limit=limit
            )
        )
        assert {each.account for each in page.items} <= {self.account}
        return [each.key for each in page.items], page.next

    def bump(self, name: str, part: str, token: str, *, pre: str = "", now: int = 1) -> Version:
        number, call = semver.part_named(part), call_in(self.account, now=now)
        return self.store.update(lambda txn: semver.bump(txn, call, name, number, token, pre=pre))

    def bumps(self, *calls: tuple[str, str], name: str = "x") -> list[str]:
        """Bump parts for tokens, one after the other, and return the versions."""
        return [str(self.bump(name, part, token)) for part, token in calls]

    def current(self, name: str) -> Version | None:
        return self.store.view(lambda reading: semver.current(reading, self.account, name))

    def standings(
        self, *, prefix: str = "", after: str | None = None, limit: int = 100
    ) -> Page[Standing, str]:
        return self.store.view(
            lambda reading: semver.page(
                reading, self.account, prefix=prefix, after=after, limit=limit
            )
        )

    def dated(
        self,
        token: str,
        *,
        now: datetime,
        scheme: str | None = None,
        tz: str = "UTC",
        name: str = "x",
    ) -> str:
        call, zone = call_in(self.account, now=microseconds(now)), calver.zone_named(tz)
        taken = self.store.update(
            lambda txn: calver.take(txn, call, name, token, scheme=scheme, zone=zone)
        )
        return str(taken)

    def version(self, name: str = "x") -> str | None:
        version = self.current(name)
        return None if version is None else str(version)

    def _update(self, fn: Callable[[Transaction], Series]) -> State:
        state = self.store.update(fn)
        return state.value, state.token
