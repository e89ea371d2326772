"""The examples in the README are what really happens."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from monotron.setting import Setting
from monotron.settings import SETTINGS
from tests.support import ci, shown
from tests.support import service as services
from tests.support.ci import Place
from tests.support.service import Serve, Service
from tests.support.shown import blocks, run

serve = services.serve

README = shown.page("README.md")
AUTHENTICATION = re.findall(r"^## Authentication\n.*?(?=^## )", README, re.DOTALL | re.MULTILINE)[0]
OPEN = README.replace(AUTHENTICATION, "")
"""What a service without authentication shows."""


@pytest.fixture
def service(serve: Serve) -> Service:
    return serve()


def test_each_command_prints_what_is_shown(service: Service, tmp_path: Path) -> None:
    assert len(shown.commands(OPEN)) > 15
    shown.assert_prints_what_is_shown(OPEN, service, tmp_path)


def test_command_is_found_once_the_readme_has_told_where(tmp_path: Path) -> None:
    (told,) = (block for block in blocks(README, "sh") if "activate" in block)
    before, _, after = README.partition(told)
    shown_by_name = r"^(?:\$ )?monotron "
    assert not re.search(shown_by_name, before, re.MULTILINE)
    assert re.search(shown_by_name, after, re.MULTILINE)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    for script, status in (("", 127), (told, 0)):
        done = subprocess.run(
            ["sh", "-c", f"{script}monotron --help"],
            env={"PATH": os.defpath},
            cwd=tmp_path,
            check=False,
            capture_output=True,
        )
        assert done.returncode == status


def test_there_are_as_many_processes_as_the_readme_says(service: Service) -> None:
    assert "**Which processes there are.** Two:" in README
    watching = service.process.pid
    children = Path(f"/proc/{watching}/task/{watching}/children").read_text().split()
    assert len([watching, *children]) == 2


def test_operating_system_is_the_one_that_is_declared() -> None:
    declared = re.findall("Operating System :: (.*)", shown.page("setup.cfg"))
    assert declared == ["POSIX :: Linux"]
    assert "It needs Linux, Python 3.10 or newer" in README
    assert "It is made for Linux, and tested there." in README


def test_authentication_is_turned_on_as_shown(serve: Serve, tmp_path: Path) -> None:
    (script,) = blocks(AUTHENTICATION, "sh")
    before, start = script.removesuffix("\n").rsplit("\n", 1)
    assert start == "monotron serve"
    run(before, None, tmp_path)
    files = shown.exported(before)
    assert set(files) == {"ROOT_API_KEY_FILE", "ROOT_API_SECRET_FILE"}
    service = serve(variables={name: str(tmp_path / file) for name, file in files.items()})
    assert service.post("/v1/series/shop").status == 401
    shown.assert_prints_what_is_shown(AUTHENTICATION, service, tmp_path)


def test_jenkinsfile_gets_a_number(service: Service, tmp_path: Path) -> None:
    (pipeline,) = blocks(README, "groovy")
    with ci.jenkins(tmp_path / "place") as jenkins:
        done = jenkins.build(ci.to(service, pipeline), {"GIT_COMMIT": ci.COMMIT})
    assert (done["failure"], done["env"]["RELEASE"], done["displayName"]) == (None, "1", "#1")


def test_github_action_gets_a_number(service: Service, tmp_path: Path) -> None:
    (number, build) = yaml.safe_load(ci.to(service, blocks(README, "yaml")[0]))["steps"]
    outcome, outputs = ci.GithubAction(Place.make(tmp_path / "place")).use(number["with"], {})
    assert (outcome.status, outputs) == (0, {"number": "1"})
    assert build["env"] == {"NUMBER": f"${{{{ steps.{number['id']}.outputs.number }}}}"}


def test_gitlab_job_gets_a_number(service: Service, tmp_path: Path) -> None:
    jobs = yaml.safe_load(ci.to(service, blocks(README, "yaml")[1]))
    template = ci.GitlabTemplate("sh", Place.make(tmp_path / "place"))
    outcome, report = template.extend(jobs["number"]["variables"], {})
    assert (outcome.status, report) == (0, {"MONOTRON_NUMBER": "1"})
    script = "\n".join(jobs["build"]["script"])
    assert run(script, None, None, **report) == "building 1\n"
    with pytest.raises(subprocess.CalledProcessError):
        run(script, None, None)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_settings_table_is_complete(setting: Setting) -> None:
    variables = ", ".join(f"`{variable}`" for variable in setting.variables)
    if setting.secret:
        variables += f", `{setting.file_variable}`"
    default = f"`{setting.default}`" if setting.default else "none"
    assert f"| `{setting.flag}` | {variables} | {default} | {setting.meaning} |\n" in README


def test_settings_table_has_nothing_else() -> None:
    table = README.partition("| flag | variable |")[2].partition("\n\n")[0]
    assert table.count("\n") == len(SETTINGS) + 1


@pytest.mark.parametrize(
    "path", ["README.md", "deploy/k8s/README.md", "deploy/traefik/README.md", "CONTRIBUTING.md"]
)
def test_named_files_and_sections_exist(path: str) -> None:
    shown.assert_links_lead_somewhere(path)


def test_named_modules_exist() -> None:
    layout = README.partition("## How the code is laid out")[2]
    files = {path.name for path in (shown.ROOT / "monotron").rglob("*.py")}
    assert set(re.findall(r"\b\w+\.py\b", layout)) - {"test_store.py"} <= files
