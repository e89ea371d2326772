"""The sdist and the wheel have everything they need, and correct metadata."""

import json
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from importlib import metadata
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from readme_renderer import markdown

from monotron import __version__
from tests.conftest import from_test_extra
from tests.support.service import Service, environment, services
from tests.support.shown import ROOT, page, repository_files

pytestmark = pytest.mark.xdist_group("distribution")

SECRETS = [".env", "deploy/traefik/.env", "deploy/traefik/secrets/root", "data/data.mdb"]
"""Files that git ignores, and that a developer may have when making a release."""

SOURCE = "https://git.example.com/ada/monotron"

BUILD = ("-m", "build", "--no-isolation")

IMPORT_ALL = """
import importlib, pkgutil, monotron
EXTRA = [(["monotron", "store", "etcd"], name) for name in ("grpc", "google")]
for module in pkgutil.walk_packages(monotron.__path__, "monotron."):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            # Only the store on etcd may need what its extra brings.
            if (module.name.split(".")[:3], error.name.split(".")[0]) not in EXTRA:
                raise
print(monotron.__file__)
"""


@dataclass(frozen=True, slots=True)
class Distribution:
    """What `make dist` makes, and of what."""

    sdist: Path
    wheel: Path

    @property
    def metadata(self) -> Metadata:
        return metadata_of(self.wheel)


def copied_to(place: Path) -> Path:
    """Copy the repository, so that nothing is built in it."""
    for name in repository_files():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place / name)
    return place


def python(*arguments: str | Path, **variables: str) -> None:
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment({"PYTHONPATH": "", **variables}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def build(tree: Path, *what: str, source: str) -> Path:
    """Build as `make dist` does, but with the network neither needed nor used."""
    outdir = tree.with_name("dist")
    strictly = ("-W", "error::DeprecationWarning")
    python(*strictly, *BUILD, *what, "--outdir", outdir, tree, MONOTRON_SOURCE=source)
    return outdir


def metadata_of(wheel: Path) -> Metadata:
    with zipfile.ZipFile(wheel) as opened:
        said = opened.read(f"monotron-{__version__}.dist-info/METADATA")
    return Metadata.from_email(said, validate=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Distribution:
    """As anybody makes them, in a repository with files that git ignores."""
    tree = copied_to(tmp_path_factory.mktemp("made") / "tree")
    for secret in SECRETS:
        (tree / secret).parent.mkdir(exist_ok=True)
        (tree / secret).write_text("hidden")
    outdir = build(tree, source="")
    (sdist,) = outdir.glob("*.tar.gz")
    (wheel,) = outdir.glob("*.whl")
    return Distribution(sdist, wheel)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Metadata:
    """What a wheel says that the release workflow has made."""
    tree = copied_to(tmp_path_factory.mktemp("released") / "tree")
    return metadata_of(*build(tree, "--wheel", source=SOURCE).glob("*.whl"))


@dataclass(frozen=True, slots=True)
class Installed:
    """A venv with the wheel and what the wheel asks for, and nothing else."""

    folder: Path

    def pip(self, *arguments: str | Path) -> None:
        python("-m", "pip", "--python", self.folder / "bin" / "python", *arguments)

    def run(self, *command: str) -> str:
        done = self.end(*command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def end(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.folder / "bin" / command[0], *command[1:]],
            env=environment({"PYTHONPATH": ""}),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
def installed(made: Distribution, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    installed = Installed(tmp_path_factory.mktemp("installed") / "venv")
    python("-m", "venv", "--without-pip", installed.folder)
    # Without the network: what the wheel asks for comes from the environment of the tests.
    (target,) = installed.folder.glob("lib/python*/site-packages")
    for requirement in made.metadata.requires_dist or []:
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            link(requirement, target)
    installed.pip("install", "--no-index", "--no-deps", made.wheel)
    return installed


def link(requirement: Requirement, target: Path) -> None:
    package = metadata.distribution(requirement.name)
    tops = {path.parts[0] for path in package.files or [] if path.parts[0] != ".."}
    for top in tops - {"__pycache__"}:
        (target / top).symlink_to(Path(str(package.locate_file(top))))


@pytest.fixture(scope="module")
def served(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    command = (str(installed.folder / "bin" / "monotron"),)
    with services(tmp_path_factory.mktemp("served"), command) as serve:
        yield serve(variables={"PYTHONPATH": ""})


# What is in them


def test_the_sdist_is_the_repository(made: Distribution) -> None:
    with tarfile.open(made.sdist) as sdist:
        names = {member.name.partition("/")[2] for member in sdist if member.isfile()}
    added = {"PKG-INFO", *(name for name in names if name.startswith("monotron.egg-info/"))}
    assert names - added == repository_files()


def test_the_wheel_has_the_whole_package_and_nothing_else(made: Distribution) -> None:
    with zipfile.ZipFile(made.wheel) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == {name for name in repository_files() if name.startswith("monotron/")}


# What they say


def test_the_metadata_is_valid_and_names_the_licence(made: Distribution) -> None:
    said = made.metadata
    assert (said.name, str(said.version)) == ("monotron", __version__)
    assert (said.license_expression, said.license_files) == ("MIT", ["LICENSE"])
    assert page("LICENSE").startswith("MIT License\n")
    assert f" {said.author}\n" in page("LICENSE")
    assert said.keywords
    assert "Typing :: Typed" in (said.classifiers or [])
    assert "monotron/py.typed" in repository_files()


def test_no_host_is_invented(made: Distribution) -> None:
    assert made.metadata.project_urls is None


class Targets(HTMLParser):
    """Where the links and pictures of a page lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.pictures: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a":
            self.links.append(given["href"] or "")
        elif tag == "img":
            self.pictures.append(given["src"] or "")


def rendered(text: str) -> Targets:
    html = markdown.render(text)
    assert html is not None
    return Targets(html)


def relative(targets: list[str]) -> list[str]:
    return [target for target in targets if not re.match(r"https?:|#", target)]


def test_the_readme_alone_has_no_link_that_leads_nowhere(made: Distribution) -> None:
    shown = rendered(made.metadata.description or "")
    assert (relative(shown.links), shown.pictures) == ([], [])
    assert relative(rendered(page("README.md")).links), "nothing was shown"


def test_the_readme_of_a_release_leads_to_its_files(released: Metadata) -> None:
    here, shown = rendered(page("README.md")), rendered(released.description or "")
    tag = f"v{__version__}"
    assert released.project_urls == {"Source": SOURCE}
    assert relative(here.pictures)
    assert shown.pictures == [f"{SOURCE}/raw/{tag}/{path}" for path in here.pictures]
    outside = set(relative(here.links))
    assert shown.links == [
        f"{SOURCE}/blob/{tag}/{link}" if link in outside else link for link in here.links
    ]


def test_commands_in_the_readme_stay_as_they_are(released: Metadata) -> None:
    def fenced(text: str) -> list[str]:
        return re.findall(r"^```.*?^```$", text, re.DOTALL | re.MULTILINE)

    assert fenced(released.description or "") == fenced(page("README.md"))


# The wheel alone


def test_the_installed_wheel_lacks_nothing(installed: Installed) -> None:
    installed.pip("check")
    assert Path(installed.run("python", "-c", IMPORT_ALL).strip()).is_relative_to(installed.folder)


def test_the_installed_wheel_tells_its_version(installed: Installed) -> None:
    assert installed.run("monotron", "--version") == f"monotron {__version__}\n"


def test_the_installed_wheel_hands_out_numbers(served: Service) -> None:
    assert [served.take(), served.take()] == [1, 2]


def test_the_installed_wheel_has_the_dashboard(served: Service) -> None:
    shown = sorted(path for path in (ROOT / "monotron" / "web").iterdir() if path.suffix != ".py")
    assert {".html", ".css", ".js", ".svg"} <= {path.suffix for path in shown}
    for path in shown:
        if path.is_file():
            address = "/" if path.name == "index.html" else f"/web/{path.name}"
            assert served.get(address).body == path.read_bytes(), path.name


@pytest.mark.same_on_each_python
def test_the_list_of_parts_names_each_with_its_version_and_licence(
    made: Distribution, installed: Installed, tmp_path: Path
) -> None:
    (flags,) = re.findall(r"^SBOM = (.*)$", page("Makefile"), re.MULTILINE)
    assert "/cyclonedx-py environment $(SBOM) --output-file " in page("Makefile")
    file = tmp_path / "parts.json"
    subprocess.run(
        [
            *(from_test_extra("cyclonedx-py"), "environment", *flags.split()),
            *("--output-file", file, installed.folder / "bin" / "python"),
        ],
        env=environment({"PYTHONPATH": ""}),
        capture_output=True,
        check=True,
    )
    said = json.loads(file.read_text())
    assert (said["bomFormat"], said["specVersion"]) == ("CycloneDX", "1.6")
    parts = {part["name"]: part for part in said["components"]}
    assert parts["monotron"]["version"] == __version__
    assert parts["monotron"]["licenses"][0]["license"]["id"] == "MIT"
    needed = {
        requirement.name
        for requirement in made.metadata.requires_dist or []
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    }
    assert needed
    for name in needed:
        package = metadata.distribution(name)
        assert parts[package.name]["version"] == package.version


# The client alone, as on Windows


AS_ON_WINDOWS = """
import select, sys
for name in ("fcntl", "grp", "lmdb", "pwd", "resource", "termios"):
    sys.modules[name] = None
del select.poll
"""
"""A module that Python imports at its start: after it, importing one of these fails."""


@pytest.fixture(scope="module")
def client_alone(made: Distribution, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A venv with the wheel and nothing that it asks for."""
    alone = Installed(tmp_path_factory.mktemp("client") / "venv")
    python("-m", "venv", "--without-pip", alone.folder)
    alone.pip("install", "--no-index", "--no-deps", made.wheel)
    (target,) = alone.folder.glob("lib/python*/site-packages")
    (target / "sitecustomize.py").write_text(AS_ON_WINDOWS)
    return alone


def test_windows_gets_the_client_and_completion_alone(made: Distribution) -> None:
    there = {"extra": "", "sys_platform": "win32"}
    asked = [Requirement(str(each)) for each in made.metadata.requires_dist or []]
    names = {each.name for each in asked if each.marker is None or each.marker.evaluate(there)}
    assert names == {"shtab"}


def test_the_client_alone_asks_a_service(client_alone: Installed, served: Service) -> None:
    url = f"http://127.0.0.1:{served.port}"
    assert client_alone.run("monotron", "-V") == f"monotron {__version__}\n"
    assert client_alone.run("monotron", "next", "alone", "--url", url) == "1\n"
    assert client_alone.run("monotron", "list", "--prefix", "alone", "--url", url) == "alone\t1\t\n"
    asking = f"from monotron.client import Client; print(Client({url!r}).next('alone'))"
    assert client_alone.run("python", "-c", asking) == "2\n"


@pytest.mark.parametrize("arguments", [("serve",), ("next", "shop"), ("backup", "x.mdb")])
def test_without_the_rest_it_says_what_is_missing(
    client_alone: Installed, arguments: tuple[str, ...]
) -> None:
    refused = client_alone.end("monotron", *arguments)
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
    assert re.match(r"monotron: this needs \w+, which is not here: a service", refused.stderr)


def test_make_builds_them_as_here() -> None:
    recipe = re.search(r"^dist: .*\n(\t.*\n)+", page("Makefile"), re.MULTILINE)
    assert recipe is not None
    assert recipe[0].endswith(f"\t$(BIN)/python {' '.join(BUILD)}\n")
