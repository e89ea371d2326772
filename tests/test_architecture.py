"""Imports go one way: cli -> commands -> server, app -> api -> core -> the store's contract."""

import ast
import re
import sys
from pathlib import Path

import pytest

from monotron.core import tables

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "monotron").rglob("*.py"))

MAY_IMPORT = {
    "monotron": set[str](),
    "errors": set[str](),
    "digits": set[str](),
    "limits": set[str](),
    "measures": set[str](),
    "json_lines": set[str](),
    "logs": {"json_lines"},
    "threads": {"errors"},
    "waiting": set[str](),
    "setting": {"digits"},
    "address": set[str](),
    "settings": {"setting", "address", "errors", "limits"},
    "contract": {"contract", "errors"},
    "engine": {"engine", "address", "contract", "errors", "threads", "waiting"},
    "opening": {"engine", "address", "contract", "core", "settings", "waiting"},
    "core": {"core", "contract", "errors", "digits", "limits"},
    "transfer": {"transfer", "core", "contract", "errors", "digits", "limits"},
    "web": set[str](),
    "http": {"http", "limits"},
    "api": {"api", "http", "core", "contract", "limits", "logs", "measures", "monotron"},
    "app": {"api", "core", "contract", "measures", "settings"},
    "server": {"server", "http", "errors", "limits", "logs", "measures", "settings", "threads"}
    | {"monotron", "waiting"},
    "client": {"client", "monotron", "digits", "errors"},
    "health": {"errors", "settings"},
    "commands": {"commands", "server", "app", "opening", "transfer", "core", "contract", "engine"}
    | {"address", "client", "digits", "errors", "limits", "logs", "measures", "settings"}
    | {"waiting"},
    "cli": {"commands", "errors", "logs", "settings", "monotron"},
    "__main__": {"cli"},
}
"""The parts that each part of the package may import. A new part needs a line here."""

ONLY_IN = {
    "falcon": {"api", "app"},
    "google": {"engine"},
    "greenlet": {"server"},
    "grpc": {"engine"},
    "httptools": {"server"},
    "lmdb": {"engine"},
    "orjson": {"api"},
    "prometheus_client": {"api"},
    "pythonjsonlogger": {"json_lines"},
    "shtab": {"commands"},
    "tqdm": {"commands"},
    "uvloop": {"server"},
    "waitress": {"server"},
}
"""The libraries, and the parts that may import them."""

HTTP = {"falcon", "http", "wsgiref", "urllib", "waitress", "socket", "socketserver"}


def part(module: str) -> str:
    """Return the part of the package that one of our modules belongs to."""
    names = module.split(".")
    if len(names) == 1:
        return "monotron"
    if names[1] != "store":
        return names[1]
    if names[2:] in ([], ["contract"], ["paging"]):
        return "contract"
    return "address" if names[2:] == ["etcd", "address"] else "engine"


def module_of(file: Path) -> str:
    names = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


def imported(file: Path) -> set[str]:
    """Return every module that a file imports, anywhere in it."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            assert node.module is not None
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                modules.add(inside if is_module(inside) else node.module)
    return modules


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or path.is_dir()


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_imports_point_one_way(file: Path) -> None:
    here = part(module_of(file))
    ours = {module for module in imported(file) if module.split(".")[0] == "monotron"}
    wrong = {module for module in ours if part(module) not in MAY_IMPORT[here]}
    assert wrong == set()


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_libraries_stay_where_they_belong(file: Path) -> None:
    here = part(module_of(file))
    libraries = {module.split(".")[0] for module in imported(file)}
    assert {name for name in libraries & set(ONLY_IN) if here not in ONLY_IN[name]} == set()


@pytest.mark.parametrize(
    "file", [file for file in FILES if part(module_of(file)) in ("core", "contract")], ids=module_of
)
def test_the_rules_know_nothing_of_http_or_an_engine(file: Path) -> None:
    libraries = {module.split(".")[0] for module in imported(file)}
    assert libraries & (HTTP | {"lmdb"}) == set()


@pytest.mark.parametrize(
    "file",
    [file for file in FILES if part(module_of(file)) in ("contract", "engine")],
    ids=module_of,
)
def test_the_store_knows_no_noun_of_the_product(file: Path) -> None:
    nouns = [re.escape(table.decode()) for table in tables.ALL if table != tables.SYSTEM]
    # What etcd calls a token lets a user in.
    nouns += [] if module_of(file) == "monotron.store.etcd.client" else ["token"]
    assert not re.findall(rf"\b({'|'.join(nouns)})\b", file.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "file", [file for file in FILES if part(module_of(file)) == "client"], ids=module_of
)
def test_the_client_needs_the_standard_library_alone(file: Path) -> None:
    tops = {module.split(".")[0] for module in imported(file)}
    assert tops - sys.stdlib_module_names <= {"monotron"}
    # Nor what only some systems have.
    assert tops & {"fcntl", "grp", "pwd", "resource", "termios"} == set()


def test_one_module_names_the_engine_that_is_opened() -> None:
    engines = {"monotron.store.lmdb", "monotron.store.read_only", "monotron.store.etcd.store"}
    naming = {module_of(file) for file in FILES if imported(file) & engines}
    assert {name for name in naming if part(name) != "engine"} == {"monotron.opening"}


def test_every_part_is_looked_at_and_no_arrow_is_allowed_that_nothing_needs() -> None:
    needed: dict[str, set[str]] = {}
    for file in FILES:
        ours = {part(each) for each in imported(file) if each.split(".")[0] == "monotron"}
        needed.setdefault(part(module_of(file)), set()).update(ours)
    beyond = {name: parts - {name} for name, parts in needed.items()}
    assert beyond == {name: parts - {name} for name, parts in MAY_IMPORT.items()}
