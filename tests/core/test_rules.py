"""Any calls, in any order, are answered as the model says, by each engine."""

import itertools
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta, timezone
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from monotron.core import (
    accounts,
    attributes,
    calver,
    history,
    retries,
    search,
    semver,
    series,
    tables,
)
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.core.bumps import MAJOR, MINOR, PARTS, PATCH
from monotron.core.call import Call
from monotron.core.changes import NEARNESS
from monotron.core.errors import InvalidNumber, NoSuchAccount, RuleError
from monotron.core.records import Series, request_digest
from monotron.core.search import Place, Search
from monotron.limits import ATTRIBUTES, LAST_VALUE
from monotron.store.contract import Reading, Store, Transaction
from monotron.store.paging import Page
from tests.conftest import ENGINES
from tests.support.invariants import faults, rows_of_store
from tests.support.model import DAY, Model, State

T = TypeVar("T")

EXAMPLES = {"memory": 100}
"""An engine on a disk takes longer for each."""

IDS = (1, 7)
NAMES = ("x", "x-minor-v1", "x-major")
"""The later ones are keys of parts of the first."""
LONG = "t" * 256
"""Long tokens fill a row of history with five values, so that many rows come and go."""

# So few that much happens to each.
ACCOUNTS = st.sampled_from([1, 1, 1, 7])
FEW_KEYS = st.sampled_from(["a", "a", "ab"])
KEYS = st.sampled_from(
    [
        *["a"] * 24,
        *["ab"] * 12,
        *("a/b", "a0", "b", "é", "\uffff", "😀"),
        *NAMES,
        *(f"{name}-major" for name in NAMES),
        *(f"{name}-minor-v{major}" for name in NAMES for major in range(3)),
        *(f"x-patch-v{major}.{minor}" for major in range(2) for minor in range(3)),
        *("x-pre-v0.1.0.rc", "x-pre-v1.0.0.a", "x-pre-v0.0.1.a_b", "x-pre-v0.1.0.01"),
        *("x-micro-v1970.01", "x-micro-v1970.02", "x-micro-v1971.02", "x-micro-v1.2.3.4"),
        *("x-minor-v01", "x-minor-v", "x-patch-v1"),
    ]
)
PRE_RELEASES = st.sampled_from(["", "", "", "rc", "rc", "a", "a-b", "rc.1"])
TOKENS = st.sampled_from(["a", "a", "b", LONG, LONG[1:] + "u", "é" * 128])
API_KEYS = st.none() | st.sampled_from(["root", "k" * 24])
KEEPS = st.sampled_from([0, 1, 5, 8, 1_000])
VALUES = st.integers(1, 300) | st.integers(LAST_VALUE - 5, LAST_VALUE)
ATTRIBUTE_NAMES = st.sampled_from(["author", "url", "a", "ab", "a b", "é", "n" * 256])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    ["", "\n", "line\n", "\0", "\r\n", "\ufeff", "\u2028", "€" * 9_000]
)
MANY = st.sampled_from([2, ATTRIBUTES - 1, ATTRIBUTES, ATTRIBUTES + 1]).map(
    lambda count: {f"{n}": "" for n in range(count)}
)
COUNTED = (
    *(tables.SERIES, tables.CHANGE_TIMES, tables.ATTRIBUTES),
    *(tables.BUMPS, tables.CALENDARS, tables.DATED),
    *(tables.RETRIES, tables.RETRY_TIMES, tables.ACCOUNTS),
)
"""The tables in which each thing of the model has one row."""
WAITS = st.sampled_from([1, 1, 1, 1, DAY // 3, DAY + 1])
LIMITS = st.integers(1, 20)


def outcome(answer: Callable[[], T]) -> T | type[RuleError]:
    """Return the answer of a call, or what refused it."""
    try:
        return answer()
    except RuleError as error:
        return type(error)


def state_of(found: Series) -> State:
    return found.value, found.token, found.created_at, found.updated_at


class Rules(RuleBasedStateMachine):
    """A store and the model, which get the same calls."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.model = Model()
        self.rows = rows_of_store(store)
        self.now = 0
        self.keep: int | None = None

    @initialize(keep=st.none() | KEEPS)
    def begin(self, keep: int | None) -> None:
        """Keep as much history in all calls, or, with None, in each as much as it likes."""
        self.keep = keep
        for account in IDS:
            self.make_account(account)

    def call(self, account: int, keep: int, api_key: str | None = None) -> Call:
        # The clock ticks with each call.
        self.now += 1
        return Call(account, api_key, self.now, keep if self.keep is None else self.keep)

    def agree(self, by_rules: Callable[[Transaction], T], by_model: Callable[[], T]) -> None:
        answer = outcome(lambda: self.store.update(by_rules))
        assert answer == outcome(by_model)
        after = rows_of_store(self.store)
        if isinstance(answer, type):
            assert after == self.rows
        self.rows = after
        # No row is left behind, and none is lost.
        assert {table: len(after[table]) for table in COUNTED} == {
            tables.SERIES: len(self.model.series),
            tables.CHANGE_TIMES: len(self.model.series),
            tables.BUMPS: len(self.model.made),
            tables.CALENDARS: len(self.model.calendars),
            tables.DATED: len(self.model.dated),
            tables.ATTRIBUTES: sum(map(len, self.model.attributes.values())),
            tables.RETRIES: len(self.model.retries),
            tables.RETRY_TIMES: len(self.model.retries),
            tables.ACCOUNTS: len(self.model.accounts - {FIRST_ACCOUNT}),
        }

    def seen(self, read: Callable[[Reading], T]) -> T:
        return self.store.view(read)

    # Series

    @rule(account=ACCOUNTS, key=KEYS, token=st.none() | TOKENS, api_key=API_KEYS, keep=KEEPS)
    def take(
        self, account: int, key: str, token: str | None, api_key: str | None, keep: int
    ) -> None:
        call = self.call(account, keep, api_key)
        self.agree(
            lambda txn: state_of(series.advance(txn, call, key, token=token)),
            lambda: self.model.advance(call, key, token),
        )

    @rule(
        account=ACCOUNTS,
        key=KEYS,
        token=st.none() | st.none() | TOKENS,
        count=st.integers(1, 50) | st.just(1_000_000),
        keep=KEEPS,
    )
    def take_many(self, account: int, key: str, token: str | None, count: int, keep: int) -> None:
        call = self.call(account, keep)
        self.agree(
            lambda txn: state_of(series.advance(txn, call, key, token=token, count=count)),
            lambda: self.model.advance(call, key, token, count),
        )

    @rule(key=FEW_KEYS, token=st.none() | st.just(LONG), times=st.sampled_from([2, 33]), keep=KEEPS)
    def fill(self, key: str, token: str | None, times: int, keep: int) -> None:
        """Take many values in one transaction, with a long token of its own for each."""
        call = self.call(1, keep)
        tokens = [token and f"{n}".ljust(len(token), token[0]) for n in range(times)]
        if (state := self.model.get(1, key)) and state[0] > self.model.limit(1, key) - times:
            return
        if times > self.model.limit(1, key):
            return

        def take(txn: Transaction) -> list[State]:
            return [state_of(series.advance(txn, call, key, token=each)) for each in tokens]

        self.agree(take, lambda: [self.model.advance(call, key, each) for each in tokens])

    @rule(account=ACCOUNTS, key=KEYS, value=VALUES)
    def seed(self, account: int, key: str, value: int) -> None:
        call = self.call(account, 0)
        self.agree(
            lambda txn: state_of(series.seed(txn, call, key, value)),
            lambda: self.model.seed(call, key, value),
        )

    @rule(account=ACCOUNTS, key=KEYS, data=st.data())
    def delete(self, account: int, key: str, data: st.DataObject) -> None:
        """Delete a series, mostly one that is there."""
        key = data.draw(st.sampled_from([key, *self.model.keys(account)]))
        self.agree(
            lambda txn: series.delete(txn, account, key), lambda: self.model.delete(account, key)
        )

    @rule(
        account=ACCOUNTS,
        prefix=st.sampled_from(["", "a", "a/", "é", "x-"]),
        after=st.none() | st.just("") | KEYS,
        limit=LIMITS,
    )
    def list_series(self, account: int, prefix: str, after: str | None, limit: int) -> None:
        page = self.seen(
            lambda reading: search.by_key(
                reading, account, Search(prefix), after=after, limit=limit
            )
        )
        assert {each.account for each in page.items} <= {account}
        keys = Page([each.key for each in page.items], page.next)
        assert keys == self.model.page(account, prefix, after, limit)

    @rule(account=ACCOUNTS, key=FEW_KEYS, limit=st.just(0) | VALUES, near=st.booleans())
    def set_limit(self, account: int, key: str, limit: int, near: bool) -> None:
        """Set a limit, or with 0 remove it; one near the series' value is met soon."""
        if near and (state := self.model.get(account, key)):
            limit = min(state[0] + limit % 9, LAST_VALUE)
        self.agree(
            lambda txn: series.set_limit(txn, account, key, limit),
            lambda: self.model.set_limit(account, key, limit),
        )
        found = self.seen(lambda reading: series.limit_of(reading, account, key))
        assert found == self.model.limits.get((account, key), 0)

    @rule(
        account=ACCOUNTS,
        limit=LIMITS,
        age=st.none() | st.integers(0, 40),
        contains=st.sampled_from(["", "A", "é", "minor"]),
        wait=st.sampled_from([0, 0, NEARNESS - 1, NEARNESS]),
    )
    def list_changes(
        self, account: int, limit: int, age: int | None, contains: str, wait: int
    ) -> None:
        """Walk over the pages of what changed; the clock jumps sometimes."""
        since = 0 if age is None else max(self.now - age, 0)
        wanted = Search(contains=contains, changed_since=since)
        keys: list[str] = []
        after: Place | None = None
        while True:
            page = self.seen(
                lambda reading, after=after: search.by_change(  # type: ignore[misc]
                    reading, account, wanted, after=after, limit=limit
                )
            )
            keys += [each.key for each in page.items]
            after = page.next
            if after is None:
                break
        expected = self.model.by_change(account, since)
        assert keys == [key for key in expected if contains.lower() in key.lower()]
        self.now += wait

    # History

    @rule(account=ACCOUNTS, key=FEW_KEYS, token=TOKENS, keep=KEEPS)
    def recall(self, account: int, key: str, token: str, keep: int) -> None:
        """Look for an earlier token, which is found as long as history shows it."""
        call = self.call(account, keep)

        def shown() -> int | None:
            if call.keep == 0:
                raise InvalidNumber
            state = self.seen(lambda reading: series.get(reading, account, key))
            if state is None:
                return None
            if state.token == token:
                return state.value
            page = self.seen(
                lambda reading: history.page(reading, state, keep=call.keep, limit=10**9)
            )
            return next((each.value for each in page.items if each.token == token), None)

        self.agree(lambda txn: series.recall(txn, call, key, token), shown)

    @rule(
        account=ACCOUNTS,
        key=KEYS,
        limit=LIMITS,
        distance=st.none() | st.integers(0, 60),
        keep=KEEPS,
    )
    def read_history(
        self, account: int, key: str, limit: int, distance: int | None, keep: int
    ) -> None:
        """Read all that can be read, and one page of it that begins somewhere."""
        model = self.model.series.get((account, key))
        state = self.seen(lambda reading: series.get(reading, account, key))
        assert (state is None) == (model is None)
        if state is None or model is None:
            return
        keep = keep if self.keep is None else self.keep

        def pages(limit: int, before: int | None = None) -> Page[history.HistoryValue, int]:
            return self.seen(
                lambda reading: history.page(reading, state, keep=keep, limit=limit, before=before)
            )

        page = pages(10**9)
        shown = page.items
        # If more is kept from now on, what was not removed yet is seen again, without a hole.
        assert shown == model.newest(keep)[: len(shown)]
        assert len(shown) >= len(model.newest(keep, gone=model.gone))
        assert page.next is None

        before = None if distance is None else max(model.value + 2 - distance, 0)
        rest = [taken for taken in shown if before is None or taken.value < before]
        following = rest[limit - 1].value if len(rest) > limit else None
        assert pages(limit, before) == Page(rest[:limit], following)

        for token in {taken.token for taken in model.newest(60)} | {"never used", model.token}:
            if token is None:
                continue
            last = next((taken.value for taken in shown if taken.token == token), None)
            found = self.seen(
                lambda reading, token=token: history.value_of(reading, state, token, keep=keep)  # type: ignore[misc]
            )
            assert found == (model.value if token == model.token else last)

    # Versions

    @rule(
        account=ACCOUNTS,
        part=st.sampled_from([*PARTS.values()]),
        token=st.sampled_from("ab"),
        keep=KEEPS,
    )
    def advance_part(self, account: int, part: int, token: str, keep: int) -> None:
        """Advance the series of a part by hand."""
        self.take(account, self.model.part_keys(account, "x")[part - 1], token, None, keep)

    @rule(
        account=ACCOUNTS,
        name=st.sampled_from(["x", "x", *NAMES]),
        part=st.sampled_from([*PARTS.values()]),
        token=st.none() | st.sampled_from("ab"),
        keep=KEEPS,
        pre=PRE_RELEASES,
    )
    def bump(
        self, account: int, name: str, part: int, token: str | None, keep: int, pre: str = ""
    ) -> None:
        """Bump a part for a token; None stands for the one that its series is at."""
        if token is None:
            state = self.model.get(account, self.model.part_keys(account, name)[part - 1])
            token = (state and state[1]) or "c"
        call = self.call(account, keep)
        self.agree(
            lambda txn: semver.bump(txn, call, name, part, token, pre=pre),
            lambda: self.model.bump(call, name, part, token, pre),
        )
        self.read_version(account, name)

    @rule(account=ACCOUNTS, part=st.sampled_from([MAJOR, MINOR]), keep=KEEPS)
    def bump_what_was_advanced_by_hand(self, account: int, part: int, keep: int) -> None:
        """Its version is that of then, although the lower parts have moved on since."""
        self.advance_part(account, part, "by hand", keep)
        self.bump(account, "x", PATCH, "since", keep)
        self.bump(account, "x", part, "by hand", keep)

    @rule(account=ACCOUNTS, name=st.sampled_from(NAMES))
    def read_version(self, account: int, name: str) -> None:
        version = self.seen(lambda reading: semver.current(reading, account, name))
        assert version == self.model.version(account, name)

    @rule(account=ACCOUNTS, limit=LIMITS, after=st.none() | st.sampled_from(NAMES))
    def list_versions(self, account: int, limit: int, after: str | None) -> None:
        page = self.seen(
            lambda reading: semver.page(reading, account, prefix="", after=after, limit=limit)
        )
        rest = [name for name in self.model.versions(account) if name > (after or "")]
        assert [each.version.name for each in page.items] == rest[:limit]
        assert page.next == (rest[limit - 1] if len(rest) > limit else None)
        for each in page.items:
            assert each.version == self.model.version(account, each.version.name)

    # Calendar versions

    @rule(
        account=ACCOUNTS,
        name=st.sampled_from(["x", "x", "x-major"]),
        token=st.sampled_from("abcd"),
        day=st.sampled_from([0, 30, 40, 400]),
        scheme=st.sampled_from([None, None, "YYYY.0M.MICRO", "YY.WW.MICRO"]),
        keep=KEEPS,
    )
    def take_dated(
        self, account: int, name: str, token: str, day: int, scheme: str | None, keep: int
    ) -> None:
        """The clock jumps to a day, forth and back."""
        call = replace(self.call(account, keep), now=day * DAY)
        followed = scheme or self.model.calendars.get((account, name)) or "YYYY.0M.MICRO"
        period = calver.period_of(followed, date(1970, 1, 1) + timedelta(days=day))
        self.agree(
            lambda txn: calver.take(txn, call, name, token, scheme=scheme, zone=timezone.utc),
            lambda: self.model.take_dated(call, name, token, scheme, period),
        )
        self.read_dated(account, name)

    @rule(account=ACCOUNTS, name=st.sampled_from(["x", "x-major"]))
    def read_dated(self, account: int, name: str) -> None:
        version = self.seen(lambda reading: calver.current(reading, account, name))
        assert version == self.model.dated_version(account, name)

    # Attributes

    @rule(
        account=ACCOUNTS,
        key=FEW_KEYS,
        token=st.sampled_from(["t", "tt", "é"]),
        sent=st.dictionaries(ATTRIBUTE_NAMES, TEXTS, max_size=7) | MANY,
    )
    def put_attributes(self, account: int, key: str, token: str, sent: dict[str, str]) -> None:
        valid = attributes.valid(sent)
        assert valid == sent
        self.agree(
            lambda txn: attributes.put(txn, account, key, token, valid),
            lambda: self.model.put_attributes(account, key, token, sent),
        )
        self.read_attributes(account, key, token)

    @rule(account=ACCOUNTS, key=FEW_KEYS, token=st.sampled_from(["t", "tt", "é"]))
    def read_attributes(self, account: int, key: str, token: str) -> None:
        texts = self.model.attributes_of(account, key, token)
        assert self.seen(lambda reading: attributes.get_all(reading, account, key, token)) == texts
        for name in ("author", "missing", *texts):
            found = self.seen(
                lambda reading, name=name: attributes.get(reading, account, key, token, name)  # type: ignore[misc]
            )
            assert found == texts.get(name)

    @rule(
        account=ACCOUNTS,
        key=FEW_KEYS,
        token=st.sampled_from(["t", "tt", "é"]),
        name=st.none() | ATTRIBUTE_NAMES,
    )
    def delete_attributes(self, account: int, key: str, token: str, name: str | None) -> None:
        if name is None:
            self.agree(
                lambda txn: attributes.delete_all(txn, account, key, token),
                lambda: self.model.delete_attributes(account, key, token),
            )
        else:
            self.agree(
                lambda txn: attributes.delete(txn, account, key, token, name),
                lambda: self.model.delete_attribute(account, key, token, name),
            )

    # Retries

    @rule(
        account=ACCOUNTS,
        idempotency_key=st.sampled_from("abcdefgh"),
        request=st.sampled_from("xxxy"),
        key=FEW_KEYS,
        wait=WAITS,
    )
    def retry(self, account: int, idempotency_key: str, request: str, key: str, wait: int) -> None:
        self.now += wait
        call = self.call(account, 5)
        digest = request_digest(request)
        self.agree(
            lambda txn: retries.once(
                txn,
                call,
                idempotency_key,
                digest,
                lambda: series.advance(txn, call, key).value,
            ),
            lambda: self.model.once(call, idempotency_key, digest, key),
        )

    # Accounts

    @rule(account=st.integers(0, 9) | st.sampled_from([255, 256, LAST_VALUE]))
    def make_account(self, account: int) -> None:
        self.now += 1
        self.agree(
            lambda txn: accounts.make(txn, account, now=self.now),
            lambda: self.model.make_account(account),
        )

    @rule(after=st.none() | st.integers(0, 9) | st.integers(0, LAST_VALUE), limit=LIMITS)
    def list_accounts(self, after: int | None, limit: int) -> None:
        page = self.seen(lambda reading: accounts.page(reading, after=after, limit=limit))
        assert page == self.model.accounts_page(after, limit)

    @rule(account=st.integers(0, 9) | st.sampled_from([255, 256, LAST_VALUE]))
    def require_account(self, account: int) -> None:
        found = outcome(lambda: self.seen(lambda reading: accounts.require(reading, account)))
        assert found == (None if account in self.model.accounts else NoSuchAccount)

    # The end

    def teardown(self) -> None:
        """Whatever was done, both have the same, and the store has no fault."""
        try:
            for account in IDS:
                self._look_at(account)
            assert self._all_accounts() == sorted(self.model.accounts)
            assert faults(self.store, keep=self.keep or None) == []
        finally:
            self.store.close()

    def _look_at(self, account: int) -> None:
        keys = self.model.keys(account)
        assert self._all_keys(account) == keys
        for key in keys:
            found = self.seen(lambda reading, key=key: series.get(reading, account, key))  # type: ignore[misc]
            assert found is not None
            assert state_of(found) == self.model.get(account, key)
            for keep in (0, 1, 7, 1_000):
                self.read_history(account, key, 3, 5, keep)
        for name in NAMES:
            self.read_version(account, name)
        for key, token in itertools.product(("a", "ab"), ("t", "tt", "é")):
            self.read_attributes(account, key, token)

    def _all_keys(self, account: int) -> list[str]:
        """Walk over the pages of series: each comes once."""
        keys: list[str] = []
        after: str | None = ""
        while after is not None:
            page = self.seen(
                lambda reading, after=after: search.by_key(  # type: ignore[misc]
                    reading, account, Search(), after=after, limit=2
                )
            )
            keys += [each.key for each in page.items]
            after = page.next
        return keys

    def _all_accounts(self) -> list[int]:
        """Walk over the pages of accounts: each comes once."""
        ids: list[int] = []
        after: int | None = None
        while True:
            page = self._accounts_after(after)
            ids += page.items
            if page.next is None:
                return ids
            after = page.next

    def _accounts_after(self, after: int | None) -> Page[int, int]:
        return self.seen(lambda reading: accounts.page(reading, after=after, limit=2))


@pytest.mark.parametrize("engine", ENGINES)
def test_any_calls_are_answered_as_the_model_says(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as place:
        stores = (
            ENGINES[engine](request, Path(place) / f"{number}") for number in itertools.count()
        )

        class OnEngine(Rules):
            def __init__(self) -> None:
                super().__init__(next(stores))

        run_state_machine_as_test(
            OnEngine,
            settings=settings(max_examples=EXAMPLES.get(engine, 30), stateful_step_count=40),
        )
