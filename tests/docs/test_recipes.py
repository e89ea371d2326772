"""The recipes for build tools and other systems: a build gets its commit's number, or it stops."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from monotron.core.api_keys import Pair
from tests.conftest import basic, installed, need_curl
from tests.deploy.test_repository import check_schema
from tests.support import ci, shown
from tests.support import service as services
from tests.support.ci import COMMIT, no_url, odd_server, reply
from tests.support.service import Service

pytestmark = pytest.mark.same_on_each_python

ROOT = Pair("root", "secret:of ü root")
KEY = f"{ROOT.key}:{ROOT.secret}"


@dataclass(frozen=True, slots=True)
class Recipe:
    """A section of the page on build tools."""

    package: str
    """Debian's."""
    command: str
    files: dict[str, str]
    """The language of the block that each file is, in the order of the page."""
    built: str
    """What a build prints once it goes on with a number."""
    waits: tuple[str, str] = ("", "")
    """Its pauses between two tries, and shorter ones."""


TOOLS = {
    "Gradle": Recipe(
        "gradle",
        "gradle",
        {"monotron.gradle": "groovy", "build.gradle": "groovy"},
        r"building 1\.0\.(\d+)",
        ("[1, 2, 4, 8, 16, 0]", "[0, 0, 0]"),
    ),
    "Maven": Recipe("maven", "mvn", {"pom.xml": "xml"}, r"Building shop 1\.0\.(\d+)"),
    "npm": Recipe("npm", "npm", {"package.json": "json"}, r"shop-1\.0\.(\d+)\.tgz"),
    "make": Recipe("make", "make", {"Makefile": "make"}, r"building 1\.0\.(\d+)"),
    "CMake": Recipe("cmake", "cmake", {"CMakeLists.txt": "cmake"}, r"building 1\.0\.(\d+)"),
    "Ansible": Recipe(
        "ansible-core",
        "ansible-playbook",
        {"deploy.yml": "yaml"},
        r"building 1\.0\.(\d+)",
        ("delay: 5", "delay: 0"),
    ),
}
ASKING_THEMSELVES = [name for name, recipe in TOOLS.items() if recipe.waits[0]]
"""Those that do not run monotron.sh."""


def sections(path: str) -> dict[str, str]:
    """Return the sections of a page by their headings."""
    _, *found = re.split(r"^## (.+)\n", shown.page(path), flags=re.MULTILINE)
    return dict(zip(found[::2], found[1::2], strict=True))


BUILD_TOOLS = sections("docs/ci/build-tools.md")
OTHERS = sections("docs/ci/other-systems.md")


@dataclass(frozen=True, slots=True)
class Build:
    """A checkout with a recipe's files, which a tool builds."""

    name: str
    folder: Path
    home: Path

    def run(self, url: str, commit: str = COMMIT, key: str = "", script: str | None = None) -> str:
        """Return what the tool prints where the recipe's command is run, or the given one."""
        (command,) = [script] if script else shown.blocks(BUILD_TOOLS[self.name], "sh")
        variables = {
            "HOME": str(self.home),
            "GRADLE_USER_HOME": str(self.home / "gradle"),
            # Nothing that a build starts may outlive it.
            "GRADLE_OPTS": "-Dorg.gradle.daemon=false",
            "MAVEN_OPTS": f"-Duser.home={self.home}",
            "NPM_CONFIG_UPDATE_NOTIFIER": "false",
            "NO_PROXY": "*",
            "MONOTRON_URL": url,
            "MONOTRON_KEY": key,
            "MONOTRON_TRIES": "1",
        }
        # Maven's plugins for a package are not Debian's, but come from Maven Central.
        command = command.replace(" package\n", " validate\n")
        git = f"git() {{ echo '{commit}'; }}\n"
        return shown.run(git + command, None, self.folder, **variables)

    def number(self, url: str, commit: str = COMMIT, key: str = "") -> str:
        """Return the number that a build of this commit goes on with."""
        printed = self.run(url, commit, key)
        (number,) = set(re.findall(TOOLS[self.name].built, printed))
        return str(number)

    def stops(self, url: str, commit: str = COMMIT, key: str = "") -> str:
        """Return why a build stops, which must not have gone on."""
        with pytest.raises(subprocess.CalledProcessError) as ended:
            self.run(url, commit, key)
        said = f"{ended.value.stdout}{ended.value.stderr}"
        assert not re.search(TOOLS[self.name].built, said)
        return said


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where tools keep what they need again."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(params=TOOLS)
def build(request: pytest.FixtureRequest, tmp_path: Path, home: Path) -> Build:
    """A checkout for each tool in turn."""
    name: str = request.param
    recipe = TOOLS[name]
    installed(recipe.package, "MONOTRON_REQUIRE_TOOLS", recipe.command)
    need_curl()
    folder = tmp_path / "checkout"
    folder.mkdir()
    shutil.copy(ci.SCRIPT, folder)
    languages = list(recipe.files.values())
    blocks = shown.blocks(BUILD_TOOLS[name], languages[0])
    for (file, _), text in zip(recipe.files.items(), blocks, strict=True):
        (folder / file).write_text(text.replace(*recipe.waits) if recipe.waits[0] else text)
    return Build(name, folder, home)


@pytest.fixture(scope="module")
def service_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    root = {"ROOT_API_KEY": ROOT.key, "ROOT_API_SECRET": ROOT.secret}
    with services.services(tmp_path_factory.mktemp("guarded")) as start:
        yield start(variables=root)


@pytest.fixture
def guarded(service_of_module: Service) -> Service:
    """A service with authentication on, whose series `shop` is at 1041."""
    service_of_module.ask("DELETE", "/v1/series/shop", headers=basic(ROOT))
    service_of_module.ask("PUT", "/v1/series/shop", b'{"value":1041}', basic(ROOT))
    return service_of_module


def current(guarded: Service) -> tuple[str | None, int]:
    state = guarded.ask("GET", "/v1/series/shop", headers=basic(ROOT)).json
    return state["token"], state["value"]


def test_every_tool_has_a_recipe() -> None:
    assert list(BUILD_TOOLS) == list(TOOLS)


def test_a_build_has_the_number_of_its_commit(build: Build, guarded: Service) -> None:
    assert build.number(ci.at(guarded)["MONOTRON_URL"], key=KEY) == "1042"
    # So a repeat has the same.
    assert current(guarded) == (COMMIT, 1042)


def test_a_build_stops_without_a_service_and_says_why(build: Build) -> None:
    said = build.stops(no_url(), key=KEY)
    assert re.search("no answer|refused", said)
    assert ROOT.secret not in said


def test_a_build_of_no_commit_stops(build: Build, guarded: Service) -> None:
    assert build.stops(ci.at(guarded)["MONOTRON_URL"], commit="", key=KEY)
    assert current(guarded) == (None, 1041)


@pytest.mark.parametrize(
    ("build", "command"),
    [
        ("Gradle", "gradle --quiet release"),
        ("make", "make release"),
        ("CMake", "cmake -S . -B build"),
    ],
    indirect=["build"],
    ids=["Gradle", "make", "CMake"],
)
def test_a_developers_build_takes_no_number(build: Build, command: str) -> None:
    assert "building 1.0.0" in build.run(no_url(), script=command)


@pytest.mark.parametrize("build", ASKING_THEMSELVES, indirect=True)
def test_a_tool_that_asks_itself_tries_again(build: Build) -> None:
    with odd_server(reply("503 Service Unavailable"), b"", reply("200 OK", "7\n")) as odd:
        assert build.number(odd.url) == "7"
    assert len(odd.requests) == 3
    assert {request.method for request in odd.requests} == {"PUT"}


@pytest.mark.parametrize("build", ASKING_THEMSELVES, indirect=True)
def test_a_tool_that_asks_itself_takes_no_half_of_a_number(build: Build) -> None:
    with odd_server(reply("200 OK", "12")) as odd:
        assert "12" in build.stops(odd.url)
    assert len(odd.requests) == 1


# Other systems.

HANDED_ON = {
    "Azure Pipelines": "##vso[task.setvariable variable=NUMBER]1042\n",
    "TeamCity": "##teamcity[setParameter name='env.NUMBER' value='1042']\n",
    "Buildkite": "meta-data set number 1042\n",
    "CircleCI": "export NUMBER=1042\n",
    "Tekton": "1042",
}
"""What the step that takes the number hands to the next, by the rules of each system."""

SCHEMAS = {
    "Azure Pipelines": "vendor.azure-pipelines",
    "Buildkite": "vendor.buildkite",
    "CircleCI": "vendor.circle-ci",
}


def first_script(node: Any) -> str | None:
    """Return the first shell commands of a pipeline."""
    if isinstance(node, dict):
        for name in ("script", "command"):
            if isinstance(node.get(name), str):
                return str(node[name])
        node = list(node.values())
    if isinstance(node, list):
        return next(filter(None, map(first_script, node)), None)
    return None


def hand_on(system: str, url: str, folder: Path) -> tuple[int, str, str]:
    """Run the step that takes the number; return its exit status, what it hands on, and its log."""
    (block,) = shown.blocks(OTHERS[system], "yaml") or shown.blocks(OTHERS[system], "sh")
    script = block if system == "TeamCity" else first_script(yaml.safe_load(block))
    assert script is not None
    # Before a shell has it, Buildkite and Tekton fill in what they know.
    script = script.replace("$$", "$").replace("$(results.number.path)", "handed-on")
    shutil.copy(ci.SCRIPT, folder)
    (folder / "buildkite-agent").write_text('#!/bin/sh\necho "$@" >>handed-on\n')
    (folder / "buildkite-agent").chmod(0o755)
    variables = {"BUILD_SOURCEVERSION": COMMIT, "BUILD_VCS_NUMBER": COMMIT, "CIRCLE_SHA1": COMMIT}
    variables |= {"SERIES": "shop", "TOKEN": COMMIT, "BASH_ENV": "handed-on"}
    variables |= {"MONOTRON_URL": url, "MONOTRON_KEY": KEY, "MONOTRON_TRIES": "1"}
    place = ci.Place.make(folder / "place")
    text = f"PATH=$PWD:$PATH\ngit() {{ echo {COMMIT}; }}\n{script}"
    # Buildkite and CircleCI run a step with -e; with the others, the script says so.
    option = ["-e"] if system in ("Buildkite", "CircleCI") else []
    done = subprocess.run(
        ["sh", *option, "-c", text],
        cwd=folder,
        env=place.environment(variables),
        capture_output=True,
        text=True,
        check=False,
    )
    file = folder / "handed-on"
    handed_on = done.stdout + (file.read_text() if file.exists() else "")
    return done.returncode, handed_on, done.stderr


def test_every_other_system_says_that_it_is_not_run_here() -> None:
    assert [name for name, text in OTHERS.items() if "*Not run here.*" not in text] == []
    assert set(OTHERS) == {*HANDED_ON, "PowerShell"}


@pytest.mark.parametrize("system", HANDED_ON)
def test_the_step_of_another_system_hands_on_its_commits_number(
    system: str, guarded: Service, tmp_path: Path
) -> None:
    status, handed_on, log = hand_on(system, ci.at(guarded)["MONOTRON_URL"], tmp_path)
    assert (status, log) == (0, "")
    assert HANDED_ON[system] in handed_on
    assert current(guarded) == (COMMIT, 1042)


@pytest.mark.parametrize("system", HANDED_ON)
def test_the_step_of_another_system_fails_without_a_number(system: str, tmp_path: Path) -> None:
    status, handed_on, log = hand_on(system, no_url(), tmp_path)
    assert (status, handed_on) == (1, "")
    assert "monotron: http://127.0.0.1:" in log


@pytest.mark.parametrize("system", SCHEMAS)
def test_a_pipeline_keeps_to_the_schema_of_its_system(system: str, tmp_path: Path) -> None:
    (block,) = shown.blocks(OTHERS[system], "yaml")
    (tmp_path / "pipeline.yml").write_text(block)
    done = check_schema(tmp_path / "pipeline.yml", SCHEMAS[system])
    assert done.returncode == 0, done.stdout + done.stderr
