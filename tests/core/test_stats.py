"""`monotron stats` counts what is stored, and shows what should be watched."""

import json
import multiprocessing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from monotron.core import attributes, series, tables
from monotron.store.contract import Reading
from monotron.store.lmdb import MAP_SIZE, LmdbStore
from tests.core.test_check import fill
from tests.support.calls import call_in
from tests.support.service import PATIENCE, Load, Serve, run

spawning = multiprocessing.get_context("spawn")


def figures(folder: Path) -> dict[str, Any]:
    """Return what `monotron stats --json` prints."""
    ended = run("stats", "--json", variables={"STORAGE_DIR": str(folder)})
    assert (ended.returncode, ended.stderr) == (0, "")
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


@pytest.fixture
def filled(folder: Path) -> Path:
    """A storage folder with some of everything."""
    store = LmdbStore(folder, tables.ALL)
    store.update(fill)
    store.close()
    return folder


def test_everything_is_counted(filled: Path) -> None:
    found = figures(filled)
    assert {name: found[name] for name in list(found)[:8]} == {
        "series": 9,
        "history_rows": 11,
        # 100 of shop, 107 of ranges, 6 of the versions, 1 of the other account.
        "history_values": 214,
        "attributes": 66,
        "versions": 4,
        "accounts": 2,
        "api_keys": 2,
        "retries": 2,
    }


def test_pages_add_up_to_the_file(filled: Path) -> None:
    found = figures(filled)
    size = (filled / "data.mdb").stat().st_size
    assert found["file_bytes"] == size
    pages = found["pages_used"] + found["pages_free"]
    assert pages * found["page_bytes"] == found["map_used_bytes"] == size
    assert found["map_bytes"] == MAP_SIZE


def test_pages_that_were_freed_are_counted_as_free(filled: Path) -> None:
    before = figures(filled)
    store = LmdbStore(filled, tables.ALL)
    store.update(lambda txn: attributes.delete_all(txn, 1, "shop"))
    store.close()
    after = figures(filled)
    # The large one had its own 17 pages.
    assert after["pages_used"] <= before["pages_used"] - 16
    assert after["pages_free"] >= before["pages_free"] + 16
    assert after["commits"] == before["commits"] + 1


def test_an_empty_store_has_one_account_and_nothing_else(folder: Path) -> None:
    LmdbStore(folder, tables.ALL).close()
    found = figures(folder)
    counted = {name: found[name] for name in list(found)[:8]}
    assert counted.pop("accounts") == 1
    assert set(counted.values()) == {0}
    assert (found["readers"], found["oldest_reader_behind"]) == (0, 0)


def view_until_told(path: Path, pipe: Connection) -> None:
    def read(reading: Reading) -> None:
        pipe.send("reads")
        pipe.recv()

    LmdbStore(path, tables.ALL).view(read)


@pytest.mark.long
def test_the_oldest_reader_is_shown_with_its_distance(filled: Path) -> None:
    ours, theirs = spawning.Pipe()
    child = spawning.Process(target=view_until_told, args=(filled, theirs))
    child.start()
    try:
        assert ours.poll(PATIENCE)
        store = LmdbStore(filled, tables.ALL)
        for _ in range(5):
            store.update(lambda txn: series.advance(txn, call_in(1, now=0), "shop"))
        store.close()
        found = figures(filled)
        assert (found["readers"], found["oldest_reader_behind"]) == (1, 5)
        ours.send("enough")
        child.join(PATIENCE)
        found = figures(filled)
        assert (found["readers"], found["oldest_reader_behind"]) == (0, 0)
    finally:
        child.kill()
        child.join()


def test_the_text_has_the_same_figures_in_columns(filled: Path) -> None:
    ended = run("stats", variables={"STORAGE_DIR": str(filled)})
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    read = {line[:-13].rstrip(): int(line[-13:]) for line in lines}
    assert read == {name.replace("_", " "): number for name, number in figures(filled).items()}
    assert len({len(line) for line in lines}) == 1


@pytest.mark.long
def test_stats_work_beside_a_busy_service(serve: Serve, folder: Path) -> None:
    running = serve("--workers", "2")
    with Load(running, clients=8) as load:
        load.wait_for_more(100)
        first = figures(folder)
        load.wait_for_more(100)
        second = figures(folder)
    assert (load.unanswered, load.cut, load.broken) == (0, 0, [])
    assert 100 <= first["history_values"] <= len(load.answered)
    assert first["commits"] < second["commits"]
    assert first["series"] == second["series"] == 1


def test_where_there_is_no_store_stats_fail_and_make_nothing(tmp_path: Path) -> None:
    ended = run("stats", variables={"STORAGE_DIR": str(tmp_path)})
    assert (ended.returncode, ended.stdout) == (1, "")
    assert str(tmp_path) in ended.stderr
    assert list(tmp_path.iterdir()) == []
