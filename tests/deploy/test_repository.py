"""The repository's files for developers are valid, and match the rest."""

import os
import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import editorconfig
import pytest
import yaml

from tests.conftest import from_test_extra, installed
from tests.support import ci
from tests.support.shown import ROOT, page, repository_files

pytestmark = pytest.mark.same_on_each_python

SCHEMAS = {
    ".github/ISSUE_TEMPLATE/bug.yml": "vendor.github-issue-forms",
    ".github/ISSUE_TEMPLATE/config.yml": "vendor.github-issue-config",
    ".github/ISSUE_TEMPLATE/feature.yml": "vendor.github-issue-forms",
    ".github/dependabot.yml": "vendor.dependabot",
    ".github/workflows/release.yml": "vendor.github-workflows",
    ".github/workflows/test.yml": "vendor.github-workflows",
    "action.yml": "vendor.github-actions",
    "clients/gitlab/monotron.yml": "vendor.gitlab-ci",
}
WORKFLOWS = [path for path, schema in SCHEMAS.items() if schema == "vendor.github-workflows"]
HOOKS = ".pre-commit-config.yaml"


def run(*command: str, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def passes(*command: str, cwd: Path = ROOT, **variables: str) -> None:
    done = run(*command, cwd=cwd, **variables)
    assert done.returncode == 0, done.stdout + done.stderr


def check_schema(path: str | Path, schema: str) -> subprocess.CompletedProcess[str]:
    transform = ["--data-transform", "gitlab-ci"] if schema == "vendor.gitlab-ci" else []
    checker = [sys.executable, "-m", "check_jsonschema"]
    return run(*checker, "--builtin-schema", schema, *transform, str(path))


def load(path: str) -> Any:
    # YAML 1.1 takes GitHub's `on` for true.
    return yaml.load(page(path).replace("\non:\n", '\n"on":\n'), yaml.SafeLoader)


# GitHub


@pytest.mark.parametrize("path", SCHEMAS)
def test_a_file_keeps_to_the_schema_of_its_kind(path: str) -> None:
    done = check_schema(path, SCHEMAS[path])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("schema", sorted(set(SCHEMAS.values())))
def test_a_schema_refuses_what_is_of_no_kind(schema: str, tmp_path: Path) -> None:
    (tmp_path / "other.yml").write_text("jobs: {build: {stage: 7}}\nbody: 7\nversion: '1'\n")
    done = check_schema(tmp_path / "other.yml", schema)
    assert done.returncode == 1
    assert "Schema validation errors were encountered" in done.stdout


def test_the_component_keeps_to_the_schema_with_its_inputs_filled_in(tmp_path: Path) -> None:
    head = next(yaml.safe_load_all(ci.COMPONENT.read_text()))
    pipeline = ci.gitlab_component({"url": "https://monotron.example.com", "series": "shop"})
    for name, document in (("head", head), ("pipeline", pipeline)):
        (tmp_path / f"{name}.yml").write_text(yaml.safe_dump(document))
        done = check_schema(tmp_path / f"{name}.yml", "vendor.gitlab-ci")
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_file_for_github_has_a_schema() -> None:
    found = {path for path in repository_files() if path.startswith(".github/")}
    assert found - SCHEMAS.keys() == {".github/PULL_REQUEST_TEMPLATE.md"}


def test_zizmor_finds_nothing_in_the_workflows() -> None:
    checked = [*WORKFLOWS, ".github/dependabot.yml", "action.yml"]
    passes(from_test_extra("zizmor"), "--offline", "--no-progress", *checked)


@pytest.mark.parametrize("path", WORKFLOWS)
def test_no_job_runs_without_end(path: str) -> None:
    jobs = load(path)["jobs"].values()
    assert all("timeout-minutes" in job for job in jobs if "steps" in job)


def test_the_workflow_tests_each_python_that_is_promised() -> None:
    said = ConfigParser()
    said.read(ROOT / "setup.cfg")
    classifiers = said["metadata"]["classifiers"]
    promised = re.findall(r"Programming Language :: Python :: (3\.\d+)", classifiers)
    matrix = load(".github/workflows/test.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["python"] == promised
    assert said["options"]["python_requires"] == f">={promised[0]}"


def test_a_release_is_tested_first() -> None:
    jobs = load(".github/workflows/release.yml")["jobs"]
    assert jobs["test"]["uses"] == "./.github/workflows/test.yml"
    assert all(job["needs"] == "test" for name, job in jobs.items() if name != "test")


def test_only_a_tag_makes_a_release() -> None:
    assert load(".github/workflows/release.yml")["on"] == {"push": {"tags": ["v*"]}}


def test_a_missing_program_fails_in_the_workflow_as_in_our_own_run() -> None:
    (step,) = [
        step
        for step in load(".github/workflows/test.yml")["jobs"]["test"]["steps"]
        if step.get("run") == "make test"
    ]
    required = r"MONOTRON_REQUIRE_[A-Z]+"
    tests = [path for path in repository_files() if re.fullmatch(r"tests/.*\.py", path)]
    used = {name for path in tests for name in re.findall(required, page(path))}
    assert set(step["env"]) == set(re.findall(required, page(".ci/run"))) == used


# make


def targets() -> set[str]:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", page("Makefile"), re.MULTILINE)
    return set(phony.split())


@pytest.mark.parametrize(
    "path", [*WORKFLOWS, ".ci/run", ".github/PULL_REQUEST_TEMPLATE.md", "CONTRIBUTING.md", HOOKS]
)
def test_every_target_that_is_named_exists(path: str) -> None:
    named = set(re.findall(r"(?:\brun: |`|^)make ([a-z-]+)", page(path), re.MULTILINE))
    assert named <= targets(), named - targets()


# pre-commit


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The repository of a developer who has run `make .venv/test`."""
    git = installed("git", "MONOTRON_REQUIRE_GIT", "git")
    for name in repository_files():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
        (tmp_path / name).chmod((ROOT / name).stat().st_mode)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    passes(git, "init", "--quiet", cwd=tmp_path)
    passes(git, "add", "--all", cwd=tmp_path)
    return tmp_path


def pre_commit(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # `make types` has the same done before, and it takes its time.
    variables = {"SKIP": "mypy", "PRE_COMMIT_HOME": str(checkout / ".git" / "pre-commit")}
    program = from_test_extra("pre-commit")
    return run(program, *arguments, "--color=never", cwd=checkout, **variables)


def test_the_hooks_are_valid_and_find_nothing(checkout: Path) -> None:
    done = pre_commit(checkout, "run", "--all-files")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Passed") == len(load(HOOKS)["repos"][0]["hooks"]) - 1


def test_the_hooks_find_what_is_wrong(checkout: Path) -> None:
    (checkout / "bench" / "load.py").write_text("import os\nx=  1\n")
    (checkout / ".ci" / "run").write_text("#!/bin/sh\ncd $1\n")
    done = pre_commit(checkout, "run", "--all-files")
    assert done.returncode == 1
    assert re.findall(r"^(\w+(?: \w+)?)\.+Failed$", done.stdout, re.MULTILINE) == [
        "ruff check",
        "ruff format",
        "shellcheck",
    ]


def test_the_hooks_check_what_make_checks() -> None:
    """Each program of `make lint` and `make types` has a hook, and so has shellcheck."""
    recipes = re.search(r"^lint:.*?(?=^tests:)", page("Makefile"), re.DOTALL | re.MULTILINE)
    assert recipes is not None
    made = set(re.findall(r"\$\(BIN\)/(\w+(?: check| format)?)", recipes[0]))
    (repo,) = load(HOOKS)["repos"]
    hooked = {re.sub(r"^\.venv/bin/| --.*", "", hook["entry"]) for hook in repo["hooks"]}
    assert repo["repo"] == "local", "versions stand in constraints.txt alone"
    assert hooked == made | {"shellcheck"}


# .editorconfig


def texts() -> list[str]:
    return sorted(path for path in repository_files() if not path.endswith(".png"))


def test_every_file_is_written_as_editorconfig_says() -> None:
    wrong = [fault for path in texts() for fault in faults(path, (ROOT / path).read_bytes())]
    assert wrong == []


@pytest.mark.parametrize(
    ("path", "data", "fault"),
    [
        ("a.py", b"x = 1", "no newline at its end"),
        ("a.py", b"x = 1\r\n", "a carriage return"),
        ("a.py", b"x = 1 \n", "a space at a line's end"),
        ("a.py", b"if x:\n\ty = 1\n", "a tab"),
        ("a.py", b"x = '\xff'\n", "not UTF-8"),
    ],
)
def test_a_file_that_is_written_otherwise_is_found(path: str, data: bytes, fault: str) -> None:
    assert faults(path, data) == [f"{path}: {fault}"]


def faults(path: str, data: bytes) -> list[str]:
    asked = editorconfig.get_properties(str(ROOT / path))
    assert asked["charset"] == "utf-8"
    assert asked["end_of_line"] == "lf"
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return [f"{path}: not UTF-8"]
    lines = text.split("\n")
    found = {
        "no newline at its end": asked["insert_final_newline"] == "true" and lines[-1] != "",
        "a carriage return": "\r" in text,
        "a space at a line's end": asked["trim_trailing_whitespace"] == "true"
        and any(line.rstrip("\r") != line.rstrip("\r").rstrip(" \t") for line in lines),
        "a tab": asked["indent_style"] == "space" and any(line[:1] == "\t" for line in lines),
    }
    return [f"{path}: {fault}" for fault, there in found.items() if there]


def test_the_limit_of_a_line_is_that_of_ruff() -> None:
    (limit,) = re.findall(r"^line-length = (\d+)$", page("pyproject.toml"), re.MULTILINE)
    assert editorconfig.get_properties(str(ROOT / "a.py"))["max_line_length"] == limit


# CONTRIBUTING.md


def test_every_file_that_contributing_names_exists() -> None:
    path = r"`([\w.-]+(?:/[\w.-]*)+|\w+\.(?:py|md|txt|cfg|toml))`"
    named = {
        name
        for name in re.findall(path, page("CONTRIBUTING.md"))
        if not name.startswith((".venv/", "build/"))
    }
    assert len(named) > 10
    missing = [name for name in named if not (ROOT / name).exists()]
    assert missing == []


def test_contributing_says_where_each_kind_goes() -> None:
    for kind in ("engine", "route", "setting", "metric", "subcommand"):
        assert f"\n| {kind} | " in page("CONTRIBUTING.md")
