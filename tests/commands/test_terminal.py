"""What a person sees: help, tables, questions and completion."""

import argparse
import json
import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from monotron.cli import whole_parser
from monotron.core import series, tables
from monotron.store.lmdb import LmdbStore
from tests.conftest import from_test_extra
from tests.support.calls import call_in
from tests.support.service import COMMAND, PATIENCE, environment, run


def leaves(
    parser: argparse.ArgumentParser, name: str = ""
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Return the parser of each command that does something."""
    nested = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    if not nested:
        yield name.strip(), parser
    for each in nested:
        for inner, command in each.choices.items():
            yield from leaves(command, f"{name} {inner}")


LEAVES = dict(leaves(whole_parser()))


@pytest.mark.parametrize("name", LEAVES)
def test_every_argument_has_its_line_of_help(name: str) -> None:
    assert [each.dest for each in LEAVES[name]._actions if not each.help] == []


AS_SHOWN = """
monotron() { printf '%s\\n' "$@"; }
git() { echo f00d; }
"""
"""A shell that prints a command's arguments instead of running it."""


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_has_an_example_that_it_understands(name: str) -> None:
    lines = (LEAVES[name].epilog or "").splitlines()
    assert lines[0] == "example:"
    for line in lines[1:]:
        assert f"monotron {name}" in line
        split = subprocess.run(
            [
                "sh",
                "-c",
                f"monotron() {{ printf '%s\\n' \"$@\"; }}; git() {{ echo f00d; }}; {line}",
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        if not line.strip().startswith("eval "):
            assert whole_parser().parse_args(split.stdout.splitlines()).run


def test_the_command_alone_shows_what_can_be_done() -> None:
    ended = run()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == run("--help").stdout
    examples = ended.stdout.partition("\nexamples:\n")[2].splitlines()
    assert len(examples) == 3
    assert all(line.startswith("  monotron ") for line in examples)


def test_the_version_has_a_short_flag() -> None:
    assert run("-V").stdout == run("--version").stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a store with two series."""
    store = LmdbStore(tmp_path / "data", tables.ALL)
    call = call_in(1, now=1_764_192_000_000_000)
    store.update(lambda txn: series.advance(txn, call, "shop", token="7d4c379588"))
    store.update(lambda txn: series.advance(txn, call, "a-long-name", count=1000))
    store.close()
    return tmp_path / "data"


def on_terminal(folder: Path, *arguments: str, typed: str = "") -> tuple[int, str]:
    """Run a command on a terminal; return its status and what is on the terminal then."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment({"STORAGE_DIR": str(folder)}),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        os.write(ours, typed.encode())
        shown = b""
        try:
            while read := os.read(ours, 4096):
                shown += read
        except OSError:
            # Nobody has the terminal open any more (EIO).
            pass
        os.close(ours)
        status = process.wait(PATIENCE)
    return status, shown.decode().replace("\r\n", "\n")


def test_a_list_has_columns_on_a_terminal_and_tabs_elsewhere(folder: Path) -> None:
    status, shown = on_terminal(folder, "list")
    assert (status, shown) == (
        0,
        "KEY          VALUE  TOKEN\na-long-name  1000\nshop         1      7d4c379588\n",
    )
    piped = run("list", variables={"STORAGE_DIR": str(folder)}).stdout
    assert piped == "a-long-name\t1000\t\nshop\t1\t7d4c379588\n"


def test_no_series_is_no_table(folder: Path) -> None:
    assert on_terminal(folder, "list", "--prefix", "none") == (0, "")


@pytest.mark.parametrize(
    ("typed", "left"), [("y\n", 0), ("yes\n", 0), ("\n", 1), ("n\n", 1), ("\4", 1)]
)
def test_a_deletion_asks_first(folder: Path, typed: str, left: int) -> None:
    status, shown = on_terminal(folder, "delete", "shop", typed=typed)
    assert "Delete 'shop', which is at 1, with its history?" in shown
    assert status == left
    assert ("nothing was deleted" in shown) == bool(left)
    assert "Traceback" not in shown
    still = run("get", "shop", variables={"STORAGE_DIR": str(folder)})
    assert still.stdout == "1\n" * left


def test_a_series_without_a_value_is_not_asked_about(folder: Path) -> None:
    assert on_terminal(folder, "delete", "none") == (
        1,
        "monotron: the series 'none' has no value yet\n",
    )


COMPLETE = """
eval "$(monotron completion bash)"
complete_words() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
    COMPREPLY=()
    "$(complete -p monotron | sed 's/.*-F \\([^ ]*\\).*/\\1/')" monotron "${@: -1}" "${@: -2:1}"
    echo "${COMPREPLY[@]}"
}
complete_words monotron ne
complete_words monotron version shop m
complete_words monotron next --to
complete_words monotron import ''
"""


def test_bash_completes_commands_choices_and_flags() -> None:
    path = os.pathsep.join([str(Path(from_test_extra("monotron")).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "--norc", "--noprofile", "-c", COMPLETE],
        env=environment({"PATH": path}),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stderr == ""
    commands, parts, flags, sources = done.stdout.splitlines()
    assert (commands, parts, flags) == ("next", "major minor", "--token")
    assert {"jsonl", "monotron", "buildnumber"} <= set(sources.split())


def test_keys_can_be_read_by_programs(folder: Path) -> None:
    variables = {"STORAGE_DIR": str(folder)}
    wanted = ("read:series", "--name", "jenkins", "--expires", "90d")
    made = json.loads(run("keys", "create", *wanted, "--json", variables=variables).stdout)
    assert made.keys() == {"key", "secret"}
    (listed,) = run("keys", "list", "--json", variables=variables).stdout.splitlines()
    members = json.loads(listed)
    assert (members["key"], members["scopes"], members["name"]) == (
        made["key"],
        ["read:series"],
        "jenkins",
    )
    assert members["created_at"] < members["expires_at"]
    status, shown = on_terminal(folder, "keys", "list")
    assert (status, shown.split()[:6]) == (0, ["ID", "KEY", "CREATED", "SCOPES", "NAME", "EXPIRES"])


def test_what_a_check_finds_can_be_read_by_programs(folder: Path) -> None:
    variables = {"STORAGE_DIR": str(folder)}
    found = json.loads(run("check", "--json", variables=variables).stdout)
    assert (found["target"], found["whole"], found["problems"]) == (str(folder), True, [])
    assert (found["rows"]["series"], found["remarks"]) == (2, [])
    (folder / "data.mdb").write_bytes(b"\0" * 8192)
    damaged = run("check", "--json", variables=variables)
    found = json.loads(damaged.stdout)
    assert (damaged.returncode, found["whole"], found["rows"]) == (1, False, {})
    assert found["problems"]
