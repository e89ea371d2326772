"""The Debian package installs, works, and is removed without the numbers."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from monotron import __version__
from tests.conftest import installed
from tests.deploy.test_distribution import copied_to
from tests.support.service import environment
from tests.support.shown import ROOT

# It is built once, for Debian's own Python, in half a minute.
pytestmark = [
    pytest.mark.long,
    pytest.mark.same_on_each_python,
    pytest.mark.xdist_group("debian"),
]

OWN_ROOT = """
set -eu
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
cp "$2" "$1/root/monotron.deb"
cp "$3" "$1/root/script"
exec chroot "$1/root" sh -eu /script
"""
"""Runs a script where this machine's files can be changed, and nobody sees it."""

LIFE = """
dpkg --install /monotron.deb >/dev/null
echo "version: $(monotron --version)"
export STORAGE_DIR=/var/lib/private/monotron
mkdir -p "$STORAGE_DIR"
printf 'shop,41\\n' | monotron import csv - >/dev/null
echo "next: $(monotron next shop 2>/dev/null)"
test -e /etc/systemd/system/multi-user.target.wants/monotron.service || echo "not enabled"
echo 'PORT=81' >/etc/default/monotron
dpkg --install /monotron.deb >/dev/null
echo "after an upgrade: $(cat /etc/default/monotron), $(monotron get shop 2>/dev/null)"
dpkg --remove monotron >/dev/null
echo "removed: $(cd / && ls -d etc/default/monotron opt/monotron usr/bin/monotron 2>/dev/null)"
dpkg --purge monotron >/dev/null
echo "purged: $(cd / && ls -d etc/default/monotron "$STORAGE_DIR/data.mdb" 2>/dev/null)"
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, as `make deb` makes it."""
    installed("dpkg", "MONOTRON_REQUIRE_DPKG", "dpkg-deb")
    if not Path("/usr/bin/python3").exists():
        pytest.skip("NOT SHOWN: Debian's Python is not here; apt-get install python3")
    tree = copied_to(tmp_path_factory.mktemp("package") / "tree")
    pip = shutil.which("pip", path=str(Path(sys.executable).parent)) or "pip"
    done = subprocess.run(
        [tree / "deploy" / "debian" / "build.sh"],
        env=environment({"PYTHONPATH": "", "PIP": pip}),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (package,) = (tree / "build").glob("*.deb")
    return package


def told(package: Path, *arguments: str) -> str:
    return subprocess.run(
        ["dpkg-deb", *arguments[:1], package, *arguments[1:]],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.fixture(scope="module")
def contents(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its files."""
    folder = tmp_path_factory.mktemp("contents")
    told(package, "--extract", str(folder))
    return folder


def test_the_package_is_of_this_version_and_needs_its_python(package: Path) -> None:
    assert told(package, "--field", "Version").strip() == __version__
    assert told(package, "--field", "Depends").startswith("python3 (>= 3.")


def test_nothing_in_the_package_knows_where_it_was_built(package: Path, contents: Path) -> None:
    home = contents / "opt" / "monotron"
    assert {path.name for path in (home / "bin").iterdir() if not path.is_symlink()} == {"monotron"}
    place = str(package.parents[2]).encode()
    texts = [path for path in home.rglob("*") if path.is_file() and path.suffix != ".so"]
    assert len(texts) > 1_000
    assert [path for path in texts if place in path.read_bytes()] == []


def test_the_unit_in_the_package_is_that_of_the_repository(contents: Path) -> None:
    unit = contents / "usr/lib/systemd/system/monotron.service"
    assert unit.read_bytes() == (ROOT / "deploy/systemd/monotron.service").read_bytes()


def test_the_package_lives_and_leaves_as_it_should(package: Path, tmp_path: Path) -> None:
    unshare = installed("util-linux", "MONOTRON_REQUIRE_UNSHARE", "unshare")
    script = tmp_path / "script"
    script.write_text(LIFE)
    place = tmp_path / "place"
    place.mkdir()
    done = subprocess.run(
        [unshare, "--mount", "sh", "-c", OWN_ROOT, "sh", place, package, script],
        env=environment({"PYTHONPATH": "", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode and "mount" in done.stderr:
        pytest.skip(f"NOT SHOWN: no file system can be mounted here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"version: monotron {__version__}",
        "next: 42",
        "not enabled",
        "after an upgrade: PORT=81, 42",
        "removed: etc/default/monotron",
        "purged: /var/lib/private/monotron/data.mdb",
    ]
