"""A token for each run: the guides' tokens are never the same in two runs."""

import re
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from monotron import limits
from tests.support import ci, shown
from tests.support.ci import Place, at
from tests.support.service import Service

KEYS = shown.page("docs/keys-and-tokens.md")
PAGES = [
    "README.md",
    *(
        str(path.relative_to(shown.ROOT))
        for folder in ("clients", "deploy", "docs", "monotron/web")
        for path in sorted((shown.ROOT / folder).rglob("*"))
        if path.is_file() and path.suffix != ".png"
    ),
]
"""Everything that a user of a CI system reads or copies."""

COMMITS = [".GIT_COMMIT", "$GIT_COMMIT", "github.sha", "head.sha", "head_sha", "$CI_COMMIT_SHA"]
"""How a whole commit is written."""

Variables = dict[str, str]


def jenkins_build(server: str, job: str, number: int) -> Variables:
    """Return the variables of a build, as Jenkins makes them."""
    return {
        "JOB_NAME": job,
        "BUILD_NUMBER": str(number),
        "BUILD_ID": str(number),
        "BUILD_TAG": f"jenkins-{job.replace('/', '-')}-{number}",
        "BUILD_URL": f"https://{server}/job/{job.replace('/', '/job/')}/{number}/",
    }


def github_run(server: str, repository: str, run: int, attempt: int, number: int) -> Variables:
    """Return the context of a run, as GitHub makes it."""
    return {
        "github.server_url": f"https://{server}",
        "github.repository": repository,
        "github.run_id": str(run),
        "github.run_attempt": str(attempt),
        "github.run_number": str(number),
    }


def gitlab_job(server: str, project: str, pipeline: int, job: int) -> Variables:
    """Return the variables of a job, as GitLab makes them."""
    return {
        "CI_SERVER_HOST": server,
        "CI_PROJECT_PATH": project,
        "CI_PIPELINE_ID": str(pipeline),
        "CI_PIPELINE_IID": "17",
        "CI_JOB_ID": str(job),
    }


RUNS: dict[str, dict[str, list[Variables]]] = {
    "Jenkins": {
        "on this server": [
            jenkins_build("jenkins.example.com", "shop/nightly", 17),
            jenkins_build("jenkins.example.com", "shop-nightly", 17),
            jenkins_build("jenkins.example.com", "shop-nightly", 18),
            jenkins_build("jenkins.example.com", "shop-nightly-1", 8),
            jenkins_build("jenkins.example.com", "shop/feature%2Fnightly", 8),
            jenkins_build("jenkins.example.com", "shop/feature/nightly", 8),
        ],
        "on any server": [jenkins_build("ci.example.org", "shop/feature/nightly", 8)],
    },
    "GitHub": {
        "in this repository": [
            github_run("github.com", "acme/shop", 17250034411, 1, 17),
            github_run("github.com", "acme/shop", 17250034411, 2, 17),
            github_run("github.com", "acme/shop", 17250034412, 2, 17),
            github_run("github.com", "acme/shop", 17250034412, 12, 17),
        ],
        "on this server": [github_run("github.com", "fork/shop", 17250034412, 12, 17)],
    },
    "GitLab": {
        "on this server": [
            gitlab_job("gitlab.com", "acme/shop", 2100, 9000),
            gitlab_job("gitlab.com", "acme/shop", 2100, 9001),
            gitlab_job("gitlab.com", "fork/shop", 2101, 9002),
        ],
        "on any server": [gitlab_job("gitlab.example.org", "acme/shop", 2101, 9002)],
    },
}
"""Runs easily taken for one another; each scope also has those of the narrower ones before it."""


def rows(heading: str) -> list[tuple[str, str, str]]:
    """Return the rows of the table whose second column has this heading."""
    table = KEYS.partition(f"| system | {heading} |")[2].partition("\n\n")[0]
    found = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", table, re.MULTILINE)
    assert found
    return [(system, token, where) for system, token, where in found if "---" not in system]


def scope(where: str) -> str:
    """Return the first words of a cell: the scope in which no other run has the token."""
    found = re.match("(?:in|on) (?:this|any) [a-z]+", where)
    assert found
    return found[0]


TOKENS = [(system, token.strip("`"), scope(where)) for system, token, where in rows("token")]
SHARED = [name for _, names, _ in rows("no token") for name in re.findall(r"`([\w.]+)`", names)]
"""Names that two builds can share."""


@pytest.fixture
def key() -> str:
    return f"series of {uuid4()}"


Ask = Callable[[str, str, Variables], str]
"""Takes a key, the token as the guide writes it, and the variables of a run; returns the number."""


@pytest.fixture
def ask(request: pytest.FixtureRequest, service: Service, tmp_path: Path, system: str) -> Ask:
    """Ask in a run of one system, through its client."""
    if system == "Jenkins":
        jenkins: ci.Jenkins = request.getfixturevalue("jenkins")

        def in_jenkins(key: str, token: str, run: Variables) -> str:
            call = f"return monotron.next(args[0], token: {token})"
            done = jenkins.build(call, run | at(service), args=(key,))
            assert done["failure"] is None
            return str(done["result"])

        return in_jenkins

    place = Place.make(tmp_path / "place")
    if system == "GitHub":
        action = ci.GithubAction(place)

        def in_github(key: str, token: str, run: Variables) -> str:
            text = re.sub(r"\$\{\{ (.*?) \}\}", lambda name: run[name[1]], token)
            inputs = {"url": at(service)["MONOTRON_URL"], "key": key, "token": text}
            return action.use(inputs, {})[1]["number"]

        return in_github

    template = ci.GitlabTemplate("sh", place)

    def in_gitlab(key: str, token: str, run: Variables) -> str:
        text = re.sub(r"\$(\w+)", lambda name: run[name[1]], token)
        job = {"MONOTRON_SERIES": key, "MONOTRON_TOKEN": text}
        return template.extend(job, at(service))[1]["MONOTRON_NUMBER"]

    return in_gitlab


@pytest.mark.parametrize(("system", "token", "where"), TOKENS)
def test_each_run_has_a_number_of_its_own_and_keeps_it(
    ask: Ask, service: Service, key: str, system: str, token: str, where: str
) -> None:
    runs = []
    for each, found in RUNS[system].items():
        runs += found
        if each == where:
            break
    numbers = [(ask(key, token, run), ask(key, token, run)) for run in runs]
    assert numbers == [(str(n), str(n)) for n in range(1, len(runs) + 1)]
    history = service.get(ci.series_path(key).replace("/series/", "/history/")).json["history"]
    assert len({value["token"] for value in history}) == len(runs)


@pytest.mark.parametrize("system", ["Jenkins"])
def test_build_tag_is_one_token_for_two_jobs(ask: Ask, key: str, system: str) -> None:
    """What the page warns of: so the runs above are such as do not tell themselves apart."""
    nightly, other = RUNS[system]["on this server"][:2]
    assert nightly["JOB_NAME"] != other["JOB_NAME"]
    assert ask(key, "env.BUILD_TAG", nightly) == ask(key, "env.BUILD_TAG", other)


def test_build_url_that_is_too_long_or_missing_fails_and_takes_nothing(
    jenkins: ci.Jenkins, service: Service, key: str
) -> None:
    long = jenkins_build("jenkins.example.com", "/".join(["a folder"] * 20), 17)
    assert len(long["BUILD_URL"]) > limits.NAME_BYTES
    unset = {name: text for name, text in long.items() if name != "BUILD_URL"}
    call = "return monotron.next(args[0], token: env.BUILD_URL)"
    done = jenkins.build(call, long | at(service), args=(key,))
    assert done["failure"] is not None
    assert f"{limits.NAME_BYTES} bytes" in done["log"]
    assert "the token is null" in jenkins.build(call, unset | at(service), args=(key,))["failure"]
    assert service.get(ci.series_path(key)).status == 404
    assert f"at most [{limits.NAME_BYTES} bytes]" in KEYS


# What is advised


def advised(text: str) -> list[str]:
    """Return the tokens that a page shows to be written into a pipeline."""
    found = re.findall(
        r"""token: ("[^"]*"|'[^']*'|\$\{\{[^\n`]*|[\w.]+)|MONOTRON_TOKEN: ([^\n`]+)""", text
    )
    return [first or second for first, second in found]


def tells_apart(token: str) -> bool:
    """Return whether a token has a commit, something unique to the run, or no variable at all."""
    whole = [each.strip('"') for _, each, _ in TOKENS]
    if any(each in token for each in (*COMMITS, *whole)):
        return True
    return not re.search(r"[A-Z]{2,}_|github\.|env\.", token)


@pytest.mark.parametrize("path", PAGES)
def test_no_token_is_advised_that_two_builds_can_share(path: str) -> None:
    text = shown.page(path)
    assert [token for token in advised(text) if not tells_apart(token)] == []
    lines = [line for line in text.splitlines() if "BUILD_TAG" in line]
    warning = "| Jenkins | `BUILD_TAG` |"
    assert [line for line in lines if not line.startswith(warning)] == []


def test_tokens_that_two_builds_can_share_are_seen() -> None:
    assert {"BUILD_TAG", "github.run_number", "CI_PIPELINE_IID"} <= set(SHARED)
    for name in SHARED:
        for text in (f"token: env.{name}", f"token: ${{{{ {name} }}}}", f"MONOTRON_TOKEN: ${name}"):
            (token,) = advised(text)
            assert not tells_apart(token)
    found = [token for path in PAGES for token in advised(shown.page(path))]
    assert len(found) > 15
