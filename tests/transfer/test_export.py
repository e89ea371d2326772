"""`monotron export`, and what an import makes of it in an empty store."""

import json
import random
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monotron.app import create_app
from monotron.core import api_keys, history, series, tables
from monotron.core.records import ApiKey, Series
from monotron.settings import Settings
from monotron.store.contract import Store, Transaction
from monotron.store.lmdb import LmdbStore
from monotron.transfer import exporting, lines
from monotron.transfer.lines import SeriesLine
from tests.support.calls import call_in
from tests.support.invariants import faults
from tests.support.memory import MemoryStore
from tests.support.moving import ACCOUNTS, KEYS, TOKENS, bring, exported, fill, rows
from tests.support.service import Load, Serve, run
from tests.support.web import Api


@pytest.fixture
def filled(store: Store) -> Store:
    """A store on the disk with rows in every table."""
    fill(store, random.Random(1), 1_000)
    assert all(rows(store).values())
    return store


@pytest.fixture
def other(tmp_path: Path) -> Iterator[LmdbStore]:
    """Another store on the disk, an empty one."""
    store = LmdbStore(tmp_path / "other", tables.ALL)
    yield store
    store.close()


# The way there and back


@given(seed=st.integers(0, 2**32), steps=st.integers(0, 400))
def test_import_of_an_export_into_an_empty_store_makes_the_same_store(
    seed: int, steps: int
) -> None:
    there, here = MemoryStore(), MemoryStore()
    fill(there, random.Random(seed), steps)
    assert bring(here, exported(there)).complaints == []
    assert rows(here) == rows(there)


def test_on_the_disk_it_is_the_same_to_the_byte(filled: LmdbStore, other: LmdbStore) -> None:
    assert bring(other, exported(filled)).complaints == []
    assert rows(other) == rows(filled)
    assert exported(other) == exported(filled)


def test_a_series_whose_history_was_turned_off_goes_on_in_the_same_way() -> None:
    there, here = MemoryStore(), MemoryStore()

    def take(txn: Transaction, number: int, keep: int) -> Series:
        token = f"{number:0256}"
        return series.advance(txn, call_in(1, now=number, keep=keep), "svc", token=token)

    for number in range(100):
        there.update(lambda txn, number=number: take(txn, number, 1_000))  # type: ignore[misc]
    there.update(lambda txn: take(txn, 100, 0))
    bring(here, exported(there))
    assert rows(here) == rows(there)
    for store in (here, there):
        store.update(lambda txn: take(txn, 101, 1_000))
        assert faults(store) == []
    assert rows(here) == rows(there)


def answers(api: Api) -> dict[str, Any]:
    """Return the answer of every GET."""
    found: dict[str, Any] = {}

    def get(path: str) -> Any:
        answer = api.get(path, status="*")
        found[path] = (answer.status_int, answer.body)
        return answer

    get("/v1/accounts")
    for account in ACCOUNTS:
        base = f"/v1/accounts/{account}"
        get(f"{base}/series?limit=1000")
        get(f"{base}/semver/svc")
        for grant in get(f"{base}/grants").json:
            get(f"{base}/grants/{grant['api_key']['key']}")
        for key in (quote(key, safe="") for key in KEYS):
            get(f"{base}/series/{key}")
            get(f"{base}/history/{key}?limit=1000")
            for token in (quote(token, safe="") for token in TOKENS):
                get(f"{base}/series/{key}/{token}")
                get(f"{base}/tokens/{key}/{token}/attrs")
    return found


def changes(api: Api) -> list[Any]:
    """Return the answers of calls that take numbers, or get an earlier one again."""
    done = []
    for account in ACCOUNTS:
        base = f"/v1/accounts/{account}"
        for key in (quote(key, safe="") for key in KEYS):
            done += [api.post(f"{base}/series/{key}", status="*")]
            done += [api.put(f"{base}/series/{key}/7d4c379588", status="*") for _ in range(2)]
        for part in ("major", "minor", "patch"):
            for token in (quote(token, safe="") for token in TOKENS[:3]):
                done.append(api.put(f"{base}/semver/svc/{part}/{token}"))
    return [(answer.status_int, answer.body) for answer in done]


def test_every_call_is_answered_the_same(
    filled: LmdbStore, other: LmdbStore, settings: Settings
) -> None:
    there, here = Api(create_app(filled, settings)), Api(create_app(other, settings))
    retry = {"Idempotency-Key": "once"}
    first = there.post("/v1/series/retried", headers=retry).json
    there.post("/v1/series/retried")
    bring(other, exported(filled))
    assert answers(here) == answers(there)
    assert here.post("/v1/series/retried", headers=retry).json == first
    assert here.post("/v1/series/other", headers=retry, status=422).status_int == 422
    assert changes(here) == changes(there)
    assert answers(here).keys() == answers(there).keys()


def test_a_secret_opens_the_same_account_after_the_move(store: LmdbStore, other: LmdbStore) -> None:
    pair = api_keys.new_pair()
    store.update(lambda txn: api_keys.create(txn, call_in(1, now=0), pair, ("read:series",)))
    text = exported(store)
    assert pair.secret not in "".join(text)
    bring(other, text)
    found = other.view(lambda reading: api_keys.verified(reading, pair))
    assert found is not None
    assert found.scopes == ("read:series",)


def test_ids_of_deleted_api_keys_are_not_given_again(store: LmdbStore, other: LmdbStore) -> None:
    def create(txn: Transaction) -> ApiKey:
        return api_keys.create(txn, call_in(1, now=0), api_keys.new_pair(), ())

    created = [store.update(create) for _ in range(3)]
    store.update(lambda txn: api_keys.delete(txn, 1, created[-1].key))
    bring(other, exported(store))
    assert other.update(create).id == 4


# What it writes


def test_the_first_line_says_what_it_is_and_the_last_that_it_is_whole(filled: Store) -> None:
    text = exported(filled)
    assert json.loads(text[0]) == {"monotron": "export", "version": 1}
    assert json.loads(text[-1]) == {"kind": "end"}
    kinds = [json.loads(line)["kind"] for line in text[1:]]
    assert set(kinds) == set(lines.KINDS)


def test_each_line_reads_back_as_what_it_was(filled: Store) -> None:
    for line in exporting.lines(filled):
        assert lines.from_json(lines.to_json(line)) == line


def test_many_series_and_long_histories_are_all_there(store: LmdbStore) -> None:
    """More than fit one page: of series, and of entries."""

    def take(txn: Transaction) -> None:
        for number in range(2_500):
            series.advance(txn, call_in(1, now=0), f"svc{number:05}")
        for key in ("long-a", "long-b"):
            for _ in range(exporting.PAGE_ENTRIES + 10):
                series.advance(txn, call_in(1, now=0, keep=100_000), key)

    store.update(take)
    found = [line for line in exporting.lines(store) if isinstance(line, SeriesLine)]
    keys = [line.series.key for line in found]
    assert keys == sorted(set(keys))
    assert len(keys) == 2_502
    assert [len(line.history) for line in found[:2]] == [exporting.PAGE_ENTRIES + 10] * 2


def test_each_series_is_consistent_while_it_changes(store: LmdbStore, other: LmdbStore) -> None:
    """Whatever comes between two pages: the export is one that can be imported, without a fault."""
    chance = random.Random(2)
    fill(store, chance, 300)
    text = [lines.header()]
    for line in exporting.lines(store):
        text.append(lines.to_json(line))
        fill(store, chance, 1)
    assert bring(other, text).complaints == []
    assert faults(other) == []


# The command


def test_export_prints_what_import_reads(folder: Path, tmp_path: Path) -> None:
    store = LmdbStore(folder, tables.ALL)
    fill(store, random.Random(3), 200)
    expected, everything = exported(store), rows(store)
    store.close()
    done = run("export", variables={"STORAGE_DIR": str(folder), "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split("\n") == [*expected, ""]
    (tmp_path / "lines").write_text(done.stdout, encoding="utf-8")
    there = {"STORAGE_DIR": str(tmp_path / "there")}
    done = run("import", "jsonl", str(tmp_path / "lines"), variables=there)
    assert (done.returncode, done.stderr) == (0, "")
    store = LmdbStore(tmp_path / "there", tables.ALL)
    assert rows(store) == everything
    store.close()


def test_a_file_is_for_its_owner_alone_and_never_overwritten(folder: Path, tmp_path: Path) -> None:
    LmdbStore(folder, tables.ALL).close()
    file, variables = tmp_path / "lines", {"STORAGE_DIR": str(folder)}
    done = run("export", str(file), variables=variables)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().splitlines() == [lines.header(), '{"kind":"end"}']
    file.write_text("mine")
    done = run("export", str(file), variables=variables)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"monotron: {file} cannot be created: File exists\n"
    assert file.read_text() == "mine"


def test_a_failed_export_leaves_no_file(folder: Path, tmp_path: Path) -> None:
    store = LmdbStore(folder, tables.ALL)

    def damage(txn: Transaction) -> None:
        series.advance(txn, call_in(1, now=0), "svc")
        row = txn.scan(tables.SERIES, b"", b"\xff", limit=1)[0][0]
        txn.put(tables.SERIES, row, b"\x02")

    store.update(damage)
    store.close()
    done = run("export", str(tmp_path / "lines"), variables={"STORAGE_DIR": str(folder)})
    assert done.returncode == 1
    assert "damaged" in done.stderr
    assert not (tmp_path / "lines").exists()


def test_an_export_that_cannot_be_written_fails(folder: Path) -> None:
    LmdbStore(folder, tables.ALL).close()
    with Path("/dev/full").open("w") as full:
        done = run("export", variables={"STORAGE_DIR": str(folder)}, stdout=full)
    assert done.returncode == 1
    assert re.fullmatch("monotron: the output cannot be written: .*\n", done.stderr)


def test_export_never_makes_a_store(folder: Path) -> None:
    done = run("export", variables={"STORAGE_DIR": str(folder)})
    assert done.returncode == 1
    assert "there is no store" in done.stderr
    assert not folder.exists()


def test_a_service_goes_on_meanwhile_and_every_number_answered_before_is_there(
    serve: Serve, tmp_path: Path
) -> None:
    running = serve()
    with Load(running, clients=4) as load:
        load.wait_for_more(200)
        answered = max(load.answered)
        done = run("export", variables={"STORAGE_DIR": str(running.storage_dir)})
        load.wait_for_more(50)
    assert (done.returncode, done.stderr) == (0, "")
    assert (load.unanswered, load.cut, load.broken) == (0, 0, [])
    store = MemoryStore()
    assert bring(store, done.stdout.splitlines(), keep=1_000).complaints == []
    state = store.view(lambda reading: series.get(reading, 1, "load"))
    assert state is not None
    assert answered <= state.value
    page = store.view(lambda reading: history.page(reading, state, keep=1_000, limit=1_000))
    assert len(page.items) == min(state.value, 1_000)
