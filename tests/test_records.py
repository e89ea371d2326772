"""The layouts of keys and records."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monotron.core import records
from monotron.core.records import Series
from monotron.store.contract import MAX_KEY_BYTES, StoreCorrupt
from tests.web import LAST_VALUE

NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=64)
"""Up to 256 bytes: a character has at most 4."""

ACCOUNTS = st.integers(1, 2**64 - 1)
TIMES = st.integers(0, LAST_VALUE)
SERIES = st.builds(
    Series,
    account=ACCOUNTS,
    key=NAMES,
    value=st.integers(1, LAST_VALUE),
    token=st.none() | NAMES,
    created_at=TIMES,
    updated_at=TIMES,
)

ONE = Series(account=1, key="svc", value=123, token="7d4c", created_at=7, updated_at=8)


@given(SERIES)
def test_a_series_comes_back_as_it_was_stored(series: Series) -> None:
    row = records.series_row(series.account, series.key)
    assert records.unpack_series(row, records.pack_series(series)) == series


def test_a_stored_series_stays_readable() -> None:
    row = b"\0\0\0\0\0\0\0\x01svc\0"
    value = b"\x01" + struct.pack(">qqq", 123, 7, 8) + b"7d4c"
    assert records.series_row(1, "svc") == row
    assert records.pack_series(ONE) == value
    assert records.unpack_series(row, value) == ONE


@given(ACCOUNTS, NAMES)
def test_every_name_fits_into_a_key(account: int, key: str) -> None:
    assert len(records.series_row(account, key)) <= MAX_KEY_BYTES


@given(st.lists(st.tuples(ACCOUNTS, NAMES), unique=True))
def test_rows_are_ordered_by_account_and_then_by_code_points(
    series: list[tuple[int, str]],
) -> None:
    rows = [records.series_row(account, key) for account, key in sorted(series)]
    assert rows == sorted(set(rows))


@given(ACCOUNTS, st.text("ab/é😀\U0010ffff", max_size=3), st.lists(NAMES))
def test_a_prefix_has_the_rows_of_the_keys_that_start_with_it(
    account: int, prefix: str, others: list[str]
) -> None:
    keys = [key for key in [*others, *(prefix + other for other in others), prefix] if key]
    start, stop = records.series_rows(account, prefix)
    for key in keys:
        inside = start <= records.series_row(account, key) < stop
        assert inside == key.startswith(prefix)


@given(ACCOUNTS, ACCOUNTS, NAMES)
def test_accounts_do_not_mix(account: int, other: int, key: str) -> None:
    start, stop = records.series_rows(account)
    inside = start <= records.series_row(other, key) < stop
    assert inside == (account == other)


@given(ACCOUNTS, NAMES, NAMES)
def test_after_a_row_come_the_greater_keys_and_not_itself(
    account: int, key: str, other: str
) -> None:
    after = records.after_row(records.series_row(account, key))
    assert (records.series_row(account, other) >= after) == (other > key)


@pytest.mark.parametrize("first", [0, 2, 127, 128, 255])
def test_an_unknown_format_is_corrupt(first: int) -> None:
    row, value = records.series_row(1, "svc"), records.pack_series(ONE)
    with pytest.raises(StoreCorrupt, match=f"format {first}"):
        records.unpack_series(row, bytes([first]) + value[1:])


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(records.pack_series(ONE)[:1], id="the format alone"),
        pytest.param(records.pack_series(ONE)[:24], id="cut short"),
        pytest.param(records.pack_series(ONE)[:25] + b"\xff", id="a token that is not UTF-8"),
    ],
)
def test_a_damaged_value_is_corrupt(value: bytes) -> None:
    with pytest.raises(StoreCorrupt):
        records.unpack_series(records.series_row(1, "svc"), value)
