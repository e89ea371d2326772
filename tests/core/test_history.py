"""History: the newest values of a series, one promise at a time."""

import itertools
import struct
import threading
from concurrent.futures import ThreadPoolExecutor

import lmdb
import pytest

from monotron.core import accounts, attributes, check, history, records, series, tables
from monotron.core.errors import SeedTooLow, SeriesExhausted
from monotron.core.history import HistoryValue
from monotron.limits import LAST_VALUE, MOST_HISTORY_VALUES, RANGE_VALUES
from monotron.store.contract import Reading, Store, Transaction
from monotron.store.lmdb import LmdbStore
from monotron.store.paging import Page
from tests.support.calls import call_in
from tests.support.invariants import faults, rows_of, rows_of_store

KEY = "key"
LONG = "t" * 256
API_KEY = "k" * 24
ENTRY_BYTES = len(records.pack_entry(records.Entry(1, 1, None, None, 1)))


class Rules:
    """A series with its history, as monotron has them. Its clock ticks with each call."""

    def __init__(self, store: Store, account: int = 1) -> None:
        self.store = store
        self.account = account
        self.now = 0
        store.update(lambda txn: accounts.make(txn, account, now=0))

    def advance(
        self, token: str | None = None, count: int = 1, api_key: str | None = None, *, keep: int
    ) -> int:
        self.now += 1
        return self.store.update(lambda txn: self._advance(txn, token, count, api_key, keep))

    def fill(self, token: str | None = None, times: int = 100, *, keep: int) -> int:
        """Take many values, with a token of the same length for each if there is one."""

        def take(txn: Transaction) -> int:
            for number in range(times):
                each = None if token is None else f"{number}".ljust(len(token), token[0])
                value = self._advance(txn, each, 1, None, keep)
            return value

        self.now += 1
        return self.store.update(take)

    def _advance(
        self, txn: Transaction, token: str | None, count: int, api_key: str | None, keep: int
    ) -> int:
        return series.advance(
            txn,
            call_in(self.account, now=self.now, api_key=api_key, keep=keep),
            KEY,
            token=token,
            count=count,
        ).value

    def seed(self, value: int) -> int:
        self.now += 1
        return self.store.update(
            lambda txn: series.seed(txn, call_in(self.account, now=self.now), KEY, value).value
        )

    def delete(self) -> bool:
        return self.store.update(lambda txn: series.delete(txn, self.account, KEY))

    def page(
        self, *, keep: int, limit: int = 10**9, before: int | None = None
    ) -> Page[HistoryValue, int]:
        def read(reading: Reading) -> Page[HistoryValue, int]:
            state = series.get(reading, self.account, KEY)
            if state is None:
                return Page([], None)
            return history.page(reading, state, keep=keep, limit=limit, before=before)

        return self.store.view(read)

    def values(self, *, keep: int) -> list[int]:
        return [taken.value for taken in self.page(keep=keep).items]

    def value_of(self, token: str, *, keep: int) -> int | None:
        def read(reading: Reading) -> int | None:
            state = series.get(reading, self.account, KEY)
            return None if state is None else history.value_of(reading, state, token, keep=keep)

        return self.store.view(read)

    def rows(self) -> int:
        """Count the rows that the history takes in the store, the newest with its series."""

        def read(reading: Reading) -> int:
            state = series.get(reading, self.account, KEY)
            range_ = records.history_range(self.account, KEY)
            in_table = reading.scan(tables.HISTORY, *range_, limit=10**9)
            return len(in_table) + bool(state and state.newest_row)

        return self.store.view(read)


@pytest.fixture
def rules(whole_store: Store) -> Rules:
    return Rules(whole_store)


def test_history_tells_who_took_a_value_when_and_for_what(rules: Rules) -> None:
    rules.advance("a", keep=9)
    rules.advance(count=2, api_key="root", keep=9)
    rules.advance("b", api_key=API_KEY, keep=9)
    assert rules.page(keep=9) == Page(
        [
            HistoryValue(4, "b", API_KEY, 3),
            HistoryValue(3, None, "root", 2),
            HistoryValue(2, None, "root", 2),
            HistoryValue(1, "a", None, 1),
        ],
        None,
    )


def test_the_same_token_again_takes_nothing(rules: Rules) -> None:
    rules.advance("a", api_key=API_KEY, keep=9)
    before = rows_of_store(rules.store)
    assert rules.advance("a", api_key="root", keep=9) == 1
    assert rows_of_store(rules.store) == before


def test_a_refused_call_takes_nothing(rules: Rules) -> None:
    rules.seed(LAST_VALUE - 1)
    rules.advance(keep=9)
    before = rows_of_store(rules.store)
    with pytest.raises(SeriesExhausted):
        rules.advance("a", keep=9)
    with pytest.raises(SeedTooLow):
        rules.seed(1)
    assert rows_of_store(rules.store) == before


def test_a_seed_gives_out_nothing(rules: Rules) -> None:
    rules.seed(100)
    assert rules.values(keep=9) == []
    rules.advance(count=2, keep=9)
    rules.seed(LAST_VALUE - 1)
    assert rules.values(keep=9) == [102, 101]
    rules.advance("last", keep=9)
    assert rules.values(keep=9) == [LAST_VALUE, 102, 101]
    assert rules.values(keep=2) == [LAST_VALUE, 102]
    page = rules.page(keep=9, limit=1, before=LAST_VALUE)
    assert page.items == [HistoryValue(102, None, None, 2)]


@pytest.mark.parametrize("before", [0, 1])
def test_nothing_is_before_the_first_value(rules: Rules, before: int) -> None:
    rules.advance(count=3, keep=9)
    assert rules.page(keep=9, before=before) == Page([], None)


def test_a_series_stored_before_there_was_history_begins_with_its_next_value(
    rules: Rules,
) -> None:
    row = records.series_row_key(1, KEY)
    rules.store.update(
        lambda txn: txn.put(tables.SERIES, row, b"\x01" + bytes(7) + b"\x07" + bytes(16) + b"old")
    )
    assert rules.values(keep=3) == []
    assert rules.value_of("old", keep=3) == 7
    rules.advance("old", keep=3)
    assert rules.values(keep=3) == []
    for _ in range(4):
        rules.advance(keep=3)
    assert rules.values(keep=3) == [11, 10, 9]
    assert rules.value_of("old", keep=3) is None


def test_a_token_has_the_value_that_it_got_last(rules: Rules) -> None:
    for token in ("a", "b", "a", "c"):
        rules.advance(token, keep=9)
    assert [rules.value_of(token, keep=9) for token in "abcd"] == [3, 2, 4, None]


def test_a_token_is_forgotten_when_its_value_is_too_old(rules: Rules) -> None:
    rules.advance("a", keep=3)
    rules.advance(count=2, keep=3)
    assert rules.value_of("a", keep=3) == 1
    rules.advance(keep=3)
    assert rules.value_of("a", keep=3) is None


def test_the_current_token_has_its_value_without_history_too(rules: Rules) -> None:
    rules.advance("a", keep=0)
    assert (rules.values(keep=0), rules.value_of("a", keep=0)) == ([], 1)
    rules.advance("b", keep=0)
    assert rules.value_of("a", keep=0) is None


@pytest.mark.parametrize("token", ["b", "bc", "k", API_KEY, "\U00010000"])
def test_a_token_is_not_found_in_other_text(rules: Rules, token: str) -> None:
    for other in ("abcd", "\U00010000\U00010000", API_KEY + "k", "last"):
        rules.advance(other, api_key=API_KEY, keep=9)
    assert rules.value_of(token, keep=9) is None


def test_a_range_has_one_entry_however_long_it_is(rules: Rules) -> None:
    for _ in range(3):
        rules.advance(count=RANGE_VALUES, api_key=API_KEY, keep=MOST_HISTORY_VALUES)
    last = 3 * RANGE_VALUES
    assert rules.rows() == 1
    page = rules.page(keep=MOST_HISTORY_VALUES, limit=2, before=last - 99_997)
    oldest = [
        HistoryValue(last - 99_998, None, API_KEY, 3),
        HistoryValue(last - 99_999, None, API_KEY, 3),
    ]
    assert page == Page(oldest, None)
    assert rules.values(keep=4) == [last, last - 1, last - 2, last - 3]


@pytest.mark.parametrize("keep", [1, 10, 100])
@pytest.mark.parametrize(
    ("token", "count", "api_key"),
    [
        pytest.param(None, 1, None, id="bare"),
        pytest.param("t" * 40, 1, API_KEY, id="hash"),
        pytest.param(LONG, 1, API_KEY, id="longest"),
        pytest.param(None, RANGE_VALUES, API_KEY, id="ranges"),
    ],
)
def test_history_takes_a_bounded_number_of_rows(
    rules: Rules, keep: int, token: str | None, count: int, api_key: str | None
) -> None:
    entry = ENTRY_BYTES + len(token or "") + len(api_key or "")
    # A row ends where one more entry would be too many bytes.
    least = max(1, (history.ROW_BYTES - entry) // entry)
    most = min(keep // least + 2, keep)

    def fill(txn: Transaction) -> None:
        for number in range(4 * max(keep, least)):
            each = None if token is None else f"{number}".ljust(len(token), "t")
            series.advance(
                txn, call_in(1, now=1, api_key=api_key, keep=keep), KEY, token=each, count=count
            )
            assert len(rows_of(txn, tables.HISTORY)) <= most

    rules.store.update(fill)
    assert 1 <= rules.rows() <= most


@pytest.mark.parametrize("count", [1, 3])
def test_the_newest_values_are_there_whichever_of_them_begin_a_row(
    whole_store: Store, count: int
) -> None:
    def fill(txn: Transaction) -> None:
        for keep in range(1, 20):
            for step in range(1, 50):
                token = f"{step}".ljust(256, "t") if count == 1 else None
                # As long as a token, if there is none.
                api_key = API_KEY if token else LONG
                state = series.advance(
                    txn,
                    call_in(1, now=1, api_key=api_key, keep=keep),
                    f"{keep}",
                    token=token,
                    count=count,
                )
                page = history.page(txn, state, keep=keep, limit=100)
                newest = list(range(step * count, 0, -1))[:keep]
                assert [taken.value for taken in page.items] == newest

    whole_store.update(fill)


def test_one_great_range_pushes_everything_out(rules: Rules) -> None:
    rules.fill(LONG, 200, keep=100)
    many = rules.rows()
    rules.advance(count=RANGE_VALUES, keep=100)
    assert rules.values(keep=100) == list(range(200 + RANGE_VALUES, 100 + RANGE_VALUES, -1))
    for _ in range(many):
        rules.fill(None, 100, keep=100)
    # 24 values a row, and one row too many at each end.
    assert rules.rows() <= 6


@pytest.mark.parametrize("remembered", [False, True])
def test_the_history_of_an_earlier_version_goes_on(rules: Rules, remembered: bool) -> None:
    rules.fill("a" * 40, 30, keep=50)
    if remembered:
        rules.store.update(
            lambda txn: series.recall(txn, call_in(1, now=rules.now, keep=50), KEY, "b")
        )
    rules.store.update(as_before_its_newest_row_was_stored_with_a_series)
    before = rules.rows()
    rules.fill("b" * 40, 30, keep=50)
    assert rules.values(keep=50) == list(range(60, 10, -1))
    assert rules.rows() > before
    for token, value in (("10".ljust(40, "a"), 11), ("29".ljust(40, "a"), 30), ("b", None)):
        assert rules.value_of(token, keep=50) == value
    assert rules.store.view(check.walk).problems == []


def as_before_its_newest_row_was_stored_with_a_series(txn: Transaction) -> None:
    state = series.get(txn, 1, KEY)
    assert state is not None
    assert state.newest_row
    history.end_row(txn, state)
    head = struct.pack(
        ">BqqqqqqqHq",
        *(3, state.value, state.created_at, state.updated_at, state.given, state.history),
        *(state.limit, state.indexed, state.buckets, state.listed_at),
    )
    row_key = records.series_row_key(1, KEY)
    txn.put(tables.SERIES, row_key, head + (state.token or "").encode())


def test_a_smaller_setting_counts_at_once_and_its_rows_go_by_and_by(rules: Rules) -> None:
    rules.fill(LONG, 400, keep=1_000)
    before = rules.rows()
    assert before > 60
    assert rules.values(keep=1_000) == list(range(400, 0, -1))
    assert rules.value_of("0".ljust(256, "t"), keep=400) == 1
    assert rules.values(keep=10) == list(range(400, 390, -1))
    for _ in range(before):
        rules.fill(LONG, 10, keep=10)
        after = rules.rows()
        assert after < before or after <= 6
        before = after
    # Two values a row.
    assert before <= 6


def test_switched_off_history_is_not_shown_and_its_rows_go_by_and_by(rules: Rules) -> None:
    rules.fill(LONG, 400, keep=1_000)
    before = rules.rows()
    assert rules.values(keep=0) == []
    while before:
        rules.advance(keep=0)
        after = rules.rows()
        assert after < before
        before = after
    rules.advance(keep=0)
    assert rules.rows() == 0


@pytest.mark.parametrize("off", [1, 3])
def test_switched_on_again_history_keeps_what_comes_from_then_on(rules: Rules, off: int) -> None:
    rules.fill(LONG, 45, keep=1_000)
    for _ in range(off):
        rules.advance("off", keep=0)
        rules.advance("off too", keep=0)
    last = rules.advance("on", keep=1)
    assert rules.values(keep=1) == [last]
    assert rules.value_of("off", keep=1_000) is None


def make_series(store: Store, account: int, key: str) -> None:
    """Make a series with long history and attributes."""

    def fill(txn: Transaction) -> None:
        accounts.make(txn, account, now=0)
        for number in range(40):
            token = f"{number}".ljust(256, "n")
            series.advance(txn, call_in(account, now=1, keep=1_000), key, token=token)
            attributes.put(txn, account, key, token, {"author": "a", "url": "b"})
        attributes.put(txn, account, key, "never used", {"author": "a"})

    store.update(fill)


@pytest.mark.parametrize(
    ("key", "others"),
    [
        ("a", ["ab", "a ", "a/", "a\u00a0", "a\uffff", "b", "A"]),
        ("ab", ["a", "abc", "ac", "b"]),
        ("k" * 256, ["k" * 255, "k", "l"]),
        ("é", ["e", "éa", "è"]),
    ],
)
def test_a_deleted_series_leaves_no_row_and_no_other_loses_one(
    rules: Rules, key: str, others: list[str]
) -> None:
    store = rules.store
    for other in others:
        make_series(store, 1, other)
    for account in (2, 256, LAST_VALUE):
        make_series(store, account, key)
    before = rows_of_store(store)
    make_series(store, 1, key)
    made = rows_of_store(store)
    for table in (tables.SERIES, tables.HISTORY, tables.ATTRIBUTES):
        assert len(made[table]) > len(before[table])
    assert store.update(lambda txn: series.delete(txn, 1, key))
    assert rows_of_store(store) == before
    assert not store.update(lambda txn: series.delete(txn, 1, key))
    assert rows_of_store(store) == before


def test_a_series_that_begins_again_has_none_of_its_old_history(rules: Rules) -> None:
    rules.fill(LONG, 50, keep=1_000)
    rules.delete()
    assert rules.page(keep=1_000) == Page([], None)
    rules.advance("new", keep=1_000)
    assert rules.values(keep=1_000) == [1]


def test_no_row_of_history_takes_pages_of_its_own(store: LmdbStore) -> None:
    key, account = "k" * 256, LAST_VALUE
    store.update(lambda txn: accounts.make(txn, account, now=0))

    def fill(txn: Transaction) -> None:
        for api_key, token_bytes in itertools.product((None, API_KEY), (0, *range(3, 257))):
            # Enough of the same length for a row and one more.
            for number in range(history.ROW_BYTES // (ENTRY_BYTES + token_bytes) + 1):
                token = f"{number:03}".ljust(token_bytes, "t") if token_bytes else None
                series.advance(
                    txn,
                    call_in(account, now=LAST_VALUE, api_key=api_key, keep=100_000),
                    key,
                    token=token,
                )

    store.update(fill)
    store.close()
    with (
        lmdb.open(str(store.folder), readonly=True, lock=False, max_dbs=20) as env,
        env.begin() as txn,
    ):
        table = env.open_db(tables.HISTORY, txn, create=False)
        stat = txn.stat(table)
    assert stat["entries"] > 2 * 255
    assert stat["overflow_pages"] == 0


def test_threads_at_once_each_find_their_value_in_history(store: LmdbStore) -> None:
    rules, threads, keep = Rules(store), 32, 1_000
    ready = threading.Barrier(threads)

    def take(number: int) -> list[tuple[int, str]]:
        ready.wait()
        taken = []
        for each in range(10):
            token = f"{number} {each}".ljust(100, "t")
            taken.append((rules.advance(token, keep=keep), token))
        return taken

    with ThreadPoolExecutor(threads) as pool:
        answered = [each for taken in pool.map(take, range(threads)) for each in taken]
    page = rules.page(keep=keep)
    assert [(taken.value, taken.token) for taken in page.items] == sorted(answered, reverse=True)
    assert len(answered) == 10 * threads
    assert faults(store, keep=keep) == []
