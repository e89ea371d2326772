"""`monotron check` finds damage, and reports nothing in an intact store."""

import io
import random
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timezone
from pathlib import Path
from typing import Any

import pytest

from monotron.core import (
    accounts,
    activity,
    api_keys,
    attributes,
    calver,
    check,
    records,
    retries,
    semver,
    series,
    tables,
)
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.core.api_keys import Pair
from monotron.core.bumps import MAJOR, MINOR, PATCH
from monotron.core.changes import NEARNESS
from monotron.core.records import Attribute, Bump, Calendar, Dated, Entry, Retry
from monotron.limits import API_KEYS, LAST_VALUE
from monotron.store.contract import Store, Table, Transaction
from monotron.store.data_file import reading_file, verify_file
from monotron.store.lmdb import LmdbStore
from tests.support.calls import call_in
from tests.support.service import Load, Serve, run

NOW = 10**15
YEAR = "2001"
PAGE = 4096
PAIR = Pair("k" * 24, "s" * 128)
KEEP = 1_000


def fill(txn: Transaction) -> None:
    """Store some of everything."""
    for number in range(100):
        series.advance(txn, call_in(1, now=NOW), "shop", token=f"{number:040}")
    series.recall(txn, call_in(1, now=NOW), "shop", "0")
    series.set_limit(txn, 1, "shop", LAST_VALUE)
    series.set_limit(txn, 1, "not yet", 5)
    series.advance(txn, call_in(1, now=NOW), "ranges", count=100)
    series.seed(txn, call_in(1, now=NOW), "ranges", 500)
    series.advance(txn, call_in(1, now=NOW), "ranges", count=7)
    series.seed(txn, call_in(1, now=NOW), "last", LAST_VALUE)
    accounts.make(txn, 7, now=NOW)
    series.advance(txn, call_in(7, now=NOW), "é" * 128)
    api_keys.create(txn, call_in(7, now=NOW), PAIR, ("read,write:series",))
    api_keys.create(txn, call_in(1, now=NOW), Pair("K" * 24, "s" * 128), (), name="jenkins")
    attributes.put(txn, 1, "shop", "token", {"author": "me", "log": "x" * 65_536})
    attributes.put(txn, 1, "never advanced", "token", {str(n): "" for n in range(64)})
    for part in (MAJOR, MINOR, PATCH):
        semver.bump(txn, call_in(1, now=NOW), "lib", part, f"token {part}")
    semver.bump(txn, call_in(1, now=NOW), "lib", MINOR, "token 4", pre="rc")
    for token in ("token 1", "token 2"):
        dated = call_in(1, now=NOW)
        calver.take(txn, dated, "lib", token, scheme="YYYY.MICRO", zone=timezone.utc)
    for key in ("one", "two"):
        retries.once(txn, call_in(1, now=NOW), key, bytes(16), lambda: 5)
    activity.note(txn, call_in(1, now=NOW), 3)


def look(store: Store) -> check.Report:
    return store.view(check.walk)


@pytest.fixture
def filled(any_store: Store) -> Store:
    """A store of each engine in turn, with some of everything in it and no fault."""
    any_store.update(fill)
    assert look(any_store).problems == []
    return any_store


def test_a_whole_store_has_no_problem_and_every_row_is_looked_at(filled: Store) -> None:
    report = look(filled)
    counted = filled.view(
        lambda reading: {
            table: len(reading.scan(table, b"", b"\xff" * 512, limit=10_000))
            for table in tables.ALL
        }
    )
    assert report.rows == counted
    assert min(counted.values()) > 0
    assert (report.problems, report.remarks, report.newest_change) == ([], [], NOW)


def test_an_empty_store_has_no_problem(any_store: Store) -> None:
    report = look(any_store)
    assert (report.problems, report.remarks, report.newest_change) == ([], [], 0)


@pytest.mark.parametrize("values", [1, 5, 40, 79, 80, 120, 400])
def test_a_history_that_was_turned_off_and_on_is_no_problem(any_store: Store, values: int) -> None:
    def take(times: int, keep: int) -> None:
        def advance(txn: Transaction) -> None:
            for _ in range(times):
                state = series.get(txn, 1, "shop")
                token = f"{state.value if state else 0:060}"
                series.advance(txn, call_in(1, now=NOW, keep=keep), "shop", token=token)

        any_store.update(advance)
        assert look(any_store).problems == []

    for times, keep in ((values, KEEP), (1, 0), (3, KEEP), (1, 0), (1, 0), (values, 7), (30, 0)):
        take(times, keep)
    any_store.update(lambda txn: series.seed(txn, call_in(1, now=NOW), "shop", 10_000))
    take(1, KEEP)


# Damage to rows

SHOP = records.series_row_key(1, "shop")
Damage = Callable[[Transaction], object]


def put_series(key: str, **changes: object) -> Damage:
    def put(txn: Transaction) -> None:
        state = series.get(txn, 1, key)
        assert state is not None
        changed = replace(state, **changes)  # type: ignore[arg-type]
        txn.put(tables.SERIES, records.series_row_key(1, key), records.pack_series(changed))

    return put


def put(table: Table, row: bytes, value: bytes) -> Damage:
    return lambda txn: txn.put(table, row, value)


def put_attribute(key: str, name: str, attribute: Attribute) -> Damage:
    row = records.attribute_row_key(1, key, "token", name)
    return put(tables.ATTRIBUTES, row, records.pack_attribute(attribute))


def put_bump(token: str, bump: Bump) -> Damage:
    return put(tables.BUMPS, records.bump_row_key(1, LIB, PATCH, token), records.pack_bump(bump))


def put_dated(token: str, dated: Dated) -> Damage:
    return put(tables.DATED, records.dated_row_key(1, "lib", token), records.pack_dated(dated))


def put_calendar(name: str, calendar: Calendar) -> Damage:
    row = records.series_row_key(1, name)
    return put(tables.CALENDARS, row, records.pack_calendar(calendar))


def delete(table: Table, row: bytes) -> Damage:
    def remove(txn: Transaction) -> None:
        assert txn.delete(table, row)

    return remove


def cut(table: Table, row: bytes, size: int) -> Damage:
    def shorten(txn: Transaction) -> None:
        value = txn.get(table, row)
        assert value is not None
        txn.put(table, row, value[:size])

    return shorten


def put_history(first: int, number: int, *entries: Entry) -> Damage:
    value = records.pack_history(number) + b"".join(map(records.pack_entry, entries))
    return put(tables.HISTORY, records.history_row_key(1, "shop", first), value)


def too_many_grants(txn: Transaction) -> None:
    for number in range(API_KEYS):
        txn.put(tables.GRANTS, records.grant_row_key(7, 10 + number), PAIR.key.encode())


def entry(value: int, count: int = 1) -> Entry:
    return Entry(value, count, None, None, NOW)


SEVEN = f"{7:040}"
ELSEWHERE = bytes(a ^ b for a, b in zip(records.token_mark(SEVEN), b"\0\1\0\0\0\0", strict=True))
"""The mark of a token whose bucket is another."""


def put_bucket(
    txn: Transaction, token: str, *more: tuple[bytes, int], without: int | None = None
) -> None:
    """Change the bucket of a token of `shop`."""
    state = series.get(txn, 1, "shop")
    assert state is not None
    row_key = records.token_row_key(1, "shop", records.token_mark(token), state.buckets)
    held = records.unpack_bucket(txn.get(tables.TOKENS, row_key) or b"")
    kept = [each for each in held if each[1] != without]
    marked = sorted({*kept, *more}, key=lambda each: each[1])
    row = records.EMPTY_BUCKET + b"".join(records.pack_marked(*each) for each in marked)
    txn.put(tables.TOKENS, row_key, row)


LIB = "lib"
RETRY = records.retry_row_key(1, "one")
GRANT = records.grant_row_key(7, 1)

DAMAGES: dict[str, tuple[Damage, str]] = {
    "unknown format of a series": (
        put(tables.SERIES, SHOP, b"\x63"),
        r"table series, row .*shop.*format 99",
    ),
    "a series cut short": (cut(tables.SERIES, SHOP, 20), "damaged"),
    "a series under another key": (
        lambda txn: txn.put(
            tables.SERIES,
            records.series_row_key(1, "a") + b"\0",
            txn.get(tables.SERIES, SHOP) or b"",
        ),
        "U.0000",
    ),
    "a series at 0": (put_series("last", value=0, given=0), "'last'"),
    "more values given out than there are": (
        put_series("ranges", given=LAST_VALUE),
        f"'ranges'.*at 507, with {LAST_VALUE}",
    ),
    "fewer values given out than in history": (put_series("shop", given=50), "'shop'.* at 100"),
    "a series before its history": (put_series("shop", value=99, given=99), "'shop'.* at 99"),
    "a series with another token than in its history": (
        put_series("shop", token="other"),
        "'shop'.*'other'.*gave out 100",
    ),
    "a series that is not what the key of its row says": (
        lambda txn: txn.put(tables.SERIES, SHOP[:-1] + b"\1", txn.get(tables.SERIES, SHOP) or b""),
        "'shop'.*its row has another key",
    ),
    "a token that cannot be": (
        put_series("shop", token="a\tb"),
        "'shop'.*token cannot have",
    ),
    "a series in no account": (
        lambda txn: series.advance(txn, call_in(9, now=NOW), "shop"),
        "'shop' of account 9: account 9 does not exist",
    ),
    "an account gone": (
        delete(tables.ACCOUNTS, records.account_row_key(7)),
        "é.*account 7 does not exist",
    ),
    "an account that cannot be read": (
        cut(tables.ACCOUNTS, records.account_row_key(7), 3),
        "table accounts",
    ),
    "a row for the first account": (
        put(tables.ACCOUNTS, records.account_row_key(1), records.pack_account(NOW)),
        "account 1",
    ),
    "a series gone": (delete(tables.SERIES, SHOP), "'shop'.*the series is missing.*history"),
    "a limit that cannot be": (put_series("shop", limit=-1), "'shop'.*its limit is -1"),
    "a limit beside a series": (
        put(tables.LIMITS, SHOP, records.pack_limit(7)),
        "'shop'.*its limit is not in its own row",
    ),
    "a limit of 0": (
        put(tables.LIMITS, records.series_row_key(1, "a"), records.pack_limit(0)),
        "'a'.*value must be",
    ),
    "a limit in no account": (
        put(tables.LIMITS, records.series_row_key(9, "a"), records.pack_limit(1)),
        "'a' of account 9: account 9 does not exist",
    ),
    "a series that is not among the changes": (
        delete(tables.CHANGE_TIMES, records.change_row_key(1, NOW, "shop")),
        "'shop'.*missing from the index of changes",
    ),
    "a change of nothing": (
        put(tables.CHANGE_TIMES, records.change_row_key(1, NOW, "a"), b""),
        "'a'.*missing, but it is in the index of changes",
    ),
    "two changes of one series": (
        put(tables.CHANGE_TIMES, records.change_row_key(1, NOW - 1, "shop"), b""),
        "'shop'.*index of changes more than once",
    ),
    "a change at another time than the series": (
        put_series("shop", updated_at=NOW + NEARNESS),
        "'shop'.*place in the index of changes",
    ),
    "a change that cannot be read": (put(tables.CHANGE_TIMES, b"?", b""), "table change_times"),
    "a token that the index lacks": (
        lambda txn: put_bucket(txn, SEVEN, without=8),
        "'shop'.*does not have '0+7' at 8",
    ),
    "a token with another value in the index": (
        lambda txn: put_bucket(txn, SEVEN, (records.token_mark(SEVEN), 7), without=8),
        "'shop'.*does not have '0+7' at 8",
    ),
    "a token beyond its series in the index": (
        lambda txn: put_bucket(txn, SEVEN, (records.token_mark(SEVEN), 101)),
        "'shop'.*the index has 101",
    ),
    "a token in another's bucket": (
        lambda txn: put_bucket(txn, SEVEN, (ELSEWHERE, 99)),
        "'shop'.*that of 99 belongs elsewhere",
    ),
    "a bucket of a series without an index": (
        put(
            tables.TOKENS,
            records.token_row_key(1, "last", records.token_mark("a"), 32),
            records.EMPTY_BUCKET,
        ),
        "'last'.*in an index that the series does not have",
    ),
    "buckets that are no power of 2": (put_series("shop", buckets=33), "'shop'.*has 33 buckets"),
    "a bucket that cannot be read": (
        put(tables.TOKENS, records.token_row_key(1, "shop", bytes(6), 32), b"\1abc"),
        "table tokens",
    ),
    "an hour without a number": (
        put(tables.ACTIVITY, records.activity_row_key(1, 7), records.pack_counter(0)),
        "activity of account 1, hour 7: it is 0",
    ),
    "an hour that cannot be read": (
        put(tables.ACTIVITY, records.activity_row_key(1, 7) + b"?", records.pack_counter(1)),
        "table activity",
    ),
    "a name of an API key that cannot be": (
        put(tables.API_KEY_NAMES, b"K" * 24, records.pack_api_key_name("a\tb")),
        "API key 'K+': a name of an API key cannot have control",
    ),
    "the newest row of a history gone": (
        put_series("shop", history=99, newest_row=b""),
        "'shop'.* is missing",
    ),
    "the only row of a history cut in the middle of an entry": (
        put_series("ranges", newest_row=records.pack_history(1) + b"\0"),
        "'ranges'.*history is damaged",
    ),
    "the only row of a history with another first value": (
        put_series("ranges", history=2),
        "'ranges'.*has another key",
    ),
    "a newest row of a history that begins nowhere": (
        put_series("shop", history=-5),
        "row of a series is damaged",
    ),
    "an index of tokens without buckets": (put_series("shop", buckets=0), "'shop'.*0 buckets"),
    "a change before the beginning of time": (
        put_series("shop", listed_at=-1),
        "'shop'.*missing from the index of changes",
    ),
    "the newest row of a history cut in the middle of an entry": (
        put_series("shop", newest_row=records.pack_history(1) + b"\0"),
        "'shop'.*history is damaged",
    ),
    "the newest row of a history without an entry": (
        put_series("shop", newest_row=records.pack_history(1)),
        "'shop'.*history is empty",
    ),
    "the newest row of a history with another first value": (
        put_series("shop", newest_row=records.pack_history(99) + records.pack_entry(entry(99))),
        "'shop'.*begins with 99 has another key",
    ),
    "a newest row of history with values that were given out before": (
        put_series(
            "shop", history=50, newest_row=records.pack_history(50) + records.pack_entry(entry(50))
        ),
        "'shop'.*(comes after|begins with)",
    ),
    "a newer row of history than the series knows": (
        put_history(101, 101, entry(101)),
        "'shop'.*begins with 101",
    ),
    "a row of history cut in the middle of an entry": (
        cut(tables.HISTORY, records.history_row_key(1, "shop", 1), 30),
        "table history",
    ),
    "an empty row of history": (put_history(1, 1), "table history"),
    "a row of history under another key": (put_history(1, 1, entry(2)), "'shop'.*another key"),
    "a value given out twice": (put_history(1, 1, entry(1), entry(1)), "'shop'.* comes after 1"),
    "a range given out twice": (
        put_history(1, 1, entry(1), entry(5, 5)),
        "'shop'.*5 in its history comes after 1",
    ),
    "a number that was used before": (
        put_history(2, 1, entry(2)),
        "'shop'.*number that was used before",
    ),
    "a number that is too large": (put_history(1, 5, entry(1)), "'shop'.*the wrong number 5"),
    "an attribute in no account": (
        lambda txn: attributes.put(txn, 9, "shop", "token", {"author": ""}),
        "'shop' of account 9, token 'token': account 9 does not exist",
    ),
    "an attribute of a key that cannot be": (
        lambda txn: attributes.put(txn, 1, "a\tb", "token", {"author": ""}),
        "token 'token': a series key cannot have control",
    ),
    "an attribute of a token that cannot be": (
        lambda txn: attributes.put(txn, 1, "shop", "a\tb", {"author": ""}),
        "'shop'.*: a token cannot have control",
    ),
    "an attribute with a name that cannot be": (
        lambda txn: attributes.put(txn, 1, "shop", "token", {"a\tb": ""}),
        "'shop'.*: an attribute name cannot have control",
    ),
    "an attribute in another's row": (
        put_attribute("shop", "author", Attribute("token", "reader", "")),
        "'shop' of account 1, token 'token'.*'reader'",
    ),
    "too long an attribute": (
        put_attribute("shop", "author", Attribute("token", "author", "x" * 65_537)),
        "'author' has 65537 bytes",
    ),
    "too many attributes": (
        put_attribute("never advanced", "more", Attribute("token", "more", "")),
        "'never advanced'.*65 attributes",
    ),
    "an attribute that is no UTF-8": (
        put(tables.ATTRIBUTES, records.attribute_row_key(1, "a", "b", "c"), b"\1\0\1\0\1\xff\xff"),
        "table attributes",
    ),
    "a bump without its series": (
        delete(tables.SERIES, records.series_row_key(1, "lib-minor-v1")),
        "version 'lib'.*'token 2'.*'lib-minor-v1', which is missing",
    ),
    "a bump beyond its series": (
        put_bump("token 3", Bump(PATCH, "token 3", 1, 1, 2)),
        "version 'lib'.*'token 3'.*is at 1",
    ),
    "a bump in another's row": (
        put_bump("token 3", Bump(PATCH, "token 4", 1, 1, 1)),
        "version 'lib'.*'token 4'.*another's row",
    ),
    "two tokens with one version": (
        put_bump("another", Bump(PATCH, "another", 1, 1, 1)),
        "version 'lib'.*another token got the same",
    ),
    "a bump in no account": (
        lambda txn: semver.bump(txn, call_in(9, now=NOW), "lib", MAJOR, "token"),
        "version 'lib' of account 9, token 'token': account 9 does not exist",
    ),
    "a bump of a token that cannot be": (
        lambda txn: semver.bump(txn, call_in(1, now=NOW), "lib", MAJOR, "a\tb"),
        "version 'lib' of account 1.*: a token cannot have control",
    ),
    "a bump of no part": (
        put_bump("token 3", Bump(255, "token 3", 1, 1, 1)),
        "part 255",
    ),
    "a bump under too long a name": (
        put(
            tables.BUMPS,
            records.bump_row_key(1, "x" * 480, MAJOR, "t"),
            records.pack_bump(Bump(MAJOR, "t", 1, 0, 0)),
        ),
        "version name must have 1 to 209",
    ),
    "a pre-release beyond its series": (
        put(
            tables.BUMPS,
            records.bump_row_key(1, LIB, MINOR, "token 4", "rc"),
            records.pack_bump(Bump(MINOR, "token 4", 1, 2, 0, pre="rc", number=2)),
        ),
        r"version 'lib'.*'lib-pre-v1\.2\.0\.rc', which is at 1",
    ),
    "a pre-release that is no identifier": (
        put(
            tables.BUMPS,
            records.bump_row_key(1, LIB, MINOR, "token 4", "01"),
            records.pack_bump(Bump(MINOR, "token 4", 1, 2, 0, pre="01", number=1)),
        ),
        "a pre-release must be",
    ),
    "a calendar version without its series": (
        delete(tables.SERIES, records.series_row_key(1, f"lib-micro-v{YEAR}")),
        "calendar version 'lib'.*'token 1'.*which is missing",
    ),
    "a calendar version without its calendar": (
        delete(tables.CALENDARS, records.series_row_key(1, "lib")),
        "calendar version 'lib'.*its calendar is missing",
    ),
    "a calendar version beyond its series": (
        put_dated("token 2", Dated("token 2", YEAR, 3)),
        "calendar version 'lib'.*'token 2'.*is at 2",
    ),
    "a calendar version in another's row": (
        put_dated("token 2", Dated("token 3", YEAR, 2)),
        "calendar version 'lib'.*'token 3'.*another's row",
    ),
    "two tokens with one calendar version": (
        put_dated("token 3", Dated("token 3", YEAR, 2)),
        "calendar version 'lib'.*another token got the same",
    ),
    "a calendar without a scheme": (
        put_calendar("lib", Calendar("MICRO", YEAR)),
        "calendar 'lib' of account 1: scheme must be",
    ),
    "a calendar in no account": (
        lambda txn: calver.take(
            txn, call_in(9, now=NOW), "lib", "token", scheme=None, zone=timezone.utc
        ),
        "calendar 'lib' of account 9: account 9 does not exist",
    ),
    "an API key without grant": (delete(tables.GRANTS, GRANT), f"'{PAIR.key}' of account 7"),
    "an API key in no account": (
        delete(tables.ACCOUNTS, records.account_row_key(7)),
        f"'{PAIR.key}' of account 7: account 7 does not exist",
    ),
    "more API keys than an account may have": (
        too_many_grants,
        "account 7: it has 1001 API keys",
    ),
    "a grant without API key": (
        delete(tables.API_KEYS, records.api_key_row_key(PAIR.key)),
        f"account 7.*{PAIR.key}",
    ),
    "a grant of another key": (put(tables.GRANTS, GRANT, b"K" * 24), f"'{PAIR.key}' of account 7"),
    "a grant of nothing": (put(tables.GRANTS, records.grant_row_key(7, 3), b""), "account 7"),
    "an API key with the wrong scopes": (
        lambda txn: txn.put(
            tables.API_KEYS,
            PAIR.key.encode(),
            (txn.get(tables.API_KEYS, PAIR.key.encode()) or b"") + b"\nall:things",
        ),
        "all:things",
    ),
    "a count of API keys gone": (delete(tables.SYSTEM, b"api_keys"), "'K+' of account 1"),
    "a count of API keys that cannot be read": (
        put(tables.SYSTEM, b"api_keys", b"\1"),
        "count of API keys",
    ),
    "a retry without its time": (
        delete(tables.RETRY_TIMES, records.retry_time_row_key(NOW, RETRY)),
        f"{RETRY.hex()} of account 1.*0 removal times",
    ),
    "a retry with two times": (
        put(tables.RETRY_TIMES, records.retry_time_row_key(5, RETRY), b""),
        f"{RETRY.hex()} of account 1.*2 removal times",
    ),
    "a time without its retry": (delete(tables.RETRIES, RETRY), f"{RETRY.hex()}.*is missing"),
    "a retry of no value": (
        put(tables.RETRIES, RETRY, records.pack_retry(Retry(bytes(16), 0))),
        f"{RETRY.hex()}.*value",
    ),
    "a retry in no account": (
        lambda txn: retries.once(txn, call_in(9, now=NOW), "one", bytes(16), lambda: 5),
        "of account 9: account 9 does not exist",
    ),
    "history that the series does not know of": (
        put_series("shop", history=0, newest_row=b""),
        "'shop'.*the newest row of its history begins with",
    ),
    "newer history than the series knows of": (
        put_series("shop", history=1),
        "'shop'.*the newest row of its history begins with",
    ),
    "a row of the readiness check cut short": (
        put(tables.SYSTEM, records.PROBE_ROW_KEY, b"\1"),
        "table system, row b'probe'",
    ),
    "a retry cut short": (cut(tables.RETRIES, RETRY, 10), "table retries"),
}


@pytest.mark.parametrize(("damage", "told"), DAMAGES.values(), ids=DAMAGES)
def test_each_damage_to_a_row_is_found_and_named(filled: Store, damage: Damage, told: str) -> None:
    filled.update(damage)
    problems = look(filled).problems
    assert any(re.search(told, problem) for problem in problems), problems
    assert all("\n" not in problem for problem in problems)


def test_a_row_that_nobody_knows_is_remarked_on(filled: Store) -> None:
    filled.update(put(tables.SYSTEM, b"?", b""))
    report = look(filled)
    assert report.problems == []
    (remark,) = report.remarks
    assert "b'?'" in remark


@pytest.mark.parametrize("name", [".", "..", "a\u200bb", "\ufeffsvc"])
def test_a_name_that_an_earlier_version_let_in_is_no_problem(filled: Store, name: str) -> None:
    def use(txn: Transaction) -> None:
        series.advance(txn, call_in(1, now=NOW), name, token=name)
        attributes.put(txn, 1, name, name, {name: ""})
        semver.bump(txn, call_in(1, now=NOW), name, MAJOR, name)

    filled.update(use)
    assert look(filled).problems == []


def test_a_hole_in_a_history_is_remarked_on(filled: Store) -> None:
    def remove_middle(txn: Transaction) -> None:
        rows = txn.scan(tables.HISTORY, *records.history_range(1, "shop"), limit=100)
        assert len(rows) > 2
        txn.delete(tables.HISTORY, rows[1][0])

    filled.update(remove_middle)
    report = look(filled)
    assert report.problems == []
    (remark,) = report.remarks
    assert "'shop'" in remark


def test_whatever_is_flipped_in_rows_the_walk_comes_to_its_end(filled: Store) -> None:
    chance = random.Random(1)
    everything = filled.view(
        lambda reading: [
            (table, *row)
            for table in tables.ALL
            for row in reading.scan(table, b"", b"\xff" * 512, limit=10_000)
        ]
    )
    for table, row, value in everything:
        flipped = bytearray(row + value)
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
        key, changed = bytes(flipped[: len(row)]), bytes(flipped[len(row) :])

        def damage(
            txn: Transaction,
            table: Table = table,
            row: bytes = row,
            new: tuple[bytes, bytes] = (key, changed),
        ) -> None:
            txn.delete(table, row)
            txn.put(table, *new)

        filled.update(damage)
    report = look(filled)
    assert len(report.problems) > 10


# Damage to files, with the real command


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """A backup with some of everything in it."""
    store = LmdbStore(tmp_path / "filled", tables.ALL)
    store.update(fill)
    path = tmp_path / "backup.mdb"
    with path.open("wb") as file:
        store.copy(file)
    store.close()
    return path


def checked(*arguments: str | Path, storage_dir: Path | None = None) -> tuple[int, list[str]]:
    """Return the exit status and the lines of `monotron check`."""
    variables = {} if storage_dir is None else {"STORAGE_DIR": str(storage_dir)}
    ended = run("check", *map(str, arguments), variables=variables)
    assert ended.stderr == ""
    return ended.returncode, ended.stdout.splitlines()


def test_a_whole_backup_is_whole(backup: Path) -> None:
    before = backup.read_bytes()
    status, lines = checked(backup)
    assert status == 0
    assert lines[-1] == f"{backup} is whole"
    assert lines[0].split() == ["series", "9"]
    assert len(lines) == len(tables.ALL) + 1
    assert backup.read_bytes() == before
    assert {each.name for each in backup.parent.iterdir()} == {"backup.mdb", "filled"}


def test_damage_to_any_page_of_a_file_is_found(backup: Path) -> None:
    whole = backup.read_bytes()
    assert verify_file(backup) == []
    for start in range(0, len(whole), PAGE):
        damaged = bytearray(whole)
        # The page's number and kind; pages after the first of a large value have neither.
        for place in range(start, start + 16):
            damaged[place] ^= 0xFF
        backup.write_bytes(damaged)
        if whole[start : start + 8] == (start // PAGE).to_bytes(8, "little"):
            assert verify_file(backup) != [], start


@pytest.mark.parametrize("seed", range(5))
def test_no_damage_to_a_file_crashes_the_command(backup: Path, seed: int) -> None:
    chance = random.Random(seed)
    damaged = bytearray(backup.read_bytes())
    for _ in range(20):
        damaged[chance.randrange(2 * PAGE, len(damaged))] ^= 1 << chance.randrange(8)
    backup.write_bytes(damaged)
    status, lines = checked(backup)
    assert status in (0, 1)
    assert lines[-1] == f"{backup} is {'damaged' if status else 'whole'}"
    assert any(line.startswith("problem: ") for line in lines) == bool(status)


def test_a_damaged_page_is_told_and_the_command_fails(backup: Path) -> None:
    damaged = bytearray(backup.read_bytes())
    damaged[5 * PAGE : 6 * PAGE] = bytes(PAGE)
    backup.write_bytes(damaged)
    status, lines = checked(backup)
    assert status == 1
    assert any(line.startswith("problem: ") and "page 5" in line for line in lines)
    assert lines[-1] == f"{backup} is damaged"


@pytest.mark.parametrize("content", [b"", b"x", b"SQLite format 3\0" * 1000])
def test_a_file_that_is_no_backup_is_damaged(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    status, lines = checked(file)
    assert status == 1
    assert lines[-1] == f"{file} is damaged"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    ended = run("check", str(tmp_path / "nothing"))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert str(tmp_path / "nothing") in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_folder_without_a_store_is_named_and_stays_empty(tmp_path: Path) -> None:
    ended = run("check", variables={"STORAGE_DIR": str(tmp_path)})
    assert ended.returncode == 1
    assert str(tmp_path) in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_damaged_rows_are_told_with_their_series(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path, tables.ALL)
    store.update(fill)
    store.update(put_series("shop", value=99, given=99))
    store.update(delete(tables.SERIES, records.series_row_key(1, "lib-major")))
    store.close()
    status, lines = checked(storage_dir=tmp_path)
    assert status == 1
    problems = [line for line in lines if line.startswith("problem: ")]
    assert len(problems) >= 2
    assert any("series 'shop' of account 1" in problem for problem in problems)
    assert any("'lib-major'" in problem for problem in problems)


# Beside a service


@pytest.mark.long
def test_a_store_in_use_is_checked_under_load_and_left_alone(serve: Serve, folder: Path) -> None:
    running = serve("--workers", "2")
    with Load(running, clients=8) as load:
        load.wait_for_more(100)
        before = set(folder.iterdir())
        for target in ([], [folder], [folder / "data.mdb"]):
            status, lines = checked(*target, storage_dir=folder)
            assert status == 0, lines
            assert lines[0] == "the store is in use: a copy of it is checked"
        assert set(folder.iterdir()) == before
        load.wait_for_more(100)
    assert (load.unanswered, load.cut, load.broken) == (0, 0, [])


class BusyFile(io.BytesIO):
    """A file beside which others write to the store once it has its beginning."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store: Store | None = store

    def write(self, data: Any) -> int:
        written = super().write(data)
        store, self._store = self._store, None
        if store is not None:
            for number in range(50):
                key = f"new {number}"
                store.update(lambda txn, key=key: series.advance(txn, call_in(1, now=NOW), key))  # type: ignore[misc]
        return written


def test_a_copy_of_a_store_in_use_is_of_one_moment(store: LmdbStore, tmp_path: Path) -> None:
    store.update(fill)
    # To make free pages, which are written first.
    for _ in range(3):
        store.update(lambda txn: series.advance(txn, call_in(1, now=NOW), "shop"))
    copy = BusyFile(store)
    store.copy_pages(copy)
    (tmp_path / "copy").write_bytes(copy.getvalue())
    assert verify_file(tmp_path / "copy") == []
    with reading_file(tmp_path / "copy", tables.ALL) as reading:
        assert check.walk(reading).problems == []
        state = series.get(reading, 1, "shop")
        assert (state and state.value, reading.count(tables.SERIES)) == (103, 9)


@pytest.mark.long
def test_damage_to_a_store_in_use_is_found(serve: Serve, folder: Path) -> None:
    store = LmdbStore(folder, tables.ALL)
    store.update(fill)
    store.update(lambda txn: series.advance(txn, call_in(FIRST_ACCOUNT, now=NOW), "more"))
    store.close()
    running = serve()
    damage_a_value_page(folder / "data.mdb")
    status, lines = checked(storage_dir=folder)
    assert status == 1
    assert lines[0] == "the store is in use: a copy of it is checked"
    assert any(line.startswith("problem: ") for line in lines)
    assert running.take() == 1


def damage_a_value_page(data: Path) -> None:
    """Spoil the page at which a large value begins: a service does not look at it by itself."""
    content = data.read_bytes()
    page = content.index(b"x" * 1_000) // PAGE
    with data.open("r+b") as file:
        file.seek(page * PAGE + 10)
        file.write(b"\xff\xff")


@pytest.mark.long
def test_a_check_that_ends_lets_the_service_start(serve: Serve, folder: Path) -> None:
    LmdbStore(folder, tables.ALL).close()
    status, _ = checked(storage_dir=folder)
    assert status == 0
    assert serve().take() == 1
