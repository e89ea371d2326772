"""`monotron import csv`: a series key and its last value on each line."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from monotron.limits import DATABASE_ROW_BYTES, LAST_VALUE
from monotron.transfer import key_values
from tests.support.invariants import faults
from tests.support.memory import MemoryStore
from tests.support.moving import NOW, ImportResult, bring_items, values
from tests.support.service import run


@pytest.fixture
def here() -> Iterator[MemoryStore]:
    """The store that is imported into; at its end it has no fault."""
    store = MemoryStore()
    yield store
    assert faults(store) == []


def bring(store: MemoryStore, text: str | bytes) -> ImportResult:
    stream = io.BytesIO(text.encode() if isinstance(text, str) else text)
    return bring_items(store, key_values.read(stream, 1, NOW, lambda size: None))


@pytest.mark.parametrize(
    "text",
    [
        "shop,41\nweb,7\n",
        "shop,41\r\nweb,7",
        "key,value\nshop,41\nweb,7\n",
        "value,owner,key\n41,ada,shop\n7,,web\n",
        '"shop","41"\n\n"web","7"\n',
        b"\xef\xbb\xbfkey,value\nshop,41\nweb,7\n",
        b"\xef\xbb\xbfshop,41\nweb,7\n",
    ],
)
def test_each_line_is_a_series_whatever_program_wrote_it(
    here: MemoryStore, text: str | bytes
) -> None:
    brought = bring(here, text)
    assert brought.complaints == []
    assert here.view(values) == {(1, "shop"): 41, (1, "web"): 7}


def test_a_key_may_have_commas_and_quotes(here: MemoryStore) -> None:
    bring(here, '"a,b",1\n"say ""hi""",2\n')
    assert here.view(values) == {(1, "a,b"): 1, (1, 'say "hi"'): 2}


@pytest.mark.parametrize("text", ["shop,41\nshop,7\n", "shop,7\nshop,41\n"])
def test_of_two_lines_for_one_key_the_larger_value_counts(here: MemoryStore, text: str) -> None:
    bring(here, text)
    assert here.view(values) == {(1, "shop"): 41}


@pytest.mark.parametrize(
    "bad",
    [
        "shop",
        "shop,41,x",
        "shop;41",
        "shop,",
        "shop,-3",
        "shop,4.1",
        "shop, 41",
        "shop,\u0664",
        f"shop,{LAST_VALUE + 1}",
        ",41",
        "..,41",
        "a\x1bb,41",
        '"shop"x,41',
        "a" * 300 + ",41",
        "name,number",
    ],
)
@pytest.mark.parametrize("header", ["key,value\n", ""])
def test_a_broken_line_is_named_and_stops_nothing_else(
    here: MemoryStore, bad: str, header: str
) -> None:
    brought = bring(here, f"{header}{bad}\nweb,7\n")
    (complaint,) = brought.complaints
    assert complaint.startswith(f"line {2 if header else 1}: ")
    assert complaint.isprintable()
    assert brought.tally.broken == 1
    assert here.view(values) == {(1, "web"): 7}


def test_a_line_that_is_not_utf_8_is_broken(here: MemoryStore) -> None:
    brought = bring(here, b"caf\xe9,41\nweb,7\n")
    assert brought.tally.broken == 1
    assert here.view(values) == {(1, "web"): 7}


def test_a_line_that_is_too_long_is_broken_and_not_held(here: MemoryStore) -> None:
    brought = bring(here, "a" * 3 * DATABASE_ROW_BYTES + ",41\nweb,7\n")
    assert brought.tally.broken == 1
    assert here.view(values) == {(1, "web"): 7}


def test_a_series_at_0_has_given_nothing(here: MemoryStore) -> None:
    brought = bring(here, "shop,0\n")
    assert brought.complaints == ["line 1: skipped: the value is 0: no number has been taken yet"]
    assert here.view(values) == {}


def test_an_empty_file_has_nothing_to_import(here: MemoryStore) -> None:
    for text in ("", "\n", "key,value\n"):
        assert bring(here, text).summary == ["series      0 new, 0 raised, 0 kept"]


def test_the_command_reads_a_file_and_says_what_it_did(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "numbers.csv"
    file.write_text("shop,41\nweb,x\n")
    words = ("import", "csv", str(file), "--storage-dir", str(folder))
    stopped = run(*words, "--strict")
    assert (stopped.returncode, "stopped     before anything" in stopped.stdout) == (1, True)
    ended = run(*words)
    assert ended.returncode == 1
    assert ended.stdout == "series      1 new, 0 raised, 0 kept\nbroken      1\n"
    assert run("next", "shop", "--storage-dir", str(folder)).stdout == "42\n"
