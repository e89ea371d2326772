"""A checkout by a git that converts line ends to Windows' works like any other."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.conftest import installed
from tests.support import ci
from tests.support.ci import CLIENTS, ROOT, SHELLS, Place, at, no_url
from tests.support.service import PATIENCE, Service

pytestmark = pytest.mark.same_on_each_python


NO_CONFIGURATION = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
COMPLAINT = 'monotron.sh has CRLF line ends: git needs "*.sh text eol=lf" in .gitattributes'


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone of these very files, made with `core.autocrlf`."""
    git = installed("git", "MONOTRON_REQUIRE_GIT", "git")
    folder = tmp_path_factory.mktemp("git")
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}

    def run(*words: str) -> None:
        subprocess.run(
            [git, *words], env=variables | NO_CONFIGURATION, cwd=ROOT, check=True, timeout=PATIENCE
        )

    repository, checkout = folder / "repository.git", folder / "checkout"
    run("init", "--quiet", "--bare", str(repository))
    # A separate bare repository, so that nothing of the real one is read or written.
    ours = (f"--git-dir={repository}", f"--work-tree={ROOT}", "-c", "core.bare=false")
    run(*ours, "add", "--all")
    person = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    run(*ours, *person, "commit", "--quiet", "--message=All files")
    run("clone", "--quiet", "-c", "core.autocrlf=true", str(repository), str(checkout))
    return checkout


@pytest.fixture
def with_crlf(tmp_path: Path) -> Path:
    """Return a copy of the clients in which all files have the line ends of Windows."""
    copy = tmp_path / "clients"
    shutil.copytree(CLIENTS, copy)
    for path in copy.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    return copy


def test_no_file_is_changed_by_a_checkout(checkout: Path) -> None:
    files = [path.relative_to(checkout) for path in checkout.rglob("*") if path.is_file()]
    found = [path for path in files if path.parts[0] != ".git"]
    names = {str(path) for path in found}
    assert {"clients/monotron.sh", ".ci/run", "Makefile", "docs/dashboard/list.png"} <= names
    changed = [
        path for path in found if (checkout / path).read_bytes() != (ROOT / path).read_bytes()
    ]
    assert changed == []


@pytest.mark.parametrize("shell", SHELLS)
def test_script_of_a_checkout_gets_a_number(
    checkout: Path, service: Service, tmp_path: Path, shell: str
) -> None:
    place = Place.make(tmp_path / "place")
    words = [str(checkout / "clients" / "monotron.sh"), "next", f"from {shell}"]
    for command in ([*SHELLS[shell], *words], words):
        status, out, err = place.run(command, at(service))
        assert (status, err) == (0, "")
        assert out.strip().isdigit()


@pytest.mark.parametrize("shell", SHELLS)
def test_script_with_the_line_ends_of_windows_says_so(
    with_crlf: Path, tmp_path: Path, shell: str
) -> None:
    place = Place.make(tmp_path / "place")
    command = [*SHELLS[shell], str(with_crlf / "monotron.sh"), "next", "shop"]
    outcome = place.run(command, {"MONOTRON_URL": no_url()})
    assert outcome == (2, "", f"monotron: {COMPLAINT}\n")


@pytest.mark.parametrize("key", ["shop", "größe"])
def test_jenkins_library_with_the_line_ends_of_windows_says_so(
    with_crlf: Path, tmp_path: Path, key: str
) -> None:
    with ci.jenkins(tmp_path / "place") as jenkins:
        done = jenkins.build(
            "return monotron.next(args[0])",
            {"MONOTRON_URL": no_url()},
            args=(key,),
            library=with_crlf / "jenkins",
        )
    assert done["failure"] is not None
    assert f"monotron: {COMPLAINT}\n" in done["log"]


@pytest.mark.parametrize("path", [ci.ACTION, ci.COMPONENT, ci.TEMPLATE], ids=lambda path: path.name)
def test_what_is_yaml_has_the_same_script_with_any_line_ends(path: Path) -> None:
    text = path.read_bytes()
    converted = text.replace(b"\n", b"\r\n")
    assert list(yaml.safe_load_all(converted)) == list(yaml.safe_load_all(text))
