"""The layouts of keys and records."""

import hashlib
import struct
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monotron.core import api_keys, probe, records, tables
from monotron.core.records import (
    ApiKey,
    Attribute,
    Bump,
    Calendar,
    Dated,
    Entry,
    Retry,
    Series,
)
from monotron.limits import ATTRIBUTE_BYTES, IDEMPOTENCY_KEY_CHARACTERS, RANGE_VALUES
from monotron.store import paging
from monotron.store.contract import MAX_KEY_BYTES, Store, StoreCorrupt
from tests.support.web import LAST_VALUE

NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=64)
"""Up to 256 bytes: a character has at most 4."""

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
ACCOUNTS = st.integers(1, LAST_VALUE)
TIMES = st.integers(0, LAST_VALUE)
VALUES = st.integers(1, LAST_VALUE)
PARTS = st.integers(1, 3)
PRE_RELEASES = st.sampled_from(["", "rc", "beta.eu"])
API_KEYS = st.text("aZ09", min_size=api_keys.KEY_CHARACTERS, max_size=api_keys.KEY_CHARACTERS)

SERIES = st.builds(
    Series,
    account=ACCOUNTS,
    key=NAMES,
    value=VALUES,
    token=st.none() | NAMES,
    created_at=TIMES,
    updated_at=TIMES,
    given=st.integers(0, LAST_VALUE),
    history=st.integers(0, LAST_VALUE),
    limit=st.integers(0, LAST_VALUE),
    indexed=st.integers(0, LAST_VALUE),
    listed_at=TIMES,
    buckets=st.integers(0, 2**16 - 1),
)
ENTRIES = st.builds(
    Entry,
    value=VALUES,
    count=st.integers(1, RANGE_VALUES),
    token=st.none() | NAMES,
    api_key=st.none() | st.just("root") | API_KEYS,
    created_at=TIMES,
)
VERSIONS = st.integers(0, LAST_VALUE)
SCOPES = st.lists(st.sampled_from(["read:series", "read,write:acl", "*:system"]), max_size=16)

ONE = Series(
    1,
    "svc",
    123,
    "7d4c",
    created_at=7,
    updated_at=8,
    given=100,
    history=90,
    limit=500,
    indexed=11,
    buckets=32,
    listed_at=6,
    newest_row=b"\1newest",
)
FORMAT_3 = b"\x03" + struct.pack(">qqqqqqqHq", 123, 7, 8, 100, 90, 500, 11, 32, 6) + b"7d4c"
NAME_ROW = b"\0\0\0\0\0\0\0\x01svc\0"
"""The start of every row key of account 1's series `svc`."""

DIGEST_OF_7D4C = bytes.fromhex("949a31470a15c74d5228a0612784c2e1")
"""As `printf 7d4c | b2sum -l 128` prints it."""

API_KEY = ApiKey(1, 2, "k" * 24, b"d" * 32, ("read:series", "*:acl"), created_at=3, expires_at=9)


def a_history(*entries: Entry, number: int = 1) -> bytes:
    """Return the value of a row of history."""
    return records.pack_history(number) + b"".join(map(records.pack_entry, entries))


# What is stored comes back


@given(SERIES)
def test_a_series_comes_back_as_it_was_stored(series: Series) -> None:
    row = records.series_row_key(series.account, series.key)
    assert records.unpack_series(row, records.pack_series(series)) == series


@given(st.lists(ENTRIES, max_size=9), st.integers(1, 2**62))
def test_history_comes_back_as_it_was_stored(entries: list[Entry], number: int) -> None:
    value = a_history(*entries, number=number)
    assert records.unpack_history_number(value) == number
    assert records.count_history(value) == sum(entry.count for entry in entries)
    unpacked = records.unpack_history(value)
    assert records.unpack_history_times(value) == [
        (number, entry.count, entry.created_at) for number, entry in unpacked
    ]
    assert [entry for _, entry in unpacked] == entries
    for last, entry in unpacked:
        number += entry.count
        assert last == number - 1


@given(st.builds(Attribute, token=NAMES, name=NAMES, value=TEXTS))
@example(Attribute("t", "n", ""))
@example(Attribute("t", "n", "\0 line\r\n\n"))
@example(Attribute("😀" * 64, "é" * 128, "語" * (ATTRIBUTE_BYTES // 3)))
def test_an_attribute_comes_back_as_it_was_stored(attribute: Attribute) -> None:
    assert records.unpack_attribute(records.pack_attribute(attribute)) == attribute


@given(
    st.builds(
        Bump,
        part=PARTS,
        token=NAMES,
        major=VERSIONS,
        minor=VERSIONS,
        patch=VERSIONS,
        raised=st.integers(0, 2),
        pre=PRE_RELEASES,
        number=VERSIONS,
    ).filter(lambda bump: bool(bump.pre) or not bump.number or bool(bump.raised))
)
def test_a_bump_comes_back_as_it_was_stored(bump: Bump) -> None:
    assert records.unpack_bump(records.pack_bump(bump)) == bump


@given(ACCOUNTS, TIMES)
def test_an_account_comes_back_as_it_was_stored(account: int, created_at: int) -> None:
    assert records.unpack_account_row_key(records.account_row_key(account)) == account
    assert records.unpack_account(records.pack_account(created_at)) == created_at


@given(
    st.builds(
        ApiKey,
        account=ACCOUNTS,
        id=VALUES,
        key=API_KEYS,
        digest=st.binary(min_size=32, max_size=32),
        scopes=SCOPES.map(tuple),
        created_at=TIMES,
        expires_at=TIMES,
    )
)
def test_an_api_key_comes_back_as_it_was_stored(api_key: ApiKey) -> None:
    row = records.api_key_row_key(api_key.key)
    assert records.unpack_api_key(row, records.pack_api_key(api_key)) == api_key


@given(NAMES)
def test_a_name_of_an_api_key_comes_back_as_it_was_stored(name: str) -> None:
    assert records.unpack_api_key_name(records.pack_api_key_name(name)) == name


@given(VALUES)
def test_a_limit_comes_back_as_it_was_stored(limit: int) -> None:
    assert records.unpack_limit(records.pack_limit(limit)) == limit


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]) | NAMES, VALUES)))
def test_the_tokens_of_a_bucket_come_back_as_they_were_stored(held: list[tuple[str, int]]) -> None:
    marked = [(records.token_mark(token), value) for token, value in held]
    row = records.EMPTY_BUCKET + b"".join(records.pack_marked(*each) for each in marked)
    assert records.unpack_bucket(row) == marked
    for mark, _ in marked:
        expected = [value for each, value in reversed(marked) if each == mark]
        assert records.unpack_marked(row, mark) == expected


@given(st.lists(VALUES, unique=True), VALUES)
def test_what_is_too_old_is_cut_off_a_bucket(values: list[int], least: int) -> None:
    values = sorted(values)
    mark = records.token_mark("a")
    row = records.EMPTY_BUCKET + b"".join(records.pack_marked(mark, each) for each in values)
    cut = records.unpack_bucket(records.without_marked_before(row, least))
    assert [value for _, value in cut] == [each for each in values if each >= least]
    assert records.with_marked_first(row[:1], row[1:]) == row


def test_a_mark_is_not_found_across_two_others() -> None:
    zeros, other = bytes(6), b"\0" * 5 + b"\1"
    row = records.EMPTY_BUCKET + records.pack_marked(other, 0) + records.pack_marked(other, 1)
    assert records.unpack_marked(row, zeros) == []
    assert records.unpack_marked(row, other) == [1, 0]


@given(ACCOUNTS, TIMES, NAMES)
def test_a_change_comes_back_as_it_was_stored(account: int, listed_at: int, key: str) -> None:
    row = records.change_row_key(account, listed_at, key)
    assert records.unpack_change_row_key(row) == (account, listed_at, key)


@given(st.integers(0, LAST_VALUE))
def test_a_counter_comes_back_as_it_was_stored(number: int) -> None:
    assert records.unpack_counter(records.pack_counter(number)) == number


@given(st.builds(Retry, request=st.binary(min_size=16, max_size=16), value=VALUES))
def test_a_retry_comes_back_as_it_was_stored(retry: Retry) -> None:
    assert records.unpack_retry(records.pack_retry(retry)) == retry


@given(ACCOUNTS, NAMES, NAMES, VALUES, PARTS)
def test_rows_know_what_they_belong_to(
    account: int, key: str, other: str, number: int, part: int
) -> None:
    for row in (
        records.series_row_key(account, key),
        records.history_row_key(account, key, number),
        records.attribute_row_key(account, key, other, other),
        records.token_row_key(account, key, records.token_mark(other), 32),
        records.tail_row_key(account, key),
        records.bump_row_key(account, key, part, other),
    ):
        assert records.unpack_owner(row) == (account, key)
    assert records.unpack_grant_row_key(records.grant_row_key(account, number)) == (account, number)
    retry = records.retry_row_key(account, other)
    assert records.retry_row_key_of_digest(*records.unpack_retry_row_key(retry)) == retry
    assert records.unpack_retry_time_row_key(records.retry_time_row_key(number, retry)) == number
    assert records.retry_row_key_of_time(records.retry_time_row_key(number, retry)) == retry


# What an older version has stored stays readable


def test_a_stored_series_stays_readable() -> None:
    numbers = struct.pack(">qqqqqqqHqH", 123, 7, 8, 100, 90, 500, 11, 32, 6, 4)
    value = b"\x04" + numbers + b"7d4c" + b"\1newest"
    assert records.series_row_key(1, "svc") == NAME_ROW
    assert records.pack_series(ONE) == value
    assert records.unpack_series(NAME_ROW, value) == ONE
    assert records.unpack_series_token(value) == "7d4c"


def test_a_series_stored_before_its_newest_row_of_history_was_stays_readable() -> None:
    expected = replace(ONE, newest_row=b"")
    assert records.unpack_series(NAME_ROW, FORMAT_3) == expected
    assert records.unpack_series_token(FORMAT_3) == "7d4c"


def test_a_series_stored_before_there_were_limits_stays_readable() -> None:
    value = b"\x02" + struct.pack(">qqqqq", 123, 7, 8, 100, 90) + b"7d4c"
    expected = replace(ONE, limit=0, indexed=0, buckets=0, listed_at=0, newest_row=b"")
    assert records.unpack_series(NAME_ROW, value) == expected


@pytest.mark.parametrize("token", [None, "7d4c"])
def test_a_series_stored_before_there_was_history_stays_readable(token: str | None) -> None:
    value = b"\x01" + struct.pack(">qqq", 123, 7, 8) + (token or "").encode()
    expected = replace(
        ONE,
        token=token,
        given=123,
        history=0,
        limit=0,
        indexed=0,
        buckets=0,
        listed_at=0,
        newest_row=b"",
    )
    assert records.unpack_series(NAME_ROW, value) == expected


def test_stored_history_stays_readable() -> None:
    value = b"\x01" + struct.pack(">q", 41)
    value += struct.pack(">qIqHH", 123, 1, 7, 4, 24) + b"7d4c" + b"k" * 24
    value += struct.pack(">qIqHH", 130, 3, 8, 0, 0)
    entries = [Entry(123, 1, "7d4c", "k" * 24, 7), Entry(130, 3, None, None, 8)]
    assert records.history_row_key(1, "svc", 123) == NAME_ROW + b"\0\0\0\0\0\0\0\x7b"
    assert a_history(*entries, number=41) == value
    assert records.unpack_history(value) == [(41, entries[0]), (44, entries[1])]
    assert records.unpack_history_number(value) == 41


def test_a_stored_attribute_stays_readable() -> None:
    row = NAME_ROW + DIGEST_OF_7D4C + bytes.fromhex("e197cae0a257c8b6b9c0679a46a4e3a9")
    value = b"\x01\0\x04\0\x03" + b"7d4c" + b"url" + b"https://ci\n"
    attribute = Attribute("7d4c", "url", "https://ci\n")
    assert records.attribute_row_key(1, "svc", "7d4c", "url") == row
    assert records.pack_attribute(attribute) == value
    assert records.unpack_attribute(value) == attribute


def test_a_stored_bump_stays_readable() -> None:
    value = b"\x01\x02" + struct.pack(">qqq", 1, 3, 0) + b"7d4c"
    bump = Bump(2, "7d4c", 1, 3, 0)
    assert records.bump_row_key(1, "svc", 2, "7d4c") == NAME_ROW + b"\x02" + DIGEST_OF_7D4C
    assert records.pack_bump(bump) == value
    assert records.unpack_bump(value) == bump


def test_a_stored_pre_release_stays_readable() -> None:
    value = b"\x02\x02" + struct.pack(">qqqBqH", 1, 3, 0, 0, 7, 2) + b"rc7d4c"
    bump = Bump(2, "7d4c", 1, 3, 0, pre="rc", number=7)
    digest = hashlib.blake2b(b"rc\x007d4c", digest_size=16).digest()
    assert records.bump_row_key(1, "svc", 2, "7d4c", "rc") == NAME_ROW + b"\x12" + digest
    assert records.pack_bump(bump) == value
    assert records.unpack_bump(value) == bump


def test_a_stored_release_of_a_higher_part_stays_readable() -> None:
    value = b"\x02\x03" + struct.pack(">qqqBqH", 2, 0, 0, 1, 0, 0) + b"7d4c"
    bump = Bump(3, "7d4c", 2, 0, 0, raised=1)
    assert records.pack_bump(bump) == value
    assert records.unpack_bump(value) == bump


def test_a_stored_account_stays_readable() -> None:
    assert records.account_row_key(258) == b"\0\0\0\0\0\0\x01\x02"
    assert records.pack_account(7) == b"\x01" + struct.pack(">q", 7)
    assert records.unpack_account_row_key(b"\0\0\0\0\0\0\x01\x02") == 258


def test_a_stored_api_key_stays_readable() -> None:
    value = b"\x02" + struct.pack(">QQqq", 1, 2, 3, 9) + b"d" * 32 + b"read:series\n*:acl"
    assert records.api_key_row_key("k" * 24) == b"k" * 24
    assert records.grant_row_key(1, 2) == struct.pack(">QQ", 1, 2)
    assert records.pack_api_key(API_KEY) == value
    assert records.unpack_api_key(b"k" * 24, value) == API_KEY


def test_a_stored_calendar_version_stays_readable() -> None:
    calendar, dated = Calendar("YYYY.0M.MICRO", "2026.11"), Dated("7d4c", "2026.11", 3)
    value = b"\x01\x0dYYYY.0M.MICRO2026.11"
    assert records.pack_calendar(calendar) == value
    assert records.unpack_calendar(value) == calendar
    value = b"\x01" + struct.pack(">qB", 3, 7) + b"2026.117d4c"
    assert records.dated_row_key(1, "svc", "7d4c") == NAME_ROW + DIGEST_OF_7D4C
    assert records.pack_dated(dated) == value
    assert records.unpack_dated(value) == dated


def test_an_api_key_stored_before_one_could_expire_stays_readable() -> None:
    value = b"\x01" + struct.pack(">QQq", 1, 2, 3) + b"d" * 32 + b"read:series\n*:acl"
    assert records.unpack_api_key(b"k" * 24, value) == replace(API_KEY, expires_at=0)


def test_a_stored_name_of_an_api_key_stays_readable() -> None:
    assert records.pack_api_key_name("jenkins") == b"\x01jenkins"
    assert records.unpack_api_key_name(b"\x01jenkins") == "jenkins"


def test_a_stored_limit_stays_readable() -> None:
    assert records.pack_limit(258) == b"\x01\0\0\0\0\0\0\x01\x02"
    assert records.unpack_limit(b"\x01\0\0\0\0\0\0\x01\x02") == 258


def test_a_stored_bucket_of_tokens_stays_readable() -> None:
    mark = DIGEST_OF_7D4C[:6]
    row = b"\x01" + mark + struct.pack(">q", 123)
    assert records.token_mark("7d4c") == mark
    assert records.token_row_key(1, "svc", mark, 32) == NAME_ROW + bytes([0, 0x9A % 32])
    assert records.tail_row_key(1, "svc") == NAME_ROW + b"\xff\xff"
    assert records.EMPTY_BUCKET + records.pack_marked(mark, 123) == row
    assert records.unpack_bucket(row) == [(mark, 123)]


def test_a_stored_change_stays_readable() -> None:
    assert records.change_row_key(1, 8, "svc") == struct.pack(">QQ", 1, 8) + b"svc"


def test_a_stored_counter_stays_readable() -> None:
    assert records.pack_counter(258) == b"\x01\0\0\0\0\0\0\x01\x02"
    assert records.unpack_counter(b"\x01\0\0\0\0\0\0\x01\x02") == 258


def test_a_stored_retry_stays_readable() -> None:
    value = b"\x01" + struct.pack(">q", 5) + b"r" * 16
    row = struct.pack(">Q", 1) + bytes.fromhex("56f08d8da1cc823238aecbeb9ef99bdf")
    assert records.retry_row_key(1, "8e03978e") == row
    assert records.retry_time_row_key(7, row) == struct.pack(">Q", 7) + row
    assert records.retry_row_key_of_time(struct.pack(">Q", 7) + row) == row
    assert records.pack_retry(Retry(b"r" * 16, 5)) == value
    assert records.unpack_retry(value) == Retry(b"r" * 16, 5)


def test_the_digest_of_a_request_stays_the_same() -> None:
    assert records.request_digest("series", "svc", "") == bytes.fromhex(
        "924bc713b32fe19782c70eaf99060bc5"
    )


# Keys of rows


@given(ACCOUNTS, NAMES, NAMES, VALUES, st.text(max_size=IDEMPOTENCY_KEY_CHARACTERS))
@example(LAST_VALUE, "k" * 256, "t" * 256, LAST_VALUE, "i" * 256)
def test_every_row_has_a_key_that_the_store_takes(
    account: int, key: str, other: str, number: int, text: str
) -> None:
    retry = records.retry_row_key(account, text)
    rows = [
        records.series_row_key(account, key),
        records.history_row_key(account, key, number),
        records.change_row_key(account, number, key),
        records.token_row_key(account, key, records.token_mark(other), 4_096),
        records.attribute_row_key(account, key, other, other),
        records.bump_row_key(account, key, 3, other),
        records.account_row_key(account),
        records.grant_row_key(account, number),
        retry,
        records.retry_time_row_key(number, retry),
    ]
    assert max(map(len, rows)) <= MAX_KEY_BYTES


@given(st.lists(st.tuples(ACCOUNTS, NAMES), unique=True))
def test_rows_are_ordered_by_account_and_then_by_code_points(
    series: list[tuple[int, str]],
) -> None:
    rows = [records.series_row_key(account, key) for account, key in sorted(series)]
    assert rows == sorted(set(rows))


@given(ACCOUNTS, st.text("ab/é😀\U0010ffff", max_size=3), st.lists(NAMES))
def test_a_prefix_has_the_rows_of_the_keys_that_start_with_it(
    account: int, prefix: str, others: list[str]
) -> None:
    keys = [key for key in [*others, *(prefix + other for other in others), prefix] if key]
    start, stop = records.series_range(account, prefix)
    for key in keys:
        inside = start <= records.series_row_key(account, key) < stop
        assert inside == key.startswith(prefix)


@given(ACCOUNTS, ACCOUNTS, NAMES)
def test_accounts_do_not_mix(account: int, other: int, key: str) -> None:
    start, stop = records.series_range(account)
    inside = start <= records.series_row_key(other, key) < stop
    assert inside == (account == other)


@given(ACCOUNTS, NAMES, NAMES)
def test_after_a_row_come_the_greater_keys_and_not_itself(
    account: int, key: str, other: str
) -> None:
    after = paging.key_after(records.series_row_key(account, key))
    assert (records.series_row_key(account, other) >= after) == (other > key)


NEAR = st.text("ab", min_size=1, max_size=3)
"""Names that often equal each other, or start each other."""

FEW = st.integers(1, 2)


def is_inside(row: bytes, rows: paging.Range) -> bool:
    start, stop = rows
    return start <= row < stop


@given(FEW, FEW, NEAR, NEAR, VALUES, VALUES)
def test_the_history_of_a_series_has_its_rows_alone(
    account: int, other_account: int, key: str, other: str, value: int, before: int
) -> None:
    row = records.history_row_key(other_account, other, value)
    same = (account, key) == (other_account, other)
    assert is_inside(row, records.history_range(account, key)) == same
    assert is_inside(row, records.history_range(account, key, before)) == (same and value < before)


@given(st.sets(VALUES))
def test_history_is_ordered_by_value(values: set[int]) -> None:
    rows = [records.history_row_key(1, "svc", value) for value in sorted(values)]
    assert rows == sorted(rows)


@given(FEW, FEW, NEAR, NEAR, NEAR, NEAR, NAMES)
def test_the_attributes_of_a_series_or_a_token_have_their_rows_alone(
    account: int, other_account: int, key: str, other: str, token: str, other_token: str, name: str
) -> None:
    row = records.attribute_row_key(other_account, other, other_token, name)
    same = (account, key) == (other_account, other)
    assert is_inside(row, records.attribute_range(account, key)) == same
    assert is_inside(row, records.attribute_range(account, key, token)) == (
        same and token == other_token
    )


@given(FEW, FEW, NEAR, NEAR, NAMES)
def test_the_tokens_of_a_series_have_its_rows_alone(
    account: int, other_account: int, key: str, other: str, token: str
) -> None:
    row = records.token_row_key(other_account, other, records.token_mark(token), 65_536)
    same = (account, key) == (other_account, other)
    assert is_inside(row, records.token_range(account, key)) == same


@given(FEW, FEW, TIMES, st.integers(-LAST_VALUE, LAST_VALUE), TIMES, NAMES)
def test_changes_are_found_by_their_time(
    account: int, other: int, listed_at: int, since: int, until: int, key: str
) -> None:
    row = records.change_row_key(other, listed_at, key)
    expected = account == other and since <= listed_at <= until
    assert is_inside(row, records.change_range(account, since=since, until=until)) == expected


@given(FEW, FEW, NEAR, NEAR, PARTS, NAMES, PRE_RELEASES)
def test_the_bumps_of_a_name_have_its_rows_alone(
    account: int, other_account: int, name: str, other: str, part: int, token: str, pre: str
) -> None:
    row = records.bump_row_key(other_account, other, part, token, pre)
    same = (account, name) == (other_account, other)
    assert is_inside(row, records.bump_range(account, name)) == same
    follows = account == other_account and name.encode() < other.encode()
    assert is_inside(row, records.bumped_range(account, "", name)) == follows


@given(FEW, FEW, NEAR, NEAR, NAMES)
def test_the_calendar_versions_of_a_name_have_their_rows_alone(
    account: int, other_account: int, name: str, other: str, token: str
) -> None:
    row = records.dated_row_key(other_account, other, token)
    same = (account, name) == (other_account, other)
    assert is_inside(row, records.dated_range(account, name)) == same


@given(ACCOUNTS, ACCOUNTS, VALUES)
def test_the_grants_of_an_account_have_its_rows_alone(
    account: int, other: int, number: int
) -> None:
    row = records.grant_row_key(other, number)
    assert is_inside(row, records.grant_range(account)) == (account == other)


@given(TIMES, st.integers(-LAST_VALUE, LAST_VALUE), ACCOUNTS, NAMES)
def test_retries_are_found_by_their_time(
    created_at: int, before: int, account: int, text: str
) -> None:
    row = records.retry_time_row_key(created_at, records.retry_row_key(account, text))
    assert is_inside(row, records.retry_time_range(before)) == (created_at < before)


@given(ACCOUNTS, NAMES, NAMES, PARTS, NAMES)
def test_two_names_have_two_rows(account: int, key: str, token: str, part: int, other: str) -> None:
    rows = {
        records.attribute_row_key(account, key, token, token),
        records.attribute_row_key(account, key, token, other),
        records.attribute_row_key(account, key, other, token),
        records.attribute_row_key(account, key, other, other),
    }
    assert len(rows) == (1 if token == other else 4)
    bumps = {records.bump_row_key(account, key, part, each) for each in (token, other)}
    retries = {records.retry_row_key(account, each) for each in (token, other)}
    assert len(bumps) == len(retries) == len({token, other})


@given(st.lists(st.text("a:1", max_size=3), max_size=3), st.lists(st.text("a:1", max_size=3)))
@example(["a", ""], ["a"])
@example(["a", "aa"], ["aa", "a"])
def test_two_requests_have_two_digests(parts: list[str], others: list[str]) -> None:
    same = records.request_digest(*parts) == records.request_digest(*others)
    assert same == (parts == others)


# Damage

ROW = records.series_row_key(1, "svc")
A_HISTORY = a_history(Entry(9, 1, "7d4c", "k" * 24, 7), Entry(12, 3, None, None, 8))

READERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "unpack_series": (lambda value: records.unpack_series(ROW, value), records.pack_series(ONE)),
    "unpack_series, format 1": (
        lambda value: records.unpack_series(ROW, value),
        b"\x01" + struct.pack(">qqq", 123, 7, 8) + b"7d4c",
    ),
    "unpack_series, format 2": (
        lambda value: records.unpack_series(ROW, value),
        b"\x02" + struct.pack(">qqqqq", 123, 7, 8, 100, 90) + b"7d4c",
    ),
    "unpack_series, format 3": (lambda value: records.unpack_series(ROW, value), FORMAT_3),
    "unpack_series, row": (
        lambda row: records.unpack_series(row, records.pack_series(ONE)),
        ROW,
    ),
    "unpack_series_order": (records.unpack_series_order, records.pack_series(ONE)),
    "unpack_series_token": (records.unpack_series_token, records.pack_series(ONE)),
    "unpack_owner": (records.unpack_owner, records.history_row_key(1, "svc", 7)),
    "unpack_history": (records.unpack_history, A_HISTORY),
    "unpack_history_number": (records.unpack_history_number, A_HISTORY),
    "unpack_history_times": (records.unpack_history_times, A_HISTORY),
    "count_history": (records.count_history, A_HISTORY),
    "unpack_history_first": (
        records.unpack_history_first,
        records.history_row_key(1, "svc", 7),
    ),
    "unpack_limit": (records.unpack_limit, records.pack_limit(7)),
    "unpack_bucket": (
        records.unpack_bucket,
        records.EMPTY_BUCKET + records.pack_marked(records.token_mark("7d4c"), 7),
    ),
    "unpack_marked": (
        lambda row: records.unpack_marked(row, records.token_mark("7d4c")),
        records.EMPTY_BUCKET + records.pack_marked(records.token_mark("7d4c"), 7),
    ),
    "unpack_change_row_key": (
        records.unpack_change_row_key,
        records.change_row_key(1, 7, "svc"),
    ),
    "unpack_attribute": (
        records.unpack_attribute,
        records.pack_attribute(Attribute("7d4c", "url", "https://ci")),
    ),
    "unpack_bump": (records.unpack_bump, records.pack_bump(Bump(2, "7d4c", 1, 3, 0))),
    "unpack_bump, pre-release": (
        records.unpack_bump,
        records.pack_bump(Bump(2, "7d4c", 1, 3, 0, pre="rc", number=1)),
    ),
    "unpack_calendar": (
        records.unpack_calendar,
        records.pack_calendar(Calendar("YYYY.MICRO", "7d4c")),
    ),
    "unpack_dated": (records.unpack_dated, records.pack_dated(Dated("7d4c", "2026", 7))),
    "unpack_account_row_key": (records.unpack_account_row_key, records.account_row_key(7)),
    "unpack_account": (records.unpack_account, records.pack_account(7)),
    "unpack_api_key": (
        lambda value: records.unpack_api_key(b"k" * 24, value),
        records.pack_api_key(API_KEY),
    ),
    "unpack_api_key, format 1": (
        lambda value: records.unpack_api_key(b"k" * 24, value),
        b"\x01" + struct.pack(">QQq", 1, 2, 3) + b"d" * 32 + b"read:series",
    ),
    "unpack_api_key_name": (records.unpack_api_key_name, records.pack_api_key_name("jenkins")),
    "unpack_api_key, row": (
        lambda row: records.unpack_api_key(row, records.pack_api_key(API_KEY)),
        records.api_key_row_key(API_KEY.key),
    ),
    "unpack_grant_row_key": (records.unpack_grant_row_key, records.grant_row_key(1, 2)),
    "unpack_activity_row_key": (
        records.unpack_activity_row_key,
        records.activity_row_key(1, 490_000),
    ),
    "unpack_probe": (records.unpack_probe, records.pack_probe(7)),
    "unpack_counter": (records.unpack_counter, records.pack_counter(7)),
    "unpack_retry": (records.unpack_retry, records.pack_retry(Retry(b"r" * 16, 7))),
    "unpack_retry_row_key": (records.unpack_retry_row_key, records.retry_row_key(1, "key")),
    "unpack_retry_time_row_key": (
        records.unpack_retry_time_row_key,
        records.retry_time_row_key(7, b"row"),
    ),
}
"""Every function that reads bytes, with bytes that it can read."""

READ_VALUES = [
    "unpack_series",
    "unpack_series_order",
    "unpack_series_token",
    "unpack_history",
    "unpack_history_number",
    "unpack_history_times",
    "count_history",
    "unpack_limit",
    "unpack_bucket",
    "unpack_attribute",
    "unpack_bump",
    "unpack_calendar",
    "unpack_dated",
    "unpack_account",
    "unpack_api_key",
    "unpack_api_key_name",
    "unpack_counter",
    "unpack_probe",
    "unpack_retry",
]
"""The functions that read a value, which begins with its format."""


def test_every_reader_is_looked_at() -> None:
    readers = {name for name in vars(records) if name.startswith(("unpack_", "count_"))}
    assert {name.partition(",")[0] for name in READERS} == readers


def is_read_or_corrupt(unpack: Callable[[bytes], object], value: bytes) -> bool:
    """Return whether it was read; anything that it raises except `StoreCorrupt` fails the test."""
    try:
        unpack(value)
    except StoreCorrupt:
        return False
    return True


@pytest.mark.parametrize("what", READERS)
@given(value=st.binary(max_size=80))
@example(value=b"")
def test_any_bytes_are_read_or_corrupt(what: str, value: bytes) -> None:
    unpack, whole = READERS[what]
    assert is_read_or_corrupt(unpack, whole)
    is_read_or_corrupt(unpack, value)
    # So the bytes get past the format.
    is_read_or_corrupt(unpack, whole[:1] + value)


@pytest.mark.parametrize("what", READERS)
@given(data=st.data())
def test_damaged_bytes_are_read_or_corrupt(what: str, data: st.DataObject) -> None:
    unpack, whole = READERS[what]
    start = data.draw(st.integers(0, len(whole)))
    stop = data.draw(st.integers(start, len(whole)))
    is_read_or_corrupt(unpack, whole[:start] + data.draw(st.binary(max_size=4)) + whole[stop:])


@pytest.mark.parametrize("what", READ_VALUES)
@pytest.mark.parametrize("first", [0, 5, 127, 128, 255])
def test_an_unknown_format_is_corrupt(what: str, first: int) -> None:
    unpack, whole = READERS[what]
    with pytest.raises(StoreCorrupt, match=f"format {first}"):
        unpack(bytes([first]) + whole[1:])


@pytest.mark.parametrize("what", sorted({*READ_VALUES} - {"unpack_bump"}))
def test_the_format_of_a_later_version_is_corrupt(what: str) -> None:
    unpack, whole = READERS[what]
    later = whole[0] + 1
    with pytest.raises(StoreCorrupt, match=f"format {later}"):
        unpack(bytes([later]) + whole[1:])


@pytest.mark.parametrize(
    ("what", "least"),
    [
        # Behind that comes a text, which may have any length.
        ("unpack_series", 73),
        ("unpack_series, format 1", 25),
        ("unpack_series, format 2", 41),
        ("unpack_series, format 3", 67),
        ("unpack_series, row", 8),
        ("unpack_series_order", 25),
        ("unpack_series_token", 73),
        ("unpack_owner", 8),
        ("unpack_history_number", 9),
        ("unpack_history_first", 8),
        ("unpack_limit", 9),
        ("unpack_bucket", 1),
        ("unpack_change_row_key", 16),
        ("unpack_attribute", 5 + 4 + 3),
        ("unpack_bump", 26),
        ("unpack_bump, pre-release", 26 + 11 + 2),
        ("unpack_calendar", 2 + 10),
        ("unpack_dated", 10 + 4),
        ("unpack_account_row_key", 8),
        ("unpack_account", 9),
        ("unpack_api_key", 65),
        ("unpack_api_key, format 1", 57),
        ("unpack_grant_row_key", 16),
        ("unpack_activity_row_key", 16),
        ("unpack_counter", 9),
        ("unpack_probe", 9),
        ("unpack_retry", 25),
        ("unpack_retry_row_key", 8),
        ("unpack_retry_time_row_key", 8),
    ],
)
def test_what_is_cut_short_is_corrupt(what: str, least: int) -> None:
    unpack, whole = READERS[what]
    for length in range(least):
        with pytest.raises(StoreCorrupt, match="damaged"):
            unpack(whole[:length])
    assert is_read_or_corrupt(unpack, whole[:least])


def test_history_that_is_cut_within_an_entry_is_corrupt() -> None:
    ends = {9, 9 + 24 + 28, len(A_HISTORY)}
    readable = {
        length
        for length in range(len(A_HISTORY) + 1)
        if is_read_or_corrupt(records.unpack_history, A_HISTORY[:length])
    }
    assert readable == ends


@pytest.mark.parametrize(
    "what",
    [
        *("unpack_account_row_key", "unpack_account", "unpack_activity_row_key"),
        *("unpack_counter", "unpack_probe", "unpack_retry"),
    ],
)
def test_what_has_one_length_is_corrupt_when_it_is_longer(what: str) -> None:
    unpack, whole = READERS[what]
    with pytest.raises(StoreCorrupt, match="damaged"):
        unpack(whole + b"\0")


@pytest.mark.parametrize(
    "what",
    [
        "unpack_series",
        "unpack_series, format 1",
        "unpack_series_token",
        "unpack_history",
        "unpack_attribute",
        "unpack_bump",
        "unpack_bump, pre-release",
        "unpack_calendar",
        "unpack_dated",
        "unpack_api_key",
    ],
)
def test_a_text_that_is_not_utf8_is_corrupt(what: str) -> None:
    unpack, whole = READERS[what]
    broken = whole.replace(b"7d4c", b"7d\xffc") if b"7d4c" in whole else whole[:-1] + b"\xff"
    with pytest.raises(StoreCorrupt, match="damaged"):
        unpack(broken)


def test_a_damaged_row_of_the_probe_is_corrupt(any_store: Store) -> None:
    any_store.update(lambda txn: txn.put(tables.SYSTEM, b"probe", b"\x01"))
    with pytest.raises(StoreCorrupt):
        any_store.view(probe.read)
