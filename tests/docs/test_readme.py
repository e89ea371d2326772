"""What the README shows is what happens, and it stays short."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support import ci, shown
from tests.support.ci import Place
from tests.support.service import Serve, Service
from tests.support.shown import blocks, run
from tests.support.web import routes

README = shown.page("README.md")


@pytest.fixture
def service(serve: Serve) -> Service:
    return serve()


def test_readme_is_short_and_in_the_order_of_its_readers() -> None:
    assert len(README.splitlines()) <= 200
    assert re.findall("^## (.*)$", README, re.MULTILINE) == [
        "What is promised",
        "Start it",
        "First use",
        "From CI",
        "The dashboard",
        "The API",
        "More",
    ]


def test_each_command_prints_what_is_shown(service: Service, tmp_path: Path) -> None:
    assert len(shown.commands(README)) > 7
    shown.assert_prints_what_is_shown(README, service, tmp_path)


def test_two_commands_are_those_of_the_makefile() -> None:
    two, _ = blocks(README, "sh")
    commands = two.splitlines()
    assert len(commands) == 2
    for command in commands:
        make, target = command.split()
        assert make == "make"
        assert re.search(rf"^{target}:", shown.page("Makefile"), re.MULTILINE)


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


def test_jenkinsfile_gets_a_number(service: Service, tmp_path: Path) -> None:
    (pipeline,) = blocks(README, "groovy")
    with ci.jenkins(tmp_path / "place") as jenkins:
        done = jenkins.build(ci.to(service, pipeline), {"GIT_COMMIT": ci.COMMIT})
    assert (done["failure"], done["env"]["RELEASE"]) == (None, "1")
    assert "building 1\n" in done["log"]


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


def test_calls_of_the_table_are_served() -> None:
    table = README.partition("| call | answer |")[2].partition("\n\n")[0]
    calls = re.findall(r"`(GET|PUT|POST) ([^`?]+)", table)
    assert len(calls) > 10
    served = routes()
    for method, path in calls:
        template = path.replace("/minor/", "/{part}/")
        assert method in served.get(template, ()), f"{method} {path}"
