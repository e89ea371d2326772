"""The store's contract, which every engine must keep."""

import itertools
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monotron.core import tables
from monotron.store.contract import (
    MAX_VALUE_BYTES,
    Reading,
    Store,
    StoreUnavailable,
    Transaction,
)
from tests.support.examples import sharing_fixtures
from tests.support.service import wait_until

ROWS = tables.SERIES
OTHER_ROWS = tables.SYSTEM
EVERYTHING = (b"", b"\xff" * 600)
SECONDS = 20.0
"""How long a test waits for something that must happen."""


def putting(*keys: bytes, value: bytes = b"value") -> Callable[[Transaction], None]:
    def put(txn: Transaction) -> None:
        for key in keys:
            txn.put(ROWS, key, value)

    return put


def getting(key: bytes) -> Callable[[Reading], bytes | None]:
    return lambda reading: reading.get(ROWS, key)


def keys(rows: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    return [key for key, _ in rows]


def all_rows(reading: Reading) -> list[tuple[bytes, bytes]]:
    return reading.scan(ROWS, *EVERYTHING, limit=10_000)


def increment(txn: Transaction) -> int:
    number = int(txn.get(ROWS, b"number") or b"0") + 1
    txn.put(ROWS, b"number", b"%d" % number)
    return number


def test_what_was_put_is_there(any_store: Store) -> None:
    any_store.update(putting(b"key"))
    assert any_store.view(getting(b"key")) == b"value"


def test_what_was_not_put_is_none(any_store: Store) -> None:
    any_store.update(putting(b"key"))
    assert [any_store.view(getting(key)) for key in (b"ke", b"key\0", b"kez")] == [None] * 3


def test_put_takes_the_place_of_what_was_there(any_store: Store) -> None:
    any_store.update(putting(b"key", value=b"a longer value"))
    any_store.update(putting(b"key", value=b"short"))
    assert any_store.view(all_rows) == [(b"key", b"short")]


def test_an_empty_value_is_a_value(any_store: Store) -> None:
    any_store.update(putting(b"key", value=b""))
    assert any_store.view(getting(b"key")) == b""
    assert any_store.update(lambda txn: txn.delete(ROWS, b"key"))


@pytest.mark.parametrize("size", [4_000, 100_000, MAX_VALUE_BYTES])
def test_large_values_come_back_whole(any_store: Store, size: int) -> None:
    value = (bytes(range(256)) * (size // 256 + 1))[-size:]
    any_store.update(putting(b"key", value=value))
    assert any_store.view(all_rows) == [(b"key", value)]


def test_tables_do_not_share_rows(any_store: Store) -> None:
    any_store.update(putting(b"key"))
    assert any_store.view(lambda reading: reading.get(OTHER_ROWS, b"key")) is None
    any_store.update(lambda txn: txn.delete_range(OTHER_ROWS, *EVERYTHING))
    assert any_store.view(getting(b"key")) == b"value"


def test_delete_tells_whether_there_was_a_row(any_store: Store) -> None:
    any_store.update(putting(b"key"))

    def delete_twice(txn: Transaction) -> tuple[bool, bool]:
        return txn.delete(ROWS, b"key"), txn.delete(ROWS, b"key")

    assert any_store.update(delete_twice) == (True, False)
    assert any_store.update(delete_twice) == (False, False)
    assert any_store.view(getting(b"key")) is None


def test_update_and_view_give_what_the_function_gives(any_store: Store) -> None:
    answer = object()
    assert any_store.update(lambda txn: answer) is answer
    assert any_store.view(lambda reading: answer) is answer


def test_an_update_sees_its_own_writes(any_store: Store) -> None:
    any_store.update(putting(b"a", b"b", b"c"))

    def write_and_read(txn: Transaction) -> None:
        txn.delete(ROWS, b"b")
        txn.put(ROWS, b"c", b"new")
        txn.put(ROWS, b"d", b"value")
        assert txn.get(ROWS, b"b") is None
        assert txn.get(ROWS, b"c") == b"new"
        rows = [(b"a", b"value"), (b"c", b"new"), (b"d", b"value")]
        assert all_rows(txn) == rows
        assert txn.scan(ROWS, *EVERYTHING, limit=2) == rows[:2]
        assert txn.scan(ROWS, *EVERYTHING, limit=2, reverse=True) == rows[:0:-1]
        txn.put(ROWS, b"b", b"again")
        assert txn.get(ROWS, b"b") == b"again"
        assert txn.delete_range(ROWS, b"a", b"c") == 2
        assert keys(all_rows(txn)) == [b"c", b"d"]

    any_store.update(write_and_read)
    assert any_store.view(all_rows) == [(b"c", b"new"), (b"d", b"value")]


def test_a_limited_scan_is_not_cut_short_by_own_deletes(any_store: Store) -> None:
    any_store.update(putting(b"a", b"b", b"c", b"d", b"e", b"f"))

    def delete_and_scan(txn: Transaction) -> tuple[list[bytes], list[bytes]]:
        for key in (b"a", b"b", b"f"):
            txn.delete(ROWS, key)
        return (
            keys(txn.scan(ROWS, *EVERYTHING, limit=2)),
            keys(txn.scan(ROWS, *EVERYTHING, limit=2, reverse=True)),
        )

    assert any_store.update(delete_and_scan) == ([b"c", b"d"], [b"e", b"d"])


def test_scan_takes_its_start_and_not_its_stop(any_store: Store) -> None:
    def scan(reading: Reading) -> tuple[list[bytes], list[bytes]]:
        return (
            keys(reading.scan(ROWS, b"a", b"c", limit=9)),
            keys(reading.scan(ROWS, b"a", b"c", limit=9, reverse=True)),
        )

    any_store.update(putting(b"a", b"b", b"c"))
    assert any_store.view(scan) == ([b"a", b"b"], [b"b", b"a"])
    assert any_store.update(scan) == ([b"a", b"b"], [b"b", b"a"])


def test_scan_orders_a_prefix_before_what_it_starts(any_store: Store) -> None:
    ordered = [b"\0", b"\0\0", b"a", b"a\0", b"a\0b", b"aa", b"a\xff", b"a\xff\xff", b"b", b"\xff"]
    any_store.update(putting(*reversed(ordered)))
    assert keys(any_store.view(all_rows)) == ordered
    inside = any_store.view(lambda reading: reading.scan(ROWS, b"a", b"a\xff", limit=99))
    assert keys(inside) == [b"a", b"a\0", b"a\0b", b"aa"]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("start", "stop"),
    [(b"b", b"b"), (b"c", b"a"), (b"", b""), (b"x", b"z"), (b"a\0", b"b"), (b"\xff" * 600, b"")],
)
def test_scan_of_an_empty_range_gives_nothing(
    any_store: Store, start: bytes, stop: bytes, reverse: bool
) -> None:
    def scan(reading: Reading) -> list[tuple[bytes, bytes]]:
        return reading.scan(ROWS, start, stop, limit=9, reverse=reverse)

    assert any_store.view(scan) == []
    any_store.update(putting(b"a", b"b", b"c"))
    assert any_store.view(scan) == []


def test_scan_bounds_may_be_longer_than_a_key(any_store: Store) -> None:
    longest = b"b" * 511
    any_store.update(putting(b"a", longest, b"c"))

    def scan(reading: Reading) -> list[list[bytes]]:
        return [
            keys(reading.scan(ROWS, b"b" * 600, EVERYTHING[1], limit=9)),
            keys(reading.scan(ROWS, b"", b"b" * 600, limit=9)),
            keys(reading.scan(ROWS, b"", b"b" * 600, limit=9, reverse=True)),
        ]

    expected = [[b"c"], [b"a", longest], [longest, b"a"]]
    assert any_store.view(scan) == expected
    assert any_store.update(scan) == expected
    assert any_store.update(lambda txn: txn.delete_range(ROWS, b"b", b"b" * 512)) == 1


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 4])
def test_scan_gives_no_more_than_its_limit(any_store: Store, limit: int) -> None:
    def scan(reading: Reading) -> tuple[list[bytes], list[bytes]]:
        return (
            keys(reading.scan(ROWS, *EVERYTHING, limit=limit)),
            keys(reading.scan(ROWS, *EVERYTHING, limit=limit, reverse=True)),
        )

    any_store.update(putting(b"a", b"b", b"c"))
    assert any_store.view(scan) == ([b"a", b"b", b"c"][:limit], [b"c", b"b", b"a"][:limit])


BOUNDS = st.text("ab\0\xff", max_size=2).map(lambda text: text.encode("latin-1"))
KEYS = BOUNDS.filter(bool)


@settings(sharing_fixtures, max_examples=60)
@given(
    stored=st.dictionaries(KEYS, st.binary(max_size=3)),
    written=st.dictionaries(KEYS, st.none() | st.binary(max_size=3)),
    start=BOUNDS,
    stop=BOUNDS,
    limit=st.integers(0, 8),
    reverse=st.booleans(),
)
def test_scan_gives_the_rows_of_its_range_in_order(
    any_store: Store,
    stored: dict[bytes, bytes],
    written: dict[bytes, bytes | None],
    start: bytes,
    stop: bytes,
    limit: int,
    reverse: bool,
) -> None:
    def fill(txn: Transaction) -> None:
        txn.delete_range(ROWS, *EVERYTHING)
        for key, value in stored.items():
            txn.put(ROWS, key, value)

    def scan(reading: Reading) -> list[tuple[bytes, bytes]]:
        return reading.scan(ROWS, start, stop, limit=limit, reverse=reverse)

    def write_and_scan(txn: Transaction) -> list[tuple[bytes, bytes]]:
        for key, value in written.items():
            if value is None:
                txn.delete(ROWS, key)
            else:
                txn.put(ROWS, key, value)
        return scan(txn)

    def expected(rows: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
        inside = [row for row in rows.items() if start <= row[0] < stop]
        return sorted(inside, reverse=reverse)[:limit]

    any_store.update(fill)
    assert any_store.view(scan) == expected(stored)
    after = {key: value for key, value in (stored | written).items() if value is not None}
    assert any_store.update(write_and_scan) == expected(after)
    assert any_store.view(scan) == expected(after)


def test_delete_range_removes_its_rows_and_no_others(any_store: Store) -> None:
    any_store.update(putting(b"a", b"b", b"ba", b"c"))
    assert any_store.update(lambda txn: txn.delete_range(ROWS, b"b", b"c")) == 2
    assert any_store.update(lambda txn: txn.delete_range(ROWS, b"b", b"c")) == 0
    assert keys(any_store.view(all_rows)) == [b"a", b"c"]


def test_delete_range_takes_any_number_of_rows(any_store: Store) -> None:
    many = [b"%06d" % number for number in range(2_500)]
    any_store.update(putting(*many))

    def delete_with_a_row_of_its_own(txn: Transaction) -> int:
        txn.put(ROWS, b"000000 mine", b"")
        return txn.delete_range(ROWS, b"000000", b"002499")

    assert any_store.update(delete_with_a_row_of_its_own) == 2_500
    assert keys(any_store.view(all_rows)) == [many[-1]]


def test_larger_values_are_refused(any_store: Store) -> None:
    with pytest.raises(ValueError, match=str(MAX_VALUE_BYTES)):
        any_store.update(putting(b"key", value=bytes(MAX_VALUE_BYTES + 1)))
    assert any_store.view(all_rows) == []


@pytest.mark.parametrize("size", [1, 511])
def test_keys_have_up_to_511_bytes(any_store: Store, size: int) -> None:
    key = b"k" * size
    any_store.update(putting(key))
    assert any_store.view(getting(key)) == b"value"
    assert any_store.update(lambda txn: txn.delete(ROWS, key))


@pytest.mark.parametrize("size", [0, 512])
def test_other_keys_are_refused(any_store: Store, size: int) -> None:
    key = b"k" * size
    calls: list[Callable[[Transaction], object]] = [
        lambda txn: txn.get(ROWS, key),
        lambda txn: txn.put(ROWS, key, b"value"),
        lambda txn: txn.delete(ROWS, key),
    ]

    def refused(txn: Transaction) -> None:
        txn.put(ROWS, b"kept", b"value")
        for call in calls:
            with pytest.raises(ValueError, match="511"):
                call(txn)

    with pytest.raises(ValueError, match="511"):
        any_store.view(getting(key))
    for call in calls:
        with pytest.raises(ValueError, match="511"):
            any_store.update(call)
    any_store.update(refused)
    assert keys(any_store.view(all_rows)) == [b"kept"]


class Leaving(BaseException):
    """What no `except Exception` catches."""


@pytest.mark.parametrize("error", [KeyError("mine"), KeyboardInterrupt(), SystemExit(3), Leaving()])
def test_an_update_that_raises_keeps_nothing(any_store: Store, error: BaseException) -> None:
    any_store.update(putting(b"key", b"deleted", value=b"old"))

    def fail(txn: Transaction) -> None:
        txn.put(ROWS, b"key", b"new")
        txn.put(ROWS, b"more", b"new")
        txn.delete(ROWS, b"deleted")
        raise error

    with pytest.raises(type(error)) as caught:
        any_store.update(fail)
    assert caught.value is error
    assert any_store.view(all_rows) == [(b"deleted", b"old"), (b"key", b"old")]
    any_store.update(putting(b"key", value=b"next"))
    assert any_store.view(getting(b"key")) == b"next"


@pytest.mark.parametrize("error", [KeyError("mine"), KeyboardInterrupt(), Leaving()])
def test_what_a_view_raises_reaches_its_caller(any_store: Store, error: BaseException) -> None:
    def fail(reading: Reading) -> None:
        reading.get(ROWS, b"key")
        raise error

    with pytest.raises(type(error)) as caught:
        any_store.view(fail)
    assert caught.value is error
    assert any_store.view(getting(b"key")) is None


def test_an_error_reaches_its_own_caller_only(any_store: Store) -> None:
    def increment_or_fail(caller: int) -> int:
        def fn(txn: Transaction) -> int:
            number = increment(txn)
            if caller % 3 == 0:
                raise Leaving(caller)
            return number

        return any_store.update(fn)

    with ThreadPoolExecutor(32) as pool:
        calls = [pool.submit(increment_or_fail, caller) for caller in range(300)]
    errors = [call.exception() for call in calls]
    assert [error.args for error in errors if error] == [(n,) for n in range(0, 300, 3)]
    numbers = [call.result() for call in calls if call.exception() is None]
    assert sorted(numbers) == list(range(1, 201))
    assert any_store.view(getting(b"number")) == b"200"


def test_updates_are_serializable(any_store: Store) -> None:
    with ThreadPoolExecutor(32) as pool:
        numbers = list(pool.map(lambda _: any_store.update(increment), range(640)))
    assert sorted(numbers) == list(range(1, 641))


def test_a_view_sees_updates_whole(any_store: Store) -> None:
    places = [b"%d" % place for place in range(8)]

    def move(step: int) -> None:
        def fn(txn: Transaction) -> None:
            source, target = places[step % 8], places[step * 3 % 8]
            for place, change in ((source, -1), (target, 1)):
                amount = int(txn.get(ROWS, place) or b"0")
                txn.put(ROWS, place, b"%d" % (amount + change))

        any_store.update(fn)

    any_store.update(putting(*places, value=b"100"))
    with ThreadPoolExecutor(8) as pool:
        moves = pool.map(move, range(200))
        sums = {sum(int(value) for _, value in any_store.view(all_rows)) for _ in range(50)}
        list(moves)
    assert sums == {800}


def test_a_view_sees_every_update_that_returned_before(any_store: Store) -> None:
    def increment_and_look(_: int) -> bool:
        number = any_store.update(increment)
        return int(any_store.view(getting(b"number")) or b"0") >= number

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(increment_and_look, range(200)))


def test_a_snapshot_does_not_change(any_store: Store) -> None:
    any_store.update(putting(b"a", b"b", value=b"old"))

    def change(txn: Transaction) -> None:
        txn.put(ROWS, b"a", b"new")
        txn.delete(ROWS, b"b")
        txn.put(ROWS, b"c", b"new")

    with ThreadPoolExecutor(1) as pool:

        def look_around_an_update(reading: Reading) -> bytes | None:
            assert reading.get(ROWS, b"b") == b"old"
            pool.submit(any_store.update, change).result(SECONDS)
            assert all_rows(reading) == [(b"a", b"old"), (b"b", b"old")]
            return reading.get(ROWS, b"a")

        assert any_store.view(look_around_an_update) == b"old"
    assert any_store.view(all_rows) == [(b"a", b"new"), (b"c", b"new")]


def test_a_view_does_not_wait_for_a_writer(any_store: Store) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(txn: Transaction) -> bool:
        txn.put(ROWS, b"key", b"value")
        begun.set()
        return go_on.wait(SECONDS)

    with ThreadPoolExecutor(1) as pool:
        update = pool.submit(any_store.update, slow)
        assert begun.wait(SECONDS)
        assert any_store.view(getting(b"key")) is None
        go_on.set()
        assert update.result(SECONDS)
    assert any_store.view(getting(b"key")) == b"value"


def test_values_outlive_their_transaction(any_store: Store) -> None:
    any_store.update(putting(b"key"))
    value, rows = any_store.view(lambda reading: (reading.get(ROWS, b"key"), all_rows(reading)))
    any_store.update(putting(b"key", value=b"other"))
    assert type(value) is bytes
    assert (value, rows) == (b"value", [(b"key", b"value")])


def test_a_closed_store_is_unavailable(any_store: Store) -> None:
    any_store.close()
    with pytest.raises(StoreUnavailable):
        any_store.view(getting(b"key"))
    with pytest.raises(StoreUnavailable):
        any_store.update(putting(b"key"))


def test_closing_again_does_nothing(any_store: Store) -> None:
    any_store.close()
    any_store.close()


def test_close_lets_the_update_under_way_finish(any_store: Store) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(txn: Transaction) -> int:
        begun.set()
        assert go_on.wait(SECONDS)
        return increment(txn)

    with ThreadPoolExecutor(2) as pool:
        update = pool.submit(any_store.update, slow)
        assert begun.wait(SECONDS)
        close = pool.submit(any_store.close)
        wait_until(lambda: is_closed(any_store), "the store takes no more calls")
        assert not update.done()
        assert not close.done()
        go_on.set()
        close.result(SECONDS)
        assert update.result(SECONDS) == 1


def is_closed(store: Store) -> bool:
    """Return whether the store takes no more calls."""
    try:
        store.view(getting(b"key"))
    except StoreUnavailable:
        return True
    return False


def assert_told_of_close(store: Store, callers: int, call: Callable[[], object]) -> None:
    """Close the store while so many callers call; check that each is told at last."""
    all_have_begun = threading.Barrier(callers + 1)

    def call_until_closed() -> None:
        for turn in itertools.count():
            call()
            if turn == 0:
                all_have_begun.wait(SECONDS)

    with ThreadPoolExecutor(callers) as pool:
        calling = [pool.submit(call_until_closed) for _ in range(callers)]
        all_have_begun.wait(SECONDS)
        store.close()
    assert {type(caller.exception()) for caller in calling} == {StoreUnavailable}


def test_an_update_during_close_is_kept_or_told(any_store: Store) -> None:
    answered: list[int] = []
    assert_told_of_close(any_store, 16, lambda: answered.append(any_store.update(increment)))
    assert sorted(answered) == list(range(1, len(answered) + 1))


def test_a_view_during_close_is_answered_or_told(any_store: Store) -> None:
    any_store.update(putting(*(b"%03d" % row for row in range(500))))

    def view() -> None:
        assert len(any_store.view(all_rows)) == 500

    assert_told_of_close(any_store, 8, view)
