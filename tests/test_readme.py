"""What the README shows is what happens."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from monotron.settings import SETTINGS
from tests import service as services
from tests.service import Serve, Service, environment

folder = services.folder
serve = services.serve

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHOWN_URL = "http://127.0.0.1:8080"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def shown_commands() -> list[tuple[str, str]]:
    """Give each command of the console blocks with the output shown below it."""
    commands = []
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            commands.append((command, output))
    return commands


@pytest.fixture
def service(serve: Serve) -> Service:
    return serve()


def run(script: str, service: Service, **variables: str) -> str:
    """Run a script as a CI system does, against the service."""
    url = f"http://127.0.0.1:{service.port}"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    store = {"STORAGE_DIR": service.started["folder"]}
    return subprocess.run(
        ["sh", "-ec", script.replace(SHOWN_URL, url)],
        env=environment({"PATH": path, "MONOTRON_URL": url, **store, **variables}),
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_each_command_prints_what_is_shown(service: Service) -> None:
    commands = shown_commands()
    assert len(commands) > 15
    for command, shown in commands:
        # JSON has no newline at its end; a page cannot show that.
        assert run(command, service).removesuffix("\n") == shown.removesuffix("\n"), command


def test_jenkinsfile_gets_numbers(service: Service) -> None:
    (pipeline,) = blocks("groovy")
    scripts = re.findall(r"script: '(.*)'", pipeline)
    assert len(scripts) == 2
    assert [run(script, service, GIT_COMMIT="90d8c75c8e") for script in scripts] == ["1\n", "1\n"]


def test_github_action_gets_a_number(service: Service, tmp_path: Path) -> None:
    workflow = yaml.safe_load(blocks("yaml")[0])
    output = tmp_path / "output"
    script = workflow["jobs"]["number"]["steps"][0]["run"]
    run(script, service, GITHUB_SHA="90d8c75c8e", GITHUB_OUTPUT=str(output))
    assert output.read_text() == "release=1\n"


def test_gitlab_job_gets_a_number(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    job = yaml.safe_load(blocks("yaml")[1])["number"]
    run("\n".join(job["script"]), service, CI_COMMIT_SHA="90d8c75c8e")
    assert (tmp_path / "number.env").read_text() == "RELEASE=1\n"


def test_ci_scripts_fail_where_there_is_no_number(service: Service) -> None:
    scripts = re.findall(r"script: '(.*)'", blocks("groovy")[0])
    service.stop()
    for script in scripts:
        with pytest.raises(subprocess.CalledProcessError):
            run(script, service, GIT_COMMIT="90d8c75c8e")


def test_settings_table_is_complete() -> None:
    for setting in SETTINGS:
        row = (
            f"| `{setting.flag}` | `{setting.variable}` | `{setting.default}` | {setting.meaning} |"
        )
        assert row in README


def test_named_files_exist() -> None:
    for name in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / name).exists(), name
