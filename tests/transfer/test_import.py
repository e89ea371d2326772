"""`monotron import`: from the two older services, and from an export."""

import fcntl
import io
import json
import os
import pty
import random
import re
import struct
import subprocess
import sys
import termios
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monotron import limits
from monotron.core import activity, api_keys, attributes, history, semver, series, tables
from monotron.core.activity import Spans
from monotron.core.records import Entry, Series
from monotron.limits import IMPORT_LINES, LAST_VALUE
from monotron.store.contract import Reading, Store, StoreFull, Transaction
from monotron.store.frugal import FrugalStore
from monotron.store.lmdb import LmdbStore
from monotron.transfer import buildnumber, exporting, jsonl, lines, postgres
from monotron.transfer.dry_run import DryRun
from monotron.transfer.importing import Stopped
from monotron.transfer.items import CannotRead, Item, Read
from monotron.transfer.lines import SeriesLine
from tests.support import shown
from tests.support.calls import call_in
from tests.support.invariants import faults, rows_of_store
from tests.support.memory import MemoryStore
from tests.support.moving import (
    KEEP,
    NOW,
    ImportResult,
    bring,
    bring_items,
    exported,
    fill,
    rows,
    values,
)
from tests.support.service import (
    COMMAND,
    JOB,
    PATIENCE,
    Load,
    Serve,
    environment,
    run,
    wait_until,
)

UUID = JOB[1:]


@pytest.fixture
def here() -> Iterator[MemoryStore]:
    """The store that is imported into; at its end it has no fault."""
    store = MemoryStore()
    yield store
    assert faults(store) == []


def line(key: str, value: int, token: str | None = None, **others: object) -> str:
    """Return a line with a series; with a token, its value was given out."""
    members = {"kind": "series", "account": 1, "key": key, "value": value, "token": token}
    members |= {"created_at": 7, "updated_at": 7, "given": 0}
    if token is not None:
        entry = {"value": value, "number": 1, "token": token, "created_at": 7}
        members |= {"given": 1, "history": [entry]}
    return json.dumps(members | others)


def export_of(*text: str) -> list[str]:
    return [lines.header(), *text, '{"kind":"end"}']


def state(store: Store, key: str, account: int = 1) -> Series | None:
    return store.view(lambda reading: series.get(reading, account, key))


def value(store: Store, key: str, account: int = 1) -> int | None:
    found = state(store, key, account)
    return None if found is None else found.value


def given_out(store: Store, key: str, account: int = 1) -> list[tuple[int, str | None]]:
    """Return the history of a series, newest first."""
    found = state(store, key, account)
    assert found is not None
    page = store.view(lambda reading: history.page(reading, found, keep=KEEP, limit=1_000))
    return [(taken.value, taken.token) for taken in page.items]


def advance(store: Store, key: str, token: str | None = None, *, keep: int = KEEP) -> int:
    def take(txn: Transaction) -> Series:
        return series.advance(txn, call_in(1, now=1, keep=keep), key, token=token)

    return store.update(take).value


# Never back


@given(
    seed=st.integers(0, 2**32),
    there_steps=st.integers(0, 300),
    here_steps=st.integers(0, 300),
    keep=st.sampled_from([KEEP, 5, 0]),
)
def test_two_stores_become_one(seed: int, there_steps: int, here_steps: int, keep: int) -> None:
    there, here, chance = MemoryStore(), MemoryStore(), random.Random(seed)
    fill(there, chance, there_steps)
    fill(here, chance, here_steps)
    before, brought, text = here.view(values), there.view(values), exported(there)
    kept = rows(here)

    assert bring(here, text, keep=keep).complaints == []
    assert faults(here) == []
    every = before | brought
    assert here.view(values) == {
        each: max(before.get(each, 0), brought.get(each, 0)) for each in every
    }
    # Everything else is as it was, and the imported data is beside it.
    now = rows(here)
    changed = {tables.SERIES, tables.HISTORY, tables.SYSTEM, tables.LIMITS, tables.ACTIVITY}
    for table in kept.keys() - changed:
        assert set(kept[table]) <= set(now[table])
    for table in {tables.ATTRIBUTES, tables.RETRIES, tables.ACCOUNTS, tables.API_KEYS}:
        assert {row for row, _ in rows(there)[table]} <= {row for row, _ in now[table]}

    # A second time it changes nothing, and the store goes on from there.
    assert bring(here, text, keep=keep).complaints == []
    assert rows(here) == now
    fill(here, chance, 50)
    assert faults(here) == []


def test_the_larger_value_counts(here: MemoryStore) -> None:
    for number in range(1, 6):
        assert advance(here, "behind") == advance(here, "beyond") == number
    brought = bring(here, export_of(line("behind", 9), line("beyond", 3), line("new", 4)))
    assert (value(here, "behind"), value(here, "beyond"), value(here, "new")) == (9, 5, 4)
    assert brought.summary == ["series      1 new, 1 raised, 1 kept"]
    assert advance(here, "behind") == 10
    assert advance(here, "beyond") == 6


def test_a_series_that_is_raised_has_the_token_of_its_new_value(here: MemoryStore) -> None:
    advance(here, "svc", "a")
    bring(here, export_of(line("svc", 5, "b")))
    assert given_out(here, "svc") == [(5, "b"), (1, "a")]
    assert advance(here, "svc", "b") == 5
    assert advance(here, "svc", "c") == 6


def test_an_equal_value_keeps_its_token(here: MemoryStore) -> None:
    advance(here, "svc", "a")
    bring(here, export_of(line("svc", 1, "b")))
    assert given_out(here, "svc") == [(1, "a")]
    assert advance(here, "svc", "a") == 1


def test_history_gets_what_is_beyond_its_newest_value(here: MemoryStore) -> None:
    for token in "abc":
        advance(here, "svc", token)
    entries = [
        {"value": 2, "number": 1, "token": "x", "created_at": 7},
        {"value": 8, "count": 6, "number": 7, "created_at": 7},
        {"value": 9, "number": 8, "token": "z", "created_at": 7},
    ]
    brought = bring(here, export_of(line("svc", 9, "z", given=8, history=entries)))
    ranged = [(number, None) for number in range(8, 3, -1)]
    assert given_out(here, "svc") == [(9, "z"), *ranged, (3, "c"), (2, "b"), (1, "a")]
    assert "history     6 new, 2 left out" in brought.summary


def test_a_long_history_is_cut_as_it_grows(here: MemoryStore) -> None:
    advance(here, "svc")
    entries = [
        {"value": number, "number": number, "token": "t" * 200, "created_at": 7}
        for number in range(2, 1_001)
    ]
    bring(here, export_of(line("svc", 1_000, "t" * 200, given=1_000, history=entries)))
    assert len(given_out(here, "svc")) == KEEP
    assert len(rows(here)[tables.HISTORY]) <= KEEP


def test_without_history_values_are_raised_all_the_same(here: MemoryStore) -> None:
    advance(here, "there", "a", keep=0)
    text = export_of(line("there", 5, "b"), line("new", 5, "b"))
    assert bring(here, text, keep=0).complaints == []
    assert (value(here, "there"), value(here, "new")) == (5, 5)
    assert rows(here)[tables.HISTORY] == []
    assert advance(here, "there", "b", keep=0) == 5


def test_history_can_come_after_values_that_were_given_without_it(here: MemoryStore) -> None:
    for _ in range(5):
        advance(here, "svc", keep=0)
    entries = [
        {"value": number, "number": number - 1, "token": f"t{number}", "created_at": 7}
        for number in (2, 3, 8)
    ]
    entries[-1]["number"] = 3
    bring(here, export_of(line("svc", 8, "t8", given=3, history=entries)))
    assert given_out(here, "svc") == [(8, "t8"), (3, "t3"), (2, "t2")]
    found = state(here, "svc")
    # Five were given out before, two of them are known now; the eighth is the sixth.
    assert found is not None
    assert found.given == 6


def test_the_next_value_is_not_numbered_after_older_ones_that_were_brought(
    here: MemoryStore,
) -> None:
    for _ in range(100):
        advance(here, "svc", keep=0)
    entries = [
        {"value": number, "number": number, "token": f"t{number}", "created_at": 7}
        for number in range(1, 6)
    ]
    bring(here, export_of(line("svc", 5, "t5", given=5, history=entries)))
    assert advance(here, "svc", "next") == 101
    assert given_out(here, "svc")[0] == (101, "next")


def test_attributes_that_are_there_stay(here: MemoryStore) -> None:
    here.update(lambda txn: attributes.put(txn, 1, "svc", "a", {"author": "Kim"}))
    text = [
        json.dumps({"kind": "attribute", "account": 1, "key": "svc", "token": "a"} | each)
        for each in ({"name": "author", "value": "Jo"}, {"name": "url", "value": "x\r\n"})
    ]
    brought = bring(here, export_of(*text))
    assert here.view(lambda reading: attributes.get_all(reading, 1, "svc", "a")) == {
        "author": "Kim",
        "url": "x\r\n",
    }
    assert "attributes  1 new, 1 kept" in brought.summary


def test_the_larger_count_of_an_hour_stays_however_often_it_is_imported(here: MemoryStore) -> None:
    here.update(lambda txn: activity.add(txn, {(1, 490_000): 5, (1, 490_001): 5}))
    text = [
        json.dumps(
            {"kind": "activity", "account": 1, "start": hour * activity.HOUR, "count": count}
        )
        for hour, count in ((490_000, 3), (490_001, 7), (490_002, 1))
    ]
    spans = Spans(activity.HOUR, 3, 490_002 * activity.HOUR)
    for _ in range(2):
        bring(here, export_of(*text))
        found = here.view(lambda reading: activity.of_account(reading, 1, spans, {}))
        assert found == [5, 7, 1]


def test_a_version_stays_with_the_token_that_has_it(here: MemoryStore) -> None:
    here.update(lambda txn: semver.bump(txn, call_in(1, now=1), "svc", 1, "a"))
    there = MemoryStore()
    for token in "bc":
        there.update(lambda txn, token=token: semver.bump(txn, call_in(1, now=1), "svc", 1, token))  # type: ignore[misc]
    assert "versions    1 new, 1 kept" in bring(here, exported(there)).summary

    def bump(token: str) -> str:
        return str(here.update(lambda txn: semver.bump(txn, call_in(1, now=1), "svc", 1, token)))

    assert [bump(token) for token in "acbd"] == ["1.0.0", "2.0.0", "3.0.0", "4.0.0"]


def test_a_version_stays_with_the_token_that_its_series_was_advanced_for(
    here: MemoryStore,
) -> None:
    assert advance(here, "svc-major", "by hand") == 1
    there = MemoryStore()
    there.update(lambda txn: semver.bump(txn, call_in(1, now=1), "svc", 1, "other"))
    assert "versions    0 new, 1 kept" in bring(here, exported(there)).summary

    def bump(token: str) -> str:
        return str(here.update(lambda txn: semver.bump(txn, call_in(1, now=1), "svc", 1, token)))

    assert [bump(token) for token in ("by hand", "other")] == ["1.0.0", "2.0.0"]


def test_a_version_is_never_beyond_its_series(here: MemoryStore) -> None:
    bump = {"kind": "bump", "account": 1, "name": "svc", "part": "minor", "token": "a"}
    text = json.dumps(bump | {"major": 0, "minor": 3, "patch": 0})
    brought = bring(here, export_of(text))
    assert value(here, "svc-minor-v0") == 3
    assert brought.summary == ["series      1 new, 0 raised, 0 kept", "versions    1 new, 0 kept"]


def test_api_keys_of_two_stores_have_ids_of_their_own(here: MemoryStore) -> None:
    there = MemoryStore()
    for store in (here, there):
        for _ in range(3):
            pair = api_keys.new_pair()
            store.update(lambda txn, pair=pair: api_keys.create(txn, call_in(1, now=1), pair, ()))  # type: ignore[misc]
    assert "API keys    3 new, 0 kept" in bring(here, exported(there)).summary
    found = here.view(lambda reading: api_keys.get_all(reading, 1))
    assert [each.id for each in found] == [1, 2, 3, 4, 5, 6]


# Broken lines

BAD_SERIES: dict[str, dict[str, object]] = {
    "no key": {"key": None},
    "empty key": {"key": ""},
    "long key": {"key": "a" * 257},
    "control character in the key": {"key": "a\nb"},
    "half of a pair in the key": {"key": "\ud800"},
    "number as the key": {"key": 5},
    "empty token": {"token": ""},
    "long token": {"token": "é" * 129},
    "list as the token": {"token": ["a"]},
    "value 0": {"value": 0},
    "negative value": {"value": -1},
    "value beyond the last": {"value": LAST_VALUE + 1},
    "value beyond every number": {"value": 10**400},
    "value with a fraction": {"value": 1.0},
    "text as the value": {"value": "1"},
    "true as the value": {"value": True},
    "account -1": {"account": -1},
    "no account": {"account": None},
    "time that no date has": {"created_at": 2**62},
    "more given than the value": {"given": 10},
    "text as the history": {"history": "x"},
    "numbers in the history": {"history": [1]},
    "history beyond the value": {
        "given": 5,
        "history": [{"value": 6, "number": 1, "created_at": 7}],
    },
    "history beyond what was given": {
        "given": 1,
        "history": [{"value": 5, "number": 2, "created_at": 7}],
    },
    "history in another order": {
        "given": 5,
        "history": [
            {"value": 2, "number": 1, "created_at": 7},
            {"value": 1, "number": 1, "created_at": 7},
        ],
    },
    "a range into the one before": {
        "given": 5,
        "history": [
            {"value": 2, "number": 2, "created_at": 7},
            {"value": 4, "count": 3, "number": 5, "created_at": 7},
        ],
    },
    "a count of 0": {
        "given": 5,
        "history": [{"value": 2, "count": 0, "number": 2, "created_at": 7}],
    },
    "API key with a blank": {
        "given": 5,
        "history": [{"value": 2, "number": 2, "created_at": 7, "api_key": "a b"}],
    },
    "another token at the end of history": {
        "token": "a",
        "given": 5,
        "history": [{"value": 5, "number": 5, "token": "b", "created_at": 7}],
    },
}
API_KEY = {"kind": "api_key", "account": 1, "id": 1, "key": "k" * 24, "digest": "0" * 64}
ATTRIBUTE = {"kind": "attribute", "account": 1, "key": "a", "token": "b", "name": "c"}
BUMP = {"kind": "bump", "account": 1, "name": "a", "token": "b", "major": 1, "minor": 1, "patch": 1}
RETRY = {"kind": "retry", "account": 1, "digest": "0" * 32, "value": 1, "created_at": 7}
ACTIVITY = {"kind": "activity", "account": 1, "start": 3_600_000_000, "count": 1}
BAD_OTHERS: dict[str, object] = {
    "no kind": {},
    "unknown kind": {"kind": "user"},
    "list as the kind": {"kind": ["series"]},
    "a list": [1],
    "a number": 1,
    "short API key": API_KEY | {"scopes": [], "created_at": 7, "key": "k"},
    "API key in other letters": API_KEY | {"scopes": [], "created_at": 7, "key": "é" * 24},
    "digest with blanks": API_KEY | {"scopes": [], "created_at": 7, "digest": "00 " * 21 + "0"},
    "text as the scopes": API_KEY | {"scopes": "read:series", "created_at": 7},
    "unknown scope": API_KEY | {"scopes": ["read:mail"], "created_at": 7},
    "long attribute": ATTRIBUTE | {"value": "é" * 32_769},
    "half of a pair in an attribute": ATTRIBUTE | {"value": "\udc80"},
    "null as an attribute": ATTRIBUTE | {"value": None},
    "unknown part": BUMP | {"part": "micro"},
    "version 0 of its part": BUMP | {"part": "patch", "patch": 0},
    "pre-release with a leading zero": BUMP | {"part": "patch", "pre": "01", "number": 1},
    "pre-release without its number": BUMP | {"part": "patch", "pre": "rc"},
    "raised part that is no higher": BUMP | {"part": "minor", "raised": "minor"},
    "raised part at 0": BUMP | {"part": "minor", "raised": "major", "major": 0},
    "long name of a version": BUMP | {"part": "patch", "name": "a" * 210},
    "activity within an hour": ACTIVITY | {"start": 3_600_000_001},
    "activity of no number": ACTIVITY | {"count": 0},
    "no request": RETRY,
    "short request": RETRY | {"request": "00"},
}
BAD = {name: json.dumps(json.loads(line("bad", 5)) | each) for name, each in BAD_SERIES.items()}
BAD |= {name: json.dumps(each) for name, each in BAD_OTHERS.items()}
BAD |= {
    "no JSON": "series",
    "half a line": line("bad", 5)[:-1],
    "two lines in one": line("bad", 5) * 2,
    "depth": "[" * 100_000,
    "NaN": '{"kind":"series","value":NaN}',
    "a number of 10,000 digits": '{"kind":"series","value":' + "1" * 10_000 + "}",
    "Latin-1": "LATIN-1",
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_broken_line_is_named_and_stops_nothing_else(here: MemoryStore, bad: str) -> None:
    text = "\n".join(export_of(line("one", 1), bad, line("two", 2)))
    data = text.encode().replace(b"LATIN-1", line("\\bad", 5).encode().replace(b"\\\\", b"\xe9"))
    brought = bring_items(here, jsonl.read(io.BytesIO(data), lambda size: None))
    (complaint,) = brought.complaints
    assert complaint.startswith("line 3: ")
    assert complaint.isprintable()
    assert here.view(values) == {(1, "one"): 1, (1, "two"): 2}
    assert brought.summary == ["series      2 new, 0 raised, 0 kept", "broken      1"]


def test_a_line_that_is_too_long_is_broken_and_not_held(
    here: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "EXPORT_LINE_BYTES", 500)
    brought = bring(here, export_of(line("one", 1), "x" * 5_000, line("two", 2)))
    assert brought.complaints == ["line 3: it has more than 500 bytes"]
    assert here.view(values) == {(1, "one"): 1, (1, "two"): 2}


def test_an_export_that_was_cut_off_is_noticed(here: MemoryStore) -> None:
    brought = bring(here, export_of(line("one", 1))[:-1])
    assert brought.complaints == ['line 3: there is no {"kind":"end"}: the file was cut off']
    assert value(here, "one") == 1


def test_nothing_comes_after_the_end(here: MemoryStore) -> None:
    assert bring(here, [*export_of(), line("one", 1)]).complaints == [
        "line 3: it comes after the end"
    ]
    assert value(here, "one") is None


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        ("", "not an export"),
        ("key,creator_id,token,value", "not an export"),
        ("[]", "not an export"),
        ('{"monotron":"export","version":2}', "version 2"),
    ],
)
def test_another_file_is_no_export(here: MemoryStore, first: str, reason: str) -> None:
    with pytest.raises(CannotRead, match=reason):
        bring(here, [first, line("one", 1)])
    assert here.view(values) == {}


def test_limits_of_attributes_and_api_keys_hold(here: MemoryStore) -> None:
    token = {f"n{number}": "" for number in range(limits.ATTRIBUTES)}
    here.update(lambda txn: attributes.put(txn, 1, "a", "b", token))
    for number in range(limits.API_KEYS):
        pair = api_keys.Pair(f"{number:024}", "s")
        here.update(lambda txn, pair=pair: api_keys.create(txn, call_in(1, now=1), pair, ()))  # type: ignore[misc]
    before = rows(here)
    brought = bring(
        here,
        export_of(
            json.dumps(ATTRIBUTE | {"value": ""}),
            json.dumps(API_KEY | {"scopes": [], "created_at": 7}),
        ),
    )
    assert [each.partition(":")[0] for each in brought.complaints] == ["line 2", "line 3"]
    assert "at most 64 attributes" in brought.complaints[0]
    assert "at most 1000 API keys" in brought.complaints[1]
    assert rows(here) == before


def test_strict_writes_nothing_of_the_batch_and_says_how_far_it_came(here: MemoryStore) -> None:
    text = [line(f"svc{number:05}", 1) for number in range(limits.IMPORT_LINES * 2)]
    text.insert(limits.IMPORT_LINES + 10, "broken")
    brought = ImportResult()
    items = jsonl.read(io.BytesIO("\n".join(export_of(*text)).encode()), lambda size: None)
    with pytest.raises(Stopped, match="stopped at line 1012"):
        bring_items(here, items, strict=True, brought=brought)
    assert len(here.view(values)) == limits.IMPORT_LINES
    assert brought.summary == [
        "series      1000 new, 0 raised, 0 kept",
        "broken      1",
        "stopped     after line 1001",
    ]


def test_strict_stops_at_what_a_rule_refuses_too(here: MemoryStore) -> None:
    token = {f"n{number}": "" for number in range(limits.ATTRIBUTES)}
    here.update(lambda txn: attributes.put(txn, 1, "a", "b", token))
    text = export_of(line("one", 1), json.dumps(ATTRIBUTE | {"value": ""}), line("two", 2))
    brought = ImportResult()
    items = jsonl.read(io.BytesIO("\n".join(text).encode()), lambda size: None)
    with pytest.raises(Stopped, match="line 3"):
        bring_items(here, items, strict=True, brought=brought)
    assert here.view(values) == {}
    assert brought.summary[-2:] == ["broken      1", "stopped     before anything"]


# The older build-number service


def bring_folder(store: Store, folder: Path, account: int = 1) -> ImportResult:
    items = buildnumber.read(folder, account, NOW, lambda files: None)
    return bring_items(store, items)


@pytest.fixture
def counters(tmp_path: Path) -> Path:
    """The folder of the older service."""
    counters = tmp_path / "counters"
    counters.mkdir()
    return counters


@pytest.mark.parametrize(
    "name",
    [UUID, UUID.upper(), f"{{{UUID}}}", f"urn:uuid:{UUID}", UUID.replace("-", "")],
)
def test_every_form_of_a_uuid_is_the_same_series(
    here: MemoryStore, counters: Path, name: str
) -> None:
    (counters / name).write_text("41\n")
    assert bring_folder(here, counters).summary == ["series      1 new, 0 raised, 0 kept"]
    assert here.view(values) == {(1, UUID): 41}


def test_of_two_forms_of_one_uuid_the_larger_value_counts(
    here: MemoryStore, counters: Path
) -> None:
    (counters / UUID).write_text("41\n")
    (counters / UUID.upper()).write_text("7\n")
    (counters / UUID.replace("-", "")).write_text("50\n")
    bring_folder(here, counters)
    assert here.view(values) == {(1, UUID): 50}


@pytest.mark.parametrize("content", ["41", "41\n", "  41\r\n", "0041\n"])
def test_a_number_may_have_blanks_around(here: MemoryStore, counters: Path, content: str) -> None:
    (counters / UUID).write_text(content)
    assert bring_folder(here, counters).complaints == []
    assert value(here, UUID) == 41


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n",
        "-3\n",
        "4 1\n",
        "41x\n",
        "4.1\n",
        "\u0664\n",
        f"{LAST_VALUE + 1}\n",
        "1" * 5_000,
    ],
)
def test_a_file_without_a_number_has_nothing_to_import(
    here: MemoryStore, counters: Path, content: str
) -> None:
    (counters / UUID).write_text(content)
    brought = bring_folder(here, counters)
    reason = "it does not contain a number that a series could continue from"
    assert brought.complaints == [f"'{UUID}': skipped: {reason}"]
    assert brought.summary == ["series      0 new, 0 raised, 0 kept", f"skipped     1: {reason}"]
    assert brought.tally.broken == 0


@pytest.mark.parametrize("content", ["0", "0\n", " 00\r\n"])
def test_a_counter_at_0_has_given_nothing(here: MemoryStore, counters: Path, content: str) -> None:
    (counters / UUID).write_text(content)
    brought = bring_folder(here, counters)
    assert brought.summary[1:] == ["skipped     1: it contains 0: no number has been taken yet"]


def test_a_link_to_a_counter_that_is_away_is_broken(here: MemoryStore, counters: Path) -> None:
    os.symlink(counters / "gone", counters / UUID)
    brought = bring_folder(here, counters)
    assert brought.complaints == [f"'{UUID}': it cannot be read: No such file or directory"]
    assert brought.tally.broken == 1


def test_other_names_are_skipped_and_named(here: MemoryStore, counters: Path) -> None:
    (counters / "README\n\x1b").write_text("1\n")
    (counters / f"{UUID}.tmp").write_text("1\n")
    (counters / UUID).mkdir()
    os.mkfifo(counters / UUID.upper())
    brought = bring_folder(here, counters)
    assert len(brought.complaints) == 4
    assert all(complaint.isprintable() for complaint in brought.complaints)
    assert brought.summary[1:] == [
        "skipped     2: it is not a file",
        "skipped     2: the name is not a UUID",
    ]
    assert here.view(values) == {}


def test_counters_go_to_the_account_that_is_named(here: MemoryStore, counters: Path) -> None:
    (counters / UUID).write_text("41\n")
    assert "accounts    1 new, 0 kept" in bring_folder(here, counters, account=7).summary
    assert here.view(values) == {(7, UUID): 41}


# The older series service's database, as psql 15 writes it

VALUES_CSV = """\
key,creator_id,token,value,created_at,updated_at
shop,1,7d4c379588,1,2024-01-02 03:04:05.12+00,2024-01-02 03:04:05.12+00
shop,1,0a1b2c3d4e,2,2024-02-02 03:04:05+00,2024-02-02 03:04:05.123456+00
shop,1,90d8c75c8e,3,2024-01-02 03:04:05.12+00,2024-03-01 21:34:05+00
shop,1,90d8c75c8e,3,2024-03-02 03:04:05+00,2024-03-01 21:34:05+00
app,7,v1.0,1,1960-01-01 00:00:00+00,1960-01-01 00:00:00+00
app,7,v1.0,1,,
"""
ATTRIBUTES_CSV = """\
key,creator_id,token,name,value
shop,1,90d8c75c8e,author,"Kim ""K"" O'Neil, Jr."
shop,1,90d8c75c8e,empty,""
shop,1,90d8c75c8e,message,"Fix it\r

back\\slash and \ttab
"
"""
VALUES_JSON = """\
{"key":"shop","creator_id":1,"token":"7d4c379588","value":1,"created_at":"2024-01-02T03:04:05.12+00:00","updated_at":"2024-01-02T03:04:05.12+00:00"}
{"key":"shop","creator_id":1,"token":"0a1b2c3d4e","value":2,"created_at":"2024-02-02T03:04:05+00:00","updated_at":"2024-02-02T03:04:05.123456+00:00"}
{"key":"shop","creator_id":1,"token":"90d8c75c8e","value":3,"created_at":"2024-01-02T03:04:05.12+00:00","updated_at":"2024-03-01T21:34:05+00:00"}
{"key":"shop","creator_id":1,"token":"90d8c75c8e","value":3,"created_at":"2024-03-02T03:04:05+00:00","updated_at":"2024-03-01T21:34:05+00:00"}
{"key":"app","creator_id":7,"token":"v1.0","value":1,"created_at":"1960-01-01T00:00:00+00:00","updated_at":"1960-01-01T00:00:00+00:00"}
{"key":"app","creator_id":7,"token":"v1.0","value":1,"created_at":null,"updated_at":null}
"""
ATTRIBUTES_JSON = r"""{"key":"shop","creator_id":1,"token":"90d8c75c8e","name":"author","value":"Kim \"K\" O'Neil, Jr."}
{"key":"shop","creator_id":1,"token":"90d8c75c8e","name":"empty","value":""}
{"key":"shop","creator_id":1,"token":"90d8c75c8e","name":"message","value":"Fix it\r\n\nback\\slash and \ttab\n"}
"""  # noqa: E501


def rows_of(text: str) -> Iterator[Item]:
    return postgres.read(io.BytesIO(text.encode()), NOW, lambda size: None)


def bring_rows(store: Store, text: str) -> ImportResult:
    return bring_items(store, rows_of(text))


@pytest.mark.parametrize(
    ("table", "attached"),
    [(VALUES_CSV, ATTRIBUTES_CSV), (VALUES_JSON, ATTRIBUTES_JSON)],
    ids=["CSV", "JSON lines"],
)
def test_rows_become_series_with_history_and_attributes(
    here: MemoryStore, table: str, attached: str
) -> None:
    brought = bring_rows(here, table)
    assert brought.complaints == []
    assert brought.summary == [
        "series      2 new, 0 raised, 0 kept",
        "history     4 new, 2 left out",
        "accounts    1 new, 0 kept",
    ]
    assert here.view(values) == {(1, "shop"): 3, (7, "app"): 1}
    assert given_out(here, "shop") == [(3, "90d8c75c8e"), (2, "0a1b2c3d4e"), (1, "7d4c379588")]
    shop = state(here, "shop")
    assert shop is not None
    # 2024-01-02T03:04:05.12Z and 2024-03-01T21:34:05Z
    assert (shop.created_at, shop.updated_at) == (1_704_164_645_120_000, 1_709_328_845_000_000)
    assert "attributes  3 new, 0 kept" in bring_rows(here, attached).summary
    assert here.view(lambda reading: attributes.get_all(reading, 1, "shop", "90d8c75c8e")) == {
        "author": 'Kim "K" O\'Neil, Jr.',
        "empty": "",
        "message": "Fix it\r\n\nback\\slash and \ttab\n",
    }
    assert advance(here, "shop", "90d8c75c8e") == 3
    assert advance(here, "shop", "7d4c379588") == 4


def test_rows_in_any_order_raise_a_series_and_never_move_it_back(here: MemoryStore) -> None:
    head = "key,creator_id,token,value\n"
    numbers = [3, 1, 7, 2, 7, 5]
    brought = bring_rows(here, head + "".join(f"svc,1,t{number},{number}\n" for number in numbers))
    assert given_out(here, "svc") == [(7, "t7"), (3, "t3")]
    assert brought.summary == [
        "series      1 new, 0 raised, 0 kept",
        "history     2 new, 4 left out",
    ]


def test_a_row_without_a_token_raises_the_series_alone(here: MemoryStore) -> None:
    bring_rows(here, "key,creator_id,token,value\nsvc,1,a,1\nsvc,1,,5\n")
    assert given_out(here, "svc") == [(1, "a")]
    assert value(here, "svc") == 5


def test_columns_may_stand_in_any_order_among_others(here: MemoryStore) -> None:
    bring_rows(here, "id,value,token,creator_id,key\n99,5,a,1,svc\n\n98,6,b,1,svc\n")
    assert given_out(here, "svc") == [(6, "b"), (5, "a")]


def test_many_rows_of_one_series_are_a_few_batches() -> None:
    text = "".join(f"svc,1,t{number},{number}\n" for number in range(1, 5_001))
    items = rows_of(f"key,creator_id,token,value\n{text}")
    assert [item.lines for item in items if isinstance(item, Read)] == [limits.IMPORT_LINES] * 5


def test_many_rows_of_one_series_are_counted_once(here: MemoryStore) -> None:
    count = limits.IMPORT_LINES * 2 + 5
    rows_below = "".join(f"svc,1,t{number},{number}\n" for number in range(1, count + 1))
    text = "\ufeffkey,creator_id,token,value\n" + rows_below
    brought = bring_rows(here, text)
    assert brought.summary == [
        "series      1 new, 0 raised, 0 kept",
        f"history     {count} new, 0 left out",
    ]
    assert len(given_out(here, "svc")) == KEEP
    advance(here, "svc")
    assert bring_rows(here, text).summary[0] == "series      0 new, 0 raised, 1 kept"


BAD_ROWS = {
    "cell too few": "svc,1,a",
    "cell too many": "svc,1,a,5,6",
    "no value": "svc,1,a,",
    "text as the value": "svc,1,a,five",
    "value 0": "svc,1,a,0",
    "other digits": "svc,1,a,\u0665",
    "value beyond the last": f"svc,1,a,{LAST_VALUE + 1}",
    "no account": "svc,,a,5",
    "no key": ",1,a,5",
    "long key": "a" * 257 + ",1,a,5",
    "quote in the middle": 'svc,1,"a"b,5',
    "long cell": f'svc,1,"{"a" * 200_000}",5',
    "no UTF-8": "sv\udce9,1,a,5",
}


@pytest.mark.parametrize("bad", BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_broken_row_is_named_and_stops_nothing_else(here: MemoryStore, bad: str) -> None:
    text = f'key,creator_id,token,value\none,1,"a",1\n{bad}\ntwo,1,a,2\n'
    data = text.encode(errors="surrogateescape")
    brought = bring_items(here, postgres.read(io.BytesIO(data), NOW, lambda size: None))
    (complaint,) = brought.complaints
    assert complaint.startswith("line 3: ")
    assert complaint.isprintable()
    assert here.view(values) == {(1, "one"): 1, (1, "two"): 2}


def test_a_broken_row_on_several_lines_is_named_by_all_of_them(here: MemoryStore) -> None:
    text = 'key,creator_id,token,value\none,1,"a\nb",1\ntwo,1,a,2\nthree,1,"a,1\n'
    brought = bring_rows(here, text)
    assert [each.partition(": ")[0] for each in brought.complaints] == ["lines 2 to 3", "line 5"]
    assert here.view(values) == {(1, "two"): 2}


def test_a_line_that_is_too_long_is_a_broken_row(
    here: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "DATABASE_ROW_BYTES", 100)
    for text in (
        'key,creator_id,token,value\nsvc,1,"' + "a" * 500 + '",5\n',
        '{"key":"one","creator_id":1,"token":"a","value":1}\n{"key":"' + "a" * 500 + '"}\n',
    ):
        assert len(bring_rows(here, text).complaints) == 1


@pytest.mark.parametrize("time", ["yesterday", "2024-13-01 00:00:00+00", "infinity", "2024-01-01"])
def test_a_row_with_a_time_that_is_none_is_broken(here: MemoryStore, time: str) -> None:
    text = f"key,creator_id,token,value,created_at\nsvc,1,a,1,{time}\n"
    (complaint,) = bring_rows(here, text).complaints
    assert "created_at is not a time" in complaint


@pytest.mark.parametrize(
    ("time", "microseconds"),
    [
        ("1970-01-01 00:00:01.5", 1_500_000),
        ("1970-01-01T00:00:01.000001Z", 1_000_001),
        ("1970-01-01 02:00:01+02", 1_000_000),
        ("1969-12-31 18:30:01-05:30", 1_000_000),
        ("0001-01-01 00:00:00+00", 0),
    ],
)
def test_times_are_read_as_postgresql_writes_them(time: str, microseconds: int) -> None:
    (item,) = rows_of(f"key,creator_id,token,value,created_at\nsvc,1,a,1,{time}\n")
    assert isinstance(item, Read)
    expected = [(1, Entry(1, 1, "a", None, microseconds))]
    assert isinstance(item.line, SeriesLine)
    assert item.line.history == expected


@pytest.mark.parametrize(
    "text", ["", "shop,1,7d4c379588,1\n", "key,token,value\na,b,1\n", 'key,"creator"_id\n']
)
def test_a_file_without_the_columns_is_refused(here: MemoryStore, text: str) -> None:
    with pytest.raises(CannotRead):
        bring_rows(here, text)


# Dry runs


@given(seed=st.integers(0, 2**32), steps=st.integers(0, 200))
def test_a_dry_run_is_like_the_import_and_writes_nothing(seed: int, steps: int) -> None:
    there, here, scratch = MemoryStore(), MemoryStore(), MemoryStore()
    chance = random.Random(seed)
    fill(there, chance, steps)
    fill(here, chance, steps)
    before = rows(here)
    dry = DryRun(here, scratch)
    told = bring(dry, exported(there)).summary
    assert rows(here) == before
    assert bring(here, exported(there)).summary == told
    assert rows(dry) == rows(here)


KEYS = st.sampled_from([bytes([number]) for number in range(12)])


@given(
    below=st.dictionaries(KEYS, st.just(b"below"), max_size=30),
    writes=st.lists(st.tuples(KEYS, st.sampled_from([b"", b"above", None])), max_size=30),
    ends=st.tuples(KEYS, KEYS),
    limit=st.integers(1, 10),
    reverse=st.booleans(),
)
@example(
    below={bytes([number]): b"below" for number in (1, 5, 6)},
    writes=[(b"\x01", None), (b"\x02", b"above"), (b"\x03", b"above")],
    ends=(b"\x00", b"\x0b"),
    limit=2,
    reverse=False,
)
@example(
    below={bytes([number]): b"below" for number in (6, 5, 9)},
    writes=[(b"\x09", None), (b"\x08", b"above"), (b"\x07", b"above")],
    ends=(b"\x00", b"\x0b"),
    limit=2,
    reverse=True,
)
def test_a_dry_run_reads_its_own_writes(
    below: dict[bytes, bytes],
    writes: list[tuple[bytes, bytes | None]],
    ends: tuple[bytes, bytes],
    limit: int,
    reverse: bool,
) -> None:
    real, expected = MemoryStore(), MemoryStore()
    dry = DryRun(real, MemoryStore())

    def put_all(txn: Transaction) -> None:
        for key, value in below.items():
            txn.put(tables.SERIES, key, value)

    def change(txn: Transaction) -> list[bool]:
        done = []
        for key, value in writes:
            if value is None:
                done.append(txn.delete(tables.SERIES, key))
            else:
                txn.put(tables.SERIES, key, value)
        return done

    def read(reading: Reading) -> list[tuple[bytes, bytes]]:
        return reading.scan(tables.SERIES, *sorted(ends), limit=limit, reverse=reverse)

    def remove(txn: Transaction) -> int:
        return txn.delete_range(tables.SERIES, *sorted(ends))

    real.update(put_all)
    expected.update(put_all)
    assert dry.update(change) == expected.update(change)
    assert dry.view(read) == expected.view(read)
    assert dry.update(remove) == expected.update(remove)
    assert rows_of_store(dry) == rows_of_store(expected)


# docs/moving.md


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A folder with what the page has from other services."""
    counters = tmp_path / "counters"
    counters.mkdir()
    (counters / "4be0643f-1d98-573b-97cd-ca98a65347dd").write_text("41\n")
    (counters / UUID.upper()).write_text("7\n")
    (counters / "README").touch()
    jobs = {"web": (312, None), "site/branches/feature-login.h3j2k1": (17, "feature%2Flogin")}
    for job, (coming, name) in jobs.items():
        place = tmp_path / "jenkins" / "jobs" / job
        place.mkdir(parents=True)
        (place / "nextBuildNumber").write_text(f"{coming}\n")
        if name is not None:
            (place / "name-utf8.txt").write_text(name)
    (tmp_path / "numbers.csv").write_text("key,value\nfirmware,1041\n")
    (tmp_path / "values.csv").write_text(VALUES_CSV, newline="")
    (tmp_path / "attributes.csv").write_text(ATTRIBUTES_CSV, newline="")
    return tmp_path


def test_each_command_of_the_page_prints_what_is_shown(serve: Serve, sources: Path) -> None:
    page = shown.page("docs/moving.md")
    assert len(shown.commands(page)) > 10
    shown.assert_prints_what_is_shown(page, serve(), sources)


def test_the_page_names_every_kind_of_line_and_its_members() -> None:
    page = shown.page("docs/moving.md")
    table = dict(re.findall(r"^\| `([a-z_]+)` \| (.*) \|$", page, re.MULTILINE))
    store = MemoryStore()
    fill(store, random.Random(1), 1_000)
    found: dict[str, set[str]] = {}
    for each in exporting.lines(store):
        found.setdefault(each.kind, set()).update(each.members())
    assert table.pop("kind") == "members"
    assert table.keys() == found.keys() - {"end"}
    for kind, told in table.items():
        assert set(re.findall("`([a-z_]+)`", told)) == found[kind]


# Size


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        file = tmp_path / f"lines-{count}"
        with file.open("w", encoding="utf-8") as out:
            out.write(lines.header() + "\n")
            for number in range(count):
                out.write(line(f"svc{number:07}", 5, "a") + "\n")
        store = LmdbStore(tmp_path / f"store-{count}", tables.ALL)
        tracemalloc.start()
        with file.open("rb") as stream:
            bring_items(store, jsonl.read(stream, lambda size: None))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        store.close()
        return most

    assert peak(12_000) < 1.5 * peak(3_000)


def mapped(folder: Path) -> int:
    """Return how many bytes of the store's map count as this process's memory."""
    maps = Path("/proc/self/smaps").read_text().split("data.mdb\n")[1:]
    (resident,) = re.findall(r"^Rss: +([0-9]+) kB$", maps[0], re.MULTILINE)[:1]
    return int(resident) * 1024


def test_pages_that_were_read_are_let_go(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    store = LmdbStore(folder, tables.ALL)
    frugal = FrugalStore(store)
    size = 2**23

    def put(txn: Transaction) -> None:
        for number in range(size // 2**12):
            txn.put(tables.SERIES, number.to_bytes(4, "big"), bytes(2**12))

    def read(reading: Reading) -> int:
        return len(reading.scan(tables.SERIES, b"", b"\xff", limit=10**6))

    store.update(put)
    store.view(read)
    assert mapped(folder) > size
    assert frugal.view(read) == size // 2**12
    assert mapped(folder) < size / 4
    assert frugal.view(read) == size // 2**12
    frugal.close()


def test_the_benchmark_moves_all_that_it_makes(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.imports", "--series", "50", "--storage-dir", str(tmp_path)],
        cwd=shown.ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    ways = ["import jsonl", "import monotron", "import buildnumber", "export"]
    assert [text.partition(":")[0] for text in done.stdout.splitlines()] == ways
    assert list(tmp_path.iterdir()) == []


def test_long_attributes_are_written_a_few_at_a_time(tmp_path: Path) -> None:
    sizes: list[int] = []

    class Watched(MemoryStore):
        def update(self, fn):  # type: ignore[no-untyped-def]
            before = len(rows(self)[tables.ATTRIBUTES])
            result = super().update(fn)
            sizes.append(len(rows(self)[tables.ATTRIBUTES]) - before)
            return result

    text = [
        json.dumps(ATTRIBUTE | {"token": f"t{number}", "value": "x" * limits.ATTRIBUTE_BYTES})
        for number in range(50)
    ]
    bring(Watched(), export_of(*text))
    assert sum(sizes) == 50
    assert max(sizes) <= limits.IMPORT_BYTES // limits.ATTRIBUTE_BYTES + 1


def test_a_full_store_stops_the_import_and_it_says_how_far_it_came(tiny_store: LmdbStore) -> None:
    text = export_of(*(line(f"svc{number:05}", 1, "a") for number in range(5_000)))
    brought = ImportResult()
    items = jsonl.read(io.BytesIO("\n".join(text).encode()), lambda size: None)
    with pytest.raises(StoreFull):
        bring_items(tiny_store, items, brought=brought)
    done = len(tiny_store.view(values))
    assert brought.summary[-1].startswith("stopped ")
    assert brought.summary[0] == f"series      {done} new, 0 raised, 0 kept"


# The command


@pytest.fixture
def export_file(tmp_path: Path) -> Path:
    file = tmp_path / "lines.jsonl"
    file.write_text("\n".join(export_of(line("one", 1, "a"), "broken", line("two", 2))))
    return file


SUMMARY = """\
series      2 new, 0 raised, 0 kept
history     1 new, 0 left out
broken      1
"""


def command(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return run("import", *arguments, variables={"STORAGE_DIR": str(folder)})


def test_the_command_makes_a_store_and_tells_what_it_did(folder: Path, export_file: Path) -> None:
    done = command(folder, "jsonl", str(export_file))
    assert (done.returncode, done.stdout) == (1, SUMMARY)
    assert (
        done.stderr
        == "monotron: line 3: it is not JSON: Expecting value: line 1 column 1 (char 0)\n"
    )
    listed = run("list", variables={"STORAGE_DIR": str(folder)})
    assert listed.stdout == "one\t1\ta\ntwo\t2\t\n"


def test_a_dry_run_of_the_command_says_the_same_and_makes_nothing(
    folder: Path, export_file: Path
) -> None:
    done = command(folder, "jsonl", str(export_file), "--dry-run")
    assert (done.returncode, done.stdout) == (1, SUMMARY)
    assert not folder.exists()
    command(folder, "jsonl", str(export_file))
    before = (folder / "data.mdb").read_bytes()
    done = command(folder, "jsonl", str(export_file), "--dry-run")
    assert done.stdout.startswith("series      0 new, 0 raised, 2 kept\n")
    assert (folder / "data.mdb").read_bytes() == before


def test_strict_fails_where_anything_was_skipped_but_brings_the_rest(
    folder: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    (old / JOB[1:]).write_text("5\n")
    assert command(folder, "buildnumber", str(old), "--strict").returncode == 0
    (old / "README").write_text("what this is")
    for flags, status in (["--strict"], 1), (["--strict", "--dry-run"], 1), ([], 0):
        done = command(folder, "buildnumber", str(old), *flags)
        assert done.returncode == status
        assert "skipped     1: the name is not a UUID" in done.stdout
        assert "series      0 new, 0 raised, 1 kept" in done.stdout


def test_strict_fails_with_where_it_stopped(folder: Path, export_file: Path) -> None:
    done = command(folder, "jsonl", str(export_file), "--strict")
    assert done.returncode == 1
    assert done.stdout.endswith("broken      1\nstopped     before anything\n")
    assert "stopped at line 3" in done.stderr
    assert run("list", variables={"STORAGE_DIR": str(folder)}).stdout == ""


def test_a_pipe_is_read_as_well(folder: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "import", "monotron", "-"],
        input=VALUES_CSV.encode(),
        env=environment({"STORAGE_DIR": str(folder)}),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"series      2 new")


def test_a_folder_of_counters_is_read(folder: Path, counters: Path) -> None:
    (counters / UUID).write_text("41\n")
    (counters / "note").write_text("")
    done = command(folder, "buildnumber", str(counters), "--account", "7")
    assert done.returncode == 0
    assert done.stderr == "monotron: 'note': skipped: the name is not a UUID\n"
    listed = run("list", "--account", "7", variables={"STORAGE_DIR": str(folder)})
    assert listed.stdout == f"{UUID}\t41\t\n"


@pytest.mark.parametrize(
    "arguments", [("jsonl", "none"), ("monotron", "none"), ("buildnumber", "none"), ("jsonl", "/")]
)
def test_a_source_that_cannot_be_read_fails_and_makes_no_store(
    folder: Path, arguments: tuple[str, ...]
) -> None:
    done = command(folder, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("monotron: ")
    assert done.stderr.count("\n") == 1
    assert not folder.exists()


def test_a_store_is_made_in_no_folder_that_holds_something_else(
    tmp_path: Path, export_file: Path
) -> None:
    before = sorted(tmp_path.iterdir())
    for more in ((), ("--dry-run",)):
        done = command(tmp_path, "jsonl", str(export_file), *more)
        assert (done.returncode, done.stdout) == (1, "")
        assert "there is no store" in done.stderr
        assert sorted(tmp_path.iterdir()) == before


def test_a_terminal_gets_a_progress_bar_and_nothing_else_does(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_text("\n".join(export_of(*(line(f"svc{n:05}", 1) for n in range(20_000)))))
    master, slave = pty.openpty()
    # A new terminal has no columns.
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with subprocess.Popen(
        [*COMMAND, "import", "jsonl", str(file)],
        env=environment({"STORAGE_DIR": str(folder)}),
        stdout=subprocess.PIPE,
        stderr=slave,
    ) as process:
        os.close(slave)
        shown = b""
        try:
            while part := os.read(master, 4096):
                shown += part
        # What a terminal says whose other end is closed.
        except OSError:
            pass
        out, _ = process.communicate(timeout=PATIENCE)
    os.close(master)
    assert b"%|" in shown
    assert out == b"series      20000 new, 0 raised, 0 kept\n"
    again = command(folder, "jsonl", str(file))
    assert again.stderr == ""


def test_a_service_goes_on_meanwhile_and_never_back(serve: Serve) -> None:
    running = serve()
    # Five batches and a rest.
    text = [line(f"svc{number:05}", 5) for number in range(5 * IMPORT_LINES)]
    header, *others = export_of(*text, line("load", 3), line("zz", 100_000))
    with Load(running, clients=4) as load:
        load.wait_for_more(100)
        with subprocess.Popen(
            [*COMMAND, "import", "jsonl", "-"],
            env=environment({"STORAGE_DIR": str(running.storage_dir)}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdin is not None
            process.stdin.write(f"{header}\n".encode())
            for end in range(IMPORT_LINES, len(text) + 1, IMPORT_LINES):
                batch = others[end - IMPORT_LINES : end]
                process.stdin.write("".join(f"{each}\n" for each in batch).encode())
                process.stdin.flush()

                def is_written(last: str = f"/v1/series/svc{end - 1:05}") -> bool:
                    return running.get(last).status == 200

                wait_until(is_written, "the batch is written")
                # The service has its turn between two batches.
                load.wait_for_more(6)
                assert process.poll() is None
            rest = "\n".join(others[len(text) :])
            out, err = process.communicate(rest.encode(), timeout=PATIENCE)
        load.wait_for_more(50)
    assert (process.returncode, err) == (0, b"")
    assert out == b"series      5001 new, 0 raised, 1 kept\n"
    assert (load.unanswered, load.cut, load.broken) == (0, 0, [])
    assert sorted(load.answered) == list(range(1, len(load.answered) + 1))
    assert running.take("/v1/series/zz") == 100_001
