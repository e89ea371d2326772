"""The examples in the guides are what really happens."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import installed
from tests.support import ci, shown
from tests.support.ci import COMMIT, Place, no_url
from tests.support.service import Serve, Service

GUIDES = [
    "docs/ci/github.md",
    "docs/ci/gitlab.md",
    "docs/ci/jenkins.md",
    "docs/ci/shell.md",
    "docs/from-build-number.md",
    "docs/keys-and-tokens.md",
    "docs/versions.md",
]
JENKINS, GITHUB, GITLAB, SHELL, BUILD_NUMBER, KEYS, VERSIONS = map(
    shown.page, (GUIDES[2], GUIDES[0], GUIDES[1], *GUIDES[3:])
)

LOOPBACK = r"\b127\.|\blocalhost\b|\[?::1\b|\b0\.0\.0\.0\b"


@pytest.fixture
def service(serve: Serve) -> Service:
    return serve()


@pytest.fixture
def folder_of_reader(tmp_path: Path) -> Path:
    """A folder with the script in it, as the guides tell a reader to have it."""
    folder = tmp_path / "reader"
    folder.mkdir()
    shutil.copy(ci.SCRIPT, folder)
    return folder


@pytest.mark.parametrize(
    ("text", "least"), [(SHELL, 9), (KEYS, 15), (VERSIONS, 14)], ids=["shell", "keys", "versions"]
)
def test_each_command_prints_what_is_shown(
    text: str, least: int, service: Service, folder_of_reader: Path
) -> None:
    assert len(shown.commands(text)) >= least
    # Errors show the address, too.
    text = ci.to(service, text)
    shown.assert_prints_what_is_shown(text, service, folder_of_reader)


@pytest.mark.parametrize("path", ["README.md", *GUIDES])
def test_pipelines_ask_another_machine(path: str) -> None:
    """The address of a runner itself is on a page as a warning alone."""
    text = shown.page(path)
    language = "groovy|yaml" if path == "README.md" else r"\w+"
    code = shown.blocks(text, f"(?:{language})")
    assert code
    assert [block for block in code if re.search(LOOPBACK, block)] == []
    assert shown.SHARED_URL in "".join(code)


def test_build_script_goes_on_with_the_number(service: Service, folder_of_reader: Path) -> None:
    (script,) = shown.blocks(SHELL, "sh")
    commit = f"git() {{ echo {COMMIT}; }}\n"
    assert shown.run(f'{commit}{script}echo "<$BUILD>"', service, folder_of_reader) == "<1>\n"
    away = {"MONOTRON_URL": no_url(), "MONOTRON_TRIES": "1"}
    with pytest.raises(subprocess.CalledProcessError) as ended:
        shown.run(f'{commit}{script}echo "<$BUILD>"', service, folder_of_reader, **away)
    assert ended.value.stdout == ""


def test_pipelines_get_numbers(jenkins: ci.Jenkins, service: Service) -> None:
    plain, with_credentials = (ci.to(service, text) for text in shown.blocks(JENKINS, "groovy"))
    done = jenkins.build(plain, {"GIT_COMMIT": COMMIT})
    assert (done["failure"], done["displayName"]) == (None, "#1")
    assert "building 1\n" in done["log"]
    done = jenkins.build(with_credentials, {}, {"monotron": ["key", "secret"]})
    assert done["failure"] is None
    assert "version 0.1.0\n" in done["log"]


def test_pipeline_without_a_checkout_is_told_so(jenkins: ci.Jenkins, service: Service) -> None:
    done = jenkins.build(ci.to(service, shown.blocks(JENKINS, "groovy")[0]), {})
    assert "the token is null" in done["failure"]
    assert "building" not in done["log"]


def test_job_moves_from_its_own_numbers(
    jenkins: ci.Jenkins, service: Service, folder_of_reader: Path
) -> None:
    (pipeline,) = shown.blocks(BUILD_NUMBER, "groovy")
    before, after = BUILD_NUMBER.split(pipeline)
    shown.assert_prints_what_is_shown(before, service, folder_of_reader)
    done = jenkins.build(ci.to(service, pipeline), {"GIT_COMMIT": COMMIT})
    assert (done["failure"], done["displayName"]) == (None, "#4712")
    assert "building shop-4712\n" in done["log"]
    shown.assert_prints_what_is_shown(after, service, folder_of_reader)


def test_workflows_get_numbers(service: Service, tmp_path: Path) -> None:
    action = ci.GithubAction(Place.make(tmp_path / "place"))
    context = {
        "${{ github.run_id }}": "17250034411",
        "${{ github.run_attempt }}": "1",
        "${{ secrets.MONOTRON_KEY }}": "key:secret",
    }
    numbers = []
    for block in shown.blocks(ci.to(service, GITHUB), "yaml"):
        job = yaml.safe_load(block)["jobs"]["number"]
        (step,) = job["steps"]
        assert step["uses"] == "OWNER/monotron@main"
        inputs: dict[str, str] = step["with"]
        for name, text in context.items():
            inputs = {key: value.replace(name, text) for key, value in inputs.items()}
        assert not [text for text in inputs.values() if "${{" in text]
        outcome, outputs = action.use(inputs, {})
        assert outcome.status == 0
        numbers.append(outputs["number"])
        for output in job.get("outputs", {}).values():
            assert output == f"${{{{ steps.{step['id']}.outputs.number }}}}"
    assert numbers == ["1", "2"]


def test_gitlab_jobs_get_numbers(service: Service, tmp_path: Path) -> None:
    template = ci.GitlabTemplate("sh", Place.make(tmp_path / "place"))
    pipeline, own, _ = (yaml.safe_load(text) for text in gitlab_blocks(service))
    assert pipeline["number"]["extends"] == ".monotron"
    outcome, report = template.extend(pipeline["number"]["variables"], {})
    assert (outcome.status, report) == (0, {"MONOTRON_NUMBER": "1"})
    assert_builds_with_a_number_only(pipeline["build"], report)
    variables = {"CI_COMMIT_SHA": COMMIT}
    job = own["build"]
    outcome, _ = template.extend(
        job["variables"], variables, script=job["script"], extended=job["extends"]
    )
    assert (outcome.status, outcome.answer) == (0, "building 1\n")


def gitlab_blocks(service: Service) -> list[str]:
    return shown.blocks(ci.to(service, GITLAB), "yaml")


def test_gitlab_component_gets_a_version(service: Service, tmp_path: Path) -> None:
    pipeline = yaml.safe_load(gitlab_blocks(service)[2])
    ((component,), build) = (pipeline["include"], pipeline["build"])
    assert component["component"] == "$CI_SERVER_FQDN/OWNER/monotron/number@main"
    job = ci.gitlab_component(component["inputs"])["number"]
    template = ci.GitlabTemplate("sh", Place.make(tmp_path / "place"))
    outcome, report = template.extend(job["variables"], {}, extended=job["extends"])
    assert (outcome.status, report) == (0, {"VERSION": "0.1.0"})
    assert_builds_with_a_number_only(build, report)


def test_gitlab_component_becomes_a_project_by_the_command_for_it(tmp_path: Path) -> None:
    git = installed("git", "MONOTRON_REQUIRE_GIT", "git")
    here, project = tmp_path / "here", tmp_path / "project"
    shutil.copytree(ci.CLIENTS, here / "clients")
    (command,) = shown.blocks(GITLAB, "sh")
    address = "https://gitlab.example.com/OWNER/monotron.git"
    assert address in command
    script = f"""
        git init --quiet --bare {project}
        git init --quiet --initial-branch main
        git add --all
        git -c user.name=a -c user.email=a@example.com commit --quiet --message x
        {command.replace(address, str(project))}
    """
    subprocess.run(["sh", "-ec", script], cwd=here, check=True, capture_output=True)
    listed = [git, "ls-tree", "-r", "--name-only", "main"]
    files = subprocess.run(listed, cwd=project, check=True, capture_output=True, text=True).stdout
    assert files.split() == ["README.md", "monotron.yml", "templates/number.yml"]


def assert_builds_with_a_number_only(job: dict[str, Any], report: dict[str, str]) -> None:
    script = "\n".join(job["script"])
    (value,) = report.values()
    assert shown.run(script, None, None, **report) == f"building {value}\n"
    for nothing in ({}, dict.fromkeys(report, "")):
        with pytest.raises(subprocess.CalledProcessError) as ended:
            shown.run(script, None, None, **nothing)
        assert ended.value.stdout == ""


def test_waits_are_as_long_as_the_guides_say() -> None:
    """If nothing answers: 6 tries, and 1, 2, 4, 8 and 16 seconds between them."""
    (limit,) = re.findall(r"--max-time (\d+)", ci.SCRIPT.read_text())
    (tries,) = re.findall(r"MONOTRON_TRIES:-(\d+)", ci.SCRIPT.read_text())
    seconds = int(tries) * int(limit) + sum((1, 2, 4, 8, 16))
    assert round(seconds / 30) / 2 == 3.5
    help_of_jenkins = (ci.CLIENTS / "jenkins" / "vars" / "monotron.txt").read_text()
    for page in (JENKINS, GITHUB, GITLAB, SHELL, help_of_jenkins):
        text = " ".join(page.split())
        assert "half a minute if the connection is refused" in text
        assert "up to three and a half minutes if nothing answers" in text


def names_of_table(text: str, heading: str) -> set[str]:
    """Return the names in the first column of the table with this heading."""
    table = text.partition(f"| {heading} | meaning |\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (`.*?) \|", table, re.M)
    return {name for row in rows for name in row[1:-1].split("`, `")}


def test_tables_of_inputs_and_variables_are_complete() -> None:
    action: dict[str, Any] = yaml.safe_load(ci.ACTION.read_text())
    assert names_of_table(GITHUB, "input") == set(action["inputs"])
    template = yaml.safe_load(ci.TEMPLATE.read_text())[".monotron"]
    settings = set(re.findall(r"\$\{(MONOTRON_\w+)[-:]", ci.SCRIPT.read_text()))
    assert names_of_table(SHELL, "variable") == settings
    given_in_text = {"MONOTRON_URL"}
    names = names_of_table(GITLAB, "variable")
    assert names == set(template["variables"]) | settings - given_in_text
    component = next(yaml.safe_load_all(ci.COMPONENT.read_text()))["spec"]["inputs"]
    assert names_of_table(GITLAB, "input") == set(component)
