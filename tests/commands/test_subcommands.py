"""The subcommands: each is found by its name, and imports only what it needs."""

import os
import pkgutil
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from monotron import commands
from monotron.cli import subcommand
from monotron.commands import SUBCOMMANDS
from monotron.core import tables
from monotron.store.lmdb import LmdbStore
from tests.support.service import run

HEAVY = {"falcon", "prometheus_client", "uvloop", "greenlet", "httptools", "waitress", "tqdm"}
HEAVY |= {"pythonjsonlogger"}
"""Modules that take as long to import as the rest of a command."""

NEEDED = {
    "serve": {"falcon", "prometheus_client"},
    "import": {"tqdm"},
    "export": {"tqdm"},
}


def imported(folder: Path, *arguments: str) -> set[str]:
    """Return the top-level packages that a child process imports for a command."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "monotron", *arguments],
        env={**os.environ, "STORAGE_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(re.findall(r"^import time:[^|]*\|[^|]*\| +(\w+)", done.stderr, re.MULTILINE))


def test_next_imports_neither_server_nor_framework(tmp_path: Path) -> None:
    LmdbStore(tmp_path, tables.ALL).close()
    packages = imported(tmp_path, "next", "x")
    assert {"lmdb", "monotron"} <= packages
    assert packages & HEAVY == set()


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_a_subcommand_imports_only_what_it_needs(tmp_path: Path, name: str) -> None:
    assert imported(tmp_path, name, "--help") & HEAVY == NEEDED.get(name, set())


def test_help_names_every_subcommand_and_imports_none(tmp_path: Path) -> None:
    packages = imported(tmp_path, "--help")
    assert packages & (HEAVY | {"lmdb"}) == set()


def test_every_module_with_arguments_is_a_subcommand() -> None:
    names = [each.name for each in pkgutil.iter_modules(commands.__path__)]
    modules = {import_module(f"monotron.commands.{name}") for name in names}
    with_arguments = {module for module in modules if hasattr(module, "add_arguments")}
    assert with_arguments == {subcommand(name) for name in SUBCOMMANDS}


@pytest.mark.parametrize("count", ["1_0", "+1", " 1", "\u0661", "1.0", "", "-", "9" * 1_001])
def test_what_is_no_whole_number_in_digits_takes_nothing(tmp_path: Path, count: str) -> None:
    LmdbStore(tmp_path, tables.ALL).close()
    variables = {"STORAGE_DIR": str(tmp_path)}
    refused = run("next", "x", f"--count={count}", variables=variables)
    assert refused.returncode == 2
    assert "--count: it must be a whole number" in refused.stderr
    assert run("next", "x", variables=variables).stdout == "1\n"
