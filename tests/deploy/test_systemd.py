"""The unit for systemd is valid, and keeps the service apart from everything else."""

import os
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from monotron.server.supervisor import STOP_SECONDS
from monotron.settings import SETTINGS, read_settings
from tests.conftest import installed
from tests.support.service import COMMAND
from tests.support.shown import ROOT, page

pytestmark = pytest.mark.same_on_each_python

SYSTEMD = ROOT / "deploy" / "systemd"
UNIT = SYSTEMD / "monotron.service"

MOST_EXPOSED = 12
"""In tenths, of 100: what systemd rates the unit at. Half of it is that it uses the network."""


def lines(path: Path) -> list[tuple[str, str]]:
    """Return what a unit sets, in its order."""
    found = re.findall(r"^(\w+)=(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return [(name, text) for name, text in found]


SET = dict(lines(UNIT))


@pytest.fixture(scope="module")
def analyze() -> str:
    return installed("systemd", "MONOTRON_REQUIRE_SYSTEMD", "systemd-analyze")


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    # Colours and pages are for people.
    quiet = {"SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": "cat"}
    return subprocess.run(
        command, env=os.environ | quiet, capture_output=True, text=True, timeout=60, check=False
    )


def with_command(place: Path, *changes: tuple[str, str]) -> Path:
    """Write the unit with a command that exists here, and with these changes."""
    text = UNIT.read_text(encoding="utf-8")
    for old, new in (("/usr/bin/monotron", COMMAND[0]), *changes):
        assert old in text
        text = text.replace(old, new)
    place.mkdir()
    (place / UNIT.name).write_text(text)
    return place / UNIT.name


def test_systemd_finds_nothing_wrong_with_the_unit(analyze: str, tmp_path: Path) -> None:
    found = run(analyze, "verify", "--man=no", with_command(tmp_path / "right"))
    assert (found.returncode, found.stderr) == (0, "")
    wrong = with_command(tmp_path / "wrong", ("Type=notify", "Type=notifies"))
    assert "notifies" in run(analyze, "verify", "--man=no", wrong).stderr


def test_systemd_rates_the_unit_as_it_did(analyze: str) -> None:
    rated = f"--threshold={MOST_EXPOSED}"
    found = run(analyze, "security", "--offline=true", rated, UNIT)
    assert found.returncode == 0, found.stdout
    assert f"level for monotron.service: {MOST_EXPOSED / 10} OK" in found.stdout
    assert f"rates the unit {MOST_EXPOSED / 10} of 10" in page("docs/deployment.md")


def test_nothing_is_set_twice_but_lists() -> None:
    twice = {name for name, count in Counter(name for name, _ in lines(UNIT)).items() if count > 1}
    assert twice == {"SystemCallFilter"}


def test_the_unit_gives_the_service_time_to_stop() -> None:
    assert float(SET["TimeoutStopSec"]) > STOP_SECONDS
    assert SET["KillMode"] == "mixed"


def test_the_store_is_in_the_folder_that_systemd_makes() -> None:
    name, _, folder = SET["Environment"].partition("=")
    assert name in {variable for setting in SETTINGS for variable in setting.variables}
    assert folder == f"%S/{SET['StateDirectory']}"


def test_authentication_takes_each_secret_from_the_credential_of_its_name(tmp_path: Path) -> None:
    given = lines(SYSTEMD / "authentication.conf")
    credentials = dict(text.split(":", 1) for name, text in given if name == "LoadCredential")
    environment = dict(given)["Environment"].replace("%d", str(tmp_path))
    for name in credentials:
        (tmp_path / name).write_text(name)
    settings = read_settings(dict(each.split("=", 1) for each in environment.split()), {})
    assert (settings.root_api_key, settings.root_api_secret) == tuple(credentials)
    for name, path in credentials.items():
        assert f"/etc/monotron/{name}" == path
        assert path in page("docs/deployment.md")
